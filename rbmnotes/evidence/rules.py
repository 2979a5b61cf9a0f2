"""The numbers of the protocol, fixed for the whole book, and how results are written."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.stats import norm

MAX_STANDARD_ERRORS = 3.0
"""A point agrees within this many standard errors."""

RELATIVE_PRECISION = 0.01
"""Largest standard error of a mean, as a share of the quantity's scale, that decides anything."""

CONFIDENCE = 0.99
"""Level of every interval."""

MIN_P_VALUE = 0.01
"""A path, or many comparisons together, agree above this p-value."""

WIDEST_INTERVAL = 0.2
"""Widest interval of a probability, or of an exponent, that decides anything."""

NOTABLE_SHIFT = 0.03
"""A result says which change of the theory it would notice where that is more than this."""


class Comparison(Protocol):
    """What has a p-value."""

    @property
    def p_value(self) -> float:
        """Of the comparison with theory."""


def interval_verdict(low: float, high: float, theory: float, widest: float) -> str:
    """*agrees* if the interval holds the theory, *undecided* if it is wider than `widest`."""
    if not low <= theory <= high:
        return "disagrees"
    return "agrees" if high - low <= widest else "undecided"


def interval_p_value(value: float, low: float, high: float, theory: float) -> float:
    """Two-sided p-value of the theory, with the interval read as a normal law's."""
    error = 0.5 * (high - low) / norm.isf(0.5 - CONFIDENCE / 2)
    return float(2 * norm.sf(abs(value - theory) / error))


def with_error(value: float, error: float) -> str:
    """Format a value with its error to two significant digits of the error."""
    digits = max(0, 1 - int(np.floor(np.log10(error)))) if 0 < error < np.inf else 3
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def p_text(p_value: float) -> str:
    """Format a p-value: one significant digit, and none that reads as zero."""
    if p_value < 0.001:
        return "p < 0.001"
    return f"p = {p_value:.1g}"


def power_text(detectable: float) -> str:
    """Say how far off a theory would have to be, where that is worth saying."""
    if not detectable > NOTABLE_SHIFT:
        return ""
    if np.isinf(detectable):
        return "; no change of scale would be noticed"
    return f"; would notice {100 * detectable:.0f} %"
