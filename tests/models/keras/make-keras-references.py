#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small Keras files and what numpy makes of them.

  make-keras-references.py FOLDER            layers: NAME.keras, NAME.h5
  make-keras-references.py --networks FOLDER  those of keras.applications
  make-keras-references.py --corpus FOLDER    seeds for tests/fuzz/fuzz-keras.c

Beside each model: NAME-in.npy and NAME-out.npy, all inputs and all outputs one
after another. tests/models/keras-references holds what the first makes;
test-keras-layers has the second make its networks when it runs.
"""
import math
import os
import struct
import sys

import numpy as np

import keras_layers as kl
import keras_networks
import keras_numpy as kn
from keras_net import Layer, Model, random, rng, save_h5, save_keras3


def convolutions(m):
    x = m.input(9, 8, 4)
    yield kl.conv2d(m, x, 5, 3)
    yield kl.conv2d(m, x, 6, (3, 2), strides=2, padding='same', groups=2,
                    activation=kl.function('relu', 'object'))
    yield kl.conv2d(m, x, 3, 3, padding='same', dilation=2, use_bias=False)
    yield kl.conv2d(m, x, 3, 2, strides=(2, 1), padding='same')
    yield kl.depthwise(m, x, 3, strides=2, padding='same', multiplier=2)
    yield kl.depthwise(m, x, 3, dilation=2, use_bias=False, activation='silu')
    yield kl.separable(m, x, 5, 3, strides=2, padding='same', multiplier=3)
    yield kl.separable(m, x, 5, (2, 3), use_bias=False, activation='elu')


def same_padding(m):
    """Every way in which stride 2 can fall: even and odd, 1 to 5 wide."""
    for size in (7, 8):
        x = m.input(size, size + 1, 2)
        for kernel in (1, 2, 3, 4, 5):
            yield kl.conv2d(m, x, 2, kernel, strides=2, padding='same')
            yield kl.depthwise(m, x, kernel, strides=2, padding='same')
        for kind in ('Max', 'Average'):
            yield kl.pool(m, x, kind, 2, padding='same')
            yield kl.pool(m, x, kind, 3, 2, padding='same')


def transposed(m):
    x = m.input(4, 5, 3)
    for padding in ('same', 'valid'):
        yield kl.conv_transpose(m, x, 2, 3, 2, padding)
        yield kl.conv_transpose(m, x, 2, 4, 2, padding, use_bias=False)
        yield kl.conv_transpose(m, x, 2, 2, 3, padding)
        yield kl.conv_transpose(m, x, 2, (5, 3), (3, 2), padding)
        yield kl.conv_transpose(m, x, 2, 3, 2, padding, output_padding=1)
        yield kl.conv_transpose(m, x, 2, 4, 3, padding, output_padding=2)
        yield kl.conv_transpose(m, x, 2, 3, 1, padding)


def dense(m):
    x2, x3, x4 = m.input(6), m.input(3, 5), m.input(2, 3, 4)
    yield kl.dense(m, x2, 4, 'softmax')
    yield kl.dense(m, x3, 4, 'tanh')
    yield kl.dense(m, x4, 3, use_bias=False)
    yield kl.dense(m, kl.flatten(m, x4), 3, dtype={
        'module': 'keras', 'class_name': 'DTypePolicy',
        'config': {'name': 'mixed_float16'}, 'registered_name': None})
    yield kl.dense(m, x2, 3, {
        'module': 'keras.layers', 'class_name': 'ReLU', 'config': {
            'name': 're', 'max_value': 1.5, 'negative_slope': 0.1}})
    yield kl.simple(m, x2, 'RepeatVector',
                    lambda v: np.repeat(v[:, None], 3, 1), {'n': 3})


def channels_first(m):
    x = m.input(4, 8, 7)
    first = 'channels_first'
    y = kl.conv2d(m, x, 6, 3, strides=2, padding='same', data_format=first)
    z = kl.batch_norm(m, y, axis=1)
    yield z
    yield kl.pool(m, z, 'Max', 2, data_format=first)
    yield kl.global_pool(m, z, data_format=first)
    yield kl.concatenate(m, y, z, axis=1)
    yield m.add(Layer('Flatten', {'data_format': first},
                      forward=lambda v: np.moveaxis(v, 1, -1).reshape(
                          len(v), -1)), z)
    yield kl.group_norm(m, y, 3, axis=1)


def norms(m):
    x = m.input(5, 4, 6)
    s = m.input(5, 6)
    d = m.input(6)
    for t in (x, s, d):
        yield kl.batch_norm(m, t)
        yield kl.batch_norm(m, t, scale=False, epsilon=0.1)
        yield kl.layer_norm(m, t, epsilon=1e-6)
    yield kl.batch_norm(m, x, center=False, scale=False, listed=True)
    yield kl.batch_norm(m, x, axis=2)
    yield kl.batch_norm(m, s, axis=1, class_name='SyncBatchNormalization')
    yield kl.layer_norm(m, x, axis=[1, 2, 3])
    yield kl.layer_norm(m, x, axis=[3], scale=False)
    yield kl.layer_norm(m, s, center=False)
    for groups in (1, 2, 6, -1):
        yield kl.group_norm(m, x, groups)
    yield kl.group_norm(m, x, 3, scale=False)
    yield kl.group_norm(m, x, 2, axis=2, center=False)
    yield kl.group_norm(m, s, 3)
    yield kl.simple(m, x, 'UnitNormalization', lambda v: v / np.sqrt(
        (v * v).sum(-1, keepdims=True)), {'axis': -1})
    yield kl.simple(m, x, 'UnitNormalization', lambda v: v / np.sqrt(
        (v * v).sum((1, 2), keepdims=True)), {'axis': [1, 2]})
    gamma = random(6, scale=0.5)
    yield kl.simple(m, x, 'LayerScale', lambda v: v * gamma,
                    {'init_values': 1e-6, 'projection_dim': 6},
                    [('gamma', gamma)])


def activations(m):
    x = m.input(4, 3, 5)
    x.value *= 3
    x.value = x.value.astype('f4').astype('f8')
    for name in kn.ACTIVATIONS:
        yield kl.activation(m, x, name)
    yield kl.activation(m, x, 'gelu', kl.function('gelu', 'object'))
    for config in ({}, {'max_value': 2.0}, {'negative_slope': 0.1},
                   {'threshold': 0.7}, {'max_value': 6.0},
                   {'max_value': 3.0, 'negative_slope': 0.2},
                   {'max_value': 3.0, 'negative_slope': 0.2,
                    'threshold': 0.5}):
        yield kl.relu(m, x, **config)
    yield kl.simple(m, x, 'ThresholdedReLU', lambda v: np.where(v > 0.8, v, 0),
                    {'theta': 0.8})
    yield kl.simple(m, x, 'LeakyReLU', lambda v: np.where(v > 0, v, 0.3 * v))
    yield kl.simple(m, x, 'LeakyReLU', lambda v: np.where(v > 0, v, 0.1 * v),
                    {'alpha': 0.1})
    yield kl.simple(m, x, 'LeakyReLU', lambda v: np.where(v > 0, v, 0.4 * v),
                    {'negative_slope': 0.4})
    yield kl.simple(m, x, 'ELU', lambda v: np.where(
        v > 0, v, 0.5 * np.expm1(np.minimum(v, 0))), {'alpha': 0.5})
    for axis in (-1, 1, 2, [-1]):
        yield kl.simple(m, x, 'Softmax', lambda v, a=axis: kn.softmax(
            v, a[0] if isinstance(a, list) else a), {'axis': axis})
    y = kl.conv2d(m, x, 5, 1)
    yield kl.simple(m, y, 'Softmax', lambda v: kn.softmax(v, 3), {'axis': 3})
    for shared in (None, [1, 2], [1]):
        shape = [1 if shared and i + 1 in shared else n
                 for i, n in enumerate(x.shape[1:])]
        alpha = random(*shape, scale=0.3)
        yield kl.simple(m, y, 'PReLU', lambda v, a=alpha: np.where(
            v > 0, v, a * v), {'shared_axes': shared}, [('alpha', alpha)])


def pools(m):
    x = m.input(7, 6, 3)
    s = m.input(5, 3)
    for kind in ('Max', 'Average'):
        yield kl.pool(m, x, kind, 2)
        yield kl.pool(m, x, kind, (3, 2), (1, 2))
        yield kl.pool(m, x, kind, 3, 2, 'same')
        yield kl.pool(m, x, kind, 4, 3, 'same')
        yield kl.global_pool(m, x, kind)
        yield kl.global_pool(m, x, kind, keepdims=True)
        yield kl.simple(
            m, s, f'Global{kind}Pooling1D',
            lambda v, k=kind: (np.max if k == 'Max' else np.mean)(v, 1))


def shapes(m):
    x = m.input(4, 6, 5)
    yield kl.flatten(m, kl.conv2d(m, x, 2, 1))
    yield kl.reshape(m, x, [-1, 10])
    yield kl.reshape(m, kl.conv2d(m, x, 4, 1), [6, -1, 2])
    for dims in ([3, 1, 2], [2, 1, 3], [1, 2, 3]):
        yield kl.simple(m, x, 'Permute', lambda v, d=dims: v.transpose(
            [0] + d), {'dims': dims})
    yield kl.zero_padding(m, x, [[1, 2], [0, 3]])
    yield kl.cropping(m, x, [[1, 0], [2, 1]])
    for method in ('nearest', 'bilinear'):
        yield kl.simple(m, x, 'UpSampling2D', lambda v, k=method: kn.resize(
            v, 8, 18, k), {'size': [2, 3], 'interpolation': method,
                           'data_format': 'channels_last'})


def resizes(m):
    x = m.input(12, 10, 2)
    for method in ('nearest', 'bilinear', 'bicubic'):
        for height, width in ((10, 12), (7, 3), (24, 5), (12, 11)):
            yield kl.simple(
                m, x, 'Resizing', lambda v, h=height, w=width, k=method:
                kn.resize(v, h, w, k), {'height': height, 'width': width,
                                        'interpolation': method})
    yield kl.simple(m, x, 'Resizing', lambda v: kn.resize(
        kn.crop_to_aspect(v, 4, 9), 4, 9, 'bilinear'), {
            'height': 4, 'width': 9, 'interpolation': 'bilinear',
            'crop_to_aspect_ratio': True})
    yield kl.simple(m, x, 'Resizing', lambda v: kn.resize(
        kn.pad_to_aspect(v, 4, 9, 0.5), 4, 9, 'bilinear'), {
            'height': 4, 'width': 9, 'interpolation': 'bilinear',
            'pad_to_aspect_ratio': True, 'fill_value': 0.5})
    yield kl.simple(m, x, 'CenterCrop', lambda v: v[:, 2:9, 3:7],
                    {'height': 7, 'width': 4})
    for name, size in (('CenterCrop', (14, 7)), ('RandomCrop', (6, 8))):
        yield kl.simple(m, x, name, lambda v, s=size: kn.resize(
            kn.crop_to_aspect(v, *s), *s, 'bilinear'),
            {'height': size[0], 'width': size[1]})


def merges(m):
    x, y, z = m.input(4, 3, 5), m.input(4, 3, 5), m.input(1, 1, 5)
    s, d = m.input(3, 5), m.input(5)
    c = kl.conv2d(m, y, 5, 1)
    for name in ('Add', 'Average', 'Multiply', 'Maximum', 'Minimum'):
        yield kl.merge(m, name, x, c, y)
        yield kl.merge(m, name, c, z)
    yield kl.merge(m, 'Subtract', x, c)
    yield m.add(Layer('Multiply', forward=lambda v: v[0] * v[1][:, None]),
                [s, d])
    for axis in (-1, 1, 2, 3):
        yield kl.concatenate(m, x, c, axis=axis)
    yield m.add(Layer('CustomScaleLayer', {'scale': 0.17},
                      forward=lambda v: v[0] + 0.17 * v[1]), [c, x])
    other = m.input(5, 4)
    vector = m.input(5)
    for a, b, axes, normalize in (
            (s, other, [2, 1], False), (s, other, (2, 1), True),
            (d, vector, 1, False), (d, vector, -1, True),
            (s, d, [2, 1], False), (x, s, [3, 2], False)):
        yield m.add(Layer('Dot', {'axes': axes, 'normalize': normalize},
                          forward=lambda v, k=axes, n=normalize: kn.dot(
                              v[0], v[1], k, n)), [a, b])


def attentions(m):
    q, v, k = m.input(5, 6), m.input(7, 4), m.input(7, 3)
    yield kl.attention(m, q, q)
    yield kl.attention(m, q, v, k, heads=3, key_dim=2, value_dim=5)
    yield kl.attention(m, q, v, use_bias=False, output=9, private=True)
    yield kl.attention(m, q, v, k, by_name=True)


def attentions_h5(m):
    q, v, k = m.input(5, 6), m.input(7, 4), m.input(7, 3)
    yield kl.attention(m, q, q, by_name=True)
    yield kl.attention(m, q, v, k, heads=3, key_dim=2, by_name=True)


def inference_only(m):
    x = m.input(4, 4, 3)
    for name in '''Identity Dropout SpatialDropout1D SpatialDropout2D
            AlphaDropout GaussianDropout GaussianNoise StochasticDepth
            ActivityRegularization RandomFlip RandomRotation RandomTranslation
            RandomZoom RandomShear RandomPerspective RandomElasticTransform
            RandomHeight RandomWidth RandomContrast RandomBrightness RandomHue
            RandomSaturation RandomSharpness RandomGrayscale RandomColorJitter
            RandomColorDegeneration RandomPosterization RandomInvert
            RandomErasing RandomGaussianBlur Solarization RandAugment AugMix
            CutMix MixUp'''.split():
        x = kl.simple(m, x, name, lambda v: v, {'rate': 0.5})
    yield kl.conv2d(m, x, 2, 2)


def preprocessing(m):
    x = m.input(4, 4, 3, value=rng.integers(0, 256, (2, 4, 4, 3)))
    y = kl.rescaling(m, x, 1 / 255)
    mean, variance = [0.485, 0.456, 0.406], [0.05, 0.05, 0.04]

    def normal(v):
        return (v - np.array(mean)) / np.sqrt(np.array(variance))
    yield kl.simple(m, y, 'Normalization', normal,
                    {'axis': -1, 'mean': mean, 'variance': variance})
    yield kl.simple(m, y, 'Normalization', normal, {
        'axis': [-1], 'mean': [[[mean]]], 'variance': [[[variance]]]})
    yield kl.simple(
        m, y, 'Normalization', normal, {'axis': -1, 'mean': None},
        [('mean', np.array(mean, 'f4')), ('variance', np.array(variance, 'f4')),
         ('count', np.array(7, 'i8'))])
    yield kl.simple(m, y, 'Normalization',
                    lambda v: v * math.sqrt(0.25) + 0.5,
                    {'axis': None, 'mean': 0.5, 'variance': 0.25,
                     'invert': True})
    rows = rng.uniform(0.1, 1, (2, 4)).astype('f4')
    yield kl.simple(m, y, 'Normalization', lambda v: (
        v - rows[0][:, None, None]) / np.sqrt(rows[1][:, None, None]),
        {'axis': 1}, [('mean', rows[0]), ('variance', rows[1])])
    yield kl.rescaling(m, y, [1 / s for s in (0.2, 0.3, 0.4)], [0., 1., 2.])


def operations(m, keras2=False):
    x, y = m.input(3, 4, 2), m.input(3, 4, 2)
    c = kl.conv2d(m, x, 2, 1)
    z = kl.operation(m, 'Multiply', kl.relu(m, kl.operation(
        m, 'Add', c, 3.0, keras2), max_value=6.0), 1 / 6, keras2)
    yield kl.merge(m, 'Multiply', c, z)
    for name in ('Subtract', 'Divide', 'Maximum', 'Minimum'):
        yield kl.operation(m, name, c, 2.5, keras2)
        yield kl.operation(m, name, c, y, keras2)
    if not keras2:
        yield kl.operation(m, 'Subtract', 1.0, c)
        yield kl.operation(m, 'Multiply', c, [0.5, 2.0])
        yield m.add(Layer('Mean', {'axis': [1, 2], 'keepdims': True},
                          forward=lambda v: v.mean((1, 2), keepdims=True),
                          module='keras.src.ops.numpy'), c)


def block(name, channels):
    b = Model(name)
    x = b.input(6, 6, channels)
    y = kl.conv2d(b, x, channels, 3, padding='same', name='conv')
    y = kl.batch_norm(b, y, name='norm')
    return b.finish(kl.merge(b, 'Add', x, y), kl.global_pool(b, y))


def nested(m):
    """Models of models, called twice, with two outputs, a shared layer."""
    x = m.input(6, 6, 3)
    inner = block('inner', 4)
    y = kl.conv2d(m, x, 4, 1)
    a, pooled = m.add(inner, y)
    b, _ = m.add(inner, a)
    outer = Model('outer')
    o = outer.input(6, 6, 4)
    p, _ = outer.add(block('deep', 4), o)
    outer.finish(kl.activation(outer, p, 'tanh'))
    c = m.add(outer, b)
    head = Model('head', sequential=True)
    head.input(6, 6, 4)
    kl.global_pool(head, head.last)
    kl.dense(head, head.last, 5, 'relu', name='fc')
    kl.dense(head, head.last, 3, name='scores')
    head.finish()
    yield m.add(head, c)
    yield pooled
    shared = kl.dense(m, kl.global_pool(m, a), 4)
    yield shared
    yield m.add(shared.layer, kl.global_pool(m, b))


def twins(m):
    """Two models within a model whose layers have the same names."""
    m.input(5)
    outer = Model('outer')
    x = outer.input(5)
    for name in ('left', 'right'):
        inner = Model(name)
        inner.finish(kl.dense(inner, inner.input(5), 5, 'tanh', name='fc'))
        x = outer.add(inner, x)
    yield m.add(outer.finish(x), m.inputs[0])


def sequential(m):
    m.input(8, 8, 3)
    kl.conv2d(m, m.last, 4, 3, strides=2, padding='same', activation='relu')
    kl.batch_norm(m, m.last)
    kl.flatten(m, m.last)
    yield kl.dense(m, m.last, 3, 'softmax')


def hard_sigmoid_2(m):
    x = m.input(7)
    yield m.add(Layer('Activation', {'activation': 'hard_sigmoid'},
                      forward=lambda v: np.clip(0.2 * v + 0.5, 0, 1)), x)


def keras2_names(m):
    x = m.input(6, 6, 3)
    y = kl.depthwise(m, x, 3, variable='depthwise_kernel')
    y = kl.separable(m, y, 4, 1)
    yield kl.dense(m, kl.flatten(m, y), 2)


LAYERS = [convolutions, same_padding, transposed, dense, channels_first, norms,
          activations, pools, shapes, resizes, merges, attentions,
          inference_only, preprocessing, operations, nested]


def write(folder, name, model, save, **options):
    save(model, os.path.join(folder, name), **options)
    base = os.path.join(folder, name.rsplit('.', 1)[0])
    for suffix, tensors in (('in', model.inputs), ('out', model.outputs)):
        np.save(f'{base}-{suffix}.npy', np.concatenate(
            [t.value.ravel() for t in tensors]).astype('f4'))


def build(function, sequential=False, **options):
    model = Model('model', sequential)
    model.finish(*list(function(model, **options)))
    return model


def write_layers(folder):
    for function in LAYERS:
        write(folder, function.__name__ + '.keras', build(function),
              save_keras3)
    write(folder, 'sequential.keras', build(sequential, True), save_keras3)
    write(folder, 'checkpoint-names.keras', build(sequential, True),
          save_keras3, version='2.13.1',
          layers='_layer_checkpoint_dependencies')
    write(folder, 'hard-sigmoid-tf-keras.keras', build(hard_sigmoid_2),
          save_keras3, version='2.16.0')
    write(folder, 'nested-2.h5', build(nested), save_h5, chunk=3)
    write(folder, 'nested-3.h5', build(nested), save_h5, version='3.4.1',
          suffix='')
    write(folder, 'twins-3.h5', build(twins), save_h5, version='3.8.0',
          suffix='', models=True)
    write(folder, 'attention-2.h5', build(attentions_h5), save_h5)
    write(folder, 'operations-2.h5', build(operations, keras2=True), save_h5)
    write(folder, 'sequential-2.h5', build(sequential, True), save_h5)
    write(folder, 'hard-sigmoid-2.h5', build(hard_sigmoid_2), save_h5)
    write(folder, 'names-2.h5', build(keras2_names), save_h5)
    # names nobody would guess: the order counts
    old = build(sequential, True)
    for i, layer in enumerate(old.layers):
        layer.weights = [(f'x_{i}_{k}', w)
                         for k, (_, w) in enumerate(layer.weights)]
    write(folder, 'order-2.h5', old, save_h5)


def records(model, named):
    """What forge-hdf5-reader makes of the weights (keras-dump.h)."""
    def text(value):
        value = value.encode()
        return struct.pack('<I', len(value)) + value
    out = b'FORGEH5\1'
    arrays = {}
    if named:
        out += b'G' + text('model_weights')
        for layer in model.layers:
            one = Model('one')
            one.layers = [layer]
            weights = layer.named() if isinstance(layer, Model) \
                else one.named()
            group = 'model_weights/' + layer.name
            out += b'G' + text(group) + b'A' + text(group)
            out += text('weight_names') + struct.pack('<I', len(weights))
            for name, array, _ in weights:
                out += text(name + ':0')
                arrays[f'{group}/{name}:0'] = array
    else:
        arrays = model.numbered()
        for group in sorted({path.rsplit('/vars/', 1)[0] for path in arrays}):
            out += b'G' + text(group)
    for path, array in arrays.items():
        has_values = array.dtype == np.float32
        out += b'D' + text(path) + bytes([has_values])
        out += struct.pack(f'<I{array.ndim}I', array.ndim, *array.shape)
        out += array.tobytes() if has_values else b''
    return out + b'E'


def write_corpus(folder):
    """Seeds of tests/fuzz/fuzz-keras.c."""
    for function in LAYERS:
        model = build(function)
        with open(os.path.join(folder, function.__name__), 'wb') as file:
            config = model.to_json().encode()
            file.write(config + b'\0' + records(model, False))
    for name, model in (('nested-2', build(nested)),
                        ('attention-2', build(attentions_h5)),
                        ('operations-2', build(operations, keras2=True)),
                        ('sequential-2', build(sequential, True))):
        config = model.to_json(True).encode()
        with open(os.path.join(folder, name), 'wb') as file:
            config += b' ' * (1 - len(config) % 2)  # odd: Keras 2
            file.write(config + b'\0' + records(model, True))
    save_keras3(build(sequential, True), os.path.join(folder, 'archive.keras'))


def main():
    folder = sys.argv[-1]
    os.makedirs(folder, exist_ok=True)
    if '--networks' in sys.argv:
        for name, model, h5 in keras_networks.build_all():
            write(folder, name + ('.h5' if h5 else '.keras'), model,
                  save_h5 if h5 else save_keras3)
    elif '--corpus' in sys.argv:
        write_corpus(folder)
    else:
        write_layers(folder)


main()
