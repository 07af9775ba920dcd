"""Hints that are read off the source text: the fix for what would leave the trace, the operands of a product."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from types import ModuleType
from typing import NoReturn

from gradgen import scope, strangers
from gradgen.dims import Size
from gradgen.registry import FUNCTIONS, UFUNCS

COLLECTED = "collect the rows in a list and np.stack them"
NUMBERED = "with 12 for the dimension in the annotations, as in Matrix[12, d], the loop is unrolled"
FIXES = (
    (r"\b(?:jnp|jax\.\w+|torch|tf)\.(\w+)\(", r"a spec is plain NumPy: write np.\1"),
    (
        r"\b(minimize\w*|curve_fit|least_squares|root|quad|solve_ivp|odeint)\(",
        r"\1 does not run inside of a loss: give it what bind makes of the loss, such as bound.fun_and_jac",
    ),
    (r"\.dot\(", "write A @ t in place of A.dot(t)"),
    (r"math\.(erf|erfc)\(", r"write scipy.special.\1 in place of math.\1"),
    (r"math\.lgamma\(", "write scipy.special.gammaln in place of math.lgamma"),
    (r"math\.(a)(sin|cos|tan)(h?)\(", r"write np.arc\2\3 in place of math.a\2\3"),
    (r"math\.atan2\(", "write np.arctan2 in place of math.atan2"),
    (r"math\.(fabs|pow|dist|fsum|prod|comb|factorial)\(", "write it with NumPy's functions and operators"),
    (r"math\.(\w+)\(", r"write np.\1 in place of math.\1"),
    (r"(triu|tril)_indices", r"write np.\1(A, k), which has zeros in the other half, and sum it"),
    (r"linspace\(", "write a + (b - a) * arange(n) / (n - 1), with gradgen's arange"),
    (r"prod\((\w+)\.shape\)", r"write \1.size"),
    (r"\bsorted\(", "of the order of entries, only max and min are in the vocabulary"),
    (
        r"\b(?:random|rng)\.|\.(?:randn?|standard_normal|normal|uniform|choice|permutation|integers)\(",
        "draw outside of the loss, and let the numbers be an argument",
    ),
    (r"empty\(", f"write gradgen.zeros, which takes dimensions; of an array to be filled, {COLLECTED}"),
    (r"range\(", f"write the loop as sums over an axis, or loop over an axis whose length is a number: {NUMBERED}"),
    (r"(?:np|numpy)\.array\(", "use the array itself; np.asarray(x) is the array itself too"),
    (r"\.[rc]_\[", "write np.concatenate or np.block"),
    (
        r"scipy\.linalg\.(inv|solve|det|norm|cholesky|pinv|eigvalsh)\(",
        r"write np.linalg.\1 in place of scipy.linalg.\1",
    ),
    (
        r"\b(cho_solve|cho_factor|solve_triangular|lu_solve|lu_factor)\(",
        r"write np.linalg.solve(A, b) in place of \1: a matrix that is known to be triangular is solved as one",
    ),
    (
        r"\b(expm|logm|sqrtm)\(",
        r"\1 is not in the vocabulary; of a symmetric matrix np.linalg.eigvalsh gives the eigenvalues",
    ),
    (r"\b(block_diag|toeplitz)\(", r"\1 is not in the vocabulary; np.block joins matrices"),
    (r"\b(cdist|pdist|squareform)\(", "write np.sum((X[:, None] - Y) ** 2, axis=-1), the squared distances"),
    (
        r"\.(logpdf|pdf|cdf|logcdf|logpmf|pmf|sf|logsf)\(",
        "write the density as a formula; scipy.special has gammaln, ndtr, log_ndtr and xlogy",
    ),
    (r"\b(?:float|int|bool|complex)\d*\(", "use the value itself, without conversion"),
    (r"\.(?:item|tolist)\(", "use the value itself, without conversion"),
)


def escape(what: str, otherwise: str) -> NoReturn:
    """Raise an error with the fix for the call that stands in the source, or another hint."""
    text = scope.source()
    for pattern, hint in FIXES:
        found = re.search(pattern, text)
        if found:
            raise scope.wrong(what, found.expand(hint))
    raise scope.wrong(what, otherwise)


# ---- near names


def meant(name: str, known: Iterable[str], owner: str = "") -> str:
    """A hint at the known name that is nearest to one that is not, or ""."""
    near = get_close_matches(name, [k for k in known if not k.startswith("_")], 1, 0.6)
    return f"did you mean {owner and owner + '.'}{near[0]}?" if near else ""


def of_name(error: NameError, known: Iterable[str]) -> str:
    """What to do about a name that is not defined."""
    name = str(error.name or "")
    words = getattr(sys.modules.get("gradgen"), "__all__", ())
    if name in ("np", "numpy"):
        return "write import numpy as np"
    if name in strangers.MODULES:
        return strangers.PLAIN
    if name.startswith(("Int", "Index")):
        return strangers.INTEGERS
    if name in words:
        return f"write from gradgen import {name}"
    return meant(name, [*known, *words, *vars(builtins)]) or "a loss knows its arguments, and what its file defines"


def of_attribute(error: AttributeError) -> str:
    """What to do about an attribute that is not there."""
    owner = error.obj
    found = re.search(r"no attribute '(\w+)'$", str(error))
    name = str(error.name or (found[1] if found else ""))
    if not isinstance(owner, ModuleType):
        return of_method(name) or ("" if "did you mean" in str(error) else meant(name, dir(owner)))
    shown = owner.__name__.replace("numpy", "np", 1) if owner.__name__.split(".")[0] == "numpy" else owner.__name__
    prefix = f"{shown.partition('.')[2]}." if "." in shown else ""
    ours = [k.removeprefix(prefix) for k in (*FUNCTIONS, *UFUNCS) if k.startswith(prefix)]
    return meant(name, ours if shown[:2] == "np" else dir(owner), shown) or meant(name, dir(owner), shown)


def of_method(name: str) -> str:
    """What to write in place of a method that arrays do not have, or ""."""
    if name in strangers.ATTRIBUTES:
        return strangers.ATTRIBUTES[name]
    return f"write np.{name}(x)" if name in UFUNCS or name in FUNCTIONS else ""


ENDLESS = "a function that calls itself needs an end that does not depend on the values of arrays"
OUTSIDE = "a loss reads no files: let what they hold be an argument"
UNPACKED = 'name as many dimensions as stand on the left: n, d = dims("n d")'


def of_exception(error: BaseException, line: str) -> str:
    """What to do about another exception of Python's, raised on a source line, or ""."""
    if isinstance(error, RecursionError):
        return ENDLESS
    if isinstance(error, OSError):
        return OUTSIDE
    if isinstance(error, ValueError) and "unpack" in str(error) and "dims(" in line:
        return UNPACKED
    return strangers.of_option(str(error)) if isinstance(error, TypeError) else ""


