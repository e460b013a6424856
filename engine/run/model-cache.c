/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entries are weak: the cache holds no reference. The last reference is given
 * up under the lock, so a model that is found is never on its way out. */
#include "run/model-cache.h"

#include <sys/stat.h>

static struct {
  GMutex lock;
  GHashTable *models; /* key -> ForgeModel* */
} cache;

static void
append_stat (GString *key, const struct stat *info)
{
  g_string_append_printf (key,
      "%ju:%ju:%jd:%jd.%09ld:", (uintmax_t) info->st_dev,
      (uintmax_t) info->st_ino, (intmax_t) info->st_size,
      (intmax_t) info->st_mtim.tv_sec, info->st_mtim.tv_nsec);
}

char *
forge_model_cache_key (const char *path)
{
  if (g_str_equal (path, FORGE_MODEL_EMBEDDED))
    return g_strdup (FORGE_MODEL_EMBEDDED);
  struct stat info;
  if (stat (path, &info) != 0)
    return NULL;
  g_autoptr (GString) key = g_string_new (NULL);
  append_stat (key, &info);
  g_autofree char *beside = g_strconcat (path, ".modelinfo", NULL);
  if (stat (beside, &info) == 0)
    append_stat (key, &info);
  g_string_append (key, path);
  return g_string_free (g_steal_pointer (&key), FALSE);
}

static ForgeModel *
find_locked (const char *key)
{
  ForgeModel *model =
      cache.models ? g_hash_table_lookup (cache.models, key) : NULL;
  return model ? forge_model_ref (model) : NULL;
}

ForgeModel *
forge_model_cache_find (const char *key)
{
  g_mutex_lock (&cache.lock);
  ForgeModel *model = find_locked (key);
  g_mutex_unlock (&cache.lock);
  return model;
}

ForgeModel *
forge_model_cache_add (const char *key, ForgeModel *model)
{
  g_mutex_lock (&cache.lock);
  ForgeModel *other = find_locked (key);
  if (!other) {
    if (!cache.models)
      cache.models =
          g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_insert (cache.models, g_strdup (key), model);
  }
  g_mutex_unlock (&cache.lock);
  if (!other)
    return model;
  forge_model_unref (model);
  return other;
}

static gboolean
is_model (gpointer key, gpointer entry, gpointer model)
{
  return entry == model;
}

gboolean
forge_model_cache_release (ForgeModel *model, gint *ref_count)
{
  gint count = g_atomic_int_get (ref_count);
  while (count > 1) {
    if (g_atomic_int_compare_and_exchange (ref_count, count, count - 1))
      return FALSE;
    count = g_atomic_int_get (ref_count);
  }
  g_mutex_lock (&cache.lock);
  gboolean last = g_atomic_int_dec_and_test (ref_count);
  if (last && cache.models)
    g_hash_table_foreach_remove (cache.models, is_model, model);
  if (last && cache.models && g_hash_table_size (cache.models) == 0)
    g_clear_pointer (&cache.models, g_hash_table_unref);
  g_mutex_unlock (&cache.lock);
  return last;
}
