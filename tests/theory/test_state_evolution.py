"""State evolution and its fixed point: section 5's numbers, plain equations, and simulations.

Simulations follow the protocol for trajectories: sizes, seeds and counts are constants, the bias
of order 1/d is removed by combining sizes instance by instance, and a whole path is judged as one.
"""

from functools import lru_cache

import numpy as np
import pytest
from scipy.optimize import brentq

import rbmnotes.theory.state_evolution as module
from rbmnotes import (
    Bernoulli,
    Gaussian,
    Rademacher,
    SpikedModel,
    amp_rbm,
    bbp_snr,
    branches,
    eta2,
    fixed_point,
    informed_start,
    loss,
    multiplier_step,
    outlier_eigenvalue,
    overlap,
    overlap_free_edge,
    pca_overlap,
    response_edge,
    state_evolution,
)
from rbmnotes.evidence import compare_paths, extrapolate
from rbmnotes.theory.quadrature import field_averages
from tests.laws import SKEWED, TERNARY, sparse

# plain equations ----------------------------------------------------------------------------------


def plain_averages(m, q, V, snr):
    """Section 5's sums for one sign and U = +-1, on a grid five times finer than the package's."""
    reach = 9 * np.sqrt(q) + 1
    z = np.linspace(snr * m - reach, snr * m + reach, 2001)
    t = np.tanh(z)
    slope = 1 - t * t
    jacobian = 1 - V * slope
    p = np.exp(-0.5 * (z - V * t - snr * m) ** 2 / q) / np.sqrt(2 * np.pi * q) * (z[1] - z[0])
    eta1 = np.logaddexp(z, -z) - np.log(2)
    integrands = (jacobian * t, jacobian * t * t, slope, slope**2 / jacobian, jacobian * eta1)
    return [float(np.sum(p * f)) for f in integrands]


def plain_step(alpha, snr, m, q, V):
    """One iteration of Corollary 1 for one sign: the multiplier is alpha."""
    ug, gg, slope, _, _ = plain_averages(m, q, V, snr)
    V = 1 / (alpha * (1 - slope))
    m = V * snr * alpha * ug
    return m, m * m + V * V * alpha * gg, V


def test_one_unit_follows_the_plain_recursion():
    model = SpikedModel(4.0, 1.3)
    theory = state_evolution(model, [[0.6]], [[1.1]], [[0.2]], n_iter=6)
    state = (0.6, 1.1, 0.2)
    for t in range(7):
        found = (theory.M[t, 0, 0], theory.Q[t, 0, 0], theory.V[t, 0, 0])
        np.testing.assert_allclose(found, state, rtol=1e-11)
        state = plain_step(4.0, 1.3, *state)
    assert theory.error == 0.0
    assert theory.message == ""


@pytest.mark.parametrize("alpha", [1.7, 4.0, 20.0])
@pytest.mark.parametrize("ratio", [1.15, 1.6, 3.0])
def test_fixed_point_solves_the_plain_equations(alpha, ratio):
    snr = ratio * bbp_snr(alpha)
    point = fixed_point(alpha, snr)
    if alpha == 1.7 and ratio == 1.15:  # V would exceed its bound
        assert not point.converged
        return
    assert point.converged
    state = (point.m, point.q, point.V)
    np.testing.assert_allclose(plain_step(alpha, snr, *state), state, rtol=1e-9)
    _, _, _, squared, eta1 = plain_averages(*state, snr)
    assert point.overlap == pytest.approx(point.m / np.sqrt(point.q), rel=1e-14)
    assert point.replicon == pytest.approx(alpha * point.V**2 * squared, rel=1e-8)
    # eta2 of one sign is q / 2
    assert point.loss == pytest.approx(alpha * (point.q / 2 - eta1), rel=1e-9)
    # the informed branch is where a long recursion ends, if that is stable
    if point.replicon < 1:
        theory = state_evolution(SpikedModel(alpha, snr), [[snr]], [[snr**2 + 0.5]], n_iter=150)
        final = (theory.M[-1, 0, 0], theory.Q[-1, 0, 0], theory.V[-1, 0, 0])
        np.testing.assert_allclose(final, state, rtol=1e-8)


