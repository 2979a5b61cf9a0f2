"""The tangent bound: a bound, exact derivatives, and Theorem 1 where the points are zero."""

import numpy as np
import pytest

import rbmnotes as rn
from rbmnotes.model.objective import effective_average
from rbmnotes.model.tangent import tangent_average

D, K = 7, 3
HIDDEN = pytest.mark.parametrize("hidden", [rn.Bernoulli(), rn.Rademacher()], ids=repr)


def draw(rng, scale=2.0):
    rng = np.random.default_rng(rng)
    return (
        scale * rng.standard_normal((D, K)),
        scale * rng.standard_normal(D),
        rng.standard_normal(K),
        3.0 * rng.random(D),
    )


@HIDDEN
@pytest.mark.parametrize("seed", range(5))
def test_it_is_a_bound_that_better_points_tighten(hidden, seed):
    W, a, b, points = draw(seed)
    exact = rn.RBM(W, a, b, hidden=hidden).log_partition()
    values = []
    for _ in range(30):
        average, points = tangent_average(W, a, b, points, hidden)
        values.append(average.log_partition)
    assert np.all(np.diff(values) <= 1e-12)
    assert exact <= values[-1]
    at_zero, _ = tangent_average(W, a, b, np.zeros(D), hidden)
    assert values[-1] < at_zero.log_partition - 0.1  # tighter than Theorem 1 at these fields


@HIDDEN
def test_points_at_zero_are_theorem_1(hidden):
    W, a, b, _ = draw(0)
    ours, _ = tangent_average(W, a, b, np.zeros(D), hidden)
    theirs = effective_average(W, a, b, hidden)
    for name in ("log_partition", "hidden", "visible", "product"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-12)


@HIDDEN
def test_averages_are_derivatives(hidden):
    """Central differences of width 1e-6 of values near ten are good to 1e-8."""
    W, a, b, points = draw(1)
    average, _ = tangent_average(W, a, b, points, hidden)

    def slope(change):
        up, down = (
            tangent_average(
                W + sign * change[0], a + sign * change[1], b + sign * change[2], points, hidden
            )[0]
            for sign in (1e-6, -1e-6)
        )
        return (up.log_partition - down.log_partition) / 2e-6

    rng = np.random.default_rng(2)
    for _ in range(5):
        change = [rng.standard_normal(x.shape) for x in (W, a, b)]
        expected = (
            np.sum(change[0] * average.product) / np.sqrt(D)
            + change[1] @ average.visible / np.sqrt(D)
            + change[2] @ average.hidden
        )
        assert slope(change) == pytest.approx(expected, abs=1e-6)


def test_best_points_are_stationary():
    """The derivative in a point is s'(zeta) (<y^2> - zeta^2) / 2: zero at the best points."""
    W, a, b, points = draw(3)
    for _ in range(500):
        points = tangent_average(W, a, b, points, rn.Bernoulli())[1]
    value = tangent_average(W, a, b, points, rn.Bernoulli())[0].log_partition
    for i in range(D):
        for step in (-1e-3, 1e-3):
            moved = points.copy()
            moved[i] += step
            assert tangent_average(W, a, b, moved, rn.Bernoulli())[0].log_partition >= value - 1e-12


def test_one_large_field_is_exact():
    """A constant pixel: its bound touches at its own field, while Theorem 1's is off by 40."""
    a = np.array([9.0 * np.sqrt(D), *np.zeros(D - 1)])
    W, b = np.zeros((D, K)), np.zeros(K)
    points = np.abs(a) / np.sqrt(D)
    average, _ = tangent_average(W, a, b, points, rn.Bernoulli())
    exact = rn.RBM(W, a, b, hidden=rn.Bernoulli())
    assert average.log_partition == pytest.approx(exact.log_partition(), abs=1e-12)
    assert average.visible[0] == pytest.approx(np.tanh(9.0), abs=1e-12)
    assert exact.log_partition(exact=False) - exact.log_partition() > 30.0
