"""The printed formulas: as committed, right when they are read back, and no longer than those of the documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shown
from documents import BOUND, At, at, error, like
from printed import operations
from printed import read as tree

OURS = shown.read(shown.GOLDEN)
THEIRS = shown.read(shown.DOCUMENTS)
READ = [name for name in OURS if name != "stacked_trace"]  # whose X needs NumPy's brackets
LINES = [(name, line) for name, entry in THEIRS.items() for line in entry.lines]


def test_golden() -> None:
    assert shown.GOLDEN.read_text(encoding="utf-8") == shown.text(shown.formulas()), f"run {shown.__file__}"


@pytest.mark.parametrize("name", READ)
def test_every_line_computes_what_the_module_does(name: str) -> None:
    f = at(name)
    scope, expected = of(f), results(f)
    assert set(OURS[name].lines) == set(expected)
    for line, value in expected.items():
        assert agrees(OURS[name].compute(line, scope), value), line


@pytest.mark.parametrize(("name", "line"), LINES)
def test_documents_compute_what_the_module_does(name: str, line: str) -> None:
    f = at(name)
    assert agrees(THEIRS[name].compute(line, of(f)), results(f)[line])


@pytest.mark.parametrize(("name", "line"), LINES)
def test_no_longer_than_the_document(name: str, line: str) -> None:
    assert OURS[name].operations(line) <= THEIRS[name].operations(line)


def test_every_gradient_has_a_closed_form() -> None:
    """But for those that no document writes: a stacked X with A as a whole, the trace of a number, the sum of logs."""
    everything = {(name, line) for name, entry in OURS.items() for line in entry.lines if line.startswith("grad")}
    assert {name for name, _ in everything - set(LINES)} == {"stacked_trace", "trace_scalar", "log_sum"}


@pytest.mark.parametrize(
    ("formula", "count"),
    [
        ("x", 0),
        ("-2 x", 1),
        ("(A + Aᵀ) X", 2),
        ("2 Xᵀ ((1 1ᵀ f(X V)) ∘ f'(X V))", 8),
        ("det(X) X⁻ᵀ", 3),
        ("diag(u) X + X ∘ X", 3),
        ("A - diag(A)", 2),
        ("xᵀ A x + ‖A x‖²", 4),
        ("‖X w‖² + ⟨A, B⟩ / n", 5),
    ],
)
def test_operations_are_counted(formula: str, count: int) -> None:
    assert operations(tree(formula)) == count


# ---- a module and its arguments, as the notation has them


def of(f: At) -> dict[str, Any]:
    """The arguments as matrices and columns, and directions, a cotangent, the identity and dimensions beside them."""
    variables = {name: f.values[name] for name in f.made.wrt}
    directions = {f"d{name}": like(value) for name, value in variables.items()}
    functions = {f"{name}'": np.cos for name, value in f.values.items() if callable(value)}
    rows = np.shape(next(iter(variables.values()), ()))[:1]
    scope = {**f.values, **directions, "I": np.eye(*rows or (1,)), "n": 6.0}
    if f.made.tape.function:
        scope["cotangent"] = like(f.value(), 1)
    return {**{name: value if callable(value) else matrix(value) for name, value in scope.items()}, **functions}


def results(f: At) -> dict[str, Any]:
    """What the module computes, by the names that lines have."""
    several = len(f.made.wrt) > 1
    if not f.made.tape.function:
        gradients = f.grad() if several else (f.grad(),)
        return {"loss": f.loss(), **named("grad", f, gradients)}
    pulled = f.vjp(like(f.value(), 1))
    found = {"value": f.value(), "jvp": f.jvp(*(like(f.values[name]) for name in f.made.wrt))}
    found |= named("vjp", f, pulled if several else (pulled,))
    return {**found, "jacobian": f.jacobian()} if hasattr(f.module, "jacobian") else found


def named(word: str, f: At, values: Any) -> dict[str, Any]:
    return dict(zip([f"{word}_{w}" for w in f.made.wrt] if len(f.made.wrt) > 1 else [word], values, strict=True))


def matrix(value: Any) -> Any:
    """A vector is a column, a number a matrix of one entry."""
    return np.reshape(value, (-1, 1)) if np.ndim(value) < 2 else np.asarray(value)


def agrees(computed: Any, expected: Any) -> bool:
    """Up to rounding; what is computed may be a number, a row or a column that stands for all."""
    wanted = matrix(expected)
    return error(np.broadcast_to(computed, wanted.shape), wanted) <= 10 * BOUND
