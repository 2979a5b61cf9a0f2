r"""Whether AMP-RBM settles: the change of the weights in every iteration (Assumption 2)."""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments.convergence.endpoints import ALPHA
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid, scale_of_sizes
from rbmnotes.model.spiked import SpikedModel

CHANGE_SNR = (1.2, 0.95, 0.75)
"""At alpha = 4 the replicon is below one, closer to one, and above one."""

CHANGE_START = {"m0": 0.5, "q0": 1.0, "V0": 0.1}
CHANGE_ITERATIONS = 20

CHANGE_WINDOW = (5, 12)
"""Iterations between which the decay is measured."""

CHANGE_INSTANCES = {300: 60, 600: 40, 1200: 30}


def measure_change(parameters: dict, rng: np.random.Generator) -> list[dict]:
    r"""Measure how much the weights move in every iteration of AMP-RBM, one unit and one signal.

    Parameters
    ----------
    parameters : dict
        ``snr`` and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row an iteration: ``t`` and ``change``, $\frac1d\|W^{t+1}-W^t\|^2$.
    """
    data = SpikedModel(ALPHA, parameters["snr"]).sample(parameters["d"], rng)
    m0, q0, V0 = CHANGE_START.values()
    start = informed_start(data.W_star, [[m0]], [[q0]], rng)
    fit = amp_rbm(data.X, start=start, V0=[[V0]], tol=1e-300, max_iter=CHANGE_ITERATIONS)
    return [{"t": t, "change": float(change**2)} for t, change in enumerate(fit.history.change)]


EXPERIMENTS = (
    Experiment(
        name="landscape_change",
        version=1,
        description="Assumption 2: change of the weights in every iteration of AMP-RBM",
        measure=measure_change,
        scales={
            "quick": Scale(grid(snr=CHANGE_SNR, d=[200]), 4),
            "paper": scale_of_sizes(CHANGE_INSTANCES, snr=CHANGE_SNR),
        },
    ),
)
