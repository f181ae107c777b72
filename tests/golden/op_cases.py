"""The cases every operation is tested with; record_ops.py records what PyTorch computes for them.

Each operation is one function on float64 tensors, in the layouts of Temper (images NHWC), and a list of cases: the
inputs and the attributes of the call. "differences=False" marks cases where the derivative jumps, or the inputs are of
many magnitudes: there the reference cannot be checked by differences. To add an operation, add a function here, and
a reference and an entry in tests/ops.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

# Inputs ------------------------------------------------------------------------------------------


class Input:
    """Describes how one input of a case is drawn."""

    def __init__(self, draw, dtype=np.float32, constant=False):
        self.draw, self.dtype, self.constant = draw, dtype, constant

    def array(self, rng):
        return np.array(self.draw(rng), dtype=self.dtype, order="C")


def normal(*shape, mean=0.0, scale=1.0):
    return Input(lambda rng: mean + scale * rng.standard_normal(shape))


def uniform(low, high, *shape):
    return Input(lambda rng: rng.uniform(low, high, shape))


def spaced(*shape):
    """Distinct numbers around 0 in random order, at distances that avoid kinks and ties."""
    count = int(np.prod(shape))
    return Input(lambda rng: (rng.permutation(count).reshape(shape) - count // 2 + 0.3) * 0.1)


def given(values, dtype=np.float32):
    return Input(lambda rng: np.array(values), dtype)


def constant(source):
    """An input without a gradient."""
    return Input(source.draw, source.dtype, True)


def ids(bound, *shape):
    return Input(lambda rng: rng.integers(0, bound, shape), np.int64)


def mask(*shape, p=0.5):
    return Input(lambda rng: rng.random(shape) < p, np.bool_)


# Sizes around every vector width, and rank 0, 3, empty.
TAILS = [(1,), (7,), (8,), (9,), (15,), (16,), (17,), (31,), (33,), (), (0,), (2, 3, 5), (3, 33)]

# Pairs that broadcast: against a scalar, a row, a column, both ways, over several axes, over nothing.
PAIRS = [((7,), (7,)), ((16,), (16,)), ((17,), (17,)), ((31,), (31,)), ((33,), (1,)), ((), (9,)), ((8, 17), (17,)),
         ((8, 17), (8, 1)), ((5, 1), (1, 9)), ((4, 1, 7), (3, 1)), ((2, 3, 4, 5), (3, 1, 5)), ((31,), (2, 31)),
         ((0, 3), (3,)), ((1, 1), (1,)), ((3, 1, 15), (3, 4, 15)), ((), ())]

def registry():
    """A dictionary of operations, and the decorator that enters the function below it with its cases: (inputs, attributes)."""
    operations = {}

    def op(*cases, name=None):
        def register(function):
            operations[name or function.__name__.rstrip("_")] = (function, list(cases))
            return function
        return register

    return operations, op


OPS, op = registry()


def case(*inputs, **attributes):
    return list(inputs), attributes


def unary(draw, *more):
    return [case(draw(*shape)) for shape in TAILS] + list(more)


def binary(draw_a, draw_b, *more):
    return [case(draw_a(*a), draw_b(*b)) for a, b in PAIRS] + list(more)


# Arithmetic --------------------------------------------------------------------------------------


def away_from_zero(*shape):
    return Input(lambda rng: rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape))


def positive(*shape):
    return uniform(0.2, 4, *shape)


def apart(*shape):
    """Multiples of 1/4 with an offset: compared with those of `between`, neither close nor equal."""
    return Input(lambda rng: rng.integers(-8, 8, shape) / 4)


def between(*shape):
    return Input(lambda rng: rng.integers(-8, 8, shape) / 4 + 0.1)


@op(*binary(normal, normal))
def add(a, b): return a + b


@op(*binary(normal, normal))
def sub(a, b): return a - b


@op(*binary(normal, normal))
def mul(a, b): return a * b


@op(*binary(normal, away_from_zero))
def div(a, b): return a / b


@op(*unary(normal))
def neg(x): return -x


@op(*binary(positive, normal),
    *[case(positive(*shape), exponent=exponent)
      for shape, exponent in [((17,), 2.5), ((9,), -1.0), ((33,), 0.5), ((7,), -0.5)]],
    *[case(away_from_zero(*shape), exponent=exponent)
      for shape, exponent in [((17,), 2.0), ((15,), 3.0), ((8,), 1.0), ((31,), 0.0), ((9,), -2.0), ((0,), 2.0)]],
    case(given([0.0, 1.0, -1.0, 2.0]), exponent=2.0))
def pow_(x, y=None, exponent=None): return torch.pow(x, y if exponent is None else exponent)


@op(*unary(normal), case(given([-87, -30, -1e-6, 0, 1e-6, 30, 80, 88])))
def exp(x): return torch.exp(x)


@op(*unary(positive), case(given([1e-30, 1e-6, 0.999, 1, 1.001, 1e6, 1e30]), differences=False))
def log(x): return torch.log(x)


@op(*unary(positive), case(given([1e-12, 1e-4, 1, 1e4, 1e12]), differences=False))
def sqrt(x): return torch.sqrt(x)


@op(*unary(away_from_zero), case(given([0.0, -0.0, 1, -1]), differences=False))
def abs_(x): return torch.abs(x)


@op(*[case(spaced(*shape), min=-0.5, max=1.0) for shape in TAILS], case(spaced(17), min=-0.5), case(spaced(17),
    max=0.5),
    case(given([-1, -0.5, 0, 1, 2]), min=-0.5, max=1.0, differences=False))
def clamp(x, min=None, max=None): return torch.clamp(x, min, max)


@op(*binary(apart, between), case(given([1, 2, 3, -1]), given([1, 1, 4, -1]), differences=False))
def maximum(a, b): return torch.maximum(a, b)


@op(*binary(apart, between), case(given([1, 2, 3, -1]), given([1, 1, 4, -1]), differences=False))
def minimum(a, b): return torch.minimum(a, b)


@op(*[case(mask(*a), normal(*a), normal(*b)) for a, b in PAIRS], case(mask(17), normal(17), normal(3, 1)),
    case(mask(3, 1), normal(1, 9), normal(9)), case(mask(), normal(8), normal(8)))
def where(condition, a, b): return torch.where(condition, a, b)


def some(*shape): return Input(lambda rng: rng.integers(-2, 2, shape))


@op(*binary(some, some), case(ids(3, 17), ids(3, 17)))
def equal(a, b): return a == b


@op(*binary(some, some), case(ids(3, 17), ids(3, 17)))
def not_equal(a, b): return a != b


@op(*binary(some, some), case(ids(3, 17), ids(3, 17)))
def less(a, b): return a < b


@op(*binary(some, some), case(ids(3, 17), ids(3, 17)))
def less_equal(a, b): return a <= b


@op(*binary(some, some), case(ids(3, 17), ids(3, 17)))
def greater(a, b): return a > b


@op(*binary(some, some), case(ids(3, 17), ids(3, 17)))
def greater_equal(a, b): return a >= b


# Activations -------------------------------------------------------------------------------------

WIDE = given([-100, -30, -12, -6, -3, -1e-3, 0, 1e-3, 3, 6, 12, 30, 100])


@op(*unary(away_from_zero), case(given([0.0, -0.0, 1e-30, -1e-30, 3]), differences=False))
def relu(x): return F.relu(x)


@op(*[case(away_from_zero(*shape), slope=0.01) for shape in TAILS], case(away_from_zero(17), slope=0.3),
    case(away_from_zero(9), slope=0.0), case(given([0.0, 1, -1]), slope=0.1, differences=False))
def leaky_relu(x, slope): return F.leaky_relu(x, slope)


@op(*unary(normal, case(WIDE), case(normal(4, 17, scale=3))))
def gelu(x): return F.gelu(x)


@op(*unary(normal, case(WIDE), case(normal(4, 17, scale=3))))
def gelu_tanh(x): return F.gelu(x, approximate="tanh")


@op(*unary(normal, case(WIDE), case(normal(4, 17, scale=3))))
def silu(x): return F.silu(x)


@op(*unary(normal, case(WIDE), case(normal(4, 17, scale=3))))
def sigmoid(x): return torch.sigmoid(x)


@op(*unary(normal, case(WIDE), case(normal(4, 17, scale=3))))
def tanh(x): return torch.tanh(x)


@op(*unary(normal, case(WIDE), case(normal(4, 17, scale=3))))
def softplus(x): return F.softplus(x, threshold=700)  # the default is linear above 20


# Products ----------------------------------------------------------------------------------------


@op(case(normal(1, 1), normal(1, 1)), case(normal(7, 9), normal(9, 8)), case(normal(17, 33), normal(33, 15)),
    case(normal(1, 31), normal(31, 16)), case(normal(16, 1), normal(1, 17)), case(normal(8, 0), normal(0, 9)),
    case(normal(0, 8), normal(8, 9)), case(normal(9, 7), normal(9, 8), transpose_a=True),
    case(normal(7, 9), normal(8, 9), transpose_b=True),
    case(normal(9, 7), normal(8, 9), transpose_a=True, transpose_b=True), case(normal(3, 7, 9), normal(3, 9, 8)),
    case(normal(2, 3, 5, 17), normal(2, 3, 17, 4)), case(normal(3, 9, 7), normal(3, 9, 8), transpose_a=True),
    case(normal(2, 3, 5, 16), normal(2, 3, 7, 16), transpose_b=True),
    case(normal(2, 9, 7), normal(2, 8, 9), transpose_a=True, transpose_b=True), case(normal(1, 7, 9), normal(1, 9, 33)),
    case(normal(31, 15), normal(15, 31)), case(normal(16, 16), normal(16, 16)),
    case(normal(3, 7, 9), normal(9, 8)), case(normal(2, 3, 5, 4), normal(7, 4), transpose_b=True),
    case(normal(3, 9, 7), normal(9, 8), transpose_a=True),
    case(normal(2, 5, 3), normal(4, 5), transpose_a=True, transpose_b=True))
def matmul(a, b, transpose_a=False, transpose_b=False):
    return (a.mT if transpose_a else a) @ (b.mT if transpose_b else b)


def linear_cases(**attributes):
    return [case(normal(*x), *[normal(*shape) for shape in parameters], **attributes) for x, *parameters in
            [((1, 1), (1, 1), (1,)), ((7, 9), (8, 9), (8,)), ((1, 17), (33, 17), (33,)), ((16, 31), (15, 31), (15,)),
             ((33, 16), (16, 16), (16,)), ((9, 8), (1, 8), (1,)), ((2, 3, 15), (7, 15), (7,)),
             ((2, 2, 2, 9), (17, 9), (17,)), ((7, 9), (8, 9)), ((33, 17), (31, 17)), ((5,), (3, 5), (3,)),
             ((0, 9), (8, 9), (8,)), ((4, 128), (10, 128), (10,))]]


@op(*linear_cases())
def linear(x, w, b=None): return F.linear(x, w, b)


@op(*linear_cases(), *linear_cases(tanh=True))
def linear_gelu(x, w, b=None, tanh=False): return F.gelu(F.linear(x, w, b), approximate="tanh" if tanh else "none")


@op(*linear_cases())
def linear_silu(x, w, b=None): return F.silu(F.linear(x, w, b))


# Images ------------------------------------------------------------------------------------------


def nchw(x): return x.permute(0, 3, 1, 2)


def nhwc(x): return x.permute(0, 2, 3, 1)


@op(case(normal(1, 1, 1, 1), normal(1, 1, 1, 1), normal(1)),
    case(normal(2, 5, 5, 3), normal(4, 3, 3, 3), normal(4)),
    case(normal(2, 5, 5, 3), normal(4, 3, 3, 3)),
    case(normal(1, 7, 9, 1), normal(8, 1, 3, 3), normal(8), padding=1),
    case(normal(2, 6, 7, 8), normal(16, 8, 3, 3), normal(16), padding=1),
    case(normal(3, 4, 4, 16), normal(17, 16, 1, 1), normal(17)),
    case(normal(1, 9, 8, 3), normal(7, 3, 3, 2), normal(7), stride=2, padding=1),
    case(normal(2, 7, 7, 2), normal(3, 2, 2, 2), normal(3), stride=3),
    case(normal(1, 9, 9, 4), normal(6, 4, 3, 3), normal(6), dilation=2, padding=2),
    case(normal(2, 5, 6, 4), normal(6, 2, 3, 3), normal(6), groups=2, padding=1),
    case(normal(2, 5, 5, 9), normal(9, 1, 3, 3), normal(9), groups=9, padding=1),
    case(normal(1, 6, 6, 16), normal(16, 1, 3, 3), groups=16, stride=2, padding=1),
    case(normal(1, 8, 7, 4), normal(8, 2, 3, 3), normal(8), groups=2, stride=2, dilation=2, padding=2),
    case(normal(4, 5, 5, 15), normal(1, 15, 3, 3), normal(1), padding=1),
    case(normal(1, 33, 5, 1), normal(2, 1, 5, 5), normal(2), padding=2),
    case(normal(1, 8, 8, 3), normal(31, 3, 4, 4), normal(31), stride=4),
    case(normal(2, 6, 9, 3), normal(5, 3, 2, 3), normal(5), stride=[1, 2], padding=[0, 1], dilation=[2, 1]),
    case(normal(0, 5, 5, 3), normal(4, 3, 3, 3), normal(4), padding=1))
def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    if x.shape[0] == 0:  # torch 1.13 has no gradient for it
        return nhwc(F.conv2d(torch.cat([nchw(x), torch.zeros(1, *nchw(x).shape[1:], dtype=x.dtype)]), w, b, stride,
                             padding, dilation, groups)[:0])
    return nhwc(F.conv2d(nchw(x), w, b, stride, padding, dilation, groups))


POOLED = [((1, 2, 2, 1), dict(kernel=2)), ((2, 4, 4, 3), dict(kernel=2)), ((1, 5, 7, 8), dict(kernel=2)),
          ((2, 6, 6, 16), dict(kernel=3)), ((1, 7, 7, 17), dict(kernel=3, stride=2)),
          ((1, 7, 8, 9), dict(kernel=3, stride=2, padding=1)), ((3, 5, 5, 7), dict(kernel=3, stride=1, padding=1)),
          ((1, 9, 9, 2), dict(kernel=2, stride=3)), ((1, 4, 4, 33), dict(kernel=2, stride=1)),
          ((2, 3, 3, 15), dict(kernel=3)), ((1, 8, 6, 31), dict(kernel=2, stride=2)), ((4, 2, 2, 5), dict(kernel=1)),
          ((2, 6, 7, 4), dict(kernel=[3, 2], stride=[1, 2], padding=[1, 0])), ((0, 4, 4, 3), dict(kernel=2))]


@op(*[case(spaced(*shape), **options) for shape, options in POOLED],
    case(given(np.ones((1, 4, 4, 2))), kernel=2, differences=False),
    case(given([[[[1], [2], [2]], [[2], [1], [0]], [[2], [2], [-1]]]]), kernel=2, stride=1, differences=False),
    case(Input(lambda rng: spaced(1, 5, 5, 3).draw(rng) - 10), kernel=3, stride=2, padding=1))
def max_pool2d(x, kernel, stride=None, padding=0):
    if x.numel() == 0:
        return x[:, ::stride or kernel, ::stride or kernel]
    return nhwc(F.max_pool2d(nchw(x), kernel, stride, padding))


@op(*[case(normal(*shape), **options) for shape, options in POOLED],
    case(normal(2, 5, 5, 8), kernel=3, stride=2, padding=1, count_include_pad=False))
def avg_pool2d(x, kernel, stride=None, padding=0, count_include_pad=True):
    if x.numel() == 0:
        return x[:, ::stride or kernel, ::stride or kernel]
    return nhwc(F.avg_pool2d(nchw(x), kernel, stride, padding, count_include_pad=count_include_pad))


@op(*[case(normal(*shape), output=output) for shape, output in
      [((1, 1, 1, 1), [1, 1]), ((2, 4, 4, 3), [1, 1]), ((2, 5, 7, 8), [1, 1]), ((1, 6, 6, 16), [2, 3]),
       ((1, 7, 7, 17), [3, 3]), ((2, 9, 8, 9), [4, 5]), ((1, 3, 3, 31), [3, 3]), ((1, 2, 2, 7), [5, 4]),
       ((3, 8, 8, 1), [2, 2]), ((1, 5, 5, 33), [2, 2]), ((1, 4, 6, 15), [4, 1]), ((0, 4, 4, 3), [2, 2]),
       ((2, 1, 9, 5), [1, 7])]])
def adaptive_avg_pool2d(x, output):
    if x.numel() == 0:
        return x[:, :output[0], :output[1]]
    return nhwc(F.adaptive_avg_pool2d(nchw(x), output))


@op(*[case(normal(*shape)) for shape in
      [(1, 1, 1, 1), (2, 2, 2, 7), (1, 7, 7, 8), (3, 5, 4, 9), (1, 3, 3, 15), (2, 4, 4, 16), (1, 2, 5, 17),
      (1, 3, 1, 31),
       (2, 2, 2, 33), (1, 8, 8, 3), (5, 1, 1, 4), (0, 4, 4, 3), (1, 16, 16, 2)]])
def global_avg_pool2d(x): return x.mean((1, 2))


@op(*[case(normal(*shape)) for shape in
      [(1, 1, 1, 1), (2, 3, 4, 5), (1, 7, 7, 8), (3, 2, 2, 9), (2, 1, 5, 15), (1, 4, 4, 16), (2, 3, 3, 17),
      (1, 2, 2, 31),
       (1, 3, 1, 33), (2, 5, 5, 1), (0, 2, 2, 3), (4, 1, 1, 7), (1, 7, 9, 2)]])
def flatten_chw(x): return nchw(x).flatten(1)


# Norms -------------------------------------------------------------------------------------------


def rows(n, c, scale=1.0, mean=0.0): return normal(n, c, scale=scale, mean=mean)


def norm_cases(*parameters):
    """Ordinary rows, rows of small variance (for the position of eps), rows far from 0, rows of equal numbers."""
    def make(x, c, **attributes): return case(x, *[normal(c, mean=mean) for mean in parameters], **attributes)
    return ([make(rows(1, 1), 1, differences=False)] + [make(rows(n, c), c) for n, c in
             [(3, 7), (2, 8), (4, 9), (1, 15), (2, 16), (5, 17), (3, 31), (2, 33), (0, 8), (17, 2)]] +
            [make(rows(3, 16, 1e-2), 16), make(rows(3, 17, 1e-3), 17), make(rows(3, 9, 1e-4), 9),
             make(rows(2, 33, 1, 10), 33), make(rows(3, 8, 1e-2), 8, eps=1e-3), make(normal(2, 3, 2, 9), 9),
             make(given(np.full((2, 5), 0.5)), 5)])


@op(*norm_cases(1, 0), case(normal(2, 3, 9), normal(3, 9), normal(3, 9)), case(normal(4, 15), normal(15)))
def layer_norm(x, gain, bias=None, eps=1e-5): return F.layer_norm(x, gain.shape, gain, bias, eps)


@op(*[case(rows(n, c, scale), rows(n, c, scale, mean), normal(c, mean=1), normal(c)) for n, c, scale, mean in
      [(3, 7, 1, 0), (2, 8, 1, 0), (4, 9, 1, 0), (1, 15, 1, 0), (2, 16, 1, 0), (5, 17, 1, 0), (3, 31, 1, 0),
       (2, 33, 1, 0), (0, 8, 1, 0), (17, 2, 1, 0), (3, 16, 1e-2, 0), (2, 33, 1, 10)]],
    case(rows(3, 8, 1e-2), rows(3, 8, 1e-2), normal(8, mean=1), normal(8), eps=1e-3),
    case(normal(2, 3, 9), normal(2, 3, 9), normal(3, 9), normal(3, 9)),
    case(normal(4, 15), normal(4, 15), normal(15)))
def add_layer_norm(x, y, gain, bias=None, eps=1e-5): return x + y, F.layer_norm(x + y, gain.shape, gain, bias, eps)


@op(*norm_cases(1), case(normal(2, 3, 9), normal(3, 9)))
def rms_norm(x, gain, eps=1e-5):
    axes = tuple(range(-gain.dim(), 0))
    return x / torch.sqrt((x * x).mean(axes, keepdim=True) + eps) * gain


def batch_norm_case(x, c, **attributes):
    return case(x, normal(c, mean=1), normal(c), constant(normal(c)), constant(uniform(0.5, 2, c)), **attributes)


@op(*[batch_norm_case(normal(*shape), shape[-1]) for shape in
      [(2, 1, 1, 1), (2, 3, 4, 7), (1, 3, 3, 8), (4, 2, 2, 9), (2, 4, 1, 15), (1, 5, 5, 16), (3, 2, 2, 17),
      (2, 2, 2, 31),
       (1, 2, 3, 33)]],
    batch_norm_case(normal(2, 3, 3, 16, scale=1e-2), 16), batch_norm_case(normal(2, 3, 3, 5, scale=1e-3), 5),
    batch_norm_case(normal(2, 3, 3, 8, mean=10), 8), batch_norm_case(normal(2, 3, 3, 4, scale=1e-2), 4, eps=1e-3),
    batch_norm_case(normal(2, 3, 3, 4), 4, momentum=0.3),
    batch_norm_case(normal(2, 3, 3, 7), 7, training=False), batch_norm_case(normal(1, 1, 1, 17), 17, training=False),
    batch_norm_case(normal(3, 2, 2, 16), 16, training=False, eps=1e-2))
def batch_norm(x, gain, bias, running_mean, running_var, momentum=0.1, eps=1e-5, training=True):
    mean, var = running_mean.clone(), running_var.clone()
    return nhwc(F.batch_norm(nchw(x), mean, var, gain, bias, training, momentum, eps)), mean, var


# Rows --------------------------------------------------------------------------------------------

LOGITS = [case(normal(*shape), axis=-1) for shape in
          [(1, 1), (3, 7), (2, 8), (4, 9), (1, 15), (2, 16), (5, 17), (3, 31), (2, 33), (0, 5), (2, 3, 10), (9,)]]
LOGITS += [case(normal(4, 9, 3), axis=1), case(normal(17, 4), axis=0), case(normal(3, 8, scale=30), axis=-1),
           case(given([[88, -88, 0, 87], [1e4, -1e4, 9999, 0]]), axis=-1, differences=False),
           case(given(np.full((2, 7), 3.0)), axis=-1)]


@op(*LOGITS)
def softmax(x, axis): return F.softmax(x, axis)


@op(*LOGITS)
def log_softmax(x, axis): return F.log_softmax(x, axis)


@op(*[case(normal(n, c), ids(c, n)) for n, c in
      [(1, 2), (7, 3), (8, 10), (9, 7), (15, 8), (16, 9), (17, 15), (31, 16), (3, 17), (4, 31), (5, 33)]],
    case(normal(8, 10), given([1, -100, 3, -100, 9, 0, 0, -100], np.int64)),
    case(normal(8, 10), given([1, 2, 3, 2, 9, 0, 0, 2], np.int64), ignore_index=2),
    case(normal(8, 10), ids(10, 8), label_smoothing=0.1), case(normal(7, 3), ids(3, 7), label_smoothing=0.5),
    case(normal(8, 10), given([1, -100, 3, -100, 9, 0, 0, -100], np.int64), label_smoothing=0.2),
    case(normal(4, 9, scale=30), ids(9, 4)),
    case(given([[88, -88, 0], [1e4, -1e4, 9e3]]), given([0, 1], np.int64), differences=False),
    case(normal(1, 1), given([0], np.int64)), case(normal(9), ids(9)), case(normal(2, 3, 7), ids(7, 2, 3)),
    case(normal(8, 10), given([1, -100, 3, -100, 9, 0, 0, -100], np.int64), label_smoothing=0.1, reduction="sum"),
    case(normal(4, 5), given([1, -100, 3, 0], np.int64), reduction="none"),
    case(normal(0, 5), ids(5, 0), reduction="sum"))
def cross_entropy(x, labels, ignore_index=-100, label_smoothing=0.0, reduction="mean"):
    return F.cross_entropy(x.reshape(labels.numel(), -1) if labels.numel() else x, labels.reshape(-1),
                           ignore_index=ignore_index, label_smoothing=label_smoothing,
                           reduction=reduction).reshape(labels.shape if reduction == "none" else ())


SAME = [(1,), (7,), (8,), (9,), (15,), (16,), (17,), (31,), (33,), (), (2, 3, 5), (3, 33), (1, 1)]


@op(*[case(normal(*shape), normal(*shape)) for shape in SAME],
    case(normal(17), normal(17), reduction="sum"), case(normal(2, 9), normal(2, 9), reduction="none"))
def mse_loss(x, target, reduction="mean"): return F.mse_loss(x, target, reduction=reduction)


@op(*[case(apart(*shape), between(*shape)) for shape in SAME],
    case(given([1, 2, 3]), given([1, 1, 4]), differences=False),
    case(apart(17), between(17), reduction="sum"), case(apart(2, 9), between(2, 9), reduction="none"))
def l1_loss(x, target, reduction="mean"): return F.l1_loss(x, target, reduction=reduction)


@op(*[case(apart(*shape), between(*shape)) for shape in SAME], case(apart(17), between(17), delta=0.5),
    case(apart(33), between(33), delta=2.0), case(given([1, 2, 3]), given([1, 1, 4]), differences=False),
    case(apart(17), between(17), reduction="sum"), case(apart(2, 9), between(2, 9), reduction="none"))
def huber_loss(x, target, delta=1.0, reduction="mean"): return F.huber_loss(x, target, reduction, delta)


@op(*[case(normal(*shape), uniform(0, 1, *shape)) for shape in SAME], case(normal(17),
    Input(lambda rng: rng.integers(0, 2, 17))),
    case(given([-100, -30, 30, 100, 0]), given([1, 0, 1, 0, 1])),
    case(normal(17), uniform(0, 1, 17), reduction="sum"), case(normal(2, 9), uniform(0, 1, 2, 9), reduction="none"))
def bce_with_logits(x, target, reduction="mean"):
    return F.binary_cross_entropy_with_logits(x, target, reduction=reduction)


# Reductions --------------------------------------------------------------------------------------

REDUCED = [((1,), {}), ((7,), {}), ((33,), {}), ((), {}), ((4, 9), {}), ((4, 8), dict(axes=[0])), ((4, 17),
dict(axes=[1])),
           ((3, 15), dict(axes=[-1])), ((2, 16, 5), dict(axes=[1])), ((2, 3, 31), dict(axes=[0, 2])),
           ((2, 3, 4, 5), dict(axes=[1, 2])), ((3, 33), dict(axes=[0], keepdim=True)),
           ((2, 9, 4), dict(axes=[1], keepdim=True)), ((2, 3, 4), dict(axes=[0, 1, 2], keepdim=True)),
           ((17, 31), dict(axes=[0])), ((5, 1, 7), dict(axes=[1]))]


def over(x, axes): return tuple(range(x.dim())) if axes is None else tuple(axes)


@op(*[case(normal(*shape), **options) for shape, options in REDUCED], case(normal(0)), case(normal(0, 5), axes=[0]),
    case(normal(3, 0), axes=[0]))
def sum_(x, axes=None, keepdim=False): return x.sum(over(x, axes), keepdim) if x.dim() else x.sum()


@op(*[case(normal(*shape), **options) for shape, options in REDUCED], case(normal(3, 0), axes=[0]))
def mean(x, axes=None, keepdim=False): return x.mean(over(x, axes), keepdim) if x.dim() else x.mean()


EXTREMES = [case(spaced(*shape), **options) for shape, options in REDUCED]
EXTREMES += [case(spaced(3, 0), axes=[0]), case(given([[1, 3, 3, 2], [4, 4, 4, 4], [0, 0, -1, -1]]), axes=[1],
                                                differences=False)]


@op(*EXTREMES)
def max_(x, axes=None, keepdim=False): return x.amax(over(x, axes), keepdim)  # equal elements share the gradient


@op(*EXTREMES)
def min_(x, axes=None, keepdim=False): return x.amin(over(x, axes), keepdim)


@op(*[case(spaced(*shape), axis=axis) for shape, axis in
      [((1,), 0), ((7,), 0), ((8,), 0), ((4, 9), 1), ((15, 3), 0), ((2, 16), -1), ((2, 17), -1), ((31, 2), 0),
      ((3, 33), 1),
       ((2, 3, 4), 1), ((0, 5), 1), ((1, 1), 0)]],
    case(given([[1, 3, 3, 2], [4, 4, 4, 4]]), axis=1))
def argmax(x, axis): return torch.from_numpy(np.asarray(np.argmax(x.detach().numpy(), axis)))  # first of equals


# Shapes ------------------------------------------------------------------------------------------


@op(*[case(normal(*a), shape=list(b)) for a, b in
      [((1,), (1, 1)), ((7,), (7, 1)), ((2, 4), (8,)), ((9,), (3, 3)), ((3, 5), (5, 3)), ((16,), (2, 2, 2, 2)),
      ((17,), (1, 17)),
       ((31,), (31,)), ((3, 11), (33,)), ((), (1,)), ((1,), ()), ((0, 3), (5, 0)), ((2, 3, 4), (4, 6))]])
def reshape(x, shape): return x.reshape(shape)


@op(*[case(normal(*shape), from_axis=axis) for shape, axis in
      [((1,), 0), ((7, 1), 1), ((2, 4), 0), ((3, 3, 1), 1), ((3, 5, 1), 2), ((2, 2, 2, 2), 1), ((1, 17), 0),
       ((31, 1), -1), ((3, 11), 0), ((2, 15), 1), ((0, 3, 2), 1), ((2, 3, 4, 5), 2), ((2, 0, 3), 1)]])
def flatten(x, from_axis): return x.flatten(from_axis)


@op(*[case(normal(*shape), axes=axes) for shape, axes in
      [((1,), [0]), ((7,), [0]), ((8, 9), [1, 0]), ((15, 16), [1, 0]), ((17, 31), [1, 0]), ((33, 1), [1, 0]),
       ((2, 3, 4), [2, 0, 1]), ((2, 3, 4), [0, 2, 1]), ((2, 3, 4), [1, 0, 2]), ((2, 3, 4, 5), [0, 3, 1, 2]),
       ((2, 3, 4, 5), [0, 2, 1, 3]), ((2, 1, 3, 2, 2), [4, 2, 0, 1, 3]), ((0, 3, 2), [1, 2, 0]), ((2, 3), [0, 1]),
       ((2, 3, 4), [-1, 0, 1])]])
def permute(x, axes): return x.permute(axes)


@op(*[case(normal(*shape), a=a, b=b) for shape, a, b in
      [((1, 1), 0, 1), ((7, 8), 0, 1), ((8, 8), 0, 1), ((9, 15), 1, 0), ((16, 17), -1, -2), ((31, 33), 0, 1),
      ((2, 3, 4), 0, 2),
       ((2, 3, 4), 1, 2), ((2, 3, 4), 0, 1), ((2, 3, 4, 5), 1, 2), ((2, 3, 4, 5), 0, 3), ((0, 3), 0, 1), ((3, 5),
       0, 0)]])
def transpose(x, a, b): return x.transpose(a, b)


@op(*[case(normal(*shape), axis=axis, begin=begin, end=end) for shape, axis, begin, end in
      [((1,), 0, 0, 1), ((7,), 0, 2, 5), ((8, 3), 0, 1, 8), ((9, 4), 1, 1, 3), ((3, 15), 1, 0, 15), ((3, 16),
      -1, 15, 16),
       ((17, 2), 0, 0, 16), ((31,), 0, 7, 24), ((2, 33), 1, 16, 33), ((2, 3, 4), 1, 1, 2), ((2, 3, 4), 2, 1, 4),
       ((4, 3), 0, 2, 2), ((2, 3, 4, 5), 1, 0, 2)]])
def slice_(x, axis, begin, end): return x.narrow(axis, begin, end - begin)


@op(*[case(*[normal(*shape) for shape in shapes], axis=axis) for shapes, axis in
      [([(1,)], 0), ([(7,), (8,)], 0), ([(9, 2), (15, 2)], 0), ([(3, 16), (3, 17)], 1), ([(3, 31), (3, 1),
      (3, 33)], -1),
       ([(2, 3, 4), (2, 1, 4)], 1), ([(2, 3, 4), (2, 3, 5)], 2), ([(2, 3, 4), (1, 3, 4)], 0), ([(0, 3), (2, 3)], 0),
       ([(2, 3), (2, 0)], 1), ([(1,)] * 5, 0), ([(2, 2, 2, 2), (2, 2, 3, 2)], 2), ([(0,), (0,)], 0)]])
def concat(*inputs, axis): return torch.cat(inputs, axis)


@op(*[case(*[normal(*shape) for _ in range(count)], axis=axis) for shape, count, axis in
      [((1,), 1, 0), ((7,), 2, 0), ((8,), 3, 1), ((9,), 2, -1), ((15,), 2, 0), ((16,), 2, 1), ((17,), 3, 0), ((31,),
      2, -1),
       ((33,), 2, 0), ((), 4, 0), ((2, 3), 2, 1), ((2, 3), 3, 2), ((0, 3), 2, 0)]])
def stack(*inputs, axis): return torch.stack(inputs, axis)


@op(*[case(normal(*shape), size=size, axis=axis) for shape, size, axis in
      [((1,), 1, 0), ((7,), 3, 0), ((8, 2), 4, 0), ((2, 9), 4, 1), ((15,), 8, 0), ((3, 16), 8, -1), ((17, 2), 16, 0),
       ((2, 31), 15, 1), ((33,), 11, 0), ((2, 3, 4), 2, 1), ((2, 3, 4), 1, 2), ((0, 4), 2, 1), ((2, 6, 2), 9, 1)]])
def split(x, size, axis): return torch.split(x, size, axis)


@op(*[case(normal(*a), shape=list(b)) for a, b in
      [((1,), (7,)), ((), (8,)), ((9,), (9,)), ((1, 15), (3, 15)), ((16, 1), (16, 3)), ((17,), (2, 17)), ((1, 31, 1),
      (2, 31, 3)),
       ((33,), (1, 33)), ((2, 1, 4), (2, 3, 4)), ((1, 1, 1), (2, 3, 4)), ((0, 1), (0, 5)), ((1, 4), (0, 4)),
       ((3, 1), (2, 3, 5))]])
def expand(x, shape): return x.expand(shape)


@op(*[case(normal(*shape), before=before, after=after, value=value) for shape, before, after, value in
      [((1,), [1], [1], 0.0), ((7,), [0], [2], 0.0), ((8,), [3], [0], 1.5), ((9, 2), [1, 0], [0, 1], 0.0),
       ((3, 15), [0, 1], [0, 1], -2.0), ((16, 1), [1, 1], [1, 1], 0.0), ((17,), [0], [0], 0.0), ((31,), [1], [0], 0.0),
       ((2, 33), [1, 0], [0, 0], 0.5), ((2, 3, 4), [0, 1, 2], [2, 1, 0], 0.0),
       ((1, 4, 5, 3), [0, 1, 1, 0], [0, 1, 2, 0], 0.0), ((0, 3), [1, 0], [0, 1], 0.25), ((0,), [0], [0], 0.0)]])
def pad(x, before, after, value):
    return F.pad(x, [n for pair in reversed(list(zip(before, after))) for n in pair], value=value)


@op(*[case(normal(*shape), ids(shape[axis], *index), axis=axis) for shape, index, axis in
      [((1,), (1,), 0), ((7,), (9,), 0), ((8, 3), (4, 3), 0), ((9, 15), (9, 4), 1), ((3, 16), (3, 17), -1), ((17, 2),
      (31, 2), 0),
       ((5, 33), (5, 1), 1), ((2, 3, 4), (2, 5, 4), 1), ((2, 3, 4), (2, 3, 2), 2), ((4, 8), (4, 8), 1), ((3, 5),
       (3, 0), 1),
       ((2, 7), (2, 33), 1), ((1, 9), (1, 15), 1)]],
    case(normal(4, 5), given([[0, 0, 0, 0], [4, 4, 4, 4], [1, 2, 1, 2], [3, 3, 3, 0]], np.int64), axis=1))
def gather(x, index, axis): return x.gather(axis, index)


@op(*[case(normal(v, d), ids(v, *shape)) for v, d, shape in
      [(1, 1, (1,)), (5, 7, (3,)), (9, 8, (2, 4)), (3, 9, (17,)), (31, 15, (4,)), (8, 16, (2, 3, 2)), (4, 17, (9,)),
       (16, 31, (5,)), (7, 33, (2, 2)), (5, 4, (0,)), (10, 3, ()), (2, 5, (33,))]],
    case(normal(6, 9), given([2, 2, 2, 5, 5, 0, 2], np.int64)))
def embedding(table, index): return F.embedding(index, table)


# Attention ---------------------------------------------------------------------------------------


def attention_case(b, h, tq, tk, d, *more, spread=1.0, **attributes):
    return case(normal(b, h, tq, d, scale=spread), normal(b, h, tk, d, scale=spread), normal(b, h, tk, d), *more,
                **attributes)


def sure_mask(tq, tk):
    """A mask in which every query sees at least the key at its own position."""
    return Input(lambda rng: (rng.random((tq, tk)) < 0.5) | (np.arange(tk) == np.arange(tq)[:, None] % tk), np.bool_)


@op(attention_case(1, 1, 1, 1, 1), attention_case(1, 2, 7, 7, 8), attention_case(2, 1, 8, 8, 9),
    attention_case(1, 2, 9, 9, 16), attention_case(2, 2, 3, 5, 4), attention_case(1, 1, 17, 15, 8),
    attention_case(1, 1, 4, 33, 7), attention_case(1, 2, 7, 7, 8, causal=True),
    attention_case(2, 1, 16, 16, 4, causal=True), attention_case(1, 1, 31, 31, 5, causal=True),
    attention_case(1, 2, 5, 5, 8, sure_mask(5, 5)), attention_case(2, 1, 9, 7, 4, sure_mask(9, 7)),
    attention_case(1, 1, 8, 8, 17, spread=4.0), attention_case(3, 2, 1, 6, 8),
    attention_case(1, 1, 17, 17, 33, causal=True),
    attention_case(0, 2, 3, 3, 4), attention_case(2, 3, 5, 5, 4, sure_mask(5, 5), causal=True),
    attention_case(1, 2, 7, 9, 8, scale=0.3), attention_case(1, 2, 3, 7, 4, causal=True),
    case(normal(5, 8), normal(7, 8), normal(7, 3)), case(normal(3, 9, 4), normal(3, 4, 4), normal(3, 4, 17)),
    case(normal(2, 2, 4, 8), normal(2, 2, 4, 8), normal(2, 2, 4, 8), Input(
        lambda rng: (rng.random((2, 1, 4, 4)) < 0.5) | np.eye(4, dtype=bool), np.bool_)))
def scaled_dot_product_attention(q, k, v, keep=None, causal=False, scale=None):
    scores = q @ k.mT * (scale or 1 / math.sqrt(q.shape[-1]))
    if causal:
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -math.inf)
    if keep is not None:
        scores = scores.masked_fill(~keep, -math.inf)
    return F.softmax(scores, -1) @ v


# Dropout at p = 0 is the identity. Properties of other rates are tested in tests/ops/dropout.cpp.
@op(*[case(normal(*shape), p=0.0) for shape in TAILS])
def dropout(x, p): return x * 1
