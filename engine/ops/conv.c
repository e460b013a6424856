/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conv: out[n, y, x, o] = act (bias[o] + sum over taps and channels of
 * in[n, y sh - pad + ky dh, x sw - pad + kx dw, c] w[o, c, ky, kx]).
 *
 * Chooses the way from the sizes: one channel a group goes to
 * conv-depthwise.c, 3x3 with many channels to conv-winograd.c, all else to
 * conv-product.c. The fuse-residual pass gives input 3, which is added before
 * the activation, the fuse-gate pass input 4, factors of the input's channels.
 * A node in NCHW order is transposed into workspace and back; the layout pass
 * makes that rare. Source: ONNX operator specification, Conv-11. */
#include "ops/conv.h"

#include "base/alloc.h"
#include "ops/conv-depthwise.h"
#include "ops/conv-product.h"
#include "ops/conv-winograd.h"
#include "ops/op-util.h"

/* Immutable: packed weights, shared by sessions. */
typedef struct {
  ForgeConv conv;
  char *shape;          /* where there is a choice */
  float *packed;        /* NULL when the weights are not constant */
  size_t packed_count;  /* floats */
  gboolean by_winograd; /* in inference */
  ForgeWinograd winograd;
  gboolean trained_by_winograd; /* the forward of training */
  ForgeWinograd trained;
  ForgeDepthwise depthwise;
  ForgeProduct product;
  /* offsets into workspace, floats */
  size_t in_at, out_at, packed_at, padded_at, gated_at, lanes_at;
} Prepared;

/* Of one session: pointers into its activations. */
typedef struct {
  const float **rows;
  ptrdiff_t row_stride_elems; /* from pixel to pixel of what they point to */
  uint32_t *pixels;           /* of conv-depthwise.c */
  float *zero;
} Bound;

static gboolean
infer (ForgeNode *node, GError **error)
{
  ForgeConv conv;
  if (!forge_conv_parse (node, &conv, error))
    return FALSE;
  ForgeShape out = forge_window_out_shape (node, &conv.window, conv.o);
  const ForgeValue *residual = forge_node_in (node, 3);
  if (residual && !forge_shape_equal (&residual->shape, &out))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "the residual has not the shape of the output");
  return forge_op_set_out (node, 0, FORGE_FLOAT32, &out, error);
}

/* Weights [O, C / group, KH, KW] into what the kernels want. */
static void
pack (const Prepared *prepared, const float *weights, const float *bias,
    float *packed)
{
  const ForgeConv *conv = &prepared->conv;
  int64_t taps = conv->taps;
  if (!conv->depthwise) {
    forge_product_pack (conv, &prepared->product, weights, bias, packed);
    return;
  }
  for (int64_t c = 0; c < conv->c; c++)
    packed[c] = bias ? bias[c] : 0;
  for (int64_t k = 0; k < taps; k++)
    for (int64_t c = 0; c < conv->c; c++)
      packed[(k + 1) * conv->c + c] = weights[c * taps + k];
}

static void
prepared_free (gpointer data)
{
  Prepared *prepared = data;
  g_free (prepared->shape);
  forge_aligned_free (prepared->packed);
  g_free (prepared);
}

static void
plan_workspace (
    const ForgeNode *node, Prepared *p, gboolean constant, size_t *n_floats)
{
  const ForgeConv *conv = &p->conv;
  size_t at = 0;
  if (!node->nhwc) {
    p->in_at = at;
    at += forge_align_up ((size_t) (conv->n * conv->in_pixels * conv->c) * 4);
    p->out_at = at / 4;
    at += forge_align_up ((size_t) (conv->n * conv->out_pixels * conv->o) * 4);
  }
  p->packed_at = at / 4;
  if (!constant)
    at += forge_align_up (p->packed_count * 4);
  p->padded_at = at / 4;
  at += forge_align_up (p->product.padded_count * 4);
  p->gated_at = at / 4;
  at += forge_align_up (p->product.gated_count * 4);
  p->lanes_at = at / 4;
  if (p->by_winograd)
    at += p->winograd.lanes_count * sizeof (float);
  *n_floats = at / 4;
}

