r"""Decimation AMP: one signal after the other, each by rank-one Bayes-optimal AMP."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import finite_array, positive_integer, random_generator
from rbmnotes.algorithms.bayes_amp import BayesAMPResult, bayes_amp, check_data
from rbmnotes.model.spiked import SpikedModel

SAME_SIGNAL = 0.5
"""Cosine between two estimates above which the later one counts as a repetition."""


@dataclass(frozen=True, eq=False)
class DecimationResult(Frozen):
    r"""Outcome of :func:`decimation_amp`; columns in the order of ``model.snr``.

    Attributes
    ----------
    W : (d, r) array
        Estimates of the signals.
    U : (n, r) array
        Estimates of the latent variables.
    converged : bool
        Whether the run kept at every stage converged, and none repeats an earlier one.
    score : (r,) array
        Score of the run kept at each stage, for one signal in what was then left of the data.
    n_converged : (r,) array of int
        Starts that converged at each stage.
    n_iter : int
        Iterations of all starts together.
    message : str
        What happened, in words.
    runs : tuple of BayesAMPResult
        The run kept at each stage, its overlaps with all signals in its history.
    """

    W: np.ndarray
    U: np.ndarray
    converged: bool
    score: np.ndarray
    n_converged: np.ndarray
    n_iter: int
    message: str
    runs: tuple[BayesAMPResult, ...]


def decimation_amp(
    X: ArrayLike,
    model: SpikedModel,
    n_starts: int = 5,
    damping: float = 0.0,
    tol: float = 1e-8,
    max_iter: int = 500,
    rng: Seed = None,
    W_star: ArrayLike | None = None,
) -> DecimationResult:
    r"""Estimate signals one by one, the strongest first (paper section on Figure 6).

    A stage is rank-one :func:`rbmnotes.bayes_amp` with the strength $\lambda$ of its signal, from
    several random starts. The converged run of largest score is kept (if none converged, the one of
    largest score, and the result says so), and its $\frac{\lambda}{\sqrt d}\hat u\hat w^\top$ is
    subtracted from the data. What a stage takes for noise contains the other signals, and an
    estimate already subtracted knows the noise, so that state evolution holds for the first stage
    only.

    Parameters
    ----------
    X : (n, d) array
        Data, one sample a row, $n$ being ``model.n(d)``. One copy is made.
    model : SpikedModel
        Strengths and laws of signals and latent variables.
    n_starts : int
        Random starts of every stage.
    damping, tol, max_iter
        As in :func:`rbmnotes.bayes_amp`, for every start.
    rng : int or numpy.random.Generator, optional
        Seed or generator of the starts.
    W_star : (d, r_true) array, optional
        Signals, only to record the overlaps.

    Returns
    -------
    DecimationResult

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not match.
    """
    left = finite_array(X, "X", (None, None)).copy()
    check_data(left, model)
    n_starts, rng = positive_integer(n_starts, "n_starts"), random_generator(rng)
    (n, d), r = left.shape, model.r
    options: dict[str, Any] = {
        "damping": damping,
        "tol": tol,
        "max_iter": max_iter,
        "rng": rng,
        "W_star": W_star,
    }
    W, U = np.zeros((d, r)), np.zeros((n, r))
    runs: list[BayesAMPResult] = [None] * r  # type: ignore[list-item]  # each is set below
    n_converged, n_iter, problems = np.zeros(r, dtype=int), 0, []

    for i in np.argsort(model.snr, kind="stable")[::-1]:
        one = replace(model, snr=(model.snr[i],))
        tried = [bayes_amp(left, one, **options) for _ in range(n_starts)]
        n_converged[i] = sum(run.converged for run in tried)
        n_iter += sum(run.n_iter for run in tried)
        run = max(tried, key=lambda run: (run.converged, run.score))
        if not run.converged:
            problems.append(f"signal {i}: {run.message}")
        earlier = W / np.maximum(np.linalg.norm(W, axis=0), 1e-300)
        size = np.linalg.norm(run.W)
        if size > 0 and np.abs(earlier.T @ run.W).max() > SAME_SIGNAL * size:
            problems.append(f"signal {i}: repeats an earlier one")
        runs[i], W[:, i], U[:, i] = run, run.W[:, 0], run.U[:, 0]
        strength = one.information_coefficient * one.snr[0]
        left -= (strength / np.sqrt(d) * U[:, i, None] * W[:, i]).astype(left.dtype, copy=False)

    message = "; ".join(problems) or "converged"
    score = np.array([run.score for run in runs])
    return DecimationResult(W, U, not problems, score, n_converged, n_iter, message, tuple(runs))
