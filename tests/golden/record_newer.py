#!/usr/bin/env python3
"""Records optim_newer.json: schedules and Plateau of today's PyTorch (2.x, by pip), which has what 1.13 lacks.

    python3 -m venv venv && venv/bin/pip install torch
    venv/bin/python tests/golden/record_newer.py            # writes optim_newer.json beside this file
    venv/bin/python tests/golden/record_newer.py --check    # compares instead
"""

import json
import math
import pathlib
import sys

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


def flat(x):
    if isinstance(x, dict):
        return [v for key in sorted(x) for v in flat(x[key])]
    if isinstance(x, list):
        return [v for item in x for v in flat(item)]
    return [x]


def main():
    recorded = {
        "torch": torch.__version__.split("+")[0],
        "schedules": {name: values(*case) for name, case in SCHEDULES.items()},
        "plateau": {name: plateau(*case) for name, case in PLATEAU.items()},
    }
    if "--check" not in sys.argv:
        FILE.write_text(json.dumps(recorded, indent=1) + "\n")
        return
    there, here = json.loads(FILE.read_text()), json.loads(json.dumps(recorded))
    worst = 0.0
    for part in ("schedules", "plateau"):
        a, b = flat(there[part]), flat(here[part])
        assert len(a) == len(b), f"{part}: {len(a)} values in the file, {len(b)} here"
        worst = max([worst] + [abs(x - y) for x, y in zip(a, b) if isinstance(x, float)])
    print(f"largest difference {worst:.3g}")
    assert worst < 1e-12


main()
