"""Workers on other machines: those of a Dask scheduler."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rbmnotes.experiments.engine.store import package_versions


class ClusterError(RuntimeError):
    """A scheduler, or too many workers, that went away."""


@contextmanager
def dask_workers(scheduler: str, timeout: float = 10.0) -> Iterator[Callable]:
    """Connect to a scheduler, and give a function that runs tasks on its workers.

    ``finished(function, tasks)`` yields what the function returns for each task, as soon as it is
    ready, in any order. All is done by the workers: when the scheduler goes away nothing is done
    here instead.

    Parameters
    ----------
    scheduler : str
        Address, such as ``tcp://host:8786``.
    timeout : float
        Seconds to wait for the scheduler, and for its first worker.

    Raises
    ------
    ValueError
        If nothing answers at that address, or no worker can do the work as this process would: it
        needs the same packages and one thread (``dask worker ADDRESS --nthreads 1``).
    ClusterError
        If the scheduler goes away before the work is done, or a task was on three workers that
        died, one after the other.
    ModuleNotFoundError
        If Dask is not installed.
    """
    from distributed import CancelledError, Client, as_completed
    from distributed.scheduler import KilledWorker

    if not isinstance(scheduler, str) or not scheduler:
        raise ValueError(f"scheduler must be an address such as tcp://host:8786; got {scheduler!r}")

    def finished(function, tasks):
        # not pure: a task that failed before is tried again
        futures = client.map(function, tasks, pure=False)
        try:
            for future in as_completed(futures, loop=client.loop):
                yield future.result()
        except (CancelledError, OSError) as error:
            raise ClusterError(f"the Dask scheduler at {scheduler} went away") from error
        except KilledWorker as error:
            raise ClusterError(f"workers of {scheduler} died again and again: {error}") from error

    try:
        client = Client(scheduler, timeout=timeout, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"scheduler: no Dask scheduler answers at {scheduler}") from error
    with _silenced("distributed.client"), client:  # it logs a traceback when it loses connection
        _check_workers(client, scheduler, timeout)
        yield finished


@contextmanager
def _silenced(name):
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _check_workers(client, scheduler, timeout):
    try:
        client.wait_for_workers(1, timeout=timeout)
    except TimeoutError as error:
        raise ValueError(f"scheduler: {scheduler} has no workers") from error
    if busy := [name for name, count in client.nthreads().items() if count != 1]:
        # two tasks in one process would share numba's threads, and BLAS's
        raise ValueError(
            f"scheduler: workers must have one thread each (--nthreads 1); not so: {busy}"
        )
    here = package_versions()
    for name, there in client.run(_try_package_versions).items():
        if there != here:
            raise ValueError(f"scheduler: worker {name} has {there}, but this process {here}")


def _try_package_versions():
    """Return the versions, or in words why there are none."""
    try:
        return package_versions()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
