/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Resize by two taps each way, eight outputs at a time. The pixels that count
 * go from the two rows into registers, pair by pair, and stay there: the rows
 * are summed, then neighbours. Where pixels have several samples those of one
 * channel are brought side by side in between. Fewer outputs than a group go
 * to ref. */
#include <stdbool.h>
#include <string.h>

#include "kernels/simd/pixels.h"

enum { GROUP = 8, MAX_STEP = 4 };

typedef struct {
  const int32_t *start;
  const int16_t *weights;
  const uint8_t *rows[2];
  vs_pair row_weights;
  uint8_t *out[MAX_STEP];
  size_t out_step;
} Job;

/* Sums over the rows of 16 samples: the pairs of output x and the next. */
static ALWAYS_INLINE vw
sum_rows (const Job *job, const size_t step, size_t x)
{
  const uint8_t *above = job->rows[0], *below = job->rows[1];
  const int32_t *start = job->start + x;
  if (step == 1)
    return vw_sum_rows (vb_load_eight2 (above, start),
        vb_load_eight2 (below, start), job->row_weights);
  if (step == 2)
    return vw_sum_rows (vb_load_four4 (above, start),
        vb_load_four4 (below, start), job->row_weights);
  if (step == 3)
    return vw_sum_rows (vb_load_two6 (above, start),
        vb_load_two6 (below, start), job->row_weights);
  return vw_sum_rows (vb_load_two8 (above, start), vb_load_two8 (below, start),
      job->row_weights);
}

/* Eight outputs of one channel. */
static ALWAYS_INLINE void
group_of_one (const Job *job, size_t x, uint8_t *out)
{
  vd_store_u8 (out, vd_pairs_shifted21 (
                        sum_rows (job, 1, x), vw_load (job->weights + 2 * x)));
}

/* Four outputs of two channels. */
static ALWAYS_INLINE vd
four_of_two (const Job *job, size_t x)
{
  return vd_pairs_shifted21 (
      vw_pair_up2 (sum_rows (job, 2, x)), vw_load_twice (job->weights + 2 * x));
}

/* Eight outputs of two channels. */
static ALWAYS_INLINE void
group_of_two (const Job *job, size_t x, uint8_t *first, uint8_t *second)
{
  vd_split_u8 (first, second, four_of_two (job, x), four_of_two (job, x + 4));
}

/* Two outputs of four channels. */
static ALWAYS_INLINE vd
two_of_four (const Job *job, const size_t step, size_t x)
{
  return vd_pairs_shifted21 (vw_pair_up4 (sum_rows (job, step, x)),
      vw_load_fourfold (job->weights + 2 * x));
}

/* Four outputs of four channels, interleaved. */
static ALWAYS_INLINE vb
four_of_four (const Job *job, const size_t step, size_t x)
{
  return vd_bytes (two_of_four (job, step, x), two_of_four (job, step, x + 2));
}

/* Eight outputs to where they belong. */
static ALWAYS_INLINE void
spread (const uint8_t *bytes, uint8_t *out, size_t out_step)
{
  for (size_t i = 0; i < GROUP; i++)
    out[i * out_step] = bytes[i];
}

/* Groups of eight, the last of which ends with the outputs and may lie over
 * the one before. */
static ALWAYS_INLINE size_t
group_at (size_t x, size_t n_out)
{
  return x + GROUP <= n_out ? x : n_out - GROUP;
}

static ALWAYS_INLINE void
run_few_direct (const Job *job, const size_t step, size_t n_out)
{
  uint8_t none[GROUP], *const first = job->out[0];
  uint8_t *const second = step == 2 ? job->out[1] : NULL;
  for (size_t i = 0; i < n_out; i += GROUP) {
    const size_t x = group_at (i, n_out);
    if (step == 1)
      group_of_one (job, x, first + x);
    else
      group_of_two (
          job, x, first ? first + x : none, second ? second + x : none);
  }
}

static ALWAYS_INLINE void
run_few (const Job *job, const size_t step, size_t n_out)
{
  for (size_t i = 0; i < n_out; i += GROUP) {
    const size_t x = group_at (i, n_out);
    uint8_t bytes[2][GROUP];
    if (step == 1)
      group_of_one (job, x, bytes[0]);
    else
      group_of_two (job, x, bytes[0], bytes[1]);
    for (size_t c = 0; c < step; c++)
      if (job->out[c])
        spread (bytes[c], job->out[c] + x * job->out_step, job->out_step);
  }
}

/* Where three channels go side by side, `order` says which of four comes
 * first, second and third, in four pixels of three bytes; FALSE: they do not.
 */
static bool
find_order (const Job *job, uint8_t *order, uint8_t **first)
{
  size_t n = 0;
  *first = NULL;
  for (size_t c = 0; c < MAX_STEP; c++)
    if (job->out[c] && (!*first || job->out[c] < *first))
      *first = job->out[c];
  for (size_t c = 0; c < MAX_STEP; c++)
    if (job->out[c]) {
      const size_t place = (size_t) (job->out[c] - *first);
      if (place > 2)
        return false;
      for (size_t i = 0; i < 4; i++)
        order[3 * i + place] = (uint8_t) (4 * i + c);
      n += (size_t) 1 << 2 * place;
    }
  return job->out_step == 3 && n == 1 + 4 + 16;
}

/* Four interleaved outputs to where they belong. */
static ALWAYS_INLINE void
put_four (const Job *job, const size_t step, size_t x, vb four)
{
  static const uint8_t by_channel[16] = { 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10,
    14, 3, 7, 11, 15 };
  uint8_t bytes[16];
  vb_store (bytes, vb_turned (four, vb_load (by_channel)));
  for (size_t c = 0; c < step; c++) {
    if (!job->out[c])
      continue;
    if (job->out_step == 1)
      memcpy (job->out[c] + x, bytes + 4 * c, 4);
    else
      for (size_t i = 0; i < 4; i++)
        job->out[c][(x + i) * job->out_step] = bytes[4 * c + i];
  }
}

static ALWAYS_INLINE void
run_many (const Job *job, const size_t step, size_t n_out)
{
  uint8_t order[16] = { 0 }, *first;
  const bool direct = find_order (job, order, &first);
  const vb turn = vb_load (order);
  for (size_t i = 0; i < n_out; i += 4) {
    const size_t x = i + 4 <= n_out ? i : n_out - 4;
    const vb four = four_of_four (job, step, x);
    if (direct)
      vb_store12 (first + 3 * x, vb_turned (four, turn));
    else
      put_four (job, step, x, four);
  }
}

void
FORGE_VARIANT (resize_pairs_u8) (size_t n_out, size_t step,
    const int32_t *start, const int16_t *weights, const uint8_t *const *rows,
    const int16_t *row_weights, uint8_t *const *out, size_t out_step)
{
  Job job = { start, weights, { rows[0], rows[1] },
    vs_weights (row_weights[0], row_weights[1]), { NULL }, out_step };
  for (size_t c = 0; c < step; c++)
    job.out[c] = out[c];
  if (n_out < GROUP || (step == 1 && !out[0]))
    forge_resize_pairs_u8_ref (
        n_out, step, start, weights, rows, row_weights, out, out_step);
  else if (step == 1 && out_step == 1)
    run_few_direct (&job, 1, n_out);
  else if (step == 2 && out_step == 1)
    run_few_direct (&job, 2, n_out);
  else if (step == 1)
    run_few (&job, 1, n_out);
  else if (step == 2)
    run_few (&job, 2, n_out);
  else if (step == 3)
    run_many (&job, 3, n_out);
  else
    run_many (&job, 4, n_out);
}
