/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A trained network with everything that travels with it: labels,
 * preprocessing, thresholds, history. Immutable once loaded. */
#pragma once

#include <glib.h>

#include "forge/dataset.h"
#include "forge/tensor.h"

G_BEGIN_DECLS

typedef struct _ForgeModel ForgeModel;

#define FORGE_MODEL_EMBEDDED "embedded"

/**
 * forge_model_load:
 * @path: a model file, "embedded" for the built-in CIFAR-10 model, or a
 *   version in the registry of $FORGE_REGISTRY (forge/registry.h):
 *   `registry:NAME@ALIAS`, `registry:NAME/VERSION`, or `registry:NAME` for its
 *   champion, else its latest version
 * @error: return location
 *
 * Reads, validates and shape-checks a model. Loading the same unchanged file
 * again while it is in use gives the same model, weights and all. A model of
 * the registry has the SHA-256 it was registered with, and its name and
 * version. A file whose name begins with "registry:" needs "./" before it.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, %FORGE_ERROR_IO, %FORGE_ERROR_FORMAT
 * (truncated, damaged or another kind of file, named as what it is),
 * %FORGE_ERROR_UNSUPPORTED (lists every operator that is missing),
 * %FORGE_ERROR_SHAPE; of the registry also those of forge_registry_open() and
 * forge_registry_find().
 *
 * Thread safety: any thread.
 * Returns: (transfer full) (nullable): the model
 * Since: 0.1
 */
ForgeModel *forge_model_load (const char *path, GError **error);

/**
 * forge_model_load_bytes:
 * @bytes: a whole model file
 * @size_bytes: its length
 * @name: (nullable): what to call it in messages
 * @error: return location
 *
 * As forge_model_load() from memory, which is not needed afterwards. Neither a
 * .modelinfo nor external data is looked for.
 *
 * Thread safety: any thread.
 * Returns: (transfer full) (nullable): the model
 * Since: 0.1
 */
ForgeModel *forge_model_load_bytes (
    const void *bytes, gsize size_bytes, const char *name, GError **error);

/**
 * forge_model_ref:
 * @model: the model
 *
 * Takes a reference.
 *
 * Thread safety: any thread.
 * Returns: (transfer full): @model
 * Since: 0.1
 */
ForgeModel *forge_model_ref (ForgeModel *model);

/**
 * forge_model_unref:
 * @model: (transfer full) (nullable): the model
 *
 * Drops a reference; the last one frees the model.
 *
 * Thread safety: any thread.
 * Since: 0.1
 */
void forge_model_unref (ForgeModel *model);

/**
 * forge_model_get_name:
 * @model: the model
 *
 * What the model is called: `forge.name` of the file, else its base name; a
 * model of the registry, as there.
 *
 * Returns: (transfer none): the text, never %NULL
 * Since: 0.1
 */
const char *forge_model_get_name (const ForgeModel *model);

/**
 * forge_model_get_version:
 * @model: the model
 *
 * Which version of it this is: `forge.version` of the file, else ""; of a
 * model of the registry, the number there.
 *
 * Returns: (transfer none): the text, never %NULL
 * Since: 0.1
 */
const char *forge_model_get_version (const ForgeModel *model);

/**
 * forge_model_get_path:
 * @model: the model
 *
 * Where it was read.
 *
 * Returns: (transfer none): the path, or the name given for bytes, never %NULL
 * Since: 0.1
 */
const char *forge_model_get_path (const ForgeModel *model);

/**
 * forge_model_get_labels:
 * @model: the model
 *
 * What the classes are called.
 *
 * Returns: (transfer none): in class order, %NULL-terminated; empty when the
 * file has none
 * Since: 0.1
 */
const char *const *forge_model_get_labels (const ForgeModel *model);

/**
 * forge_labels_read:
 * @path: a text file, one label a line, in class order
 * @error: return location
 *
 * A byte order mark, carriage returns, space around a label and empty lines at
 * the end are forgiven.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, %FORGE_ERROR_IO; %FORGE_ERROR_FORMAT over 16
 * MiB; %FORGE_ERROR_ARGUMENT for no label, an empty one, or other text than
 * UTF-8.
 * Returns: (transfer full) (nullable): %NULL-terminated
 * Since: 0.1
 */
char **forge_labels_read (const char *path, GError **error);

