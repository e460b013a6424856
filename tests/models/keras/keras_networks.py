# SPDX-License-Identifier: LGPL-2.1-or-later
"""The architectures of keras.applications, narrow and with small pictures,
layer by layer in the order and form in which Keras saves them."""
import keras_layers as kl
from keras_net import Layer, Model, random, rng


def conv_bn(m, x, filters, kernel, strides=1, padding='same', act='relu',
            name=None, groups=1, epsilon=1e-3):
    x = kl.conv2d(m, x, filters, kernel, strides, padding, use_bias=False,
                  name=name and name + '_conv', groups=groups)
    x = kl.batch_norm(m, x, name=name and name + '_bn', epsilon=epsilon)
    return kl.activation(m, x, act) if act else x


def top(m, x, classes=10, dropout=True):
    """Without softmax, which would hide all scores but the largest."""
    x = kl.global_pool(m, x, name='avg_pool')
    if dropout:
        x = kl.simple(m, x, 'Dropout', lambda v: v, {'rate': 0.2})
    return kl.dense(m, x, classes, name='predictions')


def correct_pad(x, kernel):
    """Padding of MobileNet and EfficientNet before a stride of 2."""
    adjust = [1 - n % 2 for n in x.shape[1:3]]
    half = kernel // 2
    return [[half - adjust[0], half], [half - adjust[1], half]]


def vgg16(m):
    x = m.input(32, 32, 3, name='input_1')
    for i, (count, filters) in enumerate(
            ((2, 4), (2, 6), (3, 8), (3, 8), (3, 8))):
        for k in range(count):
            x = kl.conv2d(m, x, filters, 3, padding='same', activation='relu',
                          name=f'block{i + 1}_conv{k + 1}')
        x = kl.pool(m, x, 'Max', 2, 2, name=f'block{i + 1}_pool')
    x = kl.flatten(m, x)
    x = kl.dense(m, x, 16, 'relu', name='fc1')
    x = kl.dense(m, x, 16, 'relu', name='fc2')
    return kl.dense(m, x, 10, 'softmax', name='predictions')


def resnet50(m):
    x = m.input(32, 32, 3)
    x = kl.zero_padding(m, x, [[3, 3], [3, 3]], 'conv1_pad')
    x = kl.conv2d(m, x, 8, 7, 2, name='conv1_conv')
    x = kl.batch_norm(m, x, epsilon=1.001e-5, name='conv1_bn')
    x = kl.activation(m, x, 'relu')
    x = kl.zero_padding(m, x, [[1, 1], [1, 1]], 'pool1_pad')
    x = kl.pool(m, x, 'Max', 3, 2, name='pool1_pool')
    for stage, (filters, blocks) in enumerate(
            ((4, 3), (6, 4), (8, 6), (10, 3))):
        for block in range(blocks):
            strides = 2 if block == 0 and stage > 0 else 1
            base = f'conv{stage + 2}_block{block + 1}'
            shortcut = x
            if block == 0:
                shortcut = kl.conv2d(m, x, 4 * filters, 1, strides,
                                     name=base + '_0_conv')
                shortcut = kl.batch_norm(m, shortcut, epsilon=1.001e-5,
                                         name=base + '_0_bn')
            y = x
            for i, (n, k, s) in enumerate(
                    ((filters, 1, strides), (filters, 3, 1),
                     (4 * filters, 1, 1))):
                y = kl.conv2d(m, y, n, k, s, 'same' if k == 3 else 'valid',
                              name=f'{base}_{i + 1}_conv')
                y = kl.batch_norm(m, y, epsilon=1.001e-5,
                                  name=f'{base}_{i + 1}_bn')
                y = kl.activation(m, y, 'relu') if i < 2 else y
            x = kl.activation(m, kl.merge(m, 'Add', shortcut, y), 'relu')
    return top(m, x, dropout=False)


