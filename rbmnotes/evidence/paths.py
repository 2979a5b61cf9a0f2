"""A whole trajectory against theory, judged as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import finite_array, random_generator
from rbmnotes.evidence.rules import CONFIDENCE, MIN_P_VALUE, p_text, power_text

TIE = 1e-9
"""Two statistics of the same signs differ by round-off, at most by this relative to their size."""


@dataclass(frozen=True)
class PathAgreement:
    """A whole trajectory beside its theory.

    Attributes
    ----------
    largest_z : float
        Largest distance of the mean path from theory, in standard errors.
    p_value : float
        Probability of one as large if theory is right.
    detectable : float
        A theory multiplied by one plus or minus this would stand at the edge of *disagrees*, were
        the mean path its unchanged self; infinite where theory is zero throughout.
    """

    largest_z: float
    p_value: float
    detectable: float

    @property
    def verdict(self) -> str:
        """*agrees* if the p-value exceeds 0.01."""
        return "agrees" if self.p_value > MIN_P_VALUE else "disagrees"

    def __str__(self) -> str:
        return (
            f"largest |z| along the path {self.largest_z:.1f} ({p_text(self.p_value)})"
            + power_text(self.detectable)
        )


def compare_paths(
    samples: ArrayLike, theory: ArrayLike, n_flips: int = 2000, rng: Seed = 0
) -> PathAgreement:
    """Judge a trajectory as one, since its errors are correlated in time.

    The largest ``|z|`` over the entries is compared with its distribution when the deviations of
    whole instances from theory get random signs; among few instances the signs as they are come up
    again, and such a tie counts as no smaller, whatever its last digits. Entries that do not vary
    over the instances (a fixed start) must equal theory to 1e-9 and are then left out.

    Parameters
    ----------
    samples : (n, ...) array
        One path an instance, any number of entries; tens of independent instances.
    theory : (...) array
        Predicted path.
    n_flips : int
        Number of random sign vectors.
    rng : int or numpy.random.Generator
        Seed or generator of the signs.

    Returns
    -------
    PathAgreement

    Raises
    ------
    ValueError
        If shapes do not match, there are fewer than ten instances, or nothing varies.
    """
    samples = np.asarray(samples, dtype=float)
    theory = finite_array(theory, "theory", samples.shape[1:])
    if len(samples) < 10:
        raise ValueError(f"samples must hold at least 10 instances; got {len(samples)}")
    deviations = finite_array(samples, "samples", samples.shape) - theory
    deviations = deviations.reshape(len(samples), -1)
    fixed = deviations.std(axis=0) < 1e-12
    if fixed.all():
        raise ValueError("samples must vary over the instances")
    if np.any(np.abs(deviations[0, fixed]) > 1e-9):
        return PathAgreement(largest_z=np.inf, p_value=0.0, detectable=0.0)
    deviations = deviations[:, ~fixed]
    second_moment = np.mean(deviations**2, axis=0)

    def standard_errors(means: np.ndarray) -> np.ndarray:
        return np.sqrt((second_moment - means**2) / (len(samples) - 1))

    def largest_z(means: np.ndarray) -> np.ndarray:
        return np.max(np.abs(means) / standard_errors(means), axis=-1)

    signs = random_generator(rng).choice([-1.0, 1.0], size=(n_flips, len(samples)))
    mean = deviations.mean(axis=0)
    observed = largest_z(mean)
    null = largest_z(signs @ deviations / len(samples))
    no_smaller = null >= observed * (1 - TIE)
    noticed = np.quantile(null, CONFIDENCE) * standard_errors(mean)
    return PathAgreement(
        largest_z=float(observed),
        p_value=float((1 + np.sum(no_smaller)) / (1 + n_flips)),
        detectable=_smallest_ratio(noticed, np.abs(theory.ravel()[~fixed])),
    )


def _smallest_ratio(shifts: np.ndarray, scales: np.ndarray) -> float:
    """Return the smallest shift relative to its scale; scales of zero count for nothing."""
    nonzero = scales > 0
    return float(np.min(shifts[nonzero] / scales[nonzero])) if nonzero.any() else np.inf


def extrapolate_paths(sizes: ArrayLike, samples: ArrayLike) -> np.ndarray:
    """Extrapolate every instance's path to infinite d, so that a bias c/d drops out.

    Instances are independent, so the i-th of one size may be combined with the i-th of another:
    with the weights of a linear fit in 1/d of numbers whose variance is proportional to 1/d.

    Parameters
    ----------
    sizes : (s,) array
        Dimensions, at least two.
    samples : (s, n, ...) array
        Paths of n independent instances at each of them.

    Returns
    -------
    (n, ...) array
        Paths for :func:`compare_paths`.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, one occurs twice, or shapes do not match.
    """
    sizes = finite_array(sizes, "sizes", (None,)).astype(float)
    if len(set(sizes)) < max(2, len(sizes)):
        raise ValueError(f"sizes must be two or more different ones; got {sizes.tolist()}")
    samples = np.asarray(samples, dtype=float)
    samples = finite_array(samples, "samples", (len(sizes), *samples.shape[1:]))
    design = np.column_stack([np.ones_like(sizes), 1.0 / sizes])
    weights = np.linalg.solve(design.T @ (sizes[:, None] * design), design.T * sizes)[0]
    return np.einsum("d,d...->...", weights, samples)
