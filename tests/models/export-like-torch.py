#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/models/exported/*.onnx: small networks with random weights, node
for node as torch.onnx writes torchvision's transformers and their kin, above
all what it writes around a batch of unknown size: Shape, Gather, Unsqueeze,
Concat and Reshape; Expand to a shape computed by Where; Pad, Slice and Range
with computed limits; an attention mask drawn by ScatterND.

    export-like-torch.py FOLDER
"""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAST = 2**63 - 1
rng = np.random.default_rng(5)


class Builder:
    """One graph; every method returns the name of a value."""

    def __init__(self, opset):
        self.opset, self.nodes, self.weights, self.count = opset, [], [], 0

    def name(self):
        self.count += 1
        return f"v{self.count}"

    def weight(self, *shape, scale=None):
        if scale is None:
            scale = np.prod(shape[1:]) ** -0.5
        return self.initializer(rng.standard_normal(shape) * scale)

    def initializer(self, values):
        name = self.name()
        array = np.asarray(values, np.float32)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def constant(self, values, dtype):
        name = self.name()
        tensor = numpy_helper.from_array(np.asarray(values, dtype), name)
        node = helper.make_node("Constant", [], [name], value=tensor)
        self.nodes.append(node)
        return name

    def real(self, value):
        return self.constant(value, np.float32)

    def number(self, value):
        return self.constant(value, np.int64)

    def list(self, *values):
        return self.constant(values, np.int64)

    def op(self, kind, *inputs, **attributes):
        name = self.name()
        self.nodes.append(
            helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def extent(self, x, axis):
        return self.op("Gather", self.op("Shape", x), self.number(axis),
                       axis=0)

    def shape(self, *parts):
        """A shape of names of scalars and of numbers."""
        pieces = [self.op("Unsqueeze", part, self.list(0))
                  if isinstance(part, str) else self.list(part)
                  for part in parts]
        return self.op("Concat", *pieces, axis=0)

    def fill(self, shape, value, dtype):
        tensor = numpy_helper.from_array(np.array([value], dtype))
        return self.op("ConstantOfShape", shape, value=tensor)

    def layer_norm(self, x, width):
        scale = self.initializer(rng.uniform(0.5, 1.5, width))
        bias = self.weight(width, scale=0.1)
        if self.opset >= 17:
            return self.op("LayerNormalization", x, scale, bias, axis=-1,
                           epsilon=1e-6)
        centred = self.op("Sub", x, self.op("ReduceMean", x, axes=[-1]))
        squares = self.op("Pow", centred, self.real(2))
        variance = self.op("ReduceMean", squares, axes=[-1])
        root = self.op("Sqrt", self.op("Add", variance, self.real(1e-6)))
        y = self.op("Mul", self.op("Div", centred, root), scale)
        return self.op("Add", y, bias)

    def linear(self, x, inputs, outputs):
        weight = self.weight(inputs, outputs, scale=inputs ** -0.5)
        y = self.op("MatMul", x, weight)
        return self.op("Add", y, self.weight(outputs, scale=0.1))

    def gelu(self, x):
        erf = self.op("Erf", self.op("Div", x, self.real(2 ** 0.5)))
        y = self.op("Mul", x, self.op("Add", erf, self.real(1)))
        return self.op("Mul", y, self.real(0.5))

    def conv(self, x, outputs, inputs, size, **attributes):
        return self.op("Conv", x, self.weight(outputs, inputs, size, size),
                       self.weight(outputs, scale=0.1),
                       kernel_shape=[size, size], **attributes)

    def head(self, x, width):
        return self.op("Gemm", x, self.weight(10, width),
                       self.weight(10, scale=0.1), transB=1)

    def save(self, path, out):
        def port(name, shape):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT,
                                                 shape)
        graph = helper.make_graph(
            self.nodes, "g", [port("x", ["n", 3, 32, 32])],
            [port(out, ["n", 10])], self.weights)
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = 8
        onnx.checker.check_model(model)
        onnx.save(model, path)


def attend(b, y, width, heads):
    """nn.MultiheadAttention: [L, N, C], heads folded into the batch."""
    length, batch = b.extent(y, 0), b.extent(y, 1)
    y = b.op("Reshape", b.linear(y, width, 3 * width),
             b.shape(length, batch, 3, width))
    y = b.op("Transpose", b.op("Unsqueeze", y, b.list(0)),
             perm=[3, 1, 2, 0, 4])
    y = b.op("Squeeze", y, b.list(3))
    parts = []
    for i in range(3):
        part = b.op("Gather", y, b.number(i), axis=0)
        rows = b.op("Mul", batch, b.number(heads))
        part = b.op("Reshape", part, b.shape(length, rows, width // heads))
        part = b.op("Transpose", part, perm=[1, 0, 2])
        parts.append(b.op("Reshape", part, b.shape(
            batch, heads, length, width // heads)))
    query, key, value = parts
    depth = b.op("Slice", b.op("Shape", query), b.list(-1), b.list(LAST))
    root = b.op("Sqrt", b.op("Cast", depth, to=TensorProto.FLOAT))
    scale = b.op("Sqrt", b.op("Div", b.real([1]), root))
    key = b.op("Transpose", key, perm=[0, 1, 3, 2])
    scores = b.op("MatMul", b.op("Mul", query, scale),
                  b.op("Mul", key, scale))
    y = b.op("MatMul", b.op("Softmax", scores, axis=-1), value)
    y = b.op("Transpose", y, perm=[2, 0, 1, 3])
    y = b.op("Reshape", y, b.shape(b.op("Mul", batch, length), width))
    y = b.op("Gemm", y, b.weight(width, width), b.weight(width, scale=0.1),
             transB=1)
    return b.op("Reshape", y, b.shape(length, batch, b.extent(y, 1)))


def vit(b, width=12, heads=3):
    x = b.conv("x", width, 3, 8, strides=[8, 8])
    batch = b.extent("x", 0)
    x = b.op("Reshape", x, b.shape(batch, width, 16))
    x = b.op("Transpose", x, perm=[0, 2, 1])
    target = b.shape(batch, -1, -1)
    ones = b.fill(b.op("Shape", target), 1, np.int64)
    keep = b.op("Equal", target, b.op("Mul", ones, b.number(-1)))
    token = b.op("Expand", b.weight(1, 1, width),
                 b.op("Where", keep, ones, target))
    x = b.op("Concat", token, x, axis=1)
    x = b.op("Add", x, b.weight(1, 17, width))
    for _ in range(2):
        y = b.op("Transpose", b.layer_norm(x, width), perm=[1, 0, 2])
        y = b.op("Transpose", attend(b, y, width, heads), perm=[1, 0, 2])
        x = b.op("Add", x, y)
        y = b.gelu(b.linear(b.layer_norm(x, width), width, 2 * width))
        x = b.op("Add", x, b.linear(y, 2 * width, width))
    x = b.op("Gather", b.layer_norm(x, width), b.number(0), axis=1)
    return b.head(x, width)


def roll(b, x, shift):
    for axis in (1, 2):
        first = b.op("Slice", x, b.list(shift), b.list(LAST), b.list(axis))
        second = b.op("Slice", x, b.list(0), b.list(shift), b.list(axis))
        x = b.op("Concat", first, second, axis=axis)
    return x


def window_mask(b, height, width, across, down, window, shift):
    """Regions that a shift brought together must not see each other."""
    mask = b.fill(b.shape(height, width), 0, np.float32)
    cuts = ((0, 8 - window), (8 - window, 8 - shift), (8 - shift, 8))
    for region, (y, x) in enumerate((y, x) for y in cuts for x in cuts):
        size = b.list(y[1] - y[0], x[1] - x[0])
        grids = []
        for axis, (low, high) in ((1, y), (0, x)):
            line = b.op("Range", b.number(low), b.number(high), b.number(1))
            grid = b.op("Expand", b.op("Unsqueeze", line, b.list(axis)), size)
            grids.append(b.op("Unsqueeze", grid, b.list(2)))
        indices = b.op("Concat", *grids, axis=2)
        update = b.op("Expand", b.real(region), size)
        mask = b.op("ScatterND", mask, indices, update)
    mask = b.op("Reshape", mask, b.shape(down, window, across, window))
    mask = b.op("Transpose", mask, perm=[0, 2, 1, 3])
    mask = b.op("Reshape", mask, b.shape(b.op("Mul", down, across),
                                         window * window))
    apart = b.op("Sub", b.op("Unsqueeze", mask, b.list(1)),
                 b.op("Unsqueeze", mask, b.list(2)))
    differs = b.op("Not", b.op("Equal", apart, b.real(0)))
    return b.op("Where", differs, b.real(-100), apart)


def unit_length(b, x):
    length = b.op("Clip", b.op("ReduceL2", x, axes=[-1], keepdims=1),
                  b.real(1e-12))
    return b.op("Div", x, b.op("Expand", length, b.op("Shape", x)))


def computed_pads(b, height, width, window):
    def missing(extent):
        rest = b.op("Mod", extent, b.number(window))
        return b.op("Mod", b.op("Sub", b.number(window), rest),
                    b.number(window))
    pads = b.op("Concat", b.shape(0, 0, 0, missing(width), 0,
                                  missing(height)),
                b.fill(b.list(2), 0, np.int64), axis=0)
    pads = b.op("Slice", b.op("Reshape", pads, b.list(-1, 2)), b.list(-1),
                b.list(-LAST), b.list(0), b.list(-1))
    pads = b.op("Reshape", b.op("Transpose", pads, perm=[1, 0]), b.list(-1))
    return b.op("Cast", pads, to=TensorProto.INT64)


def swin_block(b, x, width, heads, window, shift):
    y = b.layer_norm(x, width)
    batch, rows, columns, channels = [b.extent(y, i) for i in range(4)]
    y = b.op("Pad", y, computed_pads(b, rows, columns, window),
             b.real(0), mode="constant")
    high, wide = b.extent(y, 1), b.extent(y, 2)
    if shift:
        y = roll(b, y, shift)
    down = b.op("Div", high, b.number(window))
    across = b.op("Div", wide, b.number(window))
    y = b.op("Reshape", y, b.shape(batch, down, window, across, window,
                                   channels))
    y = b.op("Transpose", y, perm=[0, 1, 3, 2, 4, 5])
    windows = b.op("Mul", b.op("Mul", batch, down), across)
    y = b.op("Reshape", y, b.shape(windows, window * window, channels))
    depth = b.op("Div", channels, b.number(heads))
    q = b.op("Reshape", b.linear(y, width, 3 * width), b.shape(
        b.extent(y, 0), b.extent(y, 1), 3, heads, depth))
    q = b.op("Transpose", q, perm=[2, 0, 3, 1, 4])
    query, key, value = [b.op("Gather", q, b.number(i), axis=0)
                         for i in range(3)]
    scores = b.op("Einsum", unit_length(b, query), unit_length(b, key),
                  equation="bhid,bhjd->bhij")
    scale = b.op("Clip", b.initializer(np.ones((heads, 1, 1))), "",
                 b.real(4.6))
    scores = b.op("Mul", scores, b.op("Exp", scale))
    area = window * window
    scores = b.op("Add", scores, b.weight(1, heads, area, area, scale=0.5))
    if shift:
        mask = window_mask(b, high, wide, across, down, window, shift)
        per_image = b.op("Mul", down, across)
        images = b.op("Div", b.extent(y, 0), per_image)
        scores = b.op("Reshape", scores, b.shape(images, per_image, heads,
                                                 area, area))
        mask = b.op("Unsqueeze", b.op("Unsqueeze", mask, b.list(1)),
                    b.list(0))
        scores = b.op("Reshape", b.op("Add", scores, mask),
                      b.shape(-1, heads, area, area))
    a = b.op("MatMul", b.op("Softmax", scores, axis=-1), value)
    a = b.op("Reshape", b.op("Transpose", a, perm=[0, 2, 1, 3]),
             b.shape(b.extent(y, 0), b.extent(y, 1), channels))
    a = b.op("Reshape", b.linear(a, width, width), b.shape(
        batch, down, across, window, window, channels))
    a = b.op("Transpose", a, perm=[0, 1, 3, 2, 4, 5])
    a = b.op("Reshape", a, b.shape(batch, high, wide, channels))
    if shift:
        a = roll(b, a, -shift)
    for axis, extent in ((1, rows), (2, columns)):
        a = b.op("Slice", a, b.list(0),
                 b.op("Unsqueeze", extent, b.list(0)), b.list(axis))
    return b.op("Add", x, a)


def swin(b, width=12, heads=3):
    x = b.conv("x", width, 3, 4, strides=[4, 4])
    x = b.layer_norm(b.op("Transpose", x, perm=[0, 2, 3, 1]), width)
    for shift in (0, 2):
        x = swin_block(b, x, width, heads, 4, shift)
    corners = [b.op("Slice", x, b.list(y, z), b.list(LAST, LAST),
                    b.list(1, 2), b.list(2, 2))
               for y, z in ((0, 0), (1, 0), (0, 1), (1, 1))]
    x = b.linear(b.op("Concat", *corners, axis=-1), 4 * width, width)
    x = b.op("Transpose", b.layer_norm(x, width), perm=[0, 3, 1, 2])
    return b.head(b.op("Flatten", b.op("GlobalAveragePool", x), axis=1),
                  width)


def convnext(b, width=12):
    def channels_last(x, function):
        y = function(b.op("Transpose", x, perm=[0, 2, 3, 1]))
        return b.op("Transpose", y, perm=[0, 3, 1, 2])

    def mix(x):
        y = b.gelu(b.linear(b.layer_norm(x, width), width, 4 * width))
        return b.linear(y, 4 * width, width)

    def norm(x):
        return b.layer_norm(x, width)

    x = channels_last(b.conv("x", width, 3, 4, strides=[4, 4]), norm)
    for _ in range(2):
        y = b.conv(x, width, 1, 7, pads=[3] * 4, group=width)
        y = channels_last(y, mix)
        y = b.op("Mul", y, b.weight(width, 1, 1, scale=0.5))
        x = b.op("Add", x, y)
    x = channels_last(b.op("GlobalAveragePool", x), norm)
    return b.head(b.op("Flatten", x, axis=1), width)


def shufflenet(b, width=16):
    half = width // 2
    x = b.op("Relu", b.conv("x", width, 3, 3, strides=[2, 2], pads=[1] * 4))
    for _ in range(2):
        extent = b.op("Gather", b.op("Shape", x), b.list(1), axis=0)
        middle = b.op("Div", b.op("Add", extent, b.list(1)), b.list(2))
        end = b.op("Mul", middle, b.list(2))
        left = b.op("Slice", x, b.list(0), middle, b.list(1))
        right = b.op("Slice", x, middle, end, b.list(1))
        right = b.op("Relu", b.conv(right, half, half, 1))
        right = b.conv(right, half, 1, 3, pads=[1] * 4, group=half)
        x = b.op("Concat", left, right, axis=1)
        batch, channels, rows, columns = [b.extent(x, i) for i in range(4)]
        group = b.op("Div", channels, b.number(2))
        x = b.op("Reshape", x, b.shape(batch, 2, group, rows, columns))
        x = b.op("Transpose", x, perm=[0, 2, 1, 3, 4])
        x = b.op("Reshape", x, b.shape(batch, channels, rows, columns))
    x = b.op("Resize", x, "", b.initializer([1, 1, 2, 2]), mode="linear",
             coordinate_transformation_mode="pytorch_half_pixel")
    x = b.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    return b.head(x, width)


for network, opset in ((vit, 13), (vit, 17), (swin, 13), (swin, 17),
                       (convnext, 17), (shufflenet, 13)):
    builder = Builder(opset)
    builder.save(f"{sys.argv[1]}/{network.__name__}-{opset}.onnx",
                 network(builder))
