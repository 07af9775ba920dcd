"""The tables of the vocabulary: NumPy's functions by name, and what is said about those that are not in them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from gradgen.scope import wrong
from gradgen.strangers import of_option

Handler = Callable[..., Any]
AnyHandler = TypeVar("AnyHandler", bound=Handler)
UFUNCS: dict[str, Handler] = {}
FUNCTIONS: dict[str, Handler] = {}


def ufunc(*names: str) -> Callable[[AnyHandler], AnyHandler]:
    def register(handler: AnyHandler) -> AnyHandler:
        UFUNCS.update(dict.fromkeys(names, handler))
        return handler

    return register


def function(*names: str) -> Callable[[AnyHandler], AnyHandler]:
    def register(handler: AnyHandler) -> AnyHandler:
        FUNCTIONS.update(dict.fromkeys(names, handler))
        return handler

    return register


def apply(name: str, *args: Any) -> Any:
    """A ufunc of the vocabulary, by NumPy's name."""
    return UFUNCS[name](*args) if name in UFUNCS else unknown(name)


def call(name: str, args: Any, kwargs: Any) -> Any:
    """Another function of the vocabulary, by NumPy's name."""
    if name not in FUNCTIONS:
        unknown(name)
    try:
        return FUNCTIONS[name](*args, **kwargs)
    except TypeError as error:
        hint = of_option(str(error)) or f"np.{name} takes fewer options here than in NumPy"
        raise wrong(str(error).replace("()", ""), hint) from error


# ---- what is not in the tables

