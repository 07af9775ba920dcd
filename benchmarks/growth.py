"""Losses of many operations, to see how the cost of generating code grows with them."""

from __future__ import annotations

import numpy as np

from gradgen import Matrix, Vector, dims, loss
from gradgen.spec import Loss

n = dims("n")


def chain(length: int) -> Loss:
    """x = tanh(x) * y + x, again and again: entrywise."""

    @loss(wrt="x")
    def chain(x: Vector[n], y: Vector[n]):
        for _ in range(length // 3):
            x = np.tanh(x) * y + x
        return np.sum(x)

    return chain


def layers(length: int) -> Loss:
    """x = tanh(A @ x + y), again and again: a deep network."""

    @loss(wrt="x")
    def layers(A: Matrix[n, n], x: Vector[n], y: Vector[n]):
        for _ in range(length // 3):
            x = np.tanh(A @ x + y)
        return x @ x

    return layers


def squaring(length: int) -> Loss:
    """P = P @ P, again and again."""

    @loss(wrt="P")
    def squaring(P: Matrix[n, n]):
        for _ in range(length):
            P = P @ P
        return np.sum(P)

    return squaring


def fibonacci(length: int) -> Loss:
    """P, Q = Q, P @ Q: flattened, the last product has as many factors as the Fibonacci number says."""

    @loss(wrt="P")
    def fibonacci(P: Matrix[n, n], Q: Matrix[n, n]):
        for _ in range(length):
            P, Q = Q, P @ Q
        return np.sum(Q)

    return fibonacci


def accumulated(length: int) -> Loss:
    """A sum to which a term is added at a time."""

    @loss(wrt="x")
    def accumulated(x: Vector[n], y: Vector[n]):
        total = y @ x
        for i in range(length):
            total = total + np.sum(np.sin(i * x))
        return total

    return accumulated
