"""Modules by hand with the face of generated ones, as text, so that tests can mutate them."""

from __future__ import annotations

HEAD = '''
import numpy as np

NAMES, WRT, SEVERAL = {names!r}, {wrt!r}, {several!r}
SHAPES = {shapes!r}
SYMMETRIC, TWICE = {symmetric!r}, {twice!r}
TRIANGULAR, INDICES = {triangular!r}, {indices!r}


def _array(name, x, rank):
    if x is None:
        raise TypeError(f"{{name}} is None")
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{{name}} has dtype {{array.dtype}}")
    if array.ndim != rank:
        raise ValueError(f"{{name}} has rank {{array.ndim}}, not {{rank}}")
    return array


def _cut(name, x):
    return np.tril(x) if name in TRIANGULAR else x


def _indices(name, x, bound):
    if x.dtype.kind not in "iu":
        raise TypeError(f"{{name}} holds no integers")
    if np.any(x < 0):
        raise ValueError(f"{{name}} is negative")
    if np.any(x >= bound):
        raise ValueError(f"{{name}} reaches beyond {{bound}}")


class _Function:
    def __init__(self, name, function):
        if not callable(function):
            raise TypeError(f"{{name}} is no function")
        self.name, self.function = name, function

    def __call__(self, x):
        result = np.asarray(self.function(x))
        if result.dtype.kind not in "fiu":
            raise TypeError(f"{{self.name}} returns {{result.dtype}}")
        if result.shape != np.shape(x):
            raise ValueError(f"{{self.name}} returns shape {{result.shape}}")
        return result.astype(np.asarray(x).dtype)


def _signature(order):
    """The names of what a function is given, with the derivatives of functions up to an order."""
    prefixes = ("", "d", "d2")[: order + 1]
    return [p + name for name in NAMES for p in (("",) if name in SHAPES else prefixes)]


def _door(values, order):
    given = dict(zip(_signature(order), values, strict=True))
    arrays = {{name: _array(name, given[name], len(shape)) for name, shape in SHAPES.items()}}
    sizes = {{}}
    for name, array in arrays.items():
        for axis, (dim, size) in enumerate(zip(SHAPES[name], array.shape)):
            if sizes.setdefault(dim, size) != size:
                raise ValueError(f"{{name}} has {{size}} along {{axis}}, but {{dim}} is {{sizes[dim]}}")
    for name, bound in INDICES.items():
        _indices(name, arrays[name], sizes[bound])
    floating = [a.dtype for name, a in arrays.items() if a.ndim and name not in INDICES]
    single = bool(floating) and all(d == np.float32 for d in floating)
    dtype = np.float32 if single else np.float64
    dtypes = {{name: np.intp if name in INDICES else dtype for name in arrays}}
    arrays = {{name: _cut(name, a.astype(dtypes[name], copy=False)[()]) for name, a in arrays.items()}}
    return [arrays[name] if name in arrays else _Function(name, x) for name, x in given.items()]


def _directions(values, steps, order):
    arrays = []
    for name, step in zip(WRT, steps, strict=True):
        array = _array("d" + name, step, len(SHAPES[name]))
        x = values[_signature(order).index(name)]
        if array.shape != np.shape(x):
            raise ValueError(f"d{{name}} has shape {{array.shape}}")
        arrays.append(_cut(name, array.astype(x.dtype, copy=False)[()]))
    return arrays


def _owned(x):
    return np.ascontiguousarray(x) if np.ndim(x) else float(x)


def _out(arrays):
    results = tuple(_owned(a) for a in arrays)
    return results if SEVERAL else results[0]


class _Bound:
    def __init__(self, **data):
        self.data = {{name: x if callable(x) else np.array(x) for name, x in data.items()}}

    def _all(self, wrt, order, user):
        given = self.data | dict(zip(WRT, wrt, strict=True))
        self.shapes = [np.shape(x) for x in wrt]
        for name in _signature(order):
            if name not in given:
                raise TypeError(f"{{user}} needs {{name}}")
        return [given[name] for name in _signature(order)]

    def pack(self, *wrt):
        self.shapes = [np.shape(x) for x in wrt]
        return np.concatenate([self._entries(name, x) for name, x in zip(WRT, wrt)])

    def _entries(self, name, x):
        x = np.asarray(x, dtype=float)
        return x[np.tril_indices(len(x))] if name in SYMMETRIC + TRIANGULAR else np.ravel(x)

    def _flat(self, gradients):
        found = gradients if SEVERAL else (gradients,)
        twice = [TWICE * x - (TWICE - 1) * np.diag(np.diag(x)) if n in SYMMETRIC else x for n, x in zip(WRT, found)]
        return self.pack(*twice)

    def unpack(self, x):
        arrays = []
        for name, shape in zip(WRT, self.shapes):
            if name in SYMMETRIC + TRIANGULAR:
                rows, columns = np.tril_indices(shape[0])
                array = np.zeros(shape)
                array[rows, columns] = x[: rows.size]
                if name in SYMMETRIC:
                    array[columns, rows] = x[: rows.size]
                x = x[rows.size :]
            else:
                size = int(np.prod(shape))
                array, x = x[:size].reshape(shape).copy(), x[size:]
            arrays.append(array)
        return _out(arrays)

    def _parts(self, x):
        return self.unpack(x) if SEVERAL else (self.unpack(x),)
'''

