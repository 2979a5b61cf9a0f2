import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import hadamard
from scipy.special import logsumexp
from scipy.stats import kstest, multivariate_normal

from rbmnotes import (
    Bernoulli,
    Discrete,
    Gaussian,
    Rademacher,
    SpikedModel,
    overlap,
    pca,
    teacher_rbm,
)
from tests.helpers import enumerate_states, standard_scores
from tests.laws import SKEWED

TANH_SCALE = quad(lambda z: np.tanh(z) ** 2 * np.exp(-0.5 * z * z), -12, 12, epsabs=1e-13)[0]
TANH_SCALE = (TANH_SCALE / np.sqrt(2 * np.pi)) ** -0.5


def linear(s, z):
    return s + z


def sign(s, z):
    return np.sign(s + z)


def random_sign_noise(s, z):
    return s + np.sign(z)


def squashed(s, z):
    return TANH_SCALE * np.tanh(s + z)


def test_shapes_and_counts():
    model = SpikedModel(alpha=1.7, snr=[1.2, 0.7])
    data = model.sample(d=30, rng=0)
    assert model.r == 2
    assert model.n(30) == 51
    assert data.X.shape == (51, 30)
    assert data.U.shape == (51, 2)
    assert data.W_star.shape == (30, 2)
    assert data.X.dtype == np.float64


def test_one_signal_may_be_given_as_a_number():
    assert SpikedModel(2.0, 1.3).snr == (1.3,)
    assert SpikedModel(2.0, 1.3) == SpikedModel(2.0, [1.3])


def test_there_is_at_least_one_sample():
    assert SpikedModel(0.01, 1.0).sample(10, rng=0).X.shape == (1, 10)


def test_same_seed_same_data():
    model = SpikedModel(2.0, [1.2, 0.7], prior_u=Gaussian(), prior_w=SKEWED)
    first = model.sample(20, rng=3)
    for again in (model.sample(20, rng=3), model.sample(20, rng=np.random.default_rng(3))):
        for name in ("X", "U", "W_star"):
            np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    other = model.sample(20, rng=4)
    assert not np.array_equal(first.X, other.X)


def test_global_random_state_is_not_used():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    SpikedModel(2.0, 1.2).sample(20)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_generator_moves_on():
    rng = np.random.default_rng(5)
    model = SpikedModel(2.0, 1.2)
    assert not np.array_equal(model.sample(20, rng).X, model.sample(20, rng).X)


@pytest.mark.parametrize("prior", [Rademacher(), SKEWED, Gaussian()], ids=repr)
def test_latent_variables_and_signals_follow_their_priors(prior):
    # 4.5 standard errors for the moments that tell the priors apart
    data = SpikedModel(1.0, [1.0] * 5, prior_u=prior, prior_w=prior).sample(4000, rng=6)
    for array in (data.U, data.W_star):
        powers = np.stack([array.ravel() ** order for order in (1, 3)], axis=1)
        expected = np.array([prior.moment(1), prior.moment(3)])
        assert np.abs(standard_scores(powers, expected)).max() < 4.5
        if not isinstance(prior, Gaussian):
            assert set(np.unique(array)) == set(prior.support)


@pytest.mark.parametrize("prior_u", [Rademacher(), SKEWED], ids=repr)
def test_covariance_given_the_signals(prior_u):
    # E x x^T = 1 + W* Lambda^2 W*^T/d and E x = 0; the largest of 44 scores exceeds 4.5 once in
    # 3000
    model = SpikedModel(3000.0, [1.5, 0.8], prior_u=prior_u)
    data = model.sample(8, rng=7)
    covariance = np.eye(8) + data.W_star @ np.diag([1.5**2, 0.8**2]) @ data.W_star.T / 8
    i, j = np.triu_indices(8)
    products = data.X[:, i] * data.X[:, j]
    assert np.abs(standard_scores(products, covariance[i, j])).max() < 4.5
    assert np.abs(standard_scores(data.X, np.zeros(8))).max() < 4.5


