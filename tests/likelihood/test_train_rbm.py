import copy
import pickle

import joblib
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import chisquare

from rbmnotes import RBM, Bernoulli, Gaussian, Rademacher
from rbmnotes.algorithms._gibbs_kernels import GOLDEN, _word, draw_visible, rounded_weights
from rbmnotes.algorithms.adam import Adam
from rbmnotes.algorithms.starts import independent_start
from rbmnotes.likelihood.epochs import METHODS, RBMTraining
from rbmnotes.likelihood.gradients import ContrastiveAscent, LikelihoodAscent, Parameters
from rbmnotes.likelihood.train_rbm import train_rbm
from tests.helpers import assert_threads_do_not_matter, enumerate_states, standard_scores
from tests.laws import SKEWED, UNEVEN

TWO_POINTS = [Bernoulli(), Rademacher(), SKEWED]
SIGNIFICANT = 1e-3  # of a chi-square test with a fixed seed


def random_rbm(d, k, hidden=Bernoulli(), scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    W, a, b = (scale * rng.standard_normal(size) for size in ((d, k), d, k))
    return RBM(W, a, b, hidden=hidden)


def signs(n, d, seed=0):
    return np.random.default_rng(seed).choice(np.array([-1, 1], dtype=np.int8), size=(n, d))


# Adam -------------------------------------------------------------------------------------------


def test_adam_against_a_plain_loop():
    # one scalar at a time, as in the paper of Kingma and Ba; 1e-14 is round-off
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(20, 3, 2)) * np.array([1e-6, 1e3])
    parameters = rng.normal(size=(3, 2))
    expected = parameters.copy()
    for index in np.ndindex(3, 2):
        mean = square = 0.0
        for t, gradient in enumerate(gradients[(slice(None), *index)], start=1):
            mean = 0.8 * mean + 0.2 * gradient
            square = 0.95 * square + 0.05 * gradient**2
            corrected = mean / (1 - 0.8**t), square / (1 - 0.95**t)
            expected[index] += 0.3 * corrected[0] / (np.sqrt(corrected[1]) + 1e-7)
    adam = Adam(0.3, decay_mean=0.8, decay_square=0.95, epsilon=1e-7)
    for gradient in gradients:
        adam.ascend(parameters, gradient)
    np.testing.assert_allclose(parameters, expected, rtol=1e-14, atol=1e-14)


def test_adam_moves_by_the_learning_rate_up_a_constant_gradient():
    # the corrected averages are then the gradient and its square: closed form
    parameters, gradient = np.zeros(3), np.array([1e-3, -5.0, 0.0])
    adam = Adam(0.01)
    for _ in range(7):
        adam.ascend(parameters, gradient)
    expected = 7 * 0.01 * gradient / (np.abs(gradient) + 1e-8)
    np.testing.assert_allclose(parameters, expected, rtol=1e-12)


# Gibbs chains -----------------------------------------------------------------------------------


def joint_log_weights(rbm):
    v, _ = enumerate_states(Rademacher(), rbm.d)
    h, p_h = enumerate_states(rbm.hidden, rbm.k)
    energy = (v @ rbm.W @ h.T + (v @ rbm.visible_bias)[:, None]) / np.sqrt(rbm.d)
    return v, h, energy + h @ rbm.hidden_bias + np.log(p_h)


def transition_matrix(rbm):
    """Probabilities of one Gibbs cycle between all visible states, by enumeration."""
    _, _, joint = joint_log_weights(rbm)
    hidden_given_visible = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    visible_given_hidden = np.exp(joint - logsumexp(joint, axis=0))
    return hidden_given_visible @ visible_given_hidden.T


def state_numbers(v):
    return ((v > 0) @ (2 ** np.arange(v.shape[1])[::-1])).astype(int)


def chains_after(rbm, start, cycles, n, seed=0, persistent=False):
    """End states of `n` chains of the kernel, from one start or from `n` of them."""
    data = np.atleast_2d(np.asarray(start, dtype=np.int8))
    rows = np.zeros(n, dtype=np.int64) if len(data) == 1 else np.arange(n)
    data = data[rows]
    rng = np.random.default_rng(seed)
    ascent = ContrastiveAscent(rbm.hidden, cycles, persistent, data.copy(), rng)
    ascent(data, np.arange(n), Parameters.of(rbm), Parameters.of(rbm))
    return ascent.chains


