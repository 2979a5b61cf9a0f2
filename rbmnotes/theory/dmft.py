r"""Dynamical mean-field theory of gradient descent and of contrastive divergence.

Theorem 5 (paper eqs. 25-30, 77-82); contrastive divergence and mini-batches are ours. A sample
sees its fields, one random path a sample:

.. math::
    h^t=M_t^\top\Lambda U+\theta^t+\sum_{s<t}R(t,s)^\top F(h^s),
    \qquad\theta\sim GP(0,C),\quad F=\eta_1'.

The weights obey a linear equation, which closes in the matrices $M$, $C$ and $R$:

.. math::
    W^{t+1}=W^t(I-\kappa\Gamma_t)
    +\kappa\Big(W^\star\Lambda\hat\mu_t+\xi^t+\sum_{s\le t}W^sD(t,s)\Big),
    \qquad\xi\sim GP(0,C_F),

with $\Gamma_t=\alpha\langle hh^\top\rangle_{C(t,t)}$ and averages over the paths,
$\hat\mu_t=\alpha E[UF(h^t)^\top]$, $C_F(t,s)=\alpha E[F(h^t)F(h^s)^\top]$ and
$D(t,s)=\alpha E[\partial F(h^t)/\partial\theta^s]^\top$. The equations are causal: time $t+1$
needs averages up to time $t$ only, and one forward pass solves them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numba import get_num_threads
from scipy.linalg import solve_triangular
from scipy.stats import qmc

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import (
    positive_integer,
    random_generator,
    true_or_false,
)
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Prior, Rademacher
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory._dmft_paths import (
    LANES,
    PathAverages,
    advance_paths,
    draw_paths,
    negative_phase,
    ungrouped,
)
from rbmnotes.theory._dmft_training import Training, checked_training

JITTER = 1e-10
"""Added to the diagonal of $C$, relative to its largest entry, before paths are sampled.

