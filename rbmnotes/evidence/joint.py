"""Many comparisons judged together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import combine_pvalues

from rbmnotes.evidence.rules import MIN_P_VALUE, Comparison, p_text


@dataclass(frozen=True)
class JointAgreement:
    """A list of comparisons as one.

    Attributes
    ----------
    p_value : float
        Probability of p-values as small altogether if all theories are right.
    n_comparisons : int
        How many comparisons it is about.
    """

    p_value: float
    n_comparisons: int

    @property
    def verdict(self) -> str:
        """*agrees* if the p-value exceeds 0.01."""
        return "agrees" if self.p_value > MIN_P_VALUE else "disagrees"

    def __str__(self) -> str:
        return f"{self.n_comparisons} comparisons taken together ({p_text(self.p_value)})"


def joint(results: Sequence[Comparison | Sequence[Comparison]]) -> JointAgreement:
    """Judge many comparisons as one, so that small deviations all over are seen.

    Independent comparisons are combined by Fisher's method. An item that is itself a sequence
    holds comparisons of the same runs, which are not independent: it counts once, by Bonferroni's
    bound, the smallest of its p-values times their number.

    Parameters
    ----------
    results : sequence
        Results that have a ``p_value`` (`Extrapolation`, `Slope`, `PathAgreement`, `Count`), or
        sequences of such.

    Returns
    -------
    JointAgreement

    Raises
    ------
    ValueError
        If there is nothing to combine, or an item has no p-value.
    """
    groups = [item if isinstance(item, Sequence) else [item] for item in results]
    if not groups or not all(groups):
        raise ValueError("results must hold at least one comparison, and so must each of its lists")
    for result in (result for group in groups for result in group):
        if not hasattr(result, "p_value"):
            raise ValueError(f"results must have p-values; got {type(result).__name__}")
    p_values = [min(1.0, len(g) * min(result.p_value for result in g)) for g in groups]
    p_value = 0.0 if min(p_values) == 0.0 else combine_pvalues(p_values, method="fisher").pvalue
    return JointAgreement(float(p_value), sum(map(len, groups)))
