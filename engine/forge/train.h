/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Training a network from pictures. */
#pragma once

#include "forge/dataset.h"
#include "forge/preprocess.h"

G_BEGIN_DECLS

/**
 * ForgeTrainParams:
 * @data: as forge_dataset_open()
 * @arch: a name of forge_train_list_architectures(), with options behind a
 *   colon where it has any: "forge-resnet:widths=64/128/256,residual=1"
 * @out: the ONNX file to write, atomically, when training ends
 * @checkpoint: (nullable): file for the state after every epoch
 * @log: (nullable): JSON lines, one an epoch, appended
 * @command: (nullable): recorded in the model file
 * @name: (nullable): the model's, recorded
 * @version: (nullable): the model's, recorded
 * @weights: "float32", or "float16" or "int8": @out keeps filters and matrices
 *   in fewer bytes, as #ForgeWeights says, and is evaluated as it is written
 * @resume: continue from @checkpoint where it exists: the final weights are
 *   the same, bit for bit, as those of an uninterrupted run
 * @epochs: at most, >= 1
 * @batch: images a step, >= 1; what does not fill a last batch sits an epoch
 *   out
 * @threads: 0 = all
 * @seed: of everything random
 * @validation_split: share of the training pictures that validates, where the
 *   data has no such part, as in #ForgeCut
 *
 * @init: (nullable): a model file whose network is trained on, instead of
 *   @arch; it must have as many outputs as the data has classes
 * @backbone: (nullable): a model file whose classes are replaced: its last
 *   layer is cut off and global average pooling (where there is none), dropout
 *   and a dense layer are put behind it
 * @stated: (nullable): what that file does not say of its input
 * @freeze_backbone: the new layer alone is trained, on features that are
 *   computed once. Batch norms become fixed factors and terms
 * @feature_variants: how many versions of each picture have features: the
 *   first is the picture as it is, the others are augmented
 * @unfreeze: after that, train so many of the backbone's last layers too; 0 =
 *   none
 * @rate_scale: factor of the learning rate then
 * @tuning_epochs: at most so many then; @epochs are the new layer's
 *
 * @optimiser: "adam" (decay as part of the gradient), "adamw" (decay apart
 *   from it), "sgd", or "muon": filters of convolutions that are not depthwise
 *   and the matrices of dense layers, but for the last layer, move by momentum
 *   that is made orthogonal; all else by "sgd"
 * @learning_rate: at the height of the schedule, for the mean loss of a
 *   batch, > 0
 * @rate_batch: @learning_rate is for batches of so many images and is scaled
 *   in proportion to @batch; 0 = it is for @batch as it is
 * @schedule: "cosine", "one-cycle", "step" or "constant"
 * @final_learning_rate: "cosine" ends there; < 0 = constant
 * @cycle_start, @cycle_peak, @cycle_end: "one-cycle" rises in a straight line
 *   from @cycle_start times the rate to the whole at the part @cycle_peak of
 *   all steps, and falls to @cycle_end times the rate
 * @step_epochs, @step_factor: "step" multiplies the rate by @step_factor
 *   every @step_epochs epochs
 * @warmup_epochs: the rate rises in a straight line over so many epochs,
 *   whatever the schedule; 0 = none
 * @momentum: of "sgd" and what "muon" leaves to it, 0 to below 1
 * @nesterov: look ahead along the momentum
 * @muon_rate: the learning rate of what moves by Muon, > 0. It goes along the
 *   same schedule, but is for any @batch as it is, as the length of a gradient
 *   does not matter to it
 * @muon_momentum: the same for its momentum, 0 to below 1
 * @muon_steps: of the Newton-Schulz iteration, 1 to 20
 * @muon_normalise: before each step such a weight is brought to the norm sqrt
 *   (filters), which takes the place of its decay: for layers that a batch
 *   norm follows
 * @weight_decay: 0 = none
 * @decay_all: decay biases, scales and shifts too; else only weights of two
 *   or more dimensions
 * @bias_rate: factor of the learning rate for biases of convolutions and
 *   dense layers, > 0
 * @shift_rate: the same for the shifts of batch normalisation. Neither factor
 *   changes how fast decay works
 * @clip_norm: gradients are scaled down to this norm over all parameters; 0 =
 *   never
 * @ema_decay: validate and keep an exponential average of the weights,
 *   average = decay average + (1 - decay) weights after each step, where the
 *   decay begins lower, at (1 + step) / (10 + step); 0 = off
 * @lookahead: every so many steps slow weights take up a part of the fast
 *   ones, and the fast go on from there; 0 = off
 * @freeze: (nullable): names of constants that are not trained, separated by
 *   commas, with * and ?; "name@3" is trained for three epochs
 *
 * @loss: "softmax" (one class of all) or "sigmoid" (each class for itself;
 *   with two classes one output, unless the data is multi-label)
 * @label_smoothing: this part of the truth is spread over all classes
 * @class_weights: (nullable): factors of the loss, separated by commas, in
 *   class order; "balanced" = by the inverse of the counts. Not for
 *   multi-label data
 * @mixup: pictures are blended in pairs, by parts of Beta (mixup, mixup); 0 =
 *   off
 * @prune_easy: this share of the pictures whose loss, when they were last
 *   trained on, was below the mean, drawn anew for each epoch, sits the epoch
 *   out; the rest of them weigh 1 / (1 - @prune_easy) instead. The schedule
 *   goes by parts of epochs. 0 = off, at most 0.95
 * @prune_until: after so large a part of the epochs all pictures are used
 * @dropout: rate of the architecture's dropout layers
 * @patience: stop after so many epochs without a better one; 0 = never. The
 *   best weights are restored either way
 * @precise_bn: when training has ended, the statistics of batch normalisation
 *   are taken anew over so many training pictures, augmented as in training
 *   and in whole batches, one epoch's at most; 0 = the running averages stay.
 *   Not part of a checkpoint, which may be finished either way
 * @best_by: "loss" or "accuracy" on the validation part; of multi-label data
 *   that is the share of pictures that are right in every class
 *
 * @flip: left-right: "never", "random", or "alternating": drawn once for each
 *   picture, then the other way round in every second epoch
 * @shift: random shift by up to so many pixels
 * @border: what a shift, rotation or zoom brings in: "edge" (repeated),
 *   "reflect" or "zero"
 * @rotation: by up to so many degrees, either way
 * @zoom: by a factor from 1 - zoom to 1 + zoom
 * @brightness: factor from 1 - brightness to 1 + brightness
 * @contrast: the same about the picture's mean grey
 * @saturation: the same about each pixel's grey
 * @hue: turned by up to so many degrees
 * @cutout: side of a grey square put anywhere, pixels; 0 = none
 * @erase: share of the pictures of which a rectangle is made noise
 *
 * What to train, on what, and how. Each architecture has defaults of its own:
 * forge_train_params_init().
 *
 * Source: Loshchilov and Hutter, "SGDR" (2017) and "Decoupled Weight Decay
 * Regularization" (2019); Smith and Topin, "Super-Convergence" (2018); Zhang
 * et al., "Lookahead Optimizer" (2019) and "mixup" (2018); DeVries and Taylor,
 * "Cutout" (2017); Zhong et al., "Random Erasing" (2020); Jordan, "94% on
 * CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv 2404.00498); Jordan et al.,
 * "Muon: An optimizer for hidden layers in neural networks" (2024); Qin et al.,
 * "InfoBatch" (2024); Wu and Johnson, "Rethinking 'Batch' in BatchNorm" (2021).
 * Since: 0.1
 */
