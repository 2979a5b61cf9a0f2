"""The engine on a Dask cluster: two real worker processes, and the same table as one job here."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rbmnotes.__main__ import main
from rbmnotes.experiments import registry
from rbmnotes.experiments.engine.cluster import dask_workers
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.experiments.engine.run import TaskError, run
from rbmnotes.experiments.engine.store import Store, package_versions
from tests.helpers import ROOT

ONLY_POSIX = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")


def measure(parameters, rng):
    """A product whose last digits depend on how many threads share it, and where it was done."""
    if parameters["a"] == 3:
        raise ArithmeticError("three is too much")
    left, right = rng.standard_normal((2000, 500)), rng.standard_normal((500, 7))
    return {"bytes": (left @ right).tobytes().hex()[:400]}


def predict(parameters):
    return {"worker": distributed.get_worker().address}


TOY = Experiment(
    name="toy",
    version=1,
    description="On a cluster",
    measure=measure,
    scales={"quick": Scale(grid(a=[1, 2]), 4), "paper": Scale(grid(a=[1, 2, 3]), 4)},
)
WHERE = Experiment(
    name="where",
    version=1,
    description="Which worker did it",
    measure=lambda parameters, rng: {"value": rng.standard_normal()},
    predict=predict,
    scales={"quick": Scale(grid(a=[*range(20)]), 1)},
)


def local_cluster(workers, threads=1):
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=threads,
        dashboard_address=":0",
        host="127.0.0.1",
        silence_logs="ERROR",
    )


@pytest.fixture(scope="module")
def scheduler():
    with local_cluster(2) as cluster:
        yield cluster.scheduler_address


def test_two_workers_make_the_table_of_one_job(scheduler, tmp_path):
    for experiment in (TOY, registry.experiment("pca")):
        here = run(experiment, store=tmp_path / "here")
        there = run(experiment, store=tmp_path / "there", scheduler=scheduler)
        assert here.to_csv() == there.to_csv()


def test_both_workers_work(scheduler, tmp_path):
    frame = run(WHERE, store=tmp_path / "store", scheduler=scheduler)
    assert frame["worker"].nunique() == 2


def test_a_failing_task_is_named_and_the_others_resume(scheduler, tmp_path):
    store = tmp_path / "store"
    run(TOY, store=store, scheduler=scheduler)
    with pytest.raises(TaskError, match=r'toy version 1 failed at \{"a":3\}, instance \d'):
        run(TOY, "paper", store=store, scheduler=scheduler)
    with Store(store) as results:
        assert len(results.tasks("toy", 1)) >= 8
    # nothing is left to do: no scheduler is asked
    assert run(TOY, store=store, scheduler="tcp://127.0.0.1:1").equals(run(TOY, store=":memory:"))


def measure_and_kill(parameters, rng):
    """At the fifth point kill the process named, once; say who did the work."""
    if parameters["a"] == 5:
        flag = Path(parameters["flag"])
        if not flag.exists():
            flag.touch()
            os.kill(parameters["pid"] or os.getpid(), signal.SIGKILL)
            time.sleep(60)
    return {"done_by": os.getpid()}


def killing(tmp_path, pid):
    points = grid(a=[*range(12)], flag=[str(tmp_path / "flag")], pid=[pid])
    return replace(TOY, measure=measure_and_kill, scales={"quick": Scale(points, 1)})


@ONLY_POSIX
def test_a_killed_worker_is_replaced_and_no_row_is_lost(scheduler, tmp_path):
    frame = run(killing(tmp_path, 0), store=tmp_path / "store", scheduler=scheduler)
    assert [*frame["a"]] == [*range(12)]
    assert os.getpid() not in set(frame["done_by"])
    assert (tmp_path / "flag").exists()


SCHEDULER = """
import distributed, sys
if __name__ == "__main__":
    options = dict(n_workers=1, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1")
    with distributed.LocalCluster(**options, silence_logs="ERROR") as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@ONLY_POSIX
def test_when_the_scheduler_dies_nothing_is_done_here_instead(tmp_path, monkeypatch, capsys):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    script = tmp_path / "scheduler.py"
    script.write_text(SCHEDULER)
    process = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
    address = process.stdout.readline().strip()
    experiment = killing(tmp_path, process.pid)
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", experiment)
    where = ["--store", str(tmp_path / "store"), "--output", str(tmp_path)]
    assert main(["run", "toy", "--backend", "dask", "--scheduler", address, *where]) == 1
    assert process.wait(timeout=60) == -signal.SIGKILL
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"rbmnotes: the Dask scheduler at {address} went away")
    with Store(tmp_path / "store") as results:
        rows = results.rows("toy", 1)
    assert 1 <= len(rows) < 12
    assert os.getpid() not in {row["done_by"] for (row,) in rows.values()}
    assert len(run(experiment, store=tmp_path / "store")) == 12  # what is left, here, when told so


def test_command_line(scheduler, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", TOY)
    where = ["--store", str(tmp_path / "store"), "--output", str(tmp_path)]
    cluster = ["--backend", "dask", "--scheduler", scheduler]
    assert main(["run", "toy", *cluster, *where]) == 0
    assert "8 rows" in capsys.readouterr().out
    for half in (cluster[:2], cluster[2:]):
        assert main(["run", "toy", *half, *where]) == 2
        assert "--backend dask and --scheduler ADDRESS belong together" in capsys.readouterr().err


# --- bad input


def test_jobs_beside_a_scheduler(scheduler, tmp_path):
    with pytest.raises(ValueError, match=r"^jobs must be 1 with a scheduler.*got 2"):
        run(TOY, jobs=2, store=tmp_path / "store", scheduler=scheduler)


@pytest.mark.parametrize("scheduler", ["", 8786, "tcp//nowhere"])
def test_an_address_that_is_none(scheduler, tmp_path):
    with pytest.raises(ValueError, match=r"^scheduler"):
        run(TOY, store=tmp_path / "store", scheduler=scheduler)


def test_nobody_answers():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with (
        pytest.raises(ValueError, match=f"^scheduler: no Dask scheduler answers at {address}"),
        dask_workers(address, timeout=0.5),
    ):
        pass


def test_no_workers():
    with (
        local_cluster(0) as cluster,
        pytest.raises(ValueError, match=r"^scheduler: .* has no workers"),
        dask_workers(cluster.scheduler_address, timeout=0.5),
    ):
        pass


def test_workers_with_two_threads():
    with (
        local_cluster(1, threads=2) as cluster,
        pytest.raises(ValueError, match=r"^scheduler: workers must have one thread each"),
        dask_workers(cluster.scheduler_address),
    ):
        pass


def test_workers_with_other_packages(scheduler, monkeypatch):
    other = package_versions() | {"numpy": "1.0"}
    monkeypatch.setattr("rbmnotes.experiments.engine.cluster.package_versions", lambda: other)
    with (
        pytest.raises(ValueError, match=r"^scheduler: worker .*" + re.escape("'numpy': '1.0'")),
        dask_workers(scheduler),
    ):
        pass
