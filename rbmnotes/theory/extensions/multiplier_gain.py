r"""How an overlap of two units grows or shrinks in one iteration of AMP-RBM (ours)."""

from __future__ import annotations

import numpy as np

from rbmnotes.model.multiplier import multiplier_step
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Prior, Rademacher
from rbmnotes.theory.quadrature import field_averages
from rbmnotes.theory.state_evolution import fixed_point

UPDATES = ("implicit", "explicit", "frozen")
WIDTH = 1e-4
"""Half width of the differences; entries of the state are of order one."""


def multiplier_gain(
    alpha: float, snr: float, update: str = "implicit", hidden: Prior = Rademacher()
) -> float:
    r"""Return the factor by which the overlap of two units changes in an iteration (ours).

    At the fixed point of Corollary 1 with two signals of equal strength, the derivative of one
    iteration of state evolution with respect to the off-diagonal entries
    $(M_{12},M_{21},Q_{12},V_{12})$, which a change of one unit's and its signal's sign parts from
    all others; its eigenvalue of largest modulus. Symmetric hidden units.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Strength of both signals.
    update : {"implicit", "explicit", "frozen"}
        Whether the multiplier is that of the new $Q$, as in :func:`rbmnotes.amp_rbm`; that of the
        old $Q$; or that of the old $Q$ while $A$ and $B$ stay as they are at the fixed point, so
        that the multiplier alone acts: $-2\alpha Vq$ for signs.
    hidden : Prior
        Law of a hidden unit.

    Returns
    -------
    float
        Real part of that eigenvalue; all that matter here are real.

    Raises
    ------
    ValueError
        If `update` is none of these, or there is no fixed point in range.
    """
    if update not in UPDATES:
        raise ValueError(f"update must be one of {', '.join(UPDATES)}; got {update!r}")
    point = fixed_point(alpha, snr, hidden)
    if not point.converged:
        raise ValueError(f"alpha and snr must have a fixed point: {point.message}")
    strengths, one = np.full(2, float(snr)), np.eye(2)

    def iterate(
        M: np.ndarray, Q: np.ndarray, V: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        M0, Q0, V0 = (point.m * one, point.q * one, point.V * one) if frozen else (M, Q, V)
        average = field_averages(M0, Q0, V0, strengths, Rademacher(), hidden)
        weighted = alpha * strengths[:, None] * average.ug
        B = weighted.T @ weighted + alpha * average.gg
        if update == "implicit":
            response = multiplier_step(B, -alpha * average.derivative, alpha, V, hidden).V
        else:
            second = eta2_moments(Q, hidden).second
            response = np.linalg.inv(alpha * (second - average.derivative))
        return weighted @ response, response @ B @ response, response

    frozen, columns = update == "frozen", []
    for entry in range(4):
        ends = []
        for sign in (1.0, -1.0):
            x = np.zeros(4)
            x[entry] = sign * WIDTH
            cross = np.array([[0.0, 1.0], [1.0, 0.0]])
            M, Q, V = iterate(
                point.m * one + np.array([[0.0, x[0]], [x[1], 0.0]]),
                point.q * one + x[2] * cross,
                point.V * one + x[3] * cross,
            )
            ends.append(np.array([M[0, 1], M[1, 0], Q[0, 1], V[0, 1]]))
        columns.append((ends[0] - ends[1]) / (2.0 * WIDTH))
    values = np.linalg.eigvals(np.array(columns).T)
    return float(values[np.abs(values).argmax()].real)
