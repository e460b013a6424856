/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames in, ranked labels out: slots, softmax, ties, labels, scores that are
 * not numbers, networks that are no classifiers. */
#include "forge/classifier.h"

#include <math.h>
#include <string.h>

#include "run/model.h"
#include "toy-graph.h"

enum { SIZE = 4, N_CLASSES = 4 };

/* uint8 [N, 4, 4, 3] -> Cast -> Mul -> Flatten -> MatMul: logits, and Softmax
 * if asked. */
static ForgeGraph *
classifier_graph (gboolean probabilities)
{
  ForgeGraph *graph = forge_graph_new ("classifier");
  graph->opset = 14;
  ForgeShape shape = forge_shape (4, -1, SIZE, SIZE, 3);
  forge_graph_add_input (graph, "image", FORGE_UINT8, &shape);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "to", FORGE_FLOAT32);
  toy_onnx_node (graph, "Cast", "image", "floats", attrs);
  toy_scalar (graph, "scale", 1 / 255.0f);
  toy_onnx_node (graph, "Mul", "floats, scale", "scaled", NULL);
  toy_onnx_node (graph, "Flatten", "scaled", "flat", NULL);
  toy_constant (graph, "w", 1, -0.2f, 0.4f, SIZE * SIZE * 3, N_CLASSES, 0, 0);
  toy_onnx_node (graph, "MatMul", "flat, w", "logits", NULL);
  if (probabilities)
    toy_onnx_node (graph, "Softmax", "logits", "probabilities", NULL);
  toy_output (graph, probabilities ? "probabilities" : "logits");
  g_assert_true (forge_graph_sort (graph, NULL));
  g_assert_true (forge_graph_infer (graph, NULL));
  return graph;
}

static ForgeModel *
take_model (ForgeGraph *graph)
{
  g_autoptr (GError) error = NULL;
  ForgeModel *model = forge_model_new_from_graph (graph, "toy", &error);
  g_assert_no_error (error);
  return model;
}

static ForgeClassifier *
open_classifier (ForgeModel *model, int batch)
{
  g_autoptr (GError) error = NULL;
  ForgeClassifierParams params = { .threads = 1, .batch = batch };
  ForgeClassifier *classifier = forge_classifier_new (model, &params, &error);
  g_assert_no_error (error);
  return classifier;
}

/* A picture of the network's own size. */
static ForgeFrame
picture (uint64_t seed, uint8_t pixels[SIZE * SIZE * 3])
{
  ForgeShape shape = forge_shape (1, SIZE * SIZE * 3);
  g_autoptr (ForgeTensor) bytes = forge_tensor_new (FORGE_UINT8, &shape, NULL);
  toy_fill (bytes, seed);
  memcpy (pixels, bytes->data, SIZE * SIZE * 3);
  return (ForgeFrame) { .format = FORGE_PIXEL_RGB,
    .width = SIZE,
    .height = SIZE,
    .data = { pixels },
    .stride_bytes = { SIZE * 3 } };
}

static void
classify (ForgeClassifier *classifier, guint slot, uint64_t seed)
{
  uint8_t pixels[SIZE * SIZE * 3];
  ForgeFrame frame = picture (seed, pixels);
  g_autoptr (GError) error = NULL;
  forge_classifier_set_frame (classifier, slot, &frame, &error);
  g_assert_no_error (error);
}

static void
logits_become_probabilities (void)
{
  g_autoptr (ForgeModel) logits = take_model (classifier_graph (FALSE));
  g_autoptr (ForgeModel) ready = take_model (classifier_graph (TRUE));
  g_assert_false (forge_model_has_probabilities (logits));
  g_assert_true (forge_model_has_probabilities (ready));
  g_autoptr (ForgeClassifier) a = open_classifier (logits, 1);
  g_autoptr (ForgeClassifier) b = open_classifier (ready, 1);
  classify (a, 0, 3);
  classify (b, 0, 3);
  forge_classifier_run (a);
  forge_classifier_run (b);
  const float *x = forge_classifier_get_probabilities (a, 0);
  const float *y = forge_classifier_get_probabilities (b, 0);
  const float *scores =
      forge_session_get_output (forge_classifier_get_session (a), 0)->data;
  double sum = 0, all = 0;
  for (int c = 0; c < N_CLASSES; c++)
    all += exp (scores[c]);
  for (int c = 0; c < N_CLASSES; c++) {
    sum += x[c];
    g_assert_cmpfloat (fabs (x[c] - exp (scores[c]) / all), <, 1e-6);
    g_assert_cmpfloat (fabsf (x[c] - y[c]), <, 1e-6f);
  }
  g_assert_cmpfloat (fabs (sum - 1), <, 1e-6);
  g_assert_true (forge_classifier_is_finite (a, 0));
}

