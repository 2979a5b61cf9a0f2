"""L-BFGS on the objective: against another minimiser, and where it ends."""

import numpy as np
import pytest
from scipy.optimize import minimize

from rbmnotes import Bernoulli, Rademacher, SpikedModel, loss, loss_gradient
from rbmnotes.algorithms.evaluation import evaluate
from rbmnotes.algorithms.lbfgs import lbfgs
from rbmnotes.model.objective import eta2_moments
from tests.helpers import central_difference
from tests.laws import SKEWED


@pytest.mark.parametrize("hidden", [Rademacher(), SKEWED], ids=repr)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_evaluation_is_the_loss_and_its_gradient(k, hidden):
    """Products run column by column for one or two columns, and all at once for three."""
    X = SpikedModel(4.0, [1.6, 1.3]).sample(60, 0).X
    W = np.random.default_rng(1).standard_normal((60, k))
    here = evaluate(X, W, hidden, eta2_moments(W.T @ W / 60, hidden))
    assert here.loss == pytest.approx(loss(X, W, hidden), rel=1e-13)
    np.testing.assert_allclose(here.gradient, loss_gradient(X, W, hidden), atol=1e-12)
    slope = central_difference(lambda W: 60 * loss(X, W, hidden), W)
    # the error of central differences: 1e-10 from the step, 1e-9 from round-off of losses near 100
    np.testing.assert_allclose(here.gradient, slope, atol=2e-8)
    assert here.gradient_size == pytest.approx(np.sqrt(np.mean(slope**2)), rel=1e-7)


@pytest.mark.parametrize("hidden", [Rademacher(), Bernoulli()], ids=repr)
def test_descent_ends_in_a_stationary_point_no_worse_than_newton(hidden):
    """A second minimiser, of the package's loss with a Hessian by differences, from the end."""
    data = SpikedModel(3.0, 1.4).sample(30, 1)
    end = lbfgs(data.X, np.random.default_rng(2).standard_normal((30, 1)), hidden, largest=1e-5)
    assert end.loss == pytest.approx(loss(data.X, end.W, hidden), abs=1e-12)
    gradient = loss_gradient(data.X, end.W, hidden)
    assert end.gradient_size == pytest.approx(np.linalg.norm(gradient) / np.sqrt(30), rel=1e-6)
    assert end.gradient_size < 1e-5
    other = minimize(
        lambda w: 30 * loss(data.X, w[:, None], hidden),
        end.W[:, 0] + 0.05,
        jac=lambda w: loss_gradient(data.X, w[:, None], hidden)[:, 0],
        method="trust-exact",
        hess=lambda w: np.array(
            [
                (
                    loss_gradient(data.X, (w + s)[:, None], hidden)
                    - loss_gradient(data.X, (w - s)[:, None], hidden)
                )[:, 0]
                / 2e-5
                for s in 1e-5 * np.eye(30)
            ]
        ),
    )
    # the Hessian's eigenvalues are of order one: the loss is right to the gradient squared
    assert other.fun / 30 == pytest.approx(end.loss, abs=1e-9)


def test_single_precision_resolves_the_loss():
    data = SpikedModel(4.0, 1.2).sample(200, 3)
    start = np.random.default_rng(4).standard_normal((200, 1))
    exact = lbfgs(data.X, start)
    quick = lbfgs(data.X.astype(np.float32), start, decrease=1e-8)
    assert quick.loss == pytest.approx(exact.loss, abs=5e-7)
    assert quick.gradient_size < 1e-3
    assert np.linalg.norm(quick.W - exact.W) < 0.01 * np.linalg.norm(exact.W)


def test_it_ends_where_told():
    X, W0 = SpikedModel(4.0, [1.6, 1.6]).sample(150, 8).X, np.eye(150, 2)
    end = lbfgs(X, W0, largest=1e-6)
    assert np.abs(loss_gradient(X, end.W)).max() < 1e-6
    early = lbfgs(X, W0, watch=lambda W, size: size < 1e-2)
    assert early.gradient_size < 1e-2
    assert early.evaluations < end.evaluations
    assert np.abs(loss_gradient(X, early.W)).max() > 1e-6
    assert loss(X, end.W) < loss(X, early.W) == pytest.approx(early.loss, abs=1e-12)
    seen = []
    assert lbfgs(X, W0, watch=lambda W, size: seen.append(size) or len(seen) == 5).evaluations == 5
    assert lbfgs(X, W0, max_iter=3).gradient_size > 1e-3


def test_the_start_is_left_alone():
    X, W0 = SpikedModel(4.0, 1.6).sample(50, 8).X, np.ones((50, 1))
    lbfgs(X, W0)
    np.testing.assert_array_equal(W0, 1.0)
