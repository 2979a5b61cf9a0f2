r"""Gaussian hidden units under gradient descent: the spectrum of the data decides all of it (ours).

For Gaussian units $\mathcal L=-\frac12{\rm tr}\,W^\top SW/d-\frac\alpha2\log\det(I-Q)$ with
$S=X^\top X/d$, so that training knows the data through $S$ alone. In the eigenbasis of $S$ a step
multiplies rows of weights by numbers: exact at any $d$. At large $d$ the spectrum is known,
outliers and the Marchenko–Pastur law, and with it the loss along training from a random start, at
any norm of the weights.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rbmnotes._types import ArrayLike
from rbmnotes._validation import finite_array, finite_real, positive_integer
from rbmnotes.theory.limits import marchenko_pastur_density, outlier_eigenvalue

_NODES = 24


def gaussian_losses(
    eigenvalues: ArrayLike,
    start: ArrayLike,
    alpha: float,
    learning_rate: float,
    recorded: Iterable[int],
) -> tuple[np.ndarray, np.ndarray]:
    r"""Train Gaussian units by gradient descent in the eigenbasis of $S=X^\top X/d$.

    Parameters
    ----------
    eigenvalues : (m,) array
        Eigenvalue that belongs to every row.
    start : (m, k) array
        Components of $W^0/\sqrt d$ along unit eigenvectors, so that ``start.T @ start`` is $Q^0$.
    alpha : float
        Sample ratio.
    learning_rate : float
        $\kappa$, as of :func:`rbmnotes.gradient_descent`.
    recorded : sequence of int
        Steps whose loss is recorded, increasing; training ends at the last.

    Returns
    -------
    losses : (len(recorded),) array
        $\mathcal L$.
    end : (m, k) array
        Components at the end.

    Raises
    ------
    ValueError
        If shapes do not match, an argument is out of range, or training left $Q\prec I$.
    """
    x = finite_array(eigenvalues, "eigenvalues", (None,))[:, None]
    A = finite_array(start, "start", (len(x), None))
    alpha = finite_real(alpha, "alpha", above=0.0)
    learning_rate = finite_real(learning_rate, "learning_rate", above=0.0)
    recorded = [positive_integer(t, "recorded", minimum=0) for t in recorded]
    if not recorded or np.any(np.diff(recorded) <= 0):
        raise ValueError("recorded must hold steps in increasing order")
    wanted, losses, identity = set(recorded), [], np.eye(A.shape[1])
    for t in range(recorded[-1] + 1):
        room = identity - A.T @ A
        # the trace notices divergence before numbers overflow, at the cost of nothing
        outside = np.trace(room) <= 0.0 or (t in wanted and np.linalg.eigvalsh(room)[0] <= 0.0)
        if outside:
            raise ValueError(f"learning_rate or start is too large: Q is not below 1 at step {t}")
        if t in wanted:
            losses.append(-0.5 * np.sum(x * A * A) - 0.5 * alpha * np.linalg.slogdet(room)[1])
        if t < recorded[-1]:
            A = A + learning_rate * (x * A - alpha * A @ np.linalg.inv(room))
    return np.array(losses), A


def best_gaussian_loss(eigenvalues: ArrayLike, alpha: float, k: int) -> float:
    r"""Return the smallest loss of k Gaussian units, $-\sum_{j\le k}\ell(x_j)$.

    A unit of its own on an eigenvector with $x>\alpha$ reaches $q=1-\alpha/x$ and lowers the loss
    by $\ell(x)=\frac12(x-\alpha)-\frac\alpha2\log\frac x\alpha$.

    Parameters
    ----------
    eigenvalues : (m,) array
        Of $S$, m at least k.
    alpha : float
    k : int

    Returns
    -------
    float
    """
    return -float(np.sum(loss_of_signal(np.sort(eigenvalues)[-k:], alpha)))


def loss_of_signal(eigenvalue: ArrayLike, alpha: float) -> np.ndarray:
    r"""Return $\ell(x)$, by how much a Gaussian unit on an eigenvector lowers the loss.

    See :func:`best_gaussian_loss`; about $\frac12\alpha\lambda^2$ for a strong signal, and zero
    for $x\le\alpha$.
    """
    x = np.maximum(eigenvalue, alpha)
    return 0.5 * (x - alpha) - 0.5 * alpha * np.log(x / alpha)


def spectral_start(
    alpha: float, snr: ArrayLike, components: ArrayLike, size: float, d: int
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the law's spectrum, and in it a random start, for :func:`gaussian_losses`.

    A row for every signal, with its outlier $(1+\lambda_i^2)(\alpha+\lambda_i^{-2})$ and the
    start's components $\sigma\chi_i/\sqrt d$; and for the noise, whose $Q$ averages to a multiple
    of the identity at every eigenvalue, k orthogonal rows a node of a quadrature of the
    Marchenko–Pastur law.

    Parameters
    ----------
    alpha : float
        Sample ratio, at least one.
    snr : (r,) array
        Above the BBP threshold.
    components : (r, k) array
        $\chi$, standard normal for a random start.
    size : float
        $\sigma$, standard deviation of an entry of $W^0$.
    d : int

    Returns
    -------
    eigenvalues : (m,) array
        Those of the signals first.
    start : (m, k) array

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not match.
    """
    alpha, d = finite_real(alpha, "alpha", above=0.0), positive_integer(d, "d")
    snr = finite_array(np.atleast_1d(snr), "snr", (None,))
    components = finite_array(components, "components", (len(snr), None))
    if alpha < 1.0 or np.any(alpha * snr**4 <= 1.0):
        raise ValueError("alpha must be at least one and every snr above the BBP threshold")
    k = components.shape[1]
    angles = np.pi * (np.arange(_NODES) + 0.5) / _NODES
    x = 1.0 + alpha + 2.0 * np.sqrt(alpha) * np.cos(angles)
    widths = 2.0 * np.sqrt(alpha) * np.sin(angles) * np.pi / _NODES
    shares = marchenko_pastur_density(x, alpha) * widths
    noise = np.einsum("n,ab->nab", size * np.sqrt(shares), np.eye(k)).reshape(-1, k)
    return (
        np.concatenate([outlier_eigenvalue(alpha, snr), np.repeat(x, k)]),
        np.vstack([size / np.sqrt(d) * components, noise]),
    )
