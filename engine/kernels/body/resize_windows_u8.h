/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Resize by two taps each way, the pixels taken out of windows of 16 bytes:
 * one load and one shuffle bring four samples to where the sums want them,
 * where resize_pairs_u8 inserts pixel by pixel. Both rows' samples meet in one
 * register, are summed, and then neighbours are. */
#include <stdbool.h>

#include "kernels/simd/pixels.h"

enum { GROUP = FORGE_WINDOW_OUTPUTS };

typedef struct {
  const int16_t *weights;
  const uint8_t *rows[2];
  vs_pair row_weights;
} Job;

/* Sums over the rows: of four vectors from v. */
static ALWAYS_INLINE vw
sum_rows (const Job *job, const ForgeWindows *group, const size_t v)
{
  return vw_sum_windows (job->rows[0], job->rows[1], group->base + v,
      group->turn[v], job->row_weights);
}

/* Eight outputs of one channel. */
static ALWAYS_INLINE void
group_of_one (const Job *job, const ForgeWindows *group, uint8_t *out)
{
  vd_store_u8 (out, vd_pairs_shifted21 (sum_rows (job, group, 0),
                        vw_load (job->weights + 2 * group->x)));
}

/* Eight outputs of two channels. */
static ALWAYS_INLINE void
group_of_two (
    const Job *job, const ForgeWindows *group, uint8_t *first, uint8_t *second)
{
  const int16_t *weights = job->weights + 2 * group->x;
  vd_split_u8 (first, second,
      vd_pairs_shifted21 (sum_rows (job, group, 0), vw_load_twice (weights)),
      vd_pairs_shifted21 (
          sum_rows (job, group, 4), vw_load_twice (weights + GROUP)));
}

static ALWAYS_INLINE void
run_direct (const Job *job, const size_t step, size_t n_groups,
    const ForgeWindows *groups, uint8_t *first, uint8_t *second)
{
  uint8_t none[GROUP];
  for (size_t g = 0; g < n_groups; g++) {
    const int32_t x = groups[g].x;
    if (step == 1)
      group_of_one (job, &groups[g], first + x);
    else
      group_of_two (job, &groups[g], first ? first + x : none,
          second ? second + x : none);
  }
}

static ALWAYS_INLINE void
run_spread (const Job *job, const size_t step, size_t n_groups,
    const ForgeWindows *groups, uint8_t *const *out, size_t out_step)
{
  for (size_t g = 0; g < n_groups; g++) {
    uint8_t bytes[2][GROUP];
    if (step == 1)
      group_of_one (job, &groups[g], bytes[0]);
    else
      group_of_two (job, &groups[g], bytes[0], bytes[1]);
    for (size_t c = 0; c < step; c++)
      for (size_t i = 0; out[c] && i < GROUP; i++)
        out[c][((size_t) groups[g].x + i) * out_step] = bytes[c][i];
  }
}

void
FORGE_VARIANT (resize_windows_u8) (size_t n_groups, size_t step,
    const ForgeWindows *groups, const int16_t *weights,
    const uint8_t *const *rows, const int16_t *row_weights, uint8_t *const *out,
    size_t out_step)
{
  const Job job = { weights, { rows[0], rows[1] },
    vs_weights (row_weights[0], row_weights[1]) };
  const bool direct = out_step == 1 && (step == 2 || out[0]);
  if (direct && step == 1)
    run_direct (&job, 1, n_groups, groups, out[0], NULL);
  else if (direct)
    run_direct (&job, 2, n_groups, groups, out[0], out[1]);
  else if (step == 1)
    run_spread (&job, 1, n_groups, groups, out, out_step);
  else
    run_spread (&job, 2, n_groups, groups, out, out_step);
}
