r"""What RBMs trained on Fashion-MNIST restore (Figure 3)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rbmnotes.datasets.fashion_mnist import fashion_mnist
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.experiments.images.training import METHODS, train_on_images
from rbmnotes.likelihood.restoration import posterior_mean
from rbmnotes.model.rbm import RBM

SIDE = 28

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
        A key of ``OCCLUSIONS``, or ``noise`` followed by a share such as ``noise 0.2``.
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


def measure_restoration(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Train once and restore all 10,000 test images, corrupted in every way (Figure 3).

    Parameters
    ----------
    parameters : dict
        Arguments of :func:`~rbmnotes.experiments.images.training.train_on_images`; the ``name`` may
        also be that of a baseline, ``mean image`` or ``PCA``.
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
        restorers = rbm_restorers(train_on_images(**parameters, rng=rng).rbm)
    table = restoration_table(restorers, data.test, CORRUPTION)
    return table.rename(columns={"method": "restored_by"}).to_dict("records")


def rbm_restorers(rbm: RBM) -> dict:
    """Return both ways to restore with an RBM, by name."""
    return {
        "posterior": lambda *args: restore_exactly(rbm, *args),
        "gibbs": lambda *args: restore_by_gibbs(rbm, *args),
    }


_BASELINES = ({"name": "mean image"}, {"name": "PCA"})


EXPERIMENTS = (
    Experiment(
        name="restoration",
        version=1,
        description="Fashion-MNIST: pixels wrong after restoring half and noisy images (Figure 3)",
        measure=measure_restoration,
        scales={
            "quick": Scale(_BASELINES + grid(name=METHODS, n_epochs=[1]), 1),
            "paper": Scale(
                _BASELINES + grid(name=METHODS, n_epochs=[30]),
                [1, 1] + [3] * len(METHODS),
            ),
        },
        figure=3,
    ),
)
