import numpy as np
import pytest

from rbmnotes import Discrete, Gaussian, Rademacher, fixed_point, proximal_map
from rbmnotes.theory.extensions.curvature import lowest_curvature
from tests.laws import sparse


@pytest.mark.parametrize("alpha", [2.0, 4.0, 10.0])
@pytest.mark.parametrize("prior_u", [Rademacher(), sparse(0.2)], ids=["signs", "sparse"])
def test_the_outlier_changes_sign_where_amp_changes_stability(alpha, prior_u):
    learned = 2.0 * alpha**-0.25 + 0.4
    V = fixed_point(alpha, learned, prior_u=prior_u).V
    critical = (alpha * V - 1.0) ** -0.5
    at = lowest_curvature(alpha, learned, critical, prior_u=prior_u)
    assert at.growth == pytest.approx(1.0, abs=1e-12)
    assert at.outlier == pytest.approx(0.0, abs=1e-8)  # the quadrature of z, not round-off
    below = lowest_curvature(alpha, learned, 0.95 * critical, prior_u=prior_u)
    above = lowest_curvature(alpha, learned, 1.05 * critical, prior_u=prior_u)
    assert below.growth < 1.0 < above.growth
    assert below.smallest > 1e-3 > -1e-3 > above.smallest


def test_without_a_missed_signal_only_the_bulk_is_left():
    found = lowest_curvature(4.0, 1.35, 0.0)
    assert np.isnan(found.outlier)
    assert found.smallest == found.edge > 0.0
    assert found.growth == 0.0


@pytest.mark.parametrize(("missed", "width"), [(0.0, 0.12), (1.5, 0.0), (2.0, 0.0)])
def test_against_matrices_of_independent_entries(missed, width):
    # The theory's own assumption, sampled: fields of the right law, independent of the noise. An
    # edge is biased by some d^(-2/3) = 0.025, hence `width`; an outlier by O(1/d).
    alpha, learned, d = 4.0, 1.35, 250
    point = fixed_point(alpha, learned)
    expected = lowest_curvature(alpha, learned, missed).smallest
    smallest = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n = int(alpha * d)
        omega = learned * point.m * rng.choice([-1.0, 1.0], n)
        omega += np.sqrt(point.q) * rng.standard_normal(n)
        z = proximal_map(omega[:, None], [[point.V]]).z[:, 0]
        X = rng.standard_normal((n, d))
        X += missed * np.outer(rng.choice([-1.0, 1.0], n), rng.choice([-1.0, 1.0], d)) / np.sqrt(d)
        weighted = X / np.cosh(z)[:, None]
        hessian = alpha * np.eye(d) - weighted.T @ weighted / d
        smallest.append(np.linalg.eigvalsh(hessian)[0])
    error = np.std(smallest, ddof=1) / np.sqrt(len(smallest))
    assert abs(np.mean(smallest) - expected) < 4.5 * error + width
    # a curvature that is off by a tenth of the penalty's
    assert abs(np.mean(smallest) - expected - 0.1 * alpha) > 4.5 * error + width


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"alpha": -1.0}, "alpha"),
        ({"learned": -0.1}, "snr"),
        ({"learned": 0.75}, "learned"),  # its replicon exceeds one
        ({"missed": -0.1}, "missed"),
        ({"hidden": Gaussian()}, "hidden"),
        ({"hidden": "signs"}, "hidden"),
        ({"prior_u": Gaussian()}, "prior_u"),
        ({"prior_u": Discrete((0.0, 1.0), (0.5, 0.5))}, "prior_u"),
    ],
)
def test_bad_input(arguments, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        lowest_curvature(**({"alpha": 4.0, "learned": 1.35, "missed": 1.5} | arguments))
