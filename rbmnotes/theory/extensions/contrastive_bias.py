r"""Where contrastive divergence ends: its bias and its noise, for one unit and one signal (ours).

At long times the mean-field theory of CD-$J$ closes. The negative phase enters it through the
multiplier $\Gamma$ of the chains and the variance $\Xi$ of a white noise,

.. math::
    \Gamma=\alpha E\big[s\,F(f)+F'(f)\big],\qquad \Xi=\alpha E\,F(f)^2,\qquad f=qs+\sqrt q\,G,

with $F=\eta_1'$ and $s$ the hidden unit of the last cycle: drawn at a field on the data, then
moved $J-1$ times by the transitions of the Gibbs chain.

*Bias.* Without noise, at a vanishing learning rate, the equations are those of state evolution with
$2\alpha\eta_2'(q)$ replaced by $\Gamma$: $z=\omega+VF(z)$, $\omega\sim N(\lambda mU,q)$, $g=F(z)$
and

.. math::
    V=\frac1{\Gamma-\alpha E\,\partial_\omega g},\qquad m=V\lambda\alpha E[Ug],\qquad
    q=m^2+V^2\alpha E\,g^2.

CD is unbiased where $\Gamma=2\alpha\eta_2'(q)$: always for a Rademacher unit, since
$E[s\tanh f|s]=E[\tanh^2f|s]$ makes $\Gamma=\alpha$; and for persistent chains, whose hidden units
have the law $P_h(s)e^{qs^2/2}$ of the model.

*Noise.* Linear deviations follow $\delta W\to(I-\kappa H)\,\delta W+\kappa\upsilon$ with
$H=\Gamma I-\frac1dX^\top F'X$. Since
$\kappa^2[I-(I-\kappa H)^2]^{-1}=\frac\kappa2[H^{-1}+(\frac2\kappa I-H)^{-1}]$, their variances are

.. math::
    q-q_0=\mathcal T(V+\bar V),\qquad
    {\rm var}\,h_\mu=\mathcal T\Big(\frac V{1-VF'_\mu}+\frac{\bar V}{1+\bar VF'_\mu}\Big),\qquad
    \mathcal T=\frac{\kappa\,\Xi}2,
    \qquad\frac1{\bar V}=\frac2\kappa-\Gamma+\alpha E\frac{F'}{1+\bar VF'},

with $F'_\mu=F'(z_\mu)$; $V$ is the trace of $H^{-1}$ and $\bar V$ that of
$(\frac2\kappa I-H)^{-1}$, the response of the fastest modes. In small steps $\bar V$ vanishes, and
weights at a temperature $\mathcal T$ have the law of Gibbs: given $\omega\sim N(\lambda mU,q_0)$
the field of a sample has the density
$\propto\exp\frac1{\mathcal T}[\eta_1(z)-\frac{(z-\omega)^2}{2V}]$. Here it is taken at the
temperature that gives it the variance above, $g$ becomes $(\langle z\rangle-\omega)/V$, and $q_0$
takes the place of $q$. That is exact to first order in the noise at any learning rate, and to first
order in $\kappa$. Near the $\kappa$ at which $\bar V$ ends, the stability limit of the steps, the
noise is no longer small and the numbers are estimates.

At the points of Corollary 1, for symmetric units, $k$ units run independent chains and each of them
ends as described here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import root as find_root

from rbmnotes._types import Vector
from rbmnotes._validation import (
    finite_real,
    not_negative,
    positive_integer,
    sample_ratio,
    signal_strength,
    true_or_false,
)
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Discrete, Prior, Rademacher, check_prior, check_standardised
from rbmnotes.model.proximal import response_bound
from rbmnotes.theory.quadrature import line_grid
from rbmnotes.theory.state_evolution import fixed_point

NODES = np.linspace(-9.0, 9.0, 121)
"""Standard normal variable of the visible units, and the spread of a field at its temperature."""
NORMAL = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()
CLOSEST = 1e-4
"""Relative distance of the response to its bound below which no state is looked for."""
MAX_POINTS = 2**16
"""Largest number of fields."""


@dataclass(frozen=True)
class ContrastivePoint:
    r"""Stationary state of contrastive divergence for one unit and one signal.

    Attributes
    ----------
    m, q, V : float
        Signal overlap, self overlap, response.
    overlap : float
        $m/\sqrt q$.
    penalty : float
        $\Gamma/\alpha$, to be compared with $\langle h^2\rangle_q$ of the likelihood.
    second_moment : float
        $\langle h^2\rangle_q$.
    noise : float
        $\Xi$, the variance of the noise of a step over the square of the learning rate.
    temperature : float
        $\mathcal T=\kappa\,\Xi/2$.
    fast_response : float
        $\bar V$, the response of the fastest modes; zero for small steps.
    converged : bool
        Whether the equations hold to 1e-9 with $V$ in its range.
    message : str
        What happened.
    """

    m: float
    q: float
    V: float
    overlap: float
    penalty: float
    second_moment: float
    noise: float
    temperature: float
    fast_response: float
    converged: bool
    message: str


def negative_moments(
    law: np.ndarray, q: float, hidden: Discrete, cycles: int, persistent: bool = False
) -> tuple[float, float]:
    r"""Return $\Gamma/\alpha$ and $\Xi/\alpha$ of the negative phase of one unit.

    Parameters
    ----------
    law : (s,) array
        Law of the hidden unit on the data, over the support.
    q : float
        Self overlap, positive.
    hidden : Discrete
    cycles : int
        Number $J$ of cycles.
    persistent : bool
        Whether chains have forgotten the data: then neither `law` nor `cycles` matters.

    Returns
    -------
    penalty, square : float
    """
    s = np.array(hidden.support)
    f = q * s[:, None] + np.sqrt(q) * NODES
    mean = hidden.tilted_mean(f)
    if persistent:
        law = _tilted_law(hidden, 0.0, 0.5 * q * s * s)
    else:
        transition = np.einsum("j,ijs->is", NORMAL, _tilted_law(hidden, f))
        law = law @ np.linalg.matrix_power(transition, cycles - 1)
    per_state = (s[:, None] * mean + hidden.tilted_variance(f)) @ NORMAL
    return float(law @ per_state), float(law @ (mean**2 @ NORMAL))


def _tilted_law(
    hidden: Discrete, z: float | np.ndarray, extra: float | np.ndarray = 0.0
) -> np.ndarray:
    """Probabilities of the support, on the last axis, in a field and with extra log weights."""
    terms = np.log(hidden.probabilities) + np.multiply.outer(z, hidden.support) + extra
    terms = np.exp(terms - terms.max(axis=-1, keepdims=True))
    return terms / terms.sum(axis=-1, keepdims=True)


def contrastive_fixed_point(
    alpha: float,
    snr: float,
    hidden: Prior = Rademacher(),
    cycles: int = 1,
    learning_rate: float = 0.0,
    persistent: bool = False,
    prior_u: Prior = Rademacher(),
) -> ContrastivePoint:
    r"""Solve for the end of CD-$J$, $k=r=1$, on the branch of the likelihood's fixed point (ours).

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    hidden : Discrete
        Law of the hidden unit.
    cycles : int
        Number $J$ of Gibbs cycles.
    learning_rate : float
        $\kappa\ge0$; zero for the bias alone.
    persistent : bool
        Whether chains are persistent.
    prior_u : Discrete
        Law of a latent variable: zero mean, unit variance.

    Returns
    -------
    ContrastivePoint
        Also if it was not found; then `converged` is false and the message says why.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    alpha, snr = sample_ratio(alpha), signal_strength(snr)
    rate = finite_real(not_negative(learning_rate, "learning_rate"), "learning_rate")
    cycles = positive_integer(cycles, "cycles")
    persistent = true_or_false(persistent, "persistent")
    for name, prior in (("hidden", check_prior(hidden, "hidden")), ("prior_u", prior_u)):
        if not isinstance(prior, Discrete):
            raise ValueError(f"{name} must have a finite support; got {prior!r}")
    check_standardised(prior_u, "prior_u")
    assert isinstance(hidden, Discrete)
    assert isinstance(prior_u, Discrete)
    likelihood = fixed_point(alpha, snr, hidden, prior_u)
    if not likelihood.converged:
        return _not_found(f"the likelihood has no such fixed point: {likelihood.message}")
    if (1.0 - CLOSEST) * response_bound(hidden) < likelihood.V:
        return _not_found(f"the response of the likelihood, {likelihood.V:.6g}, is at its bound")

    def follow(state: Vector) -> tuple[np.ndarray, float, float]:
        m, q0, V, T, fast = state
        average = _field_averages(snr * m, q0, V, T, fast, hidden, prior_u)
        q = q0 + T * (V + fast)
        penalty, square = negative_moments(average.law, q, hidden, cycles, persistent)
        V_next = 1.0 / (alpha * (penalty - average.slope))
        m_next = V_next * snr * alpha * average.ug
        q0_next = m_next**2 + V_next**2 * alpha * average.gg
        fastest = rate and 1.0 / (2.0 / rate + alpha * (average.damping - penalty))
        next_state = np.array((m_next, q0_next, V_next, 0.5 * rate * alpha * square, fastest))
        return next_state, penalty, alpha * square

    def residual(state: np.ndarray) -> np.ndarray:
        if not (state[1] > 0 and 0 < state[2] < response_bound(hidden) and min(state[3:]) >= 0):
            return np.full(5, 1e3)
        return follow(state)[0] - state

    state = np.array([likelihood.m, likelihood.q, likelihood.V, 0.0, 0.0])
    if rate > 0:
        slow = contrastive_fixed_point(alpha, snr, hidden, cycles, 0.0, persistent, prior_u)
        if not slow.converged:
            return slow
        state[:3] = slow.m, slow.q, slow.V
        for _ in range(100):  # noise and fastest modes, at the place without noise
            state[3:] = np.maximum(follow([*state[:3], 0.0, state[4]])[0][3:], 0.0)
    solution = find_root(residual, state, options={"xtol": 1e-13})
    if not np.max(np.abs(residual(solution.x))) < 1e-9:
        return _not_found("no stationary state found near the likelihood's")
    m, q0, V, T, fast = map(float, solution.x)
    _, penalty, noise = follow(solution.x)
    q = q0 + T * (V + fast)
    return ContrastivePoint(
        m=m,
        q=q,
        V=V,
        overlap=m / float(np.sqrt(q)),
        penalty=penalty,
        second_moment=float(eta2_moments([[q]], hidden).second[0, 0]),
        noise=noise,
        temperature=T,
        fast_response=fast,
        converged=True,
        message="converged",
    )


