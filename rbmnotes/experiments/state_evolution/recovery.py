"""Recovery of signals against their strength: AMP-RBM and PCA beside theory (Figure 1, right)."""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.pca import pca
from rbmnotes.experiments.engine.experiment import Experiment, Scale
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.bayes_limit import bayes_overlap
from rbmnotes.theory.limits import pca_overlap
from rbmnotes.theory.state_evolution import fixed_point


def measure_recovery(parameters: dict, rng: np.random.Generator) -> dict:
    """Train by AMP-RBM from a random start and by PCA, on one draw (Figure 1, right).

    Parameters
    ----------
    parameters : dict
        ``alpha``, ``snr`` (list, one a signal; as many units as signals) and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Overlaps ``amp_1``, ... and ``pca_1``, ... in the order of the signals, and ``converged``,
        ``n_iter``, ``gradient_size`` of AMP.
    """
    model = SpikedModel(parameters["alpha"], parameters["snr"])
    data = model.sample(parameters["d"], rng)
    fit = amp_rbm(data.X, model.r, V0=0.1 * np.eye(model.r), rng=rng, max_iter=200)
    row = {
        "converged": fit.converged,
        "n_iter": fit.n_iter,
        "gradient_size": fit.gradient_size,
    }
    for name, W in (("amp", fit.W), ("pca", pca(data.X, model.r).W)):
        cosines = matched_overlap(data.W_star, W)
        row.update({f"{name}_{i + 1}": float(cosine) for i, cosine in enumerate(cosines)})
    return row


def predict_recovery(parameters: dict) -> dict:
    """Return the limits of the overlaps: RBM, PCA and Bayes-optimal, and the replicon."""
    row = {}
    for i, snr in enumerate(parameters["snr"], start=1):
        point = fixed_point(parameters["alpha"], snr)
        row[f"rbm_theory_{i}"] = point.overlap
        row[f"replicon_{i}"] = point.replicon
        row[f"pca_theory_{i}"] = float(pca_overlap(parameters["alpha"], snr))
        row[f"bayes_theory_{i}"] = bayes_overlap(parameters["alpha"], snr)
    return row


STRENGTHS = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 2.0]
QUICK_STRENGTHS = [0.6, 1.0, 1.4]


def recovery_grid(strengths, d: int) -> tuple[dict, ...]:
    """Return points at alpha = 4: one signal, then two of which the second is weaker by a fifth."""
    signals = [[snr] for snr in strengths] + [[snr, round(0.8 * snr, 6)] for snr in strengths]
    return tuple({"alpha": 4.0, "snr": snr, "d": d} for snr in signals)


EXPERIMENTS = (
    Experiment(
        name="recovery",
        version=2,
        description="Overlap against the strength: AMP-RBM and PCA beside theory (Figure 1, right)",
        measure=measure_recovery,
        predict=predict_recovery,
        scales={
            "quick": Scale(recovery_grid(QUICK_STRENGTHS, d=200), 4),
            "paper": Scale(recovery_grid(STRENGTHS, d=1000), 20),
        },
        figure=1,
    ),
)
