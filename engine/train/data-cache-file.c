/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bytes of a cache file and its mapping; see data-cache.h.
 *   0    magic, 16 bytes
 *   16   key, 64 hexadecimal digits
 *   80   bytes of pixels, bytes of notes, checksum of both, 64 bits little
 *        endian each, then a checksum of the first 104 bytes
 *   4096 pixels, 64 zeros at least, up to a multiple of 64; then the notes
 * Checksums find damage, not malice: the folder is the user's own. */
#include "train/data-cache-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/reader.h"
#include "forge/error.h"

#define HEADER_BYTES 4096
#define SUMMED_BYTES 104
#define KEY_BYTES 64
#define TAIL_BYTES 64
#define MAX_NOTES_BYTES ((gsize) 1 << 30)

static const char magic[16] = "forge-decoded 1";

static uint64_t
mix (uint64_t sum, uint64_t word)
{
  sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
  return sum ^ sum >> 29;
}

/* Four sums side by side: as fast as memory. */
static uint64_t
checksum (const uint8_t *bytes, gsize n_bytes, uint64_t seed)
{
  uint64_t sums[4] = { seed, seed + 1, seed + 2, seed + 3 };
  gsize at = 0;
  for (; at + 32 <= n_bytes; at += 32) {
    uint64_t words[4];
    memcpy (words, bytes + at, 32);
    for (int i = 0; i < 4; i++)
      sums[i] = mix (sums[i], GUINT64_FROM_LE (words[i]));
  }
  for (; at < n_bytes; at++)
    sums[0] = mix (sums[0], bytes[at]);
  uint64_t all = n_bytes;
  for (int i = 0; i < 4; i++)
    all = mix (all, sums[i]);
  return all;
}

static uint64_t
checksum_view (const ForgeCacheView *view)
{
  return checksum (view->notes, view->notes_bytes,
      checksum (view->pixels, view->pixels_bytes, 1));
}

/* Where the notes begin; 0 beyond any memory. */
static gsize
notes_place (gsize pixels_bytes)
{
  if (pixels_bytes > G_MAXSIZE / 2)
    return 0;
  return HEADER_BYTES +
         (pixels_bytes + 2 * TAIL_BYTES - 1) / TAIL_BYTES * TAIL_BYTES;
}

static gboolean
refuse (GError **error, const char *what)
{
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT, "cache file: %s", what);
  return FALSE;
}

gboolean
forge_cache_parse (const uint8_t *bytes, gsize size_bytes, const char *key,
    ForgeCacheView *view, GError **error)
{
  ForgeReader reader;
  forge_reader_init (&reader, bytes, size_bytes);
  const uint8_t *found = forge_reader_take (&reader, sizeof magic);
  const uint8_t *found_key = forge_reader_take (&reader, KEY_BYTES);
  uint64_t pixels_bytes = forge_reader_u64le (&reader);
  uint64_t notes_bytes = forge_reader_u64le (&reader);
  uint64_t sum = forge_reader_u64le (&reader);
  if (reader.failed || size_bytes < HEADER_BYTES)
    return refuse (error, "truncated");
  if (memcmp (found, magic, sizeof magic) != 0)
    return refuse (error, "another kind of file, or of another version");
  g_assert (reader.pos_bytes == SUMMED_BYTES);
  if (checksum (bytes, SUMMED_BYTES, 0) != forge_reader_u64le (&reader))
    return refuse (error, "the header's checksum is wrong");
  if (key && strncmp (key, (const char *) found_key, KEY_BYTES) != 0)
    return refuse (error, "of other data");
  gsize place = notes_place (pixels_bytes);
  if (place == 0 || place > size_bytes || notes_bytes != size_bytes - place)
    return refuse (error, "truncated, or too long");
  *view = (ForgeCacheView) { bytes + HEADER_BYTES, pixels_bytes, bytes + place,
    notes_bytes };
  if (checksum_view (view) != sum)
    return refuse (error, "the checksum is wrong");
  return TRUE;
}

ForgeCacheMap *
forge_cache_map_file (const char *path, const char *key, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat info;
  void *address = MAP_FAILED;
  if (fd >= 0 && fstat (fd, &info) == 0 && S_ISREG (info.st_mode) &&
      info.st_size >= HEADER_BYTES)
    address = mmap (NULL, (gsize) info.st_size, PROT_READ, MAP_SHARED, fd, 0);
  if (fd >= 0)
    close (fd);
  if (address == MAP_FAILED) {
    refuse (error, "absent, or truncated");
    return NULL;
  }
  ForgeCacheMap *map = g_new0 (ForgeCacheMap, 1);
  *map = (ForgeCacheMap) { .address = address,
    .size_bytes = (gsize) info.st_size };
  if (!forge_cache_parse (address, map->size_bytes, key, &map->view, error))
    g_clear_pointer (&map, forge_cache_map_free);
  return map;
}

