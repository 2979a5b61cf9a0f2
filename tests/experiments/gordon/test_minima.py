"""The measuring functions of the experiments on minima and phases, at small size."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from rbmnotes import Bernoulli, Rademacher, SpikedModel, global_optimum, loss, loss_gradient
from rbmnotes.evidence import extrapolate
from rbmnotes.experiments.gordon import minima

# minima -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [Rademacher(), Bernoulli()], ids=repr)
def test_descent_ends_in_a_stationary_point_no_worse_than_newton(hidden):
    """A second minimiser, of the package's loss with a Hessian by differences, from the end."""
    data = SpikedModel(3.0, 1.4).sample(30, 1)
    end = minima.descend(data.X, np.random.default_rng(2).standard_normal(30), hidden)
    W = end.W[:, None]
    assert end.loss == pytest.approx(loss(data.X, W, hidden), abs=1e-12)
    gradient = loss_gradient(data.X, W, hidden)
    assert end.gradient_size == pytest.approx(np.linalg.norm(gradient) / np.sqrt(30), rel=1e-6)
    assert end.gradient_size < 1e-5
    other = minimize(
        lambda w: 30 * loss(data.X, w[:, None], hidden),
        end.W + 0.05,
        jac=lambda w: loss_gradient(data.X, w[:, None], hidden)[:, 0],
        method="trust-exact",
        hess=lambda w: np.array(
            [
                (
                    loss_gradient(data.X, (w + s)[:, None], hidden)
                    - loss_gradient(data.X, (w - s)[:, None], hidden)
                )[:, 0]
                / 2e-5
                for s in 1e-5 * np.eye(30)
            ]
        ),
    )
    # the Hessian's eigenvalues are of order one: the loss is right to the gradient squared
    assert other.fun / 30 == pytest.approx(end.loss, abs=1e-9)


def test_single_precision_resolves_the_loss():
    data = SpikedModel(4.0, 1.2).sample(200, 3)
    start = np.random.default_rng(4).standard_normal(200)
    exact = minima.descend(data.X, start)
    quick = minima.descend(data.X.astype(np.float32), start, decrease=minima.DECREASE)
    assert quick.loss == pytest.approx(exact.loss, abs=5e-7)
    assert quick.gradient_size < minima.GRADIENT
    assert np.linalg.norm(quick.W - exact.W) < 0.01 * np.linalg.norm(exact.W)


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
    ends = {name: minima.descend(data.X, start) for name, start in starts.items()}
    lowest = min(ends.values(), key=lambda end: end.loss)
    assert row["loss"] == pytest.approx(lowest.loss, abs=1e-6)
    for name, end in ends.items():
        assert row["loss_" + name.replace(" ", "_")] == pytest.approx(end.loss, abs=1e-6)
    losses = [end.loss for end in ends.values()]
    assert row["spread"] == pytest.approx(np.ptp(losses), abs=1e-6)
    q = lowest.W @ lowest.W / 60
    assert row["self_overlap"] == pytest.approx(q, rel=1e-3)
    cosine = abs(lowest.W @ data.W_star[:, 0]) / 60 / np.sqrt(q)
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
            W = minima.descend(data.X, data.W_star[:, 0])
            q = W.W @ W.W / d
            rows.append((W.loss, abs(W.W @ data.W_star[:, 0]) / d / np.sqrt(q), q))
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
