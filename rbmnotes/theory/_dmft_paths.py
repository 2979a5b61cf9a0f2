r"""Sampled paths of the fields, and the averages over them that one step of the theory needs.

A path is what one sample sees: its latent variables $U$ and its fields $h^0,h^1,\dots$ (paper
eq. 26). Paths are stored in groups of ``LANES``. A group's data lie together, the path is their
last axis, and every innermost loop over it compiles to vector instructions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from rbmnotes._compile import njit
from rbmnotes.model.joint_states import joint_states
from rbmnotes.model.multiplier import square_root
from rbmnotes.model.objective import eta1
from rbmnotes.model.priors import Discrete, Prior
from rbmnotes.model.tilted import law_arrays, tilted_log_mgf, tilted_moments

LANES = 64
MAX_STATES = 64
"""Joint states of the hidden units up to which Gibbs chains are summed rather than sampled."""
CHAIN_POINTS = 2**11
"""Sobol points that average over the visible noise of such a chain."""


@dataclass(frozen=True)
class Paths:
    r"""Groups of paths; `forces` and `slopes` are filled in as time goes on.

    Attributes
    ----------
    U : (groups, r, LANES) array
        Latent variables.
    noise : (groups, T + 1, k, LANES) array
        Independent standard normal inputs.
    forces, slopes : (groups, T + 1, k, LANES) arrays
        $F(h^t)$ and the diagonal of $F'(h^t)$, times the weight of the path in step $t$.
    """

    U: np.ndarray
    noise: np.ndarray
    forces: np.ndarray
    slopes: np.ndarray


@dataclass(frozen=True)
class PathAverages:
    r"""Fields at time $t$ and averages over the paths.

    Attributes
    ----------
    field : (N, k) array
        $h^t$, a row a path.
    eta1 : float
        $E\,\eta_1(h^t)$.
    uf : (r, k) array
        $E[UF(h^t)^\top]$.
    ff : (t + 1, k, k) array
        $E[F(h^t)F(h^s)^\top]$ for $s\le t$, both factors weighted: with every weight in place it is
        part of a Gram matrix, and $C$ stays positive semidefinite for any number of paths.
    response : (t + 1, k, k) array
        $E[\partial F(h^t)/\partial\theta^s]$ for $s\le t$.
    """

    field: np.ndarray
    eta1: float
    uf: np.ndarray
    ff: np.ndarray
    response: np.ndarray


def draw_paths(
    prior_u: Prior,
    r: int,
    k: int,
    n_steps: int,
    n_paths: int,
    sampling: str,
    rng: np.random.Generator,
) -> Paths:
    """Draw the random inputs of all paths: scrambled Sobol points, or independent numbers.

    The Sobol dimensions are ordered in time, the latent variables first.
    """
    if sampling == "sobol":
        points = qmc.Sobol(r + n_steps * k, rng=rng).random(n_paths)
        np.clip(points, 1e-12, 1.0 - 1e-12, out=points)
        U, noise = prior_u.quantile(points[:, :r]), ndtri(points[:, r:])
    else:
        U = prior_u.sample((n_paths, r), rng)
        noise = rng.standard_normal((n_paths, n_steps * k))
    shape = (n_paths // LANES, n_steps, k, LANES)
    noise = grouped(noise).reshape(shape)
    return Paths(grouped(U), noise, np.empty(shape), np.empty(shape))


def grouped(rows: np.ndarray) -> np.ndarray:
    """Return (N, m) rows as (N / LANES, m, LANES) groups."""
    groups = rows.reshape(-1, LANES, rows.shape[1])
    return np.ascontiguousarray(groups.swapaxes(1, 2))


def ungrouped(groups: np.ndarray) -> np.ndarray:
    """Return (N / LANES, m, LANES) groups as (N, m) rows."""
    return groups.swapaxes(1, 2).reshape(-1, groups.shape[1])


def advance_paths(
    paths: Paths,
    t: int,
    drift: np.ndarray,
    factor: np.ndarray,
    R: np.ndarray,
    weight: np.ndarray,
    hidden: Prior,
) -> PathAverages:
    r"""Move every path to time $t$ and average.

    Parameters
    ----------
    paths : Paths
        Its forces and slopes at time $t$ are overwritten.
    t : int
    drift : (k, r) array
        $M_t^\top\Lambda$.
    factor : (t + 1, k, k) array
        $\theta^t=\sum_{s\le t}factor_s\,noise^s$.
    R : (t + 1, t + 1, k, k) array
        Responses of the weights up to time $t$.
    weight : (N,) array
        Weight of each path in step $t$: ones, or $\sigma/\varpi$ for mini-batches.
    hidden : Prior
        Law of a hidden unit.

    Returns
    -------
    PathAverages
    """
    groups, r, _ = paths.U.shape
    k, n_paths = len(drift), groups * LANES
    kernels = np.ascontiguousarray(R.transpose(1, 2, 0, 3)).reshape(t + 1, k, (t + 1) * k)
    drift, factor = np.ascontiguousarray(drift), np.ascontiguousarray(factor)
    field, log_mgf = np.empty((groups, k, LANES)), np.zeros(1)
    uf, ff, response = np.zeros((k, r)), np.zeros((t + 1, k, k)), np.zeros((t + 1, k, k))
    _advance(
        *(t, paths.U, drift, factor, kernels, grouped(weight[:, None]), *law_arrays(hidden)),
        *(paths.noise, paths.forces, paths.slopes, field, log_mgf, uf, ff, response),
    )
    return PathAverages(
        field=ungrouped(field),
        eta1=log_mgf[0] / n_paths,
        uf=uf.T / n_paths,
        ff=ff / n_paths,
        response=response / n_paths,
    )


def negative_phase(
    field: np.ndarray, Q: np.ndarray, hidden: Prior, cycles: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    r"""Follow Gibbs chains from the fields of the data, in $k$ dimensions (ours).

    A cycle draws $s\sim P(h|f)$ and then $f=Qs+N(0,Q)$, the fields of visible units drawn given
    $s$. If the units have few joint states, a chain is a Markov chain on these: its occupations
    are averaged over the paths and multiplied by the transition matrix. Otherwise it is sampled.

    Parameters
    ----------
    field : (N, k) array
        $f_0=h^t$, a row a path.
    Q : (k, k) array
        Self overlap of the weights.
    hidden : Prior
        Law of a hidden unit.
    cycles : int
        Number $J$ of cycles.
    rng : numpy.random.Generator

    Returns
    -------
    second : (k, k) array
        $E[s_J\eta_1'(f_J)^\top+\eta_1''(f_J)]$, not symmetric.
    square : (k, k) array
        $E[\eta_1'(f_J)\eta_1'(f_J)^\top]$.
    """
    k, root = len(Q), square_root(Q, "Q")
    if not isinstance(hidden, Discrete) or len(hidden.support) ** k > MAX_STATES:
        for _ in range(cycles):
            s = hidden.sample_tilted(field, rng)
            field = s @ Q + rng.standard_normal(field.shape) @ root
        mean, slope = hidden.tilted_mean(field), hidden.tilted_variance(field)
        return (s.T @ mean) / len(s) + np.diag(slope.mean(axis=0)), mean.T @ mean / len(s)
    states, log_weights = joint_states(hidden, k)

    def law_of_states(fields: np.ndarray) -> np.ndarray:
        return np.exp(fields @ states.T + log_weights - eta1(fields, hidden)[..., None])

    points = qmc.Sobol(k, rng=rng).random(CHAIN_POINTS)
    fields = (states @ Q)[:, None] + ndtri(np.clip(points, 1e-12, 1.0 - 1e-12)) @ root
    occupation = law_of_states(field).mean(axis=0)
    if cycles > 1:
        transition = np.linalg.matrix_power(law_of_states(fields).mean(axis=1), cycles - 1)
        occupation = occupation @ transition
    mean, slope = hidden.tilted_mean(fields), hidden.tilted_variance(fields).mean(axis=1)
    second = (occupation[:, None] * states).T @ mean.mean(axis=1) + np.diag(occupation @ slope)
    return second, np.einsum("s,sia,sib->ab", occupation, mean, mean) / CHAIN_POINTS


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(
    t,
    U,
    drift,
    factor,
    kernels,
    weight,
    points,
    log_weights,
    noise,
    forces,
    slopes,
    field,
    log_mgf,
    uf,
    ff,
    response,
):
    """Loop over groups of paths; their sums are added to the last four arguments."""
    groups, k, _ = field.shape
    force, slope = np.empty((k, LANES)), np.empty((k, LANES))
    adjoint = np.empty((k, (t + 1) * k, LANES))
    for group in range(groups):
        h = field[group]
        _fields(t, U[group], drift, factor, kernels, noise[group], forces[group], h)
        for a in range(k):
            for i in range(LANES):
                force[a, i], slope[a, i] = tilted_moments(h[a, i], points, log_weights)
                log_mgf[0] += tilted_log_mgf(h[a, i], points, log_weights)
        _outer_sums(force, U[group], uf)
        _sweep(t, slope, slopes[group], kernels, adjoint, response)
        for a in range(k):
            for i in range(LANES):
                forces[group, t, a, i] = weight[group, 0, i] * force[a, i]
                slopes[group, t, a, i] = weight[group, 0, i] * slope[a, i]
        for s in range(t + 1):
            _outer_sums(forces[group, t], forces[group, s], ff[s])


@njit(cache=True, nogil=True, error_model="numpy")
def _fields(t, U, drift, factor, kernels, noise, forces, h):
    r"""Fill in $h^t=M_t^\top\Lambda U+\theta^t+\sum_{s<t}R(t,s)^\top F^s$."""
    k = len(h)
    for a in range(k):
        h[a] = 0.0
        for j in range(len(U)):
            _add(drift[a, j], U[j], h[a])
        for s in range(t + 1):
            for b in range(k):
                _add(factor[s, a, b], noise[s, b], h[a])
        for s in range(t):
            for b in range(k):
                _add(kernels[s, b, t * k + a], forces[s, b], h[a])


@njit(cache=True, nogil=True, error_model="numpy")
def _sweep(t, slope, slopes, kernels, adjoint, total):
    r"""Add the responses of $F(h^t)$ to every $\theta^s$ by one sweep back in time.

    From $P_t=F'(h^t)$ they are $P_s=\sum_{s<s'\le t}P_{s'}R(s',s)^\top F'(h^s)$, the derivative of
    paper eq. 26 read from its end: only the row at time $t$ is ever held.
    """
    k = len(slope)
    for a in range(k):
        for b in range(k):
            for i in range(LANES):
                adjoint[a, t * k + b, i] = slope[a, i] if a == b else 0.0
        total[t, a, a] += _sum(slope[a])
    for s in range(t - 1, -1, -1):
        for a in range(k):
            for b in range(k):
                row = adjoint[a, s * k + b]
                row[:] = 0.0
                for j in range((s + 1) * k, (t + 1) * k):
                    _add(kernels[s, b, j], adjoint[a, j], row)
                for i in range(LANES):
                    row[i] *= slopes[s, b, i]
                total[s, a, b] += _sum(row)


@njit(cache=True, nogil=True, error_model="numpy")
def _outer_sums(left, right, total):
    products = np.empty(LANES)
    for a in range(len(left)):
        for b in range(len(right)):
            for i in range(LANES):
                products[i] = left[a, i] * right[b, i]
            total[a, b] += _sum(products)


@njit(cache=True, nogil=True, error_model="numpy")
def _sum(values):
    """Sum the lanes in four strands: no addition waits for the one before."""
    first = second = third = fourth = 0.0
    for i in range(0, LANES, 4):
        first += values[i]
        second += values[i + 1]
        third += values[i + 2]
        fourth += values[i + 3]
    return (first + second) + (third + fourth)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _add(coefficient, values, total):
    for i in range(LANES):
        total[i] += coefficient * values[i]
