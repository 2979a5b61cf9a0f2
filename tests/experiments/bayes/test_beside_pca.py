"""Bayes-optimal AMP beside PCA as a map, and the first stage of decimation."""

import itertools

import numpy as np
import pandas as pd
import pytest

from rbmnotes import (
    Gaussian,
    SpikedModel,
    bayes_amp,
    bayes_overlap,
    bayes_stage_evolution,
    matched_overlap,
    overlap,
    pca,
)
from rbmnotes.experiments.bayes import beside_pca, first_stage
from rbmnotes.experiments.comparison.equal_signals import matched_at
from rbmnotes.experiments.registry import load_results


def best_of_all_orders(signals, estimates):
    """Mean absolute cosine under the best order of the estimates, by trying all of them."""
    cosines = np.abs(overlap(signals, estimates))
    places = range(len(cosines))
    return max(
        np.mean([cosines[i, order[i]] for i in places]) for order in itertools.permutations(places)
    )


def test_matched_at_an_iteration_is_that_of_a_run_stopped_there():
    # three estimates of signals of different lengths; past the end it is the end
    model = SpikedModel(4.0, (1.2,) * 3, prior_w=Gaussian())
    data = model.sample(60, rng=1)
    run = bayes_amp(data.X, model, rng=2, max_iter=9, tol=1e-300, W_star=data.W_star)
    for t in (3, 9, 50):
        stopped = bayes_amp(data.X, model, rng=2, max_iter=min(t, 9), tol=1e-300).W
        found = matched_at(run.history, data.W_star, t)
        np.testing.assert_allclose(found, matched_overlap(data.W_star, stopped), atol=1e-12)


def test_rows_of_the_map_by_hand():
    point = {"r": 3, "d": 120, "prior_w": "Gaussian", "snr": 0.9}
    rows = beside_pca.measure_bayes_map(point, np.random.default_rng(4))
    for_data, for_start = np.random.default_rng(4).spawn(2)
    model = SpikedModel(4.0, (0.9,) * 3, prior_w=Gaussian())
    data = model.sample(120, for_data)
    X = data.X.astype(np.float32)
    assert [row["iteration"] for row in rows] == list(beside_pca.MOMENTS)
    start = 0.1 * for_start.standard_normal((120, 3))
    blind = best_of_all_orders(data.W_star, pca(X, 3).W)
    for row in rows:
        run = bayes_amp(X, model, start, tol=1e-5, max_iter=row["iteration"])
        assert row["amp"] == pytest.approx(best_of_all_orders(data.W_star, run.W), abs=1e-6)
        assert row["settled"] == run.converged
        assert row["pca"] == pytest.approx(blind, abs=1e-12)


def test_the_map_holds_every_draw_it_planned():
    table = load_results("bayes_map", "paper")
    for (r, d), rows in table.groupby(["r", "d"]):
        assert len(rows) == (
            beside_pca.INSTANCES[r][d] * 2 * len(beside_pca.SNR) * len(beside_pca.MOMENTS)
        )
    assert table.amp.between(0, 1).all()


def test_weak_small_and_early_runs_are_no_better_than_pca():
    # the paper's statement: at snr 0.8 and d = 400 the mean over all draws is that of PCA, to three
    # standard errors and 0.05, from runs that vary much; still closer to threshold it is below,
    # at snr 0.9 after fifty iterations far above, and at 0.8 the gain grows with the dimension
    table = load_results("bayes_map", "paper")
    table["gain"] = table.amp - table.pca
    signs = table[(table.r == 2) & (table.prior_w == "Rademacher")]

    def cell(snr, iteration, d=None):
        rows = signs[(signs.snr == snr) & (signs.iteration == iteration)]
        return rows if d is None else rows[rows.d == d]

    equal = cell(0.8, 200, 400)
    assert abs(equal.gain.mean()) < min(3 * equal.gain.sem(), 0.05)
    assert equal.amp.std() > 0.1
    assert not equal.settled.all()
    weak = cell(0.75, 200)
    assert weak.gain.mean() < -4 * weak.gain.sem()
    above = cell(0.9, 50).groupby("d").gain.agg(["mean", "sem"])
    assert (above["mean"] > 5 * above["sem"]).all()
    early = cell(0.9, 10).groupby("d").gain.mean()
    assert (early < 0.06).all()
    # the same point at d = 2000, from Figure 6: one start a draw
    large = load_results("bayes_comparison", "paper")
    large = large[(large.r == 2) & (large.prior_w == "Rademacher") & (large.snr == 0.8)]
    wide = large[large.start == 0].pivot_table(index="instance", columns="method", values="overlap")
    gain = wide["random"] - wide["pca"]
    assert gain.mean() - equal.gain.mean() > 3 * np.hypot(gain.sem(), equal.gain.sem())


