/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What travels with a model: written and read back, taken from a .modelinfo
 * beside a foreign file, or assumed and said so. */
#include <glib/gstdio.h>
#include <string.h>

#include "forge/session.h"
#include "onnx-builder.h"

/* One picture in, a tensor of four dimensions out. */
static ForgeGraph *
picture_graph (int dtype, const int *dims)
{
  g_autoptr (OnnxBuilder) b = onnx_builder_new ();
  onnx_builder_input (b, "image", dtype, dims);
  onnx_builder_node (b, "Identity", "image", "scores");
  onnx_builder_output (b, "scores");
  g_autoptr (GBytes) bytes = onnx_builder_finish (b);
  ForgeSource source = { .name = "test.onnx" };
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph =
      forge_format_read_bytes (data, size_bytes, &source, &error);
  g_assert_no_error (error);
  return graph;
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeModelInfo, forge_model_info_free)

static void
set (ForgeGraph *graph, const char *key, const char *value)
{
  g_hash_table_insert (graph->metadata, g_strdup (key), g_strdup (value));
}

static void
what_is_written_reads_back_the_same (void)
{
  g_autoptr (ForgeGraph) graph =
      picture_graph (FORGE_FLOAT32, DIMS (-1, 1, 1, 3));
  char *labels[] = { (char *) "a \"b\"", (char *) "grün", (char *) "", NULL };
  ForgeModelInfo info = { .name = (char *) "n",
    .version = (char *) "1.2",
    .labels = labels,
    .preprocess = FORGE_PREPROCESS_DEFAULT };
  info.preprocess.width = info.preprocess.height = 1;
  info.preprocess.dtype = FORGE_FLOAT32;
  info.preprocess.bgr = TRUE;
  info.preprocess.policy = FORGE_RESIZE_LETTERBOX;
  info.preprocess.filter = FORGE_FILTER_NEAREST;
  for (int c = 0; c < 3; c++) {
    info.preprocess.scale[c] = 1 / (255.0f * (float) (c + 1));
    info.preprocess.bias[c] = -0.1f * (float) c;
  }
  forge_model_info_write (&info, graph);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModelInfo) back =
      forge_model_info_read (graph, "x/m.onnx", &error);
  /* [N, 1, 1, 3] could be either; the first extent wins */
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
  g_clear_error (&error);
  g_autoptr (ForgeGraph) nhwc =
      picture_graph (FORGE_FLOAT32, DIMS (-1, 2, 2, 3));
  char *many[] = { (char *) "0", (char *) "1", (char *) "2", (char *) "3",
    (char *) "a \"b\"", (char *) "grün", (char *) "6", (char *) "7",
    (char *) "8", (char *) "9", (char *) "10", (char *) "\\", NULL };
  info.labels = many;
  info.preprocess.width = info.preprocess.height = 2;
  forge_model_info_write (&info, nhwc);
  back = forge_model_info_read (nhwc, "x/m.onnx", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (back->name, ==, "n");
  g_assert_cmpstr (back->version, ==, "1.2");
  g_assert_cmpuint (back->n_classes, ==, 12);
  g_assert_true (g_strv_equal (
      (const char *const *) back->labels, (const char *const *) many));
  g_assert_null (back->assumptions);
  g_assert_cmpmem (&back->preprocess, sizeof back->preprocess, &info.preprocess,
      sizeof info.preprocess);
}

typedef struct {
  int dtype;
  int dims[5];
  int width, height, channels;
  gboolean nchw;
  const char *assumptions;
} Guess;

