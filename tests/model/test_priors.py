import numpy as np
import pytest
from scipy.integrate import quad

from rbmnotes import Bernoulli, Discrete, Gaussian, Rademacher
from rbmnotes.model.joint_states import joint_states
from tests.helpers import enumerate_states
from tests.laws import FOUR, SKEWED, UNEVEN, WIDE_TERNARY

OUT_OF_ORDER = Discrete((2.0, -0.5), (0.2, 0.8))  # mean 0, variance 1, given out of order
DISCRETE = [Rademacher(), Bernoulli(), WIDE_TERNARY, OUT_OF_ORDER, UNEVEN, FOUR]
ALL = [*DISCRETE, Gaussian()]
FIELDS = np.array([-3.1, -1.0, -0.2, 0.0, 0.4, 1.3, 2.7])


def average(prior, function):
    """E function(x): a plain sum over the support, or adaptive quadrature."""
    if isinstance(prior, Gaussian):
        density = lambda x: np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)  # noqa: E731
        # the fields used here shift the weight by at most 3.1, so 14 leaves out e^{-59}
        return quad(lambda x: function(x) * density(x), -14, 14, epsabs=1e-13, epsrel=1e-13)[0]
    return sum(p * function(x) for x, p in zip(prior.support, prior.probabilities, strict=True))


@pytest.mark.parametrize("prior", ALL, ids=repr)
def test_moments_match_sum_or_quadrature(prior):
    # 1e-12: round-off of sums of numbers up to 3**6
    for order in range(7):
        expected = average(prior, lambda x, order=order: x**order)
        assert prior.moment(order) == pytest.approx(expected, abs=1e-12)
    assert prior.mean == pytest.approx(average(prior, lambda x: x), abs=1e-14)
    variance = average(prior, lambda x: (x - prior.mean) ** 2)
    assert prior.variance == pytest.approx(variance, abs=1e-12)


