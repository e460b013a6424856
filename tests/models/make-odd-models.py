#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes odd/*.onnx: small classifiers, all of our own making, in the ways that
# exporters of ten years have written them, and some that are to be refused.
# Needs Debian's python3-onnx; run by hand when one is to be added, the result
# is committed. test-odd-models.c has the table of what each must do.
import os

import numpy
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "odd")
random = numpy.random.RandomState(7)
n = h.make_node
SHAPES = {"w": (6, 3, 3, 3), "b": (6,), "fw": (5, 6), "fb": (5,)}


def value(name, dtype, shape):
    return h.make_tensor_value_info(name, dtype, shape)


def tensor(name, array):
    return numpy_helper.from_array(numpy.asarray(array), name)


def weights(dtype=numpy.float32, **other):
    return [tensor(name, (random.randn(*other.get(name, shape)) * 0.4)
                   .astype(dtype)) for name, shape in SHAPES.items()]


def save(name, nodes, inputs, outputs, inits=(), opset=13, ir=8, domains=(),
         functions=(), sparse=()):
    graph = h.make_graph(list(nodes), "g", inputs, outputs, list(inits))
    graph.sparse_initializer.extend(sparse)
    m = h.make_model(graph, functions=list(functions), opset_imports=[
        h.make_opsetid(d, v) for d, v in [("", opset), *domains]])
    m.ir_version = ir
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, name + ".onnx"), "wb") as file:
        file.write(m.SerializeToString())
    return m


def body(before="x", activation=None):
    return [
        n("Conv", [before, "w", "b"], ["c"], kernel_shape=[3, 3],
          pads=[1, 1, 1, 1], strides=[2, 2], name="conv"),
        *(activation or [n("Relu", ["c"], ["r"])]),
        n("GlobalAveragePool", ["r"], ["g"]),
        n("Flatten", ["g"], ["f"]),
        n("Gemm", ["f", "fw", "fb"], ["l"], transB=1),
    ]


def picture(shape=("N", 3, 8, 8), dtype=T.FLOAT):
    return [value("x", dtype, list(shape))]


def out(name="l", dtype=T.FLOAT, shape=None):
    return value(name, dtype, shape)


# sizes and batches
for name, shape in [("batch-fixed", (4, 3, 8, 8)), ("batch-zero", (0, 3, 8, 8)),
                    ("batch-anonymous", (None, 3, 8, 8)),
                    ("size-open", ("N", 3, "H", "W")),
                    ("all-open", ("N", "C", "H", "W")),
                    ("height-open", ("N", 3, "H", 8)),
                    ("size-odd", ("N", 3, 29, 33))]:
    save(name, body(), picture(shape), [out()], weights())
save("grey", body(), picture(("N", 1, 8, 8)), [out()],
     weights(w=(6, 1, 3, 3)))
for name, channels in [("two-channels", 2), ("four-channels", 4)]:
    save(name, body(), picture(("N", channels, 8, 8)), [out()],
         weights(w=(6, channels, 3, 3)))
save("bytes-nhwc", [
    n("Cast", ["x"], ["xf"], to=T.FLOAT),
    n("Transpose", ["xf"], ["xt"], perm=[0, 3, 1, 2]), *body("xt")],
    picture(("N", 8, 8, 3), T.UINT8), [out()], weights())
save("int32-input", [n("Cast", ["x"], ["xf"], to=T.FLOAT), *body("xf")],
     picture(dtype=T.INT32), [out()], weights())
save("video", [n("GlobalAveragePool", ["x"], ["p"]), n("Flatten", ["p"], ["l"])],
     picture(("N", 3, 4, 8, 8)), [out()])

