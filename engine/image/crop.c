/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The resize policies: rectangles only, no pixels. Rectangles are whole
 * pixels, so that cropping and then resizing in any other program is the same
 * thing. An odd remainder puts the extra pixel on the right or at the
 * bottom. */
#include "image/crop.h"

#include <string.h>

/* The names are those of the metadata keys and of the command line. */
static const char *const policy_names[] = {
  [FORGE_RESIZE_STRETCH] = "stretch",
  [FORGE_RESIZE_CENTRE_CROP] = "centre-crop",
  [FORGE_RESIZE_LETTERBOX] = "letterbox",
};

const char *
forge_resize_policy_name (ForgeResizePolicy policy)
{
  return (guint) policy < G_N_ELEMENTS (policy_names) ? policy_names[policy]
                                                      : NULL;
}

gboolean
forge_resize_policy_parse (const char *name, ForgeResizePolicy *policy)
{
  g_return_val_if_fail (name && policy, FALSE);
  for (guint i = 0; i < G_N_ELEMENTS (policy_names); i++)
    if (strcmp (name, policy_names[i]) == 0) {
      *policy = i;
      return TRUE;
    }
  return FALSE;
}

/* round (a * b / c), at least 1, at most @max. */
static int
scaled (int a, int b, int c, int max)
{
  int64_t value = (2 * (int64_t) a * b + c) / (2 * (int64_t) c);
  return (int) CLAMP (value, 1, max);
}

void
forge_crop (ForgeResizePolicy policy, int width, int height, int net_width,
    int net_height, ForgeRect *source, ForgeRect *dest)
{
  *source = (ForgeRect) { 0, 0, width, height };
  *dest = (ForgeRect) { 0, 0, net_width, net_height };
  gboolean wider = (int64_t) width * net_height > (int64_t) height * net_width;

  if (policy == FORGE_RESIZE_CENTRE_CROP) {
    if (wider)
      source->width = scaled (height, net_width, net_height, width);
    else
      source->height = scaled (width, net_height, net_width, height);
    source->x = (width - source->width) / 2;
    source->y = (height - source->height) / 2;
  } else if (policy == FORGE_RESIZE_LETTERBOX) {
    if (wider)
      dest->height = scaled (height, net_width, width, net_height);
    else
      dest->width = scaled (width, net_height, height, net_width);
    dest->x = (net_width - dest->width) / 2;
    dest->y = (net_height - dest->height) / 2;
  }
}
