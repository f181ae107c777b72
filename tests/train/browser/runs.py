"""Writes the folders of synthetic runs for the tests of the report: python3 runs.py FOLDER"""

import base64
import json
import math
import pathlib
import random
import sys

HOSTILE = "</script><img src=x onerror=alert(1)> \"quoted\" 'single' & <!-- ünï 漢字 \u2028 {{x}} REPORT_DATA $& \\"


def pixels(width, height, channels, seed):
    chance = random.Random(seed)
    cx, cy = chance.uniform(0.3, 0.7) * width, chance.uniform(0.3, 0.7) * height
    values = bytearray()
    for y in range(height):
        for x in range(width):
            near = math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (0.05 * width * height))
            values += bytes(int(255 * near * (1 - 0.3 * c)) for c in range(channels))
    return base64.b64encode(bytes(values)).decode()


def metrics(seed, epochs, per_epoch, lr, log_every=10, phase=1.0):
    chance = random.Random(seed)
    total = epochs * per_epoch
    for step in range(1, total + 1):
        part = step / total
        line = {"step": step, "epoch": (step - 1) // per_epoch + 1, "time": round(step * 0.021 + 0.3 * math.sin(step / 90), 3)}
        if step % log_every == 0:
            loss = 0.22 + 2.1 * math.exp(-7 * part * phase) + 0.2 * math.exp(-2 * part)
            yield {**line, "train/loss": loss * math.exp(chance.gauss(0, 0.13)),
                   "lr": lr * (part / 0.1 if part < 0.1 else (1 - part) / 0.9),
                   "grad_norm": math.exp(chance.gauss(0.1, 0.35)) * (0.5 + 2 * math.exp(-5 * part)),
                   "update_ratio": 1.1e-3 * (1.01 - part) * math.exp(chance.gauss(0, 0.1)),
                   "throughput": 5900 + chance.gauss(0, 160), "memory_mb": 88.1 + (2.3 if step > 40 else 0)}
        if step % per_epoch == 0:
            e = step // per_epoch
            yield {**line, "test/loss": 0.25 + 0.35 * math.exp(-0.7 * e * phase) + chance.gauss(0, 0.006) + 0.004 * e,
                   "test/accuracy": 0.922 - 0.09 * math.exp(-0.6 * e * phase) + chance.gauss(0, 0.0015)}


CONFIG = """# written by a training program
data=""
epochs={epochs}
batch-size=128
accumulate=1
optimizer="{optimizer}"
lr="{lr}"
warmup="10%"
decay="linear"
weight-decay=0.01
clip-norm=1
ema=0
seed={seed}
threads=2
eval-every=0
checkpoint-every="60s"
log-every=10
"""

MODEL = """name  layer                                     output             parameters                            count      memory
      Sequential                                [128, 10]                                                              
0     Conv2d(1, 32, kernel=3, padding=1)        [128, 28, 28, 32]  weight [32, 1, 3, 3], bias [32]         320     1.2 KiB
1     ReLU                                      [128, 28, 28, 32]                                                      
2     MaxPool2d(2)                              [128, 14, 14, 32]                                                      
3     Conv2d(32, 64, kernel=3, padding=1)       [128, 14, 14, 64]  weight [64, 32, 3, 3], bias [64]     18,496    72.2 KiB
4     ReLU                                      [128, 14, 14, 64]                                                      
5     MaxPool2d(2)                              [128, 7, 7, 64]                                                        
6     Flatten                                   [128, 3136]                                                            
7     Linear(3136, 128)                         [128, 128]         weight [128, 3136], bias [128]      401,536     1.5 MiB
8     ReLU                                      [128, 128]                                                             
9     Linear(128, 10)                           [128, 10]          weight [10, 128], bias [10]           1,290     5.0 KiB
                                                                   total                                421,642     1.6 MiB
"""

VERSE = """And it came to pass in the days of the king, that the children of the city went out to the river,
and said unto him, Wherefore hast thou brought us hither? And he answered, saying, I will make thee a
covenant, and the land shall be full of corn and of wine."""


def write(folder, lines, config="", model=MODEL, samples=None, tail=""):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + tail, encoding="utf-8")
    if config:
        (folder / "config.toml").write_text(config, encoding="utf-8")
    if model:
        (folder / "model.txt").write_text(model, encoding="utf-8")
    if samples is not None:
        (folder / "samples.json").write_text(json.dumps(samples), encoding="utf-8")