static ForgeWinogradWeights
winograd_weights (const ForgeConv *conv, const float *weights)
{
  return (ForgeWinogradWeights) { weights, conv->c * 9, 9, FALSE };
}

/* FALSE when memory runs out. */
static gboolean
pack_constant (Prepared *p, const float *weights, const float *bias)
{
  size_t count = p->by_winograd ? p->winograd.packed_count : p->packed_count;
  p->packed = forge_aligned_alloc0 (count * sizeof (float));
  if (!p->packed)
    return FALSE;
  ForgeWinogradWeights from = winograd_weights (&p->conv, weights);
  if (p->by_winograd)
    forge_winograd_pack (0, &p->conv, &p->winograd, &from, bias, p->packed);
  else
    pack (p, weights, bias, p->packed);
  return TRUE;
}

/* Of the backward workspace, which a forward in training may use. */
static size_t
training_count (const Prepared *p)
{
  const ForgeWinograd *w = &p->trained;
  if (!p->trained_by_winograd)
    return p->packed_count;
  return w->packed_count + w->lanes_count;
}

static gboolean
prepare (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  const ForgeValue *w = forge_node_in (node, 1), *b = forge_node_in (node, 2);
  Prepared *p = g_new0 (Prepared, 1);
  prepared->data = p;
  prepared->free = prepared_free;
  if (!forge_conv_parse (node, &p->conv, error))
    return FALSE;
  const ForgeConv *conv = &p->conv;
  forge_product_plan (conv, &p->product);
  p->packed_count = conv->depthwise ? (size_t) (conv->c * (conv->taps + 1))
                                    : p->product.packed_count;
  gboolean constant = w->constant && (!b || b->constant);
  p->by_winograd = constant && forge_winograd_plan (conv, FALSE, &p->winograd);
  if (constant && forge_winograd_has_choice (conv))
    prepared->tuned_shape = p->shape = forge_winograd_shape (conv);
  p->trained_by_winograd = forge_winograd_plan (conv, TRUE, &p->trained);
  if (conv->depthwise)
    forge_depthwise_plan (conv, &p->depthwise);
  size_t n_floats;
  plan_workspace (node, p, constant, &n_floats);
  if (constant &&
      !pack_constant (p, w->constant->data, b ? b->constant->data : NULL))
    return forge_node_error (node, error, FORGE_ERROR_MEMORY,
        "out of memory: %zu bytes of packed weights",
        p->packed_count * sizeof (float));
  if (constant)
    prepared->packed_bytes =
        sizeof (float) *
        (p->by_winograd ? p->winograd.packed_count : p->packed_count);
  prepared->workspace_bytes = n_floats * sizeof (float);
  prepared->backward_workspace_bytes =
      MAX (forge_align_up (training_count (p) * sizeof (float)),
          forge_conv_backward_bytes (node, conv));
  prepared->algorithm = conv->depthwise  ? "dwconv"
                        : p->by_winograd ? forge_winograd_name (&p->winograd)
                                         : "igemm";
  return TRUE;
}

static void
bound_free (gpointer data)
{
  Bound *bound = data;
  forge_aligned_free (bound->rows);
  forge_aligned_free (bound->zero);
  g_free (bound->pixels);
  g_free (bound);
}

/* How a step computes: the plan of Winograd's way, or NULL. */
static const ForgeWinograd *
winograd_of (const ForgeStep *step, const Prepared *p)
{
  if (step->training)
    return p->trained_by_winograd ? &p->trained : NULL;
  return p->by_winograd ? &p->winograd : NULL;
}

static size_t
count_pointers (const ForgeStep *step, const Prepared *p)
{
  const ForgeWinograd *winograd = winograd_of (step, p);
  if (winograd)
    return (size_t) (winograd->tiles * winograd->points);
  return p->conv.depthwise ? p->depthwise.n_pointers : p->product.n_pointers;
}

