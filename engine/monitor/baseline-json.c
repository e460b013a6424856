/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A baseline as a line of JSON, and back. What is read may come from anywhere:
 * every count is bounded before it sizes anything, every array must have just
 * the bytes that the counts ask for, every number must lie where it can.
 *   {"version": 1, "n_val": .., "n_fit": .., "n_classes": .., ...,
 *    "confusion": base64 of uint32 (truth, prediction, count) where count > 0,
 *    "quantiles": {"confidence": base64 of float32 [1001], ...},
 *    "embedding": {"n_features": .., "n_dims": .., "mean": .., ...}} */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "forge/baseline.h"
#include "forge/error.h"
#include "monitor/embedding.h"

#define MAX_TEXT_BYTES ((gsize) 256 << 20)
/* The confusion matrix of so many takes 256 MiB. */
#define MAX_CLASSES 8192
#define MAX_FEATURES (1 << 20)
#define MAX_COUNT ((gint64) 1 << 40)
#define MAX_NUMBER 1e9

typedef struct {
  const char *name;
  gsize offset;
  double least, most;
} Number;

#define NUMBER(name, least, most)                                \
  {                                                              \
#name, G_STRUCT_OFFSET(ForgeBaseline, name), (least), (most) \
  }

static const Number numbers[] = {
  NUMBER (val_accuracy, 0, 1),
  NUMBER (temperature, 0.01, 100),
  NUMBER (ece_before, 0, 1),
  NUMBER (ece_after, 0, 1),
  NUMBER (nll_before, 0, MAX_NUMBER),
  NUMBER (nll_after, 0, MAX_NUMBER),
  NUMBER (mean_confidence, 0, 1),
  NUMBER (std_confidence, 0, 1),
  NUMBER (atc_threshold, -MAX_NUMBER, 0),
  NUMBER (accuracy_margin, -1, 1),
};

typedef struct {
  const char *name;
  gsize offset;
} Text;

static const Text texts[] = {
  { "data", G_STRUCT_OFFSET (ForgeBaseline, data) },
  { "split", G_STRUCT_OFFSET (ForgeBaseline, split) },
  { "data_hash", G_STRUCT_OFFSET (ForgeBaseline, data_hash) },
  { "preprocess_hash", G_STRUCT_OFFSET (ForgeBaseline, preprocess_hash) },
  { "precision", G_STRUCT_OFFSET (ForgeBaseline, precision_name) },
};

static const Text shares[] = {
  { "class_prior", G_STRUCT_OFFSET (ForgeBaseline, class_prior) },
  { "per_class_precision", G_STRUCT_OFFSET (ForgeBaseline, precision) },
  { "per_class_recall", G_STRUCT_OFFSET (ForgeBaseline, recall) },
  { "per_class_f1", G_STRUCT_OFFSET (ForgeBaseline, f1) },
};

static const Text quantiles[] = {
  { "confidence", G_STRUCT_OFFSET (ForgeBaseline, confidence) },
  { "entropy", G_STRUCT_OFFSET (ForgeBaseline, entropy) },
  { "energy", G_STRUCT_OFFSET (ForgeBaseline, energy) },
  { "distance", G_STRUCT_OFFSET (ForgeBaseline, distance) },
};

/* NULL-safe look at a quantile list that this baseline has. */
static gboolean
has_quantiles (const ForgeBaseline *baseline, guint index)
{
  if (strcmp (quantiles[index].name, "energy") == 0)
    return baseline->has_energy;
  return strcmp (quantiles[index].name, "distance") != 0 ||
         baseline->embedding.n_features > 0;
}

static void
add_base64 (
    JsonBuilder *builder, const char *name, const void *words, gsize n_words)
{
  g_autofree uint32_t *little = g_new (uint32_t, n_words + 1);
  memcpy (little, words, n_words * sizeof *little);
  for (gsize i = 0; i < n_words; i++)
    little[i] = GUINT32_TO_LE (little[i]);
  g_autofree char *text =
      g_base64_encode ((const guchar *) little, n_words * sizeof *little);
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, text);
}

static void
add_confusion (JsonBuilder *builder, const ForgeBaseline *baseline)
{
  g_autoptr (GArray) cells = g_array_new (FALSE, FALSE, sizeof (uint32_t));
  for (uint32_t truth = 0; truth < baseline->n_classes; truth++)
    for (uint32_t guess = 0; guess < baseline->n_classes; guess++) {
      uint32_t count =
          baseline->confusion[(gsize) truth * baseline->n_classes + guess];
      const uint32_t cell[] = { truth, guess, count };
      if (count > 0)
        g_array_append_vals (cells, cell, G_N_ELEMENTS (cell));
    }
  add_base64 (builder, "confusion", cells->data, cells->len);
}

