/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The checker's memory and numbers: slots between unmapped pages, canaries,
 * and a small seeded generator (xorshift32, Marsaglia 2003). */
#include <float.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checker.h"

enum { CANARY = 0xA5, CANARY_BYTES = 512 };

static struct {
  uint8_t *base; /* of the mapped middle */
  uint8_t *block;
  size_t size_bytes;
} slots[CHECK_SLOTS];

static uint32_t state;

void
check_seed (uint32_t seed)
{
  state = seed ? seed : 1;
}

uint32_t
check_random (void)
{
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

uint32_t
check_below (uint32_t bound)
{
  return (uint32_t) (((uint64_t) check_random () * bound) >> 32);
}

float
check_float (void)
{
  return (float) (check_random () >> 8) * 0x1p-23f - 1.0f;
}

void
check_fill_float (float *x, size_t n)
{
  for (size_t i = 0; i < n; i++)
    x[i] = check_float ();
}

void
check_fill_u8 (uint8_t *x, size_t n)
{
  for (size_t i = 0; i < n; i++)
    x[i] = (uint8_t) check_random ();
}

void
check_sprinkle (float *x, size_t n, bool with_nan)
{
  const float odd[] = { 0.0f, -0.0f, FLT_TRUE_MIN, -FLT_TRUE_MIN, FLT_MIN / 2,
    FLT_MAX, -FLT_MAX, INFINITY, -INFINITY, NAN };
  for (size_t i = 0; i < n; i++)
    if (check_below (8) == 0)
      x[i] = odd[check_below (with_nan ? 10 : 9)];
}

static void
map_slot (int slot)
{
  size_t page = (size_t) sysconf (_SC_PAGESIZE);
  uint8_t *map = mmap (NULL, CHECK_SLOT_BYTES + 2 * page,
      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED || mprotect (map, page, PROT_NONE) != 0 ||
      mprotect (map + page + CHECK_SLOT_BYTES, page, PROT_NONE) != 0)
    check_fail ("no memory for the guards");
  slots[slot].base = map + page;
}

void *
check_alloc (int slot, size_t size_bytes, bool at_end)
{
  if (size_bytes > CHECK_SLOT_BYTES - CANARY_BYTES)
    check_fail ("case too large: %zu bytes", size_bytes);
  if (!slots[slot].base)
    map_slot (slot);
  uint8_t *base = slots[slot].base;
  slots[slot].size_bytes = size_bytes;
  slots[slot].block = at_end ? base + CHECK_SLOT_BYTES - size_bytes : base;
  uint8_t *first = at_end ? slots[slot].block - CANARY_BYTES : base;
  memset (first, CANARY, size_bytes + CANARY_BYTES);
  return slots[slot].block;
}

void
check_guards (int slot)
{
  const uint8_t *block = slots[slot].block;
  const uint8_t *canary = block == slots[slot].base
                              ? block + slots[slot].size_bytes
                              : block - CANARY_BYTES;
  for (int i = 0; i < CANARY_BYTES; i++)
    if (canary[i] != CANARY)
      check_fail ("canary of slot %d changed", slot);
}

bool
check_near (float got, float expected, double distance)
{
  if (isnan (expected) || isnan (got))
    return isnan (expected) && isnan (got);
  if (got == expected)
    return true;
  return isfinite (got) && isfinite (expected) &&
         fabs ((double) got - (double) expected) <= distance;
}
