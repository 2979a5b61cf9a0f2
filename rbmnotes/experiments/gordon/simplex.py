r"""A toy for Gordon's inequality: a simplex, which is convex, and its corners, which are not.

With $S$ the simplex or its corners, $T$ the unit ball and $\chi=0$ the lemma (paper eqs. 99-101)
compares

.. math::
    \Phi=\min_{w\in S}\|Zw\|,\qquad\phi=\max\big(0,\min_{w\in S}\|w\|\|G_1\|+G_2^\top w\big):

the distance of the origin from the convex hull of the columns of $Z$, or the length of the
shortest of them, and a minimum that is found along a path of one parameter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

SUM_WEIGHT = 1e4
"""Weight of the condition that $w$ sums to one, beside columns of length one to ten."""

HEIGHTS = np.geomspace(1e-3, 100.0, 300)
r"""Values of $c-\min_iG_{2i}$ that are tried: from a corner of the simplex to its centre."""


class Values(NamedTuple):
    r"""Draws of $\Phi$ and of $\phi$, arrays of one length."""

    problem: np.ndarray
    auxiliary: np.ndarray


def distance_to_hull(Z) -> float:
    r"""Return the distance of the origin from the convex hull of the columns of `Z`.

    $\Phi$ of the simplex, by nonnegative least squares.

    Parameters
    ----------
    Z : (n, d) array

    Returns
    -------
    float
    """
    sum_to_one = np.vstack([Z, SUM_WEIGHT * np.ones(Z.shape[1])])
    w = nnls(sum_to_one, np.append(np.zeros(len(Z)), SUM_WEIGHT))[0]
    return np.linalg.norm(Z @ w) / w.sum()


def auxiliary_of_hull(length, G2) -> np.ndarray:
    r"""Return Gordon's auxiliary value $\phi$ of the simplex.

    The minimiser has $w\propto(c-G_2)_+$ for some $c$, of which three hundred are tried.

    Parameters
    ----------
    length : (runs,) array
        $\|G_1\|$.
    G2 : (runs, d) array

    Returns
    -------
    (runs,) array
    """
    lowest, least = G2.min(axis=1, keepdims=True), np.full(len(G2), np.inf)
    for height in HEIGHTS:
        w = np.maximum(height + lowest - G2, 0.0)
        w /= w.sum(axis=1, keepdims=True)
        value = np.linalg.norm(w, axis=1) * length + (w * G2).sum(axis=1)
        least = np.minimum(least, value)
    return np.maximum(least, 0.0)


def draw_values(runs: int, n: int, d: int, rng: np.random.Generator) -> dict[str, Values]:
    r"""Draw $\Phi$ and $\phi$ on the simplex and on its corners, the same Gaussians for both.

    On the corners $\phi$ is $\|G_1\|+\min_iG_{2i}$, which is positive in all but vanishingly few
    draws if $n$ is large beside $\log d$.

    Parameters
    ----------
    runs : int
        Number of draws, of $\Phi$ and, independent of them, of $\phi$.
    n, d : int
        Rows and columns of $Z$.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``simplex`` and ``corners``.
    """
    matrices = [rng.standard_normal((n, d)) for _ in range(runs)]
    length = np.linalg.norm(rng.standard_normal((runs, n)), axis=1)
    G2 = rng.standard_normal((runs, d))
    return {
        "simplex": Values(
            np.array([distance_to_hull(Z) for Z in matrices]), auxiliary_of_hull(length, G2)
        ),
        "corners": Values(
            np.array([np.linalg.norm(Z, axis=0).min() for Z in matrices]),
            length + G2.min(axis=1),
        ),
    }