# section 5's numbers ------------------------------------------------------------------------------

TABLE = [
    (4.0, 1.2, 1.183578, 1.826840, 0.377248, 0.875682, 0.187241, -1.723293),
    (4.0, 1.5, 1.496126, 2.566194, 0.312189, 0.933950, 0.066906, -2.905202),
    (2.0, 1.5, 1.483159, 2.895282, 0.628770, 0.871650, 0.226018, -1.721960),
]


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_reference_table(row):
    alpha, snr, *expected = row
    point = fixed_point(alpha, snr)
    found = (point.m, point.q, point.V, point.overlap, point.replicon, point.loss)
    np.testing.assert_allclose(found, expected, atol=1e-6)  # six digits, rounded
    assert point.converged
    assert point.message == "converged"


ALPHAS = (4.0, 10.0, 50.0)


@pytest.mark.parametrize(
    ("alpha", "replicon"), list(zip(ALPHAS, (2.211, 1.347, 1.073), strict=True))
)
def test_replicon_of_the_state_without_overlap(alpha, replicon):
    point = fixed_point(alpha, 0.5 * bbp_snr(alpha), start=0.0)
    assert point.replicon == pytest.approx(replicon, abs=5.1e-4)
    assert abs(point.m) < 1e-12
    assert point.converged
    assert f"the replicon {point.replicon:.4g} exceeds one" in point.message
    # the state does not know the signal strength
    other = fixed_point(alpha, 0.0)
    np.testing.assert_allclose([other.q, other.V], [point.q, point.V], rtol=1e-9)


@pytest.mark.parametrize(
    ("alpha", "expected"), list(zip(ALPHAS, (1.0563, 1.0288, 1.0082), strict=True))
)
def test_where_the_state_without_overlap_loses_stability(alpha, expected):
    # one iteration from a tiny overlap multiplies it by one, at this strength
    point = fixed_point(alpha, 0.0)

    def growth(ratio):
        model = SpikedModel(alpha, ratio * bbp_snr(alpha))
        theory = state_evolution(model, [[1e-7]], [[point.q]], [[point.V]], n_iter=1)
        return theory.M[1, 0, 0] / 1e-7

    found = brentq(lambda ratio: growth(ratio) - 1, 1.0, 1.2, xtol=1e-8)
    assert found == pytest.approx(expected, abs=5.1e-5)
    # the growth is quadratic in the signal strength: lambda^2 alpha V E g'
    assert growth(1.5 * found) == pytest.approx(2.25, rel=1e-6)
    # just above, the informed branch has left it; just below, it has not
    above, below = (fixed_point(alpha, (found + s) * bbp_snr(alpha)) for s in (2e-3, -2e-3))
    assert above.m > 0.01
    assert abs(below.m) < 1e-9


@pytest.mark.parametrize(
    ("alpha", "expected"), list(zip(ALPHAS, (1.204, 1.095, 1.025), strict=True))
)
def test_where_the_informed_branch_becomes_stable(alpha, expected):
    found = brentq(
        lambda ratio: fixed_point(alpha, ratio * bbp_snr(alpha)).replicon - 1, 1.015, 1.3, xtol=1e-6
    )
    assert found == pytest.approx(expected, abs=5.1e-4)


# what the fixed point reports ---------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.5, 0.9, 1.2])
def test_too_few_samples_for_signs(alpha):
    point = fixed_point(alpha, 1.5)
    assert not point.converged
    assert point.message == "V is at its cap: outside the range of the theory"
    np.testing.assert_allclose(point.V, 0.95, atol=1e-12)