LOSS = """

def loss(*values):
    return float(_loss(*_door(values, 0)))


def grad(*values):
    return _out(_grad(*_door(values, 1)))


def value_and_grad(*values):
    given = dict(zip(_signature(1), values, strict=True))
    return loss(*(given[name] for name in NAMES)), grad(*values)


def hvp(*values):
    count = len(_signature(2))
    arrays = _door(values[:count], 2)
    return _out(_hvp(*arrays, *_directions(arrays, values[count:], 2)))


class bind(_Bound):
    def loss(self, *wrt):
        return loss(*self._all(wrt, 0, "loss"))

    def grad(self, *wrt):
        return grad(*self._all(wrt, 1, "grad"))

    def value_and_grad(self, *wrt):
        return value_and_grad(*self._all(wrt, 1, "value_and_grad"))

    def hvp(self, *wrt):
        return hvp(*self._all(wrt[: len(WRT)], 2, "hvp"), *wrt[len(WRT) :])

    def hessian(self, *wrt):
        return hessian(*self._all(wrt, 2, "hessian"))

    def fun(self, x):
        return self.loss(*self._parts(x))

    def jac(self, x):
        return self._flat(self.grad(*self._parts(x)))

    def fun_and_jac(self, x):
        return self.fun(x), self.jac(x)

    def hessp(self, x, p):
        return self._flat(self.hvp(*self._parts(x), *self._parts(p)))

    def hess(self, x):
        return np.atleast_2d(self.hessian(*self._parts(x)))
"""

MAP = """

def value(*values):
    return _owned(_value(*_door(values, 0)))


def jvp(*values):
    count = len(_signature(1))
    arrays = _door(values[:count], 1)
    return _owned(_jvp(*arrays, *_directions(arrays, values[count:], 1)))


def vjp(*values):
    arrays = _door(values[:-1], 1)
    result = np.asarray(_value(*(x for x, name in zip(arrays, _signature(1)) if name in NAMES)))
    cotangent = _array("cotangent", values[-1], result.ndim)
    if cotangent.shape != result.shape:
        raise ValueError(f"cotangent has shape {cotangent.shape}")
    return _out(_vjp(*arrays, cotangent.astype(result.dtype, copy=False)[()]))


def jacobian(*values):
    return _owned(_jacobian(*_door(values, 1)))


class bind(_Bound):
    def value(self, *wrt):
        return value(*self._all(wrt, 0, "value"))

    def jvp(self, *wrt):
        return jvp(*self._all(wrt[: len(WRT)], 1, "jvp"), *wrt[len(WRT) :])

    def vjp(self, *wrt):
        return vjp(*self._all(wrt[:-1], 1, "vjp"), wrt[-1])

    def jacobian(self, *wrt):
        return jacobian(*self._all(wrt, 1, "jacobian"))

    def fun(self, x):
        return self.value(*self._parts(x))

    def jac(self, x):
        return self.jacobian(*self._parts(x))
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
    X, y, w, lam = _door((X, y, w, lam), 2)
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
    X, y, w = _door((X, y, w), 2)
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
    X, y, w, delta = _door((X, y, w, delta), 2)
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

GAUSSIAN = """
def _loss(A, b):
    return np.linalg.slogdet(A)[1] + b @ np.linalg.solve(A, b)


