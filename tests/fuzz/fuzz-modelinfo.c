/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any text as what travels with a model: the first byte chooses between the
 * two JSON values in the model's metadata and a .modelinfo beside it. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "formats/format.h"
#include "fuzz.h"

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
try_key_file (const ForgeGraph *graph, const char *text, size_t size_bytes)
{
  static char *folder;
  if (!folder)
    folder = g_dir_make_tmp ("forge-fuzz-XXXXXX", NULL);
  g_autofree char *model = g_build_filename (folder, "m.onnx", NULL);
  g_autofree char *path = g_build_filename (folder, "m.modelinfo", NULL);
  FILE *file = g_fopen (path, "wb");
  g_assert_nonnull (file);
  fwrite (text, 1, size_bytes, file);
  fclose (file);
  check (graph, model);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  if (size_bytes == 0)
    return 0;
  g_autoptr (ForgeGraph) graph = picture_graph ();
  const char *start = (const char *) data + 1;
  if (data[0] == 'k') {
    try_key_file (graph, start, size_bytes - 1);
    return 0;
  }
  char *text = g_strndup (start, size_bytes - 1);
  /* The reader has refused metadata that is not UTF-8 long before. */
  if (g_utf8_validate (text, -1, NULL)) {
    g_hash_table_insert (graph->metadata,
        g_strdup (data[0] == 'l' ? "forge.labels" : "forge.preprocess"), text);
    check (graph, NULL);
  } else {
    g_free (text);
  }
  return 0;
}
