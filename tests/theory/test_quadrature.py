"""Averages over the fields against integration in the field itself, with its proximal point."""

from functools import lru_cache
from itertools import pairwise, product

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import softmax

from rbmnotes import Bernoulli, Gaussian, Rademacher, proximal_map, response_bound
from rbmnotes.theory.moreau import FieldLaw
from rbmnotes.theory.quadrature import field_averages, line_averages
from tests.helpers import standard_scores
from tests.laws import SKEWED, TERNARY

# hidden law, and the bound on V in closed form
HIDDEN = {
    "Rademacher": (Rademacher(), 1.0),
    "Bernoulli": (Bernoulli(), 4.0),
    "ternary": (TERNARY, 1.0),
    "skewed": (SKEWED, 4.0 / 2.5**2),
    "Gaussian": (Gaussian(), 1.0),
}
SHARES = (0.0, 0.3, 0.7, 0.94)  # of the bound


def tilted(prior, z):
    """Log normalisation, mean and variance of a unit in the field z."""
    if isinstance(prior, Gaussian):
        return 0.5 * z * z, z, np.ones_like(z)
    points = np.array(prior.support)
    if len(points) == 2:  # centre and half width; the same sum, written for speed
        centre, half = points.mean(), 0.5 * np.ptp(points)
        shift = 0.5 * np.log(prior.probabilities[1] / prior.probabilities[0])
        sign = np.tanh(half * z + shift)
        norm = 0.5 * np.log(4 * np.prod(prior.probabilities))
        log_mgf = centre * z + norm + np.logaddexp(half * z + shift, -half * z - shift) - np.log(2)
        return log_mgf, centre + half * sign, half**2 * (1 - sign**2)
    exponents = np.log(prior.probabilities) + z[..., None] * points
    peak = exponents.max(axis=-1)
    weights = softmax(exponents, axis=-1)
    mean = weights @ points
    variance = np.sum(weights * (points - mean[..., None]) ** 2, axis=-1)
    return peak + np.log(np.exp(exponents - peak[..., None]).sum(axis=-1)), mean, variance


