/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * forge-resnet, small and strong: a whitening convolution whose filters come
 * from the training pictures and stay as they are, then three groups of two
 * convolutions. A group, for w channels:
 *   Conv 3x3 -> MaxPool 2 -> BatchNorm -> SiLU -> Conv 3x3 -> BatchNorm -> SiLU
 * then the largest of each channel, a dense layer, and logits divided by nine.
 * Convolutions begin as the identity as far as they have channels for it; the
 * scale of a batch norm stays 1. The defaults train it by Muon, at rates that
 * fall in a straight line.
 * Source: K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv
 * 2404.00498 (2024), with SiLU for GELU and maps that keep their size, and the
 * same author's later recipe with Muon, for smaller batches and more epochs. */
#include "train/whiten.h"

#define N_GROUPS 3
#define N_WHITE (2 * FORGE_PATCH_ELEMS)
#define EPSILON 5e-4

enum {
  SIZE,
  WIDTH1,
  WIDTH2,
  WIDTH3,
  RESIDUAL,
  PAD,
  TRAIN_SCALE,
  MOMENTUM,
  SCALE,
};

/* What the layers of a group share. */
typedef struct {
  int64_t n_in, n_out;
  double momentum;
  gboolean residual, trains_scale;
} Group;

/* To mean 0 and deviation 1 as the training pictures have them, then to
 * patches without correlation. */
static void
add_whitening (
    ForgeArchBuilder *b, const ForgeArchParams *params, int size, gboolean pads)
{
  double mean[3], deviation[3];
  float scale[3], bias[3];
  forge_picture_statistics (&params->pictures, mean, deviation);
  for (int c = 0; c < 3; c++) {
    scale[c] = (float) (1 / (255 * deviation[c]));
    bias[c] = (float) (-mean[c] / deviation[c]);
  }
  forge_arch_input_scaled (b, "images", size, size, scale, bias);
  const ForgeArchConv conv = { .name = "whiten",
    .n_in = 3,
    .n_out = N_WHITE,
    .side = 2,
    .pads = { 0, 0, pads, pads },
    .has_bias = TRUE,
    .init = FORGE_INIT_THIRD };
  ForgeValue *weights = forge_arch_add_conv (b, &conv);
  if (weights) {
    forge_whitening_filters (
        &params->pictures, mean, deviation, EPSILON, weights->constant->data);
    weights->frozen = TRUE;
  }
  forge_arch_silu (b, "whiten_silu");
}

static void
add_conv (ForgeArchBuilder *b, const char *name, int64_t n_in, int64_t n_out)
{
  const ForgeArchConv conv = { .name = name,
    .n_in = n_in,
    .n_out = n_out,
    .side = 3,
    .pads = { 1, 1, 1, 1 },
    .init = FORGE_INIT_DIRAC };
  forge_arch_add_conv (b, &conv);
}

static void
add_group (ForgeArchBuilder *b, int index, const Group *group)
{
  char names[7][16];
  static const char *const parts[] = { "conv%da", "pool%d", "norm%da",
    "silu%da", "conv%db", "norm%db", "silu%db" };
  for (int i = 0; i < 7; i++)
    g_snprintf (names[i], sizeof names[i], parts[i], index);
  add_conv (b, names[0], group->n_in, group->n_out);
  forge_arch_max_pool (b, names[1], 2);
  forge_arch_batch_norm (
      b, names[2], group->n_out, group->momentum, group->trains_scale);
  forge_arch_silu (b, names[3]);
  ForgeValue *around = b->last;
  add_conv (b, names[4], group->n_out, group->n_out);
  forge_arch_batch_norm (
      b, names[5], group->n_out, group->momentum, group->trains_scale);
  if (group->residual) {
    g_autofree char *name = g_strdup_printf ("add%d", index);
    forge_arch_add (b, name, around);
  }
  forge_arch_silu (b, names[6]);
}

static double
option (const ForgeArchParams *params, guint index)
{
  return forge_arch_option (&forge_arch_resnet, params, index);
}

static ForgeGraph *
build (const ForgeArchParams *params, GError **error)
{
  if (params->pictures.n_items == 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "forge-resnet: its first layer is made from training pictures, and "
        "there are none");
    return NULL;
  }
  ForgeArchBuilder b = { .graph = forge_graph_new ("forge-resnet"),
    .seed = params->seed };
  add_whitening (
      &b, params, (int) option (params, SIZE), option (params, PAD) != 0);
  Group group = { .n_out = N_WHITE,
    .momentum = option (params, MOMENTUM),
    .residual = option (params, RESIDUAL) != 0,
    .trains_scale = option (params, TRAIN_SCALE) != 0 };
  for (int i = 0; i < N_GROUPS; i++) {
    group.n_in = group.n_out;
    group.n_out = (int64_t) option (params, WIDTH1 + (guint) i);
    add_group (&b, i + 1, &group);
  }
  forge_arch_plain (&b, "GlobalMaxPool", "pool", NULL);
  forge_arch_flatten (&b, "flatten");
  if (params->dropout > 0)
    forge_arch_dropout (&b, "dropout", params->dropout);
  forge_arch_dense_plain (
      &b, "dense", group.n_out, params->n_outputs, FORGE_INIT_THIRD);
  forge_arch_scale (&b, "scale", option (params, SCALE));
  return forge_arch_finish (&b, params, error);
}

static void
set_defaults (ForgeTrainParams *params)
{
  /* Muon for the filters, SGD for shifts and the last layer: see
   * engine/embedded/README.md for what this gives. */
  params->optimiser = "muon";
  params->muon_rate = 0.18;
  params->muon_steps = 3;
  params->muon_normalise = TRUE;
  params->momentum = 0.85;
  params->learning_rate = 0.85;
  params->rate_batch = 1024;
  params->weight_decay = 1.33e-3;
  params->decay_all = TRUE;
  params->shift_rate = 64;
  params->schedule = "one-cycle";
  params->cycle_start = 1;
  params->cycle_peak = 0;
  params->cycle_end = 0;
  params->freeze = "whiten.bias@3";
  params->label_smoothing = 0.2;
  params->dropout = 0;
  params->epochs = 25;
  params->batch = 900;
  params->patience = 0;
  params->best_by = "accuracy";
  params->flip = "alternating";
  params->shift = 4;
  params->cutout = 8;
  params->border = "reflect";
}

const ForgeArch forge_arch_resnet = { .name = "forge-resnet",
  .options = {
    [SIZE] = { "size", 32, 16, 512, FALSE },
    [WIDTH1] = { "width1", 64, N_WHITE, 2048, FALSE },
    [WIDTH2] = { "width2", 256, N_WHITE, 2048, FALSE },
    [WIDTH3] = { "width3", 256, N_WHITE, 2048, FALSE },
    [RESIDUAL] = { "residual", 0, 0, 1, FALSE },
    [PAD] = { "pad", 1, 0, 1, FALSE },
    [TRAIN_SCALE] = { "train-scale", 0, 0, 1, FALSE },
    [MOMENTUM] = { "momentum", 0.6, 0, 0.9999, TRUE },
    [SCALE] = { "scale", 1.0 / 9, 1e-3, 10, TRUE },
  },
  .build = build,
  .set_defaults = set_defaults };
