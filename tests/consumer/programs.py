#!/usr/bin/env python3
"""Builds training programs like users, with only the installed package: README's second program, which is also run, killed
and resumed, and a copy of every models/*/train.cpp.

usage: programs.py --source FOLDER --prefix INSTALLED --work FOLDER --compiler g++ [--flags FLAGS]
"""

import argparse
import pathlib
import random
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "programs"))
import jobs  # noqa: E402
import kill  # noqa: E402

MOST_LINES = 40


def copy_programs(source, copies):
    """Copies every training program into its own folder."""
    for program in sorted(source.glob("models/*/train.cpp")):
        target = copies / program.parent.name
        target.mkdir(parents=True)
        # Files of a program that are not in the installed models are copied too.
        own = f'#include "models/{program.parent.name}/' in program.read_text()
        for file in program.parent.glob("*.?pp") if own else [program]:
            shutil.copy(file, target)
    blocks = re.findall(r"^```cpp\n(.*?)^```", (source / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    readme = next(text for text in blocks if "run_program" in text)
    lines = len(readme.splitlines())
    assert lines <= MOST_LINES, f"README's training program has {lines} lines, expected {MOST_LINES} at most"
    (copies / "mine").mkdir()
    (copies / "mine" / "main.cpp").write_text(readme)


def run_readme(program, work):
    """A run that is killed twice and resumed ends with the same bytes as an uninterrupted one."""
    data = jobs.make_data(work / "data")["images"]
    start = [str(program), "--data", data, "--threads", "1", "--batch-size", "8", "--log-every", "1", "--hidden", "16"]
    start += ["--epochs", "3", "--eval-every", "5", "--checkpoint-every", "1"]
    help_text = jobs.run([str(program), "--help"])
    assert "--hidden" in help_text and "--dry-run" in help_text, help_text
    assert "mine: --hiden: there is no such option; did you mean --hidden?" in jobs.run([*start, "--hiden", "3"], 2)
    whole, killed = work / "whole", work / "killed"
    jobs.run([*start, "--out", str(whole)])
    assert (whole / "report.html").exists()
    kills = 0
    for step in (3, 14):
        goes_on = ["--resume"] if (killed / "config.toml").exists() else []
        kills += kill.killed_run([*start, "--out", str(killed), *goes_on], killed, step, random.uniform(0, 0.01))
    kill.resume([*start, "--out", str(killed)], killed)
    differ = jobs.differences(jobs.state(whole) | {"texts": None}, jobs.state(killed) | {"texts": None})
    assert not differ, f"README's program, killed {kills} times and resumed: {differ} differ"
    print(f"README's program: killed {kills} times, resumed to the same bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--prefix", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--flags", default="")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.work, ignore_errors=True)
    copies = arguments.work / "models"
    copy_programs(arguments.source, copies)
    build = arguments.work / "build"
    configure = ["cmake", "-G", "Ninja", "-S", arguments.source / "tests/consumer/programs", "-B", build]
    configure += [f"-DCMAKE_CXX_COMPILER={arguments.compiler}", f"-DCMAKE_CXX_FLAGS={arguments.flags}"]
    configure += [f"-DCMAKE_PREFIX_PATH={arguments.prefix}", f"-DPROGRAMS={copies}"]
    for command in (configure, ["cmake", "--build", build]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"{done.stdout}\nfailed: {' '.join(map(str, command))}")
    for program in sorted(copies.iterdir()):
        assert "--threads" in jobs.run([str(build / program.name), "--help"]), f"{program.name} --help"
    run_readme(build / "mine", arguments.work)
    print(f"{len(list(copies.iterdir()))} programs built against the installed package")


if __name__ == "__main__":
    main()
