"""Slow, plain references shared by the tests: nothing here uses the package's own formulas."""

import ctypes
import itertools
import os
import subprocess
import sys
import tomllib
from functools import lru_cache
from pathlib import Path
from textwrap import dedent

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@lru_cache(maxsize=64)
def enumerate_states(prior, k):
    """All states of `k` units of a discrete prior, (m**k, k), and their probabilities."""
    pairs = list(zip(prior.support, prior.probabilities, strict=True))
    combinations = list(itertools.product(pairs, repeat=k))
    states = np.array([[point for point, _ in combination] for combination in combinations])
    return states, np.array([np.prod([p for _, p in combination]) for combination in combinations])


def central_difference(function, point, step=1e-5):
    """Gradient of a scalar function of an array, entry by entry; the error is O(step**2)."""
    point = np.asarray(point, dtype=float)
    gradient = np.zeros(point.shape)
    for index in np.ndindex(point.shape):
        shift = np.zeros(point.shape)
        shift[index] = step
        gradient[index] = (function(point + shift) - function(point - shift)) / (2 * step)
    return gradient


def standard_scores(samples, expected):
    """Deviation of the means over the first axis from `expected`, in standard errors."""
    errors = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return (samples.mean(axis=0) - expected) / errors


def assert_threads_do_not_matter(code):
    """Assert that what `results()` of the code returns, arrays, is the same to the last bit.

    In a process of its own, where three threads are allowed.
    """
    lines = (
        "import numba, numpy as np",
        dedent(code),
        "seen = []",
        "for threads in (1, 2, 3):",
        "    numba.set_num_threads(threads)",
        "    seen.append([array.tobytes() for array in results()])",
        "assert seen[0] and seen[0] == seen[1] == seen[2]",
        "print('same', numba.get_num_threads())",
    )
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        env=os.environ | {"NUMBA_NUM_THREADS": "3"},
        timeout=300,
        check=False,
    )
    assert result.stdout == "same 3\n", result.stderr


def run_with_rights_that_count(command, **options):
    """Run a command so that a file's rights mean something, also to root."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        preexec_fn=_give_up_overriding if os.geteuid() == 0 else None,
        **options,
    )


def _give_up_overriding():
    """Drop Linux's CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, for good."""
    drop = 24  # PR_CAPBSET_DROP
    for capability in (1, 2):
        if ctypes.CDLL(None, use_errno=True).prctl(drop, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "cannot give up root's rights")
