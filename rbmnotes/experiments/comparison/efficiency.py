r"""The RBM beside the Bayes-optimal overlap for Gaussian signals: the efficiency of one denoiser.

At a fixed point the squared overlap $x$ solves

.. math::
    x=F_{\rm Gauss}\big(\epsilon_g\,\alpha\lambda^2F(\lambda^2x)\big),\qquad
    \epsilon_g=\frac{(E[Ug])^2}{E[g^2]\,E[\hat u^2]}\le1,\qquad\hat u=E[U|\omega].

With $\epsilon_g=1$ it is the equation of the Bayes-optimal overlap. Units and latent variables are
signs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rbmnotes.experiments.comparison.equal_signals import NOISE, NOISE_WEIGHTS
from rbmnotes.model.priors import Rademacher
from rbmnotes.model.proximal import proximal_map
from rbmnotes.theory.bayes_limit import posterior_overlap
from rbmnotes.theory.state_evolution import FixedPoint


class Efficiency(NamedTuple):
    r"""Both sides of the equation, ``squared_overlap`` and ``predicted``, and $\epsilon_g$."""

    squared_overlap: float
    predicted: float
    efficiency: float


def efficiency(point: FixedPoint, alpha: float, snr: float) -> Efficiency:
    r"""Return both sides of the equation and the efficiency, averaging over the field.

    Parameters
    ----------
    point : FixedPoint
        Of one unit and one signal.
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.

    Returns
    -------
    Efficiency
    """
    U = np.array([-1.0, 1.0])
    omega = snr * point.m * U[:, None] + np.sqrt(point.q) * NOISE
    g = proximal_map(omega.reshape(-1, 1), [[point.V]]).g.reshape(omega.shape)
    posterior = np.tanh(snr * point.m * omega / point.q)
    gu, gg, uu = (
        float((values @ NOISE_WEIGHTS).mean()) for values in (g * posterior, g**2, posterior**2)
    )
    share = gu**2 / (gg * uu)
    x = point.overlap**2
    gamma = share * alpha * snr**2 * posterior_overlap(snr**2 * x, Rademacher())
    return Efficiency(x, gamma / (1 + gamma), share)
