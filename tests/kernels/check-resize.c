/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernels that resize frames, which must give the same bits on every tier:
 * resize_v_u8, split_s16, resize_h_s16, resize_pairs_u8, resize_windows_u8. */
#include <stdio.h>
#include <string.h>

#include "check-bytes.h"

enum { MAX_TAPS = 40 };

/* Q14 weights that sum to 16384. With `lobes` some are negative, as bicubic's
 * are; else none is. One tap in four gets everything. */
static void
draw_weights (int16_t *weights, size_t n_taps, bool lobes)
{
  int32_t left = 16384;
  memset (weights, 0, n_taps * sizeof *weights);
  for (size_t t = 0; t + 1 < n_taps && check_below (4); t++) {
    int32_t w = (int32_t) check_below ((uint32_t) left + 1);
    if (lobes && check_below (3) == 0)
      w = -(int32_t) check_below (2000);
    if (left - w > 20000)
      w = 0;
    weights[t] = (int16_t) w;
    left -= w;
  }
  weights[n_taps - 1] = (int16_t) left;
}

static void
check_v_case (const Tier *ref, const Tier *tier, size_t n, size_t n_taps)
{
  const bool at_end = check_below (2);
  const size_t n_rows = n_taps < 6 ? n_taps : 6;
  uint8_t *in = check_alloc (IN, n_rows * n, at_end);
  check_fill_u8 (in, n_rows * n);
  if (check_below (4) == 0)
    memset (in, 255, n_rows * n);
  const uint8_t **rows = check_alloc (ROWS, n_taps * sizeof *rows, true);
  for (size_t t = 0; t < n_taps; t++)
    rows[t] = in + t % n_rows * n;
  int16_t *weights = check_alloc (WEIGHTS, n_taps * sizeof *weights, true);
  draw_weights (weights, n_taps, check_below (2));
  int16_t *out = check_alloc (OUT, n * sizeof *out, at_end);
  int16_t *want = check_alloc (WANT, n * sizeof *want, at_end);
  tier->kernels.resize_v_u8 (n, n_taps, rows, weights, out);
  ref->kernels.resize_v_u8 (n, n_taps, rows, weights, want);
  char what[64];
  snprintf (what, sizeof what, "n %zu taps %zu", n, n_taps);
  check_bytes (out, want, n * sizeof *out, what);
}

void
check_resize_v_u8 (const Tier *ref, const Tier *tier)
{
  static const size_t lengths[] = { 191, 255, 256, 257, 640, 1921 };
  const uint8_t a = 255, b = 1;
  const uint8_t *rows[2] = { &a, &b };
  const int16_t half[2] = { 8192, 8192 };
  int16_t out;
  tier->kernels.resize_v_u8 (1, 2, rows, half, &out);
  if (out != 128 * 128)
    check_fail ("mean of 255 and 1 is %d / 128, expected 128", out);
  for (size_t n_taps = 1; n_taps <= MAX_TAPS; n_taps++) {
    for (size_t n = 1; n <= 140; n++)
      check_v_case (ref, tier, n, n_taps);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
      check_v_case (ref, tier, lengths[i], n_taps);
  }
}

static void
check_split_case (const Tier *ref, const Tier *tier, size_t n, size_t step)
{
  const bool at_end = check_below (2);
  int16_t *in = check_alloc (IN, (n * step + 1) * sizeof *in, at_end);
  check_fill_u8 ((uint8_t *) in, n * step * sizeof *in);
  const size_t out_bytes = (n * step + 1) * sizeof (int16_t);
  int16_t *out = check_alloc (OUT, out_bytes, at_end);
  int16_t *want = check_alloc (WANT, out_bytes, at_end);
  memset (out, SENTINEL, out_bytes);
  memset (want, SENTINEL, out_bytes);
  int16_t *to[4], *expected[4];
  for (size_t c = 0; c < step; c++) {
    const bool wanted = check_below (4) > 0;
    to[c] = wanted ? out + c * n : NULL;
    expected[c] = wanted ? want + c * n : NULL;
  }
  tier->kernels.split_s16 (n, step, in, to);
  ref->kernels.split_s16 (n, step, in, expected);
  char what[64];
  snprintf (what, sizeof what, "n %zu step %zu", n, step);
  check_bytes (out, want, out_bytes, what);
}

