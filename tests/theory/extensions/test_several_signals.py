"""One unit on several signals: theory.md's values, state evolution, descent on data."""

import numpy as np
import pytest

from rbmnotes import (
    Discrete,
    Gaussian,
    Rademacher,
    SpikedModel,
    fixed_point,
    global_optimum,
    overlap,
    state_evolution,
)
from rbmnotes.evidence import extrapolate_all
from rbmnotes.experiments.convergence.endpoints import SPARSE, balanced_pair, descend
from rbmnotes.theory.extensions.several_signals import several_signals_optimum
from tests.laws import SKEWED


def test_one_signal_is_the_global_optimum():
    found, best = several_signals_optimum(4.0, [1.2]), global_optimum(4.0, 1.2)
    assert found.loss == pytest.approx(best.loss, abs=1e-10)
    np.testing.assert_allclose([found.m[0], found.q, found.V], [best.m, best.q, best.V], atol=1e-5)
    assert found.replicon == pytest.approx(best.replicon, abs=1e-5)


@pytest.mark.parametrize(
    ("second", "loss", "m"),
    [(1.6, -2.47626, (0.9433, 0.9433)), (1.3, -2.18701, (1.144, 0.491)), (1.1, None, None)],
)
def test_sparse_latent_variables(second, loss, m):
    """Mixtures win for equal and for unequal strengths, until the second is weak enough."""
    alone = fixed_point(4.0, 1.6, prior_u=SPARSE)
    found = several_signals_optimum(4.0, [1.6, second], SPARSE)
    assert found.replicon < 1
    if loss is None:
        assert found.loss == pytest.approx(alone.loss, abs=1e-9)
        assert found.m == pytest.approx([alone.m, 0.0], abs=1e-4)
    else:
        assert found.loss == pytest.approx(loss, abs=6e-6)
        assert found.loss < alone.loss - 0.02
        assert found.m == pytest.approx(m, abs=6e-4)


def test_signs_and_rare_large_values_keep_single_signals():
    """The second law has heavier tails than a Gaussian: a fourth moment of 3.6."""
    values = np.array([-4.0, -1.0, 1.0, 4.0]) / np.sqrt(0.98 + 16 * 0.02)
    rare = Discrete(tuple(values), (0.01, 0.49, 0.49, 0.01))
    assert rare.moment(4) > 3.5
    for prior in (Rademacher(), rare):
        found = several_signals_optimum(4.0, [1.6, 1.6], prior)
        assert found.loss == pytest.approx(fixed_point(4.0, 1.6, prior_u=prior).loss, abs=1e-9)


def test_the_mixture_is_a_fixed_point_of_state_evolution():
    found = several_signals_optimum(4.0, [1.6, 1.3], SPARSE)
    model = SpikedModel(4.0, [1.6, 1.3], prior_u=SPARSE)
    path = state_evolution(model, found.m[:, None], [[found.q]], [[found.V]], 1)
    np.testing.assert_allclose(path.M[1][:, 0], found.m, atol=1e-4)
    np.testing.assert_allclose([path.Q[1].item(), path.V[1].item()], [found.q, found.V], atol=1e-4)


def test_descent_ends_in_the_mixture():
    """From the strong signal alone; the mixture's share of the weak one extrapolates to theory."""
    theory = several_signals_optimum(4.0, [1.6, 1.3], SPARSE)
    cosine = theory.m[1] / np.sqrt(theory.q)
    counts, samples = {50: 160, 100: 120, 200: 80}, []
    for d, count in counts.items():
        values = []
        for stream in np.random.SeedSequence([3, d]).spawn(count):
            rng = np.random.default_rng(stream)
            X, W_star = balanced_pair(d, [1.6, 1.3], rng)
            end = descend(X, 1.6 * W_star[:, :1] + 0.5 * rng.standard_normal((d, 1)))
            values.append(abs(overlap(W_star, end)[1, 0]))
        samples.append(values)
    for result in extrapolate_all(list(counts), samples, cosine).fits:
        assert abs(result.z) < 3
    for result in extrapolate_all(list(counts), samples, 0.0, scale=1.0).fits:
        assert abs(result.z) > 10  # a single signal


def test_balanced_data():
    X, W_star = balanced_pair(100, [1.6, 1.3], np.random.default_rng(0))
    np.testing.assert_array_equal(W_star.T @ W_star, 100 * np.eye(2))
    # fields along the signals: latent variables times strengths, plus noise of unit variance
    fields = X @ W_star / np.sqrt(100)
    noise = fields.T @ fields / 400 - np.diag([1.6**2, 1.3**2])
    assert np.abs(noise - np.eye(2)).max() < 5 * np.sqrt(2 / 400)
    # a share of 0.1 * 0.1 of the samples has both latent variables at their largest
    largest = np.sqrt(5.0) * np.array([1.6, 1.3])
    assert abs(np.mean(fields[-4:], axis=0) - largest).max() < 5 / np.sqrt(4)
    with pytest.raises(ValueError, match=r"^d must"):
        balanced_pair(60, [1.6, 1.3], np.random.default_rng(0))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("alpha", (0.0, [1.0])),
        ("snr", (4.0, [1.0, 1.2])),
        ("snr", (4.0, [1.0, 0.0])),
        ("prior_u", (4.0, [1.0], Gaussian())),
        ("prior_u", (4.0, [1.0], SKEWED)),
        ("hidden", (4.0, [1.0], Rademacher(), Gaussian())),
    ],
)
def test_bad_input(name, arguments):
    with pytest.raises(ValueError, match=rf"^{name} must"):
        several_signals_optimum(*arguments)
