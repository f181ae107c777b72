"""Records the results of small networks of PyTorch's layers, with weights that a formula gives, in networks.json.

    python3 tests/golden/record_networks.py        (torch 2 or later, in float64)

Parameter i, counted from 1 in PyTorch's order, is 0.3 * sin of 100 i, 100 i + 1, ... The file lists the names in this order,
by which the test finds the parameters.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F
from torch import nn


def values(shape, first):
    return torch.sin(torch.arange(first, first + math.prod(shape), dtype=torch.float64)).reshape(shape)


def record(module, run, x):
    """run(x) returns the outputs; the loss is the sum of outputs times fixed weights."""
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter.copy_(0.3 * values(parameter.shape, 100 * (number + 1)))
    x.requires_grad_()
    outputs = run(x)
    sum((y * values(y.shape, 7 + i)).sum() for i, y in enumerate(outputs)).backward()
    flat = lambda t: t.detach().flatten().tolist()
    return {"names": [name for name, _ in module.named_parameters()], "y": [flat(y) for y in outputs], "dx": flat(x.grad),
            "gradients": {name: flat(parameter.grad) for name, parameter in module.named_parameters()}}


def recurrent(kind, lengths=None, **options):
    layer = kind(3, 4, batch_first=True, dtype=torch.float64, **options)

    def run(x):
        if lengths is None:
            y, state = layer(x)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            y, state = layer(packed)
            y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
        return [y, *(state if isinstance(state, tuple) else [state])]

    return record(layer, run, values((2, 5, 3), 1))


class UNet(nn.Module):
    """A U-Net with one downsampling and one upsampling step, group norm and a transposed convolution."""

    def __init__(self):
        super().__init__()
        self.enter = nn.Conv2d(2, 4, 3, padding=1)
        self.norm1 = nn.GroupNorm(2, 4)
        self.down = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.norm2 = nn.GroupNorm(3, 6)
        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2)
        self.leave = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        x = x.permute(0, 3, 1, 2)
        skip = F.silu(self.norm1(self.enter(x)))
        x = self.up(F.silu(self.norm2(self.down(skip))))
        return self.leave(torch.cat([skip, x], 1)).permute(0, 2, 3, 1)


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x): return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * self.weight


def rotated(x):
    """rotate_half, as in the Llama of Hugging Face: x [N, H, T, D]."""
    t, d = x.shape[-2:]
    angles = torch.outer(torch.arange(t, dtype=torch.float64), 10000 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d))
    cos, sin = torch.cat([angles, angles], -1).cos(), torch.cat([angles, angles], -1).sin()
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


class Attention(nn.Module):
    def __init__(self, width, heads, kv_heads):
        super().__init__()
        self.head = width // heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, kv_heads * self.head, bias=False)
        self.v_proj = nn.Linear(width, kv_heads * self.head, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x):
        n, t, width = x.shape
        q, k, v = (y.view(n, t, -1, self.head).transpose(1, 2) for y in (self.q_proj(x), self.k_proj(x), self.v_proj(x)))
        q, k, group = rotated(q), rotated(k), q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(y.transpose(1, 2).reshape(n, t, width))


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x): return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, width, heads, kv_heads, hidden):
        super().__init__()
        self.input_layernorm = RMSNorm(width)
        self.self_attn = Attention(width, heads, kv_heads)
        self.post_attention_layernorm = RMSNorm(width)
        self.mlp = Mlp(width, hidden)

    def forward(self, x):
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Block(16, 4, 2, 24) for _ in range(2)])
        self.norm = RMSNorm(16)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


def network(module, x): return record(module, lambda x: [module(x)], x)


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    results = {
        "lstm": recurrent(nn.LSTM, num_layers=2, bidirectional=True),
        "lstm_lengths": recurrent(nn.LSTM, lengths=[5, 2], bidirectional=True),
        "gru": recurrent(nn.GRU, num_layers=2, bidirectional=True),
        "rnn": recurrent(nn.RNN, bias=False),
        "rnn_relu": recurrent(nn.RNN, nonlinearity="relu"),
        "unet": network(UNet(), values((2, 6, 4, 2), 1)),
        "llama": network(Llama(), values((2, 7, 16), 1)),
    }
    path = pathlib.Path(__file__).with_name("networks.json")
    text = json.dumps(results)
    path.write_text(json.dumps(json.loads(text, parse_float=lambda number: float(f"{float(number):.9g}"))) + "\n")
    print(f"{path}: torch {torch.__version__}, {path.stat().st_size} bytes")