/* The graph with a temperature in its metadata. */
static ForgeModel *
warm_model (gboolean probabilities, const char *calibration)
{
  ForgeGraph *graph = classifier_graph (probabilities);
  g_hash_table_insert (
      graph->metadata, g_strdup ("forge.calibration"), g_strdup (calibration));
  return take_model (graph);
}

/* softmax (logits / 2.5), whether the network ends in Softmax or not. */
static void
temperature_divides_the_logits (void)
{
  const char *text = "{\"version\":1,\"temperature\":2.5}";
  g_autoptr (ForgeModel) plain = take_model (classifier_graph (FALSE));
  g_assert_cmpfloat (forge_model_get_temperature (plain), ==, 1);
  g_autoptr (ForgeClassifier) a = open_classifier (plain, 1);
  classify (a, 0, 3);
  forge_classifier_run (a);
  const float *scores =
      forge_session_get_output (forge_classifier_get_session (a), 0)->data;
  double all = 0;
  for (int c = 0; c < N_CLASSES; c++)
    all += exp (scores[c] / 2.5);
  for (int ends = 0; ends < 2; ends++) {
    g_autoptr (ForgeModel) warm = warm_model (ends, text);
    g_assert_cmpfloat (forge_model_get_temperature (warm), ==, 2.5);
    g_autoptr (ForgeClassifier) b = open_classifier (warm, 2);
    classify (b, 0, 1);
    classify (b, 1, 3);
    forge_classifier_run (b);
    const float *p = forge_classifier_get_probabilities (b, 1);
    for (int c = 0; c < N_CLASSES; c++)
      g_assert_cmpfloat (fabs (p[c] - exp (scores[c] / 2.5) / all), <, 1e-6);
  }
}

static void
nonsense_for_a_temperature_is_refused (void)
{
  static const char *const texts[] = { "", "[]", "{}", "{\"version\":2}",
    "{\"version\":1,\"temperature\":0}", "{\"version\":1,\"temperature\":-1}",
    "{\"version\":1,\"temperature\":1e9}",
    "{\"version\":1,\"temperature\":\"2\"}" };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    ForgeGraph *graph = classifier_graph (FALSE);
    g_hash_table_insert (
        graph->metadata, g_strdup ("forge.calibration"), g_strdup (texts[i]));
    g_autoptr (GError) error = NULL;
    g_assert_null (forge_model_new_from_graph (graph, "toy", &error));
    g_assert_true (error->domain == FORGE_ERROR);
    g_assert_nonnull (strstr (error->message, "forge.calibration"));
  }
}

