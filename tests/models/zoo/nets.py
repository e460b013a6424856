# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small networks in the manner of model zoos beyond torchvision: one for each
architecture whose export has its own way with shapes, attention or pooling."""
import math

import torch
import torch.nn.functional as F
from torch import nn

NETS = {}   # name -> function, side of the pictures
CASES = []  # name, with the options that torch needs to export it


def net(side, options=None):
    """Registers a function that makes a network for pictures of this side."""
    def register(function):
        name = "like_" + function.__name__
        NETS[name] = (function, side)
        CASES.append(f"{name}@{options}" if options else name)
        return function
    return register


def make(name):
    function, side = NETS[name]
    return function(), side


def conv_bn(c, o, k=3, stride=1, groups=1, act=nn.ReLU):
    layers = [nn.Conv2d(c, o, k, stride, k // 2, groups=groups, bias=False),
              nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([act()] if act else []))


def head(c, classes=50):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(c, classes))


class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.layers(x)


class Call(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of NCHW, spelled out as timm does."""

    def __init__(self, c):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(c))
        self.bias = nn.Parameter(torch.zeros(c))

    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(variance + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class GlobalResponse(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, c))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, c))

    def forward(self, x):
        g = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
        n = g / (g.mean(dim=-1, keepdim=True) + 1e-6)
        return self.gamma * (x * n) + self.beta + x


@net(64)
def convnext_v2():
    def block(c):
        return Residual(
            nn.Conv2d(c, c, 7, padding=3, groups=c),
            Call(lambda x: x.permute(0, 2, 3, 1)), nn.LayerNorm(c, eps=1e-6),
            nn.Linear(c, 4 * c), nn.GELU(), GlobalResponse(4 * c),
            nn.Linear(4 * c, c), Call(lambda x: x.permute(0, 3, 1, 2)))
    return nn.Sequential(
        nn.Conv2d(3, 24, 4, 4), ChannelNorm(24), block(24), block(24),
        ChannelNorm(24), nn.Conv2d(24, 48, 2, 2), block(48),
        Call(lambda x: x.mean([-2, -1])), nn.LayerNorm(48), nn.Linear(48, 50))


