"""What is stored is what the code finds: one cheap task of every exported table, done again."""

import json
import math

import pytest

from rbmnotes.experiments.engine.experiment import canonical
from rbmnotes.experiments.engine.exported import results_folder
from rbmnotes.experiments.engine.run import repeat
from rbmnotes.experiments.engine.store import THEORY
from rbmnotes.experiments.registry import EXPERIMENTS, load_results
from tests.helpers import ROOT

WITNESSES = json.loads((ROOT / "tests" / "experiments" / "witnesses.json").read_text("utf-8"))
STORED = sorted(p.name.removesuffix("-paper.json") for p in results_folder().glob("*-paper.json"))
TIMES = {"seconds", "cpu_seconds", "wall_seconds", "relative"}
"""Columns that are times, or a quotient of times: another machine has others."""

BY_ROUND_OFF = {"minima": {"evaluations", "gradient_size"}}
"""Where a descent in single precision stops; what it finds is not among them."""


def same(found, stored, noise=1e-3):
    """Whether two values of a cell agree.

    Products in single precision have relative errors of 1e-6, and other BLAS kernels other ones;
    hundreds of steps of training enlarge them. A wrong formula changes a number by per cents.
    """
    if isinstance(found, bool | str):
        return found == stored
    if math.isnan(found) or math.isinf(found):
        return found == stored or (math.isnan(found) and math.isnan(stored))
    return abs(found - stored) <= noise * abs(stored) + 1e-5


def differing(found, stored, left_out=TIMES):
    """Return the cells that differ, by row and column."""
    return {
        (number, name): (row[name], old[name])
        for number, (row, old) in enumerate(zip(found, stored, strict=True))
        for name in row.keys() - left_out
        if not same(row[name], old[name])
    }


def cheapest(experiment):
    """Return the smallest point of the paper scale."""
    return min(
        experiment.scale("paper").grid,
        key=lambda point: tuple(point.get(name, 0) for name in ("d", "n_paths", "n_epochs")),
    )


@pytest.mark.parametrize("name", STORED)
def test_stored_rows_come_out_again(name):
    experiment = EXPERIMENTS[name]
    if name in WITNESSES:
        witness = WITNESSES[name]
        assert witness["version"] == experiment.version, "python tools/witnesses.py " + name
        point = witness["point"]
        stored = {int(instance): rows for instance, rows in witness["rows"].items()}
    else:
        point, table = cheapest(experiment), load_results(name, "paper")
        cells = {k: canonical(v) if isinstance(v, list | dict) else v for k, v in point.items()}
        for key, value in cells.items():
            table = table[table[key] == value]
        rows = table[table.instance == 0].to_dict("records")
        stored = {0: rows} | ({THEORY: rows[:1]} if experiment.predict else {})
    for instance, rows in stored.items():
        found = repeat(experiment, point, instance)
        if name == "race":  # it runs against time
            shorter = min(len(found), len(rows))
            found, rows = found[:shorter], rows[:shorter]
        assert not differing(found, rows, TIMES | BY_ROUND_OFF.get(name, set()))


def test_a_wrong_formula_shows():
    experiment = EXPERIMENTS["paths"]
    point = cheapest(experiment)
    rows = repeat(experiment, point, 0)
    assert not differing(rows, rows)
    wrong = [row | {"M00": 1.01 * row["M00"]} for row in rows]
    assert differing(wrong, rows)
