/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parts of a tensor and their joining in TensorFlow Lite: SLICE,
 * STRIDED_SLICE, SPLIT, GATHER, PACK, UNPACK, MIRROR_PAD. Any type. */
#include "formats/tflite.h"

static ForgeValue *
input (
    TfliteBuilder *builder, const TfliteNode *node, guint index, GError **error)
{
  return tflite_value (builder, node, tflite_in (builder, node, index), error);
}

static gboolean
read_list (const TfliteBuilder *builder, const TfliteNode *node, guint index,
    int64_t values[FORGE_MAX_DIMS * 2], int wanted, GError **error)
{
  int n_values;
  if (!tflite_int_constant (builder, node, tflite_in (builder, node, index),
          values, &n_values, error))
    return FALSE;
  if (n_values == wanted)
    return TRUE;
  return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
      "input %u has %d values; expected %d", index, n_values, wanted);
}

/* Axis from [-rank, rank) to [0, rank). */
static gboolean
find_axis (const TfliteBuilder *builder, const TfliteNode *node, int64_t value,
    int rank, int *axis, GError **error)
{
  if (value < -rank || value >= rank)
    return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
        "axis %" G_GINT64_FORMAT " of %d dimensions", value, rank);
  *axis = (int) (value < 0 ? value + rank : value);
  return TRUE;
}

static ForgeValue *
emit_slice (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *value,
    const int64_t *starts, const int64_t *ends, const int64_t *axes,
    const int64_t *steps, int n, GError **error)
{
  ForgeValue *inputs[] = { value, tflite_ints (builder, starts, (guint) n),
    tflite_ints (builder, ends, (guint) n),
    tflite_ints (builder, axes, (guint) n),
    steps ? tflite_ints (builder, steps, (guint) n) : NULL };
  return tflite_emit (
      builder, node, "Slice", "", NULL, inputs, steps ? 5 : 4, error);
}

gboolean
tflite_build_slice (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t begin[FORGE_MAX_DIMS * 2], size[FORGE_MAX_DIMS * 2];
  int64_t axes[FORGE_MAX_DIMS], ends[FORGE_MAX_DIMS];
  ForgeValue *value = input (builder, node, 0, error);
  if (!value ||
      !read_list (builder, node, 1, begin, value->shape.rank, error) ||
      !read_list (builder, node, 2, size, value->shape.rank, error))
    return FALSE;
  for (int i = 0; i < value->shape.rank; i++) {
    gboolean all = size[i] < 0;
    if (begin[i] < 0 || begin[i] > INT32_MAX || size[i] > INT32_MAX)
      return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
          "axis %d begins at %" G_GINT64_FORMAT, i, begin[i]);
    axes[i] = i;
    ends[i] = all ? INT64_MAX : begin[i] + size[i];
    /* one picture in the constant, any number in the file's input */
    if (i == 0 && value->shape.dims[0] < 0 && begin[0] == 0 && size[0] == 1)
      ends[0] = INT64_MAX;
  }
  return tflite_set (builder, node, 0,
      emit_slice (builder, node, value, begin, ends, axes, NULL,
          value->shape.rank, error));
}

/* A STRIDED_SLICE as numbers: what is cut, then what is put in or goes. */
typedef struct {
  int64_t starts[FORGE_MAX_DIMS], ends[FORGE_MAX_DIMS], axes[FORGE_MAX_DIMS],
      steps[FORGE_MAX_DIMS], gone[FORGE_MAX_DIMS], fresh[FORGE_MAX_DIMS];
  int n, n_gone, n_fresh;
} Cut;

typedef struct {
  int64_t begin[FORGE_MAX_DIMS * 2], end[FORGE_MAX_DIMS * 2],
      step[FORGE_MAX_DIMS * 2];
  uint32_t begin_mask, end_mask, ellipsis, fresh, shrink;
} Spec;

static gboolean
has (uint32_t mask, int bit)
{
  return bit < 32 && (mask >> bit & 1);
}

static void
cut_axis (Cut *cut, const Spec *spec, int i, int axis)
{
  int64_t step = spec->step[i];
  int k = cut->n++;
  cut->axes[k] = axis;
  cut->steps[k] = step;
  cut->starts[k] = spec->begin[i];
  cut->ends[k] = spec->end[i];
  if (has (spec->begin_mask, i))
    cut->starts[k] = step > 0 ? 0 : INT64_MAX;
  if (has (spec->end_mask, i))
    cut->ends[k] = step > 0 ? INT64_MAX : INT64_MIN;
  if (!has (spec->shrink, i))
    return;
  cut->steps[k] = 1;
  cut->ends[k] = cut->starts[k] == -1 ? INT64_MAX : cut->starts[k] + 1;
}

