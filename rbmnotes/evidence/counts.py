"""How often something happened, against its predicted probability."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import binomtest

from rbmnotes.evidence.rules import CONFIDENCE, WIDEST_INTERVAL, interval_verdict


@dataclass(frozen=True)
class Count:
    """How often something happened in independent trials, beside its predicted probability.

    Attributes
    ----------
    successes : int
    trials : int
    low : float
        Lower end of the exact 99 % interval of the probability (Clopper and Pearson).
    high : float
        Upper end.
    theory : float
        Predicted probability.
    """

    successes: int
    trials: int
    low: float
    high: float
    theory: float

    @property
    def verdict(self) -> str:
        """*agrees* if the interval holds the theory; *undecided* if it is wider than 0.2."""
        return interval_verdict(self.low, self.high, self.theory, WIDEST_INTERVAL)

    @property
    def p_value(self) -> float:
        """Exact two-sided probability of a number as unlikely, if theory is right."""
        return float(binomtest(self.successes, self.trials, self.theory).pvalue)

    def __str__(self) -> str:
        return (
            f"{self.successes} of {self.trials}, 99 % interval {self.low:.2f} to {self.high:.2f}, "
            f"theory {self.theory:.3g}"
        )


def count(successes: int, trials: int, theory: float) -> Count:
    """Compare a number of successes in independent trials with a predicted probability."""
    interval = binomtest(int(successes), int(trials)).proportion_ci(CONFIDENCE, method="exact")
    low, high = float(interval.low), float(interval.high)
    return Count(int(successes), int(trials), low, high, float(theory))
