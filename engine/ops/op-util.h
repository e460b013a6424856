/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files in ops/ share: checked shapes and attributes, element-wise
 * loops over threads, the change of layout. Private to ops/. */
#pragma once

#include <stddef.h>

#include "ops/op.h"

/* Most elements one tensor may have; keeps every later product of extents
 * within int64_t, whatever a file says. */
#define FORGE_OP_MAX_ELEMS INT32_MAX

/* Sets dtype and shape of out[index]; an error when the shape is too large or
 * the node has no such output. */
gboolean forge_op_set_out (ForgeNode *node, guint index, ForgeDtype dtype,
    const ForgeShape *shape, GError **error);
/* Errors unless in[index] is there and float32. */
gboolean forge_op_need_float (
    const ForgeNode *node, guint index, GError **error);
/* Errors unless in[index] has @rank dimensions. */
gboolean forge_op_need_rank (
    const ForgeNode *node, guint index, int rank, GError **error);
/* Turns an axis from [-rank, rank) into [0, rank). */
gboolean forge_op_axis (
    const ForgeNode *node, int64_t value, int rank, int *axis, GError **error);
/* A list of integers given as an attribute (old opsets) or as constant input
 * @index (new ones), at most FORGE_OP_MAX_INTS; *n_values is -1 when neither
 * is there. FALSE on errors. */
#define FORGE_OP_MAX_INTS 16
gboolean forge_op_ints (const ForgeNode *node, const char *name, guint index,
    int64_t values[FORGE_OP_MAX_INTS], int *n_values, GError **error);
/* The first element of a constant float input, else @fallback. */
float forge_op_scalar (const ForgeNode *node, guint index, float fallback);
/* TRUE when the input was given (and is not the empty name). */
gboolean forge_op_has_in (const ForgeNode *node, guint index);
/* TRUE when the input is there but its values are not known yet: computed,
 * maybe from the extents of an input whose batch is not bound. */
gboolean forge_op_is_pending (const ForgeNode *node, guint index);
/* out[0] with @rank unknown extents, until such values are known. */
gboolean forge_op_set_pending (
    ForgeNode *node, ForgeDtype dtype, int64_t rank, GError **error);
/* Product of the extents in [from, to). */
int64_t forge_op_volume (const ForgeShape *shape, int from, int to);

/* A tensor seen along one axis: element i of line (o, k) lies at
 * (o * n + i) * inner + k. */
typedef struct {
  int64_t outer, n, inner;
} ForgeLines;
ForgeLines forge_op_lines (const ForgeShape *shape, int axis);
/* Where line @index of outer * inner begins. */
int64_t forge_op_line_at (const ForgeLines *lines, int64_t index);

/* Calls @func for ranges that cover [0, n_items), at least @grain items each,
 * on up to @threads threads. The split depends on n_items and grain alone, so
 * results do not change with the number of threads. */
typedef void (*ForgeRangeFunc) (void *data, size_t begin, size_t end);
void forge_op_ranges (
    int threads, size_t n_items, size_t grain, ForgeRangeFunc func, void *data);
/* For loops over floats: a range of this many elements pays for a task. */
#define FORGE_OP_GRAIN 16384

/* float32 [N, A, B] -> [N, B, A]. NCHW to NHWC is A = C, B = H*W. */
void forge_op_swap_inner (
    int threads, int64_t n, int64_t a, int64_t b, const float *src, float *dst);

/* The activation fused into the node, over n contiguous floats in place. */
void forge_op_activate (const ForgeActivation *activation, size_t n, float *x);
/* The bounds a kernel can clamp to itself: those of a fused CLAMP, else the
 * infinities. */
void forge_op_clamp (const ForgeActivation *activation, float *min, float *max);
/* TRUE when forge_op_activate has something left to do after that clamp. */
gboolean forge_op_activates_late (const ForgeActivation *activation);
/* What is left to do after that clamp, over @n_rows of @n floats. */
void forge_op_activate_rows (const ForgeActivation *activation, size_t n_rows,
    size_t n, float *x, ptrdiff_t stride_elems);

/* What ForgeOp.flops answers: @count elements of @each operations; 0 while an
 * extent is unknown, and no more than INT64_MAX. */
int64_t forge_flops (int64_t count, int64_t each);
