#!/usr/bin/env python3
"""Trains a few steps on emulated CPUs: with AVX2, without AVX2, and without SSE4.

usage: train.py --programs build/test/bin
"""

import argparse
import pathlib
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).parent.parent / "programs"))
import jobs

# QEMU's CPUs, and the instruction set that the program must report on each.
CPUS = {"core2duo": "SSE2", "Nehalem": "SSE2", "Haswell": "AVX2+FMA", "EPYC-Rome": "AVX2+FMA"}


def train(programs, data, cpu, folder):
    """Runs the MLP and returns its output."""
    command = [str(programs / "temper-mlp"), "--steps", "3", "--batch-size", "2", "--threads", "1", "--log-every", "1"]
    text = jobs.run(["qemu-x86_64", "-cpu", f"{cpu},check=off", *command, "--data", data, "--out", str(folder)])
    losses = [line["train/loss"] for line in jobs.metrics(folder) if "train/loss" in line]
    if len(losses) != 3 or not all(0 < loss < 10 for loss in losses):
        raise AssertionError(f"the losses of 3 steps are {losses}\n{text}")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    programs = parser.parse_args().programs.resolve()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        data = jobs.make_data(work)["images"]
        for cpu, has in CPUS.items():
            try:
                text = train(programs, data, cpu, work / cpu)
                if f", {has}, " not in text:
                    raise AssertionError(f"expected {has} in\n{text}")
                print(f"{cpu}: trains with {has}", flush=True)
            except AssertionError as error:
                failures += 1
                print(f"FAILED: {cpu}: {error}", flush=True)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
