"""More cases like those of op_cases.py: elementwise functions, gated units, rotary embeddings, attention with all options,
1-D, 3-D and transposed convolutions, group norm, recurrent layers, more losses, resizing of images. Images are NHWC, sequences
NLC.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from op_cases import (TAILS, Input, attention_case, away_from_zero, case, constant, given, ids, mask, nchw, nhwc,
                      normal, positive, registry, spaced, sure_mask, unary, uniform)

OPS, op = registry()


# Functions of one number ---------------------------------------------------------------------------


def inside(*shape): return uniform(-0.9, 0.9, *shape)


def above_one(*shape): return uniform(1.2, 4, *shape)


def small(*shape): return uniform(-1.3, 1.3, *shape)


for draw, more, functions in [
        (normal, [case(given([-30, -3, -1e-3, 0, 1e-3, 3, 30, 100]))], ["sin", "cos"]),
        (small, [], ["tan"]), (inside, [], ["asin", "acos", "atanh"]), (above_one, [], ["acosh"]),
        (normal, [case(normal(4, 17, scale=3))], ["atan", "sinh", "cosh", "asinh", "erf", "square"]),
        (normal, [case(given([-9, -1e-3, -1e-6, 0, 1e-6, 3, 30]), differences=False)], ["expm1"]),
        (positive, [case(given([-0.5, -1e-3, 1e-6, 0, 1e3, 1e6]), differences=False)], ["log1p"]),
        (positive, [], ["rsqrt"]), (away_from_zero, [], ["reciprocal"])]:
    for function in functions:
        op(*unary(draw, *more), name=function)(getattr(torch, function))
for function in ["sign", "floor", "ceil", "round", "trunc"]:
    op(*unary(away_from_zero), case(given([-2.5, -1.5, -0.5, -0.25, 0.5, 1.5, 2.5, 3.0]), differences=False), name=function)(
        getattr(torch, function))

WIDE = given([-100, -30, -12, -6, -2.5, -1e-3, 1e-3, 2.5, 6.5, 12, 30, 100])

for function in ["mish", "softsign", "hardsigmoid", "hardswish", "relu6", "logsigmoid", "tanhshrink", "selu"]:
    op(*unary(away_from_zero, case(WIDE), case(uniform(3.2, 5.8, 9))), name=function)(getattr(F, function))


@op(*[case(away_from_zero(*shape), alpha=1.0) for shape in TAILS], case(away_from_zero(17), alpha=0.3))
def elu(x, alpha): return F.elu(x, alpha)


@op(*[case(away_from_zero(*shape), alpha=1.0) for shape in TAILS], case(away_from_zero(17), alpha=0.5))
def celu(x, alpha): return F.celu(x, alpha)


@op(*[case(spaced(*shape), lambd=0.5) for shape in TAILS], case(spaced(17), lambd=0.0))
def softshrink(x, lambd): return F.softshrink(x, lambd)


@op(*[case(spaced(*shape), lambd=0.5) for shape in TAILS], case(spaced(17), lambd=0.0))
def hardshrink(x, lambd): return F.hardshrink(x, lambd)


@op(*[case(spaced(*shape), threshold=0.2, value=-1.5) for shape in TAILS])
def threshold(x, threshold, value): return F.threshold(x, threshold, value)


@op(*[case(away_from_zero(*shape), normal(1)) for shape in TAILS],
    *[case(away_from_zero(*shape), normal(shape[-1])) for shape in [(7,), (2, 3, 5), (3, 33), (0, 4)]])
def prelu(x, weight): return torch.where(x > 0, x, weight * x).reshape(x.shape)


HALVES = [(2,), (14,), (16,), (18,), (30,), (32,), (34,), (62,), (66,), (0,), (2, 3, 10), (3, 66), (2, 1040), (0, 4)]


@op(*[case(normal(*shape)) for shape in HALVES])
def swiglu(x): return F.silu(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1]


@op(*[case(normal(*shape)) for shape in HALVES])
def geglu(x): return F.gelu(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1]


@op(*[case(away_from_zero(*shape)) for shape in HALVES])
def reglu(x): return F.relu(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1]


@op(*[case(normal(*shape)) for shape in HALVES])
def glu(x): return F.glu(x, -1) if x.numel() else x.chunk(2, -1)[0] * 1


# Positions and attention ---------------------------------------------------------------------------


def rotated(x, interleaved, offset, pairs, base):
    """x [..., T, D] with its first 2 * pairs features rotated, written as products of complex numbers."""
    t = torch.arange(offset, offset + x.shape[-2], dtype=torch.float64)
    angles = torch.outer(t, base ** (-torch.arange(pairs, dtype=torch.float64) / pairs))
    # The engine's table is float32.
    turn = torch.complex(angles.cos().float().double(), angles.sin().float().double())
    part, rest = x[..., :2 * pairs], x[..., 2 * pairs:]
    if interleaved:
        y = torch.view_as_complex(part.reshape(*part.shape[:-1], pairs, 2).contiguous()) * turn
        return torch.cat([torch.view_as_real(y).flatten(-2), rest], -1)
    y = torch.complex(part[..., :pairs].contiguous(), part[..., pairs:].contiguous()) * turn
    return torch.cat([y.real, y.imag, rest], -1)


@op(*[case(normal(*shape), interleaved=interleaved, offset=offset, pairs=pairs, base=base)
      for shape, interleaved, offset, pairs, base in
      [((1, 2), False, 0, 1, 10000.0), ((7, 8), False, 0, 4, 10000.0), ((7, 8), True, 0, 4, 10000.0),
       ((2, 9, 16), False, 3, 8, 10000.0), ((2, 9, 16), True, 5, 8, 500000.0), ((2, 3, 5, 34), False, 0, 17, 10000.0),
       ((2, 3, 5, 34), True, 0, 17, 100.0), ((1, 1, 64), False, 100, 32, 10000.0), ((4, 12), False, 0, 4, 10000.0),
       ((4, 12), True, 0, 4, 10000.0), ((0, 5, 8), False, 0, 4, 10000.0), ((3, 0, 8), True, 0, 4, 10000.0),
       ((2, 17, 6), False, 1, 3, 10000.0)]])
def rotary_embedding(x, interleaved, offset, pairs, base): return rotated(x, interleaved, offset, pairs, base)


def scores_of(q, k, bias, causal, left, right):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    row, key = torch.arange(q.shape[-2])[:, None], torch.arange(k.shape[-2])
    seen = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool)
    if causal:
        seen &= key <= row
    if left >= 0:
        seen &= key >= row - left
    if right >= 0:
        seen &= key <= row + right
    return scores.masked_fill(~seen, -math.inf)


def grouped(n, h, kv, tq, tk, d, *more, **attributes):
    return case(normal(n, h, tq, d), normal(n, kv, tk, d), normal(n, kv, tk, d), *more, **attributes)


@op(grouped(1, 2, 1, 3, 3, 4), grouped(2, 4, 2, 5, 7, 8), grouped(1, 6, 3, 9, 9, 8, causal=True),
    grouped(2, 8, 1, 17, 17, 4, causal=True), grouped(1, 4, 4, 70, 70, 8, left=5, right=0),
    grouped(1, 2, 1, 66, 66, 4, left=3, right=2), grouped(1, 2, 2, 9, 9, 8, left=0), grouped(1, 2, 2, 9, 9, 8, right=1),
    grouped(1, 1, 1, 130, 130, 4, left=70, causal=True), grouped(0, 4, 2, 5, 5, 4),
    grouped(2, 4, 2, 5, 7, 8, normal(5, 7)), grouped(2, 4, 2, 5, 7, 8, normal(4, 5, 7)),
    grouped(2, 2, 2, 5, 7, 8, normal(2, 1, 1, 7)), grouped(1, 2, 1, 9, 9, 4, normal(2, 1, 9), causal=True),
    grouped(2, 2, 2, 3, 4, 4, normal(2, 2, 3, 4)), grouped(1, 2, 2, 9, 9, 8, normal(1), left=2))
def grouped_attention(q, k, v, bias=None, causal=False, left=-1, right=-1):
    group = q.shape[-3] // k.shape[-3]
    k, v = k.repeat_interleave(group, -3), v.repeat_interleave(group, -3)
    return F.softmax(scores_of(q, k, bias, causal, left, right), -1) @ v


def packed(lengths, h, kv, d, e, **attributes):
    total, offsets = sum(lengths), [0]
    for length in lengths:
        offsets.append(offsets[-1] + length)
    return case(normal(total, h, d), normal(total, kv, d), normal(total, kv, e), given(offsets, "int64"), **attributes)


@op(packed([3], 1, 1, 4, 4), packed([3, 5], 2, 2, 8, 8), packed([1, 1, 1], 2, 1, 4, 4), packed([7, 0, 2], 4, 2, 8, 5),
    packed([9, 17, 3], 2, 2, 8, 8, causal=True), packed([65, 3], 2, 1, 4, 4, causal=True),
    packed([70, 66], 2, 2, 4, 4), packed([9, 12], 2, 2, 8, 8, left=2, right=1), packed([0, 0], 2, 2, 4, 4),
    packed([5, 130], 1, 1, 4, 4, left=20, causal=True), packed([16, 16], 3, 3, 7, 9), packed([2, 31, 4], 4, 1, 8, 8))
def packed_attention(q, k, v, offsets, causal=False, left=-1, right=-1):
    group, parts = q.shape[1] // k.shape[1], [torch.zeros(0, q.shape[1], v.shape[2], dtype=q.dtype)]
    for begin, end in zip(offsets[:-1], offsets[1:]):
        a, b, c = (x[begin:end].transpose(0, 1) for x in (q, k, v))
        b, c = b.repeat_interleave(group, 0), c.repeat_interleave(group, 0)
        parts.append((F.softmax(scores_of(a, b, None, causal, left, right), -1) @ c).transpose(0, 1))
    return torch.cat(parts) + 0 * (q.sum() + k.sum() + v.sum())


# Convolutions --------------------------------------------------------------------------------------


@op(case(normal(1, 1, 1), normal(1, 1, 1), normal(1)), case(normal(2, 9, 3), normal(4, 3, 3), normal(4)),
    case(normal(2, 9, 3), normal(4, 3, 3)), case(normal(2, 9, 8), normal(16, 8, 3), normal(16), padding=[1, 1]),
    case(normal(1, 17, 4), normal(6, 4, 3), normal(6), padding=[4, 0], dilation=2),
    case(normal(2, 15, 4), normal(6, 2, 5), normal(6), groups=2, padding=[2, 2], stride=2),
    case(normal(2, 8, 9), normal(9, 1, 3), normal(9), groups=9, padding=[1, 1]),
    case(normal(3, 16, 2), normal(3, 2, 2), normal(3), stride=3), case(normal(1, 33, 1), normal(2, 1, 5), normal(2)),
    case(normal(2, 7, 17), normal(31, 17, 1), normal(31)), case(normal(1, 8, 3), normal(5, 3, 8), normal(5)),
    case(normal(0, 8, 3), normal(5, 3, 3), normal(5)), case(normal(2, 9, 3), normal(4, 3, 3), padding=[0, 2], stride=2))
def conv1d(x, w, b=None, padding=(0, 0), stride=1, dilation=1, groups=1):
    x = F.pad(x.transpose(1, 2), padding)
    return F.conv1d(x, w, b, stride, 0, dilation, groups).transpose(1, 2)


@op(case(normal(1, 1, 1, 1, 1), normal(1, 1, 1, 1, 1), normal(1)),
    case(normal(2, 3, 4, 5, 3), normal(4, 3, 2, 3, 3), normal(4)),
    case(normal(1, 5, 4, 4, 2), normal(3, 2, 3, 3, 3), normal(3), padding=[1, 1, 1]),
    case(normal(1, 5, 4, 4, 2), normal(3, 2, 3, 3, 3), padding=[1, 0, 1]),
    case(normal(1, 7, 5, 5, 2), normal(3, 2, 3, 2, 2), normal(3), stride=[2, 2, 2]),
    case(normal(2, 6, 4, 5, 2), normal(3, 2, 2, 2, 3), normal(3), stride=[3, 1, 2], padding=[1, 0, 1]),
    case(normal(1, 7, 4, 4, 2), normal(2, 2, 3, 2, 2), normal(2), dilation=[2, 1, 1]),
    case(normal(1, 7, 4, 4, 2), normal(2, 2, 3, 2, 2), normal(2), dilation=[2, 2, 1], stride=[2, 1, 1],
         padding=[2, 1, 0]),
    case(normal(1, 4, 3, 3, 4), normal(6, 2, 2, 2, 2), normal(6), groups=2),
    case(normal(1, 4, 3, 3, 3), normal(3, 1, 2, 2, 2), normal(3), groups=3, stride=[2, 1, 1]),
    case(normal(2, 2, 3, 3, 9), normal(7, 9, 1, 1, 1), normal(7)),
    case(normal(1, 3, 2, 2, 2), normal(2, 2, 3, 2, 2), normal(2)))
def conv3d(x, w, b=None, padding=(0, 0, 0), stride=(1, 1, 1), dilation=(1, 1, 1), groups=1):
    return F.conv3d(x.permute(0, 4, 1, 2, 3), w, b, stride, padding, dilation, groups).permute(0, 2, 3, 4, 1)


@op(case(normal(1, 1, 1, 1), normal(1, 1, 1, 1), normal(1)), case(normal(2, 4, 5, 3), normal(3, 4, 3, 3), normal(4)),
    case(normal(2, 4, 5, 3), normal(3, 4, 3, 3)), case(normal(1, 4, 4, 8), normal(8, 16, 2, 2), normal(16), stride=2),
    case(normal(2, 3, 4, 3), normal(3, 5, 3, 3), normal(5), stride=2, padding=1, output_padding=1),
    case(normal(1, 5, 4, 2), normal(2, 3, 3, 2), normal(3), stride=[2, 3], padding=[1, 0], output_padding=[0, 2]),
    case(normal(1, 5, 5, 4), normal(4, 6, 3, 3), normal(6), dilation=2, padding=1),
    case(normal(2, 4, 4, 4), normal(4, 3, 3, 3), normal(6), groups=2, stride=2),
    case(normal(1, 4, 4, 6), normal(6, 1, 3, 3), normal(6), groups=6, padding=1),
    case(normal(3, 3, 3, 16), normal(16, 17, 1, 1), normal(17)),
    case(normal(1, 2, 3, 9), normal(9, 7, 4, 4), normal(7), stride=4),
    case(normal(0, 4, 4, 3), normal(3, 4, 3, 3), normal(4)), case(normal(1, 6, 3, 2), normal(2, 2, 3, 3), padding=2))
def conv_transpose2d(x, w, b=None, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    y = F.conv_transpose2d(nchw(torch.cat([x, x.new_zeros(1, *x.shape[1:])])), w, b, stride, padding, output_padding,
                           groups, dilation)
    return nhwc(y)[:-1]


@op(case(normal(1, 1, 1), normal(1, 1, 1), normal(1)), case(normal(2, 5, 3), normal(3, 4, 3), normal(4)),
    case(normal(2, 5, 3), normal(3, 4, 3)), case(normal(1, 4, 8), normal(8, 16, 2), normal(16), stride=2),
    case(normal(2, 4, 3), normal(3, 5, 3), normal(5), stride=2, padding=1, output_padding=1),
    case(normal(1, 5, 4), normal(4, 6, 3), normal(6), dilation=2, padding=1),
    case(normal(2, 4, 4), normal(4, 3, 3), normal(6), groups=2, stride=2),
    case(normal(1, 9, 6), normal(6, 1, 3), normal(6), groups=6, padding=1), case(normal(3, 3, 16), normal(16, 17, 1)),
    case(normal(1, 7, 9), normal(9, 7, 4), normal(7), stride=4), case(normal(0, 4, 3), normal(3, 4, 3), normal(4)),
    case(normal(1, 31, 1), normal(1, 2, 5), normal(2)))
def conv_transpose1d(x, w, b=None, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    x = torch.cat([x, x.new_zeros(1, *x.shape[1:])]).transpose(1, 2)
    return F.conv_transpose1d(x, w, b, stride, padding, output_padding, groups, dilation).transpose(1, 2)[:-1]


# Norms ---------------------------------------------------------------------------------------------


@op(*[case(normal(*shape), *[normal(shape[-1], mean=mean) for mean in parameters], groups=groups)
      for shape, groups, parameters in
      [((2, 3, 4), 2, (1, 0)), ((1, 5, 5, 6), 3, (1, 0)), ((2, 3, 3, 16), 4, (1, 0)), ((2, 7, 9), 1, (1, 0)),
       ((3, 4, 5, 15), 5, (1, 0)), ((1, 2, 33), 3, (1, 0)), ((2, 8, 8, 17), 17, (1, 0)), ((2, 9, 8), 4, ()),
       ((2, 9, 8), 4, (1,)), ((2, 3, 2, 2, 6), 2, (1, 0)), ((4, 12), 3, (1, 0)), ((0, 3, 4), 2, (1, 0))]],
    case(normal(2, 5, 8, scale=1e-2), normal(8, mean=1), normal(8), groups=2, eps=1e-3),
    case(normal(2, 5, 8, mean=10), normal(8, mean=1), normal(8), groups=2))
def group_norm(x, gain=None, bias=None, groups=1, eps=1e-5):
    if x.numel() == 0:
        return x * gain + bias
    return F.group_norm(x.movedim(-1, 1), groups, gain, bias, eps).movedim(1, -1)


@op(*[case(normal(*shape), *[normal(shape[-1], mean=mean) for mean in parameters]) for shape, parameters in
      [((2, 3, 4), (1, 0)), ((1, 5, 5, 6), (1, 0)), ((2, 3, 3, 16), (1, 0)), ((2, 7, 9), (1, 0)),
       ((3, 4, 5, 15), (1, 0)), ((1, 2, 33), (1, 0)), ((2, 8, 8, 17), (1, 0)), ((2, 9, 8), ()), ((2, 9, 8), (1,)),
       ((2, 3, 2, 2, 6), (1, 0)), ((2, 31, 1), (1, 0)), ((0, 3, 4), (1, 0))]])
def instance_norm(x, gain=None, bias=None):
    if x.numel() == 0:
        return x * gain + bias
    # Written out, as F.instance_norm of torch 2.15 has wrong gradients for one example with channels last.
    axes = tuple(range(1, x.dim() - 1))
    y = (x - x.mean(axes, keepdim=True)) / (x.var(axes, unbiased=False, keepdim=True) + 1e-5).sqrt()
    y = y if gain is None else y * gain
    return y if bias is None else y + bias


# Recurrent layers ----------------------------------------------------------------------------------


def step(cell, x, h, c, w, b):
    """One step of a cell: the gates' inputs x [N, G], the state h and c [N, H]."""
    y = h @ w.mT + (0 if b is None else b)
    if cell == "lstm":
        i, f, g, o = (x + y).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
    if cell == "gru":
        (xr, xz, xn), (hr, hz, hn) = x.chunk(3, -1), y.chunk(3, -1)
        r, z = (xr + hr).sigmoid(), (xz + hz).sigmoid()
        return (1 - z) * (xn + r * hn).tanh() + z * h, c
    return ((x + y).tanh() if cell == "tanh" else (x + y).relu()), c


