/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a model wants to be fed and what its scores mean. A file that says
 * nothing gets defaults, and the assumptions text says which:
 *   size    224 x 224 where the input's shape leaves it open
 *   layout  NCHW unless only the last extent can be the channels
 *   values  byte / 255 for float32, unless the network quantises its input
 *           at once and so tells its range (uint8 takes the byte as it is),
 *           or its reader knows it by name
 *   colour  RGB, likewise
 *   resize  centre crop, antialiased */
#include "formats/model-info.h"

#include <string.h>

#include "forge/error.h"
#include "tensor/tensor.h"

#define DEFAULT_SIZE 224
#define MAX_SIZE 32768

gboolean
forge_info_fail (const ForgeInfoReader *reader, GError **error, int code,
    const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, FORGE_ERROR, code, "%s: %s", reader->name, text);
  return FALSE;
}

gboolean
forge_info_set_size (
    ForgeInfoReader *reader, int64_t width, int64_t height, GError **error)
{
  ForgePreprocess *preprocess = &reader->info->preprocess;
  if (width < 1 || width > MAX_SIZE || height < 1 || height > MAX_SIZE)
    return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
        "a picture size of %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT
        "; 1 to %d are possible",
        width, height, MAX_SIZE);
  if ((reader->known & FORGE_INFO_SIZE) &&
      (width != preprocess->width || height != preprocess->height))
    return forge_info_fail (reader, error, FORGE_ERROR_SHAPE,
        "the metadata says %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT
        " pixels, the graph's input has %d x %d",
        width, height, preprocess->width, preprocess->height);
  preprocess->width = (int) width;
  preprocess->height = (int) height;
  reader->known |= FORGE_INFO_SIZE;
  return TRUE;
}

gboolean
forge_info_set_colour (
    ForgeInfoReader *reader, const char *colour, GError **error)
{
  gboolean grey = strcmp (colour, "grey") == 0;
  gboolean bgr = strcmp (colour, "bgr") == 0;
  if (!grey && !bgr && strcmp (colour, "rgb") != 0)
    return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
        "colour order '%s'; expected rgb, bgr or grey", colour);
  if (grey != (reader->info->preprocess.channels == 1))
    return forge_info_fail (reader, error, FORGE_ERROR_SHAPE,
        "colour order '%s' does not fit an input of %d channels", colour,
        reader->info->preprocess.channels);
  reader->info->preprocess.bgr = bgr;
  reader->known |= FORGE_INFO_COLOUR;
  return TRUE;
}

gboolean
forge_info_set_resize (ForgeInfoReader *reader, const char *policy,
    const char *filter, GError **error)
{
  ForgePreprocess *preprocess = &reader->info->preprocess;
  if (policy && !forge_resize_policy_parse (policy, &preprocess->policy))
    return forge_info_fail (reader, error, FORGE_ERROR_UNSUPPORTED,
        "resize policy '%s' is not known", policy);
  if (filter && !forge_resize_filter_parse (filter, &preprocess->filter))
    return forge_info_fail (reader, error, FORGE_ERROR_UNSUPPORTED,
        "resize filter '%s' is not known", filter);
  /* a file that names the policy and no filter means the usual one */
  if (policy)
    reader->known |= FORGE_INFO_RESIZE | FORGE_INFO_FILTER;
  if (filter)
    reader->known |= FORGE_INFO_FILTER;
  return TRUE;
}

gboolean
forge_info_take_labels (ForgeInfoReader *reader, char **labels, GError **error)
{
  ForgeModelInfo *info = reader->info;
  guint n_labels = g_strv_length (labels);
  if (info->n_classes > 0 && n_labels != info->n_classes) {
    g_strfreev (labels);
    return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
        "%u labels for an output of %u classes", n_labels, info->n_classes);
  }
  g_strfreev (info->labels);
  info->labels = labels;
  info->n_classes = n_labels;
  return TRUE;
}

static gboolean
can_be_channels (int64_t extent)
{
  return extent == 1 || extent == 3;
}

/* A picture is the only 4-dimensional input that is used, of 1 or 3 channels.
 * Where first and last extent both fit, ONNX's own order wins. */
