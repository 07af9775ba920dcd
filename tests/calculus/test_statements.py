"""The text that expressions become, and what it computes: the cases stand in `cases/`."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest
from cases import Case, everything
from snippets import SIZES, close, differences, draw

EINSUM = "np.einsum"


def given(case: Case, dtype: Any = np.float64) -> dict[str, Any]:
    """Random arguments by name, scalars in the working dtype."""
    drawn = draw(case.loss, dtype=dtype)
    names = [argument.name for argument in case.loss.tape.arguments]
    cast = [value if _kept(value) else np.asarray(value, dtype=dtype)[()] for value in drawn]
    return dict(zip(names, cast, strict=True))


def _kept(value: Any) -> bool:
    return callable(value) or np.asarray(value).dtype.kind == "i"


def calls(text: str, function: str) -> list[ast.Call]:
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [node for node in found if ast.unparse(node.func) == function]


@pytest.mark.sweep(3)
@pytest.mark.parametrize("case", everything(), ids=str)
def test_an_expression_becomes_these_statements(case: Case) -> None:
    """The text is the expected one, computes the value of the spec, keeps float32, and returns a new array."""
    assert case.statements == case.expected
    arguments = given(case)
    found = case.run(arguments)
    with np.errstate(all="ignore"):  # NumPy runs both branches of where
        expected = differences(case.loss, list(arguments.values()), "P")
    assert close(found, expected, 1e-8)
    assert not any(np.shares_memory(found, argument) for argument in arguments.values() if not callable(argument))
    assert np.asarray(case.run(given(case, np.float32))).dtype == np.float32 or not case.shape
    assert all(len(call.args) <= 3 for call in calls(case.source, EINSUM))


def test_the_cases_tell_axes_apart() -> None:
    assert len({SIZES[name] for name in "ndk"}) == 3
