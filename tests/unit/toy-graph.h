/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Small graphs in C for the tests of engine/graph and engine/run: one line a
 * node, by value names. */
#pragma once

#include "graph/graph.h"

/* An operator of any arity whose one output is shaped as its first input. */
extern const ForgeOp toy_op;
/* The same, allowed to overwrite its first input. */
extern const ForgeOp toy_in_place_op;
/* The same, a renaming of its first input. */
extern const ForgeOp toy_view_op;

/* "a" or "a, b, , c": an empty name is an input left out. Attributes are
 * taken. */
ForgeNode *toy_node (ForgeGraph *graph, const ForgeOp *op, const char *inputs,
    const char *outputs, ForgeAttrs *attrs);
/* The same with an operator of the engine, by ONNX name. */
ForgeNode *toy_onnx_node (ForgeGraph *graph, const char *type,
    const char *inputs, const char *outputs, ForgeAttrs *attrs);
/* float32 input of up to four extents; those after the first 0 are not
 * there. */
ForgeValue *toy_input (
    ForgeGraph *graph, const char *name, int a, int b, int c, int d);
/* float32 constant with values drawn from @seed in [low, low + span). */
ForgeValue *toy_constant (ForgeGraph *graph, const char *name, uint64_t seed,
    float low, float span, int a, int b, int c, int d);
ForgeValue *toy_scalar (ForgeGraph *graph, const char *name, float value);
/* int64 [n] constant. */
ForgeValue *toy_ints (
    ForgeGraph *graph, const char *name, const int64_t *values, int n);
void toy_output (ForgeGraph *graph, const char *name);
/* What the network gives for inputs drawn from @seed, node by node, without a
 * plan: copies of the output tensors (ForgeTensor*, owned). */
GPtrArray *toy_run (const ForgeGraph *graph, uint64_t seed);
/* Fills a tensor as toy_run fills inputs: uint8 0..255, float32 -1..1. */
void toy_fill (ForgeTensor *tensor, uint64_t seed);
guint toy_count (const ForgeGraph *graph, const char *type);
ForgeAttrs *toy_attrs_ints (ForgeAttrs *attrs, const char *name, int n, ...);
/* A convolutional network with what such networks have: bytes in, rescale,
 * Conv, batch norm, activations, pools, a residual, a concat, a gate, Gemm,
 * Softmax; which of them, @seed decides. Batch unknown, sorted, inferred. */
ForgeGraph *toy_network (uint64_t seed);
