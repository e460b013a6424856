/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See muon.h. All products go through OpenBLAS, one block of rows or columns
 * a task. How a product is cut depends on its size alone, so the bits do not
 * depend on the threads; OpenBLAS must be set to one thread of its own.
 *
 * What a step of Newton-Schulz multiplies X by is a polynomial of A = X X',
 * and so is the next A: with Q = a + b A + c A A it is Q A Q. For a wide
 * matrix it is cheaper to multiply such small matrices and to apply the
 * product of several Q to X at once. Rounding errors of A grow by up to a^2 a
 * step where X has nothing, so A is made from X again after a few. */
#include "train/muon.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pool.h"
#include "graph/pass-util.h"

/* Rows of a task: of a product, and of what is done element by element. */
#define PRODUCT_ROWS 64
#define ROWS 16
#define PRODUCT_COLUMNS 384
/* Steps without X, where it is so many times as wide as high. */
#define GRAM_STEPS 3
#define GRAM_RATIO 3

static const float quintic[] = { 3.4445f, -4.7750f, 2.0315f };

struct _ForgeMuon {
  int threads;
  size_t most_side, most_longer, most_elems;
  float *direction;       /* [rows, columns] */
  float *x, *next;        /* [side, longer] */
  float *gram, *q, *work; /* [side, side] */
  float *total;           /* product of all Q since A was made */
  double *partials;       /* of blocks of rows */
};

static size_t
blocks_of (size_t n, size_t block)
{
  return (n + block - 1) / block;
}

ForgeMuonShape
forge_muon_shape (const ForgeNode *node, guint index)
{
  ForgeMuonShape none = { 0 };
  gboolean is_conv = forge_node_is (node, "Conv");
  gboolean is_gemm = forge_node_is (node, "Gemm");
  gboolean is_product = is_gemm || forge_node_is (node, "MatMul");
  const ForgeShape *shape = &forge_node_in (node, index)->shape;
  if (index != 1 || (is_conv ? shape->rank < 3 : shape->rank != 2) ||
      (!is_conv && !is_product) || (is_conv && shape->dims[1] < 2))
    return none;
  int64_t n_rows = shape->dims[0];
  int64_t n_columns = n_rows > 0 ? forge_shape_count (shape) / n_rows : 0;
  if (n_rows < 2 || n_columns < 2 || n_rows > G_MAXINT || n_columns > G_MAXINT)
    return none;
  gboolean filters_first =
      is_conv || (is_gemm && forge_attrs_int (node->attrs, "transB", 0));
  return (ForgeMuonShape) { (size_t) n_rows, (size_t) n_columns,
    (size_t) (filters_first ? n_rows : n_columns) };
}

void
forge_muon_free (ForgeMuon *muon)
{
  if (!muon)
    return;
  float *blocks[] = { muon->direction, muon->x, muon->next, muon->gram, muon->q,
    muon->work, muon->total };
  for (guint i = 0; i < G_N_ELEMENTS (blocks); i++)
    forge_aligned_free (blocks[i]);
  g_free (muon->partials);
  g_free (muon);
}

static float *
new_floats (size_t n)
{
  size_t size_bytes;
  return g_size_checked_mul (&size_bytes, n, sizeof (float))
             ? forge_aligned_alloc0 (size_bytes)
             : NULL;
}

ForgeMuon *
forge_muon_new (
    size_t most_side, size_t most_longer, size_t most_elems, int threads)
{
  size_t n_square;
  if (!g_size_checked_mul (&n_square, most_side, most_side))
    return NULL;
  g_autoptr (ForgeMuon) muon = g_new0 (ForgeMuon, 1);
  *muon = (ForgeMuon) { .threads = threads,
    .most_side = most_side,
    .most_longer = most_longer,
    .most_elems = most_elems,
    .direction = new_floats (most_elems),
    .x = new_floats (most_elems),
    .next = new_floats (most_elems),
    .gram = new_floats (n_square),
    .q = new_floats (n_square),
    .work = new_floats (n_square),
    .total = new_floats (n_square),
    .partials = g_new0 (double, blocks_of (most_longer, ROWS) + 1) };
  if (!muon->direction || !muon->x || !muon->next || !muon->gram || !muon->q ||
      !muon->work || !muon->total)
    return NULL;
  return g_steal_pointer (&muon);
}

static double
sum_partials (const ForgeMuon *muon, size_t n_rows)
{
  double sum = 0;
  for (size_t i = 0; i < blocks_of (n_rows, ROWS); i++)
    sum += muon->partials[i];
  return sum;
}

