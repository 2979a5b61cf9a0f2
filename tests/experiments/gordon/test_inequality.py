"""Gordon's inequality judged on draws, and the covariances it compares."""

import itertools

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import kstwobign

from rbmnotes.experiments.gordon.inequality import (
    band,
    covariance_difference,
    distribution,
    excesses,
    first_refuted,
)


def test_band_is_the_tail_of_kolmogorovs_law():
    """Massart's constant is the leading term of the limit: the rest is a relative (p / 2)^3."""
    for count in (50, 1000):
        expected = kstwobign.isf(0.01) / np.sqrt(count)
        assert band(count) == pytest.approx(expected, rel=1e-7)
    assert band(200, 0.1) < band(200, 0.01) == 2 * band(800, 0.01)


def test_distribution_is_a_share():
    values, t = np.array([0.3, -1.0, 0.3, 2.0]), np.array([[-2.0, -1.0], [0.3, 5.0]])
    np.testing.assert_array_equal(distribution(values, t), [[0.0, 0.25], [0.75, 1.0]])


def test_excesses_by_counting():
    rng = np.random.default_rng(0)
    problem, auxiliary = rng.standard_normal(120), 0.4 + 0.5 * rng.standard_normal(200)
    width = np.sqrt(np.log(200) / 240) + 2 * np.sqrt(np.log(200) / 400)
    lower, upper = [], []
    for t in (*problem, *auxiliary):
        lower.append(np.mean(problem <= t) - 2 * np.mean(auxiliary <= t))
        upper.append(np.mean(problem > t) - 2 * np.mean(auxiliary > t))
    # a difference of a few shares: round-off
    assert excesses(problem, auxiliary) == pytest.approx(
        (max(lower) - width, max(upper) - width), abs=1e-12
    )


def test_excesses_tell_the_sides_apart():
    values = np.linspace(0.0, 1.0, 400)
    assert max(excesses(values, values)) < 0
    found = excesses(values - 2.0, values)
    assert found.lower > 0 > found.upper
    found = excesses(values + 2.0, values)
    assert found.upper > 0 > found.lower


def test_first_refuted_shift_of_uniform_draws():
    # with both uniform and a shift s the largest excess is s, where the shifted draws begin
    values, shifts = np.linspace(0.0, 1.0, 2001), np.linspace(0.0, 0.5, 51)
    width = 3 * band(2001)  # 0.1092: further from a shift than the functions' steps of 1/2001
    found = first_refuted(values, values, shifts)
    assert found == shifts[shifts > width][0]
    assert np.isnan(first_refuted(values, values, [0.0, 0.5 * width]))


def test_corners_of_the_simplex_against_the_sphere():
    """With f on the sphere Phi + G3 is stochastically larger than phi; in the ball it is not.

    One sample, two corners, 100 000 draws; the bands are uniform at level 0.01 each.
    """
    rng, runs = np.random.default_rng(0), 100_000
    shortest = np.abs(rng.standard_normal((runs, 2))).min(axis=1)
    sphere = np.abs(rng.standard_normal(runs)) + rng.standard_normal((runs, 2)).min(axis=1)
    ball = np.maximum(sphere, 0.0)
    t, width = np.linspace(-4, 4, 801), 2 * band(runs)
    moved = distribution(shortest + rng.standard_normal(runs), t)
    assert np.max(moved - distribution(sphere, t)) < width
    assert np.max(moved - distribution(ball, t)) > 0.3
    error = 5 / np.sqrt(runs)
    assert shortest.mean() > sphere.mean() + error
    assert shortest.mean() < ball.mean() - error  # the means are 0.469 and 0.532


def plain_difference(F, other_F, W, other_W):
    A, B = (sqrtm(S.T @ S).real for S in (F, W))
    other_A, other_B = (sqrtm(S.T @ S).real for S in (other_F, other_W))
    return np.trace((A @ other_A - F.T @ other_F) @ (other_B @ B - other_W.T @ W))


def test_two_units_break_the_comparison():
    """Remark 1: the difference of the covariances has both signs for two units, never for one."""
    first, shear = np.eye(2), np.array([[1.0, 1.0], [0.0, 1.0]])
    points = list(itertools.product((first, shear, shear.T, -first), repeat=4))
    values = [covariance_difference(*matrices) for matrices in points]
    # a root of a matrix of order one: 1e-8 where an eigenvalue vanishes, which none does here
    np.testing.assert_allclose(values, [plain_difference(*p) for p in points], atol=1e-10)
    assert min(values) < -0.01
    assert max(values) > 0.01


def test_one_unit_keeps_the_comparison():
    rng = np.random.default_rng(1)
    for _ in range(300):
        points = rng.standard_normal((4, 5, 1))
        f, other_f, w, other_w = points[:, :, 0]
        norms = np.linalg.norm(points, axis=1)[:, 0]
        # the product in the proof of the lemma
        expected = (norms[0] * norms[1] - f @ other_f) * (norms[2] * norms[3] - w @ other_w)
        found = covariance_difference(*points)
        assert found == pytest.approx(expected, abs=1e-11)
        assert found > -1e-12
