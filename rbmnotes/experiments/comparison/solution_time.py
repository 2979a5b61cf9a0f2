r"""Seconds until the gradient of the objective is small: AMP-RBM, L-BFGS, Adam, gradient descent.

All on the same data, from the same start, in double precision, one thread and one job. The time
that counts is the processor's, which other programs on the machine disturb little; the wall's is
stored beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.descent import adam, gradient_descent
from rbmnotes.algorithms.lbfgs import lbfgs
from rbmnotes.algorithms.starts import random_start
from rbmnotes.experiments.comparison.equal_signals import ALPHA
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.model.objective import loss, loss_gradient
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.spiked import SpikedModel

SNR = 1.6
RANKS = (2, 10)
D = 1000
INSTANCES = 5

GRADIENT = 1e-6
"""Size of the gradient to be reached."""

AMP_CHANGE = 3e-7
"""Change of the weights at which AMP-RBM stops, which does not know its gradient on the way."""

MAX_EVALUATIONS = 1000
"""Gradients, each two products with the data, after which a run counts as not reached."""

ADAM_RATE = 0.2
DESCENT_RATE = 0.05
r"""Just below what two units bear, see the experiment ``comparison``."""


def _solvers(tol: float, change: float, max_iter: int) -> dict[str, Callable]:
    """Return the methods by name: ``solve(X, W0)`` gives weights and number of iterations."""

    def amp(X, W0):
        fit = amp_rbm(X, start=W0, V0=0.1 * np.eye(W0.shape[1]), tol=change, max_iter=max_iter)
        return fit.W, fit.n_iter

    def by_adam(X, W0):
        fit = adam(X, W0, ADAM_RATE, max_iter, tol=tol)
        return fit.W, fit.n_iter

    def by_descent(X, W0):
        fit = gradient_descent(X, W0, DESCENT_RATE, max_iter, tol=tol)
        return fit.W, fit.n_iter

    def by_lbfgs(X, W0):
        best, sizes = W0, []

        def small_or_late(W, size):
            nonlocal best
            best = W if size < min(sizes, default=np.inf) else best
            sizes.append(size)
            return size < tol or len(sizes) >= max_iter

        lbfgs(X, W0, largest=0.0, watch=small_or_late)
        return best, len(sizes)

    return {
        "AMP-RBM": amp,
        "L-BFGS": by_lbfgs,
        "Adam": by_adam,
        "gradient descent": by_descent,
    }


METHODS = tuple(_solvers(GRADIENT, AMP_CHANGE, MAX_EVALUATIONS))


def measure_solution_time(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Run every method on one draw and from one start.

    Parameters
    ----------
    parameters : dict
        ``r`` signals and units and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row a method: ``method``, ``cpu_seconds``, ``wall_seconds``, ``n_iter``, the ``loss`` and
        ``gradient_size`` at the end, whether it is small, ``reached``, and the smallest matched
        overlap with a signal, ``smallest``.
    """
    r, d = parameters["r"], parameters["d"]
    data = SpikedModel(ALPHA, [SNR] * r).sample(d, rng)
    W0 = random_start(d, r, rng)
    for solve in _solvers(GRADIENT, AMP_CHANGE, 2).values():  # compilation
        solve(data.X, W0)
    threads, rows = numba.get_num_threads(), []
    numba.set_num_threads(1)
    try:
        with threadpool_limits(1):
            for method, solve in _solvers(GRADIENT, AMP_CHANGE, MAX_EVALUATIONS).items():
                wall, cpu = time.perf_counter(), time.process_time()
                W, n_iter = solve(data.X, W0)
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
                size = float(np.linalg.norm(loss_gradient(data.X, W)) / np.sqrt(W.size))
                rows.append(
                    {
                        "method": method,
                        "cpu_seconds": cpu,
                        "wall_seconds": wall,
                        "n_iter": n_iter,
                        "loss": float(loss(data.X, W)),
                        "gradient_size": size,
                        "reached": size < GRADIENT,
                        "smallest": float(matched_overlap(data.W_star, W).min()),
                    }
                )
    finally:
        numba.set_num_threads(threads)
    return rows


EXPERIMENTS = (
    Experiment(
        name="solution_time",
        version=1,
        description="Seconds to a small gradient, equal signals, four methods (use one job)",
        measure=measure_solution_time,
        scales={
            "quick": Scale(grid(r=RANKS, d=[200]), 2),
            "paper": Scale(
                grid(r=RANKS, d=[D]),
                INSTANCES,
            ),
        },
    ),
)
