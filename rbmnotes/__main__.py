"""Run the experiments behind the book, see what is stored, and predict overlaps."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import rbmnotes as rn

if TYPE_CHECKING:
    from rbmnotes.experiments.engine.experiment import Experiment

SCALES = ("quick", "paper")
MOST_JOBS = max(8, 4 * (os.cpu_count() or 1))
"""More worker processes, each with one thread, only take each other's memory."""
DEBUG_VARIABLE = "RBMNOTES_DEBUG"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line."""
        self.exit(2, f"{self.prog}: {_one_line(message)} (see --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; whatever goes wrong is told in one line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process if absent.

    Returns
    -------
    int
        Exit status: zero; two after bad input; one if the work failed, here or in a worker; 130
        when interrupted; 141 if nobody reads what is printed. With the environment variable
        ``RBMNOTES_DEBUG`` errors are raised instead.
    """
    try:
        try:
            options = _parser().parse_args(arguments)
            status = options.command(options)
        finally:
            _flush()
        return status
    except KeyboardInterrupt:
        message, status = "interrupted", 130
    except BrokenPipeError:
        return 141
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        message, status = _explain(error)
    print(f"rbmnotes: {_one_line(message)}", file=sys.stderr)
    return status


def _explain(error: Exception) -> tuple[str, int]:
    """Return what to say about an error, and the exit status."""
    if isinstance(error, ImportError):
        name = (error.name or "").partition(".")[0]
        extra = "cluster" if name in ("distributed", "dask") else "book"
        return f"this command needs {name or error}: pip install 'rbmnotes[{extra}]'", 2
    if isinstance(error, OSError):
        # what cannot be printed does not say where
        where = error.filename or ("standard output" if error.errno == errno.ENOSPC else "")
        return f"{where}: {error.strerror or error}".removeprefix(": "), 1
    if isinstance(error, ValueError):
        return str(error), 2
    if isinstance(error, RuntimeError):
        return str(error), 1
    if isinstance(error, MemoryError):
        return f"out of memory: {error}", 1
    return f"unexpected {type(error).__name__}: {error} ({DEBUG_VARIABLE}=1 shows where)", 1


def _one_line(message: object) -> str:
    """Return a message without line breaks, and no longer than a screen."""
    line = " ".join(str(message).split())
    return line if len(line) <= 1000 else f"{line[:500]} ... {line[-400:]}"


def _flush() -> None:
    """Print what waits, now: a full disk or a closed pipe would show too late to tell."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):  # a stream that is no file
            # what is left goes nowhere, or the interpreter would complain at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OSError(error.errno, error.strerror, "standard output") from error


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m rbmnotes", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], int], summary: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(command=command)
        return added

    add("list", _list, "list the experiments")
    for name, command, argument, summary in (
        ("run", _run, {"dest": "name", "metavar": "NAME"}, "run or resume an experiment"),
        ("figure", _figure, {"dest": "number", "metavar": "N", "type": int}, "the same by figure"),
    ):
        added = add(name, command, f"{summary}, and export its table")
        added.add_argument(**argument)
        added.add_argument("--scale", choices=SCALES, default="quick", help="default: quick")
        added.add_argument("--jobs", type=_jobs, default=1, metavar="N", help="worker processes")
        added.add_argument(
            "--backend", choices=("loky", "dask"), default="loky", help="workers here, or Dask's"
        )
        added.add_argument(
            "--scheduler", metavar="ADDRESS", help="of Dask, such as tcp://host:8786"
        )
        added.add_argument("--output", metavar="FOLDER", help="default: book/results")
        _add_store(added)
    _add_store(add("status", _status, "show how much of each experiment is stored"))
    added = add("predict", _predict, "print what theory says about one signal")
    added.add_argument("--alpha", type=float, required=True, help="samples over dimension")
    added.add_argument("--snr", type=float, required=True, help="signal strength")
    return parser


def _add_store(parser: argparse.ArgumentParser) -> None:
    help_text = "SQLite file; default: $RBMNOTES_STORE or .rbmnotes/results.sqlite"
    parser.add_argument("--store", metavar="FILE", help=help_text)


def _jobs(text: str) -> int:
    if not (text.isdecimal() and len(text) < 10 and 1 <= int(text) <= MOST_JOBS):
        raise argparse.ArgumentTypeError(f"must be an integer from 1 to {MOST_JOBS}; got {text!r}")
    return int(text)


# The experiments need more than the core's dependencies: imported where they are used.


def _list(_: argparse.Namespace) -> int:
    from rbmnotes.experiments.registry import EXPERIMENTS

    for experiment in EXPERIMENTS.values():
        sizes = ", ".join(
            f"{scale} ({len(experiment.tasks(scale))})" for scale in experiment.scales
        )
        alias = "" if experiment.figure is None else f"; figure {experiment.figure}"
        print(f"{experiment.name}, version {experiment.version}{alias}: {experiment.description}")
        print(f"    scales and their tasks: {sizes}")
    return 0


def _run(options: argparse.Namespace) -> int:
    from rbmnotes.experiments import registry

    return _run_and_export(registry.experiment(options.name), options)


def _figure(options: argparse.Namespace) -> int:
    from rbmnotes.experiments import registry

    return _run_and_export(registry.figure(options.number), options)


def _run_and_export(experiment: Experiment, options: argparse.Namespace) -> int:
    from rbmnotes.experiments.engine.exported import export, results_folder
    from rbmnotes.experiments.engine.run import run

    if (options.backend == "dask") != (options.scheduler is not None):
        raise ValueError("--backend dask and --scheduler ADDRESS belong together")
    if options.store == ":memory:":
        raise ValueError("--store :memory: keeps nothing that could be exported; name a file")
    folder = _writable(results_folder() if options.output is None else Path(options.output))
    try:
        frame = run(experiment, options.scale, options.jobs, options.store, options.scheduler)
    except KeyboardInterrupt:
        print("interrupted; what is finished is stored, the same command resumes", file=sys.stderr)
        return 130
    path = export(experiment, options.scale, frame, folder, options.store)
    print(f"{path}: {len(frame)} rows")
    return 0


def _writable(folder: Path) -> Path:
    """Return a folder to write to, or raise before the work starts rather than after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(None, "it cannot be written")
    except OSError as error:
        raise ValueError(f"--output {folder}: {error.strerror}; name another folder") from error
    return folder


