"""Train multi-class logistic regression on scikit-learn's digits with the generated module, as scikit-learn does.

Exits with 1 where a coefficient differs from scikit-learn's by 1e-4 or more.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from generated import softmax_regression

BOUND = 1e-4
Array = NDArray[np.float64]


@threadpool_limits.wrap(limits=1)  # NumPy and SciPy bring a thread pool each, and these get in each other's way
def main() -> int:
    pixels, labels = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(pixels / 16, labels, random_state=0)
    reference = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=100_000)
    seconds, _ = timed(lambda: reference.fit(X, y))
    print(f"digits: {len(X)} images for training, {len(X_test)} for testing, {X.shape[1]} pixels, 10 classes")
    print(f"{'':14}{'iterations':>10}{'time':>10}{'accuracy':>10}{'largest difference from scikit-learn':>39}")
    row("scikit-learn", int(reference.n_iter_[0]), seconds, reference.score(X_test, y_test), "")

    bound = softmax_regression.bind(X=X, Y=np.eye(10)[y], lam=1.0)
    start = bound.pack(np.zeros((X.shape[1], 10)))
    worst = 0.0
    for name, solve in solvers(bound, start).items():
        seconds, result = timed(solve)
        W = bound.unpack(result.x)
        difference = float(np.max(np.abs(W.T - reference.coef_)))
        row(name, result.nit, seconds, float(np.mean(np.argmax(X_test @ W, axis=1) == y_test)), f"{difference:.1e}")
        worst = max(worst, difference)
    print(f"largest difference {worst:.1e}: {'below' if worst < BOUND else 'NOT BELOW'} {BOUND:.0e}")
    return 0 if worst < BOUND else 1


def solvers(bound: Any, start: Array) -> dict[str, Callable[[], OptimizeResult]]:
    return {
        "L-BFGS-B": lambda: minimize(
            bound.fun_and_jac,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"ftol": 1e-15, "gtol": 1e-8, "maxiter": 100_000, "maxfun": 1_000_000},
        ),
        "trust-ncg": lambda: minimize(
            bound.fun, start, jac=bound.jac, hessp=bound.hessp, method="trust-ncg", options={"gtol": 1e-7}
        ),
    }


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = run()
    return time.perf_counter() - begin, result


def row(name: str, iterations: int, seconds: float, accuracy: float, difference: str) -> None:
    print(f"{name:14}{iterations:>10}{seconds:>8.2f} s{accuracy:>10.1%}{difference:>39}")


if __name__ == "__main__":
    sys.exit(main())
