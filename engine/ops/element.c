/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading and writing one element of a type known at run time only. */
#include "ops/element.h"

#include <math.h>
#include <string.h>

gboolean
forge_element_is_float (ForgeDtype dtype)
{
  return dtype == FORGE_FLOAT32 || dtype == FORGE_FLOAT64 ||
         dtype == FORGE_FLOAT16 || dtype == FORGE_BFLOAT16;
}

double
forge_element_load_float (ForgeDtype dtype, const void *data, size_t i)
{
  if (dtype == FORGE_FLOAT32)
    return ((const float *) data)[i];
  if (dtype == FORGE_FLOAT64)
    return ((const double *) data)[i];
  uint16_t bits = ((const uint16_t *) data)[i];
  return dtype == FORGE_FLOAT16 ? forge_half_to_float (bits)
                                : forge_bfloat16_to_float (bits);
}

int64_t
forge_element_load_int (ForgeDtype dtype, const void *data, size_t i)
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

void
forge_element_store_float (ForgeDtype dtype, void *data, size_t i, double value)
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

void
forge_element_store_int (ForgeDtype dtype, void *data, size_t i, int64_t value)
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