void
forge_cache_map_free (ForgeCacheMap *map)
{
  if (!map)
    return;
  munmap (map->address, map->size_bytes);
  g_free (map);
}

ForgeCacheBuilder *
forge_cache_builder_open (
    const char *folder, const char *key, gsize pixels_bytes)
{
  gsize size_bytes = notes_place (pixels_bytes);
  if (size_bytes == 0 || size_bytes > (gsize) G_MAXINT64)
    return NULL;
  g_autofree char *path = g_build_filename (folder, ".new-XXXXXX", NULL);
  int fd = g_mkstemp_full (path, O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0)
    return NULL;
  /* All of it now: a page that finds no room later is a fatal signal. */
  void *address = MAP_FAILED;
  if (posix_fallocate (fd, 0, (off_t) size_bytes) == 0)
    address =
        mmap (NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) {
    unlink (path);
    close (fd);
    return NULL;
  }
  ForgeCacheBuilder *builder = g_new (ForgeCacheBuilder, 1);
  *builder = (ForgeCacheBuilder) { .pixels = (uint8_t *) address + HEADER_BYTES,
    .pixels_bytes = pixels_bytes,
    .key = g_strdup (key),
    .path = g_steal_pointer (&path),
    .address = address,
    .size_bytes = size_bytes,
    .fd = fd };
  return builder;
}

/* All sums stand in the header, of which @header is the first page. */
static void
write_sums (uint8_t *header, const ForgeCacheView *view)
{
  uint64_t sum = GUINT64_TO_LE (checksum_view (view));
  memcpy (header + SUMMED_BYTES - sizeof sum, &sum, sizeof sum);
  sum = GUINT64_TO_LE (checksum (header, SUMMED_BYTES, 0));
  memcpy (header + SUMMED_BYTES, &sum, sizeof sum);
}

gboolean
forge_cache_seal (uint8_t *bytes, gsize size_bytes)
{
  ForgeReader reader;
  forge_reader_init (&reader, bytes, size_bytes);
  forge_reader_take (&reader, sizeof magic + KEY_BYTES);
  uint64_t pixels_bytes = forge_reader_u64le (&reader);
  uint64_t notes_bytes = forge_reader_u64le (&reader);
  gsize place = notes_place (pixels_bytes);
  if (reader.failed || size_bytes < HEADER_BYTES || place == 0 ||
      place > size_bytes || notes_bytes != size_bytes - place)
    return FALSE;
  const ForgeCacheView view = { bytes + HEADER_BYTES, pixels_bytes,
    bytes + place, notes_bytes };
  write_sums (bytes, &view);
  return TRUE;
}

/* The builder's pages are the file's, wherever that is cut or renamed. */
static gboolean
complete (const ForgeCacheBuilder *builder, gsize pixels_bytes,
    const void *notes, gsize notes_bytes)
{
  gsize place = notes_place (pixels_bytes);
  const ForgeCacheView view = { builder->pixels, pixels_bytes, notes,
    notes_bytes };
  memset (
      builder->pixels + pixels_bytes, 0, place - HEADER_BYTES - pixels_bytes);
  uint8_t *header = builder->address;
  uint64_t words[2] = { GUINT64_TO_LE (pixels_bytes),
    GUINT64_TO_LE (notes_bytes) };
  memcpy (header, magic, sizeof magic);
  memcpy (header + sizeof magic, builder->key, KEY_BYTES);
  memcpy (header + sizeof magic + KEY_BYTES, words, sizeof words);
  write_sums (header, &view);
  return ftruncate (builder->fd, (off_t) place) == 0 &&
         pwrite (builder->fd, notes, notes_bytes, (off_t) place) ==
             (ssize_t) notes_bytes;
}

gboolean
forge_cache_builder_complete (ForgeCacheBuilder *builder, const char *path,
    gsize pixels_bytes, const void *notes, gsize notes_bytes)
{
  g_assert (pixels_bytes <= builder->pixels_bytes);
  g_assert (strlen (builder->key) == KEY_BYTES);
  return notes_bytes <= MAX_NOTES_BYTES &&
         complete (builder, pixels_bytes, notes, notes_bytes) &&
         rename (builder->path, path) == 0;
}

void
forge_cache_builder_free (ForgeCacheBuilder *builder)
{
  if (!builder)
    return;
  munmap (builder->address, builder->size_bytes);
  close (builder->fd);
  unlink (builder->path); /* absent when it was renamed */
  g_free (builder->path);
  g_free (builder->key);
  g_free (builder);
}
