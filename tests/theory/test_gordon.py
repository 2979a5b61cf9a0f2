"""Gordon's min-max problem: brute-force envelopes, state evolution, closed forms, simulations."""

from dataclasses import astuple
from functools import lru_cache

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize, minimize_scalar

import rbmnotes.theory.optimum as module
from rbmnotes import (
    Bernoulli,
    Discrete,
    Gaussian,
    Rademacher,
    SpikedModel,
    bbp_snr,
    eta2,
    fixed_point,
    loss,
    loss_gradient,
    outlier_eigenvalue,
    pca_overlap,
    response_bound,
)
from rbmnotes.evidence import extrapolate
from rbmnotes.theory.gordon import exchanged_order, gordon_gradient, gordon_potential
from rbmnotes.theory.moreau import FieldLaw, moreau_average
from rbmnotes.theory.optimum import global_optimum
from tests.helpers import central_difference
from tests.laws import SKEWED, TERNARY

UNEVEN_FOUR = Discrete((-3.0, -1.0, 0.5, 2.0), (0.1, 0.4, 0.3, 0.2))
HIDDEN = (Rademacher(), Bernoulli(), TERNARY, SKEWED, UNEVEN_FOUR)
PRIORS_U = (Rademacher(), Gaussian(), SKEWED)

# the Moreau envelope ------------------------------------------------------------------------------


def brute_envelope(x, V, hidden):
    """Minimise -eta1(z) + (z - x)^2 / 2V over z: the best of a grid, refined by golden sections."""

    def cost(z):
        return -hidden.log_mgf(z) + (z - x) ** 2 / (2 * V)

    grid = x + np.linspace(V * hidden.support[0] - 0.1, V * hidden.support[-1] + 0.1, 301)[:, None]
    best, step = np.argmin(cost(grid), axis=0), grid[1, 0] - grid[0, 0]
    middle = np.take_along_axis(grid, best[None], axis=0)[0]
    low, high = middle - step, middle + step
    for _ in range(40):
        left, right = high - 0.618 * (high - low), low + 0.618 * (high - low)
        smaller = cost(left) < cost(right)
        low, high = np.where(smaller, low, left), np.where(smaller, right, high)
    return cost(0.5 * (low + high))


