"""What the tests of the training programs share: small jobs, synthetic data, and reading and changing checkpoints."""

import json
import math
import os
import pathlib
import random
import struct
import subprocess
import zlib

STEPS = 24
EPOCH = 8  # batches per epoch, so that a job has several epochs
TIMEOUT = 300 * int(os.environ.get("TEMPER_PATIENCE", "1"))  # seconds per run; more is needed for emulated CPUs
COMMON = ["--steps", str(STEPS), "--threads", "1", "--log-every", "1", "--eval-every", "10"]

# A program's job: its data, the options for a short run, and the required parts of its checkpoints. A new model needs a
# line here and one in LEARN of programs.py.
JOBS = {
    "mlp": ("images", ["--batch-size", "8"], ["moments", "k", "loader", "averages"]),
    "cnn": ("images", ["--batch-size", "8"], ["moments", "k", "loader", "averages"]),
    "resnet": (
        "images",
        ["--batch-size", "8", "--depth", "8", "--width", "4"],
        ["moments", "k", "loader", "averages", "buffers"],
    ),
    "gpt": (
        "text",
        "--batch-size 8 --layers 1 --heads 2 --width 16 --context 16 --dropout 0.2 --sample in --sample-length 5".split(),
        ["moments", "k", "loader", "averages", "random"],
    ),
    "llama": (
        "text",
        "--batch-size 8 --layers 1 --heads 2 --kv-heads 1 --width 16 --hidden 32 --context 16 --sample in".split()
        + "--sample-length 5".split(),
        ["moments", "k", "loader", "averages"],
    ),
    "bert": (
        "wordnet",
        "--batch-size 8 --layers 1 --heads 2 --width 16 --hidden 16 --vocabulary 60 --pretrain 1".split(),
        ["moments", "k", "loader", "averages", "random"],
    ),
    "word2vec": ("text", ["--batch-size", "8", "--width", "8"], ["moments", "k", "loader", "averages"]),
    "tabular": (
        "table",
        "--batch-size 8 --target kind --members 2 --blocks 1 --width 8 --embedding-width 4 --bins 4".split(),
        ["moments", "k", "loader", "averages", "random"],
    ),
    "forecast": (
        "series",
        "--batch-size 8 --season 6 --lookback 8 --horizon 3 --width 8 --layers 2 --dropout 0.1".split(),
        ["moments", "k", "loader", "averages", "random"],
    ),
    "cartpole": (
        None,
        "--environments 3 --horizon 8 --minibatches 2 --width 8 --episodes 2 --go-on".split(),
        ["moments", "averages", "random", "cart"],
    ),
    "generate": (
        "images",
        "--batch-size 8 --network diffusion --channels 8 --sampling-steps 2 --columns 1 --evaluated 8".split(),
        ["moments", "k", "loader", "averages", "random"],
    ),
    "stream": ("records", ["--batch-size", "8"], ["moments", "loader", "averages"]),
    "pair": ("images", ["--batch-size", "8"], ["moments", "loader", "averages", "random", "own number", "own tensor"]),
}


def make_images(folder):
    """Writes files like Fashion-MNIST's with images of 10 classes, whose stripes have different distances."""
    draw = random.Random(1)
    for name, count in (("train", 8 * EPOCH), ("t10k", 20)):
        labels = bytes(i % 10 for i in range(count))
        pixels = bytearray()
        for label in labels:
            for row in range(28):
                base = 200 if row % (label + 2) == 0 else 20
                pixels += bytes(base + draw.randrange(50) for _ in range(28))
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, count, 28, 28) + pixels)
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + labels)
    return folder