/* FALSE when the entries do not fit @rank dimensions. */
static gboolean
read_cut (const Spec *spec, int n_entries, int rank, Cut *cut)
{
  int axis = 0, out_axis = 0, n_fresh = 0;
  for (int i = 0; i < n_entries; i++)
    n_fresh += has (spec->fresh, i) && !has (spec->ellipsis, i);
  for (int i = 0; i < n_entries; i++) {
    if (has (spec->ellipsis, i)) {
      int skipped = rank - (n_entries - 1 - n_fresh);
      if (skipped < 0)
        return FALSE;
      axis += skipped;
      out_axis += skipped;
      continue;
    }
    if (has (spec->fresh, i)) {
      if (cut->n_fresh >= FORGE_MAX_DIMS)
        return FALSE;
      cut->fresh[cut->n_fresh++] = out_axis++;
      continue;
    }
    if (axis >= rank || spec->step[i] == 0)
      return FALSE;
    cut_axis (cut, spec, i, axis);
    if (has (spec->shrink, i))
      cut->gone[cut->n_gone++] = axis;
    else
      out_axis++;
    axis++;
  }
  return TRUE;
}

static ForgeValue *
emit_cut (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *value,
    const Cut *cut, GError **error)
{
  if (cut->n > 0)
    value = emit_slice (builder, node, value, cut->starts, cut->ends, cut->axes,
        cut->steps, cut->n, error);
  if (value && cut->n_gone > 0) {
    ForgeValue *inputs[] = { value,
      tflite_ints (builder, cut->gone, (guint) cut->n_gone) };
    value = tflite_emit (builder, node, "Squeeze", "", NULL, inputs, 2, error);
  }
  if (value && cut->n_fresh > 0) {
    ForgeValue *inputs[] = { value,
      tflite_ints (builder, cut->fresh, (guint) cut->n_fresh) };
    value =
        tflite_emit (builder, node, "Unsqueeze", "", NULL, inputs, 2, error);
  }
  return value;
}

gboolean
tflite_build_strided_slice (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  Spec spec = { .begin_mask = (uint32_t) tflite_i32 (node->options, 0, 0),
    .end_mask = (uint32_t) tflite_i32 (node->options, 1, 0),
    .ellipsis = (uint32_t) tflite_i32 (node->options, 2, 0),
    .fresh = (uint32_t) tflite_i32 (node->options, 3, 0),
    .shrink = (uint32_t) tflite_i32 (node->options, 4, 0) };
  Cut cut = { 0 };
  int n_entries;
  ForgeValue *value = input (builder, node, 0, error);
  if (!value ||
      !tflite_int_constant (builder, node, tflite_in (builder, node, 1),
          spec.begin, &n_entries, error) ||
      !read_list (builder, node, 2, spec.end, n_entries, error) ||
      !read_list (builder, node, 3, spec.step, n_entries, error))
    return FALSE;
  if (!read_cut (&spec, n_entries, value->shape.rank, &cut))
    return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
        "%d entries do not cut a tensor of %d dimensions", n_entries,
        value->shape.rank);
  return tflite_set (
      builder, node, 0, emit_cut (builder, node, value, &cut, error));
}

/* SPLIT has (axis, value), SPLIT_V (value, sizes, axis). */
gboolean
tflite_build_split (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  gboolean sized = node->code == TFLITE_SPLIT_V;
  int64_t which[FORGE_MAX_DIMS * 2], sizes[FORGE_MAX_DIMS * 2];
  int axis = 0, n_parts = (int) MIN (node->outputs.count, FORGE_MAX_NODE_IO);
  ForgeValue *value = input (builder, node, sized ? 0 : 1, error);
  if (!value || !read_list (builder, node, sized ? 2 : 0, which, 1, error) ||
      !find_axis (builder, node, which[0], value->shape.rank, &axis, error) ||
      (sized && !read_list (builder, node, 1, sizes, n_parts, error)))
    return FALSE;
  int64_t extent = value->shape.dims[axis], at = 0, rest = extent;
  for (int i = 0; i < n_parts && sized; i++)
    rest -= sizes[i] > 0 && sizes[i] <= extent ? sizes[i] : 0;
  if (extent < 0 || n_parts < 1 || (!sized && extent % n_parts != 0))
    return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
        "%" G_GINT64_FORMAT " elements in %d parts", extent, n_parts);
  for (int i = 0; i < n_parts; i++) {
    int64_t size = sized ? (sizes[i] < 0 ? rest : sizes[i]) : extent / n_parts;
    if (size < 0 || size > extent - at)
      return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
          "part %d of %" G_GINT64_FORMAT " elements is too large", i, size);
    int64_t end = at + size, along = axis;
    if (!tflite_set (builder, node, (guint) i,
            emit_slice (
                builder, node, value, &at, &end, &along, NULL, 1, error)))
      return FALSE;
    at = end;
  }
  return TRUE;
}

