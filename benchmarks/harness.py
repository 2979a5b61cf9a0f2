"""What every benchmark shares: interleaved timing and the table of results.

Absolute times drift with the machine and its load. Pieces of work that are compared are
therefore timed in turn, round by round, in one process, and compared by their medians.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

MIN_ROUNDS = 5


@dataclass(frozen=True)
class Timing:
    """Median times of several pieces of work.

    Attributes
    ----------
    medians : mapping of str to float
        Seconds a call, by name of the work.
    rounds : int
        Number of rounds the medians are taken over.
    """

    medians: Mapping[str, float]
    rounds: int

    def ratio(self, work: str, reference: str) -> float:
        """Return the time of `work` over that of `reference`."""
        return self.medians[work] / self.medians[reference]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    work : str
        What was timed.
    median : float
        Seconds a call.
    ratio : float, optional
        Against whatever the benchmark compares with; its text says what.
    at_least, at_most : float, optional
        Target for `ratio`; neither for a line that has none.
    """

    work: str
    median: float
    ratio: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def target(self) -> str:
        """The target as text, empty if there is none."""
        bounds = ((">=", self.at_least), ("<=", self.at_most))
        return " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; none without a target."""
        if not self.target:
            return None
        low = -float("inf") if self.at_least is None else self.at_least
        high = float("inf") if self.at_most is None else self.at_most
        return self.ratio is not None and low <= self.ratio <= high


def measure(
    work: Mapping[str, Callable[[], object]],
    rounds: int = MIN_ROUNDS,
    calls: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time several pieces of work in turn, after one unmeasured call of each.

    Parameters
    ----------
    work : mapping of str to callable
        What to time, by name; called without arguments.
    rounds : int
        Number of rounds, at least five; every round times each piece of work once.
    calls : int
        Calls in a row that one timing is spread over; more than one for work so short that the
        clock itself would show.
    clock : callable
        Returns seconds.

    Returns
    -------
    Timing

    Raises
    ------
    ValueError
        If there are fewer than five rounds or no calls.
    """
    if rounds < MIN_ROUNDS:
        raise ValueError(f"rounds must be at least {MIN_ROUNDS}; got {rounds}")
    if calls < 1:
        raise ValueError(f"calls must be at least 1; got {calls}")
    for function in work.values():
        function()
    times = {name: [] for name in work}
    for _ in range(rounds):
        for name, function in work.items():
            start = clock()
            for _ in range(calls):
                function()
            times[name].append((clock() - start) / calls)
    return Timing({name: median(values) for name, values in times.items()}, rounds)


def format_table(rows: Iterable[Row]) -> str:
    """Return the rows as an aligned table: work, median, ratio, target, and whether it is met."""
    verdicts = {None: "", True: "met", False: "NOT MET"}
    cells = [("work", "median ms", "ratio", "target", "")]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        cells.append((row.work, f"{1e3 * row.median:.3f}", ratio, row.target, verdicts[row.met]))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        padded = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *padded]).rstrip())
    return "\n".join(lines)
