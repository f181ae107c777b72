#!/usr/bin/env python3
"""Runs the training programs on small jobs, and checks that they learn, that every option works, how they stop, and errors.

usage: programs.py --programs build/bin [TEST...]
"""

import argparse
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import jobs
import kill

# The factor by which each program's loss decreases at least in a job of this many updates.
LEARN = {
    "mlp": (2.0, ["--steps", "60"]),
    "cnn": (2.0, ["--steps", "60"]),
    "resnet": (1.5, ["--steps", "100", "--lr", "0.05"]),
    "gpt": (1.7, ["--steps", "120", "--lr", "1e-2"]),
    "word2vec": (1.3, ["--steps", "300", "--lr", "0.05"]),
    "llama": (1.7, ["--steps", "120", "--lr", "1e-2"]),
    "bert": (1.5, ["--steps", "150", "--lr", "1e-2", "--pretrain", "0", "--word-dropout", "0"]),
    "tabular": (1.7, ["--steps", "150", "--dropout", "0", "--lr", "2e-2", "--patience", "0"]),
    "generate": (1.5, ["--steps", "60", "--lr", "1e-2", "--ema", "0"]),
    "forecast": (1.7, ["--steps", "150", "--lr", "1e-2"]),
}

F32_ALONE = {"tabular", "forecast", "generate"}  # programs without --dtype


class Bench:
    """The programs, their data, and a folder for each run."""

    def __init__(self, programs, work):
        self.programs = programs.resolve()
        self.work = work
        self.data = jobs.make_data(work)
        self.count = 0

    def folder(self):
        self.count += 1
        return self.work / f"run{self.count}"

    def command(self, model, *options, out=None):
        return jobs.command(self.programs, model, self.data, out or self.folder(), *options)

    def mlp(self, *options, out=None, expect=0, **more):
        """Runs the MLP; returns its output and its folder."""
        out = out or self.folder()
        text = jobs.run(self.command("mlp", *options, out=out), expect, **more)
        return text, out

    def plain(self, *options, expect=0):
        """The command of the MLP without the options that the jobs share."""
        return jobs.run([str(self.programs / "temper-mlp"), "--data", self.data["images"], *options], expect)


def weights(folder):
    return (pathlib.Path(folder) / "model.safetensors").read_bytes()


def losses(folder):
    return [line["train/loss"] for line in jobs.metrics(folder) if "train/loss" in line]


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def test_learning(bench):
    """Every program's loss decreases."""
    for model in LEARN:
        if not (bench.programs / f"temper-{model}").exists():
            continue
        factor, options = LEARN[model]
        out = bench.folder()
        command = [a for a in bench.command(model, out=out) if a not in ("--steps", str(jobs.STEPS))]
        if "--pretrain" in options:
            at = command.index("--pretrain")
            del command[at : at + 2]
        jobs.run(command + options)
        seen = losses(out)
        first, last = sum(seen[:5]) / 5, sum(seen[-5:]) / 5
        check(first / last >= factor, f"{model}: the loss falls from {first} to {last}, expected by {factor}")
        print(f"  {model}: {first:.3f} to {last:.3f}")