@pytest.mark.parametrize("alpha", [1.01, 1.1, 1.5, 2.0])
@pytest.mark.parametrize("ratio", [1.001, 1.01, 1.1, 1.5])
def test_close_to_the_bound_of_the_response(alpha, ratio):
    # from the edge on, where V = 1, there is a state; below it there is none
    edge = response_edge(alpha)
    point = fixed_point(alpha, ratio * edge)
    assert point.converged
    (informed,) = (b for b in branches(alpha, ratio * edge) if b.name == "informed")
    for name in ("m", "q", "V", "loss"):
        assert getattr(point, name) == pytest.approx(getattr(informed, name)[0], rel=1e-9)
    assert point.replicon == pytest.approx(informed.replicon[0], rel=1e-8)
    assert point.message.endswith("the cap that AMP puts on it") == (point.V > 0.95)
    assert not fixed_point(alpha, edge * (1 - 1e-3)).converged


@pytest.mark.parametrize("alpha", [0.5, 4.0, 30.0])
@pytest.mark.parametrize("ratio", [0.6, 1.05, 1.3, 3.0, 6.0])
def test_gaussian_units_are_principal_components(alpha, ratio):
    # W = sqrt(q d) times the top eigenvector of X^T X / d, eigenvalue e: the objective is
    # -e q / 2 - alpha log(1 - q) / 2, minimal at q = 1 - alpha / e
    snr = ratio * bbp_snr(alpha)
    eigenvalue = outlier_eigenvalue(alpha, snr)
    q = 1 - alpha / eigenvalue
    point = fixed_point(alpha, snr, Gaussian())
    assert point.converged
    assert point.message == "converged"
    assert point.q == pytest.approx(q, abs=1e-10)
    assert point.overlap == pytest.approx(pca_overlap(alpha, snr), abs=1e-10)
    expected = -0.5 * eigenvalue * q - 0.5 * alpha * np.log(1 - q)
    assert point.loss == pytest.approx(expected, abs=1e-10)
    assert point.replicon == pytest.approx(min(1.0, 1 / (alpha * snr**4)), rel=1e-8)
    if ratio > 1:
        start = fixed_point(alpha, snr, Gaussian(), start=-0.3)
        np.testing.assert_allclose(start.m, -point.m, rtol=1e-9)


def test_too_few_iterations():
    point = fixed_point(4.0, 1.5, max_iter=1)
    assert not point.converged
    assert point.message == "not converged"
    assert abs(point.m - 1.496126) > 1e-3  # it is indeed not there
    many = fixed_point(4.0, 1.5, max_iter=50)
    assert many.converged


def test_no_finite_state_is_reported():
    point = fixed_point(1.05, 0.0)
    assert not point.converged
    assert point.message not in ("", "converged")


def test_mirror_image():
    left, right = fixed_point(4.0, 1.5, start=-1.0), fixed_point(4.0, 1.5, start=1.0)
    assert left.m == pytest.approx(-right.m, rel=1e-10)
    np.testing.assert_allclose(left.loss, right.loss, rtol=1e-10)


@pytest.mark.parametrize("hidden", [Bernoulli(), TERNARY, SKEWED], ids=repr)
@pytest.mark.parametrize("prior_u", [Rademacher(), SKEWED, Gaussian()], ids=repr)
def test_other_laws_end_where_their_recursion_ends(hidden, prior_u):
    # Bernoulli units need more signal: V below their bound of four, replicon below one
    point = fixed_point(5.0, 1.8, hidden, prior_u)
    assert point.converged
    assert point.message == "converged"
    model = SpikedModel(5.0, 1.8, prior_u=prior_u)
    theory = state_evolution(model, [[1.8]], [[3.74]], n_iter=150, hidden=hidden)
    final = (theory.M[-1, 0, 0], theory.Q[-1, 0, 0], theory.V[-1, 0, 0])
    np.testing.assert_allclose(final, (point.m, point.q, point.V), rtol=1e-7)
    # in general V = 1 / (2 alpha eta2'(q) - alpha E g'): through the replicon's neighbour, the
    # response, with eta2' by differences
    slope = (eta2([[point.q + 1e-5]], hidden) - eta2([[point.q - 1e-5]], hidden)) / 2e-5
    A = 1 / point.V - 2 * 5.0 * slope
    assert -5.0 * 2 * slope < A < 0


