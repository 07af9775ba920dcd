"""The gallery against scikit-learn's own values, gradients and Hessian products, on its data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from sklearn import _loss as losses
from sklearn._loss.loss import ExponentialLoss
from sklearn.covariance import empirical_covariance, log_likelihood
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from sklearn.linear_model._huber import _huber_loss_and_gradient
from sklearn.linear_model._linear_loss import LinearModelLoss
from sklearn.manifold import smacof
from sklearn.manifold._t_sne import _joint_probabilities, _kl_divergence
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import scale

RNG = np.random.default_rng(0)
DIABETES, DISEASE = scale(load_diabetes().data), load_diabetes().target / 100
CANCER, MALIGNANT = scale(load_breast_cancer().data)[:, :8], load_breast_cancer().target.astype(float)
WINE, CULTIVAR = scale(load_wine().data), load_wine().target
IRIS, SPECIES = load_iris().data, load_iris().target
COUNTS = np.floor(DISEASE * 3)

LINEAR: dict[str, tuple[Any, Any, Any, dict[str, float]]] = {
    "half_squared_error": (losses.HalfSquaredError(), DIABETES, DISEASE, {}),
    "huber_linear": (losses.HuberLoss(quantile=0.9, delta=1.0), DIABETES, DISEASE, {"delta": 1.0}),
    "half_poisson": (losses.HalfPoissonLoss(), DIABETES, COUNTS, {}),
    "half_gamma": (losses.HalfGammaLoss(), DIABETES, DISEASE, {}),
    "half_tweedie": (losses.HalfTweedieLoss(power=1.5), DIABETES, COUNTS, {"power": 1.5}),
    "half_binomial": (losses.HalfBinomialLoss(), CANCER, MALIGNANT, {}),
    "exponential_linear": (ExponentialLoss(), CANCER, MALIGNANT, {}),
    "pinball_linear": (losses.PinballLoss(quantile=0.3), DIABETES, DISEASE, {"quantile": 0.3}),
}
# scikit-learn gives these two no true Hessian (it is zero almost everywhere, or not asked for)
WITHOUT_HESSIAN = {"huber_linear", "pinball_linear"}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_models(name: str, gallery: Any, agree: Any) -> None:
    base, X, y, extra = LINEAR[name]
    weight = RNG.uniform(0.5, 2, size=len(y))
    coef, direction = RNG.normal(size=X.shape[1] + 1) / 5, RNG.normal(size=X.shape[1] + 1)
    reference = LinearModelLoss(base, fit_intercept=True)
    module, args = gallery(name), (X, y, weight, coef, 0.1, *extra.values())
    value, gradient = reference.loss_gradient(coef, X, y, weight, 0.1)
    agree(module.loss(*args), value)
    agree(module.grad(*args), gradient)
    if name not in WITHOUT_HESSIAN:
        gradient, product = reference.gradient_hessian_product(coef, X, y, weight, 0.1)
        agree(module.grad(*args), gradient)
        agree(module.hvp(*args, direction), product(direction))


def test_half_multinomial(gallery: Any, agree: Any) -> None:
    reference = LinearModelLoss(losses.HalfMultinomialLoss(n_classes=3), fit_intercept=True)
    weight, coef, direction = RNG.uniform(0.5, 2, size=len(WINE)), *RNG.normal(size=(2, 3, WINE.shape[1] + 1))
    module, args = gallery("half_multinomial"), (WINE, CULTIVAR, weight, coef, 0.1)
    labels = CULTIVAR.astype(float)
    value, gradient = reference.loss_gradient(coef, WINE, labels, weight, 0.1)
    agree(module.loss(*args), value)
    agree(module.grad(*args), gradient)
    _, product = reference.gradient_hessian_product(coef, WINE, labels, weight, 0.1)
    agree(module.hvp(*args, direction), product(direction))


def test_huber_with_scale(gallery: Any, agree: Any) -> None:
    weight, w = RNG.uniform(0.5, 2, size=len(DISEASE)), np.append(RNG.normal(size=11) / 5, 0.7)
    value, gradient = _huber_loss_and_gradient(w, DIABETES, DISEASE, 1.35, 0.01, weight)
    module, args = gallery("huber_with_scale"), (DIABETES, DISEASE, weight, w, 1.35, 0.01)
    agree(module.loss(*args), value)
    agree(module.grad(*args), gradient)


C, RBF, WHITE = kernels.ConstantKernel, kernels.RBF, kernels.WhiteKernel
PROCESSES = {
    "gp_rbf": C(2.0) * RBF(1.5) + WHITE(0.3),
    "gp_ard": C(2.0) * RBF([1.5, 2.0, 0.7]) + WHITE(0.3),
    "gp_rational_quadratic": kernels.RationalQuadratic(length_scale=1.5, alpha=0.8) + WHITE(0.3),
    "gp_linear": kernels.DotProduct(1.2) + WHITE(0.3),
    "gp_periodic": kernels.ExpSineSquared(length_scale=1.1, periodicity=2.5) + WHITE(0.3),
}


@pytest.mark.parametrize("name", PROCESSES)
def test_gaussian_processes(name: str, gallery: Any, agree: Any) -> None:
    X, y = DIABETES[:60, 2:5], DISEASE[:60] - DISEASE[:60].mean()
    X = X[:, :1] if name == "gp_periodic" else X
    reference = GaussianProcessRegressor(PROCESSES[name], alpha=0.0, optimizer=None).fit(X, y)
    theta = reference.kernel_.theta
    value, gradient = reference.log_marginal_likelihood(theta, eval_gradient=True)
    args = (X[:, 0] if name == "gp_periodic" else X, y, theta)
    agree(gallery(name).loss(*args), value)
    agree(gallery(name).grad(*args), gradient)
    steps = 1e-5 * np.eye(len(theta))
    differences = [
        np.subtract(*(reference.log_marginal_likelihood(theta + s, eval_gradient=True)[1] for s in (step, -step)))
        for step in steps
    ]
    agree(gallery(name).hessian(*args), np.array(differences) / 2e-5, 1e-6)


def test_factor_analysis(gallery: Any, agree: Any) -> None:
    """The likelihood; its gradient vanishes at the factors that scikit-learn fitted."""
    model = FactorAnalysis(3, tol=1e-13, max_iter=20_000, svd_method="lapack").fit(WINE)
    args = (WINE, model.mean_, model.components_, model.noise_variance_)
    agree(gallery("factor_analysis").loss(*args), model.score(WINE))
    far = gallery("factor_analysis").grad(*args[:2], model.components_ + 0.1, model.noise_variance_)
    for at_fit, beside in zip(gallery("factor_analysis").grad(*args), far, strict=True):
        assert np.max(np.abs(at_fit)) < 1e-4 * np.max(np.abs(beside))


def test_probabilistic_pca(gallery: Any, agree: Any) -> None:
    """The likelihood at scikit-learn's closed-form maximum for the noise, where the gradient vanishes for n - 1 = n."""
    model = PCA(3, svd_solver="full").fit(WINE)
    W = model.components_.T * np.sqrt(model.explained_variance_ - model.noise_variance_)
    args = (WINE, model.mean_, W, model.noise_variance_)
    agree(gallery("probabilistic_pca").loss(*args), model.score(WINE))
    biased = (len(WINE) - 1) / len(WINE)
    for array in gallery("probabilistic_pca").grad(*args[:2], W * np.sqrt(biased), model.noise_variance_ * biased):
        assert np.max(np.abs(array)) < 1e-10


