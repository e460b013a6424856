/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Element types: names, sizes and the two 16-bit floats.
 * Source: IEEE 754-2019 binary16; bfloat16 is the upper half of binary32. */
#include "tensor/tensor.h"

#include <string.h>

static const struct {
  ForgeDtype dtype;
  const char *name;
  size_t size_bytes;
} dtypes[] = {
  { FORGE_FLOAT32, "float32", 4 },
  { FORGE_UINT8, "uint8", 1 },
  { FORGE_INT8, "int8", 1 },
  { FORGE_UINT16, "uint16", 2 },
  { FORGE_INT16, "int16", 2 },
  { FORGE_INT32, "int32", 4 },
  { FORGE_INT64, "int64", 8 },
  { FORGE_BOOL, "bool", 1 },
  { FORGE_FLOAT16, "float16", 2 },
  { FORGE_FLOAT64, "float64", 8 },
  { FORGE_UINT32, "uint32", 4 },
  { FORGE_UINT64, "uint64", 8 },
  { FORGE_BFLOAT16, "bfloat16", 2 },
};

const char *
forge_dtype_name (ForgeDtype dtype)
{
  for (gsize i = 0; i < G_N_ELEMENTS (dtypes); i++)
    if (dtypes[i].dtype == dtype)
      return dtypes[i].name;
  return "unknown";
}

size_t
forge_dtype_size_bytes (ForgeDtype dtype)
{
  for (gsize i = 0; i < G_N_ELEMENTS (dtypes); i++)
    if (dtypes[i].dtype == dtype)
      return dtypes[i].size_bytes;
  return 0;
}

static float
float_from_bits (uint32_t bits)
{
  float value;
  memcpy (&value, &bits, sizeof value);
  return value;
}

static uint32_t
float_to_bits (float value)
{
  uint32_t bits;
  memcpy (&bits, &value, sizeof bits);
  return bits;
}

float
forge_half_to_float (uint16_t half)
{
  uint32_t sign = (uint32_t) (half & 0x8000) << 16;
  uint32_t exponent = (half >> 10) & 0x1f;
  uint32_t mantissa = half & 0x3ff;
  if (exponent == 0x1f)
    return float_from_bits (sign | 0x7f800000 | mantissa << 13);
  if (exponent)
    return float_from_bits (sign | (exponent + 112) << 23 | mantissa << 13);
  /* zero and subnormals: mantissa * 2^-24 is exact in binary32 */
  float value = (float) mantissa * 0x1p-24f;
  return sign ? -value : value;
}

uint16_t
forge_float_to_half (float value)
{
  uint32_t bits = float_to_bits (value);
  uint16_t sign = (uint16_t) (bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return sign | 0x7e00;
  if (magnitude >= 0x477ff000) /* rounds to 65520 or more */
    return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    /* adding 0.5 lines the half's last subnormal bit up with ulp (0.5) =
     * 2^-24, so the addition itself rounds to nearest even */
    uint32_t sum = float_to_bits (float_from_bits (magnitude) + 0.5f);
    return sign | (uint16_t) (sum - 0x3f000000);
  }
  uint32_t odd = magnitude >> 13 & 1;
  return sign | (uint16_t) ((magnitude - 0x38000000 + 0xfff + odd) >> 13);
}

float
forge_bfloat16_to_float (uint16_t bits)
{
  return float_from_bits ((uint32_t) bits << 16);
}
