/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The folder of cached files: where it is, what may be in it, and what has to
 * go when it is full. See data-cache.h. */
#include "train/data-cache.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include <glib/gstdio.h>

#include "base/file.h"
#include "train/data-cache-file.h"

#define DEFAULT_BOUND_BYTES ((uint64_t) 8 << 30)
#define MAX_FACT_BYTES 4096
/* A builder that has not finished after a day never will. */
#define ABANDONED_S (24 * 60 * 60)

/* 0 = no cache. */
static uint64_t
get_bound (void)
{
  static const char units[] = "KMGT";
  const char *text = g_getenv ("FORGE_DATA_CACHE");
  if (!text || !*text)
    return DEFAULT_BOUND_BYTES;
  char *end = NULL;
  uint64_t value = g_ascii_strtoull (text, &end, 10);
  const char *unit = *end ? strchr (units, g_ascii_toupper (*end)) : NULL;
  gboolean good = g_ascii_isdigit (*text) && (!*end || (unit && !end[1]));
  int shift = unit ? 10 * (int) (unit - units + 1) : 0;
  if (good && value <= G_MAXUINT64 >> shift >> 1)
    return value << shift;
  g_message ("FORGE_DATA_CACHE: expected 0 or a size such as 4G, found '%s'; "
             "the cache is off",
      text);
  return 0;
}

/* The folder, made where it is wanted; NULL without a cache. */
static char *
get_folder (void)
{
  if (get_bound () == 0)
    return NULL;
  char *folder =
      g_build_filename (g_get_user_cache_dir (), "gst-forge", "decoded", NULL);
  if (g_mkdir_with_parents (folder, 0700) != 0)
    g_clear_pointer (&folder, g_free);
  return folder;
}

static char *
get_path (const char *key, const char *ending)
{
  g_autofree char *folder = get_folder ();
  g_autofree char *name = g_strconcat (key, ending, NULL);
  return folder ? g_build_filename (folder, name, NULL) : NULL;
}

ForgeCacheMap *
forge_cache_open (const char *key)
{
  g_autofree char *path = get_path (key, ".pixels");
  if (!path)
    return NULL;
  ForgeCacheMap *map = forge_cache_map_file (path, key, NULL);
  if (map)
    utime (path, NULL); /* used now: the last to go */
  return map;
}

typedef struct {
  char *path;
  uint64_t size_bytes;
  gint64 time_s;
} Entry;

static void
entry_clear (gpointer data)
{
  g_free (((Entry *) data)->path);
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const Entry *x = a, *y = b;
  return x->time_s != y->time_s ? (x->time_s < y->time_s ? -1 : 1)
                                : strcmp (x->path, y->path);
}

/* Oldest first; drops what a builder left behind. */
static GArray *
list_entries (const char *folder)
{
  GArray *entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_array_set_clear_func (entries, entry_clear);
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    GStatBuf info;
    if (g_lstat (path, &info) != 0 || !S_ISREG (info.st_mode))
      continue;
    if (g_str_has_prefix (name, ".new-")) {
      if (info.st_mtime + ABANDONED_S < time (NULL))
        g_unlink (path);
      continue;
    }
    Entry entry = { g_steal_pointer (&path), (uint64_t) info.st_size,
      info.st_mtime };
    g_array_append_val (entries, entry);
  }
  if (dir)
    g_dir_close (dir);
  g_array_sort (entries, compare_entries);
  return entries;
}

/* Makes room for @wanted_bytes. A file that goes stays whole for those who
 * have it mapped. */
static gboolean
make_room (const char *folder, uint64_t wanted_bytes)
{
  uint64_t bound = get_bound (), sum = wanted_bytes;
  if (wanted_bytes > bound)
    return FALSE;
  g_autoptr (GArray) entries = list_entries (folder);
  for (guint i = 0; i < entries->len; i++)
    sum += g_array_index (entries, Entry, i).size_bytes;
  for (guint i = 0; i < entries->len && sum > bound; i++) {
    const Entry *entry = &g_array_index (entries, Entry, i);
    if (g_unlink (entry->path) == 0)
      sum -= entry->size_bytes;
  }
  return sum <= bound;
}

ForgeCacheBuilder *
forge_cache_builder_new (const char *key, gsize pixels_bytes)
{
  g_autofree char *folder = get_folder ();
  if (!folder || !make_room (folder, pixels_bytes))
    return NULL;
  return forge_cache_builder_open (folder, key, pixels_bytes);
}

ForgeCacheMap *
forge_cache_builder_finish (ForgeCacheBuilder *builder, gsize pixels_bytes,
    const void *notes, gsize notes_bytes)
{
  g_autofree char *path = get_path (builder->key, ".pixels");
  if (!path || !forge_cache_builder_complete (
                   builder, path, pixels_bytes, notes, notes_bytes))
    return NULL;
  ForgeCacheMap *map = forge_cache_map_file (path, builder->key, NULL);
  if (map)
    forge_cache_builder_free (builder);
  return map;
}

/* A fact's file: the key, the value, a line each. */
char *
forge_cache_get_fact (const char *key)
{
  g_autofree char *path = get_path (key, ".fact");
  size_t size_bytes;
  g_autofree char *text =
      path ? forge_file_read (path, MAX_FACT_BYTES, &size_bytes, NULL) : NULL;
  g_auto (GStrv) lines = text ? g_strsplit (text, "\n", 3) : NULL;
  if (!lines || g_strv_length (lines) != 3 || strcmp (lines[0], key) != 0 ||
      lines[2][0])
    return NULL;
  return g_strdup (lines[1]);
}

void
forge_cache_set_fact (const char *key, const char *value)
{
  g_autofree char *path = get_path (key, ".fact");
  g_autofree char *text = g_strdup_printf ("%s\n%s\n", key, value);
  if (path && !strchr (value, '\n'))
    forge_file_write (path, text, strlen (text), NULL);
}
