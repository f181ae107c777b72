"""What record_gpt.py, record_llama.py and record_peft.py have in common."""

import numpy as np
import torch
from torch.nn import functional

import safetensors_numpy


def record_expected(path, model, logits_of, rng, vocabulary, shape):
    """Writes what a language model computes in float64 of random tokens [B, T] of that shape, drawn from `rng`: tokens,
    targets, logits, loss, and "gradient." + name of each parameter that has one. logits_of(tokens) gives the logits."""
    model.double()
    tokens = rng.integers(0, vocabulary, shape)
    targets = rng.integers(0, vocabulary, shape)
    logits = logits_of(torch.from_numpy(tokens))
    loss = functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(targets.reshape(-1)))
    loss.backward()
    expected = {"tokens": tokens, "targets": targets, "logits": logits.detach().numpy().astype(np.float32),
                "loss": np.asarray([loss.item()], dtype=np.float32)}
    # PEFT's name of an adapter within its model, which files do not have.
    expected |= {"gradient." + name.replace(".default", ""): parameter.grad.numpy().astype(np.float32)
                 for name, parameter in model.named_parameters() if parameter.grad is not None}
    safetensors_numpy.write(path, expected, {})
    print(path, f"loss {loss.item():.6f}", f"largest logit {logits.abs().max().item():.3f}")
