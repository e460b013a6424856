/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Winograd's transforms: every tier against ref, and every tier by itself
 * against the convolution that input, product and output together make. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checker.h"
#include "kernels/winograd.h"

enum { A, ROWS, ZERO, BIAS, RESIDUAL, OUT, WANT };
enum {
  GAP = 0x5A,
  MAX_CHANNELS = 70,
  MAX_POINTS = FORGE_WINOGRAD_MAX_POINTS,
  MAX_PIXELS = 36
};

/* Largest row sums of |B^T| and |A^T|, squared: bounds of both products. */
static const double in_magnitudes[] = { 4, 36, 162 };
static const double out_magnitudes[] = { 9, 72, 1300 };
static const double roundings[] = { 24, 24, 32 };

static double
distance_of (const double *magnitudes, size_t side)
{
  return roundings[side / 2 - 1] * FLT_EPSILON * magnitudes[side / 2 - 1];
}

static void
compare (const float *got, const float *want, size_t n, double distance,
    const char *what)
{
  for (size_t i = 0; i < n; i++)
    if (!check_near (got[i], want[i], distance))
      check_fail (
          "%s: out[%zu] = %.9g, expected %.9g", what, i, got[i], want[i]);
}

/* Column 1 of G, so that a weight of one in the middle becomes g g^T. */
static void
write_middle (size_t side, double *g)
{
  const double *points = forge_winograd_points (side);
  for (size_t i = 0; i <= side; i++) {
    g[i] = points[i];
    for (size_t j = 0; j <= side; j++)
      g[i] /= j == i ? 1 : points[i] - points[j];
  }
  g[side + 1] = 0;
}

/* The two transforms of a tile of one channel around the product with a
 * weight that picks the pixel in the middle: the inputs themselves. */
static void
check_convolution (const Tier *tier, size_t side)
{
  const size_t n = side + 2;
  double g[FORGE_WINOGRAD_MAX_N];
  float d[MAX_POINTS], t[MAX_POINTS], out[MAX_PIXELS];
  const float *rows[MAX_POINTS];
  const float bias = 0.5f;
  write_middle (side, g);
  check_fill_float (d, MAX_POINTS);
  for (size_t i = 0; i < MAX_POINTS; i++)
    rows[i] = &d[i];
  tier->kernels.winograd_in_f32 (side, 1, rows, 0, NULL, t, 1);
  for (size_t i = 0; i < n * n; i++)
    t[i] *= (float) (g[i / n] * g[i % n]);
  tier->kernels.winograd_out_f32 (side, 1, t, 1, &bias, side, side, out,
      (ptrdiff_t) side, 1, NULL, -INFINITY, INFINITY);
  for (size_t i = 0; i < side * side; i++) {
    float want = d[(i / side + 1) * n + i % side + 1] + bias;
    if (!check_near (out[i], want, side == 6 ? 4e-5 : 1e-5))
      check_fail ("side %zu, centre tap: out[%zu] = %.9g, expected %.9g", side,
          i, out[i], want);
  }
}

static void
check_in (const Tier *ref, const Tier *tier, size_t side, size_t c)
{
  const size_t points = (side + 2) * (side + 2);
  bool at_end = check_below (2);
  ptrdiff_t offset = check_below (3) * 3;
  size_t stride = c + check_below (3);
  size_t n_out = (points - 1) * stride + c;
  size_t row_elems = c + (size_t) offset;
  float *a = check_alloc (A, points * row_elems * sizeof *a, at_end);
  float *zero = check_alloc (ZERO, c * sizeof *zero, at_end);
  const float **rows = check_alloc (ROWS, points * sizeof *rows, true);
  float *out = check_alloc (OUT, n_out * sizeof *out, at_end);
  float *want = check_alloc (WANT, n_out * sizeof *want, at_end);
  check_fill_float (a, points * row_elems);
  memset (zero, 0, c * sizeof *zero);
  memset (out, GAP, n_out * sizeof *out);
  memset (want, GAP, n_out * sizeof *want);
  for (size_t i = 0; i < points; i++)
    rows[i] =
        check_below (5) == 0 ? zero : a + check_below (points) * row_elems;
  tier->kernels.winograd_in_f32 (
      side, c, rows, offset, zero, out, (ptrdiff_t) stride);
  ref->kernels.winograd_in_f32 (
      side, c, rows, offset, zero, want, (ptrdiff_t) stride);
  check_guards (OUT);
  compare (out, want, n_out, distance_of (in_magnitudes, side), "input");
}

