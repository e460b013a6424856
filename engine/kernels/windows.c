/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tables of resize_windows_u8, made once for frames of one size. */
#include "kernels/kernels.h"

#include <string.h>

enum { GROUP = FORGE_WINDOW_OUTPUTS, NOTHING = 0x80 };

/* The bytes at which the four samples of a vector begin, in its order. */
static void
list_samples (size_t step, const int32_t *start, size_t v, int32_t samples[4])
{
  const int32_t *first = start + forge_window_output (step, v, 0);
  const int32_t *second = start + forge_window_output (step, v, 1);
  if (step == 1) {
    const int32_t of_couple[4] = { *first, *first + 1, *second, *second + 1 };
    memcpy (samples, of_couple, sizeof of_couple);
    return;
  }
  /* two channels, each of this pixel and the next */
  for (int32_t i = 0; i < 4; i++)
    samples[i] = 2 * *first + (i % 2) * 2 + i / 2;
}

/* A sample of two channels that lies behind the row is of a channel that
 * nobody wants. */
static bool
fill_vector (const int32_t samples[4], size_t step, size_t n_bytes,
    int32_t *base, uint8_t turn[FORGE_WINDOW_BYTES])
{
  const int32_t last = (int32_t) n_bytes - FORGE_WINDOW_BYTES;
  *base = samples[0] < last ? samples[0] : last;
  for (size_t i = 0; i < 4; i++) {
    int32_t at = samples[i] - *base;
    const bool is_outside = at < 0 || at >= FORGE_WINDOW_BYTES;
    if (is_outside && (step == 1 || at > FORGE_WINDOW_BYTES))
      return false;
    const uint8_t index = is_outside ? NOTHING : (uint8_t) at;
    const uint8_t lanes[4] = { index, NOTHING, index, NOTHING };
    memcpy (turn + 4 * i, lanes, sizeof lanes);
  }
  return true;
}

size_t
forge_window_groups (size_t n_out)
{
  return (n_out + GROUP - 1) / GROUP;
}

bool
forge_plan_windows (size_t n_out, size_t step, const int32_t *start,
    size_t n_bytes, ForgeWindows *groups)
{
  if (n_out < GROUP || n_bytes < FORGE_WINDOW_BYTES || step > 2)
    return false;
  for (size_t g = 0; g < forge_window_groups (n_out); g++) {
    const size_t x = g * GROUP + GROUP <= n_out ? g * GROUP : n_out - GROUP;
    groups[g].x = (int32_t) x;
    for (size_t v = 0; v < 4 * step; v++) {
      int32_t samples[4];
      list_samples (step, start + x, v, samples);
      if (!fill_vector (
              samples, step, n_bytes, &groups[g].base[v], groups[g].turn[v]))
        return false;
    }
  }
  return true;
}
