"""Branches and lines of the phase diagram against state evolution, Gordon's optimum and limits."""

from functools import lru_cache

import numpy as np
import pytest

from rbmnotes import (
    Bernoulli,
    Gaussian,
    Rademacher,
    SpikedModel,
    bbp_snr,
    fixed_point,
    pca_overlap,
    state_evolution,
)
from rbmnotes.theory.optimum import global_optimum
from rbmnotes.theory.phase_diagram import (
    branches,
    finite_norm_threshold,
    overlap_free_edge,
    replicon_threshold,
    response_edge,
)
from tests.laws import SKEWED, TERNARY


def one_step(alpha, snr, state, hidden, prior_u):
    """One iteration of state evolution, from (m, q, V)."""
    model = SpikedModel(alpha, snr, prior_u=prior_u)
    theory = state_evolution(model, *[[[x]] for x in state], n_iter=1, hidden=hidden)
    return np.array([theory.M[1, 0, 0], theory.Q[1, 0, 0], theory.V[1, 0, 0]])


def named(found):
    return {branch.name: branch for branch in found}


# the lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alpha", "finite_norm", "at_zero", "informed"),
    [(4.0, 1.0563, 2.211, 1.204), (10.0, 1.0288, 1.347, 1.095), (50.0, 1.0082, 1.073, 1.025)],
)
def test_reference_digits(alpha, finite_norm, at_zero, informed):
    bbp = bbp_snr(alpha)
    assert finite_norm_threshold(alpha) / bbp == pytest.approx(finite_norm, abs=5.1e-5)
    assert replicon_threshold(alpha) / bbp == pytest.approx(informed, abs=5.1e-4)
    assert named(branches(alpha, bbp))["without overlap"].replicon == pytest.approx(
        at_zero, abs=5.1e-4
    )
    assert np.isnan(response_edge(alpha))


@pytest.mark.parametrize("alpha", [1.02, 1.3, 4.0, 50.0])
def test_replicon_line_against_the_global_optimum(alpha):
    # near alpha = 1 the fixed point's cap on V, 0.95, comes before the line
    line = replicon_threshold(alpha)
    assert global_optimum(alpha, line).replicon == pytest.approx(1.0, abs=1e-6)
    assert global_optimum(alpha, 1.01 * line).replicon < 1
    assert global_optimum(alpha, 0.99 * line).replicon > 1


def test_response_edge_against_the_global_optimum():
    # Gordon's problem has a solution on both sides of the edge
    edge = response_edge(1.5)
    above, below = (global_optimum(1.5, edge * (1 + shift)) for shift in (1e-5, -1e-5))
    assert above.converged
    assert 1 - 1e-4 < above.V < 1 < below.V < 1 + 1e-4
    assert not below.converged
    np.testing.assert_allclose(branches(1.5, edge * (1 + 1e-5))[0].V, above.V, rtol=1e-8)
    assert branches(1.5, edge * (1 - 1e-5)) == ()


def test_edge_of_the_state_without_overlap():
    edge = overlap_free_edge()
    assert edge == pytest.approx(2.28833, abs=1e-5)
    np.testing.assert_allclose(global_optimum(edge, 0.0).V, 1.0, atol=1e-6)
    assert np.isnan(finite_norm_threshold(edge - 1e-4))
    assert finite_norm_threshold(edge + 1e-4) > bbp_snr(edge)
    # from here on the informed branch ends in it, and so inside the range
    assert response_edge(edge - 1e-3) == pytest.approx(finite_norm_threshold(edge + 1e-3), rel=1e-2)
    assert np.isnan(response_edge(edge + 1e-4))


def test_order_of_the_lines():
    # BBP < finite norm or edge < replicon, all the way from alpha = 1 to 100
    for alpha in np.geomspace(1.002, 100.0, 12):
        lowest = np.nanmax([finite_norm_threshold(alpha), response_edge(alpha)])
        assert bbp_snr(alpha) < lowest < replicon_threshold(alpha)