def test_noise_is_standard_normal_and_independent_of_the_signal():
    # what is left after the planted part is removed; 4.5 standard errors
    data = SpikedModel(20.0, [2.0, 1.0]).sample(50, rng=8)
    noise = data.X - (data.U * [2.0, 1.0]) @ data.W_star.T / np.sqrt(50)
    assert kstest(noise.ravel(), "norm").pvalue > 0.001
    assert np.abs(standard_scores(data.U * noise[:, :2], np.zeros(2))).max() < 4.5


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (None, 1.0),
        (linear, 1.0),
        (random_sign_noise, 1.0),
        # d/ds E sign(s + z) = 2 times the density at zero
        (sign, np.sqrt(2 / np.pi)),
        # d/ds E c tanh(s + z) = c E sech^2
        (
            squashed,
            TANH_SCALE
            * quad(lambda z: np.exp(-0.5 * z * z) / np.cosh(z) ** 2, -12, 12)[0]
            / np.sqrt(2 * np.pi),
        ),
    ],
    ids=["none", "linear", "sign noise", "sign", "tanh"],
)
def test_information_coefficient(channel, expected):
    # Richardson's extrapolation from s = 0.02 and 0.01 leaves about s^4/10 = 1e-9
    coefficient = SpikedModel(1.0, 1.0, channel=channel).information_coefficient
    assert coefficient == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("channel", [sign, random_sign_noise, squashed])
def test_channel_acts_on_signal_and_noise(channel):
    # the least-squares slope of the data on the planted part tends to kappa_1; the bias is of
    # order s^2 = 1/d = 0.0025 relative, the error (n d s^2)^{-1/2} = 0.005
    model = SpikedModel(50.0, 1.0, channel=channel)
    data = model.sample(400, rng=9)
    planted = data.U @ data.W_star.T / 20.0
    slope = np.sum(planted * data.X) / np.sum(planted**2)
    assert slope == pytest.approx(model.information_coefficient, abs=0.025)
    assert np.mean(data.X**2) == pytest.approx(1.0, abs=0.01)
    if channel is sign:
        assert set(np.unique(data.X)) == {-1.0, 1.0}


def test_information_coefficient_of_a_channel_that_is_not_odd():
    # mean at s: 0.6 s + 0.8 s^2 / sqrt 2, so that the difference must be central
    def channel(s, z):
        return 0.6 * (s + z) + 0.8 * ((s + z) ** 2 - 1.0) / np.sqrt(2.0)

    assert SpikedModel(1.0, 1.0, channel=channel).information_coefficient == pytest.approx(
        0.6, abs=1e-8
    )


def test_linear_channel_equals_no_channel():
    plain, linear_channel = SpikedModel(2.0, 1.2), SpikedModel(2.0, 1.2, channel=linear)
    np.testing.assert_array_equal(plain.sample(20, 1).X, linear_channel.sample(20, 1).X)


def test_channel_shrinks_the_signal_by_its_coefficient():
    # PCA on the sign of the data sees snr sqrt(2/pi): below BBP (alpha snr^4 = 1) that is nothing,
    # although the raw data shows the signal: cos^2 = 0.31 at snr 1.2
    for channel, visible in ((None, True), (sign, False)):
        model = SpikedModel(1.0, 1.2, channel=channel)
        cosines = []
        for seed in range(5):
            data = model.sample(500, rng=seed)
            cosines.append(overlap(data.W_star, pca(data.X, 1).W)[0, 0] ** 2)
        assert (np.mean(cosines) > 0.2) == visible


# teacher RBM ------------------------------------------------------------------------------------


def spiked_log_density(X, W_star, snr):
    """log p(x)/N(x; 0, 1) of the spiked model, summed over the latent signs."""
    u, probabilities = enumerate_states(Rademacher(), W_star.shape[1])
    means = (u * snr) @ W_star.T / np.sqrt(len(W_star))
    return logsumexp(X @ means.T - 0.5 * (means**2).sum(axis=1), b=probabilities, axis=1)


def test_teacher_rbm_is_the_spiked_model_for_orthogonal_signals():
    # columns of a Hadamard matrix: W*^T W* = d exactly, so the two laws are equal to round-off
    W_star, snr = hadamard(16)[:, [1, 6, 11]].astype(float), np.array([1.3, 0.9, 2.0])
    X = np.random.default_rng(10).standard_normal((40, 16))
    teacher = teacher_rbm(W_star, snr)
    np.testing.assert_allclose(
        teacher.log_likelihood(X), spiked_log_density(X, W_star, snr), atol=1e-12
    )
    # the same from normal densities, to tie the reference itself down
    u, probabilities = enumerate_states(Rademacher(), 3)
    mixture = [multivariate_normal((h * snr) @ W_star.T / 4.0).logpdf(X) for h in u]
    ratio = logsumexp(np.array(mixture), b=probabilities[:, None], axis=0)
    ratio -= multivariate_normal(np.zeros(16)).logpdf(X)
    np.testing.assert_allclose(teacher.log_likelihood(X), ratio, atol=1e-11)


