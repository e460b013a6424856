/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which part of the frame goes to which part of the network's input. */
#pragma once

#include "forge/image.h"

/* Pixels; inside its picture, at least 1x1. */
typedef struct {
  int x, y, width, height;
} ForgeRect;

/* @source lies in a @width x @height frame, @dest in a @net_width x
 * @net_height input. Sizes are 1..32768. */
void forge_crop (ForgeResizePolicy policy, int width, int height, int net_width,
    int net_height, ForgeRect *source, ForgeRect *dest);
