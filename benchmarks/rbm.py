r"""Training an RBM on Fashion-MNIST: seconds an epoch and likelihood against time, with peers."""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from benchmarks.harness import Row, measure
from rbmnotes import RBM, Bernoulli, RBMTraining, fashion_mnist

K = 10
# One grid for all methods, in the units of each; every method is shown at its best rate.
RATES = (0.03, 0.1, 0.3)
BATCH = 100
BATCH_EXACT = 500  # of the likelihoods summed over states, whose cost hardly depends on it
BUDGETS = (1.0, 2.0, 5.0, 10.0)  # seconds of training
SKLEARN_FRACTION = {"CD-1": 1 / 4, "exact, batch 500": 1.0}
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
    data = fashion_mnist()
    train, test = data.train[:n], data.test.astype(np.float64)
    ours = {
        "CD-1": {"method": "cd"},
        "CD-10": {"method": "cd", "cycles": 10},
        "PCD-1": {"method": "pcd"},
        "Theorem 1": {"method": "effective"},
        "tangent": {"method": "tangent"},
        "exact, batch 500": {"method": "exact", "batch_size": min(BATCH_EXACT, len(train))},
    }
    methods = {name: partial(_Ours, train, k, options) for name, options in ours.items()}
    try:
        import sklearn  # noqa: F401
    except ImportError:
        print("scikit-learn is not installed: its RBM is skipped")
    else:
        methods["scikit-learn, float32"] = partial(_ScikitLearn, train, k)
    return _epoch_rows(methods) + _unit_rows(train) + _likelihood_rows(methods, test, budgets)


def _epoch_rows(methods):
    rate = RATES[0]
    runs = {name: make(rate) for name, make in methods.items()}
    times = measure({name: trained.epoch for name, trained in runs.items()}, ROUNDS).medians
    peer = times.get("scikit-learn, float32")
    return [
        Row(
            f"{name}: epoch",
            seconds,
            None if peer is None else seconds / peer,
            at_most=SKLEARN_FRACTION.get(name) if peer else None,
        )
        for name, seconds in times.items()
    ]


def _unit_rows(train):
    """More hidden units: one pass over 2,000 images."""
    train = train[:2000]
    work = {}
    for k, name, options in (
        (16, "tangent", {"method": "tangent"}),
        (20, "tangent", {"method": "tangent"}),
        (16, "exact, batch 500", {"method": "exact", "batch_size": 500}),
    ):
        work[f"k={k}, {name}: 2,000 images"] = _Ours(train, k, options, RATES[0]).epoch
    return [Row(name, seconds) for name, seconds in measure(work, ROUNDS).medians.items()]


def _likelihood_rows(methods, test, budgets):
    rows = []
    for name, make in methods.items():
        best = dict.fromkeys(budgets, (-np.inf, 0.0))
        for rate in RATES:
            for budget, score in _scores(make(rate), test, budgets).items():
                best[budget] = max(best[budget], (score, rate))
        for budget, (score, rate) in best.items():
            text = f"{name}: exact test log-likelihood {score:8.1f} (rate {rate:g}) after"
            rows.append(Row(text, budget))
    return rows


def _scores(training, test, budgets) -> dict[float, float]:
    """Train until the last budget is used up; score the machine when each has been."""
    scores, spent = {}, 0.0
    for budget in sorted(budgets):
        while spent < budget:
            start = time.perf_counter()
            training.epoch()
            spent += time.perf_counter() - start
        rbm = training.rbm
        scores[budget] = float(rbm.log_likelihood(test).mean() - rbm.d * np.log(2.0))
    return scores


class _Ours:
    def __init__(self, train, k, options, rate):
        options = {"batch_size": BATCH, **options, "learning_rate": rate, "rng": 0}
        self.training = RBMTraining(train, k, **options)
        self.epoch = partial(self.training.epoch, train)

    @property
    def rbm(self):
        return self.training.rbm


class _ScikitLearn:
    def __init__(self, train, k, rate):
        from sklearn.neural_network import BernoulliRBM

        self.X = ((train + 1) / 2).astype(np.float32)
        self.rng = np.random.default_rng(0)
        self.model = BernoulliRBM(k, learning_rate=rate, batch_size=BATCH, random_state=0)

    def epoch(self):
        """One pass in batches, by its own method for data that come piece by piece."""
        order = self.rng.permutation(len(self.X))
        for first in range(0, len(order) - BATCH + 1, BATCH):
            self.model.partial_fit(self.X[order[first : first + BATCH]])

    @property
    def rbm(self):
        """The same machine with signs instead of zeros and ones on the visible side."""
        weights = self.model.components_.astype(np.float64)
        root = np.sqrt(weights.shape[1])
        hidden_bias = self.model.intercept_hidden_ + weights.sum(axis=1) / 2
        visible_bias = root * self.model.intercept_visible_ / 2
        return RBM(root * weights.T / 2, visible_bias, hidden_bias, hidden=Bernoulli())
