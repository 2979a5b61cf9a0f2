r"""The average over the hidden units that is left of the partition function.

The weight of a state is $P_h(h)\,e^{\frac12h^\top Qh+f^\top h}$. Discrete units are summed over all
states: the $k$ units are cut into two halves, which turns the sum over $m^k$ states into one
exponential of an $m^{k/2}\times m^{k/2}$ matrix and three products with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes.model.joint_states import joint_states
from rbmnotes.model.priors import Discrete, Prior

MAX_STATES = 2**26
MAX_UNITS = 2**13


@dataclass(frozen=True, eq=False)
class HiddenMoments(Frozen):
    r"""Moments of the hidden units under $P(h)\propto P_h(h)\,e^{\frac12h^\top Qh+f^\top h}$.

    Attributes
    ----------
    eta2 : float
        Log normalisation.
    mean : (k,) array
        $\langle h\rangle$.
    second : (k, k) array
        $\langle hh^\top\rangle$.
    """

    eta2: float
    mean: np.ndarray
    second: np.ndarray


def check_states(hidden: Prior, k: int, name: str) -> None:
    """Raise, naming the argument that sets `k`, if there are too many units, or states of them."""
    if k > MAX_UNITS:
        raise ValueError(f"{name} must be at most {MAX_UNITS} hidden units; got {k}")
    if isinstance(hidden, Discrete) and len(hidden.support) ** k > MAX_STATES:
        raise ValueError(
            f"{name} must leave at most {MAX_STATES} hidden states to sum over; "
            f"got {len(hidden.support)}**{k}"
        )


def hidden_moments(Q: np.ndarray, hidden: Prior, field: np.ndarray | None = None) -> HiddenMoments:
    """Return the moments for a symmetric matrix and few enough states, without checking either."""
    if isinstance(hidden, Discrete):
        return discrete_moments(Q, hidden, field)
    return gaussian_moments(Q, field)


def gaussian_moments(Q: np.ndarray, field: np.ndarray | None) -> HiddenMoments:
    """Return the closed form for Gaussian units, or raise if $Q$ is not below the identity."""
    eigenvalues = np.linalg.eigvalsh(Q)
    if eigenvalues[-1] >= 1.0:
        raise ValueError(
            "Q must have all eigenvalues below one for Gaussian hidden units (the average is "
            f"infinite otherwise); the largest is {eigenvalues[-1]:.6g}"
        )
    covariance = np.linalg.inv(np.eye(len(Q)) - Q)
    field = np.zeros(len(Q)) if field is None else field
    mean = covariance @ field
    value = -0.5 * np.log1p(-eigenvalues).sum() + 0.5 * field @ mean
    return HiddenMoments(float(value), mean, covariance + np.outer(mean, mean))


def discrete_moments(Q: np.ndarray, hidden: Discrete, field: np.ndarray | None) -> HiddenMoments:
    """Sum over all states of units with a finite support, by halves."""
    k = len(Q)
    half = (k + 1) // 2
    left, left_log = joint_states(hidden, half)
    right, right_log = joint_states(hidden, k - half)
    mirrored = field is None and hidden.is_symmetric
    field = np.zeros(k) if field is None else field
    left_log = left_log + _quadratic(left, Q[:half, :half]) + left @ field[:half]
    right_log = right_log + _quadratic(right, Q[half:, half:]) + right @ field[half:]
    if mirrored:  # h and -h weigh the same: keep one of each pair of left states, count it twice
        kept = (len(left) + 1) // 2
        left, left_log = left[:kept], left_log[:kept] + np.log(2.0)
        if np.array_equal(left[-1], -left[-1]):
            left_log[-1] -= np.log(2.0)

    weights = np.column_stack([left @ Q[:half, half:], left_log, np.ones(len(left))]) @ (
        np.column_stack([right, np.ones(len(right)), right_log]).T
    )
    peak = weights.max()
    weights -= peak
    np.exp(weights, out=weights)
    with_right = weights @ np.column_stack([right, np.ones(len(right))])
    left_weights, right_weights = with_right[:, -1], weights.sum(axis=0)
    total = left_weights.sum()

    second = np.empty((k, k))
    second[:half, :half] = left.T @ (left_weights[:, None] * left)
    second[:half, half:] = left.T @ with_right[:, :-1]
    second[half:, :half] = second[:half, half:].T
    second[half:, half:] = right.T @ (right_weights[:, None] * right)
    mean = np.zeros(k)
    if not mirrored:
        mean = np.concatenate([left_weights @ left, right_weights @ right]) / total
    return HiddenMoments(float(peak + np.log(total)), mean, second / total)


def _quadratic(states: np.ndarray, Q: np.ndarray) -> np.ndarray:
    return 0.5 * np.sum((states @ Q) * states, axis=1)
