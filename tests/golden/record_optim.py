#!/usr/bin/python3
"""Records optim.json: optimizer trajectories and schedules of PyTorch in float64, long ones in float32. Muon and Adafactor,
which this PyTorch lacks, are written in numpy after their papers.

Needs Debian's python3-torch. Run with /usr/bin/python3 from anywhere; `--check` compares instead of writing.
"""
import json
import math
import pathlib
import sys
import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler as sched

warnings.filterwarnings("ignore")
torch.set_default_dtype(torch.float64)  # NAdam keeps its product of momenta in this type
FILE = pathlib.Path(__file__).with_name("optim.json")

P0 = [1.0, -2.0, 0.5, 3.0]
GRADS = [
    [0.1, -0.2, 1e-8, 5.0],
    [-0.3, 0.2, 0.0, -1.0],
    [0.05, 0.0, -1e-8, 2.0],
    [1.0, -1.0, 1e-3, 0.0],
    [-0.1, 0.4, 2e-8, -4.0],
    [0.2, 0.2, 0.2, 0.2],
]

OPTIMIZERS = {
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "sgd_l2": (torch.optim.SGD, dict(lr=0.1, weight_decay=0.01)),
    "sgd_mom": (torch.optim.SGD, dict(lr=0.1, momentum=0.9)),
    "sgd_mom_damp": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, dampening=0.5)),
    "sgd_nesterov_l2": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)),
    "sgd_maximize": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, maximize=True, weight_decay=0.01)),
    "adam": (torch.optim.Adam, dict(lr=0.01)),
    "adam_l2": (torch.optim.Adam, dict(lr=0.01, weight_decay=0.1)),
    "adam_amsgrad": (torch.optim.Adam, dict(lr=0.01, amsgrad=True)),
    "adam_maximize": (torch.optim.Adam, dict(lr=0.01, maximize=True)),
    "adamw": (torch.optim.AdamW, dict(lr=0.01, weight_decay=0.1)),
    "adamw_wd0": (torch.optim.AdamW, dict(lr=0.01, weight_decay=0)),
    "adamw_amsgrad": (torch.optim.AdamW, dict(lr=0.01, weight_decay=0.1, amsgrad=True)),
    "nadam": (torch.optim.NAdam, dict(lr=0.01)),
    "radam": (torch.optim.RAdam, dict(lr=0.01)),
    "adamax": (torch.optim.Adamax, dict(lr=0.01)),
    "rmsprop": (torch.optim.RMSprop, dict(lr=0.01)),
    "adagrad": (torch.optim.Adagrad, dict(lr=0.01)),
}


def trajectory(kind, args):
    p = torch.nn.Parameter(torch.tensor(P0, dtype=torch.float64))
    optimizer = kind([p], **args)
    result = []
    for g in GRADS:
        p.grad = torch.tensor(g, dtype=torch.float64)
        optimizer.step()
        result.append(p.detach().tolist())
    return result


