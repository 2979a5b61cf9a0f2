r"""How pure is decimation's first estimate? Ten equal signals, by dimension.

The first stage of decimation is rank-one AMP that takes nine of ten signals for noise. Sizes,
instances and the iterations looked at were fixed before the runs.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rbmnotes.algorithms.bayes_amp import bayes_amp
from rbmnotes.experiments.bayes.many_signals import N_STARTS, STAGE_MAX_ITER, TOL
from rbmnotes.experiments.comparison.equal_signals import ALPHA, PRIORS_W
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid, scale_of_sizes
from rbmnotes.model.spiked import SpikedModel

R, SNR = 10, 1.2
INSTANCES = {500: 24, 1000: 16, 2000: 10, 4000: 6}
"""Number of draws at each dimension d."""

MOMENTS = (STAGE_MAX_ITER, 3 * STAGE_MAX_ITER)
"""Iterations at which a run is looked at: those of Figure 6, and three times as many."""


def measure_first_stage(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Run rank-one AMP on data with ten signals, from as many starts as decimation has.

    Parameters
    ----------
    parameters : dict
        ``prior_w`` (key of ``PRIORS_W``) and ``d``; latent variables are signs.
    rng : numpy.random.Generator
        Data and starts have streams of their own, spawned from it.

    Returns
    -------
    list of dict
        A row a start and entry of ``MOMENTS``: ``start``, ``iteration``, the ``largest``
        cosine with a signal, that with the ``span`` of all, ``score``, and ``settled``.
    """
    law = PRIORS_W[parameters["prior_w"]]
    for_data, *for_starts = rng.spawn(N_STARTS + 1)
    data = SpikedModel(ALPHA, [SNR] * R, prior_w=law).sample(parameters["d"], for_data)
    X, W_star, one = data.X.astype(np.float32), data.W_star, SpikedModel(ALPHA, SNR, prior_w=law)
    lengths = np.linalg.norm(W_star, axis=0) / np.sqrt(len(W_star))
    gram, rows = W_star.T @ W_star / len(W_star), []
    for start, stream in enumerate(for_starts):
        fit = bayes_amp(X, one, tol=TOL, max_iter=MOMENTS[-1], rng=stream, W_star=W_star)
        for moment in MOMENTS:
            t = min(moment, fit.n_iter)
            M, norm = fit.history.M[t, :, 0], np.sqrt(max(fit.history.Q[t, 0, 0], 1e-300))
            rows.append(
                {
                    "start": start,
                    "iteration": moment,
                    "largest": float(np.max(np.abs(M) / lengths) / norm),
                    "span": float(np.sqrt(M @ np.linalg.solve(gram, M)) / norm),
                    "score": float(fit.history.score[t - 1]),
                    "settled": fit.converged and fit.n_iter <= moment,
                }
            )
    return rows


def kept_by_decimation(table: pd.DataFrame) -> pd.DataFrame:
    """Return the row that decimation keeps of each draw and iteration: settled, largest score."""
    ordered = table.sort_values(["settled", "score"], kind="stable")
    kept = ordered.groupby(["prior_w", "d", "instance", "iteration"], sort=False).tail(1)
    return kept.sort_index()


EXPERIMENTS = (
    Experiment(
        name="first_stage",
        version=1,
        description="Ten equal signals: how pure decimation's first estimate is, by dimension",
        measure=measure_first_stage,
        scales={
            "quick": Scale(grid(prior_w=PRIORS_W, d=[100, 150]), 2),
            "paper": scale_of_sizes(INSTANCES, prior_w=["Gaussian"]),
        },
    ),
)
