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

_CONTOUR = 2048
_MARGIN = 1.2
"""Points on the circle around all eigenvalues, and its radius over the largest of them."""
_ROUND_OFF = 1e-8
"""What round-off may amount to: on the circle polynomials are larger than on the spectrum."""


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


def gaussian_overlaps(
    alpha: float, snr: float, m0: float, q0: float, learning_rate: float, n_iter: int
) -> np.ndarray:
    r"""Return overlaps and response of one Gaussian unit under gradient descent, at large $d$.

    $W^t=p_t(S)W^0$ with a polynomial $p_t$, whose next factor needs $Q_t$ only:
    $1-\kappa\alpha/(1-Q_t)+\kappa S$. Averages over the spectrum of $S=X^\top X/d$, seen from noise
    and from the signal, are contour integrals of the Stieltjes transforms of a spiked covariance.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    m0, q0 : float
        Overlaps of a start that is independent of the noise, $m_0^2\le q_0<1$.
    learning_rate : float
        $\kappa$, as of :func:`rbmnotes.gradient_descent`.
    n_iter : int
        Number of steps.

    Returns
    -------
    (n_iter + 1, 3) array
        $M_t$, $Q_t$ and the response $R(t,0)$ to a field in the first step.

    Raises
    ------
    ValueError
        If an argument is out of range, training left $Q<1$, or `n_iter` is so large that
        round-off would show (some tens of steps).
    """
    alpha = finite_real(alpha, "alpha", above=0.0)
    snr = finite_real(snr, "snr", at_least=0.0)
    m0 = finite_real(m0, "m0")
    q0 = finite_real(q0, "q0", at_least=m0 * m0)
    learning_rate = finite_real(learning_rate, "learning_rate", above=0.0)
    z = (
        _MARGIN
        * outlier_eigenvalue(alpha, snr)
        * np.exp(2j * np.pi * (np.arange(_CONTOUR) + 0.5) / _CONTOUR)
    )
    # of the noise: z g^2 + (z + 1 - alpha) g + 1 = 0, the root that vanishes far away
    linear = z + 1 - alpha
    roots = (-linear + np.array([[1], [-1]]) * np.sqrt(linear**2 - 4 * z)) / (2 * z)
    bulk = np.where(np.abs(roots[0]) < np.abs(roots[1]), *roots)
    spiked = 1 / ((1 + snr**2) * alpha / (1 + bulk) - z)

    def average(values: np.ndarray, transform: np.ndarray) -> float:
        return -np.mean(values * transform * z).real

    p, kick, rows = np.ones_like(z), np.zeros_like(z), []
    for t in range(positive_integer(n_iter, "n_iter") + 1):
        if np.finfo(float).eps * np.abs(p).max() ** 2 > _ROUND_OFF:
            raise ValueError(f"n_iter must be below {t}: round-off would exceed {_ROUND_OFF:g}")
        m, response = m0 * average(p, spiked), average(kick, bulk)
        q = m0**2 * average(p**2, spiked) + (q0 - m0**2) * average(p**2, bulk)
        if not q < 1.0:
            raise ValueError(f"learning_rate or q0 is too large: Q is not below 1 at step {t}")
        rows.append((m, q, response))
        factor = 1 - learning_rate * alpha / (1 - q) + learning_rate * z
        p, kick = factor * p, np.full_like(z, learning_rate) if t == 0 else factor * kick
    return np.array(rows)


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