Its root, 1e-5, is the shortest step between two iterations that the paths resolve."""
LARGEST_OVERLAP = 1e8
"""Self overlap above which training counts as diverged."""


@dataclass(frozen=True, eq=False)
class DMFT(Frozen):
    r"""Order parameters along training, the start first: means over independent solves.

    Attributes
    ----------
    M : (n_iter + 1, r, k) array
        Signal overlaps.
    C : (n_iter + 1, n_iter + 1, k, k) array
        Two-time overlaps $C(t,s)=\frac1dW^{t\top}W^s$.
    R : (n_iter + 1, n_iter + 1, k, k) array
        Responses of the weights: $\delta W^t=\delta b^sR(t,s)$ after a kick $\delta b^s$ to the
        gradient of step $s$; zero unless $s<t$.
    loss : (n_iter + 1,) array
        $\alpha(\eta_2(Q_t)-E\,\eta_1(h^t))$, the limit of the objective.
    M_error : (n_iter + 1, r, k) array
        Standard error of `M`, from the spread of the solves; NaN after a single solve.
    C_error : (n_iter + 1, n_iter + 1, k, k) array
    R_error : (n_iter + 1, n_iter + 1, k, k) array
    loss_error : (n_iter + 1,) array
    U : (n_paths, r) array or None
        Latent variables of the paths of the last solve, if these were to be kept.
    fields : (n_paths, n_iter + 1, k) array or None
        Fields $h^t$ along these paths.
    message : str
        Empty, or why the dynamics stopped before its last iteration.
    """

    M: np.ndarray
    C: np.ndarray
    R: np.ndarray
    loss: np.ndarray
    M_error: np.ndarray
    C_error: np.ndarray
    R_error: np.ndarray
    loss_error: np.ndarray
    U: np.ndarray | None
    fields: np.ndarray | None
    message: str

    @property
    def Q(self) -> np.ndarray:
        """Self overlaps (n_iter + 1, k, k), that is `C` at equal times."""
        times = np.arange(len(self.C))
        return self.C[times, times]


def dmft(
    model: SpikedModel,
    M0: ArrayLike,
    Q0: ArrayLike,
    learning_rate: float,
    n_iter: int,
    n_paths: int = 2**13,
    rng: Seed = None,
    hidden: Prior = Rademacher(),
    method: str = "gd",
    cycles: int = 1,
    batch_fraction: float = 1.0,
    n_solves: int = 8,
    sampling: str = "sobol",
    keep_paths: bool = False,
) -> DMFT:
    r"""Predict every iteration of training by gradient descent (Theorem 5, paper eqs. 25-30).

    Gradient descent is $W^{t+1}=W^t-\kappa\,d\nabla\mathcal L(W^t)$, what
    :func:`rbmnotes.gradient_descent` does. The response of the paths (paper eqs. 78-80) is
    averaged by one sweep back in time per step, so that it is never stored.

    For contrastive divergence (ours) $\Gamma_t$ is replaced by
    $\Gamma^{(J)}_t=\alpha E[s_J\eta_1'(f_J)^\top+\eta_1''(f_J)]$ with $f_0=h^t$,
    $s_j\sim P(h|f_{j-1})$, $f_j=Qs_j+N(0,Q)$ over $J$ Gibbs cycles, and the weights get white noise
    of covariance $\Xi_t=\alpha E[\eta_1'(f_J)\eta_1'(f_J)^\top]$; visible units are Gaussian or
    Rademacher. For mini-batches (ours) a sample enters a step with probability $\varpi$,
    independently of other samples and steps, and then with weight $1/\varpi$.

    Parameters
    ----------
    model : SpikedModel
        A channel enters through its information coefficient; the law of the signals does not.
    M0 : (r, k) array
        Overlap of the start.
    Q0 : (k, k) array
        Self overlap of the start: symmetric, positive definite, at least $M_0^\top M_0$.
    learning_rate : float
        $\kappa\ge0$.
    n_iter : int
        Number of iterations T.
    n_paths : int
        Number N of paths of one solve, rounded up to a power of two (at least 64). The errors fall
        as $1/\sqrt N$ or faster; the bias, of order $1/N$ and not part of them, is far smaller
        from a few hundred paths on.
    rng : int or numpy.random.Generator, optional
        Seed or generator of the paths.
    hidden : Prior
        Law of a hidden unit.
    method : {"gd", "cd"}
        Gradient descent or contrastive divergence.
    cycles : int
        Gibbs cycles $J$ of contrastive divergence.
    batch_fraction : float
        $\varpi$ in $(0,1]$.
    n_solves : int
        Number of independent complete solves; their spread gives the errors.
    sampling : {"sobol", "random"}
        Scrambled Sobol points or independent numbers for latent variables and noise.
    keep_paths : bool
        Whether to return the fields along the paths of the last solve.

    Returns
    -------
    DMFT
        Shorter than asked for, with a message, if training diverges.

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not match.

    Notes
    -----
    A solve takes time $O(NT^3k^3)$ and the memory of $3NTk$ numbers. As many solves run at a time
    as numba has threads (``numba.set_num_threads``); the result does not depend on that number.
    Steps of the weights shorter than about $10^{-5}$, root mean square, are not resolved: that much
    noise keeps the sampling of nearly singular $C$ stable.
    """
    training = checked_training(
        model, M0, Q0, learning_rate, n_iter, hidden, method, cycles, batch_fraction
    )
    n_paths, n_solves = positive_integer(n_paths, "n_paths"), positive_integer(n_solves, "n_solves")
    n_paths = max(LANES, 2 ** (n_paths - 1).bit_length())
    if not isinstance(sampling, str) or sampling not in ("sobol", "random"):
        raise ValueError(f'sampling must be "sobol" or "random"; got {sampling!r}')
    if sampling == "sobol" and training.n_inputs > qmc.Sobol.MAXDIM:
        raise ValueError(
            f"n_iter: a path has {training.n_inputs} inputs, more than the {qmc.Sobol.MAXDIM} "
            'dimensions of Sobol points; use sampling="random"'
        )
    streams = random_generator(rng).spawn(n_solves)
    keep_paths = true_or_false(keep_paths, "keep_paths")
    keep = [keep_paths and i == n_solves - 1 for i in range(n_solves)]
    solve = partial(_solve, training, n_paths, sampling)
    with ThreadPoolExecutor(get_num_threads()) as pool:
        return _combine(list(pool.map(solve, keep, streams)))


@dataclass(frozen=True)
class _Solve:
    M: np.ndarray
    C: np.ndarray
    R: np.ndarray
    loss: np.ndarray
    U: np.ndarray | None
    fields: np.ndarray | None
    message: str


def _combine(solves: list[_Solve]) -> DMFT:
    """Means and standard errors, up to the time that every solve has reached."""
    length = min(len(solve.loss) for solve in solves)
    message = next(solve.message for solve in solves if len(solve.loss) == length)
    last, values = solves[-1], {}
    for name in ("M", "C", "R", "loss"):
        cut = (slice(length),) * (2 if name in ("C", "R") else 1)
        entries = np.array([getattr(solve, name)[cut] for solve in solves])
        deviations = entries - entries[0]  # exactly zero where nothing is random
        values[name] = entries[0] + deviations.mean(axis=0)
        values[f"{name}_error"] = np.full_like(values[name], np.nan)
        if len(solves) > 1:
            values[f"{name}_error"] = deviations.std(axis=0, ddof=1) / np.sqrt(len(solves))
    fields = None if last.fields is None else last.fields[:, :length]
    return DMFT(**values, U=last.U, fields=fields, message=message)


def _solve(
    training: Training, n_paths: int, sampling: str, keep: bool, rng: np.random.Generator
) -> _Solve:
    """Run one forward pass with its own paths."""
    (r, k), steps = training.M0.shape, training.n_iter + 1
    hidden, beta = training.hidden, training.batch_fraction
    M, loss = np.zeros((steps, r, k)), np.zeros(steps)
    C, R = np.zeros((2, steps, steps, k, k))
    M[0], C[0, 0] = training.M0, training.Q0
    factor = np.zeros((steps, k, steps, k))
    paths = draw_paths(training.prior_u, r, k, steps, n_paths, sampling, rng)
    fields = np.empty((n_paths, steps, k)) if keep else None
    length, message = steps, ""
    for t in range(steps):
        try:
            moments = eta2_moments(C[t, t], hidden)
            _extend_factor(factor, C, t)
        except (ValueError, np.linalg.LinAlgError) as error:
            length, message = t, f"stopped at iteration {t}: {error}"
            break
        weight = np.ones(n_paths) if beta == 1.0 else (rng.random(n_paths) < beta) / beta
        drift, row = M[t].T * training.snr, factor[t, :, : t + 1].swapaxes(0, 1)
        average = advance_paths(paths, t, drift, row, R[: t + 1, : t + 1], weight, hidden)
        loss[t] = training.alpha * (moments.eta2 - average.eta1)
        if fields is not None:
            fields[:, t] = average.field
        if t == training.n_iter:
            break
        second, square = moments.second, np.zeros((k, k))
        if training.cycles:
            second, square = negative_phase(average.field, C[t, t], hidden, training.cycles, rng)
        with np.errstate(over="ignore", invalid="ignore"):
            _advance_weights(training, t, M, C, R, average, second, square / beta)
        if not np.abs(C[t + 1, t + 1]).max() < LARGEST_OVERLAP:
            length, message = t + 1, f"diverged at iteration {t + 1}"
            break
    cut = slice(length)
    U = ungrouped(paths.U) if keep else None
    return _Solve(M[cut], C[cut, cut], R[cut, cut], loss[cut], U, fields, message)


def _extend_factor(factor: np.ndarray, C: np.ndarray, t: int) -> None:
    """Fill in the rows of the Cholesky factor of $C$, (T + 1, k, T + 1, k), that belong to `t`."""
    k = C.shape[-1]
    row = C[t, :t].swapaxes(0, 1).reshape(k, t * k)
    if t > 0:
        past = factor[:t, :, :t].reshape(t * k, t * k)
        row = solve_triangular(past, row.T, lower=True).T
    jitter = JITTER * C[t, t].diagonal().max() * np.eye(k)
    factor[t, :, :t] = row.reshape(k, t, k)
    factor[t, :, t] = np.linalg.cholesky(C[t, t] - row @ row.T + jitter)


def _advance_weights(
    training: Training,
    t: int,
    M: np.ndarray,
    C: np.ndarray,
    R: np.ndarray,
    average: PathAverages,
    second: np.ndarray,
    square: np.ndarray,
) -> None:
    r"""Fill in time $t+1$ of $M$, $C$ and $R$.

    Parameters
    ----------
    training : Training
    t : int
    M, C, R : arrays
        Known up to time $t$.
    average : PathAverages
    second : (k, k) array
        $\Gamma_t/\alpha$, symmetric, or $\Gamma^{(J)}_t/\alpha$, which is not.
    square : (k, k) array
        Covariance of the white noise of step $t$, over $\alpha$.
    """
    alpha, rate, past = training.alpha, training.learning_rate, slice(t + 1)
    shrink = np.eye(len(second)) - rate * alpha * second
    source = alpha * training.snr[:, None] * average.uf
    C_F, D = alpha * average.ff, alpha * average.response.swapaxes(1, 2)

    def covariances(
        C_now: np.ndarray, C_past: np.ndarray, M_s: np.ndarray, R_s: np.ndarray
    ) -> np.ndarray:
        r"""$C(t+1,s)$ from $C(t,s)$, $C(\cdot,s)$, $M_s$ and $R(s,\cdot)$, for one or more $s$."""
        noise = np.einsum("uab,...ubc->...ac", C_F, R_s)
        memory = np.einsum("uba,u...bc->...ac", D, C_past)
        return shrink.T @ C_now + rate * (source.T @ M_s + noise + memory)

    M[t + 1] = M[t] @ shrink + rate * (source + np.einsum("sij,sjk->ik", M[past], D))
    R[t + 1, past] = R[t, past] @ shrink
    R[t + 1, past] += rate * np.einsum("usab,ubc->sac", R[past, past], D)
    R[t + 1, t] = rate * np.eye(len(second))

    C[t + 1, past] = covariances(C[t, past], C[past, past], M[past], R[past, past])
    C[past, t + 1] = C[t + 1, past].swapaxes(1, 2)
    C_next = covariances(C[t, t + 1], C[past, t + 1], M[t + 1], R[t + 1, past])
    C[t + 1, t + 1] = 0.5 * (C_next + C_next.T) + rate * (rate * alpha * square)
