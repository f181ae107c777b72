"""Records second derivatives of small networks of PyTorch in second.json, with weights and inputs that a formula gives.

    python3 tests/golden/record_second.py        (torch 2 or later, in float64)

Parameters and inputs are as in record_networks.py. Each network gives a scalar, and the gradients by its parameters
and inputs of something made of gradients of that scalar.
"""

import json
import pathlib

import torch
import torch.nn.functional as F

from record_networks import values


def filled(shapes): return [(0.3 * values(shape, 100 * (i + 1))).requires_grad_() for i, shape in enumerate(shapes)]


def record(loss, tensors):
    flat = lambda t: t.detach().flatten().tolist()
    gradients = torch.autograd.grad(loss, tensors, allow_unused=True)
    return {"loss": loss.item(),
            "gradients": [flat(torch.zeros_like(x) if g is None else g) for g, x in zip(gradients, tensors)]}


def classifier(x, p):
    """layer_norm, linear, tanh, linear, cross_entropy."""
    h = torch.tanh(F.linear(F.layer_norm(x, (5,), p[0], p[1]), p[2], p[3]))
    return F.cross_entropy(F.linear(h, p[4], p[5]), torch.tensor([0, 2, 1, 2]))


def hessian_vector_product():
    p, x = filled([(5,), (5,), (6, 5), (6,), (3, 6), (3,)]), values((4, 5), 1)
    slopes = torch.autograd.grad(classifier(x, p), p, create_graph=True)
    return record(sum((g * values(g.shape, 7 + i)).sum() for i, g in enumerate(slopes)), p)


def gradient_penalty():
    """Of a critic of convolutions, whose gradient by the image shall have length 1."""
    p, x = filled([(4, 2, 3, 3), (4,), (6, 2, 3, 3), (6,), (1, 6)]), values((3, 6, 5, 2), 1).requires_grad_()
    h = F.silu(F.conv2d(x.permute(0, 3, 1, 2), p[0], p[1], padding=1))
    h = F.gelu(F.conv2d(h, p[2], p[3], stride=2, padding=1, groups=2))
    score = F.linear(h.mean((2, 3)), p[4]).sum()
    slope, = torch.autograd.grad(score, x, create_graph=True)
    return record(score + 10 * (slope.square().sum((1, 2, 3)).sqrt() - 1).square().mean(), [*p, x])


def attention():
    """Hessian-vector product of attention written out, with rotations and a softplus gate."""
    p, x = filled([(4, 4), (4, 4), (4, 4), (4,)]), values((2, 5, 4), 1).requires_grad_()
    q, k, v = (x @ w.T for w in p[:3])
    y = torch.softmax((q * p[3].sin()) @ (k * p[3].cos()).transpose(1, 2) / 2, -1) @ v
    loss = (y.exp().log() * F.softplus(x) * torch.sigmoid(v)).sum()
    slopes = torch.autograd.grad(loss, [*p, x], create_graph=True)
    return record(sum((g * values(g.shape, 7 + i)).sum() for i, g in enumerate(slopes)), [*p, x])


def differential_equation():
    """u'' + u = exp(-x) for a network u: the loss has a third derivative in its gradient."""
    p, x = filled([(6, 1), (6,), (1, 6)]), values((7, 1), 1).requires_grad_()
    u = F.linear(torch.sin(F.linear(x, p[0], p[1])), p[2])
    du, = torch.autograd.grad(u.sum(), x, create_graph=True)
    ddu, = torch.autograd.grad(du.sum(), x, create_graph=True)
    return record((ddu + u - torch.exp(-x)).square().mean(), p)


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    results = {f.__name__: f() for f in (hessian_vector_product, gradient_penalty, attention, differential_equation)}
    path = pathlib.Path(__file__).with_name("second.json")
    text = json.dumps(results)
    path.write_text(json.dumps(json.loads(text, parse_float=lambda number: float(f"{float(number):.9g}"))) + "\n")
    print(f"{path}: torch {torch.__version__}, {path.stat().st_size} bytes")
