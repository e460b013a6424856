/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a Keras model wants of a picture. A model that begins with Rescaling
 * or Normalization tells the range it was trained on: the one that this layer
 * brings near 0. Networks of keras.applications that do not are known by
 * their names; what their preprocess_input does is then assumed, aloud.
 * Source: keras/src/applications/imagenet_utils.py. */
#include "formats/keras.h"

#include <math.h>
#include <string.h>

/* No normalised value is as far from 0. */
#define MAX_NORMALISED 16
#define IMAGENET_CLASSES 1000

/* Does @value hold the input's pixels, moved about at most? */
static gboolean
is_raw (const KerasBuilder *builder, const ForgeValue *value)
{
  static const char *const moves[] = { "Transpose", "Cast", "Resize", "Slice",
    "Pad", "Gather", "Identity", NULL };
  while (value && value->producer &&
         g_strv_contains (moves, value->producer->op->type))
    value = forge_node_in (value->producer, 0);
  return value && builder->graph->inputs->len == 1 &&
         value == builder->graph->inputs->pdata[0];
}

/* The farthest from 0 that inputs of 0..@most become. */
static float
farthest (const ForgeTensor *scale, const ForgeTensor *offset, float most)
{
  const float *s = scale->data, *o = offset->data;
  int64_t n_scale = forge_tensor_get_count (scale);
  int64_t n_offset = forge_tensor_get_count (offset);
  float result = 0;
  for (int64_t i = 0; i < MAX (n_scale, n_offset); i++) {
    float a = o[n_offset == 1 ? 0 : i % n_offset];
    float b = most * s[n_scale == 1 ? 0 : i % n_scale] + a;
    result = fmaxf (result, fmaxf (fabsf (a), fabsf (b)));
  }
  return result;
}

void
keras_see_scaling (KerasBuilder *builder, const ForgeValue *value,
    const ForgeTensor *scale, const ForgeTensor *offset)
{
  if (builder->range != KERAS_RANGE_UNKNOWN || !is_raw (builder, value))
    return;
  gboolean changes_nothing =
      farthest (scale, offset, 0) == 0 && farthest (scale, offset, 1) == 1;
  if (farthest (scale, offset, 255) <= MAX_NORMALISED)
    builder->range = KERAS_RANGE_BYTES;
  else if (!changes_nothing && farthest (scale, offset, 1) <= MAX_NORMALISED)
    builder->range = KERAS_RANGE_UNIT;
}

/* 1 or 3; 0 when the input is not a picture of floats. */
static int
count_channels (const ForgeGraph *graph)
{
  const ForgeValue *input =
      graph->inputs->len == 1 ? graph->inputs->pdata[0] : NULL;
  if (!input || input->shape.rank != 4 || input->dtype != FORGE_FLOAT32)
    return 0;
  const int64_t *dims = input->shape.dims;
  int64_t channels = dims[1] == 1 || dims[1] == 3 ? dims[1] : dims[3];
  return channels == 1 || channels == 3 ? (int) channels : 0;
}

static const struct {
  const char *prefix; /* of the model's name */
  const char *convention;
} conventions[] = {
  { "mobilenet_", "tf" },
  { "mobilenetv2_", "tf" },
  { "inception_v3", "tf" },
  { "inception_resnet_v2", "tf" },
  { "xception", "tf" },
  { "nasnet", "tf" },
  { "resnet50v2", "tf" },
  { "resnet101v2", "tf" },
  { "resnet152v2", "tf" },
  { "resnet50", "caffe" },
  { "resnet101", "caffe" },
  { "resnet152", "caffe" },
  { "vgg16", "caffe" },
  { "vgg19", "caffe" },
  { "densenet", "torch" },
};

static void
note (KerasBuilder *builder, const char *key, const char *value)
{
  g_hash_table_insert (
      builder->graph->metadata, g_strdup (key), g_strdup (value));
}

void
keras_note_preprocessing (KerasBuilder *builder, const char *model_name)
{
  static const char *const texts[2][2] = {
    { "{\"scale\":[1],\"bias\":[0]}", "{\"scale\":[1,1,1],\"bias\":[0,0,0]}" },
    { "{\"scale\":[0.00392156862745098],\"bias\":[0]}",
        "{\"scale\":[0.00392156862745098,0.00392156862745098,"
        "0.00392156862745098],\"bias\":[0,0,0]}" },
  };
  const ForgeValue *output = builder->graph->outputs->pdata[0];
  int channels = count_channels (builder->graph);
  if (channels == 0)
    return;
  if (builder->range != KERAS_RANGE_UNKNOWN) {
    note (builder, "forge.preprocess",
        texts[builder->range == KERAS_RANGE_UNIT][channels == 3]);
    return;
  }
  gboolean is_imagenet = channels == 3 && output->shape.rank == 2 &&
                         output->shape.dims[1] == IMAGENET_CLASSES;
  for (gsize i = 0; is_imagenet && i < G_N_ELEMENTS (conventions); i++) {
    gsize length = strlen (conventions[i].prefix);
    if (g_ascii_strncasecmp (model_name, conventions[i].prefix, length) != 0)
      continue;
    note (builder, "forge.convention", conventions[i].convention);
    return;
  }
}
