r"""All states of one unit and one signal at a sample ratio, as a curve with an explicit parameter.

The field on a sample is $\omega=sU+\sqrt q\,H$ with $s=\lambda m$. With $s$ in place of $\lambda$
the fixed-point equations of state evolution (paper eqs. 75-76) are

.. math::
    q=\alpha\big(sVE[Ug]+V^2E[g^2]\big),\qquad
    \frac1V=\alpha\big(2\eta_2'(q)-E[\partial_\omega g]\big),\qquad
    \lambda^2=\frac s{\alpha VE[Ug]},

and the last is explicit (ours). So states with an overlap lie on one curve, single-valued in $s$
however often it turns in $\lambda$. It leaves the state without overlap at $s=0$, and ends where
$V$ reaches the bound of the proximal map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.optimize import root as find_root

from rbmnotes._validation import sample_ratio
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Discrete, Gaussian, Prior, check_standardised
from rbmnotes.model.proximal import response_bound
from rbmnotes.theory.moreau import FieldLaw

LARGEST_SIGNAL = 1e4
"""Where the search along the curve gives up."""
ROUND_OFF = 1e-12
"""Excess that counts as zero; for signs at a sample ratio of one it tends to zero."""
SMALLEST_LOG_NORM = -16.0
"""Where the search for a positive q gives up, below the logarithm of a bound to it."""


class CurvePoint(NamedTuple):
    """A state, and the signal strength to which it belongs."""

    snr: float
    signal: float
    q: float
    V: float


@dataclass(frozen=True)
class SolutionCurve:
    """The curve at one sample ratio; `signal` is its parameter s, of the sign of the overlap.

    Attributes
    ----------
    alpha : float
        Sample ratio.
    hidden : Prior
        Law of the hidden unit.
    prior_u : Prior
        Law of a latent variable: zero mean, unit variance.
    """

    alpha: float
    hidden: Prior
    prior_u: Prior

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", sample_ratio(self.alpha))
        response_bound(self.hidden)  # there is none for a unit that is constant
        check_standardised(self.prior_u, "prior_u")

    def law(self, signal: float, q: float) -> FieldLaw:
        """Return the law of the field at a point."""
        return FieldLaw(signal, q, self.hidden, self.prior_u)

    def in_range(self, signal: float) -> bool:
        """Whether the curve has a state there with $V$ below its bound."""
        return self._excess_at_end(signal) < -ROUND_OFF

    def point(self, signal: float) -> CurvePoint:
        """Return the state at `signal`; the one at the bound of V if there is none in range."""
        high = np.log(self._largest_norm(signal))

        def excess(log_q: float) -> float:
            q = np.exp(log_q)
            return self._response_excess(self.law(signal, q), self._response(signal, q))

        if excess(high) < 0.0:
            low = high - 1.0
            while excess(low) < 0.0:
                low -= 1.0
            high = brentq(excess, low, high, xtol=1e-13)
        q = float(np.exp(high))
        V = self._response(signal, q)
        average = self.law(signal, q).averages(V)
        ratio = average.ug / signal if signal else average.derivative
        return CurvePoint(float((self.alpha * V * ratio) ** -0.5), signal, q, V)

    def replicon(self, point: CurvePoint) -> float:
        r"""Return $\alpha V^2E[(\partial_\omega g)^2]$ at a point."""
        squared = self.law(point.signal, point.q).squared_derivative(point.V)
        return self.alpha * point.V**2 * squared

    def lowest_signal(self, sign: float = 1.0) -> float:
        """Return the s of smallest size that is in range; NaN if none up to 1e4 is."""
        if self.in_range(0.0):
            return 0.0
        low, high = 0.0, 0.5 * sign
        while not self.in_range(high):
            low, high = high, 2.0 * high
            if abs(high) > LARGEST_SIGNAL:
                return np.nan
        return brentq(self._excess_at_end, low, high, xtol=1e-12)

    def crossing(self, snr: float, left: CurvePoint, right: CurvePoint) -> CurvePoint:
        """Return the point that belongs to `snr`, between two that bracket it.

        Newton's method on all three equations; bisection along the curve if it leaves the bracket.
        """

        def residual(unknown: np.ndarray) -> tuple[float, float, float]:
            signal, (q, V) = unknown[0], np.exp(unknown[1:])
            law = self.law(signal, q)
            growth = snr**2 * self.alpha * V * law.averages(V).ug / signal
            return self._norm_excess(law, V), self._response_excess(law, V), growth - 1.0

        ends = [(end.signal, np.log(end.q), np.log(end.V)) for end in (left, right)]
        found = find_root(residual, np.mean(ends, axis=0), tol=1e-13)
        low, high = sorted((left.signal, right.signal))
        if low <= found.x[0] <= high and np.max(np.abs(found.fun)) < 1e-11:
            return CurvePoint(snr, float(found.x[0]), *map(float, np.exp(found.x[1:])))
        signal = brentq(lambda at: self.point(at).snr - snr, low, high, xtol=1e-12)
        return self.point(signal)._replace(snr=snr)

    @property
    def _largest_response(self) -> float:
        bound = response_bound(self.hidden)
        return bound - 1e-9 if isinstance(self.hidden, Gaussian) else bound

    def _norm_excess(self, law: FieldLaw, V: float) -> float:
        """Left minus right side of the equation for q, relative to q."""
        average = law.averages(V)
        return 1.0 - self.alpha * V * (law.signal * average.ug + V * average.gg) / law.q

    def _response_excess(self, law: FieldLaw, V: float) -> float:
        """Left minus right side of the equation for V, over alpha."""
        second = eta2_moments([[law.q]], self.hidden).second[0, 0]
        return 1.0 / (self.alpha * V) + law.averages(V).derivative - second

    def _response(self, signal: float, q: float) -> float:
        """Solve the equation for q for V."""
        law, top = self.law(signal, q), self._largest_response
        if self._norm_excess(law, top) >= 0.0:
            return top
        return brentq(lambda V: self._norm_excess(law, V), 1e-9 * top, top, xtol=1e-14)

    def _largest_norm(self, signal: float) -> float:
        """Solve the equation for q for the q at which V is at its bound; NaN if q = 0 alone is."""
        if isinstance(self.hidden, Gaussian):  # its averages are infinite there, and q < 1
            return 1.0 - 1e-9
        assert isinstance(self.hidden, Discrete)
        top = self._largest_response

        def excess(log_q: float) -> float:
            return self._norm_excess(self.law(signal, np.exp(log_q)), top)

        size = top * max(abs(point) for point in self.hidden.support)
        high = np.log(self.alpha * size * (abs(signal) + size)) + 1e-9  # |g|, E|U| are bounded
        low = high - 1.0
        while excess(low) > 0.0:
            low -= 1.0
            if low < high + SMALLEST_LOG_NORM:
                return np.nan
        return float(np.exp(brentq(excess, low, high, xtol=1e-13)))

    def _excess_at_end(self, signal: float) -> float:
        """Excess of the equation for V at the largest q; negative where a root lies below."""
        q = self._largest_norm(signal)
        if np.isnan(q):
            return 1.0
        return self._response_excess(self.law(signal, q), self._response(signal, q))
