r"""Limits against which every algorithm is measured: the BBP transition, PCA, Bayes.

All formulas hold as $d\to\infty$ with $n=\alpha d$; order parameters depend on $(\alpha,\lambda)$
only.
"""

from __future__ import annotations

import numpy as np

from rbmnotes._validation import (
    HUGE,
    finite_real,
    not_negative,
    number_or_array,
    positive,
    positive_integer,
    positive_real,
    random_generator,
    real_values,
)
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.priors import Prior, Rademacher, check_standardised
from rbmnotes.theory.bayes_limit import bayes_overlap as bayes_overlap
from rbmnotes.theory.bayes_limit import mutual_potential as mutual_potential
from rbmnotes.theory.bayes_limit import posterior_overlap as posterior_overlap

MAX_WORK = 5e9
"""Work of drawing rotations, in operations."""


def bbp_snr(alpha):
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


def pca_overlap(alpha, snr, of: str = "w"):
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
    alpha, snr = positive(alpha, "alpha"), not_negative(snr, "snr")
    if not isinstance(of, str) or of not in ("w", "u"):
        raise ValueError(f'of must be "w" or "u"; got {of!r}')
    strength = alpha * snr**4
    linear = snr**2 if of == "w" else alpha * snr**2
    recovered = strength > 1.0
    ratio = (strength - 1.0) / np.where(recovered, strength + linear, 1.0)
    return number_or_array(np.sqrt(np.where(recovered, ratio, 0.0)))


def outlier_eigenvalue(alpha, snr):
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
    """
    alpha, snr = positive(alpha, "alpha"), not_negative(snr, "snr")
    strength = np.maximum(snr**2, alpha**-0.5)
    return number_or_array((1.0 + strength) * (alpha + 1.0 / strength))


def marchenko_pastur_density(x, alpha):
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
    body = np.sqrt(np.where(inside, (upper - x) * (x - lower), 0.0))
    return number_or_array(body / (2.0 * np.pi * np.where(inside, x, 1.0)))


def haar_overlap(r: int, n_samples: int = 20_000, rng=0) -> tuple[float, float]:
    r"""Return the mean matched overlap of a Haar-distributed rotation of `r` directions.

    Multiplied by :func:`pca_overlap` it is what PCA reaches on `r` Gaussian signals of equal
    strength, whose law no rotation changes; for other signals see :func:`equal_snr_pca_overlap`.
    It is $2\sqrt2/\pi$ for $r=2$; beyond, a Monte-Carlo average.

    Parameters
    ----------
    r : int
        Number of signals of equal strength.
    n_samples : int
        Number of rotations drawn, for $r\ge3$.
    rng : int or numpy.random.Generator
        Seed or generator, for $r\ge3$.

    Returns
    -------
    mean, standard_error : float
        The error is zero where the value is exact.

    Raises
    ------
    ValueError
        If `r` or `n_samples` is too small.
    """
    r, n_samples = _check_draws(r, n_samples)
    if r <= 2:
        return (1.0 if r == 1 else float(2.0 * np.sqrt(2.0) / np.pi)), 0.0
    matrices = random_generator(rng).standard_normal((n_samples, r, r))
    return _mean_matched_overlap(np.linalg.qr(matrices)[0])


def equal_snr_pca_overlap(
    alpha: float,
    snr: float,
    r: int,
    prior_u: Prior = Rademacher(),
    prior_w: Prior = Rademacher(),
    n_samples: int = 20_000,
    rng=0,
) -> tuple[float, float]:
    r"""Return the mean matched overlap of PCA with `r` signals of equal strength (ours).

    PCA finds the subspace of the signals; which basis of it, is decided by what splits the
    degenerate singular values, a symmetric $r\times r$ matrix of order $d^{-1/2}$: the Gram
    matrices of the signals and of the latent variables and the noise. Its entries are
    independent Gaussians, of variance $v+1+1/\alpha$ off the diagonal and
    $2v+{\rm Var}\,w^2+{\rm Var}\,u^2/\alpha$ on it,
    $v=(1+1/\alpha+2\lambda^2)/(\alpha\lambda^4-1)$. Its eigenvectors are the basis: Haar
    distributed for Gaussian priors; for signs, whose squares do not fluctuate, closer to equal
    mixtures of all signals, and so a smaller overlap.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength, the same for all.
    r : int
        Number of signals.
    prior_u, prior_w : Prior
        Laws of the latent variables and of the signals' entries: zero mean, unit variance.
    n_samples : int
        Number of matrices drawn.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    mean, standard_error : float
        Both zero below the BBP threshold.

    Raises
    ------
    ValueError
        If an argument is out of range or a prior is not standardised.
    """
    alpha = positive_real(alpha, "alpha")
    snr = finite_real(snr, "snr", at_least=0.0, at_most=HUGE)
    r, n_samples = _check_draws(r, n_samples)
    check_standardised(prior_u, "prior_u")
    check_standardised(prior_w, "prior_w")
    rng = random_generator(rng)
    reached = float(pca_overlap(alpha, snr))
    if reached == 0.0:
        return 0.0, 0.0
    noise = (1.0 + 1.0 / alpha + 2.0 * snr**2) / (alpha * snr**4 - 1.0)
    diagonal = 2.0 * noise + (prior_w.moment(4) - 1.0) + (prior_u.moment(4) - 1.0) / alpha
    splitting = np.sqrt(noise + 1.0 + 1.0 / alpha) * rng.standard_normal((n_samples, r, r))
    splitting = (splitting + splitting.transpose(0, 2, 1)) / np.sqrt(2.0)
    places = np.arange(r)
    splitting[:, places, places] = np.sqrt(diagonal) * rng.standard_normal((n_samples, r))
    mean, error = _mean_matched_overlap(np.linalg.eigh(splitting)[1])
    return reached * mean, reached * error


def _check_draws(r, n_samples):
    r, n_samples = positive_integer(r, "r"), positive_integer(n_samples, "n_samples", minimum=2)
    if n_samples * r**3 > MAX_WORK:
        raise ValueError(
            f"r and n_samples must be smaller: n_samples * r**3 is {n_samples * r**3:.3g}, "
            f"at most {MAX_WORK:.0e} will do"
        )
    return r, n_samples


def _mean_matched_overlap(rotations):
    """Mean over a stack of orthogonal matrices of their matched overlap with the axes."""
    axes = np.eye(rotations.shape[-1])
    means = [matched_overlap(axes, rotation).mean() for rotation in rotations]
    return float(np.mean(means)), float(np.std(means, ddof=1) / np.sqrt(len(means)))
