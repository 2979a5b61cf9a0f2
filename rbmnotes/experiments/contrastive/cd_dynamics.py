r"""Contrastive divergence and mini-batches against their theory, step by step (Figure 4).

Two cases: two Rademacher units, whose start is the non-diagonal one of
:mod:`~rbmnotes.experiments.descent.dynamics`, and one Bernoulli unit, whose few cycles are strongly
biased. Each is trained by gradient descent, by CD with few and with many Gibbs cycles, with signs
and with normal visible units, and on mini-batches. A draw of the data serves every setting of its
case.

What a run finds is one row of :mod:`~rbmnotes.experiments.named_numbers`: ``M01(5)`` is the entry
(0, 1) of $M$ at iteration 5, ``C10(12,5)`` that of $C(12,5)$, ``loss(5)`` the objective of gradient
descent, also where CD does not descend it. The theory gives numbers of the same names.
Cases, methods, sizes and numbers of instances were fixed before the runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes.algorithms.contrastive import contrastive_divergence
from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.algorithms.descent_loop import DescentHistory
from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments import named_numbers
from rbmnotes.experiments.descent import dynamics
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.model.priors import Bernoulli, Gaussian, Prior, Rademacher
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.dmft import DMFT, dmft

N_ITER = 20
RECORDED = (*range(11), 12, 15, 20)
"""Iterations at which M, Q and loss are kept."""

TIMES = (0, 5, 12, 20)
"""Iterations between which C is kept."""

SIZES = (400, 800, 1600)
INSTANCES = 40

METHODS = {
    "gradient descent": {},
    "CD-1": {"cycles": 1},
    "CD-5": {"cycles": 5},
    "CD-10": {"cycles": 10},
    "CD-1, normal visible units": {"cycles": 1, "visible": Gaussian()},
    "mini-batches": {"batch_fraction": 0.1},
}
"""What each method needs besides a learning rate; without cycles it is gradient descent."""


@dataclass(frozen=True)
class Case:
    r"""Data, units and start that several methods share.

    Attributes
    ----------
    model : SpikedModel
    hidden : Prior
    M0 : (r, k) array
        Overlap of the start.
    Q0 : (k, k) array
        Self overlap of the start.
    """

    model: SpikedModel
    hidden: Prior
    M0: np.ndarray
    Q0: np.ndarray


_two_units, _M0, _Q0, _ = dynamics.arguments("two units, small steps")
CASES = {
    "two units": Case(_two_units, Rademacher(), _M0, _Q0),
    "one Bernoulli unit": Case(
        SpikedModel(4.0, 2.5), Bernoulli(), np.array([[0.6]]), np.array([[1.0]])
    ),
}

SETTINGS = {
    "two units, gradient descent": ("two units", "gradient descent", 0.1),
    "two units, CD-1": ("two units", "CD-1", 0.1),
    "two units, CD-5": ("two units", "CD-5", 0.1),
    "two units, CD-10": ("two units", "CD-10", 0.1),
    "two units, CD-1, normal visible units": ("two units", "CD-1, normal visible units", 0.1),
    "two units, mini-batches": ("two units", "mini-batches", 0.05),
    "one Bernoulli unit, gradient descent": ("one Bernoulli unit", "gradient descent", 0.1),
    "one Bernoulli unit, CD-1": ("one Bernoulli unit", "CD-1", 0.1),
    "one Bernoulli unit, CD-5": ("one Bernoulli unit", "CD-5", 0.1),
    "one Bernoulli unit, mini-batches": ("one Bernoulli unit", "mini-batches", 0.1),
}
"""Case, method and learning rate."""


def train_case(
    X, start, method: str, rate: float, n_iter: int, hidden: Prior, W_star, rng, keep_weights=False
) -> DescentHistory:
    """Train by one of ``METHODS`` and return what was recorded.

    Parameters
    ----------
    X : (n, d) array
    start : (d, k) array
    method : str
    rate : float
        Learning rate.
    n_iter : int
    hidden : Prior
    W_star : (d, r) array
    rng : numpy.random.Generator
        Of chains and batches.
    keep_weights : bool

    Returns
    -------
    DescentHistory
    """
    options = METHODS[method]
    algorithm = contrastive_divergence if "cycles" in options else gradient_descent
    return algorithm(
        *(X, start, rate, n_iter, hidden),
        W_star=W_star,
        keep_weights=keep_weights,
        rng=rng,
        **options,
    ).history


def solve_case(
    case: Case, method: str, rate: float, n_iter: int, n_paths: int, rng, **options
) -> DMFT:
    """Solve the theory of one of ``METHODS``, with options of :func:`rbmnotes.dmft`."""
    training = {key: value for key, value in METHODS[method].items() if key != "visible"}
    if "cycles" in training:
        training["method"] = "cd"
    return dmft(
        *(case.model, case.M0, case.Q0, rate, n_iter, n_paths, rng, case.hidden),
        **training,
        **options,
    )


def measure_contrastive(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Draw data once and train in every setting of a case, each from a start of its own.

    Parameters
    ----------
    parameters : dict
        ``case``, a key of ``CASES``, and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row a setting: its name as ``setting``, and what the module's docstring lists, with seven
        significant digits. Products with the data are computed in single precision, whose relative
        error of 1e-6 is far below what differs between instances.
    """
    case = CASES[parameters["case"]]
    data = case.model.sample(parameters["d"], rng)
    X, W_star, rows = data.X.astype(np.float32), data.W_star, []
    for name, (of_case, method, rate) in SETTINGS.items():
        if of_case != parameters["case"]:
            continue
        start = informed_start(W_star, case.M0, case.Q0, rng)
        history = train_case(X, start, method, rate, N_ITER, case.hidden, W_star, rng, True)
        weights = history.weights[list(TIMES)]
        C = np.einsum("tia,sib->tsab", weights, weights, optimize=True) / len(start)
        rows.append({"setting": name} | name_run(history.M, history.Q, history.loss, C))
    return rows


