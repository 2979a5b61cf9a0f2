r"""When a signal emerges from a small random start: the linear law, its limits, and AMP's gain.

At small weights $\eta_1'(h)\simeq h$ and $\langle hh^\top\rangle\simeq I$, so gradient descent
is the power method $W^t=(1+\kappa(S-\alpha))^tW^0$ with $S=X^\top X/d$. Everything here is ours;
the paper says only that the time is of order $\log d$ (its appendix F.2).
"""

from __future__ import annotations

from typing import overload

import numpy as np
from scipy.special import logsumexp

from rbmnotes._types import ArrayLike, Vector
from rbmnotes._validation import (
    HUGE,
    broadcast,
    finite_array,
    finite_real,
    not_negative,
    number_or_array,
    positive,
    positive_integer,
    positive_real,
    real_values,
    sample_ratio,
)
from rbmnotes.model.priors import Prior, Rademacher
from rbmnotes.theory.limits import bbp_snr, outlier_eigenvalue, pca_overlap
from rbmnotes.theory.phase_diagram import finite_norm_threshold

LEVEL = 0.5
"""A signal has emerged when its overlap exceeds this."""

_NODES = 4096


def noise_growth(alpha: float, learning_rate: float, times: ArrayLike) -> np.ndarray:
    r"""Return $\log\int(1+\kappa(x-\alpha))^{2t}\rho(x)\,dx$ at some steps.

    By this factor, $\mathcal N$, noise multiplies the squared norm of weights that know nothing;
    $\rho$ is the Marchenko–Pastur law of $Z^\top Z/d$. Gauss–Chebyshev quadrature, exact to
    round-off but for $\alpha=1$, where it misses the share 1/4096 of the law next to zero.

    Parameters
    ----------
    alpha : float
        Sample ratio, above zero.
    learning_rate : float
        $\kappa>0$.
    times : (m,) array
        Numbers of steps, not negative.

    Returns
    -------
    (m,) array

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    alpha, learning_rate, times = _check(alpha, learning_rate, times)
    angles = np.pi * np.arange(1, _NODES) / _NODES
    x = 1.0 + alpha + 2.0 * np.sqrt(alpha) * np.cos(angles)
    weights = 2.0 * alpha * np.sin(angles) ** 2 / (_NODES * x)
    if alpha < 1.0:  # eigenvalues that are exactly zero
        x, weights = np.append(x, 0.0), np.append(weights, 1.0 - alpha)
    with np.errstate(divide="ignore"):  # a factor may be zero; to the power zero it is one
        logs = np.log(np.abs(1.0 + learning_rate * (x - alpha)))
    powers = [2.0 * t * logs if t > 0.0 else np.zeros_like(logs) for t in times]
    return np.array([logsumexp(power, b=weights) for power in powers])


def signal_growth(
    alpha: float, snr: ArrayLike, learning_rate: float, times: ArrayLike
) -> np.ndarray:
    r"""Return $\log(1+\kappa(x_i-\alpha))^{2t}$ at some steps, of every signal.

    $x_i=(1+\lambda_i^2)(\alpha+\lambda_i^{-2})$ is the eigenvalue of $X^\top X/d$ that belongs to
    the signal, or the edge of the noise below threshold, so that $x_i-\alpha$ is
    $\alpha\lambda_i^2+1+\lambda_i^{-2}$ or $1+2\sqrt\alpha$.

    Parameters
    ----------
    alpha, learning_rate, times
        As of :func:`rbmnotes.theory.extensions.emergence.noise_growth`.
    snr : (r,) array

    Returns
    -------
    (m, r) array

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    alpha, learning_rate, times = _check(alpha, learning_rate, times)
    snr = _strengths(snr)
    rates = np.log1p(learning_rate * (outlier_eigenvalue(alpha, snr) - alpha))
    return 2.0 * times[:, None] * rates


