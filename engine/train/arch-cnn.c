/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * forge-cnn, the reference model: the small CNN of Keras' first image
 * tutorial, with dropout. 122,570 parameters for ten classes. */
#include "train/arch.h"

static ForgeGraph *
build (const ForgeArchParams *params, GError **error)
{
  ForgeArchBuilder b = { .graph = forge_graph_new ("forge-cnn"),
    .seed = params->seed };
  int size = (int) forge_arch_option (&forge_arch_cnn, params, 0);
  int64_t side = ((size - 2) / 2 - 2) / 2 - 2; /* behind the last */
  forge_arch_input (&b, "images", size, size);
  forge_arch_conv (&b, "conv1", 3, 32, 3); /* of 32: 30 x 30 */
  forge_arch_plain (&b, "Relu", "relu1", NULL);
  forge_arch_max_pool (&b, "pool1", 2);     /* 15 x 15 */
  forge_arch_conv (&b, "conv2", 32, 64, 3); /* 13 x 13 */
  forge_arch_plain (&b, "Relu", "relu2", NULL);
  forge_arch_max_pool (&b, "pool2", 2);     /* 6 x 6 */
  forge_arch_conv (&b, "conv3", 64, 64, 3); /* 4 x 4 */
  forge_arch_plain (&b, "Relu", "relu3", NULL);
  forge_arch_flatten (&b, "flatten");
  forge_arch_dense (&b, "dense1", 64 * side * side, 64, FORGE_INIT_HE);
  forge_arch_plain (&b, "Relu", "relu4", NULL);
  forge_arch_dropout (&b, "dropout", params->dropout);
  forge_arch_dense (&b, "dense2", 64, params->n_outputs, FORGE_INIT_GLOROT);
  return forge_arch_finish (&b, params, error);
}

const ForgeArch forge_arch_cnn = { .name = "forge-cnn",
  .options = { { "size", 32, 18, 512, FALSE } },
  .build = build };
