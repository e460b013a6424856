/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The command gst-forge as a user and a script meet it: help, usage errors,
 * inspect, run, bench. */
#include <glib/gstdio.h>
#include <string.h>

#include "command-run.h"
#include "formats/format.h"
#include "forge/version.h"
#include "tensor/tensor.h"
#include "toy-models.h"
#include "train/arch.h"

static const char *const commands[] = {
#define COMMAND(name, summary) #name,
#include "../../pipelines/gst-forge/commands.def"
#undef COMMAND
};

static void
help_names_every_command (void)
{
  static const char *const lines[] = { "help", "--help", "-h" };
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++) {
    g_auto (CommandResult) result = command_run ("%s", lines[i]);
    command_assert_status (&result, 0);
    for (gsize k = 0; k < G_N_ELEMENTS (commands); k++)
      g_assert_nonnull (strstr (result.out, commands[k]));
    g_assert_nonnull (strstr (result.out, "Exit status"));
    g_assert_cmpstr (result.err, ==, "");
  }
}

static void
every_command_has_help (void)
{
  for (gsize k = 0; k < G_N_ELEMENTS (commands); k++) {
    g_auto (CommandResult) by_option = command_run ("%s --help", commands[k]);
    command_assert_status (&by_option, 0);
    g_autofree char *usage = g_strdup_printf ("gst-forge %s", commands[k]);
    g_assert_nonnull (strstr (by_option.out, usage));
    g_assert_nonnull (strstr (by_option.out, "Exit status"));
    g_auto (CommandResult) by_word = command_run ("help %s", commands[k]);
    g_assert_cmpstr (by_word.out, ==, by_option.out);
  }
}

static void
version_is_printed (void)
{
  g_auto (CommandResult) result = command_run ("--version");
  command_assert_status (&result, 0);
  g_assert_cmpstr (result.out, ==, "gst-forge " FORGE_VERSION "\n");
}

static void
wrong_usage_exits_with_2 (void)
{
  static const struct {
    const char *line, *word;
  } rows[] = {
    { "", "Usage" },
    { "juggle", "juggle" },
    { "help juggle", "juggle" },
    { "inspect", "MODEL" },
    { "inspect a.onnx b.onnx", "MODEL" },
    { "inspect a.onnx --json - --dot -", "--dot" },
    { "inspect --no-such-option a.onnx", "--no-such-option" },
    { "run colours.onnx", "--input" },
    { "run colours.onnx --input a.npy", "--output" },
    { "run arithmetic.onnx -i a=a.npy -o s.npy", "'b'" },
    { "run arithmetic.onnx -i a.npy -i b.npy -i c.npy -o s.npy", "c.npy" },
    { "run arithmetic.onnx -i a=a.npy -i a=b.npy -o s.npy", "before" },
    { "bench colours.onnx --batch 0", "--batch" },
    { "bench colours.onnx --seconds nan", "--seconds" },
    { "bench colours.onnx --iterations -5", "--iterations" },
    { "bench colours.onnx --tune --tune-seconds -1", "--tune-seconds" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) result = command_run ("%s", rows[i].line);
    command_assert_status (&result, 2);
    g_assert_cmpstr (result.out, ==, "");
    if (!strstr (result.err, rows[i].word))
      g_error ("'%s' does not speak of %s: %s", rows[i].line, rows[i].word,
          result.err);
  }
}

static void
a_file_that_cannot_be_read_is_named (void)
{
  g_file_set_contents ("text.onnx", "not a model\n", -1, NULL);
  static const char *const lines[] = {
    "inspect absent.onnx",
    "inspect colours.onnx --svg absent/folder.svg",
    "inspect colours.onnx --dot absent/folder.dot",
    "run absent.onnx -i a.npy -o b.npy",
    "bench absent.onnx",
    "inspect text.onnx",
    "run colours.onnx -i absent.npy -o b.npy",
    "inspect colours.onnx --json absent/folder.json",
  };
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++) {
    g_auto (CommandResult) result = command_run ("%s", lines[i]);
    command_assert_status (&result, 3);
    g_assert_true (g_str_has_prefix (result.err, "gst-forge: "));
    g_assert_true (
        strstr (result.err, "absent") || strstr (result.err, "text.onnx"));
  }
}

