"""`gradgen bench`: how long the functions of a module take, beside the spec run as NumPy and through ``jax.jit``.

All take turns, batch by batch, so that what else the machine does meets them alike; medians count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np

from gradgen import recipes, spec, words
from gradgen.dims import TYPICAL
from gradgen.errors import SpecError
from gradgen.fields import Array
from gradgen.pipeline import generate_module
from gradgen.tape import Tape
from gradgen.tiny import symbols

ROUNDS = 15
BATCH = 0.01  # seconds
NAMES = "relu sigmoid softplus logsumexp softmax log_softmax".split()
Calls = dict[str, Callable[[], Any]]
Rows = list[tuple[str, Mapping[str, float]]]


def timed(one: spec.Declaration) -> tuple[Mapping[str, int], Rows]:
    """The sizes, and for each function the seconds that each contender takes for a call."""
    tape = one.tape
    if any(argument.callable for argument in tape.arguments):
        raise SpecError("bench does not know which functions to pass for Elementwise arguments", place=tape.place)
    found = recipes.choose(tape)
    dims = {d.name: d.typical for a in tape.arguments for size in a.given for d in size.symbols}
    sizes = {name: dims.get(name, TYPICAL) for name in symbols(tape)}
    inputs, directions = recipes.draw(tape, found.choice, sizes, 0)
    module = ModuleType(tape.name)
    exec(generate_module(tape)[0], module.__dict__)
    outside = _by_jax(one, tape, inputs, directions)
    rows: Rows = []
    for name, calls in _ours(one, tape, module, inputs, directions).items():
        calls |= {"jax.jit": outside[name]} if name in outside else {}
        rows.append((name, interleaved(calls)))
    return sizes, rows


def _ours(
    one: spec.Declaration, tape: Tape, module: ModuleType, inputs: Mapping[str, Any], directions: Mapping[str, Array]
) -> dict[str, Calls]:
    """The calls of the module, bound and not, and of the spec, by function."""
    arguments, along = list(inputs.values()), list(directions.values())
    variables = [inputs[name] for name in tape.wrt]
    bound = module.bind(**{name: value for name, value in inputs.items() if name not in tape.wrt})
    extra = {"hvp": along, "jvp": along, "vjp": [np.ones([s.value(_sizes(tape, inputs)) for s in tape.result.shape])]}
    found: dict[str, Calls] = {}
    for name in ("value", "jvp", "vjp") if tape.function else ("loss", "grad", "value_and_grad", "hvp"):
        more = extra.get(name, [])
        found[name] = {
            "gradgen": _call(getattr(module, name), *arguments, *more),
            "bound": _call(getattr(bound, name), *variables, *more),
        }
    found["value" if tape.function else "loss"]["spec"] = _call(one, *arguments)
    return found


def _call(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: function(*arguments)


def _sizes(tape: Tape, inputs: Mapping[str, Any]) -> dict[str, int]:
    """The dimensions as numbers, from the arrays."""
    return {
        size.symbol.name: length
        for a in tape.arguments
        for size, length in zip(a.given, np.shape(inputs[a.name]), strict=True)
        if size.symbol is not None
    }


def _by_jax(one: spec.Declaration, tape: Tape, inputs: Mapping[str, Any], directions: Mapping[str, Array]) -> Calls:
    """The same through JAX in float64, compiled before the clock runs; nothing where it is not installed."""
    try:
        import jax
        import jax.numpy as jnp
        import jax.scipy.special
    except ImportError:
        return {}
    if tape.function:
        return {}
    jax.config.update("jax_enable_x64", True)
    import scipy.special

    twins = {getattr(words, n): getattr(jax.nn, n, None) or getattr(jax.scipy.special, n) for n in NAMES}
    modules = {np: jnp, np.linalg: jnp.linalg, scipy.special: jax.scipy.special}

    def loss(variables: Any, data: Any, along: Any = None) -> Any:
        return spec.run_with(one, {**data, **variables}, modules, twins)

    def product(variables: Any, data: Any, along: Any) -> Any:
        return jax.jvp(lambda at: jax.grad(loss)(at, data), (variables,), (along,))[1]

    given = [
        {name: jnp.asarray(inputs[name]) for name in tape.wrt},
        {name: jnp.asarray(value) for name, value in inputs.items() if name not in tape.wrt},
        {name: jnp.asarray(value) for name, value in directions.items()},
    ]
    compiled: dict[str, Callable[..., Any]] = {
        "loss": jax.jit(loss),
        "grad": jax.jit(jax.grad(loss)),
        "value_and_grad": jax.jit(jax.value_and_grad(loss)),
        "hvp": jax.jit(product),
    }
    try:
        jax.block_until_ready([function(*given) for function in compiled.values()])
    except Exception as error:  # what JAX cannot trace is its own matter
        print(f"jax.jit: {type(error).__name__}")
        return {}
    return {name: _blocking(function, given, jax.block_until_ready) for name, function in compiled.items()}


def _blocking(function: Callable[..., Any], given: Sequence[Any], ready: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: ready(function(*given))


def interleaved(calls: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """The median seconds of a call of each, in turns."""
    with np.errstate(all="ignore"):
        for call in calls.values():
            call()
        numbers = {name: max(1, round(BATCH / max(_batch(call, 1), 1e-7))) for name, call in calls.items()}
        found: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            for name, call in calls.items():
                found[name].append(_batch(call, numbers[name]) / numbers[name])
    return {name: median(times) for name, times in found.items()}


def _batch(call: Callable[[], Any], number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        call()
    return time.perf_counter() - start
