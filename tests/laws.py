"""Laws of a unit that the tests share, each under one name."""

import numpy as np

from rbmnotes import Discrete


def sparse(share):
    """Signs with a probability, else zero: variance one."""
    return Discrete(
        (-np.sqrt(1 / share), 0.0, np.sqrt(1 / share)), (share / 2, 1 - share, share / 2)
    )


SKEWED = Discrete((-0.5, 2.0), (0.8, 0.2))
"""Mean zero, variance one, third moment 3/2."""

TERNARY = sparse(0.5)

WIDE_TERNARY = Discrete((-1.5, 0.0, 1.5), (0.25, 0.5, 0.25))
"""Symmetric, an odd number of points, variance 9/8."""

FOUR = Discrete((-2.0, -0.5, 0.5, 2.0), (0.1, 0.4, 0.4, 0.1))
"""Symmetric, an even number of points, variance one."""

UNEVEN = Discrete((-1.0, 0.5, 3.0), (0.5, 0.375, 0.125))
"""Mean 1/16, skewed."""
