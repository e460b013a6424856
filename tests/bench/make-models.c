/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes the networks that compare measures as ONNX files, and as recipes
 * (peers/recipe.h) those that consist of layers that recipes have.
 *
 *   make-models FOLDER BATCH MODEL...    FOLDER/MODEL_bBATCH.onnx each
 */
#include <stdio.h>
#include <stdlib.h>

#include "formats/format.h"
#include "networks.h"
#include "recipe-write.h"

static gboolean
make (const char *folder, int batch, const char *name, GError **error)
{
  g_autoptr (ForgeGraph) graph = bench_network_graph (name, batch, error);
  g_autofree char *base = g_strdup_printf ("%s/%s_b%d", folder, name, batch);
  g_autofree char *path = g_strconcat (base, ".onnx", NULL);
  if (!graph || !forge_onnx_write (graph, path, error))
    return FALSE;
  g_autoptr (GError) problem = NULL;
  if (recipe_write (graph, base, &problem) ||
      g_error_matches (problem, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&problem));
  return FALSE;
}

int
main (int argc, char **argv)
{
  int batch = argc > 2 ? atoi (argv[2]) : 0;
  if (argc < 4 || batch < 1) {
    fprintf (stderr, "usage: make-models FOLDER BATCH MODEL...; models:");
    for (guint i = 0; bench_network_name (i); i++)
      fprintf (stderr, " %s", bench_network_name (i));
    fprintf (stderr, "\n");
    return 2;
  }
  for (int i = 3; i < argc; i++) {
    g_autoptr (GError) error = NULL;
    if (!make (argv[1], batch, argv[i], &error)) {
      fprintf (stderr, "make-models: %s\n", error->message);
      return 1;
    }
  }
  return 0;
}