def test_lines_that_do_not_exist():
    assert np.isnan(finite_norm_threshold(2.0))
    for alpha in (0.5, 1.0):  # V >= 1 / alpha
        assert np.isnan(replicon_threshold(alpha))
        assert np.isnan(response_edge(alpha))
        assert branches(alpha, [0.5, 3.0]) == ()
    assert np.isnan(overlap_free_edge(largest=2.0))
    assert np.isnan(overlap_free_edge(Gaussian()))


@pytest.mark.parametrize("alpha", [0.5, 4.0, 30.0])
def test_gaussian_units_have_the_bbp_transition_only(alpha):
    bbp = bbp_snr(alpha)
    assert finite_norm_threshold(alpha, Gaussian()) == pytest.approx(bbp, rel=1e-9)
    assert replicon_threshold(alpha, Gaussian()) == pytest.approx(bbp, rel=1e-6)
    assert np.isnan(response_edge(alpha, Gaussian()))
    found = named(branches(alpha, bbp * np.array([0.5, 1.2, 3.0]), Gaussian()))
    informed = found["informed"]
    assert len(found["without overlap"].m) == 3
    np.testing.assert_allclose(informed.overlap, pca_overlap(alpha, informed.snr), rtol=1e-8)
    np.testing.assert_allclose(informed.replicon, 1 / (alpha * informed.snr**4), rtol=1e-8)


def test_one_sided_units_recover_later_and_stably():
    # Bernoulli units: W = 0 is not stationary, the state without overlap is stable under the
    # replicon, and what it takes to leave it is far above the BBP threshold
    line = finite_norm_threshold(4.0, Bernoulli())
    assert line / bbp_snr(4.0) == pytest.approx(1.742, abs=5e-4)
    assert replicon_threshold(4.0, Bernoulli()) == pytest.approx(line, rel=1e-9)
    below = fixed_point(4.0, 0.99 * line, Bernoulli())
    above = fixed_point(4.0, 1.01 * line, Bernoulli())
    assert below.message == above.message == "converged"
    assert abs(below.m) < 1e-6
    assert above.m > 0.05


# the branches -------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [2.5, 4.0, 20.0])
def test_two_branches_of_one_sign(alpha):
    snrs = bbp_snr(alpha) * np.array([0.5, 0.9, 1.0, 1.1, 1.3, 2.0, 4.0])
    found = named(branches(alpha, snrs))
    assert set(found) == {"without overlap", "informed"}
    silent, informed = found["without overlap"], found["informed"]
    np.testing.assert_array_equal(silent.snr, snrs)
    assert np.all(silent.m == 0)
    np.testing.assert_array_equal(informed.snr, snrs[snrs > finite_norm_threshold(alpha)])
    for branch, starts in ((silent, [0.0] * 7), (informed, informed.snr)):
        for i, (snr, start) in enumerate(zip(branch.snr, starts, strict=True)):
            point = fixed_point(alpha, snr, start=start)
            for name in ("m", "q", "V", "overlap", "loss", "replicon"):
                value = getattr(branch, name)[i]
                assert value == pytest.approx(getattr(point, name), abs=1e-6)
            assert branch.alpha[i] == alpha


@pytest.mark.parametrize("alpha", [4.0, 10.0, 50.0])
def test_stability_changes_at_the_finite_norm_threshold(alpha):
    line = finite_norm_threshold(alpha)
    found = named(branches(alpha, line * np.array([0.99, 1.0, 1.01, 1.5])))
    silent, informed = found["without overlap"].growth, found["informed"].growth
    # the growth is quadratic in the strength
    np.testing.assert_allclose(silent, np.array([0.99, 1.0, 1.01, 1.5]) ** 2, rtol=1e-6)
    assert np.all(informed < 1)


