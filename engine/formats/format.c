/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The door of the house for model files: tells what the bytes are, has the
 * right reader build the graph, and lets nothing in that does not sort and
 * infer. */
#include "formats/format.h"

#include "base/file.h"
#include "forge/error.h"
#include "formats/foreign.h"
#include "graph/stored-weights.h"

/* The protocol-buffer library counts in 32 bits. */
#define MAX_MODEL_BYTES ((size_t) G_MAXINT32)

#define FORMAT(name, extensions)                           \
  gboolean forge_##name##_probe (const uint8_t *, size_t); \
  ForgeGraph *forge_##name##_read (                        \
      const uint8_t *, size_t, const ForgeSource *, GError **);
#include "formats/formats.def"
#undef FORMAT

static const ForgeFormat formats[] = {
#define FORMAT(name, extensions) \
  { #name, extensions, forge_##name##_probe, forge_##name##_read },
#include "formats/formats.def"
#undef FORMAT
};

static const ForgeFormat *
find_format (const uint8_t *bytes, size_t size_bytes)
{
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    if (formats[i].probe (bytes, size_bytes))
      return &formats[i];
  return NULL;
}

static void
refuse (const char *name, const ForgeForeign *foreign, GError **error)
{
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: expected a model, found %s%s%s", name, foreign->what,
      *foreign->hint ? "; " : "", foreign->hint);
}

/* A graph that can be computed as it is stays as it is: sorted, with shapes.
 * One in other floats that we have no operators for, or that no picture could
 * be fed to, becomes one in float32. */
static ForgeGraph *
settle (ForgeGraph *read, GError **error)
{
  g_autoptr (ForgeGraph) graph = read;
  if (!forge_graph_sort (graph, error) ||
      !forge_graph_take_weights (graph, error))
    return NULL;
  g_autoptr (ForgeGraph) spare =
      forge_graph_has_other_floats (graph) ? forge_graph_copy (graph) : NULL;
  g_autoptr (GError) cause = NULL;
  gboolean ok = forge_graph_infer (graph, &cause);
  gboolean narrow = ok ? forge_graph_is_other_float_network (graph)
                       : cause->code == FORGE_ERROR_UNSUPPORTED;
  if (spare && narrow)
    return forge_graph_widen_floats (spare, error) &&
                   forge_graph_infer (spare, error)
               ? g_steal_pointer (&spare)
               : NULL;
  if (ok)
    return g_steal_pointer (&graph);
  g_propagate_error (error, g_steal_pointer (&cause));
  return NULL;
}

ForgeGraph *
forge_format_read_bytes (const void *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error)
{
  const ForgeFormat *format = find_format (bytes, size_bytes);
  if (!format) {
    ForgeForeign foreign =
        forge_foreign_identify (source->name, bytes, size_bytes);
    refuse (source->name, &foreign, error);
    return NULL;
  }
  ForgeGraph *read = format->read (bytes, size_bytes, source, error);
  if (!read)
    return NULL;
  ForgeGraph *graph = settle (read, error);
  if (!graph)
    g_prefix_error (error, "%s: ", source->name);
  return graph;
}

static ForgeGraph *
read_file (const char *path, gboolean portable, GError **error)
{
  const ForgeForeign *folder = NULL;
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    folder = forge_foreign_identify_folder (path);
  if (folder) {
    refuse (path, folder, error);
    return NULL;
  }
  size_t size_bytes;
  g_autofree void *bytes =
      forge_file_read (path, MAX_MODEL_BYTES, &size_bytes, error);
  if (!bytes)
    return NULL;
  g_autofree char *folder_path = g_path_get_dirname (path);
  ForgeSource source = {
    .name = path, .folder = folder_path, .portable = portable
  };
  return forge_format_read_bytes (bytes, size_bytes, &source, error);
}

ForgeGraph *
forge_format_read_file (const char *path, GError **error)
{
  return read_file (path, FALSE, error);
}

ForgeGraph *
forge_format_read_portable (const char *path, GError **error)
{
  return read_file (path, TRUE, error);
}
