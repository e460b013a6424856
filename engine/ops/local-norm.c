/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Normalisations without learned parameters:
 *   LRN: y = x / (bias + alpha / size * sum of x^2 over `size` channels around
 *     its own) ^ beta.
 *   LpNormalization: y = x / |x|_p along an axis, p 1 or 2; 0 stays 0.
 *   MeanVarianceNormalization: y = (x - mean) / (deviation + 1e-9) over axes.
 * Source: ONNX operator specification; A. Krizhevsky and others, ImageNet
 * classification with deep convolutional neural networks, 2012. */
#include <math.h>
#include <string.h>

#include "ops/broadcast.h"
#include "ops/op-util.h"

static gboolean
infer_same (ForgeNode *node, GError **error)
{
  return forge_op_set_out (
      node, 0, FORGE_FLOAT32, &forge_node_in (node, 0)->shape, error);
}

static gboolean
infer_lrn (ForgeNode *node, GError **error)
{
  int64_t size = forge_attrs_int (node->attrs, "size", 0);
  if (!forge_op_need_float (node, 0, error))
    return FALSE;
  if (forge_node_in (node, 0)->shape.rank < 2)
    return forge_op_need_rank (node, 0, 4, error);
  if (size < 1 || size > FORGE_OP_MAX_ELEMS)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "size is %" G_GINT64_FORMAT "; expected 1 or more channels", size);
  return infer_same (node, error);
}

typedef struct {
  int64_t size;
  float alpha, beta, bias;
  ForgeLines lines;
  const float *x;
  float *y;
} Lrn;

static void
lrn_lines (void *data, size_t begin, size_t end)
{
  const Lrn *lrn = data;
  int64_t before = (lrn->size - 1) / 2, after = lrn->size - 1 - before;
  int64_t n = lrn->lines.n, step = lrn->lines.inner;
  for (size_t line = begin; line < end; line++) {
    int64_t at = forge_op_line_at (&lrn->lines, (int64_t) line);
    const float *x = lrn->x + at;
    for (int64_t c = 0; c < n; c++) {
      double sum = 0;
      int64_t last = MIN (c + after, n - 1);
      for (int64_t k = MAX (c - before, 0); k <= last; k++)
        sum += (double) x[k * step] * x[k * step];
      double base = lrn->bias + lrn->alpha / (double) lrn->size * sum;
      lrn->y[at + c * step] = (float) (x[c * step] * pow (base, -lrn->beta));
    }
  }
}

static void
run_lrn (const ForgeStep *step)
{
  const ForgeAttrs *attrs = step->node->attrs;
  Lrn lrn = { .size = forge_attrs_int (attrs, "size", 1),
    .alpha = forge_attrs_float (attrs, "alpha", 1e-4f),
    .beta = forge_attrs_float (attrs, "beta", 0.75f),
    .bias = forge_attrs_float (attrs, "bias", 1),
    .lines = forge_op_lines (&step->in[0]->shape, 1),
    .x = step->in[0]->data,
    .y = step->out[0]->data };
  if (lrn.lines.n > 0)
    forge_op_ranges (step->threads,
        (size_t) (lrn.lines.outer * lrn.lines.inner),
        (size_t) (FORGE_OP_GRAIN / 16 / lrn.lines.n + 1), lrn_lines, &lrn);
}

static int64_t
flops (const ForgeNode *node)
{
  return 5 * MAX (0, forge_shape_count (&forge_node_out (node, 0)->shape));
}

static gboolean
infer_lp (ForgeNode *node, GError **error)
{
  int64_t p = forge_attrs_int (node->attrs, "p", 2);
  int axis;
  if (!forge_op_need_float (node, 0, error) ||
      !forge_op_axis (node, forge_attrs_int (node->attrs, "axis", -1),
          forge_node_in (node, 0)->shape.rank, &axis, error))
    return FALSE;
  if (p != 1 && p != 2)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "p is %" G_GINT64_FORMAT "; expected 1 or 2", p);
  return infer_same (node, error);
}

