/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conv's weight gradient as sums of outer products. The images are cut into
 * parts by their number alone; a part goes through its images block of pixels
 * by block, tap by tap, and sums into a dW of its own; the parts are added in
 * order, so the result does not depend on threads. Without padding the taps
 * of one kernel row lie side by side in memory and count as one tap of more
 * channels. */
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "ops/conv-backward.h"
#include "ops/op-util.h"

/* Blocks of dy and x stay in L2 while all their products are summed. */
#define BLOCK_PIXELS 64
#define MAX_PARTS 16
#define MAX_PART_BYTES ((size_t) 64 << 20)

/* Places in scratch, and the sum as [taps][O][channels]. */
typedef struct {
  int64_t n_taps, n_channels; /* as summed: kernel rows, or taps */
  int64_t n_parts;
  size_t part_count;
  size_t zero_at, rows_at, total;
} Plan;

static Plan
plan_of (const ForgeConv *conv)
{
  const ForgeWindow *w = &conv->window;
  gboolean is_folded = conv->groups == 1 && w->dw == 1 && w->kw > 1 &&
                       w->pad_left == 0 && w->pad_right == 0;
  Plan plan = { .n_taps = is_folded ? w->kh : conv->taps,
    .n_channels = is_folded ? w->kw * conv->c : conv->group_c };
  plan.part_count =
      forge_conv_align ((size_t) (conv->taps * conv->o * conv->group_c));
  size_t fit = MAX_PART_BYTES / (plan.part_count * sizeof (float));
  plan.n_parts = MIN (conv->n, CLAMP ((int64_t) fit, 1, MAX_PARTS));
  plan.zero_at = (size_t) plan.n_parts * plan.part_count;
  plan.rows_at = plan.zero_at + forge_conv_align ((size_t) plan.n_channels);
  plan.total = plan.rows_at +
               forge_conv_align ((size_t) (plan.n_taps * conv->out_pixels) *
                                 sizeof (float *) / sizeof (float));
  return plan;
}

size_t
forge_conv_dw_count (const ForgeConv *conv)
{
  return plan_of (conv).total;
}

typedef struct {
  const ForgeConvGradient *gradient;
  Plan plan;
  const float **rows; /* [taps][out_pixels], of the first image */
  const float *zero;
  float *parts;
} Job;

static void
write_rows (const Job *job)
{
  const ForgeConv *conv = job->gradient->conv;
  const ForgeWindow *w = &conv->window;
  int64_t step = job->plan.n_taps == conv->taps ? 1 : w->kw;
  const float **row = job->rows;
  for (int64_t k = 0; k < job->plan.n_taps; k++)
    for (int64_t y = 0; y < w->oh; y++)
      for (int64_t x = 0; x < w->ow; x++) {
        int64_t at = forge_window_pixel (w, y, x, k * step);
        *row++ = at < 0 ? job->zero : job->gradient->x + at * conv->c;
      }
}

static void
sum_image (const Job *job, int64_t n, float *part)
{
  const ForgeConv *conv = job->gradient->conv;
  const Plan *plan = &job->plan;
  int64_t channels = plan->n_channels;
  for (int64_t first = 0; first < conv->out_pixels; first += BLOCK_PIXELS) {
    int64_t pixels = MIN (BLOCK_PIXELS, conv->out_pixels - first);
    const float *dy =
        job->gradient->dy + (n * conv->out_pixels + first) * conv->o;
    for (int64_t k = 0; k < plan->n_taps; k++)
      for (int64_t g = 0; g < conv->groups; g++)
        forge_kernels ()->outer_f32 ((size_t) conv->group_o, (size_t) channels,
            (size_t) pixels, dy + g * conv->group_o, conv->o,
            job->rows + k * conv->out_pixels + first,
            n * conv->in_pixels * conv->c + g * conv->group_c, job->zero,
            part + (k * conv->o + g * conv->group_o) * channels, channels);
  }
}

static void
sum_part (void *data, int index)
{
  const Job *job = data;
  const Plan *plan = &job->plan;
  int64_t n_images = job->gradient->conv->n;
  float *part = job->parts + (size_t) index * plan->part_count;
  memset (part, 0, plan->part_count * sizeof *part);
  int64_t end = n_images * (index + 1) / plan->n_parts;
  for (int64_t n = n_images * index / plan->n_parts; n < end; n++)
    sum_image (job, n, part);
}

/* Outputs begin to end: the sum of the parts, as [O, C, KH, KW]. */
static void
add_parts (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const ForgeConv *conv = job->gradient->conv;
  const Plan *plan = &job->plan;
  int64_t folded = conv->taps / plan->n_taps;
  for (int64_t o = (int64_t) begin; o < (int64_t) end; o++)
    for (int64_t k = 0; k < conv->taps; k++) {
      const float *from = job->parts +
                          (k / folded * conv->o + o) * plan->n_channels +
                          k % folded * conv->group_c;
      float *to = job->gradient->dw + o * conv->group_c * conv->taps + k;
      for (int64_t c = 0; c < conv->group_c; c++) {
        float sum = from[c];
        for (int64_t i = 1; i < plan->n_parts; i++)
          sum += from[(size_t) i * plan->part_count + (size_t) c];
        to[c * conv->taps] = sum;
      }
    }
}

void
forge_conv_dw (const ForgeConvGradient *gradient)
{
  const ForgeConv *conv = gradient->conv;
  Job job = {
    .gradient = gradient, .plan = plan_of (conv), .parts = gradient->scratch
  };
  float *zero = gradient->scratch + job.plan.zero_at;
  memset (zero, 0, (size_t) job.plan.n_channels * sizeof *zero);
  job.zero = zero;
  job.rows = (const float **) (void *) (gradient->scratch + job.plan.rows_at);
  write_rows (&job);
  forge_pool_run (gradient->threads, (int) job.plan.n_parts, sum_part, &job);
  forge_op_ranges (gradient->threads, (size_t) conv->o,
      (size_t) (FORGE_OP_GRAIN /
                MAX (conv->group_c * conv->taps * job.plan.n_parts, 1)) +
          1,
      add_parts, &job);
}
