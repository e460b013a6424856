/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From a set of tiers to a table of functions. variants.def runs from the
 * lowest tier to the highest, so that the last line that applies wins.
 * Knows no GLib: the checker is built for other machines with this file. */
#include "kernels/variant.h"

/* Variants of another architecture are neither built nor named. */
#if defined(__x86_64__)
#define IF_avx2(...) __VA_ARGS__
#define IF_avx512(...) __VA_ARGS__
#define IF_neon(...)
#elif defined(__aarch64__)
#define IF_avx2(...)
#define IF_avx512(...)
#define IF_neon(...) __VA_ARGS__
#else
#define IF_avx2(...)
#define IF_avx512(...)
#define IF_neon(...)
#endif
#define IF_ref(...) __VA_ARGS__

static void
set_tile (ForgeKernels *kernels)
{
#define BLOCKING(isa, mr, nr)                                  \
  IF_##isa (if (kernels->igemm_f32 == forge_igemm_f32_##isa) { \
    kernels->igemm_mr = mr;                                    \
    kernels->igemm_nr = nr;                                    \
  })
#include "kernels/blocking.def"
#undef BLOCKING
}

void
forge_kernels_select (uint32_t flags, ForgeKernels *kernels)
{
  *kernels = (ForgeKernels) {
#define KERNEL(name) .name = forge_##name##_ref,
#include "kernels/kernels.def"
#undef KERNEL
  };
#define VARIANT(kernel, isa) \
  IF_##isa (                 \
      if (flags & FORGE_TIER_##isa) kernels->kernel = forge_##kernel##_##isa;)
#include "kernels/variants.def"
#undef VARIANT
  set_tile (kernels);
}
