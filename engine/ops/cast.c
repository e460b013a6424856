/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Cast between all element types, to one that is named or (CastLike) to that
 * of another value. Out-of-range floats saturate and NaN
 * becomes 0 in an integer (ONNX leaves both open); integers wrap round as in
 * C; anything but 0 is true.
 * Source: ONNX operator specification, Cast-13, CastLike-15. */
#include <math.h>
#include <string.h>

#include "ops/element.h"
#include "ops/op-util.h"

/* Truncated towards zero and held within the type. */
static int64_t
saturate (ForgeDtype dtype, double value)
{
  int bits = 8 * (int) forge_dtype_size_bytes (dtype);
  gboolean is_signed = dtype == FORGE_INT8 || dtype == FORGE_INT16 ||
                       dtype == FORGE_INT32 || dtype == FORGE_INT64;
  double high = ldexp (1, is_signed ? bits - 1 : bits);
  double low = is_signed ? -high : 0;
  if (isnan (value))
    return 0;
  if (dtype == FORGE_BOOL)
    return value != 0;
  if (value <= low)
    return is_signed ? (int64_t) (UINT64_MAX << (bits - 1)) : 0;
  if (value >= high)
    return (int64_t) (UINT64_MAX >> (64 - bits + is_signed));
  return value >= 0x1p63 ? (int64_t) (uint64_t) value : (int64_t) value;
}

typedef struct {
  ForgeDtype from, to;
  const void *src;
  void *dst;
} Job;

static void
cast_any (const Job *job, size_t begin, size_t end)
{
  for (size_t i = begin; i < end; i++) {
    if (forge_element_is_float (job->from)) {
      double value = forge_element_load_float (job->from, job->src, i);
      if (forge_element_is_float (job->to))
        forge_element_store_float (job->to, job->dst, i, value);
      else
        forge_element_store_int (
            job->to, job->dst, i, saturate (job->to, value));
      continue;
    }
    int64_t value = forge_element_load_int (job->from, job->src, i);
    if (!forge_element_is_float (job->to))
      forge_element_store_int (job->to, job->dst, i, value);
    else if (job->from == FORGE_UINT64)
      forge_element_store_float (
          job->to, job->dst, i, (double) (uint64_t) value);
    else
      forge_element_store_float (job->to, job->dst, i, (double) value);
  }
}

static void
cast_range (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const uint8_t *bytes = job->src;
  float *floats = job->dst;
  if (job->from != FORGE_UINT8 || job->to != FORGE_FLOAT32) {
    cast_any (job, begin, end);
    return;
  }
  for (size_t i = begin; i < end; i++)
    floats[i] = bytes[i];
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  const ForgeValue *like = forge_node_in (node, 1);
  int64_t to =
      like ? (int64_t) like->dtype : forge_attrs_int (node->attrs, "to", 0);
  ForgeDtype dtype = to > 0 && to <= FORGE_BFLOAT16 ? (ForgeDtype) to : 0;
  if (!forge_dtype_size_bytes (dtype) || !forge_dtype_size_bytes (in->dtype))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "cannot cast %s to element type %" G_GINT64_FORMAT,
        forge_dtype_name (in->dtype), to);
  return forge_op_set_out (node, 0, dtype, &in->shape, error);
}

static void
run (const ForgeStep *step)
{
  const ForgeTensor *in = step->in[0];
  ForgeTensor *out = step->out[0];
  Job job = { in->dtype, out->dtype, in->data, out->data };
  if (in->dtype == out->dtype)
    memmove (out->data, in->data, out->size_bytes);
  else
    forge_op_ranges (step->threads, (size_t) forge_tensor_get_count (in),
        FORGE_OP_GRAIN, cast_range, &job);
}

const ForgeOp forge_op_Cast = { .type = "Cast",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run };

const ForgeOp forge_op_CastLike = { .type = "CastLike",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 2,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run };
