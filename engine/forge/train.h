/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Training a network from pictures. */
#pragma once

#include "forge/dataset.h"

G_BEGIN_DECLS

/**
 * ForgeTrainParams:
 * @data: as forge_dataset_open()
 * @arch: a name from forge_train_list_architectures()
 * @out: the ONNX file to write, atomically, when training ends
 * @checkpoint: (nullable): file for the state after every epoch
 * @resume: continue from @checkpoint where it exists: the final weights are
 *   the same, bit for bit, as those of an uninterrupted run
 * @log: (nullable): JSON lines, one per epoch, appended
 * @epochs: at most, >= 1
 * @batch: images per step, >= 1
 * @learning_rate: of Adam; @final_learning_rate: reached by a cosine at the
 *   last epoch; < 0 = constant
 * @flip: random left-right flip; @shift: random shift by up to so many
 *   pixels, edges repeated
 * @dropout: rate of the architecture's dropout layers
 * @patience: stop after so many epochs without a better validation loss; 0 =
 *   never. The best weights are restored either way
 * @threads: 0 = all
 * @seed: of everything random
 * @command: (nullable): recorded in the model file
 *
 * Since: 0.1
 */
typedef struct {
  const char *data, *arch, *out, *checkpoint, *log, *command;
  const char *name, *version; /* recorded; nullable */
  gboolean resume;
  guint epochs, batch;
  double learning_rate, final_learning_rate, weight_decay;
  gboolean flip;
  guint shift;
  double dropout;
  guint patience;
  int threads;
  uint64_t seed;
} ForgeTrainParams;

#define FORGE_TRAIN_PARAMS_DEFAULT                                         \
  {                                                                        \
    .arch = "forge-cnn", .epochs = 40, .batch = 64, .learning_rate = 1e-3, \
    .final_learning_rate = -1, .flip = TRUE, .shift = 2, .dropout = 0.3,   \
    .patience = 8, .seed = 1                                               \
  }

typedef struct {
  guint epoch, epochs; /* epoch counts from 1 */
  guint step, steps;   /* within the epoch; step == steps: epoch is over */
  double images_per_s, eta_s;
  double loss, accuracy;         /* running, training data with augmentation */
  double val_loss, val_accuracy; /* only when step == steps; else NaN */
  double learning_rate;
  gboolean best; /* step == steps and the best validation loss so far */
} ForgeTrainProgress;

/* Return FALSE to stop; the checkpoint stays. */
typedef gboolean (*ForgeTrainFunc) (
    const ForgeTrainProgress *progress, gpointer user_data);

typedef struct {
  guint epochs_run, best_epoch;
  double val_loss, val_accuracy; /* of the best epoch */
  double seconds, images_per_s;
  gboolean stopped_early;
} ForgeTrainResult;

/**
 * forge_train:
 * @params: what to train, on what, and how
 * @func: (nullable) (scope call): told of every step
 * @user_data: for @func
 * @result: (out caller-allocates) (optional): how it went
 * @error: return location
 *
 * Trains a network from first weights drawn by the seed, by Adam on sparse
 * categorical cross-entropy, validates after every epoch, and writes the
 * weights with the least validation loss.
 *
 * Errors: those of forge_dataset_open(); %FORGE_ERROR_ARGUMENT,
 * %FORGE_ERROR_NUMERIC naming the layer that first gave NaN or infinity,
 * %FORGE_ERROR_IO, %FORGE_ERROR_CANCELLED.
 *
 * Thread safety: any thread. Repeats bit for bit at the same seed, CPU tier
 * and number of threads.
 * Returns: %TRUE when the model file is written
 * Source: Kingma and Ba, "Adam", ICLR 2015.
 * Since: 0.1
 */
gboolean forge_train (const ForgeTrainParams *params, ForgeTrainFunc func,
    gpointer user_data, ForgeTrainResult *result, GError **error);

/**
 * forge_train_list_architectures:
 *
 * What @arch of #ForgeTrainParams may be.
 *
 * Returns: (transfer none): names, %NULL-terminated
 * Since: 0.1
 */
const char *const *forge_train_list_architectures (void);

G_END_DECLS