static void
foreign_models_get_defaults_and_say_so (void)
{
#define RESIZED "resized by centre-crop, resize filter antialias"
  static const Guess rows[] = {
    { FORGE_FLOAT32, { -1, 3, 20, 30, -2 }, 30, 20, 3, TRUE,
        "values scaled to 0..1, colour order RGB, " RESIZED },
    { FORGE_FLOAT32, { 1, 20, 30, 1, -2 }, 30, 20, 1, FALSE,
        "values scaled to 0..1, " RESIZED },
    { FORGE_UINT8, { -1, 20, 30, 3, -2 }, 30, 20, 3, FALSE,
        "colour order RGB, " RESIZED },
    { FORGE_UINT8, { -1, -1, -1, 3, -2 }, 224, 224, 3, FALSE,
        "224 x 224 pixels, colour order RGB, " RESIZED },
    { FORGE_UINT8, { -1, 3, 3, 3, -2 }, 3, 3, 3, TRUE,
        "layout NCHW, colour order RGB, " RESIZED },
    { FORGE_UINT8, { -1, -1, -1, -1, -2 }, 224, 224, 3, TRUE,
        "224 x 224 pixels, layout NCHW, colour order RGB, " RESIZED },
    { FORGE_INT64, { -1, 3, 20, 30, -2 }, 0, 0, 0, FALSE, NULL },
    { FORGE_FLOAT32, { 1, 17, -2 }, 0, 0, 0, FALSE, NULL },
    { FORGE_FLOAT32, { 1, 4, 20, 30, -2 }, 0, 0, 0, FALSE, NULL },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (ForgeGraph) graph = picture_graph (rows[i].dtype, rows[i].dims);
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeModelInfo) info =
        forge_model_info_read (graph, "some/net.v2.onnx", &error);
    g_assert_no_error (error);
    g_assert_cmpstr (info->name, ==, "net.v2");
    g_assert_cmpstr (info->assumptions, ==, rows[i].assumptions);
    g_assert_cmpint (info->preprocess.width, ==, rows[i].width);
    g_assert_cmpint (info->preprocess.height, ==, rows[i].height);
    g_assert_cmpint (info->preprocess.channels, ==, rows[i].channels);
    g_assert_cmpint (info->preprocess.nchw, ==, rows[i].nchw);
    g_assert_nonnull (info->labels);
    if (rows[i].dtype == FORGE_FLOAT32 && rows[i].channels)
      g_assert_cmpfloat (info->preprocess.scale[0], ==, 1 / 255.0f);
  }
}

