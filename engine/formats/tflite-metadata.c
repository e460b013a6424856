/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What travels with a TensorFlow Lite model: its description, its signatures,
 * and the TFLITE_METADATA buffer, another flatbuffer, which names the labels
 * (a text file in a zip archive behind the model) and how pictures are
 * normalised: (byte - mean) / std. They become the forge.* keys that every
 * format has; the rest is kept as tflite.* for people. A normalisation before
 * an input of bytes is not used: it and the input's quantisation undo each
 * other, so pictures go in as they are.
 * Source: tflite-support, metadata_schema.fbs, version 1.5. */
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "formats/tflite.h"
#include "formats/zip.h"

#define BUFFER_NAME "TFLITE_METADATA"
#define IDENTIFIER "M001"
#define MAX_ITEMS 64 /* of any list in the metadata */
#define MAX_LABEL_BYTES ((size_t) 4 << 20)
#define MAX_LABELS 65536
#define NORMALIZATION_OPTIONS 1 /* ProcessUnitOptions */
#define IMAGE_PROPERTIES 2      /* ContentProperties */
#define TENSOR_AXIS_LABELS 2    /* AssociatedFileType */
#define COLOUR_RGB 1
#define COLOUR_GREY 2

static void
keep (TfliteBuilder *builder, const char *key, char *text)
{
  if (text && *text)
    g_hash_table_replace (builder->graph->metadata, g_strdup (key), text);
  else
    g_free (text);
}

static gboolean
fail (const TfliteBuilder *builder, GError **error, const char *text)
{
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT, "%s: the metadata: %s",
      builder->name, text);
  return FALSE;
}

/* The names of a signature's inputs or outputs. */
static void
append_names (GString *text, TfliteVector map)
{
  g_string_append_c (text, '(');
  for (uint32_t i = 0; i < MIN (map.count, MAX_ITEMS); i++) {
    g_autofree char *name = tflite_text (tflite_vector_table (map, i), 0);
    g_string_append_printf (text, "%s%s", i ? ", " : "", name ? name : "?");
  }
  g_string_append_c (text, ')');
}

static void
read_signatures (TfliteBuilder *builder, TfliteTable model)
{
  TfliteVector signatures = tflite_vector (model, 7, 4);
  GString *text = g_string_new (NULL);
  for (uint32_t i = 0; i < MIN (signatures.count, MAX_ITEMS); i++) {
    TfliteTable signature = tflite_vector_table (signatures, i);
    g_autofree char *key = tflite_text (signature, 2);
    g_string_append_printf (text, "%s%s", i ? "; " : "", key ? key : "");
    append_names (text, tflite_vector (signature, 0, 4));
    g_string_append (text, " -> ");
    append_names (text, tflite_vector (signature, 1, 4));
  }
  keep (builder, "tflite.signatures", g_string_free (text, FALSE));
}

/* The bytes of the buffer; count 0 when there is none. */
static TfliteVector
find_buffer (TfliteTable model)
{
  TfliteVector entries = tflite_vector (model, 6, 4);
  TfliteVector buffers = tflite_vector (model, 4, 4);
  for (uint32_t i = 0; i < MIN (entries.count, MAX_ITEMS); i++) {
    TfliteTable entry = tflite_vector_table (entries, i);
    g_autofree char *name = tflite_text (entry, 0);
    uint32_t buffer = (uint32_t) tflite_i32 (entry, 1, 0);
    if (g_strcmp0 (name, BUFFER_NAME) == 0 && buffer < buffers.count)
      return tflite_vector (tflite_vector_table (buffers, buffer), 0, 1);
  }
  return (TfliteVector) { .bytes = model.bytes };
}

static char *
to_json (JsonBuilder *json)
{
  g_autoptr (JsonNode) root = json_builder_get_root (json);
  g_object_unref (json);
  return json_to_string (root, FALSE);
}

/* One label a line; an empty last one is the end of the file. */
static gboolean
keep_labels (TfliteBuilder *builder, char *text, GError **error)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", MAX_LABELS + 1);
  guint n_lines = g_strv_length (lines);
  while (n_lines > 0 && !*g_strstrip (lines[n_lines - 1]))
    n_lines--;
  if (n_lines > MAX_LABELS)
    return fail (builder, error, "too many labels");
  JsonBuilder *json = json_builder_new ();
  json_builder_begin_array (json);
  for (guint i = 0; i < n_lines; i++) {
    g_autofree char *label = g_utf8_make_valid (g_strstrip (lines[i]), -1);
    json_builder_add_string_value (json, label);
  }
  json_builder_end_array (json);
  keep (builder, "forge.labels", to_json (json));
  return TRUE;
}

/* The labels of the first output: those without a locale, else the first. */
static gboolean
read_labels (TfliteBuilder *builder, TfliteTable output, GError **error)
{
  TfliteVector files = tflite_vector (output, 6, 4);
  g_autofree char *name = NULL;
  for (uint32_t i = 0; i < MIN (files.count, MAX_ITEMS); i++) {
    TfliteTable file = tflite_vector_table (files, i);
    g_autofree char *locale = tflite_text (file, 3);
    gboolean any = !locale || !*locale;
    if (tflite_u8 (file, 2, 0) != TENSOR_AXIS_LABELS || (name && !any))
      continue;
    g_free (name);
    name = tflite_text (file, 0);
    if (any)
      break;
  }
  if (!name)
    return TRUE;
  size_t length_bytes;
  g_autoptr (GError) cause = NULL;
  g_autofree char *text = forge_zip_extract (builder->file, builder->file_bytes,
      name, MAX_LABEL_BYTES, &length_bytes, &cause);
  if (cause)
    return fail (builder, error, cause->message);
  if (!text) {
    g_autofree char *missing =
        g_strdup_printf ("label file '%s' is not in the model's archive", name);
    return fail (builder, error, missing);
  }
  keep (builder, "tflite.label_file", g_strdup (name));
  return keep_labels (builder, text, error);
}

