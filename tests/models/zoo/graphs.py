# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks node for node in the manner of exporters that are not here:
tf2onnx and keras2onnx (NHWC pictures, a Transpose first, pads of their own,
shapes computed from shapes) and torch's newer exporter (opset 18 and up,
operators of whole layers, functions of the file's own)."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GRAPHS = {}
SEED = 13


def graph(*picture, opset=13):
    """Registers a function that builds a graph on a Builder."""
    def register(function):
        GRAPHS[function.__name__] = (function, picture, opset)
        return function
    return register


class Builder:
    """One graph; every method returns the name of a value."""

    def __init__(self, opset):
        self.rng = np.random.default_rng(SEED)
        self.nodes, self.weights, self.functions = [], [], []
        self.opset, self.count = opset, 0

    def name(self):
        self.count += 1
        return f"v{self.count}"

    def constant(self, values, dtype=np.float32):
        name = self.name()
        self.weights.append(
            numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def ints(self, *values):
        return self.constant(values, np.int64)

    def weight(self, *shape):
        scale = np.prod(shape[1:] or (1,)) ** -0.5
        return self.constant(self.rng.standard_normal(shape) * scale)

    def matrix(self, k, n):
        return self.constant(self.rng.standard_normal((k, n)) * k ** -0.5)

    def ones(self, n):
        return self.constant(self.rng.uniform(0.5, 1.5, n))

    def op(self, kind, *inputs, domain="", outputs=1, **attributes):
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(
            kind, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def to_nchw(self, x):
        return self.op("Transpose", x, perm=[0, 3, 1, 2])

    def to_nhwc(self, x):
        return self.op("Transpose", x, perm=[0, 2, 3, 1])

    def clip(self, x, low, high):
        return self.op("Clip", x, self.constant(low), self.constant(high))

    def conv(self, x, c, o, k, bias=True, **attributes):
        inputs = [x, self.weight(o, c // attributes.get("group", 1), k, k)]
        if bias:
            inputs.append(self.weight(o))
        return self.op("Conv", *inputs, kernel_shape=[k, k], **attributes)

    def batch_norm(self, x, c):
        return self.op("BatchNormalization", x, self.ones(c), self.weight(c),
                       self.weight(c), self.ones(c), epsilon=1e-3)

    def dense(self, x, k, n):
        return self.op("Add", self.op("MatMul", x, self.matrix(k, n)),
                       self.weight(n))


def make(name, path):
    function, picture, opset = GRAPHS[name]
    b = Builder(opset)
    y = function(b, "input")
    inputs = [helper.make_tensor_value_info(
        "input", TensorProto.FLOAT, ["unk__1", *picture])]
    outputs = [helper.make_tensor_value_info(
        y, TensorProto.FLOAT, ["unk__2", 50])]
    made = helper.make_graph(b.nodes, name, inputs, outputs, b.weights)
    opsets = [helper.make_opsetid("", opset)]
    if b.functions:
        opsets.append(helper.make_opsetid("pkg.zoo", 1))
    model = helper.make_model(made, opset_imports=opsets,
                              functions=b.functions, ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    pictures = np.random.default_rng(SEED).standard_normal((3, *picture))
    return pictures.astype(np.float32)


@graph(65, 61, 3)
def tf2onnx_mobilenet(b, x):
    """Odd sides, Pad before strides of 2, ReLU6 as Clip, and a head of
    ReduceMean, MatMul and Softmax."""
    x = b.to_nchw(x)
    x = b.op("Pad", x, b.ints(0, 0, 0, 0, 0, 0, 1, 1))
    x = b.clip(b.conv(x, 3, 16, 3, strides=[2, 2]), 0.0, 6.0)
    for c, o, stride in ((16, 24, 2), (24, 24, 1), (24, 40, 2)):
        short = x
        x = b.clip(b.conv(x, c, 4 * c, 1), 0.0, 6.0)
        pads = {"pads": [1, 1, 1, 1]}
        if stride == 2:
            x = b.op("Pad", x, b.ints(0, 0, 0, 1, 0, 0, 1, 1),
                     b.constant(0.0))
            pads = {}
        x = b.conv(x, 4 * c, 4 * c, 3, group=4 * c, strides=[stride, stride],
                   bias=False, **pads)
        x = b.clip(b.batch_norm(x, 4 * c), 0.0, 6.0)
        x = b.conv(x, 4 * c, o, 1)
        if c == o:
            x = b.op("Add", x, short)
    x = b.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    return b.op("Softmax", b.dense(x, 40, 50), axis=-1)


@graph(63, 64, 3, opset=11)
def keras2onnx_same(b, x):
    """auto_pad in both manners, every layer between its own Transposes."""
    for c, o, k, stride, pad in ((3, 16, 3, 2, "SAME_UPPER"),
                                 (16, 24, 5, 2, "SAME_LOWER"),
                                 (24, 24, 3, 1, "SAME_UPPER"),
                                 (24, 32, 2, 2, "VALID")):
        y = b.conv(b.to_nchw(x), c, o, k, strides=[stride, stride],
                   auto_pad=pad)
        x = b.to_nhwc(y)
        x = b.op("Relu", b.to_nhwc(b.batch_norm(b.to_nchw(x), o)))
    y = b.op("MaxPool", b.to_nchw(x), kernel_shape=[3, 3], strides=[2, 2],
             auto_pad="SAME_UPPER")
    y = b.op("AveragePool", y, kernel_shape=[2, 2], strides=[1, 1],
             auto_pad="SAME_LOWER")
    x = b.op("Reshape", b.to_nhwc(y), b.ints(-1, 4 * 4 * 32))
    return b.op("Softmax", b.dense(x, 4 * 4 * 32, 50), axis=1)


@graph(64, 64, 3)
def tf2onnx_efficientnet(b, x):
    """Rescaled bytes, squeeze and excite by a Reshape to a computed shape,
    swish as Mul of Sigmoid, hard swish as Clip."""
    x = b.op("Mul", x, b.constant(0.5))
    x = b.op("Sub", x, b.constant([0.1, -0.2, 0.3]))
    x = b.conv(b.to_nchw(x), 3, 24, 3, strides=[2, 2], pads=[0, 0, 1, 1])
    x = b.op("Mul", x, b.op("Sigmoid", x))
    y = b.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    batch = b.op("Squeeze", b.op(
        "Slice", b.op("Cast", b.op("Shape", y), to=TensorProto.INT32),
        b.ints(0), b.ints(1), b.ints(0)), b.ints(0))
    shape = b.op("Concat", *[
        b.op("Unsqueeze", part, b.ints(0))
        for part in (batch, *(b.constant(v, np.int32) for v in (24, 1, 1)))],
        axis=0)
    y = b.op("Reshape", y, b.op("Cast", shape, to=TensorProto.INT64))
    y = b.op("Relu", b.conv(y, 24, 6, 1))
    y = b.op("Sigmoid", b.conv(y, 6, 24, 1))
    x = b.op("Mul", x, y)
    y = b.clip(b.op("Add", x, b.constant(3.0)), 0.0, 6.0)
    x = b.op("Mul", b.op("Mul", x, y), b.constant(1 / 6))
    x = b.to_nhwc(b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))
    x = b.op("Max", x, b.op("Mul", x, b.constant(0.2)))
    x = b.dense(x, 24, 40)
    x = b.op("ReduceMean", x, axes=[1, 2], keepdims=0)
    return b.op("Sigmoid", b.dense(x, 40, 50))


def tf_layer_norm(b, x, c):
    mean = b.op("ReduceMean", x, axes=[-1], keepdims=1)
    gap = b.op("Sub", x, mean)
    variance = b.op("ReduceMean", b.op("Mul", gap, gap), axes=[-1], keepdims=1)
    scale = b.op("Reciprocal", b.op("Sqrt", b.op(
        "Add", variance, b.constant(1e-6))))
    scale = b.op("Mul", scale, b.ones(c))
    shift = b.op("Sub", b.weight(c), b.op("Mul", mean, scale))
    return b.op("Add", b.op("Mul", x, scale), shift)


@graph(64, 64, 3)
def tf2onnx_vit(b, x):
    """The class token by Tile of a computed count, attention by Einsum with
    dense layers of three dimensions, gelu by tanh and Pow."""
    c, heads, width = 32, 4, 8
    x = b.to_nhwc(b.conv(b.to_nchw(x), 3, c, 8, strides=[8, 8]))
    batch = b.op("Slice", b.op("Shape", x), b.ints(0), b.ints(1))
    x = b.op("Reshape", x, b.op("Concat", batch, b.ints(-1, c), axis=0))
    token = b.op("Tile", b.constant(b.rng.standard_normal((1, 1, c))),
                 b.op("Concat", batch, b.ints(1, 1), axis=0))
    x = b.op("Concat", token, x, axis=1)
    x = b.op("Add", x, b.constant(b.rng.standard_normal((1, 65, c))))
    for _ in range(2):
        y = tf_layer_norm(b, x, c)
        q, k, v = (b.op("Add", b.op("Einsum", y, b.constant(
            b.rng.standard_normal((c, heads, width)) * c ** -0.5),
            equation="abc,cde->abde"), b.weight(heads, width))
            for _ in range(3))
        q = b.op("Mul", q, b.constant(width ** -0.5))
        a = b.op("Softmax", b.op("Einsum", k, q, equation="aecd,abcd->acbe"),
                 axis=-1)
        y = b.op("Einsum", a, v, equation="acbe,aecd->abcd")
        y = b.op("Einsum", y, b.constant(
            b.rng.standard_normal((heads, width, c)) * c ** -0.5),
            equation="abcd,cde->abe")
        x = b.op("Add", x, b.op("Add", y, b.weight(c)))
        y = b.dense(tf_layer_norm(b, x, c), c, 3 * c)
        cube = b.op("Mul", b.op("Pow", y, b.constant(3.0)),
                    b.constant(0.044715))
        t = b.op("Tanh", b.op("Mul", b.op("Add", y, cube),
                              b.constant((2 / np.pi) ** 0.5)))
        y = b.op("Mul", b.op("Mul", y, b.constant(0.5)),
                 b.op("Add", t, b.constant(1.0)))
        x = b.op("Add", x, b.dense(y, 3 * c, c))
    x = b.op("Squeeze", b.op("Slice", x, b.ints(0), b.ints(1), b.ints(1)),
             b.ints(1))
    return b.dense(x, c, 50)


@graph(48, 48, 3)
def tf2onnx_shapes(b, x):
    """Strided slices, space to depth and back in NHWC, resizes in TensorFlow's
    two manners, a transposed convolution, split and stack."""
    x = b.conv(b.to_nchw(x), 3, 16, 3, pads=[1, 1, 1, 1])
    y = b.op("Resize", x, "", b.constant([1, 1, 0.5, 0.5]), mode="linear",
             coordinate_transformation_mode="half_pixel")
    z = b.op("Resize", x, "", "", b.op("Concat", b.op(
        "Slice", b.op("Shape", x), b.ints(0), b.ints(2), b.ints(0)),
        b.ints(24, 24), axis=0), mode="nearest", nearest_mode="floor",
        coordinate_transformation_mode="asymmetric")
    y = b.op("Add", y, z)
    y = b.op("ConvTranspose", y, b.weight(16, 16, 3, 3), b.weight(16),
             strides=[2, 2], kernel_shape=[3, 3], pads=[0, 0, 1, 1])
    x = b.to_nhwc(b.op("LeakyRelu", b.op("Add", x, y), alpha=0.3))
    x = b.op("Slice", x, b.ints(47, 0), b.ints(-49, 48), b.ints(1, 2),
             b.ints(-1, 2))
    x = b.op("DepthToSpace", b.to_nchw(x), blocksize=2, mode="DCR")
    x = b.to_nhwc(b.op("SpaceToDepth", x, blocksize=2))
    left, right = b.op("Split", x, b.ints(4, 12), axis=-1, outputs=2)
    right = b.op("Concat", *b.op("Split", right, axis=3, outputs=2), axis=1)
    parts = [b.op("ReduceMax", left, axes=[1, 2], keepdims=0),
             b.op("ReduceMean", right, axes=[1, 2], keepdims=0)]
    x = b.op("Concat", *parts, axis=1)
    x = b.op("Where", b.op("Greater", x, b.constant(0.0)), x,
             b.op("Sub", b.op("Exp", x), b.constant(1.0)))
    return b.op("LogSoftmax", b.dense(x, 10, 50), axis=-1)


@graph(3, 64, 64, opset=20)
def torch_export_vit(b, x):
    """Whole layers as operators, axes as inputs, Shape with an end, Reshape
    with allowzero, attention with a computed scale."""
    c, heads = 32, 4
    batch = b.op("Shape", x, start=0, end=1)
    x = b.conv(x, 3, c, 8, strides=[8, 8])
    shape = b.op("Concat", batch, b.ints(c, 64), axis=0)
    x = b.op("Transpose", b.op("Reshape", x, shape, allowzero=1),
             perm=[0, 2, 1])
    token = b.op("Expand", b.constant(b.rng.standard_normal((1, 1, c))),
                 b.op("Concat", batch, b.ints(1, 1), axis=0))
    x = b.op("Concat", token, x, axis=1)
    split = b.op("Concat", batch, b.ints(65, heads, c // heads), axis=0)
    for _ in range(2):
        y = b.op("LayerNormalization", x, b.ones(c), b.weight(c), axis=-1,
                 epsilon=1e-6)
        q, k, v = (b.op("Transpose", b.op("Reshape", b.dense(y, c, c), split,
                                          allowzero=1), perm=perm)
                   for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
        scale = b.op("Sqrt", b.op("Cast", b.op(
            "Shape", q, start=-1), to=TensorProto.FLOAT))
        a = b.op("Softmax", b.op("Div", b.op("MatMul", q, k), scale), axis=-1)
        y = b.op("Transpose", b.op("MatMul", a, v), perm=[0, 2, 1, 3])
        y = b.op("Reshape", y, b.op("Concat", batch, b.ints(65, c), axis=0))
        x = b.op("Add", x, b.dense(y, c, c))
        y = b.op("LayerNormalization", x, b.ones(c), b.weight(c))
        y = b.op("Gelu", b.dense(y, c, 3 * c), approximate="none")
        x = b.op("Add", x, b.dense(y, 3 * c, c))
    x = b.op("ReduceMean", x, b.ints(1), keepdims=0)
    return b.op("Gemm", x, b.weight(50, c), b.weight(50), transB=1)


@graph(3, 64, 64, opset=18)
def torch_export_cnn(b, x):
    """GroupNorm as a reshaped InstanceNormalization, splits by count, pools
    by ReduceMean and ReduceMax with axes as inputs, Mish."""
    x = b.conv(x, 3, 16, 3, strides=[2, 2], pads=[1, 1, 1, 1])
    y = b.op("Reshape", x, b.ints(0, 4, -1))
    y = b.op("InstanceNormalization", y, b.constant(np.ones(4)),
             b.constant(np.zeros(4)), epsilon=1e-5)
    y = b.op("Reshape", y, b.op("Shape", x))
    y = b.op("Add", b.op("Mul", y, b.constant(
        b.rng.uniform(0.5, 1.5, (16, 1, 1)))), b.weight(16, 1, 1))
    y = b.op("Mish", y)
    parts = b.op("Split", y, axis=1, num_outputs=3, outputs=3)
    y = b.op("Concat", *reversed(parts), axis=1)
    y = b.op("Resize", y, "", b.constant([0.7, 0.7]), mode="linear",
             antialias=1, axes=[2, 3])
    y = b.op("Pad", y, b.ints(2, 1, 0, 3), "", b.ints(2, 3), mode="reflect")
    mean = b.op("ReduceMean", y, b.ints(-2, -1), keepdims=1)
    top = b.op("ReduceMax", y, b.ints(2, 3), keepdims=1)
    y = b.op("Flatten", b.op("Concat", mean, top, axis=1))
    return b.op("Gemm", y, b.weight(50, 32), b.weight(50), transB=1)


@graph(3, 64, 64, opset=18)
def torch_export_functions(b, x):
    """Functions of the file's own, one calling another, with attributes."""
    opset = [helper.make_opsetid("", 18), helper.make_opsetid("pkg.zoo", 1)]
    node = helper.make_node

    def attribute(made, name):
        reference = made.attribute.add()
        reference.name = reference.ref_attr_name = name
        reference.type = onnx.AttributeProto.FLOAT
        return made
    b.functions = [
        helper.make_function(
            "pkg.zoo", "Swish", ["x"], ["y"],
            [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])],
            opset),
        helper.make_function(
            "pkg.zoo", "Block", ["x", "w", "bias"], ["y"],
            [node("Conv", ["x", "w", "bias"], ["t"], pads=[1, 1, 1, 1]),
             attribute(node("LeakyRelu", ["t"], ["u"]), "alpha"),
             node("Swish", ["u"], ["v"], domain="pkg.zoo"),
             node("Add", ["v", "x"], ["y"])], opset, ["alpha"])]
    x = b.conv(x, 3, 16, 3, strides=[2, 2], pads=[1, 1, 1, 1])
    for alpha in (0.1, 0.3):
        x = b.op("Block", x, b.weight(16, 16, 3, 3), b.weight(16),
                 domain="pkg.zoo", alpha=alpha)
    x = b.op("Swish", x, domain="pkg.zoo")
    x = b.op("Flatten", b.op("GlobalAveragePool", x))
    return b.op("Gemm", x, b.weight(50, 16), b.weight(50), transB=1)
