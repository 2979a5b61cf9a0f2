"""What the chapter on Gordon's inequality proves: the envelope, the potential's shape, the norm."""

import numpy as np
import pytest

from rbmnotes import (
    Bernoulli,
    Gaussian,
    Rademacher,
    SpikedModel,
    global_optimum,
    gordon_potential,
    loss,
)
from rbmnotes.algorithms.lbfgs import lbfgs
from rbmnotes.theory.gordon import norm_bounds
from tests.laws import TERNARY

HIDDEN = (Rademacher(), Bernoulli(), TERNARY)


@pytest.mark.parametrize("V", [0.3, 0.95, 2.5])
def test_envelope_is_a_minimum_of_linear_functions(V):
    # signs: the conjugate of log cosh; also past the bound V = 1, where the minimiser jumps
    z = np.linspace(-12, 12, 400_001)
    g = np.tanh(z)
    conjugate = 0.5 * ((1 + g) * np.log1p(g) + (1 - g) * np.log1p(-g))
    for x in (0.0, 0.4, 3.0):
        direct = np.min(-np.log(np.cosh(z)) + (z - x) ** 2 / (2 * V))
        assert np.min(conjugate - g * x - 0.5 * V * g**2) == pytest.approx(direct, abs=1e-8)


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
@pytest.mark.parametrize("tau", [0.7, 1.9, 3.5])
def test_potential_is_concave_in_gamma_and_in_tau(hidden, tau):
    grid = np.linspace(0.05, 6.0, 40)
    along_gamma = [gordon_potential(0.6, 1.1, tau, x, 4.0, 1.2, hidden) for x in grid]
    along_tau = [gordon_potential(0.6, 1.1, x, tau, 4.0, 1.2, hidden) for x in grid]
    assert np.diff(along_gamma, 2).max() < 1e-9
    assert np.diff(along_tau, 2).max() < 1e-9


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
@pytest.mark.parametrize("seed", range(3))
def test_bounds_to_the_norm(hidden, seed):
    alpha, d = 3.0, 60
    data = SpikedModel(alpha, 1.5).sample(d, rng=seed)
    sigma = np.linalg.norm(data.X, 2) / np.sqrt(d)
    beats_zero, stationary = norm_bounds(sigma, alpha, hidden)
    w = lbfgs(data.X, data.W_star, hidden, largest=1e-5).W[:, 0]
    assert w @ w / d < stationary < beats_zero
    # along the best direction the loss is positive where the bound says so
    for factor in (1.001, 2.0, 10.0):
        far = w * np.sqrt(factor * beats_zero * d / (w @ w))
        assert loss(data.X, far[:, None], hidden) > 0


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
def test_bounds_to_the_norm_are_nearly_attained(hidden):
    """On a strong signal of signs both come within 3 %: no smaller constant would be true."""
    alpha, d = 4.0, 60
    data = SpikedModel(alpha, 30.0).sample(d, rng=1)
    beats_zero, stationary = norm_bounds(np.linalg.norm(data.X, 2) / np.sqrt(d), alpha, hidden)
    w = lbfgs(data.X, data.W_star, hidden, largest=1e-5).W[:, 0]
    at_minimum = w @ w / d
    assert at_minimum == pytest.approx(global_optimum(alpha, 30.0, hidden).q, rel=0.15)  # d = 60
    if hidden.is_symmetric:
        assert 0.97 * stationary < at_minimum < stationary
        still_below = data.W_star * np.sqrt(0.97 * beats_zero)
        assert loss(data.X, still_below, hidden) < 0
    else:  # a unit of one sign serves half of the samples
        assert at_minimum < 0.5 * stationary


def test_bounds_to_the_norm_of_signs():
    assert norm_bounds(2.5, 4.0) == pytest.approx((6.25, 1.5625), rel=1e-12)
    for name, arguments in (
        ("sigma", (0.0, 4.0)),
        ("alpha", (1.0, -4.0)),
        ("hidden", (1.0, 4.0, Gaussian())),
        ("hidden", (1.0, 4.0, "signs")),
    ):
        with pytest.raises(ValueError, match=rf"^{name}\b"):
            norm_bounds(*arguments)
