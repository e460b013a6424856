/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared ground of the operators. Whatever comes from a model file is checked
 * here or in an operator's infer, before anything is allocated or run. */
#include "ops/op-util.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

gboolean
forge_op_set_out (ForgeNode *node, guint index, ForgeDtype dtype,
    const ForgeShape *shape, GError **error)
{
  ForgeValue *out = forge_node_out (node, index);
  if (!out)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "output %u is missing", index);
  int64_t count = 1;
  for (int i = 0; i < shape->rank; i++) {
    int64_t extent = MAX (shape->dims[i], 1);
    if (shape->dims[i] < -1 || extent > FORGE_OP_MAX_ELEMS ||
        __builtin_mul_overflow (count, extent, &count) ||
        count > FORGE_OP_MAX_ELEMS) {
      g_autofree char *text = forge_shape_to_string (shape);
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "output shape %s is beyond %d elements", text, FORGE_OP_MAX_ELEMS);
    }
  }
  out->dtype = dtype;
  out->shape = *shape;
  return TRUE;
}

gboolean
forge_op_has_in (const ForgeNode *node, guint index)
{
  return forge_node_in (node, index) != NULL;
}

gboolean
forge_op_need_float (const ForgeNode *node, guint index, GError **error)
{
  const ForgeValue *in = forge_node_in (node, index);
  if (!in)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "input %u is missing", index);
  if (in->dtype != FORGE_FLOAT32)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input %u ('%s') is %s; only float32 is supported", index, in->name,
        forge_dtype_name (in->dtype));
  return TRUE;
}

gboolean
forge_op_need_rank (
    const ForgeNode *node, guint index, int rank, GError **error)
{
  const ForgeValue *in = forge_node_in (node, index);
  if (in->shape.rank == rank)
    return TRUE;
  g_autofree char *text = forge_shape_to_string (&in->shape);
  return forge_node_error (node, error, FORGE_ERROR_SHAPE,
      "input %u ('%s') has shape %s; expected %d dimensions", index, in->name,
      text, rank);
}

gboolean
forge_op_axis (
    const ForgeNode *node, int64_t value, int rank, int *axis, GError **error)
{
  if (value < -rank || value >= rank)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "axis %" G_GINT64_FORMAT " is outside of a tensor of %d dimensions",
        value, rank);
  *axis = (int) (value < 0 ? value + rank : value);
  return TRUE;
}

static gboolean
ints_from_tensor (const ForgeTensor *tensor, int64_t *values, int n_values)
{
  for (int i = 0; i < n_values; i++)
    if (tensor->dtype == FORGE_INT64)
      values[i] = ((const int64_t *) tensor->data)[i];
    else if (tensor->dtype == FORGE_INT32)
      values[i] = ((const int32_t *) tensor->data)[i];
    else
      return FALSE;
  return TRUE;
}

gboolean
forge_op_ints (const ForgeNode *node, const char *name, guint index,
    int64_t values[FORGE_OP_MAX_INTS], int *n_values, GError **error)
{
  const ForgeValue *in = forge_node_in (node, index);
  const int64_t *list = NULL;
  gsize n_list = name ? forge_attrs_ints (node->attrs, name, &list) : 0;
  *n_values = -1;
  if (list) {
    if (n_list > FORGE_OP_MAX_INTS)
      return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
          "attribute %s has %zu values; at most %d are supported", name, n_list,
          FORGE_OP_MAX_INTS);
    memcpy (values, list, n_list * sizeof *list);
    *n_values = (int) n_list;
    return TRUE;
  }
  if (!in)
    return TRUE;
  if (!in->constant)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input %u ('%s') is computed at run time; only a constant is "
        "supported",
        index, in->name);
  int64_t count = forge_tensor_get_count (in->constant);
  if (in->constant->shape.rank > 1 || count > FORGE_OP_MAX_INTS ||
      !ints_from_tensor (in->constant, values, (int) count))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "input %u ('%s') must be an int64 vector of at most %d values", index,
        in->name, FORGE_OP_MAX_INTS);
  *n_values = (int) count;
  return TRUE;
}

float
forge_op_scalar (const ForgeNode *node, guint index, float fallback)
{
  const ForgeValue *in = forge_node_in (node, index);
  if (!in || !in->constant || in->constant->dtype != FORGE_FLOAT32 ||
      forge_tensor_get_count (in->constant) < 1)
    return fallback;
  return *(const float *) in->constant->data;
}

gboolean
forge_op_is_pending (const ForgeNode *node, guint index)
{
  const ForgeValue *in = forge_node_in (node, index);
  return in && !in->constant;
}

gboolean
forge_op_set_pending (
    ForgeNode *node, ForgeDtype dtype, int64_t rank, GError **error)
{
  ForgeShape shape = { 0 };
  if (rank < 0 || rank > FORGE_MAX_DIMS)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "%" G_GINT64_FORMAT " dimensions; from 0 to %d are supported", rank,
        FORGE_MAX_DIMS);
  for (; shape.rank < rank; shape.rank++)
    shape.dims[shape.rank] = -1;
  return forge_op_set_out (node, 0, dtype, &shape, error);
}

