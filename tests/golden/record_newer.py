#!/usr/bin/env python3
"""Records optim_newer.json: optimizers and schedules of current packages, in float64.

    python3 -m venv venv && venv/bin/pip install torch numpy schedulefree prodigyopt pytorch-optimizer timm
    venv/bin/python tests/golden/record_newer.py            # writes optim_newer.json beside this file
    venv/bin/python tests/golden/record_newer.py --check    # compares instead
"""

import importlib.metadata
import importlib.util
import json
import math
import pathlib
import sys
import types

import numpy as np
import prodigyopt
import pytorch_optimizer
import schedulefree
import torch
from torch.optim import lr_scheduler as sched

FILE = pathlib.Path(__file__).with_name("optim_newer.json")


def optimizer_of(lr=1.0):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)


SCHEDULES = {
    "CosineAnnealingLR(5), 20 epochs": (lambda o: sched.CosineAnnealingLR(o, 5, eta_min=0.1), "lr"),
    "CyclicLR(.1,1,up=4,exp_range,gamma=.9)": (lambda o: sched.CyclicLR(
        o, 0.1, 1.0, step_size_up=4, mode="exp_range", gamma=0.9, cycle_momentum=False), "lr"),
    "CyclicLR momentum(.8,.95,up=4)": (lambda o: sched.CyclicLR(
        o, 0.1, 1.0, step_size_up=4, base_momentum=0.8, max_momentum=0.95), "momentum"),
    "OneCycleLR(max=1,total=17,linear)": (lambda o: sched.OneCycleLR(
        o, 1.0, total_steps=17, anneal_strategy="linear"), "lr"),
    "OneCycleLR momentum(total=17)": (lambda o: sched.OneCycleLR(o, 1.0, total_steps=17), "momentum"),
}


def values(make, what, count=17):
    optimizer = optimizer_of()
    scheduler = make(optimizer)
    result = []
    for k in range(count):
        result.append(optimizer.param_groups[0][what])
        optimizer.step()
        if k + 1 < count:
            scheduler.step()
    return result


