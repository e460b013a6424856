/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Resize and Upsample: nearest, linear or cubic interpolation along any axes,
 * one axis after another, each output element being a weighted sum of a few
 * input elements (taps). Linear over two axes is thus bilinear.
 * float32 only. tf_crop_and_resize takes a part of the input (roi) and puts
 * a constant where the part reaches beyond it.
 * Source: ONNX operator specification, Resize-19; Resize-10 and Upsample know
 * neither coordinate modes (asymmetric) nor rounding (floor); R. Keys, Cubic
 * convolution interpolation, 1981. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/op-util.h"

#define MAX_TAPS 4096 /* of one output element; antialiasing makes many */

typedef enum { NEAREST, LINEAR, CUBIC } Mode;

typedef enum {
  HALF_PIXEL,
  PYTORCH_HALF_PIXEL,
  ALIGN_CORNERS,
  ASYMMETRIC,
  TF_HALF_PIXEL,
  HALF_PIXEL_SYMMETRIC,
  TF_CROP,
} Coordinates;

typedef enum { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL } Rounding;

typedef struct {
  Mode mode;
  Coordinates coordinates;
  Rounding rounding;
  gboolean antialias, exclude_outside;
  double cubic;                  /* the coefficient a */
  double scales[FORGE_MAX_DIMS]; /* 1 along untouched axes */
  gboolean touched[FORGE_MAX_DIMS];
  double from[FORGE_MAX_DIMS], to[FORGE_MAX_DIMS]; /* the part; TF_CROP */
  double extrapolation;
  ForgeShape out;
} Resize;

static gboolean
find_name (const ForgeNode *node, const char *attribute, const char *fallback,
    const char *const *names, int *index, GError **error)
{
  const char *name = forge_attrs_string (node->attrs, attribute, fallback);
  for (*index = 0; names[*index]; (*index)++)
    if (g_str_equal (name, names[*index]))
      return TRUE;
  return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
      "%s is '%s', which is not supported", attribute, name);
}

static gboolean
read_modes (const ForgeNode *node, Resize *resize, GError **error)
{
  static const char *const modes[] = { "nearest", "linear", "cubic", NULL };
  static const char *const coordinates[] = { "half_pixel", "pytorch_half_pixel",
    "align_corners", "asymmetric", "tf_half_pixel_for_nn",
    "half_pixel_symmetric", "tf_crop_and_resize", NULL };
  static const char *const roundings[] = { "round_prefer_floor",
    "round_prefer_ceil", "floor", "ceil", NULL };
  gboolean old = node->opset < 11 || strcmp (node->op->type, "Upsample") == 0;
  int mode, coordinate, rounding;
  if (!find_name (node, "mode", "nearest", modes, &mode, error) ||
      !find_name (node, "coordinate_transformation_mode",
          old ? "asymmetric" : "half_pixel", coordinates, &coordinate, error) ||
      !find_name (node, "nearest_mode", old ? "floor" : "round_prefer_floor",
          roundings, &rounding, error))
    return FALSE;
  resize->mode = (Mode) mode;
  resize->coordinates = (Coordinates) coordinate;
  resize->rounding = (Rounding) rounding;
  resize->cubic = forge_attrs_float (node->attrs, "cubic_coeff_a", -0.75f);
  resize->antialias = forge_attrs_int (node->attrs, "antialias", 0) != 0;
  resize->exclude_outside =
      forge_attrs_int (node->attrs, "exclude_outside", 0) != 0;
  resize->extrapolation =
      forge_attrs_float (node->attrs, "extrapolation_value", 0);
  return TRUE;
}

/* Scales by attribute (Upsample-7) or constant input; *n 0 when absent. */
static gboolean
read_scales (
    const ForgeNode *node, const float **scales, int *n, GError **error)
{
  gboolean old = node->opset < 11 || strcmp (node->op->type, "Upsample") == 0;
  const ForgeValue *in = forge_node_in (node, old ? 1 : 2);
  const ForgeAttr *attr = forge_attrs_get (node->attrs, "scales");
  *n = 0;
  if (attr && attr->type == FORGE_ATTR_FLOATS) {
    *scales = (const float *) (void *) attr->floats->data;
    *n = (int) MIN (attr->floats->len, FORGE_OP_MAX_INTS);
    return TRUE;
  }
  if (!in || forge_shape_count (&in->shape) == 0)
    return TRUE;
  if (in->dtype != FORGE_FLOAT32 || in->shape.rank != 1 || !in->constant ||
      in->shape.dims[0] > FORGE_MAX_DIMS)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "the scales must be a vector of float32");
  *scales = in->constant->data;
  *n = (int) in->shape.dims[0];
  return TRUE;
}

