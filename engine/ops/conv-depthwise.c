/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Depthwise convolution. Windows of 3, 5 or 7 columns at stride 1 or 2 go to
 * dwslide_f32 in groups of four neighbours, which share columns of input; the
 * last group of a row ends with the row and may lie over the one before, so
 * that no pixel is left over. Groups end at rows and tasks are whole rows: no
 * two threads write one pixel. All other windows go to dwconv_f32. */
#include "ops/conv-depthwise.h"

#include "base/pool.h"
#include "kernels/kernels.h"
#include "ops/op-util.h"

/* Rows make about so many tasks an image, small ones as many as they have. */
enum {
  GROUP = FORGE_DWSLIDE_PIXELS,
  MAX_SIDE = 7,
  TASK_PIXELS = 64,
  TASKS = 16
};

void
forge_depthwise_plan (const ForgeConv *conv, ForgeDepthwise *plan)
{
  const ForgeWindow *w = &conv->window;
  *plan = (ForgeDepthwise) { .task_pixels = TASK_PIXELS,
    .n_pointers = (size_t) (conv->out_pixels * conv->taps) };
  if ((w->kw != 3 && w->kw != 5 && w->kw != 7) || w->kh > MAX_SIDE ||
      w->sw > 2 || w->dw != 1 || w->ow < GROUP)
    return;
  plan->slides = TRUE;
  plan->groups = (w->ow + GROUP - 1) / GROUP;
  plan->columns = w->sw * (GROUP - 1) + w->kw;
  plan->task_pixels = MAX (w->oh / TASKS, 1) * w->ow;
  plan->n_pointers = (size_t) (w->oh * plan->groups * w->kh * plan->columns);
}

/* Of one row of outputs. */
static const float **
bind_row (const ForgeConv *conv, const ForgeDepthwise *plan, int64_t oy,
    const float *in, ptrdiff_t in_stride_elems, const float *zero,
    const float **rows)
{
  const ForgeWindow *w = &conv->window;
  for (int64_t g = 0; g < plan->groups; g++) {
    int64_t left = MIN (GROUP * g, w->ow - GROUP) * w->sw - w->pad_left;
    for (int64_t k = 0; k < w->kh * plan->columns; k++) {
      int64_t y = oy * w->sh - w->pad_top + k / plan->columns * w->dh;
      int64_t x = left + k % plan->columns;
      gboolean inside = y >= 0 && y < w->ih && x >= 0 && x < w->iw;
      *rows++ = inside ? in + (y * w->iw + x) * in_stride_elems : zero;
    }
  }
  return rows;
}

void
forge_depthwise_bind (const ForgeConv *conv, const ForgeDepthwise *plan,
    const float *in, ptrdiff_t in_stride_elems, const float *zero,
    const float **rows, uint32_t *pixels)
{
  const ForgeWindow *w = &conv->window;
  if (!plan->slides) {
    for (int64_t i = 0; i < conv->out_pixels * conv->taps; i++) {
      int64_t pixel = i / conv->taps;
      int64_t at =
          forge_window_pixel (w, pixel / w->ow, pixel % w->ow, i % conv->taps);
      rows[i] = at < 0 ? zero : in + at * in_stride_elems;
    }
    return;
  }
  for (int64_t g = 0; g < plan->groups; g++)
    pixels[g] = (uint32_t) MIN (GROUP * g, w->ow - GROUP);
  for (int64_t y = 0; y < w->oh; y++)
    rows = bind_row (conv, plan, y, in, in_stride_elems, zero, rows);
}

/* Whole rows, @first their first pixel. */
static void
slide (const ForgeDepthwiseJob *job, int64_t first, int64_t n_pixels,
    ptrdiff_t offset, float *out)
{
  const ForgeConv *conv = job->conv;
  const ForgeWindow *w = &conv->window;
  int64_t row_pointers = job->plan->groups * w->kh * job->plan->columns;
  for (int64_t y = first / w->ow; y < (first + n_pixels) / w->ow; y++) {
    forge_kernels ()->dwslide_f32 ((size_t) job->plan->groups, (size_t) conv->c,
        (size_t) w->kh, (size_t) w->kw, (size_t) w->sw,
        job->rows + y * row_pointers, offset, job->zero, job->weights,
        job->pixels, out, job->out_stride_elems, job->min, job->max);
    forge_op_activate_rows (job->activation, (size_t) w->ow, (size_t) conv->o,
        out, job->out_stride_elems);
    out += w->ow * job->out_stride_elems;
  }
}

/* Any pixels. */
static void
gather (const ForgeDepthwiseJob *job, int64_t first, int64_t n_pixels,
    ptrdiff_t offset, float *out)
{
  const ForgeConv *conv = job->conv;
  forge_kernels ()->dwconv_f32 ((size_t) n_pixels, (size_t) conv->c,
      (size_t) conv->taps, job->rows + first * conv->taps, offset, job->zero,
      job->weights, out, job->out_stride_elems, job->min, job->max);
  forge_op_activate_rows (job->activation, (size_t) n_pixels, (size_t) conv->o,
      out, job->out_stride_elems);
}

static void
run_task (void *data, int task)
{
  const ForgeDepthwiseJob *job = data;
  const ForgeConv *conv = job->conv;
  int64_t task_pixels = job->plan->task_pixels;
  int64_t image_tasks = (conv->out_pixels + task_pixels - 1) / task_pixels;
  int64_t n = task / image_tasks, first = task % image_tasks * task_pixels;
  int64_t n_pixels = MIN (task_pixels, conv->out_pixels - first);
  (job->plan->slides ? slide : gather) (job, first, n_pixels,
      n * conv->in_pixels * job->in_stride_elems,
      job->out + (n * conv->out_pixels + first) * job->out_stride_elems);
}

void
forge_depthwise_run (int threads, const ForgeDepthwiseJob *job)
{
  const ForgeConv *conv = job->conv;
  int64_t task_pixels = job->plan->task_pixels;
  int64_t image_tasks = (conv->out_pixels + task_pixels - 1) / task_pixels;
  forge_pool_run (
      threads, (int) (conv->n * image_tasks), run_task, (void *) job);
}