static void
write_pointers (
    const ForgeStep *step, const Prepared *p, const float *in, Bound *bound)
{
  const ForgeWinograd *winograd = winograd_of (step, p);
  if (winograd)
    forge_winograd_write_rows (&p->conv, winograd, in, bound->row_stride_elems,
        bound->zero, bound->rows);
  else if (p->conv.depthwise)
    forge_depthwise_bind (&p->conv, &p->depthwise, in, bound->row_stride_elems,
        bound->zero, bound->rows, bound->pixels);
  else
    forge_product_bind (&p->conv, &p->product,
        p->product.is_padded ? (float *) step->workspace + p->padded_at : in,
        bound->row_stride_elems, bound->zero, bound->rows);
}

/* From pixel to pixel of the NHWC input, and of the output. */
static ptrdiff_t
in_stride (const ForgeStep *step, const Prepared *p)
{
  return step->node->nhwc ? forge_tensor_row_stride (step->in[0]) : p->conv.c;
}

static ptrdiff_t
out_stride (const ForgeStep *step, const Prepared *p)
{
  return step->node->nhwc ? forge_tensor_row_stride (step->out[0]) : p->conv.o;
}

static gboolean
bind (ForgeStep *step, GError **error)
{
  const Prepared *p = step->prepared->data;
  const float *in = step->node->nhwc ? step->in[0]->data
                                     : (float *) step->workspace + p->in_at;
  Bound *bound = g_new0 (Bound, 1);
  step->bound.data = bound;
  step->bound.free = bound_free;
  bound->row_stride_elems =
      p->product.is_padded ? p->conv.c : in_stride (step, p);
  bound->zero = forge_aligned_alloc0 (
      (size_t) MAX (p->conv.c, p->product.n_channels) * sizeof (float));
  size_t n_rows = count_pointers (step, p);
  bound->pixels = g_new0 (uint32_t, (gsize) p->depthwise.groups);
  bound->rows = forge_aligned_alloc (n_rows * sizeof (float *));
  if (!bound->zero || !bound->rows) {
    g_clear_pointer (&step->bound.data, bound_free);
    return forge_node_error (step->node, error, FORGE_ERROR_MEMORY,
        "out of memory: %zu pointers", n_rows);
  }
  write_pointers (step, p, in, bound);
  return TRUE;
}

typedef struct {
  const Prepared *p;
  const Bound *bound;
  const ForgeActivation *activation;
  const float *in; /* [N, H, W, C] */
  const float *weights;
  const float *residual; /* as out, or NULL */
  const float *gate;     /* [N, C], or NULL */
  float *padded;         /* where a padded copy of in goes */
  float *gated;          /* where gated weights go */
  float *out;
  ptrdiff_t in_stride_elems, out_stride_elems;
  float min, max;
} Job;

static void
run_depthwise (const ForgeStep *step, const Job *job)
{
  const ForgeDepthwiseJob rows = { .conv = &job->p->conv,
    .plan = &job->p->depthwise,
    .rows = job->bound->rows,
    .pixels = job->bound->pixels,
    .zero = job->bound->zero,
    .weights = job->weights,
    .activation = job->activation,
    .min = job->min,
    .max = job->max,
    .out = job->out,
    .in_stride_elems = job->in_stride_elems,
    .out_stride_elems = job->out_stride_elems };
  forge_depthwise_run (step->threads, &rows);
}

static void
run_winograd (
    const ForgeStep *step, const ForgeWinograd *winograd, const Job *job)
{
  const Prepared *p = job->p;
  float *lanes = (float *) step->workspace + p->lanes_at;
  if (step->training)
    lanes = (float *) step->backward_workspace + winograd->packed_count;
  const ForgeWinogradJob product = { .conv = &p->conv,
    .winograd = winograd,
    .rows = job->bound->rows,
    .zero = job->bound->zero,
    .packed = job->weights,
    .bias = job->weights + (size_t) winograd->points * winograd->point_count,
    .residual = job->residual,
    .out = job->out,
    .in_stride_elems = job->in_stride_elems,
    .out_stride_elems = job->out_stride_elems,
    .min = job->min,
    .max = job->max,
    .activation = job->activation,
    .lanes = lanes };
  forge_winograd_run (step->threads, &product);
}

