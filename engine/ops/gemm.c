/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gemm Y = alpha op (A) op (B) + beta C and MatMul Y = A B, batched and
 * broadcast, with a row C that the fold-affine pass may have added. B is packed
 * into panels once when it is constant, else for every run; the product is the
 * convolution kernel with one tap. Backward uses BLAS, split by rows of the
 * result. Source: ONNX operator specification, Gemm-13 and MatMul-13. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "ops/blocks.h"
#include "ops/broadcast.h"
#include "ops/op-util.h"

/* One row alone needs several panels at a time, or FMAs wait in line. */
#define ROW_PANELS 4
/* A product is cut into at least as many, where it has the rows. */
#define MIN_TASKS 32
#define MAX_MR 64
#define BACKWARD_ROWS 32

/* One or more products [M, K] x [K, N]. */
typedef struct {
  gboolean trans_a, trans_b, packs_bias;
  float alpha, beta;
  int64_t m, k, n;
  int64_t n_batch;
  ForgeShape a_batch, b_batch, batch; /* leading dimensions */
  float *packed;                      /* NULL = at every run */
  size_t packed_count;
  size_t a_at, packed_at; /* offsets into workspace, floats */
} Product;

static gboolean
is_gemm (const ForgeNode *node)
{
  return strcmp (node->op->type, "Gemm") == 0;
}

/* C repeats over the rows and can ride in the packed bias. */
static gboolean
is_row (const ForgeShape *shape, int64_t n)
{
  return shape->rank == 0 || (shape->rank == 1 && shape->dims[0] == n) ||
         (shape->rank == 2 && shape->dims[0] == 1 && shape->dims[1] == n) ||
         forge_shape_count (shape) == 1;
}

static gboolean
mismatch (const ForgeNode *node, GError **error)
{
  g_autofree char *a = forge_shape_to_string (&forge_node_in (node, 0)->shape);
  g_autofree char *b = forge_shape_to_string (&forge_node_in (node, 1)->shape);
  return forge_node_error (node, error, FORGE_ERROR_SHAPE,
      "shapes %s and %s cannot be multiplied", a, b);
}

static gboolean
parse_gemm (const ForgeNode *node, Product *p, ForgeShape *out, GError **error)
{
  if (!forge_op_need_rank (node, 0, 2, error) ||
      !forge_op_need_rank (node, 1, 2, error))
    return FALSE;
  const int64_t *a = forge_node_in (node, 0)->shape.dims;
  const int64_t *b = forge_node_in (node, 1)->shape.dims;
  p->trans_a = forge_attrs_int (node->attrs, "transA", 0) != 0;
  p->trans_b = forge_attrs_int (node->attrs, "transB", 0) != 0;
  p->alpha = forge_attrs_float (node->attrs, "alpha", 1);
  p->beta = forge_attrs_float (node->attrs, "beta", 1);
  p->m = a[p->trans_a ? 1 : 0];
  p->k = a[p->trans_a ? 0 : 1];
  p->n = b[p->trans_b ? 0 : 1];
  int64_t bk = b[p->trans_b ? 1 : 0];
  if (p->k >= 0 && bk >= 0 && p->k != bk)
    return mismatch (node, error);
  *out = (ForgeShape) { 2, { p->m, p->n } };
  if (!forge_op_has_in (node, 2))
    return TRUE;
  if (!forge_op_need_float (node, 2, error))
    return FALSE;
  const ForgeShape *c = &forge_node_in (node, 2)->shape;
  ForgeShape both;
  if (c->rank > 2 || !forge_shape_broadcast (c, out, &both) ||
      (p->m >= 0 && p->n >= 0 && !forge_shape_equal (&both, out))) {
    g_autofree char *text = forge_shape_to_string (c);
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "C of shape %s does not broadcast to the product", text);
  }
  p->packs_bias = is_row (c, p->n);
  return TRUE;
}

