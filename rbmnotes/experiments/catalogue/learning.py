"""How an RBM learns: emergence, alignment and repulsion."""

from __future__ import annotations

from rbmnotes.experiments.emergence import cascade
from rbmnotes.experiments.emergence import loss_law
from rbmnotes.experiments.emergence import emergence_times
from rbmnotes.experiments.repulsion import repulsion
from rbmnotes.experiments.repulsion import sharing
from rbmnotes.experiments.engine.experiment import Experiment, Scale, by_size, grid

_SHARING = [(r, d, draws) for r, sizes in sharing.DRAWS.items() for d, draws in sizes.items()]
_REPULSION_GRID = tuple(
    {"k": k, "d": d} for k, d in ((2, 250), (2, 500), (2, 1000), (4, 500), (6, 500))
)

EXPERIMENTS = (
    Experiment(
        name="emergence",
        version=1,
        description="Signals of distinct strength emerge one after another (Figure 7, left)",
        measure=cascade.measure_cascade,
        scales={
            "quick": Scale(grid(cascade=cascade.CASCADES, d=[100]), 2),
            "paper": Scale(
                grid(cascade=cascade.CASCADES, d=[cascade.CASCADE_D]),
                cascade.CASCADE_INSTANCES,
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
            "quick": by_size({100: 4, 150: 4, 200: 4}),
            "paper": by_size(emergence_times.STAGE_INSTANCES),
        },
    ),
    Experiment(
        name="emergence_dimension",
        version=1,
        description="Emergence time of one signal over two decades of the dimension",
        measure=emergence_times.measure_dimension,
        scales={
            "quick": by_size({50: 4, 100: 4}, method=emergence_times.DIMENSION_SNR),
            "paper": by_size(emergence_times.DIMENSIONS, method=emergence_times.DIMENSION_SNR),
        },
    ),
    Experiment(
        name="emergence_power",
        version=1,
        description="Power law of the unrecovered strength (paper eq. 138)",
        measure=cascade.measure_power_law,
        predict=cascade.predict_power_law,
        scales={
            "quick": Scale(grid(beta=[0.8], hidden=["gaussian"], d=[200]), 2),
            "paper": Scale(
                grid(hidden=cascade.POWER_UNITS, beta=cascade.POWERS, d=[cascade.POWER_D]),
                [cascade.POWER_INSTANCES] * 2 + [cascade.FROZEN_INSTANCES] * 2,
            ),
        },
    ),
    Experiment(
        name="emergence_loss",
        version=1,
        description="Loss that is left of Gaussian units against time, and its law (eq. 138)",
        measure=loss_law.measure_loss,
        scales={
            "quick": by_size({100: 4}, beta=[0.8]),
            "paper": by_size(loss_law.SIZES, beta=cascade.POWERS),
        },
    ),
    Experiment(
        name="emergence_frozen",
        version=1,
        description="How many signals of falling strength sign units find (paper eq. 138)",
        measure=cascade.measure_power_law,
        scales={
            "quick": Scale(grid(beta=[0.8], hidden=["rademacher"], d=[100]), 2),
            "paper": Scale(
                grid(beta=cascade.POWERS, hidden=["rademacher"], d=[loss_law.FROZEN_D]),
                loss_law.FROZEN_DRAWS,
            ),
        },
    ),
    Experiment(
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
        name="sharing",
        version=1,
        description="Units alone: how often they share an equal signal, how they align (Figure 7)",
        measure=sharing.measure_sharing,
        scales={
            "quick": Scale(grid(r=[2, 4], d=[100]), 2),
            "paper": Scale(
                [{"r": r, "d": d} for r, d, _ in _SHARING], [draws for *_, draws in _SHARING]
            ),
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
