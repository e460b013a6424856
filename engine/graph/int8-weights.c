/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Weights that a file keeps as int8, w = q scale, with one scale for each
 * output channel: in ONNX an initializer of int8 with a DequantizeLinear
 * behind it. A network whose activations are quantised too is another thing,
 * and stays as it is.
 *
 * The scale is max |w| / 127 rounded up to a few bits. So every q scale is
 * exact in float32 and the same for all readers, the largest q is 127 again
 * when they are quantised anew, and nothing changes a second time. */
#include <float.h>
#include <math.h>

#include "graph/pass-util.h"
#include "graph/stored-weights.h"

#define MAX_LEVEL 127
#define SCALE_BITS 12
/* Of the root of the sum of squares. Most matrices of 20 trained networks lose
 * 0.6 to 1 %, and one with a long tail, its largest number being 24 times the
 * root of the mean square, 2.3 %. A forge-resnet whose last convolution loses
 * 2.1 % has 94.21 % of CIFAR-10's test pictures, in float32 94.16 %. */
#define MAX_LOSS 0x1p-5

/* A tensor around the axis of its scales. One for all: outer = channels = 1. */
typedef struct {
  int64_t outer, channels, inner;
} Split;

static Split
split_at (const ForgeShape *shape, int axis)
{
  Split split = { 1, 1, 1 };
  for (int i = 0; i < shape->rank; i++) {
    int64_t *part = i == axis  ? &split.channels
                    : i < axis ? &split.outer
                               : &split.inner;
    *part *= shape->dims[i];
  }
  return split;
}

/* Part @n of channel @c begins at this element and has split->inner. */
static int64_t
find_part (const Split *split, int64_t n, int64_t c)
{
  return (n * split->channels + c) * split->inner;
}

gboolean
forge_value_is_int8 (const ForgeValue *value)
{
  return value->constant && value->dtype == FORGE_FLOAT32 &&
         value->stored == FORGE_INT8 && value->scale;
}

/* NAN where there is none. What is so small that its scale would be no normal
 * number, with which readers differ, becomes zeros. */
static float
find_scale (const float *values, const Split *split, int64_t c)
{
  double most = 0;
  for (int64_t n = 0; n < split->outer; n++) {
    const float *part = values + find_part (split, n, c);
    for (int64_t i = 0; i < split->inner; i++) {
      if (!isfinite (part[i]))
        return NAN;
      most = fmax (most, fabs (part[i]));
    }
  }
  if (most < MAX_LEVEL * (double) FLT_MIN)
    return 1;
  int exponent;
  double mantissa = frexp (most / MAX_LEVEL, &exponent);
  double scale =
      ldexp (ceil (ldexp (mantissa, SCALE_BITS)), exponent - SCALE_BITS);
  return MAX_LEVEL * scale <= FLT_MAX ? (float) scale : NAN;
}

static int8_t
quantise (float value, float scale)
{
  return (int8_t) rint ((double) value / scale);
}

ForgeFit
forge_tensor_fit_int8 (const ForgeTensor *tensor, int axis)
{
  const float *values = tensor->data;
  const Split split = split_at (&tensor->shape, axis);
  double all = 0, lost = 0;
  for (int64_t c = 0; c < split.channels; c++) {
    float scale = find_scale (values, &split, c);
    if (isnan (scale))
      return FORGE_OVERFLOWS;
    for (int64_t n = 0; n < split.outer; n++) {
      const float *part = values + find_part (&split, n, c);
      for (int64_t i = 0; i < split.inner; i++) {
        double value = part[i];
        double error = value - quantise (part[i], scale) * (double) scale;
        all += value * value;
        lost += error * error;
      }
    }
  }
  return lost <= MAX_LOSS * MAX_LOSS * all ? FORGE_FITS : FORGE_LOSES;
}

