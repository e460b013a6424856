/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A trained network with everything that travels with it: labels,
 * preprocessing, thresholds, history. Immutable once loaded. */
#pragma once

#include <glib.h>

#include "forge/image.h"
#include "forge/tensor.h"

G_BEGIN_DECLS

typedef struct _ForgeModel ForgeModel;

#define FORGE_MODEL_EMBEDDED "embedded"

/**
 * forge_model_load:
 * @path: a model file, or "embedded" for the built-in CIFAR-10 model
 * @error: return location
 *
 * Reads, validates and shape-checks a model. Loading the same unchanged file
 * again while it is in use gives the same model, weights and all.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, %FORGE_ERROR_IO, %FORGE_ERROR_FORMAT
 * (truncated, damaged or another kind of file, named as what it is),
 * %FORGE_ERROR_UNSUPPORTED (lists every operator that is missing),
 * %FORGE_ERROR_SHAPE.
 *
 * Thread safety: any thread.
 * Returns: (transfer full) (nullable): the model
 * Since: 0.1
 */
ForgeModel *forge_model_load (const char *path, GError **error);
ForgeModel *forge_model_load_bytes (
    const void *bytes, gsize size_bytes, const char *name, GError **error);
ForgeModel *forge_model_ref (ForgeModel *model);
void forge_model_unref (ForgeModel *model);

/* `forge.name` of the file, else its base name. */
const char *forge_model_get_name (const ForgeModel *model);
/* `forge.version`, else "". */
const char *forge_model_get_version (const ForgeModel *model);
const char *forge_model_get_path (const ForgeModel *model);
/* NULL-terminated, in class order; empty when the file has none. */
const char *const *forge_model_get_labels (const ForgeModel *model);
/* Number of classes: the last extent of the first output. */
guint forge_model_get_n_classes (const ForgeModel *model);
/* TRUE when the graph ends in Softmax or Sigmoid, else outputs are logits. */
gboolean forge_model_has_probabilities (const ForgeModel *model);
const ForgePreprocess *forge_model_get_preprocess (const ForgeModel *model);
/* What had to be assumed about the preprocessing because neither file nor
 * .modelinfo says it; NULL when nothing. */
const char *forge_model_get_assumptions (const ForgeModel *model);
/* An ONNX metadata value, e.g. "forge.labels"; NULL when absent. */
const char *forge_model_get_metadata (const ForgeModel *model, const char *key);
/* Mean confidence on the validation data, from `forge.drift`: what a monitor
 * compares a stream with. 0 when the file does not say, or says nonsense. */
double forge_model_get_baseline_confidence (const ForgeModel *model);
/* (transfer container): sorted keys, NULL-terminated. */
const char **forge_model_list_metadata (const ForgeModel *model);

/* An input or output of the graph. */
typedef struct {
  const char *name;
  ForgeDtype dtype;
  ForgeShape shape; /* -1 = any batch */
} ForgePort;

guint forge_model_get_n_inputs (const ForgeModel *model);
guint forge_model_get_n_outputs (const ForgeModel *model);
ForgePort forge_model_get_input (const ForgeModel *model, guint index);
ForgePort forge_model_get_output (const ForgeModel *model, guint index);

/* One row of the summary, for batch 1. */
typedef struct {
  char *name;
  char *type;
  ForgeShape output_shape;
  int64_t n_parameters; /* float weights and biases of the node itself */
  int64_t n_flops;      /* a multiply-add is two */
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
void forge_layer_info_free (ForgeLayerInfo *layers, gsize n_layers);
/* Trained numbers in the whole file; scalar constants (a rescale, say) do not
 * count. */
int64_t forge_model_count_parameters (const ForgeModel *model);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeModel, forge_model_unref)

G_END_DECLS