USUAL = dict(factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel", cooldown=0, mode="min", min_lr=0.0)
PLATEAU = {
    "steps of 1/1.01": (0.5, dict(patience=2, cooldown=0), [10 - i * 0.01672 for i in range(20)]),
    "absolute threshold": (0.5, dict(patience=5, threshold_mode="abs", threshold=0.1),
                           [2 - 0.05 * i for i in range(22)]),
    "absolute threshold, max": (0.5, dict(patience=5, mode="max", threshold_mode="abs", threshold=0.1, cooldown=2),
                                [0.05 * i for i in range(30)]),
    "min_lr near": (0.5, dict(patience=5, threshold=0.1, min_lr=0.4, mode="max"), [1.5 * 0.99**i for i in range(20)]),
    "min_lr 0.3": (0.5, dict(patience=1, factor=0.7, min_lr=0.3), [1.0] * 20),
    "eps": (1e-6, dict(patience=0, factor=0.1), [1.0] * 12),
    "wave": (1.0, dict(patience=1, factor=0.5, cooldown=1, min_lr=0.01), [2 + math.sin(i) for i in range(60)]),
}


def plateau(lr, options, metrics):
    args = {**USUAL, **options}
    optimizer = optimizer_of(lr)
    scheduler = sched.ReduceLROnPlateau(optimizer, **args)
    rates = []
    for metric in metrics:
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step(metric)
    return {"lr": lr, "args": args, "metrics": metrics, "rates": rates}


# Optimizers ---------------------------------------------------------------------------------------------------------

# A tall matrix, a wide one, a vector. All numbers are multiples of 2^-10, which are exact in float.
SHAPES = [(6, 4), (3, 8), (5,)]
STEPS = 20
RECORDED = (1, 2, 3, 5, 10, 20)  # after so many steps


def draw(random):
    return [np.round(random.standard_normal(shape) * 1024) / 1024 for shape in SHAPES]


def inputs():
    random = np.random.default_rng(11)
    return draw(random), [draw(random) for _ in range(STEPS)]


def timm(module):
    """Imports a single module of timm, as the whole package needs torchvision."""
    origin = pathlib.Path(importlib.util.find_spec("timm").origin).parent / "optim"
    package = types.ModuleType("timm_optim")
    package.__path__ = [str(origin)]
    sys.modules["timm_optim"] = package
    return importlib.import_module(f"timm_optim.{module}")


def trajectory(make, before=lambda parameters: None):
    p0, gradients = inputs()
    parameters = [torch.nn.Parameter(torch.tensor(p)) for p in p0]
    optimizer = make(parameters)
    result = []
    for step in range(STEPS):
        for p, g in zip(parameters, gradients[step]):
            p.grad = torch.tensor(g)
        before(parameters)
        optimizer.step()
        if step + 1 in RECORDED:
            result.append([p.detach().ravel().tolist() for p in parameters])
    return result


def evaluated(make):
    """The weights that Schedule-Free evaluates with, after every step."""
    p0, gradients = inputs()
    parameters = [torch.nn.Parameter(torch.tensor(p)) for p in p0]
    optimizer = make(parameters)
    optimizer.train()
    result = []
    for step in range(STEPS):
        for p, g in zip(parameters, gradients[step]):
            p.grad = torch.tensor(g)
        optimizer.step()
        optimizer.eval()
        if step + 1 in RECORDED:
            result.append([p.detach().ravel().tolist() for p in parameters])
        optimizer.train()
    return result


def schedule_free(make):
    def started(parameters):
        optimizer = make(parameters)
        optimizer.train()
        return optimizer
    return trajectory(started)


class Formula:
    """An optimizer written out in numpy: update(t, index, p, g) gives the new p."""

    def __init__(self, parameters, update):
        self.parameters, self.update, self.t = parameters, update, 0

    def step(self):
        self.t += 1
        with torch.no_grad():
            for i, p in enumerate(self.parameters):
                p.copy_(torch.tensor(self.update(self.t, i, p.numpy().copy(), p.grad.numpy())))


def cautious_adamw(lr, beta1, beta2, weight_decay, masks_steps=False, masks_decay=False):
    """Liang et al. (2024): AdamW that updates only where step and gradient have the same sign. Chen et al. (2025): decay only
    where step and weight have the same sign."""
    m, v = [0.0] * len(SHAPES), [0.0] * len(SHAPES)

    def update(t, i, p, g):
        m[i] = beta1 * m[i] + (1 - beta1) * g
        v[i] = beta2 * v[i] + (1 - beta2) * g * g
        u = m[i] / (1 - beta1**t) / (np.sqrt(v[i] / (1 - beta2**t)) + 1e-8)
        shrinks = (u * p > 0) if masks_decay else 1.0
        if masks_steps:
            mask = u * g > 0
            u = u * mask * (mask.size / (mask.sum() + 1))
        return p - lr * u - lr * weight_decay * p * shrinks
    return lambda parameters: Formula(parameters, update)


def cautious_lion(lr, beta1, beta2, weight_decay):
    m = [0.0] * len(SHAPES)

    def update(t, i, p, g):
        u = np.sign(beta1 * m[i] + (1 - beta1) * g)
        m[i] = beta2 * m[i] + (1 - beta2) * g
        mask = u * g > 0
        u = u * mask * (mask.size / (mask.sum() + 1))
        return p - lr * u - lr * weight_decay * p
    return lambda parameters: Formula(parameters, update)


def cautious_sgd(lr, momentum, weight_decay):
    buffer = [None] * len(SHAPES)

    def update(t, i, p, g):
        buffer[i] = g if t == 1 else momentum * buffer[i] + g
        mask = buffer[i] * g > 0
        u = buffer[i] * mask * (mask.size / (mask.sum() + 1))
        return p - lr * u - lr * weight_decay * p * (buffer[i] * p > 0)
    return lambda parameters: Formula(parameters, update)


def prodigy(**options):
    """Uses gradients of mostly one direction, as Prodigy estimates a distance; the estimate is recorded too."""
    p0, gradients = inputs()
    parameters = [torch.nn.Parameter(torch.tensor(p)) for p in p0]
    optimizer = prodigyopt.Prodigy(parameters, **options)
    result = []
    for step in range(10):
        for i, p in enumerate(parameters):
            p.grad = torch.tensor(gradients[0][i] + gradients[step][i] / 8)
        optimizer.step()
        if step + 1 in RECORDED:
            result.append([optimizer.param_groups[0]["d"]] + [p.detach().ravel().tolist() for p in parameters])
    return result


def soap():
    """Records the first four rows of the first matrix: only of a square matrix are the bases unique, as one gradient does not
    determine the rest of the longer side. The package rounds what it decomposes to f32, which is left out here."""
    sys.modules["pytorch_optimizer.optimizer.soap"].torch = InDouble()
    p0, gradients = inputs()
    p = torch.nn.Parameter(torch.tensor(p0[0][:4]))
    optimizer = pytorch_optimizer.SOAP([p], lr=0.02, betas=(0.95, 0.9), shampoo_beta=0.8, weight_decay=0.01,
                                       precondition_frequency=3)
    result = []
    for step in range(STEPS):
        p.grad = torch.tensor(gradients[step][0][:4])
        optimizer.step()
        if step + 1 in RECORDED:
            result.append(p.detach().ravel().tolist())
    return result


def newton_schulz_exact(x):
    """Twelve steps of (2, -1.5, 0.5): singular values of 1."""
    x = x / (np.sqrt((x * x).sum()) + 1e-7)
    for _ in range(12):
        gram = x @ x.T
        x = 2.0 * x + (-1.5 * gram + 0.5 * (gram @ gram)) @ x
    return x


def normuon(lr, momentum, row_beta, weight_decay):
    """Li et al. (2025): normalizes rows if there are at least as many as columns, else columns; with AdamW's scale."""
    m, v = [0.0] * len(SHAPES), [0.0] * len(SHAPES)

    def update(t, i, p, g):
        if g.ndim < 2:
            return p
        m[i] = momentum * m[i] + (1 - momentum) * g
        o = newton_schulz_exact((1 - momentum) * g + momentum * m[i])
        axis = 1 if g.shape[0] >= g.shape[1] else 0
        v[i] = row_beta * v[i] + (1 - row_beta) * (o * o).mean(axis=axis, keepdims=True)
        n = o / np.sqrt(np.maximum(v[i], 1e-10))
        n = n * np.linalg.norm(o) / np.linalg.norm(n)
        return p - lr * weight_decay * p - lr * 0.2 * math.sqrt(max(g.shape)) * n
    return lambda parameters: Formula(parameters, update)


class InDouble:
    """The module torch, but for narrower numbers, which are double."""

    def __getattr__(self, name):
        return getattr(torch, "float64" if name in ("float32", "bfloat16") else name)


def muon(**options):
    """PyTorch's orthogonalizes in bf16, which is left out here. Without the vector, which it does not take."""
    sys.modules["torch.optim._muon"].torch = InDouble()
    p0, gradients = inputs()
    parameters = [torch.nn.Parameter(torch.tensor(p)) for p in p0[:2]]
    optimizer = torch.optim.Muon(parameters, **options)
    result = []
    for step in range(STEPS):
        for p, g in zip(parameters, gradients[step]):
            p.grad = torch.tensor(g)
        optimizer.step()
        if step + 1 in RECORDED:
            result.append([p.detach().ravel().tolist() for p in parameters])
    return result


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2).sum()


