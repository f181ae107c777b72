#!/usr/bin/env python3
"""Sweeps of a training program: what they find, how they are killed at any instant and go on, and errors.

usage: sweep.py --programs build/bin [--kills 6] [--seed 1]
"""

import argparse
import json
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

import jobs

TRIES = ["--try", "lr=1e-5..1e-1:log", "--try", "weight-decay=0,0.1", "--runs", "9"]
failures = []


def expect(what, good, got=""):
    if not good:
        failures.append(what)
        print(f"FAILED: {what}: {got}", flush=True)


def start(program, data, out, *more):
    options = ["--steps", "18", "--batch-size", "8", "--threads", "1", "--log-every", "1", "--checkpoint-every", "2", "--data", data]
    return [str(program), "sweep", *options, *TRIES, "--out", str(out), *more]


def state(folder):
    """What must be the same however often a sweep was killed: its file without times, and each run's weights and figures."""
    sweep = json.loads((folder / "sweep.json").read_text())
    for trial in sweep["trials"]:
        for result in trial["results"]:
            del result["seconds"]
    runs = {}
    for run in sorted(path for path in folder.iterdir() if path.is_dir()):
        weights = run / "model.safetensors"
        runs[run.name] = (weights.read_bytes() if weights.exists() else None, jobs.metrics(run))
    return sweep, runs


def table(text):
    """The rows of the printed table, without the seconds."""
    lines = text.splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("place"))
    return [line.split()[:6] for line in lines[begin + 1 :] if re.match(r"\d", line)]


def whole(program, data, work):
    """A sweep that is not disturbed. Returns its state and its table."""
    folder = work / "whole"
    text = jobs.run(start(program, data, folder))
    sweep, runs = state(folder)
    expect("nine runs", len(sweep["trials"]) == 9 and len(runs) == 9, text)
    steps = [[result["step"] for result in trial["results"]] for trial in sweep["trials"]]
    expect("nine runs for 2 steps, three for 6, one for 18", sorted(map(len, steps)) == [1] * 6 + [2] * 2 + [3], steps)
    expect("at these steps", all(each == [2, 6, 18][: len(each)] for each in steps), steps)
    for round in (0, 1):
        went_on = [t["results"][round]["value"] for t in sweep["trials"] if len(t["results"]) > round + 1]
        left = [t["results"][round]["value"] for t in sweep["trials"] if len(t["results"]) == round + 1]
        expect(f"the best of round {round + 1} go on", min(went_on) >= max(left), f"{went_on}, {left}")
    rows = table(text)
    expect("a row a run", len(rows) == 9 and [row[0] for row in rows] == [str(i + 1) for i in range(9)], text)
    expect("sorted by length, then by figure", [(-int(r[4]), -float(r[5])) for r in rows] == sorted((-int(r[4]), -float(r[5])) for r in rows), rows)
    best = rows[0][1]
    expect("the best run has weights", runs[best][0] is not None)
    page = (folder / "report.html").read_text()
    expect("the report has the table and the runs", "place  run" in page and page.count('"folder":') == 9)

    # Successive halving goes on with runs and never makes an update again: each starts where it stopped.
    said = (folder / best / "output.txt").read_text()
    expect("the best run was resumed at 2 and at 6", re.findall(r"resumed at step (\d+)", said) == ["2", "6"], said)

    # A run of the sweep is the run that its options make, and the sweep says which.
    again = [line for line in text.splitlines() if line.startswith("to train so again: ")][0]
    plain = work / "plain"
    words = again.removeprefix("to train so again: ").split()
    jobs.run([str(program), *words[1:], "--out", str(plain)])
    expect("its weights are those of a run by itself", (plain / "model.safetensors").read_bytes() == runs[best][0])

    # Going on with a sweep that is over changes nothing.
    text = jobs.run([str(program), "sweep", "--resume", "--out", str(folder)])
    expect("a sweep that is over stays", state(folder) == (sweep, runs) and table(text) == rows, text)
    return (sweep, runs), rows


def killed(program, data, work, expected, rows, kills, draw):
    """Kills a sweep at random instants until it is over."""
    began = time.monotonic()
    jobs.run(start(program, data, work / "timed"))
    lasts = time.monotonic() - began
    for number in range(2):
        folder = work / f"killed{number}"
        done = 0
        while done < kills:
            again = [str(program), "sweep", "--resume", "--out", str(folder)]
            command = again if (folder / "sweep.json").exists() else start(program, data, folder)
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(draw.uniform(0, 1.6 * lasts / kills))
            if process.poll() is not None:
                break  # it was over before
            process.kill()
            process.wait()
            done += 1
        command = again if (folder / "sweep.json").exists() else start(program, data, folder)
        text = jobs.run(command)
        got = state(folder)
        expect(f"killed {done} times: the same sweep", got[0] == expected[0], got[0])
        expect(f"killed {done} times: the same runs", got[1] == expected[1], [k for k in got[1] if got[1][k] != expected[1].get(k)])
        expect(f"killed {done} times: the same table", table(text) == rows, text)
        print(f"  killed {done} times", flush=True)


