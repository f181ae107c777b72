#!/usr/bin/env python3
"""./run.sh study --ladder [options]: which optimizer takes a GPT to a fixed validation loss in the fewest updates, and in the
fewest seconds.

A GPT of 4 blocks of 256 is trained on the King James Bible. Every entry gets the same budget of tuning: a sweep of its rate and
of one more number. Then, with what the sweep found, runs of growing length, each with a schedule of its own length, until one
reaches the target with the certainty of modded-nanogpt's third track: (target - mean) sqrt(seeds) / deviation >= 3.
Everything is kept in --out; after --minutes no run is begun, and the same command goes on. --table only prints.
"""

import argparse
import json
import math
import pathlib
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DECAY = "weight-decay=0.01..1:log"

# Name, options, what the sweep tries. All but one have a sweep of the same size.
ENTRIES = [
    ("SGD", ["--optimizer", "sgd"], ["lr=0.03..1:log", "momentum=0.9,0.95,0.98"]),
    ("AdamW, untuned", ["--optimizer", "adamw"], []),
    ("AdamW", ["--optimizer", "adamw"], ["lr=3e-4..1e-2:log", DECAY]),
    ("NAdamW", ["--optimizer", "nadamw"], ["lr=3e-4..1e-2:log", DECAY]),
    ("AdamW, cautious", ["--optimizer", "cautious_adamw"], ["lr=3e-4..1e-2:log", DECAY]),
    ("Lion", ["--optimizer", "lion"], ["lr=3e-5..1e-3:log", "weight-decay=0.1..10:log"]),
    ("Lion, cautious", ["--optimizer", "cautious_lion"], ["lr=3e-5..1e-3:log", "weight-decay=0.1..10:log"]),
    ("Muon", ["--optimizer", "muon", "--momentum", "0.95"], ["lr=1e-3..3e-2:log", DECAY]),
    ("NorMuon", ["--optimizer", "normuon", "--momentum", "0.95"], ["lr=1e-3..3e-2:log", DECAY]),
    ("SOAP", ["--optimizer", "soap"], ["lr=1e-3..3e-2:log", DECAY]),
    ("Schedule-Free", ["--optimizer", "schedule_free", "--decay", "constant"], ["lr=1e-3..3e-2:log", DECAY]),
    ("AdEMAMix", ["--optimizer", "ademamix"], ["lr=3e-4..1e-2:log", DECAY]),
]


class OutOfTime(Exception):
    pass


class Ladder:
    def __init__(self, options):
        self.options = options
        self.out = pathlib.Path(options.out)
        self.end = time.monotonic() + 60 * options.minutes
        # Weights that the embedding shares are an embedding to Muon; all have the same warm-up.
        self.model = ["--layers", options.layers, "--width", options.width, "--heads", 4, "--context", 64,
                      "--batch-size", 8, "--warmup", "10%", "--sample-length", 1, "--held-out", options.held_out]

    def call(self, command, log):
        """Runs a training program; what it prints is added to a file."""
        if self.options.table or time.monotonic() >= self.end:
            raise OutOfTime
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [str(ROOT / "run.sh"), *map(str, command)]
        print(f"ladder: {shlex.join(command[1:])}", file=sys.stderr)
        with log.open("a") as file:
            if subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT).returncode == 0:
                return
        sys.exit(f"ladder: a run failed; it says why at the end of {log}")

    def tuned(self, name, fixed, tried):
        """The options to train with: those of the best run of the sweep."""
        if not tried:
            return fixed
        folder = self.out / slug(name) / "sweep"
        log = folder.with_suffix(".txt")
        found = best_of(log)
        if found is None:
            steps = self.options.tuning_steps
            arguments = ["--resume", "--out", folder] if (folder / "sweep.json").exists() else [
                "--out", folder, "--runs", self.options.tuning_runs, "--rounds", 2, *self.model, *fixed, "--steps", steps,
                "--eval-every", steps, *(word for each in tried for word in ("--try", each))]
            self.call(["sweep", "gpt", *arguments], log)
            found = best_of(log)
        names = ["--" + each.split("=")[0] for each in tried]  # the sweep writes --lr=0.01
        given = [word.split("=", 1) for word in found if word.split("=")[0] in names]
        return fixed + [word for name, value in given for word in (name, value)]

    def run(self, name, options, steps, seed):
        """Validation loss and seconds of a run of so many updates."""
        folder = self.out / slug(name) / f"{steps}-{seed}"
        result = folder / "result.json"
        if not result.exists():
            begun = ["--resume"] if (folder / "checkpoints").exists() else ["--overwrite"]
            self.call(["gpt", *self.model, *options, "--steps", steps, "--eval-every", steps, "--seed", seed, *begun,
                       "--out", folder], self.out / slug(name) / "runs.txt")
        loss = json.loads(result.read_text())["metrics"][0]["value"]
        # Without the evaluation at the end: the last line about training.
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        trained = [line["time"] for line in lines if "train/loss" in line]
        return (math.inf if loss is None else loss), trained[-1]

    def climb(self, name, options):
        """The fewest updates with which the target is reached for sure: updates, losses, seconds; None when none do."""
        seeds, target = self.options.seeds, self.options.target
        for steps in self.options.lengths:
            loss, seconds = self.run(name, options, steps, 1)
            if loss > target:
                continue
            runs = [(loss, seconds)]
            for seed in range(2, seeds + 1):
                runs.append(self.run(name, options, steps, seed))
                # It cannot be reached any more when the mean of those so far is well above.
                if len(runs) >= 3 and mean([r[0] for r in runs]) > target:
                    break
            losses = [r[0] for r in runs]
            if len(runs) == seeds and certainty(losses, target) >= 3.0:
                return steps, losses, [r[1] for r in runs]
        return None


