/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Seeded random numbers, the same on every machine. Every random draw in the
 * engine takes one of these (style rule 19). */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct {
  uint64_t state[4];
} ForgeRng;

/* The whole state follows from the seed. */
void forge_rng_seed (ForgeRng *rng, uint64_t seed);
/* An independent generator for item @index of the stream @seed: so that image
 * 17 of epoch 3 is augmented alike whichever thread draws it. */
void forge_rng_seed_at (ForgeRng *rng, uint64_t seed, uint64_t index);
uint64_t forge_rng_u64 (ForgeRng *rng);
/* Uniform in [0, bound); bound >= 1. Unbiased. */
uint32_t forge_rng_below (ForgeRng *rng, uint32_t bound);
/* Uniform in [0, 1), 24 bits. */
float forge_rng_float (ForgeRng *rng);
/* Standard normal. */
float forge_rng_normal (ForgeRng *rng);
/* Fisher-Yates. */
void forge_rng_shuffle (ForgeRng *rng, uint32_t *items, uint32_t n_items);
