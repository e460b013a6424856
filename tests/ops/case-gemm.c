/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gemm and MatMul against triple loops in double precision. */
#include <math.h>

#include "kernels/kernels.h"
#include "op-harness.h"

typedef struct {
  int m, k, n;
  gboolean trans_a, trans_b;
  float alpha, beta;
  ForgeShape c; /* rank -1 = none */
} GemmRow;

static const GemmRow gemm_rows[] = {
  { 1, 64, 10, FALSE, TRUE, 1, 1, { 1, { 10 } } },
  { 17, 33, 65, FALSE, FALSE, 1, 1, { 1, { 65 } } },
  { 5, 7, 3, TRUE, FALSE, 0.5f, 2, { 2, { 5, 1 } } },
  { 40, 1, 129, TRUE, TRUE, -1, 0.25f, { 2, { 40, 129 } } },
  { 3, 4, 5, FALSE, TRUE, 2, 3, { 0 } },
  { 6, 300, 200, FALSE, TRUE, 0, 1, { 2, { 1, 200 } } },
  { 9, 12, 31, FALSE, FALSE, 1, 1, { -1 } },
};

static Harness *
gemm_new (const GemmRow *row, gboolean constant, ForgeRng *rng)
{
  Harness *h = harness_new ("Gemm", 13);
  ForgeShape a = row->trans_a ? forge_shape (2, row->k, row->m)
                              : forge_shape (2, row->m, row->k);
  ForgeShape b = row->trans_b ? forge_shape (2, row->n, row->k)
                              : forge_shape (2, row->k, row->n);
  forge_attrs_set_int (h->node.attrs, "transA", row->trans_a);
  forge_attrs_set_int (h->node.attrs, "transB", row->trans_b);
  forge_attrs_set_float (h->node.attrs, "alpha", row->alpha);
  forge_attrs_set_float (h->node.attrs, "beta", row->beta);
  harness_fill (harness_input (h, FORGE_FLOAT32, &a), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &b), rng, -1, 1);
  if (row->c.rank >= 0)
    harness_fill (harness_input (h, FORGE_FLOAT32, &row->c), rng, -1, 1);
  h->constant[1] = constant;
  h->constant[2] = constant && row->c.rank >= 0;
  return h;
}

static double
addend (const GemmRow *row, const Harness *h, int m, int n)
{
  if (row->c.rank < 0)
    return 0;
  const float *c = h->in[2]->data;
  if (row->c.rank == 0)
    return c[0];
  if (row->c.rank == 1)
    return c[row->c.dims[0] == 1 ? 0 : n];
  int64_t at = row->c.dims[0] == 1 ? 0 : m * row->c.dims[1];
  return c[at + (row->c.dims[1] == 1 ? 0 : n)];
}

static void
compare_gemm (const GemmRow *row, const Harness *h)
{
  const float *a = h->in[0]->data, *b = h->in[1]->data;
  const float *y = h->out[0]->data;
  gboolean relu = h->node.activation.kind >= 0;
  for (int m = 0; m < row->m; m++)
    for (int n = 0; n < row->n; n++) {
      double sum = 0;
      for (int k = 0; k < row->k; k++)
        sum += (double) a[row->trans_a ? k * row->m + m : m * row->k + k] *
               b[row->trans_b ? n * row->k + k : k * row->n + n];
      sum = row->alpha * sum + row->beta * addend (row, h, m, n);
      harness_assert_close ("Gemm", m * row->n + n, y[m * row->n + n],
          relu ? MAX (sum, 0) : sum, 2e-5);
    }
}

static void
gemm_matches_the_definition (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (gemm_rows); i++)
    for (int variant = 0; variant < 8; variant++) {
      Harness *h = gemm_new (&gemm_rows[i], variant & 1, &rng);
      if (variant & 4)
        h->node.activation =
            (ForgeActivation) { FORGE_UNARY_CLAMP, 0, INFINITY };
      harness_prepare (h, 1 + (variant & 3), (variant & 2) && !(variant & 4));
      harness_run (h);
      compare_gemm (&gemm_rows[i], h);
      harness_free (h);
    }
}

