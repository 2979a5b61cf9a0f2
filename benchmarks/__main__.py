"""Run benchmarks by name; without a name, list them."""

# ruff: noqa: E402 -- the variables below are read once, when numpy is imported
import os

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
os.environ.update({name: os.environ.get(name, "2") for name in THREAD_VARIABLES})
# Threads that spin while they wait would slow the next piece of work.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["OPENBLAS_THREAD_TIMEOUT"] = "4"  # the logarithm of the cycles that its threads spin

import argparse
import platform
import sys
from importlib.metadata import version

from benchmarks import amp, dmft, eta2, gd, rbm
from benchmarks.harness import format_table

BENCHMARKS = {
    "amp": amp.run,
    "dmft": dmft.run,
    "eta2": eta2.run,
    "gd": gd.run,
    "rbm": rbm.run,
}  # name -> function without arguments that returns rows


def main(arguments=None) -> int:
    """Run the benchmarks named on the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process if absent.

    Returns
    -------
    int
        Exit status, zero; an unknown name exits with two.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to run")
    names = parser.parse_args(arguments).names
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown benchmark {', '.join(unknown)}; choose from {', '.join(BENCHMARKS)}")
    if not names:
        for name, function in BENCHMARKS.items():
            print(f"{name:8s} {function.__doc__.splitlines()[0]}")
        return 0

    print(describe_environment())
    for name in names:
        print(f"\n{name}\n{format_table(BENCHMARKS[name]())}", flush=True)
    return 0


def describe_environment() -> str:
    """Return versions and thread counts: what a ratio may depend on, and nothing of the machine."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "numba"))
    threads = ", ".join(f"{name}={os.environ[name]}" for name in THREAD_VARIABLES)
    return f"Python {platform.python_version()}, {packages}\n{threads}"


if __name__ == "__main__":
    sys.exit(main())