static gboolean
parse_matmul (
    const ForgeNode *node, Product *p, ForgeShape *out, GError **error)
{
  ForgeShape a = forge_node_in (node, 0)->shape;
  ForgeShape b = forge_node_in (node, 1)->shape;
  const ForgeValue *c = forge_node_in (node, 2);
  gboolean a_vector = a.rank == 1, b_vector = b.rank == 1;
  p->alpha = p->beta = 1;
  if (a.rank == 0 || b.rank == 0)
    return mismatch (node, error);
  if (a_vector)
    a = (ForgeShape) { 2, { 1, a.dims[0] } };
  if (b_vector)
    b = (ForgeShape) { 2, { b.dims[0], 1 } };
  p->m = a.dims[a.rank - 2];
  p->k = a.dims[a.rank - 1];
  p->n = b.dims[b.rank - 1];
  int64_t bk = b.dims[b.rank - 2];
  a.rank -= 2;
  b.rank -= 2;
  p->a_batch = a;
  p->b_batch = b;
  if ((p->k >= 0 && bk >= 0 && p->k != bk) ||
      !forge_shape_broadcast (&a, &b, &p->batch))
    return mismatch (node, error);
  p->packs_bias = c != NULL;
  if (c && (c->dtype != FORGE_FLOAT32 || c->shape.rank != 1 ||
               c->shape.dims[0] != p->n))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "input 2 is not one float32 for each column");
  *out = p->batch;
  if (!a_vector)
    out->dims[out->rank++] = p->m;
  if (!b_vector)
    out->dims[out->rank++] = p->n;
  return TRUE;
}

static gboolean
parse (const ForgeNode *node, Product *p, ForgeShape *out, GError **error)
{
  memset (p, 0, sizeof *p);
  if (!forge_op_need_float (node, 0, error) ||
      !forge_op_need_float (node, 1, error))
    return FALSE;
  if (!(is_gemm (node) ? parse_gemm (node, p, out, error)
                       : parse_matmul (node, p, out, error)))
    return FALSE;
  p->n_batch = forge_shape_count (&p->batch);
  /* one B for all: the batch is just more rows */
  int64_t rows;
  if (!is_gemm (node) && forge_shape_count (&p->b_batch) == 1 &&
      p->b_batch.rank == 0 && p->n_batch >= 0 &&
      !__builtin_mul_overflow (p->m, p->n_batch, &rows)) {
    p->m = rows;
    p->n_batch = 1;
    p->a_batch.rank = p->batch.rank = 0;
  }
  return TRUE;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  Product p;
  ForgeShape out;
  return parse (node, &p, &out, error) &&
         forge_op_set_out (node, 0, FORGE_FLOAT32, &out, error);
}

/* B (one of the batch) and a row of C into panels: alpha goes into the
 * weights, beta into the bias. */
static void
pack (const Product *p, const float *b, const ForgeTensor *c, float *packed)
{
  size_t nr = forge_kernels ()->igemm_nr;
  size_t panel = ((size_t) p->k + 1) * nr;
  forge_pack_igemm_f32 ((size_t) p->n, 1, (size_t) p->k, nr, b,
      p->trans_b ? p->k : 1, 0, p->trans_b ? 1 : p->n, NULL, packed);
  if (p->alpha != 1)
    for (size_t i = 0; i < p->packed_count; i++)
      packed[i] *= p->alpha;
  if (!c || !p->packs_bias)
    return;
  const float *bias = c->data;
  size_t step = forge_tensor_get_count (c) == 1 ? 0 : 1;
  for (size_t o = 0; o < (size_t) p->n; o++)
    packed[o / nr * panel + o % nr] = p->beta * bias[o * step];
}

static void
product_free (gpointer data)
{
  Product *p = data;
  forge_aligned_free (p->packed);
  g_free (p);
}

static gboolean
prepare (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  const ForgeValue *b = forge_node_in (node, 1), *c = forge_node_in (node, 2);
  g_autofree Product *p = g_new0 (Product, 1);
  ForgeShape out;
  if (!parse (node, p, &out, error))
    return FALSE;
  p->packed_count = forge_pack_igemm_f32_count (
      (size_t) p->n, 1, (size_t) p->k, forge_kernels ()->igemm_nr);
  size_t bytes = p->packed_count * sizeof (float), at = 0;
  if (p->trans_a)
    at += forge_align_up ((size_t) (p->m * p->k) * sizeof (float));
  p->packed_at = at / sizeof (float);
  prepared->workspace_bytes = at;
  prepared->backward_workspace_bytes = bytes;
  if (b->constant && (!c || c->constant) && p->n_batch == 1) {
    p->packed = forge_aligned_alloc0 (bytes);
    if (!p->packed)
      return forge_node_error (node, error, FORGE_ERROR_MEMORY,
          "out of memory: %zu bytes of packed weights", bytes);
    pack (p, b->constant->data, c ? c->constant : NULL, p->packed);
    prepared->packed_bytes = bytes;
  } else {
    prepared->workspace_bytes += bytes;
  }
  prepared->algorithm = "gemm";
  prepared->free = product_free;
  prepared->data = g_steal_pointer (&p);
  return TRUE;
}

