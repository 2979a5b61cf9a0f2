"""The experiments behind the chapters, at small size."""

import numpy as np
import pandas as pd
import pytest

import rbmnotes as rn
from rbmnotes.experiments import paths, recovery, starts, theorem1
from rbmnotes.experiments.evidence import extrapolate


def test_scenarios_obey_assumption_1():
    for scenario in theorem1.SCENARIOS:
        assert scenario.visible.mean == pytest.approx(0.0, abs=1e-15)
        assert scenario.visible.variance == pytest.approx(1.0, abs=1e-15)
        rbm = theorem1.draw_rbm(scenario, 50, np.random.default_rng(0))
        assert np.max(np.abs(rbm.W)) <= 2.0
        assert np.any(rbm.visible_bias) == np.any(rbm.hidden_bias) == scenario.biases


def test_error_table_is_reproducible_and_complete():
    first, second = (theorem1.error_table((10, 20), 2, seed=3) for _ in range(2))
    assert first.equals(second)
    assert len(first) == len(theorem1.SCENARIOS) * 2 * 2 * 4
    assert not theorem1.error_table((10, 20), 2, seed=4).equals(first)


@pytest.mark.parametrize("scenario", theorem1.SCENARIOS[:4], ids=lambda s: s.name)
def test_leading_error_is_the_leading_one(scenario):
    """The residual is O(1/d) relative to the error: at d=3000 below 1 % for order-one constants."""
    rbm = theorem1.draw_rbm(scenario, 3000, np.random.default_rng(5))
    error, leading = theorem1.effective_error(rbm), theorem1.leading_error(rbm)
    for quantity, value in error.items():
        if abs(value) > 1e-12:  # the others vanish by symmetry
            assert leading[quantity] == pytest.approx(value, rel=0.01), quantity


def test_leading_error_with_a_skewed_visible_unit():
    """There the next order is only d**-0.5 smaller: 5 % at d=30,000."""
    rbm = theorem1.draw_rbm(theorem1.SCENARIOS[-1], 30_000, np.random.default_rng(6))
    error, leading = theorem1.effective_error(rbm), theorem1.leading_error(rbm)
    for quantity, value in error.items():
        assert leading[quantity] == pytest.approx(value, rel=0.05), quantity


def test_equal_signals_of_signs_are_not_rotated_uniformly():
    """PCA on two equal Rademacher signals: our law agrees, the Haar average does not."""
    model = rn.SpikedModel(2.0, (2.0, 2.0))
    table = recovery.pca_table(model, {50: 300, 100: 300, 200: 300}, seed=11)
    ours, _ = rn.equal_snr_pca_overlap(2.0, 2.0, 2)
    haar = rn.pca_overlap(2.0, 2.0) * rn.haar_overlap(2)[0]
    measured = recovery.by_size(table, "overlap_w")
    assert extrapolate(*measured, ours).verdict == "agrees"
    assert extrapolate(*measured, haar).verdict == "disagrees"


def test_equal_gaussian_signals_are_rotated_uniformly():
    """The law's own limit: with Gaussian priors it is the Haar average, here for r = 4."""
    ours, error = rn.equal_snr_pca_overlap(3.0, 1.2, 4, rn.Gaussian(), rn.Gaussian())
    haar, haar_error = rn.haar_overlap(4, rng=1)
    reached = rn.pca_overlap(3.0, 1.2)
    assert abs(ours - reached * haar) < 4 * np.hypot(error, reached * haar_error)


def test_equal_snr_overlap_limits():
    """One signal: PCA's overlap. No outlier: zero. Strong pair of signs: equal mixtures."""
    assert rn.equal_snr_pca_overlap(4.0, 1.5, 1)[0] == pytest.approx(rn.pca_overlap(4.0, 1.5))
    assert rn.equal_snr_pca_overlap(4.0, 0.7, 2) == (0.0, 0.0)
    assert rn.equal_snr_pca_overlap(4.0, 1e4, 2)[0] == pytest.approx(np.sqrt(0.5), abs=1e-3)


