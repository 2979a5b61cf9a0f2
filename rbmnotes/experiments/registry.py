"""Experiments by name or by figure, and the stored results of each."""

from __future__ import annotations

import pandas as pd

from rbmnotes.experiments.amp import random_starts
from rbmnotes.experiments.bayes import beside_pca, first_stage, many_signals, one_signal
from rbmnotes.experiments.comparison import equal_pca, methods, solution_time, ten_units
from rbmnotes.experiments.contrastive import cd_dynamics, chain_ends, speed
from rbmnotes.experiments.convergence import curvature, endpoints, row_law, weight_change
from rbmnotes.experiments.descent import dynamics
from rbmnotes.experiments.descent import recovery as descent_recovery
from rbmnotes.experiments.emergence import (
    cascade,
    emergence_times,
    loss_law,
    power_law,
    small_start,
)
from rbmnotes.experiments.engine.experiment import Experiment, canonical
from rbmnotes.experiments.engine.exported import read_exported
from rbmnotes.experiments.gordon import minima, phases
from rbmnotes.experiments.images import race, restoration, training
from rbmnotes.experiments.repulsion import leaning, repulsion, sharing
from rbmnotes.experiments.spiked import pca_overlaps
from rbmnotes.experiments.state_evolution import amp_paths, recovery
from rbmnotes.experiments.theorem1 import errors

_MODULES = (
    errors,
    *(training, restoration, race),
    pca_overlaps,
    random_starts,
    *(amp_paths, recovery),
    *(minima, phases),
    *(endpoints, weight_change, row_law, curvature),
    *(dynamics, descent_recovery),
    *(cd_dynamics, speed, chain_ends),
    *(methods, equal_pca, ten_units, solution_time),
    *(one_signal, many_signals, beside_pca, first_stage),
    *(cascade, emergence_times, power_law, loss_law, small_start),
    *(repulsion, sharing, leaning),
)
"""All that hold experiments, a line a chapter."""

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for module in _MODULES for experiment in module.EXPERIMENTS
}


def experiment(name: str) -> Experiment:
    """Return an experiment by its name, or raise an error that lists those there are."""
    if name not in EXPERIMENTS:
        raise ValueError(f"unknown experiment {name!r}; choose from {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]


def figure(number: int) -> Experiment:
    """Return the experiment behind a figure of the paper, or raise if it has none yet."""
    known = {e.figure: e for e in EXPERIMENTS.values() if e.figure is not None}
    if number not in known:
        listed = ", ".join(map(str, sorted(known))) or "none so far"
        raise ValueError(f"figure {number} has no experiment yet; figures that have: {listed}")
    return known[number]


def load_results(name: str, scale: str, folder=None) -> pd.DataFrame:
    """Return a table that was run, exported and committed.

    Parameters
    ----------
    name : str
        Of the experiment.
    scale : str
    folder : path, optional
        Default :func:`~rbmnotes.experiments.engine.exported.results_folder`, also from within
        ``book/``.

    Returns
    -------
    pandas.DataFrame
        As :func:`rbmnotes.experiments.engine.run.run` returned it.

    Raises
    ------
    ValueError
        If there is no such result, its files do not belong together, or the code has another
        version of the experiment or another grid by now.
    """
    registered = experiment(name)
    chosen = registered.scale(scale)
    frame, manifest = read_exported(name, scale, folder)
    remedy = f"run python -m rbmnotes run {name} --scale {scale}"
    if manifest["version"] != registered.version:
        raise ValueError(
            f"the stored result {name}-{scale} is of version {manifest['version']}, "
            f"the code of version {registered.version}; {remedy}"
        )
    plan = [[*chosen.grid], [*chosen.instances]]
    if canonical([manifest["grid"], manifest["instances"]]) != canonical(plan):
        raise ValueError(f"the stored result {name}-{scale} has another grid; {remedy}")
    return frame
