/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Softmax and sparse categorical cross-entropy in one, with its gradient:
 *   L = -1/N sum_n log softmax (z[n])[y[n]]
 *   dL/dz[n][c] = (softmax (z[n])[c] - [c = y[n]]) / N */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct {
  double loss; /* sum over the images, not the mean */
  guint hits;  /* images whose largest logit is the truth */
} ForgeLoss;

/* @logits: float32 [N, C]; @classes: [N]; @gradient: (nullable) float32 [N,
 * C]. A NaN or infinite logit gives a NaN loss. Added to @sum. */
void forge_softmax_loss (const float *logits, const uint32_t *classes,
    guint n_images, guint n_classes, float *gradient, ForgeLoss *sum);
