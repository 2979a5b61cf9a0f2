"""The order of the potential's extrema: the proof's gives the optimum, the exchanged one less."""

import numpy as np
import pytest

from rbmnotes import global_optimum, gordon_potential
from rbmnotes.experiments.gordon.order_of_extrema import largest_over_tau, least_in_exchanged_order

ALPHA, SNR = 4.0, 1.2


def test_the_order_of_the_proof_gives_the_optimum():
    best = global_optimum(ALPHA, SNR)
    values = [
        largest_over_tau(best.m, best.q, gamma, ALPHA, SNR)
        for gamma in best.gamma * np.array([0.7, 1.0, 1.4])
    ]
    # stationary in tau and in gamma, where both are right to 1e-8
    assert values[1] == pytest.approx(best.loss, abs=1e-9)
    assert min(values[0], values[2]) > best.loss + 0.01
    assert best.gamma == pytest.approx(np.sqrt(best.q - best.m**2), rel=1e-9)
    assert least_in_exchanged_order(ALPHA, SNR, best.m) < best.loss - 0.2


def test_largest_over_tau_by_a_grid():
    m, q, gamma = 0.6, 1.1, 0.5
    grid = np.geomspace(0.02, 20.0, 400)
    best = max(gordon_potential(m, q, tau, gamma, ALPHA, SNR) for tau in grid)
    found = largest_over_tau(m, q, gamma, ALPHA, SNR)
    # the best of the grid is at most one per cent off in tau: the square of that below
    assert best <= found < best + 1e-4


def test_least_in_the_exchanged_order_by_a_grid():
    """The closed form, averaged over signs and a grid of noise by a plain sum."""
    noise = np.linspace(-8.0, 8.0, 321)
    weights = np.exp(-0.5 * noise**2)
    weights /= weights.sum()

    def value(m, q):
        fields = SNR * m + np.sqrt(q) * noise  # the other sign gives the same
        eta1 = weights @ np.log(np.cosh(fields))
        return ALPHA * (0.5 * q - eta1) - np.sqrt(ALPHA * (q - m * m))

    m, across = np.linspace(0.8, 2.2, 71), np.linspace(0.4, 2.0, 81)
    expected = min(value(a, a * a + b * b) for a in m for b in across)
    found = least_in_exchanged_order(ALPHA, SNR, 1.0)
    # at most half a step of 0.02 off in either number, times a curvature of order four
    assert expected - 1e-3 < found <= expected + 1e-8
