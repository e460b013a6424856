/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TfliteMatMul (domain forge): products of matrices of bytes, none of them
 * known before, with leading extents that broadcast:
 *   y[m, n] = clamp (scale (sum (a[m, k] - a_zero) (b[k, n] - b_zero)) +
 * y_zero) Source: tensorflow/lite/kernels/internal/reference/batch_matmul.h. */
#include "ops/broadcast.h"
#include "ops/tflite-math.h"

#define TILE 64
#define MAX_DEPTH 32768 /* the sum of so many products fits 32 bits */

typedef struct {
  ForgeShape a_lead, b_lead, lead;
  int64_t m, k, n;
} Product;

static gboolean
parse (const ForgeNode *node, Product *p, GError **error)
{
  const ForgeShape *a = &forge_node_in (node, 0)->shape;
  const ForgeShape *b = &forge_node_in (node, 1)->shape;
  if (!forge_quant_need_byte (node, 0, error) ||
      !forge_quant_need_byte (node, 1, error))
    return FALSE;
  p->a_lead = *a;
  p->b_lead = *b;
  p->a_lead.rank -= 2;
  p->b_lead.rank -= 2;
  gboolean fits =
      a->rank >= 2 && b->rank >= 2 &&
      forge_node_in (node, 0)->dtype == forge_node_in (node, 1)->dtype &&
      forge_shape_broadcast (&p->a_lead, &p->b_lead, &p->lead) &&
      p->lead.rank + 2 <= FORGE_MAX_DIMS;
  if (fits) {
    p->m = a->dims[a->rank - 2];
    p->k = a->dims[a->rank - 1];
    p->n = b->dims[b->rank - 1];
    fits = p->k == b->dims[b->rank - 2] && p->k >= 1 && p->k <= MAX_DEPTH;
  }
  if (fits)
    return TRUE;
  g_autofree char *sa = forge_shape_to_string (a);
  g_autofree char *sb = forge_shape_to_string (b);
  return forge_node_error (node, error, FORGE_ERROR_SHAPE,
      "bytes of shapes %s and %s do not multiply", sa, sb);
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  Product p;
  if (!parse (node, &p, error))
    return FALSE;
  ForgeShape out = p.lead;
  out.dims[out.rank++] = p.m;
  out.dims[out.rank++] = p.n;
  return forge_op_set_out (
      node, 0, forge_node_in (node, 0)->dtype, &out, error);
}

typedef struct {
  Product product;
  ForgeBroadcast lead;
  ForgeDtype dtype;
  const uint8_t *a, *b;
  uint8_t *out;
  int32_t a_zero, b_zero, y_zero, min, max;
  ForgeTfliteFactor factor;
} Job;

/* Up to TILE columns of a row. */
static void
run_tile (const Job *job, const uint8_t *a, const uint8_t *b, uint8_t *out,
    int64_t n_columns)
{
  int32_t sums[TILE] = { 0 };
  for (int64_t k = 0; k < job->product.k; k++, b += job->product.n) {
    int32_t x = forge_quant_load (job->dtype, a, k) - job->a_zero;
    for (int64_t i = 0; i < n_columns; i++)
      sums[i] += x * (forge_quant_load (job->dtype, b, i) - job->b_zero);
  }
  for (int64_t i = 0; i < n_columns; i++) {
    int64_t value =
        (int64_t) forge_tflite_scale (sums[i], job->factor) + job->y_zero;
    out[i] = (uint8_t) CLAMP (value, job->min, job->max);
  }
}

static void
run_rows (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const Product *p = &job->product;
  for (int64_t row = (int64_t) begin; row < (int64_t) end; row++) {
    int64_t matrix = row / p->m, a_at, b_at, at = matrix % job->lead.row;
    forge_broadcast_row (&job->lead, matrix / job->lead.row, &a_at, &b_at);
    a_at += at * (int64_t) job->lead.a_step;
    b_at += at * (int64_t) job->lead.b_step;
    const uint8_t *a = job->a + (a_at * p->m + row % p->m) * p->k;
    for (int64_t n = 0; n < p->n; n += TILE)
      run_tile (job, a, job->b + b_at * p->k * p->n + n,
          job->out + row * p->n + n, MIN (TILE, p->n - n));
  }
}

static void
run (const ForgeStep *step)
{
  const ForgeAttrs *attrs = step->node->attrs;
  Job job = { .dtype = step->in[0]->dtype,
    .a = step->in[0]->data,
    .b = step->in[1]->data,
    .out = step->out[0]->data,
    .a_zero = (int32_t) forge_attrs_int (attrs, "a_zero", 0),
    .b_zero = (int32_t) forge_attrs_int (attrs, "b_zero", 0),
    .y_zero = (int32_t) forge_attrs_int (attrs, "y_zero", 0),
    .min = (int32_t) forge_attrs_int (attrs, "min", 0),
    .max = (int32_t) forge_attrs_int (attrs, "max", 0),
    .factor = forge_tflite_attr (step->node, "y_factor") };
  if (!parse (step->node, &job.product, NULL) ||
      forge_tensor_get_count (step->out[0]) == 0)
    return;
  Product *p = &job.product;
  forge_broadcast_init (&job.lead, &p->a_lead, &p->b_lead, &p->lead);
  forge_op_ranges (step->threads,
      (size_t) (forge_shape_count (&p->lead) * p->m),
      (size_t) (FORGE_OP_GRAIN / (p->k * p->n) + 1), run_rows, &job);
}

static int64_t
flops (const ForgeNode *node)
{
  Product p;
  if (!parse (node, &p, NULL))
    return 0;
  return forge_flops (
      forge_shape_count (&forge_node_out (node, 0)->shape), 2 * p.k);
}

const ForgeOp forge_op_TfliteMatMul = { .type = "TfliteMatMul",
  .domain = "forge",
  .min_inputs = 2,
  .max_inputs = 2,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run,
  .flops = flops };