class Numbers:
    """Numbers between -1 and 1 with magnitudes over six decades, the same on every machine and in the tests."""

    def __init__(self):
        self.state = 1

    def __call__(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return math.ldexp(float((self.state >> 40) - 2**23), -23 - (self.state >> 30) % 20)


LONG = {
    "adam_l2": (torch.optim.Adam, dict(lr=1e-3, weight_decay=0.01)),
    "adamw": (torch.optim.AdamW, dict(lr=1e-3, weight_decay=0.1)),
    "adamw_amsgrad": (torch.optim.AdamW, dict(lr=1e-3, weight_decay=0.1, amsgrad=True)),
    "sgd_nesterov_l2": (torch.optim.SGD, dict(lr=1e-3, momentum=0.9, nesterov=True, weight_decay=0.01)),
}


def after_long(kind, args, steps=1000, count=40):
    """PyTorch's parameters in float32 after many steps."""
    numbers = Numbers()
    p = torch.nn.Parameter(torch.tensor([numbers() for _ in range(count)], dtype=torch.float32))
    optimizer = kind([p], **args)
    for _ in range(steps):
        p.grad = torch.tensor([numbers() for _ in range(count)], dtype=torch.float32)
        optimizer.step()
    return p.detach().double().tolist()


# A wide and a tall weight, an embedding, a bias.
SHAPES = [(3, 5), (6, 2), (4, 3), (3,)]
MATRIX_STEPS = 6


def matrix_inputs():
    random = np.random.default_rng(7)

    def draw():
        return [np.round(random.standard_normal(shape), 3) for shape in SHAPES]
    return draw(), [draw() for _ in range(MATRIX_STEPS)]


def newton_schulz(g, steps=5):
    """Jordan et al. (2024): singular values near 1."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g / (np.sqrt((g * g).sum()) + 1e-7)
    if x.shape[0] > x.shape[1]:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x if g.shape[0] <= g.shape[1] else x.T


def muon(lr, momentum, weight_decay, nesterov, spectral, beta1=0.9, beta2=0.95, eps=1e-8, adamw_scale=1.0):
    p, gradients = matrix_inputs()
    first = [np.zeros_like(x) for x in p]
    second = [np.zeros_like(x) for x in p]
    result = []
    for t, gs in enumerate(gradients, 1):
        for i, g in enumerate(gs):
            if i < 2:
                first[i] = momentum * first[i] + (1 - momentum) * g
                way = newton_schulz((1 - momentum) * g + momentum * first[i] if nesterov else first[i])
                rows, columns = g.shape
                size = math.sqrt(max(1.0, rows / columns)) if spectral else 0.2 * math.sqrt(max(rows, columns))
                p[i] = p[i] - lr * weight_decay * p[i] - lr * size * way
            else:
                first[i] = beta1 * first[i] + (1 - beta1) * g
                second[i] = beta2 * second[i] + (1 - beta2) * g * g
                way = first[i] / (1 - beta1**t) / (np.sqrt(second[i] / (1 - beta2**t)) + eps)
                p[i] = p[i] - adamw_scale * lr * (weight_decay * p[i] + way)
        result.append([x.ravel().tolist() for x in p])
    return result


def adafactor(lr, relative_step, scale_parameter, beta1, weight_decay, clip_threshold=1.0):
    """Shazeer, Stern (2018), algorithms 4 and 5; the momentum over scaled updates as in their code."""
    p, gradients = matrix_inputs()
    rows, columns, full = {}, {}, {}
    momentum = [np.zeros_like(x) for x in p]
    result = []
    for t, gs in enumerate(gradients, 1):
        keep = 1 - t**-0.8
        for i, g in enumerate(gs):
            square = g * g + 1e-30
            if g.ndim == 2:
                rows[i] = keep * rows.get(i, 0.0) + (1 - keep) * square.mean(axis=1)
                columns[i] = keep * columns.get(i, 0.0) + (1 - keep) * square.mean(axis=0)
                second = np.outer(rows[i], columns[i]) / rows[i].mean()
            else:
                second = full[i] = keep * full.get(i, 0.0) + (1 - keep) * square
            update = g / np.sqrt(second)
            update = update / max(1.0, np.sqrt((update * update).mean()) / clip_threshold)
            rate = min(lr, 1 / math.sqrt(t)) if relative_step else lr
            if scale_parameter:
                rate *= max(1e-3, np.sqrt((p[i] * p[i]).mean()))
            momentum[i] = beta1 * momentum[i] + (1 - beta1) * rate * update
            p[i] = p[i] - lr * weight_decay * p[i] - momentum[i]
        result.append([x.ravel().tolist() for x in p])
    return result


MATRICES = {
    "muon": (muon, dict(lr=0.02, momentum=0.95, weight_decay=0.1, nesterov=True, spectral=False)),
    "muon_spectral": (muon, dict(lr=0.02, momentum=0.9, weight_decay=0.0, nesterov=False, spectral=True,
                                 adamw_scale=0.1)),
    "adafactor": (adafactor, dict(lr=1e-2, relative_step=True, scale_parameter=True, beta1=0.0, weight_decay=0.0)),
    "adafactor_relative": (adafactor, dict(lr=0.6, relative_step=True, scale_parameter=False, beta1=0.0,
                                           weight_decay=0.0, clip_threshold=0.7)),
    "adafactor_momentum": (adafactor, dict(lr=0.05, relative_step=False, scale_parameter=False, beta1=0.9,
                                           weight_decay=0.1)),
}


def hf_linear(warm, total):
    return lambda k: k / max(1, warm) if k < warm else max(0.0, (total - k) / max(1, total - warm))


def hf_cosine(warm, total, cycles=0.5):
    def at(k):
        if k < warm:
            return k / max(1, warm)
        progress = (k - warm) / max(1, total - warm)
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * cycles * 2.0 * progress)))

    return at


SCHEDULES = {
    "LinearLR(0.25,total=4)": lambda o: sched.LinearLR(o, 0.25, total_iters=4),
    "LinearLR(1/4,total=3)==blog n=4": lambda o: sched.LinearLR(o, 0.25, total_iters=3),
    "HF linear w4 T10": lambda o: sched.LambdaLR(o, hf_linear(4, 10)),
    "HF cosine w4 T10": lambda o: sched.LambdaLR(o, hf_cosine(4, 10)),
    "CosineAnnealingLR(10,eta_min=.1)": lambda o: sched.CosineAnnealingLR(o, 10, eta_min=0.1),
    "CAWR(4,2,eta_min=.1)": lambda o: sched.CosineAnnealingWarmRestarts(o, 4, 2, eta_min=0.1),
    "StepLR(3,.5)": lambda o: sched.StepLR(o, 3, 0.5),
    "MultiStepLR([2,5,5],.1)": lambda o: sched.MultiStepLR(o, [2, 5, 5], 0.1),
    "ExponentialLR(.9)": lambda o: sched.ExponentialLR(o, 0.9),
    "PolynomialLR(8,2)": lambda o: sched.PolynomialLR(o, 8, 2),
    "ConstantLR(.5,3)": lambda o: sched.ConstantLR(o, 0.5, 3),
    "Seq[Linear(.25,4),Cosine(6)]@4": lambda o: sched.SequentialLR(
        o, [sched.LinearLR(o, 0.25, total_iters=4), sched.CosineAnnealingLR(o, 6)], [4]),
    "Chained[Constant(.1,3),Exp(.9)]": lambda o: sched.ChainedScheduler(
        [sched.ConstantLR(o, 0.1, 3), sched.ExponentialLR(o, 0.9)]),
    "OneCycleLR(max=1,total=17)": lambda o: sched.OneCycleLR(o, 1.0, total_steps=17),
    "CyclicLR(.1,1,up=4)": lambda o: sched.CyclicLR(o, 0.1, 1.0, step_size_up=4, cycle_momentum=False),
}


def values(make, count=16):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    scheduler = make(optimizer)
    result = []
    for _ in range(count):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return result


def flat(x):
    if isinstance(x, dict):
        return [v for key in sorted(x) for v in flat(x[key])]
    if isinstance(x, list):
        return [v for item in x for v in flat(item)]
    return [x]


def main():
    recorded = {
        "torch": torch.__version__,
        "p0": P0,
        "grads": GRADS,
        "optimizers": {name: {"args": args, "trajectory": trajectory(kind, args)}
                       for name, (kind, args) in OPTIMIZERS.items()},
        "schedules": {name: values(make) for name, make in SCHEDULES.items()},
        "long": {name: after_long(kind, args) for name, (kind, args) in LONG.items()},
        "matrix_p0": [x.ravel().tolist() for x in matrix_inputs()[0]],
        "matrix_grads": [[x.ravel().tolist() for x in gs] for gs in matrix_inputs()[1]],
        "matrices": {name: {"args": args, "trajectory": kind(**args)} for name, (kind, args) in MATRICES.items()},
    }
    if "--check" not in sys.argv:
        FILE.write_text(json.dumps(recorded, indent=1) + "\n")
        return
    there, here = json.loads(FILE.read_text()), json.loads(json.dumps(recorded))
    worst = 0.0
    for part in ("p0", "grads", "optimizers", "schedules", "long", "matrix_p0", "matrix_grads", "matrices"):
        a, b = flat(there[part]), flat(here[part])
        assert len(a) == len(b), f"{part}: {len(a)} values in the file, {len(b)} here"
        worst = max([worst] + [abs(x - y) for x, y in zip(a, b) if not isinstance(x, bool)])
    print(f"largest difference {worst:.3g}")
    assert worst < 1e-12


main()
