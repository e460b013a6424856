/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Horizontal pass over pairs of pixels: one product of neighbours adds the two
 * taps of four or eight outputs at once. Where pixels have several samples
 * those of one channel are brought side by side first. Outputs that fill no
 * group, and other steps between outputs, go to ref. */
#include <stdbool.h>

#include "kernels/simd/simd.h"

enum { GROUP = 8, MAX_STEP = 4 };

/* Eight outputs of one channel. */
static ALWAYS_INLINE void
group_of_one (const int16_t *weights, const int16_t *in, uint8_t *out)
{
  vq_store_shifted21 (out, vq_pairs (vh_load (in), vh_load (weights)),
      vq_pairs (vh_load (in + 8), vh_load (weights + 8)));
}

static ALWAYS_INLINE vq
two_of_two (const int16_t *weights, const int16_t *in)
{
  return vq_pairs (vh_pair_up2 (vh_load (in)), vh_load_twice (weights));
}

/* Eight outputs of two channels. */
static ALWAYS_INLINE void
group_of_two (
    const int16_t *weights, const int16_t *in, uint8_t *first, uint8_t *second)
{
  vq_split_shifted21 (first, second, two_of_two (weights, in),
      two_of_two (weights + 4, in + 8), two_of_two (weights + 8, in + 16),
      two_of_two (weights + 12, in + 24));
}

static ALWAYS_INLINE vq
one_of_four (const int16_t *weights, const int16_t *in)
{
  return vq_pairs (vh_pair_up4 (vh_load (in)), vh_load_fourfold (weights));
}

/* Eight outputs of four channels, interleaved: 32 bytes. */
static ALWAYS_INLINE void
group_of_four (const int16_t *weights, const int16_t *in, uint8_t *out)
{
  for (size_t i = 0; i < 4; i++, weights += 4, in += 16, out += 8)
    vq_store_shifted21 (
        out, one_of_four (weights, in), one_of_four (weights + 2, in + 8));
}

/* Eight bytes, out_step apart. */
static ALWAYS_INLINE void
spread (const uint8_t *bytes, const size_t step, uint8_t *out, size_t out_step)
{
  for (size_t i = 0; out && i < GROUP; i++)
    out[i * out_step] = bytes[i * step];
}

static ALWAYS_INLINE void
run (size_t n_groups, const size_t step, const int16_t *weights,
    const int16_t *in, uint8_t *const *out, size_t out_step)
{
  for (size_t g = 0; g < n_groups; g++) {
    const size_t at = g * GROUP * out_step;
    uint8_t bytes[MAX_STEP * GROUP], *to[MAX_STEP];
    for (size_t c = 0; c < step; c++)
      to[c] = out[c] ? out[c] + at : NULL;
    /* whole groups go where they belong at once */
    const bool direct = out_step == 1 && to[0] && to[step > 1];
    if (step == 1)
      group_of_one (weights, in, direct ? to[0] : bytes);
    else if (step == 2)
      group_of_two (
          weights, in, direct ? to[0] : bytes, direct ? to[1] : bytes + GROUP);
    else
      group_of_four (weights, in, bytes);
    for (size_t c = 0; c < step && (step == 4 || !direct); c++)
      if (step == 4)
        spread (bytes + c, 4, to[c], out_step);
      else
        spread (bytes + c * GROUP, 1, to[c], out_step);
    weights += 2 * GROUP;
    in += 2 * GROUP * step;
  }
}

void
FORGE_VARIANT (resize_pairs_s16) (size_t n_out, size_t step,
    const int16_t *weights, const int16_t *in, uint8_t *const *out,
    size_t out_step)
{
  const size_t n_groups = n_out / GROUP, done = n_groups * GROUP;
  if (step == 1 && out_step == 1)
    run (n_groups, 1, weights, in, out, 1);
  else if (step == 1)
    run (n_groups, 1, weights, in, out, out_step);
  else if (step == 2 && out_step == 1)
    run (n_groups, 2, weights, in, out, 1);
  else if (step == 2)
    run (n_groups, 2, weights, in, out, out_step);
  else
    run (n_groups, 4, weights, in, out, out_step);
  uint8_t *rest[MAX_STEP];
  for (size_t c = 0; c < step; c++)
    rest[c] = out[c] ? out[c] + done * out_step : NULL;
  forge_resize_pairs_s16_ref (n_out - done, step, weights + 2 * done,
      in + 2 * done * step, rest, out_step);
}
