/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What travels with a TensorFlow Lite model: labels from the archive behind
 * it, stored or deflated, the normalisation, description and signatures; and
 * what is damaged, missing or not supported, each in one clear error. The
 * files are made by make-tflite-metadata.py. */
#include <string.h>

#include "base/file.h"
#include "forge/error.h"
#include "formats/format.h"
#include "formats/zip.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeModelInfo, forge_model_info_free)

static uint8_t *
load (const char *name, size_t *size_bytes)
{
  g_autofree char *file = g_strconcat (name, ".tflite", NULL);
  g_autofree char *path = g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"),
      "tests", "fuzz", "corpus", "tflite", file, NULL);
  uint8_t *bytes = forge_file_read (path, 1u << 20, size_bytes, NULL);
  g_assert_nonnull (bytes);
  return bytes;
}

static ForgeGraph *
read_bytes (const uint8_t *bytes, size_t size_bytes, GError **error)
{
  const ForgeSource source = { .name = "made.tflite" };
  ForgeGraph *graph =
      forge_format_read_bytes (bytes, size_bytes, &source, error);
  return graph;
}

static const char *
get (const ForgeGraph *graph, const char *key)
{
  return g_hash_table_lookup (graph->metadata, key);
}

static void
labels_and_normalisation_are_read (void)
{
  size_t size_bytes;
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *bytes = load ("labelled", &size_bytes);
  g_autoptr (ForgeGraph) graph = read_bytes (bytes, size_bytes, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (get (graph, "tflite.name"), ==, "colours");
  g_assert_cmpstr (
      get (graph, "tflite.about"), ==, "tells three colours apart");
  g_assert_cmpstr (get (graph, "tflite.author"), ==, "gst-forge");
  g_assert_cmpstr (get (graph, "tflite.license"), ==, "LGPL");
  g_assert_cmpstr (get (graph, "tflite.description"), ==, "made for tests");
  g_assert_cmpstr (
      get (graph, "tflite.signatures"), ==, "serving_default(x) -> (y)");
  g_assert_cmpstr (get (graph, "tflite.label_file"), ==, "labels.txt");
  g_autoptr (ForgeModelInfo) info = forge_model_info_read (graph, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (info->version, ==, "v2");
  g_autofree char *labels = g_strjoinv ("|", info->labels);
  g_assert_cmpstr (labels, ==, "red|green|blue");
  const ForgePreprocess *p = &info->preprocess;
  static const float mean[] = { 127.5f, 120, 110 }, std[] = { 127.5f, 64, 32 };
  for (int c = 0; c < 3; c++) {
    g_assert_cmpfloat_with_epsilon (p->scale[c], 1 / std[c], 1e-7);
    g_assert_cmpfloat_with_epsilon (p->bias[c], -mean[c] / std[c], 1e-6);
  }
  g_assert_false (p->bgr);
  /* neither the values nor the colours had to be assumed */
  g_assert_cmpstr (
      info->assumptions, ==, "resized by centre-crop, resize filter antialias");
}

static void
deflated_labels_without_a_locale_win (void)
{
  size_t size_bytes;
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *bytes = load ("labelled-bytes", &size_bytes);
  g_autoptr (ForgeGraph) graph = read_bytes (bytes, size_bytes, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (
      get (graph, "forge.labels"), ==, "[\"red\",\"green\",\"blue\"]");
  /* bytes go in as they are */
  g_assert_cmpstr (get (graph, "forge.preprocess"), ==, "{\"colour\":\"rgb\"}");
  size_t length;
  g_autofree char *german = forge_zip_extract (
      bytes, size_bytes, "labels_de.txt", 100, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (german, ==, "Rot\nGr\303\274n\nBlau");
  g_assert_cmpuint (length, ==, strlen (german));
}

static uint8_t *
find (uint8_t *bytes, size_t size_bytes, const char *text, guint which)
{
  size_t n = strlen (text);
  for (size_t i = 0; i + n <= size_bytes; i++)
    if (memcmp (bytes + i, text, n) == 0 && which-- == 0)
      return bytes + i;
  g_assert_not_reached ();
}

/* A text of the file, its occurrence, a byte of it changed. */
static const struct {
  const char *what, *file, *text;
  guint which;
  gssize offset;
  uint8_t value;
  const char *error;
} damages[] = {
  { "another name", "labelled", "labels.txt", 0, 0, 'L',
      "made.tflite: the metadata: label file 'Labels.txt' is not in the "
      "model's archive" },
  { "no end record", "labelled", "PK\5\6", 0, 3, 7,
      "label file 'labels.txt' is not in the model's archive" },
  { "no header", "labelled", "PK\3\4", 1, 0, 'Q', "it has no header" },
  { "encrypted", "labelled", "PK\1\2", 1, 8, 1, "it is encrypted" },
  { "unknown packing", "labelled", "PK\1\2", 1, 10, 9, "packed in a way" },
  { "longer than the file", "labelled", "PK\1\2", 1, 22, 9,
      "its data are not all there" },
  { "unequal sizes", "labelled", "PK\1\2", 1, 24, 200, "another size" },
  { "huge", "labelled-bytes", "PK\1\2", 1, 27, 255, "more bytes than are" },
  { "a wrong length", "labelled-bytes", "PK\1\2", 1, 24, 200,
      "cannot be unpacked" },
};

static void
damaged_archive_is_refused (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (damages); i++) {
    size_t size_bytes;
    g_autoptr (GError) error = NULL;
    g_autofree uint8_t *bytes = load (damages[i].file, &size_bytes);
    find (bytes, size_bytes, damages[i].text,
        damages[i].which)[damages[i].offset] = damages[i].value;
    g_autoptr (ForgeGraph) graph = read_bytes (bytes, size_bytes, &error);
    g_test_message ("%s: %s", damages[i].what, error ? error->message : "-");
    g_assert_null (graph);
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
    g_assert_nonnull (strstr (error->message, damages[i].error));
  }
}

static void
all_that_is_not_supported_is_listed_at_once (void)
{
  size_t size_bytes;
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *bytes = load ("refused", &size_bytes);
  g_autoptr (ForgeGraph) graph = read_bytes (bytes, size_bytes, &error);
  g_assert_null (graph);
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
  g_assert_cmpstr (error->message, ==,
      "made.tflite: 3 kinds of operators not supported: "
      "LSTM version 1 (operator 0, 3), "
      "custom operator 'Sharpen' version 3 (operator 2, 7), "
      "builtin 127 version 1 (operator 6)");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(test) g_test_add_func ("/tflite-metadata/" #test, test)
  ADD (labels_and_normalisation_are_read);
  ADD (deflated_labels_without_a_locale_win);
  ADD (damaged_archive_is_refused);
  ADD (all_that_is_not_supported_is_listed_at_once);
  return g_test_run ();
}
