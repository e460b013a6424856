/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See augment.h. Shift and flip are one walk over the output. */
#include "train/augment.h"

#include <string.h>

static int
draw_shift (ForgeRng *rng, guint most)
{
  return (int) forge_rng_below (rng, 2 * most + 1) - (int) most;
}

void
forge_augment (const ForgeAugment *augment, ForgeRng *rng, const uint8_t *in,
    int width, int height, uint8_t *out)
{
  gboolean flip = augment->flip && forge_rng_below (rng, 2);
  int dx = augment->shift ? draw_shift (rng, augment->shift) : 0;
  int dy = augment->shift ? draw_shift (rng, augment->shift) : 0;
  for (int y = 0; y < height; y++) {
    const uint8_t *row =
        in + (ptrdiff_t) CLAMP (y + dy, 0, height - 1) * width * 3;
    for (int x = 0; x < width; x++) {
      int source = CLAMP (x + dx, 0, width - 1);
      if (flip)
        source = width - 1 - source;
      memcpy (out, row + (ptrdiff_t) source * 3, 3);
      out += 3;
    }
  }
}
