"""All states of a few independent units of finite support."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rbmnotes.model.priors import Discrete


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
