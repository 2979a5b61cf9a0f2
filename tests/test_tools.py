"""The tools that try the tests and the engine: what they change, what they read, what they say."""

import ast
import importlib.util
import json
import os
import signal
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.helpers import ROOT


def tool(name):
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


mutants = tool("mutants")
kernels = tool("kernels")
soak = tool("soak")

# --- mutants

SOURCE = '''"""A docstring with 1 + 1."""
from numba import njit
STEP = 0.5
def f(x: "1 + 1", n=3):
    """Return x - 2."""
    if x < 0:
        raise ValueError(f"x must be at least {1 + 1}; got {x - 1}")
    y = -x[0, 1:2] * (n + 1) / 4.0
    if y >= n:
        y = y ** 2
    return (y
            - 1e-3)
'''


def changed(source):
    """Return each change as the pair of lines before and after."""
    for mutant in mutants.mutants(source, "m.py"):
        after = mutant.apply(source).splitlines()
        (pair,) = [p for p in zip(source.splitlines(), after, strict=True) if p[0] != p[1]]
        yield pair[0].strip(), pair[1].strip()


def test_every_formula_is_changed_in_one_place_and_nothing_else_is():
    found = [*changed(SOURCE)]
    y = "y = -x[0, 1:2] * (n + 1) / 4.0"
    assert found == [
        ("STEP = 0.5", "STEP = (0.5 * 1.1 + 1e-3)"),
        ('def f(x: "1 + 1", n=3):', 'def f(x: "1 + 1", n=4):'),
        (y, "y = +x[0, 1:2] * (n + 1) / 4.0"),
        (y, "y = -x[0, 1:2] / (n + 1) / 4.0"),
        (y, "y = -x[0, 1:2] * (n - 1) / 4.0"),
        (y, "y = -x[0, 1:2] * (n + 2) / 4.0"),
        (y, "y = -x[0, 1:2] * (n + 1) * 4.0"),
        (y, "y = -x[0, 1:2] * (n + 1) / (4.0 * 1.1 + 1e-3)"),
        ("if y >= n:", "if y < n:"),
        ("y = y ** 2", "y = y * 1.1 ** 2"),
        ("y = y ** 2", "y = y ** 3"),
        ("- 1e-3)", "- (1e-3 * 1.1 + 1e-3))"),
    ]


@pytest.mark.parametrize("name", mutants.modules())
def test_every_change_of_the_core_is_python_and_another_program(name):
    source = (ROOT / name).read_text(encoding="utf-8")
    before = ast.dump(ast.parse(source))
    found = mutants.mutants(source, name)
    assert len({(m.line, m.column, m.new) for m in found}) == len(found)
    for mutant in found[::7]:
        assert ast.dump(ast.parse(mutant.apply(source))) != before, mutant


def test_a_choice_of_two_hundred_is_large_enough_repeats_and_covers_every_module():
    chosen = mutants.choose(mutants.modules(), 200, 0)
    assert 200 <= len(chosen) < 300
    assert chosen == mutants.choose(mutants.modules(), 200, 0)
    assert chosen != mutants.choose(mutants.modules(), 200, 1)
    with_formulas = {m for m in mutants.modules() if mutants.mutants((ROOT / m).read_text(), m)}
    assert {mutant.module for mutant in chosen} == with_formulas


def test_tests_of_a_module_begin_with_its_own():
    first = {
        "rbmnotes/model/priors.py": "tests/model/test_priors.py",
        "rbmnotes/theory/dmft.py": "tests/theory/test_dmft.py",
        "rbmnotes/theory/moreau.py": "tests/theory/test_gordon.py",
    }
    for module, test in first.items():
        assert test in mutants.related_tests(module)[:2]
    assert all(mutants.related_tests(name) for name in mutants.modules())


