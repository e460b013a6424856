/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Winograd's transforms: every tier against ref, and every tier by itself
 * against the convolution that input, product and output together make. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checker.h"

enum { A, ROWS, ZERO, BIAS, RESIDUAL, OUT, WANT };
enum { GAP = 0x5A, MAX_CHANNELS = 70, POINTS = 36 };

/* Largest row sums of |B| and |A|, squared: bounds of both products. */
#define IN_MAGNITUDE 36
#define OUT_MAGNITUDE 72
#define ROUNDINGS 24

static void
compare (const float *got, const float *want, size_t n, double distance,
    const char *what)
{
  for (size_t i = 0; i < n; i++)
    if (!check_near (got[i], want[i], distance))
      check_fail (
          "%s: out[%zu] = %.9g, expected %.9g", what, i, got[i], want[i]);
}

/* The two transforms of a tile of one channel around the product with a
 * weight that picks the pixel in the middle: the inputs themselves. */
static void
check_convolution (const Tier *tier)
{
  const double p = 0.625, q = 1.5, difference = 2 * (p * p - q * q);
  const double at_p = 1 / (p * difference), at_q = -1 / (q * difference);
  const double g[6] = { 0, at_p, -at_p, at_q, -at_q, 0 };
  float d[POINTS], t[POINTS], out[16];
  const float *rows[POINTS];
  const float bias = 0.5f;
  check_fill_float (d, POINTS);
  for (size_t i = 0; i < POINTS; i++)
    rows[i] = &d[i];
  tier->kernels.winograd_in_f32 (1, rows, 0, NULL, t, 1);
  for (size_t i = 0; i < POINTS; i++)
    t[i] *= (float) (g[i / 6] * g[i % 6]);
  tier->kernels.winograd_out_f32 (
      1, t, 1, &bias, 4, 4, out, 4, 1, NULL, -INFINITY, INFINITY);
  for (size_t i = 0; i < 16; i++) {
    float want = d[(i / 4 + 1) * 6 + i % 4 + 1] + bias;
    if (!check_near (out[i], want, 1e-5))
      check_fail (
          "centre tap: out[%zu] = %.9g, expected %.9g", i, out[i], want);
  }
}

void
check_winograd_in_f32 (const Tier *ref, const Tier *tier)
{
  check_convolution (tier);
  for (size_t c = 1; c <= MAX_CHANNELS; c++) {
    bool at_end = check_below (2);
    ptrdiff_t offset = check_below (3) * 3;
    size_t stride = c + check_below (3);
    size_t n_out = (POINTS - 1) * stride + c;
    size_t row_elems = c + (size_t) offset;
    float *a = check_alloc (A, POINTS * row_elems * sizeof *a, at_end);
    float *zero = check_alloc (ZERO, c * sizeof *zero, at_end);
    const float **rows = check_alloc (ROWS, POINTS * sizeof *rows, true);
    float *out = check_alloc (OUT, n_out * sizeof *out, at_end);
    float *want = check_alloc (WANT, n_out * sizeof *want, at_end);
    check_fill_float (a, POINTS * row_elems);
    memset (zero, 0, c * sizeof *zero);
    memset (out, GAP, n_out * sizeof *out);
    memset (want, GAP, n_out * sizeof *want);
    for (size_t i = 0; i < POINTS; i++)
      rows[i] =
          check_below (5) == 0 ? zero : a + check_below (POINTS) * row_elems;
    tier->kernels.winograd_in_f32 (
        c, rows, offset, zero, out, (ptrdiff_t) stride);
    ref->kernels.winograd_in_f32 (
        c, rows, offset, zero, want, (ptrdiff_t) stride);
    check_guards (OUT);
    compare (out, want, n_out, ROUNDINGS * FLT_EPSILON * IN_MAGNITUDE, "input");
  }
}

void
check_winograd_out_f32 (const Tier *ref, const Tier *tier)
{
  check_convolution (tier);
  for (size_t c = 1; c <= MAX_CHANNELS; c++) {
    bool at_end = check_below (2);
    size_t in_stride = c + check_below (3), stride = c + check_below (3);
    size_t n_rows = 1 + check_below (4), n_columns = 1 + check_below (4);
    size_t row_stride = 4 * stride + check_below (5);
    size_t n_in = (POINTS - 1) * in_stride + c;
    size_t n_out = (n_rows - 1) * row_stride + (n_columns - 1) * stride + c;
    float *in = check_alloc (A, n_in * sizeof *in, at_end);
    float *bias = check_alloc (BIAS, c * sizeof *bias, at_end);
    float *residual = check_alloc (RESIDUAL, n_out * sizeof *residual, at_end);
    float *out = check_alloc (OUT, n_out * sizeof *out, at_end);
    float *want = check_alloc (WANT, n_out * sizeof *want, at_end);
    const float *extra = check_below (2) ? residual : NULL;
    float min = check_below (2) ? 0 : -INFINITY;
    float max = check_below (2) ? 6 : INFINITY;
    check_fill_float (in, n_in);
    check_fill_float (bias, c);
    check_fill_float (residual, n_out);
    memset (out, GAP, n_out * sizeof *out);
    memset (want, GAP, n_out * sizeof *want);
    tier->kernels.winograd_out_f32 (c, in, (ptrdiff_t) in_stride, bias, n_rows,
        n_columns, out, (ptrdiff_t) row_stride, (ptrdiff_t) stride, extra, min,
        max);
    ref->kernels.winograd_out_f32 (c, in, (ptrdiff_t) in_stride, bias, n_rows,
        n_columns, want, (ptrdiff_t) row_stride, (ptrdiff_t) stride, extra, min,
        max);
    check_guards (OUT);
    compare (
        out, want, n_out, ROUNDINGS * FLT_EPSILON * OUT_MAGNITUDE, "output");
  }
}

enum { BENCH_CHANNELS = 64 };

typedef struct {
  const Tier *tier;
  const float *rows[POINTS];
  float *tile, *points;
} Bench;

static void
run_in (void *data)
{
  const Bench *bench = data;
  bench->tier->kernels.winograd_in_f32 (
      BENCH_CHANNELS, bench->rows, 0, NULL, bench->points, BENCH_CHANNELS + 16);
}

static void
run_out (void *data)
{
  const Bench *bench = data;
  bench->tier->kernels.winograd_out_f32 (BENCH_CHANNELS, bench->points,
      BENCH_CHANNELS + 16, bench->tile, 4, 4, bench->tile, 4 * BENCH_CHANNELS,
      BENCH_CHANNELS, NULL, 0, INFINITY);
}

static void
bench_one (const Tier *tier, const char *name, void (*run) (void *data))
{
  const size_t n_points = POINTS * (BENCH_CHANNELS + 16);
  Bench bench = { .tier = tier,
    .tile = check_alloc (A, POINTS * BENCH_CHANNELS * sizeof (float), false),
    .points = check_alloc (OUT, n_points * sizeof (float), false) };
  check_fill_float (bench.tile, POINTS * BENCH_CHANNELS);
  memset (bench.points, 0, n_points * sizeof (float));
  for (size_t i = 0; i < POINTS; i++)
    bench.rows[i] = bench.tile + i * BENCH_CHANNELS;
  bench_report (tier, name, "one tile of 64", bench_seconds (run, &bench), 0,
      2.0 * POINTS * BENCH_CHANNELS * sizeof (float));
}

void
bench_winograd_in_f32 (const Tier *tier)
{
  bench_one (tier, "winograd_in_f32", run_in);
}

void
bench_winograd_out_f32 (const Tier *tier)
{
  bench_one (tier, "winograd_out_f32", run_out);
}
