r"""A tighter bound on the partition function than Theorem 1's, at the same price (ours).

For Rademacher visible units $\log\cosh y\le y^2/2$, so that the effective log-likelihood of Theorem
1 is a *lower bound* on the exact one. On real images, whose pixels feel large fields, the bound is
loose. The tangent to $\log\cosh\sqrt{y^2}$, concave in $y^2$, bounds it as well, at every $\zeta$
(Jaakkola and Jordan, 2000):

.. math::
    \log\cosh y\le\log\cosh\zeta+\tfrac12s(\zeta)\,(y^2-\zeta^2),\qquad
    s(\zeta)=\tanh(\zeta)/\zeta .

It is quadratic too: the sum over the visible units is done, and what is left is again an average
over $k$ hidden units. $\zeta_i=0$ is Theorem 1; the best $\zeta_i^2$ is $\langle y_i^2\rangle$.
"""

from __future__ import annotations

import numpy as np

from rbmnotes.model.objective import ModelAverage, eta2_moments
from rbmnotes.model.priors import Prior, Rademacher


def tangent_average(
    W: np.ndarray,
    visible_bias: np.ndarray,
    hidden_bias: np.ndarray,
    points: np.ndarray,
    hidden: Prior = Rademacher(),
) -> tuple[ModelAverage, np.ndarray]:
    r"""Return the averages of the bound at given tangent points, and better points.

    With $S={\rm diag}\,s(\zeta)$ the hidden units have the couplings $\frac1dW^\top SW$ and fields
    $b+\frac1dW^\top Sa$, and each average of Theorem 1 gets a factor $s(\zeta_i)$ at unit $i$.

    Parameters
    ----------
    W : (d, k) array
    visible_bias : (d,) array
    hidden_bias : (k,) array
    points : (d,) array
        Tangent points $\zeta_i\ge0$.
    hidden : Prior
        Law of a hidden unit.

    Returns
    -------
    average : ModelAverage
        Its ``log_partition`` is at least the exact one; the rest are that bound's derivatives.
    better : (d,) array
        $\langle y_i^2\rangle^{1/2}$: with these points the bound is tighter, unless they are the
        same.
    """
    d = len(W)
    slopes = np.tanh(points) / np.maximum(points, 1e-8)
    slopes[points < 1e-8] = 1.0
    weighted = W * slopes[:, None]
    moments = eta2_moments(W.T @ weighted / d, hidden, hidden_bias + visible_bias @ weighted / d)
    field = W @ moments.mean + visible_bias
    product = W @ moments.second + np.outer(visible_bias, moments.mean)
    squares = (np.sum(product * W, axis=1) + visible_bias * field) / d
    log_cosh = np.logaddexp(points, -points) - np.log(2.0)
    constant = np.sum(log_cosh - 0.5 * slopes * (points**2 - visible_bias**2 / d))
    average = ModelAverage(
        log_partition=float(constant + moments.eta2),
        hidden=moments.mean,
        visible=slopes * field / np.sqrt(d),
        product=slopes[:, None] * product / np.sqrt(d),
    )
    return average, np.sqrt(squares)
