/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * DepthToSpace and SpaceToDepth, which trade blocks of pixels for channels,
 * of any type, and CumSum, the running sum along an axis.
 * Source: ONNX operator specification. */
#include <string.h>

#include "ops/element.h"
#include "ops/op-util.h"

static gboolean
to_space (const ForgeNode *node)
{
  return strcmp (node->op->type, "DepthToSpace") == 0;
}

static gboolean
infer_blocks (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  int64_t block = forge_attrs_int (node->attrs, "blocksize", 0);
  const char *mode = forge_attrs_string (node->attrs, "mode", "DCR");
  ForgeShape out = in->shape;
  if (!forge_op_need_rank (node, 0, 4, error))
    return FALSE;
  if (!g_str_equal (mode, "DCR") && !g_str_equal (mode, "CRD"))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "mode is '%s'; expected DCR or CRD", mode);
  if (block < 1 || block > 32768)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "blocksize is %" G_GINT64_FORMAT, block);
  int64_t by[] = { 1, block * block, block, block };
  for (int i = 1; i < 4; i++) {
    gboolean shrinks = (i == 1) == to_space (node);
    if (out.dims[i] < 0)
      continue;
    if (out.dims[i] > FORGE_OP_MAX_ELEMS ||
        (shrinks && out.dims[i] % by[i] != 0))
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "axis %d of %" G_GINT64_FORMAT " elements does not fit blocks of "
          "%" G_GINT64_FORMAT,
          i, out.dims[i], block);
    out.dims[i] = shrinks ? out.dims[i] / by[i] : out.dims[i] * by[i];
  }
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

/* Walks the deep side, [N, b, b, C, H, W] or (CRD) [N, C, b, b, H, W]; its
 * element lies at (h b + i, w b + j) of the wide side. */
static void
run_blocks (const ForgeStep *step)
{
  gboolean wide_out = to_space (step->node);
  const ForgeShape *deep =
      wide_out ? &step->in[0]->shape : &step->out[0]->shape;
  int64_t block = forge_attrs_int (step->node->attrs, "blocksize", 1);
  gboolean channels_first =
      wide_out &&
      g_str_equal (
          forge_attrs_string (step->node->attrs, "mode", "DCR"), "CRD");
  int64_t h = deep->dims[2], w = deep->dims[3], squares = block * block;
  int64_t c = deep->dims[1] / squares, count = forge_shape_count (deep);
  size_t size = forge_dtype_size_bytes (step->in[0]->dtype);
  for (int64_t from = 0; from < count; from++) {
    int64_t x = from % w, y = from / w % h, k = from / (w * h) % (c * squares);
    int64_t n = from / (w * h * c * squares);
    int64_t channel = channels_first ? k / squares : k % c;
    int64_t cell = channels_first ? k % squares : k / c;
    int64_t row = (n * c + channel) * h * block + y * block + cell / block;
    size_t at = (size_t) (row * w * block + x * block + cell % block);
    memcpy (
        (char *) step->out[0]->data + (wide_out ? at : (size_t) from) * size,
        (const char *) step->in[0]->data +
            (wide_out ? (size_t) from : at) * size,
        size);
  }
}

static gboolean
cumsum_axis (const ForgeNode *node, int *axis, GError **error)
{
  int64_t values[FORGE_OP_MAX_INTS] = { 0 };
  int n_values;
  if (!forge_op_ints (node, NULL, 1, values, &n_values, error))
    return FALSE;
  if (n_values != 1)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "%d axes; expected 1", n_values);
  return forge_op_axis (
      node, values[0], forge_node_in (node, 0)->shape.rank, axis, error);
}

static gboolean
infer_cumsum (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  int axis;
  if (!forge_dtype_size_bytes (in->dtype) || in->dtype == FORGE_BOOL)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input 0 is %s", forge_dtype_name (in->dtype));
  return cumsum_axis (node, &axis, error) &&
         forge_op_set_out (node, 0, in->dtype, &in->shape, error);
}

static void
sum_line (const ForgeStep *step, const ForgeLines *lines, int64_t at)
{
  const ForgeAttrs *attrs = step->node->attrs;
  const ForgeTensor *in = step->in[0];
  ForgeTensor *out = step->out[0];
  gboolean reverse = forge_attrs_int (attrs, "reverse", 0) != 0;
  gboolean exclusive = forge_attrs_int (attrs, "exclusive", 0) != 0;
  double sum = 0;
  uint64_t total = 0;
  for (int64_t i = 0; i < lines->n; i++) {
    size_t k = (size_t) (at + (reverse ? lines->n - 1 - i : i) * lines->inner);
    if (forge_element_is_float (in->dtype)) {
      double before = sum;
      sum += forge_element_load_float (in->dtype, in->data, k);
      forge_element_store_float (
          out->dtype, out->data, k, exclusive ? before : sum);
    } else {
      uint64_t before = total;
      total += (uint64_t) forge_element_load_int (in->dtype, in->data, k);
      forge_element_store_int (
          out->dtype, out->data, k, (int64_t) (exclusive ? before : total));
    }
  }
}

static void
run_cumsum (const ForgeStep *step)
{
  int axis = 0;
  if (!cumsum_axis (step->node, &axis, NULL))
    return;
  ForgeLines lines = forge_op_lines (&step->in[0]->shape, axis);
  for (int64_t i = 0; i < lines.outer * lines.inner; i++)
    sum_line (step, &lines, forge_op_line_at (&lines, i));
}

const ForgeOp forge_op_DepthToSpace = { .type = "DepthToSpace",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_blocks,
  .run = run_blocks };

const ForgeOp forge_op_SpaceToDepth = { .type = "SpaceToDepth",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_blocks,
  .run = run_blocks };

const ForgeOp forge_op_CumSum = { .type = "CumSum",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 2,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_cumsum,
  .run = run_cumsum };