def mobilenet_v2(m):
    x = m.input(32, 32, 3)
    x = conv_bn(m, x, 8, 3, 2, act='relu6', name='Conv1')
    plan = ((1, 4, 1, 1), (6, 6, 2, 2), (6, 8, 3, 2), (6, 8, 4, 2),
            (6, 10, 3, 1), (6, 12, 3, 2), (6, 16, 1, 1))
    for expand, filters, count, stride in plan:
        for i in range(count):
            strides = stride if i == 0 else 1
            y, channels = x, x.shape[-1]
            if expand > 1:
                y = kl.conv2d(m, y, expand * channels, 1, padding='same',
                              use_bias=False)
                y = kl.relu(m, kl.batch_norm(m, y), max_value=6.0)
            if strides == 2:
                y = kl.zero_padding(m, y, correct_pad(y, 3))
            y = kl.depthwise(m, y, 3, strides,
                             'same' if strides == 1 else 'valid',
                             use_bias=False, variable='depthwise_kernel')
            y = kl.relu(m, kl.batch_norm(m, y), max_value=6.0)
            y = kl.conv2d(m, y, filters, 1, padding='same', use_bias=False)
            y = kl.batch_norm(m, y)
            same = channels == filters and strides == 1
            x = kl.merge(m, 'Add', x, y) if same else y
    return top(m, conv_bn(m, x, 24, 1, act='relu6', padding='valid'))


def hard_sigmoid(m, x, keras2):
    y = kl.relu(m, kl.operation(m, 'Add', x, 3.0, keras2), max_value=6.0)
    return kl.operation(m, 'Multiply', y, 1.0 / 6.0, keras2)


def hard_swish(m, x, keras2):
    return kl.merge(m, 'Multiply', x, hard_sigmoid(m, x, keras2))


def mobilenet_v3(m, keras2=False):
    x = m.input(32, 32, 3, value=rng.integers(0, 256, (2, 32, 32, 3)))
    x = kl.rescaling(m, x, 1.0 / 127.5, -1.0)
    x = conv_bn(m, x, 8, 3, 2, act=None)
    x = hard_swish(m, x, keras2)
    plan = ((1, 8, 3, 2, True, False), (4, 8, 3, 2, False, False),
            (3, 8, 3, 1, False, False), (4, 12, 5, 2, True, True),
            (6, 12, 5, 1, True, True), (3, 12, 5, 1, True, True))
    for expand, filters, kernel, strides, squeeze, swish in plan:
        y, channels = x, x.shape[-1]

        def act(v, swish=swish):
            return hard_swish(m, v, keras2) if swish else kl.relu(m, v)
        if expand > 1:
            y = act(conv_bn(m, y, expand * channels, 1, act=None))
        if strides == 2:
            y = kl.zero_padding(m, y, correct_pad(y, kernel))
        y = kl.depthwise(m, y, kernel, strides,
                         'same' if strides == 1 else 'valid', use_bias=False,
                         variable='depthwise_kernel' if keras2 else 'kernel')
        y = act(kl.batch_norm(m, y))
        if squeeze:
            s = kl.global_pool(m, y, keepdims=True)
            s = kl.relu(m, kl.conv2d(m, s, 4, 1, padding='same'))
            s = kl.conv2d(m, s, y.shape[-1], 1, padding='same')
            y = kl.merge(m, 'Multiply', y, hard_sigmoid(m, s, keras2))
        y = conv_bn(m, y, filters, 1, act=None)
        same = channels == filters and strides == 1
        x = kl.merge(m, 'Add', x, y) if same else y
    x = hard_swish(m, conv_bn(m, x, 24, 1, act=None), keras2)
    x = kl.global_pool(m, x, keepdims=True)
    x = hard_swish(m, kl.conv2d(m, x, 32, 1, padding='same'), keras2)
    x = kl.conv2d(m, x, 10, 1, padding='same', name='logits')
    return kl.simple(m, kl.flatten(m, x), 'Activation',
                     kl.kn.ACTIVATIONS['softmax'], {'activation': 'softmax'})


def squeeze_excite(m, x, filters):
    s = kl.global_pool(m, x)
    s = kl.reshape(m, s, [1, 1, x.shape[-1]])
    s = kl.conv2d(m, s, filters, 1, padding='same', activation='swish')
    s = kl.conv2d(m, s, x.shape[-1], 1, padding='same', activation='sigmoid')
    return kl.merge(m, 'Multiply', x, s)


