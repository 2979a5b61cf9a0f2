"""Bayes-optimal AMP: a plain twin, exact special cases, its score, its theory, what it reports."""

import tracemalloc
from functools import lru_cache

import numpy as np
import pytest
from scipy.special import logsumexp

from rbmnotes import (
    Discrete,
    Gaussian,
    Rademacher,
    SpikedModel,
    bayes_amp,
    bayes_log_evidence,
    bayes_overlap,
    bayes_state_evolution,
    informed_start,
    matched_overlap,
    overlap,
    pca,
    pca_overlap,
)
from rbmnotes.algorithms.bayes_amp import _how
from rbmnotes.evidence import compare_paths, extrapolate
from tests.helpers import enumerate_states
from tests.laws import TERNARY

R, G = Rademacher(), Gaussian()
PAIRS = {"signs": (R, R), "Gaussian w": (R, G), "Gaussian u": (G, R), "Gaussian": (G, G)}


@lru_cache(maxsize=32)
def spiked(snr=(1.6, 1.6), priors=(R, R), d=300, seed=0, alpha=4.0):
    model = SpikedModel(alpha, snr, *priors)
    return model, model.sample(d, rng=seed)


@lru_cache(maxsize=32)
def solved(snr=(1.3, 1.3), priors=(R, R), d=300, seed=0):
    model, data = spiked(snr, priors, d, seed)
    return model, data, bayes_amp(data.X, model, tol=1e-12, rng=100 + seed, W_star=data.W_star)


# a plain twin -------------------------------------------------------------------------------------


def denoise(B, A, prior):
    """Mean and covariance of every row, and the summed log normalisation."""
    if isinstance(prior, Gaussian):
        covariance = np.linalg.inv(np.eye(len(A)) + A)
        means = B @ covariance
        value = 0.5 * np.sum(means * B) + 0.5 * len(B) * np.log(np.linalg.det(covariance))
        return means, np.repeat(covariance[None], len(B), axis=0), value
    states, probabilities = enumerate_states(prior, len(A))
    logs = np.log(probabilities) - 0.5 * np.sum(states @ A * states, axis=1) + B @ states.T
    totals = logsumexp(logs, axis=1, keepdims=True)
    weights = np.exp(logs - totals)
    means = weights @ states
    centred = states - means[:, None, :]
    covariances = np.einsum("ms,msa,msb->mab", weights, centred, centred)
    return means, covariances, totals.sum()


def bethe(X, L, fields, precisions, priors):
    """Log evidence per dimension as a function of the fields and precisions of both sides."""
    d = X.shape[1]
    (U, cov_u, log_u), (W, cov_w, log_w) = (
        denoise(B, A, prior) for B, A, prior in zip(fields, precisions, priors, strict=True)
    )
    total = log_u + log_w
    for x, covariances, B, A in zip((U, W), (cov_u, cov_w), fields, precisions, strict=True):
        second = x.T @ x + covariances.sum(axis=0)
        total += 0.5 * np.trace(A @ second) - np.sum(B * x)
    total += np.sum((U @ L @ W.T) * X) / np.sqrt(d)
    uu, ww = U.T @ U, W.T @ W
    su, sw = cov_u.sum(axis=0), cov_w.sum(axis=0)
    total -= np.trace(L @ uu @ L @ ww + L @ uu @ L @ sw + L @ su @ L @ ww) / (2 * d)
    return total / d


def plain_amp(X, model, W, n_iter, onsager=1.0, damping=0.0):
    """Theory.md section 8 line by line; `damping` as the mixture of what came before."""
    n, d = X.shape
    L, alpha = np.diag(model.snr), n / d
    echo, path = np.zeros((n, len(L))), []
    for t in range(n_iter):
        B_u = X @ W @ L / np.sqrt(d) - onsager * echo
        A_u = L @ (W.T @ W / d) @ L
        U, cov_u, _ = denoise(B_u, A_u, model.prior_u)
        B_w = X.T @ U @ L / np.sqrt(d) - onsager * alpha * W @ L @ cov_u.mean(axis=0) @ L
        A_w = alpha * L @ (U.T @ U / n) @ L
        mean, cov_w, _ = denoise(B_w, A_w, model.prior_w)
        keep = damping if t else 0.0
        echo = (1 - keep) * U @ L @ cov_w.mean(axis=0) @ L + keep * echo
        W = (1 - keep) * mean + keep * W
        path.append((U, W, bethe(X, L, (B_u, B_w), (A_u, A_w), (model.prior_u, model.prior_w))))
    return path


