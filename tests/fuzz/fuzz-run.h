/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as a model, loaded and run once on zeros, as the element would.
 * Models that ask for much memory or work are left alone: the caller's
 * budget, not the parser's. */
#pragma once

#include "forge/session.h"

#define MAX_FLOPS 10000000
#define MAX_ELEMENTS 1000000

static gboolean
fuzz_is_small (const ForgeModel *model)
{
  gsize n_layers;
  int64_t flops = 0, elements = 0;
  ForgeLayerInfo *layers = forge_model_summarise (model, &n_layers);
  for (gsize i = 0; i < n_layers; i++) {
    int64_t count = forge_shape_count (&layers[i].output_shape);
    if (count < 0 || count > MAX_ELEMENTS || layers[i].n_flops < 0 ||
        layers[i].n_flops > MAX_FLOPS)
      elements = MAX_ELEMENTS + 1;
    else
      elements += count;
    flops += CLAMP (layers[i].n_flops, 0, MAX_FLOPS);
  }
  forge_layer_info_free (layers, n_layers);
  return flops <= MAX_FLOPS && elements <= MAX_ELEMENTS;
}

static void
fuzz_run_model (const uint8_t *data, size_t size_bytes)
{
  ForgeSessionParams params = { .threads = 1, .batch = 1 };
  g_autoptr (ForgeModel) model =
      forge_model_load_bytes (data, size_bytes, "fuzz", NULL);
  if (!model || !fuzz_is_small (model))
    return;
  g_autoptr (ForgeSession) session = forge_session_new (model, &params, NULL);
  if (session)
    forge_session_run (session);
}