static void
damaged_metadata_is_refused (void)
{
  g_autofree char *deep = g_strnfill (100000, '[');
  const struct {
    const char *key, *value;
    int code;
    const char *text;
  } rows[] = {
    { "forge.format", "2", FORGE_ERROR_UNSUPPORTED, "'2'" },
    { "forge.labels", "[\"a\"]", FORGE_ERROR_FORMAT, "1 labels" },
    { "forge.labels", "[\"a\", 2]", FORGE_ERROR_FORMAT, "entry 1" },
    { "forge.labels", "{}", FORGE_ERROR_FORMAT, "array" },
    { "forge.labels", "[", FORGE_ERROR_FORMAT, "forge.labels" },
    { "forge.labels", deep, FORGE_ERROR_FORMAT, "deeper" },
    { "forge.labels", "", FORGE_ERROR_FORMAT, "array" },
    { "forge.preprocess", "[]", FORGE_ERROR_FORMAT, "object" },
    { "forge.preprocess", "{\"width\": 20}", FORGE_ERROR_FORMAT, "together" },
    { "forge.preprocess", "{\"width\": 31, \"height\": 20}", FORGE_ERROR_SHAPE,
        "30 x 20" },
    { "forge.preprocess", "{\"width\": 30.5, \"height\": 20}",
        FORGE_ERROR_FORMAT, "whole" },
    { "forge.preprocess", "{\"width\": 0, \"height\": 20}", FORGE_ERROR_FORMAT,
        "0 x 20" },
    { "forge.preprocess", "{\"colour\": \"grey\"}", FORGE_ERROR_SHAPE,
        "3 channels" },
    { "forge.preprocess", "{\"colour\": 5}", FORGE_ERROR_FORMAT, "string" },
    { "forge.preprocess", "{\"resize\": \"zoom\"}", FORGE_ERROR_UNSUPPORTED,
        "'zoom'" },
    { "forge.preprocess", "{\"filter\": \"sinc\"}", FORGE_ERROR_UNSUPPORTED,
        "'sinc'" },
    { "forge.preprocess", "{\"scale\": [1, 1]}", FORGE_ERROR_FORMAT,
        "array of 3" },
    { "forge.preprocess", "{\"bias\": [1, 1, 1e99]}", FORGE_ERROR_FORMAT,
        "number" },
    { "forge.preprocess", "{\"bias\": [1, 1, \"x\"]}", FORGE_ERROR_FORMAT,
        "number" },
    { "forge.preprocess", "{\"scale\": 2}", FORGE_ERROR_FORMAT, "array" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (ForgeGraph) graph =
        picture_graph (FORGE_FLOAT32, DIMS (1, 3, 20, 30));
    set (graph, rows[i].key, rows[i].value);
    g_autoptr (GError) error = NULL;
    g_assert_null (forge_model_info_read (graph, "m.onnx", &error));
    g_test_message ("%s", error->message);
    g_assert_error (error, FORGE_ERROR, rows[i].code);
    g_assert_true (g_str_has_prefix (error->message, "m.onnx: "));
    g_assert_nonnull (strstr (error->message, rows[i].text));
  }
}

typedef struct {
  char *folder, *model, *keys, *labels;
} Folder;

static void
folder_setup (Folder *f, gconstpointer data)
{
  f->folder = g_dir_make_tmp ("forge-info-XXXXXX", NULL);
  f->model = g_build_filename (f->folder, "net.onnx", NULL);
  f->keys = g_build_filename (f->folder, "net.onnx.modelinfo", NULL);
  f->labels = g_build_filename (f->folder, "labels.txt", NULL);
  g_assert_true (
      g_file_set_contents (f->labels, "one\r\ntwo words\nthree\n", -1, NULL));
}

static void
folder_teardown (Folder *f, gconstpointer data)
{
  g_unlink (f->keys);
  g_unlink (f->labels);
  g_rmdir (f->folder);
  g_free (f->model);
  g_free (f->keys);
  g_free (f->labels);
  g_free (f->folder);
}

#define HEAD "[modelinfo]\nversion=1.0\ngroup-id=x\n\n[image]\ndir=input\n"

static ForgeModelInfo *
read_beside (Folder *f, ForgeGraph *graph, const char *keys, GError **error)
{
  g_assert_true (g_file_set_contents (f->keys, keys, -1, NULL));
  return forge_model_info_read (graph, f->model, error);
}

static void
a_modelinfo_beside_the_model_is_used (Folder *f, gconstpointer data)
{
  g_autoptr (ForgeGraph) graph =
      picture_graph (FORGE_FLOAT32, DIMS (-1, 3, 1, 1));
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModelInfo) info = read_beside (f, graph,
      HEAD "type=float32\ndims=-1,3,1,1\n"
           "ranges=0.0,255.0;-1.0,1.0;-2.5,2.6\ncolour=bgr\n"
           "resize=stretch\nfilter=bilinear\n"
           "[scores]\ndir=output\nlabels-file=labels.txt\n",
      &error);
  g_assert_no_error (error);
  /* [N, 3, 1, 1] could be NHWC with 1 channel */
  g_assert_cmpstr (info->assumptions, ==, "layout NCHW");
  const ForgePreprocess *p = &info->preprocess;
  g_assert_cmpfloat (p->scale[0], ==, 1);
  g_assert_cmpfloat (p->scale[1], ==, (float) (2.0 / 255));
  g_assert_cmpfloat (p->bias[1], ==, -1);
  g_assert_cmpfloat (p->bias[2], ==, -2.5f);
  g_assert_true (p->bgr);
  g_assert_cmpint (p->policy, ==, FORGE_RESIZE_STRETCH);
  g_assert_cmpint (p->filter, ==, FORGE_FILTER_BILINEAR);
  g_assert_cmpuint (g_strv_length (info->labels), ==, 3);
  g_assert_cmpstr (info->labels[0], ==, "one");
  g_assert_cmpstr (info->labels[1], ==, "two words");
}

static void
the_models_own_metadata_wins (Folder *f, gconstpointer data)
{
  g_autoptr (ForgeGraph) graph =
      picture_graph (FORGE_FLOAT32, DIMS (-1, 3, 20, 30));
  set (graph, "forge.preprocess",
      "{\"scale\": [2, 2, 2], \"colour\": \"rgb\", \"resize\": \"stretch\"}");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModelInfo) info =
      read_beside (f, graph, HEAD "ranges=0,1\n", &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (info->preprocess.scale[0], ==, 2);
  g_assert_null (info->assumptions);
}

