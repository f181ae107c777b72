"""Records gpt2_*.safetensors: tiny GPT-2s as Hugging Face stores them, and what they compute.

    python3 tests/golden/record_gpt.py          (recorded with torch 1.13.0, numpy 1.24)

The network is written out below with the names of transformers.GPT2LMHeadModel, and computes in float64 from float32
weights. For each configuration NAME:

    gpt2_NAME.safetensors            the weights, as a file of Hugging Face holds them
    gpt2_NAME_expected.safetensors   tokens, targets, logits, loss, and the gradients as "gradient." + name
"""

import math
import os

import numpy as np
import torch
from torch import nn

import safetensors_numpy
from language_model import record_expected


class Conv1D(nn.Module):
    """x W + b with W [in, out], GPT-2's layout of weights."""

    def __init__(self, out, inputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, out))
        self.bias = nn.Parameter(torch.empty(out))

    def forward(self, x):
        return x @ self.weight + self.bias


class Attention(nn.Module):
    def __init__(self, context, heads, width):
        super().__init__()
        self.heads = heads
        self.register_buffer("bias", torch.ones(context, context).tril().reshape(1, 1, context, context))
        self.c_attn = Conv1D(3 * width, width)
        self.c_proj = Conv1D(width, width)

    def forward(self, x):
        n, t, width = x.shape
        q, k, v = (part.reshape(n, t, self.heads, -1).transpose(1, 2) for part in self.c_attn(x).split(width, dim=2))
        scores = q @ k.transpose(2, 3) / math.sqrt(width // self.heads)
        scores = scores.masked_fill(self.bias[:, :, :t, :t] == 0, -math.inf)
        return self.c_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, width))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_fc = Conv1D(4 * width, width)
        self.c_proj = Conv1D(width, 4 * width)

    def forward(self, x):
        y = self.c_fc(x)
        return self.c_proj(0.5 * y * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3))))


class Block(nn.Module):
    def __init__(self, context, heads, width):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(context, heads, width)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt2(nn.Module):
    def __init__(self, vocabulary, context, layers, heads, width):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(context, width)
        self.h = nn.ModuleList(Block(context, heads, width) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for block in self.h:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T


def initialize(model, rng):
    """Wider weights than GPT-2's initial ones, and norms other than 1 and 0, so that swapped parts change results."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = rng.standard_normal(tuple(parameter.shape)) * (0.4 if "weight" in name else 0.2)
            values += 1.0 if name.split(".")[-2].startswith("ln_") and name.endswith("weight") else 0.0
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))


def record(folder, name, prefix, head, seed, length, **sizes):
    rng = np.random.default_rng(seed)
    model = Gpt2(**sizes)
    initialize(model, rng)
    stored = {prefix + key: value.numpy() for key, value in model.state_dict().items()}
    if head:
        stored["lm_head.weight"] = stored[prefix + "wte.weight"]
    safetensors_numpy.write(os.path.join(folder, f"gpt2_{name}.safetensors"), stored, {"format": "pt"})

    record_expected(os.path.join(folder, f"gpt2_{name}_expected.safetensors"), model, model, rng, sizes["vocabulary"], (3, length))


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    # The second has the names of a GPT2LMHeadModel, stores its head too, and gets fewer tokens than its context.
    record(folder, "plain", "", False, 1, 11, vocabulary=29, context=11, layers=2, heads=3, width=24)
    record(folder, "prefixed", "transformer.", True, 2, 7, vocabulary=17, context=9, layers=3, heads=2, width=16)


if __name__ == "__main__":
    main()
