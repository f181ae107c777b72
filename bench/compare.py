"""Times Temper and LibTorch in turns. A workload is a pair of programs with the same shapes, optimizer and loss."""

import itertools
import json
import os
import pathlib
import statistics
import sys

def transformer(**sizes):
    return [word for name, size in sizes.items() for word in (f"--{name}", str(size))]


# name: (program, arguments, has convolutions, {dtype of Temper: lower bound of LibTorch's f32 time / Temper's}).
WORKLOADS = {
    "mlp-64": ("mlp", ["--batch", "64"], False, {"f32": 2.5}),
    "mlp-512": ("mlp", ["--batch", "512"], False, {"f32": 1.5}),
    "cnn-64": ("cnn", ["--batch", "64"], True, {"f32": 2.2}),
    "resnet20-64": ("resnet", ["--batch", "64"], True, {"f32": 1.4, "bf16": 2.0}),
    "gpt-4x128": ("gpt", transformer(layers=4, width=128, heads=4, vocabulary=65, context=64, batch=12), False,
                  {"f32": 1.8}),
    "gpt-6x384": ("gpt", transformer(layers=6, width=384, heads=6, vocabulary=8192, context=256, batch=8), False,
                  {"f32": 1.5, "bf16": 2.3}),
    "gpt2-124m": ("gpt", transformer(layers=12, width=768, heads=12, vocabulary=50257, context=64, batch=4), False,
                  {"f32": 1.9, "bf16": 2.8}),
    "bert-6x384": ("bert", transformer(layers=6, width=384, heads=6, vocabulary=8192, context=128, batch=16), False,
                   {"f32": 1.4, "bf16": 2.1}),
}

# Largest relative difference of the losses of the first steps.
LOSS_TOLERANCE = {"f32": 5e-4, "bf16": 5e-3}

OPENMP_BLAS = pathlib.Path("/usr/lib/x86_64-linux-gnu/openblas-openmp")


def torch_settings(convolutions):
    """All combinations of settings that make LibTorch faster on some workload: [(text, environment, arguments)]."""
    choices = [
        [("", {}, []), ("GOMP_SPINCOUNT=1000", {"GOMP_SPINCOUNT": "1000"}, [])],
        [("", {}, []), ("OMP_PROC_BIND", {"OMP_PROC_BIND": "true"}, [])],
        [("", {}, []), ("OPENBLAS_NUM_THREADS=1", {"OPENBLAS_NUM_THREADS": "1"}, [])],
    ]
    if OPENMP_BLAS.exists():  # uses LibTorch's OpenMP threads, where Debian's default has threads of its own
        choices[2].append(("openblas0-openmp", {"LD_LIBRARY_PATH": str(OPENMP_BLAS)}, []))
    if convolutions:
        choices.append([("", {}, []), ("channels-last", {}, ["--channels-last"])])
    for parts in itertools.product(*choices):
        name = " ".join(p[0] for p in parts if p[0]) or "defaults"
        yield name, {k: v for p in parts for k, v in p[1].items()}, [a for p in parts for a in p[2]]


def run_side(runner, program, arguments, environment, check, warmup, seconds):
    command = [program, *arguments, "--check", check, "--warmup", warmup, "--seconds", seconds]
    return json.loads(runner.run(command, environment))


def same_losses(name, dtype, ours, theirs):
    for step, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if not abs(a - b) <= LOSS_TOLERANCE[dtype] * abs(b):
            sys.exit(f"bench: {name} does not do the same work: loss of step {step} is {a} here, {b} in LibTorch")


def summary(runs):
    """The median of the processes' medians, with the lowest and the highest."""
    medians = sorted(r["median_ms"] for r in runs)
    return {"median_ms": statistics.median(medians), "low_ms": medians[0], "high_ms": medians[-1],
            "peak_mb": max(r["peak_mb"] for r in runs), "facts": runs[0]["facts"]}


def run_workload(name, programs, environment, runner, options):
    """Yields a row per dtype of Temper. LibTorch is timed once for all of them, in the same rounds."""
    program, arguments, convolutions, floors = WORKLOADS[name]
    ours, theirs = programs / f"compare-{program}-temper", programs / f"compare-{program}-torch"
    warmup, seconds = (0.01, 0.02) if options.quick else (0.3, 1.0)
    by_dtype = {dtype: arguments + (["--dtype", dtype] if dtype != "f32" else []) for dtype in floors}

    losses = run_side(runner, theirs, arguments, environment, 8, 0, 0)["losses"]
    for dtype, own in by_dtype.items():
        same_losses(name, dtype, run_side(runner, ours, own, environment, 8, 0, 0)["losses"], losses)

    # Times LibTorch's settings briefly, then the best two in every round, and reports the better one.
    def search(setting):
        _, extra, more = setting
        return run_side(runner, theirs, arguments + more, environment | extra, 1, warmup, seconds / 2)["median_ms"]
    settings = list(torch_settings(convolutions))
    if options.quick:
        settings = settings[:2]
    finalists = sorted(settings, key=search)[:2]

    runs, peers = {dtype: [] for dtype in by_dtype}, [[] for _ in finalists]
    for _ in range(1 if options.quick else options.rounds):
        for dtype, own in by_dtype.items():
            runs[dtype].append(run_side(runner, ours, own, environment, 1, warmup, seconds))
        for (_, extra, more), peer in zip(finalists, peers):
            peer.append(run_side(runner, theirs, arguments + more, environment | extra, 1, warmup, seconds))
    best, torch = min(((f[0], summary(p)) for f, p in zip(finalists, peers)), key=lambda pair: pair[1]["median_ms"])
    for dtype, floor in floors.items():
        temper = summary(runs[dtype])
        yield {"name": name if dtype == "f32" else f"{name}-{dtype}", "dtype": dtype, "temper": temper, "torch": torch,
               "torch_setting": best, "at_least": floor, "ratio": torch["median_ms"] / temper["median_ms"],
               "gflops": runs[dtype][0]["flops"] / temper["median_ms"] * 1e-6}


def run(programs, environment, runner, options):
    load = os.getloadavg()[0]
    rows = []
    for name in WORKLOADS:
        if options.only in name:
            print(f"bench: {name} ...", file=sys.stderr)
            rows += run_workload(name, programs, environment, runner, options)
    if not rows:
        sys.exit(f"bench: no workload has '{options.only}' in its name; there are: {', '.join(WORKLOADS)}")
    return {"machine": rows[0]["temper"]["facts"], "peer": rows[0]["torch"]["facts"], "load": load,
            "others": runner.worst, "rows": rows}
