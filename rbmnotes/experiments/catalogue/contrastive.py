"""Contrastive divergence."""

from __future__ import annotations

from rbmnotes.experiments.contrastive import cd_dynamics
from rbmnotes.experiments.contrastive import chain_ends
from rbmnotes.experiments.contrastive import speed
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid


def _speed_grid(rates, d):
    return tuple(
        {"case": case, "rate": rate, "d": d} for case, values in rates.items() for rate in values
    )


_SPEED = _speed_grid(speed.RATES, speed.SIZE)


def _speed_theory_grid(rates):
    return tuple(
        {"case": case, "method": method, "rate": rate}
        for case, methods in speed.METHODS.items()
        for method in methods
        for rate in rates
    )


_ENDS = tuple(
    point | {"d": d}
    for point in chain_ends.BIAS + chain_ends.NOISE
    for d in chain_ends.INSTANCES
)

EXPERIMENTS = (
    Experiment(
        name="contrastive",
        version=1,
        description="Contrastive divergence and mini-batches, every step, beside theory (Figure 4)",
        measure=cd_dynamics.measure_contrastive,
        scales={
            "quick": Scale(grid(case=cd_dynamics.CASES, d=[50, 100, 200]), 10),
            "paper": Scale(
                grid(case=cd_dynamics.CASES, d=cd_dynamics.SIZES), cd_dynamics.INSTANCES
            ),
        },
        figure=4,
    ),
    Experiment(
        name="contrastive_theory",
        version=1,
        description="Independent solves of the theory of contrastive divergence (Figure 4)",
        measure=cd_dynamics.measure_contrastive_theory,
        scales={
            "quick": Scale(grid(setting=cd_dynamics.SETTINGS, n_paths=[2**8]), 8),
            "paper": Scale(grid(setting=cd_dynamics.SETTINGS, n_paths=[2**13, 2**14]), 16),
        },
    ),
    Experiment(
        name="contrastive_speed",
        version=1,
        description="Steps that CD and gradient descent need, against the learning rate (Figure 4)",
        measure=speed.measure_speed,
        scales={
            "quick": Scale(_speed_grid({"one unit": [0.2], "two units": [0.15]}, d=100), 5),
            "paper": Scale(
                _SPEED, [speed.INSTANCES[point["case"]] for point in _SPEED]
            ),
        },
    ),
    Experiment(
        name="contrastive_speed_theory",
        version=2,
        description="Independent solves of the theory of these steps (Figure 4)",
        measure=speed.measure_speed_theory,
        scales={
            "quick": Scale(_speed_theory_grid([0.15, 0.25]), 2),
            "paper": Scale(
                _speed_theory_grid(speed.THEORY_RATES), speed.SOLVES
            ),
        },
    ),
    Experiment(
        name="contrastive_ends",
        version=1,
        description="Where contrastive divergence ends: bias and noise beside theory",
        measure=chain_ends.measure_end,
        predict=chain_ends.predict_end,
        scales={
            "quick": Scale(
                [chain_ends.BIAS[0] | {"d": 100}, chain_ends.NOISE[1] | {"d": 100}], 4
            ),
            "paper": Scale(_ENDS, [chain_ends.INSTANCES[point["d"]] for point in _ENDS]),
        },
    ),
)