typedef struct {
  const char *data, *arch, *out, *checkpoint, *log, *command;
  const char *name, *version;
  const char *weights;
  gboolean resume;
  guint epochs, batch;
  int threads;
  uint64_t seed;
  double validation_split;

  const char *init, *backbone;
  const ForgeStatedPreprocess *stated;
  gboolean freeze_backbone;
  guint feature_variants, unfreeze;
  double rate_scale;
  guint tuning_epochs;

  const char *optimiser;
  double learning_rate;
  guint rate_batch;
  const char *schedule;
  double final_learning_rate;
  double cycle_start, cycle_peak, cycle_end;
  guint step_epochs;
  double step_factor, warmup_epochs;
  double momentum;
  gboolean nesterov;
  double muon_rate, muon_momentum;
  guint muon_steps;
  gboolean muon_normalise;
  double weight_decay;
  gboolean decay_all;
  double bias_rate, shift_rate;
  double clip_norm, ema_decay;
  guint lookahead;
  const char *freeze;

  const char *loss;
  double label_smoothing;
  const char *class_weights;
  double mixup, prune_easy, prune_until, dropout;
  guint patience;
  const char *best_by;
  guint precise_bn;

  const char *flip;
  guint shift;
  const char *border;
  double rotation, zoom, brightness, contrast, saturation, hue;
  guint cutout;
  double erase;
} ForgeTrainParams;

/* Those of forge-cnn. */
#define FORGE_TRAIN_PARAMS_DEFAULT                                             \
  {                                                                            \
    .arch = "forge-cnn", .weights = "float32", .epochs = 40, .batch = 64,      \
    .seed = 1, .feature_variants = 4, .rate_scale = 0.1, .tuning_epochs = 20,  \
    .optimiser = "adam", .learning_rate = 1e-3, .schedule = "cosine",          \
    .final_learning_rate = -1, .cycle_start = 0.2, .cycle_peak = 0.23,         \
    .cycle_end = 0.07, .step_epochs = 10, .step_factor = 0.1, .momentum = 0.9, \
    .nesterov = TRUE, .muon_rate = 0.24, .muon_momentum = 0.6,                 \
    .muon_steps = 5, .bias_rate = 1, .shift_rate = 1, .loss = "softmax",       \
    .prune_until = 0.875, .dropout = 0.3, .patience = 8, .best_by = "loss",    \
    .flip = "random", .shift = 2, .border = "edge"                             \
  }