/* What MatMul reads: the picture's bytes / 255; and what Softmax reads. */
static void
features_are_what_the_last_layer_reads (void)
{
  g_autoptr (ForgeModel) model = take_model (classifier_graph (TRUE));
  ForgeClassifierParams params = { .threads = 1, .batch = 2, .features = TRUE };
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeClassifier) with =
      forge_classifier_new (model, &params, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeClassifier) without = open_classifier (model, 2);
  g_assert_cmpuint (forge_classifier_get_n_features (without), ==, 0);
  g_assert_null (
      forge_session_get_features (forge_classifier_get_session (without)));
  g_assert_cmpuint (
      forge_classifier_get_n_features (with), ==, SIZE * SIZE * 3);
  for (guint slot = 0; slot < 2; slot++) {
    classify (with, slot, slot + 5);
    classify (without, slot, slot + 5);
  }
  forge_classifier_run (with);
  forge_classifier_run (without);
  for (guint slot = 0; slot < 2; slot++) {
    uint8_t pixels[SIZE * SIZE * 3];
    float features[SIZE * SIZE * 3], logits[N_CLASSES], logs[N_CLASSES];
    picture (slot + 5, pixels);
    forge_classifier_get_features (with, slot, features);
    for (guint i = 0; i < SIZE * SIZE * 3; i++)
      g_assert_cmpfloat (fabsf (features[i] - pixels[i] / 255.0f), <, 1e-6f);
    forge_classifier_get_logits (with, slot, logits);
    forge_classifier_get_logits (without, slot, logs);
    const float *p = forge_classifier_get_probabilities (with, slot);
    const float *q = forge_classifier_get_probabilities (without, slot);
    for (guint c = 0; c < N_CLASSES; c++) {
      g_assert_cmpfloat (fabsf (p[c] - q[c]), <, 1e-6f);
      g_assert_cmpfloat (
          fabsf (logits[c] - logits[0] - (logs[c] - logs[0])), <, 1e-4f);
      g_assert_cmpfloat (fabsf (logs[c] - logf (q[c])), <, 1e-5f);
    }
    /* MatMul's own sums, not logarithms */
    double sum = 0;
    for (guint c = 0; c < N_CLASSES; c++)
      sum += exp (logits[c]);
    g_assert_cmpfloat (fabs (log (sum)), >, 0.01);
  }
}

static void
slots_give_the_bits_of_single_pictures (void)
{
  g_autoptr (ForgeModel) model = take_model (classifier_graph (FALSE));
  g_autoptr (ForgeClassifier) many = open_classifier (model, 3);
  g_autoptr (ForgeClassifier) one = open_classifier (model, 1);
  for (guint slot = 0; slot < 3; slot++)
    classify (many, slot, slot);
  forge_classifier_run (many);
  for (guint slot = 0; slot < 3; slot++) {
    classify (one, 0, slot);
    forge_classifier_run (one);
    g_assert_cmpmem (forge_classifier_get_probabilities (many, slot),
        N_CLASSES * sizeof (float), forge_classifier_get_probabilities (one, 0),
        N_CLASSES * sizeof (float));
  }
}

static void
top_is_sorted_and_complete (void)
{
  g_autoptr (ForgeModel) model = take_model (classifier_graph (FALSE));
  g_autoptr (ForgeClassifier) classifier = open_classifier (model, 1);
  classify (classifier, 0, 8);
  forge_classifier_run (classifier);
  const float *p = forge_classifier_get_probabilities (classifier, 0);
  for (guint k = 0; k <= N_CLASSES + 2; k++) {
    ForgeClass top[N_CLASSES + 2];
    guint n_top = forge_classifier_get_top (classifier, 0, k, top);
    g_assert_cmpuint (n_top, ==, MIN (k, N_CLASSES));
    guint seen = 0;
    for (guint i = 0; i < n_top; i++) {
      g_assert_cmpfloat (top[i].confidence, ==, p[top[i].class_id]);
      g_assert_true (i == 0 || top[i - 1].confidence >= top[i].confidence);
      seen |= 1u << top[i].class_id;
    }
    for (guint c = 0; c < N_CLASSES && n_top > 0; c++)
      g_assert_true ((seen >> c & 1) || p[c] <= top[n_top - 1].confidence);
  }
}

static void
set_weights (ForgeGraph *graph, float value)
{
  float *w = forge_graph_find (graph, "w")->constant->data;
  for (int i = 0; i < SIZE * SIZE * 3 * N_CLASSES; i++)
    w[i] = value;
}

static void
ties_go_to_the_lower_class (void)
{
  ForgeGraph *graph = classifier_graph (FALSE);
  set_weights (graph, 0.5f);
  g_autoptr (ForgeModel) model = take_model (graph);
  g_autoptr (ForgeClassifier) classifier = open_classifier (model, 1);
  classify (classifier, 0, 1);
  forge_classifier_run (classifier);
  ForgeClass top[N_CLASSES];
  for (guint k = 1; k <= N_CLASSES; k++) {
    forge_classifier_get_top (classifier, 0, k, top);
    for (guint i = 0; i < k; i++)
      g_assert_cmpuint (top[i].class_id, ==, i);
  }
}

