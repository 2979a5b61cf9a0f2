r"""Two signals of distinct strength from a small informed start, against the mean-field theory."""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.dmft import dmft

PATH_MODEL = SpikedModel(4.0, (1.6, 1.2))
PATH_M0 = np.array([[0.06, 0.02], [-0.02, 0.05]])
PATH_Q0 = np.array([[0.10, 0.02], [0.02, 0.10]])
PATH_RATE, PATH_ITER = 0.05, 40
PATH_SIZES, PATH_INSTANCES = (500, 1000, 2000), 40


def measure_path(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Train once from the small informed start; a row a step with the entries of M and Q."""
    data = PATH_MODEL.sample(parameters["d"], rng)
    start = informed_start(data.W_star, PATH_M0, PATH_Q0, rng)
    X = data.X.astype(np.float32)
    history = gradient_descent(X, start, PATH_RATE, PATH_ITER, W_star=data.W_star).history
    return path_rows(history.M, history.Q)


def measure_path_theory(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Solve the mean-field theory once; instances are independent solves."""
    theory = dmft(
        *(PATH_MODEL, PATH_M0, PATH_Q0, PATH_RATE, PATH_ITER, parameters["n_paths"], rng),
        n_solves=1,
    )
    return path_rows(theory.M, theory.Q)


def path_rows(M, Q) -> list[dict]:
    """Return a row a step ``t`` with ``M00``, ..., ``Q11``."""
    return [
        {"t": t}
        | {
            f"{name}{a}{b}": float(f"{values[t, a, b]:.7g}")
            for name, values in (("M", M), ("Q", Q))
            for a, b in np.ndindex(values.shape[1:])
            if name == "M" or a <= b
        }
        for t in range(len(M))
    ]


EXPERIMENTS = (
    Experiment(
        name="emergence_path",
        version=1,
        description="Gradient descent from a small informed start, distinct strengths",
        measure=measure_path,
        scales={
            "quick": Scale(grid(d=[100, 200, 400]), 10),
            "paper": Scale(grid(d=PATH_SIZES), PATH_INSTANCES),
        },
    ),
    Experiment(
        name="emergence_path_theory",
        version=1,
        description="Independent solves of the mean-field theory from a small informed start",
        measure=measure_path_theory,
        scales={
            "quick": Scale(grid(n_paths=[2**8]), 8),
            "paper": Scale(grid(n_paths=[2**12, 2**13]), 16),
        },
    ),
)
