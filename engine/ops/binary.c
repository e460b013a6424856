/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Add, Sub, Mul, Div with NumPy broadcasting: float32 by the kernel, row by
 * row; integers (shape arithmetic) by a plain loop, wrapping round, x / 0 = 0.
 * Source: ONNX operator specification, Add-14. */
#include <string.h>

#include "kernels/kernels.h"
#include "ops/broadcast.h"
#include "ops/op-util.h"

static ForgeBinary
kind_of (const ForgeNode *node)
{
  static const char *const types[] = { "Add", "Sub", "Mul", "Div" };
  for (int i = 0; i < 4; i++)
    if (strcmp (node->op->type, types[i]) == 0)
      return (ForgeBinary) i;
  g_assert_not_reached ();
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  const ForgeValue *a = forge_node_in (node, 0), *b = forge_node_in (node, 1);
  ForgeShape out;
  if (!a || !b)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "an operand is missing");
  if (a->dtype != b->dtype ||
      (a->dtype != FORGE_FLOAT32 && a->dtype != FORGE_INT64 &&
          a->dtype != FORGE_INT32))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "operands are %s and %s; both must be float32, int64 or int32",
        forge_dtype_name (a->dtype), forge_dtype_name (b->dtype));
  if (!forge_shape_broadcast (&a->shape, &b->shape, &out)) {
    g_autofree char *sa = forge_shape_to_string (&a->shape);
    g_autofree char *sb = forge_shape_to_string (&b->shape);
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "shapes %s and %s do not broadcast", sa, sb);
  }
  return forge_op_set_out (node, 0, a->dtype, &out, error);
}

typedef struct {
  ForgeBinary kind;
  ForgeBroadcast bc;
  const float *a, *b;
  float *out;
  const ForgeActivation *activation;
} Job;

static void
run_rows (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  size_t n = (size_t) job->bc.row;
  for (size_t row = begin; row < end; row++) {
    int64_t a_at, b_at;
    float *out = job->out + row * n;
    forge_broadcast_row (&job->bc, (int64_t) row, &a_at, &b_at);
    forge_kernels ()->binary_f32 (job->kind, n, job->a + a_at, job->bc.a_step,
        job->b + b_at, job->bc.b_step, out);
    forge_op_activate (job->activation, n, out);
  }
}

/* One long row, cut into pieces. */
static void
run_piece (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  forge_kernels ()->binary_f32 (job->kind, end - begin,
      job->a + begin * job->bc.a_step, job->bc.a_step,
      job->b + begin * job->bc.b_step, job->bc.b_step, job->out + begin);
  forge_op_activate (job->activation, end - begin, job->out + begin);
}

static int64_t
load (const ForgeTensor *tensor, int64_t at)
{
  return tensor->dtype == FORGE_INT64 ? ((const int64_t *) tensor->data)[at]
                                      : ((const int32_t *) tensor->data)[at];
}

static int64_t
integer (ForgeBinary kind, int64_t a, int64_t b)
{
  switch (kind) {
  case FORGE_BINARY_ADD:
    return (int64_t) ((uint64_t) a + (uint64_t) b);
  case FORGE_BINARY_SUB:
    return (int64_t) ((uint64_t) a - (uint64_t) b);
  case FORGE_BINARY_MUL:
    return (int64_t) ((uint64_t) a * (uint64_t) b);
  case FORGE_BINARY_DIV:
    if (b == -1)
      return (int64_t) (0 - (uint64_t) a);
    return b == 0 ? 0 : a / b;
  }
  return 0;
}

static void
run_integers (const ForgeStep *step, const Job *job)
{
  const ForgeBroadcast *bc = &job->bc;
  ForgeTensor *out = step->out[0];
  for (int64_t row = 0; row < bc->n_rows; row++) {
    int64_t a_at, b_at;
    forge_broadcast_row (bc, row, &a_at, &b_at);
    for (int64_t i = 0; i < bc->row; i++) {
      int64_t value = integer (job->kind,
          load (step->in[0], a_at + i * (int64_t) bc->a_step),
          load (step->in[1], b_at + i * (int64_t) bc->b_step));
      if (out->dtype == FORGE_INT64)
        ((int64_t *) out->data)[row * bc->row + i] = value;
      else
        ((int32_t *) out->data)[row * bc->row + i] = (int32_t) value;
    }
  }
}

