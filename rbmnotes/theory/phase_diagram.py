r"""Stationary branches for one unit and one signal, and the lines of their phase diagram (ours).

Branches are cut from the curve of ``rbmnotes.theory.solution_curve``, on which every state lies.
The lines are roots along it: where the state without overlap loses stability, where the replicon
falls below one, and where the response $V$ leaves the range of the theory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike
from rbmnotes._validation import (
    RATIOS,
    broadcast,
    finite_real,
    not_negative,
    positive,
    signal_strength,
)
from rbmnotes.model.continuous import check_precision
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Prior, Rademacher, check_standardised
from rbmnotes.theory.solution_curve import LARGEST_SIGNAL, CurvePoint, SolutionCurve

POINTS = 25
"""Points at which the curve is traced before its crossings are solved for."""


@dataclass(frozen=True, eq=False)
class Branch(Frozen):
    r"""States that a continuous change of the parameters joins, where it exists.

    Attributes
    ----------
    name : str
        ``"without overlap"``; ``"informed"``, the states with $m>0$ that last up to the largest
        strengths; ``"mirrored"``, those with $m<0$, where no symmetry makes them copies;
        ``"between"``, joined to another branch by a fold.
    alpha : (p,) array
        Sample ratios at which the branch has a state.
    snr : (p,) array
        The strengths that belong to them.
    m : (p,) array
        Signal overlap.
    q : (p,) array
        Self overlap.
    V : (p,) array
        Response.
    overlap : (p,) array
        $m/\sqrt q$.
    loss : (p,) array
        $\alpha(\eta_2(q)-E\,\eta_1(z))$.
    replicon : (p,) array
        $\alpha V^2E[(\partial_\omega g)^2]$.
    growth : (p,) array
        Largest modulus of the eigenvalues of the derivative of state evolution's map of
        $(m,q,V)$ whose real part is not negative; 0 without such. Above one a small change grows,
        at $m=0$ a small overlap.
    alternation : (p,) array
        Minus the largest modulus of the eigenvalues with a negative real part; 0 without such.
        Below minus one changes grow while they change sign: for a real eigenvalue the recursion
        ends in a cycle of two states, for a complex pair it turns as well. Damping lessens it.
    """

    name: str
    alpha: np.ndarray
    snr: np.ndarray
    m: np.ndarray
    q: np.ndarray
    V: np.ndarray
    overlap: np.ndarray
    loss: np.ndarray
    replicon: np.ndarray
    growth: np.ndarray
    alternation: np.ndarray


def branches(
    alpha: ArrayLike, snr: ArrayLike, hidden: Prior = Rademacher(), prior_u: Prior = Rademacher()
) -> tuple[Branch, ...]:
    r"""Return all stationary branches of state evolution with $V$ below its bound.

    Parameters
    ----------
    alpha : float or array
        Sample ratio.
    snr : float or array
        Signal strength; broadcast against `alpha`. To continue branches in one of the two, pass an
        array of it and a number for the other.
    hidden : Prior
        Law of the hidden unit.
    prior_u : Prior
        Law of a latent variable: zero mean, unit variance.

    Returns
    -------
    tuple of Branch
        Those that have a state somewhere, in order of `alpha` and then `snr`. Of two states that
        a symmetry joins only the one with $m>0$ is given.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    alpha, snr = positive(alpha, "alpha"), not_negative(snr, "snr")
    signal_strength(np.max(snr, initial=0.0), "snr")
    check_precision(check_standardised(prior_u, "prior_u"), np.max(snr, initial=0.0) ** 2, "snr")
    alpha, snr = broadcast(alpha=alpha, snr=snr)
    found: dict[str, list] = {}
    for ratio in np.unique(alpha):
        curve = SolutionCurve(float(ratio), hidden, prior_u)
        for name, point in _crossings(curve, np.unique(snr[alpha == ratio])):
            found.setdefault(name, []).append(_describe(curve, point))
    return tuple(Branch(name, *np.array(sorted(rows)).T) for name, rows in found.items())


def finite_norm_threshold(
    alpha: float, hidden: Prior = Rademacher(), prior_u: Prior = Rademacher()
) -> float:
    r"""Return the strength at which the state without overlap loses stability (ours).

    There $\alpha\lambda^4=(V\sqrt\alpha\,E[\partial_\omega g])^{-2}$; the law of $U$ has no effect.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    hidden : Prior
        Law of the hidden unit.
    prior_u : Prior
        Law of a latent variable: zero mean, unit variance.

    Returns
    -------
    float
        NaN where that state has no $V$ below its bound, see :func:`overlap_free_edge`.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    curve = SolutionCurve(alpha, hidden, prior_u)
    return curve.point(0.0).snr if curve.in_range(0.0) else np.nan


def replicon_threshold(
    alpha: float, hidden: Prior = Rademacher(), prior_u: Prior = Rademacher()
) -> float:
    r"""Return the strength above which the informed branch has a replicon below one (ours).

    Where all of the branch has, this is the strength at which it begins. Parameters and errors as
    :func:`finite_norm_threshold`.

    Returns
    -------
    float
        NaN where $V$ is beyond its bound however large the strength, or within 1e-6 of it, where
        the replicon is not resolved: for signs at $\alpha\le1$, and just above.
    """
    curve = SolutionCurve(alpha, hidden, prior_u)
    lowest = curve.lowest_signal()
    if np.isnan(lowest):
        return np.nan

    def margin(signal: float) -> float:
        return 1.0 / curve.replicon(curve.point(signal)) - 1.0

    if margin(lowest) >= 0.0:
        return curve.point(lowest).snr
    high = lowest + 0.5
    while margin(high) < 0.0:
        high *= 2.0
        if high > LARGEST_SIGNAL:
            return np.nan
    return curve.point(brentq(margin, lowest, high, xtol=1e-12)).snr


def response_edge(
    alpha: float, hidden: Prior = Rademacher(), prior_u: Prior = Rademacher()
) -> float:
    r"""Return the strength below which the informed branch has $V$ beyond its bound (ours).

    Parameters and errors as :func:`finite_norm_threshold`.

    Returns
    -------
    float
        NaN where the branch stays in range down to the state without overlap, and where it is out
        of range however large the strength.
    """
    curve = SolutionCurve(alpha, hidden, prior_u)
    lowest = curve.lowest_signal()
    return curve.point(lowest).snr if lowest > 0.0 else np.nan


def overlap_free_edge(hidden: Prior = Rademacher(), largest: float = 100.0) -> float:
    r"""Return the sample ratio below which the state without overlap is out of range (ours).

    Its $V$ is beyond the bound there, at any signal strength and for any law of $U$.

    Parameters
    ----------
    hidden : Prior
        Law of the hidden unit.
    largest : float
        Largest sample ratio to try; the smallest is 0.01.

    Returns
    -------
    float
        NaN if it is not between the two.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    low, high = 0.01, finite_real(largest, "largest", above=0.01, at_most=RATIOS[1])

    def in_range(alpha: float) -> bool:
        return SolutionCurve(alpha, hidden, Rademacher()).in_range(0.0)

    if in_range(low) or not in_range(high):
        return np.nan
    return brentq(lambda alpha: in_range(alpha) - 0.5, low, high, xtol=1e-9)


