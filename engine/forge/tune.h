/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Measuring on this machine how the layers of a model are computed fastest. */
#pragma once

#include "forge/model.h"

G_BEGIN_DECLS

/**
 * ForgeTunedLayer:
 * @shape: channels, sizes and padding of a convolution; several layers of a
 *   model may have it
 * @chosen: the algorithm without tuning
 * @fastest: the one that was measured to be fastest
 * @chosen_us: microseconds of one run of one such layer without tuning
 * @fastest_us: the same of the fastest
 *
 * What was found out about one shape.
 *
 * Since: 0.1
 */
typedef struct {
  char *shape;
  const char *chosen, *fastest;
  double chosen_us, fastest_us;
} ForgeTunedLayer;

/**
 * forge_tuned_layer_free:
 * @layer: (transfer full) (nullable): the layer
 *
 * Since: 0.1
 */
void forge_tuned_layer_free (ForgeTunedLayer *layer);

/**
 * forge_tune:
 * @model: the model
 * @threads: threads of a run; 0 = all the process may use
 * @batch: images of a run, >= 1
 * @seconds: time to spend on measuring, packing weights apart
 * @error: return location
 *
 * Runs the whole model with every algorithm in turn, several rounds, and
 * compares the least time of each layer: within the network, where weights
 * come from memory as they do in use. What is at least 3 % faster than the
 * cost model's choice goes into the file `gst-forge/tuning.json` of the user's
 * cache (or where `FORGE_TUNING` says), which every model loaded on this CPU
 * from then on follows; one in use keeps what it has. What was tuned before is
 * measured anew. Results stay within 1e-4, but a tuned layer does not have the
 * bits of an untuned one.
 *
 * Errors: %FORGE_ERROR_ARGUMENT (tuning is off), %FORGE_ERROR_IO, and those of
 * forge_session_new().
 * Thread safety: any thread; what runs beside it spoils the figures.
 * Returns: (transfer full) (element-type ForgeTunedLayer) (nullable): the
 * shapes that have a choice, in running order
 * Since: 0.1
 */
GPtrArray *forge_tune (
    ForgeModel *model, int threads, int batch, double seconds, GError **error);

/**
 * forge_tune_file:
 *
 * Returns: (transfer full) (nullable): path of the file that holds what was
 * tuned; %NULL where `FORGE_TUNING` is `off`
 * Since: 0.1
 */
char *forge_tune_file (void);

G_END_DECLS
