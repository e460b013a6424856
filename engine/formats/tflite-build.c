/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Values, constants and nodes for the TensorFlow Lite reader. Activations stay
 * in the file's order, NHWC; what needs NCHW has a Transpose before and one
 * after, which the layout pass takes out again. Every node is inferred at
 * once, so that later ones know their shapes. */
#include <string.h>

#include "formats/tflite.h"
#include "graph/evaluate.h"

gboolean
tflite_fail (const TfliteBuilder *builder, const TfliteNode *node,
    GError **error, int code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, FORGE_ERROR, code, "%s: operator %u (%s): %s",
      builder->name, node->index, node->name ? node->name : "?", text);
  return FALSE;
}

TfliteTensor *
tflite_in (const TfliteBuilder *builder, const TfliteNode *node, guint index)
{
  int32_t tensor =
      index < node->inputs.count ? tflite_vector_i32 (node->inputs, index) : -1;
  return tensor < 0 ? NULL : &builder->tensors[tensor];
}

TfliteTensor *
tflite_out (const TfliteBuilder *builder, const TfliteNode *node)
{
  return &builder->tensors[tflite_vector_i32 (node->outputs, 0)];
}

TfliteTensor *
tflite_out_at (
    const TfliteBuilder *builder, const TfliteNode *node, guint index)
{
  return &builder->tensors[tflite_vector_i32 (node->outputs, index)];
}

gboolean
tflite_is_bytes (const TfliteTensor *tensor)
{
  return tensor &&
         (tensor->dtype == FORGE_UINT8 || tensor->dtype == FORGE_INT8) &&
         !tensor->is_widened;
}

float
tflite_scale (const TfliteTensor *tensor)
{
  return tflite_vector_f32 (tensor->scales, 0);
}

int32_t
tflite_zero (const TfliteTensor *tensor)
{
  return (int32_t) CLAMP (
      tflite_vector_i64 (tensor->zeros, 0), INT16_MIN, INT16_MAX);
}

/* Checks that the bytes of a constant are all there, and counts them. */
static ForgeTensor *
new_constant (TfliteBuilder *builder, const TfliteNode *node,
    const TfliteTensor *tensor, ForgeDtype dtype, GError **error)
{
  size_t stored = 0, wanted = 0;
  const char *name = tensor->name ? tensor->name : "";
  if (tensor->dtype == FORGE_DTYPE_UNKNOWN ||
      !forge_shape_size_bytes (&tensor->shape, tensor->dtype, &stored) ||
      stored != tensor->data.count) {
    tflite_fail (builder, node, error,
        tensor->data.count ? FORGE_ERROR_FORMAT : FORGE_ERROR_UNSUPPORTED,
        tensor->data.count
            ? "constant '%s' has %u bytes; expected %zu"
            : "'%s' is no constant; only constants are supported here "
              "(%u bytes, expected %zu)",
        name, tensor->data.count, stored);
    return NULL;
  }
  if (!forge_shape_size_bytes (&tensor->shape, dtype, &wanted) ||
      wanted > builder->max_constant_bytes - builder->constant_bytes) {
    tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
        "the constants are many times larger than the file");
    return NULL;
  }
  builder->constant_bytes += wanted;
  return forge_tensor_new (dtype, &tensor->shape, error);
}

ForgeTensor *
tflite_constant (TfliteBuilder *builder, const TfliteNode *node,
    const TfliteTensor *tensor, GError **error)
{
  ForgeTensor *made =
      new_constant (builder, node, tensor, tensor->dtype, error);
  if (made && made->size_bytes > 0)
    memcpy (made->data, tensor->data.bytes->data + tensor->data.pos,
        made->size_bytes);
  return made;
}

/* q to (q - zero) * scale, per tensor or along an axis. */
static void
dequantise (const TfliteTensor *tensor, const void *bytes, float *out)
{
  int64_t count = forge_shape_count (&tensor->shape);
  int axis = CLAMP (tensor->axis, 0, MAX (tensor->shape.rank - 1, 0));
  int64_t inner = 1, extent = tensor->shape.rank ? tensor->shape.dims[axis] : 1;
  for (int i = axis + 1; i < tensor->shape.rank; i++)
    inner *= tensor->shape.dims[i];
  gboolean each = tensor->scales.count > 1;
  for (int64_t i = 0; i < count; i++) {
    uint32_t channel = each ? (uint32_t) (i / inner % extent) : 0;
    int64_t zero = tflite_vector_i64 (tensor->zeros, channel);
    int32_t q = tensor->dtype == FORGE_UINT8 ? ((const uint8_t *) bytes)[i]
                                             : ((const int8_t *) bytes)[i];
    out[i] = (float) (q - (int32_t) CLAMP (zero, INT16_MIN, INT16_MAX)) *
             tflite_vector_f32 (tensor->scales, channel);
  }
}

