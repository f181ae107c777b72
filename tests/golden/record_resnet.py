"""Records resnet_*.safetensors: small residual networks as torchvision names and PyTorch computes them.

    python3 tests/golden/record_resnet.py          (recorded with torch 1.13.0, numpy 1.24)

resnet_NAME.safetensors holds the weights as torchvision would save them. resnet_NAME_expected.safetensors holds images
[N, H, W, C], labels, what PyTorch computes from them in float64 - the logits in evaluation, then, in training, the
loss and its gradients - and the running statistics afterwards.
"""

import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import safetensors_numpy


class BasicBlock(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + shortcut)


class ResNet(nn.Module):
    def __init__(self, blocks, width, channels, classes, imagenet):
        super().__init__()
        self.imagenet = imagenet
        self.conv1 = (nn.Conv2d(channels, width, 7, 2, 3, bias=False) if imagenet
                      else nn.Conv2d(channels, width, 3, 1, 1, bias=False))
        self.bn1 = nn.BatchNorm2d(width)
        self.stages, before, out = len(blocks), width, width
        for stage, count in enumerate(blocks):
            layers = []
            for i in range(count):
                layers.append(BasicBlock(before, out, 2 if stage > 0 and i == 0 else 1))
                before = out
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
            out *= 2
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        if self.imagenet:
            y = functional.max_pool2d(y, 3, 2, 1)
        for stage in range(self.stages):
            y = getattr(self, f"layer{stage + 1}")(y)
        return self.fc(y.mean((2, 3)))


def initialize(model, rng):
    """Sets norms other than 1 and 0, so that swapped or missing parts change results."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.dtype != torch.float32:
                continue
            values = rng.standard_normal(tuple(tensor.shape))
            if name.endswith("running_var"):
                values = 0.5 + values**2
            elif tensor.dim() > 1:
                values *= (2 / tensor[0].numel()) ** 0.5
            elif name.endswith("weight"):
                values = 1 + 0.3 * values
            else:
                values *= 0.3
            tensor.copy_(torch.from_numpy(values.astype(np.float32)))


def record(name, seed, size, batch, **sizes):
    rng = np.random.default_rng(seed)
    model = ResNet(**sizes)
    initialize(model, rng)
    folder = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(folder, f"resnet_{name}")
    safetensors_numpy.write(f"{path}.safetensors", {key: value.numpy() for key, value in model.state_dict().items()},
                            {"format": "pt"})

    model.double()
    images = rng.standard_normal((batch, size, size, sizes["channels"])).astype(np.float32)
    labels = rng.integers(0, sizes["classes"], batch)
    x = torch.from_numpy(images.astype(np.float64)).permute(0, 3, 1, 2)
    model.eval()
    evaluated = model(x).detach()
    model.train()
    loss = functional.cross_entropy(model(x), torch.from_numpy(labels))
    loss.backward()
    expected = {"images": images, "labels": labels, "logits": evaluated.numpy().astype(np.float32),
                "loss": np.asarray([loss.item()], dtype=np.float32)}
    expected |= {f"gradient.{key}": parameter.grad.numpy().astype(np.float32)
                 for key, parameter in model.named_parameters()}
    expected |= {f"after.{key}": buffer.numpy().astype(np.float32)
                 for key, buffer in model.named_buffers() if "running" in key}
    safetensors_numpy.write(f"{path}_expected.safetensors", expected, {})
    print(name, f"loss {loss.item():.6f}", f"largest logit {evaluated.abs().max().item():.3f}")


if __name__ == "__main__":
    record("small", 1, 12, 4, blocks=[1, 2, 1], width=4, channels=2, classes=5, imagenet=False)
    record("imagenet", 2, 37, 6, blocks=[2, 2, 2, 2], width=3, channels=3, classes=7, imagenet=True)
