"""Factorisations that several operations on one matrix share: its LU factors, or its Cholesky factor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from gradgen.labels import Labels
from gradgen.nodes import Node, Number, Symbol, operand, view
from gradgen.ops.adjugate import Adjugate, AdjugateAlong
from gradgen.ops.determinant import Det, LogDet
from gradgen.ops.inverse import Inverse
from gradgen.ops.solve import Solve
from gradgen.ops.triangular import rows


class Factorised(NamedTuple):
    """A multiple of a matrix: what is factorised."""

    node: Node
    labels: Labels
    coefficient: Number

    @property
    def is_definite(self) -> bool:
        return is_definite(view(self.coefficient, self.node))


def factorised(node: Node) -> Factorised | None:
    """What an operation factorises: one matrix, which is not triangular; of a stack NumPy takes care."""
    if not isinstance(node, Inverse | Solve | Det | LogDet | Adjugate | AdjugateAlong):
        return None
    if len(node.frame) != 2 or len(set(node.labels)) != 2 or (isinstance(node, Solve) and rows(node.matrices)):
        return None
    return Factorised(node.node, node.labels, node.coefficient)


def shared(nodes: Iterable[Node]) -> set[Factorised]:
    """What is factorised more than once, and definite matrices that are inverted: by the Cholesky factor that takes a
    third of the time."""
    counts: Counter[Factorised] = Counter()
    for node in nodes:
        found = factorised(node)
        if found is not None:
            counts[found] += 2 if found.is_definite and isinstance(node, Inverse) else 1
    return {found for found, times in counts.items() if times > 1}


def is_definite(matrices: Node) -> bool:
    """Whether a matrix is known to have a Cholesky factor."""
    c, core, _ = operand(matrices, tuple(range(matrices.rank)))
    return isinstance(core, Symbol) and "definite" in core.facts and c > 0
