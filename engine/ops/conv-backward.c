/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gradients of Conv, over [N, H, W, C]:
 *   dW[o, k, c] = sum over pixels of dy[p, o] x[pixel (p, k), c]
 *   dx[pixel (p, k), c] += sum over o of dy[p, o] W[o, k, c]
 *   db[o] = sum of dy[p, o]
 * The images are cut into chunks by their number alone. A chunk gathers
 * blocks of windows into a matrix (im2col), multiplies with BLAS and sums
 * into its own dW, and the chunks are added in order: the result does not
 * depend on threads. */
#include <cblas.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/conv.h"
#include "ops/op-util.h"

#define BLOCK_PIXELS 256
#define MAX_CHUNKS 16
#define MAX_PARTIAL_BYTES ((size_t) 64 << 20)

/* Places in backward_workspace, in floats. */
typedef struct {
  size_t x, dy, dx; /* NHWC copies of an NCHW node */
  size_t weights;   /* [O, taps, C / groups], depthwise [taps, C] */
  size_t partials;  /* chunks of weight gradients, then of bias gradients */
  size_t columns;   /* chunks of [BLOCK_PIXELS, taps, C / groups] */
  size_t total;
  size_t weight_count, partial_count, column_count;
  int64_t n_chunks;
} Plan;

static size_t
take (Plan *plan, size_t n_floats)
{
  size_t at = plan->total;
  plan->total += forge_align_up (n_floats * sizeof (float)) / sizeof (float);
  return at;
}

static void
plan_init (const ForgeNode *node, const ForgeConv *conv, Plan *plan)
{
  size_t row = (size_t) (conv->taps * conv->group_c);
  memset (plan, 0, sizeof *plan);
  plan->weight_count = (size_t) conv->o * row;
  plan->partial_count =
      forge_align_up ((plan->weight_count + (size_t) conv->o) * 4) / 4;
  size_t fit = MAX_PARTIAL_BYTES / (plan->partial_count * sizeof (float));
  plan->n_chunks = MIN (conv->n, CLAMP ((int64_t) fit, 1, MAX_CHUNKS));
  plan->column_count = (size_t) MIN (conv->out_pixels, BLOCK_PIXELS) * row;
  if (!node->nhwc) {
    plan->x = take (plan, (size_t) (conv->n * conv->in_pixels * conv->c));
    plan->dx = take (plan, (size_t) (conv->n * conv->in_pixels * conv->c));
    plan->dy = take (plan, (size_t) (conv->n * conv->out_pixels * conv->o));
  }
  plan->weights = take (plan, plan->weight_count);
  plan->partials = take (plan, (size_t) plan->n_chunks * plan->partial_count);
  if (!conv->depthwise)
    plan->columns = take (plan, (size_t) plan->n_chunks * plan->column_count);
}

size_t
forge_conv_backward_bytes (const ForgeNode *node, const ForgeConv *conv)
{
  Plan plan;
  plan_init (node, conv, &plan);
  return plan.total * sizeof (float);
}

typedef struct {
  ForgeConv conv;
  Plan plan;
  const float *x, *dy, *weights;
  float *dx, *partials, *columns;
  gboolean wants_dw, wants_db;
} Job;

/* [O, C, taps] to [O, taps, C], and back for the gradient. Depthwise weights
 * are one matrix [C, taps]. */
static void
reorder (const ForgeConv *conv, gboolean forth, const float *src, float *dst)
{
  int64_t n = conv->depthwise ? 1 : conv->o;
  int64_t c = conv->depthwise ? conv->c : conv->group_c;
  forge_op_swap_inner (
      1, n, forth ? c : conv->taps, forth ? conv->taps : c, src, dst);
}

/* The taps of one kernel row at @tap lie side by side in memory: all inside,
 * no dilation, no other groups between them. */
static gboolean
is_row (const ForgeConv *conv, int64_t oy, int64_t ox, int64_t tap)
{
  const ForgeWindow *w = &conv->window;
  return w->dw == 1 && conv->group_c == conv->c &&
         forge_window_pixel (w, oy, ox, tap) >= 0 &&
         forge_window_pixel (w, oy, ox, tap + w->kw - 1) >= 0;
}

