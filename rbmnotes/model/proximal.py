r"""The proximal map of $-\eta_1$: the nonlinearity of AMP-RBM.

For a response $V\succ0$ the proximal map takes a field $\omega$ to the solution of
$z=\omega+V\eta_1'(z)$ (paper eq. 136). It is unique as long as $V\eta_1''\prec I$ everywhere; past
that bound it jumps and the theory built on it does not apply.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from rbmnotes._validation import finite_array
from rbmnotes.model.priors import Prior, Rademacher, check_prior
from rbmnotes.model.tilted import law_arrays, tilted_moments

TOLERANCE = 1e-12
MAX_NEWTON_STEPS = 100
BLOCKS = 64


@dataclass(frozen=True)
class ProximalMap:
    r"""The proximal map at a batch of fields.

    Attributes
    ----------
    z : (n, k) array
        Proximal points.
    g : (n, k) array
        $g(\omega,V)=\eta_1'(z)$.
    derivative : (n, k, k) array
        $\partial_\omega g=(I-\eta_1''V)^{-1}\eta_1''$, symmetric.
    """

    z: np.ndarray
    g: np.ndarray
    derivative: np.ndarray


def response_bound(hidden: Prior = Rademacher()) -> float:
    r"""Return the largest eigenvalue that $V$ must stay below: $1/\max_z\eta_1''(z)$.

    One for Rademacher, four for Bernoulli units.
    """
    return 1.0 / check_prior(hidden, "hidden").max_tilted_variance


def proximal_map(omega, V, hidden: Prior = Rademacher()) -> ProximalMap:
    r"""Solve $z=\omega+V\eta_1'(z)$ for every row (paper eqs. 16 and 136).

    Newton's method with step halving on the residual, to 1e-12.

    Parameters
    ----------
    omega : (n, k) array
        Fields.
    V : (k, k) array
        Response: symmetric, positive semidefinite.
    hidden : Prior
        Law of a hidden unit.

    Returns
    -------
    ProximalMap

    Raises
    ------
    ValueError
        If shapes do not match, a value is not finite, or $V$ is not symmetric with eigenvalues in
        $[0,$ :func:`response_bound` $)$.
    """
    omega = finite_array(omega, "omega", (None, None)).astype(np.float64, copy=False)
    V = check_response(V, omega.shape[1], hidden)
    n, k = omega.shape
    z, g, derivative = omega.copy(), np.empty((n, k)), np.zeros((n, k, k))
    _proximal_rows(omega, V, *law_arrays(hidden), n, z, g, derivative)
    return ProximalMap(z, g, _symmetric(derivative))


def proximal_sums(omega, V, hidden: Prior, z) -> tuple[np.ndarray, np.ndarray]:
    r"""Return $g$ and the summed derivative, and overwrite the start `z` by the proximal points.

    What an AMP iteration needs, without storing a derivative a row and without checks: the caller
    keeps $V$ below the bound.

    Parameters
    ----------
    omega : (n, k) float64 array
    V : (k, k) array
    hidden : Prior
    z : (n, k) float64 array
        Where Newton's method starts; on return, the proximal points.

    Returns
    -------
    g : (n, k) array
    derivative : (k, k) array
        $\sum_\mu\partial_\omega g(\omega_\mu,V)$; the same for any number of threads.
    """
    g, derivative = np.empty_like(omega), np.zeros((BLOCKS, *V.shape))
    _proximal_rows(omega, V, *law_arrays(hidden), BLOCKS, z, g, derivative)
    return g, _symmetric(derivative.sum(axis=0))


def _symmetric(lower):
    """Complete matrices of which the kernel fills the lower triangle."""
    return lower + np.tril(lower, -1).swapaxes(-1, -2)


def check_response(V, k: int, hidden: Prior) -> np.ndarray:
    """Return `V` as an array, or raise if the proximal map is not unique for it."""
    bound = response_bound(hidden)
    V = finite_array(V, "V", (k, k)).astype(np.float64, copy=False)
    if not np.allclose(V, V.T, rtol=1e-10, atol=1e-12):
        raise ValueError("V must be symmetric")
    eigenvalues = np.linalg.eigvalsh(V)
    if eigenvalues[0] < -1e-12 or eigenvalues[-1] >= bound:
        raise ValueError(
            f"V must have its eigenvalues in [0, {bound:g}) for the proximal map to be unique; "
            f"they are {np.array2string(eigenvalues, precision=6)}"
        )
    return V


@njit(cache=True, parallel=True, error_model="numpy")
def _proximal_rows(omega, V, points, log_weights, blocks, z, g, derivative):
    """Solve all rows; row derivatives are added to the entry of `derivative` of their block."""
    n, k = omega.shape
    for block in prange(blocks):
        mean, spread, residual = np.empty(k), np.empty(k), np.empty(k)
        step, point, field = np.empty(k), np.empty(k), np.empty(k)
        factor, inverse = np.zeros((k, k)), np.zeros((k, k))
        for row in range(block * n // blocks, (block + 1) * n // blocks):
            scale = 1.0
            for a in range(k):
                point[a], field[a] = z[row, a], omega[row, a]
                scale = max(scale, abs(field[a]))
            size = _residual(point, field, V, points, log_weights, mean, spread, residual)
            _factorise(V, spread, factor)
            for _ in range(MAX_NEWTON_STEPS):
                if size <= TOLERANCE * scale:
                    break
                _newton_step(V, spread, factor, residual, step)
                size = _line_search(
                    point, step, size, field, V, points, log_weights, mean, spread, residual
                )
                _factorise(V, spread, factor)
            _add_derivative(spread, factor, inverse, derivative[block])
            for a in range(k):
                z[row, a], g[row, a] = point[a], mean[a]


@njit(cache=True, error_model="numpy")
def _residual(z, omega, V, points, log_weights, mean, spread, residual):
    r"""Fill in means, standard deviations and $z-\omega-V\eta_1'(z)$; return its largest entry."""
    k = len(z)
    for a in range(k):
        mean[a], variance = tilted_moments(z[a], points, log_weights)
        spread[a] = np.sqrt(variance)
    size = 0.0
    for a in range(k):
        total = z[a] - omega[a]
        for b in range(k):
            total -= V[a, b] * mean[b]
        residual[a] = total
        size = max(size, abs(total))
    return size


