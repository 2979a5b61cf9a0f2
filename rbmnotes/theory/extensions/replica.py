r"""One step of replica symmetry breaking for one unit and one signal (ours, heuristic).

Where the replicon exceeds one, Gordon's bound is not tight: the minimum of the objective lies
above the replica-symmetric value. One step of symmetry breaking groups the weights into states of
self overlap $q$ and mutual overlap $q_0$, whose lowest energy per dimension is

.. math::
    e=\mathop{\rm extr}_{m,q_0,q,V,y}\ -\frac\alpha y\,E_{U,H_0}\log E_{H_1}
    e^{-y\,\mathcal M(\lambda Um+\sqrt{q_0}H_0+\sqrt{q-q_0}H_1;V)}+\alpha\,\eta_2(q)
    -\frac1{2y}\log\frac TV-\frac{q_0-m^2}{2T},\qquad T=V+y(q-q_0),

with $\mathcal M$ the Moreau envelope of $-\eta_1$ and $y$ Parisi's parameter; $y\to0$ is the
replica-symmetric value.

Under revision. Without an overlap the code fixes $m=q_0=0$, states that are orthogonal. That is not
the solution: the energy must be a *maximum* over $q_0$, and there it is a minimum, so the energy
returned is too low (-0.941109 at $\alpha=4$, where the one-step value is -0.940388 at $q_0=0.624$).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import root as find_root

from rbmnotes._validation import sample_ratio, signal_strength
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Discrete, Prior, Rademacher, check_prior
from rbmnotes.model.proximal import response_bound
from rbmnotes.model.tilted import law_arrays
from rbmnotes.theory.moreau import MAX_POINTS, WIDTH, tabulate
from rbmnotes.theory.optimum import GlobalOptimum, global_optimum
from rbmnotes.theory.solution_curve import SolutionCurve

SMALLEST_Y = 1e-3
"""Where the continuation in y from the replica-symmetric state begins."""
LARGEST_Y = 10.0
"""Where it gives up."""
STEP = 1.05
"""Factor between sample ratios in the continuation to small ones."""
OUTER_POINTS = 121
"""Points of the rule in $H_0$."""
NO_OVERLAP = 1e-6
"""Replica-symmetric overlap below which there is none."""


@dataclass(frozen=True)
class OneStepRSB:
    r"""State with one step of replica symmetry breaking.

    Attributes
    ----------
    m : float
        Signal overlap.
    q0 : float
        Mutual overlap of two states.
    q : float
        Self overlap of a state.
    V : float
        Response inside a state.
    y : float
        Parisi parameter.
    energy : float
        Lowest energy of the states per dimension: an estimate of the minimum of the objective.
    converged : bool
        Whether all derivatives vanish to 1e-9 with $V$ below its bound.
    message : str
        Empty, or what failed; the numbers are then NaN.
    """

    m: float
    q0: float
    q: float
    V: float
    y: float
    energy: float
    converged: bool
    message: str


def one_step_rsb(alpha: float, snr: float = 0.0, hidden: Prior = Rademacher()) -> OneStepRSB:
    r"""Solve the one-step problem (ours; without an overlap under revision, not to be relied on).

    Where the state returned has no overlap it also fixes $q_0=0$. The energy must be a maximum over
    $q_0$; with $D$ the response of $\langle g\rangle$ at zero field and $T=V+yq$ it is one only if
    $\alpha T^2D^2\le1$, and at $\alpha=4$ that number is 1.147. So the energy is too low:
    -0.941109, -0.946920, -0.950652 at $\alpha=4,6,8$, where the one-step values are -0.940388,
    -0.946541 and -0.950413. Just above the BBP strength the one-step state has an overlap where the
    replica-symmetric one has none; it is not found.

    At a sample ratio where the replica-symmetric state is in the range of the theory, it is
    followed in $y$ until the energy no longer grows, and Newton's method finds the maximum. States
    without overlap at smaller sample ratios are reached from there by continuation.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength, of latent variables that are signs. Where the replica-symmetric optimum
        has no overlap, the state without overlap is returned.
    hidden : Prior
        Law of the hidden unit: discrete and symmetric.

    Returns
    -------
    OneStepRSB
        Also where it did not converge; then `converged` is false and the message says why.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    alpha, snr = sample_ratio(alpha), signal_strength(snr)
    check_prior(hidden, "hidden")
    if not isinstance(hidden, Discrete) or not hidden.is_symmetric:
        raise ValueError(f"hidden must be discrete and symmetric; got {hidden!r}")
    if snr > 0.0:
        best = global_optimum(alpha, snr, hidden)
        if best.m > NO_OVERLAP:
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
                return _with_overlap(alpha, snr, best, hidden)
    return _without_overlap(alpha, hidden)


