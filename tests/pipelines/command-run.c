/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Spawning the command, and the folder that tests work in. */
#include "command-run.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>

static char *folder;

const char *
command_program (void)
{
  static char *path;
  if (!path)
    path = g_build_filename (g_getenv ("FORGE_BUILD_ROOT"), "pipelines",
        "gst-forge", "gst-forge", NULL);
  return path;
}

CommandResult
command_run (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *line = g_strdup_vprintf (format, args);
  va_end (args);
  g_autofree char *full = g_strdup_printf ("gst-forge %s", line);
  g_auto (GStrv) words = NULL;
  g_autoptr (GError) error = NULL;
  g_shell_parse_argv (full, NULL, &words, &error);
  g_assert_no_error (error);
  g_free (words[0]);
  words[0] = g_strdup (command_program ());
  CommandResult result = { 0 };
  int wait_status;
  g_spawn_sync (folder, words, NULL, G_SPAWN_DEFAULT, NULL, NULL, &result.out,
      &result.err, &wait_status, &error);
  g_assert_no_error (error);
  result.status = WIFEXITED (wait_status) ? WEXITSTATUS (wait_status) : -1;
  return result;
}

void
command_result_clear (CommandResult *result)
{
  g_free (result->out);
  g_free (result->err);
}

void
command_assert_status (const CommandResult *result, int status)
{
  if (result->status != status)
    g_error ("exit status %d instead of %d\n--- output\n%s--- errors\n%s",
        result->status, status, result->out, result->err);
}

JsonParser *
command_parse_json (const CommandResult *result)
{
  g_autoptr (GError) error = NULL;
  JsonParser *parser = json_parser_new ();
  json_parser_load_from_data (parser, result->out, -1, &error);
  g_assert_no_error (error);
  return parser;
}

JsonObject *
command_json_root (JsonParser *parser)
{
  JsonNode *root = json_parser_get_root (parser);
  g_assert_true (root && JSON_NODE_HOLDS_OBJECT (root));
  return json_node_get_object (root);
}

void
command_assert_members (
    JsonObject *object, const char *const *names, gsize n_names)
{
  for (gsize i = 0; i < n_names; i++)
    if (!json_object_has_member (object, names[i]))
      g_error ("the JSON document has no member \"%s\"", names[i]);
}

void
command_enter_folder (void)
{
  g_autoptr (GError) error = NULL;
  folder = g_dir_make_tmp ("gst-forge-XXXXXX", &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_chdir (folder), ==, 0);
}

static void
remove_all (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  if (dir) {
    const char *name;
    while ((name = g_dir_read_name (dir))) {
      g_autofree char *child = g_build_filename (path, name, NULL);
      remove_all (child);
    }
    g_dir_close (dir);
  }
  g_remove (path);
}

void
command_leave_folder (void)
{
  g_assert_cmpint (g_chdir ("/"), ==, 0);
  remove_all (folder);
  g_clear_pointer (&folder, g_free);
}