def test_teacher_rbm_differs_for_signals_that_are_not_orthogonal():
    W_star, snr = hadamard(16)[:, [1, 6, 11]].astype(float), np.array([1.3, 0.9, 2.0])
    W_star[0, 0] *= -1  # overlaps 2/16 with the other columns
    X = np.random.default_rng(11).standard_normal((40, 16))
    difference = teacher_rbm(W_star, snr).log_likelihood(X) - spiked_log_density(X, W_star, snr)
    assert np.abs(difference).max() > 0.01


def test_random_signals_and_their_teacher_differ_by_a_bounded_divergence():
    # n times the divergence of one sample's law, latent signs included, against alpha/2 sum of
    # (lambda_i lambda_j)^2: its mean over signals, 3 standard errors; without the 1/2 it fails
    alpha, snr, d = 4.0, np.array([1.3, 0.9, 0.6]), 400
    u, _ = enumerate_states(Rademacher(), 3)
    rng, i, j = np.random.default_rng(18), *np.triu_indices(3, 1)

    def divergence(W_star):
        gram = W_star.T @ W_star / d
        shifts = (u[:, i] * u[:, j]) @ (snr[i] * snr[j] * gram[i, j])
        return alpha * d * (logsumexp(shifts) - np.log(len(u)))

    values = [divergence(rng.choice([-1.0, 1.0], (d, 3))) for _ in range(4000)]
    expected = alpha / 2 * np.sum((snr[i] * snr[j]) ** 2)
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert abs(np.mean(values) - expected) < 3 * error < 0.1 * expected
    assert abs(np.mean(values) - 2 * expected) > 3 * error


def test_samples_of_the_teacher_have_the_spiked_covariance():
    # 1 + W* Lambda^2 W*^T/d; 36 scores, 4.5 standard errors
    W_star, snr = hadamard(8)[:, [1, 2]].astype(float), np.array([1.5, 0.8])
    X = teacher_rbm(W_star, snr).sample(20_000, rng=12)
    covariance = np.eye(8) + (W_star * snr**2) @ W_star.T / 8
    i, j = np.triu_indices(8)
    assert np.abs(standard_scores(X[:, i] * X[:, j], covariance[i, j])).max() < 4.5


def test_teacher_of_one_signal_takes_a_number():
    W_star = hadamard(8)[:, 1:2].astype(float)
    teacher = teacher_rbm(W_star, 1.4)
    np.testing.assert_array_equal(teacher.W, 1.4 * W_star)
    assert isinstance(teacher.visible, Gaussian)
    assert isinstance(teacher.hidden, Rademacher)


# what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "channel",
    [
        lambda s, z: s + 2 * z,  # second moment four
        lambda s, z: s + z + 0.5,  # mean one half
        lambda s, z: s,  # no noise
        lambda s, z: np.tanh(s + z),  # not rescaled
    ],
    ids=["scaled", "shifted", "constant", "tanh"],
)
def test_channels_that_are_not_standardised_are_refused(channel):
    with pytest.raises(ValueError, match=r"^channel must have mean zero"):
        SpikedModel(1.0, 1.0, channel=channel)


@pytest.mark.parametrize("name", ["prior_u", "prior_w"])
@pytest.mark.parametrize("prior", [Bernoulli(), Discrete((-2.0, 2.0), (0.5, 0.5))], ids=repr)
def test_priors_that_are_not_standardised_are_refused(name, prior):
    with pytest.raises(ValueError, match=rf"^{name} must have mean zero and variance one"):
        SpikedModel(1.0, 1.0, **{name: prior})


def test_numbers_of_samples_are_rounded_and_at_least_one():
    assert [SpikedModel(0.3, 1.0).n(d) for d in (1, 2, 4, 5, 10)] == [1, 1, 1, 2, 3]
    assert SpikedModel(0.01, 1.0).n(10) == 1
    assert SpikedModel(2.6, 1.0).n(1) == 3