/**
 * forge_train_params_init:
 * @params: (out caller-allocates): what to fill
 * @arch: an architecture, with or without options
 * @error: return location
 *
 * The defaults that go with an architecture; data and files are left for the
 * caller to set. @arch is borrowed.
 *
 * Errors: %FORGE_ERROR_ARGUMENT for an unknown architecture.
 * Returns: %TRUE on success
 * Since: 0.1
 */
gboolean forge_train_params_init (
    ForgeTrainParams *params, const char *arch, GError **error);

/**
 * forge_train_params_init_transfer:
 * @params: (out caller-allocates): what to fill
 *
 * The defaults for training on from a file: Adam with decoupled decay along a
 * cosine, flips, shifts and zooms, the best epoch by accuracy.
 *
 * Since: 0.1
 */
void forge_train_params_init_transfer (ForgeTrainParams *params);

typedef struct {
  guint epoch, epochs; /* epoch counts from 1 */
  guint step, steps;   /* within the epoch; step == steps: epoch is over */
  guint n_images;      /* of the epoch: steps times batch */
  guint n_left_out;    /* for being easy; 0 without prune_easy */
  double images_per_s, eta_s;
  double loss, accuracy;         /* running, training data with augmentation;
                                    weighted where easy pictures are left out */
  double val_loss, val_accuracy; /* only when step == steps; else NaN */
  double learning_rate;
  double data_wait; /* share of the epoch's time that data was waited for */
  gboolean best;    /* step == steps and the best epoch so far */
  /* The epochs are over; the steps are those of precise_bn, but the last. */
  gboolean measures_norms;
  guint n_classes; /* of the data */
  guint n_skipped; /* pictures of both parts that could not be read */
} ForgeTrainProgress;

/* Return FALSE to stop; the checkpoint stays. */
typedef gboolean (*ForgeTrainFunc) (
    const ForgeTrainProgress *progress, gpointer user_data);

/**
 * forge_train_cut:
 * @params: of a training
 *
 * How its data is cut into parts.
 *
 * Returns: for forge_dataset_open()
 * Since: 0.1
 */
ForgeCut forge_train_cut (const ForgeTrainParams *params);

/**
 * ForgeTrainResult:
 * @n_train, @n_val: pictures that were trained on, and validated with
 * @n_train_skipped, @n_val_skipped: those of the same parts that could not be
 *   read and were left out
 * @n_norm_images: pictures that batch normalisation was measured with in the
 *   end; 0 without precise_bn or batch norms
 *
 * How a training went.
 *
 * Since: 0.1
 */
typedef struct {
  guint epochs_run, best_epoch;
  guint n_train, n_train_skipped, n_val, n_val_skipped;
  guint n_norm_images;
  double val_loss, val_accuracy; /* of the best epoch, or after precise_bn */
  double seconds, images_per_s;
  double data_wait; /* share of the training time that data was waited for */
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
 * Trains a network, of an architecture with first weights drawn by the seed or
 * of a file, validates after every
 * epoch, and writes the weights (with the running averages of batch
 * normalisation) of the best epoch.
 *
 * Errors: those of forge_dataset_open(); %FORGE_ERROR_ARGUMENT (also for
 * multi-label data with the loss "softmax"), %FORGE_ERROR_NUMERIC naming the
 * layer that first gave NaN or infinity, %FORGE_ERROR_IO,
 * %FORGE_ERROR_CANCELLED.
 *
 * Thread safety: any thread. Repeats bit for bit at the same seed, CPU tier
 * and number of threads. With more than one thread another prepares the next
 * batch meanwhile.
 * Returns: %TRUE when the model file is written
 * Source: Kingma and Ba, "Adam", ICLR 2015.
 * Since: 0.1
 */
gboolean forge_train (const ForgeTrainParams *params, ForgeTrainFunc func,
    gpointer user_data, ForgeTrainResult *result, GError **error);

/**
 * forge_train_diagnose:
 * @epochs: (array length=n_epochs): of one training, as its function was told
 *   them when step == steps
 * @n_epochs: how many
 * @n_classes: of the data
 *
 * Says in plain words what is wrong with a training, and the remedy: a loss
 * that rises or stays flat, or overfitting.
 *
 * Returns: (transfer full) (nullable): one sentence; %NULL when nothing is
 *   seen
 * Since: 0.1
 */
char *forge_train_diagnose (
    const ForgeTrainProgress *epochs, guint n_epochs, guint n_classes);

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
