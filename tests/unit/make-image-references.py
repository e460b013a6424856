#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes the files in tests/unit/image-references that test-imager.c compares
# with: R'G'B' bytes of one picture, resized by others than us.
#   antialias  Pillow's Image.resize with BILINEAR
#   bilinear   the formula of TensorFlow's resize with half_pixel_centers
#   nearest    floor ((x + 0.5) * ratio)
# Needs Pillow and NumPy; the tests themselves do not.
import os

import numpy as np
from PIL import Image

# source width, height, result width, height
SIZES = [(61, 47, 20, 15), (61, 47, 32, 32), (13, 9, 40, 31), (320, 180, 32, 18),
         (17, 64, 17, 5), (1, 7, 3, 3), (500, 3, 2, 3)]


def picture(width, height):
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    value = (x * x * (c + 1) + 3 * y * y + x * y * (7 - 2 * c)) >> 3
    return (value & 255).astype(np.uint8)


def bilinear_axis(n_in, n_out):
    place = (np.arange(n_out) + 0.5) * (n_in / n_out) - 0.5
    lower = np.maximum(np.floor(place), 0).astype(int)
    upper = np.minimum(np.ceil(place), n_in - 1).astype(int)
    return lower, upper, place - np.floor(place)


def bilinear(image, width, height):
    image = image.astype(np.float64)
    x0, x1, dx = bilinear_axis(image.shape[1], width)
    y0, y1, dy = bilinear_axis(image.shape[0], height)
    dx, dy = dx[None, :, None], dy[:, None, None]
    top = image[y0][:, x0] + (image[y0][:, x1] - image[y0][:, x0]) * dx
    bottom = image[y1][:, x0] + (image[y1][:, x1] - image[y1][:, x0]) * dx
    return np.floor(top + (bottom - top) * dy + 0.5).astype(np.uint8)


def nearest(image, width, height):
    n_y, n_x = image.shape[:2]
    y = (2 * np.arange(height) + 1) * n_y // (2 * height)
    x = (2 * np.arange(width) + 1) * n_x // (2 * width)
    return image[y][:, x]


def antialias(image, width, height):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.BILINEAR))


folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'image-references')
os.makedirs(folder, exist_ok=True)
for sw, sh, dw, dh in SIZES:
    for resize in (antialias, bilinear, nearest):
        name = f'{resize.__name__}-{sw}x{sh}-{dw}x{dh}.rgb'
        with open(os.path.join(folder, name), 'wb') as file:
            file.write(resize(picture(sw, sh), dw, dh).tobytes())
