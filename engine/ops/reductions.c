/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reductions over any set of axes, each y = f (fold of g (x)):
 *   ReduceSum x; ReduceProd x; ReduceMax, ReduceMin x; ReduceL1 |x|;
 *   ReduceL2 sqrt (sum x^2); ReduceSumSquare x^2; ReduceLogSum log (sum x);
 *   ReduceLogSumExp log (sum e^x), about the maximum.
 * Folded in float64 (floats) or int64 (integers). ReduceMean is in reduce.c.
 * Source: ONNX operator specification; axes was an attribute before opset 13
 * (ReduceSum) or 18 (the others) and is input 1 since. */
#include <math.h>
#include <string.h>

#include "ops/broadcast.h"
#include "ops/element.h"
#include "ops/op-util.h"
#include "ops/reduce.h"

typedef enum { SUM, PROD, MAXIMUM, MINIMUM, L1, SQUARES, EXPONENTIALS } Fold;

static const struct {
  const char *type;
  Fold fold;
  double (*finish) (double); /* NULL = nothing; float results only */
} kinds[] = {
  { "ReduceSum", SUM },
  { "ReduceProd", PROD },
  { "ReduceMax", MAXIMUM },
  { "ReduceMin", MINIMUM },
  { "ReduceL1", L1 },
  { "ReduceSumSquare", SQUARES },
  { "ReduceL2", SQUARES, sqrt },
  { "ReduceLogSum", SUM, log },
  { "ReduceLogSumExp", EXPONENTIALS, log },
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
infer (ForgeNode *node, GError **error)
{
  gsize kind = kind_of (node);
  ForgeDtype dtype = forge_node_in (node, 0)->dtype;
  gboolean is_float = forge_element_is_float (dtype);
  if (!forge_dtype_size_bytes (dtype) || dtype == FORGE_UINT64 ||
      (!is_float && (kinds[kind].finish || kinds[kind].fold == EXPONENTIALS)))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input 0 is %s, which this reduction does not support",
        forge_dtype_name (dtype));
  /* nothing has a sum, but no largest integer */
  if (!is_float &&
      (kinds[kind].fold == MAXIMUM || kinds[kind].fold == MINIMUM) &&
      !forge_reduce_need_elements (node, error))
    return FALSE;
  return forge_reduce_infer (node, dtype, error);
}

static double
fold_float (Fold fold, double sum, double x)
{
  switch (fold) {
  case SUM:
  case EXPONENTIALS:
    return sum + x;
  case PROD:
    return sum * x;
  case MAXIMUM:
    return x > sum || isnan (x) ? x : sum;
  case MINIMUM:
    return x < sum || isnan (x) ? x : sum;
  case L1:
    return sum + fabs (x);
  case SQUARES:
    return sum + x * x;
  }
  return sum;
}

/* Sums and products wrap round. */
static int64_t
fold_int (Fold fold, int64_t sum, int64_t x)
{
  uint64_t a = (uint64_t) sum, b = (uint64_t) x;
  switch (fold) {
  case SUM:
  case EXPONENTIALS:
    return (int64_t) (a + b);
  case PROD:
    return (int64_t) (a * b);
  case MAXIMUM:
    return MAX (sum, x);
  case MINIMUM:
    return MIN (sum, x);
  case L1:
    return (int64_t) (x < 0 ? a - b : a + b);
  case SQUARES:
    return (int64_t) (a + b * b);
  }
  return sum;
}

typedef struct {
  Fold fold;
  const ForgeTensor *in;
  ForgeBroadcast bc;
  double *floats; /* one per result */
  double *maxima; /* to be taken away before the exponential; or NULL */
  int64_t *ints;
} Job;

static void
fold_floats (const Job *job)
{
  for (int64_t row = 0; row < job->bc.n_rows; row++) {
    int64_t from, to;
    forge_broadcast_row (&job->bc, row, &from, &to);
    for (int64_t i = 0; i < job->bc.row; i++) {
      int64_t at = to + i * (int64_t) job->bc.b_step;
      double x = forge_element_load_float (job->in->dtype, job->in->data,
          (size_t) (from + i * (int64_t) job->bc.a_step));
      if (job->maxima)
        x = isinf (job->maxima[at]) ? exp (x) : exp (x - job->maxima[at]);
      job->floats[at] = fold_float (job->fold, job->floats[at], x);
    }
  }
}