def test_folder(bench):
    """A run's folder has the files that the documentation describes."""
    output, out = bench.mlp("--checkpoint-every", "5")
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    expected = "config.toml metrics.jsonl model.txt model.safetensors report.html result.json".split()
    expected += [f"checkpoints/{name}.safetensors" for name in ("last", "previous", "best")]
    expected.append("samples.json")
    check(names == set(expected), f"the folder holds {sorted(names)}")
    entries = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    training = [e for e in entries if "train/loss" in e]
    keys = "step epoch time train/loss lr grad_norm update_ratio throughput memory_mb".split()
    check(all(list(e) == keys for e in training), f"a line has {list(training[0])}")
    check([e["step"] for e in training] == list(range(1, jobs.STEPS + 1)), "not a line a step")
    check([e["epoch"] for e in training] == [1 + i // jobs.EPOCH for i in range(jobs.STEPS)], "wrong epochs")
    check([e["step"] for e in entries if "test/accuracy" in e] == [10, 20, 24], "wrong steps of evaluation")
    check(all(e["update_ratio"] > 0 and e["grad_norm"] > 0 and e["memory_mb"] > 0 for e in training), "no figures")
    check(all(a["time"] <= b["time"] for a, b in zip(entries, entries[1:])), "time goes back")
    check("total" in (out / "model.txt").read_text(), "model.txt is no table")
    said = [line for line in output.splitlines() if not line.startswith("mlp: ")]  # progress, where a run takes longer
    check(re.fullmatch(r"test accuracy [01]\.\d{4}", said[-1]), "the last line is not the metric")


def test_piped_output(bench):
    """Output to a pipe has no progress bars or control characters."""
    output, _ = bench.mlp()
    check(not re.search(r"[^\x20-\x7e\n]", output), f"control characters: {output!r}")
    check(all(line.strip() for line in output.splitlines()), "blank lines")


def test_options(bench):
    """Every option has its effect and no other."""
    _, reference = bench.mlp()
    base = weights(reference)
    changing = {
        "--epochs": ["2"],  # without --steps
        "--steps": ["5"],
        "--batch-size": ["16"],
        "--accumulate": ["2"],
        "--optimizer": ["lion"],
        "--lr": ["0.01"],
        "--warmup": ["50%"],
        "--decay": ["constant"],
        "--weight-decay": ["0.5"],
        "--clip-norm": ["0.1"],
        "--ema": ["0.5"],
        "--seed": ["2"],
        "--beta2": ["0.9"],
    }
    drop = lambda command, name: command[: command.index(name)] + command[command.index(name) + 2 :]  # noqa: E731
    for name, value in changing.items():
        out = bench.folder()
        command = bench.command("mlp", out=out)
        if name in command:
            command = drop(command, name)
        if name == "--epochs":
            command = drop(command, "--steps")
        jobs.run(command + [name, *value])
        check(weights(out) != base, f"{name} changes nothing")
    output, out = bench.mlp("--dtype", "bf16")  # some CPUs cannot compute in bf16
    check((weights(out) != base) != ("training in f32" in output), "--dtype neither changes the weights nor says why")
    for name, method in (("--momentum", "sgd"), ("--l2", "adam")):
        out = [bench.mlp("--optimizer", method, *more)[1] for more in ([], [name, "0.5"])]
        check(weights(out[0]) != weights(out[1]), f"{name} changes nothing")
    for name, value in (("--checkpoint-every", "3"), ("--checkpoint-every", "0.01s"), ("--histograms", "5"), ("--tensorboard", None)):
        out = bench.mlp(name, *([value] if value else []))[1]
        check(weights(out) == base, f"{name} changes the weights")
    events = list((pathlib.Path(out) / "tensorboard").glob("events.out.tfevents.*"))
    check(len(events) == 1 and b"train/loss" in events[0].read_bytes(), "--tensorboard writes no events")
    out = bench.folder()
    command = drop(drop(bench.command("mlp", out=out), "--log-every"), "--eval-every")
    jobs.run(command + ["--log-every", "7", "--eval-every", "6"])
    check(weights(out) == base, "--log-every or --eval-every changes the weights")
    steps = [(line["step"], "train/loss" in line) for line in jobs.metrics(out)]
    expected = [(6, 0), (7, 1), (12, 0), (14, 1), (18, 0), (21, 1), (24, 1), (24, 0)]
    check(steps == expected, f"lines of steps {steps}")
    two = bench.folder()
    command = drop(bench.command("mlp", out=two), "--threads")
    check("2 threads" in jobs.run(command + ["--threads", "2"]), "--threads 2 does not take two")
    for method in "adamw sgd sgdw adam lion lamb nadam radam adamax rmsprop adagrad muon adafactor".split():
        _, out = bench.mlp("--optimizer", method, "--lr", "1e-3")
        check(losses(out)[-1] < losses(out)[0], f"{method} does not learn")
    rates = {}
    for shape in "linear cosine constant sqrt inverse-sqrt wsd".split():
        _, out = bench.mlp("--decay", shape, "--warmup", "4")
        rates[shape] = tuple(round(line["lr"], 9) for line in jobs.metrics(out) if "lr" in line)
        check(rates[shape][:4] == (0.00025, 0.0005, 0.00075, 0.001), f"{shape}: warm-up is {rates[shape][:4]}")
    check(len(set(rates.values())) == len(rates), "two shapes of decay are the same")


def test_version_and_help(bench):
    """--version is one line, and says of what. --help shows the program as it was called."""
    program = bench.programs / "temper-mlp"
    text = jobs.run([program, "--version"])
    check(re.fullmatch(r"Temper \d+\.\d+\.\d+, \S+, \d+ threads?, oneDNN \d+\.\d+\.\d+ \(.*\)\n", text), text)
    for called, environment in ((program.name, {}), ("./run.sh mlp", {"TEMPER_COMMAND": "./run.sh mlp"})):
        text = jobs.run([program, "--help"], env=os.environ | environment)
        check(f"\nUsage: {called} [OPTIONS]\n" in text, text[:300])


def test_accumulation(bench):
    """Two batches of 4 give the update of one batch of 8, up to rounding."""
    runs = []
    for size, count in (("8", "1"), ("4", "2")):
        out = bench.folder()
        command = bench.command("mlp", "--accumulate", count, out=out)
        command[command.index("--batch-size") + 1] = size
        jobs.run(command)
        runs.append([line["grad_norm"] for line in jobs.metrics(out) if "grad_norm" in line])
    check(all(abs(a - b) < 1e-3 * a for a, b in zip(*runs)), f"norms of the gradients: {runs}")


def test_schedule_text(bench):
    """--lr accepts a schedule."""
    _, out = bench.mlp("--lr", "2e-3 * warmup(2).then(cosine(20, {.end = 0.1}))")
    rates = [line["lr"] for line in jobs.metrics(out) if "lr" in line]
    check(rates[:3] == [0.001, 0.002, 0.002] and abs(rates[-1] - 0.0002) < 1e-9, f"rates {rates}")
    _, again = bench.mlp("--config", str(out / "config.toml"))
    check(weights(again) == weights(out), "its configuration gives another run")


def test_config(bench):
    """A run can be repeated from its configuration; the command line overrides it."""
    _, out = bench.mlp("--seed", "5", "--ema", "0.9", "--clip-norm", "0.5", "--decay", "cosine")
    again = bench.folder()
    bench.plain("--config", str(out / "config.toml"), "--out", str(again))
    check(weights(again) == weights(out), "not the same run")
    check((again / "config.toml").read_text() == (out / "config.toml").read_text(), "not the same configuration")
    other = bench.folder()
    bench.plain("--config", str(out / "config.toml"), "--seed", "6", "--out", str(other))
    check(weights(other) != weights(out), "--seed does not count more than the file")
    longer = bench.folder()
    bench.plain("--config", str(out / "config.toml"), "--epochs", "1", "--out", str(longer))
    check(jobs.metrics(longer)[-1]["step"] == jobs.EPOCH, "--epochs does not count more than the file's steps")


def test_dry_run(bench):
    """--dry-run prints model, memory, schedule and the linter's warnings, and writes no files."""
    output, out = bench.mlp("--dry-run", "--ema", "0.9", "--warmup", "0")
    for part in ("Linear(784, 256)", "235146 numbers", "gradients", "moments", "average", "activations", "24 updates"):
        check(part in output, f"no '{part}' in:\n{output}")
    check("****" in output, "no graph of the schedule")
    check("weight decay alone leaves" in output, "nothing from the linter")
    check(not out.exists(), "it leaves a folder")
    check("masters" not in output, f"f32 has no masters:\n{output}")
    narrow, _ = bench.mlp("--dry-run", "--dtype", "bf16")
    if "training in f32" not in narrow:
        # 234,752 weights of 2 bytes and 394 biases of 4; the masters of the weights.
        for line in ("parameters          0.4 MiB   235146 numbers", "masters             0.9 MiB"):
            check(line in narrow, f"no '{line}' in:\n{narrow}")


def test_folders(bench):
    """No run is overwritten without --overwrite."""
    command = [str(bench.programs / "temper-mlp"), "--data", bench.data["images"], "--steps", "2", "--threads", "1"]
    home = bench.folder()
    home.mkdir()
    for _ in range(2):
        jobs.run(command, cwd=home)
    names = sorted(path.name for path in (home / "runs").iterdir())
    check(names == ["mlp", "mlp-2"], f"two runs are in {names}")
    before = (home / "runs/mlp/metrics.jsonl").read_text()
    text = jobs.run(command + ["--out", "runs/mlp"], 1, cwd=home)
    check("holds a run already: --resume goes on with it, --overwrite replaces it" in text, text)
    check((home / "runs/mlp/metrics.jsonl").read_text() == before, "the run was changed")
    jobs.run(command + ["--out", "runs/mlp", "--overwrite", "--seed", "9"], cwd=home)
    check((home / "runs/mlp/metrics.jsonl").read_text() != before, "the run was not replaced")
    newest = jobs.run([*command[:3], "--threads", "1", "--resume"], cwd=home)
    check("resumed at step 2 from runs/mlp/checkpoints/last.safetensors" in newest, newest)
    failing = jobs.run([command[0], "--data", "nowhere", "--steps", "2"], 1, cwd=home)
    check("apt-get install" in failing, failing)
    check(not (home / "runs/mlp-3").exists(), "a run that found no data leaves a folder")


def wait_for(path, process):
    while not path.exists() and process.poll() is None:
        time.sleep(0.005)


def test_interrupt(bench):
    """Ctrl-C finishes the step, saves and prints how to resume; the second one ends the program."""
    out = bench.folder()
    command = bench.command("mlp", out=out)
    command[command.index("--steps") + 1] = "1000000"  # no machine ends before the signal
    environment = os.environ | {"TEMPER_COMMAND": "./run.sh mlp"}
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        extra = ["--resume"] if out.exists() else []
        metrics = out / "metrics.jsonl"
        before = metrics.stat().st_size if extra else 0
        process = subprocess.Popen(command + extra, stdout=subprocess.PIPE, text=True, env=environment)
        wait_for(metrics, process)
        while metrics.stat().st_size <= before and process.poll() is None:  # until it trains, however slowly it starts
            time.sleep(0.01)
        time.sleep(0.05)
        process.send_signal(number)
        text, _ = process.communicate(timeout=60)
        check(process.returncode == status, f"ended with {process.returncode}: {text}")
        check(f"to go on: ./run.sh mlp --resume --out {out}" in text, text)
        step = int(re.search(r"stopped after step (\d+)/1000000", text)[1])
        check(jobs.metrics(out)[-1]["step"] == step, "metrics end at another step")
        header, _ = jobs.read_safetensors(out / "checkpoints/last.safetensors")
        check(header["__metadata__"]["note/step"] == str(step), "the checkpoint is of another step")
    # The stopped and resumed run is then like an uninterrupted one.
    whole, end = bench.folder(), ["--stop-at", str(step + 20)]
    jobs.run(command[: command.index("--out")] + ["--out", str(whole), *end])
    jobs.run(command + ["--resume", *end])
    differ = jobs.differences(jobs.state(whole) | {"texts": 0}, jobs.state(out) | {"texts": 0})
    check(not differ, f"stopped twice, {differ} differ")

    # The second signal ends the program at once, and so does one before the first step.
    process = subprocess.Popen(command[: command.index("--out")] + ["--out", str(bench.folder())], stdout=subprocess.PIPE)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    process.stdout.close()
    check(process.returncode in (130, -signal.SIGINT), f"two signals: {process.returncode}")


def test_little_memory(bench):
    """Without enough memory a run ends with an error message, and its checkpoints stay valid."""
    program = str(bench.programs / "temper-mlp")

    def limit(mebibytes):
        return lambda: resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))

    if subprocess.run([program, "--help"], preexec_fn=limit(256), capture_output=True).returncode != 0:
        print("  skipped: no program starts within 256 MiB here")  # with a sanitizer or an emulator
        return
    out = bench.folder()
    command = bench.command("mlp", "--checkpoint-every", "5", out=out)
    command[command.index("--steps") + 1] = "200"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    wait_for(out / "checkpoints/last.safetensors", process)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)
    more = command + ["--resume"]
    ended = []
    for mebibytes in range(48, 128, 4):
        # Libraries that cannot be loaded, or that need more memory before main() begins (oneDNN 3), are not ours to mend.
        if subprocess.run([program, "--help"], preexec_fn=limit(mebibytes), capture_output=True).returncode not in (0, 1):
            continue
        done = subprocess.run(more, preexec_fn=limit(mebibytes), capture_output=True, text=True, timeout=300)
        ended.append(done.returncode)
        check(done.returncode in (0, 1), f"{mebibytes} MiB: ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        if done.returncode == 1:
            said = done.stderr.splitlines()[-1]
            # Without memory for its own data, OpenMP's runtime ends the process itself.
            expected = r"temper-mlp: .*(not enough memory|cannot start worker)|libgomp: Out of memory"
            check(re.match(expected, said), f"{mebibytes} MiB: {said}")
        for checkpoint in (out / "checkpoints").iterdir():
            jobs.read_safetensors(checkpoint)
        if done.returncode == 0:
            break
    check(ended[0] == 1 and ended[-1] == 0, f"ended with {ended}")
    check(jobs.metrics(out)[-1]["step"] == 200, "metrics end at another step")


def test_file_size(bench):
    """Past the limit of a file's size a run ends with an error, not by a signal, and leaves no half-written file."""
    out = bench.folder()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100 << 10, 100 << 10))
    done = subprocess.run(bench.command("mlp", out=out), preexec_fn=limit, capture_output=True, text=True, timeout=300)
    check(done.returncode == 1, f"ended with {done.returncode}:\n{done.stderr}")
    said = done.stderr.splitlines()[-1]
    check(re.match(r"temper-mlp: .*safetensors: cannot write: File too large", said), said)
    check(not list(out.rglob("*.tmp")), f"left behind: {list(out.rglob('*.tmp'))}")


