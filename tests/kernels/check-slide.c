/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * dwslide_f32: against ref, and bit for bit against dwconv_f32 of the same
 * tier with the same windows one by one; groups that overlap included. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checker.h"

enum { A, COLUMNS, WEIGHTS, ZERO, PIXELS, OUT, WANT, SINGLE, ROWS };
enum { GAP = 0x5A, MAX_CHANNELS = 70, GROUP = FORGE_DWSLIDE_PIXELS };

typedef struct {
  size_t groups, c, kh, kw, stride, n_columns, width;
  ptrdiff_t offset, out_stride;
  const float **columns;
  const float *zero, *weights;
  uint32_t *pixels;
  float min, max;
} Slide;

static void
run (const Tier *tier, const Slide *s, float *out)
{
  tier->kernels.dwslide_f32 (s->groups, s->c, s->kh, s->kw, s->stride,
      s->columns, s->offset, s->zero, s->weights, s->pixels, out, s->out_stride,
      s->min, s->max);
}

/* A row of 4 * groups - 2 pixels, or of 4: the last group lies over the one
 * before. Every fifth column is padding. */
static void
fill (Slide *s, bool at_end)
{
  const size_t row_elems = s->c + (size_t) s->offset;
  const size_t n_source = 11;
  float *a = check_alloc (A, n_source * row_elems * sizeof *a, at_end);
  float *zero = check_alloc (ZERO, s->c * sizeof *zero, at_end);
  const size_t n_weights = (1 + s->kh * s->kw) * s->c;
  float *weights = check_alloc (WEIGHTS, n_weights * sizeof *weights, at_end);
  const size_t n = s->groups * s->kh * s->n_columns;
  s->columns = check_alloc (COLUMNS, n * sizeof *s->columns, true);
  s->pixels = check_alloc (PIXELS, s->groups * sizeof *s->pixels, true);
  check_fill_float (a, n_source * row_elems);
  check_fill_float (weights, n_weights);
  memset (zero, 0, s->c * sizeof *zero);
  for (size_t i = 0; i < n; i++)
    s->columns[i] = check_below (5) == 0
                        ? zero
                        : a + check_below ((uint32_t) n_source) * row_elems;
  s->zero = zero;
  s->weights = weights;
  s->width = s->groups > 1 ? GROUP * s->groups - 2 : GROUP;
  for (size_t g = 0; g < s->groups; g++)
    s->pixels[g] = (uint32_t) (GROUP * g + GROUP < s->width ? GROUP * g
                                                            : s->width - GROUP);
  /* what two groups share is one window */
  if (s->groups > 1)
    for (size_t y = 0; y < s->kh; y++)
      memcpy (s->columns + ((s->groups - 1) * s->kh + y) * s->n_columns,
          s->columns + ((s->groups - 2) * s->kh + y) * s->n_columns +
              2 * s->stride,
          (s->n_columns - 2 * s->stride) * sizeof *s->columns);
}

/* The window of one pixel of a group, for dwconv_f32. */
static void
check_against_single (const Tier *tier, const Slide *s, const float *out)
{
  const size_t taps = s->kh * s->kw;
  const float **rows = check_alloc (ROWS, taps * sizeof *rows, true);
  float *single = check_alloc (SINGLE, s->c * sizeof *single, false);
  for (size_t g = 0; g < s->groups; g++)
    for (size_t p = 0; p < GROUP; p++) {
      for (size_t k = 0; k < taps; k++)
        rows[k] = s->columns[(g * s->kh + k / s->kw) * s->n_columns +
                             s->stride * p + k % s->kw];
      tier->kernels.dwconv_f32 (1, s->c, taps, rows, s->offset, s->zero,
          s->weights, single, (ptrdiff_t) s->c, s->min, s->max);
      if (memcmp (single, out + (ptrdiff_t) (s->pixels[g] + p) * s->out_stride,
              s->c * sizeof *single) != 0)
        check_fail ("kh %zu kw %zu stride %zu C %zu: pixel %zu of group %zu "
                    "has not the bits of dwconv_f32",
            s->kh, s->kw, s->stride, s->c, p, g);
    }
}

