r"""AMP-RBM: approximate message passing for the training objective (paper's Algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import finite_array, finite_real, positive_integer, proper_share
from rbmnotes.algorithms.evaluation import evaluate
from rbmnotes.algorithms.starts import random_start, spectral_start
from rbmnotes.model.hidden_sum import check_states
from rbmnotes.model.multiplier import multiplier_step
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Prior, Rademacher, check_prior
from rbmnotes.model.products import times, transposed_times
from rbmnotes.model.proximal import check_response, proximal_sums, response_bound


@dataclass(frozen=True, eq=False)
class AMPHistory(Frozen):
    r"""Order parameters along a run, ``n_iter + 1`` entries, the start first.

    Attributes
    ----------
    M : (n_iter + 1, r, k) array or None
        $\frac1dW^{\star\top}W^t$; only if the signals were given.
    Q : (n_iter + 1, k, k) array
        $\frac1dW^{t\top}W^t$.
    V : (n_iter + 1, k, k) array
        Responses.
    change : (n_iter,) array
        Root mean square change of an entry of $W$ in each iteration.
    """

    M: np.ndarray | None
    Q: np.ndarray
    V: np.ndarray
    change: np.ndarray


@dataclass(frozen=True, eq=False)
class AMPResult(Frozen):
    r"""Outcome of :func:`amp_rbm`.

    Attributes
    ----------
    W : (d, k) array
        Weights at the end.
    V : (k, k) array
        Response at the end.
    omega : (n, k) array
        Fields of the last iteration, before the proximal map.
    converged : bool
        Whether the weights stopped changing, with the cap on $V$ inactive.
    n_iter : int
        Number of iterations done.
    gradient_size : float
        $\|d\,\nabla\mathcal L\|_F/\sqrt{dk}$ at the end.
    message : str
        What happened, in words.
    history : AMPHistory
    """

    W: np.ndarray
    V: np.ndarray
    omega: np.ndarray
    converged: bool
    n_iter: int
    gradient_size: float
    message: str
    history: AMPHistory


def amp_rbm(
    X: ArrayLike,
    k: int | None = None,
    hidden: Prior = Rademacher(),
    start: str | ArrayLike = "random",
    V0: ArrayLike | None = None,
    damping: float = 0.0,
    tol: float = 1e-10,
    max_iter: int = 200,
    rng: Seed = None,
    W_star: ArrayLike | None = None,
) -> AMPResult:
    r"""Train an RBM by AMP (paper's Algorithm 1, eqs. 16-18, 56-57).

    One iteration, with $g=\eta_1'(z)$ at the proximal point $z$ of the field $\omega$:
    $\omega^t=\frac1{\sqrt d}XW^t-g^{t-1}V^t$; $A^t=-\frac1d\sum_\mu\partial_\omega g$;
    $b^t=\frac1{\sqrt d}X^\top g^t+W^tA^t$; the multiplier step gives $V^{t+1}$, and then
    $W^{t+1}=b^tV^{t+1}$. It stops when the root mean square change of an entry of $W$ falls below
    `tol` with the cap on $V$ inactive: there the gradient of the objective vanishes (Theorem 2).

    Parameters
    ----------
    X : (n, d) array
        Data, one sample a row. ``float32`` data are not copied to ``float64``.
    k : int, optional
        Number of hidden units; needed unless `start` is an array.
    hidden : Prior
        Law of a hidden unit.
    start : {"random", "spectral"} or (d, k) array
        Normal weights; leading singular vectors with their Onsager correction; or weights
        independent of the noise, such as :func:`rbmnotes.informed_start` returns.
    V0 : (k, k) array, optional
        First response; it changes the path, not the fixed point. Zero if absent, but for a random
        start: its weights then have variance $q=\min(1,2/\sqrt\alpha)$, with $V_0=q/2$. That is for
        signs the state without overlap at large $\alpha$ (ours), where weights of variance one
        are so large that the first multiplier step may have no solution. With `V0` given a random
        start is standard normal.
    damping : float
        In $[0,1)$: share of the old weights and response kept in an iteration. The fields then hold
        an echo of all earlier iterations, and the Onsager term of the mixture is the same mixture
        of Onsager terms (ours): so damped iterates follow
        :func:`rbmnotes.state_evolution` with the same damping, as undamped ones do without. It
        leaves the fixed points and the replicon line alone: it slows down an iteration that
        converges and does not make one converge whose replicon exceeds one.
    tol : float
        When to stop.
    max_iter : int
        Largest number of iterations.
    rng : int or numpy.random.Generator, optional
        Seed or generator of a random start.
    W_star : (d, r) array, optional
        Signals, only to record the overlaps.

    Returns
    -------
    AMPResult

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not match.
    """
    X = finite_array(X, "X", (None, None))
    n, d = X.shape
    check_prior(hidden, "hidden")
    if k is not None or isinstance(start, str):
        k = positive_integer(k, "k")
    if not isinstance(start, str):
        start = finite_array(start, "start", (d, k)).astype(np.float64)
        k = start.shape[1]
    assert k is not None
    check_states(hidden, k, "k")
    alpha, root_d = n / d, np.sqrt(d)
    variance = 1.0
    if V0 is None and isinstance(start, str) and start == "random":
        variance = min(1.0, 2.0 / np.sqrt(alpha))
        V0 = 0.5 * min(variance, response_bound(hidden)) * np.eye(k)
    V = check_response(np.zeros((k, k)) if V0 is None else V0, "V0", k, hidden)
    damping = proper_share(damping, "damping")
    tol, max_iter = finite_real(tol, "tol", above=0.0), positive_integer(max_iter, "max_iter")
    if W_star is not None:
        W_star = finite_array(W_star, "W_star", (d, None))
    W, factors = _start(X, k, start, variance, rng)

    z = None
    echo = 0.0  # what the g of earlier iterations left in XW
    converged, message = False, f"not converged after {max_iter} iterations"
    overlaps, norms, responses, changes = [], [W.T @ W / d], [V], []
    if W_star is not None:
        overlaps.append(W_star.T @ W / d)

    for _ in range(max_iter):
        field = times(X, W) / root_d
        omega = field * factors if z is None else field - echo
        if z is None:
            z, echo = omega.copy(), field - omega
        g, derivative = proximal_sums(omega, V, hidden, z)
        A = -derivative / d
        b = transposed_times(X, g) / root_d + W @ A
        step = multiplier_step(b.T @ b / d, A, alpha, V, hidden)
        if step.message:
            message = f"{step.message}; {_remedy(alpha)}"
            break
        new_W = b @ step.V
        change = np.linalg.norm(new_W - W) / np.sqrt(d * k)
        if not np.isfinite(change) or change > 1e6:
            message = "diverged"
            break
        W = (1.0 - damping) * new_W + damping * W
        V = (1.0 - damping) * step.V + damping * V
        echo = (1.0 - damping) * (g @ step.V) + damping * echo
        norms.append(W.T @ W / d)
        responses.append(V)
        changes.append(change)
        if W_star is not None:
            overlaps.append(W_star.T @ W / d)
        if change < tol:
            converged = not step.capped
            message = "converged" if converged else "stopped with V at its cap: not stationary"
            break

    history = AMPHistory(
        M=np.array(overlaps) if W_star is not None else None,
        Q=np.array(norms),
        V=np.array(responses),
        change=np.array(changes),
    )
    gradient_size = _gradient_size(X, W, hidden)
    return AMPResult(W, V, omega, converged, len(changes), gradient_size, message, history)


def _start(
    X: np.ndarray, k: int, start: str | np.ndarray, variance: float, rng: Seed
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first weights and the factors of their first fields."""
    if not isinstance(start, str):
        return start, np.ones(k)
    if start == "random":
        return np.sqrt(variance) * random_start(X.shape[1], k, rng), np.ones(k)
    if start == "spectral":
        return spectral_start(X, k)
    raise ValueError(f'start must be "random", "spectral" or an array; got {start!r}')


def _remedy(alpha: float) -> str:
    """Return what to do if the multiplier step has no solution, in words."""
    if alpha > 1.0:
        return 'try start="spectral", or another rng'
    return "with no more samples than dimensions train by gradient_descent or adam"


def _gradient_size(X: np.ndarray, W: np.ndarray, hidden: Prior) -> float:
    r"""Size $\|d\,\nabla\mathcal L\|_F/\sqrt{dk}$ of the gradient, infinite if $\eta_2$ is."""
    try:
        moments = eta2_moments(W.T @ W / len(W), hidden)
    except ValueError:
        return np.inf
    return evaluate(X, W, hidden, moments).gradient_size
