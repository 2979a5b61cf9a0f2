"""Gradient descent and Adam: plain twins, what they reach, and what they report."""

import tracemalloc

import numpy as np
import pytest

from rbmnotes import (
    Bernoulli,
    Gaussian,
    Rademacher,
    SpikedModel,
    adam,
    amp_rbm,
    gradient_descent,
    informed_start,
    loss,
    loss_gradient,
)
from tests.laws import SKEWED, TERNARY

DATA = SpikedModel(3.0, (1.6, 1.3)).sample(120, rng=0)
START = informed_start(DATA.W_star, 0.4 * np.eye(2) + 0.1, 0.5 * np.eye(2) + 0.1, rng=1)


def size(gradient):
    """||d grad L||_F / sqrt(d k)."""
    return np.linalg.norm(gradient) / np.sqrt(gradient.size)


# plain twins --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hidden", [Rademacher(), Bernoulli(), TERNARY, SKEWED, Gaussian()], ids=repr
)
@pytest.mark.parametrize("k", [1, 2])
def test_gradient_descent_against_a_plain_loop(hidden, k):
    W = 0.5 * START[:, :k]  # small enough for Gaussian units
    result = gradient_descent(DATA.X, W, 0.07, 4, hidden, DATA.W_star, keep_weights=True)
    history = result.history
    for t in range(5):
        gradient = loss_gradient(DATA.X, W, hidden)
        np.testing.assert_allclose(history.weights[t], W, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(history.M[t], DATA.W_star.T @ W / 120, atol=1e-12)
        np.testing.assert_allclose(history.Q[t], W.T @ W / 120, atol=1e-12)
        assert history.loss[t] == pytest.approx(loss(DATA.X, W, hidden), rel=1e-10)
        assert history.gradient_size[t] == pytest.approx(size(gradient), rel=1e-10)
        W = W - 0.07 * gradient
    np.testing.assert_array_equal(result.W, history.weights[4])
    assert result.n_iter == 4
    assert not result.converged
    assert result.message == "not converged after 4 iterations"


def test_adam_against_a_plain_loop():
    W, mean, square = START, np.zeros((120, 2)), np.zeros((120, 2))
    result = adam(DATA.X, START, 0.05, 6, W_star=DATA.W_star, keep_weights=True)
    for t in range(7):
        gradient = loss_gradient(DATA.X, W)
        np.testing.assert_allclose(result.history.weights[t], W, rtol=1e-9, atol=1e-11)
        assert result.history.loss[t] == pytest.approx(loss(DATA.X, W), rel=1e-9)
        assert result.history.gradient_size[t] == pytest.approx(size(gradient), rel=1e-9)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        step = mean / (1 - 0.9 ** (t + 1)) / (np.sqrt(square / (1 - 0.999 ** (t + 1))) + 1e-8)
        W = W - 0.05 * step


@pytest.mark.parametrize("beta", [0.3, 0.9])
def test_mini_batches_against_a_plain_loop(beta):
    # the samples of a step are those whose random number lies below beta; the term of eta2 is
    # that of all samples
    result = gradient_descent(
        DATA.X, START, 0.05, 5, keep_weights=True, batch_fraction=beta, rng=np.random.default_rng(4)
    )
    rng, W, n = np.random.default_rng(4), START, len(DATA.X)
    for t in range(6):
        np.testing.assert_allclose(result.history.weights[t], W, rtol=1e-10, atol=1e-12)
        # of all samples
        assert result.history.gradient_size[t] == pytest.approx(size(loss_gradient(DATA.X, W)))
        assert result.history.loss[t] == pytest.approx(loss(DATA.X, W), rel=1e-10)
        batch = DATA.X[rng.random(n) < beta]
        Q = W.T @ W / 120
        second = np.array([[1.0, np.tanh(Q[0, 1])], [np.tanh(Q[0, 1]), 1.0]])  # two signs
        clamped = np.tanh(batch @ W / np.sqrt(120))
        W = W + 0.05 * (batch.T @ clamped / beta / np.sqrt(120) - 3.0 * W @ second)
    again = gradient_descent(DATA.X, START, 0.05, 5, batch_fraction=beta, rng=4)
    np.testing.assert_array_equal(again.W, result.W)
    other = gradient_descent(DATA.X, START, 0.05, 5, batch_fraction=beta, rng=5)
    assert not np.array_equal(other.W, result.W)


# what they reach ----------------------------------------------------------------------------------


@pytest.mark.parametrize("train", [gradient_descent, adam])
@pytest.mark.parametrize("hidden", [Rademacher(), Bernoulli()], ids=repr)
def test_they_end_where_the_gradient_vanishes(train, hidden):
    data = SpikedModel(5.0, (2.2, 1.9)).sample(100, rng=3)
    start = 0.8 * data.W_star
    rate = 0.03 if train is gradient_descent else 0.02
    result = train(data.X, start, rate, 2000, hidden, tol=1e-6)
    assert result.converged
    assert result.message == "converged"
    assert result.n_iter < 2000
    assert len(result.history.loss) == result.n_iter + 1
    assert size(loss_gradient(data.X, result.W, hidden)) < 1.001e-6
    assert result.history.gradient_size[-1] < 1e-6 <= result.history.gradient_size[:-1].min()
    # from an informed start this is AMP's fixed point too; curvatures are of order one
    amp = amp_rbm(data.X, hidden=hidden, start=start, max_iter=1000)
    assert amp.converged
    np.testing.assert_allclose(result.W, amp.W, atol=1e-4)


def test_small_steps_descend():
    history = gradient_descent(DATA.X, START, 0.01, 30).history
    assert np.all(np.diff(history.loss) < 0)
    # to first order the loss falls by rate |d grad|^2 / d; the next order is the rate times the
    # curvature, at most a dozen
    slope = np.diff(history.loss) / (-0.01 * 2 * history.gradient_size[:-1] ** 2)
    np.testing.assert_allclose(slope, 1.0, atol=0.12)


# what goes in and comes out -----------------------------------------------------------------------


@pytest.mark.parametrize("train", [gradient_descent, adam])
def test_history_starts_with_the_start(train):
    start = START.copy()
    result = train(DATA.X, start, 0.1, 0)
    np.testing.assert_array_equal(result.W, START)
    np.testing.assert_allclose(result.history.Q, [START.T @ START / 120], atol=1e-14)
    assert result.history.loss.shape == result.history.gradient_size.shape == (1,)
    assert result.history.M is None
    assert result.history.weights is None
    assert result.n_iter == 0
    train(DATA.X, start, 0.1, 3, W_star=DATA.W_star, keep_weights=True)
    np.testing.assert_array_equal(start, START)
    np.testing.assert_array_equal(train(DATA.X, np.asfortranarray(start), 0.1, 3).W.shape, (120, 2))
    ordered = train(DATA.X, start, 0.1, 3).W
    np.testing.assert_array_equal(train(DATA.X, np.asfortranarray(start), 0.1, 3).W, ordered)


@pytest.mark.parametrize("train", [gradient_descent, adam])
def test_single_precision_data(train):
    X = DATA.X.astype(np.float32)
    single, double = (train(x, START, 0.05, 20) for x in (X, DATA.X))
    assert single.W.dtype == np.float64
    assert single.history.loss.dtype == np.float64
    # products in single precision: 1e-7 of entries of order ten, twenty times
    np.testing.assert_allclose(single.W, double.W, atol=1e-3)
    np.testing.assert_allclose(single.history.loss, double.history.loss, atol=1e-4)


def test_data_are_not_copied():
    X = np.random.default_rng(0).standard_normal((4000, 1000)).astype(np.float32)
    W = np.ones((1000, 1))
    gradient_descent(X, W, 0.01, 1)
    tracemalloc.start()
    gradient_descent(X, W, 0.01, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # a mask of booleans for the check of finite values is a quarter of the data; a copy all of it
    assert peak < 0.4 * X.nbytes


@pytest.mark.parametrize("rate", [5.0, 1e10, 1e50])
def test_divergence_is_reported(rate):
    result = gradient_descent(DATA.X, START, rate, 50, W_star=DATA.W_star)
    assert not result.converged
    assert result.message == f"diverged at iteration {result.n_iter + 1}"
    assert result.n_iter < 50
    assert np.isfinite(result.W).all()
    history = result.history
    for values in (history.M, history.Q, history.loss, history.gradient_size):
        assert len(values) == result.n_iter + 1
        assert np.isfinite(values).all()
    np.testing.assert_allclose(history.Q[-1], result.W.T @ result.W / 120)


def test_gaussian_units_leave_their_domain():
    result = gradient_descent(DATA.X, 0.3 * START, 0.5, 50, Gaussian())
    assert result.message == f"diverged at iteration {result.n_iter + 1}"
    assert np.linalg.eigvalsh(result.history.Q[-1])[-1] < 1
    with pytest.raises(ValueError, match=r"^W0 is no start for such units: Q must have all eigen"):
        gradient_descent(DATA.X, 5.0 * START, 0.1, 5, Gaussian())


# bad input ----------------------------------------------------------------------------------------

NAN = np.full((360, 120), np.nan)
BAD = {
    "X": [DATA.X[0], NAN, np.ones((0, 120)), "data"],
    "W0": [START[:, 0], START[:-1], START * np.nan, np.ones((120, 0)), np.ones((120, 27)), 1.0],
    "learning_rate": [-1.0, np.nan, np.inf, "0.1", None, [0.1]],
    "n_iter": [-1, 1.0, True, None],
    "hidden": ["signs", None, Rademacher],
    "W_star": [DATA.W_star[:-1], DATA.W_star * np.nan, 1.0],
    "tol": [-1e-3, np.nan, "small"],
    "batch_fraction": [0.0, -0.1, 1.1, np.nan, "half"],
    "rng": ["seed", -1, 0.5],
}
CASES = [
    pytest.param(train, name, value, id=f"{train.__name__} {name} {number}")
    for train in (gradient_descent, adam)
    for name, values in BAD.items()
    for number, value in enumerate(values)
    if train is gradient_descent or name not in ("batch_fraction", "rng")
]


@pytest.mark.parametrize(("train", "name", "value"), CASES)
def test_bad_input_is_refused_by_name(train, name, value):
    good = {"X": DATA.X, "W0": START, "learning_rate": 0.1, "n_iter": 2}
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        train(**good | {name: value})


def test_adam_needs_a_positive_rate():
    with pytest.raises(ValueError, match=r"^learning_rate\b"):
        adam(DATA.X, START, 0.0, 2)
    assert gradient_descent(DATA.X, START, 0.0, 2).n_iter == 2


def test_adam_is_the_function():
    # its module and the module of its update have the same name
    import rbmnotes
    import rbmnotes.algorithms.adam

    assert rbmnotes.adam is adam
    assert callable(rbmnotes.adam)
    assert hasattr(rbmnotes.algorithms.adam, "Adam")
