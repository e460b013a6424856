/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads versions: by number, by alias, all of a name. */
#include "base/json.h"
#include "registry/internal.h"

#define SELECT_VERSION                                                 \
  "SELECT v.name, v.version, v.creation_time, v.last_updated_time,"    \
  " v.user_id, v.description, v.source, v.run_command, v.data_hash,"   \
  " v.augmentation_config, v.precision, v.parent_version,"             \
  " v.artifact_sha256, a.size_bytes, v.val_accuracy, v.test_accuracy," \
  " v.macro_f1, v.min_class_f1, v.worst_class, v.class_f1"             \
  " FROM model_versions v JOIN artifacts a ON a.sha256 = v.artifact_sha256"

static char *
copy_text (const ForgeDbResult *result, guint row, guint column)
{
  return g_strdup (forge_db_get_text (result, row, column));
}

/* Others parse it with less care: what is nested too deep, or no JSON, is as
 * good as nothing. */
static char *
copy_json (const ForgeDbResult *result, guint row, guint column)
{
  const char *text = forge_db_get_text (result, row, column);
  g_autoptr (JsonNode) node =
      text ? forge_json_parse (text, -1, "registry", NULL) : NULL;
  return node ? g_strdup (text) : NULL;
}

/* In the order of SELECT_VERSION. */
static ForgeModelVersion *
read_row (const ForgeDbResult *result, guint row)
{
  ForgeModelVersion *version = g_new0 (ForgeModelVersion, 1);
  guint column = 0;
  version->name = copy_text (result, row, column++);
  version->version = forge_db_get_int (result, row, column++);
  version->creation_time_ms = forge_db_get_int (result, row, column++);
  version->last_updated_time_ms = forge_db_get_int (result, row, column++);
  version->user = copy_text (result, row, column++);
  version->description = copy_text (result, row, column++);
  version->source = copy_text (result, row, column++);
  version->run_command = copy_text (result, row, column++);
  version->data_hash = copy_text (result, row, column++);
  version->augmentation_config = copy_json (result, row, column++);
  version->precision = copy_text (result, row, column++);
  version->parent_version = forge_db_get_int (result, row, column++);
  version->artifact_sha256 = copy_text (result, row, column++);
  version->artifact_size_bytes = forge_db_get_int (result, row, column++);
  ForgeModelMetrics *metrics = &version->metrics;
  metrics->val_accuracy = forge_db_get_real (result, row, column++);
  metrics->test_accuracy = forge_db_get_real (result, row, column++);
  metrics->macro_f1 = forge_db_get_real (result, row, column++);
  metrics->min_class_f1 = forge_db_get_real (result, row, column++);
  metrics->worst_class = copy_text (result, row, column++);
  metrics->class_f1 = copy_json (result, row, column++);
  return version;
}

/* The rows of other tables that belong to it. */
static gboolean
read_rest (ForgeRegistry *registry, ForgeModelVersion *version, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (version->name),
    forge_db_int (version->version) };
  g_autoptr (ForgeDbResult) aliases = forge_db_query (registry->db,
      "SELECT alias FROM registered_model_aliases"
      " WHERE name = $1 AND version = $2 ORDER BY alias",
      params, 2, error);
  if (!aliases)
    return FALSE;
  g_autoptr (ForgeDbResult) tags = forge_db_query (registry->db,
      "SELECT key, value FROM model_version_tags"
      " WHERE name = $1 AND version = $2 ORDER BY key",
      params, 2, error);
  if (!tags)
    return FALSE;
  version->aliases = forge_registry_column (aliases, 0);
  version->tag_keys = forge_registry_column (tags, 0);
  version->tag_values = forge_registry_column (tags, 1);
  return TRUE;
}

/* A database that anybody may have written need not hold to its own rules. */
static gboolean
check_row (const ForgeRegistry *registry, const ForgeModelVersion *version,
    GError **error)
{
  if (version->name && version->version >= 1 &&
      version->artifact_size_bytes >= 0 &&
      forge_is_sha256 (version->artifact_sha256))
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: model '%s': expected a version with a number and a SHA-256, found "
      "%" G_GINT64_FORMAT " and '%s'",
      registry->db->name, version->name ? version->name : "", version->version,
      version->artifact_sha256 ? version->artifact_sha256 : "");
  return FALSE;
}

