"""One path or one overlap beside theory: PCA, AMP-RBM, gradient descent."""

from __future__ import annotations

from rbmnotes.algorithms.pca import pca
from rbmnotes.experiments.descent import dynamics
from rbmnotes.experiments.state_evolution import amp_paths
from rbmnotes.experiments.state_evolution import recovery
from rbmnotes.experiments.amp import random_starts
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.bayes_limit import bayes_overlap
from rbmnotes.theory.limits import outlier_eigenvalue, pca_overlap


def _measure_pca(parameters, rng):
    data = SpikedModel(parameters["alpha"], parameters["snr"]).sample(parameters["d"], rng)
    fit = pca(data.X, 1)
    return {
        "overlap_w": matched_overlap(data.W_star, fit.W)[0],
        "overlap_u": matched_overlap(data.U, fit.U)[0],
        "eigenvalue": fit.singular_values[0] ** 2,
    }


def _predict_pca(parameters):
    alpha, snr = parameters["alpha"], parameters["snr"]
    return {
        "pca_overlap_w": pca_overlap(alpha, snr, of="w"),
        "pca_overlap_u": pca_overlap(alpha, snr, of="u"),
        "bayes_overlap": bayes_overlap(alpha, snr),
        "outlier_eigenvalue": outlier_eigenvalue(alpha, snr),
    }


# Rounded: the last digit of a power differs between machines, and with it would the seed.
_SNR = [round(snr, 6) for snr in recovery.SNR]


_PCA_GRID = grid(alpha=[recovery.ALPHA], snr=_SNR, d=recovery.INSTANCES)


_PATH_INSTANCES = 144  # the interval of a rate is narrow enough to decide


_PATH_GRID = grid(d=[1000, 2000, 4000, 8000], setting=amp_paths.SETTINGS)


_RECOVERY_SNR = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 2.0]


def _recovery_grid(strengths, d):
    """One signal, then two of which the second is weaker by a fifth."""
    signals = [[snr] for snr in strengths] + [[snr, round(0.8 * snr, 6)] for snr in strengths]
    return tuple({"alpha": 4.0, "snr": snr, "d": d} for snr in signals)


def _starts_grid(d):
    return tuple({"k": k, "snr": snr, "d": d} for k, snr in random_starts.SETTINGS)


EXPERIMENTS = (
    Experiment(
        name="pca",
        version=1,
        description="PCA on one signal: overlaps and leading eigenvalue against the BBP theory",
        measure=_measure_pca,
        predict=_predict_pca,
        scales={
            "quick": Scale(grid(alpha=[recovery.ALPHA], snr=_SNR, d=[100, 200]), 10),
            "paper": Scale(_PCA_GRID, [recovery.INSTANCES[point["d"]] for point in _PCA_GRID]),
        },
    ),
    Experiment(
        name="paths",
        version=2,
        description="AMP-RBM against state evolution, iteration by iteration (Figure 1, left)",
        measure=amp_paths.measure_path,
        scales={
            "quick": Scale(grid(d=[250, 500], setting=amp_paths.SETTINGS), 10),
            "paper": Scale(_PATH_GRID, _PATH_INSTANCES),
        },
    ),
    Experiment(
        name="starts",
        version=1,
        description="AMP-RBM from random starts on equal signals: gradient, cap, signals found",
        measure=random_starts.measure_start,
        scales={
            "quick": Scale(_starts_grid(d=200), 5),
            "paper": Scale(_starts_grid(d=1000), 20),
        },
    ),
    Experiment(
        name="recovery",
        version=2,
        description="Overlap against the strength: AMP-RBM and PCA beside theory (Figure 1, right)",
        measure=recovery.measure_recovery,
        predict=recovery.predict_recovery,
        scales={
            "quick": Scale(_recovery_grid([0.6, 1.0, 1.4], d=200), 4),
            "paper": Scale(_recovery_grid(_RECOVERY_SNR, d=1000), 20),
        },
        figure=1,
    ),
    Experiment(
        name="dynamics",
        version=1,
        description="Gradient descent, every step: what its mean-field theory predicts (Figure 2)",
        measure=dynamics.measure_dynamics,
        scales={
            "quick": Scale(grid(model=dynamics.MODELS, d=[100, 200, 400]), 10),
            "paper": Scale(grid(model=dynamics.MODELS, d=[1000, 2000, 4000]), 60),
        },
        figure=2,
    ),
    Experiment(
        name="mean_field",
        version=1,
        description="Independent solves of gradient descent's mean-field theory (Figure 2)",
        measure=dynamics.measure_mean_field,
        scales={
            "quick": Scale(grid(setting=dynamics.SETTINGS, n_paths=[2**8]), 8),
            "paper": Scale(grid(setting=dynamics.SETTINGS, n_paths=[2**14, 2**15]), 16),
        },
    ),
    Experiment(
        name="descent",
        version=1,
        description="Overlap against the strength: Adam, and gradient descent with its theory",
        measure=recovery.measure_descent,
        predict=recovery.predict_descent,
        scales={
            "quick": Scale(_recovery_grid([0.6, 1.0, 1.4], d=200), 4),
            "paper": Scale(_recovery_grid(_RECOVERY_SNR, d=1000), 10),
        },
    ),
)
