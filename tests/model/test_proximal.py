"""The proximal map against root finding."""

import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import softmax

from rbmnotes import Bernoulli, Gaussian, Rademacher
from rbmnotes.model.proximal import (
    proximal_map,
    proximal_sums,
    response_bound,
)
from tests.helpers import assert_threads_do_not_matter
from tests.laws import SKEWED, TERNARY

# prior, and the bound 1 / max variance in closed form (the ternary unit is two signs over sqrt 2)
PRIORS = {
    "Rademacher": (Rademacher(), 1.0),
    "Bernoulli": (Bernoulli(), 4.0),
    "ternary": (TERNARY, 1.0),
    "skewed": (SKEWED, 4.0 / 2.5**2),
    "Gaussian": (Gaussian(), 1.0),
}
UNITS = (1, 2, 3, 5)


def tilted(prior, z):
    """Mean and variance of a unit in the field z, summed over the support."""
    if isinstance(prior, Gaussian):
        return z, np.ones_like(z)
    points = np.array(prior.support)
    weights = softmax(np.log(prior.probabilities) + z[..., None] * points, axis=-1)
    mean = weights @ points
    return mean, np.sum(weights * (points - mean[..., None]) ** 2, axis=-1)


def solve_row(omega, V, prior):
    """The proximal point of one field by MINPACK's hybrid method, in steps towards V."""
    point = omega.copy()
    for share in (0.0, 0.9, 1.0):
        found = root(
            lambda z, V=share * V: z - omega - V @ tilted(prior, z)[0],
            point,
            jac=lambda z, V=share * V: np.eye(len(V)) - V * tilted(prior, z)[1],
            tol=1e-14,
        )
        point = found.x
    assert np.max(np.abs(found.fun)) < 1e-10 * max(1.0, np.abs(omega).max())
    return point


def response(kind, k, bound, seed):
    """A response matrix: nearly zero, typical, nearly at the bound, of rank one, or zero."""
    rng = np.random.default_rng([seed, k])
    axes = np.linalg.qr(rng.standard_normal((k, k)))[0]
    top = {"small": 1e-9, "typical": 0.6, "near": 0.999, "rank one": 0.9, "zero": 0.0}[kind]
    values = top * bound * rng.uniform(0.1, 1.0, k)
    values[0] = top * bound
    if kind == "rank one":
        values[1:] = 0.0
    V = (axes * values) @ axes.T
    return 0.5 * (V + V.T)


def fields(k, seed):
    """Fields small, typical, large, and far in the tails."""
    rng = np.random.default_rng([seed, k, 1])
    omega = rng.standard_normal((12, k)) * np.repeat([1e-3, 0.3, 2.0, 20.0], 3)[:, None]
    return np.vstack([omega, np.zeros(k), 1e3 * rng.standard_normal((2, k))])


# the proximal map -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["small", "typical", "near", "rank one", "zero"])
@pytest.mark.parametrize("k", UNITS)
@pytest.mark.parametrize(("prior", "bound"), PRIORS.values(), ids=PRIORS)
def test_proximal_map(prior, bound, k, kind):
    V, omega = response(kind, k, bound, seed=3), fields(k, seed=4)
    point = proximal_map(omega, V, prior)
    mean, variance = tilted(prior, point.z)
    scale = np.maximum(1.0, np.abs(omega).max(axis=1, keepdims=True))
    assert np.max(np.abs(point.z - omega - mean @ V) / scale) <= 1e-11
    np.testing.assert_allclose(point.g, mean, rtol=1e-13, atol=1e-13)
    # at 0.999 of the bound a residual of 1e-12 moves the solution by up to 1e-9
    expected = np.array([solve_row(row, V, prior) for row in omega])
    assert np.max(np.abs(point.z - expected) / scale) < 1e-8
    # (I - S V)^-1 S, of size up to 1/(1 - 0.999), from a condition number of 1000
    systems = np.eye(k) - variance[:, :, None] * V
    derivative = np.linalg.solve(systems, variance[:, :, None] * np.eye(k))
    largest = max(np.abs(derivative).max(), 1.0)
    assert np.max(np.abs(point.derivative - derivative)) < 1e-10 * largest
    np.testing.assert_array_equal(point.derivative, point.derivative.swapaxes(1, 2))


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(("prior", "bound"), PRIORS.values(), ids=PRIORS)
def test_derivative_against_finite_differences(prior, bound, k):
    # Step 1e-4: truncation h^2 g''' / 6, and g''' grows as (1 - 0.8)^-5 near the bound, about
    # 1e-5 in all; with Richardson's extrapolation 1e-8. Round-off is 1e-16 / 1e-4.
    V = response("typical", k, bound / 0.75, seed=5)
    omega = np.random.default_rng(6).standard_normal((10, k))
    derivative = proximal_map(omega, V, prior).derivative

    def slope(shift):
        difference = (
            proximal_map(omega + shift, V, prior).g - proximal_map(omega - shift, V, prior).g
        )
        return difference / (2 * shift.sum())

    for a in range(k):
        step = 1e-4 * np.eye(k)[a]
        expected = (4 * slope(step / 2) - slope(step)) / 3
        np.testing.assert_allclose(derivative[:, :, a], expected, atol=1e-7)


