/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conv's input gradient as an indirect matrix product over dy. With strides,
 * which taps reach a pixel depends on its row and column modulo the stride:
 * the pixels fall into stride_y x stride_x classes, each a product with its
 * own taps, so nothing is multiplied with zeros that a stride put there. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "ops/ahead.h"
#include "ops/blocks.h"
#include "ops/conv-backward.h"
#include "ops/op-util.h"

/* A residue modulo the stride along one axis: pixels first, first + stride,
 * ..., and the kernel positions that reach them. */
typedef struct {
  int64_t first, count;
  int64_t n_taps;
  int64_t *taps; /* [n_taps] */
} Residue;

static void
find_residue (int64_t index, int64_t extent, int64_t kernel, int64_t stride,
    int64_t dilation, int64_t pad, int64_t *taps, Residue *residue)
{
  /* pixel + pad = output * stride + k * dilation */
  int64_t first = index - pad % stride;
  *residue =
      (Residue) { .first = first < 0 ? first + stride : first, .taps = taps };
  if (residue->first < extent)
    residue->count = (extent - residue->first + stride - 1) / stride;
  for (int64_t k = 0; k < kernel; k++)
    if ((residue->first + pad - k * dilation) % stride == 0)
      taps[residue->n_taps++] = k;
}

/* Tiles of mr pixels never leave a row of a class, since the stride between
 * their pixels must be the same; without strides all pixels are one row. */
typedef struct {
  Residue y, x;
  int64_t rows, columns; /* as tiled */
  int64_t n_taps, row_tiles;
} Class;

static void
make_class (const ForgeConv *conv, int64_t index, int64_t *taps, Class *class)
{
  const ForgeWindow *w = &conv->window;
  find_residue (
      index / w->sw, w->ih, w->kh, w->sh, w->dh, w->pad_top, taps, &class->y);
  find_residue (index % w->sw, w->iw, w->kw, w->sw, w->dw, w->pad_left,
      taps + w->kh, &class->x);
  class->rows = class->y.count;
  class->columns = class->x.count;
  if (w->sh == 1 && w->sw == 1) {
    class->columns *= class->rows;
    class->rows = 1;
  }
  int64_t mr = (int64_t) forge_kernels ()->igemm_mr;
  class->n_taps = class->y.n_taps * class->x.n_taps;
  class->row_tiles = (class->columns + mr - 1) / mr;
}

/* Scratch for the largest class: weights as [C][taps][O], packed weights,
 * a zero row, the tap lists, and a pointer for each tile, tap and row. */
typedef struct {
  size_t plain_at, packed_at, zero_at, taps_at, rows_at, total;
  size_t group_count; /* packed floats of one group, at all taps */
} Plan;

static Plan
plan_of (const ForgeConv *conv)
{
  const ForgeWindow *w = &conv->window;
  size_t mr = forge_kernels ()->igemm_mr;
  size_t in_rows = w->sh == 1 && w->sw == 1 ? 1 : (size_t) w->ih;
  size_t pixels = (size_t) conv->in_pixels + in_rows * mr;
  Plan plan = { 0 };
  plan.group_count = forge_pack_igemm_f32_count ((size_t) conv->group_c,
      (size_t) conv->taps, (size_t) conv->group_o, forge_kernels ()->igemm_nr);
  plan.packed_at =
      forge_conv_align ((size_t) (conv->group_c * conv->taps * conv->group_o));
  plan.zero_at =
      plan.packed_at + forge_conv_align (plan.group_count * conv->groups);
  plan.taps_at = plan.zero_at + forge_conv_align ((size_t) conv->group_o);
  plan.rows_at =
      plan.taps_at + forge_conv_align ((size_t) (w->kh + w->kw) *
                                       sizeof (int64_t) / sizeof (float));
  plan.total =
      plan.rows_at + forge_conv_align (pixels * (size_t) conv->taps *
                                       sizeof (float *) / sizeof (float));
  return plan;
}

size_t
forge_conv_dx_count (const ForgeConv *conv)
{
  return plan_of (conv).total;
}

typedef struct {
  const ForgeConvGradient *gradient;
  const Class *class;
  const float **rows; /* [tile][tap][mr], of the first image */
  const float *zero, *packed;
  size_t group_count; /* of this class */
  ForgeBlocks blocks; /* of one group of one image */
} Job;

static void
pack_group (const Job *job, int64_t g, float *plain, float *packed)
{
  const ForgeConv *conv = job->gradient->conv;
  const Class *class = job->class;
  float *to = plain;
  for (int64_t c = 0; c < conv->group_c; c++)
    for (int64_t k = 0; k < class->n_taps; k++) {
      int64_t tap = class->y.taps[k / class->x.n_taps] * conv->window.kw +
                    class->x.taps[k % class->x.n_taps];
      const float *from = job->gradient->weights +
                          (g * conv->group_o * conv->group_c + c) * conv->taps +
                          tap;
      for (int64_t o = 0; o < conv->group_o; o++)
        *to++ = from[o * conv->group_c * conv->taps];
    }
  forge_pack_igemm_f32 ((size_t) conv->group_c, (size_t) class->n_taps,
      (size_t) conv->group_o, forge_kernels ()->igemm_nr, plain,
      class->n_taps * conv->group_o, conv->group_o, 1, NULL, packed);
}

/* The output that reads pixel (y, x) through kernel position (ky, kx). */
static const float *
row_at (const Job *job, int64_t y, int64_t x, int64_t ky, int64_t kx)
{
  const ForgeConv *conv = job->gradient->conv;
  const ForgeWindow *w = &conv->window;
  int64_t oy = y + w->pad_top - ky * w->dh, ox = x + w->pad_left - kx * w->dw;
  if (oy < 0 || ox < 0 || oy / w->sh >= w->oh || ox / w->sw >= w->ow)
    return job->zero;
  return job->gradient->dy + (oy / w->sh * w->ow + ox / w->sw) * conv->o;
}

