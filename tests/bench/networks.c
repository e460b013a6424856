/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The networks, layer by layer, as torchvision and timm export them; and
 * forge-cnn. tests/models holds them to the published counts. Sources:
 * Iandola et al. 2016 (SqueezeNet 1.1), Sandler et al. 2018 (MobileNetV2),
 * Howard et al. 2019 (MobileNetV3), Tan and Le 2019 (EfficientNet), He et al.
 * 2015 (ResNet), Simonyan and Zisserman 2014 (VGG), Huang et al. 2016
 * (DenseNet), Touvron et al. 2020 (ViT-tiny, there DeiT-Ti). */
#include "networks.h"

#include <string.h>

#include "formats/format.h"
#include "net.h"

#define N_CLASSES 1000

static Map
forge_cnn (Net *net, Map x)
{
  x = net_scale (net, x, 2); /* a rescale; inputs are in [0, 1) */
  x = net_max_pool (net, net_conv (net, x, 32, 3, 1, 0, RELU), 2, 2, 0, 0);
  x = net_max_pool (net, net_conv (net, x, 64, 3, 1, 0, RELU), 2, 2, 0, 0);
  x = net_flatten (net, net_conv (net, x, 64, 3, 1, 0, RELU));
  x = net_dense (net, net_dense (net, x, 64, RELU), 10, PLAIN);
  return net_softmax (net, x);
}

static Map
fire (Net *net, Map x, int squeeze, int expand)
{
  x = net_conv (net, x, squeeze, 1, 1, 0, RELU);
  Map both[] = { net_conv (net, x, expand, 1, 1, 0, RELU),
    net_conv (net, x, expand, 3, 1, 1, RELU) };
  return net_concat (net, both, 2);
}

static Map
squeezenet (Net *net, Map x)
{
  x = net_conv (net, x, 64, 3, 2, 0, RELU);
  x = net_max_pool (net, x, 3, 2, 0, 1);
  x = fire (net, fire (net, x, 16, 64), 16, 64);
  x = net_max_pool (net, x, 3, 2, 0, 1);
  x = fire (net, fire (net, x, 32, 128), 32, 128);
  x = net_max_pool (net, x, 3, 2, 0, 1);
  x = fire (net, fire (net, x, 48, 192), 48, 192);
  x = fire (net, fire (net, x, 64, 256), 64, 256);
  x = net_conv (net, x, N_CLASSES, 1, 1, 0, RELU);
  return net_flatten (net, net_global_pool (net, x));
}

static Map
classify (Net *net, Map x)
{
  x = net_flatten (net, net_global_pool (net, x));
  return net_dense (net, x, N_CLASSES, PLAIN);
}

static Map
mobilenet_v2 (Net *net, Map x)
{
  static const struct {
    int expand, channels, count, stride;
  } rows[] = { { 1, 16, 1, 1 }, { 6, 24, 2, 2 }, { 6, 32, 3, 2 },
    { 6, 64, 4, 2 }, { 6, 96, 3, 1 }, { 6, 160, 3, 2 }, { 6, 320, 1, 1 } };
  x = net_conv (net, x, 32, 3, 2, 1, RELU6);
  for (gsize r = 0; r < G_N_ELEMENTS (rows); r++)
    for (int i = 0; i < rows[r].count; i++) {
      int stride = i == 0 ? rows[r].stride : 1;
      Map y = x;
      if (rows[r].expand > 1)
        y = net_conv (net, y, x.channels * rows[r].expand, 1, 1, 0, RELU6);
      y = net_depthwise (net, y, 3, stride, RELU6);
      y = net_conv (net, y, rows[r].channels, 1, 1, 0, PLAIN);
      x = i == 0 ? y : net_add (net, x, y);
    }
  return classify (net, net_conv (net, x, 1280, 1, 1, 0, RELU6));
}

static Map
mobilenet_v3 (Net *net, Map x)
{
  static const struct {
    int kernel, expanded, channels, excite, stride;
    Act act;
  } rows[] = { { 3, 16, 16, 0, 1, RELU }, { 3, 64, 24, 0, 2, RELU },
    { 3, 72, 24, 0, 1, RELU }, { 5, 72, 40, 24, 2, RELU },
    { 5, 120, 40, 32, 1, RELU }, { 5, 120, 40, 32, 1, RELU },
    { 3, 240, 80, 0, 2, HARD_SWISH }, { 3, 200, 80, 0, 1, HARD_SWISH },
    { 3, 184, 80, 0, 1, HARD_SWISH }, { 3, 184, 80, 0, 1, HARD_SWISH },
    { 3, 480, 112, 120, 1, HARD_SWISH }, { 3, 672, 112, 168, 1, HARD_SWISH },
    { 5, 672, 160, 168, 2, HARD_SWISH }, { 5, 960, 160, 240, 1, HARD_SWISH },
    { 5, 960, 160, 240, 1, HARD_SWISH } };
  x = net_conv (net, x, 16, 3, 2, 1, HARD_SWISH);
  for (gsize r = 0; r < G_N_ELEMENTS (rows); r++) {
    Map y = x;
    if (rows[r].expanded != x.channels)
      y = net_conv (net, y, rows[r].expanded, 1, 1, 0, rows[r].act);
    y = net_depthwise (net, y, rows[r].kernel, rows[r].stride, rows[r].act);
    if (rows[r].excite)
      y = net_excite (net, y, rows[r].excite, RELU, "HardSigmoid");
    y = net_conv (net, y, rows[r].channels, 1, 1, 0, PLAIN);
    gboolean same = rows[r].stride == 1 && x.channels == rows[r].channels;
    x = same ? net_add (net, x, y) : y;
  }
  x = net_global_pool (net, net_conv (net, x, 960, 1, 1, 0, HARD_SWISH));
  x = net_dense (net, net_flatten (net, x), 1280, HARD_SWISH);
  return net_dense (net, x, N_CLASSES, PLAIN);
}

