"""Names for the types of arguments that many functions take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["ArrayLike", "Groups", "Matrix", "Seed", "Vector"]

Seed = int | np.random.Generator | None
"""What ``rng`` may be; without a seed the draws differ from run to run."""

Vector = np.ndarray | Sequence[float]
"""What holds several numbers, where a number alone would be taken, too."""

Matrix = np.ndarray[tuple[int, int], np.dtype]
"""An array that has been checked to have two axes."""

Groups = np.ndarray | Sequence[Vector]
"""Several arrays, whose lengths may differ."""
