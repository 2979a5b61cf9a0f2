"""Instances of a table, size by size, as comparisons with theory take them."""

from __future__ import annotations

import numpy as np
import pandas as pd


def instances_by_size(
    table: pd.DataFrame, column: str, **point
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the dimensions at which something was measured and, for each, its instances.

    Parameters
    ----------
    table : pandas.DataFrame
        Results with columns ``d`` and ``instance``, one row an instance.
    column : str
        What was measured.
    **point
        Values of the other parameters, such as ``snr=1.5``, as many as tell the points apart; rows
        with other values are left out.

    Returns
    -------
    sizes : (s,) array
        Dimensions, increasing.
    instances : list of s arrays
        In the order of the instances.

    Raises
    ------
    ValueError
        If the table has no such rows, or those of several points at one size.
    """
    for name, value in point.items():
        table = table[table[name] == value]
    if table.empty:
        raise ValueError(f"the table has no rows at {point}")
    if table.duplicated(["d", "instance"]).any():
        raise ValueError(f"the table has several points of one size at {point}")
    groups = list(table.sort_values("instance").groupby("d"))
    return np.array([d for d, _ in groups]), [rows[column].to_numpy() for _, rows in groups]