static Map
efficientnet_b0 (Net *net, Map x)
{
  static const struct {
    int expand, kernel, stride, channels, count;
  } rows[] = { { 1, 3, 1, 16, 1 }, { 6, 3, 2, 24, 2 }, { 6, 5, 2, 40, 2 },
    { 6, 3, 2, 80, 3 }, { 6, 5, 1, 112, 3 }, { 6, 5, 2, 192, 4 },
    { 6, 3, 1, 320, 1 } };
  x = net_conv (net, x, 32, 3, 2, 1, SILU);
  for (gsize r = 0; r < G_N_ELEMENTS (rows); r++)
    for (int i = 0; i < rows[r].count; i++) {
      Map y = x;
      if (rows[r].expand > 1)
        y = net_conv (net, y, x.channels * rows[r].expand, 1, 1, 0, SILU);
      y = net_depthwise (
          net, y, rows[r].kernel, i == 0 ? rows[r].stride : 1, SILU);
      y = net_excite (net, y, x.channels / 4, SILU, "Sigmoid");
      y = net_conv (net, y, rows[r].channels, 1, 1, 0, PLAIN);
      x = i == 0 ? y : net_add (net, y, x);
    }
  return classify (net, net_conv (net, x, 1280, 1, 1, 0, SILU));
}

static Map
resnet_stem (Net *net, Map x)
{
  return net_max_pool (net, net_conv (net, x, 64, 7, 2, 3, RELU), 3, 2, 1, 0);
}

static Map
resnet_18 (Net *net, Map x)
{
  x = resnet_stem (net, x);
  for (int stage = 0; stage < 4; stage++)
    for (int i = 0; i < 2; i++) {
      int channels = 64 << stage, stride = stage > 0 && i == 0 ? 2 : 1;
      Map y = net_conv (net, x, channels, 3, stride, 1, RELU);
      y = net_conv (net, y, channels, 3, 1, 1, PLAIN);
      if (stride > 1)
        x = net_conv (net, x, channels, 1, stride, 0, PLAIN);
      x = net_activate (net, net_add (net, y, x), RELU);
    }
  return classify (net, x);
}

static Map
resnet_50 (Net *net, Map x)
{
  static const int counts[] = { 3, 4, 6, 3 };
  x = resnet_stem (net, x);
  for (int stage = 0; stage < 4; stage++)
    for (int i = 0; i < counts[stage]; i++) {
      int channels = 64 << stage, stride = stage > 0 && i == 0 ? 2 : 1;
      Map y = net_conv (net, x, channels, 1, 1, 0, RELU);
      y = net_conv (net, y, channels, 3, stride, 1, RELU);
      y = net_conv (net, y, 4 * channels, 1, 1, 0, PLAIN);
      if (i == 0)
        x = net_conv (net, x, 4 * channels, 1, stride, 0, PLAIN);
      x = net_activate (net, net_add (net, y, x), RELU);
    }
  return classify (net, x);
}

static Map
vgg_16 (Net *net, Map x)
{
  static const int channels[] = { 64, 128, 256, 512, 512 };
  static const int counts[] = { 2, 2, 3, 3, 3 };
  for (int stage = 0; stage < 5; stage++) {
    for (int i = 0; i < counts[stage]; i++)
      x = net_conv (net, x, channels[stage], 3, 1, 1, RELU);
    x = net_max_pool (net, x, 2, 2, 0, 0);
  }
  x = net_dense (net, net_flatten (net, x), 4096, RELU);
  return net_dense (net, net_dense (net, x, 4096, RELU), N_CLASSES, PLAIN);
}

static Map
densenet_121 (Net *net, Map x)
{
  static const int counts[] = { 6, 12, 24, 16 };
  x = resnet_stem (net, x);
  for (int stage = 0; stage < 4; stage++) {
    for (int i = 0; i < counts[stage]; i++) {
      Map y = net_activate (net, net_batch_norm (net, x), RELU);
      y = net_conv (net, y, 128, 1, 1, 0, RELU);
      Map both[] = { x, net_conv_unbiased (net, y, 32, 3, 1) };
      x = net_concat (net, both, 2);
    }
    x = net_activate (net, net_batch_norm (net, x), RELU);
    if (stage < 3)
      x = net_average_pool (
          net, net_conv_unbiased (net, x, x.channels / 2, 1, 0), 2);
  }
  return classify (net, x);
}

static const struct {
  const char *name;
  int side;
  Map (*build) (Net *net, Map in);
} networks[] = {
  { "forge-cnn", 32, forge_cnn },
  { "squeezenet1.1", 224, squeezenet },
  { "mobilenetv2", 224, mobilenet_v2 },
  { "mobilenetv3-large", 224, mobilenet_v3 },
  { "efficientnet-b0", 224, efficientnet_b0 },
  { "resnet18", 224, resnet_18 },
  { "resnet50", 224, resnet_50 },
  { "vgg16", 224, vgg_16 },
  { "densenet121", 224, densenet_121 },
  { "vit-tiny", 224, net_vit_tiny },
};

const char *
bench_network_name (guint index)
{
  return index < G_N_ELEMENTS (networks) ? networks[index].name : NULL;
}

ForgeGraph *
bench_network_graph (const char *name, int batch, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (networks); i++) {
    if (strcmp (networks[i].name, name) != 0)
      continue;
    Net net;
    Map in = net_begin (&net, name, batch, networks[i].side);
    return net_finish (&net, networks[i].build (&net, in), error);
  }
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "no network is called '%s'", name);
  return NULL;
}
