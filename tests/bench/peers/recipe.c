/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads what recipe-write.c writes, in the same order of fields. */
#include "recipe.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "runner.h"

#define MAX_ITEMS 100000

static void *
allocate (size_t n_items, size_t size_bytes)
{
  void *memory = calloc (n_items + 1, size_bytes);
  if (!memory)
    runner_fail ("no memory for the recipe");
  return memory;
}

static FILE *
open_file (const char *model, const char *ending)
{
  char path[4096];
  int length = snprintf (path, sizeof path, "%s%s", model, ending);
  FILE *file =
      length < (int) sizeof path && length > 0 ? fopen (path, "rb") : NULL;
  if (!file)
    runner_fail ("no %s%s: layers that recipes lack?", model, ending);
  return file;
}

static void
expect (int ok, const char *what)
{
  if (!ok)
    runner_fail ("recipe: expected %s", what);
}

static void
read_weights (Recipe *recipe, const char *model, size_t n_weights)
{
  FILE *file = open_file (model, ".weights");
  recipe->data = allocate (n_weights + 16, sizeof (float));
  expect (fread (recipe->data, sizeof (float), n_weights, file) == n_weights,
      "all of the weights");
  fclose (file);
}

static int
is_tensor (const Recipe *recipe, int index)
{
  return index >= 0 && index < recipe->n_tensors;
}

static void
read_step (Recipe *recipe, RecipeStep *step, FILE *file, size_t n_weights)
{
  int kind, act;
  long weights, bias;
  expect (fscanf (file, " step %d %d %d %d %d %d %d %d %d %d %d %d %g %g",
              &kind, &step->out, &step->kh, &step->kw, &step->sh, &step->sw,
              &step->top, &step->left, &step->bottom, &step->right,
              &step->groups, &act, &step->alpha, &step->beta) == 14,
      "a step");
  expect (fscanf (file, "%ld %ld %d", &weights, &bias, &step->n_inputs) == 3,
      "weights and inputs of a step");
  expect (kind >= 0 && kind <= RECIPE_SOFTMAX && act >= 0 &&
              act <= RECIPE_HARD_SWISH && is_tensor (recipe, step->out) &&
              step->n_inputs > 0 && step->n_inputs <= RECIPE_MAX_INPUTS &&
              weights < (long) n_weights && bias < (long) n_weights,
      "a known step");
  step->kind = (RecipeKind) kind;
  step->act = (RecipeAct) act;
  step->weights = weights < 0 ? NULL : recipe->data + weights;
  step->bias = bias < 0 ? NULL : recipe->data + bias;
  for (int i = 0; i < step->n_inputs; i++) {
    expect (fscanf (file, "%d", &step->inputs[i]) == 1 &&
                is_tensor (recipe, step->inputs[i]),
        "an input");
    recipe->tensors[step->inputs[i]].n_readers++;
  }
}

const Recipe *
recipe_read (const char *model)
{
  Recipe *recipe = allocate (1, sizeof *recipe);
  FILE *file = open_file (model, ".recipe");
  size_t n_weights;
  expect (
      fscanf (file, "recipe %d %d %d %d %zu", &recipe->n_tensors,
          &recipe->n_steps, &recipe->input, &recipe->output, &n_weights) == 5 &&
          recipe->n_tensors > 0 && recipe->n_tensors < MAX_ITEMS &&
          recipe->n_steps > 0 && recipe->n_steps < MAX_ITEMS &&
          n_weights < SIZE_MAX / 8 && is_tensor (recipe, recipe->input) &&
          is_tensor (recipe, recipe->output),
      "a header");
  read_weights (recipe, model, n_weights);
  recipe->tensors =
      allocate ((size_t) recipe->n_tensors, sizeof *recipe->tensors);
  recipe->steps = allocate ((size_t) recipe->n_steps, sizeof *recipe->steps);
  for (int i = 0; i < recipe->n_tensors; i++) {
    RecipeTensor *tensor = &recipe->tensors[i];
    expect (fscanf (file, " tensor %d %d %d %d", &tensor->n, &tensor->c,
                &tensor->h, &tensor->w) == 4,
        "a tensor");
  }
  for (int i = 0; i < recipe->n_steps; i++)
    read_step (recipe, &recipe->steps[i], file, n_weights);
  recipe->tensors[recipe->output].n_readers++;
  fclose (file);
  return recipe;
}

int
recipe_only_reader (const Recipe *recipe, int tensor)
{
  if (recipe->tensors[tensor].n_readers != 1)
    return -1;
  for (int i = 0; i < recipe->n_steps; i++)
    for (int j = 0; j < recipe->steps[i].n_inputs; j++)
      if (recipe->steps[i].inputs[j] == tensor)
        return i;
  return -1;
}