def linear_overlaps(
    alpha: float, snr: ArrayLike, learning_rate: float, d: int, times: ArrayLike, starts: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the overlaps that the linear law predicts from given starts.

    At step $t$ the weights are $\sum_i\sqrt{\mathcal G_i}\,v_i\chi_i^\top$ plus noise of self
    overlap $\mathcal NI$, where $v_i$, of squared norm $d$, is the eigenvector of signal $i$, with
    overlap $c_i$, $\chi_i\in\mathbb R^k$ the start's standard normal component along it, and
    $\mathcal G_i=\frac1d(1+\kappa(x_i-\alpha))^{2t}$. So $M_i=c_i\sqrt{\mathcal G_i}\,\chi_i$ and
    $Q=\mathcal NI+\sum_i\mathcal G_i\chi_i\chi_i^\top$. For one unit and one signal
    $\cos^2=\frac{c^2\mathcal G\chi^2}{\mathcal G\chi^2+\mathcal N}$. The size of the start drops
    out.

    Parameters
    ----------
    alpha, snr, learning_rate, times
        As of :func:`rbmnotes.theory.extensions.emergence.signal_growth`.
    d : int
        Dimension.
    starts : (draws, r, k) array, k at least r
        Components $\chi$; standard normal numbers for a random start.

    Returns
    -------
    units : (m, draws, r, k) array
        Size of the overlap of every unit with every signal.
    span : (m, draws, r) array
        $\sqrt{(MQ^{-1}M^\top)_{ii}}$, the overlap of a signal with the span of all units.

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not match.
    """
    snr, d = _strengths(snr), positive_integer(d, "d", maximum=10**300)
    starts = finite_array(starts, "starts", (None, len(snr), None))
    if starts.shape[2] < len(snr):
        raise ValueError(f"starts must have as many units as signals or more; got {starts.shape}")
    relative = signal_growth(alpha, snr, learning_rate, times) - np.log(float(d))
    relative -= noise_growth(alpha, learning_rate, times)[:, None]
    cosines = pca_overlap(alpha, snr)
    gram = starts @ starts.swapaxes(1, 2)
    units, span = [], []
    for ratio in relative:
        largest = max(ratio.max(), 0.0)  # a common factor, against overflow
        signal = np.exp(0.5 * (ratio - largest))[:, None] * starts
        norms = np.sqrt(np.exp(-largest) + np.sum(signal**2, axis=1, keepdims=True))
        units.append(cosines[:, None] * np.abs(signal) / norms)
        span.append(cosines * np.sqrt(_captured(gram, ratio)))
    return np.array(units), np.array(span)


def _captured(gram: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    r"""Diagonal of $I-(I+D\chi\chi^\top D)^{-1}$, $D=e^{ratio/2}$, for any range of D."""
    noise = np.exp(np.minimum(-ratio, 600.0))
    try:
        inverse = np.linalg.inv(gram + np.diag(noise))
    except np.linalg.LinAlgError as error:
        raise ValueError("starts must have linearly independent rows") from error
    return np.clip(1.0 - noise * np.einsum("nii->ni", inverse), 0.0, 1.0)


@overload
def leading_time(alpha: float, snr: float, learning_rate: float, d: float) -> float: ...
@overload
def leading_time(alpha: float, snr: Vector, learning_rate: float, d: ArrayLike) -> np.ndarray: ...
@overload
def leading_time(alpha: float, snr: ArrayLike, learning_rate: float, d: Vector) -> np.ndarray: ...
def leading_time(
    alpha: float, snr: ArrayLike, learning_rate: float, d: ArrayLike
) -> float | np.ndarray:
    r"""Return the number of steps to leading order in $\log d$, or infinity.

    The signal must make up for its share $d^{-1/2}$ of the start against the edge of the noise,
    $\frac{\frac12\log d}{\log(1+\kappa(x_i-\alpha))-\log(1+\kappa(1+2\sqrt\alpha))}$, which is
    $\frac{\frac12\log d}{\kappa(\sqrt\alpha\lambda_i-1/\lambda_i)^2}$ as $\kappa\to0$.

    Parameters
    ----------
    alpha, snr, learning_rate
        As of :func:`rbmnotes.theory.extensions.emergence.signal_growth`.
    d : float or array
        Dimension; broadcast against `snr`.

    Returns
    -------
    float or array
        Infinite at and below the BBP threshold.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    alpha, learning_rate, _ = _check(alpha, learning_rate, [0.0])
    snr, d = broadcast(snr=positive(snr, "snr"), d=positive(d, "d", largest=1e300))
    edge = 1.0 + learning_rate * (1.0 + 2.0 * np.sqrt(alpha))
    gap = (np.sqrt(alpha) * snr - 1.0 / snr) ** 2  # of the signal's eigenvalue to the noise's edge
    rate = np.log1p(learning_rate * gap / edge)
    above = snr > bbp_snr(alpha)
    return number_or_array(np.where(above, 0.5 * np.log(d) / np.where(above, rate, 1.0), np.inf))


def amp_gain(alpha: float, snr: float, hidden: Prior = Rademacher()) -> tuple[float, float]:
    r"""Return the factors by which an iteration of AMP-RBM multiplies a small squared overlap.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    hidden : Prior
        Law of the hidden unit.

    Returns
    -------
    linear : float
        $\alpha\lambda^4$, that of the power method.
    settled : float
        $\alpha\lambda^4(V\sqrt\alpha E[\partial_\omega g])^2$ in the state without overlap, whose
        norm AMP-RBM reaches within a few iterations; NaN where there is none.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    alpha, snr = sample_ratio(alpha), finite_real(snr, "snr", above=0.0, at_most=HUGE)
    return alpha * snr**4, (snr / finite_norm_threshold(alpha, hidden)) ** 4


def emergence_time(
    overlaps: ArrayLike, times: ArrayLike | None = None, level: float = LEVEL
) -> float | np.ndarray:
    r"""Return the first time at which overlaps exceed a level.

    Between two recorded times the log-odds $\log\frac{c^2}{1-c^2}$ of an overlap $c$ is
    interpolated, which the linear law makes nearly a straight line.

    Parameters
    ----------
    overlaps : (m, ...) array
        Sizes of overlaps in $[0,1]$, the start first.
    times : (m,) array, optional
        When they were recorded; every step by default.
    level : float
        Between zero and one.

    Returns
    -------
    (...) array
        The first time if that is above the level, infinite if none is.

    Raises
    ------
    ValueError
        If shapes do not match, or `level` or an overlap is out of range.
    """
    level = finite_real(level, "level", above=0.0)
    overlaps = real_values(overlaps, "overlaps")
    if level >= 1.0:
        raise ValueError(f"level must be below one; got {level}")
    if (
        overlaps.size == 0
        or overlaps.ndim == 0
        or not np.all((overlaps >= 0.0) & (overlaps <= 1.0 + 1e-6))
    ):
        raise ValueError("overlaps must hold numbers between zero and one")
    times = np.arange(len(overlaps)) if times is None else times
    times = finite_array(times, "times", (len(overlaps),))
    above = overlaps > level
    first = np.argmax(above, axis=0)
    last = np.maximum(first - 1, 0)
    high = _log_odds(np.take_along_axis(overlaps, first[None], axis=0)[0])
    low = _log_odds(np.take_along_axis(overlaps, last[None], axis=0)[0])
    share = (_log_odds(level) - low) / np.where(first > 0, high - low, 1.0)
    crossing = times[last] + np.where(first > 0, share, 0.0) * (times[first] - times[last])
    return number_or_array(np.where(above.any(axis=0), crossing, np.inf))


def _log_odds(overlap: float | np.ndarray) -> np.ndarray:
    square = np.clip(np.square(overlap), 1e-30, 1.0 - 1e-12)
    return np.log(square / (1.0 - square))


def _check(alpha: float, learning_rate: float, times: ArrayLike) -> tuple[float, float, np.ndarray]:
    alpha = positive_real(alpha, "alpha")
    learning_rate = positive_real(learning_rate, "learning_rate")
    return alpha, learning_rate, finite_array(not_negative(times, "times"), "times", (None,))


def _strengths(snr: ArrayLike) -> np.ndarray:
    return finite_array(np.atleast_1d(positive(snr, "snr")), "snr", (None,))
