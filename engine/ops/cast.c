/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Cast between all element types. Out-of-range floats saturate and NaN
 * becomes 0 in an integer (ONNX leaves both open); integers wrap round as in
 * C; anything but 0 is true.
 * Source: ONNX operator specification, Cast-13. */
#include <math.h>
#include <string.h>

#include "ops/op-util.h"

static gboolean
is_float (ForgeDtype dtype)
{
  return dtype == FORGE_FLOAT32 || dtype == FORGE_FLOAT64 ||
         dtype == FORGE_FLOAT16 || dtype == FORGE_BFLOAT16;
}

static double
load_float (ForgeDtype dtype, const void *data, size_t i)
{
  if (dtype == FORGE_FLOAT32)
    return ((const float *) data)[i];
  if (dtype == FORGE_FLOAT64)
    return ((const double *) data)[i];
  uint16_t bits = ((const uint16_t *) data)[i];
  return dtype == FORGE_FLOAT16 ? forge_half_to_float (bits)
                                : forge_bfloat16_to_float (bits);
}

/* uint64 keeps its bits. */
static int64_t
load_int (ForgeDtype dtype, const void *data, size_t i)
{
  switch (dtype) {
  case FORGE_UINT8:
  case FORGE_BOOL:
    return ((const uint8_t *) data)[i];
  case FORGE_INT8:
    return ((const int8_t *) data)[i];
  case FORGE_UINT16:
    return ((const uint16_t *) data)[i];
  case FORGE_INT16:
    return ((const int16_t *) data)[i];
  case FORGE_UINT32:
    return ((const uint32_t *) data)[i];
  case FORGE_INT32:
    return ((const int32_t *) data)[i];
  default:
    return ((const int64_t *) data)[i];
  }
}

static uint16_t
to_bfloat16 (float value)
{
  uint32_t bits;
  memcpy (&bits, &value, sizeof bits);
  if (isnan (value))
    return (uint16_t) (bits >> 16 | 0x40);
  return (uint16_t) ((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void
store_float (ForgeDtype dtype, void *data, size_t i, double value)
{
  if (dtype == FORGE_FLOAT32)
    ((float *) data)[i] = (float) value;
  else if (dtype == FORGE_FLOAT64)
    ((double *) data)[i] = value;
  else if (dtype == FORGE_FLOAT16)
    ((uint16_t *) data)[i] = forge_float_to_half ((float) value);
  else
    ((uint16_t *) data)[i] = to_bfloat16 ((float) value);
}

static void
store_int (ForgeDtype dtype, void *data, size_t i, int64_t value)
{
  uint64_t bits = (uint64_t) value;
  switch (forge_dtype_size_bytes (dtype)) {
  case 1:
    ((uint8_t *) data)[i] = dtype == FORGE_BOOL ? value != 0 : (uint8_t) bits;
    break;
  case 2:
    ((uint16_t *) data)[i] = (uint16_t) bits;
    break;
  case 4:
    ((uint32_t *) data)[i] = (uint32_t) bits;
    break;
  default:
    ((uint64_t *) data)[i] = bits;
  }
}

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
    if (is_float (job->from)) {
      double value = load_float (job->from, job->src, i);
      if (is_float (job->to))
        store_float (job->to, job->dst, i, value);
      else
        store_int (job->to, job->dst, i, saturate (job->to, value));
      continue;
    }
    int64_t value = load_int (job->from, job->src, i);
    if (!is_float (job->to))
      store_int (job->to, job->dst, i, value);
    else if (job->from == FORGE_UINT64)
      store_float (job->to, job->dst, i, (double) (uint64_t) value);
    else
      store_float (job->to, job->dst, i, (double) value);
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
  int64_t to = forge_attrs_int (node->attrs, "to", 0);
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
