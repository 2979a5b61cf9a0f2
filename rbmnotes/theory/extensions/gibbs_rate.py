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

from rbmnotes._types import ArrayLike
from rbmnotes._validation import symmetric_matrix
from rbmnotes.model.joint_states import joint_states
from rbmnotes.model.multiplier import square_root
from rbmnotes.model.priors import Discrete, Prior, Rademacher

REACH = 8.0
"""Largest value of a standard normal variable."""
MAX_STATES = 512
"""Largest number of joint states, for their matrix of transitions."""
MAX_SUM = 2**23
"""Largest number of noises times that of states."""
SILENT = 1e-10
"""Size below which a mode does not move the penalty."""


def gibbs_rate(Q: ArrayLike, hidden: Prior = Rademacher()) -> float:
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
    Q = symmetric_matrix(Q, "Q")
    if len(Q) > 2:
        raise ValueError(f"Q must be a matrix of one or two units; got shape {Q.shape}")
    if np.linalg.eigvalsh(Q)[0] <= 0:
        raise ValueError("Q must be positive definite")
    if len(hidden.support) ** len(Q) > MAX_STATES:
        raise ValueError(
            f"hidden must have at most {MAX_STATES} states of {len(Q)} units; got {hidden!r}"
        )
    states, _ = joint_states(hidden, len(Q))
    noise, weights = _noise(Q, hidden, len(states))
    support, log_weights = np.array(hidden.support), np.log(hidden.probabilities)
    transition, penalty = np.empty((len(states), len(states))), []
    for row, state in zip(transition, states, strict=True):
        fields = state @ Q + noise
        laws = fields[..., None] * support + log_weights
        laws = np.exp(laws - laws.max(axis=-1, keepdims=True))
        laws /= laws.sum(axis=-1, keepdims=True)  # (noises, units, support)
        if len(Q) == 1:
            row[:] = weights @ laws[:, 0]
        else:
            row[:] = ((weights[:, None] * laws[:, 0]).T @ laws[:, 1]).ravel()
        means = laws @ support
        slopes = weights @ (laws @ support**2 - means**2)
        penalty.append(np.outer(state, weights @ means) + np.diag(slopes))
    # not the symmetric matrix, whose scales may differ by more than a float64 holds
    values, modes = np.linalg.eig(transition)
    order = np.argsort(values.real)
    values, modes = values.real[order], modes.real[:, order]
    penalty = np.reshape(penalty, (len(states), -1))
    moves = np.linalg.lstsq(modes, penalty, rcond=None)[0]
    moves = np.abs(moves).max(axis=1) * np.abs(modes).max(axis=0)
    heard = values[:-1][moves[:-1] > SILENT * np.abs(penalty).max()]
    return float(np.clip(heard.max(initial=0.0), 0.0, 1.0))


def _noise(Q: np.ndarray, hidden: Discrete, n_states: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return values of $N(0,Q)$ and their weights, of a rule in standard normal variables.

    The integrands are analytic in a strip whose half width is $\pi$ over the support's diameter and
    the root of the largest eigenvalue; with 3.7 steps in it the rule errs by less than 1e-10.
    """
    slope = np.ptp(hidden.support) * np.sqrt(np.linalg.eigvalsh(Q)[-1])
    count = max(107, 2 * int(min(np.ceil(REACH * slope / 0.85), MAX_SUM)) + 1)
    if count ** len(Q) * n_states > MAX_SUM:
        raise ValueError(
            f"Q must be smaller for {n_states} states of such units: the average over the noise "
            f"would need {count}**{len(Q)} points"
        )
    line = np.linspace(-REACH, REACH, count)
    noise = np.array(list(product(line, repeat=len(Q))))
    weights = np.exp(-0.5 * np.sum(noise**2, axis=1))
    return noise @ square_root(Q, "Q"), weights / weights.sum()