def test_tsne(gallery: Any, agree: Any) -> None:
    X = load_digits().data[:40]
    condensed = _joint_probabilities(squareform(pdist(X, "sqeuclidean")).astype(np.float32), 10.0, 0)
    Y = RNG.normal(size=(40, 2))
    value, gradient = _kl_divergence(Y.ravel(), condensed, 1, 40, 2)
    args = (squareform(condensed), Y)
    agree(gallery("tsne").loss(*args), value, 1e-8)  # the floor of the logarithm differs
    agree(gallery("tsne").grad(*args), gradient.reshape(40, 2), 1e-8)


def test_neighbourhood_components(gallery: Any, agree: Any) -> None:
    X, y = IRIS[::3], SPECIES[::3]
    A = RNG.normal(size=(2, 4))
    same = y[:, None] == y
    model = NeighborhoodComponentsAnalysis()
    model.n_iter_ = 1
    value, gradient = model._loss_grad_lbfgs(A.ravel(), X, same, 1.0)
    agree(gallery("neighbourhood_components").loss(X, same, A), value)
    agree(gallery("neighbourhood_components").grad(X, same, A), gradient.reshape(A.shape), 1e-9)


def _centred(count: int, shape: tuple[int, ...]) -> Any:
    arrays = RNG.normal(size=(count, *shape))
    return arrays - arrays.mean(axis=1, keepdims=True)


