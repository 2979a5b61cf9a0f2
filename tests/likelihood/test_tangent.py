"""The tangent bound: a bound, its derivatives, Theorem 1 at points of zero, points that descend."""

import numpy as np
import pytest
from scipy.optimize import minimize

import rbmnotes as rn
from rbmnotes.likelihood.tangent import TangentPoints, tangent_average, tangent_bound
from rbmnotes.model.objective import effective_average

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
def test_it_is_a_bound_at_any_points(hidden, seed):
    W, a, b, points = draw(seed)
    exact = rn.RBM(W, a, b, hidden=hidden).log_partition()
    for factor in (0.0, 0.3, 1.0, 3.0):
        bound = tangent_average(W, a, b, factor * points, hidden)[0].log_partition
        assert bound >= exact - 1e-12


def random_machine(rng):
    """Of any size up to 30 by 5, with fields from small to very large; where the points start."""
    rng = np.random.default_rng((15, rng))
    d, k = rng.integers(1, 31), rng.integers(1, 6)
    scale = np.exp(rng.uniform(-1.0, 3.5))
    W, a, b = (scale * rng.standard_normal(size) for size in ((d, k), d, k))
    return W, a, b, (rn.Bernoulli(), rn.Rademacher())[rng.integers(2)]


CYCLE = np.array([[16.0]]), np.zeros(1), np.array([-11.3137]), rn.Bernoulli()
"""Points set to their averages go round between bounds of 6.65 and 31.30."""


def loosened(follow):
    """Machines of 300 whose bound rises along 40 steps, by more than round-off; and how far."""
    rises = []
    for seed in range(300):
        values = follow(random_machine(seed))
        rises.append(np.diff(values).max() / max(1.0, np.abs(values).max()))
    return int(np.sum(np.array(rises) > 1e-13))


def follow_points(machine, steps=40):
    points = TangentPoints(machine[1])
    return [points.average(*machine)[0].log_partition for _ in range(steps)]


def set_to_averages(machine, steps=40):
    """The fixed-point iteration, which minimises a linearisation from below."""
    W, a, b, hidden = machine
    points, values = np.abs(a) / np.sqrt(len(a)), []
    for _ in range(steps):
        average, squares = tangent_average(W, a, b, points, hidden)
        points = np.sqrt(squares)
        values.append(average.log_partition)
    return values


def test_a_step_never_loosens_the_bound():
    """On 300 random machines; the fixed-point iteration fails this on many of them."""
    assert loosened(follow_points) == 0
    assert loosened(set_to_averages) > 100


def test_where_the_averages_cycle_the_points_descend():
    values = set_to_averages(CYCLE)
    np.testing.assert_allclose(np.sort(values[-2:]), [6.649, 31.295], atol=1e-3)
    found = tangent_bound(*CYCLE)
    assert found.converged
    assert found.average.log_partition == pytest.approx(4.963711318576, abs=1e-9)
    grid = [tangent_average(*CYCLE[:3], np.array([z]), CYCLE[3])[0] for z in np.arange(0, 40, 0.1)]
    assert found.average.log_partition <= min(a.log_partition for a in grid)
    assert rn.RBM(*CYCLE[:3], hidden=CYCLE[3]).log_partition() == pytest.approx(3.318279, abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_the_best_points_against_a_general_minimiser(seed):
    """L-BFGS over the logarithms of the squares of at most five points."""
    W, a, b, hidden = random_machine(seed)
    W, a = W[:5], a[:5]
    best = minimize(
        lambda x: tangent_average(W, a, b, np.exp(0.5 * x), hidden)[0].log_partition,
        np.zeros(len(a)),
        bounds=[(-10.0, 20.0)] * len(a),
        method="L-BFGS-B",
    ).fun
    exact = rn.RBM(W, a, b, hidden=hidden).log_partition()
    for tol in (1.0, 1e-3, 1e-6):
        found = tangent_bound(W, a, b, hidden, tol=tol)
        assert found.converged
        assert 0.0 <= found.excess <= tol
        assert exact - 1e-9 <= found.average.log_partition <= best + tol + 1e-9


def test_the_excess_is_the_most_that_convexity_allows():
    """Steepest descent of the linearisation at the points, to a corner of the cube of slopes."""
    W, a, b, hidden = random_machine(7)
    points = TangentPoints(a)
    for _ in range(10):
        at = np.sqrt(points._squares)
        _, excess = points.average(W, a, b, hidden)
        if np.array_equal(np.sqrt(points._kept), at):  # the step was kept
            gradient = 0.5 * (tangent_average(W, a, b, at, hidden)[1] - at**2)
            slopes = np.tanh(at) / at
            furthest = np.where(gradient > 0.0, 0.0, 1.0)
            assert excess == pytest.approx(gradient @ (slopes - furthest), rel=1e-12)
            assert excess > 0.0


def test_points_follow_a_machine_that_moves():
    """At every step those used are no worse, for the machine at hand, than those used before."""
    rng = np.random.default_rng(4)
    W, a, b = rng.standard_normal((20, 3)), 5 * rng.standard_normal(20), rng.standard_normal(3)
    points, used, failures = TangentPoints(a), [], 0
    for _ in range(300):
        W, a, b = (x + 0.3 * rng.standard_normal(x.shape) for x in (W, a, b))
        average, _ = points.average(W, a, b, rn.Bernoulli())
        used.append(np.sqrt(points._kept))
        if len(used) > 1:
            before = tangent_average(W, a, b, used[-2], rn.Bernoulli())[0].log_partition
            assert average.log_partition <= before + 1e-12 * abs(before)
            failures += np.array_equal(*used[-2:])
    assert 10 < failures < 100  # the check of a step does say no, and mostly yes


def test_a_bound_that_is_stopped_says_so():
    found = tangent_bound(*CYCLE, max_iter=2)
    assert not found.converged
    assert found.n_iter == 2
    assert found.excess > 1e-6
    for name, options in (("tol", {"tol": 0.0}), ("max_iter", {"max_iter": 0})):
        with pytest.raises(ValueError, match=f"^{name} must"):
            tangent_bound(*CYCLE, **options)


@HIDDEN
def test_best_points_are_tighter_than_theorem_1(hidden):
    W, a, b, _ = draw(0)
    best = tangent_bound(W, a, b, hidden).average.log_partition
    assert best < rn.RBM(W, a, b, hidden=hidden).log_partition(exact=False) - 0.1


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


def test_the_squares_are_the_derivatives_in_the_slopes():
    """Less the square of the point, half of it a slope; central differences as above."""
    W, a, b, points = draw(3)
    _, squares = tangent_average(W, a, b, points, rn.Bernoulli())
    for i in range(D):
        values, slopes = [], []
        for step in (1e-6, -1e-6):
            moved = points.copy()
            moved[i] += step
            values.append(tangent_average(W, a, b, moved, rn.Bernoulli())[0].log_partition)
            slopes.append(np.tanh(moved[i]) / moved[i])
        derivative = (values[0] - values[1]) / (slopes[0] - slopes[1])
        assert derivative == pytest.approx(0.5 * (squares[i] - points[i] ** 2), rel=1e-5, abs=1e-5)


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
