"""AMP and descent in the regions of the phase diagram, at small size."""

from functools import lru_cache

import numpy as np
import pytest

from rbmnotes import (
    SpikedModel,
    amp_rbm,
    bbp_snr,
    branches,
    finite_norm_threshold,
    informed_start,
    replicon_threshold,
    response_edge,
)
from rbmnotes.experiments.gordon import phases


def test_rate_of_a_known_series():
    t = np.arange(60)
    assert phases.fitted_rate(3.0 * 0.7**t) == pytest.approx(0.7, rel=1e-12)
    # before the window and after its end anything may happen
    series = np.concatenate([[5.0, 0.1, 0.2], 1e-3 * 0.5 ** np.arange(1, 30), np.full(5, 1e-12)])
    assert phases.fitted_rate(series) == pytest.approx(0.5, rel=1e-12)
    assert np.isnan(phases.fitted_rate(np.full(300, 0.3)))
    assert np.isnan(phases.fitted_rate(1e-2 * 0.9 ** np.arange(50)))  # ends at 5e-5
    assert np.isnan(phases.fitted_rate([1.0, 1e-5, 1e-12]))


def test_distinct_losses():
    assert phases.count_distinct([-1.0]) == 1
    assert phases.count_distinct([-1.0, -1.0 + 1e-9, -0.5, -0.5 - 1e-9, -0.4]) == 3


@lru_cache
def lines(alpha):
    return (
        bbp_snr(alpha),
        finite_norm_threshold(alpha),
        replicon_threshold(alpha),
        response_edge(alpha),
    )


def test_every_point_is_in_the_region_it_is_named_after():
    for region, points in phases.REGIONS.items():
        for alpha, snr in points:
            bbp, finite, line, edge = lines(alpha)
            if region == "below BBP":
                assert snr < bbp
            elif region == "BBP to finite norm":
                assert bbp < snr < finite
            elif region == "finite norm to replicon":
                assert finite < snr < line
            elif region == "V out of range":
                assert bbp < snr < edge
            elif region == "edge to replicon":
                assert edge < snr < line
            else:
                assert snr > line
                row = phases.predict_phase({"alpha": alpha, "snr": snr})
                assert (row["alternation"] < -1) == (region == "stable, alternating")


def test_predicted_rate_is_the_slowest_of_three():
    row = phases.predict_phase({"alpha": 4.0, "snr": 1.2})
    assert row["branch"] == "informed"
    assert row["rate_theory"] == pytest.approx(np.sqrt(0.187241), abs=1e-5)  # theory.md's replicon
    row = phases.predict_phase({"alpha": 50.0, "snr": 0.6})
    assert row["rate_theory"] == -row["alternation"] > np.sqrt(row["replicon"])
    row = phases.predict_phase({"alpha": 4.0, "snr": 0.5})
    assert row["branch"] == "without overlap"
    assert row["overlap_theory"] == 0
    row = phases.predict_phase({"alpha": 1.5, "snr": 1.1})
    assert row["branch"] == "none"
    assert np.isnan(row["rate_theory"])


def amp_rate(alpha, snr, d, seed):
    data = SpikedModel(alpha, snr).sample(d, seed)
    start = informed_start(data.W_star, [[0.8]], [[1.0]], rng=seed)
    return phases.fitted_rate(amp_rbm(data.X, start=start, V0=[[0.1]], max_iter=400).history.change)


@pytest.mark.parametrize(("alpha", "snr", "d"), [(4.0, 1.3, 400), (50.0, 0.7, 60)])
def test_amp_slows_down_as_predicted(alpha, snr, d):
    """At the first point the replicon decides, at the second the alternation.

    The factor of an instance varies by a few hundredths at these sizes; the other candidate for
    the factor is off by a tenth and more.
    """
    rates = [amp_rate(alpha, snr, d, seed) for seed in range(10)]
    row = phases.predict_phase({"alpha": alpha, "snr": snr})
    candidates = np.sqrt(row["replicon"]), abs(row["alternation"])
    assert row["rate_theory"] == max(candidates)
    assert np.mean(rates) == pytest.approx(row["rate_theory"], abs=0.05)
    assert abs(np.mean(rates) - min(candidates)) > 0.1


def test_damping_cures_an_alternation_and_not_a_replicon():
    row = {}
    for alpha, snr, d in ((100.0, 0.4, 60), (4.0, 0.5, 300)):
        data = SpikedModel(alpha, snr).sample(d, 2)
        for damping in (0.0, 0.5):
            fit = amp_rbm(
                data.X, start=data.W_star, V0=[[0.1]], damping=damping, max_iter=300, tol=1e-9
            )
            row[alpha, damping] = fit.converged
    assert row[100.0, 0.0]
    assert row[100.0, 0.5]
    assert not row[4.0, 0.0]
    assert not row[4.0, 0.5]


def test_measured_row():
    parameters = {"region": "stable", "alpha": 4.0, "snr": 1.5, "d": 150}
    row = phases.measure_phase(parameters, np.random.default_rng(3))
    assert row["converged"]
    assert row["gradient_size"] < 1e-8
    # AMP and every descent end in one minimum
    assert row["distinct"] == 1
    assert row["amp_loss"] == pytest.approx(row["loss"], abs=1e-9)
    assert row["amp_overlap"] == pytest.approx(row["overlap"], abs=1e-5)
    assert row["descent_gradient_size"] < 1e-4
    informed = branches(4.0, 1.5)[1]
    assert row["V"] == pytest.approx(informed.V[0], abs=0.05)
    assert row["overlap"] == pytest.approx(informed.overlap[0], abs=0.05)
    parameters |= {"region": "below BBP", "snr": 0.5}
    row = phases.measure_phase(parameters, np.random.default_rng(3))
    assert not row["converged"]
    assert np.isnan(row["rate"])
    assert row["distinct"] > 1
    assert row["q_step"] > 1e-3
