/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frame to tensor: the one routine between pixels and a network, used by the
 * trainer, the evaluator, the command line and the element, so that a frame
 * gives the same bits everywhere. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "forge/tensor.h"

G_BEGIN_DECLS

/* Memory layouts, named as GStreamer names them. */
typedef enum {
  FORGE_PIXEL_RGB,
  FORGE_PIXEL_BGR,
  FORGE_PIXEL_RGBX,
  FORGE_PIXEL_BGRX,
  FORGE_PIXEL_XRGB,
  FORGE_PIXEL_XBGR,
  FORGE_PIXEL_GRAY8,
  FORGE_PIXEL_NV12,
  FORGE_PIXEL_NV21,
  FORGE_PIXEL_I420,
  FORGE_PIXEL_YV12,
  FORGE_PIXEL_YUY2,
  FORGE_PIXEL_UYVY,
} ForgePixelFormat;

/* Y'CbCr matrices: Kr and Kb of ITU-R BT.601, BT.709, BT.2020, SMPTE 240M,
 * FCC. */
typedef enum {
  FORGE_MATRIX_BT601,
  FORGE_MATRIX_BT709,
  FORGE_MATRIX_BT2020,
  FORGE_MATRIX_SMPTE240M,
  FORGE_MATRIX_FCC,
} ForgeColourMatrix;

/**
 * ForgeFrame:
 * @data: plane pointers; packed formats and GRAY8 use the first, NV12/NV21
 *   two, I420/YV12 three (in the order of the planes in memory: YV12 has V
 *   second)
 * @stride_bytes: of each plane; may be larger than a row, may be negative
 * @full_range: Y'CbCr 0..255 instead of 16..235/240
 * @chroma_centred: subsampled chroma lies between its two luma columns (JPEG,
 *   MPEG-1) instead of on the left one (MPEG-2, H.264)
 *
 * A view of one picture in memory that the caller owns. Alpha, where a format
 * has it (RGBA is RGBX here), is not read.
 *
 * Since: 0.1
 */
typedef struct {
  ForgePixelFormat format;
  int width, height; /* pixels, >= 1, odd sizes allowed */
  const uint8_t *data[3];
  ptrdiff_t stride_bytes[3];
  ForgeColourMatrix matrix;
  gboolean full_range;
  gboolean chroma_centred;
} ForgeFrame;

typedef enum {
  FORGE_RESIZE_STRETCH,     /* the whole frame, aspect ratio not kept */
  FORGE_RESIZE_CENTRE_CROP, /* the largest centred part of the right shape */
  FORGE_RESIZE_LETTERBOX,   /* the whole frame, aspect kept, grey 114 bars */
} ForgeResizePolicy;

typedef enum {
  FORGE_FILTER_BILINEAR,  /* half-pixel centres, 2x2 taps (TensorFlow) */
  FORGE_FILTER_ANTIALIAS, /* triangle filter scaled to the ratio (Pillow) */
  FORGE_FILTER_NEAREST,   /* floor ((x + 0.5) * ratio) */
} ForgeResizeFilter;

/**
 * ForgePreprocess:
 * @width, @height: of the network's input, pixels, >= 1
 * @channels: 3, or 1 for a grey network
 * @bgr: channel order of the network
 * @scale, @bias: for float32 inputs, per channel in network order:
 *   value = byte * scale + bias; unused for uint8 inputs
 * @nchw: plane-wise instead of interleaved channels
 * @dtype: %FORGE_UINT8 (the bytes as they are) or %FORGE_FLOAT32
 *
 * Everything that lies between a frame and a network's input tensor. Read
 * from the model file; see forge_model_get_preprocess().
 *
 * Since: 0.1
 */
typedef struct {
  int width, height;
  int channels;
  ForgeResizePolicy policy;
  ForgeResizeFilter filter;
  gboolean bgr;
  gboolean nchw;
  ForgeDtype dtype;
  float scale[3];
  float bias[3];
} ForgePreprocess;

#define FORGE_PREPROCESS_DEFAULT                                          \
  {                                                                       \
    .width = 32, .height = 32, .channels = 3,                             \
    .policy = FORGE_RESIZE_CENTRE_CROP, .filter = FORGE_FILTER_ANTIALIAS, \
    .dtype = FORGE_UINT8, .scale = {                                      \
      1,                                                                  \
      1,                                                                  \
      1                                                                   \
    }                                                                     \
  }

/**
 * forge_resize_policy_name:
 * @policy: a policy
 *
 * The word for it in model files and on the command line.
 *
 * Returns: (transfer none): "stretch", "centre-crop" or "letterbox"
 * Since: 0.1
 */
const char *forge_resize_policy_name (ForgeResizePolicy policy);

/**
 * forge_resize_filter_name:
 * @filter: a filter
 *
 * The word for it in model files and on the command line.
 *
 * Returns: (transfer none): "bilinear", "antialias" or "nearest"
 * Since: 0.1
 */
const char *forge_resize_filter_name (ForgeResizeFilter filter);

/**
 * forge_resize_policy_parse:
 * @name: a word
 * @policy: (out): what it means
 *
 * Reads what forge_resize_policy_name() writes.
 *
 * Returns: %FALSE for any other word, and @policy is as it was
 * Since: 0.1
 */
