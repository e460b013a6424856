/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See loader.h. Decoding and resizing happen once, before training; what is
 * left for a step, copying and augmenting a batch, takes microseconds, so no
 * thread runs ahead of the training loop. */
#include "train/loader.h"

#include <string.h>

#include "base/alloc.h"
#include "base/pool.h"
#include "forge/error.h"

/* Pictures that share an imager and its tables. */
#define CHUNK 256

typedef struct {
  ForgeLoader *loader;
  const ForgeDataset *dataset;
  const ForgePreprocess *preprocess;
  GMutex lock;
  GError *error;
} Job;

static uint8_t *
picture_at (const ForgeLoader *loader, gsize index)
{
  return loader->pixels +
         index * (gsize) loader->width * (gsize) loader->height * 3;
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
      imager, &frame, picture_at (job->loader, item), error);
}

static void
convert_chunk (void *user_data, int task)
{
  Job *job = user_data;
  g_autoptr (ForgeImager) imager = forge_imager_new (job->preprocess);
  guint first = (guint) task * CHUNK;
  guint end = MIN (first + CHUNK, job->loader->n_items);
  GError *error = NULL;
  for (guint i = first; i < end && !error; i++) {
    job->loader->classes[i] = forge_dataset_get_class (job->dataset, i);
    convert (job, imager, i, &error);
  }
  if (!error)
    return;
  g_mutex_lock (&job->lock);
  if (job->error)
    g_error_free (error);
  else
    job->error = error;
  g_mutex_unlock (&job->lock);
}

ForgeLoader *
forge_loader_new (const ForgeDataset *dataset,
    const ForgePreprocess *preprocess, int threads, GError **error)
{
  g_assert (preprocess->dtype == FORGE_UINT8 && preprocess->channels == 3);
  guint n = forge_dataset_get_n_items (dataset);
  g_autoptr (ForgeLoader) loader = g_new0 (ForgeLoader, 1);
  *loader = (ForgeLoader) { .n_items = n,
    .width = preprocess->width,
    .height = preprocess->height,
    .classes = g_new (uint32_t, n),
    .order = g_new (uint32_t, n) };
  gsize size_bytes;
  if (g_size_checked_mul (
          &size_bytes, n, (gsize) loader->width * (gsize) loader->height * 3))
    loader->pixels = forge_aligned_alloc (size_bytes);
  if (!loader->pixels) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "no memory for %u pictures of %d x %d", n, loader->width,
        loader->height);
    return NULL;
  }
  for (guint i = 0; i < n; i++)
    loader->order[i] = i;
  Job job = { .loader = loader, .dataset = dataset, .preprocess = preprocess };
  g_mutex_init (&job.lock);
  forge_pool_run (
      threads, (int) ((n + CHUNK - 1) / CHUNK), convert_chunk, &job);
  g_mutex_clear (&job.lock);
  if (job.error) {
    g_propagate_error (error, job.error);
    return NULL;
  }
  return g_steal_pointer (&loader);
}

void
forge_loader_free (ForgeLoader *loader)
{
  if (!loader)
    return;
  forge_aligned_free (loader->pixels);
  g_free (loader->classes);
  g_free (loader->order);
  g_free (loader);
}

void
forge_loader_shuffle (ForgeLoader *loader, uint64_t seed)
{
  ForgeRng rng;
  forge_rng_seed (&rng, seed);
  for (guint i = 0; i < loader->n_items; i++)
    loader->order[i] = i;
  forge_rng_shuffle (&rng, loader->order, loader->n_items);
}

void
forge_loader_get (const ForgeLoader *loader, guint first, guint n,
    const ForgeAugment *augment, uint64_t seed, uint8_t *pixels,
    uint32_t *classes)
{
  gsize picture_bytes = (gsize) loader->width * (gsize) loader->height * 3;
  for (guint i = 0; i < n; i++) {
    uint32_t item = loader->order[(first + i) % loader->n_items];
    classes[i] = loader->classes[item];
    if (augment) {
      ForgeRng rng;
      forge_rng_seed_at (&rng, seed, item);
      forge_augment (augment, &rng, picture_at (loader, item), loader->width,
          loader->height, pixels);
    } else {
      memcpy (pixels, picture_at (loader, item), picture_bytes);
    }
    pixels += picture_bytes;
  }
}