static void
gather (const Job *job, const float *x, int64_t first, int64_t n_pixels,
    float *columns)
{
  const ForgeConv *conv = &job->conv;
  const ForgeWindow *w = &conv->window;
  for (int64_t p = first; p < first + n_pixels; p++) {
    int64_t oy = p / w->ow, ox = p % w->ow, n_taps;
    for (int64_t k = 0; k < conv->taps; k += n_taps) {
      n_taps = k % w->kw == 0 && is_row (conv, oy, ox, k) ? w->kw : 1;
      size_t count = (size_t) (n_taps * conv->group_c);
      int64_t at = forge_window_pixel (w, oy, ox, k);
      if (at < 0)
        memset (columns, 0, count * sizeof *columns);
      else
        memcpy (columns, x + at * conv->c, count * sizeof *columns);
      columns += count;
    }
  }
}

static void
add_to (float *restrict sum, const float *restrict values, size_t count)
{
  for (size_t i = 0; i < count; i++)
    sum[i] += values[i];
}

static void
scatter (const Job *job, const float *columns, int64_t first, int64_t n_pixels,
    float *dx)
{
  const ForgeConv *conv = &job->conv;
  const ForgeWindow *w = &conv->window;
  for (int64_t p = first; p < first + n_pixels; p++) {
    int64_t oy = p / w->ow, ox = p % w->ow, n_taps;
    for (int64_t k = 0; k < conv->taps; k += n_taps) {
      n_taps = k % w->kw == 0 && is_row (conv, oy, ox, k) ? w->kw : 1;
      size_t count = (size_t) (n_taps * conv->group_c);
      int64_t at = forge_window_pixel (w, oy, ox, k);
      if (at >= 0)
        add_to (dx + at * conv->c, columns, count);
      columns += count;
    }
  }
}

/* One block of pixels of one group of one image. */
static void
block_backward (const Job *job, int64_t n, int64_t g, int64_t first,
    float *columns, float *dw)
{
  const ForgeConv *conv = &job->conv;
  int64_t row = conv->taps * conv->group_c;
  int64_t pixels = MIN (BLOCK_PIXELS, conv->out_pixels - first);
  const float *dy =
      job->dy + (n * conv->out_pixels + first) * conv->o + g * conv->group_o;
  int64_t in_at = n * conv->in_pixels * conv->c + g * conv->group_c;
  if (job->wants_dw) {
    gather (job, job->x + in_at, first, pixels, columns);
    cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, (int) conv->group_o,
        (int) row, (int) pixels, 1, dy, (int) conv->o, columns, (int) row, 1,
        dw + g * conv->group_o * row, (int) row);
  }
  if (job->dx) {
    cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, (int) pixels,
        (int) row, (int) conv->group_o, 1, dy, (int) conv->o,
        job->weights + g * conv->group_o * row, (int) row, 0, columns,
        (int) row);
    scatter (job, columns, first, pixels, job->dx + in_at);
  }
}

static void
depthwise_image (const Job *job, int64_t n, float *dw)
{
  const ForgeConv *conv = &job->conv;
  const ForgeWindow *w = &conv->window;
  int64_t in_at = n * conv->in_pixels * conv->c;
  for (int64_t p = 0; p < conv->out_pixels; p++)
    for (int64_t k = 0; k < conv->taps; k++) {
      int64_t at = forge_window_pixel (w, p / w->ow, p % w->ow, k);
      if (at < 0)
        continue;
      const float *dy = job->dy + (n * conv->out_pixels + p) * conv->o;
      const float *x = job->x + in_at + at * conv->c;
      const float *weights = job->weights + k * conv->c;
      float *sum = dw + k * conv->c;
      float *dx = job->dx ? job->dx + in_at + at * conv->c : NULL;
      for (int64_t c = 0; c < conv->c && job->wants_dw; c++)
        sum[c] += dy[c] * x[c];
      for (int64_t c = 0; c < conv->c && dx; c++)
        dx[c] += dy[c] * weights[c];
    }
}

