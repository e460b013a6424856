/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a user states about a network's input, for files that do not say it
 * or say it wrongly: the options of the command line and the properties of
 * the element, in the words that both take. */
#pragma once

#include "forge/model.h"

G_BEGIN_DECLS

/**
 * ForgeStatedPreprocess:
 * @scale, @mean, @std: one number for all channels or one for each,
 *   separated by commas, in the order of the network's channels (blue first
 *   with "bgr"): value = (byte * scale - mean) / std. Any of the three states
 *   the values as a whole; the others are then 1/255, 0 and 1
 * @order: "rgb" or "bgr"
 * @layout: "nchw" or "nhwc"
 * @size: "WIDTHxHEIGHT" in pixels, where the input leaves its size open
 * @resize: "stretch", "centre-crop" or "letterbox"
 * @filter: "bilinear", "antialias" or "nearest"
 *
 * All are nullable, and the strings borrowed: %NULL is not stated.
 *
 * Since: 0.1
 */
typedef struct {
  const char *scale, *mean, *std;
  const char *order, *layout, *size;
  const char *resize, *filter;
} ForgeStatedPreprocess;

/**
 * forge_model_state_preprocess:
 * @model: the model
 * @stated: (nullable): what the user says, which wins over the file
 * @preprocess: (out caller-allocates): the model's own with that in it
 * @assumptions: (out) (transfer full) (nullable) (optional): what is still
 *   assumed, in words; %NULL when nothing is
 * @error: return location
 *
 * Errors: %FORGE_ERROR_ARGUMENT for a word or number that is not one, a
 * number over 1e9, a std of 0, values for a network that takes bytes, colours
 * for a grey one, anything for one that takes no pictures;
 * %FORGE_ERROR_SHAPE for a layout or a size that the input's shape contradicts.
 * Thread safety: any thread.
 * Returns: %TRUE on success; on failure nothing is written
 * Since: 0.1
 */
gboolean forge_model_state_preprocess (const ForgeModel *model,
    const ForgeStatedPreprocess *stated, ForgePreprocess *preprocess,
    char **assumptions, GError **error);

G_END_DECLS
