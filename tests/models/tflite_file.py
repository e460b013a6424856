# SPDX-License-Identifier: LGPL-2.1-or-later
"""TensorFlow Lite files written by hand from schema.fbs, for the scripts that
make test models: tables, vectors and the Model that is put together of them.
"""
import os
import struct
import zipfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, '..', 'fuzz', 'corpus', 'tflite')
REFERENCES = os.path.join(HERE, 'tflite-references')

FLOAT32, FLOAT16, INT32, UINT8, INT64, INT8 = 0, 1, 2, 3, 4, 9
KINDS = {FLOAT32: np.float32, FLOAT16: np.float16, INT32: np.int32,
         UINT8: np.uint8, INT64: np.int64, INT8: np.int8}

# BuiltinOperator to the number of its options in the union BuiltinOptions;
# operators that are not here have none.
OPTIONS = {
    0: 11, 1: 5, 2: 10, 3: 1, 4: 2, 5: 94, 6: 38, 9: 8, 11: 12, 13: 13, 17: 5,
    18: 21, 22: 17, 23: 15, 25: 9, 26: 19, 34: 22, 36: 23, 37: 24, 38: 25,
    39: 26, 40: 27, 41: 28, 42: 29, 43: 30, 45: 32, 47: 33, 49: 35, 50: 36,
    53: 37, 55: 39, 56: 40, 57: 39, 59: 42, 60: 43, 65: 48, 67: 49, 69: 51,
    70: 52, 74: 27, 77: 55, 78: 56, 79: 57, 81: 27, 82: 27, 83: 59, 88: 64,
    89: 27, 92: 66, 97: 74, 98: 75, 99: 76, 100: 77, 101: 78, 102: 79, 106: 82,
    114: 89, 117: 91, 126: 101, 130: 104, 150: 116, 158: 123}

# Where the runtime knows no version 1.
VERSIONS = {130: 2}


class Table:
    """Fields: {index: value}; a value is ('<struct format>', number), a
    Table, a Vector or bytes (a vector of bytes)."""

    def __init__(self, **fields):
        self.fields = {int(k[1:]): v for k, v in fields.items()
                       if v is not None}


class Vector:
    def __init__(self, form, values):
        self.form, self.values = form, list(values)


def ints(values):
    return Vector('<i', values)


def write_any(out, value):
    """Appends a child and returns where it begins."""
    while len(out) % 8:
        out += b'\0'
    if isinstance(value, (bytes, str)):
        raw = value if isinstance(value, bytes) else value.encode()
        out += b'\0' * 4
        at = len(out)
        out += struct.pack('<I', len(raw)) + raw + b'\0'
        return at
    if isinstance(value, Vector):
        out += b'\0' * 4
        at = len(out)
        out += struct.pack('<I', len(value.values))
        if value.form == 'table':
            first = len(out)
            out += b'\0' * 4 * len(value.values)
            for i, child in enumerate(value.values):
                to = write_any(out, child)
                struct.pack_into('<I', out, first + 4 * i, to - first - 4 * i)
        else:
            for number in value.values:
                out += struct.pack(value.form, number)
        return at
    return write_table(out, value)


def write_table(out, table):
    n_fields = max(table.fields, default=-1) + 1
    offsets, body = [0] * n_fields, 4
    for index in sorted(table.fields):
        value = table.fields[index]
        size = struct.calcsize(value[0]) if isinstance(value, tuple) else 4
        body = (body + size - 1) // size * size
        offsets[index] = body
        body += size
    vtable = len(out)
    out += struct.pack('<HH', 4 + 2 * n_fields, body)
    for offset in offsets:
        out += struct.pack('<H', offset)
    while len(out) % 8:
        out += b'\0'
    at = len(out)
    out += struct.pack('<i', at - vtable) + b'\0' * (body - 4)
    for index, value in table.fields.items():
        place = at + offsets[index]
        if isinstance(value, tuple):
            struct.pack_into(value[0], out, place, value[1])
        else:
            child = write_any(out, value)
            struct.pack_into('<I', out, place, child - place)
    return at


class Model:
    """Tensors and operators in the order in which they are added."""

    def __init__(self):
        self.buffers = [Table()]
        self.tensors, self.operators, self.codes = [], [], []

    def tensor(self, name, shape, kind, scale=None, zero=None, data=None,
               axis=0, signature=None):
        buffer = 0
        if data is not None:
            buffer = len(self.buffers)
            self.buffers.append(Table(f0=np.ascontiguousarray(data).tobytes()))
        quantisation = None
        if scale is not None:
            scales = np.atleast_1d(np.float32(scale))
            zeros = np.broadcast_to(np.atleast_1d(zero), scales.shape)
            quantisation = Table(f2=Vector('<f', scales),
                                 f3=Vector('<q', zeros.tolist()),
                                 f6=('<i', axis))
        self.tensors.append(Table(
            f0=ints(shape), f1=('<B', kind), f2=('<I', buffer), f3=name,
            f4=quantisation,
            f7=ints(signature) if signature is not None else None))
        return len(self.tensors) - 1

    def operator(self, code, inputs, output, options=None):
        """@code is a number, or the name of a custom operator."""
        if code not in self.codes:
            self.codes.append(code)
        outputs = output if isinstance(output, list) else [output]
        self.operators.append(Table(
            f0=('<I', self.codes.index(code)), f1=ints(inputs),
            f2=ints(outputs), f3=('<B', OPTIONS.get(code, 0)),
            f4=options or Table()))

    def write(self, name, inputs, outputs, metadata=None, files=None,
              signature=None):
        """@metadata: the root of a metadata flatbuffer; @files: {name: (bytes,
        deflated)} for the archive behind the model."""
        # Alternating: the old field alone, or the new one too.
        codes = [Table(f0=('<b', 32), f1=code, f2=('<i', 3), f3=('<i', 32))
                 if isinstance(code, str) else
                 Table(f0=('<b', code)) if i % 2 and code < 127 else
                 Table(f0=('<b', min(code, 127)),
                       f2=('<i', VERSIONS.get(code, 1)), f3=('<i', code))
                 for i, code in enumerate(self.codes)]
        entries = None
        if metadata is not None:
            packed = bytearray(struct.pack('<I', 0) + b'M001')
            struct.pack_into('<I', packed, 0, write_table(packed, metadata))
            entries = Vector('table', [Table(f0='TFLITE_METADATA', f1=(
                '<I', len(self.buffers)))])
            self.buffers.append(Table(f0=bytes(packed)))
        graph = Table(f0=Vector('table', self.tensors), f1=ints(inputs),
                      f2=ints(outputs), f3=Vector('table', self.operators),
                      f4='main')
        root = Table(f0=('<I', 3), f1=Vector('table', codes),
                     f2=Vector('table', [graph]), f3='made for tests',
                     f4=Vector('table', self.buffers), f6=entries,
                     f7=signature)
        out = bytearray(struct.pack('<I', 0) + b'TFL3')
        struct.pack_into('<I', out, 0, write_table(out, root))
        path = os.path.join(CORPUS, name + '.tflite')
        with open(path, 'wb') as file:
            file.write(out)
        for entry, (data, deflated) in (files or {}).items():
            info = zipfile.ZipInfo(entry, (1980, 1, 1, 0, 0, 0))
            info.compress_type = (zipfile.ZIP_DEFLATED if deflated
                                  else zipfile.ZIP_STORED)
            with zipfile.ZipFile(path, 'a') as archive:
                archive.writestr(info, data)
