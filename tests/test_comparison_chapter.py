"""What the chapter on many signals proves: single signals beat mixtures; the RBM beside Bayes."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad

from rbmnotes import Discrete, Gaussian, Rademacher, bayes_overlap, fixed_point, global_optimum

FIELDS = np.linspace(-12.0, 12.0, 241)
POINTS = np.linspace(-16.0, 16.0, 6401)
NORMAL = np.linspace(-6.0, 6.0, 121)
SPARSE = ((-np.sqrt(5.0), 0.1), (0.0, 0.8), (np.sqrt(5.0), 0.1))
SIGNS = ((-1.0, 0.5), (1.0, 0.5))


def envelope_average(direction, m, q, V, latent):
    """E M(m nu.U + sqrt(q) G; V) by minimising over a grid and summing over U and G."""
    costs = -np.log(np.cosh(POINTS)) + (POINTS - FIELDS[:, None]) ** 2 / (2.0 * V)
    envelope = costs.min(axis=1)
    weights = np.exp(-0.5 * NORMAL**2)
    weights /= weights.sum()
    total = 0.0
    for states in itertools.product(latent, repeat=len(direction)):
        values, probabilities = np.array(states).T
        fields = m * direction @ values + np.sqrt(q) * NORMAL
        total += probabilities.prod() * weights @ np.interp(fields, FIELDS, envelope)
    return total


@pytest.mark.parametrize("V", [0.05, 0.4, 0.9, 1.6])
@pytest.mark.parametrize(("m", "q"), [(0.3, 0.5), (1.2, 1.8), (2.5, 0.2)])
def test_no_direction_beats_a_single_signal(m, q, V):
    rng = np.random.default_rng(0)
    single = envelope_average(np.array([1.0, 0.0, 0.0]), m, q, V, SIGNS)
    for _ in range(20):
        direction = rng.standard_normal(3)
        direction /= np.linalg.norm(direction)
        # interpolation and grid err by about (0.1**2 + 0.005**2) / 8 times a curvature of order one
        assert envelope_average(direction, m, q, V, SIGNS) > single - 2e-3
    mixture = np.array([1.0, 1.0, 0.0]) / np.sqrt(2.0)
    if m > 1.0 and V < 1.0:
        assert envelope_average(mixture, m, q, V, SIGNS) > single + 5e-3


def test_heavy_tails_turn_the_inequality_round():
    single = envelope_average(np.array([1.0, 0.0]), 1.2, 1.0, 0.4, SPARSE)
    mixture = envelope_average(np.array([1.0, 1.0]) / np.sqrt(2.0), 1.2, 1.0, 0.4, SPARSE)
    assert mixture < single - 5e-3


@pytest.mark.parametrize("snr", [1.0, 1.6])
def test_the_optimum_rises_with_the_angle(snr):
    losses = []
    for angle in np.radians([0, 15, 30, 45]):
        a, b = np.cos(angle), np.sin(angle)
        points = np.round([a + b, a - b, b - a, -a - b], 12)
        law = Discrete(*np.array([(p, np.mean(points == p)) for p in np.unique(points)]).T)
        losses.append(global_optimum(4.0, snr, prior_u=law).loss)
    assert np.all(np.diff(losses) > 1e-3)


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
    x = point.overlap**2
    best = gain * channel_overlap(snr**2 * x)
    # m = V snr alpha E[Ug] and q - m^2 = V^2 alpha E[g^2], so this is the efficiency of g
    efficiency = x / (1 - x) / best
    assert 0.9 < efficiency < 1.0
    signs = bayes_overlap(alpha, snr, prior_w=Rademacher())
    assert point.overlap < bayes < signs
    # the gap to the Bayes-optimal overlap is a small part of what the law of signs is worth
    assert bayes - point.overlap < 0.25 * (signs - bayes)
