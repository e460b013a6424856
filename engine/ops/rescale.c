/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rescale (domain forge): out[p, c] = (float) in[p, c] * scale[c] + bias[c]
 * along the last axis, the product rounded before the sum. What the pass
 * fuse-rescale makes of the first nodes of a network that takes bytes. */
#include "kernels/kernels.h"
#include "ops/op-util.h"

static gboolean
infer (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  int rank = in->shape.rank;
  if (in->dtype != FORGE_UINT8 || rank < 1)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "expected uint8 of one dimension or more, found %s of %d",
        forge_dtype_name (in->dtype), rank);
  for (guint i = 1; i < 3; i++) {
    const ForgeShape *shape = &forge_node_in (node, i)->shape;
    if (!forge_op_need_float (node, i, error) ||
        !forge_op_need_rank (node, i, 1, error))
      return FALSE;
    if (shape->dims[0] != in->shape.dims[rank - 1])
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input %u has %" G_GINT64_FORMAT " numbers for %" G_GINT64_FORMAT
          " channels",
          i, shape->dims[0], in->shape.dims[rank - 1]);
  }
  return forge_op_set_out (node, 0, FORGE_FLOAT32, &in->shape, error);
}

typedef struct {
  size_t n_channels;
  const uint8_t *in;
  const float *scale, *bias;
  float *out;
} Job;

static void
rescale_range (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  size_t at = begin * job->n_channels;
  forge_kernels ()->u8_to_f32 (end - begin, job->n_channels, job->in + at,
      job->scale, job->bias, job->out + at);
}

static void
run (const ForgeStep *step)
{
  const ForgeShape *shape = &step->in[0]->shape;
  size_t n_channels = (size_t) shape->dims[shape->rank - 1];
  Job job = { n_channels, step->in[0]->data, step->in[1]->data,
    step->in[2]->data, step->out[0]->data };
  if (n_channels == 0)
    return;
  size_t n_pixels = step->in[0]->size_bytes / n_channels;
  forge_op_ranges (step->threads, n_pixels,
      MAX (FORGE_OP_GRAIN / n_channels, 1), rescale_range, &job);
}

const ForgeOp forge_op_Rescale = { .type = "Rescale",
  .domain = "forge",
  .min_inputs = 3,
  .max_inputs = 3,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run };
