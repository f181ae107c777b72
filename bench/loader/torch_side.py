"""How many examples a second PyTorch's DataLoader gives: torch_side.py FOLDER SECONDS. Reads what temper_side.cpp wrote."""

import json
import sys
import time

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

IMAGES, SIDE, CONTEXT, TEXTS = 20_000, 28, 256, 20_000


def image_tensors():
    i, j = torch.arange(IMAGES)[:, None], torch.arange(SIDE * SIDE)[None]
    pixels = ((31 * i + 17 * j) % 256).float() / 255
    return TensorDataset(pixels.view(IMAGES, 1, SIDE, SIDE), torch.arange(IMAGES) % 10)


class Augmented(Dataset):
    """What torchvision's RandomCrop, RandomHorizontalFlip and RandomErasing of a square do to a tensor."""

    def __init__(self, dataset, padding=4, square=8):
        self.dataset, self.padding, self.square = dataset, padding, square

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, i):
        image, label = self.dataset[i]
        image = torch.nn.functional.pad(image, [self.padding] * 4)
        top, left = torch.randint(0, 2 * self.padding + 1, (2,)).tolist()
        image = image[:, top : top + SIDE, left : left + SIDE]
        if torch.rand(1).item() < 0.5:
            image = image.flip(-1)
        else:
            image = image.clone()
        y, x = torch.randint(0, SIDE, (2,)).tolist()
        half = self.square // 2
        image[:, max(0, y - half) : y + half, max(0, x - half) : x + half] = 0
        return image, label


class Computed(Dataset):
    def __len__(self):
        return IMAGES

    def __getitem__(self, i):
        return (torch.arange(i, i + 64) % 100).float(), torch.tensor(float(i % 7))


class TokenWindows(Dataset):
    """As many windows as Temper's TextDataset has, from a random beginning."""

    def __init__(self, path):
        self.tokens = np.load(path, mmap_mode="r")
        self.begin = int(torch.randint(0, CONTEXT, ()))

    def __len__(self):
        return (len(self.tokens) - CONTEXT) // CONTEXT

    def __getitem__(self, i):
        begin = self.begin + i * CONTEXT
        piece = torch.from_numpy(self.tokens[begin : begin + CONTEXT + 1].astype(np.int64))
        return piece[:-1], piece[1:]


class Texts(Dataset):
    @staticmethod
    def length(i):
        return 8 + (i * 7919) % 128

    def __len__(self):
        return TEXTS

    def __getitem__(self, i):
        return torch.arange(i, i + self.length(i)) % 1000


class ByLength:
    """Shuffled, cut into pieces of 50 batches, each sorted by length; then the batches shuffled."""

    def __init__(self, batch_size):
        self.batch_size = batch_size

    def __len__(self):
        return (TEXTS + self.batch_size - 1) // self.batch_size

    def __iter__(self):
        order = torch.randperm(TEXTS).tolist()
        pieces = (order[k : k + 50 * self.batch_size] for k in range(0, TEXTS, 50 * self.batch_size))
        order = [i for piece in pieces for i in sorted(piece, key=Texts.length)]
        batches = [order[k : k + self.batch_size] for k in range(0, TEXTS, self.batch_size)]
        return iter([batches[k] for k in torch.randperm(len(batches)).tolist()])


def padded(texts):
    return (torch.nn.utils.rnn.pad_sequence(texts, batch_first=True),)


def measure(name, dataset, seconds, **options):
    rows = []
    for workers in (0, 1, 2):
        loader = DataLoader(dataset, num_workers=workers, persistent_workers=workers > 0, **options)
        total = sum(batch[0].double().sum().item() for batch in loader)
        examples, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            for batch in loader:
                examples += len(batch[0])
                if time.perf_counter() - begin >= seconds:
                    break
        rows.append({"name": name, "workers": workers, "per_second": examples / (time.perf_counter() - begin), "sum": total})
        del loader
    return rows


def main():
    folder, seconds = sys.argv[1], float(sys.argv[2])
    torch.manual_seed(1)
    torch.set_num_threads(1)
    pictures = image_tensors()
    rows = measure("images in memory", pictures, seconds, batch_size=128, shuffle=True)
    rows += measure("augmented images", Augmented(pictures), seconds, batch_size=128, shuffle=True)
    rows += measure("64 computed numbers", Computed(), seconds, batch_size=128, shuffle=True)
    rows += measure("256 tokens of a mapped file", TokenWindows(folder + "/tokens.npy"), seconds, batch_size=32, shuffle=True)
    rows += measure("padded texts", Texts(), seconds, batch_size=32, shuffle=True, collate_fn=padded)
    rows += measure("padded texts of similar length", Texts(), seconds, batch_sampler=ByLength(32), collate_fn=padded)
    print(json.dumps({"torch": torch.__version__, "rows": rows}))


main()
