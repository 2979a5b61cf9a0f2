"""What an experiment is: a grid of points times instances, each with a random stream of its own.

A *point* is a dict of plain parameters, an *instance* one independent repetition of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from rbmnotes._validation import positive_integer
from rbmnotes.experiments.engine.store import THEORY, Task

ENTROPY = 20_250_523
"""Seed of the project, from which every instance's stream descends."""

SEED_RULE = (
    f"SeedSequence({ENTROPY}, spawn_key=words).spawn(instances)[instance]; words: the SHA-256 of "
    "[experiment, version, parameters] as compact JSON with sorted keys, eight little-endian "
    "32-bit integers"
)


def canonical(value) -> str:
    """Return the one JSON text of `value`: keys sorted, no spaces, no NaN."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"parameters must be plain JSON values; got {value!r}: {error}") from error


def file_name(name: str) -> str:
    """Return the name of an experiment or a scale, or raise if it could lead out of a folder."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(
            f"name of an experiment or a scale must be letters, digits, _ and -; got {name!r}"
        )
    return name


def grid(**axes) -> tuple[dict, ...]:
    """Return every combination of the values of some parameters, the last varying fastest."""
    return tuple(dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


@dataclass(frozen=True)
class Scale:
    """How much of an experiment to run.

    Parameters
    ----------
    grid : sequence of dict
        Points, all different, each a dict of plain JSON values; what is measured sees them as
        JSON returns them (a tuple as a list). Prefer numbers typed to numbers computed: a last
        digit that differs is another point.
    instances : int or sequence of int
        Number of independent instances, of every point or one by one.

    Raises
    ------
    ValueError
        If a point is not plain JSON or occurs twice, or the numbers do not match the grid.
    """

    grid: Sequence[dict]
    instances: int | Sequence[int]

    def __post_init__(self):
        points = tuple(self.grid)
        keys = [canonical(point) for point in points]
        if not points or len(set(keys)) < len(keys):
            raise ValueError("grid must hold at least one point, and none twice")
        counts = self.instances
        counts = (counts,) * len(points) if np.ndim(counts) == 0 else tuple(counts)
        if len(counts) != len(points):
            raise ValueError(f"instances must be one or {len(points)} numbers; got {len(counts)}")
        counts = tuple(positive_integer(count, "instances") for count in counts)
        object.__setattr__(self, "grid", tuple(json.loads(json.dumps(p)) for p in points))
        object.__setattr__(self, "instances", counts)


def scale_of_sizes(instances: Mapping[int, int], **axes) -> Scale:
    """Return a grid over sizes `d`, with the number of instances that each size has."""
    points = grid(d=instances, **axes)
    return Scale(points, [instances[point["d"]] for point in points])


@dataclass(frozen=True)
class Experiment:
    """Something to measure on a grid, and what theory says about it.

    Parameters
    ----------
    name : str
        Letters, digits, ``_`` and ``-``: it is also the name of a file.
    version : int
        To be raised whenever a change of the code changes the numbers: stored ones of another
        version are kept but never used.
    description : str
        One line.
    measure : callable
        ``measure(parameters, rng)`` returns one row, a dict of plain numbers, booleans and
        strings, or a list of rows. It must be a function of its arguments only, and importable.
    scales : mapping
        Name to :class:`Scale`.
    predict : callable, optional
        ``predict(parameters)`` returns the columns of theory, a dict, once a point.
    figure : int, optional
        Number of the paper's figure that the experiment is behind.
    """

    name: str
    version: int
    description: str
    measure: Callable[[dict, np.random.Generator], dict | list[dict]]
    scales: Mapping[str, Scale]
    predict: Callable[[dict], dict] | None = None
    figure: int | None = None

    def __post_init__(self):
        positive_integer(self.version, "version")
        for name in (self.name, *self.scales):
            file_name(name)

    @property
    def seeds(self) -> str:
        """How an instance's seed follows from what it is; for the manifest."""
        return SEED_RULE

    def scale(self, name: str) -> Scale:
        """Return a scale by its name, or raise an error that lists those there are."""
        if name not in self.scales:
            known = ", ".join(self.scales)
            raise ValueError(f"{self.name} has no scale {name!r}; it has: {known}")
        return self.scales[name]

    def tasks(self, scale: str) -> list[Task]:
        """Return all there is to do at a scale, in the order of the grid."""
        chosen, tasks = self.scale(scale), []
        for point, count in zip(chosen.grid, chosen.instances, strict=True):
            instances = [*range(count)] if self.predict is None else [THEORY, *range(count)]
            tasks += [Task(canonical(point), instance) for instance in instances]
        return tasks


def seed_sequence(experiment: Experiment, parameters: dict, instance: int):
    """Return the seed of one instance.

    It depends on the experiment's name and version, the point and the instance, and neither on
    the rest of the grid, the scale nor the order of the work. Equal to spawning all instances
    from the point's own :class:`numpy.random.SeedSequence`, see ``SEED_RULE``.
    """
    text = canonical([experiment.name, experiment.version, parameters])
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u4").tolist()
    return np.random.SeedSequence(ENTROPY, spawn_key=(*words, instance))
