r"""Whether AMP-RBM settles: the change of the weights in every iteration (Assumption 2)."""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments.convergence.endpoints import ALPHA
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid, scale_of_sizes
from rbmnotes.model.objective import loss
from rbmnotes.model.proximal import proximal_map
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


def frozen_amp(point, alpha: float, snr: float, d: int, n_iter: int, rng) -> np.ndarray:
    r"""Run AMP-RBM with its response and multiplier frozen at a fixed point (paper eqs. 110-112).

    One Rademacher unit, one signal. The start has the fixed point's overlaps and fresh noise.

    Parameters
    ----------
    point : FixedPoint
        Where $V$ and the overlaps of the start are taken from.
    alpha, snr : float
        Sample ratio and signal strength.
    d : int
        Dimension.
    n_iter : int
        Number of iterations.
    rng : int or numpy.random.Generator
        Seed or generator of the data and the start.

    Returns
    -------
    (n_iter, 3) array
        After each iteration: the covariance $\frac1dW^{t\top}W^{t+1}$ with the iterate before, the
        self overlap and the loss.
    """
    rng = np.random.default_rng(rng)
    data = SpikedModel(alpha, snr).sample(d, rng)
    W = informed_start(data.W_star, [[point.m]], [[point.q]], rng)
    A, g, rows = 1.0 / point.V - alpha, 0.0, []
    for _ in range(n_iter):
        omega = data.X @ W / np.sqrt(d) - point.V * g
        g = proximal_map(omega, [[point.V]]).g
        new = point.V * (data.X.T @ g / np.sqrt(d) + A * W)
        rows.append((np.vdot(W, new) / d, np.vdot(new, new) / d, loss(data.X, new)))
        W = new
    return np.array(rows)


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
