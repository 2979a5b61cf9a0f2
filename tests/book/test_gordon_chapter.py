"""What the chapter on Gordon's inequality proves: the envelope, the order of extrema, the norm."""

import itertools

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.optimize import minimize_scalar

from rbmnotes import (
    Bernoulli,
    Gaussian,
    Rademacher,
    SpikedModel,
    global_optimum,
    gordon_potential,
    loss,
    moreau_average,
)
from rbmnotes.experiments.gordon.minima import descend
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
def test_maximum_over_tau_of_the_minimum_over_gamma(hidden):
    alpha, snr, m, q = 4.0, 1.2, 0.8, 1.5
    top = max(abs(point) for point in hidden.support)
    critical, across = top * np.sqrt(alpha), np.sqrt(q - m * m)
    grid = np.geomspace(1e-6, 400.0, 120)

    def smallest(tau):
        return min(gordon_potential(m, q, tau, gamma, alpha, snr, hidden) for gamma in grid)

    # below the critical tau unbounded, above it a minimum at gamma = 0 that falls with tau
    assert smallest(0.95 * critical) < -20
    unmoved = gordon_potential(m, q, 1.0, 1e-6, alpha, snr, hidden) + across
    for factor in (1.0, 1.3):
        expected = unmoved - factor * critical * across
        assert smallest(factor * critical * (1 + 1e-9)) == pytest.approx(expected, abs=1e-4)
    best = max(
        gordon_potential(m, q, across / V, across, alpha, snr, hidden)
        for V in np.geomspace(0.02, 50.0, 200)
    )
    assert unmoved - critical * across < best - 0.05


def test_the_order_of_the_proof_gives_the_optimum():
    best = global_optimum(4.0, 1.2)

    def largest_over_tau(gamma):
        found = minimize_scalar(
            lambda x: -gordon_potential(best.m, best.q, gamma * np.exp(x), gamma, 4.0, 1.2),
            bounds=(-3.0, 4.0),
            method="bounded",
            options={"xatol": 1e-10},
        )
        return -found.fun

    values = [largest_over_tau(gamma) for gamma in best.gamma * np.array([0.7, 1.0, 1.4])]
    assert values[1] == pytest.approx(best.loss, abs=1e-9)
    assert min(values[0], values[2]) > best.loss + 0.01
    assert best.gamma == pytest.approx(np.sqrt(best.q - best.m**2), rel=1e-9)
    # at V near zero the envelope is the loss itself
    plain = moreau_average(best.m, best.q, 1e-6, 1.2)
    assert 4 * (plain + best.q / 2) - 2 * best.gamma < best.loss - 0.2


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
@pytest.mark.parametrize("seed", range(3))
def test_bounds_to_the_norm(hidden, seed):
    alpha, d = 3.0, 60
    data = SpikedModel(alpha, 1.5).sample(d, rng=seed)
    sigma = np.linalg.norm(data.X, 2) / np.sqrt(d)
    beats_zero, stationary = norm_bounds(sigma, alpha, hidden)
    w = descend(data.X, data.W_star[:, 0], hidden).W
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
    w = descend(data.X, data.W_star[:, 0], hidden).W
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


def test_corners_of_the_simplex_against_the_sphere():
    """With f on the sphere Phi + G3 is stochastically larger than phi; in the ball it is not.

    One sample, two corners, 100 000 draws; the bands are uniform at level 0.01 each.
    """
    rng, runs = np.random.default_rng(0), 100_000
    shortest = np.abs(rng.standard_normal((runs, 2))).min(axis=1)
    sphere = np.abs(rng.standard_normal(runs)) + rng.standard_normal((runs, 2)).min(axis=1)
    ball = np.maximum(sphere, 0.0)
    t, band = np.linspace(-4, 4, 801), np.sqrt(np.log(200.0) / (2 * runs))

    def distribution(values):
        return np.searchsorted(np.sort(values), t) / runs

    moved = distribution(shortest + rng.standard_normal(runs))
    assert np.max(moved - distribution(sphere)) < 2 * band
    assert np.max(moved - distribution(ball)) > 0.3
    error = 5 / np.sqrt(runs)
    assert shortest.mean() > sphere.mean() + error
    assert shortest.mean() < ball.mean() - error  # the means are 0.469 and 0.532


def test_two_units_break_the_comparison():
    """Remark 1: the difference of the covariances has both signs for two units, never for one."""

    def difference(F, other_F, W, other_W):
        A, B = (sqrtm(S.T @ S).real for S in (F, W))
        other_A, other_B = (sqrtm(S.T @ S).real for S in (other_F, other_W))
        return np.trace((A @ other_A - F.T @ other_F) @ (other_B @ B - other_W.T @ W))

    first, shear = np.eye(2), np.array([[1.0, 1.0], [0.0, 1.0]])
    values = [
        difference(*matrices)
        for matrices in itertools.product((first, shear, shear.T, -first), repeat=4)
    ]
    assert min(values) < -0.01
    assert max(values) > 0.01
    rng = np.random.default_rng(1)
    assert min(difference(*rng.standard_normal((4, 5, 1))) for _ in range(300)) > -1e-12
