/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --input-scale and its like, kept as text: the engine, which knows how many
 * channels there are, reads them. */
#include "preprocess-options.h"

GOptionGroup *
preprocess_options_group (PreprocessOptions *options)
{
  const GOptionEntry entries[] = {
    { "input-scale", 0, 0, G_OPTION_ARG_STRING, &options->scale,
        "in value = (byte * scale - mean) / std; 1/255 when mean or std is"
        " given",
        "S[,S,S]" },
    { "input-mean", 0, 0, G_OPTION_ARG_STRING, &options->mean,
        "0 when scale or std is given; in the network's order", "M[,M,M]" },
    { "input-std", 0, 0, G_OPTION_ARG_STRING, &options->std,
        "1 when scale or mean is given", "D[,D,D]" },
    { "input-order", 0, 0, G_OPTION_ARG_STRING, &options->order,
        "rgb or bgr: the network's channels", "ORDER" },
    { "input-layout", 0, 0, G_OPTION_ARG_STRING, &options->layout,
        "nchw or nhwc, where the input's shape does not say", "LAYOUT" },
    { "input-size", 0, 0, G_OPTION_ARG_STRING, &options->size,
        "in pixels, where the input's shape leaves it open", "WIDTHxHEIGHT" },
    { "resize", 0, 0, G_OPTION_ARG_STRING, &options->resize,
        "stretch, centre-crop or letterbox", "POLICY" },
    { "filter", 0, 0, G_OPTION_ARG_STRING, &options->filter,
        "bilinear, antialias or nearest", "FILTER" },
    { NULL },
  };
  GOptionGroup *group = g_option_group_new ("input",
      "How pictures become the network's input (default: as the model says):",
      "", NULL, NULL);
  g_option_group_add_entries (group, entries);
  return group;
}

ForgeStatedPreprocess
preprocess_options_get (const PreprocessOptions *options)
{
  return (ForgeStatedPreprocess) {
    .scale = options->scale,
    .mean = options->mean,
    .std = options->std,
    .order = options->order,
    .layout = options->layout,
    .size = options->size,
    .resize = options->resize,
    .filter = options->filter,
  };
}

void
preprocess_options_clear (PreprocessOptions *options)
{
  char **texts[] = { &options->scale, &options->mean, &options->std,
    &options->order, &options->layout, &options->size, &options->resize,
    &options->filter };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    g_clear_pointer (texts[i], g_free);
}
