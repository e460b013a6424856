# SPDX-License-Identifier: LGPL-2.1-or-later
"""Layers for keras_net: configuration as Keras saves it, random weights, and
the numpy function, in one call. Each takes the model and its input."""
import numpy as np

import keras_numpy as kn
from keras_net import Layer, random, rng


def function(name, style):
    """The ways in which files write `activation`."""
    if style == 'object':
        return {'module': 'builtins', 'class_name': 'function',
                'config': name, 'registered_name': 'function'}
    return name


def with_activation(forward, activation):
    if isinstance(activation, dict):
        config = activation['config']
        name = config if isinstance(config, str) else None
        if name is None:
            return lambda x: kn.relu(forward(x), config.get('max_value'),
                                     config.get('negative_slope', 0))
        activation = name
    return lambda x: kn.ACTIVATIONS[activation](forward(x))


def first(forward, channels_first):
    if not channels_first:
        return forward
    return lambda x: np.moveaxis(forward(np.moveaxis(x, 1, -1)), -1, 1)





def conv2d(m, x, filters, kernel_size, strides=1, padding='valid', dilation=1,
           groups=1, use_bias=True, activation='linear', name=None,
           data_format='channels_last'):
    cf = data_format == 'channels_first'
    k = random(*kn.pair(kernel_size), x.shape[1 if cf else -1] // groups,
               filters)
    b = random(filters, scale=0.3) if use_bias else 0
    weights = [('kernel', k)] + ([('bias', b)] if use_bias else [])
    layer = Layer('Conv2D', {
        'filters': filters, 'kernel_size': kn.pair(kernel_size),
        'strides': kn.pair(strides), 'padding': padding, 'groups': groups,
        'data_format': data_format, 'dilation_rate': kn.pair(dilation),
        'activation': activation, 'use_bias': use_bias}, weights,
        with_activation(first(lambda v: kn.conv(
            v, k, b, strides, padding, dilation, groups), cf), activation),
        name)
    return m.add(layer, x)


def depthwise(m, x, kernel_size, strides=1, padding='valid', multiplier=1,
              dilation=1, use_bias=True, activation='linear', name=None,
              variable='kernel'):
    k = random(*kn.pair(kernel_size), x.shape[-1], multiplier, scale=0.4)
    n = x.shape[-1] * multiplier
    b = random(n, scale=0.3) if use_bias else 0
    weights = [(variable, k)] + ([('bias', b)] if use_bias else [])
    layer = Layer('DepthwiseConv2D', {
        'kernel_size': kn.pair(kernel_size), 'strides': kn.pair(strides),
        'padding': padding, 'depth_multiplier': multiplier,
        'data_format': 'channels_last', 'dilation_rate': kn.pair(dilation),
        'activation': activation, 'use_bias': use_bias}, weights,
        with_activation(lambda v: kn.depthwise(
            v, k, b, strides, padding, dilation), activation), name)
    return m.add(layer, x)


def separable(m, x, filters, kernel_size, strides=1, padding='valid',
              multiplier=1, use_bias=True, activation='linear', name=None):
    d = random(*kn.pair(kernel_size), x.shape[-1], multiplier, scale=0.4)
    p = random(1, 1, x.shape[-1] * multiplier, filters)
    b = random(filters, scale=0.3) if use_bias else 0
    layer = Layer('SeparableConv2D', {
        'filters': filters, 'kernel_size': kn.pair(kernel_size),
        'strides': kn.pair(strides), 'padding': padding,
        'depth_multiplier': multiplier, 'data_format': 'channels_last',
        'dilation_rate': [1, 1], 'activation': activation,
        'use_bias': use_bias},
        [('depthwise_kernel', d), ('pointwise_kernel', p)] +
        ([('bias', b)] if use_bias else []),
        with_activation(lambda v: kn.conv(
            kn.depthwise(v, d, 0, strides, padding), p, b), activation), name)
    return m.add(layer, x)


def conv_transpose(m, x, filters, kernel_size, strides, padding,
                   output_padding=None, use_bias=True):
    k = random(*kn.pair(kernel_size), filters, x.shape[-1], scale=0.3)
    b = random(filters, scale=0.3) if use_bias else 0
    layer = Layer('Conv2DTranspose', {
        'filters': filters, 'kernel_size': kn.pair(kernel_size),
        'strides': kn.pair(strides), 'padding': padding,
        'output_padding': output_padding and kn.pair(output_padding),
        'data_format': 'channels_last', 'dilation_rate': [1, 1],
        'activation': 'linear', 'use_bias': use_bias},
        [('kernel', k)] + ([('bias', b)] if use_bias else []),
        lambda v: kn.conv_transpose(v, k, b, strides, padding,
                                    output_padding))
    return m.add(layer, x)