/* Field by field: what the metadata leave open comes from the file beside. */
static void
a_modelinfo_says_what_the_metadata_leave_open (Folder *f, gconstpointer data)
{
  g_autoptr (ForgeGraph) graph =
      picture_graph (FORGE_FLOAT32, DIMS (-1, 3, 20, 30));
  set (graph, "forge.preprocess",
      "{\"colour\": \"bgr\", \"filter\": \"nearest\"}");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModelInfo) info = read_beside (f, graph,
      HEAD "type=float16\nranges=0,255\ncolour=rgb\nresize=stretch\n"
           "filter=bilinear\n",
      &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (info->preprocess.scale[0], ==, 1);
  g_assert_true (info->preprocess.bgr);
  g_assert_cmpint (info->preprocess.policy, ==, FORGE_RESIZE_STRETCH);
  g_assert_cmpint (info->preprocess.filter, ==, FORGE_FILTER_NEAREST);
  g_assert_null (info->assumptions);
}

static void
a_modelinfo_says_the_size_that_the_input_leaves_open (
    Folder *f, gconstpointer data)
{
  g_autoptr (ForgeGraph) graph =
      picture_graph (FORGE_FLOAT32, DIMS (-1, 3, -1, -1));
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModelInfo) info = read_beside (f, graph,
      HEAD "dims=-1,3,299,331\nranges=0,1\ncolour=rgb\nresize=stretch\n",
      &error);
  g_assert_no_error (error);
  g_assert_cmpint (info->preprocess.width, ==, 331);
  g_assert_cmpint (info->preprocess.height, ==, 299);
  g_assert_null (info->assumptions);
}

