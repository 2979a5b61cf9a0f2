"""Contrastive divergence: a plain twin, exact enumeration, stationarity, and its theory.

Comparisons with theory follow the protocol for trajectories: sizes, seeds and counts are
constants, the bias of order 1/d is removed by combining two sizes instance by instance, and a whole
path is judged as one.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import chisquare

import rbmnotes.theory.dmft as theory_module
from rbmnotes import (
    Bernoulli,
    Gaussian,
    Rademacher,
    SpikedModel,
    contrastive_divergence,
    dmft,
    gradient_descent,
    informed_start,
    loss,
    loss_gradient,
)
from rbmnotes.algorithms.gibbs_chains import negative_phase
from rbmnotes.evidence import compare_paths
from rbmnotes.theory._dmft_paths import negative_phase as predicted_phase
from tests.helpers import enumerate_states, standard_scores
from tests.laws import TERNARY

DATA = SpikedModel(3.0, (1.6, 1.3)).sample(61, rng=0)  # odd: half a word is left over
START = informed_start(DATA.W_star, 0.4 * np.eye(2) + 0.1, 0.5 * np.eye(2) + 0.1, rng=1)
HIDDEN = [Rademacher(), Bernoulli(), TERNARY]
VISIBLE = [Rademacher(), Gaussian()]


# a plain twin -------------------------------------------------------------------------------------


def splitmix_uniforms(seed, count):
    """Numbers (2 j + 1) / 2^24 from the halves of the words of splitmix64, the lower half first."""
    words, mask = [], 2**64 - 1
    for i in range(1, (count + 1) // 2 + 1):
        word = (seed + i * 0x9E3779B97F4A7C15) & mask
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & mask
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & mask
        word ^= word >> 31
        words += [word & 0xFFFFFFFF, word >> 32]
    return np.array([(2 * (word >> 9) + 1) / 2**24 for word in words[:count]])


def plain_signs(h, W, hidden, rng):
    """Signs given hidden units, each chain with its own whole words."""
    d, seed, rows = len(W), int(rng.integers(2**64, dtype=np.uint64)), []
    for row in range(len(h)):
        skipped = row * ((d + 1) // 2) * 0x9E3779B97F4A7C15
        up = 1 / (1 + np.exp(-2 * h[row] @ W.T / np.sqrt(d)))
        rows.append(np.where(splitmix_uniforms(seed + skipped, d) < up, 1.0, -1.0))
    return np.array(rows)


def plain_gaussian(h, W, hidden, rng, last):
    """Normal units, the same numbers: k projections a chain, the rest from one Gaussian matrix."""
    (n, k), d = h.shape, len(W)
    basis, triangle = np.linalg.qr(W / np.sqrt(d))
    inside = rng.standard_normal((n, k))
    noise = inside @ basis.T
    if last:
        means = hidden.tilted_mean(h @ W.T @ W / d + inside @ triangle)
        rotation, _ = np.linalg.qr(means)
        outside = rng.standard_normal((d, k))
        noise += rotation @ (outside - basis @ (basis.T @ outside)).T
    return h @ W.T / np.sqrt(d) + noise


def plain_step(X, W, rate, hidden, visible, cycles, beta, rng, chains=None):
    """One step of CD-m, all visible units in memory; the chains' hidden units at the end."""
    n, d = X.shape
    batch = np.ones(n, bool) if beta == 1.0 else rng.random(n) < beta
    if chains is None:
        chains = hidden.sample_tilted(X @ W / np.sqrt(d), rng)
    chains, h = chains.copy(), chains[batch]
    for cycle in range(cycles):
        if isinstance(visible, Gaussian):
            v = plain_gaussian(h, W, hidden, rng, cycle == cycles - 1)
        else:
            v = plain_signs(h, W, hidden, rng)
        if cycle < cycles - 1:
            h = hidden.sample_tilted(v @ W / np.sqrt(d), rng)
    positive = X[batch].T @ hidden.tilted_mean(X[batch] @ W / np.sqrt(d))
    negative = v.T @ hidden.tilted_mean(v @ W / np.sqrt(d))
    return W + rate / beta / np.sqrt(d) * (positive - negative), chains, batch, v


