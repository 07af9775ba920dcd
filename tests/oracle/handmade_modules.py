"""Modules by hand with the face of generated ones, as text, so that tests can mutate them."""

from __future__ import annotations

FACE = """
import numpy as np

NAMES, WRT, SEVERAL = {names!r}, {wrt!r}, {several!r}
SHAPES = {shapes!r}


def _array(name, x, rank):
    if x is None:
        raise TypeError(f"{{name}} is None")
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{{name}} has dtype {{array.dtype}}")
    if array.ndim != rank:
        raise ValueError(f"{{name}} has rank {{array.ndim}}, not {{rank}}")
    return array


def _door(values, names):
    arrays = [_array(name, x, len(SHAPES[name])) for name, x in zip(names, values, strict=True)]
    sizes = {{}}
    for name, array in zip(names, arrays):
        for axis, (dim, size) in enumerate(zip(SHAPES[name], array.shape)):
            if sizes.setdefault(dim, size) != size:
                raise ValueError(f"{{name}} has {{size}} along {{axis}}, but {{dim}} is {{sizes[dim]}}")
    floating = [a.dtype for a in arrays if a.ndim]
    single = bool(floating) and all(d == np.float32 for d in floating)
    dtype = np.float32 if single else np.float64
    return [a.astype(dtype, copy=False)[()] for a in arrays]


def _directions(values, steps):
    arrays = []
    for name, step in zip(WRT, steps, strict=True):
        array = _array("d" + name, step, len(SHAPES[name]))
        x = values[NAMES.index(name)]
        if array.shape != np.shape(x):
            raise ValueError(f"d{{name}} has shape {{array.shape}}")
        arrays.append(array.astype(x.dtype, copy=False)[()])
    return arrays


def _out(arrays):
    results = tuple(np.ascontiguousarray(a) if np.ndim(a) else float(a) for a in arrays)
    return results if SEVERAL else results[0]


def loss(*values):
    return float(_loss(*_door(values, NAMES)))


def grad(*values):
    return _out(_grad(*_door(values, NAMES)))


def value_and_grad(*values):
    return loss(*values), grad(*values)


def hvp(*values):
    arrays = _door(values[: len(NAMES)], NAMES)
    return _out(_hvp(*arrays, *_directions(arrays, values[len(NAMES) :])))


class bind:
    def __init__(self, **data):
        self.data = {{name: np.array(x) for name, x in data.items()}}

    def _all(self, wrt):
        given = dict(zip(WRT, wrt, strict=True))
        self.shapes = [np.shape(x) for x in wrt]
        return [given[name] if name in given else self.data[name] for name in NAMES]

    def loss(self, *wrt):
        return loss(*self._all(wrt))

    def grad(self, *wrt):
        return grad(*self._all(wrt))

    def value_and_grad(self, *wrt):
        return value_and_grad(*self._all(wrt))

    def hvp(self, *wrt):
        return hvp(*self._all(wrt[: len(WRT)]), *wrt[len(WRT) :])

    def hessian(self, *wrt):
        return hessian(*self._all(wrt))

    def pack(self, *wrt):
        self.shapes = [np.shape(x) for x in wrt]
        return np.concatenate([np.ravel(np.asarray(x, dtype=float)) for x in wrt])

    def unpack(self, x):
        cuts = np.cumsum([int(np.prod(shape)) for shape in self.shapes])[:-1]
        return _out([part.reshape(shape).copy() for part, shape in zip(np.split(x, cuts), self.shapes)])

    def _parts(self, x):
        return self.unpack(x) if SEVERAL else (self.unpack(x),)

    def fun(self, x):
        return self.loss(*self._parts(x))

    def jac(self, x):
        result = self.grad(*self._parts(x))
        return self.pack(*(result if SEVERAL else (result,)))

    def fun_and_jac(self, x):
        return self.fun(x), self.jac(x)

    def hessp(self, x, p):
        result = self.hvp(*self._parts(x), *self._parts(p))
        return self.pack(*(result if SEVERAL else (result,)))

    def hess(self, x):
        return np.atleast_2d(self.hessian(*self._parts(x)))
"""

RIDGE = """
def _loss(X, y, w, lam):
    r = X @ w - y
    return r @ r + lam * (w @ w)


def _grad(X, y, w, lam):
    return (2 * (X.T @ (X @ w - y)) + 2 * lam * w,)


def _hvp(X, y, w, lam, dw):
    return (2 * (X.T @ (X @ dw)) + 2 * lam * dw,)


def hessian(X, y, w, lam):
    X, y, w, lam = _door((X, y, w, lam), NAMES)
    return np.ascontiguousarray(2 * (X.T @ X) + 2 * lam * np.eye(w.size, dtype=w.dtype))
"""

LOGISTIC = """
def _margin(X, y, w):
    return y * (X @ w)


def _loss(X, y, w):
    return np.mean(np.logaddexp(0, -_margin(X, y, w)))


def _grad(X, y, w):
    s = 1 / (1 + np.exp(_margin(X, y, w)))
    return (-(X.T @ (y * s)) / y.size,)


def _hvp(X, y, w, dw):
    s = 1 / (1 + np.exp(_margin(X, y, w)))
    return (X.T @ (s * (1 - s) * (X @ dw)) / y.size,)


def hessian(X, y, w):
    X, y, w = _door((X, y, w), NAMES)
    s = 1 / (1 + np.exp(_margin(X, y, w)))
    return np.ascontiguousarray(X.T @ ((s * (1 - s))[:, None] * X) / y.size)
"""

HUBER = """
def _loss(X, y, w, delta):
    a = np.abs(X @ w - y)
    return np.sum(np.where(a <= delta, a * a / 2, delta * (a - delta / 2)))


def _grad(X, y, w, delta):
    return (X.T @ np.clip(X @ w - y, -delta, delta),)


def _hvp(X, y, w, delta, dw):
    inside = np.abs(X @ w - y) <= delta
    return (X.T @ (inside * (X @ dw)),)


def hessian(X, y, w, delta):
    X, y, w, delta = _door((X, y, w, delta), NAMES)
    inside = np.abs(X @ w - y) <= delta
    return np.ascontiguousarray(X.T @ (inside[:, None] * X))
"""

FACTORIZATION = """
def _loss(M, mask, U, V, lam):
    return np.sum((mask * (U @ V.T - M)) ** 2) + lam * (np.sum(U * U) + np.sum(V * V))


def _grad(M, mask, U, V, lam):
    R = mask * mask * (U @ V.T - M)
    return 2 * (R @ V) + 2 * lam * U, 2 * (R.T @ U) + 2 * lam * V


def _hvp(M, mask, U, V, lam, dU, dV):
    R = mask * mask * (U @ V.T - M)
    S = mask * mask * (dU @ V.T + U @ dV.T)
    return (
        2 * (S @ V) + 2 * (R @ dV) + 2 * lam * dU,
        2 * (S.T @ U) + 2 * (R.T @ dU) + 2 * lam * dV,
    )
"""

CORES = {"ridge": RIDGE, "logistic": LOGISTIC, "huber": HUBER, "factorization": FACTORIZATION}


def module_text(tape):
    """The whole module of one of the losses above."""
    face = FACE.format(
        names=tuple(a.name for a in tape.arguments),
        wrt=tape.wrt,
        several=tape.several,
        shapes={a.name: tuple(map(str, a.shape)) for a in tape.arguments},
    )
    return face + CORES[tape.name]
