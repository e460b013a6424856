/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conv: out[n, y, x, o] = act (bias[o] + sum over taps and channels of
 * in[n, y sh - pad + ky dh, x sw - pad + kx dw, c] w[o, c, ky, kx]).
 *
 * Forward is an indirect matrix product: bind writes one pointer per output
 * pixel and tap, so padding, strides and dilation cost nothing in the kernel.
 * The fuse-residual pass gives input 3, which is added before the activation.
 * One channel a group goes to conv-depthwise.c, 3x3 with many channels to
 * conv-winograd.c. A node in NCHW order is
 * transposed into workspace and back; the layout pass makes that rare.
 * Source: ONNX operator specification, Conv-11; M. Dukhan, The Indirect
 * Convolution Algorithm, 2019. */
#include "ops/conv.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "ops/ahead.h"
#include "ops/conv-depthwise.h"
#include "ops/conv-winograd.h"
#include "ops/op-util.h"

/* Weights that one task walks through stay within half a small L2. */
#define BLOCK_WEIGHT_BYTES (192 * 1024)
#define BLOCK_TILES 16
/* A product is cut into at least as many, where it has the tiles. */
#define MIN_TASKS 8
/* Inputs of so few channels are worth a padded copy. */
#define MAX_COPY_CHANNELS 8
#define PAD_ROWS 32

/* Immutable: packed weights, shared by sessions. */
typedef struct {
  ForgeConv conv;
  char *shape;                      /* where there is a choice */
  float *packed;                    /* NULL when the weights are not constant */
  size_t packed_count, group_count; /* floats: all, of one group */
  gboolean by_winograd;             /* in inference */
  ForgeWinograd winograd;
  gboolean trained_by_winograd; /* the forward of training */
  ForgeWinograd trained;
  ForgeDepthwise depthwise;
  /* What the product takes for taps and channels. Taps that lie side by side
   * in a row of the image are one tap of more channels: fewer pointers to
   * follow for the same sum. */
  int64_t n_taps, n_channels;
  int64_t row_pixels; /* of the input, with padding where a copy has it */
  gboolean is_folded, is_padded;
  /* offsets into workspace, floats */
  size_t in_at, out_at, packed_at, padded_at, lanes_at;
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
  if (conv->depthwise) {
    for (int64_t c = 0; c < conv->c; c++)
      packed[c] = bias ? bias[c] : 0;
    for (int64_t k = 0; k < taps; k++)
      for (int64_t c = 0; c < conv->c; c++)
        packed[(k + 1) * conv->c + c] = weights[c * taps + k];
    return;
  }
  for (int64_t g = 0; g < conv->groups; g++) {
    int64_t first = g * conv->group_o;
    forge_pack_igemm_f32 ((size_t) conv->group_o, (size_t) taps,
        (size_t) conv->group_c, forge_kernels ()->igemm_nr,
        weights + first * conv->group_c * taps, conv->group_c * taps, 1, taps,
        bias ? bias + first : NULL,
        packed + (size_t) g * prepared->group_count);
  }
}

static void
prepared_free (gpointer data)
{
  Prepared *prepared = data;
  g_free (prepared->shape);
  forge_aligned_free (prepared->packed);
  g_free (prepared);
}

static size_t
count_rows (const Prepared *p)
{
  size_t mr = forge_kernels ()->igemm_mr;
  size_t pixels = (size_t) p->conv.out_pixels;
  return (pixels + mr - 1) / mr * mr * (size_t) p->n_taps;
}