/* Extents asked for, perhaps cut down to keep the picture's proportions. */
static gboolean
apply_sizes (const ForgeNode *node, const int *axes, int n_axes,
    const int64_t *sizes, Resize *resize, GError **error)
{
  static const char *const policies[] = { "stretch", "not_larger",
    "not_smaller", NULL };
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  double scale = 0;
  int policy;
  if (!find_name (node, "keep_aspect_ratio_policy", "stretch", policies,
          &policy, error))
    return FALSE;
  for (int i = 0; i < n_axes; i++) {
    int64_t extent = in->dims[axes[i]];
    if (sizes[i] < 1 || sizes[i] > FORGE_OP_MAX_ELEMS)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "size %d is %" G_GINT64_FORMAT, i, sizes[i]);
    resize->out.dims[axes[i]] = sizes[i];
    if (extent < 1)
      continue;
    double here = (double) sizes[i] / (double) extent;
    resize->scales[axes[i]] = here;
    if (i == 0 || (policy == 1 ? here < scale : here > scale))
      scale = here;
  }
  for (int i = 0; policy > 0 && i < n_axes; i++) {
    int64_t extent = in->dims[axes[i]];
    if (extent < 1)
      continue;
    resize->scales[axes[i]] = scale;
    resize->out.dims[axes[i]] = (int64_t) round (scale * (double) extent);
  }
  return TRUE;
}

static gboolean
apply_scales (const ForgeNode *node, const int *axes, int n_axes,
    const float *scales, Resize *resize, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  for (int i = 0; i < n_axes; i++) {
    int64_t extent = in->dims[axes[i]];
    if (!(scales[i] > 0 && scales[i] < 1e6f))
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "scale %d is %g; expected a number above 0 and below 1e6", i,
          (double) scales[i]);
    resize->scales[axes[i]] = scales[i];
    double length = (double) extent * (double) scales[i];
    if (resize->coordinates == TF_CROP)
      length *= resize->to[axes[i]] - resize->from[axes[i]];
    if (extent < 0)
      resize->out.dims[axes[i]] = scales[i] == 1 ? extent : -1;
    else
      resize->out.dims[axes[i]] = (int64_t) floor (MAX (length, 0));
  }
  return TRUE;
}

/* The part of the input, [starts, ends] in shares of the extents. */
static gboolean
read_part (const ForgeNode *node, const int *axes, int n_axes, Resize *resize,
    GError **error)
{
  const ForgeValue *roi = forge_node_in (node, 1);
  if (resize->coordinates != TF_CROP)
    return TRUE;
  if (!roi || !roi->constant || roi->dtype != FORGE_FLOAT32 ||
      roi->shape.rank != 1 || roi->shape.dims[0] != 2 * n_axes)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "tf_crop_and_resize needs a constant vector of %d float32 as input 1",
        2 * n_axes);
  const float *values = roi->constant->data;
  for (int i = 0; i < n_axes; i++) {
    double from = values[i], to = values[n_axes + i];
    if (!(fabs (from) < 1e6 && fabs (to) < 1e6))
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input 1 asks for the part from %g to %g of axis %d", from, to,
          axes[i]);
    resize->from[axes[i]] = from;
    resize->to[axes[i]] = to;
  }
  return TRUE;
}

