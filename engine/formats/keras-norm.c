/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras normalisations, and LayerScale of ConvNeXt. Source:
 * keras.io/api/layers/normalization_layers. */
#include "formats/keras.h"

#include <math.h>

/* The layer's one axis in the user's order, written as a number or as a list
 * of one; -1 when it is neither or out of range. */
static int
read_axis (const KerasLayer *layer, int rank)
{
  JsonArray *list = forge_json_array (layer->config, "axis");
  if (list && json_array_get_length (list) != 1)
    return -1;
  gint64 axis = list ? forge_json_int_at (list, 0, -1)
                     : forge_json_int (layer->config, "axis", -1);
  if (axis < 0)
    axis += rank;
  return axis >= 0 && axis < rank ? (int) axis : -1;
}

static float
epsilon (const KerasLayer *layer)
{
  return (float) forge_json_double (layer->config, "epsilon", 1e-3);
}

static ForgeValue *
filled (KerasBuilder *builder, const ForgeShape *shape, float value)
{
  g_autoptr (ForgeTensor) tensor =
      forge_tensor_new (FORGE_FLOAT32, shape, NULL);
  for (int64_t i = 0; tensor && i < forge_tensor_get_count (tensor); i++)
    ((float *) tensor->data)[i] = value;
  return keras_constant (builder, tensor);
}

/* A weight of @shape where the layer has it (*index moves on), else all
 * @value. */
static gboolean
weight_or (KerasBuilder *builder, const KerasLayer *layer, const char *variable,
    gboolean present, const ForgeShape *shape, guint *index, float value,
    ForgeValue **out, GError **error)
{
  if (present) {
    const KerasWeight weight = { variable, (*index)++, *shape };
    *out = keras_weight (builder, layer, &weight, error);
    return *out != NULL;
  }
  *out = filled (builder, shape, value);
  return *out || keras_error (builder, layer, error, FORGE_ERROR_MEMORY,
                     "no room for its constants");
}

static gboolean
read_affine (KerasBuilder *builder, const KerasLayer *layer,
    const ForgeShape *shape, guint *index, ForgeValue *values[2],
    GError **error)
{
  JsonObject *config = layer->config;
  return weight_or (builder, layer, "gamma",
             forge_json_bool (config, "scale", TRUE), shape, index, 1,
             &values[0], error) &&
         weight_or (builder, layer, "beta",
             forge_json_bool (config, "center", TRUE), shape, index, 0,
             &values[1], error);
}

/* Moves @axis to place 1, or back from there. */
static gboolean
swap_axis (KerasBuilder *builder, const KerasLayer *layer, int axis,
    KerasTensor *tensor, GError **error)
{
  int64_t perm[FORGE_MAX_DIMS];
  int rank = tensor->value->shape.rank;
  if (axis == 1)
    return TRUE;
  for (int i = 0; i < rank; i++)
    perm[i] = i == 1 ? axis : i == axis ? 1 : i;
  tensor->value =
      keras_transpose (builder, layer, tensor->value, perm, rank, error);
  return tensor->value != NULL;
}

gboolean
keras_build_batch_norm (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  *out = inputs[0];
  int rank = out->value->shape.rank;
  int axis = read_axis (layer, rank);
  if (rank < 2 || axis < 1)
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "batch normalisation over several axes or none of the %d", rank);
  if (rank == 4 && axis == 3 && !keras_to_nchw (builder, layer, out, error))
    return FALSE;
  int at = keras_axis (out, axis);
  ForgeShape shape = { 1, { out->value->shape.dims[at] } };
  if (shape.dims[0] < 1)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "the number of channels is not known");
  guint index = 0;
  ForgeValue *values[5] = { NULL };
  if (!read_affine (builder, layer, &shape, &index, &values[1], error) ||
      !weight_or (builder, layer, "moving_mean", TRUE, &shape, &index, 0,
          &values[3], error) ||
      !weight_or (builder, layer, "moving_variance", TRUE, &shape, &index, 0,
          &values[4], error) ||
      !swap_axis (builder, layer, at, out, error))
    return FALSE;
  values[0] = out->value;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_float (attrs, "epsilon", epsilon (layer));
  out->value = keras_emit (
      builder, layer, "BatchNormalization", attrs, values, 5, error);
  return out->value && swap_axis (builder, layer, at, out, error);
}

/* The first of the axes normalised, when they are the last ones, all of known
 * extents; -1 else. */
static int
first_of_last (const KerasLayer *layer, const ForgeShape *shape)
{
  JsonArray *list = forge_json_array (layer->config, "axis");
  int n_axes = list ? (int) json_array_get_length (list) : 1;
  guint seen = 0;
  for (int i = 0; i < n_axes; i++) {
    gint64 axis = list ? forge_json_int_at (list, (guint) i, 99)
                       : forge_json_int (layer->config, "axis", -1);
    axis += axis < 0 ? shape->rank : 0;
    if (axis < 1 || axis >= shape->rank || shape->dims[axis] < 1)
      return -1;
    seen |= 1u << axis;
  }
  int first = shape->rank - n_axes;
  return first > 0 && seen == (1u << shape->rank) - (1u << first) ? first : -1;
}

gboolean
keras_build_layer_norm (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  *out = inputs[0];
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  int first = first_of_last (layer, &out->value->shape);
  if (first < 0 || forge_json_bool (layer->config, "rms_scaling", FALSE))
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "layer normalisation over other axes than the last ones, or by the "
        "root of the mean square");
  ForgeShape shape = { .rank = out->value->shape.rank - first };
  for (int i = 0; i < shape.rank; i++)
    shape.dims[i] = out->value->shape.dims[first + i];
  guint index = 0;
  ForgeValue *values[3] = { out->value };
  if (!read_affine (builder, layer, &shape, &index, &values[1], error))
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", -shape.rank);
  forge_attrs_set_float (attrs, "epsilon", epsilon (layer));
  out->value = keras_emit (
      builder, layer, "LayerNormalization", attrs, values, 3, error);
  return out->value != NULL;
}

