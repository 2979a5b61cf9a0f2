r"""Signals that emerge one after another (Figure 7, left), and the power law (paper eq. 138).

Sizes, learning rates, windows and seeds are fixed here, after trial runs on other seeds that showed
what a run costs and how long it takes.

A signal's overlap is measured in two ways: with the best unit, and with the span of all units,
$\sqrt{(MQ^{-1}M^\top)_{ii}}$, which no mixing of units changes.
"""

from __future__ import annotations

import numpy as np
from scipy.special import zeta

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.contrastive import contrastive_divergence
from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.model.priors import Gaussian, Rademacher
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.extensions.emergence import emergence_time, linear_overlaps

ALPHA, SNR = 4.0, (2.0, 1.6, 1.3, 1.1)
"""Four signals, at 2.8 to 1.6 times the BBP threshold; as many units."""

RATE, N_ITER, AMP_ITER = 0.02, 400, 60
RECORDED = tuple(np.unique(np.geomspace(1, N_ITER + 1, 60).round().astype(int) - 1).tolist())
"""Steps of gradient descent and contrastive divergence at which overlaps are kept."""

CASCADES = {
    "gradient descent, small start": 0.1,
    "contrastive divergence, small start": 0.1,
    "gradient descent": 1.0,
    "AMP-RBM": 1.0,
}
"""Standard deviation of an entry of the random start."""

CASCADE_D, CASCADE_INSTANCES = 600, 10

POWERS = {0.6: 12, 0.8: 8}
r"""Exponents $\beta$ of $\lambda_i\propto i^{-\beta}$, and the number of signals and units."""

POWER_ALPHA, POWER_WEAKEST = 1.0, 2.0
"""The weakest signal is at twice the BBP threshold, which is one."""

POWER_D, POWER_INSTANCES, FROZEN_INSTANCES = 500, 20, 2
POWER_START = 0.1
POWER_WINDOW = {0.6: (2, 10), 0.8: (2, 6)}
"""First and last signal of the fit; the first emerges before growth is exponential."""

POWER_ITER = {0.6: 9_000, 0.8: 13_000}
POWER_UNITS = {"gaussian": Gaussian(), "rademacher": Rademacher()}
LAW_DRAWS = 2000


def span_overlaps(M, Q) -> np.ndarray:
    r"""Return the overlap of every signal with the span of the units, along a run.

    Parameters
    ----------
    M : (m, r, k) array
    Q : (m, k, k) array
        Nearly singular ones are cut at a share of $10^{-13}$ of their largest eigenvalue.

    Returns
    -------
    (m, r) array
        $\sqrt{(MQ^{-1}M^\top)_{ii}}$.
    """
    inverse = np.linalg.pinv(Q, rcond=1e-13, hermitian=True)
    squares = np.einsum("tia,tab,tib->ti", M, inverse, M, optimize=True)
    return np.sqrt(np.clip(squares, 0.0, 1.0))


def unit_overlaps(M, Q) -> np.ndarray:
    """Return the size of the overlap of every signal with every unit, (m, r, k)."""
    norms = np.sqrt(np.einsum("taa->ta", Q))
    return np.clip(np.abs(M) / norms[:, None, :], 0.0, 1.0)


def measure_cascade(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Train once from a random start and follow all signals.

    Parameters
    ----------
    parameters : dict
        ``cascade``, a key of :data:`CASCADES`, and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row a recorded step ``t``: overlaps ``unit_1``, ... and ``span_1``, ... of the signals,
        and in all rows the times ``time_unit_1``, ... and ``time_span_1``, ... at which these
        first exceed one half, infinite if they never do.
    """
    name, r = parameters["cascade"], len(SNR)
    data = SpikedModel(ALPHA, SNR).sample(parameters["d"], rng)
    start = CASCADES[name] * rng.standard_normal((parameters["d"], r))
    X, W_star, recorded = data.X.astype(np.float32), data.W_star, RECORDED
    if name.startswith("gradient"):
        run = gradient_descent(X, start, RATE, N_ITER, W_star=W_star)
    elif name.startswith("contrastive"):
        run = contrastive_divergence(X, start, RATE, N_ITER, W_star=W_star, rng=rng)
    else:
        V0, recorded = 0.1 * np.eye(r), range(AMP_ITER + 1)
        run = amp_rbm(X, start=start, V0=V0, tol=1e-300, max_iter=AMP_ITER, W_star=W_star)
    M, Q = run.history.M, run.history.Q
    overlaps = {"unit": unit_overlaps(M, Q).max(axis=2), "span": span_overlaps(M, Q)}
    times = {
        f"time_{kind}_{i + 1}": float(emergence_time(values[:, i]))
        for kind, values in overlaps.items()
        for i in range(r)
    }
    return [
        {"t": t}
        | {f"{kind}_{i + 1}": float(v[t, i]) for kind, v in overlaps.items() for i in range(r)}
        | times
        for t in recorded
        if t < len(M)
    ]


def power_strengths(beta: float) -> np.ndarray:
    r"""Return $\lambda_i\propto i^{-\beta}$, the weakest at :data:`POWER_WEAKEST`."""
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
        ``beta``, ``hidden`` (a key of :data:`POWER_UNITS`) and ``d``.
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
        As of :func:`rbmnotes.theory.extensions.emergence.linear_overlaps`; as many units as signals.
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
        Slope of $\log\sum_{i<j\le r}\lambda_j^2$ against $\log t_i$ over :data:`POWER_WINDOW`.
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
