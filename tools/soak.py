"""Use the engine badly, again and again, and say what happens.

Usage: python tools/soak.py [--times 20] [--make-test 20] [TRIAL ...]

Every trial runs an experiment by the command line, in processes of their own, and prints a line;
one that ends otherwise than it should fails the whole. Trials: kills, kills-of-exports,
two-writers, damage, full-disk, read-only, dask-worker, dask-scheduler; by default all. With
``--make-test`` the tests are run so often in a row besides.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rbmnotes.__main__ import main as command_line  # noqa: E402
from rbmnotes.experiments import registry  # noqa: E402
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid  # noqa: E402
from rbmnotes.experiments.engine.exported import read_exported  # noqa: E402

KILL = "SOAK_KILL"
"""Environment variable: the process to kill at the point 7, how often at most, and a folder."""
RENAME = "SOAK_RENAME"
"""Environment variable: how many files may get their name before the process is killed."""
VERSION = "SOAK_VERSION"
"""Environment variable: version of the experiment."""


def measure(parameters, rng):
    """Return noise, slowly; kill a process meanwhile if the environment says so."""
    time.sleep(0.002)
    if parameters["a"] == 7 and KILL in os.environ:
        process, count, folder = os.environ[KILL].split(":", 2)
        if len(marks := [*Path(folder).glob("killed-*")]) < int(count):
            Path(folder, f"killed-{len(marks)}").touch()
            os.kill(int(process) or os.getpid(), signal.SIGKILL)
            time.sleep(30)
    return {"value": rng.standard_normal(), "text": "x" * 500}


SOAK = Experiment(
    name="soak",
    version=1,
    description="Noise, slowly",
    measure=measure,
    scales={"quick": Scale(grid(a=[*range(60)]), 5), "paper": Scale(grid(a=[*range(90)]), 5)},
)


def start(folder, *arguments, limit=None, **variables):
    """Start the command line in a process of its own."""
    line = ["run", "soak", "--store", f"{folder}/store", "--output", f"{folder}/out", *arguments]

    def limits():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-c", f"import sys, soak; sys.exit(soak.command({line!r}))"],
        cwd=ROOT / "tools",
        env=os.environ
        | {"PYTHONPATH": f"{ROOT / 'tools'}:{ROOT}", "TQDM_DISABLE": "1"}
        | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=None if limit is None else limits,
    )


def command(line):
    """Run the command line with this experiment among the others."""
    registry.EXPERIMENTS["soak"] = replace(SOAK, version=int(os.environ.get(VERSION, 1)))
    if RENAME in os.environ:
        left, rename = int(os.environ[RENAME]), Path.replace

        def rename_or_die(self, target):
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return rename(self, target)

        Path.replace = rename_or_die
    return command_line(line)


def demand(condition, what="another table"):
    """Raise, with what happened instead, unless the condition holds."""
    if not condition:
        raise AssertionError(what)


def finish(process) -> tuple[int, str]:
    """Return how a process ended and the one line it said, if any; a traceback is a failure."""
    try:
        _, error = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError("it hangs: nothing for ten minutes") from None
    demand(error.count("\n") <= 1, error)
    return process.returncode, error.strip()


def table(folder) -> bytes:
    """Return the exported table; raise if it and its manifest do not belong together."""
    read_exported("soak", "quick", folder / "out")
    return (folder / "out" / "soak-quick.csv").read_bytes()


def complete(folder) -> bytes:
    """Run to the end and return the table."""
    status, error = finish(start(folder))
    demand(status == 0, error)
    return table(folder)


def kills(folder, expected, times, rng) -> str:
    """Kill a run at random moments; at last the table is that of a run that was not."""
    ended = Counter()
    for _ in range(times):
        process = start(folder)
        while process.poll() is None and not (folder / "store").exists():
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.3))
        process.kill()
        process.communicate()
        ended[process.returncode] += 1
    demand(complete(folder) == expected)
    return f"{ended[-signal.SIGKILL]} of {times} killed; resumed to the same table"


def kills_of_exports(folder, expected, times, rng) -> str:
    """Kill exports over an older table, between any two of their steps: a whole pair is left."""
    seen = Counter()
    complete(folder)
    for trial in range(times):
        demand(finish(start(folder, **{VERSION: "2"})) == (0, ""))
        demand(table(folder) != expected, "versions do not differ")
        status, _ = finish(start(folder, **{RENAME: str(trial % 3)}))
        demand(status == -signal.SIGKILL, "not killed")
        seen["new" if table(folder) == expected else "old"] += 1
        demand(complete(folder) == expected)
    return f"{seen['old']} times the old table with its manifest, {seen['new']} times the new"


def two_writers(folder, expected, times, rng) -> str:
    """Two runs on one store at once; both end well."""
    for name in map(str, range(min(times, 3))):
        both = [start(folder / name), start(folder / name)]
        ends = [finish(process) for process in both]
        demand(ends == [(0, "")] * 2, ends)
        demand(table(folder / name) == expected)
    return "both end with the same table"


def damage(folder, expected, times, rng) -> str:
    """Cut a store, or write garbage into it: refused in one line, or nothing was hurt."""
    complete(folder)
    whole, outcomes = (folder / "store").read_bytes(), Counter()
    for trial in range(times):
        content = bytearray(whole)
        if trial % 2:
            content = content[: rng.integers(1, len(content))]
        else:
            place = int(rng.integers(len(content) - 200))
            content[place : place + 200] = rng.bytes(200)
        for path in folder.glob("store*"):
            path.unlink()
        (folder / "store").write_bytes(content)
        status, error = finish(start(folder))
        demand((status, bool(error)) in ((0, False), (1, True), (2, True)), (status, error))
        same = "the same table" if status == 0 and table(folder) == expected else "ANOTHER TABLE"
        outcomes["refused in one line" if status else same] += 1
    demand("ANOTHER TABLE" not in outcomes, outcomes)
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())


def full_disk(folder, expected, times, rng) -> str:
    """No file can grow beyond a size that is not enough: one line, and the rest later."""
    for size in rng.integers(20_000, 200_000, size=min(times, 5)):
        status, error = finish(start(folder, limit=int(size)))
        demand(status in (1, 2) and error, (status, error))
    demand(complete(folder) == expected)
    return f"one line ({error.partition(': ')[2][:60]}...); resumed to the same table"


def read_only(folder, expected, times, rng) -> str:
    """Read a complete store where nothing can be written; an incomplete one is refused."""
    complete(folder)
    store = folder / "disk" / "store"
    store.parent.mkdir()
    (folder / "store").rename(store)
    for path, mode in ((store, 0o444), (store.parent, 0o555)):
        path.chmod(mode)
    demand(finish(start(folder, "--store", str(store))) == (0, ""))
    demand(table(folder) == expected)
    status, error = finish(start(folder, "--store", str(store), "--scale", "paper"))
    store.parent.chmod(0o755)
    if os.access(store, os.W_OK):
        return "complete: read (as root, whom no file's rights stop: see the tests)"
    demand(status == 2 and "cannot be written, and 150 of 450 tasks" in error, error)
    return "complete: read; incomplete: refused in one line before any work"


CLUSTER = """
import distributed, os, sys
if __name__ == "__main__":
    victim = os.getpid() if sys.argv[1] == "scheduler" else 0
    os.environ["SOAK_KILL"] = f"{victim}:{sys.argv[2]}:{os.getcwd()}"
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


