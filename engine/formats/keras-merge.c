/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras layers that join several tensors. Source:
 * keras.io/api/layers/merging_layers. */
#include "formats/keras.h"

/* All inputs in one layout: images as ONNX has them when all are images in the
 * same order, else as Keras has. */
static gboolean
unify (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *inputs,
    guint n_inputs, gboolean *nchw, GError **error)
{
  *nchw = FALSE;
  for (guint i = 0; i < n_inputs; i++)
    *nchw = *nchw || inputs[i].nchw;
  for (guint i = 0; i < n_inputs; i++)
    *nchw = *nchw && inputs[i].value->shape.rank == 4;
  for (guint i = 0; i < n_inputs; i++)
    if (!(*nchw ? keras_to_nchw (builder, layer, &inputs[i], error)
                : keras_to_nhwc (builder, layer, &inputs[i], error)))
      return FALSE;
  return TRUE;
}

/* Keras gives tensors of lower rank ones behind the batch. */
static gboolean
raise_rank (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *inputs,
    guint n_inputs, GError **error)
{
  int rank = 0;
  for (guint i = 0; i < n_inputs; i++)
    rank = MAX (rank, inputs[i].value->shape.rank);
  for (guint i = 0; i < n_inputs; i++) {
    int64_t axes[FORGE_MAX_DIMS];
    int n_new = rank - inputs[i].value->shape.rank;
    for (int k = 0; k < n_new; k++)
      axes[k] = k + 1;
    if (n_new > 0)
      inputs[i].value = keras_emit2 (builder, layer, "Unsqueeze",
          inputs[i].value, keras_int64s (builder, axes, (guint) n_new), error);
    if (!inputs[i].value)
      return FALSE;
  }
  return TRUE;
}

static const struct {
  const char *class_name, *type;
} merges[] = {
  { "Add", "Add" },
  { "Average", "Add" },
  { "Subtract", "Sub" },
  { "Multiply", "Mul" },
  { "Maximum", "Max" },
  { "Minimum", "Min" },
};

gboolean
keras_build_merge (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  const char *type = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (merges); i++)
    if (g_str_equal (layer->class_name, merges[i].class_name))
      type = merges[i].type;
  gboolean nchw;
  if (n_inputs < 2 || (n_inputs > 2 && g_str_equal (type, "Sub")))
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected two inputs%s, found %u",
        g_str_equal (type, "Sub") ? "" : " or more", n_inputs);
  if (!unify (builder, layer, inputs, n_inputs, &nchw, error) ||
      !raise_rank (builder, layer, inputs, n_inputs, error))
    return FALSE;
  *out = (KerasTensor) { .value = inputs[0].value, .nchw = nchw };
  for (guint i = 1; i < n_inputs && out->value; i++)
    out->value =
        keras_emit2 (builder, layer, type, out->value, inputs[i].value, error);
  if (out->value && g_str_equal (layer->class_name, "Average"))
    out->value = keras_emit2 (builder, layer, "Mul", out->value,
        keras_scalar (builder, 1.0f / (float) n_inputs), error);
  return out->value != NULL;
}

gboolean
keras_build_concatenate (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  gboolean nchw;
  if (!unify (builder, layer, inputs, n_inputs, &nchw, error))
    return FALSE;
  *out = (KerasTensor) { .value = inputs[0].value, .nchw = nchw };
  int axis = keras_axis (out, forge_json_int (layer->config, "axis", -1));
  if (axis < 1)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "its axis is not one of the %d of the input, or the batch's",
        out->value->shape.rank);
  ForgeValue *values[KERAS_MAX_INPUTS];
  for (guint i = 0; i < n_inputs; i++)
    values[i] = inputs[i].value;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", axis);
  out->value =
      keras_emit (builder, layer, "Concat", attrs, values, n_inputs, error);
  return out->value != NULL;
}

