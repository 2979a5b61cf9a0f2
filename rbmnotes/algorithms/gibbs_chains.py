r"""Gibbs chains of contrastive divergence, and what they push the weights away from.

A chain is held by its hidden units and by the fields $W^\top v/\sqrt d$ of its visible ones; the
visible units themselves are never stored. Signs are drawn in a compiled loop, one chain after
another, which adds up the fields and the push on its way. Gaussian visible units need no drawing
at all: their fields are Gaussian, and given these the push is, too.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from rbmnotes._compile import njit
from rbmnotes.algorithms._gibbs_kernels import GOLDEN, draw_visible, rounded_weights
from rbmnotes.model.priors import Gaussian, Prior
from rbmnotes.model.tilted import law_arrays, tilted_moments

BLOCKS = 8  # of chains; fixed, so that sums do not depend on the number of threads


def negative_phase(
    W: np.ndarray,
    hidden_units: np.ndarray,
    cycles: int,
    hidden: Prior,
    visible: Prior,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Run chains from their hidden units and return the push on the weights (paper eq. 134).

    A cycle draws visible units given hidden ones; between two cycles hidden units are drawn.

    Parameters
    ----------
    W : (d, k) array
        Weights.
    hidden_units : (n, k) array
        $s_1$, where the chains start.
    cycles : int
        Number $J$ of cycles, at least one.
    hidden : Prior
        Law of a hidden unit.
    visible : Rademacher or Gaussian
        Law of a visible unit.
    rng : numpy.random.Generator

    Returns
    -------
    push : (d, k) array
        $\frac1{\sqrt d}\sum_\mu v_\mu\,E[h\,|\,v_\mu]^\top$ at the end of the chains.
    fields : (n, k) array
        $W^\top v_\mu/\sqrt d$ there.
    """
    cycle = _GaussianCycle(W) if isinstance(visible, Gaussian) else _SignCycle(W)
    for _ in range(cycles - 1):
        fields = cycle.fields(hidden_units, hidden, rng)
        hidden_units = hidden.sample_tilted(fields, rng)
    return cycle.push(hidden_units, hidden, rng)


class _GaussianCycle:
    r"""Normal visible units $v=Ws/\sqrt d+\varepsilon$, never drawn (ours).

    With $W/\sqrt d=BT$, $B^\top B=I$, the fields $W^\top v/\sqrt d=Qs+T^\top B^\top\varepsilon$
    involve $\varepsilon$ through the $k$ numbers $a=B^\top\varepsilon$ alone. What is left of
    $\varepsilon$ is independent of them, and its sum over chains with coefficients $F_\mu$ is a
    Gaussian matrix of covariance $\sum_\mu F_\mu F_\mu^\top$ outside the span of $B$.
    """

    def __init__(self, W: np.ndarray) -> None:
        self.W = W
        self.basis, self.triangle = np.linalg.qr(W / np.sqrt(len(W)))

    def _draw(
        self, hidden_units: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        inside = rng.standard_normal((len(hidden_units), self.triangle.shape[0]))
        Q = self.triangle.T @ self.triangle
        return inside, hidden_units @ Q + inside @ self.triangle

    def fields(
        self, hidden_units: np.ndarray, hidden: Prior, rng: np.random.Generator
    ) -> np.ndarray:
        """Draw visible units and return their fields."""
        return self._draw(hidden_units, rng)[1]

    def push(
        self, hidden_units: np.ndarray, hidden: Prior, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw visible units and return the push and their fields."""
        inside, fields = self._draw(hidden_units, rng)
        means = hidden.tilted_mean(fields)
        root = np.linalg.qr(means, mode="r")
        outside = rng.standard_normal((len(self.W), len(root)))
        outside -= self.basis @ (self.basis.T @ outside)
        d = len(self.W)
        noise = self.basis @ (inside.T @ means) + outside @ root
        return self.W @ (hidden_units.T @ means) / d + noise / np.sqrt(d), fields


class _SignCycle:
    """Rademacher visible units, drawn one by one."""

    def __init__(self, W: np.ndarray) -> None:
        self.shape = W.shape
        W_T = W.T / np.sqrt(len(W))
        self.exponents = (2.0 * W_T).astype(np.float32)
        self.weights, self.units = rounded_weights(W_T)

    def _run(
        self, hidden_units: np.ndarray, hidden: Prior, rng: np.random.Generator, with_push: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        n, (d, k) = len(hidden_units), self.shape
        fields, push = np.empty((n, k)), np.zeros((BLOCKS if with_push else 0, k, d), np.float32)
        seed = rng.integers(2**64, dtype=np.uint64)
        sign_cycle(
            np.ascontiguousarray(hidden_units, dtype=np.float32),
            *(self.exponents, self.weights, self.units, *law_arrays(hidden)),
            *(seed, fields, push),
        )
        return push.sum(axis=0, dtype=np.float64).T / np.sqrt(d), fields

    def fields(
        self, hidden_units: np.ndarray, hidden: Prior, rng: np.random.Generator
    ) -> np.ndarray:
        """Draw visible units and return their fields."""
        return self._run(hidden_units, hidden, rng, False)[1]

    def push(
        self, hidden_units: np.ndarray, hidden: Prior, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw visible units and return the push and their fields."""
        return self._run(hidden_units, hidden, rng, True)


@njit(cache=True, parallel=True, error_model="numpy")
def sign_cycle(hidden_units, exponents, weights, units, points, log_weights, seed, fields, push):
    r"""Draw signs given hidden units; fill in their fields and add up the push.

    Parameters
    ----------
    hidden_units : (n, k) float32 array
    exponents : (k, d) float32 array
        $2W^\top/\sqrt d$.
    weights, units : (k, d) int32 array, (k,) array
        $W^\top/\sqrt d$ as :func:`~rbmnotes.algorithms._gibbs_kernels.rounded_weights` returns it.
    points, log_weights : arrays
        Law of a hidden unit.
    seed : numpy.uint64
        Of the generator (splitmix64); a chain uses one word for two visible units.
    fields : (n, k) array
        On return $W^\top v/\sqrt d$.
    push : (blocks, k, d) float32 array, zero
        On return the sums of $E[h|v]v^\top$ over the chains of a block; no blocks if not wanted.
    """
    n, k = fields.shape
    d = exponents.shape[1]
    words = (d + 1) // 2
    for block in prange(BLOCKS):
        twice_field, power = np.empty(d, np.float32), np.empty(d, np.int32)
        bits, v = np.empty(words, np.uint64), np.empty(d, np.int8)
        for row in range(block * n // BLOCKS, (block + 1) * n // BLOCKS):
            twice_field[:] = np.float32(0.0)
            for a in range(k):
                unit, exponent = hidden_units[row, a], exponents[a]
                for i in range(d):
                    twice_field[i] += unit * exponent[i]
            draw_visible(twice_field, power, seed + np.uint64(row * words) * GOLDEN, bits, v)
            for a in range(k):
                weight, total = weights[a], np.int32(0)
                for i in range(d):
                    total = np.int32(total + (weight[i] if v[i] > 0 else -weight[i]))
                fields[row, a] = units[a] * total
            if len(push) > 0:
                for a in range(k):
                    total_push = push[block, a]
                    mean = np.float32(tilted_moments(fields[row, a], points, log_weights)[0])
                    for i in range(d):
                        total_push[i] += mean * np.float32(v[i])
