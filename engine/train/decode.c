/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See decode.h. Each task decodes a run of items with an imager of its own,
 * right to where they belong; a run is all frames of a video, which are
 * decoded together, or a few dozen pictures. What failed is closed up
 * afterwards, so the result does not depend on the threads. */
#include "train/decode.h"

#include <string.h>

#include "base/alloc.h"
#include "base/pool.h"
#include "base/reader.h"
#include "train/data-source.h"

#define RUN_ITEMS 32

typedef struct {
  guint first, n;
} Run;

typedef struct {
  const ForgeDataset *dataset;
  const ForgePreprocess *preprocess;
  gsize picture_bytes;
  uint8_t *pixels;
  uint8_t *failed; /* [n_items] */
  const Run *runs;
  GMutex lock;
  guint error_item; /* the first that failed */
  GError *error;    /* of that one */
  GError *fatal;
} Job;

static uint32_t
file_of (const ForgeDataset *dataset, guint item)
{
  return g_array_index (dataset->items, ForgeDataItem, item).file;
}

static GArray *
make_runs (const ForgeDataset *dataset)
{
  GArray *runs = g_array_new (FALSE, FALSE, sizeof (Run));
  guint n = dataset->items->len;
  for (guint first = 0; first < n;) {
    uint32_t file = file_of (dataset, first);
    gboolean is_video = dataset->videos->data[file];
    guint end = first + 1;
    while (end < n &&
           (is_video ? file_of (dataset, end) == file
                     : end < first + RUN_ITEMS &&
                           !dataset->videos->data[file_of (dataset, end)]))
      end++;
    Run run = { first, end - first };
    g_array_append_val (runs, run);
    first = end;
  }
  return runs;
}

/* No fault of the picture: training on what is left would be another run. */
static gboolean
is_fatal (const GError *error)
{
  return g_error_matches (error, FORGE_ERROR, FORGE_ERROR_MEMORY) ||
         g_error_matches (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
}

static void
note_failure (Job *job, guint item, GError *error)
{
  job->failed[item] = 1;
  g_mutex_lock (&job->lock);
  GError **place = is_fatal (error) ? &job->fatal : &job->error;
  if (place == &job->error && item < job->error_item) {
    g_clear_error (place);
    job->error_item = item;
  }
  if (*place)
    g_error_free (error);
  else
    *place = error;
  g_mutex_unlock (&job->lock);
}

static gboolean
convert (const Job *job, ForgeImager *imager, guint item, GError **error)
{
  g_autoptr (ForgePicture) picture =
      forge_dataset_load (job->dataset, item, error);
  if (!picture)
    return FALSE;
  ForgeFrame frame = forge_picture_frame (picture);
  return forge_imager_convert (
      imager, &frame, job->pixels + item * job->picture_bytes, error);
}

static void
decode_run (void *user_data, int task)
{
  Job *job = user_data;
  const Run *run = &job->runs[task];
  g_autoptr (ForgeImager) imager = forge_imager_new (job->preprocess);
  for (guint i = run->first; i < run->first + run->n; i++) {
    GError *error = NULL;
    if (!convert (job, imager, i, &error))
      note_failure (job, i, error);
  }
}

/* Moves what is good together. Returns its number. */
static guint
close_up (const Job *job, ForgeLoader *loader)
{
  guint n = 0, n_items = job->dataset->items->len;
  loader->skipped = g_new (uint32_t, n_items + 1);
  for (guint i = 0; i < n_items; i++) {
    if (job->failed[i])
      loader->skipped[loader->n_skipped++] = i;
    else if (n++ < i)
      memmove (job->pixels + (n - 1) * job->picture_bytes,
          job->pixels + i * job->picture_bytes, job->picture_bytes);
  }
  return n;
}

static gboolean
decode_to (ForgeLoader *loader, const ForgeDataset *dataset,
    const ForgePreprocess *preprocess, int threads, uint8_t *pixels,
    GError **error)
{
  g_autoptr (GArray) runs = make_runs (dataset);
  g_autofree uint8_t *failed = g_malloc0 (dataset->items->len + 1);
  Job job = { .dataset = dataset,
    .preprocess = preprocess,
    .picture_bytes = (gsize) loader->width * (gsize) loader->height * 3,
    .pixels = pixels,
    .failed = failed,
    .runs = (const Run *) runs->data,
    .error_item = G_MAXUINT };
  g_mutex_init (&job.lock);
  forge_pool_run (threads, (int) runs->len, decode_run, &job);
  g_mutex_clear (&job.lock);
  loader->n_items = close_up (&job, loader);
  loader->skip_reason = job.error ? g_strdup (job.error->message) : NULL;
  g_clear_error (&job.error);
  if (job.fatal) {
    g_propagate_error (error, job.fatal);
    return FALSE;
  }
  return TRUE;
}

/* Notes of the cache file: the number of skipped items, these, 32 bits little
 * endian each, and the reason of the first. */
static GByteArray *
write_notes (const ForgeLoader *loader)
{
  GByteArray *notes = g_byte_array_new ();
  uint32_t word = GUINT32_TO_LE (loader->n_skipped);
  g_byte_array_append (notes, (const guint8 *) &word, sizeof word);
  for (guint i = 0; i < loader->n_skipped; i++) {
    word = GUINT32_TO_LE (loader->skipped[i]);
    g_byte_array_append (notes, (const guint8 *) &word, sizeof word);
  }
  if (loader->skip_reason)
    g_byte_array_append (notes, (const guint8 *) loader->skip_reason,
        (guint) strlen (loader->skip_reason));
  return notes;
}

static gboolean
read_notes (ForgeLoader *loader, const ForgeCacheView *view, guint n_items)
{
  ForgeReader reader;
  forge_reader_init (&reader, view->notes, view->notes_bytes);
  uint32_t n = forge_reader_u32le (&reader);
  gsize picture_bytes = (gsize) loader->width * (gsize) loader->height * 3;
  if (reader.failed || n > n_items ||
      view->pixels_bytes != (n_items - n) * picture_bytes)
    return FALSE;
  g_autofree uint32_t *skipped = g_new (uint32_t, n + 1);
  for (uint32_t i = 0; i < n; i++) {
    skipped[i] = forge_reader_u32le (&reader);
    if (reader.failed || skipped[i] >= n_items ||
        (i > 0 && skipped[i] <= skipped[i - 1]))
      return FALSE;
  }
  gsize left = forge_reader_left (&reader);
  if (n > 0)
    loader->skip_reason =
        g_strndup ((const char *) forge_reader_take (&reader, left), left);
  loader->n_items = n_items - n;
  loader->n_skipped = n;
  loader->skipped = g_steal_pointer (&skipped);
  return TRUE;
}

static gboolean
take_from_cache (ForgeLoader *loader, const char *key, guint n_items)
{
  g_autoptr (ForgeCacheMap) map = forge_cache_open (key);
  if (!map || !read_notes (loader, &map->view, n_items))
    return FALSE;
  loader->pixels = map->view.pixels;
  loader->map = g_steal_pointer (&map);
  loader->from_cache = TRUE;
  return TRUE;
}

static char *
make_key (const ForgeDataset *dataset, const ForgePreprocess *p)
{
  g_autofree char *text = g_strdup_printf ("pixels %d x %d %s %s %d", p->width,
      p->height, forge_resize_policy_name (p->policy),
      forge_resize_filter_name (p->filter), p->bgr);
  return forge_dataset_key (dataset, text);
}

static gboolean
decode_to_memory (ForgeLoader *loader, const ForgeDataset *dataset,
    const ForgePreprocess *preprocess, int threads, gsize size_bytes,
    GError **error)
{
  loader->own_pixels = forge_aligned_alloc (size_bytes);
  loader->pixels = loader->own_pixels;
  if (!loader->pixels) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "no memory for %u pictures of %d x %d", dataset->items->len,
        loader->width, loader->height);
    return FALSE;
  }
  return decode_to (
      loader, dataset, preprocess, threads, loader->own_pixels, error);
}

