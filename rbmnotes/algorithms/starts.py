r"""Starts of the iterative algorithms: weights with prescribed overlaps, random, spectral."""

from __future__ import annotations

import numpy as np

from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import (
    finite_array,
    finite_real,
    pixels,
    positive_integer,
    random_generator,
    symmetric_matrix,
)
from rbmnotes.algorithms.pca import component_count, pca
from rbmnotes.model.priors import Bernoulli, Prior, check_prior
from rbmnotes.model.rbm import RBM


def informed_start(W_star: ArrayLike, M: ArrayLike, Q: ArrayLike, rng: Seed = None) -> np.ndarray:
    r"""Return weights whose overlaps with the signals and with themselves are exactly prescribed.

    Parameters
    ----------
    W_star : (d, r) array
        Signals.
    M : (r, k) array
        Wanted $\frac1dW^{\star\top}W$.
    Q : (k, k) array
        Wanted $\frac1dW^\top W$.
    rng : int or numpy.random.Generator, optional
        Seed or generator of the part of the weights outside the signals' span.

    Returns
    -------
    (d, k) array

    Raises
    ------
    ValueError
        If shapes do not match, $d<r+k$, the signals are linearly dependent, or $Q$ is not
        symmetric or smaller than what $M$ needs.
    """
    W_star = finite_array(W_star, "W_star", (None, None)).astype(np.float64, copy=False)
    d, r = W_star.shape
    M = finite_array(M, "M", (r, None))
    k = M.shape[1]
    Q = symmetric_matrix(Q, "Q", k)
    if d < r + k:
        raise ValueError(f"W_star must have at least r + k = {r + k} rows; got {d}")
    gram = W_star.T @ W_star / d
    if np.linalg.cond(gram) > 1e12:
        raise ValueError("W_star must have linearly independent columns")
    inside = W_star @ np.linalg.solve(gram, M)
    outside = Q - inside.T @ inside / d
    values, vectors = np.linalg.eigh(0.5 * (outside + outside.T))
    if values[0] < -1e-10 * max(1.0, np.abs(Q).max()):
        raise ValueError("Q must be at least what the overlap M takes: Q - M^T (W*^T W*/d)^-1 M")
    draw = random_generator(rng).standard_normal((d, k))
    draw -= W_star @ np.linalg.lstsq(W_star, draw, rcond=None)[0]
    directions, triangle = np.linalg.qr(draw)
    directions *= np.sqrt(d) * np.sign(triangle.diagonal())  # QR alone prefers some signs
    return inside + directions @ (np.sqrt(np.maximum(values, 0.0)) * vectors).T


def random_start(d: int, k: int, rng: Seed = None) -> np.ndarray:
    """Return independent standard normal weights (d, k)."""
    d, k = positive_integer(d, "d"), positive_integer(k, "k")
    return random_generator(rng).standard_normal((d, k))


def spectral_start(X: ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the leading right singular vectors and the factors that correct their fields (ours).

    A singular vector already knows the data, so its field $XW/\sqrt d$ needs an Onsager correction
    from the first step on: it must be multiplied by
    $\frac{\alpha\lambda^2}{1+\alpha\lambda^2}$. The strength $\lambda$ is that of which the squared
    singular value $(1+\lambda^2)(\alpha+\lambda^{-2})$ of $X/\sqrt d$ is the limit; one inside the
    bulk of the noise counts as a signal at threshold.

    Parameters
    ----------
    X : (n, d) array
        Data.
    k : int
        Number of units.

    Returns
    -------
    W : (d, k) array
        Each column of squared norm d.
    factors : (k,) array

    Raises
    ------
    ValueError
        If `X` is not a finite matrix, is zero, or `k` is out of range.
    """
    X = finite_array(X, "X", (None, None))
    fit = pca(X, component_count(k, "k", X))
    alpha = X.shape[0] / X.shape[1]
    level = fit.singular_values**2 - 1.0 - alpha
    level = np.maximum(level, 2.0 * np.sqrt(alpha))
    strength = 0.5 * (level + np.sqrt(np.maximum(level**2 - 4.0 * alpha, 0.0)))
    return fit.W, strength / (1.0 + strength)


def independent_start(
    X: ArrayLike,
    k: int,
    hidden: Prior = Bernoulli(),
    effective: bool = False,
    scale: float = 0.1,
    rng: Seed = None,
    means: bool = False,
) -> RBM:
    r"""Return a machine with almost independent visible units of the data's means.

    Weights are normal with standard deviation `scale`, hidden biases zero, and the visible biases
    those that maximise the likelihood at $W=0$: $a_i/\sqrt d={\rm artanh}\,\bar x_i$ for the exact
    one, $a_i/\sqrt d=\bar x_i$ for the effective one, where the model's mean is the field itself.
    Means are $\bar x_i=\frac1{n+1}\sum_\mu x_{\mu i}$, below one also for a pixel that is constant.

    Parameters
    ----------
    X : (n, d) array of -1 and +1
        Data, one sample a row; also means in between.
    k : int
        Number of hidden units.
    hidden : Prior
        Law of a hidden unit.
    effective : bool
        Which likelihood the biases maximise.
    scale : float
        Standard deviation of the weights, positive.
    rng : int or numpy.random.Generator, optional
        Seed or generator of the weights.
    means : bool
        Whether data without any negative value are meant as they are; see
        :func:`rbmnotes.train_rbm`.

    Returns
    -------
    RBM

    Raises
    ------
    ValueError
        If an argument is out of range, or `X` holds other values.
    """
    X = pixels(X, "X", means=means)
    n, d = X.shape
    shape = (d, positive_integer(k, "k"))
    W = finite_real(scale, "scale", above=0.0) * random_generator(rng).standard_normal(shape)
    mean = X.sum(axis=0, dtype=np.float64) / (n + 1)
    field = mean if effective else np.arctanh(mean)
    return RBM(W, np.sqrt(d) * field, hidden=check_prior(hidden, "hidden"))
