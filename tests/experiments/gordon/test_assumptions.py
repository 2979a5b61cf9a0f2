"""How the assumptions of Theorem 7 stand: bounds and constants by other routes."""

import numpy as np
import pytest

from rbmnotes import Bernoulli, Rademacher, global_optimum, proximal_map
from rbmnotes.experiments.gordon.assumptions import assess
from rbmnotes.experiments.gordon.minima import PRIORS

SIGNS = Rademacher()


@pytest.mark.parametrize(("alpha", "snr", "fails"), [(4.0, 1.2, 0), (4.0, 0.8, 6), (1.5, 1.1, 5)])
def test_what_fails_is_what_the_optimum_says(alpha, snr, fails):
    found = assess(alpha, snr, SIGNS, SIGNS)
    message = global_optimum(alpha, snr).message
    assert found.fails == fails
    assert message.startswith(f"Assumption {fails} fails" if fails else "Assumptions 5 and 6 hold")
    assert np.isinf(found.lipschitz) == (fails == 5)


@pytest.mark.parametrize("hidden", [SIGNS, PRIORS["sparse signs"], Bernoulli()], ids=repr)
def test_lipschitz_constant_is_the_steepest_slope(hidden):
    found = assess(4.0, 1.3, hidden, SIGNS)
    omega = np.linspace(-6.0, 6.0, 60_001)
    z = proximal_map(omega[:, None], [[found.V]], hidden).z[:, 0]
    steepest = np.max(np.diff(z) / np.diff(omega))
    # slopes over steps of 2e-4 miss the peak by a relative 1e-8 times curvatures of order one
    assert found.lipschitz == pytest.approx(steepest, rel=1e-5)
    assert steepest > 1.05


def test_bound_of_signs():
    found = assess(4.0, 1.2, SIGNS, SIGNS)
    # q <= sigma^2 / alpha, and the outlier of the spectrum
    outlier = (1 + 1.44) * (4 + 1 / 1.44)
    assert found.q_bound == pytest.approx(outlier / 4, rel=1e-10)
    assert found.q < found.q_bound
    strong = assess(4.0, 30.0, SIGNS, SIGNS)
    assert strong.q == pytest.approx(strong.q_bound, rel=0.01)  # attained in the limit