static void
check_out (const Tier *ref, const Tier *tier, size_t side, size_t c)
{
  const size_t points = (side + 2) * (side + 2);
  bool at_end = check_below (2);
  size_t in_stride = c + check_below (3), stride = c + check_below (3);
  size_t n_rows = 1 + check_below (side), n_columns = 1 + check_below (side);
  size_t row_stride = side * stride + check_below (5);
  size_t n_in = (points - 1) * in_stride + c;
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
  tier->kernels.winograd_out_f32 (side, c, in, (ptrdiff_t) in_stride, bias,
      n_rows, n_columns, out, (ptrdiff_t) row_stride, (ptrdiff_t) stride, extra,
      min, max);
  ref->kernels.winograd_out_f32 (side, c, in, (ptrdiff_t) in_stride, bias,
      n_rows, n_columns, want, (ptrdiff_t) row_stride, (ptrdiff_t) stride,
      extra, min, max);
  check_guards (OUT);
  compare (out, want, n_out, distance_of (out_magnitudes, side), "output");
}

void
check_winograd_in_f32 (const Tier *ref, const Tier *tier)
{
  for (size_t side = 2; side <= FORGE_WINOGRAD_MAX_SIDE; side += 2) {
    check_convolution (tier, side);
    for (size_t c = 1; c <= MAX_CHANNELS; c++)
      check_in (ref, tier, side, c);
  }
}

void
check_winograd_out_f32 (const Tier *ref, const Tier *tier)
{
  for (size_t side = 2; side <= FORGE_WINOGRAD_MAX_SIDE; side += 2)
    for (size_t c = 1; c <= MAX_CHANNELS; c++)
      check_out (ref, tier, side, c);
}

enum { BENCH_CHANNELS = 64 };

typedef struct {
  const Tier *tier;
  const float *rows[MAX_POINTS];
  float *tile, *points;
} Bench;

static void
run_in (void *data)
{
  const Bench *bench = data;
  bench->tier->kernels.winograd_in_f32 (4, BENCH_CHANNELS, bench->rows, 0, NULL,
      bench->points, BENCH_CHANNELS + 16);
}

static void
run_out (void *data)
{
  const Bench *bench = data;
  bench->tier->kernels.winograd_out_f32 (4, BENCH_CHANNELS, bench->points,
      BENCH_CHANNELS + 16, bench->tile, 4, 4, bench->tile, 4 * BENCH_CHANNELS,
      BENCH_CHANNELS, NULL, 0, INFINITY);
}

static void
bench_one (const Tier *tier, const char *name, void (*run) (void *data))
{
  const size_t n_points = MAX_POINTS * (BENCH_CHANNELS + 16);
  Bench bench = { .tier = tier,
    .tile =
        check_alloc (A, MAX_POINTS * BENCH_CHANNELS * sizeof (float), false),
    .points = check_alloc (OUT, n_points * sizeof (float), false) };
  check_fill_float (bench.tile, MAX_POINTS * BENCH_CHANNELS);
  memset (bench.points, 0, n_points * sizeof (float));
  for (size_t i = 0; i < MAX_POINTS; i++)
    bench.rows[i] = bench.tile + i * BENCH_CHANNELS;
  bench_report (tier, name, "one tile of 64", bench_seconds (run, &bench), 0,
      2.0 * MAX_POINTS * BENCH_CHANNELS * sizeof (float));
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
