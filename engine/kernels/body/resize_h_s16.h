/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Horizontal pass of the resize where loads cannot be masked. Eight samples
 * are multiplied by eight weights in exact int32; weights past the last tap
 * are cleared. Four outputs are summed up together. The loads may reach past
 * the last tap, so outputs near the end of the row or of the weights go to ref:
 * the farthest tap of any output is as far as the row is known to go. */
#include <stdbool.h>

#include "kernels/simd/pixels.h"

enum { GROUP = 4 };

typedef struct {
  size_t n_out, n_taps;
  const int32_t *start;
  const int16_t *weights;
  const int16_t *in;
  uint8_t *out;
  size_t out_step;
} Job;

/* One past the last pixel that some output reads. */
static int64_t
known_pixels (const Job *job)
{
  int32_t last = job->start[0];
  for (size_t x = 1; x < job->n_out; x++)
    last = job->start[x] > last ? job->start[x] : last;
  return (int64_t) last + (int64_t) job->n_taps;
}

/* Whether four outputs from x on may load whole vectors. */
static bool
is_inside (const Job *job, size_t x, int64_t n_pixels)
{
  const size_t padded = (job->n_taps + VH_WIDTH - 1) / VH_WIDTH * VH_WIDTH;
  if ((x + GROUP - 1) * job->n_taps + padded > job->n_out * job->n_taps)
    return false;
  for (size_t i = x; i < x + GROUP; i++)
    if (job->start[i] + (int64_t) padded > n_pixels)
      return false;
  return true;
}

static ALWAYS_INLINE vq
sum_products (const Job *job, size_t x)
{
  const int16_t *in = job->in + job->start[x];
  const int16_t *weights = job->weights + x * job->n_taps;
  vq sum = vq_zero ();
  size_t left = job->n_taps;
  for (; left >= VH_WIDTH; left -= VH_WIDTH) {
    sum = vq_madd (sum, vh_load (in), vh_load (weights));
    in += VH_WIDTH;
    weights += VH_WIDTH;
  }
  if (left > 0)
    sum = vq_madd (sum, vh_load (in), vh_keep_n (vh_load (weights), left));
  return sum;
}

void
FORGE_VARIANT (resize_h_s16) (size_t n_out, size_t n_taps, const int32_t *start,
    const int16_t *weights, const int16_t *in, uint8_t *out, size_t out_step)
{
  const Job job = { n_out, n_taps, start, weights, in, out, out_step };
  const int64_t n_pixels = known_pixels (&job);
  for (size_t x = 0; x < n_out; x += GROUP, out += GROUP * out_step) {
    const size_t left = n_out - x;
    if (left < GROUP || !is_inside (&job, x, n_pixels)) {
      forge_resize_h_s16_ref (left < GROUP ? left : GROUP, n_taps, start + x,
          weights + x * n_taps, in, out, out_step);
      continue;
    }
    uint32_t bytes =
        vq_sum4_shifted21 (sum_products (&job, x), sum_products (&job, x + 1),
            sum_products (&job, x + 2), sum_products (&job, x + 3));
    for (size_t i = 0; i < GROUP; i++, bytes >>= 8)
      out[i * out_step] = (uint8_t) bytes;
  }
}
