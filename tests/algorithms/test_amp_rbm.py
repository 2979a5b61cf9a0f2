"""AMP-RBM: a plain twin of an iteration, stationarity of what it reaches, and what it reports."""

import tracemalloc
from functools import lru_cache

import numpy as np
import pytest
from scipy.optimize import minimize, root
from scipy.special import softmax

import rbmnotes.algorithms.amp_rbm as module
import rbmnotes.algorithms.evaluation as evaluation
from rbmnotes import (
    Bernoulli,
    Gaussian,
    Rademacher,
    SpikedModel,
    amp_rbm,
    bbp_snr,
    fixed_point,
    informed_start,
    loss,
    loss_gradient,
    matched_overlap,
    multiplier_step,
    pca,
    state_evolution,
)
from rbmnotes.evidence import compare_paths
from rbmnotes.model.proximal import proximal_sums
from tests.helpers import enumerate_states
from tests.laws import SKEWED, TERNARY


@lru_cache(maxsize=16)
def spiked(alpha=4.0, snr=(1.6, 1.6), d=300, seed=0):
    return SpikedModel(alpha, snr).sample(d, rng=seed)


def size(gradient):
    """||d grad L||_F / sqrt(d k)."""
    return np.linalg.norm(gradient) / np.sqrt(gradient.size)


# a plain twin -------------------------------------------------------------------------------------


def tilted(prior, z):
    points = np.array(prior.support)
    weights = softmax(np.log(prior.probabilities) + z[..., None] * points, axis=-1)
    mean = weights @ points
    return mean, np.sum(weights * (points - mean[..., None]) ** 2, axis=-1)


def plain_amp(X, W, V, hidden, n_iter):
    """Theory.md section 4 line by line: Newton for all rows, MINPACK for the k x k problem."""
    n, d = X.shape
    k, alpha = W.shape[1], n / d
    states, probabilities = enumerate_states(hidden, k)
    g, path = np.zeros((n, k)), []
    for _ in range(n_iter):
        omega = X @ W / np.sqrt(d) - g @ V
        z = omega.copy()
        for _ in range(300):  # a contraction by V over its bound
            z = omega + tilted(hidden, z)[0] @ V
        g, variance = tilted(hidden, z)
        slopes = np.linalg.solve(
            np.eye(k) - variance[:, :, None] * V, variance[:, :, None] * np.eye(k)
        )
        A = -slopes.sum(axis=0) / d
        b = X.T @ g / np.sqrt(d) + W @ A
        B = b.T @ b / d

        def equation(flat, A=A, B=B):
            response = flat.reshape(k, k)
            Q = response @ B @ response.T
            weights = softmax(np.log(probabilities) + 0.5 * np.sum(states @ Q * states, axis=1))
            second = states.T @ (weights[:, None] * states)
            return (response @ (A + alpha * second) - np.eye(k)).ravel()

        V = root(equation, V.ravel() + 1e-3 * np.eye(k).ravel(), tol=1e-13).x.reshape(k, k)
        assert np.abs(equation(V)).max() < 1e-9
        W = b @ V
        path.append((W, V))
    return path


@pytest.mark.parametrize(
    ("hidden", "k"),
    [(Rademacher(), 1), (Rademacher(), 2), (Rademacher(), 3), (TERNARY, 2), (Bernoulli(), 1)],
)
def test_iterations_against_a_plain_twin(hidden, k):
    # five iterations from an informed start, without symmetry between the units; the twin's root
    # finding is good to 1e-9
    data = spiked(snr=(1.9, 1.6, 1.4)[:k])
    M = np.diag([1.2, 0.9, 1.0][:k]) + 0.1
    start = informed_start(data.W_star, M, M.T @ M + 0.4 * np.eye(k), rng=1)
    V0 = 0.15 * np.eye(k) + 0.03
    expected = plain_amp(data.X, start, V0, hidden, 5)
    result = amp_rbm(data.X, hidden=hidden, start=start, V0=V0, max_iter=5, W_star=data.W_star)
    np.testing.assert_allclose(result.W, expected[-1][0], atol=1e-7)
    for t, (W, V) in enumerate(expected, start=1):
        np.testing.assert_allclose(result.history.V[t], V, atol=1e-8)
        np.testing.assert_allclose(result.history.Q[t], W.T @ W / 300, atol=1e-7)
        np.testing.assert_allclose(result.history.M[t], data.W_star.T @ W / 300, atol=1e-7)


