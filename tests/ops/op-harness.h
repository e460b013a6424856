/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One operator without a graph around it: a node, its values and tensors, and
 * the step that a session would run. Outputs, workspaces and gradients are
 * filled with NaN before they are used, so that an element left unwritten or
 * read too early shows. */
#pragma once

#include "base/rng.h"
#include "ops/op.h"

#define HARNESS_MAX_IO 12

typedef struct {
  ForgeNode node;
  ForgeTensor *in[HARNESS_MAX_IO]; /* NULL = left out */
  gboolean constant[HARNESS_MAX_IO];
  ForgeTensor *out[HARNESS_MAX_IO];
  ForgeTensor *d_in[HARNESS_MAX_IO], *d_out[HARNESS_MAX_IO];
  ForgePrepared prepared;
  ForgeStep step;
  gboolean ready;
} Harness;

/* @type as ONNX names it; of the domains "", "forge" or
 * "com.microsoft". One output. */
Harness *harness_new (const char *type, int opset);
void harness_free (Harness *harness);
/* Adds an input of zeros; NULL @shape leaves an optional one out. */
ForgeTensor *harness_input (
    Harness *harness, ForgeDtype dtype, const ForgeShape *shape);
/* The same, constant, with values: int64 vector, float scalar. */
void harness_ints (Harness *harness, const int64_t *values, int n_values);
void harness_scalar (Harness *harness, float value);
/* Uniform in [low, high). */
void harness_fill (ForgeTensor *tensor, ForgeRng *rng, float low, float high);
/* Distinct values, 0.1 apart, none nearer to 0 than 0.05, in random order:
 * no maximum or kink within a finite difference. */
void harness_fill_distinct (ForgeTensor *tensor, ForgeRng *rng);

/* One more output. */
void harness_add_output (Harness *harness);

gboolean harness_infer (Harness *harness, GError **error);
/* Infers, prepares, binds; any error fails the test. */
void harness_prepare (Harness *harness, int threads, gboolean training);
void harness_run (Harness *harness);
/* d_out is @d_out of output 0; wants every float input's gradient. */
void harness_backward (Harness *harness, const float *d_out);

/* Offset of (n, c, y, x) in the node's layout. */
int64_t harness_at (gboolean nhwc, const ForgeShape *shape, int64_t n,
    int64_t c, int64_t y, int64_t x);
ForgeShape harness_image (
    gboolean nhwc, int64_t n, int64_t c, int64_t h, int64_t w);
/* Fails with the index and both values unless |got - want| <= tolerance *
 * max (1, |want|). */
void harness_assert_close (
    const char *what, int64_t index, double got, double want, double tolerance);