def recurrent_cases():
    result = []
    for cell, gates in [("lstm", 4), ("gru", 3), ("tanh", 1), ("relu", 1)]:
        for steps, n, hidden, more in [(1, 1, 1, {}), (3, 2, 5, {}), (4, 3, 8, dict(reverse=True)), (2, 1, 17, {}),
                                       (5, 3, 4, dict(lengths=[5, 2, 0])), (4, 2, 3, dict(lengths=[1, 4], reverse=True)),
                                       (0, 2, 3, {})]:
            lengths = more.pop("lengths", None) if "lengths" in more else None
            inputs = [normal(steps, n, gates * hidden), normal(gates * hidden, hidden, scale=0.5), normal(gates * hidden),
                      normal(n, hidden, scale=0.5), normal(n, hidden, scale=0.5)]
            if cell != "lstm":
                inputs[4] = constant(given([[0.0]]))
            if lengths:
                inputs.append(given(lengths, "int64"))
            result.append(case(*inputs, cell=cell, **more))
    return result


@op(*recurrent_cases())
def recurrent(x, w, b, h, c, lengths=None, cell="lstm", reverse=False):
    steps, n = x.shape[:2]
    if cell != "lstm":
        c = torch.zeros_like(h)
    y = [None] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        new_h, new_c = step(cell, x[t], h, c, w, b)
        live = torch.ones(n, 1, dtype=torch.bool) if lengths is None else (t < lengths)[:, None]
        h, c = torch.where(live, new_h, h), torch.where(live, new_c, c)
        y[t] = torch.where(live, new_h, torch.zeros_like(new_h))
    y = torch.stack(y) if steps else x.new_zeros(0, *h.shape) + 0 * (w.sum() + b.sum() + h.sum())
    return (y, h * 1, c * 1) if cell == "lstm" else (y, h * 1)


