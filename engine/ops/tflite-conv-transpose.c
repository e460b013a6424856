/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TfliteConvTranspose (domain forge): transposed convolution of bytes in NHWC,
 * with the inputs of TfliteConv (weights [O, KH, KW, C]):
 *   acc[n, y, x, o] = bias[o] + sum over taps that land there of
 *                     (x[..] - x_zero) (w[o, ky, kx, c] - w_zero)
 * Attributes: strides, pads (top, left), size (OH, OW).
 * Source: tensorflow/lite/kernels/internal/reference/integer_ops/
 * transpose_conv.h and reference/transpose_conv.h. */
#include "ops/tflite-math.h"

#define MAX_EXTENT 65536
#define MAX_TERMS 32768 /* products of bytes whose sum fits 32 bits */

typedef struct {
  int64_t n, c, o, in[2], out[2], kernel[2], stride[2], pad[2];
} Geometry;

static gboolean
read_pair (const ForgeNode *node, const char *name, int64_t least,
    int64_t pair[2], GError **error)
{
  const int64_t *values;
  gsize n_values = forge_attrs_ints (node->attrs, name, &values);
  for (int i = 0; i < 2; i++) {
    pair[i] = n_values == 2 ? values[i] : -1;
    if (pair[i] < least || pair[i] > MAX_EXTENT)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "%s must be 2 values from %" G_GINT64_FORMAT " to %d", name, least,
          MAX_EXTENT);
  }
  return TRUE;
}

static gboolean
parse (const ForgeNode *node, Geometry *g, GError **error)
{
  if (!forge_quant_need_byte (node, 0, error) ||
      !forge_quant_need_byte (node, 1, error) ||
      !forge_op_need_rank (node, 0, 4, error) ||
      !forge_op_need_rank (node, 1, 4, error) ||
      !read_pair (node, "strides", 1, g->stride, error) ||
      !read_pair (node, "pads", 0, g->pad, error) ||
      !read_pair (node, "size", 1, g->out, error))
    return FALSE;
  const int64_t *x = forge_node_in (node, 0)->shape.dims;
  const int64_t *w = forge_node_in (node, 1)->shape.dims;
  g->n = x[0];
  g->c = x[3];
  g->o = w[0];
  gboolean fits = w[3] == g->c && g->c >= 1 && g->o >= 1;
  for (int i = 0; i < 2; i++) {
    g->in[i] = x[1 + i];
    g->kernel[i] = w[1 + i];
    fits = fits && g->in[i] >= 1 && g->in[i] <= MAX_EXTENT &&
           g->kernel[i] >= 1 && g->kernel[i] <= MAX_EXTENT;
  }
  if (fits && g->kernel[0] * g->kernel[1] <= MAX_TERMS / g->c)
    return TRUE;
  g_autofree char *sx = forge_shape_to_string (&forge_node_in (node, 0)->shape);
  g_autofree char *sw = forge_shape_to_string (&forge_node_in (node, 1)->shape);
  return forge_node_error (node, error, FORGE_ERROR_SHAPE,
      "input %s does not fit weights %s", sx, sw);
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  Geometry g;
  if (!parse (node, &g, error))
    return FALSE;
  for (guint i = 2; i < 5; i++) {
    const ForgeValue *in = forge_node_in (node, i);
    if (i == 2 && !in)
      continue;
    if (!in || in->dtype != FORGE_INT32 ||
        forge_shape_count (&in->shape) != g.o)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input %u must be %" G_GINT64_FORMAT " numbers of int32", i, g.o);
  }
  ForgeShape out = { 4, { g.n, g.out[0], g.out[1], g.o } };
  return forge_op_set_out (
      node, 0, forge_node_in (node, 0)->dtype, &out, error);
}

typedef struct {
  Geometry g;
  const ForgeTensor *x, *w;
  const int32_t *bias, *multipliers, *shifts;
  int32_t x_zero, w_zero, y_zero, min, max;
  ForgeTensor *out;
} Job;

