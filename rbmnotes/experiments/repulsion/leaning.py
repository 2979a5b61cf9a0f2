r"""Two units that lean to one of two equal signals, step by step (Figure 7).

Against their mean-field theory, together and each for itself. Named numbers, ``M01(5)`` and so on,
are those of :mod:`rbmnotes.experiments.named_numbers`.
"""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.experiments.repulsion.repulsion import (
    ALPHA,
    METHODS,
    RATE,
    SNR,
    train_units,
    train_units_alone,
)
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.dmft import dmft

ANGLES = (25.0, 40.0)
"""Where two units start in the plane of two signals, in degrees from the first: both nearer to it.
"""

SHARE = 0.25
"""Share of their squared norm that lies in the plane; the rest of the units is orthogonal."""

NORM = 0.05
N_ITER = 40
RECORDED = (*range(21), 25, 30, 40)

SETTINGS = ("gd", "cd", "alone")
"""Gradient descent, contrastive divergence, and gradient descent of each unit for itself."""


def leaning_start() -> tuple[np.ndarray, np.ndarray]:
    """Return M and Q of two units that lean to the same signal, see ``ANGLES``."""
    angles = np.deg2rad(ANGLES)
    M0 = np.sqrt(NORM * SHARE) * np.array([np.cos(angles), np.sin(angles)])
    return M0, M0.T @ M0 + NORM * (1.0 - SHARE) * np.eye(2)


def measure_leaning(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Train two units from :func:`leaning_start` once, in every setting on the same data.

    Parameters
    ----------
    parameters : dict
        ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row a setting: its name as ``setting``, and the entries of M and Q at the iterations
        ``RECORDED``, with seven significant digits. Of units alone the diagonal of Q only.
    """
    data = SpikedModel(ALPHA, [SNR] * 2).sample(parameters["d"], rng)
    X, W_star = data.X.astype(np.float32), data.W_star
    del data
    start, rows = informed_start(W_star, *leaning_start(), rng), []
    for setting in METHODS:
        history = train_units(setting, X, start, N_ITER, rng, W_star=W_star).history
        rows.append({"setting": setting} | _named(history.M, history.Q))

    def one_unit(W):
        return train_units("gd", X, W, N_ITER, W_star=W_star)

    units = [unit.history for unit in train_units_alone(one_unit, start)]
    return [*rows, {"setting": "alone"} | _separate(units)]


def measure_leaning_theory(parameters: dict, rng: np.random.Generator) -> dict:
    """Solve the mean-field theory of a setting once; instances are independent solves.

    Parameters
    ----------
    parameters : dict
        ``setting`` and ``n_paths``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        As a row of :func:`measure_leaning`.
    """
    model, (M0, Q0) = SpikedModel(ALPHA, [SNR] * 2), leaning_start()
    solve = {"n_paths": parameters["n_paths"], "n_solves": 1, "rng": rng}
    if parameters["setting"] != "alone":
        theory = dmft(model, M0, Q0, RATE, N_ITER, method=parameters["setting"], **solve)
        return _named(theory.M, theory.Q)
    return _separate(
        [dmft(model, M0[:, [a]], Q0[a : a + 1, a : a + 1], RATE, N_ITER, **solve) for a in range(2)]
    )


def _separate(units) -> dict:
    """Entries of M and Q of units that were trained, or solved, one by one."""
    M = np.concatenate([unit.M for unit in units], axis=2)
    Q = np.zeros((*M.shape[:1], len(units), len(units)))
    for a, unit in enumerate(units):
        Q[:, a, a] = unit.Q[:, 0, 0]
    named = _named(M, Q)
    return {name: x for name, x in named.items() if not name.startswith(("Q01", "Q10"))}


def _named(M, Q) -> dict:
    return {
        f"{letter}{a}{b}({t})": float(f"{values[t, a, b]:.7g}")
        for letter, values in (("M", M), ("Q", Q))
        for t in RECORDED
        for a, b in np.ndindex(values.shape[1:])
        if letter == "M" or a <= b
    }


EXPERIMENTS = (
    Experiment(
        name="leaning",
        version=1,
        description="Two units that lean to one of two equal signals, every step (Figure 7)",
        measure=measure_leaning,
        scales={
            "quick": Scale(grid(d=[100, 200]), 2),
            "paper": Scale(grid(d=[500, 1000, 2000]), 60),
        },
    ),
    Experiment(
        name="leaning_theory",
        version=1,
        description="Independent solves of the mean-field theory of two leaning units (Figure 7)",
        measure=measure_leaning_theory,
        scales={
            "quick": Scale(grid(setting=SETTINGS, n_paths=[2**7]), 2),
            "paper": Scale(grid(setting=SETTINGS, n_paths=[2**13, 2**14]), 16),
        },
    ),
)