static void
damaged_modelinfo_files_are_refused (Folder *f, gconstpointer data)
{
  static const struct {
    const char *keys;
    int code;
    const char *text;
  } rows[] = {
    { "no key file", FORGE_ERROR_FORMAT, "not a key file" },
    { "[modelinfo]\n", FORGE_ERROR_UNSUPPORTED, "'missing'" },
    { "[modelinfo]\nversion=2.0\n", FORGE_ERROR_UNSUPPORTED, "'2.0'" },
    { HEAD "type=uint8\n", FORGE_ERROR_SHAPE, "[image] type" },
    { HEAD "dims=1,2\n", FORGE_ERROR_SHAPE, "[image] dims" },
    { HEAD "dims=1,1,3,20\n", FORGE_ERROR_SHAPE, "[?, 3, 1, 1]" },
    { HEAD "dims-order=col-major\n", FORGE_ERROR_UNSUPPORTED, "col-major" },
    { HEAD "ranges=0,1;0,1\n", FORGE_ERROR_FORMAT, "found 2" },
    { HEAD "ranges=0;1\n", FORGE_ERROR_FORMAT, "found 2" },
    { HEAD "ranges=0\n", FORGE_ERROR_FORMAT, "min,max" },
    { HEAD "ranges=0,nan\n", FORGE_ERROR_FORMAT, "min,max" },
    { HEAD "colour=cmyk\n", FORGE_ERROR_FORMAT, "cmyk" },
    { HEAD "resize=zoom\n", FORGE_ERROR_UNSUPPORTED, "zoom" },
    { HEAD "[o]\ndir=output\nlabels-file=../labels.txt\n", FORGE_ERROR_FORMAT,
        "model's folder" },
    { HEAD "[o]\ndir=output\nlabels-file=none.txt\n", FORGE_ERROR_NOT_FOUND,
        "none.txt" },
    { HEAD "[o]\ndir=output\nlabels-file=net.onnx.modelinfo\n",
        FORGE_ERROR_FORMAT, "labels for an output of 3" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (ForgeGraph) graph =
        picture_graph (FORGE_FLOAT32, DIMS (-1, 3, 1, 1));
    g_autoptr (GError) error = NULL;
    g_assert_null (read_beside (f, graph, rows[i].keys, &error));
    g_test_message ("%s", error->message);
    g_assert_error (error, FORGE_ERROR, rows[i].code);
    g_assert_true (g_str_has_prefix (error->message, f->folder));
    g_assert_nonnull (strstr (error->message, rows[i].text));
  }
}

static void
probabilities_are_seen_through_reshapes (void)
{
  static const struct {
    const char *const types[4];
    gboolean has;
  } rows[] = {
    { { "Softmax" }, TRUE },
    { { "Sigmoid", "Identity", "Flatten" }, TRUE },
    { { "Softmax", "Relu" }, FALSE },
    { { "Relu", "Identity" }, FALSE },
    { { "Identity" }, FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (OnnxBuilder) b = onnx_builder_new ();
    onnx_builder_input (b, "v0", FORGE_FLOAT32, DIMS (-1, 10));
    char from[] = "v0", to[] = "v1";
    for (int k = 0; k < 4 && rows[i].types[k]; k++) {
      onnx_builder_node (b, rows[i].types[k], from, to);
      from[1]++;
      to[1]++;
    }
    onnx_builder_output (b, from);
    g_autoptr (GBytes) bytes = onnx_builder_finish (b);
    ForgeSource source = { .name = "test.onnx" };
    gsize size_bytes;
    const void *data = g_bytes_get_data (bytes, &size_bytes);
    g_autoptr (ForgeGraph) graph =
        forge_format_read_bytes (data, size_bytes, &source, NULL);
    g_autoptr (ForgeModelInfo) info = forge_model_info_read (graph, NULL, NULL);
    g_assert_cmpint (info->has_probabilities, ==, rows[i].has);
    g_assert_cmpuint (info->n_classes, ==, 10);
    g_assert_cmpstr (info->name, ==, "model");
  }
}

/* What a first QuantizeLinear says about the numbers that go in. */
static const struct {
  float scale;
  uint8_t zero;
  gboolean is_known;
  float low, high; /* of the bytes 0 and 255 */
} quantised[] = {
  { 1 / 255.0f, 0, TRUE, 0, 1 },
  { 2 / 255.0f, 128, TRUE, -1, 1 },
  { 2 / 255.0f, 127, TRUE, -1, 1 },
  { 1, 0, TRUE, 0, 255 },
  { 0.0207f, 114, FALSE, 0, 1 },
};

static ForgeGraph *
quantised_graph (float scale, uint8_t zero)
{
  g_autoptr (OnnxBuilder) b = onnx_builder_new ();
  onnx_builder_input (b, "image", FORGE_FLOAT32, DIMS (-1, 3, 8, 8));
  ForgeOnnx__Tensor *s = onnx_builder_tensor (b, "s", FORGE_FLOAT32, SCALAR);
  ForgeOnnx__Tensor *z = onnx_builder_tensor (b, "z", FORGE_UINT8, SCALAR);
  onnx_builder_set_raw (s, &scale, sizeof scale);
  onnx_builder_set_raw (z, &zero, sizeof zero);
  onnx_builder_initializer (b, s);
  onnx_builder_initializer (b, z);
  onnx_builder_node (b, "QuantizeLinear", "image,s,z", "q");
  onnx_builder_node (b, "DequantizeLinear", "q,s,z", "scores");
  onnx_builder_output (b, "scores");
  g_autoptr (GBytes) bytes = onnx_builder_finish (b);
  ForgeSource source = { .name = "test.onnx" };
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph =
      forge_format_read_bytes (data, size_bytes, &source, &error);
  g_assert_no_error (error);
  return graph;
}

static void
quantised_input_tells_its_range (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (quantised); i++) {
    g_autoptr (ForgeGraph) graph =
        quantised_graph (quantised[i].scale, quantised[i].zero);
    g_autoptr (ForgeModelInfo) info =
        forge_model_info_read (graph, "x/m.onnx", NULL);
    g_test_message ("row %zu: %s", i, info->assumptions);
    gboolean is_assumed = strstr (info->assumptions, "values scaled") != NULL;
    g_assert_cmpint (is_assumed, !=, quantised[i].is_known);
    for (int c = 0; c < 3; c++) {
      float low = info->preprocess.bias[c];
      g_assert_cmpfloat_with_epsilon (low, quantised[i].low, 1e-6);
      g_assert_cmpfloat_with_epsilon (
          low + 255 * info->preprocess.scale[c], quantised[i].high, 1e-4);
    }
  }
}

/* x [?, ?, ?, ?] -> Conv 3x3 of 3 channels -> y, or (sum) x + [3, 24, 32]. */
static ForgeModel *
open_model (const char *preprocess, gboolean sum)
{
  static const float weights[3 * 24 * 32] = { 1 };
  g_autoptr (OnnxBuilder) b = onnx_builder_new ();
  onnx_builder_input (b, "x", FORGE_FLOAT32, DIMS (-1, -1, -1, -1));
  ForgeOnnx__Tensor *w = onnx_builder_tensor (
      b, "w", FORGE_FLOAT32, sum ? DIMS (3, 24, 32) : DIMS (2, 3, 3, 3));
  onnx_builder_set_raw (
      w, weights, (sum ? 3 * 24 * 32 : 2 * 27) * sizeof (float));
  onnx_builder_initializer (b, w);
  onnx_builder_node (b, sum ? "Add" : "Conv", "x,w", "y");
  onnx_builder_output (b, "y");
  if (preprocess)
    onnx_builder_metadata (b, "forge.preprocess", preprocess);
  g_autoptr (GBytes) bytes = onnx_builder_finish (b);
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  g_autoptr (GError) error = NULL;
  ForgeModel *model =
      forge_model_load_bytes (data, size_bytes, "open.onnx", &error);
  g_assert_no_error (error);
  return model;
}

/* As Hugging Face's exporter writes it: all four extents have names only. */
static void
a_size_left_open_is_the_assumed_or_the_stated_one (void)
{
  static const char stated[] = "{\"width\": 32, \"height\": 24}";
  static const struct {
    const char *preprocess;
    gboolean sum;
    int64_t height, width; /* 0 = refused */
  } rows[] = { { NULL, FALSE, 224, 224 }, { stated, FALSE, 24, 32 },
    { stated, TRUE, 24, 32 }, { NULL, TRUE, 0, 0 } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeModel) model = open_model (rows[i].preprocess, rows[i].sum);
    g_autoptr (ForgeSession) session = forge_session_new (
        model, &(ForgeSessionParams) { .threads = 1, .batch = 2 }, &error);
    if (!rows[i].height) {
      g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, "224 x 224 pixels"));
      continue;
    }
    g_assert_no_error (error);
    const ForgeShape want = { 4, { 2, 3, rows[i].height, rows[i].width } };
    g_assert_true (forge_shape_equal (
        forge_tensor_get_shape (forge_session_get_input (session, 0)), &want));
    /* the model itself stays open */
    g_assert_cmpint (forge_model_get_input (model, 0).shape.dims[2], ==, -1);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/model-info/round-trip", what_is_written_reads_back_the_same);
  g_test_add_func (
      "/model-info/defaults", foreign_models_get_defaults_and_say_so);
  g_test_add_func ("/model-info/damaged", damaged_metadata_is_refused);
  g_test_add ("/model-info/file", Folder, NULL, folder_setup,
      a_modelinfo_beside_the_model_is_used, folder_teardown);
  g_test_add ("/model-info/file/loses", Folder, NULL, folder_setup,
      the_models_own_metadata_wins, folder_teardown);
  g_test_add ("/model-info/modelinfo/open", Folder, NULL, folder_setup,
      a_modelinfo_says_what_the_metadata_leave_open, folder_teardown);
  g_test_add ("/model-info/modelinfo/size", Folder, NULL, folder_setup,
      a_modelinfo_says_the_size_that_the_input_leaves_open, folder_teardown);
  g_test_add ("/model-info/file/damaged", Folder, NULL, folder_setup,
      damaged_modelinfo_files_are_refused, folder_teardown);
  g_test_add_func ("/model-info/a_size_left_open_is_the_assumed_or_the_stated",
      a_size_left_open_is_the_assumed_or_the_stated_one);
  g_test_add_func (
      "/model-info/probabilities", probabilities_are_seen_through_reshapes);
  g_test_add_func ("/model-info/quantised_input_tells_its_range",
      quantised_input_tells_its_range);
  return g_test_run ();
}
