r"""Gordon's min-max problem: the global optimum for one unit and one signal (paper eqs. 83-132).

For $k=r=1$ and Gaussian noise, Gordon's inequality bounds the minimum of the objective from below
by a problem in four numbers (Theorem 7, eq. 87), built on the Moreau envelope $\mathcal M$ of
$-\eta_1$. That function is not convex, and so $\mathcal M(x;V)$ is concave in $V$: at fixed $\tau$
the potential is concave in $\gamma$, at fixed $\gamma$ it is concave in $\tau$. The order in which
it bounds the objective is therefore $\min_{m,q}\min_\gamma\max_\tau$ (ours). The minimum over
$\gamma$ is at $\gamma=\sqrt{q-m^2}$, which leaves $\min_{m,q}\max_V$ of

.. math::
    -\frac{q-m^2}{2V}+\alpha E\,\mathcal M(\lambda Um+\sqrt q\,H;V)+\alpha\,\eta_2(q),
    \qquad V=\gamma/\tau,

a concave function of $1/V$; ``rbmnotes.theory.optimum`` solves it. Nothing here iterates or calls
state evolution: that both agree is a test.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.optimize import brentq

from rbmnotes._validation import finite_real, positive, sample_ratio, signal_strength
from rbmnotes.model.continuous import check_precision
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import (
    Discrete,
    Gaussian,
    Prior,
    Rademacher,
    check_prior,
    check_standardised,
)
from rbmnotes.model.proximal import response_bound
from rbmnotes.theory.moreau import MAX_SIZE, FieldLaw


def gordon_potential(
    m: float,
    q: float,
    tau: float,
    gamma: float,
    alpha: float,
    snr: float,
    hidden: Prior = Rademacher(),
    prior_u: Prior = Rademacher(),
) -> float:
    r"""Return the potential whose min-max bounds the minimum of the objective (paper eq. 87).

    $\frac{\tau\gamma}2-\tau\sqrt{q-m^2}
    +\alpha E\,\mathcal M(\lambda Um+\sqrt q\,H;\gamma/\tau)+\alpha\,\eta_2(q)$.

    Parameters
    ----------
    m, q : float
        Signal overlap and self overlap, $q>m^2$, and $q<1$ for Gaussian hidden units.
    tau, gamma : float
        Positive; their ratio is $V=\gamma/\tau$, below one for Gaussian hidden units.
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    hidden : Prior
        Law of the hidden unit.
    prior_u : Prior
        Law of a latent variable: zero mean, unit variance.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    problem = check_problem(alpha, snr, hidden, prior_u)
    return potential(check_state(m, q, tau, gamma, hidden), *problem)


def gordon_gradient(
    m: float,
    q: float,
    tau: float,
    gamma: float,
    alpha: float,
    snr: float,
    hidden: Prior = Rademacher(),
    prior_u: Prior = Rademacher(),
) -> np.ndarray:
    r"""Return the derivatives of :func:`gordon_potential` with respect to $m,q,\tau,\gamma$ (ours).

    By the envelope theorem $\partial_x\mathcal M=-g$ and $\partial_V\mathcal M=-g^2/2$. All four
    vanish where state evolution has its fixed points. Parameters and errors as
    :func:`gordon_potential`.

    Returns
    -------
    (4,) array
    """
    problem = check_problem(alpha, snr, hidden, prior_u)
    return gradient(check_state(m, q, tau, gamma, hidden), *problem)