def _crossings(curve: SolutionCurve, strengths: np.ndarray) -> Iterator[tuple[str, CurvePoint]]:
    """Yield the branch's name and the point wherever the curve passes one of the strengths."""
    if curve.in_range(0.0):
        start = curve.point(0.0)
        for snr in strengths:
            yield "without overlap", start._replace(snr=snr)
    mirror = not (curve.hidden.is_symmetric or curve.prior_u.is_symmetric)
    for sign, name in ((1.0, "informed"), (-1.0, "mirrored"))[: 1 + mirror]:
        points = _trace(curve, sign, strengths[-1])
        last = max(_turns(points), default=0)  # from here the curve climbs to all strengths
        for i, (left, right) in enumerate(pairwise(points)):
            low, high = sorted((left.snr, right.snr))
            for snr in strengths[(low < strengths) & (strengths <= high)]:
                yield name if i >= last else "between", curve.crossing(snr, left, right)


def _trace(curve: SolutionCurve, sign: float, largest: float) -> list[CurvePoint]:
    """Return points along the curve up to the largest strength, its turns among them."""
    lowest = curve.lowest_signal(sign)
    if np.isnan(lowest):
        return []
    high = lowest + sign
    while curve.point(high).snr < largest:
        high *= 2.0
    signals = lowest + (high - lowest) * np.linspace(0.0, 1.0, POINTS) ** 2
    points = [curve.point(float(signal)) for signal in signals]
    for i in _turns(points):
        direction = np.sign(points[i].snr - points[i - 1].snr)
        found = minimize_scalar(
            lambda signal, sign=direction: -sign * curve.point(signal).snr,
            bounds=sorted((signals[i - 1], signals[i + 1])),
            method="bounded",
            options={"xatol": 1e-9},
        )
        points[i] = curve.point(float(found.x))
    return points


def _turns(points: list[CurvePoint]) -> np.ndarray:
    """Return the places of the inner extrema of the strength."""
    return np.nonzero(np.diff(np.sign(np.diff([point.snr for point in points]))))[0] + 1


def _describe(curve: SolutionCurve, point: CurvePoint) -> tuple[float, ...]:
    """Return the fields of a branch but its name, at one point."""
    snr, signal, q, V = point
    m = signal / snr if signal else 0.0
    average = curve.law(signal, q).averages(V)
    eta1 = 0.5 * V * average.gg - average.envelope
    loss = curve.alpha * (eta2_moments([[q]], curve.hidden).eta2 - eta1)
    factors = np.linalg.eigvals(_derivative_of_map(curve, snr, m, q, V))
    size, forward = np.abs(factors), factors.real >= 0.0
    growth, alternation = size[forward].max(initial=0.0), -size[~forward].max(initial=0.0)
    overlap, replicon = m / np.sqrt(q), curve.replicon(point)
    return curve.alpha, snr, m, q, V, overlap, loss, replicon, growth, alternation


def _derivative_of_map(
    curve: SolutionCurve, snr: float, m: float, q: float, V: float
) -> np.ndarray:
    """Differentiate one iteration of state evolution with respect to (m, q, V), at a fixed point.

    The iteration is implicit, since the new V solves the multiplier step with the new q.
    """

    def averages(state: np.ndarray) -> np.ndarray:
        m, q, V = state
        return np.array(curve.law(snr * m, q).averages(V)[:3])

    def second(q: float) -> float:
        return eta2_moments([[q]], curve.hidden).second[0, 0]

    state, widths = np.array([m, q, V]), 1e-5 * np.array([np.sqrt(q), q, V])
    slopes = [
        (averages(state + step) - averages(state - step)) / (2.0 * width)
        for step, width in zip(np.diag(widths), widths, strict=True)
    ]
    curvature = (second(q + widths[1]) - second(q - widths[1])) / (2.0 * widths[1])
    ug, gg, _ = averages(state)
    alpha = curve.alpha
    by_new = np.array(
        [
            [1.0, 0.0, -alpha * snr * ug],
            [-2.0 * m, 1.0, -2.0 * alpha * V * gg],
            [0.0, alpha * curvature, V**-2],
        ]
    )
    by_old = alpha * np.array([[V * snr], [V**2], [1.0]]) * np.array(slopes).T
    return np.linalg.solve(by_new, by_old)