def _failure(message: str) -> OneStepRSB:
    return OneStepRSB(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, False, message)


def _success(state: np.ndarray, alpha: float, snr: float, hidden: Discrete) -> OneStepRSB:
    m, q0, q, V, y = map(float, state)
    return OneStepRSB(m, q0, q, V, y, _energy(state, alpha, snr, hidden), True, "")


def _with_overlap(alpha: float, snr: float, best: GlobalOptimum, hidden: Discrete) -> OneStepRSB:
    """Start from Gordon's optimum."""
    if not best.converged:
        return _failure("the replica-symmetric state is out of the range of the theory")
    if best.replicon <= 1.0:
        return _failure("the replica-symmetric state is stable")
    # as y -> 0, q0 is where the overlap of two copies of AMP on the same data settles
    m, q, V, q0 = best.m, best.q, best.V, 0.5 * (best.m**2 + best.q)
    for _ in range(1000):
        last, state = q0, (m, q0, q, V, SMALLEST_Y)
        q0 = m * m + alpha * V**2 * _averages(state, snr, hidden)[2]
        if abs(q0 - last) < 1e-6 * (q - q0):
            break
    chart = _Overlapping(alpha, snr, hidden)
    point = _from_symmetric_state(chart, chart.point((m, q0, q, V, SMALLEST_Y)))
    if point is None:
        return _failure("not converged")
    if chart.state(point)[3] >= response_bound(hidden):
        return _failure("V passes its bound: outside the theory")
    return _success(chart.state(point), alpha, snr, hidden)


def _without_overlap(alpha: float, hidden: Discrete) -> OneStepRSB:
    """Start from the replica-symmetric state, at a larger sample ratio if need be."""
    curve = SolutionCurve(alpha, hidden, Rademacher())
    while not curve.in_range(0.0):
        curve = SolutionCurve(STEP * curve.alpha, hidden, Rademacher())
    start = curve.point(0.0)
    if curve.replicon(start) <= 1.0:
        return _failure("the replica-symmetric state is stable")
    ratio, bound = curve.alpha, response_bound(hidden)
    chart = _Orthogonal(ratio, 0.0, hidden)
    point = _from_symmetric_state(chart, np.log([start.q, start.V, SMALLEST_Y]))
    while point is not None and ratio > alpha:
        ratio = max(ratio / STEP, alpha)
        chart = _Orthogonal(ratio, 0.0, hidden)
        point = _solve(chart, point)
        if point is not None and chart.state(point)[3] >= bound:
            return _failure(f"V passes its bound above alpha = {ratio:.4g}: outside the theory")
    if point is None:
        return _failure("not converged")
    return _success(chart.state(point), alpha, 0.0, hidden)


@dataclass(frozen=True)
class _Orthogonal:
    """States without overlap, in the logarithms of q, V and y."""

    alpha: float
    snr: float
    hidden: Discrete

    def state(self, point: np.ndarray) -> np.ndarray:
        return np.array([0.0, 0.0, *np.exp(point)])

    def equations(self, point: np.ndarray) -> np.ndarray:
        return _derivatives(self.state(point), self.alpha, self.snr, self.hidden)[2:]


@dataclass(frozen=True)
class _Overlapping:
    """States with an overlap, in the logarithms of m, q0 - m^2, q - q0, V and y."""

    alpha: float
    snr: float
    hidden: Discrete

    def point(self, state: tuple[float, ...]) -> np.ndarray:
        m, q0, q, V, y = state
        return np.log([m, q0 - m * m, q - q0, V, y])

    def state(self, point: np.ndarray) -> np.ndarray:
        m, excess, spread, V, y = np.exp(point)
        return np.array([m, m * m + excess, m * m + excess + spread, V, y])

    def equations(self, point: np.ndarray) -> np.ndarray:
        return _derivatives(self.state(point), self.alpha, self.snr, self.hidden)


def _from_symmetric_state(
    chart: _Orthogonal | _Overlapping, point: np.ndarray
) -> np.ndarray | None:
    """Follow a point, whose last entry is the logarithm of y, until the energy falls; solve."""
    while point[-1] < np.log(LARGEST_Y):
        found = find_root(
            lambda x, y=point[-1]: chart.equations(np.append(x, y))[:-1], point[:-1], tol=1e-12
        )
        point = np.append(found.x, point[-1])
        if chart.equations(point)[-1] < 0.0:
            return _solve(chart, point)
        point[-1] += np.log(1.25)
    return None