ForgeTensor *
tflite_float_constant (TfliteBuilder *builder, const TfliteNode *node,
    const TfliteTensor *tensor, GError **error)
{
  if (tensor->dtype == FORGE_FLOAT32)
    return tflite_constant (builder, node, tensor, error);
  if (tensor->dtype != FORGE_FLOAT16 && tensor->dtype != FORGE_INT8 &&
      tensor->dtype != FORGE_UINT8) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "constant '%s' is %s; expected float32, float16 or bytes",
        tensor->name ? tensor->name : "", forge_dtype_name (tensor->dtype));
    return NULL;
  }
  ForgeTensor *made =
      new_constant (builder, node, tensor, FORGE_FLOAT32, error);
  if (!made)
    return NULL;
  const uint8_t *from = tensor->data.bytes->data + tensor->data.pos;
  float *to = made->data;
  if (tensor->dtype == FORGE_FLOAT16)
    for (uint32_t i = 0; i < tensor->data.count / 2; i++)
      to[i] =
          forge_half_to_float ((uint16_t) (from[2 * i] | from[2 * i + 1] << 8));
  else
    dequantise (tensor, from, to);
  return made;
}

/* One element of a list that the file holds or that has been computed. */
static int64_t
list_element (const TfliteTensor *tensor, ForgeDtype dtype, uint32_t index)
{
  const ForgeTensor *made = tensor->value ? tensor->value->constant : NULL;
  TfliteVector list = { tensor->data.bytes, tensor->data.pos, UINT32_MAX };
  if (made)
    return dtype == FORGE_INT64 ? ((const int64_t *) made->data)[index]
                                : ((const int32_t *) made->data)[index];
  return dtype == FORGE_INT64 ? tflite_vector_i64 (list, index)
                              : tflite_vector_i32 (list, index);
}

gboolean
tflite_int_constant (const TfliteBuilder *builder, const TfliteNode *node,
    const TfliteTensor *tensor, int64_t values[FORGE_MAX_DIMS * 2],
    int *n_values, GError **error)
{
  const ForgeTensor *made =
      tensor && tensor->value ? tensor->value->constant : NULL;
  ForgeDtype dtype = made     ? made->dtype
                     : tensor ? tensor->dtype
                              : FORGE_DTYPE_UNKNOWN;
  int64_t count = 0;
  if (made)
    count = forge_tensor_get_count (made);
  else if (tensor)
    count = tensor->data.count / (dtype == FORGE_INT64 ? 8 : 4);
  if (count < 1 || count > FORGE_MAX_DIMS * 2 ||
      (dtype != FORGE_INT32 && dtype != FORGE_INT64))
    return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "expected a constant list of at most %d integers", FORGE_MAX_DIMS * 2);
  for (uint32_t i = 0; i < (uint32_t) count; i++)
    values[i] = list_element (tensor, dtype, i);
  *n_values = (int) count;
  return TRUE;
}

ForgeValue *
tflite_add_constant (TfliteBuilder *builder, ForgeTensor *tensor)
{
  return forge_graph_add_constant (builder->graph, NULL, tensor);
}

ForgeValue *
tflite_scalar (TfliteBuilder *builder, float value)
{
  ForgeShape shape = forge_shape (0);
  g_autoptr (ForgeTensor) tensor =
      forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  *(float *) tensor->data = value;
  return tflite_add_constant (builder, tensor);
}

ForgeValue *
tflite_ints (TfliteBuilder *builder, const int64_t *values, guint n_values)
{
  ForgeShape shape = forge_shape (1, (int) n_values);
  g_autoptr (ForgeTensor) tensor = forge_tensor_new (FORGE_INT64, &shape, NULL);
  memcpy (tensor->data, values, n_values * sizeof *values);
  return tflite_add_constant (builder, tensor);
}

ForgeValue *
tflite_emit (TfliteBuilder *builder, const TfliteNode *node, const char *type,
    const char *domain, ForgeAttrs *attrs, ForgeValue *const *inputs,
    guint n_inputs, GError **error)
{
  ForgeValue *out = forge_graph_value (builder->graph, NULL);
  const ForgeOp *op = forge_op_find (type, domain);
  g_autofree char *name = g_strdup_printf (
      "%s_%u", node->name ? node->name : "operator", node->index);
  if (!op) {
    forge_attrs_free (attrs);
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "needs operator %s, which this version does not have", type);
    return NULL;
  }
  ForgeNode *made = forge_graph_add_node (
      builder->graph, op, name, attrs, inputs, n_inputs, &out, 1);
  made->opset = builder->graph->opset;
  made->nhwc = strcmp (domain, "forge") == 0;
  g_autoptr (GError) cause = NULL;
  if (op->infer (made, &cause) &&
      (!forge_node_is_extents (made) || forge_node_evaluate (made, &cause)))
    return out;
  tflite_fail (builder, node, error, cause->code, "%s", cause->message);
  return NULL;
}

