/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gradients of Conv, over [N, H, W, C]; a node in NCHW order is transposed
 * into scratch and back. Weights and input each go the way that is fastest
 * for their sizes: conv-winograd-dw.c or conv-dw.c, conv-winograd-dx.c or
 * conv-dx.c, and conv-depthwise-backward.c. The bias gradient is
 *   db[o] = sum over pixels of dy[p, o]
 * All sums are taken in an order that sizes alone decide. */
#include "ops/conv-backward.h"

#include <string.h>

#include "base/alloc.h"
#include "ops/op-util.h"

#define MAX_BIAS_PARTS 16

/* Places in backward_workspace, in floats. What computes one gradient is
 * done before the next begins, so they share the scratch. */
typedef struct {
  size_t x, dy, dx; /* NHWC copies of an NCHW node */
  size_t bias;      /* [parts][O] */
  size_t scratch, total;
} Plan;

static size_t
take (Plan *plan, size_t n_floats)
{
  size_t at = plan->total;
  plan->total += forge_align_up (n_floats * sizeof (float)) / sizeof (float);
  return at;
}

static size_t
scratch_count (const ForgeConv *conv)
{
  size_t dw, dx;
  if (conv->depthwise)
    return forge_depthwise_backward_count (conv);
  if (!forge_winograd_dw_plan (conv, &dw))
    dw = forge_conv_dw_count (conv);
  if (!forge_winograd_dx_plan (conv, &dx))
    dx = forge_conv_dx_count (conv);
  return MAX (dw, dx);
}

static void
plan_init (const ForgeNode *node, const ForgeConv *conv, Plan *plan)
{
  memset (plan, 0, sizeof *plan);
  if (!node->nhwc) {
    plan->x = take (plan, (size_t) (conv->n * conv->in_pixels * conv->c));
    plan->dx = take (plan, (size_t) (conv->n * conv->in_pixels * conv->c));
    plan->dy = take (plan, (size_t) (conv->n * conv->out_pixels * conv->o));
  }
  plan->bias = take (plan, (size_t) (MAX_BIAS_PARTS * conv->o));
  plan->scratch = take (plan, scratch_count (conv));
}

size_t
forge_conv_backward_bytes (const ForgeNode *node, const ForgeConv *conv)
{
  Plan plan;
  plan_init (node, conv, &plan);
  return plan.total * sizeof (float);
}

typedef struct {
  const ForgeConv *conv;
  const float *dy;
  float *parts;
} Bias;

static void
bias_part (void *data, int part)
{
  const Bias *bias = data;
  const ForgeConv *conv = bias->conv;
  int64_t pixels = conv->n * conv->out_pixels, n_out = conv->o;
  float *restrict sum = bias->parts + part * n_out;
  memset (sum, 0, (size_t) n_out * sizeof *sum);
  int64_t end = pixels * (part + 1) / MAX_BIAS_PARTS;
  for (int64_t p = pixels * part / MAX_BIAS_PARTS; p < end; p++) {
    const float *restrict dy = bias->dy + p * n_out;
    for (int64_t o = 0; o < n_out; o++)
      sum[o] += dy[o];
  }
}

static void
bias_backward (
    const ForgeConvGradient *gradient, float *scratch, ForgeTensor *db)
{
  const ForgeConv *conv = gradient->conv;
  Bias bias = { conv, gradient->dy, scratch };
  float *sum = db->data;
  forge_pool_run (gradient->threads, MAX_BIAS_PARTS, bias_part, &bias);
  for (int64_t o = 0; o < conv->o; o++) {
    sum[o] = 0;
    for (int64_t part = 0; part < MAX_BIAS_PARTS; part++)
      sum[o] += scratch[part * conv->o + o];
  }
}

static void
run_gradients (const ForgeConvGradient *gradient)
{
  size_t count;
  const ForgeConv *conv = gradient->conv;
  if (conv->depthwise) {
    forge_depthwise_backward (gradient);
    return;
  }
  if (gradient->dw && forge_winograd_dw_plan (conv, &count))
    forge_winograd_dw (gradient);
  else if (gradient->dw)
    forge_conv_dw (gradient);
  if (gradient->dx && forge_winograd_dx_plan (conv, &count))
    forge_winograd_dx (gradient);
  else if (gradient->dx)
    forge_conv_dx (gradient);
}

/* Around run_gradients, the copies of an NCHW node. */
static void
run_nchw (const ForgeStep *step, const Plan *plan, ForgeConvGradient *gradient,
    ForgeTensor *db)
{
  const ForgeConv *conv = gradient->conv;
  float *scratch = step->backward_workspace;
  float *x = scratch + plan->x, *dy = scratch + plan->dy, *dx = gradient->dx;
  forge_op_swap_inner (
      step->threads, conv->n, conv->c, conv->in_pixels, gradient->x, x);
  forge_op_swap_inner (
      step->threads, conv->n, conv->o, conv->out_pixels, gradient->dy, dy);
  gradient->x = x;
  gradient->dy = dy;
  gradient->dx = dx ? scratch + plan->dx : NULL;
  run_gradients (gradient);
  if (db)
    bias_backward (gradient, scratch + plan->bias, db);
  if (dx)
    forge_op_swap_inner (
        step->threads, conv->n, conv->in_pixels, conv->c, gradient->dx, dx);
}

void
forge_conv_backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  ForgeTensor *const *d_in = gradients->d_in;
  ForgeTensor *db = step->n_in > 2 ? d_in[2] : NULL;
  float *scratch = step->backward_workspace;
  ForgeConv conv;
  Plan plan;
  if (!forge_conv_parse (step->node, &conv, NULL))
    return;
  plan_init (step->node, &conv, &plan);
  ForgeConvGradient gradient = { .conv = &conv,
    .threads = step->threads,
    .x = step->in[0]->data,
    .dy = gradients->d_out[0]->data,
    .weights = step->in[1]->data,
    .dx = d_in[0] ? d_in[0]->data : NULL,
    .dw = d_in[1] ? d_in[1]->data : NULL,
    .scratch = scratch + plan.scratch };
  if (!step->node->nhwc) {
    run_nchw (step, &plan, &gradient, db);
    return;
  }
  run_gradients (&gradient);
  if (db)
    bias_backward (&gradient, scratch + plan.bias, db);
}
