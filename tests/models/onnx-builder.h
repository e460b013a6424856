/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ONNX files made on the spot, sound or broken in one chosen place. Sizes and
 * names are taken over as given: nothing here checks them. */
#pragma once

#include "formats/onnx.h"

typedef struct {
  ForgeOnnx__Model model;
  ForgeOnnx__Graph graph;
  GPtrArray *owned;
} OnnxBuilder;

/* IR version 8, operator set 13, no nodes. */
OnnxBuilder *onnx_builder_new (void);
void onnx_builder_free (OnnxBuilder *builder);
/* (transfer full) */
GBytes *onnx_builder_finish (OnnxBuilder *builder);
/* What the reader makes of it, as test.onnx; @folder: (nullable): beside what
 * it is meant to lie. (transfer full) (nullable) */
ForgeGraph *onnx_builder_read (
    OnnxBuilder *builder, const char *folder, GError **error);

/* Memory that lives as long as the builder, zeroed. */
void *onnx_builder_take (OnnxBuilder *builder, gsize size_bytes);
char *onnx_builder_text (OnnxBuilder *builder, const char *text);

/* @dims ends with -2; -1 is a dimension without a value. */
void onnx_builder_input (
    OnnxBuilder *builder, const char *name, int dtype, const int *dims);
void onnx_builder_output (OnnxBuilder *builder, const char *name);
/* Names are separated by commas; "" is one empty name. */
ForgeOnnx__Node *onnx_builder_node (OnnxBuilder *builder, const char *type,
    const char *inputs, const char *outputs);
ForgeOnnx__Attribute *onnx_builder_attribute (
    OnnxBuilder *builder, ForgeOnnx__Node *node, const char *name, int type);
/* A function of domain "own", with the opset of the model's first import. */
ForgeOnnx__Function *onnx_builder_function (OnnxBuilder *builder,
    const char *name, const char *inputs, const char *outputs);
/* Moves the graph's last node to the end of a function. */
ForgeOnnx__Node *onnx_builder_move_node (
    OnnxBuilder *builder, ForgeOnnx__Function *function);
/* A tensor without values, in no list yet; @dims ends with -2. */
ForgeOnnx__Tensor *onnx_builder_tensor (
    OnnxBuilder *builder, const char *name, int dtype, const int *dims);
void onnx_builder_set_raw (
    ForgeOnnx__Tensor *tensor, const void *data, gsize size_bytes);
void onnx_builder_initializer (OnnxBuilder *builder, ForgeOnnx__Tensor *tensor);
void onnx_builder_opset (
    OnnxBuilder *builder, const char *domain, int64_t version);
void onnx_builder_metadata (
    OnnxBuilder *builder, const char *key, const char *value);

#define DIMS(...) ((const int[]) { __VA_ARGS__, -2 })
#define SCALAR ((const int[]) { -2 })

G_DEFINE_AUTOPTR_CLEANUP_FUNC (OnnxBuilder, onnx_builder_free)
