r"""Theorem 1 on real images: RBMs trained on Fashion-MNIST and how likely they find test images."""

from __future__ import annotations

import numpy as np

from rbmnotes.datasets.fashion_mnist import fashion_mnist
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.likelihood.train_rbm import TrainingResult, train_rbm
from rbmnotes.model.rbm import RBM

K = 10
METHODS = {
    "Theorem 1": {"method": "effective"},
    "tangent bound": {"method": "tangent"},
    "exact": {"method": "exact"},
    "CD-1": {"method": "cd", "cycles": 1},
    "CD-10": {"method": "cd", "cycles": 10},
    "PCD-1": {"method": "pcd", "cycles": 1},
}
"""Ways to train, by name."""

LEARNING_RATES, BATCH_SIZES = (0.03, 0.1, 0.3), (100, 500)
"""The grid over which each of them is tuned."""

RECIPES = {
    "Theorem 1": {"learning_rate": 0.1, "batch_size": 500},
    "tangent bound": {"learning_rate": 0.1, "batch_size": 100},
    "exact": {"learning_rate": 0.3, "batch_size": 100},
    "CD-1": {"learning_rate": 0.1, "batch_size": 500},
    "CD-10": {"learning_rate": 0.03, "batch_size": 100},
    "PCD-1": {"learning_rate": 0.03, "batch_size": 100},
}
"""What the grid chose: the highest exact log-likelihood of training images after all epochs."""

N_SCORED = 10_000
"""Training images that are scored, the first ones; of the test images all are."""


def log_likelihoods(rbm: RBM, images) -> dict[str, float]:
    """Return mean log-likelihoods in nats an image: exact, and Theorem 1's.

    Both with respect to counting measure, so that a fair coin a pixel has -784 log 2.
    """
    base = images.shape[1] * np.log(2.0)
    return {
        "exact": float(rbm.log_likelihood(images).mean() - base),
        "effective": float(rbm.log_likelihood(images, exact=False).mean() - base),
    }


def train_on_images(
    name: str, n_epochs: int, rng, callback=None, k: int = K, **recipe
) -> TrainingResult:
    """Train on all 60,000 training images.

    Parameters
    ----------
    name : str
        A key of ``METHODS``.
    n_epochs : int
    rng : int or numpy.random.Generator
    callback : callable, optional
        As of :func:`rbmnotes.train_rbm`.
    k : int
        Number of hidden units.
    **recipe
        ``learning_rate`` and ``batch_size``; those of ``RECIPES`` if absent.

    Returns
    -------
    TrainingResult
    """
    options = {**METHODS[name], **RECIPES[name], **recipe}
    return train_rbm(
        fashion_mnist().train, k, n_epochs=n_epochs, rng=rng, callback=callback, **options
    )


def measure_training(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Train once and score every epoch.

    Parameters
    ----------
    parameters : dict
        Arguments of :func:`train_on_images`.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row an epoch: ``epoch``, the mean log-likelihoods of :func:`log_likelihoods` for the test
        images, the exact one of training images ``exact_train``, and whether the training
        ``diverged`` in the end.
    """
    rows, _ = _scored_training(parameters, rng)
    return rows


def measure_units(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Do as :func:`measure_training`, and add the ``seconds`` of training up to each epoch."""
    rows, seconds = _scored_training(parameters, rng)
    return [{**row, "seconds": spent} for row, spent in zip(rows, seconds, strict=True)]


def _scored_training(parameters, rng):
    data = fashion_mnist()
    test, seen = (part.astype(np.float64) for part in (data.test, data.train[:N_SCORED]))
    rows = []

    def score(epoch, rbm, seconds):
        of_train = log_likelihoods(rbm, seen)["exact"]
        rows.append({"epoch": epoch, **log_likelihoods(rbm, test), "exact_train": of_train})

    result = train_on_images(**parameters, rng=rng, callback=score)
    rows = [{**row, "diverged": result.diverged} for row in rows]
    return rows, result.history.seconds


EXPERIMENTS = (
    Experiment(
        name="training",
        version=1,
        description="Fashion-MNIST: exact log-likelihood along training, every method on one grid",
        measure=measure_training,
        scales={
            "quick": Scale(grid(name=METHODS, n_epochs=[1]), 1),
            "paper": Scale(
                grid(
                    name=METHODS,
                    learning_rate=LEARNING_RATES,
                    batch_size=BATCH_SIZES,
                    n_epochs=[30],
                ),
                3,
            ),
        },
    ),
    Experiment(
        name="units",
        version=2,
        description="Fashion-MNIST: likelihood and seconds at 10, 16 and 20 hidden units (one job)",
        measure=measure_units,
        scales={
            "quick": Scale(grid(name=["tangent bound"], k=[2, 4], n_epochs=[1]), 1),
            "paper": Scale(
                grid(name=["Theorem 1", "tangent bound"], k=[10, 16, 20], n_epochs=[5])
                + grid(name=["exact"], k=[10, 16], n_epochs=[5]),
                1,
            ),
        },
    ),
)