gboolean
forge_value_store_int8 (ForgeValue *value, int axis, GError **error)
{
  const Split split = split_at (&value->shape, axis);
  const ForgeShape shape = { 1, { split.channels } };
  g_autoptr (ForgeTensor) scale =
      forge_tensor_new (FORGE_FLOAT32, &shape, error);
  /* others may share the constant */
  g_autoptr (ForgeTensor) rounded =
      scale ? forge_tensor_copy (value->constant, error) : NULL;
  if (!rounded)
    return FALSE;
  float *values = rounded->data, *scales = scale->data;
  for (int64_t c = 0; c < split.channels; c++) {
    scales[c] = find_scale (values, &split, c);
    for (int64_t n = 0; n < split.outer; n++) {
      float *part = values + find_part (&split, n, c);
      for (int64_t i = 0; i < split.inner; i++)
        part[i] = quantise (part[i], scales[c]) * scales[c];
    }
  }
  forge_value_set_constant (value, rounded);
  forge_value_set_stored (value, FORGE_INT8, scale, axis);
  return TRUE;
}

gboolean
forge_value_to_int8 (const ForgeValue *value, int8_t *bytes)
{
  const float *values = value->constant->data, *scales = value->scale->data;
  const Split split = split_at (&value->shape, value->scale_axis);
  if (forge_tensor_get_count (value->scale) != split.channels)
    return FALSE;
  for (int64_t c = 0; c < split.channels; c++)
    for (int64_t n = 0; n < split.outer; n++) {
      int64_t first = find_part (&split, n, c);
      for (int64_t i = first; i < first + split.inner; i++) {
        double level = rint ((double) values[i] / scales[c]);
        if (!(level >= INT8_MIN && level <= INT8_MAX) ||
            (float) level * scales[c] != values[i])
          return FALSE;
        bytes[i] = (int8_t) level;
      }
    }
  return TRUE;
}

gboolean
forge_node_quantises (const ForgeNode *node)
{
  static const char *const types[] = { "QuantizeLinear",
    "DynamicQuantizeLinear", "QGemm", "ConvInteger", "MatMulInteger", NULL };
  const char *type = node->op->type;
  return g_strv_contains (types, type) || g_str_has_prefix (type, "QLinear") ||
         g_str_has_prefix (type, "Tflite");
}

gboolean
forge_graph_is_quantised (const ForgeGraph *graph)
{
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    const ForgeValue *in = forge_node_in (node, 0);
    if (forge_node_quantises (node) ||
        (forge_node_is (node, "DequantizeLinear") && in && !in->constant))
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_initializer (const ForgeValue *value, ForgeDtype dtype)
{
  return value && value->constant && !value->producer && value->dtype == dtype;
}

/* What only reads weights may be taken from the graph's nodes. */
typedef struct {
  GHashTable *counts; /* ForgeValue* -> how many inputs it is */
  GHashTable *others; /* set: values that are not only filters or matrices */
} Readers;

static void
count_readers (const ForgeGraph *graph, Readers *readers)
{
  readers->counts = g_hash_table_new (NULL, NULL);
  readers->others = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < graph->outputs->len; i++)
    g_hash_table_add (readers->others, graph->outputs->pdata[i]);
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    for (guint i = 0; i < node->inputs->len; i++) {
      ForgeValue *in = node->inputs->pdata[i];
      gpointer count = g_hash_table_lookup (readers->counts, in);
      g_hash_table_insert (
          readers->counts, in, GUINT_TO_POINTER (GPOINTER_TO_UINT (count) + 1));
      if (i > 1 || !forge_node_is_product (node))
        g_hash_table_add (readers->others, in);
    }
  }
}

/* Axis of the scales: -1 for one scale. FALSE where the operator is to say
 * what is wrong, or knows more than we do here. */
static gboolean
find_scale_axis (const ForgeNode *node, int *axis)
{
  const ForgeValue *in = forge_node_in (node, 0);
  const ForgeValue *scale = forge_node_in (node, 1);
  int64_t n_scales = forge_shape_count (&scale->shape);
  int64_t given = forge_attrs_int (node->attrs, "axis", 1);
  *axis = -1;
  if (scale->shape.rank > 1 ||
      forge_attrs_int (node->attrs, "block_size", 0) != 0)
    return FALSE;
  if (n_scales == 1)
    return TRUE;
  given += given < 0 ? in->shape.rank : 0;
  if (given < 0 || given >= in->shape.rank || in->shape.dims[given] != n_scales)
    return FALSE;
  *axis = (int) given;
  return TRUE;
}

