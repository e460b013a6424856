/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the user states about the input wins over the file, is checked, and
 * leaves the list of assumptions. */
#include "forge/preprocess.h"

#include <string.h>

#include "forge/error.h"
#include "run/model.h"
#include "toy-graph.h"

/* -> GlobalAveragePool -> Flatten, of an input with those extents. */
static ForgeModel *
open_model (ForgeDtype dtype, ForgeShape shape)
{
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph = forge_graph_new ("stated");
  graph->opset = 13;
  forge_graph_add_input (graph, "image", dtype, &shape);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "to", FORGE_FLOAT32);
  toy_onnx_node (graph, "Cast", "image", "floats", attrs);
  toy_onnx_node (graph, "GlobalAveragePool", "floats", "means", NULL);
  toy_onnx_node (graph, "Flatten", "means", "scores", NULL);
  toy_output (graph, "scores");
  g_assert_true (forge_graph_sort (graph, &error));
  g_assert_true (forge_graph_infer (graph, &error));
  ForgeModel *model = forge_model_new_from_graph (graph, "stated", &error);
  g_assert_no_error (error);
  return model;
}

static void
values_are_byte_times_scale_minus_mean_over_std (void)
{
  static const struct {
    ForgeStatedPreprocess stated;
    float scale[3], bias[3];
  } rows[] = {
    { { .scale = "1" }, { 1, 1, 1 }, { 0 } },
    { { .mean = "0.5", .std = "0.5" }, { 2 / 255.f, 2 / 255.f, 2 / 255.f },
        { -1, -1, -1 } },
    { { .scale = "1", .mean = "103.5,116,123" }, { 1, 1, 1 },
        { -103.5f, -116, -123 } },
    { { .std = " 0.25, 0.5 ,1 " }, { 4 / 255.f, 2 / 255.f, 1 / 255.f }, { 0 } },
    { { .order = "rgb" }, { 1 / 255.f, 1 / 255.f, 1 / 255.f }, { 0 } },
  };
  g_autoptr (ForgeModel) model =
      open_model (FORGE_FLOAT32, forge_shape (4, -1, 3, 8, 8));
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    ForgePreprocess preprocess;
    forge_model_state_preprocess (
        model, &rows[i].stated, &preprocess, NULL, &error);
    g_assert_no_error (error);
    for (int c = 0; c < 3; c++) {
      g_assert_cmpfloat (preprocess.scale[c], ==, rows[i].scale[c]);
      g_assert_cmpfloat (preprocess.bias[c], ==, rows[i].bias[c]);
    }
  }
}

