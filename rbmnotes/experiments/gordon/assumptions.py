r"""Which of Theorem 7's assumptions hold at a point, in numbers.

For units of finite support Assumption 4 is a theorem, with an explicit bound to $q$; Assumption 5
asks for $V$ below the bound $V_{\max}$ of the proximal map, whose Lipschitz constant is then
$1/(1-V/V_{\max})$, and Assumption 6 for a replicon below one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rbmnotes.model.priors import Discrete, Prior
from rbmnotes.model.proximal import response_bound
from rbmnotes.theory.gordon import norm_bounds
from rbmnotes.theory.limits import outlier_eigenvalue
from rbmnotes.theory.optimum import global_optimum


class Assumptions(NamedTuple):
    r"""Self overlap and its bound, response, Lipschitz constant, replicon, what fails.

    ``q_bound`` is that of stationary weights, on data of the limit; ``lipschitz`` is infinite from
    the bound of the proximal map on; ``fails`` is the number of the first assumption that fails,
    zero if none does.
    """

    q: float
    q_bound: float
    V: float
    lipschitz: float
    replicon: float
    fails: int


def assess(alpha: float, snr: float, hidden: Discrete, prior_u: Prior) -> Assumptions:
    """Solve Gordon's problem and return how the assumptions stand at its optimum.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    hidden : Discrete
        Law of the hidden unit.
    prior_u : Prior
        Law of a latent variable: zero mean, unit variance.

    Returns
    -------
    Assumptions
    """
    best = global_optimum(alpha, snr, hidden, prior_u)
    sigma = np.sqrt(outlier_eigenvalue(alpha, snr))
    share = best.V / response_bound(hidden)
    return Assumptions(
        best.q,
        norm_bounds(sigma, alpha, hidden)[1],
        best.V,
        1 / (1 - share) if share < 1 else np.inf,
        best.replicon,
        5 if share >= 1 else 6 if best.replicon >= 1 else 0,
    )
