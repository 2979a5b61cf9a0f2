import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from rbmnotes import (
    Discrete,
    Gaussian,
    Rademacher,
    SpikedModel,
    amp_rbm,
    fixed_point,
    gradient_descent,
    loss,
    loss_gradient,
)
from rbmnotes.experiments.convergence import curvature, endpoints, row_law, weight_change
from rbmnotes.experiments.registry import EXPERIMENTS
from tests.helpers import central_difference


def problem(k, d=60, seed=0):
    data = SpikedModel(4.0, [1.6, 1.3]).sample(d, seed)
    return data, np.random.default_rng(seed + 1).standard_normal((d, k))


def test_three_algorithms_reach_the_same_point():
    data, W = problem(2, d=150)
    minimum = endpoints.descend(data.X, W)
    assert np.linalg.norm(loss_gradient(data.X, minimum)) < 1e-5 * np.sqrt(W.size)
    rate, steps = endpoints.LEARNING_RATE, endpoints.MAX_STEPS
    end = gradient_descent(data.X, W, rate, steps, tol=endpoints.CLOSE)
    assert end.converged
    fit = amp_rbm(data.X, start=W, V0=0.1 * np.eye(2))
    assert fit.converged
    for other in (end.W, fit.W):
        # the same minimum up to signs and order of the units: equal losses, to the square of the
        # gradient at which descent stops
        assert loss(data.X, other) == pytest.approx(loss(data.X, minimum), abs=1e-5)


@pytest.mark.parametrize(
    ("cosines", "letters"),
    [
        ([[0.9, 0.02], [0.1, -0.8]], "12"),
        ([[0.02, -0.9], [0.8, 0.1]], "12"),
        ([[0.9, 0.2], [0.1, 0.1]], "01"),
        ([[0.7, -0.6], [0.7, 0.7]], "xx"),
        ([[0.8, 0.7]], "11"),
        ([[0.1], [0.05], [-0.6]], "3"),
    ],
)
def test_what_units_hold(cosines, letters):
    assert endpoints.held(np.array(cosines)) == letters


def test_a_draw_is_measured_by_every_algorithm_from_every_start():
    parameters = {"k": 1, "snr": [1.8, 1.5], "latent": "signs", "d": 80}
    rows = endpoints.measure_landscape(parameters, np.random.default_rng(3))
    again = endpoints.measure_landscape(parameters, np.random.default_rng(3))
    assert rows == again
    starts = [(row["algorithm"], row["start"], row["run"]) for row in rows]
    random = [(name, "random", run) for run in range(3) for name in ("AMP-RBM", "L-BFGS", "GD")]
    informed = [(name, start, 0) for start in "12" for name in ("AMP-RBM", "L-BFGS")]
    assert starts == random + informed
    for row in rows:
        assert row["stationary"] == (row["gradient_size"] < endpoints.STATIONARY)
        assert row["largest_angle"] == pytest.approx(0.0, abs=1e-12)  # one unit


def test_rotated_starts_come_with_sparse_latent_variables_only():
    names = [name for name, _ in endpoints._informed_directions(2, [1.6, 1.6], "sparse")]
    assert names == ["12", "rotated"]
    names = [name for name, _ in endpoints._informed_directions(2, [1.8, 1.5, 1.2], "signs")]
    assert names == ["12", "13", "23"]
    for k in (1, 2):
        for _, directions in endpoints._informed_directions(k, [1.6, 1.6], "sparse"):
            np.testing.assert_allclose(directions.T @ directions, np.eye(k), atol=1e-12)


def test_predicted_loss_is_a_sum_over_units():
    # reference values of state evolution, to all their digits
    assert endpoints.predicted_loss([1.5, 1.2], "12") == pytest.approx(
        -2.905202 - 1.723293, abs=2e-6
    )
    assert endpoints.predicted_loss([1.5, 1.2], "02") == pytest.approx(
        -0.94785 - 1.723293, abs=2e-5
    )


def test_predicted_loss_of_mixtures_and_of_shared_signals():
    # two variables of excess kurtosis 2 mix to one of excess kurtosis 1
    mixed = endpoints.mixed_law(endpoints.SPARSE)
    assert [mixed.moment(i) for i in (1, 2, 4)] == pytest.approx([0.0, 1.0, 4.0], abs=1e-10)
    unit = fixed_point(4.0, 1.6, prior_u=mixed).loss
    assert endpoints.predicted_loss([1.6, 1.6], "xx", endpoints.SPARSE) == pytest.approx(2 * unit)
    assert np.isnan(endpoints.predicted_loss([1.6, 1.3], "122"))