# Losses --------------------------------------------------------------------------------------------


def weighted(*shape, classes, soft=False, **attributes):
    labels = Input(lambda rng: rng.dirichlet(np.ones(classes), shape)) if soft else ids(classes, *shape)
    return case(normal(*shape, classes), labels, constant(uniform(0.2, 2, classes)), **attributes)


@op(weighted(1, classes=2), weighted(7, classes=5), weighted(8, classes=9, reduction="sum"),
    weighted(3, 4, classes=17, reduction="none"), weighted(7, classes=5, label_smoothing=0.1),
    weighted(9, classes=33, label_smoothing=0.3, reduction="sum"), weighted(5, classes=16, label_smoothing=0.2,
                                                                            reduction="none"),
    weighted(7, classes=5, soft=True), weighted(2, 3, classes=9, soft=True, reduction="none"),
    weighted(8, classes=17, soft=True, label_smoothing=0.1), weighted(4, classes=31, soft=True, reduction="sum"),
    case(normal(5, 7), given([0, 3, -100, 6, -100], "int64"), constant(uniform(0.2, 2, 7))),
    case(normal(4, 6), Input(lambda rng: np.eye(6)[[0, 3, 3, 5]])))
def class_weights(logits, labels, weight=None, label_smoothing=0.0, reduction="mean"):
    if labels.is_floating_point():
        flat_labels = labels.flatten(0, -2)
    else:
        flat_labels = labels.flatten()
    y = F.cross_entropy(logits.flatten(0, -2), flat_labels, weight, reduction=reduction, label_smoothing=label_smoothing)
    return y.reshape(logits.shape[:-1]) if reduction == "none" else y


