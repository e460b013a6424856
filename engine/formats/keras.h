/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of the Keras reader: weights by layer, tensors with their
 * layout, and the table of layers. Source: the files that Keras 2.15 and 3.14
 * write (keras/src/saving/saving_lib.py, legacy/saving/legacy_h5_format.py
 * describe them). */
#pragma once

#include "formats/format.h"
#include "base/json.h"

/* --- weights: keras-weights.c, keras-hdf5.c ------------------------------- */

typedef struct _KerasWeights KerasWeights;
typedef struct _KerasLayer KerasLayer;

/* What forge-hdf5-reader makes of an HDF5 file: the records of keras-dump.h.
 * @name is for messages, here and below. (transfer full) */
GBytes *keras_hdf5_dump (
    const void *bytes, size_t size_bytes, const char *name, GError **error);
KerasWeights *keras_weights_parse (
    GBytes *records, const char *name, GError **error);
/* Both of them, for an HDF5 file in memory. */
KerasWeights *keras_weights_open (
    const void *bytes, size_t size_bytes, const char *name, GError **error);
void keras_weights_close (KerasWeights *weights);
/* A string attribute of the root group; NULL when absent. */
const char *keras_weights_get_attribute (
    const KerasWeights *weights, const char *name);
/* TRUE for `model_weights/` files, whose weights have names; .keras files
 * number them by position. */
gboolean keras_weights_are_named (const KerasWeights *weights);
gboolean keras_weights_has_group (
    const KerasWeights *weights, const char *path);
/* Bytes of all records. */
size_t keras_weights_get_size (const KerasWeights *weights);
/* One array as float32. @variable: "kernel", in a layer within the layer
 * "query/kernel"; @index: its place among the layer's weights; @expected: its
 * shape, -1 = any extent. Errors name the layer and the weight, say what was
 * expected and what found. (transfer full), not to be written to */
ForgeTensor *keras_weights_read (KerasWeights *weights, const KerasLayer *layer,
    const char *variable, guint index, const ForgeShape *expected,
    GError **error);

/* --- building: keras-build.c ------------------------------------------- */

/* A Keras tensor. Images are kept [N, C, H, W] between layers, as ONNX has
 * them, whether the user's order is that (data_format channels_first) or
 * [N, H, W, C]. */
typedef struct {
  ForgeValue *value;
  gboolean nchw; /* the user's order is NHWC and value is transposed */
} KerasTensor;

/* What the first layers say of the pixels they were trained on. */
typedef enum {
  KERAS_RANGE_UNKNOWN,
  KERAS_RANGE_BYTES, /* 0..255 */
  KERAS_RANGE_UNIT   /* 0..1 */
} KerasRange;

typedef struct {
  ForgeGraph *graph;
  KerasWeights *weights;
  const char *name; /* of the file */
  gboolean keras2;
  KerasRange range;
  guint n_calls;         /* of layers, those of nested models each time */
  size_t constant_bytes; /* in the graph */
  GHashTable *constants; /* "group:variable" -> ForgeValue, for shared layers */
} KerasBuilder;

/* An argument of a call: a tensor or a list of them, or a constant. */
typedef struct {
  const char *name;       /* NULL = by position */
  guint first, n_tensors; /* of the call's inputs */
  JsonNode *constant;     /* when n_tensors is 0 */
} KerasArgument;

struct _KerasLayer {
  const char *class_name;
  const char *name;
  JsonNode *node;     /* its config as it stands: a list in old Sequentials */
  JsonObject *config; /* NULL only for those */
  char *group;        /* in the weights file */
  const char *parent; /* the nested model it is in; NULL at the root */
  gboolean is_operation;   /* of keras.ops or TensorFlow, not a layer */
  const GArray *arguments; /* KerasArgument of the call that is being built */
};

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
/* Constants. keras_constant takes a reference; the others copy. NULL, which
 * keras_emit reports, when there is no memory or the file's weights are fewer
 * by far. */
ForgeValue *keras_constant (KerasBuilder *builder, ForgeTensor *tensor);
ForgeValue *keras_scalar (KerasBuilder *builder, float value);
ForgeValue *keras_int64s (
    KerasBuilder *builder, const int64_t *values, guint n_values);
ForgeValue *keras_floats (
    KerasBuilder *builder, const float *values, guint n_values);
/* A weight of the layer as a constant, once however often it is called. */
typedef struct {
  const char *variable;
  guint index;
  ForgeShape shape; /* in the file; -1 = any */
  const int *perm;
  ForgeShape view; /* rank > 0: the shape to give it after that */
} KerasWeight;
ForgeValue *keras_weight (KerasBuilder *builder, const KerasLayer *layer,
    const KerasWeight *weight, GError **error);
/* The tensor in the wanted layout, transposed when needed; other ranks than 4
 * pass through. */
gboolean keras_to_nchw (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error);
gboolean keras_to_nhwc (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error);
/* Images in ONNX's order, by the layer's data_format. Error: not of rank 4. */
gboolean keras_to_images (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error);
gboolean keras_is_channels_first (const KerasLayer *layer);
/* An axis of the user's order, -1 = last, as one of the tensor's value; -1
 * when it is out of range. */
int keras_axis (const KerasTensor *tensor, gint64 axis);
/* Reshape to @dims, 0 = as it is, -1 = the rest. */
ForgeValue *keras_reshape (KerasBuilder *builder, const KerasLayer *layer,
    ForgeValue *value, const int64_t *dims, int rank, GError **error);
