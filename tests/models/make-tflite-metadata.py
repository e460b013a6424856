#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""TensorFlow Lite models with what may travel with them, and one of operators
that nobody here has. Writes tests/fuzz/corpus/tflite/{labelled,
labelled-bytes,refused}.tflite; see test-tflite-metadata.c.
"""
import numpy as np

from tflite_file import FLOAT32, INT32, UINT8, Model, Table, Vector, ints

DESCRIPTIONS, AXIS_LABELS, VALUE_LABELS = 1, 2, 3
NORMALIZATION, IMAGE_PROPERTIES, RGB = 1, 2, 1


def file(name, kind, locale=None):
    return Table(f0=name, f2=('<B', kind), f3=locale)


def floats(values):
    return Vector('<f', values)


def metadata(units, files):
    image = Table(f0=('<B', IMAGE_PROPERTIES), f1=Table(f0=('<b', RGB)))
    given = Table(f0='picture', f1='what the camera sees', f3=image,
                  f4=Vector('table', units))
    scores = Table(f0='scores', f6=Vector('table', files))
    graph = Table(f2=Vector('table', [given]), f3=Vector('table', [scores]))
    return Table(f0='colours', f1='tells three colours apart', f2='v2',
                 f3=Vector('table', [graph]), f4='gst-forge', f5='LGPL')


def normalisation(mean, std):
    return Table(f0=('<B', NORMALIZATION),
                 f1=Table(f0=floats(mean), f1=floats(std)))


def network(kind):
    """The mean of every channel is the score of its colour."""
    model = Model()
    scale = (1 / 128, 128) if kind == UINT8 else (None, None)
    given = model.tensor('image', [1, 8, 8, 3], kind, *scale)
    axes = model.tensor('axes', [2], INT32, data=np.int32([1, 2]))
    out = model.tensor('scores', [1, 3], kind, *scale)
    model.operator(40, [given, axes], out, Table(f0=('<b', 0)))
    return model, given, out


def names(index, name):
    return Vector('table', [Table(f0=name, f1=('<I', index))])


def main():
    model, given, out = network(FLOAT32)
    signature = Vector('table', [Table(f0=names(given, 'x'),
                                       f1=names(out, 'y'),
                                       f2='serving_default')])
    model.write('labelled', [given], [out],
                metadata([normalisation([127.5, 120, 110], [127.5, 64, 32])],
                         [file('labels.txt', AXIS_LABELS)]),
                {'other.txt': (b'x\n', False),
                 'labels.txt': (b'red\ngreen \nblue\n', False)}, signature)
    model, given, out = network(UINT8)
    labels = 'Gr\u00fcn\n'.encode()
    model.write('labelled-bytes', [given], [out],
                metadata([normalisation([127.5], [127.5])],
                         [file('about.txt', DESCRIPTIONS),
                          file('labels_de.txt', AXIS_LABELS, 'de'),
                          file('labels.txt', AXIS_LABELS)]),
                {'labels_de.txt': (b'Rot\n' + labels + b'Blau', True),
                 'labels.txt': (b'red\r\ngreen\r\nblue\r\n\r\n', True)})
    model = Model()
    given = model.tensor('x', [1, 4], FLOAT32)
    last = given
    for code in (16, 19, 'Sharpen', 16, 104, 45, 127, 'Sharpen'):
        last, before = model.tensor('y', [1, 4], FLOAT32), last
        model.operator(code, [before], last)
    model.write('refused', [given], [last])


main()
