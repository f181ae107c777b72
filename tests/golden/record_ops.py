"""Records PyTorch's results for the cases of the operations: those of op_cases.py in ops.safetensors, those of
op_cases_layers.py in ops_layers.safetensors, and so on.

    python3 tests/golden/record_ops.py ops             (recorded with torch 1.13.0, numpy 1.24)
    python3 tests/golden/record_ops.py ops_layers      (recorded with the torch that its metadata name, as all below)
    python3 tests/golden/record_ops.py ops_elements
    python3 tests/golden/record_ops.py ops_losses
    python3 tests/golden/record_ops.py ops_images

Inputs are float32 numbers, drawn from a generator seeded by the operation's name and the number of the case, so that
adding a case at the end of a list changes no other. PyTorch computes in float64 the outputs y and the gradients dx of
sum(y * r) for recorded random r; both are stored rounded to float32.

Tensors are named OPERATION/CASE/x0 x1 ... (inputs), y0 ... (outputs), r0 ... (for outputs that have a gradient),
dx0 ... (for inputs that have one). The metadata describe the cases under "cases":
    [{"op": "leaky_relu", "attributes": {"slope": 0.1}, "inputs": 1, "outputs": 1}, ...]
"""

import json
import os
import sys
import zlib

import numpy as np
import torch

import safetensors_numpy
import op_cases
import op_cases_elements
import op_cases_images
import op_cases_layers
import op_cases_losses


def record(name, number, function, inputs, attributes, tensors):
    rng = np.random.default_rng(zlib.crc32(f"{name}/{number}".encode()))
    arrays = [each.array(rng) for each in inputs]
    xs = [torch.from_numpy(array.astype(np.float64) if array.dtype == np.float32 else array) for array in arrays]
    for x, each in zip(xs, inputs):
        x.requires_grad_(x.is_floating_point() and not each.constant)
    options = {key: value for key, value in attributes.items() if key != "differences"}
    ys = function(*xs, **options)
    ys = list(ys) if isinstance(ys, (tuple, list)) else [ys]

    def put(key, value):
        array = value.detach().numpy() if isinstance(value, torch.Tensor) else value
        if array.dtype == np.float64:
            assert np.isfinite(array).all(), f"{name}/{number}/{key}: {array}"
            array = array.astype(np.float32)
        tensors[f"{name}/{number}/{key}"] = array

    for i, array in enumerate(arrays):
        put(f"x{i}", array)
    loss = torch.zeros((), dtype=torch.float64)
    for i, y in enumerate(ys):
        put(f"y{i}", y)
        if y.requires_grad:
            r = rng.standard_normal(tuple(y.shape)).astype(np.float32)
            put(f"r{i}", np.asarray(r, dtype=np.float32))
            loss = loss + (y * torch.from_numpy(np.asarray(r, dtype=np.float64))).sum()
    if loss.requires_grad:
        loss.backward()
        for i, x in enumerate(xs):
            if x.requires_grad:
                put(f"dx{i}", torch.zeros_like(x) if x.grad is None else x.grad)
    return {"op": name, "attributes": attributes, "inputs": len(xs), "outputs": len(ys)}


FILES = {"ops": op_cases.OPS, "ops_layers": op_cases_layers.OPS, "ops_elements": op_cases_elements.OPS,
         "ops_losses": op_cases_losses.OPS, "ops_images": op_cases_images.OPS}


def main():
    for stem in sys.argv[1:] or FILES:
        tensors, cases = {}, []
        for name, (function, its_cases) in FILES[stem].items():
            assert len(its_cases) >= 12, name
            for number, (inputs, attributes) in enumerate(its_cases):
                cases.append(record(name, number, function, inputs, attributes, tensors))
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), stem + ".safetensors")
        safetensors_numpy.write(path, tensors, {"torch": torch.__version__,
                                                "cases": json.dumps(cases, separators=(",", ":"))})
        print(f"{path}: {len(FILES[stem])} operations, {len(cases)} cases, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
