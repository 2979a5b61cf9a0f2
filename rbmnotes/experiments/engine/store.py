"""What is kept of an experiment while it runs: a SQLite file of finished tasks."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

STORE_VARIABLE = "RBMNOTES_STORE"
THEORY = -1
"""Number that the theory of a point has in place of an instance's."""

_COLUMNS = {
    "experiment": "TEXT",
    "version": "INTEGER",
    "parameters": "TEXT",
    "instance": "INTEGER",
    "measured": "TEXT NOT NULL",
    "seconds": "REAL NOT NULL",
    "packages": "TEXT NOT NULL",
}


class Task(NamedTuple):
    """A point, as its canonical JSON text, and an instance of it."""

    parameters: str
    instance: int


class StoreError(RuntimeError):
    """A store that can no longer be read or written; the message says what remains of it."""


def store_path(path=None) -> Path:
    """Return `path`, or that of `RBMNOTES_STORE`, or ``.rbmnotes/results.sqlite`` right here."""
    if path is not None and not str(path):
        raise ValueError("store must be the path of a file; got an empty one")
    return Path(path or os.environ.get(STORE_VARIABLE) or ".rbmnotes/results.sqlite")


class Store:
    """Finished tasks in a SQLite file; a context manager.

    Every task is one transaction, so whatever kills a run, the file holds every task finished
    before and nothing torn. Several runs may share a file; each waits for its turn to write.

    Parameters
    ----------
    path : path, optional
        See :func:`store_path`; made if it is not there. A file that cannot be written is read.
        ``":memory:"`` is forgotten when it is closed.

    Attributes
    ----------
    writable : bool
        Whether anything can be added.

    Raises
    ------
    ValueError
        If the file cannot be opened, is damaged or is something else, which is left as it was.
    """

    def __init__(self, path=None):
        self._path = store_path(path)
        try:
            self._connection, self.writable = _connect(self._path)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        except (OSError, sqlite3.Error, ValueError) as error:
            raise ValueError(f"{self._path} cannot serve as a results store: {error}") from error
        self._packages = json.dumps(package_versions())

    def _prepare(self):
        """Make sure that the file is ours before anything in it is changed."""
        tables = self._connection.execute(
            "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        ).fetchall()
        columns = [row[1] for row in self._connection.execute("PRAGMA table_info(results)")]
        if tables and (tables != [("results",)] or columns != [*_COLUMNS]):
            raise ValueError("it is a database of something else")
        if not tables and not self.writable:
            raise ValueError("it is empty and cannot be written")
        (state,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise sqlite3.DatabaseError(f"it is damaged: {state}")
        if self.writable:
            # the log makes commits cheap; NORMAL can lose the last of them to a power cut only
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
            self._connection.execute(
                f"CREATE TABLE IF NOT EXISTS results ({columns},"
                " PRIMARY KEY (experiment, version, parameters, instance))"
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def add(self, experiment: str, version: int, task: Task, rows: list[dict], seconds: float):
        """Store a finished task; one that another run has stored meanwhile stays as it is."""
        values = (experiment, version, *task, json.dumps(rows), seconds, self._packages)
        try:
            with self._connection:
                self._connection.execute(
                    "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?, ?, ?)", values
                )
        except sqlite3.Error as error:
            raise StoreError(
                f"{self._path} cannot be written: {error}; what was finished before is stored, "
                "and the same run resumes there once that is mended"
            ) from error

    def tasks(self, experiment: str, version: int) -> set[Task]:
        """Return the finished tasks of a version of an experiment."""
        return {Task(*row) for row in self._select("parameters, instance", experiment, version)}

    def rows(self, experiment: str, version: int) -> dict[Task, list[dict]]:
        """Return what the finished tasks of a version of an experiment found."""
        found = self._select("parameters, instance, measured", experiment, version)
        return {Task(*task): self._parse(rows) for *task, rows in found}

    def costs(self, experiment: str, version: int) -> dict[Task, tuple[float, dict]]:
        """Return the seconds each finished task took and the packages it ran with."""
        found = self._select("parameters, instance, seconds, packages", experiment, version)
        return {Task(*task): (seconds, self._parse(p)) for *task, seconds, p in found}

    def versions(self) -> list[tuple[str, int, int]]:
        """Return each experiment and version in the file with its number of tasks."""
        return self._query(
            "SELECT experiment, version, COUNT(*) FROM results GROUP BY 1, 2 ORDER BY 1, 2"
        )

    def _select(self, columns, experiment, version):
        query = f"SELECT {columns} FROM results WHERE experiment = ? AND version = ?"
        return self._query(query, (experiment, version))

    def _query(self, query, values=()):
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} cannot be read: {error}") from error

    def _parse(self, text):
        try:
            return json.loads(text)
        except (TypeError, ValueError) as error:
            raise StoreError(f"{self._path} is damaged: a stored result is no JSON") from error


def _connect(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Open a file, to write if that is possible, and say whether it is."""
    if str(path) == ":memory:":
        return sqlite3.connect(path), True
    path.parent.mkdir(parents=True, exist_ok=True)
    writable = os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))
    mode = "rwc" if writable else "ro"
    if not writable and not Path(f"{path}-wal").exists():
        mode += "&immutable=1"  # or SQLite would want to write a log beside it
    # a second run on the same file waits for its turn
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", 60.0, uri=True), writable


def package_versions() -> dict[str, str]:
    """Return the versions that a result may depend on, and nothing of the machine."""
    packages = {name: metadata.version(name) for name in ("rbmnotes", "numpy", "scipy", "numba")}
    return {"python": platform.python_version(), **packages}
