r"""The loop behind the proximal map: Newton's method on many rows at once.

Rows are solved in groups of ``LANES``. Every array of a group has the row as its last axis and
every innermost loop runs over it: the loops over the units are short and each of their steps waits
for the one before, those over the rows are independent, and the compiler turns them into vector
instructions. A row that has converged waits for the others of its group.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from rbmnotes._compile import njit
from rbmnotes.model.tilted import tilted_moments

TOLERANCE = 1e-12
MAX_NEWTON_STEPS = 100
SHORTEST_STEP = 1e-8
LANES = 32


@njit(cache=True, parallel=True, error_model="numpy")
def solve_rows(omega, V, points, log_weights, z, g, derivative, rows_per_sum):
    r"""Solve $z=\omega+V\eta_1'(z)$ from the start `z`, and overwrite `z`, `g` and `derivative`.

    The lower triangle of a row's $\partial_\omega g$ is added to the entry ``row // rows_per_sum``
    of `derivative`. That number is 1 or ``LANES``, so that one group alone writes to an entry and
    the sums are the same for any number of threads.
    """
    n, k = omega.shape
    for group in prange((n + LANES - 1) // LANES):
        first = np.int64(group) * LANES
        count = min(LANES, n - first)
        point, field = np.zeros((k, LANES)), np.zeros((k, LANES))
        mean, spread = np.empty((k, LANES)), np.empty((k, LANES))
        residual, step = np.empty((k, LANES)), np.empty((k, LANES))
        factor, inverse = np.empty((k, k, LANES)), np.empty((k, k, LANES))
        total = np.empty((k, k, LANES))
        size, length, scale = np.empty(LANES), np.empty(LANES), np.ones(LANES)
        for a in range(k):
            for i in range(count):
                point[a, i], field[a, i] = z[first + i, a], omega[first + i, a]
                scale[i] = max(scale[i], abs(field[a, i]))
        _residual(point, field, V, points, log_weights, mean, spread, residual, size)
        _factorise(V, spread, factor)
        for _ in range(MAX_NEWTON_STEPS):
            remaining = 0
            for i in range(LANES):
                active = i < count and size[i] > TOLERANCE * scale[i]
                length[i] = 1.0 if active else 0.0
                remaining += active
            if remaining == 0:
                break
            _newton_step(V, spread, factor, residual, step)
            _line_search(
                point, step, length, size, field, V, points, log_weights, mean, spread, residual
            )
            _factorise(V, spread, factor)
        _derivative(spread, factor, inverse, total)
        for i in range(count):
            entry = (first + i) // rows_per_sum
            for a in range(k):
                z[first + i, a], g[first + i, a] = point[a, i], mean[a, i]
                for b in range(a + 1):
                    derivative[entry, a, b] += total[a, b, i]


@njit(cache=True, error_model="numpy")
def _residual(z, omega, V, points, log_weights, mean, spread, residual, size):
    r"""Fill in means, standard deviations, $z-\omega-V\eta_1'(z)$ and its largest entry."""
    k = len(z)
    for a in range(k):
        for i in range(LANES):
            mean[a, i], variance = tilted_moments(z[a, i], points, log_weights)
            spread[a, i] = np.sqrt(variance)
            residual[a, i] = z[a, i] - omega[a, i]
    size[:] = 0.0
    for a in range(k):
        for b in range(k):
            for i in range(LANES):
                residual[a, i] -= V[a, b] * mean[b, i]
        for i in range(LANES):
            size[i] = max(size[i], abs(residual[a, i]))


@njit(cache=True, error_model="numpy")
def _line_search(z, step, length, size, omega, V, points, log_weights, mean, spread, residual):
    """Move `z` along the step, halved in every row until its residual falls."""
    k = len(z)
    new_size = np.empty(LANES)
    for a in range(k):
        for i in range(LANES):
            z[a, i] += length[i] * step[a, i]
    while True:
        _residual(z, omega, V, points, log_weights, mean, spread, residual, new_size)
        halved = 0
        for i in range(LANES):
            enough = new_size[i] <= (1.0 - 1e-4 * length[i]) * size[i]
            if not enough and length[i] > SHORTEST_STEP:
                halved += 1
                length[i] *= 0.5
                for a in range(k):
                    z[a, i] -= length[i] * step[a, i]
        if halved == 0:
            size[:] = new_size
            return


@njit(cache=True, error_model="numpy")
def _factorise(V, spread, factor):
    r"""Cholesky factor of $I-S^{1/2}VS^{1/2}$, its diagonal inverted; `spread` is $S^{1/2}$."""
    k = len(spread)
    for a in range(k):
        for b in range(a + 1):
            for i in range(LANES):
                factor[a, b, i] = (a == b) - V[a, b] * spread[a, i] * spread[b, i]
    for c in range(k):
        for i in range(LANES):
            factor[c, c, i] = 1.0 / np.sqrt(max(factor[c, c, i], 1e-300))
        for a in range(c + 1, k):
            for i in range(LANES):
                factor[a, c, i] *= factor[c, c, i]
        for a in range(c + 1, k):
            for b in range(c + 1, a + 1):
                for i in range(LANES):
                    factor[a, b, i] -= factor[a, c, i] * factor[b, c, i]


@njit(cache=True, error_model="numpy")
def _newton_step(V, spread, factor, residual, step):
    r"""Solve $(I-VS)\,step=-r$ as $-r-VS^{1/2}(I-S^{1/2}VS^{1/2})^{-1}S^{1/2}r$."""
    k = len(spread)
    for a in range(k):
        for i in range(LANES):
            step[a, i] = spread[a, i] * residual[a, i]
        for c in range(a):
            for i in range(LANES):
                step[a, i] -= factor[a, c, i] * step[c, i]
        for i in range(LANES):
            step[a, i] *= factor[a, a, i]
    for a in range(k - 1, -1, -1):
        for c in range(a + 1, k):
            for i in range(LANES):
                step[a, i] -= factor[c, a, i] * step[c, i]
        for i in range(LANES):
            step[a, i] *= factor[a, a, i]
    for a in range(k):
        for i in range(LANES):
            step[a, i] *= spread[a, i]
    for a in range(k):  # the residual is free to hold the result: it is computed anew
        for b in range(k):
            for i in range(LANES):
                residual[a, i] += V[a, b] * step[b, i]
    step[:] = -residual


@njit(cache=True, error_model="numpy")
def _derivative(spread, factor, inverse, total):
    r"""Fill `total` with $S^{1/2}(I-S^{1/2}VS^{1/2})^{-1}S^{1/2}$ by the inverse of the factor."""
    k = len(spread)
    for b in range(k):
        for i in range(LANES):
            inverse[b, b, i] = spread[b, i] * factor[b, b, i]
        for a in range(b + 1, k):
            inverse[a, b, :] = 0.0
            for c in range(b, a):
                for i in range(LANES):
                    inverse[a, b, i] -= factor[a, c, i] * inverse[c, b, i]
            for i in range(LANES):
                inverse[a, b, i] *= factor[a, a, i]
    total[:] = 0.0
    for a in range(k):
        for b in range(a + 1):
            for c in range(a, k):
                for i in range(LANES):
                    total[a, b, i] += inverse[c, a, i] * inverse[c, b, i]