/* The sum of magnitudes is below one product of 1 a tap, and the bias. */
static void
check_one (const Tier *ref, const Tier *tier, Slide *s, bool at_end)
{
  const double terms = (double) (s->kh * s->kw + 1);
  const size_t out_elems = (s->width - 1) * (size_t) s->out_stride + s->c;
  float *out = check_alloc (OUT, out_elems * sizeof *out, at_end);
  float *want = check_alloc (WANT, out_elems * sizeof *want, at_end);
  memset (out, GAP, out_elems * sizeof *out);
  memset (want, GAP, out_elems * sizeof *want);
  run (tier, s, out);
  run (ref, s, want);
  check_guards (OUT);
  for (size_t i = 0; i < out_elems; i++) {
    const bool in_row = i % (size_t) s->out_stride < s->c;
    const double near = in_row ? terms * terms * FLT_EPSILON : 0;
    if (!check_near (out[i], want[i], near))
      check_fail ("kh %zu kw %zu stride %zu C %zu: out[%zu] = %.9g, expected "
                  "%.9g",
          s->kh, s->kw, s->stride, s->c, i, out[i], want[i]);
  }
  check_against_single (tier, s, out);
}

/* A known answer, so that ref is held to the formula too. */
static void
check_formula (const Tier *tier)
{
  const float x[6] = { 1, 2, 3, 4, 5, 6 };
  const float weights[4] = { 0.5f, 1, 10, 100 };
  const float want[GROUP] = { 321.5f, 432.5f, 500, 500 };
  const float *columns[6];
  const uint32_t first = 0;
  float out[GROUP];
  for (int i = 0; i < 6; i++)
    columns[i] = &x[i];
  tier->kernels.dwslide_f32 (
      1, 1, 1, 3, 1, columns, 0, NULL, weights, &first, out, 1, 0, 500);
  for (int p = 0; p < GROUP; p++)
    if (out[p] != want[p])
      check_fail ("pixel %d: %g, expected %g", p, out[p], want[p]);
}

void
check_dwslide_f32 (const Tier *ref, const Tier *tier)
{
  check_formula (tier);
  for (size_t c = 1; c <= MAX_CHANNELS; c++)
    for (size_t kw = 3; kw <= 7; kw += 2)
      for (size_t stride = 1; stride <= 2; stride++) {
        bool at_end = check_below (2);
        Slide s = { .groups = 1 + check_below (3),
          .c = c,
          .kh = check_below (2) ? kw : 1 + check_below (7),
          .kw = kw,
          .stride = stride,
          .n_columns = (GROUP - 1) * stride + kw,
          .offset = check_below (3) * 3,
          .out_stride = (ptrdiff_t) (c + check_below (3)),
          .min = check_below (2) ? 0 : -INFINITY,
          .max = check_below (2) ? 6 : INFINITY };
        fill (&s, at_end);
        check_one (ref, tier, &s, at_end);
      }
}

typedef struct {
  const Tier *tier;
  Slide slide;
  float *out;
} Bench;

static void
run_bench (void *data)
{
  Bench *bench = data;
  run (bench->tier, &bench->slide, bench->out);
}

/* One row of 28 pixels, as in MobileNet and EfficientNet. */
void
bench_dwslide_f32 (const Tier *tier)
{
  enum { WIDTH = 28, MAX_WIDTH = 2 * WIDTH + 5 };
  static const struct {
    size_t side, stride, c;
  } cases[] = { { 3, 1, 24 }, { 3, 1, 96 }, { 3, 1, 384 }, { 3, 2, 96 },
    { 5, 1, 96 }, { 5, 2, 96 }, { 7, 1, 96 } };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const size_t side = cases[i].side, stride = cases[i].stride;
    const size_t c = cases[i].c;
    Bench bench = { .tier = tier,
      .slide = { .groups = WIDTH / GROUP,
          .c = c,
          .kh = side,
          .kw = side,
          .stride = stride,
          .n_columns = (GROUP - 1) * stride + side,
          .out_stride = (ptrdiff_t) c,
          .max = 6 } };
    Slide *s = &bench.slide;
    fill (s, false);
    float *a = check_alloc (A, MAX_WIDTH * side * c * sizeof *a, false);
    check_fill_float (a, MAX_WIDTH * side * c);
    for (size_t g = 0; g < s->groups; g++) {
      s->pixels[g] = (uint32_t) (GROUP * g);
      for (size_t k = 0; k < side * s->n_columns; k++)
        s->columns[g * side * s->n_columns + k] =
            a + (k / s->n_columns * MAX_WIDTH + GROUP * g * stride +
                    k % s->n_columns) *
                    c;
    }
    bench.out = check_alloc (OUT, WIDTH * c * sizeof (float), false);
    char shape[64];
    snprintf (shape, sizeof shape, "%d px, C %zu, %zux%zu stride %zu", WIDTH, c,
        side, side, stride);
    bench_report (tier, "dwslide_f32", shape, bench_seconds (run_bench, &bench),
        2.0 * (double) (WIDTH * c * side * side), 0);
  }
}
