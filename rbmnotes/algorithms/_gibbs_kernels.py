"""Gibbs chains of an RBM with signs as visible units, and the sums that contrastive learning needs.

The loops over visible units are written to compile to vector instructions, and nothing depends on
the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from rbmnotes._compile import njit
from rbmnotes.model.tilted import tilted_moments

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def rounded_weights(W_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (k, d) integers and the (k,) units of each row, to nine digits of a row's sum.

    Sums of a row with any signs fit into 32 bits. They are exact, so their order does not matter
    and the compiler may choose one that is fast.
    """
    units = np.maximum(np.abs(W_T).sum(axis=1), 1e-300) / 2.0**30
    return np.rint(W_T / units[:, None]).astype(np.int32), units


@njit(cache=True)
def chain_words(k, d, cycles):
    """Return how many 64-bit words a chain uses: one a hidden unit, one for two visible units."""
    return cycles * (k + (d + 1) // 2)


@njit(cache=True, parallel=True, error_model="numpy")
def contrastive_sums(
    X,
    rows,
    chains,
    persistent,
    cycles,
    weights,
    units,
    hidden_bias,
    points,
    log_weights,
    exponents,
    base,
    seed,
    first_word,
    sums,
    hidden_sums,
):
    r"""Run one chain a row and sum clamped minus chain statistics, block by block of rows.

    Parameters
    ----------
    X : (n, d) int8 array
        Data.
    rows : (m,) integer array
        The batch.
    chains : (m, d) int8 array
        Visible units at the start of persistent chains; on return, at the end of all chains.
    persistent : bool
        If false, the chains start at the batch.
    cycles : int
        Gibbs cycles, at least one.
    weights, units : (k, d) int32 array, (k,) array
        $W^\top/\sqrt d$ as :func:`rounded_weights` returns it.
    hidden_bias : (k,) array
    points, log_weights : (2,) arrays
        Law of a hidden unit.
    exponents, base : (k, d) and (d,) float32 arrays
        Twice the field on the visible units: what an upper hidden unit adds to a lower one, and
        the field if all are lower.
    seed, first_word : numpy.uint64, int
        Generator (splitmix64) and the number of its words used up.
    sums : (blocks, k + 1, d) float32 array
        On return, with $\langle h\rangle=E[h|v]$, the sums of $\langle h\rangle v^\top$ and, in
        the last row, of $v$.
    hidden_sums : (blocks, k) array
        On return, the sums of $\langle h\rangle$.
    """
    m, d = len(rows), X.shape[1]
    k, blocks = len(weights), len(sums)
    words = chain_words(k, d, cycles)
    for block in prange(blocks):
        twice_field, power = np.empty(d, np.float32), np.empty(d, np.int32)
        bits = np.empty((d + 1) // 2, np.uint64)
        first, last = block * m // blocks, (block + 1) * m // blocks
        clamped, means = np.ones((last - first, k + 1)), np.ones((last - first, k + 1))
        for row in range(first, last):
            v, mean = chains[row], means[row - first]
            _hidden_means(
                X[rows[row]], weights, units, hidden_bias, points, log_weights, clamped[row - first]
            )
            if persistent:
                _hidden_means(v, weights, units, hidden_bias, points, log_weights, mean)
            else:
                mean[:] = clamped[row - first]
            state = seed + np.uint64(first_word + row * words) * GOLDEN
            for _ in range(cycles):
                state = _draw_hidden(mean, points, exponents, base, state, twice_field)
                state = draw_visible(twice_field, power, state, bits, v)
                _hidden_means(v, weights, units, hidden_bias, points, log_weights, mean)
        for a in range(k + 1):
            total = sums[block, a]
            total[:] = 0.0
            for row in range(first, last):
                x, v = X[rows[row]], chains[row]
                plus, minus = np.float32(clamped[row - first, a]), np.float32(means[row - first, a])
                for i in range(d):
                    total[i] += plus * np.float32(x[i]) - minus * np.float32(v[i])
        for a in range(k):
            hidden_sums[block, a] = np.sum(clamped[:, a]) - np.sum(means[:, a])


@njit(cache=True, error_model="numpy")
def _hidden_means(v, weights, units, hidden_bias, points, log_weights, means):
    """Fill in the means of the hidden units given visible ones."""
    for a in range(len(weights)):
        weight, total = weights[a], np.int32(0)
        for i in range(len(v)):
            total = np.int32(total + (weight[i] if v[i] > 0 else -weight[i]))
        means[a] = hidden_bias[a] + units[a] * total
    for a in range(len(weights)):
        means[a] = tilted_moments(means[a], points, log_weights)[0]


@njit(cache=True, error_model="numpy")
def _draw_hidden(means, points, exponents, base, state, twice_field):
    """Draw hidden units with the given means, fill in the field they cause; return the state."""
    d = len(twice_field)
    for i in range(d):
        twice_field[i] = base[i]
    for a in range(len(exponents)):
        state += GOLDEN
        uniform = np.float64(np.int64(_word(state) >> np.uint64(11))) * 2.0**-53
        if uniform * (points[1] - points[0]) < means[a] - points[0]:
            exponent = exponents[a]
            for i in range(d):
                twice_field[i] += exponent[i]
    return state


@njit(cache=True, error_model="numpy")
def draw_visible(twice_field, power, state, bits, v):
    r"""Draw signs in given fields and return the generator's state; fields are overwritten.

    A sign is up if $u<o(1-u)$, with $o=e^{2f}$ and $u$ uniform on the odd multiples of $2^{-24}$.
    The exponential is that of Cephes, to single precision: $e^x=2^ne^r$, $|r|\le\frac12\log2$.
    """
    one, half = np.float32(1.0), np.float32(0.5)
    for i in range(len(v)):
        x = min(max(twice_field[i], np.float32(-87.0)), np.float32(87.0))
        n = np.floor(x * np.float32(1.44269504) + half)
        r = x - n * np.float32(0.693359375) + n * np.float32(2.12194440e-4)
        series = np.float32(1.9875691500e-4) * r + np.float32(1.3981999507e-3)
        series = series * r + np.float32(8.3334519073e-3)
        series = series * r + np.float32(4.1665795894e-2)
        series = series * r + np.float32(1.6666665459e-1)
        series = series * r + half
        twice_field[i] = series * (r * r) + r + one
        power[i] = (np.int32(n) + np.int32(127)) << np.int32(23)  # the bits of 2^n
    for j in range(len(bits)):
        state += GOLDEN
        bits[j] = _word(state)
    scale, half_words = power.view(np.float32), bits.view(np.uint32)
    for i in range(len(v)):
        odds = twice_field[i] * scale[i]
        multiple = np.float32(np.int32(half_words[i] >> np.uint32(9)))
        uniform = (multiple + half) * np.float32(2.0**-23)
        v[i] = 1 if uniform < odds * (one - uniform) else -1
    return state


@njit(cache=True, error_model="numpy")
def _word(state):
    """Return the 64 random bits that splitmix64 makes of its state."""
    word = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