def test_one_unit_in_words():
    # z = omega + V tanh z (paper eq. 136): the field of the proximal point is explicit
    z = np.linspace(-5.0, 5.0, 41)[:, None]
    for V in (0.1, 0.7, 0.95):
        point = proximal_map(z - V * np.tanh(z), [[V]])
        np.testing.assert_allclose(point.z, z, atol=1e-11 / (1 - V))
        slope = 1 - np.tanh(z[:, 0]) ** 2
        expected = slope / (1 - V * slope)
        np.testing.assert_allclose(point.derivative[:, 0, 0], expected, rtol=1e-9)


def test_zero_response_leaves_the_fields_alone():
    omega = fields(2, seed=7)
    point = proximal_map(omega, np.zeros((2, 2)))
    np.testing.assert_array_equal(point.z, omega)
    np.testing.assert_allclose(point.g, np.tanh(omega), atol=1e-15)


def test_the_fields_are_not_changed():
    omega = fields(2, seed=8)
    kept = omega.copy()
    proximal_map(omega, response("typical", 2, 1.0, 9))
    np.testing.assert_array_equal(omega, kept)


@pytest.mark.parametrize(("prior", "bound"), PRIORS.values(), ids=PRIORS)
def test_response_bound(prior, bound):
    assert response_bound(prior) == pytest.approx(bound, rel=1e-12)
    omega = np.ones((3, 2))
    proximal_map(omega, np.diag([0.0, bound * (1 - 1e-9)]), prior)
    for value in (1.0, 1.3):
        with pytest.raises(ValueError, match=r"^V must have its eigenvalues in \[0, "):
            proximal_map(omega, np.diag([0.1, value * bound * (1 + 1e-11)]), prior)


def test_the_bound_is_on_the_eigenvalues():
    # every entry below one, the largest eigenvalue above it; and the other way round
    with pytest.raises(ValueError, match=r"^V must have its eigenvalues"):
        proximal_map(np.ones((3, 2)), [[0.6, 0.5], [0.5, 0.6]])
    proximal_map(np.ones((3, 2)), [[1.2, 0.5], [0.5, 1.2]], Bernoulli())
    with pytest.raises(ValueError, match=r"^V must have its eigenvalues"):
        proximal_map(np.ones((3, 2)), [[0.1, 0.2], [0.2, 0.1]])


# sums over rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 40, 64, 1000])
@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize(("prior", "bound"), PRIORS.values(), ids=PRIORS)
def test_sums_are_those_of_the_map(prior, bound, k, n):
    # n below, at and above the number of blocks; the sum's round-off is 1e-14 of its size
    V, omega = response("typical", k, bound, seed=1), np.random.default_rng(n).normal(0, 2, (n, k))
    expected = proximal_map(omega, V, prior)
    z = omega.copy()
    g, derivative = proximal_sums(omega, V, prior, z)
    np.testing.assert_array_equal(g, expected.g)
    np.testing.assert_array_equal(z, expected.z)
    total = expected.derivative.sum(axis=0)
    np.testing.assert_allclose(derivative, total, atol=1e-13 * np.abs(total).max())
    np.testing.assert_array_equal(derivative, derivative.T)


@pytest.mark.parametrize(("prior", "bound"), PRIORS.values(), ids=PRIORS)
def test_the_start_does_not_matter(prior, bound):
    # starts near and far end at the same point, at 0.999 of the bound to 1e-12 times 1000
    V, omega = response("near", 3, bound, seed=2), fields(3, seed=5)
    expected = proximal_map(omega, V, prior)
    rng = np.random.default_rng(0)
    scale = np.maximum(1.0, np.abs(omega).max(axis=1, keepdims=True))
    for z in (expected.z.copy(), np.zeros_like(omega), 50 * rng.standard_normal(omega.shape)):
        g, derivative = proximal_sums(omega, V, prior, z)
        assert np.max(np.abs(z - expected.z) / scale) < 1e-8
        np.testing.assert_allclose(g, expected.g, atol=1e-8 * scale.max())
        total = expected.derivative.sum(axis=0)
        np.testing.assert_allclose(derivative, total, rtol=1e-5, atol=1e-5 * np.abs(total).max())


def test_the_number_of_threads_does_not_matter():
    assert_threads_do_not_matter(
        """
        from rbmnotes import Rademacher
        from rbmnotes.model.proximal import proximal_sums

        omega = np.random.default_rng(0).normal(0, 2, (5001, 3))
        V = np.array([[0.5, 0.1, 0.0], [0.1, 0.4, -0.2], [0.0, -0.2, 0.6]])

        def results():
            z = omega.copy()
            return *proximal_sums(omega, V, Rademacher(), z), z
        """
    )
