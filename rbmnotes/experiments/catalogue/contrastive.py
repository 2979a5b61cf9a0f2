"""Contrastive divergence."""

from __future__ import annotations

from rbmnotes.experiments import contrastive, contrastive_ends, contrastive_speed
from rbmnotes.experiments.experiment import Experiment, Scale, grid


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

EXPERIMENTS = (
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
)
