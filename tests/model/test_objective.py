import itertools

import numpy as np
import pytest
from scipy.special import logsumexp

from rbmnotes import (
    Bernoulli,
    Gaussian,
    Rademacher,
    eta1,
    eta1_gradient,
    eta1_hessian,
    eta2,
    eta2_moments,
    loss,
    loss_gradient,
)
from tests.helpers import central_difference, enumerate_states
from tests.laws import FOUR, SKEWED, UNEVEN, WIDE_TERNARY

DISCRETE = [Rademacher(), Bernoulli(), WIDE_TERNARY, FOUR, SKEWED, UNEVEN]
ALL = [*DISCRETE, Gaussian()]


def random_overlap(k, seed=0):
    """A matrix that is neither symmetric nor positive."""
    return np.random.default_rng(seed).standard_normal((k, k))


def plain_moments(Q, states, log_probabilities, field):
    """eta2, <h> and <hh^T> by the definition, state by state."""
    log_weights = log_probabilities + 0.5 * np.einsum("sa,ab,sb->s", states, Q, states)
    log_weights = log_weights + states @ field
    value = logsumexp(log_weights)
    weights = np.exp(log_weights - value)
    return value, weights @ states, np.einsum("s,sa,sb->ab", weights, states, states)


def assert_same_moments(moments, expected, tolerance):
    for actual, reference in zip(
        (moments.eta2, moments.mean, moments.second), expected, strict=True
    ):
        np.testing.assert_allclose(actual, reference, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("prior", DISCRETE, ids=repr)
@pytest.mark.parametrize("k", range(1, 9))
@pytest.mark.parametrize("with_field", [False, True])
def test_eta2_moments_match_plain_enumeration(prior, k, with_field):
    # 1e-11: sums of up to 65536 weights, exponents up to some tens
    Q = random_overlap(k, seed=k)
    field = np.random.default_rng(99).standard_normal(k) if with_field else np.zeros(k)
    states, probabilities = enumerate_states(prior, k)
    expected = plain_moments(Q, states, np.log(probabilities), field)
    moments = eta2_moments(Q, prior, field if with_field else None)
    assert_same_moments(moments, expected, 1e-11)
    assert eta2(Q, prior, field if with_field else None) == moments.eta2


@pytest.mark.parametrize("prior", ALL, ids=repr)
@pytest.mark.parametrize("with_field", [False, True])
def test_second_moment_is_twice_the_derivative(prior, with_field):
    # step 1e-5: truncation and round-off both near 1e-10
    Q = 0.2 * random_overlap(3, seed=4)
    field = np.array([0.3, -0.5, 0.2]) if with_field else None
    moments = eta2_moments(Q, prior, field)
    slope = central_difference(lambda q: eta2(q, prior, field), Q)
    np.testing.assert_allclose(2 * slope, moments.second, atol=1e-8)


@pytest.mark.parametrize("prior", ALL, ids=repr)
def test_mean_is_the_derivative_with_respect_to_the_field(prior):
    Q, field = 0.2 * random_overlap(3, seed=5), np.array([0.3, -0.5, 0.2])
    slope = central_difference(lambda f: eta2(Q, prior, f), field)
    np.testing.assert_allclose(slope, eta2_moments(Q, prior, field).mean, atol=1e-8)


@pytest.mark.parametrize("field", [None, [0.6], [-1.1]])
@pytest.mark.parametrize("q", [-2.0, 0.0, 0.5, 0.8])
def test_gaussian_eta2_against_quadrature_one_unit(q, field):
    # the trapezoidal rule for a Gaussian-like weight is exact to round-off; its width at q = 0.8
    # is 2.2, its centre at most 5.5: thirteen widths on either side
    h, step = np.linspace(-36, 36, 14401, retstep=True)
    f = 0.0 if field is None else field[0]
    weights = step * np.exp(-0.5 * (1 - q) * h**2 + f * h) / np.sqrt(2 * np.pi)
    total = weights.sum()
    expected = np.log(total), [weights @ h / total], [[weights @ h**2 / total]]
    assert_same_moments(eta2_moments([[q]], Gaussian(), field), expected, 1e-11)


@pytest.mark.parametrize("field", [[0.0, 0.0], [0.6, -1.1]])
def test_gaussian_eta2_against_quadrature_two_units(field):
    # as above: the largest eigenvalue 0.6 of Q's symmetric part gives the width 1.6
    Q = np.array([[0.5, 0.7], [-0.2, -0.4]])
    axis, step = np.linspace(-20, 20, 801, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    log_density = -0.5 * (grid**2).sum(axis=1) - np.log(2 * np.pi)
    expected = plain_moments(Q, grid, log_density + 2 * np.log(step), np.array(field))
    assert_same_moments(eta2_moments(Q, Gaussian(), field), expected, 1e-10)


@pytest.mark.parametrize("prior", [Rademacher(), Bernoulli(), WIDE_TERNARY, UNEVEN], ids=repr)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_large_overlaps_do_not_overflow(prior, sign):
    # values of order 1e4 carry an error of 1e-12 relative; moments are then those of few states
    Q = random_overlap(5, seed=6)
    Q *= sign * 1000.0 / np.linalg.norm(Q)
    states, probabilities = enumerate_states(prior, 5)
    expected = plain_moments(Q, states, np.log(probabilities), np.zeros(5))
    assert_same_moments(eta2_moments(Q, prior), expected, 1e-10)


@pytest.mark.parametrize("with_field", [False, True])
def test_twenty_units_match_a_chunked_enumeration(with_field):
    # 2**20 terms: both sums are good to about 1e-13, so 1e-10 relative leaves room
    k, low_bits = 20, 12
    rng = np.random.default_rng(8)
    Q = rng.standard_normal((k, k)) / np.sqrt(k)
    Q = Q.T @ Q
    field = 0.3 * rng.standard_normal(k) if with_field else np.zeros(k)
    low = np.array(list(itertools.product((-1.0, 1.0), repeat=low_bits)))
    total, mean, second = 0.0, np.zeros(k), np.zeros((k, k))
    offset = 0.5 * np.trace(Q)  # keeps the plain exponentials in range
    for high in itertools.product((-1.0, 1.0), repeat=k - low_bits):
        h = np.column_stack([np.tile(high, (len(low), 1)), low])
        weights = np.exp(0.5 * np.sum((h @ Q) * h, axis=1) + h @ field - offset)
        total += weights.sum()
        mean += weights @ h
        second += h.T @ (weights[:, None] * h)
    moments = eta2_moments(Q, Rademacher(), field if with_field else None)
    expected = np.log(total) + offset - k * np.log(2)
    assert moments.eta2 == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(moments.mean, mean / total, rtol=0, atol=1e-10)
    np.testing.assert_allclose(moments.second, second / total, rtol=0, atol=1e-10)


def test_units_can_attract_although_their_overlap_is_positive():
    # the three-unit counterexample to "the penalty repels", by the eight states themselves
    Q = np.array([[2.0, 0.1, 1.0], [0.1, 2.0, -1.0], [1.0, -1.0, 2.0]])
    states = np.array(list(itertools.product((-1, 1), repeat=3)))
    weights = np.exp(0.5 * np.einsum("sa,ab,sb->s", states, Q, states))
    expected = weights @ (states[:, 0] * states[:, 1]) / weights.sum()
    second = eta2_moments(Q).second
    assert second[0, 1] == pytest.approx(expected, abs=1e-14)
    assert second[0, 1] == pytest.approx(-0.51, abs=0.005)  # two printed digits


@pytest.mark.parametrize("overlap", [-0.8, -0.1, 0.1, 0.8])
@pytest.mark.parametrize("prior", [Rademacher(), WIDE_TERNARY, FOUR], ids=repr)
def test_two_units_are_pushed_apart(overlap, prior):
    # by finite differences of eta2: the penalty rises with |Q_12|
    def penalty(q):
        return eta2([[1.3, q], [q, 0.7]], prior)

    slope = (penalty(overlap + 1e-4) - penalty(overlap - 1e-4)) / 2e-4
    assert np.sign(slope) == np.sign(overlap)


@pytest.mark.parametrize("prior", DISCRETE, ids=repr)
def test_eta1_and_derivatives_against_enumeration(prior):
    z = np.random.default_rng(1).standard_normal((4, 3))
    states, probabilities = enumerate_states(prior, 3)
    weights = probabilities * np.exp(z @ states.T)
    total = weights.sum(axis=1)
    mean = weights @ states / total[:, None]
    variance = weights @ states**2 / total[:, None] - mean**2
    np.testing.assert_allclose(eta1(z, prior), np.log(total), atol=1e-13)
    np.testing.assert_allclose(eta1_gradient(z, prior), mean, atol=1e-13)
    np.testing.assert_allclose(eta1_hessian(z, prior), variance, atol=1e-12)


def test_eta1_closed_forms():
    z = np.array([[0.3, -2.0], [1.1, 0.0]])
    np.testing.assert_allclose(eta1(z), np.log(np.cosh(z)).sum(axis=1), atol=1e-14)
    np.testing.assert_allclose(
        eta1(z, Bernoulli()), np.log((1 + np.exp(z)) / 2).sum(axis=1), atol=1e-14
    )
    np.testing.assert_allclose(eta1(z, Gaussian()), 0.5 * (z**2).sum(axis=1), atol=1e-14)
    assert eta1(z[0]) == pytest.approx(np.log(np.cosh(z[0])).sum(), abs=1e-14)


def data_and_parameters(n=7, d=5, k=3, seed=2):
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal((n, d)),
        0.8 * rng.standard_normal((d, k)),
        rng.standard_normal(d),
        rng.standard_normal(k),
    )


def plain_loss(X, W, prior, a, b):
    """-(1/d) log of the effective likelihood, from its definition, by enumeration."""
    n, d = X.shape
    states, probabilities = enumerate_states(prior, W.shape[1])
    field = states @ W.T + a
    penalty = logsumexp((field**2).sum(axis=1) / (2 * d) + states @ b, b=probabilities)
    clamped = logsumexp(X @ field.T / np.sqrt(d) + states @ b, b=probabilities, axis=1)
    return (n * penalty - clamped.sum()) / d


@pytest.mark.parametrize("prior", DISCRETE, ids=repr)
@pytest.mark.parametrize("biases", ["none", "visible", "hidden", "both"])
def test_loss_matches_its_definition(prior, biases):
    X, W, a, b = data_and_parameters()
    a = a if biases in ("visible", "both") else None
    b = b if biases in ("hidden", "both") else None
    zero_or = lambda value, size: np.zeros(size) if value is None else value  # noqa: E731
    expected = plain_loss(X, W, prior, zero_or(a, 5), zero_or(b, 3))
    assert loss(X, W, prior, a, b) == pytest.approx(expected, rel=1e-12)


def test_loss_of_gaussian_units_without_biases():
    # eta1 = |z|^2/2, eta2 = -log det(1 - Q)/2
    X, W, _, _ = data_and_parameters()
    W *= 0.4
    n, d = X.shape
    penalty = -0.5 * np.linalg.slogdet(np.eye(3) - W.T @ W / d)[1]
    expected = (n * penalty - 0.5 * np.sum((X @ W) ** 2) / d) / d
    assert loss(X, W, Gaussian()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("prior", ALL, ids=repr)
@pytest.mark.parametrize("with_biases", [False, True])
def test_loss_gradient_is_d_times_the_derivative(prior, with_biases):
    # step 1e-5 on values of order ten: 1e-9 from truncation and round-off
    X, W, a, b = data_and_parameters()
    W = 0.4 * W
    if not with_biases:
        a = b = None
    slope = central_difference(lambda w: loss(X, w, prior, a, b), W)
    np.testing.assert_allclose(loss_gradient(X, W, prior, a, b), X.shape[1] * slope, atol=1e-7)


def test_no_weights_no_loss():
    # P_h alone is normalised, so L = 0; symmetric units also have no gradient there
    X, W, _, _ = data_and_parameters()
    for prior in ALL:
        assert loss(X, 0 * W, prior) == pytest.approx(0.0, abs=1e-14)
    np.testing.assert_allclose(loss_gradient(X, 0 * W), 0.0, atol=1e-15)
    assert np.abs(loss_gradient(X, 0 * W, Bernoulli())).max() > 0.1