def brute_average(m, q, V, snr, hidden, prior_u):
    """Average the envelope over the field, by Gauss-Legendre panels in the field itself."""
    x, w = np.polynomial.legendre.leggauss(8)
    if isinstance(prior_u, Gaussian):
        parts = [(1.0, 0.0, q + (snr * m) ** 2)]
    else:
        parts = [
            (p, snr * m * u, q) for u, p in zip(prior_u.support, prior_u.probabilities, strict=True)
        ]
    total = 0.0
    for weight, mean, variance in parts:
        edges = mean + np.sqrt(variance) * np.linspace(-8, 8, 161)
        half = 0.5 * (edges[1] - edges[0])
        omega = (edges[:-1, None] + half + half * x).ravel()
        density = np.exp(-0.5 * (omega - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
        total += weight * (np.tile(half * w, 160) * density) @ brute_envelope(omega, V, hidden)
    return total


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
@pytest.mark.parametrize("share", [0.3, 0.9, 1.0, 1.7])
def test_envelope_against_direct_minimisation(hidden, share):
    V = share * response_bound(hidden)
    prior_u = PRIORS_U[int(10 * share) % 3]
    expected = brute_average(0.8, 1.3, V, 0.9, hidden, prior_u)
    # the closer to the bound, the steeper the envelope's slope in x, which the panels resolve less;
    # past the bound it jumps
    tolerance = {0.3: 1e-10, 0.9: 1e-7}.get(share, 5e-5)
    assert moreau_average(0.8, 1.3, V, 0.9, hidden, prior_u) == pytest.approx(
        expected, abs=tolerance
    )


@pytest.mark.parametrize("hidden", [*HIDDEN, Gaussian()], ids=repr)
@pytest.mark.parametrize("prior_u", PRIORS_U, ids=repr)
@pytest.mark.parametrize("share", [0.4, 0.95, 1.4])
def test_averages_are_derivatives_of_the_envelope(hidden, prior_u, share):
    # dM/dx = -g and dM/dV = -g^2/2; and d/dq of an average over the field is half the curvature
    if isinstance(hidden, Gaussian):
        share *= 0.6
    point = np.array([0.7, 1.3, share * response_bound(hidden)])

    def envelope(point):
        signal, q, V = point
        return FieldLaw(signal, q, hidden, prior_u).averages(V).envelope

    ug, gg, derivative, _ = FieldLaw(*point[:2], hidden, prior_u).averages(point[2])
    found = central_difference(envelope, point)
    np.testing.assert_allclose(found, [-ug, -0.5 * derivative, -0.5 * gg], rtol=2e-7)


@pytest.mark.parametrize("V", [0.5, 0.97, 0.9999])
@pytest.mark.parametrize("q", [0.3, 7.0])
def test_squared_derivative_against_adaptive_quadrature(V, q):
    def integrand(z):
        slope = 1 / np.cosh(z) ** 2
        omega = z - V * np.tanh(z)
        p = np.exp(-0.5 * (omega - 1.1) ** 2 / q) + np.exp(-0.5 * (omega + 1.1) ** 2 / q)
        return 0.5 * p / np.sqrt(2 * np.pi * q) * slope**2 / (1 - V * slope)

    expected = 2 * quad(integrand, 0, 1, epsabs=1e-12, epsrel=1e-12, limit=200)[0]
    expected += 2 * quad(integrand, 1, 40, epsabs=1e-12, epsrel=1e-12, limit=200)[0]
    found = FieldLaw(1.1, q, Rademacher(), Rademacher()).squared_derivative(V)
    assert found == pytest.approx(expected, rel=1e-9)


def test_squared_derivative_at_the_bound():
    law = FieldLaw(1.1, 1.0, Rademacher(), Rademacher())
    assert law.squared_derivative(1.0) == law.squared_derivative(1.3) == np.inf


# the potential ------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [*HIDDEN, Gaussian()], ids=repr)
def test_potential_term_by_term(hidden):
    m, q, snr, alpha = 0.5, 0.6, 1.2, 3.0
    tau, gamma = 1.5, 0.6 * response_bound(hidden) * 1.5
    expected = tau * gamma / 2 - tau * np.sqrt(q - m**2) + alpha * eta2([[q]], hidden)
    expected += alpha * moreau_average(m, q, gamma / tau, snr, hidden)
    assert gordon_potential(m, q, tau, gamma, alpha, snr, hidden) == pytest.approx(expected)


@pytest.mark.parametrize("hidden", [*HIDDEN, Gaussian()], ids=repr)
@pytest.mark.parametrize("prior_u", PRIORS_U, ids=repr)
def test_gradient_against_differences(hidden, prior_u):
    point = np.array([0.5, 0.6, 1.5, 0.9 * response_bound(hidden)])
    problem = (3.0, 1.2, hidden, prior_u)
    expected = central_difference(lambda state: gordon_potential(*state, *problem), point)
    found = gordon_gradient(*point, *problem)
    np.testing.assert_allclose(found, expected, atol=1e-7 * np.abs(expected).max())


def test_order_of_the_four_extrema():
    # at fixed gamma a maximum over tau; at fixed tau no minimum over gamma but a maximum; and
    # after the maximum over tau a minimum over gamma
    alpha, snr = 4.0, 1.2
    best = global_optimum(alpha, snr)

    def potential(tau, gamma):
        return gordon_potential(best.m, best.q, tau, gamma, alpha, snr)

    def upper(gamma):
        bounds = (1.2 * gamma, 100.0)  # any V below 0.83; the optimum has 0.38
        return -minimize_scalar(lambda tau: -potential(tau, gamma), bounds=bounds).fun

    for factor in (0.5, 0.9, 1.1, 1.5):
        assert potential(factor * best.tau, best.gamma) < best.loss - 1e-4
        assert potential(best.tau, factor * best.gamma) < best.loss - 1e-4
        assert upper(factor * best.gamma) > best.loss + 1e-4
    assert upper(best.gamma) == pytest.approx(best.loss, abs=1e-9)


@pytest.mark.parametrize("hidden", [Rademacher(), Bernoulli(), TERNARY], ids=repr)
def test_maximum_over_tau_of_the_minimum_over_gamma(hidden):
    alpha, snr, m, q = 4.0, 1.2, 0.8, 1.5
    critical = max(abs(point) for point in hidden.support) * np.sqrt(alpha)
    across, grid = np.sqrt(q - m * m), np.geomspace(1e-6, 400.0, 120)

    def smallest(tau):
        return min(gordon_potential(m, q, tau, gamma, alpha, snr, hidden) for gamma in grid)

    # below the critical tau unbounded, above it a minimum at gamma = 0 that falls with tau; the
    # grid begins at 1e-6, and the potential has slopes of order ten
    expected = exchanged_order(m, q, alpha, snr, hidden)
    assert smallest(0.95 * critical) < -20
    assert smallest(critical * (1 + 1e-9)) == pytest.approx(expected, abs=1e-4)
    assert smallest(1.3 * critical) == pytest.approx(expected - 0.3 * critical * across, abs=1e-4)
    best = max(
        gordon_potential(m, q, across / V, across, alpha, snr, hidden)
        for V in np.geomspace(0.02, 50.0, 200)
    )
    assert expected < best - 0.05


@pytest.mark.parametrize("prior_u", PRIORS_U, ids=repr)
def test_exchanged_order_term_by_term(prior_u):
    alpha, snr, m, q = 3.0, 1.1, 0.7, 1.2
    x = np.linspace(-14.0, 14.0, 2801)

    def density(mean, variance):
        return np.exp(-0.5 * (x - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)

    if isinstance(prior_u, Gaussian):
        law = density(0.0, q + (snr * m) ** 2)
    else:
        pairs = zip(prior_u.support, prior_u.probabilities, strict=True)
        law = sum(p * density(snr * m * u, q) for u, p in pairs)
    # eight units of width, and a smooth integrand: a plain sum has all digits
    eta1 = 0.01 * law @ np.log(np.cosh(x))
    expected = -np.sqrt(alpha * (q - m * m)) - alpha * eta1 + 0.5 * alpha * q
    found = exchanged_order(m, q, alpha, snr, prior_u=prior_u)
    assert found == pytest.approx(expected, abs=1e-10)


# the optimum --------------------------------------------------------------------------------------

TABLE = [
    (4.0, 1.2, 1.183578, 1.826840, 0.377248, 0.187241, -1.723293),
    (4.0, 1.5, 1.496126, 2.566194, 0.312189, 0.066906, -2.905202),
    (2.0, 1.5, 1.483159, 2.895282, 0.628770, 0.226018, -1.721960),
]


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_reference_table(row):
    alpha, snr, *expected = row
    best = global_optimum(alpha, snr)
    found = (best.m, best.q, best.V, best.replicon, best.loss)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert best.converged
    assert best.unique
    assert best.message == "Assumptions 5 and 6 hold: the loss is the limit of the minimum"
    np.testing.assert_allclose(best.gamma / best.tau, best.V, rtol=1e-12)


@lru_cache(maxsize=1)
def grid():
    """Optimum beside fixed point over 13 sample ratios and 16 strengths, replicon below one."""
    pairs = []
    for alpha in np.geomspace(1.6, 100.0, 13):
        lowest = 1.05 + 0.6 / alpha + 1.0 / alpha**3  # above the replicon line, see its own test
        for ratio in np.linspace(lowest, 4.0, 16):
            snr = ratio * bbp_snr(alpha)
            point = fixed_point(alpha, snr)
            assert point.message == "converged"  # so V below its cap and the replicon below one
            pairs.append((global_optimum(alpha, snr), point))
    return pairs


def test_optimum_is_the_fixed_point_of_state_evolution():
    assert len(grid()) > 200
    for best, point in grid():
        for name in ("m", "q", "V", "loss", "replicon"):
            assert getattr(best, name) == pytest.approx(getattr(point, name), abs=1e-6)
        assert best.gradient_size < 1e-8
        assert best.converged
        assert best.unique


@pytest.mark.parametrize("term", range(4))
def test_a_wrong_potential_is_not_stationary_there(term):
    point = fixed_point(4.0, 1.2)
    gamma = np.sqrt(point.q - point.m**2)
    state = np.array([point.m, point.q, gamma / point.V, gamma])

    def gradient(factors):
        def potential(state):
            m, q, tau, gamma = state
            terms = [
                tau * gamma / 2,
                -tau * np.sqrt(q - m * m),
                4.0 * moreau_average(m, q, gamma / tau, 1.2),
                4.0 * eta2([[q]]),
            ]
            return np.dot(factors, terms)

        return np.abs(central_difference(potential, state)).max()

    assert gradient(np.ones(4)) < 1e-8
    assert gradient(np.where(np.arange(4) == term, 0.9, 1.0)) > 0.01


def test_nothing_lies_below_the_optimum():
    # at 300 random (m, q) the best of 40 values of V, a lower bound to the maximum over V
    rng = np.random.default_rng(0)
    best = global_optimum(4.0, 1.2)
    for _ in range(300):
        m, gamma = rng.uniform(-2.5, 2.5), rng.uniform(0.05, 2.0)
        law = FieldLaw(1.2 * m, m * m + gamma**2, Rademacher(), Rademacher())
        values = [4 * law.averages(V).envelope - gamma**2 / (2 * V) for V in (0.1, 0.4, 0.7, 1.0)]
        if max(values) + 2 * law.q < best.loss:  # eta2 = q / 2: look closer
            values = [
                4 * law.averages(V).envelope - gamma**2 / (2 * V)
                for V in np.linspace(0.02, 2.0, 40)
            ]
        assert max(values) + 2 * law.q > best.loss


@pytest.mark.parametrize("hidden", [Bernoulli(), TERNARY, SKEWED], ids=repr)
@pytest.mark.parametrize("prior_u", [Rademacher(), Gaussian()], ids=repr)
def test_other_laws(hidden, prior_u):
    best, point = global_optimum(5.0, 1.8, hidden, prior_u), fixed_point(5.0, 1.8, hidden, prior_u)
    for name in ("m", "q", "V", "loss", "replicon"):
        assert getattr(best, name) == pytest.approx(getattr(point, name), rel=1e-8)
    assert best.converged
    assert best.unique


def test_the_mirrored_state_can_be_the_better_one():
    # no symmetry of the unit or of the latent variable: two minima, and here the one with m < 0
    best = global_optimum(4.0, 2.0, Bernoulli(), SKEWED)
    informed = fixed_point(4.0, 2.0, Bernoulli(), SKEWED)
    mirrored = fixed_point(4.0, 2.0, Bernoulli(), SKEWED, start=-2.0)
    assert best.m == pytest.approx(mirrored.m, rel=1e-8)
    assert best.loss == pytest.approx(mirrored.loss, rel=1e-8)
    assert best.loss < informed.loss - 0.1
    assert not best.unique
    assert best.message.endswith("; the lowest of several minima")
    assert best.converged


@pytest.mark.parametrize("alpha", [0.5, 4.0, 30.0])
@pytest.mark.parametrize("ratio", [0.6, 1.3, 3.0])
def test_gaussian_units_are_principal_components(alpha, ratio):
    # W = sqrt(q d) times the top eigenvector of X^T X / d, eigenvalue e: the objective is
    # -e q / 2 - alpha log(1 - q) / 2, minimal at q = 1 - alpha / e
    snr = ratio * bbp_snr(alpha)
    eigenvalue = outlier_eigenvalue(alpha, snr)
    q = 1 - alpha / eigenvalue
    best = global_optimum(alpha, snr, Gaussian())
    assert best.q == pytest.approx(q, abs=1e-8)
    assert best.m == pytest.approx(np.sqrt(q) * pca_overlap(alpha, snr), abs=1e-8)
    expected = -0.5 * eigenvalue * q - 0.5 * alpha * np.log(1 - q)
    assert best.loss == pytest.approx(expected, abs=1e-10)
    if ratio > 1:
        np.testing.assert_allclose(best.V, 1 / (1 + alpha * snr**2), rtol=1e-8)
        assert best.replicon == pytest.approx(1 / (alpha * snr**4), rel=1e-8)
        assert best.message.startswith("Assumptions 5 and 6 hold")
    else:  # marginal all the way up to the threshold
        np.testing.assert_allclose(best.V, 1 / (1 + np.sqrt(alpha)), rtol=1e-8)
        assert best.replicon == pytest.approx(1.0, rel=1e-8)


# outside the theorem ------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "snr"), [(0.5, 1.0), (1.0, 2.0), (2.0, 0.3)])
def test_beyond_the_bound_of_the_proximal_map(alpha, snr):
    best = global_optimum(alpha, snr)
    assert best.V > 1
    assert best.replicon == np.inf
    assert not best.converged
    assert best.message.startswith("Assumption 5 fails: V = ")
    assert best.message.endswith("a lower bound only")


@pytest.mark.parametrize(("alpha", "snr"), [(4.0, 0.4), (4.0, 0.8), (50.0, 0.38)])
def test_where_the_replicon_exceeds_one(alpha, snr):
    best = global_optimum(alpha, snr)
    assert best.replicon > 1
    assert best.message.startswith(f"Assumption 6 fails: the replicon {best.replicon:.4g}")
    assert best.message.endswith("a lower bound only")
    point = fixed_point(alpha, snr)  # stationary all the same
    assert best.loss == pytest.approx(point.loss, abs=1e-9)


def test_a_descent_that_stops_early_is_not_converged(monkeypatch):
    monkeypatch.setattr(module, "_polish", lambda state, *problem: state + 1e-3)
    best = global_optimum(4.0, 1.2)
    assert not best.converged
    assert best.message.startswith("not converged: a derivative of the potential is")


# simulations --------------------------------------------------------------------------------------

SIZES, INSTANCES = (120, 240, 480), 24


@lru_cache(maxsize=8)
def descend(alpha, snr, d, instances, starts):
    """Lowest loss found by L-BFGS from an informed start and random ones, with its m and q."""
    rows = []
    for seed in range(instances):
        data = SpikedModel(alpha, snr).sample(d, rng=[d, seed])
        rng = np.random.default_rng([d, seed, 1])
        found = []
        for start in range(starts):
            W = rng.standard_normal(d) + (snr * data.W_star[:, 0] if start == 0 else 0.0)
            found.append(
                minimize(
                    lambda w, X=data.X: loss(X, w[:, None]),
                    W,
                    jac=lambda w, X=data.X, d=d: loss_gradient(X, w[:, None])[:, 0] / d,
                    method="L-BFGS-B",
                    options={"gtol": 1e-6, "maxiter": 300},
                )
            )
        best = min(found, key=lambda result: result.fun)
        rows.append((best.fun, abs(best.x @ data.W_star[:, 0]) / d, best.x @ best.x / d))
    return np.array(rows).T


def test_minimum_of_the_objective():
    # three sizes, corrections of order 1/d; the scale of the loss is its spread between W = 0
    # and the minimum
    best = global_optimum(4.0, 1.2)
    samples = [descend(4.0, 1.2, d, INSTANCES, 1) for d in SIZES]
    for i, theory in enumerate((best.loss, best.m, best.q)):
        result = extrapolate(SIZES, [rows[i] for rows in samples], theory)
        assert abs(result.z) < 3, result
        wrong = extrapolate(SIZES, [rows[i] for rows in samples], 0.9 * theory)
        assert abs(wrong.z) > 3


def test_lower_bound_where_it_is_not_tight():
    # past the bound of V the value still lies below all that descent finds, by far more than
    # the spread over instances
    best = global_optimum(0.9, 1.0)
    values = descend(0.9, 1.0, 300, 6, 3)[0]
    assert values.mean() - 5 * values.std(ddof=1) / np.sqrt(6) > best.loss


# bad input ----------------------------------------------------------------------------------------

STATE = (0.5, 1.0, 1.0, 0.5)
CASES = {
    "envelope m": ("m", lambda: moreau_average(np.nan, 1.0, 0.5, 1.0)),
    "envelope q": ("q", lambda: moreau_average(0.5, 0.0, 0.5, 1.0)),
    "envelope V": ("V", lambda: moreau_average(0.5, 1.0, 0.0, 1.0)),
    "envelope V Gaussian": ("V", lambda: moreau_average(0.5, 1.0, 1.0, 1.0, Gaussian())),
    "envelope snr": ("snr", lambda: moreau_average(0.5, 1.0, 0.5, -1.0)),
    "envelope hidden": ("hidden", lambda: moreau_average(0.5, 1.0, 0.5, 1.0, "ising")),
    "envelope prior_u": ("prior_u", lambda: moreau_average(0.5, 1, 0.5, 1, prior_u=Bernoulli())),
    "m infinite": ("m", lambda: gordon_potential(np.inf, *STATE[1:], 4.0, 1.0)),
    "q below m squared": ("q", lambda: gordon_potential(0.5, 0.25, 1.0, 0.5, 4.0, 1.0)),
    "q Gaussian": ("q", lambda: gordon_potential(0.5, 1.0, 1.0, 0.5, 4.0, 1.0, Gaussian())),
    "gamma Gaussian": ("gamma", lambda: gordon_potential(0.5, 0.6, 1, 1, 4, 1, Gaussian())),
    "tau zero": ("tau", lambda: gordon_potential(0.5, 1.0, 0.0, 0.5, 4.0, 1.0)),
    "gamma negative": ("gamma", lambda: gordon_gradient(0.5, 1.0, 1.0, -0.5, 4.0, 1.0)),
    "potential alpha": ("alpha", lambda: gordon_potential(*STATE, 0.0, 1.0)),
    "potential snr": ("snr", lambda: gordon_potential(*STATE, 4.0, np.nan)),
    "gradient hidden": ("hidden", lambda: gordon_gradient(*STATE, 4.0, 1.0, None)),
    "gradient prior_u": ("prior_u", lambda: gordon_gradient(*STATE, 4, 1, prior_u=Bernoulli())),
    "exchanged m": ("m", lambda: exchanged_order(np.nan, 1.0, 4.0, 1.0)),
    "exchanged q": ("q", lambda: exchanged_order(0.5, 0.25, 4.0, 1.0)),
    "exchanged alpha": ("alpha", lambda: exchanged_order(0.5, 1.0, 0.0, 1.0)),
    "exchanged snr": ("snr", lambda: exchanged_order(0.5, 1.0, 4.0, -1.0)),
    "exchanged hidden": ("hidden", lambda: exchanged_order(0.5, 0.6, 4.0, 1.0, Gaussian())),
    "exchanged prior_u": ("prior_u", lambda: exchanged_order(0.5, 1, 4, 1, prior_u=Bernoulli())),
    "optimum alpha": ("alpha", lambda: global_optimum(-1.0, 1.0)),
    "optimum alpha an array": ("alpha", lambda: global_optimum([4.0, 5.0], 1.0)),
    "optimum snr": ("snr", lambda: global_optimum(4.0, -0.1)),
    "optimum snr an array": ("snr", lambda: global_optimum(4.0, [1.0, 2.0])),
    "optimum hidden": ("hidden", lambda: global_optimum(4.0, 1.0, "ising")),
    "optimum prior_u": ("prior_u", lambda: global_optimum(4.0, 1.0, prior_u=Bernoulli())),
}


@pytest.mark.parametrize(("name", "call"), CASES.values(), ids=CASES)
def test_bad_input_is_refused_by_name(name, call):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()


def test_results_are_plain_numbers():
    types = {type(value) for value in astuple(global_optimum(4.0, 1.2))}
    assert types == {float, bool, str}
