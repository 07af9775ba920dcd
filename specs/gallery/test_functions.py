"""Functions that optimisers are tried on (`scipy.optimize.rosen`; Surjanovic and Bingham's collection)."""

import numpy as np

from gradgen import Vector, dims, loss

n = dims("n")


@loss(wrt="x")
def rosenbrock(x: Vector[n]):
    """`scipy.optimize.rosen`."""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0, axis=0)


@loss(wrt="x")
def ackley(x: Vector[n]):
    """Ackley's function (1987)."""
    a, b, c = 20, 0.2, 2 * np.pi
    return -a * np.exp(-b * np.sqrt(np.mean(x**2))) - np.exp(np.mean(np.cos(c * x))) + a + np.exp(1)


@loss(wrt="x")
def rastrigin(x: Vector[n]):
    """Rastrigin's function (1974)."""
    return 10 * len(x) + np.sum(x**2 - 10 * np.cos(2 * np.pi * x))


@loss(wrt="x")
def levy(x: Vector[n]):
    """Lévy's function."""
    w = 1 + (x - 1) / 4
    head = np.sin(np.pi * w[0]) ** 2
    middle = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2))
    return head + middle + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)
