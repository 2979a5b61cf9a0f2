"""On what law of rows AMP-RBM settles (Theorem 4)."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid, scale_of_sizes
from rbmnotes.model.priors import Discrete, Rademacher
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.state_evolution import fixed_point

ROWS_ALPHA = 2.0
ROWS_SNR = (1.9, 1.6)
ROWS_PRIORS = {"signs": Rademacher(), "skewed": Discrete((-0.5, 2.0), (0.8, 0.2))}

ROWS_INSTANCES = {400: 100, 800: 50, 1600: 25, 3200: 20}
"""More where a run fluctuates more; the distances are compared over the first 20 of each size."""


def measure_rows(parameters: dict, rng: np.random.Generator) -> dict:
    r"""Compare the rows of a stationary point with their law, two units and two signals.

    Parameters
    ----------
    parameters : dict
        ``prior_w`` (key of ``ROWS_PRIORS``) and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        For each unit a: ``m_a`` the overlap with its signal, ``noise_a`` the variance of the rest
        $w-m\,w^\star$ (m that of theory), ``distance_a`` the largest difference between the
        distribution function of the rest and the law's, over the rows with one value of the
        signal, and ``wrong_a`` the same for a law of which the standard deviation is ten per
        cent too small; then ``noise_12``, the correlation of the two rests, ``product``, the mean
        of $|w_1w_2|$, ``gradient_size`` and ``converged``.
    """
    prior = ROWS_PRIORS[parameters["prior_w"]]
    model = SpikedModel(ROWS_ALPHA, ROWS_SNR, prior_w=prior)
    data = model.sample(parameters["d"], rng)
    start = data.W_star * ROWS_SNR + np.sqrt(0.5) * rng.standard_normal(data.W_star.shape)
    fit = amp_rbm(data.X, start=start, V0=0.1 * np.eye(2), tol=1e-6, max_iter=200)
    signs = np.sign(np.sum(fit.W * data.W_star, axis=0))
    W, row, rests = fit.W * signs, {}, []
    for unit, snr in enumerate(ROWS_SNR):
        point = fixed_point(ROWS_ALPHA, snr)
        signal = data.W_star[:, unit]
        rest = W[:, unit] - point.m * signal
        spread = np.sqrt(point.q - point.m**2)
        rests.append(rest)
        row |= {
            f"m_{unit + 1}": float(signal @ W[:, unit] / len(W)),
            f"noise_{unit + 1}": float(np.mean(rest**2)),
            f"distance_{unit + 1}": law_distance(rest / spread, signal),
            f"wrong_{unit + 1}": law_distance(rest / (0.9 * spread), signal),
        }
    return row | {
        "noise_12": float(np.corrcoef(rests)[0, 1]),
        "product": float(np.mean(np.abs(W[:, 0] * W[:, 1]))),
        "gradient_size": fit.gradient_size,
        "converged": fit.converged,
    }


def law_distance(values, classes) -> float:
    """Return the largest Kolmogorov-Smirnov distance to the normal law within a class of rows.

    Parameters
    ----------
    values : (d,) array
    classes : (d,) array
        The rows of equal value form a class.

    Returns
    -------
    float
        Each class counts with the square root of its share, so that all have the same noise.
    """
    distances = []
    for value in np.unique(classes):
        ordered = ndtr(np.sort(values[classes == value]))
        n = len(ordered)
        steps = np.arange(n + 1) / n
        largest = max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1]))
        distances.append(largest * np.sqrt(n / len(values)))
    return float(max(distances))


EXPERIMENTS = (
    Experiment(
        name="landscape_rows",
        version=1,
        description="Theorem 4: the rows of a stationary point against their law",
        measure=measure_rows,
        scales={
            "quick": Scale(grid(prior_w=ROWS_PRIORS, d=[200]), 4),
            "paper": scale_of_sizes(ROWS_INSTANCES, prior_w=ROWS_PRIORS),
        },
    ),
)
