"""Print comparisons in one form, so that the claims page can collect them."""

from __future__ import annotations

import numpy as np


def verdict(claim: str, what: str, result) -> None:
    """Print one line: the claim's id, the verdict, what was compared and by how much.

    Parameters
    ----------
    claim : str
        Id of a row of ``claims.yml``.
    what : str
        The quantity compared.
    result : Extrapolation, Rate, PathAgreement or Identity
        From ``rbmnotes.experiments.evidence``.
    """
    print(f"[{claim}] {result.verdict}: {what}: {result}")


def summarise(name: str, values, digits: int = 3) -> None:
    """Print the numbers a figure draws, rounded to significant digits.

    Pictures are not compared when the book is verified; these lines are.
    """
    rounded = " ".join(f"{value:.{digits}g}" for value in np.ravel(values))
    print(f"{name}: {rounded}")
