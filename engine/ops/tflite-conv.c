/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TfliteConv (domain forge): convolution, depthwise or not, of bytes in NHWC
 *   y = clamp (scale (bias[o] + acc, factor[o]) + y_zero, min, max)
 * with acc of int-conv.h and scale in fixed point. Inputs: x, weights
 * [O, KH, KW, C] or, with attribute depthwise, [1, KH, KW, O]; int32 bias,
 * multipliers and shifts, one each a channel.
 * Source: tensorflow/lite/kernels/internal/reference/conv.h and
 * integer_ops/conv.h, depthwise_conv.h. */
#include <string.h>

#include "base/alloc.h"
#include "ops/int-conv.h"
#include "ops/tflite-math.h"

typedef struct {
  ForgeIntConv conv;
  int16_t *packed; /* NULL when the weights are not constant */
  size_t scratch_at;
} Prepared;

static gboolean
is_depthwise (const ForgeNode *node)
{
  return forge_attrs_int (node->attrs, "depthwise", 0) != 0;
}

static gboolean
parse (const ForgeNode *node, ForgeIntConv *conv, GError **error)
{
  if (!forge_quant_need_byte (node, 0, error) ||
      !forge_quant_need_byte (node, 1, error) ||
      !forge_op_need_rank (node, 0, 4, error) ||
      !forge_op_need_rank (node, 1, 4, error))
    return FALSE;
  const ForgeShape *w = &forge_node_in (node, 1)->shape;
  gboolean depthwise = is_depthwise (node);
  memset (conv, 0, sizeof *conv);
  int64_t n_weights = forge_shape_count (w);
  if (!node->nhwc || n_weights < 1 || n_weights > FORGE_OP_MAX_ELEMS)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "it works in NHWC only, with at most %d weights", FORGE_OP_MAX_ELEMS);
  if (!forge_window_parse (node, FORGE_WINDOW_CONV, w->dims[1], w->dims[2],
          &conv->window, error))
    return FALSE;
  int64_t c = conv->window.c;
  conv->nhwc = TRUE;
  conv->o = w->dims[depthwise ? 3 : 0];
  conv->group_c = depthwise ? 1 : w->dims[3];
  conv->groups = c > 0 && conv->group_c > 0 ? c / conv->group_c : 1;
  if (c < 1 || conv->o < 1 || conv->group_c < 1 || c % conv->group_c ||
      conv->o % conv->groups || (depthwise && w->dims[0] != 1)) {
    g_autofree char *text = forge_shape_to_string (w);
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "weights of shape %s meet an input of %" G_GINT64_FORMAT " channels",
        text, c);
  }
  forge_int_conv_finish (conv);
  return TRUE;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  ForgeIntConv conv;
  if (!parse (node, &conv, error))
    return FALSE;
  for (guint i = 2; i < 5; i++) {
    const ForgeValue *in = forge_node_in (node, i);
    if (i == 2 && !in)
      continue;
    if (!in || in->dtype != FORGE_INT32 ||
        forge_shape_count (&in->shape) != conv.o)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input %u must be %" G_GINT64_FORMAT " numbers of int32", i, conv.o);
  }
  ForgeShape out = forge_window_out_shape (node, &conv.window, conv.o);
  return forge_op_set_out (
      node, 0, forge_node_in (node, 0)->dtype, &out, error);
}

static void
pack (const ForgeNode *node, const ForgeIntConv *conv,
    const ForgeTensor *weights, int16_t *packed)
{
  int32_t w_zero = (int32_t) forge_attrs_int (node->attrs, "w_zero", 0);
  ForgeShape scalar = forge_shape (0);
  ForgeTensor zero = { .dtype = FORGE_INT32, .shape = scalar, .data = &w_zero };
  if (is_depthwise (node))
    forge_int_conv_pack (conv, weights, 0, 1, conv->o, 0, &zero, packed);
  else
    forge_int_conv_pack (conv, weights, 0, conv->taps * conv->group_c,
        conv->group_c, 1, &zero, packed);
}

