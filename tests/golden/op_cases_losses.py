"""More cases like those of op_cases.py: losses, distributions, and weights that are normalized."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from op_cases import Input, away_from_zero, case, constant, given, ids, normal, positive, registry, spaced, uniform

OPS, op = registry()


SHAPES = [((1,), "mean"), ((7,), "mean"), ((16,), "sum"), ((33,), "none"), ((3, 5), "mean"), ((3, 17), "none"), ((), "mean"),
          ((2, 3, 4), "sum"), ((0,), "sum"), ((31,), "mean"), ((2, 8), "none"), ((5, 9), "sum")]


def pairs(draw, target, *more, **attributes):
    return [case(draw(*shape), target(*shape), reduction=reduction, **attributes) for shape, reduction in SHAPES] + list(more)


def apart(*shape): return Input(lambda rng: rng.integers(-6, 7, shape) * 0.5)


def between(*shape): return Input(lambda rng: rng.integers(-6, 7, shape) * 0.5 + 0.2)


def signs(*shape): return constant(Input(lambda rng: rng.choice([-1.0, 1.0], shape)))


def probability(*shape): return uniform(0.05, 0.95, *shape)


# Distances of numbers ------------------------------------------------------------------------------


@op(*pairs(apart, between, beta=1.0), case(apart(17), between(17), beta=0.25), case(apart(9), between(9), beta=0.0))
def smooth_l1_loss(x, t, beta, reduction="mean"): return F.smooth_l1_loss(x, t, beta=beta, reduction=reduction)


def summed(losses, reduction): return losses if reduction == "none" else getattr(losses, reduction)()


@op(*pairs(apart, between, quantile=0.9), case(apart(17), between(17), quantile=0.25))
def quantile_loss(x, t, quantile, reduction="mean"):
    return summed(torch.maximum(quantile * (t - x), (quantile - 1) * (t - x)), reduction)


@op(*pairs(normal, normal), case(normal(9, scale=50), normal(9)), case(given([1, 1.001, 0.98]), given([1, 1, 1])))
def log_cosh_loss(x, t, reduction="mean"):
    return summed(torch.log(torch.cosh(x - t)), reduction)


@op(*[case(normal(*shape), normal(*shape), positive(*shape), reduction=reduction) for shape, reduction in SHAPES],
    case(normal(5, 3), normal(5, 3), positive(3), full=True), case(normal(5, 3), normal(5, 3), positive(5, 1), eps=1.0))
def gaussian_nll_loss(x, t, variance, reduction="mean", full=False, eps=1e-6):
    v = variance.clamp(min=eps)
    return summed(0.5 * (torch.log(v) + (x - t) ** 2 / v) + (0.5 * math.log(2 * math.pi) if full else 0), reduction)


def counts(*shape): return constant(Input(lambda rng: rng.integers(0, 6, shape)))


@op(*pairs(normal, counts), case(positive(17), counts(17), log_input=False), case(normal(17), counts(17), full=True),
    case(positive(9), counts(9), log_input=False, full=True, eps=1e-3))
def poisson_nll_loss(x, t, reduction="mean", log_input=True, full=False, eps=1e-8):
    return F.poisson_nll_loss(x, t, log_input, full, eps=eps, reduction=reduction)


# Probabilities -------------------------------------------------------------------------------------

ROWS = [((1,), 2, {}), ((7,), 3, {}), ((33,), 5, dict(reduction="sum")), ((5,), 9, dict(reduction="none")), ((2, 3), 4, {}),
        ((2, 3), 7, dict(reduction="none")), ((16,), 17, {}), ((0,), 3, dict(reduction="sum")), ((40,), 2, {}), ((), 6, {})]


@op(*[case(normal(*shape, classes), ids(classes, *shape), **attributes) for shape, classes, attributes in ROWS],
    case(normal(5, 3), ids(3, 5), constant(positive(3))), case(normal(2, 4, 3), ids(3, 2, 4), constant(positive(3)), reduction="none"),
    case(normal(5, 3), given([0, -100, 2, -100, 1], np.int64)),
    case(normal(5, 3), given([0, 2, 2, 1, 1], np.int64), constant(positive(3)), ignore_index=2))
def nll_loss(x, labels, weight=None, reduction="mean", ignore_index=-100):
    y = F.nll_loss(x.reshape(-1, x.shape[-1]), labels.reshape(-1), weight, reduction=reduction, ignore_index=ignore_index)
    return y.reshape(labels.shape) if reduction == "none" else y


@op(*[case(normal(*shape), probability(*shape), reduction=reduction) for shape in [(7,), (3, 5), (2, 3, 4)]
      for reduction in ["batchmean", "mean", "sum", "none"]], case(normal(4, 3), normal(4, 3), log_target=True, reduction="batchmean"),
    case(normal(4), constant(given([0, 0.5, 0.5, 0])), reduction="sum", differences=False), case(normal(9, 2), normal(9, 2), log_target=True,
    reduction="none"))
def kl_div(x, t, reduction, log_target=False): return F.kl_div(x, t, reduction=reduction, log_target=log_target)


@op(*pairs(probability, probability), case(probability(5, 3), probability(5, 3), constant(positive(3))),
    case(given([0.001, 0.999, 0.5]), given([0, 1, 1]), differences=False, reduction="sum"))
def binary_cross_entropy(x, t, weight=None, reduction="mean"):
    if weight is not None:
        weight = weight.expand_as(x)
    return F.binary_cross_entropy(x, t, weight, reduction=reduction)


@op(*[case(normal(*shape), probability(*shape), constant(positive(shape[-1])), reduction=reduction)
      for shape, reduction in SHAPES if shape], case(normal(5, 3, scale=30), probability(5, 3), constant(positive(1))),
    case(normal(5, 3), probability(5, 3), constant(positive(3)), constant(positive(5, 1))))
def bce_weights(x, t, pos_weight, weight=None, reduction="mean"):
    return F.binary_cross_entropy_with_logits(x, t, weight, pos_weight=pos_weight, reduction=reduction)


@op(*pairs(normal, probability, alpha=0.25, gamma=2.0), case(normal(9), probability(9), alpha=-1.0, gamma=2.0),
    case(normal(9), probability(9), alpha=0.7, gamma=1.5))
def focal_loss(x, t, alpha, gamma, reduction="mean"):
    p = torch.sigmoid(x)
    losses = F.binary_cross_entropy_with_logits(x, t, reduction="none") * (p + t - 2 * p * t) ** gamma
    return summed(losses * (alpha * t + (1 - alpha) * (1 - t) if alpha >= 0 else 1), reduction)


# Distances and angles of vectors -------------------------------------------------------------------

VECTORS = [((1, 2), -1), ((3, 7), -1), ((3, 7), 0), ((2, 3, 4), 1), ((2, 3, 4), -1), ((5, 16), 1), ((33, 2), 1), ((9,), 0),
           ((2, 2, 5, 3), 2), ((17, 3), 0), ((4, 31), 1), ((0, 3), 1)]


@op(*[case(away_from_zero(*shape), axis=axis, p=p) for (shape, axis), p in zip(VECTORS, [2.0] * 9 + [1.0, 3.0, 2.0])],
    case(given([[0, 0], [3, 4]]), axis=1, p=2.0, differences=False))
def normalize(x, axis, p): return F.normalize(x, p, axis)


@op(*[case(away_from_zero(*shape), normal(*shape), axis=axis) for shape, axis in VECTORS],
    case(normal(3, 5), normal(5), axis=-1), case(normal(4, 1, 5), normal(3, 5), axis=2))
def cosine_similarity(a, b, axis): return F.cosine_similarity(a, b, axis)


@op(*[case(normal(*shape), normal(*shape), p=p) for (shape, axis), p in zip(VECTORS[:11], [2.0] * 8 + [1.0, 3.0, 2.0])],
    case(normal(3, 5), normal(5), p=2.0), case(normal(3, 5), normal(3, 5), p=2.0, keepdim=True))
def pairwise_distance(a, b, p, keepdim=False): return F.pairwise_distance(a, b, p, keepdim=keepdim)


BATCHES = [(1, 1, {}), (2, 7, {}), (5, 3, dict(reduction="sum")), (9, 16, dict(reduction="none")), (33, 2, {}), (4, 17, {}),
           (3, 31, dict(reduction="sum")), (8, 8, dict(reduction="none")), (1, 33, {}), (16, 5, {}), (2, 64, {}), (7, 9, {})]


@op(*[case(away_from_zero(n, d), normal(n, d), signs(n), margin=0.2, **attributes) for n, d, attributes in BATCHES])
def cosine_embedding_loss(a, b, y, margin, reduction="mean"):
    return F.cosine_embedding_loss(a, b, y, margin, reduction=reduction)


@op(*[case(apart(*shape), between(*shape), signs(*shape), reduction=reduction, margin=0.6) for shape, reduction in SHAPES])
def margin_ranking_loss(a, b, y, margin, reduction="mean"):
    return F.margin_ranking_loss(a, b, y, margin, reduction=reduction)


@op(*[case(between(*shape), signs(*shape), reduction=reduction, margin=1.0) for shape, reduction in SHAPES],
    case(between(9), signs(9), margin=2.0))
def hinge_embedding_loss(x, y, margin, reduction="mean"): return F.hinge_embedding_loss(x, y, margin, reduction=reduction)


@op(*[case(normal(*shape), signs(*shape), reduction=reduction) for shape, reduction in SHAPES])
def soft_margin_loss(x, y, reduction="mean"): return F.soft_margin_loss(x, y, reduction=reduction)


@op(*[case(apart(n, d), ids(d, n), margin=0.7, p=1 + i % 2, **attributes) for i, (n, d, attributes) in enumerate(BATCHES)],
    name="multi_margin_loss")
def multi_margin_loss(x, labels, margin, p, reduction="mean"):
    return F.multi_margin_loss(x, labels, p, margin, reduction=reduction)


@op(*[case(normal(n, d), normal(n, d), normal(n, d), margin=1.0, p=2.0, swap=bool(i % 3 == 2), **attributes)
      for i, (n, d, attributes) in enumerate(BATCHES)], case(normal(5, 4), normal(5, 4), normal(5, 4), margin=0.5, p=1.0, swap=False))
def triplet_margin_loss(a, b, c, margin, p, swap, reduction="mean"):
    return F.triplet_margin_loss(a, b, c, margin, p, swap=swap, reduction=reduction)


# Sequences -----------------------------------------------------------------------------------------


def sequences(n, steps, classes, targets, inputs=None, **attributes):
    """Targets as rows of a matrix, or one after the other when "flat"."""
    longest = max(len(target) for target in targets)
    flat = attributes.pop("flat", False)
    rows = sum(targets, []) if flat else [target + [0] * (longest - len(target)) for target in targets]
    return case(normal(n, steps, classes), given(rows, np.int64), given(inputs or [steps] * n, np.int64),
                given([len(target) for target in targets], np.int64), **attributes)


@op(sequences(1, 1, 2, [[1]]), sequences(1, 5, 3, [[1, 2]]), sequences(1, 5, 3, [[1, 1]]), sequences(2, 7, 5, [[1, 2, 2], [4]]),
    sequences(2, 7, 5, [[1, 2, 2], [4]], [6, 3], reduction="sum"), sequences(3, 9, 4, [[1, 2, 3, 1], [], [3, 3]], reduction="none"),
    sequences(2, 6, 4, [[0, 1], [2]], blank=3), sequences(3, 8, 5, [[1, 2], [4, 4, 1], [3]], [8, 7, 2], flat=True),
    sequences(2, 4, 3, [[1, 1, 1], [2]], zero_infinity=True), sequences(2, 4, 3, [[1, 1, 1], [2, 1]], zero_infinity=True,
    reduction="none"), sequences(4, 12, 9, [[1, 2, 3, 4, 5], [8, 8, 7], [6], [1, 3, 5, 7]]), sequences(1, 3, 7, [[5, 6, 5]]),
    sequences(2, 10, 33, [[31, 32, 31, 1], [7, 7, 7]], [10, 9]))
def ctc_loss(x, targets, inputs, lengths, blank=0, reduction="mean", zero_infinity=False):
    return F.ctc_loss(F.log_softmax(x, -1).transpose(0, 1), targets, inputs, lengths, blank, reduction, zero_infinity)


# Distributions -------------------------------------------------------------------------------------

PAIRED = [((1,), (1,)), ((7,), (7,)), ((16,), ()), ((3, 5), (5,)), ((3, 5), (3, 1)), ((2, 3, 4), (3, 4)), ((), ()), ((33,), (1,)),
          ((0, 3), (3,)), ((4, 17), (17,)), ((5,), (5,)), ((2, 9), (2, 9))]


@op(*[case(normal(*shape), normal(*other), positive(*other)) for shape, other in PAIRED])
def normal_log_prob(x, mean, deviation): return torch.distributions.Normal(mean, deviation).log_prob(x)


@op(*[case(uniform(-0.95, 0.95, *shape), normal(*other), positive(*other)) for shape, other in PAIRED])
def tanh_normal_log_prob(x, mean, deviation):
    before = torch.atanh(x)
    return torch.distributions.Normal(mean, deviation).log_prob(before) - torch.log(1 - x * x)


@op(*[case(constant(normal(*shape)), positive(*other)) for shape, other in PAIRED])
def normal_entropy(mean, deviation): return torch.distributions.Normal(*torch.broadcast_tensors(mean, deviation)).entropy()


@op(*[case(normal(*shape), positive(*shape), normal(*other), positive(*other)) for shape, other in PAIRED])
def normal_kl(a, b, c, d):
    N = torch.distributions.Normal
    return torch.distributions.kl_divergence(N(a, b), N(c, d))


CHOICES = [((), 2), ((1,), 3), ((7,), 5), ((3, 4), 9), ((16,), 17), ((6,), 4), ((2, 2, 3), 6), ((33,), 2), ((5,), 31), ((4, 1), 8),
           ((9,), 7), ((2,), 64)]


@op(*[case(normal(*shape, classes), ids(classes, *shape)) for shape, classes in CHOICES], case(normal(5, 3), ids(3, 4, 5)),
    case(normal(2, 5, 3), ids(3, 5)))
def categorical_log_prob(logits, x): return torch.distributions.Categorical(logits=logits).log_prob(x)


@op(*[case(normal(*shape, classes)) for shape, classes in CHOICES])
def categorical_entropy(logits): return torch.distributions.Categorical(logits=logits).entropy()


@op(*[case(normal(*shape, classes), normal(*shape, classes)) for shape, classes in CHOICES])
def categorical_kl(a, b):
    C = torch.distributions.Categorical
    return torch.distributions.kl_divergence(C(logits=a), C(logits=b))


@op(*[case(normal(*other), constant(Input(lambda rng, shape=shape: rng.integers(0, 2, shape)))) for shape, other in PAIRED])
def bernoulli_log_prob(logits, x): return torch.distributions.Bernoulli(logits=logits).log_prob(x)


@op(*[case(normal(*shape, scale=2)) for shape, _ in PAIRED])
def bernoulli_entropy(logits): return torch.distributions.Bernoulli(logits=logits).entropy()


@op(*[case(normal(*shape), normal(*other)) for shape, other in PAIRED])
def bernoulli_kl(a, b):
    B = torch.distributions.Bernoulli
    a, b = torch.broadcast_tensors(a, b)  # which PyTorch's does not do here
    return torch.distributions.kl_divergence(B(logits=a), B(logits=b))


# Weights -------------------------------------------------------------------------------------------

WEIGHTS = [((2, 3), 0), ((3, 2), 1), ((4, 7), 0), ((5, 2, 3, 3), 0), ((5, 2, 3, 3), 1), ((16, 9), 0), ((17, 33), 0), ((3, 4, 5), 2),
           ((1, 8), 0), ((31, 2), 0), ((2, 1, 2, 2), 0), ((6, 16), -1)]


@op(*[case(away_from_zero(*shape), normal(*[n if i == axis % len(shape) else 1 for i, n in enumerate(shape)]), axis=axis)
      for shape, axis in WEIGHTS])
def weight_norm(v, g, axis):
    return v * (g / torch.linalg.vector_norm(v, 2, [i for i in range(v.dim()) if i != axis % v.dim()], keepdim=True))


@op(*[case(normal(*shape), constant(uniform(0.2, 1, shape[0])), constant(uniform(0.2, 1, int(np.prod(shape[1:]))))) for shape, _ in WEIGHTS])
def spectral_norm(w, u, v): return w / (u @ (w.flatten(1) @ v))
