"""The landscape: minima, phases, and where algorithms end."""

from __future__ import annotations

from rbmnotes.experiments import landscape, landscape_settling, minima, phases
from rbmnotes.experiments.experiment import Experiment, Scale, by_size, grid


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


EXPERIMENTS = (
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
            "paper": by_size(
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
            "paper": by_size(
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
            "paper": by_size(
                landscape_settling.CURVATURE_INSTANCES,
                missed=landscape_settling.CURVATURE_MISSED,
            ),
        },
    ),
)
