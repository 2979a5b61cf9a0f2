"""Workers on other machines: those of a Dask scheduler, through joblib."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from joblib import Parallel, parallel_config

from rbmnotes.experiments.store import package_versions


@contextmanager
def dask_workers(scheduler: str, timeout: float = 10.0) -> Iterator[Parallel]:
    """Connect to a scheduler, and give a :class:`joblib.Parallel` that runs tasks on its workers.

    Results come as soon as they are ready, in any order.

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
    ModuleNotFoundError
        If Dask is not installed.
    """
    from distributed import Client

    if not isinstance(scheduler, str) or not scheduler:
        raise ValueError(f"scheduler must be an address such as tcp://host:8786; got {scheduler!r}")
    try:
        client = Client(scheduler, timeout=timeout, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"scheduler: no Dask scheduler answers at {scheduler}") from error
    with client:
        _check_workers(client, scheduler, timeout)
        with parallel_config(backend="dask", client=client):
            # batches of one, or a finished task would wait for the rest of its batch
            parallel = Parallel(-1, return_as="generator_unordered", batch_size=1)
        yield parallel


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