def test_dumb_terminal(bench):
    """On a terminal progress is a line drawn anew; on one that cannot do that, no escape sequence is written."""
    for kind, expected in (("xterm", True), ("dumb", False)):
        ours, theirs = os.openpty()
        command = bench.command("mlp")
        for option in ("--steps", "--log-every", "--eval-every"):  # longer than a bar takes to appear
            command[command.index(option) + 1] = "5000"
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=os.environ | {"TERM": kind})
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):  # while it runs: what nobody reads would stop it
                said += part
        except OSError:  # the end of a terminal
            pass
        os.close(ours)
        check(process.wait(timeout=300) == 0, f"TERM={kind}: ended with {process.returncode}")
        check((b"\x1b" in said) == expected, f"TERM={kind}: {said[-200:]}")


def test_trace(bench):
    """TEMPER_TRACE records forward, backward, optimizer and loader, and prints a table; without it nothing is printed."""
    file = bench.work / "trace.json"
    for model in ("mlp", "gpt"):
        text = jobs.run(bench.command(model), env=os.environ | {"TEMPER_TRACE": str(file)})
        events = json.loads(file.read_text())["traceEvents"]
        seen = {}
        for event in events:
            if event["ph"] == "X":
                seen.setdefault(event["cat"], set()).add(event["name"])
                check(event["dur"] >= 0 and event["ts"] >= 0, f"{model}: {event}")
        product = "linear_relu" if model == "mlp" else "self_attention"
        for track in ("forward", "backward"):
            check(product in seen[track], f"{model}: no {product} among {seen}")
        check(len(seen["optimizer"]) == 1 and "collate" in seen["loader"], f"{model}: {seen}")
        shapes = [e["args"]["shapes"] for e in events if e.get("cat") == "forward" and e["name"] == product]
        check(all(re.fullmatch(r"(\[[\d, ]*\](, )?)+ -> \[[\d, ]*\]", s) for s in shapes), f"{model}: {shapes[:3]}")
        # Spans on a track are nested or disjoint.
        rows = {}
        for event in sorted((e for e in events if e["ph"] == "X"), key=lambda e: (e["ts"], -e["dur"])):
            open_until = rows.setdefault(event["tid"], [])
            while open_until and open_until[-1] <= event["ts"] + 0.002:
                open_until.pop()
            end = event["ts"] + event["dur"]
            check(not open_until or end <= open_until[-1] + 0.002, f"{model}: {event} ends after what it is in")
            open_until.append(end)
        calls = len(shapes)
        line = re.search(rf"^forward +{product} +(\d+) +[\d.]+ +[\d.]+ % +[\d.]+$", text, re.MULTILINE)
        check(line and int(line[1]) == calls, f"{model}: {calls} calls of {product}, the table says\n{text}")
        check(f"trace: {file} opens in" in text, text)
    out = bench.work / "untraced"
    done = subprocess.run(bench.command("mlp", out=out), env=os.environ | {"TEMPER_TRACE": "/nowhere/trace.json"},
                          capture_output=True, text=True, timeout=jobs.TIMEOUT, check=False)
    check(done.returncode == 1 and done.stderr == "temper-mlp: TEMPER_TRACE: /nowhere/trace.json: No such file or directory\n", done)
    check(not out.exists() and not done.stdout, "something ran without the trace that was asked for")
    check("trace" not in bench.mlp()[0], "there is talk of a trace that nobody asked for")