void
check_split_s16 (const Tier *ref, const Tier *tier)
{
  const int16_t in[6] = { 1, -2, 3, 4, -5, 6 };
  int16_t first[2], third[2];
  int16_t *const to[3] = { first, NULL, third };
  tier->kernels.split_s16 (2, 3, in, to);
  if (first[0] != 1 || first[1] != 4 || third[0] != 3 || third[1] != 6)
    check_fail ("first and third are %d %d, %d %d, expected 1 4, 3 6", first[0],
        first[1], third[0], third[1]);
  for (size_t step = 2; step <= 4; step++)
    for (size_t n = 0; n <= 140; n++)
      check_split_case (ref, tier, n, step);
}

static void
check_h_case (const Tier *ref, const Tier *tier, size_t n_out, size_t n_taps)
{
  const bool at_end = check_below (2);
  const size_t out_step = 1 + check_below (4);
  const size_t n_pixels = n_taps + check_below (60);
  int16_t *in = check_alloc (IN, n_pixels * sizeof *in, at_end);
  for (size_t i = 0; i < n_pixels; i++)
    in[i] = (int16_t) check_below (255 * 128 + 1);
  int32_t *start = check_alloc (START, n_out * sizeof *start, at_end);
  int16_t *weights =
      check_alloc (WEIGHTS, n_out * n_taps * sizeof *weights, at_end);
  for (size_t x = 0; x < n_out; x++) {
    start[x] = (int32_t) check_below ((uint32_t) (n_pixels - n_taps + 1));
    draw_weights (weights + x * n_taps, n_taps, check_below (2));
  }
  const size_t out_bytes = (n_out - 1) * out_step + 1;
  uint8_t *out = check_alloc (OUT, out_bytes, at_end);
  uint8_t *want = check_alloc (WANT, out_bytes, at_end);
  memset (out, SENTINEL, out_bytes);
  memset (want, SENTINEL, out_bytes);
  tier->kernels.resize_h_s16 (n_out, n_taps, start, weights, in, out, out_step);
  ref->kernels.resize_h_s16 (n_out, n_taps, start, weights, in, want, out_step);
  char what[96];
  snprintf (what, sizeof what, "n_out %zu taps %zu out_step %zu", n_out, n_taps,
      out_step);
  check_bytes (out, want, out_bytes, what);
}

void
check_resize_h_s16 (const Tier *ref, const Tier *tier)
{
  const int16_t in[2] = { 200 * 128, 100 * 128 };
  const int16_t weights[4] = { 8192, 8192, 20000, -3616 };
  const int32_t start[2] = { 0, 0 };
  uint8_t out[2];
  tier->kernels.resize_h_s16 (2, 2, start, weights, in, out, 1);
  if (out[0] != 150 || out[1] != 222)
    check_fail (
        "200 and 100 give %u and %u, expected 150 and 222", out[0], out[1]);
  for (size_t n_taps = 1; n_taps <= 2 * MAX_TAPS; n_taps++)
    for (size_t n_out = 1; n_out <= 20; n_out++)
      check_h_case (ref, tier, n_out, n_taps);
}

static void
check_pairs_case (const Tier *ref, const Tier *tier, size_t n, size_t step)
{
  const bool at_end = check_below (2);
  const size_t out_step = check_below (2) ? 1 : step + check_below (2);
  const size_t n_pixels = 2 + check_below (60);
  uint8_t *in = check_alloc (IN, 2 * n_pixels * step, at_end);
  check_fill_u8 (in, 2 * n_pixels * step);
  const uint8_t *const rows[2] = { in, in + n_pixels * step };
  int16_t row_weights[2];
  draw_weights (row_weights, 2, check_below (2));
  int16_t *weights =
      check_alloc (WEIGHTS, (2 * n + 1) * sizeof *weights, at_end);
  int32_t *start = check_alloc (START, (n + 1) * sizeof *start, at_end);
  for (size_t x = 0; x < n; x++) {
    draw_weights (weights + 2 * x, 2, check_below (2));
    start[x] = (int32_t) check_below ((uint32_t) n_pixels - 1);
  }
  const size_t apart = out_step == 1 ? n : 1;
  const bool backwards = check_below (2);
  const size_t out_bytes = (step - 1) * apart + n * out_step;
  uint8_t *out = check_alloc (OUT, out_bytes, at_end);
  uint8_t *want = check_alloc (WANT, out_bytes, at_end);
  memset (out, SENTINEL, out_bytes);
  memset (want, SENTINEL, out_bytes);
  uint8_t *to[4], *expected[4];
  for (size_t c = 0; c < step; c++) {
    const bool wanted = check_below (4) > 0;
    const size_t at = (backwards ? step - 1 - c : c) * apart;
    to[c] = wanted ? out + at : NULL;
    expected[c] = wanted ? want + at : NULL;
  }
  tier->kernels.resize_pairs_u8 (
      n, step, start, weights, rows, row_weights, to, out_step);
  ref->kernels.resize_pairs_u8 (
      n, step, start, weights, rows, row_weights, expected, out_step);
  char what[64];
  snprintf (
      what, sizeof what, "n %zu step %zu out_step %zu", n, step, out_step);
  check_bytes (out, want, out_bytes, what);
}

