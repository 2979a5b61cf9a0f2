r"""Averages over the field of one unit for any response, and the Moreau envelope of $-\eta_1$.

With $\omega=z-V\eta_1'(z)$ and $d\omega=(1-V\eta_1'')\,dz$ an average over the field is a sum over
smooth functions of $z$, as in ``rbmnotes.theory.quadrature``. Beyond the bound of the proximal map
$\omega(z)$ is not monotonic, and the minimiser in the envelope jumps: the $z$ it leaves out are
those where $z^2/2-V\eta_1(z)$ lies above its convex envelope.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.optimize import root as find_root
from scipy.spatial import ConvexHull

from rbmnotes._compile import njit
from rbmnotes._validation import finite_real, signal_strength
from rbmnotes.model.priors import (
    Discrete,
    Gaussian,
    Prior,
    Rademacher,
    check_standardised,
)
from rbmnotes.model.proximal import response_bound
from rbmnotes.model.tilted import law_arrays, tilted_log_mgf, tilted_moments

WIDTH = 9.0
"""Half width of the grids, in standard deviations of the field."""
MAX_UNIFORM = 2**13
"""Points from which on a uniform grid gives way to panels."""
MAX_POINTS = 2**20
"""Largest number of points of a grid."""
MAX_SIZE = 1e6
"""Largest overlap, norm or parameter of the envelope."""
PANEL = np.polynomial.legendre.leggauss(32)
"""Nodes and weights of a panel."""


class Averages(NamedTuple):
    r"""$E[Ug]$, $E[g^2]$, $E[\partial_\omega g]$ and $E\,\mathcal M$, jumps of $g$ included."""

    ug: float
    gg: float
    derivative: float
    envelope: float


@dataclass(frozen=True)
class FieldLaw:
    r"""Law of the field $\omega=sU+\sqrt q\,H$ of one unit.

    Attributes
    ----------
    signal : float
        $s=\lambda m$.
    q : float
        Self overlap, positive.
    hidden : Prior
        Law of the hidden unit.
    prior_u : Prior
        Law of $U$: zero mean, unit variance.
    """

    signal: float
    q: float
    hidden: Prior
    prior_u: Prior

    def averages(self, V: float) -> Averages:
        r"""Average over the field, for a response $V\ge0$ (below one for Gaussian hidden units)."""
        if isinstance(self.hidden, Gaussian):
            gain, power = 1.0 / (1.0 - V), self.q + self.signal**2
            return Averages(self.signal * gain, power * gain**2, gain, -0.5 * power * gain)
        inside = response_bound(self.hidden) >= V
        z, weights, g, slope, eta1 = self._grid if inside else self._grid_with_jumps(V)
        omega = z - V * g
        density, with_u = self._densities(omega)
        jacobian = weights * (1.0 - V * slope)
        measure = density * jacobian
        ug, gg = float((with_u * jacobian) @ g), float(measure @ g**2)
        derivative = (float(measure @ (omega * g)) - self.signal * ug) / self.q
        return Averages(ug, gg, derivative, 0.5 * V * gg - float(measure @ eta1))

    def squared_derivative(self, V: float) -> float:
        r"""Return $E[(\partial_\omega g)^2]$, infinite from a relative 1e-6 below the bound on.

        It grows as the inverse square root of the distance to the bound.
        """
        if isinstance(self.hidden, Gaussian):
            return (1.0 - V) ** -2
        distance = 1.0 - V / response_bound(self.hidden)
        if distance < 1e-6:
            return np.inf
        # 1 / (1 - V eta1'') has a peak, as wide as the square root of the distance
        z, weights, g, slope, _ = self._line_grid(0.5 * np.sqrt(distance))
        density, _ = self._densities(z - V * g)
        return float((density * weights) @ (slope**2 / (1.0 - V * slope)))

    def _densities(self, omega: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Density of the field, and the density times the mean of U given the field."""
        variance = self.q
        if isinstance(self.prior_u, Gaussian):
            variance = self.q + self.signal**2
            density = np.exp(-0.5 * omega**2 / variance) / np.sqrt(2.0 * np.pi * variance)
            return density, density * omega * (self.signal / variance)
        assert isinstance(self.prior_u, Discrete)
        u, p = np.array(self.prior_u.support), np.array(self.prior_u.probabilities)
        deviation = omega - self.signal * u[:, None]
        parts = np.exp(-0.5 * deviation**2 / variance) / np.sqrt(2.0 * np.pi * variance)
        return p @ parts, (p * u) @ parts

    @property
    def _range(self) -> tuple[float, float]:
        """Range of the field that holds all but 1e-18 of its law."""
        if isinstance(self.prior_u, Gaussian):
            reach = WIDTH * np.sqrt(self.q + self.signal**2)
            return -reach, reach
        assert isinstance(self.prior_u, Discrete)
        ends = self.signal * self.prior_u.support[0], self.signal * self.prior_u.support[-1]
        reach = WIDTH * np.sqrt(self.q)
        return min(ends) - reach, max(ends) + reach

    @property
    def _points(self) -> Discrete:
        """The hidden law; of Gaussian units every average is known without a grid."""
        assert isinstance(self.hidden, Discrete)
        return self.hidden

    @property
    def _diameter(self) -> float:
        return self._points.support[-1] - self._points.support[0]

    @cached_property
    def _grid(self) -> tuple[np.ndarray, ...]:
        """One grid for every response up to the bound."""
        return self._line_grid(0.4)

    def _line_grid(self, resolution: float) -> tuple[np.ndarray, ...]:
        """Trapezoidal rule with steps below `resolution` over the diameter of the support.

        That diameter sets the distance of the poles of g from the real axis.
        """
        low, high = self._range
        bound = response_bound(self.hidden)
        low += bound * min(self._points.support[0], 0.0)
        high += bound * max(self._points.support[-1], 0.0)
        resolution = min(resolution, 0.4)
        step = min(0.25 * np.sqrt(self.q), resolution / self._diameter)
        if high - low > MAX_UNIFORM * step:
            return self._with_moments(*self._panels([low, high], 0.25 * resolution))
        z = np.linspace(low, high, int(np.ceil((high - low) / step)) + 1)
        return self._with_moments(z, np.full(len(z), z[1] - z[0]))

    def _grid_with_jumps(self, V: float) -> tuple[np.ndarray, ...]:
        """Gauss-Legendre panels between the jumps of the proximal map."""
        low, high = self._range
        low, high = low + V * self._points.support[0], high + V * self._points.support[-1]
        ends = [low, *np.clip(proximal_jumps(V, self._points), low, high), high]
        return self._with_moments(*self._panels(ends, 0.4))

    def _panels(self, ends: list[float], resolution: float) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and weights of Gauss-Legendre panels in the intervals between pairs of ends.

        Where that would take very many, fine panels only where the moments still change.
        """
        coarse = 0.5 * np.sqrt(self.q)
        fine = min(coarse, 2.0 * resolution / self._diameter)
        change = 2.0 * self._points.saturation
        nodes, weights = [], []
        for a, b in zip(ends[::2], ends[1::2], strict=True):
            many = b - a > MAX_UNIFORM * fine
            cuts = [a, *(cut for cut in (-change, change) if many and a < cut < b), b]
            for left, right in pairwise(cuts):
                outside = many and abs(left + right) > 2.0 * change
                count = (right - left) / (len(PANEL[0]) * (coarse if outside else fine)) + 2.0
                if count * len(PANEL[0]) > MAX_POINTS:
                    raise ValueError(
                        "q must be larger, or snr * m and V smaller, to be resolved by "
                        f"{MAX_POINTS} points; got q={self.q:.3g}, snr * m={self.signal:.3g}"
                    )
                edges = np.linspace(left, right, int(np.ceil(count)))
                half = 0.5 * (edges[1] - edges[0])
                nodes.append((edges[:-1, None] + half * (1.0 + PANEL[0])).ravel())
                weights.append(np.tile(half * PANEL[1], len(edges) - 1))
        return np.concatenate(nodes), np.concatenate(weights)

    def _with_moments(self, z: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
        return z, weights, *tabulate(z, *law_arrays(self.hidden))


@njit(cache=True, error_model="numpy")
def tabulate(z, points, log_weights):
    r"""Return $\eta_1'$, $\eta_1''$ and $\eta_1$ on a grid."""
    g, slope, eta1 = np.empty_like(z), np.empty_like(z), np.empty_like(z)
    for i in range(len(z)):
        g[i], slope[i] = tilted_moments(z[i], points, log_weights)
        eta1[i] = tilted_log_mgf(z[i], points, log_weights)
    return g, slope, eta1


