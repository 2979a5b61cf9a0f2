"""Signals of equal strength: the points that Figures 5 and 6 share (sizes are ours)."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from rbmnotes.model.priors import Gaussian, Prior, Rademacher
from rbmnotes.model.spiked import SpikedModel

ALPHA = 4.0
SNR = (0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 2.0)
SIZES = {2: 2000, 10: 1000}  # rank to dimension
QUICK_SNR = (0.8, 1.2, 1.6)
QUICK_SIZES = {2: 200, 10: 200}
INSTANCES = 10
PRIORS_W: dict[str, Prior] = {"Rademacher": Rademacher(), "Gaussian": Gaussian()}

NOISE = np.linspace(-9.0, 9.0, 1801)
"""Grid of a standard normal variable."""

NOISE_WEIGHTS = np.exp(-0.5 * NOISE**2) * (NOISE[1] - NOISE[0]) / np.sqrt(2 * np.pi)


def equal_signals_grid(strengths=SNR, sizes=SIZES, priors=PRIORS_W) -> tuple[dict, ...]:
    """Return all combinations of rank (and its dimension), prior of the signals, and strength."""
    return tuple(
        {"r": r, "d": d, "prior_w": prior, "snr": snr}
        for r, d in sizes.items()
        for prior in priors
        for snr in strengths
    )


def matched_at(history, W_star, t: int) -> np.ndarray:
    """Return the absolute cosines of the best assignment at an iteration of a run.

    Parameters
    ----------
    history : BayesAMPHistory or DescentHistory
        With its ``M``: of a run that was told the signals.
    W_star : (d, r) array
        Signals.
    t : int
        Iteration; a run that ended earlier is at its end.

    Returns
    -------
    (min(r, k),) array
    """
    t = min(t, len(history.Q) - 1)
    lengths = np.linalg.norm(W_star, axis=0) / np.sqrt(len(W_star))
    norms = np.sqrt(np.maximum(np.diagonal(history.Q[t]), 1e-300))
    cosines = np.abs(history.M[t]) / np.outer(lengths, norms)
    return cosines[linear_sum_assignment(cosines, maximize=True)]


def model_of(parameters) -> SpikedModel:
    """Return the model of a point: ``r``, ``snr``, ``prior_w`` and, if not signs, ``prior_u``."""
    prior_u = PRIORS_W[parameters.get("prior_u", "Rademacher")]
    snr = [parameters["snr"]] * parameters["r"]
    return SpikedModel(ALPHA, snr, prior_u, PRIORS_W[parameters["prior_w"]])
