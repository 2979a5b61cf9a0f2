r"""Gradient descent and Adam on the training objective (paper eq. 25)."""

from __future__ import annotations

import numpy as np

from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import finite_real, not_negative, random_generator
from rbmnotes.algorithms.adam import Adam
from rbmnotes.algorithms.descent_loop import DescentHistory as DescentHistory
from rbmnotes.algorithms.descent_loop import DescentResult, run_training
from rbmnotes.algorithms.evaluation import Evaluation, evaluate
from rbmnotes.model.hidden_sum import HiddenMoments
from rbmnotes.model.priors import Prior, Rademacher


def gradient_descent(
    X: ArrayLike,
    W0: ArrayLike,
    learning_rate: float,
    n_iter: int,
    hidden: Prior = Rademacher(),
    W_star: ArrayLike | None = None,
    tol: float = 0.0,
    keep_weights: bool = False,
    batch_fraction: float = 1.0,
    rng: Seed = None,
) -> DescentResult:
    r"""Train an RBM by $W^{t+1}=W^t-\kappa\,d\,\nabla\mathcal L(W^t)$ (paper eq. 25).

    The learning rate multiplies $d\,\nabla\mathcal L$, whose entries are of order one
    (:func:`rbmnotes.loss_gradient`): training takes $O(1)$ iterations at any $d$, and
    :func:`rbmnotes.dmft` predicts them for the same $\kappa$.

    With mini-batches a sample enters a step with probability $\varpi$, independently of other
    samples and steps, and its term of the gradient is divided by $\varpi$; the term of $\eta_2$,
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
        $\varpi$ in $(0,1]$.
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

    rng = random_generator(rng)

    def evaluate_at(X: np.ndarray, W: np.ndarray, moments: HiddenMoments) -> Evaluation:
        return evaluate(X, W, hidden, moments, batch_fraction, rng)

    def step(W: np.ndarray, evaluation: Evaluation) -> np.ndarray:
        return W + learning_rate * (evaluation.pull - evaluation.penalty)

    return run_training(X, W0, evaluate_at, step, n_iter, hidden, W_star, tol, keep_weights)


def adam(
    X: ArrayLike,
    W0: ArrayLike,
    learning_rate: float,
    n_iter: int,
    hidden: Prior = Rademacher(),
    W_star: ArrayLike | None = None,
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

    def evaluate_at(X: np.ndarray, W: np.ndarray, moments: HiddenMoments) -> Evaluation:
        return evaluate(X, W, hidden, moments)

    def step(W: np.ndarray, evaluation: Evaluation) -> np.ndarray:
        W = W.copy()
        stepper.ascend(W, -evaluation.gradient)
        return W

    return run_training(X, W0, evaluate_at, step, n_iter, hidden, W_star, tol, keep_weights)
