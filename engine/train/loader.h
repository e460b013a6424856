/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All pictures of a data set as the network sees them, in memory, and batches
 * of them in a seeded order. */
#pragma once

#include "forge/dataset.h"
#include "train/augment.h"

typedef struct {
  guint n_items;
  int width, height;
  uint8_t *pixels;   /* uint8 [n_items, height, width, 3] */
  uint32_t *classes; /* [n_items] */
  uint32_t *order;   /* [n_items]: the order of this epoch */
} ForgeLoader;

/* Every picture goes through the ForgeImager of @preprocess, as a frame in
 * the element does. FORGE_ERROR_FORMAT naming a picture that does not decode,
 * FORGE_ERROR_MEMORY. */
ForgeLoader *forge_loader_new (const ForgeDataset *dataset,
    const ForgePreprocess *preprocess, int threads, GError **error);
void forge_loader_free (ForgeLoader *loader);
/* The order of the items: shuffled by @seed from the sorted one, so that it
 * does not depend on earlier epochs. */
void forge_loader_shuffle (ForgeLoader *loader, uint64_t seed);
/* Items @first to @first + @n of the order, round to the beginning behind the
 * end. @augment NULL = as they are; else by generators seeded with @seed and
 * the item's number. */
void forge_loader_get (const ForgeLoader *loader, guint first, guint n,
    const ForgeAugment *augment, uint64_t seed, uint8_t *pixels,
    uint32_t *classes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeLoader, forge_loader_free)
