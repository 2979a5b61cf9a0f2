"""What is kept of a finished experiment: a table as CSV, and a manifest that belongs to it.

Two files cannot be replaced at one stroke. So the new manifest is laid beside the old one first,
then the table is replaced, then the manifest. A manifest holds the hash of its table: whenever the
writer is killed, the table there is has its manifest in one place or the other.
"""

from __future__ import annotations

import hashlib
import json
import os
from io import StringIO
from pathlib import Path

import pandas as pd

from rbmnotes.experiments.engine.experiment import file_name
from rbmnotes.experiments.engine.store import Store, store_path

_NEXT = ".json.next"


def results_folder() -> Path:
    """Return the nearest ``book/results`` at or above the current folder, else one below it."""
    below = Path("book", "results")
    above = (folder / below for folder in Path.cwd().parents)
    return below if below.is_dir() else next(filter(Path.is_dir, above), below)


def export(experiment, scale: str, frame: pd.DataFrame, folder=None, store=None) -> Path:
    """Write a finished table as ``NAME-SCALE.csv``, with a manifest ``NAME-SCALE.json``.

    Parameters
    ----------
    experiment : rbmnotes.experiments.engine.experiment.Experiment
    scale : str
    frame : pandas.DataFrame
        What :func:`rbmnotes.experiments.engine.run.run` returned.
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
        If the store does not hold all of the table, the table would not read back as it is, or
        its name is more than a file's.
    """
    path = _path(experiment.name, scale, folder)
    chosen, tasks = experiment.scale(scale), experiment.tasks(scale)
    with Store(store) as results:
        costs = results.costs(experiment.name, experiment.version)
    if missing := sum(task not in costs for task in tasks):
        raise ValueError(f"{missing} of {len(tasks)} tasks are not in {store_path(store)}")
    text = frame.to_csv(index=False, lineterminator="\n")
    columns = {name: _kind(frame[name].dtype) for name in frame}
    if not _parse(text, columns).equals(frame):
        raise ValueError("CSV cannot hold this table: a missing text or boolean, or mixed kinds")
    packages = {json.dumps(costs[task][1]) for task in tasks}
    manifest = {
        "experiment": experiment.name,
        "version": experiment.version,
        "description": experiment.description,
        "scale": scale,
        "grid": chosen.grid,
        "instances": chosen.instances,
        "seeds": experiment.seeds,
        "packages": [json.loads(versions) for versions in sorted(packages)],
        "wall_time_seconds": round(sum(costs[task][0] for task in tasks), 1),
        "rows": len(frame),
        "columns": columns,
        "sha256": _digest(text),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pending = path.with_suffix(_NEXT)
    described = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    _write(pending, described)
    _write(path, text)
    _write(path.with_suffix(".json"), described)
    pending.unlink(missing_ok=True)  # another writer of the same table may have been here
    return path


def read_exported(name: str, scale: str, folder=None) -> tuple[pd.DataFrame, dict]:
    """Return an exported table, as it was, and its manifest.

    Raises
    ------
    ValueError
        If the two files are not there or do not belong together.
    """
    path = _path(name, scale, folder)
    for _ in range(3):  # a writer may come between two of our reads
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise ValueError(
                f"there is no stored result {name}-{scale} in {path.parent}"
            ) from error
        for manifest in (_manifest(path, ".json"), _manifest(path, _NEXT)):
            if _digest(text) == manifest.get("sha256"):
                return _parse(text, manifest["columns"]), manifest
    raise ValueError(f"{path.name} is not the table its manifest describes; export it again")


def _path(name, scale, folder):
    folder = results_folder() if folder is None else folder
    return Path(folder, f"{file_name(name)}-{file_name(scale)}.csv")


def _manifest(path, suffix) -> dict:
    """Return a manifest, or an empty one where there is none that can be read."""
    try:
        return json.loads(path.with_suffix(suffix).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


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
    """Replace a file at one stroke: a run killed meanwhile, or a full disk, leaves the old one."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:  # a full disk does not say where
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