def of_import(error: ImportError, neighbours: Iterable[str]) -> tuple[str, str]:
    """What is wrong with an import, without paths, and what to do about it."""
    allowed = "a spec may import NumPy, SciPy, gradgen and the files of its own folder"
    found = re.match(r"cannot import name '([^']+)' from '([^']+)'", str(error))
    if found:
        name, module = found.groups()
        owner = sys.modules.get(module)
        words = getattr(owner, "__all__", None) or dir(owner) if owner else ()
        return f"{module} has no {name}", meant(name, words) or allowed
    return str(error), meant(str(error.name or ""), ["numpy", "scipy", "gradgen", *neighbours]) or allowed


# ---- what Python cannot read

BESIDE = (  # what the message says, and what to do
    (r"was never closed", "the bracket that closes it is missing"),
    (r"does not match|unmatched", "brackets close in the order in which they were opened"),
    (r"expected ':'", "a colon ends the line of a def, if, for or with"),
    (r"expected 'else'", "write a if condition else b, or np.where(condition, a, b) for arrays"),
    (r"invalid decimal literal", "between a number and a name stands an operator: 2 * x"),
    (r"invalid (non-printable )?character", "write Python's own signs: * @ ** / - != <= and straight quotes"),
    (r"cannot assign|Maybe you meant '=='", "on the left of = stands a name; == compares"),
    (r"call to 'print'", "leave it out, or call it: print(...)"),
    (r"duplicate argument", "each argument has a name of its own"),
    (r"indent", "the lines of a function stand under one another, four spaces to the right of its def"),
    (r"unterminated", "the quote that ends the text is missing"),
    (r"forgot a comma", "between two parts of a list or a call stands a comma, else an operator"),
)
GOES_ON = "what follows it is missing; a formula over several lines stands in brackets"


def of_syntax(error: SyntaxError) -> str:
    """What to do about a line that Python cannot read."""
    for pattern, hint in BESIDE:
        if re.search(pattern, error.msg):
            return hint
    if error.msg != "invalid syntax":  # Python says what is wrong
        return ""
    line, column = error.text or "", (error.offset or 1) - 1
    before, after = line[:column].rstrip(), line[column:].strip()
    if not after:
        last = re.search(r"\w+$|[^\w\s]+$", before)
        return f"the line ends in {last[0]}: {GOES_ON}" if last else GOES_ON
    return _misspelt(line) or _out_of_place(after)


