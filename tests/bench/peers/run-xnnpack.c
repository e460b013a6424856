/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * XNNPACK's subgraph API, for compare-run: one node a step of the recipe,
 * clamps in the node, NHWC; the library packs, fuses and plans memory itself.
 * What it has no node for is built from those it has.
 *
 * Debian's library (2024-11, in trixie and sid) is compiled by gcc, which keeps
 * one sum of the 5x16 FMA3 kernels in memory: without AVX-512 they run at half
 * of what the same source gives elsewhere. A better build is measured by
 * LD_LIBRARY_PATH. */
#include <math.h>
#include <pthreadpool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xnnpack.h>

#include "recipe.h"
#include "runner.h"

static const Recipe *recipe;
static xnn_subgraph_t graph;
static xnn_runtime_t runtime;
static uint32_t *ids; /* of tensors */
static float *output;
static size_t n_output;

static void
check (enum xnn_status status, const char *what)
{
  if (status != xnn_status_success)
    runner_fail ("XNNPACK: %s: status %d", what, (int) status);
}

static void *
allocate (size_t n_floats)
{
  void *memory =
      aligned_alloc (64, (n_floats * sizeof (float) + 255) / 64 * 64);
  if (!memory)
    runner_fail ("no memory");
  return memory;
}

static uint32_t
define_tensor (size_t rank, const size_t *extents, const float *data)
{
  uint32_t id;
  check (xnn_define_tensor_value (graph, xnn_datatype_fp32, rank, extents, data,
             XNN_INVALID_VALUE_ID, 0, &id),
      "tensor");
  return id;
}

static uint32_t
define_vector (int n, const float *data)
{
  size_t extents[] = { (size_t) n };
  return define_tensor (1, extents, data);
}

static uint32_t
define_scalar (float value)
{
  float *kept = allocate (16);
  *kept = value;
  return define_vector (1, kept);
}

/* A tensor of the same shape, between two nodes of one step. */
static uint32_t
define_like (int tensor)
{
  const RecipeTensor *t = &recipe->tensors[tensor];
  size_t extents[] = { (size_t) t->n, (size_t) t->h, (size_t) t->w,
    (size_t) t->c };
  return define_tensor (4, extents, NULL);
}

/* [outer, c, pixels] to [outer, pixels, c]. */
static float *
channels_last (const float *from, int outer, int c, int pixels)
{
  float *to = allocate ((size_t) outer * (size_t) c * (size_t) pixels);
  for (size_t o = 0; o < (size_t) outer; o++)
    for (size_t k = 0; k < (size_t) c; k++)
      for (size_t p = 0; p < (size_t) pixels; p++)
        to[(o * (size_t) pixels + p) * (size_t) c + k] =
            from[(o * (size_t) c + k) * (size_t) pixels + p];
  return to;
}

static void
binary (enum xnn_binary_operator type, const struct xnn_binary_params *bounds,
    uint32_t a, uint32_t b, uint32_t out)
{
  const struct xnn_binary_params open = { -INFINITY, INFINITY };
  check (xnn_define_binary (graph, type, bounds ? bounds : &open, a, b, out, 0),
      "binary");
}

static void
unary (enum xnn_unary_operator type, uint32_t in, uint32_t out)
{
  check (xnn_define_unary (graph, type, NULL, in, out, 0), "unary");
}

/* An activation that is no clamp; @shape: a tensor of the same shape. */
static void
activate (const RecipeStep *step, int shape, uint32_t in, uint32_t out)
{
  const struct xnn_binary_params gate = { 0, 1 };
  uint32_t between;
  union xnn_unary_params clamp;
  switch (step->act) {
  case RECIPE_CLAMP:
    clamp.clamp.min = step->alpha;
    clamp.clamp.max = step->beta;
    check (
        xnn_define_unary (graph, xnn_unary_clamp, &clamp, in, out, 0), "clamp");
    break;
  case RECIPE_SIGMOID:
    unary (xnn_unary_sigmoid, in, out);
    break;
  case RECIPE_SILU:
    between = define_like (shape);
    unary (xnn_unary_sigmoid, in, between);
    binary (xnn_binary_multiply, NULL, in, between, out);
    break;
  case RECIPE_HARD_SWISH:
    unary (xnn_unary_hardswish, in, out);
    break;
  case RECIPE_HARD_SIGMOID:
    between = define_like (shape);
    binary (
        xnn_binary_multiply, NULL, in, define_scalar (step->alpha), between);
    binary (xnn_binary_add, &gate, between, define_scalar (step->beta), out);
    break;
  default:
    runner_fail ("XNNPACK: no such activation");
  }
}

