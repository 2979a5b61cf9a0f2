"""How many steps contrastive divergence and gradient descent need, against the learning rate.

The overlap of a run is the mean cosine of its units with their signals, over the mean cosine at the
end of gradient descent: at the likelihood's fixed point in theory, on the same data in simulation,
so that most of the finite size drops out. A method has arrived at a level, 95 or 99 per cent, when
the mean of that over instances stays above it up to step 60, or the end of the run. At a large
learning rate the noise of the chains keeps CD below: then it never arrives. For one Rademacher unit
CD-10 is CD-1 (no bias, and the same noise), and only the latter is run. Cases, rates and sizes were
fixed before the runs.
"""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments.contrastive.cd_dynamics import CASES as TRAJECTORY_CASES
from rbmnotes.experiments.contrastive.cd_dynamics import Case, solve_case, train_case
from rbmnotes.experiments.engine.experiment import Experiment, Scale
from rbmnotes.model.priors import Rademacher
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.state_evolution import fixed_point

LEVELS = (0.95, 0.99)
"""Shares of the final overlap at which a method counts as arrived."""

METHODS = {
    "one unit": ("gradient descent", "CD-1"),
    "two units": ("gradient descent", "CD-1", "CD-10"),
}
CASES = {
    "one unit": Case(SpikedModel(4.0, 1.2), Rademacher(), np.array([[0.2]]), np.array([[1.0]])),
    "two units": TRAJECTORY_CASES["two units"],
}
RATES = {
    "one unit": (0.05, 0.1, 0.2, 0.4),
    "two units": (0.05, 0.1, 0.15, 0.25),
}
"""Learning rates of the simulations."""