def proximal_jumps(V: float, hidden: Discrete) -> list[float]:
    r"""Return the ends $z_1<z_2,z_3<z_4,\dots$ of the jumps of the proximal map beyond its bound.

    A jump joins two points of equal field at which the envelope has equal values: a common tangent
    of $F(z)=z^2/2-V\eta_1(z)$, found from the convex hull of its graph.
    """
    diameter = hidden.support[-1] - hidden.support[0]
    reach = hidden.saturation + V * diameter
    count = np.ceil(2.0 * reach * diameter / 0.15)
    if count > MAX_POINTS / 8:
        raise ValueError(f"V, or gamma / tau, must be smaller; got {V:.3g}")
    z = np.linspace(-reach, reach, int(count))
    law = law_arrays(hidden)
    curve = 0.5 * z**2 - V * tabulate(z, *law)[2]
    graph = np.column_stack([z * diameter, curve * diameter**2])
    hull = np.sort(ConvexHull(graph).vertices)

    def mismatch(pair: np.ndarray) -> tuple[float, float]:
        g, _, eta1 = tabulate(pair, *law)
        omega, F = pair - V * g, 0.5 * pair**2 - V * eta1
        return omega[1] - omega[0], F[1] - F[0] - omega[0] * (pair[1] - pair[0])

    jumps: list[float] = []
    for i in np.nonzero(np.diff(hull) > 1)[0]:
        found = find_root(mismatch, z[hull[i : i + 2]], tol=1e-13).x
        jumps.extend(float(end) for end in found)
    return jumps