/* c = a times b, or its transpose, by blocks. */
typedef struct {
  const float *a, *b;
  float *c;
  size_t n, k;
} Product;

/* The result is symmetric: below the diagonal it is computed, above it is
 * filled in. The longest rows come first. */
static void
multiply_rows (void *user_data, int task)
{
  const Product *p = user_data;
  size_t n = p->n, block = blocks_of (n, PRODUCT_ROWS) - 1 - (size_t) task;
  size_t begin = block * PRODUCT_ROWS, end = MIN (begin + PRODUCT_ROWS, n);
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (int) (end - begin),
      (int) end, (int) p->k, 1, p->a + begin * p->k, (int) p->k, p->b,
      (int) p->k, 0, p->c + begin * n, (int) n);
  for (size_t row = begin; row < end; row++)
    for (size_t column = 0; column < begin; column++)
      p->c[column * n + row] = p->c[row * n + column];
}

/* c [n, n] = a b', both [n, k], where that is symmetric. */
static void
multiply (const ForgeMuon *muon, size_t n, size_t k, const float *a,
    const float *b, float *c)
{
  Product product = { a, b, c, n, k };
  forge_pool_run (muon->threads, (int) blocks_of (n, PRODUCT_ROWS),
      multiply_rows, &product);
}

static void
apply_columns (void *user_data, int task)
{
  const Product *p = user_data;
  size_t begin = (size_t) task * PRODUCT_COLUMNS;
  size_t width = MIN (PRODUCT_COLUMNS, p->k - begin);
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, (int) p->n,
      (int) width, (int) p->n, 1, p->a, (int) p->n, p->b + begin, (int) p->k, 0,
      p->c + begin, (int) p->k);
}

/* q = a + b gram + c gram gram */
static void
make_factor (ForgeMuon *muon, size_t n)
{
  multiply (muon, n, n, muon->gram, muon->gram, muon->work);
  for (size_t i = 0; i < n * n; i++)
    muon->q[i] = quintic[1] * muon->gram[i] + quintic[2] * muon->work[i];
  for (size_t i = 0; i < n; i++)
    muon->q[i * n + i] += quintic[0];
}

static void
swap (float **a, float **b)
{
  float *kept = *a;
  *a = *b;
  *b = kept;
}

/* So many steps at once; x [n, k]. */
static void
iterate (ForgeMuon *muon, size_t n, size_t k, guint n_steps)
{
  multiply (muon, n, k, muon->x, muon->x, muon->gram);
  make_factor (muon, n);
  memcpy (muon->total, muon->q, n * n * sizeof *muon->q);
  for (guint i = 1; i < n_steps; i++) {
    multiply (muon, n, n, muon->q, muon->gram, muon->work);
    multiply (muon, n, n, muon->work, muon->q, muon->gram);
    make_factor (muon, n);
    multiply (muon, n, n, muon->q, muon->total, muon->work);
    swap (&muon->total, &muon->work);
  }
  Product product = { muon->total, muon->x, muon->next, n, k };
  forge_pool_run (muon->threads, (int) blocks_of (k, PRODUCT_COLUMNS),
      apply_columns, &product);
  swap (&muon->x, &muon->next);
}

/* A pass over a matrix, in blocks of rows. */
typedef struct {
  ForgeMuon *muon;
  const ForgeMuonRule *rule;
  size_t n_rows, n_columns;
  float scale, shrink;
  float *matrix, *m;
  const float *gradient;
} Pass;

static void
run_pass (Pass *pass, ForgeTaskFunc func)
{
  forge_pool_run (
      pass->muon->threads, (int) blocks_of (pass->n_rows, ROWS), func, pass);
}

/* Where an element of the matrix is in x, which is never higher than wide. */
static float *
place_in_x (const Pass *pass, size_t row, size_t *stride_elems)
{
  gboolean turned = pass->n_rows > pass->n_columns;
  *stride_elems = turned ? pass->n_rows : 1;
  return pass->muon->x + (turned ? row : row * pass->n_columns);
}

static void
load_rows (void *user_data, int task)
{
  const Pass *pass = user_data;
  size_t begin = (size_t) task * ROWS, stride_elems;
  double sum = 0;
  for (size_t row = begin; row < MIN (begin + ROWS, pass->n_rows); row++) {
    const float *from = pass->matrix + row * pass->n_columns;
    float *to = place_in_x (pass, row, &stride_elems);
    for (size_t i = 0; i < pass->n_columns; i++) {
      to[i * stride_elems] = from[i];
      sum += (double) from[i] * from[i];
    }
  }
  pass->muon->partials[task] = sum;
}