static void
fold_taps (Prepared *p)
{
  const ForgeConv *conv = &p->conv;
  const ForgeWindow *w = &conv->window;
  gboolean is_padded = w->pad_left > 0 || w->pad_right > 0;
  p->n_taps = conv->taps;
  p->n_channels = conv->group_c;
  p->row_pixels = w->iw;
  if (conv->groups != 1 || w->dw != 1 || w->kw == 1 ||
      (is_padded && conv->c > MAX_COPY_CHANNELS))
    return;
  p->is_folded = TRUE;
  p->is_padded = is_padded;
  p->n_taps = w->kh;
  p->n_channels = w->kw * conv->c;
  p->row_pixels += w->pad_left + w->pad_right;
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
  if (p->is_padded)
    at += forge_align_up (
        (size_t) (conv->n * conv->window.ih * p->row_pixels * conv->c) * 4);
  p->lanes_at = at / 4;
  if (p->by_winograd)
    at += (size_t) p->winograd.n_lanes * p->winograd.lane_count * 4;
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
  return w->packed_count + (size_t) w->n_lanes * w->lane_count;
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
  p->group_count = forge_pack_igemm_f32_count ((size_t) conv->group_o,
      (size_t) conv->taps, (size_t) conv->group_c, forge_kernels ()->igemm_nr);
  p->packed_count = conv->depthwise ? (size_t) (conv->c * (conv->taps + 1))
                                    : p->group_count * (size_t) conv->groups;
  gboolean constant = w->constant && (!b || b->constant);
  p->by_winograd = constant && forge_winograd_plan (conv, FALSE, &p->winograd);
  if (constant && forge_winograd_has_choice (conv))
    prepared->tuned_shape = p->shape = forge_winograd_shape (conv);
  p->trained_by_winograd = forge_winograd_plan (conv, TRUE, &p->trained);
  if (conv->depthwise)
    forge_depthwise_plan (conv, &p->depthwise);
  fold_taps (p);
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

/* @bound gives the stride and the zeros. */
static const float *
row_pointer (const Prepared *p, const float *in, const Bound *bound,
    int64_t pixel, int64_t tap)
{
  const ForgeWindow *w = &p->conv.window;
  if (p->is_folded) {
    int64_t y = pixel / w->ow * w->sh - w->pad_top + tap * w->dh;
    int64_t x = pixel % w->ow * w->sw;
    return y < 0 || y >= w->ih
               ? bound->zero
               : in + (y * p->row_pixels + x) * bound->row_stride_elems;
  }
  int64_t at = forge_window_pixel (w, pixel / w->ow, pixel % w->ow, tap);
  return at < 0 ? bound->zero : in + at * bound->row_stride_elems;
}

/* Tiles of mr pixels: rows[tile][tap][m], the last tile filled up with its
 * last pixel. */
static void
write_rows (const Prepared *p, const float *in, Bound *bound)
{
  int64_t mr = (int64_t) forge_kernels ()->igemm_mr;
  int64_t pixels = p->conv.out_pixels, taps = p->n_taps;
  const float **row = bound->rows;
  for (int64_t first = 0; first < pixels; first += mr)
    for (int64_t k = 0; k < taps; k++)
      for (int64_t m = 0; m < mr; m++)
        *row++ = row_pointer (p, in, bound, MIN (first + m, pixels - 1), k);
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
  return p->conv.depthwise ? p->depthwise.n_pointers : count_rows (p);
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
    write_rows (
        p, p->is_padded ? (float *) step->workspace + p->padded_at : in, bound);
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
  bound->row_stride_elems = p->is_padded ? p->conv.c : in_stride (step, p);
  bound->zero = forge_aligned_alloc0 (
      (size_t) MAX (p->conv.c, p->n_channels) * sizeof (float));
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
  float *padded;         /* where a padded copy of in goes */
  float *out;
  ptrdiff_t in_stride_elems, out_stride_elems;
  float min, max;
  /* blocks of work */
  int64_t pixel_blocks, block_pixels, out_blocks, block_out;
} Job;

static void
activate_rows (const Job *job, float *out, size_t n_pixels, size_t n_out)
{
  if (!forge_op_activates_late (job->activation))
    return;
  for (size_t m = 0; m < n_pixels; m++)
    forge_op_activate (
        job->activation, n_out, out + (ptrdiff_t) m * job->out_stride_elems);
}

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

/* One block of columns of one group, over one block of tiles. */
static void
run_product (void *data, int task)
{
  const Job *job = data;
  const ForgeConv *conv = &job->p->conv;
  const ForgeKernels *kernels = forge_kernels ();
  int64_t mr = (int64_t) kernels->igemm_mr, nr = (int64_t) kernels->igemm_nr;
  int64_t block = task % job->pixel_blocks;
  int64_t rest = task / job->pixel_blocks;
  int64_t o = rest % job->out_blocks * job->block_out;
  int64_t g = rest / job->out_blocks % conv->groups;
  int64_t n = rest / job->out_blocks / conv->groups;
  size_t n_out = (size_t) MIN (job->block_out, conv->group_o - o);
  const int64_t panel_rows = conv->taps * conv->group_c + 1;
  const int64_t block_floats = job->block_out * panel_rows;
  const int64_t tiles = (conv->out_pixels + mr - 1) / mr;
  const float *weights =
      job->weights + (size_t) g * job->p->group_count + o * panel_rows;
  ptrdiff_t stride = job->out_stride_elems;
  ptrdiff_t offset =
      n * conv->window.ih * job->p->row_pixels * job->bound->row_stride_elems +
      g * conv->group_c;
  int64_t end = MIN ((block + 1) * job->block_pixels, conv->out_pixels);
  for (int64_t m = block * job->block_pixels; m < end; m += mr) {
    size_t pixels = (size_t) MIN (mr, conv->out_pixels - m);
    ptrdiff_t at = (n * conv->out_pixels + m) * stride + g * conv->group_o + o;
    float *out = job->out + at;
    kernels->igemm_f32 (pixels, n_out, (size_t) job->p->n_channels,
        (size_t) job->p->n_taps, job->bound->rows + m * job->p->n_taps, offset,
        job->bound->zero, weights, out, stride,
        job->residual ? job->residual + at : NULL, stride, job->min, job->max,
        o + job->block_out < conv->group_o
            ? forge_ahead_share (
                  weights + block_floats, block_floats, nr, m / mr, tiles)
            : FORGE_AHEAD_NONE);
    activate_rows (job, out, pixels, n_out);
  }
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

/* Even blocks, by sizes alone: weights that stay in L2, and tasks enough for
 * several threads to end together. */
static void
cut_product (Job *job)
{
  const ForgeConv *conv = &job->p->conv;
  const ForgeKernels *kernels = forge_kernels ();
  int64_t mr = (int64_t) kernels->igemm_mr, nr = (int64_t) kernels->igemm_nr;
  int64_t panel_bytes = (conv->taps * conv->group_c + 1) * nr * 4;
  int64_t most = MAX (1, BLOCK_WEIGHT_BYTES / panel_bytes);
  int64_t panels = (conv->group_o + nr - 1) / nr;
  int64_t tiles = (conv->out_pixels + mr - 1) / mr;
  job->out_blocks = (panels + most - 1) / most;
  int64_t wanted = MAX (1, MIN_TASKS / (job->out_blocks * conv->groups));
  job->pixel_blocks = (tiles + BLOCK_TILES - 1) / BLOCK_TILES;
  job->pixel_blocks = MIN (tiles, MAX (job->pixel_blocks, wanted));
  if (job->pixel_blocks < wanted && job->out_blocks == 1)
    job->out_blocks = MIN (panels, wanted / job->pixel_blocks);
  job->block_pixels = (tiles + job->pixel_blocks - 1) / job->pixel_blocks * mr;
  job->pixel_blocks =
      (conv->out_pixels + job->block_pixels - 1) / job->block_pixels;
  job->block_out = (panels + job->out_blocks - 1) / job->out_blocks * nr;
  job->out_blocks = (conv->group_o + job->block_out - 1) / job->block_out;
}

static void
copy_pixels (const Job *job, const float *in, float *out)
{
  size_t n_pixels = (size_t) job->p->conv.window.iw;
  size_t pixel = (size_t) job->p->conv.c;
  if (job->in_stride_elems == job->p->conv.c)
    memcpy (out, in, n_pixels * pixel * sizeof (float));
  else
    for (size_t x = 0; x < n_pixels; x++, in += job->in_stride_elems)
      memcpy (out + x * pixel, in, pixel * sizeof (float));
}

/* Rows of all images, into the copy that has the padding beside them. */
static void
pad_rows (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const ForgeWindow *w = &job->p->conv.window;
  size_t pixel = (size_t) job->p->conv.c;
  size_t left = (size_t) w->pad_left * pixel, inside = (size_t) w->iw * pixel;
  size_t row = (size_t) job->p->row_pixels * pixel;
  for (size_t y = begin; y < end; y++) {
    float *out = job->padded + y * row;
    memset (out, 0, left * sizeof (float));
    copy_pixels (job, job->in + (ptrdiff_t) y * w->iw * job->in_stride_elems,
        out + left);
    memset (out + left + inside, 0, (row - left - inside) * sizeof (float));
  }
}

static void
forward (const ForgeStep *step, Job *job)
{
  const ForgeConv *conv = &job->p->conv;
  if (conv->n == 0 || conv->out_pixels == 0)
    return;
  const ForgeWinograd *winograd = winograd_of (step, job->p);
  if (winograd) {
    run_winograd (step, winograd, job);
    return;
  }
  if (conv->depthwise) {
    run_depthwise (step, job);
    return;
  }
  if (job->p->is_padded)
    forge_op_ranges (step->threads, (size_t) (conv->n * conv->window.ih),
        PAD_ROWS, pad_rows, job);
  cut_product (job);
  forge_pool_run (step->threads,
      (int) (conv->n * conv->groups * job->out_blocks * job->pixel_blocks),
      run_product, job);
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
    .residual = step->n_in > 3 ? step->in[3]->data : NULL,
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
  Prepared p = { 0 };
  if (!node->nhwc || index > 0 ||
      (index == FORGE_OP_OUT && forge_node_in (node, 3)) ||
      !forge_conv_parse (node, &p.conv, NULL))
    return FALSE;
  fold_taps (&p);
  return index == FORGE_OP_OUT || !p.is_folded || p.is_padded;
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
  .max_inputs = 4, /* the residual, of a pass */
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .prepare = prepare,
  .bind = bind,
  .run = run,
  .backward = forge_conv_backward,
  .flops = flops,
  .takes_slice = takes_slice };
