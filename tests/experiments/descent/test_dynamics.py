"""The experiments on gradient descent and its theory, at small size."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import rbmnotes as rn
import rbmnotes.theory.dmft as solver
from rbmnotes.evidence import compare_paths
from rbmnotes.experiments import named_numbers
from rbmnotes.experiments.descent import dynamics, recovery

SIZES = (100, 200, 400)
INSTANCES = 40


COMPARED = 5
"""At d = 400 and below the bias is c/d for the first iterations only."""


@pytest.fixture(scope="module", autouse=True)
def few_paths():
    """Responses to one per cent are enough for these sizes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamics, "RESPONSE_PATHS", 2**11)
        yield
    dynamics._responses.cache_clear()


@pytest.fixture(scope="module")
def simulated():
    """Both models at small sizes, and for as many steps as are looked at."""
    rows = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamics, "N_ITER", 15)
        patch.setattr(dynamics, "RECORDED", range(16))
        patch.setattr(dynamics, "TIMES", (0, 5, 15))
        for model in dynamics.MODELS:
            for d in SIZES:
                for instance in range(INSTANCES):
                    rng = np.random.default_rng([d, instance, len(model)])
                    for row in dynamics.measure_dynamics({"model": model, "d": d}, rng):
                        rows.append({"model": model, "d": d, "instance": instance} | row)
    dynamics._responses.cache_clear()  # they are as long as the runs
    return pd.DataFrame(rows).sample(frac=1.0, random_state=0)


@pytest.fixture(scope="module")
def theory():
    """Independent solves of the first steps, which are all that is compared."""
    rows = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamics, "N_ITER", COMPARED)
        patch.setattr(dynamics, "RECORDED", range(COMPARED + 1))
        patch.setattr(dynamics, "TIMES", (0, COMPARED))
        for setting in dynamics.SETTINGS:
            for instance in range(8):
                rng = np.random.default_rng([instance, len(setting)])
                parameters = {"setting": setting, "n_paths": 2**12}
                row = dynamics.measure_mean_field(parameters, rng)
                rows.append(parameters | {"instance": instance} | row)
    return pd.DataFrame(rows)


def until(names, last):
    """Those of some names whose latest iteration is not later."""
    return [name for name in names if int(name.split("(")[1].split(",")[0].strip(")")) <= last]


@pytest.mark.parametrize("setting", dynamics.SETTINGS)
def test_theory_predicts_the_runs(setting, simulated, theory):
    kinds = ("M", "Q", "C", "loss", "gradient", "below")
    columns = until(named_numbers.columns_of(simulated, setting, *kinds), COMPARED)
    samples = named_numbers.without_bias(simulated, setting, columns)
    means, errors = named_numbers.predicted(theory, setting, columns)
    noise = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    assert np.median(errors[noise > 1e-9] / noise[noise > 1e-9]) < 0.25
    assert compare_paths(samples, means).verdict == "agrees"
    assert compare_paths(samples, 0.9 * means).verdict == "disagrees"


@pytest.mark.parametrize("setting", dynamics.SETTINGS)
def test_fields_less_their_response_are_the_predicted_noise(setting, simulated):
    for prime, verdict in (("", "agrees"), ("'", "disagrees")):
        columns = named_numbers.columns_of(simulated, setting, f"mean{prime}", f"noise{prime}")
        columns = until(columns, 15)
        samples = named_numbers.without_bias(simulated, setting, columns)
        assert compare_paths(samples, np.zeros(len(columns))).verdict == verdict, prime


def test_rows_say_what_they_mean():
    """Every number of one run against its definition, computed apart from the data."""
    d, rng = 60, np.random.default_rng(7)
    rows = dynamics.measure_dynamics({"model": "two units", "d": d}, rng)
    assert [row["setting"] for row in rows] == [s for s in dynamics.SETTINGS if "two" in s]
    rng = np.random.default_rng(7)
    data = rn.SpikedModel(2.0, (1.9, 1.5)).sample(d, rng)
    W = rn.informed_start(data.W_star, [[0.6, 0.25], [-0.2, 0.5]], [[0.9, 0.2], [0.2, 0.9]], rng)
    weights = [W]
    for _ in range(50):
        weights.append(weights[-1] - 0.05 * rn.loss_gradient(data.X, weights[-1]))
    row = rows[0]
    # single precision: 1e-6, amplified by fifty steps
    for t in (0, 5, 50):
        W, gradient = weights[t], rn.loss_gradient(data.X, weights[t])
        assert row[f"M10({t})"] == pytest.approx((data.W_star.T @ W)[1, 0] / d, abs=1e-4)
        assert row[f"Q01({t})"] == pytest.approx((W.T @ W)[0, 1] / d, abs=1e-4)
        assert row[f"loss({t})"] == pytest.approx(rn.loss(data.X, W), abs=1e-4)
        size = np.linalg.norm(gradient) / np.sqrt(2 * d)
        assert row[f"gradient({t})"] == pytest.approx(size, abs=1e-4)
        field = data.X @ W / np.sqrt(d)
        assert row[f"below1({t},1)"] == pytest.approx(np.mean(field[:, 1] < 1), abs=0.01)
    assert row["C01(50,5)"] == pytest.approx((weights[50].T @ weights[5])[0, 1] / d, abs=1e-4)

    R = dynamics._responses("two units, small steps")
    h = [data.X @ W / np.sqrt(d) for W in weights]
    for prime, factor in (("", 1.0), ("'", 0.9)):
        noise = {}
        for t in (5, 15):
            echo = sum(np.tanh(h[s]) @ (factor * R[t, s]) for s in range(t))
            drift = data.U @ np.diag([1.9, 1.5]) @ (data.W_star.T @ weights[t]) / d
            noise[t] = h[t] - drift - echo
        mean = data.U.T @ noise[15] / len(data.U)
        assert row[f"mean{prime}10(15)"] == pytest.approx(mean[1, 0], abs=1e-4)
        gap = noise[15].T @ noise[5] / len(data.U) - weights[15].T @ weights[5] / d
        assert row[f"noise{prime}01(15,5)"] == pytest.approx(gap[0, 1], abs=1e-4)


