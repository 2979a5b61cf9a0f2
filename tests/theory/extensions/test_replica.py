"""One step of replica symmetry breaking: brute force, and what is wrong without an overlap.

Most tests pin the equations and the state that the code returns; that this state, without an
overlap, is not the solution is a test of its own.
"""

import numpy as np
import pytest
from scipy.integrate import quad

from rbmnotes import Bernoulli, Gaussian, Rademacher, eta2, proximal_map
from rbmnotes.theory.extensions import replica as module
from rbmnotes.theory.extensions.replica import one_step_rsb
from rbmnotes.theory.optimum import global_optimum
from tests.helpers import central_difference
from tests.laws import TERNARY


def plain_energy(q, V, y, alpha, hidden):
    """The energy with the average over the field itself, proximal points found by the package."""

    def envelope(h):
        omega = np.sqrt(q) * h
        z = proximal_map([[omega]], [[V]], hidden).z[0, 0]
        return -hidden.log_mgf(z) + (z - omega) ** 2 / (2 * V)

    def integrand(h):
        return np.exp(-y * envelope(h) - 0.5 * h * h) / np.sqrt(2 * np.pi)

    average = 2 * quad(integrand, 0, 12, epsabs=1e-12, epsrel=1e-10, limit=200)[0]
    penalty = alpha * eta2([[q]], hidden)
    return -alpha / y * np.log(average) + penalty - np.log(1 + y * q / V) / (2 * y)


@pytest.mark.parametrize(
    ("alpha", "symmetric", "broken"),
    [(4.0, -0.94785, -0.94111), (5.0, -0.94944, -0.94440), (8.0, -0.95332, -0.95065)],
)
def test_reference_values(alpha, symmetric, broken):
    state = one_step_rsb(alpha)
    assert state.energy == pytest.approx(broken, abs=5.1e-6)
    assert global_optimum(alpha, 0.0).loss == pytest.approx(symmetric, abs=5.1e-6)
    assert state.converged
    assert state.message == ""


def test_fixing_q0_at_zero_is_not_the_solution():
    """The state without a signal is unstable in q0, and its energy too low: under revision.

    The energy must be a maximum over q0. It is stationary at q0 = 0, with the slope
    (y / 2)(alpha D^2 - 1 / T^2) away from it, D the response at zero field: a minimum.
    """
    state = one_step_rsb(4.0)
    T, q0 = state.V + state.y * state.q, 1e-4
    point = (0.0, q0, state.q, state.V, state.y)
    responses = module._averages(point, 0.0, Rademacher())[2] / q0  # D^2
    assert 4.0 * T**2 * responses == pytest.approx(1.147, abs=1e-3)
    assert module._derivatives(point, 4.0, 0.0, Rademacher())[1] > 0
    # where all derivatives vanish, q0 included, the energy is higher
    found = module.find_root(
        lambda x: module._derivatives((0.0, *x), 4.0, 0.0, Rademacher())[1:],
        (0.62, 1.30, 0.60, 0.21),
        tol=1e-12,
    )
    np.testing.assert_allclose(found.x, (0.6241, 1.2955, 0.59938, 0.21100), atol=5e-5)
    energy = module._energy((0.0, *found.x), 4.0, 0.0, Rademacher())
    assert energy == pytest.approx(-0.940388, abs=5e-7)
    assert energy > state.energy + 5e-4


def test_reference_state():
    state = one_step_rsb(4.0)
    np.testing.assert_allclose((state.q, state.V, state.y), (1.2975, 0.6224, 0.1257), atol=5.1e-5)


@pytest.mark.parametrize("hidden", [Rademacher(), TERNARY], ids=repr)
def test_energy_and_stationarity_against_plain_quadrature(hidden):
    state = one_step_rsb(4.0, hidden=hidden)
    point = np.array([state.q, state.V, state.y])
    assert state.energy == pytest.approx(plain_energy(*point, 4.0, hidden), abs=1e-9)
    slope = central_difference(lambda x: plain_energy(*x, 4.0, hidden), point, step=1e-4)
    np.testing.assert_allclose(slope, 0.0, atol=1e-5)
    # with the last term left out, it is not a stationary point
    wrong = central_difference(
        lambda x: plain_energy(*x, 4.0, hidden) + np.log(1 + x[2] * x[0] / x[1]) / (2 * x[2]),
        point,
        step=1e-4,
    )
    assert np.abs(wrong).max() > 0.1


@pytest.mark.parametrize("alpha", [2.0, 4.0, 30.0])
def test_derivatives_against_differences(alpha):
    point = np.array([0.5, 0.6, 1.2, 0.6, 0.2])
    expected = central_difference(lambda x: module._energy(x, alpha, 0.9, TERNARY), point)
    found = module._derivatives(point, alpha, 0.9, TERNARY)
    np.testing.assert_allclose(found, expected, atol=1e-7)
    point[:2] = 0.0
    expected = central_difference(
        lambda x: module._energy([0, 0, *x], alpha, 0.0, TERNARY), point[2:]
    )
    found = module._derivatives(point, alpha, 0.0, TERNARY)
    np.testing.assert_allclose(found[2:], expected, atol=1e-7)


@pytest.mark.parametrize("alpha", [2.4, 10.0, 100.0])
def test_breaking_raises_the_energy(alpha):
    # a maximum over y, above the replica-symmetric value and below that of W = 0
    state = one_step_rsb(alpha)
    assert state.converged
    assert global_optimum(alpha, 0.0).loss < state.energy < 0
    for factor in (0.8, 1.2):
        y = factor * state.y
        found = module.find_root(
            lambda x, y=y: module._derivatives((0, 0, *x, y), alpha, 0.0, Rademacher())[2:4],
            (state.q, state.V),
        )
        energy = module._energy((0, 0, *found.x, y), alpha, 0.0, Rademacher())
        assert energy < state.energy - 1e-9