# what it reaches ----------------------------------------------------------------------------------

CASES = {
    "one sign": (Rademacher(), (1.6,), 4.0),
    "two signs": (Rademacher(), (1.6, 1.6), 4.0),
    "three signs": (Rademacher(), (1.6, 1.6, 1.6), 4.0),
    "fewer units than signals": (Rademacher(), (1.9, 1.3), 4.0),
    "one coin": (Bernoulli(), (2.0,), 6.0),
    "two coins": (Bernoulli(), (2.0, 2.0), 6.0),
    "ternary": (TERNARY, (1.6, 1.6), 4.0),
    "skewed": (SKEWED, (1.6,), 4.0),
}


@lru_cache(maxsize=16)
def solved(case):
    hidden, snr, alpha = CASES[case]
    data = spiked(alpha, snr)
    k = 1 if case.startswith("fewer") else len(snr)
    start = informed_start(data.W_star, 0.9 * np.eye(len(snr))[:, :k], 1.2 * np.eye(k), rng=0)
    return data, amp_rbm(data.X, hidden=hidden, start=start, V0=0.1 * np.eye(k), W_star=data.W_star)


@pytest.mark.parametrize("case", CASES)
def test_fixed_point_is_stationary(case):
    # Theorem 2, by the gradient of the objective itself
    hidden = CASES[case][0]
    data, result = solved(case)
    assert result.converged
    assert result.message == "converged"
    gradient = loss_gradient(data.X, result.W, hidden)
    assert size(gradient) <= 1e-8
    # the reported size is the same sum in another order: round-off of terms of size alpha d
    assert result.gradient_size == pytest.approx(size(gradient), abs=1e-12)
    # with the cap inactive V is (A + Gamma)^-1 and W = b V: the equations themselves
    assert np.linalg.eigvalsh(result.V)[-1] < 0.95 / hidden.max_tilted_variance


@pytest.mark.parametrize("case", ["one sign", "three signs", "one coin", "ternary", "skewed"])
def test_no_descent_from_a_fixed_point(case):
    # L-BFGS started there finds nothing beyond the round-off of a loss of size one to ten. A
    # perturbed start that falls back to the same weights shows that the minimiser can move.
    hidden = CASES[case][0]
    data, result = solved(case)
    shape, d = result.W.shape, len(result.W)

    def descend(W):
        return minimize(
            lambda w: (
                loss(data.X, w.reshape(shape), hidden),
                loss_gradient(data.X, w.reshape(shape), hidden).ravel() / d,
            ),
            W.ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 300},
        )

    value = loss(data.X, result.W, hidden)
    assert descend(result.W).fun > value - 1e-12
    move = np.random.default_rng(1).standard_normal(shape)
    assert loss(data.X, result.W + 0.05 * move, hidden) > value + 1e-4
    again = descend(result.W + 0.05 * move)
    assert again.fun == pytest.approx(value, abs=1e-10)
    # a gradient of 1e-10 d entry by entry leaves 1e-5 in the weights
    np.testing.assert_allclose(again.x.reshape(shape), result.W, atol=1e-4)


