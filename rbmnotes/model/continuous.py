r"""Laws with a density, as the points and weights of a quadrature rule.

All sums over the points of a :class:`~rbmnotes.Discrete` law are then integrals over the density,
and everything that takes a discrete law takes one with a density. Draws are from the density
itself. A rule has a resolution: fields, and precisions of posteriors, that would concentrate the
law between two points are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.optimize import minimize_scalar

from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import finite_array, positive_integer, random_generator
from rbmnotes.model.priors import Discrete, Prior

CELLS = 2048
"""Cells of the table from which is drawn, in each of which the density is log-linear."""
BLOCK = 2**10
"""Draws at different fields that are made at a time."""
NEGLIGIBLE = 1e-250
"""Weight of a point, relative to the largest, that is left out."""
_TINY = np.finfo(float).tiny
ACCURACY = 1e-9
"""Error of the rule at which it is refused."""


class Continuous(Discrete):
    r"""A law with a density on a finite interval (ours).

    Parameters
    ----------
    log_density : callable
        Elementwise logarithm of the density, up to a constant; such as ``scipy.stats.beta(2,
        2).logpdf``. It may be minus infinity.
    support : sequence of float
        The two ends of the interval and, between them, the places where the density or its slope
        jumps. Both ends are finite: an infinite tail has to be cut, and the law is then the cut
        one. That matters wherever the tail would: of a half-normal unit $E e^{qh^2/2}$ is infinite
        from $q=1$ on, and finite, but dependent on the cut, for one that is cut.
    points : int
        Number of Gauss-Legendre points in each interval.

    Raises
    ------
    ValueError
        If an argument is out of range, or the points are too few to integrate the density, its
        first four moments and $E\,e^{zx}$ for $|z|$ up to four over the standard deviation.

    Examples
    --------
    >>> Continuous(scipy.stats.halfnorm.logpdf, (0.0, 10.0))     # half-normal, its tail cut
    >>> Continuous(np.zeros_like, (-np.sqrt(3.0), np.sqrt(3.0)))  # uniform
    >>> Continuous(lambda x: -np.sqrt(2.0) * abs(x), (-25.0, 0.0, 25.0))  # Laplace, tails cut
    """

    _name: str
    _edges: tuple[float, ...]
    _count: int
    _cells: tuple[np.ndarray, ...]

    def __init__(
        self,
        log_density: Callable[[np.ndarray], np.ndarray],
        support: Sequence[float],
        points: int = 64,
    ) -> None:
        edges = finite_array(support, "support", (None,)).astype(np.float64)
        points = positive_integer(points, "points", minimum=8)
        if len(edges) < 2 or np.any(np.diff(edges) <= 0):
            raise ValueError(f"support must be two or more increasing numbers; got {support!r}")
        if points > 4096:
            raise ValueError(f"points must be at most 4096; got {points}")
        rule = _rule(log_density, edges, points)
        finer = _rule(log_density, edges, 2 * points)
        _check_accuracy(rule, finer)
        super().__init__(*rule)
        cells = np.concatenate(
            [np.linspace(a, b, max(2, CELLS // (len(edges) - 1)) + 1) for a, b in pairwise(edges)]
        )
        inside = np.nonzero(np.diff(cells))[0]
        low, width = cells[inside], np.diff(cells)[inside]
        values = _log_values(log_density, low + np.array([[0.25], [0.75]]) * width)
        shift = values.max()
        floor = shift + np.log(NEGLIGIBLE)  # where the density vanishes nothing is drawn
        first, second = np.maximum(values, floor)
        for name, value in (
            ("_name", getattr(log_density, "__qualname__", type(log_density).__name__)),
            ("_edges", tuple(edges.tolist())),
            ("_count", points),
            ("_cells", (low, width, 0.5 * (first + second) - shift, 2.0 * (second - first))),
        ):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        ends = ", ".join(f"{edge:g}" for edge in self._edges)
        return f"Continuous({self._name}, ({ends}), points={self._count})"

    @property
    def largest_field(self) -> float:
        r"""Largest $|z|$ at which the points resolve the law $P(x)e^{zx}$ at the interval's ends.

        Within $1/z$ of the end there are then two points.
        """
        return self._count**2 / (10.0 * np.diff(self._edges).max())

    @property
    def largest_precision(self) -> float:
        """Largest precision of a Gaussian channel whose posterior the points resolve."""
        return float(0.5 / np.diff(self.support).max() ** 2)

    @cached_property
    def max_tilted_variance(self) -> float:
        """Largest value of :meth:`tilted_variance`, refined from a scan of fields."""
        span = np.arcsinh(self.largest_field * np.sqrt(self.variance))
        scan = np.sinh(np.linspace(-span, span, 4001)) / np.sqrt(self.variance)
        scan = np.clip(scan, -self.largest_field, self.largest_field)
        best = np.argmax(self.tilted_variance(scan))
        found = minimize_scalar(
            lambda z: -self.tilted_variance(z),
            bounds=(scan[max(best - 1, 0)], scan[min(best + 1, len(scan) - 1)]),
            method="bounded",
            options={"xatol": 1e-9},
        )
        return float(-found.fun)

    @property
    def saturation(self) -> float:
        """Field beyond which the law is taken to lie at its end."""
        return 0.5 * self.largest_field

    def _log_terms(self, z: ArrayLike) -> np.ndarray:
        check_fields(self, z)
        return super()._log_terms(z)

    def posterior_mean(self, field: np.ndarray, precision: float) -> np.ndarray:
        r"""Return the mean of $P(x)\,e^{field\,x-precision\,x^2/2}$, elementwise in `field`."""
        check_precision(self, precision, "precision")
        energy = self._along_support(0.5 * precision * self._points**2, field)
        return self._mean_under(super()._log_terms(field) - energy)

    def quantile(self, uniform: np.ndarray) -> np.ndarray:
        r"""Return the value below which the law has the probability `uniform`, elementwise."""
        return self._invert(np.asarray(uniform, dtype=float).reshape(-1), np.zeros(1)).reshape(
            np.shape(uniform)
        )

    def sample(self, shape: int | tuple[int, ...], rng: Seed) -> np.ndarray:
        """Draw an array of independent values of the given shape."""
        return self.quantile(random_generator(rng).random(shape))

    def sample_tilted(self, z: np.ndarray, rng: Seed) -> np.ndarray:
        r"""Draw one value from $P(x)e^{zx}$ for every entry of `z`, by inverting its law.

        The density is that of a table of 2048 cells, log-linear in each.
        """
        uniform = random_generator(rng).random(np.shape(z))
        fields = np.asarray(z, dtype=float).reshape(-1)
        if not np.any(fields):
            return self.quantile(uniform)
        flat, values = uniform.reshape(-1), np.empty(fields.shape)
        for first in range(0, len(fields), BLOCK):
            block = slice(first, first + BLOCK)
            values[block] = self._invert(flat[block], fields[block])
        return values.reshape(uniform.shape)

    def _invert(self, uniform: np.ndarray, fields: np.ndarray) -> np.ndarray:
        """Invert the distribution functions of the law in fields: one each, or one for all."""
        low, width, level, slope = self._cells
        turn = slope + fields[:, None] * width  # change of the log density along a cell
        half = np.abs(0.5 * turn)
        # a cell weighs its width, times the density at its middle, times sinh(half) / half
        sinh = half + np.log(np.where(half > 0, -np.expm1(-2.0 * half) / (2.0 * half + _TINY), 1.0))
        log_weights = np.log(width) + level + fields[:, None] * (low + 0.5 * width) + sinh
        cumulative = np.cumsum(np.exp(log_weights - log_weights.max(axis=1, keepdims=True)), axis=1)
        target = uniform * cumulative[:, -1]
        if len(fields) > 1:
            cell = np.sum(cumulative[:, :-1] <= target[:, None], axis=1)
        else:
            cell = np.searchsorted(cumulative[0, :-1], target, side="right")
        row = np.arange(len(fields))
        below = np.where(cell > 0, cumulative[row, cell - 1], 0.0)
        share = np.clip((target - below) / (cumulative[row, cell] - below), 0.0, 1.0)
        return low[cell] + width[cell] * _exponential_quantile(share, turn[row, cell])


def check_fields(prior: Prior, z: ArrayLike) -> None:
    """Raise if a law with a density would be in a field beyond what its points resolve."""
    size = np.max(np.abs(z), initial=0.0)
    if isinstance(prior, Continuous) and size > prior.largest_field:
        raise ValueError(
            f"hidden, visible or prior: {prior!r} needs more points for a field of {size:.4g}; "
            f"they do for {prior.largest_field:.4g}"
        )


def check_precision(prior: Prior, precision: float, name: str) -> None:
    """Raise, naming an argument, if posteriors in a channel would be too narrow for the points."""
    if isinstance(prior, Continuous) and precision > prior.largest_precision:
        raise ValueError(
            f"{name} must not exceed what the points of {prior!r} resolve, a precision of "
            f"{prior.largest_precision:.4g}, here {precision:.4g}: give it more points"
        )


def _exponential_quantile(share: np.ndarray, turn: np.ndarray) -> np.ndarray:
    r"""Invert the distribution function of a density $\propto e^{turn\,t}$ on $[0,1]$."""
    size = np.maximum(np.abs(turn), 1e-12)
    # from the end at which the density is larger
    distance = -np.log1p(np.where(turn > 0, 1.0 - share, share) * np.expm1(-size)) / size
    return np.where(np.abs(turn) < 1e-9, share, np.where(turn > 0, 1.0 - distance, distance))


def _log_values(log_density: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Evaluate the density and check what it returns."""
    try:
        with np.errstate(divide="ignore"):
            values = np.asarray(log_density(x), dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"log_density must be an elementwise function; got {log_density!r}: {error}"
        ) from error
    if values.shape != x.shape or np.any(np.isnan(values)) or np.any(values == np.inf):
        raise ValueError(
            "log_density must return a number below infinity for each of an array; "
            f"got {log_density!r}"
        )
    return values


