/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Separable resize. The vertical pass comes first and runs over the bytes of
 * whole rows, whatever components they interleave; it leaves byte * 128 in
 * int16. The horizontal pass then picks each component out of that row with
 * the component's own step. Where two taps of a long row make an output, the
 * rest of the row would be summed for nothing: the pixels that count are
 * picked out first, side by side, and both passes run over those.
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
  }
  if (!rows->start) {
    ForgeAxis axis = component_axis (
        source->y, source->height, component->y_shift, height, FALSE);
    if (!forge_taps_init (rows, filter, &axis))
      return FALSE;
  }
  return TRUE;
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
    size_t from =
        (size_t) (source->x >> component->x_shift) * component->step_bytes +
        component->offset_bytes;
    size_t to =
        (size_t) (last_x >> component->x_shift) * component->step_bytes +
        component->offset_bytes + 1;
    first = MIN (first, from);
    end = MAX (end, to);
    resampler->offset_bytes[c] = from;
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
  for (int c = 0; c < resampler->n_components; c++)
    if (resampler->layout->components[c].plane == index)
      resampler->offset_bytes[c] -= first;
}

/* Whether the plane's pixels are picked in pairs: where all its components
 * have the same two taps. Three samples a pixel take four, which vectors like
 * better. */
static void
init_pairs (ForgeResampler *resampler, int index)
{
  ForgeResamplerPlane *plane = &resampler->planes[index];
  const ForgeTaps *columns = NULL;
  for (int c = 0; c < resampler->n_components; c++) {
    const ForgeComponent *component = &resampler->layout->components[c];
    const ForgeTaps *own = &resampler->columns[component->x_shift];
    if (component->plane != index)
      continue;
    if (own->n_taps != 2 || (columns && columns != own) ||
        resampler->offset_bytes[c] >= component->step_bytes)
      return;
    columns = own;
    plane->step_bytes = component->step_bytes;
  }
  if (!columns || plane->step_bytes > 4)
    return;
  size_t pick_bytes = plane->step_bytes == 3 ? 4 : plane->step_bytes;
  size_t n_picked = 2 * (size_t) columns->n_out * pick_bytes;
  if (n_picked > 2 * plane->n_bytes)
    return;
  plane->pick_bytes = pick_bytes;
  plane->n_picked = n_picked;
  plane->n_inside = columns->n_out;
  while (plane->n_inside > 0 && ((size_t) columns->start[plane->n_inside - 1] +
                                    2) * plane->step_bytes >
                                    plane->n_bytes)
    plane->n_inside--;
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

  size_t max_bytes = 0, max_picked = 0;
  for (int p = 0; p < layout->n_planes; p++) {
    init_plane (resampler, p, source);
    init_pairs (resampler, p);
    max_picked = MAX (max_picked, resampler->planes[p].n_picked);
    max_bytes = MAX (max_bytes, resampler->planes[p].n_bytes);
  }
  size_t max_taps =
      (size_t) MAX (resampler->rows[0].n_taps, resampler->rows[1].n_taps);
  resampler->sums =
      forge_aligned_alloc (MAX (max_bytes, max_picked) * sizeof (int16_t));
  resampler->taps = forge_aligned_alloc (max_taps * sizeof (uint8_t *));
  resampler->picked = forge_aligned_alloc0 (max_taps * max_picked);
  if (!resampler->sums || !resampler->taps || !resampler->picked) {
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
  forge_aligned_free (resampler->sums);
  forge_aligned_free (resampler->picked);
  forge_aligned_free (resampler->taps);
  *resampler = (ForgeResampler) { 0 };
}

/* One tap of weight one each way: the byte itself, which is also what the two
 * kernels would give. */
static void
pick (const ForgeTaps *columns, const uint8_t *row, size_t step_bytes,
    uint8_t *out, size_t out_step)
{
  for (int x = 0; x < columns->n_out; x++)
    out[(size_t) x * out_step] = row[(size_t) columns->start[x] * step_bytes];
}

static const uint8_t *
plane_row (const ForgeResamplerPlane *plane, const ForgeFrame *frame, int index,
    int row)
{
  return frame->data[index] +
         (ptrdiff_t) (plane->first_row + row) * frame->stride_bytes[index] +
         plane->first_byte;
}

/* The two pixels of every output, @pick bytes each, from pixels of @step. */
static inline void
pick_pairs (const ForgeTaps *columns, int n, const uint8_t *row, size_t step,
    size_t pick, uint8_t *out)
{
  for (int x = 0; x < n; x++, out += 2 * pick) {
    const uint8_t *from = row + (size_t) columns->start[x] * step;
    if (step == pick) {
      memcpy (out, from, 2 * step);
    } else {
      memcpy (out, from, step);
      memcpy (out + pick, from + step, step);
    }
  }
}

/* The same for the outputs whose last pixel is not all there, and for a row
 * of any step. */
static void
pick_rest (const ForgeResamplerPlane *plane, const ForgeTaps *columns,
    const uint8_t *row, uint8_t *out)
{
  for (int x = plane->n_inside; x < columns->n_out; x++)
    for (size_t i = 0; i < 2 * plane->step_bytes; i++) {
      size_t at = (size_t) columns->start[x] * plane->step_bytes + i;
      size_t pixel = 2 * (size_t) x + i / plane->step_bytes;
      out[pixel * plane->pick_bytes + i % plane->step_bytes] =
          at < plane->n_bytes ? row[at] : 0;
    }
}

static void
pick_row (const ForgeResamplerPlane *plane, const ForgeTaps *columns,
    const uint8_t *row, uint8_t *out)
{
  int n = plane->n_inside;
  if (plane->step_bytes == 1)
    pick_pairs (columns, n, row, 1, 1, out);
  else if (plane->step_bytes == 2)
    pick_pairs (columns, n, row, 2, 2, out);
  else if (plane->step_bytes == 3)
    pick_pairs (columns, n, row, 3, 4, out);
  else
    pick_pairs (columns, n, row, 4, 4, out);
  pick_rest (plane, columns, row, out);
}

/* Both passes over a plane whose pixels are picked in pairs. */
static void
resize_pairs (ForgeResampler *resampler, const ForgeKernels *kernels,
    const ForgeFrame *frame, int index, int y, uint8_t *const *out,
    size_t out_step)
{
  const ForgeResamplerPlane *plane = &resampler->planes[index];
  const ForgeTaps *rows = &resampler->rows[plane->y_shift];
  const ForgeTaps *columns = NULL;
  uint8_t *channels[4] = { NULL };
  for (int c = 0; c < resampler->n_components; c++) {
    const ForgeComponent *component = &resampler->layout->components[c];
    if (component->plane != index)
      continue;
    columns = &resampler->columns[component->x_shift];
    channels[resampler->offset_bytes[c]] = out[c];
  }
  for (int t = 0; t < rows->n_taps; t++) {
    uint8_t *picked = resampler->picked + (size_t) t * plane->n_picked;
    pick_row (plane, columns,
        plane_row (plane, frame, index, rows->start[y] + t), picked);
    resampler->taps[t] = picked;
  }
  kernels->resize_v_u8 (plane->n_picked, (size_t) rows->n_taps, resampler->taps,
      rows->weights + (size_t) y * (size_t) rows->n_taps, resampler->sums);
  kernels->resize_pairs_s16 ((size_t) columns->n_out, plane->pick_bytes,
      columns->weights, resampler->sums, channels, out_step);
}

/* The vertical pass of one plane, into resampler->sums. */
static void
sum_rows (ForgeResampler *resampler, const ForgeKernels *kernels,
    const ForgeFrame *frame, int index, int y)
{
  const ForgeResamplerPlane *plane = &resampler->planes[index];
  const ForgeTaps *rows = &resampler->rows[plane->y_shift];
  const int16_t *weights = rows->weights + (size_t) y * (size_t) rows->n_taps;
  for (int t = 0; t < rows->n_taps; t++)
    resampler->taps[t] = plane_row (plane, frame, index, rows->start[y] + t);
  kernels->resize_v_u8 (plane->n_bytes, (size_t) rows->n_taps, resampler->taps,
      weights, resampler->sums);
}

void
forge_resampler_row (ForgeResampler *resampler, const ForgeKernels *kernels,
    const ForgeFrame *frame, int y, uint8_t *const *out, size_t out_step)
{
  int summed_plane = -1;
  for (int c = 0; c < resampler->n_components; c++) {
    const ForgeComponent *component = &resampler->layout->components[c];
    const ForgeResamplerPlane *plane = &resampler->planes[component->plane];
    const ForgeTaps *columns = &resampler->columns[component->x_shift];
    size_t offset_bytes = resampler->offset_bytes[c];
    if (plane->is_sparse) {
      int row = resampler->rows[plane->y_shift].start[y];
      pick (columns,
          plane_row (plane, frame, component->plane, row) + offset_bytes,
          component->step_bytes, out[c], out_step);
      continue;
    }
    gboolean is_first = summed_plane != component->plane;
    summed_plane = component->plane;
    if (plane->pick_bytes > 0) {
      if (is_first)
        resize_pairs (
            resampler, kernels, frame, component->plane, y, out, out_step);
      continue;
    }
    if (is_first)
      sum_rows (resampler, kernels, frame, component->plane, y);
    kernels->resize_h_s16 ((size_t) columns->n_out, (size_t) columns->n_taps,
        columns->start, columns->weights, resampler->sums + offset_bytes,
        component->step_bytes, out[c], out_step);
  }
}
