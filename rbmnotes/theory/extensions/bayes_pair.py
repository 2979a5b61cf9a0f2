r"""State evolution of Bayes-optimal AMP on equal signals, for estimates that mix them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike
from rbmnotes._validation import (
    finite_array,
    positive_integer,
    positive_real,
    symmetric_matrix,
)
from rbmnotes.model.continuous import check_precision
from rbmnotes.model.joint_states import joint_states
from rbmnotes.model.posterior import check_row_states, row_posteriors
from rbmnotes.model.priors import Discrete, Gaussian, Prior, Rademacher, check_standardised

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
    M: ArrayLike,
    Q: ArrayLike,
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


@dataclass(frozen=True, eq=False)
class BayesStageEvolution(Frozen):
    r"""Order parameters of one estimate of one of several signals.

    Attributes
    ----------
    M : (n_iter + 1, r) array
        $\frac1dW^{\star\top}\hat w$, the start first.
    q : (n_iter + 1,) array
        $\frac1d\|\hat w\|^2$, the start first.
    """

    M: np.ndarray
    q: np.ndarray

    @property
    def overlap(self) -> np.ndarray:
        """Cosine between every signal and the estimate, (n_iter + 1, r)."""
        return self.M / np.sqrt(self.q)[:, None]


def bayes_stage_evolution(
    alpha: float,
    snr: float,
    M: ArrayLike,
    q: float,
    n_iter: int,
    prior_u: Prior = Rademacher(),
    prior_w: Prior = Rademacher(),
) -> BayesStageEvolution:
    r"""Predict rank-one :func:`rbmnotes.bayes_amp` on `r` equal signals, from any overlaps (ours).

    That is the first stage of :func:`rbmnotes.decimation_amp`. The estimate takes the field
    $\lambda^2M^\top u^\star+\lambda\sqrt q\,G$ for one of a single signal of precision
    $\lambda^2q$; its posterior mean has the overlaps $M_u,q_u$ with the truth and with itself, and
    the signals follow in the same way, with $\alpha\lambda^2$, $M_u$ and $q_u$. From a random
    start, of vanishing $M$, the direction of $M$ stays until a signal emerges.

    Parameters
    ----------
    alpha, snr : float
        Sample ratio, strength of every signal.
    M : (r,) array
        Overlaps of the start with the signals.
    q : float
        Squared length of the start per entry, positive.
    n_iter : int
        Number of iterations.
    prior_u, prior_w : Prior
        Laws of the latent variables and of the signals' entries: zero mean, unit variance.

    Returns
    -------
    BayesStageEvolution

    Raises
    ------
    ValueError
        If an argument is out of range, shapes do not match, or the states of a row are too many.
    """
    alpha, snr = positive_real(alpha, "alpha"), positive_real(snr, "snr")
    M, q = finite_array(M, "M", (None,)), positive_real(q, "q")
    n_iter = positive_integer(n_iter, "n_iter", minimum=0)
    for prior, name in ((prior_u, "prior_u"), (prior_w, "prior_w")):
        check_standardised(prior, name)
        check_row_states(prior, len(M), name)
    overlaps, norms = [M], [q]
    for _ in range(n_iter):
        for gain, prior in ((snr**2, prior_u), (alpha * snr**2, prior_w)):
            M, q = _single_overlaps(gain * M, gain * q, prior)
        overlaps.append(M)
        norms.append(q)
    return BayesStageEvolution(np.array(overlaps), np.array(norms))


def _line(prior: Discrete, deviation: float, copies: int) -> np.ndarray:
    """Return equidistant standard normal noise for the trapezoidal rule, the largest deviation.

    The posterior mean is analytic in a strip of half width pi over the deviation times the
    support's diameter; with four steps in it the rule errs by 1e-10. `copies` of the line make up
    the channel.
    """
    diameter = prior.support[-1] - prior.support[0]
    step = min(0.5, 0.8 / (diameter * max(deviation, 1e-3)))
    count = len(prior.support) ** (copies + 1) * (2.0 * REACH / step) ** copies
    if count > MAX_SUM:
        raise ValueError(
            f"snr, or Q, must be smaller for {prior!r}: the average over the channel would take "
            f"{count:.2g} terms"
        )
    return np.arange(-REACH, REACH + step, step)


def _single_overlaps(
    signal: np.ndarray, precision: float, prior: Prior
) -> tuple[np.ndarray, float]:
    """Return M and q of the posterior mean of one entry, when others are seen with it."""
    if isinstance(prior, Gaussian):
        shrink = 1.0 / (1.0 + precision)
        return signal * shrink, shrink**2 * (signal @ signal + precision)
    assert isinstance(prior, Discrete)
    line = _line(prior, np.sqrt(precision), copies=1)
    check_precision(prior, precision, "snr")
    weights = np.exp(-0.5 * line**2)
    weights /= weights.sum()
    states, log_probabilities = joint_states(prior, len(signal))
    fields = (states @ signal)[:, None] + np.sqrt(precision) * line
    estimate = prior.posterior_mean(fields, precision)
    probabilities = np.exp(log_probabilities)
    M = states.T @ (probabilities * (estimate @ weights))
    return M, float(probabilities @ (estimate**2 @ weights))


def _posterior_overlaps(
    signal: np.ndarray, precision: np.ndarray, prior: Prior
) -> tuple[np.ndarray, np.ndarray]:
    """Return M and Q of the posterior means in a channel with these overlaps, times its gain."""
    if isinstance(prior, Gaussian):
        shrink = np.linalg.inv(np.eye(2) + precision)
        return signal @ shrink, shrink @ (signal.T @ signal + precision) @ shrink
    assert isinstance(prior, Discrete)
    values, vectors = np.linalg.eigh(precision)
    root = np.sqrt(np.maximum(values, 0.0))
    line = _line(prior, root[-1], copies=2)
    check_precision(prior, values[-1], "snr")
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
