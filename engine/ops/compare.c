/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Element-wise operators of two operands beyond the four arithmetic ones,
 * with NumPy broadcasting: Max, Min (any number of operands), Pow, PRelu, and
 * those that give bool: Equal, Greater, GreaterOrEqual, Less, LessOrEqual.
 * Plain loops: none of them weighs anything in a classifier, PRelu excepted,
 * which still runs along rows.
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
  FloatFunction floats;
  IntFunction ints; /* NULL = floats only */
  gboolean gives_bool;
} kinds[] = {
  { "Max", max_float, max_int },
  { "Min", min_float, min_int },
  { "Pow", pow, NULL },
  { "PRelu", prelu_float, NULL },
  { "Equal", equal_float, equal_int, TRUE },
  { "Greater", greater_float, greater_int, TRUE },
  { "GreaterOrEqual", not_less_float, not_less_int, TRUE },
  { "Less", less_float, less_int, TRUE },
  { "LessOrEqual", not_greater_float, not_greater_int, TRUE },
};

static gsize
kind_of (const ForgeNode *node)
{
  gsize i = 0;
  while (strcmp (kinds[i].type, node->op->type) != 0)
    i++;
  return i;
}

/* uint64 has no order among int64_t. */
static gboolean
check_types (const ForgeNode *node, GError **error)
{
  ForgeDtype dtype = forge_node_in (node, 0)->dtype;
  gboolean is_float = forge_element_is_float (dtype);
  for (guint i = 0; i < node->inputs->len; i++) {
    const ForgeValue *in = forge_node_in (node, i);
    if (!in || in->dtype != dtype || !forge_dtype_size_bytes (dtype) ||
        dtype == FORGE_UINT64 || (!is_float && !kinds[kind_of (node)].ints))
      return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
          "input %u is %s beside %s; only equal types, and not uint64, are "
          "supported",
          i, in ? forge_dtype_name (in->dtype) : "missing",
          forge_dtype_name (dtype));
  }
  return TRUE;
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
  ForgeBroadcast bc;
  const ForgeTensor *a, *b;
  ForgeTensor *out;
} Job;

static void
run_element (const Job *job, size_t a, size_t b, size_t to)
{
  ForgeDtype type = job->a->dtype;
  gboolean gives_bool = kinds[job->kind].gives_bool;
  if (!forge_element_is_float (type)) {
    int64_t value =
        kinds[job->kind].ints (forge_element_load_int (type, job->a->data, a),
            forge_element_load_int (type, job->b->data, b));
    forge_element_store_int (job->out->dtype, job->out->data, to, value);
    return;
  }
  double value =
      kinds[job->kind].floats (forge_element_load_float (type, job->a->data, a),
          forge_element_load_float (type, job->b->data, b));
  if (gives_bool)
    ((uint8_t *) job->out->data)[to] = value != 0;
  else
    forge_element_store_float (type, job->out->data, to, value);
}

static void
run_rows (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  for (size_t row = begin; row < end; row++) {
    int64_t a, b;
    forge_broadcast_row (&job->bc, (int64_t) row, &a, &b);
    for (size_t i = 0; i < (size_t) job->bc.row; i++)
      run_element (job, (size_t) a + i * job->bc.a_step,
          (size_t) b + i * job->bc.b_step, row * (size_t) job->bc.row + i);
  }
}

static void
run_pair (const ForgeStep *step, const ForgeTensor *a, const ForgeTensor *b)
{
  Job job = {
    .kind = kind_of (step->node), .a = a, .b = b, .out = step->out[0]
  };
  forge_broadcast_init (&job.bc, &a->shape, &b->shape, &job.out->shape);
  if (job.bc.row > 0)
    forge_op_ranges (step->threads, (size_t) job.bc.n_rows,
        (size_t) (FORGE_OP_GRAIN / 8 / job.bc.row + 1), run_rows, &job);
}

/* With more than two operands the result so far is the first of the next
 * pair; a single one meets itself. */
static void
run (const ForgeStep *step)
{
  run_pair (step, step->in[0], step->in[step->n_in > 1 ? 1 : 0]);
  for (guint i = 2; i < step->n_in; i++)
    run_pair (step, step->out[0], step->in[i]);
}

#define COMPARE_OP(name, least, most)              \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "",                                  \
    .min_inputs = least,                           \
    .max_inputs = most,                            \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer,                                \
    .run = run }

COMPARE_OP (Max, 1, -1);
COMPARE_OP (Min, 1, -1);
COMPARE_OP (Pow, 2, 2);
COMPARE_OP (PRelu, 2, 2);
COMPARE_OP (Equal, 2, 2);
COMPARE_OP (Greater, 2, 2);
COMPARE_OP (GreaterOrEqual, 2, 2);
COMPARE_OP (Less, 2, 2);
COMPARE_OP (LessOrEqual, 2, 2);