static void
inspect_draws_the_graph (void)
{
  g_auto (CommandResult) dot =
      command_run ("inspect arithmetic.onnx --dot - --svg drawn.svg");
  command_assert_status (&dot, 0);
  static const char *const parts[] = { "digraph \"arithmetic\" {",
    "in1 [shape=ellipse, label=\"b\\n[?, 4]\"]",
    "n1 [label=\"product\\nMul\\n[1, 4]\"]", "  in0 -> n0;", "  in1 -> n0;",
    "  in0 -> n1;", "  in1 -> n1;" };
  g_assert_true (g_str_has_prefix (dot.out, "digraph"));
  g_assert_true (g_str_has_suffix (dot.out, "}\n"));
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    if (!strstr (dot.out, parts[i]))
      g_error ("no %s in\n%s", parts[i], dot.out);
  g_assert_nonnull (strstr (dot.err, "none: the network takes no pictures"));
  g_autofree char *svg = NULL;
  g_assert_true (g_file_get_contents ("drawn.svg", &svg, NULL, NULL));
  g_assert_nonnull (strstr (svg, "<svg "));
  g_assert_true (g_str_has_suffix (svg, "</svg>\n"));
  g_auto (CommandResult) chain =
      command_run ("inspect colours.onnx --dot chain.dot");
  command_assert_status (&chain, 0);
  g_assert_nonnull (strstr (chain.out, "Output bytes"));
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents ("chain.dot", &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "  in0 -> n0;"));
  g_assert_nonnull (strstr (text, "  n3 -> n4;"));
  g_assert_null (strstr (text, "in1"));
}

static void
inspect_counts_bytes (void)
{
  g_auto (CommandResult) result = command_run ("inspect colours.onnx --json -");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonArray *layers =
      json_object_get_array_member (command_json_root (parser), "layers");
  static const gint64 weights[] = { 0, 4, 0, 4 * (192 * 3 + 3), 0 };
  static const gint64 outputs[] = { 768, 768, 768, 12, 12 };
  g_assert_cmpuint (json_array_get_length (layers), ==, 5);
  for (guint i = 0; i < 5; i++) {
    JsonObject *layer = json_array_get_object_element (layers, i);
    g_assert_cmpint (
        json_object_get_int_member (layer, "weight_bytes"), ==, weights[i]);
    g_assert_cmpint (
        json_object_get_int_member (layer, "output_bytes"), ==, outputs[i]);
  }
}

static char *
tflite_file (const char *name)
{
  return g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"), "tests", "fuzz",
      "corpus", "tflite", name, NULL);
}

static void
inspect_shows_quantisation_and_metadata (void)
{
  g_autofree char *bytes = tflite_file ("network-int8.tflite");
  g_autofree char *labelled = tflite_file ("labelled.tflite");
  g_auto (CommandResult) text = command_run ("inspect %s", bytes);
  command_assert_status (&text, 0);
  static const char *const words[] = { "int8, scale 0.0078125, zero point 0",
    "int8 0.03, zero -128", "TfliteConv", "made for tests" };
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    if (!strstr (text.out, words[i]))
      g_error ("inspect does not show %s:\n%s", words[i], text.out);
  g_auto (CommandResult) result = command_run ("inspect %s --json -", bytes);
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *layer = json_array_get_object_element (
      json_object_get_array_member (command_json_root (parser), "layers"), 1);
  g_assert_cmpstr (
      json_object_get_string_member (layer, "output_dtype"), ==, "int8");
  g_assert_cmpfloat_with_epsilon (
      json_object_get_double_member (layer, "output_scale"), 0.03, 1e-6);
  g_assert_cmpint (
      json_object_get_int_member (layer, "output_zero_point"), ==, -128);
  g_assert_cmpint (json_object_get_int_member (layer, "n_parameters"), ==,
      6 * 3 * 3 * 3 + 6);
  g_auto (CommandResult) names = command_run ("inspect %s", labelled);
  command_assert_status (&names, 0);
  g_assert_nonnull (strstr (names.out, "3: red, green, blue"));
  g_assert_nonnull (strstr (names.out, "serving_default(x) -> (y)"));
}

