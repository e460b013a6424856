/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Separable resize. The vertical pass comes first and runs over the bytes of
 * whole rows, whatever components they interleave; it leaves byte * 128 in
 * int16. The components are then brought apart, and the horizontal pass runs
 * over each. Where two taps each way make an output most of the row would be
 * summed for nothing: one kernel does both passes over the pixels that count.
 *
 * Siting: a sample has its centre at the centre of what it covers, except
 * that subsampled chroma lies on the left one of its two luma columns (MPEG-2,
 * H.264 and what GStreamer assumes) unless the frame says otherwise.
 * Vertically 4:2:0 chroma lies between its two rows in both conventions.
 * "Nearest" takes the chroma sample that covers the chosen pixel, so that it
 * gives what picking pixels of the converted frame would give. */
#include "image/resample.h"

#include <string.h>

#include "base/alloc.h"

/* The axis of a component subsampled by 1 << @shift, over the pixels
 * [start, start + length) of the frame. */
static ForgeAxis
component_axis (int start, int length, int shift, int n_out, gboolean is_left)
{
  int first = start >> shift;
  int last = (start + length - 1) >> shift;
  return (ForgeAxis) {
    .n_in = last - first + 1,
    .n_out = n_out,
    .origin_q = ((start * 4) >> shift) - first * 4 + (shift && is_left),
    .extent_q = (length * 4) >> shift,
  };
}

static gboolean
init_taps (ForgeResampler *resampler, const ForgeComponent *component,
    const ForgeRect *source, int width, int height, ForgeResizeFilter filter,
    gboolean is_left)
{
  ForgeTaps *columns = &resampler->columns[component->x_shift];
  ForgeTaps *rows = &resampler->rows[component->y_shift];
  if (!columns->start) {
    ForgeAxis axis = component_axis (
        source->x, source->width, component->x_shift, width, is_left);
    if (!forge_taps_init (columns, filter, &axis))
      return FALSE;
    resampler->n_samples[component->x_shift] = (size_t) axis.n_in;
  }
  if (!rows->start) {
    ForgeAxis axis = component_axis (
        source->y, source->height, component->y_shift, height, FALSE);
    if (!forge_taps_init (rows, filter, &axis))
      return FALSE;
  }
  return TRUE;
}

static size_t
sample_byte (const ForgeComponent *component, int x)
{
  return (size_t) (x >> component->x_shift) * component->step_bytes +
         component->offset_bytes;
}

/* The bytes of a row that hold the crop's samples of all wanted components of
 * one plane. */
static void
init_plane (ForgeResampler *resampler, int index, const ForgeRect *source)
{
  ForgeResamplerPlane *plane = &resampler->planes[index];
  size_t first = SIZE_MAX, end = 0;
  plane->is_sparse = TRUE;
  for (int c = 0; c < resampler->n_components; c++) {
    const ForgeComponent *component = &resampler->layout->components[c];
    if (component->plane != index)
      continue;
    int last_x = source->x + source->width - 1;
    first = MIN (first, sample_byte (component, source->x));
    end = MAX (end, sample_byte (component, last_x) + 1);
    plane->y_shift = component->y_shift;
    plane->first_row = source->y >> component->y_shift;
    if (resampler->columns[component->x_shift].n_taps > 1 ||
        resampler->rows[component->y_shift].n_taps > 1)
      plane->is_sparse = FALSE;
  }
  if (end == 0)
    return;
  plane->first_byte = first;
  plane->n_bytes = end - first;
}

/* The group of component @c, which may have to be made. */
static ForgeResamplerGroup *
find_group (ForgeResampler *resampler, int c)
{
  const ForgeComponent *component = &resampler->layout->components[c];
  for (int g = 0; g < resampler->n_groups; g++)
    if (resampler->groups[g].plane == component->plane &&
        resampler->groups[g].x_shift == component->x_shift)
      return &resampler->groups[g];
  ForgeResamplerGroup *group = &resampler->groups[resampler->n_groups++];
  *group = (ForgeResamplerGroup) { .plane = component->plane,
    .x_shift = component->x_shift,
    .first_byte = SIZE_MAX,
    .step_bytes = component->step_bytes,
    .lanes = { -1, -1, -1, -1 } };
  return group;
}