static void
add_embedding (JsonBuilder *builder, const ForgeBaseline *baseline)
{
  const ForgeEmbedding *embedding = &baseline->embedding;
  gsize n_features = embedding->n_features, n_dims = embedding->n_dims;
  if (n_features == 0)
    return;
  json_builder_set_member_name (builder, "embedding");
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "n_features");
  json_builder_add_int_value (builder, embedding->n_features);
  json_builder_set_member_name (builder, "n_dims");
  json_builder_add_int_value (builder, embedding->n_dims);
  json_builder_set_member_name (builder, "mean_residual");
  json_builder_add_double_value (builder, embedding->mean_residual);
  add_base64 (builder, "mean", embedding->mean, n_features);
  add_base64 (
      builder, "components", embedding->components, n_dims * n_features);
  add_base64 (builder, "class_means", embedding->class_means,
      n_dims * baseline->n_classes);
  add_base64 (builder, "whitening", embedding->whitening, n_dims * n_dims);
  json_builder_end_object (builder);
}

static void
add_numbers (JsonBuilder *builder, const ForgeBaseline *baseline)
{
  json_builder_set_member_name (builder, "version");
  json_builder_add_int_value (builder, FORGE_BASELINE_VERSION);
  json_builder_set_member_name (builder, "n_val");
  json_builder_add_int_value (builder, (gint64) baseline->n_val);
  json_builder_set_member_name (builder, "n_fit");
  json_builder_add_int_value (builder, (gint64) baseline->n_fit);
  json_builder_set_member_name (builder, "n_classes");
  json_builder_add_int_value (builder, baseline->n_classes);
  json_builder_set_member_name (builder, "n_conditions");
  json_builder_add_int_value (builder, baseline->n_conditions);
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++) {
    json_builder_set_member_name (builder, numbers[i].name);
    json_builder_add_double_value (
        builder, G_STRUCT_MEMBER (double, baseline, numbers[i].offset));
  }
}

char *
forge_baseline_to_json (const ForgeBaseline *baseline)
{
  g_return_val_if_fail (baseline, NULL);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  add_numbers (builder, baseline);
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    const char *text = G_STRUCT_MEMBER (char *, baseline, texts[i].offset);
    g_autofree char *valid = text ? g_utf8_make_valid (text, -1) : NULL;
    json_builder_set_member_name (builder, texts[i].name);
    json_builder_add_string_value (builder, valid ? valid : "");
  }
  for (gsize i = 0; i < G_N_ELEMENTS (shares); i++) {
    const double *values =
        G_STRUCT_MEMBER (double *, baseline, shares[i].offset);
    json_builder_set_member_name (builder, shares[i].name);
    json_builder_begin_array (builder);
    for (guint c = 0; c < baseline->n_classes; c++)
      json_builder_add_double_value (builder, values[c]);
    json_builder_end_array (builder);
  }
  add_confusion (builder, baseline);
  json_builder_set_member_name (builder, "quantiles");
  json_builder_begin_object (builder);
  for (guint i = 0; i < G_N_ELEMENTS (quantiles); i++)
    if (has_quantiles (baseline, i))
      add_base64 (builder, quantiles[i].name,
          G_STRUCT_MEMBER_P (baseline, quantiles[i].offset), FORGE_N_QUANTILES);
  json_builder_end_object (builder);
  add_embedding (builder, baseline);
  json_builder_end_object (builder);
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}

static gboolean fail (GError **error, int code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

static gboolean
fail (GError **error, int code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, FORGE_ERROR, code, "forge.baseline: %s", text);
  return FALSE;
}

static gboolean
read_count (JsonObject *object, const char *name, gint64 least, gint64 most,
    gint64 *count, GError **error)
{
  *count = forge_json_int (object, name, G_MININT64);
  return (*count >= least && *count <= most) ||
         fail (error, FORGE_ERROR_FORMAT,
             "%s: expected a whole number from %" G_GINT64_FORMAT
             " to %" G_GINT64_FORMAT,
             name, least, most);
}

static gboolean
read_number (JsonObject *object, const char *name, double least, double most,
    double *value, GError **error)
{
  *value = forge_json_double (object, name, NAN);
  return (*value >= least && *value <= most) ||
         fail (error, FORGE_ERROR_FORMAT, "%s: expected a number from %g to %g",
             name, least, most);
}

/* (transfer full): exactly @n_words of 32 bits. A wrong length is seen before
 * anything is decoded. */
