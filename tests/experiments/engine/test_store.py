"""Stores and exported tables under use: damaged, foreign, full, read-only, killed in between."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rbmnotes.__main__ import main
from rbmnotes.experiments import registry
from rbmnotes.experiments.engine import exported
from rbmnotes.experiments.engine.experiment import Scale, grid
from rbmnotes.experiments.engine.exported import export, read_exported
from rbmnotes.experiments.engine.run import TaskError, run
from rbmnotes.experiments.engine.store import Store, StoreError
from tests.experiments.engine import test_run as toys
from tests.experiments.engine.test_run import ONLY_POSIX, PLAIN, TOY, never
from tests.helpers import ROOT, run_with_rights_that_count


@pytest.fixture
def store(tmp_path):
    return tmp_path / "results.sqlite"


def kill_oneself(parameters, rng):
    if parameters["a"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"value": rng.standard_normal()}


def write_much(parameters, rng):
    return {"value": "x" * 20_000}


def refused(capsys, *arguments, status):
    """Return the one line of a command that fails."""
    assert main(arguments) == status
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    return err


# --- what is no store


def foreign(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE results (name TEXT, mark INTEGER)")
    connection.execute("INSERT INTO results VALUES ('Ada', 1)")
    connection.commit()
    connection.close()


def beside(path):
    Store(path).__exit__()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE letters (text TEXT)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("make", [foreign, beside])
def test_a_database_of_something_else_is_refused_and_left_alone(store, make, capsys):
    make(store)
    before = store.read_bytes()
    with pytest.raises(ValueError, match=r"cannot serve as .* a database of something else"):
        run(PLAIN, store=store)
    assert store.read_bytes() == before
    assert "of something else" in refused(capsys, "status", "--store", str(store), status=2)
    assert [path.name for path in store.parent.iterdir()] == [store.name]


@pytest.mark.parametrize("damage", ["cut", "garbage at the end", "garbage at the front"])
def test_a_damaged_store_is_refused_in_one_line(store, damage, capsys):
    scales = {"quick": Scale(grid(a=[*range(40)]), 2)}
    run(replace(PLAIN, scales=scales, measure=write_much), store=store)
    content = bytearray(store.read_bytes())
    assert len(content) > 100_000
    if damage == "cut":
        content = content[: len(content) // 2]
    else:
        start = 50 if damage.endswith("front") else len(content) // 2
        content[start : start + 30_000] = np.random.default_rng(0).bytes(30_000)
    store.write_bytes(content)
    with pytest.raises(ValueError, match="cannot serve as a results store"):
        run(replace(PLAIN, scales=scales, measure=never), store=store)
    assert str(store) in refused(capsys, "status", "--store", str(store), status=2)


def test_a_stored_result_that_is_no_json_is_named(store):
    run(PLAIN, store=store)
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE results SET measured = '[{'")
    connection.close()
    with pytest.raises(StoreError, match=r"results\.sqlite is damaged"):
        run(PLAIN, store=store)


# --- what fails meanwhile


def run_with_little_disk(path, status):
    """Run in a process whose files cannot grow beyond a megabyte, as on a full disk."""
    code = (
        "import resource, signal, sys\n"
        "from dataclasses import replace\n"
        "from tests.experiments.engine.test_store import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
        "scales = {'quick': Scale(grid(a=[*range(200)]), 1)}\n"
        "registry.EXPERIMENTS['toy'] = replace(PLAIN, measure=write_much, scales=scales)\n"
        f"sys.exit(main(['run', 'toy', '--store', {str(path)!r}, '--output', 'out']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=path.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    return done.stderr


@ONLY_POSIX
def test_a_full_disk_is_one_line_and_what_was_finished_is_kept(store):
    error = run_with_little_disk(store, status=1)
    assert error.count("\n") == 1
    assert "results.sqlite cannot be written" in error
    assert "the same run resumes there" in error
    with Store(store) as results:
        kept = len(results.tasks("toy", 2))
    assert 10 < kept < 200
    scales = {"quick": Scale(grid(a=[*range(200)]), 1)}
    assert len(run(replace(PLAIN, measure=write_much, scales=scales), store=store)) == 200


@ONLY_POSIX
def test_a_killed_worker_is_one_line_and_what_was_finished_is_kept(store, capsys, monkeypatch):
    killed = replace(PLAIN, measure=kill_oneself)
    with pytest.raises(TaskError, match=r"a worker process was killed.* fewer jobs"):
        run(killed, jobs=2, store=store)
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", killed)
    line = ("run", "toy", "--jobs", "2", "--store", str(store), "--output", str(store.parent))
    assert "the same run resumes there" in refused(capsys, *line, status=1)
    assert len(run(PLAIN, store=store)) == 8


def run_two(path):
    """Two processes run the same experiment on the same store at once."""
    code = f"from {toys.__name__} import SLOW, run; "
    code += f"assert len(run(SLOW, store={str(path)!r})) == 600"
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(2)]
    return [process.wait(timeout=300) for process in both]


def test_two_writers_share_a_store(store):
    from tests.experiments.engine.test_run import SLOW

    assert run_two(store) == [0, 0]
    with Store(store) as results:
        assert results.versions() == [("toy", 2, 600 + 60)]
    assert run(replace(SLOW, measure=never, predict=never), store=store).equals(
        run(SLOW, store=":memory:")
    )


# --- what cannot be written

READ_IT = """
import sys
from pathlib import Path
from dataclasses import replace
from tests.experiments.engine.test_store import *
folder, killed = Path(sys.argv[1]), sys.argv[2] == "killed"
frame = run(replace(TOY, measure=never, predict=never), store=folder / "results.sqlite")
assert len(frame) == 12 and not os.access(folder, os.W_OK)
try:
    run(TOY, "paper", store=folder / "results.sqlite")