@pytest.mark.parametrize("large", [30.0, 300.0, 3000.0])
def test_many_samples(large):
    # alpha -> infinity: the weights become the teacher's, m -> snr, q -> snr^2, V -> 0
    point = fixed_point(large, 1.5)
    assert point.converged
    # corrections of order 1/alpha with constants of order ten
    assert point.m == pytest.approx(1.5, abs=10 / large)
    assert point.q == pytest.approx(2.25, abs=30 / large)
    assert 0 < point.V < 20 / large


# more units ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [Rademacher(), TERNARY], ids=repr)
def test_diagonal_states_are_those_of_single_units(hidden):
    # Corollary 1: the recursion keeps diagonal states, and its end is a fixed point a unit
    snr = (1.6, 1.2)
    model = SpikedModel(4.0, snr)
    start = (np.diag([1.1, 0.9]), np.diag([1.9, 1.4]), np.diag([0.2, 0.3]))
    theory = state_evolution(model, *start, n_iter=25, hidden=hidden)
    off = ~np.eye(2, dtype=bool)
    for path in (theory.M, theory.Q, theory.V):
        assert np.abs(path[:, off]).max() < 1e-10
    points = [fixed_point(4.0, s, hidden) for s in snr]
    np.testing.assert_allclose(np.diag(theory.M[-1]), [p.m for p in points], rtol=1e-8)
    np.testing.assert_allclose(np.diag(theory.Q[-1]), [p.q for p in points], rtol=1e-8)
    np.testing.assert_allclose(np.diag(theory.V[-1]), [p.V for p in points], rtol=1e-8)
    # every iteration, not only the last
    for a in range(2):
        one = [x[a : a + 1, a : a + 1] for x in start]
        alone = state_evolution(SpikedModel(4.0, snr[a]), *one, n_iter=25, hidden=hidden)
        np.testing.assert_allclose(alone.V[:, 0, 0], theory.V[:, a, a], atol=1e-9)
        np.testing.assert_allclose(alone.M[:, 0, 0], theory.M[:, a, a], atol=1e-9)


def test_fewer_units_than_signals():
    # one unit that starts at the second of two signals ends at that signal's fixed point
    theory = state_evolution(SpikedModel(4.0, (1.6, 1.3)), [[0.0], [1.0]], [[1.5]], n_iter=60)
    point = fixed_point(4.0, 1.3)
    np.testing.assert_allclose(theory.M[-1, :, 0], [0.0, point.m], atol=1e-8)
    np.testing.assert_allclose(theory.Q[-1, 0, 0], point.q, rtol=1e-8)


def test_three_units_by_sobol_points():
    # diagonal input beside the single units; the error of 12 iterations of a contraction stays
    # of the size of one, the tolerance is ten of the largest reported
    snr = (1.8, 1.5, 1.3)
    model = SpikedModel(4.0, snr)
    start = (np.diag([1.2, 1.0, 0.9]), np.diag([2.0, 1.5, 1.5]), 0.2 * np.eye(3))
    theory = state_evolution(model, *start, n_iter=12, rng=3)
    assert 0 < theory.error < 2e-3
    for a in range(3):
        alone = state_evolution(
            SpikedModel(4.0, snr[a]), *(x[a : a + 1, a : a + 1] for x in start), n_iter=12
        )
        for name in ("M", "Q", "V"):
            path, expected = getattr(theory, name)[:, a, a], getattr(alone, name)[:, 0, 0]
            # M and Q are alpha V = 1.4 times the averages, times a strength of up to 1.8
            np.testing.assert_allclose(path, expected, atol=10 * 4 * theory.error)
    again = state_evolution(model, *start, n_iter=2, rng=3)
    np.testing.assert_array_equal(again.M, theory.M[:3])
    other = state_evolution(model, *start, n_iter=2, rng=4)
    assert not np.array_equal(other.M[1], theory.M[1])


