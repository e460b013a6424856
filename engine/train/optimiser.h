/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How a gradient changes a weight, and how fast at which step. Pure functions
 * over ranges of floats: update.c spreads them over the pool. */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef enum {
  FORGE_OPTIMISER_ADAM,
  FORGE_OPTIMISER_ADAMW,
  FORGE_OPTIMISER_SGD,
  FORGE_OPTIMISER_MUON, /* muon.h; SGD where that does not apply */
} ForgeOptimiserKind;

typedef struct {
  ForgeOptimiserKind kind;
  double learning_rate;
  double weight_decay;          /* 0 = none */
  double beta1, beta2, epsilon; /* Adam, AdamW */
  double momentum;              /* SGD */
  gboolean nesterov;
} ForgeOptimiser;

#define FORGE_OPTIMISER_DEFAULT                                        \
  {                                                                    \
    .kind = FORGE_OPTIMISER_ADAM, .learning_rate = 1e-3, .beta1 = 0.9, \
    .beta2 = 0.999, .epsilon = 1e-8, .momentum = 0.9, .nesterov = TRUE \
  }

/**
 * forge_optimiser_step:
 * @optimiser: its settings
 * @step: counts from 1
 * @scale: of the gradient, from clipping; 1 = as it is
 * @n: elements
 * @value: changed in place
 * @gradient: g, of the loss
 * @m, @v: zero before the first step; @v is for Adam and AdamW only
 *
 * Adam, AdamW (without and with the last term), where Adam's g includes
 * weight_decay value:
 *   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *   value -= rate ((m / (1 - beta1^t)) / (sqrt (v / (1 - beta2^t)) + epsilon)
 *                  + weight_decay value)
 * SGD, where g includes weight_decay value:
 *   m = momentum m + g
 *   value -= rate (nesterov ? g + momentum m : m)
 *
 * Source: Kingma and Ba, "Adam" (2015), algorithm 1; Loshchilov and Hutter,
 * "Decoupled Weight Decay Regularization" (2019); Sutskever et al., "On the
 * importance of initialization and momentum in deep learning" (2013).
 */
void forge_optimiser_step (const ForgeOptimiser *optimiser, uint64_t step,
    float scale, size_t n, float *value, const float *gradient, float *m,
    float *v);

typedef enum {
  FORGE_SCHEDULE_COSINE,
  FORGE_SCHEDULE_ONE_CYCLE,
  FORGE_SCHEDULE_STEP,
  FORGE_SCHEDULE_CONSTANT,
} ForgeScheduleKind;

typedef struct {
  ForgeScheduleKind kind;
  double rate;             /* at its height */
  double last;             /* COSINE: at the end; < 0 = constant */
  double start, peak, end; /* ONE_CYCLE: factor, part of all, factor */
  double factor;           /* STEP: every so many steps */
  uint64_t every;          /* STEP */
  uint64_t warmup;         /* steps */
  uint64_t n_steps;        /* of the whole run */
} ForgeSchedule;

/* The learning rate of the step that follows @step finished ones, where an
 * epoch of fewer steps counts as much as a whole one. A warm-up
 * multiplies the first rates by 1/(warmup + 1), 2/(warmup + 1), ...; COSINE
 * begins behind it. Source: Loshchilov and Hutter, "SGDR" (2017), without
 * restarts; Goyal et al., "Accurate, Large Minibatch SGD" (2017). */
double forge_schedule_rate (const ForgeSchedule *schedule, double step);