static void
words_replace_the_models_own (void)
{
  const ForgeStatedPreprocess stated = {
    .order = "bgr", .resize = "letterbox", .filter = "nearest"
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model =
      open_model (FORGE_UINT8, forge_shape (4, -1, 3, 8, 6));
  ForgePreprocess preprocess;
  forge_model_state_preprocess (model, &stated, &preprocess, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (preprocess.bgr);
  g_assert_cmpint (preprocess.policy, ==, FORGE_RESIZE_LETTERBOX);
  g_assert_cmpint (preprocess.filter, ==, FORGE_FILTER_NEAREST);
  g_assert_cmpint (preprocess.width, ==, 6);
  g_assert_cmpint (preprocess.height, ==, 8);
  g_assert_false (forge_model_get_preprocess (model)->bgr);
}

/* A shape such as [N, 3, 5, 3] fits both; the other layout is another size. */
static void
layout_is_stated_where_the_shape_leaves_it_open (void)
{
  const ForgeStatedPreprocess nhwc = { .layout = "nhwc" };
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) open =
      open_model (FORGE_FLOAT32, forge_shape (4, -1, 3, 5, 3));
  g_autoptr (ForgeModel) closed =
      open_model (FORGE_FLOAT32, forge_shape (4, -1, 3, 5, 5));
  ForgePreprocess preprocess;
  forge_model_state_preprocess (open, &nhwc, &preprocess, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (preprocess.nchw);
  g_assert_cmpint (preprocess.width, ==, 5);
  g_assert_cmpint (preprocess.height, ==, 3);
  g_assert_false (
      forge_model_state_preprocess (closed, &nhwc, &preprocess, NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
  g_assert_nonnull (strstr (error->message, "nhwc"));
}

static void
size_is_stated_where_the_shape_leaves_it_open (void)
{
  const ForgeStatedPreprocess stated = { .size = "31x17" };
  g_autoptr (GError) error = NULL;
  g_autofree char *assumptions = NULL;
  g_autoptr (ForgeModel) open =
      open_model (FORGE_FLOAT32, forge_shape (4, -1, 3, -1, -1));
  g_autoptr (ForgeModel) closed =
      open_model (FORGE_FLOAT32, forge_shape (4, -1, 3, 8, 8));
  ForgePreprocess preprocess;
  g_assert_true (forge_model_state_preprocess (
      open, &stated, &preprocess, &assumptions, &error));
  g_assert_cmpint (preprocess.width, ==, 31);
  g_assert_cmpint (preprocess.height, ==, 17);
  g_assert_null (strstr (assumptions, "pixels"));
  g_assert_false (forge_model_state_preprocess (
      closed, &stated, &preprocess, NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
  g_assert_nonnull (strstr (error->message, "[?, 3, 8, 8]"));
}

static void
what_is_stated_is_no_longer_assumed (void)
{
  static const struct {
    ForgeStatedPreprocess stated;
    const char *kept, *gone;
  } rows[] = {
    { { 0 }, "values", "bgr" },
    { { .mean = "1" }, "colour order RGB", "values" },
    { { .order = "rgb" }, "values", "colour" },
    { { .resize = "stretch" }, "filter antialias", "resized" },
    { { .filter = "nearest" }, "resized by centre-crop", "filter" },
  };
  const ForgeStatedPreprocess all = {
    .scale = "1", .order = "rgb", .resize = "stretch", .filter = "nearest"
  };
  g_autoptr (ForgeModel) model =
      open_model (FORGE_FLOAT32, forge_shape (4, -1, 3, 8, 8));
  ForgePreprocess preprocess;
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *left = NULL;
    g_assert_true (forge_model_state_preprocess (
        model, &rows[i].stated, &preprocess, &left, NULL));
    g_test_message ("%s", left);
    g_assert_nonnull (strstr (left, rows[i].kept));
    g_assert_null (strstr (left, rows[i].gone));
  }
  g_autofree char *left = NULL;
  g_assert_true (
      forge_model_state_preprocess (model, &all, &preprocess, &left, NULL));
  g_assert_null (left);
}

static void
nonsense_is_refused_by_name (void)
{
  static const struct {
    ForgeStatedPreprocess stated;
    gboolean bytes, grey;
    const char *word;
  } rows[] = {
    { { .scale = "1,2" }, FALSE, FALSE, "found 2" },
    { { .scale = "" }, FALSE, FALSE, "scale" },
    { { .mean = "a" }, FALSE, FALSE, "'a'" },
    { { .mean = "1;2;3" }, FALSE, FALSE, "1;2;3" },
    { { .mean = "nan" }, FALSE, FALSE, "nan" },
    { { .scale = "1e300" }, FALSE, FALSE, "1e300" },
    { { .std = "1,0,1" }, FALSE, FALSE, "std '1,0,1'" },
    { { .std = "1e-300" }, FALSE, FALSE, "std" },
    { { .order = "gbr" }, FALSE, FALSE, "gbr" },
    { { .layout = "chw" }, FALSE, FALSE, "chw" },
    { { .size = "8" }, FALSE, FALSE, "WIDTHxHEIGHT" },
    { { .size = "8x" }, FALSE, FALSE, "'8x'" },
    { { .size = "0x8" }, FALSE, FALSE, "1 to 32768" },
    { { .size = "8x8x3" }, FALSE, FALSE, "'8x8x3'" },
    { { .resize = "crop" }, FALSE, FALSE, "crop" },
    { { .filter = "lanczos" }, FALSE, FALSE, "lanczos" },
    { { .scale = "1" }, TRUE, FALSE, "uint8" },
    { { .order = "bgr" }, FALSE, TRUE, "grey" },
    { { .mean = "1,2,3" }, FALSE, TRUE, "found 3" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeModel) model =
        open_model (rows[i].bytes ? FORGE_UINT8 : FORGE_FLOAT32,
            forge_shape (4, -1, rows[i].grey ? 1 : 3, 8, 8));
    ForgePreprocess preprocess;
    g_assert_false (forge_model_state_preprocess (
        model, &rows[i].stated, &preprocess, NULL, &error));
    g_test_message ("%s", error->message);
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
    g_assert_nonnull (strstr (error->message, rows[i].word));
  }
}

static void
networks_without_pictures_take_no_statement (void)
{
  const ForgeStatedPreprocess stated = { .order = "rgb" };
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model =
      open_model (FORGE_FLOAT32, forge_shape (3, -1, 3, 8));
  ForgePreprocess preprocess;
  g_autofree char *assumptions = NULL;
  g_assert_true (forge_model_state_preprocess (
      model, NULL, &preprocess, &assumptions, NULL));
  g_assert_null (assumptions);
  g_assert_false (
      forge_model_state_preprocess (model, &stated, &preprocess, NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(test) g_test_add_func ("/stated-preprocess/" #test, test)
  ADD (values_are_byte_times_scale_minus_mean_over_std);
  ADD (words_replace_the_models_own);
  ADD (layout_is_stated_where_the_shape_leaves_it_open);
  ADD (size_is_stated_where_the_shape_leaves_it_open);
  ADD (what_is_stated_is_no_longer_assumed);
  ADD (nonsense_is_refused_by_name);
  ADD (networks_without_pictures_take_no_statement);
  return g_test_run ();
}
