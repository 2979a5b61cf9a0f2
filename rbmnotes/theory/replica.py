r"""One step of replica symmetry breaking without a signal (ours, heuristic).

Where the replicon exceeds one, Gordon's bound is not tight: the minimum of the objective lies
above the replica-symmetric value. One step of symmetry breaking groups the weights into states of
self overlap $q$, orthogonal to each other when there is no signal, whose lowest energy per
dimension is

.. math::
    e=\mathop{\rm extr}_{q,V,y}\ -\frac\alpha y\log E_H\,e^{-y\,\mathcal M(\sqrt q\,H;V)}
    +\alpha\,\eta_2(q)-\frac1{2y}\log\Big(1+\frac{yq}V\Big),

with $\mathcal M$ the Moreau envelope of $-\eta_1$ and $y$ Parisi's parameter; $y\to0$ is the
replica-symmetric value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import root as find_root

from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Gaussian, Prior, Rademacher, check_prior
from rbmnotes.model.proximal import response_bound
from rbmnotes.model.tilted import law_arrays
from rbmnotes.theory.moreau import WIDTH, tabulate
from rbmnotes.theory.solution_curve import SolutionCurve

SMALLEST_Y = 1e-3
"""Where the continuation in y from the replica-symmetric state begins."""
LARGEST_Y = 10.0
"""Where it gives up."""
STEP = 1.05
"""Factor between sample ratios in the continuation to small ones."""


@dataclass(frozen=True)
class OneStepRSB:
    r"""State with one step of replica symmetry breaking, at zero signal strength.

    Attributes
    ----------
    q : float
        Self overlap of a state.
    V : float
        Response inside a state.
    y : float
        Parisi parameter.
    energy : float
        Lowest energy of the states per dimension: an estimate of the minimum of the objective.
    converged : bool
        Whether the three derivatives vanish to 1e-9 with $V$ below its bound.
    message : str
        Empty, or what failed; the numbers are then NaN.
    """

    q: float
    V: float
    y: float
    energy: float
    converged: bool
    message: str


def one_step_rsb(alpha: float, hidden: Prior = Rademacher()) -> OneStepRSB:
    r"""Solve the one-step problem at $\lambda=0$ (ours).

    At a sample ratio where the replica-symmetric state is in the range of the theory, it is
    followed in $y$ until the energy no longer grows, and Newton's method finds the maximum. Smaller
    sample ratios are reached from there by continuation.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    hidden : Prior
        Law of the hidden unit: discrete and symmetric, so that different states are orthogonal.

    Returns
    -------
    OneStepRSB
        Also where it did not converge; then `converged` is false and the message says why.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    check_prior(hidden, "hidden")
    if isinstance(hidden, Gaussian) or not hidden.is_symmetric:
        raise ValueError(f"hidden must be discrete and symmetric; got {hidden!r}")
    curve = SolutionCurve(alpha, hidden, Rademacher())
    while not curve.in_range(0.0):
        curve = SolutionCurve(STEP * curve.alpha, hidden, Rademacher())
    start = curve.point(0.0)
    if curve.replicon(start) <= 1.0:
        return _failure("the replica-symmetric state is stable")
    state = _from_symmetric_state(curve.alpha, start.q, start.V, hidden)
    ratio, bound = curve.alpha, response_bound(hidden)
    while state is not None and ratio > alpha:
        ratio = max(ratio / STEP, alpha)
        state = _solve(state, ratio, hidden)
        if state is not None and np.exp(state[1]) >= bound:
            return _failure(f"V passes its bound above alpha = {ratio:.4g}: outside the theory")
    if state is None:
        return _failure("not converged")
    q, V, y = map(float, np.exp(state))
    return OneStepRSB(q, V, y, _energy(q, V, y, alpha, hidden), True, "")


def _failure(message):
    return OneStepRSB(np.nan, np.nan, np.nan, np.nan, False, message)


def _from_symmetric_state(alpha, q, V, hidden):
    """Follow the state in y until the energy falls, and solve from there."""
    point, y = np.log([q, V]), SMALLEST_Y
    while y < LARGEST_Y:
        found = find_root(
            lambda x, y=y: _derivatives(*np.exp(x), y, alpha, hidden)[:2], point, tol=1e-12
        )
        point = found.x
        if _derivatives(*np.exp(point), y, alpha, hidden)[2] < 0.0:
            return _solve(np.append(point, np.log(y)), alpha, hidden)
        y *= 1.25
    return None


def _solve(start, alpha, hidden):
    """Return the logarithms of (q, V, y) at which all derivatives vanish, or None."""
    found = find_root(lambda x: _derivatives(*np.exp(x), alpha, hidden), start, tol=1e-12)
    near = np.max(np.abs(found.x - start)) < 1.0  # y -> 0 solves two of the three equations
    return found.x if near and np.max(np.abs(found.fun)) < 1e-9 else None


def _tilted(q, V, y, hidden):
    r"""Return $\log E\,e^{-y\mathcal M}$ and, under that weight, the means of $g^2,g',\mathcal M$.

    A trapezoidal rule in the proximal point z, as in ``rbmnotes.theory.moreau``.
    """
    top = hidden.support[-1]
    reach = WIDTH * np.sqrt(q) + (y * q + V) * top  # the weight shifts the field by up to y q |g|
    step = min(0.25 * np.sqrt(q), 0.2 / top)
    z = np.linspace(-reach, reach, 2 * int(np.ceil(reach / step)) + 1)
    g, slope, eta1 = tabulate(z, *law_arrays(hidden))
    envelope, jacobian = 0.5 * V * g**2 - eta1, 1.0 - V * slope
    exponent = -0.5 * (z - V * g) ** 2 / q - y * envelope
    weight = np.exp(exponent - exponent.max())
    total = weight @ jacobian
    log_average = exponent.max() + np.log(total * (z[1] - z[0]) / np.sqrt(2.0 * np.pi * q))
    means = ((weight * jacobian) @ g**2, weight @ slope, (weight * jacobian) @ envelope)
    return log_average, *(mean / total for mean in means)


def _energy(q, V, y, alpha, hidden):
    log_average = _tilted(q, V, y, hidden)[0]
    penalty = alpha * eta2_moments([[q]], hidden).eta2
    return float(penalty - alpha * log_average / y - np.log1p(y * q / V) / (2.0 * y))


def _derivatives(q, V, y, alpha, hidden):
    """Differentiate the energy with respect to q, V and y."""
    log_average, gg, derivative, envelope = _tilted(q, V, y, hidden)
    second = eta2_moments([[q]], hidden).second[0, 0]
    total = V + y * q
    return np.array(
        [
            0.5 * (alpha * (second - y * gg - derivative) - 1.0 / total),
            0.5 * (q / (V * total) - alpha * gg),
            (alpha * log_average + 0.5 * np.log1p(y * q / V)) / y**2
            + (alpha * envelope - 0.5 * q / total) / y,
        ]
    )
