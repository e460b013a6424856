/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Normalisation of groups of neighbouring elements by their own mean and
 * variance: y = (x - mean) / sqrt (var + epsilon) scale + bias.
 *   LayerNormalization: a group is everything from an axis on, scale and bias
 *     have one element per element of the group.
 *   InstanceNormalization: a group is one channel of one image.
 *   GroupNormalization: num_groups groups of channels; scale and bias are per
 *     group in opset 18, per channel since 21.
 * Sums are taken in float64; a layer norm has a kernel of its own.
 * Source: ONNX operator specification; J. Ba and others, Layer Normalization,
 * 2016; Y. Wu and K. He, Group Normalization, 2018. */
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "ops/op-util.h"

/* Element i of group g meets scale[(i / repeat + g * shift) % n_scale]. */
typedef struct {
  int64_t n_groups, group; /* elements in a group */
  int64_t repeat, shift, n_scale;
  gboolean by_element; /* scale and bias have one for each of the group */
  float epsilon;
  const float *x, *scale, *bias; /* bias may be NULL */
  float *y, *mean, *inverse;     /* of each group; may be NULL */
} Norm;

static gboolean
is_type (const ForgeNode *node, const char *type)
{
  return strcmp (node->op->type, type) == 0;
}

/* @count elements are expected in scale and bias; -1 = any number. */
static gboolean
check_scales (const ForgeNode *node, int64_t count, GError **error)
{
  for (guint i = 1; i < 3; i++) {
    const ForgeValue *in = forge_node_in (node, i);
    int64_t found = in ? forge_shape_count (&in->shape) : -1;
    if (!in && i == 2)
      continue;
    if (!forge_op_need_float (node, i, error))
      return FALSE;
    if (count >= 0 && found >= 0 && found != count)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input %u ('%s') has %" G_GINT64_FORMAT
          " elements; expected %" G_GINT64_FORMAT,
          i, in->name, found, count);
  }
  return TRUE;
}

static int64_t
known_count (const ForgeShape *shape, int from)
{
  ForgeShape rest = { .rank = shape->rank - from };
  memcpy (
      rest.dims, shape->dims + from, (size_t) rest.rank * sizeof *rest.dims);
  return forge_shape_count (&rest);
}

/* Mean and 1 / sqrt (var + epsilon), optional outputs of a layer norm. */
static gboolean
infer_layer (ForgeNode *node, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  ForgeShape kept = *in;
  int axis;
  if (!forge_op_need_float (node, 0, error) ||
      !forge_op_axis (node, forge_attrs_int (node->attrs, "axis", -1), in->rank,
          &axis, error) ||
      !check_scales (node, known_count (in, axis), error))
    return FALSE;
  for (int i = axis; i < kept.rank; i++)
    kept.dims[i] = 1;
  for (guint i = 1; i < node->outputs->len; i++)
    if (forge_node_out (node, i) &&
        !forge_op_set_out (node, i, FORGE_FLOAT32, &kept, error))
      return FALSE;
  return forge_op_set_out (node, 0, FORGE_FLOAT32, in, error);
}

static gboolean
infer_channels (ForgeNode *node, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  gboolean grouped = is_type (node, "GroupNormalization");
  int64_t n_groups = forge_attrs_int (node->attrs, "num_groups", 0);
  if (!forge_op_need_float (node, 0, error))
    return FALSE;
  if (in->rank < 2)
    return forge_op_need_rank (node, 0, 4, error);
  int64_t c = in->dims[1];
  if (grouped && (n_groups < 1 || (c >= 0 && c % n_groups != 0)))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "%" G_GINT64_FORMAT " channels cannot be cut into %" G_GINT64_FORMAT
        " groups",
        c, n_groups);
  return check_scales (
             node, grouped && node->opset < 21 ? n_groups : c, error) &&
         forge_op_set_out (node, 0, FORGE_FLOAT32, in, error);
}