@pytest.mark.parametrize("hidden", [Rademacher(), TERNARY, Bernoulli(), SKEWED], ids=repr)
@pytest.mark.parametrize("prior_u", [Rademacher(), Gaussian()], ids=repr)
def test_states_and_their_stability_from_one_step_of_state_evolution(hidden, prior_u):
    for branch in branches(5.0, 1.6, hidden, prior_u):
        state = np.array([branch.m[0], branch.q[0], branch.V[0]])
        args = (hidden, prior_u)
        np.testing.assert_allclose(one_step(5.0, 1.6, state, *args), state, atol=1e-9)
        columns = []
        for shift in 1e-4 * np.eye(3):
            up, down = (
                one_step(5.0, 1.6, state + shift, *args),
                one_step(5.0, 1.6, state - shift, *args),
            )
            columns.append((up - down) / 2e-4)
        factors = np.linalg.eigvals(np.array(columns).T)
        forward = [abs(x) for x in factors if x.real >= 0]
        backward = [abs(x) for x in factors if x.real < 0]
        assert branch.growth[0] == pytest.approx(max(forward, default=0), abs=1e-5)
        assert branch.alternation[0] == pytest.approx(-max(backward, default=0), abs=1e-5)


def test_a_complex_pair_counts_by_its_modulus():
    """State evolution of a three-valued unit spirals in, by the modulus and not the real part.

    The eigenvalues are -0.022 +- 0.197i and 0.121.
    """
    alpha, snr = 50.0, 1.7 * bbp_snr(50.0)
    branch = named(branches(alpha, snr, TERNARY))["informed"]
    assert branch.alternation[0] == pytest.approx(-0.1984, abs=1e-3)
    state = np.array([branch.m[0], branch.q[0], branch.V[0]])
    model = SpikedModel(alpha, snr)
    start = [[[x]] for x in state * (1 + 1e-3)]
    path = state_evolution(model, *start, n_iter=8, hidden=TERNARY)
    norms = np.hypot(path.Q[:, 0, 0] - state[1], path.V[:, 0, 0] - state[2])
    # after two iterations the pair dominates; over six more the spiral's phase averages out
    rate = (norms[8] / norms[2]) ** (1 / 6)
    assert rate == pytest.approx(abs(branch.alternation[0]), rel=0.15)
    assert rate > 1.3 * branch.growth[0]


def test_continuation_in_the_sample_ratio():
    alphas = np.array([1.5, 2.0, 3.0, 6.0])
    for branch in branches(alphas, 1.0):
        for i, alpha in enumerate(branch.alpha):
            other = named(branches(alpha, [0.9, 1.0]))[branch.name]
            for name in ("m", "q", "V", "growth"):
                value = getattr(other, name)[other.snr == 1.0][0]
                assert getattr(branch, name)[i] == pytest.approx(value, abs=1e-8)
    # at alpha = 1.5 and 2 the state without overlap is out of range, at 1.5 the informed one too
    found = named(branches(alphas, 1.0))
    np.testing.assert_array_equal(found["without overlap"].alpha, [3.0, 6.0])
    np.testing.assert_array_equal(found["informed"].alpha, [2.0, 3.0, 6.0])


def test_a_grid_of_both():
    alphas, snrs = np.meshgrid([3.0, 6.0], [0.9, 1.2])
    informed = named(branches(alphas, snrs))["informed"]
    np.testing.assert_array_equal(informed.alpha, [3.0, 3.0, 6.0, 6.0])
    np.testing.assert_array_equal(informed.snr, [0.9, 1.2, 0.9, 1.2])
    assert named(branches(4.0, 0.0)).keys() == {"without overlap"}


@lru_cache(maxsize=1)
def skewed():
    """Units and latent variables without symmetry: the curve of states turns."""
    line = finite_norm_threshold(4.0, SKEWED, SKEWED)
    return line, named(branches(4.0, line * np.linspace(0.99, 1.01, 40), SKEWED, SKEWED))


