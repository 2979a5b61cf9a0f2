r"""Ten units on ten equal signals: Corollary 1 by size, and contrastive divergence by step.

Both put to the test what Figure 5 shows at one size and one number of steps. All constants were
fixed before the runs.
"""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.contrastive import contrastive_divergence
from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.algorithms.starts import random_start
from rbmnotes.experiments.comparison.equal_signals import ALPHA, matched_at
from rbmnotes.experiments.comparison.methods import AMP_CHANGE, AMP_ITER, CD_RATE
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid, scale_of_sizes
from rbmnotes.model.objective import loss
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.priors import Gaussian
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.state_evolution import fixed_point

R = 10
SIZE_SNR = (1.2, 1.6)
SIZE_INSTANCES = {500: 24, 1000: 16, 2000: 8}
"""Number of draws at each dimension d."""

RATE_SNR, RATE_D, RATE_INSTANCES = 1.2, 1000, 4
RATE_STEPS = (0, 25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1200, 1600)
"""Steps looked at; Figure 5 gives contrastive divergence 300."""


def measure_units_by_size(parameters: dict, rng: np.random.Generator) -> dict:
    """Run AMP-RBM from random weights, as Figure 5 does.

    Parameters
    ----------
    parameters : dict
        ``snr`` and ``d``; signals and latent variables are signs.
    rng : numpy.random.Generator
        Data and start have streams of their own, spawned from it.

    Returns
    -------
    dict
        Mean matched ``overlap`` and the ``smallest``, ``loss``, ``converged``, ``n_iter``.
    """
    for_data, for_start = rng.spawn(2)
    data = SpikedModel(ALPHA, [parameters["snr"]] * R).sample(parameters["d"], for_data)
    X, W0 = data.X.astype(np.float32), random_start(parameters["d"], R, for_start)
    fit = amp_rbm(X, start=W0, V0=0.1 * np.eye(R), tol=AMP_CHANGE, max_iter=AMP_ITER)
    cosines = matched_overlap(data.W_star, fit.W)
    return {
        "overlap": float(cosines.mean()),
        "smallest": float(cosines.min()),
        "loss": float(loss(X, fit.W)),
        "converged": fit.converged,
        "n_iter": fit.n_iter,
    }


def predict_units_by_size(parameters: dict) -> dict:
    """Return the overlap of one unit with one signal, which Corollary 1 carries over to ten."""
    return {"rbm_theory": abs(fixed_point(ALPHA, parameters["snr"]).overlap)}


def measure_equal_rate(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Train by contrastive divergence and by gradient descent from one start at one rate.

    Parameters
    ----------
    parameters : dict
        ``snr``, ``d`` and ``n_steps``.
    rng : numpy.random.Generator
        Data, start and chains have streams of their own, spawned from it.

    Returns
    -------
    list of dict
        A row a method (``CD``, ``GD``) and step of ``RATE_STEPS`` up to the last: ``method``,
        ``step`` and the mean matched ``overlap``.
    """
    for_data, for_start, for_chains = rng.spawn(3)
    data = SpikedModel(ALPHA, [parameters["snr"]] * R).sample(parameters["d"], for_data)
    X, W0 = data.X.astype(np.float32), random_start(parameters["d"], R, for_start)
    options = {"learning_rate": CD_RATE, "n_iter": parameters["n_steps"], "W_star": data.W_star}
    runs = {
        "CD": contrastive_divergence(X, W0, visible=Gaussian(), rng=for_chains, **options),
        "GD": gradient_descent(X, W0, **options),
    }
    return [
        {
            "method": method,
            "step": step,
            "overlap": float(matched_at(run.history, data.W_star, step).mean()),
        }
        for method, run in runs.items()
        for step in RATE_STEPS
        if step <= parameters["n_steps"]
    ]


EXPERIMENTS = (
    Experiment(
        name="units_by_size",
        version=1,
        description="Ten units on ten equal signals: AMP-RBM at three sizes, for Corollary 1",
        measure=measure_units_by_size,
        predict=predict_units_by_size,
        scales={
            "quick": Scale(grid(d=[100, 150], snr=[1.6]), 2),
            "paper": scale_of_sizes(SIZE_INSTANCES, snr=SIZE_SNR),
        },
    ),
    Experiment(
        name="equal_rate",
        version=1,
        description="Ten units: contrastive divergence beside gradient descent at one rate",
        measure=measure_equal_rate,
        scales={
            "quick": Scale(grid(snr=[1.6], d=[100], n_steps=[50]), 2),
            "paper": Scale(
                grid(
                    snr=[RATE_SNR],
                    d=[RATE_D],
                    n_steps=[RATE_STEPS[-1]],
                ),
                RATE_INSTANCES,
            ),
        },
    ),
)
