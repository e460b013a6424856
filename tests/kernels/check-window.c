/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernels that slide a window over pixels, one channel at a time:
 * dwconv_f32, maxpool_f32 and avgpool_f32 against ref, for pixel counts,
 * channel counts around the vector width and all window sizes in use. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checker.h"

enum { A, ROWS, WEIGHTS, ZERO, SCALE, OUT, WANT };
enum { GAP = 0x5A, MAX_CHANNELS = 70, MAX_PIXELS = 11 };
typedef enum { DWCONV, MAXPOOL, AVGPOOL } Kind;

typedef struct {
  Kind kind;
  size_t pixels, c, taps;
  ptrdiff_t offset, out_stride;
  const float **rows;
  const float *zero, *weights, *scale;
  float min, max;
} Window;

static void
run (const Tier *tier, const Window *w, float *out)
{
  const ForgeKernels *kernels = &tier->kernels;
  if (w->kind == DWCONV)
    kernels->dwconv_f32 (w->pixels, w->c, w->taps, w->rows, w->offset, w->zero,
        w->weights, out, w->out_stride, w->min, w->max);
  else if (w->kind == MAXPOOL)
    kernels->maxpool_f32 (
        w->pixels, w->c, w->taps, w->rows, w->offset, out, w->out_stride);
  else
    kernels->avgpool_f32 (w->pixels, w->c, w->taps, w->rows, w->offset, w->zero,
        w->scale, out, w->out_stride);
}

/* Windows anywhere, some taps padding. */
static void
scatter (Window *w, const float *a, size_t n_source, size_t row_elems)
{
  for (size_t i = 0; i < w->pixels * w->taps; i++)
    w->rows[i] = w->kind != MAXPOOL && check_below (5) == 0
                     ? w->zero
                     : a + check_below ((uint32_t) n_source) * row_elems;
}

static void
fill (Window *w, bool at_end, bool odd_values)
{
  const size_t n_source = 13;
  const size_t row_elems = w->c + (size_t) w->offset;
  float *a = check_alloc (A, n_source * row_elems * sizeof *a, at_end);
  float *zero = check_alloc (ZERO, w->c * sizeof *zero, at_end);
  float *weights =
      check_alloc (WEIGHTS, (1 + w->taps) * w->c * sizeof *weights, at_end);
  float *scale = check_alloc (SCALE, w->pixels * sizeof *scale, at_end);
  check_fill_float (a, n_source * row_elems);
  if (odd_values)
    check_sprinkle (a, n_source * row_elems, true);
  memset (zero, 0, w->c * sizeof *zero);
  check_fill_float (weights, (1 + w->taps) * w->c);
  check_fill_float (scale, w->pixels);
  w->rows = check_alloc (ROWS, w->pixels * w->taps * sizeof *w->rows, true);
  w->zero = zero;
  w->weights = weights;
  w->scale = scale;
  scatter (w, a, n_source, row_elems);
}

/* Sums in another order or with FMA differ by the rounding of each term. */
static double
distance (const Window *w, size_t p, size_t c)
{
  if (w->kind != DWCONV)
    return 0;
  double magnitude = fabs (w->weights[c]);
  for (size_t k = 0; k < w->taps; k++) {
    const float *row = w->rows[p * w->taps + k];
    float x = row == w->zero ? 0 : row[w->offset + (ptrdiff_t) c];
    magnitude += fabs ((double) x * w->weights[(1 + k) * w->c + c]);
  }
  return magnitude * FLT_EPSILON * (double) (w->taps + 1);
}

/* A window of one tap may write where it reads: the bits must be the same. */
static void
check_in_place (const Tier *tier, const Window *w, const float *want)
{
  const size_t elems = (w->pixels - 1) * (size_t) w->out_stride + w->c;
  const float *rows[MAX_PIXELS];
  float *out = check_alloc (OUT, elems * sizeof *out, false);
  for (size_t p = 0; p < w->pixels; p++) {
    const ptrdiff_t moved = w->rows[p] == w->zero ? 0 : w->offset;
    rows[p] = out + (ptrdiff_t) p * w->out_stride;
    memcpy (out + (ptrdiff_t) p * w->out_stride, w->rows[p] + moved,
        w->c * sizeof *out);
  }
  tier->kernels.dwconv_f32 (w->pixels, w->c, 1, rows, 0, NULL, w->weights, out,
      w->out_stride, w->min, w->max);
  for (size_t i = 0; i < elems; i++)
    if (i % (size_t) w->out_stride < w->c && !check_near (out[i], want[i], 0))
      check_fail (
          "in place: out[%zu] = %.9g, expected %.9g", i, out[i], want[i]);
}