def test_a_fold_joins_two_branches():
    line, found = skewed()
    assert set(found) == {"without overlap", "informed", "between", "mirrored"}
    between, informed, mirrored = found["between"], found["informed"], found["mirrored"]
    # the middle branch lives between the fold and the threshold, and is unstable
    assert between.snr.max() < line
    np.testing.assert_allclose(between.snr[0], informed.snr[0])
    assert np.all(between.growth > 1)
    assert np.all(informed.growth < 1)
    assert np.all(between.m[:-1] < informed.m[: len(between.m) - 1])
    assert np.all(np.diff(informed.m) > 0)
    assert np.all(np.diff(between.m) < 0)
    # the branch of negative overlap leaves the state without overlap at the threshold, stably
    assert mirrored.snr.min() > line
    assert np.all(mirrored.m < 0)
    assert np.all(mirrored.growth < 1)
    for branch in found.values():
        for i in range(0, len(branch.m), 8):
            state = np.array([branch.m[i], branch.q[i], branch.V[i]])
            after = one_step(4.0, branch.snr[i], state, SKEWED, SKEWED)
            np.testing.assert_allclose(after, state, atol=1e-9)


def test_global_optimum_is_the_lowest_branch():
    # a transition of the first order: below the threshold the informed branch becomes the lower
    line, found = skewed()
    silent, informed = found["without overlap"], found["informed"]
    losses = silent.loss[-len(informed.loss) :] - informed.loss
    assert losses[0] < 0 < losses[-1]
    first = informed.snr[np.argmax(losses > 0)]
    assert first < line
    for i in (0, len(informed.snr) // 3, -1):
        best = global_optimum(4.0, informed.snr[i], SKEWED, SKEWED)
        lowest = min(
            branch.loss[np.isclose(branch.snr, informed.snr[i], rtol=1e-12)][0]
            for branch in found.values()
            if np.isclose(branch.snr, informed.snr[i], rtol=1e-12).any()
        )
        assert best.loss == pytest.approx(lowest, abs=1e-9)


def test_many_samples_make_the_recursion_alternate():
    # at alpha = 50 the state without overlap, though not sensitive to overlap, ends in a cycle
    branch = named(branches(50.0, 0.5 * bbp_snr(50.0)))["without overlap"]
    assert branch.growth[0] < 1
    assert branch.alternation[0] == pytest.approx(-1.0732, abs=1e-3)
    model = SpikedModel(50.0, float(branch.snr[0]))
    start = [[[0.0]], [[branch.q[0] + 1e-3]], [[branch.V[0]]]]
    path = state_evolution(model, *start, n_iter=400).Q[:, 0, 0] - branch.q[0]
    assert path[-1] * path[-2] < 0
    assert min(abs(path[-1]), abs(path[-2])) > 5e-3
    # a replicon below one does not exclude it
    line = replicon_threshold(100.0)
    informed = named(branches(100.0, 1.02 * line))["informed"]
    assert informed.replicon[0] < 1
    assert informed.growth[0] < 1
    assert informed.alternation[0] < -1


# bad input ----------------------------------------------------------------------------------------

LINES = (finite_norm_threshold, replicon_threshold, response_edge)
CASES = {
    "branches alpha": ("alpha", lambda: branches(0.0, 1.0)),
    "branches alpha in an array": ("alpha", lambda: branches([4.0, -1.0], 1.0)),
    "branches snr": ("snr", lambda: branches(4.0, [1.0, -1.0])),
    "branches snr NaN": ("snr", lambda: branches(4.0, np.nan)),
    "branches hidden": ("hidden", lambda: branches(4.0, 1.0, "ising")),
    "branches prior_u": ("prior_u", lambda: branches(4.0, 1.0, prior_u=Bernoulli())),
    "edge hidden": ("hidden", lambda: overlap_free_edge("ising")),
    "edge largest": ("largest", lambda: overlap_free_edge(largest=0.0)),
}
for line in LINES:
    CASES |= {
        f"{line.__name__} alpha": ("alpha", lambda f=line: f(-1.0)),
        f"{line.__name__} alpha an array": ("alpha", lambda f=line: f([4.0, 5.0])),
        f"{line.__name__} hidden": ("hidden", lambda f=line: f(4.0, None)),
        f"{line.__name__} prior_u": ("prior_u", lambda f=line: f(4.0, prior_u=SKEWED.support)),
    }


@pytest.mark.parametrize(("name", "call"), CASES.values(), ids=CASES)
def test_bad_input_is_refused_by_name(name, call):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()
