"""Gordon's auxiliary problem at finite size: brute force, and the limit."""

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from rbmnotes import global_optimum
from rbmnotes.experiments.gordon import auxiliary

ALPHA, SNR = 4.0, 1.0


def plain_envelope(v, V):
    """Minimum over z of -log cosh z + (z - v)^2 / 2V, for V < 1, by plain iteration."""
    z = v.copy()
    for _ in range(60):
        slope = 1.0 - V / np.cosh(z) ** 2
        z -= (z - v - V * np.tanh(z)) / slope
    return -np.log(np.cosh(z)) + (z - v) ** 2 / (2 * V)


@pytest.mark.parametrize("seed", range(2))
def test_solution_is_the_minimum_of_the_maximum(seed):
    best, d = global_optimum(ALPHA, SNR), 60
    draw = auxiliary.draw_problem(ALPHA, d, np.random.default_rng(seed))

    def largest(state):
        m, across = state
        v = SNR * m * draw.U + m * draw.G0 + across * draw.G1

        def value(V):
            kept = plain_envelope(v, V).sum() / d - across**2 * draw.squared_length / (2 * V)
            return kept + 0.5 * ALPHA * (m * m + across**2)

        found = minimize_scalar(lambda V: -value(V), bounds=(0.1, 0.9), method="bounded")
        return -found.fun

    options = {"xatol": 1e-3, "fatol": 1e-7}
    brute = minimize(largest, (best.m, best.gamma), method="Nelder-Mead", options=options)
    found = auxiliary.solve(draw, ALPHA, SNR, (best.m, best.gamma, best.V))
    assert found.change < auxiliary.SETTLED
    # both are stationary and stop 1e-3 away: the square of that, times curvatures of order one
    assert found.value == pytest.approx(brute.fun, abs=1e-5)
    assert abs(found.value - best.loss) > 1e-3  # a draw of its own, not the limit


def test_values_tend_to_gordons():
    best, d = global_optimum(ALPHA, SNR), 1000
    values = []
    for seed in range(30):
        draw = auxiliary.draw_problem(ALPHA, d, np.random.default_rng(seed))
        values.append(auxiliary.solve(draw, ALPHA, SNR, (best.m, best.gamma, best.V)).value)
    error = np.std(values, ddof=1) / np.sqrt(30)
    # four standard errors, and a bias of a few over d
    assert abs(np.mean(values) - best.loss) < 4 * error + 4 / d
    assert abs(np.mean(values) - 0.95 * best.loss) > 4 * error + 4 / d


def test_draws():
    rng = np.random.default_rng(0)
    draws = [auxiliary.draw_problem(2.0, 50, rng) for _ in range(400)]
    U, G0, G1 = (np.array([getattr(draw, name) for draw in draws]) for name in ("U", "G0", "G1"))
    assert U.shape == G0.shape == G1.shape == (400, 100)
    assert set(np.unique(U)) == {-1.0, 1.0}
    # 40 000 numbers each: four standard errors of a mean and of a mean square
    for numbers in (G0, G1):
        assert abs(numbers.mean()) < 4 / 200
        assert abs((numbers**2).mean() - 1) < 4 * np.sqrt(2) / 200
    assert abs((G0 * G1).mean()) < 4 / 200
    squares = [auxiliary.draw_problem(2.0, 5, rng).squared_length for _ in range(400)]
    # chi-squared with four degrees of freedom, over five
    assert abs(np.mean(squares) - 0.8) < 4 * np.sqrt(2 * 4) / 5 / 20