ForgeValue *
tflite_value (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *tensor, GError **error)
{
  if (!tensor) {
    tflite_fail (
        builder, node, error, FORGE_ERROR_FORMAT, "an input is missing");
    return NULL;
  }
  if (!tensor->value && tensor->data.count > 0) {
    g_autoptr (ForgeTensor) made =
        tensor->is_widened || tensor->dtype == FORGE_FLOAT16
            ? tflite_float_constant (builder, node, tensor, error)
            : tflite_constant (builder, node, tensor, error);
    if (!made)
      return NULL;
    tensor->value = tflite_add_constant (builder, made);
  }
  if (!tensor->value)
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "tensor '%s' has no value yet", tensor->name ? tensor->name : "");
  return tensor->value;
}

/* SAME: as many pixels as strides fit, what is missing put in evenly, the odd
 * one behind. Said in numbers where the extents are known: not every runtime
 * takes auto_pad together with dilations. */
static gboolean
same_pads (const TfliteTensor *in, const int64_t kernel[2],
    const int64_t strides[2], const int64_t dilations[2], int64_t pads[4])
{
  const ForgeShape *shape = in && in->value ? &in->value->shape : NULL;
  for (int i = 0; i < 2; i++) {
    int64_t extent = shape && shape->rank == 4 ? shape->dims[1 + i] : -1;
    if (extent < 1 || extent > INT32_MAX || strides[i] < 1 || kernel[i] < 1 ||
        kernel[i] > INT16_MAX || dilations[i] < 1)
      return FALSE;
    int64_t steps = (extent - 1) / strides[i];
    int64_t total =
        steps * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - extent;
    pads[i] = MAX (total, 0) / 2;
    pads[2 + i] = MAX (total, 0) - pads[i];
  }
  return TRUE;
}

ForgeAttrs *
tflite_window (const TfliteBuilder *builder, const TfliteNode *node,
    gboolean depthwise, gboolean pool, int64_t kh, int64_t kw)
{
  int dilation = depthwise ? 5 : 4;
  int64_t kernel[] = { kh, kw }, dilations[] = { 1, 1 }, pads[4];
  int64_t strides[] = { tflite_i32 (node->options, 2, 0),
    tflite_i32 (node->options, 1, 0) };
  gboolean same = tflite_u8 (node->options, 0, 0) == 0;
  ForgeAttrs *attrs = forge_attrs_new ();
  if (!pool) {
    dilations[0] = tflite_i32 (node->options, dilation + 1, 1);
    dilations[1] = tflite_i32 (node->options, dilation, 1);
    forge_attrs_set_ints (attrs, "dilations", dilations, 2);
  }
  forge_attrs_set_ints (attrs, "strides", strides, 2);
  forge_attrs_set_ints (attrs, "kernel_shape", kernel, 2);
  if (same && same_pads (tflite_in (builder, node, 0), kernel, strides,
                  dilations, pads))
    forge_attrs_set_ints (attrs, "pads", pads, 4);
  else
    forge_attrs_set_string (attrs, "auto_pad", same ? "SAME_UPPER" : "VALID");
  return attrs;
}

ForgeTensor *
tflite_permute (const ForgeTensor *in, const int perm[4], GError **error)
{
  ForgeShape shape = { .rank = 4 };
  int64_t strides[FORGE_MAX_DIMS];
  size_t size = forge_dtype_size_bytes (in->dtype);
  forge_shape_strides (&in->shape, strides);
  for (int i = 0; i < 4; i++)
    shape.dims[i] = in->shape.dims[perm[i]];
  ForgeTensor *out = forge_tensor_new (in->dtype, &shape, error);
  if (!out)
    return NULL;
  char *to = out->data;
  for (int64_t a = 0; a < shape.dims[0]; a++)
    for (int64_t b = 0; b < shape.dims[1]; b++)
      for (int64_t c = 0; c < shape.dims[2]; c++)
        for (int64_t d = 0; d < shape.dims[3]; d++, to += size)
          memcpy (to,
              (const char *) in->data +
                  (size_t) (a * strides[perm[0]] + b * strides[perm[1]] +
                            c * strides[perm[2]] + d * strides[perm[3]]) *
                      size,
              size);
  return out;
}