def regression(x):
    """Logistic, with a penalty: rows of the first matrices of five gradients, labels in turn."""
    rows = torch.tensor(np.concatenate([g[0] for g in inputs()[1][:5]]))
    labels = torch.tensor([(-1.0)**i for i in range(len(rows))], dtype=torch.float64)
    return torch.nn.functional.softplus(-labels * (rows @ x)).mean() + 0.05 * (x * x).sum()


def lbfgs(f, start, steps):
    """The weights after each line search."""
    p = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = torch.optim.LBFGS([p], max_iter=1, max_eval=100, history_size=10, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = f(p)
        loss.backward()
        return loss

    result = []
    for _ in range(steps):
        optimizer.step(closure)
        result.append(p.detach().tolist())
    return result


def lookahead(parameters):
    base = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
    return pytorch_optimizer.Lookahead(base, k=3, alpha=0.6, pullback_momentum="none")


def clip_adaptively(parameters):
    for p in parameters:
        p.grad = pytorch_optimizer.agc(p.detach(), p.grad, agc_eps=1e-3, agc_clip_val=0.3)


OPTIMIZERS = {
    "sgd": lambda: trajectory(lambda p: torch.optim.SGD(p, lr=0.05)),
    "sgd_momentum": lambda: trajectory(lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.5,
                                                                 weight_decay=0.01)),
    "sgd_nesterov": lambda: trajectory(lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True)),
    "sgdw": lambda: trajectory(lambda p: pytorch_optimizer.SGDW(p, lr=0.05, momentum=0.9, weight_decay=0.1,
                                                                weight_decouple=True, foreach=False)),
    "adam": lambda: trajectory(lambda p: torch.optim.Adam(p, lr=0.02, weight_decay=0.01)),
    "adam_amsgrad": lambda: trajectory(lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.9), amsgrad=True)),
    "adamw": lambda: trajectory(lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.1)),
    "nadam": lambda: trajectory(lambda p: torch.optim.NAdam(p, lr=0.02)),
    "radam": lambda: trajectory(lambda p: torch.optim.RAdam(p, lr=0.02)),
    "adamax": lambda: trajectory(lambda p: torch.optim.Adamax(p, lr=0.02)),
    "rmsprop": lambda: trajectory(lambda p: torch.optim.RMSprop(p, lr=0.01)),
    "rmsprop_centered": lambda: trajectory(lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True)),
    "adagrad": lambda: trajectory(lambda p: torch.optim.Adagrad(p, lr=0.1, weight_decay=0.01)),
    "lion": lambda: trajectory(lambda p: pytorch_optimizer.Lion(p, lr=0.01, weight_decay=0.1, weight_decouple=True,
                                                                foreach=False)),
    "lamb": lambda: trajectory(lambda p: timm("lamb").Lamb(p, lr=0.02, weight_decay=0.1, max_grad_norm=None, foreach=False)),
    "nadamw": lambda: trajectory(lambda p: timm("nadamw").NAdamW(p, lr=0.02, weight_decay=0.1)),
    "cautious_adamw": lambda: trajectory(cautious_adamw(0.02, 0.9, 0.999, 0.1, masks_steps=True)),
    "cautious_decay": lambda: trajectory(cautious_adamw(0.02, 0.9, 0.999, 0.5, masks_decay=True)),
    "cautious_lion": lambda: trajectory(cautious_lion(0.01, 0.9, 0.99, 0.1)),
    "cautious_sgdw": lambda: trajectory(cautious_sgd(0.02, 0.9, 0.5)),
    "ademamix": lambda: trajectory(lambda p: pytorch_optimizer.AdEMAMix(
        p, lr=0.01, betas=(0.9, 0.999, 0.999), alpha=5.0, weight_decay=0.1, eps=1e-8, weight_decouple=True,
        foreach=False)),
    "ademamix_warm": lambda: trajectory(lambda p: pytorch_optimizer.AdEMAMix(
        p, lr=0.01, betas=(0.9, 0.999, 0.9999), alpha=5.0, t_alpha_beta3=15, weight_decay=0.1, eps=1e-8,
        weight_decouple=True, foreach=False)),
    "adopt": lambda: trajectory(lambda p: pytorch_optimizer.ADOPT(
        p, lr=0.02, betas=(0.9, 0.99), weight_decay=0.0, eps=1e-6, clip_lambda=lambda t: (t - 1)**0.25, foreach=False)),
    "adopt_cautious": lambda: trajectory(lambda p: pytorch_optimizer.ADOPT(
        p, lr=0.02, betas=(0.9, 0.99), weight_decay=0.0, eps=1e-6, clip_lambda=lambda t: (t - 1)**0.25, cautious=True,
        foreach=False)),
    "adadelta": lambda: trajectory(lambda p: torch.optim.Adadelta(p, lr=0.5, rho=0.9, eps=1e-6, weight_decay=0.01)),
    "rprop": lambda: trajectory(lambda p: torch.optim.Rprop(p, lr=0.01, etas=(0.5, 1.2), step_sizes=(1e-3, 0.1))),
    "lars": lambda: trajectory(lambda p: pytorch_optimizer.LARS(
        p, lr=2.0, momentum=0.9, weight_decay=0.1, trust_coefficient=0.02, foreach=False)),
    "schedule_free": lambda: schedule_free(lambda p: schedulefree.AdamWScheduleFree(
        p, lr=0.05, betas=(0.9, 0.999), weight_decay=0.1, warmup_steps=5, foreach=False)),
    "schedule_free_x": lambda: evaluated(lambda p: schedulefree.AdamWScheduleFree(
        p, lr=0.05, betas=(0.9, 0.999), weight_decay=0.1, warmup_steps=5, foreach=False)),
    "schedule_free_sgd": lambda: schedule_free(lambda p: schedulefree.SGDScheduleFree(
        p, lr=0.2, momentum=0.9, weight_decay=0.1, warmup_steps=3, r=1.0, foreach=False)),
    "prodigy": lambda: prodigy(lr=1.0, d0=1e-3, weight_decay=0.01),
    "prodigy_growth": lambda: prodigy(lr=1.0, d0=1e-3, d_coef=16.0, growth_rate=1.5, use_bias_correction=True,
                                      safeguard_warmup=True),
    "soap": soap,
    "muon": lambda: muon(lr=0.02, momentum=0.9, weight_decay=0.1, adjust_lr_fn="original"),
    "muon_adamw": lambda: muon(lr=0.02, momentum=0.95, weight_decay=0.1, nesterov=False, adjust_lr_fn="match_rms_adamw"),
    "lbfgs_rosenbrock": lambda: lbfgs(rosenbrock, [-1.25, 1.0, -0.5, 0.75, 1.5, -1.0], 20),
    "lbfgs_regression": lambda: lbfgs(regression, [0.5, -1.0, 2.0, 1.5], 8),
    "normuon": lambda: trajectory(normuon(0.02, 0.9, 0.95, 0.1)),
    "lookahead": lambda: trajectory(lookahead),
    "adaptive_clip": lambda: trajectory(lambda p: torch.optim.SGD(p, lr=0.1), before=clip_adaptively),
}