def _status(options: argparse.Namespace) -> int:
    from rbmnotes.experiments.engine.store import Store, store_path
    from rbmnotes.experiments.registry import EXPERIMENTS

    path = store_path(options.store)
    if not path.exists():  # do not make one just to look into it
        print(f"nothing is stored in {path} yet")
        return 0
    with Store(path) as store:
        for experiment in EXPERIMENTS.values():
            stored = store.tasks(experiment.name, experiment.version)
            for scale in experiment.scales:
                tasks = experiment.tasks(scale)
                done = f"{len(stored.intersection(tasks))} of {len(tasks)} tasks"
                print(f"{experiment.name:12s} version {experiment.version}  {scale:6s} {done}")
        for name, version, count in store.versions():
            if name not in EXPERIMENTS:
                print(f"{name:12s} version {version}  {count} tasks of no known experiment")
            elif version != EXPERIMENTS[name].version:
                now = f"stale: the code has version {EXPERIMENTS[name].version}"
                print(f"{name:12s} version {version}  {count} tasks, {now}")
    return 0


def _predict(options: argparse.Namespace) -> int:
    alpha, snr = options.alpha, options.snr
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            rows = _predictions(alpha, snr)
    except (RuntimeWarning, ArithmeticError) as error:
        raise ValueError(
            f"--alpha {alpha:g} --snr {snr:g}: too large or too small to compute with ({error})"
        ) from error
    print(f"alpha = {alpha:g}, snr = {snr:g}; d to infinity, one signal, signs in every layer\n")
    for name, value, remark in rows:
        number = "-" if value is None else f"{round(float(value), 6) + 0.0:.6f}"  # no -0.000000
        print(f"{name:26s} {number:>13s}  {remark}".rstrip())
    return 0


def _predictions(alpha: float, snr: float) -> list[tuple[str, float | None, str]]:
    threshold = rn.bbp_snr(alpha)
    pca_w, pca_u = rn.pca_overlap(alpha, snr, of="w"), rn.pca_overlap(alpha, snr, of="u")
    return [
        ("BBP threshold of the snr", threshold, ""),
        ("snr over threshold", snr / threshold, "" if snr > threshold else "no outlier"),
        ("PCA overlap with w", pca_w, ""),
        ("PCA overlap with u", pca_u, ""),
        ("Bayes-optimal overlap", rn.bayes_overlap(alpha, snr), ""),
        *_rbm_rows(alpha, snr),
    ]


def _rbm_rows(alpha: float, snr: float) -> list[tuple[str, float | None, str]]:
    from rbmnotes.theory.state_evolution import fixed_point

    point = fixed_point(alpha=alpha, snr=snr)
    if not point.converged:
        return [("RBM", None, f"state evolution has not converged: {point.message}")]
    stable = point.replicon < 1.0
    remark = "below 1: stable" if stable else "not below 1: unstable, AMP does not settle here"
    doubt = "" if stable else "replica-symmetric value, not to be trusted: see the replicon"
    return [
        ("RBM overlap with w", point.overlap, doubt),
        ("RBM replicon", point.replicon, remark),
        ("RBM loss over d", point.loss, doubt),
    ]


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know ASCII only
    sys.exit(main())