/* The height of the drawing in points; one box is 52. */
static double
drawn_height (const char *path)
{
  g_autofree char *svg = NULL;
  g_assert_true (g_file_get_contents (path, &svg, NULL, NULL));
  const char *height = strstr (svg, "height=\"");
  g_assert_nonnull (height);
  return g_ascii_strtod (height + strlen ("height=\""), NULL);
}

/* Weights that are dequantised stand in no box of their own. */
static void
drawing_leaves_constants_out (void)
{
  g_autofree char *bytes = tflite_file ("network-int8.tflite");
  g_auto (CommandResult) convert = command_run ("convert %s q.onnx", bytes);
  command_assert_status (&convert, 0);
  g_auto (CommandResult) result =
      command_run ("inspect q.onnx --json - --svg q.svg");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonArray *layers =
      json_object_get_array_member (command_json_root (parser), "layers");
  guint n_boxes = 1, n_layers = json_array_get_length (layers);
  for (guint i = 0; i < n_layers; i++) {
    JsonObject *layer = json_array_get_object_element (layers, i);
    const char *type = json_object_get_string_member (layer, "type");
    gint64 n_parameters = json_object_get_int_member (layer, "n_parameters");
    n_boxes += n_parameters == 0 || strcmp (type, "DequantizeLinear") != 0;
  }
  g_assert_cmpuint (n_boxes, <, n_layers);
  g_assert_cmpfloat_with_epsilon (
      drawn_height ("q.svg"), 2 * 16 + 52 * (double) n_boxes - 18, 1);
}

static void
inspect_shows_layers_and_counts_parameters (void)
{
  g_auto (CommandResult) text = command_run ("inspect colours.onnx");
  command_assert_status (&text, 0);
  static const char *const words[] = { "colours", "version 7",
    "uint8 [?, 8, 8, 3]", "blue, green, red", "Gemm", "[1, 192]", "579",
    "forge.labels" };
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    if (!strstr (text.out, words[i]))
      g_error ("inspect does not show %s:\n%s", words[i], text.out);

  g_auto (CommandResult) result = command_run ("inspect colours.onnx --json -");
  command_assert_status (&result, 0);
  g_assert_cmpstr (result.err, ==, text.out);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  static const char *const names[] = { "model", "inputs", "outputs",
    "preprocess", "labels", "layers", "total_flops", "total_parameters",
    "metadata", "assumptions", "has_probabilities" };
  command_assert_members (root, names, G_N_ELEMENTS (names));
  g_assert_cmpint (
      json_object_get_int_member (root, "total_parameters"), ==, 579);
  JsonArray *layers = json_object_get_array_member (root, "layers");
  gint64 n_parameters = 0;
  for (guint i = 0; i < json_array_get_length (layers); i++)
    n_parameters += json_object_get_int_member (
        json_array_get_object_element (layers, i), "n_parameters");
  g_assert_cmpint (n_parameters, ==, 579);
}

