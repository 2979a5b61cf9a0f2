"""The potential's profile along the overlap."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from rbmnotes import global_optimum, gordon_potential
from rbmnotes.experiments.gordon.profile import profile


@pytest.mark.parametrize("snr", [0.5, 0.9, 1.2])
def test_lowest_at_the_optimum(snr):
    best = global_optimum(4.0, snr)
    # the minimum over q is right to 1e-4 in its root, the value to the square of that
    assert profile(best.m, 4.0, snr) == pytest.approx(best.loss, abs=1e-7)
    assert min(profile(m, 4.0, snr) for m in best.m + np.array([-0.2, 0.2])) > best.loss + 1e-3


def test_even_in_the_overlap():
    assert profile(-0.6, 4.0, 0.9) == pytest.approx(profile(0.6, 4.0, 0.9), abs=1e-12)


def test_by_maximising_and_minimising_the_potential():
    m, alpha, snr = 0.4, 3.0, 1.1

    def largest(across):
        q = m * m + across**2
        found = minimize_scalar(
            lambda x: -gordon_potential(m, q, across / np.exp(x), across, alpha, snr),
            bounds=(-4.0, 3.0),
            method="bounded",
        )
        return -found.fun

    expected = minimize_scalar(largest, bounds=(0.2, 2.0), method="bounded").fun
    # tolerances of 1e-5 in the logarithm of V and of 1e-4 in q: squares of that
    assert profile(m, alpha, snr) == pytest.approx(expected, abs=1e-7)