def test_path_starts_with_the_start():
    M0, Q0, V0 = np.diag([0.5, 0.4]), np.eye(2), 0.1 * np.eye(2)
    model = SpikedModel(4.0, (1.5, 1.2))
    theory = state_evolution(model, M0, Q0, V0, n_iter=3)
    assert theory.M.shape == theory.Q.shape == theory.V.shape == (4, 2, 2)
    np.testing.assert_array_equal(theory.M[0], M0)
    np.testing.assert_array_equal(theory.Q[0], Q0)
    np.testing.assert_array_equal(theory.V[0], V0)
    np.testing.assert_array_equal(state_evolution(model, M0, Q0, n_iter=0).V, np.zeros((1, 2, 2)))
    assert state_evolution(SpikedModel(4.0, 1.5), [[0.5]], [[1.0]]).M.shape == (21, 1, 1)
    assert state_evolution(model, M0, Q0, n_iter=0).M.shape == (1, 2, 2)


def test_a_recursion_that_stops_early_says_so():
    theory = state_evolution(SpikedModel(4.0, (1.5, 1.5)), 0.01 * np.eye(2), 1e-3 * np.eye(2))
    assert theory.message.startswith("the penalty does not bound the multiplier problem")
    assert len(theory.M) < 21
    assert np.isfinite(theory.Q).all()


def test_a_channel_enters_by_its_information_coefficient():
    def sign(s, z):
        return np.sign(s + z)

    start = ([[0.5]], [[1.0]], [[0.1]])
    through = state_evolution(SpikedModel(4.0, 2.0, channel=sign), *start, n_iter=5)
    linear = state_evolution(SpikedModel(4.0, 2.0 * np.sqrt(2 / np.pi)), *start, n_iter=5)
    # the coefficient is found by differences to about 1e-7
    np.testing.assert_allclose(through.M, linear.M, atol=1e-5)
    plain = state_evolution(SpikedModel(4.0, 2.0), *start, n_iter=5)
    assert np.abs(through.M - plain.M).max() > 0.1


# simulations --------------------------------------------------------------------------------------


def paths(*histories):
    """One vector of M, Q and V along each path; the symmetric ones without their repetition."""
    rows = []
    for history in histories:
        upper = np.triu_indices(history.Q.shape[1])
        M = history.M.reshape(len(history.M), -1)
        rows.append(np.hstack([M, history.Q[:, *upper], history.V[:, *upper]]))
    return np.array(rows)


@lru_cache(maxsize=16)
def simulate(model, M0, Q0, V0, d, instances, n_iter, hidden=Rademacher()):
    """Paths of AMP-RBM from a start with exactly these overlaps; seeds 0, 1, ... a size."""
    M0, Q0, V0 = map(np.array, (M0, Q0, V0))
    histories = []
    for seed in range(instances):
        data = model.sample(d, rng=[d, seed])
        start = informed_start(data.W_star, M0, Q0, rng=[d, seed, 1])
        result = amp_rbm(
            data.X, hidden=hidden, start=start, V0=V0, max_iter=n_iter, W_star=data.W_star
        )
        histories.append(result.history)
    return paths(*histories)


def without_bias(sizes, samples):
    """Combine instances of several sizes so that a bias c/d drops out of each combination.

    The weights of the least-squares fit of a + c/d, for variances that fall as 1/d.
    """
    design = np.column_stack([np.ones(len(sizes)), 1.0 / np.array(sizes)])
    inverse = np.diag(np.array(sizes, dtype=float))
    weights = np.linalg.solve(design.T @ inverse @ design, design.T @ inverse)[0]
    return np.tensordot(weights, np.array(samples), axes=1)


