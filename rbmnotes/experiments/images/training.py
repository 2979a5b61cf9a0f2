r"""Theorem 1 on real images: RBMs trained on Fashion-MNIST and what they restore (Figure 3)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rbmnotes.likelihood.train_rbm import TrainingResult, train_rbm
from rbmnotes.datasets.fashion_mnist import fashion_mnist
from rbmnotes.model.rbm import RBM
from rbmnotes.likelihood.restoration import posterior_mean

SIDE = 28
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

COMPONENTS = 10
"""Principal components of the baseline: as many numbers an image as hidden units."""

GIBBS_CYCLES = 20
"""Cycles of the iterated reconstruction of an occluded image."""

CORRUPTION = 20_250_523
"""Seed of the corruption, which is the same for all methods."""

NOISE = (0.1, 0.2, 0.4)
"""Shares of the pixels that salt-and-pepper noise replaces by random ones."""


_ROW, _COLUMN = np.divmod(np.arange(SIDE * SIDE), SIDE)
OCCLUSIONS = {
    "top": _ROW < SIDE // 2,
    "bottom": _ROW >= SIDE // 2,
    "left": _COLUMN < SIDE // 2,
    "right": _COLUMN >= SIDE // 2,
}
"""Pixels that each occlusion hides, (784,) booleans."""


def corrupt(images: np.ndarray, task: str, rng) -> tuple[np.ndarray, np.ndarray]:
    r"""Occlude half of each image, or add salt-and-pepper noise.

    Parameters
    ----------
    images : (n, 784) array of -1 and 1
    task : str
        A key of :data:`OCCLUSIONS`, or ``noise`` followed by a share such as ``noise 0.2``.
    rng : numpy.random.Generator

    Returns
    -------
    corrupted : (n, 784) array of -1 and 1
        Hidden or replaced pixels are fair random signs.
    flip : (784,) array
        Probability that a pixel was flipped: 0 observed, 1/2 hidden, half the share of noise.
    """
    if task in OCCLUSIONS:
        replaced, flip = OCCLUSIONS[task], np.where(OCCLUSIONS[task], 0.5, 0.0)
    else:
        share = float(task.removeprefix("noise "))
        replaced, flip = rng.random(images.shape) < share, np.full(images.shape[1], share / 2)
    random_signs = np.where(rng.random(images.shape) < 0.5, -1.0, 1.0)
    return np.where(replaced, random_signs, images.astype(np.float64)), flip


TASKS = (*OCCLUSIONS, *(f"noise {share}" for share in NOISE))


def restore_exactly(rbm: RBM, corrupted, flip, rng) -> np.ndarray:
    """Posterior mean under the RBM and the true noise, by a sum over its hidden states."""
    return posterior_mean(rbm, corrupted, flip)


def restore_by_gibbs(rbm: RBM, corrupted, flip, rng) -> np.ndarray:
    """Gibbs cycles, the paper's way: many with observed pixels kept, one for noise."""
    observed = flip == 0.0
    return rbm.reconstruct(corrupted, GIBBS_CYCLES if observed.any() else 1, observed, rng)


class MeanImage:
    """Baseline: what is hidden or noisy is replaced by the mean of the training images."""

    def __init__(self, train):
        self.mean = train.mean(axis=0, dtype=np.float64)

    def restore(self, corrupted, flip, rng) -> np.ndarray:
        """Return the mean image, with observed pixels kept."""
        return np.where(flip == 0.0, corrupted, self.mean)


class PrincipalComponents:
    """Baseline: regression on the observed pixels within the leading principal components.

    The pixels are taken as Gaussian with the factors' covariance plus uncorrelated noise
    (probabilistic PCA); a flip probability of f scales a pixel by 1 - 2f and adds 4f(1-f) to the
    variance of its noise.
    """

    def __init__(self, train, n_components: int):
        self.mean = train.mean(axis=0, dtype=np.float64)
        centred = train.astype(np.float64) - self.mean
        values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
        self.noise = values[:-n_components].mean()
        scale = np.sqrt(values[-n_components:] - self.noise)
        self.loadings = vectors[:, -n_components:] * scale

    def restore(self, corrupted, flip, rng) -> np.ndarray:
        """Return the best linear guess, within [-1, 1]; observed pixels come out as they are."""
        kept = 1.0 - 2.0 * flip
        precision = kept**2 / (kept**2 * self.noise + 1.0 - kept**2)
        weighted = self.loadings * precision[:, None]
        factors = np.linalg.inv(np.eye(weighted.shape[1]) + weighted.T @ self.loadings)
        with np.errstate(divide="ignore"):
            centred = np.where(kept > 0.0, corrupted / kept - self.mean, 0.0)
        common = centred @ weighted @ factors.T @ self.loadings.T
        own = self.noise * precision * (centred - common)
        return np.clip(self.mean + common + own, -1.0, 1.0)