def _rule(
    log_density: Callable[[np.ndarray], np.ndarray], edges: np.ndarray, points: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return points and probabilities of a Gauss-Legendre rule in each interval."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    x = np.concatenate([0.5 * (a + b) + 0.5 * (b - a) * nodes for a, b in pairwise(edges)])
    log_weights = np.concatenate([np.log(0.5 * (b - a) * weights) for a, b in pairwise(edges)])
    log_weights = log_weights + _log_values(log_density, x)
    if np.isneginf(log_weights.max()):
        raise ValueError("log_density must not be minus infinity on all of the support")
    probabilities = np.exp(log_weights - log_weights.max())
    kept = probabilities > NEGLIGIBLE
    x, probabilities = x[kept], probabilities[kept]
    mirrored = np.allclose(x, -x[::-1], rtol=1e-14, atol=0.0) and np.allclose(
        probabilities, probabilities[::-1], rtol=1e-11, atol=0.0
    )
    if mirrored:  # a symmetric law is to be one to the last bit
        x = 0.5 * (x - x[::-1])
        probabilities = 0.5 * (probabilities + probabilities[::-1])
    return x, probabilities / probabilities.sum()


def _check_accuracy(
    rule: tuple[np.ndarray, np.ndarray], finer: tuple[np.ndarray, np.ndarray]
) -> None:
    """Raise if a rule of twice the points gives other moments or another generating function."""
    (x, p), (finer_x, finer_p) = rule, finer
    mean = finer_p @ finer_x
    scale = np.sqrt(finer_p @ (finer_x - mean) ** 2)
    t, finer_t = (x - mean) / scale, (finer_x - mean) / scale
    for order in range(1, 5):
        gap = abs(p @ t**order - finer_p @ finer_t**order)
        if not gap < ACCURACY * (finer_p @ np.abs(finer_t) ** order):
            raise ValueError(_too_few(f"moment of order {order}", gap))
    for z in (-4.0, -2.0, 2.0, 4.0):
        peak = max((z * finer_t).max(), 0.0)
        gap = abs(np.log((p @ np.exp(z * t - peak)) / (finer_p @ np.exp(z * finer_t - peak))))
        if not gap < ACCURACY:
            raise ValueError(_too_few(f"generating function at {z / scale:.3g}", gap))


def _too_few(what: str, gap: float) -> str:
    return (
        f"points must be more for this density, or support must list where it or its slope jumps: "
        f"with twice the points its {what} changes by {gap:.2g}"
    )