# heads
tail = {
    "softmax": ([n("Softmax", ["l"], ["y"], axis=1)], [out("y")]),
    "labels-only": ([n("ArgMax", ["l"], ["y"], axis=1, keepdims=0)],
                    [out("y", T.INT64)]),
    "label-and-probabilities": (
        [n("ArgMax", ["l"], ["label"], axis=1, keepdims=0),
         n("Softmax", ["l"], ["probabilities"], axis=1)],
        [out("label", T.INT64), out("probabilities")]),
    "features-and-logits": ([], [out("f"), out("l")]),
    "logits-and-features": ([], [out("l"), out("f")]),
    "two-heads": ([n("Neg", ["l"], ["m"])], [out("m"), out("l")]),
    "no-batch-out": ([n("Reshape", ["l", "five"], ["y"])], [out("y")]),
    "spatial": ([n("Unsqueeze", ["l", "hw"], ["y"])], [out("y")]),
}
more = [tensor("five", numpy.array([5])), tensor("hw", numpy.array([2, 3]))]
for name, (nodes, outputs) in tail.items():
    used = {i for node in nodes for i in node.input}
    save("head-" + name, body() + nodes, picture(), outputs,
         weights() + [t for t in more if t.name in used])
one = [tensor("fw", random.randn(1, 6).astype("f4")),
       tensor("fb", numpy.zeros(1, "f4"))]
save("head-sigmoid", body() + [n("Sigmoid", ["l"], ["y"])], picture(),
     [out("y")], weights()[:2] + one)

# versions
for opset in (7, 9, 11, 13, 15, 18, 21):
    save("opset-%d" % opset, body() + [n("Softmax", ["l"], ["y"], axis=1)],
         picture(), [out("y")], weights(), opset=opset, ir=3 + (opset > 8) * 5)
listed = [value(name, T.FLOAT, shape) for name, shape in SHAPES.items()]
save("weights-are-inputs", body(), listed + picture((1, 3, 8, 8)), [out()],
     weights(), ir=3)
save("unused-input", body(), [value("training", T.BOOL, [])] + picture(),
     [out()], weights())
save("two-inputs", body() + [n("Add", ["l", "aux"], ["y"])],
     picture() + [value("aux", T.FLOAT, ["N", 5])], [out("y")], weights())
save("constant-nodes", [n("Constant", [], [w.name], value=w)
                        for w in weights()] + body(), picture(), [out()])

# types
for name, dtype, kind in [("half", numpy.float16, T.FLOAT16),
                          ("double", numpy.float64, T.DOUBLE)]:
    save(name, body(), picture(dtype=kind), [out("l", kind)], weights(dtype))
save("half-inside", [n("Cast", ["x"], ["xh"], to=T.FLOAT16), *body("xh"),
                     n("Cast", ["l"], ["y"], to=T.FLOAT)],
     picture(), [out("y")], weights(numpy.float16))


def bfloat16(array):
    bits = (numpy_helper.to_array(array).view(numpy.uint32) >> 16)
    t = onnx.TensorProto(name=array.name + "h", data_type=T.BFLOAT16,
                         dims=array.dims)
    t.raw_data = bits.astype(numpy.uint16).tobytes()
    return t


def half_in_int32(array):
    bits = numpy_helper.to_array(array).astype(numpy.float16).view(numpy.uint16)
    return onnx.TensorProto(name=array.name + "h", data_type=T.FLOAT16,
                            dims=array.dims,
                            int32_data=[int(b) for b in bits.flatten()])


for name, narrow in [("bfloat16-weights", bfloat16),
                     ("half-weights", half_in_int32)]:
    save(name, [n("Cast", [k + "h"], [k], to=T.FLOAT) for k in SHAPES] + body(),
         picture(), [out()], [narrow(w) for w in weights()])
save("float-data", body(), picture(), [out()],
     [h.make_tensor(w.name, T.FLOAT, w.dims,
                    numpy_helper.to_array(w).flatten().tolist())
      for w in weights()])
save("sparse", body(), picture(), [out()], weights()[:3], sparse=[
    h.make_sparse_tensor(tensor("fb", numpy.array([1.5, -2], "f4")),
                         tensor("at", numpy.array([1, 3])), [5])])
save("sparse-coordinates", body(), picture(), [out()],
     weights()[:2] + weights()[3:], sparse=[
    h.make_sparse_tensor(tensor("fw", numpy.array([1.5, -2], "f4")),
                         tensor("at", numpy.array([[1, 0], [4, 5]])), [5, 6])])


# branches, loops, functions
def graph(type, result, extra=()):
    return h.make_graph([n(type, ["c"], [result], name=type.lower()), *extra],
                        result, [], [out(result)])


