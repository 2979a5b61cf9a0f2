r"""The response that makes a stationary point of the objective a fixed point of AMP-RBM (ours)."""

from __future__ import annotations

import numpy as np

from rbmnotes._types import ArrayLike
from rbmnotes._validation import finite_array, positive_integer
from rbmnotes.model.hidden_sum import check_states
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Prior, Rademacher, check_prior
from rbmnotes.model.products import times
from rbmnotes.model.proximal import response_bound


def stationary_response(
    X: ArrayLike, W: ArrayLike, hidden: Prior = Rademacher(), max_iter: int = 10_000
) -> np.ndarray | None:
    r"""Return the smallest admissible response of weights, or None if they have none (ours).

    At the fields $z=XW/\sqrt d$ a fixed point of AMP-RBM needs

    .. math::
        V=(A(V)+\Gamma)^{-1},\qquad
        A(V)=-\frac1d\sum_\mu\big(I-\eta_1''(z_\mu)V\big)^{-1}\eta_1''(z_\mu),\qquad
        \Gamma=\alpha\langle hh^\top\rangle_Q ,

    with $V$ below the bound of the proximal map: then it is *admissible*. The right-hand side grows
    with $V$ in the order of symmetric matrices. So iterated from $\Gamma^{-1}$, which is below
    every solution, it grows towards the smallest one, or leaves the range if there is none. With
    one unit its last factor is the empirical replicon
    $\frac1dV^2\sum_\mu(\partial_\omega g_\mu)^2$: at the smallest solution that is at most one.

    Parameters
    ----------
    X : (n, d) array
        Data, one sample a row.
    W : (d, k) array
        Weights, stationary or not.
    hidden : Prior
        Law of a hidden unit.
    max_iter : int
        Largest number of iterations; one that still moves then is at best marginal, and counts as
        having no solution.

    Returns
    -------
    (k, k) array or None

    Raises
    ------
    ValueError
        If shapes do not match or $\eta_2$ is infinite at $W^\top W/d$.
    """
    X = finite_array(X, "X", (None, None))
    n, d = X.shape
    W = finite_array(W, "W", (d, None)).astype(np.float64, copy=False)
    k = W.shape[1]
    check_prior(hidden, "hidden")
    check_states(hidden, k, "W")
    max_iter = positive_integer(max_iter, "max_iter")
    multiplier = n / d * eta2_moments(W.T @ W / d, hidden).second
    slopes = hidden.tilted_variance(times(X, W) / np.sqrt(d))
    bound = response_bound(hidden)
    V = np.linalg.inv(multiplier)
    for _ in range(max_iter):
        if np.linalg.eigvalsh(V)[-1] >= bound:
            return None
        systems = np.eye(k) - slopes[:, :, None] * V
        A = -np.linalg.solve(systems, slopes[:, :, None] * np.eye(k)).sum(axis=0) / d
        values, vectors = np.linalg.eigh(0.5 * (A + A.T) + multiplier)
        if values[0] <= 0.0:
            return None
        new_V = (vectors / values) @ vectors.T
        change, V = np.abs(new_V - V).max(), new_V
        if change < 1e-13 * bound:
            return V
    return None
