"""The measuring functions of Figure 5 and of the time to solution, at small size."""

import itertools

import numpy as np
import pytest

from rbmnotes import (
    Gaussian,
    SpikedModel,
    amp_rbm,
    contrastive_divergence,
    contrastive_fixed_point,
    fixed_point,
    gradient_descent,
    matched_overlap,
)
from rbmnotes.evidence import extrapolate
from rbmnotes.experiments.comparison import equal_pca, methods, solution_time, ten_units
from rbmnotes.experiments.comparison.equal_signals import ALPHA, INSTANCES, SIZES, SNR
from rbmnotes.experiments.registry import figure, load_results

POINT = {"r": 2, "d": 200, "prior_w": "Rademacher", "snr": 1.6, "cd_iter": 120}


def plain_loss(X, W):
    """The objective of Rademacher units by enumeration of their states."""
    n, d = X.shape
    states = np.array(list(itertools.product([-1.0, 1.0], repeat=W.shape[1])))
    fields, Q = X @ W / np.sqrt(d), W.T @ W / d
    eta1 = np.log(np.mean(np.exp(fields @ states.T), axis=1))
    eta2 = np.log(np.mean(np.exp(0.5 * np.sum(states @ Q * states, axis=1))))
    return (n * eta2 - eta1.sum()) / d


def best_of_all_orders(signals, weights):
    """Mean absolute cosine under the best order of the units, by trying all of them."""
    cosines = np.abs(signals.T @ weights)
    cosines /= np.outer(np.linalg.norm(signals, axis=0), np.linalg.norm(weights, axis=0))
    orders = itertools.permutations(range(len(cosines)))
    return max(np.mean([cosines[i, order[i]] for i in range(len(cosines))]) for order in orders)


def same_draw(parameters, seed):
    """The data and the start that an experiment sees with this seed."""
    rng = np.random.default_rng(seed)
    data = SpikedModel(ALPHA, [parameters["snr"]] * parameters["r"]).sample(parameters["d"], rng)
    return data, rng.standard_normal((parameters["d"], parameters["r"]))


@pytest.fixture(scope="module")
def rows():
    measured = methods.measure_comparison(POINT, np.random.default_rng(3))
    return {row["method"]: row for row in measured}


def test_all_methods_are_measured_on_one_draw(rows):
    assert list(rows) == ["PCA", "AMP-RBM", "Adam", "CD"]
    # Far above threshold the two that stop at a stationary point meet in the same one: the
    # gradient of Adam is below 1e-3, the curvature of order one.
    assert rows["AMP-RBM"]["converged"]
    assert rows["Adam"]["converged"]
    assert rows["AMP-RBM"]["loss"] == pytest.approx(rows["Adam"]["loss"], abs=1e-4)
    assert rows["AMP-RBM"]["overlap"] == pytest.approx(rows["Adam"]["overlap"], abs=2e-3)
    assert rows["AMP-RBM"]["smallest"] > 0.9
    assert rows["CD"]["smallest"] > 0.9
    assert not rows["CD"]["converged"]
    assert rows["CD"]["n_iter"] == POINT["cd_iter"]


def test_the_starting_weights_are_another_stream_than_the_signals():
    # With Gaussian signals the same stream twice would give the signals themselves as the start.
    data, start = same_draw(POINT, 3)
    assert best_of_all_orders(data.W_star, start) < 4.5 / np.sqrt(POINT["d"])


def test_loss_and_overlap_against_plain_code(rows):
    data, start = same_draw(POINT, 3)
    right = np.linalg.svd(data.X)[2][:2].T
    assert rows["PCA"]["overlap"] == pytest.approx(best_of_all_orders(data.W_star, right), abs=1e-4)
    # A mixture of both signals, as PCA returns, is worse than what training found
    assert rows["PCA"]["overlap"] < rows["AMP-RBM"]["overlap"] - 0.05
    # the point that AMP-RBM found, from the same start but in double precision
    fit = amp_rbm(data.X, start=start, V0=0.1 * np.eye(2))
    assert rows["AMP-RBM"]["loss"] == pytest.approx(plain_loss(data.X, fit.W), abs=1e-6)
    overlap = best_of_all_orders(data.W_star, fit.W)
    assert rows["AMP-RBM"]["overlap"] == pytest.approx(overlap, abs=1e-4)


def test_without_cd_there_is_none():
    point = POINT | {"cd_iter": 0, "d": 60, "r": 3, "prior_w": "Gaussian"}
    rows = methods.measure_comparison(point, np.random.default_rng(0))
    assert [row["method"] for row in rows] == ["PCA", "AMP-RBM", "Adam"]