def test_mds_stress(gallery: Any, agree: Any) -> None:
    """SMACOF's step is a step of steepest descent: its Guttman transform is X - gradient / (2 n)."""
    D, X, direction = squareform(pdist(IRIS[::5])), *_centred(2, (30, 2))
    module = gallery("mds_stress")

    def gradient(X: Any) -> Any:
        moved, _ = smacof(D, init=X, n_init=1, max_iter=1, n_components=2, normalized_stress=False)
        return 2 * len(X) * (X - moved)

    agree(module.loss(D, X), np.sum((pdist(X) - pdist(IRIS[::5])) ** 2))
    agree(module.grad(D, X), gradient(X))
    differences = (gradient(X + 1e-6 * direction) - gradient(X - 1e-6 * direction)) / 2e-6
    agree(module.hvp(D, X, direction), differences, 1e-7)


def test_graphical_lasso(gallery: Any, agree: Any) -> None:
    S = empirical_covariance(WINE)
    root = RNG.normal(size=S.shape)
    Theta = root @ root.T / len(S) + np.eye(len(S))
    constant = len(S) * np.log(2 * np.pi)
    module = gallery("graphical_lasso_smooth")
    agree(module.loss(S, Theta), -2 * log_likelihood(S, Theta) - constant)
    agree(module.grad(S, Theta), S - np.linalg.inv(Theta))
    d = root + root.T
    agree(module.hvp(S, Theta, d), np.linalg.inv(Theta) @ d @ np.linalg.inv(Theta))


def test_full_gaussian_mixture(gallery: Any, agree: Any) -> None:
    model = GaussianMixture(3, random_state=0).fit(IRIS)
    args = (IRIS, model.weights_, model.means_, model.precisions_cholesky_)
    agree(gallery("full_gaussian_mixture").loss(*args), model.score(IRIS))
    args = (IRIS, model.weights_, model.means_, model.covariances_)
    agree(gallery("covariance_mixture").loss(*args), -model.score(IRIS) * len(IRIS))


def test_perceptron(gallery: Any, agree: Any) -> None:
    model = MLPClassifier((5,), activation="tanh", alpha=0.3, max_iter=1, solver="lbfgs", random_state=0)
    with pytest.warns(match="converge"):
        model.fit(WINE, CULTIVAR)
    Y = np.eye(3)[CULTIVAR]
    (W1, W2), (b1, b2) = model.coefs_, model.intercepts_
    packed = np.concatenate([a.ravel() for a in (W1, W2, b1, b2)])
    deltas, coefs = [None, None], [np.empty_like(W1), np.empty_like(W2)]
    intercepts = [np.empty_like(b1), np.empty_like(b2)]
    value, gradient = model._loss_grad_lbfgs(packed, WINE, Y, None, [WINE, None, None], deltas, coefs, intercepts)
    args = (WINE, Y, W1, b1, W2, b2, 0.3)
    gW1, gb1, gW2, gb2 = gallery("perceptron").grad(*args)
    agree(gallery("perceptron").loss(*args), value)
    agree(np.concatenate([a.ravel() for a in (gW1, gW2, gb1, gb2)]), gradient)
