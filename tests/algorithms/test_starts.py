import numpy as np
import pytest

from rbmnotes import Gaussian, Rademacher, SpikedModel, pca, pca_overlap
from rbmnotes.algorithms.starts import informed_start, random_start, spectral_start
from rbmnotes.evidence import extrapolate
from tests.laws import SKEWED


def overlaps(r, k, seed):
    """A signal overlap without symmetry, and a self overlap with room above what it takes."""
    rng = np.random.default_rng(seed)
    M = rng.uniform(-0.6, 0.9, (r, k))
    root = rng.standard_normal((k, k))
    return M, 1.5 * M.T @ M + root @ root.T / k + 0.1 * np.eye(k)


@pytest.mark.parametrize("prior", [Rademacher(), Gaussian(), SKEWED], ids=repr)
@pytest.mark.parametrize(("r", "k"), [(1, 1), (2, 2), (1, 3), (3, 1), (4, 5)])
def test_overlaps_are_exact(prior, r, k):
    # products over d = 200 entries: round-off 1e-12, for signals that are not orthogonal
    W_star = prior.sample((200, r), np.random.default_rng(r + 10 * k))
    M, Q = overlaps(r, k, seed=k)
    W = informed_start(W_star, M, Q, rng=0)
    assert W.shape == (200, k)
    np.testing.assert_allclose(W_star.T @ W / 200, M, atol=1e-12)
    np.testing.assert_allclose(W.T @ W / 200, Q, atol=1e-12)


def test_no_room_beside_the_signal():
    # Q exactly what M takes: the start lies in the span of the signals
    W_star = Rademacher().sample((60, 2), np.random.default_rng(0))
    M, _ = overlaps(2, 2, seed=1)
    inside = W_star @ np.linalg.solve(W_star.T @ W_star / 60, M)
    W = informed_start(W_star, M, inside.T @ inside / 60, rng=0)
    # a square root turns round-off of 1e-16 into 1e-8
    np.testing.assert_allclose(W, inside, atol=1e-6)


def test_smallest_dimension():
    W_star = np.random.default_rng(1).standard_normal((5, 2))
    M, Q = overlaps(2, 3, seed=2)
    Q += 4 * np.eye(3)  # signals of five entries are far from orthogonal
    W = informed_start(W_star, M, Q, rng=0)
    np.testing.assert_allclose(W_star.T @ W / 5, M, atol=1e-12)
    np.testing.assert_allclose(W.T @ W / 5, Q, atol=1e-12)


@pytest.mark.parametrize("missing", [1e-6, 0.3])
def test_too_small_a_norm_is_refused(missing):
    W_star = Rademacher().sample((60, 2), np.random.default_rng(0))
    M, _ = overlaps(2, 2, seed=1)
    inside = W_star @ np.linalg.solve(W_star.T @ W_star / 60, M)
    Q = inside.T @ inside / 60
    with pytest.raises(ValueError, match=r"^Q must be at least what the overlap M takes"):
        informed_start(W_star, M, Q - missing * np.eye(2), rng=0)


def test_the_rest_is_random_and_isotropic():
    # Beside the signal the weights are M w* + sqrt(Q - M^2) times a random direction: over 200
    # draws the mean of an entry is M w* within 4.5 standard errors.
    W_star = Rademacher().sample((30, 1), np.random.default_rng(3))
    draws = np.array(
        [informed_start(W_star, [[0.4]], [[1.0]], rng=seed)[:, 0] for seed in range(200)]
    )
    errors = draws.std(axis=0, ddof=1) / np.sqrt(200)
    assert np.max(np.abs(draws.mean(axis=0) - 0.4 * W_star[:, 0]) / errors) < 4.5
    # the variance of an entry is 1 - 0.16 less the share 1/30 of the signal's direction
    expected = (1.0 - 0.16) * 30 * (1 - 1 / 30) / 29
    # 6000 squares, nearly independent: relative error sqrt(2/6000), times 4.5
    assert draws.var(axis=0, ddof=1).mean() == pytest.approx(expected, rel=0.082)


def test_random_start():
    W = random_start(3000, 4, rng=5)
    assert W.shape == (3000, 4)
    np.testing.assert_array_equal(W, random_start(3000, 4, rng=np.random.default_rng(5)))
    assert not np.array_equal(W, random_start(3000, 4, rng=6))
    # 12 000 values: 4.5 standard errors of the mean, of the variance and of the fourth moment
    for order, expected, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (4, 3.0, 96.0)):
        assert abs(np.mean(W**order) - expected) < 4.5 * np.sqrt(variance / W.size)


