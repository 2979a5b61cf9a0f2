r"""State evolution of AMP-RBM and its fixed point (paper eqs. 19-22, 58-61, 75-76)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import root as find_root

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import (
    finite_array,
    finite_real,
    positive_integer,
    proper_share,
    random_generator,
    sample_ratio,
    signal_strength,
    symmetric_matrix,
)
from rbmnotes.model.continuous import check_precision
from rbmnotes.model.hidden_sum import check_states, hidden_moments
from rbmnotes.model.multiplier import CAP, MultiplierStep, multiplier_step
from rbmnotes.model.objective import eta2
from rbmnotes.model.priors import Gaussian, Prior, Rademacher, check_prior, check_standardised
from rbmnotes.model.proximal import check_response, response_bound
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory._damped_evolution import DampedIterates
from rbmnotes.theory.quadrature import FieldAverages, field_averages

LARGEST_START = 1e20
"""Size of a start of the recursion for one unit."""


@dataclass(frozen=True, eq=False)
class StateEvolution(Frozen):
    r"""Order parameters along state evolution, the start first.

    Attributes
    ----------
    M : (n_iter + 1, r, k) array
        Signal overlaps.
    Q : (n_iter + 1, k, k) array
        Self overlaps.
    V : (n_iter + 1, k, k) array
        Responses.
    error : float
        Largest standard error of the averages of one iteration (three units or more, or damping),
        else zero.
    message : str
        Empty, or why the recursion stopped early.
    """

    M: np.ndarray
    Q: np.ndarray
    V: np.ndarray
    error: float
    message: str


def state_evolution(
    model: SpikedModel,
    M0: ArrayLike,
    Q0: ArrayLike,
    V0: ArrayLike | None = None,
    n_iter: int = 20,
    hidden: Prior = Rademacher(),
    rng: Seed = 0,
    damping: float = 0.0,
) -> StateEvolution:
    r"""Predict every iteration of :func:`rbmnotes.amp_rbm` (Theorem 3, paper eqs. 19 and 58-60).

    $\hat M=\alpha E[Ug^\top]$, $\hat Q=\alpha E[gg^\top]$ and
    $A=-\alpha E[\partial_\omega g]$ over the fields $\omega\sim M^\top\Lambda U+Q^{1/2}G$; the
    multiplier step with $B=\hat M^\top\Lambda^2\hat M+\hat Q$ gives $V$, and then $Q=VBV$,
    $M=\Lambda\hat MV$. A channel enters through its information coefficient. The law of the
    signals' entries does not matter. With damping, $M$ and $V$ are mixed as the algorithm mixes
    them, and $Q$ needs $E[g^tg^{s\top}]$ of all earlier iterations $s$ too, which is found by
    quasi-Monte-Carlo sampling: a cost that grows as the square of `n_iter`.

    Parameters
    ----------
    model : SpikedModel
    M0 : (r, k) array
        Overlap of the start.
    Q0 : (k, k) array
        Self overlap of the start; positive definite and at least $M_0^\top M_0$.
    V0 : (k, k) array, optional
        First response; zero if absent.
    n_iter : int
        Number of iterations.
    hidden : Prior
        Law of a hidden unit.
    rng : int or numpy.random.Generator
        Scrambling of the quasi-Monte-Carlo points, for three units or more, or with damping.
    damping : float
        That of the algorithm, in $[0,1)$.

    Returns
    -------
    StateEvolution

    Raises
    ------
    ValueError
        If shapes do not match, $Q_0$ is not symmetric or not above $M_0^\top M_0$, or $V_0$ or
        `damping` is out of range.
    """
    if not isinstance(model, SpikedModel):
        raise ValueError(f"model must be a SpikedModel; got {model!r}")
    check_prior(hidden, "hidden")
    M = finite_array(M0, "M0", (model.r, None)).astype(np.float64, copy=False)
    k = M.shape[1]
    check_states(hidden, k, "M0")
    Q = symmetric_matrix(Q0, "Q0", k)
    if np.linalg.eigvalsh(Q)[0] <= 0 or np.linalg.eigvalsh(Q - M.T @ M)[0] < -1e-10:
        raise ValueError("Q0 must be positive definite and at least M0^T M0")
    V = check_response(np.zeros((k, k)) if V0 is None else V0, "V0", k, hidden)
    n_iter = positive_integer(n_iter, "n_iter", minimum=0)
    random_generator(rng)  # only checked: with a seed, every iteration takes the same points
    damping = proper_share(damping, "damping")

    snr = model.information_coefficient * np.array(model.snr)
    path, error, message = [(M, Q, V)], 0.0, ""
    iterates = DampedIterates(M, Q, damping, model.alpha, snr, model.prior_u, hidden, rng)
    for _ in range(n_iter):
        average = field_averages(M, Q, V, snr, model.prior_u, hidden, rng)
        M_hat = model.alpha * average.ug
        weighted = snr[:, None] * M_hat
        B = weighted.T @ weighted + model.alpha * average.gg
        step = multiplier_step(B, -model.alpha * average.derivative, model.alpha, V, hidden)
        if step.message:
            message = step.message
            break
        if damping > 0.0:
            M, Q = iterates.advance(V, weighted, average.gg, step.V)
            V = (1.0 - damping) * step.V + damping * V
        else:
            V = step.V
            Q = V @ B @ V
            M, Q = weighted @ V, 0.5 * (Q + Q.T)
        path.append((M, Q, V))
        error = max(error, average.error, iterates.error)
    M, Q, V = map(np.array, zip(*path, strict=True))
    return StateEvolution(M, Q, V, error, message)


@dataclass(frozen=True)
class FixedPoint:
    r"""Fixed point of state evolution for one unit and one signal.

    Attributes
    ----------
    m : float
        Signal overlap.
    q : float
        Self overlap.
    V : float
        Response.
    overlap : float
        $m/\sqrt q$.
    replicon : float
        $\alpha V^2E[(\partial_\omega g)^2]$; below one AMP converges and the theory is stable.
    loss : float
        Limit of the objective, $\alpha(\eta_2(q)-E\,\eta_1(z))$.
    converged : bool
        Whether all three equations hold, to 1e-10 or what round-off allows, with $V$ below the
        bound of the proximal map.
    message : str
        What happened, whether the replicon condition holds, and whether $V$ is above the cap at
        which AMP keeps it: there AMP cannot follow.
    """

    m: float
    q: float
    V: float
    overlap: float
    replicon: float
    loss: float
    converged: bool
    message: str


def fixed_point(
    alpha: float,
    snr: float,
    hidden: Prior = Rademacher(),
    prior_u: Prior = Rademacher(),
    start: float | None = None,
    max_iter: int = 2000,
) -> FixedPoint:
    r"""Solve state evolution for $k=r=1$ (Corollary 1, paper eqs. 75-76).

    The recursion is followed from its start, with AMP's cap on $V$, until it moves slowly; then
    Newton's method solves the equations without a cap.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    hidden : Prior
        Law of the hidden unit.
    prior_u : Prior
        Law of a latent variable: zero mean, unit variance.
    start : float, optional
        First overlap $m$, with $q=m^2+1/2$; the signal strength if absent (the informed branch).
        For Gaussian hidden units $q=(1+m^2)/2$, $|m|<1$, and $1/2$ if absent. Zero leads to the
        state without overlap.
    max_iter : int
        Largest number of iterations of the recursion.

    Returns
    -------
    FixedPoint
        Also if it did not converge; then `converged` is false and the message says why.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    alpha, snr = sample_ratio(alpha), signal_strength(snr)
    check_prior(hidden, "hidden")
    check_precision(check_standardised(prior_u, "prior_u"), snr**2, "snr")
    state = _first_state(alpha, snr, hidden, start)
    max_iter = positive_integer(max_iter, "max_iter")
    strengths = np.array([snr])

    def averages(state: np.ndarray) -> FieldAverages:
        m, q, V = state
        return field_averages(
            np.array([[m]]), np.array([[q]]), np.array([[V]]), strengths, prior_u, hidden
        )

    def iterate(state: np.ndarray) -> tuple[np.ndarray, MultiplierStep]:
        """Return the next state, with the cap on V, and the multiplier step."""
        average = averages(state)
        slope = alpha * snr * average.ug[0, 0]
        B = slope**2 + alpha * average.gg[0, 0]
        step = multiplier_step([[B]], -alpha * average.derivative, alpha, [[state[2]]], hidden)
        V = step.V[0, 0]
        return np.array([slope * V, B * V * V, V]), step

    def residual(state: np.ndarray) -> np.ndarray:
        """Return how far the three equations, which know no cap, are from holding."""
        m, q, V = state
        average = averages(state)
        slope, gg = alpha * snr * average.ug[0, 0], alpha * average.gg[0, 0]
        multiplier = alpha * hidden_moments(np.array([[q]]), hidden).second[0, 0]
        response = 1.0 / (multiplier - alpha * average.derivative[0, 0])
        return np.array([slope * V - m, (slope**2 + gg) * V * V - q, response - V])

    message = ""
    for iteration in range(max_iter):
        new_state, step = iterate(state)
        if step.message or not new_state[1] > 1e-300:
            message = step.message or "the weights shrank to zero"
            break
        change = np.max(np.abs(new_state - state))
        # At large alpha the recursion can end in a cycle of two states; half steps leave it.
        state = new_state if iteration < 30 else 0.5 * (state + new_state)
        settled = change < 1e-13 * _round_off(state)
        if settled or (change < 1e-3 and not step.capped):
            polished = _polish(residual, state, hidden)
            if settled or polished is not state:
                state = polished
                break
    if message:
        return FixedPoint(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, False, message)
    return _describe(alpha, state, averages(state), residual(state), hidden)