static void
scores_that_are_no_numbers_give_zeros (void)
{
  static const float values[] = { NAN, INFINITY, 3e38f };
  for (int probabilities = 0; probabilities < 2; probabilities++) {
    for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
      ForgeGraph *graph = classifier_graph (probabilities);
      set_weights (graph, values[i]);
      g_autoptr (ForgeModel) model = take_model (graph);
      g_autoptr (ForgeClassifier) classifier = open_classifier (model, 1);
      classify (classifier, 0, 1);
      forge_classifier_run (classifier);
      g_assert_false (forge_classifier_is_finite (classifier, 0));
      const float *p = forge_classifier_get_probabilities (classifier, 0);
      for (int c = 0; c < N_CLASSES; c++)
        g_assert_cmpfloat (p[c], ==, 0);
    }
  }
}

static void
labels_are_counted_and_named (void)
{
  static const struct {
    const char *labels[8];
    const char *third; /* NULL = refused */
  } rows[] = {
    { { "cat", "dog", "owl", "fox", NULL }, "owl" },
    { { "cat", "dog", "", "fox", NULL }, "class 2" },
    { { NULL }, "class 2" },
    { { "cat", "dog", "owl", NULL }, NULL },
    { { "cat", "dog", "owl", "fox", "bee", NULL }, NULL },
  };
  g_autoptr (ForgeModel) model = take_model (classifier_graph (FALSE));
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    ForgeClassifierParams params = { .batch = 1, .labels = rows[i].labels };
    g_autoptr (ForgeClassifier) classifier =
        forge_classifier_new (model, &params, &error);
    if (rows[i].third) {
      g_assert_no_error (error);
      g_assert_cmpuint (
          forge_classifier_get_n_classes (classifier), ==, N_CLASSES);
      g_assert_cmpstr (
          forge_classifier_get_label (classifier, 2), ==, rows[i].third);
    } else {
      g_assert_null (classifier);
      g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
    }
  }
}

static ForgeGraph *
vector_network (void)
{
  ForgeGraph *graph = forge_graph_new ("vector");
  toy_input (graph, "x", -1, 3, 0, 0);
  toy_onnx_node (graph, "Relu", "x", "y", NULL);
  toy_output (graph, "y");
  return graph;
}

/* Its output is a picture, not scores. */
static ForgeGraph *
picture_network (void)
{
  ForgeGraph *graph = forge_graph_new ("picture");
  toy_input (graph, "x", -1, 3, 4, 4);
  toy_onnx_node (graph, "Relu", "x", "y", NULL);
  toy_output (graph, "y");
  return graph;
}

static ForgeGraph *
two_input_network (void)
{
  ForgeGraph *graph = forge_graph_new ("two");
  toy_input (graph, "x", -1, 3, 4, 4);
  toy_input (graph, "z", -1, 3, 4, 4);
  toy_onnx_node (graph, "Add", "x, z", "sum", NULL);
  toy_onnx_node (graph, "GlobalAveragePool", "sum", "y", NULL);
  toy_output (graph, "y");
  return graph;
}

/* The file says batch 1; two pictures do not fit. */
static ForgeGraph *
fixed_batch_network (void)
{
  ForgeGraph *graph = forge_graph_new ("fixed");
  toy_input (graph, "x", 1, 3, 4, 4);
  toy_onnx_node (graph, "GlobalAveragePool", "x", "y", NULL);
  toy_output (graph, "y");
  return graph;
}

