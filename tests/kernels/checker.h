/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The frame of the kernel checker, after dav1d's checkasm: every variant of
 * every kernel runs on data between guards and is held against ref. Knows no
 * GLib, so that it also builds for another machine and runs under qemu. */
#pragma once

#include <stdbool.h>

#include "kernels/kernels.h"

/* One table per tier this CPU has; ref is the first. */
typedef struct {
  const char *name;
  ForgeKernels kernels;
  double peak_gflops; /* of one core; 0 = not measured */
} Tier;

/* A kernel's check runs `tier` against `ref` and calls check_fail() on the
 * first difference. Its bench prints lines with bench_report(). */
typedef void (*CheckFunc) (const Tier *ref, const Tier *tier);
typedef void (*BenchFunc) (const Tier *tier);
#define KERNEL(name)                                     \
  void check_##name (const Tier *ref, const Tier *tier); \
  void bench_##name (const Tier *tier);
#include "kernels/kernels.def"
#undef KERNEL

/* Seeded numbers. */
void check_seed (uint32_t seed);
uint32_t check_random (void);
uint32_t check_below (uint32_t bound);
/* Uniform in [-1, 1). */
float check_float (void);
void check_fill_float (float *x, size_t n);
void check_fill_u8 (uint8_t *x, size_t n);
/* Overwrites about one in eight with zeros, subnormals, the largest numbers,
 * infinities and, if wanted, NaN. */
void check_sprinkle (float *x, size_t n, bool with_nan);

/* Memory with an unmapped page on one side and canary bytes on the other.
 * Slots are reused by every call: slot in [0, CHECK_SLOTS). With `at_end` the
 * block ends at the unmapped page, so that its start is as unaligned as its
 * size is odd;
 * else it starts right behind one. Contents: canary. */
enum { CHECK_SLOTS = 10, CHECK_SLOT_BYTES = 1 << 20 };
void *check_alloc (int slot, size_t size_bytes, bool at_end);
/* Fails the case when the canaries of a slot have changed. */
void check_guards (int slot);

/* Ends the running case. Does not return. */
_Noreturn void check_fail (const char *format, ...)
    __attribute__ ((format (printf, 1, 2)));
/* Equal as numbers (0 == -0), both NaN, or within the distance given. */
bool check_near (float got, float expected, double distance);

/* Runs body (data) for some milliseconds; returns the least seconds of one. */
double bench_seconds (void (*body) (void *data), void *data);
void bench_report (const Tier *tier, const char *kernel, const char *shape,
    double seconds, double flops, double bytes);
