/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A network for engines that read no ONNX: a list of steps, each one layer
 * with what these engines can fuse into it, as recipe-write.c finds them in
 * the ONNX graph. MODEL.recipe is text, MODEL.weights the float32 arrays.
 * Plain C, also for C++. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RECIPE_MAX_INPUTS = 8 };

typedef enum {
  RECIPE_CONV,    /* weights [O, I / groups, KH, KW], bias [O] */
  RECIPE_DENSE,   /* weights [O, C * H * W], bias [O] */
  RECIPE_AFFINE,  /* weights: slope [C]; bias: shift [C] */
  RECIPE_UNARY,   /* act alone */
  RECIPE_ADD,     /* equal shapes */
  RECIPE_MUL,     /* inputs[1] may be [N, C, 1, 1] */
  RECIPE_MAXPOOL, /* padding never wins */
  RECIPE_AVGPOOL, /* no padding */
  RECIPE_MEAN,    /* over H and W */
  RECIPE_CONCAT,  /* channels */
  RECIPE_SOFTMAX, /* over channels */
} RecipeKind;

typedef enum {
  RECIPE_PLAIN,
  RECIPE_CLAMP, /* into [alpha, beta] */
  RECIPE_SIGMOID,
  RECIPE_SILU,
  RECIPE_HARD_SIGMOID, /* clamp (alpha x + beta, 0, 1) */
  RECIPE_HARD_SWISH,
} RecipeAct;

typedef struct {
  RecipeKind kind;
  int out;
  int n_inputs, inputs[RECIPE_MAX_INPUTS];
  int kh, kw, sh, sw, top, left, bottom, right, groups;
  RecipeAct act;
  float alpha, beta;
  const float *weights, *bias; /* or NULL */
} RecipeStep;

typedef struct {
  int n, c, h, w; /* logical, NCHW; n is the batch */
  int n_readers;
} RecipeTensor;

typedef struct {
  int n_tensors, n_steps, input, output;
  RecipeTensor *tensors;
  RecipeStep *steps;
  float *data;
} Recipe;

/* Reads MODEL.recipe and MODEL.weights; ends with runner_fail() where they
 * are not what is expected. Kept until the process ends. */
const Recipe *recipe_read (const char *model);
/* The only step that reads @tensor; -1 where there is none or several. */
int recipe_only_reader (const Recipe *recipe, int tensor);

#ifdef __cplusplus
}
#endif
