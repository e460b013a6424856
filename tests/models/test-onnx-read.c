/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the ONNX reader makes of sound files, and what it says about others. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "onnx-builder.h"
#include "tensor/tensor.h"

static const float ones[64] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };

/* x [N, 1, 4, 4] -> Conv 3x3 "w" -> Relu -> y */
static OnnxBuilder *
small_model (void)
{
  OnnxBuilder *b = onnx_builder_new ();
  onnx_builder_input (b, "x", FORGE_FLOAT32, DIMS (-1, 1, 4, 4));
  ForgeOnnx__Tensor *w =
      onnx_builder_tensor (b, "w", FORGE_FLOAT32, DIMS (1, 1, 3, 3));
  onnx_builder_set_raw (w, ones, 9 * sizeof (float));
  onnx_builder_initializer (b, w);
  onnx_builder_node (b, "Conv", "x,w", "c");
  onnx_builder_node (b, "Relu", "c", "y");
  onnx_builder_output (b, "y");
  return b;
}

static void
assert_refused (
    OnnxBuilder *builder, const char *folder, int code, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (builder, folder, &error);
  g_assert_null (graph);
  g_test_message ("%s", error->message);
  g_assert_error (error, FORGE_ERROR, code);
  g_assert_true (g_str_has_prefix (error->message, "test.onnx: "));
  g_assert_nonnull (strstr (error->message, text));
}

