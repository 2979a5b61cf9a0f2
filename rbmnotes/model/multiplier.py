r"""The $k\times k$ multiplier step: how the penalty enters AMP and state evolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg

from rbmnotes._validation import finite_array, finite_real
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.priors import Discrete, Prior, Rademacher
from rbmnotes.model.proximal import response_bound

CAP = 0.95
"""The step keeps $V$ below this fraction of the bound of the proximal map."""


@dataclass(frozen=True)
class MultiplierStep:
    r"""Solution of the $k\times k$ problem that one iteration of AMP or state evolution solves.

    Attributes
    ----------
    V : (k, k) array
        Response $(A+\Gamma)^{-1}$, its eigenvalues capped at 0.95 of :func:`response_bound`.
    multiplier : (k, k) array
        $\Gamma=\alpha\langle hh^\top\rangle_Q$ at $Q=VBV$ before the cap.
    capped : bool
        Whether the cap was active.
    residual : float
        Gradient of the problem at the solution, relative to $\|B\|^{1/2}$.
    message : str
        Empty if all is well; else why no solution was found, and `V` is NaN.
    """

    V: np.ndarray
    multiplier: np.ndarray
    capped: bool
    residual: float
    message: str


def multiplier_step(B, A, alpha: float, V, hidden: Prior = Rademacher()) -> MultiplierStep:
    r"""Solve $V=(A+\alpha\langle hh^\top\rangle_Q)^{-1}$, $Q=VBV$, for the response $V$ (ours).

    The proximal step of the non-separable penalty. With $R=B^{1/2}$ and $T=RV$ it is the
    stationarity condition of
    $\min_T\frac12{\rm tr}(TAT^\top)-{\rm tr}(RT)+\alpha\eta_2(T^\top T)$, minimised from the
    previous response by a trust-region Newton method and polished by Newton steps.

    Parameters
    ----------
    B : (k, k) array
        $b^\top b/d$ of AMP, or $\hat M^\top\Lambda^2\hat M+\hat Q$ of state evolution.
    A : (k, k) array
        Symmetric, $-\frac1d\sum_\mu\partial_\omega g$.
    alpha : float
        Sample ratio.
    V : (k, k) array
        Previous response, where the minimisation starts.
    hidden : Prior
        Law of a hidden unit.

    Returns
    -------
    MultiplierStep

    Raises
    ------
    ValueError
        If a shape is wrong or a value is not finite.
    """
    B = finite_array(B, "B", (None, None)).astype(np.float64, copy=False)
    k = len(B)
    A, V = finite_array(A, "A", (k, k)), finite_array(V, "V", (k, k))
    alpha = finite_real(alpha, "alpha", above=0.0)
    bound = CAP * response_bound(hidden)
    failure = np.full((k, k), np.nan)
    if k == 1 and _has_constant_square(hidden):
        multiplier, residual = np.array([[alpha * hidden.moment(2)]]), 0.0
    else:
        root = square_root(B)
        T, residual = _minimise(A, root, alpha, root @ V, hidden)
        if T is None:
            message = "the penalty does not bound the multiplier problem (too small a norm?)"
            return MultiplierStep(failure, failure, False, np.inf, message)
        multiplier = alpha * eta2_moments(T.T @ T, hidden).second
    values, vectors = np.linalg.eigh(A + multiplier)
    if values[0] <= 0:
        message = "the response is not positive: the iteration left the range of the theory"
        return MultiplierStep(failure, multiplier, False, residual, message)
    capped = 1.0 / values[0] > bound
    response = (vectors * np.minimum(1.0 / values, bound)) @ vectors.T
    return MultiplierStep(0.5 * (response + response.T), multiplier, bool(capped), residual, "")


def square_root(B) -> np.ndarray:
    """Return the symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(0.5 * (B + B.T))
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _has_constant_square(hidden):
    """Whether $h^2$ is a constant, so that a single unit's multiplier is known beforehand."""
    return isinstance(hidden, Discrete) and len({x * x for x in hidden.support}) == 1


def _minimise(A, root, alpha, start, hidden):
    """Return the minimiser T and its relative gradient, or None if there is no minimum."""
    k, scale = len(A), max(np.linalg.norm(root), 1e-300)

    def value_and_gradient(flat):
        T = flat.reshape(k, k)
        moments = eta2_moments(T.T @ T, hidden)
        value = 0.5 * np.sum((T @ A) * T) - np.sum(root * T) + alpha * moments.eta2
        return value, (T @ A - root + alpha * T @ moments.second).ravel()

    def curvature(flat, direction):
        T, D = flat.reshape(k, k), direction.reshape(k, k)
        Q, slope = T.T @ T, D.T @ T + T.T @ D
        size = np.linalg.norm(slope)
        width = 1e-5 * max(1.0, np.linalg.norm(Q)) / size if size > 0 else 1.0
        change = eta2_moments(Q + width * slope, hidden).second
        change = (change - eta2_moments(Q - width * slope, hidden).second) / (2 * width)
        middle = eta2_moments(Q, hidden).second
        return (D @ A + alpha * (D @ middle + T @ change)).ravel()

    with np.errstate(over="ignore", invalid="ignore"):
        try:
            found = minimize(
                value_and_gradient,
                start.ravel(),
                jac=True,
                hessp=curvature,
                method="trust-ncg",
                options={"gtol": 1e-5 * scale, "maxiter": 500},
            )
        except (ValueError, np.linalg.LinAlgError):
            return None, np.inf
    T = found.x
    size = np.linalg.norm(found.jac) / scale
    if not np.isfinite(size) or size > 1e-2 or np.linalg.norm(T) > 1e6:
        return None, np.inf
    for _ in range(6):
        if size < 1e-13:
            break
        gradient = value_and_gradient(T)[1]
        operator = LinearOperator((k * k, k * k), matvec=lambda x, at=T: curvature(at, x))
        step, _ = cg(operator, -gradient, rtol=1e-6, maxiter=4 * k * k)
        new_size = np.linalg.norm(value_and_gradient(T + step)[1]) / scale
        if not new_size < size:
            break
        T, size = T + step, new_size
    return T.reshape(k, k), float(size)
