/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The gate in front of an alias that things in production follow, and the
 * way back. There is no key that opens it regardless. */
#include "base/json.h"
#include "registry/internal.h"

/* FORGE_ERROR_REFUSED where @error says that the bytes are not right. */
static gboolean
check_artifact (
    ForgeRegistry *registry, const ForgeModelVersion *version, GError **error)
{
  GError *cause = NULL;
  g_autoptr (GBytes) bytes = forge_artifact_store_read (
      registry->store, version->artifact_sha256, TRUE, &cause);
  if (bytes)
    return TRUE;
  if (g_error_matches (cause, FORGE_ERROR, FORGE_ERROR_FORMAT) ||
      g_error_matches (cause, FORGE_ERROR, FORGE_ERROR_NOT_FOUND))
    cause->code = FORGE_ERROR_REFUSED;
  g_propagate_prefixed_error (error, cause,
      "model '%s' version %" G_GINT64_FORMAT " is not what was registered: ",
      version->name, version->version);
  return FALSE;
}

/* Every class under the floor, by name. */
static char *
list_low_classes (const ForgeModelVersion *version, double min_f1)
{
  const ForgeModelMetrics *metrics = &version->metrics;
  GString *text = g_string_new (NULL);
  g_autoptr (JsonNode) node =
      metrics->class_f1
          ? forge_json_parse (metrics->class_f1, -1, "class_f1", NULL)
          : NULL;
  JsonObject *object = node && JSON_NODE_HOLDS_OBJECT (node)
                           ? json_node_get_object (node)
                           : NULL;
  GList *names = object ? json_object_get_members (object) : NULL;
  for (GList *name = names; name; name = name->next) {
    double f1 = forge_json_double (object, name->data, 1);
    if (f1 < min_f1)
      g_string_append_printf (text, "%sclass '%s' has F1 %.4f",
          text->len ? ", " : "", (const char *) name->data, f1);
  }
  g_list_free (names);
  if (text->len == 0)
    g_string_append_printf (text, "class '%s' has F1 %.4f",
        metrics->worst_class ? metrics->worst_class : "?",
        metrics->min_class_f1);
  return g_string_free (text, FALSE);
}

static gboolean
check_floor (const ForgeModelVersion *version, double min_f1, GError **error)
{
  double least = version->metrics.min_class_f1;
  if (isnan (least)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_REFUSED,
        "model '%s' version %" G_GINT64_FORMAT
        " has no evaluation: measure it (gst-forge evaluate --json FILE) and "
        "register it with --metrics FILE",
        version->name, version->version);
    return FALSE;
  }
  if (least >= min_f1)
    return TRUE;
  g_autofree char *list = list_low_classes (version, min_f1);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_REFUSED,
      "model '%s' version %" G_GINT64_FORMAT " is under the floor of %.4f: %s",
      version->name, version->version, min_f1, list);
  return FALSE;
}

static ForgeModelVersion *
find_version (
    ForgeRegistry *registry, const char *name, gint64 version, GError **error)
{
  if (!forge_check_model_name (name, error))
    return NULL;
  g_autofree char *reference =
      g_strdup_printf ("%s/%" G_GINT64_FORMAT, name, version);
  return forge_registry_find (registry, reference, error);
}

typedef struct {
  ForgeRegistry *registry;
  const char *name, *alias;
  gint64 version;
  const char *sha256; /* of the bytes that were checked */
} Promotion;

/* A version does not change, but its model may have been deleted and begun
 * again since the check. */
static gboolean
is_as_checked (const Promotion *p, GError **error)
{
  g_autoptr (ForgeModelVersion) found =
      find_version (p->registry, p->name, p->version, error);
  if (!found)
    return FALSE;
  if (strcmp (found->artifact_sha256, p->sha256) == 0)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_REFUSED,
      "model '%s' version %" G_GINT64_FORMAT
      " was replaced by another while it was checked",
      p->name, p->version);
  return FALSE;
}

