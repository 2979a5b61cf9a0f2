"""The loop that gradient descent, Adam and contrastive divergence share.

All pull the weights towards the data and push them away from the model; they differ in how they
push, and in nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike
from rbmnotes._validation import (
    finite_array,
    finite_real,
    not_negative,
    positive_integer,
    true_or_false,
)
from rbmnotes.algorithms.evaluation import Evaluation
from rbmnotes.model.hidden_sum import HiddenMoments
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Prior, check_prior

LARGEST_OVERLAP = 1e8
"""Self overlap above which a run counts as diverged."""


@dataclass(frozen=True, eq=False)
class DescentHistory(Frozen):
    r"""Order parameters along a run, ``n_iter + 1`` entries, the start first.

    Attributes
    ----------
    M : (n_iter + 1, r, k) array or None
        $\frac1dW^{\star\top}W^t$; only if the signals were given.
    Q : (n_iter + 1, k, k) array
        $\frac1dW^{t\top}W^t$.
    loss : (n_iter + 1,) array
        Objective $\mathcal L(W^t)$.
    gradient_size : (n_iter + 1,) array
        $\|d\,\nabla\mathcal L(W^t)\|_F/\sqrt{dk}$, of all samples also with mini-batches.
    weights : (n_iter + 1, d, k) array or None
        $W^t$; only if the weights were to be kept.
    """

    M: np.ndarray | None
    Q: np.ndarray
    loss: np.ndarray
    gradient_size: np.ndarray
    weights: np.ndarray | None


@dataclass(frozen=True, eq=False)
class DescentResult(Frozen):
    r"""Outcome of :func:`gradient_descent` or :func:`adam`.

    Attributes
    ----------
    W : (d, k) array
        Weights at the end.
    converged : bool
        Whether the size of the gradient fell below the tolerance.
    n_iter : int
        Number of iterations done.
    message : str
        What happened, in words.
    history : DescentHistory
    """

    W: np.ndarray
    converged: bool
    n_iter: int
    message: str
    history: DescentHistory


def run_training(
    X: ArrayLike,
    W0: ArrayLike,
    evaluate_at: Callable[[np.ndarray, np.ndarray, HiddenMoments], Evaluation],
    step: Callable[[np.ndarray, Evaluation], np.ndarray],
    n_iter: int,
    hidden: Prior,
    W_star: ArrayLike | None = None,
    tol: float = 0.0,
    keep_weights: bool = False,
) -> DescentResult:
    """Move the weights until the end, a small gradient, or divergence.

    Parameters
    ----------
    X : (n, d) array
        Data.
    W0 : (d, k) array
        Start.
    evaluate_at : callable
        ``evaluate_at(X, W, moments)``, an :class:`Evaluation`.
    step : callable
        ``step(W, evaluation)`` returns new weights and leaves the old ones alone.
    n_iter, hidden, W_star, tol, keep_weights
        As of :func:`rbmnotes.gradient_descent`.

    Returns
    -------
    DescentResult

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not match.
    """
    X = finite_array(X, "X", (None, None))
    d = X.shape[1]
    W = finite_array(W0, "W0", (d, None)).astype(np.float64)
    n_iter = positive_integer(n_iter, "n_iter", minimum=0)
    keep_weights = true_or_false(keep_weights, "keep_weights")
    check_prior(hidden, "hidden")
    if W_star is not None:
        W_star = finite_array(W_star, "W_star", (d, None))
    tol = finite_real(not_negative(tol, "tol"), "tol")
    try:
        moments = eta2_moments(W.T @ W / d, hidden)
    except ValueError as error:
        raise ValueError(f"W0 is no start for such units: {error}") from error

    trace, converged, message = [], False, f"not converged after {n_iter} iterations"
    for t in range(n_iter + 1):
        evaluation = evaluate_at(X, W, moments)
        size = evaluation.gradient_size
        M = None if W_star is None else W_star.T @ W / d
        trace.append((M, W.T @ W / d, evaluation.loss, size, W if keep_weights else None))
        if size < tol:
            converged, message = True, "converged"
        if converged or t == n_iter:
            break
        with np.errstate(over="ignore", invalid="ignore"):
            new_W = step(W, evaluation)
        moments = _moments(new_W, hidden)
        if moments is None:
            message = f"diverged at iteration {t + 1}"
            break
        W = new_W
    M, Q, losses, sizes, weights = zip(*trace, strict=True)
    history = DescentHistory(
        M=None if W_star is None else np.array(M),
        Q=np.array(Q),
        loss=np.array(losses),
        gradient_size=np.array(sizes),
        weights=np.array(weights) if keep_weights else None,
    )
    return DescentResult(W, converged, len(trace) - 1, message, history)


def _moments(W: np.ndarray, hidden: Prior) -> HiddenMoments | None:
    r"""Return the moments of $\eta_2$, or None if the weights are too large for them."""
    if not np.abs(W).max() < np.sqrt(LARGEST_OVERLAP * len(W)):
        return None
    Q = W.T @ W / len(W)
    try:
        return eta2_moments(Q, hidden) if Q.diagonal().max() < LARGEST_OVERLAP else None
    except ValueError:
        return None