/* The reference network: two pooled convolutions, a third one, two dense. */
static void
inspect_lists_the_layers_of_forge_cnn (void)
{
  g_autoptr (GError) error = NULL;
  const ForgeArch *arch = forge_arch_find ("forge-cnn", &error);
  g_assert_no_error (error);
  const ForgeArchParams params = { .n_outputs = 10, .dropout = 0.3, .seed = 1 };
  g_autoptr (ForgeGraph) graph = arch->build (&params, &error);
  g_assert_no_error (error);
  forge_onnx_write (graph, "forge-cnn.onnx", &error);
  g_assert_no_error (error);
  g_auto (CommandResult) result =
      command_run ("inspect forge-cnn.onnx --json -");
  command_assert_status (&result, 0);
  g_assert_nonnull (strstr (result.err, "122,570 parameters"));
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  g_assert_cmpint (
      json_object_get_int_member (root, "total_parameters"), ==, 122570);
  static const gint64 expected[] = { 896, 18496, 36928, 65600, 650 };
  JsonArray *layers = json_object_get_array_member (root, "layers");
  gsize n_found = 0;
  for (guint i = 0; i < json_array_get_length (layers); i++) {
    gint64 n_parameters = json_object_get_int_member (
        json_array_get_object_element (layers, i), "n_parameters");
    if (n_parameters == 0)
      continue;
    g_assert_cmpuint (n_found, <, G_N_ELEMENTS (expected));
    g_assert_cmpint (n_parameters, ==, expected[n_found++]);
  }
  g_assert_cmpuint (n_found, ==, G_N_ELEMENTS (expected));
}

static void
inspect_writes_the_same_json_to_a_file (void)
{
  g_auto (CommandResult) file =
      command_run ("inspect colours.onnx --json inspect.json");
  command_assert_status (&file, 0);
  g_assert_nonnull (strstr (file.out, "579"));
  g_auto (CommandResult) pipe = command_run ("inspect colours.onnx --json -");
  g_autofree char *json = NULL;
  g_assert_true (g_file_get_contents ("inspect.json", &json, NULL, NULL));
  g_assert_cmpstr (json, ==, pipe.out);
}

static void
save_row (const char *path, ForgeDtype dtype, int n, const void *values)
{
  ForgeShape shape = forge_shape (2, 1, n);
  g_autoptr (ForgeTensor) tensor = forge_tensor_new (dtype, &shape, NULL);
  memcpy (forge_tensor_get_data (tensor), values,
      forge_tensor_get_size_bytes (tensor));
  g_assert_true (forge_tensor_save_npy (tensor, path, NULL));
}

static void
run_takes_inputs_and_outputs_by_name (void)
{
  save_row ("a.npy", FORGE_FLOAT32, 4, (float[]) { 1, 2, 3, 4 });
  save_row ("b.npy", FORGE_FLOAT32, 4, (float[]) { 10, 20, 30, 40 });
  g_auto (CommandResult) result =
      command_run ("run arithmetic.onnx -i b=b.npy -i a.npy"
                   " -o product=p.npy -o s.npy");
  command_assert_status (&result, 0);
  g_autoptr (ForgeTensor) sum = forge_tensor_load_npy ("s.npy", NULL);
  g_autoptr (ForgeTensor) product = forge_tensor_load_npy ("p.npy", NULL);
  const float sums[] = { 11, 22, 33, 44 };
  const float products[] = { 10, 40, 90, 160 };
  g_assert_cmpmem (forge_tensor_get_data (sum), 16, sums, 16);
  g_assert_cmpmem (forge_tensor_get_data (product), 16, products, 16);
}

