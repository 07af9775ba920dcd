"""Factors and embeddings of pairs: each observation is a row, a column and a value."""

import numpy as np
from scipy.special import expit, log_expit

from gradgen import Indices, Matrix, Scalar, Vector, dims, loss, nonnegative, positive

m, users, items, k = dims("m users items k")


@loss(wrt=("U", "V"))
def matrix_completion(
    rows: Indices[m, users],
    cols: Indices[m, items],
    y: Vector[m],
    U: Matrix[users, k],
    V: Matrix[items, k],
    lam: Scalar[nonnegative],
):
    """Squared errors over the observed pairs (Mnih and Salakhutdinov 2007, equation 4)."""
    r = np.sum(U[rows] * V[cols], axis=1) - y
    return 0.5 * np.sum(r**2) + 0.5 * lam * (np.sum(U**2) + np.sum(V**2))


@loss(wrt=("mu", "bu", "bi", "P", "Q"))
def biased_factorization(
    u: Indices[m, users],
    i: Indices[m, items],
    r: Vector[m],
    mu: Scalar,
    bu: Vector[users],
    bi: Vector[items],
    P: Matrix[users, k],
    Q: Matrix[items, k],
    lam: Scalar[nonnegative],
):
    """Ratings with biases (Koren, Bell and Volinsky 2009, equation 5; Surprise's SVD)."""
    predicted = mu + bu[u] + bi[i] + np.einsum("ij,ij->i", P[u], Q[i])
    error = r - predicted
    penalty = np.sum(bu[u] ** 2) + np.sum(bi[i] ** 2) + np.sum(P[u] ** 2) + np.sum(Q[i] ** 2)
    return np.sum(error**2) + lam * penalty


@loss(wrt=("W", "C", "b", "c"))
def glove(
    i: Indices[m, users],
    j: Indices[m, items],
    counts: Vector[m, positive],
    W: Matrix[users, k],
    C: Matrix[items, k],
    b: Vector[users],
    c: Vector[items],
    x_max: Scalar[positive],
):
    """GloVe (Pennington, Socher and Manning 2014, equations 8 and 9)."""
    weight = np.where(counts < x_max, (counts / x_max) ** 0.75, 1.0)
    diff = (W[i] * C[j]).sum(axis=1) + b[i] + c[j] - np.log(counts)
    return np.sum(weight * diff**2)


@loss(wrt=("W", "C"))
def skip_gram(
    word: Indices[m, users],
    context: Indices[m, items],
    noise: Matrix[m, items, nonnegative],
    W: Matrix[users, k],
    C: Matrix[items, k],
):
    """word2vec with negative samples, given as counts (Mikolov et al. 2013, equation 4)."""
    positive_ = log_expit(np.sum(W[word] * C[context], axis=-1))
    negative = noise * log_expit(-W[word] @ C.T)
    return -(np.sum(positive_) + np.sum(negative)) / m


@loss(wrt=("P", "Q"))
def bayesian_personalised_ranking(
    u: Indices[m, users],
    i: Indices[m, items],
    j: Indices[m, items],
    P: Matrix[users, k],
    Q: Matrix[items, k],
    lam: Scalar[nonnegative],
):
    """BPR: user u prefers item i to j (Rendle et al. 2009)."""
    x_uij = np.sum(P[u] * (Q[i] - Q[j]), axis=1)
    return -np.sum(np.log(expit(x_uij))) + lam * (np.sum(P**2) + np.sum(Q**2))


@loss(wrt="theta")
def bradley_terry_pairs(winner: Indices[m, items], loser: Indices[m, items], theta: Vector[items]):
    """Paired comparisons (Bradley and Terry 1952)."""
    return np.sum(np.log1p(np.exp(theta[loser] - theta[winner])))