/* Pixel @index of the rows x columns of a class. */
static void
pixel_of (const Job *job, int64_t index, int64_t *y, int64_t *x)
{
  const Class *class = job->class;
  const ForgeWindow *w = &job->gradient->conv->window;
  *y = class->y.first + index / class->x.count * w->sh;
  *x = class->x.first + index % class->x.count * w->sw;
}

static void
write_rows (const Job *job)
{
  const Class *class = job->class;
  int64_t mr = (int64_t) forge_kernels ()->igemm_mr;
  const float **row = job->rows;
  for (int64_t tile = 0; tile < job->blocks.tiles; tile++) {
    int64_t first = tile % class->row_tiles * mr;
    int64_t line = tile / class->row_tiles * class->columns;
    for (int64_t k = 0; k < class->n_taps; k++)
      for (int64_t m = 0; m < mr; m++) {
        int64_t y, x;
        pixel_of (job, line + MIN (first + m, class->columns - 1), &y, &x);
        *row++ = row_at (job, y, x, class->y.taps[k / class->x.n_taps],
            class->x.taps[k % class->x.n_taps]);
      }
  }
}

static void
run_tile (
    const Job *job, int64_t n, int64_t g, const ForgeBlock *block, int64_t tile)
{
  const ForgeConv *conv = job->gradient->conv;
  const ForgeWindow *w = &conv->window;
  const Class *class = job->class;
  const ForgeKernels *kernels = forge_kernels ();
  int64_t mr = (int64_t) kernels->igemm_mr, nr = (int64_t) kernels->igemm_nr;
  int64_t first = tile % class->row_tiles * mr, y, x;
  int64_t c = block->panel * nr,
          end = MIN (block->end_panel * nr, conv->group_c);
  pixel_of (job, tile / class->row_tiles * class->columns + first, &y, &x);
  float *out = job->gradient->dx +
               (n * conv->in_pixels + y * w->iw + x) * conv->c +
               g * conv->group_c + c;
  const float *packed = job->packed + (size_t) g * job->group_count +
                        block->panel * job->blocks.panel_floats;
  kernels->igemm_f32 ((size_t) MIN (mr, class->columns - first),
      (size_t) (end - c), (size_t) conv->group_o, (size_t) class->n_taps,
      job->rows + tile * class->n_taps * mr,
      n * conv->out_pixels * conv->o + g * conv->group_o, job->zero, packed,
      out, w->sw * conv->c, NULL, 0, -INFINITY, INFINITY, FORGE_AHEAD_NONE);
}

static void
run_task (void *data, int task)
{
  const Job *job = data;
  int64_t groups = job->gradient->conv->groups;
  int64_t count = forge_blocks_count (&job->blocks);
  const ForgeBlock block = forge_blocks_get (&job->blocks, task % count);
  int64_t g = task / count % groups, n = task / count / groups;
  for (int64_t tile = block.tile; tile < block.end_tile; tile++)
    run_tile (job, n, g, &block, tile);
}

static void
run_class (const ForgeConvGradient *gradient, const Plan *plan, Job *job)
{
  const ForgeConv *conv = gradient->conv;
  const Class *class = job->class;
  int64_t nr = (int64_t) forge_kernels ()->igemm_nr;
  job->blocks = forge_blocks_cut (
      class->rows * class->row_tiles * (int64_t) forge_kernels ()->igemm_mr,
      conv->group_c, class->n_taps * conv->group_o, 1, 1);
  job->group_count = forge_pack_igemm_f32_count ((size_t) conv->group_c,
      (size_t) class->n_taps, (size_t) conv->group_o, (size_t) nr);
  float *packed = gradient->scratch + plan->packed_at;
  job->packed = packed;
  for (int64_t g = 0; g < conv->groups; g++)
    pack_group (job, g, gradient->scratch + plan->plain_at,
        packed + (size_t) g * job->group_count);
  write_rows (job);
  forge_pool_run (gradient->threads,
      (int) (conv->n * conv->groups) * forge_blocks_count (&job->blocks),
      run_task, job);
}

/* Where the stride is larger than the kernel some pixels are never read. */
static gboolean
leaves_gaps (const ForgeConv *conv)
{
  const ForgeWindow *w = &conv->window;
  return w->sh > 1 + (w->kh - 1) * w->dh || w->sw > 1 + (w->kw - 1) * w->dw ||
         w->dh > 1 || w->dw > 1;
}

void
forge_conv_dx (const ForgeConvGradient *gradient)
{
  const ForgeConv *conv = gradient->conv;
  const ForgeWindow *w = &conv->window;
  Plan plan = plan_of (conv);
  float *zero = gradient->scratch + plan.zero_at;
  memset (zero, 0, (size_t) conv->group_o * sizeof *zero);
  if (leaves_gaps (conv))
    memset (gradient->dx, 0,
        (size_t) (conv->n * conv->in_pixels * conv->c) * sizeof (float));
  for (int64_t i = 0; i < w->sh * w->sw; i++) {
    Class class;
    Job job = { .gradient = gradient, .class = &class, .zero = zero };
    job.rows = (const float **) (void *) (gradient->scratch + plan.rows_at);
    make_class (conv, i,
        (int64_t *) (void *) (gradient->scratch + plan.taps_at), &class);
    if (class.rows > 0 && class.columns > 0 && class.n_taps > 0)
      run_class (gradient, &plan, &job);
  }
}
