"""What is kept of an experiment: a SQLite file while it runs, a CSV and a manifest afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sqlite3
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pandas as pd

STORE_VARIABLE = "RBMNOTES_STORE"
THEORY = -1
"""Number that the theory of a point has in place of an instance's."""


class Task(NamedTuple):
    """A point, as its canonical JSON text, and an instance of it."""

    parameters: str
    instance: int


def store_path(path=None) -> Path:
    """Return `path`, or that of `RBMNOTES_STORE`, or ``.rbmnotes/results.sqlite`` right here."""
    return Path(path or os.environ.get(STORE_VARIABLE) or ".rbmnotes/results.sqlite")


class Store:
    """Finished tasks in a SQLite file; a context manager.

    One process writes, in one transaction a task, so whatever kills it, the file holds every
    task finished before and nothing torn.

    Parameters
    ----------
    path : path, optional
        See :func:`store_path`; made if it is not there.

    Raises
    ------
    ValueError
        If the file cannot be opened or is something else.
    """

    def __init__(self, path=None):
        path = store_path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # a second run on the same file waits for its turn
            self._connection = sqlite3.connect(path, timeout=60.0)
            # the log makes commits cheap; NORMAL can lose the last of them to a power cut only
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS results (experiment TEXT, version INTEGER,"
                " parameters TEXT, instance INTEGER, measured TEXT NOT NULL,"
                " seconds REAL NOT NULL, packages TEXT NOT NULL,"
                " PRIMARY KEY (experiment, version, parameters, instance))"
            )
        except (OSError, sqlite3.Error) as error:
            raise ValueError(f"{path} cannot serve as a results store: {error}") from error
        self._packages = json.dumps(package_versions())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def add(self, experiment: str, version: int, task: Task, rows: list[dict], seconds: float):
        """Store a finished task; one that another run has stored meanwhile stays as it is."""
        values = (experiment, version, *task, json.dumps(rows), seconds, self._packages)
        with self._connection:
            self._connection.execute(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?, ?, ?)", values
            )

    def tasks(self, experiment: str, version: int) -> set[Task]:
        """Return the finished tasks of a version of an experiment."""
        return {Task(*row) for row in self._select("parameters, instance", experiment, version)}

    def rows(self, experiment: str, version: int) -> dict[Task, list[dict]]:
        """Return what the finished tasks of a version of an experiment found."""
        found = self._select("parameters, instance, measured", experiment, version)
        return {Task(*task): json.loads(rows) for *task, rows in found}

    def costs(self, experiment: str, version: int) -> dict[Task, tuple[float, str]]:
        """Return the seconds each finished task took and, as JSON, the packages it ran with."""
        found = self._select("parameters, instance, seconds, packages", experiment, version)
        return {Task(*task): (seconds, packages) for *task, seconds, packages in found}

    def versions(self) -> list[tuple[str, int, int]]:
        """Return each experiment and version in the file with its number of tasks."""
        query = "SELECT experiment, version, COUNT(*) FROM results GROUP BY 1, 2 ORDER BY 1, 2"
        return self._connection.execute(query).fetchall()

    def _select(self, columns, experiment, version):
        query = f"SELECT {columns} FROM results WHERE experiment = ? AND version = ?"
        return self._connection.execute(query, (experiment, version))


def package_versions() -> dict[str, str]:
    """Return the versions that a result may depend on, and nothing of the machine."""
    packages = {name: metadata.version(name) for name in ("rbmnotes", "numpy", "scipy", "numba")}
    return {"python": platform.python_version(), **packages}


def results_folder() -> Path:
    """Return the nearest ``book/results`` at or above the current folder, else one below it."""
    below = Path("book", "results")
    above = (folder / below for folder in Path.cwd().parents)
    return below if below.is_dir() else next(filter(Path.is_dir, above), below)


def export(experiment, scale: str, frame: pd.DataFrame, folder=None, store=None) -> Path:
    """Write a finished table as ``NAME-SCALE.csv``, with a manifest ``NAME-SCALE.json``.

    Parameters
    ----------
    experiment : rbmnotes.experiments.experiment.Experiment
    scale : str
    frame : pandas.DataFrame
        What :func:`rbmnotes.experiments.engine.run` returned.
    folder : path, optional
        Where to; default :func:`results_folder`.
    store : path, optional
        The store it was run with, which knows its times and packages.

    Returns
    -------
    pathlib.Path
        Of the CSV.

    Raises
    ------
    ValueError
        If the store does not hold all of the table, or the table would not read back as it is.
    """
    chosen, tasks = experiment.scale(scale), experiment.tasks(scale)
    with Store(store) as results:
        costs = results.costs(experiment.name, experiment.version)
    if missing := sum(task not in costs for task in tasks):
        raise ValueError(f"{missing} of {len(tasks)} tasks are not in {store_path(store)}")
    text = frame.to_csv(index=False, lineterminator="\n")
    columns = {name: _kind(frame[name].dtype) for name in frame}
    if not _parse(text, columns).equals(frame):
        raise ValueError("CSV cannot hold this table: a missing text or boolean, or mixed kinds")
    manifest = {
        "experiment": experiment.name,
        "version": experiment.version,
        "description": experiment.description,
        "scale": scale,
        "grid": chosen.grid,
        "instances": chosen.instances,
        "seeds": experiment.seeds,
        "packages": [json.loads(p) for p in sorted({costs[task][1] for task in tasks})],
        "wall_time_seconds": round(sum(costs[task][0] for task in tasks), 1),
        "rows": len(frame),
        "columns": columns,
        "sha256": _digest(text),
    }
    path = Path(results_folder() if folder is None else folder, f"{experiment.name}-{scale}.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, text)
    _write(path.with_suffix(".json"), json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    return path


def read_exported(name: str, scale: str, folder=None) -> tuple[pd.DataFrame, dict]:
    """Return an exported table, as it was, and its manifest.

    Raises
    ------
    ValueError
        If the two files are not there or do not belong together.
    """
    path = Path(results_folder() if folder is None else folder, f"{name}-{scale}.csv")
    try:
        manifest = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ValueError(f"there is no stored result {name}-{scale} in {path.parent}") from error
    if _digest(text) != manifest["sha256"]:
        raise ValueError(f"{path.name} is not the table its manifest describes; export it again")
    return _parse(text, manifest["columns"]), manifest


def _parse(text, columns):
    return pd.read_csv(
        StringIO(text),
        dtype={name: kind for name, kind in columns.items() if kind != "float64"},
        # Python's own parser, as pandas' can be off in the last digit
        converters={name: _number for name, kind in columns.items() if kind == "float64"},
        keep_default_na=False,  # a text "NA" is one
    )


def _number(text):
    return float(text or "nan")


def _kind(dtype) -> str:
    return str(dtype) if dtype.kind in "iufb" else "str"


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path, text):
    """Replace a file at one stroke: a run killed meanwhile leaves the old one."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)
