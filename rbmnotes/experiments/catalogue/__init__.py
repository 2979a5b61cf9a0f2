"""The table of all experiments: what each measures, on which grid, and which figure needs it."""

from rbmnotes.experiments.catalogue import (
    comparison,
    contrastive,
    landscape,
    learning,
    objective,
    recovery_and_dynamics,
)

CATALOGUE = (
    *objective.EXPERIMENTS,
    *recovery_and_dynamics.EXPERIMENTS,
    *landscape.EXPERIMENTS,
    *contrastive.EXPERIMENTS,
    *comparison.EXPERIMENTS,
    *learning.EXPERIMENTS,
)