/* InceptionResNet's: x + scale * y. */
gboolean
keras_build_custom_scale (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  gboolean nchw;
  float scale = (float) forge_json_double (layer->config, "scale", 1);
  if (n_inputs != 2)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected two inputs, found %u", n_inputs);
  if (!unify (builder, layer, inputs, n_inputs, &nchw, error))
    return FALSE;
  ForgeValue *scaled = keras_emit2 (builder, layer, "Mul", inputs[1].value,
      keras_scalar (builder, scale), error);
  *out = (KerasTensor) { .nchw = nchw };
  if (scaled)
    out->value =
        keras_emit2 (builder, layer, "Add", inputs[0].value, scaled, error);
  return out->value != NULL;
}

/* --- Dot ------------------------------------------------------------------ */

/* x as [N, rest, K] (@last) or [N, K, rest], K the extent of @axis. The other
 * extents are appended to @dims. */
static ForgeValue *
matrices (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    int axis, gboolean last, int64_t *dims, int *rank, GError **error)
{
  int64_t perm[FORGE_MAX_DIMS] = { 0 };
  int n = 1;
  int64_t extent = x->shape.dims[axis], rest = 1;
  if (!last)
    perm[n++] = axis;
  for (int i = 1; i < x->shape.rank; i++)
    if (i != axis) {
      perm[n++] = i;
      rest *= x->shape.dims[i];
      dims[(*rank)++] = x->shape.dims[i];
    }
  if (last)
    perm[n++] = axis;
  const int64_t shape[] = { 0, last ? rest : extent, last ? extent : rest };
  ForgeValue *y = keras_transpose (builder, layer, x, perm, n, error);
  return y ? keras_reshape (builder, layer, y, shape, 3, error) : NULL;
}

/* All extents but the batch's are known, and their product is no nonsense. */
static gboolean
is_known (const ForgeShape *shape)
{
  ForgeShape rest = { 0 };
  for (int i = 1; i < shape->rank; i++)
    rest.dims[rest.rank++] = shape->dims[i];
  int64_t count = forge_shape_count (&rest);
  return shape->rank >= 2 && count > 0 && count <= G_MAXINT32;
}

gboolean
keras_build_dot (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  JsonArray *list = forge_json_array (layer->config, "axes");
  ForgeValue *x[2];
  int64_t axes[2], dims[2 * FORGE_MAX_DIMS] = { 0 };
  int rank = 1;
  if (n_inputs != 2)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected two inputs, found %u", n_inputs);
  for (guint i = 0; i < 2; i++) {
    if (!keras_to_nhwc (builder, layer, &inputs[i], error))
      return FALSE;
    x[i] = inputs[i].value;
    axes[i] = keras_axis (
        &inputs[i], list ? forge_json_int_at (list, i, 99)
                         : forge_json_int (layer->config, "axes", 99));
  }
  if (axes[0] < 1 || axes[1] < 1 || !is_known (&x[0]->shape) ||
      !is_known (&x[1]->shape) ||
      x[0]->shape.dims[axes[0]] != x[1]->shape.dims[axes[1]] ||
      x[0]->shape.rank + x[1]->shape.rank - 2 > FORGE_MAX_DIMS)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "expected axes of the same extent in both inputs");
  for (int i = 0; i < 2; i++) {
    if (forge_json_bool (layer->config, "normalize", FALSE))
      x[i] = keras_unit_length (builder, layer, x[i], &axes[i], 1, error);
    if (x[i])
      x[i] = matrices (
          builder, layer, x[i], (int) axes[i], i == 0, dims, &rank, error);
    if (!x[i])
      return FALSE;
  }
  if (rank == 1) /* vectors: [N, 1] */
    dims[rank++] = 1;
  ForgeValue *y = keras_emit2 (builder, layer, "MatMul", x[0], x[1], error);
  *out = (KerasTensor) {
    .value = y ? keras_reshape (builder, layer, y, dims, rank, error) : NULL
  };
  return out->value != NULL;
}