gboolean forge_resize_policy_parse (
    const char *name, ForgeResizePolicy *policy);

/**
 * forge_resize_filter_parse:
 * @name: a word
 * @filter: (out): what it means
 *
 * Reads what forge_resize_filter_name() writes.
 *
 * Returns: %FALSE for any other word, and @filter is as it was
 * Since: 0.1
 */
gboolean forge_resize_filter_parse (
    const char *name, ForgeResizeFilter *filter);

/**
 * forge_preprocess_hash:
 * @preprocess: how pictures become an input
 *
 * SHA-256 over all that it says: equal only for equal ones. Scale and bias
 * count for float32 only.
 *
 * Returns: (transfer full): in hexadecimal digits
 * Since: 0.1
 */
char *forge_preprocess_hash (const ForgePreprocess *preprocess);

typedef struct _ForgeImager ForgeImager;

/**
 * forge_imager_new:
 * @preprocess: what the network wants
 *
 * Makes a frame-to-tensor converter. Tables for a frame size and format are
 * built when the first such frame comes and kept until another comes.
 *
 * Thread safety: one thread at a time.
 * Returns: (transfer full): the converter
 * Since: 0.1
 */
ForgeImager *forge_imager_new (const ForgePreprocess *preprocess);

/**
 * forge_imager_free:
 * @imager: (transfer full) (nullable): the converter
 *
 * Frees it.
 *
 * Since: 0.1
 */
void forge_imager_free (ForgeImager *imager);

/**
 * forge_imager_convert:
 * @imager: the converter
 * @frame: the picture
 * @out: (out caller-allocates): one image, `uint8|float32 [H, W, C]` or
 *   `[C, H, W]`, row-major, contiguous
 * @error: return location
 *
 * Crops, resizes each colour component to the network's resolution, converts
 * Y'CbCr to R'G'B' there, orders the channels and scales. A grey frame gives
 * three equal channels, whatever its range. A network of one channel gets
 * 0.299 R' + 0.587 G' + 0.114 B', or Y' stretched to 0..255.
 *
 * All arithmetic up to the byte is integer, so the result does not depend on
 * the CPU, and a picture gives the same bytes in every R'G'B' format.
 *
 * Errors: %FORGE_ERROR_ARGUMENT for sizes under 1 or over 32768, missing
 * planes and values outside their enumeration, %FORGE_ERROR_MEMORY.
 * Thread safety: one thread at a time per imager. Allocates only when the
 * size, format or siting of the frames changes.
 * Returns: %TRUE on success; on failure @out is as it was
 * Source: Pillow's ImagingResample and TensorFlow's resize (v2) define the
 * filters; ITU-R BT.601-7, BT.709-6, BT.2020-2 the matrices.
 * Since: 0.1
 */
gboolean forge_imager_convert (
    ForgeImager *imager, const ForgeFrame *frame, void *out, GError **error);

/**
 * ForgePicture:
 * @mode: how the file had it, "JPEG grey" or "PNG palette, alpha"; "raw" for
 *   pixels that came from no such file. A static string
 *
 * A decoded still picture: `uint8 [height, width, 3]` R'G'B', contiguous.
 *
 * Since: 0.1
 */
typedef struct {
  int width, height;
  uint8_t *data;
  const char *mode;
} ForgePicture;

/**
 * forge_picture_load:
 * @path: a PNG, JPEG or (where libwebp was built in) WebP file, told apart by
 *   its first bytes
 * @error: return location
 *
 * Decodes to 8-bit R'G'B', upright as EXIF says. Palettes, grey, 16 bits,
 * alpha (over black) and CMYK (ideal inks, no colour profile) are converted;
 * animations are refused.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, %FORGE_ERROR_IO, %FORGE_ERROR_FORMAT
 * (damaged, truncated, not a picture), %FORGE_ERROR_UNSUPPORTED (also more
 * than 32768 pixels a side or 2^28 in all), %FORGE_ERROR_MEMORY.
 * Thread safety: any thread.
 * Returns: (transfer full) (nullable): the picture
 * Since: 0.1
 */
ForgePicture *forge_picture_load (const char *path, GError **error);

/**
 * forge_picture_load_bytes:
 * @bytes: a whole PNG, JPEG or WebP file
 * @size_bytes: its length
 * @name: what to call it in messages
 * @error: return location
 *
 * As forge_picture_load() from memory.
 *
 * Thread safety: any thread.
 * Returns: (transfer full) (nullable): the picture
 * Since: 0.1
 */
ForgePicture *forge_picture_load_bytes (
    const void *bytes, gsize size_bytes, const char *name, GError **error);

/**
 * forge_picture_free:
 * @picture: (transfer full) (nullable): the picture
 *
 * Frees it.
 *
 * Since: 0.1
 */
void forge_picture_free (ForgePicture *picture);

/**
 * forge_picture_frame:
 * @picture: the picture
 *
 * A view of its pixels.
 *
 * Returns: a frame that borrows the memory of @picture
 * Since: 0.1
 */
ForgeFrame forge_picture_frame (const ForgePicture *picture);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeImager, forge_imager_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgePicture, forge_picture_free)

G_END_DECLS
