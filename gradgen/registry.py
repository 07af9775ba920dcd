"""The tables of the vocabulary: NumPy's functions by name, and what is said about those that are not in them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from gradgen.errors import NotSupportedError
from gradgen.scope import wrong

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
        hint = f"np.{name} takes fewer options here than in NumPy"
        raise wrong(str(error).replace("()", ""), hint) from error


# ---- what is not in the tables

_LATER = """
vecdot einsum tensordot kron linalg.multi_dot linalg.matrix_power linalg.pinv linalg.cholesky linalg.eigvalsh
linalg.vecdot linalg.tensordot var std prod cumsum cumulative_sum reshape ravel tril triu flip fliplr flipud roll
logit log_expit xlogy xlog1py entr rel_entr erf erfc ndtr log_ndtr gammaln digamma psi
"""
LATER = frozenset(_LATER.split())
FIXES = {
    "average": "write np.sum(w * x) / np.sum(w)",
    "matvec": "write A @ x",
    "vecmat": "write x @ A",
    "heaviside": "write np.where(x > 0, 1, 0)",
    "flatten": "write x.ravel()",
    "any": "sum a mask: np.sum(x > 0)",
    "all": "sum a mask: np.sum(x > 0)",
    "sort": "of the order of entries, only max and min are in the vocabulary",
    "argmax": "np.max gives the value, and its gradient picks the entry",
    "median": "np.mean is in the vocabulary",
    "floor_divide": "write a / b",
}
PROMISED = "it is a part of the language to come; for now write it with operators, sums and entrywise functions"


def unknown(name: str, owner: str = "np") -> NoReturn:
    """Refuse a function: as not supported yet where the language has it, else as no part of it."""
    short = name.rpartition(".")[2]
    if name in LATER:
        raise wrong(f"{owner}.{name} is not supported yet", PROMISED, NotSupportedError)
    near = difflib.get_close_matches(short, [*UFUNCS, *FUNCTIONS], 1, 0.75)
    hint = FIXES.get(short) or (
        f"did you mean np.{near[0]}?" if near else "write it with the functions that README lists"
    )
    raise wrong(f"{owner}.{name} is not in the vocabulary", hint)
