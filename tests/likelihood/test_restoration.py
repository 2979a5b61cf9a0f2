"""Restoring corrupted inputs against a sum over all visible and hidden states."""

from itertools import product

import numpy as np
import pytest

import rbmnotes as rn
from rbmnotes.likelihood.restoration import posterior_mean

D, K = 5, 3


def draw_rbm(hidden, rng=0, scale=1.5):
    rng = np.random.default_rng(rng)
    return rn.RBM(
        scale * rng.standard_normal((D, K)),
        rng.standard_normal(D),
        rng.standard_normal(K),
        hidden=hidden,
    )


def enumerate_posterior(rbm, y, flip):
    """Sum over every visible and hidden state of the joint law times the noise."""
    flip = np.broadcast_to(flip, D)
    result = []
    for sample in y:
        total, mean = 0.0, np.zeros(D)
        for v in product((-1.0, 1.0), repeat=D):
            noise = np.prod(np.where(sample == np.array(v), 1 - flip, flip))
            for h, p in zip(*states(rbm.hidden), strict=True):
                energy = np.array(v) @ (rbm.W @ h + rbm.visible_bias) / np.sqrt(D)
                weight = noise * p * np.exp(energy + rbm.hidden_bias @ h)
                total += weight
                mean += weight * np.array(v)
        result.append(mean / total)
    return np.array(result)


def states(hidden):
    points = list(product(zip(hidden.support, hidden.probabilities, strict=True), repeat=K))
    return (
        [np.array([x for x, _ in units]) for units in points],
        [np.prod([p for _, p in units]) for units in points],
    )


@pytest.mark.parametrize("hidden", [rn.Bernoulli(), rn.Rademacher()], ids=repr)
@pytest.mark.parametrize(
    "flip", [0.1, 0.5, np.array([0.0, 0.0, 0.5, 0.5, 0.5]), np.array([0.0, 0.1, 0.2, 0.3, 0.5])]
)
def test_posterior_against_enumeration(hidden, flip):
    rbm = draw_rbm(hidden)
    y = np.array(list(product((-1.0, 1.0), repeat=D)))[::3]
    expected = enumerate_posterior(rbm, y, flip)
    np.testing.assert_allclose(posterior_mean(rbm, y, flip), expected, atol=1e-12)


def test_posterior_of_everything_missing_is_the_models_mean():
    rbm = draw_rbm(rn.Bernoulli())
    y = np.ones((2, D))
    np.testing.assert_allclose(
        posterior_mean(rbm, y, 0.5), np.tile(rbm.average().visible, (2, 1)), atol=1e-12
    )


def test_observed_units_stay_and_large_fields_do_no_harm():
    rbm = draw_rbm(rn.Bernoulli(), scale=2000.0)
    y = np.where(np.random.default_rng(1).random((4, D)) < 0.5, -1.0, 1.0)
    np.testing.assert_array_equal(posterior_mean(rbm, y, 0.0), y)
    half = posterior_mean(rbm, y, np.array([0.0, 0.0, 0.0, 0.5, 0.5]))
    np.testing.assert_array_equal(half[:, :3], y[:, :3])
    assert np.all(np.abs(half) <= 1.0)


def test_posterior_is_the_best_guess():
    """Samples of the model, some missing: no other guess may be better than 4 standard errors."""
    rbm = draw_rbm(rn.Rademacher(), scale=3.0)
    v = rbm.sample(4000, rng=2)
    flip = np.array([0.0, 0.0, 0.0, 0.5, 0.5])
    noisy = np.where(np.random.default_rng(3).random(v.shape) < flip, -v, v)
    ours = np.sum((posterior_mean(rbm, noisy, flip) - v) ** 2, axis=1)
    naive = np.sum((np.where(flip > 0, rbm.average().visible, v) - v) ** 2, axis=1)
    iterated = np.sum((rbm.reconstruct(noisy, 20, flip == 0, rng=4) - v) ** 2, axis=1)
    for other in (naive, iterated):
        gain = other - ours
        assert gain.mean() > 4 * gain.std() / np.sqrt(len(v))


def test_reconstruction_by_gibbs_tends_to_the_posterior():
    """The mean over many chains of 50 cycles: 4 standard errors of 20,000 chains."""
    rbm = draw_rbm(rn.Bernoulli())
    y = np.array([1.0, -1.0, 1.0, 1.0, 1.0])
    observed = np.array([True, True, False, False, False])
    chains = rbm.reconstruct(np.tile(y, (20_000, 1)), 50, observed, rng=5)
    error = chains.std(axis=0) / np.sqrt(len(chains))
    expected = posterior_mean(rbm, y[None], np.where(observed, 0.0, 0.5))[0]
    assert np.all(np.abs(chains.mean(axis=0) - expected) <= 4 * error + 1e-12)
    one_cycle = rbm.reconstruct(np.tile(y, (20_000, 1)), 1, observed, rng=5).mean(axis=0)
    assert np.any(np.abs(one_cycle - expected) > 8 * error)  # one cycle has not forgotten its start


RBM_ = draw_rbm(rn.Bernoulli())
SIGNS = np.ones((2, D))
BAD = {
    "corrupted width": ("corrupted", lambda: posterior_mean(RBM_, np.ones((2, D + 1)), 0.1)),
    "corrupted values": ("corrupted", lambda: posterior_mean(RBM_, np.zeros((2, D)), 0.1)),
    "corrupted NaN": ("corrupted", lambda: posterior_mean(RBM_, SIGNS * np.nan, 0.1)),
    "flip negative": ("flip", lambda: posterior_mean(RBM_, SIGNS, -0.1)),
    "flip above one half": ("flip", lambda: posterior_mean(RBM_, SIGNS, 0.6)),
    "flip NaN": ("flip", lambda: posterior_mean(RBM_, SIGNS, np.nan)),
    "flip shape": ("flip", lambda: posterior_mean(RBM_, SIGNS, np.full(D + 1, 0.1))),
    "rbm visible": (
        "rbm",
        lambda: posterior_mean(rn.RBM(RBM_.W, visible=rn.Gaussian()), SIGNS, 0.1),
    ),
    "reconstruct width": ("v", lambda: RBM_.reconstruct(np.ones((2, D + 1)))),
    "reconstruct cycles": ("n_cycles", lambda: RBM_.reconstruct(SIGNS, 0)),
    "reconstruct observed shape": (
        "observed",
        lambda: RBM_.reconstruct(SIGNS, observed=np.ones(D + 1, dtype=bool)),
    ),
    "reconstruct observed type": (
        "observed",
        lambda: RBM_.reconstruct(SIGNS, observed=np.ones(D)),
    ),
}


@pytest.mark.parametrize(("name", "call"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name(name, call):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()