@pytest.mark.parametrize("prior", ALL, ids=repr)
def test_log_mgf_matches_sum_or_quadrature(prior):
    expected = [np.log(average(prior, lambda x, z=z: np.exp(z * x))) for z in FIELDS]
    np.testing.assert_allclose(prior.log_mgf(FIELDS), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("prior", ALL, ids=repr)
def test_tilted_moments_are_derivatives_of_log_mgf(prior):
    # a third-order and a fifth-order rest at this step leave 1e-9 and 1e-7
    h = 1e-3
    down2, down, middle, up, up2 = (prior.log_mgf(FIELDS + s * h) for s in (-2, -1, 0, 1, 2))
    first = (8 * (up - down) - (up2 - down2)) / (12 * h)
    second = (16 * (up + down) - (up2 + down2) - 30 * middle) / (12 * h * h)
    np.testing.assert_allclose(prior.tilted_mean(FIELDS), first, atol=1e-9)
    np.testing.assert_allclose(prior.tilted_variance(FIELDS), second, atol=1e-7)


@pytest.mark.parametrize("prior", ALL, ids=repr)
def test_tilted_moments_match_weighted_sums(prior):
    for z in FIELDS:
        total = average(prior, lambda x, z=z: np.exp(z * x))
        mean = average(prior, lambda x, z=z: x * np.exp(z * x)) / total
        second = average(prior, lambda x, z=z: x**2 * np.exp(z * x)) / total
        assert prior.tilted_mean(z) == pytest.approx(mean, abs=1e-11)
        assert prior.tilted_variance(z) == pytest.approx(second - mean**2, abs=1e-10)


@pytest.mark.parametrize("prior", DISCRETE, ids=repr)
@pytest.mark.parametrize("z", [-800.0, 800.0])
def test_extreme_fields_pick_one_point(prior, z):
    # all other points weigh e^{-400} or less (RuntimeWarning is an error here: no overflow)
    point = prior.support[-1] if z > 0 else prior.support[0]
    weight = prior.probabilities[-1] if z > 0 else prior.probabilities[0]
    field = np.array([z])
    np.testing.assert_allclose(prior.log_mgf(field), z * point + np.log(weight), rtol=1e-14)
    np.testing.assert_allclose(prior.tilted_mean(field), point, atol=1e-14)
    np.testing.assert_allclose(prior.tilted_variance(field), 0.0, atol=1e-100)
    np.testing.assert_allclose(prior.posterior_mean(field, 2.0), point, atol=1e-14)
    assert np.all(prior.sample_tilted(np.full(100, z), 0) == point)


def test_extreme_fields_of_a_gaussian_unit():
    field = np.array([-800.0, 800.0])
    np.testing.assert_array_equal(Gaussian().log_mgf(field), [320000.0, 320000.0])
    np.testing.assert_array_equal(Gaussian().tilted_mean(field), field)


@pytest.mark.parametrize("prior", DISCRETE, ids=repr)
@pytest.mark.parametrize("z", [-0.9, 0.0, 0.6])
def test_sample_tilted_frequencies(prior, z):
    # binomial counts: a frequency is off by 4.5 standard errors once in 150000
    n = 40_000
    draws = prior.sample_tilted(np.full((n // 4, 4), z), 7)
    assert draws.shape == (n // 4, 4)
    assert set(np.unique(draws)) == set(prior.support)
    total = average(prior, lambda x: np.exp(z * x))
    for point, weight in zip(prior.support, prior.probabilities, strict=True):
        p = weight * np.exp(z * point) / total
        assert abs(np.mean(draws == point) - p) < 4.5 * np.sqrt(p * (1 - p) / n)


def test_sample_tilted_gives_every_entry_its_own_field():
    # one row per field: the mean of a column follows that column's field, 4.5 standard errors
    n, fields = 20_000, np.array([-1.0, 0.0, 2.0])
    for prior in ALL:
        draws = prior.sample_tilted(np.tile(fields, (n, 1)), 3)
        errors = np.sqrt(prior.tilted_variance(fields) / n)
        assert np.all(np.abs(draws.mean(axis=0) - prior.tilted_mean(fields)) < 4.5 * errors)


def test_gaussian_tilted_samples_have_unit_variance():
    # the variance of n squared normals is 2/n: 4.5 standard errors
    draws = Gaussian().sample_tilted(np.full(40_000, 1.5), 1)
    assert abs(np.mean((draws - 1.5) ** 2) - 1.0) < 4.5 * np.sqrt(2 / 40_000)


@pytest.mark.parametrize("prior", ALL, ids=repr)
def test_sampling_is_reproducible_and_untilted_by_default(prior):
    first = prior.sample((30, 4), 5)
    np.testing.assert_array_equal(first, prior.sample((30, 4), np.random.default_rng(5)))
    np.testing.assert_array_equal(first, prior.sample_tilted(np.zeros((30, 4)), 5))
    assert not np.array_equal(first, prior.sample((30, 4), 6))


@pytest.mark.parametrize("prior", DISCRETE, ids=repr)
def test_quantiles_have_the_shares_of_the_law(prior):
    # midpoints of 1000 equal intervals: a share is off by at most one of them at either edge
    values = prior.quantile((np.arange(1000).reshape(10, 100) + 0.5) / 1000)
    assert values.shape == (10, 100)
    assert np.all(np.diff(values.ravel()) >= 0)
    for point, p in zip(prior.support, prior.probabilities, strict=True):
        assert abs(np.mean(values == point) - p) < 2.1e-3


def test_quantiles_of_a_gaussian():
    z = np.array([-3.0, -0.5, 0.0, 1.2])
    cumulative = [average(Gaussian(), lambda x, b=b: float(x <= b)) for b in z]
    np.testing.assert_allclose(Gaussian().quantile(cumulative), z, atol=1e-4)  # a jump, integrated


@pytest.mark.parametrize("prior", ALL, ids=repr)
@pytest.mark.parametrize("precision", [0.0, 0.7, 3.0])
def test_posterior_mean_by_brute_force(prior, precision):
    # 1e-11: the accuracy of the quadrature in the Gaussian case
    for field in FIELDS:
        weight = lambda x, f=field: np.exp(f * x - 0.5 * precision * x * x)  # noqa: E731
        mean = average(prior, lambda x, w=weight: x * w(x)) / average(prior, weight)
        assert prior.posterior_mean(field, precision) == pytest.approx(mean, abs=1e-11)


@pytest.mark.parametrize("prior", DISCRETE, ids=repr)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_joint_states_in_lexicographic_order(prior, k):
    # itertools.product is lexicographic, and the support is sorted
    states, log_weights = joint_states(prior, k)
    expected, probabilities = enumerate_states(prior, k)
    np.testing.assert_array_equal(states, expected)
    np.testing.assert_allclose(np.exp(log_weights), probabilities, rtol=1e-13)


@pytest.mark.parametrize("prior", [Rademacher(), WIDE_TERNARY, FOUR], ids=repr)
def test_joint_states_of_a_symmetric_law_mirror(prior):
    states, _ = joint_states(prior, 3)
    np.testing.assert_array_equal(states[::-1], -states)


@pytest.mark.parametrize(
    ("support", "probabilities"),
    [
        ((0.0, 0.25, 0.5), (1 - 2e-9, 1e-9, 1e-9)),  # the law passes on at fields near 41
        ((0.0, 1.0, 2.0), (1 - 2e-9, 1e-9, 1e-9)),
        ((-3.0, 0.0, 0.2, 0.4), (0.1, 0.2, 0.3, 0.4)),  # gaps of very different size
        ((-1.0, 0.0, 1.0), (0.05, 0.9, 0.05)),
        ((-1.0, 0.0, 1.0), (0.4, 0.2, 0.4)),
    ],
)
def test_largest_tilted_variance_over_a_dense_scan(support, probabilities):
    points, z = np.array(support), np.linspace(-200.0, 200.0, 400_001)
    log_weights = np.log(probabilities) + z[:, None] * points
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    variance = weights @ points**2 - (weights @ points) ** 2
    # the scan's step of 0.001 misses a maximum by its curvature times 1e-6 / 8
    found = Discrete(support, probabilities).max_tilted_variance
    assert found == pytest.approx(variance.max(), rel=1e-5)


def test_joint_states_of_no_unit_is_one_empty_state():
    states, log_weights = joint_states(WIDE_TERNARY, 0)
    assert states.shape == (1, 0)
    np.testing.assert_array_equal(log_weights, [0.0])


def test_joint_states_are_shared_and_so_read_only():
    states, log_weights = joint_states(Rademacher(), 3)
    for array in (states, log_weights):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_symmetry_is_recognised():
    assert [prior.is_symmetric for prior in ALL] == [True, False, True, False, False, True, True]
    # a mirrored support alone is not enough
    assert not Discrete((-1.0, 1.0), (0.4, 0.6)).is_symmetric


def test_discrete_sorts_its_points_with_their_probabilities():
    assert OUT_OF_ORDER.support == (-0.5, 2.0)
    assert OUT_OF_ORDER.probabilities == (0.8, 0.2)
    assert SKEWED == OUT_OF_ORDER


@pytest.mark.parametrize("special", [Rademacher(), Bernoulli()], ids=repr)
def test_closed_forms_equal_the_general_discrete_law(special):
    general = Discrete(special.support, special.probabilities)
    z = np.linspace(-40, 40, 801)
    np.testing.assert_allclose(special.log_mgf(z), general.log_mgf(z), atol=1e-13, rtol=1e-14)
    np.testing.assert_allclose(special.tilted_mean(z), general.tilted_mean(z), atol=1e-14)
    # relative, so that the exponentially small tails count
    np.testing.assert_allclose(
        special.tilted_variance(z)[::20], general.tilted_variance(z)[::20], rtol=1e-9
    )
    np.testing.assert_allclose(
        special.posterior_mean(z, 1.3), general.posterior_mean(z, 1.3), atol=1e-14
    )
