"""The table of all experiments: what each measures, on which grid, and which figure needs it."""

from __future__ import annotations

from rbmnotes.algorithms.pca import pca
from rbmnotes.experiments import (
    dynamics,
    images,
    landscape,
    landscape_settling,
    minima,
    paths,
    phases,
    race,
    recovery,
    repulsion,
    starts,
    theorem1,
)
from rbmnotes.experiments.experiment import Experiment, Scale, grid
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.limits import bayes_overlap, outlier_eigenvalue, pca_overlap

_SCENARIOS = {scenario.name: scenario for scenario in theorem1.SCENARIOS}


def _measure_theorem1(parameters, rng):
    rbm = theorem1.draw_rbm(_SCENARIOS[parameters["scenario"]], parameters["d"], rng)
    error, leading = theorem1.effective_error(rbm), theorem1.leading_error(rbm)
    return {f"error_{k}": v for k, v in error.items()} | {
        f"leading_{k}": v for k, v in leading.items()
    }


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
_PATH_GRID = grid(d=[1000, 2000, 4000, 8000], setting=paths.SETTINGS)

_RECOVERY_SNR = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 2.0]


def _recovery_grid(strengths, d):
    """One signal, then two of which the second is weaker by a fifth."""
    signals = [[snr] for snr in strengths] + [[snr, round(0.8 * snr, 6)] for snr in strengths]
    return tuple({"alpha": 4.0, "snr": snr, "d": d} for snr in signals)


_TRAINING_GRID = grid(
    name=images.METHODS,
    learning_rate=images.LEARNING_RATES,
    batch_size=images.BATCH_SIZES,
    n_epochs=[30],
)
_RACE_GRID = grid(
    name=race.METHODS,
    learning_rate=race.RATES,
    batch_size=race.BATCH_SIZES,
    budget=[race.BUDGET],
)
_REPULSION_GRID = tuple(
    {"k": k, "d": d} for k, d in ((2, 250), (2, 500), (2, 1000), (4, 500), (6, 500))
)
_BASELINES = ({"name": "mean image"}, {"name": "PCA"})


def _starts_grid(d):
    return tuple({"k": k, "snr": snr, "d": d} for k, snr in starts.SETTINGS)


def _minima_grid(sizes):
    points = minima.STABLE + minima.UNSTABLE
    return tuple(point | {"d": d} for d in sizes for point in points)


_PHASES = tuple(
    {"region": region, "alpha": alpha, "snr": snr, "d": d}
    for region, points in phases.REGIONS.items()
    for alpha, snr in points
    for d in phases.instances(alpha)
)


def _landscape_grid(d):
    return tuple(setting | {"d": d} for setting in landscape.SETTINGS)


def _by_size(instances, **axes):
    """Scale of a grid over sizes, with the number of instances that each size has."""
    points = grid(d=instances, **axes)
    return Scale(points, [instances[point["d"]] for point in points])


