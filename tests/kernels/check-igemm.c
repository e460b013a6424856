/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * igemm_f32 and its packer against a plain sum in double: all row counts of
 * the tile, column counts around the panel, several taps and channels,
 * strided output, residual, clamp, shared zero rows, infinities and NaN. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checker.h"

enum { MAX_TAPS = 9, GAP = 0x5A };
enum { A, W, BIAS, PACKED, ROWS, OUT, RESIDUAL, ZERO };

typedef struct {
  size_t mr, nr, c, taps;
  ptrdiff_t offset, out_stride;
  bool at_end, with_residual, odd_values;
  float min, max;
  ForgeAhead ahead; /* never mapped */
} Case;

typedef struct {
  const float *a, *w, *bias, *residual, *zero;
  const float **rows;
} Data;

static void
draw_case (Case *test, const Tier *tier, size_t mr, size_t nr)
{
  *test = (Case) { .mr = mr,
    .nr = nr,
    .c = 1 + check_below (check_below (4) ? 9 : 70),
    .taps = 1 + check_below (MAX_TAPS),
    .offset = check_below (3) * 5,
    .out_stride = (ptrdiff_t) (nr + check_below (4)),
    .at_end = check_below (2),
    .with_residual = check_below (2),
    .odd_values = check_below (4) == 0,
    .min = check_below (2) ? 0 : -INFINITY,
    .max = check_below (2) ? 1.5f : INFINITY,
    .ahead = { check_below (2) ? (const float *) (uintptr_t) 4096 : NULL,
        check_below (200) } };
}

/* Every row has its own block; about one in six is the shared zero row. */
static void
fill (const Case *test, const Tier *tier, Data *data)
{
  const size_t mr_max = tier->kernels.igemm_mr;
  const size_t row_elems = test->c + (size_t) test->offset;
  const size_t n_rows = test->taps * test->mr;
  const size_t n_weights = test->nr * test->taps * test->c;
  float *a = check_alloc (A, n_rows * row_elems * sizeof *a, test->at_end);
  float *w = check_alloc (W, n_weights * sizeof *w, true);
  float *bias = check_alloc (BIAS, test->nr * sizeof *bias, true);
  float *zero = check_alloc (ZERO, test->c * sizeof *zero, test->at_end);
  check_fill_float (a, n_rows * row_elems);
  check_fill_float (w, n_weights);
  check_fill_float (bias, test->nr);
  memset (zero, 0, test->c * sizeof *zero);
  const float odd[] = { INFINITY, -INFINITY, NAN, FLT_MAX, FLT_TRUE_MIN };
  if (test->odd_values)
    a[check_below ((uint32_t) (n_rows * row_elems))] = odd[check_below (5)];
  data->rows = check_alloc (
      ROWS, ((test->taps - 1) * mr_max + test->mr) * sizeof *data->rows, true);
  for (size_t k = 0; k < test->taps; k++)
    for (size_t m = 0; m < test->mr; m++)
      data->rows[k * mr_max + m] =
          check_below (6) == 0 ? zero : a + (k * test->mr + m) * row_elems;
  float *residual = check_alloc (RESIDUAL,
      (test->mr * (test->nr + 3) - 3) * sizeof *residual, test->at_end);
  check_fill_float (residual, test->mr * (test->nr + 3) - 3);
  data->residual = test->with_residual ? residual : NULL;
  data->a = a;
  data->w = w;
  data->bias = bias;
  data->zero = zero;
}

/* The sum in double, and the sum of magnitudes, which bounds the error. */
static double
expected (const Case *test, const Tier *tier, const Data *data, size_t m,
    size_t o, double *magnitude)
{
  double sum = data->bias[o];
  *magnitude = fabs (sum);
  for (size_t k = 0; k < test->taps; k++) {
    const float *row = data->rows[k * tier->kernels.igemm_mr + m];
    if (row != data->zero)
      row += test->offset;
    for (size_t c = 0; c < test->c; c++) {
      double term =
          (double) row[c] * data->w[(o * test->taps + k) * test->c + c];
      sum += term;
      *magnitude += fabs (term);
    }
  }
  if (data->residual) {
    sum += data->residual[m * (test->nr + 3) + o];
    *magnitude += fabs (data->residual[m * (test->nr + 3) + o]);
  }
  if (sum < test->min)
    return test->min;
  return sum > test->max ? test->max : sum;
}

static void
compare (const Case *test, const Tier *tier, const Data *data, const float *out)
{
  const double terms = (double) (test->taps * test->c + 2);
  for (size_t m = 0; m < test->mr; m++)
    for (size_t o = 0; o < test->nr; o++) {
      double magnitude;
      double want = expected (test, tier, data, m, o, &magnitude);
      float got = out[(ptrdiff_t) m * test->out_stride + (ptrdiff_t) o];
      if (!isfinite (magnitude) || magnitude > FLT_MAX / 16)
        want = (double) (float) want;
      if (!check_near (got, (float) want, terms * FLT_EPSILON * magnitude))
        check_fail ("mr %zu nr %zu C %zu taps %zu: out[%zu][%zu] = %.9g, "
                    "expected %.9g",
            test->mr, test->nr, test->c, test->taps, m, o, got, want);
    }
}

