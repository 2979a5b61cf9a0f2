r"""Mini-batch training of an RBM on binary data: by its likelihoods, or by contrastive divergence.

All methods climb the gradient "average over the data minus average over the model" (paper eqs.
8-10, 46-48) with the same optimizer and differ only in the model average: Theorem 1's, the exact
one, or that of Gibbs chains (paper eqs. 133-134).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import positive_integer
from rbmnotes.likelihood.epochs import RBMTraining, check_data
from rbmnotes.model.priors import Bernoulli, Prior
from rbmnotes.model.rbm import RBM


@dataclass(frozen=True, eq=False)
class TrainingHistory(Frozen):
    """What was recorded in every epoch.

    Attributes
    ----------
    seconds : (n_epochs,) array
        Time spent on training up to the end of the epoch, callbacks not counted.
    gradient_size : (n_epochs,) array
        Root mean square, over the batches, of the norm of the gradient a sample.
    """

    seconds: np.ndarray
    gradient_size: np.ndarray


@dataclass(frozen=True, eq=False)
class TrainingResult(Frozen):
    """Outcome of :func:`train_rbm`.

    Attributes
    ----------
    rbm : RBM
        The machine at the end; if it diverged, before the step that left the bounds.
    n_epochs : int
        Number of epochs completed.
    diverged : bool
        Whether a parameter exceeded ``1e6`` or was not finite, which ends the training.
    message : str
        What happened, in words.
    history : TrainingHistory
    """

    rbm: RBM
    n_epochs: int
    diverged: bool
    message: str
    history: TrainingHistory


def train_rbm(
    X: ArrayLike,
    k: int,
    method: str = "effective",
    *,
    cycles: int = 1,
    hidden: Prior = Bernoulli(),
    learning_rate: float = 0.02,
    batch_size: int | None = None,
    n_epochs: int = 10,
    rng: Seed = None,
    start: RBM | None = None,
    callback: Callable[[int, RBM, float], object] | None = None,
    means: bool = False,
) -> TrainingResult:
    r"""Train an RBM with Rademacher visible units by Adam on mini-batches.

    Every epoch visits the samples in a new random order; those left over when the batches are full
    wait for the next epoch. With $B$ the batch size, a batch contributes the gradient of

    * ``"effective"``: $\frac1B\log\tilde L$ (paper eqs. 8-10, 46-48), at a cost of $m^k$;
    * ``"tangent"``: a tighter lower bound at nearly the same price (ours); its points follow the
      machine, one step a batch (:class:`rbmnotes.likelihood.tangent.TangentPoints`);
    * ``"exact"``: $\frac1B\log L$, by a sum over the $m^k$ hidden states, at a cost of $m^kd$;

    or its estimate, with $E[v\,E[h|v]^\top]$ and so on taken from

    * ``"cd"``: CD-$m$, chains of `cycles` Gibbs cycles from the batch (paper eqs. 133-134);
    * ``"pcd"``: as many persistent chains as the batch has samples, which begin at random samples
      and run for `cycles` Gibbs cycles a batch.

    Results are the same for any number of numba threads.

    Parameters
    ----------
    X : (n, d) array of -1 and +1
        Data, one sample a row; an ``int8`` array is not copied. Except for the last two methods
        also means in between, such as shades of grey. Values from 0 to 1 become such as
        ``2 * X - 1``.
    k : int
        Number of hidden units.
    method : {"effective", "tangent", "exact", "cd", "pcd"}
        What to climb.
    cycles : int
        Gibbs cycles between updates; only for the last two methods.
    hidden : Discrete
        Law of a hidden unit; of two points for the last two methods.
    learning_rate : float
        About the distance that a parameter moves in a step; weights are of order one, with fields
        $XW/\sqrt d$.
    batch_size : int, optional
        At most n; if absent 100, or all samples if they are fewer.
    n_epochs : int
        Number of passes through the data.
    rng : int or numpy.random.Generator, optional
        Seed or generator: of the start, the batches and the chains.
    start : RBM, optional
        Where to begin; a machine of :func:`rbmnotes.independent_start` if absent.
    callback : callable, optional
        Called as ``callback(epoch, rbm, seconds)`` after every epoch, counted from one, with the
        training time so far; a true value ends the training.
    means : bool
        Whether data without any negative value are meant as they are, zero for a pixel of which
        nothing is known. They are refused otherwise, as zeros and ones, or shades from 0 to 1.

    Returns
    -------
    TrainingResult

    Raises
    ------
    ValueError
        If an argument is out of range, shapes do not match, `X` holds other values, or the
        likelihood methods would have to sum over more than ``2**26`` hidden states.
    """
    n_epochs = positive_integer(n_epochs, "n_epochs")
    if callback is not None and not callable(callback):
        raise ValueError(f"callback must be callable; got {callback!r}")
    training = RBMTraining(
        X,
        k,
        method,
        cycles=cycles,
        hidden=hidden,
        learning_rate=learning_rate,
        batch_size=batch_size,
        rng=rng,
        start=start,
        means=means,
    )
    X = check_data(X, method, means)
    seconds, sizes, total, message = [], [], 0.0, f"{n_epochs} epochs done"
    for epoch in range(1, n_epochs + 1):
        began = time.perf_counter()
        size = training.epoch(X)
        if training.diverged:
            message = f"diverged in epoch {epoch}"
            break
        total += time.perf_counter() - began
        seconds.append(total)
        sizes.append(size)
        if callback is not None and callback(epoch, training.rbm, total):
            message = f"stopped by the callback after {epoch} of {n_epochs} epochs"
            break
    history = TrainingHistory(np.array(seconds), np.array(sizes))
    return TrainingResult(training.rbm, len(seconds), training.diverged, message, history)