static void
run_lp (const ForgeStep *step)
{
  const ForgeNode *node = step->node;
  const float *x = step->in[0]->data;
  float *y = step->out[0]->data;
  gboolean squares = forge_attrs_int (node->attrs, "p", 2) == 2;
  int axis = 0;
  forge_op_axis (node, forge_attrs_int (node->attrs, "axis", -1),
      step->in[0]->shape.rank, &axis, NULL);
  ForgeLines lines = forge_op_lines (&step->in[0]->shape, axis);
  for (int64_t line = 0; line < lines.outer * lines.inner; line++) {
    int64_t at = forge_op_line_at (&lines, line);
    double sum = 0;
    for (int64_t i = 0; i < lines.n; i++) {
      double value = x[at + i * lines.inner];
      sum += squares ? value * value : fabs (value);
    }
    double norm = squares ? sqrt (sum) : sum;
    for (int64_t i = 0; i < lines.n; i++) {
      int64_t k = at + i * lines.inner;
      y[k] = norm == 0 ? 0 : (float) (x[k] / norm);
    }
  }
}

/* The input's shape with 1 at every axis that is averaged. */
static gboolean
mvn_shape (const ForgeNode *node, ForgeShape *kept, GError **error)
{
  static const int64_t usual[] = { 0, 2, 3 };
  const int64_t *axes;
  gsize n_axes = forge_attrs_ints (node->attrs, "axes", &axes);
  int axis;
  *kept = forge_node_in (node, 0)->shape;
  if (!axes) {
    axes = usual;
    n_axes = G_N_ELEMENTS (usual);
  }
  for (gsize i = 0; i < n_axes; i++) {
    if (!forge_op_axis (node, axes[i], kept->rank, &axis, error))
      return FALSE;
    kept->dims[axis] = 1;
  }
  return TRUE;
}

static gboolean
infer_mvn (ForgeNode *node, GError **error)
{
  ForgeShape kept;
  return forge_op_need_float (node, 0, error) &&
         mvn_shape (node, &kept, error) && infer_same (node, error);
}

/* Adds (x - mean)^power to what each element meets. */
static void
add_moments (const ForgeStep *step, const ForgeBroadcast *bc,
    const double *mean, double *sums)
{
  const float *x = step->in[0]->data;
  for (int64_t row = 0; row < bc->n_rows; row++) {
    int64_t from, to;
    forge_broadcast_row (bc, row, &from, &to);
    for (int64_t i = 0; i < bc->row; i++) {
      int64_t k = to + i * (int64_t) bc->b_step;
      double value = x[from + i * (int64_t) bc->a_step];
      sums[k] += mean ? (value - mean[k]) * (value - mean[k]) : value;
    }
  }
}

static void
run_mvn (const ForgeStep *step)
{
  ForgeShape kept;
  ForgeBroadcast bc;
  const float *x = step->in[0]->data;
  float *y = step->out[0]->data;
  int64_t count = forge_tensor_get_count (step->in[0]);
  if (count == 0 || !mvn_shape (step->node, &kept, NULL))
    return;
  int64_t n_groups = forge_shape_count (&kept);
  double *mean = step->workspace, *variance = mean + n_groups;
  memset (mean, 0, 2 * (size_t) n_groups * sizeof *mean);
  forge_broadcast_init (&bc, &step->in[0]->shape, &kept, &step->in[0]->shape);
  add_moments (step, &bc, NULL, mean);
  for (int64_t i = 0; i < n_groups; i++)
    mean[i] *= (double) n_groups / (double) count;
  add_moments (step, &bc, mean, variance);
  for (int64_t row = 0; row < bc.n_rows; row++) {
    int64_t from, to;
    forge_broadcast_row (&bc, row, &from, &to);
    for (int64_t i = 0; i < bc.row; i++) {
      int64_t k = to + i * (int64_t) bc.b_step;
      int64_t at = from + i * (int64_t) bc.a_step;
      double deviation =
          sqrt (variance[k] * (double) n_groups / (double) count);
      y[at] = (float) ((x[at] - mean[k]) / (deviation + 1e-9));
    }
  }
}

static gboolean
prepare_mvn (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  ForgeShape kept;
  if (!mvn_shape (node, &kept, error))
    return FALSE;
  prepared->workspace_bytes =
      2 * (size_t) forge_shape_count (&kept) * sizeof (double);
  return TRUE;
}

const ForgeOp forge_op_LRN = { .type = "LRN",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_lrn,
  .run = run_lrn,
  .flops = flops };

const ForgeOp forge_op_LpNormalization = { .type = "LpNormalization",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_lp,
  .run = run_lp,
  .flops = flops };

const ForgeOp forge_op_MeanVarianceNormalization = {
  .type = "MeanVarianceNormalization",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_mvn,
  .prepare = prepare_mvn,
  .run = run_mvn,
  .flops = flops
};
