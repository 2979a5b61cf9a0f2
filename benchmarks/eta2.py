r"""The split enumeration of $\eta_2$ and its moments against the plain sum over all states."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np

from benchmarks.harness import Row, measure
from rbmnotes import eta2_moments

TARGETS = {10: None, 16: 30.0, 20: 50.0}  # how many times faster, by number of units
# Calls in a row to a timing that has a target: whatever uses eta2 calls it in a loop. The line
# "alone" is one call right after the plain sum has emptied the caches, and has no target.
CALLS = {10: 200, 16: 20, 20: 3}
ROUNDS = 7
TOLERANCE = 1e-10  # both sums carry round-off of about 1e-13


def sign_states(k: int) -> np.ndarray:
    """Return all ``2**k`` states of `k` Rademacher units, one a row."""
    return np.array(list(itertools.product((-1.0, 1.0), repeat=k)))


def plain_moments(Q: np.ndarray, states: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    r"""Sum over all states of Rademacher units, as one would write it down.

    Parameters
    ----------
    Q : (k, k) array
        Symmetric.
    states : (2**k, k) array
        All states; built beforehand, so that their construction is not timed.

    Returns
    -------
    eta2 : float
    mean : (k,) array
        $\langle h\rangle$.
    second : (k, k) array
        $\langle hh^\top\rangle$.
    """
    exponents = 0.5 * np.sum((states @ Q) * states, axis=1)
    peak = exponents.max()
    weights = np.exp(exponents - peak)
    total = weights.sum()
    weights /= total
    value = peak + np.log(total) - np.log(len(states))
    return float(value), weights @ states, states.T @ (weights[:, None] * states)


def run(sizes=tuple(TARGETS)) -> list[Row]:
    """Compare eta2 and its moments with the plain enumeration of all states.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of units.

    Returns
    -------
    list of Row

    Raises
    ------
    AssertionError
        If the two ways disagree.
    """
    return [row for k in sizes for row in _compare(k)]


def _compare(k):
    weights = np.random.default_rng(k).standard_normal((4 * k, k))
    Q, states = weights.T @ weights / (4 * k), sign_states(k)
    work = {
        "plain": partial(plain_moments, Q, states),
        "split": partial(eta2_moments, Q),
    }
    split = work["split"]()
    for actual, expected in zip(
        (split.eta2, split.mean, split.second), work["plain"](), strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=TOLERANCE, atol=TOLERANCE)
    loop, alone = measure(work, ROUNDS, calls=CALLS.get(k, 1)), measure(work, ROUNDS)
    gain, gain_alone = (timing.ratio("plain", "split") for timing in (loop, alone))
    return [
        Row(f"k={k}: all {2**k} states", loop.medians["plain"]),
        Row(f"k={k}: eta2_moments", loop.medians["split"], gain, at_least=TARGETS.get(k)),
        Row(f"k={k}: eta2_moments, alone", alone.medians["split"], gain_alone),
    ]