def dense(m, x, units, activation='linear', use_bias=True, name=None,
          **config):
    k = random(x.shape[-1], units)
    b = random(units, scale=0.3) if use_bias else 0
    layer = Layer('Dense', {'units': units, 'activation': activation,
                            'use_bias': use_bias, **config},
                  [('kernel', k)] + ([('bias', b)] if use_bias else []),
                  with_activation(lambda v: v @ k.astype('f8') + b,
                                  activation), name)
    return m.add(layer, x)


def batch_norm(m, x, axis=-1, scale=True, center=True, epsilon=1e-3,
               name=None, class_name='BatchNormalization', listed=False):
    n = x.shape[axis]
    gamma = rng.uniform(0.5, 1.5, n).astype('f4') if scale else np.ones(n)
    beta = random(n, scale=0.3) if center else np.zeros(n)
    mean = random(n, scale=0.3)
    variance = rng.uniform(0.5, 2, n).astype('f4')
    layer = Layer(class_name, {
        'axis': [axis % len(x.shape)] if listed else axis,
        'epsilon': epsilon, 'scale': scale, 'center': center},
        ([('gamma', gamma)] if scale else []) +
        ([('beta', beta)] if center else []) +
        [('moving_mean', mean), ('moving_variance', variance)],
        lambda v: kn.batch_norm(v, gamma, beta, mean, variance, epsilon,
                                axis), name)
    return m.add(layer, x)


def layer_norm(m, x, axis=-1, scale=True, center=True, epsilon=1e-3,
               name=None):
    axes = tuple(axis) if isinstance(axis, list) else (axis,)
    shape = [x.shape[a] for a in axes]
    gamma = rng.uniform(0.5, 1.5, shape).astype('f4') if scale else 1
    beta = random(*shape, scale=0.3) if center else 0
    layer = Layer('LayerNormalization', {
        'axis': axis, 'epsilon': epsilon, 'scale': scale, 'center': center},
        ([('gamma', gamma)] if scale else []) +
        ([('beta', beta)] if center else []),
        lambda v: kn.layer_norm(v, gamma, beta, epsilon, axes), name)
    return m.add(layer, x)


def group_norm(m, x, groups, axis=-1, scale=True, center=True):
    n = x.shape[axis]
    gamma = rng.uniform(0.5, 1.5, n).astype('f4') if scale else 1
    beta = random(n, scale=0.3) if center else 0
    count = n if groups == -1 else groups
    layer = Layer('GroupNormalization', {
        'groups': groups, 'axis': axis, 'epsilon': 1e-3, 'scale': scale,
        'center': center},
        ([('gamma', gamma)] if scale else []) +
        ([('beta', beta)] if center else []),
        lambda v: np.moveaxis(kn.group_norm(
            np.moveaxis(v, axis, -1), count, gamma, beta, 1e-3), -1, axis))
    return m.add(layer, x)


def pool(m, x, kind, size, strides=None, padding='valid', name=None,
         data_format='channels_last'):
    compute = kn.max_pool if kind == 'Max' else kn.average_pool
    used = size if strides is None else strides
    layer = Layer(kind + 'Pooling2D', {
        'pool_size': kn.pair(size), 'padding': padding,
        'strides': None if strides is None else kn.pair(strides),
        'data_format': data_format},
        forward=first(lambda v: compute(v, size, used, padding),
                      data_format == 'channels_first'), name=name)
    return m.add(layer, x)


def global_pool(m, x, kind='Average', keepdims=False, name=None,
                data_format='channels_last'):
    axes = (2, 3) if data_format == 'channels_first' else (1, 2)
    layer = Layer(f'Global{kind}Pooling2D', {'keepdims': keepdims,
                                             'data_format': data_format},
                  forward=lambda v: (np.max if kind == 'Max' else np.mean)(
                      v, axes, keepdims=keepdims), name=name)
    return m.add(layer, x)


def simple(m, x, class_name, forward, config=None, weights=(), **kwargs):
    return m.add(Layer(class_name, config, weights, forward, **kwargs), x)


def activation(m, x, name, written=None):
    return simple(m, x, 'Activation', kn.ACTIVATIONS[name],
                  {'activation': written or name})


def relu(m, x, name=None, **config):
    return simple(m, x, 'ReLU', lambda v: kn.relu(v, **config), config,
                  name=name)


