"""Two numbers or arrays that must be equal up to round-off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._types import ArrayLike


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

    def __str__(self) -> str:
        relation = "below" if self.difference <= self.tolerance else "ABOVE"
        return f"largest difference {relation} {self.tolerance:.0e}"


def compare_exactly(values: ArrayLike, reference: ArrayLike, tolerance: float) -> Identity:
    """Compare two arrays of equal shape entry by entry; NaN never agrees."""
    values, reference = np.asarray(values), np.asarray(reference)
    if values.shape != reference.shape:
        raise ValueError(f"values has shape {values.shape}, reference {reference.shape}")
    difference = float(np.max(np.abs(values - reference)))
    return Identity(np.inf if np.isnan(difference) else difference, tolerance)