def test_equal_snr_overlap_of_a_pair_against_its_angle_integral():
    """For r = 2 the eigenbasis is one angle; integrate over the direction of (D, c) directly."""
    alpha, snr = 4.0, 1.5
    v = (1 + 1 / alpha + 2 * snr**2) / (alpha * snr**4 - 1)
    angles = np.linspace(0, 2 * np.pi, 200_000, endpoint=False)
    x, y = np.sqrt(v) * np.cos(angles), np.sqrt(v + 1 + 1 / alpha) * np.sin(angles)
    expected = np.mean(np.sqrt((1 + np.abs(x) / np.hypot(x, y)) / 2)) * rn.pca_overlap(alpha, snr)
    ours, error = rn.equal_snr_pca_overlap(alpha, snr, 2, rng=3)
    assert abs(ours - expected) < 4 * error


def test_pca_table_measures_what_it_says():
    model = rn.SpikedModel(2.0, 1.5)
    table = recovery.pca_table(model, {60: 2}, seed=9)
    streams = np.random.SeedSequence(9).spawn(2)
    data = model.sample(60, np.random.default_rng(streams[1]))
    left, values, right = np.linalg.svd(data.X)
    row = table.iloc[1]
    cosine = right[0] @ data.W_star[:, 0] / np.linalg.norm(data.W_star)
    assert row.overlap_w == pytest.approx(abs(cosine))
    assert row.overlap_u == pytest.approx(abs(left[:, 0] @ data.U[:, 0]) / np.linalg.norm(data.U))
    assert row.eigenvalue == pytest.approx(values[0] ** 2 / 60)


def test_random_start_is_judged_by_gradient_cap_and_signals():
    """Two units on two strong signals find both; nothing is found at a third of the threshold."""
    row = starts.measure_start({"k": 2, "snr": 2.0, "d": 200}, np.random.default_rng(1))
    assert row["success"]
    assert row["gradient_size"] < starts.GRADIENT
    assert not row["capped"]
    assert 0.8 < row["smallest_overlap"] <= row["largest_overlap"] < 1.0
    row = starts.measure_start({"k": 1, "snr": 0.2, "d": 200}, np.random.default_rng(1))
    assert not row["success"]
    assert row["smallest_overlap"] < starts.FOUND


def test_paths_come_back_in_the_order_of_theory():
    """A table made of theory itself, shuffled, must equal theory entry by entry."""
    for setting in paths.SETTINGS:
        path = paths.predict_path(setting)
        rows = [
            {"setting": setting, "d": 50, "instance": instance, "t": t}
            | {
                f"{name}{a}{b}": getattr(path, name)[t, a, b]
                for name in "MQV"
                for a, b in np.ndindex(getattr(path, name).shape[1:])
            }
            for instance in range(3)
            for t in range(paths.N_ITER + 1)
        ]
        table = pd.DataFrame(rows).sample(frac=1.0, random_state=0)  # rows, and columns too
        table = table[["V00", *table.columns.drop("V00")]]
        samples, theory = paths.as_paths(table.assign(M99=np.nan), setting, 50)
        assert samples.shape == (3, *theory.shape)
        np.testing.assert_array_equal(samples, np.broadcast_to(theory, samples.shape))
        matrices = [getattr(path, name).reshape(paths.N_ITER + 1, -1) for name in "MQV"]
        np.testing.assert_array_equal(theory, np.hstack(matrices))


def test_measured_path_starts_as_told():
    rows = paths.measure_path({"setting": "two units", "d": 60}, np.random.default_rng(0))
    first = np.array([[rows[0][f"M{a}{b}"] for b in range(2)] for a in range(2)])
    np.testing.assert_allclose(first, paths.SETTINGS["two units"]["M0"], atol=1e-12)
    assert [row["t"] for row in rows] == list(range(paths.N_ITER + 1))