void
check_resize_pairs_u8 (const Tier *ref, const Tier *tier)
{
  const uint8_t above[4] = { 240, 40, 120, 80 }, below[4] = { 160, 40, 80, 80 };
  const uint8_t *const rows[2] = { above, below };
  const int16_t half[2] = { 8192, 8192 };
  const int32_t start = 0;
  uint8_t out[2] = { 0, 0 };
  uint8_t *const to[2] = { &out[0], &out[1] };
  tier->kernels.resize_pairs_u8 (1, 2, &start, half, rows, half, to, 1);
  if (out[0] != 150 || out[1] != 60)
    check_fail ("means are %u and %u, expected 150 and 60", out[0], out[1]);
  for (size_t step = 1; step <= 4; step++)
    for (size_t n = 0; n <= 70; n++)
      for (int i = 0; i < 4; i++)
        check_pairs_case (ref, tier, n, step);
}

/* Rows that end where memory ends: nothing behind them is read. False where
 * the outputs lie too far from each other for windows. */
static bool
check_windows_case (const Tier *ref, const Tier *tier, size_t n, size_t step)
{
  const size_t most = 1 + check_below (step == 1 ? 7 : 12);
  const size_t out_step = check_below (2) ? 1 : step + check_below (2);
  int32_t *start = check_alloc (START, n * sizeof *start, true);
  int16_t *weights = check_alloc (WEIGHTS, 2 * n * sizeof *weights, true);
  start[0] = (int32_t) check_below (3);
  for (size_t x = 0; x < n; x++) {
    draw_weights (weights + 2 * x, 2, check_below (2));
    if (x > 0)
      start[x] = start[x - 1] + (int32_t) check_below ((uint32_t) most + 1);
  }
  const size_t n_pixels = (size_t) start[n - 1] + 2 + check_below (5);
  const size_t n_bytes = n_pixels * step;
  uint8_t *above = check_alloc (IN, n_bytes, true);
  uint8_t *below = check_alloc (ROWS, n_bytes, true);
  check_fill_u8 (above, n_bytes);
  check_fill_u8 (below, n_bytes);
  const uint8_t *const rows[2] = { above, below };
  int16_t row_weights[2];
  draw_weights (row_weights, 2, check_below (2));
  ForgeWindows groups[16];
  if (!forge_plan_windows (n, step, start, n_bytes, groups))
    return false;
  const size_t apart = out_step == 1 ? n : 1;
  const size_t out_bytes = (step - 1) * apart + n * out_step;
  uint8_t *out = check_alloc (OUT, out_bytes, true);
  uint8_t *want = check_alloc (WANT, out_bytes, true);
  memset (out, SENTINEL, out_bytes);
  memset (want, SENTINEL, out_bytes);
  uint8_t *to[2], *expected[2];
  for (size_t c = 0; c < step; c++) {
    const bool wanted = step == 1 || check_below (4) > 0;
    to[c] = wanted ? out + c * apart : NULL;
    expected[c] = wanted ? want + c * apart : NULL;
  }
  tier->kernels.resize_windows_u8 (forge_window_groups (n), step, groups,
      weights, rows, row_weights, to, out_step);
  /* what it stands for, which knows nothing of windows */
  ref->kernels.resize_pairs_u8 (
      n, step, start, weights, rows, row_weights, expected, out_step);
  char what[64];
  snprintf (
      what, sizeof what, "n %zu step %zu out_step %zu", n, step, out_step);
  check_bytes (out, want, out_bytes, what);
  return true;
}

