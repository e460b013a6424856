#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes the seeds of fuzz-picture: small pictures of every kind that Pillow
# can write.
import os

from PIL import Image

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'picture')
os.makedirs(folder, exist_ok=True)
colour = Image.new('RGBA', (11, 9))
colour.putdata([(x * 23, y * 28, (x * y * 7) % 256, 255 - x * 20)
                for y in range(9) for x in range(11)])
rgb = colour.convert('RGB')
grey = colour.convert('L')


def save(image, name, **options):
    image.save(os.path.join(folder, name), **options)


save(colour, 'rgba.png')
save(rgb, 'rgb.png')
save(grey, 'grey.png')
save(grey.convert('1'), 'bits.png')
save(grey.convert('I').point(lambda value: value * 257), 'grey16.png')
save(rgb.quantize(8), 'palette.png', transparency=3)
save(rgb, 'baseline.jpg', quality=80)
save(rgb, 'full-chroma.jpg', quality=80, subsampling=0)
save(rgb, 'progressive.jpg', quality=80, progressive=True)
save(grey, 'grey.jpg', quality=80)
save(colour.convert('CMYK'), 'cmyk.jpg', quality=80)
save(rgb, 'lossy.webp', quality=60)
save(rgb, 'lossless.webp', lossless=True)
save(colour, 'alpha.webp', quality=60)
turned = Image.Exif()
turned[0x112] = 6
save(rgb, 'turned.webp', quality=60, exif=turned)
save(rgb, 'turned.jpg', quality=80, exif=turned)
save(rgb, 'turned.png', exif=turned)
save(rgb, 'moving.webp', save_all=True, append_images=[colour.rotate(180).convert('RGB')])