@njit(cache=True, error_model="numpy")
def _line_search(z, step, size, omega, V, points, log_weights, mean, spread, residual):
    """Move `z` along the step, halved until the residual falls; return the new residual."""
    k, length = len(z), 1.0
    for a in range(k):
        z[a] += step[a]
    while True:
        new_size = _residual(z, omega, V, points, log_weights, mean, spread, residual)
        if new_size <= (1.0 - 1e-4 * length) * size or length < 1e-8:
            return new_size
        length *= 0.5
        for a in range(k):
            z[a] -= length * step[a]


@njit(cache=True, error_model="numpy")
def _factorise(V, spread, factor):
    r"""Cholesky factor of $I-S^{1/2}VS^{1/2}$; `spread` is the diagonal of $S^{1/2}$."""
    for a in range(len(spread)):
        for b in range(a + 1):
            total = -spread[a] * spread[b] * V[a, b]
            if a == b:
                total += 1.0
            for c in range(b):
                total -= factor[a, c] * factor[b, c]
            factor[a, b] = np.sqrt(max(total, 1e-300)) if a == b else total / factor[b, b]


@njit(cache=True, error_model="numpy")
def _newton_step(V, spread, factor, residual, step):
    r"""Solve $(I-VS)\,step=-r$ as $-r-VS^{1/2}(I-S^{1/2}VS^{1/2})^{-1}S^{1/2}r$."""
    k = len(spread)
    for a in range(k):
        total = spread[a] * residual[a]
        for c in range(a):
            total -= factor[a, c] * step[c]
        step[a] = total / factor[a, a]
    for a in range(k - 1, -1, -1):
        for c in range(a + 1, k):
            step[a] -= factor[c, a] * step[c]
        step[a] /= factor[a, a]
    for a in range(k):
        step[a] *= spread[a]
    for a in range(k):  # the residual is free to hold the result: it is computed anew
        for b in range(k):
            residual[a] += V[a, b] * step[b]
    for a in range(k):
        step[a] = -residual[a]


@njit(cache=True, error_model="numpy")
def _add_derivative(spread, factor, inverse, total):
    r"""Add $S^{1/2}(I-S^{1/2}VS^{1/2})^{-1}S^{1/2}$, built from the inverse of the factor."""
    k = len(spread)
    for b in range(k):
        inverse[b, b] = spread[b] / factor[b, b]
        for a in range(b + 1, k):
            value = 0.0
            for c in range(b, a):
                value -= factor[a, c] * inverse[c, b]
            inverse[a, b] = value / factor[a, a]
    for c in range(k):
        for a in range(c + 1):
            for b in range(a + 1):
                total[a, b] += inverse[c, a] * inverse[c, b]
