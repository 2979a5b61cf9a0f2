r"""SciPy's L-BFGS on the training objective (paper eq. 15)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from rbmnotes._frozen import Frozen
from rbmnotes._types import Matrix
from rbmnotes.algorithms.evaluation import evaluate
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Prior, Rademacher


@dataclass(frozen=True, eq=False)
class Minimum(Frozen):
    r"""Where L-BFGS ended.

    Attributes
    ----------
    W : (d, k) array
        Weights.
    loss : float
        Objective $\mathcal L(W)$.
    gradient_size : float
        $\|d\,\nabla\mathcal L(W)\|_F/\sqrt{dk}$.
    evaluations : int
        Number of gradients, each two products with the data.
    """

    W: np.ndarray
    loss: float
    gradient_size: float
    evaluations: int


class _Ended(Exception):
    """What the caller waited for has come."""

    def __init__(self, minimum: Minimum):
        self.minimum = minimum


def lbfgs(
    X: Matrix,
    W0: Matrix,
    hidden: Prior = Rademacher(),
    largest: float = 1e-8,
    decrease: float = 0.0,
    max_iter: int = 10_000,
    memory: int = 20,
    watch: Callable[[np.ndarray, float], object] | None = None,
) -> Minimum:
    r"""Minimise the objective of paper eq. 15 by L-BFGS.

    Parameters
    ----------
    X : (n, d) array
        Data, one sample a row. ``float32`` data are not copied to ``float64``, which is about
        twice as fast and resolves the loss to a relative 1e-8 only.
    W0 : (d, k) array
        Start.
    hidden : Prior
        Law of a hidden unit.
    largest : float
        Largest entry of $d\,\nabla\mathcal L$ at which to stop.
    decrease : float
        Relative decrease of the loss in an iteration at which to stop.
    max_iter : int
        Largest number of iterations.
    memory : int
        Number of past steps that shape the next.
    watch : callable, optional
        Called as ``watch(W, gradient_size)`` at every evaluation; a true value ends the run there.

    Returns
    -------
    Minimum
        Also if it did not reach one: the size of the gradient tells.
    """
    d, count = X.shape[1], 0

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal count
        W = flat.reshape(W0.shape)
        here = evaluate(X, W, hidden, eta2_moments(W.T @ W / d, hidden))
        count += 1
        if watch is not None and watch(W.copy(), here.gradient_size):
            raise _Ended(Minimum(W.copy(), here.loss, here.gradient_size, count))
        return d * here.loss, here.gradient.ravel()

    options = {
        "maxcor": memory,
        "maxiter": max_iter,
        "maxfun": 2 * max_iter,
        "gtol": largest,
        "ftol": decrease,
    }
    try:
        end = minimize(objective, W0.ravel(), jac=True, method="L-BFGS-B", options=options)
    except _Ended as ended:
        return ended.minimum
    size = float(np.linalg.norm(end.jac) / np.sqrt(W0.size))
    return Minimum(end.x.reshape(W0.shape), float(end.fun / d), size, count)
