/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sliding windows. Source: ONNX operator specification, Conv-11, MaxPool-12,
 * AveragePool-19; a pool's last window with ceil_mode must start inside the
 * input or the left padding, as PyTorch and ONNX 1.16 have it. */
#include "ops/window.h"

#include <string.h>

#include "ops/op-util.h"

/* Beyond any real network, small enough that no sum below can overflow. */
#define MAX_KERNEL 4096
#define MAX_STEP 65536
#define MAX_EXTENT (1 << 24)

/* A list attribute of @n_axes values within [low, high] into the last values
 * of a pair (h, w). */
static gboolean
read_list (const ForgeNode *node, const char *name, int n_values, int64_t low,
    int64_t high, int64_t *values, GError **error)
{
  const int64_t *list;
  gsize n_list = forge_attrs_ints (node->attrs, name, &list);
  if (!list)
    return TRUE;
  if (n_list != (gsize) n_values)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "attribute %s has %zu values, expected %d", name, n_list, n_values);
  for (int i = 0; i < n_values; i++) {
    if (list[i] < low || list[i] > high)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "attribute %s has a value of %" G_GINT64_FORMAT
          ", expected %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
          name, list[i], low, high);
    values[i] = list[i];
  }
  return TRUE;
}

static gboolean
read_extents (const ForgeNode *node, ForgeWindow *window, GError **error)
{
  const ForgeShape *shape = &forge_node_in (node, 0)->shape;
  const int64_t *d = shape->dims;
  if (shape->rank == 3 && !node->nhwc)
    *window = (ForgeWindow) { d[0], d[1], 1, d[2] };
  else if (shape->rank == 4 && node->nhwc)
    *window = (ForgeWindow) { d[0], d[3], d[1], d[2] };
  else if (shape->rank == 4)
    *window = (ForgeWindow) { d[0], d[1], d[2], d[3] };
  else {
    g_autofree char *text = forge_shape_to_string (shape);
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input shape %s; only [N, C, H, W] and [N, C, W] are supported", text);
  }
  if (window->ih > MAX_EXTENT || window->iw > MAX_EXTENT)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "input of more than %d pixels along an axis", MAX_EXTENT);
  return TRUE;
}

/* Output extent of one axis and, for auto_pad, its padding. */
static gboolean
solve_axis (const ForgeNode *node, ForgeWindowKind kind, int64_t in,
    int64_t kernel, int64_t stride, int64_t dilation, int64_t *begin,
    int64_t *end, int64_t *out, GError **error)
{
  const char *mode = forge_attrs_string (node->attrs, "auto_pad", "NOTSET");
  gboolean upper = strcmp (mode, "SAME_UPPER") == 0;
  gboolean lower = strcmp (mode, "SAME_LOWER") == 0;
  int64_t span = (kernel - 1) * dilation + 1;
  *out = -1;
  if (upper || lower || strcmp (mode, "VALID") == 0)
    *begin = *end = 0;
  else if (*mode && strcmp (mode, "NOTSET") != 0)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "auto_pad is '%s'; expected NOTSET, SAME_UPPER, SAME_LOWER or VALID",
        mode);
  if (in < 0)
    return TRUE;
  if (upper || lower) {
    *out = (in + stride - 1) / stride;
    int64_t total = MAX (0, (*out - 1) * stride + span - in);
    *begin = lower ? (total + 1) / 2 : total / 2;
    *end = total - *begin;
    return TRUE;
  }
  int64_t room = in + *begin + *end - span;
  if (in < 1 || room < 0)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "a window of %" G_GINT64_FORMAT
        " pixels does not fit into an input of %" G_GINT64_FORMAT
        " with padding %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT,
        span, in, *begin, *end);
  *out = room / stride + 1;
  if (kind == FORGE_WINDOW_POOL && room % stride != 0 &&
      forge_attrs_int (node->attrs, "ceil_mode", 0) &&
      *out * stride < in + *begin)
    ++*out;
  return TRUE;
}

/* A pool over padding alone has no value. */
static gboolean
check_windows (const ForgeNode *node, int64_t in, int64_t kernel,
    int64_t stride, int64_t dilation, int64_t begin, int64_t out,
    GError **error)
{
  for (int64_t o = 0; o < out; o++) {
    gboolean seen = FALSE;
    for (int64_t k = 0; k < kernel && !seen; k++) {
      int64_t i = o * stride - begin + k * dilation;
      seen = i >= 0 && i < in;
    }
    if (!seen)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "pads of %" G_GINT64_FORMAT ": window %" G_GINT64_FORMAT
          " lies in the padding alone",
          begin, o);
  }
  return TRUE;
}

