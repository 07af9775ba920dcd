"""The tape: what a spec's function did, call by call, before anything is simplified.

A `Call` is one NumPy call as it was made. Its ``shape`` is NumPy's (axes of literal 1 included). ``op`` is one of
`OPS`; what each means is NumPy's own definition of the function of that name, on these normalised parameters:

==============================  ==================================================================================
op                              params
==============================  ==================================================================================
argument                        ``name``
constant                        ``value`` (a float or bool ndarray of at most 1,000 entries; rank 0 for numbers)
size                            ``size`` (a `Size`; rank 0: the dimension as a number)
an entrywise function           none; operands broadcast as in NumPy
where                           none; operands condition, x, y
matmul dot inner outer trace    none (``dot`` and ``inner`` on rank <= 2 and scalars; ``outer`` of two vectors)
transpose                       ``axes`` (a full permutation)
sum mean max min                ``axis`` (sorted tuple of nonnegative ints), ``keepdims`` (bool)
logsumexp                       ``axis``, ``keepdims`` likewise
softmax log_softmax             ``axis`` (tuple, likewise)
getitem                         ``index``: a tuple with an entry for each operand axis in order, ``None`` between
                                them for a new axis. An entry is a `Size` (an integer position, from 0) or a `Span`
                                (``start``, ``stop``: Sizes with 0 <= start <= stop <= length; ``step``: a nonzero
                                int, negative only over the whole axis unless all is literal)
broadcast_to                    none; the target is ``shape``
ones zeros                      none; the target is ``shape``
eye                             none; ``shape`` is (n, n)
inv det                         none; the last two axes are square matrices, batched over the others
logdet detsign                  none, likewise: log|det| and the sign of the determinant
solve                           none; ``A x = b`` as in NumPy 2: b is one vector if it has rank 1, else matrices
norm                            ``axis``, ``keepdims`` likewise: the square root of the sum of squares
diag                            none; a vector becomes a diagonal matrix
diagonal                        none; that of the last two axes, which are square
concatenate                     ``axis`` (>= 0)
unknown                         ``function``: the name of an `Elementwise` argument, applied entry by entry
formula                         ``formula``: a `ScalarFormula` of as many operands, broadcast as in NumPy
einsum                          ``inputs``: a tuple of tuples of ints, a label for each axis of each operand;
                                ``output``: the labels of the result. A label has one length wherever it stands (no
                                axis broadcasts); repeated in one operand it takes a diagonal; what is not in
                                ``output`` is summed
prod                            ``axis``, ``keepdims`` likewise
cumsum                          ``axis`` (an int >= 0): the running sum along it
reshape                         none; the target is ``shape``, of as many entries, in C order
take                            ``axis`` (>= 0); operands x and an `Indices` argument, whose axis comes in its place
pick                            ``axis`` (>= 0), ``index``: a tuple of nonnegative ints, gathered along it
entries                         none; operands x and, for each of its last axes, as many positions, from a call that is
                                an `Indices` argument, an ``arange`` or a constant of integers: one entry for each
                                tuple of positions, which run along the last axis of the result
tril triu                       ``k`` (an int): of the last two axes
arange                          none; the floats 0, 1, ... of ``shape`` (n,)
cholesky                        none; the lower factor of the last two axes, which are proved or declared symmetric
eigvalsh                        none, likewise: the eigenvalues in ascending order
pinv                            none; the pseudo-inverse of the last two axes
nuclear                         none; the sum of the singular values of the last two axes, of which none is literal 1
==============================  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradgen.dims import Size
from gradgen.errors import Place

UNARY = (
    "negative positive absolute sign square sqrt reciprocal exp expm1 exp2 log log1p log2 log10 sin cos tan arcsin "
    "arccos arctan sinh cosh tanh arcsinh arccosh arctanh expit softplus relu logical_not "
    "logit log_expit entr erf erfc ndtr log_ndtr gammaln digamma"
).split()
BINARY = (
    "add subtract multiply divide power maximum minimum logaddexp hypot arctan2 xlogy xlog1py rel_entr "
    "greater greater_equal less less_equal equal not_equal logical_and logical_or"
).split()
OTHER = (
    "argument constant size where matmul dot inner outer trace transpose sum mean max min logsumexp softmax "
    "log_softmax getitem broadcast_to ones zeros eye inv det logdet detsign solve norm diag diagonal concatenate "
    "unknown formula einsum prod cumsum reshape take pick entries tril triu arange cholesky eigvalsh pinv nuclear"
).split()
OPS = frozenset((*UNARY, *BINARY, *OTHER))


@dataclass(frozen=True)
class Span:
    """The slice ``start:stop:step`` of an axis, normalised: 0 <= start <= stop <= length.

    For a negative step the entries are those of ``start:stop`` reversed, then every ``-step``-th.
    """

    start: Size
    stop: Size
    step: int = 1


@dataclass(frozen=True, eq=False)
class Call:
    """One recorded call. ``boolean`` marks masks. ``place`` is where the spec made it."""

    op: str
    args: tuple[Call, ...]
    shape: tuple[Size, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    boolean: bool = False
    place: Place | None = None


@dataclass(frozen=True)
class Argument:
    """A declared argument: its type's name, NumPy shape in the formula, and facts.

    ``kind`` is Scalar, Vector, Matrix, Tensor, one of the matrices of shape (n, n) Symmetric, SPD, Diagonal and
    LowerTriangular, Indices (of shape (m,), with values from 0 to ``below`` - 1) or Elementwise (of shape ()).
    """

    name: str
    kind: str
    shape: tuple[Size, ...]
    facts: frozenset[str] = frozenset()
    place: Place | None = None
    below: Size | None = None

    @property
    def callable(self) -> bool:
        """Whether the argument is a function of numbers, applied entry by entry."""
        return self.kind == "Elementwise"

    @property
    def given(self) -> tuple[Size, ...]:
        """The shape of what callers pass: for a Diagonal that of its diagonal."""
        return self.shape[:1] if self.kind == "Diagonal" else self.shape


@dataclass(frozen=True)
class Constraint:
    """``left <= right``, presupposed by a slice or an index; checked at the door."""

    left: Size
    right: Size
    place: Place | None = None


@dataclass(frozen=True)
class Tape:
    """A traced loss. ``names`` are the spec's assignments, the first wins; ``several``: ``wrt`` was a tuple.

    ``function`` says that it is no loss but a map, whose result may have any shape.
    """

    name: str
    doc: str
    arguments: tuple[Argument, ...]
    wrt: tuple[str, ...]
    several: bool
    result: Call
    names: Mapping[Call, str]
    constraints: tuple[Constraint, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = None
    function: bool = False

    def argument(self, name: str) -> Argument:
        return next(a for a in self.arguments if a.name == name)

    def calls(self) -> Iterator[Call]:
        """Every call that the result needs, operands first."""
        seen: set[Call] = set()
        stack = [(self.result, False)]
        while stack:
            call, ready = stack.pop()
            if ready:
                yield call
            elif call not in seen:
                seen.add(call)
                stack.append((call, True))
                stack.extend((a, False) for a in reversed(call.args) if a not in seen)
