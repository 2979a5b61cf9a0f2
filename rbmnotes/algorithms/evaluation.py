r"""The training objective and its gradient: the one place where algorithms compute them.

:func:`rbmnotes.loss` and :func:`rbmnotes.loss_gradient` return the same numbers, for any RBM and
with checks; here both come from one pass over the data, in two products with a few columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._types import Matrix
from rbmnotes.model.hidden_sum import HiddenMoments
from rbmnotes.model.objective import eta1, eta1_gradient
from rbmnotes.model.priors import Prior
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
    penalty : (d, k) array
        Part of the gradient that knows no samples.
    pull : (d, k) array
        $\frac1{\sqrt d}X^\top\sigma\eta_1'$, with the weights $\sigma$ of the samples in this step.
    included : (n,) array of bool, or None
        Samples of this step; None for all of them.
    """

    fields: np.ndarray
    loss: float
    gradient: np.ndarray
    penalty: np.ndarray
    pull: np.ndarray
    included: np.ndarray | None

    @property
    def gradient_size(self) -> float:
        r"""Return $\|d\,\nabla\mathcal L\|_F/\sqrt{dk}$."""
        return float(np.linalg.norm(self.gradient) / np.sqrt(self.gradient.size))


def evaluate(
    X: Matrix,
    W: np.ndarray,
    hidden: Prior,
    moments: HiddenMoments,
    batch_fraction: float = 1.0,
    rng: np.random.Generator = None,  # type: ignore[assignment]  # not used without mini-batches
) -> Evaluation:
    r"""Evaluate objective and gradient, and draw the samples of a step.

    Parameters
    ----------
    X : (n, d) array
    W : (d, k) array
    hidden : Prior
    moments : HiddenMoments
        Of $\eta_2$ at $W^\top W/d$.
    batch_fraction : float
        Probability $\varpi$ of a sample to enter; it then has the weight $1/\varpi$.
    rng : numpy.random.Generator
        Not used if $\varpi=1$.

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
    penalty = n / d * W @ moments.second
    return Evaluation(fields, float(loss), penalty - pull[:, :k], penalty, pull[:, -k:], included)
