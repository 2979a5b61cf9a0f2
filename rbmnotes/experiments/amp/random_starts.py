r"""Does AMP-RBM train from a random start? Equal signals, as many units, every seed counted."""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.experiments.engine.experiment import Experiment, Scale
from rbmnotes.model.multiplier import CAP
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.spiked import SpikedModel

ALPHA = 4.0
SETTINGS = ((1, 1.6), (2, 1.6), (5, 1.6), (10, 1.2))
"""Number of units and signals, and their strength."""

GRADIENT = 1e-8
"""Size of the gradient that counts as stationary."""

FOUND = 0.5
"""Smallest overlap of a signal that counts as found; two random directions have about 0.03."""

MAX_ITER = 200


def measure_start(parameters: dict, rng: np.random.Generator) -> dict:
    """Train from standard normal weights once.

    Parameters
    ----------
    parameters : dict
        ``k`` (units and signals), ``snr`` (of every signal) and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``n_iter``, ``gradient_size``, ``capped`` (at the end), ``smallest_overlap``,
        ``largest_overlap``, and whether the run meets all of it, ``success``.
    """
    k = parameters["k"]
    data = SpikedModel(ALPHA, [parameters["snr"]] * k).sample(parameters["d"], rng)
    fit = amp_rbm(data.X, k, V0=0.1 * np.eye(k), rng=rng, max_iter=MAX_ITER)
    overlaps = matched_overlap(data.W_star, fit.W)
    capped = bool(np.linalg.eigvalsh(fit.V)[-1] > CAP * (1.0 - 1e-9))
    stationary = fit.gradient_size < GRADIENT and not capped
    return {
        "n_iter": fit.n_iter,
        "gradient_size": fit.gradient_size,
        "capped": capped,
        "smallest_overlap": overlaps.min(),
        "largest_overlap": overlaps.max(),
        "success": bool(stationary and overlaps.min() > FOUND),
    }


def _grid(d):
    return tuple({"k": k, "snr": snr, "d": d} for k, snr in SETTINGS)


EXPERIMENTS = (
    Experiment(
        name="starts",
        version=1,
        description="AMP-RBM from random starts on equal signals: gradient, cap, signals found",
        measure=measure_start,
        scales={
            "quick": Scale(_grid(d=200), 5),
            "paper": Scale(_grid(d=1000), 20),
        },
    ),
)
