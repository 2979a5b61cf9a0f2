"""Trainings that can be timed side by side: ours, scikit-learn's and that of the package rbms.

All have a method ``visit(rows)``, one pass over some of the training samples in a random order,
and a property ``rbm``, the machine so far in the conventions of this package. Scikit-learn and rbms
(with PyTorch) are optional: without them their classes raise :class:`ImportError`.
"""

from __future__ import annotations

import warnings

import numpy as np

from rbmnotes.likelihood.epochs import RBMTraining
from rbmnotes.model.priors import Bernoulli
from rbmnotes.model.rbm import RBM


class Ours:
    """:class:`rbmnotes.RBMTraining` with any of its methods.

    Parameters
    ----------
    train : (n, d) int8 array of -1 and +1
    k : int
    rate : float
    batch_size : int
    seed : int
    **options
        Of :class:`rbmnotes.RBMTraining`.
    """

    def __init__(self, train, k, rate, batch_size, seed=0, **options):
        self._train = train
        self._training = RBMTraining(
            train, k, learning_rate=rate, batch_size=batch_size, rng=seed, **options
        )

    def visit(self, rows=slice(None)):
        """Pass once over these rows of the data."""
        self._training.epoch(self._train[rows])

    @property
    def rbm(self) -> RBM:
        """The machine so far."""
        return self._training.rbm


class ScikitLearn:
    """``sklearn.neural_network.BernoulliRBM`` on ``float32`` data: persistent chains, fixed rate.

    Parameters as :class:`Ours`.
    """

    def __init__(self, train, k, rate, batch_size, seed=0):
        from sklearn.neural_network import BernoulliRBM

        self._X = ((train + 1) / 2).astype(np.float32)
        self._rng, self._batch_size = np.random.default_rng(seed), batch_size
        self.model = BernoulliRBM(k, learning_rate=rate, batch_size=batch_size, random_state=seed)

    def visit(self, rows=slice(None)):
        """Pass once, by its own method for data that come piece by piece."""
        X = self._X[rows]
        for batch in _batches(len(X), self._batch_size, self._rng):
            self.model.partial_fit(X[batch])

    @property
    def rbm(self) -> RBM:
        """The machine so far."""
        model = self.model
        weights, biases = model.components_.T, (model.intercept_visible_, model.intercept_hidden_)
        return _from_zeros_and_ones(weights, *biases)


class Rbms:
    """CD or PCD of the PyTorch package ``rbms``: plain steps along a gradient of unit norm.

    Parameters as :class:`Ours`; `cycles` and `persistent` choose the chains. Its own training loop
    also writes files after each step; here only its step is called.
    """

    def __init__(self, train, k, rate, batch_size, seed=0, cycles=1, persistent=False):
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about its use of TorchScript
            from rbms.bernoulli_bernoulli.classes import BBRBM
            from rbms.training.pcd import fit_batch_pcd

        self._torch, self._fit = torch, fit_batch_pcd
        torch.manual_seed(seed)
        self._X = torch.from_numpy(((train + 1) / 2).astype(np.float32))
        self._rng, self._batch_size = np.random.default_rng(seed), batch_size
        self._cycles, self._persistent = cycles, persistent
        start = _Samples(self._X)
        self._params = BBRBM.init_parameters(k, start, self._X.device, self._X.dtype)
        parameters = self._params.parameters()
        self._optimizer = torch.optim.SGD(parameters, lr=rate, maximize=True)
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        self._chains = self._params.init_chains(batch_size)

    def visit(self, rows=slice(None)):
        """Pass once over these rows of the data."""
        X, weights = self._X[rows], self._torch.ones(self._batch_size)
        with self._torch.no_grad():
            for batch in _batches(len(X), self._batch_size, self._rng):
                v = X[self._torch.from_numpy(batch)]
                if not self._persistent:
                    self._chains = self._params.init_chains(len(v), weights=weights, start_v=v)
                self._optimizer.zero_grad(set_to_none=False)
                self._chains, _ = self._fit(
                    (v, weights), self._chains, self._params, self._cycles, beta=1.0
                )
                self._optimizer.step()

    @property
    def rbm(self) -> RBM:
        """The machine so far."""
        return _from_zeros_and_ones(*(p.numpy() for p in self._params.parameters()))


class _Samples:
    """What ``rbms`` expects of a dataset when it sets up the biases."""

    def __init__(self, data):
        self.data = data


def _batches(n, size, rng):
    """Yield the rows of full batches in a random order."""
    order = rng.permutation(n)
    for first in range(0, n - size + 1, size):
        yield order[first : first + size]


def _from_zeros_and_ones(weights, visible_bias, hidden_bias) -> RBM:
    """Translate a machine of zeros and ones: signs instead on the visible side."""
    weights = weights.astype(np.float64)
    root = np.sqrt(len(weights))
    return RBM(
        root * weights / 2,
        root * (visible_bias / 2.0),
        hidden_bias + weights.sum(axis=0) / 2,
        hidden=Bernoulli(),
    )
