r"""The basis that PCA chooses among signals of equal strength.

With distinct strengths every signal has its own singular vector. With equal ones PCA finds the
span only, and what is of order $d^{-1/2}$ decides which basis of it the singular vectors form.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from rbmnotes._types import Seed
from rbmnotes._validation import (
    HUGE,
    finite_real,
    positive_integer,
    positive_real,
    random_generator,
)
from rbmnotes.model.priors import Prior, Rademacher, check_standardised
from rbmnotes.theory.limits import pca_overlap

MAX_WORK = 5e9
"""Work of drawing rotations, in operations."""


def haar_overlap(r: int, n_samples: int = 20_000, rng: Seed = 0) -> tuple[float, float]:
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
        If `r` or `n_samples` is too small, or the draws would take too long.
    """
    r, n_samples = _check_draws(r, n_samples)
    if r <= 2:
        return (1.0 if r == 1 else float(2.0 * np.sqrt(2.0) / np.pi)), 0.0
    matrices = random_generator(rng).standard_normal((n_samples, r, r))
    return _mean_matched_overlap(np.linalg.qr(matrices)[0])


def equal_snr_splitting(
    alpha: float, snr: float, prior_u: Prior = Rademacher(), prior_w: Prior = Rademacher()
) -> tuple[float, float]:
    r"""Return the variances of the matrix that splits signals of equal strength (ours).

    The singular values of such signals coincide in the limit. What splits them is a symmetric
    matrix of order $d^{-1/2}$: the Gram matrices of the signals and of the latent variables, and
    the noise. Times $\sqrt d$ its entries are independent centred Gaussians, of variance
    $v+1+1/\alpha$ off the diagonal and $2v+{\rm Var}\,w^2+{\rm Var}\,u^2/\alpha$ on it, where
    $v=(1+1/\alpha+2\lambda^2)/(\alpha\lambda^4-1)$.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength, the same for all.
    prior_u, prior_w : Prior
        Laws of the latent variables and of the signals' entries: zero mean, unit variance.

    Returns
    -------
    off_diagonal, diagonal : float
        Both infinite up to the BBP threshold.

    Raises
    ------
    ValueError
        If an argument is out of range or a prior is not standardised.
    """
    alpha = positive_real(alpha, "alpha")
    snr = finite_real(snr, "snr", at_least=0.0, at_most=HUGE)
    check_standardised(prior_u, "prior_u")
    check_standardised(prior_w, "prior_w")
    excess = alpha * snr**4 - 1.0
    noise = (1.0 + 1.0 / alpha + 2.0 * snr**2) / excess if excess > 0.0 else np.inf
    diagonal = 2.0 * noise + (prior_w.moment(4) - 1.0) + (prior_u.moment(4) - 1.0) / alpha
    return float(noise + 1.0 + 1.0 / alpha), float(diagonal)


def equal_snr_pca_overlap(
    alpha: float,
    snr: float,
    r: int,
    prior_u: Prior = Rademacher(),
    prior_w: Prior = Rademacher(),
    n_samples: int = 20_000,
    rng: Seed = 0,
) -> tuple[float, float]:
    r"""Return the mean matched overlap of PCA with `r` signals of equal strength (ours).

    PCA finds the subspace of the signals; which basis of it, the eigenvectors of the Gaussian
    matrix of :func:`~rbmnotes.theory.extensions.pca_basis.equal_snr_splitting` say. They are Haar
    distributed for Gaussian priors; for signs, whose squares do not fluctuate, closer to equal
    mixtures of all signals, and so the overlap is smaller.

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
    r, n_samples = _check_draws(r, n_samples)
    off_diagonal, diagonal = equal_snr_splitting(alpha, snr, prior_u, prior_w)
    rng = random_generator(rng)
    reached = float(pca_overlap(alpha, snr))
    if reached == 0.0:
        return 0.0, 0.0
    splitting = np.sqrt(off_diagonal) * rng.standard_normal((n_samples, r, r))
    splitting = (splitting + splitting.transpose(0, 2, 1)) / np.sqrt(2.0)
    places = np.arange(r)
    splitting[:, places, places] = np.sqrt(diagonal) * rng.standard_normal((n_samples, r))
    mean, error = _mean_matched_overlap(np.linalg.eigh(splitting)[1])
    return reached * mean, reached * error


def _check_draws(r: int, n_samples: int) -> tuple[int, int]:
    r, n_samples = positive_integer(r, "r"), positive_integer(n_samples, "n_samples", minimum=2)
    if n_samples * r**3 > MAX_WORK:
        raise ValueError(
            f"r and n_samples must be smaller: n_samples * r**3 is {n_samples * r**3:.3g}, "
            f"at most {MAX_WORK:.0e} will do"
        )
    return r, n_samples


def _mean_matched_overlap(rotations: np.ndarray) -> tuple[float, float]:
    """Mean over a stack of orthogonal matrices of their matched overlap with the axes."""
    cosines = np.abs(rotations)
    means = [cosine[linear_sum_assignment(-cosine)].mean() for cosine in cosines]
    return float(np.mean(means)), float(np.std(means, ddof=1) / np.sqrt(len(means)))
