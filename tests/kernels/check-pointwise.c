/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * binary_f32, unary_f32 and softmax_f32: every length around the vector
 * width, in place and not, extremes, and ref against libm in double. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checker.h"

enum { X, Y, OUT, WANT };
enum { MAX_N = 70, N_BINARY = FORGE_BINARY_DIV + 1 };
enum { N_UNARY = FORGE_UNARY_GELU_TANH + 1 };

static float *
draw (int slot, size_t n, float range, bool at_end)
{
  float *x = check_alloc (slot, n * sizeof *x, at_end);
  for (size_t i = 0; i < n; i++)
    x[i] = range * check_float ();
  return x;
}

static void
check_binary_case (const Tier *ref, const Tier *tier, ForgeBinary op, size_t n)
{
  const bool at_end = check_below (2);
  const size_t a_step = check_below (4) ? 1 : 0;
  const size_t b_step = check_below (4) ? 1 : 0;
  float *a = draw (X, a_step ? n : 1, 10, at_end);
  float *b = draw (Y, b_step ? n : 1, 10, at_end);
  if (check_below (2))
    check_sprinkle (a, a_step ? n : 1, true);
  if (check_below (2))
    check_sprinkle (b, b_step ? n : 1, true);
  float *want = check_alloc (WANT, n * sizeof *want, at_end);
  ref->kernels.binary_f32 (op, n, a, a_step, b, b_step, want);
  float *out = check_alloc (OUT, n * sizeof *out, at_end);
  const uint32_t place = check_below (3);
  int slot = OUT;
  if (place == 1 && a_step) {
    out = a;
    slot = X;
  } else if (place == 2 && b_step) {
    out = b;
    slot = Y;
  }
  tier->kernels.binary_f32 (op, n, a, a_step, b, b_step, out);
  check_guards (slot);
  for (size_t i = 0; i < n; i++)
    if (!check_near (out[i], want[i], 0))
      check_fail ("op %d n %zu steps %zu %zu: out[%zu] = %.9g, expected %.9g",
          op, n, a_step, b_step, i, out[i], want[i]);
}

void
check_binary_f32 (const Tier *ref, const Tier *tier)
{
  float out[4];
  for (int op = 0; op < N_BINARY; op++) {
    const float six = 6, two = 2;
    tier->kernels.binary_f32 ((ForgeBinary) op, 1, &six, 1, &two, 1, &out[op]);
    for (size_t n = 1; n <= MAX_N; n++)
      for (int repeat = 0; repeat < 4; repeat++)
        check_binary_case (ref, tier, (ForgeBinary) op, n);
  }
  if (out[0] != 8 || out[1] != 4 || out[2] != 12 || out[3] != 3)
    check_fail ("6 and 2 give %g %g %g %g", out[0], out[1], out[2], out[3]);
}

/* In double; `distance` is what CONTRACTS.md grants. */
static double
exact (ForgeUnary op, double x, double alpha, double beta, double *distance)
{
  const double sigmoid = 1 / (1 + exp (-x));
  double y = x;
  switch (op) {
  case FORGE_UNARY_CLAMP:
    y = x < alpha ? alpha : x > beta ? beta : x;
    break;
  case FORGE_UNARY_LEAKY:
    y = x < 0 ? alpha * x : x;
    break;
  case FORGE_UNARY_SIGMOID:
    y = sigmoid;
    break;
  case FORGE_UNARY_SILU:
    y = x * sigmoid;
    break;
  case FORGE_UNARY_HARD_SIGMOID:
    y = alpha * x + beta;
    y = y < 0 ? 0 : y > 1 ? 1 : y;
    break;
  case FORGE_UNARY_HARD_SWISH:
    y = x / 6 + 0.5;
    y = x * (y < 0 ? 0 : y > 1 ? 1 : y);
    break;
  case FORGE_UNARY_TANH:
    y = tanh (x);
    break;
  case FORGE_UNARY_EXP:
    y = exp (x);
    break;
  case FORGE_UNARY_GELU:
    y = isinf (x) ? fmax (x, 0) : 0.5 * x * erfc (-x * M_SQRT1_2);
    break;
  case FORGE_UNARY_GELU_TANH:
    y = x / (1 + exp (-2 * sqrt (M_2_PI) * (x + 0.044715 * x * x * x)));
    break;
  }
  *distance = 4 * FLT_EPSILON * fabs (y) + 0x1p-120;
  if (op == FORGE_UNARY_HARD_SIGMOID || op == FORGE_UNARY_HARD_SWISH)
    *distance += 2 * FLT_EPSILON * (1 + fabs (x));
  if (op == FORGE_UNARY_GELU)
    *distance += 4 * FLT_EPSILON * fabs (x);
  if (op == FORGE_UNARY_GELU_TANH)
    *distance += (12 + 8 * fabs (x + x * x * x / 20)) * FLT_EPSILON * fabs (y);
  return y;
}

