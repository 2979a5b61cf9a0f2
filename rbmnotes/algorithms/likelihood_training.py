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

from rbmnotes._validation import finite_real, positive_integer, random_generator
from rbmnotes.algorithms.adam import Adam
from rbmnotes.algorithms.ascent import ContrastiveAscent, LikelihoodAscent, Parameters
from rbmnotes.model.hidden_sum import MAX_STATES
from rbmnotes.model.priors import Bernoulli, Discrete, Prior, Rademacher, check_prior
from rbmnotes.model.rbm import RBM

CHAIN_METHODS = ("cd", "pcd")
METHODS = ("effective", "tangent", "exact", *CHAIN_METHODS)
LARGEST_PARAMETER = 1e6


@dataclass(frozen=True)
class TrainingHistory:
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


@dataclass(frozen=True)
class TrainingResult:
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
    X,
    k: int,
    method: str = "effective",
    *,
    cycles: int = 1,
    hidden: Prior = Bernoulli(),
    learning_rate: float = 0.02,
    batch_size: int = 100,
    n_epochs: int = 10,
    rng=None,
    start: RBM | None = None,
    callback: Callable[[int, RBM, float], object] | None = None,
) -> TrainingResult:
    r"""Train an RBM with Rademacher visible units by Adam on mini-batches.

    Every epoch visits the samples in a new random order; those left over when the batches are full
    wait for the next epoch. With $B$ the batch size, a batch contributes the gradient of

    * ``"effective"``: $\frac1B\log\tilde L$ (paper eqs. 8-10, 46-48), at a cost of $m^k$;
    * ``"tangent"``: a tighter lower bound at the same price
      (:func:`rbmnotes.model.tangent.tangent_average`, ours);
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
        also means in between, such as shades of grey.
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
    batch_size : int
        At most n.
    n_epochs : int
        Number of passes through the data.
    rng : int or numpy.random.Generator, optional
        Seed or generator: of the start, the batches and the chains.
    start : RBM, optional
        Where to begin; :func:`independent_start` if absent.
    callback : callable, optional
        Called as ``callback(epoch, rbm, seconds)`` after every epoch, counted from one, with the
        training time so far; a true value ends the training.

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
    X = _check_inputs(X, _check_method(method))
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
    )
    seconds, sizes, total, message = [], [], 0.0, f"{n_epochs} epochs done"
    for epoch in range(1, n_epochs + 1):
        began = time.perf_counter()
        size = training._visit(X)
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


class RBMTraining:
    """Training that can be continued, epoch by epoch, with the memory of its optimizer.

    Parameters are those of :func:`train_rbm`, which says what they mean.

    Attributes
    ----------
    rbm : RBM
        The machine as it is now.
    diverged : bool
        Whether a parameter exceeded ``1e6`` or was not finite; the step that did it is undone.
    """

    def __init__(
        self,
        X,
        k: int,
        method: str = "effective",
        *,
        cycles: int = 1,
        hidden: Prior = Bernoulli(),
        learning_rate: float = 0.02,
        batch_size: int = 100,
        rng=None,
        start: RBM | None = None,
    ):
        _check_law(hidden, k := positive_integer(k, "k"), method)
        X = _check_inputs(X, method)
        n, d = X.shape
        cycles, batch_size = (
            positive_integer(cycles, "cycles"),
            positive_integer(batch_size, "batch_size"),
        )
        if batch_size > n:
            raise ValueError(
                f"batch_size must be at most the number of samples, {n}; got {batch_size}"
            )
        self._optimizer = Adam(finite_real(learning_rate, "learning_rate", above=0.0))
        self._rng = random_generator(rng)
        if start is None:
            start = independent_start(X, k, hidden, method == "effective", rng=self._rng)
        _check_start(start, d, k, hidden)
        if method in CHAIN_METHODS:
            chains = X[self._rng.choice(n, size=batch_size, replace=False)]
            self._ascent = ContrastiveAscent(hidden, cycles, method == "pcd", chains, self._rng)
        else:
            self._ascent = LikelihoodAscent(hidden, method)
        self._method, self._hidden, self._batch_size = method, hidden, batch_size
        self._parameters = Parameters.of(start)
        self._gradient = Parameters(np.empty_like(self._parameters.vector), d, k)
        self.diverged = False

    @property
    def rbm(self) -> RBM:
        """The machine with a copy of the parameters."""
        return self._parameters.rbm(self._hidden)

    def epoch(self, X) -> float:
        """Visit the samples once in a new random order.

        Parameters
        ----------
        X : (n, d) array
            Data as before, or new ones of the same width. Fewer than a batch make one batch; those
            left over when the batches are full wait for the next epoch.

        Returns
        -------
        float
            Root mean square, over the batches, of the norm of the gradient a sample.
        """
        return self._visit(_check_inputs(X, self._method, width=self._parameters.W_T.shape[1]))

    def _visit(self, X):
        n, size = len(X), min(self._batch_size, len(X))
        vector, squares = self._parameters.vector, 0.0
        order = self._rng.permutation(n)
        for first in range(0, n - size + 1, size):
            self._ascent(X, order[first : first + size], self._parameters, self._gradient)
            before = vector.copy()
            self._optimizer.ascend(vector, self._gradient.vector)
            squares += self._gradient.vector @ self._gradient.vector
            if not np.abs(vector).max() <= LARGEST_PARAMETER:
                vector[:] = before
                self.diverged = True
                break
        return np.sqrt(squares / (n // size))


def independent_start(
    X, k: int, hidden: Prior = Bernoulli(), effective: bool = False, scale: float = 0.1, rng=None
) -> RBM:
    r"""Return a machine with almost independent visible units of the data's means.

    Weights are normal with standard deviation `scale`, hidden biases zero, and the visible biases
    those that maximise the likelihood at $W=0$: $a_i/\sqrt d={\rm artanh}\,\bar x_i$ for the exact
    one, $a_i/\sqrt d=\bar x_i$ for the effective one, where the model's mean is the field itself.
    Means are $\bar x_i=\frac1{n+1}\sum_\mu x_{\mu i}$, below one also for a pixel that is constant.

    Parameters
    ----------
    X : (n, d) array of -1 and +1
        Data, one sample a row.
    k : int
        Number of hidden units.
    hidden : Prior
        Law of a hidden unit.
    effective : bool
        Which likelihood the biases maximise.
    scale : float
        Standard deviation of the weights, positive.
    rng : int or numpy.random.Generator, optional
        Seed or generator of the weights.

    Returns
    -------
    RBM

    Raises
    ------
    ValueError
        If an argument is out of range, or `X` holds other values.
    """
    X = _check_inputs(X)
    n, d = X.shape
    shape = (d, positive_integer(k, "k"))
    W = finite_real(scale, "scale", above=0.0) * random_generator(rng).standard_normal(shape)
    mean = X.sum(axis=0, dtype=np.float64) / (n + 1)
    field = mean if effective else np.arctanh(mean)
    return RBM(W, np.sqrt(d) * field, hidden=check_prior(hidden, "hidden"))


def _check_inputs(X, method="exact", width=None):
    """Return signs as an int8 array, means in [-1, 1] as a float one, or raise for what is neither.

    Chains need signs.
    """
    try:
        X = np.asarray(X)
    except ValueError as error:
        raise ValueError(f"X must be an array of -1 and +1; got {X!r}") from error
    right_shape = X.ndim == 2 and 0 not in X.shape and width in (None, X.shape[-1])
    if X.dtype.kind not in "fiu" or not right_shape:
        raise ValueError(
            f"X must be an (n, {width or 'd'}) array of -1 and +1; got shape {X.shape} of {X.dtype}"
        )
    signs = np.abs(X) == 1
    if signs.all():
        return np.ascontiguousarray(X, dtype=np.int8)
    allowed = signs if method in CHAIN_METHODS else np.abs(X) <= 1.0
    if not allowed.all():
        kind = "only -1 and +1" if method in CHAIN_METHODS else "values from -1 to +1"
        raise ValueError(f"X must hold {kind}; it also holds {X[~allowed][0]}")
    return X


def _check_law(hidden, k, method):
    """Raise if the method is unknown or cannot deal with the law of the hidden units."""
    _check_method(method)
    if not isinstance(check_prior(hidden, "hidden"), Discrete):
        raise ValueError(f"hidden must have a finite support; got {hidden!r}")
    points = len(hidden.support)
    if method in CHAIN_METHODS and points != 2:
        raise ValueError(f"hidden must have two points for method {method!r}; got {hidden!r}")
    if method not in CHAIN_METHODS and points**k > MAX_STATES:
        raise ValueError(f"k: {k} hidden units have more than {MAX_STATES} states")


def _check_method(method):
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    return method


def _check_start(start, d, k, hidden):
    if not isinstance(start, RBM) or (start.d, start.k) != (d, k):
        got = f"one with d={start.d}, k={start.k}" if isinstance(start, RBM) else repr(start)
        raise ValueError(f"start must be an RBM with d={d}, k={k}; got {got}")
    if start.visible != Rademacher() or start.hidden != hidden:
        raise ValueError(
            f"start must have Rademacher() visible and {hidden!r} hidden units; got "
            f"{start.visible!r} and {start.hidden!r}"
        )
