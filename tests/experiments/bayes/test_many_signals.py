"""Figure 6: what a row says, which start is kept, what counts as found."""

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from rbmnotes import (
    Gaussian,
    Rademacher,
    SpikedModel,
    bayes_amp,
    bayes_overlap,
    decimation_amp,
    haar_overlap,
    matched_overlap,
    pca,
    pca_overlap,
)
from rbmnotes.evidence import extrapolate
from rbmnotes.experiments.bayes import many_signals
from rbmnotes.experiments.registry import figure, load_results

PRIORS = {"Rademacher": Rademacher(), "Gaussian": Gaussian()}
POINT = {"r": 2, "d": 150, "prior_w": "Gaussian", "snr": 1.2}


@lru_cache(maxsize=2)
def measured():
    return tuple(many_signals.measure_bayes_comparison(POINT, np.random.default_rng(9)))


def drawn():
    for_data, *for_starts = np.random.default_rng(9).spawn(5)
    model = SpikedModel(4.0, (1.2, 1.2), prior_w=Gaussian())
    data = model.sample(150, for_data)
    return model, data, data.X.astype(np.float32), for_starts


def test_rows_by_hand():
    model, data, X, for_starts = drawn()
    rows = measured()
    assert [(row["method"], row["start"]) for row in rows] == [
        ("random", 0),
        ("random", 1),
        ("random", 2),
        ("spectral", 0),
        ("decimation", 0),
        ("pca", 0),
    ]
    runs = [bayes_amp(X, model, rng=stream, tol=1e-5) for stream in for_starts[:3]]
    runs.append(bayes_amp(X, model, "spectral", tol=1e-5))
    peeled = decimation_amp(X, model, n_starts=3, tol=1e-5, max_iter=100, rng=for_starts[3])
    for row, run in zip(rows, [*runs, peeled], strict=False):
        cosines = matched_overlap(data.W_star, run.W)
        assert row["overlap"] == pytest.approx(cosines.mean(), abs=1e-12)
        assert row["smallest_overlap"] == pytest.approx(cosines.min(), abs=1e-12)
        assert (row["converged"], row["n_iter"]) == (run.converged, run.n_iter)
        assert row["score"] == pytest.approx(np.sum(run.score), abs=1e-12)
    expected = matched_overlap(data.W_star, pca(X, 2).W).mean()
    assert rows[5]["overlap"] == pytest.approx(expected, abs=1e-12)


def test_early_overlap_is_that_of_a_shorter_run(monkeypatch):
    monkeypatch.setattr(many_signals, "EARLY", 6)
    rows = many_signals.measure_bayes_comparison(POINT, np.random.default_rng(9))
    model, data, X, for_starts = drawn()
    short = bayes_amp(X, model, rng=for_starts[0], tol=1e-300, max_iter=6)
    expected = matched_overlap(data.W_star, short.W).mean()
    assert rows[0]["early_overlap"] == pytest.approx(expected, abs=1e-6)
    assert abs(rows[0]["early_overlap"] - rows[0]["overlap"]) > 1e-3


def test_starts_do_not_know_gaussian_signals():
    _, data, _, for_starts = drawn()
    for stream in for_starts:
        start = stream.standard_normal((150, 2))
        assert matched_overlap(data.W_star, start).max() < 5 / np.sqrt(150)


@pytest.mark.parametrize("prior_w", ["Rademacher", "Gaussian"])
def test_predictions(prior_w):
    point, law = {"r": 2, "d": 2000, "snr": 2.0, "prior_w": prior_w}, PRIORS[prior_w]
    found = many_signals.predict_bayes_comparison(point)
    assert found["bayes_theory"] == bayes_overlap(4.0, 2.0, Rademacher(), law)
    assert found["pca_theory"] == pca_overlap(4.0, 2.0)
    # PCA's basis of a pair is one angle, tan(2 phi) a ratio of two Gaussians: latent variables are
    # signs, so that only the signals' squares fluctuate. The uniform basis is off for either law.
    noise = (1.25 + 2 * 4.0) / (4.0 * 16 - 1)
    variance = 0.0 if prior_w == "Rademacher" else 2.0
    angles = np.linspace(0, 2 * np.pi, 200_000, endpoint=False)
    half_gap = np.sqrt(noise + variance / 2) * np.cos(angles)
    off = np.sqrt(noise + 1.25) * np.sin(angles)
    basis = np.mean(np.sqrt((1 + np.abs(half_gap) / np.hypot(half_gap, off)) / 2))
    error = found["equal_pca_error"]
    assert abs(found["equal_pca_theory"] - basis * pca_overlap(4.0, 2.0)) < 4 * error
    uniform = haar_overlap(2)[0] * pca_overlap(4.0, 2.0)
    assert abs(found["equal_pca_theory"] - uniform) > 4 * error


def test_the_stored_table_holds_these_predictions():
    table = load_results("bayes_comparison", "paper")
    names = ["bayes_theory", "pca_theory", "equal_pca_theory", "equal_pca_error"]
    for prior_w in PRIORS:
        row = table[(table.r == 2) & (table.snr == 1.2) & (table.prior_w == prior_w)].iloc[0]
        theory = many_signals.predict_bayes_comparison(row[["r", "d", "snr", "prior_w"]])
        assert row[names].to_dict() == pytest.approx(theory, abs=1e-12)