static gboolean
read_axes (const ForgeNode *node, int rank, int axes[FORGE_MAX_DIMS],
    int *n_axes, GError **error)
{
  const int64_t *list;
  gsize n_list = forge_attrs_ints (node->attrs, "axes", &list);
  *n_axes = list ? (int) MIN (n_list, FORGE_MAX_DIMS) : rank;
  for (int i = 0; i < *n_axes; i++)
    if (!forge_op_axis (node, list ? list[i] : i, rank, &axes[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
read_resize (const ForgeNode *node, Resize *resize, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  int64_t sizes[FORGE_OP_MAX_INTS];
  const float *scales = NULL;
  int axes[FORGE_MAX_DIMS], n_axes, n_scales, n_sizes;
  *resize = (Resize) { .out = *in };
  for (int i = 0; i < FORGE_MAX_DIMS; i++)
    resize->scales[i] = 1;
  if (!read_modes (node, resize, error) ||
      !read_axes (node, in->rank, axes, &n_axes, error) ||
      !read_part (node, axes, n_axes, resize, error) ||
      !read_scales (node, &scales, &n_scales, error) ||
      !forge_op_ints (node, NULL, 3, sizes, &n_sizes, error))
    return FALSE;
  if (n_scales > 0 ? n_scales != n_axes : n_sizes != n_axes)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "%d scales and %d sizes for %d axes", n_scales, n_sizes, n_axes);
  if (!(n_scales > 0 ? apply_scales (node, axes, n_axes, scales, resize, error)
                     : apply_sizes (node, axes, n_axes, sizes, resize, error)))
    return FALSE;
  for (int i = 0; i < n_axes; i++)
    resize->touched[axes[i]] = resize->coordinates == TF_CROP ||
                               resize->scales[axes[i]] != 1 ||
                               resize->out.dims[axes[i]] != in->dims[axes[i]];
  return TRUE;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  gboolean old = node->opset < 11 || strcmp (node->op->type, "Upsample") == 0;
  Resize resize;
  if (!forge_op_need_float (node, 0, error))
    return FALSE;
  /* a roi that is not a crop's is read by nobody */
  gboolean crops = strcmp (forge_attrs_string (node->attrs,
                               "coordinate_transformation_mode", ""),
                       "tf_crop_and_resize") == 0;
  if (forge_op_is_pending (node, old ? 1 : 2) ||
      (!old && forge_op_is_pending (node, 3)) ||
      (crops && forge_op_is_pending (node, 1)))
    return forge_op_set_pending (node, FORGE_FLOAT32, in->rank, error);
  for (int i = 0; i < in->rank; i++)
    if (in->dims[i] > FORGE_OP_MAX_ELEMS)
      return forge_node_error (
          node, error, FORGE_ERROR_SHAPE, "axis %d is too long", i);
  if (!read_resize (node, &resize, error))
    return FALSE;
  for (int i = 0; i < in->rank; i++)
    if (in->dims[i] == 0 || resize.out.dims[i] == 0)
      return forge_node_error (
          node, error, FORGE_ERROR_SHAPE, "axis %d has no elements", i);
  return forge_op_set_out (node, 0, FORGE_FLOAT32, &resize.out, error);
}

/* Place in the input of output element @at. */
static double
source_of (
    const Resize *resize, int axis, int64_t at, int64_t n_in, int64_t n_out)
{
  double scale = resize->scales[axis], x = (double) at;
  switch (resize->coordinates) {
  case HALF_PIXEL:
    return (x + 0.5) / scale - 0.5;
  case PYTORCH_HALF_PIXEL:
    return n_out > 1 ? (x + 0.5) / scale - 0.5 : 0;
  case ALIGN_CORNERS: {
    /* by the length before it was rounded, as ONNX's reference does */
    double length = scale * (double) n_in;
    return n_out > 1 ? x * (double) (n_in - 1) / (length - 1) : 0;
  }
  case ASYMMETRIC:
    return x / scale;
  case TF_HALF_PIXEL:
    return (x + 0.5) / scale;
  case HALF_PIXEL_SYMMETRIC: {
    double adjust = (double) n_out / (scale * (double) n_in);
    double centre = (double) n_in / 2;
    return centre * (1 - adjust) + (x + 0.5) / scale - 0.5;
  }
  case TF_CROP: {
    double from = resize->from[axis], to = resize->to[axis];
    double last = (double) (n_in - 1);
    return n_out > 1
               ? from * last + x * (to - from) * last / (double) (n_out - 1)
               : 0.5 * (from + to) * last;
  }
  }
  return 0;
}

static int64_t
nearest_of (Rounding rounding, double x)
{
  switch (rounding) {
  case PREFER_FLOOR:
    return (int64_t) ceil (x - 0.5);
  case PREFER_CEIL:
    return (int64_t) floor (x + 0.5);
  case FLOOR:
    return (int64_t) floor (x);
  case CEIL:
    return (int64_t) ceil (x);
  }
  return 0;
}

/* Weight of an input element at distance @d. */
static double
kernel_at (const Resize *resize, double d)
{
  double a = resize->cubic;
  d = fabs (d);
  if (resize->mode == LINEAR)
    return d < 1 ? 1 - d : 0;
  if (d <= 1)
    return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

typedef struct {
  int n;
  gboolean outside;     /* of a crop */
  int64_t at[MAX_TAPS]; /* held within the input */
  double weight[MAX_TAPS];
} Taps;

static void
find_taps (const Resize *resize, int axis, int64_t to, int64_t n_in,
    int64_t n_out, Taps *taps)
{
  double x = source_of (resize, axis, to, n_in, n_out), sum = 0;
  taps->n = 0;
  taps->outside = resize->coordinates == TF_CROP && (x < 0 || x > n_in - 1);
  if (taps->outside)
    return;
  if (resize->mode == NEAREST) {
    taps->at[0] = CLAMP (nearest_of (resize->rounding, x), 0, n_in - 1);
    taps->weight[0] = 1;
    taps->n = 1;
    return;
  }
  double shrink = resize->antialias ? MIN (resize->scales[axis], 1) : 1;
  double support = (resize->mode == LINEAR ? 1 : 2) / shrink;
  int64_t first = (int64_t) floor (x - support) + 1;
  int64_t last = MIN ((int64_t) ceil (x + support) - 1, first + MAX_TAPS - 1);
  for (int64_t i = first; i <= last; i++) {
    double weight = kernel_at (resize, (x - (double) i) * shrink);
    gboolean outside = i < 0 || i >= n_in;
    if (outside && resize->exclude_outside)
      weight = 0;
    taps->at[taps->n] = CLAMP (i, 0, n_in - 1);
    taps->weight[taps->n++] = weight;
    sum += weight;
  }
  for (int i = 0; i < taps->n && sum != 0; i++)
    taps->weight[i] /= sum;
}

/* One axis of @shape, whose extent becomes @n_out. */
static void
resize_axis (const Resize *resize, int axis, const float *src,
    ForgeShape *shape, Taps *taps, float *dst)
{
  ForgeLines lines = forge_op_lines (shape, axis);
  int64_t n_out = resize->out.dims[axis], inner = lines.inner;
  for (int64_t to = 0; to < n_out; to++) {
    find_taps (resize, axis, to, lines.n, n_out, taps);
    for (int64_t o = 0; o < lines.outer; o++) {
      float *y = dst + (o * n_out + to) * inner;
      const float *x = src + o * lines.n * inner;
      for (int64_t k = 0; k < inner; k++)
        y[k] = taps->outside ? (float) resize->extrapolation : 0;
      for (int t = 0; t < taps->n; t++) {
        const float *from = x + taps->at[t] * inner;
        float weight = (float) taps->weight[t];
        for (int64_t k = 0; k < inner; k++)
          y[k] += from[k] * weight;
      }
    }
  }
  shape->dims[axis] = n_out;
}

/* Elements of the largest intermediate result. */
static int64_t
largest_stage (const Resize *resize, const ForgeShape *in)
{
  int64_t most = 0;
  ForgeShape shape = *in;
  for (int axis = in->rank - 1; axis >= 0; axis--) {
    shape.dims[axis] = resize->out.dims[axis];
    most = MAX (most, forge_shape_count (&shape));
  }
  return most;
}

static gboolean
prepare (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  Resize resize;
  if (!read_resize (node, &resize, error))
    return FALSE;
  int64_t most = largest_stage (&resize, in);
  if (most > FORGE_OP_MAX_ELEMS || forge_shape_count (in) < 0)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "an intermediate result is beyond %d elements", FORGE_OP_MAX_ELEMS);
  prepared->workspace_bytes =
      forge_align_up (sizeof (Taps)) +
      2 * forge_align_up ((size_t) most * sizeof (float));
  return TRUE;
}

static void
run (const ForgeStep *step)
{
  Resize resize;
  ForgeShape shape = step->in[0]->shape;
  if (!read_resize (step->node, &resize, NULL))
    return;
  Taps *taps = step->workspace;
  char *stages = (char *) step->workspace + forge_align_up (sizeof *taps);
  size_t stage_bytes = forge_align_up (
      (size_t) largest_stage (&resize, &shape) * sizeof (float));
  const float *src = step->in[0]->data;
  int turn = 0;
  for (int axis = shape.rank - 1; axis >= 0; axis--) {
    if (!resize.touched[axis])
      continue;
    float *dst = (float *) (void *) (stages + (turn ? stage_bytes : 0));
    resize_axis (&resize, axis, src, &shape, taps, dst);
    src = dst;
    turn = !turn;
  }
  memcpy (step->out[0]->data, src, step->out[0]->size_bytes);
}

static int64_t
flops (const ForgeNode *node)
{
  return 4 * MAX (0, forge_shape_count (&forge_node_out (node, 0)->shape));
}

#define RESIZE_OP(name, n_inputs)                  \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "",                                  \
    .min_inputs = 1,                               \
    .max_inputs = n_inputs,                        \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer,                                \
    .prepare = prepare,                            \
    .run = run,                                    \
    .flops = flops }

RESIZE_OP (Resize, 4);
RESIZE_OP (Upsample, 2);
