r"""The global optimum for one unit and one signal, from Gordon's min-max problem.

$\min_{m,q}\max_V$ of the reduced potential of ``rbmnotes.theory.gordon``: a root for the inner
maximum, a descent from a scan of starts for the outer minimum, Newton's method at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.optimize import root as find_root

from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Gaussian, Prior, Rademacher
from rbmnotes.model.proximal import response_bound
from rbmnotes.theory.gordon import check_problem, check_state, gradient, potential
from rbmnotes.theory.moreau import FieldLaw

FLAT = 1e-8
"""Largest derivative of the potential at a solution."""
SAME = 1e-6
"""Ends of the scan that differ by less are one minimum."""


@dataclass(frozen=True)
class GlobalOptimum:
    r"""Solution of Gordon's min-max problem.

    Attributes
    ----------
    m : float
        Signal overlap.
    q : float
        Self overlap.
    V : float
        The ratio $\gamma/\tau$ of the inner variables, the response of AMP.
    tau : float
        First inner variable.
    gamma : float
        Second inner variable.
    loss : float
        Value of the potential: where the assumptions of Theorem 7 hold the limit of the minimum of
        the objective, and elsewhere a lower bound to it.
    replicon : float
        $\alpha V^2E[(\partial_\omega g)^2]$; Assumption 6 asks for less than one.
    gradient_size : float
        Largest derivative of the potential, in absolute value.
    unique : bool
        Whether every start of the scan led to this minimum.
    converged : bool
        Whether this is a minimum of the potential, with its derivatives below 1e-8 and $V$ below
        the bound of the proximal map.
    message : str
        Which of the theorem's assumptions hold.
    """

    m: float
    q: float
    V: float
    tau: float
    gamma: float
    loss: float
    replicon: float
    gradient_size: float
    unique: bool
    converged: bool
    message: str


def global_optimum(
    alpha: float, snr: float, hidden: Prior = Rademacher(), prior_u: Prior = Rademacher()
) -> GlobalOptimum:
    r"""Solve Gordon's min-max problem (Theorem 7, paper eq. 87).

    The weights have the component $m=r\cos\theta$ along the signal and $\sqrt{q-m^2}=r\sin\theta$
    orthogonal to it. The inner maximum over $V$ is a root in one variable, the outer minimum is
    descended to from a scan of starts $(\theta,r)$, and Newton's method on the four stationarity
    conditions polishes it.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    hidden : Prior
        Law of the hidden unit.
    prior_u : Prior
        Law of a latent variable: zero mean, unit variance.

    Returns
    -------
    GlobalOptimum
        With $m\ge0$ where a symmetry of the unit or of the latent variable leaves the sign free.
        If $V$ ends beyond the bound of the proximal map, `converged` is false and the message says
        so.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    problem = alpha, snr, hidden, prior_u = check_problem(alpha, snr, hidden, prior_u)
    ends = [_polish(end, *problem) for end in _scan(*problem)]
    state = min(ends, key=lambda end: potential(end, *problem))
    unique = all(np.max(np.abs(end - state)) < SAME for end in ends)
    m, q, tau, gamma = map(float, state)
    m = abs(m) if _sign_is_free(hidden, prior_u) else m
    V = gamma / tau
    replicon = alpha * V**2 * FieldLaw(snr * m, q, hidden, prior_u).squared_derivative(V)
    size = float(np.max(np.abs(gradient(state, *problem))))
    beyond = response_bound(hidden) <= V
    return GlobalOptimum(
        m=m,
        q=q,
        V=V,
        tau=tau,
        gamma=gamma,
        loss=potential(state, *problem),
        replicon=replicon,
        gradient_size=size,
        unique=unique,
        converged=not beyond and size < FLAT,
        message=_describe(V, beyond, size, replicon, unique),
    )


def _describe(V: float, beyond: bool, size: float, replicon: float, unique: bool) -> str:
    """Say in words which of the assumptions of Theorem 7 hold."""
    if not size < FLAT:
        return f"not converged: a derivative of the potential is {size:.2g}"
    if beyond:
        message = f"Assumption 5 fails: V = {V:.4g} is past its bound, the proximal map jumps"
    elif replicon >= 1.0:
        message = f"Assumption 6 fails: the replicon {replicon:.4g} is not below one"
    else:
        message = "Assumptions 5 and 6 hold: the loss is the limit of the minimum"
    if beyond or replicon >= 1.0:
        message += "; the loss is a lower bound only"
    return message if unique else message + "; the lowest of several minima"


