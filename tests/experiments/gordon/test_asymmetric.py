"""The asymmetric unit: where the minimum jumps, by Gordon's problem, and balanced data."""

from types import SimpleNamespace

import numpy as np
import pytest

from rbmnotes import branches, finite_norm_threshold, global_optimum
from rbmnotes.experiments.gordon import asymmetric

PROBLEM = asymmetric.HIDDEN, asymmetric.RARE


def optimum(snr):
    return global_optimum(asymmetric.ALPHA, snr, *PROBLEM)


@pytest.fixture(scope="module")
def threshold():
    return finite_norm_threshold(asymmetric.ALPHA, *PROBLEM)


def test_gap_is_that_of_gordons_values(threshold):
    """The branches follow state evolution; Gordon's problem is solved without it."""
    snr = 0.99 * threshold
    silent, mirrored = optimum(0.5 * threshold), optimum(snr)
    assert abs(silent.m) < 1e-6
    # derivatives below 1e-8 on both routes
    assert asymmetric.loss_gap(snr) == pytest.approx(mirrored.loss - silent.loss, abs=1e-8)


@pytest.mark.parametrize(("ratio", "lower"), [(0.9858, False), (0.9868, True)])
def test_minimum_jumps_where_the_gap_closes(threshold, ratio, lower):
    """At 0.9863 of the threshold, by Gordon's problem as by the losses of two branches."""
    found = optimum(ratio * threshold)
    assert (found.m / np.sqrt(found.q) < -0.15) == lower
    assert (abs(found.m) < 1e-6) != lower
    assert (asymmetric.loss_gap(ratio * threshold) < 0) == lower


def test_jump_is_the_root_of_the_gap(monkeypatch):
    def states(alpha, snr, hidden, prior_u):
        assert (alpha, hidden, prior_u) == (asymmetric.ALPHA, *PROBLEM)
        mirrored = SimpleNamespace(name="mirrored", loss=[0.2 - snr**2], overlap=[-snr])
        silent = SimpleNamespace(name="without overlap", loss=[-1.1], overlap=[0.0])
        return [silent, mirrored]

    monkeypatch.setattr(asymmetric, "branches", states)
    # round-off of a root that is found to 1e-12
    assert asymmetric.jump(0.5, 2.0) == pytest.approx((1.3**0.5, -(1.3**0.5)), abs=1e-10)


def test_balanced_data_have_no_mean_field_and_unit_noise():
    snr, d = 1.7, 200
    X, w = asymmetric.balanced_data(snr, d, np.random.default_rng(3))
    assert X.shape == (300, d)
    assert set(w) == {-1.0, 1.0}
    U = np.full(300, -0.5)
    U[:60] = 2.0
    noise = X - snr * np.outer(U, w) / np.sqrt(d)
    # a sum of 60 000 numbers: round-off
    assert abs((noise @ w).mean()) < 1e-10
    # four standard errors of a mean square of 60 000 numbers
    assert abs(np.mean(noise**2) - 1) < 4 * np.sqrt(2 / 60_000)
    # orthogonal to the signal it is untouched: the mean over samples still fluctuates as it should
    means = noise.mean(axis=0) * np.sqrt(300)
    assert abs(np.mean(means**2) - 1) < 4 * np.sqrt(2 / d)


def test_both_ends_are_near_their_branches(threshold):
    snr = 1.5 * threshold
    theory = {state.name: state.loss[0] for state in branches(asymmetric.ALPHA, snr, *PROBLEM)}
    draws = [
        asymmetric.measured_losses(snr, 200, np.random.default_rng(seed)) for seed in range(12)
    ]
    for name in ("informed", "mirrored"):
        losses = np.array([draw[name] for draw in draws])
        error = losses.std(ddof=1) / np.sqrt(12)
        # four standard errors, and a bias that the chapter finds to be up to 4/d
        assert abs(losses.mean() - theory[name]) < 4 * error + 6 / 200
        assert abs(losses.mean() - 0.8 * theory[name]) > 4 * error + 6 / 200
    assert all(draw["mirrored"] < draw["informed"] for draw in draws)