CATALOGUE = (
    Experiment(
        name="theorem1",
        version=1,
        description="Theorem 1: error of the effective likelihood and its gradients against d",
        measure=_measure_theorem1,
        scales={
            "quick": Scale(grid(scenario=_SCENARIOS, d=[10, 100, 1000]), 5),
            "paper": Scale(grid(scenario=_SCENARIOS, d=theorem1.SIZES), theorem1.N_INSTANCES),
        },
    ),
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
        measure=paths.measure_path,
        scales={
            "quick": Scale(grid(d=[250, 500], setting=paths.SETTINGS), 10),
            "paper": Scale(_PATH_GRID, _PATH_INSTANCES),
        },
    ),
    Experiment(
        name="starts",
        version=1,
        description="AMP-RBM from random starts on equal signals: gradient, cap, signals found",
        measure=starts.measure_start,
        scales={
            "quick": Scale(_starts_grid(d=200), 5),
            "paper": Scale(_starts_grid(d=1000), 20),
        },
    ),
    Experiment(
        name="training",
        version=1,
        description="Fashion-MNIST: exact log-likelihood along training, every method on one grid",
        measure=images.measure_training,
        scales={
            "quick": Scale(grid(name=images.METHODS, n_epochs=[1]), 1),
            "paper": Scale(_TRAINING_GRID, 3),
        },
    ),
    Experiment(
        name="units",
        version=2,
        description="Fashion-MNIST: likelihood and seconds at 10, 16 and 20 hidden units (one job)",
        measure=images.measure_units,
        scales={
            "quick": Scale(grid(name=["tangent"], k=[2, 4], n_epochs=[1]), 1),
            "paper": Scale(
                grid(name=["Theorem 1", "tangent"], k=[10, 16, 20], n_epochs=[5])
                + grid(name=["exact"], k=[10, 16], n_epochs=[5]),
                1,
            ),
        },
    ),
    Experiment(
        name="race",
        version=1,
        description="Fashion-MNIST: exact log-likelihood against seconds, with peers (use one job)",
        measure=race.measure_race,
        scales={
            "quick": Scale(
                grid(name=race.METHODS, learning_rate=[0.1], batch_size=[500], budget=[0.5]), 1
            ),
            "paper": Scale(_RACE_GRID, 1),
        },
    ),
    Experiment(
        name="restoration",
        version=1,
        description="Fashion-MNIST: pixels wrong after restoring half and noisy images (Figure 3)",
        measure=images.measure_restoration,
        scales={
            "quick": Scale(_BASELINES + grid(name=images.METHODS, n_epochs=[1]), 1),
            "paper": Scale(
                _BASELINES + grid(name=images.METHODS, n_epochs=[30]),
                [1, 1] + [3] * len(images.METHODS),
            ),
        },
        figure=3,
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
        name="minima",
        version=1,
        description="Minimum of the objective over starts of L-BFGS beside Gordon's value",
        measure=minima.measure_minimum,
        predict=minima.predict_minimum,
        scales={
            "quick": Scale(_minima_grid([100, 200]), 4),
            "paper": Scale(_minima_grid(minima.SIZES), minima.INSTANCES),
        },
    ),
    Experiment(
        name="phases",
        version=1,
        description="AMP's convergence and the spread of minima, region by region",
        measure=phases.measure_phase,
        predict=phases.predict_phase,
        scales={
            "quick": Scale([p for p in _PHASES if p["d"] in (100, 250)], 3),
            "paper": Scale(_PHASES, [phases.instances(p["alpha"])[p["d"]] for p in _PHASES]),
        },
    ),
    Experiment(
        name="landscape",
        version=1,
        description="Corollary 1: where AMP-RBM, gradient descent and L-BFGS end, for any k and r",
        measure=landscape.measure_landscape,
        scales={
            "quick": Scale(_landscape_grid(d=100), 2),
            "paper": Scale(_landscape_grid(d=landscape.D), landscape.INSTANCES),
        },
    ),
    Experiment(
        name="landscape_change",
        version=1,
        description="Assumption 2: change of the weights in every iteration of AMP-RBM",
        measure=landscape_settling.measure_change,
        scales={
            "quick": Scale(grid(snr=landscape_settling.CHANGE_SNR, d=[200]), 4),
            "paper": _by_size(
                landscape_settling.CHANGE_INSTANCES, snr=landscape_settling.CHANGE_SNR
            ),
        },
    ),
    Experiment(
        name="landscape_rows",
        version=1,
        description="Theorem 4: the rows of a stationary point against their law",
        measure=landscape_settling.measure_rows,
        scales={
            "quick": Scale(grid(prior_w=landscape_settling.ROWS_PRIORS, d=[200]), 4),
            "paper": _by_size(
                landscape_settling.ROWS_INSTANCES, prior_w=landscape_settling.ROWS_PRIORS
            ),
        },
    ),
    Experiment(
        name="landscape_curvature",
        version=1,
        description="Smallest curvature where a unit holds one of two signals",
        measure=landscape_settling.measure_curvature,
        scales={
            "quick": Scale(grid(missed=landscape_settling.CURVATURE_MISSED, d=[100]), 4),
            "paper": _by_size(
                landscape_settling.CURVATURE_INSTANCES,
                missed=landscape_settling.CURVATURE_MISSED,
            ),
        },
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
    Experiment(
        name="repulsion",
        version=1,
        description="Equal signals from a small random start: which unit holds which (Figure 7)",
        measure=repulsion.measure_repulsion,
        scales={
            "quick": Scale(grid(k=[2, 4], d=[100]), 2),
            "paper": Scale(_REPULSION_GRID, [100, 100, 80, 50, 15]),
        },
    ),
    Experiment(
        name="leaning",
        version=1,
        description="Two units that lean to one of two equal signals, every step (Figure 7)",
        measure=repulsion.measure_leaning,
        scales={
            "quick": Scale(grid(d=[100, 200]), 2),
            "paper": Scale(grid(d=[500, 1000, 2000]), 60),
        },
    ),
    Experiment(
        name="leaning_theory",
        version=1,
        description="Independent solves of the mean-field theory of two leaning units (Figure 7)",
        measure=repulsion.measure_leaning_theory,
        scales={
            "quick": Scale(grid(setting=repulsion.SETTINGS, n_paths=[2**7]), 2),
            "paper": Scale(grid(setting=repulsion.SETTINGS, n_paths=[2**13, 2**14]), 16),
        },
    ),
)