def test_damaged_checkpoint(bench):
    """If the newest checkpoint is damaged, the run resumes from the previous one with a message, and ends the same."""
    whole, out = bench.folder(), bench.folder()
    bench.mlp("--checkpoint-every", "5", out=whole)
    bench.mlp("--checkpoint-every", "5", out=out)
    last = out / "checkpoints/last.safetensors"
    raw = bytearray(last.read_bytes())
    raw[-5] ^= 64
    last.write_bytes(raw)
    text, _ = bench.mlp("--checkpoint-every", "5", "--resume", out=out)
    check("damaged, going back to an older one" in text and "checksum_mismatch" in text, text)
    check("resumed at step 20" in text, text)
    check(not jobs.differences(jobs.state(whole), jobs.state(out)), "it ends differently")
    for name in ("last", "previous"):
        path = out / f"checkpoints/{name}.safetensors"
        path.write_bytes(path.read_bytes()[:-1])
    check("no checkpoint is whole" in bench.mlp("--resume", out=out, expect=1)[0], "damaged ones are taken")


def test_resumed_files(bench):
    """A resumed run keeps its vocabulary, and adds an event file that voids the events after its checkpoint."""
    out = bench.folder()
    command = bench.command("bert", "--checkpoint-every", "5", out=out)
    jobs.run(command)
    (out / "checkpoints/last.safetensors").unlink()
    check("resumed at step" in jobs.run(command + ["--resume"]), "bert does not go on")
    (out / "tokenizer").write_bytes(b"no vocabulary")
    check("tokenizer" in jobs.run(command + ["--resume"], 1), "bert does not read the vocabulary of its run")

    out = bench.folder()
    options = ["--checkpoint-every", "5", "--tensorboard"]
    bench.mlp(*options, out=out)
    (out / "checkpoints/last.safetensors").unlink()  # the previous one is of step 20
    bench.mlp(*options, "--resume", out=out)
    files = sorted((out / "tensorboard").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    check(len(files) == 2, f"event files {files}")
    check(b"\x3a\x02\x08\x01" not in files[0].read_bytes(), "the first event file begins a second time")
    # Event { step: 21, session_log { status: START } }: TensorBoard drops the points from that step on.
    check(b"\x10\x15\x3a\x02\x08\x01" in files[1].read_bytes(), "the second event file does not say where it begins")


def test_fine_tuning(bench):
    """bert goes on from a folder of Hugging Face's, as a whole or by adapters; resumed, it ends in the same bits."""
    golden = pathlib.Path(__file__).resolve().parent.parent / "golden"
    model = bench.folder()
    model.mkdir()
    shutil.copy(golden / "bert_classification.safetensors", model / "model.safetensors")
    sizes = {"vocab_size": 23, "max_position_embeddings": 12, "type_vocab_size": 2, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 3, "hidden_size": 12, "intermediate_size": 20}
    (model / "config.json").write_text(json.dumps({"model_type": "bert", "layer_norm_eps": 1e-12, **sizes}))
    words = "[PAD] [UNK] [CLS] [SEP] [MASK]".split() + list("abcdefghij") + [f"##{c}" for c in "xyzuv"]
    (model / "vocab.txt").write_text("\n".join(words) + "\n")

    def command(*options, out, model=model):
        shared = ["--threads", "1", "--batch-size", "8", "--log-every", "1", "--steps", "10", "--checkpoint-every", "5"]
        return [str(bench.programs / "temper-bert"), "--data", bench.data["wordnet"], *shared, "--from", str(model),
                *options, "--out", str(out)]

    before = jobs.read_safetensors(model / "model.safetensors")[1]
    for options in ([], ["--lora", "2"]):
        whole, out = bench.folder(), bench.folder()
        jobs.run(command(*options, out=whole))
        text = jobs.run(command(*options, "--stop-at", "6", out=out))
        check("stopped after step 6" in text, text)
        (model / "vocab.txt").rename(model / "elsewhere")
        text = jobs.run(command(*options, "--resume", out=out))
        (model / "elsewhere").rename(model / "vocab.txt")
        check("resumed at step 6" in text, text)
        check(weights(whole) == weights(out), f"{options}: resumed, it ends differently")
        after = jobs.read_safetensors(out / "model.safetensors")[1]
        same = after["bert.blocks.0.up.weight"] == before["bert.encoder.layer.0.intermediate.dense.weight"]
        check(same == bool(options), f"{options}: the weights of --from are {'' if same else 'not '}as they were")
        check(("bert.blocks.0.up.lora_A.weight" in after) == bool(options), f"{options}: has other parameters")

    text = jobs.run(command("--layers", "2", out=bench.folder()), 1)
    check("--layers, --heads, --width, --hidden: those of --from are in its folder" in text, text)
    check("rank -1" in jobs.run(command("--lora", "-1", out=bench.folder()), 1), "a rank of -1 is taken")
    text = jobs.run(command(out=bench.folder(), model=bench.folder()), 1)
    check("has no tokenizer, neither tokenizer.json nor vocab.txt" in text, text)
    text = jobs.run(bench.command("bert", "--lora", "4"), 1)
    check("--lora: adapts a trained BERT, whose folder --from names" in text, text)
    (model / "vocab.txt").write_text("\n".join(words + list("klmn")) + "\n")
    text = jobs.run(command(out=bench.folder()), 1)
    check("--from: the tokenizer has 24 tokens, the model 23" in text, text)


def test_bf16(bench):
    """Every program with --dtype trains in bf16, and a resumed run ends with the same bytes."""
    for model in set(LEARN) - F32_ALONE:
        whole, out = bench.folder(), bench.folder()
        for folder in (whole, out):
            jobs.run(bench.command(model, "--dtype", "bf16", "--checkpoint-every", "5", out=folder))
        (out / "checkpoints/last.safetensors").unlink()
        text = jobs.run(bench.command(model, "--dtype", "bf16", "--checkpoint-every", "5", "--resume", out=out))
        check("resumed at step" in text, text)
        differ = jobs.differences(jobs.state(whole), jobs.state(out))
        check(not differ, f"{model} goes on differently in bf16: {differ}")


def test_bf16_without_instructions(bench):
    """If the CPU cannot multiply in bf16, --dtype bf16 warns once and trains in f32."""
    # Both spellings of oneDNN's variable that limits its instruction set; they differ between its versions.
    env = os.environ | {name: "AVX2" for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")}
    text, narrow = bench.mlp("--dtype", "bf16", env=env)
    said = text.count("--dtype bf16: this CPU has no instructions for it; training in f32\n")
    check(said == 1, f"the line about f32 is there {said} times:\n{text}")
    text, wide = bench.mlp("--dtype", "f32", env=env)
    check("training in f32" not in text, f"f32 is no surprise:\n{text}")
    check(weights(narrow) == weights(wide), "the weights are not those of f32")


def test_other_conditions(bench):
    """Resuming in another environment warns; with other options or data it is an error."""
    _, out = bench.mlp()
    command = bench.command("mlp", "--resume", out=out)
    command[command.index("--threads") + 1] = "2"
    check("may differ from those of an uninterrupted run: threads: was 1, is 2" in jobs.run(command), "no warning")
    text, _ = bench.mlp("--resume", "--lr", "0.1", "--seed", "3", out=out, expect=2)
    check("--lr was 1e-3, now 0.1" in text and "--seed was 1, now 3" in text, text)
    data = bench.folder()
    data.mkdir()
    for file in pathlib.Path(bench.data["images"]).iterdir():
        raw = file.read_bytes()
        if file.name.startswith("train"):
            count = int.from_bytes(raw[4:8], "big") - 8
            size = 28 * 28 if "images" in file.name else 1
            raw = raw[:4] + count.to_bytes(4, "big") + raw[8 : len(raw) - 8 * size]
        (data / file.name).write_bytes(raw)
    command = bench.command("mlp", "--resume", out=out)
    command[command.index("--data") + 1] = str(data)
    check("its epochs have 8 batches, those of this run 7" in jobs.run(command, 1), "other data is taken")


def test_rates(bench):
    """All notations of a learning rate, with warm-up and decay, give the same schedule."""
    for text in (" 2e-3", "2*1e-3", "0.002"):
        output, _ = bench.mlp("--lr", text, "--warmup", "5", "--dry-run")
        check("learning rate: 0.002 * warmup(5).then(linear_decay(19))" in output, f"'{text}':\n{output}")
    command = bench.command("bert", "--pretrain-lr", "4e-7", "--dry-run")
    check("learning rate: 4e-07 * warmup(" in jobs.run(command), "--pretrain-lr 4e-7 is another rate")
    text = jobs.run(bench.command("bert", "--pretrain-lr", "fast"), 2)
    check("--pretrain-lr: schedule" in text, text)
    for method, rate in (("adamw", 0.001), ("lion", 0.0001), ("sgd", 0.05)):
        _, out = bench.mlp("--optimizer", method, "--warmup", "0", "--decay", "constant")
        seen = next(line["lr"] for line in jobs.metrics(out) if "lr" in line)
        check(abs(seen - rate) < 1e-9, f"{method} begins with {seen}")
        check(f'lr = "{rate:g}"' in (out / "config.toml").read_text().replace("1e-3", "0.001").replace("1e-4", "0.0001"),
              "the rate is not in the configuration")


def test_config_texts(bench):
    """A configuration preserves all texts, also when resuming."""
    odd = bench.work / "images #1 'x\"y"
    odd.symlink_to(bench.data["images"])
    prompts = ["a\nb", "it's \"in\"", "# in", "[in]", "", "-in", "--seed", " in "]
    text = bench.work / "odd.txt"
    text.write_text("".join(prompts) + pathlib.Path(bench.data["text"]).read_text(), encoding="utf-8")
    for prompt in prompts[:4]:
        out, again = bench.folder(), bench.folder()
        command = bench.command("gpt", out=out)
        command[command.index("--sample") + 1] = prompt
        command[command.index("--data") + 1] = str(text)
        jobs.run(command)
        jobs.run([command[0], "--config", str(out / "config.toml"), "--out", str(again)])
        check((again / "config.toml").read_text() == (out / "config.toml").read_text(), f"'{prompt}' does not read back")
        check(weights(again) == weights(out), "its configuration gives another run")
        jobs.run([command[0], "--resume", "--out", str(out)])
    for prompt in prompts:
        config = bench.folder()
        config.write_text(f"sample = {json.dumps(prompt)}\nsteps = 1\nseed = 3\nlr = \"1e-3\"\n", encoding="utf-8")
        output = jobs.run([str(bench.programs / "temper-gpt"), "--config", str(config), "--dry-run", "--data", str(text)])
        check("1 updates" in output, output)
    out = bench.folder()
    command = bench.command("mlp", out=out)
    command[command.index("--data") + 1] = str(odd)
    jobs.run(command)
    jobs.run([command[0], "--resume", "--out", str(out)])
    command[command.index("--data") + 1] = b"/no/\xff"
    command[command.index("--out") + 1] = str(bench.folder())
    text = jobs.run([part if isinstance(part, bytes) else part.encode() for part in command], 2)
    check("--data: '/no/" in text and "is not UTF-8" in text, text)


def test_config_keys(bench):
    """An invalid configuration is an error that names the line."""
    for line, expected in (
        ("out = 'x'", "c.toml: --out belongs on the command line, not into a configuration"),
        ("resume = true", "c.toml: --resume belongs on the command line"),
        ("seed = 1\nseed 2", "c.toml: line 2: "),
        ('"\\u001b]0;x" = 1', "c.toml: --\\x1b]0;x: there is no such option"),
    ):
        config = bench.folder()
        config.mkdir()
        config = config / "c.toml"
        config.write_text(line + "\n")
        text = bench.plain("--config", str(config), expect=2)
        check(expected in text, f"{line}: {text}")


def test_newest_run(bench):
    """--resume continues the run that was written last, whatever its number, and whatever numbers are missing."""
    home = bench.folder()
    home.mkdir()
    command = [str(bench.programs / "temper-mlp"), "--data", bench.data["images"], "--steps", "2", "--threads", "1"]
    for _ in range(3):
        jobs.run(command, cwd=home)
    go_on = [command[0], "--resume"]
    shutil.rmtree(home / "runs/mlp-2")
    check("from runs/mlp-3/" in jobs.run(go_on, cwd=home), "a gap hides the newest run")
    shutil.rmtree(home / "runs/mlp")
    check("from runs/mlp-3/" in jobs.run(go_on, cwd=home), "without runs/mlp there is none")
    jobs.run(command, cwd=home)
    check("from runs/mlp/" in jobs.run(go_on, cwd=home), "the largest number is taken for the newest")
    for name in ("mlp-x", "mlp-07", "mlps", "mlp-99"):  # not names of runs of mlp
        (home / "runs" / name).mkdir()
    (home / "runs/mlp-x/config.toml").touch()
    check("from runs/mlp/" in jobs.run(go_on, cwd=home), "another folder is taken for a run")


def wait_for_step(out, process, step):
    """Waits until the metrics have a line of that step; for step 0, until a moment after their file was created."""
    wait_for(out / "metrics.jsonl", process)
    time.sleep(0.2 if step == 0 else 0)
    while process.poll() is None and kill.last_step(out) < step:
        time.sleep(0.002)


def stopped_by(bench, number, *options, preexec=None, steps="1000000"):
    """Sends a signal to a run after its first lines; returns its process, output and folder."""
    out = bench.folder()
    command = bench.command("mlp", *options, out=out)
    command[command.index("--steps") + 1] = steps
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=preexec)
    wait_for_step(out, process, 0 if "--accumulate" in options else 1)
    process.send_signal(number)
    text, _ = process.communicate(timeout=120)
    return process.returncode, text, out


def test_signals(bench):
    """A closed terminal or pipe stops a run with a checkpoint; signals that the caller ignores stay ignored."""
    status, text, out = stopped_by(bench, signal.SIGHUP)
    check(status == 129 and (out / "checkpoints/last.safetensors").exists(), f"SIGHUP ends with {status}: {text}")
    ignore = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)  # noqa: E731
    status, text, _ = stopped_by(bench, signal.SIGINT, preexec=ignore, steps="300")
    check(status == 0, f"an ignored SIGINT ends the run with {status}: {text}")

    out = bench.folder()
    command = bench.command("mlp", out=out)
    command[command.index("--eval-every") + 1] = "1"
    command[command.index("--steps") + 1] = "100000"
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while not process.stdout.readline().startswith("epoch 2"):
        check(process.poll() is None, "the run ended")
    process.stdout.close()
    check(process.wait(timeout=60) == 128 + signal.SIGPIPE, f"a closed pipe ends with {process.returncode}")
    check((out / "checkpoints/last.safetensors").exists(), "a closed pipe leaves no checkpoint")


