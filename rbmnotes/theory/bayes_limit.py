"""The overlap that no estimator exceeds: fixed points of scalar Gaussian channels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from rbmnotes._validation import HUGE, finite_real, positive_real
from rbmnotes.model.continuous import Continuous, check_precision
from rbmnotes.model.priors import Discrete, Gaussian, Prior, Rademacher, check_standardised

MAX_POINTS = 2**20
"""Points of the average over a channel."""
SEPARATE = 20.0
"""Distance of two points in standard deviations of the noise at which they are never confused."""
PLAIN_STEPS = 3000
"""Steps of the Bayes-optimal recursion before its fixed point is looked for as a root."""


def bayes_overlap(
    alpha: float, snr: float, prior_u: Prior = Rademacher(), prior_w: Prior = Rademacher()
) -> float:
    r"""Return the largest cosine any estimator of one signal can reach.

    Solves $m_u=F_u(\lambda^2m_w)$, $m_w=F_w(\alpha\lambda^2m_u)$, where $F(\gamma)$ is the
    overlap of the posterior mean with the truth in a Gaussian channel of that signal-to-noise
    ratio. Where more than one solution is stable (sparse priors) the one of larger mutual
    potential $\alpha\psi_u(\lambda^2m_w)+\psi_w(\alpha\lambda^2m_u)-\frac12\alpha\lambda^2m_um_w$,
    $\psi'=F/2$, is the Bayes-optimal one; it may be out of reach of fast algorithms.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    prior_u, prior_w : Prior
        Laws of the latent variables and of the signal's entries: zero mean, unit variance.

    Returns
    -------
    float
        $\sqrt{m_w}$; at or below the BBP threshold a value under 0.03 is reported as zero, above
        it one under 1e-4.

    Raises
    ------
    ValueError
        If an argument is out of range or a prior is not standardised; for a prior with a density
        also if its points do not resolve a channel of such strength.
    """
    alpha = positive_real(alpha, "alpha")
    snr = finite_real(snr, "snr", at_least=0.0, at_most=HUGE)
    check_precision(check_standardised(prior_u, "prior_u"), snr**2, "snr")
    check_precision(check_standardised(prior_w, "prior_w"), alpha * snr**2, "snr")

    def potential(solution: tuple[float, float]) -> float:
        return mutual_potential(alpha, snr, *solution, prior_u, prior_w)

    solutions = [_bayes_fixed_point(alpha, snr, prior_u, prior_w, m) for m in (1.0, 1e-4)]
    return float(np.sqrt(max(solutions, key=potential)[1]))  # at most one, as its square is


def mutual_potential(
    alpha: float, snr: float, m_u: float, m_w: float, prior_u: Prior, prior_w: Prior
) -> float:
    r"""Return $\alpha\psi_u(\lambda^2m_w)+\psi_w(\alpha\lambda^2m_u)-\frac12\alpha\lambda^2m_um_w$.

    $\psi(\gamma)=E\log\int dP(x')\,e^{yx'-\gamma x'^2/2}$ in the channel of
    :func:`posterior_overlap`, so that $\psi'=F/2$; stationary where $m_u=F_u$, $m_w=F_w$, and there
    the limit of the log evidence of one signal against pure noise, per dimension.

    Parameters
    ----------
    alpha, snr : float
        Sample ratio and signal strength.
    m_u, m_w : float
        Overlaps of the posterior means.
    prior_u, prior_w : Prior
        Laws of the latent variables and of the signal's entries.

    Returns
    -------
    float
    """
    gain_u = alpha * _channel_information(snr**2 * m_w, prior_u)
    gain_w = _channel_information(alpha * snr**2 * m_u, prior_w)
    return gain_u + gain_w - 0.5 * alpha * snr**2 * m_u * m_w


def _bayes_fixed_point(
    alpha: float, snr: float, prior_u: Prior, prior_w: Prior, m_w: float
) -> tuple[float, float]:
    """Follow the recursion from a start; where it creeps, find the root that it creeps to."""
    zero = 1e-3 if alpha * snr**4 <= 1.0 else 1e-8  # attracted to it, slowly so at the threshold

    def overlaps(m_w: float) -> tuple[float, float]:
        m_u = posterior_overlap(snr**2 * m_w, prior_u)
        return m_u, posterior_overlap(alpha * snr**2 * m_u, prior_w)

    for _ in range(PLAIN_STEPS):
        if m_w < zero:
            return 0.0, 0.0
        m_u, new = overlaps(m_w)
        step, m_w = new - m_w, new
        if abs(step) < 1e-12:
            return m_u, m_w
    # the map grows with m_w: the recursion ends at the first root in the direction of its steps
    near, stride = m_w, 10.0 * step
    while True:
        far = near + stride
        if far < zero:
            return 0.0, 0.0
        if (overlaps(far)[1] - far) * step <= 0.0:
            m_w = brentq(lambda m: overlaps(m)[1] - m, *sorted((near, far)), xtol=1e-15)
            return overlaps(m_w)[0], m_w
        near, stride = far, 1.05 * stride


def posterior_overlap(gamma: float, prior: Prior) -> float:
    r"""Return $F(\gamma)=E[x\,\hat x]$ for $y=\gamma x+\sqrt\gamma G$, $\hat x=E[x|y]$.

    $E\tanh(\gamma+\sqrt\gamma G)$ for Rademacher, $\gamma/(1+\gamma)$ for Gaussian $x$; by a sum
    over the support and the trapezoidal rule in $G$ in general.

    Parameters
    ----------
    gamma : float
        Signal-to-noise ratio.
    prior : Prior
        Law of $x$.

    Returns
    -------
    float
    """
    if isinstance(prior, Gaussian):
        return float(gamma / (1.0 + gamma))
    assert isinstance(prior, Discrete)
    if _is_resolved(gamma, prior):
        return prior.moment(2)
    average = _average_over_channel(
        gamma, prior, lambda x, field: x * prior.posterior_mean(field, gamma)
    )
    return min(max(average, 0.0), prior.moment(2))  # but for round-off


def _channel_information(gamma: float, prior: Prior) -> float:
    r"""Return $\psi(\gamma)=E\log\int dP(x')\,e^{yx'-\gamma x'^2/2}$."""
    if isinstance(prior, Gaussian):
        return float(0.5 * (gamma - np.log1p(gamma)))
    assert isinstance(prior, Discrete)
    support, log_weights = np.array(prior.support), np.log(prior.probabilities)
    if _is_resolved(gamma, prior):
        return float(prior.probabilities @ (0.5 * gamma * support**2 + log_weights))

    def log_normalisation(_: float, field: np.ndarray) -> np.ndarray:
        terms = log_weights + field[:, None] * support - 0.5 * gamma * support**2
        return np.logaddexp.reduce(terms, axis=1)

    return _average_over_channel(gamma, prior, log_normalisation)


def _is_resolved(gamma: float, prior: Discrete) -> bool:
    """Whether the channel tells all points of a law apart, up to a probability of 1e-22."""
    points = np.array(prior.support)
    discrete = not isinstance(prior, Continuous)
    return discrete and gamma * np.diff(points).min(initial=np.inf) ** 2 > SEPARATE**2


def _average_over_channel(
    gamma: float, prior: Discrete, function: Callable[[float, np.ndarray], np.ndarray]
) -> float:
    r"""Average ``function(x, y)`` over $x$ and $y$ by the trapezoidal rule.

    The posterior is analytic in a strip around the real axis, of half width $\pi/\sqrt\gamma$
    over the support's diameter; with five steps in that width the rule's error is below 1e-14.
    """
    diameter = prior.support[-1] - prior.support[0]
    step = min(0.1, 0.6 / (diameter * np.sqrt(gamma))) if gamma > 0 else 0.1
    if step * MAX_POINTS < 18.0:
        raise ValueError(
            f"snr must be smaller for {prior!r}: the average over the channel would need "
            f"{18.0 / step:.3g} points"
        )
    normal = np.arange(-9.0, 9.0 + step, step)
    weights = step * np.exp(-0.5 * normal**2) / np.sqrt(2.0 * np.pi)
    return sum(
        p * float(weights @ function(x, gamma * x + np.sqrt(gamma) * normal))
        for x, p in zip(prior.support, prior.probabilities, strict=True)
    )
