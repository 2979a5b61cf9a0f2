r"""Averages over the law of the fields, $\omega\sim M^\top\Lambda U+Q^{1/2}G$.

Gauss–Hermite quadrature in $\omega$ fails, because $\partial_\omega g$ peaks as the response comes
near its bound. In the proximal point $z$ the field is explicit, $\omega=z-V\eta_1'(z)$, with
Jacobian $\det(I-V\eta_1'')$: no root finding, and an integrand so smooth that the uniform
trapezoidal rule converges to round-off. That serves one and two units; beyond, scrambled Sobol
points.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from rbmnotes._compile import njit
from rbmnotes._types import Seed
from rbmnotes.model.continuous import Continuous, check_fields
from rbmnotes.model.multiplier import square_root
from rbmnotes.model.priors import Discrete, Gaussian, Prior
from rbmnotes.model.proximal import proximal_map, response_bound
from rbmnotes.model.tilted import law_arrays, tilted_log_mgf, tilted_moments

WIDTH = 9.0
"""Half width of the grid, in standard deviations of the field."""
POINTS_ONE = 321
POINTS_TWO = 161
MAX_POINTS = 2**20
MAX_POINTS_TWO = 2**11
MAX_WORK = 2**28
"""Largest number of latent states times grid points."""
CLOSEST = 1e-6
"""Relative distance of V to its bound down to which the line resolves $E[g'^2]$."""
SCRAMBLINGS = 8
SOBOL_LOG2_POINTS = 12


@dataclass(frozen=True)
class FieldAverages:
    r"""Averages over the fields of one iteration.

    Attributes
    ----------
    ug : (r, k) array
        $E[Ug^\top]$.
    gg : (k, k) array
        $E[gg^\top]$.
    derivative : (k, k) array
        $E[\partial_\omega g]$.
    eta1 : float
        $E[\eta_1(z)]$.
    squared_derivative : float
        $E[{\rm tr}(\partial_\omega g\,\partial_\omega g)]$.
    error : float
        Standard error of the largest entry from independent scramblings; zero for a grid.
    """

    ug: np.ndarray
    gg: np.ndarray
    derivative: np.ndarray
    eta1: float
    squared_derivative: float
    error: float


def field_averages(
    M: np.ndarray,
    Q: np.ndarray,
    V: np.ndarray,
    snr: np.ndarray,
    prior_u: Prior,
    hidden: Prior,
    rng: Seed = 0,
) -> FieldAverages:
    """Average over the fields of the sample side (paper eqs. 19, 58-60).

    Parameters
    ----------
    M : (r, k) array
        Signal overlap.
    Q : (k, k) array
        Self overlap, positive definite for a grid.
    V : (k, k) array
        Response, below the bound of the proximal map.
    snr : (r,) array
        Signal strengths.
    prior_u : Prior
        Law of a latent variable.
    hidden : Prior
        Law of a hidden unit.
    rng : int or numpy.random.Generator
        Scrambling of the Sobol points, for three units or more.

    Returns
    -------
    FieldAverages
    """
    mean_of_u = M.T * snr  # (k, r): the field's mean is this times U
    if M.shape[1] > 2:
        return _sobol_averages(mean_of_u, Q, V, prior_u, hidden, rng)
    if isinstance(prior_u, Gaussian):
        covariance = Q + mean_of_u @ mean_of_u.T
        average = _grid_averages([(1.0, np.zeros(len(Q)))], covariance, V, hidden)
        slope = np.linalg.solve(covariance, mean_of_u)  # E[U | omega] = slope^T omega
        ug = slope.T @ average.pop("omega_g")
        average.pop("g")
        return FieldAverages(ug=ug, error=0.0, **average)
    assert isinstance(prior_u, Discrete)
    if len(prior_u.support) ** len(snr) * POINTS_ONE ** len(Q) > MAX_WORK:
        raise ValueError(
            f"model has too many states of its {len(snr)} latent variables to average over; "
            f"prior_u is {prior_u!r}"
        )
    one = list(zip(prior_u.support, prior_u.probabilities, strict=True))
    ug = np.zeros(M.shape)
    total: dict[str, Any] = {}
    for state in product(one, repeat=len(snr)):
        u = np.array([value for value, _ in state])
        weight = float(np.prod([probability for _, probability in state]))
        part = _grid_averages([(weight, mean_of_u @ u)], Q, V, hidden)
        part.pop("omega_g")
        ug += np.outer(u, part.pop("g"))
        total = {key: total[key] + part[key] for key in part} if total else part
    return FieldAverages(ug=ug, error=0.0, **total)


@njit(cache=True, error_model="numpy")
def _line(mean, variance, V, low, high, count, points, log_weights, out):
    """Add the averages for one unit; `out` holds 1, g, g^2, g', eta1, g'^2, omega g."""
    step = (high - low) / (count - 1)
    norm = step / np.sqrt(2.0 * np.pi * variance)
    for i in range(count):
        z = low + i * step
        g, slope = tilted_moments(z, points, log_weights)
        jacobian = 1.0 - V * slope
        omega = z - V * g
        weight = norm * np.exp(-0.5 * (omega - mean) ** 2 / variance)
        out[0] += weight * jacobian
        out[1] += weight * jacobian * g
        out[2] += weight * jacobian * g * g
        out[3] += weight * slope
        out[4] += weight * jacobian * tilted_log_mgf(z, points, log_weights)
        out[5] += weight * slope * slope / jacobian
        out[6] += weight * jacobian * omega * g


def line_averages(mean: float, variance: float, V: float, hidden: Prior) -> np.ndarray:
    r"""Return $E$ of $1,g,g^2,g',\eta_1(z),g'^2,\omega g$ for one unit and a Gaussian field.

    Parameters
    ----------
    mean, variance : float
        Law of the field; the variance is positive.
    V : float
        Response, below the bound of the proximal map.
    hidden : Prior
        Law of the hidden unit.

    Returns
    -------
    (7,) array
        The first is one up to the error of the rule.
    """
    low, high, count = line_grid(mean, variance, V, hidden)
    out = np.zeros(7)
    _line(mean, variance, V, low, high, count, *law_arrays(hidden), out)
    return out


def line_grid(mean: float, variance: float, V: float, hidden: Prior) -> tuple[float, float, int]:
    """Range of z that holds the law of the field, and a number of points that resolves it."""
    reach = WIDTH * np.sqrt(variance)
    if isinstance(hidden, Gaussian):
        low, high = (mean - reach) / (1.0 - V), (mean + reach) / (1.0 - V)
        return low, high, POINTS_ONE
    assert isinstance(hidden, Discrete)
    low, high = mean - reach + V * hidden.support[0], mean + reach + V * hidden.support[-1]
    diameter = hidden.support[-1] - hidden.support[0]
    # near the bound 1 / (1 - V eta1'') has a peak as wide as the root of the distance to it
    distance = max(1.0 - V / response_bound(hidden), CLOSEST)
    resolution = min(0.25, 0.5 * np.sqrt(distance))  # step over the diameter of the support
    if not _meets_peak(mean, variance, V, hidden):
        resolution = 0.25
    count = min(np.ceil((high - low) * diameter / resolution), MAX_POINTS)
    check_fields(hidden, (low, high))
    return low, high, max(POINTS_ONE, int(count))


def _meets_peak(mean: float, variance: float, V: float, hidden: Discrete) -> bool:
    r"""Whether the field comes near where $\eta_1''$ is large, with more than 1e-16 of its law."""
    if abs(mean) < 8.5 * np.sqrt(variance) or isinstance(hidden, Continuous):
        return True
    place = np.ptp(np.log(hidden.probabilities)) / np.diff(hidden.support).min()
    shift = V * max(abs(point) for point in hidden.support)
    return abs(mean) < 8.5 * np.sqrt(variance) + place + shift


def _grid_averages(
    components: list[tuple[float, np.ndarray]], covariance: np.ndarray, V: np.ndarray, hidden: Prior
) -> dict[str, Any]:
    """Averages over a Gaussian mixture of one covariance, for one or two units."""
    k = len(covariance)
    keys = {"g": k, "gg": (k, k), "derivative": (k, k), "omega_g": (k, k)}
    total = {key: np.zeros(shape) for key, shape in keys.items()}
    total.update(eta1=0.0, squared_derivative=0.0)
    for weight, mean in components:
        if k == 1:
            _, g, gg, slope, eta1, squared, omega_g = weight * line_averages(
                mean[0], covariance[0, 0], V[0, 0], hidden
            )
            part = {"g": g, "gg": gg, "derivative": slope, "omega_g": omega_g}
        else:
            part, eta1, squared = _plane_averages(weight, mean, covariance, V, hidden)
        for key in keys:
            total[key] += part[key]
        total["eta1"] += eta1
        total["squared_derivative"] += squared
    return total


def _plane_averages(
    weight: float, mean: np.ndarray, covariance: np.ndarray, V: np.ndarray, hidden: Prior
) -> tuple[dict[str, np.ndarray], float, float]:
    """Two units: a product grid in z, wide enough for every coupling through V."""
    axes = []
    for a in range(2):
        reach = WIDTH * np.sqrt(covariance[a, a])
        if isinstance(hidden, Gaussian):
            shrink = 1.0 - np.linalg.eigvalsh(V)[-1]
            size = (np.abs(mean).max() + WIDTH * np.sqrt(covariance.diagonal().max())) / shrink
            low, high = -size, size
        else:
            assert isinstance(hidden, Discrete)
            ends = np.outer(V[a], (hidden.support[0], hidden.support[-1]))
            low = mean[a] - reach + ends.min(axis=1).sum()
            high = mean[a] + reach + ends.max(axis=1).sum()
        count = max(POINTS_TWO, np.ceil((high - low) / 0.15))
        if count > MAX_POINTS_TWO:
            raise ValueError(
                f"Q0, M0 and snr must be smaller: a grid over the fields would need {count:.3g} "
                "points for each unit"
            )
        axes.append(np.linspace(low, high, int(count)))
    z = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    g, slope = hidden.tilted_mean(z), hidden.tilted_variance(z)
    omega = z - g @ V
    jacobian = (1 - V[0, 0] * slope[..., 0]) * (1 - V[1, 1] * slope[..., 1])
    jacobian -= V[0, 1] ** 2 * slope[..., 0] * slope[..., 1]
    deviation = omega - mean
    exponent = -0.5 * np.einsum("ija,ab,ijb->ij", deviation, np.linalg.inv(covariance), deviation)
    cell = (axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0])
    density = weight * cell * np.exp(exponent) / (2 * np.pi * np.sqrt(np.linalg.det(covariance)))
    measure = density * jacobian
    # dg times the Jacobian, (I - SV)^-1 S det(I - SV), is a polynomial in the slopes
    product_of_slopes = slope[..., 0] * slope[..., 1]
    first = slope[..., 0] - V[1, 1] * product_of_slopes
    second = slope[..., 1] - V[0, 0] * product_of_slopes
    cross = V[0, 1] * product_of_slopes
    squared = (first**2 + second**2 + 2 * cross**2) / jacobian
    part = {
        "g": np.einsum("ij,ija->a", measure, g),
        "gg": np.einsum("ij,ija,ijb->ab", measure, g, g),
        "omega_g": np.einsum("ij,ija,ijb->ab", measure, omega, g),
        "derivative": np.array(
            [
                [np.sum(density * first), np.sum(density * cross)],
                [np.sum(density * cross), np.sum(density * second)],
            ]
        ),
    }
    eta1 = float(np.sum(measure * hidden.log_mgf(z).sum(axis=-1)))
    return part, eta1, float(np.sum(density * squared))


