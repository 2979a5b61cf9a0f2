r"""What counts as agreement between theory and simulation.

Theory is exact as $d\to\infty$; a simulation has noise over instances and a bias of finite size.
Each function here takes the instances of one comparison, whose sizes, seeds, window and tolerance
were fixed beforehand, and returns a result that ends in *agrees*, *disagrees* or *undecided*. A
result also says how far off a theory would have to be to be noticed (`detectable`): a comparison
that could not fail shows nothing. Many comparisons are judged together by `joint`.
"""

from rbmnotes.evidence.counts import Count, count
from rbmnotes.evidence.identities import Identity, compare_exactly
from rbmnotes.evidence.joint import JointAgreement, joint
from rbmnotes.evidence.paths import PathAgreement, compare_paths, extrapolate_paths
from rbmnotes.evidence.points import (
    Extrapolation,
    Extrapolations,
    extrapolate,
    extrapolate_all,
)
from rbmnotes.evidence.rules import CONFIDENCE
from rbmnotes.evidence.slopes import Slope, compare_exponent, compare_slope, rate

__all__ = [
    "CONFIDENCE",
    "Count",
    "Extrapolation",
    "Extrapolations",
    "Identity",
    "JointAgreement",
    "PathAgreement",
    "Slope",
    "compare_exactly",
    "compare_exponent",
    "compare_paths",
    "compare_slope",
    "count",
    "extrapolate",
    "extrapolate_all",
    "extrapolate_paths",
    "joint",
    "rate",
]
