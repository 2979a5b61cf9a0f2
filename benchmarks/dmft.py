r"""Dynamical mean-field theory: time and memory of a solve, and how its time grows with N and T."""

from __future__ import annotations

import time
import tracemalloc
from functools import partial

import numpy as np

from benchmarks.harness import Row, measure
from rbmnotes import SpikedModel, dmft

# k = r = 2, and a start that is not diagonal
MODEL = SpikedModel(2.0, (1.9, 1.5))
M0, Q0 = [[0.6, 0.25], [-0.2, 0.5]], [[0.9, 0.2], [0.2, 0.9]]
RATE = 0.1
STEPS, PATHS = 50, 10**5  # the latter is rounded up to a power of two
SECONDS, GIGABYTES = 20.0, 1.0  # at most, for a solve of that size
# A solve does O(N T^2) work for its paths and O(N T^3) for their responses: the exponent of T
# lies between two and three until the latter rules. Base point, and the values around it.
BASE_STEPS, BASE_PATHS = 32, 2**12
ALL_STEPS, ALL_PATHS = (16, 32, 64, 128), (2**10, 2**11, 2**12, 2**13)
ROUNDS = 5


def solve(steps: int, paths: int):
    """Solve the theory of two units."""
    return dmft(MODEL, M0, Q0, RATE, steps, paths, rng=0, n_solves=1)


def run(steps: int = STEPS, paths: int = PATHS, all_steps=ALL_STEPS, all_paths=ALL_PATHS):
    """Time the theory at full size, and fit exponents.

    Parameters
    ----------
    steps, paths : int
        Full size: iterations and paths of one solve, which uses one thread.
    all_steps, all_paths : sequence of int
        Sizes for the exponents of a single solve; the other size stays at its base value.

    Returns
    -------
    list of Row
        The ratio of an exponent's row is the exponent.
    """
    seconds, gigabytes = _full_size(steps, paths)
    rows = [
        Row(
            f"k=r=2, T={steps}, {paths} paths, against {SECONDS:g} s",
            seconds,
            seconds / SECONDS,
            at_most=1.0,
        ),
        Row(
            f"its memory, {gigabytes:.2f} GB, against {GIGABYTES:g} GB",
            seconds,
            gigabytes / GIGABYTES,
            at_most=1.0,
        ),
    ]
    work = {("T", t): partial(solve, t, BASE_PATHS) for t in all_steps}
    work |= {("N", n): partial(solve, BASE_STEPS, n) for n in all_paths}
    times = measure(work, ROUNDS).medians
    for letter, sizes in (("N", all_paths), ("T", all_steps)):
        medians = [times[letter, size] for size in sizes]
        rows += [
            Row(f"{letter}={size}", seconds) for size, seconds in zip(sizes, medians, strict=True)
        ]
        exponent = np.polyfit(np.log(sizes), np.log(medians), 1)[0]
        rows.append(Row(f"exponent of {letter}", medians[-1], exponent))
    last = np.log(times["T", all_steps[-1]] / times["T", all_steps[-2]])
    last /= np.log(all_steps[-1] / all_steps[-2])
    rows.append(Row("exponent of T between the last two", times["T", all_steps[-1]], last))
    return rows


def _full_size(steps, paths) -> tuple[float, float]:
    """Seconds of a compiled solve, and the most memory that its arrays take at a time, in GB."""
    solve(2, 64)
    start = time.perf_counter()
    solve(steps, paths)
    seconds = time.perf_counter() - start
    tracemalloc.start()
    try:
        solve(steps, paths)
        return seconds, tracemalloc.get_traced_memory()[1] / 1e9
    finally:
        tracemalloc.stop()