static GPtrArray *
select_versions (ForgeRegistry *registry, const char *sql,
    const ForgeDbValue *params, guint n_params, GError **error)
{
  g_autoptr (ForgeDbResult) result =
      forge_db_query (registry->db, sql, params, n_params, error);
  if (!result)
    return NULL;
  g_autoptr (GPtrArray) versions = g_ptr_array_new_with_free_func (
      (GDestroyNotify) forge_model_version_free);
  for (guint row = 0; row < result->n_rows; row++) {
    ForgeModelVersion *version = read_row (result, row);
    g_ptr_array_add (versions, version);
    if (!check_row (registry, version, error) ||
        !read_rest (registry, version, error))
      return NULL;
  }
  return g_steal_pointer (&versions);
}

GPtrArray *
forge_registry_list_versions (
    ForgeRegistry *registry, const char *name, GError **error)
{
  g_return_val_if_fail (registry && name, NULL);
  if (!forge_check_model_name (name, error))
    return NULL;
  const ForgeDbValue params[] = { forge_db_text (name) };
  int64_t n_models;
  if (!forge_db_query_int (registry->db,
          "SELECT COUNT(*) FROM registered_models WHERE name = $1", params, 1,
          0, &n_models, error))
    return NULL;
  if (n_models == 0) {
    forge_registry_no_model (registry, name, error);
    return NULL;
  }
  return select_versions (registry,
      SELECT_VERSION " WHERE v.name = $1 ORDER BY v.version", params, 1, error);
}

/* What a reference stands for, in one statement, so that nobody moves an
 * alias between two. */
static const char *
query_of (ForgeReferenceKind kind)
{
  switch (kind) {
  case FORGE_REFERENCE_VERSION:
    return SELECT_VERSION " WHERE v.name = $1 AND v.version = $2";
  case FORGE_REFERENCE_ALIAS:
    return SELECT_VERSION
        " JOIN registered_model_aliases l ON l.name = v.name"
        " AND l.version = v.version WHERE v.name = $1 AND l.alias = $2";
  case FORGE_REFERENCE_LATEST:
    return SELECT_VERSION " WHERE v.name = $1 ORDER BY v.version DESC LIMIT 1";
  default: /* the champion first, where there is one */
    return SELECT_VERSION
        " LEFT JOIN registered_model_aliases l ON l.name = v.name"
        " AND l.version = v.version AND l.alias = $2 WHERE v.name = $1"
        " ORDER BY CASE WHEN l.alias IS NULL THEN 1 ELSE 0 END, v.version DESC"
        " LIMIT 1";
  }
}

static void
explain_absence (
    ForgeRegistry *registry, const ForgeReference *reference, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (reference->name) };
  int64_t n_models;
  if (!forge_db_query_int (registry->db,
          "SELECT COUNT(*) FROM registered_models WHERE name = $1", params, 1,
          0, &n_models, error))
    return;
  if (n_models == 0)
    forge_registry_no_model (registry, reference->name, error);
  else if (reference->kind == FORGE_REFERENCE_ALIAS)
    forge_registry_no_alias (
        registry, reference->name, reference->alias, error);
  else
    forge_registry_no_version (
        registry, reference->name, reference->version, error);
}

ForgeModelVersion *
forge_registry_find (
    ForgeRegistry *registry, const char *reference, GError **error)
{
  g_return_val_if_fail (registry && reference, NULL);
  g_auto (ForgeReference) parsed = { 0 };
  if (!forge_reference_parse (&parsed, reference, error))
    return NULL;
  ForgeDbValue params[2] = { forge_db_text (parsed.name) };
  guint n_params = 2;
  if (parsed.kind == FORGE_REFERENCE_VERSION)
    params[1] = forge_db_int (parsed.version);
  else if (parsed.kind == FORGE_REFERENCE_ALIAS)
    params[1] = forge_db_text (parsed.alias);
  else if (parsed.kind == FORGE_REFERENCE_DEFAULT)
    params[1] = forge_db_text (FORGE_REGISTRY_CHAMPION);
  else
    n_params = 1;
  g_autoptr (GPtrArray) found = select_versions (
      registry, query_of (parsed.kind), params, n_params, error);
  if (!found)
    return NULL;
  if (found->len > 0)
    return g_ptr_array_steal_index (found, 0);
  explain_absence (registry, &parsed, error);
  return NULL;
}

GBytes *
forge_registry_read_artifact (
    ForgeRegistry *registry, const ForgeModelVersion *version, GError **error)
{
  g_return_val_if_fail (registry && version, NULL);
  GBytes *bytes = forge_artifact_store_read (
      registry->store, version->artifact_sha256, FALSE, error);
  if (!bytes)
    g_prefix_error (error,
        "model '%s' version %" G_GINT64_FORMAT " is not what was registered: ",
        version->name, version->version);
  return bytes;
}
