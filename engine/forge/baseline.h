/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a model says when all is well, measured on labelled pictures that it
 * was not trained on: what a monitor compares a stream with. It travels in the
 * model file as `forge.baseline`; forge/calibrate.h makes it. */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define FORGE_BASELINE_VERSION 1
#define FORGE_N_QUANTILES 1001
#define FORGE_EMBEDDING_MAX_DIMS 32

/**
 * ForgeEmbedding:
 * @n_features: length of the vectors that the network gives; 0 = none
 * @n_dims: kept of them, <= 32
 * @mean: `float32 [n_features]`
 * @components: `float32 [n_dims, n_features]`, orthonormal rows: the directions
 *   of greatest variance
 * @class_means: `float32 [n_classes, n_dims]`; of a class that was not seen,
 *   zeros, the mean of all
 * @whitening: `float32 [n_dims, n_dims]`, lower triangle W with W' W the
 * inverse of the covariance about the class means
 * @mean_residual: mean square of what the components leave out; > 0
 *
 * Where the features of known pictures lie.
 *
 * Since: 0.1
 */
typedef struct {
  guint n_features, n_dims;
  float *mean, *components, *class_means, *whitening;
  double mean_residual;
} ForgeEmbedding;

/**
 * ForgeBaseline:
 * @n_val: pictures that the figures are of
 * @n_fit: other pictures, that temperature, @atc_threshold and @embedding were
 *   fitted on
 * @n_classes: of the model
 * @temperature: that the figures were taken at
 * @ece_before, @nll_before: at temperature 1, on the @n_val pictures
 * @atc_threshold: t, such that as many of the @n_fit pictures have sum p ln p
 *   under it as are wrong
 * @accuracy_margin: 90th percentile over our corruptions of |share of pictures
 *   with sum p ln p >= t - accuracy|; < 0 = not measured
 * @n_conditions: corruptions that it was measured under
 * @class_prior: `[n_classes]`, shares of the classes predicted
 * @confusion: counts, `[n_classes, n_classes]`, row = truth
 * @precision, @recall, @f1: `[n_classes]`, 0 where 0/0
 * @confidence, @entropy, @energy, @distance: quantiles i / 1000 of the greatest
 *   probability, of -sum p ln p, of -T ln sum exp (logit / T) and of
 *   forge_baseline_distance()
 * @has_energy: %FALSE: the network gives no logits, @energy is zeros
 * @embedding: its @n_features is 0 when the network gives no features;
 *   @distance is zeros then
 * @data, @split, @data_hash: what it was measured on
 * @preprocess_hash: forge_preprocess_hash() of how the pictures came in
 * @precision_name: forge_model_get_precision() of the model
 *
 * Since: 0.1
 */
typedef struct {
  uint64_t n_val, n_fit;
  guint n_classes;
  double val_accuracy;
  double temperature;
  double ece_before, ece_after, nll_before, nll_after;
  double mean_confidence, std_confidence;
  double atc_threshold, accuracy_margin;
  guint n_conditions;
  double *class_prior, *precision, *recall, *f1;
  uint32_t *confusion;
  float confidence[FORGE_N_QUANTILES], entropy[FORGE_N_QUANTILES];
  float energy[FORGE_N_QUANTILES], distance[FORGE_N_QUANTILES];
  gboolean has_energy;
  ForgeEmbedding embedding;
  char *data, *split, *data_hash, *preprocess_hash, *precision_name;
} ForgeBaseline;

/**
 * ForgeBaselineData:
 * @n_items: pictures, >= 1
 * @n_classes: >= 2
 * @n_features: 0 = none
 * @logits: `float32 [n_items, n_classes]`
 * @features: (nullable): `float32 [n_items, n_features]`
 * @classes: the truth, `[n_items]`
 *
 * What a network gave for labelled pictures; borrowed.
 *
 * Since: 0.1
 */
typedef struct {
  guint n_items, n_classes, n_features;
  const float *logits, *features;
  const uint32_t *classes;
} ForgeBaselineData;

