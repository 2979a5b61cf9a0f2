"""Principal component analysis: the spectral baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import svds

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike
from rbmnotes._validation import finite_array, positive_integer


@dataclass(frozen=True, eq=False)
class PCAResult(Frozen):
    r"""Leading singular vectors of the data.

    Attributes
    ----------
    W : (d, r) array
        Right singular vectors, each of squared norm d.
    U : (n, r) array
        Left singular vectors, each of squared norm n.
    singular_values : (r,) array
        Of $X/\sqrt d$, largest first.
    """

    W: np.ndarray
    U: np.ndarray
    singular_values: np.ndarray


def pca(X: ArrayLike, r: int) -> PCAResult:
    r"""Return the `r` leading singular vectors of $X/\sqrt d$; the data is not centred.

    The sign of a pair of vectors is fixed by its right one: its largest entry is positive.

    Parameters
    ----------
    X : (n, d) array
        Data, one sample a row.
    r : int
        Number of components, at most ``min(n, d)``.

    Returns
    -------
    PCAResult

    Raises
    ------
    ValueError
        If `X` is not a finite matrix or `r` is out of range.
    """
    X = finite_array(X, "X", (None, None))
    r = component_count(r, "r", X)
    n, d = X.shape
    if not np.any(X):
        raise ValueError("X must not be zero: it has no principal directions")
    if r < min(n, d) // 4:
        left, values, right = svds(X, k=r, v0=np.random.default_rng(0).standard_normal(min(n, d)))
        order = np.argsort(values)[::-1]
    else:
        left, values, right = np.linalg.svd(X, full_matrices=False)
        order = np.arange(r)
    left, values, right = left[:, order], values[order], right[order]
    signs = np.sign(right[np.arange(r), np.abs(right).argmax(axis=1)])
    return PCAResult(
        W=right.T * signs * np.sqrt(d),
        U=left * signs * np.sqrt(n),
        singular_values=values / np.sqrt(d),
    )


def component_count(r: int, name: str, X: np.ndarray) -> int:
    """Return `r` as an ``int``, or raise if the data does not have as many components."""
    r = positive_integer(r, name)
    if r > min(X.shape):
        raise ValueError(f"{name} must be at most min(n, d) = {min(X.shape)}; got {r}")
    return r