def test_a_mixture_of_two_signals_is_not_found():
    table = pd.DataFrame(
        {
            "converged": [True, True, False, True],
            "smallest_overlap": [0.9, 0.62, 0.9, 0.65],
            "bayes_theory": [0.9, 0.9, 0.9, 0.9],
        }
    )  # an equal mixture has 0.9 / sqrt 2 = 0.636
    assert many_signals.found(table).tolist() == [True, False, False, True]


def test_the_converged_start_of_largest_score_is_kept():
    key = {"r": 2, "d": 10, "prior_w": "Gaussian", "snr": 1.0}
    rows = [
        (0, "random", 0, False, 9.0),
        (0, "random", 1, True, 1.0),
        (0, "random", 2, True, 2.0),
        (0, "spectral", 0, True, 5.0),
        (1, "random", 0, False, 3.0),
        (1, "random", 1, False, 4.0),
    ]
    columns = ["instance", "method", "start", "converged", "score"]
    table = pd.DataFrame([key | dict(zip(columns, row, strict=True)) for row in rows])
    kept = many_signals.best_by_score(table)
    assert kept.index.tolist() == [2, 5]


def test_quick_scale_finds_both_signals():
    # snr 1.6, well above threshold, at the quick scale's size: all find them, PCA with less overlap
    point = {"r": 2, "d": 200, "prior_w": "Rademacher", "snr": 1.6}
    rows = many_signals.measure_bayes_comparison(point, np.random.default_rng(1))
    table = pd.DataFrame(rows).assign(**many_signals.predict_bayes_comparison(point))
    blind = table.method == "pca"
    assert many_signals.found(table[~blind]).all()
    assert table[~blind].overlap.min() > table[blind].overlap.max() + 0.02
    assert figure(6).name == "bayes_comparison"


@pytest.mark.parametrize("prior_w", ["Rademacher", "Gaussian"])
def test_stored_limit_is_that_of_one_signal(prior_w):
    table = load_results("bayes_limit", "paper")
    for r in (2, 10):
        rows = table[(table.r == r) & (table.prior_w == prior_w)]
        assert rows.converged.all()
        sizes = sorted(rows.d.unique())
        samples = [rows[rows.d == d].overlap for d in sizes]
        theory = rows.bayes_theory.iloc[0]
        assert theory == pytest.approx(
            bayes_overlap(4.0, 1.2, Rademacher(), PRIORS[prior_w]), abs=1e-12
        )
        assert extrapolate(sizes, samples, theory).verdict == "agrees"
        assert extrapolate(sizes, samples, 0.97 * theory).verdict == "disagrees"


def test_limit_by_hand():
    row = many_signals.measure_bayes_limit(POINT, np.random.default_rng(6))
    for_data, for_start = np.random.default_rng(6).spawn(2)
    model = SpikedModel(4.0, (1.2, 1.2), prior_w=Gaussian())
    data = model.sample(150, for_data)
    fit = bayes_amp(data.X.astype(np.float32), model, tol=1e-5, max_iter=1000, rng=for_start)
    assert row["overlap"] == pytest.approx(matched_overlap(data.W_star, fit.W).mean(), abs=1e-12)
    assert (row["converged"], row["n_iter"]) == (fit.converged, fit.n_iter)


def test_stored_runs_reach_the_bound_where_signals_are_strong():
    # at snr 1.6 every run settles, and the mean of all of them is within 0.3 % of the
    # Bayes-optimal overlap of one signal; that of PCA, on the same draws, at least 5 % below it
    table = load_results("bayes_comparison", "paper")
    strong = table[table.snr == 1.6]
    ours = strong[strong.method.isin(["random", "spectral"])]
    assert ours.converged.all()
    means = ours.groupby(["r", "prior_w", "method"])[["overlap", "bayes_theory"]].mean()
    assert len(means) == 8
    np.testing.assert_allclose(means.overlap / means.bayes_theory, 1.0, atol=0.003)
    blind = strong[strong.method == "pca"].groupby(["r", "prior_w"])
    ratio = blind.overlap.mean() / blind.bayes_theory.mean()
    assert ratio.max() < 0.95


def test_on_the_grid_of_the_figure_amp_is_above_pca():
    # every draw and start, found or not, at the end and at iteration 50
    table = load_results("bayes_comparison", "paper")
    keys = ["r", "prior_w", "snr"]
    blind = table[table.method == "pca"].groupby(keys).overlap.mean()
    random = table[table.method == "random"].groupby(keys)
    assert (random.overlap.mean() - blind).min() > 0.04
    assert (random.early_overlap.mean() - blind).min() > 0.01


def test_failed_runs_are_those_that_did_not_settle():
    table = load_results("bayes_comparison", "paper")
    ours = table[table.method.isin(["random", "spectral"])]
    failed = ours[~many_signals.found(ours)]
    assert len(failed) > 50
    assert (~failed.converged).mean() > 0.9
