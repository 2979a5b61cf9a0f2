r"""The loss along a cascade of signals whose strengths fall as a power (paper eq. 138).

Gaussian units, on the data of :mod:`rbmnotes.experiments.emergence.power_law`. The loss
that is left, $\mathcal L(t)$ less the smallest that as many units can have on this draw, against
time, run by run beside what the spectral law says of the same start. All sizes, windows and numbers
of draws are fixed here, after trial runs on other seeds.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rbmnotes.experiments.emergence.power_law import (
    POWER_ALPHA,
    POWER_ITER,
    POWER_START,
    POWER_WINDOW,
    POWERS,
    law_times,
    power_rate,
    power_strengths,
)
from rbmnotes.experiments.engine.experiment import Experiment, scale_of_sizes
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.extensions.gaussian_training import (
    best_gaussian_loss,
    gaussian_losses,
    loss_of_signal,
    spectral_start,
)
from rbmnotes.theory.limits import outlier_eigenvalue

SIZES = {250: 80, 500: 50, 1000: 24}
"""Draws at each dimension."""

POINTS = 12
"""Times at which the loss is kept, evenly spaced in their logarithm."""


@lru_cache(maxsize=64)
def window_steps(beta: float, d: int) -> tuple[int, ...]:
    """Return the steps of the fit: from the first to the last signal of the window, by the law."""
    first, last = POWER_WINDOW[beta]
    times = law_times(POWER_ALPHA, power_strengths(beta), power_rate(beta), d, POWER_ITER[beta])
    ends = np.exp(np.log(times).mean(axis=0))[[first - 1, last - 1]]
    return tuple(np.geomspace(*ends, POINTS).round().astype(int).tolist())


def measure_loss(parameters: dict, rng: np.random.Generator) -> dict:
    """Train Gaussian units by gradient descent, exactly, in the eigenbasis of the data.

    Parameters
    ----------
    parameters : dict
        ``beta`` and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``left_1``, ...: the loss that is left at ``window_steps``; ``law_1``, ...: what the
        law says for this start.
    """
    beta, d = parameters["beta"], parameters["d"]
    snr, rate, steps = power_strengths(beta), power_rate(beta), window_steps(beta, d)
    r = len(snr)
    X = SpikedModel(POWER_ALPHA, snr).sample(d, rng).X
    alpha = len(X) / d
    values, vectors = np.linalg.eigh(X.T @ X / d)
    start = vectors.T @ (POWER_START * rng.standard_normal((d, r))) / np.sqrt(d)
    left = gaussian_losses(values, start, alpha, rate, steps)[0]
    left -= best_gaussian_loss(values, alpha, r)

    components = start[: -r - 1 : -1] * np.sqrt(d) / POWER_START
    spectrum = spectral_start(POWER_ALPHA, snr, components, POWER_START, d)
    law = gaussian_losses(*spectrum, POWER_ALPHA, rate, steps)[0]
    law -= best_gaussian_loss(spectrum[0], POWER_ALPHA, r)
    return {
        f"{name}_{i}": float(f"{value:.8g}")
        for name, values in (("left", left), ("law", law))
        for i, value in enumerate(values, start=1)
    }


def log_loss(rows, name: str) -> np.ndarray:
    """Return logarithms of the loss that is left, (draws, POINTS), from rows of the table."""
    return np.log(rows[[f"{name}_{i}" for i in range(1, POINTS + 1)]].to_numpy(dtype=float))


def exponents(beta: float, d: int, log_losses) -> np.ndarray:
    """Return the slope of the logarithm of the loss that is left against that of the time.

    By least squares over ``window_steps``: (..., POINTS) to (...).
    """
    x = np.log(window_steps(beta, d))
    x = x - x.mean()
    return np.asarray(log_losses) @ x / (x @ x)


def strength_left(beta: float) -> np.ndarray:
    """Return the loss left when the i strongest signals are fully learned, for i from 0 to r."""
    gains = loss_of_signal(outlier_eigenvalue(POWER_ALPHA, power_strengths(beta)), POWER_ALPHA)
    return gains.sum() - np.append(0.0, np.cumsum(gains))


EXPERIMENTS = (
    Experiment(
        name="emergence_loss",
        version=1,
        description="Loss that is left of Gaussian units against time, and its law (eq. 138)",
        measure=measure_loss,
        scales={
            "quick": scale_of_sizes({100: 4}, beta=[0.8]),
            "paper": scale_of_sizes(SIZES, beta=POWERS),
        },
    ),
)
