/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernels of the way back: outer_f32, winograd_grad_f32 and silu_grad_f32
 * against sums in double, with every tail, shared zero rows and gaps between
 * the rows of the output. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checker.h"

enum { A, DY, ROWS, ZERO, OUT, BEFORE };
enum { GAP = 0x5A, POINTS = 36, PIXELS = 16, MAX_CHANNELS = 70 };

typedef struct {
  size_t n_out, c, n_pixels;
  ptrdiff_t offset, dy_stride, out_stride;
  const float *a, *dy, *zero;
  const float **rows;
} Outer;

static void
draw_outer (Outer *test, size_t n_out, size_t c)
{
  const bool at_end = check_below (2);
  *test = (Outer) { .n_out = n_out,
    .c = c,
    .n_pixels = check_below (check_below (3) ? 9 : 70),
    .offset = check_below (3) * 5,
    .dy_stride = (ptrdiff_t) (n_out + check_below (3)),
    .out_stride = (ptrdiff_t) (c + check_below (4)) };
  const size_t row_elems = c + (size_t) test->offset;
  const size_t n = test->n_pixels;
  const size_t n_dy = n ? (n - 1) * (size_t) test->dy_stride + n_out : 0;
  float *a = check_alloc (A, n * row_elems * sizeof *a, at_end);
  float *dy = check_alloc (DY, n_dy * sizeof *dy, at_end);
  float *zero = check_alloc (ZERO, c * sizeof *zero, at_end);
  test->rows = check_alloc (ROWS, n * sizeof *test->rows, true);
  check_fill_float (a, n * row_elems);
  check_fill_float (dy, n_dy);
  memset (zero, 0, c * sizeof *zero);
  for (size_t p = 0; p < n; p++)
    test->rows[p] = check_below (6) == 0 ? zero : a + p * row_elems;
  test->a = a;
  test->dy = dy;
  test->zero = zero;
}

static double
expected_outer (
    const Outer *test, float before, size_t o, size_t c, double *magnitude)
{
  double sum = before;
  *magnitude = fabs (sum);
  for (size_t p = 0; p < test->n_pixels; p++) {
    const float *row = test->rows[p];
    if (row != test->zero)
      row += test->offset;
    double term =
        (double) test->dy[(ptrdiff_t) p * test->dy_stride + (ptrdiff_t) o] *
        row[c];
    sum += term;
    *magnitude += fabs (term);
  }
  return sum;
}

static void
check_outer (const Tier *tier, const Outer *test)
{
  const size_t stride = (size_t) test->out_stride;
  const size_t n = (test->n_out - 1) * stride + test->c;
  float *out = check_alloc (OUT, n * sizeof *out, true);
  float *before = check_alloc (BEFORE, n * sizeof *before, true);
  check_fill_float (out, n);
  memcpy (before, out, n * sizeof *out);
  tier->kernels.outer_f32 (test->n_out, test->c, test->n_pixels, test->dy,
      test->dy_stride, test->rows, test->offset, test->zero, out,
      test->out_stride);
  check_guards (OUT);
  for (size_t i = 0; i < n; i++) {
    double magnitude, want = before[i];
    double distance = 0;
    if (i % stride < test->c) {
      want =
          expected_outer (test, before[i], i / stride, i % stride, &magnitude);
      distance = (double) (test->n_pixels + 2) * FLT_EPSILON * magnitude;
    }
    if (!check_near (out[i], (float) want, distance))
      check_fail ("O %zu C %zu pixels %zu: out[%zu][%zu] = %.9g, expected %.9g",
          test->n_out, test->c, test->n_pixels, i / stride, i % stride, out[i],
          want);
  }
}

void
check_outer_f32 (const Tier *ref, const Tier *tier)
{
  for (size_t n_out = 1; n_out <= 2 * tier->kernels.igemm_mr + 1; n_out++)
    for (size_t c = 1; c <= MAX_CHANNELS; c++) {
      Outer test;
      draw_outer (&test, n_out, c);
      check_outer (tier, &test);
    }
}

/* One point of A dy A^T of one channel, in double. */
static double
expected_point (const float *const rows[PIXELS], const float *zero,
    ptrdiff_t offset, size_t c, size_t point, double *magnitude)
{
  static const double at[6] = { 0, 0.625, -0.625, 1.5, -1.5, 0 };
  double a[6][4] = { { 1, 0, 0, 0 }, [5] = { 0, 0, 0, 1 } };
  for (int i = 1; i < 5; i++)
    for (int k = 0; k < 4; k++)
      a[i][k] = pow (at[i], k);
  double sum = 0;
  *magnitude = 0;
  for (size_t i = 0; i < PIXELS; i++) {
    const float *row = rows[i] == zero ? zero : rows[i] + offset;
    double term = a[point / 6][i / 4] * a[point % 6][i % 4] * row[c];
    sum += term;
    *magnitude += fabs (term);
  }
  return sum;
}