def versions():
    return {name: importlib.metadata.version(name)
            for name in ("torch", "numpy", "schedulefree", "prodigyopt", "pytorch-optimizer", "timm")}


def flat(x):
    if isinstance(x, dict):
        return [v for key in sorted(x) for v in flat(x[key])]
    if isinstance(x, list):
        return [v for item in x for v in flat(item)]
    return [x]


def main():
    recorded = {
        "versions": {name: version.split("+")[0] for name, version in versions().items()},
        "schedules": {name: values(*case) for name, case in SCHEDULES.items()},
        "plateau": {name: plateau(*case) for name, case in PLATEAU.items()},
        "recorded": list(RECORDED),
        "p0": [x.ravel().tolist() for x in inputs()[0]],
        "grads": [[x.ravel().tolist() for x in gs] for gs in inputs()[1]],
        "optimizers": {name: record() for name, record in OPTIMIZERS.items()},
    }
    if "--check" not in sys.argv:
        lines = [f'"{name}": {json.dumps(part)}' for name, part in recorded.items() if name != "optimizers"]
        rows = [f' "{name}": {json.dumps(part)}' for name, part in recorded["optimizers"].items()]
        lines.append('"optimizers": {\n' + ",\n".join(rows) + "\n}")
        FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return
    there, here = json.loads(FILE.read_text()), json.loads(json.dumps(recorded))
    worst = 0.0
    for part in ("schedules", "plateau", "p0", "grads", "optimizers"):
        a, b = flat(there[part]), flat(here[part])
        assert len(a) == len(b), f"{part}: {len(a)} values in the file, {len(b)} here"
        worst = max([worst] + [abs(x - y) for x, y in zip(a, b) if isinstance(x, float)])
    print(f"largest difference {worst:.3g}")
    assert worst < 1e-12


main()
