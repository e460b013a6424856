/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * forge-cnn, the reference model: the small CNN of Keras' first image
 * tutorial, with dropout. 122,570 parameters for ten classes. */
#include "train/arch.h"

#define WIDTH 32
#define HEIGHT 32

static ForgeGraph *
build (const ForgeArchParams *params, GError **error)
{
  ForgeArchBuilder b = { .graph = forge_graph_new ("forge-cnn"),
    .seed = params->seed };
  forge_arch_input (&b, "images", WIDTH, HEIGHT);
  forge_arch_conv (&b, "conv1", 3, 32, 3); /* 30 x 30 */
  forge_arch_plain (&b, "Relu", "relu1", NULL);
  forge_arch_max_pool (&b, "pool1", 2);     /* 15 x 15 */
  forge_arch_conv (&b, "conv2", 32, 64, 3); /* 13 x 13 */
  forge_arch_plain (&b, "Relu", "relu2", NULL);
  forge_arch_max_pool (&b, "pool2", 2);     /* 6 x 6 */
  forge_arch_conv (&b, "conv3", 64, 64, 3); /* 4 x 4 */
  forge_arch_plain (&b, "Relu", "relu3", NULL);
  ForgeAttrs *flatten = forge_attrs_new ();
  forge_attrs_set_int (flatten, "axis", 1);
  forge_arch_plain (&b, "Flatten", "flatten", flatten);
  forge_arch_dense (&b, "dense1", 64 * 4 * 4, 64, FORGE_INIT_HE);
  forge_arch_plain (&b, "Relu", "relu4", NULL);
  forge_arch_dropout (&b, "dropout", params->dropout);
  forge_arch_dense (&b, "dense2", 64, params->n_classes, FORGE_INIT_GLOROT);
  ForgeAttrs *softmax = forge_attrs_new ();
  forge_attrs_set_int (softmax, "axis", -1);
  forge_arch_plain (&b, "Softmax", "softmax", softmax);
  return forge_arch_finish (&b, "probabilities", error);
}

const ForgeArch forge_arch_cnn = { "forge-cnn", WIDTH, HEIGHT, build };
