/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See loader.h. Decoding and resizing happen once, before training (decode.c);
 * what is left for a step is to augment a batch, which prefetch.c has done
 * while the step before is computed. */
#include "train/loader.h"

#include <string.h>

#include "base/alloc.h"
#include "base/pool.h"
#include "train/data-source.h"
#include "train/decode.h"

static const uint8_t *
picture_at (const ForgeLoader *loader, gsize index)
{
  return loader->pixels + index * loader->item_bytes;
}

/* The picture's classes at the end of the sets. Returns their place. */
static uint32_t
add_set (GArray *sets, const ForgeDataset *dataset, guint item)
{
  uint32_t place = sets->len;
  guint n;
  const uint32_t *classes = forge_dataset_get_classes (dataset, item, &n);
  uint32_t count = n;
  g_array_append_val (sets, count);
  g_array_append_vals (sets, classes, n);
  return place;
}

/* Classes and the sorted order of what was not skipped. */
static void
list_items (ForgeLoader *loader, const ForgeDataset *dataset)
{
  guint n_all = forge_dataset_get_n_items (dataset), skip = 0, n = 0;
  loader->classes = g_new (uint32_t, n_all + 1);
  loader->order = g_new (uint32_t, n_all + 1);
  gboolean multi = forge_dataset_is_multi_label (dataset);
  GArray *sets = g_array_new (FALSE, FALSE, sizeof (uint32_t));
  for (guint i = 0; i < n_all; i++) {
    if (skip < loader->n_skipped && loader->skipped[skip] == i) {
      skip++;
      continue;
    }
    loader->classes[n] = multi ? add_set (sets, dataset, i)
                               : forge_dataset_get_class (dataset, i);
    loader->order[n] = n;
    n++;
  }
  loader->n_sets = sets->len;
  loader->sets = (uint32_t *) (void *) g_array_free (sets, !multi);
  g_assert (n == loader->n_items);
}

static gboolean
shows (const ForgeDataset *dataset, guint item, guint class_id)
{
  guint n;
  const uint32_t *classes = forge_dataset_get_classes (dataset, item, &n);
  for (guint i = 0; i < n; i++)
    if (classes[i] == class_id)
      return TRUE;
  return FALSE;
}

/* [n_classes]: pictures of each that were read (@counts[0]) or not. */
static void
count_classes (const ForgeLoader *loader, const ForgeDataset *dataset,
    guint *const counts[2])
{
  guint n_all = forge_dataset_get_n_items (dataset), skip = 0;
  for (guint i = 0; i < n_all; i++) {
    gboolean bad = skip < loader->n_skipped && loader->skipped[skip] == i;
    guint n;
    const uint32_t *classes = forge_dataset_get_classes (dataset, i, &n);
    skip += bad;
    for (guint k = 0; k < n; k++)
      counts[bad][classes[k]]++;
  }
}

static gboolean
fail_class (const ForgeLoader *loader, const ForgeDataset *dataset,
    guint class_id, guint n_bad, GError **error)
{
  guint i = 0;
  while (!shows (dataset, loader->skipped[i], class_id))
    i++;
  g_autofree char *name =
      forge_dataset_describe_item (dataset, loader->skipped[i]);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "class '%s': none of its %u pictures could be read, the first of them "
      "%s%s%s",
      forge_dataset_get_labels (dataset)[class_id], n_bad, name,
      i == 0 ? ": " : "", i == 0 ? loader->skip_reason : "");
  return FALSE;
}

/* A class that nothing can be learnt of is an error, a broken file is not. */
static gboolean
check_classes (
    const ForgeLoader *loader, const ForgeDataset *dataset, GError **error)
{
  guint n_classes = forge_dataset_get_n_classes (dataset);
  g_autofree guint *n_good = g_new0 (guint, n_classes + 1);
  g_autofree guint *n_bad = g_new0 (guint, n_classes + 1);
  count_classes (loader, dataset, (guint *[]) { n_good, n_bad });
  for (guint c = 0; c < n_classes; c++)
    if (n_good[c] == 0 && n_bad[c] > 0 &&
        (dataset->split == FORGE_SPLIT_TRAIN || loader->n_items == 0))
      return fail_class (loader, dataset, c, n_bad[c], error);
  /* only pictures without a class are left out */
  if (loader->n_items == 0)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "none of %u pictures could be read: %s", loader->n_skipped,
        loader->skip_reason);
  return loader->n_items > 0;
}