THEORY_RATES = (0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
SIZE, N_PATHS, SOLVES = 1000, 2**11, 8
INSTANCES = {"one unit": 12, "two units": 8}
"""Draws of each case: many cycles of two units take time."""

WINDOW = 60
"""Steps within which a method must arrive, and stay."""

LIMIT_RATE, LIMIT_STEPS = 0.1, 200
"""Gradient descent to the end: at this rate it settles in both cases."""


def longest_run(rate: float) -> int:
    """Return the length of a run: as long in time at every rate, within limits."""
    return int(np.clip(round(6.0 / rate), 40, 120))


def mean_cosine(M, Q) -> np.ndarray:
    r"""Return the mean over units of $M_{aa}/\sqrt{Q_{aa}}$.

    Parameters
    ----------
    M : (T + 1, k, k) array
    Q : (T + 1, k, k) array

    Returns
    -------
    (T + 1,) array
    """
    return np.mean(
        np.einsum("taa->ta", M) / np.sqrt(np.einsum("taa->ta", Q)),
        axis=1,
    )


def arrival(overlaps, level: float) -> float:
    """Return the first step from which on an overlap stays above a level.

    Parameters
    ----------
    overlaps : (T + 1,) array
        Relative overlaps; NaN after training diverged.
    level : float

    Returns
    -------
    float
        NaN if there is none.
    """
    above = np.asarray(overlaps) >= level
    if not above[-1]:
        return np.nan
    below = np.flatnonzero(~above)
    return float(below[-1] + 1) if len(below) else 0.0


def measure_speed(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Draw data once and train by every method, each from a start of its own.

    Parameters
    ----------
    parameters : dict
        ``case``, a key of ``CASES``, ``rate`` and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row a method: ``method``, the mean cosine at the end of gradient descent as ``limit``, and
        the relative overlap of every step, such as ``overlap(5)``; none after a divergence.
    """
    case, rate = CASES[parameters["case"]], parameters["rate"]
    data = case.model.sample(parameters["d"], rng)
    X, W_star, rows = data.X.astype(np.float32), data.W_star, []
    start = informed_start(W_star, case.M0, case.Q0, rng)
    end = gradient_descent(X, start, LIMIT_RATE, LIMIT_STEPS, case.hidden, W_star=W_star)
    limit = mean_cosine(end.history.M[-1:], end.history.Q[-1:])[0]
    for method in METHODS[parameters["case"]]:
        start = informed_start(W_star, case.M0, case.Q0, rng)
        history = train_case(X, start, method, rate, longest_run(rate), case.hidden, W_star, rng)
        overlaps = mean_cosine(history.M, history.Q) / limit
        rows.append({"method": method, "limit": limit} | _named(overlaps))
    return rows


def measure_speed_theory(parameters: dict, rng: np.random.Generator) -> dict:
    """Solve the mean-field theory once; instances are independent solves.

    Parameters
    ----------
    parameters : dict
        ``case``, ``method`` and ``rate``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        The relative overlap of every step, such as ``overlap(5)``; none after a divergence.
    """
    case, rate = CASES[parameters["case"]], parameters["rate"]
    length = min(longest_run(rate), WINDOW)
    theory = solve_case(case, parameters["method"], rate, length, N_PATHS, rng, n_solves=1)
    return _named(mean_cosine(theory.M, theory.Q) / limit_overlap(case))


def _named(overlaps) -> dict:
    return {f"overlap({t})": float(f"{x:.6g}") for t, x in enumerate(overlaps)}


def limit_overlap(case: Case) -> float:
    """Return the mean overlap of the units at the likelihood's fixed point (Corollary 1)."""
    points = [fixed_point(case.model.alpha, snr, case.hidden) for snr in case.model.snr]
    return float(np.mean([point.overlap for point in points]))


def overlap_paths(table, case: str, method: str, rate: float) -> np.ndarray:
    """Return relative overlaps up to step ``WINDOW``, (instances, steps + 1).

    Parameters
    ----------
    table : pandas.DataFrame
        Results of the experiment ``contrastive_speed`` or of its theory.
    case, method : str
    rate : float
    """
    rows = table[(table.case == case) & (table.method == method) & (table.rate == rate)]
    return rows[[f"overlap({t})" for t in range(min(longest_run(rate), WINDOW) + 1)]].to_numpy()


def mean_arrival(table, case: str, method: str, rate: float, level: float) -> tuple[float, float]:
    """Return the arrival of the mean path over instances, and its jackknife standard error.

    Parameters
    ----------
    table, case, method, rate
        As :func:`overlap_paths`.
    level : float

    Returns
    -------
    arrival, error : float
        NaN if the mean path does not arrive; the error also if it does not without some instance.
    """
    instances = overlap_paths(table, case, method, rate)
    n, total = len(instances), instances.sum(axis=0)
    left_out = [arrival((total - path) / (n - 1), level) for path in instances]
    return arrival(total / n, level), float(np.sqrt((n - 1) * np.var(left_out)))


def _speed_grid(rates, d):
    return tuple(
        {"case": case, "rate": rate, "d": d} for case, values in rates.items() for rate in values
    )


def _theory_grid(rates):
    return tuple(
        {"case": case, "method": method, "rate": rate}
        for case, methods in METHODS.items()
        for method in methods
        for rate in rates
    )


_GRID = _speed_grid(RATES, SIZE)


EXPERIMENTS = (
    Experiment(
        name="contrastive_speed",
        version=1,
        description="Steps that CD and gradient descent need, against the learning rate (Figure 4)",
        measure=measure_speed,
        scales={
            "quick": Scale(_speed_grid({"one unit": [0.2], "two units": [0.15]}, d=100), 5),
            "paper": Scale(_GRID, [INSTANCES[point["case"]] for point in _GRID]),
        },
    ),
    Experiment(
        name="contrastive_speed_theory",
        version=2,
        description="Independent solves of the theory of these steps (Figure 4)",
        measure=measure_speed_theory,
        scales={
            "quick": Scale(_theory_grid([0.15, 0.25]), 2),
            "paper": Scale(_theory_grid(THEORY_RATES), SOLVES),
        },
    ),
)
