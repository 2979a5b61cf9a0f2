"""The experiments on contrastive divergence, at small size."""

import numpy as np
import pandas as pd
import pytest

import rbmnotes as rn
from rbmnotes.evidence import compare_paths
from rbmnotes.experiments import named_numbers
from rbmnotes.experiments.contrastive import cd_dynamics, speed
from rbmnotes.experiments.contrastive import chain_ends as ends

# trajectories -------------------------------------------------------------------------------------


def test_every_setting_names_a_case_and_a_method():
    for name, (case, method, rate) in cd_dynamics.SETTINGS.items():
        assert name == f"{case}, {method}"
        assert method in cd_dynamics.METHODS
        assert cd_dynamics.CASES[case].M0.shape == cd_dynamics.CASES[case].Q0.shape
        assert 0 < rate < 1


def test_rows_say_what_they_mean():
    """Every kind of number of one run against its definition, computed apart from the data."""
    rows = cd_dynamics.measure_contrastive({"case": "two units", "d": 60}, np.random.default_rng(7))
    wanted = [name for name, (case, _, _) in cd_dynamics.SETTINGS.items() if case == "two units"]
    assert [row["setting"] for row in rows] == wanted
    rng = np.random.default_rng(7)
    data = rn.SpikedModel(2.0, (1.9, 1.5)).sample(60, rng)
    W = rn.informed_start(data.W_star, [[0.6, 0.25], [-0.2, 0.5]], [[0.9, 0.2], [0.2, 0.9]], rng)
    weights = [W]
    for _ in range(20):
        weights.append(weights[-1] - 0.1 * rn.loss_gradient(data.X, weights[-1]))
    descended = rows[0]
    # single precision: 1e-6, amplified by twenty steps
    for t in (0, 5, 20):
        W = weights[t]
        assert descended[f"M10({t})"] == pytest.approx((data.W_star.T @ W)[1, 0] / 60, abs=1e-4)
        assert descended[f"Q01({t})"] == pytest.approx((W.T @ W)[0, 1] / 60, abs=1e-4)
        assert descended[f"loss({t})"] == pytest.approx(rn.loss(data.X, W), abs=1e-4)
    pair = (weights[12].T @ weights[5])[0, 1] / 60
    assert descended["C01(12,5)"] == pytest.approx(pair, abs=1e-4)
    starts = [[row["M00(0)"], row["M10(0)"], row["Q01(0)"]] for row in rows]
    np.testing.assert_allclose(starts, np.tile([0.6, -0.2, 0.2], (len(rows), 1)), atol=1e-6)
    # every method goes its own way
    assert len({row["M00(20)"] for row in rows}) == len(rows)


def test_numbers_are_kept_at_the_recorded_iterations():
    row = cd_dynamics.measure_contrastive_theory(
        {"setting": "one Bernoulli unit, CD-1", "n_paths": 64}, np.random.default_rng(0)
    )
    times = [t for t in range(21) if f"M00({t})" in row]
    assert tuple(times) == cd_dynamics.RECORDED
    assert sum(name.startswith("C00") for name in row) == 6
    assert row["C00(20,5)"] != row["C00(20,12)"]
    table = pd.DataFrame([{"setting": "s"} | row])
    found, values = named_numbers.series(table, "s", "Q00")
    assert tuple(found) == cd_dynamics.RECORDED
    assert values[0, 0] == pytest.approx(1.0)


SIZES, INSTANCES = (100, 200, 400), 30