@pytest.mark.parametrize("case", ["one sign", "three signs", "ternary", "one coin"])
def test_stationary_point_is_a_fixed_point(case):
    # Theorem 2, the other way: weights found by descent, with the memory and the response that
    # belong to them, are reproduced by one iteration.
    hidden = CASES[case][0]
    data, _ = solved(case)
    X, k = data.X, len(CASES[case][1])
    n, d = X.shape
    alpha = n / d
    found = minimize(
        lambda w: (
            loss(X, w.reshape(d, k), hidden),
            loss_gradient(X, w.reshape(d, k), hidden).ravel() / d,
        ),
        1.2 * data.W_star.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"ftol": 1e-16, "gtol": 1e-12, "maxiter": 1000, "maxcor": 30},
    )
    W = found.x.reshape(d, k)
    assert size(loss_gradient(X, W, hidden)) < 1e-6
    states, probabilities = enumerate_states(hidden, k)
    weights = softmax(np.log(probabilities) + 0.5 * np.sum(states @ (W.T @ W / d) * states, axis=1))
    multiplier = alpha * states.T @ (weights[:, None] * states)
    fields = X @ W / np.sqrt(d)
    g, variance = tilted(hidden, fields)

    def derivative(V):
        systems = np.eye(k) - variance[:, :, None] * V
        return np.linalg.solve(systems, variance[:, :, None] * np.eye(k)).sum(axis=0)

    V = np.linalg.inv(multiplier)
    for _ in range(500):  # V = (Gamma - sum dg / d)^-1, a slow but plain iteration
        V = np.linalg.inv(multiplier - derivative(V) / d)
        V = 0.5 * (V + V.T)
    omega = fields - g @ V
    z = omega.copy()
    new_g, slopes = proximal_sums(omega, V, hidden, z)
    np.testing.assert_allclose(z, fields, atol=1e-9)
    A = -slopes / d
    b = X.T @ new_g / np.sqrt(d) + W @ A
    step = multiplier_step(b.T @ b / d, A, alpha, V, hidden)
    np.testing.assert_allclose(step.V, V, atol=1e-6)
    np.testing.assert_allclose(b @ step.V, W, atol=1e-5)  # the descent's gradient of 1e-6
    # and it is the point that AMP-RBM reached, up to the names and signs of the units
    assert loss(X, solved(case)[1].W, hidden) == pytest.approx(found.fun, abs=1e-10)


@pytest.mark.parametrize(
    ("r", "snr", "seeds"),
    [(1, 1.6, range(4)), (2, 1.6, range(4)), (5, 1.6, range(4)), (10, 1.2, range(2))],
)
def test_random_starts_find_all_signals(r, snr, seeds):
    # within 200 iterations, as in theory.md section 4 (alpha = 4, d = 1000, V0 = 0.1)
    for seed in seeds:
        data = SpikedModel(4.0, (snr,) * r).sample(1000, rng=seed)
        result = amp_rbm(data.X, r, V0=0.1 * np.eye(r), tol=1e-9, rng=1000 + seed)
        assert result.converged
        assert size(loss_gradient(data.X, result.W)) <= 1e-8
        assert np.linalg.eigvalsh(result.V)[-1] < 0.95
        assert matched_overlap(data.W_star, result.W).min() > 0.8
        assert len(matched_overlap(data.W_star, result.W)) == r


def test_damping_reaches_the_same_fixed_point():
    data, plain = solved("two signs")
    start = informed_start(data.W_star, 0.9 * np.eye(2), 1.2 * np.eye(2), rng=0)
    steps = [plain.n_iter]
    for damping in (0.3, 0.6):
        result = amp_rbm(data.X, start=start, V0=0.1 * np.eye(2), damping=damping, max_iter=500)
        assert result.converged
        # a last change of 1e-10 in a mode that contracts slowly leaves about ten times as much
        np.testing.assert_allclose(result.W, plain.W, atol=1e-7)
        np.testing.assert_allclose(result.V, plain.V, atol=1e-7)
        steps.append(result.n_iter)
    assert steps == sorted(steps)
    # the first damped iteration: a share of the old weights
    one = amp_rbm(data.X, start=start, V0=0.1 * np.eye(2), max_iter=1)
    half = amp_rbm(data.X, start=start, V0=0.1 * np.eye(2), max_iter=1, damping=0.5)
    np.testing.assert_allclose(half.W, 0.5 * (one.W + start), atol=1e-12)
    np.testing.assert_allclose(half.V, 0.5 * (one.V + 0.1 * np.eye(2)), atol=1e-12)


