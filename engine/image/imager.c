/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The imager: one row of the network's input at a time goes through crop,
 * resize, colour, channel order and scale, in scratch that stays in the
 * first-level cache. Tables and scratch live as long as the geometry. */
#include "forge/image.h"

#include <string.h>

#include "base/alloc.h"
#include "forge/error.h"
#include "image/colour.h"
#include "image/resample.h"

#define MAX_SIDE 32768
#define LETTERBOX_GREY 114

struct _ForgeImager {
  ForgePreprocess preprocess;
  const ForgeKernels *kernels;

  gboolean is_planned; /* all below is for frames like this: */
  ForgePixelFormat format;
  int width, height;
  gboolean chroma_centred;

  const ForgePixelLayout *layout;
  ForgeRect source, dest;
  ForgeResampler resampler;
  gboolean is_copy;    /* frame rows are the network's byte rows */
  uint8_t *components; /* uint8 [3][dest.width]: Y' Cb Cr, or R' G' B' */
  uint8_t *bytes;      /* uint8 [channels * width]: a row before scaling */
};

/* One row of the tensor as bytes: pixel x of channel c, in network order, is
 * channels[c][x * step]. */
typedef struct {
  uint8_t *channels[3];
  size_t step;
} Row;

ForgeImager *
forge_imager_new (const ForgePreprocess *preprocess)
{
  g_return_val_if_fail (preprocess, NULL);
  ForgeImager *imager = g_new0 (ForgeImager, 1);
  imager->preprocess = *preprocess;
  imager->kernels = forge_kernels ();
  return imager;
}

static void
drop_plan (ForgeImager *imager)
{
  forge_resampler_clear (&imager->resampler);
  g_clear_pointer (&imager->components, forge_aligned_free);
  g_clear_pointer (&imager->bytes, forge_aligned_free);
  imager->is_planned = FALSE;
}

void
forge_imager_free (ForgeImager *imager)
{
  if (!imager)
    return;
  drop_plan (imager);
  g_free (imager);
}

static gboolean
check_preprocess (const ForgePreprocess *preprocess, GError **error)
{
  const ForgePreprocess *p = preprocess;
  if (p->width < 1 || p->width > MAX_SIDE || p->height < 1 ||
      p->height > MAX_SIDE) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "network input is %d x %d pixels, expected sides of 1 to %d", p->width,
        p->height, MAX_SIDE);
    return FALSE;
  }
  if (p->channels != 1 && p->channels != 3) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "network input has %d channels, expected 1 or 3", p->channels);
    return FALSE;
  }
  if (p->dtype != FORGE_UINT8 && p->dtype != FORGE_FLOAT32) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "network input has element type %d, expected uint8 or float32",
        (int) p->dtype);
    return FALSE;
  }
  if (!forge_resize_policy_name (p->policy) ||
      !forge_resize_filter_name (p->filter)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "unknown resize policy %d or filter %d", (int) p->policy,
        (int) p->filter);
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_frame (const ForgeFrame *frame, GError **error)
{
  const ForgePixelLayout *layout = forge_pixel_layout (frame->format);
  if (!layout) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "frame has unknown pixel format %d", (int) frame->format);
    return FALSE;
  }
  if (frame->width < 1 || frame->width > MAX_SIDE || frame->height < 1 ||
      frame->height > MAX_SIDE) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "frame is %d x %d pixels, expected sides of 1 to %d", frame->width,
        frame->height, MAX_SIDE);
    return FALSE;
  }
  for (int p = 0; p < layout->n_planes; p++)
    if (!frame->data[p]) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
          "plane %d of the frame has no data, expected %d planes", p,
          layout->n_planes);
      return FALSE;
    }
  if (layout->is_yuv && !forge_colour_matrix_is_valid (frame->matrix)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "frame has unknown colour matrix %d", (int) frame->matrix);
    return FALSE;
  }
  return TRUE;
}

