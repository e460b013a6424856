/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mobilenet-v2: inverted residuals, which widen a thin map by a 1x1
 * convolution, filter each channel for itself and thin it again. Small
 * pictures would vanish in five halvings: up to 64 pixels the stem and the
 * first stage keep the size.
 * Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear
 * Bottlenecks" (2018), table 2. */
#include "train/arch.h"

#define SMALL_PICTURE 64
#define MOMENTUM 0.9
#define STEM 32
#define LAST 1280

enum {
  SIZE,
  WIDTH,
};

/* A line of the table. */
typedef struct {
  int64_t expand, n_out, n_blocks, stride;
} Stage;

static const Stage stages[] = { { 1, 16, 1, 1 }, { 6, 24, 2, 2 },
  { 6, 32, 3, 2 }, { 6, 64, 4, 2 }, { 6, 96, 3, 1 }, { 6, 160, 3, 2 },
  { 6, 320, 1, 1 } };

/* Of @base channels, to a multiple of eight, and never a tenth too few. */
static int64_t
channels (double width, int64_t base)
{
  double wanted = width * (double) base;
  int64_t n = MAX (8, (int64_t) (wanted + 4) / 8 * 8);
  return (double) n < 0.9 * wanted ? n + 8 : n;
}

/* Convolution, batch norm and, unless it is the thin end, ReLU6. */
static void
add_unit (ForgeArchBuilder *b, const char *stem, const char *part,
    const ForgeArchConv *like, gboolean activates)
{
  g_autofree char *name = g_strconcat (stem, part, NULL);
  g_autofree char *norm = g_strconcat (name, "_norm", NULL);
  g_autofree char *relu = g_strconcat (name, "_relu6", NULL);
  ForgeArchConv conv = *like;
  int64_t pad = conv.side / 2;
  conv.name = name;
  conv.init = FORGE_INIT_HE;
  for (int i = 0; i < 4; i++)
    conv.pads[i] = pad;
  forge_arch_add_conv (b, &conv);
  forge_arch_batch_norm (b, norm, conv.n_out, MOMENTUM, TRUE);
  if (activates)
    forge_arch_relu6 (b, relu);
}

static void
add_block (ForgeArchBuilder *b, int index, int64_t n_in, int64_t n_out,
    int64_t expand, int64_t stride)
{
  g_autofree char *stem = g_strdup_printf ("block%d_", index);
  ForgeValue *around = b->last;
  int64_t wide = n_in * expand;
  if (expand > 1)
    add_unit (b, stem, "expand",
        &(ForgeArchConv) { .n_in = n_in, .n_out = wide, .side = 1 }, TRUE);
  add_unit (b, stem, "depthwise",
      &(ForgeArchConv) { .n_in = wide,
          .n_out = wide,
          .side = 3,
          .stride = stride,
          .groups = wide },
      TRUE);
  add_unit (b, stem, "project",
      &(ForgeArchConv) { .n_in = wide, .n_out = n_out, .side = 1 }, FALSE);
  if (stride == 1 && n_in == n_out) {
    g_autofree char *name = g_strconcat (stem, "add", NULL);
    forge_arch_add (b, name, around);
  }
}

static ForgeGraph *
build (const ForgeArchParams *params, GError **error)
{
  ForgeArchBuilder b = { .graph = forge_graph_new ("mobilenet-v2"),
    .seed = params->seed };
  int size = (int) forge_arch_option (&forge_arch_mobilenet_v2, params, SIZE);
  double width = forge_arch_option (&forge_arch_mobilenet_v2, params, WIDTH);
  gboolean small = size <= SMALL_PICTURE;
  static const float scale[] = { 2 / 255.0f, 2 / 255.0f, 2 / 255.0f };
  static const float bias[] = { -1, -1, -1 };
  forge_arch_input_scaled (&b, "images", size, size, scale, bias);
  int64_t n = channels (width, STEM);
  add_unit (&b, "stem", "",
      &(ForgeArchConv) {
          .n_in = 3, .n_out = n, .side = 3, .stride = small ? 1 : 2 },
      TRUE);
  int index = 0;
  for (guint s = 0; s < G_N_ELEMENTS (stages); s++)
    for (int64_t i = 0; i < stages[s].n_blocks; i++) {
      int64_t n_out = channels (width, stages[s].n_out);
      int64_t stride = i > 0 || (small && s == 1) ? 1 : stages[s].stride;
      add_block (&b, ++index, n, n_out, stages[s].expand, stride);
      n = n_out;
    }
  int64_t last = channels (MAX (width, 1), LAST);
  add_unit (&b, "head", "",
      &(ForgeArchConv) { .n_in = n, .n_out = last, .side = 1 }, TRUE);
  forge_arch_plain (&b, "GlobalAveragePool", "pool", NULL);
  forge_arch_flatten (&b, "flatten");
  if (params->dropout > 0)
    forge_arch_dropout (&b, "dropout", params->dropout);
  forge_arch_dense (&b, "dense", last, params->n_outputs, FORGE_INIT_GLOROT);
  return forge_arch_finish (&b, params, error);
}

static void
set_defaults (ForgeTrainParams *params)
{
  params->optimiser = "sgd";
  params->learning_rate = 0.1;
  params->rate_batch = 128;
  params->batch = 128;
  params->final_learning_rate = 0;
  params->warmup_epochs = 1;
  params->weight_decay = 5e-4;
  params->label_smoothing = 0.1;
  params->dropout = 0.2;
  params->epochs = 60;
  params->patience = 0;
  params->best_by = "accuracy";
  params->shift = 4;
  params->border = "reflect";
}

const ForgeArch forge_arch_mobilenet_v2 = { .name = "mobilenet-v2",
  .options = { [SIZE] = { "size", 32, 32, 512, FALSE },
      [WIDTH] = { "width", 1, 0.1, 2, TRUE } },
  .build = build,
  .set_defaults = set_defaults };
