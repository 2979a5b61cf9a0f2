import itertools

import numpy as np
import pytest
from scipy.integrate import quad

from rbmnotes import (
    Bernoulli,
    Gaussian,
    Rademacher,
    SpikedModel,
    bayes_overlap,
    bbp_snr,
    marchenko_pastur_density,
    outlier_eigenvalue,
    overlap,
    pca,
    pca_overlap,
)
from rbmnotes.theory.bayes_limit import posterior_overlap
from tests.laws import SKEWED, TERNARY, sparse

STANDARD = [Rademacher(), TERNARY, SKEWED, Gaussian()]

# an independent Gaussian channel y = gamma x + sqrt(gamma) G -------------------------------------

NORMAL, STEP = np.linspace(-11.0, 11.0, 2201, retstep=True)
NORMAL_WEIGHTS = STEP * np.exp(-0.5 * NORMAL**2) / np.sqrt(2 * np.pi)


def channel(gamma, prior):
    """Overlap of the posterior mean and the average log normalisation, by Bayes' rule."""
    x, p = np.array(prior.support), np.array(prior.probabilities)
    y = gamma * x[:, None] + np.sqrt(gamma) * NORMAL
    exponent = y[..., None] * x - 0.5 * gamma * x**2
    peak = exponent.max(axis=-1)
    weights = p * np.exp(exponent - peak[..., None])
    total = weights.sum(axis=-1)
    estimate = (weights * x).sum(axis=-1) / total
    overlap_with_truth = p @ ((x[:, None] * estimate) @ NORMAL_WEIGHTS)
    return overlap_with_truth, p @ ((np.log(total) + peak) @ NORMAL_WEIGHTS)


def mutual_potential(alpha, snr, m_u, m_w, prior_u, prior_w):
    gain = alpha * channel(snr**2 * m_w, prior_u)[1] + channel(alpha * snr**2 * m_u, prior_w)[1]
    return gain - 0.5 * alpha * snr**2 * m_u * m_w


# BBP and PCA -----------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_bbp_snr_solves_its_equation(alpha):
    assert alpha * bbp_snr(alpha) ** 4 == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(bbp_snr(np.array([alpha, 1.0])), [bbp_snr(alpha), 1.0])


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_pca_overlap_starts_at_the_threshold(alpha):
    threshold = bbp_snr(alpha)
    for of in ("w", "u"):
        assert pca_overlap(alpha, 0.0, of) == 0.0
        assert pca_overlap(alpha, 0.999 * threshold, of) == 0.0
        assert 0.0 < pca_overlap(alpha, 1.001 * threshold, of) < 0.1
        # 1 - cos^2 falls as 1/snr^2: 1e-4 at 100
        assert pca_overlap(alpha, 100.0, of) > 0.999


def test_pca_overlaps_of_the_two_sides_change_places_with_the_transpose():
    # X^T/sqrt(alpha) is spiked again with d and n exchanged: 1/alpha, snr sqrt(alpha)
    for alpha, snr in ((4.0, 0.9), (0.5, 1.5)):
        turned = pca_overlap(1 / alpha, snr * np.sqrt(alpha), "w")
        assert pca_overlap(alpha, snr, "u") == pytest.approx(turned, rel=1e-13)


def test_outlier_leaves_the_edge_of_the_noise_continuously():
    for alpha in (0.3, 1.0, 4.0):
        edge, threshold = (1 + np.sqrt(alpha)) ** 2, bbp_snr(alpha)
        for snr in (0.0, 0.5 * threshold, threshold):
            assert outlier_eigenvalue(alpha, snr) == pytest.approx(edge, rel=1e-13)
        # the derivative vanishes there: 1e-3 above the threshold it has moved by about 1e-5
        moved = outlier_eigenvalue(alpha, 1.001 * threshold) - edge
        assert 0 < moved < 1e-4