def test_same_seed_same_start():
    W_star = Rademacher().sample((40, 1), np.random.default_rng(0))
    first, again, other = (informed_start(W_star, [[0.5]], [[1.0]], rng=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


# the spectral start ------------------------------------------------------------------------------


def with_singular_values(squares, n, d, seed=0):
    """A matrix X for which X / sqrt(d) has the given squared singular values."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((n, len(squares))))[0]
    right = np.linalg.qr(rng.standard_normal((d, len(squares))))[0]
    return np.sqrt(d) * (left * np.sqrt(squares)) @ right.T


@pytest.mark.parametrize("alpha", [0.5, 1.0, 4.0])
def test_factors_invert_the_law_of_the_singular_value(alpha):
    # Given exactly the limit (1 + s)(alpha + 1 / s), s = snr^2, of a spike's squared singular
    # value, the factor is alpha s / (1 + alpha s) to round-off, amplified near threshold.
    snr = alpha**-0.25 * np.array([4.0, 2.0, 1.3, 1.05])
    d, squares = 40, (1 + snr**2) * (alpha + snr**-2)
    X = with_singular_values(squares, round(alpha * d), d)
    W, factors = spectral_start(X, 4)
    np.testing.assert_allclose(factors, alpha * snr**2 / (1 + alpha * snr**2), rtol=1e-10)
    np.testing.assert_allclose(np.sum(W**2, axis=0), d, rtol=1e-12)


def test_a_singular_value_inside_the_bulk_counts_as_one_at_threshold():
    alpha, d = 4.0, 30
    edge = (1 + np.sqrt(alpha)) ** 2
    X = with_singular_values(edge * np.array([1.0, 0.9, 0.2]), round(alpha * d), d)
    factors = spectral_start(X, 3)[1]
    # at threshold alpha snr^2 = sqrt(alpha); at the edge itself a square root of round-off, 1e-7
    np.testing.assert_allclose(factors, np.sqrt(alpha) / (1 + np.sqrt(alpha)), atol=1e-6)


def test_factors_of_spiked_data():
    # d = 1000, tolerance four times the spread of the factors over seeds 40-55, 0.0012 and 0.0045
    model = SpikedModel(4.0, (1.8, 1.2))
    factors = spectral_start(model.sample(1000, rng=0).X, 2)[1]
    strength = 4.0 * np.array(model.snr) ** 2
    assert np.all(np.abs(factors - strength / (1 + strength)) < [0.0048, 0.018])


def test_spectral_weights_are_the_components_with_their_sign():
    X = SpikedModel(4.0, (1.8, 1.2)).sample(100, rng=1).X
    W, _ = spectral_start(X, 2)
    np.testing.assert_array_equal(W, pca(X, 2).W)
    assert np.all(W[np.abs(W).argmax(axis=0), range(2)] > 0)
    right = np.linalg.svd(X, full_matrices=False)[2][:2]
    np.testing.assert_allclose(np.abs(right @ W), 10.0 * np.eye(2), atol=1e-9)


def test_the_corrected_field_of_a_singular_vector_has_the_law_of_a_field():
    # lambda m U + N(0, 1) with m PCA's overlap: mean along U and mean square, at three sizes. Of
    # the two roots of the response's equation, 1 / (alpha lambda^2) and lambda^2, only the first
    # gives it.
    model, sizes, draws = SpikedModel(4.0, 1.2), (200, 400, 800), 16
    snr, alpha = 1.2, 4.0
    m = pca_overlap(alpha, snr)
    samples = {"mean": [], "square": []}
    for d in sizes:
        values = []
        for seed in range(draws):
            data = model.sample(d, rng=[50, d, seed])
            W = pca(data.X, 1).W
            W = W * np.sign(np.sum(W * data.W_star))
            field = (data.X @ W)[:, 0] / np.sqrt(d)
            values.append([np.mean(field * data.U[:, 0]), np.mean(field**2)])
        for name, column in zip(samples, np.array(values).T, strict=True):
            samples[name].append(column)
    for response, verdict in ((1 / (alpha * snr**2), "agrees"), (snr**2, "disagrees")):
        # both solve alpha x^2 + (1 + alpha - sigma^2) x + 1 = 0
        square = (1 + snr**2) * (alpha + snr**-2)
        left = alpha * response**2 + (1 + alpha - square) * response + 1
        assert left == pytest.approx(0.0, abs=1e-12)
        factor = 1 / (1 + response)
        mean = extrapolate(sizes, samples["mean"], snr * m / factor)
        power = extrapolate(sizes, samples["square"], (snr**2 * m**2 + 1) / factor**2)
        assert mean.verdict == power.verdict == verdict