def exchanged_order(
    m: float,
    q: float,
    alpha: float,
    snr: float,
    hidden: Discrete = Rademacher(),
    prior_u: Prior = Rademacher(),
) -> float:
    r"""Return $\max_\tau\min_\gamma$ of the potential, the order that the proof avoids (ours).

    With $\bar h=\max|h|$ it is
    $-\bar h\sqrt{\alpha(q-m^2)}-\alpha E\,\eta_1(\lambda Um+\sqrt q\,H)+\alpha\,\eta_2(q)$. At
    fixed $\tau$ the potential is concave in $\gamma$: without a lower bound if
    $\tau<\bar h\sqrt\alpha$, and with its minimum at $\gamma=0$ from there on. The value is never
    above $\max_V$ of the potential at $\gamma=\sqrt{q-m^2}$, and so a bound to the objective too,
    but a weaker one.

    Parameters
    ----------
    m, q : float
        Signal overlap and self overlap, $q>m^2$.
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    hidden : Discrete
        Law of the hidden unit.
    prior_u : Prior
        Law of a latent variable: zero mean, unit variance.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    alpha, snr, hidden, prior_u = check_problem(alpha, snr, hidden, prior_u)
    if not isinstance(hidden, Discrete):
        raise ValueError(f"hidden must have finitely many values; got {hidden!r}")
    m, q, _, _ = check_state(m, q, 1.0, 1.0, hidden)
    # the envelope at V = 0 is the loss itself
    unmoved = FieldLaw(snr * m, q, hidden, prior_u).averages(0.0).envelope
    top = np.abs(hidden.support).max()
    penalty = eta2_moments([[q]], hidden).eta2
    return float(alpha * (unmoved + penalty) - top * np.sqrt(alpha * (q - m * m)))


def norm_bounds(sigma: float, alpha: float, hidden: Discrete = Rademacher()) -> tuple[float, float]:
    r"""Return the largest $q$ of weights that beat zero, and of stationary weights (ours).

    For any data with $\sigma=\|X\|/\sqrt d$ and one unit of finite support without bias. With
    $\bar h=\max|h|$ weights of $\mathcal L(W)\le0$ have
    $\frac12\bar h^2q-\bar h\sigma\sqrt{q/\alpha}+\log P(|h|=\bar h)\le0$, and stationary weights
    $\sqrt q\,\langle h^2\rangle_q\le\bar h\sigma/\sqrt\alpha$: for signs $q\le4\sigma^2/\alpha$ and
    $q\le\sigma^2/\alpha$. Strong signals attain both in the limit.

    Parameters
    ----------
    sigma : float
        Largest singular value of the data over $\sqrt d$, positive.
    alpha : float
        Sample ratio.
    hidden : Discrete
        Law of the hidden unit.

    Returns
    -------
    beats_zero : float
    stationary : float

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    sigma, alpha = float(positive(sigma, "sigma")), float(positive(alpha, "alpha"))
    if not isinstance(check_prior(hidden, "hidden"), Discrete):
        raise ValueError(f"hidden must have finitely many values; got {hidden!r}")
    sizes, p = np.abs(hidden.support), np.array(hidden.probabilities)
    top, slope = sizes.max(), sigma / np.sqrt(alpha)
    beats_zero = ((slope + np.sqrt(slope**2 - 2.0 * np.log(p[sizes == top].sum()))) / top) ** 2

    def excess(q: float) -> float:
        return np.sqrt(q) * eta2_moments([[q]], hidden).second[0, 0] - top * slope

    high = 1.0
    while excess(high) < 0.0:
        high *= 2.0
    return float(beats_zero), float(brentq(excess, 0.0, high, xtol=1e-14))


def potential(
    state: Iterable[float], alpha: float, snr: float, hidden: Prior, prior_u: Prior
) -> float:
    """Return the potential at checked (m, q, tau, gamma)."""
    m, q, tau, gamma = state
    envelope = FieldLaw(snr * m, q, hidden, prior_u).averages(gamma / tau).envelope
    penalty = eta2_moments([[q]], hidden).eta2
    return float(tau * (0.5 * gamma - np.sqrt(q - m * m)) + alpha * (envelope + penalty))


def gradient(
    state: Iterable[float], alpha: float, snr: float, hidden: Prior, prior_u: Prior
) -> np.ndarray:
    """Return its four derivatives at checked (m, q, tau, gamma)."""
    m, q, tau, gamma = state
    length = np.sqrt(q - m * m)
    average = FieldLaw(snr * m, q, hidden, prior_u).averages(gamma / tau)
    second = eta2_moments([[q]], hidden).second[0, 0]
    return np.array(
        [
            tau * m / length - alpha * snr * average.ug,
            0.5 * (alpha * (second - average.derivative) - tau / length),
            0.5 * gamma - length + 0.5 * alpha * gamma * average.gg / tau**2,
            0.5 * tau - 0.5 * alpha * average.gg / tau,
        ]
    )


def check_problem(
    alpha: float, snr: float, hidden: Prior, prior_u: Prior
) -> tuple[float, float, Prior, Prior]:
    """Check and return what the potential depends on beside the state."""
    alpha, snr = sample_ratio(alpha), signal_strength(snr)
    response_bound(hidden)  # there is none for a unit that is constant
    check_precision(check_standardised(prior_u, "prior_u"), snr**2, "snr")
    return alpha, snr, hidden, prior_u


def check_state(
    m: float, q: float, tau: float, gamma: float, hidden: Prior
) -> tuple[float, float, float, float]:
    """Check and return a state: inside the domain of the potential."""
    m = finite_real(m, "m", at_least=-MAX_SIZE, at_most=MAX_SIZE)
    q, tau, gamma = (
        finite_real(value, name, at_least=1.0 / MAX_SIZE, at_most=MAX_SIZE)
        for value, name in ((q, "q"), (tau, "tau"), (gamma, "gamma"))
    )
    if q <= m * m:
        raise ValueError(f"q must be greater than m**2; got q={q!r}, m={m!r}")
    if isinstance(hidden, Gaussian) and (q >= 1.0 or gamma >= tau):
        name = "q" if q >= 1.0 else "gamma / tau"
        raise ValueError(f"{name} must be below one for Gaussian hidden units")
    return m, q, tau, gamma