@op(*[case(normal(*shape, width), normal(classes, width, scale=0.5), ids(classes, *shape), **attributes)
      for shape, width, classes, attributes in
      [((1,), 1, 2, {}), ((7,), 5, 9, {}), ((2, 3), 8, 17, {}), ((33,), 16, 5, dict(reduction="sum")),
       ((5,), 9, 31, dict(reduction="none")), ((17,), 7, 33, dict(label_smoothing=0.1)),
       ((40,), 4, 3, dict(label_smoothing=0.2, reduction="sum")), ((2, 2, 2), 15, 8, dict(reduction="none")),
       ((16,), 17, 16, {}), ((3,), 33, 2, {}), ((64,), 8, 10, {})]],
    case(normal(5, 7), normal(6, 7), given([0, 3, -100, 5, -100], "int64")))
def linear_cross_entropy(x, w, labels, label_smoothing=0.0, reduction="mean"):
    y = F.cross_entropy((x @ w.mT).flatten(0, -2), labels.flatten(), reduction=reduction,
                        label_smoothing=label_smoothing)
    return y.reshape(labels.shape) if reduction == "none" else y


# Images of another size ----------------------------------------------------------------------------

SIZES = [((1, 1, 1, 1), [1, 1]), ((1, 1, 1, 3), [3, 2]), ((2, 4, 5, 3), [8, 10]), ((1, 5, 7, 8), [3, 3]),
         ((2, 6, 6, 2), [4, 9]), ((1, 3, 3, 17), [7, 5]), ((1, 8, 8, 1), [4, 4]), ((1, 2, 9, 4), [2, 18]),
         ((3, 4, 4, 2), [1, 1]), ((1, 7, 5, 9), [14, 5]), ((1, 5, 5, 1), [9, 9]), ((0, 4, 4, 3), [8, 8])]