def error_rate(images, restored, flip) -> np.ndarray:
    """Share of wrong pixels of each image, of those that were not observed."""
    uncertain = flip > 0.0
    wrong = np.where(restored >= 0.0, 1, -1) != images
    return wrong[:, uncertain].mean(axis=1)


def restoration_table(methods: dict, images, seed: int, tasks=TASKS) -> pd.DataFrame:
    """Restore all images by all methods, corrupted in the same way for each.

    Parameters
    ----------
    methods : dict
        Name to a function of corrupted images, flip probabilities and a generator.
    images : (n, 784) array of -1 and 1
    seed : int
    tasks : sequence of str

    Returns
    -------
    pandas.DataFrame
        A row a task and method: ``task``, ``method``, mean ``error`` and its ``standard_error``.
    """
    rows = []
    for number, task in enumerate(tasks):
        corrupted, flip = corrupt(images, task, np.random.default_rng((seed, number)))
        for name, restore in {"nothing": lambda corrupted, *_: corrupted, **methods}.items():
            restored = restore(corrupted, flip, np.random.default_rng((seed, number, 1)))
            errors = error_rate(images, restored, flip)
            rows.append(
                {
                    "task": task,
                    "method": name,
                    "error": errors.mean(),
                    "standard_error": errors.std(ddof=1) / np.sqrt(len(errors)),
                }
            )
    return pd.DataFrame(rows)


def log_likelihoods(rbm: RBM, images) -> dict[str, float]:
    """Return mean log-likelihoods in nats an image: exact, and Theorem 1's.

    Both with respect to counting measure, so that a fair coin a pixel has -784 log 2.
    """
    base = images.shape[1] * np.log(2.0)
    return {
        "exact": float(rbm.log_likelihood(images).mean() - base),
        "effective": float(rbm.log_likelihood(images, exact=False).mean() - base),
    }


def train(name: str, n_epochs: int, rng, callback=None, k: int = K, **recipe) -> TrainingResult:
    """Train on all 60,000 training images.

    Parameters
    ----------
    name : str
        A key of :data:`METHODS`.
    n_epochs : int
    rng : int or numpy.random.Generator
    callback : callable, optional
        As of :func:`rbmnotes.train_rbm`.
    k : int
        Number of hidden units.
    **recipe
        ``learning_rate`` and ``batch_size``; those of :data:`RECIPES` if absent.

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
        Arguments of :func:`train`.
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

    result = train(**parameters, rng=rng, callback=score)
    rows = [{**row, "diverged": result.diverged} for row in rows]
    return rows, result.history.seconds


def measure_restoration(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Train once and restore all 10,000 test images, corrupted in every way (Figure 3).

    Parameters
    ----------
    parameters : dict
        Arguments of :func:`train`; the ``name`` may also be that of a baseline, ``mean image`` or
        ``PCA``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        Rows of :func:`restoration_table`.
    """
    data = fashion_mnist()
    if parameters["name"] == "mean image":
        restorers = {"mean": MeanImage(data.train).restore}
    elif parameters["name"] == "PCA":
        restorers = {"regression": PrincipalComponents(data.train, COMPONENTS).restore}
    else:
        restorers = rbm_restorers(train(**parameters, rng=rng).rbm)
    table = restoration_table(restorers, data.test, CORRUPTION)
    return table.rename(columns={"method": "restored_by"}).to_dict("records")


def rbm_restorers(rbm: RBM) -> dict:
    """Return both ways to restore with an RBM, by name."""
    return {
        "posterior": lambda *args: restore_exactly(rbm, *args),
        "gibbs": lambda *args: restore_by_gibbs(rbm, *args),
    }
