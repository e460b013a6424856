/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bytes to normalised floats. After n_channels vectors the channel pattern
 * repeats, so few channels are first spread out to that length; many channels
 * are walked pixel by pixel. */
#include "kernels/simd/simd.h"

enum { MAX_SPREAD = 4 };

static ALWAYS_INLINE vf
scaled (const uint8_t *x, const float *scale, const float *bias)
{
  return vf_add (vf_mul (vf_from_u8 (x), vf_load (scale)), vf_load (bias));
}

static size_t
few_channels (size_t n, const size_t n_channels, const uint8_t *x,
    const float *scale, const float *bias, float *out)
{
  float scales[MAX_SPREAD * VF_WIDTH];
  float biases[MAX_SPREAD * VF_WIDTH];
  const size_t period = n_channels * VF_WIDTH;
  for (size_t i = 0; i < period; i++) {
    scales[i] = scale[i % n_channels];
    biases[i] = bias[i % n_channels];
  }
  size_t i = 0;
  for (; i + period <= n; i += period)
    for (size_t j = 0; j < period; j += VF_WIDTH)
      vf_store (out + i + j, scaled (x + i + j, scales + j, biases + j));
  return i;
}

void
FORGE_VARIANT (u8_to_f32) (size_t n_pixels, size_t n_channels, const uint8_t *x,
    const float *scale, const float *bias, float *out)
{
  if (n_channels <= MAX_SPREAD) {
    const size_t n = n_pixels * n_channels;
    const size_t done = few_channels (n, n_channels, x, scale, bias, out);
    x += done;
    out += done;
    n_pixels -= done / n_channels;
  }
  for (; n_pixels > 0; n_pixels--, x += n_channels, out += n_channels) {
    size_t c = 0;
    for (; c + VF_WIDTH <= n_channels; c += VF_WIDTH)
      vf_store (out + c, scaled (x + c, scale + c, bias + c));
    for (; c < n_channels; c++)
      out[c] = (float) x[c] * scale[c] + bias[c];
  }
}