static gboolean
set_promoted (ForgeDb *db, gpointer user_data, GError **error)
{
  const Promotion *p = user_data;
  if (!forge_registry_lock_model (p->registry, p->name, error) ||
      !is_as_checked (p, error))
    return FALSE;
  gint64 previous;
  if (!forge_registry_read_alias (
          p->registry, p->name, p->alias, &previous, error))
    return FALSE;
  const ForgeAliasMove move = { p->name, p->alias, "promote", NULL,
    p->version };
  return previous == p->version ||
         forge_registry_move_alias (p->registry, &move, error);
}

gboolean
forge_registry_promote (ForgeRegistry *registry, const char *name,
    gint64 version, const ForgePromoteParams *params, GError **error)
{
  g_return_val_if_fail (registry, FALSE);
  const ForgePromoteParams standard = FORGE_PROMOTE_PARAMS_DEFAULT;
  if (!params)
    params = &standard;
  Promotion promotion = { registry, name,
    params->alias ? params->alias : FORGE_REGISTRY_CHAMPION, version, NULL };
  if (!forge_check_alias (promotion.alias, error))
    return FALSE;
  g_autoptr (ForgeModelVersion) found =
      find_version (registry, name, version, error);
  if (!found)
    return FALSE;
  promotion.sha256 = found->artifact_sha256;
  return check_artifact (registry, found, error) &&
         check_floor (found, params->min_f1, error) &&
         forge_db_transact (registry->db, set_promoted, &promotion, error);
}

/* The versions that the alias has stood for, without what was taken back:
 * the last one is where it points now. */
static GArray *
replay (const GPtrArray *changes, const char *alias)
{
  GArray *stack = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (guint i = 0; i < changes->len; i++) {
    const ForgeAliasChange *change = changes->pdata[i];
    if (g_strcmp0 (change->alias, alias) != 0)
      continue;
    gboolean back = g_strcmp0 (change->action, "rollback") == 0;
    while (back && stack->len > 0 &&
           g_array_index (stack, gint64, stack->len - 1) != change->version)
      g_array_set_size (stack, stack->len - 1);
    if (!back || stack->len == 0)
      g_array_append_val (stack, change->version);
  }
  return stack;
}

typedef struct {
  ForgeRegistry *registry;
  const char *name, *alias;
  gint64 version; /* where it went */
} Rollback;

static gboolean
exists (const Rollback *r, gint64 version)
{
  return version > 0 &&
         forge_registry_check_version (r->registry, r->name, version, NULL);
}

static gboolean
find_previous (Rollback *r, GError **error)
{
  g_autoptr (GPtrArray) changes =
      forge_registry_list_history (r->registry, r->name, error);
  gint64 now;
  if (!changes ||
      !forge_registry_read_alias (r->registry, r->name, r->alias, &now, error))
    return FALSE;
  g_autoptr (GArray) stack = replay (changes, r->alias);
  for (guint i = stack->len; i > 1; i--) {
    gint64 version = g_array_index (stack, gint64, i - 2);
    if (version == now || !exists (r, version))
      continue;
    r->version = version;
    return TRUE;
  }
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
      "%s: model '%s': alias '%s' has no earlier version to go back to",
      r->registry->db->name, r->name, r->alias);
  return FALSE;
}

static gboolean
roll_back (ForgeDb *db, gpointer user_data, GError **error)
{
  Rollback *r = user_data;
  if (!forge_registry_lock_model (r->registry, r->name, error) ||
      !find_previous (r, error))
    return FALSE;
  g_autoptr (ForgeModelVersion) found =
      find_version (r->registry, r->name, r->version, error);
  if (!found || !check_artifact (r->registry, found, error))
    return FALSE;
  const ForgeAliasMove move = { r->name, r->alias, "rollback", NULL,
    r->version };
  return forge_registry_move_alias (r->registry, &move, error);
}

gint64
forge_registry_rollback (ForgeRegistry *registry, const char *name,
    const char *alias, GError **error)
{
  g_return_val_if_fail (registry, 0);
  Rollback r = { registry, name, alias ? alias : FORGE_REGISTRY_CHAMPION, 0 };
  if (!forge_check_model_name (name, error) ||
      !forge_check_alias (r.alias, error) ||
      !forge_db_transact (registry->db, roll_back, &r, error))
    return 0;
  return r.version;
}