def test_numbers_are_found_by_name():
    names = ["M00(5)", "mean00(5)", "mean'00(5)", "Q00(5)", "below0(5,-1)", "loss(5)", "d"]
    table = pd.DataFrame([["s", *range(7)], ["other", *range(7)]], columns=["setting", *names])
    table.loc[0, "Q00(5)"] = np.nan
    assert named_numbers.columns_of(table, "s", "M", "Q", "loss") == ["M00(5)", "loss(5)"]
    assert named_numbers.columns_of(table, "s", "mean") == ["mean00(5)"]
    assert named_numbers.columns_of(table, "s", "mean'", "below") == ["mean'00(5)", "below0(5,-1)"]


def test_a_number_along_the_run():
    columns = {f"M01({t})": [t, t + 0.5, -1.0] for t in reversed(dynamics.RECORDED)}
    iterations, values = named_numbers.series(
        pd.DataFrame({"setting": ["s", "s", "other"]} | columns), "s", "M01"
    )
    np.testing.assert_array_equal(values, iterations[:, None] + [0.0, 0.5])


def test_gradient_size_from_the_weights_own_correlations():
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((5, 30, 2))
    C = np.einsum("tia,sib->tsab", weights, weights) / 30
    expected = [np.linalg.norm((b - a) / 0.3) / np.sqrt(60) for a, b in pairwise(weights)]
    np.testing.assert_allclose(dynamics.gradient_size(C, 0.3), expected, rtol=1e-12)


def test_smallest_gradients_are_noise_of_the_solver(monkeypatch):
    """The floor under the compared gradients: what is added to C, by its root, and no dynamics."""
    model, M0, Q0, rate = dynamics.arguments("one unit, large steps")
    floors = {}
    for jitter in (1e-10, 1e-12):
        monkeypatch.setattr(solver, "JITTER", jitter)
        theory = rn.dmft(model, M0, Q0, rate, 51, 2**10, rng=0, n_solves=2)
        floors[jitter] = dynamics.gradient_size(theory.C, rate)[[20, 50]]
    assert floors[1e-10][0] == pytest.approx(floors[1e-12][0], rel=0.02)
    assert floors[1e-12][1] < 0.5 * floors[1e-10][1] < 0.5 * dynamics.GRADIENT_FLOOR


def test_a_bias_of_one_over_d_drops_out():
    rng, rows = np.random.default_rng(1), []
    for d in SIZES:
        for instance in range(6):
            rows.append(
                {"setting": "s", "d": d, "instance": instance, "x": instance + 40.0 / d, "y": 1.0}
            )
    table = pd.DataFrame(rows).sample(frac=1.0, random_state=rng.integers(10))
    samples = named_numbers.without_bias(table, "s", ["x", "y"])
    np.testing.assert_allclose(samples, [[i, 1.0] for i in range(6)], atol=1e-12)


def test_theory_uses_the_solves_with_the_most_paths():
    table = pd.DataFrame(
        {"setting": "s", "n_paths": [64, 64, 128, 128], "instance": [0, 1] * 2, "x": [9, 9, 1, 2]}
    )
    means, errors = named_numbers.predicted(table, "s", ["x"])
    assert means == pytest.approx([1.5])
    assert errors == pytest.approx([0.5])


def test_errors_of_a_theory_by_hand():
    """Two columns that scatter and one, the third, that does not and is left out."""
    rows = {
        64: [[1.0, 5.0, 0.5], [3.0, 5.0, 0.5], [2.0, 8.0, 0.5]],
        128: [[2.0, 4.0, 0.5], [2.0, 6.0, 0.5], [5.0, 8.0, 0.5]],
    }
    table = pd.DataFrame(
        [
            {"setting": setting, "n_paths": n, "x": x, "y": y, "z": z}
            for n, values in rows.items()
            for x, y, z in values
            for setting in ("s", "other")
        ]
    )
    samples = np.array([[0.0, 1.0, 7.0], [4.0, 5.0, 7.0]])
    # standard errors of means: of the theory with most paths 1 and 2/sqrt(3), of the simulation 2
    # and 2; with half the paths means 2 and 6, standard errors 1/sqrt(3) and 1
    found = named_numbers.theory_errors(table, "s", ["x", "y", "z"], samples)
    assert found.largest == pytest.approx(1 / np.sqrt(3))
    shifts = 1.0 / np.hypot(1.0, 1 / np.sqrt(3)), 0.0
    assert found.shift == pytest.approx(np.hypot(*shifts) / np.sqrt(2))
    assert "0.58; half" in str(found)


def test_descent_finds_strong_signals_and_has_a_theory():
    parameters = {"alpha": 4.0, "snr": [2.0, 1.6], "d": 300}
    row = recovery.measure_descent(parameters, np.random.default_rng(0))
    theory = recovery.predict_descent(parameters)
    assert row["converged"]
    assert row["gradient_size"] < recovery.ADAM_GRADIENT
    for i in (1, 2):
        assert row[f"adam_{i}"] > 0.9
        # a run at d = 300: an overlap scatters by 0.01
        assert row[f"gd_{i}"] == pytest.approx(theory[f"gd_theory_{i}"], abs=0.04)
        assert theory[f"gd_theory_error_{i}"] < 5e-3