static void
read_input (ForgeInfoReader *reader)
{
  ForgePreprocess *preprocess = &reader->info->preprocess;
  const ForgeValue *input =
      reader->graph->inputs->len > 0
          ? reader->graph->inputs->pdata[reader->info->input]
          : NULL;
  *preprocess = (ForgePreprocess) { 0 };
  if (!input || reader->several_inputs || input->shape.rank != 4 ||
      (input->dtype != FORGE_UINT8 && input->dtype != FORGE_FLOAT32))
    return;
  const int64_t *dims = input->shape.dims;
  gboolean nchw = can_be_channels (dims[1]);
  gboolean nhwc = can_be_channels (dims[3]) && !nchw;
  if (!nchw && !nhwc && (dims[1] != -1 || dims[3] != -1))
    return;
  *preprocess = (ForgePreprocess) FORGE_PREPROCESS_DEFAULT;
  preprocess->dtype = input->dtype;
  preprocess->nchw = !nhwc;
  preprocess->channels = nchw ? (int) dims[1] : nhwc ? (int) dims[3] : 3;
  reader->takes_pictures = TRUE;
  /* [N, 3, H, 3] tells nothing; anything else does */
  if (nhwc || (nchw && !can_be_channels (dims[3])))
    reader->known |= FORGE_INFO_LAYOUT;
  int64_t height = dims[nhwc ? 1 : 2], width = dims[nhwc ? 2 : 3];
  preprocess->width = preprocess->height = DEFAULT_SIZE;
  gboolean has_width = width > 0 && width <= MAX_SIZE;
  gboolean has_height = height > 0 && height <= MAX_SIZE;
  if (has_width)
    preprocess->width = (int) width;
  if (has_height)
    preprocess->height = (int) height;
  if (has_width && has_height)
    reader->known |= FORGE_INFO_SIZE;
}

/* Scores per picture: all extents but the batch. 0 where one is unknown. */
static guint
count_classes (const ForgeValue *output)
{
  ForgeShape rest = { 0 };
  for (int i = output->shape.rank > 1; i < output->shape.rank; i++)
    rest.dims[rest.rank++] = output->shape.dims[i];
  int64_t count = output->shape.rank > 0 ? forge_shape_count (&rest) : 0;
  if (count == 1) /* one score tells two classes apart */
    return 2;
  return count > 0 && count <= G_MAXINT32 ? (guint) count : 0;
}

/* Walks back over nodes that only rename or reshape. */
gboolean
forge_info_is_probabilities (const ForgeValue *value, gboolean *is_sigmoid)
{
  static const char *const looked_through[] = { "Identity", "Reshape",
    "Flatten", "Squeeze", "Unsqueeze", "DequantizeLinear", "TfliteTable",
    NULL };
  while (value && value->producer) {
    const ForgeNode *node = value->producer;
    const char *function = forge_attrs_string (node->attrs, "function", "");
    *is_sigmoid = strcmp (node->op->type, "Sigmoid") == 0 ||
                  strcmp (function, "LOGISTIC") == 0;
    if (*is_sigmoid || strcmp (node->op->type, "Softmax") == 0 ||
        strcmp (node->op->type, "TfliteSoftmax") == 0)
      return TRUE;
    if (!g_strv_contains (looked_through, node->op->type))
      return FALSE;
    value = forge_node_in (node, 0);
  }
  return FALSE;
}

