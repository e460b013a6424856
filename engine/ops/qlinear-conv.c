/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * QLinearConv: y = saturate (round_even (acc x_scale w_scale[o] / y_scale) +
 * y_zero), and ConvInteger: y = acc, over the integer sum of int-conv.h. An
 * int8 ConvInteger is refused, as ONNX Runtime does.
 * Source: ONNX operator specification, QLinearConv-10, ConvInteger-10. */
#include <string.h>

#include "base/alloc.h"
#include "ops/int-conv.h"
#include "ops/requantise.h"

/* Where the two operators have their inputs; -1 = not at all. */
typedef struct {
  int w, x_scale, x_zero, w_scale, w_zero, y_scale, y_zero, bias;
} Ports;

static const Ports qlinear = { 3, 1, 2, 4, 5, 6, 7, 8 };
static const Ports integer = { 1, -1, 2, -1, 3, -1, -1, -1 };

typedef struct {
  ForgeIntConv conv;
  int16_t *packed; /* NULL when the weights are not constant */
  /* offsets into the workspace, bytes */
  size_t multipliers_at, packed_at, scratch_at;
} Prepared;

static const Ports *
ports_of (const ForgeNode *node)
{
  return strcmp (node->op->type, "QLinearConv") == 0 ? &qlinear : &integer;
}

static gboolean
parse (const ForgeNode *node, ForgeIntConv *conv, GError **error)
{
  guint w_index = (guint) ports_of (node)->w;
  if (!forge_quant_need_byte (node, 0, error) ||
      !forge_quant_need_byte (node, w_index, error))
    return FALSE;
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  const ForgeShape *w = &forge_node_in (node, w_index)->shape;
  if (in->rank != 3 && in->rank != 4)
    return forge_op_need_rank (node, 0, 4, error);
  if (!forge_op_need_rank (node, w_index, in->rank, error))
    return FALSE;
  memset (conv, 0, sizeof *conv);
  if (!forge_window_parse (node, FORGE_WINDOW_CONV,
          in->rank == 4 ? w->dims[2] : 1, w->dims[in->rank - 1], &conv->window,
          error))
    return FALSE;
  conv->nhwc = node->nhwc;
  conv->groups = forge_attrs_int (node->attrs, "group", 1);
  conv->o = w->dims[0];
  conv->group_c = w->dims[1];
  int64_t n_weights = forge_shape_count (w);
  if (n_weights < 1 || n_weights > FORGE_OP_MAX_ELEMS) {
    g_autofree char *text = forge_shape_to_string (w);
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "weights of shape %s; expected 1 to %d elements", text,
        FORGE_OP_MAX_ELEMS);
  }
  if (conv->groups < 1 || conv->o % conv->groups)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "group is %" G_GINT64_FORMAT ", which does not divide %" G_GINT64_FORMAT
        " output channels",
        conv->groups, conv->o);
  if (conv->window.c >= 0 &&
      (conv->window.c % conv->groups ||
          conv->window.c / conv->groups != conv->group_c))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "weights for %" G_GINT64_FORMAT " channels in each of %" G_GINT64_FORMAT
        " groups meet an input of %" G_GINT64_FORMAT,
        conv->group_c, conv->groups, conv->window.c);
  forge_int_conv_finish (conv);
  return TRUE;
}

static gboolean
infer_qlinear (ForgeNode *node, GError **error)
{
  ForgeIntConv conv;
  const ForgeValue *bias = forge_node_in (node, 8);
  const ForgeValue *y_zero = forge_node_in (node, 7);
  if (!parse (node, &conv, error) || !forge_quant_need_byte (node, 7, error) ||
      !forge_quant_check (
          node, 1, 2, forge_node_in (node, 0)->dtype, -1, error) ||
      !forge_quant_check (
          node, 4, 5, forge_node_in (node, 3)->dtype, conv.o, error) ||
      !forge_quant_check (node, 6, 7, y_zero->dtype, -1, error))
    return FALSE;
  if (bias && (bias->dtype != FORGE_INT32 ||
                  forge_shape_count (&bias->shape) != conv.o))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "input 8 ('%s') must be %" G_GINT64_FORMAT " int32 biases", bias->name,
        conv.o);
  ForgeShape out = forge_window_out_shape (node, &conv.window, conv.o);
  return forge_op_set_out (node, 0, y_zero->dtype, &out, error);
}

static gboolean
check_unsigned_zero (
    const ForgeNode *node, guint index, int64_t n_channels, GError **error)
{
  const ForgeValue *zero = forge_node_in (node, index);
  int64_t count = zero ? forge_shape_count (&zero->shape) : 1;
  if (zero && zero->dtype != FORGE_UINT8)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "zero point %u is %s; expected uint8", index,
        forge_dtype_name (zero->dtype));
  if (count != 1 && count != n_channels)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "zero point %u has %" G_GINT64_FORMAT " elements", index, count);
  return TRUE;
}

