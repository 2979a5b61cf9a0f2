"""Gaussian units: training in the eigenbasis, its law at large d, and the stored losses."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

import rbmnotes as rn
from rbmnotes.evidence import extrapolate
from rbmnotes.experiments.emergence import loss_law, power_law
from rbmnotes.experiments.engine.run import repeat
from rbmnotes.experiments.registry import experiment, load_results
from rbmnotes.theory.extensions.gaussian_training import (
    best_gaussian_loss,
    gaussian_losses,
    loss_of_signal,
    spectral_start,
)

MODEL = rn.SpikedModel(1.0, (4.0, 2.0))
RATE = 2e-3


def draw(d, seed, size=0.1, k=3, model=MODEL):
    X = model.sample(d, seed).X
    W0 = size * np.random.default_rng((5, seed)).standard_normal((d, k))
    values, vectors = np.linalg.eigh(X.T @ X / d)
    return X, W0, values, vectors.T @ W0 / np.sqrt(d)


def test_training_in_the_eigenbasis_is_gradient_descent():
    """The same numbers in another basis: 300 steps leave round-off of 1e-13."""
    X, W0, values, start = draw(80, 0)
    run = rn.gradient_descent(X, W0, RATE, 300, hidden=rn.Gaussian())
    losses, end = gaussian_losses(values, start, 1.0, RATE, [0, 7, 300])
    np.testing.assert_allclose(losses, run.history.loss[[0, 7, 300]], atol=1e-12)
    np.testing.assert_allclose(end.T @ end, run.history.Q[-1], atol=1e-12)


def test_best_loss_is_reached_and_is_a_minimum_eigenvector_by_eigenvector():
    _, _, values, start = draw(60, 1, k=2)
    losses, _ = gaussian_losses(values, start, 1.0, RATE, [0, 14_000])
    best = best_gaussian_loss(values, 1.0, 2)
    assert losses[0] > best + 1.0
    assert losses[1] == pytest.approx(best, abs=1e-9)
    for x in (1.5, 9.0):
        found = minimize_scalar(
            lambda q, x=x: -0.5 * x * q - 0.5 * 1.2 * np.log(1 - q),
            bounds=(0, 1 - 1e-9),
            method="bounded",
            options={"xatol": 1e-12},
        )
        assert loss_of_signal(x, 1.2) == pytest.approx(-found.fun, rel=1e-9)
    assert loss_of_signal(0.9, 1.2) == 0.0


@pytest.mark.parametrize("alpha", [1.0, 2.5])
def test_the_noise_of_the_law_grows_as_the_marchenko_pastur_law_says(alpha):
    """Weights of 1e-6 stay linear; the signal's row is left out."""

    def density(angle):
        x = 1 + alpha + 2 * np.sqrt(alpha) * np.cos(angle)
        slope = 2 * np.sqrt(alpha) * np.sin(angle)
        return rn.marchenko_pastur_density(x, alpha) * slope * (1 + 0.01 * (x - alpha)) ** 120

    values, start = spectral_start(alpha, 3.0, np.ones((1, 2)), 1e-6, 100)
    _, end = gaussian_losses(values[1:], start[1:], alpha, 0.01, [60])
    growth = quad(density, 0, np.pi, epsrel=1e-10)[0]
    np.testing.assert_allclose(end.T @ end, 1e-12 * growth * np.eye(2), rtol=1e-6, atol=1e-24)