def slug(name):
    return name.lower().replace(", ", "-").replace(" ", "-")


def best_of(log):
    """The options that the sweep names at its end."""
    if not log.exists():
        return None
    lines = [line for line in log.read_text().splitlines() if line.startswith("to train so again: ")]
    return shlex.split(lines[-1]) if lines else None


def mean(values):
    return sum(values) / len(values)


def deviation(values):
    middle = mean(values)
    return math.sqrt(sum((x - middle)**2 for x in values) / (len(values) - 1)) if len(values) > 1 else 0.0


def certainty(losses, target):
    """z of the hypothesis that the expected loss is not below the target."""
    spread = deviation(losses)
    return (target - mean(losses)) * math.sqrt(len(losses)) / spread if spread > 0 else 0.0


def table(ladder):
    o = ladder.options
    lines = [f"Held-out loss of {o.target} nats per character; {o.seeds} seeds; tuned by {o.tuning_runs} runs of up to "
             f"{o.tuning_steps} updates each; lengths {', '.join(map(str, o.lengths))}.", "",
             "| optimizer | options | updates | seconds | loss | z |", "|---|---|--:|--:|--:|--:|"]
    rows, complete = [], True
    for name, fixed, tried in ENTRIES:
        if o.only and o.only.lower() not in name.lower():
            continue
        try:
            options = ladder.tuned(name, fixed, tried)
            reached = ladder.climb(name, options)
        except OutOfTime:
            complete = False
            rows.append((math.inf, f"| {name} | | not done | | | |"))
            continue
        shown = " ".join(w for pair in zip(options[::2], options[1::2]) for w in pair if pair[0] != "--optimizer")
        if reached is None:
            rows.append((math.inf, f"| {name} | {shown} | over {o.lengths[-1]} | | | |"))
            continue
        steps, losses, seconds = reached
        rows.append((steps, f"| {name} | {shown} | {steps} | {mean(seconds):.1f} ± {deviation(seconds):.1f} | "
                     f"{mean(losses):.4f} ± {deviation(losses):.4f} | {certainty(losses, o.target):.1f} |"))
    lines += [line for _, line in sorted(rows, key=lambda row: row[0])]
    return "\n".join(lines) + "\n", complete


def main():
    parser = argparse.ArgumentParser(prog="./run.sh study --ladder", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=str(ROOT / "runs/ladder"), help="folder of all runs")
    parser.add_argument("--minutes", type=float, default=60, help="begin no run after this time")
    parser.add_argument("--target", type=float, default=1.5, help="held-out loss, in nats per character")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--lengths", type=int, nargs="+", default=[300, 350, 400, 450, 500, 600, 700, 800, 1000, 1200])
    parser.add_argument("--tuning-runs", type=int, default=9, help="runs of each sweep; a third of them go on to the end")
    parser.add_argument("--tuning-steps", type=int, default=400, help="updates of those")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--held-out", type=int, default=50000, help="characters of the held-out text to evaluate on")
    parser.add_argument("--only", default="", help="the entries whose names contain this")
    parser.add_argument("--table", action="store_true", help="print what is there, and begin nothing")
    ladder = Ladder(parser.parse_args())
    text, complete = table(ladder)
    print(text, end="")
    if not complete:
        print("\nnot all is done; the same command goes on")
    ladder.out.mkdir(parents=True, exist_ok=True)
    (ladder.out / "ladder.md").write_text(text)


if __name__ == "__main__":
    main()
