"""Order parameters: how weights align with the planted signals and with each other."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from rbmnotes._types import ArrayLike
from rbmnotes._validation import finite_array


def overlap(W_star: ArrayLike, W: ArrayLike) -> np.ndarray:
    r"""Return the cosine between every signal and every unit (paper eq. 137).

    Parameters
    ----------
    W_star : (d, r) array
        Signals.
    W : (d, k) array
        Weights. Their scale does not matter.

    Returns
    -------
    (r, k) array
        Signed cosines; zero for a column that is zero and so has no direction.

    Raises
    ------
    ValueError
        If the number of rows differs or a value is not finite.
    """
    W_star = _scaled(finite_array(W_star, "W_star", (None, None), largest=np.inf))
    W = _scaled(finite_array(W, "W", (len(W_star), None), largest=np.inf))
    norms = np.outer(np.linalg.norm(W_star, axis=0), np.linalg.norm(W, axis=0))
    products = W_star.T @ W
    return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)


def _scaled(W: np.ndarray) -> np.ndarray:
    """Return the columns times powers of two, which keeps their digits, with entries below one."""
    W = W.astype(np.float64, copy=False)
    return np.ldexp(W, -np.frexp(np.abs(W).max(axis=0))[1])


def matched_overlap(W_star: ArrayLike, W: ArrayLike) -> np.ndarray:
    """Return the absolute cosines under the best assignment of units to signals.

    The assignment maximises the summed absolute cosine (Hungarian algorithm), so that neither the
    order nor the sign of the units matters.

    Parameters
    ----------
    W_star : (d, r) array
        Signals.
    W : (d, k) array
        Weights.

    Returns
    -------
    (min(r, k),) array
        In the order of the signals that got a unit.

    Raises
    ------
    ValueError
        As :func:`overlap`.
    """
    cosines = np.abs(overlap(W_star, W))
    return cosines[linear_sum_assignment(cosines, maximize=True)]