def test_limits_broadcast():
    alpha, snr = np.array([[1.0], [4.0]]), np.array([0.5, 1.2, 2.0])
    for function in (pca_overlap, lambda a, s: pca_overlap(a, s, "u"), outlier_eigenvalue):
        table = function(alpha, snr)
        assert table.shape == (2, 3)
        for i, j in np.ndindex(2, 3):
            assert table[i, j] == pytest.approx(function(alpha[i, 0], snr[j]), rel=1e-14)


SIZES = (150, 300, 600)
INSTANCES = (400, 200, 100)
CASES = {"tall": (2.0, (1.8, 1.3)), "wide": (0.5, (2.0,))}


@pytest.fixture(scope="module", params=CASES)
def simulation(request):
    """Squared cosines of both sides and the eigenvalue, (instances, 3, r) for every size."""
    alpha, snr = CASES[request.param]
    model = SpikedModel(alpha, snr, prior_w=Gaussian())
    r = len(snr)

    def instance(d, seed):
        data = model.sample(d, rng=[d, seed])
        result = pca(data.X, r)
        cosines = (np.diag(overlap(data.W_star, result.W)), np.diag(overlap(data.U, result.U)))
        return [cosines[0] ** 2, cosines[1] ** 2, result.singular_values**2]

    samples = [
        np.array([instance(d, seed) for seed in range(count)])
        for d, count in zip(SIZES, INSTANCES, strict=True)
    ]
    return alpha, np.array(snr), samples


def extrapolate(samples):
    """Fit mean(d) = value + c/d by weighted least squares; return value and standard error."""
    means = np.array([sample.mean() for sample in samples])
    errors = np.array([sample.std(ddof=1) / np.sqrt(len(sample)) for sample in samples])
    assert np.all(errors < 0.01 * np.maximum(means, 1.0))  # cosines have the scale one
    design = np.column_stack([np.ones(len(SIZES)), 1 / np.array(SIZES)]) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    return (covariance @ design.T @ (means / errors))[0], np.sqrt(covariance[0, 0])


@pytest.mark.parametrize("quantity", [0, 1, 2], ids=["cos2_w", "cos2_u", "eigenvalue"])
def test_pca_theory_against_simulation(simulation, quantity):
    # protocol: three sizes, bias c/d, extrapolation within three standard errors; the same
    # theory times 0.9 must fail
    alpha, snr, samples = simulation
    theories = (
        pca_overlap(alpha, snr, "w") ** 2,
        pca_overlap(alpha, snr, "u") ** 2,
        outlier_eigenvalue(alpha, snr),
    )
    for i, theory in enumerate(theories[quantity]):
        value, error = extrapolate([sample[:, quantity, i] for sample in samples])
        assert abs(value - theory) < 3 * error
        assert abs(value - 0.9 * theory) > 3 * error


def test_pca_finds_nothing_below_the_threshold():
    # cos^2 is then of order 1/d: it falls by four from d to 4d; 60 instances of a squared normal
    # have an error of a fifth, so a ratio of two is four such errors from one
    model = SpikedModel(1.0, 0.6)
    means = []
    for d in (100, 400):
        samples = [model.sample(d, rng=[d, seed]) for seed in range(60)]
        means.append(np.mean([overlap(s.W_star, pca(s.X, 1).W)[0, 0] ** 2 for s in samples]))
    assert means[1] < 0.5 * means[0]
    assert means[0] < 0.1


# Marchenko-Pastur ------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.3, 1.0, 2.5])
def test_marchenko_pastur_moments(alpha):
    # mass min(1, alpha); moments of Z^T Z/d with n = alpha d rows: alpha, alpha + alpha^2,
    # alpha + 3 alpha^2 + alpha^3. The substitution x = c + h sin(t) smooths the edges.
    centre, half = 1 + alpha, 2 * np.sqrt(alpha)
    expected = [min(1.0, alpha), alpha, alpha + alpha**2, alpha + 3 * alpha**2 + alpha**3]

    def integrand(t, order):
        x = centre + half * np.sin(t)
        return x**order * float(marchenko_pastur_density(x, alpha)) * half * np.cos(t)

    for order, value in enumerate(expected):
        integral = quad(integrand, -np.pi / 2, np.pi / 2, args=(order,), epsabs=1e-11)[0]
        assert integral == pytest.approx(value, abs=1e-9)


