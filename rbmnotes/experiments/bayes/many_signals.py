r"""Equal signals by Bayes-optimal AMP and by decimation (Figure 6).

Points are those of :mod:`rbmnotes.experiments.comparison.equal_signals` less some strengths: a run
that does not settle costs a hundred times one that does, and so the weakest strengths were left
out, before any of their results was seen. All other constants were fixed before the stored run.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rbmnotes.algorithms.bayes_amp import bayes_amp
from rbmnotes.algorithms.decimation_amp import decimation_amp
from rbmnotes.algorithms.pca import pca
from rbmnotes.experiments.comparison.equal_signals import (
    ALPHA,
    INSTANCES,
    PRIORS_W,
    QUICK_SIZES,
    SIZES,
    equal_signals_grid,
    matched_at,
    model_of,
)
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid, scale_of_sizes
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.priors import Rademacher
from rbmnotes.theory.bayes_limit import bayes_overlap
from rbmnotes.theory.extensions.pca_basis import equal_snr_pca_overlap
from rbmnotes.theory.limits import pca_overlap

SNR = {2: (0.8, 0.9, 1.0, 1.2, 1.6, 2.0), 10: (0.9, 1.0, 1.2, 1.6, 2.0)}
"""Rank to strengths."""

QUICK_SNR = (1.2,)

N_STARTS = 3
"""Random starts of Bayes-optimal AMP, and of every stage of decimation."""

EARLY = 50
"""Iteration at which the overlap is recorded beside that at the end."""

MAX_ITER, STAGE_MAX_ITER = 500, 100
"""Largest number of iterations of all signals at once, and of one signal in decimation."""

TOL = 1e-5
"""Root mean square change that counts as settled; the data are in single precision."""

FOUND = float(np.sqrt(0.5))
"""Part of the Bayes-optimal overlap that counts as found: an equal mixture of two has as much."""

LIMIT_SNR, LIMIT_MAX_ITER = 1.2, 1000
LIMIT_INSTANCES = {500: 24, 1000: 12, 2000: 6}
"""Number of instances at each dimension d. Trial runs at d = 200, 400, 800 were too small for ten
Gaussian signals: the correction was not c/d (z = 3.8, one comparison of four); none is used."""


def measure_bayes_comparison(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Estimate equal signals in one draw of the data, one row a run.

    Parameters
    ----------
    parameters : dict
        ``r``, ``d``, ``prior_w`` (key of ``PRIORS_W``), ``snr``; latent variables are signs.
    rng : numpy.random.Generator
        Data and starts have streams of their own, spawned from it.

    Returns
    -------
    list of dict
        ``method`` (random, spectral, decimation, pca), ``start`` (number of a random start),
        ``overlap`` (mean over the signals, matched), ``smallest_overlap``, ``early_overlap`` (mean
        at iteration ``EARLY``, or at the end of a shorter run), ``converged``, ``score`` (sum
        over the stages of decimation) and ``n_iter``. PCA and decimation have no early overlap of
        their own and show that at the end; PCA's score is zero.
    """
    model = model_of(parameters)
    for_data, *for_starts = rng.spawn(N_STARTS + 2)
    data = model.sample(parameters["d"], for_data)
    X, W_star = data.X.astype(np.float32), data.W_star
    options = {"tol": TOL, "max_iter": MAX_ITER, "W_star": W_star}

    runs = [bayes_amp(X, model, rng=stream, **options) for stream in for_starts[:N_STARTS]]
    rows = [_amp_row("random", i, W_star, run) for i, run in enumerate(runs)]
    rows.append(_amp_row("spectral", 0, W_star, bayes_amp(X, model, "spectral", **options)))
    peeled = decimation_amp(
        X, model, n_starts=N_STARTS, tol=TOL, max_iter=STAGE_MAX_ITER, rng=for_starts[-1]
    )
    outcome = peeled.converged, float(peeled.score.sum()), peeled.n_iter
    rows.append(_row("decimation", 0, matched_overlap(W_star, peeled.W), None, *outcome))
    rows.append(_row("pca", 0, matched_overlap(W_star, pca(X, model.r).W), None, True, 0.0, 0))
    return rows


