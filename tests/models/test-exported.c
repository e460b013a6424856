/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Small networks written node for node as torch.onnx writes torchvision's
 * transformers and their kin (export-like-torch.py), with a batch of unknown
 * size: their shapes are known only once it is bound. The scores below are
 * ONNX Runtime's (npm onnxruntime-node 1.30); test-onnxruntime compares all
 * of them where that is installed. */
#include <string.h>

#include "base/rng.h"
#include "compare.h"
#include "tensor/tensor.h"

#define BATCH 3
#define N_CLASSES 10
#define PIXELS (3 * 32 * 32)
#define SEED 7

typedef struct {
  const char *name;
  float scores[N_CLASSES]; /* of the last picture of the batch */
} Network;

static ForgeModel *
load (const Network *network)
{
  g_autofree char *file = g_strconcat (network->name, ".onnx", NULL);
  g_autofree char *path = g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"),
      "tests", "models", "exported", file, NULL);
  g_autoptr (GError) error = NULL;
  ForgeModel *model = forge_model_load (path, &error);
  g_assert_no_error (error);
  return model;
}

/* Scores [batch, 10] of @batch pictures. */
static void
run_pictures (
    ForgeModel *model, const float *pixels, int64_t batch, float *scores)
{
  ForgeShape shape = { 4, { batch, 3, 32, 32 } };
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) input =
      forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  memcpy (input->data, pixels, input->size_bytes);
  g_autoptr (ForgeSession) session = run_model (model, &input, 1, &error);
  g_assert_no_error (error);
  const ForgeTensor *out = forge_session_get_output (session, 0);
  ForgeShape expected = { 2, { batch, N_CLASSES } };
  g_assert_true (forge_shape_equal (&out->shape, &expected));
  memcpy (scores, out->data, out->size_bytes);
}

static void
scores_are_those_of_onnx_runtime (gconstpointer user_data)
{
  const Network *network = user_data;
  g_autoptr (ForgeModel) model = load (network);
  float pixels[BATCH * PIXELS], together[BATCH * N_CLASSES];
  float alone[N_CLASSES];
  ForgeRng rng;
  forge_rng_seed (&rng, SEED);
  for (int i = 0; i < BATCH * PIXELS; i++)
    pixels[i] = forge_rng_normal (&rng);
  run_pictures (model, pixels, BATCH, together);
  for (int c = 0; c < N_CLASSES; c++)
    g_assert_cmpfloat_with_epsilon (
        together[(BATCH - 1) * N_CLASSES + c], network->scores[c], 1e-4);
  /* and no picture sees another */
  for (int n = 0; n < BATCH; n++) {
    run_pictures (model, pixels + n * PIXELS, 1, alone);
    for (int c = 0; c < N_CLASSES; c++)
      g_assert_cmpfloat_with_epsilon (
          alone[c], together[n * N_CLASSES + c], 1e-5);
  }
}

int
main (int argc, char **argv)
{
  static const Network networks[] = {
    { "convnext-17",
        { -0.698634f, 2.427899f, 0.300862f, 1.419009f, 1.479193f, 2.621480f,
            1.380493f, -0.265017f, -0.656758f, -0.267941f } },
    { "shufflenet-13",
        { 0.178388f, -0.039460f, 0.401168f, 0.246462f, -0.619666f, -0.027024f,
            0.474016f, 0.024497f, -0.682963f, -0.213335f } },
    { "swin-13",
        { 0.110596f, 0.288810f, 0.689295f, -0.402777f, -0.270340f, -0.068140f,
            -0.137779f, -0.117509f, -0.403735f, -0.143908f } },
    { "swin-17",
        { -0.215883f, 0.049604f, -0.099665f, -0.052637f, 0.146231f, -0.084491f,
            -0.075038f, 0.022242f, -0.093764f, -0.206290f } },
    { "vit-13", { -0.024768f, -0.023767f, 1.587830f, -0.055107f, -0.861539f,
                    0.172103f, -0.716045f, 1.593602f, 1.011890f, -1.084265f } },
    { "vit-17", { 0.783231f, 1.826921f, -0.313688f, 0.883932f, 0.325895f,
                    0.597790f, 0.502642f, -0.737787f, -2.973812f, 0.276854f } },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (networks); i++) {
    g_autofree char *path = g_strconcat (
        "/exported/scores_are_those_of_onnx_runtime/", networks[i].name, NULL);
    g_test_add_data_func (path, &networks[i], scores_are_those_of_onnx_runtime);
  }
  return g_test_run ();
}
