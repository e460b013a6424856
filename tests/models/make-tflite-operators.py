#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operators of TensorFlow Lite, one after another, and what the runtime's own
reference kernels make of them.

Writes tests/fuzz/corpus/tflite/operators-NAME.tflite and, beside this script,
tflite-references/operators-NAME-{in,out}.npy: all outputs one after another as
float32, integers by their scale. The results are those of the runtime that
$FORGE_TFLITE_JUDGE runs (see make-tflite-judge).
"""
import os
import shlex
import struct
import subprocess
import sys

import numpy as np

from tflite_file import (CORPUS, FLOAT16, FLOAT32, INT32, INT8, KINDS,
                         REFERENCES, UINT8, Model, Table, ints)

SAME, VALID = 0, 1
NONE, RELU, RELU1, RELU6 = 0, 1, 2, 3


def judge(path, given):
    with open(path, 'rb') as file:
        model = file.read()
    command = shlex.split(os.environ['FORGE_TFLITE_JUDGE'])
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True,
                          input=struct.pack('<Q', len(model)) + model
                          + given.tobytes())
    return done.stdout


class Net:
    """Every operator's result is an output, but for helpers."""

    def __init__(self, kind, seed):
        self.rng = np.random.RandomState(seed)
        self.model, self.kind = Model(), kind
        self.outputs, self.info, self.inputs = [], {}, []

    def tensor(self, shape, kind=None, scale=None, zero=None, data=None,
               axis=0):
        kind = self.kind if kind is None else kind
        if kind not in (UINT8, INT8) and data is None:
            scale = zero = None
        index = self.model.tensor('t%d' % len(self.info), list(shape), kind,
                                  scale, zero, data, axis)
        self.info[index] = (tuple(shape), kind, scale, zero)
        return index

    def const(self, values, kind=INT32, **how):
        values = np.asarray(values, KINDS[kind])
        return self.tensor(values.shape, kind, data=values, **how)

    def floats(self, *shape, low=-1, high=1):
        return self.const(self.rng.uniform(low, high, shape), FLOAT32)

    def bytes(self, *shape, scale=0.02, zero=None, axis=0):
        """Weights or operands of the net's type."""
        low = -127 if self.kind == INT8 else 0
        if zero is None:
            zero = 0 if self.kind == INT8 else 120
        values = self.rng.randint(low, low + 255, shape)
        return self.const(values, self.kind, scale=scale, zero=zero, axis=axis)

    def operand(self, *shape, **how):
        return (self.floats(*shape) if self.kind == FLOAT32
                else self.bytes(*shape, **how))

    def op(self, code, inputs, shape, options=None, scale=0.05, zero=None,
           kind=None, keep=True):
        kind = self.kind if kind is None else kind
        if zero is None:
            zero = 7 if kind == INT8 else 131
        out = self.tensor(shape, kind, scale, zero)
        self.model.operator(code, inputs, out, options)
        if keep:
            self.outputs.append(out)
        return out

    def cast(self, index):
        """An integer result as a float32 output."""
        return self.op(53, [index], self.info[index][0],
                       Table(f0=('<b', INT32), f1=('<b', FLOAT32)),
                       kind=FLOAT32)

    def split(self, code, inputs, shapes, options, scale, zero):
        outs = [self.tensor(s, None, scale, zero) for s in shapes]
        self.model.operator(code, inputs, outs, options)
        self.outputs += outs

    def save(self, name, given):
        name = 'operators-' + name
        self.model.write(name, self.inputs, self.outputs)
        raw = judge(os.path.join(CORPUS, name + '.tflite'), given)
        found, at = [], 0
        for index in self.outputs:
            shape, kind, scale, zero = self.info[index]
            n = int(np.prod(shape, dtype=int)) * KINDS[kind]().itemsize
            values = np.frombuffer(raw[at:at + n], KINDS[kind]).astype(
                np.float32)
            at += n
            if scale is not None:
                values = (values - np.float32(zero)) * np.float32(scale)
            found.append(values)
        assert at == len(raw), (name, at, len(raw))
        if self.kind == INT8:  # we are fed bytes of pictures
            given = (given.astype(np.int16) + 128).astype(np.uint8)
        np.save(os.path.join(REFERENCES, name + '-in.npy'), given)
        np.save(os.path.join(REFERENCES, name + '-out.npy'),
                np.concatenate(found))
        print(name, len(self.outputs), 'outputs')


