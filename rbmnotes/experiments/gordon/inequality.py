r"""Gordon's inequality, judged on draws: distribution functions, their bands, the factor two.

The lemma (paper eqs. 99-101) says $P(\Phi<t)\le2P(\phi\le t)$ for every $t$ and, for a convex
problem, $P(\Phi>t)\le2P(\phi\ge t)$. Distribution functions are known from draws, within a band
that holds everywhere at once; what exceeds the bound by more than all bands is a violation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LEVEL = 0.01
"""Probability that a distribution function leaves its band somewhere."""


class Excesses(NamedTuple):
    r"""By how much each inequality is exceeded beyond the bands; positive means violated.

    ``lower`` of $P(\Phi<t)\le2P(\phi\le t)$, which says that $\Phi$ is not smaller than $\phi$;
    ``upper`` of $P(\Phi>t)\le2P(\phi\ge t)$.
    """

    lower: float
    upper: float


def covariance_difference(F, other_F, W, other_W) -> float:
    r"""Return how much more two points correlate in Gordon's first process than in his second.

    For $k$ units, with $|W|=(W^\top W)^{1/2}$, the processes are
    ${\rm tr}\,f^\top ZW+{\rm tr}\,|f|G_3|W|$ and ${\rm tr}\,f^\top G_1|W|+{\rm tr}\,|f|G_2^\top W$,
    and the difference is ${\rm tr}\,(|f||f'|-f^\top f')(|W'||W|-W'^\top W)$. Gordon's condition
    wants it not negative (Remark 1; ours).

    Parameters
    ----------
    F, other_F : (n, k) arrays
        Multipliers $f$ and $f'$ of two points.
    W, other_W : (d, k) arrays
        Weights of the same points.

    Returns
    -------
    float
    """
    size_F, other_size_F, size_W, other_size_W = map(_modulus, (F, other_F, W, other_W))
    return np.trace(
        (size_F @ other_size_F - F.T @ other_F) @ (other_size_W @ size_W - other_W.T @ W)
    )


def band(count: int, level: float = LEVEL) -> float:
    r"""Return the half width of the uniform band around an empirical distribution function.

    $\sqrt{\log(2/p)/2N}$ of Dvoretzky, Kiefer and Wolfowitz with Massart's constant: with
    probability $1-p$ the distribution function is within it everywhere.

    Parameters
    ----------
    count : int
        Number of independent draws $N$.
    level : float
        Probability $p$.

    Returns
    -------
    float
    """
    return np.sqrt(np.log(2.0 / level) / (2.0 * count))


def distribution(values, t) -> np.ndarray:
    """Return the empirical distribution function of draws: the share that is not above `t`.

    Parameters
    ----------
    values : (count,) array
    t : array

    Returns
    -------
    array
        Of the shape of `t`.
    """
    return np.searchsorted(np.sort(values), t, side="right") / len(values)


def excesses(problem, auxiliary) -> Excesses:
    r"""Return by how much draws exceed each of Gordon's two inequalities, beyond all bands.

    Parameters
    ----------
    problem : (count,) array
        Draws of $\Phi$.
    auxiliary : (other_count,) array
        Draws of $\phi$.

    Returns
    -------
    Excesses
    """
    t = np.sort(np.concatenate([problem, auxiliary]))
    F, bound = distribution(problem, t), distribution(auxiliary, t)
    width = band(len(problem)) + 2.0 * band(len(auxiliary))
    return Excesses(
        (F - 2 * bound).max() - width,
        ((1 - F) - 2 * (1 - bound)).max() - width,
    )


def first_refuted(problem, auxiliary, shifts) -> float:
    r"""Return the first shift of $\phi$ with which $P(\Phi<t)\le2P(\phi\le t)$ is seen to fail.

    How sharp a comparison is that holds: by so much $\phi$ could be larger unnoticed.

    Parameters
    ----------
    problem, auxiliary : arrays
        As of :func:`excesses`.
    shifts : sequence of float
        Increasing; tried one after the other.

    Returns
    -------
    float
        NaN if there is none.
    """
    refuted = (shift for shift in shifts if excesses(problem, auxiliary + shift).lower > 0)
    return next(refuted, np.nan)


def _modulus(A):
    r"""Return $(A^\top A)^{1/2}$."""
    values, vectors = np.linalg.eigh(A.T @ A)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T