static uint32_t *
read_base64 (
    JsonObject *object, const char *name, gsize n_words, GError **error)
{
  const char *text = forge_json_string (object, name);
  gsize n_bytes = n_words * 4, n_chars = (n_bytes + 2) / 3 * 4, n_read = 0;
  if (!text || strlen (text) != n_chars) {
    fail (error, FORGE_ERROR_FORMAT,
        "%s: expected %" G_GSIZE_FORMAT
        " characters of base64, found %" G_GSIZE_FORMAT,
        name, n_chars, text ? strlen (text) : 0);
    return NULL;
  }
  g_autofree guchar *bytes = g_base64_decode (text, &n_read);
  if (n_read != n_bytes) {
    fail (error, FORGE_ERROR_FORMAT,
        "%s: expected %" G_GSIZE_FORMAT
        " bytes in base64, found %" G_GSIZE_FORMAT,
        name, n_bytes, n_read);
    return NULL;
  }
  uint32_t *words = g_new (uint32_t, n_words + 1);
  memcpy (words, bytes, n_bytes);
  for (gsize i = 0; i < n_words; i++)
    words[i] = GUINT32_FROM_LE (words[i]);
  return words;
}

/* @to: [@n], or NULL to allocate into @fresh. Finite numbers only. */
static gboolean
read_floats (JsonObject *object, const char *name, gsize n, float *to,
    float **fresh, GError **error)
{
  g_autofree uint32_t *words = read_base64 (object, name, n, error);
  if (!words)
    return FALSE;
  if (!to)
    to = *fresh = g_new (float, n + 1);
  memcpy (to, words, n * sizeof *to);
  for (gsize i = 0; i < n; i++)
    if (!isfinite (to[i]))
      return fail (error, FORGE_ERROR_FORMAT,
          "%s: number %" G_GSIZE_FORMAT " is not finite", name, i);
  return TRUE;
}

static gboolean
read_shares (JsonObject *object, const char *name, guint n, double **values,
    GError **error)
{
  JsonArray *array = forge_json_array (object, name);
  if (!array || json_array_get_length (array) != n)
    return fail (error, FORGE_ERROR_FORMAT,
        "%s: expected an array of %u numbers", name, n);
  *values = g_new0 (double, n);
  for (guint c = 0; c < n; c++) {
    JsonNode *node = json_array_get_element (array, c);
    GType type = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node)
                                              : G_TYPE_INVALID;
    double value = type == G_TYPE_DOUBLE  ? json_node_get_double (node)
                   : type == G_TYPE_INT64 ? (double) json_node_get_int (node)
                                          : NAN;
    if (!(value >= 0 && value <= 1 + 1e-9))
      return fail (error, FORGE_ERROR_FORMAT,
          "%s: entry %u: expected a number from 0 to 1", name, c);
    (*values)[c] = value;
  }
  return TRUE;
}

static gboolean
read_confusion (JsonObject *object, ForgeBaseline *baseline, GError **error)
{
  gsize n = baseline->n_classes;
  const char *text = forge_json_string (object, "confusion");
  gsize n_words = text ? strlen (text) / 4 * 3 / 4 : 0;
  n_words -= n_words % 3;
  g_autofree uint32_t *words =
      read_base64 (object, "confusion", n_words, error);
  if (!words)
    return FALSE;
  baseline->confusion = g_try_new0 (uint32_t, n * n);
  if (!baseline->confusion)
    return fail (error, FORGE_ERROR_MEMORY,
        "no memory for the confusion of %" G_GSIZE_FORMAT " classes", n);
  for (gsize i = 0; i < n_words; i += 3) {
    if (words[i] >= n || words[i + 1] >= n)
      return fail (error, FORGE_ERROR_FORMAT,
          "confusion: entry %" G_GSIZE_FORMAT " is of classes %u and %u; there "
          "are %" G_GSIZE_FORMAT,
          i / 3, words[i], words[i + 1], n);
    baseline->confusion[words[i] * n + words[i + 1]] = words[i + 2];
  }
  return TRUE;
}

static gboolean
read_embedding (JsonObject *root, ForgeBaseline *baseline, GError **error)
{
  ForgeEmbedding *embedding = &baseline->embedding;
  JsonObject *object = forge_json_object (root, "embedding");
  gint64 n_features, n_dims;
  if (!json_object_has_member (root, "embedding"))
    return TRUE;
  if (!object)
    return fail (error, FORGE_ERROR_FORMAT, "embedding: expected an object");
  if (!read_count (object, "n_features", 1, MAX_FEATURES, &n_features, error) ||
      !read_count (object, "n_dims", 1,
          MIN (FORGE_EMBEDDING_MAX_DIMS, n_features), &n_dims, error) ||
      !read_number (object, "mean_residual", 1e-30, 1e30,
          &embedding->mean_residual, error))
    return FALSE;
  embedding->n_features = (guint) n_features;
  embedding->n_dims = (guint) n_dims;
  gsize dims = (gsize) n_dims, features = (gsize) n_features;
  return read_floats (
             object, "mean", features, NULL, &embedding->mean, error) &&
         read_floats (object, "components", dims * features, NULL,
             &embedding->components, error) &&
         read_floats (object, "class_means", dims * baseline->n_classes, NULL,
             &embedding->class_means, error) &&
         read_floats (object, "whitening", dims * dims, NULL,
             &embedding->whitening, error);
}

