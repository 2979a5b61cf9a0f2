"""The objective: Theorem 1, and training on images."""

from __future__ import annotations

from rbmnotes.experiments.images import training
from rbmnotes.experiments.images import race
from rbmnotes.experiments.theorem1 import errors
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid

_SCENARIOS = {
    scenario.name: scenario
    for scenario in (*errors.SCENARIOS, errors.CORRELATED, *errors.MEAN_SCENARIOS)
}


def _measure_theorem1(parameters, rng):
    rbm = errors.draw_rbm(_SCENARIOS[parameters["scenario"]], parameters["d"], rng)
    error, leading = errors.effective_error(rbm), errors.leading_error(rbm)
    return {f"error_{k}": v for k, v in error.items()} | {
        f"leading_{k}": v for k, v in leading.items()
    }


_TRAINING_GRID = grid(
    name=training.METHODS,
    learning_rate=training.LEARNING_RATES,
    batch_size=training.BATCH_SIZES,
    n_epochs=[30],
)


# stored seconds are those of one quiet machine; the tangent bound's follow from its relative cost
_RACE_GRID = grid(
    name=[name for name in race.METHODS if name != "tangent bound"],
    learning_rate=race.RATES,
    batch_size=race.BATCH_SIZES,
    budget=[race.BUDGET],
)


_BASELINES = ({"name": "mean image"}, {"name": "PCA"})

EXPERIMENTS = (
    Experiment(
        name="theorem1",
        version=2,
        description="Theorem 1: error of the effective likelihood and its gradients against d",
        measure=_measure_theorem1,
        scales={
            "quick": Scale(grid(scenario=_SCENARIOS, d=[10, 100, 1000]), 5),
            "paper": Scale(grid(scenario=_SCENARIOS, d=errors.SIZES), errors.N_INSTANCES),
        },
    ),
    Experiment(
        name="training",
        version=1,
        description="Fashion-MNIST: exact log-likelihood along training, every method on one grid",
        measure=training.measure_training,
        scales={
            "quick": Scale(grid(name=training.METHODS, n_epochs=[1]), 1),
            "paper": Scale(_TRAINING_GRID, 3),
        },
    ),
    Experiment(
        name="units",
        version=2,
        description="Fashion-MNIST: likelihood and seconds at 10, 16 and 20 hidden units (one job)",
        measure=training.measure_units,
        scales={
            "quick": Scale(grid(name=["tangent bound"], k=[2, 4], n_epochs=[1]), 1),
            "paper": Scale(
                grid(name=["Theorem 1", "tangent bound"], k=[10, 16, 20], n_epochs=[5])
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
        name="tangent_cost",
        version=1,
        description="Processor time of a step on the tangent bound over one of Theorem 1's",
        measure=race.measure_cost,
        scales={
            "quick": Scale(grid(k=[10], batch_size=[500]), 1),
            "paper": Scale(
                grid(k=[10], batch_size=[100]) + grid(k=[10, 16, 20], batch_size=[500]), 5
            ),
        },
    ),
    Experiment(
        name="restoration",
        version=1,
        description="Fashion-MNIST: pixels wrong after restoring half and noisy images (Figure 3)",
        measure=training.measure_restoration,
        scales={
            "quick": Scale(_BASELINES + grid(name=training.METHODS, n_epochs=[1]), 1),
            "paper": Scale(
                _BASELINES + grid(name=training.METHODS, n_epochs=[30]),
                [1, 1] + [3] * len(training.METHODS),
            ),
        },
        figure=3,
    ),
)
