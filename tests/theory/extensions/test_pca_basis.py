"""The law of the basis PCA picks among equal signals, against the matrices themselves."""

import itertools
from math import factorial

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import eigh, polar
from scipy.stats import ortho_group

from rbmnotes import (
    Gaussian,
    Rademacher,
    equal_snr_pca_overlap,
    haar_overlap,
    pca_overlap,
)
from rbmnotes.evidence import extrapolate
from rbmnotes.experiments.spiked.pca_overlaps import measure_pca
from rbmnotes.theory.extensions.pca_basis import equal_snr_splitting
from tests.laws import sparse

SIGNS = Rademacher()  # Var(w^2) = 0

# the variances of the splitting matrix, from spiked data ------------------------------------------

R, INSTANCES = 4, 400
# alpha, snr, the smaller of n and d, priors of U and W*: in each another term has a large share;
# alpha snr^4 is 14 and, thrice, 4
SETTINGS = {
    "Gram matrices": (1.1, 1.9, 120, sparse(0.25), sparse(0.25)),
    "many samples": (64.0, 0.5, 120, SIGNS, SIGNS),
    "few samples": (1 / 64, 4.0, 120, SIGNS, SIGNS),
    "unlike priors": (4.0, 1.0, 120, SIGNS, sparse(0.25)),
}


def splitting_matrix(alpha, snr, size, prior_u, prior_w, rng):
    """What split the top singular values of one draw, and the Gram matrices' share in it.

    The data's longer side is rotated so that its planted vectors lie in its first R places; of what
    is left of the noise only the Gram matrix matters, a Wishart matrix, drawn by Bartlett's
    factor. First-order perturbation theory turns a splitting S of the condition for an outlier into
    a shift S (alpha snr^4 - 1)/snr^2 of the eigenvalue of X^T X/d; S has the basis of the singular
    vectors.
    """
    d, n = (size, round(alpha * size)) if alpha >= 1 else (round(size / alpha), size)
    long, short = max(n, d), min(n, d)
    U, W = prior_u.sample((n, R), rng), prior_w.sample((d, R), rng)
    outer, inner = (U, W) if n >= d else (W, U)
    top = snr * np.linalg.qr(outer, mode="r") @ inner.T / np.sqrt(d)
    top += rng.standard_normal((R, short))
    factor = np.tril(rng.standard_normal((short, short)), -1)
    factor[np.diag_indices(short)] = np.sqrt(rng.chisquare(long - R - np.arange(short)))
    gram = (top.T @ top + factor @ factor.T) / d
    eigenvalues, vectors = eigh(gram, subset_by_index=(short - R, short - 1))
    basis = polar(inner.T @ vectors)[0]
    split = (basis * eigenvalues) @ basis.T * snr**2 / (alpha * snr**4 - 1)
    return np.sqrt(d) * np.array([split, W.T @ W / d, U.T @ U / n])


def variance_and_error(entries, shares):
    """Variance of the first column's entries, which regression on the other two makes sharper.

    The law says that the Gram matrices, of known variances `shares`, enter with some slopes, and
    that the rest is independent noise. The error is a bootstrap's over instances.
    """
    entries = entries - entries.mean(axis=(0, 1))

    def estimate(sample):
        y, parts = sample[..., 0].ravel(), sample[..., 1:].reshape(-1, 2)
        slopes = np.linalg.lstsq(parts, y, rcond=None)[0]  # zero for a part that does not vary
        return np.var(y - parts @ slopes) + np.array(shares) @ slopes**2

    choices = np.random.default_rng(0).integers(len(entries), size=(200, len(entries)))
    return estimate(entries), np.std([estimate(entries[choice]) for choice in choices], ddof=1)


@pytest.fixture(scope="module")
def measured():
    """Variance off and on the diagonal, each with its error, in every setting."""
    found = {}
    for index, (name, setting) in enumerate(SETTINGS.items()):
        rng = np.random.default_rng([17, index])
        draws = np.array([splitting_matrix(*setting, rng) for _ in range(INSTANCES)])
        rows, columns = np.triu_indices(R, 1)
        off = np.moveaxis(draws[:, :, rows, columns], 1, -1)
        on = np.moveaxis(np.diagonal(draws, axis1=2, axis2=3), 1, -1)
        alpha, _, _, prior_u, prior_w = setting
        squares = prior_w.moment(4) - 1, (prior_u.moment(4) - 1) / alpha
        found[name] = variance_and_error(off, (1, 1 / alpha)), variance_and_error(on, squares)
    return found