static void
init_groups (ForgeResampler *resampler, const ForgeRect *source)
{
  const ForgeComponent *components = resampler->layout->components;
  for (int c = 0; c < resampler->n_components; c++) {
    ForgeResamplerGroup *group = find_group (resampler, c);
    size_t from = sample_byte (&components[c], source->x) -
                  resampler->planes[group->plane].first_byte;
    group->first_byte = MIN (group->first_byte, from);
  }
  for (int c = 0; c < resampler->n_components; c++) {
    ForgeResamplerGroup *group = find_group (resampler, c);
    size_t from = sample_byte (&components[c], source->x) -
                  resampler->planes[group->plane].first_byte;
    group->lanes[from - group->first_byte] = c;
  }
}

/* Whether two taps each way make the group's outputs. */
static void
init_pairs (ForgeResampler *resampler, ForgeResamplerGroup *group)
{
  const ForgeResamplerPlane *plane = &resampler->planes[group->plane];
  const ForgeTaps *columns = &resampler->columns[group->x_shift];
  if (columns->n_taps != 2 || resampler->rows[plane->y_shift].n_taps > 2)
    return;
  size_t n_pixels = (plane->n_bytes - group->first_byte) / group->step_bytes;
  group->is_pairs = TRUE;
  group->n_inside = columns->n_out;
  while (group->n_inside > 0 &&
         (size_t) columns->start[group->n_inside - 1] + 2 > n_pixels)
    group->n_inside--;
  size_t n_out = (size_t) columns->n_out;
  group->windows = forge_aligned_alloc (
      forge_window_groups (n_out) * sizeof *group->windows);
  if (group->windows &&
      !forge_plan_windows (n_out, group->step_bytes, columns->start,
          plane->n_bytes - group->first_byte, group->windows))
    g_clear_pointer (&group->windows, forge_aligned_free);
}

/* The horizontal kernel likes its taps by the eight. */
static gboolean
pad_columns (ForgeResampler *resampler)
{
  for (int g = 0; g < resampler->n_groups; g++) {
    const ForgeResamplerGroup *group = &resampler->groups[g];
    int n_in = (int) resampler->n_samples[group->x_shift];
    if (!resampler->planes[group->plane].is_sparse && !group->is_pairs &&
        !forge_taps_pad (&resampler->columns[group->x_shift], n_in, 8))
      return FALSE;
  }
  return TRUE;
}

/* Rows of sums are a pixel longer than the samples: the last one may lack
 * bytes that belong to no wanted component. */
static gboolean
alloc_scratch (ForgeResampler *resampler)
{
  size_t max_bytes = 0;
  for (int p = 0; p < resampler->layout->n_planes; p++)
    max_bytes = MAX (max_bytes, resampler->planes[p].n_bytes + 4);
  size_t max_taps =
      (size_t) MAX (resampler->rows[0].n_taps, resampler->rows[1].n_taps);
  resampler->split_elems =
      MAX (resampler->n_samples[0], resampler->n_samples[1]);
  resampler->sums = forge_aligned_alloc0 (max_bytes * sizeof (int16_t));
  resampler->split =
      forge_aligned_alloc (4 * resampler->split_elems * sizeof (int16_t));
  resampler->taps = forge_aligned_alloc (max_taps * sizeof (uint8_t *));
  return resampler->sums && resampler->split && resampler->taps;
}

gboolean
forge_resampler_init (ForgeResampler *resampler, const ForgePixelLayout *layout,
    int n_components, const ForgeRect *source, int width, int height,
    ForgeResizeFilter filter, gboolean chroma_centred)
{
  *resampler =
      (ForgeResampler) { .layout = layout, .n_components = n_components };
  gboolean is_left = !chroma_centred && filter != FORGE_FILTER_NEAREST;
  for (int c = 0; c < n_components; c++)
    if (!init_taps (resampler, &layout->components[c], source, width, height,
            filter, is_left)) {
      forge_resampler_clear (resampler);
      return FALSE;
    }

  for (int p = 0; p < layout->n_planes; p++)
    init_plane (resampler, p, source);
  init_groups (resampler, source);
  for (int g = 0; g < resampler->n_groups; g++)
    init_pairs (resampler, &resampler->groups[g]);
  if (!pad_columns (resampler) || !alloc_scratch (resampler)) {
    forge_resampler_clear (resampler);
    return FALSE;
  }
  return TRUE;
}