/* Whether a row of the frame is, byte for byte, a row of the network. */
static gboolean
is_plain_copy (const ForgeImager *imager)
{
  const ForgePreprocess *p = &imager->preprocess;
  ForgePixelFormat same = p->bgr ? FORGE_PIXEL_BGR : FORGE_PIXEL_RGB;
  return p->channels == 3 && !p->nchw && imager->format == same &&
         imager->source.width == imager->dest.width &&
         imager->source.height == imager->dest.height;
}

static gboolean
plan (ForgeImager *imager, const ForgeFrame *frame, GError **error)
{
  const ForgePreprocess *p = &imager->preprocess;
  drop_plan (imager);
  imager->format = frame->format;
  imager->width = frame->width;
  imager->height = frame->height;
  imager->chroma_centred = frame->chroma_centred;
  imager->layout = forge_pixel_layout (frame->format);
  forge_crop (p->policy, frame->width, frame->height, p->width, p->height,
      &imager->source, &imager->dest);
  imager->is_copy = is_plain_copy (imager);

  int n_components = imager->layout->n_components;
  if (imager->layout->is_yuv && p->channels == 1)
    n_components = 1;
  size_t dest_width = (size_t) imager->dest.width;
  imager->components = forge_aligned_alloc (3 * dest_width);
  imager->bytes =
      forge_aligned_alloc ((size_t) p->width * (size_t) p->channels);
  imager->is_planned = forge_resampler_init (&imager->resampler, imager->layout,
      n_components, &imager->source, imager->dest.width, imager->dest.height,
      p->filter, frame->chroma_centred);
  if (!imager->is_planned || !imager->components || !imager->bytes) {
    drop_plan (imager);
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "no memory for the tables that resize %d x %d to %d x %d", frame->width,
        frame->height, p->width, p->height);
    return FALSE;
  }
  return TRUE;
}

static gboolean
fits_plan (const ForgeImager *imager, const ForgeFrame *frame)
{
  return imager->is_planned && imager->format == frame->format &&
         imager->width == frame->width && imager->height == frame->height &&
         imager->chroma_centred == frame->chroma_centred;
}

/* R', G', B' of the resized row @y, at the first pixel the picture covers. */
static void
render_colour (ForgeImager *imager, const ForgeFrame *frame,
    const ForgeYuvCoefs *coefs, int y, uint8_t *const *rgb, size_t step)
{
  size_t n = (size_t) imager->dest.width;
  uint8_t *yuv[3] = { imager->components, imager->components + n,
    imager->components + 2 * n };
  if (imager->layout->is_yuv) {
    forge_resampler_row (&imager->resampler, imager->kernels, frame, y, yuv, 1);
    imager->kernels->yuv_to_rgb_u8 (
        n, coefs, yuv[0], yuv[1], yuv[2], rgb[0], rgb[1], rgb[2], step);
    return;
  }
  forge_resampler_row (
      &imager->resampler, imager->kernels, frame, y, rgb, step);
  if (imager->layout->n_components == 1)
    for (size_t x = 0; x < n; x++)
      rgb[1][x * step] = rgb[2][x * step] = rgb[0][x * step];
}

static void
render_grey (ForgeImager *imager, const ForgeFrame *frame,
    const ForgeYuvCoefs *coefs, int y, uint8_t *luma, size_t step)
{
  size_t n = (size_t) imager->dest.width;
  uint8_t *rgb[3] = { imager->components, imager->components + n,
    imager->components + 2 * n };
  if (imager->resampler.n_components == 3) {
    forge_resampler_row (&imager->resampler, imager->kernels, frame, y, rgb, 1);
    forge_rgb_to_luma (n, rgb[0], rgb[1], rgb[2], luma, step);
    return;
  }
  forge_resampler_row (
      &imager->resampler, imager->kernels, frame, y, &luma, step);
  if (imager->layout->is_yuv)
    forge_yuv_to_luma (coefs, n, luma, step);
}