@pytest.fixture(scope="module")
def simulated():
    rows = []
    for d in SIZES:
        for instance in range(INSTANCES):
            parameters = {"case": "one Bernoulli unit", "d": d}
            for row in cd_dynamics.measure_contrastive(
                parameters, np.random.default_rng([d, instance])
            ):
                rows.append(parameters | {"instance": instance} | row)
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def theory():
    rows = []
    for setting in cd_dynamics.SETTINGS:
        for instance in range(8):
            parameters = {"setting": setting, "n_paths": 2**11}
            row = cd_dynamics.measure_contrastive_theory(
                parameters, np.random.default_rng([instance, len(setting)])
            )
            rows.append(parameters | {"instance": instance} | row)
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("method", "wrong"),
    [("CD-1", "CD-5"), ("CD-5", "CD-1"), ("mini-batches", "gradient descent")],
)
def test_theory_predicts_the_runs_of_a_bernoulli_unit(method, wrong, simulated, theory):
    setting = f"one Bernoulli unit, {method}"
    columns = named_numbers.columns_of(simulated, setting, "M", "Q", "C", "loss")
    samples = named_numbers.without_bias(simulated, setting, columns)
    means, errors = named_numbers.predicted(theory, setting, columns)
    noise = samples.std(axis=0, ddof=1) / np.sqrt(INSTANCES)
    assert np.median(errors[noise > 1e-9] / noise[noise > 1e-9]) < 0.25
    assert compare_paths(samples, means).verdict == "agrees"
    other, _ = named_numbers.predicted(theory, f"one Bernoulli unit, {wrong}", columns)
    assert compare_paths(samples, other).verdict == "disagrees"


# steps --------------------------------------------------------------------------------------------


def test_arrival_is_the_first_step_of_staying():
    path = [0.2, 0.9, 0.995, 0.98, 0.991, 0.992]
    assert speed.arrival(path, 0.99) == 4
    assert speed.arrival(path, 0.9) == 1
    assert speed.arrival(path, 0.1) == 0
    assert np.isnan(speed.arrival(path, 0.999))
    assert np.isnan(speed.arrival([1.0, 1.0, 0.9], 0.95))
    assert np.isnan(speed.arrival([0.9, 1.0, np.nan], 0.95))  # diverged


def test_mean_cosine_of_known_weights():
    rng = np.random.default_rng(0)
    W_star, W = rng.standard_normal((2, 3, 50, 2))
    W_star *= np.sqrt(50) / np.linalg.norm(W_star, axis=1, keepdims=True)
    M = np.einsum("tia,tib->tab", W_star, W) / 50
    Q = np.einsum("tia,tib->tab", W, W) / 50
    cosines = [[rn.overlap(W_star[t], W[t])[a, a] for a in range(2)] for t in range(3)]
    np.testing.assert_allclose(speed.mean_cosine(M, Q), np.mean(cosines, axis=1), rtol=1e-12)


def test_arrival_of_the_mean_and_its_jackknife():
    # paths that step from 0 to 1 at their own times: the mean crosses 0.6 with the second
    times = (3, 5, 7)
    rows = [
        {"case": "one unit", "method": "CD-1", "rate": 0.15}
        | {f"overlap({t})": float(t >= step) for t in range(speed.longest_run(0.15) + 1)}
        for step in times
    ]
    other = [row | {"rate": 0.1, "overlap(0)": 5.0} for row in rows]
    table = pd.DataFrame(rows + other)
    assert speed.overlap_paths(table, "one unit", "CD-1", 0.15).shape == (3, 41)
    found, error = speed.mean_arrival(table, "one unit", "CD-1", 0.15, 0.6)
    assert found == 5
    # without one of the three the mean of two is above 0.6 from the later step on: 7, 7, 5
    assert error == pytest.approx(np.sqrt(2 * np.var([7, 7, 5])))


def test_steps_of_the_runs_and_of_the_theory():
    point = {"case": "one unit", "rate": 0.1}
    runs = pd.DataFrame(
        [
            point | row
            for instance in range(8)
            for row in speed.measure_speed(point | {"d": 400}, np.random.default_rng(instance))
        ]
    )
    methods = speed.METHODS["one unit"]
    assert set(runs.method) == set(methods)
    solves = pd.DataFrame(
        [
            point
            | {"method": method}
            | speed.measure_speed_theory(point | {"method": method}, np.random.default_rng(seed))
            for method in methods
            for seed in range(8)
        ]
    )
    for method in methods:
        expected, theory_error = speed.mean_arrival(solves, "one unit", method, 0.1, 0.95)
        found, error = speed.mean_arrival(runs, "one unit", method, 0.1, 0.95)
        # one step for the rounding of each
        assert found == pytest.approx(expected, abs=2 + 3 * np.hypot(error, theory_error))
    # at this rate the noise keeps CD-1 below 99 per cent, in both
    for table in (runs, solves):
        assert np.isnan(speed.mean_arrival(table, "one unit", "CD-1", 0.1, 0.99)[0])
        assert speed.mean_arrival(table, "one unit", "gradient descent", 0.1, 0.99)[0] < 20