/* The input row or column that tap @k of output @at reads; -1 for none. */
static int64_t
source_of (const Geometry *g, int axis, int64_t at, int64_t k)
{
  int64_t from = at + g->pad[axis] - k;
  if (from < 0 || from % g->stride[axis] != 0)
    return -1;
  from /= g->stride[axis];
  return from < g->in[axis] ? from : -1;
}

static int32_t
sum_up (const Job *job, int64_t n, int64_t oy, int64_t ox, int64_t o)
{
  const Geometry *g = &job->g;
  int32_t sum = job->bias ? job->bias[o] : 0;
  for (int64_t ky = 0; ky < g->kernel[0]; ky++) {
    int64_t iy = source_of (g, 0, oy, ky);
    for (int64_t kx = 0; iy >= 0 && kx < g->kernel[1]; kx++) {
      int64_t ix = source_of (g, 1, ox, kx);
      if (ix < 0)
        continue;
      int64_t x_at = ((n * g->in[0] + iy) * g->in[1] + ix) * g->c;
      int64_t w_at = ((o * g->kernel[0] + ky) * g->kernel[1] + kx) * g->c;
      int32_t part = 0;
      for (int64_t c = 0; c < g->c; c++)
        part += (forge_quant_load (job->x->dtype, job->x->data, x_at + c) -
                    job->x_zero) *
                (forge_quant_load (job->w->dtype, job->w->data, w_at + c) -
                    job->w_zero);
      sum = (int32_t) ((uint32_t) sum + (uint32_t) part);
    }
  }
  return sum;
}

static void
run_pixels (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const Geometry *g = &job->g;
  int64_t area = g->out[0] * g->out[1];
  for (int64_t at = (int64_t) begin; at < (int64_t) end; at++)
    for (int64_t o = 0; o < g->o; o++) {
      int32_t sum =
          sum_up (job, at / area, at % area / g->out[1], at % g->out[1], o);
      ForgeTfliteFactor factor = { job->multipliers[o],
        CLAMP (job->shifts[o], -31, 30) };
      int64_t value = (int64_t) forge_tflite_scale (sum, factor) + job->y_zero;
      forge_quant_store (job->out->dtype, job->out->data, at * g->o + o,
          (int32_t) CLAMP (value, job->min, job->max));
    }
}

static void
run (const ForgeStep *step)
{
  const ForgeAttrs *attrs = step->node->attrs;
  Job job = { .x = step->in[0],
    .w = step->in[1],
    .bias = step->in[2] ? step->in[2]->data : NULL,
    .multipliers = step->in[3]->data,
    .shifts = step->in[4]->data,
    .x_zero = (int32_t) forge_attrs_int (attrs, "x_zero", 0),
    .w_zero = (int32_t) forge_attrs_int (attrs, "w_zero", 0),
    .y_zero = (int32_t) forge_attrs_int (attrs, "y_zero", 0),
    .min = (int32_t) forge_attrs_int (attrs, "min", 0),
    .max = (int32_t) forge_attrs_int (attrs, "max", 0),
    .out = step->out[0] };
  if (!parse (step->node, &job.g, NULL))
    return;
  const Geometry *g = &job.g;
  forge_op_ranges (step->threads, (size_t) (g->n * g->out[0] * g->out[1]),
      (size_t) (FORGE_OP_GRAIN / (g->kernel[0] * g->kernel[1] * g->c) + 1),
      run_pixels, &job);
}

static int64_t
flops (const ForgeNode *node)
{
  Geometry g;
  if (!parse (node, &g, NULL))
    return 0;
  int64_t inputs = forge_shape_count (&forge_node_in (node, 0)->shape);
  return forge_flops (inputs, forge_flops (g.kernel[0] * g.kernel[1], 2 * g.o));
}

const ForgeOp forge_op_TfliteConvTranspose = { .type = "TfliteConvTranspose",
  .domain = "forge",
  .min_inputs = 5,
  .max_inputs = 5,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run,
  .flops = flops };