def test_excess_over_the_best_informed_start():
    table = pd.DataFrame(
        [
            ("L-BFGS", "1", 0, -2.0),
            ("L-BFGS", "2", 0, -1.5),
            ("AMP-RBM", "1", 0, -9.0),
            ("L-BFGS", "rotated", 0, -7.0),
            ("GD", "random", 0, -2.25),
            ("AMP-RBM", "random", 0, -1.0),
            ("L-BFGS", "1", 1, -3.0),
            ("GD", "random", 1, -3.0),
        ],
        columns=["algorithm", "start", "instance", "loss"],
    )
    excess = endpoints.excess_over_informed(table)
    assert excess.excess.tolist() == [-0.25, 1.0, 0.0]


def test_hessian_is_the_derivative_of_the_gradient():
    data, W = problem(1, d=12)
    hessian = curvature.hessian(data.X, W[:, 0])
    for i in range(12):
        row = central_difference(lambda w, i=i: loss_gradient(data.X, w[:, None])[i, 0], W[:, 0])
        np.testing.assert_allclose(hessian[i], row, atol=1e-7)


def test_curvature_beside_a_missed_signal():
    row = curvature.measure_curvature({"missed": 2.5, "d": 200}, np.random.default_rng(5))
    # all but one direction of the gradient vanish: its size is some d^(-1/2)
    assert row["gradient_size"] < 10 / np.sqrt(200)
    assert row["overlap_learned"] > 0.8
    assert row["smallest"] < -1.0
    assert row["alignment"] > 0.8


def test_distance_of_one_class_is_kolmogorov_smirnov():
    values = np.random.default_rng(0).standard_normal(500)
    distance = row_law.law_distance(values, np.ones(500))
    assert distance == pytest.approx(kstest(values, "norm").statistic, rel=1e-12)
    # a law shifted in one class only shows, though the whole looks normal
    classes = np.repeat([-1.0, 1.0], 250)
    assert row_law.law_distance(values + 0.4 * classes, classes) > 2.0 * distance


def test_change_is_that_of_the_algorithm():
    rows = weight_change.measure_change({"snr": 1.2, "d": 60}, np.random.default_rng(0))
    assert [row["t"] for row in rows] == list(range(weight_change.CHANGE_ITERATIONS))
    assert rows[-1]["change"] < 1e-3 * rows[0]["change"]


def test_rows_have_the_predicted_law():
    rows = [
        row_law.measure_rows({"prior_w": "skewed", "d": 400}, np.random.default_rng((7, i)))
        for i in range(24)
    ]
    assert all(row["converged"] for row in rows)
    for unit, snr in enumerate(row_law.ROWS_SNR, start=1):
        point = fixed_point(row_law.ROWS_ALPHA, snr)
        expected = {f"m_{unit}": point.m, f"noise_{unit}": point.q - point.m**2}
        for name, value in expected.items():
            samples = np.array([row[name] for row in rows])
            # 4.5 standard errors and a finite-size bias of a few / d
            margin = 4.5 * samples.std(ddof=1) / np.sqrt(len(samples)) + 4 / 400
            assert abs(samples.mean() - value) < margin, name
            assert abs(samples.mean() - 0.8 * value) > margin, name


def test_no_choice_among_gaussian_latent_variables():
    """Equal strengths: the factor of a missed signal is one (Stein); of signs it is not."""
    for alpha, snr in ((4.0, 1.6), (8.0, 1.1)):
        V = fixed_point(alpha, snr, prior_u=Gaussian()).V
        assert snr**2 * (alpha * V - 1) == pytest.approx(1.0, abs=1e-9)
        V = fixed_point(alpha, snr).V
        assert snr**2 * (alpha * V - 1) < 0.95


def test_response_of_a_unit_of_any_variance():
    """Corollary 1's formula for V has 2 eta2'(q), not E h^2, beside the average slope."""
    hidden, alpha, snr = Discrete((-1.5, 0.0, 1.5), (0.2, 0.6, 0.2)), 4.0, 1.3
    p = fixed_point(alpha, snr, hidden=hidden)
    # h^2 is 2.25 or 0; under the weight exp(q h^2 / 2)
    weight = 0.4 * np.exp(0.5 * 2.25 * p.q)
    second = 2.25 * weight / (weight + 0.6)
    z = np.linspace(-30.0, 30.0, 40_001)
    omega = z - p.V * hidden.tilted_mean(z)
    density = np.exp(-0.5 * (omega - snr * p.m) ** 2 / p.q) / np.sqrt(2 * np.pi * p.q)
    slope = np.trapezoid(density * hidden.tilted_variance(z), z)  # by symmetry U = 1
    assert 1.0 / (alpha * (second - slope)) == pytest.approx(p.V, abs=1e-8)
    assert 1.0 / (alpha * (0.9 - slope)) != pytest.approx(p.V, abs=0.05)


def test_quick_scales_are_registered():
    names = {"landscape", "landscape_change", "landscape_rows", "landscape_curvature"}
    assert names <= set(EXPERIMENTS)
    assert endpoints.LATENT["signs"] == Rademacher()
