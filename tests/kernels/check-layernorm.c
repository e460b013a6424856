/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * layernorm_f32: every length around the vector widths and some beyond a
 * block, means far from 0, rows of one value, against sums in double. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "checker.h"

enum { X, SCALE, BIAS, OUT };
enum { MAX_N = 70, LONG_N = 5000, BENCH_N = 768 };

static void
compare (size_t n, const float *x, float epsilon, const float *scale,
    const float *bias, const float *out, const float *moments)
{
  double sum = 0, squares = 0, largest = 0;
  for (size_t i = 0; i < n; i++) {
    sum += x[i];
    largest = fmax (largest, fabs (x[i]));
  }
  const double mean = sum / (double) n;
  for (size_t i = 0; i < n; i++)
    squares += (x[i] - mean) * (x[i] - mean);
  const double inverse = 1 / sqrt (squares / (double) n + epsilon);
  if (!check_near (moments[0], (float) mean, 2 * FLT_EPSILON * largest) ||
      !check_near (moments[1], (float) inverse, 16 * FLT_EPSILON * inverse))
    check_fail ("n %zu: moments %.9g %.9g, expected %.9g %.9g", n, moments[0],
        moments[1], mean, inverse);
  for (size_t i = 0; i < n; i++) {
    const double y = (x[i] - mean) * inverse * scale[i];
    const double want = y + (bias ? bias[i] : 0);
    const double near =
        FLT_EPSILON *
        (24 * fabs (y) + 4 * largest * inverse * fabs (scale[i]) + fabs (want));
    if (!check_near (out[i], (float) want, near))
      check_fail ("n %zu: out[%zu] = %.9g, expected %.9g", n, i, out[i], want);
  }
}

static void
check_row (const Tier *tier, size_t n)
{
  static float input[LONG_N];
  const bool at_end = check_below (2), in_place = check_below (2);
  const float means[] = { 0, 3, -1000 }, spreads[] = { 1, 0.01f, 0, 1000 };
  const float mean = means[check_below (3)], spread = spreads[check_below (4)];
  const float epsilon = check_below (2) ? 1e-5f : 1e-12f;
  float *x = check_alloc (X, n * sizeof *x, at_end);
  float *scale = check_alloc (SCALE, n * sizeof *scale, at_end);
  float *bias = check_alloc (BIAS, n * sizeof *bias, at_end);
  float *out = in_place ? x : check_alloc (OUT, n * sizeof *out, at_end);
  float moments[2];
  check_fill_float (scale, n);
  check_fill_float (bias, n);
  for (size_t i = 0; i < n; i++)
    input[i] = x[i] = mean + spread * check_float ();
  const float *extra = check_below (2) ? bias : NULL;
  tier->kernels.layernorm_f32 (n, x, epsilon, scale, extra, out, moments);
  check_guards (in_place ? X : OUT);
  compare (n, input, epsilon, scale, extra, out, moments);
  x[check_below ((uint32_t) n)] = NAN;
  tier->kernels.layernorm_f32 (n, x, epsilon, scale, extra, out, moments);
  for (size_t i = 0; i < n; i++)
    if (!isnan (out[i]))
      check_fail ("n %zu: a NaN does not reach out[%zu]", n, i);
}

void
check_layernorm_f32 (const Tier *ref, const Tier *tier)
{
  for (size_t n = 1; n <= MAX_N; n++)
    for (int repeat = 0; repeat < 24; repeat++)
      check_row (tier, n);
  for (int repeat = 0; repeat < 8; repeat++)
    check_row (tier, LONG_N - check_below (9));
}

typedef struct {
  const Tier *tier;
  const float *x, *scale;
  float *out;
} Bench;

static void
run_bench (void *data)
{
  const Bench *bench = data;
  float moments[2];
  bench->tier->kernels.layernorm_f32 (BENCH_N, bench->x, 1e-5f, bench->scale,
      bench->scale, bench->out, moments);
}

void
bench_layernorm_f32 (const Tier *tier)
{
  float *x = check_alloc (X, BENCH_N * sizeof *x, false);
  float *scale = check_alloc (SCALE, BENCH_N * sizeof *scale, false);
  Bench bench = { tier, x, scale,
    check_alloc (OUT, BENCH_N * sizeof (float), false) };
  check_fill_float (x, BENCH_N);
  check_fill_float (scale, BENCH_N);
  bench_report (tier, "layernorm_f32", "n 768",
      bench_seconds (run_bench, &bench), 0, 8.0 * BENCH_N);
}
