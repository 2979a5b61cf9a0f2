r"""A unit and a latent variable without symmetry: the mirrored state, and where it becomes lower.

A Bernoulli unit and a latent variable that is large on a fifth of the samples. $m$ and $-m$ then
differ, and the minimum jumps from the state without overlap to the mirrored one, of negative $m$.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from rbmnotes.algorithms.lbfgs import lbfgs
from rbmnotes.experiments.gordon.minima import LARGEST
from rbmnotes.model.priors import Bernoulli, Discrete
from rbmnotes.theory.phase_diagram import branches

ALPHA = 1.5
HIDDEN = Bernoulli()
RARE = Discrete((-0.5, 2.0), (0.8, 0.2))
"""Law of the latent variable: mean zero, variance one."""


class Jump(NamedTuple):
    """Strength at which the minimum jumps to the mirrored state, and that state's overlap."""

    snr: float
    overlap: float


def loss_gap(snr: float) -> float:
    """Return the loss of the mirrored state less that of the state without overlap.

    Parameters
    ----------
    snr : float
        Signal strength, at which there is a mirrored state.

    Returns
    -------
    float
    """
    found = _states(snr)
    return found["mirrored"].loss[0] - found["without overlap"].loss[0]


def jump(low: float, high: float) -> Jump:
    """Return where the mirrored state becomes the lower one.

    Parameters
    ----------
    low, high : float
        Strengths between which that happens: at the fold and at the finite-norm threshold.

    Returns
    -------
    Jump
    """
    snr = brentq(loss_gap, low, high)
    return Jump(snr, _states(snr)["mirrored"].overlap[0])


def balanced_data(snr: float, d: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    r"""Draw data whose latent variable is large on exactly a fifth of the samples.

    The mean field along the signal is removed: it vanishes in the limit, but at finite d it shifts
    the losses of the two states by $O(d^{-1/2})$, in opposite directions.

    Parameters
    ----------
    snr : float
        Signal strength.
    d : int
        Dimension.
    rng : numpy.random.Generator

    Returns
    -------
    X : (n, d) array
    w : (d,) array
        The signal, of signs.
    """
    n = int(ALPHA * d)
    w = rng.choice([-1.0, 1.0], d)
    U = np.where(np.arange(n) < n // 5, RARE.support[1], RARE.support[0])
    X = snr / np.sqrt(d) * np.outer(U, w) + rng.standard_normal((n, d))
    X -= (X @ w).mean() / d * w
    return X, w


def measured_losses(snr: float, d: int, rng: np.random.Generator) -> dict[str, float]:
    """Draw data and return the losses to which the signal and its mirror image descend.

    Parameters
    ----------
    snr : float
        Signal strength.
    d : int
        Dimension.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``informed`` and ``mirrored``.
    """
    X, w = balanced_data(snr, d, rng)
    starts = {"informed": w, "mirrored": -w}
    return {name: lbfgs(X, start[:, None], HIDDEN, LARGEST).loss for name, start in starts.items()}


def _states(snr):
    return {state.name: state for state in branches(ALPHA, snr, HIDDEN, RARE)}
