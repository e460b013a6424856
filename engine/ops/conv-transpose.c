/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ConvTranspose over 1, 2 or 3 spatial axes: every input element adds its
 * value times the kernel to the output,
 *   y[n, o, i s + k d - pad] += x[n, c, i] w[c, o, k].
 * Weights are [C, O / group, K..].
 * Source: ONNX operator specification, ConvTranspose-11. */
#include <string.h>

#include "ops/op-util.h"

#define MAX_SPATIAL 3
#define MAX_EXTENT (1 << 20) /* of strides, pads and dilations */

/* Spatial axes counted from the back: leading ones of 1 are added. */
typedef struct {
  int64_t n, c, o, group;
  int64_t in[MAX_SPATIAL], out[MAX_SPATIAL], kernel[MAX_SPATIAL];
  int64_t stride[MAX_SPATIAL], dilation[MAX_SPATIAL], pad[MAX_SPATIAL];
} Geometry;

/* The list of an attribute, @fallback where it is absent. */
static gboolean
read_list (const ForgeNode *node, const char *name, int n_values, int64_t least,
    int64_t fallback, int64_t *values, GError **error)
{
  const int64_t *list;
  gsize n_list = forge_attrs_ints (node->attrs, name, &list);
  for (int i = 0; i < n_values; i++) {
    values[i] = fallback;
    if (!list)
      continue;
    if ((int) MIN (n_list, 64) != n_values || list[i] < least ||
        list[i] > MAX_EXTENT)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "%s must be %d values from %" G_GINT64_FORMAT " to %d", name,
          n_values, least, MAX_EXTENT);
    values[i] = list[i];
  }
  return TRUE;
}

/* Extent of the output along an axis, and the padding before it. */
static int64_t
out_extent (const ForgeNode *node, int64_t full, int64_t extent, int64_t stride,
    int64_t wanted, const int64_t pads[2], int64_t *before)
{
  const char *automatic =
      forge_attrs_string (node->attrs, "auto_pad", "NOTSET");
  gboolean upper = g_str_equal (automatic, "SAME_UPPER");
  gboolean same = upper || g_str_equal (automatic, "SAME_LOWER");
  if (same && wanted < 0)
    wanted = extent * stride;
  if (wanted < 0) {
    *before = g_str_equal (automatic, "VALID") ? 0 : pads[0];
    return full - (g_str_equal (automatic, "VALID") ? 0 : pads[0] + pads[1]);
  }
  int64_t total = MAX (full - wanted, 0);
  *before = upper ? total / 2 : total - total / 2;
  return wanted;
}

static gboolean
read_spatial (const ForgeNode *node, int spatial, Geometry *g, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  const ForgeShape *weights = &forge_node_in (node, 1)->shape;
  int64_t strides[MAX_SPATIAL], dilations[MAX_SPATIAL];
  int64_t extra[MAX_SPATIAL], wanted[MAX_SPATIAL], pads[2 * MAX_SPATIAL];
  int64_t kernel[MAX_SPATIAL];
  if (!read_list (node, "strides", spatial, 1, 1, strides, error) ||
      !read_list (node, "dilations", spatial, 1, 1, dilations, error) ||
      !read_list (node, "output_padding", spatial, 0, 0, extra, error) ||
      !read_list (node, "output_shape", spatial, 1, -1, wanted, error) ||
      !read_list (node, "kernel_shape", spatial, 1, -1, kernel, error) ||
      !read_list (node, "pads", 2 * spatial, 0, 0, pads, error))
    return FALSE;
  for (int i = 0; i < spatial; i++) {
    int to = MAX_SPATIAL - spatial + i;
    int64_t pair[] = { pads[i], pads[spatial + i] };
    g->in[to] = in->dims[2 + i];
    g->kernel[to] = weights->dims[2 + i];
    g->stride[to] = strides[i];
    g->dilation[to] = dilations[i];
    if (g->kernel[to] < 1 || g->kernel[to] > MAX_EXTENT ||
        (kernel[i] > 0 && kernel[i] != g->kernel[to]))
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "kernel extent %d is %" G_GINT64_FORMAT
          " in the weights, %" G_GINT64_FORMAT " in kernel_shape",
          i, g->kernel[to], kernel[i]);
    if (g->in[to] < 0) {
      g->out[to] = -1;
      continue;
    }
    if (g->in[to] == 0 || g->in[to] > FORGE_OP_MAX_ELEMS)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "spatial axis %d has %" G_GINT64_FORMAT " elements", i, g->in[to]);
    int64_t full = (g->in[to] - 1) * strides[i] + extra[i] +
                   (g->kernel[to] - 1) * dilations[i] + 1;
    g->out[to] = out_extent (
        node, full, g->in[to], strides[i], wanted[i], pair, &g->pad[to]);
    if (g->out[to] < 1)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "spatial axis %d would have %" G_GINT64_FORMAT " elements", i,
          g->out[to]);
  }
  return TRUE;
}

