/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TfliteHybrid (domain forge): a convolution of float32 activations with
 * weights of int8, what TensorFlow Lite calls dynamic range. Each picture is
 * quantised to int8 on the spot by its own largest values, the sums are
 * integers, and
 *   y[n, o] = acc * w_scale[o] * x_scale[n] + bias[o]
 * Attribute symmetric: the zero point of the pictures is 0, as in matrices
 * and old files with one scale; else from the range. Inputs: x [N, H, W, C],
 * weights as TfliteConv, w_scale float32 [O], bias float32 [O].
 * Source: tensorflow/lite/kernels/conv.cc, depthwise_conv.cc,
 * fully_connected.cc; internal/reference/portable_tensor_utils.cc. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/int-conv.h"
#include "ops/tflite-math.h"

typedef struct {
  ForgeIntConv conv; /* of one picture */
  int64_t n_images;
  size_t packed_at, scratch_at;
} Prepared;

static gboolean
parse (const ForgeNode *node, ForgeIntConv *conv, GError **error)
{
  const ForgeValue *weights = forge_node_in (node, 1);
  gboolean depthwise = forge_attrs_int (node->attrs, "depthwise", 0) != 0;
  if (!forge_op_need_float (node, 0, error) ||
      !forge_op_need_rank (node, 0, 4, error) ||
      !forge_op_need_rank (node, 1, 4, error))
    return FALSE;
  const int64_t *w = weights->shape.dims;
  int64_t n_weights = forge_shape_count (&weights->shape);
  memset (conv, 0, sizeof *conv);
  if (!node->nhwc || weights->dtype != FORGE_INT8 || n_weights < 1 ||
      n_weights > FORGE_OP_MAX_ELEMS)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "it works in NHWC only, with at most %d weights of int8",
        FORGE_OP_MAX_ELEMS);
  if (!forge_window_parse (
          node, FORGE_WINDOW_CONV, w[1], w[2], &conv->window, error))
    return FALSE;
  int64_t c = conv->window.c;
  conv->nhwc = TRUE;
  conv->o = w[depthwise ? 3 : 0];
  conv->group_c = depthwise ? 1 : w[3];
  conv->groups = c > 0 && conv->group_c > 0 ? c / conv->group_c : 1;
  if (c < 1 || conv->o < 1 || conv->group_c < 1 || c % conv->group_c ||
      conv->o % conv->groups || (depthwise && w[0] != 1)) {
    g_autofree char *text = forge_shape_to_string (&weights->shape);
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
  for (guint i = 2; i < 4; i++) {
    const ForgeValue *in = forge_node_in (node, i);
    if (i == 3 && !in)
      continue;
    if (!in || in->dtype != FORGE_FLOAT32 ||
        forge_shape_count (&in->shape) != conv.o)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input %u must be %" G_GINT64_FORMAT " numbers of float32", i,
          conv.o);
  }
  ForgeShape out = forge_window_out_shape (node, &conv.window, conv.o);
  return forge_op_set_out (node, 0, FORGE_FLOAT32, &out, error);
}

/* Workspace: the picture's bytes, the packed weights, scratch. */
static gboolean
prepare (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  g_autofree Prepared *p = g_new0 (Prepared, 1);
  if (!parse (node, &p->conv, error))
    return FALSE;
  ForgeWindow *w = &p->conv.window;
  p->n_images = w->n;
  w->n = 1;
  p->packed_at = forge_align_up ((size_t) (w->ih * w->iw * w->c));
  p->scratch_at =
      p->packed_at + forge_align_up (forge_int_conv_packed_bytes (&p->conv));
  prepared->workspace_bytes =
      p->scratch_at + forge_int_conv_scratch_bytes (&p->conv);
  prepared->algorithm = "int-hybrid";
  prepared->free = g_free;
  prepared->data = g_steal_pointer (&p);
  return TRUE;
}

typedef struct {
  float scale;
  int32_t zero;
} Range;

/* The zero point that loses least at the end of the range nearer to 0. */
static Range
range_of (const float *x, int64_t n, gboolean symmetric)
{
  float low = 0, high = 0;
  for (int64_t i = 0; i < n; i++) {
    low = MIN (low, x[i]);
    high = MAX (high, x[i]);
  }
  Range range = { 1, 0 };
  if (!(high > low) || !isfinite (high) || !isfinite (low))
    return range;
  if (symmetric) {
    range.scale = MAX (-low, high) / 127;
    return range;
  }
  double scale = ((double) high - low) / 255;
  double from_low = -128 - low / scale, from_high = 127 - high / scale;
  double zero = 128 + fabs (low / scale) < 127 + fabs (high / scale)
                    ? from_low
                    : from_high;
  range.scale = (float) scale;
  range.zero = (int32_t) CLAMP (round (zero), -128, 127);
  return range;
}

static void
quantise (const float *x, int64_t n, gboolean symmetric, Range range, int8_t *q)
{
  float inverse = 1 / range.scale, low = symmetric ? -127 : -128;
  for (int64_t i = 0; i < n; i++)
    q[i] = (int8_t) forge_clamp_float (
        roundf ((float) range.zero + x[i] * inverse), low, 127);
}

typedef struct {
  const float *scales, *bias;
  float x_scale;
  float *out;
} Finish;

static void
finish (const void *data, const int32_t *acc, int64_t first, int64_t n_out,
    int64_t out_at, int64_t out_step)
{
  const Finish *to = data;
  for (int64_t i = 0; i < n_out; i++) {
    float y = (float) acc[i] * to->scales[first + i] * to->x_scale;
    to->out[out_at + i * out_step] = y + (to->bias ? to->bias[first + i] : 0);
  }
}

static void
run (const ForgeStep *step)
{
  const Prepared *p = step->prepared->data;
  const ForgeNode *node = step->node;
  gboolean symmetric = forge_attrs_int (node->attrs, "symmetric", 0) != 0;
  gboolean depthwise = forge_attrs_int (node->attrs, "depthwise", 0) != 0;
  const ForgeIntConv *conv = &p->conv;
  const ForgeWindow *w = &conv->window;
  char *workspace = step->workspace;
  int16_t *packed = (int16_t *) (void *) (workspace + p->packed_at);
  int64_t n_in = w->ih * w->iw * w->c, n_out = w->oh * w->ow * conv->o;
  if (depthwise)
    forge_int_conv_pack (conv, step->in[1], 0, 1, conv->o, 0, NULL, packed);
  else
    forge_int_conv_pack (conv, step->in[1], 0, conv->taps * conv->group_c,
        conv->group_c, 1, NULL, packed);
  for (int64_t n = 0; n < p->n_images; n++) {
    const float *x = (const float *) step->in[0]->data + n * n_in;
    Range range = range_of (x, n_in, symmetric);
    quantise (x, n_in, symmetric, range, (int8_t *) workspace);
    Finish to = { .scales = step->in[2]->data,
      .bias = step->n_in > 3 && step->in[3] ? step->in[3]->data : NULL,
      .x_scale = range.scale,
      .out = (float *) step->out[0]->data + n * n_out };
    ForgeIntSum sum = { .conv = conv,
      .dtype = FORGE_INT8,
      .in = workspace,
      .zero = range.zero,
      .weights = packed,
      .scratch = workspace + p->scratch_at,
      .finish = finish,
      .finish_data = &to };
    forge_int_conv_run (&sum, step->threads);
  }
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

const ForgeOp forge_op_TfliteHybrid = { .type = "TfliteHybrid",
  .domain = "forge",
  .min_inputs = 3,
  .max_inputs = 4,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .prepare = prepare,
  .run = run,
  .flops = flops };
