#!/usr/bin/env python3
"""Runs benchmarks, prints their results as tables, and stores them in bench/results and bench/RESULTS.md.

Started by ./run.sh bench, which builds the programs first. Needs only Python 3.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys

import cliffs
import compare
import lengths
import loading
import overheads
import quiet
import report
import scale

HERE = pathlib.Path(__file__).resolve().parent
RESULTS = HERE / "results"

# The ratios of a family's times that are reported: (text, numerator, denominator, lower bound or None). Benchmarks have
# the names given in the program, without the suffixes that Google Benchmark adds.
RATIOS = {
    "limits": [],
    "ops": [],
    "optim": [
        ("plain loop / AdamW, one tensor of 50 M", "large_loop", "large_adamw", 0.95),
        ("plain loop and read / AdamW that checks for NaN", "large_loop_and_read", "large_adamw_guarded", 0.95),
        ("plain loop and read / AdamW with clipping", "large_loop_and_read", "large_adamw_clipped", 0.95),
        ("f32 moments / bf16 moments, 50 M", "large_adamw", "large_adamw_bf16", 1.2),
        ("f32 moments / 8-bit moments, 50 M", "large_adamw", "large_adamw_8bit", 1.35),
        ("LibTorch / Temper, GPT-2 124M, clipping, cleared", "torch_gpt2_adamw_clipped", "gpt2_adamw_clipped", 3.0),
        ("LibTorch with set_to_none / Temper", "torch_gpt2_adamw_clipped_set_to_none", "gpt2_adamw_clipped", None),
        ("LibTorch / Temper, 4,000 tensors of 768", "torch_small_adamw", "small_adamw", 20.0),
        ("LibTorch with set_to_none / Temper, 4,000", "torch_small_adamw_set_to_none", "small_adamw", None),
        ("LibTorch / Temper, 4,000 tensors, clipping", "torch_small_adamw_clipped", "small_adamw_clipped", 20.0),
    ],
    "sparse": [
        ("LibTorch / Temper, SGD by rows", "torch_sgd", "sgd", 5.0),
        ("LibTorch's SparseAdam / lazy Adam", "torch_sparse_adam", "adam_lazy", 5.0),
        ("LibTorch's SparseAdam / exact AdamW", "torch_sparse_adam", "adamw_exact", None),
        ("LibTorch's SparseAdam / row-wise Adagrad", "torch_sparse_adam", "row_wise_adagrad", 5.0),
        ("AdamW of all rows / exact AdamW", "adamw_dense", "adamw_exact", None),
    ],
}

UNITS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}


def environment():
    """The environment without settings for OpenMP, OpenBLAS and Temper; OMP_NUM_THREADS stays, and is 2 if unset."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "OPENBLAS_", "TEMPER_"))}
    return clean | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")}


def run_family(name, program, runner, options):
    """Runs the benchmarks of a family several times in random order, in several processes, and returns the medians."""
    raw = RESULTS / f".{name}.json"
    command = [program, f"--benchmark_out={raw}", "--benchmark_out_format=json", "--benchmark_repetitions=3",
               f"--benchmark_min_time={0.001 if options.quick else 0.05}",
               "--benchmark_enable_random_interleaving=true"]
    if options.only:
        command.append(f"--benchmark_filter={options.only}")
    load = os.getloadavg()[0]
    runs = {}
    for _ in range(1 if options.quick else options.rounds):
        runner.run(command, environment())
        data = json.loads(raw.read_text())
        raw.unlink()
        for run in sorted(data["benchmarks"], key=lambda r: (r["family_index"], r["per_family_instance_index"])):
            if run["run_type"] == "iteration" and not run.get("error_occurred"):
                runs.setdefault(run["run_name"].removesuffix("/real_time"), []).append(run)
    rows = []
    for row, repeated in runs.items():
        times = sorted(r["real_time"] * UNITS[r["time_unit"]] for r in repeated)
        rows.append({"name": row, "median_ms": statistics.median(times), "low_ms": times[0], "high_ms": times[-1],
                     "rates": {k: statistics.median(r[k] for r in repeated)
                               for k in ("GFLOP/s", "GB/s", "bytes") if k in repeated[0]}})
    context = data["context"]
    known = ("temper", "threads", "instruction set", "oneDNN", "BLAS core", "CPU", "compiler")
    return {"machine": {k: context[k] for k in known if k in context}, "load": load, "others": runner.worst,
            "rows": rows, "ratios": ratios(RATIOS[name], {r["name"]: r["median_ms"] for r in rows})}