@net(64)
def efficientnet_lite():
    """Padding as TensorFlow's SAME, computed from the shape; ReLU6."""
    class SameConv(nn.Conv2d):
        def forward(self, x):
            pads = []
            for axis in (1, 0):
                k, s = self.kernel_size[axis], self.stride[axis]
                size = x.shape[2 + axis]
                total = max((math.ceil(size / s) - 1) * s + k - size, 0)
                pads += [total // 2, total - total // 2]
            return F.conv2d(F.pad(x, pads), self.weight, self.bias,
                            self.stride, 0, self.dilation, self.groups)

    def unit(c, o, k, s, groups=1, act=True):
        layers = [SameConv(c, o, k, s, groups=groups, bias=False),
                  nn.BatchNorm2d(o, eps=1e-3)]
        return layers + ([nn.ReLU6()] if act else [])

    def block(c, o, k, s):
        return nn.Sequential(*unit(c, 6 * c, 1, 1),
                             *unit(6 * c, 6 * c, k, s, 6 * c),
                             *unit(6 * c, o, 1, 1, act=False))
    return nn.Sequential(*unit(3, 16, 3, 2), block(16, 24, 3, 2),
                         Residual(block(24, 24, 3, 1)), block(24, 40, 5, 2),
                         Residual(block(40, 40, 5, 1)), head(40))


class Attention(nn.Module):
    """timm's: one product for queries, keys and values."""

    def __init__(self, c, heads, fused=True, query_norm=False):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv, self.out = nn.Linear(c, 3 * c), nn.Linear(c, c)
        width = c // heads
        self.norm = nn.LayerNorm(width) if query_norm else nn.Identity()

    def forward(self, x):
        b, n, c = x.shape
        qkv = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        q, k = self.norm(q), self.norm(k)
        if self.fused:
            x = F.scaled_dot_product_attention(q, k, v)
        else:
            a = (q * (c // self.heads) ** -0.5) @ k.transpose(-2, -1)
            x = a.softmax(dim=-1) @ v
        return self.out(x.transpose(1, 2).reshape(b, n, c))


def transformer(c, heads, act=nn.GELU, **options):
    return nn.Sequential(
        Residual(nn.LayerNorm(c, eps=1e-6), Attention(c, heads, **options)),
        Residual(nn.LayerNorm(c, eps=1e-6), nn.Linear(c, 3 * c), act(),
                 nn.Linear(3 * c, c)))


class Deit(nn.Module):
    """Class and distillation tokens; the mean of two heads."""

    def __init__(self, c=48, fused=True, query_norm=False):
        super().__init__()
        self.patches = nn.Conv2d(3, c, 8, 8)
        self.tokens = nn.Parameter(torch.randn(1, 1, c))
        self.distilled = nn.Parameter(torch.randn(1, 1, c))
        self.places = nn.Parameter(torch.randn(1, 66, c))
        self.blocks = nn.Sequential(*[
            transformer(c, 3, fused=fused, query_norm=query_norm)
            for _ in range(3)])
        self.norm = nn.LayerNorm(c)
        self.heads = nn.ModuleList([nn.Linear(c, 50), nn.Linear(c, 50)])

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        tokens = [t.expand(x.shape[0], -1, -1)
                  for t in (self.tokens, self.distilled)]
        x = self.norm(self.blocks(torch.cat([*tokens, x], 1) + self.places))
        return (self.heads[0](x[:, 0]) + self.heads[1](x[:, 1])) / 2


@net(64)
def deit_distilled():
    return Deit()


@net(64)
def deit_unfused():
    return Deit(fused=False, query_norm=True)


@net(64)
def deit_large_pictures():
    """Position embeddings resized to the pictures, bicubic."""
    class Resized(Deit):
        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            grid = self.places[:, 2:].reshape(1, 8, 8, -1).permute(0, 3, 1, 2)
            grid = F.interpolate(grid, size=(16, 16), mode="bicubic")
            x = x + grid.permute(0, 2, 3, 1).flatten(1, 2)
            token = self.tokens.expand(x.size(0), -1, -1) + self.places[:, :1]
            return self.heads[0](self.blocks(torch.cat([token, x], 1))[:, 0])
    model = Resized()
    model.patches = nn.Conv2d(3, 48, 4, 4)
    return model


@net(64)
def mobilevit():
    """Pixels unfolded into patches, a transformer, and folded back."""
    class Block(nn.Module):
        def __init__(self, c, d):
            super().__init__()
            self.before = nn.Sequential(conv_bn(c, c, act=nn.SiLU),
                                        nn.Conv2d(c, d, 1, bias=False))
            self.blocks = transformer(d, 4, nn.SiLU)
            self.norm = nn.LayerNorm(d)
            self.project = conv_bn(d, c, 1, act=nn.SiLU)
            self.fuse = conv_bn(2 * c, c, act=nn.SiLU)

        def forward(self, x):
            short, p = x, 2
            x = self.before(x)
            b, c, h, w = x.shape
            rows, columns = math.ceil(h / p), math.ceil(w / p)
            n = rows * columns
            x = x.reshape(b * c * rows, p, columns, p).transpose(1, 2)
            x = x.reshape(b, c, n, p * p).transpose(1, 3)
            x = self.norm(self.blocks(x.reshape(b * p * p, n, -1)))
            x = x.contiguous().view(b, p * p, n, -1).transpose(1, 3)
            x = x.reshape(b * c * rows, columns, p, p).transpose(1, 2)
            x = x.reshape(b, c, rows * p, columns * p)
            return self.fuse(torch.cat((short, self.project(x)), 1))
    return nn.Sequential(conv_bn(3, 16, 3, 2, act=nn.SiLU),
                         conv_bn(16, 24, 3, 2, act=nn.SiLU), Block(24, 32),
                         conv_bn(24, 48, 3, 2, act=nn.SiLU), Block(48, 40),
                         head(48))


@net(64)
def repvgg():
    class Block(nn.Module):
        def __init__(self, c, o, stride):
            super().__init__()
            self.large = conv_bn(c, o, 3, stride, act=None)
            self.small = conv_bn(c, o, 1, stride, act=None)
            same = c == o and stride == 1
            self.identity = nn.BatchNorm2d(c) if same else None

        def forward(self, x):
            y = self.large(x) + self.small(x)
            return F.relu(y + self.identity(x) if self.identity else y)
    return nn.Sequential(Block(3, 16, 2), Block(16, 16, 1), Block(16, 32, 2),
                         Block(32, 32, 1), Block(32, 64, 2), head(64))


@net(64)
def ghostnet():
    class Ghost(nn.Module):
        def __init__(self, c, o, act):
            super().__init__()
            self.o = o
            self.first = conv_bn(c, math.ceil(o / 2), 1, act=act)
            self.cheap = conv_bn(math.ceil(o / 2), math.ceil(o / 2), 3,
                                 groups=math.ceil(o / 2), act=act)

        def forward(self, x):
            x = self.first(x)
            return torch.cat([x, self.cheap(x)], 1)[:, :self.o, :, :]

    class Squeeze(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.down, self.up = nn.Conv2d(c, 8, 1), nn.Conv2d(8, c, 1)

        def forward(self, x):
            y = F.adaptive_avg_pool2d(x, 1)
            y = self.up(F.relu(self.down(y)))
            return x * F.hardsigmoid(y)

    def block(c, m, o):
        return Residual(Ghost(c, m, nn.ReLU), Squeeze(m), Ghost(m, o, None))
    return nn.Sequential(conv_bn(3, 16, 3, 2), block(16, 49, 16),
                         conv_bn(16, 24, 5, 2, 4), block(24, 75, 24),
                         conv_bn(24, 61, 1, act=nn.Hardswish), head(61))


@net(64)
def mlp_mixer():
    class Block(nn.Module):
        def __init__(self, c, n):
            super().__init__()
            self.norms = nn.ModuleList([nn.LayerNorm(c), nn.LayerNorm(c)])
            self.tokens = nn.Sequential(nn.Linear(n, 32), nn.GELU(),
                                        nn.Linear(32, n))
            self.channels = nn.Sequential(nn.Linear(c, 96), nn.GELU("tanh"),
                                          nn.Linear(96, c))

        def forward(self, x):
            y = self.tokens(self.norms[0](x).transpose(1, 2))
            x = x + y.transpose(1, 2)
            return x + self.channels(self.norms[1](x))
    return nn.Sequential(nn.Conv2d(3, 48, 8, 8), nn.Flatten(2),
                         Call(lambda x: x.transpose(1, 2)), Block(48, 64),
                         Block(48, 64), nn.LayerNorm(48),
                         Call(lambda x: x.mean(dim=1)), nn.Linear(48, 50))


class Affine(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, 1, c))
        self.beta = nn.Parameter(torch.zeros(1, 1, c))

    def forward(self, x):
        return torch.addcmul(self.beta, self.alpha, x)


@net(64)
def resmlp():
    class Block(nn.Module):
        def __init__(self, c, n):
            super().__init__()
            self.affines = nn.ModuleList([Affine(c), Affine(c)])
            self.tokens = nn.Linear(n, n)
            self.mlp = nn.Sequential(nn.Linear(c, 96), nn.GELU(),
                                     nn.Linear(96, c))
            self.scales = nn.ParameterList(
                [torch.full((c,), 1e-4), torch.full((c,), 1e-4)])

        def forward(self, x):
            y = self.tokens(self.affines[0](x).transpose(1, 2))
            x = x + self.scales[0] * y.transpose(1, 2)
            return x + self.scales[1] * self.mlp(self.affines[1](x))
    return nn.Sequential(nn.Conv2d(3, 48, 8, 8), nn.Flatten(2),
                         Call(lambda x: x.transpose(1, 2)), Block(48, 64),
                         Block(48, 64), Affine(48),
                         Call(lambda x: x.mean(dim=1)), nn.Linear(48, 50))


@net(64)
def poolformer():
    def block(c):
        mix = Call(lambda x: F.avg_pool2d(
            x, 3, 1, 1, count_include_pad=False) - x)
        return nn.Sequential(
            Residual(nn.GroupNorm(1, c), mix),
            Residual(nn.GroupNorm(1, c), nn.Conv2d(c, 4 * c, 1), nn.GELU(),
                     nn.Conv2d(4 * c, c, 1)))
    return nn.Sequential(nn.Conv2d(3, 24, 7, 4, 2), block(24),
                         nn.Conv2d(24, 48, 3, 2, 1), block(48),
                         nn.GroupNorm(1, 48), head(48))


@net(64)
def efficientformer():
    """Attention with a table of biases, gathered by constant indices."""
    class Mix(nn.Module):
        def __init__(self, c, side, heads=4, key=8):
            super().__init__()
            self.heads, self.key = heads, key
            self.qkv = nn.Linear(c, heads * key * 4)
            self.out = nn.Linear(heads * key * 2, c)
            self.biases = nn.Parameter(torch.randn(heads, side * side))
            at = torch.stack(torch.meshgrid(
                torch.arange(side), torch.arange(side), indexing="ij"), -1)
            at = at.reshape(-1, 2)
            gap = (at[:, None] - at[None]).abs()
            self.register_buffer("indices", gap[..., 0] * side + gap[..., 1])

        def forward(self, x):
            b, n, _ = x.shape
            qkv = self.qkv(x).reshape(b, n, self.heads, -1).permute(0, 2, 1, 3)
            q, k, v = qkv.split([self.key, self.key, 2 * self.key], dim=-1)
            a = (q @ k.transpose(-2, -1)) * self.key ** -0.5
            a = (a + self.biases[:, self.indices]).softmax(dim=-1)
            return self.out((a @ v).transpose(1, 2).reshape(b, n, -1))

    c = 48
    pool = Call(lambda x: F.avg_pool2d(
        x, 3, 1, 1, count_include_pad=False) - x)
    return nn.Sequential(
        conv_bn(3, 24, 3, 2), conv_bn(24, c, 3, 2), Residual(pool),
        Residual(conv_bn(c, 96, 1, act=nn.GELU), conv_bn(96, c, 1, act=None)),
        conv_bn(c, c, 3, 2, act=None), nn.Flatten(2),
        Call(lambda x: x.transpose(1, 2)),
        Residual(nn.LayerNorm(c), Mix(c, 8)), nn.LayerNorm(c),
        Call(lambda x: x.mean(-2)), nn.Linear(c, 50))


@net(64)
def levit():
    """BatchNorm1d after Linear over flattened tokens; attention that shrinks
    its queries by slices with steps."""
    class LinearNorm(nn.Module):
        def __init__(self, c, o):
            super().__init__()
            self.linear = nn.Linear(c, o, bias=False)
            self.bn = nn.BatchNorm1d(o)

        def forward(self, x):
            x = self.linear(x)
            return self.bn(x.flatten(0, 1)).reshape_as(x)

    class Shrink(nn.Module):
        def __init__(self, c, o, heads=4, key=8):
            super().__init__()
            self.heads, self.key = heads, key
            self.kv = LinearNorm(c, heads * key * 3)
            self.q = LinearNorm(c, heads * key)
            self.out = nn.Sequential(nn.Hardswish(),
                                     LinearNorm(heads * key * 2, o))

        def forward(self, x):
            b, n, c = x.shape
            kv = self.kv(x).view(b, n, self.heads, -1)
            k, v = kv.split([self.key, 2 * self.key], dim=3)
            k, v = k.permute(0, 2, 3, 1), v.permute(0, 2, 1, 3)
            side = int(n ** 0.5)
            few = x.view(b, side, side, c)[:, ::2, ::2].reshape(b, -1, c)
            q = self.q(few).view(b, -1, self.heads, self.key)
            a = q.permute(0, 2, 1, 3) @ k * self.key ** -0.5
            x = (a.softmax(dim=-1) @ v).transpose(1, 2)
            return self.out(x.reshape(b, -1, 2 * self.heads * self.key))
    return nn.Sequential(
        conv_bn(3, 16, 3, 2, act=nn.Hardswish),
        conv_bn(16, 32, 3, 2, act=nn.Hardswish), conv_bn(32, 32, 3, 2),
        nn.Flatten(2), Call(lambda x: x.transpose(1, 2)), Shrink(32, 48),
        Residual(LinearNorm(48, 96), nn.Hardswish(), LinearNorm(96, 48)),
        Call(lambda x: x.mean(1)), nn.BatchNorm1d(48), nn.Linear(48, 50))


@net(64)
def coatnet():
    """Relative attention by einsum, squeeze and excite."""
    class Mix(nn.Module):
        def __init__(self, c, heads=4):
            super().__init__()
            self.heads = heads
            self.q, self.k, self.v = (nn.Linear(c, c) for _ in range(3))
            self.bias = nn.Parameter(torch.randn(heads, 64, 64))

        def forward(self, x):
            b, n, c = x.shape
            q, k, v = (m(x).view(b, n, self.heads, c // self.heads)
                       for m in (self.q, self.k, self.v))
            a = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(c)
            a = torch.softmax(a + self.bias, -1)
            return torch.einsum("bhqk,bkhd->bqhd", a, v).reshape(b, n, c)
    return nn.Sequential(
        conv_bn(3, 24, 3, 2, act=nn.GELU), conv_bn(24, 32, 3, 2, act=nn.GELU),
        conv_bn(32, 32, 3, 2, act=nn.GELU),
        Call(lambda x: x.flatten(2).transpose(-1, -2)),
        Residual(nn.LayerNorm(32), Mix(32)), nn.LayerNorm(32),
        Call(lambda x: x.transpose(-1, -2).unflatten(2, (8, 8))), head(32))


@net(64, "batch=fixed")
def pooling_zoo():
    """Adaptive pools to several sizes, blur pool, generalised mean, catavgmax."""
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = conv_bn(3, 16, 3, 2)
            self.more = conv_bn(16, 32, 3)
            blur = torch.tensor([1.0, 2, 1]) / 4
            self.register_buffer(
                "blur", (blur[:, None] * blur)[None, None].repeat(16, 1, 1, 1))
            self.power = nn.Parameter(torch.tensor([3.0]))
            self.last = nn.Linear(32 * 26, 50)

        def forward(self, x):
            x = self.stem(x)
            x = F.conv2d(F.pad(x, (1, 1, 1, 1), "reflect"), self.blur,
                         stride=2, groups=16)
            x = self.more(x).reshape(len(x), 32, 16, 16)
            sizes = [F.adaptive_avg_pool2d(x, 4), F.adaptive_max_pool2d(x, 2),
                     F.adaptive_avg_pool2d(x, (1, 2)), x.amax((2, 3), True)]
            power = F.avg_pool2d(x.clamp(min=1e-6).pow(self.power), 16)
            sizes += [power.pow(1.0 / self.power),
                      0.5 * (F.adaptive_avg_pool2d(x, 1)
                             + F.adaptive_max_pool2d(x, 1)),
                      F.lp_pool2d(x, 2, 16)]
            return self.last(torch.cat([y.flatten(1) for y in sizes], 1))
    return Net()


@net(64)
def shapes_zoo():
    """PixelShuffle and back, GroupNorm, InstanceNorm, hardtanh, interpolation
    in three ways, roll, unfold, flips, chunks, stacking."""
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = conv_bn(3, 16, 3, 2, act=nn.Hardtanh)
            self.group = nn.GroupNorm(4, 16)
            self.instance = nn.InstanceNorm2d(4, affine=True)
            self.merge = nn.Conv2d(3 * 4, 16, 3, 2, 1)
            self.local = nn.Linear(16 * 9, 24)
            self.last = nn.Linear(24, 50)

        def forward(self, x):
            x = self.group(self.stem(x))
            y = self.instance(F.pixel_shuffle(x, 2))
            y = torch.cat([
                F.interpolate(y, scale_factor=0.5, mode="nearest"),
                F.interpolate(y, size=(32, 32), mode="bilinear",
                              align_corners=True),
                F.interpolate(y, size=x.shape[-2:], mode="bilinear",
                              align_corners=False)], 1)
            x = x + F.pixel_shuffle(F.pixel_unshuffle(x, 4), 4)
            x = torch.roll(x, shifts=(-3, 2), dims=(2, 3))
            a, b = x.chunk(2, 1)
            x = torch.stack([a, b.flip(2)], 2).flatten(1, 2)
            x = F.max_pool2d(x, 2, ceil_mode=True) + F.softplus(self.merge(y))
            x = F.unfold(x, 3, padding=1, stride=2).transpose(1, 2)
            x = F.normalize(self.local(x), dim=-1)
            return self.last(F.log_softmax(x.sum(1), -1))
    return Net()


@net(64)
def activations_zoo():
    acts = [nn.ELU(), nn.SELU(), nn.CELU(1.3), nn.Mish(), nn.SiLU(),
            nn.Softsign(), nn.Softplus(beta=2), nn.LeakyReLU(0.2), nn.PReLU(8),
            nn.Hardswish(), nn.Hardsigmoid(), nn.LogSigmoid(), nn.Tanhshrink(),
            nn.Softshrink(), nn.Hardshrink(), nn.GELU("tanh"), nn.ReLU6(),
            nn.GLU(1)]
    layers = [conv_bn(3, 8, 3, 2)]
    for act in acts[:-1]:
        layers += [conv_bn(8, 8, act=None), act]
    return nn.Sequential(*layers, nn.Conv2d(8, 16, 1), acts[-1], head(8))


@net(64)
def selective():
    """Branches weighed by softmax (SKNet, ResNeSt), ECA's 1-D convolution,
    CBAM's spatial attention, coordinate attention's pools."""
    class Net(nn.Module):
        def __init__(self, c=16):
            super().__init__()
            self.stem = conv_bn(3, c, 3, 2)
            self.paths = nn.ModuleList(
                [conv_bn(c, c, groups=4),
                 nn.Sequential(nn.Conv2d(c, c, 3, 1, 2, 2), nn.BatchNorm2d(c),
                               nn.ReLU())])
            self.weigh = nn.Conv2d(c, 2 * c, 1)
            self.eca = nn.Conv1d(1, 1, 3, padding=1, bias=False)
            self.spatial = nn.Conv2d(2, 1, 7, padding=3)
            self.rows, self.columns = nn.Conv2d(c, c, 1), nn.Conv2d(c, c, 1)
            self.head = head(c)

        def forward(self, x):
            x = self.stem(x)
            x = torch.stack([p(x) for p in self.paths], 1)
            w = self.weigh(x.sum(1).mean((2, 3), keepdim=True))
            w = w.view(x.shape[0], 2, -1, 1, 1).softmax(1)
            x = (x * w).sum(1)
            y = x.mean((2, 3)).view(x.shape[0], 1, -1)
            x = x * self.eca(y).view(x.shape[0], -1, 1, 1).sigmoid()
            y = torch.cat([x.mean(1, True), x.max(1, True)[0]], 1)
            x = x * torch.sigmoid(self.spatial(y))
            rows = x.mean(3, keepdim=True)
            columns = x.mean(2, keepdim=True).permute(0, 1, 3, 2)
            y = torch.cat([rows, columns], 2)
            rows, columns = torch.split(y, [32, 32], 2)
            return self.head(x * self.rows(rows).sigmoid()
                             * self.columns(columns.permute(0, 1, 3, 2))
                             .sigmoid())
    return Net()


@net(64, "opset=18")
def volo():
    """Outlook attention: unfold, weigh, fold."""
    class Outlook(nn.Module):
        def __init__(self, c=24, heads=2):
            super().__init__()
            self.heads = heads
            self.v, self.out = nn.Linear(c, c), nn.Linear(c, c)
            self.attn = nn.Linear(c, 81 * heads)

        def forward(self, x):
            b, h, w, c = x.shape
            v = self.v(x).permute(0, 3, 1, 2)
            v = F.unfold(v, 3, padding=1, stride=2)
            n = h * w // 4
            v = v.reshape(b, self.heads, c // self.heads, 9, n)
            v = v.permute(0, 1, 4, 3, 2)
            a = F.avg_pool2d(x.permute(0, 3, 1, 2), 2, ceil_mode=True)
            a = self.attn(a.permute(0, 2, 3, 1))
            a = a.reshape(b, n, self.heads, 9, 9).permute(0, 2, 1, 3, 4)
            x = ((a * 0.3).softmax(-1) @ v).permute(0, 1, 4, 3, 2)
            x = x.reshape(b, c * 9, n)
            x = F.fold(x, output_size=(16, 16), kernel_size=3, padding=1,
                       stride=2)
            return self.out(x.permute(0, 2, 3, 1))
    return nn.Sequential(nn.Conv2d(3, 24, 4, 4),
                         Call(lambda x: x.permute(0, 2, 3, 1)),
                         Residual(nn.LayerNorm(24), Outlook()),
                         Call(lambda x: x.permute(0, 3, 1, 2)), head(24))


@net(64)
def xcit():
    """Attention across channels: normalised queries and a temperature."""
    class Cross(nn.Module):
        def __init__(self, c, heads=4):
            super().__init__()
            self.heads = heads
            self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
            self.qkv, self.out = nn.Linear(c, 3 * c), nn.Linear(c, c)

        def forward(self, x):
            b, n, c = x.shape
            qkv = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads)
            q, k, v = qkv.permute(2, 0, 3, 4, 1)
            q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
            a = (q @ k.transpose(-2, -1) * self.temperature).softmax(-1)
            return self.out((a @ v).permute(0, 3, 1, 2).reshape(b, n, c))
    return nn.Sequential(conv_bn(3, 32, 7, 4), nn.Flatten(2),
                         Call(lambda x: x.transpose(1, 2)),
                         Residual(nn.LayerNorm(32), Cross(32)),
                         nn.LayerNorm(32), Call(lambda x: x[:, 1:].mean(1)),
                         nn.Linear(32, 50))
