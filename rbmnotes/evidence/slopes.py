r"""Slopes against theory: rates at which errors fall, times against $\log d$, exponents.

Tolerance fixed beforehand: a slope agrees if its 99 % bootstrap interval over instances holds the
prediction, and decides nothing if that interval is too wide: 0.2 for a rate, a fifth of the
prediction for others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rbmnotes._types import ArrayLike, Groups, Seed
from rbmnotes._validation import finite_array, random_generator
from rbmnotes.evidence.rules import (
    CONFIDENCE,
    WIDEST_INTERVAL,
    interval_p_value,
    interval_verdict,
    with_error,
)

WIDTH = 0.2
"""Widest interval, as a share of the prediction, that decides anything."""


@dataclass(frozen=True)
class Slope:
    """A measured slope beside its theory.

    Attributes
    ----------
    value : float
        Measured slope.
    low : float
        Lower end of its 99 % bootstrap interval.
    high : float
        Upper end.
    theory : float
        Predicted slope.
    widest : float
        Width of the interval from which on it decides nothing.
    """

    value: float
    low: float
    high: float
    theory: float
    widest: float

    @property
    def verdict(self) -> str:
        """*agrees* if the interval holds the theory; *undecided* if it is too wide to tell."""
        return interval_verdict(self.low, self.high, self.theory, self.widest)

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the theory, with the interval read as a normal law's."""
        return interval_p_value(self.value, self.low, self.high, self.theory)

    def __str__(self) -> str:
        half_width = 0.5 * (self.high - self.low)
        return f"slope {with_error(self.value, half_width)} (99 %), theory {self.theory:.4g}"


def rate(
    sizes: ArrayLike, samples: ArrayLike, theory: float, n_bootstrap: int = 1000, rng: Seed = 0
) -> Slope:
    """Fit the exponent with which the root mean square over instances falls.

    Parameters
    ----------
    sizes : (s,) array
        Dimensions (or times) in the window of the fit.
    samples : (s, n) array
        Error of each instance at each size, n at least 20; instances are independent.
    theory : float
        Predicted exponent.
    n_bootstrap : int
        Number of resamplings of the instances.
    rng : int or numpy.random.Generator
        Seed or generator of the resampling.

    Returns
    -------
    Slope
        An exponent.

    Raises
    ------
    ValueError
        If the shapes do not match or there are fewer than 20 instances.
    """
    sizes = finite_array(sizes, "sizes", (None,))
    squares = finite_array(samples, "samples", (len(sizes), None)) ** 2
    n = squares.shape[1]
    if n < 20:
        raise ValueError(f"samples must hold at least 20 instances; got {n}")
    log_sizes = np.log(sizes)
    weights = (log_sizes - log_sizes.mean()) / np.sum((log_sizes - log_sizes.mean()) ** 2)
    draws = random_generator(rng).integers(n, size=(n_bootstrap, len(sizes), n))
    resampled = np.take_along_axis(squares[None], draws, axis=2).mean(axis=2)
    low, high = np.quantile(
        0.5 * np.log(resampled) @ weights, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2]
    )
    slope = 0.5 * np.log(squares.mean(axis=1)) @ weights
    return Slope(float(slope), float(low), float(high), float(theory), WIDEST_INTERVAL)


def compare_slope(
    sizes: ArrayLike,
    differences: Groups,
    predicted: ArrayLike,
    n_bootstrap: int = 1000,
    rng: Seed = 0,
) -> Slope:
    r"""Compare how times grow with $\log d$ with a law, instance by instance.

    Each instance gives the difference of a measured time from what the law says for its own start;
    the start's luck drops out. The means over instances are fitted as $a+b\log d+c/d$: $c$ is the
    correction of finite size, $a$ a constant that a law for the slope leaves free, and $b$ adds to
    the slope of the law.

    Parameters
    ----------
    sizes : (s,) array
        Dimensions, at least four.
    differences : sequence of s arrays
        Measured less predicted time of independent instances at each size.
    predicted : (s,) array
        The law's mean time over all starts.
    n_bootstrap : int
        Number of resamplings of the instances.
    rng : int or numpy.random.Generator
        Seed or generator of the resampling.

    Returns
    -------
    Slope
        Of the time, per unit of $\log d$.

    Raises
    ------
    ValueError
        If shapes do not match, or there are fewer than four sizes or two instances at one.
    """
    sizes = finite_array(sizes, "sizes", (None,))
    if len(sizes) < 4 or len(differences) != len(sizes) or min(map(len, differences)) < 2:
        raise ValueError("differences must hold two instances or more at each of four sizes")
    predicted = finite_array(predicted, "predicted", (len(sizes),))
    groups = [finite_array(group, "differences", (None,)) for group in differences]
    errors = np.array([np.std(group, ddof=1) / np.sqrt(len(group)) for group in groups])
    row = _slope_weights(np.column_stack([np.log(sizes), np.ones_like(sizes), 1 / sizes]), errors)
    theory = float(
        _slope_weights(np.column_stack([np.log(sizes), np.ones_like(sizes)]), errors) @ predicted
    )
    rng = random_generator(rng)
    resampled = np.array(
        [
            [rng.choice(group, size=len(group)).mean() for group in groups]
            for _ in range(n_bootstrap)
        ]
    )
    low, high = map(
        float, np.quantile(resampled @ row, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    )
    value = float(row @ np.array([group.mean() for group in groups]))
    return Slope(theory + value, theory + low, theory + high, theory, WIDTH * abs(theory))


def _slope_weights(design: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """First row of the matrix that maps means to least-squares coefficients."""
    return np.linalg.lstsq(design / errors[:, None], np.diag(1.0 / errors), rcond=None)[0][0]


def compare_exponent(
    exponent: Callable[[np.ndarray], np.ndarray],
    samples: ArrayLike,
    theory: float,
    n_bootstrap: int = 1000,
    rng: Seed = 0,
) -> Slope:
    """Compare an exponent fitted to means over instances with its theory.

    Parameters
    ----------
    exponent : callable
        ``exponent(means)`` fits it, for (..., m) arrays of means.
    samples : (n, m) array
        Independent instances, at least ten.
    theory : float
        Predicted exponent.
    n_bootstrap, rng
        As of :func:`compare_slope`.

    Returns
    -------
    Slope

    Raises
    ------
    ValueError
        If there are fewer than ten instances or a number is not finite.
    """
    samples = finite_array(samples, "samples", (None, None))
    if len(samples) < 10:
        raise ValueError(f"samples must hold at least 10 instances; got {len(samples)}")
    draws = random_generator(rng).integers(len(samples), size=(n_bootstrap, len(samples)))
    fitted = exponent(samples[draws].mean(axis=1))
    low, high = np.quantile(fitted, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    value, widest = float(exponent(samples.mean(axis=0))), WIDTH * abs(theory)
    return Slope(value, float(low), float(high), float(theory), widest)
