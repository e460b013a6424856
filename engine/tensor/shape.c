/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shapes: counting, broadcasting, printing. -1 stands for an extent that is
 * not known before a session binds the batch. */
#include "tensor/tensor.h"

#include <stdarg.h>

ForgeShape
forge_shape (int rank, ...)
{
  ForgeShape shape = { .rank = rank };
  g_assert (rank >= 0 && rank <= FORGE_MAX_DIMS);
  va_list args;
  va_start (args, rank);
  for (int i = 0; i < rank; i++)
    shape.dims[i] = va_arg (args, int);
  va_end (args);
  return shape;
}

int64_t
forge_shape_count (const ForgeShape *shape)
{
  int64_t count = 1;
  gboolean empty = FALSE;
  for (int i = 0; i < shape->rank; i++) {
    if (shape->dims[i] < 0)
      return -1;
    if (shape->dims[i] == 0)
      empty = TRUE;
    else if (__builtin_mul_overflow (count, shape->dims[i], &count))
      return -1;
  }
  return empty ? 0 : count;
}

gboolean
forge_shape_size_bytes (
    const ForgeShape *shape, ForgeDtype dtype, size_t *size_bytes)
{
  int64_t count = forge_shape_count (shape);
  int64_t size;
  if (count < 0 ||
      __builtin_mul_overflow (
          count, (int64_t) forge_dtype_size_bytes (dtype), &size) ||
      size > PTRDIFF_MAX / 2)
    return FALSE;
  *size_bytes = (size_t) size;
  return TRUE;
}

gboolean
forge_shape_equal (const ForgeShape *a, const ForgeShape *b)
{
  if (a->rank != b->rank)
    return FALSE;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i])
      return FALSE;
  return TRUE;
}

char *
forge_shape_to_string (const ForgeShape *shape)
{
  GString *text = g_string_new ("[");
  for (int i = 0; i < shape->rank; i++) {
    g_string_append (text, i ? ", " : "");
    if (shape->dims[i] < 0)
      g_string_append_c (text, '?');
    else
      g_string_append_printf (text, "%" G_GINT64_FORMAT, shape->dims[i]);
  }
  g_string_append_c (text, ']');
  return g_string_free (text, FALSE);
}

static gboolean
broadcast_dim (int64_t a, int64_t b, int64_t *out)
{
  if (a == b || b == 1)
    *out = a;
  else if (a == 1)
    *out = b;
  else if (a == -1 || b == -1)
    *out = MAX (a, b);
  else
    return FALSE;
  return TRUE;
}

gboolean
forge_shape_broadcast (
    const ForgeShape *a, const ForgeShape *b, ForgeShape *out)
{
  ForgeShape result = { .rank = MAX (a->rank, b->rank) };
  for (int i = 0; i < result.rank; i++) {
    int ia = i - (result.rank - a->rank);
    int ib = i - (result.rank - b->rank);
    int64_t da = ia < 0 ? 1 : a->dims[ia];
    int64_t db = ib < 0 ? 1 : b->dims[ib];
    if (!broadcast_dim (da, db, &result.dims[i]))
      return FALSE;
  }
  *out = result;
  return TRUE;
}

void
forge_shape_strides (
    const ForgeShape *shape, int64_t strides_elems[FORGE_MAX_DIMS])
{
  int64_t stride_elems = 1;
  for (int i = shape->rank - 1; i >= 0; i--) {
    strides_elems[i] = stride_elems;
    stride_elems *= shape->dims[i];
  }
}