def predict_bayes_comparison(parameters: dict) -> dict:
    """Return Bayes-optimal and PCA's overlap with one signal, and PCA's with equal signals."""
    law, snr, r = PRIORS_W[parameters["prior_w"]], parameters["snr"], parameters["r"]
    mean, error = equal_snr_pca_overlap(ALPHA, snr, r, prior_w=law)
    return {
        "bayes_theory": bayes_overlap(ALPHA, snr, Rademacher(), law),
        "pca_theory": float(pca_overlap(ALPHA, snr)),
        "equal_pca_theory": mean,
        "equal_pca_error": error,
    }


def measure_bayes_limit(parameters: dict, rng: np.random.Generator) -> dict:
    """Run Bayes-optimal AMP on equal signals from one random start.

    Parameters
    ----------
    parameters : dict
        As for :func:`measure_bayes_comparison`.
    rng : numpy.random.Generator
        Data and start have streams of their own, spawned from it.

    Returns
    -------
    dict
        ``overlap`` (mean over the signals, matched), ``converged``, ``n_iter``.
    """
    model, (for_data, for_start) = model_of(parameters), rng.spawn(2)
    data = model.sample(parameters["d"], for_data)
    X = data.X.astype(np.float32)
    fit = bayes_amp(X, model, tol=TOL, max_iter=LIMIT_MAX_ITER, rng=for_start)
    return {
        "overlap": float(matched_overlap(data.W_star, fit.W).mean()),
        "converged": fit.converged,
        "n_iter": fit.n_iter,
    }


def predict_bayes_limit(parameters: dict) -> dict:
    """Return the Bayes-optimal overlap with one signal."""
    law = PRIORS_W[parameters["prior_w"]]
    return {"bayes_theory": bayes_overlap(ALPHA, parameters["snr"], Rademacher(), law)}


def found(table: pd.DataFrame) -> pd.Series:
    """Return for every run whether it converged, and with all signals found."""
    return table.converged & (table.smallest_overlap > FOUND * table.bayes_theory)


def best_by_score(table: pd.DataFrame) -> pd.DataFrame:
    """Return for each instance the random start to keep: converged if any is, of largest score."""
    starts = table[table.method == "random"]
    ordered = starts.sort_values(["converged", "score"], kind="stable")
    kept = ordered.groupby(["r", "d", "prior_w", "snr", "instance"], sort=False).tail(1)
    return kept.sort_index()


def _row(method, start, cosines, early, converged, score, n_iter) -> dict:
    overlap = float(cosines.mean())
    return {
        "method": method,
        "start": start,
        "overlap": overlap,
        "smallest_overlap": float(cosines.min()),
        "early_overlap": overlap if early is None else early,
        "converged": converged,
        "score": score,
        "n_iter": n_iter,
    }


def _amp_row(method, start, W_star, fit) -> dict:
    early = float(matched_at(fit.history, W_star, EARLY).mean())
    cosines = matched_overlap(W_star, fit.W)
    return _row(method, start, cosines, early, fit.converged, fit.score, fit.n_iter)


_GRID = tuple(
    point for r, d in SIZES.items() for point in equal_signals_grid(SNR[r], {r: d}, PRIORS_W)
)


EXPERIMENTS = (
    Experiment(
        name="bayes_comparison",
        version=1,
        description="Equal signals: Bayes-optimal AMP, decimation and PCA (Figure 6)",
        measure=measure_bayes_comparison,
        predict=predict_bayes_comparison,
        scales={
            "quick": Scale(equal_signals_grid(QUICK_SNR, QUICK_SIZES, PRIORS_W), 2),
            "paper": Scale(_GRID, INSTANCES),
        },
        figure=6,
    ),
    Experiment(
        name="bayes_limit",
        version=1,
        description="Equal signals: Bayes-optimal AMP from a random start, extrapolated in d",
        measure=measure_bayes_limit,
        predict=predict_bayes_limit,
        scales={
            "quick": Scale(grid(r=[2, 10], d=[100, 200], prior_w=PRIORS_W, snr=[1.2]), 3),
            "paper": scale_of_sizes(
                LIMIT_INSTANCES,
                r=[2, 10],
                prior_w=PRIORS_W,
                snr=[LIMIT_SNR],
            ),
        },
    ),
)
