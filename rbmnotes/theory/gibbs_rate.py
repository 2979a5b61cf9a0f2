r"""How fast the bias of contrastive divergence falls with the number of Gibbs cycles (ours).

One cycle of a chain, seen by its hidden units alone, is a Markov chain on their joint states,

.. math::
    P(s'|s)=\sum_vP(v|s)\,P(s'|v)=E\Big[\frac{P_h(s')\,e^{f^\top s'}}{e^{\eta_1(f)}}\Big],
    \qquad f=Qs+N(0,Q).

With the model's law $P(s)\propto P_h(s)e^{\frac12s^\top Qs}$ the matrix
$P(s)P(s'|s)=\sum_vP(s,v)P(s',v)/P(v)$ is symmetric and positive semidefinite: the eigenvalues of
$P$ are real and lie in $[0,1]$. After $J$ cycles the law of the chains, and all that depends on it
linearly, is off by a sum of $(J-1)$-th powers of those below one.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from rbmnotes._validation import symmetric_matrix
from rbmnotes.model.multiplier import square_root
from rbmnotes.model.objective import eta1
from rbmnotes.model.priors import Discrete, Prior, Rademacher, joint_states

NODES = np.linspace(-8.0, 8.0, 107)
"""A standard normal variable; the trapezoidal rule in it is exact to round-off."""
SILENT = 1e-10
"""Size below which a mode does not move the penalty."""


def gibbs_rate(Q, hidden: Prior = Rademacher()) -> float:
    r"""Return the factor by which one more Gibbs cycle reduces the bias of CD at fixed weights.

    It is the largest eigenvalue below one of the chain's transitions among the modes that move the
    penalty $E[sF(f)^\top+F'(f)]$. If the law of the hidden units is symmetric, the penalty does not
    know a common change of their signs, and modes that are odd in it do not count: for a single
    Rademacher unit none is left.

    Parameters
    ----------
    Q : (k, k) array
        Self overlap of one or two units, positive definite.
    hidden : Discrete
        Law of a hidden unit.

    Returns
    -------
    float
        Between zero and one.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    if not isinstance(hidden, Discrete):
        raise ValueError(f"hidden must have a finite support; got {hidden!r}")
    shape = np.shape(Q)
    if shape not in ((1, 1), (2, 2)):
        raise ValueError(f"Q must be a matrix of one or two units; got shape {shape}")
    Q = symmetric_matrix(Q, "Q", len(Q))
    if np.linalg.eigvalsh(Q)[0] <= 0:
        raise ValueError("Q must be positive definite")
    states, log_weights = joint_states(hidden, len(Q))
    noise = np.array(list(product(NODES, repeat=len(Q))))
    weights = np.exp(-0.5 * np.sum(noise**2, axis=1))
    weights /= weights.sum()
    fields = (states @ Q)[:, None] + noise @ square_root(Q, "Q")
    laws = np.exp(fields @ states.T + log_weights - eta1(fields, hidden)[..., None])
    transition = np.einsum("p,spt->st", weights, laws)
    means = np.einsum("p,spa->sa", weights, hidden.tilted_mean(fields))
    slopes = np.einsum("p,spa->sa", weights, hidden.tilted_variance(fields))
    penalty = states[:, :, None] * means[:, None] + slopes[:, :, None] * np.eye(len(Q))
    stationary = log_weights + 0.5 * np.sum(states @ Q * states, axis=1)
    root = np.exp(0.5 * (stationary - stationary.max()))
    balanced = root[:, None] * transition / root
    values, modes = np.linalg.eigh(0.5 * (balanced + balanced.T))
    moves = np.abs(modes.T @ (root[:, None] * penalty.reshape(len(states), -1))).max(axis=1)
    heard = values[:-1][moves[:-1] > SILENT]
    return float(max(heard.max(), 0.0)) if len(heard) else 0.0
