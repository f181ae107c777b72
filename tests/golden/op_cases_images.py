"""More cases like those of op_cases.py: images taken apart and put together, and more ways to pad and to pool. Images are NHWC."""

import math

import torch
import torch.nn.functional as F

from op_cases import case, nchw, nhwc, normal, registry, spaced

OPS, op = registry()


WINDOWS = [((1, 1, 1, 1), dict(kernel=[1, 1])), ((1, 3, 3, 1), dict(kernel=[2, 2])), ((2, 4, 5, 3), dict(kernel=[3, 2])),
           ((1, 5, 5, 8), dict(kernel=[3, 3], padding=[1, 1])), ((2, 6, 4, 2), dict(kernel=[2, 2], stride=[2, 2])),
           ((1, 7, 7, 1), dict(kernel=[3, 3], dilation=[2, 2])), ((1, 7, 5, 2), dict(kernel=[2, 3], stride=[3, 1], padding=[0, 2])),
           ((1, 4, 4, 9), dict(kernel=[4, 4])), ((2, 3, 8, 1), dict(kernel=[1, 3], dilation=[1, 3])), ((1, 6, 6, 4), dict(kernel=[3, 3],
           stride=[2, 2], padding=[1, 1])), ((3, 2, 2, 2), dict(kernel=[2, 2], padding=[1, 0])), ((1, 9, 3, 17), dict(kernel=[2, 2]))]


@op(*[case(normal(*shape), **attributes) for shape, attributes in WINDOWS])
def unfold(x, kernel, dilation=1, padding=0, stride=1):
    return F.unfold(nchw(x), kernel, dilation, padding, stride).transpose(1, 2)


def count(size, kernel, padding, dilation, stride): return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def windows_of(shape, attributes):
    number = 1
    for axis in range(2):
        number *= count(shape[1 + axis], attributes["kernel"][axis], attributes.get("padding", [0, 0])[axis],
                        attributes.get("dilation", [1, 1])[axis], attributes.get("stride", [1, 1])[axis])
    return number


@op(*[case(normal(shape[0], windows_of(shape, attributes), shape[3] * attributes["kernel"][0] * attributes["kernel"][1]),
           output=list(shape[1:3]), **attributes) for shape, attributes in WINDOWS])
def fold(x, output, kernel, dilation=1, padding=0, stride=1):
    return nhwc(F.fold(x.transpose(1, 2), output, kernel, dilation, padding, stride))


