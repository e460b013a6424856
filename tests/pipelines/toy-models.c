/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Models and pictures made on the spot, through the engine's own writer. */
#include "toy-models.h"

#include <glib/gstdio.h>
#include <png.h>
#include <string.h>

#include "base/rng.h"
#include "formats/format.h"
#include "graph/graph.h"

#define SIDE 8
#define N_CLASSES 3
#define N_SHADES 4
#define N_FEATURES (SIDE * SIDE * 3)

const char *const toy_colours[] = { "blue", "green", "red", NULL };
const unsigned char toy_colour_rgb[3][3] = {
  { 20, 30, 220 },
  { 25, 210, 40 },
  { 230, 20, 30 },
};

const char *const toy_shades[] = { "black", "blue", "grey", "red", NULL };
const unsigned char toy_shade_rgb[N_SHADES][3] = {
  { 15, 15, 15 },
  { 20, 30, 220 },
  { 120, 120, 120 },
  { 220, 20, 30 },
};

static ForgeValue *
add_node (ForgeGraph *graph, const char *type, ForgeAttrs *attrs,
    const char *output, ForgeValue *a, ForgeValue *b, ForgeValue *c)
{
  ForgeValue *inputs[] = { a, b, c };
  ForgeValue *out = forge_graph_value (graph, output);
  const ForgeOp *op = forge_op_find (type, "");
  g_assert_nonnull (op);
  forge_graph_add_node (graph, op, output, attrs, inputs,
      c   ? 3
      : b ? 2
          : 1,
      &out, 1);
  return out;
}

static ForgeValue *
add_floats (ForgeGraph *graph, const char *name, const ForgeShape *shape,
    const float *values)
{
  ForgeTensor *tensor = forge_tensor_new (FORGE_FLOAT32, shape, NULL);
  memcpy (forge_tensor_get_data (tensor), values,
      forge_tensor_get_size_bytes (tensor));
  ForgeValue *value = forge_graph_add_constant (graph, name, tensor);
  forge_tensor_unref (tensor);
  return value;
}

static void
write_graph (ForgeGraph *graph, const char *path)
{
  g_autoptr (GError) error = NULL;
  forge_graph_sort (graph, &error);
  g_assert_no_error (error);
  forge_graph_infer (graph, &error);
  g_assert_no_error (error);
  forge_onnx_write (graph, path, &error);
  g_assert_no_error (error);
  forge_graph_free (graph);
}

/* Class 0 looks at component 2 (blue), class 2 at component 0 (red). */
static ForgeValue *
add_weights (ForgeGraph *graph)
{
  float weights[N_FEATURES * N_CLASSES] = { 0 };
  for (int i = 0; i < N_FEATURES; i++)
    weights[i * N_CLASSES + (2 - i % 3)] = 0.05f;
  ForgeShape shape = forge_shape (2, N_FEATURES, N_CLASSES);
  return add_floats (graph, "weights", &shape, weights);
}

void
toy_write_colour_model (const char *path)
{
  ForgeGraph *graph = forge_graph_new ("colours");
  graph->opset = 13;
  ForgeShape in_shape = forge_shape (4, -1, SIDE, SIDE, 3);
  ForgeShape scalar = forge_shape (0);
  ForgeShape bias_shape = forge_shape (1, N_CLASSES);
  const float zeros[N_CLASSES] = { 0 };
  ForgeAttrs *cast = forge_attrs_new ();
  forge_attrs_set_int (cast, "to", FORGE_FLOAT32);
  ForgeAttrs *softmax = forge_attrs_new ();
  forge_attrs_set_int (softmax, "axis", -1);

  ForgeValue *x =
      forge_graph_add_input (graph, "image", FORGE_UINT8, &in_shape);
  x = add_node (graph, "Cast", cast, "cast", x, NULL, NULL);
  x = add_node (graph, "Mul", NULL, "rescale", x,
      add_floats (graph, "scale", &scalar, (float[]) { 1 / 255.0f }), NULL);
  x = add_node (graph, "Flatten", NULL, "flat", x, NULL, NULL);
  x = add_node (graph, "Gemm", NULL, "logits", x, add_weights (graph),
      add_floats (graph, "bias", &bias_shape, zeros));
  x = add_node (graph, "Softmax", softmax, "probabilities", x, NULL, NULL);
  forge_graph_add_output (graph, x);

  ForgeModelInfo info = {
    .name = (char *) "colours",
    .version = (char *) "7",
    .labels = (char **) toy_colours,
    .preprocess = FORGE_PREPROCESS_DEFAULT,
    .has_probabilities = TRUE,
    .n_classes = N_CLASSES,
  };
  info.preprocess.width = info.preprocess.height = SIDE;
  forge_model_info_write (&info, graph);
  write_graph (graph, path);
}

