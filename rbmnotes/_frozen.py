"""What frozen dataclasses that hold arrays share: arrays are read-only, equality is by value."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any, ClassVar

import numpy as np


class Frozen:
    """Base of a ``dataclass(frozen=True, eq=False)``."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]  # of whatever is derived from this

    def __post_init__(self) -> None:
        values = vars(self)
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                values[name] = value.view()
                values[name].flags.writeable = False

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return False  # not left to an array, which would compare its entries
        names = [field.name for field in fields(self)]
        return all(_same(getattr(self, name), getattr(other, name)) for name in names)

    def __hash__(self) -> int:
        return hash((type(self), *(_key(getattr(self, field.name)) for field in fields(self))))


def _same(ours: object, theirs: object) -> bool:
    if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
        return np.array_equal(ours, theirs, equal_nan=True)
    return ours is theirs or bool(ours == theirs)


def _key(value: object) -> object:
    """Return a hashable stand-in, the same for arrays that are equal."""
    return (value.shape, (value + 0.0).tobytes()) if isinstance(value, np.ndarray) else value