def stage_rows(d=100, seed=5):
    point = {"prior_w": "Gaussian", "d": d}
    return pd.DataFrame(first_stage.measure_first_stage(point, np.random.default_rng(seed)))


def test_rows_of_the_first_stage_by_hand():
    table = stage_rows()
    for_data, *for_starts = np.random.default_rng(5).spawn(4)
    law = Gaussian()
    data = SpikedModel(4.0, (1.2,) * 10, prior_w=law).sample(100, for_data)
    X, one = data.X.astype(np.float32), SpikedModel(4.0, 1.2, prior_w=law)
    basis = np.linalg.qr(data.W_star)[0]
    for j, stream in enumerate(for_starts):
        start = 0.1 * stream.standard_normal((100, 1))
        for t in (100, 300):
            run = bayes_amp(X, one, start, tol=1e-5, max_iter=t)
            (row,) = table[(table.start == j) & (table.iteration == t)].to_dict("records")
            assert row["largest"] == pytest.approx(np.abs(overlap(data.W_star, run.W)).max())
            inside = np.linalg.norm(basis.T @ run.W) / np.linalg.norm(run.W)
            assert row["span"] == pytest.approx(inside, abs=1e-9)
            assert row["score"] == pytest.approx(run.score, abs=1e-9)
            assert row["settled"] == run.converged


def test_the_kept_start_is_the_one_that_decimation_keeps():
    key = {"prior_w": "Gaussian", "d": 100, "iteration": 100}
    rows = [(0, 0, False, 9.0), (0, 1, True, 1.0), (0, 2, True, 2.0), (1, 0, False, 3.0)]
    rows += [(1, 1, False, 4.0), (1, 2, False, -1.0)]
    columns = ["instance", "start", "settled", "score"]
    table = pd.DataFrame([key | dict(zip(columns, row, strict=True)) for row in rows])
    assert first_stage.kept_by_decimation(table).index.tolist() == [2, 4]


def test_the_first_stage_becomes_pure_as_the_dimension_grows():
    # a mixture at d = 500 and 1000, and less and less of one: were the impurity structural, there
    # would be nothing between sizes. Largest cosine of what decimation keeps, every draw.
    table = first_stage.kept_by_decimation(load_results("first_stage", "paper"))
    for t in first_stage.MOMENTS:
        rows = table[table.iteration == t]
        means, errors = (rows.groupby("d").largest.agg(what) for what in ("mean", "sem"))
        assert means[4000] - means[1000] > 4 * np.hypot(errors[4000], errors[1000])
        optimum = bayes_overlap(4.0, 1.2, prior_w=Gaussian())
        assert means[500] < 0.85 * optimum < 0.95 * optimum < means[4000]


def test_the_limit_of_the_first_stage_is_one_signal_from_any_direction():
    # state evolution from vanishing overlaps with ten signals, ten random directions
    optimum, rng = bayes_overlap(4.0, 1.2, prior_w=Gaussian()), np.random.default_rng(11)
    for _ in range(10):
        direction = rng.standard_normal(10)
        start = 1e-3 * direction / np.linalg.norm(direction)
        end = bayes_stage_evolution(4.0, 1.2, start, 0.01, 80, prior_w=Gaussian()).overlap[-1]
        assert np.abs(end).max() == pytest.approx(optimum, abs=1e-3)
        assert np.argmax(np.abs(end)) == np.argmax(np.abs(direction))
