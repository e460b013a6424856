/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lays what the user states over what the model file says. Scale, mean and
 * std are folded into the one scale and bias of a ForgePreprocess here, in
 * double precision, so that (byte * scale - mean) / std is rounded once. */
#include "forge/preprocess.h"

#include <math.h>
#include <string.h>

#include "forge/error.h"
#include "formats/model-info.h"
#include "run/model.h"

#define MAX_VALUE 1e9
#define MAX_SIDE 32768

static gboolean fail (GError **error, int code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

static gboolean
fail (GError **error, int code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, FORGE_ERROR, code, text);
  return FALSE;
}

static gboolean
parse_number (const char *text, double *value)
{
  char *end = NULL;
  *value = g_ascii_strtod (text, &end);
  while (g_ascii_isspace (*end))
    end++;
  return end != text && *end == 0 && isfinite (*value) &&
         fabs (*value) <= MAX_VALUE;
}

/* One number goes to all channels. NULL leaves @values as they are. */
static gboolean
parse_list (const char *name, const char *text, int n_channels,
    double values[3], GError **error)
{
  if (!text)
    return TRUE;
  g_auto (GStrv) words = g_strsplit (text, ",", -1);
  guint n_words = g_strv_length (words);
  if (n_words != 1 && n_words != (guint) n_channels)
    return fail (error, FORGE_ERROR_ARGUMENT,
        "input %s '%s': expected 1 number or %d, found %u", name, text,
        n_channels, n_words);
  for (int c = 0; c < n_channels; c++) {
    const char *word = words[n_words == 1 ? 0 : c];
    if (!parse_number (word, &values[c]))
      return fail (error, FORGE_ERROR_ARGUMENT,
          "input %s '%s': expected a number up to %g, found '%s'", name, text,
          MAX_VALUE, word);
  }
  return TRUE;
}

static gboolean
state_values (const ForgeStatedPreprocess *stated, ForgePreprocess *preprocess,
    GError **error)
{
  double scale[3] = { 1 / 255.0, 1 / 255.0, 1 / 255.0 };
  double mean[3] = { 0 }, std[3] = { 1, 1, 1 };
  int n_channels = preprocess->channels;
  if (preprocess->dtype != FORGE_FLOAT32)
    return fail (error, FORGE_ERROR_ARGUMENT,
        "input scale, mean and std: the network takes %s, the bytes as they "
        "are",
        forge_dtype_name (preprocess->dtype));
  if (!parse_list ("scale", stated->scale, n_channels, scale, error) ||
      !parse_list ("mean", stated->mean, n_channels, mean, error) ||
      !parse_list ("std", stated->std, n_channels, std, error))
    return FALSE;
  for (int c = 0; c < n_channels; c++) {
    if (std[c] == 0 || !(fabs (scale[c] / std[c]) <= MAX_VALUE) ||
        !(fabs (mean[c] / std[c]) <= MAX_VALUE))
      return fail (error, FORGE_ERROR_ARGUMENT,
          "input std '%s': a channel is divided by %g", stated->std, std[c]);
    preprocess->scale[c] = (float) (scale[c] / std[c]);
    preprocess->bias[c] = (float) (-mean[c] / std[c]);
  }
  return TRUE;
}

static gboolean
state_order (const char *order, ForgePreprocess *preprocess, GError **error)
{
  gboolean bgr = strcmp (order, "bgr") == 0;
  if (!bgr && strcmp (order, "rgb") != 0)
    return fail (error, FORGE_ERROR_ARGUMENT,
        "input order '%s': expected rgb or bgr", order);
  if (preprocess->channels != 3)
    return fail (error, FORGE_ERROR_ARGUMENT,
        "input order '%s': the network takes grey pictures", order);
  preprocess->bgr = bgr;
  return TRUE;
}

/* The extents of a graph whose layout was misread give another size, too. */
static gboolean
state_layout (const ForgeModel *model, const char *layout,
    ForgePreprocess *preprocess, GError **error)
{
  gboolean nchw = strcmp (layout, "nchw") == 0;
  if (!nchw && strcmp (layout, "nhwc") != 0)
    return fail (error, FORGE_ERROR_ARGUMENT,
        "input layout '%s': expected nchw or nhwc", layout);
  if (nchw == preprocess->nchw)
    return TRUE;
  ForgePort input =
      forge_model_get_input (model, forge_model_get_picture_input (model));
  const int64_t *dims = input.shape.dims;
  int64_t channels = dims[nchw ? 1 : 3];
  int64_t height = dims[nchw ? 2 : 1], width = dims[nchw ? 3 : 2];
  g_autofree char *shape = forge_shape_to_string (&input.shape);
  if (channels >= 0 && channels != preprocess->channels)
    return fail (error, FORGE_ERROR_SHAPE,
        "input layout '%s': expected %d channels, found %d in the shape %s",
        layout, preprocess->channels, (int) channels, shape);
  preprocess->nchw = nchw;
  if (height > 0 && width > 0) {
    preprocess->height = (int) height;
    preprocess->width = (int) width;
  }
  return TRUE;
}

