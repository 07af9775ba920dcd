"""The gallery against statsmodels' log-likelihoods, scores and Hessians. Every test of this file needs statsmodels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.discrete.count_model import ZeroInflatedPoisson
from statsmodels.discrete.discrete_model import GeneralizedPoisson, MNLogit, NegativeBinomial
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.genmod import families
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.othermod.betareg import BetaModel
from statsmodels.robust.norms import TukeyBiweight

RNG = np.random.default_rng(0)
links = families.links
X = np.column_stack([np.ones(80), RNG.normal(size=(80, 3)) / 2])
BETA = np.array([0.2, 0.5, -0.3, 0.4])
COUNTS = RNG.poisson(np.exp(X @ BETA)).astype(float)
BINARY = (RNG.uniform(size=80) < 1 / (1 + np.exp(-X @ BETA))).astype(float)
POSITIVE = RNG.gamma(2.0, np.exp(X @ BETA) / 2)
REAL = X @ BETA + RNG.standard_t(3, size=80)

FAMILIES: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "glm_gaussian": (families.Gaussian(), REAL, ()),
    "glm_logit": (families.Binomial(), BINARY, ()),
    "glm_probit": (families.Binomial(links.Probit()), BINARY, ()),
    "glm_cloglog": (families.Binomial(links.CLogLog()), BINARY, ()),
    "glm_cauchit": (families.Binomial(links.Cauchy()), BINARY, ()),
    "glm_gamma_log": (families.Gamma(links.Log()), POSITIVE, ()),
    "glm_inverse_gaussian": (families.InverseGaussian(links.Log()), POSITIVE, ()),
    "glm_negative_binomial": (families.NegativeBinomial(alpha=0.7), COUNTS, (0.7,)),
}


def hold(
    module: Any, args: tuple[Any, ...], value: Any, score: Any, hessian: Any, agree: Any, bound: float = 1e-9
) -> None:
    agree(module.loss(*args), value, bound)
    agree(module.grad(*args), score, bound)
    agree(module.hessian(*args), hessian, bound)


@pytest.mark.parametrize("name", FAMILIES)
def test_glm(name: str, gallery: Any, agree: Any) -> None:
    family, y, extra = FAMILIES[name]
    model = sm.GLM(y, X, family=family)
    expected = model.loglike(BETA, 1.0), model.score(BETA, 1.0), model.hessian(BETA, 1.0, observed=True)
    hold(gallery(name), (X, y, BETA, *extra), *expected, agree)


def test_glm_poisson(gallery: Any, agree: Any) -> None:
    exposure = RNG.uniform(0.5, 3, size=80)
    model = sm.GLM(COUNTS, X, family=families.Poisson(), exposure=exposure)
    expected = model.loglike(BETA, 1.0), model.score(BETA, 1.0), model.hessian(BETA, 1.0, observed=True)
    hold(gallery("glm_poisson"), (X, COUNTS, exposure, BETA), *expected, agree)


def test_glm_gamma_inverse(gallery: Any, agree: Any) -> None:
    design, beta = np.abs(X) + 0.1, np.abs(BETA)
    model = sm.GLM(POSITIVE, design, family=families.Gamma(links.InversePower()))
    expected = model.loglike(beta, 1.0), model.score(beta, 1.0), model.hessian(beta, 1.0, observed=True)
    hold(gallery("glm_gamma_inverse"), (design, POSITIVE, beta), *expected, agree)


def test_tukey_biweight(gallery: Any, agree: Any) -> None:
    norm, scale = TukeyBiweight(), 0.4
    z = (REAL - X @ BETA) / scale
    expected = norm.rho(z).sum(), -X.T @ norm.psi(z) / scale, X.T * norm.psi_deriv(z) @ X / scale**2
    hold(gallery("tukey_biweight"), (X, REAL, BETA, scale), *expected, agree)


@pytest.mark.parametrize(
    ("name", "model", "last"),
    [
        ("negative_binomial_2", lambda: NegativeBinomial(COUNTS, X), 0.7),
        ("generalized_poisson", lambda: GeneralizedPoisson(COUNTS, X), 0.2),
        ("beta_regression", lambda: BetaModel(POSITIVE / (1 + POSITIVE), X), 0.9),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_counts_and_rates(name: str, model: Any, last: float, gallery: Any, agree: Any) -> None:
    made, params = model(), np.append(BETA, last)
    made._transparams = False  # of the negative binomial: its last parameter is alpha, not log(alpha)
    expected = made.loglike(params), made.score(params), made.hessian(params)
    hold(gallery(name), (X, made.endog, params), *expected, agree)


def test_zero_inflated_poisson(gallery: Any, agree: Any) -> None:
    """statsmodels 0.15 leaves zeros between the two parts of its Hessian, against the differences of its own score."""
    Z, params = X[:, :2], np.concatenate([[-0.5, 0.3], BETA])
    model = ZeroInflatedPoisson(COUNTS, X, exog_infl=Z, inflation="logit")
    module, args = gallery("zero_inflated_poisson"), (Z, X, COUNTS, params)
    agree(module.loss(*args), model.loglike(params))
    agree(module.grad(*args), model.score(params))
    steps = 1e-5 * np.eye(6)
    differences = np.array([model.score(params + step) - model.score(params - step) for step in steps]) / 2e-5
    agree(module.hessian(*args), differences, 1e-8)
    for block in (slice(None, 2), slice(2, None)):
        agree(module.hessian(*args)[block, block], model.hessian(params)[block, block])


def test_multinomial_logit(gallery: Any, agree: Any) -> None:
    y = np.argmax(X[:, 1:] + RNG.gumbel(size=(80, 3)), axis=1)
    model, others = MNLogit(y, X), RNG.normal(size=(4, 2))
    W, module = np.column_stack([np.zeros(4), others]), gallery("multinomial_logit")
    params = others.ravel(order="F")
    agree(module.loss(X, y, W), model.loglike(params))
    agree(module.grad(X, y, W)[:, 1:].ravel(order="F"), model.score(params))
    direction = RNG.normal(size=(4, 2))
    product = module.hvp(X, y, W, np.column_stack([np.zeros(4), direction]))[:, 1:]
    agree(product.ravel(order="F"), model.hessian(params) @ direction.ravel(order="F"))


def test_ordered_logit(gallery: Any, agree: Any) -> None:
    """statsmodels differentiates this likelihood numerically."""
    y = np.clip(np.floor(REAL), -1, 2).astype(int) + 1
    model, params = OrderedModel(y, X[:, 1:], distr="logit"), np.array([0.5, -0.3, 0.4, -0.5, 0.2, 0.1])
    module = gallery("ordered_logit")
    agree(module.loss(X[:, 1:], y, params), model.loglike(params))
    agree(module.grad(X[:, 1:], y, params), model.score(params), 1e-6)
    agree(module.hessian(X[:, 1:], y, params), model.hessian(params), 1e-4)


def test_cox(gallery: Any, agree: Any) -> None:
    order = np.argsort(POSITIVE)
    design, time, event, beta = X[order, 1:], POSITIVE[order], BINARY[order], BETA[1:]
    model = PHReg(time, design, status=event, ties="breslow")
    expected = model.loglike(beta), model.score(beta), model.hessian(beta)
    hold(gallery("cox_sorted"), (design, event, beta), *expected, agree)
    hold(gallery("cox_breslow"), (design, time, event, beta), *expected, agree)


def test_cox_with_ties(gallery: Any, agree: Any) -> None:
    time, design, beta = np.ceil(POSITIVE * 3), X[:, 1:], BETA[1:]
    model = PHReg(time, design, status=BINARY, ties="breslow")
    expected = model.loglike(beta), model.score(beta), model.hessian(beta)
    hold(gallery("cox_breslow"), (design, time, BINARY, beta), *expected, agree)
