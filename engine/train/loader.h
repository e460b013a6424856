/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All pictures of a data set as the network sees them, in memory or in the
 * mapped file of an earlier start, and batches of them in a seeded order. */
#pragma once

#include "forge/dataset.h"
#include "train/augment.h"
#include "train/data-cache.h"

typedef struct {
  guint n_items; /* that could be decoded */
  int width, height;
  guint n_targets; /* of a picture: the classes, or 1 where two are told by
                      one number */
  gsize item_bytes;
  const uint8_t *pixels; /* uint8 [n_items, height, width, 3] */
  uint32_t *classes;     /* [n_items]; multi-label: places in sets */
  uint32_t *sets;        /* NULL unless multi-label: at such a place the number
                            of the picture's classes, and these */
  gsize n_sets;          /* words of that */
  uint32_t *order;       /* [n_items]: the order of this epoch */

  guint n_skipped;     /* that could not */
  uint32_t *skipped;   /* [n_skipped]: items of the data set, ascending */
  char *skip_reason;   /* of the first of them; NULL = none */
  gboolean from_cache; /* decoded by an earlier start */

  /* Features in place of pictures: pixels is [n_variants, n_items,
   * item_bytes], and augmenting is to draw a variant. 0 = pictures. */
  guint n_variants;

  uint8_t *own_pixels; /* NULL where they are mapped */
  ForgeCacheMap *map;
} ForgeLoader;

/* Every picture goes through the ForgeImager of @preprocess, as a frame in
 * the element does. What cannot be decoded is left out, counted and said once
 * (g_message). FORGE_ERROR_FORMAT when nothing is left of a class of a
 * training part, or of another part as a whole; FORGE_ERROR_MEMORY. */
ForgeLoader *forge_loader_new (const ForgeDataset *dataset,
    const ForgePreprocess *preprocess, int threads, GError **error);
void forge_loader_free (ForgeLoader *loader);
/* The order of the items: shuffled by @seed from the sorted one, so that it
 * does not depend on earlier epochs. @last: (nullable) [n_items]: items that
 * come behind all others. */
void forge_loader_shuffle (
    ForgeLoader *loader, uint64_t seed, const uint8_t *last);
/* Features of the pictures of @like, all to be filled in. FORGE_ERROR_MEMORY.
 */
ForgeLoader *forge_loader_new_features (const ForgeLoader *like,
    gsize item_bytes, guint n_variants, GError **error);

/* What is done to the pictures of an epoch. */
typedef struct {
  ForgeAugment augment;
  double mixup;              /* alpha; 0 = off */
  uint64_t seed, mixup_seed; /* of this epoch */
  uint64_t flip_seed;        /* of all epochs */
  uint64_t epoch;
} ForgeBatchRule;

/* Items @first to @first + @n of the order, round to the beginning behind the
 * end. @rule NULL = as they are; else by generators seeded with its seeds and
 * the item's number. @targets: float32 [n, n_targets], 1 for each true class;
 * with mixup the parts of two. The result does not depend on @threads. */
void forge_loader_get (const ForgeLoader *loader, guint first, guint n,
    const ForgeBatchRule *rule, int threads, uint8_t *pixels, float *targets);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeLoader, forge_loader_free)