def merge(m, class_name, *xs):
    compute = {
        'Add': lambda v: sum(v), 'Average': lambda v: sum(v) / len(v),
        'Subtract': lambda v: v[0] - v[1],
        'Multiply': lambda v: np.prod(np.broadcast_arrays(*v), 0),
        'Maximum': lambda v: np.max(np.broadcast_arrays(*v), 0),
        'Minimum': lambda v: np.min(np.broadcast_arrays(*v), 0)}[class_name]
    return m.add(Layer(class_name, forward=compute), list(xs))


def concatenate(m, *xs, axis=-1, name=None):
    return m.add(Layer('Concatenate', {'axis': axis},
                       forward=lambda v: np.concatenate(v, axis), name=name),
                 list(xs))


def zero_padding(m, x, padding, name=None):
    (a, b), (c, d) = padding
    return simple(m, x, 'ZeroPadding2D', lambda v: np.pad(
        v, [(0, 0), (a, b), (c, d), (0, 0)]),
        {'padding': padding, 'data_format': 'channels_last'}, name=name)


def cropping(m, x, margins, name=None):
    (a, b), (c, d) = margins
    return simple(m, x, 'Cropping2D', lambda v: v[
        :, a:v.shape[1] - b, c:v.shape[2] - d],
        {'cropping': margins, 'data_format': 'channels_last'}, name=name)


def reshape(m, x, target):
    return simple(m, x, 'Reshape', lambda v: v.reshape(v.shape[0], *target),
                  {'target_shape': target})


def flatten(m, x, **config):
    return simple(m, x, 'Flatten', lambda v: v.reshape(len(v), -1), config)


def rescaling(m, x, scale, offset=0.0):
    return simple(m, x, 'Rescaling', lambda v: v * np.asarray(scale) +
                  np.asarray(offset), {'scale': scale, 'offset': offset})


def attention(m, query, value, key=None, heads=2, key_dim=3, value_dim=None,
              use_bias=True, output=None, private=False, by_name=False,
              name=None):
    vd, out = value_dim or key_dim, output or query.shape[-1]

    def part(shape_in, shape_out):
        kernel = random(*shape_in, *shape_out, scale=0.5)
        return kernel, random(*shape_out, scale=0.3) if use_bias else \
            np.zeros(shape_out)
    ks = (key if key is not None else value).shape[-1]
    weights = [part([query.shape[-1]], [heads, key_dim]),
               part([ks], [heads, key_dim]),
               part([value.shape[-1]], [heads, vd]),
               part([heads, vd], [out])]
    parts = {}
    for attribute, named, (w, b) in zip(
            ('query', 'key', 'value', 'output'),
            ('query', 'key', 'value', 'attention_output'), weights):
        parts[('_' if private else '') + attribute + '_dense'] = (
            named, [('kernel', w)] + ([('bias', b)] if use_bias else []))

    def forward(q, v=None, k=None, value=None, key=None):
        v = value if v is None else v
        k = key if k is None else k
        return kn.attention(q, v, v if k is None else k, weights, key_dim)
    layer = Layer('MultiHeadAttention', {
        'num_heads': heads, 'key_dim': key_dim, 'value_dim': vd,
        'use_bias': use_bias, 'output_shape': output and [output],
        'attention_axes': [1]}, forward=forward, parts=parts, name=name)
    if by_name:
        named = {'key': key} if key is not None else {}
        return m.add(layer, query, **named, value=value)
    args = [query, value] + ([key] if key is not None else [])
    return m.add(layer, *args)


NUMPY = {'Add': np.add, 'Subtract': np.subtract, 'Multiply': np.multiply,
         'Divide': np.divide, 'Maximum': np.maximum, 'Minimum': np.minimum}
TF = {'Add': '__operators__.add', 'Subtract': 'math.subtract',
      'Multiply': 'math.multiply', 'Divide': 'math.truediv',
      'Maximum': 'math.maximum', 'Minimum': 'math.minimum'}


def operation(m, class_name, a, b, keras2=False):
    if keras2:
        layer = Layer('TFOpLambda', {'function': TF[class_name]},
                      forward=lambda x, y=None, name=None:
                      NUMPY[class_name](x, y),
                      name='tf.' + TF[class_name] + f'_{len(m.layers)}')
        return m.add(layer, a, y=b, name=None)
    return m.add(Layer(class_name, forward=NUMPY[class_name],
                       module='keras.src.ops.numpy'), a, b)
