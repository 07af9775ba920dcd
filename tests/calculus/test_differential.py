"""Differential and adjoint: linear operations against their adjoints, whole expressions against differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from evaluate import DIMS, SIZES, agree, evaluate, shape, symbols, value_of

from gradgen.adjoint import adjoint
from gradgen.atoms import Unknown, call
from gradgen.differential import differential
from gradgen.dims import Size
from gradgen.nodes import Node, Symbol, add, apply, arange, delta, is_zero, one, product, symbol, triangle, view
from gradgen.ops.adjugate import adjugate, adjugate_along
from gradgen.ops.determinant import det, detsign, logdet
from gradgen.ops.factor import cholesky, eigenvalues, eigenvectors
from gradgen.ops.gather import NONE, gather, scatter, taken
from gradgen.ops.inverse import inverse
from gradgen.ops.nuclear import nuclear, polar_along
from gradgen.ops.operation import Operation
from gradgen.ops.others import others_along
from gradgen.ops.pinv import pinv
from gradgen.ops.reduce import Reduce, prod, reduce
from gradgen.ops.reshape import reshape
from gradgen.ops.scan import scan
from gradgen.ops.select import Embed, Select, embed, select
from gradgen.ops.solve import Solve
from gradgen.tape import Span
from gradgen.walk import order

N, D = DIMS["n"], DIMS["d"]
THREE = Size.of(3)


def direction(of: Symbol) -> Symbol:
    return symbol("d" + of.name, of.index, of.shape, direction=True)


def span(start: int | Size, stop: int | Size, step: int = 1) -> Span:
    return Span(Size.of(start), Size.of(stop), step)


# ---- linear operations: <A(x), g> = <x, A*(g)>

LINEAR: dict[str, Callable[[], tuple[Node, Symbol]]] = {}


def linear(make: Callable[[], tuple[Node, Symbol]]) -> Callable[[], tuple[Node, Symbol]]:
    LINEAR[make.__name__.replace("_", " ")] = make
    return make


@linear
def a_scaled_view() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return view(-3, x), x


@linear
def a_transpose() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return x.T, x


@linear
def a_diagonal() -> tuple[Node, Symbol]:
    [x] = symbols("x:nn")
    return view(2, x, (0, 0), shape("n")), x


@linear
def a_diagonal_of_two_axes_in_three() -> tuple[Node, Symbol]:
    [x] = symbols("x:ndn")
    return view(1, x, (1, 0, 1), shape("dn")), x


@linear
def a_broadcast() -> tuple[Node, Symbol]:
    [x] = symbols("x:d")
    return view(1, x, (1,), shape("nd")), x


@linear
def a_sum_of_broadcast_and_turned_terms() -> tuple[Node, Symbol]:
    [x] = symbols("x:nn")
    return add([(1, x, (0, 1)), (-2, x, (1, 0)), (3, x, (0, 0))], shape("nn")), x


@linear
def a_product_with_data() -> tuple[Node, Symbol]:
    A, x, B = symbols("A:mn x:nd B:dk")
    return A @ x @ B, x


@linear
def a_product_that_broadcasts() -> tuple[Node, Symbol]:
    A, x = symbols("A:nd x:d")
    return A**2 * x, x


@linear
def a_product_over_a_diagonal() -> tuple[Node, Symbol]:
    A, x = symbols("A:n x:nn")
    return product([(A, (0,), 1), (x, (0, 0), 1)], shape("n")), x


@linear
def a_trace() -> tuple[Node, Symbol]:
    A, x = symbols("A:nn x:nn")
    return product([(A, (0, 1), 1), (x, (1, 0), 1)], ()), x


@linear
def a_batched_product() -> tuple[Node, Symbol]:
    A, x = symbols("A:nkd x:nd")
    return product([(A, (0, 1, 2), 1), (x, (0, 2), 1)], shape("nk")), x


@linear
def a_total() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return product([(x, (0, 1), 1)], ()), x


@linear
def a_quotient_by_data() -> tuple[Node, Symbol]:
    A, x = symbols("A:n:positive x:nd")
    return (x.T / A).T, x


@linear
def a_slice() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return select(x, (span(1, N - 1), None)), x


@linear
def a_slice_with_a_step() -> tuple[Node, Symbol]:
    [x] = symbols("x:4n")
    return select(x, (span(0, 4, 2), None)), x


@linear
def a_flip() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return select(x, (span(0, N, -1), span(0, D, -1))), x


@linear
def a_row() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return select(x, (Size.of(2), None)), x


@linear
def the_last_entry() -> tuple[Node, Symbol]:
    [x] = symbols("x:n")
    return select(x, (N - 1,)), x


@linear
def a_slice_of_a_transpose() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return select(2 * x.T, (span(1, D), Size.of(0))), x


@linear
def a_slice_of_a_diagonal() -> tuple[Node, Symbol]:
    [x] = symbols("x:nn")
    return select(view(1, x, (0, 0), shape("n")), (span(1, N),)), x


@linear
def a_block_among_zeros() -> tuple[Node, Symbol]:
    [x] = symbols("x:3d")
    return embed(x, (span(1, 4), None), shape("nd")), x


@linear
def a_row_among_zeros() -> tuple[Node, Symbol]:
    [x] = symbols("x:d")
    return embed(-2 * x, (N - 1, None), shape("nd")), x


@linear
def a_turned_block_among_zeros() -> tuple[Node, Symbol]:
    [x] = symbols("x:d3")
    return embed(x.T, (span(0, 3), None), shape("nd")), x


@linear
def a_slice_of_a_diagonal_backwards() -> tuple[Node, Symbol]:
    [x] = symbols("x:nn")
    return select(view(1, x, (0, 0), shape("n")), (span(0, N, -1),)), x


@linear
def an_entry_of_a_diagonal() -> tuple[Node, Symbol]:
    [x] = symbols("x:nn")
    return select(view(3, x, (0, 0), shape("n")), (Size.of(1),)), x


@linear
def two_blocks_side_by_side() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    wide = (N, D + D)
    parts = [embed(x, (None, span(0, D)), wide), embed(-2 * x, (None, span(D, D + D)), wide)]
    return parts[0] + parts[1], x


@linear
def the_adjugate_along_a_direction() -> tuple[Node, Symbol]:
    A, x = symbols("A:nn x:nn")
    return adjugate_along(A, x), x


@linear
def the_adjugate_along_a_transposed_direction() -> tuple[Node, Symbol]:
    A, x = symbols("A:nn x:nn")
    return adjugate_along(-2 * A.T, 3 * x.T), x


@linear
def the_adjugates_of_a_stack_along_one_direction() -> tuple[Node, Symbol]:
    A, x = symbols("A:mnn x:nn")
    return adjugate_along(A, view(1, x, (1, 2), A.shape)), x


@linear
def the_adjugates_of_a_stack_along_a_stack() -> tuple[Node, Symbol]:
    A, x = symbols("A:mnn x:nmn")
    return adjugate_along(A, view(1, x, (1, 0, 2), A.shape)), x


@linear
def the_adjugate_along_a_stack_of_directions() -> tuple[Node, Symbol]:
    A, x = symbols("A:nn x:nnk")
    return adjugate_along(A, x), x


@linear
def the_adjugate_along_a_diagonal() -> tuple[Node, Symbol]:
    A, x = symbols("A:nn x:n")
    return adjugate_along(A, product([(x, (0,), 1), (delta(N), (0, 1), 1)], A.shape)), x


@linear
def the_polar_factor_along_a_direction() -> tuple[Node, Symbol]:
    A, x = symbols("A:nd x:nd")
    return polar_along(A, x), x


@linear
def the_polar_factor_along_a_transposed_direction() -> tuple[Node, Symbol]:
    A, x = symbols("A:dn x:nd")
    return polar_along(-2 * A.T, 3 * x), x


@linear
def the_polar_factors_of_a_stack_along_a_stack() -> tuple[Node, Symbol]:
    A, x = symbols("A:mnd x:nmd")
    return polar_along(A, view(1, x, (1, 0, 2), A.shape)), x


@linear
def the_polar_factor_along_a_stack_of_directions() -> tuple[Node, Symbol]:
    A, x = symbols("A:nd x:ndk")
    return polar_along(A, x), x


@linear
def a_flat_matrix() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return reshape(-2 * x, (N * D,)), x


@linear
def a_flat_transpose() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return reshape(x.T, (N * D,)), x


@linear
def a_flat_matrix_by_rows_of_another_length() -> tuple[Node, Symbol]:
    [x] = symbols("x:ndk")
    return reshape(view(1, x, (1, 0, 2), shape("dnk")), (D, N * DIMS["k"])), x


@linear
def a_flat_broadcast() -> tuple[Node, Symbol]:
    [x] = symbols("x:d")
    return reshape(view(3, x, (1,), shape("nd")), (N * D,)), x


@linear
def a_flat_diagonal() -> tuple[Node, Symbol]:
    [x] = symbols("x:nn")
    return reshape(view(1, view(1, x, (0, 0), shape("n")), (1,), shape("dn")), (N * D,)), x


@linear
def rows_by_indices() -> tuple[Node, Symbol]:
    x, i = symbols("x:nd i:m:indices")
    return taken(-2 * x, 0, i), x


@linear
def columns_of_a_transpose_by_indices() -> tuple[Node, Symbol]:
    x, i = symbols("x:nd i:m:indices")
    return taken(x.T, 1, i), x


@linear
def entries_of_a_diagonal_by_indices() -> tuple[Node, Symbol]:
    x, i = symbols("x:nn i:m:indices")
    return taken(view(1, x, (0, 0), shape("n")), 0, i), x


@linear
def rows_of_a_broadcast_by_indices() -> tuple[Node, Symbol]:
    x, i = symbols("x:d i:m:indices")
    return taken(view(2, x, (1,), shape("nd")), 0, i), x


@linear
def entries_that_stand_in_the_spec() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return taken(x, 1, (2, 0, 0, 1)), x


@linear
def rows_scattered_over_more() -> tuple[Node, Symbol]:
    x, i = symbols("x:dm i:m:indices")
    return scatter(3 * x, (0, 1), (None, i), shape("dn")), x


@linear
def one_row_scattered_everywhere() -> tuple[Node, Symbol]:
    x, i = symbols("x:d i:m:indices")
    return scatter(view(1, x, (1,), shape("md")), (0, 1), (i, None), shape("nd")), x


@linear
def entries_scattered_by_the_spec() -> tuple[Node, Symbol]:
    [x] = symbols("x:3n")
    return scatter(x.T, (0, 1), (None, (1, 1, 0)), shape("nd")), x


@linear
def one_entry_of_each_row() -> tuple[Node, Symbol]:
    x, i = symbols("x:md i:m:indices")
    return gather(2 * x, (0, 0), (None, i), shape("m")), x


@linear
def entries_at_pairs_beside_an_axis() -> tuple[Node, Symbol]:
    x, i = symbols("x:ndn i:m:indices")
    return gather(x, (0, 1, 0), (i, None, i), shape("md")), x


@linear
def entries_at_pairs_on_a_diagonal() -> tuple[Node, Symbol]:
    x, i = symbols("x:nndd i:m:indices")
    return gather(x, (1, 1, 0, 0), (None, None, i, (2, 1, 0, 2)), shape("mn")), x


@linear
def one_row() -> tuple[Node, Symbol]:
    x, i = symbols("x:nd i::indices")
    return gather(x, (NONE, 0), (i, None), shape("d")), x


@linear
def one_entry_scattered_to_each_row() -> tuple[Node, Symbol]:
    x, i = symbols("x:m i:m:indices")
    return scatter(-x, (0, 0), (None, i), shape("md")), x


@linear
def entries_scattered_to_pairs_beside_an_axis() -> tuple[Node, Symbol]:
    x, i = symbols("x:md i:m:indices")
    return scatter(x, (0, 1, 0), (i, None, (2, 0, 2, 1)), shape("ndn")), x


@linear
def a_row_at_one_index() -> tuple[Node, Symbol]:
    x, i = symbols("x:d i::indices")
    return scatter(x, (NONE, 0), (i, None), shape("nd")), x


@linear
def running_sums() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return scan(-2 * x.T, 1), x


@linear
def running_sums_from_the_end() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return scan(x, 1, backwards=True), x


@linear
def running_sums_of_a_broadcast() -> tuple[Node, Symbol]:
    [x] = symbols("x:d")
    spread = view(2, x, (1,), shape("nd"))
    return scan(spread, 0) - scan(spread, 0, backwards=True), x


@linear
def running_sums_of_a_diagonal() -> tuple[Node, Symbol]:
    [x] = symbols("x:nn")
    return scan(view(1, x, (0, 0), shape("n")), 0), x


@linear
def a_lower_triangle() -> tuple[Node, Symbol]:
    [x] = symbols("x:nd")
    return triangle(N, D, -1) * x, x


@linear
def the_products_of_others_along_a_direction() -> tuple[Node, Symbol]:
    A, x = symbols("A:nd x:nd")
    return others_along(A, -2 * x, 1), x


@linear
def the_products_of_others_along_a_transpose() -> tuple[Node, Symbol]:
    A, x = symbols("A:nd x:dn")
    return others_along(A, x.T, 0), x


@linear
def the_products_of_others_along_a_broadcast() -> tuple[Node, Symbol]:
    A, x = symbols("A:nd x:d")
    return others_along(A, view(1, x, (1,), A.shape), 1), x


@linear
def the_products_of_others_along_what_does_not_vary_along_the_axis() -> tuple[Node, Symbol]:
    A, x = symbols("A:nd x:n")
    return others_along(A, view(1, x, (0,), A.shape), 1), x


@linear
def the_products_of_others_along_many_directions() -> tuple[Node, Symbol]:
    A, x = symbols("A:nd x:knd")
    return others_along(A, view(1, x, (2, 0, 1), shape("ndk")), 0), x


@linear
def the_adjugate_of_a_symmetric_matrix_along_a_direction() -> tuple[Node, Symbol]:
    A, x = symbols("A:nn:symmetric x:nn")
    return adjugate_along(A, x), x


@pytest.mark.parametrize("said", LINEAR)
def test_the_adjoint_of_a_linear_operation(said: str) -> None:
    image, x = LINEAR[said]()
    dx = direction(x)
    [tangent] = differential([image], {x: dx})
    g = symbol("g", 9, image.shape)
    axes = tuple(range(image.rank))
    [back] = adjoint(product([(tangent, axes, 1), (g, axes, 1)], ()), [dx])
    assert back.shape == x.shape
    pairing = np.vdot(evaluate(tangent, {"dx": value_of(x)}), value_of(g))
    assert agree(np.vdot(value_of(x), evaluate(back)), pairing)


@pytest.mark.parametrize("said", LINEAR)
def test_the_differential_of_a_linear_operation_is_itself(said: str) -> None:
    image, x = LINEAR[said]()
    [tangent] = differential([image], {x: direction(x)})
    assert agree(evaluate(tangent, {"dx": value_of(x)}), evaluate(image))


@pytest.mark.parametrize("said", LINEAR)
def test_several_directions_at_once(said: str) -> None:
    """An extra axis of the seed is one direction for each entry."""
    image, x = LINEAR[said]()
    many = symbol("many", 8, (*x.shape, THREE))
    [tangent] = differential([image], {x: many}, (THREE,))
    columns = np.moveaxis(value_of(many), -1, 0)
    alone = [evaluate(image, {"x": column}) for column in columns]
    assert agree(evaluate(tangent), np.stack(alone, axis=-1))


def test_every_linear_operation_has_a_case() -> None:
    cased = {type(inner) for make in LINEAR.values() for inner in _below(make()[0])}
    assert {kind for kind in _operations() if kind.linear} <= cased


def _below(node: Node) -> list[Node]:
    return [node, *(inner for child in node.operands for inner in _below(child))]


def _operations() -> set[type[Operation]]:
    """All operations but those that only the plan makes, which nothing differentiates."""
    found, todo = set(), [Operation]
    while todo:
        kinds = todo.pop().__subclasses__()
        found.update(kind for kind in kinds if not kind.__subclasses__())
        todo += kinds
    return found - {Solve}


# ---- nonlinear expressions against differences

Scalar = Callable[..., Node]
NONLINEAR: dict[str, tuple[str, Scalar]] = {
    "a least squares loss": ("x:d A:nd b:n", lambda x, A, b: _total((A @ x - b) ** 2)),
    "a cubic of a matrix": ("x:nn", lambda x: product([(x @ x @ x, (0, 0), 1)], ())),
    "a quotient": ("x:d", lambda x: (x @ x) / (1 + _total(x**4))),
    "a root": ("x:d", lambda x: (1 + x @ x) ** 0.5),
    "exp of a product": ("x:dk A:nd", lambda x, A: _total(call("exp", A @ x))),
    "atoms of two arguments": ("x:n y:n", lambda x, y: _total(call("logaddexp", x * y, call("sin", x)))),
    "a power by an array": ("x:n:positive", lambda x: _total(call("power", x, x))),
    "logsumexp of rows": ("x:nd", lambda x: _total(_rows("logsumexp", 2 * x))),
    "logsumexp of everything": ("x:nd", lambda x: reduce("logsumexp", x, (0, 1), ())),
    "logsumexp of columns": ("x:nd y:d", lambda x, y: reduce("logsumexp", x, (1, 0), x.shape[1:]) @ y),
    "max of rows": ("x:nd", lambda x: _total(_rows("max", x) ** 2)),
    "min of columns, turned": ("x:nd", lambda x: _total(reduce("min", -x, (1, 0), x.shape[1:]) ** 3)),
    "max of everything": ("x:nd", lambda x: reduce("max", x, (0, 1), ()) ** 2),
    "a softmax": ("x:nd y:nd", lambda x, y: _total(y * call("exp", x - _back(_rows("logsumexp", x), x)))),
    "a slice times itself": ("x:nd", lambda x: _total(_cut(x, 1, N) * _cut(x, 0, N - 1))),
    "a block put back": ("x:3d y:nd", lambda x, y: _total((y + embed(x, (span(1, 4), None), y.shape)) ** 3)),
    "a quartic form": ("x:nd", lambda x: _total((x.T @ x) ** 2)),
    "a diagonal": ("x:nn", lambda x: _total(view(1, x @ x, (0, 0), x.shape[:1]) ** 2)),
    "a power that broadcasts": ("x:d A:nd", lambda x, A: _total(A * x**3)),
    "an inverse": ("x:nn A:nn", lambda x, A: _total(A * inverse(_far(x)))),
    "an inverse, transposed": ("x:nn A:nn", lambda x, A: _total(A * inverse(-2 * _far(x).T))),
    "an inverse of a product": ("x:nd A:nn", lambda x, A: _total(A * inverse(_far(x @ x.T)))),
    "inverses of a stack": ("x:mn A:nn B:nmn", lambda x, A, B: _over(inverse(_stack(x, A)), B)),
    "inverses of scaled matrices": ("x:m A:nn B:nmn", lambda x, A, B: _over(inverse(_scaled(x, A)), B)),
    "a determinant": ("x:nn", lambda x: det(x)),
    "a determinant of a transposed multiple": ("x:nn", lambda x: det(-2 * x.T) ** 2),
    "a determinant of a slice": ("x:nn", lambda x: det(select(x, (span(1, 4), span(0, 3)))) ** 2),
    "determinants of a stack": ("x:mn A:nn b:m", lambda x, A, b: det(_stack(x, A)) @ b),
    "determinants of scaled matrices": ("x:m A:nn b:m", lambda x, A, b: det(_scaled(x, A)) ** 2 @ b),
    "determinants of a stack in another order": (
        "x:nmn b:m",
        lambda x, b: det(view(1, x, (1, 0, 2), (x.shape[1], N, N))) @ b,
    ),
    "a log-determinant": ("x:nn", lambda x: logdet(x)),
    "a log-determinant of a product": ("x:nd", lambda x: logdet(3 * _far(x @ x.T))),
    "log-determinants of a stack": ("x:mn A:nn b:m", lambda x, A, b: logdet(_stack(x, A)) @ b),
    "log-determinants of scaled matrices": ("x:m:positive A:nn b:m", lambda x, A, b: logdet(_scaled(x, A)) @ b),
    "a sign of a determinant": ("x:nn", lambda x: detsign(x) * _total(x**2)),
    "signs of determinants of a stack": ("x:mn A:nn b:m", lambda x, A, b: detsign(_stack(x, A)) @ b * _total(x**2)),
    "a norm": ("x:nd", lambda x: call("root", _total(x**2))),
    "norms of rows": ("x:nd y:n", lambda x, y: call("root", product([(x, (0, 1), 2)], x.shape[:1])) @ y),
    "a product": ("x:n", lambda x: prod(-2 * x, 0)),
    "products of rows": ("x:nd y:n", lambda x, y: prod(x, 1) @ y),
    "products of columns, turned": ("x:nd", lambda x: _total(prod(3 * x.T, 1) ** 2)),
    "a product of everything": ("x:3k", lambda x: prod(prod(x, 1), 0)),
    "a product of what does not vary": ("x:n y:d", lambda x, y: _total(prod(view(2, x, (0,), shape("n3")), 1) ** 2)),
    "a product over many of the same": ("x:n:positive", lambda x: _total(prod(view(2, x, (0,), shape("nd")), 1))),
    "a product of a diagonal": ("x:nn", lambda x: prod(view(1, x, (0, 0), x.shape[:1]), 0)),
    "a product of outer sums": ("x:n y:3", lambda x, y: _total(prod(_back(x, _outer(x, y)) + y, 1) ** 2)),
    "a cumulative product of sums": ("x:n", lambda x: prod(scan(x, 0), 0)),
    "the square of a flat matrix": ("x:nd A:dn", lambda x, A: _total(reshape(x, (D, N)) ** 2 * A * x.T)),
    "rows by indices": ("x:nd i:m:indices", lambda x, i: _total(taken(x, 0, i) ** 3)),
    "rows by indices that cross": ("x:nn i:m:indices", lambda x, i: _total(taken(taken(x, 0, i), 1, i) ** 3)),
    "scattered squares": (
        "x:m y:n i:m:indices",
        lambda x, y, i: _total((scatter(x**2, (0,), (i,), shape("n")) + y) ** 2),
    ),
    "squares of running sums": ("x:nd", lambda x: _total(scan(x, 0) ** 2 * scan(x, 1, backwards=True))),
    "weights by position": ("x:n", lambda x: arange(N) @ x**3),
    "a triangle of a product": ("x:nd", lambda x: _total((triangle(N, N, 0) * (x @ x.T)) ** 2)),
    "a Cholesky factor": ("x:nn A:nn", lambda x, A: _total(A * cholesky(_far(x @ x.T)) ** 2)),
    "a Cholesky factor of a multiple": ("x:nn A:nn", lambda x, A: _total(A * cholesky(2 * _far(x + x.T)))),
    "Cholesky factors of a stack": ("x:mn B:nmn", lambda x, B: _over(cholesky(_stack(x, 0 * delta(N))), B)),
    "Cholesky factors of scaled matrices": ("x:m:positive B:nmn", lambda x, B: _over(cholesky(_even_stack(x)), B)),
    "eigenvalues": ("x:nn", lambda x: arange(N) @ eigenvalues(x + x.T) ** 3),
    "eigenvalues of a multiple": ("x:nd a:n", lambda x, a: a @ eigenvalues(-2 * (x @ x.T) + _apart())),
    "eigenvalues of a stack": ("x:mn y:mn", lambda x, y: _total(eigenvalues(_stack(x, _apart())) ** 2 * y)),
    "squares of eigenvectors": ("x:nn A:nn", lambda x, A: _total(A * eigenvectors(x + x.T) ** 2)),
    "squares of eigenvectors of a stack": ("x:mn B:nmn", lambda x, B: _over(eigenvectors(_stack(x, _apart())) ** 2, B)),
    "a pseudoinverse of a tall matrix": ("x:nd A:dn", lambda x, A: _total(A * pinv(x))),
    "a pseudoinverse of a wide transpose": ("x:nd A:nd", lambda x, A: _total(A * pinv(-2 * x.T))),
    "pseudoinverses of a stack": ("x:mnd B:dmn", lambda x, B: _over(pinv(x), B)),
    "pseudoinverses of a stack in another order": (
        "x:nmd B:dmn",
        lambda x, B: _over(pinv(view(1, x, (1, 0, 2), (x.shape[1], N, D))), B),
    ),
    "a nuclear norm of a tall matrix": ("x:nd", lambda x: nuclear(-3 * x) ** 2),
    "a nuclear norm of a wide transpose": ("x:nd A:nn", lambda x, A: nuclear((A @ x).T)),
    "nuclear norms of a stack": ("x:mnd a:m", lambda x, a: a @ nuclear(x) ** 2),
    "nuclear norms of a stack in another order": (
        "x:nmd a:m",
        lambda x, a: a @ nuclear(view(1, x, (1, 0, 2), (x.shape[1], N, D))) ** 2,
    ),
    "an unknown function": ("x:nd A:kn", lambda x, A: _total((A @ _unknown(x)) ** 2)),
    "an unknown function of itself": ("x:d", lambda x: _total(_unknown(_unknown(0.3 * x)))),
}


# By a symmetric variable, along symmetric directions.
SYMMETRIC: dict[str, tuple[str, Scalar]] = {
    "the inverse of a symmetric matrix": ("x:nn:symmetric A:nn", lambda x, A: _total(A * inverse(_far(x)))),
    "the determinant of a symmetric matrix": ("x:nn:symmetric", lambda x: det(x)),
    "the log-determinant of a symmetric matrix": ("x:nn:symmetric", lambda x: logdet(_far(x))),
    "products of a symmetric matrix": ("x:nn:symmetric A:nn", lambda x, A: _total((x @ A @ x) ** 2)),
    "a slice of a symmetric matrix": ("x:nn:symmetric", lambda x: _total(_cut(x, 1, N) ** 3 * _cut(x, 0, N - 1))),
    "a Cholesky factor of a symmetric matrix": (
        "x:nn:symmetric A:nn",
        lambda x, A: _total(A * cholesky(_far(x)) ** 2),
    ),
    "eigenvalues of a symmetric matrix": ("x:nn:symmetric a:n", lambda x, a: a @ eigenvalues(x) ** 2),
    "rows of a symmetric matrix by indices": (
        "x:nn:symmetric i:m:indices",
        lambda x, i: _total(taken(x, 0, i) ** 3) + _total(taken(taken(x, 1, i), 0, i) ** 2),
    ),
    "running sums of a symmetric matrix": ("x:nn:symmetric", lambda x: _total(scan(x, 0) ** 2 * scan(x, 1))),
    "products of a symmetric matrix's rows": ("x:nn:symmetric a:n", lambda x, a: prod(x, 0) @ a + _total(prod(x, 1))),
    "a flat symmetric matrix": ("x:nn:symmetric a:nn", lambda x, a: reshape(x, (N * N,)) ** 3 @ reshape(a, (N * N,))),
    "a pseudoinverse of a symmetric matrix": ("x:nn:symmetric A:nn", lambda x, A: _total(A * pinv(_far(x)))),
    "a nuclear norm of a symmetric matrix": ("x:nn:symmetric", lambda x: nuclear(_far(x)) ** 2),
    "a diagonal of a symmetric matrix": ("x:nn:symmetric", lambda x: _total(view(1, x @ x, (0, 0), x.shape[:1]) ** 2)),
}


@pytest.mark.parametrize("said", SYMMETRIC)
def test_derivatives_along_symmetric_directions(said: str) -> None:
    declared, make = SYMMETRIC[said]
    x, *others = symbols(declared)
    value = make(x, *others)
    dx = symbol("dx", 0, x.shape, direction=True, symmetric=True)
    gradient = _gradient(value, dx, x)
    [hvp] = differential([gradient], {x: dx})
    step, d = 1e-5, value_of(dx)
    sides = [{"x": value_of(x) + sign * step * d} for sign in (1, -1)]
    slope = np.subtract(*(evaluate(value, side) for side in sides)) / (2 * step)
    assert agree(np.vdot(evaluate(gradient), d), slope, 1e-6)
    ahead, behind = (_even(evaluate(gradient, side)) for side in sides)
    assert agree(_even(evaluate(hvp)), (ahead - behind) / (2 * step), 1e-6)


def _even(matrix: np.ndarray) -> np.ndarray:
    return (matrix + matrix.T) / 2


def _far(x: Node) -> Node:
    """A matrix that is far from singular ones."""
    return x + 7 * delta(N)


def _stack(x: Node, A: Node) -> Node:
    """A + x xᵀ for each row x."""
    full = (x.shape[0], *A.shape)
    return product([(x, (0, 1), 1), (x, (0, 2), 1)], full) + view(1, _far(A), (1, 2), full)


def _scaled(x: Node, A: Node) -> Node:
    """x A for each entry of x."""
    return product([(x, (0,), 1), (A, (1, 2), 1)], (*x.shape, *A.shape))


def _outer(x: Node, y: Node) -> Node:
    return product([(x, (0,), 1), (y, (1,), 1)], (*x.shape, *y.shape))


def _apart() -> Node:
    """A diagonal matrix whose eigenvalues are far from one another."""
    return product([(30 * arange(N), (0,), 1), (delta(N), (0, 1), 1)], (N, N))


def _even_stack(x: Node) -> Node:
    """x (7 I + 1 1ᵀ) for each entry of x."""
    return _scaled(x, _far(view(1, one(), (), (N, N))))


def _over(stack: Node, B: Node) -> Node:
    """The sum of the entries of a stack, weighted by an array whose axes stand in another order."""
    return product([(stack, (0, 1, 2), 1), (B, (1, 0, 2), 1)], ())


def _unknown(x: Node) -> Node:
    return apply(Unknown("f", 0), [(1, x, tuple(range(x.rank)))], x.shape)


def _total(node: Node) -> Node:
    return product([(node, tuple(range(node.rank)), 1)], ())


def _rows(kind: str, node: Node) -> Node:
    return reduce(kind, node, (0, 1), node.shape[:1])


def _cut(node: Node, start: int, stop: Size) -> Node:
    return select(node, (span(start, stop), *[None] * (node.rank - 1)))


def _back(node: Node, like: Node) -> Node:
    """A column for each row of another node."""
    return view(1, node, (0,), like.shape)


def _made(said: str) -> tuple[Node, Symbol, Symbol]:
    declared, make = NONLINEAR[said]
    x, *others = symbols(declared)
    return make(x, *others), x, direction(x)


def _gradient(value: Node, dx: Symbol, x: Symbol) -> Node:
    return adjoint(differential([value], {x: dx})[0], [dx])[0]


def _differences(value: Node, x: Symbol, step: float = 1e-5) -> np.ndarray:
    """The derivatives of a node by the entries of a symbol, which stand behind its own axes."""
    base = value_of(x)
    slopes = []
    for index in np.ndindex(base.shape):
        moved = np.zeros(base.shape)
        moved[index] = step
        slopes.append((evaluate(value, {"x": base + moved}) - evaluate(value, {"x": base - moved})) / (2 * step))
    return np.stack(slopes, axis=-1).reshape(*value.shape and [s.value(SIZES) for s in value.shape], *base.shape)


@pytest.mark.parametrize("said", NONLINEAR)
def test_gradients_against_differences(said: str) -> None:
    value, x, dx = _made(said)
    assert agree(evaluate(_gradient(value, dx, x)), _differences(value, x), 1e-7)


@pytest.mark.parametrize("said", NONLINEAR)
def test_hessian_vector_products_against_differences(said: str) -> None:
    value, x, dx = _made(said)
    gradient = _gradient(value, dx, x)
    [hvp] = differential([gradient], {x: dx})
    step, d = 1e-5, value_of(dx)
    ahead, behind = (evaluate(gradient, {"x": value_of(x) + sign * step * d}) for sign in (1, -1))
    assert agree(evaluate(hvp), (ahead - behind) / (2 * step), 1e-6)


@pytest.mark.parametrize("said", NONLINEAR)
def test_hessian_vector_products_are_symmetric(said: str) -> None:
    value, x, dx = _made(said)
    [hvp] = differential([_gradient(value, dx, x)], {x: dx})
    left, right = (np.random.default_rng(seed).standard_normal(value_of(x).shape) for seed in (1, 2))
    one_way, other_way = np.vdot(left, evaluate(hvp, {"dx": right})), np.vdot(right, evaluate(hvp, {"dx": left}))
    assert agree(one_way, other_way, 1e-10)


@pytest.mark.parametrize("said", NONLINEAR)
def test_the_whole_hessian_is_the_loop_over_directions(said: str) -> None:
    value, x, dx = _made(said)
    gradient = _gradient(value, dx, x)
    [hvp] = differential([gradient], {x: dx})
    rank = x.rank
    seed = product([(delta(size), (k, rank + k), 1) for k, size in enumerate(x.shape)], (*x.shape, *x.shape))
    [hessian] = differential([gradient], {x: seed}, x.shape)
    basis = np.eye(value_of(x).size).reshape(-1, *value_of(x).shape)
    columns = np.stack([evaluate(hvp, {"dx": e}) for e in basis], axis=-1)
    assert agree(evaluate(hessian).reshape(columns.shape), columns, 1e-10)


def test_every_reduction_has_a_case() -> None:
    kinds = {node.kind for make in NONLINEAR for node in _below(_made(make)[0]) if isinstance(node, Reduce)}
    assert kinds == {"max", "min", "logsumexp", "prod"}


def test_every_operation_has_a_case() -> None:
    """A new operation needs a case here, linear or not."""
    cased: set[type[Node]] = set()
    for said in NONLINEAR:
        value, x, dx = _made(said)
        gradient = _gradient(value, dx, x)
        cased.update(map(type, order([value, gradient, *differential([gradient], {x: dx})])))
    assert _operations() == cased & _operations()
    assert {Reduce, Select, Embed} <= cased


@pytest.mark.parametrize("sign", [1, -2])
@pytest.mark.parametrize("turned", [False, True])
def test_the_differential_of_the_adjugate(sign: int, turned: bool) -> None:
    x, y = symbols("x:nn y:nn")
    [found] = differential([adjugate(sign * (x.T if turned else x))], {x: y})
    assert agree(
        evaluate(found), np.tensordot(_differences(adjugate(sign * (x.T if turned else x)), x), value_of(y)), 1e-7
    )


# ---- what comes out by itself


def test_ties_of_a_maximum_share_its_derivative() -> None:
    [x] = symbols("x:n")
    gradient = _gradient(reduce("max", x, (0,), ()), direction(x), x)
    assert agree(evaluate(gradient, {"x": np.array([1.0, 3.0, 0.0, 3.0, 3.0])}), np.array([0, 1, 0, 1, 1]) / 3)


@pytest.mark.parametrize("zeros", [[], [2], [0, 3], [0, 1, 4], [0, 1, 2, 3, 4]], ids=str)
def test_a_product_with_zeros(zeros: list[int]) -> None:
    """The derivative by one entry is the product of the others, by two that of the rest."""
    [x] = symbols("x:n")
    dx = direction(x)
    at = np.array([2.0, -3.0, 0.5, 4.0, -1.5])
    at[zeros] = 0
    gradient = _gradient(prod(x, 0), dx, x)
    assert agree(evaluate(gradient, {"x": at}), [np.prod(np.delete(at, k)) for k in range(5)])
    [hvp] = differential([gradient], {x: dx})
    d = value_of(dx)
    pairs = [sum(np.prod(np.delete(at, [j, k])) * d[j] for j in range(5) if j != k) for k in range(5)]
    assert agree(evaluate(hvp, {"x": at}), pairs)


def test_equal_eigenvalues_have_no_eigenvectors_to_turn() -> None:
    x, dx = symbols("x:nn:symmetric d:nn:symmetric")
    [turned] = differential([eigenvectors(x)], {x: dx})
    assert np.isnan(evaluate(turned, {"x": np.eye(5)})).all()


def test_what_does_not_move_has_no_differential() -> None:
    x, y = symbols("x:n y:n")
    assert is_zero(differential([call("exp", y)], {x: direction(x)})[0])


def test_a_variable_that_does_not_occur_has_gradient_zero() -> None:
    x, y = symbols("x:n y:nd")
    dx, dy = direction(x), direction(y)
    [gx, gy] = adjoint(differential([x @ x], {x: dx, y: dy})[0], [dx, dy])
    assert is_zero(gy) and gy.shape == y.shape
    assert not is_zero(gx)


def test_shared_values_are_differentiated_once() -> None:
    """The gradient of (exp(a)ᵀ exp(a))² reuses the tangent of exp(a)."""
    [a] = symbols("a:n")
    e = call("exp", a)
    tangents: dict[Node, Node] = {}
    differential([e @ e + _total(e)], {a: direction(a)}, tangents=tangents)
    assert sum(node is e for node in tangents) == 1


def test_several_variables_at_once() -> None:
    x, y, A = symbols("x:n y:d A:nd")
    dx, dy = direction(x), direction(y)
    [form] = differential([x @ (A @ y)], {x: dx, y: dy})
    gradients = adjoint(form, [dx, dy])
    assert agree(evaluate(gradients[0]), value_of(A) @ value_of(y))
    assert agree(evaluate(gradients[1]), value_of(A).T @ value_of(x))


def test_the_gradient_of_the_variable_itself_is_one() -> None:
    [s] = symbols("s:")
    ds = direction(s)
    assert adjoint(differential([s], {s: ds})[0], [ds]) == [one()]
