/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of the Keras reader: weights by layer, tensors with their
 * layout, and the table of layers. Source: the files that Keras 2.15 and 3.14
 * write (keras/src/saving/saving_lib.py, legacy/saving/legacy_h5_format.py
 * describe them). */
#pragma once

#include "formats/format.h"
#include "base/json.h"

/* --- weights: keras-weights.c ------------------------------------------ */

typedef struct _KerasWeights KerasWeights;

/* An HDF5 file in memory. @name is for messages. */
KerasWeights *keras_weights_open (
    const void *bytes, size_t size_bytes, const char *name, GError **error);
void keras_weights_close (KerasWeights *weights);
/* A string attribute of the root group; NULL when absent. (transfer full) */
char *keras_weights_get_attribute (KerasWeights *weights, const char *name);
/* TRUE for `model_weights/` files, whose weights have names; .keras files
 * number them by position. */
gboolean keras_weights_are_named (const KerasWeights *weights);
/* One array as float32 of rank @rank. @group: the layer's HDF5 group;
 * @layer: its name, for named files; @variable: "kernel"; @index: its place
 * in a .keras file. Errors say which was not found. */
ForgeTensor *keras_weights_read (KerasWeights *weights, const char *group,
    const char *layer, const char *variable, guint index, int rank,
    GError **error);

/* --- building: keras-build.c ------------------------------------------- */

/* A Keras tensor: always [N, H, W, C] to the user, but images are kept
 * [N, C, H, W] between layers, as ONNX has them. */
typedef struct {
  ForgeValue *value;
  gboolean nchw;
} KerasTensor;

typedef struct {
  ForgeGraph *graph;
  KerasWeights *weights;
  const char *name; /* of the file */
  gboolean keras2;
  gboolean scales_input; /* the model rescales its input itself */
} KerasBuilder;

typedef struct {
  const char *class_name;
  const char *name;
  JsonObject *config;
  char *group; /* in the weights file */
} KerasLayer;

#define KERAS_MAX_INPUTS 64

/* FORGE_ERROR_UNSUPPORTED or another code, naming file, layer and class. */
gboolean keras_error (const KerasBuilder *builder, const KerasLayer *layer,
    GError **error, int code, const char *format, ...) G_GNUC_PRINTF (5, 6);
/* Adds a node of @type with one output and infers its shape. Takes @attrs. */
ForgeValue *keras_emit (KerasBuilder *builder, const KerasLayer *layer,
    const char *type, ForgeAttrs *attrs, ForgeValue *const *inputs,
    guint n_inputs, GError **error);
ForgeValue *keras_emit1 (KerasBuilder *builder, const KerasLayer *layer,
    const char *type, ForgeAttrs *attrs, ForgeValue *input, GError **error);
ForgeValue *keras_emit2 (KerasBuilder *builder, const KerasLayer *layer,
    const char *type, ForgeValue *a, ForgeValue *b, GError **error);
/* Constants. keras_constant takes a reference; the others copy. */
ForgeValue *keras_constant (KerasBuilder *builder, ForgeTensor *tensor);
ForgeValue *keras_scalar (KerasBuilder *builder, float value);
ForgeValue *keras_int64s (
    KerasBuilder *builder, const int64_t *values, guint n_values);
/* The tensor in the wanted layout, transposed when needed; other ranks than 4
 * pass through. */
gboolean keras_to_nchw (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error);
gboolean keras_to_nhwc (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error);
/* `activation` of a layer's config, by name; "linear" or none adds nothing. */
gboolean keras_activate (KerasBuilder *builder, const KerasLayer *layer,
    const char *activation, KerasTensor *tensor, GError **error);
/* Name of the activation in config, whichever way it was written. */
const char *keras_activation_name (JsonObject *config, const char *key);
/* A pair such as strides: an int or a list of two; FALSE when out of
 * [1, 32768]. */
gboolean keras_pair (
    JsonObject *config, const char *key, gint64 fallback, int64_t pair[2]);

/* --- layers: keras-layers.c and its neighbours -------------------------- */

/* Builds a layer's call: inputs[0..n) to *out. */
typedef gboolean (*KerasBuildFunc) (KerasBuilder *builder,
    const KerasLayer *layer, KerasTensor *inputs, guint n_inputs,
    KerasTensor *out, GError **error);
/* NULL when this version has no such layer. */
KerasBuildFunc keras_layer_find (const char *class_name);

#define KERAS_LAYER(name)                                                      \
  gboolean keras_build_##name (KerasBuilder *builder, const KerasLayer *layer, \
      KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error);
KERAS_LAYER (conv)
KERAS_LAYER (depthwise)
KERAS_LAYER (separable)
KERAS_LAYER (conv_transpose)
KERAS_LAYER (dense)
KERAS_LAYER (batch_norm)
KERAS_LAYER (layer_norm)
KERAS_LAYER (pool)
KERAS_LAYER (global_pool)
KERAS_LAYER (activation)
KERAS_LAYER (merge)
KERAS_LAYER (concatenate)
KERAS_LAYER (identity)
KERAS_LAYER (flatten)
KERAS_LAYER (reshape)
KERAS_LAYER (permute)
KERAS_LAYER (zero_padding)
KERAS_LAYER (cropping)
KERAS_LAYER (up_sampling)
KERAS_LAYER (rescaling)
KERAS_LAYER (normalization)
KERAS_LAYER (resizing)
#undef KERAS_LAYER

/* --- topology: keras-config.c ------------------------------------------- */

/* Builds a whole Sequential or Functional model into builder->graph. */
gboolean keras_build_model (
    KerasBuilder *builder, JsonObject *model, GError **error);