def test_stop_while_accumulating(bench):
    """A stop waits for the current batch, not for all of an update; the resumed run equals an uninterrupted one."""
    began = time.monotonic()
    status, text, out = stopped_by(bench, signal.SIGTERM, "--accumulate", "1000000", steps="2")
    check(status == 143 and time.monotonic() - began < 30, f"ended with {status}: {text}")
    check("stopped after step 0/2" in text, text)
    # ResNet has running statistics, which the batches before the stop changed.
    whole, out = bench.folder(), bench.folder()
    command = bench.command("resnet", "--accumulate", "20", "--ema", "0.9", out=whole)
    jobs.run(command)
    command[command.index("--out") + 1] = str(out)
    for step in (0, 3, 8):
        goes_on = ["--resume"] if (out / "config.toml").exists() else []
        process = subprocess.Popen(command + goes_on, stdout=subprocess.PIPE, text=True)
        wait_for_step(out, process, step)
        process.terminate()
        process.communicate(timeout=60)
        check(process.returncode in (143, -15), f"ended with {process.returncode}")
    jobs.run(command + (["--resume"] if (out / "config.toml").exists() else []))
    differ = jobs.differences(jobs.state(whole) | {"texts": 0}, jobs.state(out) | {"texts": 0})
    check(not differ, f"stopped between the batches of an update, {differ} differ")