def _sobol_averages(
    mean_of_u: np.ndarray, Q: np.ndarray, V: np.ndarray, prior_u: Prior, hidden: Prior, rng: Seed
) -> FieldAverages:
    """Any number of units: independent scramblings of Sobol points, and their spread."""
    k, r = mean_of_u.shape
    root = square_root(Q, "Q")
    results = []
    for stream in np.random.default_rng(rng).spawn(SCRAMBLINGS):
        uniform = qmc.Sobol(r + k, rng=stream).random_base2(SOBOL_LOG2_POINTS)
        uniform = np.clip(uniform, 1e-12, 1 - 1e-12)
        u = prior_u.quantile(uniform[:, :r])
        omega = u @ mean_of_u.T + ndtri(uniform[:, r:]) @ root
        point = proximal_map(omega, V, hidden)
        n = len(omega)
        results.append(
            (
                u.T @ point.g / n,
                point.g.T @ point.g / n,
                point.derivative.mean(axis=0),
                hidden.log_mgf(point.z).sum(axis=1).mean(),
                np.mean(np.sum(point.derivative**2, axis=(1, 2))),
            )
        )
    ug, gg, derivative, eta1, squared = (
        np.mean(entry, axis=0) for entry in zip(*results, strict=True)
    )
    spreads = [np.std(entry, axis=0, ddof=1).max() for entry in zip(*results, strict=True)]
    error = float(max(spreads[:3]) / np.sqrt(SCRAMBLINGS))
    return FieldAverages(ug, gg, derivative, eta1, squared, error)
