/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TfliteSoftmax (domain forge) over the last axis, bytes in and out, output
 * scale 1 / 256: exp and the reciprocal in fixed point, as gemmlowp has them.
 * Qm stands for 31 - m fractional bits below.
 * Source: tensorflow/lite/kernels/internal/reference/softmax.h; gemmlowp,
 * fixedpoint/fixedpoint.h. */
#include "ops/tflite-math.h"

#define ACCUMULATION_INTEGER_BITS 12
#define ONE_Q0 INT32_MAX

static int32_t
shift_left_saturating (int32_t x, int exponent)
{
  int64_t wide = (int64_t) x * ((int64_t) 1 << exponent);
  return (int32_t) CLAMP (wide, INT32_MIN, INT32_MAX);
}

/* exp (x) for Q0 x within [-1/4, 0). */
static int32_t
exp_small (int32_t a)
{
  const int32_t exp_minus_eighth = 1895147668, one_third = 715827883;
  int32_t x = a + (1 << 28);
  int32_t x2 = forge_tflite_high_mul (x, x);
  int32_t x3 = forge_tflite_high_mul (x2, x);
  int32_t x4 = forge_tflite_high_mul (x2, x2);
  int32_t x4_over_4 = forge_tflite_divide_by_pot (x4, 2);
  int32_t rest = forge_tflite_divide_by_pot (
      forge_tflite_high_mul (x4_over_4 + x3, one_third) + x2, 1);
  return exp_minus_eighth + forge_tflite_high_mul (exp_minus_eighth, x + rest);
}

/* exp (x) in Q0 for Q5 x <= 0: a small part, then powers of e. */
static int32_t
exp_negative (int32_t a)
{
  static const int32_t powers[] = { 1672461947, 1302514674, 790015084,
    290630308, 39332535, 720401, 242 };
  const int32_t quarter = 1 << 24;
  int32_t fraction = (a & (quarter - 1)) - quarter;
  int32_t result = exp_small (shift_left_saturating (fraction, 5));
  int32_t remainder = fraction - a;
  for (int i = 0; i < 7; i++)
    if (remainder & (1 << (24 + i)))
      result = forge_tflite_high_mul (result, powers[i]);
  return a == 0 ? ONE_Q0 : result;
}

/* 1 / (1 + a) in Q0, for Q0 a within [0, 1). */
static int32_t
reciprocal_one_plus (int32_t a)
{
  int32_t half = (int32_t) (((int64_t) a + ONE_Q0 + 1) / 2);
  int32_t x = 1515870810 + forge_tflite_high_mul (half, -1010580540);
  for (int i = 0; i < 3; i++) {
    int32_t error = (1 << 29) - forge_tflite_high_mul (half, x);
    x += shift_left_saturating (forge_tflite_high_mul (x, error), 2);
  }
  return shift_left_saturating (x, 1);
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  if (!forge_quant_need_byte (node, 0, error))
    return FALSE;
  const ForgeValue *in = forge_node_in (node, 0);
  if (in->shape.rank < 1)
    return forge_op_need_rank (node, 0, 2, error);
  return forge_op_set_out (node, 0, in->dtype, &in->shape, error);
}

typedef struct {
  const ForgeTensor *in;
  ForgeTensor *out;
  int64_t depth;
  ForgeTfliteFactor beta;
  int32_t diff_min;
} Job;

static int32_t
exp_of (const Job *job, int32_t diff)
{
  int32_t scaled = forge_tflite_high_mul (
      (int32_t) ((uint32_t) diff << MAX (job->beta.shift, 0)),
      job->beta.multiplier);
  return exp_negative (scaled);
}

static void
run_row (const Job *job, int64_t row)
{
  ForgeDtype dtype = job->in->dtype;
  int32_t low, high, largest = INT32_MIN;
  uint32_t sum = 0; /* Q12 */
  forge_quant_range (dtype, &low, &high);
  for (int64_t i = row; i < row + job->depth; i++)
    largest = MAX (largest, forge_quant_load (dtype, job->in->data, i));
  for (int64_t i = row; i < row + job->depth; i++) {
    int32_t diff = forge_quant_load (dtype, job->in->data, i) - largest;
    if (diff >= job->diff_min)
      sum += (uint32_t) forge_tflite_divide_by_pot (
          exp_of (job, diff), ACCUMULATION_INTEGER_BITS);
  }
  int headroom = sum ? __builtin_clz (sum) : 31;
  int bits_over_unit = ACCUMULATION_INTEGER_BITS - headroom;
  int32_t scale = reciprocal_one_plus (
      (int32_t) ((sum << headroom) - ((uint32_t) 1 << 31)));
  int shift = CLAMP (bits_over_unit + 31 - 8, 0, 31);
  for (int64_t i = row; i < row + job->depth; i++) {
    int32_t diff = forge_quant_load (dtype, job->in->data, i) - largest;
    int32_t value = low;
    if (diff >= job->diff_min)
      value += forge_tflite_divide_by_pot (
          forge_tflite_high_mul (scale, exp_of (job, diff)), shift);
    forge_quant_store (dtype, job->out->data, i, CLAMP (value, low, high));
  }
}

static void
run (const ForgeStep *step)
{
  const ForgeShape *shape = &step->in[0]->shape;
  Job job = { .in = step->in[0],
    .out = step->out[0],
    .depth = shape->dims[shape->rank - 1],
    .beta = forge_tflite_attr (step->node, "beta"),
    .diff_min = (int32_t) forge_attrs_int (step->node->attrs, "diff_min", 0) };
  int64_t count = forge_shape_count (shape);
  for (int64_t row = 0; row < count; row += job.depth)
    run_row (&job, row);
}

const ForgeOp forge_op_TfliteSoftmax = { .type = "TfliteSoftmax",
  .domain = "forge",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run };