TWO = SpikedModel(3.0, (1.7, 1.3))
M_TWO = np.array([[0.6, 0.2], [-0.15, 0.5]])
Q_TWO = M_TWO.T @ M_TWO + np.array([[0.35, 0.12], [0.12, 0.4]])
V_TWO = np.array([[0.2, 0.03], [0.03, 0.15]])
SIZES, INSTANCES, STEPS = (500, 1000, 2000), 20, 4


def as_tuples(*arrays):
    return [tuple(map(tuple, np.asarray(array).tolist())) for array in arrays]


def simulated_two():
    start = as_tuples(M_TWO, Q_TWO, V_TWO)
    return [simulate(TWO, *start, d, INSTANCES, STEPS) for d in SIZES]


def test_two_coupled_units_against_simulation():
    # k = r = 2 from a start without any symmetry: the whole path, as d -> infinity
    samples = without_bias(SIZES, simulated_two())
    theory = state_evolution(TWO, M_TWO, Q_TWO, V_TWO, n_iter=STEPS)
    assert compare_paths(samples, paths(theory)[0]).verdict == "agrees"
    # signals a tenth weaker
    weaker = SpikedModel(3.0, tuple(0.9 * s for s in TWO.snr))
    wrong = state_evolution(weaker, M_TWO, Q_TWO, V_TWO, n_iter=STEPS)
    assert compare_paths(samples, paths(wrong)[0]).verdict == "disagrees"
    # the first response forgotten
    wrong = state_evolution(TWO, M_TWO, Q_TWO, n_iter=STEPS)
    corrected = np.concatenate([V_TWO[None], wrong.V[1:]])
    wrong = type(wrong)(wrong.M, wrong.Q, corrected, 0.0, "")
    assert compare_paths(samples, paths(wrong)[0]).verdict == "disagrees"


def test_two_units_of_gaussian_signals():
    # signals that are orthogonal only as d -> infinity, from the same start; the law of their
    # entries does not enter the theory
    model, sizes = SpikedModel(TWO.alpha, TWO.snr, prior_w=Gaussian()), (300, 600)
    start = as_tuples(M_TWO, Q_TWO, V_TWO)
    samples = without_bias(sizes, [simulate(model, *start, d, 30, STEPS) for d in sizes])
    theory = state_evolution(TWO, M_TWO, Q_TWO, V_TWO, n_iter=STEPS)
    assert compare_paths(samples, paths(theory)[0]).verdict == "agrees"
    # the overlaps of each unit with the other's signal forgotten
    wrong = state_evolution(TWO, np.diag(M_TWO.diagonal()), Q_TWO, V_TWO, n_iter=STEPS)
    wrong = type(wrong)(np.concatenate([M_TWO[None], wrong.M[1:]]), wrong.Q, wrong.V, 0.0, "")
    assert compare_paths(samples, paths(wrong)[0]).verdict == "disagrees"


def test_repulsion_of_units_is_seen_in_simulation(monkeypatch):
    # a theory whose multiplier leaves the units alone, Gamma = alpha, must fail
    original = module.multiplier_step

    def separate(B, A, alpha, V, hidden):
        step = original(B, A, alpha, V, hidden)
        return type(step)(np.linalg.inv(A + alpha * np.eye(2)), step.multiplier, False, 0.0, "")

    samples = without_bias(SIZES, simulated_two())
    monkeypatch.setattr(module, "multiplier_step", separate)
    wrong = state_evolution(TWO, M_TWO, Q_TWO, V_TWO, n_iter=STEPS)
    assert compare_paths(samples, paths(wrong)[0]).verdict == "disagrees"


