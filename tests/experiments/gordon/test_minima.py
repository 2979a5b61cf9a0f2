"""The measuring functions of the experiments on minima and phases, at small size."""

import numpy as np
import pandas as pd
import pytest

from rbmnotes import SpikedModel, global_optimum
from rbmnotes.algorithms.lbfgs import lbfgs
from rbmnotes.evidence import extrapolate
from rbmnotes.experiments.gordon import minima

# minima -------------------------------------------------------------------------------------------


def test_starts():
    data = SpikedModel(4.0, 2.0).sample(400, 5)
    starts = minima.draw_starts(data.X, data.W_star, np.random.default_rng(6))
    assert tuple(starts) == minima.STARTS
    norms = [start @ start / 400 for start in starts.values()]
    np.testing.assert_allclose(norms, 1.0, atol=5 * np.sqrt(2 / 400))  # five standard errors
    np.testing.assert_array_equal(starts["informed"], data.W_star[:, 0])
    # ten steps leave (1.25 / 5.3)^10 of what is not the signal's direction: the outlier is
    # (1 + 4) (4 + 1/4) = 21, the edge of the noise 9
    top = np.linalg.svd(data.X, full_matrices=False)[2][0]
    assert abs(top @ starts["spectral"]) == pytest.approx(20.0, rel=1e-3)
    assert abs(starts["random 1"] @ starts["random 2"]) / 400 < 0.25


def test_measured_minimum_against_the_package():
    parameters = {**minima.STABLE[2], "d": 60}
    row = minima.measure_minimum(parameters, np.random.default_rng(7))
    rng = np.random.default_rng(7)
    data = SpikedModel(4.0, 1.0).sample(60, rng)
    starts = minima.draw_starts(data.X.astype(np.float32), data.W_star, rng)
    ends = {name: lbfgs(data.X, start[:, None]) for name, start in starts.items()}
    lowest = min(ends.values(), key=lambda end: end.loss)
    assert row["loss"] == pytest.approx(lowest.loss, abs=1e-6)
    for name, end in ends.items():
        assert row["loss_" + name.replace(" ", "_")] == pytest.approx(end.loss, abs=1e-6)
    losses = [end.loss for end in ends.values()]
    assert row["spread"] == pytest.approx(np.ptp(losses), abs=1e-6)
    w = lowest.W[:, 0]
    q = w @ w / 60
    assert row["self_overlap"] == pytest.approx(q, rel=1e-3)
    cosine = abs(w @ data.W_star[:, 0]) / 60 / np.sqrt(q)
    assert row["overlap"] == pytest.approx(cosine, rel=1e-3)
    assert row["stationary"] == 5
    assert 1 <= row["reached"] <= 5


def test_many_minima_without_a_signal_and_one_with():
    rows = [
        minima.measure_minimum({**point, "d": 150}, np.random.default_rng(8))
        for point in (minima.UNSTABLE[0], minima.STABLE[0])
    ]
    assert rows[0]["spread"] > 1e-3
    assert rows[0]["reached"] < 5
    assert rows[1]["spread"] < minima.SAME_LOSS
    assert rows[1]["reached"] == 5


def test_points_are_on_their_sides_of_the_replicon_line():
    for points, stable in ((minima.STABLE, True), (minima.UNSTABLE, False)):
        for point in points:
            row = minima.predict_minimum(point)
            assert (row["replicon"] < 1) == stable
            assert np.isnan(row["loss_1rsb"]) == stable
            assert stable or row["loss_theory"] < row["loss_1rsb"] < 0
    hidden, prior_u = minima.PRIORS["signs"], minima.PRIORS["sparse signs"]
    assert prior_u.variance == pytest.approx(1.0)
    row = minima.predict_minimum(minima.STABLE[3])
    assert row["loss_theory"] == global_optimum(4.0, 1.2, hidden, prior_u).loss
    row = minima.predict_minimum(minima.UNSTABLE[0])
    assert (row["loss_theory"], row["loss_1rsb"]) == pytest.approx((-0.94785, -0.94111), abs=6e-6)


def test_minimum_extrapolates_to_theory_and_not_to_a_wrong_one():
    """The protocol at small sizes; theory for another law of the latent variable must fail."""
    point, counts = minima.STABLE[0], {40: 250, 80: 120, 160: 60}
    columns = ("loss", "overlap", "self_overlap")
    samples = {column: [] for column in columns}
    for d, count in counts.items():
        streams = np.random.SeedSequence([9, d]).spawn(count)
        rows = []
        for stream in streams:
            rng = np.random.default_rng(stream)
            data = SpikedModel(point["alpha"], point["snr"]).sample(d, rng)
            end = lbfgs(data.X, data.W_star, largest=1e-5)
            w = end.W[:, 0]
            q = w @ w / d
            rows.append((end.loss, abs(w @ data.W_star[:, 0]) / d / np.sqrt(q), q))
        for column, values in zip(columns, np.array(rows).T, strict=True):
            samples[column].append(values)
    right = minima.predict_minimum(point)
    wrong = minima.predict_minimum(point | {"prior_u": "sparse signs"})
    for column in columns:
        theory = right[f"{column}_theory"]
        assert abs(extrapolate(list(counts), samples[column], theory).z) < 3, column
    assert abs(extrapolate(list(counts), samples["loss"], wrong["loss_theory"]).z) > 3
    assert abs(extrapolate(list(counts), samples["loss"], 0.9 * right["loss_theory"]).z) > 3


def test_rows_of_a_point():
    points = [minima.STABLE[i] | {"d": d} for i in (2, 3, 2) for d in (100, 200)]
    table = pd.DataFrame(points).assign(loss=np.arange(6.0))
    found = minima.rows_of(table, minima.STABLE[2])
    assert list(found.loss) == [0.0, 1.0, 4.0, 5.0]
    assert list(minima.rows_of(table, minima.STABLE[3] | {"d": 200}).loss) == [3.0]
