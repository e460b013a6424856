/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See prune.h. The losses are all that lasts from epoch to epoch; the rest
 * follows from them and the seed. */
#include "train/prune.h"

#include <string.h>

#include "base/rng.h"

ForgePrune *
forge_prune_new (guint n_items)
{
  ForgePrune *prune = g_new0 (ForgePrune, 1);
  *prune = (ForgePrune) { .n_items = n_items,
    .losses = g_new (float, n_items),
    .factors = g_new (float, n_items),
    .left_out = g_new0 (uint8_t, n_items) };
  for (guint i = 0; i < n_items; i++) {
    prune->losses[i] = FORGE_PRUNE_UNKNOWN;
    prune->factors[i] = 1;
  }
  return prune;
}

void
forge_prune_free (ForgePrune *prune)
{
  if (!prune)
    return;
  g_free (prune->losses);
  g_free (prune->factors);
  g_free (prune->left_out);
  g_free (prune);
}

static gboolean
is_known (float loss)
{
  return loss >= 0;
}

/* 0 where none is known: no loss is below that. */
static double
mean_loss (const ForgePrune *prune)
{
  double sum = 0;
  guint n = 0;
  for (guint i = 0; i < prune->n_items; i++) {
    if (!is_known (prune->losses[i]))
      continue;
    sum += prune->losses[i];
    n++;
  }
  return n > 0 ? sum / n : 0;
}

static void
keep_all (ForgePrune *prune)
{
  memset (prune->left_out, 0, prune->n_items);
  for (guint i = 0; i < prune->n_items; i++)
    prune->factors[i] = 1;
  prune->n_left_out = 0;
}

void
forge_prune_begin (ForgePrune *prune, double rate, uint64_t seed, guint least)
{
  keep_all (prune);
  if (rate <= 0)
    return;
  double mean = mean_loss (prune);
  const float factor = (float) (1 / (1 - rate));
  for (guint i = 0; i < prune->n_items; i++) {
    if (!is_known (prune->losses[i]) || prune->losses[i] >= mean)
      continue;
    ForgeRng rng;
    forge_rng_seed_at (&rng, seed, i);
    prune->left_out[i] = forge_rng_float (&rng) < rate;
    prune->factors[i] = factor;
    prune->n_left_out += prune->left_out[i];
  }
  if (prune->n_items - prune->n_left_out < least)
    keep_all (prune);
}

void
forge_prune_record (
    ForgePrune *prune, const uint32_t *items, guint n, const float *losses)
{
  for (guint i = 0; i < n; i++)
    prune->losses[items[i]] = losses[i];
}