void
check_resize_windows_u8 (const Tier *ref, const Tier *tier)
{
  for (size_t step = 1; step <= 2; step++) {
    size_t n_planned = 0;
    for (size_t n = 8; n <= 100; n++)
      for (int i = 0; i < 6; i++)
        n_planned += check_windows_case (ref, tier, n, step);
    if (n_planned < 400)
      check_fail ("step %zu: windows for %zu of 558 cases", step, n_planned);
  }
  static const int32_t far_apart[8] = { 0, 20, 40, 60, 80, 100, 120, 140 };
  ForgeWindows group;
  if (forge_plan_windows (8, 1, far_apart, 150, &group))
    check_fail ("outputs 20 bytes apart have a window of 16 in common");
  if (forge_plan_windows (7, 2, far_apart, 300, &group) ||
      forge_plan_windows (8, 3, far_apart, 600, &group) ||
      forge_plan_windows (8, 1, (int32_t[8]) { 0 }, 15, &group))
    check_fail ("windows for what has none");
}

typedef struct {
  const Tier *tier;
  size_t n, n_taps, step;
  const uint8_t *rows[MAX_TAPS];
  const void *in;
  const int16_t *weights;
  const int32_t *start;
  const ForgeWindows *windows;
  void *out;
} Bench;

static void
run_v (void *data)
{
  Bench *bench = data;
  bench->tier->kernels.resize_v_u8 (
      bench->n, bench->n_taps, bench->rows, bench->weights, bench->out);
}

/* A row of 1080p RGB; the bytes counted are those read from the frame. */
void
bench_resize_v_u8 (const Tier *tier)
{
  enum { BYTES = 5760 };
  static const size_t taps[] = { 2, 5, 10, 34 };
  for (size_t i = 0; i < sizeof taps / sizeof taps[0]; i++) {
    Bench bench = { .tier = tier, .n = BYTES, .n_taps = taps[i] };
    uint8_t *in = check_alloc (IN, BYTES * taps[i], false);
    int16_t *weights = check_alloc (WEIGHTS, taps[i] * sizeof *weights, false);
    draw_weights (weights, taps[i], false);
    for (size_t t = 0; t < taps[i]; t++)
      bench.rows[t] = in + t * BYTES;
    bench.weights = weights;
    bench.out = check_alloc (OUT, BYTES * sizeof (int16_t), false);
    char shape[64];
    snprintf (shape, sizeof shape, "%d bytes, %zu taps", BYTES, taps[i]);
    bench_report (tier, "resize_v_u8", shape, bench_seconds (run_v, &bench), 0,
        (double) BYTES * (double) taps[i]);
  }
}

static void
run_split (void *data)
{
  Bench *bench = data;
  int16_t *out = bench->out;
  int16_t *const to[4] = { out, out + bench->n, out + 2 * bench->n,
    out + 3 * bench->n };
  bench->tier->kernels.split_s16 (bench->n, bench->step, bench->in, to);
}

/* A row of 1080p. */
void
bench_split_s16 (const Tier *tier)
{
  enum { WIDTH = 1920 };
  for (size_t step = 2; step <= 4; step++) {
    const size_t n_bytes = WIDTH * step * sizeof (int16_t);
    Bench bench = { .tier = tier,
      .n = WIDTH,
      .step = step,
      .in = check_alloc (IN, n_bytes, false),
      .out = check_alloc (OUT, n_bytes, false) };
    char shape[64];
    snprintf (shape, sizeof shape, "%d px, step %zu", WIDTH, step);
    bench_report (tier, "split_s16", shape, bench_seconds (run_split, &bench),
        0, 2.0 * (double) n_bytes);
  }
}

static void
run_h (void *data)
{
  Bench *bench = data;
  bench->tier->kernels.resize_h_s16 (bench->n, bench->n_taps, bench->start,
      bench->weights, bench->in, bench->out, bench->step);
}

/* From a row of 1920 pixels to 224: planes, and R'G'B'. */
void
bench_resize_h_s16 (const Tier *tier)
{
  enum { WIDTH = 1920, N_OUT = 224 };
  static const size_t taps[] = { 8, 10, 16, 24 };
  for (size_t i = 0; i < 2 * sizeof taps / sizeof taps[0]; i++) {
    const size_t n_taps = taps[i / 2];
    int32_t *start = check_alloc (START, N_OUT * sizeof *start, false);
    int16_t *weights =
        check_alloc (WEIGHTS, N_OUT * n_taps * sizeof *weights, false);
    for (size_t x = 0; x < N_OUT; x++) {
      start[x] = (int32_t) (x * (WIDTH - n_taps) / N_OUT);
      draw_weights (weights + x * n_taps, n_taps, false);
    }
    Bench bench = { .tier = tier,
      .n = N_OUT,
      .n_taps = n_taps,
      .step = i % 2 ? 3 : 1,
      .in = check_alloc (IN, WIDTH * sizeof (int16_t), false),
      .weights = weights,
      .start = start,
      .out = check_alloc (OUT, N_OUT * 3, false) };
    char shape[64];
    snprintf (shape, sizeof shape, "1920 to 224, %zu taps, out step %zu",
        n_taps, bench.step);
    bench_report (tier, "resize_h_s16", shape, bench_seconds (run_h, &bench), 0,
        (double) (N_OUT * n_taps * sizeof (int16_t)));
  }
}