static void
fold_ints (const Job *job)
{
  for (int64_t row = 0; row < job->bc.n_rows; row++) {
    int64_t from, to;
    forge_broadcast_row (&job->bc, row, &from, &to);
    for (int64_t i = 0; i < job->bc.row; i++) {
      int64_t at = to + i * (int64_t) job->bc.b_step;
      int64_t x = forge_element_load_int (job->in->dtype, job->in->data,
          (size_t) (from + i * (int64_t) job->bc.a_step));
      job->ints[at] = fold_int (job->fold, job->ints[at], x);
    }
  }
}

static void
run_floats (const ForgeStep *step, Job *job, int64_t count)
{
  gsize kind = kind_of (step->node);
  double start = job->fold == PROD      ? 1
                 : job->fold == MAXIMUM ? -INFINITY
                 : job->fold == MINIMUM ? INFINITY
                                        : 0;
  if (job->fold == EXPONENTIALS) {
    Job first = *job;
    first.fold = MAXIMUM;
    first.floats = job->floats + count;
    for (int64_t i = 0; i < count; i++)
      first.floats[i] = -INFINITY;
    fold_floats (&first);
    job->maxima = first.floats;
  }
  for (int64_t i = 0; i < count; i++)
    job->floats[i] = start;
  fold_floats (job);
  for (int64_t i = 0; i < count; i++) {
    double value = job->floats[i];
    if (kinds[kind].finish)
      value = kinds[kind].finish (value);
    if (job->maxima && !isinf (job->maxima[i]))
      value += job->maxima[i];
    forge_element_store_float (
        step->out[0]->dtype, step->out[0]->data, (size_t) i, value);
  }
}

static void
run (const ForgeStep *step)
{
  gboolean marks[FORGE_MAX_DIMS];
  ForgeShape kept;
  int64_t count = forge_tensor_get_count (step->out[0]);
  Job job = { .fold = kinds[kind_of (step->node)].fold,
    .in = step->in[0],
    .floats = step->workspace,
    .ints = step->workspace };
  if (count == 0 || !forge_reduce_shape (step->node, &kept, marks, NULL))
    return;
  forge_broadcast_init (
      &job.bc, &step->in[0]->shape, &kept, &step->in[0]->shape);
  if (forge_element_is_float (step->in[0]->dtype)) {
    run_floats (step, &job, count);
    return;
  }
  for (int64_t i = 0; i < count; i++)
    job.ints[i] = job.fold == PROD      ? 1
                  : job.fold == MAXIMUM ? INT64_MIN
                  : job.fold == MINIMUM ? INT64_MAX
                                        : 0;
  fold_ints (&job);
  for (int64_t i = 0; i < count; i++)
    forge_element_store_int (
        step->out[0]->dtype, step->out[0]->data, (size_t) i, job.ints[i]);
}

static gboolean
prepare (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  int64_t count = forge_shape_count (&forge_node_out (node, 0)->shape);
  prepared->workspace_bytes = 2 * (size_t) MAX (count, 0) * sizeof (double);
  return TRUE;
}

static int64_t
flops (const ForgeNode *node)
{
  return MAX (0, forge_shape_count (&forge_node_in (node, 0)->shape));
}

#define REDUCE_OP(name)                            \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "",                                  \
    .min_inputs = 1,                               \
    .max_inputs = 2,                               \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer,                                \
    .prepare = prepare,                            \
    .run = run,                                    \
    .flops = flops }

REDUCE_OP (ReduceSum);
REDUCE_OP (ReduceProd);
REDUCE_OP (ReduceMax);
REDUCE_OP (ReduceMin);
REDUCE_OP (ReduceL1);
REDUCE_OP (ReduceL2);
REDUCE_OP (ReduceSumSquare);
REDUCE_OP (ReduceLogSum);
REDUCE_OP (ReduceLogSumExp);
