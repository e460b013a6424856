/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Transpose: dimensions in another order, of any type. Two groups of
 * neighbouring dimensions that change places (NCHW to NHWC, a matrix) take
 * the blocked path.
 * Source: ONNX operator specification, Transpose-13. */
#include <string.h>

#include "ops/op-util.h"

static gboolean
read_perm (
    const ForgeNode *node, int rank, int perm[FORGE_MAX_DIMS], GError **error)
{
  const int64_t *list;
  gsize n_list = forge_attrs_ints (node->attrs, "perm", &list);
  gboolean used[FORGE_MAX_DIMS] = { FALSE };
  for (int i = 0; i < rank; i++)
    perm[i] = rank - 1 - i;
  if (!list)
    return TRUE;
  if (n_list != (gsize) rank)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "perm has %zu values for %d dimensions", n_list, rank);
  for (int i = 0; i < rank; i++) {
    if (list[i] < 0 || list[i] >= rank || used[list[i]])
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "perm is not an order of %d dimensions", rank);
    perm[i] = (int) list[i];
    used[list[i]] = TRUE;
  }
  return TRUE;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  int perm[FORGE_MAX_DIMS];
  if (!read_perm (node, in->shape.rank, perm, error))
    return FALSE;
  ForgeShape out = { .rank = in->shape.rank };
  for (int i = 0; i < out.rank; i++)
    out.dims[i] = in->shape.dims[perm[i]];
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

/* Finds N, A, B so that the permutation is [N, A, B] -> [N, B, A]. */
static gboolean
is_swap (const ForgeShape *shape, const int *perm, int64_t *n, int64_t *a,
    int64_t *b)
{
  int fixed = 0, rank = shape->rank;
  while (fixed < rank && perm[fixed] == fixed)
    fixed++;
  if (fixed == rank)
    return FALSE;
  int split = perm[fixed];
  for (int i = fixed; i < rank; i++)
    if (perm[i] != (i - fixed + split - fixed) % (rank - fixed) + fixed)
      return FALSE;
  *n = forge_op_volume (shape, 0, fixed);
  *a = forge_op_volume (shape, fixed, split);
  *b = forge_op_volume (shape, split, rank);
  return TRUE;
}

/* Blocks of dimensions that stay last move as one; what is left is walked row
 * by row of the result. */
typedef struct {
  const char *src;
  char *dst;
  size_t block_bytes;
  int rank; /* without the dimensions of a block */
  int64_t row, stride;
  int64_t dims[FORGE_MAX_DIMS], strides[FORGE_MAX_DIMS];
} Permutation;

static void
permute_rows (void *data, size_t begin, size_t end)
{
  const Permutation *p = data;
  size_t bytes = p->block_bytes;
  for (size_t r = begin; r < end; r++) {
    int64_t rest = (int64_t) r, from = 0;
    char *dst = p->dst + r * (size_t) p->row * bytes;
    for (int d = p->rank - 2; d >= 0; d--) {
      from += rest % p->dims[d] * p->strides[d];
      rest /= p->dims[d];
    }
    const char *src = p->src + (size_t) from * bytes;
    size_t stride_bytes = (size_t) p->stride * bytes;
    if (bytes == sizeof (uint32_t))
      for (int64_t i = 0; i < p->row; i++)
        memcpy (dst + (size_t) i * sizeof (uint32_t),
            src + (size_t) i * stride_bytes, sizeof (uint32_t));
    else
      for (int64_t i = 0; i < p->row; i++)
        memcpy (
            dst + (size_t) i * bytes, src + (size_t) i * stride_bytes, bytes);
  }
}

static void
permute (int threads, const ForgeTensor *src, const int *perm, ForgeTensor *dst)
{
  int64_t strides[FORGE_MAX_DIMS], count = forge_tensor_get_count (dst);
  Permutation p = { .src = src->data, .dst = dst->data, .row = 1 };
  int64_t block = 1;
  p.rank = src->shape.rank;
  while (p.rank > 0 && perm[p.rank - 1] == p.rank - 1)
    block *= src->shape.dims[--p.rank];
  if (count == 0)
    return;
  p.block_bytes = (size_t) block * forge_dtype_size_bytes (src->dtype);
  forge_shape_strides (&src->shape, strides);
  for (int d = 0; d < p.rank; d++) {
    p.dims[d] = dst->shape.dims[d];
    p.strides[d] = strides[perm[d]] / block;
  }
  if (p.rank > 0) {
    p.row = p.dims[p.rank - 1];
    p.stride = p.strides[p.rank - 1];
  }
  int64_t row = p.row * block;
  forge_op_ranges (threads, (size_t) (count / row),
      (size_t) (FORGE_OP_GRAIN / row + 1), permute_rows, &p);
}

void
forge_op_permute (
    int threads, const ForgeTensor *src, const int *perm, ForgeTensor *dst)
{
  int64_t n, a, b;
  if (src->dtype == FORGE_FLOAT32 && is_swap (&src->shape, perm, &n, &a, &b))
    forge_op_swap_inner (threads, n, a, b, src->data, dst->data);
  else
    permute (threads, src, perm, dst);
}

static void
run (const ForgeStep *step)
{
  int perm[FORGE_MAX_DIMS];
  read_perm (step->node, step->in[0]->shape.rank, perm, NULL);
  forge_op_permute (step->threads, step->in[0], perm, step->out[0]);
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  int perm[FORGE_MAX_DIMS], inverse[FORGE_MAX_DIMS];
  int rank = step->in[0]->shape.rank;
  if (!gradients->d_in[0])
    return;
  read_perm (step->node, rank, perm, NULL);
  for (int i = 0; i < rank; i++)
    inverse[perm[i]] = i;
  forge_op_permute (
      step->threads, gradients->d_out[0], inverse, gradients->d_in[0]);
}

const ForgeOp forge_op_Transpose = { .type = "Transpose",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run,
  .backward = backward };