def _misspelt(line: str) -> str:
    """A hint at the keyword that the first word of a line may stand for, or ""."""
    word = re.match(r"\s*(\w+)\s+\w", line)
    if word is None or keyword.iskeyword(word[1]):
        return ""
    return meant(word[1], keyword.kwlist)


def _out_of_place(text: str) -> str:
    token = (re.match(r"\w+|[^\w\s]", text) or [text])[0]
    if keyword.iskeyword(token):
        return f"{token} cannot stand here: what it belongs to, or a colon before it, is missing"
    if token.isidentifier() or token.isdigit():
        return f"{token} cannot stand here: before it an operator, a comma or a bracket is missing"
    return f"{token} cannot stand here: before it a name or number is missing, or there is one sign too many"


# ---- the source text


def _expression() -> ast.expr | None:
    """The source text that is being run, parsed, where it is one expression."""
    try:
        return ast.parse(f"({scope.source()})", mode="eval").body
    except SyntaxError:
        return None


def operands() -> tuple[str, str]:
    """The two sides of the operation that is being traced, as they stand in the source."""
    tree = _expression()
    if isinstance(tree, ast.BinOp):
        return _atom(tree.left), _atom(tree.right)
    if isinstance(tree, ast.Call) and len(tree.args) == 2:
        return _atom(tree.args[0]), _atom(tree.args[1])
    return "a", "b"


def origins() -> str:
    """Where the arguments that stand in the source text being run are declared, as the end of a sentence."""
    trace, tree = scope.tracing(), _expression()
    found: dict[str, str] = {}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)] if tree else []
    for node in sorted(nodes, key=lambda n: (n.lineno, n.col_offset)):
        call = getattr(trace.local(node.id), "call", None) if trace else None
        if call is not None and call.op == "argument" and call.place:
            found[call.params["name"]] = f"{call.place.line}:{call.place.column}"
    said = [f"{name} is declared at {place}" for name, place in found.items()]
    return f" ({', '.join(said)})" if said else ""


def argument() -> str:
    """The first argument of the call that is being traced, as it stands in the source."""
    tree = _expression()
    return _atom(tree.args[0]) if isinstance(tree, ast.Call) and tree.args else "a"


def subscript() -> tuple[str, str]:
    """The array and the index of the subscript that is being traced."""
    tree = _expression()
    if isinstance(tree, ast.Subscript):
        return _atom(tree.value), ast.unparse(tree.slice)
    return "x", "mask"


def branched() -> str:
    """How a mask is made of several, where the source text being run joins them as Python does truths."""
    tree = _expression()
    masks = _masks(tree) if tree else ""
    return f"write {masks}" if masks else "choose entry by entry with np.where(condition, a, b)"


def _masks(tree: ast.expr) -> str:
    """Comparisons that are joined or chained, as NumPy joins masks, or ""."""
    if isinstance(tree, ast.BoolOp) and all(isinstance(v, ast.Compare) for v in tree.values):
        sign = " & " if isinstance(tree.op, ast.And) else " | "
        return sign.join(_masks(v) or f"({ast.unparse(v)})" for v in tree.values)
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.operand, ast.Compare):
        return f"~({ast.unparse(tree.operand)})"
    if isinstance(tree, ast.Compare) and len(tree.ops) > 1:
        sides = [tree.left, *tree.comparators]
        pairs = zip(sides, tree.ops, sides[1:], strict=False)
        return " & ".join(f"({ast.unparse(ast.Compare(a, [op], [b]))})" for a, op, b in pairs)
    return ""


def square_of(shape: Sequence[Size]) -> str:
    """A square matrix that the first argument of the call being traced, of that shape, makes."""
    if len(shape) != 2:
        return "the last two axes are the matrices"
    text = argument()
    return f"{transposed(text)} @ {text} is square, of shape ({shape[1]}, {shape[1]})"


def listed(count: int) -> list[str]:
    """The entries of the lists that the call being traced takes, one after the other, or their numbers."""
    tree = _expression()
    entries = _entries(tree.args[0]) if isinstance(tree, ast.Call) and tree.args else []
    return entries if len(entries) == count else [f"array {i + 1}" for i in range(count)]


def _entries(tree: ast.expr) -> list[str]:
    if isinstance(tree, (ast.List, ast.Tuple)):
        return [text for e in tree.elts for text in _entries(e)]
    return [_atom(tree)]


def transposed(text: str) -> str:
    return text.removesuffix(".T") if text.endswith(".T") else f"{text}.T"


def _atom(tree: ast.expr) -> str:
    text = ast.unparse(tree)
    plain = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant)
    return text if isinstance(tree, plain) else f"({text})"