static void
job_init (const ForgeStep *step, Job *job)
{
  job->kind = kind_of (step->node);
  job->a = step->in[0]->data;
  job->b = step->in[1]->data;
  job->out = step->out[0]->data;
  job->activation = &step->node->activation;
  forge_broadcast_init (
      &job->bc, &step->in[0]->shape, &step->in[1]->shape, &step->out[0]->shape);
}

static void
run (const ForgeStep *step)
{
  Job job;
  job_init (step, &job);
  if (forge_tensor_get_count (step->out[0]) == 0)
    return;
  if (step->out[0]->dtype != FORGE_FLOAT32)
    run_integers (step, &job);
  else if (job.bc.n_rows == 1)
    forge_op_ranges (
        step->threads, (size_t) job.bc.row, FORGE_OP_GRAIN, run_piece, &job);
  else
    forge_op_ranges (step->threads, (size_t) job.bc.n_rows,
        (size_t) (FORGE_OP_GRAIN / job.bc.row + 1), run_rows, &job);
}

typedef struct {
  ForgeBinary kind;
  ForgeBroadcast bc;
  const float *a, *b, *dy;
  float *out;
  gboolean second; /* gradient of b, else of a */
} Slope;

/* dy times the slope of the operand, still of the result's shape. */
static void
slope_rows (void *data, size_t begin, size_t end)
{
  const Slope *s = data;
  int64_t n = s->bc.row;
  for (size_t row = begin; row < end; row++) {
    int64_t a_at, b_at;
    forge_broadcast_row (&s->bc, (int64_t) row, &a_at, &b_at);
    for (int64_t i = 0; i < n; i++) {
      float a = s->a[a_at + i * (int64_t) s->bc.a_step];
      float b = s->b[b_at + i * (int64_t) s->bc.b_step];
      float dy = s->dy[(int64_t) row * n + i];
      if (s->kind == FORGE_BINARY_SUB && s->second)
        dy = -dy;
      else if (s->kind == FORGE_BINARY_MUL)
        dy *= s->second ? a : b;
      else if (s->kind == FORGE_BINARY_DIV)
        dy *= s->second ? -a / (b * b) : 1 / b;
      s->out[(int64_t) row * n + i] = dy;
    }
  }
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  const ForgeTensor *dy = gradients->d_out[0];
  Slope slope = { .kind = kind_of (step->node),
    .a = step->in[0]->data,
    .b = step->in[1]->data,
    .dy = dy->data };
  forge_broadcast_init (&slope.bc, &step->in[0]->shape, &step->in[1]->shape,
      &step->out[0]->shape);
  for (int i = 0; i < 2; i++) {
    ForgeTensor *dx = gradients->d_in[i];
    if (!dx)
      continue;
    gboolean direct =
        forge_shape_count (&dx->shape) == forge_shape_count (&dy->shape);
    slope.second = i == 1;
    slope.out = direct ? dx->data : step->backward_workspace;
    forge_op_ranges (step->threads, (size_t) slope.bc.n_rows,
        (size_t) (FORGE_OP_GRAIN / MAX (slope.bc.row, 1) + 1), slope_rows,
        &slope);
    if (!direct)
      forge_broadcast_reduce (slope.out, &dy->shape, 1, dx->data, &dx->shape);
  }
}

static gboolean
prepare (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  int64_t count = forge_shape_count (&forge_node_out (node, 0)->shape);
  prepared->backward_workspace_bytes = (size_t) count * sizeof (float);
  return TRUE;
}

static int64_t
flops (const ForgeNode *node)
{
  return MAX (0, forge_shape_count (&forge_node_out (node, 0)->shape));
}

#define BINARY_OP(name)                            \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "",                                  \
    .min_inputs = 2,                               \
    .max_inputs = 2,                               \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer,                                \
    .prepare = prepare,                            \
    .run = run,                                    \
    .backward = backward,                          \
    .flops = flops,                                \
    .in_place = TRUE }

BINARY_OP (Add);
BINARY_OP (Sub);
BINARY_OP (Mul);
BINARY_OP (Div);
