r"""State evolution with damping: the joint law of all iterates (ours).

Damped weights $W^{t+1}=(1-\gamma)\,b^tV^{t+1}+\gamma W^t$ are a mixture of the fields $b^s$ of all
earlier iterations, which are jointly Gaussian given the signals:
$\frac1db^{t\top}b^s\to\hat M_t^\top\Lambda^2\hat M_s+\alpha E[g^tg^{s\top}]$. So their norm needs
the law of pairs of iterations, where the iteration without damping needs that of single ones.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from rbmnotes._types import Seed
from rbmnotes.model.priors import Prior
from rbmnotes.model.proximal import proximal_map
from rbmnotes.theory.quadrature import SCRAMBLINGS, SOBOL_LOG2_POINTS


class DampedIterates:
    r"""Overlaps of all iterates so far, to be advanced one iteration at a time.

    Parameters
    ----------
    M : (r, k) array
        Overlap of the start.
    Q : (k, k) array
        Its self overlap.
    damping : float
        Share $\gamma$ of the old weights.
    alpha : float
        Sample ratio.
    snr : (r,) array
        Signal strengths.
    prior_u : Prior
        Law of a latent variable.
    hidden : Prior
        Law of a hidden unit.
    rng : int or numpy.random.Generator
        Scrambling of the Sobol points over pairs of fields.
    """

    def __init__(
        self,
        M: np.ndarray,
        Q: np.ndarray,
        damping: float,
        alpha: float,
        snr: np.ndarray,
        prior_u: Prior,
        hidden: Prior,
        rng: Seed,
    ) -> None:
        self.M, self.C = [M], [[Q]]  # C[t][s] = W^t' W^s / d for s <= t
        self.damping, self.alpha, self.snr = damping, alpha, snr
        self.prior_u, self.hidden, self.rng = prior_u, hidden, rng
        self.error = 0.0
        # response and E[g g'] of each iteration
        self._fields: list[tuple[np.ndarray, np.ndarray]] = []
        # Lambda M_hat and the response that multiplies b
        self._sent: list[tuple[np.ndarray, np.ndarray]] = []

    def advance(
        self, V: np.ndarray, weighted: np.ndarray, gg: np.ndarray, response: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        r"""Return $M$ and $Q$ after one more iteration.

        Parameters
        ----------
        V : (k, k) array
            Response in the proximal map.
        weighted : (r, k) array
            $\Lambda\hat M$.
        gg : (k, k) array
            $E[gg^\top]$.
        response : (k, k) array
            Solution of the multiplier step, which multiplies $b$.

        Returns
        -------
        M : (r, k) array
        Q : (k, k) array
        """
        self._fields.append((V, gg))
        kept, fresh = self.damping, 1.0 - self.damping
        with_start = weighted.T @ self.M[0]
        with_weights = [with_start]  # b^t' W^s / d for s = 0, 1, ..., t
        for (old, old_response), pair in zip(self._sent, self._pairs(), strict=True):
            with_b = weighted.T @ old + self.alpha * pair
            with_weights.append(fresh * with_b @ old_response + kept * with_weights[-1])
        self._sent.append((weighted, response))

        norm = response @ (weighted.T @ weighted + self.alpha * gg) @ response
        cross = response @ with_weights[-1]
        row = [
            fresh * response @ b + kept * w for b, w in zip(with_weights, self.C[-1], strict=True)
        ]
        Q = fresh**2 * norm + kept**2 * self.C[-1][-1] + fresh * kept * (cross + cross.T)
        Q = 0.5 * (Q + Q.T)
        self.C.append([*row, Q])
        self.M.append(fresh * weighted @ response + kept * self.M[-1])
        return self.M[-1], Q

    def _pairs(self) -> np.ndarray:
        r"""Return $E[g^tg^{s\top}]$ of the last iteration with each earlier one.

        Written with the difference $g^t-g^s$, so that the sampling error vanishes with it.
        """
        t, k, r = len(self._fields) - 1, len(self.C[0][0]), len(self.snr)
        results = np.empty((SCRAMBLINGS, t, k, k))
        streams = np.random.default_rng(self.rng).spawn(SCRAMBLINGS) if t else []
        for result, stream in zip(results, streams, strict=False):
            uniform = qmc.Sobol(r + 2 * k, rng=stream).random_base2(SOBOL_LOG2_POINTS)
            uniform = np.clip(uniform, 1e-12, 1 - 1e-12)
            U = self.prior_u.quantile(uniform[:, :r]) * self.snr
            normal, other = np.split(ndtri(uniform[:, r:]), 2, axis=1)
            noise = normal @ _root(self.C[t][t])
            V, gg = self._fields[t]
            new = proximal_map(U @ self.M[t] + noise, V, self.hidden).g
            for s, (V_s, gg_s) in enumerate(self._fields[:t]):
                slope = np.linalg.solve(self.C[t][t], self.C[t][s])
                rest = _root(self.C[s][s] - self.C[t][s].T @ slope)
                field = U @ self.M[s] + noise @ slope + other @ rest
                old = proximal_map(field, V_s, self.hidden).g
                change = new - old
                turn = change.T @ old / len(old)
                result[s] = 0.5 * (gg + gg_s - change.T @ change / len(old) + turn - turn.T)
        if t:
            spread = np.std(results, axis=0, ddof=1).max() / np.sqrt(SCRAMBLINGS)
            self.error = max(self.error, float(spread))
        return results.mean(axis=0)


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return the symmetric square root, rounding errors below zero left out."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
