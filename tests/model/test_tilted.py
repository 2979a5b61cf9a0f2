"""The compiled kernels of the tilted family against the priors' own methods."""

import numpy as np
import pytest

from rbmnotes import Bernoulli, Discrete, Gaussian, Rademacher
from rbmnotes.model.tilted import law_arrays, tilted_log_mgf, tilted_moments
from tests.laws import SKEWED, TERNARY

FAR_FOUR = Discrete((-3.0, -0.2, 0.1, 1.5), (0.1, 0.3, 0.4, 0.2))
PRIORS = {
    "Rademacher": Rademacher(),
    "Bernoulli": Bernoulli(),
    "ternary": TERNARY,
    "skewed": SKEWED,
    "four points": FAR_FOUR,
    "Gaussian": Gaussian(),
}
# around zero, over the range of a run, and so far out that a careless exponential overflows
FIELDS = np.concatenate(
    [np.linspace(-12.0, 12.0, 97), [0.0, 1e-300, -1e-12, 60.0, -60.0, 800.0, -800.0, 1e6, -1e6]]
)


def kernel_moments(prior, fields):
    law = law_arrays(prior)
    return np.array([tilted_moments(z, *law) for z in fields]).T


@pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
def test_moments_are_the_priors(prior):
    # round-off of sums over the support: 1e-14 times the square of its largest point (at most 9)
    mean, variance = kernel_moments(prior, FIELDS)
    np.testing.assert_allclose(mean, prior.tilted_mean(FIELDS), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(variance, prior.tilted_variance(FIELDS), rtol=1e-13, atol=1e-13)
    assert np.all(variance >= 0)


@pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
def test_log_mgf_is_the_priors(prior):
    law = law_arrays(prior)
    values = [tilted_log_mgf(z, *law) for z in FIELDS]
    # relative to the size of the terms, |z| times the support: at z = 0 they cancel to zero
    np.testing.assert_allclose(values, prior.log_mgf(FIELDS), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("prior", [Rademacher(), Bernoulli(), SKEWED], ids=repr)
def test_small_variances_of_two_points_keep_their_relative_precision(prior):
    # p (1 - p) width^2 with log(p / (1 - p)) = width z + log odds: no cancellation in the tails
    low, high = prior.support
    fields = np.array([-100.0, -30.0, 20.0, 35.0, 150.0])
    odds = (high - low) * fields + np.log(prior.probabilities[1] / prior.probabilities[0])
    expected = (high - low) ** 2 * np.exp(-np.abs(odds) - 2 * np.log1p(np.exp(-np.abs(odds))))
    # the exponential passes on the round-off of an exponent of up to 400
    np.testing.assert_allclose(kernel_moments(prior, fields)[1], expected, rtol=1e-12)


@pytest.mark.parametrize("prior", [Rademacher(), Bernoulli(), TERNARY, SKEWED, FAR_FOUR], ids=repr)
def test_derivatives_chain(prior):
    # mean = (log mgf)', variance = mean'; step 1e-5 leaves 1e-10 of truncation, 1e-11 of round-off
    law, step = law_arrays(prior), 1e-5
    for z in np.linspace(-3.0, 3.0, 13):
        mean, variance = tilted_moments(z, *law)
        up, down = z + step, z - step
        slope = (tilted_log_mgf(up, *law) - tilted_log_mgf(down, *law)) / (2 * step)
        assert slope == pytest.approx(mean, abs=2e-9)
        slope = (tilted_moments(up, *law)[0] - tilted_moments(down, *law)[0]) / (2 * step)
        assert slope == pytest.approx(variance, abs=2e-9)


def test_the_gaussian_is_passed_as_empty_arrays():
    points, log_weights = law_arrays(Gaussian())
    assert points.shape == log_weights.shape == (0,)
    assert tilted_moments(1.7, points, log_weights) == (1.7, 1.0)
    assert tilted_log_mgf(3.0, points, log_weights) == 4.5


def test_largest_variances_known_in_closed_form():
    assert Rademacher().max_tilted_variance == 1.0
    assert Bernoulli().max_tilted_variance == 0.25
    assert Gaussian().max_tilted_variance == 1.0
    assert SKEWED.max_tilted_variance == pytest.approx(2.5**2 / 4, rel=1e-15)
    # this ternary unit is the sum of two independent signs over the square root of two
    assert TERNARY.max_tilted_variance == pytest.approx(1.0, rel=1e-12)
    assert Discrete((3.0,), (1.0,)).max_tilted_variance == 0.0


@pytest.mark.parametrize(
    "prior",
    [
        FAR_FOUR,
        Discrete((-1.0, 0.0, 1.0), (0.1, 0.8, 0.1)),
        Discrete((-np.sqrt(20.0), 0.0, np.sqrt(20.0)), (0.025, 0.95, 0.025)),
        Discrete((-1.0, 0.0, 1.0), (1e-9, 1 - 2e-9, 1e-9)),
        Discrete((0.0, 1.0, 2.0, 50.0), (0.97, 0.01, 0.01, 0.01)),
        Discrete((0.0, 1e-3, 1.0), (0.98, 0.01, 0.01)),
    ],
    ids=repr,
)
def test_largest_variance_against_a_dense_scan(prior):
    # The tilted law passes from point i to point j around z = log(p_i / p_j) / (x_j - x_i), over
    # a range of a few 1 / (x_j - x_i). The scan's step leaves a relative error of 1e-8.
    points, logs = np.array(prior.support), np.log(prior.probabilities)
    largest = 0.0
    for i in range(len(points)):
        for j in range(i + 1, len(points)):
            gap = points[j] - points[i]
            scan = ((logs[i] - logs[j]) + np.linspace(-40.0, 40.0, 200_001)) / gap
            exponents = logs + scan[:, None] * points
            weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            centred = points - (weights @ points)[:, None]
            largest = max(largest, np.sum(weights * centred**2, axis=1).max())
    assert prior.max_tilted_variance == pytest.approx(largest, rel=1e-7)
