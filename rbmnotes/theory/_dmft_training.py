"""What the mean-field theory is told of a training, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._types import ArrayLike
from rbmnotes._validation import finite_array, finite_real, not_negative, positive_integer
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Prior, check_prior
from rbmnotes.model.spiked import SpikedModel


@dataclass(frozen=True)
class Training:
    """What is trained and how; no cycles stands for gradient descent."""

    alpha: float
    snr: np.ndarray
    prior_u: Prior
    hidden: Prior
    M0: np.ndarray
    Q0: np.ndarray
    learning_rate: float
    n_iter: int
    cycles: int
    batch_fraction: float

    @property
    def n_inputs(self) -> int:
        """Random numbers that one path consumes."""
        r, k = self.M0.shape
        return r + (self.n_iter + 1) * k


def checked_training(
    model: SpikedModel,
    M0: ArrayLike,
    Q0: ArrayLike,
    learning_rate: float,
    n_iter: int,
    hidden: Prior,
    method: str,
    cycles: int,
    batch_fraction: float,
) -> Training:
    """Check the arguments that say what is trained."""
    if not isinstance(model, SpikedModel):
        raise ValueError(f"model must be a SpikedModel; got {model!r}")
    check_prior(hidden, "hidden")
    M0 = finite_array(M0, "M0", (model.r, None)).astype(np.float64, copy=False)
    k = M0.shape[1]
    Q0 = finite_array(Q0, "Q0", (k, k)).astype(np.float64, copy=False)
    if np.abs(Q0 - Q0.T).max() > 1e-10 * np.abs(Q0).max():
        raise ValueError("Q0 must be symmetric")
    Q0 = 0.5 * (Q0 + Q0.T)
    if np.linalg.eigvalsh(Q0)[0] <= 0 or np.linalg.eigvalsh(Q0 - M0.T @ M0)[0] < -1e-10:
        raise ValueError("Q0 must be positive definite and at least M0^T M0")
    try:
        eta2_moments(Q0, hidden)
    except ValueError as error:
        raise ValueError(f"Q0 is no start for such units: {error}") from error
    if not isinstance(method, str) or method not in ("gd", "cd"):
        raise ValueError(f'method must be "gd" or "cd"; got {method!r}')
    cycles = positive_integer(cycles, "cycles")
    batch_fraction = finite_real(batch_fraction, "batch_fraction", above=0.0)
    if batch_fraction > 1.0:
        raise ValueError(f"batch_fraction must be in (0, 1]; got {batch_fraction}")
    return Training(
        alpha=model.alpha,
        snr=model.information_coefficient * np.array(model.snr),
        prior_u=model.prior_u,
        hidden=hidden,
        M0=M0,
        Q0=Q0,
        learning_rate=finite_real(not_negative(learning_rate, "learning_rate"), "learning_rate"),
        n_iter=positive_integer(n_iter, "n_iter", minimum=0),
        cycles=cycles if method == "cd" else 0,
        batch_fraction=batch_fraction,
    )
