r"""Unit priors: the law of one hidden unit, visible unit, latent variable or signal entry.

Everything the project needs from a prior $P$ follows from its tilted family
$P(x)\,e^{zx}/E e^{zx}$: the logarithm of the normalisation (:meth:`~Prior.log_mgf`), its mean and
its variance are the first three of the functions below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, ndtri

from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import finite_array, random_generator


class Prior(ABC):
    """A probability law on the real line. Units of a layer are independent draws from it.

    A law of one's own is a :class:`Discrete` one, given by its points and probabilities, or a
    :class:`~rbmnotes.Continuous` one, given by its density; or a class derived from one of these.
    A class derived from this one alone is refused: the sums over hidden states, the averages over
    fields and the posteriors need more than the functions below.
    """

    @property
    def mean(self) -> float:
        """Mean of the law."""
        return self.moment(1)

    @property
    def variance(self) -> float:
        """Variance of the law."""
        return self.moment(2) - self.moment(1) ** 2

    @property
    @abstractmethod
    def is_symmetric(self) -> bool:
        """Whether $x$ and $-x$ have the same law."""

    @abstractmethod
    def moment(self, order: int) -> float:
        """Return $E[x^{order}]$."""

    @abstractmethod
    def log_mgf(self, z: np.ndarray) -> np.ndarray:
        r"""Return $\log E\,e^{zx}$, elementwise."""

    @abstractmethod
    def tilted_mean(self, z: np.ndarray) -> np.ndarray:
        r"""Return the mean of $P(x)e^{zx}$, the first derivative of :meth:`log_mgf`."""

    @abstractmethod
    def tilted_variance(self, z: np.ndarray) -> np.ndarray:
        r"""Return the variance of $P(x)e^{zx}$, the second derivative of :meth:`log_mgf`."""

    @abstractmethod
    def posterior_mean(self, field: np.ndarray, precision: float) -> np.ndarray:
        r"""Return the mean of $P(x)\,e^{field\,x-precision\,x^2/2}$, elementwise in `field`."""

    @abstractmethod
    def sample_tilted(self, z: np.ndarray, rng: Seed) -> np.ndarray:
        r"""Draw one value from $P(x)e^{zx}$ for every entry of `z`."""

    @abstractmethod
    def quantile(self, uniform: np.ndarray) -> np.ndarray:
        r"""Return the value below which the law has the probability `uniform`, elementwise."""

    @property
    @abstractmethod
    def max_tilted_variance(self) -> float:
        """Largest value of :meth:`tilted_variance` over all fields."""

    def sample(self, shape: int | tuple[int, ...], rng: Seed) -> np.ndarray:
        """Draw an array of independent values of the given shape."""
        return self.sample_tilted(np.zeros(shape), rng)


LARGEST_POINT = 1e4
"""The size of the largest point of a law is between this and its inverse."""


@dataclass(frozen=True)
class Discrete(Prior):
    """Law on a finite set of points.

    Parameters
    ----------
    support : sequence of float, length m
        Distinct points.
    probabilities : sequence of float, length m
        Their probabilities: positive, summing to one.

    Raises
    ------
    ValueError
        If the lengths differ, a point is repeated, the largest is neither zero nor from 1e-4 to 1e4
        in size, or the probabilities are not positive or do not sum to one (within 1e-12).
    """

    support: tuple[float, ...]
    probabilities: tuple[float, ...]

    if TYPE_CHECKING:  # what is taken; the fields are what is held

        def __init__(self, support: ArrayLike, probabilities: ArrayLike) -> None: ...

    def __post_init__(self) -> None:
        points = finite_array(self.support, "support", (None,))
        weights = finite_array(self.probabilities, "probabilities", (len(points),))
        if len(np.unique(points)) != len(points):
            raise ValueError(f"support must not repeat a point; got {self.support!r}")
        size = np.max(np.abs(points))
        if size and not 1.0 / LARGEST_POINT <= size <= LARGEST_POINT:
            raise ValueError(f"support must have points of a size near one; got {self.support!r}")
        if np.any(weights <= 0) or abs(weights.sum() - 1.0) > 1e-12:
            raise ValueError(
                f"probabilities must be positive and sum to one; got {self.probabilities!r}, "
                f"which sum to {weights.sum():.15g}"
            )
        order = np.argsort(points)
        object.__setattr__(self, "support", tuple(points[order].tolist()))
        object.__setattr__(self, "probabilities", tuple(weights[order].tolist()))

    @cached_property
    def _points(self) -> np.ndarray:
        return np.array(self.support)

    @cached_property
    def _log_weights(self) -> np.ndarray:
        return np.log(self.probabilities)

    @property
    def is_symmetric(self) -> bool:
        """Whether $x$ and $-x$ have the same law."""
        mirrored = self.support == tuple(-x for x in reversed(self.support))
        return mirrored and self.probabilities == tuple(reversed(self.probabilities))

    def moment(self, order: int) -> float:
        """Return $E[x^{order}]$."""
        return float(np.dot(self.probabilities, self._points**order))

    @cached_property
    def max_tilted_variance(self) -> float:
        """Largest value of :meth:`tilted_variance`: a quarter of the squared width for two points.

        In general the largest local maximum, refined from a scan of the fields at which the tilted
        law passes from one point of the support to the next.
        """
        points = self._points
        if len(points) == 2:
            return float((points[1] - points[0]) ** 2 / 4)
        if len(points) == 1:
            return 0.0
        scan = np.linspace(-self.saturation, self.saturation, 4001)
        best = scan[np.argmax(self.tilted_variance(scan))]
        step = scan[1] - scan[0]
        found = minimize_scalar(
            lambda z: -self.tilted_variance(z), bounds=(best - step, best + step), method="bounded"
        )
        return float(-found.fun)

    @property
    def saturation(self) -> float:
        """Field beyond which one point has all the weight, up to a share of 2e-9."""
        return float((np.ptp(self._log_weights) + 20.0) / np.diff(self._points).min())

    def _log_terms(self, z: ArrayLike) -> np.ndarray:
        r"""Log weights $\log p_s+zs$ of the tilted law, the support along the first axis."""
        return self._along_support(self._log_weights, z) + self._along_support(self._points, z) * z

    def _along_support(self, values: np.ndarray, z: ArrayLike) -> np.ndarray:
        return values.reshape(-1, *(1,) * np.ndim(z))

    def _mean_under(self, log_terms: np.ndarray) -> np.ndarray:
        shares = _shares(log_terms)
        return np.sum(self._along_support(self._points, shares[0]) * shares, axis=0)

    def log_mgf(self, z: np.ndarray) -> np.ndarray:
        r"""Return $\log E\,e^{zx}$, elementwise."""
        terms = self._log_terms(z)
        peak = terms.max(axis=0)
        return peak + np.log(np.exp(terms - peak).sum(axis=0))

    def tilted_mean(self, z: np.ndarray) -> np.ndarray:
        r"""Return the mean of $P(x)e^{zx}$."""
        return self._mean_under(self._log_terms(z))

    def tilted_variance(self, z: np.ndarray) -> np.ndarray:
        r"""Return the variance of $P(x)e^{zx}$."""
        points, shares = self._along_support(self._points, z), _shares(self._log_terms(z))
        mean = np.sum(points * shares, axis=0)
        return np.sum(shares * (points - mean) ** 2, axis=0)

    def posterior_mean(self, field: np.ndarray, precision: float) -> np.ndarray:
        r"""Return the mean of $P(x)\,e^{field\,x-precision\,x^2/2}$, elementwise in `field`."""
        energy = self._along_support(0.5 * precision * self._points**2, field)
        return self._mean_under(self._log_terms(field) - energy)

    def sample_tilted(self, z: np.ndarray, rng: Seed) -> np.ndarray:
        r"""Draw one value from $P(x)e^{zx}$ for every entry of `z`, by inverting its law."""
        cumulative = np.cumsum(_shares(self._log_terms(z)), axis=0)
        uniform = random_generator(rng).random(np.shape(z))
        return self._points[np.sum(uniform > cumulative[:-1], axis=0)]

    def quantile(self, uniform: np.ndarray) -> np.ndarray:
        r"""Return the point of the support whose share of the unit interval holds `uniform`."""
        edges = np.cumsum(self.probabilities)[:-1]
        return self._points[np.searchsorted(edges, uniform, side="right")]


def _shares(log_terms: np.ndarray) -> np.ndarray:
    """Return weights that sum to one along the first axis, from their logarithms."""
    weights = np.exp(log_terms - log_terms.max(axis=0))
    return weights / weights.sum(axis=0)


class Rademacher(Discrete):
    """A fair sign: $-1$ or $+1$."""

    def __init__(self) -> None:
        super().__init__((-1.0, 1.0), (0.5, 0.5))

    def __repr__(self) -> str:
        return "Rademacher()"

    def log_mgf(self, z: np.ndarray) -> np.ndarray:
        r"""Return $\log\cosh z$."""
        size = np.abs(z)
        return size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0)

    def tilted_mean(self, z: np.ndarray) -> np.ndarray:
        r"""Return $\tanh z$."""
        return np.tanh(z)

    def tilted_variance(self, z: np.ndarray) -> np.ndarray:
        r"""Return $1/\cosh^2 z$."""
        weight = np.exp(-2.0 * np.abs(z))
        return 4.0 * weight / (1.0 + weight) ** 2

    def posterior_mean(self, field: np.ndarray, precision: float) -> np.ndarray:
        r"""Return $\tanh(field)$: the square of a sign carries no information."""
        return np.tanh(field)

    def sample_tilted(self, z: np.ndarray, rng: Seed) -> np.ndarray:
        r"""Draw a sign that is $+1$ with probability $1/(1+e^{-2z})$."""
        up = random_generator(rng).random(np.shape(z)) < expit(2.0 * np.asarray(z))
        return np.where(up, 1.0, -1.0)


class Bernoulli(Discrete):
    """A fair coin: $0$ or $1$."""

    def __init__(self) -> None:
        super().__init__((0.0, 1.0), (0.5, 0.5))

    def __repr__(self) -> str:
        return "Bernoulli()"

    def log_mgf(self, z: np.ndarray) -> np.ndarray:
        r"""Return $\log\frac{1+e^z}2$."""
        return np.logaddexp(0.0, z) - np.log(2.0)

    def tilted_mean(self, z: np.ndarray) -> np.ndarray:
        r"""Return $1/(1+e^{-z})$."""
        return expit(z)

    def tilted_variance(self, z: np.ndarray) -> np.ndarray:
        r"""Return $p(1-p)$ with $p$ the tilted mean."""
        return expit(z) * expit(-np.asarray(z))

    def sample_tilted(self, z: np.ndarray, rng: Seed) -> np.ndarray:
        r"""Draw $1$ with probability $1/(1+e^{-z})$, else $0$."""
        return (random_generator(rng).random(np.shape(z)) < expit(z)).astype(float)


@dataclass(frozen=True)
class Gaussian(Prior):
    """The standard normal law."""

    @property
    def is_symmetric(self) -> bool:
        """Whether $x$ and $-x$ have the same law."""
        return True

    def moment(self, order: int) -> float:
        """Return $E[x^{order}]$: the double factorial of $order-1$ if even, else zero."""
        return 0.0 if order % 2 else float(np.prod(np.arange(order - 1, 0, -2, dtype=float)))

    def log_mgf(self, z: np.ndarray) -> np.ndarray:
        r"""Return $z^2/2$."""
        return 0.5 * np.square(z)

    def tilted_mean(self, z: np.ndarray) -> np.ndarray:
        r"""Return $z$."""
        return np.array(z, dtype=float)

    def tilted_variance(self, z: np.ndarray) -> np.ndarray:
        r"""Return one."""
        return np.ones(np.shape(z))

    def posterior_mean(self, field: np.ndarray, precision: float) -> np.ndarray:
        r"""Return $field/(1+precision)$."""
        return np.asarray(field) / (1.0 + precision)

    @property
    def max_tilted_variance(self) -> float:
        """One: the tilted law keeps its variance."""
        return 1.0

    def sample_tilted(self, z: np.ndarray, rng: Seed) -> np.ndarray:
        r"""Draw $N(z,1)$."""
        return z + random_generator(rng).standard_normal(np.shape(z))

    def quantile(self, uniform: np.ndarray) -> np.ndarray:
        r"""Return the inverse of the normal distribution function."""
        return ndtri(uniform)


def check_prior(prior: object, name: str) -> Prior:
    """Return `prior`, or raise a ``ValueError`` that names the argument if it is not a prior."""
    if not isinstance(prior, Discrete | Gaussian):
        raise ValueError(
            f"{name} must be a unit prior (rbmnotes.Rademacher(), Bernoulli(), Gaussian(), "
            f"Discrete(support, probabilities) or Continuous(log_density, support)); got {prior!r}"
        )
    return prior


def check_standardised(prior: Prior, name: str) -> Prior:
    """Return `prior`, or raise if it is not a prior of mean zero and variance one."""
    check_prior(prior, name)
    if abs(prior.mean) > 1e-12 or abs(prior.variance - 1.0) > 1e-12:
        raise ValueError(f"{name} must have mean zero and variance one; got {prior!r}")
    return prior
