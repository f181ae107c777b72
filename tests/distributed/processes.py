#!/usr/bin/env python3
"""Trains small jobs of the training programs on 1, 2, 3 and 4 processes, under mpirun: all must end with the same bytes. Stops,
kills and halts processes, and goes on with another number of them.

usage: processes.py --programs build/bin [--kills 2] [--seed 1] [TEST...]

Ends with status 77, and says why, where there is no mpirun or the programs were built without MPI.
"""

import argparse
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "programs"))
import jobs

SKIPPED = 77
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none"]
if os.geteuid() == 0:
    MPIRUN.append("--allow-run-as-root")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
OPTIONS = ["--ema", "0.9", "--clip-norm", "0.5", "--shards", "4", "--checkpoint-every", "5"]
ENDS_WITHIN = 60  # seconds, for all processes of a run of which one is gone


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


class Bench:
    def __init__(self, programs, work, kills, draw):
        self.programs, self.work, self.kills, self.draw = programs, work, kills, draw
        self.data = jobs.make_data(work)

    def command(self, processes, model, out, *more):
        program, *options = jobs.command(self.programs, model, self.data, out, *OPTIONS, *more)
        given = {}  # the last of each
        for option in options:
            if option.startswith("--"):
                name = option
                given[name] = []
            else:
                given[name].append(option)
        start = [program, *(word for name, values in given.items() for word in (name, *values))]
        return start if processes == 0 else [*MPIRUN, "-np", str(processes), *start]

    def run(self, processes, model, out, *more, expect=0):
        """Runs a job on so many processes; 0 is one without mpirun."""
        return jobs.run(self.command(processes, model, out, *more), expect, env=ENVIRONMENT, stdin=subprocess.DEVNULL)

    def start(self, processes, model, out, *more, **environment):
        """The same in the background."""
        return subprocess.Popen(self.command(processes, model, out, *more), env=ENVIRONMENT | environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def folder(self, name):
        return self.work / name


def same(expected, folder, what, without=()):
    """`without`: metrics and texts, where a run evaluated more often. The state that training goes on from is always compared."""
    found = jobs.state(folder)
    for key in ("loader", "random"):
        check(expected["texts"][key] == found["texts"][key], f"{what}: {key} differs")
    blank = dict.fromkeys(without)
    differ = jobs.differences(expected | blank, found | blank)
    check(not differ, f"{what}: {', '.join(differ)} differ")


def ranks(mpirun):
    """The processes that an mpirun started, in the order in which it did."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
        if parent == mpirun.pid:
            found.append(int(entry.name))
    return sorted(found)


def wait_for_step(process, folder, step):
    """Waits until a run has logged a step."""
    until = time.monotonic() + jobs.TIMEOUT
    while process.poll() is None and time.monotonic() < until:
        try:
            lines = jobs.metrics(folder)
        except OSError:
            lines = []
        if lines and lines[-1]["step"] >= step:
            return
        time.sleep(0.002)
    raise Failure(f"the run ended with {process.poll()} before step {step}: {process.stderr.read() if process.stderr else ''}")


def ended(process):
    """What a process printed on standard error, and its status; it must end in time."""
    try:
        _, text = process.communicate(timeout=ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        for pid in ranks(process):
            os.kill(pid, signal.SIGKILL)
        process.kill()
        raise Failure(f"the processes did not end within {ENDS_WITHIN} s")
    return text, process.returncode


# The tests ---------------------------------------------------------------------------------------

# Batch norm, dropout, two phases, rows of embeddings, several pieces for a shard; the last batch of an epoch of text is short.
MODELS = {"cnn": [], "resnet": [], "gpt": ["--accumulate", "2"], "bert": [], "word2vec": []}


def equal(bench):
    """1, 2 and 4 processes end with the same bytes: weights, moments, averages, random generator, loader, metrics."""
    for model, more in MODELS.items():
        alone = bench.folder(f"{model}-0")
        bench.run(0, model, alone, *more)
        expected = jobs.state(alone)
        check(max(line["step"] for line in jobs.metrics(alone)) >= 20, f"{model} made fewer than 20 updates")
        for processes in (1, 2, 4):
            out = bench.folder(f"{model}-{processes}")
            bench.run(processes, model, out, *more)
            same(expected, out, f"{model} on {processes} processes")


def thirds(bench):
    """Three processes share six shards, and cannot share eight."""
    more = ["--batch-size", "12", "--shards", "6"]
    bench.run(0, "gpt", bench.folder("six"), *more)
    bench.run(3, "gpt", bench.folder("six-3"), *more)
    same(jobs.state(bench.folder("six")), bench.folder("six-3"), "six shards on three processes")
    text = bench.run(3, "gpt", bench.folder("eight"), "--shards", "8", expect=1)
    check("3 processes cannot share --shards 8; the number of processes must divide that of the shards" in text, text)
    check(len(re.findall("cannot share", text)) == 1, f"said more than once:\n{text}")


def other_options(bench):
    """Processes that do not train the same are refused, with the option and both ranks."""
    first = bench.command(0, "mlp", bench.folder("others"))
    command = [*MPIRUN, "-np", "1", *first, "--seed", "1", ":", "-np", "1", *first, "--seed", "2"]
    text = jobs.run(command, 1, env=ENVIRONMENT, stdin=subprocess.DEVNULL)
    check("on rank 0 --seed is 1, on rank 1 --seed is 2" in text, text)


def elsewhere(bench):
    """A run goes on with other numbers of processes: 4, 2, 1."""
    for model in ("resnet", "gpt"):
        whole, out = bench.folder(f"{model}-whole"), bench.folder(f"{model}-moved")
        bench.run(0, model, whole)
        bench.run(4, model, out, "--stop-at", "7")
        bench.run(2, model, out, "--stop-at", "15", "--resume")
        bench.run(0, model, out, "--resume")
        same(jobs.state(whole), out, f"{model} on 4, 2 and 1 processes", without=("metrics", "texts"))


def stopped(bench):
    """Ctrl-C at mpirun: all stop after the same update, and the run goes on."""
    whole, out = bench.folder("stop-whole"), bench.folder("stop")
    # No machine ends before the signal, and only stopping saves.
    long = ["--steps", "1000000", "--checkpoint-every", "1000000"]
    process = bench.start(2, "gpt", out, *long)
    wait_for_step(process, out, 20)
    process.send_signal(signal.SIGINT)
    ended(process)
    step = int(jobs.read_safetensors(out / "checkpoints/last.safetensors")[0]["__metadata__"]["note/step"])
    check(step >= 20, f"the last checkpoint is of step {step}")
    end = ["--stop-at", str(step + 20)]
    bench.run(0, "gpt", whole, *long, *end)
    bench.run(4, "gpt", out, *long, *end, "--resume")
    same(jobs.state(whole), out, f"stopped after step {step}", without=("texts",))


def killed(bench):
    """kill -9 of any process at any instant: all end, and the run goes on from its last checkpoint with other numbers."""
    whole, out = bench.folder("kill-whole"), bench.folder("kill")
    bench.run(0, "gpt", whole)
    expected = jobs.state(whole)
    for kill in range(bench.kills):
        shutil.rmtree(out, ignore_errors=True)
        processes = bench.draw.choice((2, 4))
        process = bench.start(processes, "gpt", out, "--checkpoint-every", "1")
        wait_for_step(process, out, bench.draw.randrange(1, 20))
        time.sleep(bench.draw.uniform(0, 0.05))
        alive = ranks(process)
        victim = bench.draw.randrange(len(alive)) if alive else None
        if victim is not None:
            os.kill(alive[victim], signal.SIGKILL)
        _, status = ended(process)
        check(status != 0 or victim is None or (out / "model.safetensors").exists(), "a killed run ended well")
        again = bench.draw.choice((0, 2, 4))
        bench.run(again, "gpt", out, "--checkpoint-every", "1", "--resume")
        what = f"kill {kill}: process {victim} of {processes}, resumed on {again}"
        same(expected, out, what, without=("texts",))


def halted(bench):
    """A process that does not go on ends the others, with a sentence."""
    out = bench.folder("halt")
    process = bench.start(3, "gpt", out, "--shards", "6", "--batch-size", "12", "--steps", "100000", TEMPER_WAIT="3")
    wait_for_step(process, out, 10)
    alive = ranks(process)
    os.kill(alive[2], signal.SIGSTOP)
    began = time.monotonic()
    text, status = ended(process)
    check(status != 0, "the run ended well")
    sentence = r"rank \d of 3, in ([\w ]*step \d+): rank \d waited 3 s for rank \d in \1 \([\w ]+\); rank \d was last heard of in [\w ]*step \d+ \("
    check(re.search(sentence, text), text)
    check(time.monotonic() - began < ENDS_WITHIN, "it took too long")
    jobs.read_safetensors(out / "checkpoints/last.safetensors")


TESTS = {test.__name__: test for test in (equal, thirds, other_options, elsewhere, stopped, killed, halted)}


def why_not(programs):
    if shutil.which("mpirun") is None:
        return "there is no mpirun (openmpi-bin)"
    done = subprocess.run([programs / "temper-mlp", "--help"], env=os.environ | {"OMPI_COMM_WORLD_SIZE": "2"}, capture_output=True,
                          text=True)
    if "built without MPI" in done.stderr:
        return "the programs were built without MPI (libopenmpi-dev)"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("tests", nargs="*", choices=[[], *TESTS], metavar="TEST")
    arguments = parser.parse_args()
    if reason := why_not(arguments.programs):
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.programs, pathlib.Path(folder), arguments.kills, random.Random(arguments.seed))
        for name in arguments.tests or TESTS:
            began = time.monotonic()
            try:
                TESTS[name](bench)
                print(f"{name}: passed, {time.monotonic() - began:.0f} s", flush=True)
            except (Failure, AssertionError) as failure:
                failures += 1
                print(f"{name}: FAILED: {failure}", flush=True)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