def test_first_response_changes_the_path_only():
    data, plain = solved("two signs")
    start = informed_start(data.W_star, 0.9 * np.eye(2), 1.2 * np.eye(2), rng=0)
    for V0 in (None, 0.4 * np.eye(2)):
        result = amp_rbm(data.X, start=start, V0=V0)
        assert np.abs(result.history.Q[1] - plain.history.Q[1]).max() > 1e-3
        np.testing.assert_allclose(result.W, plain.W, atol=1e-7)
        np.testing.assert_allclose(result.V, plain.V, atol=1e-7)


# the spectral start -------------------------------------------------------------------------------


def test_spectral_start_follows_state_evolution():
    # alpha = 4, snr = 1.2, V0 = 0.3 of theory.md section 4, from the PCA overlap on. Forty
    # instances at d = 500, where the finite-size bias is a third of the standard error or less;
    # the path of M, Q and V is judged as one.
    model, snr = SpikedModel(4.0, 1.2), 1.2
    M0 = np.sqrt((4 * snr**4 - 1) / (4 * snr**4 + snr**2))
    theory = state_evolution(model, [[M0]], [[1.0]], [[0.3]], n_iter=4)
    # theory.md's own values are rounded at M_0 = 0.866 and 1e-3 lower than an independent
    # integration gives (M_1 = 1.32329)
    reference = [0.866, 1.322, 1.148, 1.191, 1.180]
    np.testing.assert_allclose(theory.M[:, 0, 0], reference, atol=2e-3)
    paths = {"spectral": [], "without the correction": []}
    for seed in range(40):
        data = model.sample(500, rng=seed)
        for name, start in (("spectral", "spectral"), ("without the correction", pca(data.X, 1).W)):
            history = amp_rbm(
                data.X, 1, start=start, V0=[[0.3]], max_iter=4, W_star=data.W_star
            ).history
            paths[name].append([np.abs(history.M), history.Q, history.V])
    expected = np.array([theory.M, theory.Q, theory.V])
    assert compare_paths(np.array(paths["spectral"]), expected).verdict == "agrees"
    # a singular vector's field taken as it is: the first response is off by fifty errors
    assert compare_paths(np.array(paths["without the correction"]), expected).verdict == "disagrees"


# data types ---------------------------------------------------------------------------------------


def test_float32_data():
    # the same weights to the precision of the data; the change stalls at about 3e-7, so the
    # tolerance is one that float32 products can reach
    data, expected = solved("two signs")
    X = data.X.astype(np.float32)
    start = informed_start(data.W_star, 0.9 * np.eye(2), 1.2 * np.eye(2), rng=0)
    result = amp_rbm(X, start=start, V0=0.1 * np.eye(2), tol=2e-6)
    assert result.converged
    np.testing.assert_allclose(result.W, expected.W, atol=2e-4)
    np.testing.assert_allclose(result.V, expected.V, atol=1e-5)
    assert result.gradient_size < 1e-4
    for array in (result.W, result.V, result.omega, result.history.Q, result.history.change):
        assert array.dtype == np.float64


@pytest.mark.parametrize("k", [1, 2, 3])
def test_float32_data_is_multiplied_as_it_is(k, monkeypatch):
    # every product with the data sees it in float32, and the arrays themselves
    X = spiked().X.astype(np.float32)
    seen = []
    for name in ("times", "transposed_times"):
        original = getattr(module, name)

        def spy(data, other, original=original):
            seen.append(data)
            return original(data, other)

        monkeypatch.setattr(module, name, spy)
        monkeypatch.setattr(evaluation, name, spy)
    amp_rbm(X, k, rng=0, V0=0.1 * np.eye(k), max_iter=3)
    assert len(seen) == 2 * 3 + 2  # three iterations, and the gradient at the end
    assert all(data is X for data in seen)


