r"""The $k\times k$ multiplier step: how the penalty enters AMP and state evolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike
from rbmnotes._validation import finite_array, finite_real, symmetric_matrix
from rbmnotes.model.hidden_sum import check_states, hidden_moments
from rbmnotes.model.priors import Discrete, Gaussian, Prior, Rademacher, check_prior
from rbmnotes.model.proximal import response_bound

CAP = 0.95
"""The step keeps $V$ below this fraction of the bound of the proximal map."""

SOLVED = 1e-12
"""Relative gradient at which the minimisation counts as solved."""


@dataclass(frozen=True, eq=False)
class MultiplierStep(Frozen):
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


def multiplier_step(
    B: ArrayLike, A: ArrayLike, alpha: float, V: ArrayLike, hidden: Prior = Rademacher()
) -> MultiplierStep:
    r"""Solve $V=(A+\alpha\langle hh^\top\rangle_Q)^{-1}$, $Q=VBV$, for the response $V$ (ours).

    The proximal step of the non-separable penalty. With $R=B^{1/2}$ and $T=RV$ it is the
    stationarity condition of
    $\min_T\frac12{\rm tr}(TAT^\top)-{\rm tr}(RT)+\alpha\eta_2(T^\top T)$, minimised by
    Newton's method from the previous response, or from where a trust-region method gets to if that
    response is too far.

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
        If a shape is wrong, a value is not finite, $A$ or $B$ is not symmetric, $B$ is not positive
        semidefinite, or there are too many hidden states to sum over.
    """
    B = symmetric_matrix(B, "B")
    k = len(B)
    A, V = symmetric_matrix(A, "A", k), finite_array(V, "V", (k, k))
    alpha = finite_real(alpha, "alpha", above=0.0)
    check_states(check_prior(hidden, "hidden"), k, "B")
    root = square_root(B, "B")
    bound = CAP * response_bound(hidden)
    failure = np.full((k, k), np.nan)
    if k == 1 and _has_constant_square(hidden):
        multiplier, residual = np.array([[alpha * hidden.moment(2)]]), 0.0
    else:
        T, residual = _minimise(A, root, alpha, root @ V, hidden)
        if T is None:
            message = "the penalty does not bound the multiplier problem (too small a norm?)"
            return MultiplierStep(failure, failure, False, np.inf, message)
        multiplier = alpha * hidden_moments(T.T @ T, hidden).second
    values, vectors = np.linalg.eigh(A + multiplier)
    if values[0] <= 0:
        message = "the response is not positive: the iteration left the range of the theory"
        return MultiplierStep(failure, multiplier, False, residual, message)
    capped = 1.0 / values[0] > bound
    response = (vectors * np.minimum(1.0 / values, bound)) @ vectors.T
    return MultiplierStep(0.5 * (response + response.T), multiplier, bool(capped), residual, "")


def square_root(B: np.ndarray, name: str) -> np.ndarray:
    """Return the symmetric square root of a matrix, or raise if it is not semidefinite."""
    values, vectors = np.linalg.eigh(0.5 * (B + B.T))
    if values[0] < -1e-10 * np.abs(values).max():
        raise ValueError(f"{name} must be positive semidefinite; an eigenvalue is {values[0]:.3g}")
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _has_constant_square(hidden: Prior) -> bool:
    """Whether $h^2$ is a constant, so that a single unit's multiplier is known beforehand."""
    return isinstance(hidden, Discrete) and len({x * x for x in hidden.support}) == 1


