"""The landscape: minima, phases, and where algorithms end."""

from __future__ import annotations

from rbmnotes.experiments.convergence import endpoints
from rbmnotes.experiments.convergence import settling
from rbmnotes.experiments.gordon import minima
from rbmnotes.experiments.gordon import phases
from rbmnotes.experiments.engine.experiment import Experiment, Scale, by_size, grid


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
    return tuple(setting | {"d": d} for setting in endpoints.SETTINGS)


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
        measure=endpoints.measure_landscape,
        scales={
            "quick": Scale(_landscape_grid(d=100), 2),
            "paper": Scale(_landscape_grid(d=endpoints.D), endpoints.INSTANCES),
        },
    ),
    Experiment(
        name="landscape_change",
        version=1,
        description="Assumption 2: change of the weights in every iteration of AMP-RBM",
        measure=settling.measure_change,
        scales={
            "quick": Scale(grid(snr=settling.CHANGE_SNR, d=[200]), 4),
            "paper": by_size(
                settling.CHANGE_INSTANCES, snr=settling.CHANGE_SNR
            ),
        },
    ),
    Experiment(
        name="landscape_rows",
        version=1,
        description="Theorem 4: the rows of a stationary point against their law",
        measure=settling.measure_rows,
        scales={
            "quick": Scale(grid(prior_w=settling.ROWS_PRIORS, d=[200]), 4),
            "paper": by_size(
                settling.ROWS_INSTANCES, prior_w=settling.ROWS_PRIORS
            ),
        },
    ),
    Experiment(
        name="landscape_curvature",
        version=1,
        description="Smallest curvature where a unit holds one of two signals",
        measure=settling.measure_curvature,
        scales={
            "quick": Scale(grid(missed=settling.CURVATURE_MISSED, d=[100]), 4),
            "paper": by_size(
                settling.CURVATURE_INSTANCES,
                missed=settling.CURVATURE_MISSED,
            ),
        },
    ),
)
