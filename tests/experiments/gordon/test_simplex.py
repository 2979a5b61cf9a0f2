"""The toy for Gordon's inequality: distances to convex hulls, and the auxiliary minimum."""

import numpy as np
import pytest
from scipy.optimize import minimize

from rbmnotes.experiments.gordon import simplex


def least_on_simplex(objective, d):
    """Minimise over the simplex, from its centre and from every corner."""
    starts = [np.full(d, 1 / d), *(0.9 * np.eye(d) + 0.1 / d)]
    constraint = {"type": "eq", "fun": lambda w: w.sum() - 1}
    return min(
        minimize(
            objective,
            start,
            method="SLSQP",
            bounds=[(0, 1)] * d,
            constraints=constraint,
            options={"ftol": 1e-14, "maxiter": 500},
        ).fun
        for start in starts
    )


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([[1.0, 1.0], [1.0, -1.0]], 1.0),
        ([[3.0, 0.0], [0.0, 4.0]], 2.4),  # height of a right-angled triangle
        ([[2.0, 1.0], [4.0, 1.0]], np.sqrt(5.0)),  # nearest at a corner
        ([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]], 0.0),  # the origin is inside
    ],
)
def test_distances_known_from_geometry(columns, expected):
    # the condition on the sum has a weight of 1e4: relative errors of 1e-8
    found = simplex.distance_to_hull(np.array(columns).T)
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_distance_by_descent_on_the_simplex(seed):
    Z = np.random.default_rng(seed).standard_normal((9, 4))
    squared = least_on_simplex(lambda w: np.sum((Z @ w) ** 2), 4)
    # SLSQP stops at 1e-14 of the square; the weight of the condition on the sum gives 1e-8
    assert simplex.distance_to_hull(Z) == pytest.approx(np.sqrt(squared), rel=1e-6)


def test_auxiliary_value_by_descent_on_the_simplex():
    rng = np.random.default_rng(4)
    lengths, G2 = np.array([0.0, 0.3, 1.0, 3.0, 10.0]), rng.standard_normal((5, 4))
    found = simplex.auxiliary_of_hull(lengths, G2)
    for value, length, row in zip(found, lengths, G2, strict=True):

        def objective(w, length=length, row=row):
            return np.linalg.norm(w) * length + row @ w

        expected = max(0.0, least_on_simplex(objective, 4))
        # heights are four per cent apart, at worst two from the best one: a relative error of the
        # square of that, above the minimum; and the first is 1e-3 above a corner
        assert expected - 1e-9 <= value <= expected + 1e-3 * max(1.0, length)
    assert found[0] == 0.0 < found[-1]


def test_auxiliary_value_without_a_preferred_direction():
    assert simplex.auxiliary_of_hull(np.array([3.0]), np.zeros((1, 9))) == pytest.approx(1.0)


def test_both_sets_are_drawn_from_the_same_gaussians():
    values = simplex.draw_values(200, 30, 8, np.random.default_rng(0))
    hull, corners = values["simplex"], values["corners"]
    # a minimum over the corners is no smaller than one over the simplex, draw by draw
    assert np.all(hull.problem <= corners.problem + 1e-9)
    assert np.all(hull.auxiliary <= corners.auxiliary + 1e-3)
    # length of a column: the square is chi-squared with 30 degrees of freedom, the least of eight
    squares = np.random.default_rng(1).chisquare(30, (100_000, 8)).min(axis=1)
    error = np.sqrt(squares).std() / np.sqrt(200)
    assert abs(corners.problem.mean() - np.sqrt(squares).mean()) < 4 * error
    # and of the auxiliary: sqrt(chi-squared) plus the least of eight normal numbers
    rng = np.random.default_rng(2)
    sums = np.sqrt(rng.chisquare(30, 100_000)) + rng.standard_normal((100_000, 8)).min(axis=1)
    assert abs(corners.auxiliary.mean() - sums.mean()) < 4 * sums.std() / np.sqrt(200)
