/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the checks of the kernels between frame and tensor share. */
#pragma once

#include "checker.h"

enum { IN, ROWS, WEIGHTS, START, SCALE, BIAS, OUT, WANT };
enum { SENTINEL = 0x5A };

/* @out lies in OUT. */
static inline void
check_bytes (const void *out, const void *want, size_t n, const char *what)
{
  const uint8_t *got = out;
  const uint8_t *expected = want;
  check_guards (OUT);
  for (size_t i = 0; i < n; i++)
    if (got[i] != expected[i])
      check_fail (
          "%s: byte %zu is %u, expected %u", what, i, got[i], expected[i]);
}
