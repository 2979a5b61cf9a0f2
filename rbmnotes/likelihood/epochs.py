"""Mini-batch training of an RBM on binary data, epoch by epoch."""

from __future__ import annotations

import numpy as np

from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import finite_real, pixels, positive_integer, random_generator, signs
from rbmnotes.algorithms.adam import Adam
from rbmnotes.algorithms.starts import independent_start
from rbmnotes.likelihood.gradients import ContrastiveAscent, LikelihoodAscent, Parameters
from rbmnotes.model.hidden_sum import check_states
from rbmnotes.model.priors import Bernoulli, Discrete, Prior, Rademacher, check_prior
from rbmnotes.model.rbm import RBM

CHAIN_METHODS = ("cd", "pcd")
METHODS = ("effective", "tangent", "exact", *CHAIN_METHODS)
LARGEST_PARAMETER = 1e6
BATCH_SIZE = 100
"""Samples a step if the user does not say, or all there are if they are fewer."""


class RBMTraining:
    """Training that can be continued, epoch by epoch, with the memory of its optimizer.

    Parameters are those of :func:`rbmnotes.train_rbm`, which says what they mean. A copy, also by
    way of pickle or joblib, goes on exactly as the original does.

    Attributes
    ----------
    rbm : RBM
        The machine as it is now.
    diverged : bool
        Whether a parameter exceeded ``1e6`` or was not finite; the step that did it is undone.
    method : str
        What it climbs.
    learning_rate, batch_size
        May be set anew between epochs; there are never more samples in a batch than chains.
    """

    def __init__(
        self,
        X: ArrayLike,
        k: int,
        method: str = "effective",
        *,
        cycles: int = 1,
        hidden: Prior = Bernoulli(),
        learning_rate: float = 0.02,
        batch_size: int | None = None,
        rng: Seed = None,
        start: RBM | None = None,
        means: bool = False,
    ) -> None:
        hidden = _check_law(hidden, k := positive_integer(k, "k"), method)
        self.method, self._hidden, self._means = method, hidden, means
        X = self._check(X)
        n, d = X.shape
        cycles = positive_integer(cycles, "cycles")
        size = positive_integer(BATCH_SIZE if batch_size is None else batch_size, "batch_size")
        if batch_size is not None and batch_size > n:
            raise ValueError(
                f"batch_size must be at most the number of samples, {n}; got {batch_size}"
            )
        self._optimizer = Adam(finite_real(learning_rate, "learning_rate", above=0.0))
        self._rng = random_generator(rng)
        if start is None:
            effective = method == "effective"
            start = independent_start(X, k, hidden, effective, rng=self._rng, means=True)
        _check_start(start, d, k, hidden)
        self._chains = size if method in CHAIN_METHODS else None
        if method in CHAIN_METHODS:
            chains = X[self._rng.choice(n, size=size, replace=size > n)]
            self._ascent: ContrastiveAscent | LikelihoodAscent = ContrastiveAscent(
                hidden, cycles, method == "pcd", chains, self._rng
            )
        else:
            self._ascent = LikelihoodAscent(hidden, method)
        self.batch_size = size
        self._parameters = Parameters.of(start)
        self._gradient = Parameters(np.empty_like(self._parameters.vector), d, k)
        self.diverged = False

    @property
    def rbm(self) -> RBM:
        """The machine with a copy of the parameters."""
        return self._parameters.rbm(self._hidden)

    @property
    def learning_rate(self) -> float:
        """Of the optimizer."""
        return self._optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._optimizer.learning_rate = finite_real(value, "learning_rate", above=0.0)

    @property
    def batch_size(self) -> int:
        """Samples a step, if there are as many."""
        return self._batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        value = positive_integer(value, "batch_size")
        if self._chains is not None and value > self._chains:
            raise ValueError(
                f"batch_size must be at most the number of chains, {self._chains}; got {value}"
            )
        self._batch_size = value

    def epoch(self, X: ArrayLike) -> float:
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
        X = self._check(X, width=self._parameters.d)
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

    def _check(self, X: ArrayLike, width: int | None = None) -> np.ndarray:
        return check_data(X, self.method, self._means, width)


def check_data(
    X: ArrayLike, method: str, means: bool = False, width: int | None = None
) -> np.ndarray:
    """Return signs as ``int8``; chains need them, the likelihoods also take means in between."""
    return signs(X, "X", width) if method in CHAIN_METHODS else pixels(X, "X", width, means)


def _check_law(hidden: Prior, k: int, method: str) -> Discrete:
    """Raise if the method is unknown or cannot deal with the law of the hidden units."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    check_prior(hidden, "hidden")
    if not isinstance(hidden, Discrete):
        raise ValueError(f"hidden must have a finite support; got {hidden!r}")
    points = len(hidden.support)
    if method in CHAIN_METHODS and points != 2:
        raise ValueError(f"hidden must have two points for method {method!r}; got {hidden!r}")
    if method not in CHAIN_METHODS:
        check_states(hidden, k, "k")
    return hidden


def _check_start(start: object, d: int, k: int, hidden: Prior) -> None:
    if not isinstance(start, RBM) or (start.d, start.k) != (d, k):
        got = f"one with d={start.d}, k={start.k}" if isinstance(start, RBM) else repr(start)
        raise ValueError(f"start must be an RBM with d={d}, k={k}; got {got}")
    if start.visible != Rademacher() or start.hidden != hidden:
        raise ValueError(
            f"start must have Rademacher() visible and {hidden!r} hidden units; got "
            f"{start.visible!r} and {start.hidden!r}"
        )