/* [N, C, ...] as [N, groups, everything]: each group has mean 0 and variance
 * 1 then, by InstanceNormalization. */
static gboolean
normalise_groups (KerasBuilder *builder, const KerasLayer *layer,
    int64_t groups, KerasTensor *out, GError **error)
{
  ForgeShape shape = out->value->shape, each = { 1, { groups } };
  int64_t grouped[] = { 0, groups, -1 }, back[FORGE_MAX_DIMS] = { 0, -1 };
  for (int i = 2; i < shape.rank; i++)
    back[i] = shape.dims[i];
  back[1] = shape.dims[1];
  ForgeValue *values[] = { keras_reshape (
                               builder, layer, out->value, grouped, 3, error),
    filled (builder, &each, 1), filled (builder, &each, 0) };
  if (!values[0])
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_float (attrs, "epsilon", epsilon (layer));
  out->value = keras_emit (
      builder, layer, "InstanceNormalization", attrs, values, 3, error);
  if (out->value)
    out->value =
        keras_reshape (builder, layer, out->value, back, shape.rank, error);
  return out->value != NULL;
}

gboolean
keras_build_group_norm (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  *out = inputs[0];
  int rank = out->value->shape.rank;
  int axis = read_axis (layer, rank);
  if (rank == 4 && axis == 3 && !keras_to_nchw (builder, layer, out, error))
    return FALSE;
  int at = axis >= 0 ? keras_axis (out, axis) : -1;
  int64_t channels = at >= 1 ? out->value->shape.dims[at] : -1;
  gint64 groups = forge_json_int (layer->config, "groups", 32);
  if (groups == -1)
    groups = channels;
  ForgeShape rest = { 0 };
  for (int i = 1; i < rank; i++)
    rest.dims[rest.rank++] = out->value->shape.dims[i];
  if (channels < 1 || groups < 1 || channels % groups != 0 ||
      forge_shape_count (&rest) < 1)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "%d channels in %d groups, or extents that are not known",
        (int) channels, (int) groups);
  /* [C, 1, ...] goes along axis 1 */
  ForgeShape shape = { 1, { channels } };
  KerasWeight gamma = { "gamma", 0, shape, NULL, { rank - 1, { channels } } };
  for (int i = 1; i < rank - 1; i++)
    gamma.view.dims[i] = 1;
  KerasWeight beta = gamma;
  gboolean scales = forge_json_bool (layer->config, "scale", TRUE);
  beta.variable = "beta";
  beta.index = scales;
  if (!swap_axis (builder, layer, at, out, error) ||
      !normalise_groups (builder, layer, groups, out, error))
    return FALSE;
  if (scales) {
    ForgeValue *value = keras_weight (builder, layer, &gamma, error);
    out->value =
        value ? keras_emit2 (builder, layer, "Mul", out->value, value, error)
              : NULL;
  }
  if (out->value && forge_json_bool (layer->config, "center", TRUE)) {
    ForgeValue *value = keras_weight (builder, layer, &beta, error);
    out->value =
        value ? keras_emit2 (builder, layer, "Add", out->value, value, error)
              : NULL;
  }
  return out->value && swap_axis (builder, layer, at, out, error);
}

/* x / sqrt (max (sum x^2, 1e-12)) over @axes. */
ForgeValue *
keras_unit_length (KerasBuilder *builder, const KerasLayer *layer,
    ForgeValue *x, const int64_t *axes, guint n_axes, GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "axes", axes, n_axes);
  ForgeValue *y =
      keras_emit1 (builder, layer, "ReduceSumSquare", attrs, x, error);
  if (y)
    y = keras_emit2 (
        builder, layer, "Max", y, keras_scalar (builder, 1e-12f), error);
  if (y)
    y = keras_emit1 (builder, layer, "Sqrt", NULL, y, error);
  return y ? keras_emit2 (builder, layer, "Div", x, y, error) : NULL;
}

gboolean
keras_build_unit_norm (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  int64_t axes[FORGE_MAX_DIMS];
  JsonArray *list = forge_json_array (layer->config, "axis");
  guint n_axes = list ? json_array_get_length (list) : 1;
  *out = inputs[0];
  for (guint i = 0; i < MIN (n_axes, FORGE_MAX_DIMS); i++) {
    axes[i] =
        keras_axis (out, list ? forge_json_int_at (list, i, 99)
                              : forge_json_int (layer->config, "axis", -1));
    if (axes[i] < 0)
      n_axes = G_MAXUINT;
  }
  if (n_axes < 1 || n_axes > FORGE_MAX_DIMS)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "an axis that the input does not have");
  out->value =
      keras_unit_length (builder, layer, out->value, axes, n_axes, error);
  return out->value != NULL;
}

/* ConvNeXt's: gamma * x. */
gboolean
keras_build_layer_scale (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  *out = inputs[0];
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  const ForgeShape *shape = &out->value->shape;
  const KerasWeight gamma = { "gamma", 0,
    { 1, { shape->rank > 0 ? shape->dims[shape->rank - 1] : -1 } } };
  ForgeValue *value = keras_weight (builder, layer, &gamma, error);
  out->value =
      value ? keras_emit2 (builder, layer, "Mul", out->value, value, error)
            : NULL;
  return out->value != NULL;
}
