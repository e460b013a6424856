/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Leaves easy pictures out of an epoch: those whose loss, when they were last
 * trained on, was below the mean, each with the same probability; those of
 * them that stay weigh more, so that the gradient is the same on average.
 * Source: Qin et al., "InfoBatch: Lossless Training Speed Up by Unbiased
 * Dynamic Data Pruning" (ICLR 2024). */
#pragma once

#include <glib.h>
#include <stdint.h>

#define FORGE_PRUNE_UNKNOWN (-1.0f)

/* By item of the training part, [n_items] each. */
typedef struct {
  guint n_items;
  float *losses;     /* last seen; FORGE_PRUNE_UNKNOWN = none yet */
  float *factors;    /* of the gradient in this epoch */
  uint8_t *left_out; /* of this epoch */
  guint n_left_out;
} ForgePrune;

ForgePrune *forge_prune_new (guint n_items);
void forge_prune_free (ForgePrune *prune);

/* Draws what an epoch leaves out: pictures with a loss below the mean of the
 * known ones, with probability @rate, by generators of (@seed, item). Factors
 * are 1 / (1 - @rate) for those of them that stay, else 1. Nothing is left out
 * at rate 0, or when fewer than @least pictures would stay. */
void forge_prune_begin (
    ForgePrune *prune, double rate, uint64_t seed, guint least);

/* Takes the losses of a batch in. @items, @losses: [n] */
void forge_prune_record (
    ForgePrune *prune, const uint32_t *items, guint n, const float *losses);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgePrune, forge_prune_free)