def test_the_generator_is_splitmix64():
    # the published reference outputs for this seed
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    state = np.uint64(1234567)
    with np.errstate(over="ignore"):
        words = [_word(state + np.uint64(i) * GOLDEN) for i in (1, 2, 3)]
    assert words == expected


@pytest.mark.parametrize("scale", [0.3, 20.0])
def test_rounded_weights_keep_nine_digits_and_cannot_overflow(scale):
    W_T = scale * np.random.default_rng(0).standard_normal((5, 784))
    W_T[4] = 0.0
    integers, units = rounded_weights(W_T)
    reach = np.abs(W_T).sum(axis=1, keepdims=True)
    assert np.all(np.abs(integers * units[:, None] - W_T) <= 1e-9 * reach)
    assert np.abs(integers.astype(np.int64)).sum(axis=1).max() < 2**31


def test_visible_units_are_drawn_with_their_odds():
    # means over 10^6 draws against tanh f, in standard errors; beyond |f| = 43.5 odds are clipped
    fields = np.array([-4.0, -1.0, -0.3, 0.0, 0.2, 0.7, 2.5])
    n = 1_000_000
    v, power = np.empty(n, np.int8), np.empty(n, np.int32)
    bits = np.empty(n // 2, np.uint64)
    for field in fields:
        twice_field = np.full(n, 2 * field, np.float32)
        draw_visible(twice_field, power, np.uint64(abs(int(8 * field))), bits, v)
        error = np.sqrt((1 - np.tanh(field) ** 2) / n)
        assert abs(v.mean() - np.tanh(field)) < 4 * error
    for field in (-1e4, -60.0, 60.0, 1e4):
        draw_visible(np.full(n, 2 * field, np.float32), power, np.uint64(1), bits, v)
        assert np.all(v == np.sign(field))


def test_the_exponential_is_accurate_to_single_precision():
    # mantissa and power as the kernel leaves them
    x = np.linspace(-86.9, 86.9, 10_001).astype(np.float32)
    mantissa, power = x.copy(), np.empty(len(x), np.int32)
    draw_visible(mantissa, power, np.uint64(0), np.empty(5001, np.uint64), np.empty(10_001, "i1"))
    actual = mantissa.astype(float) * power.view(np.float32)
    np.testing.assert_allclose(actual, np.exp(x.astype(float)), rtol=2e-7)


@pytest.mark.parametrize("hidden", TWO_POINTS, ids=repr)
@pytest.mark.parametrize("cycles", [1, 2])
def test_law_of_a_chain_against_enumeration(hidden, cycles):
    rbm = random_rbm(4, 2, hidden, seed=3)
    start = np.array([1, -1, -1, 1])
    n = 200_000
    counts = np.bincount(
        state_numbers(chains_after(rbm, start, cycles, n, seed=cycles)), minlength=16
    )
    row = state_numbers(start[None])[0]
    law = np.linalg.matrix_power(transition_matrix(rbm), cycles)[row]
    assert chisquare(counts, n * law).pvalue > SIGNIFICANT
    wrong = RBM(0.9 * rbm.W, rbm.visible_bias, rbm.hidden_bias, hidden=hidden)
    wrong_law = np.linalg.matrix_power(transition_matrix(wrong), cycles)[row]
    assert chisquare(counts, n * wrong_law).pvalue < 1e-6


def test_chains_of_a_batch_are_independent():
    # neighbouring rows use neighbouring words of the generator
    v = chains_after(random_rbm(4, 2, seed=4), np.ones(4), 1, 200_000, seed=1)
    pairs = np.bincount(16 * state_numbers(v[::2]) + state_numbers(v[1::2]), minlength=256)
    law = np.bincount(state_numbers(v), minlength=16) / len(v)
    assert chisquare(pairs, len(v) / 2 * np.outer(law, law).ravel(), ddof=15).pvalue > SIGNIFICANT


@pytest.mark.parametrize("hidden", TWO_POINTS, ids=repr)
def test_persistent_chains_keep_the_law_of_the_model(hidden):
    rbm = random_rbm(4, 2, hidden, seed=5)
    n = 100_000
    _, _, joint = joint_log_weights(rbm)
    law = np.exp(logsumexp(joint, axis=1) - logsumexp(joint))
    start = rbm.sample(n, rng=1)
    end = chains_after(rbm, start, 3, n, persistent=True)
    assert np.mean(end != start) > 0.2  # they do move
    assert chisquare(np.bincount(state_numbers(end), minlength=16), n * law).pvalue > SIGNIFICANT


def test_persistent_chains_go_on_where_they_stopped():
    # one chain: two updates of a cycle use the same words as one update of two cycles
    rbm, X = random_rbm(9, 3, seed=6), signs(1, 9)
    parameters, gradient = Parameters.of(rbm), Parameters.of(rbm)
    ends = []
    for cycles, calls in ((2, 1), (1, 2)):
        rng = np.random.default_rng(0)
        ascent = ContrastiveAscent(rbm.hidden, cycles, True, X.copy(), rng)
        for _ in range(calls):
            ascent(X, np.zeros(1, dtype=np.int64), parameters, gradient)
        ends.append((ascent.chains.copy(), gradient.vector.copy()))
    np.testing.assert_array_equal(ends[0][0], ends[1][0])
    np.testing.assert_array_equal(ends[0][1], ends[1][1])


# gradients --------------------------------------------------------------------------------------


def expected_cd_gradient(rbm, X, cycles):
    """CD's mean update a sample: clamped average minus that at the end of the chain."""
    v, h, joint = joint_log_weights(rbm)
    means = np.exp(joint - logsumexp(joint, axis=1, keepdims=True)) @ h
    data = np.bincount(state_numbers(X), minlength=len(v)) / len(X)
    chain = data @ np.linalg.matrix_power(transition_matrix(rbm), cycles)
    difference, root = data - chain, np.sqrt(rbm.d)
    parts = ((means * difference[:, None]).T @ v / root, difference @ v / root, difference @ means)
    return np.concatenate([part.ravel() for part in parts])


@pytest.mark.parametrize("hidden", TWO_POINTS, ids=repr)
@pytest.mark.parametrize(("method", "cycles"), [("cd", 1), ("cd", 3), ("pcd", 1)])
def test_mean_contrastive_gradient_against_enumeration(hidden, method, cycles):
    # pcd's first update starts at the data here, so its mean is that of cd
    rbm, X = random_rbm(4, 2, hidden, seed=7), signs(300, 4, seed=1)
    parameters, gradient = Parameters.of(rbm), Parameters.of(rbm)
    draws = []
    for seed in range(500):
        rng = np.random.default_rng(seed)
        chains = X[rng.permutation(len(X))]
        ascent = ContrastiveAscent(hidden, cycles, method == "pcd", chains, rng)
        ascent(X, np.arange(len(X)), parameters, gradient)
        draws.append(gradient.vector.copy())
    scores = standard_scores(np.array(draws), expected_cd_gradient(rbm, X, cycles))
    assert np.abs(scores).max() < 4.0
    weaker = RBM(0.9 * rbm.W, rbm.visible_bias, rbm.hidden_bias, hidden=hidden)
    wrong = standard_scores(np.array(draws), expected_cd_gradient(weaker, X, cycles))
    assert np.abs(wrong).max() > 8.0


@pytest.mark.parametrize("hidden", [*TWO_POINTS, UNEVEN], ids=repr)
@pytest.mark.parametrize("method", ["exact", "effective"])
def test_likelihood_gradient_of_a_batch_is_that_of_the_machine(hidden, method):
    rbm, X = random_rbm(21, 3, hidden, seed=8), signs(40, 21)
    rows, gradient = np.array([3, 17, 5]), Parameters.of(rbm)
    LikelihoodAscent(hidden, method)(X, rows, Parameters.of(rbm), gradient)
    expected = rbm.gradient(X[rows], exact=method == "exact")
    np.testing.assert_allclose(3 * gradient.W_T.T, expected.W, atol=1e-12)
    np.testing.assert_allclose(3 * gradient.visible_bias, expected.visible_bias, atol=1e-12)
    np.testing.assert_allclose(3 * gradient.hidden_bias, expected.hidden_bias, atol=1e-12)


# training ---------------------------------------------------------------------------------------


def best_likelihood(X, start, exact):
    """Largest mean log-likelihood that L-BFGS finds from a start."""
    d, k = start.W.shape

    def machine(vector):
        W, a, b = np.split(vector, [d * k, d * k + d])
        return RBM(W.reshape(d, k), a, b, hidden=start.hidden)

    def negative(vector):
        rbm = machine(vector)
        gradient = rbm.gradient(X, exact)
        parts = gradient.W.ravel(), gradient.visible_bias, gradient.hidden_bias
        return -rbm.log_likelihood(X, exact).mean(), -np.concatenate(parts) / len(X)

    first = np.concatenate([start.W.ravel(), start.visible_bias, start.hidden_bias])
    found = minimize(negative, first, jac=True, method="L-BFGS-B", options={"maxiter": 5000})
    assert found.success
    return -found.fun


@pytest.fixture(scope="module")
def tiny():
    """3000 samples of a machine of six units, and a start at which no unit is idle."""
    X = random_rbm(6, 2, Rademacher(), scale=1.2, seed=9).sample(3000, rng=0)
    return X, RBM(0.5 * np.random.default_rng(1).standard_normal((6, 2)))


@pytest.mark.parametrize("method", ["exact", "effective"])
def test_full_batches_reach_the_maximum_that_lbfgs_finds(tiny, method):
    # the maximum is flat: Adam is within 1e-4 of it after 3000 steps, having gained more than one;
    # at a constant rate the gradient does not settle, so the last steps are small ones
    X, start = tiny
    exact = method == "exact"
    best = best_likelihood(X, start, exact)
    training = RBMTraining(
        X,
        2,
        method,
        hidden=Rademacher(),
        start=start,
        learning_rate=0.2,
        batch_size=len(X),
        rng=0,
    )
    sizes = [training.epoch(X) for _ in range(3000)]
    training.learning_rate = 0.005
    sizes += [training.epoch(X) for _ in range(500)]
    assert start.log_likelihood(X, exact).mean() < best - 1.0
    assert abs(training.rbm.log_likelihood(X, exact).mean() - best) < 1e-4
    assert sizes[-1] < 1e-3 * sizes[0]


@pytest.mark.parametrize(("method", "cycles"), [("cd", 5), ("pcd", 5), ("exact", 1)])
def test_mini_batches_approach_the_maximum_likelihood(tiny, method, cycles):
    # what is left is the noise of a constant learning rate: less than 3 % of what can be gained
    X, start = tiny
    best = best_likelihood(X, start, exact=True)
    fit = train_rbm(
        X,
        2,
        method,
        cycles=cycles,
        hidden=Rademacher(),
        start=start,
        learning_rate=0.01,
        n_epochs=60,
        rng=0,
    )
    gain = best - start.log_likelihood(X).mean()
    assert best - fit.rbm.log_likelihood(X).mean() < 0.03 * gain


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("hidden", [Bernoulli(), Rademacher()], ids=repr)
def test_training_on_a_teachers_data_raises_the_exact_test_likelihood(method, hidden):
    # visible fields are W (h - E h): without that, Bernoulli units would all be stuck at one
    W = 2.0 / np.sqrt(hidden.variance) * np.random.default_rng(10).standard_normal((40, 3))
    teacher = RBM(W, -hidden.mean * W.sum(axis=1), hidden=hidden)
    X = teacher.sample(4000, rng=1)
    train, test = X[:3000], X[3000:]
    start = independent_start(train, 3, hidden, effective=method == "effective", rng=2)
    result = train_rbm(train, 3, method, hidden=hidden, start=start, n_epochs=40, rng=3)
    gain = result.rbm.log_likelihood(test) - start.log_likelihood(test)
    assert not result.diverged
    assert gain.mean() > 10 * gain.std(ddof=1) / np.sqrt(len(test))
    shortfall = (teacher.log_likelihood(test) - result.rbm.log_likelihood(test)).mean()
    assert shortfall < 0.3 * (gain.mean() + shortfall)  # most of what there is to learn


@pytest.mark.parametrize("method", METHODS)
def test_constant_pixels_give_no_nan(method):
    X = signs(200, 12)
    X[:, 3], X[:, 7] = 1, -1
    result = train_rbm(X, 2, method, batch_size=50, n_epochs=20, rng=0)
    assert not result.diverged
    assert np.all(np.isfinite(result.rbm.log_likelihood(X)))
    mean = result.rbm.average(exact=method != "effective").visible
    assert mean[3] > 0.9 > -0.9 > mean[7]


@pytest.mark.parametrize("effective", [False, True])
def test_the_default_biases_maximise_the_likelihood_without_weights(effective):
    # up to the factor n/(n+1) in the means
    X = signs(500, 8)
    X[:100] = 1
    start = independent_start(X, 2, effective=effective, scale=1e-9, rng=0)
    gradient = start.gradient(X, exact=not effective).visible_bias / len(X)
    np.testing.assert_allclose(gradient, 0.0, atol=1.0 / len(X))
    assert np.ptp(start.visible_bias) > 0.1


# reproducibility ----------------------------------------------------------------------------------


def vector(result):
    return Parameters.of(result.rbm).vector


@pytest.mark.parametrize("method", METHODS)
def test_seeds_reproduce(method):
    X = signs(300, 10)
    runs = [train_rbm(X, 2, method, n_epochs=2, rng=seed) for seed in (0, 0, 1)]
    runs.append(train_rbm(X, 2, method, n_epochs=2, rng=np.random.default_rng(0)))
    np.testing.assert_array_equal(vector(runs[0]), vector(runs[1]))
    np.testing.assert_array_equal(vector(runs[0]), vector(runs[3]))
    assert np.abs(vector(runs[0]) - vector(runs[2])).max() > 0.01


@pytest.mark.parametrize("method", METHODS)
def test_the_type_of_the_data_does_not_matter(method):
    X = signs(60, 7)
    readonly = X.copy()
    readonly.flags.writeable = False
    forms = [X, X.astype(float), X.astype(np.float32), X.tolist(), np.asfortranarray(X), readonly]
    first, *others = (
        vector(train_rbm(form, 2, method, batch_size=20, n_epochs=1, rng=0)) for form in forms
    )
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_the_number_of_threads_does_not_matter():
    assert_threads_do_not_matter(
        """
        from rbmnotes.likelihood.train_rbm import train_rbm
        from rbmnotes.likelihood.epochs import METHODS

        X = np.random.default_rng(0).choice([-1, 1], size=(400, 150))

        def results():
            for method in METHODS:
                rbm = train_rbm(X, 5, method, n_epochs=2, rng=0, cycles=2).rbm
                yield from (rbm.W, rbm.visible_bias, rbm.hidden_bias)
        """
    )


# what happens along the way -------------------------------------------------------------------


def test_every_epoch_visits_full_batches_of_distinct_samples(monkeypatch):
    visited = []
    ascend = LikelihoodAscent.__call__

    def spy(self, X, rows, parameters, gradient):
        visited.append(rows)
        ascend(self, X, rows, parameters, gradient)

    monkeypatch.setattr(LikelihoodAscent, "__call__", spy)
    train_rbm(signs(105, 4), 2, batch_size=25, n_epochs=2, rng=0)
    assert [len(rows) for rows in visited] == [25] * 8
    epochs = np.array(visited).reshape(2, 100)
    assert all(len(np.unique(epoch)) == 100 for epoch in epochs)
    assert np.any(epochs[0] != epochs[1])


def test_callback_sees_every_epoch_and_can_stop():
    calls = []

    def callback(epoch, rbm, seconds):
        calls.append((epoch, rbm.W, seconds))
        return epoch == 3

    result = train_rbm(signs(100, 5), 2, "cd", n_epochs=10, rng=0, callback=callback)
    assert [epoch for epoch, _, _ in calls] == [1, 2, 3]
    assert result.n_epochs == 3
    assert not result.diverged
    assert result.message == "stopped by the callback after 3 of 10 epochs"
    np.testing.assert_array_equal(result.history.seconds, [seconds for _, _, seconds in calls])
    assert np.all(np.diff(result.history.seconds) > 0)
    np.testing.assert_array_equal(result.rbm.W, calls[-1][1])
    assert not np.array_equal(calls[0][1], calls[1][1])  # each is a copy


def test_start_is_left_alone_and_is_where_training_begins():
    start = random_rbm(5, 2, seed=11)
    W = start.W.copy()
    result = train_rbm(
        signs(50, 5), 2, "exact", start=start, learning_rate=1e-9, batch_size=50, n_epochs=1, rng=0
    )
    np.testing.assert_array_equal(start.W, W)
    assert 0.0 < np.abs(result.rbm.W - W).max() < 1.1e-9


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("learning_rate", [1e7, 1e200, 1e308])
def test_divergence_is_said_and_leaves_finite_parameters(method, learning_rate):
    result = train_rbm(
        signs(100, 6), 2, method, learning_rate=learning_rate, batch_size=5, n_epochs=4, rng=0
    )
    assert result.diverged
    assert result.message.startswith("diverged in epoch 1")
    assert result.n_epochs == 0 == len(result.history.seconds)
    assert np.abs(vector(result)).max() <= 1e6


# bad input ----------------------------------------------------------------------------------------

X = signs(20, 5)
NAN_X = X.astype(float)
NAN_X[3, 2] = np.nan


def fit(data=X, k=2, method="cd", batch_size=10, **options):
    return train_rbm(data, k, method, batch_size=batch_size, n_epochs=1, **options)


CASES = {
    "X NaN": ("X", lambda: fit(NAN_X)),
    "X zeros and ones": ("X", lambda: fit((X > 0).astype(int))),
    "X boolean": ("X", lambda: fit(X > 0)),
    "X grey": ("X", lambda: fit(0.5 * X)),
    "X one axis": ("X", lambda: fit(X[0])),
    "X no samples": ("X", lambda: fit(X[:0])),
    "X no pixels": ("X", lambda: fit(X[:, :0])),
    "X ragged": ("X", lambda: fit([[1, -1], [1]])),
    "X text": ("X", lambda: fit([["a", "b"]])),
    "X complex": ("X", lambda: fit(X * (1 + 0j))),
    "k zero": ("k", lambda: fit(k=0)),
    "k not an integer": ("k", lambda: fit(k=2.0)),
    "k too many states": ("k", lambda: fit(k=27, method="exact")),
    "k too many effective states": ("k", lambda: fit(k=27, method="effective")),
    "k too many ternary states": ("k", lambda: fit(k=17, method="exact", hidden=UNEVEN)),
    "method unknown": ("method", lambda: fit(method="sgd")),
    "method None": ("method", lambda: fit(method=None)),
    "cycles zero": ("cycles", lambda: fit(cycles=0)),
    "hidden unknown": ("hidden", lambda: fit(hidden="bernoulli")),
    "hidden Gaussian": ("hidden", lambda: fit(method="effective", hidden=Gaussian())),
    "hidden of three points": ("hidden", lambda: fit(hidden=UNEVEN)),
    "learning_rate zero": ("learning_rate", lambda: fit(learning_rate=0.0)),
    "learning_rate NaN": ("learning_rate", lambda: fit(learning_rate=np.nan)),
    "learning_rate text": ("learning_rate", lambda: fit(learning_rate="fast")),
    "batch_size zero": ("batch_size", lambda: fit(batch_size=0)),
    "batch_size above n": ("batch_size", lambda: fit(batch_size=21)),
    "n_epochs zero": ("n_epochs", lambda: train_rbm(X, 2, n_epochs=0)),
    "rng a word": ("rng", lambda: fit(rng="seed")),
    "start an array": ("start", lambda: fit(start=np.ones((5, 2)))),
    "start of other width": ("start", lambda: fit(start=random_rbm(4, 2))),
    "start of other k": ("start", lambda: fit(start=random_rbm(5, 3))),
    "start of other units": ("start", lambda: fit(start=random_rbm(5, 2, Rademacher()))),
    "start Gaussian": (
        "start",
        lambda: fit(start=RBM(np.ones((5, 2)), visible=Gaussian(), hidden=Bernoulli())),
    ),
    "callback a number": ("callback", lambda: fit(callback=1)),
    "independent_start X": ("X", lambda: independent_start(NAN_X, 2)),
    "independent_start k": ("k", lambda: independent_start(X, 0)),
    "independent_start hidden": ("hidden", lambda: independent_start(X, 2, "ising")),
    "independent_start scale": ("scale", lambda: independent_start(X, 2, scale=0.0)),
    "independent_start rng": ("rng", lambda: independent_start(X, 2, rng="seed")),
    "Adam learning_rate": ("learning_rate", lambda: Adam(-1.0)),
    "Adam decay_mean": ("decay_mean", lambda: Adam(0.1, decay_mean=1.0)),
    "Adam decay_square": ("decay_square", lambda: Adam(0.1, decay_square=-0.1)),
    "Adam epsilon": ("epsilon", lambda: Adam(0.1, epsilon=0.0)),
    "Adam parameters": ("parameters", lambda: Adam(0.1).ascend(np.zeros(2, int), np.zeros(2))),
    "Adam view": ("parameters", lambda: Adam(0.1).ascend(np.zeros((4, 4))[::2], np.zeros((2, 4)))),
    "Adam gradient": ("gradient", lambda: Adam(0.1).ascend(np.zeros(2), np.zeros(3))),
}


@pytest.mark.parametrize(("name", "call"), CASES.values(), ids=CASES)
def test_bad_input_is_refused_by_name(name, call):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()


def test_training_can_be_continued_where_it_stopped():
    """Epochs one by one, with the optimizer's memory, are the same as all at once."""
    X = signs(60, 6)
    for method in METHODS:
        options = {"method": method, "batch_size": 20, "rng": 3}
        training = RBMTraining(X, 2, **options)
        sizes = [training.epoch(X) for _ in range(4)]
        at_once = train_rbm(X, 2, n_epochs=4, **options)
        np.testing.assert_array_equal(training.rbm.W, at_once.rbm.W)
        np.testing.assert_array_equal(sizes, at_once.history.gradient_size)


def by_joblib(training, folder):
    joblib.dump(training, folder / "training.joblib")
    return joblib.load(folder / "training.joblib")


COPIES = {
    "deepcopy": lambda training, _: copy.deepcopy(training),
    "pickle": lambda training, _: pickle.loads(pickle.dumps(training)),
    "joblib": by_joblib,
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", COPIES.values(), ids=COPIES)
def test_a_copy_trains_on_as_the_original_does(way, method, tmp_path):
    X = signs(60, 6)
    training = RBMTraining(X, 2, method, batch_size=20, rng=3)
    training.epoch(X)
    twin, before = way(training, tmp_path), training.rbm
    sizes = [[one.epoch(X) for _ in range(3)] for one in (training, twin)]
    assert sizes[0] == sizes[1]
    for name in ("W", "visible_bias", "hidden_bias"):
        np.testing.assert_array_equal(getattr(training.rbm, name), getattr(twin.rbm, name))
        assert np.abs(getattr(twin.rbm, name) - getattr(before, name)).max() > 1e-3
    training.epoch(X)  # neither moves the other
    assert np.any(training.rbm.W != twin.rbm.W)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 37])