/* Into a file, which then is mapped; into memory when the disk refuses at the
 * very end. */
static gboolean
decode_to_cache (ForgeLoader *loader, const ForgeDataset *dataset,
    const ForgePreprocess *preprocess, int threads, ForgeCacheBuilder *builder,
    GError **error)
{
  g_autoptr (ForgeCacheBuilder) owned = builder;
  if (!decode_to (loader, dataset, preprocess, threads, builder->pixels, error))
    return FALSE;
  gsize size_bytes =
      loader->n_items * ((gsize) loader->width * (gsize) loader->height * 3);
  g_autoptr (GByteArray) notes = write_notes (loader);
  loader->map =
      forge_cache_builder_finish (owned, size_bytes, notes->data, notes->len);
  if (loader->map) {
    g_steal_pointer (&owned);
    loader->pixels = loader->map->view.pixels;
    return TRUE;
  }
  loader->n_skipped = 0;
  g_clear_pointer (&loader->skipped, g_free);
  g_clear_pointer (&loader->skip_reason, g_free);
  return decode_to_memory (
      loader, dataset, preprocess, threads, builder->pixels_bytes, error);
}

gboolean
forge_loader_decode (ForgeLoader *loader, const ForgeDataset *dataset,
    const ForgePreprocess *preprocess, int threads, GError **error)
{
  gsize size_bytes;
  guint n_items = dataset->items->len;
  if (!g_size_checked_mul (&size_bytes, n_items,
          (gsize) loader->width * (gsize) loader->height * 3)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "no memory for %u pictures of %d x %d", n_items, loader->width,
        loader->height);
    return FALSE;
  }
  g_autofree char *key = make_key (dataset, preprocess);
  if (take_from_cache (loader, key, n_items))
    return TRUE;
  ForgeCacheBuilder *builder = forge_cache_builder_new (key, size_bytes);
  if (builder)
    return decode_to_cache (
        loader, dataset, preprocess, threads, builder, error);
  return decode_to_memory (
      loader, dataset, preprocess, threads, size_bytes, error);
}
