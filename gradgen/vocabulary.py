"""The vocabulary that traced arrays know: importing it fills the tables."""

from gradgen import diagonals, einsum, gathering, norms
from gradgen.entrywise import entrywise
from gradgen.joining import stack
from gradgen.linear import logdet
from gradgen.products import dot
from gradgen.reductions import logsumexp, normalised
from gradgen.views import broadcast_to, counted, filled

__all__ = [
    "broadcast_to",
    "counted",
    "diagonals",
    "dot",
    "einsum",
    "entrywise",
    "filled",
    "gathering",
    "logdet",
    "logsumexp",
    "normalised",
    "norms",
    "stack",
]
