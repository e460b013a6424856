/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge registry COMMAND`: versions of models, in SQL. Finds the
 * sub-command and calls it; what they share is here too. */
#include <stdio.h>
#include <string.h>

#include "forge/error.h"
#include "registry-command.h"

static const struct {
  const char *name, *arguments, *summary;
  int (*run) (int argc, char **argv);
} commands[] = {
  { "register", "MODEL --name NAME", "add a model file as the next version",
      registry_register },
  { "list", "[NAME]", "models, or the versions of one", registry_list },
  { "show", "NAME | REFERENCE", "all about a model or a version",
      registry_show },
  { "compare", "NAME V V... | REFERENCE...", "versions beside each other",
      registry_compare },
  { "promote", "REFERENCE", "make a version the champion, if it is fit",
      registry_promote },
  { "rollback", "NAME", "back to the champion before", registry_rollback },
  { "alias", "REFERENCE ALIAS", "point an alias at a version, unchecked",
      registry_alias },
  { "unalias", "NAME ALIAS", "take an alias away", registry_unalias },
  { "tag", "NAME | REFERENCE KEY=VALUE...", "set or take away tags",
      registry_tag },
  { "describe", "NAME | REFERENCE TEXT", "say in words what it is",
      registry_describe },
  { "verify", "", "compare all artifacts with their hashes", registry_verify },
  { "export", "REFERENCE OUT", "copy a version's file, checked",
      registry_export },
  { "delete", "REFERENCE | NAME --all", "delete a version or a model",
      registry_delete },
};

static const char help_tail[] =
    "\nA REFERENCE is NAME@ALIAS or NAME/VERSION (NAME/latest too), with or"
    " without\n'registry:' before it; NAME VERSION and NAME ALIAS, as two"
    " words, do as well. Where a\nversion is wanted, NAME alone is its "
    "champion,"
    " else its latest version. Every command\nof gst-forge that takes a MODEL,"
    " and the property model-file of forgeclassify, take\nregistry:NAME@ALIAS"
    " and the like; a file of such a name needs './' before it.\n\n"
    "The registry is --registry, else $FORGE_REGISTRY, else"
    " gst-forge/registry.db in\n$XDG_DATA_HOME (~/.local/share): the path of a"
    " SQLite file, or\npostgresql://USER@HOST/DATABASE. 'register' makes it"
    " where there is none. The files of\nmodels lie beside a SQLite file in"
    " FILE.artifacts; a server keeps them itself.\n\n"
    "Exit status: 0 success, 1 refused or found wrong (promote, rollback,"
    " delete, verify),\n2 wrong usage, 3 any other failure.\n";

static void
print_help (FILE *stream)
{
  fputs ("Usage:\n  gst-forge registry COMMAND [OPTION…] [ARGUMENT…]\n\n"
         "Keep versions of models, what is known of each, and which one is in"
         " use.\n\nCommands:\n",
      stream);
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    fprintf (stream, "  %-8s %-30s %s\n", commands[i].name,
        commands[i].arguments, commands[i].summary);
  fputs (help_tail, stream);
}

int
cmd_registry (int argc, char **argv)
{
  const char *word = argc > 1 ? argv[1] : NULL;
  if (!word) {
    print_help (stderr);
    return COMMAND_USAGE;
  }
  if (strcmp (word, "--help") == 0 || strcmp (word, "-h") == 0 ||
      strcmp (word, "help") == 0) {
    print_help (stdout);
    return COMMAND_OK;
  }
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (strcmp (commands[i].name, word) == 0)
      return commands[i].run (argc - 1, argv + 1);
  return command_usage_error ("registry", "there is no command '%s'", word);
}

void
registry_options_clear (RegistryOptions *options)
{
  g_clear_pointer (&options->location, g_free);
  g_clear_pointer (&options->json, g_free);
  g_clear_pointer (&options->rest, g_strfreev);
}

int
registry_parse (const char *name, const char *description,
    const char *arguments, const GOptionEntry *entries,
    RegistryOptions *options, int *argc, char ***argv)
{
  const GOptionEntry common[] = {
    { "registry", 0, 0, G_OPTION_ARG_FILENAME, &options->location,
        "SQLite file or postgresql:// URI ($FORGE_REGISTRY)", "WHERE" },
    { "json", 0, 0, G_OPTION_ARG_FILENAME, &options->json,
        "write a JSON document too; - is standard output", "FILE" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->rest,
        NULL, arguments },
  };
  g_autoptr (GArray) all = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  for (; entries && entries->long_name; entries++)
    g_array_append_vals (all, entries, 1);
  g_array_append_vals (all, common, G_N_ELEMENTS (common));
  g_autofree char *full = g_strdup_printf ("registry %s", name);
  return command_parse (
      full, description, (const GOptionEntry *) all->data, argc, argv);
}

guint
registry_count (const RegistryOptions *options)
{
  return options->rest ? g_strv_length (options->rest) : 0;
}

ForgeRegistry *
registry_open (
    const RegistryOptions *options, ForgeRegistryMode mode, GError **error)
{
  const ForgeRegistryParams params = { .location = options->location,
    .mode = mode };
  return forge_registry_open (&params, error);
}

int
registry_fail (const char *name, const GError *error)
{
  if (g_error_matches (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT)) {
    g_autofree char *full = g_strdup_printf ("registry %s", name);
    return command_usage_error (full, "%s", error->message);
  }
  int status = command_error ("%s", error->message);
  return g_error_matches (error, FORGE_ERROR, FORGE_ERROR_REFUSED)
             ? COMMAND_REFUSED
             : status;
}

char *
registry_make_reference (const char *name, const char *which)
{
  gboolean is_number =
      *which && strspn (which, G_CSET_DIGITS) == strlen (which);
  return g_strconcat (name, is_number ? "/" : "@", which, NULL);
}

char *
registry_take_reference (
    const RegistryOptions *options, guint n_after, guint *n_taken)
{
  guint n = registry_count (options);
  *n_taken = n > n_after ? n - n_after : 0;
  if (*n_taken == 1)
    return g_strdup (options->rest[0]);
  return *n_taken == 2
             ? registry_make_reference (options->rest[0], options->rest[1])
             : NULL;
}

gboolean
registry_find_target (ForgeRegistry *registry, const char *text, char **name,
    gint64 *version, GError **error)
{
  const char *bare = g_str_has_prefix (text, FORGE_REGISTRY_PREFIX)
                         ? text + strlen (FORGE_REGISTRY_PREFIX)
                         : text;
  *version = 0;
  if (!strpbrk (bare, "/@")) {
    *name = g_strdup (bare);
    return TRUE;
  }
  g_autoptr (ForgeModelVersion) found =
      forge_registry_find (registry, bare, error);
  if (!found)
    return FALSE;
  *name = g_strdup (found->name);
  *version = found->version;
  return TRUE;
}
