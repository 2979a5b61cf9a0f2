r"""Gordon's auxiliary problem at finite size, drawn and solved, for signs (paper eqs. 103-105).

What is left of the training problem once the Gaussian matrix is replaced by two Gaussian vectors
and directions are optimised: with $v=\lambda mU+mG_0+\sqrt{q-m^2}\,G_1$,

.. math::
    \phi_d=\min_{m,q}\max_V\ -\frac{q-m^2}{2V}\frac{\|G_2\|^2}d
    +\frac1d\sum_\mu\mathcal M(v_\mu;V)+\tfrac12\alpha q.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rbmnotes.model.objective import eta1
from rbmnotes.model.priors import Rademacher
from rbmnotes.model.proximal import proximal_map

MAX_ITER = 60
STEP = 0.7
"""Share of the way to what the conditions ask for that an iteration goes."""

SETTLED = 1e-3
"""Change at which the iteration ends: the value is stationary, so it is right to about 1e-6."""

LARGEST_V = 0.95
"""Cap on the response during the iteration; the proximal map needs less than one."""


class Draw(NamedTuple):
    r"""The random part of the auxiliary problem.

    The dimension ``d``, latent variables ``U`` (n,), ``G0`` and ``G1`` (n,), and
    ``squared_length`` $=\|G_2\|^2/d$, that of a vector orthogonal to the signal.
    """

    d: int
    U: np.ndarray
    G0: np.ndarray
    G1: np.ndarray
    squared_length: float


class Solution(NamedTuple):
    r"""Value $\phi_d$, and by how much $m$, $\sqrt{q-m^2}$ or $V$ still changes."""

    value: float
    change: float


def draw_problem(alpha: float, d: int, rng: np.random.Generator) -> Draw:
    """Draw the auxiliary problem of `d` weights and `alpha * d` samples."""
    n = int(alpha * d)
    U = rng.choice([-1.0, 1.0], n)
    G0, G1 = rng.standard_normal((2, n))
    return Draw(d, U, G0, G1, rng.chisquare(d - 1) / d)


def solve(draw: Draw, alpha: float, snr: float, start) -> Solution:
    r"""Iterate the stationarity conditions of the auxiliary problem.

    With $g_\mu=\tanh z_\mu$ at the proximal point of $v_\mu$ they are
    $m=\frac1{\alpha d}\sum_\mu g_\mu(\lambda U_\mu+G_{0\mu})$,
    $\frac{q-m^2}{V^2}\frac{\|G_2\|^2}d=\frac1d\sum_\mu g_\mu^2$ and
    $\frac1V\frac{\|G_2\|^2}d=\alpha-\frac1d\sum_\mu g_\mu G_{1\mu}/\sqrt{q-m^2}$.

    Parameters
    ----------
    draw : Draw
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    start : (float, float, float)
        $m$, $\sqrt{q-m^2}$ and $V$ of the limit.

    Returns
    -------
    Solution
    """
    d, U, G0, G1, squared_length = draw
    state = start
    for _ in range(MAX_ITER):
        m, across, V = state
        point = proximal_map((snr * m * U + m * G0 + across * G1)[:, None], [[V]])
        g = point.g[:, 0]
        envelope = (0.5 * V * g @ g - eta1(point.z, Rademacher()).sum()) / d
        value = envelope + 0.5 * alpha * (m**2 + across**2)
        value -= across**2 * squared_length / (2.0 * V)
        response = squared_length / (alpha - g @ G1 / (d * across))
        target = (
            g @ (snr * U + G0) / (d * alpha),
            V * np.sqrt(g @ g / (d * squared_length)),
            response if 0.0 < response < LARGEST_V else LARGEST_V,
        )
        change = np.subtract(target, state)
        if np.abs(change).max() < SETTLED:
            break
        state = np.add(state, STEP * change)
    return Solution(value, np.abs(change).max())
