/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Adam with decoupled weight decay, and the learning rate's schedule. */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct {
  double learning_rate;
  double beta1, beta2, epsilon;
  double weight_decay; /* 0 = plain Adam */
} ForgeAdam;

#define FORGE_ADAM_DEFAULT                                               \
  {                                                                      \
    .learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 \
  }

/**
 * forge_adam_step:
 * @adam: its settings
 * @step: counts from 1
 * @n: elements
 * @value: changed in place
 * @gradient: of the loss
 * @m, @v: first and second moments, zero before the first step
 *
 *   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *   value -= rate ((m / (1 - beta1^t)) / (sqrt (v / (1 - beta2^t)) + epsilon)
 *                  + weight_decay value)
 *
 * Source: Kingma and Ba, "Adam" (2015), algorithm 1; Loshchilov and Hutter,
 * "Decoupled Weight Decay Regularization" (2019).
 */
void forge_adam_step (const ForgeAdam *adam, uint64_t step, size_t n,
    float *value, const float *gradient, float *m, float *v);

/* Half a cosine from @first at step 0 to @last at @n_steps; @last < 0 =
 * constant. Source: Loshchilov and Hutter, "SGDR" (2017), without restarts. */
double forge_cosine_rate (
    double first, double last, uint64_t step, uint64_t n_steps);
