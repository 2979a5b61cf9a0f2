r"""In which order the potential's extrema are taken (paper eq. 87), for signs.

The proof's is $\min_{m,q}\min_\gamma\max_\tau$; with $\max_\tau\min_\gamma$ the bound is weaker,
see :func:`rbmnotes.theory.gordon.exchanged_order`.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from rbmnotes.theory.gordon import exchanged_order, gordon_potential

RESPONSES = (0.02, 50.0)
r"""Between these $V=\gamma/\tau$ the maximum is sought."""


def largest_over_tau(m: float, q: float, gamma: float, alpha: float, snr: float) -> float:
    r"""Return the maximum over $\tau$ of Gordon's potential.

    Parameters
    ----------
    m, q : float
        Signal overlap and self overlap, $q>m^2$.
    gamma : float
        Second inner variable, positive.
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.

    Returns
    -------
    float
    """
    return -minimize_scalar(
        lambda log_V: -gordon_potential(m, q, gamma / np.exp(log_V), gamma, alpha, snr),
        bounds=np.log(RESPONSES),
        method="bounded",
        options={"xatol": 1e-8},
    ).fun


def least_in_exchanged_order(alpha: float, snr: float, m: float) -> float:
    r"""Return $\min_{m,q}\max_\tau\min_\gamma$ of Gordon's potential.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    m : float
        Signal overlap from which the minimum is descended to, with $q-m^2=1$.

    Returns
    -------
    float
    """
    return minimize(
        lambda x: exchanged_order(x[0], x[0] ** 2 + np.exp(x[1]), alpha, snr),
        (m, 0.0),
        method="Nelder-Mead",
    ).fun
