"""The recorded calls as NumPy text: a statement for each call that has a name or several uses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from keyword import iskeyword

import numpy as np

from gradgen.dims import Dim, Size
from gradgen.kinks import needed
from gradgen.tape import Call, Span

ADD, MULTIPLY, ATOM = 1, 2, 3
LONGEST = 50
OPERATORS = {"add": ("+", ADD), "subtract": ("-", ADD), "multiply": ("*", MULTIPLY), "divide": ("/", MULTIPLY)}
WORDS = {
    "expit": "1 / (1 + np.exp(-{}))",
    "softplus": "np.logaddexp(0, {})",
    "relu": "np.maximum({}, 0)",
    "logdet": "np.linalg.slogdet({})[1]",
    "detsign": "np.linalg.slogdet({})[0]",
    "diagonal": "np.diagonal({}, axis1=-2, axis2=-1)",
}
# What NumPy does not have, by the standard library.
ENTRYWISE = {"erf": "erf", "erfc": "erfc", "gammaln": "lgamma"}
WORDS |= {op: f"np.vectorize(math.{word}, otypes=[float])({{}})" for op, word in ENTRYWISE.items()}
WORDS |= {
    "log_expit": "-np.logaddexp(0, -{})",
    "ndtr": "np.vectorize(math.erfc, otypes=[float])(-{} / np.sqrt(2)) / 2",
    "log_ndtr": "np.log(np.vectorize(math.erfc, otypes=[float])(-{} / np.sqrt(2)) / 2)",
}
INSIDE = {"expit": (ATOM, MULTIPLY), "log_expit": (ATOM, ADD), "ndtr": (ATOM, MULTIPLY), "log_ndtr": (ATOM, ATOM)}
# Of named operands.
FORMULAS = {
    "logit": "np.log({0} / (1 - {0}))",
    "xlogy": "np.where({0} == 0, 0.0, {0} * np.log({1}))",
    "xlog1py": "np.where({0} == 0, 0.0, {0} * np.log1p({1}))",
    "entr": "np.where({0} == 0, 0.0, -{0} * np.log({0}))",
    "rel_entr": "np.where({0} == 0, 0.0, {0} * np.log({0} / {1}))",
    # Stirling's series behind the recurrence digamma(x) = digamma(x + 1) - 1 / x.
    "digamma": "(np.log({0} + 20) - 1 / (2 * ({0} + 20)) - 1 / (12 * ({0} + 20) ** 2) + 1 / (120 * ({0} + 20) ** 4)"
    " - 1 / (252 * ({0} + 20) ** 6) + 1 / (240 * ({0} + 20) ** 8) - sum(1 / ({0} + k) for k in range(20)))",
}
TAKEN = ("np", "math", "float", "range", "sum", "nearest", "invertible", "definite", "sizes", "values")
Names = Mapping[str, str]


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """The name, given way with underscores where it is taken or a keyword."""
    taken = set(taken)
    while wanted in taken or iskeyword(wanted):
        wanted += "_"
    return wanted


class Transcript:
    """Statements that compute some calls, in the names of the arguments, of the dimensions and of the spec's values.

    Behind a call for which there is a ``guard``, a statement in its text, that statement stands.
    """

    def __init__(
        self,
        wanted: Sequence[Call],
        arguments: Names,
        dimensions: Names,
        named: Mapping[Call, str],
        guards: Mapping[Call, str] | None = None,
    ) -> None:
        self.arguments, self.dimensions = arguments, dimensions
        self.taken = {*TAKEN, *arguments.values(), *dimensions.values()}
        self.statements: list[str] = []
        self.used_arguments: list[str] = []
        self.used_dimensions = False
        self.texts: dict[Call, tuple[str, int]] = {}
        calls = needed(tuple(wanted))
        uses = Counter(operand for call in calls for operand in call.args) + Counter(wanted)
        for call in calls:
            text, level = self.spell(call)
            plain = call.op in ("argument", "constant", "size")
            if not plain and (call in named or uses[call] > 1 or len(text) > LONGEST):
                text, level = self.assign(named.get(call, "t1"), text), ATOM
            self.texts[call] = text, level
            if guards and call in guards:
                self.statements.append(guards[call].format(text))

    def assign(self, wanted: str, text: str) -> str:
        """A statement that gives the value a name."""
        numbers = (f"t{k}" for k in range(1, len(self.taken) + 2))
        name = next(n for n in numbers if n not in self.taken) if wanted == "t1" else free_name(wanted, self.taken)
        self.taken.add(name)
        self.statements.append(f"{name} = {text}")
        return name

    def at(self, call: Call, level: int = 0) -> str:
        """The text of a call as an operand."""
        text, own = self.texts[call]
        return text if own >= level else f"({text})"

    def name(self, call: Call) -> str:
        """The name of a value, which gets one where it has none."""
        text = self.at(call)
        if not text.isidentifier():
            text = self.assign("t1", text)
            self.texts[call] = text, ATOM
        return text

    def argument(self, name: str) -> str:
        """An argument of the spec, in the name that it has here."""
        if name not in self.used_arguments:
            self.used_arguments.append(name)
        return self.arguments[name]

    def size(self, size: Size) -> str:
        self.used_dimensions = self.used_dimensions or bool(size.symbols)
        return size.spell(self.dimension)

    def dimension(self, dim: Dim) -> str:
        return self.dimensions[dim.name]

    def shape(self, call: Call) -> str:
        inner = ", ".join(map(self.size, call.shape))
        return f"({inner},)" if len(call.shape) == 1 else f"({inner})"

    def spell(self, call: Call) -> tuple[str, int]:
        """The text of one call, and how tightly it binds."""
        if call.op in OPERATORS:
            sign, level = OPERATORS[call.op]
            return f"{self.at(call.args[0], level)} {sign} {self.at(call.args[1], level + 1)}", level
        if call.op == "matmul":
            return f"{self.at(call.args[0], ATOM)} @ {self.at(call.args[1], ATOM)}", MULTIPLY
        if call.op == "negative":
            return f"-{self.at(call.args[0], ATOM)}", ADD
        if call.op == "formula":
            return _formula(self, call), 0
        if call.op in WORDS:
            inside, outside = INSIDE.get(call.op, (0, ATOM))
            return WORDS[call.op].format(self.at(call.args[0], inside)), outside
        if call.op in FORMULAS:
            return FORMULAS[call.op].format(*map(self.name, call.args)), ATOM
        special = SPECIAL.get(call.op)
        return (special(self, call) if special else self.function(call)), ATOM

    def function(self, call: Call, *more: str, name: str = "") -> str:
        """``np.name(operands, more)``"""
        return f"np.{name or call.op}({', '.join((*map(self.at, call.args), *more))})"

    def axes(self, call: Call) -> tuple[str, ...]:
        axis = call.params["axis"]
        keep = ("keepdims=True",) if call.params.get("keepdims") else ()
        return (f"axis={axis[0] if len(axis) == 1 else axis}", *keep)


def _formula(to: Transcript, call: Call) -> str:
    from gradgen.scalar_values import spelled  # SymPy takes long to import

    text: str = spelled(call.params["formula"], [to.name(operand) for operand in call.args])
    return text


def _constant(to: Transcript, call: Call) -> str:
    value = np.asarray(call.params["value"])
    text = re.sub(r"\b(inf|nan)\b", r"np.\1", repr(value.tolist()))
    return text if value.ndim == 0 and not text.startswith("-") else f"np.array({text})"


def _reduction(to: Transcript, call: Call) -> str:
    return to.function(call, *to.axes(call))


def _logsumexp(to: Transcript, call: Call) -> str:
    return to.function(call, *to.axes(call), name="logaddexp.reduce")


def _log_softmax(to: Transcript, call: Call) -> str:
    x = to.at(call.args[0], ATOM)
    return f"({x} - np.logaddexp.reduce({x}, {to.axes(call)[0]}, keepdims=True))"


def _softmax(to: Transcript, call: Call) -> str:
    return f"np.exp{_log_softmax(to, call)}"


def _getitem(to: Transcript, call: Call) -> str:
    """Spans that step backwards are cut first, and reversed afterwards."""
    index = call.params["index"]
    number = call.args[0].op in ("constant", "size") and not call.args[0].shape
    base = f"np.asarray({to.at(call.args[0])})" if number else to.at(call.args[0], ATOM)
    x = f"{base}[{', '.join(_entry(to, entry) for entry in index)}]"
    steps = [entry.step if isinstance(entry, Span) else 1 for entry in index if not isinstance(entry, Size)]
    backwards = [f"::{step}" if step < 0 else ":" for step in steps]
    return f"{x}[{', '.join(backwards)}]" if min(steps, default=1) < 0 else x


def _entry(to: Transcript, entry: Size | Span | None) -> str:
    if not isinstance(entry, Span):
        return "None" if entry is None else to.size(entry)
    cut = f"{to.size(entry.start)}:{to.size(entry.stop)}"
    return f"{cut}:{entry.step}" if entry.step > 1 else cut


def _entries(to: Transcript, call: Call) -> str:
    """One entry for each tuple of positions, which arrays of numbers hold as integers."""
    x, *positions = call.args
    said = [to.at(p) if p.op == "argument" else f"{to.at(p, ATOM)}.astype(int)" for p in positions]
    return f"{to.at(x, ATOM)}[..., {', '.join(said)}]"


def _norm(to: Transcript, call: Call) -> str:
    return f"np.sqrt(np.sum(np.square({to.at(call.args[0])}), {', '.join(to.axes(call))}))"


def _concatenate(to: Transcript, call: Call) -> str:
    return f"np.concatenate(({', '.join(map(to.at, call.args))}), axis={call.params['axis']})"


def _einsum(to: Transcript, call: Call) -> str:
    """Operands and their labels in turn; the labels from 0, since NumPy knows few."""
    inputs, output = call.params["inputs"], call.params["output"]
    number = {label: k for k, label in enumerate(dict.fromkeys(label for labels in inputs for label in labels))}
    lists = [str([number[label] for label in labels]) for labels in (*inputs, output)]
    pairs = (f"{to.at(operand)}, {labels}" for operand, labels in zip(call.args, lists, strict=False))
    return f"np.einsum({', '.join(pairs)}, {lists[-1]})"


def _along(to: Transcript, call: Call) -> str:
    return to.function(call, f"axis={call.params['axis']}")


def _half(to: Transcript, call: Call) -> str:
    return to.function(call, *([f"k={call.params['k']}"] if call.params["k"] else []))


SPECIAL: Mapping[str, Callable[[Transcript, Call], str]] = {
    "argument": lambda to, call: to.argument(call.params["name"]),
    "constant": _constant,
    "size": lambda to, call: f"({to.size(call.params['size'])})",
    "transpose": lambda to, call: to.function(call, str(call.params["axes"])),
    "sum": _reduction,
    "prod": _reduction,
    "cumsum": _along,
    "mean": _reduction,
    "max": _reduction,
    "min": _reduction,
    "logsumexp": _logsumexp,
    "log_softmax": _log_softmax,
    "softmax": _softmax,
    "getitem": _getitem,
    "broadcast_to": lambda to, call: to.function(call, to.shape(call)),
    "reshape": lambda to, call: to.function(call, to.shape(call)),
    "einsum": _einsum,
    "take": _along,
    "pick": lambda to, call: to.function(
        call, str(list(call.params["index"])), f"axis={call.params['axis']}", name="take"
    ),
    "entries": _entries,
    "tril": _half,
    "triu": _half,
    "arange": lambda to, call: f"np.arange(float({to.size(call.shape[0])}))",
    "ones": lambda to, call: f"np.ones({to.shape(call)})",
    "zeros": lambda to, call: f"np.zeros({to.shape(call)})",
    "inv": lambda to, call: to.function(call, name="linalg.inv"),
    "solve": lambda to, call: to.function(call, name="linalg.solve"),
    "pinv": lambda to, call: to.function(call, name="linalg.pinv"),
    "nuclear": lambda to, call: to.function(call, '"nuc"', "axis=(-2, -1)", name="linalg.norm"),
    "cholesky": lambda to, call: to.function(call, name="linalg.cholesky"),
    "eigvalsh": lambda to, call: to.function(call, name="linalg.eigvalsh"),
    "det": lambda to, call: to.function(call, name="linalg.det"),
    "norm": _norm,
    "concatenate": _concatenate,
    "unknown": lambda to, call: f"{to.argument(call.params['function'])}({to.at(call.args[0])})",
    "eye": lambda to, call: f"np.eye({to.size(call.shape[0])})",
}
