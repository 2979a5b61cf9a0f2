"""The table of all experiments: what each measures, on which grid, and which figure needs it."""

from __future__ import annotations

from rbmnotes.algorithms.pca import pca
from rbmnotes.experiments import (
    contrastive,
    contrastive_ends,
    contrastive_speed,
    comparison,
    bayes_comparison,
    bayes_rank_one,
    dynamics,
    emergence,
    emergence_times,
    images,
    landscape,
    landscape_settling,
    minima,
    paths,
    phases,
    race,
    recovery,
    solution_time,
    repulsion,
    starts,
    theorem1,
)
from rbmnotes.experiments.equal_signals import INSTANCES, QUICK_SIZES, QUICK_SNR
from rbmnotes.experiments.equal_signals import (
    INSTANCES,
    PRIORS_W,
    QUICK_SIZES,
    SIZES,
    equal_signals_grid,
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


def _speed_grid(rates, d):
    return tuple(
        {"case": case, "rate": rate, "d": d} for case, values in rates.items() for rate in values
    )


_SPEED = _speed_grid(contrastive_speed.RATES, contrastive_speed.SIZE)


def _speed_theory_grid(rates):
    return tuple(
        {"case": case, "method": method, "rate": rate}
        for case, methods in contrastive_speed.METHODS.items()
        for method in methods
        for rate in rates
    )


_ENDS = tuple(
    point | {"d": d}
    for point in contrastive_ends.BIAS + contrastive_ends.NOISE
    for d in contrastive_ends.INSTANCES
)
_QUICK_COMPARISON = [
    point
    for point in comparison.comparison_grid(QUICK_SIZES, QUICK_SNR)
    if point["r"] == 2 or (point["prior_w"], point["snr"]) == ("Rademacher", max(QUICK_SNR))
]


def _by_size(instances, **axes):
    """Scale of a grid over sizes, with the number of instances that each size has."""
    points = grid(d=instances, **axes)
    return Scale(points, [instances[point["d"]] for point in points])


_BAYES_LAWS = {"prior_u": bayes_rank_one.LAWS, "prior_w": bayes_rank_one.LAWS}
_BAYES_COMPARISON = tuple(
    point
    for r, d in SIZES.items()
    for point in equal_signals_grid(bayes_comparison.SNR[r], {r: d}, PRIORS_W)
)

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
        name="contrastive",
        version=1,
        description="Contrastive divergence and mini-batches, every step, beside theory (Figure 4)",
        measure=contrastive.measure_contrastive,
        scales={
            "quick": Scale(grid(case=contrastive.CASES, d=[50, 100, 200]), 10),
            "paper": Scale(
                grid(case=contrastive.CASES, d=contrastive.SIZES), contrastive.INSTANCES
            ),
        },
        figure=4,
    ),
    Experiment(
        name="contrastive_theory",
        version=1,
        description="Independent solves of the theory of contrastive divergence (Figure 4)",
        measure=contrastive.measure_contrastive_theory,
        scales={
            "quick": Scale(grid(setting=contrastive.SETTINGS, n_paths=[2**8]), 8),
            "paper": Scale(grid(setting=contrastive.SETTINGS, n_paths=[2**13, 2**14]), 16),
        },
    ),
    Experiment(
        name="contrastive_speed",
        version=1,
        description="Steps that CD and gradient descent need, against the learning rate (Figure 4)",
        measure=contrastive_speed.measure_speed,
        scales={
            "quick": Scale(_speed_grid({"one unit": [0.2], "two units": [0.15]}, d=100), 5),
            "paper": Scale(
                _SPEED, [contrastive_speed.INSTANCES[point["case"]] for point in _SPEED]
        name="emergence",
        version=1,
        description="Signals of distinct strength emerge one after another (Figure 7, left)",
        measure=emergence.measure_cascade,
        scales={
            "quick": Scale(grid(cascade=emergence.CASCADES, d=[100]), 2),
            "paper": Scale(
                grid(cascade=emergence.CASCADES, d=[emergence.CASCADE_D]),
                emergence.CASCADE_INSTANCES,
            ),
        },
        figure=7,
    ),
    Experiment(
        name="emergence_linear",
        version=1,
        description="Emergence times from a vanishing start beside the linear law",
        measure=emergence_times.measure_linear_stage,
        scales={
            "quick": _by_size({100: 4, 150: 4, 200: 4}),
            "paper": _by_size(emergence_times.STAGE_INSTANCES),
        },
    ),
    Experiment(
        name="emergence_dimension",
        version=1,
        description="Emergence time of one signal over two decades of the dimension",
        measure=emergence_times.measure_dimension,
        scales={
            "quick": _by_size({50: 4, 100: 4}, method=emergence_times.DIMENSION_SNR),
            "paper": _by_size(emergence_times.DIMENSIONS, method=emergence_times.DIMENSION_SNR),
        },
    ),
    Experiment(
        name="emergence_power",
        version=1,
        description="Power law of the unrecovered strength (paper eq. 138)",
        measure=emergence.measure_power_law,
        predict=emergence.predict_power_law,
        scales={
            "quick": Scale(grid(beta=[0.8], hidden=["gaussian"], d=[60]), 2),
            "paper": Scale(
                grid(hidden=emergence.POWER_UNITS, beta=emergence.POWERS, d=[emergence.POWER_D]),
                [emergence.POWER_INSTANCES] * 2 + [emergence.FROZEN_INSTANCES] * 2,
            ),
        },
    ),
    Experiment(
        name="contrastive_speed_theory",
        version=2,
        description="Independent solves of the theory of these steps (Figure 4)",
        measure=contrastive_speed.measure_speed_theory,
        scales={
            "quick": Scale(_speed_theory_grid([0.15, 0.25]), 2),
            "paper": Scale(
                _speed_theory_grid(contrastive_speed.THEORY_RATES), contrastive_speed.SOLVES
        name="bayes_paths",
        version=1,
        description="Bayes-optimal AMP with one signal against its state evolution, by iteration",
        measure=bayes_rank_one.measure_bayes_path,
        scales={
            "quick": Scale(grid(d=[100, 200], **_BAYES_LAWS), 10),
            "paper": _by_size(bayes_rank_one.PATH_INSTANCES, **_BAYES_LAWS),
        },
    ),
    Experiment(
        name="bayes_points",
        version=2,
        description="Bayes-optimal AMP with one signal: overlap and log evidence where it settles",
        measure=bayes_rank_one.measure_bayes_point,
        predict=bayes_rank_one.predict_bayes_point,
        scales={
            "quick": Scale(grid(snr=[1.4], d=[100, 200], **_BAYES_LAWS), 5),
            "paper": _by_size(
                bayes_rank_one.POINT_INSTANCES, snr=bayes_rank_one.POINT_SNR, **_BAYES_LAWS
            ),
        },
    ),
    Experiment(
        name="contrastive_ends",
        version=1,
        description="Where contrastive divergence ends: bias and noise beside theory",
        measure=contrastive_ends.measure_end,
        predict=contrastive_ends.predict_end,
        scales={
            "quick": Scale(
                [contrastive_ends.BIAS[0] | {"d": 100}, contrastive_ends.NOISE[1] | {"d": 100}], 4
            ),
            "paper": Scale(_ENDS, [contrastive_ends.INSTANCES[point["d"]] for point in _ENDS]),
        },
    ),
        name="comparison",
        version=1,
        description="Equal signals: AMP-RBM, Adam, CD and PCA beside theory (Figure 5)",
        measure=comparison.measure_comparison,
        predict=comparison.predict_comparison,
        scales={
            "quick": Scale(_QUICK_COMPARISON, 4),
            "paper": Scale(comparison.comparison_grid(), INSTANCES),
        },
        figure=5,
    ),
    Experiment(
        name="equal_pca",
        version=1,
        description="Equal signals: PCA at three sizes, for the basis it picks",
        measure=comparison.measure_equal_pca,
        scales={
            "quick": Scale(*comparison.pca_grid({2: {100: 10, 200: 10}})),
            "paper": Scale(*comparison.pca_grid(comparison.PCA_INSTANCES)),
        },
    ),
    Experiment(
        name="solution_time",
        version=1,
        description="Seconds to a small gradient, equal signals, four methods (use one job)",
        measure=solution_time.measure_solution_time,
        scales={
            "quick": Scale(grid(r=solution_time.RANKS, d=[200]), 2),
            "paper": Scale(
                grid(r=solution_time.RANKS, d=[solution_time.D]),
                solution_time.INSTANCES,
        name="bayes_comparison",
        version=1,
        description="Equal signals: Bayes-optimal AMP, decimation and PCA (Figure 6)",
        measure=bayes_comparison.measure_bayes_comparison,
        predict=bayes_comparison.predict_bayes_comparison,
        scales={
            "quick": Scale(
                equal_signals_grid(bayes_comparison.QUICK_SNR, QUICK_SIZES, PRIORS_W), 2
            ),
            "paper": Scale(_BAYES_COMPARISON, INSTANCES),
        },
        figure=6,
    ),
    Experiment(
        name="bayes_limit",
        version=1,
        description="Equal signals: Bayes-optimal AMP from a random start, extrapolated in d",
        measure=bayes_comparison.measure_bayes_limit,
        predict=bayes_comparison.predict_bayes_limit,
        scales={
            "quick": Scale(grid(r=[2, 10], d=[100, 200], prior_w=PRIORS_W, snr=[1.2]), 3),
            "paper": _by_size(
                bayes_comparison.LIMIT_INSTANCES,
                r=[2, 10],
                prior_w=PRIORS_W,
                snr=[bayes_comparison.LIMIT_SNR],
            ),
        name="emergence_path",
        version=1,
        description="Gradient descent from a small informed start, distinct strengths",
        measure=emergence_times.measure_path,
        scales={
            "quick": Scale(grid(d=[100, 200, 400]), 10),
            "paper": Scale(grid(d=emergence_times.PATH_SIZES), emergence_times.PATH_INSTANCES),
        },
    ),
    Experiment(
        name="emergence_path_theory",
        version=1,
        description="Independent solves of the mean-field theory from a small informed start",
        measure=emergence_times.measure_path_theory,
        scales={
            "quick": Scale(grid(n_paths=[2**8]), 8),
            "paper": Scale(grid(n_paths=[2**12, 2**13]), 16),
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