static void
run_takes_and_gives_onnx_tensors (void)
{
  save_row ("a.npy", FORGE_FLOAT32, 4, (float[]) { 1, 2, 3, 4 });
  ForgeShape shape = forge_shape (2, 1, 4);
  g_autoptr (ForgeTensor) b = forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  const float values[] = { 10, 20, 30, 40 };
  memcpy (forge_tensor_get_data (b), values, sizeof values);
  g_assert_true (forge_tensor_save_pb (b, "b.pb", NULL));
  g_auto (CommandResult) result =
      command_run ("run arithmetic.onnx -i a.npy -i b.pb -o s.pb -o p.npy");
  command_assert_status (&result, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) sum = forge_tensor_load_pb ("s.pb", &error);
  g_assert_no_error (error);
  const float sums[] = { 11, 22, 33, 44 };
  g_assert_true (forge_shape_equal (forge_tensor_get_shape (sum), &shape));
  g_assert_cmpmem (forge_tensor_get_data (sum), 16, sums, 16);
  g_file_set_contents ("bad.pb", "no tensor at all", -1, NULL);
  g_auto (CommandResult) bad =
      command_run ("run arithmetic.onnx -i a.npy -i bad.pb -o s.pb");
  command_assert_status (&bad, 3);
  g_assert_nonnull (strstr (bad.err, "bad.pb"));
}

static void
run_refuses_arrays_that_do_not_fit (void)
{
  save_row ("short.npy", FORGE_FLOAT32, 3, (float[]) { 1, 2, 3 });
  save_row ("bytes.npy", FORGE_UINT8, 4, "abcd");
  static const struct {
    const char *file, *found;
  } rows[] = { { "short.npy", "float32 [1, 3]" },
    { "bytes.npy", "uint8 [1, 4]" } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) result = command_run (
        "run arithmetic.onnx -i %s -i b.npy -o s.npy", rows[i].file);
    command_assert_status (&result, 3);
    g_assert_nonnull (strstr (result.err, rows[i].file));
    g_assert_nonnull (strstr (result.err, "float32 [1, 4]"));
    g_assert_nonnull (strstr (result.err, rows[i].found));
  }
}

static void
bench_reports_quantiles_in_order (void)
{
  g_auto (CommandResult) result =
      command_run ("bench colours.onnx -t 1 -b 4 -n 50 --profile --json -");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  static const char *const names[] = { "model", "cpu", "threads", "batch",
    "n_runs", "mean_ms", "images_per_s", "nodes", "peak_gflops" };
  command_assert_members (root, names, G_N_ELEMENTS (names));
  g_assert_cmpint (json_object_get_int_member (root, "n_runs"), ==, 50);
  g_assert_cmpint (json_object_get_int_member (root, "batch"), ==, 4);
  g_assert_cmpint (json_object_get_int_member (root, "threads"), ==, 1);
  static const char *const order[] = { "min_ms", "median_ms", "p95_ms",
    "p99_ms" };
  double last = 0;
  for (gsize i = 0; i < G_N_ELEMENTS (order); i++) {
    double value = json_object_get_double_member (root, order[i]);
    g_assert_cmpfloat (value, >, 0);
    g_assert_cmpfloat (value, >=, last);
    last = value;
  }
  g_assert_nonnull (strstr (result.err, "median_ms"));
}

