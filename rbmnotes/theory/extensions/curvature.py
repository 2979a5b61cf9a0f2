r"""Curvature of the objective at a stationary point of one unit: minimum or saddle (ours).

With $s_\mu=\eta_1''(z_\mu)$ the Hessian of $d\,\mathcal L$ orthogonally to the weights is
$\Gamma-\frac1dX^\top{\rm diag}(s)X$, $\Gamma=2\alpha\eta_2'(q)$. Its resolvent
$v(x)=\frac1d{\rm tr}(H-x)^{-1}$ below the spectrum solves

.. math:: x=\Gamma-\frac1v-\alpha E\Big[\frac s{1-sv}\Big]

(the law of $z$ being that of the fixed point, at which $v(0)=V$). So the bulk begins where
$\alpha v^2E[s^2/(1-sv)^2]=1$: the replicon is below one if the bulk is positive. A signal of
strength $\lambda$ that no unit has learned adds an eigenvalue where
$\lambda^2\alpha vE[s/(1-sv)]=1$, that is $\lambda^2((\Gamma-x)v-1)=1$. That it is negative means
$\lambda^2(\Gamma V-1)>1$, and this is also the factor by which AMP-RBM amplifies a small overlap
with that signal: what AMP leaves is a saddle. Derived as if the noise were independent of $s$.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from rbmnotes._validation import finite_real, not_negative
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Discrete, Prior, Rademacher, check_prior, check_standardised
from rbmnotes.model.proximal import response_bound
from rbmnotes.theory.state_evolution import FixedPoint, fixed_point

REACH = 9.0
"""Half width of the grid of z, in standard deviations of the field."""
POINTS = 4001


@dataclass(frozen=True)
class LowestCurvature:
    r"""Lower end of the spectrum of the Hessian of $d\,\mathcal L$ at a stationary point.

    Attributes
    ----------
    edge : float
        Where the bulk begins.
    outlier : float
        Eigenvalue below the bulk that the missed signal causes; NaN if there is none.
    growth : float
        $\lambda^2(\Gamma V-1)$ of the missed signal: AMP's factor on a small overlap with it.
    """

    edge: float
    outlier: float
    growth: float

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue."""
        return self.edge if np.isnan(self.outlier) else self.outlier


def lowest_curvature(
    alpha: float,
    learned: float,
    missed: float,
    hidden: Prior = Rademacher(),
    prior_u: Prior = Rademacher(),
) -> LowestCurvature:
    """Predict the smallest eigenvalue where one unit holds one of two signals.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    learned : float
        Strength of the signal that the unit holds.
    missed : float
        Strength of the other.
    hidden : Prior
        Law of the hidden unit, with finitely many values.
    prior_u : Prior
        Law of a latent variable: zero mean, unit variance, finitely many values.

    Returns
    -------
    LowestCurvature

    Raises
    ------
    ValueError
        If an argument is out of range, or there is no such fixed point with a replicon below one.
    """
    missed = finite_real(not_negative(missed, "missed"), "missed")
    for prior, name in ((hidden, "hidden"), (prior_u, "prior_u")):
        if not isinstance(check_prior(prior, name), Discrete):
            raise ValueError(f"{name} must have finitely many values; got {prior!r}")
    check_standardised(prior_u, "prior_u")
    assert isinstance(hidden, Discrete)
    assert isinstance(prior_u, Discrete)
    point = fixed_point(alpha, learned, hidden, prior_u)
    if not point.converged or point.replicon >= 1.0:
        raise ValueError(f"learned must have a stable fixed point: {point.message}")
    slopes, weights = _law_of_slopes(point, learned, hidden, prior_u)
    multiplier = alpha * float(eta2_moments([[point.q]], hidden).second[0, 0])

    def place(v: float) -> float:
        return float(multiplier - 1.0 / v - alpha * weights @ (slopes / (1.0 - slopes * v)))

    def past_edge(v: float) -> float:
        return float(alpha * weights @ (slopes * v / (1.0 - slopes * v)) ** 2 - 1.0)

    def past_outlier(v: float) -> float:
        return float(missed**2 * alpha * v * (weights @ (slopes / (1.0 - slopes * v))) - 1.0)

    largest = response_bound(hidden) * (1.0 - 1e-9)
    edge = brentq(past_edge, point.V, largest, xtol=1e-13)
    outlier = np.nan
    if past_outlier(edge) > 0.0:
        outlier = place(brentq(past_outlier, 1e-9, edge, xtol=1e-13))
    growth = missed**2 * (multiplier * point.V - 1.0)
    return LowestCurvature(float(place(edge)), float(outlier), float(growth))


def _law_of_slopes(
    point: FixedPoint, snr: float, hidden: Discrete, prior_u: Discrete
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return $\eta_1''(z)$ on a grid of z and the probability weights of its points."""
    values = np.array(prior_u.support)
    ends = snr * point.m * values
    shift = point.V * max(abs(end) for end in hidden.support)
    reach = REACH * np.sqrt(point.q) + shift
    z = np.linspace(ends.min() - reach, ends.max() + reach, POINTS)
    slopes = hidden.tilted_variance(z)
    omega = z - point.V * hidden.tilted_mean(z)
    parts = np.exp(-0.5 * (omega - ends[:, None]) ** 2 / point.q) / np.sqrt(2 * np.pi * point.q)
    density = np.array(prior_u.probabilities) @ parts
    return slopes, density * (1.0 - point.V * slopes) * (z[1] - z[0])