typedef struct {
  const Product *p;
  const float *a, *weights;
  float *out, *zero;
  const ForgeActivation *activation; /* NULL = later */
  float min, max;
  ForgeBlocks blocks;
} Job;

static void
run_block (void *data, int task)
{
  const Job *job = data;
  const Product *p = job->p;
  const ForgeKernels *kernels = forge_kernels ();
  int64_t mr = (int64_t) kernels->igemm_mr, nr = (int64_t) kernels->igemm_nr;
  const ForgeBlock block = forge_blocks_get (&job->blocks, task);
  int64_t o = block.panel * nr;
  size_t n_out = (size_t) (MIN (block.end_panel * nr, p->n) - o);
  const float *rows[MAX_MR];
  for (int64_t tile = block.tile; tile < block.end_tile; tile++) {
    int64_t m = tile * mr;
    for (int64_t i = 0; i < mr; i++)
      rows[i] = job->a + MIN (m + i, p->m - 1) * p->k;
    float *out = job->out + m * p->n + o;
    size_t n_rows = (size_t) MIN (mr, p->m - m);
    kernels->igemm_f32 (n_rows, n_out, (size_t) p->k, 1, rows, 0, NULL,
        job->weights + block.panel * job->blocks.panel_floats, out, p->n, NULL,
        0, job->min, job->max,
        forge_blocks_ahead (&job->blocks, &block, job->weights, tile));
    if (job->activation)
      forge_op_activate_rows (job->activation, n_rows, n_out, out, p->n);
  }
}

static void
multiply (int threads, Job *job)
{
  const Product *p = job->p;
  g_assert (forge_kernels ()->igemm_mr <= MAX_MR);
  job->blocks = forge_blocks_cut (
      p->m, p->n, p->k, p->m == 1 ? ROW_PANELS : 1, p->m == 1 ? 1 : MIN_TASKS);
  forge_pool_run (threads, forge_blocks_count (&job->blocks), run_block, job);
}

/* A C that varies from row to row. */
static void
add_matrix (const ForgeStep *step, const Product *p)
{
  const float *c = step->in[2]->data;
  float *y = step->out[0]->data;
  ForgeBroadcast bc;
  forge_broadcast_init (
      &bc, &step->in[2]->shape, &step->out[0]->shape, &step->out[0]->shape);
  for (int64_t row = 0; row < bc.n_rows; row++) {
    int64_t from, to;
    forge_broadcast_row (&bc, row, &from, &to);
    for (int64_t i = 0; i < bc.row; i++)
      y[to + i] += p->beta * c[from + i * (int64_t) bc.a_step];
  }
  forge_op_activate (
      &step->node->activation, (size_t) (p->m * p->n), step->out[0]->data);
}

static const float *
rows_of_a (const ForgeStep *step, const Product *p)
{
  if (!p->trans_a)
    return step->in[0]->data;
  float *a = step->workspace;
  forge_op_swap_inner (step->threads, 1, p->k, p->m, step->in[0]->data, a);
  return a;
}

static void
run (const ForgeStep *step)
{
  const Product *p = step->prepared->data;
  const ForgeTensor *c = step->n_in > 2 ? step->in[2] : NULL;
  gboolean adds_matrix = c && !p->packs_bias;
  const float *a = rows_of_a (step, p), *b = step->in[1]->data;
  float *packed = step->training ? step->backward_workspace
                                 : (float *) step->workspace + p->packed_at;
  ForgeBroadcast bc;
  Job job = { .p = p, .min = -INFINITY, .max = INFINITY };
  if (!adds_matrix) {
    job.activation = &step->node->activation;
    forge_op_clamp (job.activation, &job.min, &job.max);
  }
  forge_broadcast_init (&bc, &p->a_batch, &p->b_batch, &p->batch);
  for (int64_t i = 0; i < p->n_batch && p->m > 0 && p->n > 0; i++) {
    int64_t a_at, b_at;
    forge_broadcast_row (&bc, i / bc.row, &a_at, &b_at);
    a_at += i % bc.row * (int64_t) bc.a_step;
    b_at += i % bc.row * (int64_t) bc.b_step;
    job.a = a + a_at * p->m * p->k;
    job.out = (float *) step->out[0]->data + i * p->m * p->n;
    job.weights = p->packed;
    if (!p->packed || step->training) {
      pack (p, b + b_at * p->k * p->n, c, packed);
      job.weights = packed;
    }
    multiply (step->threads, &job);
  }
  if (adds_matrix)
    add_matrix (step, p);
}