def test_more_cycles_change_nothing_for_one_rademacher_unit():
    # hence CD-10 is not run: the same multiplier and the same noise
    case = speed.CASES["one unit"]
    one, ten = (
        cd_dynamics.solve_case(case, method, 0.2, 10, 256, rng=0, n_solves=1)
        for method in ("CD-1", "CD-10")
    )
    np.testing.assert_allclose(one.C, ten.C, atol=2e-3)  # 2^11 points for each state of the chain


def test_a_diverged_run_has_no_more_overlaps():
    row = speed.measure_speed_theory(
        {"case": "two units", "method": "gradient descent", "rate": 5.0}, np.random.default_rng(0)
    )
    assert "overlap(0)" in row
    assert "overlap(40)" not in row


def test_the_final_overlap_is_the_mean_of_the_fixed_points():
    expected = np.mean([rn.fixed_point(2.0, snr).overlap for snr in (1.9, 1.5)])
    assert speed.limit_overlap(speed.CASES["two units"]) == pytest.approx(expected)


# ends ---------------------------------------------------------------------------------------------


def test_points_are_different_and_within_their_steps():
    points = ends.BIAS + ends.NOISE
    assert len({tuple(sorted(point.items())) for point in points}) == len(points)
    for point in points:
        hidden = ends.UNITS[point["hidden"]]
        assert rn.fixed_point(point["alpha"], point["snr"], hidden).converged
        end = rn.contrastive_fixed_point(
            *(point["alpha"], point["snr"], hidden),
            *(point["cycles"], point["rate"], point["persistent"]),
        )
        assert end.converged


def test_an_end_is_the_average_of_the_second_half():
    point = {"hidden": "Bernoulli", "alpha": 4.0, "snr": 2.5, "cycles": 2, "rate": 0.25}
    row = ends.measure_end(point | {"persistent": False, "d": 50}, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    start = rn.fixed_point(4.0, 2.5, rn.Bernoulli())
    data = rn.SpikedModel(4.0, 2.5).sample(50, rng)
    W = rn.informed_start(data.W_star, [[start.m]], [[start.q]], rng)
    history = rn.contrastive_divergence(
        *(data.X.astype(np.float32), W, 0.25, 32, rn.Bernoulli()),
        cycles=2,
        W_star=data.W_star,
        rng=rng,
    ).history
    assert row["m"] == pytest.approx(np.mean(history.M[17:]), rel=1e-12)
    assert row["q"] == pytest.approx(np.mean(history.Q[17:]), rel=1e-12)
    assert row["overlap"] == pytest.approx(row["m"] / np.sqrt(row["q"]), rel=1e-12)


@pytest.mark.parametrize("point", [ends.BIAS[0], ends.BIAS[6], ends.NOISE[1]], ids=str)
def test_both_predictions_agree_where_the_noise_is_small(point):
    row = ends.predict_end(point)
    for name in ("m", "q", "overlap"):
        # 4 errors of 7 degrees of freedom; the second order of the noise is below 0.2 per cent
        tolerance = 4 * row[f"{name}_path_error"] + 2e-3 * row[f"{name}_closed"]
        assert row[f"{name}_path"] == pytest.approx(row[f"{name}_closed"], abs=tolerance)
    assert abs(row["q_path"] - row["q_unbiased"]) > 10 * row["q_path_error"]


def test_persistent_chains_have_the_closed_prediction_only():
    row = ends.predict_end(ends.BIAS[-1])
    assert ends.BIAS[-1]["persistent"]
    assert np.isnan(row["q_path"])
    assert row["q_closed"] > row["q_unbiased"]
