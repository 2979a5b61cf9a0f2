r"""Limits against which every algorithm is measured: the BBP transition, PCA, Bayes.

All formulas hold as $d\to\infty$ with $n=\alpha d$; order parameters depend on $(\alpha,\lambda)$
only.
"""

from __future__ import annotations

import numpy as np

from rbmnotes._validation import (
    finite_real,
    not_negative,
    positive,
    real_values,
)
from rbmnotes.model.priors import Discrete, Gaussian, Prior, Rademacher, check_standardised


def bbp_snr(alpha):
    r"""Return the threshold $\lambda_{BBP}=\alpha^{-1/4}$, at which $\alpha\lambda^4=1$ (eq. 22).

    Parameters
    ----------
    alpha : float or array
        Sample ratio $n/d>0$.

    Returns
    -------
    float or array
    """
    return positive(alpha, "alpha") ** -0.25


def pca_overlap(alpha, snr, of: str = "w"):
    r"""Return the limit of the cosine between a PCA vector and its signal.

    Squared, $\frac{\alpha\lambda^4-1}{\alpha\lambda^4+\lambda^2}$ for the signal $w$ and
    $\frac{\alpha\lambda^4-1}{\alpha\lambda^4+\alpha\lambda^2}$ for the latent variables $u$ above
    the BBP threshold, zero below. For distinct signal strengths it holds for each signal.

    Parameters
    ----------
    alpha : float or array
        Sample ratio.
    snr : float or array
        Signal strength; broadcast against `alpha`.
    of : {"w", "u"}
        Right or left singular vector.

    Returns
    -------
    float or array

    Raises
    ------
    ValueError
        If `alpha` is not positive, `snr` is negative, or `of` is neither ``"w"`` nor ``"u"``.
    """
    alpha, snr = positive(alpha, "alpha"), not_negative(snr, "snr")
    if of not in ("w", "u"):
        raise ValueError(f'of must be "w" or "u"; got {of!r}')
    strength = alpha * snr**4
    linear = snr**2 if of == "w" else alpha * snr**2
    recovered = strength > 1.0
    ratio = (strength - 1.0) / np.where(recovered, strength + linear, 1.0)
    return np.sqrt(np.where(recovered, ratio, 0.0))[()]


def outlier_eigenvalue(alpha, snr):
    r"""Return the limit of the eigenvalue of $X^\top X/d$ that belongs to a signal.

    $(1+\lambda^2)(\alpha+\lambda^{-2})$ above the BBP threshold, the edge of the noise
    $(1+\sqrt\alpha)^2$ below it.

    Parameters
    ----------
    alpha : float or array
        Sample ratio.
    snr : float or array
        Signal strength; broadcast against `alpha`.

    Returns
    -------
    float or array
    """
    alpha, snr = positive(alpha, "alpha"), not_negative(snr, "snr")
    strength = np.maximum(snr**2, alpha**-0.5)
    return ((1.0 + strength) * (alpha + 1.0 / strength))[()]


def marchenko_pastur_density(x, alpha):
    r"""Return the limiting density of the eigenvalues of $Z^\top Z/d$, $Z$ an $n\times d$ noise.

    For $\alpha<1$ a fraction $1-\alpha$ of the eigenvalues is zero, which the density leaves out.

    Parameters
    ----------
    x : array
        Where to evaluate it.
    alpha : float
        Sample ratio.

    Returns
    -------
    array
    """
    x, alpha = real_values(x, "x"), finite_real(alpha, "alpha", above=0.0)
    lower, upper = (1.0 - np.sqrt(alpha)) ** 2, (1.0 + np.sqrt(alpha)) ** 2
    inside = (x > lower) & (x < upper)
    body = np.sqrt(np.where(inside, (upper - x) * (x - lower), 0.0))
    return body / (2.0 * np.pi * np.where(inside, x, 1.0))


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
        $\sqrt{m_w}$; at or below the BBP threshold a value under 0.03 is reported as zero.

    Raises
    ------
    ValueError
        If an argument is out of range or a prior is not standardised.
    RuntimeError
        If the iteration has not converged to 1e-12 after 100,000 steps, which takes a strength
        within a relative 1e-4 above a threshold.
    """
    alpha = finite_real(alpha, "alpha", above=0.0)
    snr = finite_real(not_negative(snr, "snr")[()], "snr")
    check_standardised(prior_u, "prior_u")
    check_standardised(prior_w, "prior_w")

    def potential(solution):
        return mutual_potential(alpha, snr, *solution, prior_u, prior_w)

    solutions = [_bayes_fixed_point(alpha, snr, prior_u, prior_w, m) for m in (1.0, 1e-4)]
    return float(np.sqrt(max(solutions, key=potential)[1]))


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


def _bayes_fixed_point(alpha, snr, prior_u, prior_w, m_w):
    below_threshold = alpha * snr**4 <= 1.0
    for _ in range(100_000):
        if below_threshold and m_w < 1e-3:  # attracted to zero, slowly so at the threshold itself
            return 0.0, 0.0
        m_u = posterior_overlap(snr**2 * m_w, prior_u)
        previous, m_w = m_w, posterior_overlap(alpha * snr**2 * m_u, prior_w)
        if abs(m_w - previous) < 1e-12:
            return m_u, m_w
    raise RuntimeError(f"the Bayes-optimal overlap did not converge at alpha={alpha}, snr={snr}")


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
        return gamma / (1.0 + gamma)
    return _average_over_channel(
        gamma, prior, lambda x, field: x * prior.posterior_mean(field, gamma)
    )


def _channel_information(gamma, prior):
    r"""Return $\psi(\gamma)=E\log\int dP(x')\,e^{yx'-\gamma x'^2/2}$."""
    if isinstance(prior, Gaussian):
        return 0.5 * (gamma - np.log1p(gamma))
    support, log_weights = np.array(prior.support), np.log(prior.probabilities)

    def log_normalisation(_, field):
        terms = log_weights + field[:, None] * support - 0.5 * gamma * support**2
        return np.logaddexp.reduce(terms, axis=1)

    return _average_over_channel(gamma, prior, log_normalisation)


def _average_over_channel(gamma, prior: Discrete, function):
    r"""Average ``function(x, y)`` over $x$ and $y$ by the trapezoidal rule.

    The posterior is analytic in a strip around the real axis, of half width $\pi/\sqrt\gamma$
    over the support's diameter; with five steps in that width the rule's error is below 1e-14.
    """
    diameter = prior.support[-1] - prior.support[0]
    step = min(0.1, 0.6 / (diameter * np.sqrt(gamma))) if gamma > 0 else 0.1
    normal = np.arange(-9.0, 9.0 + step, step)
    weights = step * np.exp(-0.5 * normal**2) / np.sqrt(2.0 * np.pi)
    return sum(
        p * float(weights @ function(x, gamma * x + np.sqrt(gamma) * normal))
        for x, p in zip(prior.support, prior.probabilities, strict=True)
    )
