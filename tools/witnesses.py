"""Store small rows of the experiments of which no stored task can be repeated in a second or two.

Usage: python tools/witnesses.py [NAME ...]

A witness is one instance of a small point, measured and predicted; a test repeats it and compares.
Store it anew, by name, when the experiment's version is raised, together with the exported table,
and never otherwise: it stands for what that table was made with.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from rbmnotes.experiments.engine.run import repeat
from rbmnotes.experiments.engine.store import THEORY
from rbmnotes.experiments.registry import experiment

POINTS = {
    "emergence_frozen": {"beta": 0.6, "hidden": "rademacher", "d": 50},
    "emergence_power": {"beta": 0.6, "hidden": "gaussian", "d": 50},
}
"""Where the first point of the scale "quick" is still slow."""

FILE = Path(__file__).resolve().parent.parent / "tests" / "experiments" / "witnesses.json"


def witness(name: str) -> dict:
    """Return what is stored of an experiment: its version, the point and its rows."""
    chosen = experiment(name)
    point = POINTS.get(name, chosen.scale("quick").grid[0])
    instances = [0] if chosen.predict is None else [THEORY, 0]
    rows = {str(instance): repeat(chosen, point, instance) for instance in instances}
    return {"version": chosen.version, "point": point, "rows": rows}


def main(names: list[str]) -> None:
    """Store witnesses of the experiments named, by default of all that have one."""
    stored = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for name in names or [*stored]:
        start = time.perf_counter()
        stored[name] = witness(name)
        print(f"{name}: {time.perf_counter() - start:.1f} s")
    FILE.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
