#!/usr/bin/env python3
"""Runs the test suite on other CPUs, emulated by QEMU, without the test cases listed in apart.txt. They are of the
architecture that the suite was built for, x86-64 or arm64.

usage: suite.py --build build/test [--jobs N] [--logs FOLDER] [--only NAME]... [--list] [CPU...]
"""

import argparse
import concurrent.futures
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# The CPUs that are emulated unless others are asked for, by the architecture of the programs.
CPUS = {"x86_64": ["Haswell", "Nehalem"], "aarch64": ["neoverse-n1", "max"]}
SHARD = 8  # test cases
TIMEOUT = 7200  # seconds a shard
# Emulation is 10 to 100 times slower, so tests with random shapes use fewer of them.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TEMPER_RANDOM_SHAPES": "20", "TEMPER_PATIENCE": "20"}


def apart():
    """(program, test case) of each line of apart.txt."""
    lines = (HERE / "apart.txt").read_text(encoding="utf-8").splitlines()
    return {tuple(line.split(": ", 1)) for line in lines if line and not line.startswith("#")}


def architecture(program):
    """Of an ELF file, as QEMU calls it."""
    with program.open("rb") as file:
        machine = int.from_bytes(file.read(20)[18:], "little")
    return {62: "x86_64", 183: "aarch64"}[machine]


def emulator(program, cpu):
    """The command that runs the program on the CPU."""
    # With check=off, QEMU does not warn of what it cannot emulate; pauth-impdef is a fast way to sign pointers.
    options = {"x86_64": ",check=off", "aarch64": ",pauth-impdef=on" if cpu == "max" else ""}
    return [f"qemu-{architecture(program)}", "-cpu", cpu + options[architecture(program)], str(program)]


def test_programs(build):
    """That are built; one reads files only, and does not depend on the CPU."""
    found = sorted((build / "tests").glob("test_*"))
    return [program for program in found if program.is_file() and program.name != "test_structure"]


def test_cases(program, cpu):
    native = architecture(program) == platform.machine()
    command = [str(program)] if native else emulator(program, cpu)
    listing = subprocess.run([*command, "--list-test-cases", "--no-colors"], capture_output=True, text=True, check=True)
    return [line for line in listing.stdout.splitlines() if not line.startswith(("[doctest]", "==="))]


def ranges(cases, leave_out):
    """Ranges of neighbouring test cases, counted from 1 as in doctest: at most SHARD long, without those left out."""
    shard = []
    for number, case in enumerate(cases, 1):
        if case not in leave_out:
            shard.append(number)
        if shard and (case in leave_out or len(shard) == SHARD):
            yield shard[0], shard[-1]
            shard = []
    if shard:
        yield shard[0], shard[-1]


def wrapped(programs, cpu, folder):
    """A folder of scripts that run the training programs on the CPU."""
    folder.mkdir(parents=True, exist_ok=True)
    for program in programs.glob("temper-*"):
        script = folder / program.name
        script.write_text(f'#!/bin/sh\nexec {shlex.join(emulator(program, cpu))} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    return folder


def shards(build, cpu, logs):
    """(name, command) of every part of the suite, and the number of test cases left out."""
    listed = apart()
    found = []
    left_out = set()
    built = {"programs.py"}
    for program in test_programs(build):
        name = program.name.removeprefix("test_")
        built.add(name)
        cases = test_cases(program, cpu)
        leave_out = {case for case in cases if (name, case) in listed}
        left_out |= {(name, case) for case in leave_out}
        for first, last in ranges(cases, leave_out):
            cut = [f"--first={first}", f"--last={last}", "--no-colors"]
            found.append((f"{name} {first}-{last}", [*emulator(program, cpu), *cut]))
    script = HERE.parent / "programs/programs.py"
    programs = wrapped(build / "bin", cpu, logs / f"bin-{cpu}")
    for line in script.read_text(encoding="utf-8").splitlines():
        if not line.startswith("def test_"):
            continue
        test = line.removeprefix("def test_").split("(")[0]
        if ("programs.py", test) in listed:
            left_out.add(("programs.py", test))
            continue
        found.append((f"programs.py {test}", [sys.executable, "-B", str(script), "--programs", str(programs), test]))
    for program, case in sorted((program, case) for program, case in listed - left_out if program in built):
        raise SystemExit(f"apart.txt: there is no test '{program}: {case}'")
    return found, len(left_out)


def run(name, command, log):
    start = time.monotonic()
    with log.open("w") as output:
        try:
            status = subprocess.run(
                command, stdout=output, stderr=subprocess.STDOUT, timeout=TIMEOUT, env=os.environ | ENVIRONMENT
            ).returncode
        except subprocess.TimeoutExpired:
            status = "timeout"
    return name, status, time.monotonic() - start, log


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", action="append", metavar="NAME", help="a test program (kernels), or programs.py")
    parser.add_argument("--logs", type=pathlib.Path, help="default: a folder of the build")
    parser.add_argument("--list", action="store_true", help="print the shards and run none")
    parser.add_argument("cpus", nargs="*", metavar="CPU")
    options = parser.parse_args()
    build = options.build.resolve()
    logs = (options.logs or build / "cpu").resolve()
    programs = test_programs(build)
    if not programs:
        raise SystemExit(f"there are no test programs in {build}/tests")
    failures = 0
    for cpu in options.cpus or CPUS[architecture(programs[0])]:
        pieces, left_out = shards(build, cpu, logs)
        if options.only:
            pieces = [(name, command) for name, command in pieces if name.split()[0] in options.only]
        if options.list:
            print(*(name for name, _ in pieces), sep="\n")
            continue
        failed = 0
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            waiting = [
                pool.submit(run, name, command, logs / f"{cpu}-{name.replace(' ', '-')}.log")
                for name, command in pieces
            ]
            for done in concurrent.futures.as_completed(waiting):
                name, status, seconds, log = done.result()
                failed += status != 0
                result = "passed" if status == 0 else f"FAILED ({status}), see {log}"
                print(f"{cpu} {name}: {result}, {seconds:.0f} s", flush=True)
        print(f"{cpu}: {len(pieces) - failed} of {len(pieces)} shards passed, {left_out} tests kept apart", flush=True)
        failures += failed
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
