r"""Limits against which every algorithm is measured: the BBP transition and PCA.

All formulas hold as $d\to\infty$ with $n=\alpha d$; order parameters depend on $(\alpha,\lambda)$
only.
"""

from __future__ import annotations

from typing import overload

import numpy as np

from rbmnotes._types import ArrayLike, Vector
from rbmnotes._validation import (
    broadcast,
    not_negative,
    number_or_array,
    positive,
    positive_real,
    real_values,
)


@overload
def bbp_snr(alpha: float) -> float: ...
@overload
def bbp_snr(alpha: Vector) -> np.ndarray: ...
def bbp_snr(alpha: ArrayLike) -> float | np.ndarray:
    r"""Return the threshold $\lambda_{BBP}=\alpha^{-1/4}$, at which $\alpha\lambda^4=1$ (eq. 22).

    Parameters
    ----------
    alpha : float or array
        Sample ratio $n/d>0$.

    Returns
    -------
    float or array
    """
    return number_or_array(positive(alpha, "alpha") ** -0.25)


@overload
def pca_overlap(alpha: float, snr: float, of: str = ...) -> float: ...
@overload
def pca_overlap(alpha: Vector, snr: ArrayLike, of: str = ...) -> np.ndarray: ...
@overload
def pca_overlap(alpha: ArrayLike, snr: Vector, of: str = ...) -> np.ndarray: ...
def pca_overlap(alpha: ArrayLike, snr: ArrayLike, of: str = "w") -> float | np.ndarray:
    r"""Return the limit of the cosine between a PCA vector and its signal.

    Squared, $\frac{\alpha\lambda^4-1}{\alpha\lambda^4+\lambda^2}$ for the signal $w$ and
    $\frac{\alpha\lambda^4-1}{\alpha\lambda^4+\alpha\lambda^2}$ for the latent variables $u$ above
    the BBP threshold, zero below. For distinct signal strengths it holds for each signal.

    Parameters
    ----------
    alpha : float or array
        Sample ratio.
    snr : float or array
        Signal strength; broadcast against `alpha`.
    of : {"w", "u"}
        Right or left singular vector.

    Returns
    -------
    float or array

    Raises
    ------
    ValueError
        If `alpha` is not positive, `snr` is negative, or `of` is neither ``"w"`` nor ``"u"``.
    """
    alpha, snr = broadcast(alpha=positive(alpha, "alpha"), snr=not_negative(snr, "snr"))
    if not isinstance(of, str) or of not in ("w", "u"):
        raise ValueError(f'of must be "w" or "u"; got {of!r}')
    strength = alpha * snr**4
    linear = snr**2 if of == "w" else alpha * snr**2
    recovered = strength > 1.0
    ratio = (strength - 1.0) / np.where(recovered, strength + linear, 1.0)
    return number_or_array(np.sqrt(np.where(recovered, ratio, 0.0)))


@overload
def outlier_eigenvalue(alpha: float, snr: float) -> float: ...
@overload
def outlier_eigenvalue(alpha: Vector, snr: ArrayLike) -> np.ndarray: ...
@overload
def outlier_eigenvalue(alpha: ArrayLike, snr: Vector) -> np.ndarray: ...
def outlier_eigenvalue(alpha: ArrayLike, snr: ArrayLike) -> float | np.ndarray:
    r"""Return the limit of the eigenvalue of $X^\top X/d$ that belongs to a signal.

    $(1+\lambda^2)(\alpha+\lambda^{-2})$ above the BBP threshold, the edge of the noise
    $(1+\sqrt\alpha)^2$ below it.

    Parameters
    ----------
    alpha : float or array
        Sample ratio.
    snr : float or array
        Signal strength; broadcast against `alpha`.

    Returns
    -------
    float or array

    Raises
    ------
    ValueError
        If `alpha` is not positive or `snr` is negative.
    """
    alpha, snr = broadcast(alpha=positive(alpha, "alpha"), snr=not_negative(snr, "snr"))
    strength = np.maximum(snr**2, alpha**-0.5)
    return number_or_array((1.0 + strength) * (alpha + 1.0 / strength))


@overload
def marchenko_pastur_density(x: float, alpha: float) -> float: ...
@overload
def marchenko_pastur_density(x: Vector, alpha: float) -> np.ndarray: ...
def marchenko_pastur_density(x: ArrayLike, alpha: float) -> float | np.ndarray:
    r"""Return the limiting density of the eigenvalues of $Z^\top Z/d$, $Z$ an $n\times d$ noise.

    For $\alpha<1$ a fraction $1-\alpha$ of the eigenvalues is zero, which the density leaves out.

    Parameters
    ----------
    x : array
        Where to evaluate it.
    alpha : float
        Sample ratio.

    Returns
    -------
    array
    """
    x, alpha = real_values(x, "x"), positive_real(alpha, "alpha")
    lower, upper = (1.0 - np.sqrt(alpha)) ** 2, (1.0 + np.sqrt(alpha)) ** 2
    inside = (x > lower) & (x < upper)
    x = np.where(inside, x, upper)
    return number_or_array(np.sqrt((upper - x) * (x - lower)) / (2.0 * np.pi * x))