static void
bench_tunes_into_the_file (void)
{
  g_autofree char *path = g_strdup (g_getenv ("FORGE_TUNING"));
  g_autofree char *folder = g_dir_make_tmp ("forge-tune-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (folder, "tuning.json", NULL);
  g_setenv ("FORGE_TUNING", file, TRUE);
  g_auto (CommandResult) result = command_run (
      "bench colours.onnx -t 1 -n 1 --tune --tune-seconds 0 --json -");
  g_setenv ("FORGE_TUNING", path ? path : "off", TRUE);
  command_assert_status (&result, 0);
  g_assert_nonnull (strstr (result.err, "tuned for this machine"));
  g_assert_nonnull (strstr (result.err, file));
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  static const char *const names[] = { "tuning", "median_ms" };
  command_assert_members (
      command_json_root (parser), names, G_N_ELEMENTS (names));
  g_assert_true (g_file_test (file, G_FILE_TEST_EXISTS));
  g_unlink (file);
  g_rmdir (folder);
}

/* Each node has its figures, and those that follow from others do. */
static void
bench_profile_has_every_node_with_peak_and_bytes (void)
{
  g_auto (CommandResult) result =
      command_run ("bench colours.onnx -t 2 -b 4 -n 50 --profile --json -");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  double peak = json_object_get_double_member (root, "peak_gflops");
  JsonArray *nodes = json_object_get_array_member (root, "nodes");
  double percent = 0;
  gint64 n_flops = 0, bytes_moved = 0;
  for (guint i = 0; i < json_array_get_length (nodes); i++) {
    static const char *const names[] = { "name", "type", "algorithm", "mean_us",
      "percent", "n_flops", "gflops_per_s", "percent_of_peak", "bytes_moved",
      "gbytes_per_s" };
    JsonObject *node = json_array_get_object_element (nodes, i);
    command_assert_members (node, names, G_N_ELEMENTS (names));
    percent += json_object_get_double_member (node, "percent");
    n_flops += json_object_get_int_member (node, "n_flops");
    bytes_moved += json_object_get_int_member (node, "bytes_moved");
    double gflops = json_object_get_double_member (node, "gflops_per_s");
    g_assert_cmpfloat_with_epsilon (
        json_object_get_double_member (node, "percent_of_peak"),
        peak > 0 ? 100 * gflops / peak : 0, 1e-6);
  }
  g_assert_cmpfloat_with_epsilon (percent, 100, 1e-6);
  g_assert_cmpint (n_flops, >, 0);
  g_assert_cmpint (bytes_moved, >, 0);
  g_assert_nonnull (strstr (result.err, "peak %"));
  g_assert_nonnull (strstr (result.err, "MB moved"));
}

static void
bench_tells_load_time_and_memory_apart (void)
{
  g_auto (CommandResult) result =
      command_run ("bench colours.onnx -t 1 -n 1 --json -");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  static const char *const parts[] = { "load_read_ms", "load_passes_ms",
    "load_packing_ms", "first_run_ms" };
  double whole = json_object_get_double_member (root, "first_result_ms");
  double sum = 0;
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++) {
    double part = json_object_get_double_member (root, parts[i]);
    g_assert_cmpfloat (part, >=, 0);
    sum += part;
    g_assert_nonnull (strstr (result.err, parts[i]));
  }
  g_assert_cmpfloat (sum, >, 0);
  g_assert_cmpfloat (sum, <=, whole);
  static const char *const sizes[] = { "weight_bytes", "arena_bytes",
    "resident_bytes" };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    g_assert_cmpint (json_object_get_int_member (root, sizes[i]), >, 0);
  static const char *const more[] = { "packed_bytes", "workspace_bytes" };
  command_assert_members (root, more, G_N_ELEMENTS (more));
  g_assert_false (json_object_has_member (root, "nodes"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  command_enter_folder ();
  toy_write_colour_model ("colours.onnx");
  toy_write_arithmetic_model ("arithmetic.onnx");
#define ADD(test) g_test_add_func ("/gst-forge/" #test, test)
  ADD (help_names_every_command);
  ADD (every_command_has_help);
  ADD (version_is_printed);
  ADD (wrong_usage_exits_with_2);
  ADD (a_file_that_cannot_be_read_is_named);
  ADD (inspect_draws_the_graph);
  ADD (inspect_counts_bytes);
  ADD (inspect_shows_quantisation_and_metadata);
  ADD (drawing_leaves_constants_out);
  ADD (inspect_shows_layers_and_counts_parameters);
  ADD (inspect_lists_the_layers_of_forge_cnn);
  ADD (inspect_writes_the_same_json_to_a_file);
  ADD (run_takes_inputs_and_outputs_by_name);
  ADD (run_takes_and_gives_onnx_tensors);
  ADD (run_refuses_arrays_that_do_not_fit);
  ADD (bench_reports_quantiles_in_order);
  ADD (bench_tunes_into_the_file);
  ADD (bench_profile_has_every_node_with_peak_and_bytes);
  ADD (bench_tells_load_time_and_memory_apart);
  int status = g_test_run ();
  command_leave_folder ();
  return status;
}
