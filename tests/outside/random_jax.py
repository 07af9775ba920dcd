"""JAX's value and derivatives of a spec, in float64."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from random_programs import EVEN, Given
from random_values import Unknown

from gradgen import words
from gradgen.spec import run_with

jax.config.update("jax_enable_x64", True)

Array = Any
WORDS = {
    words.sigmoid: jax.nn.sigmoid,
    words.softplus: jax.nn.softplus,
    words.relu: jax.nn.relu,
    words.logsumexp: jax.scipy.special.logsumexp,
    words.softmax: jax.nn.softmax,
    words.log_softmax: jax.nn.log_softmax,
    words.logdet: lambda a: jnp.linalg.slogdet(a)[1],
}
SPECIAL = ModuleType("scipy.special")
SPECIAL.__dict__.update(jax.scipy.special.__dict__)
SPECIAL.__dict__.update(
    log_expit=jax.nn.log_sigmoid,
    softmax=lambda x: jax.nn.softmax(x, axis=None),
    log_softmax=lambda x: jax.nn.log_softmax(x, axis=None),
)
MODULES = {np: jnp, scipy.special: SPECIAL}
Results = dict[str, list[Array]]


class JaxHasNoAnswer(Exception):
    """A result of JAX is not finite."""


class Oracle:
    """JAX's results for a loss or function: its value, and the derivatives that its module has; compiled once for each
    shape, since compiling takes nearly all of the time."""

    def __init__(self, made: Any, given: Sequence[Given]) -> None:
        self.made = made
        self.kinds = {g.name: g.kind for g in given}
        self.function = bool(made.tape.function)
        self.functions: dict[str, Any] = {}
        self.compiled = jax.jit(self.results)

    def __call__(self, inputs: Mapping[str, Array], directions: Sequence[Array], cotangent: Sequence[Array]) -> Results:
        self.functions = {name: getattr(jnp, v.name) for name, v in inputs.items() if isinstance(v, Unknown)}
        fixed = {name: self._array(name, v) for name, v in inputs.items() if name not in self.functions}
        more = tuple(jnp.asarray(d, dtype=float) for d in (*directions, *cotangent))
        found = self._finite(self.compiled(fixed, more))
        if found is None:  # fused, a maximum may miss its entry
            found = self._finite(self.results(fixed, more))
        if found is None:
            raise JaxHasNoAnswer("a result of JAX is not finite")
        return found

    def _array(self, name: str, value: Array) -> Array:
        return jnp.asarray(value, dtype=int if self.kinds[name] == "Indices" else float)

    def _finite(self, results: Mapping[str, Any]) -> Results | None:
        found = {kind: [np.asarray(a) for a in arrays] for kind, arrays in results.items()}
        return found if all(np.all(np.isfinite(a)) for arrays in found.values() for a in arrays) else None

    def results(self, fixed: Mapping[str, Array], more: tuple[Array, ...]) -> dict[str, Any]:
        def value(*variables: Array) -> Array:
            pairs = zip(self.made.wrt, variables, strict=True)
            varied = {n: (v + v.T) / 2 if self.kinds[n] in EVEN else v for n, v in pairs}
            return jnp.asarray(run_with(self.made, {**fixed, **varied, **self.functions}, MODULES, WORDS), dtype=float)

        primals = tuple(fixed[name] for name in self.made.wrt)
        tangents = more[: len(primals)]
        if self.function:
            found, moved = jax.jvp(value, primals, tangents)
            pulled = jax.vjp(value, *primals)[1](more[-1])
            return {"value": [found], "jvp": [moved], "vjp": self._structured(pulled)}
        both = jax.value_and_grad(value, argnums=tuple(range(len(primals))))
        (found, grad), (_, hvp) = jax.jvp(both, primals, tangents)
        return {"loss": [found], "grad": self._structured(grad), "hvp": self._structured(hvp)}

    def _structured(self, gradients: Sequence[Array]) -> list[Array]:
        """Symmetric gradients by independent entries, where the spec asks for that."""
        pairs = zip(self.made.wrt, gradients, strict=True)
        if not self.made.tape.options["symmetric"]:
            return list(gradients)
        return [2 * g - jnp.diag(jnp.diag(g)) if self.kinds[name] in EVEN else g for name, g in pairs]