static void
check_one (const Tier *ref, const Tier *tier, Window *w, bool at_end)
{
  const size_t out_elems = (w->pixels - 1) * (size_t) w->out_stride + w->c;
  float *out = check_alloc (OUT, out_elems * sizeof *out, at_end);
  float *want = check_alloc (WANT, out_elems * sizeof *want, at_end);
  memset (out, GAP, out_elems * sizeof *out);
  memset (want, GAP, out_elems * sizeof *want);
  run (tier, w, out);
  run (ref, w, want);
  check_guards (OUT);
  for (size_t i = 0; i < out_elems; i++) {
    size_t p = i / (size_t) w->out_stride;
    size_t c = i % (size_t) w->out_stride;
    double near = c < w->c ? distance (w, p, c) : 0;
    if (!check_near (out[i], want[i], near))
      check_fail ("pixels %zu C %zu taps %zu: out[%zu][%zu] = %.9g, "
                  "expected %.9g",
          w->pixels, w->c, w->taps, p, c, out[i], want[i]);
  }
  if (w->kind != DWCONV || w->taps != 1)
    return;
  memcpy (want, out, out_elems * sizeof *want);
  check_in_place (tier, w, want);
}

/* Known answers, so that ref is held to the formula too. */
static void
check_formula (const Tier *tier, Kind kind)
{
  const float x[3] = { -2, 8, 3 };
  const float weights[4] = { 0.5f, 1, 2, -1 };
  const float half = 0.5f;
  const float *rows[3] = { &x[0], &x[1], &x[2] };
  const float want[] = { [DWCONV] = 10, [MAXPOOL] = 8, [AVGPOOL] = 4.5f };
  Window w = { kind, 1, 1, 3, 0, 1, rows, NULL, weights, &half, 0, 10 };
  float out = 0;
  run (tier, &w, &out);
  if (out != want[kind])
    check_fail ("one pixel: %g, expected %g", out, want[kind]);
}

static void
check_kind (const Tier *ref, const Tier *tier, Kind kind)
{
  static const size_t taps[] = { 1, 2, 4, 9, 25, 49, 81 };
  check_formula (tier, kind);
  for (size_t c = 1; c <= MAX_CHANNELS; c++)
    for (size_t t = 0; t < sizeof taps / sizeof taps[0]; t++) {
      bool at_end = check_below (2);
      Window w = { .kind = kind,
        .pixels = 1 + check_below (MAX_PIXELS),
        .c = c,
        .taps = taps[t],
        .offset = check_below (3) * 3,
        .out_stride = (ptrdiff_t) (c + check_below (3)),
        .min = check_below (2) ? 0 : -INFINITY,
        .max = check_below (2) ? 6 : INFINITY };
      fill (&w, at_end, kind == MAXPOOL && check_below (2));
      check_one (ref, tier, &w, at_end);
    }
}

void
check_dwconv_f32 (const Tier *ref, const Tier *tier)
{
  check_kind (ref, tier, DWCONV);
}

void
check_maxpool_f32 (const Tier *ref, const Tier *tier)
{
  check_kind (ref, tier, MAXPOOL);
}

void
check_avgpool_f32 (const Tier *ref, const Tier *tier)
{
  check_kind (ref, tier, AVGPOOL);
}

typedef struct {
  const Tier *tier;
  Window window;
  float *out;
} Bench;

static void
run_bench (void *data)
{
  Bench *bench = data;
  run (bench->tier, &bench->window, bench->out);
}

/* One row of 14 pixels whose 3x3 windows overlap, as in MobileNet. */
static void
bench_kind (const Tier *tier, Kind kind, const char *name)
{
  enum { SIDE = 3, PIXELS = 14, WIDTH = PIXELS + SIDE - 1 };
  static const size_t channels[] = { 24, 96, 384 };
  for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
    const size_t c = channels[i];
    Bench bench = { .tier = tier,
      .window = { .kind = kind,
          .pixels = PIXELS,
          .c = c,
          .taps = SIDE * SIDE,
          .out_stride = (ptrdiff_t) c,
          .max = 6 } };
    Window *w = &bench.window;
    fill (w, false, false);
    float *a = check_alloc (A, WIDTH * SIDE * c * sizeof *a, false);
    check_fill_float (a, WIDTH * SIDE * c);
    for (size_t p = 0; p < PIXELS; p++)
      for (size_t k = 0; k < w->taps; k++)
        w->rows[p * w->taps + k] = a + (k / SIDE * WIDTH + p + k % SIDE) * c;
    bench.out = check_alloc (OUT, PIXELS * c * sizeof (float), false);
    char shape[64];
    snprintf (
        shape, sizeof shape, "%d px, C %zu, %zu taps", PIXELS, c, w->taps);
    bench_report (tier, name, shape, bench_seconds (run_bench, &bench),
        (kind == DWCONV ? 2.0 : 1.0) * (double) (PIXELS * c * w->taps), 0);
  }
}

void
bench_dwconv_f32 (const Tier *tier)
{
  bench_kind (tier, DWCONV, "dwconv_f32");
}

void
bench_maxpool_f32 (const Tier *tier)
{
  bench_kind (tier, MAXPOOL, "maxpool_f32");
}

void
bench_avgpool_f32 (const Tier *tier)
{
  bench_kind (tier, AVGPOOL, "avgpool_f32");
}
