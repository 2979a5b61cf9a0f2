"""Slow, plain references shared by the tests: nothing here uses the package's own formulas."""

import itertools
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=64)
def enumerate_states(prior, k):
    """All states of `k` units of a discrete prior, (m**k, k), and their probabilities."""
    pairs = list(zip(prior.support, prior.probabilities, strict=True))
    combinations = list(itertools.product(pairs, repeat=k))
    states = np.array([[point for point, _ in combination] for combination in combinations])
    return states, np.array([np.prod([p for _, p in combination]) for combination in combinations])


def central_difference(function, point, step=1e-5):
    """Gradient of a scalar function of an array, entry by entry; the error is O(step**2)."""
    point = np.asarray(point, dtype=float)
    gradient = np.zeros(point.shape)
    for index in np.ndindex(point.shape):
        shift = np.zeros(point.shape)
        shift[index] = step
        gradient[index] = (function(point + shift) - function(point - shift)) / (2 * step)
    return gradient


def standard_scores(samples, expected):
    """Deviation of the means over the first axis from `expected`, in standard errors."""
    errors = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return (samples.mean(axis=0) - expected) / errors