static gboolean
read_quantiles (JsonObject *root, ForgeBaseline *baseline, GError **error)
{
  JsonObject *object = forge_json_object (root, "quantiles");
  if (!object)
    return fail (error, FORGE_ERROR_FORMAT, "quantiles: expected an object");
  baseline->has_energy = json_object_has_member (object, "energy");
  for (guint i = 0; i < G_N_ELEMENTS (quantiles); i++) {
    float *to = (float *) G_STRUCT_MEMBER_P (baseline, quantiles[i].offset);
    if (!has_quantiles (baseline, i))
      continue;
    if (!read_floats (
            object, quantiles[i].name, FORGE_N_QUANTILES, to, NULL, error))
      return FALSE;
    for (guint q = 1; q < FORGE_N_QUANTILES; q++)
      if (to[q] < to[q - 1])
        return fail (error, FORGE_ERROR_FORMAT,
            "quantiles: %s: number %u is under the one before it",
            quantiles[i].name, q);
  }
  return TRUE;
}

static gboolean
read_counts (JsonObject *object, ForgeBaseline *baseline, GError **error)
{
  gint64 n_val, n_fit, n_classes, n_conditions;
  gint64 version = forge_json_int (object, "version", 0);
  if (version != FORGE_BASELINE_VERSION)
    return fail (error, FORGE_ERROR_UNSUPPORTED,
        "version %" G_GINT64_FORMAT "; version %d is read", version,
        FORGE_BASELINE_VERSION);
  if (!read_count (object, "n_val", 1, MAX_COUNT, &n_val, error) ||
      !read_count (object, "n_fit", 1, MAX_COUNT, &n_fit, error) ||
      !read_count (object, "n_classes", 2, MAX_CLASSES, &n_classes, error) ||
      !read_count (object, "n_conditions", 0, MAX_COUNT, &n_conditions, error))
    return FALSE;
  baseline->n_val = (uint64_t) n_val;
  baseline->n_fit = (uint64_t) n_fit;
  baseline->n_classes = (guint) n_classes;
  baseline->n_conditions = (guint) MIN (n_conditions, G_MAXUINT);
  return TRUE;
}

static gboolean
read_all (JsonObject *object, ForgeBaseline *baseline, GError **error)
{
  if (!read_counts (object, baseline, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (!read_number (object, numbers[i].name, numbers[i].least,
            numbers[i].most,
            (double *) G_STRUCT_MEMBER_P (baseline, numbers[i].offset), error))
      return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    G_STRUCT_MEMBER (char *, baseline, texts[i].offset) =
        g_strdup (forge_json_string (object, texts[i].name));
  for (gsize i = 0; i < G_N_ELEMENTS (shares); i++)
    if (!read_shares (object, shares[i].name, baseline->n_classes,
            (double **) G_STRUCT_MEMBER_P (baseline, shares[i].offset), error))
      return FALSE;
  return read_confusion (object, baseline, error) &&
         read_embedding (object, baseline, error) &&
         read_quantiles (object, baseline, error);
}

ForgeBaseline *
forge_baseline_parse (const char *text, gsize size_bytes, GError **error)
{
  g_return_val_if_fail (text, NULL);
  if (size_bytes > MAX_TEXT_BYTES) {
    fail (error, FORGE_ERROR_FORMAT,
        "%" G_GSIZE_FORMAT " bytes, expected at most %" G_GSIZE_FORMAT,
        size_bytes, MAX_TEXT_BYTES);
    return NULL;
  }
  g_autoptr (JsonNode) root =
      forge_json_parse (text, (gssize) size_bytes, "forge.baseline", error);
  if (!root)
    return NULL;
  if (!JSON_NODE_HOLDS_OBJECT (root)) {
    fail (error, FORGE_ERROR_FORMAT, "expected a JSON object");
    return NULL;
  }
  g_autoptr (ForgeBaseline) baseline = g_new0 (ForgeBaseline, 1);
  if (!read_all (json_node_get_object (root), baseline, error))
    return NULL;
  return g_steal_pointer (&baseline);
}