/**
 * forge_model_get_n_classes:
 * @model: the model
 *
 * The last extent of the first output; 2 where that is 1, for a single score
 * (of Sigmoid, say) tells two classes apart.
 *
 * Returns: number of classes
 * Since: 0.1
 */
guint forge_model_get_n_classes (const ForgeModel *model);

/**
 * forge_model_has_probabilities:
 * @model: the model
 *
 * Whether the outputs are probabilities or logits.
 *
 * Returns: %TRUE when the graph ends in Softmax or Sigmoid
 * Since: 0.1
 */
gboolean forge_model_has_probabilities (const ForgeModel *model);

/**
 * forge_model_get_preprocess:
 * @model: the model
 *
 * How pictures become the input.
 *
 * Returns: (transfer none): what the file says, completed by assumptions
 * Since: 0.1
 */
const ForgePreprocess *forge_model_get_preprocess (const ForgeModel *model);

/**
 * forge_model_get_assumptions:
 * @model: the model
 *
 * What had to be assumed about the preprocessing because neither file nor
 * .modelinfo says it.
 *
 * Returns: (transfer none) (nullable): in words; %NULL when nothing
 * Since: 0.1
 */
const char *forge_model_get_assumptions (const ForgeModel *model);

/**
 * forge_model_get_metadata:
 * @model: the model
 * @key: for example "forge.labels"
 *
 * Looks an ONNX metadata value up.
 *
 * Returns: (transfer none) (nullable): the value; %NULL when absent
 * Since: 0.1
 */
const char *forge_model_get_metadata (const ForgeModel *model, const char *key);

/**
 * forge_model_get_baseline_confidence:
 * @model: the model
 *
 * Mean confidence on the validation data, from `forge.drift`: what a monitor
 * compares a stream with.
 *
 * Returns: 0..1; 0 when the file does not say, or says nonsense
 * Since: 0.1
 */
double forge_model_get_baseline_confidence (const ForgeModel *model);

/**
 * forge_model_get_temperature:
 * @model: the model
 *
 * What the classifier divides logits by: `forge.calibration` of the file, or
 * of the .modelinfo beside a file that cannot hold it, as
 * forge_calibrate() writes it.
 *
 * Returns: 0.01..100; 1 when the file does not say
 * Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
 * Networks", ICML 2017.
 * Since: 0.1
 */
double forge_model_get_temperature (const ForgeModel *model);

/**
 * forge_model_is_multi_label:
 * @model: the model
 *
 * Whether its probabilities are those of separate questions.
 *
 * Returns: %TRUE when the graph ends in Sigmoid with more than one score
 * Since: 0.1
 */
gboolean forge_model_is_multi_label (const ForgeModel *model);

/**
 * forge_model_get_training_cut:
 * @model: the model
 * @cut: (out): seed and validation share of `forge.training`
 *
 * How the validation pictures were cut off when it was trained: by another
 * cut, some of those may have been trained on.
 *
 * Returns: %FALSE when the file does not say, and @cut is as it was
 * Since: 0.1
 */
gboolean forge_model_get_training_cut (const ForgeModel *model, ForgeCut *cut);

/**
 * forge_model_get_precision:
 * @model: the model
 *
 * How the file keeps most of its weights. Those in half precision, and those in
 * int8 of a network that does not quantise its activations, are computed with
 * in float32.
 *
 * Returns: (transfer none): "int8" where the network quantises, else
 * "int8-weights", "fp16", "bf16" or "fp32"
 * Since: 0.1
 */
const char *forge_model_get_precision (const ForgeModel *model);

/**
 * ForgeWeightsReport:
 * @n_matrices: filters of convolutions and matrices of products with 64
 *   elements or more, float32 when computed with
 * @n_half: how many of them the file keeps as float16
 * @n_int8: how many of them the file keeps as int8, by scales
 * @computed_bytes: of all constants, as they are computed with
 * @stored_bytes: the same, as the file keeps them, scales included
 * @unfit: (nullable): the matrices that cannot be int8 where others are, or
 *   else those that cannot be float16, with the reason
 *
 * How the weights of a model are stored.
 *
 * Since: 0.1
 */
typedef struct {
  guint n_matrices, n_half, n_int8;
  gsize computed_bytes, stored_bytes;
  char *unfit;
} ForgeWeightsReport;

