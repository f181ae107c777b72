"""More cases like those of op_cases.py: elements by their places, in order, summed up along the way, in another arrangement;
whole numbers and truth values; statistics.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from op_cases import (PAIRS, TAILS, Input, away_from_zero, binary, case, constant, given, ids, mask, normal, positive,
                      registry, spaced, uniform)

OPS, op = registry()


# Places --------------------------------------------------------------------------------------------

# Shapes and axes: outer, inner and middle ones, of size 1, of nothing.
AXES = [((1,), 0), ((7,), 0), ((33,), -1), ((5, 9), 0), ((5, 9), 1), ((2, 3, 5), 1), ((2, 3, 5), -1), ((4, 1, 8), 1),
        ((3, 33), 0), ((2, 17, 3), 1), ((0, 4), 1), ((2, 3, 2, 16), 2), ((1, 130), 1)]


def replaced(shape, axis, size):
    shape = list(shape)
    shape[axis] = size
    return tuple(shape)


@op(*[case(normal(*shape), ids(shape[axis], count), axis=axis)
      for (shape, axis), count in zip(AXES, [1, 5, 40, 3, 9, 7, 1, 2, 8, 0, 6, 4, 131])])
def index_select(x, index, axis): return torch.index_select(x, axis, index)


@op(*[case(normal(*shape), ids(shape[axis], count), normal(*replaced(shape, axis, count)), axis=axis)
      for (shape, axis), count in zip(AXES, [1, 5, 40, 3, 9, 7, 1, 2, 8, 0, 6, 4, 131])])
def index_add(x, index, source, axis): return torch.index_add(x, axis, index, source)


def elements(shape, axis, count):
    return ids(shape[axis], *replaced(shape, axis, count))


def distinct(shape, axis, count):
    """Places of which no two are the same along the axis."""
    lines = replaced(shape, axis, 1)

    def draw(rng):
        order = [rng.permutation(shape[axis])[:count] for _ in range(int(np.prod(lines)))]
        index = np.array(order, dtype=np.int64).reshape(*np.delete(shape, axis), count)
        return np.moveaxis(index, -1, axis)
    return Input(draw, np.int64)


COUNTS = [1, 5, 20, 3, 9, 2, 1, 1, 3, 0, 4, 2, 77]


@op(*[case(normal(*shape), distinct(shape, axis, count), normal(*replaced(shape, axis, count)), axis=axis)
      for (shape, axis), count in zip(AXES, COUNTS)])
def scatter(x, index, source, axis): return torch.scatter(x, axis, index, source)


@op(*[case(normal(*shape), elements(shape, axis, 2 * count), normal(*replaced(shape, axis, 2 * count)), axis=axis)
      for (shape, axis), count in zip(AXES, COUNTS)])
def scatter_add(x, index, source, axis):
    # By hand: that of torch takes no more places than the axis has.
    y = x.clone()
    where = list(torch.meshgrid(*[torch.arange(size) for size in index.shape], indexing="ij"))
    where[axis] = index
    return y.index_put(tuple(where), source, accumulate=True)


def some(*shape): return Input(lambda rng: rng.integers(-1, 2, shape) * 0.5)


@op(*[case(some(*shape)) for shape in TAILS if shape], case(ids(3, 4, 5)), case(mask(4, 5)))
def nonzero(x): return torch.nonzero(x)


@op(*[case(normal(*shape), mask(*shape)) for shape in TAILS], case(normal(40), mask(40, p=0.1)))
def masked_select(x, mask): return torch.masked_select(x, mask)


# Order ---------------------------------------------------------------------------------------------

LINES = [((1,), -1), ((7,), 0), ((16,), -1), ((33,), -1), ((3, 17), 1), ((17, 3), 0), ((2, 9, 4), 1), ((600,), 0),
         ((2, 513), -1), ((0, 4), 1), ((3, 0), 1), ((4, 1), 1)]
TIES = given([3, 1, 2, 1, 3, 0, -0.0, 2, 1])


@op(*[case(spaced(*shape), axis=axis, descending=bool(i % 2)) for i, (shape, axis) in enumerate(LINES)],
    case(TIES, axis=0, descending=False, differences=False), case(TIES, axis=0, descending=True, differences=False),
    case(ids(9, 40), axis=0, descending=False), case(ids(9, 4, 600), axis=1, descending=True))
def sort(x, axis, descending): return torch.sort(x, dim=axis, descending=descending, stable=True)


@op(*[case(spaced(*shape), axis=axis, descending=bool(i % 2)) for i, (shape, axis) in enumerate(LINES)],
    case(TIES, axis=0, descending=False), case(TIES, axis=0, descending=True))
def argsort(x, axis, descending): return torch.argsort(x, dim=axis, descending=descending, stable=True)


@op(*[case(spaced(*shape), axis=axis, k=k, largest=bool(i % 2)) for i, ((shape, axis), k) in
      enumerate(zip(LINES, [1, 3, 16, 1, 5, 2, 4, 3, 200, 2, 0, 1]))],
    case(spaced(9), axis=0, k=0, largest=True), case(Input(
        lambda rng: rng.permutation(120).reshape(3, 40), np.int64), axis=1, k=7, largest=True))
def topk(x, axis, k, largest): return torch.topk(x, k, axis, largest, sorted=True)


# Running results -----------------------------------------------------------------------------------

RUNS = [((1,), 0), ((7,), 0), ((16,), -1), ((33,), -1), ((3, 17), 1), ((17, 3), 0), ((2, 9, 4), 1), ((5, 1, 3), 1),
        ((0, 4), 1), ((3, 0), 1), ((2, 300), 0), ((4, 31), -1)]


def flipped(x, axis, reverse): return x.flip(axis) if reverse else x


@op(*[case(normal(*shape), axis=axis) for shape, axis in RUNS],
    *[case(normal(*shape), axis=axis, reverse=reverse, exclusive=exclusive)
      for shape, axis in [((17,), 0), ((3, 8), 0), ((2, 5, 9), 1)]
      for reverse, exclusive in [(True, False), (False, True), (True, True)]], case(ids(9, 4, 7), axis=1))
def cumsum(x, axis, reverse=False, exclusive=False):
    x = flipped(x, axis, reverse)
    return flipped(torch.cumsum(x, axis) - (x if exclusive else 0), axis, reverse)


@op(*[case(away_from_zero(*shape), axis=axis) for shape, axis in RUNS],
    case(given([2, 0, 3, -1]), axis=0), case(given([[1, 0, 2, 0, 3], [0, 1, 2, 3, 4], [1, 2, 3, 4, 0]]), axis=1))
def cumprod(x, axis): return torch.cumprod(x, axis)


@op(*[case(normal(*shape), axis=axis) for shape, axis in RUNS], case(given([-100, 3, 100, 99, -5]), axis=0),
    case(normal(4, 9, scale=30), axis=1))
def logcumsumexp(x, axis): return torch.logcumsumexp(x, axis)


# Arrangement ---------------------------------------------------------------------------------------


@op(*[case(normal(*shape)) for shape in
      [(1,), (7,), (1, 7), (7, 1), (1, 1), (), (2, 1, 3), (1, 0), (3, 5), (1, 2, 1, 3, 1), (1, 1, 33), (4, 1, 1, 5)]])
def squeeze(x): return torch.squeeze(x)


@op(*[case(normal(*shape), axis=axis) for shape, axis in
      [((), 0), ((7,), 0), ((7,), 1), ((7,), -1), ((3, 5), 1), ((3, 5), -2), ((3, 5), 2), ((0, 2), 0), ((2, 3, 4), 3),
       ((1,), -1), ((33,), 0), ((2, 2, 2), 1)]])
def unsqueeze(x, axis): return torch.unsqueeze(x, axis)


@op(*[case(normal(*shape), axis=axis, begin=begin, end=end, step=step) for shape, axis, begin, end, step in
      [((9,), 0, 0, 9, 1), ((9,), 0, 0, 9, 2), ((9,), -1, 1, 9, 3), ((3, 17), 1, 0, 17, 2), ((17, 3), 0, 2, -1, 4),
       ((2, 9, 4), 1, -7, -1, 2), ((2, 9, 4), 2, 0, 100, 3), ((5,), 0, 4, 2, 1), ((5,), 0, -100, 100, 5),
       ((0, 4), 1, 0, 4, 2), ((3, 4), 0, 1, 2, 7), ((2, 3, 5, 16), 2, 0, 5, 2), ((1, 33), 1, 0, 33, 32)]])
def strided_slice(x, axis, begin, end, step):
    return x[(slice(None),) * (axis % x.dim()) + (slice(begin, end, step),)]


@op(*[case(normal(*shape), axes=axes) for shape, axes in
      [((1,), [0]), ((7,), [0]), ((3, 5), [0]), ((3, 5), [1]), ((3, 5), [0, 1]), ((2, 3, 4), [-1]), ((2, 3, 4), [0, 2]),
       ((2, 3, 4), [1]), ((0, 3), [0]), ((2, 33), [1]), ((2, 3, 2, 5), [1, 3]), ((4, 1, 9), [1, -1]), ((5,), [])]])
def flip(x, axes): return torch.flip(x, axes)


@op(*[case(normal(*shape), shift=shift, axis=axis) for shape, shift, axis in
      [((1,), 3, 0), ((7,), 1, 0), ((7,), -2, 0), ((7,), 0, 0), ((7,), 700, 0), ((3, 5), 1, 0), ((3, 5), -1, 1),
       ((2, 9, 4), 5, 1), ((0, 3), 2, 0), ((2, 33), -40, -1), ((2, 3, 2, 5), 1, 2), ((8, 17), 4, 0)]])
def roll(x, shift, axis): return torch.roll(x, shift, axis)


@op(*[case(normal(*shape), repeats=repeats) for shape, repeats in
      [((1,), [3]), ((7,), [1]), ((7,), [2]), ((3, 5), [2, 1]), ((3, 5), [1, 3]), ((3, 5), [2, 2]), ((2, 3, 4), [1, 2, 1]),
       ((2, 1, 4), [3, 2, 1]), ((0, 3), [2, 2]), ((33,), [4]), ((2, 3), [0, 2]), ((1, 1, 1), [2, 3, 4])]])
def tile(x, repeats): return torch.tile(x, repeats)


@op(*[case(normal(*shape), repeats=repeats, axis=axis) for shape, repeats, axis in
      [((1,), 3, 0), ((7,), 1, 0), ((7,), 2, 0), ((3, 5), 2, 0), ((3, 5), 3, 1), ((2, 3, 4), 2, 1), ((2, 3, 4), 4, -1),
       ((0, 3), 2, 1), ((33,), 2, 0), ((2, 3), 0, 1), ((1, 1), 5, 0), ((4, 17), 2, -2)]])
def repeat_interleave(x, repeats, axis): return torch.repeat_interleave(x, repeats, axis)


MATRICES = [((1, 1), 0), ((5, 5), 0), ((5, 5), 1), ((5, 5), -2), ((3, 7), 0), ((7, 3), 0), ((3, 7), 2), ((7, 3), -3),
            ((2, 4, 4), 0), ((2, 3, 4, 9), 1), ((0, 4), 0), ((4, 33), 100), ((4, 33), -100), ((17, 16), -1)]


@op(*[case(normal(*shape), diagonal=diagonal) for shape, diagonal in MATRICES])
def tril(x, diagonal): return torch.tril(x, diagonal)


@op(*[case(normal(*shape), diagonal=diagonal) for shape, diagonal in MATRICES])
def triu(x, diagonal): return torch.triu(x, diagonal)


@op(*[case(normal(*shape), offset=offset) for shape, offset in MATRICES if abs(offset) < 100],
    case(normal(2, 3), offset=3))
def diagonal(x, offset): return torch.diagonal(x, offset, -2, -1)


@op(*[case(ids(classes, *shape), classes=classes) for shape, classes in
      [((1,), 1), ((7,), 3), ((16,), 17), ((2, 3), 4), ((), 5), ((0,), 3), ((3, 33), 2), ((2, 2, 2), 9), ((5,), 31),
       ((9, 1), 8), ((1,), 100), ((40,), 2)]])
def one_hot(labels, classes): return F.one_hot(labels, classes)


# Whole numbers and truth values --------------------------------------------------------------------


def whole(*shape): return Input(lambda rng: rng.integers(-9, 10, shape), np.int64)


def divisor(*shape): return Input(lambda rng: rng.integers(1, 6, shape) * rng.choice([-1, 1], shape), np.int64)


for function in ["add", "sub", "mul", "maximum", "minimum"]:
    op(*binary(whole, whole), name="integer_" + function)(getattr(torch, function))
op(*binary(whole, divisor), name="integer_div")(torch.div)
for function in ["neg", "abs", "sign", "square"]:
    op(*[case(whole(*shape)) for shape in TAILS], name="integer_" + function)(getattr(torch, function))


@op(*[case(whole(*shape), min=-3, max=5) for shape in TAILS])
def integer_clamp(x, min, max): return torch.clamp(x, min, max)


@op(*[case(whole(*shape), factor=factor, shift=shift) for shape, (factor, shift) in
      zip(TAILS, [(2, 1), (1, 0), (-1, 5), (3, -2), (0, 4), (7, 7), (1, 1), (-2, 0), (1, -1), (4, 0), (2, 2), (5, 1), (1, 9)])])
def integer_affine(x, factor, shift): return factor * x + shift


REDUCED = [((7,), {}), ((33,), dict(axes=[0])), ((3, 5), dict(axes=[1])), ((3, 5), dict(axes=[0], keepdim=True)),
           ((2, 3, 4), dict(axes=[0, 2])), ((2, 3, 4), dict(axes=[-1])), ((2, 3, 4), dict(keepdim=True)), ((1,), {}),
           ((2, 1, 9), dict(axes=[1])), ((4, 17), dict(axes=[0, 1])), ((2, 3, 2, 5), dict(axes=[1, 3])), ((), {})]


def over(function):
    """A reduction of torch that takes all axes or a list."""
    def reduce(x, axes=None, keepdim=False):
        if axes is None:
            axes = tuple(range(x.dim()))
        if not axes and x.dim() == 0:
            return function(x.reshape(1), 0, False)
        return function(x, tuple(axes), keepdim)
    return reduce


op(*[case(whole(*shape), **attributes) for shape, attributes in REDUCED], case(whole(0, 3), axes=[0]),
   name="integer_sum")(over(lambda x, axes, keepdim: torch.sum(x, axes, keepdim)))
op(*[case(whole(*shape), **attributes) for shape, attributes in REDUCED], name="integer_max")(over(torch.amax))
op(*[case(whole(*shape), **attributes) for shape, attributes in REDUCED], name="integer_min")(over(torch.amin))


def one_by_one(function):
    """A reduction of torch that takes one axis, as one of several."""
    def reduce(x, axes, keepdim):
        for axis in sorted((a % max(1, x.dim()) for a in ([axes] if isinstance(axes, int) else axes)), reverse=True):
            x = function(x, axis, keepdim)
        return x
    return over(reduce)


TRUTHS = [case(mask(*shape, p=0.8), **attributes) for shape, attributes in REDUCED]
op(*TRUTHS, case(mask(0, 3), axes=[0]), case(mask(0)), name="any")(one_by_one(torch.any))
op(*TRUTHS, case(mask(0, 3), axes=[0]), case(mask(0)), name="all")(one_by_one(torch.all))


@op(*[case(some(*shape), **attributes) for shape, attributes in REDUCED], case(ids(2, 3, 5), axes=[0]), case(mask(3, 5)))
def count_nonzero(x, axes=None, keepdim=False):
    y = (x != 0).long()
    return over(lambda x, axes, keepdim: torch.sum(x, axes, keepdim))(y, axes, keepdim)


@op(*[case(normal(*shape), **attributes) for shape, attributes in
      [((7,), dict(axis=0)), ((33,), dict(axis=-1)), ((3, 5), dict(axis=0)), ((3, 5), dict(axis=1)), ((2, 3, 4), dict(axis=1)),
       ((1,), dict(axis=0)), ((2, 1, 9), dict(axis=1)), ((4, 17), dict(axis=0)), ((2, 3, 2, 5), dict(axis=2)),
       ((600,), dict(axis=0)), ((3, 16), dict(axis=-1))]], case(given([2, 1, 3, 1, 3]), axis=0))
def argmin(x, axis): return torch.argmin(x, axis)


@op(*[case(Input(lambda rng, shape=shape: rng.integers(0, 3, shape)), axis=axis, smallest=smallest)
      for shape, axis in [((7,), 0), ((33,), -1), ((3, 5), 0), ((3, 5), 1), ((2, 3, 4), 1), ((1,), 0)]
      for smallest in [False, True]])
def last_arg(x, axis, smallest):
    function = torch.argmin if smallest else torch.argmax
    return x.shape[axis] - 1 - function(x.flip(axis), axis)


op(*[case(mask(*a), mask(*b)) for a, b in PAIRS], name="logical_and")(torch.logical_and)
op(*[case(mask(*a), mask(*b)) for a, b in PAIRS], name="logical_or")(torch.logical_or)
op(*[case(mask(*a), mask(*b)) for a, b in PAIRS], name="logical_xor")(torch.logical_xor)
op(*[case(mask(*shape)) for shape in TAILS], name="logical_not")(torch.logical_not)


@op(*[case(normal(*a), mask(*b), value=value) for (a, b), value in
      zip(PAIRS, [0, 1, -2.5, 0, 3, 0, -9, 0.5, 0, 0, 7, 0, 2, 0, 1, 0])], case(whole(3, 5), mask(5), value=4),
    case(mask(9), mask(9), value=1))
def masked_fill(x, mask, value):
    x = x.expand(torch.broadcast_shapes(x.shape, mask.shape))
    return torch.masked_fill(x, mask, value)


def fractions(*shape): return Input(lambda rng: rng.integers(-20, 20, shape) / 4 + 0.1)


def parts(*shape): return Input(lambda rng: (rng.integers(2, 9, shape) / 4) * rng.choice([-1, 1], shape))


op(*binary(fractions, parts), case(whole(3, 7), divisor(7)), name="remainder")(torch.remainder)
op(*binary(fractions, parts), case(whole(3, 7), divisor(7)), name="fmod")(torch.fmod)
op(*binary(fractions, parts), case(whole(3, 7), divisor(7)), name="floor_divide")(
    lambda a, b: torch.div(a, b, rounding_mode="floor"))
op(*binary(fractions, parts), case(whole(3, 7), divisor(7)), name="truncate_divide")(
    lambda a, b: torch.div(a, b, rounding_mode="trunc"))


def places(*shape): return Input(lambda rng: rng.integers(0, 9, shape), np.int64)


for name, function in [("and", torch.bitwise_and), ("or", torch.bitwise_or), ("xor", torch.bitwise_xor)]:
    op(*binary(whole, whole), case(mask(3, 7), mask(7)), name="bitwise_" + name)(function)


@op(*[case(whole(*shape)) for shape in TAILS], case(mask(9), truth=True))
def bitwise_not(x, truth=False): return torch.bitwise_not(x)


op(*binary(whole, places), name="bitwise_left_shift")(torch.bitwise_left_shift)
op(*binary(whole, places), name="bitwise_right_shift")(torch.bitwise_right_shift)

op(*binary(away_from_zero, away_from_zero), *binary(normal, normal), name="atan2")(torch.atan2)
op(*binary(normal, normal), case(given([-100, 100, 3]), given([100, -100, 3])), name="logaddexp")(torch.logaddexp)



@op(*[case(spaced(*shape), min=-0.5, max=1.0) for shape in TAILS])
def hardtanh(x, min, max): return F.hardtanh(x, min, max)


SOME_LINES = [((1,), -1), ((7,), 0), ((33,), -1), ((3, 17), 1), ((17, 3), 0), ((2, 9, 4), 1)]


@op(*[case(source(*shape), axis=axis, smallest=i % 2 == 0)
      for source in [whole, mask] for i, (shape, axis) in enumerate(SOME_LINES)])
def whole_place(x, axis, smallest):
    # By hand: torch has none of bool.
    x = x.long()
    return torch.max((x.amin(axis, True) if smallest else x.amax(axis, True)) == x, axis).indices


@op(*[case(source(*shape), axis=axis, k=min(shape[axis], 3), largest=i % 2 == 0)
      for source in [whole, mask] for i, (shape, axis) in enumerate(SOME_LINES)])
def whole_topk(x, axis, k, largest):
    values, places = torch.sort(x, dim=axis, descending=largest, stable=True)
    return values.narrow(axis, 0, k), places.narrow(axis, 0, k)


@op(*[case(source(*shape), elements(shape, axis, 2 * shape[axis]), axis=axis)
      for source in [whole, mask] for shape, axis in SOME_LINES])
def whole_gather(x, index, axis): return torch.gather(x, axis, index)


@op(*[case(source(3, 5), to=to) for source in [normal, whole, mask] for to in ["f32", "i64", "bool"]],
    case(whole(0), to="f32"), case(given([-2.9, -0.5, 0.5, 2.9, 1e6, -1e15]), to="i64"),
    case(given([0.0, -0.0, 1e-30, -2]), to="bool"), case(mask(33), to="i64"), case(whole(2, 3, 17), to="f32"))
def cast(x, to):
    if to != "f32":
        x = x.detach()
    return x.to({"f32": torch.float64, "i64": torch.int64, "bool": torch.bool}[to])


# Statistics ----------------------------------------------------------------------------------------

SPREAD = [(shape, attributes) for shape, attributes in REDUCED if math.prod(shape) > 1 and attributes.get("axes") != [1]
          or shape == (3, 5)]


for name, function in [("var", torch.var), ("std", torch.std)]:
    op(*[case(normal(*shape), correction=1, **attributes) for shape, attributes in SPREAD],
       *[case(normal(*shape, mean=3), correction=0, **attributes) for shape, attributes in SPREAD[:4]],
       case(normal(9), correction=3), name=name)(
           lambda x, correction, axes=None, keepdim=False, function=function: function(
               x, tuple(range(x.dim())) if axes is None else axes, correction=correction, keepdim=keepdim))


@op(*[case(away_from_zero(*shape), p=p, **attributes) for (shape, attributes), p in
      zip(REDUCED, [2.0, 2.0, 1.0, 3.0, 2.0, 1.5, 2.0, 2.0, 1.0, 2.0, 4.0, 2.0])], case(spaced(4, 9), p="inf", axes=[1]),
    case(spaced(17), p="inf"), case(given([0, 0, 0]), p=2.0, differences=False),
    case(given([3e-30, 4e-30]), p=2.0, differences=False), case(given([3e30, -4e30]), p=2.0, differences=False),
    case(normal(0, 3), p=2.0, axes=[0]))
def norm(x, p, axes=None, keepdim=False):
    if x.numel() and not x.any():
        return (0 * x).sum()
    return torch.linalg.vector_norm(x, float(p), axes, keepdim)


@op(*[case(normal(*shape), **attributes) for shape, attributes in REDUCED], case(normal(4, 9, scale=40), axes=[1]),
    case(given([-1000, -1001, -1002]), differences=False))
def logsumexp(x, axes=None, keepdim=False):
    return torch.logsumexp(x, tuple(range(x.dim())) if axes is None else tuple(axes), keepdim)


op(*[case(away_from_zero(*shape), **attributes) for shape, attributes in REDUCED], case(given([2, 0, 3])),
   case(given([[2, 0, 3], [0, 0, 1], [1, 2, 4]]), axes=[1]), case(normal(0, 3), axes=[0]), name="prod")(
       one_by_one(torch.prod))


# Segments ------------------------------------------------------------------------------------------

SEGMENTS = [((1, 1), [0, 1]), ((7, 3), [0, 2, 7]), ((9, 8), [0, 0, 4, 4, 9]), ((9,), [0, 3, 9]), ((5, 2, 3), [0, 1, 2, 5]),
            ((17, 33), [0, 16, 17]), ((300, 2), [0, 299, 300]), ((4, 5), [1, 3]), ((6, 16), [0, 6]), ((3, 4), [0, 0, 0, 3]),
            ((40, 7), [0, 13, 14, 39, 40]), ((0, 4), [0, 0]), ((8, 9), [2, 2, 7])]


def by_segment(function):
    def reduce(x, offsets):
        parts = [function(x[a:b]) if b > a else x[:0].sum(0) for a, b in zip(offsets[:-1], offsets[1:])]
        return torch.stack(parts)
    return reduce


for name, function in [("sum", lambda x: x.sum(0)), ("mean", lambda x: x.mean(0)), ("max", lambda x: x.amax(0)),
                       ("min", lambda x: x.amin(0))]:
    op(*[case(normal(*shape), given(offsets, np.int64)) for shape, offsets in SEGMENTS], name="segment_" + name)(
        by_segment(function))


def bags(rows, width, count, offsets, weights=False, **attributes):
    more = [given(offsets, np.int64)] if offsets is not None else []
    sizes = count if isinstance(count, tuple) else (count,)
    return case(normal(rows, width), ids(rows, *sizes), *more, *([normal(*sizes)] if weights else []), **attributes)


@op(bags(1, 1, 1, [0], mode="sum"), bags(9, 7, 12, [0, 3, 3, 10], mode="sum"), bags(9, 7, 12, [0, 3, 3, 10], mode="mean"),
    bags(9, 7, 12, [0, 3, 3, 10], mode="max"), bags(5, 16, (4, 3), None, mode="mean"), bags(5, 33, (3, 5), None, mode="sum"),
    bags(8, 9, 20, [0, 20], mode="sum", weights=True, last=True), bags(8, 9, 20, [0, 5, 11], mode="sum", weights=True),
    bags(3, 130, 6, [0, 2, 4], mode="mean"), bags(4, 8, 300, [0, 290], mode="sum"), bags(4, 5, 0, [0, 0], mode="mean"),
    bags(6, 8, 15, [0, 4, 9], mode="mean", padding=2), bags(6, 8, 15, [0, 4, 9], mode="sum", padding=0),
    bags(6, 8, (3, 6), None, mode="max", padding=1), bags(7, 3, (2, 4), None, mode="sum", weights=True))
def embedding_bag(weight, ids, offsets=None, scale=None, mode="mean", padding=None, last=False):
    if offsets is not None and offsets.dtype != torch.int64:
        offsets, scale = None, offsets
    return F.embedding_bag(ids, weight, offsets, mode=mode, per_sample_weights=scale, padding_idx=padding,
                           include_last_offset=last)