/* Symmetric, by scales that the numbers can be got back from. */
static gboolean
has_plain_scales (const ForgeNode *node)
{
  const ForgeTensor *scale = forge_node_in (node, 1)->constant;
  const ForgeValue *zero = forge_node_in (node, 2);
  int64_t n_scales = forge_tensor_get_count (scale);
  if (zero && (!is_initializer (zero, FORGE_INT8) || zero->shape.rank > 1 ||
                  forge_shape_count (&zero->shape) != n_scales))
    return FALSE;
  for (int64_t i = 0; i < n_scales; i++) {
    float factor = ((const float *) scale->data)[i];
    if (!(isfinite (factor) && factor > 0) ||
        (zero && ((const int8_t *) zero->constant->data)[i] != 0))
      return FALSE;
  }
  return TRUE;
}

/* A DequantizeLinear that gives nothing but filters or matrices. Of one that
 * shares its bytes with another the file would grow. */
static gboolean
is_unpacking (const ForgeNode *node, const Readers *readers)
{
  ForgeValue *in = forge_node_in (node, 0), *out = forge_node_out (node, 0);
  int64_t to = forge_attrs_int (node->attrs, "output_dtype", 0);
  gpointer n_readers = g_hash_table_lookup (readers->counts, in);
  return forge_node_is (node, "DequantizeLinear") &&
         is_initializer (in, FORGE_INT8) &&
         is_initializer (forge_node_in (node, 1), FORGE_FLOAT32) &&
         forge_shape_count (&in->shape) > 0 &&
         GPOINTER_TO_UINT (n_readers) == 1 &&
         !g_hash_table_contains (readers->others, out) &&
         (to == 0 || to == FORGE_FLOAT32);
}

static ForgeTensor *
widen (const ForgeTensor *bytes, const float *scales, int axis, GError **error)
{
  ForgeTensor *wide = forge_tensor_new (FORGE_FLOAT32, &bytes->shape, error);
  const Split split = split_at (&bytes->shape, axis);
  const int8_t *in = bytes->data;
  for (int64_t n = 0; wide && n < split.outer; n++)
    for (int64_t c = 0; c < split.channels; c++) {
      int64_t first = find_part (&split, n, c);
      for (int64_t i = first; i < first + split.inner; i++)
        ((float *) wide->data)[i] = in[i] * scales[c];
    }
  return wide;
}

static gboolean
take_node (
    ForgeNode *node, const Readers *readers, GHashTable *taken, GError **error)
{
  int axis;
  if (!is_unpacking (node, readers) || !find_scale_axis (node, &axis) ||
      !has_plain_scales (node))
    return TRUE;
  ForgeTensor *scale = forge_node_in (node, 1)->constant;
  g_autoptr (ForgeTensor) wide =
      widen (forge_node_in (node, 0)->constant, scale->data, axis, error);
  if (!wide)
    return FALSE;
  ForgeValue *out = forge_node_out (node, 0);
  forge_value_set_constant (out, wide);
  forge_value_set_stored (out, FORGE_INT8, scale, axis);
  g_hash_table_add (taken, node);
  return TRUE;
}

gboolean
forge_graph_take_int8 (ForgeGraph *graph, GHashTable *taken, GError **error)
{
  if (forge_graph_is_quantised (graph))
    return TRUE;
  Readers readers;
  count_readers (graph, &readers);
  gboolean ok = TRUE;
  for (guint n = 0; ok && n < graph->nodes->len; n++)
    ok = take_node (graph->nodes->pdata[n], &readers, taken, error);
  g_hash_table_unref (readers.counts);
  g_hash_table_unref (readers.others);
  return ok;
}
