/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Layers for the networks that compare measures: ONNX operators in NCHW with
 * random weights, as an export for inference has them (batch norms folded
 * into their convolutions). Programmer mistakes abort. */
#pragma once

#include "base/rng.h"
#include "graph/graph.h"

/* A square map [N, channels, side, side], or [N, channels] where side is 0. */
typedef struct {
  ForgeValue *value;
  int channels, side;
} Map;

typedef struct {
  ForgeGraph *graph;
  ForgeRng rng;
  guint n_nodes;
} Net;

typedef enum { PLAIN, RELU, RELU6, SILU, HARD_SWISH } Act;

/* @batch may be -1; 3 channels. */
Map net_begin (Net *net, const char *name, int64_t batch, int side);
Map net_conv (
    Net *net, Map in, int n_out, int kernel, int stride, int pad, Act act);
/* As DenseNet has them: nothing is added, so nothing is folded in. */
Map net_conv_unbiased (Net *net, Map in, int n_out, int kernel, int pad);
/* One filter a channel, padded to keep the side at stride 1. */
Map net_depthwise (Net *net, Map in, int kernel, int stride, Act act);
/* As the layers of DenseNet begin. */
Map net_batch_norm (Net *net, Map in);
Map net_activate (Net *net, Map in, Act act);
Map net_max_pool (Net *net, Map in, int kernel, int stride, int pad, int ceil);
Map net_average_pool (Net *net, Map in, int kernel);
/* [N, C, 1, 1] */
Map net_global_pool (Net *net, Map in);
Map net_add (Net *net, Map a, Map b);
Map net_concat (Net *net, const Map *maps, guint n_maps);
/* Squeeze and excite; @gate is the operator of the last step. */
Map net_excite (Net *net, Map in, int n_squeezed, Act act, const char *gate);
/* A constant times every element. */
Map net_scale (Net *net, Map in, float factor);
/* [N, C * side * side] */
Map net_flatten (Net *net, Map in);
Map net_dense (Net *net, Map in, int n_out, Act act);
Map net_softmax (Net *net, Map in);
/* [N, 1000] from [N, 3, 224, 224]: 12 blocks of 3 heads on 197 tokens of 192.
 */
Map net_vit_tiny (Net *net, Map in);

/* What the layers above are made of: any operator, and constants. Takes
 * @attrs (nullable). */
ForgeValue *net_node (Net *net, const char *type, ForgeAttrs *attrs,
    ForgeValue *const *inputs, guint n_inputs);
ForgeValue *net_constant (
    Net *net, ForgeShape shape, float mean, double deviation);
ForgeValue *net_ints (Net *net, const int64_t *values, int n_values);

/* Names the output, sorts and infers. (transfer full) */
ForgeGraph *net_finish (Net *net, Map last, GError **error);