def b(value):
    return ('<b', value)


def i(value):
    return ('<i', value)


def conv(padding, stride, activation=NONE, dilation=1):
    return Table(f0=b(padding), f1=i(stride), f2=i(stride), f3=b(activation),
                 f4=i(dilation), f5=i(dilation))


def depthwise(padding, stride, multiplier, activation=NONE, dilation=1):
    return Table(f0=b(padding), f1=i(stride), f2=i(stride), f3=i(multiplier),
                 f4=b(activation), f5=i(dilation), f6=i(dilation))


def pool(padding, stride, width, height, activation=NONE):
    return Table(f0=b(padding), f1=i(stride), f2=i(stride), f3=i(width),
                 f4=i(height), f5=b(activation))


def extent(n, kernel, stride, padding, dilation=1):
    kernel = (kernel - 1) * dilation + 1
    return -(-n // stride) if padding == SAME else (n - kernel) // stride + 1


def moves(net, x):
    """Operators that move elements of any type; x is [1, 6, 5, 4]."""
    _, _, scale, zero = net.info[x]

    def op(code, inputs, shape, options=None):
        return net.op(code, [x] + inputs, shape, options, scale, zero)
    op(22, [net.const([1, 10, 12])], [1, 10, 12])
    net.op(22, [x], [30, 4], Table(f0=ints([-1, 4])), scale, zero)
    wide = op(70, [net.const(1)], [1, 1, 6, 5, 4])
    net.op(43, [wide], [1, 6, 5, 4], Table(f0=ints([1])), scale, zero)
    op(43, [], [6, 5, 4])
    op(39, [net.const([0, 2, 3, 1])], [1, 5, 4, 6])
    op(34, [net.const([[0, 0], [1, 2], [0, 1], [1, 0]])], [1, 9, 6, 5])
    if net.kind == FLOAT32:
        fill = net.const([0.5], FLOAT32)
    else:
        fill = net.const([9], net.kind, scale=scale, zero=zero)
    op(60, [net.const([[0, 0], [1, 0], [2, 0], [0, 0]]), fill], [1, 7, 7, 4])
    for mode in (0, 1):
        op(100, [net.const([[0, 0], [2, 1], [1, 2], [0, 0]])], [1, 9, 8, 4],
           Table(f0=b(mode)))
    op(65, [net.const([0, 1, 2, 1]), net.const([1, 3, -1, 2])], [1, 3, 3, 2])
    ones = net.const([1, 1, 1, 1])
    op(45, [net.const([0, 1, 0, -1]), net.const([0, -1, 0, 0]), ones],
       [1, 4, 5], Table(f0=i(5), f1=i(5), f2=i(0), f3=i(0), f4=i(8)))
    op(45, [net.const([0, 5, 4, 0]), net.const([1, 0, -6, 4]),
            net.const([1, -2, -1, 3])], [1, 3, 5, 2],
       Table(f0=i(0), f1=i(0), f2=i(0), f3=i(0), f4=i(0)))
    op(45, [net.const([0, 1]), net.const([0, 4]), net.const([1, 2])],
       [1, 6, 5, 2], Table(f0=i(0), f1=i(0), f2=i(1), f3=i(0), f4=i(0)))
    op(45, [net.const([0, 0, 2]), net.const([1, 0, 5]),
            net.const([1, 1, 1])], [1, 1, 3, 5, 4],
       Table(f0=i(0), f1=i(0), f2=i(0), f3=i(2), f4=i(0)))
    net.split(49, [net.const(3), x], [(1, 6, 5, 2)] * 2, Table(f0=i(2)),
              scale, zero)
    net.split(102, [x, net.const([2, -1, 1]), net.const(1)],
              [(1, 2, 5, 4), (1, 3, 5, 4), (1, 1, 5, 4)], Table(f0=i(3)),
              scale, zero)
    op(36, [net.const([3, 0, 3])], [1, 6, 5, 3], Table(f0=i(-1), f1=i(0)))
    op(36, [net.const([[4, 1], [0, 2]])], [1, 6, 2, 2, 4],
       Table(f0=i(2), f1=i(0)))
    net.op(83, [x, x, x], [1, 6, 3, 5, 4], Table(f0=i(3), f1=i(2)), scale,
           zero)
    net.split(88, [x], [(1, 6, 4)] * 5, Table(f0=i(5), f1=i(2)), scale, zero)
    op(69, [net.const([1, 2, 1, 3])], [1, 12, 5, 12])
    row = net.op(65, [x, net.const([0, 1, 2, 0]), net.const([1, 1, 1, 4])],
                 [1, 1, 1, 4], None, scale, zero, keep=False)
    net.op(130, [row, net.const([2, 3, 1, 4])], [2, 3, 1, 4], None, scale,
           zero)
    even = op(65, [net.const([0, 0, 0, 0]), net.const([1, 6, 4, 4])],
              [1, 6, 4, 4])
    net.op(26, [even], [1, 3, 2, 16], Table(f0=i(2)), scale, zero)
    net.op(5, [even], [1, 12, 8, 1], Table(f0=i(2)), scale, zero)
    batch = op(38, [net.const([2, 3]), net.const([[1, 1], [0, 1]])],
               [6, 4, 2, 4])
    net.op(37, [batch, net.const([2, 3]), net.const([[0, 2], [1, 0]])],
           [1, 6, 5, 4], None, scale, zero)
    for align, half, size in ((0, 0, (9, 3)), (1, 0, (11, 7)), (0, 1, (4, 9))):
        op(97, [net.const(size)], [1, size[0], size[1], 4],
           Table(f0=b(align), f1=b(half)))
    for code, shape in ((56, (1, 6, 5)), (79, (1, 5, 4))):
        best = net.op(code, [x, net.const(3 if code == 56 else 1)], shape,
                      Table(f0=b(INT32)), kind=INT32, keep=False)
        net.cast(best)
    net.cast(net.op(77, [x], [4], Table(f0=b(INT32)), kind=INT32, keep=False))


def layers(net, x):
    """Convolutions and their kind; bytes have one scale a channel in int8."""
    is_float = net.kind == FLOAT32
    in_scale = net.info[x][2]

    def weights(shape, n, axis):
        if is_float:
            return net.floats(*shape), net.floats(n)
        scales = (net.rng.uniform(0.005, 0.02, n).astype(np.float32)
                  if net.kind == INT8 else 0.01)
        bias = net.const(net.rng.randint(-900, 900, n), INT32, zero=0,
                         scale=in_scale * np.float32(scales))
        return net.bytes(*shape, scale=scales, axis=axis), bias
    for padding, stride, activation, dilation, kernel in (
            (SAME, 2, RELU6, 1, 3), (VALID, 1, NONE, 2, 2), (SAME, 1, RELU1, 3, 2),
            (VALID, 2, RELU, 1, 4)):
        shape = [1] + [extent(n, kernel, stride, padding, dilation)
                       for n in (6, 5)]
        w, bias = weights((7, kernel, kernel, 4), 7, 0)
        net.op(3, [x, w, bias], shape + [7],
               conv(padding, stride, activation, dilation))
        w, bias = weights((1, kernel, kernel, 8), 8, 3)
        net.op(4, [x, w, bias], shape + [8],
               depthwise(padding, stride, 2, activation, dilation))
    for padding, stride, size in ((SAME, 2, (12, 10)), (VALID, 2, (13, 11)),
                                  (SAME, 2, (11, 9)), (VALID, 1, (8, 7))):
        w, bias = weights((3, 3, 3, 4), 3, 0)
        shape = [1, size[0], size[1], 3]
        net.op(67, [net.const(shape), w, x, bias], shape,
               Table(f0=b(padding), f1=i(stride), f2=i(stride)), scale=0.09)
    w, bias = weights((6, 4), 6, 0) if is_float else (
        net.bytes(6, 4, scale=0.01),
        net.const(net.rng.randint(-500, 500, 6), INT32, zero=0,
                  scale=in_scale * np.float32(0.01)))
    net.op(9, [x, w, bias], [30, 6], Table(f0=b(RELU), f1=b(0), f2=b(0)))
    net.op(9, [x, w, -1], [1, 6, 5, 6], Table(f0=b(NONE), f1=b(0), f2=b(1)))
    for code in (1, 17):
        same = dict(scale=net.info[x][2], zero=net.info[x][3])
        net.op(code, [x], [1, 3, 3, 4], pool(SAME, 2, 3, 2), **same)
        net.op(code, [x], [1, 5, 3, 4], pool(VALID, 1, 3, 2, RELU), **same)
    for a, c, y, adj_a, adj_c in (((2, 3, 4), (2, 4, 5), (2, 3, 5), 0, 0),
                                  ((1, 4, 3), (2, 5, 4), (2, 3, 5), 1, 1)):
        if net.kind == UINT8:  # which the runtime does not have
            break
        a = net.operand(*a, scale=0.03)
        left = net.op(0, [a, net.operand(1, scale=0.01)], net.info[a][0],
                      Table(f0=b(NONE)), scale=0.04)
        net.op(126, [left, net.operand(*c)], y,
               Table(f0=b(adj_a), f1=b(adj_c)))
    for align, half, size in ((0, 0, (9, 3)), (1, 0, (11, 7)), (0, 1, (4, 9)),
                              (0, 1, (12, 10))):
        net.op(23, [x, net.const(size)], [1, size[0], size[1], 4],
               Table(f2=b(align), f3=b(half)), net.info[x][2], net.info[x][3])


def functions(net, x, unary):
    """Functions of elements, reductions."""
    is_float = net.kind == FLOAT32
    top = dict(scale=1 / 256, zero=-128 if net.kind == INT8 else 0)
    other = net.operand(5, 4, scale=0.031)
    for code, activation, scale in ((0, RELU, 0.05), (41, RELU1, 0.06),
                                    (18, RELU6, 0.03), (0, NONE, 0.02)):
        net.op(code, [x, other], [1, 6, 5, 4], Table(f0=b(activation)), scale)
        net.op(code, [other, x], [1, 6, 5, 4], Table(f0=b(NONE)), scale)
    # version 2.14 of the runtime sums int8 as if it were uint8
    for code in (40,) if net.kind == INT8 else (40, 74):
        scale = 0.02 if code == 40 else 0.4
        for axes, shape, keep in (((1, 2), [1, 4], 0), ((1, 2), [1, 1, 1, 4], 1),
                                  ((-1,), [1, 6, 5], 0), ((2,), [1, 6, 4], 0),
                                  ((1, 2, 3), [1], 0)):
            net.op(code, [x, net.const(axes)], shape, Table(f0=b(keep)), scale)
    same = dict(scale=net.info[x][2], zero=net.info[x][3])
    for code in (82, 89):
        net.op(code, [x, net.const([1, 2])], [1, 4], Table(f0=b(0)), **same)
    side = net.operand(4, scale=same['scale'], zero=same['zero'])
    for code in (55, 57):
        net.op(code, [x, side], [1, 6, 5, 4], Table(), **same)
    again = net.op(0, [x, side], [1, 6, 5, 4], Table(f0=b(NONE)), **same)
    more = again
    if net.kind == UINT8:  # int8 wants one scale
        more = net.op(18, [x, side], [1, 6, 5, 4], Table(f0=b(NONE)), 0.011)
    net.op(2, [x, again, more], [1, 6, 5, 12], Table(f0=i(3), f1=b(NONE)),
           **same)
    net.op(25, [x], [1, 6, 5, 4], Table(f0=('<f', 0.7)), **top)
    net.op(14, [x], [1, 6, 5, 4], None, **top)
    net.op(28, [x], [1, 6, 5, 4], None, 1 / 128,
           0 if net.kind == INT8 else 128)
    slopes = net.floats(1, 1, 4) if is_float else net.bytes(1, 1, 4, scale=0.003)
    net.op(54, [x, slopes], [1, 6, 5, 4])
    for code, options, scale, zero in unary:
        net.op(code, [x], [1, 6, 5, 4], options, scale, zero)


def float_operators():
    net = Net(FLOAT32, 11)
    x = net.tensor([1, 6, 5, 4])
    net.inputs = [x]
    given = net.rng.uniform(-4, 4, (1, 6, 5, 4)).astype(np.float32)
    layers(net, x)
    net.save('float-layers', given)
    net = Net(FLOAT32, 12)
    x = net.tensor([1, 6, 5, 4])
    net.inputs = [x]
    moves(net, x)
    net.save('float-moves', given)
    net = Net(FLOAT32, 13)
    x = net.tensor([1, 6, 5, 4])
    net.inputs = [x]
    plain = [(code, None, None, None) for code in
             (19, 20, 21, 111, 117, 47, 59, 92, 101, 66, 108, 8, 104, 116)]
    functions(net, x, plain + [(98, Table(f0=('<f', 0.3)), None, None),
                               (150, Table(f0=b(0)), None, None),
                               (150, Table(f0=b(1)), None, None),
                               (50, None, None, None),
                               (11, Table(f0=b(NONE)), None, None)])
    positive = net.op(101, [x], [1, 6, 5, 4])
    for code in (73, 75, 76):
        net.op(code, [positive], [1, 6, 5, 4])
    side = net.floats(4, low=0.5, high=2)
    for code in (42, 99):
        net.op(code, [x, side], [1, 6, 5, 4],
               Table(f0=b(RELU6)) if code == 42 else None)
    net.op(78, [positive, side], [1, 6, 5, 4])
    net.op(81, [x, net.const([3])], [1, 6, 5], Table(f0=b(0)))
    net.op(106, [x, positive, x], [1, 6, 5, 4])
    net.save('float-functions', given)


def byte_operators(kind, name, seed):
    low = -128 if kind == INT8 else 0

    def start(scale, zero, step):
        net = Net(kind, seed + step)
        x = net.tensor([1, 6, 5, 4], None, scale, zero + low)
        net.inputs = [x]
        given = net.rng.randint(low, low + 256, (1, 6, 5, 4))
        return net, x, given.astype(KINDS[kind])
    net, x, given = start(0.02, 110, 0)
    layers(net, x)
    net.save(name + '-layers', given)
    net, x, given = start(0.02, 110, 1)
    moves(net, x)
    net.save(name + '-moves', given)
    net, x, given = start(0.035, 120, 2)
    unary = [(19, None, 0.02, 0), (21, None, 0.025, 3), (20, None, 0.01, 5),
             (98, Table(f0=('<f', 0.3)), 0.03, 4), (117, None, 0.03, 20),
             (117, None, 0.011, 100), (114, None, 0.07, 33),
             (114, None, 0.035, 120)]
    if kind == INT8:
        unary += [(111, None, 0.03, 30), (150, Table(f0=b(0)), 0.03, 9),
                  (150, Table(f0=b(1)), 0.02, 9), (47, None, 0.4, 0),
                  (101, None, 0.03, 0), (101, None, 0.035, 0)]
    functions(net, x, [(c, o, s, z + low) for c, o, s, z in unary])
    net.op(6, [x], [1, 6, 5, 4], kind=FLOAT32)
    net.save(name + '-functions', given)


def near_operators(kind, name, seed):
    """Those that we compute in float32 in between."""
    low = -128 if kind == INT8 else 0
    net = Net(kind, seed)
    x = net.tensor([1, 6, 5, 4], None, 0.035, 120 + low)
    net.inputs = [x]
    given = net.rng.randint(low, low + 256, (1, 6, 5, 4)).astype(KINDS[kind])
    side = net.operand(4, scale=0.02)
    if kind == UINT8:
        positive = net.const(net.rng.randint(140, 256, 4), kind, scale=0.02,
                             zero=120)
        net.op(42, [x, positive], [1, 6, 5, 4], Table(f0=b(NONE)), 0.2)
    else:
        net.op(99, [x, side], [1, 6, 5, 4], None, 0.2, -128)
        distance = net.op(101, [x], [1, 6, 5, 4], None, 0.03, -128)
        net.op(76, [distance], [1, 6, 5, 4], None, 0.05, -128)
        net.op(81, [x, net.const([3])], [1, 6, 5], Table(f0=b(0)), 0.5)
    net.op(50, [x], [1, 6, 5, 4], None, 16 / 256, 255 + low)
    net.op(11, [x], [1, 6, 5, 4], Table(f0=b(NONE)), 1 / 128, 128 + low)
    net.save(name + '-near', given)


def hybrid():
    """float32 activations and weights of int8; weights of float16."""
    net = Net(FLOAT32, 41)
    x = net.tensor([2, 6, 5, 4])
    net.inputs = [x]
    given = net.rng.uniform(-2, 3, (2, 6, 5, 4)).astype(np.float32)

    def weights(shape, scales, axis=0):
        return net.const(net.rng.randint(-127, 128, shape), INT8,
                         scale=scales, axis=axis,
                         zero=np.zeros_like(np.atleast_1d(scales), int))
    each = net.rng.uniform(0.005, 0.02, 7)
    net.op(3, [x, weights((7, 3, 3, 4), each), net.floats(7)], [2, 3, 3, 7],
           conv(SAME, 2, RELU))
    net.op(3, [x, weights((7, 3, 3, 4), 0.01), net.floats(7)], [2, 4, 3, 7],
           conv(VALID, 1))
    each = net.rng.uniform(0.005, 0.02, 4)
    net.op(4, [x, weights((1, 3, 3, 4), each, 3), net.floats(4)],
           [2, 6, 5, 4], depthwise(SAME, 1, 1, RELU6))
    for symmetric in (1, 0):
        net.op(9, [x, weights((6, 120), 0.01), net.floats(6)], [2, 6],
               Table(f0=b(NONE), f1=b(0), f2=b(0), f3=b(not symmetric)))
    half = net.const(net.rng.uniform(-1, 1, (5, 2, 2, 4)), FLOAT16)
    wide = net.op(6, [half], [5, 2, 2, 4], keep=False)
    half = net.const(net.rng.uniform(-1, 1, 5), FLOAT16)
    bias = net.op(6, [half], [5], keep=False)
    net.op(3, [x, wide, bias], [2, 5, 4, 5], conv(VALID, 1))
    net.save('hybrid', given)


def main():
    todo = {'float': float_operators, 'hybrid': hybrid,
            'int8': lambda: byte_operators(INT8, 'int8', 21),
            'uint8': lambda: byte_operators(UINT8, 'uint8', 31),
            'near': lambda: (near_operators(INT8, 'int8', 51),
                             near_operators(UINT8, 'uint8', 52))}
    for name in sys.argv[1:] or todo:
        todo[name]()


main()