def test_marchenko_pastur_is_zero_outside_its_interval():
    x = np.array([-1.0, 0.0, 0.5 * (1 - np.sqrt(0.5)) ** 2, 1.01 * (1 + np.sqrt(0.5)) ** 2, 50.0])
    np.testing.assert_array_equal(marchenko_pastur_density(x, 0.5), np.zeros(5))
    assert marchenko_pastur_density(1.5, 0.5) > 0


def test_marchenko_pastur_against_a_random_matrix():
    # a linear statistic with error of order 1/d, far below the bin counts' 0.01
    rng = np.random.default_rng(0)
    alpha, d = 2.0, 500
    Z = rng.standard_normal((round(alpha * d), d))
    eigenvalues = np.linalg.eigvalsh(Z.T @ Z / d)
    for lower, upper in itertools.pairwise((0.3, 1.0, 2.0, 3.0, 4.5)):
        mass = quad(lambda x: float(marchenko_pastur_density(x, alpha)), lower, upper)[0]
        assert np.mean((eigenvalues > lower) & (eigenvalues < upper)) == pytest.approx(
            mass, abs=0.01
        )


# Bayes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.0, 0.2, 1.0, 5.0, 40.0])
def test_posterior_overlap_closed_forms(gamma):
    # adaptive quadrature to 1e-12
    def integrand(g):
        return np.tanh(gamma + np.sqrt(gamma) * g) * np.exp(-0.5 * g * g) / np.sqrt(2 * np.pi)

    expected = quad(integrand, -12, 12, epsabs=1e-13, limit=200)[0]
    assert posterior_overlap(gamma, Rademacher()) == pytest.approx(expected, abs=1e-11)
    # E x E[x|y] = correlation^2 of x and y = gamma^2/(gamma^2 + gamma) for normal x
    covariance = np.array([[1.0, gamma], [gamma, gamma**2 + gamma]])
    expected = 0.0 if gamma == 0 else covariance[0, 1] ** 2 / covariance[1, 1]
    assert posterior_overlap(gamma, Gaussian()) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    "prior", [Rademacher(), TERNARY, SKEWED, sparse(0.05), Bernoulli()], ids=repr
)
@pytest.mark.parametrize("gamma", [0.3, 1.0, 6.0])
def test_posterior_overlap_against_bayes_rule(prior, gamma):
    assert posterior_overlap(gamma, prior) == pytest.approx(channel(gamma, prior)[0], abs=1e-11)


@pytest.mark.parametrize("prior", [*STANDARD, sparse(0.05)], ids=repr)
def test_posterior_overlap_against_monte_carlo(prior):
    # the best estimator's overlap, E[x xhat] = E[xhat^2]: 4.5 standard errors
    rng, gamma, n = np.random.default_rng(3), 1.7, 100_000
    x = prior.sample(n, rng)
    y = gamma * x + np.sqrt(gamma) * rng.standard_normal(n)
    products = x * prior.posterior_mean(y, gamma)
    error = products.std(ddof=1) / np.sqrt(n)
    assert abs(products.mean() - posterior_overlap(gamma, prior)) < 4.5 * error


@pytest.mark.parametrize(("snr", "expected"), [(0.8, 0.5649), (1.0, 0.8623), (1.3, 0.9776)])
def test_bayes_reference_values(snr, expected):
    # four printed digits
    assert bayes_overlap(4.0, snr) == pytest.approx(expected, abs=5.1e-5)


@pytest.mark.parametrize("alpha", [0.4, 1.0, 4.0])
@pytest.mark.parametrize("ratio", [1.05, 1.5, 3.0])
def test_bayes_of_gaussian_signals_is_pca(alpha, ratio):
    # m_u = s m_w/(1 + s m_w), m_w = t m_u/(1 + t m_u), s = snr^2, t = alpha s: eliminating m_u
    # leaves m_w = (s t - 1)/(s + s t). The iteration stops at steps of 1e-12, and the contraction
    # is 1/(s t): 1e-10 at the smallest ratio.
    snr = ratio * bbp_snr(alpha)
    s, t = snr**2, alpha * snr**2
    m_w = (s * t - 1) / (s + s * t)
    value = bayes_overlap(alpha, snr, Gaussian(), Gaussian())
    assert value == pytest.approx(np.sqrt(m_w), abs=1e-10)
    assert value == pytest.approx(pca_overlap(alpha, snr), abs=1e-10)