static void
scale_rows (void *user_data, int task)
{
  const Pass *pass = user_data;
  size_t begin = (size_t) task * ROWS, stride_elems;
  for (size_t row = begin; row < MIN (begin + ROWS, pass->n_rows); row++) {
    float *x = place_in_x (pass, row, &stride_elems);
    for (size_t i = 0; i < pass->n_columns; i++)
      x[i * stride_elems] *= pass->scale;
  }
}

static void
store_rows (void *user_data, int task)
{
  const Pass *pass = user_data;
  size_t begin = (size_t) task * ROWS, stride_elems;
  for (size_t row = begin; row < MIN (begin + ROWS, pass->n_rows); row++) {
    const float *from = place_in_x (pass, row, &stride_elems);
    float *to = pass->matrix + row * pass->n_columns;
    for (size_t i = 0; i < pass->n_columns; i++)
      to[i] = from[i * stride_elems];
  }
}

void
forge_muon_orthogonalise (ForgeMuon *muon, guint n_steps, size_t n_rows,
    size_t n_columns, float *matrix)
{
  size_t side = MIN (n_rows, n_columns), longer = MAX (n_rows, n_columns);
  g_assert (side <= muon->most_side && longer <= muon->most_longer &&
            side * longer <= muon->most_elems);
  Pass pass = {
    .muon = muon, .n_rows = n_rows, .n_columns = n_columns, .matrix = matrix
  };
  run_pass (&pass, load_rows);
  pass.scale = (float) (1 / (sqrt (sum_partials (muon, n_rows)) + 1e-7));
  run_pass (&pass, scale_rows);
  guint at_once = longer >= GRAM_RATIO * side ? GRAM_STEPS : 1;
  for (guint done = 0; done < n_steps; done += at_once)
    iterate (muon, side, longer, MIN (at_once, n_steps - done));
  run_pass (&pass, store_rows);
}

static void
direct_rows (void *user_data, int task)
{
  const Pass *pass = user_data;
  const ForgeMuonRule *rule = pass->rule;
  const float momentum = (float) rule->momentum, scale = pass->scale;
  const float of_g = rule->nesterov ? 1 : 0;
  const float of_m = rule->nesterov ? momentum : 1;
  size_t begin = (size_t) task * ROWS * pass->n_columns;
  size_t end =
      MIN (begin + ROWS * pass->n_columns, pass->n_rows * pass->n_columns);
  double sum = 0;
  for (size_t i = begin; i < end; i++) {
    float g = scale * pass->gradient[i];
    pass->m[i] = momentum * pass->m[i] + g;
    pass->muon->direction[i] = of_g * g + of_m * pass->m[i];
    sum += (double) pass->matrix[i] * pass->matrix[i];
  }
  pass->muon->partials[task] = sum;
}

static void
move_rows (void *user_data, int task)
{
  const Pass *pass = user_data;
  const float rate = (float) pass->rule->learning_rate;
  size_t begin = (size_t) task * ROWS * pass->n_columns;
  size_t end =
      MIN (begin + ROWS * pass->n_columns, pass->n_rows * pass->n_columns);
  for (size_t i = begin; i < end; i++)
    pass->matrix[i] =
        pass->shrink * pass->matrix[i] - rate * pass->muon->direction[i];
}

void
forge_muon_step (ForgeMuon *muon, const ForgeMuonRule *rule,
    const ForgeMuonShape *shape, float scale, float *value,
    const float *gradient, float *m)
{
  Pass pass = { .muon = muon,
    .rule = rule,
    .n_rows = shape->n_rows,
    .n_columns = shape->n_columns,
    .scale = scale,
    .shrink = (float) (1 - rule->learning_rate * rule->weight_decay),
    .matrix = value,
    .m = m,
    .gradient = gradient };
  run_pass (&pass, direct_rows);
  double norm = sqrt (sum_partials (muon, shape->n_rows));
  if (rule->normalises)
    pass.shrink =
        norm > 0 ? (float) (sqrt ((double) shape->n_filters) / norm) : 1;
  forge_muon_orthogonalise (
      muon, rule->n_steps, shape->n_rows, shape->n_columns, muon->direction);
  run_pass (&pass, move_rows);
}