static gboolean
infer_integer (ForgeNode *node, GError **error)
{
  ForgeIntConv conv;
  if (!parse (node, &conv, error))
    return FALSE;
  for (guint i = 0; i < 2; i++)
    if (forge_node_in (node, i)->dtype != FORGE_UINT8)
      return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
          "input %u ('%s') is int8; ConvInteger is supported with uint8 "
          "inputs and weights only: quantise the model again with unsigned "
          "weights, or as QDQ",
          i, forge_node_in (node, i)->name);
  ForgeShape out = forge_window_out_shape (node, &conv.window, conv.o);
  return check_unsigned_zero (node, 2, 1, error) &&
         check_unsigned_zero (node, 3, conv.o, error) &&
         forge_op_set_out (node, 0, FORGE_INT32, &out, error);
}

static void
pack (const ForgeIntConv *conv, const ForgeTensor *weights,
    const ForgeTensor *zero, int16_t *packed)
{
  forge_int_conv_pack (conv, weights, 0, conv->group_c * conv->taps, 1,
      conv->taps, zero, packed);
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
  const Ports *ports = ports_of (node);
  const ForgeValue *w = forge_node_in (node, (guint) ports->w);
  const ForgeValue *zero = forge_node_in (node, (guint) ports->w_zero);
  g_autofree Prepared *p = g_new0 (Prepared, 1);
  if (!parse (node, &p->conv, error))
    return FALSE;
  size_t packed_bytes = forge_int_conv_packed_bytes (&p->conv);
  gboolean constant = w->constant && (!zero || zero->constant);
  p->packed_at = forge_align_up ((size_t) p->conv.o * sizeof (float));
  p->scratch_at = p->packed_at + (constant ? 0 : forge_align_up (packed_bytes));
  prepared->workspace_bytes =
      p->scratch_at + forge_int_conv_scratch_bytes (&p->conv);
  if (constant) {
    p->packed = forge_aligned_alloc0 (packed_bytes);
    if (!p->packed)
      return forge_node_error (node, error, FORGE_ERROR_MEMORY,
          "out of memory: %zu bytes of packed weights", packed_bytes);
    pack (&p->conv, w->constant, zero ? zero->constant : NULL, p->packed);
    prepared->packed_bytes = packed_bytes;
  }
  prepared->algorithm = p->conv.depthwise ? "int-dwconv" : "int-conv";
  prepared->free = prepared_free;
  prepared->data = g_steal_pointer (&p);
  return TRUE;
}

static const ForgeTensor *
input (const ForgeStep *step, int index)
{
  return index < 0 ? NULL : forge_step_in (step, (guint) index);
}

static void
run (const ForgeStep *step)
{
  const Prepared *p = step->prepared->data;
  const Ports *ports = ports_of (step->node);
  char *workspace = step->workspace;
  const ForgeTensor *bias = input (step, ports->bias);
  ForgeIntSum sum = { .conv = &p->conv,
    .dtype = step->in[0]->dtype,
    .in = step->in[0]->data,
    .zero = forge_quant_zero (input (step, ports->x_zero), 0),
    .weights = p->packed,
    .bias = bias ? bias->data : NULL,
    .scratch = workspace + p->scratch_at,
    .finish = forge_requantise_store,
    .finish_data = step->out[0]->data };
  ForgeRequantise to = { .multipliers = (float *) workspace,
    .dtype = step->out[0]->dtype,
    .zero = forge_quant_zero (input (step, ports->y_zero), 0),
    .out = step->out[0]->data };
  if (!p->packed) {
    int16_t *packed = (int16_t *) (workspace + p->packed_at);
    pack (&p->conv, step->in[ports->w], input (step, ports->w_zero), packed);
    sum.weights = packed;
  }
  if (ports->y_scale >= 0) {
    forge_requantise_multipliers (step->in[ports->x_scale],
        step->in[ports->w_scale], step->in[ports->y_scale], p->conv.o,
        (float *) workspace);
    sum.finish = forge_requantise_row;
    sum.finish_data = &to;
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

const ForgeOp forge_op_QLinearConv = { .type = "QLinearConv",
  .domain = "",
  .min_inputs = 8,
  .max_inputs = 9,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_qlinear,
  .prepare = prepare,
  .run = run,
  .flops = flops };

const ForgeOp forge_op_ConvInteger = { .type = "ConvInteger",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 4,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_integer,
  .prepare = prepare,
  .run = run,
  .flops = flops };
