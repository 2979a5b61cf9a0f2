"""Whether a stationary point is a minimum: curvature beside a signal that no unit has learned."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments.convergence.endpoints import ALPHA, descend
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid, scale_of_sizes
from rbmnotes.model.objective import loss_gradient
from rbmnotes.model.spiked import SpikedModel

CURVATURE_LEARNED = 1.35

CURVATURE_SCALE = ALPHA
"""Curvature of the penalty alone: the scale that errors are compared with."""

CURVATURE_MISSED = (1.4, 1.6, 2.0)
CURVATURE_INSTANCES = {200: 100, 400: 50, 800: 30}


def measure_curvature(parameters: dict, rng: np.random.Generator) -> dict:
    r"""Measure the Hessian where one unit holds the first of two signals and nothing of the second.

    That point is the minimum of the objective of data without any component along the second
    signal; of the gradient with the full data only that component is left, and vanishes with $d$.
    So saddles and minima are found alike, also where fluctuations of a small system would make
    the stationary point disappear.

    Parameters
    ----------
    parameters : dict
        ``missed`` (strength of the second signal) and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``smallest`` eigenvalue, ``alignment`` of its vector with the missed signal (a cosine),
        ``overlap_learned`` of the weights, ``gradient_size`` with the full data.
    """
    d = parameters["d"]
    data = SpikedModel(ALPHA, [CURVATURE_LEARNED, parameters["missed"]]).sample(d, rng)
    missed = data.W_star[:, 1] / np.linalg.norm(data.W_star[:, 1])
    m = CURVATURE_LEARNED
    W = informed_start(data.W_star, [[m], [0.0]], [[m * m + 0.3]], rng)
    W = descend(data.X - np.outer(data.X @ missed, missed), W)
    values, vectors = eigh(hessian(data.X, W[:, 0]), subset_by_index=[0, 0])
    cosine = data.W_star[:, 0] @ W[:, 0] / (np.linalg.norm(W) * np.sqrt(d))
    return {
        "smallest": float(values[0]),
        "alignment": float(abs(vectors[:, 0] @ missed)),
        "overlap_learned": float(abs(cosine)),
        "gradient_size": float(np.linalg.norm(loss_gradient(data.X, W)) / np.sqrt(d)),
    }


def hessian(X, w) -> np.ndarray:
    r"""Return the Hessian of $d\,\mathcal L$ for one Rademacher unit.

    $\alpha I-\frac1dX^\top{\rm diag}(1-\tanh^2z)X$: the penalty is $\frac\alpha2\|w\|^2/d$.

    Parameters
    ----------
    X : (n, d) array
    w : (d,) array

    Returns
    -------
    (d, d) array
    """
    n, d = X.shape
    root = 1.0 / np.cosh(X @ w / np.sqrt(d))
    weighted = X * root[:, None]
    return n / d * np.eye(d) - weighted.T @ weighted / d


EXPERIMENTS = (
    Experiment(
        name="landscape_curvature",
        version=1,
        description="Smallest curvature where a unit holds one of two signals",
        measure=measure_curvature,
        scales={
            "quick": Scale(grid(missed=CURVATURE_MISSED, d=[100]), 4),
            "paper": scale_of_sizes(
                CURVATURE_INSTANCES,
                missed=CURVATURE_MISSED,
            ),
        },
    ),
)