def test_predictions():
    theory = methods.predict_comparison(POINT | {"snr": 1.2})
    # theory.md's table for one unit, and PCA's formula by hand
    assert theory["rbm_theory"] == pytest.approx(0.875682, abs=1e-6)
    assert theory["replicon"] == pytest.approx(0.187241, abs=1e-6)
    strength = 4.0 * 1.2**4
    assert theory["pca_theory"] == pytest.approx(np.sqrt((strength - 1) / (strength + 1.44)))
    assert theory["pca_haar"] == pytest.approx(theory["pca_theory"] * np.sqrt(8) / np.pi)
    # for two signals the basis is a random angle: tan(2 phi) a ratio of two Gaussians
    noise = (1.25 + 2 * 1.44) / (strength - 1)
    rng = np.random.default_rng(0)
    half_gap = np.sqrt(noise) * rng.standard_normal(100_000)
    off = np.sqrt(noise + 1.25) * rng.standard_normal(100_000)
    cosine = np.sqrt((1 + np.abs(half_gap) / np.hypot(half_gap, off)) / 2)
    spread = 4.5 * np.hypot(theory["pca_equal_error"], theory["pca_theory"] * 0.1 / np.sqrt(1e5))
    assert abs(theory["pca_equal_theory"] - theory["pca_theory"] * cosine.mean()) < spread
    gaussian = methods.predict_comparison(POINT | {"prior_w": "Gaussian", "snr": 1.2})
    assert gaussian["rbm_theory"] == theory["rbm_theory"]  # does not see the law of the signals
    assert gaussian["bayes_theory"] < theory["bayes_theory"]


def test_the_grid_of_figure_5():
    experiment = figure(5)
    assert experiment.name == "comparison"
    paper = experiment.scale("paper")
    assert min(paper.instances) >= 10
    assert INSTANCES >= 10
    assert SIZES[2] >= 2000
    assert SIZES[10] >= 1000
    assert {(p["r"], p["prior_w"]) for p in paper.grid} == set(
        itertools.product((2, 10), ("Rademacher", "Gaussian"))
    )
    # with contrastive divergence some of each rank, and all strengths are shared with Figure 6
    assert {p["r"] for p in paper.grid if p["cd_iter"]} == {2, 10}
    assert {p["snr"] for p in paper.grid} <= set(SNR)


@pytest.mark.parametrize(("prior_u", "prior_w"), equal_pca.PCA_PRIORS, ids=str)
def test_pca_on_equal_signals(prior_u, prior_w):
    point = {"r": 2, "d": 100, "prior_u": prior_u, "prior_w": prior_w, "snr": 1.5}
    value = equal_pca.measure_equal_pca(point, np.random.default_rng(5))["overlap"]
    assert 0.5 < value < 1.0  # a rotation of both signals by 45 degrees still has 0.7
    assert value == equal_pca.measure_equal_pca(point, np.random.default_rng(5))["overlap"]


# ten units ----------------------------------------------------------------------------------------


def test_ten_units_at_one_size_by_hand():
    row = ten_units.measure_units_by_size({"snr": 2.0, "d": 100}, np.random.default_rng(2))
    for_data, for_start = np.random.default_rng(2).spawn(2)
    data = SpikedModel(ALPHA, [2.0] * 10).sample(100, for_data)
    start = for_start.standard_normal((100, 10))
    fit = amp_rbm(data.X, start=start, V0=0.1 * np.eye(10))
    # the same end in double precision; the experiment stops at a change of 1e-5
    cosines = matched_overlap(data.W_star, fit.W)
    assert row["converged"]
    assert row["overlap"] == pytest.approx(cosines.mean(), abs=1e-4)
    assert row["smallest"] == pytest.approx(cosines.min(), abs=1e-4)
    assert row["loss"] == pytest.approx(plain_loss(data.X, fit.W), abs=1e-4)
    theory = ten_units.predict_units_by_size({"snr": 1.2, "d": 100})
    assert theory == {"rbm_theory": pytest.approx(0.875682, abs=1e-6)}


@pytest.mark.parametrize("snr", ten_units.SIZE_SNR)
def test_stored_ten_units_reach_corollary_1_as_the_dimension_grows(snr):
    # every run counts. At d = 1000 alone they are below; a theory off by one per cent is noticed
    table = load_results("units_by_size", "paper")
    rows = table[table.snr == snr]
    sizes = sorted(rows.d.unique())
    samples = [rows[rows.d == d].overlap for d in sizes]
    theory = fixed_point(ALPHA, snr).overlap
    assert extrapolate(sizes, samples, theory).verdict == "agrees"
    assert extrapolate(sizes, samples, 0.99 * theory).verdict == "disagrees"
    assert extrapolate(sizes, samples, 1.01 * theory).verdict == "disagrees"