/* Channels of the one input, a picture in NHWC; else 0. */
static int
count_channels (const TfliteBuilder *builder)
{
  const GPtrArray *inputs = builder->graph->inputs;
  const ForgeValue *input = inputs->len == 1 ? inputs->pdata[0] : NULL;
  if (!input || input->shape.rank != 4)
    return 0;
  const int64_t *d = input->shape.dims;
  gboolean clear = d[1] != 1 && d[1] != 3;
  return clear && (d[3] == 1 || d[3] == 3) ? (int) d[3] : 0;
}

/* One value for all channels, or one each. */
static gboolean
read_values (TfliteTable options, int field, int n_channels, float fallback,
    float values[3])
{
  TfliteVector list = tflite_vector (options, field, 4);
  for (int c = 0; c < n_channels; c++) {
    values[c] = fallback;
    if (list.count > 0)
      values[c] = tflite_vector_f32 (list, list.count > 1 ? (uint32_t) c : 0);
    if (!isfinite (values[c]))
      return FALSE;
  }
  return list.count <= 1 || list.count == (uint32_t) n_channels;
}

static void
add_channels (
    JsonBuilder *json, const char *name, const float *values, int n_channels)
{
  json_builder_set_member_name (json, name);
  json_builder_begin_array (json);
  for (int c = 0; c < n_channels; c++)
    json_builder_add_double_value (json, values[c]);
  json_builder_end_array (json);
}

static gboolean
add_normalisation (TfliteBuilder *builder, JsonBuilder *json,
    TfliteVector units, int n_channels, GError **error)
{
  const ForgeValue *input = builder->graph->inputs->pdata[0];
  for (uint32_t i = 0; i < MIN (units.count, MAX_ITEMS); i++) {
    TfliteTable unit = tflite_vector_table (units, i);
    float mean[3], deviation[3], scale[3], bias[3];
    if (tflite_u8 (unit, 0, 0) != NORMALIZATION_OPTIONS)
      continue;
    TfliteTable options = tflite_table (unit, 1);
    gboolean fine = read_values (options, 0, n_channels, 0, mean) &&
                    read_values (options, 1, n_channels, 1, deviation);
    for (int c = 0; c < n_channels && fine; c++) {
      fine = fabsf (deviation[c]) > 1e-6f && fabsf (mean[c]) < 1e6f;
      scale[c] = 1 / deviation[c];
      bias[c] = -mean[c] / deviation[c];
    }
    if (!fine)
      return fail (builder, error,
          "mean and std must be one number or one a channel, std not 0");
    if (input->dtype == FORGE_FLOAT32) {
      add_channels (json, "scale", scale, n_channels);
      add_channels (json, "bias", bias, n_channels);
    }
    return TRUE;
  }
  return TRUE;
}

static gboolean
read_input (TfliteBuilder *builder, TfliteTable input, GError **error)
{
  int n_channels = count_channels (builder);
  TfliteTable content = tflite_table (input, 3);
  if (n_channels == 0)
    return TRUE;
  JsonBuilder *json = json_builder_new ();
  json_builder_begin_object (json);
  int colour = tflite_u8 (content, 0, 0) == IMAGE_PROPERTIES
                   ? tflite_u8 (tflite_table (content, 1), 0, 0)
                   : 0;
  if ((colour == COLOUR_RGB && n_channels == 3) ||
      (colour == COLOUR_GREY && n_channels == 1)) {
    json_builder_set_member_name (json, "colour");
    json_builder_add_string_value (json, n_channels == 3 ? "rgb" : "grey");
  }
  if (!add_normalisation (
          builder, json, tflite_vector (input, 4, 4), n_channels, error)) {
    g_object_unref (json);
    return FALSE;
  }
  json_builder_end_object (json);
  keep (builder, "forge.preprocess", to_json (json));
  return TRUE;
}

gboolean
tflite_read_metadata (TfliteBuilder *builder, TfliteTable model, GError **error)
{
  static const struct {
    int field;
    const char *key;
  } texts[] = { { 0, "tflite.name" }, { 1, "tflite.about" },
    { 2, "forge.version" }, { 4, "tflite.author" }, { 5, "tflite.license" } };
  keep (builder, "tflite.description", tflite_text (model, 3));
  read_signatures (builder, model);
  TfliteVector buffer = find_buffer (model);
  if (buffer.count < 8)
    return TRUE;
  TfliteBytes bytes = { .data = buffer.bytes->data + buffer.pos,
    .size_bytes = buffer.count };
  if (memcmp (bytes.data + 4, IDENTIFIER, 4) != 0)
    return TRUE;
  TfliteTable root = tflite_root (&bytes);
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    keep (builder, texts[i].key, tflite_text (root, texts[i].field));
  TfliteTable graph = tflite_vector_table (tflite_vector (root, 3, 4), 0);
  TfliteTable input = tflite_vector_table (tflite_vector (graph, 2, 4), 0);
  TfliteTable output = tflite_vector_table (tflite_vector (graph, 3, 4), 0);
  if (!read_input (builder, input, error) ||
      !read_labels (builder, output, error))
    return FALSE;
  return !bytes.failed || fail (builder, error, "an offset leads out of it");
}
