import numpy as np
import pytest

from rbmnotes import Gaussian, Rademacher, SpikedModel, fixed_point
from rbmnotes.evidence import compare_paths
from rbmnotes.experiments.convergence.weight_change import measure_change
from rbmnotes.theory.extensions.amp_change import (
    _mean_square,
    change_evolution,
    covariance_map,
    covariance_path,
)
from tests.laws import SKEWED


def slow_g(omega, V):
    """The function g of a Rademacher unit by plain iteration of z = omega + V tanh z."""
    z = omega.copy()
    for _ in range(400):
        z = omega + V * np.tanh(z)
    return np.tanh(z)


@pytest.mark.parametrize("prior_u", [Rademacher(), SKEWED], ids=["signs", "skewed"])
def test_second_change_by_monte_carlo(prior_u):
    model = SpikedModel(4.0, 0.9, prior_u=prior_u)
    found = change_evolution(model, 0.5, 1.0, 0.1, 3)
    m, q, V = (entry[:, 0, 0] for entry in (found.path.M, found.path.Q, found.path.V))
    rng, n = np.random.default_rng(0), 400_000
    signal = 0.9 * prior_u.sample(n, rng)
    covariance = 0.5 * (q[1] + q[0] - found.change[0])
    noise = rng.multivariate_normal([0, 0], [[q[0], covariance], [covariance, q[1]]], n)
    old = V[1] * slow_g(signal * m[0] + noise[:, 0], V[0])
    new = V[2] * slow_g(signal * m[1] + noise[:, 1], V[1])
    samples = (m[2] - m[1]) ** 2 + 4.0 * (new - old) ** 2
    error = samples.std() / np.sqrt(n)
    assert abs(samples.mean() - found.change[1]) < 4.5 * error
    assert abs(samples.mean() - 0.9 * found.change[1]) > 10 * error  # a wrong theory


def test_change_between_states_of_very_different_norm():
    """Two correlated fields, variances 0.5 and 2, by a sum over a fine grid."""
    q, change = np.array([0.5, 2.0]), 1.1
    covariance = 0.5 * (q.sum() - change)
    x = np.arange(-9.0, 9.0, 0.05)
    weights = 0.05 * np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    old = np.sqrt(q[0]) * x[:, None] + 0.0 * x
    slope = covariance / np.sqrt(q[0])
    new = slope * x[:, None] + np.sqrt(q[1] - slope**2) * x
    expected = 0.0
    for u in (-1.0, 1.0):
        first = 0.3 * slow_g(0.4 * u + old, 0.2)
        second = 0.5 * slow_g(0.7 * u + new, 0.3)
        expected += 0.5 * weights @ (second - first) ** 2 @ weights
    found = _mean_square(
        np.array([0.4, 0.7]), q, change, [0.2, 0.3], [0.3, 0.5], Rademacher(), Rademacher()
    )
    assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("alpha", "snr"), [(4.0, 1.2), (2.0, 1.5), (10.0, 0.7)])
def test_the_change_decays_at_the_rate_of_the_replicon(alpha, snr):
    m0 = 0.8 * snr
    found = change_evolution(SpikedModel(alpha, snr), m0, m0**2 + 0.5, 0.1, 40).change
    replicon = fixed_point(alpha, snr).replicon
    late = (found[1:] / found[:-1])[found[:-1] > 1e-13][-1]
    # the last changes are about 1e-13 of q: the ratio has come within a few 1e-4
    assert late == pytest.approx(replicon, rel=2e-3)
    assert late != pytest.approx(0.9 * replicon, rel=0.05)


@pytest.mark.parametrize("snr", [1.2, 0.8])
def test_covariance_of_successive_iterates(snr):
    """At a fixed point F(q) = q with slope the replicon, convex (paper eqs. 121-122)."""
    point = fixed_point(4.0, snr)
    grid = point.q * np.linspace(0.0, 1.0, 21)
    F = np.array([covariance_map(c, point, 4.0, snr) for c in grid])
    assert F[-1] == pytest.approx(point.q, abs=1e-8)
    step = 1e-4 * point.q
    slope = (point.q - covariance_map(point.q - step, point, 4.0, snr)) / step
    assert slope == pytest.approx(point.replicon, rel=2e-3)  # a difference quotient's bias
    assert np.all(np.diff(F) > 0)
    assert np.all(np.diff(F, 2) > 0)
    # a second fixed point below q if and only if the replicon exceeds one
    assert (np.min(F[:-1] - grid[:-1]) < 0) == (point.replicon > 1)


