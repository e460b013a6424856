#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small TensorFlow Lite models and what the reference kernels make of them.

Writes tests/fuzz/corpus/tflite/NAME.tflite and, beside this script,
tflite-references/NAME-{in,out}.npy, the outputs of all layers one after
another as float32. The integer results come from a plain
re-implementation, with Python's unbounded integers and rational numbers, of
the formulas that TensorFlow Lite publishes (reference/*.h, gemmlowp's
fixedpoint.h, quantization_util.cc); it shares nothing with the engine.
make-tflite-operators.py asks the runtime itself.
"""
import math
import os

import numpy as np

from tflite_file import (CORPUS, FLOAT16, FLOAT32, INT32, INT8, REFERENCES,
                         UINT8, Model, Table)

# --- arithmetic ------------------------------------------------------------

def high_mul(a, b):
    """SaturatingRoundingDoublingHighMul."""
    if a == b == -2**31:
        return 2**31 - 1
    product = a * b
    total = product + (2**30 if product >= 0 else 1 - 2**30)
    return total // 2**31 if total >= 0 else -(-total // 2**31)


def divide_pot(x, exponent):
    """RoundingDivideByPOT: to nearest, halves away from zero."""
    if exponent == 0:
        return x
    quotient, half = x >> exponent, 1 << (exponent - 1)
    remainder = x - (quotient << exponent)
    return quotient + (remainder > half - (x >= 0) if x < 0
                       else remainder >= half)


def factor(real):
    """QuantizeMultiplier."""
    if real == 0:
        return 0, 0
    fraction, shift = math.frexp(real)
    fixed = math.floor(fraction * 2**31 + 0.5)
    if fixed == 2**31:
        fixed, shift = fixed // 2, shift + 1
    if shift < -31:
        return 0, 0
    return fixed, shift


def scale_by(x, real):
    """MultiplyByQuantizedMultiplier."""
    multiplier, shift = factor(real)
    return divide_pot(high_mul(x << max(shift, 0), multiplier),
                      max(-shift, 0))


def round_away(x):
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


LIMITS = {UINT8: (0, 255), INT8: (-128, 127)}
TYPES = {UINT8: np.uint8, INT8: np.int8}


def bounds(kind, scale, zero, activation):
    """CalculateActivationRangeQuantized; 1 is RELU, 3 RELU6."""
    low, high = LIMITS[kind]
    if activation in (1, 3):
        low = max(low, zero + round_away(0 / np.float32(scale)))
    if activation == 3:
        high = min(high, zero + round_away(
            float(np.float32(6) / np.float32(scale))))
    return low, high


class Quantised:
    """An array of bytes with scale and zero point."""

    def __init__(self, values, kind, scale, zero):
        self.values = np.asarray(values, np.int64)
        self.kind, self.zero = kind, zero
        self.scale = np.float32(scale)

    def like(self, shape, scale, zero):
        return Quantised(np.zeros(shape), self.kind, scale, zero)


def same_padding(size, kernel, stride, same):
    if not same:
        return (size - kernel) // stride + 1, 0
    out = -(-size // stride)
    return out, max(0, (out - 1) * stride + kernel - size) // 2


def windows(x, kernel, stride, same):
    """(y, x, [(ky, kx, iy, ix)]) for every output pixel."""
    _, height, width, _ = x.values.shape
    oh, top = same_padding(height, kernel[0], stride, same)
    ow, left = same_padding(width, kernel[1], stride, same)
    for oy in range(oh):
        for ox in range(ow):
            taps = []
            for ky in range(kernel[0]):
                for kx in range(kernel[1]):
                    iy, ix = oy * stride - top + ky, ox * stride - left + kx
                    if 0 <= iy < height and 0 <= ix < width:
                        taps.append((ky, kx, iy, ix))
            yield oy, ox, taps


def extent(x, kernel, stride, same):
    return (same_padding(x.values.shape[1], kernel[0], stride, same)[0],
            same_padding(x.values.shape[2], kernel[1], stride, same)[0])


def conv_factor(x, w_scales, o, y_scale, in_float):
    scale = w_scales[o if len(w_scales) > 1 else 0]
    if in_float and len(w_scales) == 1:
        return float(x.scale * scale) / float(y_scale)
    return float(x.scale) * float(scale) / float(y_scale)


def conv(x, weights, w_scales, w_zero, bias, y_scale, y_zero, stride, same,
         activation, depthwise):
    y_scale, w_scales = np.float32(y_scale), np.float32(np.atleast_1d(w_scales))
    kernel = weights.shape[1:3]
    n_out = weights.shape[3 if depthwise else 0]
    y = x.like((x.values.shape[0],) + extent(x, kernel, stride, same) +
               (n_out,), y_scale, y_zero)
    low, high = bounds(x.kind, y_scale, y_zero, activation)
    per_group = n_out // x.values.shape[3]
    for n in range(x.values.shape[0]):
        for oy, ox, taps in windows(x, kernel, stride, same):
            for o in range(n_out):
                acc = int(bias[o])
                for ky, kx, iy, ix in taps:
                    pixel = x.values[n, iy, ix] - x.zero
                    if depthwise:
                        acc += int(pixel[o // per_group]) * (
                            int(weights[0, ky, kx, o]) - w_zero)
                    else:
                        acc += int(np.dot(
                            pixel, weights[o, ky, kx].astype(np.int64)
                            - w_zero))
                real = conv_factor(x, w_scales, o, y_scale, x.kind == UINT8)
                value = scale_by(acc, real) + y_zero
                y.values[n, oy, ox, o] = min(max(value, low), high)
    return y


def dense(x, weights, w_scale, w_zero, bias, y_scale, y_zero, activation):
    y_scale, w_scale = np.float32(y_scale), np.float32(w_scale)
    flat = x.values.reshape(-1, weights.shape[1])
    y = x.like((len(flat), len(weights)), y_scale, y_zero)
    low, high = bounds(x.kind, y_scale, y_zero, activation)
    real = float(x.scale * w_scale) / float(y_scale)
    for n, row in enumerate(flat):
        for o, column in enumerate(weights.astype(np.int64) - w_zero):
            acc = int(np.dot(row - x.zero, column)) + int(bias[o])
            y.values[n, o] = min(max(scale_by(acc, real) + y_zero, low), high)
    return y


def binary(a, b, y_scale, y_zero, activation, kind):
    y_scale = np.float32(y_scale)
    y = a.like(a.values.shape, y_scale, y_zero)
    low, high = bounds(a.kind, y_scale, y_zero, activation)
    twice = 2 * float(max(a.scale, b.scale))
    flat = y.values.reshape(-1)
    for i, (p, q) in enumerate(zip(a.values.reshape(-1),
                                   np.broadcast_to(b.values, a.values.shape)
                                   .reshape(-1))):
        p, q = int(p) - a.zero, int(q) - b.zero
        if kind == 'mul':
            value = scale_by(p * q, float(a.scale * b.scale / y_scale))
        else:
            p = scale_by(p << 20, float(a.scale) / twice)
            q = scale_by(q << 20, float(b.scale) / twice)
            value = scale_by(p + q if kind == 'add' else p - q,
                             twice / (2**20 * float(y_scale)))
        flat[i] = min(max(value + y_zero, low), high)
    return y


def divide_away(total, count):
    """Rounds halves away from zero, as C's division allows."""
    if total > 0:
        return (total + count // 2) // count
    return -((-total + count // 2) // count)


def average_pool(x, kernel, stride, same):
    shape = (x.values.shape[0],) + extent(x, kernel, stride, same)
    y = x.like(shape + x.values.shape[3:], x.scale, x.zero)
    for n in range(x.values.shape[0]):
        for oy, ox, taps in windows(x, kernel, stride, same):
            for c in range(x.values.shape[3]):
                total = sum(int(x.values[n, iy, ix, c])
                            for _, _, iy, ix in taps)
                y.values[n, oy, ox, c] = divide_away(total, len(taps))
    return y


def max_pool(x, kernel, stride, same):
    shape = (x.values.shape[0],) + extent(x, kernel, stride, same)
    y = x.like(shape + x.values.shape[3:], x.scale, x.zero)
    for n in range(x.values.shape[0]):
        for oy, ox, taps in windows(x, kernel, stride, same):
            y.values[n, oy, ox] = np.max(
                [x.values[n, iy, ix] for _, _, iy, ix in taps], axis=0)
    return y


def mean(x, y_scale, y_zero):
    """Over height and width; the count goes into the factor, cut off."""
    y_scale = np.float32(y_scale)
    n, height, width, channels = x.values.shape
    y = x.like((n, channels), y_scale, y_zero)
    low, high = LIMITS[x.kind]
    count = height * width
    multiplier, shift = factor(float(x.scale) / float(y_scale))
    more = min(count.bit_length() - 1, 32, 31 + shift)
    multiplier, shift = (multiplier << more) // count, shift - more
    for i in range(n):
        for c in range(channels):
            total = int(x.values[i, :, :, c].sum()) - count * x.zero
            value = divide_pot(high_mul(total << max(shift, 0), multiplier),
                               max(-shift, 0)) + y_zero
            y.values[i, c] = min(max(value, low), high)
    return y


class Fixed:
    """gemmlowp's FixedPoint<int32, integer_bits>."""

    def __init__(self, raw, integer_bits):
        self.raw, self.bits = raw, integer_bits

    def __mul__(self, other):
        return Fixed(high_mul(self.raw, other.raw), self.bits + other.bits)

    def __add__(self, other):
        assert self.bits == other.bits
        return Fixed(self.raw + other.raw, self.bits)

    def __sub__(self, other):
        assert self.bits == other.bits
        return Fixed(self.raw - other.raw, self.bits)

    def rescale(self, integer_bits):
        exponent = self.bits - integer_bits
        if exponent < 0:
            return Fixed(divide_pot(self.raw, -exponent), integer_bits)
        raw = min(max(self.raw << exponent, -2**31), 2**31 - 1)
        return Fixed(raw, integer_bits)


def real(value, integer_bits):
    """The nearest fixed-point constant."""
    raw = math.floor(value * 2.0**(31 - integer_bits) + 0.5)
    return Fixed(min(raw, 2**31 - 1), integer_bits)


def exp_interval(a):
    x = a + real(1 / 8, 0)
    x2 = x * x
    x3, x4 = x2 * x, x2 * x2
    third = real(1 / 3, 0)
    inner = (Fixed(divide_pot(x4.raw, 2), 0) + x3) * third + x2
    term = real(math.exp(-1 / 8), 0)
    return term + term * (x + Fixed(divide_pot(inner.raw, 1), 0))


def exp_negative(a):
    quarter = 1 << (31 - a.bits - 2)
    fraction = (a.raw & (quarter - 1)) - quarter
    result = exp_interval(Fixed(fraction, a.bits).rescale(0))
    remainder = fraction - a.raw
    for exponent in range(-2, 5):
        if remainder & (1 << (31 - a.bits + exponent)):
            result = result * real(math.exp(-2.0**exponent), 0)
    return Fixed(2**31 - 1, 0) if a.raw == 0 else result


def reciprocal(a):
    """1 / (1 + a) by Newton's method."""
    half = Fixed((a.raw + 2**31 - 1 + 1) // 2, 0)
    x = real(48 / 17, 2) + half * real(-32 / 17, 2)
    one = Fixed(1 << 29, 2)
    for _ in range(3):
        x = x + (x * (one - half * x)).rescale(2)
    return Fixed(x.raw, 1).rescale(0)


def softmax(x, beta):
    multiplier, shift = factor(min(float(beta) * float(x.scale) * 2**26,
                                   2.0**31 - 1))
    diff_min = -math.floor(31 * 2**26 / 2**shift)
    y = x.like(x.values.shape, 1 / 256, LIMITS[x.kind][0])
    low, high = LIMITS[x.kind]
    for row, out in zip(x.values.reshape(-1, x.values.shape[-1]),
                        y.values.reshape(-1, x.values.shape[-1])):
        diffs = [int(q) - int(row.max()) for q in row]
        exps = [exp_negative(Fixed(high_mul(d << shift, multiplier), 5))
                if d >= diff_min else None for d in diffs]
        total = sum(e.rescale(12).raw for e in exps if e)
        headroom = 32 - total.bit_length()
        scale = reciprocal(Fixed((total << headroom) - 2**31, 0))
        for i, e in enumerate(exps):
            value = divide_pot((scale * e).raw,
                               12 - headroom + 31 - 8) + low if e else low
            out[i] = min(max(value, low), high)
    return y


# --- models ----------------------------------------------------------------

def conv_options(same, stride, activation, depthwise=False):
    head = dict(f0=('<b', 0 if same else 1), f1=('<i', stride),
                f2=('<i', stride))
    if depthwise:
        return Table(f3=('<i', 1), f4=('<b', activation), **head)
    return Table(f3=('<b', activation), **head)


def pool_options(kernel, stride, same):
    return Table(f0=('<b', 0 if same else 1), f1=('<i', stride),
                 f2=('<i', stride), f3=('<i', kernel[1]),
                 f4=('<i', kernel[0]), f5=('<b', 0))


def save(name, given, layers):
    found = [((y.values - y.zero).astype(np.float32) * y.scale).reshape(-1)
             for y in layers]
    np.save(os.path.join(REFERENCES, name + '-in.npy'), given)
    np.save(os.path.join(REFERENCES, name + '-out.npy'),
            np.concatenate(found))


def network(name, kind, seed):
    """Conv, depthwise, Add, Sub, Mul, MaxPool, AveragePool, dense, Softmax;
    per tensor for uint8, per channel for int8."""
    rng = np.random.RandomState(seed)
    model = Model()
    low, high = LIMITS[kind]
    per_channel = kind == INT8
    layers, indices = [], []

    def params(n_out, size):
        scales = rng.uniform(0.002, 0.02, n_out if per_channel else 1)
        zero = 0 if per_channel else int(rng.randint(90, 160))
        values = rng.randint(-127 if per_channel else 0, high + 1, size)
        return np.float32(scales), zero, values.astype(TYPES[kind])

    def add_conv(x, index, weights, scales, zero, y_scale, y_zero, stride,
                 same, activation, depthwise):
        n_out = weights.shape[3 if depthwise else 0]
        bias = rng.randint(-3000, 3000, n_out).astype(np.int32)
        y = conv(x, weights, scales, zero, bias, y_scale, y_zero, stride,
                 same, activation, depthwise)
        w = model.tensor('w', weights.shape, kind, scales, zero, weights,
                         3 if depthwise else 0)
        b = model.tensor('b', bias.shape, INT32, x.scale * scales, 0, bias)
        out = model.tensor('y', y.values.shape, kind, y_scale, y_zero)
        model.operator(4 if depthwise else 3, [index, w, b], out,
                       conv_options(same, stride, activation, depthwise))
        layers.append(y)
        indices.append(out)
        return y, out

    def add_result(y, code, inputs, options):
        out = model.tensor('y', y.values.shape, kind, y.scale, y.zero)
        model.operator(code, inputs, out, options)
        layers.append(y)
        indices.append(out)
        return out

    pixels = rng.randint(0, 256, (1, 9, 8, 3))
    x = Quantised(pixels + low, kind, 1 / 128, 128 + low)
    index = given = model.tensor('input', x.values.shape, kind, x.scale, x.zero)
    scales, zero, weights = params(6, (6, 3, 3, 3))
    x, index = add_conv(x, index, weights, scales, zero, 0.03, low, 2, True,
                        3, False)
    scales, zero, weights = params(12, (1, 3, 3, 12))
    x, index = add_conv(x, index, weights, scales, zero, 0.05, low + 100, 1,
                        True, 0, True)
    scales, zero, weights = params(12, (12, 1, 1, 12))
    side, other = add_conv(x, index, weights, scales, zero, 0.11, low + 140,
                           1, False, 0, False)
    for code, operation in ((0, 'add'), (41, 'sub'), (18, 'mul')):
        y = binary(x, side, 0.09, low + 120, 1 if code == 0 else 0, operation)
        index = add_result(y, code, [index, other], Table(
            f0=('<b', 1 if code == 0 else 0)))
        x = y
    y = max_pool(x, (2, 3), 1, True)
    index, x = add_result(y, 17, [index], pool_options((2, 3), 1, True)), y
    y = average_pool(x, (3, 2), 2, True)
    index, x = add_result(y, 1, [index], pool_options((3, 2), 2, True)), y
    axes = model.tensor('axes', [2], INT32, data=np.int32([1, 2]))
    y = mean(x, 0.1, low + 120)
    index, x = add_result(y, 40, [index, axes], Table(f0=('<b', 0))), y
    weights = rng.randint(-127 if per_channel else 0, high + 1,
                          (10, 12)).astype(TYPES[kind])
    zero = 0 if per_channel else 131
    bias = rng.randint(-500, 500, 10).astype(np.int32)
    y = dense(x, weights, 0.01, zero, bias, 0.08, low + 130, 0)
    w = model.tensor('w', weights.shape, kind, 0.01, zero, weights)
    b = model.tensor('b', [10], INT32, x.scale * np.float32(0.01), 0, bias)
    index, x = add_result(y, 9, [index, w, b], Table(f0=('<b', 0))), y
    y = softmax(x, 1.0)
    add_result(y, 25, [index], Table(f0=('<f', 1.0)))
    model.write(name, [given], indices)
    save(name, pixels.astype(np.uint8), layers)


def softmax_only(name, kind, seed):
    """Many rows: every logit difference, steep and flat."""
    rng = np.random.RandomState(seed)
    low, _ = LIMITS[kind]
    model = Model()
    pixels = np.concatenate([
        rng.randint(0, 256, (40, 16)),
        np.arange(256).reshape(16, 16),
        np.full((1, 16), 7),
        rng.randint(200, 256, (7, 16))])
    x = Quantised(pixels + low, kind, 0.07, low + 90)
    y = softmax(x, 1.0)
    given = model.tensor('input', x.values.shape, kind, x.scale, x.zero)
    out = model.tensor('y', y.values.shape, kind, y.scale, y.zero)
    model.operator(25, [given], out, Table(f0=('<f', 1.0)))
    model.write(name, [given], [out])
    save(name, pixels.astype(np.uint8), [y])


def float_network(name, seed):
    """float32 and float16 weights, an open batch, a shape computed from
    SHAPE, STRIDED_SLICE and PACK; computed here in float64."""
    rng = np.random.RandomState(seed)
    model = Model()
    x = rng.uniform(-1, 1, (1, 6, 5, 2))
    np.save(os.path.join(REFERENCES, name + '-in.npy'), x.astype(np.float32))
    x = x.astype(np.float32).astype(np.float64)
    index = given = model.tensor('input', x.shape, FLOAT32,
                                 signature=[-1, 6, 5, 2])
    weights = rng.uniform(-1, 1, (4, 3, 3, 2)).astype(np.float16)
    half = model.tensor('half', weights.shape, FLOAT16, data=weights)
    wide = model.tensor('wide', weights.shape, FLOAT32)
    model.operator(6, [half], wide)
    bias = rng.uniform(-1, 1, 4).astype(np.float32)
    b = model.tensor('b', [4], FLOAT32, data=bias)
    oh, top = same_padding(6, 3, 2, True)
    ow, left = same_padding(5, 3, 2, True)
    padded = np.pad(x, ((0, 0), (top, 3), (left, 3), (0, 0)))
    y = np.zeros((1, oh, ow, 4))
    for oy in range(oh):
        for ox in range(ow):
            patch = padded[0, 2 * oy:2 * oy + 3, 2 * ox:2 * ox + 3]
            y[0, oy, ox] = np.tensordot(
                weights.astype(np.float64), patch, 3) + bias
    y = np.maximum(y, 0)
    out = model.tensor('conv', y.shape, FLOAT32, signature=[-1, oh, ow, 4])
    model.operator(3, [index, wide, b], out, conv_options(True, 2, 1))
    pads = model.tensor('pads', [4, 2], INT32,
                        data=np.int32([[0, 0], [1, 0], [0, 1], [0, 0]]))
    y = np.pad(y, ((0, 0), (1, 0), (0, 1), (0, 0)))
    padded_out = model.tensor('pad', y.shape, FLOAT32)
    model.operator(34, [out, pads], padded_out)
    y = y * (1 / (1 + np.exp(-y)))
    gate = model.tensor('gate', y.shape, FLOAT32)
    model.operator(14, [padded_out], gate)
    out = model.tensor('mul', y.shape, FLOAT32)
    model.operator(18, [padded_out, gate], out, Table(f0=('<b', 0)))
    y = np.concatenate([y, y], 3)
    joined = model.tensor('concat', y.shape, FLOAT32)
    model.operator(2, [out, out], joined, Table(f0=('<i', 3), f1=('<b', 0)))
    # reshape to [SHAPE (x)[0], everything else]
    flat = y.reshape(1, -1)
    begin = model.tensor('begin', [1], INT32, data=np.int32([0]))
    end = model.tensor('end', [1], INT32, data=np.int32([1]))
    size = model.tensor('size', [1], INT32, data=np.int32([flat.shape[1]]))
    shape = model.tensor('shape', [4], INT32)
    model.operator(77, [joined], shape)
    batch = model.tensor('batch', [], INT32)
    model.operator(45, [shape, begin, end, end], batch)
    target = model.tensor('target', [2], INT32)
    model.operator(83, [batch, size], target)
    out = model.tensor('flat', flat.shape, FLOAT32,
                       signature=[-1, flat.shape[1]])
    model.operator(22, [joined, target], out)
    weights = rng.uniform(-1, 1, (5, flat.shape[1])).astype(np.float32)
    w = model.tensor('w', weights.shape, FLOAT32, data=weights)
    y = flat @ weights.astype(np.float64).T
    dense_out = model.tensor('dense', y.shape, FLOAT32, signature=[-1, 5])
    model.operator(9, [out, w, -1], dense_out, Table(f0=('<b', 0)))
    y = np.exp(y - y.max()) / np.exp(y - y.max()).sum()
    last = model.tensor('softmax', y.shape, FLOAT32, signature=[-1, 5])
    model.operator(25, [dense_out], last, Table(f0=('<f', 1.0)))
    model.write(name, [given], [last])
    np.save(os.path.join(REFERENCES, name + '-out.npy'),
            y.reshape(-1).astype(np.float32))


def main():
    os.makedirs(CORPUS, exist_ok=True)
    os.makedirs(REFERENCES, exist_ok=True)
    network('network-int8', INT8, 1)
    network('network-uint8', UINT8, 2)
    softmax_only('softmax-int8', INT8, 3)
    softmax_only('softmax-uint8', UINT8, 4)
    float_network('network-float', 5)


main()
