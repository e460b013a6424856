/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Random changes to training pictures that leave their class as it is. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "base/rng.h"

typedef struct {
  gboolean flip; /* left-right, every second picture */
  guint shift;   /* by up to so many pixels each way, edges repeated */
} ForgeAugment;

/* @in, @out: uint8 [height, width, 3], apart. The draws are those of @rng
 * alone, so that a picture's change depends on its generator's seed and on
 * nothing else. */
void forge_augment (const ForgeAugment *augment, ForgeRng *rng,
    const uint8_t *in, int width, int height, uint8_t *out);
