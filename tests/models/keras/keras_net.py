# SPDX-License-Identifier: LGPL-2.1-or-later
"""Models as Keras saves them, without Keras: what is added to a Model is
computed in numpy at once and remembered for its configuration and weights.

save_keras3 writes .keras, save_h5 the HDF5 files of Keras 2 and 3. Written
from keras/src/saving/saving_lib.py and legacy/saving/legacy_h5_format.py.
"""
import io
import json
import re
import zipfile

import h5py
import numpy as np

rng = np.random.default_rng(5)


def snake_case(name):
    name = re.sub(r'\W+', '', name)
    name = re.sub('(.)([A-Z][a-z]+)', r'\1_\2', name)
    return re.sub('([a-z])([A-Z])', r'\1_\2', name).lower()


def random(*shape, scale=None):
    """Weights that keep values near one, whatever they sum over."""
    fan = int(np.prod(shape[:-1])) if len(shape) > 1 else 4
    scale = scale or (2.0 / max(fan, 1)) ** 0.5
    return rng.standard_normal(shape).astype('f4') * np.float32(scale)


class Tensor:
    def __init__(self, value, layer, call, output):
        self.value, self.layer = value, layer
        self.call, self.output = call, output

    @property
    def shape(self):
        return self.value.shape


class Layer:
    """weights: [(name, array)]; parts: {attribute: (name, [(name, array)])}
    for layers within the layer. module: of keras.ops, for operations."""
    module = 'keras.layers'

    def __init__(self, class_name, config=None, weights=(), forward=None,
                 name=None, parts=None, module=None, frozen=()):
        self.class_name, self.config = class_name, dict(config or {})
        self.weights, self.parts = list(weights), parts or {}
        self.forward, self.name = forward, name
        self.frozen = set(frozen)
        self.calls = []
        if module:
            self.module = module

    def is_operation(self):
        return '.ops' in self.module or self.class_name == 'TFOpLambda'

    def full_config(self):
        return {'name': self.name, 'trainable': True, 'dtype': 'float32',
                **self.config}


def walk(arguments, change):
    if isinstance(arguments, Tensor):
        return change(arguments)
    if isinstance(arguments, (list, tuple)):
        return [walk(a, change) for a in arguments]
    if isinstance(arguments, dict):
        return {k: walk(a, change) for k, a in arguments.items()}
    return arguments


