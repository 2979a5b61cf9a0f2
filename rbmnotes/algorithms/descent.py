r"""Gradient descent and Adam on the training objective (paper eq. 25)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._validation import (
    finite_array,
    finite_real,
    not_negative,
    positive_integer,
    random_generator,
)
from rbmnotes.algorithms.adam import Adam
from rbmnotes.model.objective import eta1, eta1_gradient, eta2_moments
from rbmnotes.model.priors import Prior, Rademacher, check_prior
from rbmnotes.model.products import times, transposed_times

LARGEST_OVERLAP = 1e8
"""Self overlap above which a run counts as diverged."""


@dataclass(frozen=True)
class DescentHistory:
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


@dataclass(frozen=True)
class DescentResult:
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


def gradient_descent(
    X,
    W0,
    learning_rate: float,
    n_iter: int,
    hidden: Prior = Rademacher(),
    W_star=None,
    tol: float = 0.0,
    keep_weights: bool = False,
    batch_fraction: float = 1.0,
    rng=None,
) -> DescentResult:
    r"""Train an RBM by $W^{t+1}=W^t-\kappa\,d\,\nabla\mathcal L(W^t)$ (paper eq. 25).

    The learning rate multiplies $d\,\nabla\mathcal L$, whose entries are of order one
    (:func:`rbmnotes.loss_gradient`): training takes $O(1)$ iterations at any $d$, and
    :func:`rbmnotes.dmft` predicts them for the same $\kappa$.

    With mini-batches a sample enters a step with probability $\beta$, independently of other
    samples and steps, and its term of the gradient is divided by $\beta$; the term of $\eta_2$,
    which knows no samples, is kept as it is.

    Parameters
    ----------
    X : (n, d) array
        Data, one sample a row. ``float32`` data are not copied to ``float64``.
    W0 : (d, k) array
        Start, entries of order one.
    learning_rate : float
        $\kappa\ge0$.
    n_iter : int
        Largest number of iterations.
    hidden : Prior
        Law of a hidden unit.
    W_star : (d, r) array, optional
        Signals, only to record the overlaps.
    tol : float
        Size of the gradient at which to stop; never by default.
    keep_weights : bool
        Whether to keep the weights of every iteration, for overlaps at two times.
    batch_fraction : float
        $\beta$ in $(0,1]$.
    rng : int or numpy.random.Generator, optional
        Seed or generator of the mini-batches.

    Returns
    -------
    DescentResult
        Also if it diverged: then it ends with the last finite weights, and the message says so.

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not match.

    Notes
    -----
    Two products with $X$ an iteration, time $O(ndk)$; memory of $n\times k$ and $d\times k$ arrays
    next to the data.
    """
    learning_rate = finite_real(not_negative(learning_rate, "learning_rate"), "learning_rate")
    batch_fraction = finite_real(batch_fraction, "batch_fraction", above=0.0)
    if batch_fraction > 1.0:
        raise ValueError(f"batch_fraction must be in (0, 1]; got {batch_fraction}")

    def move(W, gradient):
        W -= learning_rate * gradient

    return _descend(X, W0, move, n_iter, hidden, W_star, tol, keep_weights, batch_fraction, rng)


def adam(
    X,
    W0,
    learning_rate: float,
    n_iter: int,
    hidden: Prior = Rademacher(),
    W_star=None,
    tol: float = 0.0,
    keep_weights: bool = False,
) -> DescentResult:
    r"""Train an RBM by Adam on the objective of paper eq. 15, with all samples in every step.

    Parameters, result and errors as :func:`gradient_descent`, but the learning rate is positive
    and about the distance that an entry of $W$ moves in an iteration; decay rates 0.9 and 0.999.

    Returns
    -------
    DescentResult
    """
    stepper = Adam(learning_rate)

    def move(W, gradient):
        stepper.ascend(W, -gradient)

    return _descend(X, W0, move, n_iter, hidden, W_star, tol, keep_weights)


def _descend(
    X, W0, move, n_iter, hidden, W_star, tol, keep_weights, batch_fraction=1.0, rng=None
) -> DescentResult:
    """Move the weights along gradients until the end, a small gradient, or divergence."""
    X = finite_array(X, "X", (None, None))
    d = X.shape[1]
    W = finite_array(W0, "W0", (d, None)).astype(np.float64)
    n_iter = positive_integer(n_iter, "n_iter", minimum=0)
    check_prior(hidden, "hidden")
    if W_star is not None:
        W_star = finite_array(W_star, "W_star", (d, None))
    tol = finite_real(not_negative(tol, "tol"), "tol")
    rng = random_generator(rng)
    try:
        moments = eta2_moments(W.T @ W / d, hidden)
    except ValueError as error:
        raise ValueError(f"W0 is no start for such units: {error}") from error

    trace, converged, message = [], False, f"not converged after {n_iter} iterations"
    for t in range(n_iter + 1):
        included = None if batch_fraction == 1.0 else rng.random(len(X)) < batch_fraction
        loss, gradient, step = _evaluate(X, W, hidden, moments, included, batch_fraction)
        size = np.linalg.norm(gradient) / np.sqrt(W.size)
        M = None if W_star is None else W_star.T @ W / d
        trace.append((M, W.T @ W / d, loss, size, W if keep_weights else None))
        if size < tol:
            converged, message = True, "converged"
        if converged or t == n_iter:
            break
        new_W = W.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            move(new_W, step)
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


def _evaluate(X, W, hidden, moments, included, batch_fraction):
    r"""Return the objective, $d$ times its gradient, and the gradient that the step follows."""
    n, d = X.shape
    fields = times(X, W) / np.sqrt(d)
    loss = (n * moments.eta2 - eta1(fields, hidden).sum()) / d
    clamped = eta1_gradient(fields, hidden)
    if included is not None:
        clamped = np.hstack([clamped, clamped * (included / batch_fraction)[:, None]])
    pull = transposed_times(X, clamped) / np.sqrt(d)
    penalty, k = n / d * W @ moments.second, W.shape[1]
    return float(loss), penalty - pull[:, :k], penalty - pull[:, -k:]


def _moments(W, hidden):
    r"""Return the moments of $\eta_2$, or None if the weights are too large for them."""
    if not np.abs(W).max() < np.sqrt(LARGEST_OVERLAP * len(W)):
        return None
    Q = W.T @ W / len(W)
    try:
        return eta2_moments(Q, hidden) if Q.diagonal().max() < LARGEST_OVERLAP else None
    except ValueError:
        return None
