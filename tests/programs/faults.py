#!/usr/bin/env python3
"""Makes every system call with which a run saves and resumes fail once: each open, read, write, fsync, rename, close,
truncate, lock, unlink and mkdir in its folder, with each error that the call can have, and with a kill at the call.

usage: faults.py --programs build/test/bin --shim libfault_shim.so [--part N] [--seed 1] [MODEL]

Checks after each fault: a run that ended with status 0 has the bytes of the undisturbed run (else: silent); one that failed
says why in one line that names a file (else: unnamed); no complete checkpoint is missing (else: lost); no file that could not
be read was treated as damaged; and the resumed run ends with the bytes of the undisturbed one. With --part N every fault is
tried at N random calls instead of all.
"""

import argparse
import collections
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import jobs

FAULTS = "EIO ENOSPC EDQUOT EINTR EMFILE ENOLCK short kill killed".split()
ONLY = {"short": ("read", "pread", "write", "writev"), "ENOLCK": ("flock",)}  # calls that can fail in this way
STEPS = 5


class Sweep:
    def __init__(self, arguments, work):
        self.shim = arguments.shim.resolve()
        self.log = work / "calls"
        self.work = work
        kind, options, _ = jobs.JOBS[arguments.model]
        data = ["--data", jobs.make_data(work)[kind]] if kind else []
        self.start = [str(arguments.programs.resolve() / f"temper-{arguments.model}"), *options, *data]
        self.start += f"--steps {STEPS} --threads 1 --log-every 1 --eval-every 2 --ema 0.9 --checkpoint-every 1".split()
        self.whole = work / "whole"
        self.run(self.whole)
        self.expected = jobs.state(self.whole) | {"texts": None}
        self.figures = collections.Counter()
        self.problems = []

    def run(self, folder, *more, fault="none", at=-1):
        """The program's exit status and output."""
        self.log.unlink(missing_ok=True)
        environment = os.environ | {
            "LD_PRELOAD": str(self.shim),
            "TEMPER_FAULT_FOLDER": str(folder),
            "TEMPER_FAULT": fault,
            "TEMPER_FAULT_AT": str(at),
            "TEMPER_FAULT_LOG": str(self.log),
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [*self.start, "--out", str(folder), *more], capture_output=True, text=True, env=environment, timeout=120
        )
        return done.returncode, done.stdout + done.stderr

    def calls(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def same(self, folder):
        try:
            return not jobs.differences(self.expected, jobs.state(folder) | {"texts": None})
        except (OSError, ValueError, KeyError):
            return False

    def check(self, name, fault, at, folder, status, said, before):
        """`before`: the steps of the complete checkpoints at the start of the program."""
        calls = self.calls()
        what = f"{name} {fault} at {at} ({calls[at] if at < len(calls) else 'its last call'})"

        def problem(kind):
            self.figures[kind] += 1
            self.problems.append(f"{what}: {kind}\n{said[-600:]}")

        if status == 0:
            self.figures["unharmed"] += 1
            if not self.same(folder):
                problem("silent")
        elif fault not in ("kill", "killed"):
            self.figures["stopped"] += 1
            line = said.strip().splitlines()[-1] if said.strip() else ""
            if status not in (1, 2) or not line.startswith("temper-") or str(folder) not in line:
                problem("unnamed")
        if list(folder.rglob("*.damaged")):
            problem("taken for damaged")
        commits = [i for i, line in enumerate(calls) if line.startswith("rename") and line.endswith("/next.safetensors")]
        saved = len([i for i in commits if i != at or fault == "killed"])
        status, said = self.run(folder, *(["--resume"] if (folder / "config.toml").exists() else []))
        if status != 0:
            problem("cannot go on")
        elif not self.same(folder):
            problem("other bytes")
        resumed = re.search(r"resumed at step (\d+)", said)
        if int(resumed[1] if resumed else 0) < min(before + saved, STEPS):
            problem("lost")

    def check_order(self, calls):
        """What a file relies on is on the disk before it: metrics before a checkpoint, a new folder before its files."""
        kinds = [line.split()[0] for line in calls]
        checkpoints = [i for i, line in enumerate(calls) if line.endswith("/next.safetensors.tmp")]
        assert len(checkpoints) > 1, f"{len(checkpoints)} checkpoints"
        for i in checkpoints:
            assert kinds[i - 1] == "fsync", f"before a checkpoint is opened: {calls[i - 3 : i]}, expected fsync of the metrics"
        for i in (i for i, line in enumerate(calls) if line.startswith("mkdir") and line.endswith("/checkpoints")):
            assert kinds[i + 1 : i + 3] == ["open-folder", "fsync"], f"after mkdir: {calls[i + 1 : i + 3]}, expected fsync"

    def sweep(self, name, prepare, more, before, part, draw):
        folder = self.work / "run"
        prepare(folder)
        status, said = self.run(folder, *more)
        assert status == 0 and self.same(folder), f"{name} without a fault: {status}\n{said}"
        calls = self.calls()
        self.check_order(calls)
        kinds = collections.Counter(line.split()[0] for line in calls)
        print(f"{name}: {len(calls)} calls:", ", ".join(f"{n} {kind}" for kind, n in kinds.most_common()), flush=True)
        for fault in FAULTS:
            points = [i for i, line in enumerate(calls) if line.split()[0] in ONLY.get(fault, line)]
            if part:
                points = sorted(draw.sample(list(points), min(part, len(points))))
            began, problems = time.monotonic(), len(self.problems)
            for at in points:
                prepare(folder)
                status, said = self.run(folder, *more, fault=fault, at=at)
                self.figures["faults"] += 1
                self.check(name, fault, at, folder, status, said, before)
            print(
                f"  {fault}: {len(points)} points, {len(self.problems) - problems} problems,"
                f" {time.monotonic() - began:.0f} s",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--shim", type=pathlib.Path, required=True)
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("model", nargs="?", default="mlp", metavar="MODEL")
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder).resolve()
        sweep = Sweep(arguments, work)

        def empty(folder):
            shutil.rmtree(folder, ignore_errors=True)

        sweep.sweep("run", empty, [], 0, arguments.part, draw)

        # A run killed between the renames of its third checkpoint.
        stopped = work / "stopped"
        sweep.run(work / "count")
        calls = enumerate(sweep.calls())
        renames = [i for i, line in calls if line.endswith("/checkpoints/previous.safetensors")]
        sweep.run(stopped, fault="kill", at=renames[1])

        def copy(folder):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(stopped, folder)

        sweep.sweep("resume", copy, ["--resume"], 3, arguments.part, draw)
        print(*sweep.problems, sep="\n")
        figures = sweep.figures
        print(
            f"{figures['faults']} faults: {figures['unharmed']} runs unharmed, {figures['stopped']} stopped with an"
            f" error; {figures['lost']} checkpoints lost, {figures['silent']} silent, {figures['unnamed']} without a"
            f" file's name, {figures['taken for damaged']} taken for damaged, {figures['cannot go on']} unable to go"
            f" on, {figures['other bytes']} with other bytes"
        )
        sys.exit(bool(sweep.problems))


if __name__ == "__main__":
    main()
