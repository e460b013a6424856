/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of TensorFlow Lite's operators, made from tflite-ops.def, and the
 * two builders that any of them may have: none, and float32 in between. */
#include "formats/tflite.h"

static const TfliteOperator operators[] = {
#define OP(code, name, on_floats, on_bytes, file) \
  { code, #name, tflite_build_##on_floats, tflite_build_##on_bytes },
#include "formats/tflite-ops.def"
#undef OP
};

const TfliteOperator *
tflite_find_operator (int code)
{
  for (gsize i = 0; i < G_N_ELEMENTS (operators); i++)
    if (operators[i].code == code)
      return &operators[i];
  return NULL;
}

gboolean
tflite_is_supported (const TfliteOperator *op)
{
  return op && (op->on_floats != tflite_build_none ||
                   op->on_bytes != tflite_build_none);
}

gboolean
tflite_build_none (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
      "not on tensors of type %s",
      forge_dtype_name (tflite_out (builder, node)->dtype));
}

gboolean
tflite_build_real (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  return tflite_find_operator (node->code)->on_floats (builder, node, error);
}
