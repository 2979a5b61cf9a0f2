r"""The potential's profile along the overlap, $\min_q\max_V\Psi$ at given $m$, for signs."""

from __future__ import annotations

from scipy.optimize import minimize_scalar

from rbmnotes.model.objective import eta2
from rbmnotes.model.priors import Rademacher
from rbmnotes.theory.moreau import FieldLaw
from rbmnotes.theory.optimum import inner_maximum

ACROSS = (0.05, 2.5)
r"""Between these $\sqrt{q-m^2}$ the minimum is sought."""


def profile(m: float, alpha: float, snr: float) -> float:
    r"""Return the minimum over $q$ of the maximum over $V$ of Gordon's potential.

    Its lowest value, over $m$, is the loss of :func:`rbmnotes.global_optimum`.

    Parameters
    ----------
    m : float
        Signal overlap.
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.

    Returns
    -------
    float
    """
    signs = Rademacher()

    def largest_over_V(across):
        q = m * m + across * across
        law = FieldLaw(snr * m, q, signs, signs)
        V = inner_maximum(law, across, alpha)
        return alpha * (law.averages(V).envelope + eta2([[q]], signs)) - across**2 / (2 * V)

    return minimize_scalar(
        largest_over_V, bounds=ACROSS, method="bounded", options={"xatol": 1e-4}
    ).fun
