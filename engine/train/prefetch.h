/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Batches ahead of time: while a step is computed, the next batch is shuffled
 * together and augmented, so that training never waits for its data. */
#pragma once

#include "train/loader.h"

typedef struct _ForgePrefetch ForgePrefetch;

/* @loader is borrowed, and its order is the prefetch's from here on. With
 * @threads 1, or of features, there is no thread: a batch is made when it is
 * taken. */
ForgePrefetch *forge_prefetch_new (
    ForgeLoader *loader, guint batch, int threads);
void forge_prefetch_free (ForgePrefetch *prefetch);
/* Starts on @n_batches batches of an epoch, in the order of @shuffle_seed with
 * the items of @last (nullable) behind. All batches of the epoch before must be
 * taken. */
void forge_prefetch_begin (ForgePrefetch *prefetch, const ForgeBatchRule *rule,
    uint64_t shuffle_seed, const uint8_t *last, guint n_batches);
/* Copies the next batch out, waiting for it where need be. Returns the seconds
 * waited. */
double forge_prefetch_take (
    ForgePrefetch *prefetch, uint8_t *pixels, float *targets);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgePrefetch, forge_prefetch_free)
