/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Convolution as an indirect matrix product: one pointer per output pixel and
 * tap, so padding, strides and dilation cost nothing in the kernel. Of inputs
 * of few channels with padding beside them a padded copy is made, for the sake
 * of longer taps. A gate, one factor for each channel of an image, goes into a
 * copy of the weights, which are fewer than the pixels.
 * Source: M. Dukhan, The Indirect Convolution Algorithm, 2019. */
#include "ops/conv-product.h"

#include <string.h>

#include "base/pool.h"
#include "kernels/kernels.h"
#include "ops/blocks.h"
#include "ops/op-util.h"

/* A product is cut into at least as many, where it has the tiles. */
#define MIN_TASKS 8
/* Inputs of so few channels are worth a padded copy. */
#define MAX_COPY_CHANNELS 8
#define PAD_ROWS 32

static int64_t
divide_up (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

static void
fold_taps (const ForgeConv *conv, ForgeProduct *plan)
{
  const ForgeWindow *w = &conv->window;
  gboolean is_padded = w->pad_left > 0 || w->pad_right > 0;
  if (conv->groups != 1 || w->dw != 1 || w->kw == 1 ||
      (is_padded && conv->c > MAX_COPY_CHANNELS))
    return;
  plan->is_folded = TRUE;
  plan->is_padded = is_padded;
  plan->n_taps = w->kh;
  plan->n_channels = w->kw * conv->c;
  plan->row_pixels += w->pad_left + w->pad_right;
}

void
forge_product_plan (const ForgeConv *conv, ForgeProduct *plan)
{
  const ForgeKernels *kernels = forge_kernels ();
  const ForgeWindow *w = &conv->window;
  *plan = (ForgeProduct) { .n_taps = conv->taps,
    .n_channels = conv->group_c,
    .row_pixels = w->iw,
    .group_count = forge_pack_igemm_f32_count ((size_t) conv->group_o,
        (size_t) conv->taps, (size_t) conv->group_c, kernels->igemm_nr) };
  fold_taps (conv, plan);
  plan->packed_count = plan->group_count * (size_t) conv->groups;
  if (plan->is_padded)
    plan->padded_count =
        (size_t) (conv->n * w->ih * plan->row_pixels * conv->c);
  plan->gated_count = conv->gated ? plan->packed_count : 0;
  int64_t mr = (int64_t) kernels->igemm_mr;
  plan->n_pointers =
      (size_t) (divide_up (conv->out_pixels, mr) * mr * plan->n_taps);
}

void
forge_product_pack (const ForgeConv *conv, const ForgeProduct *plan,
    const float *weights, const float *bias, float *packed)
{
  int64_t taps = conv->taps;
  for (int64_t g = 0; g < conv->groups; g++) {
    int64_t first = g * conv->group_o;
    forge_pack_igemm_f32 ((size_t) conv->group_o, (size_t) taps,
        (size_t) conv->group_c, forge_kernels ()->igemm_nr,
        weights + first * conv->group_c * taps, conv->group_c * taps, 1, taps,
        bias ? bias + first : NULL, packed + (size_t) g * plan->group_count);
  }
}

/* Of one output pixel; NULL where the tap is beside the image. */
static const float *
row_pointer (const ForgeConv *conv, const ForgeProduct *plan, const float *in,
    ptrdiff_t stride_elems, int64_t pixel, int64_t tap)
{
  const ForgeWindow *w = &conv->window;
  if (plan->is_folded) {
    int64_t y = pixel / w->ow * w->sh - w->pad_top + tap * w->dh;
    int64_t x = pixel % w->ow * w->sw;
    return y < 0 || y >= w->ih ? NULL
                               : in + (y * plan->row_pixels + x) * stride_elems;
  }
  int64_t at = forge_window_pixel (w, pixel / w->ow, pixel % w->ow, tap);
  return at < 0 ? NULL : in + at * stride_elems;
}

/* Tiles of mr pixels: rows[tile][tap][m], the last tile filled up with its
 * last pixel. */
void
forge_product_bind (const ForgeConv *conv, const ForgeProduct *plan,
    const float *in, ptrdiff_t row_stride_elems, const float *zero,
    const float **rows)
{
  int64_t mr = (int64_t) forge_kernels ()->igemm_mr;
  int64_t pixels = conv->out_pixels;
  for (int64_t first = 0; first < pixels; first += mr)
    for (int64_t k = 0; k < plan->n_taps; k++)
      for (int64_t m = 0; m < mr; m++) {
        const float *row = row_pointer (
            conv, plan, in, row_stride_elems, MIN (first + m, pixels - 1), k);
        *rows++ = row ? row : zero;
      }
}

typedef struct {
  const ForgeProductJob *job;
  const float *packed;
  int64_t first_image;
  ForgeBlocks blocks; /* of one group of one image */
} Tasks;

/* One block of columns of one group, over one block of tiles. */
static void
run_block (void *data, int task)
{
  const Tasks *tasks = data;
  const ForgeProductJob *job = tasks->job;
  const ForgeConv *conv = job->conv;
  const ForgeKernels *kernels = forge_kernels ();
  int64_t mr = (int64_t) kernels->igemm_mr, nr = (int64_t) kernels->igemm_nr;
  const ForgeBlocks *blocks = &tasks->blocks;
  int64_t count = forge_blocks_count (blocks);
  const ForgeBlock block = forge_blocks_get (blocks, task % count);
  int64_t g = task / count % conv->groups;
  int64_t n = tasks->first_image + task / count / conv->groups;
  int64_t o = block.panel * nr;
  size_t n_out = (size_t) (MIN (block.end_panel * nr, conv->group_o) - o);
  const float *weights = tasks->packed + (size_t) g * job->plan->group_count;
  ptrdiff_t stride = job->out_stride_elems;
  ptrdiff_t offset =
      n * conv->window.ih * job->plan->row_pixels * job->row_stride_elems +
      g * conv->group_c;
  for (int64_t tile = block.tile; tile < block.end_tile; tile++) {
    int64_t m = tile * mr;
    size_t pixels = (size_t) MIN (mr, conv->out_pixels - m);
    ptrdiff_t at = (n * conv->out_pixels + m) * stride + g * conv->group_o + o;
    float *out = job->out + at;
    kernels->igemm_f32 (pixels, n_out, (size_t) job->plan->n_channels,
        (size_t) job->plan->n_taps, job->rows + m * job->plan->n_taps, offset,
        job->zero, weights + block.panel * blocks->panel_floats, out, stride,
        job->residual ? job->residual + at : NULL, stride, job->min, job->max,
        forge_blocks_ahead (blocks, &block, weights, tile));
    forge_op_activate_rows (job->activation, pixels, n_out, out, stride);
  }
}

static void
copy_pixels (const ForgeProductJob *job, const float *in, float *out)
{
  size_t n_pixels = (size_t) job->conv->window.iw;
  size_t pixel = (size_t) job->conv->c;
  if (job->in_stride_elems == job->conv->c)
    memcpy (out, in, n_pixels * pixel * sizeof (float));
  else
    for (size_t x = 0; x < n_pixels; x++, in += job->in_stride_elems)
      memcpy (out + x * pixel, in, pixel * sizeof (float));
}

/* Rows of all images, into the copy that has the padding beside them. */
static void
pad_rows (void *data, size_t begin, size_t end)
{
  const ForgeProductJob *job = data;
  const ForgeWindow *w = &job->conv->window;
  size_t pixel = (size_t) job->conv->c;
  size_t left = (size_t) w->pad_left * pixel, inside = (size_t) w->iw * pixel;
  size_t row = (size_t) job->plan->row_pixels * pixel;
  for (size_t y = begin; y < end; y++) {
    float *out = job->padded + y * row;
    memset (out, 0, left * sizeof (float));
    copy_pixels (job, job->in + (ptrdiff_t) y * w->iw * job->in_stride_elems,
        out + left);
    memset (out + left + inside, 0, (row - left - inside) * sizeof (float));
  }
}

/* Of a 1x1 convolution: panels [1 + C][nr], the bias first. */
static void
gate_weights (const ForgeProductJob *job, const float *gate)
{
  int64_t nr = (int64_t) forge_kernels ()->igemm_nr;
  int64_t c = job->conv->c;
  const float *in = job->packed;
  float *out = job->gated;
  for (int64_t o = 0; o < job->conv->o; o += nr) {
    memcpy (out, in, (size_t) nr * sizeof *out);
    in += nr;
    out += nr;
    for (int64_t k = 0; k < c; k++, in += nr, out += nr)
      for (int64_t i = 0; i < nr; i++)
        out[i] = gate[k] * in[i];
  }
}

static void
run_images (int threads, Tasks *tasks, int64_t n_images)
{
  forge_pool_run (threads,
      (int) (n_images * tasks->job->conv->groups) *
          forge_blocks_count (&tasks->blocks),
      run_block, tasks);
}

void
forge_product_run (int threads, const ForgeProductJob *job)
{
  const ForgeConv *conv = job->conv;
  if (job->plan->is_padded)
    forge_op_ranges (threads, (size_t) (conv->n * conv->window.ih), PAD_ROWS,
        pad_rows, (void *) job);
  Tasks tasks = { .job = job,
    .packed = job->gate ? job->gated : job->packed,
    .blocks = forge_blocks_cut (conv->out_pixels, conv->group_o,
        conv->taps * conv->group_c, 1, MAX (MIN_TASKS / conv->groups, 1)) };
  if (!job->gate)
    run_images (threads, &tasks, conv->n);
  for (int64_t n = 0; job->gate && n < conv->n; n++) {
    gate_weights (job, job->gate + n * conv->c);
    tasks.first_image = n;
    run_images (threads, &tasks, 1);
  }
}
