"""Sizes at which a layer is slower than its neighbours: linear, conv, attention, LSTM and layer norm along their axes."""

import json
import os
import statistics
import sys

# The last size along each axis.
AXES = [("linear", "width", 130), ("linear", "batch", 64), ("conv", "channels", 66), ("conv", "batch", 64),
        ("attention", "length", 260), ("attention", "batch", 64), ("lstm", "width", 130), ("lstm", "batch", 64),
        ("layer_norm", "width", 130), ("layer_norm", "batch", 64)]
AT_MOST = 3.0  # times the median of the four nearest sizes
SLOWER = 1.05  # two threads beside one


def run(programs, environment, runner, options):
    load = os.getloadavg()[0]
    rows, facts = [], {}
    for operation, axis, last in AXES:
        if options.only not in f"{operation} {axis}":
            continue
        print(f"bench: {operation} by {axis} ...", file=sys.stderr)
        arguments = [operation, axis, 9 if options.quick else last, 1, 0.2 if options.quick else 5]
        data = json.loads(runner.run([programs / "cliffs", *arguments], environment))
        facts = {k: v for k, v in data.items() if k not in ("operation", "axis", "points")}
        rows += [{"operation": operation, "axis": axis, **each} for each in judged(data["points"])]
    if not rows:
        sys.exit(f"bench: no axis has '{options.only}' in its name")
    return {"machine": facts, "load": load, "others": runner.worst, "at_most": AT_MOST, "slower": SLOWER, "rows": rows}


def judged(points):
    """Each point with its price beside those of its neighbours, and the time of all threads beside that of one.

    The price is time per FLOP. A step costs something however small it is: that much time, the least of the axis, counts as
    FLOPs of the axis's best rate; or else every first size would be a cliff.
    """
    for threads in ("one_ms", "all_ms"):
        least = min(p[threads] for p in points)
        rate = max(p["flops"] / p[threads] for p in points)
        for p in points:
            p[f"{threads}_price"] = p[threads] / (p["flops"] + least * rate)
    for i, p in enumerate(points):
        near = sorted((abs(k - i), k) for k in range(len(points)) if k != i)[:4]
        p["cliff"] = max(p[f"{t}_price"] / statistics.median(points[k][f"{t}_price"] for _, k in near)
                         for t in ("one_ms", "all_ms"))
        p["threads"] = p["all_ms"] / p["one_ms"]
    return [{k: v for k, v in p.items() if not k.endswith("_price")} for p in points]
