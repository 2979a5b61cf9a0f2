"""Overlaps and response of a Gaussian unit: moments of the spectrum by hand, and runs."""

import numpy as np
import pytest

import rbmnotes.theory.extensions.gaussian_training as module
from rbmnotes import Gaussian, SpikedModel, gradient_descent, informed_start
from rbmnotes.evidence import compare_paths
from rbmnotes.theory.extensions.gaussian_training import gaussian_overlaps


@pytest.mark.parametrize(("alpha", "snr"), [(2.0, 1.1), (0.6, 2.0), (4.0, 0.3)])
def test_two_steps_from_the_moments_of_the_spectrum(alpha, snr):
    m0, q0, rate = 0.3, 0.25, 0.05
    # S = X^T X / d of a sample with covariance C = 1 + snr^2 w w^T / d: E S = alpha C and
    # E S^2 = alpha C + alpha^2 C^2, seen from a direction of eigenvalue c
    signal, noise = ((1.0, alpha * c, alpha * c + alpha**2 * c**2) for c in (1 + snr**2, 1.0))
    shrink = 1 - rate * alpha / (1 - q0)
    m1 = m0 * (shrink + rate * signal[1])
    square = np.array([shrink**2, 2 * shrink * rate, rate**2])
    q1 = m0**2 * square @ signal + (q0 - m0**2) * square @ noise
    second = 1 - rate * alpha / (1 - q1)
    product = np.array([shrink * second, rate * (shrink + second), rate**2])
    found = gaussian_overlaps(alpha, snr, m0, q0, rate, 2)
    np.testing.assert_allclose(found[0], [m0, q0, 0.0], atol=1e-12)  # round-off
    np.testing.assert_allclose(found[1], [m1, q1, rate], atol=1e-12)
    response = rate * (second + rate * noise[1])
    np.testing.assert_allclose(found[2, [0, 2]], [m0 * product @ signal, response], atol=1e-12)


def test_runs_follow():
    """Thirty runs at d = 400; a learning rate a tenth smaller must fail."""
    alpha, snr, m0, q0, rate, n_iter, d = 2.0, 1.1, 0.3, 0.25, 0.1, 8, 400
    runs = []
    for seed in range(30):
        data = SpikedModel(alpha, snr).sample(d, seed)
        start = informed_start(data.W_star, [[m0]], [[q0]], (1, seed))
        history = gradient_descent(
            data.X, start, rate, n_iter, W_star=data.W_star, hidden=Gaussian()
        ).history
        runs.append(np.column_stack([history.M[:, 0, 0], history.Q[:, 0, 0]]))
    theory = gaussian_overlaps(alpha, snr, m0, q0, rate, n_iter)[:, :2]
    assert compare_paths(runs, theory).verdict == "agrees"
    wrong = gaussian_overlaps(alpha, snr, m0, q0, 0.9 * rate, n_iter)[:, :2]
    assert compare_paths(runs, wrong).verdict == "disagrees"


def test_round_off_stays_small_as_long_as_it_answers(monkeypatch):
    arguments = 2.0, 1.1, 0.3, 0.25, 0.1
    longest = gaussian_overlaps(*arguments, 60)
    monkeypatch.setattr(module, "_MARGIN", 1.1)  # another circle, smaller polynomials on it
    np.testing.assert_allclose(longest, gaussian_overlaps(*arguments, 60), atol=module._ROUND_OFF)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"^n_iter must be below 6\d"):
        gaussian_overlaps(*arguments, 100)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0.0, 1.1, 0.3, 0.25, 0.1, 8), "alpha"),
        ((2.0, -1.0, 0.3, 0.25, 0.1, 8), "snr"),
        ((2.0, 1.1, np.nan, 0.25, 0.1, 8), "m0"),
        ((2.0, 1.1, 0.6, 0.25, 0.1, 8), "q0"),
        ((2.0, 1.1, 0.3, 0.25, 0.0, 8), "learning_rate"),
        ((2.0, 1.1, 0.3, 0.25, 0.1, 0), "n_iter"),
        ((2.0, 1.1, 0.3, 1.0, 0.1, 8), "learning_rate or q0"),
        ((2.0, 1.1, 0.3, 0.25, 1.0, 8), "learning_rate or q0"),
    ],
)
def test_bad_input(arguments, name):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        gaussian_overlaps(*arguments)
