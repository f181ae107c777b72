"""Examples a second: the Loader beside PyTorch's DataLoader."""

import json
import os
import pathlib
import statistics
import sys
import tempfile

SIDE = pathlib.Path(__file__).resolve().parent / "loader" / "torch_side.py"
# Their sums depend on what is drawn.
RANDOM = {"augmented images", "256 tokens of a mapped file"}
AT_LEAST = 1.0  # times PyTorch's best, with the best number of workers on either side


def run(programs, environment, runner, options):
    load = os.getloadavg()[0]
    seconds = 0.05 if options.quick else 1.0
    times, sums, machine, torch = {}, {}, {}, ""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(1 if options.quick else options.rounds):
            sides = {"temper": [programs / "loader-temper", folder, seconds], "torch": [options.python, SIDE, folder, seconds]}
            for side, command in sides.items():
                data = json.loads(runner.run(command, environment | {"OMP_NUM_THREADS": "1"}))
                machine, torch = data.get("machine", machine), data.get("torch", torch)
                for row in data["rows"]:
                    if options.only not in row["name"]:
                        continue
                    times.setdefault(row["name"], {}).setdefault((side, row["workers"]), []).append(row["per_second"])
                    sums.setdefault(row["name"], set()).add(round(row["sum"], -2))
    rows = []
    for name, found in times.items():
        if name not in RANDOM and len(sums[name]) > 1:
            sys.exit(f"bench: the sides do not load the same: the sums of '{name}' are {sorted(sums[name])}")
        medians = {side: {w: statistics.median(t) for (s, w), t in found.items() if s == side} for side in ("temper", "torch")}
        best = {side: max(of.values(), default=None) for side, of in medians.items()}
        rows.append({"name": name, **medians, "ratio": best["temper"] / best["torch"] if best["torch"] else None,
                     "at_least": AT_LEAST if best["torch"] else None})
    known = ("temper", "CPU", "compiler")
    return {"machine": {k: machine[k] for k in known if k in machine}, "torch": torch, "load": load, "others": runner.worst,
            "rows": rows}
