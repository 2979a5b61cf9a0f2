"""Which stationary points are fixed points of AMP-RBM (Theorem 2, both directions)."""

import numpy as np
import pytest
from scipy.optimize import minimize

from rbmnotes import (
    Bernoulli,
    Rademacher,
    SpikedModel,
    amp_rbm,
    loss,
    loss_gradient,
    multiplier_step,
    proximal_map,
)
from rbmnotes.algorithms.stationary_response import stationary_response
from tests.laws import TERNARY


def descend(X, start, hidden=None):
    """A minimum by L-BFGS, its gradient at round-off."""
    hidden = Rademacher() if hidden is None else hidden
    shape, d = start.shape, len(start)
    found = minimize(
        lambda w: (
            loss(X, w.reshape(shape), hidden),
            loss_gradient(X, w.reshape(shape), hidden).ravel() / d,
        ),
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 2000, "maxcor": 30},
    )
    W = found.x.reshape(shape)
    assert np.linalg.norm(loss_gradient(X, W, hidden)) / np.sqrt(W.size) < 1e-5
    return W


def minima(snr, count, d=100):
    for seed in range(count):
        X = SpikedModel(4.0, snr).sample(d, rng=[31, seed]).X
        yield X, descend(X, np.random.default_rng([32, seed]).standard_normal((d, 1)))


def excess(X, W, V):
    """What V (A(V) + alpha) exceeds one by for a sign, in plain sums; zero at a solution."""
    n, d = X.shape
    slope = 1 - np.tanh(X @ W / np.sqrt(d)) ** 2
    return V * (n - np.sum(slope / (1 - slope * V), axis=0)) / d - 1


def one_iteration(X, W, V, hidden):
    """AMP-RBM's iteration from the memory that belongs to the weights, in plain steps."""
    n, d = X.shape
    field = X @ W / np.sqrt(d)
    omega = field - hidden.tilted_mean(field) @ V
    point = proximal_map(omega, V, hidden)
    A = -point.derivative.sum(axis=0) / d
    b = X.T @ point.g / np.sqrt(d) + W @ A
    step = multiplier_step(b.T @ b / d, A, n / d, V, hidden)
    return b @ step.V, step.V


@pytest.mark.parametrize(
    ("hidden", "k", "snr"), [(Rademacher(), 1, 1.6), (Rademacher(), 2, 1.6), (TERNARY, 2, 1.6)]
)
def test_the_response_of_a_fixed_point_is_found(hidden, k, snr):
    data = SpikedModel(4.0, (snr,) * k).sample(200, rng=3)
    fit = amp_rbm(data.X, hidden=hidden, start=data.W_star, V0=0.1 * np.eye(k))
    assert fit.converged
    V = stationary_response(data.X, fit.W, hidden)
    np.testing.assert_allclose(V, fit.V, atol=1e-7)  # the weights moved by 1e-10 at the end


@pytest.mark.parametrize("hidden", [Rademacher(), Bernoulli(), TERNARY], ids=repr)
def test_a_stationary_point_with_an_admissible_response_is_a_fixed_point(hidden):
    data = SpikedModel(6.0, (2.0, 1.8)).sample(100, rng=4)
    W = descend(data.X, data.W_star, hidden)
    V = stationary_response(data.X, W, hidden)
    assert V is not None
    new_W, new_V = one_iteration(data.X, W, V, hidden)
    np.testing.assert_allclose(new_W, W, atol=1e-4)  # the descent's gradient of 1e-5 at most
    np.testing.assert_allclose(new_V, V, atol=1e-5)
    # with another response it is not: the weights stay, the response moves on towards V
    same_W, moved = one_iteration(data.X, W, 0.8 * V, hidden)
    np.testing.assert_allclose(same_W, W, atol=1e-4)
    assert np.linalg.eigvalsh(moved - 0.8 * V)[0] > 0.01
    assert np.linalg.eigvalsh(V - moved)[0] > 0


@pytest.mark.parametrize("alpha", [0.2, 0.5, 2.0, 10.0])
def test_weights_of_zero_are_stationary_but_no_fixed_point(alpha):
    # V (alpha - alpha / (1 - V)) = 1 is alpha V^2 - V + 1 = 0: above 1/4 without a real solution,
    # below with solutions beyond V = 1
    X = SpikedModel(alpha, 1.5).sample(60, rng=5).X
    W = np.zeros((60, 1))
    assert np.abs(loss_gradient(X, W)).max() == 0.0
    assert stationary_response(X, W) is None
    grid = np.linspace(0, 1, 1000, endpoint=False)
    assert np.max(excess(X, W, grid)) < 0
    discriminant = 1 - 4 * len(X) / 60
    assert (discriminant < 0) == (alpha > 0.25)
    roots = np.roots([len(X) / 60, -1, 1])
    assert np.all(np.abs(roots.imag) > 0) if discriminant < 0 else np.all(roots > 1)
    # AMP-RBM does not stay there: its step leaves the range of the theory
    fit = amp_rbm(X, start=1e-3 * np.ones((60, 1)), V0=[[0.3]], max_iter=1)
    assert fit.message.startswith("the response is not positive")


def test_most_minima_below_the_replicon_line_have_no_admissible_response():
    # alpha = 4, random starts of L-BFGS; the replicon line is at 0.85
    grid = np.linspace(0, 1, 2000, endpoint=False)
    counts = {}
    for snr, count in ((0.0, 8), (1.2, 8)):
        counts[snr] = 0
        for X, W in minima(snr, count):
            V = stationary_response(X, W)
            # by plain sums on a grid: the excess is concave, so its maximum decides
            assert (V is not None) == (np.max(excess(X, W, grid)) > 0)
            if V is not None:
                assert excess(X, W, V) == pytest.approx(0.0, abs=1e-9)
                slope = 1 - np.tanh(X @ W / 10.0) ** 2
                derivative = slope / (1 - slope * V)
                assert V.item() ** 2 * np.sum(derivative**2) / 100 < 1  # the empirical replicon
                assert np.max(excess(X, W, np.linspace(0, V.item(), 100)[:-1])) < 0  # the smallest
                counts[snr] += 1
    assert counts[0.0] <= 2
    assert counts[1.2] == 8
