r"""The exact average over all hidden states, for visible units that are signs, made fast.

The numbers of ``RBM.average`` to about 1e-12, which is what training needs: sums of small fields
lose digits that the slower method keeps. The loops over visible units are written to compile to
vector instructions, and nothing depends on the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from scipy.special import logsumexp

from rbmnotes._compile import njit
from rbmnotes.model.joint_states import joint_states
from rbmnotes.model.objective import ModelAverage
from rbmnotes.model.priors import Discrete

MAX_FIELD = 350.0
"""Odds of twice this field are still a float64."""

BLOCK = 64
"""Visible units that one thread sums at a time."""

NEGLIGIBLE = 1e-25
"""Probability of a hidden state that is left out; there are at most 2**26 states."""


def sign_average(
    W: np.ndarray, visible_bias: np.ndarray, hidden_bias: np.ndarray, hidden: Discrete
) -> ModelAverage:
    r"""Return the exact averages of an RBM with Rademacher visible units (paper eqs. 1, 46-48).

    With $f$ the field on a visible unit, the odds $e^{2f}$ of a joint state are products from two
    tables, one for each half of the hidden units, so that only $m^{k/2}\times d$ exponentials are
    evaluated.

    Parameters
    ----------
    W : (d, k) array
        Weights.
    visible_bias : (d,) array
    hidden_bias : (k,) array
        No field on a visible unit, :func:`largest_field`, may exceed ``MAX_FIELD``.
    hidden : Discrete

    Returns
    -------
    ModelAverage
        The same for any number of threads.
    """
    d, k = W.shape
    half = (k + 1) // 2
    left, left_log = joint_states(hidden, half)
    right, right_log = joint_states(hidden, k - half)
    left_fields = (left @ W.T[:half] + visible_bias) / np.sqrt(d)
    right_fields = right @ W.T[half:] / np.sqrt(d)
    left_odds, right_odds = np.exp(2.0 * left_fields), np.exp(2.0 * right_fields)

    log_weights = np.add.outer(
        left_log + left @ hidden_bias[:half], right_log + right @ hidden_bias[half:]
    )
    _add_log_cosh(left_fields, left_odds, right_fields.T.copy(), right_odds.T.copy(), log_weights)
    log_partition = logsumexp(log_weights)
    weights = np.exp(log_weights - log_partition)
    left_sums, right_sums = np.zeros_like(left_fields), np.zeros_like(right_fields)
    _add_weighted_tanh(left_odds, right_odds, weights, left_sums, right_sums)
    return ModelAverage(
        log_partition=float(log_partition),
        hidden=np.concatenate([weights.sum(axis=1) @ left, weights.sum(axis=0) @ right]),
        visible=left_sums.sum(axis=0),
        product=np.concatenate([left.T @ left_sums, right.T @ right_sums]).T,
    )


def largest_field(W: np.ndarray, visible_bias: np.ndarray, hidden: Discrete) -> float:
    """Return a bound on the size of the field on any visible unit, in any hidden state."""
    reach = np.abs(W).sum(axis=1) * np.abs(hidden.support).max() + np.abs(visible_bias)
    return reach.max() / np.sqrt(len(visible_bias))


@njit(cache=True, parallel=True, error_model="numpy")
def _add_log_cosh(left_fields, left_odds, right_fields, right_odds, log_weights):
    r"""Add $\sum_i\log\cosh f_i$ to every pair of a left and a right state.

    $\log\cosh f=|f|+\log\frac{1+e^{-2|f|}}2$: a product of up to 512 factors in $[1,2]$ is a
    floating-point number, so one logarithm serves 512 visible units. Right tables are (d, states).
    """
    n_left, d = left_fields.shape
    n_right = right_fields.shape[1]
    for s in prange(n_left):
        product = np.empty(n_right)
        total = log_weights[s]
        for start in range(0, d, 512):
            stop = min(start + 512, d)
            product[:] = 1.0
            for i in range(start, stop):
                field, odds = left_fields[s, i], left_odds[s, i]
                for t in range(n_right):
                    up = odds * right_odds[i, t]
                    total[t] += abs(field + right_fields[i, t])
                    product[t] *= 1.0 + (up if up < 1.0 else 1.0 / up)
            for t in range(n_right):
                total[t] += np.log(product[t]) - (stop - start) * np.log(2.0)


@njit(cache=True, parallel=True, error_model="numpy")
def _add_weighted_tanh(left_odds, right_odds, weights, left_sums, right_sums):
    r"""Sum $\tanh f_i$ with the weights of the joint states, over right and over left states.

    In parallel over visible units, each of which is summed in a fixed order.
    """
    n_left, d = left_odds.shape
    n_right = len(right_odds)
    for block in prange((d + BLOCK - 1) // BLOCK):
        start, stop = block * BLOCK, min((block + 1) * BLOCK, d)
        for s in range(n_left):
            left, left_sum = left_odds[s, start:stop], left_sums[s, start:stop]
            for t in range(n_right):
                weight = weights[s, t]
                if weight < NEGLIGIBLE:
                    continue
                right, right_sum = right_odds[t, start:stop], right_sums[t, start:stop]
                for i in range(stop - start):
                    odds = left[i] * right[i]
                    value = weight * ((odds - 1.0) / (odds + 1.0))
                    left_sum[i] += value
                    right_sum[i] += value