@dataclass(frozen=True)
class _Problem:
    """The function of T that the step minimises, with its derivatives."""

    A: np.ndarray
    root: np.ndarray
    alpha: float
    hidden: Prior

    def evaluate(self, T: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        r"""Return value, gradient and multiplier $\alpha\langle hh^\top\rangle$ at T."""
        moments = hidden_moments(T.T @ T, self.hidden)
        multiplier = self.alpha * moments.second
        value = 0.5 * np.sum((T @ self.A) * T) - np.sum(self.root * T) + self.alpha * moments.eta2
        return value, T @ (self.A + multiplier) - self.root, multiplier

    def second_derivative(
        self, T: np.ndarray, multiplier: np.ndarray, direction: np.ndarray
    ) -> np.ndarray:
        """Change of the gradient along a direction; `multiplier` is that of T."""
        Q, slope = T.T @ T, direction.T @ T
        slope = slope + slope.T
        size = np.linalg.norm(slope)
        width = 1e-5 * max(1.0, float(np.linalg.norm(Q))) / size if size > 0 else 1.0
        change = hidden_moments(Q + width * slope, self.hidden).second
        change = (change - hidden_moments(Q - width * slope, self.hidden).second) / (2 * width)
        return direction @ (self.A + multiplier) + self.alpha * T @ change


def _minimise(
    A: np.ndarray, root: np.ndarray, alpha: float, start: np.ndarray, hidden: Prior
) -> tuple[np.ndarray | None, float]:
    """Return the minimiser T and its relative gradient, or None if there is no minimum.

    Newton's method from the start, which is close in most iterations; where it is not, a
    trust-region method first.
    """
    problem, scale = _Problem(A, root, alpha, hidden), max(float(np.linalg.norm(root)), 1e-300)
    if isinstance(hidden, Gaussian):  # their penalty is finite below a norm of one only
        start = start * min(1.0, 0.9 / max(float(np.linalg.norm(start, 2)), 1e-300))
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            T, size = _newton(problem, start, scale)
            if size > SOLVED:
                T, size = _newton(problem, _trust_region(problem, start, scale), scale)
        except (ValueError, np.linalg.LinAlgError):
            return None, np.inf
    if not size <= 1e-2 or np.linalg.norm(T) > 1e6:
        return None, np.inf
    return T, float(size)


def _newton(problem: _Problem, T: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    """Take Newton steps as long as each at least halves the gradient; return T and its size."""
    _, gradient, multiplier = problem.evaluate(T)
    size = float(np.linalg.norm(gradient)) / scale
    while size > 0.1 * SOLVED:
        step = _newton_step(problem, T, gradient, multiplier, accuracy=min(0.1, size))
        if step is None:
            break
        try:
            _, new_gradient, new_multiplier = problem.evaluate(T + step)
        except ValueError:  # beyond where the penalty is finite
            break
        new_size = float(np.linalg.norm(new_gradient)) / scale
        if not new_size < 0.5 * size:
            break
        T, gradient, multiplier, size = T + step, new_gradient, new_multiplier, new_size
    return T, size


def _newton_step(
    problem: _Problem, T: np.ndarray, gradient: np.ndarray, multiplier: np.ndarray, accuracy: float
) -> np.ndarray | None:
    r"""Solve for a Newton step by conjugate gradients, preconditioned by $(A+\Gamma)^{-1}$.

    Return None where the problem is not convex.
    """
    values, vectors = np.linalg.eigh(problem.A + multiplier)
    if values[0] <= 0:
        return None
    preconditioner = (vectors / values) @ vectors.T
    step, residual = np.zeros_like(T), -gradient
    direction = preconditioned = residual @ preconditioner
    norm = first = np.sum(residual * preconditioned)
    for _ in range(4 * T.size):
        if norm <= accuracy**2 * first:
            break
        image = problem.second_derivative(T, multiplier, direction)
        curvature = np.sum(direction * image)
        if not curvature > 0:
            return None
        step = step + norm / curvature * direction
        residual = residual - norm / curvature * image
        preconditioned = residual @ preconditioner
        old_norm, norm = norm, np.sum(residual * preconditioned)
        direction = preconditioned + norm / old_norm * direction
    return step


def _trust_region(problem: _Problem, start: np.ndarray, scale: float) -> np.ndarray:
    shape = start.shape

    def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            value, gradient, _ = problem.evaluate(flat.reshape(shape))
        except ValueError:  # beyond where the penalty is finite
            return np.inf, np.zeros_like(flat)
        return value, gradient.ravel()

    def product(flat: np.ndarray, direction: np.ndarray) -> np.ndarray:
        T = flat.reshape(shape)
        multiplier = problem.evaluate(T)[2]
        return problem.second_derivative(T, multiplier, direction.reshape(shape)).ravel()

    found = minimize(
        value_and_gradient,
        start.ravel(),
        jac=True,
        hessp=product,
        method="trust-ncg",
        options={"gtol": 1e-3 * scale, "maxiter": 500},
    )
    return found.x.reshape(shape)
