/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A new version. Its number comes from a counter in the row of the model,
 * which the transaction that adds one to it keeps locked: two writers never
 * get the same number, and one that gives up takes its number back with it. */
#include "base/json.h"
#include "registry/internal.h"

typedef struct {
  ForgeRegistry *registry;
  const ForgeRegisterParams *params;
  char *sha256, *run_command;
  gint64 now_ms, version;
} Registration;

static gboolean
take_number (Registration *r, GError **error)
{
  ForgeDb *db = r->registry->db;
  const ForgeDbValue params[] = { forge_db_text (r->params->name),
    forge_db_int (r->now_ms) };
  if (!forge_db_run (db,
          "INSERT INTO registered_models"
          " (name, creation_time, last_updated_time, last_version)"
          " VALUES ($1, $2, $2, 0) ON CONFLICT (name) DO NOTHING",
          params, 2, error))
    return FALSE;
  return forge_db_query_int (db,
      "UPDATE registered_models"
      " SET last_version = last_version + 1, last_updated_time = $2"
      " WHERE name = $1 RETURNING last_version",
      params, 2, 0, &r->version, error);
}

static gboolean
insert_version (const Registration *r, GError **error)
{
  const ForgeRegisterParams *p = r->params;
  const ForgeModelMetrics unknown = FORGE_MODEL_METRICS_DEFAULT;
  const ForgeModelMetrics *metrics = p->metrics ? p->metrics : &unknown;
  const ForgeDbValue params[] = {
    forge_db_text (p->name),
    forge_db_int (r->version),
    forge_db_int (r->now_ms),
    forge_db_text (p->user ? p->user : g_get_user_name ()),
    forge_db_text (p->description),
    forge_db_text (p->source),
    forge_db_text (r->run_command),
    forge_db_text (p->data_hash),
    forge_db_text (p->augmentation_config),
    forge_db_text (p->precision),
    forge_db_int_or_null (p->parent_version),
    forge_db_text (r->sha256),
    forge_db_real (metrics->val_accuracy),
    forge_db_real (metrics->test_accuracy),
    forge_db_real (metrics->macro_f1),
    forge_db_real (metrics->min_class_f1),
    forge_db_text (metrics->worst_class),
    forge_db_text (metrics->class_f1),
  };
  return forge_db_run (r->registry->db,
      "INSERT INTO model_versions (name, version, creation_time,"
      " last_updated_time, user_id, description, source, run_command,"
      " data_hash, augmentation_config, precision, parent_version,"
      " artifact_sha256, val_accuracy, test_accuracy, macro_f1, min_class_f1,"
      " worst_class, class_f1) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9,"
      " $10, $11, $12, $13, $14, $15, $16, $17, $18)",
      params, G_N_ELEMENTS (params), error);
}

static gboolean
insert_tags (const Registration *r, GError **error)
{
  for (const char *const *tag = r->params->tags; tag && *tag; tag++) {
    const char *equals = strchr (*tag, '=');
    g_autofree char *key = g_strndup (*tag, (gsize) (equals - *tag));
    const ForgeDbValue params[] = { forge_db_text (r->params->name),
      forge_db_int (r->version), forge_db_text (key),
      forge_db_text (equals + 1) };
    if (!forge_db_run (r->registry->db,
            "INSERT INTO model_version_tags (name, version, key, value)"
            " VALUES ($1, $2, $3, $4) ON CONFLICT (name, version, key)"
            " DO UPDATE SET value = excluded.value",
            params, 4, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
set_aliases (const Registration *r, GError **error)
{
  for (const char *const *a = r->params->aliases; a && *a; a++) {
    const ForgeAliasMove move = { r->params->name, *a, "register",
      r->params->user, r->version };
    if (!forge_registry_move_alias (r->registry, &move, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
add_version (ForgeDb *db, gpointer user_data, GError **error)
{
  Registration *r = user_data;
  const ForgeRegisterParams *p = r->params;
  return take_number (r, error) &&
         (p->parent_version == 0 || forge_registry_check_version (r->registry,
                                        p->name, p->parent_version, error)) &&
         forge_artifact_store_add (
             r->registry->store, r->sha256, p->bytes, error) &&
         insert_version (r, error) && insert_tags (r, error) &&
         set_aliases (r, error);
}

static gboolean
check_tags (const char *const *tags, GError **error)
{
  for (; tags && *tags; tags++) {
    const char *equals = strchr (*tags, '=');
    g_autofree char *key =
        equals ? g_strndup (*tags, (gsize) (equals - *tags)) : NULL;
    if (!equals) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
          "expected a tag of the form key=value, found '%s'", *tags);
      return FALSE;
    }
    if (!forge_check_tag (key, equals + 1, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
check_json (const char *text, const char *what, GError **error)
{
  if (!text)
    return TRUE;
  GError *cause = NULL;
  JsonNode *node = forge_json_parse (text, -1, what, &cause);
  if (node) {
    json_node_unref (node);
    return TRUE;
  }
  cause->code = FORGE_ERROR_ARGUMENT;
  g_propagate_error (error, cause);
  return FALSE;
}

static gboolean
check_texts (const ForgeRegisterParams *p, GError **error)
{
  const struct {
    const char *what, *text;
  } texts[] = { { "user", p->user }, { "description", p->description },
    { "source", p->source }, { "data hash", p->data_hash },
    { "augmentation config", p->augmentation_config },
    { "precision", p->precision },
    { "worst class", p->metrics ? p->metrics->worst_class : NULL },
    { "class F1", p->metrics ? p->metrics->class_f1 : NULL } };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    if (!forge_check_text (texts[i].text, texts[i].what, error))
      return FALSE;
  return check_json (p->augmentation_config, "augmentation config", error) &&
         (!p->metrics || check_json (p->metrics->class_f1, "class F1", error));
}

static gboolean
check_params (const ForgeRegisterParams *p, GError **error)
{
  if (!forge_check_model_name (p->name, error) ||
      !check_tags (p->tags, error) || !check_texts (p, error))
    return FALSE;
  for (const char *const *alias = p->aliases; alias && *alias; alias++)
    if (!forge_check_alias (*alias, error))
      return FALSE;
  if (p->parent_version >= 0)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "expected a parent version of 1 or more, found %" G_GINT64_FORMAT,
      p->parent_version);
  return FALSE;
}

static char *
find_command (const ForgeRegisterParams *p)
{
  if (p->run_command || !p->training)
    return g_strdup (p->run_command);
  g_autoptr (JsonNode) node =
      forge_json_parse (p->training, -1, "forge.training", NULL);
  return node && JSON_NODE_HOLDS_OBJECT (node)
             ? g_strdup (
                   forge_json_string (json_node_get_object (node), "command"))
             : NULL;
}

ForgeModelVersion *
forge_registry_register (
    ForgeRegistry *registry, const ForgeRegisterParams *params, GError **error)
{
  g_return_val_if_fail (registry && params && params->bytes, NULL);
  if (!check_params (params, error))
    return NULL;
  g_autofree char *sha256 =
      g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, params->bytes);
  g_autofree char *run_command = find_command (params);
  if (!forge_check_text (run_command, "run command", error))
    return NULL;
  Registration r = { registry, params, sha256, run_command,
    forge_registry_now_ms (), 0 };
  if (!forge_db_transact (registry->db, add_version, &r, error))
    return NULL;
  g_autofree char *reference =
      g_strdup_printf ("%s/%" G_GINT64_FORMAT, params->name, r.version);
  return forge_registry_find (registry, reference, error);
}