def test_few_samples_make_one_batch_by_default(method, n):
    X = signs(n, 5)
    result = train_rbm(X, 2, method, n_epochs=3, rng=0)
    assert result.n_epochs == 3
    if method in ("effective", "tangent", "exact"):  # the others draw their chains at the start
        again = train_rbm(X, 2, method, n_epochs=3, rng=0, batch_size=n)
        np.testing.assert_array_equal(vector(result), vector(again))


@pytest.mark.parametrize("method", METHODS)
def test_few_samples_at_first_do_not_fix_the_batch(method, monkeypatch):
    visited = []
    training = RBMTraining(signs(1, 5), 2, method, rng=0)
    ascend = type(training._ascent).__call__

    def spy(self, X, rows, parameters, gradient):
        visited.append(len(rows))
        ascend(self, X, rows, parameters, gradient)

    monkeypatch.setattr(type(training._ascent), "__call__", spy)
    training.epoch(signs(1, 5))
    training.epoch(signs(250, 5))
    assert visited == [1, 100, 100]


def test_rate_and_batch_may_be_set_between_epochs():
    X = signs(60, 6)
    training = RBMTraining(X, 2, "exact", batch_size=60, rng=3)
    training.learning_rate, before = 1e-9, training.rbm.W
    training.epoch(X)
    assert 0.0 < np.abs(training.rbm.W - before).max() < 1.1e-9
    assert (training.learning_rate, training.batch_size) == (1e-9, 60)
    for name, value in (("learning_rate", 0.0), ("batch_size", 0), ("batch_size", 2.5)):
        with pytest.raises(ValueError, match=f"^{name} must"):
            setattr(training, name, value)
    chains = RBMTraining(X, 2, "pcd", batch_size=20, rng=3)
    with pytest.raises(ValueError, match=r"^batch_size must be at most the number of chains, 20"):
        chains.batch_size = 21


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["int64", "int8", "float", "shades"])
def test_zeros_and_ones_are_refused_with_the_remedy(method, kind):
    X = np.random.default_rng(0).random((30, 5))
    X = X if kind == "shades" else (X > 0.5).astype(kind)
    with pytest.raises(ValueError, match=r"^X must .*pass 2 \* X - 1"):
        train_rbm(X, 2, method)
    training = RBMTraining(signs(30, 5), 2, method)
    with pytest.raises(ValueError, match=r"^X must .*pass 2 \* X - 1"):
        training.epoch(X)
    if method in ("effective", "tangent", "exact"):
        assert train_rbm(X, 2, method, means=True, n_epochs=1).n_epochs == 1
        with pytest.raises(ValueError, match=r"^X must .*pass 2 \* X - 1"):
            independent_start(X, 2)
        assert np.all(independent_start(X, 2, means=True).visible_bias > 0)