static ForgeValue *
emit_gather (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *value,
    ForgeValue *indices, int axis, GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  ForgeValue *inputs[] = { value, indices };
  forge_attrs_set_int (attrs, "axis", axis);
  return tflite_emit (builder, node, "Gather", "", attrs, inputs, 2, error);
}

ForgeValue *
tflite_take (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *value,
    const int64_t *indices, guint n_indices, int axis, GError **error)
{
  return emit_gather (builder, node, value,
      tflite_ints (builder, indices, n_indices), axis, error);
}

gboolean
tflite_build_gather (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *value = input (builder, node, 0, error);
  ForgeValue *indices = value ? input (builder, node, 1, error) : NULL;
  int axis = 0;
  if (!indices || !find_axis (builder, node, tflite_i32 (node->options, 0, 0),
                      value->shape.rank, &axis, error))
    return FALSE;
  if (tflite_i32 (node->options, 1, 0) != 0)
    return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "%d dimensions of batch; expected 0", tflite_i32 (node->options, 1, 0));
  return tflite_set (builder, node, 0,
      emit_gather (builder, node, value, indices, axis, error));
}

gboolean
tflite_build_pack (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *parts[FORGE_MAX_NODE_IO];
  int64_t axis = tflite_i32 (node->options, 1, 0);
  if (node->inputs.count > FORGE_MAX_NODE_IO)
    return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "more than %d inputs", FORGE_MAX_NODE_IO);
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    ForgeValue *inputs[] = { input (builder, node, i, error),
      tflite_ints (builder, &axis, 1) };
    parts[i] = inputs[0] ? tflite_emit (builder, node, "Unsqueeze", "", NULL,
                               inputs, 2, error)
                         : NULL;
    if (!parts[i])
      return FALSE;
  }
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", axis);
  return tflite_set (builder, node, 0,
      tflite_emit (builder, node, "Concat", "", attrs, parts,
          node->inputs.count, error));
}

gboolean
tflite_build_unpack (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *value = input (builder, node, 0, error);
  int axis = 0;
  if (!value || !find_axis (builder, node, tflite_i32 (node->options, 1, 0),
                    value->shape.rank, &axis, error))
    return FALSE;
  if (value->shape.dims[axis] != node->outputs.count)
    return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
        "%u outputs of %" G_GINT64_FORMAT " elements", node->outputs.count,
        value->shape.dims[axis]);
  for (guint i = 0; i < node->outputs.count; i++) {
    ForgeShape scalar = forge_shape (0);
    g_autoptr (ForgeTensor) at = forge_tensor_new (FORGE_INT64, &scalar, error);
    if (!at)
      return FALSE;
    *(int64_t *) at->data = i;
    if (!tflite_set (builder, node, i,
            emit_gather (builder, node, value,
                tflite_add_constant (builder, at), axis, error)))
      return FALSE;
  }
  return TRUE;
}

/* Mirrored about the edge (SYMMETRIC) or the first element (REFLECT). */
gboolean
tflite_build_mirror_pad (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t pairs[FORGE_MAX_DIMS * 2];
  int64_t apart = tflite_u8 (node->options, 0, 0) == 0;
  ForgeValue *value = input (builder, node, 0, error);
  if (!value ||
      !read_list (builder, node, 1, pairs, 2 * value->shape.rank, error))
    return FALSE;
  for (int axis = 0; axis < value->shape.rank; axis++) {
    int64_t before = pairs[2 * axis], after = pairs[2 * axis + 1];
    int64_t extent = value->shape.dims[axis];
    if (before == 0 && after == 0)
      continue;
    if (extent < 1 || extent > INT16_MAX || before < 0 || after < 0 ||
        before > extent - apart || after > extent - apart)
      return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
          "%" G_GINT64_FORMAT
          " elements cannot be mirrored by %" G_GINT64_FORMAT
          " and %" G_GINT64_FORMAT,
          extent, before, after);
    int64_t n = before + extent + after;
    g_autofree int64_t *from = g_new (int64_t, (gsize) n);
    for (int64_t i = 0; i < n; i++) {
      int64_t at = i - before;
      if (at < 0)
        at = -at - 1 + apart;
      from[i] = at < extent ? at : 2 * extent - 1 - apart - at;
    }
    value = tflite_take (builder, node, value, from, (guint) n, axis, error);
    if (!value)
      return FALSE;
  }
  if (value != tflite_in (builder, node, 0)->value)
    return tflite_set (builder, node, 0, value);
  return tflite_set (builder, node, 0,
      tflite_emit (builder, node, "Identity", "", NULL, &value, 1, error));
}