void
forge_resampler_clear (ForgeResampler *resampler)
{
  for (int i = 0; i < 2; i++) {
    forge_taps_clear (&resampler->columns[i]);
    forge_taps_clear (&resampler->rows[i]);
  }
  for (int g = 0; g < resampler->n_groups; g++)
    forge_aligned_free (resampler->groups[g].windows);
  forge_aligned_free (resampler->sums);
  forge_aligned_free (resampler->split);
  forge_aligned_free (resampler->taps);
  *resampler = (ForgeResampler) { 0 };
}

/* One tap of weight one each way: the byte itself, which is also what the two
 * kernels would give. */
static void
pick (const ForgeTaps *columns, const uint8_t *row, size_t step_bytes,
    uint8_t *out, size_t out_step)
{
  const int32_t *start = columns->start; /* bytes may alias what holds it */
  int n_out = columns->n_out;
  for (int x = 0; x < n_out; x++)
    out[(size_t) x * out_step] = row[(size_t) start[x] * step_bytes];
}

static const uint8_t *
plane_row (const ForgeResamplerPlane *plane, const ForgeFrame *frame, int index,
    int row)
{
  return frame->data[index] +
         (ptrdiff_t) (plane->first_row + row) * frame->stride_bytes[index] +
         plane->first_byte;
}

/* The input rows that carry weight for output row @y of a plane. */
typedef struct {
  int first, n;
  const int16_t *weights;
} Window;

static Window
row_window (const ForgeTaps *rows, int y)
{
  Window window = { rows->start[y], rows->n_taps,
    rows->weights + (size_t) y * (size_t) rows->n_taps };
  for (; window.n > 1 && window.weights[window.n - 1] == 0; window.n--)
    continue;
  for (; window.n > 1 && window.weights[0] == 0; window.n--) {
    window.first++;
    window.weights++;
  }
  return window;
}

/* The outputs whose last pixel is not all there: from copies of their pixels
 * in which what lacks, and counts for nothing, is 0. */
static void
resize_rest (const ForgeKernels *kernels, const ForgeResamplerGroup *group,
    const ForgeTaps *columns, const uint8_t *const *rows, size_t n_bytes,
    const int16_t *row_weights, uint8_t *const *lanes, size_t out_step)
{
  const int32_t start = 0;
  for (int x = group->n_inside; x < columns->n_out; x++) {
    uint8_t pixels[2][8] = { { 0 } };
    const uint8_t *const copies[2] = { pixels[0], pixels[1] };
    size_t at = (size_t) columns->start[x] * group->step_bytes;
    size_t n = MIN (2 * group->step_bytes, n_bytes - at);
    memcpy (pixels[0], rows[0] + at, n);
    memcpy (pixels[1], rows[1] + at, n);
    uint8_t *to[4];
    for (int i = 0; i < 4; i++)
      to[i] = lanes[i] ? lanes[i] + (size_t) x * out_step : NULL;
    kernels->resize_pairs_u8 (1, group->step_bytes, &start,
        columns->weights + 2 * x, copies, row_weights, to, out_step);
  }
}

