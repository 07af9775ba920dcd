"""Losses from well-known NumPy code, as it stands there but for annotations; gradgen's ones stand for np.ones, and a
product with 1 - np.eye(n) for an assignment to a diagonal."""

from __future__ import annotations

import numpy as np
from numpy.linalg import det, inv

from gradgen import Indices, Matrix, Scalar, Vector, boolean, dims, loss, one_hot, ones, positive, unit_interval

n, d, m, n_points, n_cameras = dims("n d m n_points n_cameras")

# ---- a Gaussian process: the negative log marginal likelihood of textbook notebooks


def kernel(X1, X2, length=1.0, sigma_f=1.0):
    sqdist = np.sum(X1**2, 1).reshape(-1, 1) + np.sum(X2**2, 1) - 2 * np.dot(X1, X2.T)
    return sigma_f**2 * np.exp(-0.5 / length**2 * sqdist)


@loss(wrt="theta")
def gp_nll(theta: Vector[2, positive], X_train: Matrix[n, d], Y_train: Vector[n], noise: Scalar[positive]):
    Y_train = Y_train.ravel()
    K = kernel(X_train, X_train, length=theta[0], sigma_f=theta[1]) + noise**2 * np.eye(len(X_train))
    return 0.5 * np.log(det(K)) + 0.5 * Y_train.dot(inv(K).dot(Y_train)) + 0.5 * len(X_train) * np.log(2 * np.pi)


# ---- the cost function of a course's neural network, its parameters unrolled


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@loss(wrt="nn_params")
def nnCostFunction(nn_params: Vector[31], X: Matrix[m, 3], Y: Matrix[m, 3, one_hot], lambda_: Scalar):
    input_layer_size, hidden_layer_size, num_labels = 3, 4, 3
    Theta1 = np.reshape(
        nn_params[: hidden_layer_size * (input_layer_size + 1)], (hidden_layer_size, input_layer_size + 1)
    )
    Theta2 = np.reshape(nn_params[hidden_layer_size * (input_layer_size + 1) :], (num_labels, hidden_layer_size + 1))
    m = X.shape[0]
    a1 = np.concatenate([ones(m, 1), X], axis=1)
    a2 = sigmoid(a1.dot(Theta1.T))
    a2 = np.concatenate([ones(a2.shape[0], 1), a2], axis=1)
    h = sigmoid(a2.dot(Theta2.T))
    reg = (lambda_ / (2 * m)) * (np.sum(np.square(Theta1[:, 1:])) + np.sum(np.square(Theta2[:, 1:])))
    return (-1 / m) * np.sum((np.log(h) * Y) + np.log(1 - h) * (1 - Y)) + reg


# ---- t-SNE


@loss(wrt="Y")
def tsne(P: Matrix[n, n, positive], Y: Matrix[n, d]):
    sum_Y = np.sum(np.square(Y), 1)
    num = -2.0 * np.dot(Y, Y.T)
    num = 1.0 / (1.0 + np.add(np.add(num, sum_Y).T, sum_Y))
    num = num * (1 - np.eye(n))
    Q = num / np.sum(num)
    Q = np.maximum(Q, 1e-12)
    C = np.sum(P * np.log(P / Q))
    return C


# ---- Cox's partial likelihood, times in descending order; losses of networks and quantiles


@loss(wrt="beta")
def cox_neg_log_likelihood(beta: Vector[d], X: Matrix[n, d], event: Vector[n, boolean]):
    X = np.asarray(X, dtype=np.float64)
    event = np.asarray(event).astype(float)
    risk = np.exp(np.dot(X, beta))
    log_cum = np.log(np.cumsum(risk))
    return -np.sum((np.dot(X, beta) - log_cum) * event) / np.sum(event)


@loss(wrt="y_pred")
def quantile_loss(y_true: Vector[n], y_pred: Vector[n], q: Scalar[unit_interval]):
    e = y_true - y_pred
    return np.mean(np.max([q * e, (q - 1) * e], axis=0))


@loss(wrt="y_pred")
def focal_loss(
    y_true: Vector[n, boolean], y_pred: Vector[n, unit_interval], gamma: Scalar[positive], alpha: Scalar[unit_interval]
):
    eps = 1e-12
    y_pred = np.clip(y_pred, eps, 1.0 - eps)
    pt = np.where(y_true == 1, y_pred, 1 - y_pred)
    w = np.where(y_true == 1, alpha, 1 - alpha)
    return -np.sum(w * (1 - pt) ** gamma * np.log(pt), axis=-1)


@loss(wrt=("anchor", "positive_", "negative"))
def triplet(anchor: Matrix[n, d], positive_: Matrix[n, d], negative: Matrix[n, d], margin: Scalar):
    d_pos = np.sum(np.square(anchor - positive_), axis=-1)
    d_neg = np.sum(np.square(anchor - negative), axis=-1)
    return np.mean(np.maximum(0.0, margin + d_pos - d_neg))


@loss(wrt="x")
def rosen(x: Vector[d]):
    """SciPy's Rosenbrock function."""
    x = np.asarray(x)
    r = np.sum(100.0 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0, axis=0, dtype=x.dtype)
    return r


# ---- bundle adjustment with Rodrigues' rotation; registration of points in the plane


def rotate(points, rot_vecs):
    """Rotate points by given rotation vectors. Rodrigues' rotation formula is used."""
    theta = np.linalg.norm(rot_vecs, axis=1)[:, np.newaxis]
    v = rot_vecs / theta
    dot = np.sum(points * v, axis=1)[:, np.newaxis]
    cos_theta = np.cos(theta)
    sin_theta = np.sin(theta)
    return cos_theta * points + sin_theta * np.cross(v, points) + dot * (1 - cos_theta) * v


def project(points, camera_params):
    """Convert 3-D points to 2-D by projecting onto images."""
    points_proj = rotate(points, camera_params[:, :3])
    points_proj += camera_params[:, 3:6]
    points_proj = -points_proj[:, :2] / points_proj[:, 2, np.newaxis]
    f = camera_params[:, 6]
    k1 = camera_params[:, 7]
    k2 = camera_params[:, 8]
    n = np.sum(points_proj**2, axis=1)
    r = 1 + k1 * n + k2 * n**2
    points_proj *= (r * f)[:, np.newaxis]
    return points_proj


@loss(wrt=("camera_params", "points_3d"))
def bundle(
    camera_params: Matrix[n_cameras, 9],
    points_3d: Matrix[n_points, 3],
    camera_indices: Indices[m, n_cameras],
    point_indices: Indices[m, n_points],
    points_2d: Matrix[m, 2],
):
    points_proj = project(points_3d[point_indices], camera_params[camera_indices])
    return 0.5 * np.sum((points_proj - points_2d).ravel() ** 2)


@loss(wrt="pose")
def icp(pose: Vector[3], P: Matrix[m, 2], Q: Matrix[m, 2]):
    t, angle = pose[:2], pose[2]
    c, s = np.cos(angle), np.sin(angle)
    R = np.array([[c, -s], [s, c]])
    return np.sum(np.linalg.norm(P @ R.T + t - Q, axis=1) ** 2)
