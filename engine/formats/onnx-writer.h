/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What onnx-write.c and onnx-weights.c share: the messages of one file, built
 * over the graph's own memory. */
#pragma once

#include "formats/onnx.h"

/* Small structures live until the file is packed. */
typedef struct {
  const ForgeGraph *graph;
  GPtrArray *owned;
  GPtrArray *narrow;    /* ForgeOnnx__Tensor*: initializers of unpackers */
  GPtrArray *unpackers; /* ForgeOnnx__Node*: they come before all others */
} ForgeOnnxWriter;

/* Zeroed; lives as long as the writer. */
void *forge_onnx_take (
    ForgeOnnxWriter *writer, size_t n_items, size_t item_bytes);
/* @name may be NULL; neither it nor the data is copied. */
ForgeOnnx__Tensor *forge_onnx_write_tensor (
    ForgeOnnxWriter *writer, const ForgeTensor *tensor, char *name);
/* All initializers of @proto, and the unpackers. */
void forge_onnx_write_weights (
    ForgeOnnxWriter *writer, ForgeOnnx__Graph *proto);