def law(setting, coefficients):
    """The law with a factor at every term: three in v, two off the diagonal, three on it."""
    alpha, snr, _, prior_u, prior_w = SETTINGS[setting]
    one, samples, strength, gram_w, gram_u, noise, square_w, square_u = coefficients
    v = (one + samples / alpha + strength * 2 * snr**2) / (alpha * snr**4 - 1)
    squares = square_w * (prior_w.moment(4) - 1) + square_u * (prior_u.moment(4) - 1) / alpha
    return v + gram_w + gram_u / alpha, noise * 2 * v + squares


def chi_square(measured, theory):
    """Sum of the squared distances of all eight variances from theory, in standard errors."""
    return sum(
        ((value - expected) / error) ** 2
        for name, found in measured.items()
        for (value, error), expected in zip(found, theory(name), strict=True)
    )


def test_variances_of_the_splitting_against_simulation(measured):
    # eight independent variances; chi^2 with eight degrees exceeds 26.1 once in 1000
    def theory(name):
        alpha, snr, _, prior_u, prior_w = SETTINGS[name]
        return equal_snr_splitting(alpha, snr, prior_u, prior_w)

    assert chi_square(measured, theory) < 26.1
    for name in SETTINGS:
        np.testing.assert_allclose(theory(name), law(name, np.ones(8)), rtol=1e-12)


@pytest.mark.parametrize("term", range(8))
@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_the_simulation_would_notice_a_wrong_coefficient(measured, term, factor):
    # the power of the test above: a change of any one coefficient by 30 % is far outside
    coefficients = np.ones(8)
    coefficients[term] = factor
    assert chi_square(measured, lambda name: law(name, coefficients)) > 26.1


# what follows from them: the overlap --------------------------------------------------------------


@pytest.mark.parametrize("priors", [(SIGNS, SIGNS), (sparse(0.25), SIGNS), (SIGNS, sparse(0.25))])
@pytest.mark.parametrize(("alpha", "snr"), [(4.0, 1.5), (0.5, 2.0)])
def test_overlap_of_a_pair_is_an_integral_over_one_angle(alpha, snr, priors):
    # the basis of [[D, c], [c, -D]] is turned by phi, tan 2 phi = c/D; with s^2 the ratio of the
    # variances of c and D, the angle t = 2 phi has density s/(2 pi (s^2 cos^2 t + sin^2 t))
    off_diagonal, diagonal = equal_snr_splitting(alpha, snr, *priors)
    s = np.sqrt(off_diagonal / (diagonal / 2))

    def integrand(t):
        cosine, sine = np.cos(t), np.sin(t)
        return np.sqrt((1 + cosine) / 2) * s / (s**2 * cosine**2 + sine**2)

    expected = 2 / np.pi * quad(integrand, 0, np.pi / 2)[0] * pca_overlap(alpha, snr)
    mean, error = equal_snr_pca_overlap(alpha, snr, 2, *priors, rng=3)
    assert error < 0.002
    assert abs(mean - expected) < 4 * error


@pytest.mark.parametrize("prior_w", [SIGNS, sparse(0.25)], ids=repr)
def test_overlap_of_four_against_a_plain_twin(prior_w):
    # the matrices entry by entry, the assignment by trying all; 4 combined errors
    alpha, snr = 4.0, 1.5
    off_diagonal, diagonal = equal_snr_splitting(alpha, snr, prior_w=prior_w)
    rng = np.random.default_rng(5)
    S = np.zeros((4000, R, R))
    for i, j in itertools.combinations_with_replacement(range(R), 2):
        scale = np.sqrt(diagonal if i == j else off_diagonal)
        S[:, i, j] = S[:, j, i] = scale * rng.standard_normal(len(S))
    vectors = np.abs(np.linalg.eigh(S)[1])
    orders = itertools.permutations(range(R))
    best = np.max([vectors[:, range(R), order].mean(axis=1) for order in orders], axis=0)
    mean, error = equal_snr_pca_overlap(alpha, snr, R, prior_w=prior_w, rng=4)
    twin = pca_overlap(alpha, snr) * best
    combined = np.hypot(error, twin.std(ddof=1) / np.sqrt(len(twin)))
    assert abs(mean - twin.mean()) < 4 * combined < 0.012


