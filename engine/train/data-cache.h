/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What decoding gave, kept for the next start: one memory-mapped file for a
 * (data set, size, preprocessing), which all processes share, and small facts
 * in one line. Below $XDG_CACHE_HOME/gst-forge/decoded; names are keys, hex
 * digits that say all that the contents depend on. Files are written beside
 * and renamed, so that a reader sees a whole one or none, and two builders at
 * once do no harm. What is damaged is as good as absent.
 *
 * FORGE_DATA_CACHE=0 turns it off; FORGE_DATA_CACHE=4G (K, M, G, T) bounds the
 * folder, 8G without: the files used longest ago go first. */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct {
  const uint8_t *pixels; /* 64 readable bytes follow */
  gsize pixels_bytes;
  const uint8_t *notes;
  gsize notes_bytes;
} ForgeCacheView;

/* Checks a whole file in memory, checksums too. @key NULL = any.
 * FORGE_ERROR_FORMAT. */
gboolean forge_cache_parse (const uint8_t *bytes, gsize size_bytes,
    const char *key, ForgeCacheView *view, GError **error);

typedef struct {
  ForgeCacheView view;
  void *address;
  gsize size_bytes;
} ForgeCacheMap;

/* The file of @key, mapped for reading; NULL when there is no good one. */
ForgeCacheMap *forge_cache_open (const char *key);
void forge_cache_map_free (ForgeCacheMap *map);

/* A file in the making: pixels is where they go. */
typedef struct {
  uint8_t *pixels;
  gsize pixels_bytes; /* there is room for */
  char *key, *path;   /* of the temporary file */
  void *address;
  gsize size_bytes;
  int fd;
} ForgeCacheBuilder;

/* NULL when there is to be no cache, or no room for it. */
ForgeCacheBuilder *forge_cache_builder_new (
    const char *key, gsize pixels_bytes);
/* Completes the file with the first @pixels_bytes, puts it in its place and
 * maps it; NULL when the disk is full or refuses. Frees @builder only then
 * when it succeeds. */
ForgeCacheMap *forge_cache_builder_finish (ForgeCacheBuilder *builder,
    gsize pixels_bytes, const void *notes, gsize notes_bytes);
/* Gives up, or @builder is NULL. */
void forge_cache_builder_free (ForgeCacheBuilder *builder);

/* One line of text that was found out at some cost. */
char *forge_cache_get_fact (const char *key);
void forge_cache_set_fact (const char *key, const char *value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeCacheMap, forge_cache_map_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeCacheBuilder, forge_cache_builder_free)