ForgeLoader *
forge_loader_new_features (
    const ForgeLoader *like, gsize item_bytes, guint n_variants, GError **error)
{
  g_autoptr (ForgeLoader) loader = g_new0 (ForgeLoader, 1);
  gsize n_rows, size_bytes, n = like->n_items;
  *loader = (ForgeLoader) { .n_items = like->n_items,
    .n_targets = like->n_targets,
    .item_bytes = item_bytes,
    .n_variants = n_variants,
    .classes = g_memdup2 (like->classes, n * sizeof *like->classes),
    .sets = like->sets ? g_memdup2 (like->sets, like->n_sets * 4) : NULL,
    .n_sets = like->n_sets,
    .order = g_new (uint32_t, n) };
  if (g_size_checked_mul (&n_rows, n, n_variants) &&
      g_size_checked_mul (&size_bytes, n_rows, item_bytes))
    loader->own_pixels = forge_aligned_alloc (size_bytes);
  if (!loader->own_pixels) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "no memory for %u times %u features of %zu bytes", n_variants,
        like->n_items, item_bytes);
    return NULL;
  }
  loader->pixels = loader->own_pixels;
  for (guint i = 0; i < like->n_items; i++)
    loader->order[i] = i;
  return g_steal_pointer (&loader);
}

ForgeLoader *
forge_loader_new (const ForgeDataset *dataset,
    const ForgePreprocess *preprocess, int threads, GError **error)
{
  g_assert (preprocess->dtype == FORGE_UINT8 && preprocess->channels == 3 &&
            !preprocess->nchw);
  g_autoptr (ForgeLoader) loader = g_new0 (ForgeLoader, 1);
  loader->width = preprocess->width;
  loader->height = preprocess->height;
  loader->n_targets = forge_dataset_get_n_classes (dataset);
  loader->item_bytes = (gsize) loader->width * (gsize) loader->height * 3;
  if (!forge_loader_decode (loader, dataset, preprocess, threads, error))
    return NULL;
  list_items (loader, dataset);
  if (!check_classes (loader, dataset, error))
    return NULL;
  if (loader->n_skipped > 0)
    g_message ("%s: %u of %u pictures could not be read and are left out; %s",
        dataset->spec, loader->n_skipped, dataset->items->len,
        loader->skip_reason);
  return g_steal_pointer (&loader);
}

void
forge_loader_free (ForgeLoader *loader)
{
  if (!loader)
    return;
  forge_aligned_free (loader->own_pixels);
  forge_cache_map_free (loader->map);
  g_free (loader->classes);
  g_free (loader->sets);
  g_free (loader->order);
  g_free (loader->skipped);
  g_free (loader->skip_reason);
  g_free (loader);
}

/* Neither part changes its own order. */
static void
move_behind (ForgeLoader *loader, const uint8_t *last)
{
  guint n = 0, n_moved = 0;
  g_autofree uint32_t *moved = g_new (uint32_t, loader->n_items);
  for (guint i = 0; i < loader->n_items; i++) {
    uint32_t item = loader->order[i];
    if (last[item])
      moved[n_moved++] = item;
    else
      loader->order[n++] = item;
  }
  memcpy (loader->order + n, moved, n_moved * sizeof *moved);
}

void
forge_loader_shuffle (ForgeLoader *loader, uint64_t seed, const uint8_t *last)
{
  ForgeRng rng;
  forge_rng_seed (&rng, seed);
  for (guint i = 0; i < loader->n_items; i++)
    loader->order[i] = i;
  forge_rng_shuffle (&rng, loader->order, loader->n_items);
  if (last)
    move_behind (loader, last);
}

/* Items of a batch that one task prepares. */
#define BATCH_CHUNK 16

typedef struct {
  const ForgeLoader *loader;
  const ForgeBatchRule *rule;
  guint first, n;
  uint8_t *pixels, *pure; /* pure: before blending; = pixels without */
  float *targets;
} BatchJob;

static uint32_t
item_at (const BatchJob *job, guint i)
{
  const ForgeLoader *loader = job->loader;
  return loader->order[(job->first + i) % loader->n_items];
}

