/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Add, Sub, Mul, Div with NumPy broadcasting: float32 by the kernel, row by
 * row; other types by a plain loop. Integers wrap round, x / 0 = 0.
 * Source: ONNX operator specification, Add-14. */
#include <string.h>

#include "kernels/kernels.h"
#include "ops/broadcast.h"
#include "ops/element.h"
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
  if (a->dtype != b->dtype || !forge_dtype_size_bytes (a->dtype) ||
      a->dtype == FORGE_BOOL)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "operands are %s and %s; expected two of one type of number",
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

static double
real (ForgeBinary kind, double a, double b)
{
  switch (kind) {
  case FORGE_BINARY_ADD:
    return a + b;
  case FORGE_BINARY_SUB:
    return a - b;
  case FORGE_BINARY_MUL:
    return a * b;
  case FORGE_BINARY_DIV:
    return a / b;
  }
  return 0;
}

static void
run_element (
    const ForgeStep *step, ForgeBinary kind, size_t a, size_t b, size_t to)
{
  ForgeDtype dtype = step->out[0]->dtype;
  const void *da = step->in[0]->data, *db = step->in[1]->data;
  void *out = step->out[0]->data;
  if (forge_element_is_float (dtype)) {
    forge_element_store_float (dtype, out, to,
        real (kind, forge_element_load_float (dtype, da, a),
            forge_element_load_float (dtype, db, b)));
    return;
  }
  int64_t x = forge_element_load_int (dtype, da, a);
  int64_t y = forge_element_load_int (dtype, db, b);
  gboolean large = dtype == FORGE_UINT64 && kind == FORGE_BINARY_DIV && y;
  forge_element_store_int (dtype, out, to,
      large ? (int64_t) ((uint64_t) x / (uint64_t) y) : integer (kind, x, y));
}

/* Any type but float32. */
static void
run_elements (const ForgeStep *step, const Job *job)
{
  const ForgeBroadcast *bc = &job->bc;
  for (int64_t row = 0; row < bc->n_rows; row++) {
    int64_t a, b;
    forge_broadcast_row (bc, row, &a, &b);
    for (size_t i = 0; i < (size_t) bc->row; i++)
      run_element (step, job->kind, (size_t) a + i * bc->a_step,
          (size_t) b + i * bc->b_step, (size_t) (row * bc->row) + i);
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
    run_elements (step, &job);
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
