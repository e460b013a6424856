/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tap tables, in exact integer arithmetic: the centre of output sample x lies
 * at c = origin + (x + 1/2) * extent / n_out, and with everything multiplied
 * by 8 * n_out no fraction is left. Sample i has its centre at i + 1/2.
 *
 *   bilinear   the two samples around c, weighted by distance, edges repeated
 *              (TensorFlow: half_pixel_centers)
 *   antialias  triangle of half-width s = max (1, extent / n_out) around c,
 *              normalised over the samples that exist (Pillow: BILINEAR)
 *   nearest    the sample that contains c: floor ((x + 0.5) * ratio)
 *
 * Weights are rounded as differences of rounded running sums: they sum to one
 * exactly and no error can build up over a long window. */
#include "image/filter.h"

#include <string.h>

#include "base/alloc.h"

static const char *const filter_names[] = {
  [FORGE_FILTER_BILINEAR] = "bilinear",
  [FORGE_FILTER_ANTIALIAS] = "antialias",
  [FORGE_FILTER_NEAREST] = "nearest",
};

const char *
forge_resize_filter_name (ForgeResizeFilter filter)
{
  return (guint) filter < G_N_ELEMENTS (filter_names) ? filter_names[filter]
                                                      : NULL;
}

gboolean
forge_resize_filter_parse (const char *name, ForgeResizeFilter *filter)
{
  g_return_val_if_fail (name && filter, FALSE);
  for (guint i = 0; i < G_N_ELEMENTS (filter_names); i++)
    if (strcmp (name, filter_names[i]) == 0) {
      *filter = i;
      return TRUE;
    }
  return FALSE;
}

static int64_t
floor_div (int64_t a, int64_t b)
{
  int64_t q = a / b;
  return a % b < 0 ? q - 1 : q;
}

/* The samples [first, last] within @half_width of @centre, cut to those that
 * exist. All in units of 1 / unit sample. */
static void
window (const ForgeAxis *axis, int64_t unit, int64_t centre, int64_t half_width,
    int *first, int *last)
{
  /* Strictly inside: |i * unit + unit / 2 - centre| < half_width. */
  int64_t lo = floor_div (centre - half_width - unit / 2, unit) + 1;
  int64_t hi = -floor_div (-(centre + half_width - unit / 2), unit) - 1;
  *first = (int) CLAMP (lo, 0, axis->n_in - 1);
  *last = (int) CLAMP (hi, *first, axis->n_in - 1);
}

static int64_t
axis_unit (const ForgeAxis *axis)
{
  return 8 * (int64_t) axis->n_out;
}

static int64_t
axis_centre (const ForgeAxis *axis, int x)
{
  return 2 * (int64_t) axis->n_out * axis->origin_q +
         (2 * (int64_t) x + 1) * axis->extent_q;
}

/* Half the width of the triangle; 0 stands for nearest. */
static int64_t
axis_half_width (const ForgeAxis *axis, ForgeResizeFilter filter)
{
  int64_t unit = axis_unit (axis);
  if (filter == FORGE_FILTER_NEAREST)
    return 0;
  return filter == FORGE_FILTER_ANTIALIAS
             ? MAX (unit, 2 * (int64_t) axis->extent_q)
             : unit;
}

static void
find_window (
    const ForgeAxis *axis, int64_t half_width, int x, int *first, int *last)
{
  int64_t unit = axis_unit (axis), centre = axis_centre (axis, x);
  if (half_width == 0) {
    *first = (int) CLAMP (floor_div (centre, unit), 0, axis->n_in - 1);
    *last = *first;
  } else {
    window (axis, unit, centre, half_width, first, last);
  }
}

/* Both clamped neighbours of a bilinear centre beyond the last sample are
 * that sample, which is what normalising over existing samples gives too: one
 * rule for both filters. */
static void
fill_weights (const ForgeAxis *axis, int64_t half_width, int x, int first,
    int last, int16_t *weights)
{
  int64_t unit = axis_unit (axis), centre = axis_centre (axis, x);
  int64_t total = 0, sum = 0;
  if (first == last) {
    weights[0] = FORGE_WEIGHT_ONE;
    return;
  }
  for (int i = first; i <= last; i++)
    total += half_width - ABS (i * unit + unit / 2 - centre);
  int done = 0;
  for (int i = first; i <= last; i++) {
    sum += half_width - ABS (i * unit + unit / 2 - centre);
    int upto = (int) ((sum * 2 * FORGE_WEIGHT_ONE + total) / (2 * total));
    weights[i - first] = (int16_t) (upto - done);
    done = upto;
  }
}

gboolean
forge_taps_init (
    ForgeTaps *taps, ForgeResizeFilter filter, const ForgeAxis *axis)
{
  int64_t half_width = axis_half_width (axis, filter);
  int first, last, n_taps = 1;
  for (int x = 0; x < axis->n_out; x++) {
    find_window (axis, half_width, x, &first, &last);
    n_taps = MAX (n_taps, last - first + 1);
  }

  *taps = (ForgeTaps) { .n_out = axis->n_out, .n_taps = n_taps };
  taps->start = forge_aligned_alloc ((size_t) axis->n_out * sizeof (int32_t));
  taps->weights = forge_aligned_alloc0 (
      (size_t) axis->n_out * (size_t) n_taps * sizeof (int16_t));
  if (!taps->start || !taps->weights) {
    forge_taps_clear (taps);
    return FALSE;
  }
  for (int x = 0; x < axis->n_out; x++) {
    find_window (axis, half_width, x, &first, &last);
    int start = MIN (first, axis->n_in - n_taps);
    taps->start[x] = start;
    fill_weights (axis, half_width, x, first, last,
        taps->weights + (size_t) x * (size_t) n_taps + (first - start));
  }
  return TRUE;
}

gboolean
forge_taps_pad (ForgeTaps *taps, int n_in, int multiple)
{
  int n_taps = (taps->n_taps + multiple - 1) / multiple * multiple;
  if (n_taps == taps->n_taps || n_taps > n_in)
    return TRUE;
  int16_t *weights = forge_aligned_alloc0 (
      (size_t) taps->n_out * (size_t) n_taps * sizeof (int16_t));
  if (!weights) {
    forge_taps_clear (taps);
    return FALSE;
  }
  for (int x = 0; x < taps->n_out; x++) {
    int start = MIN (taps->start[x], n_in - n_taps);
    memcpy (weights + (size_t) x * (size_t) n_taps + (taps->start[x] - start),
        taps->weights + (size_t) x * (size_t) taps->n_taps,
        (size_t) taps->n_taps * sizeof (int16_t));
    taps->start[x] = start;
  }
  forge_aligned_free (taps->weights);
  taps->weights = weights;
  taps->n_taps = n_taps;
  return TRUE;
}

void
forge_taps_clear (ForgeTaps *taps)
{
  forge_aligned_free (taps->start);
  forge_aligned_free (taps->weights);
  *taps = (ForgeTaps) { 0 };
}