/* Z [m, n] = alpha op (X) op (Y) + beta Z, in blocks of rows. */
typedef struct {
  gboolean trans_x, trans_y;
  int64_t m, n, k;
  float alpha;
  const float *x, *y;
  float *z;
} Blas;

static void
blas_rows (void *data, size_t begin, size_t end)
{
  const Blas *blas = data;
  int64_t ldx = blas->trans_x ? blas->m : blas->k;
  int64_t ldy = blas->trans_y ? blas->k : blas->n;
  const float *x = blas->x + (blas->trans_x ? begin : begin * (size_t) ldx);
  cblas_sgemm (CblasRowMajor, blas->trans_x ? CblasTrans : CblasNoTrans,
      blas->trans_y ? CblasTrans : CblasNoTrans, (int) (end - begin),
      (int) blas->n, (int) blas->k, blas->alpha, x, (int) MAX (ldx, 1), blas->y,
      (int) MAX (ldy, 1), 1, blas->z + begin * (size_t) blas->n,
      (int) MAX (blas->n, 1));
}

static void
blas_run (int threads, const Blas *blas)
{
  if (blas->n > 0 && blas->k > 0)
    forge_op_ranges (
        threads, (size_t) blas->m, BACKWARD_ROWS, blas_rows, (void *) blas);
}

/* Adds the gradients of one product of the batch. */
static void
product_backward (const ForgeStep *step, const Product *p, const float *a,
    const float *b, const float *dy, float *da, float *db)
{
  Blas grad_a = p->trans_a ? (Blas) { p->trans_b, TRUE, p->k, p->m, p->n,
    p->alpha, b, dy, da }
                           : (Blas) { FALSE, !p->trans_b, p->m, p->k, p->n,
                               p->alpha, dy, b, da };
  Blas grad_b = p->trans_b ? (Blas) { TRUE, p->trans_a, p->n, p->k, p->m,
    p->alpha, dy, a, db }
                           : (Blas) { !p->trans_a, FALSE, p->k, p->n, p->m,
                               p->alpha, a, dy, db };
  if (da)
    blas_run (step->threads, &grad_a);
  if (db)
    blas_run (step->threads, &grad_b);
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  const Product *p = step->prepared->data;
  ForgeTensor *da = gradients->d_in[0], *db = gradients->d_in[1];
  const ForgeTensor *dy = gradients->d_out[0];
  const float *a = step->in[0]->data, *b = step->in[1]->data;
  ForgeBroadcast bc;
  if (da)
    memset (da->data, 0, da->size_bytes);
  if (db)
    memset (db->data, 0, db->size_bytes);
  forge_broadcast_init (&bc, &p->a_batch, &p->b_batch, &p->batch);
  for (int64_t i = 0; i < p->n_batch; i++) {
    int64_t a_at, b_at;
    forge_broadcast_row (&bc, i / bc.row, &a_at, &b_at);
    a_at = (a_at + i % bc.row * (int64_t) bc.a_step) * p->m * p->k;
    b_at = (b_at + i % bc.row * (int64_t) bc.b_step) * p->k * p->n;
    product_backward (step, p, a + a_at, b + b_at,
        (const float *) dy->data + i * p->m * p->n,
        da ? (float *) da->data + a_at : NULL,
        db ? (float *) db->data + b_at : NULL);
  }
  if (step->n_in > 2 && step->in[2] && gradients->d_in[2])
    forge_broadcast_reduce (dy->data, &dy->shape, p->beta,
        gradients->d_in[2]->data, &gradients->d_in[2]->shape);
}

static int64_t
flops (const ForgeNode *node)
{
  Product p;
  ForgeShape out;
  if (!parse (node, &p, &out, NULL) || forge_shape_count (&out) < 0)
    return 0;
  return forge_flops (forge_shape_count (&out), forge_flops (p.k, 2));
}

const ForgeOp forge_op_Gemm = { .type = "Gemm",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 3,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .prepare = prepare,
  .run = run,
  .backward = backward,
  .flops = flops };

const ForgeOp forge_op_MatMul = { .type = "MatMul",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 3, /* the bias, of a pass */
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .prepare = prepare,
  .run = run,
  .backward = backward,
  .flops = flops };
