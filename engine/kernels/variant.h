/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What every kernel file includes: the prototypes of all variants, the bits
 * of the tiers and the tile sizes, each from its list (kernels.def,
 * variants.def, blocking.def). */
#pragma once

#include "kernels/kernels.h"

/* The same bits as ForgeCpuFlags, which needs GLib; dispatch.c compares. */
enum {
  FORGE_TIER_ref = 1 << 0,
  FORGE_TIER_avx2 = 1 << 1,
  FORGE_TIER_avx512 = 1 << 2,
  FORGE_TIER_neon = 1 << 3,
};

/* igemm_f32's tile: rows of pixels and columns of a weight panel. */
#define BLOCKING(isa, mr, nr) \
  enum { FORGE_IGEMM_MR_##isa = mr, FORGE_IGEMM_NR_##isa = nr };
#include "kernels/blocking.def"
#undef BLOCKING

#define VARIANT(kernel, isa) \
  __typeof__ (*(forge_##kernel##_fn) 0) forge_##kernel##_##isa;
#define KERNEL(kernel) VARIANT (kernel, ref)
#include "kernels/kernels.def"
#include "kernels/variants.def"
#undef KERNEL
#undef VARIANT
