r"""Contrastive divergence (paper eqs. 133-134)."""

from __future__ import annotations

import numpy as np

from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import (
    finite_real,
    not_negative,
    positive_integer,
    random_generator,
    true_or_false,
)
from rbmnotes.algorithms.descent_loop import DescentResult, run_training
from rbmnotes.algorithms.evaluation import Evaluation, evaluate
from rbmnotes.algorithms.gibbs_chains import negative_phase
from rbmnotes.model.hidden_sum import HiddenMoments
from rbmnotes.model.priors import Gaussian, Prior, Rademacher, check_prior


def contrastive_divergence(
    X: ArrayLike,
    W0: ArrayLike,
    learning_rate: float,
    n_iter: int,
    hidden: Prior = Rademacher(),
    visible: Prior = Rademacher(),
    cycles: int = 1,
    persistent: bool = False,
    batch_fraction: float = 1.0,
    W_star: ArrayLike | None = None,
    keep_weights: bool = False,
    rng: Seed = None,
) -> DescentResult:
    r"""Train an RBM by contrastive divergence, CD-$J$ (paper eqs. 133-134).

    .. math::
        W^{t+1}=W^t+\frac\kappa{\sqrt d}\Big(X^\top E[h|X]-V^\top E[h|V]\Big)

    A row of $V$ holds the visible units of a chain after $J$ Gibbs cycles, each of which draws
    hidden units given visible ones and then the reverse. Chains start at the samples. A persistent
    chain starts at its sample once; between steps it is kept by its hidden units, drawn at the end
    of a step, and goes on from these with the new weights. The learning rate has the scale of
    :func:`rbmnotes.gradient_descent`, and :func:`rbmnotes.dmft` with ``method="cd"`` predicts
    chains that start at the samples.

    With mini-batches a sample enters a step with probability $\varpi$, independently of other
    samples and steps; its chain runs only then, and both terms are divided by $\varpi$.

    Parameters
    ----------
    X : (n, d) array
        Data, one sample a row, not necessarily of the visible units' law. ``float32`` data are not
        copied to ``float64``.
    W0 : (d, k) array
        Start, entries of order one.
    learning_rate : float
        $\kappa\ge0$.
    n_iter : int
        Number of iterations.
    hidden : Prior
        Law of a hidden unit.
    visible : Rademacher or Gaussian
        Law of a visible unit of the chains.
    cycles : int
        $J\ge1$.
    persistent : bool
        Whether the chains go on from step to step.
    W_star : (d, r) array, optional
        Signals, only to record the overlaps.
    batch_fraction : float
        $\varpi$ in $(0,1]$.
    keep_weights : bool
        Whether to keep the weights of every iteration.
    rng : int or numpy.random.Generator, optional
        Seed or generator of mini-batches and chains.

    Returns
    -------
    DescentResult
        Loss and gradient of its history are those of the objective that gradient descent follows.
        `converged` is false: the noise of the chains never ends.

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not match.

    Notes
    -----
    Two products with $X$ and the drawing of $Jnd$ signs an iteration; Gaussian visible units are
    not drawn, only what the weights see of them, exactly in law. Memory of a few $n\times k$ and
    $d\times k$ arrays next to the data. The draws and sums of the chains do not depend on the
    number of threads; products with $X$ are left to BLAS, whose threads may change the last digits
    of a result.
    """
    learning_rate = finite_real(not_negative(learning_rate, "learning_rate"), "learning_rate")
    batch_fraction = finite_real(batch_fraction, "batch_fraction", above=0.0)
    if batch_fraction > 1.0:
        raise ValueError(f"batch_fraction must be in (0, 1]; got {batch_fraction}")
    if not isinstance(visible, Gaussian) and check_prior(visible, "visible") != Rademacher():
        raise ValueError(f"visible must be Rademacher() or Gaussian(); got {visible!r}")
    persistent = true_or_false(persistent, "persistent")
    cycles, rng = positive_integer(cycles, "cycles"), random_generator(rng)
    chains: np.ndarray | None = None

    def evaluate_at(X: np.ndarray, W: np.ndarray, moments: HiddenMoments) -> Evaluation:
        return evaluate(X, W, hidden, moments, batch_fraction, rng)

    def step(W: np.ndarray, evaluation: Evaluation) -> np.ndarray:
        nonlocal chains
        rows = slice(None) if evaluation.included is None else evaluation.included
        if chains is None or not persistent:
            chains = hidden.sample_tilted(evaluation.fields, rng)
        push, fields = negative_phase(W, chains[rows], cycles, hidden, visible, rng)
        if persistent:
            chains[rows] = hidden.sample_tilted(fields, rng)
        return W + learning_rate * (evaluation.pull - push / batch_fraction)

    return run_training(
        *(X, W0, evaluate_at, step, n_iter, hidden, W_star), keep_weights=keep_weights
    )