@pytest.mark.parametrize("start", ["random", "spectral"])
def test_float32_data_is_not_copied(start):
    # beside the data, boolean and small arrays only: less than a copy in either precision
    X = SpikedModel(4.0, 1.6).sample(500, rng=0).X.astype(np.float32)
    amp_rbm(X, 1, start=start, rng=0, V0=[[0.1]], max_iter=1)  # compile and import first
    tracemalloc.start()
    try:
        amp_rbm(X, 1, start=start, rng=0, V0=[[0.1]], max_iter=5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes


def test_integer_data_and_lists():
    X = np.sign(spiked(snr=(2.0,), d=60).X).astype(int)
    expected = amp_rbm(X.astype(float), 1, rng=0, V0=[[0.1]])
    np.testing.assert_array_equal(amp_rbm(X, 1, rng=0, V0=[[0.1]]).W, expected.W)
    np.testing.assert_array_equal(amp_rbm(X.tolist(), 1, rng=0, V0=[[0.1]]).W, expected.W)


def test_inputs_are_not_changed():
    data = spiked(snr=(1.6,), d=100)
    start, V0 = data.W_star + 0.1, np.array([[0.1]])
    kept = data.X.copy(), start.copy(), V0.copy()
    amp_rbm(data.X, start=start, V0=V0, max_iter=5)
    for array, before in zip((data.X, start, V0), kept, strict=True):
        np.testing.assert_array_equal(array, before)


# what it reports ----------------------------------------------------------------------------------


def test_history():
    data, result = solved("fewer units than signals")
    steps = result.n_iter
    assert steps > 3
    assert result.W.shape == (300, 1)
    assert result.omega.shape == (1200, 1)
    assert result.history.M.shape == (steps + 1, 2, 1)
    assert result.history.Q.shape == result.history.V.shape == (steps + 1, 1, 1)
    assert result.history.change.shape == (steps,)
    np.testing.assert_allclose(result.history.M[-1], data.W_star.T @ result.W / 300, atol=1e-12)
    np.testing.assert_allclose(result.history.Q[-1], result.W.T @ result.W / 300, atol=1e-12)
    np.testing.assert_array_equal(result.history.V[-1], result.V)
    # the prescribed start, and its first response
    np.testing.assert_allclose(result.history.M[0], [[0.9], [0.0]], atol=1e-12)
    np.testing.assert_allclose(result.history.Q[0], [[1.2]], atol=1e-12)
    np.testing.assert_array_equal(result.history.V[0], [[0.1]])
    assert result.history.change[-1] < 1e-10 <= result.history.change[:-1].min()


def test_changes_and_fields_of_the_last_iteration():
    data = spiked(snr=(1.6,), d=100)
    two, three = (amp_rbm(data.X, 1, rng=0, V0=[[0.2]], max_iter=steps) for steps in (2, 3))
    change = np.linalg.norm(three.W - two.W) / 10
    assert three.history.change[2] == pytest.approx(change, rel=1e-12)
    np.testing.assert_array_equal(three.history.change[:2], two.history.change)
    # omega of the third iteration: the field of the second weights less the Onsager term
    z = two.omega + two.history.V[1, 0, 0] * np.tanh(two.omega)
    for _ in range(300):
        z = two.omega + two.history.V[1, 0, 0] * np.tanh(z)
    expected = data.X @ two.W / 10 - np.tanh(z) * two.V[0, 0]
    np.testing.assert_allclose(three.omega, expected, atol=1e-10)


def test_signals_are_only_recorded():
    data = spiked(snr=(1.6,), d=100)
    with_signals = amp_rbm(data.X, 1, rng=0, V0=[[0.1]], W_star=data.W_star)
    without = amp_rbm(data.X, 1, rng=0, V0=[[0.1]])
    assert without.history.M is None
    np.testing.assert_array_equal(with_signals.W, without.W)


@pytest.mark.parametrize("start", ["random", "spectral"])
def test_same_seed_same_result(start):
    X = spiked(snr=(1.6, 1.2), d=100).X
    first, again, other = (amp_rbm(X, 2, start=start, rng=s, max_iter=5) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.W, again.W)
    np.testing.assert_array_equal(first.history.V, again.history.V)
    if start == "random":
        assert not np.allclose(first.W, other.W)
    else:
        np.testing.assert_array_equal(first.W, other.W)


def test_number_of_units_comes_from_the_start():
    X = spiked(d=100).X
    start = np.random.default_rng(0).standard_normal((100, 3))
    assert amp_rbm(X, start=start, max_iter=1).W.shape == (100, 3)
    assert amp_rbm(X, 3, start=start, max_iter=1).W.shape == (100, 3)
    with pytest.raises(ValueError, match=r"^start must have shape"):
        amp_rbm(X, 2, start=start)


def test_too_few_iterations():
    data = spiked()
    result = amp_rbm(data.X, 2, rng=0, V0=0.1 * np.eye(2), max_iter=3)
    assert not result.converged
    assert result.message == "not converged after 3 iterations"
    assert result.n_iter == 3
    assert result.gradient_size == pytest.approx(size(loss_gradient(data.X, result.W)), rel=1e-9)
    assert result.gradient_size > 1e-3


def test_a_looser_tolerance_stops_earlier():
    data = spiked()
    loose, tight = (amp_rbm(data.X, 2, rng=0, V0=0.1 * np.eye(2), tol=t) for t in (1e-4, 1e-10))
    assert loose.converged
    assert loose.n_iter < tight.n_iter
    assert loose.history.change[-1] < 1e-4 <= loose.history.change[:-1].min()


@pytest.mark.parametrize("alpha", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("snr", [1.0, 2.5])
def test_signs_need_more_samples_than_dimensions(alpha, k, snr):
    # V >= 1/alpha would have to exceed the bound: no fixed point with the cap inactive exists
    data = spiked(alpha, (snr,) * k, d=200)
    result = amp_rbm(data.X, k, rng=0)
    assert not result.converged
    assert result.message != "converged"
    assert result.message
    assert result.gradient_size > 1e-3
    assert np.isfinite(result.W).all()


def test_stopped_at_the_cap():
    # the weights settle, but with V cut they are not stationary
    data = spiked(0.9, (2.5,), d=400)
    result = amp_rbm(data.X, 1, rng=0)
    assert result.history.change[-1] < 1e-10
    assert result.message == "stopped with V at its cap: not stationary"
    assert not result.converged
    assert result.V[0, 0] == pytest.approx(0.95, abs=1e-14)
    assert size(loss_gradient(data.X, result.W)) > 0.1


def test_coins_do_with_fewer_samples():
    # their bound is four: the same sample ratio is within the range of the theory
    data = spiked(0.5, (3.0,), d=400)
    result = amp_rbm(data.X, 1, Bernoulli(), rng=0)
    assert result.converged
    assert 1.0 < result.V[0, 0] < 0.95 * 4
    assert size(loss_gradient(data.X, result.W, Bernoulli())) < 1e-8


@pytest.mark.parametrize("scale", [1e-3, 0.2])
def test_too_small_a_start_is_reported(scale):
    # theory.md: a start of very small norm leaves the multiplier problem without a minimum
    X = spiked().X
    start = scale * np.random.default_rng(0).standard_normal((300, 2))
    result = amp_rbm(X, start=start, V0=0.3 * np.eye(2))
    assert not result.converged
    assert result.message.startswith("the penalty does not bound the multiplier problem")
    # nothing was done: the start is handed back
    assert result.n_iter == 0
    np.testing.assert_array_equal(result.W, start)
    assert result.history.Q.shape == (1, 2, 2)
    assert result.history.change.shape == (0,)


def test_divergence_is_reported(monkeypatch):
    # a response that is not finite, or weights that leap: the last finite state is handed back
    X = spiked(d=60).X
    start = np.random.default_rng(0).standard_normal((60, 2))
    leap = amp_rbm(X, start=1e8 * start)
    assert (leap.message, leap.converged, leap.n_iter) == ("diverged", False, 0)
    original = module.multiplier_step
    calls = []

    def broken(B, A, alpha, V, hidden):
        calls.append(B)
        step = original(B, A, alpha, V, hidden)
        bad = len(calls) == 3
        return type(step)(step.V * np.nan if bad else step.V, step.multiplier, False, 0.0, "")

    monkeypatch.setattr(module, "multiplier_step", broken)
    result = amp_rbm(X, start=start)
    assert (result.message, result.converged, result.n_iter) == ("diverged", False, 2)
    assert np.isfinite(result.W).all()
    assert np.isfinite(result.V).all()


def test_below_the_threshold_it_does_not_pretend():
    # snr 0.9, where the replicon exceeds one: finite, and not converged (theory.md section 4)
    data = spiked(4.0, (0.9,) * 3, d=400)
    result = amp_rbm(data.X, 3, rng=0, V0=0.1 * np.eye(3), max_iter=100)
    assert not result.converged
    assert result.message == "not converged after 100 iterations"
    assert np.isfinite(result.W).all()
    assert result.gradient_size == pytest.approx(size(loss_gradient(data.X, result.W)), rel=1e-9)


def test_gradient_size_where_the_objective_is_infinite():
    # Gaussian units need Q below one; the start, handed back, is far above
    result = amp_rbm(spiked(d=60).X, hidden=Gaussian(), start=np.full((60, 1), 1e8))
    assert result.n_iter == 0
    assert not result.converged
    assert result.gradient_size == np.inf


@pytest.mark.parametrize(("alpha", "d", "snr"), [(19.0, 300, 0.8), (100.0, 100, 0.5)])
def test_a_random_start_is_small_enough_at_large_sample_ratios(alpha, d, snr):
    """Of standard normal starts without a response 4 and 25 of 60 have no first step."""
    for seed in range(30):
        X = SpikedModel(alpha, snr).sample(d, rng=(1, seed)).X
        fit = amp_rbm(X, 1, rng=(2, seed), max_iter=4)
        assert fit.message == "not converged after 4 iterations"
        share = min(1.0, 2.0 / np.sqrt(alpha))
        assert fit.history.Q[0, 0, 0] == pytest.approx(share, rel=6 * np.sqrt(2 / d))
        assert fit.history.V[0, 0, 0] == pytest.approx(0.5 * share)


def test_the_first_state_is_that_without_overlap_at_large_sample_ratios():
    """The relative rests are of order alpha^-1/2: halved, nearly, at four times the ratio."""
    gaps = []
    for alpha in (1e3, 4e3):
        state = fixed_point(alpha, 0.5 * bbp_snr(alpha), start=0.01)
        gaps.append([state.q * np.sqrt(alpha) / 2 - 1, state.V * np.sqrt(alpha) - 1])
    np.testing.assert_allclose(np.abs(gaps[1]), 0.5 * np.abs(gaps[0]), rtol=0.15)
    assert np.abs(gaps[1]).max() < 0.1


@pytest.mark.parametrize(
    ("alpha", "remedy"), [(0.5, "gradient_descent or adam"), (100.0, "spectral")]
)
def test_what_to_do_without_a_multiplier_step_is_said(alpha, remedy):
    messages = set()
    for seed in range(10):
        X = SpikedModel(alpha, 0.5).sample(100, rng=seed).X
        start = np.random.default_rng((1, seed)).standard_normal((100, 1))
        messages.add(amp_rbm(X, start=start, max_iter=50).message)
    told = {message for message in messages if "multiplier" in message or "response" in message}
    assert told
    assert all(remedy in message for message in told)


def test_the_change_is_that_of_an_entry_of_all_units():
    X = spiked(d=100).X
    two, three = (amp_rbm(X, 2, rng=0, V0=0.2 * np.eye(2), max_iter=steps) for steps in (2, 3))
    change = np.sqrt(np.mean((three.W - two.W) ** 2))
    assert three.history.change[2] == pytest.approx(change, rel=1e-12)
