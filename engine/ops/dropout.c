/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Dropout: the identity, but in training an element is dropped with
 * probability ratio and the others are divided by 1 - ratio. The mask follows
 * from the step's seed, the node's name and the element's place, so backward
 * draws the same one again; output 1 tells it, TRUE for what stays.
 * Source: ONNX operator specification; the ratio was an attribute before
 * opset 12 and is input 1 since. */
#include <string.h>

#include "base/rng.h"
#include "ops/op-util.h"

#define BLOCK 1024

static float
ratio_of (const ForgeStep *step)
{
  const ForgeTensor *ratio = step->n_in > 1 ? step->in[1] : NULL;
  if (ratio && ratio->dtype == FORGE_FLOAT32 &&
      forge_tensor_get_count (ratio) == 1)
    return *(const float *) ratio->data;
  return forge_attrs_float (step->node->attrs, "ratio", 0.5f);
}

/* Input 2: a file whose dropout is not the identity would give random
 * results. Our own trainer leaves it out and says so in the step instead. */
static gboolean
asks_for_training (const ForgeNode *node)
{
  const ForgeValue *mode = forge_node_in (node, 2);
  if (!mode)
    return FALSE;
  const ForgeTensor *value = mode->constant;
  return !value || value->dtype != FORGE_BOOL || value->size_bytes != 1 ||
         *(const uint8_t *) value->data;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  if (!forge_op_need_float (node, 0, error))
    return FALSE;
  const ForgeShape *shape = &forge_node_in (node, 0)->shape;
  float ratio =
      forge_op_scalar (node, 1, forge_attrs_float (node->attrs, "ratio", 0.5f));
  if (!(ratio >= 0 && ratio < 1))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "ratio is %g; expected 0 <= ratio < 1", ratio);
  if (forge_node_out (node, 1) && node->opset < 10)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "the output mask is not supported before opset 10");
  if (ratio > 0 && asks_for_training (node))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "training_mode is true or not a constant");
  return forge_op_set_out (node, 0, FORGE_FLOAT32, shape, error) &&
         (!forge_node_out (node, 1) ||
             forge_op_set_out (node, 1, FORGE_BOOL, shape, error));
}

typedef struct {
  const float *x;
  float *y;
  uint8_t *mask; /* or NULL */
  float ratio, scale;
  uint64_t seed;
  size_t count;
} Job;

static void
drop_blocks (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  for (size_t block = begin; block < end; block++) {
    ForgeRng rng;
    forge_rng_seed_at (&rng, job->seed, block);
    size_t last = MIN ((block + 1) * BLOCK, job->count);
    for (size_t i = block * BLOCK; i < last; i++) {
      gboolean stays = forge_rng_float (&rng) >= job->ratio;
      job->y[i] = stays ? job->x[i] * job->scale : 0;
      if (job->mask)
        job->mask[i] = (uint8_t) stays;
    }
  }
}

static void
drop (const ForgeStep *step, const ForgeTensor *x, ForgeTensor *y,
    ForgeTensor *mask)
{
  Job job = { .x = x->data,
    .y = y->data,
    .mask = mask ? mask->data : NULL,
    .ratio = ratio_of (step),
    .seed = step->seed ^
            (uint64_t) g_str_hash (step->node->name ? step->node->name : "")
                << 32,
    .count = (size_t) forge_tensor_get_count (x) };
  job.scale = 1 / (1 - job.ratio);
  if (step->training && job.ratio > 0)
    forge_op_ranges (step->threads, (job.count + BLOCK - 1) / BLOCK,
        FORGE_OP_GRAIN / BLOCK / 4, drop_blocks, &job);
  else {
    if (x->data != y->data)
      memcpy (y->data, x->data, y->size_bytes);
    if (mask)
      memset (mask->data, TRUE, mask->size_bytes);
  }
}

static void
run (const ForgeStep *step)
{
  drop (step, step->in[0], step->out[0], step->n_out > 1 ? step->out[1] : NULL);
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  if (gradients->d_in[0])
    drop (step, gradients->d_out[0], gradients->d_in[0], NULL);
}

const ForgeOp forge_op_Dropout = { .type = "Dropout",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 3,
  .min_outputs = 1,
  .max_outputs = 2,
  .infer = infer,
  .run = run,
  .backward = backward,
  .in_place = TRUE };
