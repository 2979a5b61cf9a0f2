"""The law of the minimiser's entries: moments by integration, runs beside it."""

import numpy as np
import pytest
from scipy.integrate import quad

from rbmnotes import Rademacher, global_optimum
from rbmnotes.experiments.gordon import minimiser_law
from tests.laws import SKEWED, TERNARY

M, Q = 0.7, 1.3


@pytest.mark.parametrize("prior_w", [SKEWED, TERNARY], ids=repr)
def test_moments_of_the_density(prior_w):
    def moment(power):
        def integrand(x):
            return x**power * minimiser_law.entry_density(x, M, Q, prior_w)

        return quad(integrand, -12, 12, epsabs=1e-11, limit=200)[0]

    cubed = np.dot(prior_w.probabilities, np.array(prior_w.support) ** 3)
    # m W* plus independent centred noise, W* of mean zero and variance one; quad is told 1e-11
    found = [moment(power) for power in range(4)]
    np.testing.assert_allclose(found, [1.0, 0.0, Q, M**3 * cubed], atol=1e-9)


@pytest.mark.parametrize(("m", "q"), [(M, Q), (-1.2, 1.5), (0.0, 0.8)])
def test_predicted_ratios_by_integration(m, q):
    def average(function):
        def integrand(x):
            density = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
            rest = np.sqrt(q - m * m)
            return 0.5 * density * (function(m + rest * x) + function(-m + rest * x))

        corner = abs(m) / np.sqrt(q - m * m)
        return quad(integrand, -12, 12, points=[-corner, corner], epsabs=1e-12, limit=200)[0]

    expected = average(lambda w: w**4) / q**2, average(abs) / np.sqrt(q)
    # quad is told 1e-12
    assert minimiser_law.predicted_ratios(m, q) == pytest.approx(expected, abs=1e-9)


def test_without_a_signal_it_is_a_gaussian():
    found = minimiser_law.predicted_ratios(0.0, 2.0)
    assert found == pytest.approx(minimiser_law.GAUSSIAN, rel=1e-14)
    density = minimiser_law.entry_density(0.6, 0.0, 2.0, Rademacher())
    assert density == pytest.approx(np.exp(-0.09) / np.sqrt(4 * np.pi), rel=1e-12)


def test_measured_ratios_are_near():
    best = global_optimum(4.0, 1.2)
    theory = np.array(minimiser_law.predicted_ratios(best.m, best.q))
    draws = [
        minimiser_law.measured_ratios(4.0, 1.2, 300, np.random.default_rng(seed))
        for seed in range(12)
    ]
    error = np.std(draws, axis=0, ddof=1) / np.sqrt(12)
    # four standard errors, and a bias that the chapter finds to be 4/d and 0.2/d
    difference = np.abs(np.mean(draws, axis=0) - theory)
    assert np.all(difference < 4 * error + np.array([6.0, 0.6]) / 300)
    assert np.all(np.abs(np.mean(draws, axis=0) - minimiser_law.GAUSSIAN) > 10 * error)
