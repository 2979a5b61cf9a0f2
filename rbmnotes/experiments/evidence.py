r"""What counts as agreement between theory and simulation.

Theory is exact as $d\to\infty$; a simulation has noise over instances and a bias of finite size.
Each function here takes the instances of one comparison, whose sizes, seeds, window and tolerance
were fixed beforehand, and returns a result that ends in *agrees*, *disagrees* or *undecided*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from rbmnotes._validation import finite_array, random_generator

MAX_STANDARD_ERRORS = 3.0
RELATIVE_PRECISION = 0.01
CONFIDENCE = 0.99
MIN_P_VALUE = 0.01
WIDEST_INTERVAL = 0.3


@dataclass(frozen=True)
class Extrapolation:
    """A mean extrapolated to infinite dimension, beside its theory.

    Attributes
    ----------
    value : float
        Extrapolated mean.
    error : float
        Its standard error.
    coefficient : float
        Coefficient of the finite-size correction.
    power : float
        The correction falls as $d^{-power}$.
    theory : float
        Predicted value.
    precise : bool
        Whether every mean's standard error is at most 1 % of the quantity's scale.
    """

    value: float
    error: float
    coefficient: float
    power: float
    theory: float
    precise: bool

    @property
    def z(self) -> float:
        """Distance from theory in standard errors."""
        return (self.value - self.theory) / self.error

    @property
    def verdict(self) -> str:
        """*agrees* within 3 standard errors; *undecided* if the errors are too large to tell."""
        if abs(self.z) > MAX_STANDARD_ERRORS:
            return "disagrees"
        return "agrees" if self.precise else "undecided"

    def __str__(self):
        return (
            f"{_with_error(self.value, self.error)} at infinite d, theory {self.theory:.4g} "
            f"(z = {self.z:+.1f}; correction {self.coefficient:+.2g} d^-{self.power:g})"
        )


def extrapolate(sizes, samples, theory: float, scale: float | None = None, power: float = 1.0):
    """Fit mean(d) = value + coefficient * d**-power and compare the value with theory.

    Parameters
    ----------
    sizes : sequence of int, length at least 3
        Dimensions d.
    samples : sequence of arrays, one a size
        Independent instances at each size.
    theory : float
        Predicted limit.
    scale : float, optional
        Scale of the quantity, of which a standard error may be 1 %; default ``abs(theory)``.
    power : float
        Exponent of the leading finite-size correction.

    Returns
    -------
    Extrapolation

    Raises
    ------
    ValueError
        If there are fewer than three sizes or fewer than two instances at one.
    """
    sizes = finite_array(sizes, "sizes", (None,))
    if len(sizes) < 3 or len(samples) != len(sizes) or min(len(s) for s in samples) < 2:
        raise ValueError("samples must hold at least two instances at each of three sizes or more")
    means = np.array([np.mean(s) for s in samples])
    errors = np.array([np.std(s, ddof=1) / np.sqrt(len(s)) for s in samples])
    design = np.column_stack([np.ones_like(sizes), sizes**-power]) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    value, coefficient = covariance @ design.T @ (means / errors)
    scale = abs(theory) if scale is None else scale
    return Extrapolation(
        value=float(value),
        error=float(np.sqrt(covariance[0, 0])),
        coefficient=float(coefficient),
        power=power,
        theory=float(theory),
        precise=bool(np.all(errors <= RELATIVE_PRECISION * scale)),
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
        if not self.low <= self.theory <= self.high:
            return "disagrees"
        return "agrees" if self.high - self.low <= 0.2 else "undecided"

    def __str__(self):
        half_width = 0.5 * (self.high - self.low)
        return f"slope {_with_error(self.slope, half_width)} (99 %), theory {self.theory:g}"


def rate(sizes, samples, theory: float, n_bootstrap: int = 1000, rng=0) -> Rate:
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


@dataclass(frozen=True)
class PathAgreement:
    """A whole trajectory beside its theory.

    Attributes
    ----------
    largest_z : float
        Largest distance of the mean path from theory, in standard errors.
    p_value : float
        Probability of one as large if theory is right.
    """

    largest_z: float
    p_value: float

    @property
    def verdict(self) -> str:
        """*agrees* if the p-value exceeds 0.01."""
        return "agrees" if self.p_value > MIN_P_VALUE else "disagrees"

    def __str__(self):
        return f"largest |z| along the path {self.largest_z:.1f} (p = {self.p_value:.2f})"


def compare_paths(samples, theory, n_flips: int = 2000, rng=0) -> PathAgreement:
    """Judge a trajectory as one, since its errors are correlated in time.

    The largest ``|z|`` over the entries is compared with its distribution when the deviations of
    whole instances from theory get random signs. Entries that do not vary over the instances (a
    fixed start) must equal theory to 1e-9 and are then left out.

    Parameters
    ----------
    samples : (n, ...) array
        One path an instance, any number of entries; tens of independent instances.
    theory : (...) array
        Predicted path.
    n_flips : int
        Number of random sign vectors.
    rng : int or numpy.random.Generator
        Seed or generator of the signs.

    Returns
    -------
    PathAgreement

    Raises
    ------
    ValueError
        If shapes do not match, there are fewer than ten instances, or nothing varies.
    """
    samples = np.asarray(samples, dtype=float)
    theory = finite_array(theory, "theory", samples.shape[1:])
    if len(samples) < 10:
        raise ValueError(f"samples must hold at least 10 instances; got {len(samples)}")
    deviations = finite_array(samples, "samples", samples.shape) - theory
    deviations = deviations.reshape(len(samples), -1)
    fixed = deviations.std(axis=0) < 1e-12
    if fixed.all():
        raise ValueError("samples must vary over the instances")
    if np.any(np.abs(deviations[0, fixed]) > 1e-9):
        return PathAgreement(largest_z=np.inf, p_value=0.0)
    deviations = deviations[:, ~fixed]
    second_moment = np.mean(deviations**2, axis=0)

    def largest_z(means):
        variance = (second_moment - means**2) / (len(samples) - 1)
        return np.max(np.abs(means) / np.sqrt(variance), axis=-1)

    signs = random_generator(rng).choice([-1.0, 1.0], size=(n_flips, len(samples)))
    observed = largest_z(deviations.mean(axis=0))
    null = largest_z(signs @ deviations / len(samples))
    return PathAgreement(float(observed), float((1 + np.sum(null >= observed)) / (1 + n_flips)))


@dataclass(frozen=True)
class Identity:
    """Two numbers or arrays that must be equal up to round-off.

    Attributes
    ----------
    difference : float
        Largest absolute difference.
    tolerance : float
        Largest one allowed, stated beforehand.
    """

    difference: float
    tolerance: float

    @property
    def verdict(self) -> str:
        """*agrees* if the difference is within the tolerance."""
        return "agrees" if self.difference <= self.tolerance else "disagrees"

    def __str__(self):
        relation = "below" if self.difference <= self.tolerance else "ABOVE"
        return f"largest difference {relation} {self.tolerance:.0e}"


def compare_exactly(values, reference, tolerance: float) -> Identity:
    """Compare two arrays of equal shape entry by entry; NaN never agrees."""
    values, reference = np.asarray(values), np.asarray(reference)
    if values.shape != reference.shape:
        raise ValueError(f"values has shape {values.shape}, reference {reference.shape}")
    difference = float(np.max(np.abs(values - reference)))
    return Identity(np.inf if np.isnan(difference) else difference, tolerance)


@dataclass(frozen=True)
class Count:
    """How often something happened in independent trials, beside its predicted probability.

    Attributes
    ----------
    successes : int
    trials : int
    low : float
        Lower end of the exact 99 % interval of the probability (Clopper and Pearson).
    high : float
        Upper end.
    theory : float
        Predicted probability.
    """

    successes: int
    trials: int
    low: float
    high: float
    theory: float

    @property
    def verdict(self) -> str:
        """*agrees* if the interval holds the theory; *undecided* if it is wider than 0.3."""
        if not self.low <= self.theory <= self.high:
            return "disagrees"
        return "agrees" if self.high - self.low <= WIDEST_INTERVAL else "undecided"

    def __str__(self):
        return (
            f"{self.successes} of {self.trials}, 99 % interval {self.low:.2f} to {self.high:.2f}, "
            f"theory {self.theory:.3g}"
        )


def count(successes: int, trials: int, theory: float) -> Count:
    """Compare a number of successes in independent trials with a predicted probability."""
    interval = binomtest(int(successes), int(trials)).proportion_ci(CONFIDENCE, method="exact")
    low, high = float(interval.low), float(interval.high)
    return Count(int(successes), int(trials), low, high, float(theory))


def _with_error(value: float, error: float) -> str:
    """Format a value with its error to two significant digits of the error."""
    digits = max(0, 1 - int(np.floor(np.log10(error)))) if 0 < error < np.inf else 3
    return f"{value:.{digits}f} ± {error:.{digits}f}"