/* Bars, where there are any, are written first and the picture over them. */
static void
render_row (ForgeImager *imager, const ForgeFrame *frame,
    const ForgeYuvCoefs *coefs, int y, const Row *row)
{
  const ForgePreprocess *p = &imager->preprocess;
  const ForgeRect *dest = &imager->dest;
  if (dest->width < p->width || dest->height < p->height) {
    size_t run = (size_t) p->width * row->step;
    for (int c = 0; c < p->channels; c += (int) row->step)
      memset (row->channels[c], LETTERBOX_GREY, run);
  }
  if (y < dest->y || y >= dest->y + dest->height)
    return;

  size_t left = (size_t) dest->x * row->step;
  if (imager->is_copy) {
    const uint8_t *from =
        frame->data[0] +
        (ptrdiff_t) (imager->source.y + y - dest->y) * frame->stride_bytes[0] +
        3 * (ptrdiff_t) imager->source.x;
    memcpy (row->channels[0] + left, from, 3 * (size_t) dest->width);
  } else if (p->channels == 3) {
    uint8_t *rgb[3] = { row->channels[p->bgr ? 2 : 0] + left,
      row->channels[1] + left, row->channels[p->bgr ? 0 : 2] + left };
    render_colour (imager, frame, coefs, y - dest->y, rgb, row->step);
  } else {
    render_grey (
        imager, frame, coefs, y - dest->y, row->channels[0] + left, row->step);
  }
}

/* Where row @y goes as bytes: the tensor itself, or scratch before scaling. */
static Row
byte_row (ForgeImager *imager, void *out, int y)
{
  const ForgePreprocess *p = &imager->preprocess;
  size_t width = (size_t) p->width, n_channels = (size_t) p->channels;
  gboolean is_direct = p->dtype == FORGE_UINT8;
  Row row = { .step = p->nchw ? 1 : n_channels };
  uint8_t *first = imager->bytes;
  size_t apart = p->nchw ? width : 1;
  if (is_direct) {
    first = (uint8_t *) out + (size_t) y * width * row.step;
    apart = p->nchw ? width * (size_t) p->height : 1;
  }
  for (size_t c = 0; c < n_channels; c++)
    row.channels[c] = first + c * apart;
  return row;
}

static void
scale_row (ForgeImager *imager, const Row *row, float *out, int y)
{
  const ForgePreprocess *p = &imager->preprocess;
  size_t width = (size_t) p->width;
  if (!p->nchw) {
    imager->kernels->u8_to_f32 (width, (size_t) p->channels, row->channels[0],
        p->scale, p->bias, out + (size_t) y * width * (size_t) p->channels);
    return;
  }
  for (int c = 0; c < p->channels; c++)
    imager->kernels->u8_to_f32 (width, 1, row->channels[c], &p->scale[c],
        &p->bias[c],
        out + ((size_t) c * (size_t) p->height + (size_t) y) * width);
}

gboolean
forge_imager_convert (
    ForgeImager *imager, const ForgeFrame *frame, void *out, GError **error)
{
  g_return_val_if_fail (imager && frame && out, FALSE);
  const ForgePreprocess *p = &imager->preprocess;
  if (!check_preprocess (p, error) || !check_frame (frame, error))
    return FALSE;
  if (!fits_plan (imager, frame) && !plan (imager, frame, error))
    return FALSE;

  ForgeYuvCoefs coefs = { 0 };
  if (imager->layout->is_yuv)
    forge_yuv_coefs_init (&coefs, frame->matrix, frame->full_range);
  for (int y = 0; y < p->height; y++) {
    Row row = byte_row (imager, out, y);
    render_row (imager, frame, &coefs, y, &row);
    if (p->dtype == FORGE_FLOAT32)
      scale_row (imager, &row, out, y);
  }
  return TRUE;
}
