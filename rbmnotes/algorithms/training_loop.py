"""What gradient descent and contrastive divergence share: the data's side of a step, and the loop.

Both pull the weights towards the data and push them away from the model; they differ in how they
push, and in nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rbmnotes._validation import finite_array, finite_real, not_negative, positive_integer
from rbmnotes.algorithms.descent import LARGEST_OVERLAP, DescentHistory, DescentResult
from rbmnotes.model.hidden_sum import HiddenMoments
from rbmnotes.model.objective import eta1, eta1_gradient, eta2_moments
from rbmnotes.model.priors import Prior, check_prior
from rbmnotes.model.products import times, transposed_times


@dataclass(frozen=True)
class Evaluation:
    r"""The objective at some weights, and what a step from there needs.

    Attributes
    ----------
    fields : (n, k) array
        $XW/\sqrt d$.
    loss : float
        Objective $\mathcal L(W)$.
    gradient : (d, k) array
        $d\,\nabla\mathcal L(W)$, of all samples.
    pull : (d, k) array
        $\frac1{\sqrt d}X^\top\sigma\eta_1'$, with the weights $\sigma$ of the samples in this step.
    included : (n,) array of bool, or None
        Samples of this step; None for all of them.
    """

    fields: np.ndarray
    loss: float
    gradient: np.ndarray
    pull: np.ndarray
    included: np.ndarray | None


def evaluate(X, W, hidden: Prior, moments: HiddenMoments, batch_fraction, rng) -> Evaluation:
    r"""Evaluate objective and gradient, and draw the samples of a step.

    Parameters
    ----------
    X : (n, d) array
    W : (d, k) array
    hidden : Prior
    moments : HiddenMoments
        Of $\eta_2$ at $W^\top W/d$.
    batch_fraction : float
        Probability $\beta$ of a sample to enter; it then has the weight $1/\beta$.
    rng : numpy.random.Generator
        Not used if $\beta=1$.

    Returns
    -------
    Evaluation
    """
    (n, d), k = X.shape, W.shape[1]
    fields = times(X, W) / np.sqrt(d)
    loss = (n * moments.eta2 - eta1(fields, hidden).sum()) / d
    clamped, included = eta1_gradient(fields, hidden), None
    if batch_fraction < 1.0:
        included = rng.random(n) < batch_fraction
        clamped = np.hstack([clamped, clamped * (included / batch_fraction)[:, None]])
    pull = transposed_times(X, clamped) / np.sqrt(d)
    gradient = n / d * W @ moments.second - pull[:, :k]
    return Evaluation(fields, float(loss), gradient, pull[:, -k:], included)


def run_training(
    X,
    W0,
    evaluate_at: Callable[[np.ndarray, np.ndarray, HiddenMoments], Evaluation],
    step: Callable[[np.ndarray, Evaluation], np.ndarray],
    n_iter: int,
    hidden: Prior,
    W_star=None,
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
        size = np.linalg.norm(evaluation.gradient) / np.sqrt(W.size)
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


def _moments(W, hidden):
    r"""Return the moments of $\eta_2$, or None if the weights are too large for them."""
    if not np.abs(W).max() < np.sqrt(LARGEST_OVERLAP * len(W)):
        return None
    Q = W.T @ W / len(W)
    try:
        return eta2_moments(Q, hidden) if Q.diagonal().max() < LARGEST_OVERLAP else None
    except ValueError:
        return None
