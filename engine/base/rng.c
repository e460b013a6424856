/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xoshiro256** seeded by splitmix64. Source: Blackman and Vigna, "Scrambled
 * linear pseudorandom number generators", ACM TOMS 47 (2021). Bounded
 * integers by Lemire, "Fast random integer generation in an interval" (2019).
 * Normals by Box-Muller. */
#include "base/rng.h"

#include <math.h>

static uint64_t
splitmix64 (uint64_t *state)
{
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

void
forge_rng_seed (ForgeRng *rng, uint64_t seed)
{
  for (int i = 0; i < 4; i++)
    rng->state[i] = splitmix64 (&seed);
}

void
forge_rng_seed_at (ForgeRng *rng, uint64_t seed, uint64_t index)
{
  uint64_t mix = index;
  forge_rng_seed (rng, seed ^ splitmix64 (&mix));
}

static uint64_t
rotl (uint64_t x, int k)
{
  return x << k | x >> (64 - k);
}

uint64_t
forge_rng_u64 (ForgeRng *rng)
{
  uint64_t *s = rng->state;
  uint64_t result = rotl (s[1] * 5, 7) * 9;
  uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotl (s[3], 45);
  return result;
}

uint32_t
forge_rng_below (ForgeRng *rng, uint32_t bound)
{
  g_assert (bound > 0);
  uint32_t threshold = -bound % bound;
  for (;;) {
    uint64_t product = (forge_rng_u64 (rng) >> 32) * bound;
    if ((uint32_t) product >= threshold)
      return (uint32_t) (product >> 32);
  }
}

float
forge_rng_float (ForgeRng *rng)
{
  return (float) (forge_rng_u64 (rng) >> 40) * 0x1p-24f;
}

float
forge_rng_normal (ForgeRng *rng)
{
  double u = 1.0 - (double) (forge_rng_u64 (rng) >> 11) * 0x1p-53;
  double v = (double) (forge_rng_u64 (rng) >> 11) * 0x1p-53;
  return (float) (sqrt (-2 * log (u)) * cos (2 * G_PI * v));
}

void
forge_rng_shuffle (ForgeRng *rng, uint32_t *items, uint32_t n_items)
{
  for (uint32_t i = n_items; i > 1; i--) {
    uint32_t j = forge_rng_below (rng, i);
    uint32_t swap = items[i - 1];
    items[i - 1] = items[j];
    items[j] = swap;
  }
}