char *
forge_info_describe_assumptions (
    const ForgePreprocess *preprocess, guint assumed)
{
  GString *text = g_string_new (NULL);
  if (assumed & FORGE_INFO_SIZE)
    g_string_append_printf (
        text, "%d x %d pixels, ", preprocess->width, preprocess->height);
  if (assumed & FORGE_INFO_LAYOUT)
    g_string_append (text, "layout NCHW, ");
  if (assumed & FORGE_INFO_VALUES)
    g_string_append (
        text, preprocess->scale[0] == 1  ? "values less Caffe's mean, "
              : preprocess->bias[0] == 0 ? "values scaled to 0..1, "
              : preprocess->bias[0] == -1
                  ? "values scaled to -1..1, "
                  : "values by ImageNet's mean and deviation, ");
  if (assumed & FORGE_INFO_COLOUR)
    g_string_append_printf (
        text, "colour order %s, ", preprocess->bgr ? "BGR" : "RGB");
  if (assumed & FORGE_INFO_RESIZE)
    g_string_append_printf (
        text, "resized by %s, ", forge_resize_policy_name (preprocess->policy));
  if (assumed & FORGE_INFO_FILTER)
    g_string_append_printf (text, "resize filter %s, ",
        forge_resize_filter_name (preprocess->filter));
  if (assumed & FORGE_INFO_OUTPUT)
    g_string_append (text, "scores in the first of several outputs, ");
  g_string_truncate (text, text->len > 2 ? text->len - 2 : 0);
  return g_string_free (text, text->len == 0);
}

/* The real numbers that the first node, a quantisation per tensor, can tell
 * apart. FALSE when the input goes elsewhere. */
static gboolean
quantised_range (
    const ForgeGraph *graph, const ForgeValue *input, double *low, double *high)
{
  const ForgeNode *first = NULL;
  for (guint i = 0; i < graph->nodes->len; i++) {
    const ForgeNode *node = graph->nodes->pdata[i];
    for (guint k = 0; k < node->inputs->len; k++)
      if (node->inputs->pdata[k] == input) {
        if (first)
          return FALSE;
        first = node;
      }
  }
  double scale = 0, zero = 0;
  if (first && strcmp (first->op->type, "TfliteQuantize") == 0) {
    scale = forge_attrs_float (first->attrs, "scale", 0);
    zero = (double) forge_attrs_int (first->attrs, "zero", 0);
  } else if (first && strcmp (first->op->type, "QuantizeLinear") == 0) {
    const ForgeValue *s = forge_node_in (first, 1);
    const ForgeValue *z = forge_node_in (first, 2);
    if (!s->constant || forge_shape_count (&s->shape) != 1 ||
        (z && !z->constant))
      return FALSE;
    scale = *(const float *) s->constant->data;
    if (z && z->dtype == FORGE_UINT8)
      zero = *(const uint8_t *) z->constant->data;
    else if (z)
      zero = *(const int8_t *) z->constant->data;
  }
  ForgeDtype dtype = first ? forge_node_out (first, 0)->dtype : 0;
  if (!(scale > 0) || (dtype != FORGE_UINT8 && dtype != FORGE_INT8))
    return FALSE;
  double lowest = dtype == FORGE_INT8 ? -128 : 0;
  *low = (lowest - zero) * scale;
  *high = (lowest + 255 - zero) * scale;
  return TRUE;
}

/* A network that quantises its input says which numbers it was calibrated on:
 * where they are about 0..1, -1..1 or 0..255, that is what it wants. */
static void
read_quantised_input (ForgeInfoReader *reader)
{
  static const double ranges[][2] = { { 0, 1 }, { -1, 1 }, { 0, 255 } };
  ForgePreprocess *preprocess = &reader->info->preprocess;
  double low, high;
  if ((reader->known & FORGE_INFO_VALUES) ||
      preprocess->dtype != FORGE_FLOAT32 ||
      !quantised_range (reader->graph,
          reader->graph->inputs->pdata[reader->info->input], &low, &high))
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (ranges); i++) {
    double width = ranges[i][1] - ranges[i][0];
    if (ABS (low - ranges[i][0]) > width / 50 ||
        ABS (high - ranges[i][1]) > width / 50)
      continue;
    for (int c = 0; c < 3; c++) {
      preprocess->scale[c] = (float) (width / 255);
      preprocess->bias[c] = (float) ranges[i][0];
    }
    reader->known |= FORGE_INFO_VALUES;
  }
}

/* A network that its reader knows by name (forge.convention) is fed as its
 * authors do: TensorFlow's -1..1, Torch's mean and deviation of ImageNet, or
 * Caffe's BGR less its mean. */