static void
other_networks_are_refused (void)
{
  static ForgeGraph *(*const networks[]) (void) = { vector_network,
    picture_network, two_input_network, fixed_batch_network };
  for (guint i = 0; i < G_N_ELEMENTS (networks); i++) {
    g_autoptr (GError) error = NULL;
    ForgeGraph *graph = networks[i]();
    graph->opset = 14;
    g_assert_true (forge_graph_infer (graph, NULL));
    g_autoptr (ForgeModel) model = take_model (graph);
    ForgeClassifierParams params = { .batch = 2 };
    g_assert_null (forge_classifier_new (model, &params, &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
    g_test_message ("%s", error->message);
  }
}

/* One score for a picture: a logit, or Sigmoid of it. */
static ForgeGraph *
binary_graph (gboolean sigmoid)
{
  ForgeGraph *graph = forge_graph_new ("binary");
  graph->opset = 14;
  ForgeShape shape = forge_shape (4, -1, SIZE, SIZE, 3);
  forge_graph_add_input (graph, "image", FORGE_UINT8, &shape);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "to", FORGE_FLOAT32);
  toy_onnx_node (graph, "Cast", "image", "floats", attrs);
  toy_onnx_node (graph, "Flatten", "floats", "flat", NULL);
  toy_constant (graph, "w", 1, -1e-3f, 1e-3f, SIZE * SIZE * 3, 1, 0, 0);
  toy_onnx_node (graph, "MatMul", "flat, w", "score", NULL);
  if (sigmoid)
    toy_onnx_node (graph, "Sigmoid", "score", "probability", NULL);
  toy_output (graph, sigmoid ? "probability" : "score");
  g_assert_true (forge_graph_sort (graph, NULL));
  g_assert_true (forge_graph_infer (graph, NULL));
  return graph;
}

static void
one_score_tells_two_classes_apart (void)
{
  for (int sigmoid = 0; sigmoid < 2; sigmoid++) {
    g_autoptr (ForgeModel) model = take_model (binary_graph (sigmoid));
    g_autoptr (ForgeClassifier) classifier = open_classifier (model, 2);
    g_assert_cmpuint (forge_model_get_n_classes (model), ==, 2);
    g_assert_cmpuint (forge_classifier_get_n_classes (classifier), ==, 2);
    float seen[8];
    for (guint i = 0; i < 8; i += 2) {
      classify (classifier, 0, i);
      classify (classifier, 1, i + 1);
      forge_classifier_run (classifier);
      const ForgeTensor *scores = forge_session_get_output (
          forge_classifier_get_session (classifier), 0);
      for (guint slot = 0; slot < 2; slot++) {
        const float *p = forge_classifier_get_probabilities (classifier, slot);
        double score = (double) ((const float *) scores->data)[slot];
        double want = sigmoid ? score : 1 / (1 + exp (-score));
        g_assert_cmpfloat_with_epsilon ((double) p[1], want, 1e-6);
        g_assert_cmpfloat_with_epsilon ((double) (p[0] + p[1]), 1, 1e-6);
        ForgeClass top[2];
        g_assert_cmpuint (
            forge_classifier_get_top (classifier, slot, 2, top), ==, 2);
        g_assert_cmpuint (top[0].class_id, ==, p[1] > p[0]);
        seen[i + slot] = p[1];
      }
    }
    /* Not the first label with 1.0 whatever one shows it. */
    g_assert_cmpfloat ((double) seen[0], !=, (double) seen[1]);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  static const struct {
    const char *name;
    GTestFunc func;
  } tests[] = {
    { "logits_become_probabilities", logits_become_probabilities },
    { "temperature_divides_the_logits", temperature_divides_the_logits },
    { "nonsense_for_a_temperature_is_refused",
        nonsense_for_a_temperature_is_refused },
    { "features_are_what_the_last_layer_reads",
        features_are_what_the_last_layer_reads },
    { "slots_give_the_bits_of_single_pictures",
        slots_give_the_bits_of_single_pictures },
    { "top_is_sorted_and_complete", top_is_sorted_and_complete },
    { "ties_go_to_the_lower_class", ties_go_to_the_lower_class },
    { "scores_that_are_no_numbers_give_zeros",
        scores_that_are_no_numbers_give_zeros },
    { "one_score_tells_two_classes_apart", one_score_tells_two_classes_apart },
    { "labels_are_counted_and_named", labels_are_counted_and_named },
    { "other_networks_are_refused", other_networks_are_refused },
  };
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree char *path = g_strdup_printf ("/classifier/%s", tests[i].name);
    g_test_add_func (path, tests[i].func);
  }
  return g_test_run ();
}