def moreau_average(
    m: float,
    q: float,
    V: float,
    snr: float,
    hidden: Prior = Rademacher(),
    prior_u: Prior = Rademacher(),
) -> float:
    r"""Return $E_{U,H}\,\mathcal M(\lambda Um+\sqrt q\,H;V)$, with $\mathcal M$ that of $-\eta_1$.

    $\mathcal M(x;V)=\min_z-\eta_1(z)+\frac{(z-x)^2}{2V}$ (paper eq. 88), at its minimiser
    $z=x+V\eta_1'(z)$ equal to $-\eta_1(z)+\frac12V\eta_1'(z)^2$.

    Parameters
    ----------
    m, q : float
        Signal overlap and self overlap, $q>0$.
    V : float
        Parameter of the envelope: positive, and below one for Gaussian hidden units.
    snr : float
        Signal strength.
    hidden : Prior
        Law of the hidden unit.
    prior_u : Prior
        Law of a latent variable: zero mean, unit variance.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    m = finite_real(m, "m", at_least=-MAX_SIZE, at_most=MAX_SIZE)
    q, V = (
        finite_real(value, name, at_least=1.0 / MAX_SIZE, at_most=MAX_SIZE)
        for value, name in ((q, "q"), (V, "V"))
    )
    snr = signal_strength(snr)
    response_bound(hidden)  # there is none for a unit that is constant
    check_standardised(prior_u, "prior_u")
    if isinstance(hidden, Gaussian) and V >= 1.0:
        raise ValueError(f"V must be below one for Gaussian hidden units; got {V!r}")
    return FieldLaw(snr * m, q, hidden, prior_u).averages(V).envelope
