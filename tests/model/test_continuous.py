"""Laws of one's own: a half-normal and a uniform one by their density, a spin of one by points."""

import pickle

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import log_ndtr

import rbmnotes as rn
from rbmnotes.theory.bayes_limit import posterior_overlap

ROOT_THREE = np.sqrt(3.0)
HALF_NORMAL = rn.Continuous(stats.halfnorm.logpdf, (0.0, 10.0))  # leaves out a share of 1e-23
UNIFORM = rn.Continuous(np.zeros_like, (-ROOT_THREE, ROOT_THREE))
LAPLACE = rn.Continuous(lambda x: -np.sqrt(2.0) * np.abs(x), (-25.0, 0.0, 25.0))
SPIN_ONE = rn.Discrete((-1.0, 0.0, 1.0), (1 / 3, 1 / 3, 1 / 3))
DENSITY = {
    HALF_NORMAL: lambda x: np.sqrt(2.0 / np.pi) * np.exp(-0.5 * x * x),
    UNIFORM: lambda x: 0.5 / ROOT_THREE,
    LAPLACE: lambda x: np.exp(-np.sqrt(2.0) * abs(x)) / np.sqrt(2.0),
}
ENDS = {HALF_NORMAL: (0.0, 10.0), UNIFORM: (-ROOT_THREE, ROOT_THREE), LAPLACE: (-25.0, 25.0)}


class Triangle(rn.Prior):
    """Has all the functions of a prior, but neither points nor a density."""

    is_symmetric = True
    max_tilted_variance = 1.0

    def moment(self, order):
        return 0.0 if order % 2 else 1.0

    def log_mgf(self, z):
        return 0.5 * np.square(z)

    tilted_mean = tilted_variance = posterior_mean = sample_tilted = quantile = None


def expectation(law, function):
    low, high = ENDS[law]
    points = [0.0] if low < 0.0 else None
    return quad(
        lambda x: function(x) * DENSITY[law](x), low, high, points=points, epsabs=1e-13, limit=400
    )[0]


@pytest.mark.parametrize("law", [HALF_NORMAL, UNIFORM, LAPLACE], ids=repr)
def test_moments_and_generating_function_by_adaptive_quadrature(law):
    # 1e-10: an order of magnitude within the error at which a rule is refused
    for order in range(5):
        expected = expectation(law, lambda x, order=order: x**order)
        assert law.moment(order) == pytest.approx(expected, rel=1e-10, abs=1e-12)
    for z in (-1.2, 0.0, 0.7):
        total = expectation(law, lambda x, z=z: np.exp(z * x))
        mean = expectation(law, lambda x, z=z: x * np.exp(z * x)) / total
        assert law.log_mgf(z) == pytest.approx(np.log(total), abs=1e-9)
        assert law.tilted_mean(z) == pytest.approx(mean, abs=1e-9)
    assert law.is_symmetric == (ENDS[law][0] < 0.0)


def test_half_normal_units_have_the_closed_forms():
    z = np.linspace(-6.0, 3.0, 10)
    expected = 0.5 * z**2 + np.log(2.0) + log_ndtr(z)
    np.testing.assert_allclose(HALF_NORMAL.log_mgf(z), expected, atol=1e-11)
    for q in (0.1, 0.5):  # the tail beyond the cut weighs e^{-25} at q = 0.5
        assert rn.eta2([[q]], HALF_NORMAL) == pytest.approx(-0.5 * np.log1p(-q), abs=1e-10)


def test_eta2_is_that_of_the_law_and_not_of_a_gaussian():
    # the case in point: 0.468 by quadrature at q = 0.8, where a Gaussian has 0.805
    exact = np.log(expectation(UNIFORM, lambda x: np.exp(0.4 * x * x)))
    assert exact == pytest.approx(0.468, abs=1e-3)
    assert rn.eta2([[0.8]], UNIFORM) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("hidden", [HALF_NORMAL, UNIFORM, SPIN_ONE], ids=repr)
def test_an_exact_machine_is_the_effective_one_for_gaussian_visible_units(hidden):
    W = 0.6 * np.random.default_rng(0).standard_normal((40, 2))
    machine = rn.RBM(W, visible=rn.Gaussian(), hidden=hidden)
    log_weights = machine._state_log_weights()  # the sum over the joint points
    total = np.log(np.sum(np.exp(log_weights - log_weights.max()))) + log_weights.max()
    assert machine.log_partition(exact=False) == pytest.approx(total, abs=1e-10)


@pytest.mark.parametrize(
    ("law", "cumulative"),
    [
        (HALF_NORMAL, stats.halfnorm.cdf),
        (UNIFORM, stats.uniform(-ROOT_THREE, 2 * ROOT_THREE).cdf),
        (LAPLACE, stats.laplace(scale=np.sqrt(0.5)).cdf),
    ],
)
def test_draws_have_the_density(law, cumulative):
    # of 20,000 draws; a false alarm once in 1000 seeds
    assert stats.kstest(law.sample(20_000, 3), cumulative).pvalue > 1e-3
    assert stats.kstest(law.sample_tilted(np.zeros(20_000), 4), cumulative).pvalue > 1e-3