/* Clamps go into the node; others follow it. */
static struct xnn_binary_params
node_bounds (const RecipeStep *step)
{
  struct xnn_binary_params bounds = { -INFINITY, INFINITY };
  if (step->act == RECIPE_CLAMP) {
    bounds.output_min = (double) step->alpha;
    bounds.output_max = (double) step->beta;
  }
  return bounds;
}

static int
acts_later (const RecipeStep *step)
{
  return step->act != RECIPE_PLAIN && step->act != RECIPE_CLAMP;
}

static void
define_conv (const RecipeStep *step, uint32_t in, uint32_t out)
{
  int c = recipe->tensors[step->inputs[0]].c;
  int o = recipe->tensors[step->out].c, taps = step->kh * step->kw;
  struct xnn_binary_params bounds = node_bounds (step);
  float lo = (float) bounds.output_min, hi = (float) bounds.output_max;
  uint32_t bias =
      step->bias ? define_vector (o, step->bias) : XNN_INVALID_VALUE_ID;
  uint32_t top = (uint32_t) step->top, right = (uint32_t) step->right,
           bottom = (uint32_t) step->bottom, left = (uint32_t) step->left,
           kh = (uint32_t) step->kh, kw = (uint32_t) step->kw,
           sh = (uint32_t) step->sh, sw = (uint32_t) step->sw;
  if (step->groups == c && c == o && c > 1) {
    size_t extents[] = { 1, kh, kw, (size_t) c };
    uint32_t filter =
        define_tensor (4, extents, channels_last (step->weights, 1, c, taps));
    check (xnn_define_depthwise_convolution_2d (graph, top, right, bottom, left,
               kh, kw, sh, sw, 1, 1, 1, (size_t) c, lo, hi, in, filter, bias,
               out, 0),
        "depthwise convolution");
    return;
  }
  int group_c = c / step->groups;
  size_t extents[] = { (size_t) o, kh, kw, (size_t) group_c };
  uint32_t filter = define_tensor (
      4, extents, channels_last (step->weights, o, group_c, taps));
  check (xnn_define_convolution_2d (graph, top, right, bottom, left, kh, kw, sh,
             sw, 1, 1, (uint32_t) step->groups, (size_t) group_c,
             (size_t) (o / step->groups), lo, hi, in, filter, bias, out, 0),
      "convolution");
}

static void
define_dense (const RecipeStep *step, uint32_t in, uint32_t out)
{
  const RecipeTensor *from = &recipe->tensors[step->inputs[0]];
  int o = recipe->tensors[step->out].c, pixels = from->h * from->w;
  size_t k = (size_t) (from->c * pixels), n = (size_t) from->n;
  struct xnn_binary_params bounds = node_bounds (step);
  size_t flat_in[] = { n, k }, flat_out[] = { n, (size_t) o },
         full_out[] = { n, 1, 1, (size_t) o }, weights[] = { (size_t) o, k };
  uint32_t rows = define_tensor (2, flat_in, NULL);
  uint32_t sums = define_tensor (2, flat_out, NULL);
  check (xnn_define_static_reshape (graph, 2, flat_in, in, rows, 0), "reshape");
  check (xnn_define_fully_connected (graph, (float) bounds.output_min,
             (float) bounds.output_max, rows,
             define_tensor (
                 2, weights, channels_last (step->weights, o, from->c, pixels)),
             define_vector (o, step->bias), sums, 0),
      "fully connected");
  check (
      xnn_define_static_reshape (graph, 4, full_out, sums, out, 0), "reshape");
}

static void
define_affine (const RecipeStep *step, uint32_t in, uint32_t out)
{
  struct xnn_binary_params bounds = node_bounds (step);
  int c = recipe->tensors[step->out].c;
  uint32_t slope = define_vector (c, step->weights);
  if (!step->bias) {
    binary (xnn_binary_multiply, &bounds, in, slope, out);
    return;
  }
  uint32_t product = define_like (step->out);
  binary (xnn_binary_multiply, NULL, in, slope, product);
  binary (xnn_binary_add, &bounds, product, define_vector (c, step->bias), out);
}