def test_prompt(bench):
    """A prompt with characters that the text lacks is refused before training; the default prompt is replaced."""
    out = bench.folder()
    command = bench.command("gpt", out=out)
    command[command.index("--sample") + 1] = "# Title"
    text = jobs.run(command, 1)
    check("--sample: CharTokenizer: '#' at byte 0" in text and not out.exists(), text)
    dna = bench.work / "dna.txt"
    dna.write_text("acgtacgtacgtacgtacgtacgt\n" * 50)
    command = bench.command("gpt", out=bench.folder())
    command[command.index("--data") + 1] = str(dna)
    at = command.index("--sample")
    check("acgtacgt" in jobs.run(command[:at] + command[at + 2 :]), "the default prompt ends the run")


def test_overwrite_is_late(bench):
    """--overwrite removes a run when the new one starts, and only if the options are valid."""
    for model in ("gpt", "bert", "mlp"):
        out = bench.folder()
        jobs.run(bench.command(model, out=out))
        text = jobs.run(bench.command(model, "--overwrite", "--warmup", "500", out=out), 1)
        check("--warmup: 500 steps, but the run has only" in text, text)
        check((out / "model.safetensors").exists(), f"{model}: the run is gone")
        jobs.run(bench.command(model, "--overwrite", "--seed", "7", out=out))


def test_other_data(bench):
    """A resumed run keeps its tokenizer, and warns if the data has changed."""
    out = bench.folder()
    command = bench.command("gpt", out=out)
    jobs.run(command)
    kept = (out / "tokenizer").read_bytes()
    other = bench.work / "other.txt"
    text = pathlib.Path(bench.data["text"]).read_text()
    other.write_text(text.translate(str.maketrans("abi", "xab")))
    command[command.index("--data") + 1] = str(other)
    output = jobs.run(command + ["--resume"], 1)
    check("'x' at byte" in output and (out / "tokenizer").read_bytes() == kept, output)
    other.write_text(text.translate(str.maketrans("ao", "oa")))
    output = jobs.run(command + ["--resume"])
    check("the data is not what it was when the run was saved" in output, output)
    check((out / "tokenizer").read_bytes() == kept, "the tokenizer is another")
    _, out = bench.mlp()
    check("the data is not" not in bench.mlp("--resume", out=out)[0], "the same data is another")


def test_made_by_hand(bench):
    """An edited configuration or checkpoint is refused with what is wrong."""
    _, out = bench.mlp()
    config = out / "config.toml"
    original = config.read_text()
    for was, now, said in (("seed = 1", "seed = 2", "--seed was 1, now 2"), ("batch-size = 8", "batch-size = 9", "--batch-size was 8, now 9"), (original, "", "--lr was")):
        config.write_text(original.replace(was, now))
        text, _ = bench.mlp("--resume", out=out, expect=None)
        check(said in text and "config.toml" in text or "goes on as the run began" in text, f"{now}: {text}")
    config.write_text(original)
    last = out / "checkpoints/last.safetensors"
    raw = last.read_bytes()
    for key, value, said in (
        ("note/phase", "5", "of phase 5, the program has phases 0 to 0"),
        ("note/phase", "-1", "the run's 'phase' is '-1', expected a number from 0"),
        ("note/step", "1e300", "the run's 'step' is '1e300'"),
        ("note/step", "nan", "the run's 'step' is 'nan'"),
        ("note/step", "23", "the run is at step 23, its optimizer is not"),
        ("note/log lines", "many", "the run's 'log lines' is 'many'"),
        ("note/figure/train/loss", "0 0 nan 1", "the run's 'figure/train/loss' is '0 0 nan 1'"),
    ):
        header, tensors = jobs.read_safetensors(last)
        header["__metadata__"][key] = value
        jobs.write_safetensors(last, header, tensors)
        (out / "checkpoints/previous.safetensors").unlink(missing_ok=True)
        before = (out / "metrics.jsonl").read_bytes()
        text, _ = bench.mlp("--resume", out=out, expect=1)
        check(said in text and "last.safetensors" in text, f"{key} = {value}: {text}")
        check((out / "metrics.jsonl").read_bytes() == before, f"{key} = {value} changes the metrics")
        last.write_bytes(raw)


def test_evaluation_once(bench):
    """If a run is killed right after an evaluation, the metrics of the resumed run have it only once."""
    _, out = bench.mlp()
    expected = jobs.state(out)
    last = out / "checkpoints/last.safetensors"
    header, tensors = jobs.read_safetensors(last)
    notes = header["__metadata__"]
    notes["note/evaluation due"] = "1"  # as after a stop before the evaluation, and a kill before the next checkpoint
    notes["note/log lines"] = str(int(notes["note/log lines"]) - 1)
    jobs.write_safetensors(last, header, tensors)
    bench.mlp("--resume", out=out)
    check(jobs.metrics(out) == expected["metrics"], "the evaluation stands twice, or not at all")


