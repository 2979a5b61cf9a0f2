r"""The restricted Boltzmann machine itself: exact and effective likelihood, gradients, sampling.

Given the hidden units the visible ones are independent, so a sum over the $m^k$ states of the
hidden layer gives $\log Z$ exactly, at a cost linear in $d$. That is what makes Theorem 1
verifiable without sampling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import finite_array, positive_integer, random_generator
from rbmnotes.model.hidden_sum import check_states
from rbmnotes.model.joint_states import joint_states, log_law
from rbmnotes.model.objective import (
    Gradient,
    ModelAverage,
    check_parameters,
    effective_average,
    eta1,
    likelihood_gradient,
)
from rbmnotes.model.priors import Discrete, Gaussian, Prior, Rademacher, check_prior


@dataclass(frozen=True, eq=False)
class RBM(Frozen):
    r"""A restricted Boltzmann machine with $d$ visible and $k$ hidden units (paper eq. 1).

    .. math::
        P(v,h)=\frac1Z\,P_v(v)\,P_h(h)\,e^{\frac1{\sqrt d}v^\top(Wh+a)+b^\top h}

    Parameters
    ----------
    W : (d, k) array
        Weights, entries of order one.
    visible_bias : (d,) array, optional
        $a$; zero if absent.
    hidden_bias : (k,) array, optional
        $b$; zero if absent.
    visible, hidden : Prior
        Laws $P_v$, $P_h$ of a single unit.

    Raises
    ------
    ValueError
        If shapes do not match, a value is not finite, or a law is not a prior.
    """

    W: np.ndarray
    visible_bias: np.ndarray = None  # type: ignore[assignment]  # zeros once it is made
    hidden_bias: np.ndarray = None  # type: ignore[assignment]
    visible: Prior = Rademacher()
    hidden: Prior = Rademacher()

    if TYPE_CHECKING:  # what is taken; the fields are what is held

        def __init__(
            self,
            W: ArrayLike,
            visible_bias: ArrayLike | None = ...,
            hidden_bias: ArrayLike | None = ...,
            visible: Prior = ...,
            hidden: Prior = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        W = finite_array(self.W, "W", (None, None))
        _, W, a, b = check_parameters(np.zeros((1, len(W))), W, self.visible_bias, self.hidden_bias)
        for name, value in (("W", W), ("visible_bias", a), ("hidden_bias", b)):
            object.__setattr__(self, name, value.copy())  # the caller's may change
        super().__post_init__()
        check_prior(self.visible, "visible")
        check_prior(self.hidden, "hidden")

    @property
    def d(self) -> int:
        """Number of visible units."""
        return self.W.shape[0]

    @property
    def k(self) -> int:
        """Number of hidden units."""
        return self.W.shape[1]

    def log_partition(self, exact: bool = True) -> float:
        r"""Return $\log Z$, exactly or in the approximation of Theorem 1.

        Parameters
        ----------
        exact : bool
            If true, sum over all hidden states (or, for Gaussian visible units, use that the
            effective form is exact); if false, use $\eta_2$.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If `exact` and neither sum is possible: Gaussian hidden units with discrete visible
            ones, or more than ``2**26`` hidden states.
        """
        if not exact or self._effective_is_exact:
            return self._effective_average().log_partition
        return float(logsumexp(self._state_log_weights()))

    def log_likelihood(
        self, X: ArrayLike, exact: bool = True, absolute: bool = False
    ) -> np.ndarray:
        r"""Return the log-likelihood of each sample, relative to the base law (paper eq. 3).

        The factor $P_v(x)$, which no parameter enters, is left out as in the paper. For signs the
        logarithm of the probability is $d\log2$ less: on images of 784 pixels, 543 nats.

        Parameters
        ----------
        X : (n, d) array
            Data, one sample a row.
        exact : bool
            If false, replace $\log Z$ by its limit (paper eq. 5).
        absolute : bool
            If true, add $\log P_v(x)$: the logarithm of the probability of discrete units, which
            must then be points of their law, or of the density of Gaussian ones.

        Returns
        -------
        (n,) array

        Raises
        ------
        ValueError
            If `X` has the wrong shape or no probability, or as :meth:`log_partition`.
        """
        X = finite_array(X, "X", (None, self.d))
        base = log_law(self.visible, X) if absolute else 0.0
        return self._free_energy(X) - self.log_partition(exact) + base

    def gradient(self, X: ArrayLike, exact: bool = True) -> Gradient:
        r"""Return the gradient of the summed log-likelihood (paper eqs. 9, 46-48).

        Parameters
        ----------
        X : (n, d) array
            Data, one sample a row.
        exact : bool
            If false, the gradient of the effective log-likelihood.

        Returns
        -------
        Gradient
            With attributes ``W`` (d, k), ``visible_bias`` (d,) and ``hidden_bias`` (k,).

        Raises
        ------
        ValueError
            As :meth:`log_likelihood`.
        """
        X = finite_array(X, "X", (None, self.d))
        return likelihood_gradient(X, self.W, self.hidden_bias, self.hidden, self.average(exact))

    def average(self, exact: bool = True) -> ModelAverage:
        r"""Return $\log Z$, $\langle h\rangle$, $\langle v\rangle$ and $\langle vh^\top\rangle$.

        Parameters
        ----------
        exact : bool
            If false, in the approximation of Theorem 1.

        Returns
        -------
        ModelAverage
        """
        if not exact or self._effective_is_exact:
            return self._effective_average()
        log_weights = self._state_log_weights()
        log_partition = logsumexp(log_weights)
        weights = np.exp(log_weights - log_partition)
        hidden, visible, product = np.zeros(self.k), np.zeros(self.d), np.zeros((self.d, self.k))
        for block_weights, (states, fields, _) in zip(weights, self.state_blocks(), strict=True):
            weighted = self.visible.tilted_mean(fields) * block_weights[:, None]
            hidden += block_weights @ states
            visible += weighted.sum(axis=0)
            product += weighted.T @ states
        return ModelAverage(float(log_partition), hidden, visible, product)

    def hidden_mean(self, v: ArrayLike) -> np.ndarray:
        """Return the means of the hidden units given visible ones, (n, d) to (n, k)."""
        return self.hidden.tilted_mean(self._hidden_fields(finite_array(v, "v", (None, self.d))))

    def sample_hidden(self, v: ArrayLike, rng: Seed) -> np.ndarray:
        """Draw the hidden units given visible ones, (n, d) to (n, k)."""
        v = finite_array(v, "v", (None, self.d))
        return self.hidden.sample_tilted(self._hidden_fields(v), rng)

    def sample_visible(self, h: ArrayLike, rng: Seed) -> np.ndarray:
        """Draw the visible units given hidden ones, (n, k) to (n, d)."""
        h = finite_array(h, "h", (None, self.k))
        return self.visible.sample_tilted(self._visible_fields(h), rng)

    def gibbs(self, v: ArrayLike, n_cycles: int, rng: Seed = None) -> np.ndarray:
        """Run Gibbs sampling: in every cycle hidden units given visible ones, then the reverse.

        Parameters
        ----------
        v : (n, d) array
            Start, one chain a row.
        n_cycles : int
            Number of cycles; zero returns a copy of the start.
        rng : int or numpy.random.Generator, optional
            Seed or generator.

        Returns
        -------
        (n, d) array
            The visible units at the end.

        Raises
        ------
        ValueError
            If `v` has the wrong width or is not finite, or `n_cycles` is negative.
        """
        v, rng = finite_array(v, "v", (None, self.d)).copy(), random_generator(rng)
        for _ in range(positive_integer(n_cycles, "n_cycles", minimum=0)):
            v = self.sample_visible(self.sample_hidden(v, rng), rng)
        return v

    def reconstruct(
        self, v: ArrayLike, n_cycles: int = 1, observed: ArrayLike | None = None, rng: Seed = None
    ) -> np.ndarray:
        r"""Reconstruct visible units by Gibbs cycles that keep the observed ones (paper, app. E).

        Every cycle draws the hidden units given the visible ones and takes the mean
        $E[v\,|\,h]$ of the latter; all cycles but the last then draw from it. Observed units are
        put back after each cycle.

        Parameters
        ----------
        v : (n, d) array
            Corrupted samples, where the first cycle starts.
        n_cycles : int
            Number of cycles, at least one.
        observed : (d,) array of bool, optional
            Units known to be right; none if absent.
        rng : int or numpy.random.Generator, optional
            Seed or generator.

        Returns
        -------
        (n, d) array
            Means of the last cycle, observed units as given.

        Raises
        ------
        ValueError
            If shapes do not match, `v` is not finite, or `n_cycles` is not positive.
        """
        v = finite_array(v, "v", (None, self.d)).astype(np.float64)
        n_cycles, rng = positive_integer(n_cycles, "n_cycles"), random_generator(rng)
        observed = np.zeros(self.d, dtype=bool) if observed is None else np.asarray(observed)
        if observed.shape != (self.d,) or observed.dtype != bool:
            raise ValueError(
                f"observed must be a boolean array of shape ({self.d},); got {observed.dtype} "
                f"of shape {observed.shape}"
            )
        known = v[:, observed]
        for cycle in range(n_cycles):
            h = self.sample_hidden(v, rng)
            if cycle < n_cycles - 1:
                v = self.sample_visible(h, rng)
            else:
                v = self.visible.tilted_mean(self._visible_fields(h))
            v[:, observed] = known
        return v

    def sample(self, n: int, rng: Seed = None) -> np.ndarray:
        """Draw independent samples exactly: a hidden state from its marginal, then the rest.

        Parameters
        ----------
        n : int
            Number of samples.
        rng : int or numpy.random.Generator, optional
            Seed or generator.

        Returns
        -------
        (n, d) array

        Raises
        ------
        ValueError
            If `n` is not positive, or the hidden states cannot be enumerated.
        """
        n, rng = positive_integer(n, "n"), random_generator(rng)
        log_weights = self._state_log_weights()
        states = np.concatenate([states for states, _, _ in self.state_blocks()])
        probabilities = np.exp(log_weights - logsumexp(log_weights)).ravel()
        return self.sample_visible(states[rng.choice(len(states), size=n, p=probabilities)], rng)

    @property
    def _effective_is_exact(self) -> bool:
        """Gaussian visible units: $E e^{vy}=e^{y^2/2}$ without any remainder."""
        return isinstance(self.visible, Gaussian)

    def _effective_average(self) -> ModelAverage:
        laws = self.hidden, self.visible
        return effective_average(self.W, self.visible_bias, self.hidden_bias, *laws)

    def _hidden_fields(self, v: np.ndarray) -> np.ndarray:
        return v @ self.W / np.sqrt(self.d) + self.hidden_bias

    def _visible_fields(self, h: np.ndarray) -> np.ndarray:
        return (h @ self.W.T + self.visible_bias) / np.sqrt(self.d)

    def _free_energy(self, X: np.ndarray) -> np.ndarray:
        """Log of the sum over hidden states at fixed visible ones, per sample."""
        return eta1(self._hidden_fields(X), self.hidden) + X @ self.visible_bias / np.sqrt(self.d)

    def state_blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield hidden states (m, k), visible fields (m, d) and log weights (m,) without them.

        A block holds all states of the second half of the units for one state of the first.
        """
        if not isinstance(self.hidden, Discrete):
            raise ValueError(
                f"hidden must have a finite support for a sum over its states; got {self.hidden!r}"
            )
        check_states(self.hidden, self.k, "W")
        half = self.k // 2
        first, first_log = joint_states(self.hidden, half)
        second, second_log = joint_states(self.hidden, self.k - half)
        second_fields = (second @ self.W[:, half:].T + self.visible_bias) / np.sqrt(self.d)
        for state, log_weight in zip(first, first_log, strict=True):
            states = np.column_stack([np.broadcast_to(state, (len(second), half)), second])
            fields = second_fields + self.W[:, :half] @ state / np.sqrt(self.d)
            yield states, fields, log_weight + second_log + states @ self.hidden_bias

    def _state_log_weights(self) -> np.ndarray:
        """Log weights of all hidden states in the joint law, one row per block."""
        blocks = self.state_blocks()
        return np.array([w + self.visible.log_mgf(fields).sum(axis=1) for _, fields, w in blocks])