/* Both passes over a group with two taps each way. */
static void
resize_pairs (ForgeResampler *resampler, const ForgeKernels *kernels,
    const ForgeFrame *frame, const ForgeResamplerGroup *group, int y,
    uint8_t *const *out, size_t out_step)
{
  const ForgeResamplerPlane *plane = &resampler->planes[group->plane];
  const ForgeTaps *columns = &resampler->columns[group->x_shift];
  Window window = row_window (&resampler->rows[plane->y_shift], y);
  const uint8_t *rows[2];
  int16_t weights[2] = { window.weights[0],
    window.n > 1 ? window.weights[1] : 0 };
  for (int t = 0; t < 2; t++)
    rows[t] = plane_row (plane, frame, group->plane,
                  window.first + MIN (t, window.n - 1)) +
              group->first_byte;
  uint8_t *lanes[4] = { NULL };
  for (int i = 0; i < 4; i++)
    if (group->lanes[i] >= 0)
      lanes[i] = out[group->lanes[i]];
  if (group->windows) {
    kernels->resize_windows_u8 (forge_window_groups ((size_t) columns->n_out),
        group->step_bytes, group->windows, columns->weights, rows, weights,
        lanes, out_step);
    return;
  }
  kernels->resize_pairs_u8 ((size_t) group->n_inside, group->step_bytes,
      columns->start, columns->weights, rows, weights, lanes, out_step);
  resize_rest (kernels, group, columns, rows,
      plane->n_bytes - group->first_byte, weights, lanes, out_step);
}

/* The vertical pass of one plane, into resampler->sums. */
static void
sum_rows (ForgeResampler *resampler, const ForgeKernels *kernels,
    const ForgeFrame *frame, int index, int y)
{
  const ForgeResamplerPlane *plane = &resampler->planes[index];
  Window window = row_window (&resampler->rows[plane->y_shift], y);
  for (int t = 0; t < window.n; t++)
    resampler->taps[t] = plane_row (plane, frame, index, window.first + t);
  kernels->resize_v_u8 (plane->n_bytes, (size_t) window.n, resampler->taps,
      window.weights, resampler->sums);
}

/* The horizontal pass of one group, from resampler->sums. */
static void
resize_group (ForgeResampler *resampler, const ForgeKernels *kernels,
    const ForgeResamplerGroup *group, uint8_t *const *out, size_t out_step)
{
  const ForgeTaps *columns = &resampler->columns[group->x_shift];
  int16_t *sums = resampler->sums + group->first_byte;
  int16_t *lanes[4] = { NULL };
  for (size_t i = 0; i < 4; i++)
    if (group->lanes[i] >= 0)
      lanes[i] = resampler->split + i * resampler->split_elems;
  if (group->step_bytes > 1)
    kernels->split_s16 (
        resampler->n_samples[group->x_shift], group->step_bytes, sums, lanes);
  else
    lanes[0] = sums;
  for (size_t i = 0; i < 4; i++)
    if (lanes[i])
      kernels->resize_h_s16 ((size_t) columns->n_out, (size_t) columns->n_taps,
          columns->start, columns->weights, lanes[i], out[group->lanes[i]],
          out_step);
}

/* One tap each way. */
static void
pick_group (const ForgeResampler *resampler, const ForgeFrame *frame,
    const ForgeResamplerGroup *group, int y, uint8_t *const *out,
    size_t out_step)
{
  const ForgeResamplerPlane *plane = &resampler->planes[group->plane];
  const uint8_t *row = plane_row (
      plane, frame, group->plane, resampler->rows[plane->y_shift].start[y]);
  for (size_t i = 0; i < 4; i++)
    if (group->lanes[i] >= 0)
      pick (&resampler->columns[group->x_shift], row + group->first_byte + i,
          group->step_bytes, out[group->lanes[i]], out_step);
}

void
forge_resampler_row (ForgeResampler *resampler, const ForgeKernels *kernels,
    const ForgeFrame *frame, int y, uint8_t *const *out, size_t out_step)
{
  int summed_plane = -1;
  for (int g = 0; g < resampler->n_groups; g++) {
    const ForgeResamplerGroup *group = &resampler->groups[g];
    const ForgeResamplerPlane *plane = &resampler->planes[group->plane];
    if (plane->is_sparse) {
      pick_group (resampler, frame, group, y, out, out_step);
      continue;
    }
    if (group->is_pairs) {
      resize_pairs (resampler, kernels, frame, group, y, out, out_step);
      continue;
    }
    if (summed_plane != group->plane)
      sum_rows (resampler, kernels, frame, group->plane, y);
    summed_plane = group->plane;
    resize_group (resampler, kernels, group, out, out_step);
  }
}
