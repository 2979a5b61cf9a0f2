r"""Where Bayes-optimal AMP from a random start beats PCA: over strength, size and iteration.

Figure 6 has one size a rank and runs carried to the end. Here every draw counts, settled or not;
strengths, sizes, instances and the iterations looked at were fixed before the runs.
"""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.bayes_amp import bayes_amp
from rbmnotes.algorithms.pca import pca
from rbmnotes.experiments.bayes.many_signals import TOL
from rbmnotes.experiments.comparison.equal_signals import ALPHA, PRIORS_W, matched_at
from rbmnotes.experiments.engine.experiment import Experiment, Scale
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.spiked import SpikedModel

SNR = (0.75, 0.8, 0.9, 1.0, 1.2)
INSTANCES = {2: {200: 40, 400: 40, 800: 12}, 10: {200: 12, 400: 8}}
"""Rank to dimension to number of draws."""

MOMENTS = (5, 10, 20, 50, 100, 200)
"""Iterations at which a run is looked at; it ends with the last, or where it settles."""


def map_grid(instances, strengths=SNR) -> tuple[tuple[dict, ...], list[int]]:
    """Return the points, and the number of instances of each."""
    points = tuple(
        {"r": r, "prior_w": prior_w, "snr": snr, "d": d}
        for r, sizes in instances.items()
        for prior_w in PRIORS_W
        for snr in strengths
        for d in sizes
    )
    return points, [instances[point["r"]][point["d"]] for point in points]


def measure_bayes_map(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Run Bayes-optimal AMP once from a random start, and PCA on the same draw.

    Parameters
    ----------
    parameters : dict
        ``r``, ``d``, ``prior_w`` (key of ``PRIORS_W``), ``snr``; latent variables are signs.
    rng : numpy.random.Generator
        Data and start have streams of their own, spawned from it.

    Returns
    -------
    list of dict
        A row an entry of ``MOMENTS``: ``iteration``, the mean matched overlaps ``amp`` and
        ``pca``, and whether the run has ``settled`` by then (later rows repeat its end).
    """
    r, d = parameters["r"], parameters["d"]
    model = SpikedModel(ALPHA, [parameters["snr"]] * r, prior_w=PRIORS_W[parameters["prior_w"]])
    for_data, for_start = rng.spawn(2)
    data = model.sample(d, for_data)
    X = data.X.astype(np.float32)
    blind = float(matched_overlap(data.W_star, pca(X, r).W).mean())
    fit = bayes_amp(X, model, tol=TOL, max_iter=MOMENTS[-1], rng=for_start, W_star=data.W_star)
    rows = []
    for moment in MOMENTS:
        rows.append(
            {
                "iteration": moment,
                "amp": float(matched_at(fit.history, data.W_star, moment).mean()),
                "pca": blind,
                "settled": fit.converged and fit.n_iter <= moment,
            }
        )
    return rows


EXPERIMENTS = (
    Experiment(
        name="bayes_map",
        version=1,
        description="Equal signals: Bayes-optimal AMP beside PCA over strength, size and iteration",
        measure=measure_bayes_map,
        scales={
            "quick": Scale(*map_grid({2: {100: 2}, 10: {100: 2}}, (0.8,))),
            "paper": Scale(*map_grid(INSTANCES)),
        },
    ),
)