static void
threads_do_not_change_a_bit (void)
{
  static const GemmRow row = { 200, 70, 130, FALSE, TRUE, 1, 1, { -1 } };
  ForgeRng rng;
  forge_rng_seed (&rng, 2);
  Harness *h = gemm_new (&row, TRUE, &rng);
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  g_autoptr (ForgeTensor) one = forge_tensor_copy (h->out[0], NULL);
  harness_prepare (h, 3, FALSE);
  harness_run (h);
  g_assert_cmpmem (
      one->data, one->size_bytes, h->out[0]->data, h->out[0]->size_bytes);
  harness_free (h);
}

typedef struct {
  ForgeShape a, b, out;
  int64_t m, k, n, batch;
  /* elements between the operands of neighbouring products */
  int64_t a_of[6], b_of[6];
} MatMulRow;

static const MatMulRow matmul_rows[] = {
  { { 2, { 5, 7 } }, { 2, { 7, 9 } }, { 2, { 5, 9 } }, 5, 7, 9, 1 },
  { { 1, { 7 } }, { 2, { 7, 9 } }, { 1, { 9 } }, 1, 7, 9, 1 },
  { { 2, { 5, 7 } }, { 1, { 7 } }, { 1, { 5 } }, 5, 7, 1, 1 },
  { { 1, { 7 } }, { 1, { 7 } }, { 0 }, 1, 7, 1, 1 },
  { { 3, { 4, 5, 7 } }, { 2, { 7, 9 } }, { 3, { 4, 5, 9 } }, 20, 7, 9, 1 },
  { { 3, { 2, 5, 7 } }, { 3, { 2, 7, 3 } }, { 3, { 2, 5, 3 } }, 5, 7, 3, 2,
      { 0, 1 }, { 0, 1 } },
  { { 4, { 2, 1, 5, 7 } }, { 3, { 3, 7, 3 } }, { 4, { 2, 3, 5, 3 } }, 5, 7, 3,
      6, { 0, 0, 0, 1, 1, 1 }, { 0, 1, 2, 0, 1, 2 } },
  { { 2, { 5, 7 } }, { 3, { 3, 7, 3 } }, { 3, { 3, 5, 3 } }, 5, 7, 3, 3, { 0 },
      { 0, 1, 2 } },
};

static void
compare_matmul (const MatMulRow *row, const Harness *h)
{
  const float *y = h->out[0]->data;
  g_assert_true (forge_shape_equal (&h->out[0]->shape, &row->out));
  for (int64_t i = 0; i < row->batch; i++)
    for (int64_t m = 0; m < row->m; m++)
      for (int64_t n = 0; n < row->n; n++) {
        const float *a =
            (float *) h->in[0]->data + (row->a_of[i] * row->m + m) * row->k;
        const float *b =
            (float *) h->in[1]->data + row->b_of[i] * row->k * row->n + n;
        double sum = 0;
        for (int64_t k = 0; k < row->k; k++)
          sum += (double) a[k] * b[k * row->n];
        int64_t at = (i * row->m + m) * row->n + n;
        harness_assert_close ("MatMul", at, y[at], sum, 2e-5);
      }
}

static void
matmul_matches_the_definition (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 3);
  for (gsize i = 0; i < G_N_ELEMENTS (matmul_rows); i++)
    for (int constant = 0; constant < 2; constant++) {
      Harness *h = harness_new ("MatMul", 13);
      harness_fill (
          harness_input (h, FORGE_FLOAT32, &matmul_rows[i].a), &rng, -1, 1);
      harness_fill (
          harness_input (h, FORGE_FLOAT32, &matmul_rows[i].b), &rng, -1, 1);
      h->constant[1] = constant;
      harness_prepare (h, 2, FALSE);
      harness_run (h);
      compare_matmul (&matmul_rows[i], h);
      harness_free (h);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/gemm/gemm_matches_the_definition", gemm_matches_the_definition);
  g_test_add_func (
      "/gemm/threads_do_not_change_a_bit", threads_do_not_change_a_bit);
  g_test_add_func (
      "/gemm/matmul_matches_the_definition", matmul_matches_the_definition);
  return g_test_run ();
}
