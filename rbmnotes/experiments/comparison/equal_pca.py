r"""The basis that PCA picks among signals of equal strength, at three sizes."""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.pca import pca
from rbmnotes.experiments.comparison.equal_signals import (
    model_of,
)
from rbmnotes.experiments.engine.experiment import Experiment, Scale
from rbmnotes.model.order_parameters import matched_overlap

PCA_SNR = 1.5

PCA_INSTANCES = {2: {250: 600, 500: 300, 1000: 150}, 10: {250: 200, 500: 120, 1000: 80}}
"""Rank to dimension to instances of the comparison of PCA with its theory."""

PCA_PRIORS = (("Rademacher", "Rademacher"), ("Rademacher", "Gaussian"), ("Gaussian", "Gaussian"))
"""Laws of the latent variables and of the signals, by name."""


def pca_grid(instances) -> tuple[tuple[dict, ...], list[int]]:
    """Return points and numbers of instances of the comparison of PCA with its theory."""
    points = tuple(
        {"r": r, "d": d, "prior_u": prior_u, "prior_w": prior_w, "snr": PCA_SNR}
        for r, sizes in instances.items()
        for d in sizes
        for prior_u, prior_w in PCA_PRIORS
    )
    return points, [instances[p["r"]][p["d"]] for p in points]


def measure_equal_pca(parameters: dict, rng: np.random.Generator) -> dict:
    """Return the mean matched ``overlap`` of PCA with equal signals, on one draw.

    Parameters
    ----------
    parameters : dict
        ``r``, ``d``, ``prior_u``, ``prior_w`` (names) and ``snr``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
    """
    data = model_of(parameters).sample(parameters["d"], rng)
    fit = pca(data.X.astype(np.float32), parameters["r"])
    return {"overlap": float(matched_overlap(data.W_star, fit.W).mean())}


EXPERIMENTS = (
    Experiment(
        name="equal_pca",
        version=1,
        description="Equal signals: PCA at three sizes, for the basis it picks",
        measure=measure_equal_pca,
        scales={
            "quick": Scale(*pca_grid({2: {100: 10, 200: 10}})),
            "paper": Scale(*pca_grid(PCA_INSTANCES)),
        },
    ),
)
