"""Print comparisons and numbers in one form, so that the claims page can collect them.

What is printed is compared whenever the book is verified, on any machine, where sums run in another
order and the last of sixteen digits differs. A rounded number then still flips if it happens to lie
at the edge of its last digit, so no digit may be printed that a run could not repeat:

* an estimate to the second digit of its standard error, a coefficient of a correction to the first
  digit of its own, z to one decimal, a p-value to one digit (and "p < 0.001"): each last digit is
  then a share of the noise, millions of times larger than round-off;
* a number without noise to at most six digits, from a solver whose tolerance is at least a thousand
  times finer than the last of them;
* what vanishes but for round-off never as a number, but as a bound ("below 1e-09") ten times
  what is seen, or, within a list, as zero;
* words, counts of instances and parameters exactly.

A number that flips nevertheless is computed badly: round-off decides something in it that it should
not (the sign of an eigenvector, a tie, when an iteration stops). ``tools/kernels.py`` finds those.
"""

from __future__ import annotations

import sys
from typing import Protocol

import numpy as np

from rbmnotes._types import ArrayLike

ROUND_OFF = 1e-13
"""Relative to the largest number of a list, what is finer is no number but round-off."""


class Result(Protocol):
    """What has a verdict, and says in words what was compared."""

    @property
    def verdict(self) -> str:
        """Whether it agrees."""


def verdict(claim: str, what: str, result: Result) -> None:
    """Print one line: the claim's id, the verdict, what was compared and by how much.

    Parameters
    ----------
    claim : str
        Id of a row of ``claims.yml``.
    what : str
        The quantity compared.
    result : Extrapolation, Slope, PathAgreement, Identity, Count or JointAgreement
        From ``rbmnotes.evidence``.
    """
    print(printable(f"[{claim}] {result.verdict}: {what}: {result}"))


def summarise(
    name: str, values: ArrayLike, digits: int = 3, errors: ArrayLike | None = None
) -> None:
    """Print the numbers a figure draws, rounded to significant digits.

    Pictures are not compared when the book is verified; these lines are.

    Parameters
    ----------
    name : str
    values : array
    digits : int
        Significant digits, at most six.
    errors : array of the same shape, optional
        Standard errors, beyond whose second digit no number is printed.
    """
    values = np.ravel(values)
    errors = np.zeros(values.shape) if errors is None else np.ravel(errors)
    finest = ROUND_OFF * np.max(np.abs(values[np.isfinite(values)]), initial=0.0)
    texts = [
        rounded(value, digits, max(finest, error / 10))
        for value, error in zip(values, errors, strict=True)
    ]
    print(printable(f"{name}: {' '.join(texts)}"))


def rounded(value: float, digits: int, finest: float = 0.0) -> str:
    """Return a number with `digits` significant digits, none of them finer than `finest`.

    Raises
    ------
    ValueError
        If `digits` is not from one to six.
    """
    if not 1 <= digits <= 6:
        raise ValueError(f"digits must be from 1 to 6, which any machine repeats; got {digits!r}")
    if finest > 0 and np.isfinite(value):
        unit = 10.0 ** np.ceil(np.log10(finest))
        value = np.round(value / unit) * unit
    return f"{value + 0.0:.{digits}g}"  # no -0


def printable(text: str) -> str:
    """Return a text that standard output can take; a terminal may know ASCII only."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = text.replace("±", "+/-").replace("−", "-")
        return plain.encode(encoding, "backslashreplace").decode(encoding)
    return text