static void
check_unary_case (const Tier *tier, ForgeUnary op, size_t n)
{
  const bool at_end = check_below (2);
  const float ranges[] = { 0.1f, 1, 10, 100, 1000 };
  const float alpha = op == FORGE_UNARY_CLAMP ? -0.5f : 0.2f;
  const float beta = 0.5f;
  float *x = draw (X, n, ranges[check_below (5)], at_end);
  if (check_below (3) == 0)
    check_sprinkle (x, n, true);
  float input[MAX_N];
  memcpy (input, x, n * sizeof *x);
  bool in_place = check_below (2);
  float *out = in_place ? x : check_alloc (OUT, n * sizeof *out, at_end);
  tier->kernels.unary_f32 (op, n, x, alpha, beta, out);
  check_guards (in_place ? X : OUT);
  for (size_t i = 0; i < n; i++) {
    double distance;
    float want = (float) exact (op, input[i], alpha, beta, &distance);
    if (!check_near (out[i], want, distance))
      check_fail ("op %d n %zu: f (%.9g) = %.9g, expected %.9g", op, n,
          input[i], out[i], want);
  }
}

void
check_unary_f32 (const Tier *ref, const Tier *tier)
{
  for (int op = 0; op < N_UNARY; op++)
    for (size_t n = 1; n <= MAX_N; n++)
      for (int repeat = 0; repeat < 8; repeat++)
        check_unary_case (tier, (ForgeUnary) op, n);
}

static void
check_softmax_case (const Tier *tier, size_t n, bool in_place)
{
  const bool at_end = check_below (2);
  const float ranges[] = { 1, 30, 1e4f, FLT_MAX };
  float *x = draw (X, n, ranges[check_below (4)], at_end);
  for (size_t i = 1; i < n; i++)
    if (check_below (8) == 0)
      x[i] = -INFINITY;
  if (check_below (16) == 0)
    x[check_below ((uint32_t) n)] = check_below (2) ? NAN : INFINITY;
  float input[MAX_N];
  memcpy (input, x, n * sizeof *x);
  double max = -INFINITY, sum = 0;
  for (size_t i = 0; i < n; i++)
    if (input[i] > max)
      max = input[i];
  for (size_t i = 0; i < n; i++)
    sum += exp ((double) (float) (input[i] - max));
  float *out = in_place ? x : check_alloc (OUT, n * sizeof *out, at_end);
  tier->kernels.softmax_f32 (n, x, out);
  check_guards (in_place ? X : OUT);
  for (size_t i = 0; i < n; i++) {
    double want = exp ((double) (float) (input[i] - max)) / sum;
    double near = (4 + (double) n / 2) * FLT_EPSILON * want + 0x1p-120;
    if (!check_near (out[i], (float) want, near))
      check_fail ("n %zu: out[%zu] = %.9g, expected %.9g", n, i, out[i], want);
  }
}

void
check_softmax_f32 (const Tier *ref, const Tier *tier)
{
  for (size_t n = 1; n <= MAX_N; n++)
    for (int repeat = 0; repeat < 24; repeat++)
      check_softmax_case (tier, n, repeat % 2);
}

enum { BENCH_N = 4096 };

typedef struct {
  const Tier *tier;
  int op;
  const float *x, *y;
  float *out;
} Bench;

static Bench
bench_data (const Tier *tier)
{
  return (Bench) { .tier = tier,
    .x = draw (X, BENCH_N, 4, false),
    .y = draw (Y, BENCH_N, 4, false),
    .out = draw (OUT, BENCH_N, 4, false) };
}

static void
run_binary (void *data)
{
  const Bench *bench = data;
  bench->tier->kernels.binary_f32 (
      (ForgeBinary) bench->op, BENCH_N, bench->x, 1, bench->y, 1, bench->out);
}

static void
run_unary (void *data)
{
  const Bench *bench = data;
  bench->tier->kernels.unary_f32 (
      (ForgeUnary) bench->op, BENCH_N, bench->x, 0.2f, 0.5f, bench->out);
}

static void
run_softmax (void *data)
{
  const Bench *bench = data;
  bench->tier->kernels.softmax_f32 (BENCH_N, bench->x, bench->out);
}

void
bench_binary_f32 (const Tier *tier)
{
  static const char *const names[N_BINARY] = { "add", "sub", "mul", "div" };
  Bench bench = bench_data (tier);
  for (bench.op = 0; bench.op < N_BINARY; bench.op++)
    bench_report (tier, "binary_f32", names[bench.op],
        bench_seconds (run_binary, &bench), 0, 12.0 * BENCH_N);
}

void
bench_unary_f32 (const Tier *tier)
{
  static const char *const names[N_UNARY] = { "clamp", "leaky", "sigmoid",
    "silu", "hard_sigmoid", "hard_swish", "tanh", "exp", "gelu", "gelu_tanh" };
  Bench bench = bench_data (tier);
  for (bench.op = 0; bench.op < N_UNARY; bench.op++)
    bench_report (tier, "unary_f32", names[bench.op],
        bench_seconds (run_unary, &bench), 0, 8.0 * BENCH_N);
}

void
bench_softmax_f32 (const Tier *tier)
{
  Bench bench = bench_data (tier);
  bench_report (tier, "softmax_f32", "n 4096",
      bench_seconds (run_softmax, &bench), 0, 8.0 * BENCH_N);
}