class Model(Layer):
    def __init__(self, name='model', sequential=False):
        super().__init__('Sequential' if sequential else 'Functional',
                         name=name)
        self.module = 'keras' if sequential else 'keras.src.models.functional'
        del self.forward  # the method below
        self.layers, self.names, self.inputs, self.outputs = [], {}, [], []
        self.last = None
        self.order = []

    def _name(self, layer):
        if layer.name is None:
            base = snake_case(layer.class_name)
            n = self.names.get(base, 0)
            self.names[base] = n + 1
            layer.name = f'{base}_{n}' if n else base

    def input(self, *shape, name=None, value=None, dtype='float32', batch=2):
        layer = Layer('InputLayer', {'batch_shape': [None, *shape],
                                     'dtype': dtype}, name=name)
        self._name(layer)
        self.layers.append(layer)
        if value is None:
            value = rng.standard_normal((batch, *shape)).astype('f4')
        tensor = Tensor(value.astype('f8'), layer, 0, 0)
        self.inputs.append(tensor)
        self.last = tensor
        return tensor

    def add(self, layer, *args, **kwargs):
        """Calls the layer; in a Sequential, on what was added last."""
        if not args and not kwargs:
            args = (self.last,)
        if layer not in self.layers:
            self._name(layer)
            self.layers.append(layer)
        values = walk(list(args), lambda t: t.value)
        named = walk(kwargs, lambda t: t.value)
        out = layer.forward(*values, **named)
        outs = [Tensor(v, layer, len(layer.calls), i) for i, v in
                enumerate(out if isinstance(layer, Model) else [out])]
        layer.calls.append((args, kwargs))
        self.order.append((layer, args, kwargs, outs))
        self.last = outs[0]
        return outs[0] if len(outs) == 1 else outs

    def finish(self, *outputs):
        self.outputs = list(outputs) or [self.last]
        return self

    def forward(self, *values):
        """The same layers on other values."""
        if len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        found = {id(t): v for t, v in zip(self.inputs, values)}
        for layer, args, kwargs, outs in self.order:
            out = layer.forward(
                *walk(list(args), lambda t: found[id(t)]),
                **walk(kwargs, lambda t: found[id(t)]))
            for t, v in zip(outs, out if isinstance(layer, Model) else [out]):
                found[id(t)] = v
        return [found[id(t)] for t in self.outputs]

    # --- configuration ------------------------------------------------------

    def reference(self, tensor, keras2):
        shift = int(keras2 and isinstance(tensor.layer, Model))
        return [tensor.layer.name, tensor.call + shift, tensor.output]

    def node3(self, args, kwargs):
        def save(t):
            return {'class_name': '__keras_tensor__', 'config': {
                'shape': [None, *t.shape[1:]], 'dtype': 'float32',
                'keras_history': self.reference(t, False)}}
        return {'args': walk(list(args), save), 'kwargs': walk(kwargs, save)}

    def node2(self, args, kwargs):
        named = walk(kwargs, lambda t: self.reference(t, True))
        flat = args[0] if args and isinstance(args[0], (list, tuple)) else args
        node = [self.reference(t, True) + [{}] for t in flat]
        node[0][3] = named
        return node

    def full_config(self, keras2=False):
        layers = []
        for layer in self.layers:
            if isinstance(layer, Model):
                config = layer.full_config(keras2)
            else:
                config = layer.full_config()
            if keras2 and layer.class_name == 'InputLayer':
                config['batch_input_shape'] = config.pop('batch_shape')
            entry = {'module': layer.module, 'class_name': layer.class_name,
                     'config': config, 'registered_name': None,
                     'name': layer.name,
                     'inbound_nodes': [
                         (self.node2 if keras2 else self.node3)(*call)
                         for call in layer.calls]}
            if keras2:
                del entry['module'], entry['registered_name']
            if self.class_name == 'Sequential':
                del entry['inbound_nodes']
            layers.append(entry)
        config = {'name': self.name, 'trainable': True, 'layers': layers}
        if self.class_name == 'Functional':
            config['input_layers'] = [self.reference(t, keras2)
                                      for t in self.inputs]
            config['output_layers'] = [self.reference(t, keras2)
                                       for t in self.outputs]
        return config

    def to_json(self, keras2=False):
        return json.dumps({
            'module': 'keras', 'class_name': self.class_name,
            'config': self.full_config(keras2), 'registered_name': None})

    # --- weights ------------------------------------------------------------

    def numbered(self, prefix='layers'):
        """.keras: {path: array}, keyed by class."""
        used, found = {}, {}
        for layer in self.layers:
            if layer.is_operation():
                continue
            name = snake_case(layer.class_name)
            n = used.get(name, 0)
            used[name] = n + 1
            path = f'{prefix}/{name}_{n}' if n else f'{prefix}/{name}'
            if isinstance(layer, Model):
                found.update(layer.numbered(path + '/layers'))
                continue
            for i, (_, array) in enumerate(layer.weights):
                found[f'{path}/vars/{i}'] = array
            for attribute, (_, weights) in layer.parts.items():
                for i, (_, array) in enumerate(weights):
                    found[f'{path}/{attribute}/vars/{i}'] = array
        return found

    def named(self, models=False):
        """[(path, array, is trained)] of all layers, nested ones too; with
        @models, in folders of their models."""
        found = []
        for layer in self.layers:
            if isinstance(layer, Model):
                prefix = layer.name + '/' if models else ''
                found += [(prefix + n, a, t)
                          for n, a, t in layer.named(models)]
                continue
            for name, array in layer.weights:
                found.append((f'{layer.name}/{name}', array,
                              not name.startswith('moving')))
            for _, (part, weights) in layer.parts.items():
                for name, array in weights:
                    found.append((f'{layer.name}/{part}/{name}', array, True))
        return found


def save_keras3(model, path, version='3.5.0', layers='layers', change=None,
                compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with h5py.File(buffer, 'w') as file:
        for name, array in model.numbered(layers).items():
            file[name] = array
    config = model.to_json()
    if change:
        config = change(config)
    with zipfile.ZipFile(path, 'w', compression) as archive:
        for name, data in (
                ('metadata.json', json.dumps({'keras_version': version})),
                ('config.json', config),
                ('model.weights.h5', buffer.getvalue())):
            archive.writestr(zipfile.ZipInfo(name), data, compression)


def save_h5(model, path, version='2.15.0', suffix=':0', chunk=None,
            models=False):
    keras2 = version.startswith('2')
    with h5py.File(path, 'w') as file:
        file.attrs['keras_version'] = version
        file.attrs['model_config'] = model.to_json(keras2)
        root = file.create_group('model_weights')
        for layer in model.layers:
            group = root.create_group(layer.name)
            one = Model('one')
            one.layers = [layer]
            weights = layer.named(models) if isinstance(layer, Model) \
                else one.named()
            weights = [w for w in weights if w[2]] + \
                [w for w in weights if not w[2]]
            names = [(name + suffix).encode() for name, _, _ in weights]
            step = chunk or max(len(names), 1)
            if len(names) <= step:
                group.attrs['weight_names'] = np.array(names)
            else:
                for i in range(0, len(names), step):
                    group.attrs[f'weight_names{i // step}'] = \
                        np.array(names[i:i + step])
            for name, array, _ in weights:
                group[name + suffix] = array