static gboolean
read_attrs (const ForgeNode *node, int64_t kh, int64_t kw, ForgeWindow *window,
    GError **error)
{
  int n_axes = forge_node_in (node, 0)->shape.rank - 2;
  int64_t kernel[2] = { 1, 1 }, strides[2] = { 1, 1 }, dilations[2] = { 1, 1 };
  int64_t pads[4] = { 0 };
  int first = 2 - n_axes;
  if (kh == 0 && !forge_attrs_get (node->attrs, "kernel_shape"))
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "attribute kernel_shape is missing");
  if (!read_list (
          node, "kernel_shape", n_axes, 1, MAX_KERNEL, kernel + first, error) ||
      !read_list (
          node, "strides", n_axes, 1, MAX_STEP, strides + first, error) ||
      !read_list (
          node, "dilations", n_axes, 1, MAX_STEP, dilations + first, error) ||
      !read_list (node, "pads", 2 * n_axes, 0, MAX_STEP, pads, error))
    return FALSE;
  if (kh && ((forge_attrs_get (node->attrs, "kernel_shape") &&
                 (kernel[0] != kh || kernel[1] != kw)) ||
                kh < 1 || kw < 1 || kh > MAX_KERNEL || kw > MAX_KERNEL))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "the weights are %" G_GINT64_FORMAT " by %" G_GINT64_FORMAT
        ", which kernel_shape contradicts or which is beyond %d",
        kh, kw, MAX_KERNEL);
  window->kh = kh ? kh : kernel[0];
  window->kw = kh ? kw : kernel[1];
  window->sh = strides[0];
  window->sw = strides[1];
  window->dh = dilations[0];
  window->dw = dilations[1];
  window->pad_left = pads[n_axes - 1];
  window->pad_right = pads[2 * n_axes - 1];
  window->pad_top = n_axes == 2 ? pads[0] : 0;
  window->pad_bottom = n_axes == 2 ? pads[2] : 0;
  return TRUE;
}

gboolean
forge_window_parse (const ForgeNode *node, ForgeWindowKind kind, int64_t kh,
    int64_t kw, ForgeWindow *window, GError **error)
{
  ForgeWindow *w = window;
  if (!read_extents (node, w, error) || !read_attrs (node, kh, kw, w, error) ||
      !solve_axis (node, kind, w->iw, w->kw, w->sw, w->dw, &w->pad_left,
          &w->pad_right, &w->ow, error))
    return FALSE;
  if (forge_node_in (node, 0)->shape.rank == 3)
    w->oh = 1;
  else if (!solve_axis (node, kind, w->ih, w->kh, w->sh, w->dh, &w->pad_top,
               &w->pad_bottom, &w->oh, error))
    return FALSE;
  if (kind == FORGE_WINDOW_CONV)
    return TRUE;
  return check_windows (
             node, w->ih, w->kh, w->sh, w->dh, w->pad_top, w->oh, error) &&
         check_windows (
             node, w->iw, w->kw, w->sw, w->dw, w->pad_left, w->ow, error);
}

ForgeShape
forge_window_out_shape (
    const ForgeNode *node, const ForgeWindow *window, int64_t channels)
{
  const ForgeWindow *w = window;
  if (forge_node_in (node, 0)->shape.rank == 3)
    return (ForgeShape) { 3, { w->n, channels, w->ow } };
  if (node->nhwc)
    return (ForgeShape) { 4, { w->n, w->oh, w->ow, channels } };
  return (ForgeShape) { 4, { w->n, channels, w->oh, w->ow } };
}

int64_t
forge_window_pixel (
    const ForgeWindow *window, int64_t oy, int64_t ox, int64_t tap)
{
  const ForgeWindow *w = window;
  int64_t y = oy * w->sh - w->pad_top + tap / w->kw * w->dh;
  int64_t x = ox * w->sw - w->pad_left + tap % w->kw * w->dw;
  gboolean inside = y >= 0 && y < w->ih && x >= 0 && x < w->iw;
  return inside ? y * w->iw + x : -1;
}