/**
 * forge_fit_temperature:
 * @data: pictures
 *
 * The T that makes the mean of -ln softmax (logits / T)[truth] least: a convex
 * problem in 1 / T, by Newton's method within a bracket.
 *
 * Returns: T, within 0.01..100
 * Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
 * Networks", ICML 2017.
 * Since: 0.1
 */
double forge_fit_temperature (const ForgeBaselineData *data);

/**
 * forge_temper:
 * @logits: `float32 [n]`
 * @n: how many
 * @temperature: > 0
 * @probabilities: (out caller-allocates): `float32 [n]`
 *
 * softmax (logits / temperature), the greatest taken off first.
 *
 * Since: 0.1
 */
void forge_temper (
    const float *logits, guint n, double temperature, float *probabilities);

/**
 * forge_negative_entropy:
 * @probabilities: `float32 [n]`
 * @n: how many
 *
 * sum p ln p, 0 ln 0 being 0: what is compared with @atc_threshold.
 *
 * Returns: -ln n..0
 * Source: Garg, Balakrishnan, Lipton, Neyshabur and Sedghi, "Leveraging
 * Unlabeled Data to Predict Out-of-Distribution Performance", ICLR 2022.
 * Since: 0.1
 */
double forge_negative_entropy (const float *probabilities, guint n);

/**
 * forge_baseline_new:
 * @fit: pictures to fit on
 * @held: other pictures, to measure on
 *
 * Fits the temperature, the ATC threshold and the embedding on @fit, and
 * measures everything else on @held. The texts and @accuracy_margin are left
 * to the caller (%NULL, -1).
 *
 * Returns: (transfer full): the baseline
 * Source: Lee, Lee, Lee and Shin, "A Simple Unified Framework for Detecting
 * Out-of-Distribution Samples and Adversarial Attacks", NeurIPS 2018, for the
 * shared covariance; Liu, Wang, Owens and Li, "Energy-based
 * Out-of-distribution Detection", NeurIPS 2020.
 * Since: 0.1
 */
ForgeBaseline *forge_baseline_new (
    const ForgeBaselineData *fit, const ForgeBaselineData *held);

/**
 * forge_baseline_parse:
 * @text: the value of `forge.baseline`
 * @size_bytes: its length
 * @error: return location
 *
 * Reads what forge_baseline_to_json() wrote. The text may come from anywhere.
 *
 * Errors: %FORGE_ERROR_FORMAT naming the member, what was expected and what
 * was found; %FORGE_ERROR_UNSUPPORTED for another version.
 * Returns: (transfer full) (nullable): the baseline
 * Since: 0.1
 */
ForgeBaseline *forge_baseline_parse (
    const char *text, gsize size_bytes, GError **error);

/**
 * forge_baseline_to_json:
 * @baseline: the baseline
 *
 * Writes it as one line of JSON; long arrays as base64 of little-endian float32
 * or uint32.
 *
 * Returns: (transfer full): the text
 * Since: 0.1
 */
char *forge_baseline_to_json (const ForgeBaseline *baseline);

/**
 * forge_baseline_distance:
 * @baseline: with an embedding
 * @features: `float32 [n_features]`
 *
 * How far a picture lies from those the model knows: with z = components
 * (features - mean), min over classes |whitening (z - class mean)|^2 / n_dims
 * + |features - mean - components' z|^2 / mean_residual. About 2 for known
 * pictures.
 *
 * Thread safety: any thread. Allocates nothing; n_dims * n_features
 * multiply-adds.
 * Returns: >= 0; infinity when a feature is not finite
 * Since: 0.1
 */
double forge_baseline_distance (
    const ForgeBaseline *baseline, const float *features);

/**
 * forge_baseline_percentile:
 * @quantiles: `[1001]`, of a #ForgeBaseline
 * @value: a new value
 *
 * Where it lies among the known ones: the probability integral transform,
 * linear between quantiles.
 *
 * Returns: 0..1
 * Since: 0.1
 */
double forge_baseline_percentile (const float *quantiles, double value);

/**
 * forge_baseline_free:
 * @baseline: (transfer full) (nullable): the baseline
 *
 * Frees it.
 *
 * Since: 0.1
 */
void forge_baseline_free (ForgeBaseline *baseline);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeBaseline, forge_baseline_free)

G_END_DECLS