def images(count, channels=1):
    names = ["shirt", "coat", "pullover", "sneaker", "bag", "ankle boot"]
    return [{"kind": "image", "title": "Misclassified", "caption": f"{names[i % 6]}, taken for {names[(i * 5 + 1) % 6]} (0.{51 + i})",
             "width": 28, "height": 28, "channels": channels, "pixels": pixels(28, 28, channels, i)} for i in range(count)]


def range_test():
    rates = [1e-7 * 1e8 ** (i / 99) for i in range(80)]
    losses = [2.3 - 1.5 / (1 + math.exp(-3 * (math.log10(rate) + 4))) + min(5, (rate / 0.1) ** 3) for rate in rates]
    return {"kind": "chart", "title": "Learning rate range test", "caption": "80 updates; suggested: --lr 0.002",
            "x": {"name": "learning rate", "log": True, "values": rates},
            "series": [{"name": "loss", "values": [None if i == 5 else v + 0.1 * math.sin(i * 9) for i, v in enumerate(losses)], "faint": True},
                       {"name": "smoothed", "values": losses}],
            "marks": [{"x": 2e-3, "label": "--lr 0.002"}]}


def matrix():
    names = ["shirt", "coat", "ankle boot"]
    return {"kind": "matrix", "title": "Confusion matrix", "names": names, "rows": [[80, 15, 0], [12, 1288, 1], [0, 0, 99]]}


def histograms():
    for step in range(10, 210, 10):
        for kind, name in (("weight", "0.weight"), ("gradient", "0.weight"), ("activation", "1"), ("weight", "all the same")):
            wide = 0 if name.startswith("all") else 1 + step / 100
            counts = [0 if wide == 0 and i else int(1000 * math.exp(-((i - 15.5) / 6) ** 2)) + 1 for i in range(32)]
            yield {"step": step, "kind": kind, "name": name, "low": -wide, "high": wide, "mean": 0, "deviation": wide / 3, "bad": 0, "counts": counts}


def make(root):
    """Writes all runs for the tests. Their names say what is special about them."""
    text = {"kind": "text", "title": "Generated at temperature 0.8", "text": VERSE}
    write(root / "cnn", metrics(1, 5, 469, 1e-3), CONFIG.format(epochs=5, optimizer="adamw", lr="1e-3", seed=1),
          samples=images(24) + [text, matrix()])
    (root / "cnn/find_lr.json").write_text(json.dumps([range_test()]), encoding="utf-8")
    (root / "cnn/histograms.jsonl").write_text("".join(json.dumps(line) + "\n" for line in histograms()), encoding="utf-8")
    write(root / "cnn-sgd", metrics(2, 5, 469, 0.1, phase=0.6), CONFIG.format(epochs=5, optimizer="sgd", lr="0.1", seed=1), samples=images(6, 3))
    write(root / "cnn-long", metrics(3, 8, 469, 2e-3, phase=1.3), CONFIG.format(epochs=8, optimizer="adamw", lr="2e-3", seed=2) + "decay-to=0.1\n")
    write(root / "empty", [], model="")
    write(root / "first-line", list(metrics(4, 1, 469, 1e-3))[:1], model="")
    # A run that diverged: infinities, an incomplete last line, and a damaged line.
    broken = [dict(line, **({"train/loss": None, "grad_norm": None} if 700 < line["step"] < 900 else {})) for line in metrics(5, 2, 469, 1e-3)]
    write(root / "killed", broken[:60], tail="{damaged\n")
    with open(root / "killed/metrics.jsonl", "a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in broken[60:])
        file.write('{"step":940,"train/lo')
    write(root / HOSTILE.replace("/", "%"), [dict(line, **{f"test/{HOSTILE}": line["step"] / 7, "__proto__": 1.0, "constructor": 2.0}) for line in metrics(6, 1, 200, 1e-3)],
          f"note={json.dumps(HOSTILE)}\n", HOSTILE, [{"kind": "text", "title": HOSTILE, "text": HOSTILE * 3},
          {"kind": "image", "title": HOSTILE, "caption": HOSTILE, "width": 4, "height": 4, "channels": 1, "pixels": "not base64!"}])
    write(root / "huge", metrics(7, 10, 6000, 1e-3, log_every=1))
    return sorted(path for path in root.iterdir() if path.is_dir())


if __name__ == "__main__":
    for path in make(pathlib.Path(sys.argv[1])):
        print(path)
