r"""State evolution of Bayes-optimal AMP for two equal signals, and estimates that mix them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes._validation import (
    finite_array,
    positive_integer,
    positive_real,
    symmetric_matrix,
)
from rbmnotes.model.continuous import check_precision
from rbmnotes.model.posterior import row_posteriors
from rbmnotes.model.priors import Gaussian, Prior, Rademacher, check_standardised, joint_states

REACH = 7.0
"""Standard deviations of the noise beyond which nothing is summed."""
MAX_SUM = 1e7
"""Most terms of an average over the noise."""


@dataclass(frozen=True, eq=False)
class BayesPairEvolution(Frozen):
    r"""Order parameters of two estimates of two signals.

    Attributes
    ----------
    M : (n_iter + 1, 2, 2) array
        $\frac1dW^{\star\top}\hat W$, the start first.
    Q : (n_iter + 1, 2, 2) array
        $\frac1d\hat W^\top\hat W$, the start first.
    """

    M: np.ndarray
    Q: np.ndarray

    @property
    def overlap(self) -> np.ndarray:
        """Cosine between every signal and every estimate, (n_iter + 1, 2, 2)."""
        return self.M / np.sqrt(np.diagonal(self.Q, axis1=1, axis2=2))[:, None, :]


def bayes_pair_evolution(
    alpha: float,
    snr: float,
    M,
    Q,
    n_iter: int,
    prior_u: Prior = Rademacher(),
    prior_w: Prior = Rademacher(),
) -> BayesPairEvolution:
    r"""Predict :func:`rbmnotes.bayes_amp` on two equal signals, from any overlaps (ours).

    A row of latent variables $u^\star$ is seen through the field
    $\lambda^2M^\top u^\star+\lambda Q^{1/2}G$ with precision $\lambda^2Q$; the posterior mean has
    the overlaps $M_u,Q_u$ with the truth and with itself. The signals follow in the same way, with
    $\alpha\lambda^2$, $M_u$ and $Q_u$. For $M=Q$ diagonal, the Nishimori line, it is
    :func:`rbmnotes.bayes_state_evolution`; here $M$ may be a rotation of that.

    Parameters
    ----------
    alpha, snr : float
        Sample ratio, strength of both signals.
    M, Q : (2, 2) array
        Overlaps of the start with the signals and with itself.
    n_iter : int
        Number of iterations.
    prior_u, prior_w : Prior
        Laws of the latent variables and of the signals' entries: zero mean, unit variance.

    Returns
    -------
    BayesPairEvolution

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not match.
    """
    alpha = positive_real(alpha, "alpha")
    snr = positive_real(snr, "snr")
    M, Q = finite_array(M, "M", (2, 2)), symmetric_matrix(Q, "Q", 2)
    if np.linalg.eigvalsh(Q)[0] < -1e-10:
        raise ValueError(f"Q must be positive semidefinite; got {Q.tolist()}")
    n_iter = positive_integer(n_iter, "n_iter", minimum=0)
    check_standardised(prior_u, "prior_u")
    check_standardised(prior_w, "prior_w")
    overlaps, norms = [M], [Q]
    for _ in range(n_iter):
        for gain, prior in ((snr**2, prior_u), (alpha * snr**2, prior_w)):
            M, Q = _posterior_overlaps(gain * M, gain * Q, prior)
        overlaps.append(M)
        norms.append(Q)
    return BayesPairEvolution(np.array(overlaps), np.array(norms))


def _posterior_overlaps(signal, precision, prior):
    """Return M and Q of the posterior means in a channel with these overlaps, times its gain."""
    if isinstance(prior, Gaussian):
        shrink = np.linalg.inv(np.eye(2) + precision)
        return signal @ shrink, shrink @ (signal.T @ signal + precision) @ shrink
    values, vectors = np.linalg.eigh(precision)
    root = np.sqrt(np.maximum(values, 0.0))
    # The posterior mean is analytic in a strip of half width pi over root times the support's
    # diameter; with four steps in it the trapezoidal rule errs by 1e-10.
    diameter = prior.support[-1] - prior.support[0]
    step = min(0.5, 0.8 / (diameter * max(root[-1], 1e-3)))
    count = len(prior.support) ** 3 * (2.0 * REACH / step) ** 2
    if count > MAX_SUM:
        raise ValueError(
            f"snr, or Q, must be smaller for {prior!r}: the average over the channel would take "
            f"{count:.2g} terms"
        )
    check_precision(prior, values[-1], "snr")
    line = np.arange(-REACH, REACH + step, step)
    weights = np.exp(-0.5 * (line[:, None] ** 2 + line**2)).ravel()
    weights /= weights.sum()
    noise = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    noise = noise @ (root * vectors).T
    states, log_probabilities = joint_states(prior, 2)
    M, Q = np.zeros((2, 2)), np.zeros((2, 2))
    for truth, probability in zip(states, np.exp(log_probabilities), strict=True):
        estimate = row_posteriors(truth @ signal + noise, precision, prior).mean
        weighted = probability * weights[:, None] * estimate
        M += np.outer(truth, weighted.sum(axis=0))
        Q += estimate.T @ weighted
    return M, Q
