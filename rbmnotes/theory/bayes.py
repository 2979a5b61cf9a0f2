r"""State evolution of Bayes-optimal AMP, and the log evidence at its fixed point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike
from rbmnotes._validation import number_or_vector, positive_integer
from rbmnotes.model.priors import Prior, Rademacher
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.bayes_limit import bayes_overlap, mutual_potential, posterior_overlap


@dataclass(frozen=True, eq=False)
class BayesStateEvolution(Frozen):
    r"""Order parameters of Bayes-optimal AMP, one column a signal.

    Attributes
    ----------
    m_w : (n_iter + 1, r) array
        $\frac1d\sum_iw^\star_i\hat w_i=\frac1d\sum_i\hat w_i^2$, the start first.
    m_u : (n_iter, r) array
        The same of the latent variables, in each iteration.
    """

    m_w: np.ndarray
    m_u: np.ndarray

    @property
    def overlap(self) -> np.ndarray:
        r"""Cosine between signal and estimate, $\sqrt{m_w}$."""
        return np.sqrt(self.m_w)


def bayes_state_evolution(
    model: SpikedModel, m0: ArrayLike, n_iter: int = 20
) -> BayesStateEvolution:
    r"""Predict every iteration of :func:`rbmnotes.bayes_amp`.

    $m_u=F_u(\lambda^2m_w)$, then $m_w=F_w(\alpha\lambda^2m_u)$, where $F(\gamma)$ is the overlap of
    the posterior mean with the truth in a Gaussian channel. It holds, undamped, from estimates
    whose overlap with the truth equals their own squared length per entry, as that of a posterior
    mean does: the spectral start (of distinct strengths) at $m_0=\cos^2_w$, or
    :func:`rbmnotes.informed_start` with $M=Q={\rm diag}(m_0)$. Such a start keeps the precision
    matrices diagonal, and so every signal evolves as if it were alone. A channel enters through its
    information coefficient.

    Parameters
    ----------
    model : SpikedModel
    m0 : float or (r,) array
        Overlap of the start, in $[0,1]$; a number serves all signals.
    n_iter : int
        Number of iterations.

    Returns
    -------
    BayesStateEvolution
        Its fixed point is the square of :func:`rbmnotes.bayes_overlap`.

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not match.
    """
    if not isinstance(model, SpikedModel):
        raise ValueError(f"model must be a SpikedModel; got {model!r}")
    m0 = number_or_vector(m0, "m0", model.r)
    if np.any((m0 < 0.0) | (m0 > 1.0)):
        raise ValueError("m0 must be between 0 and 1")
    n_iter = positive_integer(n_iter, "n_iter", minimum=0)
    snr = model.information_coefficient * np.array(model.snr)
    m_w, m_u = np.zeros((n_iter + 1, model.r)), np.zeros((n_iter, model.r))
    m_w[0] = m0
    for t in range(n_iter):
        for i, strength in enumerate(snr**2):
            m_u[t, i] = _overlap(strength * m_w[t, i], model.prior_u)
            m_w[t + 1, i] = _overlap(model.alpha * strength * m_u[t, i], model.prior_w)
    return BayesStateEvolution(m_w, m_u)


def bayes_log_evidence(
    alpha: float, snr: float, prior_u: Prior = Rademacher(), prior_w: Prior = Rademacher()
) -> float:
    r"""Return the limit of $\frac1d\log\frac{P(X)}{P_0(X)}$ for one signal, $P_0$ being pure noise.

    The mutual potential at the Bayes-optimal solution, and so the limit of the score of
    :func:`rbmnotes.bayes_amp` where that reaches it.

    Parameters
    ----------
    alpha, snr, prior_u, prior_w
        As of :func:`rbmnotes.bayes_overlap`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As :func:`rbmnotes.bayes_overlap`.
    """
    m_w = bayes_overlap(alpha, snr, prior_u, prior_w) ** 2
    alpha, snr = float(alpha), float(snr)
    m_u = _overlap(snr**2 * m_w, prior_u)
    return mutual_potential(alpha, snr, m_u, m_w, prior_u, prior_w)


def _overlap(gamma: float, prior: Prior) -> float:
    """Overlap of the posterior mean with the truth, which rounding must not make negative."""
    return max(posterior_overlap(gamma, prior), 0.0)
