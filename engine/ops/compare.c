/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Element-wise operators of two operands beyond the four arithmetic ones,
 * with NumPy broadcasting: Max, Min, Sum, Mean (any number of operands), Pow,
 * PRelu, Mod, and those that give bool: Equal, Greater, GreaterOrEqual, Less,
 * LessOrEqual, And, Or, Xor. Plain loops over any type: none of them weighs
 * anything in a classifier, PRelu excepted, which still runs along rows.
 * Source: ONNX operator specification. */
#include <math.h>
#include <string.h>

#include "ops/broadcast.h"
#include "ops/element.h"
#include "ops/op-util.h"

typedef double (*FloatFunction) (double a, double b);
typedef int64_t (*IntFunction) (int64_t a, int64_t b);

static double
max_float (double a, double b)
{
  return a > b || isnan (a) ? a : b;
}

static double
min_float (double a, double b)
{
  return a < b || isnan (a) ? a : b;
}

static double
prelu_float (double x, double slope)
{
  return x < 0 ? x * slope : x;
}

static double
equal_float (double a, double b)
{
  return a == b;
}

static double
greater_float (double a, double b)
{
  return a > b;
}

static double
not_less_float (double a, double b)
{
  return a >= b;
}

static double
less_float (double a, double b)
{
  return a < b;
}

static double
not_greater_float (double a, double b)
{
  return a <= b;
}

static double
sum_float (double a, double b)
{
  return a + b;
}

static double
mod_float (double a, double b)
{
  return fmod (a, b);
}

static int64_t
sum_int (int64_t a, int64_t b)
{
  return (int64_t) ((uint64_t) a + (uint64_t) b);
}

/* With the sign of the divisor, as Python; x mod 0 = 0. */
static int64_t
mod_int (int64_t a, int64_t b)
{
  if (b == 0 || b == -1)
    return 0;
  int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/* With the sign of the dividend, as C. */
static int64_t
remainder_int (int64_t a, int64_t b)
{
  return b == 0 || b == -1 ? 0 : a % b;
}

static int64_t
mod_unsigned (int64_t a, int64_t b)
{
  return b == 0 ? 0 : (int64_t) ((uint64_t) a % (uint64_t) b);
}

/* Wraps round; a negative exponent truncates to 0 but for 1 and -1. */
static int64_t
pow_int (int64_t a, int64_t b)
{
  uint64_t power = 1, square = (uint64_t) a;
  if (b < 0)
    return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
  for (; b > 0; b >>= 1, square *= square)
    power *= b & 1 ? square : 1;
  return (int64_t) power;
}

static int64_t
and_int (int64_t a, int64_t b)
{
  return a && b;
}

static int64_t
or_int (int64_t a, int64_t b)
{
  return a || b;
}

static int64_t
xor_int (int64_t a, int64_t b)
{
  return !a != !b;
}

static int64_t
max_int (int64_t a, int64_t b)
{
  return MAX (a, b);
}

static int64_t
min_int (int64_t a, int64_t b)
{
  return MIN (a, b);
}

static int64_t
equal_int (int64_t a, int64_t b)
{
  return a == b;
}

static int64_t
greater_int (int64_t a, int64_t b)
{
  return a > b;
}

static int64_t
not_less_int (int64_t a, int64_t b)
{
  return a >= b;
}

static int64_t
less_int (int64_t a, int64_t b)
{
  return a < b;
}

static int64_t
not_greater_int (int64_t a, int64_t b)
{
  return a <= b;
}

static const struct {
  const char *type;
  FloatFunction floats; /* NULL = bool only */
  IntFunction ints;     /* NULL = floats only */
  gboolean gives_bool;
  gboolean orders; /* uint64 must be mapped onto int64 */
} kinds[] = {
  { "Max", max_float, max_int, FALSE, TRUE },
  { "Min", min_float, min_int, FALSE, TRUE },
  { "Pow", pow, pow_int },
  { "PRelu", prelu_float, NULL },
  { "Equal", equal_float, equal_int, TRUE },
  { "Greater", greater_float, greater_int, TRUE, TRUE },
  { "GreaterOrEqual", not_less_float, not_less_int, TRUE, TRUE },
  { "Less", less_float, less_int, TRUE, TRUE },
  { "LessOrEqual", not_greater_float, not_greater_int, TRUE, TRUE },
  { "And", NULL, and_int, TRUE },
  { "Or", NULL, or_int, TRUE },
  { "Xor", NULL, xor_int, TRUE },
  { "Sum", sum_float, sum_int },
  { "Mean", sum_float, NULL }, /* divided at the end */
  { "Mod", mod_float, mod_int },
};

static gsize
kind_of (const ForgeNode *node)
{
  gsize i = 0;
  while (strcmp (kinds[i].type, node->op->type) != 0)
    i++;
  return i;
}

static gboolean
is_type (const ForgeNode *node, const char *type)
{
  return strcmp (node->op->type, type) == 0;
}

/* One type throughout, but that a Pow may have any exponent. */
static gboolean
check_types (const ForgeNode *node, GError **error)
{
  gsize kind = kind_of (node);
  ForgeDtype dtype = forge_node_in (node, 0)->dtype;
  for (guint i = 0; i < node->inputs->len; i++) {
    const ForgeValue *in = forge_node_in (node, i);
    gboolean ok = in && forge_dtype_size_bytes (in->dtype) &&
                  (in->dtype == dtype || is_type (node, "Pow"));
    if (ok && in->dtype == FORGE_BOOL)
      ok = !kinds[kind].floats || is_type (node, "Equal");
    else if (ok && forge_element_is_float (in->dtype))
      ok = kinds[kind].floats != NULL;
    else if (ok)
      ok = kinds[kind].floats && kinds[kind].ints;
    if (!ok)
      return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
          "input %u is %s beside %s, which is not supported", i,
          in ? forge_dtype_name (in->dtype) : "missing",
          forge_dtype_name (dtype));
  }
  return TRUE;
}

