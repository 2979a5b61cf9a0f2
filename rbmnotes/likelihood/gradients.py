"""Gradients that likelihood training climbs: of the likelihoods, and by Gibbs chains."""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms._gibbs_kernels import chain_words, contrastive_sums, rounded_weights
from rbmnotes.likelihood.sign_average import MAX_FIELD, largest_field, sign_average
from rbmnotes.likelihood.tangent import TangentPoints
from rbmnotes.model.objective import ModelAverage, effective_average, likelihood_gradient
from rbmnotes.model.priors import Discrete, Prior
from rbmnotes.model.rbm import RBM
from rbmnotes.model.tilted import law_arrays

BLOCKS = 8  # of rows of a batch; fixed, so that sums do not depend on the number of threads


class Parameters:
    """The transposed weights and the biases, as views of one vector for the optimizer.

    The views are made when asked for: a copy or a pickle of stored ones would lose their tie to
    the vector.
    """

    def __init__(self, vector: np.ndarray, d: int, k: int) -> None:
        self.vector, self.d, self.k = vector, d, k

    @property
    def W_T(self) -> np.ndarray:
        """Transposed weights, (k, d)."""
        return self.vector[: self.k * self.d].reshape(self.k, self.d)

    @property
    def visible_bias(self) -> np.ndarray:
        """Visible biases, (d,)."""
        return self.vector[self.k * self.d :][: self.d]

    @property
    def hidden_bias(self) -> np.ndarray:
        """Hidden biases, (k,)."""
        return self.vector[(self.k + 1) * self.d :]

    @classmethod
    def of(cls, rbm: RBM) -> Parameters:
        """Copy the parameters of a machine."""
        vector = np.concatenate([rbm.W.T.ravel(), rbm.visible_bias, rbm.hidden_bias])
        return cls(vector.astype(np.float64), rbm.d, rbm.k)

    def rbm(self, hidden: Prior) -> RBM:
        """Return a machine with a copy of the parameters."""
        return RBM(
            self.W_T.T.copy(), self.visible_bias.copy(), self.hidden_bias.copy(), hidden=hidden
        )


class LikelihoodAscent:
    """Gradient of the mean log-likelihood of a batch: Theorem 1's, the tangent bound or exact."""

    def __init__(self, hidden: Discrete, method: str) -> None:
        self.hidden, self.method = hidden, method
        self.points: TangentPoints | None = None

    def __call__(
        self, X: np.ndarray, rows: np.ndarray, parameters: Parameters, gradient: Parameters
    ) -> None:
        """Fill in the gradient at the given rows of the data."""
        batch = X[rows].astype(np.float64)
        W, b = parameters.W_T.T, parameters.hidden_bias
        total = likelihood_gradient(batch, W, b, self.hidden, self._average(parameters))
        gradient.W_T[:] = total.W.T
        gradient.visible_bias[:] = total.visible_bias
        gradient.hidden_bias[:] = total.hidden_bias
        gradient.vector /= len(rows)

    def _average(self, parameters: Parameters) -> ModelAverage:
        W, a, b = parameters.W_T.T, parameters.visible_bias, parameters.hidden_bias
        if self.method == "effective":
            return effective_average(W, a, b, self.hidden)
        if self.method == "exact":
            if largest_field(W, a, self.hidden) <= MAX_FIELD:
                return sign_average(W, a, b, self.hidden)
            return RBM(W, a, b, hidden=self.hidden).average()
        if self.points is None:
            self.points = TangentPoints(a)
        return self.points.average(W, a, b, self.hidden)[0]


class ContrastiveAscent:
    """Estimate of the gradient by Gibbs chains, from the batch or persistent."""

    def __init__(
        self,
        hidden: Prior,
        cycles: int,
        persistent: bool,
        chains: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        self.cycles, self.persistent, self.chains = cycles, persistent, chains
        self.points, self.log_weights = law_arrays(hidden)
        self.seed = np.uint64(rng.integers(2**64, dtype=np.uint64))
        self.words = 0

    def __call__(
        self, X: np.ndarray, rows: np.ndarray, parameters: Parameters, gradient: Parameters
    ) -> None:
        """Fill in the estimate at the given rows of the data and advance the chains."""
        W_T, d, k = parameters.W_T, *parameters.W_T.shape[::-1]
        lower, upper = self.points
        twice_field = 2.0 / np.sqrt(d) * (parameters.visible_bias + lower * W_T.sum(axis=0))
        sums, hidden_sums = np.empty((BLOCKS, k + 1, d), np.float32), np.empty((BLOCKS, k))
        contrastive_sums(
            X,
            rows,
            self.chains,
            self.persistent,
            self.cycles,
            *rounded_weights(W_T / np.sqrt(d)),
            parameters.hidden_bias,
            self.points,
            self.log_weights,
            (2.0 / np.sqrt(d) * (upper - lower) * W_T).astype(np.float32),
            twice_field.astype(np.float32),
            self.seed,
            self.words,
            sums,
            hidden_sums,
        )
        self.words += len(rows) * chain_words(k, d, self.cycles)
        total = sums.sum(axis=0) / np.sqrt(d)
        gradient.W_T[:], gradient.visible_bias[:] = total[:k], total[k]
        gradient.hidden_bias[:] = hidden_sums.sum(axis=0)
        gradient.vector /= len(rows)