static gboolean
state_size (const ForgeModel *model, const char *size,
    ForgePreprocess *preprocess, GError **error)
{
  g_auto (GStrv) words = g_strsplit (size, "x", -1);
  guint64 pixels[2] = { 0 };
  gboolean is_size = g_strv_length (words) == 2;
  for (int i = 0; i < 2 && is_size; i++)
    is_size = g_ascii_string_to_unsigned (
        words[i], 10, 1, MAX_SIDE, &pixels[i], NULL);
  if (!is_size)
    return fail (error, FORGE_ERROR_ARGUMENT,
        "input size '%s': expected WIDTHxHEIGHT, 1 to %d each", size, MAX_SIDE);
  ForgePort input =
      forge_model_get_input (model, forge_model_get_picture_input (model));
  const int64_t *dims = input.shape.dims + (preprocess->nchw ? 2 : 1);
  if ((dims[0] > 0 && dims[0] != (int64_t) pixels[1]) ||
      (dims[1] > 0 && dims[1] != (int64_t) pixels[0])) {
    g_autofree char *shape = forge_shape_to_string (&input.shape);
    return fail (error, FORGE_ERROR_SHAPE,
        "input size '%s': the network's input has the shape %s", size, shape);
  }
  preprocess->width = (int) pixels[0];
  preprocess->height = (int) pixels[1];
  return TRUE;
}

static gboolean
state_resize (const ForgeStatedPreprocess *stated, ForgePreprocess *preprocess,
    GError **error)
{
  if (stated->resize &&
      !forge_resize_policy_parse (stated->resize, &preprocess->policy))
    return fail (error, FORGE_ERROR_ARGUMENT,
        "resize '%s': expected stretch, centre-crop or letterbox",
        stated->resize);
  if (stated->filter &&
      !forge_resize_filter_parse (stated->filter, &preprocess->filter))
    return fail (error, FORGE_ERROR_ARGUMENT,
        "filter '%s': expected bilinear, antialias or nearest", stated->filter);
  return TRUE;
}

guint
forge_stated_fields (const ForgeStatedPreprocess *stated)
{
  gboolean values = stated->scale || stated->mean || stated->std;
  return (values ? FORGE_INFO_VALUES : 0) |
         (stated->order ? FORGE_INFO_COLOUR : 0) |
         (stated->layout ? FORGE_INFO_LAYOUT : 0) |
         (stated->size ? FORGE_INFO_SIZE : 0) |
         (stated->resize ? FORGE_INFO_RESIZE : 0) |
         (stated->filter ? FORGE_INFO_FILTER : 0);
}

gboolean
forge_model_state_preprocess (const ForgeModel *model,
    const ForgeStatedPreprocess *stated, ForgePreprocess *preprocess,
    char **assumptions, GError **error)
{
  g_return_val_if_fail (model && preprocess, FALSE);
  const ForgeStatedPreprocess nothing = { 0 };
  if (!stated)
    stated = &nothing;
  guint fields = forge_stated_fields (stated);
  ForgePreprocess result = *forge_model_get_preprocess (model);
  if (fields && result.channels < 1)
    return fail (error, FORGE_ERROR_ARGUMENT,
        "%s takes no pictures: how they become its input cannot be stated",
        forge_model_get_name (model));
  if (((fields & FORGE_INFO_VALUES) &&
          !state_values (stated, &result, error)) ||
      (stated->order && !state_order (stated->order, &result, error)) ||
      (stated->layout &&
          !state_layout (model, stated->layout, &result, error)) ||
      (stated->size && !state_size (model, stated->size, &result, error)) ||
      !state_resize (stated, &result, error))
    return FALSE;
  *preprocess = result;
  if (assumptions)
    *assumptions = forge_info_describe_assumptions (
        preprocess, forge_model_get_assumed (model) & ~fields);
  return TRUE;
}
