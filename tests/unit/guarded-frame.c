/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guarded-frame.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/pixel-format.h"

static uint8_t *
guarded_block (
    GuardedFrame *guarded, int plane, size_t size_bytes, GuardSide side)
{
  size_t page = (size_t) sysconf (_SC_PAGESIZE);
  size_t inside = (size_bytes + page - 1) / page * page;
  uint8_t *map = mmap (
      NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_assert_true (map != MAP_FAILED);
  g_assert_cmpint (
      mprotect (map + page, inside, PROT_READ | PROT_WRITE), ==, 0);
  guarded->maps[plane] = map;
  guarded->map_bytes[plane] = inside + 2 * page;
  uint8_t *block =
      side == GUARD_BEFORE ? map + page : map + page + inside - size_bytes;
  memset (block, 0xAA, size_bytes);
  return block;
}

void
guarded_frame_init (GuardedFrame *guarded, ForgePixelFormat format, int width,
    int height, size_t padding_bytes, gboolean is_flipped, GuardSide side)
{
  const ForgePixelLayout *layout = forge_pixel_layout (format);
  *guarded = (GuardedFrame) {
    .frame = { .format = format, .width = width, .height = height }
  };
  for (int c = 0; c < layout->n_components; c++) {
    const ForgeComponent *component = &layout->components[c];
    int plane = component->plane;
    if (guarded->maps[plane])
      continue;
    /* Rows end after a whole pixel or pair of pixels. */
    size_t step = 0, x_shift = 0;
    for (int i = 0; i < layout->n_components; i++)
      if (layout->components[i].plane == plane &&
          layout->components[i].step_bytes > step) {
        step = layout->components[i].step_bytes;
        x_shift = layout->components[i].x_shift;
      }
    size_t row_bytes = (((size_t) width - 1) >> x_shift) * step + step;
    size_t n_rows = (((size_t) height - 1) >> component->y_shift) + 1;
    size_t stride_bytes = row_bytes + padding_bytes;
    size_t last_row = (n_rows - 1) * stride_bytes;
    uint8_t *block = guarded_block (guarded, plane, last_row + row_bytes, side);
    guarded->frame.data[plane] = is_flipped ? block + last_row : block;
    guarded->frame.stride_bytes[plane] =
        is_flipped ? -(ptrdiff_t) stride_bytes : (ptrdiff_t) stride_bytes;
  }
}

void
guarded_frame_clear (GuardedFrame *guarded)
{
  for (int p = 0; p < 3; p++)
    if (guarded->maps[p])
      munmap (guarded->maps[p], guarded->map_bytes[p]);
}

uint8_t *
guarded_frame_at (GuardedFrame *guarded, int c, int x, int y)
{
  const ForgeComponent *component =
      &forge_pixel_layout (guarded->frame.format)->components[c];
  int p = component->plane;
  return (uint8_t *) guarded->frame.data[p] +
         (y >> component->y_shift) * guarded->frame.stride_bytes[p] +
         (x >> component->x_shift) * component->step_bytes +
         component->offset_bytes;
}

uint8_t
picture_value (int x, int y, int c)
{
  return (uint8_t) ((x * x * (c + 1) + 3 * y * y + x * y * (7 - 2 * c)) >> 3);
}

void
guarded_frame_paint (GuardedFrame *guarded)
{
  const ForgePixelLayout *layout = forge_pixel_layout (guarded->frame.format);
  for (int c = 0; c < layout->n_components; c++)
    for (int y = 0; y < guarded->frame.height; y++)
      for (int x = 0; x < guarded->frame.width; x++)
        *guarded_frame_at (guarded, c, x, y) =
            picture_value (x >> layout->components[c].x_shift,
                y >> layout->components[c].y_shift, c);
}

void
guarded_frame_fill (GuardedFrame *guarded, const uint8_t *value)
{
  const ForgePixelLayout *layout = forge_pixel_layout (guarded->frame.format);
  for (int c = 0; c < layout->n_components; c++)
    for (int y = 0; y < guarded->frame.height; y++)
      for (int x = 0; x < guarded->frame.width; x++)
        *guarded_frame_at (guarded, c, x, y) = value[c];
}
