r"""Bayes-optimal AMP: the posterior mean of signals and latent variables of known law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import finite_array, finite_real, positive_integer
from rbmnotes.algorithms.starts import random_start, spectral_start
from rbmnotes.model.posterior import check_row_states, row_posteriors
from rbmnotes.model.products import times, transposed_times
from rbmnotes.model.spiked import SpikedModel

START_NORM = 0.01
r"""Self overlap of a random column; of a singular vector that shows no signal, too.

Small, so that the iteration is the power method until a signal emerges.
"""


@dataclass(frozen=True, eq=False)
class BayesAMPHistory(Frozen):
    r"""Order parameters along a run of :func:`bayes_amp`.

    Attributes
    ----------
    M : (n_iter + 1, r_true, r) array or None
        $\frac1dW^{\star\top}\hat W$, the start first; only if the signals were given.
    Q : (n_iter + 1, r, r) array
        $\frac1d\hat W^\top\hat W$, the start first.
    change : (n_iter,) array
        Root mean square change of an entry of $\hat W$ in each iteration.
    score : (n_iter,) array
        Log evidence per dimension, by the Bethe formula, after each iteration.
    """

    M: np.ndarray | None
    Q: np.ndarray
    change: np.ndarray
    score: np.ndarray


@dataclass(frozen=True, eq=False)
class BayesAMPResult(Frozen):
    r"""Outcome of :func:`bayes_amp`.

    Attributes
    ----------
    W : (d, r) array
        Posterior mean of the signals.
    U : (n, r) array
        Posterior mean of the latent variables.
    converged : bool
        Whether the estimates stopped changing.
    n_iter : int
        Number of iterations done.
    score : float
        Log evidence per dimension at the end; zero for an estimate of zero. Of several runs that
        converged the one of largest score is to be kept.
    message : str
        What happened, in words.
    history : BayesAMPHistory
    """

    W: np.ndarray
    U: np.ndarray
    converged: bool
    n_iter: int
    score: float
    message: str
    history: BayesAMPHistory


def bayes_amp(
    X: ArrayLike,
    model: SpikedModel,
    start: str | ArrayLike = "random",
    damping: float = 0.0,
    tol: float = 1e-8,
    max_iter: int = 500,
    rng: Seed = None,
    W_star: ArrayLike | None = None,
) -> BayesAMPResult:
    r"""Estimate all signals at once by AMP with posterior means (paper section on Figure 6).

    With $\Lambda$ the strengths, one iteration is
    $B_u=\frac1{\sqrt d}X\hat W\Lambda-\hat U^{\rm old}\Lambda\Sigma_w\Lambda$,
    $A_u=\Lambda\frac{\hat W^\top\hat W}d\Lambda$, $\hat U=f_u(A_u,B_u)$, and then
    $B_w=\frac1{\sqrt d}X^\top\hat U\Lambda-\alpha\hat W\Lambda\Sigma_u\Lambda$,
    $A_w=\alpha\Lambda\frac{\hat U^\top\hat U}n\Lambda$, $\hat W=f_w(A_w,B_w)$; here $f$ is the
    mean and $\Sigma$ the covariance, averaged over rows, of the posterior of a row with weight
    $P(x)\,e^{B^\top x-\frac12x^\top Ax}$ (:func:`rbmnotes.model.posterior.row_posteriors`).

    Fixed points are the stationary points of the Bethe log evidence (ours, from the second-order
    expansion in the couplings; per dimension it is the score), which is $S_u+S_w$ plus
    $\frac1{\sqrt d}{\rm tr}\,\hat U^\top X\hat W\Lambda$ less
    $\frac n2{\rm tr}\,\Lambda(Q_u\Lambda Q_w+Q_u\Lambda\Sigma_w+\Sigma_u\Lambda Q_w)$, with
    $S=\log Z-{\rm tr}\,B^\top\hat x+\frac{\rm rows}2{\rm tr}\,A(Q+\Sigma)$ for either side, where
    $\hat x$ is its estimate, $Q$ that one's Gram matrix per row and $\log Z$ the posteriors' log
    normalisation. The names and signs of the signals are decided by the start, and there may be
    several fixed points: run several starts and keep the converged one of largest score. Posterior
    means cannot diverge, but they may wander: such a run is reported as not converged.

    Parameters
    ----------
    X : (n, d) array
        Data, one sample a row, $n$ being ``model.n(d)``. ``float32`` data are not copied.
    model : SpikedModel
        Strengths and laws of signals and latent variables. A nonlinear channel enters through its
        information coefficient only.
    start : {"random", "spectral"} or (d, r) array
        Small normal estimates; leading singular vectors at their expected length, with their
        Onsager correction; or estimates independent of the noise.
    damping : float
        In $[0,1)$: share of the old $\hat W$ kept in an iteration. The Onsager term of the mixture
        is the same mixture of Onsager terms.
    tol : float
        When to stop: root mean square change of an entry of $\hat W$.
    max_iter : int
        Largest number of iterations.
    rng : int or numpy.random.Generator, optional
        Seed or generator of a random start; not the seed the data were drawn with, which would
        repeat the draw of Gaussian signals.
    W_star : (d, r_true) array, optional
        Signals, only to record the overlaps.

    Returns
    -------
    BayesAMPResult

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not match.
    """
    X = finite_array(X, "X", (None, None))
    check_data(X, model)
    n, d = X.shape
    r, alpha, root_d = model.r, n / d, np.sqrt(d)
    damping = finite_real(damping, "damping")
    if not 0.0 <= damping < 1.0:
        raise ValueError(f"damping must be in [0, 1); got {damping}")
    tol, max_iter = finite_real(tol, "tol", above=0.0), positive_integer(max_iter, "max_iter")
    if W_star is not None:
        W_star = finite_array(W_star, "W_star", (d, None))
    W, factors = _start(X, r, start, rng)

    snr = model.information_coefficient * np.array(model.snr)
    weighted = np.outer(snr, snr)  # Lambda S Lambda is the elementwise product with it
    echo = 0.0  # what the old U leaves in X W
    converged, message = False, f"not converged after {max_iter} iterations"
    overlaps, norms, changes, scores = [], [W.T @ W / d], [], []
    if W_star is not None:
        overlaps.append(W_star.T @ W / d)

    for t in range(max_iter):
        kept = damping if t > 0 else 0.0
        field_u = times(X, W) * (factors if t == 0 else 1.0) * snr / root_d - echo
        precision_u = weighted * norms[-1]
        u = row_posteriors(field_u, precision_u, model.prior_u)
        U, norm_u = u.mean, u.mean.T @ u.mean / n

        seen = transposed_times(X, U) * snr / root_d
        field_w = seen - alpha * W @ (weighted * u.covariance)
        precision_w = alpha * weighted * norm_u
        w = row_posteriors(field_w, precision_w, model.prior_w)
        change = np.linalg.norm(w.mean - W) / np.sqrt(d * r)
        W = (1.0 - kept) * w.mean + kept * W
        echo = (1.0 - kept) * U @ (weighted * w.covariance) + kept * echo
        norm_w = W.T @ W / d

        # The covariance of W has the same weight in energy and entropy, and cancels
        pairs = norm_u * norm_w + u.covariance * norm_w
        energy = np.sum(seen * W) - 0.5 * n * np.sum(weighted * pairs)
        entropy_u = _entropy(field_u, precision_u, u.log_normalisation, U, u.covariance)
        entropy_w = _entropy(field_w, precision_w, w.log_normalisation, W, 0.0)

        norms.append(norm_w)
        changes.append(change)
        scores.append(float(entropy_u + entropy_w + energy) / d)
        if W_star is not None:
            overlaps.append(W_star.T @ W / d)
        if change < tol:
            converged, message = True, _how(norm_w)
            break

    history = BayesAMPHistory(
        M=np.array(overlaps) if W_star is not None else None,
        Q=np.array(norms),
        change=np.array(changes),
        score=np.array(scores),
    )
    return BayesAMPResult(W, U, converged, len(changes), scores[-1], message, history)


def check_data(X: np.ndarray, model: object) -> None:
    """Raise if the model is not one, has too many states, or the data has not its shape."""
    if not isinstance(model, SpikedModel):
        raise ValueError(f"model must be a SpikedModel; got {model!r}")
    n, d = X.shape
    if n != model.n(d):
        raise ValueError(f"X must have {model.n(d)} rows for alpha = {model.alpha:g}; got {n}")
    for prior, name in ((model.prior_u, "prior_u"), (model.prior_w, "prior_w")):
        check_row_states(prior, model.r, f"model.{name}")


def _entropy(
    field: np.ndarray,
    precision: np.ndarray,
    log_normalisation: float,
    mean: np.ndarray,
    covariance: float | np.ndarray,
) -> float:
    """Minus the divergence from the prior of the rows' laws with these moments; exact at the mean.

    Of second order in the distance of the moments from those that the field and precision give.
    """
    second = covariance + mean.T @ mean / len(mean)
    return log_normalisation - np.sum(field * mean) + 0.5 * len(mean) * np.sum(precision * second)


def _how(norm: np.ndarray) -> str:
    """Say what a converged run found."""
    lost = int(np.sum(norm.diagonal() < 1e-6))
    return f"converged; {lost} of {len(norm)} estimates vanish" if lost else "converged"


def _start(
    X: np.ndarray, r: int, start: str | ArrayLike, rng: Seed
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first estimates and the factors of their first fields."""
    if not isinstance(start, str):
        W = finite_array(start, "start", (X.shape[1], r)).astype(np.float64)
        return W, np.ones(r)
    if start == "random":
        return np.sqrt(START_NORM) * random_start(X.shape[1], r, rng), np.ones(r)
    if start == "spectral":
        W, factors = spectral_start(X, r)
        alpha, strength = X.shape[0] / X.shape[1], factors / (1.0 - factors)  # alpha lambda^2
        expected = (strength**2 - alpha) / (strength**2 + strength)  # PCA's squared overlap
        return W * np.sqrt(np.maximum(expected, START_NORM)), factors
    raise ValueError(f'start must be "random", "spectral" or an array; got {start!r}')