def test_draws_in_a_field_have_the_tilted_density():
    draws = HALF_NORMAL.sample_tilted(np.tile([2.0, -1.0], (20_000, 1)), 1)
    for column, z in zip(draws.T, (2.0, -1.0), strict=True):
        law = stats.truncnorm(-z, np.inf, loc=z)
        assert stats.kstest(column, law.cdf).pvalue > 1e-3
        wrong = stats.truncnorm(-z, np.inf, loc=1.05 * z)
        assert stats.kstest(column, wrong.cdf).pvalue < 1e-3


@pytest.mark.parametrize("hidden", [HALF_NORMAL, UNIFORM, SPIN_ONE], ids=repr)
def test_amp_follows_state_evolution(hidden):
    # one step from an informed start; entries of M and Q fluctuate by d^{-1/2}, here 0.02
    model = rn.SpikedModel(2.0, 1.5, prior_u=UNIFORM)
    data = model.sample(2000, 0)
    M, Q, V = np.array([[0.4]]), np.array([[0.5]]), np.array([[0.2]])
    start = rn.informed_start(data.W_star, M, Q, rng=1)
    fit = rn.amp_rbm(data.X, hidden=hidden, start=start, V0=V, max_iter=1, W_star=data.W_star)
    theory = rn.state_evolution(model, M, Q, V, n_iter=1, hidden=hidden)
    assert fit.history.M[1] == pytest.approx(theory.M[1], abs=0.1 * abs(theory.M[1, 0, 0]))
    assert fit.history.V[1] == pytest.approx(theory.V[1], rel=0.05)
    gaussian = rn.state_evolution(model, M, Q, V, n_iter=1, hidden=rn.Gaussian())
    assert abs(gaussian.V[1] - theory.V[1]) > 0.1 * theory.V[1]  # which it was taken for


def test_a_uniform_signal_in_a_gaussian_channel():
    # F(g) = 1 - E Var(x|y): by adaptive quadrature over y
    gamma = 2.0

    def error(y):
        weight = [
            expectation(UNIFORM, lambda x, o=o: x**o * np.exp(gamma * x * y - 0.5 * gamma * x * x))
            for o in range(3)
        ]
        density = np.sqrt(gamma / (2 * np.pi)) * np.exp(-0.5 * gamma * y * y) * weight[0]
        return density * (weight[2] / weight[0] - (weight[1] / weight[0]) ** 2)

    expected = 1.0 - quad(error, -8.0, 8.0, epsabs=1e-9)[0]
    assert posterior_overlap(gamma, UNIFORM) == pytest.approx(expected, abs=1e-7)


def test_where_a_law_is_seen_through_more_than_its_points_it_is_refused():
    with pytest.raises(ValueError, match=r"^hidden, visible or prior: Continuous\(zeros_like"):
        UNIFORM.log_mgf(1e3)
    with pytest.raises(ValueError, match=r"^snr must not exceed what the points"):
        rn.bayes_overlap(4.0, 6.0, prior_w=UNIFORM)
    fine = rn.Continuous(np.zeros_like, (-ROOT_THREE, ROOT_THREE), points=512)
    assert fine.log_mgf(1e3) == pytest.approx(
        1e3 * ROOT_THREE - np.log(2e3 * ROOT_THREE), rel=1e-12
    )


def test_a_law_given_by_neither_points_nor_density_is_refused_by_name():
    own = Triangle()
    for name, call in {
        "hidden": lambda: rn.eta2([[0.5]], own),
        "prior_u": lambda: rn.SpikedModel(2.0, 1.0, prior_u=own),
        "visible": lambda: rn.RBM(np.ones((3, 1)), visible=own),
        "prior_w": lambda: rn.bayes_overlap(2.0, 1.0, prior_w=own),
    }.items():
        with pytest.raises(ValueError, match=rf"^{name} must be .*Continuous\(log_density, supp"):
            call()


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("support", lambda: rn.Continuous(stats.norm.logpdf, (-np.inf, np.inf))),
        ("support", lambda: rn.Continuous(stats.norm.logpdf, (1.0, 1.0))),
        ("support", lambda: rn.Continuous(stats.norm.logpdf, 1.0)),
        ("points", lambda: rn.Continuous(lambda x: -50.0 * np.abs(x), (-1.0, 3.0))),  # a kink
        ("points", lambda: rn.Continuous(np.zeros_like, (0.0, 1.0), points=3)),
        ("log_density", lambda: rn.Continuous(3.0, (0.0, 1.0))),
        ("log_density", lambda: rn.Continuous(lambda x: 1.0, (0.0, 1.0))),
        ("log_density", lambda: rn.Continuous(lambda x: x * np.nan, (0.0, 1.0))),
        ("log_density", lambda: rn.Continuous(lambda x: np.log(0.0 * x), (0.0, 1.0))),
    ],
)
def test_bad_densities_are_refused_by_name(name, call):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()


def test_equality_and_copies():
    again = rn.Continuous(np.zeros_like, (-ROOT_THREE, ROOT_THREE))
    assert again == UNIFORM
    assert hash(again) == hash(UNIFORM)
    assert again != rn.Continuous(np.zeros_like, (-ROOT_THREE, ROOT_THREE), points=128)
    copy = pickle.loads(pickle.dumps(HALF_NORMAL))
    np.testing.assert_array_equal(copy.sample(9, 0), HALF_NORMAL.sample(9, 0))
