"""Independent units of one law: all states of a few, and how probable those of many are."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.stats import norm

from rbmnotes.model.priors import Discrete, Gaussian, Prior


@lru_cache(maxsize=16)
def joint_states(prior: Discrete, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Enumerate the states of `k` independent units.

    Parameters
    ----------
    prior : Discrete
        Law of one unit, with m points.
    k : int
        Number of units; zero gives the one empty state.

    Returns
    -------
    states : (m**k, k) array, read-only
        In lexicographic order of the sorted support, so that for a symmetric law the state
        ``-states[i]`` is ``states[-1 - i]``.
    log_weights : (m**k,) array, read-only
        Their log probabilities.
    """
    m = len(prior.support)
    digits = np.indices((m,) * k).reshape(k, m**k).T
    states = np.array(prior.support)[digits]
    log_weights = np.log(prior.probabilities)[digits].sum(axis=1)
    for array in (states, log_weights):
        array.flags.writeable = False
    return states, log_weights


def log_law(law: Prior, X: np.ndarray) -> np.ndarray:
    r"""Return $\log P(x)$ of each sample, (n,): of independent discrete or Gaussian units.

    Parameters
    ----------
    law : Discrete or Gaussian
        Of one unit; the density if Gaussian.
    X : (n, d) array
        Points of the law, if it is discrete.

    Raises
    ------
    ValueError
        If it is another law, or `X` holds other points.
    """
    if isinstance(law, Gaussian):
        return norm.logpdf(X).sum(axis=1)
    if not isinstance(law, Discrete):
        raise ValueError(f"absolute=True needs discrete or Gaussian units: {law!r}")
    found = X[..., None] == np.array(law.support)
    if not found.any(axis=-1).all():
        raise ValueError(f"X must hold points of {law!r} only, for absolute=True")
    return np.log(law.probabilities)[found.argmax(axis=-1)].sum(axis=1)
