r"""Signals whose strengths fall as a power: when they emerge (paper eq. 138).

Sizes, learning rates, windows and seeds are fixed here, after trial runs on other seeds that showed
what a run costs and how long it takes.
"""

from __future__ import annotations

import numpy as np
from scipy.special import zeta

from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.experiments.emergence.cascade import span_overlaps
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.model.priors import Gaussian, Rademacher
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.extensions.emergence import emergence_time, linear_overlaps

POWERS = {0.6: 12, 0.8: 8}
r"""Exponents $\beta$ of $\lambda_i\propto i^{-\beta}$, and the number of signals and units."""

POWER_ALPHA, POWER_WEAKEST = 1.0, 2.0
"""The weakest signal is at twice the BBP threshold, which is one."""

POWER_D, POWER_INSTANCES, FROZEN_INSTANCES = 500, 20, 2
FROZEN_D, FROZEN_DRAWS = 250, 12
"""Sign units, at first few draws and then many, to see how many signals they find at all."""

POWER_START = 0.1

POWER_WINDOW = {0.6: (2, 10), 0.8: (2, 6)}
"""First and last signal of the fit; the first emerges before growth is exponential."""

POWER_ITER = {0.6: 9_000, 0.8: 13_000}
POWER_UNITS = {"gaussian": Gaussian(), "rademacher": Rademacher()}
LAW_DRAWS = 2000


def power_strengths(beta: float) -> np.ndarray:
    r"""Return $\lambda_i\propto i^{-\beta}$, the weakest at ``POWER_WEAKEST``."""
    r = POWERS[beta]
    return POWER_WEAKEST * (np.arange(1, r + 1) / r) ** -beta


def power_rate(beta: float) -> float:
    r"""Return the learning rate, half of that at which Gaussian units become unstable.

    At the end $\Gamma=\alpha/(1-q)$ equals the eigenvalue $x_1\simeq\alpha\lambda_1^2$ of the
    strongest signal, and a step multiplies the distance of $q$ from there by
    $1-2\kappa qx_1^2/\alpha$.
    """
    strongest = power_strengths(beta)[0]
    return float(0.5 / (POWER_ALPHA * strongest**4))


def measure_power_law(parameters: dict, rng: np.random.Generator) -> dict:
    """Train by gradient descent on signals whose strengths fall as a power.

    Parameters
    ----------
    parameters : dict
        ``beta``, ``hidden`` (a key of ``POWER_UNITS``) and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``time_1``, ...: steps until the span of the units has an overlap of one half with a
        signal, infinite if never.
    """
    beta, d = parameters["beta"], parameters["d"]
    snr = power_strengths(beta)
    data = SpikedModel(POWER_ALPHA, snr).sample(d, rng)
    start = POWER_START * rng.standard_normal((d, len(snr)))
    history = gradient_descent(
        data.X.astype(np.float32),
        *(start, power_rate(beta), POWER_ITER[beta], POWER_UNITS[parameters["hidden"]]),
        W_star=data.W_star,
    ).history
    times = emergence_time(span_overlaps(history.M, history.Q))
    return {f"time_{i}": float(time) for i, time in enumerate(times, start=1)}


def predict_power_law(parameters: dict) -> dict:
    """Return ``law_1``, ...: mean logarithm of the times that the linear law predicts."""
    beta = parameters["beta"]
    times = law_times(
        *(POWER_ALPHA, power_strengths(beta), power_rate(beta), parameters["d"]),
        POWER_ITER[beta],
    )
    return {f"law_{i}": float(x) for i, x in enumerate(np.log(times).mean(axis=0), start=1)}


def law_times(alpha, snr, learning_rate, d, longest, draws=LAW_DRAWS, seed=0) -> np.ndarray:
    """Return emergence times in the span, by the linear law, over random starts.

    Parameters
    ----------
    alpha, snr, learning_rate, d
        As of :func:`~rbmnotes.linear_overlaps`; as many units as
        signals.
    longest : int
        Longer times count as this, and times below one step as one.
    draws, seed : int
        Number of random starts, and seed of their components.

    Returns
    -------
    (draws, r) array
    """
    times = np.append(0.0, np.unique(np.geomspace(1, longest, 150).round()))
    starts = np.random.default_rng(seed).standard_normal((draws, len(snr), len(snr)))
    _, span = linear_overlaps(alpha, snr, learning_rate, d, times, starts)
    return np.clip(emergence_time(span, times), 1.0, longest)


def unrecovered(beta: float, recovered, signals: int | None = None) -> np.ndarray:
    r"""Return $\sum_{i<j\le r}j^{-2\beta}$, the strength of the signals beyond the i strongest.

    Of those in the data and no others: the sum ends with the last of them.

    Parameters
    ----------
    beta : float
    recovered : array of int
        $i$, from zero to $r$.
    signals : int, optional
        $r$; by default as many as the experiment has.

    Returns
    -------
    array
        In units of the first signal's strength.
    """
    r = POWERS[beta] if signals is None else signals
    return zeta(2.0 * beta, np.add(recovered, 1.0)) - zeta(2.0 * beta, r + 1.0)


def power_exponent(beta: float, log_times) -> np.ndarray:
    r"""Fit the exponent of the unrecovered strength against time, by least squares.

    Parameters
    ----------
    beta : float
    log_times : (..., r) array
        Logarithms of the times at which the signals emerge, or their means.

    Returns
    -------
    (...) array
        Slope of $\log\sum_{i<j\le r}\lambda_j^2$ against $\log t_i$ over ``POWER_WINDOW``.
    """
    first, last = POWER_WINDOW[beta]
    x = np.asarray(log_times)[..., first - 1 : last]
    y = np.log(unrecovered(beta, np.arange(first, last + 1)))
    x = x - x.mean(axis=-1, keepdims=True)
    return np.sum(x * (y - y.mean()), axis=-1) / np.sum(x * x, axis=-1)


def local_exponent(beta: float, recovered: int, signals: int) -> float:
    r"""Return the slope of the unrecovered strength against time within a list, for strong signals.

    Between the $i$-th signal and the next, of $r$ with $t_i\propto i^{2\beta}$ exactly. As
    $r\to\infty$ and then $i\to\infty$ it tends to $-(2\beta-1)/2\beta$.

    Parameters
    ----------
    beta : float
    recovered : int
        $i$, at least one and below $r-1$.
    signals : int
        $r$.

    Returns
    -------
    float
    """
    at = np.array([recovered, recovered + 1])
    change = np.diff(np.log(unrecovered(beta, at, signals))) / np.diff(np.log(at))
    return float(change[0] / (2.0 * beta))


EXPERIMENTS = (
    Experiment(
        name="emergence_power",
        version=1,
        description="Power law of the unrecovered strength (paper eq. 138)",
        measure=measure_power_law,
        predict=predict_power_law,
        scales={
            "quick": Scale(grid(beta=[0.8], hidden=["gaussian"], d=[200]), 2),
            "paper": Scale(
                grid(hidden=POWER_UNITS, beta=POWERS, d=[POWER_D]),
                [POWER_INSTANCES] * 2 + [FROZEN_INSTANCES] * 2,
            ),
        },
    ),
    Experiment(
        name="emergence_frozen",
        version=1,
        description="How many signals of falling strength sign units find (paper eq. 138)",
        measure=measure_power_law,
        scales={
            "quick": Scale(grid(beta=[0.8], hidden=["rademacher"], d=[100]), 2),
            "paper": Scale(
                grid(beta=POWERS, hidden=["rademacher"], d=[FROZEN_D]),
                FROZEN_DRAWS,
            ),
        },
    ),
)