def test_quoting(bench):
    """The command that a run prints for resuming works when pasted."""
    out = bench.work / "my run; it's"
    command = bench.command("mlp", out=out)
    command[command.index("--steps") + 1] = "5000"
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    wait_for_step(out, process, 1)
    process.terminate()
    text, _ = process.communicate(timeout=60)
    line = next(line for line in text.splitlines() if "to go on: " in line)
    words = shlex.split(line[line.index("to go on: ") + 10 :])
    check(words == [command[0], "--resume", "--out", str(out)], line)


def test_long_dry_run(bench):
    """A run of 2e9 updates needs no more memory than a short one."""
    output = bench.plain("--dry-run", "--steps", "2000000000", "--threads", "1")
    check("2000000000 updates" in output and "****" in output, output)


def test_damaged_metrics(bench):
    """If metrics cannot be read, resuming fails before anything is changed; damaged lines give a warning."""
    _, out = bench.mlp()
    log = out / "metrics.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.unlink()
    log.symlink_to("nowhere")
    text, _ = bench.mlp("--resume", out=out, expect=1)
    check("metrics.jsonl: cannot open" in text and log.is_symlink(), text)
    log.unlink()
    log.write_text("".join(lines[:2] + [lines[2][1:]] + lines[3:]))
    text, _ = bench.mlp("--resume", out=out)
    check("metrics.jsonl: 1 damaged line left out; the file as it was is metrics.jsonl.damaged" in text, text)
    check(log.read_text() == "".join(lines[:2] + lines[3:]), "more than the damaged line is gone")


def test_predictions(bench):
    """temper-tabular writes predictions of a finished run, whole or not at all, and its errors say where a file is wrong."""
    if not (bench.programs / "temper-tabular").exists():
        return
    out = bench.folder()
    command = bench.command("tabular", "--lr", "1e-2", out=out)
    command[command.index("--steps") + 1] = "150"
    jobs.run(command)
    new, predictions = bench.work / "new.csv", bench.work / "predictions.csv"
    new.write_text("colour,weight,size\nred,1,2.2\nblue,1,0\ngreen,,\n")
    ask = [command[0], "--out", str(out), "--predict", str(new), "--predictions", str(predictions)]
    weights_before = weights(out)
    text = jobs.run(ask)
    check(f"predictions for 3 rows are in {predictions}" in text, text)
    lines = predictions.read_text().splitlines()
    check(lines[0] == "kind,probability of a,probability of b,probability of c", lines[0])
    check([line[0] for line in lines[1:3]] == ["c", "a"] and len(lines) == 4, f"{lines}")
    check(all(abs(sum(map(float, line.split(",")[1:])) - 1) < 1e-5 for line in lines[1:]), f"{lines}")
    check(weights(out) == weights_before and not (out / "predictions.csv").exists(), "the run changed")
    before = predictions.read_bytes()
    for text, expected in (
        ("colour,weight,size\nred,1,2\nred,heavy,2\n", "new.csv:3: column 'weight': 'heavy' is not a finite number"),
        ("colour,size\nred,2\n", "new.csv: no column 'weight'; there are: colour, size"),
    ):
        new.write_text(text)
        said = jobs.run(ask, 1)
        check(expected in said, f"expected {expected} in\n{said}")
        check(predictions.read_bytes() == before, "predictions are replaced in spite of an error")
    said = jobs.run([command[0], "--predict", str(new), "--out", str(bench.folder())], 2)
    check("holds no run" in said, said)
    said = jobs.run([command[0], "--data", bench.data["table"], "--target", "sort"], 1)
    check("--target: " in said and "has no column 'sort'" in said, said)


def test_balance(bench):
    """temper-cartpole keeps the pole upright for 475 of 500 steps, and ends there."""
    if not (bench.programs / "temper-cartpole").exists():
        return
    out = bench.folder()
    text = jobs.run([str(bench.programs / "temper-cartpole"), "--threads", "1", "--out", str(out)])
    lengths = [line["test/episode length"] for line in jobs.metrics(out) if "test/episode length" in line]
    check(lengths[-1] >= 475 and all(length < 475 for length in lengths[:-1]), f"mean lengths {lengths}")
    check("solved after" in text and "microseconds of the CPU for a step of a cart" in text, text)


def test_early_end(bench):
    """A run ends early without better evaluations (--patience), at its time limit, and at a loss above a limit."""
    text, out = bench.mlp("--patience", "1", "--min-change", "10")
    check("no better evaluation in 1: the run ends, with the best weights" in text, text)
    check(jobs.metrics(out)[-1]["step"] == 20, "it ends at another step")
    best, last = (jobs.read_safetensors(out / name)[1] for name in ("checkpoints/best.safetensors", "model.safetensors"))
    check(best == last, "the weights are not the best")
    check("resumed at step 20" in bench.mlp("--resume", out=out)[0] and jobs.metrics(out)[-1]["step"] == 20, "it goes on")

    out = bench.folder()
    command = bench.command("mlp", "--max-time", "0.5s", out=out)
    command[command.index("--steps") + 1] = "1000000"
    began = time.monotonic()
    jobs.run(command)
    check(time.monotonic() - began < 60 and (out / "report.html").exists(), "it does not end in time")
    check("--max-time: 'soon' is no time" in bench.mlp("--max-time", "soon", expect=2)[0], "any text is a time")

    text, out = bench.mlp("--max-loss", "1e-3", "--checkpoint-every", "1", expect=1)
    check("step 1: the loss is 2." in text and "beyond --max-loss 0.001; a lower --lr" in text, text)


def test_find_lr(bench):
    """--find-lr draws the loss over learning rates, and the run is that without it, byte by byte."""
    for model in jobs.JOBS:
        if not (bench.programs / f"temper-{model}").exists():
            continue
        plain, out = bench.folder(), bench.folder()
        jobs.run(bench.command(model, "--ema", "0.9", out=plain))
        text = jobs.run(bench.command(model, "--ema", "0.9", "--find-lr", out=out))
        check("loss, * smoothed, over the learning rate" in text and "everything is as it was" in text, text)
        differ = jobs.differences(jobs.state(plain), jobs.state(out))
        check(not differ, f"{model}: {differ} differ after --find-lr")
        check('"Learning rate range test"' in (out / "report.html").read_text(), f"{model}: no picture in the report")
        phases = 2 if model == "bert" else 1
        check(len(json.loads((out / "find_lr.json").read_text())) == phases, f"{model}: not a test a phase")
        print(f"  {model}: {text[text.index('updates with rates') - 3:].splitlines()[0]}")
    # With batches that make one update together, and one of which stays behind when the test ends.
    plain, out = bench.folder(), bench.folder()
    more = ["--accumulate", "3"]
    jobs.run(bench.command("cnn", *more, out=plain))
    jobs.run(bench.command("cnn", *more, "--find-lr", out=out))
    differ = jobs.differences(jobs.state(plain), jobs.state(out))
    check(not differ, f"with --accumulate: {differ} differ after --find-lr")