def _solve(chart: _Orthogonal | _Overlapping, start: np.ndarray) -> np.ndarray | None:
    """Return the point at which all derivatives vanish, or None."""
    found = find_root(chart.equations, start, tol=1e-12)
    near = np.max(np.abs(found.x - start)) < 1.0  # y -> 0 solves all equations but one
    return found.x if near and np.max(np.abs(found.fun)) < 1e-9 else None


def _averages(state: Iterable[float], snr: float, hidden: Discrete) -> tuple[float, ...]:
    r"""Return the means over $U,H_0$ of six averages over $H_1$ under $e^{-y\mathcal M}$.

    They are $\log E\,e^{-y\mathcal M}$, $\langle g\rangle$, $\langle g\rangle^2$,
    $\langle g^2\rangle$, $\langle\partial_\omega g\rangle$ and $\langle\mathcal M\rangle$. A
    trapezoidal rule in the proximal point z, as in ``rbmnotes.theory.moreau``. By symmetry $U=1$.
    """
    m, q0, q, V, y = state
    spread, top = q - q0, hidden.support[-1]
    h = np.linspace(-WIDTH, WIDTH, OUTER_POINTS) if q0 > 0.0 else np.zeros(1)
    outer = np.exp(-0.5 * h**2) / np.sum(np.exp(-0.5 * h**2))
    center = snr * m + np.sqrt(q0) * h
    # the weight shifts the field by up to y (q - q0) |g|
    reach = WIDTH * np.sqrt(spread) + (y * spread + V) * top
    step = min(0.25 * np.sqrt(spread), 0.2 / top)
    low, high = center[0] - reach, center[-1] + reach
    count = 2.0 * np.ceil(0.5 * (high - low) / step) + 1.0
    if not count <= MAX_POINTS:
        raise ValueError(
            f"alpha or snr is out of reach: an average would take {count:.2g} points, more than "
            f"{MAX_POINTS}"
        )
    z = np.linspace(low, high, int(count))
    g, slope, eta1 = tabulate(z, *law_arrays(hidden))
    envelope, jacobian = 0.5 * V * g**2 - eta1, 1.0 - V * slope
    exponent = -0.5 * (z - V * g - center[:, None]) ** 2 / spread - y * envelope
    largest = exponent.max(axis=1)
    weight = np.exp(exponent - largest[:, None])
    total = weight @ jacobian
    log_average = largest + np.log(total * (z[1] - z[0]) / np.sqrt(2.0 * np.pi * spread))
    mean_g = weight @ (jacobian * g) / total
    inner = (jacobian * g**2, slope, jacobian * envelope)
    means = (log_average, mean_g, mean_g**2, *(weight @ f / total for f in inner))
    return tuple(float(outer @ mean) for mean in means)


def _energy(state: Iterable[float], alpha: float, snr: float, hidden: Discrete) -> float:
    m, q0, q, V, y = state
    total, penalty = V + y * (q - q0), alpha * eta2_moments([[q]], hidden).eta2
    log_average = _averages(state, snr, hidden)[0]
    rest = np.log(total / V) / (2.0 * y) + (q0 - m * m) / (2.0 * total)
    return float(penalty - alpha * log_average / y - rest)


def _derivatives(state: Iterable[float], alpha: float, snr: float, hidden: Discrete) -> np.ndarray:
    """Differentiate the energy with respect to m, q0, q, V and y."""
    m, q0, q, V, y = state
    log_average, g, g_squared, gg, derivative, envelope = _averages(state, snr, hidden)
    second = eta2_moments([[q]], hidden).second[0, 0]
    spread, excess = q - q0, q0 - m * m
    total = V + y * spread
    return np.array(
        [
            m / total - alpha * snr * g,
            0.5 * y * (alpha * g_squared - excess / total**2),
            0.5 * (alpha * (second - y * gg - derivative) - 1.0 / total + excess * y / total**2),
            0.5 * (spread / (V * total) + excess / total**2 - alpha * gg),
            (alpha * log_average + 0.5 * np.log(total / V)) / y**2
            + (alpha * envelope - 0.5 * spread / total) / y
            + 0.5 * excess * spread / total**2,
        ]
    )
