"""Time and memory of a GPT's training step by batch, width, depth and context, with one thread and with two."""

import json
import os
import sys

import plot

BASE = {"batch": 8, "width": 256, "layers": 4, "context": 128}
ALONG = {"batch": [1, 2, 4, 8, 16, 32], "width": [64, 128, 256, 512, 1024], "layers": [1, 2, 4, 8, 16],
         "context": [32, 64, 128, 256, 512, 1024]}
THREADS = [1, 2]


def run(programs, environment, runner, options):
    load = os.getloadavg()[0]
    measured, rows = {}, []
    for axis, values in ALONG.items():
        if options.only not in axis:
            continue
        print(f"bench: {axis} ...", file=sys.stderr)
        for value in values if not options.quick else values[:2]:
            for threads in THREADS:
                sizes = BASE | {axis: value}
                key = (*sizes.values(), threads)
                if key not in measured:
                    arguments = [w for k, v in sizes.items() for w in (f"--{k}", str(v))]
                    arguments += ["--heads", str(max(1, sizes["width"] // 64)), "--vocabulary", "1024"]
                    command = [programs / "compare-gpt-temper", *arguments, "--check", 1, "--warmup", 0.2,
                               "--seconds", 0.02 if options.quick else 1.0]
                    measured[key] = json.loads(runner.run(command, environment | {"OMP_NUM_THREADS": str(threads)}))
                data = measured[key]
                rows.append({"axis": axis, "value": value, "threads": threads, "median_ms": data["median_ms"],
                             "peak_mb": data["peak_mb"], "gflops": data["flops"] / data["median_ms"] * 1e-6})
    if not rows:
        sys.exit(f"bench: no axis has '{options.only}' in its name; there are: {', '.join(ALONG)}")
    return {"machine": {k: v for k, v in data["facts"].items() if k != "threads"}, "load": load,
            "others": runner.worst, "rows": rows}


def figure(results):
    """The plots of time and of memory, each with a panel per axis."""
    def panels(title, column, unit, by_threads):
        for axis in ALONG:
            rows = [r for r in results["rows"] if r["axis"] == axis]
            names = {t: f"{t} thread{'s' if t > 1 else ''}" if by_threads else "" for t in THREADS}
            series = {names[t]: [(r["value"], r[column]) for r in rows if r["threads"] == t]
                      for t in (THREADS if by_threads else THREADS[-1:])}
            yield title, axis, unit, series
    return {"scale-time.svg": plot.figure(list(panels("time of a step", "median_ms", "ms", True))),
            "scale-memory.svg": plot.figure(list(panels("peak memory", "peak_mb", "MB", False)))}