def _sign_is_free(hidden: Prior, prior_u: Prior) -> bool:
    """Whether (m, q) and (-m, q) have the same potential: by z to -z, or by U to -U."""
    return hidden.is_symmetric or prior_u.is_symmetric


def _scan(alpha: float, snr: float, hidden: Prior, prior_u: Prior) -> list[np.ndarray]:
    """Descend from every start; return the states at the ends."""
    unit = 1.0 / np.sqrt(hidden.variance)
    along, across = unit * max(snr, 1.0) * np.array([0.3, 1.1]), unit * np.array([0.3, 1.0])
    largest = 1.0 - 1e-9 if isinstance(hidden, Gaussian) else 10.0 * unit * (1.0 + snr)
    free = _sign_is_free(hidden, prior_u)
    ends = []
    for m, gamma in product(along if free else (*along, *-along), across):
        theta, r = minimize(
            _profile,
            (np.arctan2(gamma, m), min(np.hypot(m, gamma), 0.95 * largest)),
            args=(alpha, snr, hidden, prior_u),
            jac=True,
            method="L-BFGS-B",
            bounds=[(1e-4, np.pi - 1e-4), (0.02 * unit, largest)],
            options={"ftol": 1e-10, "gtol": 1e-5},
        ).x
        m, gamma = r * np.cos(theta), r * np.sin(theta)
        m = abs(m) if free else m
        V = inner_maximum(FieldLaw(snr * m, r * r, hidden, prior_u), gamma, alpha)
        ends.append(np.array([m, r * r, gamma / V, gamma]))
    return ends


def _profile(
    point: np.ndarray, alpha: float, snr: float, hidden: Prior, prior_u: Prior
) -> tuple[float, np.ndarray]:
    r"""Maximum of the potential over V, and its gradient with respect to $\theta$ and $r$."""
    theta, r = point
    m, q, gamma = r * np.cos(theta), r * r, r * np.sin(theta)
    law = FieldLaw(snr * m, q, hidden, prior_u)
    V = inner_maximum(law, gamma, alpha)
    average, penalty = law.averages(V), eta2_moments([[q]], hidden)
    value = alpha * (average.envelope + penalty.eta2) - gamma**2 / (2.0 * V)
    by_m = m / V - alpha * snr * average.ug
    by_q = 0.5 * (alpha * (penalty.second[0, 0] - average.derivative) - 1.0 / V)
    return value, np.array([-by_m * gamma, by_m * np.cos(theta) + by_q * 2.0 * r])


def inner_maximum(law: FieldLaw, gamma: float, alpha: float) -> float:
    r"""Solve $V\sqrt{\alpha E[g^2]}=\gamma$ for $V$."""

    def excess(log_V: float) -> float:
        return log_V + 0.5 * np.log(alpha * law.averages(np.exp(log_V)).gg) - np.log(gamma)

    bound = np.log(response_bound(law.hidden))
    start = bound - 1e-9 if isinstance(law.hidden, Gaussian) else bound
    # E[g^2] grows with V, so the slope of the excess is at least one: that brackets the root
    first = excess(start)
    other = start - first - np.copysign(1e-6, first)
    return float(np.exp(brentq(excess, start, other, xtol=1e-11)))


def _polish(
    state: np.ndarray, alpha: float, snr: float, hidden: Prior, prior_u: Prior
) -> np.ndarray:
    """Newton's method on the four stationarity conditions, kept if it stays near."""

    def residual(state: np.ndarray) -> np.ndarray:
        try:
            m, q, tau, gamma = state
            check_state(m, q, tau, gamma, hidden)
        except ValueError:
            return np.full(4, 1e3)
        return gradient(state, alpha, snr, hidden, prior_u)

    found = find_root(residual, state, tol=1e-14)
    near = np.max(np.abs(found.x - state)) < 0.1 * (1.0 + np.max(np.abs(state)))
    return found.x if near and np.max(np.abs(found.fun)) < FLAT else state
