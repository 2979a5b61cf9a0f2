"""What the chapter on Gordon's inequality proves: the envelope, the order of extrema, the norm."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from rbmnotes import (
    Bernoulli,
    Discrete,
    Rademacher,
    SpikedModel,
    global_optimum,
    gordon_potential,
    loss,
    moreau_average,
)
from rbmnotes.experiments.minima import descend

TERNARY = Discrete((-np.sqrt(2.0), 0.0, np.sqrt(2.0)), (0.25, 0.5, 0.25))
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
    grid = np.geomspace(1e-6, 1e4, 120)

    def smallest(tau):
        return min(gordon_potential(m, q, tau, gamma, alpha, snr, hidden) for gamma in grid)

    # below the critical tau unbounded, above it a minimum at gamma = 0 that falls with tau
    assert smallest(0.95 * critical) < -100
    unmoved = gordon_potential(m, q, 1.0, 1e-9, alpha, snr, hidden) + across
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
    # at V -> 0 the envelope is the loss itself
    plain = moreau_average(best.m, best.q, 1e-9, 1.2)
    assert 4 * (plain + best.q / 2) - 2 * best.gamma < best.loss - 0.2


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
@pytest.mark.parametrize("seed", range(3))
def test_bound_to_the_norm_of_whatever_beats_zero(hidden, seed):
    alpha, d = 3.0, 60
    data = SpikedModel(alpha, 1.5).sample(d, rng=seed)
    sizes = np.abs(hidden.support)
    top = sizes.max()
    p = sum(p for s, p in zip(sizes, hidden.probabilities, strict=True) if s == top)
    slope = np.linalg.norm(data.X, 2) / np.sqrt(d * alpha)
    largest = ((slope + np.sqrt(slope**2 - 2 * np.log(p))) / top) ** 2
    w = descend(data.X, data.W_star[:, 0], hidden).W
    assert 0.01 * largest < w @ w / d < largest
    # along the best direction the loss is positive where the bound says so
    for factor in (1.001, 2.0, 10.0):
        far = w * np.sqrt(factor * largest * d / (w @ w))
        assert loss(data.X, far[:, None], hidden) > 0
