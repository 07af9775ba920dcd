"""What users of other array libraries write, and what it is in a spec."""

from __future__ import annotations

import re

DERIVED = "gradgen derives the gradient: return the loss itself, and name what to differentiate by in wrt"
ITSELF = "leave it out: the array itself is a number of the formula"
TURNED = "x.T turns a matrix over, np.transpose(x, axes) any array"
ATTRIBUTES = {
    "norm": "write np.linalg.norm(x)",
    "pow": "write x ** p",
    "square": "write x ** 2",
    "mm": "write A @ B",
    "mv": "write A @ x",
    "bmm": "write A @ B, which goes along the leading axes",
    "matmul": "write A @ B",
    "t": TURNED,
    "permute": TURNED,
    "view": "write x.reshape(...)",
    "unsqueeze": "write x[None] or x[:, None]: None stands where the new axis does",
    "expand": "write np.broadcast_to(x, shape)",
    "cat": "write np.concatenate([x, y])",
    "inverse": "write np.linalg.inv(A)",
    "det": "write np.linalg.det(A)",
    "logdet": "write logdet(A), after from gradgen import logdet",
    "sigmoid": "write sigmoid(x), after from gradgen import sigmoid",
    "softmax": "write softmax(x), after from gradgen import softmax",
    "log_softmax": "write log_softmax(x), after from gradgen import log_softmax",
    "logsumexp": "write logsumexp(x), after from gradgen import logsumexp",
    "relu": "write relu(x), after from gradgen import relu",
    "clamp": "write np.clip(x, a, b)",
    "float": ITSELF,
    "double": ITSELF,
    "numpy": ITSELF,
    "detach": "what has no part in the gradient is an argument that is not in wrt",
    "clone": ITSELF,
    "cpu": ITSELF,
    "to": ITSELF,
    "block_until_ready": ITSELF,
    "at": "an array is not changed in place: np.where(mask, new, old) changes what a mask chooses",
    "backward": DERIVED,
    "grad": DERIVED,
    "requires_grad": DERIVED,
    "requires_grad_": DERIVED,
}
OPTIONS = {
    "dim": "the option is called axis",
    "keepdim": "the option is called keepdims",
    "argnums": 'the arguments to differentiate by are named: wrt="w"',
    "argnum": 'the arguments to differentiate by are named: wrt="w"',
}
INTEGERS = "integers to index with are Indices[m, n]: m of them, from 0 to n - 1"
MODULES = ("torch", "jnp", "jax", "tf", "F", "nn", "jsp", "cp", "anp", "mx")
PLAIN = "a spec is plain NumPy: write it with np"


def of_option(message: str) -> str:
    """What to do about an option that a function does not have, by Python's message."""
    found = re.search(r"unexpected keyword argument '(\w+)'", message)
    return OPTIONS.get(found[1], "") if found else ""
