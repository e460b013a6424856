/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge registry` alias, unalias, tag, describe, delete, promote,
 * rollback: what changes rows. Each says what it did in one line. */
#include <string.h>

#include "forge/error.h"
#include "registry-command.h"
#include "registry-output.h"

/* Text for people, and the version as it now is for programs. */
static int
report (const char *command, const RegistryOptions *options,
    ForgeRegistry *registry, const char *name, gint64 version,
    const char *sentence)
{
  fprintf (output_text_stream (options->json), "%s\n", sentence);
  if (!options->json)
    return COMMAND_OK;
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  output_add_string (builder, "name", name);
  if (version > 0) {
    g_autofree char *reference =
        g_strdup_printf ("%s/%" G_GINT64_FORMAT, name, version);
    g_autoptr (ForgeModelVersion) found =
        forge_registry_find (registry, reference, &error);
    if (!found)
      return registry_fail (command, error);
    json_builder_set_member_name (builder, "version");
    registry_add_version (builder, found);
  }
  if (!output_write_json (builder, options->json, &error))
    return registry_fail (command, error);
  return COMMAND_OK;
}

int
registry_alias (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  int status = registry_parse ("alias",
      "Point an alias at a version, whatever it stood for. Nothing is checked:"
      " 'promote' is\nthe way to a champion.",
      "REFERENCE ALIAS", NULL, &options, &argc, &argv);
  if (status >= 0)
    return status;
  guint n_taken;
  g_autofree char *reference = registry_take_reference (&options, 1, &n_taken);
  if (!reference)
    return command_usage_error (
        "registry alias", "a REFERENCE and an ALIAS are needed");
  const char *alias = options.rest[n_taken];
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  g_autoptr (ForgeModelVersion) found =
      registry ? forge_registry_find (registry, reference, &error) : NULL;
  if (!found || !forge_registry_set_alias (
                    registry, found->name, found->version, alias, &error))
    return registry_fail ("alias", error);
  g_autofree char *sentence = g_strdup_printf (
      "%s@%s is version %" G_GINT64_FORMAT, found->name, alias, found->version);
  return report (
      "alias", &options, registry, found->name, found->version, sentence);
}

int
registry_unalias (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  int status = registry_parse ("unalias", "Take an alias away.", "NAME ALIAS",
      NULL, &options, &argc, &argv);
  if (status >= 0)
    return status;
  guint n = registry_count (&options);
  const char *at = n == 1 ? strrchr (options.rest[0], '@') : NULL;
  if (n != 2 && !at)
    return command_usage_error (
        "registry unalias", "a NAME and an ALIAS are needed");
  g_autofree char *name =
      at ? g_strndup (options.rest[0], (gsize) (at - options.rest[0]))
         : g_strdup (options.rest[0]);
  const char *alias = at ? at + 1 : options.rest[1];
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  if (!registry || !forge_registry_set_alias (registry, name, 0, alias, &error))
    return registry_fail ("unalias", error);
  g_autofree char *sentence = g_strdup_printf ("%s@%s is no more", name, alias);
  return report ("unalias", &options, registry, name, 0, sentence);
}

static gboolean
set_tags (ForgeRegistry *registry, const char *name, gint64 version,
    char **tags, char **unset, GError **error)
{
  for (; *tags; tags++) {
    const char *equals = strchr (*tags, '=');
    if (!equals) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
          "expected KEY=VALUE, found '%s'", *tags);
      return FALSE;
    }
    g_autofree char *key = g_strndup (*tags, (gsize) (equals - *tags));
    if (!forge_registry_set_tag (
            registry, name, version, key, equals + 1, error))
      return FALSE;
  }
  for (; unset && *unset; unset++)
    if (!forge_registry_set_tag (registry, name, version, *unset, NULL, error))
      return FALSE;
  return TRUE;
}

int
registry_tag (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  g_auto (GStrv) unset = NULL;
  const GOptionEntry entries[] = {
    { "unset", 'u', 0, G_OPTION_ARG_STRING_ARRAY, &unset,
        "take this tag away; may be repeated", "KEY" },
    { NULL },
  };
  int status = registry_parse ("tag",
      "Set tags of a version, or with NAME alone of the model.",
      "NAME | REFERENCE KEY=VALUE…", entries, &options, &argc, &argv);
  if (status >= 0)
    return status;
  if (registry_count (&options) < (unset ? 1 : 2))
    return command_usage_error (
        "registry tag", "a NAME or REFERENCE and KEY=VALUE are needed");
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  gint64 version = 0;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  if (!registry ||
      !registry_find_target (
          registry, options.rest[0], &name, &version, &error) ||
      !set_tags (registry, name, version, options.rest + 1, unset, &error))
    return registry_fail ("tag", error);
  g_autofree char *sentence =
      g_strdup_printf ("%s: tags changed", options.rest[0]);
  return report ("tag", &options, registry, name, version, sentence);
}

int
registry_describe (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  int status = registry_parse ("describe",
      "Replace the description of a version, or with NAME alone of the model.",
      "NAME | REFERENCE TEXT", NULL, &options, &argc, &argv);
  if (status >= 0)
    return status;
  if (registry_count (&options) != 2)
    return command_usage_error (
        "registry describe", "a NAME or REFERENCE and a TEXT are needed");
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  gint64 version = 0;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  if (!registry ||
      !registry_find_target (
          registry, options.rest[0], &name, &version, &error) ||
      !forge_registry_set_description (
          registry, name, version, options.rest[1], &error))
    return registry_fail ("describe", error);
  g_autofree char *sentence =
      g_strdup_printf ("%s: description changed", options.rest[0]);
  return report ("describe", &options, registry, name, version, sentence);
}

int
registry_delete (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  gboolean all = FALSE;
  const GOptionEntry entries[] = {
    { "all", 0, 0, G_OPTION_ARG_NONE, &all,
        "delete the model NAME with all its versions", NULL },
    { NULL },
  };
  int status = registry_parse ("delete",
      "Delete a version; the numbers of the others stay. What an alias stands"
      " for is not\ndeleted: the exit status is 1.",
      "REFERENCE | NAME", entries, &options, &argc, &argv);
  if (status >= 0)
    return status;
  guint n_taken;
  g_autofree char *text = registry_take_reference (&options, 0, &n_taken);
  gboolean bare = text && !strpbrk (text, "/@");
  if (!text || bare != all)
    return command_usage_error ("registry delete",
        "a REFERENCE with its version is needed, or a NAME and --all");
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  gint64 version = 0;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  if (!registry ||
      !registry_find_target (registry, text, &name, &version, &error) ||
      !forge_registry_delete (registry, name, version, &error))
    return registry_fail ("delete", error);
  g_autofree char *sentence = g_strdup_printf ("%s is deleted", text);
  return report ("delete", &options, registry, name, 0, sentence);
}

int
registry_promote (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  g_autofree char *to = NULL;
  ForgePromoteParams params = FORGE_PROMOTE_PARAMS_DEFAULT;
  const GOptionEntry entries[] = {
    { "to", 0, 0, G_OPTION_ARG_STRING, &to, "alias to give (champion)",
        "ALIAS" },
    { "min-f1", 0, 0, G_OPTION_ARG_DOUBLE, &params.min_f1,
        "floor for the F1 of every class, 0 to 1 (0.70)", "F1" },
    { NULL },
  };
  int status = registry_parse ("promote",
      "Make a version the champion. The exit status is 1, and nothing changes,"
      " when a class\nis under the floor, when there is no evaluation, or when"
      " the file is not the one that\nwas registered.",
      "REFERENCE", entries, &options, &argc, &argv);
  if (status >= 0)
    return status;
  const CommandRange ranges[] = { { "--min-f1", params.min_f1, 0, 1 } };
  status = command_check_ranges ("registry promote", ranges, 1);
  if (status >= 0)
    return status;
  guint n_taken;
  g_autofree char *reference = registry_take_reference (&options, 0, &n_taken);
  if (!reference || !strpbrk (reference, "/@"))
    return command_usage_error (
        "registry promote", "a REFERENCE with its version or alias is needed");
  params.alias = to ? to : FORGE_REGISTRY_CHAMPION;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  g_autoptr (ForgeModelVersion) found =
      registry ? forge_registry_find (registry, reference, &error) : NULL;
  if (!found || !forge_registry_promote (
                    registry, found->name, found->version, &params, &error))
    return registry_fail ("promote", error);
  g_autofree char *sentence =
      g_strdup_printf ("%s@%s is version %" G_GINT64_FORMAT, found->name,
          params.alias, found->version);
  return report (
      "promote", &options, registry, found->name, found->version, sentence);
}

int
registry_rollback (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  g_autofree char *alias = NULL;
  const GOptionEntry entries[] = {
    { "alias", 'a', 0, G_OPTION_ARG_STRING, &alias,
        "which one to put back (champion)", "ALIAS" },
    { NULL },
  };
  int status = registry_parse ("rollback",
      "Put an alias back to the version it stood for before; again, one more"
      " back.",
      "NAME", entries, &options, &argc, &argv);
  if (status >= 0)
    return status;
  if (registry_count (&options) != 1)
    return command_usage_error (
        "registry rollback", "exactly one NAME is needed");
  const char *name = options.rest[0];
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  gint64 version =
      registry ? forge_registry_rollback (registry, name, alias, &error) : 0;
  if (!version)
    return registry_fail ("rollback", error);
  g_autofree char *sentence =
      g_strdup_printf ("%s@%s is version %" G_GINT64_FORMAT " again", name,
          alias ? alias : FORGE_REGISTRY_CHAMPION, version);
  return report ("rollback", &options, registry, name, version, sentence);
}