/* The slope as it broadcasts: one per channel, old exporters wrote without
 * the axes behind. */
static ForgeShape
slope_shape (const ForgeShape *x, const ForgeShape *slope)
{
  ForgeShape spread = { .rank = x->rank - 1 }, out;
  if (slope->rank != 1 || x->rank < 3 || slope->dims[0] == 1 ||
      slope->dims[0] != x->dims[1] || forge_shape_broadcast (x, slope, &out))
    return *slope;
  spread.dims[0] = slope->dims[0];
  for (int i = 1; i < spread.rank; i++)
    spread.dims[i] = 1;
  return spread;
}

static gboolean
infer_prelu (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  ForgeShape slope = slope_shape (&in->shape, &forge_node_in (node, 1)->shape);
  ForgeShape out;
  if (!forge_shape_broadcast (&in->shape, &slope, &out))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "the slope does not broadcast to the input");
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  if (!forge_node_in (node, 0))
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "input 0 is missing");
  ForgeShape out = forge_node_in (node, 0)->shape;
  if (!check_types (node, error))
    return FALSE;
  if (is_type (node, "PRelu"))
    return infer_prelu (node, error);
  for (guint i = 1; i < node->inputs->len; i++)
    if (!forge_shape_broadcast (&out, &forge_node_in (node, i)->shape, &out))
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input %u does not broadcast with those before it", i);
  return forge_op_set_out (node, 0,
      kinds[kind_of (node)].gives_bool ? FORGE_BOOL
                                       : forge_node_in (node, 0)->dtype,
      &out, error);
}

typedef struct {
  gsize kind;
  IntFunction ints;
  ForgeBroadcast bc;
  const ForgeTensor *a, *b;
  ForgeTensor *out;
} Job;

static double
load_any (const ForgeTensor *tensor, size_t i)
{
  return forge_element_is_float (tensor->dtype)
             ? forge_element_load_float (tensor->dtype, tensor->data, i)
             : (double) forge_element_load_int (tensor->dtype, tensor->data, i);
}

static void
run_ints (const Job *job, size_t a, size_t b, size_t to)
{
  /* the order of uint64 is that of int64 with the top bit turned over */
  gboolean turn = job->a->dtype == FORGE_UINT64 && kinds[job->kind].orders;
  uint64_t flip = turn ? UINT64_C (1) << 63 : 0;
  uint64_t x =
      (uint64_t) forge_element_load_int (job->a->dtype, job->a->data, a);
  uint64_t y =
      (uint64_t) forge_element_load_int (job->b->dtype, job->b->data, b);
  uint64_t value =
      (uint64_t) job->ints ((int64_t) (x ^ flip), (int64_t) (y ^ flip));
  forge_element_store_int (job->out->dtype, job->out->data, to,
      (int64_t) (kinds[job->kind].gives_bool ? value : value ^ flip));
}

static void
run_element (const Job *job, size_t a, size_t b, size_t to)
{
  ForgeDtype type = job->a->dtype;
  gboolean is_float = forge_element_is_float (type);
  if (!is_float && !forge_element_is_float (job->b->dtype)) {
    run_ints (job, a, b, to);
    return;
  }
  double value =
      kinds[job->kind].floats (load_any (job->a, a), load_any (job->b, b));
  if (kinds[job->kind].gives_bool)
    ((uint8_t *) job->out->data)[to] = value != 0;
  else if (is_float)
    forge_element_store_float (type, job->out->data, to, value);
  else
    forge_element_store_int (
        type, job->out->data, to, fabs (value) < 0x1p62 ? (int64_t) value : 0);
}

