# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the layers of Keras compute, in plain numpy and float64.

Written from the formulas on keras.io and of TensorFlow's image.resize; shares
nothing with the engine. Images are [N, H, W, C].
"""
import math

import numpy as np

erf = np.vectorize(math.erf, otypes=[float])


def pair(value):
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * 2


def same_pads(size, kernel, stride):
    """The odd one goes to the end."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def windows(x, kernel, strides, padding, dilation=1, fill=0.0):
    """[N, OH, OW, KH, KW, C]"""
    kernel, strides, dilation = pair(kernel), pair(strides), pair(dilation)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    pads = [(0, 0)] * 4
    if padding == 'same':
        for a in range(2):
            pads[1 + a] = same_pads(x.shape[1 + a], reach[a], strides[a])
    x = np.pad(x, pads, constant_values=fill)
    n, h, w, c = x.shape
    oh = (h - reach[0]) // strides[0] + 1
    ow = (w - reach[1]) // strides[1] + 1
    out = np.empty((n, oh, ow, kernel[0], kernel[1], c))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            y, z = i * dilation[0], j * dilation[1]
            out[:, :, :, i, j] = x[:, y:y + (oh - 1) * strides[0] + 1:strides[0],
                                   z:z + (ow - 1) * strides[1] + 1:strides[1]]
    return out


