/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge registry verify` and `export`: what concerns the bytes. */
#include <string.h>

#include "registry-command.h"
#include "registry-output.h"

static void
add_lines (JsonBuilder *builder, const char *name, const GPtrArray *lines)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new ();
  for (guint i = 0; i < lines->len; i++)
    g_ptr_array_add (texts, lines->pdata[i]);
  g_ptr_array_add (texts, NULL);
  output_add_strings (builder, name, (const char *const *) texts->pdata);
}

static void
print_findings (FILE *out, const ForgeVerifyResult *result)
{
  for (guint i = 0; i < result->problems->len; i++)
    fprintf (out, "%s\n", (const char *) result->problems->pdata[i]);
  for (guint i = 0; i < result->orphans->len; i++)
    fprintf (out, "orphan: %s\n", (const char *) result->orphans->pdata[i]);
  fprintf (out, "%u artifacts, %u wrong, %u orphans, %u removed\n",
      result->n_artifacts, result->problems->len, result->orphans->len,
      result->n_removed);
}

int
registry_verify (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  gboolean clean = FALSE;
  const GOptionEntry entries[] = {
    { "clean", 0, 0, G_OPTION_ARG_NONE, &clean,
        "remove orphans: files that no version needs, of registrations that "
        "died",
        NULL },
    { NULL },
  };
  int status = registry_parse ("verify",
      "Read the artifacts of all versions and compare their hashes. The exit"
      " status is 1 when\none is missing or has changed; orphans do no harm.",
      "", entries, &options, &argc, &argv);
  if (status >= 0)
    return status;
  if (registry_count (&options) > 0)
    return command_usage_error (
        "registry verify", "unexpected argument '%s'", options.rest[0]);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  g_autoptr (ForgeVerifyResult) result =
      registry ? forge_registry_verify (registry, clean, &error) : NULL;
  if (!result)
    return registry_fail ("verify", error);
  print_findings (output_text_stream (options.json), result);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  output_add_int (builder, "n_artifacts", result->n_artifacts);
  add_lines (builder, "problems", result->problems);
  add_lines (builder, "orphans", result->orphans);
  output_add_int (builder, "n_removed", result->n_removed);
  output_add_bool (builder, "passed", result->problems->len == 0);
  if (!output_write_json (builder, options.json, &error))
    return registry_fail ("verify", error);
  return result->problems->len > 0 ? COMMAND_REFUSED : COMMAND_OK;
}

int
registry_export (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  int status = registry_parse ("export",
      "Copy the file of a version, once its hash is right; OUT is replaced as a"
      " whole or\nnot at all.",
      "REFERENCE OUT", NULL, &options, &argc, &argv);
  if (status >= 0)
    return status;
  guint n_taken;
  g_autofree char *reference = registry_take_reference (&options, 1, &n_taken);
  if (!reference)
    return command_usage_error (
        "registry export", "a REFERENCE and OUT are needed");
  const char *path = options.rest[n_taken];
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  g_autoptr (ForgeModelVersion) version =
      registry ? forge_registry_find (registry, reference, &error) : NULL;
  if (!version || !forge_registry_export (registry, version, path, &error))
    return registry_fail ("export", error);
  g_autofree char *size = output_thousands (version->artifact_size_bytes);
  fprintf (output_text_stream (options.json),
      "%s: %s version %" G_GINT64_FORMAT ", %s bytes\n", path, version->name,
      version->version, size);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  output_add_string (builder, "path", path);
  json_builder_set_member_name (builder, "version");
  registry_add_version (builder, version);
  if (!output_write_json (builder, options.json, &error))
    return registry_fail ("export", error);
  return COMMAND_OK;
}
