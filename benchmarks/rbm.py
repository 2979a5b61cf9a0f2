r"""Training an RBM on Fashion-MNIST: seconds an epoch and likelihood against time, with peers."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Row, measure
from rbmnotes import fashion_mnist
from rbmnotes.experiments.images.peers import Ours
from rbmnotes.experiments.images.race import METHODS, measure_race

K = 10
# One grid for all methods, in the units of each; every method is shown at its best rate.
RATES = (0.03, 0.1, 0.3)
BATCH = 100
BATCH_EXACT = 500  # of the likelihoods summed over states, whose cost hardly depends on it
BUDGETS = (1.0, 2.0, 5.0, 10.0)  # seconds of training
SKLEARN = "scikit-learn"
TARGETS = {  # at most this share of a peer's epoch
    "CD-1": {SKLEARN: 1 / 4, "rbms CD-1": 1 / 8},
    "CD-10": {"rbms CD-10": 1 / 8},
    "exact": {SKLEARN: 1.0},
}
ROUNDS = 5


def run(n: int | None = None, budgets=BUDGETS, k: int = K) -> list[Row]:
    """Time an epoch of every method, and score what it reaches in a given time.

    Peers are optional: scikit-learn's ``BernoulliRBM`` and the PyTorch package ``rbms``. Times of
    one epoch are compared with scikit-learn's on ``float32`` data. Likelihoods are exact, in nats
    an image of the test set; each method's rate is the best of one grid at each budget.

    Parameters
    ----------
    n : int, optional
        Number of training images; all 60,000 if absent.
    budgets : sequence of float
        Seconds of training after which the likelihood is computed.
    k : int
        Number of hidden units.

    Returns
    -------
    list of Row
    """
    train = fashion_mnist().train[:n]
    methods = {}
    for name, make in METHODS.items():
        try:
            methods[name] = make(train, k, RATES[0], _batch(name, len(train)))
        except ImportError as missing:
            print(f"{name} is skipped: {missing}")
    return _epoch_rows(methods) + _unit_rows(train) + _likelihood_rows(methods, budgets)


def _batch(name, n):
    return min(BATCH_EXACT if name == "exact" else BATCH, n)


def _epoch_rows(methods):
    times = measure({name: made.visit for name, made in methods.items()}, ROUNDS)
    rows = [Row(f"{name}: epoch", seconds) for name, seconds in times.medians.items()]
    for name, peers in TARGETS.items():
        for peer, share in peers.items():
            if peer in methods:
                ratio = times.ratio(name, peer)
                work = f"{name} against {peer}"
                rows.append(Row(work, times.medians[name], ratio, at_most=share))
    return rows


def _unit_rows(train):
    """More hidden units: one pass over 2,000 images."""
    train = train[:2000]
    work = {}
    for k, method, batch in ((16, "tangent", BATCH), (20, "tangent", BATCH), (16, "exact", 500)):
        training = Ours(train, k, RATES[0], min(batch, len(train)), method=method)
        work[f"k={k}, {method}: {len(train):,} images"] = training.visit
    return [Row(name, seconds) for name, seconds in measure(work, ROUNDS).medians.items()]


def _likelihood_rows(methods, budgets):
    """Score what each method reaches in each time, with one thread, at the best rate for it."""
    rows = []
    for name in methods:
        best = dict.fromkeys(budgets, (-np.inf, 0.0))
        for rate in RATES:
            setting = {"name": name, "learning_rate": rate, "budget": max(budgets)}
            setting["batch_size"] = BATCH_EXACT if name == "exact" else BATCH
            path = measure_race(setting, np.random.default_rng(0))
            for budget in budgets:
                score = next(row["exact"] for row in path if row["seconds"] >= budget)
                best[budget] = max(best[budget], (score, rate))
        for budget, (score, rate) in best.items():
            text = f"{name}: exact test log-likelihood {score:8.1f} (rate {rate:g}) after"
            rows.append(Row(text, budget))
    return rows