def stopped(program, data, work, expected):
    """SIGTERM lets the run at hand save; the sweep says how to go on."""
    folder = work / "stopped"
    process = subprocess.Popen(start(program, data, folder, "--rounds", "3"), stdout=subprocess.PIPE, text=True)
    while not list(folder.glob("02/metrics.jsonl")):
        time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    text = process.communicate()[0]
    expect("SIGTERM: 143", process.returncode == 143, f"{process.returncode}\n{text}")
    expect("and how to go on", f"stopped; to go on: {program} sweep --resume --out {folder}" in text, text)
    jobs.run([str(program), "sweep", "--resume", "--out", str(folder)])
    expect("it goes on to the same sweep", state(folder) == expected)


def failing(program, data, work):
    """A run that fails is no end of a sweep, and the table says why."""
    folder = work / "failing"
    text = jobs.run([str(program), "sweep", "--data", data, "--batch-size", "8", "--threads", "1", "--steps", "9",
                     "--try", "max-loss=0,1e-3", "--out", str(folder)])
    expect("the reason is in the table", "beyond --max-loss 0.001" in text.split("place")[-1], text)
    text = jobs.run([str(program), "sweep", "--data", data, "--batch-size", "8", "--threads", "1", "--steps", "9",
                     "--try", "max-loss=1e-3,1e-4", "--out", str(work / "all failing")], 1)
    expect("all fail: an error", "all 2 runs of round 1 failed; the first: " in text and "output.txt" in text, text)


def errors(program, data, work):
    """Whatever is wrong is said before anything is written."""
    out = work / "none"
    base = ["--data", data]
    cases = [
        ([], "sweep: there is nothing to try; expected --try OPTION=VALUES at least once"),
        (["--try", "lr=1..2"], "--try lr=1..2 is a range, of which any number of values can be tried; --runs says how many"),
        (["--try", "rl=1,2"], "--try 'rl=1,2': --rl: there is no such option; did you mean --lr?"),
        (["--try", "out=a,b"], "--out is about a start of the program, not about the training"),
        (["--try"], "--try: expected a value after it"),
        (["--try", "batch-size=8,x"], "--try: the run with batch-size x: --batch-size: "),
        (["--try", "lr=1e-3,fast"], "--try: the run with lr fast: --lr: "),
        (["--try", "optimizer=adam,sgd", "--weight-decay", "0.1"], "the run with optimizer adam: --weight-decay: adam has no"),
        (["--try", "lr=1,2", "--lr", "3"], "there is --lr, too, with one value; give one of them"),
        (["--try", "lr=1,2", "--try", "lr=3"], "lr is tried already"),
        (["--try", "lr=1,2", "--runs", "0"], "--runs: '0', expected a whole number from 1 to 10000"),
        (["--try", "lr=1,2", "--factor=1"], "--factor: '1', expected a whole number from 2 to 10000"),
        (["--try", "lr=1,2", "--epoch", "3"], "--epoch: there is no such option; did you mean --epochs?"),
        (["--try", "lr=1,2", "--find-lr"], "--find-lr: a sweep has no such option"),
        (["--resume", "--try", "lr=1,2"], "--resume goes on with a sweep as it began; expected no other option than --out"),
    ]
    for arguments, expected in cases:
        more = [] if "--resume" in arguments else base
        text = jobs.run([str(program), "sweep", *more, "--out", str(out), *arguments], 2)
        expect(f"{arguments}", expected in text and text.startswith("temper-mlp: "), text)
        expect(f"{arguments}: nothing is written", not out.exists())
    text = jobs.run([str(program), "sweep", "--resume", "--out", str(out)], 1)
    expect("--resume without a sweep", "--resume: " in text and "holds no sweep" in text, text)
    text = jobs.run([str(program), "sweep", *base, "--try", "lr=1,2", "--out", str(work / "whole")], 1)
    expect("a second sweep in a folder", "holds a sweep already: --resume goes on with it" in text, text)
    text = jobs.run([str(program), "sweep", *base, "--try", "lr=1,2", "--out", str(work / "whole/01")], 1)
    expect("a sweep in a run's folder", "holds a run already" in text, text)
    text = jobs.run(start(program, data, out, "--dry-run"))
    expect("--dry-run", text.count("weight-decay") == 9 and "3 runs to 33.3% of their length" in text and not out.exists(), text)
    text = jobs.run([str(program), "sweep", "--help"])
    expect("--help", "--try OPTION=LOW..HIGH:log" in text, text)
    (work / "whole/sweep.json").write_text("{")
    text = jobs.run([str(program), "sweep", "--resume", "--out", str(work / "whole")], 1)
    expect("a damaged file", "whole/sweep.json: not the file of a sweep: " in text, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    program = (arguments.programs / "temper-mlp").resolve()
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        (work / "images").mkdir()
        data = str(jobs.make_images(work / "images"))
        expected, rows = whole(program, data, work)
        killed(program, data, work, expected, rows, arguments.kills, random.Random(arguments.seed))
        stopped(program, data, work, expected)
        failing(program, data, work)
        errors(program, data, work)
    print(f"{len(failures)} failures" if failures else "sweeps find, go on and refuse what they should")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