except ValueError as error:
    print(error)
registry.EXPERIMENTS["toy"] = TOY
where = ["--store", str(folder / "results.sqlite"), "--output"]
print(main(["status", *where[:2]]), main(["run", "toy", *where, sys.argv[3]]))
print(main(["run", "toy", *where, str(folder / "new")]))
"""


@ONLY_POSIX
@pytest.mark.parametrize("state", ["closed", "killed"])
def test_a_complete_store_is_read_where_nothing_can_be_written(tmp_path, state):
    """Also one that a killed run has left with its log beside it."""
    folder = tmp_path / "disk"
    if state == "closed":
        run(TOY, store=folder / "results.sqlite")
    else:
        code = (
            f"import os; from {toys.__name__} import TOY\n"
            "from rbmnotes.experiments.engine import run\n"
            "run._table = lambda *_: os._exit(0)\n"
            f"run.run(TOY, store={str(folder / 'results.sqlite')!r})"
        )
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    logs = {path.name for path in folder.iterdir()} - {"results.sqlite"}
    assert bool(logs) == (state == "killed")
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = run_with_rights_that_count(
        [sys.executable, "-c", READ_IT, folder, state, tmp_path / "out"], cwd=ROOT
    )
    folder.chmod(0o755)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"results.sqlite cannot be written, and 22 of 40 tasks are not in it", lines[0]
    )
    assert lines[-2:] == ["0 0", "2"]
    assert done.stderr.startswith(f"rbmnotes: --output {folder / 'new'}: Permission denied")
    assert done.stderr.count("\n") == 1
    assert {path.name for path in folder.iterdir()} - {"results.sqlite"} == logs


# --- a table and its manifest


@pytest.mark.parametrize("name", ["../toy", "a/b", "..", "", "/etc/toy", "a.b", "a\n"])
def test_names_do_not_lead_out_of_the_folder(name, tmp_path):
    with pytest.raises(ValueError, match=r"letters, digits, _ and -"):
        replace(TOY, name=name)
    with pytest.raises(ValueError, match=r"letters, digits, _ and -"):
        replace(TOY, scales={name: TOY.scales["quick"]})
    with pytest.raises(ValueError, match=r"letters, digits, _ and -"):
        read_exported(name, "quick", tmp_path)


def first_and_second(folder):
    """Two versions of one table, each in a folder of its own."""
    for version in (1, 2):
        experiment = replace(TOY, version=version)
        path = folder / f"{version}.sqlite"
        frame = run(experiment, store=path)
        export(experiment, "quick", frame, folder / str(version), path)
    return folder / "1", folder / "2"


class KilledError(BaseException):
    """Instead of a signal, at an exact place."""


def export_until(step, folder, store, monkeypatch):
    """Export the second version, and be killed before the given change of a file's name."""
    count, there = 0, Path.replace

    def change(self, target):
        nonlocal count
        count += 1
        if count == step:
            raise KilledError
        return there(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", change)
        try:
            export(TOY, "quick", run(TOY, store=store), folder, store)
        except KilledError:
            return True
    return False


def test_a_killed_export_leaves_a_pair_that_belongs_together(tmp_path, monkeypatch):
    first, second = first_and_second(tmp_path)
    expected = {1: read_exported("toy", "quick", first), 2: read_exported("toy", "quick", second)}
    seen, step = [], 1
    while True:
        folder = tmp_path / "here"
        shutil.copytree(first, folder)
        killed = export_until(step, folder, tmp_path / "2.sqlite", monkeypatch)
        frame, manifest = read_exported("toy", "quick", folder)
        seen.append(manifest["version"])
        assert frame.equals(expected[manifest["version"]][0])
        assert not export_until(0, folder, tmp_path / "2.sqlite", monkeypatch)
        assert sorted(p.name for p in folder.iterdir()) == ["toy-quick.csv", "toy-quick.json"]
        assert read_exported("toy", "quick", folder)[1]["version"] == 2
        shutil.rmtree(folder)
        if not killed:
            break
        step += 1
    assert seen == [1, 1, 2, 2]


def test_two_exports_of_one_table_at_once_end_well(tmp_path, monkeypatch):
    """The second comes between the table and the manifest of the first."""
    store, folder, there = tmp_path / "store", tmp_path / "out", exported._write
    frame = run(TOY, store=store)

    def write(path, text):
        there(path, text)
        if path.suffix == ".csv":
            monkeypatch.undo()
            export(TOY, "quick", frame, folder, store)

    monkeypatch.setattr(exported, "_write", write)
    export(TOY, "quick", frame, folder, store)
    assert read_exported("toy", "quick", folder)[0].equals(frame)
    assert sorted(p.name for p in folder.iterdir()) == ["toy-quick.csv", "toy-quick.json"]


def test_a_table_of_another_manifest_is_never_valid(tmp_path):
    first, second = first_and_second(tmp_path)
    shutil.copy(second / "toy-quick.csv", first)
    with pytest.raises(ValueError, match="is not the table its manifest describes"):
        read_exported("toy", "quick", first)
    (first / "toy-quick.json").write_text("{")
    with pytest.raises(ValueError, match="is not the table its manifest describes"):
        read_exported("toy", "quick", first)


def test_an_export_that_finds_no_space_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    store = tmp_path / "store"
    frame = run(TOY, store=store)
    monkeypatch.setattr(exported.os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*toy-quick\.json"):
        export(TOY, "quick", frame, tmp_path / "out", store)
    assert not list((tmp_path / "out").iterdir())


def test_a_store_in_memory_has_nothing_to_export(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", replace(TOY, measure=never))
    line = refused(capsys, "run", "toy", "--store", ":memory:", "--output", str(tmp_path), status=2)
    assert "--store :memory: keeps nothing that could be exported" in line
