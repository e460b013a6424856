/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network architectures that can be trained from nothing. arch.c lists them;
 * arch-<name>.c builds one. */
#pragma once

#include "base/rng.h"
#include "graph/graph.h"

typedef struct {
  guint n_classes;
  double dropout; /* rate of the dropout layers */
  uint64_t seed;  /* of the first weights */
} ForgeArchParams;

typedef struct {
  const char *name;
  int width, height; /* of the input, pixels */
  /* From uint8 [N, H, W, 3] to probabilities float32 [N, n_classes]; the last
   * node is Softmax. */
  ForgeGraph *(*build) (const ForgeArchParams *params, GError **error);
} ForgeArch;

extern const ForgeArch forge_arch_cnn;

/* FORGE_ERROR_ARGUMENT naming those there are. */
const ForgeArch *forge_arch_find (const char *name, GError **error);

/* A network under construction: each call appends one layer that reads
 * `last`. After a failure `error` is set and all further calls do nothing. */
typedef struct {
  ForgeGraph *graph;
  ForgeValue *last;
  uint64_t seed;
  guint n_parameters;
  GError *error;
} ForgeArchBuilder;

typedef enum {
  FORGE_INIT_HE,     /* uniform, variance 2 / fan_in: before a ReLU */
  FORGE_INIT_GLOROT, /* uniform, variance 2 / (fan_in + fan_out) */
} ForgeInit;

/* uint8 [N, height, width, 3] to float32 [N, 3, height, width] in [0, 1]. */
void forge_arch_input (
    ForgeArchBuilder *builder, const char *name, int width, int height);
/* Convolution without padding, with a bias. */
void forge_arch_conv (ForgeArchBuilder *builder, const char *name, int64_t n_in,
    int64_t n_out, int64_t side);
void forge_arch_dense (ForgeArchBuilder *builder, const char *name,
    int64_t n_in, int64_t n_out, ForgeInit init);
/* side x side windows, side by side; the rest at the edge is left out. */
void forge_arch_max_pool (
    ForgeArchBuilder *builder, const char *name, int64_t side);
void forge_arch_dropout (
    ForgeArchBuilder *builder, const char *name, double rate);
/* An operator of one input. Takes @attrs. */
void forge_arch_plain (ForgeArchBuilder *builder, const char *type,
    const char *name, ForgeAttrs *attrs);
/* Names the output, sorts and infers the shapes. Frees what is inside
 * @builder. */
ForgeGraph *forge_arch_finish (
    ForgeArchBuilder *builder, const char *output_name, GError **error);