/* Neighbouring float32 of the first operand, in loops that the compiler turns
 * into vectors, to the same bits; FALSE where there is none. */
static gboolean
run_floats (const Job *job, const float *a, const float *b, float *out)
{
  FloatFunction function = kinds[job->kind].floats;
  size_t n = (size_t) job->bc.row, step = job->bc.b_step;
  if (function == prelu_float)
    for (size_t i = 0; i < n; i++)
      out[i] = a[i] < 0 ? a[i] * b[i * step] : a[i];
  else if (function == max_float)
    for (size_t i = 0; i < n; i++)
      out[i] = a[i] > b[i * step] || isnan (a[i]) ? a[i] : b[i * step];
  else if (function == min_float)
    for (size_t i = 0; i < n; i++)
      out[i] = a[i] < b[i * step] || isnan (a[i]) ? a[i] : b[i * step];
  else if (function == pow && step == 0 && b[0] == 2)
    for (size_t i = 0; i < n; i++)
      out[i] = a[i] * a[i];
  else
    return FALSE;
  return TRUE;
}

static void
run_rows (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  for (size_t row = begin; row < end; row++) {
    int64_t a, b;
    forge_broadcast_row (&job->bc, (int64_t) row, &a, &b);
    if (job->a->dtype == FORGE_FLOAT32 && job->b->dtype == FORGE_FLOAT32 &&
        job->bc.a_step == 1 &&
        run_floats (job, (const float *) job->a->data + a,
            (const float *) job->b->data + b,
            (float *) job->out->data + row * (size_t) job->bc.row))
      continue;
    for (size_t i = 0; i < (size_t) job->bc.row; i++)
      run_element (job, (size_t) a + i * job->bc.a_step,
          (size_t) b + i * job->bc.b_step, row * (size_t) job->bc.row + i);
  }
}

static IntFunction
int_function (const ForgeNode *node)
{
  if (!is_type (node, "Mod"))
    return kinds[kind_of (node)].ints;
  if (forge_node_in (node, 0)->dtype == FORGE_UINT64)
    return mod_unsigned;
  return forge_attrs_int (node->attrs, "fmod", 0) ? remainder_int : mod_int;
}

static void
run_pair (const ForgeStep *step, const ForgeTensor *a, const ForgeTensor *b)
{
  Job job = { .kind = kind_of (step->node),
    .ints = int_function (step->node),
    .a = a,
    .b = b,
    .out = step->out[0] };
  ForgeShape shape = b->shape;
  if (is_type (step->node, "PRelu"))
    shape = slope_shape (&a->shape, &b->shape);
  forge_broadcast_init (&job.bc, &a->shape, &shape, &job.out->shape);
  if (job.bc.row > 0)
    forge_op_ranges (step->threads, (size_t) job.bc.n_rows,
        (size_t) (FORGE_OP_GRAIN / 8 / job.bc.row + 1), run_rows, &job);
}

/* With more than two operands the result so far is the first of the next
 * pair. */
static void
run (const ForgeStep *step)
{
  ForgeTensor *out = step->out[0];
  if (step->n_in == 1)
    memcpy (out->data, step->in[0]->data, out->size_bytes);
  else
    run_pair (step, step->in[0], step->in[1]);
  for (guint i = 2; i < step->n_in; i++)
    run_pair (step, out, step->in[i]);
}

static void
run_mean (const ForgeStep *step)
{
  ForgeTensor *out = step->out[0];
  size_t count = (size_t) forge_tensor_get_count (out);
  run (step);
  for (size_t i = 0; i < count; i++)
    forge_element_store_float (out->dtype, out->data, i,
        forge_element_load_float (out->dtype, out->data, i) / step->n_in);
}

#define COMPARE_OP(name, least, most, run_func)    \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "",                                  \
    .min_inputs = least,                           \
    .max_inputs = most,                            \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer,                                \
    .run = run_func }

COMPARE_OP (Max, 1, -1, run);
COMPARE_OP (Min, 1, -1, run);
COMPARE_OP (Pow, 2, 2, run);
COMPARE_OP (PRelu, 2, 2, run);
COMPARE_OP (Equal, 2, 2, run);
COMPARE_OP (Greater, 2, 2, run);
COMPARE_OP (GreaterOrEqual, 2, 2, run);
COMPARE_OP (Less, 2, 2, run);
COMPARE_OP (LessOrEqual, 2, 2, run);
COMPARE_OP (And, 2, 2, run);
COMPARE_OP (Or, 2, 2, run);
COMPARE_OP (Xor, 2, 2, run);
COMPARE_OP (Sum, 1, -1, run);
COMPARE_OP (Mean, 1, -1, run_mean);
COMPARE_OP (Mod, 2, 2, run);
