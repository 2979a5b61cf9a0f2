"""An exponent with which errors fall, against theory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import finite_array, random_generator
from rbmnotes.evidence.rules import (
    CONFIDENCE,
    WIDEST_INTERVAL,
    interval_p_value,
    interval_verdict,
    with_error,
)


@dataclass(frozen=True)
class Rate:
    """An exponent fitted to root-mean-square errors, beside its theory.

    Attributes
    ----------
    slope : float
        Fitted exponent.
    low : float
        Lower end of its 99 % bootstrap interval.
    high : float
        Upper end.
    theory : float
        Predicted exponent.
    """

    slope: float
    low: float
    high: float
    theory: float

    @property
    def verdict(self) -> str:
        """*agrees* if the interval holds the theory; *undecided* if it is wider than 0.2."""
        return interval_verdict(self.low, self.high, self.theory, WIDEST_INTERVAL)

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the theory, with the interval read as a normal law's."""
        return interval_p_value(self.slope, self.low, self.high, self.theory)

    def __str__(self) -> str:
        half_width = 0.5 * (self.high - self.low)
        return f"slope {with_error(self.slope, half_width)} (99 %), theory {self.theory:g}"


def rate(
    sizes: ArrayLike, samples: ArrayLike, theory: float, n_bootstrap: int = 1000, rng: Seed = 0
) -> Rate:
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
    Rate

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
    return Rate(float(slope), float(low), float(high), float(theory))