static void
apply_convention (ForgeInfoReader *reader)
{
  static const struct {
    const char *name;
    gboolean bgr;
    float scale[3], bias[3];
  } conventions[] = {
    { "tf", FALSE, { 1 / 127.5f, 1 / 127.5f, 1 / 127.5f }, { -1, -1, -1 } },
    { "torch", FALSE,
        { 1 / (255 * 0.229f), 1 / (255 * 0.224f), 1 / (255 * 0.225f) },
        { -0.485f / 0.229f, -0.456f / 0.224f, -0.406f / 0.225f } },
    { "caffe", TRUE, { 1, 1, 1 }, { -103.939f, -116.779f, -123.68f } },
  };
  ForgePreprocess *preprocess = &reader->info->preprocess;
  const char *name =
      g_hash_table_lookup (reader->graph->metadata, "forge.convention");
  if (!name || preprocess->channels != 3 ||
      !(reader->info->assumed & FORGE_INFO_VALUES))
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (conventions); i++)
    if (strcmp (name, conventions[i].name) == 0) {
      memcpy (
          preprocess->scale, conventions[i].scale, sizeof preprocess->scale);
      memcpy (preprocess->bias, conventions[i].bias, sizeof preprocess->bias);
      if (reader->info->assumed & FORGE_INFO_COLOUR)
        preprocess->bgr = conventions[i].bgr;
    }
}

guint
forge_info_open (const ForgeInfoReader *reader)
{
  guint open = FORGE_INFO_ALL & ~reader->known;
  if (reader->info->preprocess.dtype != FORGE_FLOAT32)
    open &= ~(guint) FORGE_INFO_VALUES;
  if (reader->info->preprocess.channels != 3)
    open &= ~(guint) FORGE_INFO_COLOUR;
  return open;
}

static void
apply_defaults (ForgeInfoReader *reader)
{
  ForgeModelInfo *info = reader->info;
  ForgePreprocess *preprocess = &info->preprocess;
  if (!reader->takes_pictures)
    return;
  read_quantised_input (reader);
  info->assumed |= forge_info_open (reader);
  for (int c = 0; c < 3 && (info->assumed & FORGE_INFO_VALUES); c++) {
    preprocess->scale[c] = 1 / 255.0f;
    preprocess->bias[c] = 0;
  }
  apply_convention (reader);
  info->assumptions =
      forge_info_describe_assumptions (preprocess, info->assumed);
}

static char *
base_name (const char *path)
{
  g_autofree char *name = path ? g_path_get_basename (path) : NULL;
  char *dot = name ? strrchr (name, '.') : NULL;
  if (dot && dot != name)
    *dot = 0;
  if (!name || !g_utf8_validate (name, -1, NULL))
    return name ? g_utf8_make_valid (name, -1) : g_strdup ("model");
  return g_steal_pointer (&name);
}

ForgeModelInfo *
forge_model_info_read (
    const ForgeGraph *graph, const char *path, GError **error)
{
  ForgeModelInfo *info = g_new0 (ForgeModelInfo, 1);
  ForgeInfoReader reader = { .graph = graph,
    .path = path,
    .name = path ? path : "built-in model",
    .info = info };
  const char *name = g_hash_table_lookup (graph->metadata, "forge.name");
  const char *version = g_hash_table_lookup (graph->metadata, "forge.version");
  info->name = name && *name ? g_strdup (name) : base_name (path);
  info->version = g_strdup (version ? version : "");
  info->labels = g_new0 (char *, 1);
  info->temperature = 1;
  forge_info_choose_ports (&reader);
  const ForgeValue *output = graph->outputs->pdata[info->output];
  info->n_classes = count_classes (output);
  info->has_probabilities =
      forge_info_is_probabilities (output, &info->is_sigmoid);
  read_input (&reader);
  if (!forge_info_read_metadata (&reader, error) ||
      !forge_info_read_file (&reader, error) ||
      !forge_info_read_calibration (&reader, error)) {
    forge_model_info_free (info);
    return NULL;
  }
  apply_defaults (&reader);
  return info;
}

void
forge_model_info_free (ForgeModelInfo *info)
{
  if (!info)
    return;
  g_free (info->name);
  g_free (info->version);
  g_strfreev (info->labels);
  g_free (info->assumptions);
  g_clear_pointer (&info->beside, g_hash_table_unref);
  g_free (info);
}