def composite_rule(low, high, width, nodes):
    """Gauss-Legendre nodes and weights in panels of about the given width."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    edges = np.linspace(low, high, int(np.ceil((high - low) / width)) + 1)
    half = 0.5 * (edges[1] - edges[0])
    centres = 0.5 * (edges[1:] + edges[:-1])
    return (centres[:, None] + half * x).ravel(), np.tile(half * w, len(centres))


# one unit -------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def line_points(hidden, V, reach):
    """A rule in omega, and there eta1, g and g', the proximal point found by bisection.

    The nearest complex singularity of g lies at about 0.01 from the real axis for V = 0.94; panels
    of 0.02 with 16 nodes integrate that to 1e-12.
    """
    omega, weights = composite_rule(-reach, reach, 0.02, 16)
    if isinstance(hidden, Gaussian):
        z = omega / (1 - V)
    else:
        low, high = (omega + V * end for end in (hidden.support[0], hidden.support[-1]))
        for _ in range(60):
            middle = 0.5 * (low + high)
            below = middle - V * tilted(hidden, middle)[1] < omega
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        z = 0.5 * (low + high)
    eta1, g, slope = tilted(hidden, z)
    return omega, weights, eta1, g, slope / (1 - V * slope)


def line_reference(mean, variance, V, hidden):
    """E of 1, g, g^2, g', eta1, g'^2, omega g, integrated over omega."""
    # 9 standard deviations beyond the mean, rounded up so that the cache is used
    reach = np.ceil(abs(mean) + 9 * np.sqrt(variance))
    omega, weights, eta1, g, derivative = line_points(hidden, V, reach)
    density = weights * np.exp(-0.5 * (omega - mean) ** 2 / variance)
    density /= np.sqrt(2 * np.pi * variance)
    ones = np.ones_like(g)
    return [density @ f for f in (ones, g, g * g, derivative, eta1, derivative**2, omega * g)]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(("hidden", "bound"), HIDDEN.values(), ids=HIDDEN)
def test_line_against_integration_over_the_field(hidden, bound, share):
    for mean, variance in ((0.0, 1.0), (1.3, 0.6), (-2.0, 2.5), (0.4, 0.05)):
        V = share * bound
        expected = line_reference(mean, variance, V, hidden)
        averages = line_averages(mean, variance, V, hidden)
        np.testing.assert_array_less(
            np.abs(averages - expected), 1e-9 * np.maximum(1, np.abs(expected))
        )


@pytest.mark.parametrize("distance", [0.2, 1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("hidden", [Rademacher(), Bernoulli(), TERNARY, SKEWED], ids=repr)
def test_squared_derivative_near_the_bound(hidden, distance):
    # g'^2 has poles in z, where V eta1'' = 1, at about the root of the distance from the real axis
    V = (1 - distance) * response_bound(hidden)
    for signal, variance in ((1.3, 0.6), (0.2, 7.0)):
        squared = np.mean([line_averages(s, variance, V, hidden)[5] for s in (-signal, signal)])
        expected = FieldLaw(signal, variance, hidden, Rademacher()).squared_derivative(V)
        assert squared == pytest.approx(expected, rel=1e-8)
        # and directly: adaptive integration over z, told of the peak
        if hidden == Rademacher():

            def integrand(z, mean=signal, variance=variance):
                slope = 1 - np.tanh(z) ** 2
                omega = z - V * np.tanh(z)
                density = np.exp(-0.5 * (omega - mean) ** 2 / variance)
                return density / np.sqrt(2 * np.pi * variance) * slope**2 / (1 - V * slope)

            edges = [-40, -1, -np.sqrt(distance), 0, np.sqrt(distance), 1, 40]
            parts = [
                quad(integrand, a, b, epsabs=1e-12, epsrel=1e-11, limit=200)[0]
                for a, b in pairwise(edges)
            ]
            assert line_averages(signal, variance, V, hidden)[5] == pytest.approx(
                sum(parts), rel=1e-9
            )


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
@pytest.mark.parametrize(("hidden", "bound"), HIDDEN.values(), ids=HIDDEN)
def test_line_is_normalised(hidden, bound, share):
    # the rule knows its own error: its average of one, over all norms a run meets
    for variance in (1e-2, 0.3, 3.0, 100.0):
        assert line_averages(0.7, variance, share * bound, hidden)[0] == pytest.approx(1, abs=1e-11)


def test_line_without_a_response_is_a_plain_average():
    # V = 0: omega = z; for Gaussian units in closed form
    mean, variance = 0.7, 1.9
    expected = [1, mean, mean**2 + variance, 1, 0.5 * (mean**2 + variance), 1, mean**2 + variance]
    np.testing.assert_allclose(line_averages(mean, variance, 0.0, Gaussian()), expected, rtol=1e-12)


def test_pitfall_of_gauss_hermite():
    # theory.md: 201 Gauss-Hermite nodes in omega miss E[g'] near the bound, the rule in z does not
    V, variance = 0.95, 1.3
    nodes, weights = np.polynomial.hermite_e.hermegauss(201)
    points = proximal_map(np.sqrt(variance) * nodes[:, None], [[V]])
    naive = weights @ points.derivative[:, 0, 0] / weights.sum()
    exact = line_reference(0.0, variance, V, Rademacher())[3]
    assert abs(naive - exact) > 1e-3 * exact
    assert line_averages(0.0, variance, V, Rademacher())[3] == pytest.approx(exact, abs=1e-9)


# one unit and a latent variable -----------------------------------------------------------------


def quantities(average):
    """All entries in one vector: E[U g], E[g g], E[dg], E[eta1], E tr(dg dg)."""
    arrays = (average.ug, average.gg, average.derivative)
    return np.concatenate(
        [*(array.ravel() for array in arrays), [average.eta1, average.squared_derivative]]
    )


@pytest.mark.parametrize("prior_u", [Rademacher(), TERNARY, SKEWED], ids=repr)
@pytest.mark.parametrize("snr", [(1.4,), (1.4, 0.8)])
def test_discrete_latent_variables(prior_u, snr):
    # a mixture over the values of U, each integrated over omega
    M, q, V, hidden = np.array([[0.9], [-0.5]])[: len(snr)], 1.6, 0.6, Rademacher()
    expected = np.zeros(len(snr) + 4)
    law = list(zip(prior_u.support, prior_u.probabilities, strict=True))
    for state in product(law, repeat=len(snr)):
        u = np.array([value for value, _ in state])
        mean = float(u @ (np.array(snr) * M[:, 0]))
        _, g, gg, slope, eta1, squared, _ = line_reference(mean, q, V, hidden)
        weight = np.prod([probability for _, probability in state])
        expected += weight * np.array([*(u * g), gg, slope, eta1, squared])
    average = field_averages(M, np.array([[q]]), np.array([[V]]), np.array(snr), prior_u, hidden)
    np.testing.assert_allclose(quantities(average), expected, atol=1e-9)
    assert average.error == 0.0


@pytest.mark.parametrize("share", [0.3, 0.8])
@pytest.mark.parametrize("name", ["Rademacher", "skewed", "Gaussian"])
def test_gaussian_latent_variables(name, share):
    # U on 60 Gauss-Hermite points: the average over omega given U is smooth on the scale sqrt(q)
    hidden, bound = HIDDEN[name]
    M, q, V, snr = np.array([[0.9]]), 1.6, share * bound, np.array([1.2])
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    expected = np.zeros(5)
    for u, weight in zip(nodes, weights / weights.sum(), strict=True):
        if weight < 1e-16:
            continue
        mean = float(u * snr[0] * M[0, 0])
        # one range for all, so that the proximal points are found once
        omega, rule, eta1, g, derivative = line_points(hidden, V, 22.0)
        density = rule * np.exp(-0.5 * (omega - mean) ** 2 / q) / np.sqrt(2 * np.pi * q)
        parts = (u * g, g * g, derivative, eta1, derivative**2)
        expected += weight * np.array([density @ part for part in parts])
    average = field_averages(M, np.array([[q]]), np.array([[V]]), snr, Gaussian(), hidden)
    np.testing.assert_allclose(quantities(average), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("k", "tolerance"), [(1, 1e-11), (2, 1e-10)])
@pytest.mark.parametrize(("hidden", "bound"), HIDDEN.values(), ids=HIDDEN)
def test_gaussian_integration_by_parts(hidden, bound, k, tolerance):
    # for Gaussian U: E[U g^T] = Lambda M E[dg], near the bound and without symmetry
    M = np.array([[0.8, 0.3], [-0.2, 0.5]])[:, :k]
    Q = (M.T @ M + np.array([[0.9, 0.3], [0.3, 0.6]])[:k, :k])[:k, :k]
    axes = np.array([[0.8, -0.6], [0.6, 0.8]])
    share = 0.7 if isinstance(hidden, Gaussian) else 0.94  # their grid grows as 1 / (1 - share)
    V = bound * (share * np.eye(1) if k == 1 else (axes * [share, 0.5]) @ axes.T)
    snr = np.array([1.5, 0.9])
    average = field_averages(M, Q, V, snr, Gaussian(), hidden)
    expected = snr[:, None] * M @ average.derivative
    np.testing.assert_allclose(average.ug, expected, rtol=tolerance, atol=tolerance)


# two units ---------------------------------------------------------------------------------------


def plane_reference(M, Q, V, snr, prior_u, hidden, share):
    """The averages for two units by a product rule in omega.

    The nearest singularity of g, for signs, lies at 1.57, 0.53 and 0.12 from the real axis for a
    share of 0, 0.3 and 0.7: panels of ten nodes need the widths below for 1e-8. The proximal point
    comes from iterating z = omega + V eta1'(z), a contraction by the share, then Newton's method.
    """
    law = list(zip(prior_u.support, prior_u.probabilities, strict=True))
    states = [[value for value, _ in state] for state in product(law, repeat=len(snr))]
    chances = [np.prod([p for _, p in state]) for state in product(law, repeat=len(snr))]
    states = np.array(states)
    means = states * snr @ M  # (states, k)
    width = {0.0: 1.0, 0.3: 0.8, 0.7: 0.24}[share] / (0.5 * np.ptp(hidden.support))
    axes = [
        composite_rule(
            means[:, a].min() - 6.5 * np.sqrt(Q[a, a]),
            means[:, a].max() + 6.5 * np.sqrt(Q[a, a]),
            width,
            10,
        )
        for a in range(2)
    ]
    omega = np.stack(np.meshgrid(axes[0][0], axes[1][0], indexing="ij"), axis=-1).reshape(-1, 2)
    rule = np.outer(axes[0][1], axes[1][1]).ravel()
    z = omega
    for _ in range(12):
        z = omega + tilted(hidden, z)[1] @ V
    for _ in range(3):
        _, g, slope = tilted(hidden, z)
        r = z - omega - g @ V
        a, b = 1 - V[0, 0] * slope[:, 0], -V[0, 1] * slope[:, 1]
        c, d = -V[0, 1] * slope[:, 0], 1 - V[1, 1] * slope[:, 1]
        solved = np.stack([d * r[:, 0] - b * r[:, 1], a * r[:, 1] - c * r[:, 0]], axis=1)
        z = z - solved / (a * d - b * c)[:, None]
    eta1, g, slope = tilted(hidden, z)
    assert np.abs(z - omega - g @ V).max() < 1e-11
    s1, s2 = slope.T
    determinant = (1 - V[0, 0] * s1) * (1 - V[1, 1] * s2) - V[0, 1] ** 2 * s1 * s2
    derivative = (
        np.array(  # (I - S V)^-1 S
            [
                [s1 * (1 - V[1, 1] * s2), s1 * V[0, 1] * s2],
                [s2 * V[0, 1] * s1, s2 * (1 - V[0, 0] * s1)],
            ]
        )
        / determinant
    )
    norm = 2 * np.pi * np.sqrt(np.linalg.det(Q))
    density, with_u = np.zeros(len(omega)), np.zeros((len(snr), len(omega)))
    for u, mean, chance in zip(states, means, chances, strict=True):
        gap = omega - mean
        part = chance / norm * np.exp(-0.5 * np.sum(gap @ np.linalg.inv(Q) * gap, axis=1))
        density, with_u = density + part, with_u + u[:, None] * part
    density *= rule
    return np.concatenate(
        [
            ((with_u * rule) @ g).ravel(),
            ((density[:, None] * g).T @ g).ravel(),
            (derivative @ density).ravel(),
            [density @ eta1.sum(axis=1), density @ np.sum(derivative**2, axis=(0, 1))],
        ]
    )


@pytest.mark.parametrize(
    ("name", "share", "prior_u"),
    [
        ("Rademacher", 0.0, Rademacher()),
        ("Rademacher", 0.3, SKEWED),
        ("Rademacher", 0.7, Rademacher()),
        ("Bernoulli", 0.7, Rademacher()),
        ("skewed", 0.3, TERNARY),
    ],
)
def test_plane_against_integration_over_the_fields(name, share, prior_u):
    hidden, bound = HIDDEN[name]
    snr, M = np.array([1.5, 0.9]), np.array([[0.8, 0.3], [-0.2, 0.5]])
    Q = M.T @ M + np.array([[0.5, 0.2], [0.2, 0.4]])
    axes = np.array([[0.8, -0.6], [0.6, 0.8]])
    V = share * bound * (axes * [1.0, 0.4]) @ axes.T
    expected = plane_reference(M, Q, V, snr, prior_u, hidden, share)
    average = field_averages(M, Q, V, snr, prior_u, hidden)
    np.testing.assert_allclose(quantities(average), expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", ["Rademacher", "Bernoulli", "ternary"])
def test_plane_with_gaussian_latent_variables(name):
    # through the proximal map of 200 000 sampled fields: each of the 14 averages within 5 of its
    # standard errors, which are 0.2 % of the largest entry or less
    hidden, bound = HIDDEN[name]
    snr, M = np.array([1.4, 1.1]), np.array([[0.6, 0.2], [-0.3, 0.5]])
    Q, V = np.array([[1.1, 0.3], [0.3, 0.9]]), bound * np.array([[0.5, 0.2], [0.2, 0.4]])
    rng, n = np.random.default_rng(3), 200_000
    U = rng.standard_normal((n, 2))
    omega = U * snr @ M + rng.standard_normal((n, 2)) @ np.linalg.cholesky(Q).T
    point = proximal_map(omega, V, hidden)
    samples = np.column_stack(
        [
            np.einsum("na,nb->nab", U, point.g).reshape(n, 4),
            np.einsum("na,nb->nab", point.g, point.g).reshape(n, 4),
            point.derivative.reshape(n, 4),
            tilted(hidden, point.z)[0].sum(axis=1),
            np.sum(point.derivative**2, axis=(1, 2)),
        ]
    )
    scores = standard_scores(samples, quantities(field_averages(M, Q, V, snr, Gaussian(), hidden)))
    assert np.abs(scores).max() < 5


@pytest.mark.parametrize("prior_u", [Rademacher(), Gaussian()], ids=repr)
@pytest.mark.parametrize(("hidden", "bound"), HIDDEN.values(), ids=HIDDEN)
def test_diagonal_input_separates(hidden, bound, prior_u):
    # two units that share nothing, one near the bound: one line each
    snr, m, q = np.array([1.5, 0.9]), np.array([0.9, 0.4]), np.array([1.4, 0.7])
    share = 0.7 if isinstance(hidden, Gaussian) else 0.94  # their grid grows as 1 / (1 - share)
    V = bound * np.array([share, 0.3])
    both = field_averages(np.diag(m), np.diag(q), np.diag(V), snr, prior_u, hidden)
    alone = [
        field_averages(
            m[a].reshape(1, 1),
            q[a].reshape(1, 1),
            V[a].reshape(1, 1),
            snr[a : a + 1],
            prior_u,
            hidden,
        )
        for a in range(2)
    ]
    for name in ("ug", "gg", "derivative"):
        diagonal = np.diag(getattr(both, name))
        np.testing.assert_allclose(diagonal, [getattr(x, name)[0, 0] for x in alone], rtol=1e-9)
    # different units' g are independent, and g of one knows nothing of the other's U
    means = [line_mean(x, hidden, prior_u) for x in zip(m, q, V, snr, strict=True)]
    assert both.gg[0, 1] == pytest.approx(means[0] * means[1], abs=1e-9)
    np.testing.assert_allclose([both.ug[0, 1], both.ug[1, 0]], 0.0, atol=1e-10)
    np.testing.assert_allclose(both.derivative[0, 1], 0.0, atol=1e-12)
    assert both.eta1 == pytest.approx(sum(x.eta1 for x in alone), rel=1e-9)
    # poles of g'^2 as on the line, but a step of 0.15: exp(-2 pi 0.25 / 0.15) = 3e-5, times ten
    total = sum(x.squared_derivative for x in alone)
    assert both.squared_derivative == pytest.approx(total, rel=3e-4)


def line_mean(parameters, hidden, prior_u):
    """E[g] of one unit."""
    m, q, V, snr = map(float, parameters)
    if isinstance(prior_u, Gaussian):
        return line_averages(0.0, q + (snr * m) ** 2, V, hidden)[1]
    pairs = zip(prior_u.support, prior_u.probabilities, strict=True)
    return sum(p * line_averages(u * snr * m, q, V, hidden)[1] for u, p in pairs)


@pytest.mark.parametrize("prior_u", [SKEWED, Gaussian()], ids=repr)
def test_symmetries(prior_u):
    # renaming the units or the signals, or turning a symmetric unit round, turns the result
    snr, M = np.array([1.5, 0.9]), np.array([[0.8, 0.3], [-0.2, 0.5]])
    Q = M.T @ M + np.array([[0.5, 0.2], [0.2, 0.4]])
    V = np.array([[0.5, -0.2], [-0.2, 0.6]])
    plain = field_averages(M, Q, V, snr, prior_u, Rademacher())
    for P in (np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])):
        turned = field_averages(M @ P, P.T @ Q @ P, P.T @ V @ P, snr, prior_u, Rademacher())
        np.testing.assert_allclose(turned.ug, plain.ug @ P, atol=1e-11)
        np.testing.assert_allclose(turned.gg, P.T @ plain.gg @ P, atol=1e-11)
        np.testing.assert_allclose(turned.derivative, P.T @ plain.derivative @ P, atol=1e-11)
        assert turned.eta1 == pytest.approx(plain.eta1, abs=1e-11)
    renamed = field_averages(M[::-1], Q, V, snr[::-1], prior_u, Rademacher())
    np.testing.assert_allclose(renamed.ug, plain.ug[::-1], atol=1e-11)
    np.testing.assert_allclose(renamed.gg, plain.gg, atol=1e-11)
    for average in (plain, renamed):
        np.testing.assert_allclose(average.gg, average.gg.T, atol=1e-14)
        np.testing.assert_allclose(average.derivative, average.derivative.T, atol=1e-14)


# three units and more ----------------------------------------------------------------------------


@pytest.mark.parametrize("prior_u", [Rademacher(), SKEWED, Gaussian()], ids=repr)
def test_sobol_against_the_grid(prior_u):
    # a block of two coupled units and one apart: the grid knows both
    snr = np.array([1.5, 0.9, 1.2])
    M, Q, V = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3))
    M[:2, :2], M[2, 2] = [[0.8, 0.3], [-0.2, 0.5]], 0.7
    Q[:2, :2] = M[:2, :2].T @ M[:2, :2] + np.array([[0.5, 0.2], [0.2, 0.4]])
    Q[2, 2] = 1.1
    V[:2, :2], V[2, 2] = [[0.5, -0.2], [-0.2, 0.6]], 0.4
    average = field_averages(M, Q, V, snr, prior_u, Rademacher(), rng=1)
    two = field_averages(M[:2, :2], Q[:2, :2], V[:2, :2], snr[:2], prior_u, Rademacher())
    one = field_averages(M[2:, 2:], Q[2:, 2:], V[2:, 2:], snr[2:], prior_u, Rademacher())
    means = np.zeros(3)  # E[g] of the third unit enters E[g g^T] if U is skewed
    if prior_u is SKEWED:
        means[2] = line_mean((0.7, 1.1, 0.4, 1.2), Rademacher(), prior_u)
    assert 0 < average.error < 1e-3
    for name in ("ug", "gg", "derivative"):
        values = getattr(average, name)
        assert np.abs(values[:2, :2] - getattr(two, name)).max() < 5 * average.error
        assert abs(values[2, 2] - getattr(one, name)[0, 0]) < 5 * average.error
    for values in (average.ug[:2, 2], average.ug[2, :2], average.derivative[:2, 2]):
        assert np.abs(values).max() < 5 * average.error
    if means[2] == 0.0:
        assert np.abs(average.gg[:2, 2]).max() < 5 * average.error
    # not covered by the reported error; over seeds they scatter by up to 5e-4 and 6e-3
    assert average.eta1 == pytest.approx(two.eta1 + one.eta1, abs=5 * 5e-4)
    squared = two.squared_derivative + one.squared_derivative
    assert average.squared_derivative == pytest.approx(squared, abs=5 * 6e-3)


def test_sobol_error_is_honest():
    # Twelve seeds scatter about their mean by what each reports, within a factor of three: the
    # reported error is the largest of 21 entries', the scatter that of a typical one.
    snr, M, V = np.array([1.5, 0.9, 1.2]), np.diag([0.9, 0.4, 0.7]), np.diag([0.5, 0.3, 0.6])
    Q = M.T @ M + 0.5
    Q += 0.3 * np.eye(3)
    runs = [
        field_averages(M, Q, V, snr, Rademacher(), Rademacher(), rng=seed) for seed in range(12)
    ]
    entries = np.array([quantities(run)[:-2] for run in runs])
    scatter = entries.std(axis=0, ddof=1)
    reported = np.median([run.error for run in runs])
    assert reported / 3 < scatter.max() < 3 * reported


def test_sobol_is_reproducible():
    arguments = (np.eye(3), 2 * np.eye(3), 0.4 * np.eye(3), np.ones(3), Rademacher(), Rademacher())
    first, again, other = (quantities(field_averages(*arguments, rng=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
