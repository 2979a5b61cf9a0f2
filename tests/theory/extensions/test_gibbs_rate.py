"""How fast CD's bias falls with its cycles: enumeration, the theory's own chains, long chains."""

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy.integrate import quad

from rbmnotes import (
    Bernoulli,
    Discrete,
    Gaussian,
    Rademacher,
    SpikedModel,
    dmft,
    eta2_moments,
    gibbs_rate,
)
from rbmnotes.theory._dmft_paths import negative_phase
from tests.helpers import enumerate_states
from tests.laws import SKEWED, TERNARY

Q_TWO = np.array([[2.0, 0.4], [0.4, 1.4]])


def sampled_correlation(Q, hidden, n, rng):
    """Correlation of h1 h2 (one unit: h^2 or h) with itself a cycle later, in the model's law."""
    h, p_h = enumerate_states(hidden, len(Q))
    law = p_h * np.exp(0.5 * np.sum(h @ Q * h, axis=1))
    s = h[rng.choice(len(h), size=n, p=law / law.sum())]
    f = s @ Q + rng.multivariate_normal(np.zeros(len(Q)), Q, size=n)
    after = hidden.sample_tilted(f, rng)
    return s, after


def test_one_rademacher_unit_has_no_mode():
    assert gibbs_rate([[1.7]]) == 0.0


@pytest.mark.parametrize(
    ("hidden", "Q", "mode"),
    [
        (Rademacher(), Q_TWO, lambda s: s[:, 0] * s[:, 1]),
        (Bernoulli(), np.array([[1.7]]), lambda s: s[:, 0]),
        (TERNARY, np.array([[1.3]]), lambda s: s[:, 0] ** 2),
    ],
    ids=["two signs", "Bernoulli", "three values"],
)
def test_rate_is_the_correlation_of_the_one_mode_there_is(hidden, Q, mode):
    # in each case a single mode is left, and a reversible chain decorrelates it by its eigenvalue
    before, after = (
        mode(s) for s in sampled_correlation(Q, hidden, 10**6, np.random.default_rng(0))
    )
    # a correlation of 1e6 pairs has a standard error of at most 1e-3
    assert gibbs_rate(Q, hidden) == pytest.approx(np.corrcoef(before, after)[0, 1], abs=4e-3)
    assert abs(gibbs_rate(0.9 * Q, hidden) - np.corrcoef(before, after)[0, 1]) > 8e-3


@pytest.mark.parametrize("q", [1e-3, 0.3, 1.7])
def test_rate_of_a_skewed_unit_by_quadrature(q):
    """Two points of unequal weight: the second eigenvalue of a 2 x 2 matrix is its trace less one.

    Its transition matrix comes from adaptive quadrature. The smallest norm has a rate of the order
    of q, which is heard: one mode moves the penalty however little.
    """
    points, weights = np.array([-0.5, 2.0]), np.array([0.8, 0.2])

    def stays(s, index):
        def integrand(x):
            terms = weights * np.exp(points * (q * s + np.sqrt(q) * x))
            return terms[index] / terms.sum() * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)

        return quad(integrand, -12.0, 12.0, epsabs=1e-13)[0]

    trace = sum(stays(s, index) for index, s in enumerate(points))
    assert gibbs_rate([[q]], Discrete(points, weights)) == pytest.approx(trace - 1.0, abs=1e-10)


def test_rate_of_two_skewed_units_from_the_unsymmetrised_transition():
    """All modes move the penalty of two skewed units, so the second eigenvalue is the rate."""
    law = SKEWED
    states, p_h = enumerate_states(law, 2)
    nodes, node_weights = hermegauss(60)
    noise = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    noise_weights = np.outer(node_weights, node_weights).ravel() / (2 * np.pi)
    fields = (states @ Q_TWO)[:, None] + noise @ np.linalg.cholesky(Q_TWO).T
    terms = p_h * np.exp(fields @ states.T)
    laws = terms / terms.sum(axis=-1, keepdims=True)
    transition = np.einsum("p,spt->st", noise_weights, laws)
    second = np.sort(np.linalg.eigvals(transition).real)[-2]
    # Gauss-Hermite with 60 nodes a dimension has converged to about 1e-8 here
    assert gibbs_rate(Q_TWO, law) == pytest.approx(second, abs=1e-6)


@pytest.mark.parametrize("hidden", [Rademacher(), Bernoulli(), TERNARY], ids=repr)
def test_multiplier_of_the_theory_falls_at_this_rate(hidden):
    # the theory's chains average over 2^11 Sobol points: its own limit, not <hh>, is subtracted
    field = np.random.default_rng(0).multivariate_normal([0.8, 0.2], Q_TWO, size=1024)

    def multiplier(cycles):
        return negative_phase(field, Q_TWO, hidden, cycles, np.random.default_rng(1))[0]

    end = multiplier(300)
    np.testing.assert_allclose(end, eta2_moments(Q_TWO, hidden).second, atol=2e-3)
    gaps = [np.abs(multiplier(cycles) - end).max() for cycles in (11, 12, 13)]
    assert gaps[2] > 1e-9
    for later, earlier in ((1, 0), (2, 1)):
        assert gaps[later] / gaps[earlier] == pytest.approx(gibbs_rate(Q_TWO, hidden), rel=0.02)


@pytest.mark.parametrize(
    ("hidden", "k"), [(Rademacher(), 2), (Bernoulli(), 1), (Bernoulli(), 2)], ids=str
)
def test_contrastive_divergence_tends_to_descent_with_noise(hidden, k):
    # M after one step depends on the multiplier at the start alone; later, on those of all steps
    # before, and the slowest wins
    model = SpikedModel(3.0, (2.0, 1.5)[:k])
    M0 = np.array([[0.6, 0.25], [-0.2, 0.5]])[:k, :k]
    Q0 = np.array([[0.9, 0.2], [0.2, 0.9]])[:k, :k]

    def solve(cycles):
        return dmft(
            *(model, M0, Q0, 0.1, 6, 256, 0, hidden), method="cd", cycles=cycles, n_solves=1
        )

    counts = (8, 10, 12, 14)
    limit, solves = solve(300), [solve(cycles) for cycles in counts]
    gaps = np.array([[np.abs(s.M[t] - limit.M[t]).max() for s in solves] for t in range(1, 7)])
    factors = np.sqrt(gaps[:, 1:] / gaps[:, :-1])
    first = gibbs_rate(Q0, hidden)
    assert factors[0] == pytest.approx(first, rel=0.02)  # 2^11 points for the transitions
    slowest = max(gibbs_rate(Q, hidden) for Q in limit.Q[:6])
    assert slowest > 1.2 * first  # the weights grow
    assert np.all(np.diff(factors[5]) > -2e-3)  # climbs to the slowest
    assert 0.9 * slowest < factors[5, -1] < 1.02 * slowest
    # what is left is noise: CD with very many cycles adds it to C(1, 1) and nothing to M
    plain = dmft(model, M0, Q0, 0.1, 6, 256, 0, hidden, n_solves=1)
    np.testing.assert_allclose(limit.M[1], plain.M[1], atol=1e-3)
    added = (limit.C[1, 1] - plain.C[1, 1]) / 0.1**2
    assert np.linalg.eigvalsh(added)[0] > 0.05


BAD = {
    "Q": [1.0, [[1.0, 0.5]], np.eye(3), [[1.0, 2.0], [2.0, 1.0]], [[np.nan]], [[-1.0]], [[0.0]]],
    "hidden": ["signs", None, Gaussian()],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values], ids=str
)
def test_bad_input_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        gibbs_rate(**{"Q": [[1.0]]} | {name: value})