ForgeLines
forge_op_lines (const ForgeShape *shape, int axis)
{
  return (ForgeLines) { forge_op_volume (shape, 0, axis), shape->dims[axis],
    forge_op_volume (shape, axis + 1, shape->rank) };
}

int64_t
forge_op_line_at (const ForgeLines *lines, int64_t index)
{
  return index / lines->inner * lines->n * lines->inner + index % lines->inner;
}

int64_t
forge_op_volume (const ForgeShape *shape, int from, int to)
{
  int64_t volume = 1;
  for (int i = from; i < to; i++)
    volume *= shape->dims[i];
  return volume;
}

typedef struct {
  ForgeRangeFunc func;
  void *data;
  size_t n_items, step;
} Ranges;

static void
run_range (void *user_data, int task)
{
  const Ranges *ranges = user_data;
  size_t begin = (size_t) task * ranges->step;
  ranges->func (
      ranges->data, begin, MIN (begin + ranges->step, ranges->n_items));
}

void
forge_op_ranges (
    int threads, size_t n_items, size_t grain, ForgeRangeFunc func, void *data)
{
  if (n_items == 0)
    return;
  size_t step = MAX (MAX (grain, 1), (n_items + 63) / 64);
  Ranges ranges = {
    .func = func, .data = data, .n_items = n_items, .step = step
  };
  forge_pool_run (
      threads, (int) ((n_items + step - 1) / step), run_range, &ranges);
}

typedef struct {
  int64_t a, b;
  const float *src;
  float *dst;
} Swap;

#define SWAP_BLOCK 16

/* Three planes, as pictures come: pixel by pixel, each side in order. */
static void
swap_three (const float *src, int64_t plane, int64_t n_pixels, float *dst)
{
  for (int64_t i = 0; i < n_pixels; i++, dst += 3) {
    dst[0] = src[i];
    dst[1] = src[plane + i];
    dst[2] = src[2 * plane + i];
  }
}

/* Rows b0 to b1 of one image, few enough for both sides to stay in cache. */
static void
swap_block (
    const Swap *swap, int64_t b0, int64_t b1, const float *src, float *dst)
{
  for (int64_t a = 0; a < swap->a; a++)
    for (int64_t b = b0; b < b1; b++)
      dst[b * swap->a + a] = src[a * swap->b + b];
}

/* Rows of the destination, of any image. */
static void
swap_rows (void *data, size_t begin, size_t end)
{
  const Swap *swap = data;
  int64_t block = swap->a == 3 ? swap->b : SWAP_BLOCK;
  for (size_t row = begin; row < end;) {
    int64_t n = (int64_t) row / swap->b, b0 = (int64_t) row % swap->b;
    int64_t b1 = MIN (MIN (b0 + block, swap->b), b0 + (int64_t) (end - row));
    const float *src = swap->src + n * swap->a * swap->b;
    float *dst = swap->dst + n * swap->a * swap->b;
    if (swap->a == 3)
      swap_three (src + b0, swap->b, b1 - b0, dst + 3 * b0);
    else
      swap_block (swap, b0, b1, src, dst);
    row += (size_t) (b1 - b0);
  }
}

void
forge_op_swap_inner (
    int threads, int64_t n, int64_t a, int64_t b, const float *src, float *dst)
{
  Swap swap = { .a = a, .b = b, .src = src, .dst = dst };
  size_t grain = (size_t) (FORGE_OP_GRAIN / MAX (a, 1));
  forge_op_ranges (
      threads, (size_t) (n * b), MAX (grain, SWAP_BLOCK), swap_rows, &swap);
}

void
forge_op_activate (const ForgeActivation *activation, size_t n, float *x)
{
  if (activation->kind >= 0)
    forge_kernels ()->unary_f32 ((ForgeUnary) activation->kind, n, x,
        activation->alpha, activation->beta, x);
}

void
forge_op_clamp (const ForgeActivation *activation, float *min, float *max)
{
  gboolean clamps = activation->kind == FORGE_UNARY_CLAMP;
  *min = clamps ? activation->alpha : -INFINITY;
  *max = clamps ? activation->beta : INFINITY;
}

gboolean
forge_op_activates_late (const ForgeActivation *activation)
{
  return activation->kind >= 0 && activation->kind != FORGE_UNARY_CLAMP;
}

void
forge_op_activate_rows (const ForgeActivation *activation, size_t n_rows,
    size_t n, float *x, ptrdiff_t stride_elems)
{
  if (!forge_op_activates_late (activation))
    return;
  if (stride_elems == (ptrdiff_t) n)
    forge_op_activate (activation, n_rows * n, x);
  else
    for (size_t i = 0; i < n_rows; i++, x += stride_elems)
      forge_op_activate (activation, n, x);
}

int64_t
forge_flops (int64_t count, int64_t each)
{
  int64_t flops;
  if (count <= 0 || each <= 0)
    return 0;
  return __builtin_mul_overflow (count, each, &flops) ? INT64_MAX : flops;
}