/* The gaps between output rows keep their bytes. */
static void
compare_gaps (const Case *test, const float *out)
{
  const size_t gap = ((size_t) test->out_stride - test->nr) * sizeof *out;
  for (size_t m = 0; m + 1 < test->mr; m++) {
    const uint8_t *bytes =
        (const uint8_t *) (out + m * (size_t) test->out_stride + test->nr);
    for (size_t i = 0; i < gap; i++)
      if (bytes[i] != GAP)
        check_fail ("mr %zu nr %zu: wrote between rows", test->mr, test->nr);
  }
}

static void
check_one (const Tier *tier, const Case *test)
{
  const ForgeKernels *kernels = &tier->kernels;
  Data data;
  fill (test, tier, &data);
  size_t n_packed = forge_pack_igemm_f32_count (
      test->nr, test->taps, test->c, kernels->igemm_nr);
  float *packed = check_alloc (PACKED, n_packed * sizeof *packed, true);
  forge_pack_igemm_f32 (test->nr, test->taps, test->c, kernels->igemm_nr,
      data.w, (ptrdiff_t) (test->taps * test->c), (ptrdiff_t) test->c, 1,
      data.bias, packed);
  size_t out_elems = (test->mr - 1) * (size_t) test->out_stride + test->nr;
  float *out = check_alloc (OUT, out_elems * sizeof *out, test->at_end);
  memset (out, GAP, out_elems * sizeof *out);
  kernels->igemm_f32 (test->mr, test->nr, test->c, test->taps, data.rows,
      test->offset, data.zero, packed, out, test->out_stride, data.residual,
      (ptrdiff_t) test->nr + 3, test->min, test->max, test->ahead);
  check_guards (OUT);
  check_guards (PACKED);
  compare_gaps (test, out);
  compare (test, tier, &data, out);
}

void
check_igemm_f32 (const Tier *ref, const Tier *tier)
{
  for (size_t mr = 1; mr <= tier->kernels.igemm_mr; mr++) {
    const size_t nr_max = (mr == 1 ? 7 : 2) * tier->kernels.igemm_nr + 3;
    for (size_t nr = 1; nr <= nr_max; nr++) {
      Case test;
      draw_case (&test, tier, mr, nr);
      check_one (tier, &test);
    }
  }
}

typedef struct {
  const Tier *tier;
  size_t pixels, c, taps, nr;
  const float *a, *packed;
  float *out;
  const float **rows;
} Bench;

/* As ops/ drives it: tile after tile of pixels, all columns of one tile. */
static void
run_bench (void *data)
{
  const Bench *bench = data;
  const ForgeKernels *kernels = &bench->tier->kernels;
  const size_t step = kernels->igemm_mr;
  for (size_t p = 0; p < bench->pixels; p += step) {
    size_t mr = bench->pixels - p < step ? bench->pixels - p : step;
    kernels->igemm_f32 (mr, bench->nr, bench->c, bench->taps,
        bench->rows + p * bench->taps, 0, NULL, bench->packed,
        bench->out + p * bench->nr, (ptrdiff_t) bench->nr, NULL, 0, 0, INFINITY,
        (ForgeAhead) { NULL, 0 });
  }
}

/* Row pointers tile by tile, [tile][taps][igemm_mr]. */
static const float **
bench_rows (const Bench *bench)
{
  const size_t step = bench->tier->kernels.igemm_mr;
  const size_t n_tiles = (bench->pixels + step - 1) / step;
  const float **rows =
      check_alloc (ROWS, n_tiles * bench->taps * step * sizeof *rows, false);
  for (size_t i = 0; i < n_tiles * bench->taps * step; i++) {
    size_t tap = i / step % bench->taps;
    size_t pixel = i / (bench->taps * step) * step + i % step + tap;
    rows[i] = bench->a + pixel % bench->pixels * bench->c;
  }
  return rows;
}

void
bench_igemm_f32 (const Tier *tier)
{
  static const size_t shapes[][4] = { /* pixels, C, taps, O */
    { 1, 1024, 1, 64 }, { 49, 160, 1, 320 }, { 196, 64, 1, 128 },
    { 196, 64, 9, 64 }, { 784, 3, 9, 32 }, { 196, 96, 1, 24 }
  };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    Bench bench = { .tier = tier,
      .pixels = shapes[i][0],
      .c = shapes[i][1],
      .taps = shapes[i][2],
      .nr = shapes[i][3] };
    size_t n_a = bench.pixels * bench.c;
    size_t n_packed = forge_pack_igemm_f32_count (
        bench.nr, bench.taps, bench.c, tier->kernels.igemm_nr);
    size_t n_out = bench.pixels * bench.nr;
    float *a = check_alloc (A, n_a * sizeof *a, false);
    float *packed = check_alloc (PACKED, n_packed * sizeof *packed, false);
    check_fill_float (a, n_a);
    check_fill_float (packed, n_packed);
    bench.a = a;
    bench.rows = bench_rows (&bench);
    bench.packed = packed;
    bench.out = check_alloc (OUT, n_out * sizeof (float), false);
    char shape[64];
    snprintf (shape, sizeof shape, "%zu px, C %zu, %zu taps, O %zu",
        bench.pixels, bench.c, bench.taps, bench.nr);
    bench_report (tier, "igemm_f32", shape, bench_seconds (run_bench, &bench),
        2.0 * (double) (n_out * bench.c * bench.taps), 0);
  }
}
