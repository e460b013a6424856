/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See prefetch.h. One thread fills one buffer, sharing the work with the
 * pool; taking a batch copies it out, which frees the buffer. What a batch
 * holds depends on its number alone, not on when it is made. */
#include "train/prefetch.h"

#include <string.h>

#include "base/pool.h"

struct _ForgePrefetch {
  ForgeLoader *loader;
  guint batch;
  int threads;
  ForgeBatchRule rule;
  GThread *thread; /* NULL = batches are made when taken */
  GMutex lock;
  GCond changed;
  guint n_batches, n_made, n_taken; /* of the epoch; under the lock */
  gboolean is_over;                 /* under the lock */
  uint8_t *pixels;
  float *targets;
};

static gboolean
may_make (const ForgePrefetch *prefetch)
{
  return prefetch->n_made == prefetch->n_taken &&
         prefetch->n_made < prefetch->n_batches;
}

static void *
prefetch_main (void *user_data)
{
  ForgePrefetch *prefetch = user_data;
  g_mutex_lock (&prefetch->lock);
  while (!prefetch->is_over) {
    if (!may_make (prefetch)) {
      g_cond_wait (&prefetch->changed, &prefetch->lock);
      continue;
    }
    guint first = prefetch->n_made * prefetch->batch;
    g_mutex_unlock (&prefetch->lock);
    forge_loader_get (prefetch->loader, first, prefetch->batch, &prefetch->rule,
        prefetch->threads, prefetch->pixels, prefetch->targets);
    g_mutex_lock (&prefetch->lock);
    prefetch->n_made++;
    g_cond_broadcast (&prefetch->changed);
  }
  g_mutex_unlock (&prefetch->lock);
  return NULL;
}

ForgePrefetch *
forge_prefetch_new (ForgeLoader *loader, guint batch, int threads)
{
  ForgePrefetch *prefetch = g_new0 (ForgePrefetch, 1);
  *prefetch = (ForgePrefetch) {
    .loader = loader, .batch = batch, .threads = forge_pool_threads (threads)
  };
  g_mutex_init (&prefetch->lock);
  g_cond_init (&prefetch->changed);
  /* Rows of features are copied faster than a thread is woken. */
  if (prefetch->threads == 1 || loader->n_variants > 0)
    return prefetch;
  prefetch->pixels = g_malloc (batch * loader->item_bytes);
  prefetch->targets = g_new (float, (gsize) batch * loader->n_targets);
  prefetch->thread =
      g_thread_try_new ("forge-prefetch", prefetch_main, prefetch, NULL);
  return prefetch;
}

void
forge_prefetch_free (ForgePrefetch *prefetch)
{
  if (!prefetch)
    return;
  if (prefetch->thread) {
    g_mutex_lock (&prefetch->lock);
    prefetch->is_over = TRUE;
    g_cond_broadcast (&prefetch->changed);
    g_mutex_unlock (&prefetch->lock);
    g_thread_join (prefetch->thread);
  }
  g_mutex_clear (&prefetch->lock);
  g_cond_clear (&prefetch->changed);
  g_free (prefetch->pixels);
  g_free (prefetch->targets);
  g_free (prefetch);
}

void
forge_prefetch_begin (ForgePrefetch *prefetch, const ForgeBatchRule *rule,
    uint64_t shuffle_seed, const uint8_t *last, guint n_batches)
{
  g_mutex_lock (&prefetch->lock);
  g_assert (prefetch->n_taken == prefetch->n_batches);
  forge_loader_shuffle (prefetch->loader, shuffle_seed, last);
  prefetch->rule = *rule;
  prefetch->n_batches = n_batches;
  prefetch->n_made = prefetch->n_taken = 0;
  g_cond_broadcast (&prefetch->changed);
  g_mutex_unlock (&prefetch->lock);
}

double
forge_prefetch_take (ForgePrefetch *prefetch, uint8_t *pixels, float *targets)
{
  gint64 start_us = g_get_monotonic_time ();
  const ForgeLoader *loader = prefetch->loader;
  g_mutex_lock (&prefetch->lock);
  g_assert (prefetch->n_taken < prefetch->n_batches);
  if (prefetch->thread) {
    while (prefetch->n_made == prefetch->n_taken)
      g_cond_wait (&prefetch->changed, &prefetch->lock);
    memcpy (pixels, prefetch->pixels, prefetch->batch * loader->item_bytes);
    memcpy (targets, prefetch->targets,
        (gsize) prefetch->batch * loader->n_targets * sizeof *targets);
  } else {
    forge_loader_get (loader, prefetch->n_taken * prefetch->batch,
        prefetch->batch, &prefetch->rule, prefetch->threads, pixels, targets);
  }
  prefetch->n_taken++;
  g_cond_broadcast (&prefetch->changed);
  g_mutex_unlock (&prefetch->lock);
  return (double) (g_get_monotonic_time () - start_us) / 1e6;
}
