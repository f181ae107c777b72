"""Records the results of PyTorch's layers. Weights and inputs are computed by a formula and not stored.

Run with Debian's PyTorch: /usr/bin/python3 tests/golden/record_layers.py
"""

import json
import pathlib

import torch


def values(shape, first):
    """sin(first), sin(first + 1), ...: the values of weights and inputs here and in the test."""
    count = 1
    for size in shape:
        count *= size
    return torch.sin(torch.arange(first, first + count, dtype=torch.float64)).reshape(shape).requires_grad_()


def fill(module):
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter.copy_(values(parameter.shape, 100 * (number + 1)))


def record(y, module, x):
    (y * values(y.shape, 7).detach()).sum().backward()
    return {
        "y": y.flatten().tolist(),
        "dx": x.grad.flatten().tolist(),
        "gradients": {name: parameter.grad.flatten().tolist() for name, parameter in module.named_parameters()},
    }


def attention(causal):
    layer = torch.nn.MultiheadAttention(6, 2, batch_first=True, dtype=torch.float64)
    fill(layer)
    x = values((2, 5, 6), 1)
    mask = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1) if causal else None
    return record(layer(x, x, x, attn_mask=mask, need_weights=False)[0], layer, x)


def cross_attention():
    layer = torch.nn.MultiheadAttention(6, 3, batch_first=True, dtype=torch.float64)
    fill(layer)
    x, tokens = values((2, 4, 6), 1), values((2, 5, 6), 3)
    return record(layer(x, tokens, tokens, need_weights=False)[0], layer, x)


def batch_norm():
    layer = torch.nn.BatchNorm2d(3, dtype=torch.float64)
    fill(layer)
    x = values((2, 4, 5, 3), 1)  # N, H, W, C
    result = record(layer(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), layer, x)
    result["running_mean"] = layer.running_mean.tolist()
    result["running_var"] = layer.running_var.tolist()
    layer.eval()
    result["evaluated"] = layer(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).flatten().tolist()
    return result


if __name__ == "__main__":
    results = {
        "attention": attention(causal=False),
        "causal_attention": attention(causal=True),
        "cross_attention": cross_attention(),
        "batch_norm": batch_norm(),
    }
    path = pathlib.Path(__file__).with_name("layers.json")
    text = json.dumps(results, default=float)
    path.write_text(json.dumps(json.loads(text, parse_float=lambda number: float(f"{float(number):.9g}"))) + "\n")
