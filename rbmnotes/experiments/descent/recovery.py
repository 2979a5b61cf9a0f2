"""Recovery of the signals against their strength, by Adam and by few steps of gradient descent."""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.descent import adam, gradient_descent
from rbmnotes.algorithms.starts import informed_start, random_start
from rbmnotes.experiments.engine.experiment import Experiment, Scale
from rbmnotes.experiments.state_evolution.recovery import QUICK_STRENGTHS, STRENGTHS, recovery_grid
from rbmnotes.model.order_parameters import matched_overlap, overlap
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.dmft import dmft

DESCENT_START = 0.3
"""Overlap of every unit with its own signal at the informed start of gradient descent."""

DESCENT_RATE, DESCENT_ITER = 0.05, 60
ADAM_RATE, ADAM_ITER, ADAM_GRADIENT = 0.2, 400, 1e-3


def measure_descent(parameters: dict, rng: np.random.Generator) -> dict:
    """Train by descent on one draw: Adam from a random start, few plain steps from an informed one.

    Parameters
    ----------
    parameters : dict
        ``alpha``, ``snr`` (list, one a signal; as many units as signals) and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Overlaps ``adam_1``, ... and ``gd_1``, ... in the order of the signals, the latter of each
        signal with its own unit after ``DESCENT_ITER`` steps; ``converged``, ``n_iter`` and
        ``gradient_size`` of Adam, which stops at a gradient of ``ADAM_GRADIENT``.
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


EXPERIMENTS = (
    Experiment(
        name="descent",
        version=1,
        description="Overlap against the strength: Adam, and gradient descent with its theory",
        measure=measure_descent,
        predict=predict_descent,
        scales={
            "quick": Scale(recovery_grid(QUICK_STRENGTHS, d=200), 4),
            "paper": Scale(recovery_grid(STRENGTHS, d=1000), 10),
        },
    ),
)
