"""Networks: attention, contrastive learning, a perceptron."""

import numpy as np

from gradgen import (
    Matrix,
    Scalar,
    Tensor,
    Vector,
    dims,
    eye,
    log_softmax,
    loss,
    nonnegative,
    one_hot,
    ones,
    positive,
    softmax,
)

n, b, t, d, h, k = dims("n b t d h k")


@loss(wrt=("Wq", "Wk", "Wv"))
def single_head_attention(
    X: Tensor[b, t, d], target: Tensor[b, t, h], Wq: Matrix[d, h], Wk: Matrix[d, h], Wv: Matrix[d, h]
):
    """Causal attention of one head (Vaswani et al. 2017, equation 1), against a target by mean squares."""
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    scores = Q @ K.swapaxes(-1, -2) / np.sqrt(h)
    mask = np.tril(ones(t, t))
    scores = np.where(mask == 1, scores, -np.inf)
    out = softmax(scores, axis=-1) @ V
    return np.mean((out - target) ** 2)


@loss(wrt=("A", "B"))
def info_nce(A: Matrix[n, d], B: Matrix[n, d], tau: Scalar[positive]):
    """InfoNCE with cosine similarities in both directions (van den Oord et al. 2018; CLIP, Radford et al. 2021)."""
    A = A / np.linalg.norm(A, axis=1, keepdims=True)
    B = B / np.linalg.norm(B, axis=1, keepdims=True)
    logits = A @ B.T / tau
    rows = -np.mean(np.diag(log_softmax(logits, axis=1)))
    cols = -np.mean(np.diag(log_softmax(logits, axis=0)))
    return (rows + cols) / 2


@loss(wrt="Z")
def nt_xent(Z: Matrix[2 * n, d], tau: Scalar[positive]):
    """SimCLR's loss (Chen et al. 2020, equation 1): rows i and i + n are two views of one image."""
    Z = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    sim = Z @ Z.T / tau
    sim = np.where(eye(2 * n) == 1, -np.inf, sim)
    log_prob = log_softmax(sim, axis=1)
    return -(np.trace(log_prob[:n, n:]) + np.trace(log_prob[n:, :n])) / (2 * n)


@loss(wrt=("W1", "b1", "W2", "b2"))
def perceptron(
    X: Matrix[n, d],
    Y: Matrix[n, k, one_hot],
    W1: Matrix[d, h],
    b1: Vector[h],
    W2: Matrix[h, k],
    b2: Vector[k],
    alpha: Scalar[nonnegative],
):
    """`MLPClassifier(activation="tanh")` with one hidden layer."""
    hidden = np.tanh(X @ W1 + b1)
    out = softmax(hidden @ W2 + b2)
    return -np.sum(Y * np.log(out)) / n + 0.5 * alpha * (np.sum(W1**2) + np.sum(W2**2)) / n