def _grad(A, b):
    B = np.linalg.inv(A)
    u, v = B @ b, B.T @ b
    return (B.T - np.outer(v, u),)


def _hvp(A, b, dA):
    B = np.linalg.inv(A)
    dB = -B @ dA @ B
    u, v, du, dv = B @ b, B.T @ b, dB @ b, dB.T @ b
    return (dB.T - np.outer(dv, u) - np.outer(v, du),)
"""

VOLUME = """
def _minors(X):
    n = X.shape[-1]
    rest = np.array([np.delete(np.arange(n), k) for k in range(n)], dtype=int).reshape(n, max(n - 1, 0))
    return X[..., rest[:, None, :, None], rest[None, :, None, :]]


def _cofactors(X):
    signs = (-1.0) ** np.arange(X.shape[-1])
    return (np.outer(signs, signs) * np.linalg.det(_minors(X))).astype(X.dtype)


def _loss(X):
    return np.linalg.det(X)


def _grad(X):
    return (_cofactors(X),)


def _hvp(X, dX):
    signs = (-1.0) ** np.arange(len(X))
    found = np.sum(_cofactors(_minors(X)) * _minors(dX), axis=(-2, -1))
    return ((np.outer(signs, signs) * found).astype(X.dtype),)
"""

SYMMETRIC = """
def _symmetric(G):
    return (G + G.T) / 2


def _loss(A, S, v):
    return np.sum(A * S) + v @ S @ S @ v


def _grad(A, S, v):
    return _symmetric(A + 2 * np.outer(v, S @ v)), 2 * (S @ (S @ v))


def _hvp(A, S, v, dS, dv):
    u = S @ v
    du = dS @ v + S @ dv
    return _symmetric(2 * np.outer(dv, u) + 2 * np.outer(v, du)), 2 * (dS @ u + S @ du)
"""

SYMMETRIC_BY_ENTRIES = SYMMETRIC.replace("(G + G.T) / 2", "G + G.T - np.diag(np.diag(G))")

TWO_FUNCTIONS = """
def _loss(X, f, V, g):
    return np.sum(f(X @ V)) + np.sum(g(V) ** 2) / 2


def _grad(X, f, df, V, g, dg):
    return (X.T @ df(X @ V) + g(V) * dg(V),)


def _hvp(X, f, df, d2f, V, g, dg, d2g, dV):
    return (X.T @ (d2f(X @ V) * (X @ dV)) + (dg(V) ** 2 + g(V) * d2g(V)) * dV,)
"""

NORMED = """
def _loss(X, y, w):
    return np.linalg.norm(X @ w - y)


def _grad(X, y, w):
    r = X @ w - y
    return (X.T @ r / np.linalg.norm(r),)


def _hvp(X, y, w, dw):
    r, dr = X @ w - y, X @ dw
    size = np.linalg.norm(r)
    return (X.T @ (dr / size - r * (r @ dr) / size**3),)


def hessian(X, y, w):
    X, y, w = _door((X, y, w), 2)
    r = X @ w - y
    size = np.linalg.norm(r)
    return np.ascontiguousarray(X.T @ X / size - np.outer(X.T @ r, X.T @ r) / size**3)
