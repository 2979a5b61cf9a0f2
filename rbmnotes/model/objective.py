r"""Theorem 1's two functions, and the training objective built from them.

The likelihood of an RBM with weights $W$ ($d\times k$) and biases $a$, $b$ is, up to the error of
Theorem 1,

.. math::
    \log\tilde L=\sum_\mu\eta_1\big(W^\top x_\mu/\sqrt d\big)
    +\sum_\mu a^\top x_\mu/\sqrt d-n\,\eta_2.

This module is the only home of $\eta_1$, of $\eta_2$ and of their derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike
from rbmnotes._validation import finite_array, number_or_array, real_values, square_matrix
from rbmnotes.model.hidden_sum import (
    HiddenMoments,
    check_states,
    hidden_moments,
)
from rbmnotes.model.priors import Prior, Rademacher, check_prior


@dataclass(frozen=True, eq=False)
class ModelAverage(Frozen):
    r"""Averages over the joint law of visible and hidden units that the gradients need.

    Attributes
    ----------
    log_partition : float
        $\log Z$.
    hidden : (k,) array
        $\langle h\rangle$.
    visible : (d,) array
        $\langle v\rangle$.
    product : (d, k) array
        $\langle vh^\top\rangle$.
    """

    log_partition: float
    hidden: np.ndarray
    visible: np.ndarray
    product: np.ndarray


@dataclass(frozen=True, eq=False)
class Gradient(Frozen):
    """Gradient of a log-likelihood with respect to the three parameters of an RBM.

    Attributes
    ----------
    W : (d, k) array
    visible_bias : (d,) array
    hidden_bias : (k,) array
    """

    W: np.ndarray
    visible_bias: np.ndarray
    hidden_bias: np.ndarray


@overload
def eta1(z: np.ndarray, hidden: Prior = ...) -> np.ndarray: ...
@overload
def eta1(z: ArrayLike, hidden: Prior = ...) -> float | np.ndarray: ...
def eta1(z: ArrayLike, hidden: Prior = Rademacher()) -> float | np.ndarray:
    r"""Return $\eta_1(z)=\log E_he^{z^\top h}$ (paper eq. 6).

    Parameters
    ----------
    z : (..., k) array
        Fields on the hidden units, $W^\top x/\sqrt d$ plus the hidden bias if there is one.
    hidden : Prior
        Law of a hidden unit.

    Returns
    -------
    (...) array
        One value per sample.

    Raises
    ------
    ValueError
        If `z` is not finite or `hidden` is not a prior.
    """
    return number_or_array(check_prior(hidden, "hidden").log_mgf(_fields(z)).sum(axis=-1))


def eta1_gradient(z: ArrayLike, hidden: Prior = Rademacher()) -> np.ndarray:
    r"""Return $\eta_1'(z)=E[h\,|\,z]$, the clamped average of the hidden units; shape of `z`."""
    return check_prior(hidden, "hidden").tilted_mean(_fields(z))


def eta1_hessian(z: ArrayLike, hidden: Prior = Rademacher()) -> np.ndarray:
    r"""Return the diagonal of $\eta_1''(z)$, shape of `z`; units are independent given $z$."""
    return check_prior(hidden, "hidden").tilted_variance(_fields(z))


def eta2(Q: ArrayLike, hidden: Prior = Rademacher(), field: ArrayLike | None = None) -> float:
    r"""Return $\eta_2(Q)=\log E_he^{\frac12h^\top Qh+f^\top h}$ (paper eq. 7; $f$ is ours).

    With biases, $\log Z\to\eta_2(Q,f)+\|a\|^2/2d$ where $f=b+W^\top a/d$.

    Parameters
    ----------
    Q : (k, k) array
        Self overlap $W^\top W/d$; only its symmetric part enters.
    hidden : Prior
        Law of a hidden unit.
    field : (k,) array, optional
        Linear term $f$; zero if absent.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a shape is wrong, a value is not finite, a discrete prior with m points has
        ``m**k > 2**26`` states, or hidden units are Gaussian and $Q$ is not below the identity
        (the average is then infinite).
    """
    return eta2_moments(Q, hidden, field).eta2


def eta2_moments(
    Q: ArrayLike, hidden: Prior = Rademacher(), field: ArrayLike | None = None
) -> HiddenMoments:
    r"""Return $\eta_2$ with $\langle h\rangle$ and $\langle hh^\top\rangle$ (paper eq. 10).

    $\langle hh^\top\rangle=2\,\partial\eta_2/\partial Q$ with $Q_{ab}$ and $Q_{ba}$ counted as
    independent. Discrete units are summed over all states: the $k$ units are cut into two halves,
    which turns the sum over $m^k$ states into one exponential of an $m^{k/2}\times m^{k/2}$
    matrix and three products with it. Parameters and errors as :func:`eta2`.

    Returns
    -------
    HiddenMoments
    """
    Q = square_matrix(Q, "Q")
    Q, k = 0.5 * (Q + Q.T), len(Q)
    if field is not None:
        field = finite_array(field, "field", (k,)).astype(np.float64, copy=False)
    check_states(check_prior(hidden, "hidden"), k, "Q")
    return hidden_moments(Q, hidden, field)