/* Drawn once for all epochs, then the other way round in every second. */
static gboolean
is_mirrored (const ForgeBatchRule *rule, uint32_t item)
{
  ForgeRng rng;
  forge_rng_seed_at (&rng, rule->flip_seed, item);
  return forge_rng_below (&rng, 2) != (uint32_t) (rule->epoch % 2);
}

static void
augment_chunk (void *user_data, int task)
{
  const BatchJob *job = user_data;
  const ForgeLoader *loader = job->loader;
  gsize size_bytes = loader->item_bytes;
  guint first = (guint) task * BATCH_CHUNK;
  for (guint i = first; i < MIN (first + BATCH_CHUNK, job->n); i++) {
    uint32_t item = item_at (job, i);
    uint8_t *out = job->pure + i * size_bytes;
    if (!job->rule) {
      memcpy (out, picture_at (loader, item), size_bytes);
      continue;
    }
    ForgeRng rng;
    forge_rng_seed_at (&rng, job->rule->seed, item);
    if (loader->n_variants > 0) {
      gsize variant = forge_rng_below (&rng, loader->n_variants);
      memcpy (out, picture_at (loader, variant * loader->n_items + item),
          size_bytes);
      continue;
    }
    forge_augment (&job->rule->augment, &rng, is_mirrored (job->rule, item),
        picture_at (loader, item), loader->width, loader->height, out);
  }
}

/* @part of what is true of the item. */
static void
add_target (const BatchJob *job, guint i, uint32_t item, float part)
{
  const ForgeLoader *loader = job->loader;
  guint n = loader->n_targets;
  float *row = job->targets + (gsize) i * n;
  uint32_t class_id = loader->classes[item];
  if (loader->sets) {
    const uint32_t *set = loader->sets + class_id;
    for (uint32_t k = 1; k <= set[0]; k++)
      row[set[k]] += part;
  } else if (n == 1) {
    row[0] += part * (float) class_id;
  } else {
    row[class_id] += part;
  }
}

/* A picture is blended with the one half a batch away: their order is random
 * already. */
static void
blend_chunk (void *user_data, int task)
{
  const BatchJob *job = user_data;
  const ForgeLoader *loader = job->loader;
  gsize size_bytes = loader->item_bytes;
  guint begin = (guint) task * BATCH_CHUNK;
  for (guint i = begin; i < MIN (begin + BATCH_CHUNK, job->n); i++) {
    guint other = (i + job->n / 2) % job->n;
    uint32_t item = item_at (job, i);
    ForgeRng rng;
    forge_rng_seed_at (&rng, job->rule->mixup_seed, item);
    float part = (float) forge_draw_beta (&rng, job->rule->mixup);
    const uint8_t *a = job->pure + i * size_bytes;
    const uint8_t *b = job->pure + other * size_bytes;
    uint8_t *out = job->pixels + i * size_bytes;
    for (gsize k = 0; k < size_bytes; k++)
      out[k] = (uint8_t) (part * a[k] + (1 - part) * b[k] + 0.5f);
    add_target (job, i, item, part);
    add_target (job, i, item_at (job, other), 1 - part);
  }
}

void
forge_loader_get (const ForgeLoader *loader, guint first, guint n,
    const ForgeBatchRule *rule, int threads, uint8_t *pixels, float *targets)
{
  gboolean blends = rule && rule->mixup > 0;
  gsize size_bytes = n * loader->item_bytes;
  g_autofree uint8_t *pure = blends ? g_malloc (size_bytes) : NULL;
  BatchJob job = { .loader = loader,
    .rule = rule,
    .first = first,
    .n = n,
    .pixels = pixels,
    .pure = blends ? pure : pixels,
    .targets = targets };
  int n_tasks = (int) ((n + BATCH_CHUNK - 1) / BATCH_CHUNK);
  forge_pool_run (threads, n_tasks, augment_chunk, &job);
  memset (targets, 0, (gsize) n * loader->n_targets * sizeof *targets);
  if (blends) {
    forge_pool_run (threads, n_tasks, blend_chunk, &job);
    return;
  }
  for (guint i = 0; i < n; i++)
    add_target (&job, i, item_at (&job, i), 1);
}
