"""Products of the data with a few columns, from both sides: nearly all the time of training."""

from __future__ import annotations

import numpy as np


def times(X: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Return X W in float64: column by column, or as (W^T X^T)^T, whichever BLAS does faster.

    Parameters
    ----------
    X : (n, d) array
        Data; the product is computed in its precision.
    W : (d, k) array

    Returns
    -------
    (n, k) array, contiguous
    """
    W = W.astype(X.dtype, copy=False)
    by_column = W.shape[1] <= 2
    product = np.column_stack([X @ w for w in W.T.copy()]) if by_column else (W.T.copy() @ X.T).T
    return np.ascontiguousarray(product, dtype=np.float64)


def transposed_times(X: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Return X^T g in float64: column by column, or as (g^T X)^T.

    Parameters
    ----------
    X : (n, d) array
        Data; the product is computed in its precision.
    g : (n, k) array

    Returns
    -------
    (d, k) array, contiguous
    """
    g = g.astype(X.dtype, copy=False)
    by_column = g.shape[1] <= 2
    product = np.column_stack([u @ X for u in g.T.copy()]) if by_column else (g.T @ X).T
    return np.ascontiguousarray(product, dtype=np.float64)
