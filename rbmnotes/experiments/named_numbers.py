r"""Rows of named numbers: ``M01(5)`` is entry (0, 1) of $M_5$, ``C10(15,5)`` one of $C(15,5)$.

What a run finds and what theory says have the same names, so tables of both are read alike.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from rbmnotes.evidence import extrapolate_paths


def name_order_parameters(recorded, M, Q, loss, gradient=None) -> dict:
    """Name the entries of M and Q, the loss and, if given, the gradient at some iterations.

    Parameters
    ----------
    recorded : sequence of int
        Iterations to keep.
    M : (T + 1, r, k) array
    Q : (T + 1, k, k) array
    loss, gradient : (T + 1,) arrays

    Returns
    -------
    dict
        Such as ``M01(5)``, ``Q00(5)``, ``loss(5)`` and ``gradient(5)``.
    """
    row = name_entries({("M", t): M[t] for t in recorded} | {("Q", t): Q[t] for t in recorded})
    row |= {f"loss({t})": float(loss[t]) for t in recorded}
    if gradient is not None:
        row |= {f"gradient({t})": float(gradient[t]) for t in recorded}
    return row


def name_entries(matrices: dict) -> dict:
    """Name the entries of matrices that are named by a letter and times."""
    return {
        f"{name}{a}{b}({','.join(map(str, when))})": float(matrix[a, b])
        for (name, *when), matrix in matrices.items()
        for a, b in np.ndindex(matrix.shape)
    }


def columns_of(table: pd.DataFrame, setting: str, *kinds: str) -> list[str]:
    """Return the columns of a setting whose names start in one of some ways, such as ``"Q"``.

    Primed quantities are found under their own names only: ``"noise"`` does not stand for
    ``"noise'"``.
    """
    rows = table[table.setting == setting].dropna(axis="columns", how="all")
    wanted = re.compile(rf"({'|'.join(map(re.escape, kinds))})\d*\(")
    return [name for name in rows.columns if wanted.match(name)]


def series(table: pd.DataFrame, setting: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the iterations at which a number such as ``"M01"`` was kept, and its values.

    Parameters
    ----------
    table : pandas.DataFrame
        Of one size, or of one number of paths.
    setting : str
    name : str

    Returns
    -------
    iterations : (m,) array of int
    values : (m, instances) array
    """
    rows = table[table.setting == setting].dropna(axis="columns", how="all")
    kept = [re.fullmatch(rf"{re.escape(name)}\((\d+)\)", column) for column in rows.columns]
    times = sorted(int(match[1]) for match in kept if match)
    return np.array(times), np.array([rows[f"{name}({t})"].to_numpy() for t in times])


def without_bias(table: pd.DataFrame, setting: str, columns) -> np.ndarray:
    """Extrapolate every instance's numbers to infinite d, so that a bias c/d drops out.

    By :func:`rbmnotes.evidence.extrapolate_paths`, as many instances at every size.

    Parameters
    ----------
    table : pandas.DataFrame
        Of all sizes.
    setting : str
    columns : sequence of str

    Returns
    -------
    (instances, len(columns)) array
    """
    rows = table[table.setting == setting].sort_values(["d", "instance"])
    sizes = np.sort(rows.d.unique()).astype(float)
    samples = np.stack([rows[rows.d == d][list(columns)].to_numpy() for d in sizes])
    return extrapolate_paths(sizes, samples)


def predicted(theory: pd.DataFrame, setting: str, columns) -> tuple[np.ndarray, np.ndarray]:
    """Return means and standard errors over the independent solves with the most paths.

    Parameters
    ----------
    theory : pandas.DataFrame
        Independent solves, by ``n_paths``.
    setting : str
    columns : sequence of str
        Without a noise column's, zero.

    Returns
    -------
    means, standard_errors : (len(columns),) arrays
    """
    rows = theory[(theory.setting == setting) & (theory.n_paths == theory.n_paths.max())]
    values = rows[list(columns)].to_numpy()
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


class TheoryErrors(NamedTuple):
    """How exactly a theory by sampled paths is known.

    Over the numbers that scatter in the simulation, ``largest`` is the largest ratio of the
    theory's standard error to the simulation's, and ``shift`` the root mean square of what half
    the paths change, in standard errors.
    """

    largest: float
    shift: float

    def __str__(self) -> str:
        return (
            f"theory: largest error, over the simulation's, {self.largest:.2f}; half the paths: "
            f"shift, over its error, root mean square {self.shift:.1f}"
        )


def theory_errors(theory: pd.DataFrame, setting: str, columns, samples) -> TheoryErrors:
    """Compare the theory's own errors with the simulation's, and with fewer paths.

    Parameters
    ----------
    theory : pandas.DataFrame
        Independent solves, with two values of ``n_paths``.
    setting : str
    columns : sequence of str
    samples : (instances, len(columns)) array
        The simulation, as :func:`without_bias` returns it.

    Returns
    -------
    TheoryErrors
    """
    means, errors = predicted(theory, setting, columns)
    coarse = theory[theory.n_paths == theory.n_paths.min()]
    half, half_errors = predicted(coarse, setting, columns)
    noise = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    free = noise > 1e-9
    shift = np.abs(means - half)[free] / np.hypot(errors, half_errors)[free]
    return TheoryErrors(np.max(errors[free] / noise[free]), np.sqrt(np.mean(shift**2)))