def test_histograms(bench):
    """--histograms writes how weights, gradients and activations are distributed, and changes nothing else."""
    for model in jobs.JOBS:
        if not (bench.programs / f"temper-{model}").exists():
            continue
        plain, out = bench.folder(), bench.folder()
        jobs.run(bench.command(model, out=plain))
        jobs.run(bench.command(model, "--histograms", "6", "--stop-at", "14", out=out))
        with open(out / "histograms.jsonl", "a") as file:
            file.write('{"step":18,"ki')  # as a run that is killed leaves it
        jobs.run(bench.command(model, "--histograms", "6", "--resume", out=out))
        differ = jobs.differences(jobs.state(plain), jobs.state(out))  # --stop-at evaluates once more
        check(not {"weights", "checkpoint"} & set(differ), f"{model}: {differ} differ with --histograms")
        lines = []
        for line in (out / "histograms.jsonl").read_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                check(line == '{"step":18,"ki', f"{model}: {line}")
        kinds = {"weight"} if model in ("pair", "stream", "cartpole") else {"weight", "gradient", "activation"}
        check({line["kind"] for line in lines} == kinds, f"{model}: kinds are {set(line['kind'] for line in lines)}")
        steps = {line["step"] for line in lines}
        check({6, 12, 18, 24} <= steps and all(step % 6 == 0 for step in steps), f"{model}: steps {steps}")
        check(all(sum(line["counts"]) > 0 and line["low"] <= line["mean"] <= line["high"] for line in lines), f"{model}: {lines[0]}")
        check('"histograms":[{"kind":"weight"' in (out / "report.html").read_text(), f"{model}: none in the report")


def test_stop_at(bench):
    """--stop-at stops a run after an evaluation; --resume goes on to the weights of a run that was never stopped."""
    plain, out = bench.folder(), bench.folder()
    jobs.run(bench.command("mlp", out=plain))
    for at, step in (("5", 5), ("40%", 10), ("40%", 10), ("20", 20)):
        again = ["--resume"] if (out / "config.toml").exists() else []
        text = jobs.run(bench.command("mlp", *again, "--stop-at", at, out=out))
        check(f"stopped after step {step}/" in text and "to go on: " in text, text)
        result = json.loads((out / "result.json").read_text())
        check(result["step"] == step, f"{at}: the result is of step {result['step']}, not {step}")
        best = result["metrics"][0]
        check(best["better"] == "larger" and 0 <= best["value"] <= 1, f"the result is {result}")
        check(not (out / "model.safetensors").exists(), "the weights of a run that is not over were written")
    jobs.run(bench.command("mlp", "--resume", out=out))
    check(weights(out) == weights(plain), "the weights differ from those of a run that was never stopped")


def test_kept_checkpoints(bench):
    """--keep keeps older checkpoints, which are complete."""
    _, out = bench.mlp("--checkpoint-every", "5", "--keep", "3")
    names = sorted(path.name for path in (out / "checkpoints").glob("step-*"))
    check(names == [f"step-{step:010}.safetensors" for step in (15, 20, 24)], f"{names}")
    for name, step in zip(names, ("15", "20", "24")):
        header, _ = jobs.read_safetensors(out / "checkpoints" / name)
        check(header["__metadata__"]["note/step"] == step, f"{name} is of another step")


def test_bad_command_lines(bench):
    """Invalid options are refused with a suggestion."""
    cases = [
        (["--warm-up", "5%"], "--warm-up: there is no such option; did you mean --warmup?"),
        (["--learning-rate=1"], "--learning-rate: there is no such option"),
        (["--bach-size", "3"], "did you mean --batch-size?"),
        (["--epoch", "3"], "did you mean --epochs?"),
        (["foo"], "'foo' belongs to no option"),
        (["--epochs", "2"], "--epochs and --steps both say how long to train; give one of them"),
        (["--lr", "1e-3 * cosine(5)", "--warmup", "3"], "that is a whole schedule already; put the warmup into it"),
        (["--lr", "1e-3 * cosine(5)", "--decay", "cosine"], "put the decay into it"),
        (["--lr", "1e-3 * cosin(5)"], "cosin"),
        (["--warmup", "101%"], "'101%' is neither a number of steps (500) nor a percentage (10%)"),
        (["--checkpoint-every", "often"], "'often' is neither a number of steps (500) nor of seconds (60s)"),
        (["--optimizer", "adam", "--weight-decay", "0.1"], "did you mean --l2, or --optimizer adamw?"),
        (["--optimizer", "lion", "--l2", "0.1"], "did you mean --weight-decay?"),
        (["--optimizer", "adam", "--momentum", "0.1"], "--momentum: adam has none"),
        (["--optimizer", "sgd", "--beta2", "0.9"], "--beta2: sgd has none"),
        (["--optimizer", "adan"], "adan not in"),
        (["--decay", "sine"], "sine not in"),
        (["--batch-size", "0"], "'0', expected a number of at least 1"),
        (["--ema", "2"], "'2', expected a number from 0 to below 1"),
        (["--ema", "1"], "'1', expected a number from 0 to below 1"),
        (["--optimizer", "sgd", "--momentum", "1"], "'1', expected a number from 0 to below 1"),
        (["--seed", "-1"], "'-1', expected a whole number from 0 to 18446744073709551615"),
        (["--seed", "99999999999999999999"], "'99999999999999999999', expected a whole number"),
        (["--threads", "100000"], "'100000', expected a number from 0 to "),
        (["--checkpoint-every", "1e300"], "'1e300' is neither a number of steps"),
        (["--resume", "--overwrite"], "--resume: "),
        (["--resume", "--config", "x"], "--resume reads the run's own configuration"),
        (["--resume"], "holds no run"),
        (["--find-lr", "--resume"], "--find-lr looks for a rate before a new run trains; leave --resume out"),
        (["--find-lr", "--dry-run"], "leave --dry-run out, or --find-lr"),
        (["--stop-at", "half"], "--stop-at: 'half' is neither a number of steps (500) nor a part of the run (10%)"),
        (["--stop-at", "0"], "--stop-at: '0' is neither"),
        (["--stop-at", "101%"], "--stop-at: '101%' is neither"),
        (["--config", "nowhere"], "nowhere"),
    ]
    for arguments, expected in cases:
        out = bench.folder()
        text = jobs.run(bench.command("mlp", *arguments, out=out), 2)
        check(expected in text, f"{arguments}: expected '{expected}' in\n{text}")
        check(text.startswith("temper-mlp: "), text)
        check(not out.exists(), f"{arguments}: leaves a folder")
    config = bench.folder()
    config.write_text("warm-up = 5\n")
    text = bench.plain("--config", str(config), expect=2)
    check(f"{config}: --warm-up: there is no such option; did you mean --warmup?" in text, text)
    out = bench.folder()
    text = jobs.run(bench.command("mlp", "--warmup", "30", out=out), 1)
    check("--warmup: 30 steps, but the run has only 24" in text, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("tests", nargs="*", metavar="TEST")
    arguments = parser.parse_args()
    tests = [f for name, f in globals().items() if name.startswith("test_")]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.programs, pathlib.Path(folder))
        for test in tests:
            if arguments.tests and test.__name__.removeprefix("test_") not in arguments.tests:
                continue
            print(test.__doc__, flush=True)
            try:
                test(bench)
            except AssertionError as error:
                failures += 1
                print(f"FAILED: {test.__name__}: {error}", flush=True)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