branch = n("If", ["is"], ["r"], then_branch=graph("Relu", "t"),
           else_branch=graph("Neg", "e"), name="if")
save("branch-constant", body(activation=[branch]), picture(), [out()],
     weights() + [tensor("is", numpy.array(True))])
save("branch-node", [n("Constant", [], ["is"],
                       value=tensor("v", numpy.array(False)))] +
     body(activation=[branch]), picture(), [out()], weights())
save("branch-shape", body(activation=[
    n("Shape", ["c"], ["s"]), n("Gather", ["s", "one"], ["k"]),
    n("Equal", ["k", "six"], ["is"]), branch]), picture(), [out()],
    weights() + [tensor("one", numpy.array(1)), tensor("six", numpy.array(6))])
save("branch-passes", body(activation=[
    n("If", ["is"], ["r"], name="if", then_branch=h.make_graph(
        [], "t", [], [out("c")]), else_branch=graph("Neg", "e"))]),
    picture(), [out()], weights() + [tensor("is", numpy.array(True))])
save("branch-picture", body(activation=[
    n("ReduceMax", ["c"], ["m"], keepdims=0),
    n("Greater", ["m", "zero"], ["is"]), branch]), picture(), [out()],
    weights() + [tensor("zero", numpy.array(0, "f4"))])
save("branch-batch", body(activation=[
    n("Shape", ["c"], ["s"]), n("Gather", ["s", "zero"], ["k"]),
    n("Equal", ["k", "one"], ["is"]), branch]), picture(), [out()],
    weights() + [tensor("zero", numpy.array(0)), tensor("one", numpy.array(1))])
save("branch-missing", body(activation=[n(
    "If", ["is"], ["r"], then_branch=graph("Sorcery", "t"), name="if",
    else_branch=graph("Neg", "e"))]), picture(), [out()],
    weights() + [tensor("is", numpy.array(True))])
loop = h.make_graph([n("Identity", ["ci"], ["co"]), n("Relu", ["vi"], ["vo"])],
                    "body", [value("i", T.INT64, []), value("ci", T.BOOL, []),
                             out("vi")], [value("co", T.BOOL, []), out("vo")])
save("loop", body(activation=[n("Loop", ["trips", "", "c"], ["r"], body=loop,
                                name="loop")]), picture(), [out()],
     weights() + [tensor("trips", numpy.array(3))])
save("sequence", body(activation=[
    n("SequenceConstruct", ["c", "c"], ["s"], name="pair"),
    n("ConcatFromSequence", ["s"], ["r"], axis=2, name="join")]),
    picture(), [out()], weights())
act = h.make_function("own", "act", ["a"], ["o"], [
    n("Constant", [], ["yes"], value=tensor("v", numpy.array(True))),
    n("If", ["yes"], ["s"], name="if", then_branch=h.make_graph(
        [n("Sigmoid", ["a"], ["t"])], "t", [], [out("t")]),
      else_branch=h.make_graph([n("Neg", ["a"], ["e"])], "e", [], [out("e")])),
    n("Mul", ["a", "s"], ["o"], name="mul")], [h.make_opsetid("", 13)])
save("function-with-branch", body(activation=[
    n("act", ["c"], ["d"], domain="own", name="first"),
    n("act", ["d"], ["r"], domain="own", name="second")]), picture(), [out()],
    weights(), domains=[("own", 1)], functions=[act])
save("missing-many", [n("Op%03d" % (i % 300), ["x"], ["o%d" % i],
                        name="node%d" % i, domain="my.domain")
                      for i in range(700)] + body(), picture(), [out()],
     weights(), domains=[("my.domain", 2)])
save("zipmap", body() + [n("ZipMap", ["l"], ["y"], domain="ai.onnx.ml",
                           name="map")], picture(), [out("y")], weights(),
     domains=[("ai.onnx.ml", 2)])
save("cycle", [n("Add", ["x", "q"], ["p"], name="sum"),
               n("Relu", ["p"], ["q"], name="relu"),
               n("Flatten", ["q"], ["l"])], picture(), [out()])