"""

LAYER = """
def _value(A, x, f):
    return A @ f(x)


def _jvp(A, x, f, df, dx):
    return A @ (df(x) * dx)


def _vjp(A, x, f, df, cotangent):
    return (df(x) * (A.T @ cotangent),)


def _jacobian(A, x, f, df):
    return A * df(x)
"""

RESOLVENT = """
def _value(S, B):
    return np.linalg.inv(S) @ B


def _jvp(S, B, dS, dB):
    inverse = np.linalg.inv(S)
    return inverse @ (dB - dS @ inverse @ B)


def _vjp(S, B, cotangent):
    inverse = np.linalg.inv(S)
    G = -inverse @ cotangent @ (inverse @ B).T
    return (G + G.T) / 2, inverse @ cotangent
"""

RECOMMENDER = """
def _residual(rows, columns, r, U, V, b):
    return np.sum(U[rows] * V[columns], axis=1) + b[rows] - r


def _scattered(rows, columns, e, U, V, b):
    G, g = np.zeros_like(U), np.zeros_like(b)
    np.add.at(G, rows, e[:, None] * V[columns])
    np.add.at(g, rows, e)
    return G, g


def _loss(rows, columns, r, U, V, b):
    e = _residual(rows, columns, r, U, V, b)
    return e @ e / 2


def _grad(rows, columns, r, U, V, b):
    return _scattered(rows, columns, _residual(rows, columns, r, U, V, b), U, V, b)


def _hvp(rows, columns, r, U, V, b, dU, db):
    return _scattered(rows, columns, _residual(rows, columns, 0 * r, dU, V, db), U, V, b)
"""

TRIANGULAR = """
def _loss(x, L, T, D):
    u = T @ x
    z = np.linalg.solve(L, u)
    return z @ z / 2 + np.linalg.slogdet(L)[1] + np.sum((D * u) ** 2) + np.sum(L * T)


def _grad(x, L, T, D):
    u, B = T @ x, np.linalg.inv(L)
    z = B @ u
    return np.tril(B.T - np.outer(B.T @ z, z) + T), 2 * D * u**2


def _hvp(x, L, T, D, dL, dD):
    u, B = T @ x, np.linalg.inv(L)
    z = B @ u
    w, dB, dz = B.T @ z, -B @ dL @ B, -B @ dL @ z
    dw = dB.T @ z + B.T @ dz
    return np.tril(dB.T - np.outer(dw, z) - np.outer(w, dz)), 2 * dD * u**2
"""

CORES = {
    "ridge": RIDGE,
    "logistic": LOGISTIC,
    "huber": HUBER,
    "factorization": FACTORIZATION,
    "gaussian": GAUSSIAN,
    "volume": VOLUME,
    "symmetric": SYMMETRIC,
    "symmetric_by_entries": SYMMETRIC_BY_ENTRIES,
    "two_functions": TWO_FUNCTIONS,
    "normed": NORMED,
    "recommender": RECOMMENDER,
    "triangular": TRIANGULAR,
    "layer": LAYER,
    "resolvent": RESOLVENT,
}


def module_text(tape):
    """The whole module of one of the losses and functions above."""
    head = HEAD.format(
        names=tuple(a.name for a in tape.arguments),
        wrt=tape.wrt,
        several=tape.several,
        shapes={a.name: tuple(map(str, a.given)) for a in tape.arguments if not a.callable},
        symmetric=tuple(a.name for a in tape.arguments if a.kind == "Symmetric"),
        triangular=tuple(a.name for a in tape.arguments if a.kind == "LowerTriangular"),
        indices={a.name: str(a.below) for a in tape.arguments if a.kind == "Indices"},
        twice=1 if tape.options.get("symmetric") == "entries" else 2,
    )
    return head + (MAP if tape.function else LOSS) + CORES[tape.name]
