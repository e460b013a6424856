/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op-harness.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

Harness *
harness_new (const char *type, int opset)
{
  Harness *h = g_new0 (Harness, 1);
  h->node.op = forge_op_find (type, "");
  if (!h->node.op)
    h->node.op = forge_op_find (type, "forge");
  if (!h->node.op)
    h->node.op = forge_op_find (type, "com.microsoft");
  g_assert_nonnull (h->node.op);
  h->node.name = g_strdup ("under-test");
  h->node.opset = opset;
  h->node.attrs = forge_attrs_new ();
  h->node.inputs = g_ptr_array_new ();
  h->node.outputs = g_ptr_array_new ();
  h->node.activation = (ForgeActivation) FORGE_ACTIVATION_NONE;
  g_ptr_array_add (h->node.outputs, g_new0 (ForgeValue, 1));
  return h;
}

static void
release (Harness *h)
{
  if (h->step.bound.free && h->step.bound.data)
    h->step.bound.free (h->step.bound.data);
  if (h->prepared.free && h->prepared.data)
    h->prepared.free (h->prepared.data);
  forge_aligned_free (h->step.workspace);
  forge_aligned_free (h->step.backward_workspace);
  for (int i = 0; i < HARNESS_MAX_IO; i++)
    g_clear_pointer (&h->out[i], forge_tensor_unref);
  g_clear_pointer (&h->d_out[0], forge_tensor_unref);
  for (int i = 0; i < HARNESS_MAX_IO; i++)
    g_clear_pointer (&h->d_in[i], forge_tensor_unref);
  h->prepared = (ForgePrepared) { 0 };
  h->step = (ForgeStep) { 0 };
  h->ready = FALSE;
}

void
harness_free (Harness *h)
{
  release (h);
  for (guint i = 0; i < h->node.inputs->len; i++) {
    g_free (g_ptr_array_index (h->node.inputs, i));
    g_clear_pointer (&h->in[i], forge_tensor_unref);
  }
  for (guint i = 0; i < h->node.outputs->len; i++)
    g_free (g_ptr_array_index (h->node.outputs, i));
  g_ptr_array_unref (h->node.inputs);
  g_ptr_array_unref (h->node.outputs);
  forge_attrs_free (h->node.attrs);
  g_free (h->node.name);
  g_free (h);
}

ForgeTensor *
harness_input (Harness *h, ForgeDtype dtype, const ForgeShape *shape)
{
  guint index = h->node.inputs->len;
  g_assert_cmpuint (index, <, HARNESS_MAX_IO);
  if (!shape) {
    g_ptr_array_add (h->node.inputs, NULL);
    return NULL;
  }
  ForgeValue *value = g_new0 (ForgeValue, 1);
  value->name = "input";
  value->dtype = dtype;
  value->shape = *shape;
  g_ptr_array_add (h->node.inputs, value);
  h->in[index] = forge_tensor_new (dtype, shape, NULL);
  g_assert_nonnull (h->in[index]);
  return h->in[index];
}

void
harness_ints (Harness *h, const int64_t *values, int n_values)
{
  ForgeShape shape = { 1, { n_values } };
  ForgeTensor *tensor = harness_input (h, FORGE_INT64, &shape);
  memcpy (tensor->data, values, tensor->size_bytes);
  h->constant[h->node.inputs->len - 1] = TRUE;
}

void
harness_scalar (Harness *h, float value)
{
  ForgeShape shape = { 0 };
  *(float *) harness_input (h, FORGE_FLOAT32, &shape)->data = value;
  h->constant[h->node.inputs->len - 1] = TRUE;
}

void
harness_fill (ForgeTensor *tensor, ForgeRng *rng, float low, float high)
{
  float *data = tensor->data;
  for (int64_t i = 0; i < forge_tensor_get_count (tensor); i++)
    data[i] = low + (high - low) * forge_rng_float (rng);
}

void
harness_fill_distinct (ForgeTensor *tensor, ForgeRng *rng)
{
  uint32_t count = (uint32_t) forge_tensor_get_count (tensor);
  g_autofree uint32_t *order = g_new (uint32_t, count + 1);
  float *data = tensor->data;
  for (uint32_t i = 0; i < count; i++)
    order[i] = i;
  forge_rng_shuffle (rng, order, count);
  for (uint32_t i = 0; i < count; i++)
    data[i] = 0.1f * ((float) order[i] - (float) (count / 2)) + 0.05f;
}

