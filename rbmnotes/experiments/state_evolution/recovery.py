r"""Recovery of the signals against their strength: PCA, AMP-RBM and descent beside theory.

Sizes, instances, signal strengths and seed of the chapter's comparisons are fixed here. They were
settled after trial runs, so that every standard error meets the protocol and a chapter stays quick.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.descent import adam, gradient_descent
from rbmnotes.algorithms.pca import pca
from rbmnotes.algorithms.starts import informed_start, random_start
from rbmnotes.experiments.engine.progress import progress
from rbmnotes.model.order_parameters import matched_overlap, overlap
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.bayes_limit import bayes_overlap
from rbmnotes.theory.dmft import dmft
from rbmnotes.theory.limits import bbp_snr, pca_overlap
from rbmnotes.theory.state_evolution import fixed_point

ALPHA = 4.0
SNR = tuple(float(ratio * bbp_snr(ALPHA)) for ratio in (1.3, 1.6, 2.0, 2.5))
INSTANCES = {100: 400, 200: 200, 400: 80}
"""Number of instances at each dimension d."""

WEAK_SNR = float(0.7 * bbp_snr(ALPHA))
WEAK_INSTANCES = {100: 200, 200: 150, 400: 100}

EQUAL_SNR = (1.5, 1.5)
EQUAL_INSTANCES = {100: 400, 200: 300, 400: 150}

DESCENT_START = 0.3
"""Overlap of every unit with its own signal at the informed start of gradient descent."""

DESCENT_RATE, DESCENT_ITER = 0.05, 60
ADAM_RATE, ADAM_ITER, ADAM_GRADIENT = 0.2, 400, 1e-3

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


def by_size(table: pd.DataFrame, column: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the dimensions and, for each, the instances of one column."""
    groups = [(d, group[column].to_numpy()) for d, group in table.groupby("d")]
    return np.array([d for d, _ in groups]), [values for _, values in groups]


def measure_recovery(parameters: dict, rng: np.random.Generator) -> dict:
    """Train by AMP-RBM from a random start and by PCA, on one draw (Figure 1, right).

    Parameters
    ----------
    parameters : dict
        ``alpha``, ``snr`` (list, one a signal; as many units as signals) and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Overlaps ``amp_1``, ... and ``pca_1``, ... in the order of the signals, and ``converged``,
        ``n_iter``, ``gradient_size`` of AMP.
    """
    model = SpikedModel(parameters["alpha"], parameters["snr"])
    data = model.sample(parameters["d"], rng)
    fit = amp_rbm(data.X, model.r, V0=0.1 * np.eye(model.r), rng=rng, max_iter=200)
    row = {
        "converged": fit.converged,
        "n_iter": fit.n_iter,
        "gradient_size": fit.gradient_size,
    }
    for name, W in (("amp", fit.W), ("pca", pca(data.X, model.r).W)):
        cosines = matched_overlap(data.W_star, W)
        row.update({f"{name}_{i + 1}": float(cosine) for i, cosine in enumerate(cosines)})
    return row


def predict_recovery(parameters: dict) -> dict:
    """Return the limits of the overlaps: RBM, PCA and Bayes-optimal, and the replicon."""
    row = {}
    for i, snr in enumerate(parameters["snr"], start=1):
        point = fixed_point(parameters["alpha"], snr)
        row[f"rbm_theory_{i}"] = point.overlap
        row[f"replicon_{i}"] = point.replicon
        row[f"pca_theory_{i}"] = float(pca_overlap(parameters["alpha"], snr))
        row[f"bayes_theory_{i}"] = bayes_overlap(parameters["alpha"], snr)
    return row


def measure_descent(parameters: dict, rng: np.random.Generator) -> dict:
    """Train by descent on one draw: Adam from a random start, few plain steps from an informed one.

    Parameters
    ----------
    parameters : dict
        As for :func:`measure_recovery`.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Overlaps ``adam_1``, ... and ``gd_1``, ... in the order of the signals, the latter of each
        signal with its own unit after :data:`DESCENT_ITER` steps; ``converged``, ``n_iter`` and
        ``gradient_size`` of Adam, which stops at a gradient of :data:`ADAM_GRADIENT`.
    """
    model = SpikedModel(parameters["alpha"], parameters["snr"])
    data = model.sample(parameters["d"], rng)
    X = data.X.astype(np.float32)
    free = adam(X, random_start(X.shape[1], model.r, rng), ADAM_RATE, ADAM_ITER, tol=ADAM_GRADIENT)
    start = informed_start(data.W_star, DESCENT_START * np.eye(model.r), np.eye(model.r), rng)
    informed = gradient_descent(X, start, DESCENT_RATE, DESCENT_ITER)
    row = {
        "converged": free.converged,
        "n_iter": free.n_iter,
        "gradient_size": free.history.gradient_size[-1],
    }
    for i, cosine in enumerate(matched_overlap(data.W_star, free.W), start=1):
        row[f"adam_{i}"] = float(cosine)
    for i, cosine in enumerate(overlap(data.W_star, informed.W).diagonal(), start=1):
        row[f"gd_{i}"] = float(cosine)
    return row


def predict_descent(parameters: dict) -> dict:
    """Return the mean-field theory of the informed descent: overlaps and their standard errors."""
    model = SpikedModel(parameters["alpha"], parameters["snr"])
    start = DESCENT_START * np.eye(model.r)
    theory = dmft(model, start, np.eye(model.r), DESCENT_RATE, DESCENT_ITER, 2**11, rng=0)
    M, Q = theory.M[-1].diagonal(), theory.Q[-1].diagonal()
    errors = np.hypot(
        theory.M_error[-1].diagonal() / np.sqrt(Q),
        0.5 * M * Q**-1.5 * theory.C_error[-1, -1].diagonal(),
    )
    row = {}
    for i, (m, q, error) in enumerate(zip(M, Q, errors, strict=True), start=1):
        row |= {f"gd_theory_{i}": float(m / np.sqrt(q)), f"gd_theory_error_{i}": float(error)}
    return row
