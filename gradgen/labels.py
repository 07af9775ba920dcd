"""Canonical order of index labels: the same expression written with other labels becomes the same expression.

A group is one factor or term: a key that tells its structure, and the labels of its axes. Labels are told apart by
where they stand (colour refinement in three rounds); those that stay tied are permuted, at most `MOST` ways, and the
smallest list wins. Only integers are hashed, so that the order depends on no hash seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby, islice, permutations, product

Labels = tuple[int, ...]
Group = tuple[int, Labels]
ROUNDS = 3
MOST = 24


@lru_cache(4096)
def number(text: str) -> int:
    """A number that stands for a text, the same in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest())


def canonical(groups: Sequence[Group], colours: Mapping[int, int], free: Iterable[int]) -> Labels:
    """The free labels in canonical order; the colour of a label is what is known of it beforehand (its size, its
    place)."""
    free = list(free)
    if len(free) < 2:
        return tuple(free)
    colour = _refine(groups, dict(colours))
    free.sort(key=lambda label: colour[label])
    ties = [list(tied) for _, tied in groupby(free, key=lambda label: colour[label])]
    if all(len(tied) == 1 for tied in ties):
        return tuple(free)
    return min(islice(_orders(ties), MOST), key=lambda order: _listing(groups, order))


def _refine(groups: Sequence[Group], colour: dict[int, int]) -> dict[int, int]:
    for _ in range(ROUNDS):
        seen: dict[int, list[tuple[int, ...]]] = {label: [] for label in colour}
        for key, labels in groups:
            around = tuple(colour[label] for label in labels)
            for position, label in enumerate(labels):
                seen[label].append((key, position, *around))
        colour = {label: hash((colour[label], *sorted(places))) for label, places in seen.items()}
        if len(set(colour.values())) == len(colour):
            break
    return colour


def _orders(ties: Sequence[Sequence[int]]) -> Iterator[Labels]:
    for choice in product(*(permutations(tied) for tied in ties)):
        yield tuple(label for tied in choice for label in tied)


def _listing(groups: Sequence[Group], order: Labels) -> list[Group]:
    place = {label: position for position, label in enumerate(order)}
    return sorted((key, tuple(place.get(label, -1 - label) for label in labels)) for key, labels in groups)
