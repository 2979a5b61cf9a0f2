r"""Means over instances at several sizes, extrapolated to $d\to\infty$ beside theory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.stats import norm

from rbmnotes._types import ArrayLike, Groups
from rbmnotes._validation import finite_array
from rbmnotes.evidence.rules import (
    MAX_STANDARD_ERRORS,
    RELATIVE_PRECISION,
    power_text,
    with_error,
)

PLAUSIBLE_POWERS = (1.0, 2 / 3, 1 / 2)
"""Exponents of a finite-size correction that theory has given in one problem or another."""


def _power(exponent: float) -> str:
    """Write a power of the dimension, d^-2/3 and not d^-0.6667."""
    return f"d^-{Fraction(exponent).limit_denominator(12)}"


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
    scale : float
        Scale of the quantity.
    """

    value: float
    error: float
    coefficient: float
    power: float
    theory: float
    precise: bool
    scale: float

    @property
    def z(self) -> float:
        """Distance from theory in standard errors."""
        return (self.value - self.theory) / self.error

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the theory."""
        return float(2 * norm.sf(abs(self.z)))

    @property
    def detectable(self) -> float:
        """Three standard errors as a share of the scale; a smaller error of theory may pass."""
        return MAX_STANDARD_ERRORS * self.error / self.scale if self.scale > 0 else np.inf

    @property
    def verdict(self) -> str:
        """*agrees* within 3 standard errors; *undecided* if the errors are too large to tell."""
        if abs(self.z) > MAX_STANDARD_ERRORS:
            return "disagrees"
        return "agrees" if self.precise else "undecided"

    def __str__(self) -> str:
        return (
            f"{with_error(self.value, self.error)} at infinite d, theory {self.theory:.4g} "
            f"(z = {self.z:+.1f}; correction {self.coefficient:+.1g} {_power(self.power)}"
            f"{power_text(self.detectable)})"
        )


def extrapolate(
    sizes: ArrayLike,
    samples: Groups,
    theory: float,
    scale: float | None = None,
    power: float = 1.0,
) -> Extrapolation:
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
        scale=float(scale),
    )


@dataclass(frozen=True)
class Extrapolations:
    """One mean extrapolated with several exponents, where theory does not say which is right.

    Attributes
    ----------
    fits : tuple of Extrapolation
        One for each exponent.
    """

    fits: tuple[Extrapolation, ...]

    @property
    def verdict(self) -> str:
        """What all exponents say; *undecided* where they differ."""
        verdicts = {fit.verdict for fit in self.fits}
        return verdicts.pop() if len(verdicts) == 1 else "undecided"

    def __str__(self) -> str:
        values = ", ".join(
            f"{with_error(fit.value, fit.error)} by {_power(fit.power)}" for fit in self.fits
        )
        return f"{values}; theory {self.fits[0].theory:.4g}"


def extrapolate_all(
    sizes: ArrayLike,
    samples: Groups,
    theory: float,
    scale: float | None = None,
    powers: Sequence[float] = PLAUSIBLE_POWERS,
) -> Extrapolations:
    """Extrapolate with every plausible exponent of the correction, and judge by all of them.

    Parameters
    ----------
    sizes, samples, theory, scale
        As of `extrapolate`.
    powers : sequence of float
        Exponents of the leading finite-size correction.

    Returns
    -------
    Extrapolations
    """
    return Extrapolations(
        tuple(extrapolate(sizes, samples, theory, scale, power) for power in powers)
    )
