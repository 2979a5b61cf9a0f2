r"""The proximal map of $-\eta_1$: the nonlinearity of AMP-RBM.

For a response $V\succ0$ the proximal map takes a field $\omega$ to the solution of
$z=\omega+V\eta_1'(z)$ (paper eq. 136). It is unique as long as $V\eta_1''\prec I$ everywhere; past
that bound it jumps and the theory built on it does not apply.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike
from rbmnotes._validation import finite_array, symmetric_matrix
from rbmnotes.model.continuous import check_fields
from rbmnotes.model.priors import Prior, Rademacher, check_prior
from rbmnotes.model.proximal_rows import LANES, solve_rows
from rbmnotes.model.tilted import law_arrays


@dataclass(frozen=True, eq=False)
class ProximalMap(Frozen):
    r"""The proximal map at a batch of fields.

    Attributes
    ----------
    z : (n, k) array
        Proximal points.
    g : (n, k) array
        $g(\omega,V)=\eta_1'(z)$.
    derivative : (n, k, k) array
        $\partial_\omega g=(I-\eta_1''V)^{-1}\eta_1''$, symmetric.
    """

    z: np.ndarray
    g: np.ndarray
    derivative: np.ndarray


def response_bound(hidden: Prior = Rademacher()) -> float:
    r"""Return the largest eigenvalue that $V$ must stay below: $1/\max_z\eta_1''(z)$.

    One for Rademacher, four for Bernoulli units; refused for a unit that is constant.
    """
    variance = check_prior(hidden, "hidden").max_tilted_variance
    if variance == 0.0:
        raise ValueError(f"hidden must not be constant, for V to have a bound; got {hidden!r}")
    return 1.0 / variance


def proximal_map(omega: ArrayLike, V: ArrayLike, hidden: Prior = Rademacher()) -> ProximalMap:
    r"""Solve $z=\omega+V\eta_1'(z)$ for every row (paper eqs. 16 and 136).

    Newton's method with step halving on the residual, to 1e-12.

    Parameters
    ----------
    omega : (n, k) array
        Fields.
    V : (k, k) array
        Response: symmetric, positive semidefinite.
    hidden : Prior
        Law of a hidden unit.

    Returns
    -------
    ProximalMap

    Raises
    ------
    ValueError
        If shapes do not match, a value is not finite, or $V$ is not symmetric with eigenvalues in
        $[0,$ :func:`response_bound` $)$.
    """
    omega = np.require(finite_array(omega, "omega", (None, None)), np.float64, ("C", "W"))
    V = check_response(V, "V", omega.shape[1], hidden)
    n, k = omega.shape
    z, g, derivative = omega.copy(), np.empty((n, k)), np.zeros((n, k, k))
    solve_rows(omega, V, *law_arrays(hidden), z, g, derivative, 1)
    check_fields(hidden, z)
    return ProximalMap(z, g, _symmetric(derivative))


def proximal_sums(
    omega: np.ndarray, V: np.ndarray, hidden: Prior, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return $g$ and the summed derivative, and overwrite the start `z` by the proximal points.

    What an AMP iteration needs, without storing a derivative a row and without checks: the caller
    keeps $V$ below the bound.

    Parameters
    ----------
    omega : (n, k) float64 array
    V : (k, k) array
    hidden : Prior
    z : (n, k) float64 array
        Where Newton's method starts; on return, the proximal points.

    Returns
    -------
    g : (n, k) array
    derivative : (k, k) array
        $\sum_\mu\partial_\omega g(\omega_\mu,V)$; the same for any number of threads.
    """
    g, derivative = np.empty_like(omega), np.zeros((-(-len(omega) // LANES), *V.shape))
    solve_rows(omega, V, *law_arrays(hidden), z, g, derivative, LANES)
    check_fields(hidden, z)
    return g, _symmetric(derivative.sum(axis=0))


def _symmetric(lower: np.ndarray) -> np.ndarray:
    """Complete matrices of which the kernel fills the lower triangle."""
    return lower + np.tril(lower, -1).swapaxes(-1, -2)


def check_response(V: ArrayLike, name: str, k: int, hidden: Prior) -> np.ndarray:
    """Return `V` as an array, or raise if the proximal map is not unique for it."""
    bound = response_bound(hidden)
    # one memory layout, whatever the caller's: another would be compiled for, which takes long
    V = np.require(symmetric_matrix(V, name, k), requirements=("C", "W"))
    eigenvalues = np.linalg.eigvalsh(V)
    if eigenvalues[0] < -1e-12 or eigenvalues[-1] >= bound:
        raise ValueError(
            f"{name} must have its eigenvalues in [0, {bound:g}) for the proximal map to be "
            f"unique; they are {np.array2string(eigenvalues, precision=6)}"
        )
    return V