def _not_found(message: str) -> ContrastivePoint:
    m = q = V = overlap = penalty = second = noise = temperature = fast = np.nan
    return ContrastivePoint(
        m, q, V, overlap, penalty, second, noise, temperature, fast, False, message
    )


@dataclass(frozen=True)
class _FieldAverages:
    r"""$E[Ug]$, $E\,g^2$, $E\,\partial_\omega g$, $E\frac{F'}{1+\bar VF'}$, law of the unit."""

    ug: float
    gg: float
    slope: float
    damping: float
    law: np.ndarray


def _field_averages(
    drift: float, q0: float, V: float, T: float, fast: float, hidden: Discrete, prior_u: Discrete
) -> _FieldAverages:
    """Average over the samples, on a grid of the most likely field of each."""
    totals, law = np.zeros(4), np.zeros(len(hidden.support))
    for u, weight in zip(prior_u.support, prior_u.probabilities, strict=True):
        low, high, count = line_grid(drift * u, q0, V, hidden)
        z, step = np.linspace(low, high, min(count, MAX_POINTS), retstep=True)
        g, curvature = hidden.tilted_mean(z), hidden.tilted_variance(z)
        omega, jacobian = z - V * g, 1.0 - V * curvature
        deviation = omega - drift * u
        density = np.exp(-0.5 * deviation**2 / q0) / np.sqrt(2 * np.pi * q0)
        measure = weight * step * density * jacobian
        states = _tilted_law(hidden, z)
        if T > 0.0:
            variance = T * (V / jacobian + fast / (1.0 + fast * curvature))
            temperature = (variance * jacobian / V)[:, None]
            x = z[:, None] + np.sqrt(variance)[:, None] * NODES
            log_weight = (hidden.log_mgf(x) - (x - omega[:, None]) ** 2 / (2 * V)) / temperature
            inner = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
            inner /= inner.sum(axis=1, keepdims=True)
            g = (np.sum(inner * x, axis=1) - omega) / V
            states = np.einsum("ij,ijs->is", inner, _tilted_law(hidden, x))
        slope = deviation * g / q0  # integrated by parts
        damping = curvature / (1.0 + fast * curvature)
        totals += np.array([u * g, g * g, slope, damping]) @ measure
        law += measure @ states
    ug, gg, slope, damping = totals
    return _FieldAverages(ug, gg, slope, damping, law)