@op(*[case(normal(*shape), output=output, mode="nearest") for shape, output in SIZES],
    *[case(normal(*shape), output=output, mode="bilinear") for shape, output in SIZES],
    *[case(normal(*shape), output=output, mode="bilinear", align_corners=True) for shape, output in SIZES],
    *[case(normal(*shape), output=output, mode="bicubic") for shape, output in SIZES],
    case(normal(1, 4, 6, 3), output=[9, 7], mode="bicubic", align_corners=True))
def interpolate(x, output, mode, align_corners=False):
    more = {} if mode == "nearest" else dict(align_corners=align_corners)
    return nhwc(F.interpolate(nchw(torch.cat([x, x.new_zeros(1, *x.shape[1:])])), output, mode=mode, **more))[:-1]


@op(*[case(normal(*shape), factor=factor) for shape, factor in
      [((1, 1, 1, 1), 1), ((1, 1, 1, 4), 2), ((2, 3, 4, 8), 2), ((1, 5, 2, 9), 3), ((1, 2, 2, 27), 3),
       ((2, 4, 3, 16), 4), ((1, 3, 3, 12), 2), ((3, 1, 7, 4), 2), ((1, 7, 1, 20), 2), ((1, 2, 3, 25), 5),
       ((2, 2, 2, 3), 1), ((0, 2, 2, 4), 2)]])
