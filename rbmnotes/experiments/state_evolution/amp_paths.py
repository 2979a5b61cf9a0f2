r"""AMP-RBM against its state evolution, iteration by iteration (Theorem 3; Figure 1, left).

Three settings, fixed beforehand: one unit from an informed start; two units and two signals from a
start that is not diagonal, so that every index order shows; one unit from the spectral start.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.limits import pca_overlap
from rbmnotes.theory.state_evolution import StateEvolution, state_evolution

N_ITER = 10
SIZES, INSTANCES = (1000, 2000, 4000, 8000), 144
"""So many that the interval of a rate is narrow enough to decide."""

SETTINGS = {
    "one unit": {"alpha": 2.0, "snr": [1.5], "M0": [[0.5]], "Q0": [[1.0]], "V0": [[0.3]]},
    "two units": {
        "alpha": 2.0,
        "snr": [1.9, 1.5],
        "M0": [[0.6, 0.25], [-0.2, 0.5]],
        "Q0": [[0.9, 0.2], [0.2, 0.9]],
        "V0": [[0.3, 0.0], [0.0, 0.3]],
    },
    "spectral": {"alpha": 2.0, "snr": [1.5], "V0": [[0.3]]},
}


def _model(setting: str) -> SpikedModel:
    return SpikedModel(SETTINGS[setting]["alpha"], SETTINGS[setting]["snr"])


def predict_path(setting: str) -> StateEvolution:
    """Return the state evolution of a setting, from its start on."""
    chosen, model = SETTINGS[setting], _model(setting)
    M0, Q0 = chosen.get("M0"), chosen.get("Q0")
    if M0 is None:
        M0, Q0 = [[pca_overlap(model.alpha, model.snr[0])]], [[1.0]]
    return state_evolution(model, M0, Q0, chosen["V0"], N_ITER)


def measure_path(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Run AMP-RBM once.

    Parameters
    ----------
    parameters : dict
        ``setting``, a key of ``SETTINGS``, and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row an iteration: ``t`` and every entry of M, Q and V, such as ``M01``. The sign of a
        spectral start is that of its overlap.
    """
    chosen, model = SETTINGS[parameters["setting"]], _model(parameters["setting"])
    data = model.sample(parameters["d"], rng)
    start = "spectral"
    if "M0" in chosen:
        start = informed_start(data.W_star, chosen["M0"], chosen["Q0"], rng)
    fit = amp_rbm(
        data.X,
        len(chosen["V0"]),
        start=start,
        V0=chosen["V0"],
        tol=1e-300,
        max_iter=N_ITER,
        W_star=data.W_star,
    )
    M = fit.history.M * np.sign(fit.history.M[0, 0, 0])
    return [
        {"t": t}
        | {
            f"{name}{a}{b}": float(values[t, a, b])
            for name, values in (("M", M), ("Q", fit.history.Q), ("V", fit.history.V))
            for a, b in np.ndindex(values.shape[1:])
        }
        for t in range(N_ITER + 1)
    ]


def as_paths(table: pd.DataFrame, setting: str, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return measured and predicted paths of one setting and size.

    Parameters
    ----------
    table : pandas.DataFrame
        Results with columns ``setting``, ``d``, ``instance``, ``t`` and one an entry.
    setting : str
    d : int

    Returns
    -------
    samples : (instances, N_ITER + 1, entries) array
    theory : (N_ITER + 1, entries) array
        The entries of M, then of Q, then of V, each matrix row by row.
    """
    rows = table[(table.setting == setting) & (table.d == d)].sort_values(["instance", "t"])
    entries = rows.filter(regex=r"^[MQV]\d\d$").dropna(axis="columns", how="all")
    entries = entries.sort_index(axis="columns")
    samples = entries.to_numpy().reshape(-1, N_ITER + 1, entries.shape[1])
    path = predict_path(setting)
    theory = np.column_stack(
        [getattr(path, entry[0])[:, int(entry[1]), int(entry[2])] for entry in entries.columns]
    )
    return samples, theory


EXPERIMENTS = (
    Experiment(
        name="paths",
        version=2,
        description="AMP-RBM against state evolution, iteration by iteration (Figure 1, left)",
        measure=measure_path,
        scales={
            "quick": Scale(grid(d=[250, 500], setting=SETTINGS), 10),
            "paper": Scale(grid(d=SIZES, setting=SETTINGS), INSTANCES),
        },
    ),
)