@pytest.mark.parametrize(
    ("priors", "snr"),
    [
        ((R, R), (1.2,)),
        ((R, R), (1.5, 1.0)),
        ((R, R), (1.2, 1.2, 1.2)),
        ((R, G), (1.5, 1.2)),
        ((G, R), (1.5, 1.2)),
        ((G, G), (1.5, 1.2)),
        ((TERNARY, R), (1.5, 1.2)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("damping", [0.0, 0.4])
def test_iterations_against_a_plain_twin(priors, snr, damping):
    # four iterations from a start without symmetry; 1e-10 is round-off amplified by them
    model, data = spiked(snr, priors, d=60)
    start = 0.3 * np.random.default_rng(1).standard_normal((60, len(snr))) + 0.3 * data.W_star
    result = bayes_amp(data.X, model, start=start, damping=damping, max_iter=4, W_star=data.W_star)
    path = plain_amp(data.X, model, start, 4, damping=damping)
    np.testing.assert_allclose(result.U, path[-1][0], atol=1e-10)
    np.testing.assert_allclose(result.W, path[-1][1], atol=1e-10)
    for t, (_, W, value) in enumerate(path, start=1):
        np.testing.assert_allclose(result.history.Q[t], W.T @ W / 60, atol=1e-10)
        np.testing.assert_allclose(result.history.M[t], data.W_star.T @ W / 60, atol=1e-10)
        if damping == 0.0:
            assert result.history.score[t - 1] == pytest.approx(value, abs=1e-10)
    assert result.score == result.history.score[-1]


@pytest.mark.parametrize("priors", [(R, R), (TERNARY, G)], ids=repr)
def test_the_score_of_a_damped_run_by_hand(priors):
    # the docstring's formula with the mixture of means and any covariance of w, which cancels;
    # three iterations, as the first is not damped
    model, data = spiked((1.5, 1.2), priors, d=60)
    X, n, d, L, keep = data.X, 240, 60, np.diag(model.snr), 0.4
    W = 0.3 * np.random.default_rng(1).standard_normal((60, 2)) + 0.3 * data.W_star
    result = bayes_amp(X, model, start=W, damping=keep, max_iter=3)
    echo = np.zeros((n, 2))
    for t in range(3):
        B_u, A_u = X @ W @ L / np.sqrt(d) - echo, L @ (W.T @ W / d) @ L
        U, covariances, log_u = denoise(B_u, A_u, model.prior_u)
        cov_u = covariances.mean(axis=0)
        B_w = X.T @ U @ L / np.sqrt(d) - n / d * W @ L @ cov_u @ L
        A_w = n / d * L @ (U.T @ U / n) @ L
        mean, covariances, log_w = denoise(B_w, A_w, model.prior_w)
        new, share = covariances.mean(axis=0), keep if t else 0.0
        W, cov_w = (1 - share) * mean + share * W, new + np.diag([0.3, 0.1])
        echo = (1 - share) * U @ L @ new @ L + share * echo
        Q_u, Q_w = U.T @ U / n, W.T @ W / d
        score = log_u - np.sum(B_u * U) + 0.5 * n * np.trace(A_u @ (Q_u + cov_u))
        score += log_w - np.sum(B_w * W) + 0.5 * d * np.trace(A_w @ (Q_w + cov_w))
        score += np.sum((U @ L @ W.T) * X) / np.sqrt(d)
        pairs = Q_u @ L @ Q_w + Q_u @ L @ cov_w + cov_u @ L @ Q_w
        score -= 0.5 * n * np.trace(L @ pairs)
        assert result.history.score[t] == pytest.approx(score / d, abs=1e-9)


# exact special cases ------------------------------------------------------------------------------


def test_one_sign_by_scalar_formulas():
    # r = 1: f = tanh, variance 1/cosh^2, and the averaged variance 1 - q
    model, data = spiked((1.2,), d=200)
    X, snr = data.X, 1.2
    w = informed_start(data.W_star, [[0.3]], [[0.3]], rng=1)
    result = bayes_amp(X, model, start=w, max_iter=3)
    memory = 0.0
    for _ in range(3):
        u = np.tanh(snr * X @ w / np.sqrt(200) - memory)
        field = snr * X.T @ u / np.sqrt(200) - 4.0 * snr**2 * (1 - np.mean(u**2)) * w
        w = np.tanh(field)
        memory = snr**2 * (1 - np.mean(w**2)) * u
    np.testing.assert_allclose(result.W, w, atol=1e-12)
    np.testing.assert_allclose(result.U, u, atol=1e-12)


@pytest.mark.parametrize("snr", [(1.4,), (1.8, 1.3)])
def test_gaussian_fixed_point_is_pca(snr):
    # linear denoisers: columns of W and U span singular spaces of X. A last change of 1e-11 leaves
    # a hundred times as much at most: two strengths turn towards their own vectors by 3 % a step.
    model, data = spiked(snr, (G, G))
    result = bayes_amp(data.X, model, tol=1e-11, max_iter=3000, rng=7)
    assert result.converged
    exact = pca(data.X, len(snr))
    for found, expected in ((result.W, exact.W), (result.U, exact.U)):
        projector = expected @ expected.T / len(expected)
        np.testing.assert_allclose(projector @ found, found, atol=1e-9)
    if len(snr) == 1:
        found = matched_overlap(data.W_star, result.W)
        np.testing.assert_allclose(found, matched_overlap(data.W_star, exact.W), atol=1e-9)


def test_names_and_signs_of_the_signals_do_not_matter():
    model, data = spiked((1.3,) * 3)
    start = 0.3 * np.random.default_rng(1).standard_normal((300, 3))
    plain = bayes_amp(data.X, model, start=start)
    order, flips = [2, 0, 1], np.array([1.0, -1.0, -1.0])
    turned = bayes_amp(data.X, model, start=start[:, order] * flips)
    assert plain.converged
    # names and signs do not enter; only the order of sums does
    np.testing.assert_allclose(turned.W, plain.W[:, order] * flips, atol=1e-6)
    np.testing.assert_allclose(turned.U, plain.U[:, order] * flips, atol=1e-6)
    assert turned.score == pytest.approx(plain.score, abs=1e-10)


def test_equal_columns_stay_equal():
    # nothing but the start breaks the symmetry between signals of equal strength
    model, data = spiked((1.3, 1.3))
    column = 0.3 * data.W_star[:, :1] + 0.1
    result = bayes_amp(data.X, model, start=np.hstack([column, column]), max_iter=5)
    np.testing.assert_allclose(result.W[:, 0], result.W[:, 1], rtol=0, atol=1e-9)
    other = bayes_amp(data.X, model, rng=1)
    assert np.abs(overlap(other.W, other.W)[0, 1]) < 0.3
    assert other.score > result.score + 0.1


def test_rotated_gaussian_signals_have_the_same_score():
    # equal strengths, both sides Gaussian: every rotation of a fixed point is one
    model, data = spiked((1.6, 1.6), (G, G))
    turn = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2.0)
    starts = 0.5 * data.W_star, 0.5 * data.W_star @ turn
    runs = [bayes_amp(data.X, model, tol=1e-11, start=start) for start in starts]
    assert all(run.converged for run in runs)
    assert runs[0].score == pytest.approx(runs[1].score, abs=1e-10)
    assert np.abs(matched_overlap(runs[0].W, runs[1].W)).min() < 0.99


def test_zero_is_a_fixed_point_of_score_zero():
    for priors in PAIRS.values():
        model, data = spiked((1.3, 1.0), priors, d=100)
        result = bayes_amp(data.X, model, start=np.zeros((100, 2)))
        assert result.converged
        assert result.message == "converged; 2 of 2 estimates vanish"
        assert result.score == pytest.approx(0.0, abs=1e-13)
        assert not result.W.any()


# what it reaches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("priors", [*PAIRS.values(), (R, TERNARY)], ids=repr)
def test_fixed_point_is_stationary_for_the_log_evidence(priors):
    # the Bethe formula as a free function of both sides' fields and precisions: along any
    # direction its slope vanishes; step 1e-4 leaves 1e-7 and less. Half the Onsager term does not
    # give a stationary point.
    model, data = spiked((2.0, 1.4), priors, d=60)
    X, L = data.X, np.diag(model.snr)
    n, d = X.shape
    start = 0.8 * pca(X, 2).W

    def slopes(onsager):
        U, W, _ = plain_amp(X, model, start, 300, onsager)[-1]
        cov_w, cov_u = fixed_covariances(X, model, W, U, onsager)
        B_u = X @ W @ L / np.sqrt(d) - onsager * U @ L @ cov_w @ L
        B_w = X.T @ U @ L / np.sqrt(d) - onsager * n / d * W @ L @ cov_u @ L
        A_u, A_w = L @ (W.T @ W / d) @ L, n / d * L @ (U.T @ U / n) @ L
        rng = np.random.default_rng(3)
        found = []
        for _ in range(3):
            moves = [rng.standard_normal(B.shape) for B in (B_u, B_w)]
            turns = [S + S.T for S in rng.standard_normal((2, 2, 2))]

            def along(h, moves=moves, turns=turns):
                fields = B_u + h * moves[0], B_w + h * moves[1]
                precisions = A_u + h * turns[0], A_w + h * turns[1]
                return bethe(X, L, fields, precisions, (model.prior_u, model.prior_w))

            found.append((along(1e-4) - along(-1e-4)) / 2e-4)
        return np.abs(found).max()

    assert slopes(1.0) < 1e-6
    assert slopes(0.5) > 1e-3


def fixed_covariances(X, model, W, U, onsager):
    """Averaged covariances (of w, of u) at a fixed point: iterate them with the means given."""
    n, d = X.shape
    L = np.diag(model.snr)
    cov_w = np.zeros((model.r, model.r))
    for _ in range(200):
        B_u = X @ W @ L / np.sqrt(d) - onsager * U @ L @ cov_w @ L
        cov_u = denoise(B_u, L @ (W.T @ W / d) @ L, model.prior_u)[1].mean(axis=0)
        B_w = X.T @ U @ L / np.sqrt(d) - onsager * n / d * W @ L @ cov_u @ L
        new = denoise(B_w, L @ (U.T @ U / d) @ L, model.prior_w)[1].mean(axis=0)
        if np.abs(new - cov_w).max() < 1e-13:
            break
        cov_w = new
    return cov_w, cov_u


# theory beside simulation: alpha = 4; sizes, instances and strengths chosen beforehand ------------

PATH_SIZES, PATH_INSTANCES, PATH_SNR, PATH_START = (250, 500), 40, 1.0, 0.2
POINT_SIZES, POINT_INSTANCES, POINT_SNR = (150, 300, 600), 40, 1.2


def order_parameters(history):
    """Diagonals of |M| and Q, the start first: (2, n_iter + 1, r)."""
    return np.array([np.abs(np.diagonal(S, axis1=1, axis2=2)) for S in (history.M, history.Q)])


def extrapolated_paths(model, start, n_iter):
    """Twice the path at the larger size less that at the smaller one: free of the bias c/d."""
    paths = []
    for seed in range(PATH_INSTANCES):
        pair = []
        for d in PATH_SIZES:
            data = model.sample(d, rng=seed + 1000 * d)
            first = start(data, seed)
            history = bayes_amp(
                data.X, model, first, max_iter=n_iter, tol=1e-300, W_star=data.W_star
            ).history
            pair.append(order_parameters(history))
        paths.append(2 * pair[1] - pair[0])
    return np.array(paths)


@pytest.mark.parametrize("name", PAIRS)
def test_informed_start_follows_state_evolution(name):
    model = SpikedModel(4.0, PATH_SNR, *PAIRS[name])
    theory = bayes_state_evolution(model, PATH_START, n_iter=8)

    def start(data, seed):
        return informed_start(data.W_star, [[PATH_START]], [[PATH_START]], rng=10_000 + seed)

    paths = extrapolated_paths(model, start, 8)
    assert compare_paths(paths, np.array([theory.m_w, theory.m_w])).verdict == "agrees"
    weaker = bayes_state_evolution(SpikedModel(4.0, 0.9 * PATH_SNR, *PAIRS[name]), PATH_START, 8)
    assert compare_paths(paths, np.array([weaker.m_w, weaker.m_w])).verdict == "disagrees"


@pytest.mark.parametrize("name", ["Gaussian w"])
def test_spectral_start_follows_state_evolution(name):
    model = SpikedModel(4.0, PATH_SNR, *PAIRS[name])
    theory = bayes_state_evolution(model, pca_overlap(4.0, PATH_SNR) ** 2, n_iter=8)
    paths = extrapolated_paths(model, lambda data, seed: "spectral", 8)
    assert compare_paths(paths, np.array([theory.m_w, theory.m_w])).verdict == "agrees"

    def uncorrected(data, seed):
        return np.sqrt(pca_overlap(4.0, PATH_SNR) ** 2) * pca(data.X, 1).W

    wrong = extrapolated_paths(model, uncorrected, 2)
    expected = np.array([theory.m_w[:3], theory.m_w[:3]])
    assert compare_paths(wrong, expected).verdict == "disagrees"


def test_two_strengths_follow_their_own_state_evolution():
    model, m0 = SpikedModel(4.0, (1.3, 0.9), R, G), np.array([0.3, 0.2])
    theory = bayes_state_evolution(model, m0, n_iter=6)

    def start(data, seed):
        return informed_start(data.W_star, np.diag(m0), np.diag(m0), rng=10_000 + seed)

    paths = extrapolated_paths(model, start, 6)
    assert compare_paths(paths, np.array([theory.m_w, theory.m_w])).verdict == "agrees"


@pytest.mark.parametrize(("onsager", "verdict"), [(1.0, "agrees"), (0.8, "disagrees")])
def test_wrong_onsager_term_leaves_state_evolution(onsager, verdict):
    # the plain twin with a factor before both Onsager terms, at d = 400
    model = SpikedModel(4.0, PATH_SNR)
    theory = bayes_state_evolution(model, PATH_START, n_iter=8)
    paths = []
    for seed in range(PATH_INSTANCES):
        data = model.sample(400, rng=seed)
        W = informed_start(data.W_star, [[PATH_START]], [[PATH_START]], rng=10_000 + seed)
        steps = [W, *(step[1] for step in plain_amp(data.X, model, W, 8, onsager))]
        paths.append([[data.W_star.T @ W / 400 for W in steps], [W.T @ W / 400 for W in steps]])
    expected = np.array([theory.m_w, theory.m_w])
    assert compare_paths(np.array(paths)[..., 0], expected).verdict == verdict


@lru_cache(maxsize=4)
def points(name):
    """Overlap and score at the fixed point, every size; every run must have converged."""
    model = SpikedModel(4.0, POINT_SNR, *PAIRS[name])
    values = []
    for d in POINT_SIZES:
        for seed in range(POINT_INSTANCES):
            data = model.sample(d, rng=seed + 1000 * d)
            run = bayes_amp(data.X, model, "spectral")
            assert run.converged
            values.append((matched_overlap(data.W_star, run.W)[0], run.score))
    return np.array(values).reshape(len(POINT_SIZES), POINT_INSTANCES, 2)


@pytest.mark.parametrize("name", ["signs", "Gaussian w", "Gaussian"])
def test_fixed_point_is_bayes_optimal(name):
    theory = bayes_overlap(4.0, POINT_SNR, *PAIRS[name])
    found = extrapolate(POINT_SIZES, points(name)[:, :, 0], theory)
    assert found.verdict == "agrees"
    assert extrapolate(POINT_SIZES, points(name)[:, :, 0], 0.98 * theory).verdict == "disagrees"


@pytest.mark.parametrize("name", ["signs", "Gaussian w", "Gaussian"])
def test_score_is_the_log_evidence(name):
    # on the scale of a known signal's evidence, alpha snr^2/2, of which one per cent is resolved
    theory, scale = bayes_log_evidence(4.0, POINT_SNR, *PAIRS[name]), 2.0 * POINT_SNR**2
    found = extrapolate(POINT_SIZES, points(name)[:, :, 1], theory, scale)
    assert found.verdict == "agrees"
    wrong = extrapolate(POINT_SIZES, points(name)[:, :, 1], theory + 0.1, scale)
    assert wrong.verdict == "disagrees"


# the score chooses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("snr", "d", "seeds"),
    [((0.85, 0.85), 400, 2), ((3.0,) * 5, 200, 8)],
    ids=["near threshold", "strong"],
)
def test_score_ranks_converged_runs_by_overlap(snr, d, seeds):
    # where starts end at different fixed points: near the threshold (one draw in eight; the first
    # is one), and for strong signals, where a run can lock in a mixture. Every pair of different
    # scores is ordered as its overlaps.
    model, pairs = SpikedModel(4.0, snr), 0
    for seed in range(seeds):
        data = model.sample(d, rng=seed)
        runs = [bayes_amp(data.X, model, "spectral")]
        runs += [bayes_amp(data.X, model, rng=5000 + 100 * seed + j) for j in range(1, 6)]
        reached = [
            (run.score, matched_overlap(data.W_star, run.W).mean()) for run in runs if run.converged
        ]
        for i, (score, reach) in enumerate(reached):
            for other_score, other_reach in reached[:i]:
                if abs(score - other_score) > 1e-6:
                    pairs += 1
                    assert (score > other_score) == (reach > other_reach)
    assert pairs >= 5


def test_rank_one_state_scores_less_than_both_signals():
    # estimates of one of two signals only: a saddle of lower evidence
    model, data = spiked((1.3, 1.3))
    one = np.column_stack([0.5 * data.W_star[:, 0], np.zeros(300)])
    stuck = bayes_amp(data.X, model, start=one, max_iter=15)
    both = bayes_amp(data.X, model, rng=1)
    assert matched_overlap(data.W_star, both.W).min() > 0.9
    assert both.score > stuck.history.score.max() + 0.1


# what it reports ----------------------------------------------------------------------------------


def test_history():
    model, data, result = solved()
    steps, history = result.n_iter, result.history
    assert result.converged
    assert result.message == "converged"
    assert result.W.shape == (300, 2)
    assert result.U.shape == (1200, 2)
    assert history.M.shape == history.Q.shape == (steps + 1, 2, 2)
    assert history.change.shape == history.score.shape == (steps,)
    assert history.change[-1] < 1e-12 <= history.change[:-1].min()
    np.testing.assert_allclose(history.M[-1], data.W_star.T @ result.W / 300, atol=1e-12)
    np.testing.assert_allclose(history.Q[-1], result.W.T @ result.W / 300, atol=1e-12)
    # more signals recorded than estimated, and none
    other = np.ones((300, 3))
    assert bayes_amp(data.X, model, rng=1, max_iter=1, W_star=other).history.M.shape == (2, 3, 2)
    assert bayes_amp(data.X, model, rng=1, max_iter=1).history.M is None


def test_change_is_that_of_the_estimates():
    model, data = spiked((1.6,), d=100)
    two, three = (bayes_amp(data.X, model, rng=0, max_iter=steps) for steps in (2, 3))
    change = np.linalg.norm(three.W - two.W) / 10
    assert three.history.change[2] == pytest.approx(change, rel=1e-12)
    assert three.message == "not converged after 3 iterations"
    assert not three.converged


@pytest.mark.parametrize("start", ["random", "spectral"])
def test_no_signal_below_the_threshold(start):
    # a third of the BBP strength: the posterior mean is zero, and that is said
    model, data = spiked((0.25,), d=200)
    result = bayes_amp(data.X, model, start=start, rng=1)
    assert result.converged
    assert result.message == "converged; 1 of 1 estimates vanish"
    assert result.score == pytest.approx(0.0, abs=1e-12)


def test_one_estimate_of_two_vanishes():
    # a column of zeros stays one, by symmetry, and a squared length of 1e-6 divides the two kinds
    model, data = spiked((1.6, 1.6))
    one = np.column_stack([0.5 * data.W_star[:, 0], np.zeros(300)])
    result = bayes_amp(data.X, model, start=one, tol=1e-3)
    assert result.message == "converged; 1 of 2 estimates vanish"
    for small, message in ((2e-6, "converged"), (5e-7, result.message)):
        assert _how(np.diag([0.9, small])) == message


def test_signals_hidden_in_the_bulk_do_not_converge_and_score_low():
    # both singular values of this draw lie below the edge of the noise, where random Gaussian
    # estimates wander: reported, with a score below that of knowing nothing
    model, data = spiked((0.85, 0.85), (G, G), d=400)
    assert pca(data.X, 1).singular_values[0] ** 2 < 9.0
    result = bayes_amp(data.X, model, rng=1, max_iter=200)
    assert not result.converged
    assert result.message == "not converged after 200 iterations"
    assert result.score < -0.1


def test_posterior_means_are_bounded():
    # data far too large for the model: Gaussian estimates shrink by the precision they imply
    model, data = spiked((1.6,), (G, G), d=60)
    for scale in (1e2, 1e8):
        result = bayes_amp(scale * data.X, model, rng=0, max_iter=50)
        assert np.isfinite(result.W).all()
        assert np.abs(result.W).max() < 1e3


def test_damping_reaches_the_same_fixed_point():
    model, data, plain = solved()
    steps = [plain.n_iter]
    for damping in (0.3, 0.6):
        result = bayes_amp(data.X, model, damping=damping, tol=1e-12, rng=100)
        assert result.converged
        np.testing.assert_allclose(result.W, plain.W, atol=1e-9)
        assert result.score == pytest.approx(plain.score, abs=1e-10)
        steps.append(result.n_iter)
    # the Onsager term of the mixture keeps the price at about 1/(1 - damping)
    assert steps == sorted(steps)
    assert steps[1] < 2.5 * steps[0]
    assert steps[2] < 5.0 * steps[0]


def test_float32_data():
    model, data, plain = solved()
    X = data.X.astype(np.float32)
    result = bayes_amp(X, model, rng=100, tol=1e-5)
    assert result.converged
    np.testing.assert_allclose(result.W, plain.W, atol=1e-3)
    assert result.W.dtype == result.U.dtype == np.float64


def test_float32_data_is_not_copied():
    model = SpikedModel(4.0, 1.6)
    X = model.sample(500, rng=0).X.astype(np.float32)
    bayes_amp(X, model, rng=0, max_iter=1)  # import first
    tracemalloc.start()
    try:
        bayes_amp(X, model, rng=0, max_iter=5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes


def test_inputs_are_not_changed():
    model, data = spiked((1.6,), d=100)
    start = data.W_star + 0.1
    kept = data.X.copy(), start.copy()
    bayes_amp(data.X, model, start=start, max_iter=5)
    for array, before in zip((data.X, start), kept, strict=True):
        np.testing.assert_array_equal(array, before)
    lists = bayes_amp(data.X.tolist(), model, start=start.tolist(), max_iter=2)
    np.testing.assert_array_equal(lists.W, bayes_amp(data.X, model, start, max_iter=2).W)


def test_same_seed_same_result():
    model, data = spiked((1.6, 1.2), d=100)
    first, again, other = (bayes_amp(data.X, model, rng=s, max_iter=5) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.W, again.W)
    assert not np.allclose(first.W, other.W)


def test_channel_enters_through_its_information_coefficient():
    # sign(s + z) carries sqrt(2/pi) of the strength
    channel = SpikedModel(4.0, 2.0, channel=lambda s, z: np.sign(s + z))
    data = channel.sample(200, rng=0)
    linear = SpikedModel(4.0, 2.0 * np.sqrt(2.0 / np.pi))
    found, expected = (bayes_amp(data.X, model, rng=1) for model in (channel, linear))
    np.testing.assert_allclose(found.W, expected.W, atol=1e-4)
    assert matched_overlap(data.W_star, found.W)[0] > 0.95
    paths = [bayes_state_evolution(model, 0.1, 5).m_w for model in (channel, linear)]
    np.testing.assert_allclose(paths[0], paths[1], atol=1e-5)


# state evolution against state evolution ----------------------------------------------------------


@pytest.mark.parametrize("priors", [*PAIRS.values(), (TERNARY, R)], ids=repr)
def test_state_evolution_ends_at_the_bayes_overlap(priors):
    model = SpikedModel(2.0, (1.4, 1.1), *priors)
    path = bayes_state_evolution(model, (0.5, 0.1), n_iter=150)
    assert path.m_w.shape == (151, 2)
    assert path.m_u.shape == (150, 2)
    expected = [bayes_overlap(2.0, snr, *priors) for snr in model.snr]
    np.testing.assert_allclose(path.overlap[-1], expected, atol=1e-8)
    np.testing.assert_array_equal(path.m_w[0], [0.5, 0.1])


def test_one_step_of_state_evolution():
    # E tanh(g + sqrt(g) G) by Gauss-Hermite, and g/(1 + g)
    nodes, weights = np.polynomial.hermite_e.hermegauss(101)
    gamma = 1.44 * 0.3
    m_u = weights @ np.tanh(gamma + np.sqrt(gamma) * nodes) / np.sqrt(2 * np.pi)
    path = bayes_state_evolution(SpikedModel(4.0, 1.2, prior_w=G), 0.3, n_iter=1)
    assert path.m_u[0, 0] == pytest.approx(m_u, abs=1e-9)
    assert path.m_w[1, 0] == pytest.approx(4 * 1.44 * m_u / (1 + 4 * 1.44 * m_u), abs=1e-9)


def test_log_evidence_grows_by_the_mutual_information():
    # d Phi/d snr = alpha snr m_u m_w at the fixed point (Phi is stationary in both overlaps);
    # central difference with step 1e-3
    for priors in ((R, R), (R, G), (G, G)):
        up, down = (bayes_log_evidence(4.0, 1.0 + step, *priors) for step in (1e-3, -1e-3))
        m_w = bayes_overlap(4.0, 1.0, *priors) ** 2
        m_u = bayes_state_evolution(SpikedModel(4.0, 1.0, *priors), m_w, n_iter=1).m_u[0, 0]
        assert (up - down) / 2e-3 == pytest.approx(4.0 * m_u * m_w, abs=1e-4)
    assert bayes_log_evidence(4.0, 0.5) == pytest.approx(0.0, abs=1e-10)


@pytest.mark.parametrize(("alpha", "snr"), [(4.0, 0.8), (4.0, 1.3), (0.7, 1.4)])
@pytest.mark.parametrize("priors", [(R, R), (R, G), (G, R)], ids=repr)
def test_log_evidence_is_the_integral_of_the_mutual_overlaps(alpha, snr, priors):
    # d Phi/d (snr^2) = alpha m_u m_w / 2, from the threshold on; the integrand rises from zero
    # there with a finite slope, and Gauss-Legendre leaves 1e-6
    threshold = alpha**-0.5
    nodes, weights = np.polynomial.legendre.leggauss(24)
    squares = threshold + (snr**2 - threshold) * 0.5 * (1.0 + nodes)
    slopes = []
    for square in squares:
        m_w = bayes_overlap(alpha, float(np.sqrt(square)), *priors) ** 2
        model = SpikedModel(alpha, float(np.sqrt(square)), *priors)
        m_u = bayes_state_evolution(model, m_w, n_iter=1).m_u[0, 0]
        slopes.append(0.5 * alpha * m_u * m_w)
    expected = 0.5 * (snr**2 - threshold) * (weights @ slopes)
    found = bayes_log_evidence(alpha, snr, *priors)
    assert found == pytest.approx(expected, rel=1e-3)


def test_no_evidence_and_no_overlap_below_the_threshold_for_a_skewed_law():
    # two points of probabilities 0.9 and 0.1, mean zero and variance one: rounding leaves an
    # overlap of -1e-34, of which no root must be taken
    skewed = Discrete((-np.sqrt(0.1 / 0.9), np.sqrt(0.9 / 0.1)), (0.9, 0.1))
    for priors in ((skewed, R), (R, skewed), (skewed, skewed)):
        assert bayes_log_evidence(2.0, 0.5, *priors) == pytest.approx(0.0, abs=1e-12)
        path = bayes_state_evolution(SpikedModel(2.0, 0.5, *priors), 0.0, 5)
        np.testing.assert_allclose(path.m_w, 0.0, atol=1e-12)
        assert np.isfinite(path.overlap).all()


def test_log_evidence_takes_numbers_of_any_type():
    # a strength of one byte has a square that overflows it
    assert bayes_log_evidence(1, np.int8(12)) == bayes_log_evidence(1.0, 12.0)
    assert isinstance(bayes_log_evidence(4.0, np.array(1.2)), float)
