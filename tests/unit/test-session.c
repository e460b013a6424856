/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sessions: the same bits whatever the threads, the batch or the company;
 * nothing allocated per run; models found again. */
#include "forge/session.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "run/model.h"
#include "tensor/tensor.h"
#include "toy-graph.h"

static ForgeModel *
network_model (uint64_t seed)
{
  g_autoptr (GError) error = NULL;
  ForgeModel *model =
      forge_model_new_from_graph (toy_network (seed), "network", &error);
  g_assert_no_error (error);
  return model;
}

static ForgeSession *
open_session (ForgeModel *model, int batch, int threads, gboolean profile)
{
  g_autoptr (GError) error = NULL;
  ForgeSessionParams params = {
    .batch = batch, .threads = threads, .profile = profile
  };
  ForgeSession *session = forge_session_new (model, &params, &error);
  g_assert_no_error (error);
  return session;
}

static void
run_filled (ForgeSession *session, uint64_t seed)
{
  toy_fill (forge_session_get_input (session, 0), seed);
  forge_session_run (session);
}

static void
assert_same_bits (ForgeSession *a, ForgeSession *b)
{
  const ForgeTensor *x = forge_session_get_output (a, 0);
  const ForgeTensor *y = forge_session_get_output (b, 0);
  g_assert_cmpmem (x->data, x->size_bytes, y->data, y->size_bytes);
}

static void
session_gives_what_the_nodes_give (void)
{
  for (uint64_t seed = 0; seed < 30; seed++) {
    g_autoptr (ForgeModel) model = network_model (seed);
    g_autoptr (ForgeSession) session = open_session (model, 2, 1, FALSE);
    run_filled (session, 9);
    g_autoptr (ForgeGraph) graph =
        forge_graph_copy (forge_model_get_graph (model));
    g_assert_true (forge_graph_bind_batch (graph, 2, NULL));
    g_autoptr (GPtrArray) want = toy_run (graph, 9);
    const float *x = forge_session_get_output (session, 0)->data;
    const ForgeTensor *tensor = want->pdata[0];
    const float *y = tensor->data;
    for (int64_t i = 0; i < forge_tensor_get_count (tensor); i++)
      g_assert_cmpfloat (fabsf (x[i] - y[i]), <=, 1e-5f * (1 + fabsf (y[i])));
  }
}

static void
bits_do_not_depend_on_threads (void)
{
  for (uint64_t seed = 0; seed < 20; seed++) {
    g_autoptr (ForgeModel) model = network_model (seed);
    g_autoptr (ForgeSession) one = open_session (model, 3, 1, FALSE);
    run_filled (one, seed);
    for (int threads = 2; threads <= 3; threads++) {
      g_autoptr (ForgeSession) many = open_session (model, 3, threads, FALSE);
      run_filled (many, seed);
      assert_same_bits (one, many);
    }
  }
}

static void
rows_do_not_depend_on_the_batch (void)
{
  for (uint64_t seed = 0; seed < 20; seed++) {
    g_autoptr (ForgeModel) model = network_model (seed);
    g_autoptr (ForgeSession) four = open_session (model, 4, 1, FALSE);
    g_autoptr (ForgeSession) one = open_session (model, 1, 1, FALSE);
    run_filled (four, seed);
    ForgeTensor *all = forge_session_get_input (four, 0);
    ForgeTensor *single = forge_session_get_input (one, 0);
    const ForgeTensor *rows = forge_session_get_output (four, 0);
    const ForgeTensor *row = forge_session_get_output (one, 0);
    for (size_t i = 0; i < 4; i++) {
      memcpy (single->data,
          (const uint8_t *) all->data + i * single->size_bytes,
          single->size_bytes);
      forge_session_run (one);
      g_assert_cmpmem (row->data, row->size_bytes,
          (const uint8_t *) rows->data + i * row->size_bytes, row->size_bytes);
    }
  }
}

static void
input_survives_a_run (void)
{
  for (uint64_t seed = 0; seed < 20; seed++) {
    g_autoptr (ForgeModel) model = network_model (seed);
    g_autoptr (ForgeSession) session = open_session (model, 2, 1, FALSE);
    run_filled (session, seed);
    const ForgeTensor *output = forge_session_get_output (session, 0);
    g_autoptr (ForgeTensor) first = forge_tensor_copy (output, NULL);
    forge_session_run (session);
    g_assert_cmpmem (
        output->data, output->size_bytes, first->data, first->size_bytes);
  }
}