def _first_state(alpha: float, snr: float, hidden: Prior, start: float | None) -> np.ndarray:
    """Return the (m, q, V) at which the recursion starts; Gaussian units need q below one."""
    m = max(snr, 0.5)
    if start is not None:
        m = finite_real(start, "start", at_least=-LARGEST_START, at_most=LARGEST_START)
    V = min(1.0 / alpha, 0.5 * response_bound(hidden))
    if not isinstance(hidden, Gaussian):
        return np.array([m, m * m + 0.5, V])
    m = 0.5 if start is None else m
    if abs(m) >= 1.0:
        raise ValueError(f"start must be between -1 and 1 for Gaussian hidden units; got {m!r}")
    return np.array([m, 0.5 * (1.0 + m * m), V])


def _polish(
    residual: Callable[[np.ndarray], np.ndarray], state: np.ndarray, hidden: Prior
) -> np.ndarray:
    r"""Newton's method from a state near the end; the state itself if it does not end near.

    In $(m,\log q,\sqrt{1-V/\text{bound}})$, since the averages have a root singularity at the
    bound.
    """
    bound, largest = response_bound(hidden), 1.0 if isinstance(hidden, Gaussian) else np.inf

    def inside(x: np.ndarray) -> np.ndarray:
        return np.array([x[0], np.exp(x[1]), bound * (1.0 - x[2] ** 2)])

    m, q, V = state
    start = np.array([m, np.log(q), np.sqrt(1.0 - V / bound)])

    def equations(x: np.ndarray) -> np.ndarray:
        near = np.max(np.abs(x - start)) < 1.0 + abs(m)
        usable = near and np.exp(x[1]) < largest and 0.0 < x[2] ** 2 < 1.0
        return residual(inside(x)) if usable else np.full(3, 1e3)

    found = find_root(equations, start, tol=1e-14, options={"maxfev": 200})
    end = inside(found.x)
    near = np.max(np.abs(end - state)) < 0.2 * max(1.0, np.abs(state).max())
    return end if near and np.max(np.abs(found.fun)) < 1e-11 * _round_off(state) else state


