r"""Posteriors of rows seen through a Gaussian channel: the denoisers of Bayes-optimal AMP.

A row $x\in\mathbb R^r$ with independent entries of law $P$ has the weight
$P(x)\,e^{B^\top x-\frac12x^\top Ax}$; the field $B$ is its own, the precision $A$ common to all
rows. Discrete entries are summed over all states, cut into two halves as in
:mod:`rbmnotes.model.hidden_sum`: with tables of $m^{r/2}$ exponentials a row and one common
$m^{r/2}\times m^{r/2}$ matrix, everything is a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes.model.continuous import check_precision
from rbmnotes.model.joint_states import joint_states
from rbmnotes.model.priors import Discrete, Prior

MAX_STATES = 2**16

MAX_COUPLING = 500.0
"""Range of the log weights between the halves up to which no product under- or overflows."""

BLOCK = 2**17
"""Entries of one table of exponentials that are kept at a time."""


@dataclass(frozen=True, eq=False)
class RowPosteriors(Frozen):
    r"""Moments of all rows' posteriors.

    Attributes
    ----------
    mean : (rows, r) array
        Posterior mean of every row.
    covariance : (r, r) array
        Posterior covariance, averaged over the rows.
    log_normalisation : float
        $\log E_{x\sim P}\,e^{B^\top x-\frac12x^\top Ax}$, summed over the rows.
    """

    mean: np.ndarray
    covariance: np.ndarray
    log_normalisation: float


def check_row_states(prior: Prior, r: int, name: str) -> None:
    """Raise, naming the argument that sets the prior, if a row has too many states to sum over."""
    if isinstance(prior, Discrete) and r * np.log(len(prior.support)) > np.log(MAX_STATES) + 1e-9:
        raise ValueError(
            f"{name} must leave at most {MAX_STATES} states of a row to sum over; "
            f"got {len(prior.support)}**{r}"
        )


def row_posteriors(field: np.ndarray, precision: np.ndarray, prior: Prior) -> RowPosteriors:
    r"""Return the posterior moments of rows with independent entries, without checking the input.

    Parameters
    ----------
    field : (rows, r) array
        $B$, one row each.
    precision : (r, r) array
        $A$, symmetric and positive semidefinite.
    prior : Prior
        Law of an entry.

    Returns
    -------
    RowPosteriors
    """
    if isinstance(prior, Discrete):
        check_precision(prior, float(np.linalg.norm(precision, 2)), "snr")
        return _discrete(field, precision, prior)
    return _gaussian(field, precision)


def _gaussian(field: np.ndarray, precision: np.ndarray) -> RowPosteriors:
    covariance = np.linalg.inv(np.eye(len(precision)) + precision)
    covariance = 0.5 * (covariance + covariance.T)
    mean = field @ covariance
    log_determinant = np.linalg.slogdet(covariance)[1]
    value = 0.5 * np.sum(mean * field) + 0.5 * len(field) * log_determinant
    return RowPosteriors(mean, covariance, float(value))


def _discrete(field: np.ndarray, precision: np.ndarray, prior: Discrete) -> RowPosteriors:
    rows, r = field.shape
    half = (r + 1) // 2
    coupling = _coupling(precision, prior, half)
    if np.ptp(coupling) > MAX_COUPLING:  # then every joint state gets its own exponential
        half = r
        coupling = _coupling(precision, prior, half)
    left, left_log = joint_states(prior, half)
    right, right_log = joint_states(prior, r - half)
    left_log = left_log - 0.5 * np.sum((left @ precision[:half, :half]) * left, axis=1)
    right_log = right_log - 0.5 * np.sum((right @ precision[half:, half:]) * right, axis=1)
    offset = coupling.max()
    coupling = np.exp(coupling - offset)

    mean = np.empty((rows, r))
    joint, value = np.zeros(coupling.shape), rows * offset
    step = max(1, BLOCK // max(coupling.shape))
    for first in range(0, rows, step):
        block = slice(first, min(first + step, rows))
        left_weights, left_peak = _exponentials(field[block, :half], left, left_log)
        right_weights, right_peak = _exponentials(field[block, half:], right, right_log)
        seen = left_weights @ coupling
        total = np.sum(seen * right_weights, axis=1)
        value += np.sum(np.log(total)) + left_peak + right_peak
        right_weights /= total[:, None]
        joint += left_weights.T @ right_weights
        mean[block, half:] = (seen * right_weights) @ right
        mean[block, :half] = (left_weights * (right_weights @ coupling.T)) @ left

    joint *= coupling / rows  # probability of a joint state, averaged over the rows
    second = np.empty((r, r))
    second[:half, :half] = left.T @ (joint.sum(axis=1)[:, None] * left)
    second[:half, half:] = left.T @ joint @ right
    second[half:, :half] = second[:half, half:].T
    second[half:, half:] = right.T @ (joint.sum(axis=0)[:, None] * right)
    return RowPosteriors(mean, second - mean.T @ mean / rows, float(value))


def _coupling(precision: np.ndarray, prior: Discrete, half: int) -> np.ndarray:
    """Log weights between the states of the first `half` entries and those of the others."""
    left, right = joint_states(prior, half)[0], joint_states(prior, len(precision) - half)[0]
    return -(left @ precision[:half, half:]) @ right.T


def _exponentials(
    field: np.ndarray, states: np.ndarray, log_weights: np.ndarray
) -> tuple[np.ndarray, float]:
    """Weights of the states of every row, the largest being one, and the summed logs of those."""
    weights = field @ states.T + log_weights
    peaks = weights.max(axis=1, keepdims=True)
    weights -= peaks
    return np.exp(weights, out=weights), peaks.sum()
