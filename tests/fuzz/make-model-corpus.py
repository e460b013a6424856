#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes the seed files of the targets onnx, session, npy and modelinfo, all of
# our own making. Needs Debian's python3-onnx; run by hand when a seed is to be
# added, the result is committed.
import io
import os

import numpy
import onnx
from onnx import TensorProto as T
from onnx import helper as h

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def put(target, name, data):
    folder = os.path.join(root, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def weight(name, *shape, kind=T.FLOAT, raw=True, values=None):
    count = int(numpy.prod(shape)) if shape else 1
    values = values or [((7 * i) % 11 - 5) / 4 for i in range(count)]
    array = numpy.array(values, dtype=onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[kind])
    if raw:
        return h.make_tensor(name, kind, shape, array.tobytes(), raw=True)
    return h.make_tensor(name, kind, shape, array.tolist())


def model(name, inputs, outputs, nodes, weights=(), metadata=None, opset=13,
          functions=()):
    graph = h.make_graph(
        nodes, name,
        [h.make_tensor_value_info(n, t, s) for n, t, s in inputs],
        [h.make_tensor_value_info(n, T.FLOAT, None) for n in outputs],
        list(weights))
    opsets = [h.make_opsetid("", opset)]
    opsets += [h.make_opsetid("own", 1)] if functions else []
    m = h.make_model(graph, opset_imports=opsets, functions=functions)
    m.ir_version = 8
    if metadata:
        h.set_model_props(m, metadata)
    for target in ("onnx", "session"):
        put(target, name + ".onnx", m.SerializeToString())


n = h.make_node
model("cnn", [("x", T.UINT8, ["N", 8, 8, 3])], ["y"], [
    n("Cast", ["x"], ["f"], to=T.FLOAT),
    n("Mul", ["f", "s"], ["r"]),
    n("Transpose", ["r"], ["t"], perm=[0, 3, 1, 2]),
    n("Conv", ["t", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    n("BatchNormalization", ["c", "b", "b", "b", "v"], ["n"]),
    n("Relu", ["n"], ["a"]),
    n("MaxPool", ["a"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
    n("Flatten", ["p"], ["l"]),
    n("Gemm", ["l", "g"], ["o"], transB=1),
    n("Softmax", ["o"], ["y"], axis=-1),
], [weight("s", values=[1 / 255]), weight("w", 4, 3, 3, 3), weight("b", 4),
    weight("v", 4, values=[1, 2, 3, 4]), weight("g", 2, 64)], {
    "forge.format": "1", "forge.labels": '["a", "b"]',
    "forge.preprocess": '{"colour": "rgb", "resize": "stretch"}'})
model("depthwise", [("x", T.FLOAT, [1, 4, 6, 6])], ["y"], [
    n("Conv", ["x", "w"], ["c"], group=4, auto_pad="SAME_UPPER",
      strides=[2, 2], dilations=[1, 1]),
    n("Clip", ["c", "", "six"], ["k"]),
    n("HardSwish", ["k"], ["h"]),
    n("GlobalAveragePool", ["h"], ["g"]),
    n("Reshape", ["g", "shape"], ["y"]),
], [weight("w", 4, 1, 3, 3), weight("six", raw=False, values=[6]),
    weight("shape", 2, kind=T.INT64, raw=False, values=[0, -1])], opset=14)
model("branches", [("x", T.FLOAT, [1, 2, 5, 5])], ["y", "z"], [
    n("LeakyRelu", ["x"], ["a"], alpha=0.1),
    n("AveragePool", ["x"], ["b"], kernel_shape=[3, 3], pads=[1, 1, 1, 1],
      ceil_mode=1),
    n("Add", ["a", "b"], ["s"]),
    n("Concat", ["s", "x"], ["c"], axis=1),
    n("ReduceMean", ["c"], ["m"], axes=[2, 3], keepdims=1),
    n("Sigmoid", ["m"], ["g"]),
    n("Mul", ["c", "g"], ["y"]),
    n("Constant", [], ["k"], value=weight("k", 1, 4, 1, 1)),
    n("Sub", ["m", "k"], ["d"]),
    n("Squeeze", ["d", "axes"], ["z"]),
], [weight("axes", 2, kind=T.INT64, values=[2, 3])])
model("padded", [("x", T.FLOAT, ["N", 3, 4, 4])], ["y"], [
    n("Pad", ["x", "pads"], ["p"]),
    n("Identity", ["p"], ["i"]),
    n("Dropout", ["i"], ["d"]),
    n("Tanh", ["d"], ["t"]),
    n("Div", ["t", "two"], ["y"]),
], [weight("pads", 8, kind=T.INT64, values=[0, 0, 1, 1, 0, 0, 1, 1]),
    weight("two", values=[2])])

reference = n("LeakyRelu", ["t"], ["y"], alpha=0.0)
reference.attribute[0].ref_attr_name = "slope"
opsets = [h.make_opsetid("", 18), h.make_opsetid("own", 1)]
model("functions", [("x", T.FLOAT, ["N", 18, 4])], ["y"], [
    n("Outer", ["x", "image", "block"], ["f"], domain="own", slope=0.5),
    n("Pad", ["f", "pads"], ["p"], mode="wrap"),
    n("Resize", ["p", "", "scales"], ["s"], mode="linear", antialias=1),
    n("CastLike", ["s", "x"], ["y"]),
], [weight("image", 2, kind=T.INT64, values=[3, 3]),
    weight("block", 2, kind=T.INT64, values=[2, 2]),
    weight("pads", 8, kind=T.INT64, values=[0, 0, 1, 2, 0, 0, 0, 0]),
    weight("scales", 4, values=[1, 1, 0.5, 0.5])], opset=18, functions=[
        h.make_function("own", "Inner", ["x"], ["y"], [
            *[n("Constant", [], [name], value_ints=[value]) for name, value
              in (("from", 2), ("to", 18), ("axis", 1))],
            n("Slice", ["x", "from", "to", "axis"], ["t"]), reference],
            opsets, ["slope"]),
        h.make_function("own", "Outer", ["x", "image", "block"], ["y"], [
            n("Inner", ["x"], ["t"], domain="own", slope=0.25),
            n("Col2Im", ["t", "image", "block"], ["y"])], opsets)])

for name, array in [("f4", numpy.arange(6, dtype="f4").reshape(2, 3)),
                    ("u1", numpy.arange(9, dtype="u1")),
                    ("big-endian", numpy.arange(3, dtype=">i2")),
                    ("scalar", numpy.float64(3)),
                    ("fortran", numpy.asfortranarray(numpy.eye(2, dtype="f2"))),
                    ("structure", numpy.zeros(1, dtype=[("a", "f4")]))]:
    buffer = io.BytesIO()
    numpy.save(buffer, array)
    put("npy", name + ".npy", buffer.getvalue())

put("modelinfo", "labels", b'l["cat", "a \\"dog\\"", "\\u00fc"]')
put("modelinfo", "preprocess",
    b'p{"width": 8, "height": 8, "colour": "bgr", "resize": "letterbox", '
    b'"filter": "nearest", "scale": [0.5, 1, 2], "bias": [0, -1, 1e-3]}')
put("modelinfo", "key-file",
    b"k[modelinfo]\nversion=1.0\n[image]\ndir=input\ntype=float32\n"
    b"dims=-1,3,8,8\nranges=0.0,1.0;-1.0,1.0;0,255\ncolour=rgb\n"
    b"resize=stretch\n[image2]\ndir=output\nlabels-file=m.modelinfo\n")