ForgeValue *keras_transpose (KerasBuilder *builder, const KerasLayer *layer,
    ForgeValue *value, const int64_t *perm, int rank, GError **error);

/* --- activations: keras-activation.c -------------------------------------- */

/* `activation` of the layer's config, whichever way it was written; "linear"
 * or none adds nothing. */
gboolean keras_activate (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error);
/* One by its name. */
ForgeValue *keras_activation (KerasBuilder *builder, const KerasLayer *layer,
    const char *name, ForgeValue *value, int axis, GError **error);
/* The name of an activation that this version does not have, or NULL. */
const char *keras_activation_unknown (JsonObject *config);
/* x / sqrt (max (sum x^2, 1e-12)) over @axes of the value. keras-norm.c */
ForgeValue *keras_unit_length (KerasBuilder *builder, const KerasLayer *layer,
    ForgeValue *x, const int64_t *axes, guint n_axes, GError **error);
/* A part of an image in ONNX's order. keras-shape.c */
gboolean keras_slice (KerasBuilder *builder, const KerasLayer *layer, int64_t y,
    int64_t height, int64_t x, int64_t width, KerasTensor *out, GError **error);
ForgeValue *keras_clamp (KerasBuilder *builder, const KerasLayer *layer,
    ForgeValue *value, float min, float max, GError **error);

/* A pair such as strides: an int or a list of two; FALSE when out of
 * [1, 32768]. */
gboolean keras_pair (
    JsonObject *config, const char *key, gint64 fallback, int64_t pair[2]);

/* --- layers: keras-layers.c and its neighbours ---------------------------- */

/* Builds a layer's call: inputs[0..n) to *out. */
typedef gboolean (*KerasBuildFunc) (KerasBuilder *builder,
    const KerasLayer *layer, KerasTensor *inputs, guint n_inputs,
    KerasTensor *out, GError **error);
/* NULL when this version has no such layer, or operation. */
KerasBuildFunc keras_layer_find (const char *class_name);
KerasBuildFunc keras_operation_find (const KerasLayer *layer);
/* Class names of all layers, NULL-terminated. (transfer container) */
const char **keras_layer_list (void);
/* The argument of the call named @name or at @position; NULL when absent. */
const KerasArgument *keras_argument (
    const KerasLayer *layer, const char *name, guint position);

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
KERAS_LAYER (dot)
KERAS_LAYER (attention)
KERAS_LAYER (operation)
KERAS_LAYER (group_norm)
KERAS_LAYER (unit_norm)
KERAS_LAYER (layer_scale)
KERAS_LAYER (repeat_vector)
KERAS_LAYER (global_pool1d)
KERAS_LAYER (identity)
KERAS_LAYER (flatten)
KERAS_LAYER (reshape)
KERAS_LAYER (permute)
KERAS_LAYER (zero_padding)
KERAS_LAYER (cropping)
KERAS_LAYER (center_crop)
KERAS_LAYER (custom_scale)
KERAS_LAYER (up_sampling)
KERAS_LAYER (rescaling)
KERAS_LAYER (normalization)
KERAS_LAYER (resizing)
#undef KERAS_LAYER

/* --- topology: keras-calls.c, keras-config.c, keras-unsupported.c --------- */

/* Where the tensors of a model are found by layer, call and output. */
typedef const KerasTensor *(*KerasReferFunc) (
    gpointer scope, const char *layer, gint64 call, gint64 output);
/* The inputs and arguments of a saved call. FALSE when a reference finds
 * nothing; *layer and *call then say which, NULL when there are more than
 * KERAS_MAX_INPUTS. @arguments may be NULL. */
gboolean keras_call_read (JsonNode *call, KerasReferFunc refer, gpointer scope,
    KerasTensor *inputs, guint *n_inputs, GArray *arguments,
    const char **missing_layer, gint64 *missing_call);
/* The layers of a Sequential or Functional's config, which may be the list
 * itself; NULL when there are none. */
JsonArray *keras_model_layers (JsonNode *config);
gboolean keras_is_model (const char *class_name);
/* Fills in what the file says of a layer but for its group. FALSE: it lacks
 * something. */
gboolean keras_layer_read (JsonObject *object, KerasLayer *layer);

/* FALSE with an error that lists all layers this version cannot build. */
gboolean keras_check_supported (
    JsonNode *config, const char *name, GError **error);
/* Builds a whole Sequential or Functional model into builder->graph. */
gboolean keras_build_model (
    KerasBuilder *builder, JsonObject *model, GError **error);
/* keras-preprocess.c: looks at a value times scale plus offset, whether it is
 * the first that happens to the pixels; and says in the graph's metadata what
 * the model wants of a picture, where its first layers or its name tell. */
void keras_see_scaling (KerasBuilder *builder, const ForgeValue *value,
    const ForgeTensor *scale, const ForgeTensor *offset);
void keras_note_preprocessing (KerasBuilder *builder, const char *model_name);

/* The whole way from the configuration's text, for all containers. */
ForgeGraph *keras_build (const char *config, KerasWeights *weights,
    gboolean keras2, const char *name, GError **error);
/* config.json, metadata.json (NULL when absent) and model.weights.h5 out of
 * a .keras archive. keras-archive.c */
typedef struct {
  char *config, *metadata, *weights;
  size_t weights_bytes;
} KerasArchive;
gboolean keras_archive_open (KerasArchive *archive, const void *bytes,
    size_t size_bytes, const char *name, GError **error);
void keras_archive_clear (KerasArchive *archive);