@op(*[case(spaced(*shape), kernel=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
      for shape, kernel, stride, padding, dilation, ceil_mode in
      [((1, 5, 5, 1), 2, 2, 0, 1, True), ((2, 6, 7, 3), 3, 2, 0, 1, True), ((1, 7, 7, 8), 3, 2, 1, 1, True),
       ((1, 7, 7, 4), 2, 1, 0, 2, False), ((2, 9, 8, 3), 3, 2, 1, 2, False), ((1, 9, 9, 17), 2, 3, 1, 3, True),
       ((1, 4, 5, 2), 2, 3, 1, 1, True), ((3, 5, 5, 2), 3, 3, 1, 1, True), ((1, 8, 8, 1), 3, 2, 0, 3, False),
       ((1, 6, 6, 65), 2, 1, 1, 4, False), ((1, 3, 3, 2), 2, 2, 1, 1, True), ((2, 10, 3, 5), 2, 3, 0, 2, True),
       ((0, 5, 5, 2), 2, 2, 0, 1, True)]])
def max_pool_options(x, kernel, stride, padding, dilation, ceil_mode):
    y = F.max_pool2d(nchw(torch.cat([x, x.new_zeros(1, *x.shape[1:])])), kernel, stride, padding, dilation, ceil_mode)
    return nhwc(y)[:-1]


@op(*[case(normal(*shape), kernel=kernel, stride=stride, padding=padding, counted=counted)
      for shape, kernel, stride, padding in
      [((1, 5, 5, 1), 2, 2, 0), ((2, 6, 7, 3), 3, 2, 0), ((1, 7, 7, 8), 3, 2, 1), ((1, 4, 5, 2), 2, 3, 1), ((3, 5, 5, 2), 3, 3, 1),
       ((1, 3, 3, 2), 2, 2, 1), ((0, 5, 5, 2), 2, 2, 0)] for counted in [True, False]])
def avg_pool_options(x, kernel, stride, padding, counted):
    y = F.avg_pool2d(nchw(torch.cat([x, x.new_zeros(1, *x.shape[1:])])), kernel, stride, padding, True, counted)
    return nhwc(y)[:-1]


# Other paddings above and below, at the left and at the right.
SIDES = [((1, 5, 5, 1), 2, 2, [0, 1, 0, 1]), ((2, 6, 7, 3), 3, 2, [1, 0, 1, 0]), ((1, 7, 7, 8), 3, 2, [0, 1, 1, 0]),
         ((1, 4, 5, 2), 2, 1, [1, 0, 0, 1]), ((3, 5, 5, 2), 3, 3, [0, 1, 0, 0]), ((1, 3, 3, 2), 2, 2, [0, 1, 1, 1]),
         ((2, 4, 4, 17), 4, 1, [2, 1, 1, 2]), ((1, 8, 3, 4), 3, 1, [1, 1, 0, 1]), ((1, 1, 1, 3), 2, 1, [0, 1, 1, 0]),
         ((2, 9, 2, 1), 2, 3, [0, 0, 1, 0]), ((1, 6, 6, 5), 5, 2, [2, 0, 0, 2]), ((1, 2, 9, 33), 3, 2, [1, 0, 1, 1])]


def padded(x, sides, value):
    top, bottom, left, right = sides
    return F.pad(nchw(x), (left, right, top, bottom), value=value)


@op(*[case(spaced(*shape), kernel=kernel, stride=stride, sides=sides) for shape, kernel, stride, sides in SIDES])
def max_pool_sides(x, kernel, stride, sides):
    return nhwc(F.max_pool2d(padded(x, sides, -math.inf), kernel, stride))


@op(*[case(normal(*shape), kernel=kernel, stride=stride, sides=sides, counted=i % 2 == 0)
      for i, (shape, kernel, stride, sides) in enumerate(SIDES)])
def avg_pool_sides(x, kernel, stride, sides, counted):
    mean = lambda values: F.avg_pool2d(padded(values, sides, 0.0), kernel, stride)
    return nhwc(mean(x) if counted else mean(x) / mean(torch.ones_like(x)))


@op(*[case(normal(n, h, w, c), normal(out, c, kh, kw), normal(out), padding=padding, stride=stride)
      for n, h, w, c, out, kh, kw, padding, stride in
      [(1, 1, 1, 1, 1, 1, 1, [1, 0, 0, 0], 1), (1, 4, 4, 3, 2, 3, 3, [0, 1, 0, 1], 1), (2, 5, 4, 2, 3, 2, 2, [0, 1, 0, 1], 1),
       (1, 6, 6, 8, 4, 3, 3, [0, 1, 0, 1], 2), (1, 5, 5, 1, 2, 3, 3, [2, 0, 2, 0], 1), (2, 3, 7, 3, 5, 1, 3, [0, 0, 2, 0], 1),
       (1, 4, 4, 16, 9, 2, 2, [1, 0, 0, 1], 1), (1, 7, 3, 2, 2, 3, 2, [1, 2, 1, 0], 2), (3, 2, 2, 4, 3, 2, 2, [1, 0, 1, 0], 1),
       (1, 8, 8, 3, 2, 5, 5, [2, 1, 1, 2], 3), (1, 3, 3, 17, 1, 2, 2, [0, 1, 0, 1], 1), (2, 4, 5, 1, 1, 4, 1, [3, 0, 0, 0], 1)]])
def conv2d_padding(x, w, b, padding, stride):
    top, bottom, left, right = padding
    return nhwc(F.conv2d(F.pad(nchw(x), (left, right, top, bottom)), w, b, stride))
