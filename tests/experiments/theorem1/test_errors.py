"""Theorem 1 and Corollary 2: errors of the effective likelihood beside the leading ones."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import rbmnotes as rn
from rbmnotes.evidence import extrapolate, rate
from rbmnotes.experiments.theorem1 import errors as theorem1
from tests.laws import sparse


def test_scenarios_obey_assumption_1():
    for scenario in theorem1.SCENARIOS:
        assert scenario.visible.mean == pytest.approx(0.0, abs=1e-15)
        assert scenario.visible.variance == pytest.approx(1.0, abs=1e-15)
        rbm = theorem1.draw_rbm(scenario, 50, np.random.default_rng(0))
        assert np.max(np.abs(rbm.W)) <= 2.0
        assert np.any(rbm.visible_bias) == np.any(rbm.hidden_bias) == scenario.biases


def measured(scenario, sizes, n_instances, seed):
    """The errors of every quantity of one scenario, each (sizes, instances)."""
    streams = np.random.SeedSequence(seed).spawn(len(sizes) * n_instances)
    draws = zip(np.repeat(sizes, n_instances), streams, strict=True)
    found = [
        theorem1.effective_error(theorem1.draw_rbm(scenario, d, np.random.default_rng(stream)))
        for d, stream in draws
    ]
    return {
        quantity: np.array([row[quantity] for row in found]).reshape(len(sizes), n_instances)
        for quantity in found[0]
    }


def test_errors_of_a_scenario_are_found_in_a_table():
    scenario = theorem1.SCENARIOS[1]
    rows = [
        {"scenario": name, "d": d, "instance": i, "error_W": d + i, "leading_W": -d - i}
        for name in (theorem1.SCENARIOS[0].name, scenario.name)
        for d in (20, 10)
        for i in (1, 0)
    ]
    table = pd.DataFrame(rows)
    table.loc[table.scenario != scenario.name, ["error_W", "leading_W"]] = np.nan
    found = theorem1.errors_by_size(table, scenario, "W")
    np.testing.assert_array_equal(found, [[10, 11], [20, 21]])
    np.testing.assert_array_equal(theorem1.errors_by_size(table, scenario, "W", "leading"), -found)


def test_the_experiment_holds_every_scenario_at_its_sizes():
    (experiment,) = theorem1.EXPERIMENTS
    scale = experiment.scale("paper")
    sizes = {}
    for point in scale.grid:
        sizes.setdefault(point["scenario"], []).append(point["d"])
    usual = {scenario.name: [*theorem1.SIZES] for scenario in theorem1.SCENARIOS}
    with_mean = {scenario.name: [*theorem1.MEAN_SIZES] for scenario in theorem1.MEAN_SCENARIOS}
    assert sizes == usual | with_mean | {
        theorem1.CORRELATED.name: [*theorem1.CORRELATED_SIZES],
    }
    for point, count in zip(scale.grid, scale.instances, strict=True):
        correlated = point["scenario"] == theorem1.CORRELATED.name
        assert count == (theorem1.CORRELATED_INSTANCES if correlated else theorem1.N_INSTANCES)


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
    errors = measured(scenario, sizes, 40, seed=11)
    for quantity, slope in (("log_likelihood", -1.0), ("W", -1.0), ("visible_bias", -0.5)):
        assert rate(sizes, errors[quantity], slope).verdict == "agrees", quantity
        assert rate(sizes, errors[quantity], -1.5 - slope).verdict == "disagrees"


@pytest.mark.parametrize("scenario", theorem1.MEAN_SCENARIOS, ids=lambda s: s.name)
def test_leading_error_of_units_with_a_mean(scenario):
    """The next order is d**-0.5 smaller, or 1/d without a third cumulant: 3 % and less."""
    rbm = theorem1.draw_rbm(scenario, 30_000, np.random.default_rng(7))
    np.testing.assert_allclose(rbm.W.sum(axis=0), np.sqrt(30_000) * np.array(theorem1.COLUMN_SUMS))
    error, leading = theorem1.effective_error(rbm), theorem1.leading_error(rbm)
    for quantity, value in error.items():
        assert leading[quantity] == pytest.approx(value, rel=0.03), quantity


def test_gradient_in_W_does_not_converge_if_visible_units_are_skewed_and_have_a_mean():
    """Its error tends to the predicted number; to a fifth more or less, or to zero, it does not.

    The norm is scaled so that the gradient itself is of order one, and errors are judged by that.
    """
    scenario = theorem1.MEAN_SCENARIOS[0]
    sizes = theorem1.MEAN_SIZES
    errors = measured(scenario, sizes, theorem1.N_INSTANCES, seed=8)["W"]
    limit = theorem1.limit_along_ones(scenario)
    assert extrapolate(sizes, errors, limit, scale=1.0, power=0.5).verdict == "agrees"
    for wrong in (0.0, 0.8 * limit, 1.2 * limit):
        assert extrapolate(sizes, errors, wrong, scale=1.0, power=0.5).verdict == "disagrees"


def test_without_a_third_cumulant_it_converges_more_slowly_than_the_projected_one():
    """Along (1, ..., 1) as d**-0.5, across as 1/d; neither exponent does for the other."""
    scenario = theorem1.MEAN_SCENARIOS[1]
    sizes = theorem1.MEAN_SIZES
    found = measured(scenario, sizes, theorem1.N_INSTANCES, seed=8)
    across = found["W_projected"]
    along = np.sqrt(found["W"] ** 2 - across**2)
    for errors, right, wrong in ((along, -0.5, -1.0), (across, -1.0, -0.5)):
        assert rate(sizes, errors, right).verdict == "agrees"
        assert rate(sizes, errors, wrong).verdict == "disagrees"


@pytest.mark.parametrize(
    ("law", "fourth_moment", "visible"),
    [
        (rn.Gaussian(), 3.0, rn.Rademacher()),
        (rn.Rademacher(), 1.0, rn.Rademacher()),
        (sparse(0.25), 4.0, rn.Rademacher()),
        (rn.Rademacher(), 1.0, sparse(0.25)),
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
