"""Bayes-optimal AMP with one signal: what is measured, and the stored runs against theory."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rbmnotes import (
    Gaussian,
    Rademacher,
    SpikedModel,
    bayes_amp,
    bayes_log_evidence,
    bayes_overlap,
    bayes_state_evolution,
    informed_start,
    matched_overlap,
)
from rbmnotes.evidence import compare_paths, extrapolate, joint
from rbmnotes.experiments.bayes import one_signal
from rbmnotes.experiments.engine.run import repeat
from rbmnotes.experiments.registry import experiment, load_results

LAWS = {"Rademacher": Rademacher(), "Gaussian": Gaussian()}
PAIRS = [(u, w) for u in LAWS for w in LAWS]


@pytest.mark.parametrize(("u", "w"), PAIRS)
def test_path_by_hand(u, w):
    point = {"prior_u": u, "prior_w": w, "d": 60}
    rows = one_signal.measure_bayes_path(point, np.random.default_rng(4))
    for_data, for_start = np.random.default_rng(4).spawn(2)
    model = SpikedModel(4.0, 1.0, LAWS[u], LAWS[w])
    data = model.sample(60, for_data)
    start = informed_start(data.W_star, [[0.2]], [[0.2]], for_start)
    assert [row["t"] for row in rows] == list(range(9))
    assert rows[0]["m"] == pytest.approx(0.2, abs=1e-12)
    assert rows[0]["q"] == pytest.approx(0.2, abs=1e-12)
    run = bayes_amp(data.X, model, start, tol=1e-300, max_iter=3)
    assert rows[3]["m"] == pytest.approx(data.W_star[:, 0] @ run.W[:, 0] / 60, abs=1e-12)
    assert rows[3]["q"] == pytest.approx(run.W[:, 0] @ run.W[:, 0] / 60, abs=1e-12)


def test_point_by_hand_with_a_start_that_does_not_know_the_signal():
    # Gaussian signals: one stream for both would make the start the signal
    point = {"prior_u": "Rademacher", "prior_w": "Gaussian", "snr": 1.4, "d": 400}
    row = one_signal.measure_bayes_point(point, np.random.default_rng(2))
    for_data, for_start = np.random.default_rng(2).spawn(2)
    model = SpikedModel(4.0, 1.4, prior_w=Gaussian())
    data = model.sample(400, for_data)
    run = bayes_amp(data.X, model, rng=for_start)
    assert row["overlap"] == pytest.approx(matched_overlap(data.W_star, run.W)[0], abs=1e-12)
    assert row["score"] == pytest.approx(run.score, abs=1e-12)
    assert row["converged"]
    assert row["n_iter"] == run.n_iter
    draw = np.random.default_rng(2).spawn(2)[1].standard_normal((400, 1))
    assert matched_overlap(data.W_star, draw)[0] < 5 / np.sqrt(400)


def test_predictions():
    point = {"prior_u": "Gaussian", "prior_w": "Rademacher", "snr": 1.4, "d": 500}
    laws = Gaussian(), Rademacher()
    assert one_signal.predict_bayes_point(point) == {
        "bayes_overlap": bayes_overlap(4.0, 1.4, *laws),
        "log_evidence": bayes_log_evidence(4.0, 1.4, *laws),
    }
    path = one_signal.predict_bayes_path("Gaussian", "Rademacher")
    expected = bayes_state_evolution(SpikedModel(4.0, 1.0, *laws), 0.2, 8)
    np.testing.assert_array_equal(path.m_w, expected.m_w)


@pytest.mark.parametrize(("u", "w"), PAIRS)
def test_stored_paths_follow_state_evolution(u, w):
    paths = one_signal.extrapolated_paths(load_results("bayes_paths", "paper"), u, w)
    assert paths.shape == (40, 2, 9)
    for snr, verdict in ((1.0, "agrees"), (0.95, "disagrees")):
        model = SpikedModel(4.0, snr, LAWS[u], LAWS[w])
        theory = bayes_state_evolution(model, 0.2, 8).m_w[:, 0]
        assert compare_paths(paths, np.array([theory, theory])).verdict == verdict


def test_extrapolated_paths_have_no_bias_of_order_one_over_d():
    table = load_results("bayes_paths", "paper").copy()
    table["m"] = 0.3 + 7.0 / table.d + table.t
    table["q"] = 0.4 - 2.0 / table.d
    paths = one_signal.extrapolated_paths(table, "Gaussian", "Rademacher")
    np.testing.assert_allclose(paths[:, 0], np.tile(0.3 + np.arange(9), (40, 1)), atol=1e-12)
    np.testing.assert_allclose(paths[:, 1], 0.4, atol=1e-12)


@pytest.mark.parametrize(("u", "w"), PAIRS)
@pytest.mark.parametrize("snr", one_signal.POINT_SNR)
def test_stored_points_are_bayes_optimal(u, w, snr):
    table = load_results("bayes_points", "paper")
    rows = table[(table.prior_u == u) & (table.prior_w == w) & (table.snr == snr)]
    assert rows.converged.all()
    sizes = sorted(rows.d.unique())
    overlaps = [rows[rows.d == d].overlap for d in sizes]
    theory = bayes_overlap(4.0, snr, LAWS[u], LAWS[w])
    assert extrapolate(sizes, overlaps, theory).verdict == "agrees"
    assert extrapolate(sizes, overlaps, 0.97 * theory).verdict == "disagrees"
    # one per cent of a known signal's evidence, alpha snr^2 / 2
    scores, scale = [rows[rows.d == d].score for d in sizes], 2.0 * snr**2
    theory = bayes_log_evidence(4.0, snr, LAWS[u], LAWS[w])
    assert extrapolate(sizes, scores, theory, scale).verdict == "agrees"
    assert extrapolate(sizes, scores, theory + 0.05 * scale, scale).verdict == "disagrees"


def test_the_first_run_of_the_points_can_be_repeated():
    # version 1 of the experiment, whose seeds hash its version: one stored instance once more
    table = one_signal.first_points()
    assert table.groupby("d").instance.nunique().to_dict() == {500: 80, 1000: 40, 2000: 20}
    old = replace(experiment("bayes_points"), version=1)
    point = {"d": 500, "snr": 1.4, "prior_u": "Gaussian", "prior_w": "Rademacher"}
    rows = table[(table[list(point)] == pd.Series(point)).all(axis=1)]
    (row,) = repeat(old, point, 3)
    stored = rows[rows.instance == 3].iloc[0]
    assert stored.overlap == pytest.approx(row["overlap"], abs=1e-9)
    assert stored.score == pytest.approx(row["score"], abs=1e-9)


def test_points_are_judged_by_their_limits():
    # a table made of the limits and a correction 3/d; overlap and score on scales of their own
    rows = []
    for d in (400, 800, 1600):
        for instance in range(4):
            noise = 1e-4 * (-1) ** instance
            rows.append({"prior_u": "Gaussian", "prior_w": "Gaussian", "snr": 1.4, "d": d})
            rows[-1] |= {"overlap": 0.8 + 3 / d + noise, "score": 0.5 - 3 / d + noise}
            rows[-1] |= {"instance": instance, "bayes_overlap": 0.8, "log_evidence": 0.5}
    judged = one_signal.judged_points(pd.DataFrame(rows))
    (overlap, score), *others = judged.values()
    assert not others
    assert list(judged) == [("Gaussian", "Gaussian", 1.4)]
    assert (overlap.value, score.value) == (pytest.approx(0.8), pytest.approx(0.5))
    assert (overlap.coefficient, score.coefficient) == (pytest.approx(3), pytest.approx(-3))
    assert (overlap.scale, score.scale) == (0.8, pytest.approx(2 * 1.4**2))


def test_the_third_run_agrees_as_a_whole():
    # alone, and the fits to the draws of all three runs; with a theory off by one per cent neither
    # does. The overlaps of the second run alone scatter more than their errors, which the chapter
    # says; overlap and score of a point come from the same runs.
    runs = [one_signal.first_points(), load_results("bayes_points", "paper")]
    third = load_results("bayes_points_again", "paper")
    assert third.converged.all()
    for table in (third, pd.concat([*runs, third])):
        assert joint([*one_signal.judged_points(table).values()]).verdict == "agrees"
        wrong = table.assign(bayes_overlap=0.99 * table.bayes_overlap)
        assert joint([*one_signal.judged_points(wrong).values()]).verdict == "disagrees"
    second = one_signal.judged_points(runs[1]).values()
    assert joint([overlap for overlap, _ in second]).verdict == "disagrees"
    assert all(overlap.verdict == "agrees" for overlap, _ in second)