@pytest.mark.parametrize("prior_u", STANDARD, ids=repr)
@pytest.mark.parametrize("prior_w", STANDARD, ids=repr)
def test_bayes_is_never_below_pca(prior_u, prior_w):
    # 1e-9: equality holds if both are Gaussian
    for alpha, snr in ((0.5, 1.3), (4.0, 0.8), (4.0, 1.3)):
        assert bayes_overlap(alpha, snr, prior_u, prior_w) > pca_overlap(alpha, snr) - 1e-9


@pytest.mark.parametrize("prior", [Rademacher(), Gaussian()], ids=repr)
@pytest.mark.parametrize("alpha", [0.5, 4.0])
def test_bayes_overlap_vanishes_below_the_threshold(alpha, prior):
    # stopped at a step of 1e-12 in m_w with contraction ratio^4: sqrt(1e-12/0.34) and less
    for ratio in (0.0, 0.5, 0.9):
        assert bayes_overlap(alpha, ratio * bbp_snr(alpha), prior, prior) < 2e-6
    assert bayes_overlap(alpha, 1.1 * bbp_snr(alpha), prior, prior) > 0.3


@pytest.mark.parametrize("prior_u", [Rademacher(), TERNARY], ids=repr)
@pytest.mark.parametrize("prior_w", [Rademacher(), SKEWED], ids=repr)
def test_bayes_solution_is_stationary_for_the_potential(prior_u, prior_w):
    # central differences of an independent potential, step 1e-4: 1e-7. A solution 1 % off fails.
    alpha, snr = 2.0, 1.1
    m_w = bayes_overlap(alpha, snr, prior_u, prior_w) ** 2
    m_u = channel(snr**2 * m_w, prior_u)[0]

    def slopes(m_u, m_w, h=1e-4):
        value = lambda u, w: mutual_potential(alpha, snr, u, w, prior_u, prior_w)  # noqa: E731
        return (
            (value(m_u + h, m_w) - value(m_u - h, m_w)) / (2 * h),
            (value(m_u, m_w + h) - value(m_u, m_w - h)) / (2 * h),
        )

    np.testing.assert_allclose(slopes(m_u, m_w), 0.0, atol=1e-7)
    assert np.abs(slopes(m_u, 0.99 * m_w)).max() > 1e-4


@pytest.mark.parametrize(
    ("alpha", "snr", "recovered"),
    [(1.0, 0.86, False), (1.0, 0.88, True), (0.5, 1.023, False), (4.0, 0.65, True)],
)
def test_bayes_chooses_the_solution_of_larger_potential(alpha, snr, recovered):
    # sparse signals below the threshold alpha snr^4 = 1: both m = 0 and a large m are stable; the
    # maximum along m_u = F_u(snr^2 m_w) decides. Half a step of the grid is 0.0025 in m_w.
    grid = np.linspace(0.0025, 0.9975, 200)

    def along_curve(m_w):
        m_u = channel(snr**2 * m_w, sparse(0.05))[0]
        return mutual_potential(alpha, snr, m_u, m_w, sparse(0.05), sparse(0.05))

    values = np.array([along_curve(m) for m in grid])
    interior = (values[1:-1] > values[:-2]) & (values[1:-1] > values[2:])
    assert interior.sum() == 1  # the competing solution exists in all four cases
    best = grid[values.argmax()] if values.max() > 0 else 0.0
    assert (best > 0) == recovered
    assert bayes_overlap(alpha, snr, sparse(0.05), sparse(0.05)) ** 2 == pytest.approx(
        best, abs=0.003
    )
