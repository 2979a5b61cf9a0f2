"""Decimation AMP: each stage by hand, what it finds, and what it reports."""

import numpy as np
import pytest

from rbmnotes import Gaussian, SpikedModel, bayes_amp, decimation_amp, matched_overlap, overlap
from rbmnotes.algorithms.bayes_amp import BayesAMPResult


def test_stages_by_hand():
    # two strengths, the weaker one named first: the strongest goes first, five starts each from one
    # generator, the best kept, its product subtracted
    model, rng = SpikedModel(4.0, (1.3, 1.8)), np.random.default_rng(5)
    data = model.sample(200, rng=0)
    result = decimation_amp(data.X, model, n_starts=3, rng=5, W_star=data.W_star)
    left, n_iter = data.X.copy(), 0
    for signal in (1, 0):
        one = SpikedModel(4.0, model.snr[signal])
        runs = [bayes_amp(left, one, rng=rng) for _ in range(3)]
        assert all(run.converged for run in runs)
        best = max(runs, key=lambda run: run.score)
        n_iter += sum(run.n_iter for run in runs)
        np.testing.assert_allclose(result.W[:, signal], best.W[:, 0], atol=1e-12)
        np.testing.assert_allclose(result.U[:, signal], best.U[:, 0], atol=1e-12)
        assert result.score[signal] == pytest.approx(best.score, abs=1e-12)
        assert result.runs[signal].history.M.shape == (best.n_iter + 1, 2, 1)
        left -= model.snr[signal] * np.outer(best.U, best.W) / np.sqrt(200)
    assert result.converged
    assert result.message == "converged"
    assert result.n_iter == n_iter
    np.testing.assert_array_equal(result.n_converged, [3, 3])
    # each stage found its own signal
    assert np.abs(np.diagonal(overlap(data.W_star, result.W))).min() > 0.9


def test_one_signal_is_the_best_of_several_runs():
    model = SpikedModel(4.0, 1.2, prior_w=Gaussian())
    data = model.sample(200, rng=0)
    result = decimation_amp(data.X, model, n_starts=1, rng=3)
    single = bayes_amp(data.X, model, rng=3)
    np.testing.assert_array_equal(result.W, single.W)
    assert result.score[0] == single.score


@pytest.mark.parametrize(("r", "snr"), [(2, 1.6), (5, 1.6), (10, 2.0)])
def test_finds_all_equal_signals(r, snr):
    model = SpikedModel(4.0, (snr,) * r)
    for seed in range(2):
        data = model.sample(400, rng=seed)
        result = decimation_amp(data.X, model, n_starts=3, rng=1000 + seed)
        assert result.converged
        assert matched_overlap(data.W_star, result.W).min() > 0.95


def test_a_repeated_signal_is_reported():
    # one signal where the model says two: what is left of it is found again
    model = SpikedModel(4.0, (1.6, 1.6))
    data = SpikedModel(4.0, 3.2).sample(200, rng=0)
    result = decimation_amp(data.X, model, rng=1)
    assert not result.converged
    assert result.message.endswith("repeats an earlier one")
    assert np.abs(overlap(result.W, result.W)[0, 1]) > 0.9


def test_runs_that_do_not_converge_are_reported():
    model = SpikedModel(4.0, (1.6, 1.2))
    data = model.sample(100, rng=0)
    result = decimation_amp(data.X, model, n_starts=2, max_iter=2, rng=1)
    assert not result.converged
    assert result.message == (
        "signal 0: not converged after 2 iterations; signal 1: not converged after 2 iterations"
    )
    np.testing.assert_array_equal(result.n_converged, [0, 0])
    assert result.n_iter == 8


def test_the_data_are_not_changed_and_keep_their_precision():
    model = SpikedModel(4.0, (1.6, 1.2))
    X = model.sample(100, rng=0).X
    kept = X.copy()
    expected = decimation_amp(X, model, n_starts=1, rng=1)
    np.testing.assert_array_equal(X, kept)
    single = decimation_amp(X.astype(np.float32), model, n_starts=1, rng=1, tol=1e-5)
    np.testing.assert_allclose(single.W, expected.W, atol=1e-3)
    assert single.W.dtype == np.float64


def test_the_channel_sets_what_is_subtracted():
    # X = sign(s + z) carries sqrt(2/pi) of the strength; both stages still find a signal each
    model = SpikedModel(4.0, (2.0, 2.0), channel=lambda s, z: np.sign(s + z))
    data = model.sample(400, rng=0)
    result = decimation_amp(data.X, model, rng=1)
    assert result.converged
    assert matched_overlap(data.W_star, result.W).min() > 0.9


def stages(monkeypatch, runs):
    """Decimate by runs that are given, (w, converged, score) each, one after another."""
    left = iter(runs)

    def run(X, model, **options):
        w, converged, score = next(left)
        W, U = np.array(w, dtype=float)[:, None], np.zeros((len(X), 1))
        return BayesAMPResult(W, U, converged, 1, score, "stopped", None)

    monkeypatch.setattr("rbmnotes.algorithms.decimation_amp.bayes_amp", run)
    model = SpikedModel(2.0, (1.2, 1.2))
    return decimation_amp(np.zeros((8, 4)), model, n_starts=len(runs) // 2, rng=0)


@pytest.mark.parametrize(("cosine", "repeats"), [(0.45, False), (0.55, True), (-0.55, True)])
def test_what_counts_as_a_repetition(monkeypatch, cosine, repeats):
    # more than half the length in common, of either sign
    second = 3.0 * np.array([cosine, np.sqrt(1 - cosine**2), 0.0, 0.0])
    result = stages(monkeypatch, [([2.0, 0, 0, 0], True, 1.0), (second, True, 1.0)])
    assert result.message == ("signal 0: repeats an earlier one" if repeats else "converged")
    assert result.converged is not repeats


def test_a_converged_run_goes_before_a_larger_score(monkeypatch):
    # first stage: the converged one of larger score, though one that stopped has more; second
    # stage, where none converged: the largest score, and it is said
    a, b, c = np.eye(4)[:3]
    first = [(a, True, 1.0), (b, True, 2.0), (c, False, 9.0)]
    second = [(a, False, -1.0), (c, False, 3.0), (b, False, 2.0)]
    result = stages(monkeypatch, first + second)
    np.testing.assert_array_equal(result.W, np.column_stack([c, b]))
    np.testing.assert_array_equal(result.score, [3.0, 2.0])
    np.testing.assert_array_equal(result.n_converged, [0, 2])
    assert result.message == "signal 0: stopped"