@pytest.mark.parametrize("visible", VISIBLE, ids=repr)
@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
@pytest.mark.parametrize(("cycles", "beta"), [(1, 1.0), (3, 0.6)])
@pytest.mark.parametrize("k", [1, 2])
def test_against_a_plain_twin(hidden, visible, cycles, beta, k):
    start = START[:, :k]
    result = contrastive_divergence(
        DATA.X, start, 0.05, 2, hidden, visible, cycles, False, beta, DATA.W_star, True, 7
    )
    rng, W, history = np.random.default_rng(7), start, result.history
    for t in range(3):
        # the push is summed in single precision: 1e-7 of sums of order ten
        np.testing.assert_allclose(history.weights[t], W, atol=3e-6)
        np.testing.assert_allclose(history.M[t], DATA.W_star.T @ W / 61, atol=1e-5)
        np.testing.assert_allclose(history.Q[t], W.T @ W / 61, atol=1e-5)
        assert history.loss[t] == pytest.approx(loss(DATA.X, W, hidden), abs=1e-4)
        gradient = loss_gradient(DATA.X, W, hidden)
        size = np.linalg.norm(gradient) / np.sqrt(gradient.size)
        assert history.gradient_size[t] == pytest.approx(size, rel=1e-4)
        W = plain_step(DATA.X, W, 0.05, hidden, visible, cycles, beta, rng)[0]
    np.testing.assert_array_equal(result.W, history.weights[2])
    assert (result.n_iter, result.converged) == (2, False)
    assert result.message == "not converged after 2 iterations"


@pytest.mark.parametrize("visible", VISIBLE, ids=repr)
@pytest.mark.parametrize("beta", [1.0, 0.6])
def test_persistent_chains_against_a_plain_twin(visible, beta):
    training = {"visible": visible, "cycles": 2, "batch_fraction": beta, "keep_weights": True}
    result = contrastive_divergence(DATA.X, START, 0.05, 3, persistent=True, rng=3, **training)
    rng, W, chains = np.random.default_rng(3), START, None
    for t in range(4):
        np.testing.assert_allclose(result.history.weights[t], W, atol=3e-6)
        new_W, chains, batch, v = plain_step(
            DATA.X, W, 0.05, Rademacher(), visible, 2, beta, rng, chains
        )
        chains[batch] = Rademacher().sample_tilted(v @ W / np.sqrt(61), rng)
        W = new_W
    fresh = contrastive_divergence(DATA.X, START, 0.05, 3, persistent=False, rng=3, **training)
    np.testing.assert_allclose(fresh.history.weights[1], result.history.weights[1], atol=3e-6)
    assert np.abs(fresh.W - result.W).max() > 1e-3


# exact enumeration --------------------------------------------------------------------------------

TINY_W = np.array([[1.3, -0.4], [0.7, 0.9], [-0.6, 1.1], [0.2, -1.5]])
TINY_X = np.array([[1.0, 1.0, 1.0, -1.0], [1.0, -1.0, -1.0, 1.0], [-1.0, -1.0, 1.0, 1.0]])


def joint_law(hidden, W=TINY_W):
    """Visible states, hidden states and the joint law of four signs and two hidden units."""
    v, _ = enumerate_states(Rademacher(), len(W))
    h, p_h = enumerate_states(hidden, W.shape[1])
    joint = p_h * np.exp(v @ W @ h.T / np.sqrt(len(W)))
    return v, h, joint / joint.sum()


def expected_step(X, hidden, cycles):
    """Mean of a CD-m step at learning rate one, over all states."""
    v, h, joint = joint_law(hidden)
    given_v, given_h = joint / joint.sum(axis=1, keepdims=True), joint / joint.sum(axis=0)
    transition = np.linalg.matrix_power(given_v @ given_h.T, cycles)
    start = np.array([np.all(v == x, axis=1) for x in X]).astype(float)
    means = given_v @ h
    per_row = np.einsum("ri,ia,ib->ab", start - start @ transition, v, means)
    return per_row / np.sqrt(X.shape[1])