def test_equal_signals_of_signs_are_not_rotated_uniformly():
    """PCA on two equal Rademacher signals: our law agrees, the Haar average does not.

    Nor for the latent variables, which are the signals of the transposed data.
    """
    point = {"alpha": 2.0, "snr": 2.0, "r": 2, "prior": "Rademacher", "channel": "s + z"}
    sizes, streams = (50, 100, 200), iter(np.random.SeedSequence(11).spawn(900))
    rows = [
        [measure_pca(point | {"d": d}, np.random.default_rng(next(streams))) for _ in range(300)]
        for d in sizes
    ]
    sides = {"w": (2.0, 2.0), "u": (0.5, 2.0 * np.sqrt(2.0))}
    for of, (alpha, snr) in sides.items():
        measured = [[row[f"overlap_{of}"] for row in found] for found in rows]
        ours, _ = equal_snr_pca_overlap(alpha, snr, 2)
        haar = pca_overlap(alpha, snr) * haar_overlap(2)[0]
        assert extrapolate(sizes, measured, ours).verdict == "agrees"
        assert extrapolate(sizes, measured, haar).verdict == "disagrees"


def test_equal_gaussian_signals_are_rotated_uniformly():
    """The law's own limit: with Gaussian priors it is the Haar average, here for r = 4."""
    ours, error = equal_snr_pca_overlap(3.0, 1.2, 4, Gaussian(), Gaussian())
    haar, haar_error = haar_overlap(4, rng=1)
    reached = pca_overlap(3.0, 1.2)
    assert abs(ours - reached * haar) < 4 * np.hypot(error, reached * haar_error)


def test_equal_snr_overlap_limits():
    """One signal: PCA's overlap. No outlier: zero. Strong pair of signs: equal mixtures."""
    assert equal_snr_pca_overlap(4.0, 1.5, 1)[0] == pytest.approx(pca_overlap(4.0, 1.5))
    assert equal_snr_pca_overlap(4.0, 0.7, 2) == (0.0, 0.0)
    assert equal_snr_pca_overlap(4.0, 1e4, 2)[0] == pytest.approx(np.sqrt(0.5), abs=1e-3)


# Haar rotations --------------------------------------------------------------------------------


def test_haar_overlap_in_one_and_two_dimensions():
    assert haar_overlap(1) == (1.0, 0.0)
    # by the angle: the better of the two assignments, averaged over a turn
    integral = quad(
        lambda t: max(abs(np.cos(t)), abs(np.sin(t))), 0, np.pi / 2, points=[np.pi / 4]
    )[0]
    mean, error = haar_overlap(2)
    assert mean == pytest.approx(integral / (np.pi / 2), abs=1e-13)
    assert mean == pytest.approx(2 * np.sqrt(2) / np.pi, abs=1e-15)
    assert error == 0.0


@pytest.mark.parametrize("r", [3, 4])
def test_haar_overlap_against_all_permutations(r):
    # scipy's rotations and a brute-force assignment; difference within 4 combined errors
    rotations = np.abs(ortho_group.rvs(r, size=4000, random_state=1))
    orders = list(itertools.permutations(range(r)))
    assert len(orders) == factorial(r)
    sums = [rotations[:, range(r), order].sum(axis=1) for order in orders]
    best = np.max(sums, axis=0) / r
    mean, error = haar_overlap(r, n_samples=4000, rng=2)
    combined = np.hypot(error, best.std(ddof=1) / np.sqrt(len(best)))
    assert 0 < combined < 0.005
    assert abs(mean - best.mean()) < 4 * combined


@pytest.mark.parametrize("r", [3, 10])
def test_haar_overlap_reports_its_error(r):
    # a standard deviation from 60 repetitions is known to 9 %: three of those
    repeats = np.array([haar_overlap(r, n_samples=100, rng=seed) for seed in range(60)])
    actual, reported = repeats[:, 0].std(ddof=1), repeats[:, 1].mean()
    assert 0.73 < actual / reported < 1.27


def test_haar_overlap_falls_with_the_number_of_directions():
    # differences between neighbours are above 0.01, ten times the errors at 500 rotations
    results = [haar_overlap(r, n_samples=500, rng=r) for r in range(1, 11)]
    means, errors = np.transpose(results)
    assert np.all(-np.diff(means) > 4 * np.hypot(errors[1:], errors[:-1]))
    # a matched entry is at least the typical one, sqrt(2/(pi r))
    assert means[-1] > np.sqrt(2 / (np.pi * 10))


def test_haar_overlap_is_reproducible():
    assert haar_overlap(4, 50) == haar_overlap(4, 50)
    assert haar_overlap(4, 50, rng=1) == haar_overlap(4, 50, rng=np.random.default_rng(1))
    assert haar_overlap(4, 50, rng=1) != haar_overlap(4, 50, rng=2)
