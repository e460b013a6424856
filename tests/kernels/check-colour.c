/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernels between frame and tensor that take pixels one by one, and give
 * the same bits on every tier: u8_to_f32, yuv_to_rgb_u8. */
#include <stdio.h>
#include <string.h>

#include "check-bytes.h"

static void
check_u8_case (const Tier *ref, const Tier *tier, size_t pixels, size_t c)
{
  const bool at_end = check_below (2);
  const size_t n = pixels * c;
  uint8_t *x = check_alloc (IN, n, at_end);
  float *scale = check_alloc (SCALE, c * sizeof *scale, at_end);
  float *bias = check_alloc (BIAS, c * sizeof *bias, at_end);
  float *out = check_alloc (OUT, n * sizeof *out, at_end);
  float *want = check_alloc (WANT, n * sizeof *want, at_end);
  check_fill_u8 (x, n);
  check_fill_float (scale, c);
  check_fill_float (bias, c);
  tier->kernels.u8_to_f32 (pixels, c, x, scale, bias, out);
  ref->kernels.u8_to_f32 (pixels, c, x, scale, bias, want);
  char what[64];
  snprintf (what, sizeof what, "pixels %zu C %zu", pixels, c);
  check_bytes (out, want, n * sizeof *out, what);
}

void
check_u8_to_f32 (const Tier *ref, const Tier *tier)
{
  const uint8_t x[2] = { 255, 3 };
  const float scale = 1.0f / 255, bias = 1;
  float out[2];
  tier->kernels.u8_to_f32 (2, 1, x, &scale, &bias, out);
  if (out[0] != 2 || out[1] != 3.0f * scale + 1)
    check_fail ("255 gives %.9g, expected 2", out[0]);
  for (size_t c = 1; c <= 40; c = c < 20 ? c + 1 : c + 10)
    for (size_t pixels = 1; pixels <= 70; pixels++)
      check_u8_case (ref, tier, pixels, c);
}

/* BT.601, studio range. */
static const ForgeYuvCoefs yuv_coefs = { .y_offset = 16,
  .y_scale = 76309,
  .v_to_r = 104597,
  .u_to_g = 25675,
  .v_to_g = 53279,
  .u_to_b = 132201 };

static void
check_yuv_case (const Tier *ref, const Tier *tier, size_t n, size_t step,
    const size_t *order)
{
  const bool at_end = check_below (2);
  ForgeYuvCoefs coefs = yuv_coefs;
  if (check_below (2))
    coefs = (ForgeYuvCoefs) { .y_offset = (int32_t) check_below (32),
      .y_scale = (int32_t) check_below (1 << 17),
      .v_to_r = (int32_t) check_below (1 << 18),
      .u_to_g = (int32_t) check_below (1 << 17),
      .v_to_g = (int32_t) check_below (1 << 17),
      .u_to_b = (int32_t) check_below (1 << 18) };
  uint8_t *y = check_alloc (IN, n, at_end);
  uint8_t *u = check_alloc (ROWS, n, at_end);
  uint8_t *v = check_alloc (WEIGHTS, n, at_end);
  check_fill_u8 (y, n);
  check_fill_u8 (u, n);
  check_fill_u8 (v, n);
  const size_t apart = step == 1 ? n : 1;
  const size_t out_bytes = step == 1 ? 3 * n : step * n;
  uint8_t *out = check_alloc (OUT, out_bytes, at_end);
  uint8_t *want = check_alloc (WANT, out_bytes, at_end);
  memset (out, SENTINEL, out_bytes);
  memset (want, SENTINEL, out_bytes);
  tier->kernels.yuv_to_rgb_u8 (n, &coefs, y, u, v, out + order[0] * apart,
      out + order[1] * apart, out + order[2] * apart, step);
  ref->kernels.yuv_to_rgb_u8 (n, &coefs, y, u, v, want + order[0] * apart,
      want + order[1] * apart, want + order[2] * apart, step);
  char what[64];
  snprintf (what, sizeof what, "pixels %zu step %zu", n, step);
  check_bytes (out, want, out_bytes, what);
}

void
check_yuv_to_rgb_u8 (const Tier *ref, const Tier *tier)
{
  static const size_t orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 0, 2 } };
  const uint8_t y[2] = { 81, 16 }, u[2] = { 90, 128 }, v[2] = { 240, 128 };
  uint8_t out[6];
  tier->kernels.yuv_to_rgb_u8 (
      2, &yuv_coefs, y, u, v, out, out + 1, out + 2, 3);
  const uint8_t want[6] = { 254, 0, 0, 0, 0, 0 };
  if (memcmp (out, want, sizeof want) != 0)
    check_fail ("red gives %u %u %u, expected 254 0 0", out[0], out[1], out[2]);
  for (size_t n = 1; n <= 200; n++)
    for (size_t step = 1; step <= 4; step += step == 1 ? 2 : 1)
      for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        check_yuv_case (ref, tier, n, step, orders[i]);
}

typedef struct {
  const Tier *tier;
  size_t n;
  const void *in;
  void *out;
} Bench;

static void
run_u8 (void *data)
{
  static const float scale[3] = { 1.0f / 255, 1.0f / 255, 1.0f / 255 };
  static const float bias[3] = { 0 };
  Bench *bench = data;
  bench->tier->kernels.u8_to_f32 (
      bench->n, 3, bench->in, scale, bias, bench->out);
}

void
bench_u8_to_f32 (const Tier *tier)
{
  enum { PIXELS = 224 };
  Bench bench = { .tier = tier,
    .n = PIXELS,
    .in = check_alloc (IN, PIXELS * 3, false),
    .out = check_alloc (OUT, PIXELS * 3 * sizeof (float), false) };
  bench_report (tier, "u8_to_f32", "224 px, C 3",
      bench_seconds (run_u8, &bench), 0, PIXELS * 3 * 5.0);
}

static void
run_yuv (void *data)
{
  Bench *bench = data;
  const uint8_t *y = bench->in;
  uint8_t *out = bench->out;
  bench->tier->kernels.yuv_to_rgb_u8 (bench->n, &yuv_coefs, y, y + bench->n,
      y + 2 * bench->n, out, out + 1, out + 2, 3);
}

void
bench_yuv_to_rgb_u8 (const Tier *tier)
{
  enum { PIXELS = 224 };
  Bench bench = { .tier = tier,
    .n = PIXELS,
    .in = check_alloc (IN, PIXELS * 3, false),
    .out = check_alloc (OUT, PIXELS * 3, false) };
  bench_report (tier, "yuv_to_rgb_u8", "224 px, step 3",
      bench_seconds (run_yuv, &bench), 0, PIXELS * 6.0);
}