def conv(x, kernel, bias, strides=1, padding='valid', dilation=1, groups=1):
    kh, kw, c, o = kernel.shape
    parts = []
    for g in range(groups):
        part = windows(x[..., g * c:(g + 1) * c], (kh, kw), strides, padding,
                       dilation)
        parts.append(np.einsum(
            'nyxijc,ijco->nyxo', part,
            kernel[..., g * (o // groups):(g + 1) * (o // groups)],
            optimize=True))
    return np.concatenate(parts, -1) + bias


def depthwise(x, kernel, bias, strides=1, padding='valid', dilation=1):
    kh, kw, c, m = kernel.shape
    out = np.einsum('nyxijc,ijcm->nyxcm',
                    windows(x, (kh, kw), strides, padding, dilation), kernel,
                    optimize=True)
    return out.reshape(out.shape[:3] + (c * m,)) + bias


def conv_transpose(x, kernel, bias, strides, padding, output_padding=None):
    """The gradient of a convolution: every pixel paints its kernel."""
    kh, kw, o, _ = kernel.shape
    strides = pair(strides)
    n, h, w, _ = x.shape
    extents, cuts = [], []
    for a, (size, k) in enumerate(((h, kh), (w, kw))):
        s = strides[a]
        if output_padding is not None:
            p = pair(output_padding)[a]
            out = (size - 1) * s + k + p
            out -= 2 * (k // 2) if padding == 'same' else 0
        elif padding == 'same':
            out = size * s
        else:
            out = size * s + max(k - s, 0)
        extents.append(out)
        forward = max((size - 1) * s + k - out, 0)
        cuts.append(forward // 2 if padding == 'same' else 0)
    canvas = np.zeros((n, extents[0] + 2 * kh + strides[0] * 2,
                       extents[1] + 2 * kw + strides[1] * 2, o))
    for y in range(h):
        for z in range(w):
            canvas[:, y * strides[0]:y * strides[0] + kh,
                   z * strides[1]:z * strides[1] + kw] += np.einsum(
                       'nc,ijoc->nijo', x[:, y, z], kernel)
    return canvas[:, cuts[0]:cuts[0] + extents[0],
                  cuts[1]:cuts[1] + extents[1]] + bias


def max_pool(x, size, strides, padding):
    return windows(x, size, strides, padding, fill=-np.inf).max((3, 4))


def average_pool(x, size, strides, padding):
    ones = windows(np.ones_like(x), size, strides, padding).sum((3, 4))
    return windows(x, size, strides, padding).sum((3, 4)) / ones


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(-abs(x))) + np.maximum(x, 0)


SELU = 1.6732632423543772, 1.0507009873554805

ACTIVATIONS = {
    'linear': lambda x: x,
    'relu': lambda x: np.maximum(x, 0),
    'relu6': lambda x: np.clip(x, 0, 6),
    'leaky_relu': lambda x: np.where(x > 0, x, 0.2 * x),
    'elu': lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    'celu': lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    'selu': lambda x: SELU[1] * np.where(
        x > 0, x, SELU[0] * np.expm1(np.minimum(x, 0))),
    'gelu': lambda x: x / 2 * (1 + erf(x / math.sqrt(2))),
    'silu': lambda x: x * sigmoid(x),
    'swish': lambda x: x * sigmoid(x),
    'hard_sigmoid': lambda x: np.clip(x + 3, 0, 6) / 6,
    'hard_silu': lambda x: x * np.clip(x + 3, 0, 6) / 6,
    'hard_swish': lambda x: x * np.clip(x + 3, 0, 6) / 6,
    'hard_tanh': lambda x: np.clip(x, -1, 1),
    'mish': lambda x: x * np.tanh(softplus(x)),
    'sigmoid': sigmoid,
    'tanh': np.tanh,
    'softplus': softplus,
    'softsign': lambda x: x / (1 + abs(x)),
    'exponential': np.exp,
    'softmax': softmax,
    'log_softmax': lambda x: np.log(softmax(x)),
    'log_sigmoid': lambda x: -softplus(-x),
    'tanh_shrink': lambda x: x - np.tanh(x),
    'soft_shrink': lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0),
}


def relu(x, max_value=None, negative_slope=0, threshold=0):
    """The three cases of keras.layers.ReLU, one by one."""
    top = np.inf if max_value is None else max_value
    return np.where(x >= top, top, np.where(
        x > threshold, x, negative_slope * (x - threshold)))


def batch_norm(x, gamma, beta, mean, variance, epsilon, axis=-1):
    shape = [1] * x.ndim
    shape[axis] = -1
    g, b, m, v = (np.reshape(a, shape) for a in (gamma, beta, mean, variance))
    return (x - m) / np.sqrt(v + epsilon) * g + b


def layer_norm(x, gamma, beta, epsilon, axes=(-1,)):
    mean = x.mean(axes, keepdims=True)
    variance = ((x - mean) ** 2).mean(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def group_norm(x, groups, gamma, beta, epsilon):
    """Channels last."""
    y = x.reshape(x.shape[:-1] + (groups, -1))
    axes = tuple(range(1, y.ndim - 2)) + (y.ndim - 1,)
    mean = y.mean(axes, keepdims=True)
    variance = ((y - mean) ** 2).mean(axes, keepdims=True)
    return ((y - mean) / np.sqrt(variance + epsilon)).reshape(
        x.shape) * gamma + beta


def cubic(t):
    t = abs(t)
    if t < 1:
        return 1.5 * t ** 3 - 2.5 * t ** 2 + 1
    return -0.5 * t ** 3 + 2.5 * t ** 2 - 4 * t + 2 if t < 2 else 0.0


def resize_matrix(size, out, method):
    matrix = np.zeros((out, size))
    for i in range(out):
        centre = (i + 0.5) * size / out
        if method == 'nearest':
            matrix[i, min(int(math.floor(centre)), size - 1)] = 1
            continue
        at = centre - 0.5
        low = math.floor(at)
        if method == 'bilinear':
            for k, weight in ((low, 1 - at + low), (low + 1, at - low)):
                matrix[i, min(max(k, 0), size - 1)] += weight
            continue
        for k in range(low - 1, low + 3):
            if 0 <= k < size:
                matrix[i, k] = cubic(at - k)
        matrix[i] /= matrix[i].sum()
    return matrix


def resize(x, height, width, method):
    return np.einsum('yh,nhwc,xw->nyxc',
                     resize_matrix(x.shape[1], height, method), x,
                     resize_matrix(x.shape[2], width, method), optimize=True)


def crop_to_aspect(x, height, width):
    h, w = x.shape[1:3]
    ch = max(min(h, int(float(w * height) / width)), 1)
    cw = max(min(w, int(float(h * width) / height)), 1)
    y, z = (h - ch) // 2, (w - cw) // 2
    return x[:, y:y + ch, z:z + cw]


def pad_to_aspect(x, height, width, fill):
    h, w = x.shape[1:3]
    ph = max(h, int(float(w * height) / width))
    pw = max(w, int(float(h * width) / height))
    out = np.full((x.shape[0], ph, pw, x.shape[3]), float(fill))
    y, z = (ph - h) // 2, (pw - w) // 2
    out[:, y:y + h, z:z + w] = x
    return out


def attention(query, value, key, weights, key_dim):
    """weights: kernel and bias of query, key, value and output."""
    (wq, bq), (wk, bk), (wv, bv), (wo, bo) = weights
    q = np.einsum('ntd,dhk->nhtk', query, wq) + bq[:, None]
    k = np.einsum('ntd,dhk->nhtk', key, wk) + bk[:, None]
    v = np.einsum('ntd,dhk->nhtk', value, wv) + bv[:, None]
    scores = softmax(np.einsum('nhtk,nhsk->nhts', q, k) / math.sqrt(key_dim))
    return np.einsum('nhts,nhsk,hkd->ntd', scores, v, wo, optimize=True) + bo


def dot(x, y, axes, normalize=False):
    a, b = pair(axes)
    if normalize:
        x = x / np.sqrt((x * x).sum(a, keepdims=True))
        y = y / np.sqrt((y * y).sum(b, keepdims=True))
    rows = [np.tensordot(x[n], y[n], axes=((a % x.ndim) - 1, (b % y.ndim) - 1))
            for n in range(len(x))]
    out = np.stack([np.asarray(r) for r in rows])
    return out[:, None] if out.ndim == 1 else out
