"""Each word of the vocabulary on vectors, matrices and stacks of matrices, twice differentiated, against JAX."""

from __future__ import annotations

from itertools import product

import pytest
import vocabulary
from vocabulary import BOUNDS, KINDS, Cell

CELLS = vocabulary.cells()
TAKEN = [cell for cell in CELLS if not cell.refused]
REFUSED = [cell for cell in CELLS if cell.refused]
# What the contract and README list, word by word.
WORDS = """
+ - * / ** @ abs sign square sqrt reciprocal exp expm1 exp2 log log1p log2 log10 sin cos tan arcsin arccos arctan
arctan2 sinh cosh tanh arcsinh arccosh arctanh maximum minimum logaddexp hypot clip where > >= < <= == != & | ~
expit logit log_expit xlogy xlog1py entr rel_entr erf erfc ndtr log_ndtr gammaln digamma
sum mean var std prod max min cumsum logsumexp softmax log_softmax trace diagonal
norm norm_1 norm_-1 norm_inf norm_-inf norm_0 norm_-2 norm_p norm_fro norm_nuc
dot inner vdot outer vecdot einsum tensordot multi_dot matrix_power kron inv pinv solve det slogdet cholesky eigvalsh
.T swapaxes reshape ravel squeeze expand_dims broadcast_to [integers] [slices] [None] [Ellipsis] [integer_arrays]
[Indices] concatenate stack vstack hstack block diag tril triu flip roll zeros_like ones_like full_like
ones eye zeros full arange logdet sigmoid softplus relu
""".split()


def test_every_word_is_there_on_every_kind() -> None:
    found = {(cell.word, cell.kind) for cell in CELLS}
    assert set(product(WORDS, KINDS)) <= found


@pytest.mark.parametrize("cell", TAKEN, ids=str)
def test_a_word_agrees_with_jax(cell: Cell) -> None:
    for where, errors in vocabulary.measured(cell):
        assert all(errors[kind] <= bound for kind, bound in BOUNDS.items()), f"{where}: {errors}"


@pytest.mark.parametrize("cell", REFUSED, ids=str)
def test_what_numpy_has_not_is_refused(cell: Cell) -> None:
    assert vocabulary.refusals(cell) == []


def test_the_table_sees_what_is_wrong() -> None:
    """A derivative that is off by one part in a billion, or in another place, is an error."""
    right = {kind: [[1.0, 2.0]] for kind in BOUNDS}
    assert vocabulary.errors(right, right) == dict.fromkeys(BOUNDS, 0.0)
    for wrong in ([1.0, 2.0 + 2e-9], [2.0, 1.0], [1.0, float("nan")]):
        assert vocabulary.errors({**right, "grad": [wrong]}, right)["grad"] > BOUNDS["grad"]
    assert vocabulary.entry(Cell("exp", "vector", ("real",), ("np.exp(a)",), refused=True)) == (
        "NumPy takes np.exp(a)",
        False,
    )