static void
run_product (const ForgeStep *step, const Job *job)
{
  const ForgeProductJob product = { .conv = &job->p->conv,
    .plan = &job->p->product,
    .rows = job->bound->rows,
    .row_stride_elems = job->bound->row_stride_elems,
    .zero = job->bound->zero,
    .packed = job->weights,
    .in = job->in,
    .padded = job->padded,
    .residual = job->residual,
    .gate = job->gate,
    .gated = job->gated,
    .out = job->out,
    .in_stride_elems = job->in_stride_elems,
    .out_stride_elems = job->out_stride_elems,
    .min = job->min,
    .max = job->max,
    .activation = job->activation };
  forge_product_run (step->threads, &product);
}

static void
forward (const ForgeStep *step, Job *job)
{
  const ForgeConv *conv = &job->p->conv;
  if (conv->n == 0 || conv->out_pixels == 0)
    return;
  const ForgeWinograd *winograd = winograd_of (step, job->p);
  if (winograd)
    run_winograd (step, winograd, job);
  else if (conv->depthwise)
    run_depthwise (step, job);
  else
    run_product (step, job);
}

static const float *
weights_of (const ForgeStep *step, const Prepared *p)
{
  if (p->packed && !step->training)
    return p->packed;
  float *packed = step->training ? step->backward_workspace
                                 : (float *) step->workspace + p->packed_at;
  const float *weights = step->in[1]->data;
  const float *bias = step->n_in > 2 && step->in[2] ? step->in[2]->data : NULL;
  if (!step->training || !p->trained_by_winograd) {
    pack (p, weights, bias, packed);
    return packed;
  }
  ForgeWinogradWeights from = winograd_weights (&p->conv, weights);
  forge_winograd_pack (
      step->threads, &p->conv, &p->trained, &from, bias, packed);
  return packed;
}

static void
run (const ForgeStep *step)
{
  const Prepared *p = step->prepared->data;
  const ForgeConv *conv = &p->conv;
  float *workspace = step->workspace;
  gboolean nhwc = step->node->nhwc;
  Job job = { .p = p,
    .bound = step->bound.data,
    .activation = &step->node->activation,
    .in = nhwc ? step->in[0]->data : workspace + p->in_at,
    .weights = weights_of (step, p),
    .padded = workspace + p->padded_at,
    .gated = workspace + p->gated_at,
    .residual = step->n_in > 3 && step->in[3] ? step->in[3]->data : NULL,
    .gate = step->n_in > 4 ? step->in[4]->data : NULL,
    .out = nhwc ? step->out[0]->data : workspace + p->out_at,
    .in_stride_elems = in_stride (step, p),
    .out_stride_elems = out_stride (step, p) };
  forge_op_clamp (job.activation, &job.min, &job.max);
  if (!nhwc)
    forge_op_swap_inner (step->threads, conv->n, conv->c, conv->in_pixels,
        step->in[0]->data, workspace + p->in_at);
  forward (step, &job);
  if (!nhwc)
    forge_op_swap_inner (step->threads, conv->n, conv->out_pixels, conv->o,
        job.out, step->out[0]->data);
}

/* Taps that are folded into one want pixels side by side, unless they are
 * copied; a residual lies as the output does. */
static gboolean
takes_slice (const ForgeNode *node, int index)
{
  ForgeConv conv;
  ForgeProduct product;
  if (!node->nhwc || index > 0 ||
      (index == FORGE_OP_OUT && forge_node_in (node, 3)) ||
      !forge_conv_parse (node, &conv, NULL))
    return FALSE;
  forge_product_plan (&conv, &product);
  return index == FORGE_OP_OUT || !product.is_folded || product.is_padded;
}

static int64_t
flops (const ForgeNode *node)
{
  ForgeConv conv;
  if (!forge_conv_parse (node, &conv, NULL))
    return 0;
  int64_t outputs = forge_shape_count (&forge_node_out (node, 0)->shape);
  return forge_flops (outputs, forge_flops (conv.taps, 2 * conv.group_c) + 1);
}

const ForgeOp forge_op_Conv = { .type = "Conv",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 5, /* the residual and the gate, of passes */
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .prepare = prepare,
  .bind = bind,
  .run = run,
  .backward = forge_conv_backward,
  .flops = flops,
  .takes_slice = takes_slice };