def mean_steps(hidden, cycles, replicas=4000, runs=40, **training):
    """Steps of independent runs, per copy of the three samples."""
    X = np.tile(TINY_X, (replicas, 1))
    return np.array(
        [
            (
                contrastive_divergence(
                    X, TINY_W, 1.0, 1, hidden, cycles=cycles, rng=[seed, cycles], **training
                ).W
                - TINY_W
            )
            / replicas
            for seed in range(runs)
        ]
    )


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
@pytest.mark.parametrize("training", [{}, {"batch_fraction": 0.5}, {"persistent": True}], ids=str)
@pytest.mark.parametrize("cycles", [1, 2, 3])
def test_mean_step_against_all_states(hidden, cycles, training):
    # eight entries with 39 degrees of freedom: 5 is exceeded once in 10^4
    steps = mean_steps(hidden, cycles, **training)
    assert np.abs(standard_scores(steps, expected_step(TINY_X, hidden, cycles))).max() < 5
    wrong = 2 if cycles == 1 else 1
    assert np.abs(standard_scores(steps, expected_step(TINY_X, hidden, wrong))).max() > 5


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
def test_many_cycles_climb_the_exact_likelihood(hidden):
    v, h, joint = joint_law(hidden)
    clamped = (joint / joint.sum(axis=1, keepdims=True)) @ h
    rows = [int(np.flatnonzero(np.all(v == x, axis=1))[0]) for x in TINY_X]
    gradient = (TINY_X.T @ clamped[rows] - 3 * v.T @ joint @ h) / 2.0
    distances = [np.abs(expected_step(TINY_X, hidden, m) - gradient).max() for m in (1, 4, 16, 64)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 1e-4
    assert np.abs(standard_scores(mean_steps(hidden, 64, 300), gradient)).max() < 5
    assert np.abs(standard_scores(mean_steps(hidden, 1, 300), gradient)).max() > 5


def test_gaussian_push_has_the_law_of_drawn_units():
    # mean and covariance of the push, given the hidden units, against units drawn one by one:
    # v = W s / sqrt(d) + normal noise; 8 + 36 scores
    d, rng = 5, np.random.default_rng(0)
    W = rng.standard_normal((d, 2))
    h = rng.choice([-1.0, 1.0], size=(12, 2))

    def drawn():
        v = h @ W.T / np.sqrt(d) + rng.standard_normal((12, d))
        return v.T @ np.tanh(v @ W / np.sqrt(d)) / np.sqrt(d)

    def moments(pushes):
        flat = np.array(pushes).reshape(len(pushes), -1)
        flat = flat - reference
        pairs = np.triu_indices(flat.shape[1])
        return np.hstack([flat, flat[:, pairs[0]] * flat[:, pairs[1]]])

    reference = np.mean([drawn() for _ in range(2000)], axis=0).ravel()
    one = moments([drawn() for _ in range(20000)])
    other = moments(
        [negative_phase(W, h, 1, Rademacher(), Gaussian(), rng)[0] for _ in range(20000)]
    )
    error = np.sqrt((one.var(axis=0) + other.var(axis=0)) / 20000)
    assert np.abs((one.mean(axis=0) - other.mean(axis=0)) / error).max() < 4.5


# stationarity -------------------------------------------------------------------------------------

N_CHAINS = 200_000


def indices_of(fields, table):
    """Index of the visible state of each chain, found by its fields, which are all distinct."""
    index = np.argmin(((fields[:, None] - table) ** 2).sum(axis=2), axis=1)
    np.testing.assert_allclose(fields, table[index], atol=1e-6)
    return index


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
@pytest.mark.parametrize("cycles", [1, 3])
def test_chains_from_the_model_stay_there(hidden, cycles):
    v, h, joint = joint_law(hidden)
    rng = np.random.default_rng(5)

    def p_value(scale):
        start = h[rng.choice(len(h), size=N_CHAINS, p=joint.sum(axis=0))]
        W = scale * TINY_W
        fields = negative_phase(W, start, cycles, hidden, Rademacher(), rng)[1]
        ends = np.bincount(indices_of(fields, v @ W / 2.0), minlength=16)
        return chisquare(ends, N_CHAINS * joint.sum(axis=1)).pvalue

    assert p_value(1.0) > 1e-3  # one chance in a hundred that any of twelve cases is below
    assert p_value(1.05) < 1e-6  # the transitions of another model


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
@pytest.mark.parametrize("cycles", [1, 3])
def test_chains_of_normal_units_stay_in_the_model(hidden, cycles):
    # hidden units drawn at the end have the marginal P(h) exp(h^T Q h / 2)
    h, p_h = enumerate_states(hidden, 2)
    law = p_h * np.exp(0.5 * np.sum((h @ TINY_W.T) ** 2, axis=1) / 4)
    law /= law.sum()
    rng = np.random.default_rng(6)

    def p_value(scale):
        start = h[rng.choice(len(h), size=N_CHAINS, p=law)]
        fields = negative_phase(scale * TINY_W, start, cycles, hidden, Gaussian(), rng)[1]
        ends = indices_of(hidden.sample_tilted(fields, rng), h)
        return chisquare(np.bincount(ends, minlength=len(h)), N_CHAINS * law).pvalue

    assert p_value(1.0) > 1e-3  # one chance in a hundred that any of twelve cases is below
    assert p_value(1.05) < 1e-6


# theory -------------------------------------------------------------------------------------------

# unequal strengths and a start at which the negative phase is far from symmetric
MODEL = SpikedModel(3.0, (1.9, 1.1))
M_START = np.array([[0.9, 0.15], [-0.1, 0.25]])
Q_START = M_START.T @ M_START + np.array([[1.2, -0.6], [-0.6, 0.5]])
RATE, STEPS, SIZES, INSTANCES = 0.2, 8, (150, 600), 40


def two_times(weights):
    """C(t, s) of (T + 1, d, k) weights."""
    return np.einsum("tia,sib->tsab", weights, weights, optimize=True) / weights.shape[1]


def simulate(train):
    """M, C(t, s) and loss, without the bias c / d."""

    def once(d, seed):
        data = MODEL.sample(d, rng=[d, seed])
        start = informed_start(data.W_star, M_START, Q_START, rng=[d, seed, 1])
        history = train(data.X, start, [d, seed, 2], data.W_star).history
        parts = (history.M, two_times(history.weights), history.loss)
        return np.concatenate([part.ravel() for part in parts])

    small, large = (np.array([once(d, seed) for seed in range(INSTANCES)]) for d in SIZES)
    return (4 * large - small) / 3


def verdict(samples, rate=RATE, **training):
    theory = dmft(MODEL, M_START, Q_START, rate, STEPS, 2**14, rng=0, **training)
    noise = samples.std(axis=0).max() / np.sqrt(len(samples))
    assert max(theory.M_error.max(), theory.C_error.max()) < 0.25 * noise
    path = np.concatenate([theory.M.ravel(), theory.C.ravel(), theory.loss])
    return compare_paths(samples, path).verdict


@pytest.mark.parametrize(
    ("cycles", "visible"), [(1, Rademacher()), (5, Rademacher()), (1, Gaussian())], ids=str
)
def test_contrastive_divergence_against_theory(cycles, visible, monkeypatch):
    samples = simulate(
        lambda X, W, seed, W_star: contrastive_divergence(
            *(X, W, RATE, STEPS, Rademacher(), visible, cycles),
            W_star=W_star,
            keep_weights=True,
            rng=seed,
        )
    )
    assert verdict(samples, method="cd", cycles=cycles) == "agrees"
    assert verdict(samples) == "disagrees"
    if cycles == 5:  # by then the chains have nearly forgotten the data
        assert verdict(samples, method="cd", cycles=1) == "disagrees"
    elif visible == Rademacher():

        def transposed(*arguments):
            second, square = predicted_phase(*arguments)
            return second.T, square

        monkeypatch.setattr(theory_module, "negative_phase", transposed)
        assert verdict(samples, method="cd", cycles=1) == "disagrees"


def test_mini_batches_of_chains_against_theory():
    training = {"cycles": 2, "batch_fraction": 0.4}
    samples = simulate(
        lambda X, W, seed, W_star: contrastive_divergence(
            X, W, RATE, STEPS, **training, W_star=W_star, keep_weights=True, rng=seed
        )
    )
    assert verdict(samples, method="cd", **training) == "agrees"
    assert verdict(samples, method="cd", cycles=2, batch_fraction=0.5) == "disagrees"


def test_small_mini_batches_of_gradient_descent_against_theory():
    samples = simulate(
        lambda X, W, seed, W_star: gradient_descent(
            *(X, W, 0.1, STEPS),
            W_star=W_star,
            keep_weights=True,
            batch_fraction=0.1,
            rng=seed,
        )
    )
    assert verdict(samples, 0.1, batch_fraction=0.1) == "agrees"
    assert verdict(samples, 0.1, batch_fraction=0.12) == "disagrees"


# what goes in and comes out -----------------------------------------------------------------------


def test_single_precision_data():
    single, double = (
        contrastive_divergence(X, START, 0.05, 2, Bernoulli(), rng=1)
        for X in (DATA.X.astype(np.float32), DATA.X)
    )
    assert single.W.dtype == np.float64
    np.testing.assert_allclose(single.W, double.W, atol=1e-5)


def test_the_start_is_left_alone_and_seeds_decide():
    start = START.copy()
    first, again, other = (
        contrastive_divergence(DATA.X, start, 0.05, 3, rng=seed).W for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(start, START)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    none = contrastive_divergence(DATA.X, start, 0.05, 0)
    np.testing.assert_array_equal(none.W, START)
    assert none.history.M is None
    assert none.history.weights is None
    assert none.history.loss.shape == (1,)


@pytest.mark.parametrize("visible", VISIBLE, ids=repr)
def test_no_samples_in_a_batch_move_nothing(visible):
    X = DATA.X[:1]
    result = contrastive_divergence(X, START, 0.05, 3, visible=visible, batch_fraction=1e-9, rng=0)
    np.testing.assert_array_equal(result.W, START)


@pytest.mark.parametrize("visible", VISIBLE, ids=repr)
def test_weights_of_zero_are_a_start(visible):
    # then the push is noise without the data: a step has the data's noise at least
    result = contrastive_divergence(DATA.X, 0 * START, 0.05, 2, Bernoulli(), visible, rng=0)
    assert np.isfinite(result.W).all()
    assert np.abs(result.W).max() > 0.01


@pytest.mark.parametrize("visible", VISIBLE, ids=repr)
@pytest.mark.parametrize("rate", [1e4, 1e10, 1e50])
def test_divergence_is_reported(visible, rate):
    result = contrastive_divergence(DATA.X, START, rate, 30, Gaussian(), visible, rng=0)
    assert not result.converged
    assert result.message == f"diverged at iteration {result.n_iter + 1}"
    assert np.isfinite(result.W).all()


def test_the_number_of_threads_does_not_matter():
    code = (
        "import numpy as np; import rbmnotes as rn\n"
        "data = rn.SpikedModel(3.0, 1.5).sample(60, rng=0)\n"
        "fit = rn.contrastive_divergence(data.X, data.W_star, 0.1, 3, cycles=2, rng=0)\n"
        "print(fit.W.tobytes().hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"NUMBA_NUM_THREADS": threads},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for threads in ("1", "3")
    }
    assert len(outputs) == 1


NAN = np.full((183, 61), np.nan)
BAD = {
    "X": [DATA.X[0], NAN, np.ones((0, 61)), "data"],
    "W0": [START[:, 0], START[:-1], START * np.nan, np.ones((61, 0)), 1.0],
    "learning_rate": [-1.0, np.nan, np.inf, "0.1", None],
    "n_iter": [-1, 1.0, True, None],
    "hidden": ["signs", None, Rademacher],
    "visible": ["signs", None, Rademacher, Bernoulli(), TERNARY],
    "cycles": [0, -1, 1.5, None],
    "persistent": ["yes", 1, None],
    "W_star": [DATA.W_star[:-1], DATA.W_star * np.nan, 1.0],
    "batch_fraction": [0.0, -0.1, 1.1, np.nan, "half"],
    "rng": ["seed", -1, 0.5],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values], ids=str
)
def test_bad_input_is_refused_by_name(name, value):
    good = {"X": DATA.X, "W0": START, "learning_rate": 0.1, "n_iter": 2}
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        contrastive_divergence(**good | {name: value})
