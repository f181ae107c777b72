#!/usr/bin/python3
"""Records optim.json: optimizer trajectories and schedules of PyTorch in float64.

Needs Debian's python3-torch. Run with /usr/bin/python3 from anywhere; `--check` compares instead of writing.
"""
import json
import math
import pathlib
import sys
import warnings

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
    }
    if "--check" not in sys.argv:
        FILE.write_text(json.dumps(recorded, indent=1) + "\n")
        return
    there, here = json.loads(FILE.read_text()), json.loads(json.dumps(recorded))
    worst = 0.0
    for part in ("p0", "grads", "optimizers", "schedules"):
        a, b = flat(there[part]), flat(here[part])
        assert len(a) == len(b), f"{part}: {len(a)} values in the file, {len(b)} here"
        worst = max([worst] + [abs(x - y) for x, y in zip(a, b) if not isinstance(x, bool)])
    print(f"largest difference {worst:.3g}")
    assert worst < 1e-12


main()