def test_ones_alone_are_signs():
    assert train_rbm(np.ones((30, 4)), 2, "exact", n_epochs=1).n_epochs == 1


def test_training_goes_on_with_fewer_samples_than_a_batch():
    training = RBMTraining(signs(60, 6), 2, batch_size=20, rng=3)
    before = training.rbm.W
    assert training.epoch(signs(7, 6)) > 0
    assert np.any(before != training.rbm.W)
    with pytest.raises(ValueError, match=r"^X must be an \(n, 6\) array"):
        training.epoch(signs(7, 5))


@pytest.mark.parametrize("method", ["effective", "tangent", "exact"])
def test_shades_of_grey_enter_the_likelihoods_linearly(method):
    """A grey sample weighs in the visible bias's gradient as its mean."""
    rng = np.random.default_rng(5)
    X = rng.uniform(-1.0, 1.0, (40, 5))
    rbm = random_rbm(5, 2, seed=6)
    gradient = Parameters.of(rbm)
    LikelihoodAscent(rbm.hidden, method)(X, np.arange(40), Parameters.of(rbm), gradient)
    signs_gradient = Parameters.of(rbm)
    pure = np.where(rng.random((40, 5)) < 0.5, -1, 1)
    LikelihoodAscent(rbm.hidden, method)(pure, np.arange(40), Parameters.of(rbm), signs_gradient)
    difference = gradient.visible_bias - signs_gradient.visible_bias
    expected = (X.mean(axis=0) - pure.mean(axis=0)) / np.sqrt(5)
    np.testing.assert_allclose(difference, expected, atol=1e-13)
    assert train_rbm(X, 2, method, batch_size=10, n_epochs=1, rng=0).n_epochs == 1
    with pytest.raises(ValueError, match=r"^X must hold only -1 and \+1; "):
        train_rbm(X, 2, "cd", batch_size=10)