def test_the_law_predicts_the_loss_run_by_run():
    """Mean of the log of the loss left, 16 draws at d=400, while the second signal emerges.

    A tolerance of four standard errors, at most 0.13; with the eigenvalues of the signals a tenth
    smaller the law is off by more than 0.5.
    """
    model, steps, d = rn.SpikedModel(1.0, (4.0, 3.0, 2.0)), [100, 200, 300, 400, 500], 400
    gaps, wrong = [], []
    for seed in range(16):
        _, _, values, start = draw(d, seed, model=model)
        left = gaussian_losses(values, start, 1.0, RATE, steps)[0]
        left -= best_gaussian_loss(values, 1.0, 3)
        components = start[:-4:-1] * np.sqrt(d) / 0.1
        for factor, found in ((1.0, gaps), (0.9, wrong)):
            x, A = spectral_start(1.0, model.snr, components, 0.1, d)
            x[:3] *= factor
            law = gaussian_losses(x, A, 1.0, RATE, steps)[0] - best_gaussian_loss(x, 1.0, 3)
            found.append(np.log(left / law))
    errors = np.std(gaps, axis=0, ddof=1) / 4.0
    assert errors.max() < 0.13
    assert np.all(np.abs(np.mean(gaps, axis=0)) < 4 * errors)
    assert np.abs(np.mean(wrong, axis=0)).max() > 0.5


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: gaussian_losses([1.0], [[0.1], [0.1]], 1.0, 0.1, [0]), "start"),
        (lambda: gaussian_losses([1.0], [[0.1]], 1.0, 0.1, [3, 2]), "recorded"),
        (lambda: gaussian_losses([1.0], [[1.1]], 1.0, 0.1, [0]), "start"),
        (lambda: gaussian_losses([9.0], [[0.1]], 1.0, 0.9, [400]), "learning_rate"),
        (lambda: spectral_start(1.0, [0.9], [[1.0]], 0.1, 10), "snr"),
        (lambda: spectral_start(1.0, [2.0], [[1.0], [1.0]], 0.1, 10), "components"),
    ],
    ids=["shapes", "order", "start", "rate", "snr", "components"],
)
def test_bad_input(call, name):
    with pytest.raises(ValueError, match=name):
        call()


def test_strength_left_of_the_list():
    for beta, r in power_law.POWERS.items():
        x = rn.outlier_eigenvalue(power_law.POWER_ALPHA, power_law.power_strengths(beta))
        left = loss_law.strength_left(beta)
        assert len(left) == r + 1
        assert left[0] == pytest.approx(-best_gaussian_loss(x, power_law.POWER_ALPHA, r))
        assert left[-2] == pytest.approx(loss_of_signal(x[-1], power_law.POWER_ALPHA))
        assert left[-1] == pytest.approx(0.0, abs=1e-9)


def stored_losses(beta):
    """Sizes, and for each the exponents of the loss that is left and of its law, draw by draw."""
    table = load_results("emergence_loss", "paper")
    rows = [table[(table.beta == beta) & (table.d == d)] for d in loss_law.SIZES]
    fitted = [
        [
            loss_law.exponents(beta, int(group.d.iloc[0]), loss_law.log_loss(group, n))
            for n in ("left", "law")
        ]
        for group in rows
    ]
    return list(loss_law.SIZES), fitted


@pytest.mark.parametrize("beta", power_law.POWERS)
def test_stored_losses_fall_with_the_exponent_of_the_law(beta):
    """And neither with one a tenth larger nor with the asymptotic one of an endless list."""
    sizes, fitted = stored_losses(beta)
    scale = abs(np.mean(fitted[-1][1]))
    differences = [left - law for left, law in fitted]
    assert extrapolate(sizes, differences, 0.0, scale).verdict == "agrees"
    wrong = [left - 1.1 * law for left, law in fitted]
    assert extrapolate(sizes, wrong, 0.0, scale).verdict == "disagrees"
    asymptotic = -(2 * beta - 1) / (2 * beta)
    for left, _ in fitted:
        error = left.std(ddof=1) / np.sqrt(len(left))
        assert left.mean() < 1.5 * asymptotic - 5 * error


def test_a_stored_loss_can_be_repeated():
    (row,) = repeat(experiment("emergence_loss"), {"beta": 0.8, "d": 250}, 5)
    table = load_results("emergence_loss", "paper")
    old = table[(table.beta == 0.8) & (table.d == 250) & (table.instance == 5)].iloc[0]
    for name in ("left_3", "law_3", "left_12", "law_12"):
        assert old[name] == pytest.approx(row[name], rel=1e-5)