def ratios(wanted, medians):
    return [{"text": text, "ratio": medians[above] / medians[below], "at_least": floor}
            for text, above, below, floor in wanted if above in medians and below in medians]


def main():
    parser = argparse.ArgumentParser(prog="./run.sh bench", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["limits", "optim", "ops", "sparse", "compare", "scale", "lengths", "cliffs", "loader", "overheads", "check"])
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build" / "bench",
                        help="build folder")
    parser.add_argument("--quick", action="store_true", help="run a few steps as a test; stores no results")
    parser.add_argument("--only", default="", metavar="NAME",
                        help="run workloads or benchmarks whose name contains NAME; compare stores these rows only")
    parser.add_argument("--rounds", type=int, default=7, help="number of repetitions")
    parser.add_argument("--patience", type=float, default=0, metavar="MINUTES",
                        help="total time to spend on waiting for an idle machine and on repeating disturbed runs")
    parser.add_argument("--python", default="/usr/bin/python3", help="loader: a Python that has PyTorch")
    parser.add_argument("--tolerance", type=float, default=0.1, help="check: fraction by which a ratio may be lower")
    parser.add_argument("--record", action="store_true",
                        help="check: record the latest stored ratios of optim and compare as the expected ones")
    options = parser.parse_args()
    programs = options.build / "bin"
    runner = quiet.Runner(0 if options.quick else 60 * options.patience)
    RESULTS.mkdir(exist_ok=True)
    load = os.getloadavg()[0]
    if load > 0.5 and not options.quick:
        print(f"bench: the load of this machine is {load:.1f}; results will be unreliable", file=sys.stderr)

    if options.what == "check":
        if options.record:
            return record()
        return check(options, programs, runner)
    if options.what == "compare":
        results = compare.run(programs, environment(), runner, options)
    elif options.what == "scale":
        results = scale.run(programs, environment(), runner, options)
    elif options.what == "lengths":
        results = lengths.run(programs, environment(), runner, options)
    elif options.what == "cliffs":
        results = cliffs.run(programs, environment(), runner, options)
    elif options.what == "loader":
        results = loading.run(programs, environment(), runner, options)
    elif options.what == "overheads":
        results = overheads.run(options.build, environment(), runner, options)
    else:
        results = run_family(options.what, programs / f"bench-{options.what}", runner, options)
    print(report.text(options.what, results))
    if options.what == "compare" and options.only and not options.quick:
        replace_rows(results)
    if not options.quick and (options.what == "compare" or not options.only):
        (RESULTS / f"{options.what}.json").write_text(json.dumps(results, indent=1) + "\n")
        report.write(HERE / "RESULTS.md", RESULTS)
    return 0


def replace_rows(results):
    """Adds the stored rows of the workloads that a run with --only left out."""
    stored = RESULTS / "compare.json"
    if stored.exists():
        before, new = json.loads(stored.read_text()), {r["name"]: r for r in results["rows"]}
        results["rows"] = [new.pop(r["name"], r) for r in before["rows"]] + list(new.values())
        for disturbance in ("load", "others"):
            results[disturbance] = max(results[disturbance], before[disturbance])


def record():
    """Records the ratios of results/optim.json and results/compare.json in expected.json, for check()."""
    optim, compared = (json.loads((RESULTS / f"{what}.json").read_text()) for what in ("optim", "compare"))
    expected = {r["text"]: round(r["ratio"], 2) for r in optim["ratios"]}
    expected |= {r["name"]: round(r["ratio"], 2) for r in compared["rows"]}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    return 0


def check(options, programs, runner):
    """Measures the ratios of expected.json again. Returns 1 when one is lower by more than the tolerance, else 0."""
    expected = json.loads((HERE / "expected.json").read_text())
    measured = {r["text"]: r["ratio"] for r in run_family("optim", programs / "bench-optim", runner, options)["ratios"]}
    measured |= {r["name"]: r["ratio"] for r in compare.run(programs, environment(), runner, options)["rows"]}
    failed = False
    for name, ratio in expected.items():
        now = measured.get(name)
        bad = now is None or now < ratio * (1 - options.tolerance)
        failed |= bad
        found = "not measured" if now is None else f"{now:.2f}"
        print(f"{'FAILED' if bad else 'ok':8}{name}: {found}, recorded {ratio:.2f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
