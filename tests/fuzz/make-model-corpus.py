#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes the seed files of the targets onnx, session, tensor, external, npy,
# modelinfo and checkpoint, and the words of onnx and session, all of our
# own making. Needs Debian's python3-onnx; run by hand when a seed is to be
# added, the result is committed.
import io
import os
import re
import struct

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
          functions=(), sparse=()):
    graph = h.make_graph(
        nodes, name,
        [h.make_tensor_value_info(n, t, s) for n, t, s in inputs],
        [h.make_tensor_value_info(n, T.FLOAT, None) for n in outputs],
        list(weights))
    graph.sparse_initializer.extend(sparse)
    opsets = [h.make_opsetid("", opset)]
    if functions:
        opsets += [h.make_opsetid("own", 1), h.make_opsetid("local", 1)]
    m = h.make_model(graph, functions=functions, opset_imports=opsets)
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


def branch(type, result):
    value = h.make_tensor_value_info(result, T.FLOAT, None)
    return h.make_graph([n(type, ["c"], [result])], result, [], [value])


slope = onnx.AttributeProto(name="alpha", ref_attr_name="slope",
                            type=onnx.AttributeProto.FLOAT)
leaky = n("LeakyRelu", ["a"], ["b"])
leaky.attribute.append(slope)
leaky = h.make_function("local", "leaky", ["a"], ["b"], [leaky],
                        [h.make_opsetid("", 13)])
leaky.attribute.append("slope")
block = h.make_function("local", "block", ["a"], ["o"], [
    n("leaky", ["a"], ["b"], domain="local", slope=0.25),
    n("Mul", ["b", "a"], ["o"], name="product"),
], [h.make_opsetid("", 13), h.make_opsetid("local", 1)])
model("bodies", [("x", T.FLOAT, ["N", 2, 4, 4])], ["y"], [
    n("block", ["x"], ["c"], domain="local", name="first"),
    n("Shape", ["c"], ["s"]),
    n("Gather", ["s", "one"], ["k"]),
    n("Equal", ["k", "two"], ["is"]),
    n("If", ["is"], ["r"], then_branch=branch("Relu", "t"),
      else_branch=branch("Neg", "e")),
    n("GlobalMaxPool", ["r"], ["p"]),
    n("Add", ["p", "sparse"], ["y"]),
], [weight("one", kind=T.INT64, values=[1]),
    weight("two", kind=T.INT64, values=[2])], functions=[leaky, block],
    sparse=[h.make_sparse_tensor(weight("sparse", 1, values=[3]),
                                 weight("i", 1, kind=T.INT64, values=[1]),
                                 [1, 2, 1, 1])])
