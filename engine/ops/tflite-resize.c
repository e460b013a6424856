/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TfliteResize (domain forge): bilinear resizing of bytes in NHWC with the
 * runtime's fixed-point coordinates, 10 bits after the point. Attributes:
 * size [OH, OW], align_corners, half_pixel.
 * Source: tensorflow/lite/kernels/internal/reference/resize_bilinear.h,
 * ResizeBilinearInteger. */
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

/* Where an output element lies between two input elements; weight is that of
 * the second, out of ONE. It may leave 0..ONE at the borders. */
typedef struct {
  int64_t first, second, weight;
} Place;

static Place
place_of (int64_t at, int64_t extent, int64_t wanted, gboolean align,
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

typedef struct {
  const ForgeTensor *in;
  ForgeTensor *out;
  gboolean align, half_pixel;
} Job;

static void
run_pixel (const Job *job, int64_t n, int64_t oy, int64_t ox)
{
  const int64_t *in = job->in->shape.dims, *out = job->out->shape.dims;
  ForgeDtype dtype = job->in->dtype;
  Place y = place_of (oy, in[1], out[1], job->align, job->half_pixel);
  Place x = place_of (ox, in[2], out[2], job->align, job->half_pixel);
  int64_t image = n * in[1];
  int64_t at[] = { (image + y.first) * in[2] + x.first,
    (image + y.second) * in[2] + x.first, (image + y.first) * in[2] + x.second,
    (image + y.second) * in[2] + x.second };
  int64_t weights[] = { (ONE - y.weight) * (ONE - x.weight),
    y.weight * (ONE - x.weight), (ONE - y.weight) * x.weight,
    y.weight * x.weight };
  int64_t to = ((n * out[1] + oy) * out[2] + ox) * out[3];
  for (int64_t c = 0; c < out[3]; c++) {
    int64_t sum = 0;
    for (int i = 0; i < 4; i++)
      sum += weights[i] *
             forge_quant_load (dtype, job->in->data, at[i] * in[3] + c);
    sum += sum > 0 ? ONE * ONE / 2 : -ONE * ONE / 2;
    forge_quant_store (
        dtype, job->out->data, to + c, (int32_t) (sum / (ONE * ONE)));
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