def test_continuation_below_the_symmetric_state():
    # the symmetric state leaves the range of the theory at alpha = 2.288, this one at 1.78
    state = one_step_rsb(2.0)
    assert state.converged
    np.testing.assert_allclose(state.V, 0.93247, atol=1e-5)
    slope = central_difference(
        lambda x: plain_energy(*x, 2.0, Rademacher()), [state.q, state.V, state.y], step=1e-4
    )
    np.testing.assert_allclose(slope, 0.0, atol=1e-5)
    out = one_step_rsb(1.5)
    assert not out.converged
    assert out.message.startswith("V passes its bound above alpha = 1.7")
    assert np.isnan(out.energy)


def test_a_stable_symmetric_state_is_not_broken(monkeypatch):
    monkeypatch.setattr(module.SolutionCurve, "replicon", lambda curve, point: 0.9)
    state = one_step_rsb(4.0)
    assert not state.converged
    assert state.message == "the replica-symmetric state is stable"


def test_a_solution_that_is_not_found_is_not_reported(monkeypatch):
    monkeypatch.setattr(module, "LARGEST_Y", 0.05)  # the maximum is at 0.1257
    state = one_step_rsb(4.0)
    assert not state.converged
    assert state.message == "not converged"


# with a signal ------------------------------------------------------------------------------------


def plain_energy_with_signal(state, alpha, snr, hidden):
    """The energy with both averages over the field itself, proximal points by the package."""
    m, q0, q, V, y = state
    x, w = np.polynomial.hermite_e.hermegauss(80)
    h, edges = np.linspace(-9, 9, 4001), np.sqrt(q - q0)
    inner = np.exp(-0.5 * h**2) / np.sum(np.exp(-0.5 * h**2))
    total = 0.0
    for node, weight in zip(x, w / w.sum(), strict=True):
        omega = snr * m + np.sqrt(q0) * node + edges * h
        z = proximal_map(omega[:, None], [[V]], hidden).z[:, 0]
        envelope = -hidden.log_mgf(z) + (z - omega) ** 2 / (2 * V)
        total += weight * np.log(inner @ np.exp(-y * envelope))
    T = V + y * (q - q0)
    penalty = alpha * eta2([[q]], hidden)
    return penalty - alpha / y * total - np.log(T / V) / (2 * y) - (q0 - m * m) / (2 * T)


@pytest.mark.parametrize(
    ("alpha", "snr", "hidden"), [(4.0, 0.8, Rademacher()), (4.0, 0.75, TERNARY)], ids=repr
)
def test_energy_with_a_signal_against_plain_quadrature(alpha, snr, hidden):
    state = one_step_rsb(alpha, snr, hidden)
    assert state.converged
    assert 0 < state.m**2 < state.q0 < state.q
    point = np.array([state.m, state.q0, state.q, state.V, state.y])
    expected = plain_energy_with_signal(point, alpha, snr, hidden)
    assert state.energy == pytest.approx(expected, abs=1e-7)
    slope = central_difference(
        lambda x: plain_energy_with_signal(x, alpha, snr, hidden), point, step=1e-4
    )
    np.testing.assert_allclose(slope, 0.0, atol=1e-5)
    # above the replica-symmetric value, and the weight of the last term matters
    best = global_optimum(alpha, snr, hidden)
    assert best.loss < state.energy
    wrong = central_difference(
        lambda x: plain_energy_with_signal(x, alpha, snr, hidden) - 0.1 * (x[1] - x[0] ** 2) / x[3],
        point,
        step=1e-4,
    )
    assert np.abs(wrong).max() > 0.1


def test_breaking_ends_at_the_replicon_line():
    # alpha = 4: the line is at 0.85117; the gain in energy falls steeply towards it
    gains = []
    for snr in (0.78, 0.81, 0.84):
        state, best = one_step_rsb(4.0, snr), global_optimum(4.0, snr)
        gains.append(state.energy - best.loss)
        assert state.converged
    assert gains[0] > 4 * gains[1] > 16 * gains[2] > 0
    assert state.m == pytest.approx(best.m, abs=1e-3)
    assert state.q == pytest.approx(best.q, abs=1e-3)
    beyond = one_step_rsb(4.0, 0.86)
    assert not beyond.converged
    assert beyond.message == "the replica-symmetric state is stable"


def test_a_weak_signal_changes_nothing():
    without, weak = one_step_rsb(4.0), one_step_rsb(4.0, 0.7)
    assert weak == without
    assert weak.m == weak.q0 == 0


def test_out_of_range_with_a_signal():
    below = one_step_rsb(1.5, 1.1)
    assert below.message == "the replica-symmetric state is out of the range of the theory"
    assert not one_step_rsb(1.5, 1.32).converged


CASES = {
    "snr negative": ("snr", lambda: one_step_rsb(4.0, -0.1)),
    "snr an array": ("snr", lambda: one_step_rsb(4.0, [0.0, 1.0])),
    "alpha zero": ("alpha", lambda: one_step_rsb(0.0)),
    "alpha an array": ("alpha", lambda: one_step_rsb([4.0, 5.0])),
    "hidden a word": ("hidden", lambda: one_step_rsb(4.0, hidden="ising")),
    "hidden Gaussian": ("hidden", lambda: one_step_rsb(4.0, hidden=Gaussian())),
    "hidden not symmetric": ("hidden", lambda: one_step_rsb(4.0, hidden=Bernoulli())),
}


@pytest.mark.parametrize(("name", "call"), CASES.values(), ids=CASES)
def test_bad_input_is_refused_by_name(name, call):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()
