/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Checks and element access of the integer operators.
 * Source: ONNX operator specification, QuantizeLinear-19. */
#include "ops/quant-util.h"

void
forge_quant_range (ForgeDtype dtype, int32_t *min, int32_t *max)
{
  switch (dtype) {
  case FORGE_UINT8:
    *min = 0, *max = UINT8_MAX;
    return;
  case FORGE_INT8:
    *min = INT8_MIN, *max = INT8_MAX;
    return;
  case FORGE_UINT16:
    *min = 0, *max = UINT16_MAX;
    return;
  case FORGE_INT16:
    *min = INT16_MIN, *max = INT16_MAX;
    return;
  default:
    *min = INT32_MIN, *max = INT32_MAX;
  }
}

gboolean
forge_quant_is_byte (ForgeDtype dtype)
{
  return dtype == FORGE_UINT8 || dtype == FORGE_INT8;
}

gboolean
forge_quant_need_byte (const ForgeNode *node, guint index, GError **error)
{
  const ForgeValue *in = forge_node_in (node, index);
  if (!in)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "input %u is missing", index);
  if (!forge_quant_is_byte (in->dtype))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input %u ('%s') is %s; expected uint8 or int8", index, in->name,
        forge_dtype_name (in->dtype));
  return TRUE;
}

static gboolean
check_one (const ForgeNode *node, guint index, ForgeDtype dtype,
    int64_t n_channels, GError **error)
{
  const ForgeValue *in = forge_node_in (node, index);
  if (in->dtype != dtype)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input %u ('%s') is %s; expected %s", index, in->name,
        forge_dtype_name (in->dtype), forge_dtype_name (dtype));
  int64_t count = forge_shape_count (&in->shape);
  if (count == 1 || (n_channels >= 0 && count == n_channels && count > 0))
    return TRUE;
  g_autofree char *text = forge_shape_to_string (&in->shape);
  return forge_node_error (node, error, FORGE_ERROR_SHAPE,
      "input %u ('%s') has shape %s; expected one element%s%" G_GINT64_FORMAT,
      index, in->name, text, n_channels >= 0 ? " or one a channel, " : ", not ",
      n_channels >= 0 ? n_channels : count);
}

gboolean
forge_quant_check (const ForgeNode *node, guint scale, guint zero,
    ForgeDtype dtype, int64_t n_channels, GError **error)
{
  if (!forge_node_in (node, scale))
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "input %u, a scale, is missing", scale);
  return check_one (node, scale, FORGE_FLOAT32, n_channels, error) &&
         (!forge_node_in (node, zero) ||
             check_one (node, zero, dtype, n_channels, error));
}

float
forge_quant_scale (const ForgeTensor *scale, int64_t channel)
{
  int64_t count = forge_shape_count (&scale->shape);
  return ((const float *) scale->data)[count == 1 ? 0 : channel];
}

int32_t
forge_quant_zero (const ForgeTensor *zero, int64_t channel)
{
  if (!zero)
    return 0;
  int64_t count = forge_shape_count (&zero->shape);
  return forge_quant_load (zero->dtype, zero->data, count == 1 ? 0 : channel);
}

const ForgeTensor *
forge_step_in (const ForgeStep *step, guint index)
{
  return index < step->n_in ? step->in[index] : NULL;
}

void
forge_quant_widen (ForgeDtype dtype, const void *src, int64_t src_step,
    int64_t n, int32_t zero, int16_t *dst)
{
  const uint8_t *u = src;
  const int8_t *s = src;
  if (dtype == FORGE_UINT8 && src_step == 1)
    for (int64_t i = 0; i < n; i++)
      dst[i] = (int16_t) (u[i] - zero);
  else if (dtype == FORGE_UINT8)
    for (int64_t i = 0; i < n; i++)
      dst[i] = (int16_t) (u[i * src_step] - zero);
  else if (src_step == 1)
    for (int64_t i = 0; i < n; i++)
      dst[i] = (int16_t) (s[i] - zero);
  else
    for (int64_t i = 0; i < n; i++)
      dst[i] = (int16_t) (s[i * src_step] - zero);
}
