"""The engine: the same table however it is run, interrupted and resumed; nothing stale is used."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rbmnotes as rn
from rbmnotes.experiments import registry
from rbmnotes.experiments.engine.experiment import ENTROPY, Experiment, Scale, grid, seed_sequence
from rbmnotes.experiments.engine.exported import export, read_exported
from rbmnotes.experiments.engine.run import TaskError, repeat, run
from rbmnotes.experiments.engine.store import THEORY, Store, Task, store_path
from tests.helpers import ROOT

ONLY_POSIX = pytest.mark.skipif(os.name == "nt", reason="needs fork and SIGKILL")


def measure(parameters, rng):
    value = parameters["a"] + rng.standard_normal()
    return {
        "value": value,
        "count": rng.integers(10),
        "above": bool(value > 1.0),
        "word": ['plain, with a comma and a "quote"', "NA"][rng.integers(2)],
        "log": float(np.log(value)) if value > 0 else float("nan"),
    }


def predict(parameters):
    return {"mean": np.float64(parameters["a"]), "pole": float("inf")}


def measure_slowly(parameters, rng):
    time.sleep(0.002)
    return measure(parameters, rng)


def measure_threads(parameters, rng):
    """A product whose last digits depend on how many threads share it."""
    left, right = rng.standard_normal((2000, 500)), rng.standard_normal((500, 7))
    return {"bytes": (left @ right).tobytes().hex()[:4000]}


def fail_at_three(parameters, rng):
    if parameters["a"] == 3:
        raise ArithmeticError("three is too much")
    return {"value": rng.standard_normal()}


def wait_for_the_others(parameters, rng):
    """At the first point, wait until the store holds all others."""
    deadline, seen = time.monotonic() + 30, 0
    while parameters["a"] == 0 and seen < 9 and time.monotonic() < deadline:
        time.sleep(0.02)
        with Store(parameters["store"]) as results:
            seen = len(results.tasks("toy", 2))
    return {"seen": seen}


def never(*_):
    raise AssertionError("measured again")


TOY = Experiment(
    name="toy",
    version=2,
    description="Noise around a",
    measure=measure,
    predict=predict,
    scales={
        "quick": Scale(grid(a=[3, 1, 2], tag=["x", "y"]), [2, 3, 1, 2, 2, 2]),
        "paper": Scale(grid(a=[1, 2, 3, 4], tag=["x", "y"]), 4),
    },
)
SLOW = replace(TOY, measure=measure_slowly, scales={"quick": Scale(grid(a=[*range(60)]), 10)})
PLAIN = replace(TOY, predict=None, scales={"quick": Scale(grid(a=[1, 2, 3, 4]), 2)})
THREADS = replace(PLAIN, measure=measure_threads, scales={"quick": Scale([{"a": 1}], 3)})


WITNESSES = json.loads((ROOT / "tests" / "experiments" / "witnesses.json").read_text("utf-8"))


@pytest.fixture
def store(tmp_path):
    return tmp_path / "deep" / "results.sqlite"


def stored(store, experiment=TOY):
    with Store(store) as results:
        return results.tasks(experiment.name, experiment.version)


# --- the table


def test_table_is_tidy_and_in_the_order_of_the_grid(store):
    frame = run(TOY, store=store)
    columns = ["a", "tag", "instance", "value", "count", "above", "word", "log", "mean", "pole"]
    assert list(frame) == columns
    order = list(frame[["a", "tag", "instance"]].itertuples(index=False, name=None))
    counts = zip(TOY.scales["quick"].grid, (2, 3, 1, 2, 2, 2), strict=True)
    assert order == [(p["a"], p["tag"], i) for p, count in counts for i in range(count)]
    assert (frame["mean"] == frame["a"]).all()
    kinds = [frame[name].dtype.kind for name in ("a", "value", "count", "above")]
    assert kinds == ["i", "f", "i", "b"]


def test_one_and_two_workers_give_the_same_table(tmp_path):
    one, two = (run(TOY, jobs=jobs, store=tmp_path / f"{jobs}") for jobs in (1, 2))
    assert one.equals(two)
    assert one.to_csv() == two.to_csv()


def test_one_and_two_workers_agree_where_threads_decide_the_last_digits():
    """In a process of its own, since this one has been told to use one thread."""
    code = (
        "from tests.experiments.engine.test_run import THREADS, run\n"
        "frames = [run(THREADS, jobs=jobs, store=':memory:') for jobs in (1, 2)]\n"
        "assert frames[0].equals(frames[1])"
    )
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=free, check=True)


def test_several_rows_an_instance(store):
    def two_rows(parameters, rng):
        return [{"quantity": name, "value": rng.standard_normal()} for name in ("p", "q")]

    frame = run(replace(PLAIN, measure=two_rows), store=store)
    assert list(frame["quantity"]) == ["p", "q"] * 8
    assert list(frame["instance"]) == [0, 0, 1, 1] * 4


def test_parameters_that_are_no_scalars_stand_as_text(store):
    seen = []

    def keep(parameters, rng):
        seen.append(parameters)
        return {"value": 0}

    scales = {"quick": Scale([{"snr": (1.5, 2.0)}], 1)}
    frame = run(replace(PLAIN, measure=keep, scales=scales), store=store)
    assert seen == [{"snr": [1.5, 2.0]}]
    assert frame["snr"][0] == "[1.5,2.0]"


# --- seeds


def test_seeds_are_spawned_and_depend_on_every_part():
    point = {"a": 1, "tag": "x"}
    words = seed_sequence(TOY, point, 0).spawn_key[:-1]
    children = np.random.SeedSequence(ENTROPY, spawn_key=words).spawn(3)
    states = [tuple(seed_sequence(TOY, point, i).generate_state(4)) for i in range(3)]
    assert states == [tuple(child.generate_state(4)) for child in children]
    others = [
        seed_sequence(replace(TOY, version=3), point, 0),
        seed_sequence(replace(TOY, name="other"), point, 0),
        seed_sequence(TOY, {**point, "a": 2}, 0),
    ]
    assert len({*states, *(tuple(seed.generate_state(4)) for seed in others)}) == 6


def test_seed_rule_stays_what_it_is():
    """Numbers written down once: another rule would make every stored result irreproducible."""
    state = seed_sequence(TOY, {"a": 1, "tag": "x"}, 1).generate_state(2)
    assert state.tolist() == [4081181058, 2430451982]


def test_order_of_parameters_is_irrelevant(store):
    run(TOY, store=store)
    turned = [dict(reversed(point.items())) for point in TOY.scales["quick"].grid]
    scale = Scale(turned, TOY.scales["quick"].instances)
    again = run(replace(TOY, measure=never, predict=never, scales={"quick": scale}), store=store)
    assert again[list(run(TOY, store=store))].equals(run(TOY, store=store))


def test_values_depend_neither_on_the_order_of_the_grid_nor_on_the_scale(tmp_path):
    index = ["a", "tag", "instance"]
    quick = run(TOY, "quick", store=tmp_path / "quick").set_index(index)
    paper = run(TOY, "paper", store=tmp_path / "paper").set_index(index)
    assert paper.loc[quick.index].equals(quick)


# --- resuming


def test_a_second_run_measures_nothing(store):
    first = run(TOY, store=store)
    assert run(replace(TOY, measure=never, predict=never), store=store).equals(first)


def test_a_larger_scale_measures_only_what_is_missing(store):
    calls = []

    def counted(parameters, rng):
        calls.append(parameters)
        return measure(parameters, rng)

    experiment = replace(TOY, measure=counted)
    run(experiment, "quick", store=store)
    run(experiment, "paper", store=store)
    assert len(calls) == 4 * 8  # all of quick's 12 are among them


def test_a_new_version_is_measured_anew_and_the_old_one_kept(store):
    old = run(TOY, store=store)
    new = run(replace(TOY, version=3), store=store)
    assert not new["value"].isin(old["value"]).any()
    assert run(replace(TOY, measure=never, predict=never), store=store).equals(old)
    with Store(store) as results:
        assert results.versions() == [("toy", 2, 18), ("toy", 3, 18)]


def test_a_store_in_memory_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(TOY, store=":memory:").equals(run(TOY, store=":memory:"))
    assert not list(tmp_path.iterdir())


def test_what_is_finished_is_stored_at_once(store):
    scales = {"quick": Scale(grid(a=[*range(10)], store=[str(store)]), 1)}
    frame = run(replace(PLAIN, measure=wait_for_the_others, scales=scales), jobs=2, store=store)
    assert frame["seen"][0] == 9


def test_a_stored_task_stays_as_it_is(store):
    with Store(store) as results:
        for value in (1.0, 2.0):
            results.add("toy", 2, Task("{}", 0), [{"value": value}], value)
        assert results.rows("toy", 2) == {Task("{}", 0): [{"value": 1.0}]}


def kill_often(path, n_kills):
    """Start the slow experiment again and again; kill each attempt at a random moment of it.

    Moments are told by what the attempt has stored, from nothing to 20 tasks more, and then some
    random milliseconds, so that a busy machine does not move them all to its start.
    """
    rng, killed, last = np.random.default_rng(7), 0, 0
    for more, delay in zip(
        rng.integers(21, size=n_kills), rng.uniform(0, 6e-3, n_kills), strict=True
    ):
        child = os.fork()
        if child == 0:
            run(SLOW, store=path)
            os._exit(0)
        while more and len(stored(path, SLOW)) < last + more:
            time.sleep(1e-3)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        last = len(stored(path, SLOW))
        print(killed, last)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("uninterrupted")
    frame = run(SLOW, store=path / "store")
    return frame, export(SLOW, "quick", frame, path, path / "store").read_bytes()


@ONLY_POSIX
def test_killed_at_20_random_moments(tmp_path, uninterrupted):
    code = f"from {__name__} import kill_often; kill_often({str(tmp_path / 'store')!r}, 20)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    progress = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    total = len(SLOW.tasks("quick"))
    assert [killed for killed, _ in progress] == [*range(1, 21)], "one was over before its time"
    assert len({count for _, count in progress}) > 15
    assert 100 < progress[-1][1] < total
    with sqlite3.connect(tmp_path / "store") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()

    frame = run(SLOW, store=tmp_path / "store")
    assert frame.equals(uninterrupted[0])
    exported = export(SLOW, "quick", frame, tmp_path, tmp_path / "store")
    assert exported.read_bytes() == uninterrupted[1]


@ONLY_POSIX
def test_killed_with_two_workers(tmp_path, uninterrupted):
    """The workers of a killed run end by themselves; another run goes on."""
    psutil = pytest.importorskip("psutil")
    path = tmp_path / "store"
    code = f"from {__name__} import SLOW, run; run(SLOW, jobs=2, store={str(path)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 60
    while not path.exists() or len(stored(path, SLOW)) < 20:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert len(workers) >= 2
    left = workers
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = [w for w in left if w.is_running() and w.status() != psutil.STATUS_ZOMBIE]
    assert not left
    assert len(stored(path, SLOW)) < len(SLOW.tasks("quick"))
    assert run(SLOW, store=path).equals(uninterrupted[0])


# --- failures


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failing_point_names_itself_and_keeps_the_others(store, jobs):
    experiment = replace(PLAIN, measure=fail_at_three)
    with pytest.raises(TaskError, match="three is too much") as caught:
        run(experiment, jobs=jobs, store=store)
    seed = seed_sequence(experiment, {"a": 3}, 0)
    for part in ("toy version 2", '{"a":3}', "instance ", f"{seed.entropy}", f"{words(seed)}"):
        assert part in str(caught.value)
    with pytest.raises(ArithmeticError):
        repeat(experiment, {"a": 3}, 0)
    with Store(store) as results:
        kept = results.rows("toy", 2)
    finished = {json.loads(task.parameters)["a"] for task in kept}
    assert finished == {1, 2} if jobs == 1 else 3 not in finished

    assert len(run(PLAIN, store=store)) == 8  # once it is mended
    with Store(store) as results:
        after = results.rows("toy", 2)
    assert {task: after[task] for task in kept} == kept


def words(seed):
    return ", ".join(map(str, seed.spawn_key[:-1]))


def test_failing_theory_names_its_point(store):
    with pytest.raises(TaskError, match=r'"a":3,"tag":"x"\}, theory: AssertionError'):
        run(replace(TOY, predict=never), store=store)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"value": None}, "value must be a number"),
        ({"value": np.zeros(2)}, "value must be a number"),
        ({"value": 1j}, "value must be a number"),
        ({"a": 1.0}, "a is the name of a parameter"),
        ({"instance": 1}, "instance is the name"),
        ([], "at least one row"),
    ],
)
def test_unsuitable_results_are_refused(store, result, message):
    with pytest.raises(TaskError, match=message):
        run(replace(PLAIN, measure=lambda parameters, rng: result), store=store)


def test_theory_and_measurement_must_not_share_a_name(store):
    with pytest.raises(ValueError, match="both measures and predicts value"):
        run(replace(TOY, predict=lambda parameters: {"value": 1.0}), store=store)


@pytest.mark.parametrize(
    ("points", "instances", "message"),
    [
        ([], 1, "at least one point"),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], 1, "none twice"),
        ([{"a": np.int64(1)}], 1, "plain JSON"),
        ([{"a": float("nan")}], 1, "plain JSON"),
        ([{"a": 1}, {"a": 2}], [1], "one or 2 numbers"),
        ([{"a": 1}], 0, "instances must be an integer of at least 1"),
        ([{"a": 1}], 1.5, "instances must be an integer of at least 1"),
    ],
)
def test_unsuitable_scales_are_refused(points, instances, message):
    with pytest.raises(ValueError, match=message):
        Scale(points, instances)


def test_bad_arguments_of_a_run(store, tmp_path):
    with pytest.raises(ValueError, match=r"no scale 'big'; it has: quick, paper"):
        run(TOY, "big", store=store)
    with pytest.raises(ValueError, match="jobs must be an integer of at least 1"):
        run(TOY, jobs=0, store=store)
    with pytest.raises(ValueError, match="version must be an integer"):
        replace(TOY, version=1.5)
    other = tmp_path / "letter.txt"
    other.write_text("Dear reader, this is no database but a letter. " * 50)
    with pytest.raises(ValueError, match=r"letter\.txt cannot serve as a results store"):
        run(TOY, store=other)


def test_where_the_store_is(monkeypatch):
    monkeypatch.delenv("RBMNOTES_STORE", raising=False)
    assert store_path() == Path(".rbmnotes/results.sqlite")
    monkeypatch.setenv("RBMNOTES_STORE", "elsewhere")
    assert store_path() == Path("elsewhere")
    assert store_path("here") == Path("here")


# --- what is exported


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", TOY)


def exported(folder, store, scale="quick"):
    frame = run(TOY, scale, store=store)
    return frame, export(TOY, scale, frame, folder, store)


def test_export_round_trip(tmp_path, store, registered):
    frame, path = exported(tmp_path, store, "paper")
    assert {"NA"} < set(frame["word"])
    assert frame["log"].isna().any()
    loaded, manifest = read_exported("toy", "paper", tmp_path)
    pd.testing.assert_frame_equal(loaded, frame, check_exact=True)
    assert registry.load_results("toy", "paper", tmp_path).equals(frame)
    assert path == tmp_path / "toy-paper.csv"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep", path.name, "toy-paper.json"]
    assert manifest["rows"] == len(frame) == 32
    assert manifest["version"] == 2
    assert manifest["grid"] == [*TOY.scales["paper"].grid]
    assert manifest["instances"] == [4] * 8
    assert manifest["wall_time_seconds"] >= 0
    assert str(ENTROPY) in manifest["seeds"]
    (packages,) = manifest["packages"]
    assert packages["rbmnotes"] == rn.__version__
    assert set(packages) == {"python", "rbmnotes", "numpy", "scipy", "numba"}


def test_export_says_nothing_of_the_machine(tmp_path, store):
    _, path = exported(tmp_path, store)
    text = path.read_text() + path.with_suffix(".json").read_text()
    names = {os.uname().nodename, str(Path.home()), str(tmp_path)} if os.name != "nt" else set()
    assert not [name for name in names if len(name) > 3 and name in text]


def test_exported_csv_is_the_same_wherever_it_was_run(tmp_path):
    texts = [exported(tmp_path / s, tmp_path / f"{s}.sqlite")[1].read_bytes() for s in "ab"]
    assert texts[0] == texts[1]
    assert b"\r" not in texts[0]


def test_unfinished_results_are_not_exported(tmp_path, store):
    frame = run(TOY, store=store)
    with pytest.raises(ValueError, match=r"22 of 40 tasks are not in .*results\.sqlite"):
        export(TOY, "paper", frame, tmp_path, store)


def test_a_table_that_would_not_read_back_is_not_exported(tmp_path, store):
    scales = {"quick": Scale([{"a": 1, "tag": "x"}, {"a": 2}], 1)}
    experiment = replace(TOY, scales=scales)
    frame = run(experiment, store=store)
    with pytest.raises(ValueError, match="a missing text or boolean"):
        export(experiment, "quick", frame, tmp_path, store)
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]


def test_stale_results_are_not_loaded(tmp_path, store, monkeypatch, registered):
    _, path = exported(tmp_path, store)
    for version in (1, 3):
        monkeypatch.setitem(registry.EXPERIMENTS, "toy", replace(TOY, version=version))
        with pytest.raises(ValueError, match=f"of version 2, the code of version {version}"):
            registry.load_results("toy", "quick", tmp_path)
    scales = {"quick": Scale(TOY.scales["quick"].grid, 2)}
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", replace(TOY, scales=scales))
    with pytest.raises(ValueError, match="has another grid; run python -m rbmnotes run toy"):
        registry.load_results("toy", "quick", tmp_path)
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", TOY)
    path.write_text(path.read_text().replace("x", "z", 1))
    with pytest.raises(ValueError, match=r"toy-quick\.csv is not the table its manifest"):
        registry.load_results("toy", "quick", tmp_path)
    with pytest.raises(ValueError, match="no stored result toy-paper"):
        registry.load_results("toy", "paper", tmp_path)


def test_results_are_found_from_the_root_and_from_the_book(
    tmp_path, store, monkeypatch, registered
):
    monkeypatch.chdir(tmp_path)
    frame, path = exported(None, store)
    assert path == Path("book/results/toy-quick.csv")
    assert registry.load_results("toy", "quick").equals(frame)
    monkeypatch.chdir(tmp_path / "book")
    assert registry.load_results("toy", "quick").equals(frame)


def test_committed_results_are_those_of_the_code():
    for path in sorted((ROOT / "book" / "results").glob("*.json")):
        name, scale = path.stem.rsplit("-", 1)
        assert len(registry.load_results(name, scale, path.parent)), path.name


# --- the registry


def test_every_experiment_has_both_scales_and_its_own_name():
    for name, experiment in registry.EXPERIMENTS.items():
        assert experiment.name == name
        assert list(experiment.scales) == ["quick", "paper"]
        assert experiment.description
    figures = [e.figure for e in registry.EXPERIMENTS.values() if e.figure is not None]
    assert len(set(figures)) == len(figures)


@pytest.mark.parametrize("name", sorted(registry.EXPERIMENTS.keys() - WITNESSES.keys()))
def test_every_experiment_runs_at_its_first_point(name, store):
    """Those with a witness run at theirs in test_stored_rows."""
    experiment = registry.experiment(name)
    first = experiment.scale("quick").grid[0]
    frame = run(replace(experiment, scales={"one": Scale([first], 2)}), "one", store=store)
    assert sorted(frame["instance"].unique()) == [0, 1]


def test_pca_is_measured_beside_its_theory():
    point = {"alpha": 4.0, "snr": 2.0, "r": 1, "d": 200}
    point |= {"prior": "Rademacher", "channel": "s + z"}
    (row,) = repeat(registry.experiment("pca"), point, 0)
    (theory,) = repeat(registry.experiment("pca"), point, THEORY)
    assert theory["overlap_w_theory"] == pytest.approx(rn.pca_overlap(4.0, 2.0), rel=1e-12)
    assert row["overlap_w"] == pytest.approx(theory["overlap_w_theory"], abs=0.05)
    assert row["overlap_u"] == pytest.approx(theory["overlap_u_theory"], abs=0.05)
    assert row["eigenvalue"] == pytest.approx(theory["eigenvalue_theory"], rel=0.1)


def test_theorem_1_is_measured_beside_its_theory():
    point = {"scenario": "Bernoulli hidden, biases", "d": 3000}
    (row,) = repeat(registry.experiment("theorem1"), point, 0)
    for quantity in ("log_likelihood", "W", "visible_bias", "hidden_bias"):
        assert row[f"error_{quantity}"] == pytest.approx(row[f"leading_{quantity}"], rel=0.02)


def test_unknown_names_and_figures(monkeypatch):
    with pytest.raises(
        ValueError, match="unknown experiment 'nope'; choose from theorem1, training"
    ):
        registry.experiment("nope")
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", replace(TOY, figure=99))
    assert registry.figure(99).name == "toy"
    with pytest.raises(ValueError, match="figure 98 has no experiment yet"):
        registry.figure(98)
