/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Classifiers in the ways that exporters have written them (odd/, made by
 * make-odd-models.py): each runs as one and gives ONNX Runtime's scores, or is
 * refused with the reason. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "compare.h"
#include "forge/classifier.h"
#include "forge/error.h"
#include "ort.h"
#include "tensor/tensor.h"

#define SEED 11

/* What ONNX Runtime takes and gives, where it is not what we do. */
typedef enum { SAME, HALF, NO_ORT } Peer;

/* Runs: @batch and size of the input, number of scores. */
typedef struct {
  const char *name;
  int batch, height, width;
  int channels;
  int n_scores;
  const char *output; /* that has the scores */
  double tolerance;
  Peer peer;
  const char *assumed; /* must be in the assumptions */
} Odd;

static const Odd odd[] = {
  { "batch-fixed", 4, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  /* ONNX Runtime takes an extent of 0 at its word */
  { "batch-zero", 2, 8, 8, 3, 5, "l", 1e-5, NO_ORT, NULL },
  { "batch-anonymous", 2, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  { "size-open", 2, 224, 224, 3, 5, "l", 1e-5, SAME, "224 x 224" },
  { "all-open", 1, 224, 224, 3, 5, "l", 1e-5, SAME, "224 x 224" },
  { "height-open", 1, 224, 8, 3, 5, "l", 1e-5, SAME, "8 x 224" },
  { "size-odd", 1, 29, 33, 3, 5, "l", 1e-5, SAME, NULL },
  { "grey", 1, 8, 8, 1, 5, "l", 1e-5, SAME, NULL },
  { "head-softmax", 1, 8, 8, 3, 5, "y", 1e-5, SAME, NULL },
  { "head-label-and-probabilities", 1, 8, 8, 3, 5, "probabilities", 1e-5, SAME,
      NULL },
  { "head-features-and-logits", 1, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  { "head-logits-and-features", 1, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  { "head-no-batch-out", 1, 8, 8, 3, 5, "y", 1e-5, SAME, NULL },
  { "head-spatial", 1, 8, 8, 3, 5, "y", 1e-5, SAME, NULL },
  { "head-sigmoid", 1, 8, 8, 3, 1, "y", 1e-5, SAME, NULL },
  { "head-two-heads", 1, 8, 8, 3, 5, "m", 1e-5, SAME, NULL },
  { "opset-7", 1, 8, 8, 3, 5, "y", 1e-5, SAME, NULL },
  { "opset-9", 1, 8, 8, 3, 5, "y", 1e-5, SAME, NULL },
  { "opset-11", 1, 8, 8, 3, 5, "y", 1e-5, SAME, NULL },
  { "opset-13", 1, 8, 8, 3, 5, "y", 1e-5, SAME, NULL },
  { "opset-15", 1, 8, 8, 3, 5, "y", 1e-5, SAME, NULL },
  { "opset-18", 1, 8, 8, 3, 5, "y", 1e-5, SAME, NULL },
  { "opset-21", 1, 8, 8, 3, 5, "y", 1e-5, SAME, NULL },
  { "weights-are-inputs", 1, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  /* ONNX Runtime wants the unused input fed */
  { "unused-input", 1, 8, 8, 3, 5, "l", 1e-5, NO_ORT, NULL },
  { "constant-nodes", 1, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  { "half", 1, 8, 8, 3, 5, "l", 5e-3, HALF, NULL },
  /* ONNX Runtime has no Conv in double precision */
  { "double", 1, 8, 8, 3, 5, "l", 1e-5, NO_ORT, NULL },
  { "half-inside", 1, 8, 8, 3, 5, "y", 5e-3, SAME, NULL },
  { "bfloat16-weights", 1, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  { "half-weights", 1, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  { "float-data", 1, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  { "sparse", 1, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  { "sparse-coordinates", 1, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  { "branch-constant", 2, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  { "branch-node", 1, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  { "branch-shape", 2, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
  /* ONNX Runtime wants an Identity in such a branch */
  { "branch-passes", 1, 8, 8, 3, 5, "l", 1e-5, NO_ORT, NULL },
  { "function-with-branch", 1, 8, 8, 3, 5, "l", 1e-5, SAME, NULL },
};

static ForgeModel *
load (const char *name, GError **error)
{
  g_autofree char *file = g_strconcat (name, ".onnx", NULL);
  g_autofree char *path = g_build_filename (
      g_getenv ("FORGE_SOURCE_ROOT"), "tests", "models", "odd", file, NULL);
  return forge_model_load (path, error);
}

/* Numbers that half precision holds, so that both sides get the same. */
static void
fill (ForgeTensor *tensor)
{
  ForgeRng rng;
  forge_rng_seed (&rng, SEED);
  float *values = tensor->data;
  for (int64_t i = 0; i < forge_tensor_get_count (tensor); i++)
    values[i] = ((float) forge_rng_below (&rng, 512) - 256) / 128;
}

static double
value_at (const ForgeTensor *tensor, int64_t i)
{
  return tensor->dtype == FORGE_FLOAT16
             ? (double) forge_half_to_float (((uint16_t *) tensor->data)[i])
             : (double) ((float *) tensor->data)[i];
}

static ForgeTensor *
as_peer_wants (const ForgeTensor *tensor, Peer peer)
{
  ForgeDtype dtype = peer == HALF ? FORGE_FLOAT16 : FORGE_FLOAT32;
  ForgeTensor *copy = forge_tensor_new (dtype, &tensor->shape, NULL);
  const float *values = tensor->data;
  for (int64_t i = 0; i < forge_tensor_get_count (tensor); i++)
    if (peer == HALF)
      ((uint16_t *) copy->data)[i] = forge_float_to_half (values[i]);
    else
      ((float *) copy->data)[i] = values[i];
  return copy;
}

static void
compare_with_peer (Ort *ort, const Odd *row, const ForgeTensor *input,
    const ForgeTensor *scores)
{
  g_autofree char *file = g_strconcat (row->name, ".onnx", NULL);
  g_autofree char *path = g_build_filename (
      g_getenv ("FORGE_SOURCE_ROOT"), "tests", "models", "odd", file, NULL);
  g_autoptr (ForgeTensor) in = as_peer_wants (input, row->peer);
  g_autoptr (ForgeTensor) out = as_peer_wants (scores, row->peer);
  memset (out->data, 0, out->size_bytes);
  ort_run (ort, path, NULL, 0, "x", in, row->output, out);
  for (int64_t i = 0; i < forge_tensor_get_count (scores); i++)
    g_assert_cmpfloat_with_epsilon (
        value_at (scores, i), value_at (out, i), row->tolerance);
}

static guint
find_port (const ForgeModel *model, gboolean is_input, const char *name)
{
  for (guint i = 0;; i++) {
    ForgePort port = is_input ? forge_model_get_input (model, i)
                              : forge_model_get_output (model, i);
    if (strcmp (port.name, name) == 0)
      return i;
  }
}

/* Raw tensors through a session; then against ONNX Runtime where it is. */
static void
scores_are_those_of_onnx_runtime (gconstpointer user_data)
{
  const Odd *row = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = load (row->name, &error);
  g_assert_no_error (error);
  ForgeSessionParams params = { .threads = 1, .batch = row->batch };
  g_autoptr (ForgeSession) session = forge_session_new (model, &params, &error);
  g_assert_no_error (error);
  const ForgeTensor *scores =
      forge_session_get_output (session, find_port (model, FALSE, row->output));
  ForgeTensor *input =
      forge_session_get_input (session, find_port (model, TRUE, "x"));
  ForgeShape expected = { 4,
    { row->batch, row->channels, row->height, row->width } };
  g_assert_true (forge_shape_equal (&input->shape, &expected));
  g_assert_cmpint (forge_tensor_get_count (scores), ==,
      (int64_t) row->batch * row->n_scores);
  fill (input);
  forge_session_run (session);
  for (int64_t i = 0; i < forge_tensor_get_count (scores); i++)
    g_assert_true (isfinite (value_at (scores, i)));
  g_autoptr (Ort) ort = row->peer == NO_ORT ? NULL : ort_open ();
  if (ort)
    compare_with_peer (ort, row, input, scores);
}

/* A grey frame through the classifier: its probabilities are those of the
 * output that the table names. */
static void
it_classifies (gconstpointer user_data)
{
  const Odd *row = user_data;
  uint8_t pixels[16 * 16 * 3];
  for (gsize i = 0; i < sizeof pixels; i++)
    pixels[i] = (uint8_t) (i * 37 % 256);
  ForgeFrame frame = { .format = FORGE_PIXEL_RGB,
    .width = 16,
    .height = 16,
    .data = { pixels },
    .stride_bytes = { 16 * 3 } };
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = load (row->name, &error);
  g_assert_no_error (error);
  ForgeClassifierParams params = { .threads = 1, .batch = 1 };
  g_autoptr (ForgeClassifier) classifier =
      forge_classifier_new (model, &params, &error);
  g_assert_no_error (error);
  const char *assumptions = forge_model_get_assumptions (model);
  if (row->assumed)
    g_assert_nonnull (strstr (assumptions, row->assumed));
  g_assert_true (strstr (assumptions, "several outputs") == NULL ||
                 strcmp (row->name, "head-two-heads") == 0);
  g_assert_true (forge_classifier_set_frame (classifier, 0, &frame, &error));
  forge_classifier_run (classifier);
  g_assert_true (forge_classifier_is_finite (classifier, 0));
  ForgeClass top;
  g_assert_cmpuint (forge_classifier_get_top (classifier, 0, 1, &top), ==, 1);
  const ForgeTensor *scores =
      forge_session_get_output (forge_classifier_get_session (classifier),
          find_port (model, FALSE, row->output));
  guint best = 0;
  for (guint c = 1; c < (guint) row->n_scores; c++)
    if (value_at (scores, c) > value_at (scores, best))
      best = c;
  if (row->n_scores == 1)
    best = value_at (scores, 0) > 0.5;
  g_assert_cmpuint (top.class_id, ==, best);
}

static const struct {
  const char *name;
  const char *text; /* all words of it, separated by '|' */
} refused[] = {
  { "two-channels", "no image classifier|'x' is float32 [1, 2, 8, 8]" },
  { "four-channels", "'x' is float32 [1, 4, 8, 8]|1 or 3 channels" },
  { "int32-input", "'x' is int32 [1, 3, 8, 8]|uint8 or float32" },
  { "video", "[1, 3, 4, 8, 8]|4 extents" },
  { "two-inputs", "expected one input, found 2: 'x', 'aux'" },
  { "head-labels-only", "its output is int64 [1]|ArgMax" },
  { "branch-picture", "node 'if' (If)|depends on the picture|is" },
  { "branch-batch", "node 'if' (If)|decided when the model is loaded" },
  { "branch-missing",
      "1 operator is not supported|Sorcery (domain ai.onnx, opset 13)" },
  { "loop", "Loop (domain ai.onnx, opset 13) at 'loop'" },
  { "sequence", "2 operators are not supported|SequenceConstruct (domain "
                "ai.onnx, opset 13) at 'pair'|ConcatFromSequence|'join'" },
  { "missing-many", "300 operators are not supported|Op000 (domain my.domain, "
                    "opset 2) at 'node0', 'node300', 'node600'|Op039|'node39', "
                    "'node339', 'node639'|and 260 operators more, at 580 "
                    "nodes" },
  { "zipmap", "ZipMap (domain ai.onnx.ml, opset 2) at 'map'" },
  { "cycle", "cycle through value" },
};

static void
it_is_refused_with_the_reason (gconstpointer user_data)
{
  gsize i = GPOINTER_TO_SIZE (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = load (refused[i].name, &error);
  ForgeClassifierParams params = { .threads = 1, .batch = 1 };
  g_autoptr (ForgeClassifier) classifier =
      model ? forge_classifier_new (model, &params, &error) : NULL;
  g_assert_null (classifier);
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_auto (GStrv) words = g_strsplit (refused[i].text, "|", -1);
  for (char **word = words; *word; word++)
    g_assert_nonnull (strstr (error->message, *word));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (odd); i++) {
    g_autofree char *scores = g_strconcat ("/odd/scores/", odd[i].name, NULL);
    g_autofree char *classifies =
        g_strconcat ("/odd/classifies/", odd[i].name, NULL);
    g_test_add_data_func (scores, &odd[i], scores_are_those_of_onnx_runtime);
    g_test_add_data_func (classifies, &odd[i], it_classifies);
  }
  g_test_add_data_func ("/odd/classifies/bytes-nhwc",
      &(const Odd) { .name = "bytes-nhwc", .n_scores = 5, .output = "l" },
      it_classifies);
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++) {
    g_autofree char *path =
        g_strconcat ("/odd/refused/", refused[i].name, NULL);
    g_test_add_data_func (
        path, GSIZE_TO_POINTER (i), it_is_refused_with_the_reason);
  }
  return g_test_run ();
}
