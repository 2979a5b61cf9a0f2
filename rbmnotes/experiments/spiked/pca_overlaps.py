r"""PCA on spiked data against the BBP theory: strengths, sizes and instances of the comparison.

They were settled after trial runs, so that every standard error meets the protocol.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rbmnotes.algorithms.pca import pca
from rbmnotes.experiments.engine.experiment import Experiment, Scale, scale_of_sizes
from rbmnotes.experiments.instances import instances_by_size
from rbmnotes.experiments.spiked.channels import CHANNELS
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.priors import Gaussian, Prior, Rademacher
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.extensions.pca_basis import equal_snr_pca_overlap
from rbmnotes.theory.limits import outlier_eigenvalue

ALPHA = 4.0
SNR = (0.919, 1.131, 1.414, 1.768)
"""About 1.3, 1.6, 2 and 2.5 times the BBP threshold."""

INSTANCES = {100: 400, 200: 200, 400: 80}
"""Number of instances at each dimension d; so below."""

WEAK_SNR = 0.495
"""About 0.7 times the BBP threshold."""

WEAK_INSTANCES = {100: 200, 200: 150, 400: 100}

EQUAL_SNR = 1.5
"""Of each of two signals."""

EQUAL_INSTANCES = {100: 400, 200: 300, 400: 150}
PRIORS: dict[str, Prior] = {"Rademacher": Rademacher(), "Gaussian": Gaussian()}
"""Of the signals and of the latent variables alike."""

CHANNEL_SNR = 1.8
CHANNEL_INSTANCES = {100: 300, 200: 150, 400: 75}
LINEAR, *NONLINEAR = CHANNELS

N_BASES = 50_000
"""Monte-Carlo draws of the basis that PCA picks of equal signals."""


def spiked_model(parameters: dict) -> SpikedModel:
    """Return the model of a point, see :func:`measure_pca`."""
    prior = PRIORS[parameters["prior"]]
    snr = [parameters["snr"]] * parameters["r"]
    return SpikedModel(parameters["alpha"], snr, prior, prior, CHANNELS[parameters["channel"]])


def measure_pca(parameters: dict, rng: np.random.Generator) -> dict:
    r"""Measure on one draw how well PCA recovers the signals and the latent variables.

    Parameters
    ----------
    parameters : dict
        ``alpha``; ``snr``, the strength of each of ``r`` signals; ``prior`` and ``channel``, names
        in ``PRIORS`` and ``CHANNELS``; ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        The means over the signals of the matched overlaps, ``overlap_w`` and ``overlap_u``
        (paper eq. 137), and the leading ``eigenvalue`` of $X^\top X/d$.
    """
    data = spiked_model(parameters).sample(parameters["d"], rng)
    fit = pca(data.X, parameters["r"])
    return {
        "overlap_w": matched_overlap(data.W_star, fit.W).mean(),
        "overlap_u": matched_overlap(data.U, fit.U).mean(),
        "eigenvalue": fit.singular_values[0] ** 2,
    }


def predict_pca(parameters: dict) -> dict:
    r"""Return the limits of what :func:`measure_pca` returns.

    A channel multiplies the strength by its $\kappa_1$ (Lemma 1). Of several signals PCA finds the
    basis of :func:`rbmnotes.equal_snr_pca_overlap`; the latent variables are the signals of the
    transposed data.

    Parameters
    ----------
    parameters : dict

    Returns
    -------
    dict
        ``overlap_w_theory``, ``overlap_u_theory``, ``eigenvalue_theory``, and the Monte-Carlo
        errors of the first two, ``overlap_w_theory_error`` and ``overlap_u_theory_error``: zero
        for one signal.
    """
    model, r, alpha = spiked_model(parameters), parameters["r"], parameters["alpha"]
    snr, prior = model.information_coefficient * parameters["snr"], model.prior_w
    sides = {"w": (alpha, snr), "u": (1.0 / alpha, snr * np.sqrt(alpha))}
    row = {"eigenvalue_theory": outlier_eigenvalue(alpha, snr)}
    for of, side in sides.items():
        limit, error = equal_snr_pca_overlap(*side, r, prior, prior, N_BASES)
        row |= {f"overlap_{of}_theory": limit, f"overlap_{of}_theory_error": error}
    return row


def beside_theory(
    table: pd.DataFrame, column: str, **point
) -> tuple[np.ndarray, list[np.ndarray], float]:
    """Return what was measured at some point, size by size, and its limit.

    Parameters
    ----------
    table : pandas.DataFrame
        Of the experiment ``pca``.
    column : {"overlap_w", "overlap_u", "eigenvalue"}
    **point
        As of :func:`~rbmnotes.experiments.instances.instances_by_size`.

    Returns
    -------
    sizes : (s,) array
    instances : list of s arrays
    theory : float
    """
    sizes, instances = instances_by_size(table, column, **point)
    _, theory = instances_by_size(table, f"{column}_theory", **point)
    return sizes, instances, float(theory[0][0])


def joined(*cases: Scale) -> Scale:
    """Return the points of some scales as one scale."""
    return Scale(
        [point for case in cases for point in case.grid],
        [count for case in cases for count in case.instances],
    )


_ONE = {"alpha": [ALPHA], "r": [1], "prior": ["Rademacher"], "channel": [LINEAR]}
_EQUAL = _ONE | {"snr": [EQUAL_SNR], "r": [2], "prior": PRIORS}
_CHANNEL = _ONE | {"snr": [CHANNEL_SNR], "channel": NONLINEAR}
_QUICK = {100: 10, 200: 10}


EXPERIMENTS = (
    Experiment(
        name="pca",
        version=2,
        description="PCA: overlaps and leading eigenvalue against the BBP theory",
        measure=measure_pca,
        predict=predict_pca,
        scales={
            "quick": joined(
                scale_of_sizes(_QUICK, snr=SNR, **_ONE), scale_of_sizes(_QUICK, **_EQUAL)
            ),
            "paper": joined(
                scale_of_sizes(INSTANCES, snr=SNR, **_ONE),
                scale_of_sizes(WEAK_INSTANCES, snr=[WEAK_SNR], **_ONE),
                scale_of_sizes(CHANNEL_INSTANCES, **_CHANNEL),
                scale_of_sizes(EQUAL_INSTANCES, **_EQUAL),
            ),
        },
    ),
)
