"""Single signals against mixtures: what the potential charges, laws, and runs at an angle."""

import itertools

import numpy as np
import pytest

from rbmnotes import Discrete, SpikedModel, global_optimum, loss
from rbmnotes.experiments.comparison import mixtures

SIGNS = mixtures.LATENT["signs"]
RARE = mixtures.LATENT["rare large signs"]
EQUAL = np.ones(2) / np.sqrt(2.0)
NOISE = np.linspace(-9.0, 9.0, 1801)
WEIGHTS = np.exp(-0.5 * NOISE**2) / np.exp(-0.5 * NOISE**2).sum()
FIELDS = np.linspace(-12.0, 12.0, 241)
POINTS = np.linspace(-16.0, 16.0, 6401)


def three_points(share):
    """Zero but for a share of +-share**-0.5."""
    return Discrete((-(share**-0.5), 0.0, share**-0.5), (share / 2, 1 - share, share / 2))


def cumulant(law):
    return np.dot(law.probabilities, np.array(law.support) ** 4) - 3.0


def grid_envelope(V):
    """The envelope at FIELDS, by minimising over a grid: also where the proximal map jumps."""
    costs = -np.log(np.cosh(POINTS)) + (POINTS - FIELDS[:, None]) ** 2 / (2.0 * V)
    return costs.min(axis=1)


def grid_average(direction, strength, q, envelope, law=SIGNS):
    """E M along a direction by enumeration of the latent variables, from values at FIELDS."""
    total = 0.0
    pairs = zip(law.support, law.probabilities, strict=True)
    for states in itertools.product(pairs, repeat=len(direction)):
        values, probabilities = np.array(states).T
        fields = strength * direction @ values + np.sqrt(q) * NOISE
        total += probabilities.prod() * WEIGHTS @ np.interp(fields, FIELDS, envelope)
    return total


def bisected_envelope(x, V):
    """Minimum over z of -log cosh z + (z - x)**2 / 2V, V < 1, by bisection."""
    low, high = np.minimum(x, x + V * np.sign(x)), np.maximum(x, x + V * np.sign(x))
    for _ in range(60):
        z = 0.5 * (low + high)
        above = z - V * np.tanh(z) > x
        low, high = np.where(above, low, z), np.where(above, z, high)
    return np.log(2.0) - np.logaddexp(z, -z) + (z - x) ** 2 / (2.0 * V)


def test_envelope_average_by_bisection():
    values, probabilities = np.array([-0.7, 0.1, 2.3]), np.array([0.2, 0.5, 0.3])
    q, V = 1.4, 0.8
    omega = values[:, None] + np.sqrt(q) * NOISE
    expected = probabilities @ bisected_envelope(omega, V) @ WEIGHTS
    # both find the minimiser to round-off
    assert mixtures.envelope_average(values, probabilities, q, V) == pytest.approx(
        expected, abs=1e-10
    )


@pytest.mark.parametrize("direction", [EQUAL, np.array([2.0, -1.0, 2.0]) / 3.0], ids=["2", "3"])
@pytest.mark.parametrize("law", [SIGNS, RARE, three_points(0.3)], ids=["signs", "rare", "three"])
def test_cost_of_a_direction_by_enumeration(direction, law):
    q, V, strength = 1.7, 0.6, 0.9
    envelope = grid_envelope(V)
    expected = grid_average(direction, strength, q, envelope, law)
    expected -= grid_average(np.array([1.0]), strength, q, envelope, law)
    # interpolation and grid err by about (0.1**2 + 0.005**2) / 8 times a curvature of order one
    found = mixtures.direction_cost(direction, strength, q, V, law)
    assert found == pytest.approx(expected, abs=2e-3)
    assert mixtures.direction_cost(np.array([0.0, 1.0]), strength, q, V, law) == pytest.approx(
        0.0, abs=1e-12
    )


