/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network architectures that can be trained from nothing. arch.c lists them;
 * arch-<name>.c builds one. */
#pragma once

#include "base/rng.h"
#include "forge/train.h"
#include "graph/graph.h"

#define FORGE_ARCH_MAX_OPTIONS 12

/* A number behind the name of an architecture: "forge-resnet:width1=32". */
typedef struct {
  const char *name;
  double fallback, least, most;
  gboolean is_fraction; /* else whole */
} ForgeArchOption;

/* The training pictures, for first weights that depend on them: uint8
 * [n_items, height, width, 3]. */
typedef struct {
  const uint8_t *pixels;
  guint n_items;
  int width, height;
} ForgeArchPictures;

typedef struct {
  guint n_outputs;
  gboolean sigmoid;      /* each output for itself, instead of softmax */
  double dropout;        /* rate of the dropout layers */
  uint64_t seed;         /* of the first weights */
  const double *options; /* in the order of the architecture's; NULL = its
                            own */
  ForgeArchPictures pictures;
} ForgeArchParams;

typedef struct {
  const char *name;
  /* The first is "size", of the input, pixels; the list ends with no name. */
  ForgeArchOption options[FORGE_ARCH_MAX_OPTIONS];
  /* From uint8 [N, size, size, 3] to probabilities float32 [N, n_outputs];
   * the last node is Softmax or Sigmoid. */
  ForgeGraph *(*build) (const ForgeArchParams *params, GError **error);
  /* Changes the parameters that are not forge-cnn's. (nullable) */
  void (*set_defaults) (ForgeTrainParams *params);
} ForgeArch;

extern const ForgeArch forge_arch_cnn;
extern const ForgeArch forge_arch_mobilenet_v2;
extern const ForgeArch forge_arch_resnet;

/* An architecture with the options it was asked for with. */
typedef struct {
  const ForgeArch *arch;
  double options[FORGE_ARCH_MAX_OPTIONS];
} ForgeArchChoice;

/* FORGE_ERROR_ARGUMENT naming those there are. */
const ForgeArch *forge_arch_find (const char *name, GError **error);
/* @text: a name, then maybe ":option=number,...". FORGE_ERROR_ARGUMENT. */
gboolean forge_arch_choose (
    const char *text, ForgeArchChoice *choice, GError **error);
int forge_arch_size (const ForgeArchChoice *choice);
/* Option @index as asked for, or its fallback. */
double forge_arch_option (
    const ForgeArch *arch, const ForgeArchParams *params, guint index);

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
  FORGE_INIT_THIRD,  /* uniform, variance 1 / (3 fan_in) */
  FORGE_INIT_DIRAC,  /* THIRD, but the first filters hand a channel each
                        through as it is */
} ForgeInit;

/* uint8 [N, height, width, 3] to float32 [N, 3, height, width] in [0, 1]. */
void forge_arch_input (
    ForgeArchBuilder *builder, const char *name, int width, int height);
/* The same to byte * scale + bias, three each. */
void forge_arch_input_scaled (ForgeArchBuilder *builder, const char *name,
    int width, int height, const float *scale, const float *bias);
/* Convolution without padding, with a bias. */
void forge_arch_conv (ForgeArchBuilder *builder, const char *name, int64_t n_in,
    int64_t n_out, int64_t side);

/* Any convolution. */
typedef struct {
  const char *name;
  int64_t n_in, n_out, side;
  int64_t stride, groups; /* 0 = 1 */
  int64_t pads[4];        /* top, left, bottom, right */
  gboolean has_bias;
  ForgeInit init;
} ForgeArchConv;
/* Returns the weights, for the caller to fill otherwise or to freeze; NULL
 * after a failure. */
ForgeValue *forge_arch_add_conv (
    ForgeArchBuilder *builder, const ForgeArchConv *conv);
/* Scale 1, frozen unless @trains_scale; shift and mean 0, variance 1. A batch
 * moves the running averages by 1 - @momentum. */
void forge_arch_batch_norm (ForgeArchBuilder *builder, const char *name,
    int64_t n_channels, double momentum, gboolean trains_scale);
/* x * sigmoid (x), as the two operators that any runtime has. */
void forge_arch_silu (ForgeArchBuilder *builder, const char *name);
/* min (max (x, 0), 6) */
void forge_arch_relu6 (ForgeArchBuilder *builder, const char *name);
/* last + @other */
void forge_arch_add (
    ForgeArchBuilder *builder, const char *name, ForgeValue *other);
void forge_arch_scale (
    ForgeArchBuilder *builder, const char *name, double factor);
void forge_arch_flatten (ForgeArchBuilder *builder, const char *name);
void forge_arch_dense (ForgeArchBuilder *builder, const char *name,
    int64_t n_in, int64_t n_out, ForgeInit init);
/* Without a bias. */
void forge_arch_dense_plain (ForgeArchBuilder *builder, const char *name,
    int64_t n_in, int64_t n_out, ForgeInit init);
/* side x side windows, side by side; the rest at the edge is left out. */
void forge_arch_max_pool (
    ForgeArchBuilder *builder, const char *name, int64_t side);
void forge_arch_dropout (
    ForgeArchBuilder *builder, const char *name, double rate);
/* An operator of one input. Takes @attrs. */
void forge_arch_plain (ForgeArchBuilder *builder, const char *type,
    const char *name, ForgeAttrs *attrs);
/* Ends in probabilities of that name: softmax, or sigmoid. Sorts and infers
 * the shapes. Frees what is inside @builder. */
ForgeGraph *forge_arch_finish (
    ForgeArchBuilder *builder, const ForgeArchParams *params, GError **error);
