"""The RBM is almost Bayes-optimal for Gaussian signals: the efficiency of its denoiser."""

import numpy as np
import pytest
from scipy.integrate import quad

from rbmnotes import Gaussian, Rademacher, bayes_overlap, fixed_point
from rbmnotes.experiments.comparison.efficiency import efficiency


def channel_overlap(gamma):
    """E tanh(gamma + sqrt(gamma) G), by adaptive quadrature."""

    def integrand(x):
        return np.tanh(gamma + np.sqrt(gamma) * x) * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)

    return quad(integrand, -9.0, 9.0, epsabs=1e-12)[0]


@pytest.mark.parametrize(("alpha", "snr"), [(2.0, 1.5), (4.0, 1.0), (4.0, 1.6), (10.0, 0.9)])
def test_the_rbm_is_almost_bayes_optimal_for_gaussian_signals(alpha, snr):
    gain = alpha * snr**2
    bayes = bayes_overlap(alpha, snr, prior_w=Gaussian())
    reached = gain * channel_overlap(snr**2 * bayes**2)
    assert bayes**2 == pytest.approx(reached / (1 + reached), abs=1e-9)
    point = fixed_point(alpha, snr)
    found = efficiency(point, alpha, snr)
    # two averages over the field by plain sums with all digits, and a fixed point to 1e-10
    x = point.overlap**2
    assert found.squared_overlap == x
    assert found.predicted == pytest.approx(x, abs=1e-9)
    # m = V snr alpha E[Ug] and q - m^2 = V^2 alpha E[g^2]: the overlap itself tells the efficiency
    best = gain * channel_overlap(snr**2 * x)
    assert found.efficiency == pytest.approx(x / (1 - x) / best, abs=1e-8)
    assert 0.9 < found.efficiency < 1.0
    signs = bayes_overlap(alpha, snr, prior_w=Rademacher())
    assert point.overlap < bayes < signs
    # the gap to the Bayes-optimal overlap is a small part of what the law of signs is worth
    assert bayes - point.overlap < 0.25 * (signs - bayes)