def test_steps_of_both_methods_by_hand():
    point = {"snr": 1.6, "d": 80, "n_steps": 60}
    rows = ten_units.measure_equal_rate(point, np.random.default_rng(6))
    for_data, for_start, for_chains = np.random.default_rng(6).spawn(3)
    data = SpikedModel(ALPHA, [1.6] * 10).sample(80, for_data)
    X, start = data.X.astype(np.float32), for_start.standard_normal((80, 10))
    found = {(row["method"], row["step"]): row["overlap"] for row in rows}
    assert list(found) == [(method, step) for method in ("CD", "GD") for step in (0, 25, 50)]
    descent = gradient_descent(X, start, 0.05, 50).W
    chains = contrastive_divergence(X, start, 0.05, 60, visible=Gaussian(), rng=for_chains)
    assert not np.allclose(chains.W, descent)
    expected = matched_overlap(data.W_star, descent).mean()
    assert found["GD", 50] == pytest.approx(expected, abs=1e-6)
    same = contrastive_divergence(
        *(X, start, 0.05, 50),
        visible=Gaussian(),
        rng=np.random.default_rng(6).spawn(3)[2],
    )
    expected = matched_overlap(data.W_star, same.W).mean()
    assert found["CD", 50] == pytest.approx(expected, abs=1e-6)
    assert found["CD", 0] == found["GD", 0]


def paired_overlaps():
    """Overlaps of Figure 5's stored runs, a row a draw and a column a method, with the theory."""
    table = load_results("comparison", "paper")
    index = ["r", "prior_w", "snr", "instance"]
    wide = table.pivot_table(index=index, columns="method", values=["overlap", "converged"])
    return table, wide


def test_stored_runs_of_the_figure():
    table, wide = paired_overlaps()
    # AMP-RBM and Adam: one overlap a draw, wherever both ended
    ended = (wide["converged"][["AMP-RBM", "Adam"]] == 1).all(axis=1)
    assert ended.sum() > 140
    gap = (wide["overlap"]["AMP-RBM"] - wide["overlap"]["Adam"])[ended].abs()
    assert gap.max() < 1e-3
    # with two signals at the theory of one, with ten below it at this size; every run counts
    amp = table[(table.method == "AMP-RBM") & (table.snr >= 1.1)]
    for (r, _, _), rows in amp.groupby(["r", "prior_w", "snr"]):
        z = (rows.overlap.mean() - rows.rbm_theory.iloc[0]) / rows.overlap.sem()
        assert abs(z) < 3 if r == 2 else -9 < z < -3
        assert (rows.smallest > 0.5).all()
    # PCA finds mixtures only
    blind = table[(table.method == "PCA") & (table.snr >= 1.1)]
    assert (blind.overlap < amp.overlap.to_numpy()).mean() > 0.95


def test_contrastive_divergence_ends_at_its_noise_floor():
    # CD less Adam on the same draw, two units, beside the theory of one at this rate: the shift is
    # twenty standard errors; theory holds to a fifth, a finite-size part of it
    overlaps = paired_overlaps()[1]["overlap"].dropna().reset_index()
    for snr, rows in overlaps[(overlaps.r == 2) & (overlaps.snr >= 1.2)].groupby("snr"):
        gaps = rows["CD"] - rows["Adam"]
        end = contrastive_fixed_point(ALPHA, snr, learning_rate=methods.CD_RATE)
        floor = end.overlap - fixed_point(ALPHA, snr).overlap
        assert gaps.mean() < -15 * gaps.sem()
        assert gaps.mean() == pytest.approx(floor, rel=0.2)


def test_with_ten_units_the_number_of_steps_holds_both_methods_back():
    # from the same starts at the same rate: at step 300 gradient descent, which has no Monte-Carlo
    # error, is as far from the theory of one signal as contrastive divergence, and both gain later
    table = load_results("equal_rate", "paper")
    wide = table.pivot_table(index="instance", columns=["method", "step"], values="overlap")
    theory = fixed_point(ALPHA, ten_units.RATE_SNR).overlap
    early, late = methods.CD_ITER, ten_units.RATE_STEPS[-1]
    for method in ("GD", "CD"):
        assert wide[method, early].mean() < 0.85 * theory
        assert (wide[method, late] > wide[method, early] + 0.05).all()
    gap = theory - wide["CD", early].mean()
    assert (wide["GD", early] - wide["CD", early]).mean() < 0.25 * gap


# time to solution ---------------------------------------------------------------------------------

TIMED = {"r": 2, "snr": 1.6, "d": 150}


@pytest.fixture(scope="module")
def timed():
    return solution_time.measure_solution_time(TIMED, np.random.default_rng(8))


def test_every_method_reaches_the_same_point(timed):
    assert [row["method"] for row in timed] == list(solution_time.METHODS)
    assert all(row["reached"] and row["gradient_size"] < 1e-6 for row in timed)
    assert all(row["cpu_seconds"] > 0 and row["wall_seconds"] > 0 for row in timed)
    losses = [row["loss"] for row in timed]
    # at a gradient of 1e-6 and a curvature of order one the loss is stationary to 1e-11
    assert np.ptp(losses) < 1e-9
    assert timed[0]["n_iter"] < min(row["n_iter"] for row in timed[2:])


def test_what_is_not_reached_says_so(monkeypatch):
    monkeypatch.setattr(solution_time, "MAX_EVALUATIONS", 4)
    rows = solution_time.measure_solution_time(TIMED, np.random.default_rng(8))
    assert not any(row["reached"] for row in rows)
    assert all(row["n_iter"] <= 4 and np.isfinite(row["loss"]) for row in rows)
