/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Losses with their gradients, straight from the logits z and the targets t,
 * both [N, C], t in [0, 1]:
 *   SOFTMAX  L = -1/N sum_n w_n sum_c t[n][c] log softmax (z[n])[c]
 *            dL/dz[n][c] = w_n (softmax (z[n])[c] - t[n][c]) / N, where the
 *            targets of a row sum to 1
 *   SIGMOID  L = -1/N sum_n w_n sum_c (t log s (z) + (1 - t) log s (-z))
 *            dL/dz[n][c] = w_n (s (z) - t) / N; any number of classes may be
 *            true at once, C = 1 is two classes
 *   w_n = sum_c t[n][c] weight[c] (C = 1: (1 - t) weight[0] + t weight[1]),
 *   times the image's own factor */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef enum {
  FORGE_LOSS_SOFTMAX,
  FORGE_LOSS_SIGMOID,
} ForgeLossKind;

typedef struct {
  double loss;   /* sum over the images, not the mean */
  double hits;   /* images whose answer is the class of the largest target; or,
                    of multi-label data, that are right in every class */
  double images; /* how many: the sum of their factors, as in @hits */
} ForgeLoss;

/* @smoothing: targets become (1 - smoothing) t + smoothing / C (SIGMOID:
 * smoothing / 2). @weights: (nullable) [C], or [2] where C is 1. @factors:
 * (nullable) [N], of the images; 1 without. @losses: (nullable) [N], is told
 * the loss of each image, free of weight and factor. */
typedef struct {
  ForgeLossKind kind;
  double smoothing;
  const float *weights;
  const float *factors;
  float *losses;
  gboolean multi_label; /* how hits are counted */
} ForgeLossRule;

/* @logits, @targets: float32 [N, C]; @gradient: (nullable) the same. A NaN or
 * infinite logit gives a NaN loss. Added to @sum. Source of smoothing: Szegedy
 * et al., "Rethinking the Inception Architecture" (2016). */
void forge_loss (const ForgeLossRule *rule, const float *logits,
    const float *targets, guint n_images, guint n_classes, float *gradient,
    ForgeLoss *sum);