def with_cluster(folder, victim, count) -> tuple[int, str]:
    """Run on two workers of Dask's, of which, or of their scheduler, some are killed."""
    folder.mkdir(parents=True)
    (folder / "cluster.py").write_text(CLUSTER)
    cluster = subprocess.Popen(
        [sys.executable, "cluster.py", victim, str(count)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'tools'}:{ROOT}", "NUMBA_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        address = cluster.stdout.readline().strip()
        return finish(start(folder, "--backend", "dask", "--scheduler", address))
    finally:
        cluster.kill()
        cluster.communicate()


def dask_worker(folder, expected, times, rng) -> str:
    """Kill a worker once, which is replaced; then four, of one task, which is given up."""
    demand(with_cluster(folder / "once", "worker", 1) == (0, ""))
    demand(table(folder / "once") == expected)
    status, error = with_cluster(folder / "always", "worker", 99)
    demand(status == 1 and "died again and again" in error, error)
    demand(complete(folder / "always") == expected)
    return "killed once: the same table; killed by a task each time: one line, resumed"


def dask_scheduler(folder, expected, times, rng) -> str:
    """Kill the scheduler: nothing is done here instead."""
    status, error = with_cluster(folder, "scheduler", 1)
    demand(status == 1 and "went away" in error, error)
    demand(complete(folder) == expected)
    return "one line, resumed to the same table"


TRIALS = {
    trial.__name__.replace("_", "-"): trial
    for trial in (
        *(kills, kills_of_exports, two_writers, damage, full_disk, read_only),
        *(dask_worker, dask_scheduler),
    )
}


def main(arguments=None) -> int:
    """Run the trials; return zero if each ended as it should."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="kills, damages ... (default: 20)")
    parser.add_argument("--make-test", type=int, default=0, metavar="N", help="times in a row")
    parser.add_argument("trials", nargs="*", choices=[[], *TRIALS], metavar="TRIAL")
    options, failed = parser.parse_args(arguments), []
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        expected = complete(Path(folder, "undisturbed"))
        for name in options.trials or TRIALS:
            try:
                place = Path(folder, name)
                said = TRIALS[name](place, expected, options.times, np.random.default_rng(0))
            except AssertionError as error:
                failed.append(name)
                said = f"NOT AS IT SHOULD: {error}"
            print(f"{name}: {said}", flush=True)
    for number in range(options.make_test):
        begin = time.monotonic()
        good = subprocess.run(["make", "test"], cwd=ROOT, check=False).returncode == 0
        print(f"make test {number + 1}: {good}, {time.monotonic() - begin:.0f} s", flush=True)
        failed += [] if good else [f"make test {number + 1}"]
    print(f"failed: {', '.join(failed)}" if failed else "all as it should be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