def effective_average(
    W: np.ndarray,
    visible_bias: np.ndarray,
    hidden_bias: np.ndarray,
    hidden: Prior = Rademacher(),
    visible: Prior = Rademacher(),
) -> ModelAverage:
    r"""Model averages of Theorem 1: given $h$, the field on a visible unit is small.

    A visible unit of mean $\bar v$ and variance $\sigma^2$ in the field $y/\sqrt d$, $y=Wh+a$,
    contributes $\bar vy/\sqrt d+\sigma^2y^2/2d$ to $\log Z$ and has mean
    $\bar v+\sigma^2y/\sqrt d$. For $\bar v=0$, $\sigma=1$ this is paper eqs. 7, 10 and 47; for
    $\bar v\ne0$ it is Corollary 2, by which $\langle vh^\top\rangle$ then converges, in the norm of
    the theorem, up to a multiple of $(1,\dots,1)$ in every column only.

    Parameters
    ----------
    W : (d, k) array
    visible_bias : (d,) array
    hidden_bias : (k,) array
    hidden, visible : Prior

    Returns
    -------
    ModelAverage
    """
    d = len(W)
    mean, variance = visible.mean, visible.variance
    field = hidden_bias + variance * (W.T @ visible_bias) / d + mean * W.sum(axis=0) / np.sqrt(d)
    moments = eta2_moments(variance * (W.T @ W) / d, hidden, field if np.any(field) else None)
    constant = variance * (visible_bias @ visible_bias) / (2 * d)
    constant += mean * visible_bias.sum() / np.sqrt(d)
    field_mean = (W @ moments.mean + visible_bias) / np.sqrt(d)
    field_product = (W @ moments.second + np.outer(visible_bias, moments.mean)) / np.sqrt(d)
    return ModelAverage(
        log_partition=moments.eta2 + constant,
        hidden=moments.mean,
        visible=mean + variance * field_mean,
        product=mean * moments.mean + variance * field_product,
    )


def likelihood_gradient(
    X: np.ndarray, W: np.ndarray, hidden_bias: np.ndarray, hidden: Prior, average: ModelAverage
) -> Gradient:
    """Gradient of the log-likelihood of `X`: clamped minus model average (paper eqs. 9, 46-48).

    Parameters
    ----------
    X : (n, d) array
    W : (d, k) array
    hidden_bias : (k,) array
    hidden : Prior
    average : ModelAverage
        Exact or effective; the two likelihoods differ in nothing else.

    Returns
    -------
    Gradient
        Of the sum over the samples.
    """
    n, d = X.shape
    clamped = hidden.tilted_mean(X @ W / np.sqrt(d) + hidden_bias)
    return Gradient(
        W=((clamped.T @ X).T - n * average.product) / np.sqrt(d),
        visible_bias=(X.sum(axis=0) - n * average.visible) / np.sqrt(d),
        hidden_bias=clamped.sum(axis=0) - n * average.hidden,
    )


def loss(
    X: ArrayLike,
    W: ArrayLike,
    hidden: Prior = Rademacher(),
    visible_bias: ArrayLike | None = None,
    hidden_bias: ArrayLike | None = None,
) -> float:
    r"""Return the training objective $\mathcal L(W)=-\frac1d\log\tilde L$ (paper eq. 15).

    Parameters
    ----------
    X : (n, d) array
        Data, one sample a row.
    W : (d, k) array
        Weights, entries of order one.
    hidden : Prior
        Law of a hidden unit.
    visible_bias : (d,) array, optional
        $a$; enters the energy as $a^\top v/\sqrt d$.
    hidden_bias : (k,) array, optional
        $b$.

    Returns
    -------
    float
        Of order one as $n=\alpha d\to\infty$.

    Raises
    ------
    ValueError
        If shapes do not match, a value is not finite, or `hidden` is not a prior.
    """
    X, W, a, b = check_parameters(X, W, visible_bias, hidden_bias)
    n, d = X.shape
    free = eta1(X @ W / np.sqrt(d) + b, hidden).sum() + (X @ a).sum() / np.sqrt(d)
    return float((n * effective_average(W, a, b, hidden).log_partition - free) / d)


def loss_gradient(
    X: ArrayLike,
    W: ArrayLike,
    hidden: Prior = Rademacher(),
    visible_bias: ArrayLike | None = None,
    hidden_bias: ArrayLike | None = None,
) -> np.ndarray:
    r"""Return $d\,\nabla_W\mathcal L=-\nabla_W\log\tilde L$, entries of order one (paper eq. 8).

    Parameters and errors as :func:`loss`. The gradients with respect to the biases are those of
    :meth:`rbmnotes.RBM.gradient` with ``exact=False``.

    Returns
    -------
    (d, k) array
    """
    X, W, a, b = check_parameters(X, W, visible_bias, hidden_bias)
    average = effective_average(W, a, b, check_prior(hidden, "hidden"))
    return -likelihood_gradient(X, W, b, hidden, average).W


def check_parameters(
    X: ArrayLike,
    W: ArrayLike,
    visible_bias: ArrayLike | None = None,
    hidden_bias: ArrayLike | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Check data and parameters against each other; absent biases become zeros."""
    W = finite_array(W, "W", (None, None))
    d, k = W.shape
    X = finite_array(X, "X", (None, d))
    a = np.zeros(d) if visible_bias is None else finite_array(visible_bias, "visible_bias", (d,))
    b = np.zeros(k) if hidden_bias is None else finite_array(hidden_bias, "hidden_bias", (k,))
    return X, W, a, b


def _fields(z: ArrayLike) -> np.ndarray:
    z = real_values(z, "z")
    if z.ndim == 0:
        raise ValueError("z must have the hidden units on its last axis; got a number")
    return z