def pixel_shuffle(x, factor):
    return nhwc(F.pixel_shuffle(nchw(torch.cat([x, x.new_zeros(1, *x.shape[1:])])), factor))[:-1]


@op(*[case(normal(*shape), factor=factor) for shape, factor in
      [((1, 1, 1, 1), 1), ((1, 2, 2, 1), 2), ((2, 6, 4, 2), 2), ((1, 3, 6, 1), 3), ((1, 6, 3, 3), 3),
       ((2, 4, 8, 1), 4), ((1, 6, 6, 3), 2), ((3, 2, 14, 1), 2), ((1, 14, 2, 5), 2), ((1, 10, 5, 1), 5),
       ((2, 2, 2, 3), 1), ((0, 4, 4, 1), 2)]])
def pixel_unshuffle(x, factor):
    return nhwc(F.pixel_unshuffle(nchw(torch.cat([x, x.new_zeros(1, *x.shape[1:])])), factor))[:-1]


# Products ------------------------------------------------------------------------------------------


@op(*[case(*[normal(*shape) for shape in shapes], equation=equation) for equation, shapes in
      [("ij,jk->ik", [(3, 4), (4, 5)]), ("bij,bjk->bik", [(2, 3, 7), (2, 7, 5)]), ("bqd,bkd->bqk", [(2, 3, 8), (2, 5, 8)]),
       ("ij,kj->ki", [(9, 8), (17, 8)]), ("i,j->ij", [(7,), (9,)]), ("i,i->", [(17,), (17,)]),
       ("ij->ji", [(5, 9)]), ("ijk->j", [(3, 8, 5)]), ("bhqd,bkd->bhqk", [(2, 3, 4, 5), (2, 6, 5)]),
       ("ij,jk,kl->il", [(3, 4), (4, 5), (5, 6)]), ("ab,cd", [(2, 3), (4, 5)]), ("ba,bc", [(4, 3), (4, 5)]),
       ("bi,bj,b->ij", [(5, 3), (5, 4), (5,)]), ("ij,j->i", [(31, 16), (16,)]), ("ijk,ijk->ik", [(2, 3, 4), (2, 3, 4)]),
       ("ij,jk->ik", [(0, 4), (4, 5)])]])
def einsum(*operands, equation): return torch.einsum(equation, *operands)


@op(*[case(normal(*a), normal(*b), **attributes) for a, b, attributes in
      [((1, 3, 4), (2, 4, 5), {}), ((2, 3, 4), (1, 4, 5), {}), ((2, 1, 3, 4), (1, 3, 4, 5), {}), ((3, 4), (2, 4, 5), {}),
       ((2, 3, 4), (3, 2, 4, 5), {}), ((5, 1, 3, 8), (8, 7), {}), ((1, 4, 3), (2, 4, 5), dict(transpose_a=True)),
       ((2, 3, 4), (1, 5, 4), dict(transpose_b=True)), ((1, 4, 3), (3, 5, 4), dict(transpose_a=True, transpose_b=True)),
       ((1, 1, 9, 8), (2, 3, 8, 7), {}), ((0, 3, 4), (1, 4, 5), {}), ((4, 1, 17, 2), (1, 2, 2, 3), {})]])
def broadcast_matmul(a, b, transpose_a=False, transpose_b=False):
    return (a.mT if transpose_a else a) @ (b.mT if transpose_b else b)
