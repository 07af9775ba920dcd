"""``np.einsum``: sums of products of arrays whose axes have letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.arrays import Array, record
from gradgen.dims import Size, is_one
from gradgen.entrywise import numeric
from gradgen.hints import origins
from gradgen.indexing import ZERO, whole
from gradgen.registry import function
from gradgen.scope import said, wrong
from gradgen.shapes import spell

EXAMPLE = 'write np.einsum("ij,j->i", A, x)'
Labels = tuple[str, ...]


@function("einsum")
def einsum(*operands: Any, out: Any = None, dtype: Any = None, optimize: Any = False, **options: Any) -> Array:
    if out is not None or dtype is not None or options:
        raise wrong("np.einsum takes no options here but optimize", EXAMPLE)
    if not operands or not isinstance(operands[0], str):
        raise wrong("np.einsum wants its letters as a text here", EXAMPLE)
    arrays = [numeric(a) for a in operands[1:]]
    texts, result = _parsed(operands[0], len(arrays))
    inputs = [_letters(text, array) for text, array in zip(texts, arrays, strict=True)]
    output = _implied(inputs) if result is None else _output(result, inputs)
    return contracted(arrays, inputs, output)


def _parsed(text: str, count: int) -> tuple[list[str], str | None]:
    """The letters of each operand, and those of the result where they are given."""
    plain = "".join(text.split())
    left, arrow, right = plain.partition("->")
    texts = left.split(",")
    for part in (*texts, right):
        rest = part.replace("...", "", 1)
        if rest and not (rest.isascii() and rest.isalpha()):
            raise wrong(
                f"np.einsum cannot read {said(text)}", f"an axis has a letter, ... stands for others: {EXAMPLE}"
            )
    if len(texts) != count:
        raise wrong(f"{said(text)} speaks of {len(texts)} arrays, but np.einsum gets {count}", EXAMPLE)
    return texts, right if arrow else None


def _letters(text: str, array: Array) -> Labels:
    """A label for each axis; those of an ellipsis count from the last."""
    before, dots, after = text.partition("...")
    free = array.ndim - len(before) - len(after)
    if free < 0 or (free and not dots):
        shape = spell(array.call.shape)
        raise wrong(f"{text!r} has {len(before) + len(after)} letters for an array of shape {shape}", EXAMPLE)
    return (*before, *(f".{i}" for i in reversed(range(free))), *after)


def _dots(inputs: Sequence[Labels]) -> Labels:
    """The labels of all ellipses, first axis first."""
    return tuple(sorted({k for labels in inputs for k in labels if k[0] == "."}, key=lambda k: -int(k[1:])))


def _implied(inputs: Sequence[Labels]) -> Labels:
    """What stands once, in alphabetical order, behind the ellipsis."""
    every = [k for labels in inputs for k in labels if k[0] != "."]
    return (*_dots(inputs), *sorted(k for k in set(every) if every.count(k) == 1))


def _output(text: str, inputs: Sequence[Labels]) -> Labels:
    before, dots, after = text.partition("...")
    chosen = (*before, *(_dots(inputs) if dots else ()), *after)
    known = {k for labels in inputs for k in labels}
    for k in chosen:
        if k not in known:
            raise wrong(f"the result of np.einsum has {k!r}, which no array has", EXAMPLE)
        if chosen.count(k) > 1:
            raise wrong(f"the result of np.einsum has {k!r} twice", "np.diag makes a matrix of a vector")
    if not dots and _dots(inputs):
        raise wrong("the result of np.einsum leaves the ellipsis out", "write ... on both sides of ->")
    return chosen


def contracted(arrays: Sequence[Array], inputs: Sequence[Labels], output: Labels) -> Array:
    """The call, in which a label has one length: axes of literal 1 that meet longer ones are taken away."""
    sizes = _sizes(arrays, inputs)
    cut = [_without_ones(a, labels, sizes) for a, labels in zip(arrays, inputs, strict=True)]
    numbers: dict[str, int] = {}
    for _, labels in cut:
        for k in labels:
            numbers.setdefault(k, len(numbers))
    return record(
        "einsum",
        tuple(a for a, _ in cut),
        tuple(sizes[k] for k in output),
        column=True,
        inputs=tuple(tuple(numbers[k] for k in labels) for _, labels in cut),
        output=tuple(numbers[k] for k in output),
    )


def _sizes(arrays: Sequence[Array], inputs: Sequence[Labels]) -> dict[str, Size]:
    sizes: dict[str, Size] = {}
    for array, labels in zip(arrays, inputs, strict=True):
        own: dict[str, Size] = {}
        for k, size in zip(labels, array.call.shape, strict=True):
            if own.setdefault(k, size) != size:
                text = f"{k!r} stands for two lengths of an array of shape {spell(array.call.shape)}"
                raise wrong(f"{text}: {own[k]} against {size}", "give the axes different letters")
        for k, size in own.items():
            known = sizes.setdefault(k, size)
            if is_one(known):
                sizes[k] = size
            elif known != size and not is_one(size):
                what = "an axis of ..." if k[0] == "." else repr(k)
                raise wrong(f"{what} is {known} long, and {size}{origins()}", "one letter stands for one length")
    return sizes


def _without_ones(array: Array, labels: Labels, sizes: dict[str, Size]) -> tuple[Array, Labels]:
    shape = array.call.shape
    gone = [is_one(s) and not is_one(sizes[k]) for s, k in zip(shape, labels, strict=True)]
    if not any(gone):
        return array, labels
    index = tuple(ZERO if g else whole(s) for g, s in zip(gone, shape, strict=True))
    kept = tuple(s for g, s in zip(gone, shape, strict=True) if not g)
    return record("getitem", (array,), kept, index=index), tuple(k for g, k in zip(gone, labels, strict=True) if not g)
