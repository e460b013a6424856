/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See tuning.h. The table is read once, at the first convolution that has a
 * choice; only names of known algorithms are taken from it. */
#include "ops/tuning.h"

#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/json.h"
#include "forge/error.h"
#include "forge/version.h"

#define MAX_FILE_BYTES (1 << 20)
#define MAX_CHOICES 4096

static const char *const algorithms[] = { "igemm", "winograd2x2", "winograd4x4",
  "winograd6x6" };

static struct {
  GMutex lock;
  gboolean is_read;
  GHashTable *choices; /* char* -> one of algorithms */
} table;

static _Thread_local const char *forced;

char *
forge_tuning_path (void)
{
  const char *path = g_getenv ("FORGE_TUNING");
  if (g_strcmp0 (path, "off") == 0)
    return NULL;
  return path && *path ? g_strdup (path)
                       : g_build_filename (g_get_user_cache_dir (), "gst-forge",
                             "tuning.json", NULL);
}

static const char *
known_algorithm (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (algorithms); i++)
    if (g_strcmp0 (algorithms[i], name) == 0)
      return algorithms[i];
  return NULL;
}

static gboolean
fits (JsonObject *root)
{
  g_autofree char *cpu = forge_cpu_model_name ();
  return g_strcmp0 (forge_json_string (root, "cpu"), cpu) == 0 &&
         g_strcmp0 (forge_json_string (root, "tier"), forge_cpu_tier ()) == 0 &&
         g_strcmp0 (forge_json_string (root, "version"), FORGE_VERSION) == 0;
}

static void
take_choices (JsonObject *choices)
{
  g_autoptr (GList) shapes = json_object_get_members (choices);
  for (GList *at = shapes; at; at = at->next) {
    const char *name = known_algorithm (forge_json_string (choices, at->data));
    if (name && g_hash_table_size (table.choices) < MAX_CHOICES)
      g_hash_table_insert (table.choices, g_strdup (at->data), (gpointer) name);
  }
}

/* A missing file is the usual case; one that cannot be read is said once. */
static void
read_file (void)
{
  g_autofree char *path = forge_tuning_path ();
  g_autoptr (GError) error = NULL;
  gsize size_bytes;
  table.is_read = TRUE;
  if (!path || !g_file_test (path, G_FILE_TEST_EXISTS))
    return;
  g_autofree char *text =
      forge_file_read (path, MAX_FILE_BYTES, &size_bytes, &error);
  g_autoptr (JsonNode) node =
      text ? forge_json_parse (text, (gssize) size_bytes, path, &error) : NULL;
  if (!node) {
    g_warning ("tuning is ignored: %s", error->message);
    return;
  }
  JsonObject *root =
      JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  JsonObject *choices =
      root && fits (root) ? forge_json_object (root, "choices") : NULL;
  if (choices)
    take_choices (choices);
}

/* With the lock held. */
static void
need_table (void)
{
  if (!table.choices)
    table.choices =
        g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (!table.is_read)
    read_file ();
}

const char *
forge_tuning_find (const char *shape)
{
  if (forced)
    return forced;
  g_mutex_lock (&table.lock);
  need_table ();
  const char *found = g_hash_table_lookup (table.choices, shape);
  g_mutex_unlock (&table.lock);
  return found;
}

void
forge_tuning_force (const char *algorithm)
{
  forced = algorithm;
}

void
forge_tuning_reload (void)
{
  g_mutex_lock (&table.lock);
  g_clear_pointer (&table.choices, g_hash_table_unref);
  table.is_read = FALSE;
  g_mutex_unlock (&table.lock);
}

static char *
to_json (gsize *size_bytes)
{
  g_autofree char *cpu = forge_cpu_model_name ();
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "cpu");
  json_builder_add_string_value (builder, cpu);
  json_builder_set_member_name (builder, "tier");
  json_builder_add_string_value (builder, forge_cpu_tier ());
  json_builder_set_member_name (builder, "version");
  json_builder_add_string_value (builder, FORGE_VERSION);
  json_builder_set_member_name (builder, "choices");
  json_builder_begin_object (builder);
  g_autoptr (GList) shapes = g_list_sort (
      g_hash_table_get_keys (table.choices), (GCompareFunc) strcmp);
  for (GList *at = shapes; at; at = at->next) {
    json_builder_set_member_name (builder, at->data);
    json_builder_add_string_value (
        builder, g_hash_table_lookup (table.choices, at->data));
  }
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  json_generator_set_root (generator, root);
  json_generator_set_pretty (generator, TRUE);
  return json_generator_to_data (generator, size_bytes);
}

gboolean
forge_tuning_save (GHashTable *choices, GError **error)
{
  g_autofree char *path = forge_tuning_path ();
  if (!path) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "FORGE_TUNING is 'off': there is no file to save to");
    return FALSE;
  }
  g_mutex_lock (&table.lock);
  need_table ();
  GHashTableIter iter;
  gpointer shape, name;
  g_hash_table_iter_init (&iter, choices);
  while (g_hash_table_iter_next (&iter, &shape, &name))
    g_hash_table_insert (
        table.choices, g_strdup (shape), (gpointer) known_algorithm (name));
  gsize size_bytes;
  g_autofree char *text = to_json (&size_bytes);
  g_mutex_unlock (&table.lock);
  g_autofree char *folder = g_path_get_dirname (path);
  g_mkdir_with_parents (folder, 0777);
  return forge_file_write (path, text, size_bytes, error);
}
