/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Softmax: y = exp (x - max) / sum along an axis, and LogSoftmax, its
 * logarithm.
 * Source: ONNX operator specification; before opset 13 everything from the
 * axis on (1 unless given) is one row, since 13 the axis (-1) alone. */
#include <math.h>

#include "kernels/kernels.h"
#include "ops/op-util.h"

extern const ForgeOp forge_op_LogSoftmax;

/* Vectors of n elements, `inner` apart. */
typedef struct {
  int64_t outer, n, inner;
  gboolean log;
  const float *x, *y;
  float *out;
} Rows;

static gboolean
find_axis (const ForgeNode *node, int *axis, GError **error)
{
  const ForgeShape *shape = &forge_node_in (node, 0)->shape;
  int64_t value =
      forge_attrs_int (node->attrs, "axis", node->opset < 13 ? 1 : -1);
  if (node->opset < 13 && value == shape->rank) {
    *axis = shape->rank;
    return TRUE;
  }
  return forge_op_axis (node, value, shape->rank, axis, error);
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  int axis;
  return forge_op_need_float (node, 0, error) &&
         find_axis (node, &axis, error) &&
         forge_op_set_out (
             node, 0, FORGE_FLOAT32, &forge_node_in (node, 0)->shape, error);
}

static Rows
rows_of (const ForgeStep *step)
{
  const ForgeShape *shape = &step->in[0]->shape;
  int axis = 0;
  find_axis (step->node, &axis, NULL);
  Rows rows = { .outer = forge_op_volume (shape, 0, axis),
    .inner = 1,
    .log = step->node->op == &forge_op_LogSoftmax };
  if (step->node->opset < 13)
    rows.n = forge_op_volume (shape, axis, shape->rank);
  else {
    rows.n = shape->dims[axis];
    rows.inner = forge_op_volume (shape, axis + 1, shape->rank);
  }
  return rows;
}

static void
strided_row (const Rows *rows, const float *x, float *y)
{
  int64_t step = rows->inner;
  float max = -INFINITY, sum = 0;
  for (int64_t i = 0; i < rows->n; i++)
    max = x[i * step] > max ? x[i * step] : max;
  for (int64_t i = 0; i < rows->n; i++)
    sum += y[i * step] = expf (x[i * step] - max);
  for (int64_t i = 0; i < rows->n; i++)
    y[i * step] /= sum;
}

static void
log_row (const Rows *rows, const float *x, float *y)
{
  int64_t step = rows->inner;
  float max = -INFINITY;
  double sum = 0;
  for (int64_t i = 0; i < rows->n; i++)
    max = x[i * step] > max ? x[i * step] : max;
  for (int64_t i = 0; i < rows->n; i++)
    sum += expf (x[i * step] - max);
  double offset = max + log (sum);
  for (int64_t i = 0; i < rows->n; i++)
    y[i * step] = (float) (x[i * step] - offset);
}

static void
run_rows (void *data, size_t begin, size_t end)
{
  const Rows *rows = data;
  for (size_t row = begin; row < end; row++) {
    int64_t at = (int64_t) row / rows->inner * rows->n * rows->inner +
                 (int64_t) row % rows->inner;
    if (rows->log)
      log_row (rows, rows->x + at, rows->out + at);
    else if (rows->inner == 1)
      forge_kernels ()->softmax_f32 (
          (size_t) rows->n, rows->x + at, rows->out + at);
    else
      strided_row (rows, rows->x + at, rows->out + at);
  }
}

static void
run (const ForgeStep *step)
{
  Rows rows = rows_of (step);
  rows.x = step->in[0]->data;
  rows.out = step->out[0]->data;
  if (rows.n > 0)
    forge_op_ranges (step->threads, (size_t) (rows.outer * rows.inner),
        (size_t) (FORGE_OP_GRAIN / 8 / rows.n + 1), run_rows, &rows);
}

/* Softmax: dx = y (dy - sum (dy y)); LogSoftmax: dx = dy - e^y sum (dy) */
static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  if (!gradients->d_in[0])
    return;
  Rows rows = rows_of (step);
  const float *y = step->out[0]->data, *dy = gradients->d_out[0]->data;
  float *dx = gradients->d_in[0]->data;
  for (int64_t row = 0; row < rows.outer * rows.inner; row++) {
    int64_t at = row / rows.inner * rows.n * rows.inner + row % rows.inner;
    float dot = 0;
    for (int64_t i = 0; i < rows.n; i++)
      dot += (rows.log ? 1 : y[at + i * rows.inner]) * dy[at + i * rows.inner];
    for (int64_t i = 0; i < rows.n; i++) {
      int64_t k = at + i * rows.inner;
      dx[k] = rows.log ? dy[k] - expf (y[k]) * dot : y[k] * (dy[k] - dot);
    }
  }
}

static int64_t
flops (const ForgeNode *node)
{
  return forge_flops (forge_shape_count (&forge_node_out (node, 0)->shape), 5);
}

#define SOFTMAX_OP(name)                           \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "",                                  \
    .min_inputs = 1,                               \
    .max_inputs = 1,                               \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer,                                \
    .run = run,                                    \
    .backward = backward,                          \
    .flops = flops,                                \
    .in_place = TRUE }

SOFTMAX_OP (Softmax);
SOFTMAX_OP (LogSoftmax);
