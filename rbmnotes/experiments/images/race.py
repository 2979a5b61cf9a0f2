r"""Exact test log-likelihood against seconds of training, for every method and its peers.

One grid for all, with rates in the units of each method; one thread, one after another in one
process. The likelihood is computed ten times a pass over the data, and that time not counted.
Seconds are worth comparing on a quiet machine only: on a busy one, methods slow down unequally.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from rbmnotes.datasets.fashion_mnist import fashion_mnist
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.experiments.images.peers import Ours, Rbms, ScikitLearn
from rbmnotes.experiments.images.training import RECIPES, K

METHODS = {
    "Theorem 1": partial(Ours, method="effective"),
    "tangent bound": partial(Ours, method="tangent"),
    "exact": partial(Ours, method="exact"),
    "CD-1": partial(Ours, method="cd"),
    "CD-10": partial(Ours, method="cd", cycles=10),
    "PCD-1": partial(Ours, method="pcd"),
    "scikit-learn": ScikitLearn,
    "rbms CD-1": Rbms,
    "rbms CD-10": partial(Rbms, cycles=10),
    "rbms PCD-1": partial(Rbms, persistent=True),
}
"""Ways to train, by name; scikit-learn's is PCD-1."""

RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
BATCH_SIZES = (100, 500)

BUDGET = 10.0
"""Seconds of training."""

PARTS = 10
"""Parts of the data; the likelihood is computed after each."""

COST_ROUNDS, COST_ROWS = 15, 2000
"""Rounds in which the costs of two methods are compared, and samples that each visits a round."""


def measure_race(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Train until the budget is used up.

    Parameters
    ----------
    parameters : dict
        ``name``, a key of ``METHODS``, ``learning_rate``, ``batch_size`` and the ``budget`` in
        seconds.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row a part of the data: ``seconds`` of training so far, and the mean log-likelihood of the
        test images, ``exact``, in nats. If the method's package is not installed one row says
        ``skipped``.
    """
    data = fashion_mnist()
    test = data.test.astype(np.float64)
    seed = int(rng.integers(2**31))
    name = parameters["name"]
    try:
        training = METHODS[name](
            data.train, K, parameters["learning_rate"], parameters["batch_size"], seed=seed
        )
    except ImportError as missing:
        print(f"{name} is skipped: {missing}")
        return [{"seconds": 0.0, "exact": np.nan, "skipped": True}]
    parts = np.array_split(rng.permutation(len(data.train)), PARTS)
    training.visit(parts[0][: parameters["batch_size"]])  # compilation, and what loads on first use
    rows, seconds = [], 0.0
    with _one_thread():
        while seconds < parameters["budget"]:
            start = time.perf_counter()
            training.visit(parts[len(rows) % PARTS])
            seconds += time.perf_counter() - start
            rbm = training.rbm
            score = float(rbm.log_likelihood(test).mean() - rbm.d * np.log(2.0))
            rows.append({"seconds": seconds, "exact": score, "skipped": False})
    return rows


def measure_cost(parameters: dict, rng: np.random.Generator) -> dict:
    """Compare the cost of a step on the tangent bound with one on Theorem 1's likelihood.

    Both are sums over the hidden states made of the same few matrix products, so their ratio
    depends little on the machine and its load, unlike the seconds themselves; they train in turn.

    Parameters
    ----------
    parameters : dict
        ``k`` and ``batch_size``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``relative``, the median over the rounds of one method's processor time over the other's.
    """
    train = fashion_mnist().train[rng.permutation(60_000)[:COST_ROWS]]
    k, batch_size, seeds = parameters["k"], parameters["batch_size"], rng.integers(2**31, size=2)
    trainings = [
        METHODS[name](train, k, RECIPES[name]["learning_rate"], batch_size, seed=int(seed))
        for name, seed in zip(("tangent bound", "Theorem 1"), seeds, strict=True)
    ]
    ratios = []
    with _one_thread():
        for training in trainings:
            training.visit()
        for _ in range(COST_ROUNDS):
            times = [time.process_time()]
            for training in trainings:
                training.visit()
                times.append(time.process_time())
            bound, theorem_1 = np.diff(times)
            ratios.append(bound / theorem_1)
    return {"relative": float(np.median(ratios))}


@contextmanager
def _one_thread():
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        numba.set_num_threads(threads)


# stored seconds are those of one quiet machine; the tangent bound's follow from its relative cost
_GRID = grid(
    name=[name for name in METHODS if name != "tangent bound"],
    learning_rate=RATES,
    batch_size=BATCH_SIZES,
    budget=[BUDGET],
)


EXPERIMENTS = (
    Experiment(
        name="race",
        version=1,
        description="Fashion-MNIST: exact log-likelihood against seconds, with peers (use one job)",
        measure=measure_race,
        scales={
            "quick": Scale(
                grid(name=METHODS, learning_rate=[0.1], batch_size=[500], budget=[0.5]), 1
            ),
            "paper": Scale(_GRID, 1),
        },
    ),
    Experiment(
        name="tangent_cost",
        version=1,
        description="Processor time of a step on the tangent bound over one of Theorem 1's",
        measure=measure_cost,
        scales={
            "quick": Scale(grid(k=[10], batch_size=[500]), 1),
            "paper": Scale(
                grid(k=[10], batch_size=[100]) + grid(k=[10, 16, 20], batch_size=[500]), 5
            ),
        },
    ),
)
