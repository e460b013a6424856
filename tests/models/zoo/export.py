#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exports torchvision's classifiers with torch.onnx and runs them in ONNX
Runtime, for tests/models/zoo/run. Runs where torch 2.6, torchvision, onnx and
onnxruntime are (Debian trixie), needs no network: weights are random, and what
an untrained network leaves at 0 or 1 is drawn too, so that every path counts.

    export.py --list              the cases, one a line, lightest first
    export.py FOLDER CASE         writes FOLDER/{model.onnx,input.npy,output.npy}
    export.py FOLDER --serve      the same for each line of standard input

A case is NAME or NAME@OPTION,OPTION..., of opset=N, batch=fixed, size=open
(no extent of the input is known, as in Hugging Face's exports), in=nhwc,
out=softmax|sigmoid. NAME is one of torchvision's, or of
nets.py or graphs.py beside this file.
"""
import os
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")
OPSET = 17
SEED = 11
# pictures of more pixels than this, and networks of more weights, go alone
LARGE_SIDE, LARGE_WEIGHTS = 300, 150_000_000

# One of each family, where its export differs from the plain one.
TRACED = ["resnet18", "mobilenet_v2", "mobilenet_v3_small", "densenet121",
          "googlenet", "inception_v3", "shufflenet_v2_x0_5", "squeezenet1_1",
          "mnasnet0_5", "regnet_y_400mf", "efficientnet_b0", "alexnet",
          "vgg11_bn", "convnext_tiny", "vit_b_32", "swin_t", "swin_v2_t",
          "maxvit_t"]
OPSETS = [9, 11, 13, 14, 18, 20]
OPEN = ["squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5",
        "densenet121", "convnext_tiny", "vit_b_32", "swin_t", "swin_v2_t"]
FROM_14 = {"vit_b_32", "swin_t", "swin_v2_t", "maxvit_t"}
VARIANTS = ["batch=fixed", "in=nhwc,batch=fixed", "in=nhwc", "out=softmax",
            "out=sigmoid,batch=fixed"]


def cases():
    import graphs
    import nets
    from torchvision import models
    names = models.list_models(module=models)
    names.sort(key=count_weights)
    yield from nets.CASES
    yield from graphs.GRAPHS
    yield from names
    for name in TRACED:
        for opset in OPSETS:
            if opset >= 14 or name not in FROM_14:
                yield f"{name}@opset={opset}"
        for variant in VARIANTS:
            yield f"{name}@{variant}"
    for name in OPEN:
        yield f"{name}@size=open"


def count_weights(name):
    from torchvision import models
    return models.get_model_weights(name).DEFAULT.meta["num_params"]


def parse(case):
    name, _, options = case.partition("@")
    return name, dict(o.split("=") for o in options.split(",") if o)


def draw_untrained(model):
    """Draws parameters that are constant, and scales near 0 (ConvNeXt's)."""
    import torch
    for name, p in model.named_parameters():
        if p.numel() > 1 and p.std() > 1e-4:
            continue
        if name.endswith("bias"):
            p.data.normal_(0, 0.1)
        elif p.dim() == 2 and min(p.shape) > 1:
            p.data.normal_(0, p.shape[1] ** -0.5)
        elif p.numel() > 1:
            p.data.uniform_(0.5, 1.5)
        else:
            p.data.add_(torch.empty_like(p).uniform_(0, 0.2))


def measure_batch_norms(model, pictures):
    """Running statistics of one batch: non-trivial, and no layer explodes."""
    import torch
    norms = [m for m in model.modules()
             if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    model.eval()
    for norm in norms:
        norm.momentum = 0.9
        norm.train()
    if norms:
        with torch.no_grad():
            model(pictures)
    model.eval()


def make_pictures(count, side, channels=3):
    """Noise over slow waves, of unit variance or so."""
    rng = np.random.default_rng(SEED)
    y, x = np.mgrid[0:side, 0:side] / side
    waves = np.stack([np.sin(2 * np.pi * (f[0] * x + f[1] * y) + f[2])
                      for f in rng.uniform(0, 4, (count * channels, 3))])
    noise = rng.standard_normal(waves.shape)
    return (waves + 0.5 * noise).reshape(
        count, channels, side, side).astype(np.float32)


def wrap(model, options):
    import torch

    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            if options.get("in") == "nhwc":
                x = x.permute(0, 3, 1, 2)
            y = self.model(x)
            if options.get("out") == "softmax":
                return torch.softmax(y, 1)
            return torch.sigmoid(y) if options.get("out") == "sigmoid" else y

    return Wrapped() if options.keys() & {"in", "out"} else model


def make_network(name):
    """A module, and the side of its pictures."""
    import nets
    from torchvision import models
    if name in nets.NETS:
        return nets.make(name)
    weights = models.get_model_weights(name)
    side = next(iter(weights)).transforms().crop_size[0]
    extra = {}
    if name in ("googlenet", "inception_v3"):
        extra = {"aux_logits": False, "init_weights": True}
    if name.startswith("vit_"):
        side = 224
    return models.get_model(name, weights=None, **extra), side


def export(model, pictures, path, options):
    import torch
    arguments = {"opset_version": int(options.get("opset", OPSET)),
                 "input_names": ["input"], "output_names": ["output"]}
    if options.get("batch") != "fixed":
        arguments["dynamic_axes"] = {"input": {0: "batch"},
                                     "output": {0: "batch"}}
    if options.get("size") == "open":
        arguments["dynamic_axes"]["input"].update(
            {1: "num_channels", 2: "height", 3: "width"})
    torch.onnx.export(model, pictures, path, dynamo=False, **arguments)


def make_torch(name, options, folder):
    import torch
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    # fused attention of an eval() without gradients has no ONNX form
    torch.backends.mha.set_fastpath_enabled(False)
    model, side = make_network(name)
    draw_untrained(model)
    weights = sum(p.numel() for p in model.parameters())
    large = side > LARGE_SIDE or weights > LARGE_WEIGHTS
    pictures = make_pictures(1 if large else 3, side)
    measure_batch_norms(model, torch.from_numpy(pictures))
    if options.get("batch") == "fixed":
        pictures = pictures[:1]
    if options.get("in") == "nhwc":
        pictures = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
    # traced with another batch than it is run with
    traced = pictures if options.get("batch") == "fixed" or large \
        else pictures[:2]
    with torch.no_grad():
        export(wrap(model, options).eval(), torch.from_numpy(traced),
               os.path.join(folder, "model.onnx"), options)
    return pictures


def make(case, folder):
    import graphs
    name, options = parse(case)
    if name in graphs.GRAPHS:
        pictures = graphs.make(name, os.path.join(folder, "model.onnx"))
    else:
        pictures = make_torch(name, options, folder)
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        os.path.join(folder, "model.onnx"), settings,
        providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: pictures})
    assert np.isfinite(outputs[0]).all(), "the reference is not finite"
    np.save(os.path.join(folder, "input.npy"), pictures)
    np.save(os.path.join(folder, "output.npy"), outputs[0])


def attempt(case, folder):
    """One case in a process of its own, which gives its memory back."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)
        try:
            make(case, folder)
            os._exit(0)
        except Exception as e:
            text = f"{type(e).__name__}: {e}".strip().split("\n")[0]
            with open(os.path.join(folder, "problem"), "w") as f:
                f.write(text[:200])
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    print("made" if status == 0 else "failed", case, flush=True)
    return status == 0


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(cases()))
        return
    folder, what = sys.argv[1:]
    if what != "--serve":
        sys.exit(not attempt(what, folder))
    import torchvision.models  # once, for all children
    import onnxruntime
    for line in sys.stdin:
        attempt(line.strip(), folder)


main()