void
toy_write_arithmetic_model (const char *path)
{
  ForgeGraph *graph = forge_graph_new ("arithmetic");
  graph->opset = 13;
  ForgeShape shape = forge_shape (2, -1, 4);
  ForgeValue *a = forge_graph_add_input (graph, "a", FORGE_FLOAT32, &shape);
  ForgeValue *b = forge_graph_add_input (graph, "b", FORGE_FLOAT32, &shape);
  forge_graph_add_output (
      graph, add_node (graph, "Add", NULL, "sum", a, b, NULL));
  forge_graph_add_output (
      graph, add_node (graph, "Mul", NULL, "product", a, b, NULL));
  write_graph (graph, path);
}

/* |x - p|^2 = |x|^2 - 2 p x + |p|^2: a linear layer knows which is least. */
void
toy_write_shade_model (const char *path)
{
  ForgeGraph *graph = forge_graph_new ("shades");
  graph->opset = 13;
  ForgeShape in_shape = forge_shape (4, -1, 3, SIDE, SIDE);
  ForgeShape shape = forge_shape (2, 3, N_SHADES);
  ForgeShape bias_shape = forge_shape (1, N_SHADES);
  float weights[3 * N_SHADES], bias[N_SHADES] = { 0 };
  for (int k = 0; k < N_SHADES; k++)
    for (int c = 0; c < 3; c++) {
      float value = (float) toy_shade_rgb[k][c] / 127.5f - 1;
      weights[c * N_SHADES + k] = 8 * value;
      bias[k] -= 4 * value * value;
    }
  ForgeValue *x =
      forge_graph_add_input (graph, "image", FORGE_FLOAT32, &in_shape);
  x = add_node (graph, "GlobalAveragePool", NULL, "mean", x, NULL, NULL);
  x = add_node (graph, "Flatten", NULL, "flat", x, NULL, NULL);
  x = add_node (graph, "Gemm", NULL, "logits", x,
      add_floats (graph, "weights", &shape, weights),
      add_floats (graph, "bias", &bias_shape, bias));
  ForgeAttrs *softmax = forge_attrs_new ();
  forge_attrs_set_int (softmax, "axis", -1);
  x = add_node (graph, "Softmax", softmax, "probabilities", x, NULL, NULL);
  forge_graph_add_output (graph, x);
  write_graph (graph, path);
}

void
toy_write_shade_folders (const char *root, int n_each)
{
  for (int k = 0; k < N_SHADES; k++) {
    g_autofree char *folder = g_build_filename (root, toy_shades[k], NULL);
    g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
    for (int i = 0; i < n_each; i++) {
      g_autofree char *path = g_strdup_printf ("%s/%03d.png", folder, i);
      toy_write_picture (path, 16, 16, toy_shade_rgb[k], k * 100 + i);
    }
  }
}

void
toy_write_picture (const char *path, int width, int height,
    const unsigned char rgb[3], unsigned seed)
{
  ForgeRng rng;
  forge_rng_seed (&rng, seed);
  g_autofree png_byte *pixels = g_malloc (width * height * 3);
  for (int i = 0; i < width * height * 3; i++)
    pixels[i] = rgb[i % 3] + forge_rng_below (&rng, 20);
  png_image image = {
    .version = PNG_IMAGE_VERSION,
    .width = width,
    .height = height,
    .format = PNG_FORMAT_RGB,
  };
  g_assert_true (
      png_image_write_to_file (&image, path, 0, pixels, width * 3, NULL));
}

void
toy_write_colour_folders (const char *root, int n_each, int n_wrong)
{
  const char *const parts[] = { "train", "test" };
  unsigned seed = 1;
  for (gsize p = 0; p < G_N_ELEMENTS (parts); p++)
    for (int c = 0; c < N_CLASSES; c++) {
      g_autofree char *folder =
          g_build_filename (root, parts[p], toy_colours[c], NULL);
      g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
      for (int i = 0; i < n_each; i++) {
        g_autofree char *path = g_strdup_printf ("%s/%03d.png", folder, i);
        int shown = c == 0 && i < n_wrong ? 1 : c;
        toy_write_picture (path, 32, 32, toy_colour_rgb[shown], seed++);
      }
    }
}