def efficientnet_b0(m):
    x = m.input(32, 32, 3, value=rng.integers(0, 256, (2, 32, 32, 3)))
    x = kl.rescaling(m, x, 1.0 / 255.0)
    mean = rng.uniform(0.4, 0.5, 3).astype('f4')
    variance = rng.uniform(0.04, 0.06, 3).astype('f4')
    x = kl.simple(m, x, 'Normalization',
                  lambda v: (v - mean) / variance.astype('f8') ** 0.5,
                  {'axis': [-1], 'mean': None, 'variance': None},
                  [('mean', mean), ('variance', variance)])
    x = kl.rescaling(m, x, [1 / 0.229 ** 0.5, 1 / 0.224 ** 0.5,
                            1 / 0.225 ** 0.5])
    x = kl.zero_padding(m, x, correct_pad(x, 3), 'stem_conv_pad')
    x = conv_bn(m, x, 8, 3, 2, 'valid', act='swish', name='stem')
    plan = ((3, 1, 4, 1, 1), (3, 2, 6, 6, 2), (5, 2, 8, 6, 2),
            (3, 3, 8, 6, 2), (5, 3, 10, 6, 1), (5, 4, 12, 6, 2),
            (3, 1, 16, 6, 1))
    for kernel, count, filters, expand, stride in plan:
        for i in range(count):
            strides = stride if i == 0 else 1
            y, channels = x, x.shape[-1]
            if expand > 1:
                y = conv_bn(m, y, expand * channels, 1, act='swish')
            if strides == 2:
                y = kl.zero_padding(m, y, correct_pad(y, kernel))
            y = kl.depthwise(m, y, kernel, strides,
                             'same' if strides == 1 else 'valid',
                             use_bias=False)
            y = kl.activation(m, kl.batch_norm(m, y), 'swish')
            y = squeeze_excite(m, y, max(1, channels // 4))
            y = conv_bn(m, y, filters, 1, act=None)
            if channels == filters and strides == 1:
                y = kl.simple(m, y, 'Dropout', lambda v: v, {
                    'rate': 0.1, 'noise_shape': [None, 1, 1, 1]})
                y = kl.merge(m, 'Add', y, x)
            x = y
    return top(m, conv_bn(m, x, 24, 1, act='swish', name='top'))


def efficientnet_v2_b0(m):
    x = m.input(32, 32, 3, value=rng.integers(0, 256, (2, 32, 32, 3)))
    x = kl.rescaling(m, x, 1.0 / 255.0)
    mean, variance = [0.485, 0.456, 0.406], [0.229 ** 2, 0.224 ** 2, 0.225 ** 2]
    x = kl.simple(m, x, 'Normalization', lambda v: (v - kl.np.array(
        mean)) / kl.np.array(variance) ** 0.5,
        {'axis': -1, 'mean': mean, 'variance': variance})
    x = conv_bn(m, x, 8, 3, 2, act='swish')
    plan = ((1, 4, 1, 1, True), (2, 8, 4, 2, True), (2, 8, 4, 2, True),
            (3, 10, 4, 2, False), (3, 12, 6, 1, False), (3, 14, 6, 2, False))
    for count, filters, expand, stride, fused in plan:
        for i in range(count):
            strides = stride if i == 0 else 1
            y, channels = x, x.shape[-1]
            if fused and expand > 1:
                y = conv_bn(m, y, expand * channels, 3, strides, act='swish')
                y = conv_bn(m, y, filters, 1, act=None)
            elif fused:
                y = conv_bn(m, y, filters, 3, strides, act='swish')
            else:
                y = conv_bn(m, y, expand * channels, 1, act='swish')
                y = kl.depthwise(m, y, 3, strides, 'same', use_bias=False)
                y = kl.activation(m, kl.batch_norm(m, y), 'swish')
                y = squeeze_excite(m, y, max(1, channels // 4))
                y = conv_bn(m, y, filters, 1, act=None)
            same = channels == filters and strides == 1
            x = kl.merge(m, 'Add', y, x) if same else y
    return top(m, conv_bn(m, x, 24, 1, act='swish'))


def densenet121(m):
    x = m.input(32, 32, 3)
    x = kl.zero_padding(m, x, [[3, 3], [3, 3]])
    x = conv_bn(m, x, 8, 7, 2, 'valid', epsilon=1.001e-5)
    x = kl.zero_padding(m, x, [[1, 1], [1, 1]])
    x = kl.pool(m, x, 'Max', 3, 2)

    def bn_relu(v):
        return kl.activation(m, kl.batch_norm(m, v, epsilon=1.001e-5), 'relu')
    for stage, blocks in enumerate((6, 12, 24, 16)):
        for _ in range(blocks):
            y = kl.conv2d(m, bn_relu(x), 8, 1, use_bias=False)
            y = kl.conv2d(m, bn_relu(y), 2, 3, padding='same', use_bias=False)
            x = kl.concatenate(m, x, y)
        if stage < 3:
            x = kl.conv2d(m, bn_relu(x), x.shape[-1] // 2, 1, use_bias=False)
            x = kl.pool(m, x, 'Average', 2, 2)
    return top(m, bn_relu(x), dropout=False)


def xception(m):
    x = m.input(39, 39, 3)
    x = conv_bn(m, x, 4, 3, 2, 'valid')
    x = conv_bn(m, x, 6, 3, 1, 'valid')

    def sep(v, filters):
        v = kl.separable(m, v, filters, 3, padding='same', use_bias=False)
        return kl.batch_norm(m, v)
    for i, filters in enumerate((8, 12, 16)):
        residual = conv_bn(m, x, filters, 1, 2, act=None)
        y = x if i == 0 else kl.activation(m, x, 'relu')
        y = kl.activation(m, sep(y, filters), 'relu')
        y = kl.pool(m, sep(y, filters), 'Max', 3, 2, 'same')
        x = kl.merge(m, 'Add', y, residual)
    for _ in range(8):
        y = x
        for _ in range(3):
            y = sep(kl.activation(m, y, 'relu'), 16)
        x = kl.merge(m, 'Add', y, x)
    residual = conv_bn(m, x, 20, 1, 2, act=None)
    y = sep(kl.activation(m, x, 'relu'), 16)
    y = sep(kl.activation(m, y, 'relu'), 20)
    x = kl.merge(m, 'Add', kl.pool(m, y, 'Max', 3, 2, 'same'), residual)
    for filters in (24, 28):
        x = kl.activation(m, sep(x, filters), 'relu')
    return top(m, x, dropout=False)


def inception_v3(m):
    x = m.input(75, 75, 3)

    def cb(v, filters, kernel, strides=1, padding='same'):
        v = kl.conv2d(m, v, filters, kernel, strides, padding, use_bias=False)
        return kl.activation(m, kl.batch_norm(m, v, scale=False), 'relu')

    def chain(v, *steps):
        for step in steps:
            v = cb(v, *step)
        return v

    def average(v, filters):
        return cb(kl.pool(m, v, 'Average', 3, 1, 'same'), filters, 1)
    x = chain(x, (4, 3, 2, 'valid'), (4, 3, 1, 'valid'), (6, 3))
    x = kl.pool(m, x, 'Max', 3, 2)
    x = chain(x, (6, 1, 1, 'valid'), (8, 3, 1, 'valid'))
    x = kl.pool(m, x, 'Max', 3, 2)
    for _ in range(3):
        x = kl.concatenate(m, cb(x, 4, 1), chain(x, (3, 1), (4, 5)),
                           chain(x, (4, 1), (6, 3), (6, 3)), average(x, 3),
                           axis=3)
    x = kl.concatenate(m, cb(x, 8, 3, 2, 'valid'),
                       chain(x, (4, 1), (6, 3), (6, 3, 2, 'valid')),
                       kl.pool(m, x, 'Max', 3, 2), axis=3)
    for n in (4, 5, 5, 6):
        x = kl.concatenate(
            m, cb(x, 6, 1), chain(x, (n, 1), (n, (1, 7)), (6, (7, 1))),
            chain(x, (n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)),
                  (6, (1, 7))), average(x, 6), axis=3)
    x = kl.concatenate(
        m, chain(x, (6, 1), (8, 3, 2, 'valid')),
        chain(x, (6, 1), (6, (1, 7)), (6, (7, 1)), (6, 3, 2, 'valid')),
        kl.pool(m, x, 'Max', 3, 2), axis=3)
    for _ in range(2):
        y = cb(x, 8, 1)
        a = kl.concatenate(m, cb(y, 8, (1, 3)), cb(y, 8, (3, 1)), axis=3)
        y = chain(x, (8, 1), (8, 3))
        b = kl.concatenate(m, cb(y, 8, (1, 3)), cb(y, 8, (3, 1)), axis=3)
        x = kl.concatenate(m, cb(x, 6, 1), a, b, average(x, 4), axis=3)
    return top(m, x, dropout=False)


def nasnet_mobile(m):
    """The cells of NASNet-A, two of each kind instead of four."""
    def bn(v):
        return kl.batch_norm(m, v, epsilon=1e-3)

    def sep(v, filters, kernel, strides=1):
        v = kl.activation(m, v, 'relu')
        padding = 'same'
        if strides == 2:
            v = kl.zero_padding(m, v, correct_pad(v, kernel))
            padding = 'valid'
        v = bn(kl.separable(m, v, filters, kernel, strides, padding,
                            use_bias=False))
        v = kl.activation(m, v, 'relu')
        return bn(kl.separable(m, v, filters, kernel, 1, 'same',
                               use_bias=False))

    def adjust(p, ip, filters):
        if p is None:
            p = ip
        if p.shape[1] != ip.shape[1]:
            p = kl.activation(m, p, 'relu')
            a = kl.pool(m, p, 'Average', 1, 2)
            a = kl.conv2d(m, a, filters // 2, 1, padding='same',
                          use_bias=False)
            b = kl.cropping(m, kl.zero_padding(m, p, [[0, 1], [0, 1]]),
                            [[1, 0], [1, 0]])
            b = kl.pool(m, b, 'Average', 1, 2)
            b = kl.conv2d(m, b, filters // 2, 1, padding='same',
                          use_bias=False)
            return bn(kl.concatenate(m, a, b))
        if p.shape[-1] != filters:
            p = kl.activation(m, p, 'relu')
            return bn(kl.conv2d(m, p, filters, 1, padding='same',
                                use_bias=False))
        return p

    def squeeze(ip, filters):
        h = kl.activation(m, ip, 'relu')
        return bn(kl.conv2d(m, h, filters, 1, padding='same', use_bias=False))

    def add(*v):
        return kl.merge(m, 'Add', *v)

    def normal(ip, p, filters):
        p = adjust(p, ip, filters)
        h = squeeze(ip, filters)
        a = kl.pool(m, p, 'Average', 3, 1, 'same')
        b = kl.pool(m, p, 'Average', 3, 1, 'same')
        return kl.concatenate(
            m, p, add(sep(h, filters, 5), sep(p, filters, 3)),
            add(sep(p, filters, 5), sep(p, filters, 3)),
            add(kl.pool(m, h, 'Average', 3, 1, 'same'), p), add(a, b),
            add(sep(h, filters, 3), h)), ip

    def reduction(ip, p, filters):
        p = adjust(p, ip, filters)
        h = squeeze(ip, filters)
        h3 = kl.zero_padding(m, h, correct_pad(h, 3))
        x1 = add(sep(h, filters, 5, 2), sep(p, filters, 7, 2))
        x2 = add(kl.pool(m, h3, 'Max', 3, 2), sep(p, filters, 7, 2))
        x3 = add(kl.pool(m, h3, 'Average', 3, 2), sep(p, filters, 5, 2))
        x4 = add(x2, kl.pool(m, x1, 'Average', 3, 1, 'same'))
        x5 = add(sep(x1, filters, 3), kl.pool(m, h3, 'Max', 3, 2))
        return kl.concatenate(m, x2, x3, x4, x5), ip
    x = bn(kl.conv2d(m, m.input(32, 32, 3), 4, 3, 2, 'valid', use_bias=False))
    x, p = reduction(x, None, 2)
    x, p = reduction(x, p, 4)
    for filters in (4, 8, 16):
        for _ in range(2):
            x, p = normal(x, p, filters)
        if filters < 16:
            x, p = reduction(x, p, 2 * filters)
    return top(m, kl.activation(m, x, 'relu'), dropout=False)


def convnext_tiny(m):
    x = m.input(64, 64, 3, value=rng.integers(0, 256, (2, 64, 64, 3)))
    mean = [0.485 * 255, 0.456 * 255, 0.406 * 255]
    variance = [(s * 255) ** 2 for s in (0.229, 0.224, 0.225)]
    x = kl.simple(m, x, 'Normalization', lambda v: (v - kl.np.array(
        mean)) / kl.np.array(variance) ** 0.5,
        {'axis': -1, 'mean': mean, 'variance': variance})
    stem = Model('convnext_tiny_stem', sequential=True)
    stem.input(64, 64, 3)
    kl.conv2d(stem, stem.last, 6, 4, 4, name='stem_conv')
    kl.layer_norm(stem, stem.last, epsilon=1e-6, name='stem_layernorm')
    x = m.add(stem.finish(), x)
    for stage, (depth, n) in enumerate(((3, 6), (3, 8), (9, 10), (3, 12))):
        if stage > 0:
            down = Model(f'downsampling_block_{stage}', sequential=True)
            down.input(*x.shape[1:])
            kl.layer_norm(down, down.last, epsilon=1e-6, name=f'd{stage}_ln')
            kl.conv2d(down, down.last, n, 2, 2, name=f'd{stage}_conv')
            x = m.add(down.finish(), x)
        for _ in range(depth):
            y = kl.conv2d(m, x, n, 7, padding='same', groups=n)
            y = kl.layer_norm(m, y, epsilon=1e-6)
            y = kl.activation(m, kl.dense(m, y, 4 * n), 'gelu')
            y = kl.dense(m, y, n)
            gamma = random(n, scale=0.3)
            y = kl.simple(m, y, 'LayerScale', lambda v, g=gamma: v * g, {
                'init_values': 1e-6, 'projection_dim': n},
                [('gamma', gamma)])
            y = kl.simple(m, y, 'StochasticDepth', lambda v: v, {'rate': 0.1})
            x = m.add(Layer('Add', forward=kl.NUMPY['Add'],
                            module='keras.src.ops.numpy'), x, y)
    x = kl.layer_norm(m, kl.global_pool(m, x), epsilon=1e-6)
    return kl.dense(m, x, 10, 'softmax')


def transformer(m):
    """Patches, attention and a pooled head, as Keras' ViT examples do."""
    x = m.input(24, 24, 3)
    x = kl.conv2d(m, x, 12, 4, 4)
    x = kl.reshape(m, x, [36, 12])
    for _ in range(3):
        y = kl.layer_norm(m, x, epsilon=1e-6)
        x = kl.merge(m, 'Add', kl.attention(m, y, y, heads=3, key_dim=4), x)
        y = kl.layer_norm(m, x, epsilon=1e-6)
        y = kl.dense(m, y, 24, 'gelu')
        x = kl.merge(m, 'Add', kl.dense(m, y, 12), x)
    x = kl.simple(m, kl.layer_norm(m, x), 'GlobalAveragePooling1D',
                  lambda v: v.mean(1))
    return kl.dense(m, x, 10, 'softmax')


def transfer(m):
    """What most users train: a base of keras.applications and a new head."""
    m.input(32, 32, 3, value=rng.integers(0, 256, (2, 32, 32, 3)))
    kl.rescaling(m, m.last, 1.0 / 127.5, -1.0)
    base = Model('mobilenetv2_1.00_32')
    x = base.input(32, 32, 3, name='base_input')
    for i, (n, s) in enumerate(((8, 2), (12, 2), (16, 2))):
        x = conv_bn(base, x, n, 3, s, name=f'b{i}')
    m.add(base.finish(x), m.last)
    return top(m, m.last)


def build_all():
    """(name, model, is .h5)"""
    for function, h5 in (
            (vgg16, True), (resnet50, True), (mobilenet_v2, True),
            (mobilenet_v3, False), (efficientnet_b0, False),
            (efficientnet_v2_b0, False), (densenet121, True),
            (xception, False), (inception_v3, False), (nasnet_mobile, False),
            (convnext_tiny, False), (transformer, False), (transfer, True)):
        model = Model(function.__name__, function is transfer)
        yield function.__name__, model.finish(function(model)), h5
    model = Model('mobilenet_v3')
    yield 'mobilenet_v3_2', model.finish(mobilenet_v3(model, True)), True