static void
define_pool (const RecipeStep *step, uint32_t in, uint32_t out)
{
  uint32_t top = (uint32_t) step->top, right = (uint32_t) step->right,
           bottom = (uint32_t) step->bottom, left = (uint32_t) step->left,
           kh = (uint32_t) step->kh, kw = (uint32_t) step->kw,
           sh = (uint32_t) step->sh, sw = (uint32_t) step->sw;
  if (step->kind == RECIPE_MAXPOOL)
    check (xnn_define_max_pooling_2d (graph, top, right, bottom, left, kh, kw,
               sh, sw, 1, 1, -INFINITY, INFINITY, in, out, 0),
        "max pooling");
  else
    check (xnn_define_average_pooling_2d (graph, top, right, bottom, left, kh,
               kw, sh, sw, -INFINITY, INFINITY, in, out, 0),
        "average pooling");
}

static void
define_step (const RecipeStep *step)
{
  static const size_t map_axes[] = { 1, 2 };
  struct xnn_binary_params bounds = node_bounds (step);
  uint32_t in = ids[step->inputs[0]], last = ids[step->out];
  uint32_t other = step->n_inputs > 1 ? ids[step->inputs[1]] : 0;
  int later = step->kind != RECIPE_UNARY && acts_later (step);
  uint32_t out = later ? define_like (step->out) : last;
  switch (step->kind) {
  case RECIPE_CONV:
    define_conv (step, in, out);
    break;
  case RECIPE_DENSE:
    define_dense (step, in, out);
    break;
  case RECIPE_AFFINE:
    define_affine (step, in, out);
    break;
  case RECIPE_UNARY:
    activate (step, step->out, in, out);
    break;
  case RECIPE_ADD:
    binary (xnn_binary_add, &bounds, in, other, out);
    break;
  case RECIPE_MUL:
    binary (xnn_binary_multiply, &bounds, in, other, out);
    break;
  case RECIPE_MAXPOOL:
  case RECIPE_AVGPOOL:
    define_pool (step, in, out);
    break;
  case RECIPE_MEAN:
    check (xnn_define_static_reduce (graph, xnn_reduce_mean, 2, map_axes, in,
               out, XNN_FLAG_KEEP_DIMS),
        "mean");
    break;
  case RECIPE_CONCAT:
    if (step->n_inputs != 2)
      runner_fail ("XNNPACK: concat of %d", step->n_inputs);
    check (xnn_define_concatenate2 (graph, 3, in, other, out, 0), "concat");
    break;
  case RECIPE_SOFTMAX:
    check (xnn_define_softmax (graph, in, out, 0), "softmax");
    break;
  }
  if (later)
    activate (step, step->out, out, last);
}

static void
define_tensors (void)
{
  ids = calloc ((size_t) recipe->n_tensors, sizeof *ids);
  for (int i = 0; ids && i < recipe->n_tensors; i++) {
    const RecipeTensor *t = &recipe->tensors[i];
    size_t extents[] = { (size_t) t->n, (size_t) t->h, (size_t) t->w,
      (size_t) t->c };
    int in = i == recipe->input, out = i == recipe->output;
    check (xnn_define_tensor_value (graph, xnn_datatype_fp32, 4, extents, NULL,
               in    ? 0
               : out ? 1
                     : XNN_INVALID_VALUE_ID,
               in    ? XNN_VALUE_FLAG_EXTERNAL_INPUT
               : out ? XNN_VALUE_FLAG_EXTERNAL_OUTPUT
                     : 0,
               &ids[i]),
        "tensor");
  }
}

void
runner_open (const RunnerJob *job)
{
  recipe = recipe_read (job->model);
  check (xnn_initialize (NULL), "initialize");
  check (xnn_create_subgraph (2, 0, &graph), "subgraph");
  define_tensors ();
  for (int i = 0; i < recipe->n_steps; i++)
    define_step (&recipe->steps[i]);
  pthreadpool_t pool =
      job->threads > 1 ? pthreadpool_create ((size_t) job->threads) : NULL;
  check (xnn_create_runtime_v2 (graph, pool, 0, &runtime), "runtime");
  const RecipeTensor *last = &recipe->tensors[recipe->output];
  n_output = (size_t) (last->n * last->c * last->h * last->w);
  output = allocate (n_output);
  struct xnn_external_value values[] = {
    { ids[recipe->input],
        channels_last (job->input, job->batch, 3, job->side * job->side) },
    { ids[recipe->output], output }
  };
  check (xnn_setup_runtime (runtime, 2, values), "setup");
}

void
runner_run (void)
{
  check (xnn_invoke_runtime (runtime), "run");
}

const float *
runner_output (size_t *n_outputs)
{
  *n_outputs = n_output;
  return output;
}

/* The library does not say; whoever built this does. */
const char *
runner_version (void)
{
#ifdef XNNPACK_VERSION
  return XNNPACK_VERSION;
#else
  return "of this machine";
#endif
}

double
runner_flops (void)
{
  return 0;
}
