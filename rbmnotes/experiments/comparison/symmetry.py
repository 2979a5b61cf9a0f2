r"""How training leaves the symmetry between equal signals: the loss to fourth order, separation.

For weights $W=W^\star M$ in the span of two orthogonal signals, fresh samples and hidden signs; the
field of unit $a$ is $\lambda\sum_iM_{ia}U_i+\sqrt{Q_{aa}}\,G$ with $Q=M^\top M$.
"""

from __future__ import annotations

import numpy as np

from rbmnotes.experiments.comparison.equal_signals import NOISE, NOISE_WEIGHTS
from rbmnotes.model.objective import eta2
from rbmnotes.model.order_parameters import matched_overlap

_SIGNS = np.array([[a, b] for a in (-1, 1) for b in (-1, 1)])


def exact_loss(M, snr: float) -> float:
    r"""Return the loss over $\alpha$ of weights in the span of two signals, on fresh samples.

    $\eta_2(Q)-\sum_aE\log\cosh(\lambda\sum_iM_{ia}U_i+\sqrt{Q_{aa}}\,G)$.

    Parameters
    ----------
    M : (2, k) array
        Overlaps of signals and units.
    snr : float
        Strength of both signals.

    Returns
    -------
    float
    """
    Q = M.T @ M
    fields = snr * (_SIGNS @ M)[:, :, None] + np.sqrt(Q.diagonal())[:, None] * NOISE
    return eta2(Q) - float((np.log(np.cosh(fields)) @ NOISE_WEIGHTS).mean(axis=0).sum())


def expanded_loss(M, snr: float) -> float:
    r"""Return :func:`exact_loss` to fourth order in $M$; the rest is of order $M^6$.

    $-\frac{\lambda^2}2\sum_aQ_{aa}+\frac{(1+\lambda^2)^2}4\sum_aQ_{aa}^2
    -\frac{\lambda^4}6\sum_{i,a}M_{ia}^4+\frac12\sum_{a<b}Q_{ab}^2$.

    Parameters
    ----------
    M : (2, k) array
        Overlaps of signals and units.
    snr : float
        Strength of both signals.

    Returns
    -------
    float
    """
    Q = M.T @ M
    norms = Q.diagonal()
    return (
        -0.5 * snr**2 * norms.sum()
        + 0.25 * (1 + snr**2) ** 2 * np.sum(norms**2)
        - snr**4 / 6 * np.sum(M**4)
        + 0.5 * np.sum(np.triu(Q, 1) ** 2)
    )


def separation(M) -> float:
    """Return the mean matched cosine between units and signals within the span of the signals.

    One if every unit has a signal of its own, whatever share of the weights lies in the span.

    Parameters
    ----------
    M : (r, k) array
        Overlaps of orthogonal signals and units.

    Returns
    -------
    float
    """
    return matched_overlap(np.eye(len(M)), M).mean()