/**
 * forge_model_report_weights:
 * @model: the model
 * @report: (out caller-allocates): how its weights are stored
 *
 * Cost: one look at every weight. Thread safety: any thread.
 *
 * Since: 0.1
 */
void forge_model_report_weights (
    const ForgeModel *model, ForgeWeightsReport *report);
void forge_weights_report_clear (ForgeWeightsReport *report);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (
    ForgeWeightsReport, forge_weights_report_clear)

/**
 * forge_model_list_metadata:
 * @model: the model
 *
 * The keys of all metadata.
 *
 * Returns: (transfer container): sorted, %NULL-terminated
 * Since: 0.1
 */
const char **forge_model_list_metadata (const ForgeModel *model);

/**
 * ForgePort:
 * @name: in the file
 * @dtype: element type
 * @shape: extents; -1 = any batch
 *
 * An input or output of the graph.
 *
 * Since: 0.1
 */
typedef struct {
  const char *name;
  ForgeDtype dtype;
  ForgeShape shape;
} ForgePort;

/**
 * forge_model_get_n_inputs:
 * @model: the model
 *
 * How many inputs the graph has.
 *
 * Returns: the number
 * Since: 0.1
 */
guint forge_model_get_n_inputs (const ForgeModel *model);

/**
 * forge_model_get_n_outputs:
 * @model: the model
 *
 * How many outputs the graph has.
 *
 * Returns: the number
 * Since: 0.1
 */
guint forge_model_get_n_outputs (const ForgeModel *model);

/**
 * forge_model_get_input:
 * @model: the model
 * @index: which one, from 0
 *
 * Describes an input.
 *
 * Returns: the port; its name lives as long as the model
 * Since: 0.1
 */
ForgePort forge_model_get_input (const ForgeModel *model, guint index);

/**
 * forge_model_get_output:
 * @model: the model
 * @index: which one, from 0
 *
 * Describes an output.
 *
 * Returns: the port; its name lives as long as the model
 * Since: 0.1
 */
ForgePort forge_model_get_output (const ForgeModel *model, guint index);

/**
 * ForgeLayerInfo:
 * @name: of the node
 * @type: its operator
 * @output_shape: for batch 1
 * @n_parameters: weights and biases of the node itself, float or integer
 * @n_flops: for batch 1; a multiply-add is two
 * @weight_bytes: of all constants that the node reads, as the file keeps them
 * @output_bytes: of its first output for batch 1; 0 where the shape is open
 * @output_dtype: its element type
 * @output_scale: what one step of a quantised output is worth; 0 where the
 *   node does not say
 * @output_zero: the stored number that stands for 0 there
 * @sources: (array length=n_sources): what it reads: rows, and -1 - i for
 *   input i of the network
 * @n_sources: how many
 *
 * One row of the summary.
 *
 * Since: 0.1
 */
typedef struct {
  char *name;
  char *type;
  ForgeShape output_shape;
  int64_t n_parameters;
  int64_t n_flops;
  int64_t weight_bytes;
  int64_t output_bytes;
  ForgeDtype output_dtype;
  float output_scale;
  int output_zero;
  int *sources;
  guint n_sources;
} ForgeLayerInfo;

/**
 * forge_model_summarise:
 * @model: the model
 * @n_layers: (out): number of rows
 *
 * The nodes of the file, in running order, before any optimisation.
 *
 * Returns: (transfer full) (array length=n_layers): free with
 * forge_layer_info_free()
 * Since: 0.1
 */
ForgeLayerInfo *forge_model_summarise (
    const ForgeModel *model, gsize *n_layers);

/**
 * forge_layer_info_free:
 * @layers: (transfer full) (nullable): from forge_model_summarise()
 * @n_layers: number of rows
 *
 * Frees the rows.
 *
 * Since: 0.1
 */
void forge_layer_info_free (ForgeLayerInfo *layers, gsize n_layers);

/**
 * forge_model_count_parameters:
 * @model: the model
 *
 * Trained numbers in the whole file; scalar constants (a rescale, say) do not
 * count.
 *
 * Returns: the number
 * Since: 0.1
 */
int64_t forge_model_count_parameters (const ForgeModel *model);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeModel, forge_model_unref)

G_END_DECLS