def measure_contrastive_theory(parameters: dict, rng: np.random.Generator) -> dict:
    """Solve the mean-field theory of a setting once; instances are independent solves.

    Parameters
    ----------
    parameters : dict
        ``setting``, a key of ``SETTINGS``, and ``n_paths``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        What the module's docstring lists.
    """
    name, method, rate = SETTINGS[parameters["setting"]]
    theory = solve_case(CASES[name], method, rate, N_ITER, parameters["n_paths"], rng, n_solves=1)
    return name_run(theory.M, theory.Q, theory.loss, theory.C[np.ix_(TIMES, TIMES)])


def name_run(M, Q, loss, C) -> dict:
    """Return what the module's docstring lists, with seven significant digits.

    Parameters
    ----------
    M : (T + 1, r, k) array
    Q : (T + 1, k, k) array
    loss : (T + 1,) array
    C : (4, 4, k, k) array
        Between the times of ``TIMES``.

    Returns
    -------
    dict
    """
    row = named_numbers.name_order_parameters(RECORDED, M, Q, loss)
    pairs = [(i, j) for i in range(len(TIMES)) for j in range(i)]
    row |= named_numbers.name_entries({("C", TIMES[i], TIMES[j]): C[i, j] for i, j in pairs})
    return {key: float(f"{value:.7g}") for key, value in row.items()}


EXPERIMENTS = (
    Experiment(
        name="contrastive",
        version=1,
        description="Contrastive divergence and mini-batches, every step, beside theory (Figure 4)",
        measure=measure_contrastive,
        scales={
            "quick": Scale(grid(case=CASES, d=[50, 100, 200]), 10),
            "paper": Scale(grid(case=CASES, d=SIZES), INSTANCES),
        },
        figure=4,
    ),
    Experiment(
        name="contrastive_theory",
        version=1,
        description="Independent solves of the theory of contrastive divergence (Figure 4)",
        measure=measure_contrastive_theory,
        scales={
            "quick": Scale(grid(setting=SETTINGS, n_paths=[2**8]), 8),
            "paper": Scale(grid(setting=SETTINGS, n_paths=[2**13, 2**14]), 16),
        },
    ),
)
