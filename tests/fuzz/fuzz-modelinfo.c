/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any text as what travels with a model: the first byte chooses between the
 * JSON values in the model's metadata, a .modelinfo beside it ('k') and the
 * labels that this one names ('f'). */
#include <glib/gstdio.h>
#include <unistd.h>

#include "forge/model.h"
#include "formats/format.h"
#include "fuzz.h"
#include "run/model.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeModelInfo, forge_model_info_free)

static ForgeGraph *
picture_graph (void)
{
  ForgeGraph *graph = forge_graph_new ("fuzz");
  ForgeShape shape = { .rank = 4, .dims = { -1, 3, 8, 8 } };
  ForgeValue *image =
      forge_graph_add_input (graph, "image", FORGE_FLOAT32, &shape);
  forge_graph_add_output (graph, image);
  return graph;
}

static void
check (const ForgeGraph *graph, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModelInfo) info = forge_model_info_read (graph, path, &error);
  g_assert_true (!info == !!error);
}

static void
put (const char *path, const char *text, size_t size_bytes)
{
  FILE *file = g_fopen (path, "wb");
  g_assert_nonnull (file);
  fwrite (text, 1, size_bytes, file);
  fclose (file);
}

static void
try_files (
    const ForgeGraph *graph, char kind, const char *text, size_t size_bytes)
{
  static const char names_labels[] =
      "[modelinfo]\nversion=1.0\n[image]\ndir=output\nlabels-file=labels\n";
  static char *folder;
  if (!folder)
    folder = g_dir_make_tmp ("forge-fuzz-XXXXXX", NULL);
  g_autofree char *model = g_build_filename (folder, "m.onnx", NULL);
  g_autofree char *path = g_build_filename (folder, "m.modelinfo", NULL);
  g_autofree char *labels = g_build_filename (folder, "labels", NULL);
  if (kind == 'k') {
    put (path, text, size_bytes);
  } else {
    put (path, names_labels, sizeof names_labels - 1);
    put (labels, text, size_bytes);
  }
  check (graph, model);
}

static void
try_baseline (ForgeGraph *graph)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model =
      forge_model_new_from_graph (graph, "fuzz", &error);
  g_assert_no_error (error);
  double confidence = forge_model_get_baseline_confidence (model);
  g_assert_true (confidence >= 0 && confidence <= 1);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  if (size_bytes == 0)
    return 0;
  g_autoptr (ForgeGraph) graph = picture_graph ();
  const char *start = (const char *) data + 1;
  if (data[0] == 'k' || data[0] == 'f') {
    try_files (graph, (char) data[0], start, size_bytes - 1);
    return 0;
  }
  g_autofree char *text = g_strndup (start, size_bytes - 1);
  /* The reader has refused metadata that is not UTF-8 long before. */
  if (!g_utf8_validate (text, -1, NULL))
    return 0;
  const char *key = data[0] == 'l'   ? "forge.labels"
                    : data[0] == 'd' ? "forge.drift"
                                     : "forge.preprocess";
  g_hash_table_insert (
      graph->metadata, g_strdup (key), g_steal_pointer (&text));
  if (data[0] == 'd')
    try_baseline (g_steal_pointer (&graph));
  else
    check (graph, NULL);
  return 0;
}