MEDIAN = (
    "nothing here is the same: the median needs the order of the entries. As a centre to fit, let m be an argument in "
    "wrt: np.sum(np.abs(x - m)) is least where m is the median. np.mean is another statistic, which outliers move"
)
QUANTILE = (
    "nothing here is the same: a quantile needs the order of the entries. As a value to fit, let m be an argument in "
    "wrt: np.sum(np.maximum(q * (x - m), (q - 1) * (x - m))) is least where m is the q-quantile"
)
FIXES = {
    "fill_diagonal": "A * (1 - eye(n)) has zeros on the diagonal, and + diag(v) puts v there",
    "apply_along_axis": "write the function on whole arrays with an axis, as in np.sum(X, axis=1)",
    "apply_over_axes": "name the axes: np.sum(X, axis=(0, 1))",
    "meshgrid": "x[:, None] and y[None, :] broadcast against one another",
    "histogram": "counts have the gradient 0; a smooth histogram is a sum of kernels",
    "digitize": "its gradient is 0: let the bins be an argument, rows: Indices[m, n]",
    "searchsorted": "its gradient is 0: let the positions be an argument, rows: Indices[m, n]",
    "nonzero": "np.where(condition, a, b) chooses entry by entry",
    "unique": "let what depends on data alone be an argument",
    "bincount": "eye(k)[rows].T @ w adds up w by the index rows, an argument Indices[m, k]",
    "isnan": "give weights that are 0 where entries are missing: np.sum(w * x)",
    "isfinite": "give weights that are 0 where entries are missing: np.sum(w * x)",
    "nan_to_num": "np.where(t > 0, x / t, 0) leaks no NaN; missing data have weights of 0: np.sum(w * x)",
    "polyval": "write it by Horner's scheme: (a * x + b) * x + c",
    "cholesky_solve": "write np.linalg.solve(A, b)",
    "percentile": QUANTILE,
    "quantile": QUANTILE,
    "nanpercentile": QUANTILE,
    "nanquantile": QUANTILE,
    "heaviside": "write np.where(x > 0, 1, 0)",
    "any": "a loss can test or assert nothing that is not known; np.sum(x > 0) counts where it holds",
    "all": "a loss can test or assert nothing that is not known; np.sum(x > 0) counts where it holds",
    "count_nonzero": "sum a mask: np.sum(x != 0)",
    "sort": "of the order of entries, only max and min are in the vocabulary",
    "argsort": "of the order of entries, only max and min are in the vocabulary",
    "argmax": "np.max gives the value, and its gradient picks the entry",
    "argmin": "np.min gives the value, and its gradient picks the entry",
    "median": MEDIAN,
    "nanmedian": MEDIAN,
    "floor_divide": "write a / b",
    "diff": "write x[1:] - x[:-1]",
    "ediff1d": "write x[1:] - x[:-1]",
    "ptp": "write np.max(x) - np.min(x)",
    "cumprod": "of positive numbers np.exp(np.cumsum(np.log(x))) is the same",
    "repeat": "write np.broadcast_to(x[:, None], (n, k)).ravel()",
    "tile": "write np.broadcast_to(x, (k, n)).ravel()",
    "cov": "write R = X - np.mean(X, axis=0), and R.T @ R / (n - 1)",
    "corrcoef": "write R = (X - np.mean(X, axis=0)) / np.std(X, axis=0), and R.T @ R / n",
    "nansum": "give weights that are 0 where entries are missing: np.sum(w * x)",
    "nanmean": "give weights that are 0 where entries are missing: np.sum(w * x) / np.sum(w)",
    "sinc": "write np.sin(np.pi * x) / (np.pi * x)",
    "deg2rad": "write x * (np.pi / 180)",
    "rad2deg": "write x * (180 / np.pi)",
    "logaddexp2": "write np.logaddexp(a, b)",
    "cbrt": "write np.sign(x) * np.abs(x) ** (1 / 3)",
    "fmax": "write np.maximum(a, b)",
    "fmin": "write np.minimum(a, b)",
    "dstack": "write np.stack([A, B], axis=-1)",
    "append": "write np.concatenate([x, y])",
    **dict.fromkeys(("split", "array_split", "hsplit", "vsplit"), "write slices: x[:, :p] and x[:, p:]"),
    "pad": "join it with zeros: np.concatenate([x, zeros(n, 1)], axis=1), after from gradgen import zeros",
    "gamma": "scipy.special.gammaln is its logarithm",
    "loggamma": "write scipy.special.gammaln(x)",
    "betaln": "write gammaln(a) + gammaln(b) - gammaln(a + b)",
    "multigammaln": "write it as a sum of gammaln",
    "polygamma": "scipy.special.digamma is the first",
    "eigh": "np.linalg.eigvalsh gives the eigenvalues",
    "eig": "np.linalg.eigvalsh gives the eigenvalues of a symmetric matrix",
    "eigvals": "np.linalg.eigvalsh gives the eigenvalues of a symmetric matrix",
    "svd": "np.sqrt(np.linalg.eigvalsh(X.T @ X)) are the singular values",
    "svdvals": "np.sqrt(np.linalg.eigvalsh(X.T @ X)) are the singular values",
    "lstsq": "write np.linalg.solve(X.T @ X, X.T @ y)",
    "qr": "np.linalg.cholesky(X.T @ X) is the transpose of R, up to signs",
    "cond": "write it with np.linalg.norm and np.linalg.inv",
    "linspace": "write a + (b - a) * arange(n) / (n - 1)",
    "round": "its gradient is 0: leave it out of the loss",
    "rint": "its gradient is 0: leave it out of the loss",
    "floor": "its gradient is 0, so README has it not: leave it out of the loss",
    "ceil": "its gradient is 0: leave it out of the loss",
    "fill": "build the new array with np.full_like",
    "put": "build the new array with np.where",
    "atleast_1d": "write x[None], or x itself",
    "atleast_2d": "write x[None, :]",
}


def unknown(name: str, owner: str = "np") -> NoReturn:
    """Refuse a function that is no part of the language."""
    short = name.rpartition(".")[2]
    near = difflib.get_close_matches(short, [n for n in (*UFUNCS, *FUNCTIONS) if n[0] != "_"], 1, 0.75)
    hint = FIXES.get(short) or (
        f"did you mean np.{near[0]}?" if near else "write it with the functions that README lists"
    )
    raise wrong(f"{owner}.{name} is not in the vocabulary", hint)
