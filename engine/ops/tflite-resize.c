/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TfliteResize (domain forge): bilinear resizing of bytes in NHWC as the
 * runtime has it: int8 with fixed-point coordinates, 10 bits after the point,
 * uint8 in float. Attributes: size [OH, OW], align_corners, half_pixel.
 * Source: tensorflow/lite/kernels/internal/reference/resize_bilinear.h. */
#include <math.h>

#include "ops/tflite-math.h"

#define BITS 10
#define ONE (1 << BITS)
/* Coordinates of larger pictures would not fit 32 bits. */
#define MAX_EXTENT 65536

static gboolean
read_size (const ForgeNode *node, int64_t size[2], GError **error)
{
  const int64_t *values;
  gsize n_values = forge_attrs_ints (node->attrs, "size", &values);
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  for (int i = 0; i < 2; i++) {
    int64_t wanted = n_values == 2 ? values[i] : 0;
    if (wanted < 1 || wanted > MAX_EXTENT || in->dims[1 + i] < 1 ||
        in->dims[1 + i] > MAX_EXTENT)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT
          " pixels; 1 to %d are possible",
          in->dims[1 + i], wanted, MAX_EXTENT);
    size[i] = wanted;
  }
  return TRUE;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  int64_t size[2] = { 0 };
  if (!forge_quant_need_byte (node, 0, error) ||
      !forge_op_need_rank (node, 0, 4, error) || !read_size (node, size, error))
    return FALSE;
  const ForgeValue *in = forge_node_in (node, 0);
  ForgeShape out = { 4,
    { in->shape.dims[0], size[0], size[1], in->shape.dims[3] } };
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

/* Where an output element lies between two input elements. The weight of the
 * second, out of ONE or as a fraction, may leave 0..1 at the borders. */
typedef struct {
  int64_t first, second, weight;
  float fraction;
} Place;

static Place
fixed_place (int64_t at, int64_t extent, int64_t wanted, gboolean align,
    gboolean half_pixel)
{
  int64_t scale = (ONE * extent + wanted / 2) / wanted;
  if (align && wanted > 1)
    scale = (ONE * (extent - 1) + (wanted - 1) / 2) / (wanted - 1);
  int64_t scaled = at * scale;
  if (half_pixel)
    scaled += scale / 2 - ONE / 2;
  Place place = { .first = MIN (MAX (scaled / ONE, 0), extent - 1),
    .second = MAX (MIN ((scaled + ONE - 1) / ONE, extent - 1), 0) };
  place.weight = scaled - ONE * place.first;
  return place;
}

static Place
float_place (int64_t at, int64_t extent, int64_t wanted, gboolean align,
    gboolean half_pixel)
{
  float scale = (float) extent / (float) wanted;
  if (align && wanted > 1)
    scale = (float) (extent - 1) / (float) (wanted - 1);
  float scaled = (float) at * scale;
  if (half_pixel)
    scaled = ((float) at + 0.5f) * scale - 0.5f;
  int64_t floor = (int64_t) floorf (scaled), ceil = (int64_t) ceilf (scaled);
  Place place = { .first = MIN (MAX (floor, 0), extent - 1),
    .second = MAX (MIN (ceil, extent - 1), 0) };
  place.fraction = scaled - (float) place.first;
  return place;
}

typedef struct {
  const ForgeTensor *in;
  ForgeTensor *out;
  gboolean align, half_pixel;
} Job;

/* @q: first and second row of the first column, then of the second. */
static int32_t
blend_fixed (const int32_t q[4], Place y, Place x)
{
  int64_t sum = q[0] * (ONE - y.weight) * (ONE - x.weight) +
                q[1] * y.weight * (ONE - x.weight) +
                q[2] * (ONE - y.weight) * x.weight + q[3] * y.weight * x.weight;
  sum += sum > 0 ? ONE * ONE / 2 : -ONE * ONE / 2;
  return (int32_t) (sum / (ONE * ONE));
}

static int32_t
blend_float (const int32_t q[4], Place y, Place x)
{
  float dy = y.fraction, dx = x.fraction;
  float sum = (float) q[0] * (1 - dy) * (1 - dx) +
              (float) q[1] * dy * (1 - dx) + (float) q[2] * (1 - dy) * dx +
              (float) q[3] * dy * dx + 0.5f;
  return (int32_t) sum;
}

static void
run_pixel (const Job *job, int64_t n, int64_t oy, int64_t ox)
{
  const int64_t *in = job->in->shape.dims, *out = job->out->shape.dims;
  ForgeDtype dtype = job->in->dtype;
  gboolean fixed = dtype == FORGE_INT8;
  Place y = (fixed ? fixed_place : float_place) (
      oy, in[1], out[1], job->align, job->half_pixel);
  Place x = (fixed ? fixed_place : float_place) (
      ox, in[2], out[2], job->align, job->half_pixel);
  int64_t image = n * in[1];
  int64_t at[] = { (image + y.first) * in[2] + x.first,
    (image + y.second) * in[2] + x.first, (image + y.first) * in[2] + x.second,
    (image + y.second) * in[2] + x.second };
  int64_t to = ((n * out[1] + oy) * out[2] + ox) * out[3];
  for (int64_t c = 0; c < out[3]; c++) {
    int32_t q[4];
    for (int i = 0; i < 4; i++)
      q[i] = forge_quant_load (dtype, job->in->data, at[i] * in[3] + c);
    forge_quant_store (dtype, job->out->data, to + c,
        fixed ? blend_fixed (q, y, x) : blend_float (q, y, x));
  }
}

static void
run_rows (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  int64_t height = job->out->shape.dims[1], width = job->out->shape.dims[2];
  for (int64_t row = (int64_t) begin; row < (int64_t) end; row++)
    for (int64_t x = 0; x < width; x++)
      run_pixel (job, row / height, row % height, x);
}

static void
run (const ForgeStep *step)
{
  const ForgeAttrs *attrs = step->node->attrs;
  const int64_t *out = step->out[0]->shape.dims;
  Job job = { .in = step->in[0],
    .out = step->out[0],
    .align = forge_attrs_int (attrs, "align_corners", 0) != 0,
    .half_pixel = forge_attrs_int (attrs, "half_pixel", 0) != 0 };
  forge_op_ranges (step->threads, (size_t) (out[0] * out[1]),
      (size_t) (FORGE_OP_GRAIN / (4 * out[2] * MAX (out[3], 1)) + 1), run_rows,
      &job);
}

const ForgeOp forge_op_TfliteResize = { .type = "TfliteResize",
  .domain = "forge",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run };