void
harness_add_output (Harness *h)
{
  g_assert_cmpuint (h->node.outputs->len, <, HARNESS_MAX_IO);
  g_ptr_array_add (h->node.outputs, g_new0 (ForgeValue, 1));
}

gboolean
harness_infer (Harness *h, GError **error)
{
  for (guint i = 0; i < h->node.inputs->len; i++) {
    ForgeValue *value = g_ptr_array_index (h->node.inputs, i);
    if (value)
      value->constant = h->constant[i] ? h->in[i] : NULL;
  }
  return h->node.op->infer (&h->node, error);
}

static void *
nan_block (size_t size_bytes)
{
  void *block = forge_aligned_alloc (size_bytes);
  g_assert_nonnull (block);
  memset (block, 0xff, size_bytes);
  return block;
}

void
harness_prepare (Harness *h, int threads, gboolean training)
{
  GError *error = NULL;
  release (h);
  harness_infer (h, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < h->node.outputs->len; i++) {
    ForgeValue *value = g_ptr_array_index (h->node.outputs, i);
    h->out[i] = forge_tensor_new (value->dtype, &value->shape, &error);
    g_assert_no_error (error);
  }
  if (h->node.op->prepare)
    h->node.op->prepare (&h->node, &h->prepared, &error);
  g_assert_no_error (error);
  h->step = (ForgeStep) { .node = &h->node,
    .prepared = &h->prepared,
    .n_in = h->node.inputs->len,
    .n_out = h->node.outputs->len,
    .in = h->in,
    .out = h->out,
    .workspace = nan_block (h->prepared.workspace_bytes),
    .threads = threads,
    .training = training,
    .seed = 77 };
  if (training)
    h->step.backward_workspace =
        nan_block (h->prepared.backward_workspace_bytes);
  if (h->node.op->bind)
    h->node.op->bind (&h->step, &error);
  g_assert_no_error (error);
  h->ready = TRUE;
}

void
harness_run (Harness *h)
{
  g_assert_true (h->ready);
  for (guint i = 0; i < h->step.n_out; i++)
    memset (h->out[i]->data, 0xff, h->out[i]->size_bytes);
  memset (h->step.workspace, 0xff, h->prepared.workspace_bytes);
  h->node.op->run (&h->step);
}

void
harness_backward (Harness *h, const float *d_out)
{
  g_assert_true (h->ready && h->step.training);
  if (!h->d_out[0])
    h->d_out[0] = forge_tensor_new (FORGE_FLOAT32, &h->out[0]->shape, NULL);
  memcpy (h->d_out[0]->data, d_out, h->d_out[0]->size_bytes);
  for (guint i = 0; i < h->node.inputs->len; i++) {
    if (!h->in[i] || h->in[i]->dtype != FORGE_FLOAT32)
      continue;
    if (!h->d_in[i])
      h->d_in[i] = forge_tensor_new (FORGE_FLOAT32, &h->in[i]->shape, NULL);
    memset (h->d_in[i]->data, 0xff, h->d_in[i]->size_bytes);
  }
  memset (
      h->step.backward_workspace, 0xff, h->prepared.backward_workspace_bytes);
  ForgeGradients gradients = { h->d_out, h->d_in };
  h->node.op->backward (&h->step, &gradients);
}

int64_t
harness_at (gboolean nhwc, const ForgeShape *shape, int64_t n, int64_t c,
    int64_t y, int64_t x)
{
  const int64_t *d = shape->dims;
  return nhwc ? ((n * d[1] + y) * d[2] + x) * d[3] + c
              : ((n * d[1] + c) * d[2] + y) * d[3] + x;
}

ForgeShape
harness_image (gboolean nhwc, int64_t n, int64_t c, int64_t h, int64_t w)
{
  return nhwc ? (ForgeShape) { 4, { n, h, w, c } }
              : (ForgeShape) { 4, { n, c, h, w } };
}

void
harness_assert_close (
    const char *what, int64_t index, double got, double want, double tolerance)
{
  if (fabs (got - want) <= tolerance * MAX (1, fabs (want)))
    return;
  g_error ("%s: element %" G_GINT64_FORMAT " is %.9g, expected %.9g", what,
      index, got, want);
}
