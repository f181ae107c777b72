"""Temper's overheads: of a tiny operation, of compiling and starting a program, and of building the library."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TINY = ROOT / "bench" / "overheads" / "tiny.cpp"
UNITS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}
# An empty program, whose start is the least that any C++ program needs.
NOTHING = "int main() {}\n"

# (text, Google Benchmark's name, operations per iteration, upper bound in ms per operation or None)
OPERATIONS = [
    ("add of 4 numbers", "100_tiny_operations/temper", 100, None),
    ("add of 4 numbers, recorded", "100_tiny_operations_recorded/temper", 100, None),
    ("add of 4 numbers, recorded, with backward", "100_tiny_operations_and_backward/temper", 100, 1.5e-3),
    ("linear [1, 4] and a factor, recorded, with backward", "100_tiny_linears_and_backward/temper", 100, None),
]


def repeated(runner, times, command, environment):
    """The times of several runs of a command, in milliseconds."""
    measured = []
    for _ in range(times):
        start = time.perf_counter()
        runner.run(command, environment)
        measured.append((time.perf_counter() - start) * 1e3)
    return measured


def operations(programs, environment, runner, quick):
    names = "|".join(f"^{name}/real_time$" for _, name, _, _ in OPERATIONS)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "ops.json"
        runner.run([programs / "bench-ops", f"--benchmark_filter={names}", f"--benchmark_out={out}",
                    "--benchmark_out_format=json", f"--benchmark_repetitions={1 if quick else 9}",
                    f"--benchmark_min_time={0.001 if quick else 0.1}"], environment | {"OMP_NUM_THREADS": "1"})
        data = json.loads(out.read_text())
    rows = []
    for text, name, count, most in OPERATIONS:
        times = [r["real_time"] * UNITS[r["time_unit"]] / count for r in data["benchmarks"]
                 if r["run_type"] == "iteration" and r["run_name"] == f"{name}/real_time"]
        rows.append((text, times, most))
    return data["context"], rows


def run(build, environment, runner, options):
    load = os.getloadavg()[0]
    times = 1 if options.quick else 9
    programs = build / "bin"
    context, found = operations(programs, environment, runner, options.quick)
    with tempfile.TemporaryDirectory() as folder:
        compile_tiny = ["g++", "-std=c++20", "-O2", f"-I{build / 'include'}", "-c", TINY, "-o", f"{folder}/tiny.o"]
        found.append(("compiling a program that includes <temper/temper.hpp>, -O2",
                      repeated(runner, times, compile_tiny, environment), 2500))
        nothing = pathlib.Path(folder) / "nothing.cpp"
        nothing.write_text(NOTHING)
        subprocess.run(["g++", "-O2", nothing, "-o", f"{folder}/nothing"], check=True)
        starts = [("an empty program, start to end", [f"{folder}/nothing"], None),
                  ("a training step of 5 parameters, start to end", [programs / "overheads-tiny"], 50),
                  ("temper-mlp --help", [programs / "temper-mlp", "--help"], 50)]
        for text, command, most in starts:
            found.append((text, repeated(runner, 2 * times + 1, command, environment), most))
        if not options.quick:
            print("bench: building the library ...", file=sys.stderr)
            build_all = ["cmake", "-S", ROOT, "-B", f"{folder}/build", "--preset", "release", "-DTEMPER_PROGRAMS=OFF",
                         "-DCMAKE_CXX_COMPILER_LAUNCHER="]
            subprocess.run(list(map(str, build_all)), check=True, capture_output=True)
            found.append(("building the library from nothing, 2 processes at a time",
                          repeated(runner, 1, ["ninja", "-C", f"{folder}/build", "-j2"],
                                   environment | {"CCACHE_DISABLE": "1"}), 240e3))
    known = ("temper", "instruction set", "oneDNN", "CPU", "compiler")
    rows = [{"name": text, "median_ms": statistics.median(t), "low_ms": min(t), "high_ms": max(t), "at_most": most}
            for text, t, most in found if options.only in text]
    return {"machine": {k: context[k] for k in known if k in context}, "load": load, "others": runner.worst,
            "rows": rows}
