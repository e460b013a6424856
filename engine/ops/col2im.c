/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Col2Im: [N, C * block, L] -> [N, C, image...]. Column l holds the blocks of
 * position l; what lies at the same place is summed. The inverse of what
 * torch calls unfold, for pictures of any number of dimensions; float32.
 * Source: ONNX operator specification, Col2Im-18. */
#include <string.h>

#include "ops/op-util.h"

#define MAX_IMAGE_DIMS (FORGE_MAX_DIMS - 2)
#define MAX_EXTENT (1 << 20) /* of a block, stride, dilation or pad */

typedef struct {
  int rank; /* of the image */
  int64_t image[FORGE_OP_MAX_INTS], block[FORGE_OP_MAX_INTS];
  int64_t steps[FORGE_OP_MAX_INTS]; /* positions along each axis */
  int64_t stride[FORGE_OP_MAX_INTS], dilation[FORGE_OP_MAX_INTS];
  int64_t before[FORGE_OP_MAX_INTS], after[FORGE_OP_MAX_INTS];
  int64_t image_size, block_size, n_steps;
} Fold;

/* @n values of an attribute that may be left out. */
static gboolean
read_list (const ForgeNode *node, const char *name, int n, int64_t fallback,
    int64_t *values, GError **error)
{
  const int64_t *list;
  gsize n_list = forge_attrs_ints (node->attrs, name, &list);
  if (n_list > 0 && n_list != (gsize) n)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "%zu %s; expected %d", n_list, name, n);
  for (int i = 0; i < n; i++) {
    values[i] = n_list > 0 ? list[i] : fallback;
    if (values[i] < fallback || values[i] > MAX_EXTENT)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "%s has %" G_GINT64_FORMAT "; expected %" G_GINT64_FORMAT " to %d",
          name, values[i], fallback, MAX_EXTENT);
  }
  return TRUE;
}

/* Counts positions and elements, within what a tensor may have. */
static gboolean
measure (const ForgeNode *node, Fold *fold, GError **error)
{
  fold->image_size = fold->block_size = fold->n_steps = 1;
  for (int d = 0; d < fold->rank; d++) {
    int64_t image = fold->image[d], block = fold->block[d];
    if (image < 1 || image > FORGE_OP_MAX_ELEMS || block < 1 ||
        block > MAX_EXTENT)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "axis %d: image of %" G_GINT64_FORMAT ", block of %" G_GINT64_FORMAT,
          d, image, block);
    int64_t room = image + fold->before[d] + fold->after[d] -
                   fold->dilation[d] * (block - 1) - 1;
    if (room < 0)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "axis %d: the block is larger than the image", d);
    fold->steps[d] = room / fold->stride[d] + 1;
    fold->image_size *= image;
    fold->block_size *= block;
    fold->n_steps *= fold->steps[d];
    if (MAX (MAX (fold->image_size, fold->block_size), fold->n_steps) >
        FORGE_OP_MAX_ELEMS)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "more than %d elements", FORGE_OP_MAX_ELEMS);
  }
  return TRUE;
}

static gboolean
parse (const ForgeNode *node, Fold *fold, GError **error)
{
  int64_t pads[FORGE_OP_MAX_INTS];
  int n_block;
  if (!forge_op_ints (node, NULL, 1, fold->image, &fold->rank, error) ||
      !forge_op_ints (node, NULL, 2, fold->block, &n_block, error))
    return FALSE;
  if (fold->rank < 1 || fold->rank > MAX_IMAGE_DIMS || n_block != fold->rank)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "an image of %d dimensions, blocks of %d; expected the same, 1 to %d",
        fold->rank, n_block, MAX_IMAGE_DIMS);
  if (!read_list (node, "strides", fold->rank, 1, fold->stride, error) ||
      !read_list (node, "dilations", fold->rank, 1, fold->dilation, error) ||
      !read_list (node, "pads", 2 * fold->rank, 0, pads, error))
    return FALSE;
  for (int d = 0; d < fold->rank; d++) {
    fold->before[d] = pads[d];
    fold->after[d] = pads[fold->rank + d];
  }
  return measure (node, fold, error);
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  Fold fold;
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  ForgeShape out = forge_shape (2, in->dims[0], -1);
  if (!forge_op_need_float (node, 0, error) ||
      !forge_op_need_rank (node, 0, 3, error))
    return FALSE;
  if (forge_op_is_pending (node, 1)) {
    const ForgeShape *list = &forge_node_in (node, 1)->shape;
    int64_t rank = list->rank == 1 ? list->dims[0] : 0;
    if (rank < 1 || rank > MAX_IMAGE_DIMS)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input 1 must be a vector of 1 to %d extents", MAX_IMAGE_DIMS);
    return forge_op_set_pending (node, FORGE_FLOAT32, rank + 2, error);
  }
  if (!parse (node, &fold, error))
    return FALSE;
  if ((in->dims[1] >= 0 && in->dims[1] % fold.block_size != 0) ||
      (in->dims[2] >= 0 && in->dims[2] != fold.n_steps))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "blocks of %" G_GINT64_FORMAT " elements at %" G_GINT64_FORMAT
        " places do not fit an input of %" G_GINT64_FORMAT
        " by %" G_GINT64_FORMAT,
        fold.block_size, fold.n_steps, in->dims[1], in->dims[2]);
  if (in->dims[1] >= 0)
    out.dims[1] = in->dims[1] / fold.block_size;
  for (int d = 0; d < fold.rank; d++)
    out.dims[out.rank++] = fold.image[d];
  return forge_op_set_out (node, 0, FORGE_FLOAT32, &out, error);
}

typedef struct {
  Fold fold;
  const float *columns;
  float *images;
} Job;

/* Offset in the image of element @k of the block at position @l; -1 = in the
 * padding. */
static int64_t
place_of (const Fold *fold, int64_t k, int64_t l)
{
  int64_t at = 0, size = 1;
  for (int d = fold->rank - 1; d >= 0; d--) {
    int64_t x = l % fold->steps[d] * fold->stride[d] - fold->before[d] +
                k % fold->block[d] * fold->dilation[d];
    if (x < 0 || x >= fold->image[d])
      return -1;
    at += x * size;
    size *= fold->image[d];
    l /= fold->steps[d];
    k /= fold->block[d];
  }
  return at;
}

/* Whole channels of pictures. */
static void
fold_channels (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const Fold *fold = &job->fold;
  for (size_t i = begin; i < end; i++) {
    const float *column =
        job->columns + (int64_t) i * fold->block_size * fold->n_steps;
    float *image = job->images + (int64_t) i * fold->image_size;
    memset (image, 0, (size_t) fold->image_size * sizeof *image);
    for (int64_t k = 0; k < fold->block_size; k++)
      for (int64_t l = 0; l < fold->n_steps; l++) {
        int64_t at = place_of (fold, k, l);
        if (at >= 0)
          image[at] += column[k * fold->n_steps + l];
      }
  }
}

static void
run (const ForgeStep *step)
{
  Job job = { .columns = step->in[0]->data, .images = step->out[0]->data };
  const ForgeShape *out = &step->out[0]->shape;
  if (!parse (step->node, &job.fold, NULL))
    return;
  forge_op_ranges (step->threads, (size_t) forge_op_volume (out, 0, 2), 1,
      fold_channels, &job);
}

static int64_t
flops (const ForgeNode *node)
{
  return MAX (0, forge_shape_count (&forge_node_in (node, 0)->shape));
}

const ForgeOp forge_op_Col2Im = { .type = "Col2Im",
  .domain = "",
  .min_inputs = 3,
  .max_inputs = 3,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run,
  .flops = flops };