static Norm
norm_of (const ForgeStep *step)
{
  const ForgeNode *node = step->node;
  const ForgeShape *in = &step->in[0]->shape;
  Norm norm = { .epsilon = forge_attrs_float (node->attrs, "epsilon", 1e-5f),
    .repeat = 1,
    .x = step->in[0]->data,
    .scale = step->in[1]->data,
    .bias = step->n_in > 2 && step->in[2] ? step->in[2]->data : NULL,
    .y = step->out[0]->data,
    .n_scale = forge_tensor_get_count (step->in[1]) };
  int axis = 2;
  if (is_type (node, "LayerNormalization")) {
    forge_op_axis (
        node, forge_attrs_int (node->attrs, "axis", -1), in->rank, &axis, NULL);
    norm.n_groups = forge_op_volume (in, 0, axis);
    norm.group = forge_op_volume (in, axis, in->rank);
    norm.by_element = TRUE;
    return norm;
  }
  int64_t area = forge_op_volume (in, 2, in->rank), c = in->dims[1];
  int64_t groups = is_type (node, "GroupNormalization")
                       ? forge_attrs_int (node->attrs, "num_groups", 1)
                       : c;
  norm.n_groups = in->dims[0] * groups;
  norm.group = c > 0 ? c / groups * area : 0;
  norm.repeat = norm.n_scale == c ? area : norm.group;
  norm.shift = norm.n_scale == c ? c / MAX (groups, 1) : 1;
  return norm;
}

static void
normalise_group (const Norm *norm, int64_t g)
{
  const float *x = norm->x + g * norm->group;
  float *y = norm->y + g * norm->group;
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < norm->group; i++)
    sum += x[i];
  double mean = sum / (double) norm->group;
  for (int64_t i = 0; i < norm->group; i++)
    squares += (x[i] - mean) * (x[i] - mean);
  double inverse =
      1 / sqrt (squares / (double) norm->group + (double) norm->epsilon);
  for (int64_t i = 0; i < norm->group;) {
    int64_t k = (i / norm->repeat + g * norm->shift) % norm->n_scale;
    int64_t end = norm->repeat > 1 ? i + norm->repeat : norm->group;
    const float *scale = norm->scale + k;
    const float *bias = norm->bias ? norm->bias + k : NULL;
    int64_t step = norm->repeat > 1 ? 0 : 1;
    for (int64_t j = 0; i < end; i++, j += step)
      y[i] =
          (float) ((x[i] - mean) * inverse) * scale[j] + (bias ? bias[j] : 0);
  }
  if (norm->mean)
    norm->mean[g] = (float) mean;
  if (norm->inverse)
    norm->inverse[g] = (float) inverse;
}

static void
normalise_row (const Norm *norm, int64_t g)
{
  float moments[2];
  forge_kernels ()->layernorm_f32 ((size_t) norm->group,
      norm->x + g * norm->group, norm->epsilon, norm->scale, norm->bias,
      norm->y + g * norm->group, moments);
  if (norm->mean)
    norm->mean[g] = moments[0];
  if (norm->inverse)
    norm->inverse[g] = moments[1];
}

static void
normalise_groups (void *data, size_t begin, size_t end)
{
  const Norm *norm = data;
  for (size_t g = begin; g < end; g++)
    if (norm->by_element)
      normalise_row (norm, (int64_t) g);
    else
      normalise_group (norm, (int64_t) g);
}

static void
run (const ForgeStep *step)
{
  Norm norm = norm_of (step);
  if (step->n_out > 1 && step->out[1])
    norm.mean = step->out[1]->data;
  if (step->n_out > 2 && step->out[2])
    norm.inverse = step->out[2]->data;
  if (norm.group > 0 && norm.n_scale > 0)
    forge_op_ranges (step->threads, (size_t) norm.n_groups,
        (size_t) (FORGE_OP_GRAIN / norm.group + 1), normalise_groups, &norm);
}

static int64_t
flops (const ForgeNode *node)
{
  return 7 * MAX (0, forge_shape_count (&forge_node_out (node, 0)->shape));
}

#define NORM_OP(name, least_inputs, most_outputs, infer_func) \
  const ForgeOp forge_op_##name = { .type = #name,            \
    .domain = "",                                             \
    .min_inputs = least_inputs,                               \
    .max_inputs = 3,                                          \
    .min_outputs = 1,                                         \
    .max_outputs = most_outputs,                              \
    .infer = infer_func,                                      \
    .run = run,                                               \
    .flops = flops,                                           \
    .in_place = TRUE }

NORM_OP (LayerNormalization, 2, 3, infer_layer);
NORM_OP (InstanceNormalization, 3, 1, infer_channels);
NORM_OP (GroupNormalization, 3, 1, infer_channels);