def test_last_entries_extrapolate_to_theory():
    # the protocol for points, entry by entry: 3 standard errors of a + c/d at three sizes
    samples = simulated_two()
    theory = paths(state_evolution(TWO, M_TWO, Q_TWO, V_TWO, n_iter=STEPS))[0][-1]
    # the scale of an entry's standard error is the largest entry of its matrix
    scales = np.concatenate([np.full(len(x), np.abs(x).max()) for x in np.split(theory, [4, 7])])
    for entry, (value, scale) in enumerate(zip(theory, scales, strict=True)):
        last = [paths_at_size[:, -1, entry] for paths_at_size in samples]
        result = extrapolate(SIZES, last, value, scale=scale)
        assert result.verdict == "agrees", result


def sign_channel(s, z):
    return np.sign(s + z)


UNIVERSAL = {
    "Gaussian signals": (SpikedModel(4.0, 1.5, prior_w=Gaussian()), Rademacher()),
    "sparse signals": (SpikedModel(4.0, 1.5, prior_w=sparse(0.2)), Rademacher()),
    "Gaussian latent variables": (SpikedModel(4.0, 1.5, prior_u=Gaussian()), Rademacher()),
    "sign channel": (SpikedModel(4.0, 1.8, channel=sign_channel), Rademacher()),
    "coins, skewed latent variables": (SpikedModel(5.0, 1.8, prior_u=SKEWED), Bernoulli()),
    "ternary units": (SpikedModel(4.0, 1.5), TERNARY),
}


@pytest.mark.parametrize("case", UNIVERSAL)
def test_one_unit_against_simulation(case):
    # thirty instances at d = 300 and 600, the bias c/d removed; a strength of 0.9 must fail
    model, hidden = UNIVERSAL[case]
    start = as_tuples([[0.6]], [[1.0]], [[0.1]])
    samples = [simulate(model, *start, d, 30, 4, hidden) for d in (300, 600)]
    samples = without_bias((300, 600), samples)

    def theory(snr):
        changed = SpikedModel(model.alpha, snr, model.prior_u, model.prior_w, model.channel)
        path = state_evolution(changed, [[0.6]], [[1.0]], [[0.1]], n_iter=4, hidden=hidden)
        return paths(path)[0]

    assert compare_paths(samples, theory(model.snr)).verdict == "agrees"
    assert compare_paths(samples, theory(0.9 * model.snr[0])).verdict == "disagrees"
    if model.channel is not None:  # its coefficient forgotten
        linear = SpikedModel(model.alpha, model.snr)
        wrong = state_evolution(linear, [[0.6]], [[1.0]], [[0.1]], n_iter=4)
        assert compare_paths(samples, paths(wrong)[0]).verdict == "disagrees"


def test_the_law_of_the_signals_does_not_enter():
    start = (np.diag([0.5, 0.4]), np.eye(2))
    expected = state_evolution(SpikedModel(4.0, (1.5, 1.2)), *start, n_iter=3)
    for prior in (Gaussian(), sparse(0.2), SKEWED):
        model = SpikedModel(4.0, (1.5, 1.2), prior_w=prior)
        np.testing.assert_array_equal(state_evolution(model, *start, n_iter=3).M, expected.M)


POINT_SIZES, POINT_INSTANCES = (200, 400, 800), (80, 40, 24)


@lru_cache(maxsize=1)
def trained():
    """Overlap, self overlap, loss and rate of convergence of trained machines, by size."""
    model, table = SpikedModel(4.0, 1.5), []
    for d, instances in zip(POINT_SIZES, POINT_INSTANCES, strict=True):
        rows = []
        for seed in range(instances):
            data = model.sample(d, rng=[d, seed])
            result = amp_rbm(data.X, start=1.5 * data.W_star, V0=[[0.3]])
            assert result.converged
            # fourth to twelfth change: the start is forgotten, round-off far away
            change = result.history.change
            rows.append(
                [
                    overlap(data.W_star, result.W)[0, 0],
                    np.sum(result.W**2) / d,
                    loss(data.X, result.W),
                    (change[12] / change[4]) ** 0.125,
                ]
            )
        table.append(np.array(rows))
    return table


