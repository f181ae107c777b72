#!/usr/bin/env python3
"""Kills training programs (kill -9) at random times, resumes them, and compares the results byte by byte with an uninterrupted
run: weights, moments, averages, random generator, position of the loader, metrics.

usage: kill.py --programs build/bin [--kills 10] [--seed 1] [MODEL...]

Each model is also resumed with one part of its checkpoint reset, which must change the result or be refused.
"""

import argparse
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import jobs

DROPPED = {  # the tensors that are zeroed, or the new value of a text
    "moments": lambda name: name.startswith("optimizer/") and not name.endswith(("/average", "/counters")),
    "averages": lambda name: name.startswith("optimizer/") and name.endswith("/average"),
    "buffers": lambda name: name.startswith("model/") and name.endswith(("running_mean", "running_var")),
    "own tensor": lambda name: name == "model/state/mean image",
    "own number": ("note/state/balance", lambda text: "1"),
    "cart": ("note/state/cart 0 position", lambda text: "0.01"),
    "k": ("optimizer/k", lambda text: "0"),
    "random": ("random", lambda text: f"{text.split()[0]} 0 0"),
    "loader": ("loader", lambda text: f"1 0 {text.split()[2]}"),
}


def last_step(folder):
    try:
        lines = jobs.metrics(folder)
    except OSError:
        return 0
    return lines[-1]["step"] if lines else 0


def killed_run(start, folder, step, delay):
    """Starts a program and kills it `delay` seconds after it logged a step. Returns False if it ended before."""
    process = subprocess.Popen(start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and last_step(folder) < step:
        time.sleep(0.0005)
    time.sleep(delay)
    process.kill()
    return process.wait() == -9


def resume(start, folder, expect=0):
    """Resumes a run, or starts it again if it was killed before it wrote its configuration."""
    begun = (folder / "config.toml").exists()
    return jobs.run(start + (["--resume"] if begun else []), expect)


def without(part, checkpoint):
    header, tensors = jobs.read_safetensors(checkpoint)
    change = DROPPED[part]
    if isinstance(change, tuple):
        key, edit = change
        header["__metadata__"][key] = edit(header["__metadata__"][key])
    else:
        assert any(change(name) for name in tensors), f"no tensors for {part}"
        tensors = {name: bytes(len(data)) if change(name) else data for name, data in tensors.items()}
    jobs.write_safetensors(checkpoint, header, tensors)


def test(model, programs, data, work, kills, draw):
    options = ["--ema", "0.9"]
    whole = work / f"{model}-whole"
    # With checkpoints every few steps or every step, which must not affect the result.
    began = time.monotonic()
    jobs.run(jobs.command(programs, model, data, whole, *options, "--checkpoint-every", "5"))
    expected = jobs.state(whole)
    steps = last_step(whole)
    per_step = (time.monotonic() - began) / steps
    failures = []

    folder = work / f"{model}-killed"
    start = jobs.command(programs, model, data, folder, *options, "--checkpoint-every", "1")
    done = caught_writing = 0
    while done < kills:
        shutil.rmtree(folder, ignore_errors=True)
        # Each run is killed once or several times.
        killed = 0
        for step in sorted(draw.sample(range(0, steps), draw.choice((1, 1, 2)))):
            again = start + (["--resume"] if (folder / "config.toml").exists() else [])
            killed += killed_run(again, folder, step, draw.uniform(0, 2 * per_step))
        if killed == 0:
            continue
        done += 1
        names = {entry.name for entry in (folder / "checkpoints").glob("*")} if folder.exists() else set()
        caught_writing += bool(names & {"next.safetensors", "next.safetensors.tmp"})
        resume(start, folder)
        differ = jobs.differences(expected | {"texts": None}, jobs.state(folder) | {"texts": None})
        if differ:
            failures.append(f"{model}: killed {killed} times, resumed: {', '.join(differ)} differ")

    for part in jobs.JOBS[model][2]:
        # Again from nothing when the kill came before the first checkpoint: a folder that holds a run is not begun again.
        for _ in range(50):
            shutil.rmtree(folder, ignore_errors=True)
            killed_run(start, folder, steps - jobs.EPOCH // 2, 0)
            if (folder / "checkpoints/last.safetensors").exists():
                break
        for name in ("next.safetensors", "next.safetensors.tmp"):
            (folder / "checkpoints" / name).unlink(missing_ok=True)
        without(part, folder / "checkpoints/last.safetensors")
        (folder / "model.safetensors").unlink(missing_ok=True)
        resume(start, folder, expect=None)  # a contradictory checkpoint may be refused
        if (folder / "model.safetensors").exists() and jobs.state(folder)["weights"] == expected["weights"]:
            failures.append(f"{model}: without {part}, the weights are still the same")
    print(f"{model}: {done} runs killed, {caught_writing} of them while a checkpoint was written;"
          f" {len(jobs.JOBS[model][2])} parts of the state dropped; {len(failures)} failures", flush=True)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    arguments = parser.parse_args()
    models = arguments.models or [m for m in jobs.JOBS if (arguments.programs / f"temper-{m}").exists()]
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        data = jobs.make_data(work)
        for model in models:
            draw = random.Random(f"{arguments.seed} {model}")
            failures += test(model, arguments.programs, data, work, arguments.kills, draw)
    print(*failures, sep="\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
