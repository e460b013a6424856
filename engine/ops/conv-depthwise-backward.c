/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gradients of a depthwise convolution, channels side by side in vectors:
 * weights as [taps, C]. The images are cut into parts by their number alone,
 * each with a dW of its own, added in order. */
#include <string.h>

#include "base/alloc.h"
#include "ops/conv-backward.h"
#include "ops/op-util.h"

#define MAX_PARTS 16

static int64_t
count_parts (const ForgeConv *conv)
{
  return MIN (conv->n, MAX_PARTS);
}

size_t
forge_depthwise_backward_count (const ForgeConv *conv)
{
  return (size_t) ((count_parts (conv) + 1) * conv->taps * conv->c);
}

typedef struct {
  const ForgeConvGradient *gradient;
  const float *weights; /* [taps, C] */
  float *parts;         /* [parts][taps, C] */
} Job;

static void
add_products (float *restrict sum, const float *restrict a,
    const float *restrict b, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    sum[i] += a[i] * b[i];
}

/* One output pixel through all its taps. */
static void
back_pixel (const Job *job, int64_t n, int64_t y, int64_t x, float *dw)
{
  const ForgeConv *conv = job->gradient->conv;
  const ForgeWindow *w = &conv->window;
  const float *dy =
      job->gradient->dy + (n * conv->out_pixels + y * w->ow + x) * conv->c;
  for (int64_t ky = 0; ky < w->kh; ky++) {
    int64_t iy = y * w->sh - w->pad_top + ky * w->dh;
    if (iy < 0 || iy >= w->ih)
      continue;
    for (int64_t kx = 0; kx < w->kw; kx++) {
      int64_t ix = x * w->sw - w->pad_left + kx * w->dw;
      if (ix < 0 || ix >= w->iw)
        continue;
      int64_t at = (n * conv->in_pixels + iy * w->iw + ix) * conv->c;
      int64_t k = (ky * w->kw + kx) * conv->c;
      if (job->gradient->dw)
        add_products (dw + k, dy, job->gradient->x + at, conv->c);
      if (job->gradient->dx)
        add_products (job->gradient->dx + at, dy, job->weights + k, conv->c);
    }
  }
}

static void
run_part (void *data, int index)
{
  const Job *job = data;
  const ForgeConvGradient *gradient = job->gradient;
  const ForgeConv *conv = gradient->conv;
  int64_t n_parts = count_parts (conv);
  int64_t begin = conv->n * index / n_parts;
  int64_t end = conv->n * (index + 1) / n_parts;
  int64_t in_count = conv->in_pixels * conv->c;
  float *dw = job->parts + index * conv->taps * conv->c;
  memset (dw, 0, (size_t) (conv->taps * conv->c) * sizeof *dw);
  if (gradient->dx)
    memset (gradient->dx + begin * in_count, 0,
        (size_t) ((end - begin) * in_count) * sizeof (float));
  for (int64_t n = begin; n < end; n++)
    for (int64_t p = 0; p < conv->out_pixels; p++)
      back_pixel (job, n, p / conv->window.ow, p % conv->window.ow, dw);
}

void
forge_depthwise_backward (const ForgeConvGradient *gradient)
{
  const ForgeConv *conv = gradient->conv;
  int64_t count = conv->taps * conv->c, n_parts = count_parts (conv);
  float *weights = gradient->scratch;
  Job job = { gradient, weights, weights + count };
  forge_op_swap_inner (1, 1, conv->c, conv->taps, gradient->weights, weights);
  forge_pool_run (gradient->threads, (int) n_parts, run_part, &job);
  if (!gradient->dw)
    return;
  for (int64_t part = 1; part < n_parts; part++)
    for (int64_t i = 0; i < count; i++)
      job.parts[i] += job.parts[part * count + i];
  forge_op_swap_inner (1, 1, conv->taps, conv->c, job.parts, gradient->dw);
}
