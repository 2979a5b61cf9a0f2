"""The experiments behind the chapters, at small size."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import rbmnotes as rn
from rbmnotes.experiments.state_evolution import amp_paths
from rbmnotes.experiments.state_evolution import recovery
from rbmnotes.experiments.amp import random_starts
from rbmnotes.experiments.theorem1 import errors as theorem1
from rbmnotes.evidence import extrapolate, rate


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
    assert len(first) == len(theorem1.SCENARIOS) * 2 * 2 * 5
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


def test_biases_of_a_symmetric_machine_have_no_gradient_in_the_model_average():
    """Without biases v and h weigh as much as -v and -h, in the effective law too."""
    rbm = theorem1.draw_rbm(theorem1.SCENARIOS[0], 300, np.random.default_rng(10))
    for exact in (True, False):
        average = rbm.average(exact)
        np.testing.assert_allclose(average.hidden, 0.0, atol=1e-12)
        np.testing.assert_allclose(average.visible, 0.0, atol=1e-12)


def test_symmetric_hidden_units_undo_the_skewness_of_visible_ones():
    """In the likelihood and the gradient in W, not in that in a (exercise ex-theorem1-symmetry)."""
    scenario = replace(theorem1.SCENARIOS[-1], hidden=rn.Rademacher())
    sizes = (1000, 3000, 9000)
    table = theorem1.error_table(sizes, 40, seed=11, scenarios=[scenario])
    for quantity, slope in (("log_likelihood", -1.0), ("W", -1.0), ("visible_bias", -0.5)):
        rows = table[table.quantity == quantity]
        errors = rows.pivot(index="d", columns="instance", values="error").to_numpy()
        assert rate(sizes, errors, slope).verdict == "agrees", quantity
        assert rate(sizes, errors, -1.5 - slope).verdict == "disagrees"


@pytest.mark.parametrize("scenario", theorem1.MEAN_SCENARIOS, ids=lambda s: s.name)
def test_leading_error_of_units_with_a_mean(scenario):
    """The next order is d**-0.5 smaller, or 1/d without a third cumulant: 3 % and less."""
    rbm = theorem1.draw_rbm(scenario, 30_000, np.random.default_rng(7))
    np.testing.assert_allclose(rbm.W.sum(axis=0), np.sqrt(30_000) * np.array(theorem1.COLUMN_SUMS))
    error, leading = theorem1.effective_error(rbm), theorem1.leading_error(rbm)
    for quantity, value in error.items():
        assert leading[quantity] == pytest.approx(value, rel=0.03), quantity


def mean_errors(scenario, quantity):
    """The errors of one quantity, (sizes, instances), and the sizes."""
    sizes = theorem1.MEAN_SIZES
    table = theorem1.error_table(sizes, theorem1.MEAN_INSTANCES, seed=8, scenarios=[scenario])
    rows = table[table.quantity == quantity]
    return sizes, rows.pivot(index="d", columns="instance", values="error").to_numpy()


def test_gradient_in_W_does_not_converge_if_visible_units_are_skewed_and_have_a_mean():
    """Its error tends to the predicted number; to a fifth more or less, or to zero, it does not.

    The norm is scaled so that the gradient itself is of order one, and errors are judged by that.
    """
    scenario = theorem1.MEAN_SCENARIOS[0]
    sizes, errors = mean_errors(scenario, "W")
    limit = theorem1.limit_along_ones(scenario)
    assert extrapolate(sizes, errors, limit, scale=1.0, power=0.5).verdict == "agrees"
    for wrong in (0.0, 0.8 * limit, 1.2 * limit):
        assert extrapolate(sizes, errors, wrong, scale=1.0, power=0.5).verdict == "disagrees"


def test_without_a_third_cumulant_it_converges_more_slowly_than_the_projected_one():
    """Along (1, ..., 1) as d**-0.5, across as 1/d; neither exponent does for the other."""
    scenario = theorem1.MEAN_SCENARIOS[1]
    sizes, full = mean_errors(scenario, "W")
    _, across = mean_errors(scenario, "W_projected")
    along = np.sqrt(full**2 - across**2)
    for errors, right, wrong in ((along, -0.5, -1.0), (across, -1.0, -0.5)):
        assert rate(sizes, errors, right).verdict == "agrees"
        assert rate(sizes, errors, wrong).verdict == "disagrees"


SPARSE = rn.Discrete((-2.0, 0.0, 2.0), (0.125, 0.75, 0.125))


@pytest.mark.parametrize(
    ("law", "fourth_moment", "visible"),
    [
        (rn.Gaussian(), 3.0, rn.Rademacher()),
        (rn.Rademacher(), 1.0, rn.Rademacher()),
        (SPARSE, 4.0, rn.Rademacher()),
        (rn.Rademacher(), 1.0, SPARSE),
    ],
    ids=repr,
)
def test_coefficient_of_the_error_for_hidden_signs(law, fourth_moment, visible):
    """From three sizes; the coefficient of Gaussian weights holds for them only."""
    k, sizes, n = 3, (400, 800, 1600), 400 if fourth_moment > 1 else 40
    streams = iter(np.random.SeedSequence(9).spawn(3 * n))

    def scaled_error(d):
        rbm = rn.RBM(law.sample((d, k), np.random.default_rng(next(streams))), visible=visible)
        return d * (rbm.log_partition() - rbm.log_partition(exact=False))

    samples = [[scaled_error(d) for _ in range(n)] for d in sizes]
    theory = theorem1.sign_coefficient(k, fourth_moment, visible)
    gaussian = theorem1.sign_coefficient(k, 3.0, visible)
    assert extrapolate(sizes, samples, theory).verdict == "agrees"
    assert extrapolate(sizes, samples, 0.9 * theory).verdict == "disagrees"
    expected = "agrees" if fourth_moment == 3.0 else "disagrees"
    assert extrapolate(sizes, samples, gaussian).verdict == expected


def test_coefficient_of_gaussian_weights_and_visible_signs():
    assert theorem1.sign_coefficient(5, 3.0) == pytest.approx(-25 / 4, rel=1e-14)


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
    row = random_starts.measure_start({"k": 2, "snr": 2.0, "d": 200}, np.random.default_rng(1))
    assert row["success"]
    assert row["gradient_size"] < random_starts.GRADIENT
    assert not row["capped"]
    assert 0.8 < row["smallest_overlap"] <= row["largest_overlap"] < 1.0
    row = random_starts.measure_start({"k": 1, "snr": 0.2, "d": 200}, np.random.default_rng(1))
    assert not row["success"]
    assert row["smallest_overlap"] < random_starts.FOUND


def test_paths_come_back_in_the_order_of_theory():
    """A table made of theory itself, shuffled, must equal theory entry by entry."""
    for setting in amp_paths.SETTINGS:
        path = amp_paths.predict_path(setting)
        rows = [
            {"setting": setting, "d": 50, "instance": instance, "t": t}
            | {
                f"{name}{a}{b}": getattr(path, name)[t, a, b]
                for name in "MQV"
                for a, b in np.ndindex(getattr(path, name).shape[1:])
            }
            for instance in range(3)
            for t in range(amp_paths.N_ITER + 1)
        ]
        table = pd.DataFrame(rows).sample(frac=1.0, random_state=0)  # rows, and columns too
        table = table[["V00", *table.columns.drop("V00")]]
        samples, theory = amp_paths.as_paths(table.assign(M99=np.nan), setting, 50)
        assert samples.shape == (3, *theory.shape)
        np.testing.assert_array_equal(samples, np.broadcast_to(theory, samples.shape))
        matrices = [getattr(path, name).reshape(amp_paths.N_ITER + 1, -1) for name in "MQV"]
        np.testing.assert_array_equal(theory, np.hstack(matrices))


def test_measured_path_starts_as_told():
    rows = amp_paths.measure_path({"setting": "two units", "d": 60}, np.random.default_rng(0))
    first = np.array([[rows[0][f"M{a}{b}"] for b in range(2)] for a in range(2)])
    np.testing.assert_allclose(first, amp_paths.SETTINGS["two units"]["M0"], atol=1e-12)
    assert [row["t"] for row in rows] == list(range(amp_paths.N_ITER + 1))