static gboolean
read_geometry (const ForgeNode *node, Geometry *g, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  const ForgeShape *weights = &forge_node_in (node, 1)->shape;
  const ForgeValue *bias = forge_node_in (node, 2);
  int spatial = in->rank - 2;
  *g = (Geometry) { .group = forge_attrs_int (node->attrs, "group", 1) };
  if (spatial < 1 || spatial > MAX_SPATIAL)
    return forge_op_need_rank (node, 0, 4, error);
  if (!forge_op_need_rank (node, 1, in->rank, error))
    return FALSE;
  for (int i = 0; i < MAX_SPATIAL; i++)
    g->in[i] = g->out[i] = g->kernel[i] = g->stride[i] = g->dilation[i] = 1;
  g->n = in->dims[0];
  g->c = weights->dims[0];
  if (g->group < 1 || g->c < 1 || g->c > FORGE_OP_MAX_ELEMS ||
      g->c % g->group != 0 || weights->dims[1] < 1 ||
      weights->dims[1] > FORGE_OP_MAX_ELEMS || g->group > MAX_EXTENT ||
      (in->dims[1] >= 0 && in->dims[1] != g->c))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "%" G_GINT64_FORMAT " input channels, weights for %" G_GINT64_FORMAT
        " and %" G_GINT64_FORMAT " groups do not fit",
        in->dims[1], g->c, g->group);
  g->o = weights->dims[1] * g->group;
  if (bias && forge_shape_count (&bias->shape) != g->o)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "the bias must have %" G_GINT64_FORMAT " elements", g->o);
  return read_spatial (node, spatial, g, error);
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  Geometry g;
  for (guint i = 0; i < 3; i++)
    if ((i < 2 || forge_op_has_in (node, i)) &&
        !forge_op_need_float (node, i, error))
      return FALSE;
  if (!read_geometry (node, &g, error))
    return FALSE;
  ForgeShape out = forge_node_in (node, 0)->shape;
  out.dims[1] = g.o;
  for (int i = 2; i < out.rank; i++)
    out.dims[i] = g.out[MAX_SPATIAL - out.rank + i];
  return forge_op_set_out (node, 0, FORGE_FLOAT32, &out, error);
}

typedef struct {
  Geometry g;
  const float *x, *w, *bias;
  float *y;
} Job;

/* One row of one input channel, by one row of its kernel. */
static void
add_row (const Geometry *g, const float *x, const float *w, float *y)
{
  for (int64_t k = 0; k < g->kernel[2]; k++) {
    int64_t shift = k * g->dilation[2] - g->pad[2], stride = g->stride[2];
    int64_t first = shift < 0 ? (-shift + stride - 1) / stride : 0;
    int64_t end = MIN (
        g->in[2], g->out[2] > shift ? (g->out[2] - 1 - shift) / stride + 1 : 0);
    float weight = w[k];
    for (int64_t i = first; i < end; i++)
      y[i * stride + shift] += x[i] * weight;
  }
}

/* One input channel into one output channel. */
static void
add_channel (const Geometry *g, const float *x, const float *w, float *y)
{
  for (int64_t z = 0; z < g->in[0]; z++)
    for (int64_t kz = 0; kz < g->kernel[0]; kz++) {
      int64_t oz = z * g->stride[0] + kz * g->dilation[0] - g->pad[0];
      if (oz < 0 || oz >= g->out[0])
        continue;
      for (int64_t v = 0; v < g->in[1]; v++)
        for (int64_t kv = 0; kv < g->kernel[1]; kv++) {
          int64_t ov = v * g->stride[1] + kv * g->dilation[1] - g->pad[1];
          if (ov >= 0 && ov < g->out[1])
            add_row (g, x + (z * g->in[1] + v) * g->in[2],
                w + (kz * g->kernel[1] + kv) * g->kernel[2],
                y + (oz * g->out[1] + ov) * g->out[2]);
        }
    }
}

static int64_t
volume (const int64_t extents[MAX_SPATIAL])
{
  return extents[0] * extents[1] * extents[2];
}

/* Images times output channels. */
static void
run_channels (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const Geometry *g = &job->g;
  int64_t area_in = volume (g->in), area_out = volume (g->out);
  int64_t taps = volume (g->kernel);
  int64_t c_per_group = g->c / g->group, o_per_group = g->o / g->group;
  for (size_t item = begin; item < end; item++) {
    int64_t n = (int64_t) item / g->o, o = (int64_t) item % g->o;
    int64_t c0 = o / o_per_group * c_per_group;
    float *y = job->y + (int64_t) item * area_out;
    for (int64_t i = 0; i < area_out; i++)
      y[i] = job->bias ? job->bias[o] : 0;
    for (int64_t c = c0; c < c0 + c_per_group; c++)
      add_channel (g, job->x + (n * g->c + c) * area_in,
          job->w + (c * o_per_group + o % o_per_group) * taps, y);
  }
}

static void
run (const ForgeStep *step)
{
  Job job = { .x = step->in[0]->data,
    .w = step->in[1]->data,
    .bias = step->n_in > 2 && step->in[2] ? step->in[2]->data : NULL,
    .y = step->out[0]->data };
  if (read_geometry (step->node, &job.g, NULL))
    forge_op_ranges (
        step->threads, (size_t) (job.g.n * job.g.o), 1, run_channels, &job);
}

static int64_t
flops (const ForgeNode *node)
{
  Geometry g;
  int64_t count = forge_shape_count (&forge_node_in (node, 0)->shape);
  double work;
  if (!read_geometry (node, &g, NULL) || count < 0)
    return 0;
  work = 2.0 * (double) count * (double) (g.o / g.group) *
         (double) volume (g.kernel);
  return work < 0x1p62 ? (int64_t) work : INT64_MAX;
}

const ForgeOp forge_op_ConvTranspose = { .type = "ConvTranspose",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 3,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run,
  .flops = flops };
