"""Experiments by name or by figure, and the stored results of each."""

from __future__ import annotations

import pandas as pd

from rbmnotes.experiments.catalogue import CATALOGUE
from rbmnotes.experiments.engine.experiment import Experiment, canonical
from rbmnotes.experiments.engine.exported import read_exported

EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in CATALOGUE}


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
        Default :func:`rbmnotes.experiments.engine.exported.results_folder`, also from within ``book/``.

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
