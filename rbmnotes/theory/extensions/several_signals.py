r"""The global optimum for one unit on several signals (ours).

Gordon's comparison needs one unit, not one signal. With orthogonal signals the overlaps become a
vector $m\in\mathbb R^r$ and the field $\sum_i\lambda_im_iU_i+\sqrt q\,G$, so that the minimum of
the objective is bounded by, and where the replicon is below one tends to,

.. math::
    \min_{m,q}\max_V\ -\frac{q-\|m\|^2}{2V}
    +\alpha E\,\mathcal M\big(\textstyle\sum_i\lambda_im_iU_i+\sqrt q\,G;V\big)+\alpha\,\eta_2(q).

Of the latent variables only the sum in the field enters: one variable of a law of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import minimize

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike
from rbmnotes._validation import finite_array, finite_real
from rbmnotes.model.objective import eta2
from rbmnotes.model.priors import Discrete, Rademacher, check_prior, check_standardised
from rbmnotes.theory.moreau import FieldLaw
from rbmnotes.theory.optimum import inner_maximum

NEGLIGIBLE = 1e-6
"""An overlap of this share of the largest is none: its signal is left out of the law."""


@dataclass(frozen=True, eq=False)
class SeveralSignalsOptimum(Frozen):
    r"""Lowest point of the potential over all overlaps that the search found.

    Attributes
    ----------
    m : (r,) array
        Overlap with each signal.
    q : float
        Self overlap.
    V : float
        Response.
    loss : float
        Value of the potential.
    replicon : float
        $\alpha V^2E[(\partial_\omega g)^2]$; below one, `loss` is the limit of the minimum.
    """

    m: np.ndarray
    q: float
    V: float
    loss: float
    replicon: float


def several_signals_optimum(
    alpha: float, snr: ArrayLike, prior_u: Discrete = Rademacher(), hidden: Discrete = Rademacher()
) -> SeveralSignalsOptimum:
    r"""Minimise Gordon's potential for one unit over its overlaps with a few signals.

    Simplex searches from each signal alone and from mixtures of the first with each other.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : (r,) array
        Strengths of the signals, positive and decreasing; two or three, since the law of the
        field has as many values as all latent variables together.
    prior_u : Discrete
        Law of a latent variable: zero mean, unit variance, symmetric.
    hidden : Discrete
        Law of the hidden unit, with finitely many values.

    Returns
    -------
    SeveralSignalsOptimum

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    alpha, snr = finite_real(alpha, "alpha", above=0.0), finite_array(snr, "snr", (None,))
    if np.any(snr <= 0.0) or np.any(np.diff(snr) > 0.0):
        raise ValueError(f"snr must be positive and decreasing; got {snr!r}")
    if not isinstance(check_standardised(prior_u, "prior_u"), Discrete) or not prior_u.is_symmetric:
        raise ValueError(f"prior_u must be symmetric with finitely many values; got {prior_u!r}")
    if not isinstance(check_prior(hidden, "hidden"), Discrete):
        raise ValueError(f"hidden must have finitely many values; got {hidden!r}")

    def state(x: np.ndarray) -> tuple[float, np.ndarray, float, float, FieldLaw]:
        m, gamma = np.abs(x[:-1]), np.exp(x[-1])  # by symmetry no sign matters
        q = float(m @ m + gamma**2)
        law = _law(snr * m, q, hidden, prior_u)
        V = inner_maximum(law, gamma, alpha)
        value = alpha * (law.averages(V).envelope + eta2([[q]], hidden)) - gamma**2 / (2.0 * V)
        return value, m, q, V, law

    starts = [np.append(row, 0.0) for row in np.diag(snr)]
    starts += [np.append(0.7 * (np.diag(snr)[0] + row), 0.0) for row in np.diag(snr)[1:]]
    options = {"xatol": 1e-7, "fatol": 1e-12, "maxiter": 4000, "maxfev": 4000}
    ends = [
        minimize(lambda x: state(x)[0], start, method="Nelder-Mead", options=options)
        for start in starts
    ]
    value, m, q, V, law = state(min(ends, key=lambda end: end.fun).x)
    replicon = alpha * V**2 * law.squared_derivative(V)
    return SeveralSignalsOptimum(m, q, float(V), float(value), float(replicon))


def _law(strengths: np.ndarray, q: float, hidden: Discrete, prior_u: Discrete) -> FieldLaw:
    """Law of the field: one latent variable, the normalised sum, of the right strength."""
    total = float(np.linalg.norm(strengths))
    kept = strengths[strengths > NEGLIGIBLE * strengths.max(initial=0.0)]
    if not len(kept):
        return FieldLaw(0.0, q, hidden, Rademacher())
    points: dict[float, float] = {}
    pairs = list(zip(prior_u.support, prior_u.probabilities, strict=True))
    for choice in product(pairs, repeat=len(kept)):
        value = float(np.dot([u for u, _ in choice], kept)) / total
        probability = float(np.prod([p for _, p in choice]))
        points[value] = points.get(value, 0.0) + probability
    return FieldLaw(total, q, hidden, Discrete(tuple(points), tuple(points.values())))