void
check_winograd_grad_f32 (const Tier *ref, const Tier *tier)
{
  for (size_t c = 1; c <= MAX_CHANNELS; c++) {
    bool at_end = check_below (2);
    ptrdiff_t offset = check_below (3) * 3;
    size_t stride = c + check_below (3), row_elems = c + (size_t) offset;
    size_t n_out = (POINTS - 1) * stride + c;
    float *a = check_alloc (A, PIXELS * row_elems * sizeof *a, at_end);
    float *zero = check_alloc (ZERO, c * sizeof *zero, at_end);
    const float **rows = check_alloc (ROWS, PIXELS * sizeof *rows, true);
    float *out = check_alloc (OUT, n_out * sizeof *out, at_end);
    check_fill_float (a, PIXELS * row_elems);
    memset (zero, 0, c * sizeof *zero);
    memset (out, GAP, n_out * sizeof *out);
    float gap;
    memset (&gap, GAP, sizeof gap);
    for (size_t i = 0; i < PIXELS; i++)
      rows[i] = check_below (5) == 0 ? zero : a + i * row_elems;
    tier->kernels.winograd_grad_f32 (
        c, rows, offset, zero, out, (ptrdiff_t) stride);
    check_guards (OUT);
    for (size_t i = 0; i < n_out; i++) {
      double magnitude = 0, want = gap;
      if (i % stride < c)
        want = expected_point (
            rows, zero, offset, i % stride, i / stride, &magnitude);
      if (!check_near (out[i], (float) want, 24 * FLT_EPSILON * magnitude))
        check_fail ("C %zu: point %zu, channel %zu = %.9g, expected %.9g", c,
            i / stride, i % stride, out[i], want);
    }
  }
}

static void
check_silu_case (const Tier *tier, size_t n, float range)
{
  const bool at_end = check_below (2);
  float *x = check_alloc (A, n * sizeof *x, at_end);
  float *dy = check_alloc (DY, n * sizeof *dy, at_end);
  float *before = check_alloc (BEFORE, n * sizeof *before, at_end);
  float *slots[] = { check_alloc (OUT, n * sizeof (float), at_end), x, dy };
  for (size_t i = 0; i < n; i++)
    x[i] = range * check_float ();
  check_fill_float (dy, n);
  uint32_t place = check_below (3);
  float *out = slots[place];
  double *want = check_alloc (ROWS, n * sizeof *want, true);
  for (size_t i = 0; i < n; i++) {
    double s = 1 / (1 + exp (-(double) x[i]));
    want[i] = dy[i] * (s + x[i] * s * (1 - s));
    before[i] = (float) ((16 + 4 * fabs (x[i])) * fabs (dy[i]));
  }
  tier->kernels.silu_grad_f32 (n, x, dy, out);
  check_guards (place == 0 ? OUT : place == 1 ? A : DY);
  for (size_t i = 0; i < n; i++)
    if (!check_near (
            out[i], (float) want[i], FLT_EPSILON * before[i] + 0x1p-120))
      check_fail (
          "n %zu: out[%zu] = %.9g, expected %.9g", n, i, out[i], want[i]);
}

void
check_silu_grad_f32 (const Tier *ref, const Tier *tier)
{
  static const float ranges[] = { 0.1f, 1, 10, 100, 1000 };
  for (size_t n = 1; n <= MAX_CHANNELS; n++)
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
      check_silu_case (tier, n, ranges[i]);
}

enum { BENCH_CHANNELS = 64, BENCH_PIXELS = 128, BENCH_STRIDE = 80 };

typedef struct {
  const Tier *tier;
  const float *a, *dy;
  const float **rows;
  float *out;
} Bench;

static void
run_outer (void *data)
{
  const Bench *bench = data;
  bench->tier->kernels.outer_f32 (BENCH_CHANNELS, BENCH_CHANNELS, BENCH_PIXELS,
      bench->dy, BENCH_STRIDE, bench->rows, 0, NULL, bench->out,
      BENCH_CHANNELS);
}

static void
run_grad (void *data)
{
  const Bench *bench = data;
  bench->tier->kernels.winograd_grad_f32 (
      BENCH_CHANNELS, bench->rows, 0, NULL, bench->out, BENCH_STRIDE);
}

static void
run_silu (void *data)
{
  const Bench *bench = data;
  bench->tier->kernels.silu_grad_f32 (
      BENCH_PIXELS * BENCH_CHANNELS, bench->a, bench->dy, bench->out);
}

static Bench
make_bench (const Tier *tier)
{
  const size_t n = BENCH_PIXELS * BENCH_STRIDE;
  float *a = check_alloc (A, n * sizeof *a, false);
  float *dy = check_alloc (DY, n * sizeof *dy, false);
  const float **rows = check_alloc (ROWS, BENCH_PIXELS * sizeof *rows, false);
  float *out = check_alloc (OUT, n * sizeof *out, false);
  check_fill_float (a, n);
  check_fill_float (dy, n);
  memset (out, 0, n * sizeof *out);
  for (size_t p = 0; p < BENCH_PIXELS; p++)
    rows[p] = a + p * BENCH_STRIDE;
  return (Bench) { tier, a, dy, rows, out };
}

void
bench_outer_f32 (const Tier *tier)
{
  Bench bench = make_bench (tier);
  bench_report (tier, "outer_f32", "128 px, C 64, O 64",
      bench_seconds (run_outer, &bench),
      2.0 * BENCH_PIXELS * BENCH_CHANNELS * BENCH_CHANNELS, 0);
}

void
bench_winograd_grad_f32 (const Tier *tier)
{
  Bench bench = make_bench (tier);
  bench_report (tier, "winograd_grad_f32", "one tile of 64",
      bench_seconds (run_grad, &bench), 0,
      (POINTS + PIXELS) * BENCH_CHANNELS * sizeof (float));
}

void
bench_silu_grad_f32 (const Tier *tier)
{
  Bench bench = make_bench (tier);
  bench_report (tier, "silu_grad_f32", "8192", bench_seconds (run_silu, &bench),
      0, 3.0 * BENCH_PIXELS * BENCH_CHANNELS * sizeof (float));
}