def test_covariance_map_by_monte_carlo():
    point = fixed_point(4.0, 1.3, prior_u=SKEWED)
    c, n = 0.6 * point.q, 400_000
    rng = np.random.default_rng(1)
    noise = rng.multivariate_normal([0, 0], [[point.q, c], [c, point.q]], n)
    omega = 1.3 * point.m * SKEWED.sample(n, rng)[:, None] + noise
    products = slow_g(omega, point.V).prod(axis=1)
    expected = point.m**2 + 4.0 * point.V**2 * products.mean()
    error = 4.0 * point.V**2 * products.std() / np.sqrt(n)
    found = covariance_map(c, point, 4.0, 1.3, prior_u=SKEWED)
    assert abs(found - expected) < 4.5 * error
    assert abs(0.97 * found - expected) > 4.5 * error


def test_covariances_settle_where_the_replicon_allows():
    point = fixed_point(4.0, 1.2)
    path = covariance_path(point, 4.0, 1.2, 25)
    assert path[0] == point.m**2
    assert path[1] == covariance_map(point.m**2, point, 4.0, 1.2)
    assert np.all(np.diff(path) >= 0)
    # 0.19^24 is nothing; the average of the map errs by 1e-9
    assert path[-1] == pytest.approx(point.q, abs=1e-7)
    # what is missing shrinks by the slope of the map at q
    missing = point.q - path[5:8]
    assert missing[1:] / missing[:-1] == pytest.approx(point.replicon, rel=2e-3)


def test_covariances_stay_behind_where_it_does_not():
    point = fixed_point(4.0, 0.8)
    path = covariance_path(point, 4.0, 0.8, 60)
    # at the map's second fixed point, the lower of two crossings
    assert covariance_map(path[-1], point, 4.0, 0.8) == pytest.approx(path[-1], abs=1e-6)
    assert path[-1] < point.q - 0.2


def test_bad_input_to_the_covariance_map():
    point = fixed_point(4.0, 1.2)
    for name, arguments in (
        ("c", (1.01 * point.q, point, 4.0, 1.2)),
        ("c", (-0.1, point, 4.0, 1.2)),
        ("alpha", (1.0, point, 0.0, 1.2)),
        ("snr", (1.0, point, 4.0, -1.0)),
        ("prior_u", (1.0, point, 4.0, 1.2, Rademacher(), Gaussian())),
    ):
        with pytest.raises(ValueError, match=rf"^{name} must"):
            covariance_map(*arguments)
    with pytest.raises(ValueError, match=r"^n_iter must"):
        covariance_path(point, 4.0, 1.2, 0)


def test_above_replicon_one_the_weights_never_settle():
    found = change_evolution(SpikedModel(4.0, 0.75), 0.5, 1.0, 0.1, 40).change
    assert fixed_point(4.0, 0.75).replicon > 1.0
    assert found[-1] > 1.0
    assert found[-1] == pytest.approx(found[-2], rel=0.02)


def test_against_simulation():
    # logarithms, since the change falls by decades; at d = 600 the finite-size bias of a mean over
    # 24 runs is well below its standard error in the first iterations
    runs = [
        measure_change({"snr": 1.2, "d": 600}, np.random.default_rng((4, i))) for i in range(24)
    ]
    samples = np.log([[row["change"] for row in run][:8] for run in runs])
    theory = np.log(change_evolution(SpikedModel(4.0, 1.2), 0.5, 1.0, 0.1, 8).change)
    assert compare_paths(samples, theory).verdict == "agrees"
    faster = theory - 0.1 * np.arange(8)
    assert compare_paths(samples, faster).verdict == "disagrees"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((SpikedModel(4.0, [1.2, 1.0]), 0.5, 1.0, 0.1, 5), "model"),
        ((4.0, 0.5, 1.0, 0.1, 5), "model"),
        ((SpikedModel(4.0, 1.2, prior_u=Gaussian()), 0.5, 1.0, 0.1, 5), "model"),
        ((SpikedModel(4.0, 1.2), 0.5, 1.0, 0.1, 0), "n_iter"),
        ((SpikedModel(4.0, 1.2), 0.5, 0.01, 0.1, 5), "Q0"),
        ((SpikedModel(4.0, 1.2), 0.5, 1.0, 1.5, 5), "V0"),
    ],
)
def test_bad_input(arguments, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        change_evolution(*arguments)