def make_text(folder):
    draw = random.Random(2)
    words = "in the beginning was a word and it went on".split()
    path = folder / "text.txt"
    lines = [" ".join(draw.choice(words) for _ in range(8)) for _ in range(50)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_wordnet(folder):
    draw = random.Random(3)
    kinds = {"data.noun": range(3, 29), "data.verb": range(29, 44), "data.adj": (0, 1, 44), "data.adv": (2,)}
    number = 0
    for name, classes in kinds.items():
        lines = []
        for label in list(classes) * 2:
            number += 1
            gloss = " ".join(f"{'abcdefghij'[label % 10]}{draw.choice('xyz')}{draw.choice('uv')}" for _ in range(6))
            lines.append(f"{number:08} {label:02} n 01 word 0 000 | {gloss}  \n")
        (folder / name).write_text("".join(lines), encoding="utf-8")
    return folder


def make_table(folder):
    """Numbers and categories on which the class depends."""
    draw = random.Random(5)
    lines = ["size,colour,weight,kind"]
    for i in range(96):  # 64 of them for training, 8 batches
        kind = i % 3
        size = "" if i % 10 == 0 else f"{kind + draw.gauss(0, 0.5):.3f}"
        lines.append(f"{size},{'red' if draw.random() < kind / 2 else 'blue'},{draw.uniform(0, 9):.2f},{'abc'[kind]}")
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_series(folder):
    """A wave with noise, of which some steps are missing."""
    draw = random.Random(6)
    values = [f"{10 + 0.05 * i + 3 * math.sin(i * math.pi / 3) + draw.gauss(0, 0.1):.3f}" for i in range(110)]
    lines = ["step,value", *(f"{i},{'' if i % 25 == 7 else value}" for i, value in enumerate(values))]
    path = folder / "series.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_records(folder):
    """Examples of tensors in record files, and a text of tokens, as save_records and TokenFileWriter write them."""
    draw = random.Random(4)
    files = 3
    examples = []
    for i in range(8 * EPOCH):
        features = [i % 3 + draw.gauss(0, 1) for _ in range(4)]
        # Two tensors: f32 of one axis, i64 of none.
        examples.append(struct.pack("<BBBq4fBBq", 2, 0, 1, 4, *features, 2, 0, i % 3))
    for file in range(files):
        part = examples[file::files]
        data = b"".join(part)
        ends = b"".join(
            struct.pack("<QI", 8 + sum(map(len, part[: i + 1])), zlib.crc32(record)) for i, record in enumerate(part)
        )
        footer = struct.pack("<QQ", len(part), 8 + len(data))
        path = folder / f"{file:05}-of-{files:05}.records"
        path.write_bytes(b"TMPRREC1" + data + ends + footer + b"TMPRREC1")
    tokens = [draw.randrange(20) for _ in range(100)]
    header = f"{{'descr': '<u2', 'fortran_order': False, 'shape': ({len(tokens)},), }}".ljust(117) + "\n"
    (folder / "text.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<100H", *tokens))
    return folder


def make_data(work):
    """The folder or file of each kind of data, below `work`."""
    data = {}
    makers = {"images": make_images, "text": make_text, "wordnet": make_wordnet, "records": make_records, "table": make_table,
              "series": make_series}
    for kind, make in makers.items():
        folder = work / kind
        folder.mkdir(parents=True)
        data[kind] = str(make(folder))
    return data


def command(programs, model, data, out, *more):
    kind, options, _ = JOBS[model]
    where = ["--data", data[kind]] if kind else []
    return [str(programs / f"temper-{model}"), *COMMON, *options, *where, "--out", str(out), *more]


def run(arguments, expect=0, **options):
    """Runs a program and returns its output. Fails unless its exit status is the expected one (None: 0 or an error message)."""
    done = subprocess.run(arguments, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, **options)
    if done.returncode != expect and not (expect is None and done.returncode in (0, 1, 2)):
        raise AssertionError(f"{' '.join(map(str, arguments))}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def metrics(folder):
    """The lines of metrics.jsonl without times. The last one may be incomplete."""
    lines = []
    for line in (pathlib.Path(folder) / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break
        lines.append({k: v for k, v in entry.items() if k not in ("time", "throughput", "memory_mb")})
    return lines


def read_safetensors(path):
    """The header, and the bytes of the tensors by name."""
    raw = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    data = raw[8 + size :]
    tensors = {k: data[v["data_offsets"][0] : v["data_offsets"][1]] for k, v in header.items() if k != "__metadata__"}
    return header, tensors


def write_safetensors(path, header, tensors):
    """Writes the file with Temper's checksums."""
    metadata = {k: v for k, v in header["__metadata__"].items() if not k.startswith("temper.crc32")}
    metadata |= {f"temper.crc32:{k}": f"{zlib.crc32(v):08x}" for k, v in tensors.items()}
    described = "".join(
        f"{k} {header[k]['dtype']} [{', '.join(map(str, header[k]['shape']))}]\n" for k in sorted(tensors)
    )
    described += "".join(f"{k}={v}\n" for k, v in sorted(metadata.items()))
    metadata["temper.crc32"] = f"{zlib.crc32(described.encode()):08x}"
    text = json.dumps({**header, "__metadata__": metadata}).encode()
    in_order = sorted(tensors, key=lambda k: header[k]["data_offsets"])
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(tensors[k] for k in in_order))


def state(folder):
    """Everything that must be equal for a resumed and an uninterrupted run. One that is not over has its checkpoint alone."""
    header, tensors = read_safetensors(pathlib.Path(folder) / "checkpoints/last.safetensors")
    texts = {k: v for k, v in header["__metadata__"].items() if k not in ("note/seconds", "temper.crc32")}
    file = pathlib.Path(folder) / "model.safetensors"
    weights = file.read_bytes() if file.exists() else None
    return {"weights": weights, "checkpoint": tensors, "texts": texts, "metrics": metrics(folder)}


def differences(a, b):
    return [part for part in a if a[part] != b[part]]