static void
run_pairs (void *data)
{
  static const int16_t half[2] = { 8192, 8192 };
  Bench *bench = data;
  uint8_t *out = bench->out;
  const size_t apart = bench->step < 3 ? bench->n : 1;
  uint8_t *const to[4] = { out, out + apart, out + 2 * apart };
  bench->tier->kernels.resize_pairs_u8 (bench->n, bench->step, bench->start,
      bench->weights, bench->rows, half, to, bench->step < 3 ? 1 : 3);
}

/* From rows of 1920 pixels to 224: planes of one and two channels, and
 * R'G'B'. */
void
bench_resize_pairs_u8 (const Tier *tier)
{
  enum { WIDTH = 1920, N_OUT = 224 };
  int16_t *weights = check_alloc (WEIGHTS, N_OUT * 2 * sizeof *weights, false);
  int32_t *start = check_alloc (START, N_OUT * sizeof *start, false);
  for (int x = 0; x < N_OUT; x++) {
    start[x] = x * (WIDTH - 2) / N_OUT;
    draw_weights (weights + 2 * x, 2, false);
  }
  for (size_t step = 1; step <= 4; step++) {
    const uint8_t *in = check_alloc (IN, 2 * WIDTH * step, false);
    Bench bench = { .tier = tier,
      .n = N_OUT,
      .step = step,
      .rows = { in, in + WIDTH * step },
      .weights = weights,
      .start = start,
      .out = check_alloc (OUT, N_OUT * 4, false) };
    char shape[64];
    snprintf (shape, sizeof shape, "1920 to 224, step %zu", step);
    bench_report (tier, "resize_pairs_u8", shape,
        bench_seconds (run_pairs, &bench), 0, (double) (N_OUT * 4 * step));
  }
}

static void
run_windows (void *data)
{
  static const int16_t half[2] = { 8192, 8192 };
  Bench *bench = data;
  uint8_t *const to[2] = { bench->out, (uint8_t *) bench->out + bench->n };
  bench->tier->kernels.resize_windows_u8 (forge_window_groups (bench->n),
      bench->step, bench->windows, bench->weights, bench->rows, half, to, 1);
}

/* As bench_resize_pairs_u8: luma, and the chroma of 4:2:0. */
void
bench_resize_windows_u8 (const Tier *tier)
{
  enum { WIDTH = 1920, N_OUT = 224 };
  int16_t *weights = check_alloc (WEIGHTS, N_OUT * 2 * sizeof *weights, false);
  int32_t *start = check_alloc (START, N_OUT * sizeof *start, false);
  ForgeWindows *windows =
      check_alloc (ROWS, forge_window_groups (N_OUT) * sizeof *windows, false);
  for (size_t step = 1; step <= 2; step++) {
    const int n_pixels = WIDTH / (int) step;
    for (int x = 0; x < N_OUT; x++) {
      start[x] = x * (n_pixels - 2) / N_OUT;
      draw_weights (weights + 2 * x, 2, false);
    }
    if (!forge_plan_windows (N_OUT, step, start, WIDTH, windows))
      check_fail ("no windows from 1920 bytes to 224 outputs");
    const uint8_t *in = check_alloc (IN, 2 * WIDTH, false);
    Bench bench = { .tier = tier,
      .n = N_OUT,
      .step = step,
      .rows = { in, in + WIDTH },
      .weights = weights,
      .windows = windows,
      .out = check_alloc (OUT, N_OUT * 2, false) };
    char shape[64];
    snprintf (shape, sizeof shape, "%d to 224, step %zu", n_pixels, step);
    bench_report (tier, "resize_windows_u8", shape,
        bench_seconds (run_windows, &bench), 0, (double) (N_OUT * 4 * step));
  }
}
