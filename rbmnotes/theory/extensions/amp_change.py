r"""State evolution of successive iterates: how much AMP-RBM still moves (ours).

Theorem 3 gives the law of one iterate. The joint law of two is needed to say whether the iteration
settles: given the latent variable, the fields $\omega^t$ and $\omega^{t-1}$ of one unit are
Gaussian with covariance $C=\frac1dW^{t\top}W^{t-1}$, and the weights' change
$D_t=\frac1d\|W^{t+1}-W^t\|^2$ obeys

.. math::
    D_t=(m_{t+1}-m_t)^2+\alpha E\big[(V_{t+1}\,g(\omega^t,V_t)-V_t\,g(\omega^{t-1},V_{t-1}))^2\big],
    \qquad C=\tfrac12(q_t+q_{t-1}-D_{t-1}).

Written with the change instead of the covariance nothing cancels when the change is small. Near a
fixed point $D_t\simeq\alpha V^2E[(\partial_\omega g)^2]\,D_{t-1}$: the factor is the replicon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes._validation import finite_real, not_negative, positive_integer
from rbmnotes.model.priors import Discrete, Prior, Rademacher, check_standardised
from rbmnotes.model.proximal import proximal_map
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.state_evolution import FixedPoint, StateEvolution, state_evolution

REACH = 7.0
"""Half width of the grids, in standard deviations."""
STEP = 0.05
"""Largest step in the fields, in their standard deviations: resolves the peak of the slope of g."""


@dataclass(frozen=True, eq=False)
class ChangeEvolution(Frozen):
    r"""How much the weights of one unit change, iteration by iteration.

    Attributes
    ----------
    change : (n_iter,) array
        Limit of $\frac1d\|W^{t+1}-W^t\|^2$ for $t=0,1,\dots$
    path : StateEvolution
        Order parameters of the same iterations.
    """

    change: np.ndarray
    path: StateEvolution


def change_evolution(
    model: SpikedModel, m0: float, q0: float, V0: float, n_iter: int, hidden: Prior = Rademacher()
) -> ChangeEvolution:
    r"""Predict $\frac1d\|W^{t+1}-W^t\|^2$ of :func:`rbmnotes.amp_rbm` for $k=r=1$ (ours).

    Parameters
    ----------
    model : SpikedModel
        One signal; its latent variable has finitely many values.
    m0, q0 : float
        Overlaps of a start that is independent of the noise.
    V0 : float
        First response.
    n_iter : int
        Number of changes to predict.
    hidden : Prior
        Law of the hidden unit.

    Returns
    -------
    ChangeEvolution

    Raises
    ------
    ValueError
        If the model has several signals or Gaussian latent variables, an argument is out of range,
        or state evolution stops early.
    """
    if not isinstance(model, SpikedModel) or model.r != 1:
        raise ValueError(f"model must be a SpikedModel with one signal; got {model!r}")
    if not isinstance(model.prior_u, Discrete):
        raise ValueError(f"model must have a discrete prior_u; got {model.prior_u!r}")
    n_iter = positive_integer(n_iter, "n_iter")
    path = state_evolution(model, [[m0]], [[q0]], [[V0]], n_iter, hidden)
    if path.message:
        raise ValueError(f"n_iter must end before state evolution fails: {path.message}")
    m, q, V = (entry[:, 0, 0] for entry in (path.M, path.Q, path.V))
    strength = model.information_coefficient * model.snr[0]
    change = np.empty(n_iter)
    # the noise of the start is independent of that of the first iterate
    change[0] = q[1] + q[0] - 2.0 * m[1] * m[0]
    for t in range(1, n_iter):
        square = _mean_square(
            strength * m[t - 1 : t + 1],
            q[t - 1 : t + 1],
            change[t - 1],
            V[t - 1 : t + 1],
            V[t : t + 2],
            model.prior_u,
            hidden,
        )
        change[t] = (m[t + 1] - m[t]) ** 2 + model.alpha * square
    return ChangeEvolution(change, path)


def covariance_map(
    c: float,
    point: FixedPoint,
    alpha: float,
    snr: float,
    hidden: Prior = Rademacher(),
    prior_u: Discrete = Rademacher(),
) -> float:
    r"""Return the covariance of the next two iterates at a fixed point (paper eq. 121).

    $F(c)=m^2+\alpha V^2E[g(\omega)g(\omega')]$, fields of covariance $c$ given the latent variable.

    Parameters
    ----------
    c : float
        Covariance of two successive iterates, between 0 and $q$.
    point : FixedPoint
        The fixed point of state evolution.
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    hidden : Prior
        Law of the hidden unit.
    prior_u : Discrete
        Law of the latent variable: zero mean, unit variance, finitely many values.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `c` is not between 0 and $q$, or another argument is out of range.
    """
    c, alpha = finite_real(c, "c"), finite_real(alpha, "alpha", above=0.0)
    snr = finite_real(not_negative(snr, "snr"), "snr")
    if not 0.0 <= c <= point.q:
        raise ValueError(f"c must be between 0 and q = {point.q!r}; got {c!r}")
    if not isinstance(check_standardised(prior_u, "prior_u"), Discrete):
        raise ValueError(f"prior_u must have finitely many values; got {prior_u!r}")
    nodes, weights = _normal_grid(STEP)
    average = 0.0
    for u, probability in zip(prior_u.support, prior_u.probabilities, strict=True):
        shared = snr * point.m * u + np.sqrt(c) * nodes
        omega = shared[:, None] + np.sqrt(point.q - c) * nodes
        g = proximal_map(omega.reshape(-1, 1), [[point.V]], hidden).g.reshape(omega.shape)
        average += probability * float(weights @ (g @ weights) ** 2)
    return point.m**2 + alpha * point.V**2 * average


def covariance_path(
    point: FixedPoint,
    alpha: float,
    snr: float,
    n_iter: int,
    hidden: Prior = Rademacher(),
    prior_u: Discrete = Rademacher(),
) -> np.ndarray:
    r"""Return the covariances of successive iterates of a frozen iteration (paper eq. 121).

    $c_t=\lim\frac1dW^{t\top}W^{t+1}$. The noise of the start is fresh, so $c_0=m^2$; then
    $c_{t+1}=F(c_t)$ with the :func:`covariance_map` $F$. They rise to $q$ if the replicon is below
    one, and to a smaller fixed point of $F$ otherwise.

    Parameters
    ----------
    point, alpha, snr, hidden, prior_u
        As of :func:`covariance_map`.
    n_iter : int
        Number of covariances.

    Returns
    -------
    (n_iter,) array

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    path = [point.m**2]
    for _ in range(positive_integer(n_iter, "n_iter") - 1):
        new = covariance_map(path[-1], point, alpha, snr, hidden, prior_u)
        path.append(min(new, point.q))  # the sum errs by about 1e-9
    return np.array(path)


def _mean_square(
    signal: np.ndarray,
    q: np.ndarray,
    change: float,
    response: np.ndarray,
    factors: np.ndarray,
    prior_u: Discrete,
    hidden: Prior,
) -> float:
    r"""Return $E[(b\,g(\omega')-a\,g(\omega))^2]$ for two correlated fields, `factors` $=(a,b)$."""
    old, new = np.sqrt(q)
    slope = 0.5 * (q[0] + q[1] - change) / old  # of the new field on the old one's unit normal
    # q q' - C^2 = (old new - C)(old new + C), the first factor without cancellation
    rest = 0.5 * (change - (new - old) ** 2) * (old * new + slope * old)
    spread = np.sqrt(max(rest, 0.0)) / old
    y, weights_y = _normal_grid(STEP)
    e, weights_e = _normal_grid(min(0.5, STEP / max(spread, 1e-300)))
    total = 0.0
    for u, probability in zip(prior_u.support, prior_u.probabilities, strict=True):
        first = proximal_map((signal[0] * u + old * y)[:, None], [[response[0]]], hidden)
        field = signal[1] * u + slope * y[:, None] + spread * e
        second = proximal_map(field.reshape(-1, 1), [[response[1]]], hidden)
        difference = factors[1] * second.g.reshape(field.shape) - factors[0] * first.g
        total += probability * float(weights_y @ difference**2 @ weights_e)
    return total


def _normal_grid(step: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the trapezoidal rule for a standard normal variable."""
    nodes = np.arange(-int(np.ceil(REACH / step)), int(np.ceil(REACH / step)) + 1) * step
    return nodes, step * np.exp(-0.5 * nodes**2) / np.sqrt(2.0 * np.pi)
