"""Records training.json: 20 training steps of the MLP and the CNN with PyTorch in float64.

    python3 tests/golden/record_training.py          (recorded with torch 1.13.0)

Weights, images and labels are not stored: the test computes them by the same formula, which is exact on every machine. The
file has the losses, the norms of the gradients before clipping, and 8 elements of each parameter after the last step.
"""

import json
import math
import os

import numpy as np
import torch
from torch import nn

STEPS, BATCH, PIXELS, CLASSES = 20, 32, 28 * 28, 10
LR, WARMUP, WEIGHT_DECAY, CLIP_NORM = 1e-3, 5, 0.01, 1.0
IMAGES, PATTERNS, LABELS, SAMPLES = 1000, 2000, 3000, 4000  # streams; parameter i has stream i


def mixed(stream, count):
    """A 64-bit random number for each i < count. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
    generators" (2014), the finalizer."""
    z = (np.uint64(stream) << np.uint64(32)) + np.arange(1, count + 1, dtype=np.uint64)
    z *= np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def unit(stream, count):
    """Random numbers in [0, 1) with 24 bits."""
    return (mixed(stream, count) >> np.uint64(40)).astype(np.float64) * 2.0**-24


def initialize(model):
    """Uniform in +-1/sqrt(fan_in), as PyTorch does by default, in float32."""
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            if parameter.dim() > 1:
                bound = 1 / math.sqrt(parameter[0].numel())  # a bias has the same bound as its weight, which precedes it
            values = ((2 * unit(i, parameter.numel()) - 1) * bound).astype(np.float32)
            parameter.copy_(torch.from_numpy(values.astype(np.float64)).reshape(parameter.shape))


def batch(step):
    """Images in [-1, 1): the pattern of their class plus noise."""
    labels = (mixed(LABELS + step, BATCH) % np.uint64(CLASSES)).astype(np.int64)
    noise = unit(IMAGES + step, BATCH * PIXELS).reshape(BATCH, PIXELS)
    patterns = np.stack([unit(PATTERNS + label, PIXELS) for label in range(CLASSES)])
    images = (0.5 * noise + 1.5 * patterns[labels] - 1).astype(np.float32)
    return torch.from_numpy(images.astype(np.float64)).reshape(BATCH, 1, 28, 28), torch.from_numpy(labels)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
                         nn.Linear(128, 10))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))


def train(model):
    model.double()
    initialize(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    losses, norms = [], []
    for step in range(STEPS):
        rate = (step + 1) / WARMUP if step < WARMUP else 1 - (step - WARMUP) / (STEPS - WARMUP)
        optimizer.param_groups[0]["lr"] = LR * rate
        images, labels = batch(step)
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM).item())
        optimizer.step()
        losses.append(loss.item())
    samples = []
    for i, parameter in enumerate(model.parameters()):
        places = (mixed(SAMPLES + i, 8) % np.uint64(parameter.numel())).astype(np.int64)
        samples.append(parameter.detach().reshape(-1)[places].tolist())
    return {"losses": losses, "gradient_norms": norms, "samples": samples}


def main():
    recorded = {name: train(model) for name, model in [("mlp", mlp()), ("cnn", cnn())]}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "training.json")
    with open(path, "w") as file:
        json.dump(recorded, file, indent=1)
        file.write("\n")
    for name, values in recorded.items():
        print(name, [round(loss, 4) for loss in values["losses"]], [round(n, 3) for n in values["gradient_norms"]])


if __name__ == "__main__":
    main()