@pytest.mark.parametrize("column", [0, 1, 2], ids=["overlap", "q", "loss"])
def test_fixed_point_against_trained_machines(column):
    # among them the limit of the objective, alpha (eta2 - E eta1)
    samples = [rows[:, column] for rows in trained()]

    def judge(snr):
        point = fixed_point(4.0, snr)
        return extrapolate(POINT_SIZES, samples, (point.overlap, point.q, point.loss)[column])

    # "undecided" would mean standard errors above 1 % of the value
    assert judge(1.5).verdict == "agrees", judge(1.5)
    assert judge(0.9 * 1.5).verdict == "disagrees"


def test_replicon_is_the_rate_of_convergence():
    # successive weights differ by a share whose square shrinks by the replicon an iteration
    samples = [rows[:, 3] for rows in trained()]
    rate = np.sqrt(fixed_point(4.0, 1.5).replicon)
    result = extrapolate(POINT_SIZES, samples, rate)
    # its spread over instances, 10 %, allows standard errors of up to 2 % rather than 1 %
    assert max(np.std(x) / np.sqrt(len(x)) for x in samples) < 0.02 * rate
    assert abs(result.z) < 3, result
    assert extrapolate(POINT_SIZES, samples, 0.9 * rate).verdict == "disagrees"


# weak recovery ------------------------------------------------------------------------------------


@pytest.mark.parametrize("V", [0.2, 0.5])
@pytest.mark.parametrize(("alpha", "snr"), [(4.0, 0.6), (4.0, 0.9), (1.5, 1.2)])
def test_at_vanishing_norm_and_frozen_response_it_is_the_power_method(alpha, snr, V):
    # squared overlap over noise gains alpha snr^4, whatever V; corrections are of the order of
    # q / (1 - V)^3, and q is what the grid still resolves
    q, m = 1e-3, 1e-4
    average = field_averages(
        *(np.array([[x]]) for x in (m, q, V)), np.array([snr]), Rademacher(), Rademacher()
    )
    signal, noise = (alpha * snr * average.ug[0, 0]) ** 2, alpha * average.gg[0, 0]
    gain = (signal / noise) / (m**2 / q)
    assert gain == pytest.approx(alpha * snr**4, rel=2 * q / (1 - V) ** 3)
    # but the response cannot stay there: A + Gamma is negative, and the multiplier step fails
    A = -alpha * average.derivative
    assert A[0, 0] + alpha == pytest.approx(-alpha * V / (1 - V), rel=0.1)
    step = multiplier_step([[signal + noise]], A, alpha, [[V]])
    assert (
        step.message == "the response is not positive: the iteration left the range of the theory"
    )


def test_sample_ratio_from_which_on_the_state_without_overlap_exists():
    # V of that state falls with alpha: it is one at 2.2883 and at the cap, 0.95, at 2.4745
    assert overlap_free_edge() == pytest.approx(2.2883, abs=5.1e-5)
    cap = brentq(lambda alpha: fixed_point(alpha, 0.0).V - 0.95, 2.4, 2.6, xtol=1e-7)
    assert cap == pytest.approx(2.4745, abs=5.1e-5)
    assert fixed_point(2.4, 0.0).message.endswith("V is above the cap that AMP puts on it")
    assert "cap" not in fixed_point(2.5, 0.0).message
    assert not fixed_point(2.25, 0.0).converged
    # plain equations at the edge, just inside: a state with V close to one, and none below
    point = fixed_point(2.29, 0.0)
    _, q, V = plain_step(2.29, 0.0, 0.0, point.q, point.V)
    np.testing.assert_allclose((q, V), (point.q, point.V), rtol=1e-4)
    assert 0.999 < V < 1