@pytest.mark.parametrize(("m", "q"), [(0.3, 0.5), (1.2, 1.8), (2.5, 0.2)])
def test_no_direction_beats_a_single_signal(m, q):
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((20, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    for V in (0.05, 0.4, 0.9):
        costs = [mixtures.direction_cost(n, m, q, V, SIGNS) for n in directions]
        assert min(costs) > -1e-12  # round-off
        if m > 1.0:
            assert mixtures.direction_cost(EQUAL, m, q, V, SIGNS) > 5e-3
    # beyond the bound of the proximal map, where the envelope is a minimum over a grid: as above
    envelope = grid_envelope(1.6)
    single = grid_average(np.eye(3)[0], m, q, envelope)
    assert min(grid_average(n, m, q, envelope) for n in directions[:10]) > single - 2e-3


@pytest.mark.parametrize("direction", [EQUAL, np.array([2.0, 1.0, 2.0]) / 3.0], ids=["2", "3"])
@pytest.mark.parametrize(
    "law", [RARE, three_points(0.2), SIGNS], ids=["rare", "three points", "signs"]
)
def test_small_signals_are_ranked_by_the_fourth_cumulant(direction, law):
    # (lambda m)^4 kappa_4 (sum n^4 - 1) / 24 times the fourth derivative of E M(x + sqrt(q) G) at
    # zero, by parts through a Hermite polynomial; at lambda m = 0.05 the next order is 0.5 %
    q, V, strength = 2.5, 0.3, 0.05
    hermite = NOISE**4 - 6 * NOISE**2 + 3
    fourth = WEIGHTS @ (bisected_envelope(np.sqrt(q) * NOISE, V) * hermite) / q**2
    assert fourth > 0.01
    expected = strength**4 / 24 * fourth * cumulant(law) * (np.sum(direction**4) - 1)
    found = mixtures.direction_cost(direction, strength, q, V, law)
    assert found == pytest.approx(expected, rel=0.01)
    assert (expected < 0) == (cumulant(law) > 0)  # heavy tails: the mixture is lower


def test_heavy_tails_do_not_turn_the_inequality_round_in_general():
    # at lambda m = q = 2.5, V = 0.3 single signals win by 0.068 in spite of a fourth cumulant of
    # 0.61, which decides at small signal
    assert cumulant(RARE) == pytest.approx(0.609, abs=1e-3)
    assert mixtures.direction_cost(EQUAL, 2.5, 2.5, 0.3, RARE) == pytest.approx(0.0677, abs=1e-4)
    assert mixtures.direction_cost(EQUAL, 0.4, 2.5, 0.3, RARE) < -3e-5


def test_sparse_latent_variables_turn_it_round():
    # at any strength if sparse enough: towards (1 - sqrt 2) lambda m sqrt(share), with corrections
    # of relative order sqrt(share)
    sparse = mixtures.LATENT["sparse, 0.05"]
    assert cumulant(sparse) == pytest.approx(17.0)
    assert all(
        mixtures.direction_cost(EQUAL, m, 2.5, 0.3, sparse) < 0 for m in (0.2, 1.0, 2.5, 5.0)
    )
    ratios = [
        mixtures.direction_cost(EQUAL, 1.0, 2.5, 0.3, three_points(share))
        / ((1 - np.sqrt(2)) * np.sqrt(share))
        for share in (1e-3, 1e-5)
    ]
    assert ratios[1] == pytest.approx(1.0, abs=0.02)
    assert (1 - ratios[0]) / (1 - ratios[1]) == pytest.approx(10.0, rel=0.1)


def test_law_of_a_mixture():
    assert (
        mixtures.mixture_law(0.0)
        == mixtures.mixture_law(np.pi / 2)
        == Discrete((-1, 1), (0.5, 0.5))
    )
    half = mixtures.mixture_law(np.pi / 4)
    assert half.support == pytest.approx((-np.sqrt(2), 0.0, np.sqrt(2)), abs=1e-11)
    assert half.probabilities == (0.25, 0.5, 0.25)
    law = mixtures.mixture_law(0.3)
    assert len(law.support) == 4
    # kappa_4 of a sign is -2, and cumulants of independent variables add up
    assert law.moment(2) == pytest.approx(1.0, abs=1e-10)
    assert cumulant(law) == pytest.approx(-2 * (np.cos(0.3) ** 4 + np.sin(0.3) ** 4), abs=1e-10)


@pytest.mark.parametrize("snr", [1.0, 1.6])
def test_the_optimum_rises_with_the_angle(snr):
    losses = [
        global_optimum(4.0, snr, prior_u=mixtures.mixture_law(angle)).loss
        for angle in np.radians([0, 15, 30, 45])
    ]
    assert np.all(np.diff(losses) > 1e-3)


def test_runs_at_an_angle():
    """No weights orthogonal to the direction that was removed have a lower loss."""
    data = SpikedModel(4.0, [1.6, 1.6]).sample(60, rng=0)
    angles = np.radians([0.0, 45.0, 90.0])
    least = mixtures.least_losses(data, angles)
    assert least[1] > max(least[0], least[2]) + 0.05
    # orthonormal axes of the plane by another route, which keeps both signals as near as may be
    left, _, right = np.linalg.svd(data.W_star, full_matrices=False)
    axes = left @ right
    rng = np.random.default_rng(1)
    for angle, lowest in zip(angles, least, strict=True):
        along = axes @ [np.cos(angle), np.sin(angle)]
        across = axes @ [-np.sin(angle), np.cos(angle)]
        for _ in range(20):
            w = rng.uniform(0.5, 1.5) * np.sqrt(60) * along + rng.standard_normal(60)
            w -= (w @ across) * across
            assert loss(data.X, w[:, None]) > lowest