def test_tangent_training_beats_theorem_1_on_large_fields():
    """Strongly polarised pixels: the exact likelihood that each bound's best machine reaches."""
    rng = np.random.default_rng(8)
    classes = np.where(rng.random((2, 12)) < 0.5, -1, 1)
    X = classes[rng.integers(2, size=2000)] * np.where(rng.random((2000, 12)) < 0.03, -1, 1)
    reached = {}
    for method in ("effective", "tangent", "exact"):
        rbm = train_rbm(X, 2, method, learning_rate=0.05, n_epochs=60, rng=1).rbm
        reached[method] = rbm.log_likelihood(X).mean()
    assert reached["effective"] < reached["tangent"] - 0.3
    assert reached["tangent"] < reached["exact"] + 0.02


@pytest.mark.parametrize("effective", [False, True])
def test_a_pixel_that_is_always_on_has_a_mean_below_one(effective):
    X = np.ones((4, 2))
    X[:2, 1] = -1
    mean = 4 / 5
    start = independent_start(X, 1, effective=effective, rng=0)
    field = mean if effective else np.arctanh(mean)
    np.testing.assert_allclose(start.visible_bias / np.sqrt(2), [field, 0.0], rtol=1e-14)


def test_the_gradient_of_an_epoch_is_a_root_mean_square_over_its_batches():
    """At a rate so small that the machine stays: all batches see the same one."""
    X = np.where(np.random.default_rng(0).random((9, 5)) < 0.5, -1, 1)
    training = RBMTraining(X, 2, learning_rate=1e-12, batch_size=3, method="exact", rng=1)
    order = np.random.default_rng()
    order.bit_generator.state = training._rng.bit_generator.state
    rows = order.permutation(9).reshape(3, 3)
    squares = []
    for batch in rows:
        gradient = training.rbm.gradient(X[batch])  # summed over the samples
        squares.append(sum(np.sum((part / 3) ** 2) for part in vars(gradient).values()))
    assert training.epoch(X) == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-6)