static void
bias_image (const Job *job, int64_t n, float *db)
{
  const ForgeConv *conv = &job->conv;
  const float *dy = job->dy + n * conv->out_pixels * conv->o;
  for (int64_t p = 0; p < conv->out_pixels; p++)
    add_to (db, dy + p * conv->o, (size_t) conv->o);
}

static void
chunk_backward (void *data, int chunk)
{
  const Job *job = data;
  const ForgeConv *conv = &job->conv;
  const Plan *plan = &job->plan;
  size_t in_count = (size_t) (conv->in_pixels * conv->c);
  float *dw = job->partials + (size_t) chunk * plan->partial_count;
  float *columns = job->columns + (size_t) chunk * plan->column_count;
  memset (dw, 0, plan->partial_count * sizeof *dw);
  int64_t end = conv->n * (chunk + 1) / plan->n_chunks;
  for (int64_t n = conv->n * chunk / plan->n_chunks; n < end; n++) {
    if (job->dx)
      memset (job->dx + (size_t) n * in_count, 0, in_count * sizeof (float));
    if (job->wants_db)
      bias_image (job, n, dw + plan->weight_count);
    if (conv->depthwise) {
      depthwise_image (job, n, dw);
      continue;
    }
    for (int64_t g = 0; g < conv->groups; g++)
      for (int64_t p = 0; p < conv->out_pixels; p += BLOCK_PIXELS)
        block_backward (job, n, g, p, columns, dw);
  }
}

static void
add_partials (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const Plan *plan = &job->plan;
  for (int64_t chunk = 1; chunk < plan->n_chunks; chunk++) {
    const float *from = job->partials + (size_t) chunk * plan->partial_count;
    for (size_t i = begin; i < end; i++)
      job->partials[i] += from[i];
  }
}

static void
job_run (const ForgeStep *step, const ForgeGradients *gradients, Job *job)
{
  const Plan *plan = &job->plan;
  ForgeTensor *dw = gradients->d_in[1];
  forge_pool_run (step->threads, (int) plan->n_chunks, chunk_backward, job);
  if (job->wants_dw || job->wants_db)
    forge_op_ranges (step->threads, plan->weight_count + (size_t) job->conv.o,
        FORGE_OP_GRAIN / MAX_CHUNKS, add_partials, job);
  if (dw)
    reorder (&job->conv, FALSE, job->partials, dw->data);
  if (job->wants_db)
    memcpy (gradients->d_in[2]->data, job->partials + plan->weight_count,
        gradients->d_in[2]->size_bytes);
}

void
forge_conv_backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  Job job = { .wants_dw = gradients->d_in[1] != NULL,
    .wants_db = step->n_in > 2 && gradients->d_in[2] };
  float *scratch = step->backward_workspace;
  ForgeTensor *dx = gradients->d_in[0];
  const ForgeConv *conv = &job.conv;
  if (!forge_conv_parse (step->node, &job.conv, NULL))
    return;
  plan_init (step->node, conv, &job.plan);
  const Plan *plan = &job.plan;
  job.x = step->in[0]->data;
  job.dy = gradients->d_out[0]->data;
  job.dx = dx ? dx->data : NULL;
  job.weights = scratch + plan->weights;
  job.partials = scratch + plan->partials;
  job.columns = scratch + plan->columns;
  reorder (conv, TRUE, step->in[1]->data, scratch + plan->weights);
  if (step->node->nhwc) {
    job_run (step, gradients, &job);
    return;
  }
  forge_op_swap_inner (step->threads, conv->n, conv->c, conv->in_pixels, job.x,
      scratch + plan->x);
  forge_op_swap_inner (step->threads, conv->n, conv->o, conv->out_pixels,
      job.dy, scratch + plan->dy);
  job.x = scratch + plan->x;
  job.dy = scratch + plan->dy;
  job.dx = dx ? scratch + plan->dx : NULL;
  job_run (step, gradients, &job);
  if (dx)
    forge_op_swap_inner (
        step->threads, conv->n, conv->in_pixels, conv->c, job.dx, dx->data);
}
