r"""Numba twins of a prior's tilted family, for loops over rows and over quadrature points.

A law is passed to compiled code as two arrays, its points and their log probabilities; empty
arrays stand for the standard normal law. The formulas are those of ``rbmnotes.model.priors``, and
tested to be.
"""

from __future__ import annotations

import numpy as np

from rbmnotes._compile import njit
from rbmnotes.model.priors import Discrete, Gaussian, Prior


def law_arrays(prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Return points and log probabilities of a prior, empty for the Gaussian."""
    if isinstance(prior, Gaussian):
        return np.empty(0), np.empty(0)
    assert isinstance(prior, Discrete)  # as is every prior that is not Gaussian
    return np.array(prior.support), np.log(prior.probabilities)


@njit(cache=True, error_model="numpy")
def tilted_moments(z, points, log_weights):
    """Return mean and variance of a law tilted by the field `z`."""
    count = len(points)
    if count == 0:
        return z, 1.0
    if count == 2:  # one exponential, of a non-positive number
        width = points[1] - points[0]
        exponent = width * z + log_weights[1] - log_weights[0]
        small = np.exp(-abs(exponent))
        upper = 1.0 / (1.0 + small) if exponent > 0 else small / (1.0 + small)
        return points[0] + width * upper, width * width * small / (1.0 + small) ** 2
    peak = log_weights[0] + z * points[0]
    for i in range(1, count):
        peak = max(peak, log_weights[i] + z * points[i])
    total = first = second = 0.0
    for i in range(count):
        weight = np.exp(log_weights[i] + z * points[i] - peak)
        total += weight
        first += weight * points[i]
        second += weight * points[i] * points[i]
    mean = first / total
    return mean, max(second / total - mean * mean, 0.0)


@njit(cache=True, error_model="numpy")
def tilted_log_mgf(z, points, log_weights):
    """Return the log normalisation of a law tilted by the field `z`."""
    count = len(points)
    if count == 0:
        return 0.5 * z * z
    peak = log_weights[0] + z * points[0]
    for i in range(1, count):
        peak = max(peak, log_weights[i] + z * points[i])
    total = 0.0
    for i in range(count):
        total += np.exp(log_weights[i] + z * points[i] - peak)
    return peak + np.log(total)
