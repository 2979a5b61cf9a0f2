r"""AMP-RBM frozen at a fixed point: the iteration of the upper bound (Lemma 5)."""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.starts import informed_start
from rbmnotes.model.objective import loss
from rbmnotes.model.proximal import proximal_map
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.state_evolution import FixedPoint


def frozen_amp(point: FixedPoint, alpha: float, snr: float, d: int, n_iter: int, rng) -> np.ndarray:
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