model("half", [("x", T.FLOAT16, [1, 2, 4, 4])], ["y"], [
    n("Conv", ["x", "w"], ["c"]),
    n("Cast", ["c"], ["d"], to=T.DOUBLE),
    n("Cast", ["d"], ["h"], to=T.FLOAT16),
    n("Sqrt", ["h"], ["y"]),
], [weight("w", 2, 2, 1, 1, kind=T.FLOAT16)])
model("integers", [("x", T.FLOAT, [1, 2, 4, 4])], ["y"], [
    n("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
    n("QLinearConv", ["q", "sx", "zx", "w", "sw", "zw", "sx", "zx", "b"],
      ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    n("DequantizeLinear", ["c", "sx", "zx"], ["m"]),
    n("MaxPool", ["m"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
    n("DynamicQuantizeLinear", ["d"], ["u", "us", "uz"]),
    n("ConvInteger", ["u", "wu", "uz"], ["i"]),
    n("Cast", ["i"], ["f"], to=T.FLOAT),
    n("Mul", ["f", "us"], ["y"]),
], [weight("sx", values=[0.5]), weight("zx", kind=T.UINT8, values=[128]),
    weight("w", 2, 2, 3, 3, kind=T.INT8, values=range(-18, 18)),
    weight("sw", 2, values=[0.25, 0.5]),
    weight("zw", 2, kind=T.INT8, values=[0, 0]),
    weight("b", 2, kind=T.INT32, values=[5, -5]),
    weight("wu", 1, 2, 1, 1, kind=T.UINT8, values=[3, 250])])
model("attention", [("x", T.FLOAT, ["N", 3, 4])], ["y"], [
    n("LayerNormalization", ["x", "g", "g"], ["l"], axis=-1),
    n("MatMul", ["l", "w"], ["q"]),
    n("Transpose", ["q"], ["k"], perm=[0, 2, 1]),
    n("MatMul", ["q", "k"], ["a"]),
    n("Softmax", ["a"], ["p"], axis=-1),
    n("Einsum", ["p", "q"], ["o"], equation="bij,bjk->bik"),
    n("Slice", ["o", "zero", "one", "one"], ["s"]),
    n("Shape", ["s"], ["sh"]),
    n("Expand", ["g", "sh"], ["e"]),
    n("Where", ["cond", "s", "e"], ["h"]),
    n("Gelu", ["h"], ["y"], approximate="tanh"),
], [weight("g", 4), weight("w", 4, 4), weight("zero", 1, kind=T.INT64,
                                              values=[0]),
    weight("one", 1, kind=T.INT64, values=[1]),
    weight("cond", 4, kind=T.BOOL, values=[1, 0, 1, 0])], opset=20)
model("shapes", [("x", T.FLOAT, [1, 4, 4, 4])], ["y", "top", "z"], [
    n("Resize", ["x", "", "scales"], ["r"], mode="linear"),
    n("DepthToSpace", ["r"], ["d"], blocksize=2),
    n("SpaceToDepth", ["d"], ["b"], blocksize=2),
    n("Split", ["b", "parts"], ["l", "h"], axis=1),
    n("ConvTranspose", ["l", "w"], ["c"], strides=[2, 2]),
    n("InstanceNormalization", ["c", "v", "v"], ["i"]),
    n("LRN", ["i"], ["n"], size=3),
    n("PRelu", ["n", "p"], ["y"]),
    n("GatherElements", ["h", "at"], ["ge"], axis=3),
    n("TopK", ["ge", "k"], ["top", "where"]),
    n("ReduceMax", ["h"], ["rm"], axes=[1], keepdims=0),
    n("CumSum", ["rm", "axis"], ["cs"]),
    n("Tile", ["cs", "times"], ["z"]),
], [weight("scales", 4, values=[1, 1, 2, 2]),
    weight("parts", 2, kind=T.INT64, values=[1, 3]), weight("w", 1, 2, 2, 2),
    weight("v", 2), weight("p", 2, 1, 1),
    weight("at", 1, 3, 8, 2, kind=T.INT64, values=[i % 8 for i in range(48)]),
    weight("k", 1, kind=T.INT64, values=[1]),
    weight("axis", kind=T.INT64, values=[1]),
    weight("times", 3, kind=T.INT64, values=[1, 2, 1])])

for name, kind, raw in [("float-raw", T.FLOAT, True),
                        ("float-data", T.FLOAT, False),
                        ("int64-data", T.INT64, False),
                        ("double-data", T.DOUBLE, False),
                        ("uint8-data", T.UINT8, False),
                        ("half-raw", T.FLOAT16, True),
                        ("bool-raw", T.BOOL, True)]:
    put("tensor", name + ".pb",
        weight(name, 2, 3, kind=kind, raw=raw,
               values=range(6)).SerializeToString())
for name, place in [("plain", b"w\n4\n4"), ("dot", b"./w\n60\n4"),
                    ("out", b"../w\n0\n4"), ("link", b"l\n0\n4"),
                    ("inner-link", b"k\n0\n4"), ("end", b"w\n60")]:
    put("external", name, place)

words = set(re.findall(r"^OP \((\w+)", open(os.path.join(
    root, "..", "..", "..", "engine", "ops", "ops.def")).read(), re.M))
words |= {"Constant", "If", "then_branch", "else_branch", "value", "pads",
          "strides", "dilations", "kernel_shape", "group", "auto_pad",
          "SAME_UPPER", "axis", "axes", "keepdims", "perm", "to", "mode",
          "ceil_mode", "alpha", "beta", "transA", "transB", "epsilon",
          "equation", "location", "offset", "length", "com.microsoft",
          "forge.preprocess", "forge.labels", "forge.format"}
for target in ("onnx", "session"):
    with open(os.path.join(root, "..", target + ".dict"), "w") as file:
        file.writelines('"%s"\n' % word for word in sorted(words))

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
put("modelinfo", "drift", b'd{"version": 1, "mean_confidence": 0.75}')
put("modelinfo", "labels-file", b"fcat\r\ndog\n\xc3\xbc\n")

head = b"FORGECKP" + struct.pack("<II", 2, 2) + b"{}"
head += struct.pack("<QQQddI", 3, 30, 2, 0.5, 0.25, 2)
slots = struct.pack("<QB18f", 3, 31, *range(18))
slots += struct.pack("<QB9f", 3, 3, *range(9))
put("checkpoint", "whole", b"c" + head + slots)
put("checkpoint", "other-settings",
    b"c" + head.replace(struct.pack("<I", 2) + b"{}",
                        struct.pack("<I", 7) + b'{"a":1}') + slots)
put("checkpoint", "no-checksum", b"r" + head + slots)
