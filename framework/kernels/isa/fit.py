"""Prints the polynomial coefficients of math.hpp: python3 fit.py (needs numpy).

Each is a minimax fit, by iteratively reweighted least squares on Chebyshev points, in double.
"""
import math

import numpy as np


def fit(argument, target, weight, degree):
    """Coefficients c that minimize max |weight * (sum c[i] * argument^i - target)|."""
    columns = np.vander(argument, degree + 1, increasing=True)
    emphasis = np.ones_like(target)
    for _ in range(200):
        scale = weight * np.sqrt(emphasis)
        c = np.linalg.lstsq(columns * scale[:, None], target * scale, rcond=None)[0]
        error = np.abs(weight * (columns @ c - target))
        emphasis *= (error / error.max()) ** 0.5 + 1e-3
        emphasis /= emphasis.max()
    return c, error.max()


def show(name, c, error):
    print(name, "maximum error", error)
    for value in c:
        print(f"  {value:.10g}f")


nodes = np.cos(np.pi * (np.arange(4000) + 0.5) / 4000)

# e^r = 1 + r + r^2 q(r) for |r| <= log(2) / 2, fitted by relative error.
r = nodes * np.log(2) / 2 * 1.001
show("exp", *fit(r, (np.expm1(r) - r) / r**2, r**2 / np.exp(r), 4))

# Upper tail of the normal distribution: e^(-a^2/2) q(t), t = 1 / (1 + 0.3 a), for a = 0 to 14, by relative error.
a = (nodes + 1) / 2 * 14
t = 1 / (1 + 0.3 * a)
tail = np.array([math.erfc(v / math.sqrt(2)) * math.exp(v * v / 2) / 2 for v in a])
show("normal tail", *fit(t, tail, 1 / tail, 8))