def test_a_wrong_formula_fails_its_tests_and_a_run_resumes(tmp_path, monkeypatch, capsys):
    """On a package of its own: one function with a test, and one that no test calls."""
    (tmp_path / "rbmnotes" / "model").mkdir(parents=True)
    for name in ("tests", "tools", "benchmarks", "book"):
        (tmp_path / name).mkdir()
    (tmp_path / "conftest.py").write_text("")
    (tmp_path / "pyproject.toml").write_text("")
    module = tmp_path / "rbmnotes" / "model" / "sums.py"
    module.write_text(
        "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a - b\n"
    )
    (tmp_path / "rbmnotes" / "__init__.py").write_text("")
    test = tmp_path / "tests" / "test_sums.py"
    test.write_text(
        "from rbmnotes.model.sums import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"
    )
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    monkeypatch.setattr(mutants, "EQUIVALENT", tmp_path / "equivalent.txt")
    line = ["--results", str(tmp_path / "r.jsonl"), "--count", "9"]
    assert mutants.main(line) == 1
    out = capsys.readouterr().out
    assert "failed: rbmnotes/model/sums.py:2: '+' to '-' in: return a + b" in out
    assert "not noticed: rbmnotes/model/sums.py:6: '-' to '+' in: return a - b" in out
    assert "1 of 2 changes noticed (50.0 %); 0 equivalent, 0 by the time limit" in out
    rows = [json.loads(row) for row in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert sorted(row["outcome"] for row in rows) == ["failed", "passed"]

    monkeypatch.setattr(mutants, "run_tests", lambda *_: pytest.fail("ran again"))
    (survivor,) = [row["key"] for row in rows if row["outcome"] == "passed"]
    (tmp_path / "equivalent.txt").write_text(f"{survivor} # says so\n")
    assert mutants.main(line) == 0
    assert "1 of 1 changes noticed (100.0 %); 1 equivalent" in capsys.readouterr().out

    (tmp_path / "r.jsonl").unlink()
    monkeypatch.setattr(mutants, "run_tests", lambda mutant, *_: "passed" if mutant else "failed")
    assert mutants.main(line) == 1
    assert (
        capsys.readouterr().out
        == "without any change these do not pass: pytest tests/test_sums.py\n"
    )


# --- kernels


def test_what_differs_is_read_from_a_report_of_nbval(tmp_path):
    """A report of the real thing: a print that differs, an error, and a cell as it should be."""
    cells = [
        new_code_cell("print('same\\nz = +0.14')", execution_count=1),
        new_code_cell("1 / 0", execution_count=2),
        new_code_cell("print('fine')", execution_count=3),
    ]
    for cell, text in ((cells[0], "same\nz = +0.13\n"), (cells[2], "fine\n")):
        cell.outputs = [new_output("stream", name="stdout", text=text)]
    nbformat.write(new_notebook(cells=cells), tmp_path / "t.ipynb")
    (tmp_path / "pytest.ini").touch()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "t.ipynb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert kernels.differences(done.stdout) == [
        "t.ipynb::Cell 0: Cell outputs differ",
        "+ z = +0.14",
        "- z = +0.13",
        "t.ipynb::Cell 1: Cell execution caused an exception",
    ]


def test_a_kernel_that_is_not_there_is_no_agreement(capsys):
    assert not kernels.check("NoSuchKernel", 1, ["book/none.ipynb"])
    assert "this machine cannot run it" in capsys.readouterr().out


# --- soak


def test_a_trial_that_ends_otherwise_than_it_should_fails_the_soak(monkeypatch, capsys):
    def good(folder, expected, times, rng):
        soak.demand(expected == b"table")
        return f"{times} times"

    def bad(folder, expected, times, rng):
        soak.demand(expected == b"another")

    monkeypatch.setattr(soak, "complete", lambda folder: b"table")
    monkeypatch.setattr(soak, "TRIALS", {"good": good, "bad": bad})
    assert soak.main(["--times", "3", "good"]) == 0
    assert soak.main([]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "good: 3 times",
        "all as it should be",
        "good: 20 times",
        "bad: NOT AS IT SHOULD: another table",
        "failed: bad",
    ]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_an_export_killed_between_any_two_steps_leaves_a_whole_pair(tmp_path):
    """The real thing, by a signal, once between the table's name and its manifest's."""
    folder, version = tmp_path, {soak.VERSION: "2"}
    expected = soak.complete(folder)
    assert soak.finish(soak.start(folder, **version)) == (0, "")
    assert soak.finish(soak.start(folder, **{soak.RENAME: "2"})) == (-signal.SIGKILL, "")
    assert (folder / "out" / "soak-quick.json.next").exists()
    assert soak.table(folder) == expected
    assert soak.complete(folder) == expected
    assert not (folder / "out" / "soak-quick.json.next").exists()