def _round_off(state: np.ndarray) -> float:
    """Return the factor by which round-off in a state exceeds that of numbers up to thirty."""
    return max(1.0, np.abs(state).max() / 30.0)


def _describe(
    alpha: float, state: np.ndarray, average: FieldAverages, residual: np.ndarray, hidden: Prior
) -> FixedPoint:
    """Measure a state and say in words what it is."""
    m, q, V = map(float, state)
    solved = bool(np.max(np.abs(residual)) < 1e-10 * _round_off(state))
    replicon = float(alpha * V * V * average.squared_derivative)
    cap = CAP * response_bound(hidden)
    if not solved:
        at_cap = cap * (1.0 - 1e-9) < V
        message = "V is at its cap: outside the range of the theory" if at_cap else "not converged"
    else:
        message = "converged"
        if replicon > 1.0 + 1e-9:  # Gaussian units without overlap are at one
            message += f", but the replicon {replicon:.4g} exceeds one: not stable"
        if cap < V:
            message += "; V is above the cap that AMP puts on it"
    return FixedPoint(
        m=m,
        q=q,
        V=V,
        overlap=float(m / np.sqrt(q)),
        replicon=replicon,
        loss=float(alpha * (eta2([[q]], hidden) - average.eta1)),
        converged=solved,
        message=message,
    )
