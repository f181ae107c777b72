#!/usr/bin/env python3
"""Runs the benchmarks that are built, prints their tables, and keeps the figures in bench/results and bench/RESULTS.md.

Usually started by ./run.sh bench. Needs Python 3 alone.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys

import compare
import lengths
import loading
import overheads
import quiet
import report
import scale

HERE = pathlib.Path(__file__).resolve().parent
RESULTS = HERE / "results"

# What a family's figures are divided by each other for: (text, numerator, denominator, at least). A benchmark is named
# as the program names it, without the endings that Google Benchmark adds.
RATIOS = {
    "limits": [],
    "ops": [],
    "optim": [
        ("plain loop / AdamW, one tensor of 50 M", "large_loop", "large_adamw", 0.95),
        ("plain loop and read / AdamW that looks for NaN", "large_loop_and_read", "large_adamw_guarded", 0.95),
        ("plain loop and read / AdamW with clipping", "large_loop_and_read", "large_adamw_clipped", 0.95),
        ("f32 moments / bf16 moments, 50 M", "large_adamw", "large_adamw_bf16", 1.2),
        ("f32 moments / 8-bit moments, 50 M", "large_adamw", "large_adamw_8bit", 1.35),
        ("LibTorch / Temper, GPT-2 124M, clipping, cleared", "torch_gpt2_adamw_clipped", "gpt2_adamw_clipped", 3.0),
        ("LibTorch without writing zeros / Temper", "torch_gpt2_adamw_clipped_let_go", "gpt2_adamw_clipped", None),
        ("LibTorch / Temper, 4,000 tensors of 768", "torch_small_adamw", "small_adamw", 20.0),
        ("LibTorch without writing zeros / Temper, 4,000", "torch_small_adamw_let_go", "small_adamw", None),
        ("LibTorch / Temper, 4,000 tensors, clipping", "torch_small_adamw_clipped", "small_adamw_clipped", 20.0),
    ],
}

UNITS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}


def environment():
    """Two threads, and nothing else that somebody may have set for OpenMP or BLAS."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "OPENBLAS_", "TEMPER_"))}
    return clean | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")}


def run_family(name, program, runner, options):
    """Repeats every benchmark of a family in random order, in several processes, and returns the medians."""
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
                               for k in ("GFLOP/s", "GB/s") if k in repeated[0]}})
    context = data["context"]
    known = ("temper", "threads", "instruction set", "oneDNN", "BLAS core", "CPU", "compiler")
    return {"machine": {k: context[k] for k in known if k in context}, "load": load, "others": runner.worst,
            "rows": rows, "ratios": ratios(RATIOS[name], {r["name"]: r["median_ms"] for r in rows})}


def ratios(wanted, medians):
    return [{"text": text, "ratio": medians[above] / medians[below], "at_least": floor}
            for text, above, below, floor in wanted if above in medians and below in medians]


def main():
    parser = argparse.ArgumentParser(prog="./run.sh bench", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["limits", "optim", "ops", "compare", "scale", "lengths", "loader", "overheads", "check"])
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build" / "bench",
                        help="where it was built")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it works; keeps no results")
    parser.add_argument("--only", default="", metavar="NAME",
                        help="workloads or benchmarks whose name contains NAME; of compare, these rows replace the kept ones")
    parser.add_argument("--rounds", type=int, default=7, help="how often everything is repeated")
    parser.add_argument("--patience", type=float, default=0, metavar="MINUTES",
                        help="how long to wait, all in all, for others to leave the processors alone")
    parser.add_argument("--python", default="/usr/bin/python3", help="of loader: a Python that has PyTorch")
    parser.add_argument("--tolerance", type=float, default=0.1, help="of check: share of a ratio that may be lost")
    parser.add_argument("--record", action="store_true",
                        help="of check: takes the ratios that optim and compare measured last as what is expected")
    options = parser.parse_args()
    programs = options.build / "bin"
    runner = quiet.Runner(0 if options.quick else 60 * options.patience)
    RESULTS.mkdir(exist_ok=True)
    load = os.getloadavg()[0]
    if load > 0.5 and not options.quick:
        print(f"bench: the load of this machine is {load:.1f}; figures will be off", file=sys.stderr)

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
    """Puts the rows that were left out, as they were measured before, around those of a run with --only."""
    kept = RESULTS / "compare.json"
    if kept.exists():
        before, again = json.loads(kept.read_text()), {r["name"]: r for r in results["rows"]}
        results["rows"] = [again.pop(r["name"], r) for r in before["rows"]] + list(again.values())
        for disturbance in ("load", "others"):
            results[disturbance] = max(results[disturbance], before[disturbance])


def record():
    """Keeps the ratios of results/optim.json and results/compare.json for later checks."""
    optim, compared = (json.loads((RESULTS / f"{what}.json").read_text()) for what in ("optim", "compare"))
    expected = {r["text"]: round(r["ratio"], 2) for r in optim["ratios"]}
    expected |= {r["name"]: round(r["ratio"], 2) for r in compared["rows"]}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    return 0


def check(options, programs, runner):
    """Measures the ratios again and fails when one is worse than what bench/expected.json records."""
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