static void
prepared_free (gpointer data)
{
  Prepared *prepared = data;
  forge_aligned_free (prepared->packed);
  g_free (prepared);
}

static gboolean
prepare (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  const ForgeValue *w = forge_node_in (node, 1);
  g_autofree Prepared *p = g_new0 (Prepared, 1);
  if (!parse (node, &p->conv, error))
    return FALSE;
  size_t packed_bytes = forge_int_conv_packed_bytes (&p->conv);
  p->scratch_at = w->constant ? 0 : forge_align_up (packed_bytes);
  prepared->workspace_bytes =
      p->scratch_at + forge_int_conv_scratch_bytes (&p->conv);
  if (w->constant) {
    p->packed = forge_aligned_alloc0 (packed_bytes);
    if (!p->packed)
      return forge_node_error (node, error, FORGE_ERROR_MEMORY,
          "out of memory: %zu bytes of packed weights", packed_bytes);
    pack (node, &p->conv, w->constant, p->packed);
    prepared->packed_bytes = packed_bytes;
  }
  prepared->algorithm = p->conv.depthwise ? "int-dwconv" : "int-conv";
  prepared->free = prepared_free;
  prepared->data = g_steal_pointer (&p);
  return TRUE;
}

typedef struct {
  const int32_t *multipliers, *shifts;
  int32_t y_zero, min, max;
  uint8_t *out;
} Finish;

static void
finish (const void *data, const int32_t *acc, int64_t first, int64_t n_out,
    int64_t out_at, int64_t out_step)
{
  const Finish *to = data;
  for (int64_t i = 0; i < n_out; i++) {
    ForgeTfliteFactor factor = { to->multipliers[first + i],
      CLAMP (to->shifts[first + i], -31, 30) };
    int32_t scaled = (int32_t) ((uint32_t) forge_tflite_scale (acc[i], factor) +
                                (uint32_t) to->y_zero);
    to->out[out_at + i * out_step] = (uint8_t) CLAMP (scaled, to->min, to->max);
  }
}

static void
run (const ForgeStep *step)
{
  const Prepared *p = step->prepared->data;
  const ForgeAttrs *attrs = step->node->attrs;
  char *workspace = step->workspace;
  Finish to = { .multipliers = step->in[3]->data,
    .shifts = step->in[4]->data,
    .y_zero = (int32_t) forge_attrs_int (attrs, "y_zero", 0),
    .min = (int32_t) forge_attrs_int (attrs, "min", 0),
    .max = (int32_t) forge_attrs_int (attrs, "max", 0),
    .out = step->out[0]->data };
  ForgeIntSum sum = { .conv = &p->conv,
    .dtype = step->in[0]->dtype,
    .in = step->in[0]->data,
    .zero = (int32_t) forge_attrs_int (attrs, "x_zero", 0),
    .weights = p->packed,
    .bias = step->in[2] ? step->in[2]->data : NULL,
    .scratch = workspace + p->scratch_at,
    .finish = finish,
    .finish_data = &to };
  if (!p->packed) {
    pack (step->node, &p->conv, step->in[1], (int16_t *) workspace);
    sum.weights = (int16_t *) workspace;
  }
  forge_int_conv_run (&sum, step->threads);
}

static int64_t
flops (const ForgeNode *node)
{
  ForgeIntConv conv;
  if (!parse (node, &conv, NULL))
    return 0;
  int64_t outputs = forge_shape_count (&forge_node_out (node, 0)->shape);
  return forge_flops (outputs, forge_flops (conv.taps, 2 * conv.group_c) + 1);
}

const ForgeOp forge_op_TfliteConv = { .type = "TfliteConv",
  .domain = "forge",
  .min_inputs = 5,
  .max_inputs = 5,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .prepare = prepare,
  .run = run,
  .flops = flops };
