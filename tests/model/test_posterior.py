"""Posteriors of rows: against plain sums over states, closed forms and derivatives."""

import tracemalloc

import numpy as np
import pytest
from scipy.special import logsumexp

import rbmnotes.model.posterior as module
from rbmnotes import Gaussian, Rademacher
from rbmnotes.model.posterior import check_row_states, row_posteriors
from tests.helpers import central_difference, enumerate_states
from tests.laws import SKEWED, TERNARY

DISCRETE = [Rademacher(), TERNARY, SKEWED]


def problem(rows, r, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((r, r))
    return 2.0 * scale * rng.standard_normal((rows, r)), scale * root @ root.T


def plain(field, precision, prior):
    """The definition, state by state."""
    states, probabilities = enumerate_states(prior, len(precision))
    quadratic = np.array([state @ precision @ state for state in states])
    logs = np.log(probabilities) - 0.5 * quadratic + field @ states.T
    totals = logsumexp(logs, axis=1)
    weights = np.exp(logs - totals[:, None])
    mean = weights @ states
    second = np.einsum("ms,sa,sb->ab", weights, states, states) / len(field)
    return mean, second - mean.T @ mean / len(field), totals.sum()


@pytest.mark.parametrize("prior", DISCRETE, ids=repr)
@pytest.mark.parametrize("r", [1, 2, 3, 5])
@pytest.mark.parametrize("direct", [False, True])
def test_against_a_sum_over_states(prior, r, direct, monkeypatch):
    # by halves, and with an exponential for every joint state; blocks of a few rows
    if direct:
        monkeypatch.setattr(module, "MAX_COUPLING", -1.0)
    monkeypatch.setattr(module, "BLOCK", 64)
    field, precision = problem(37, r)
    found, expected = row_posteriors(field, precision, prior), plain(field, precision, prior)
    np.testing.assert_allclose(found.mean, expected[0], atol=1e-13)
    np.testing.assert_allclose(found.covariance, expected[1], atol=1e-13)
    assert found.log_normalisation == pytest.approx(expected[2], rel=1e-13)


def test_ten_signs_against_a_sum_over_states():
    field, precision = problem(20, 10, scale=0.3)
    found, expected = (
        row_posteriors(field, precision, Rademacher()),
        plain(field, precision, Rademacher()),
    )
    np.testing.assert_allclose(found.mean, expected[0], atol=1e-12)
    np.testing.assert_allclose(found.covariance, expected[1], atol=1e-12)
    assert found.log_normalisation == pytest.approx(expected[2], rel=1e-12)


@pytest.mark.parametrize("prior", DISCRETE, ids=repr)
@pytest.mark.parametrize("scale", [30.0, 60.0, 300.0])
def test_strong_couplings_neither_under_nor_overflow(prior, scale):
    # nearly equal columns: the log weights between the halves range over hundreds, on both sides of
    # where the halves are given up
    r = 4
    precision = scale * (np.ones((r, r)) + 0.1 * np.eye(r))
    field = scale * np.random.default_rng(0).standard_normal((30, r))
    found, expected = row_posteriors(field, precision, prior), plain(field, precision, prior)
    np.testing.assert_allclose(found.mean, expected[0], atol=1e-11)
    np.testing.assert_allclose(found.covariance, expected[1], atol=1e-11)
    assert found.log_normalisation == pytest.approx(expected[2], rel=1e-12)


@pytest.mark.parametrize("prior", [*DISCRETE, Gaussian()], ids=repr)
def test_moments_are_derivatives_of_the_normalisation(prior):
    # of log Z: the mean along the field, -1/2 the second moment along the precision; central
    # differences with step 1e-5 are good to 1e-9
    field, precision = problem(5, 3)
    found = row_posteriors(field, precision, prior)
    gradient = central_difference(
        lambda b: row_posteriors(b, precision, prior).log_normalisation, field
    )
    np.testing.assert_allclose(found.mean, gradient, atol=1e-8)
    second = found.covariance + found.mean.T @ found.mean / 5
    for a, b in ((0, 0), (0, 1), (2, 1)):
        step = np.zeros((3, 3))
        step[a, b] += 1e-5
        step[b, a] += 1e-5
        up, down = (
            row_posteriors(field, precision + sign * step, prior).log_normalisation
            for sign in (1, -1)
        )
        assert (up - down) / 2e-5 == pytest.approx(-5 * second[a, b], abs=1e-7)


def test_gaussian_closed_form():
    field, precision = problem(6, 2)
    found = row_posteriors(field, precision, Gaussian())
    covariance = np.linalg.inv(np.eye(2) + precision)
    np.testing.assert_allclose(found.mean, field @ covariance, atol=1e-13)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-14)
    # the integral itself, one row, on a grid: the trapezoidal rule is exact for Gaussians
    axis = np.arange(-12, 12, 0.05)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    quadratic = 0.5 * np.sum(grid @ (precision + np.eye(2)) * grid, axis=1)
    value = logsumexp(grid @ field[0] - quadratic) + np.log(0.05**2 / (2 * np.pi))
    one = row_posteriors(field[:1], precision, Gaussian())
    assert one.log_normalisation == pytest.approx(value, abs=1e-10)


@pytest.mark.parametrize("prior", [*DISCRETE, Gaussian()], ids=repr)
def test_one_signal_is_the_scalar_posterior(prior):
    field, a = np.linspace(-5, 5, 21), 1.7
    found = row_posteriors(field[:, None], np.array([[a]]), prior)
    np.testing.assert_allclose(found.mean[:, 0], prior.posterior_mean(field, a), atol=1e-14)
    if isinstance(prior, Rademacher):
        np.testing.assert_allclose(found.mean[:, 0], np.tanh(field), atol=1e-14)
        assert found.covariance[0, 0] == pytest.approx(np.mean(1 / np.cosh(field) ** 2), abs=1e-14)
        value = np.sum(np.log(np.cosh(field)) - 0.5 * a)
        assert found.log_normalisation == pytest.approx(value, rel=1e-13)


def test_no_field_and_no_precision_is_the_prior():
    for prior in (*DISCRETE, Gaussian()):
        found = row_posteriors(np.zeros((3, 2)), np.zeros((2, 2)), prior)
        np.testing.assert_allclose(found.mean, prior.mean, atol=1e-15)
        np.testing.assert_allclose(found.covariance, np.eye(2) * prior.variance, atol=1e-14)
        assert found.log_normalisation == pytest.approx(0.0, abs=1e-14)


@pytest.mark.parametrize("direct", [False, True])
def test_memory_is_bounded_by_blocks(direct, monkeypatch):
    # 20000 rows of 1024 states would take 160 MB; a few tables of one MB and the rows themselves
    if direct:
        monkeypatch.setattr(module, "MAX_COUPLING", -1.0)
    field, precision = problem(20_000, 10, scale=0.1)
    row_posteriors(field, precision, Rademacher())
    tracemalloc.start()
    try:
        row_posteriors(field, precision, Rademacher())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < field.nbytes + 12e6


def test_too_many_states_are_refused_by_name():
    check_row_states(Rademacher(), 16, "model.prior_u")
    check_row_states(Gaussian(), 1000, "model.prior_u")
    message = r"^model\.prior_w must leave at most 65536 states of a row to sum over; got 2\*\*17$"
    with pytest.raises(ValueError, match=message):
        check_row_states(Rademacher(), 17, "model.prior_w")