typedef struct {
  ForgeModel *model;
  ForgeSession *reference;
  int batch;
} Party;

static gpointer
run_in_company (gpointer data)
{
  Party *party = data;
  for (int round = 0; round < 10; round++) {
    g_autoptr (ForgeSession) session =
        open_session (party->model, party->batch, 2, FALSE);
    for (int i = 0; i < 5; i++)
      run_filled (session, 3);
    assert_same_bits (session, party->reference);
  }
  return NULL;
}

static void
sessions_run_side_by_side (void)
{
  g_autoptr (ForgeModel) model = network_model (4);
  g_autoptr (ForgeSession) reference = open_session (model, 2, 1, FALSE);
  run_filled (reference, 3);
  Party party = { model, reference, 2 };
  GThread *threads[4];
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("party", run_in_company, &party);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static void
sessions_share_their_plan (void)
{
  g_autoptr (ForgeModel) model = network_model (1);
  g_autoptr (ForgePlan) a = forge_model_plan (model, 2, NULL);
  g_autoptr (ForgePlan) b = forge_model_plan (model, 2, NULL);
  g_autoptr (ForgePlan) other = forge_model_plan (model, 3, NULL);
  g_assert_true (a == b);
  g_assert_true (a != other);
  g_autoptr (ForgeSession) session = open_session (model, 2, 1, FALSE);
  g_assert_cmpuint (
      forge_session_get_packed_bytes (session), ==, a->packed_bytes);
  g_assert_cmpuint (a->packed_bytes, >, 0);
  g_assert_cmpuint (
      forge_session_get_arena_bytes (session), ==, a->memory->arena_bytes);
}

static void
profile_lists_every_node (void)
{
  g_autoptr (ForgeModel) model = network_model (2);
  g_autoptr (ForgeSession) session = open_session (model, 1, 1, TRUE);
  g_autoptr (ForgeSession) plain = open_session (model, 1, 1, FALSE);
  for (int i = 0; i < 3; i++)
    forge_session_run (session);
  forge_session_run (plain);
  gsize n_nodes, n_plain;
  uint64_t total_ns = 0;
  int64_t n_flops = 0;
  g_autofree ForgeNodeProfile *rows =
      forge_session_get_profile (session, &n_nodes);
  g_autofree ForgeNodeProfile *plain_rows =
      forge_session_get_profile (plain, &n_plain);
  g_assert_cmpuint (n_nodes, ==, n_plain);
  g_assert_cmpuint (n_nodes, >, 2);
  for (gsize i = 0; i < n_nodes; i++) {
    g_assert_cmpuint (rows[i].n_runs, ==, 3);
    g_assert_nonnull (rows[i].name);
    g_assert_nonnull (rows[i].algorithm);
    g_assert_cmpuint (plain_rows[i].total_ns, ==, 0);
    g_assert_cmpuint (plain_rows[i].n_runs, ==, 0);
    total_ns += rows[i].total_ns;
    n_flops += rows[i].n_flops;
  }
  g_assert_cmpuint (total_ns, >, 0);
  g_assert_cmpint (n_flops, >, 0);
}

/* out = Relu (x) of [2, 3, 5, 7] */
static ForgeModel *
relu_model (void)
{
  ForgeGraph *graph = forge_graph_new ("relu");
  const ForgeShape shape = forge_shape (4, -1, 3, 5, 7);
  ForgeValue *x = forge_graph_add_input (graph, "x", FORGE_FLOAT32, &shape);
  ForgeValue *y = forge_graph_value (graph, "y");
  forge_graph_add_node (
      graph, forge_op_find ("Relu", ""), "relu", NULL, &x, 1, &y, 1);
  forge_graph_add_output (graph, y);
  g_autoptr (GError) error = NULL;
  g_assert_true (forge_graph_sort (graph, &error));
  g_assert_true (forge_graph_infer (graph, &error));
  ForgeModel *model = forge_model_new_from_graph (graph, "relu", &error);
  g_assert_no_error (error);
  return model;
}

static void
profile_counts_bytes_read_and_written (void)
{
  g_autoptr (ForgeModel) model = relu_model ();
  g_autoptr (ForgeSession) session = open_session (model, 2, 1, TRUE);
  gsize n_nodes;
  g_autofree ForgeNodeProfile *rows =
      forge_session_get_profile (session, &n_nodes);
  g_assert_cmpuint (n_nodes, ==, 1);
  g_assert_cmpint (
      rows[0].bytes_moved, ==, 2 * 2 * 3 * 5 * 7 * (int64_t) sizeof (float));
}

/* Constants that no pass rewrites are shared with the plan and counted once. */
static void
costs_count_each_constant_once (void)
{
  g_autoptr (ForgeModel) model = network_model (1);
  g_autoptr (ForgeSession) session = open_session (model, 1, 1, FALSE);
  const ForgeGraph *graph = forge_model_get_graph (model);
  size_t in_file = 0;
  for (guint i = 0; i < graph->values->len; i++) {
    const ForgeValue *value = graph->values->pdata[i];
    in_file += value->constant ? value->constant->size_bytes : 0;
  }
  ForgeSessionCosts costs = forge_session_get_costs (session);
  g_assert_cmpuint (in_file, >, 0);
  g_assert_cmpuint (costs.weight_bytes, >=, in_file);
  g_assert_cmpuint (costs.weight_bytes, <=, 2 * in_file);
  g_assert_cmpuint (
      costs.arena_bytes, ==, forge_session_get_arena_bytes (session));
  g_assert_cmpuint (
      costs.packed_bytes, ==, forge_session_get_packed_bytes (session));
  g_assert_cmpuint (costs.read_us, ==, 0); /* built, not read */
}

static void
bad_params_are_errors (void)
{
  static const ForgeSessionParams rows[] = { { .batch = 0 },
    { .batch = 1, .threads = -1 }, { .batch = -3 } };
  g_autoptr (ForgeModel) model = network_model (0);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_null (forge_session_new (model, &rows[i], &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
  }
  g_autoptr (GError) error = NULL;
  ForgeSessionParams huge = { .batch = G_MAXINT };
  g_assert_null (forge_session_new (model, &huge, &error));
  g_assert_nonnull (error);
}

static ForgeModel *
summary_model (void)
{
  ForgeGraph *graph = forge_graph_new ("summary");
  graph->opset = 14;
  toy_input (graph, "x", -1, 6, 0, 0);
  toy_scalar (graph, "factor", 0.5f);
  toy_constant (graph, "w", 1, -1, 2, 6, 4, 0, 0);
  toy_constant (graph, "b", 2, -1, 2, 4, 0, 0, 0);
  toy_constant (graph, "gain", 2, -1, 2, 4, 0, 0, 0);
  static const int64_t target[] = { -1, 2, 2 };
  toy_ints (graph, "target", target, 3);
  toy_onnx_node (graph, "Mul", "x, factor", "scaled", NULL);
  toy_onnx_node (graph, "MatMul", "scaled, w", "product", NULL);
  toy_onnx_node (graph, "Add", "product, b", "biased", NULL);
  toy_onnx_node (graph, "Mul", "biased, gain", "gained", NULL);
  toy_onnx_node (graph, "Reshape", "gained, target", "y", NULL);
  toy_output (graph, "y");
  g_assert_true (forge_graph_sort (graph, NULL));
  g_assert_true (forge_graph_infer (graph, NULL));
  return forge_model_new_from_graph (graph, "summary", NULL);
}

/* Weights and the bias count; the rescale, the extents of a Reshape and a
 * plain factor do not. */
static void
summary_counts_trained_numbers (void)
{
  g_autoptr (ForgeModel) model = summary_model ();
  g_assert_cmpint (forge_model_count_parameters (model), ==, 24 + 4);
  gsize n_layers;
  ForgeLayerInfo *rows = forge_model_summarise (model, &n_layers);
  g_assert_cmpuint (n_layers, ==, 5);
  static const int64_t counts[] = { 0, 24, 4, 0, 0 };
  for (gsize i = 0; i < n_layers; i++)
    g_assert_cmpint (rows[i].n_parameters, ==, counts[i]);
  g_assert_cmpstr (rows[1].type, ==, "MatMul");
  g_assert_cmpint (rows[1].n_flops, ==, 2 * 6 * 4);
  g_assert_cmpint (rows[4].output_shape.rank, ==, 3);
  g_assert_cmpint (rows[4].output_shape.dims[0], ==, 1);
  forge_layer_info_free (rows, n_layers);
  ForgePort input = forge_model_get_input (model, 0);
  g_assert_cmpstr (input.name, ==, "x");
  g_assert_cmpint (input.shape.dims[0], ==, -1);
}

typedef struct {
  char *folder, *path;
} File;

static File
write_model (uint64_t seed)
{
  g_autoptr (GError) error = NULL;
  File file = { .folder = g_dir_make_tmp ("forge-XXXXXX", &error) };
  g_assert_no_error (error);
  file.path = g_build_filename (file.folder, "m.onnx", NULL);
  g_autoptr (ForgeGraph) graph = toy_network (seed);
  forge_onnx_write (graph, file.path, &error);
  g_assert_no_error (error);
  return file;
}

static void
remove_model (File *file)
{
  g_unlink (file->path);
  g_rmdir (file->folder);
  g_free (file->path);
  g_free (file->folder);
}

static void
same_file_gives_the_same_model (void)
{
  File file = write_model (1);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) a = forge_model_load (file.path, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeModel) b = forge_model_load (file.path, NULL);
  g_assert_true (a == b);
  g_assert_cmpstr (forge_model_get_path (a), ==, file.path);
  g_autoptr (ForgeGraph) other = toy_network (2);
  g_assert_true (forge_onnx_write (other, file.path, NULL));
  g_autoptr (ForgeModel) changed = forge_model_load (file.path, NULL);
  g_assert_true (changed && changed != a);
  g_unlink (file.path);
  g_assert_null (forge_model_load (file.path, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND);
  remove_model (&file);
}

static void
file_gives_the_bits_of_its_graph (void)
{
  for (uint64_t seed = 0; seed < 10; seed++) {
    File file = write_model (seed);
    g_autoptr (ForgeModel) read = forge_model_load (file.path, NULL);
    g_assert_nonnull (read);
    g_autoptr (ForgeModel) built = network_model (seed);
    g_autoptr (ForgeSession) a = open_session (read, 2, 1, FALSE);
    g_autoptr (ForgeSession) b = open_session (built, 2, 1, FALSE);
    run_filled (a, seed);
    run_filled (b, seed);
    assert_same_bits (a, b);
    remove_model (&file);
  }
}

static gpointer
load_and_drop (gpointer path)
{
  for (int i = 0; i < 60; i++) {
    g_autoptr (ForgeModel) model = forge_model_load (path, NULL);
    g_assert_nonnull (model);
    g_autoptr (ForgeModel) again = forge_model_load (path, NULL);
    g_assert_true (model == again);
  }
  return NULL;
}

static void
cache_survives_loading_from_many_threads (void)
{
  File file = write_model (3);
  GThread *threads[4];
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("load", load_and_drop, file.path);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  remove_model (&file);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  static const struct {
    const char *name;
    GTestFunc func;
  } tests[] = {
    { "session_gives_what_the_nodes_give", session_gives_what_the_nodes_give },
    { "bits_do_not_depend_on_threads", bits_do_not_depend_on_threads },
    { "rows_do_not_depend_on_the_batch", rows_do_not_depend_on_the_batch },
    { "input_survives_a_run", input_survives_a_run },
    { "sessions_run_side_by_side", sessions_run_side_by_side },
    { "sessions_share_their_plan", sessions_share_their_plan },
    { "profile_lists_every_node", profile_lists_every_node },
    { "profile_counts_bytes_read_and_written",
        profile_counts_bytes_read_and_written },
    { "costs_count_each_constant_once", costs_count_each_constant_once },
    { "bad_params_are_errors", bad_params_are_errors },
    { "summary_counts_trained_numbers", summary_counts_trained_numbers },
    { "same_file_gives_the_same_model", same_file_gives_the_same_model },
    { "file_gives_the_bits_of_its_graph", file_gives_the_bits_of_its_graph },
    { "cache_survives_loading_from_many_threads",
        cache_survives_loading_from_many_threads },
  };
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree char *path = g_strdup_printf ("/session/%s", tests[i].name);
    g_test_add_func (path, tests[i].func);
  }
  return g_test_run ();
}
