"""Run an experiment in parallel, here or on other machines: resumable, and always the same.

Every instance of every point is stored the moment it is finished, so a run that was killed goes on
where it stopped, and the table depends on nothing but the experiment.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from functools import cache, partial

import numba
import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits

from rbmnotes._validation import positive_integer
from rbmnotes.experiments.engine.cluster import ClusterError, dask_workers
from rbmnotes.experiments.engine.experiment import Experiment, canonical, seed_sequence
from rbmnotes.experiments.engine.progress import progress
from rbmnotes.experiments.engine.store import THEORY, Store, Task, store_path

_KEPT = "what was finished before is stored, and the same run resumes there"


class TaskError(RuntimeError):
    """A task, or the worker that did it, that failed; of a task the message names the seed."""


def run(
    experiment: Experiment, scale: str = "quick", jobs: int = 1, store=None, scheduler=None
) -> pd.DataFrame:
    """Run what is not stored yet, and return the whole table.

    Parameters
    ----------
    experiment : Experiment
    scale : str
        Name of one of its scales.
    jobs : int
        Number of worker processes, each with one thread; one job runs in this process.
    store : path, optional
        Results file; default :func:`rbmnotes.experiments.engine.store.store_path`. One that holds
        everything may be on a disk that cannot be written. ``":memory:"`` keeps nothing and so
        computes everything.
    scheduler : str, optional
        Address of a Dask scheduler; its workers do the work, and `jobs` must be one. Only this
        process writes to the store.

    Returns
    -------
    pandas.DataFrame
        One row a dict that `measure` returned, by grid and instance: parameters, ``instance``,
        measured columns, columns of theory. Parameters that are no scalars stand as JSON text.

    Raises
    ------
    ValueError
        If there is no such scale, `jobs` is not a positive integer, the store is no results
        file or lacks tasks and cannot be written, or two columns would have the same name; if
        the scheduler does not answer, or its workers have other packages or more than one thread.
    TaskError
        If measuring or predicting fails, a worker dies, or the scheduler does; what was finished
        before is stored.
    rbmnotes.experiments.engine.store.StoreError
        If the store can no longer be written, as on a full disk.
    """
    jobs, tasks = positive_integer(jobs, "jobs"), experiment.tasks(scale)
    if scheduler is not None and jobs != 1:
        raise ValueError(
            f"jobs must be 1 with a scheduler, which has workers of its own; got {jobs}"
        )
    with Store(store) as results:
        stored = results.tasks(experiment.name, experiment.version)
        pending = [task for task in tasks if task not in stored]
        if pending and not results.writable:
            raise ValueError(
                f"{store_path(store)} cannot be written, and {len(pending)} of {len(tasks)} tasks "
                "are not in it; give a store that can"
            )
        with closing(_outcomes(experiment, pending, jobs, scheduler)) as outcomes:
            done = len(tasks) - len(pending)
            for outcome in progress(outcomes, f"{experiment.name} {scale}", len(tasks), done):
                results.add(experiment.name, experiment.version, *outcome)
        return _table(experiment, scale, results.rows(experiment.name, experiment.version))


def _outcomes(experiment, tasks, jobs, scheduler) -> Iterator[tuple[Task, list[dict], float]]:
    """Do the tasks, and yield each with its rows and its seconds as soon as it is finished."""
    light = replace(experiment, scales={})  # what travels to the workers with every task
    if scheduler is not None:
        if tasks:
            with dask_workers(scheduler) as finished:
                try:
                    yield from finished(partial(_do_elsewhere, light), tasks)
                except ClusterError as error:
                    raise TaskError(f"{error}; {_KEPT}") from error
    elif jobs == 1:
        # as in the workers: how many threads share a sum decides its last digits
        with threadpool_limits(1):
            yield from (_do(light, task) for task in tasks)
    elif tasks:
        with parallel_config(backend="loky", inner_max_num_threads=1):
            # batches of one, or a finished task would wait for the rest of its batch
            parallel = Parallel(jobs, return_as="generator_unordered", batch_size=1)
        try:
            yield from parallel(delayed(_do)(light, task, os.getpid()) for task in tasks)
        except BrokenProcessPool as error:
            raise TaskError(
                f"a worker process was killed, which happens when memory runs out; {_KEPT}; "
                "fewer jobs need less memory"
            ) from error


def _do_elsewhere(experiment, task):
    """Do a task in a process that was not started with one thread."""
    numba.set_num_threads(1)
    with threadpool_limits(1):
        return _do(experiment, task)


def _do(experiment, task, parent=None):
    if parent is not None:
        _end_with(parent)
    parameters, start = json.loads(task.parameters), time.perf_counter()
    try:
        rows = repeat(experiment, parameters, task.instance)
    except Exception as error:
        what = f"{experiment.name} version {experiment.version} failed at {task.parameters}, "
        if task.instance == THEORY:
            what += "theory"
        else:
            seed = seed_sequence(experiment, parameters, task.instance)
            what += f"instance {task.instance} (seed {seed.entropy}, spawn key {seed.spawn_key})"
        what += f": {type(error).__name__}: {error}; {_KEPT}"
        raise TaskError(what) from error
    return task, rows, time.perf_counter() - start


def repeat(experiment: Experiment, parameters: dict, instance: int) -> list[dict]:
    """Return the rows of one instance, as a run would; `THEORY` for those of its theory."""
    if instance == THEORY:
        rows = [experiment.predict(parameters)]
    else:
        rng = np.random.default_rng(seed_sequence(experiment, parameters, instance))
        rows = experiment.measure(parameters, rng)
        rows = [rows] if isinstance(rows, Mapping) else list(rows)
    if not rows:
        raise ValueError("there must be at least one row: nothing may be dropped")
    return [_plain(row, taken={*parameters, "instance"}) for row in rows]


def _plain(row, taken):
    """Return a row with Python's own numbers, or raise if a value or a name will not do."""
    row = {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
    for name, value in row.items():
        if not isinstance(value, bool | int | float | str):
            raise ValueError(f"{name} must be a number, a boolean or a string; got {value!r}")
        if name in taken:
            raise ValueError(f"{name} is the name of a parameter or of the instance")
    return row


@cache
def _end_with(parent: int) -> None:
    """End this worker soon after the process that started it, which, killed, cannot tell it.

    An interrupt from the keyboard reaches both; it is for the other to answer.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _table(experiment, scale, stored) -> pd.DataFrame:
    chosen, table = experiment.scale(scale), []
    for point, count in zip(chosen.grid, chosen.instances, strict=True):
        key = canonical(point)
        cells = {k: canonical(v) if isinstance(v, list | dict) else v for k, v in point.items()}
        theory = stored[Task(key, THEORY)][0] if experiment.predict else {}
        for instance in range(count):
            for row in stored[Task(key, instance)]:
                if not theory.keys().isdisjoint(row):
                    names = ", ".join(theory.keys() & row.keys())
                    raise ValueError(f"{experiment.name} both measures and predicts {names}")
                table.append({**cells, "instance": instance, **row, **theory})
    return pd.DataFrame(table)