static void
a_small_model_becomes_its_graph (void)
{
  g_autoptr (OnnxBuilder) b = small_model ();
  onnx_builder_metadata (b, "forge.name", "tiny");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (b, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (graph->opset, ==, 13);
  g_assert_cmpuint (graph->nodes->len, ==, 2);
  g_assert_cmpuint (graph->inputs->len, ==, 1);
  const ForgeValue *x = graph->inputs->pdata[0];
  const ForgeValue *y = graph->outputs->pdata[0];
  g_assert_cmpint (x->shape.dims[0], ==, -1);
  g_assert_cmpint (y->dtype, ==, FORGE_FLOAT32);
  g_assert_cmpint (y->shape.rank, ==, 4);
  g_assert_cmpint (y->shape.dims[0], ==, -1);
  g_assert_cmpint (y->shape.dims[2], ==, 2);
  g_assert_cmpstr (y->producer->op->type, ==, "Relu");
  g_assert_cmpint (y->producer->opset, ==, 13);
  g_assert_nonnull (forge_graph_find (graph, "w")->constant);
  g_assert_cmpstr (
      g_hash_table_lookup (graph->metadata, "forge.name"), ==, "tiny");
}

static void
an_initializer_listed_as_input_is_a_constant (void)
{
  g_autoptr (OnnxBuilder) b = small_model ();
  b->model.ir_version = 3;
  onnx_builder_input (b, "w", FORGE_FLOAT32, DIMS (1, 1, 3, 3));
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (b, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (graph->inputs->len, ==, 1);
}

static void
an_empty_name_is_an_input_left_out (void)
{
  g_autoptr (OnnxBuilder) b = onnx_builder_new ();
  onnx_builder_input (b, "x", FORGE_FLOAT32, DIMS (2));
  ForgeOnnx__Tensor *most =
      onnx_builder_tensor (b, "most", FORGE_FLOAT32, SCALAR);
  onnx_builder_set_raw (most, ones, sizeof (float));
  onnx_builder_initializer (b, most);
  onnx_builder_node (b, "Clip", "x,,most", "y");
  onnx_builder_node (b, "Clip", "y,,", "z");
  onnx_builder_output (b, "z");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (b, NULL, &error);
  g_assert_no_error (error);
  const ForgeNode *first = graph->nodes->pdata[0];
  const ForgeNode *second = graph->nodes->pdata[1];
  g_assert_cmpuint (first->inputs->len, ==, 3);
  g_assert_null (first->inputs->pdata[1]);
  g_assert_cmpuint (second->inputs->len, ==, 1);
}

static void
constant_nodes_become_constants (void)
{
  g_autoptr (OnnxBuilder) b = onnx_builder_new ();
  onnx_builder_input (b, "x", FORGE_FLOAT32, DIMS (2));
  ForgeOnnx__Node *node = onnx_builder_node (b, "Constant", "", "a");
  node->n_input = 0;
  onnx_builder_attribute (b, node, "value_float", FORGE_ONNX_FLOAT)->f = 3;
  node = onnx_builder_node (b, "Constant", "", "b");
  node->n_input = 0;
  node->domain = (char *) "ai.onnx";
  ForgeOnnx__Tensor *tensor =
      onnx_builder_tensor (b, NULL, FORGE_FLOAT32, DIMS (2));
  tensor->n_float_data = 2;
  tensor->float_data = (float *) ones;
  onnx_builder_attribute (b, node, "value", FORGE_ONNX_TENSOR)->t = tensor;
  onnx_builder_node (b, "Add", "a,b", "s");
  onnx_builder_node (b, "Add", "x,s", "y");
  onnx_builder_output (b, "y");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (b, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (graph->nodes->len, ==, 2);
  const ForgeTensor *a = forge_graph_find (graph, "a")->constant;
  g_assert_cmpint (a->shape.rank, ==, 0);
  g_assert_cmpfloat (*(float *) a->data, ==, 3);
  g_assert_cmpint (
      forge_graph_find (graph, "b")->constant->shape.dims[0], ==, 2);
}

typedef struct {
  char *folder, *outside;
} Folder;

static void
folder_setup (Folder *f, gconstpointer data)
{
  f->folder = g_dir_make_tmp ("forge-ext-XXXXXX", NULL);
  f->outside = g_dir_make_tmp ("forge-out-XXXXXX", NULL);
  const char *const places[] = { f->folder, f->outside };
  for (int i = 0; i < 2; i++) {
    g_autofree char *path = g_build_filename (places[i], "w.bin", NULL);
    g_assert_true (g_file_set_contents (path, (const char *) ones, 64, NULL));
  }
  g_autofree char *link = g_build_filename (f->folder, "link.bin", NULL);
  g_autofree char *target = g_build_filename (f->outside, "w.bin", NULL);
  g_assert_cmpint (symlink (target, link), ==, 0);
}

static void
folder_teardown (Folder *f, gconstpointer data)
{
  const char *const files[] = { "w.bin", "link.bin" };
  for (int i = 0; i < 2; i++) {
    g_autofree char *inside = g_build_filename (f->folder, files[i], NULL);
    g_autofree char *outside = g_build_filename (f->outside, files[i], NULL);
    g_unlink (inside);
    g_unlink (outside);
  }
  g_rmdir (f->folder);
  g_rmdir (f->outside);
  g_free (f->folder);
  g_free (f->outside);
}

static OnnxBuilder *
external_model (const char *location, const char *offset, const char *length)
{
  OnnxBuilder *b = small_model ();
  ForgeOnnx__Tensor *w = b->graph.initializer[0];
  w->has_raw_data = FALSE;
  w->has_data_location = TRUE;
  w->data_location = FORGE_ONNX_EXTERNAL;
  const char *const pairs[][2] = { { "location", location },
    { "offset", offset }, { "length", length } };
  w->external_data = onnx_builder_take (b, 3 * sizeof (gpointer));
  for (int i = 0; i < 3; i++) {
    if (!pairs[i][1])
      continue;
    ForgeOnnx__Entry *entry = onnx_builder_take (b, sizeof *entry);
    forge_onnx__entry__init (entry);
    entry->key = (char *) pairs[i][0];
    entry->value = onnx_builder_text (b, pairs[i][1]);
    w->external_data[w->n_external_data++] = entry;
  }
  return b;
}

static void
weights_beside_the_model_are_read (Folder *f, gconstpointer data)
{
  g_autoptr (OnnxBuilder) b = external_model ("./w.bin", "4", "36");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (b, f->folder, &error);
  g_assert_no_error (error);
  const ForgeTensor *w = forge_graph_find (graph, "w")->constant;
  g_assert_cmpmem (w->data, w->size_bytes, ones + 1, 36);
}

static void
weights_elsewhere_are_refused (Folder *f, gconstpointer data)
{
  g_autofree char *absolute = g_build_filename (f->folder, "w.bin", NULL);
  const struct {
    const char *location, *offset, *length;
    int code;
    const char *text;
  } rows[] = {
    { absolute, "0", "36", FORGE_ERROR_FORMAT, "own folder" },
    { "../w.bin", "0", "36", FORGE_ERROR_FORMAT, "own folder" },
    { "a/../../w.bin", "0", "36", FORGE_ERROR_FORMAT, "own folder" },
    { "link.bin", "0", "36", FORGE_ERROR_FORMAT, "leads out" },
    { ".", "0", "36", FORGE_ERROR_FORMAT, "leads out" },
    { "none.bin", "0", "36", FORGE_ERROR_NOT_FOUND, "'none.bin'" },
    { "w.bin/x", "0", "36", FORGE_ERROR_NOT_FOUND, "no such file" },
    { "w.bin", "40", "36", FORGE_ERROR_FORMAT, "behind the end" },
    { "w.bin", "9223372036854775807", "36", FORGE_ERROR_FORMAT, "behind" },
    { "w.bin", "28", "9223372036854775807", FORGE_ERROR_FORMAT, "behind" },
    { "w.bin", "0", "40", FORGE_ERROR_FORMAT, "needs 36 bytes" },
    { "w.bin", "0", NULL, FORGE_ERROR_FORMAT, "needs 36 bytes" },
    { "w.bin", "-4", "36", FORGE_ERROR_FORMAT, "offset" },
    { NULL, "0", "36", FORGE_ERROR_FORMAT, "without a location" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (OnnxBuilder) b =
        external_model (rows[i].location, rows[i].offset, rows[i].length);
    assert_refused (b, f->folder, rows[i].code, rows[i].text);
  }
  g_autoptr (OnnxBuilder) b = external_model ("w.bin", "0", "36");
  assert_refused (b, NULL, FORGE_ERROR_FORMAT, "from memory");
}

static void
all_missing_operators_are_named_at_once (void)
{
  g_autoptr (OnnxBuilder) b = small_model ();
  onnx_builder_opset (b, "com.example", 4);
  for (int i = 0; i < 5; i++)
    onnx_builder_node (b, "Frobnicate", "x", "")->n_output = 0;
  onnx_builder_node (b, "Swizzle", "x", "q")->domain = (char *) "com.example";
  onnx_builder_node (b, "Loop", "x", "l");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (b, NULL, &error);
  g_assert_null (graph);
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
  g_assert_cmpstr (error->message, ==,
      "test.onnx: 3 operators are not supported: Frobnicate (domain ai.onnx, "
      "opset 13) at 'Frobnicate_2', 'Frobnicate_3', 'Frobnicate_4' and 2 "
      "more; Swizzle (domain com.example, opset 4) at 'Swizzle_7'; Loop "
      "(domain ai.onnx, opset 13) at 'Loop_8'");
}

/* One change to the small model, and what the reader must say. */
typedef struct {
  const char *name;
  void (*change) (OnnxBuilder *builder);
  int code;
  const char *text;
} Refusal;

static void
no_graph (OnnxBuilder *b)
{
  b->model.graph = NULL;
}

static void
future_ir (OnnxBuilder *b)
{
  b->model.ir_version = 99;
}

static void
no_ir (OnnxBuilder *b)
{
  b->model.ir_version = 0;
}

static void
no_opset (OnnxBuilder *b)
{
  b->model.n_opset_import = 0;
}

static void
future_opset (OnnxBuilder *b)
{
  b->model.opset_import[0]->version = 1000;
}

static void
negative_opset (OnnxBuilder *b)
{
  b->model.opset_import[0]->version = -1;
}

static void
cycle (OnnxBuilder *b)
{
  onnx_builder_node (b, "Add", "p,x", "q");
  onnx_builder_node (b, "Relu", "q", "p");
}

static void
dangling_input (OnnxBuilder *b)
{
  onnx_builder_node (b, "Relu", "ghost", "q");
}

static void
dangling_output (OnnxBuilder *b)
{
  onnx_builder_output (b, "ghost");
}

static void
two_producers (OnnxBuilder *b)
{
  onnx_builder_node (b, "Relu", "x", "y");
}

static void
overwritten_input (OnnxBuilder *b)
{
  onnx_builder_node (b, "Relu", "c", "x");
}

static void
two_weights_of_a_name (OnnxBuilder *b)
{
  onnx_builder_initializer (b, b->graph.initializer[0]);
}

static void
short_weight (OnnxBuilder *b)
{
  b->graph.initializer[0]->raw_data.len = 35;
}

static void
no_values (OnnxBuilder *b)
{
  b->graph.initializer[0]->has_raw_data = FALSE;
}

static void
absurd_weight (OnnxBuilder *b)
{
  for (int i = 0; i < 4; i++)
    b->graph.initializer[0]->dims[i] = (int64_t) 1 << 40;
}

static void
negative_weight (OnnxBuilder *b)
{
  b->graph.initializer[0]->dims[1] = -1;
}

static void
many_dims (OnnxBuilder *b)
{
  b->graph.initializer[0]->n_dims = 9;
}

static void
string_weight (OnnxBuilder *b)
{
  b->graph.initializer[0]->data_type = 8;
}

static void
complex_input (OnnxBuilder *b)
{
  b->graph.input[0]->type->tensor_type->elem_type = 14;
}

static void
sequence_input (OnnxBuilder *b)
{
  b->graph.input[0]->type->tensor_type = NULL;
}

static void
unshaped_input (OnnxBuilder *b)
{
  b->graph.input[0]->type->tensor_type->shape = NULL;
}

static void
subgraph (OnnxBuilder *b)
{
  ForgeOnnx__Attribute *attribute =
      onnx_builder_attribute (b, b->graph.node[1], "body", FORGE_ONNX_GRAPH);
  attribute->has_g = TRUE;
}

static void
twin_attributes (OnnxBuilder *b)
{
  for (int i = 0; i < 2; i++)
    onnx_builder_attribute (b, b->graph.node[0], "group", FORGE_ONNX_INT)->i =
        1;
}

static void
many_inputs (OnnxBuilder *b)
{
  onnx_builder_node (b, "Relu", "x,c", "q");
}

static void
few_inputs (OnnxBuilder *b)
{
  b->graph.node[0]->n_input = 0;
}

static void
not_utf8 (OnnxBuilder *b)
{
  b->graph.node[1]->name = (char *) "\xff\xfe";
}

static void
wrong_shapes (OnnxBuilder *b)
{
  b->graph.input[0]->type->tensor_type->shape->dim[1]->dim_value = 3;
}

static void
no_outputs (OnnxBuilder *b)
{
  b->graph.n_output = 0;
}

static void
broken_models_are_refused_with_the_reason (void)
{
  static const Refusal rows[] = {
    { "no graph", no_graph, FORGE_ERROR_FORMAT, "no ONNX graph" },
    { "future IR", future_ir, FORGE_ERROR_UNSUPPORTED, "IR version 99" },
    { "no IR", no_ir, FORGE_ERROR_FORMAT, "IR version 0" },
    { "no opset", no_opset, FORGE_ERROR_FORMAT, "operator set ai.onnx" },
    { "future opset", future_opset, FORGE_ERROR_UNSUPPORTED, "1000" },
    { "negative opset", negative_opset, FORGE_ERROR_FORMAT, "version -1" },
    { "cycle", cycle, FORGE_ERROR_FORMAT, "cycle" },
    { "dangling input", dangling_input, FORGE_ERROR_FORMAT, "ghost" },
    { "dangling output", dangling_output, FORGE_ERROR_FORMAT, "ghost" },
    { "two producers", two_producers, FORGE_ERROR_FORMAT, "value y" },
    { "overwritten input", overwritten_input, FORGE_ERROR_FORMAT, "value x" },
    { "twin weights", two_weights_of_a_name, FORGE_ERROR_FORMAT, "'w'" },
    { "short weight", short_weight, FORGE_ERROR_FORMAT, "found 35" },
    { "no values", no_values, FORGE_ERROR_FORMAT, "expected 9 values" },
    { "absurd weight", absurd_weight, FORGE_ERROR_FORMAT, "overflows" },
    { "negative weight", negative_weight, FORGE_ERROR_FORMAT, "negative" },
    { "many dims", many_dims, FORGE_ERROR_UNSUPPORTED, "9 dimensions" },
    { "strings", string_weight, FORGE_ERROR_UNSUPPORTED, "data type 8" },
    { "complex", complex_input, FORGE_ERROR_UNSUPPORTED, "data type 14" },
    { "sequence", sequence_input, FORGE_ERROR_UNSUPPORTED, "not a tensor" },
    { "unshaped", unshaped_input, FORGE_ERROR_UNSUPPORTED, "no shape" },
    { "sub-graph", subgraph, FORGE_ERROR_UNSUPPORTED, "'Relu_1' (Relu): sub" },
    { "twin attributes", twin_attributes, FORGE_ERROR_FORMAT, "named group" },
    { "many inputs", many_inputs, FORGE_ERROR_FORMAT, "found 2" },
    { "few inputs", few_inputs, FORGE_ERROR_FORMAT, "found 0" },
    { "not UTF-8", not_utf8, FORGE_ERROR_FORMAT, "not UTF-8" },
    { "wrong shapes", wrong_shapes, FORGE_ERROR_SHAPE, "Conv_0" },
    { "no outputs", no_outputs, FORGE_ERROR_FORMAT, "no outputs" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (OnnxBuilder) b = small_model ();
    rows[i].change (b);
    g_test_message ("%s", rows[i].name);
    assert_refused (b, NULL, rows[i].code, rows[i].text);
  }
}

static void
every_truncation_is_a_clean_error (void)
{
  g_autoptr (OnnxBuilder) b = small_model ();
  g_autoptr (GBytes) bytes = onnx_builder_finish (b);
  gsize size_bytes;
  const guint8 *data = g_bytes_get_data (bytes, &size_bytes);
  ForgeSource source = { .name = "cut.onnx" };
  for (gsize n = 0; n < size_bytes; n++) {
    g_autofree void *copy = g_memdup2 (data, MAX (n, 1));
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeGraph) graph =
        forge_format_read_bytes (copy, n, &source, &error);
    /* The operator set comes last: without it the rest is whole. */
    g_assert_null (graph);
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
    g_assert_true (g_str_has_prefix (error->message, "cut.onnx: "));
  }
}

static void
a_tiny_file_cannot_unfold_without_end (void)
{
  /* a graph of a million empty nodes: 2 bytes each in the file */
  const guint n_nodes = 1000000;
  g_autoptr (GByteArray) file = g_byte_array_new ();
  g_byte_array_append (file, (const guint8 *) "\x08\x08\x3a\x80\x89\x7a", 6);
  for (guint i = 0; i < n_nodes; i++)
    g_byte_array_append (file, (const guint8 *) "\x0a\x00", 2);
  ForgeSource source = { .name = "bomb.onnx" };
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph =
      forge_format_read_bytes (file->data, file->len, &source, &error);
  g_assert_null (graph);
  g_test_message ("%s", error->message);
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "unfold"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/onnx/read/small", a_small_model_becomes_its_graph);
  g_test_add_func (
      "/onnx/read/listed", an_initializer_listed_as_input_is_a_constant);
  g_test_add_func ("/onnx/read/left-out", an_empty_name_is_an_input_left_out);
  g_test_add_func ("/onnx/read/constants", constant_nodes_become_constants);
  g_test_add ("/onnx/read/external", Folder, NULL, folder_setup,
      weights_beside_the_model_are_read, folder_teardown);
  g_test_add ("/onnx/read/external/elsewhere", Folder, NULL, folder_setup,
      weights_elsewhere_are_refused, folder_teardown);
  g_test_add_func (
      "/onnx/read/missing", all_missing_operators_are_named_at_once);
  g_test_add_func (
      "/onnx/read/refusals", broken_models_are_refused_with_the_reason);
  g_test_add_func ("/onnx/read/truncation", every_truncation_is_a_clean_error);
  g_test_add_func ("/onnx/read/bomb", a_tiny_file_cannot_unfold_without_end);
  return g_test_run ();
}
