r"""PCA on spiked data against the BBP theory: strengths, sizes and instances of the comparison.

They were settled after trial runs, so that every standard error meets the protocol and the chapter
stays quick.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rbmnotes.algorithms.pca import pca
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.experiments.engine.progress import progress
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.bayes_limit import bayes_overlap
from rbmnotes.theory.limits import bbp_snr, outlier_eigenvalue, pca_overlap

ALPHA = 4.0
SNR = tuple(float(ratio * bbp_snr(ALPHA)) for ratio in (1.3, 1.6, 2.0, 2.5))

INSTANCES = {100: 400, 200: 200, 400: 80}
"""Number of instances at each dimension d."""
WEAK_SNR = float(0.7 * bbp_snr(ALPHA))
WEAK_INSTANCES = {100: 200, 200: 150, 400: 100}
EQUAL_SNR = (1.5, 1.5)
EQUAL_INSTANCES = {100: 400, 200: 300, 400: 150}
SEED = 20_250_519


def pca_table(model: SpikedModel, instances: dict[int, int], seed) -> pd.DataFrame:
    r"""Sample the model and measure how well PCA recovers its signals.

    Parameters
    ----------
    model : SpikedModel
    instances : dict
        Number of independent instances at each dimension d.
    seed : int or sequence of int
        Every instance gets its own stream spawned from it.

    Returns
    -------
    pandas.DataFrame
        One row an instance: ``d``, ``instance``, the means over the signals of the matched
        overlaps ``overlap_w`` and ``overlap_u``, and the leading eigenvalue of $X^\top X/d$,
        ``eigenvalue``.
    """
    cases = [(d, instance) for d, count in instances.items() for instance in range(count)]
    streams = np.random.SeedSequence(seed).spawn(len(cases))
    rows = []
    for (d, instance), stream in zip(progress(cases, "PCA"), streams, strict=True):
        data = model.sample(d, np.random.default_rng(stream))
        fit = pca(data.X, model.r)
        rows.append(
            {
                "d": d,
                "instance": instance,
                "overlap_w": matched_overlap(data.W_star, fit.W).mean(),
                "overlap_u": matched_overlap(data.U, fit.U).mean(),
                "eigenvalue": fit.singular_values[0] ** 2,
            }
        )
    return pd.DataFrame(rows)


def instances_by_size(table: pd.DataFrame, column: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the dimensions and, for each, the instances of one column."""
    groups = [(d, group[column].to_numpy()) for d, group in table.groupby("d")]
    return np.array([d for d, _ in groups]), [values for _, values in groups]


def measure_pca(parameters: dict, rng: np.random.Generator) -> dict:
    """Return PCA's overlaps with one signal and its latent variable, and the leading eigenvalue.

    Parameters
    ----------
    parameters : dict
        ``alpha``, ``snr`` and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
    """
    data = SpikedModel(parameters["alpha"], parameters["snr"]).sample(parameters["d"], rng)
    fit = pca(data.X, 1)
    return {
        "overlap_w": matched_overlap(data.W_star, fit.W)[0],
        "overlap_u": matched_overlap(data.U, fit.U)[0],
        "eigenvalue": fit.singular_values[0] ** 2,
    }


def predict_pca(parameters: dict) -> dict:
    """Return the limits of what :func:`measure_pca` returns, and the Bayes-optimal overlap."""
    alpha, snr = parameters["alpha"], parameters["snr"]
    return {
        "pca_overlap_w": pca_overlap(alpha, snr, of="w"),
        "pca_overlap_u": pca_overlap(alpha, snr, of="u"),
        "bayes_overlap": bayes_overlap(alpha, snr),
        "outlier_eigenvalue": outlier_eigenvalue(alpha, snr),
    }


# rounded: the last digit of a power differs between machines, and with it would the seed
_SNR = [round(snr, 6) for snr in SNR]
_GRID = grid(alpha=[ALPHA], snr=_SNR, d=INSTANCES)


EXPERIMENTS = (
    Experiment(
        name="pca",
        version=1,
        description="PCA on one signal: overlaps and leading eigenvalue against the BBP theory",
        measure=measure_pca,
        predict=predict_pca,
        scales={
            "quick": Scale(grid(alpha=[ALPHA], snr=_SNR, d=[100, 200]), 10),
            "paper": Scale(_GRID, [INSTANCES[point["d"]] for point in _GRID]),
        },
    ),
)
