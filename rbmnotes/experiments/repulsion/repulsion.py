r"""Equal signals: units first share them, then repel each other (Figure 7, middle and right).

Signals are of equal strength; sizes, rates and starts were fixed beforehand. From a small random
start, who holds which signal at the end: with the full penalty, and with its
separable part alone. For Rademacher units that part is $\frac12{\rm tr}\,Q$, so that the units do
not see each other and each solves the problem of one unit, exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rbmnotes.algorithms.contrastive import contrastive_divergence
from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.algorithms.descent_loop import DescentResult
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.model.objective import eta2_moments
from rbmnotes.model.order_parameters import overlap
from rbmnotes.model.priors import Gaussian
from rbmnotes.model.spiked import SpikedModel

ALPHA = 4.0
SNR = 1.6
RATE = 0.05
START = 0.01
"""Standard deviation of a small random start."""

STEPS = {2: 160, 4: 300, 6: 400}
"""Units, as many as signals, to the number of steps from a random start."""

LINEAR = 0.1
"""Self overlap at which a unit leaves the linear stage."""

HOLDS = 0.7
"""Overlap from which on a unit holds a signal: closer to it than to all others together."""

METHODS = ("gd", "cd")


def train_units(method: str, X, W0, n_iter: int, rng=None, **options) -> DescentResult:
    """Run gradient descent, or contrastive divergence with Gaussian visible units, at our rate."""
    if method == "gd":
        return gradient_descent(X, W0, RATE, n_iter, **options)
    return contrastive_divergence(X, W0, RATE, n_iter, visible=Gaussian(), rng=rng, **options)


def train_units_alone(one_unit: Callable[[np.ndarray], DescentResult], W0) -> list[DescentResult]:
    r"""Train on the separable part of the penalty: Rademacher units, each for itself.

    With $\eta_2\to\frac12{\rm tr}\,Q$ the objective is a sum over units, since
    $\eta_1=\sum_a\log\cosh z_a$, and one unit's $\eta_2$ is $\frac12Q_{aa}$.

    Parameters
    ----------
    one_unit : callable
        Trains from a start (d, 1).
    W0 : (d, k) array

    Returns
    -------
    list of DescentResult
        One a unit.
    """
    return [one_unit(W0[:, [a]]) for a in range(W0.shape[1])]


def unit_cosines(Q) -> np.ndarray:
    r"""Return $Q_{ab}/\sqrt{Q_{aa}Q_{bb}}$ of every pair $a<b$: (..., k, k) to (..., pairs)."""
    Q = np.asarray(Q)
    norms = np.sqrt(np.einsum("...aa->...a", Q))
    first, second = np.triu_indices(Q.shape[-1], 1)
    return Q[..., first, second] / (norms[..., first] * norms[..., second])


def togetherness(Q) -> np.ndarray:
    """Return the root mean square cosine over pairs of units: (..., k, k) to (...)."""
    return np.sqrt(np.mean(unit_cosines(Q) ** 2, axis=-1))


def held_signals(W_star, W) -> np.ndarray:
    """Return which signal every unit holds, (k,) integers, -1 for none."""
    cosines = np.abs(overlap(W_star, W))
    return np.where(cosines.max(axis=0) > HOLDS, cosines.argmax(axis=0), -1)


def attraction(Q) -> float:
    r"""Return the share of $\sum|Q_{ab}\langle h_ah_b\rangle|$ that has the wrong sign.

    Summed over pairs and times: a negative product means that the penalty pulls the pair together.

    Parameters
    ----------
    Q : (T, k, k) array

    Returns
    -------
    float
    """
    pairs = np.triu_indices(Q.shape[-1], 1)
    products = np.array([(q * eta2_moments(q).second)[pairs] for q in Q])
    return float(-np.sum(products, where=products < 0) / np.sum(np.abs(products)))


def measure_repulsion(parameters: dict, rng: np.random.Generator) -> dict:
    """Train once from a small random start, by both methods, together and alone.

    Parameters
    ----------
    parameters : dict
        ``k``, units and signals, and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        For each training, such as ``gd`` or ``gd_alone``: ``_found``, signals that a unit holds,
        and ``_lost``, units that hold none. ``foreseen``: units alone that end on the signal they
        were nearest to when their linear stage ended. Of gradient descent of all units:
        ``cosine``, that of the parts in the signals' span of the first two units, at the end of
        the linear stage of both; ``peak``, ``peak_time`` and ``end`` of :func:`togetherness`;
        ``attraction``, see :func:`attraction`.
    """
    k, d = parameters["k"], parameters["d"]
    data = SpikedModel(ALPHA, [SNR] * k).sample(d, rng)
    X, W0 = data.X.astype(np.float32), START * rng.standard_normal((d, k))
    row: dict = {}

    def record(name, W):
        held = held_signals(data.W_star, W)
        row[f"{name}_found"] = len(set(held[held >= 0]))
        row[f"{name}_lost"] = int(np.sum(held < 0))
        return held

    for method in METHODS:

        def one_unit(W, method=method):
            return train_units(method, X, W, STEPS[k], rng, W_star=data.W_star)

        together = one_unit(W0)
        record(method, together.W)
        alone = train_units_alone(one_unit, W0)
        held = record(f"{method}_alone", np.hstack([unit.W for unit in alone]))
        if method == "gd":
            nearest = [_end_of_linear_stage(unit.history)[1][:, 0] for unit in alone]
            row["foreseen"] = int(np.sum(np.abs(nearest).argmax(axis=1) == held))
            M, Q = _end_of_linear_stage(together.history)[1], together.history.Q
            row["cosine"] = float(M[:, 0] @ M[:, 1] / np.prod(np.linalg.norm(M[:, :2], axis=0)))
            path = togetherness(Q)
            row["peak"], row["peak_time"] = float(path.max()), int(path.argmax())
            row["end"], row["attraction"] = float(path[-1]), attraction(Q)
    return {name: round(value, 6) if value != int(value) else value for name, value in row.items()}


def _end_of_linear_stage(history) -> tuple[int, np.ndarray]:
    """Return the step at which every unit has left the linear stage (or the last), and M there."""
    norms = np.einsum("taa->ta", history.Q).min(axis=1)
    t = int(np.argmax(norms >= LINEAR)) if np.any(norms >= LINEAR) else len(norms) - 1
    return t, history.M[t]


_GRID = tuple({"k": k, "d": d} for k, d in ((2, 250), (2, 500), (2, 1000), (4, 500), (6, 500)))


EXPERIMENTS = (
    Experiment(
        name="repulsion",
        version=1,
        description="Equal signals from a small random start: which unit holds which (Figure 7)",
        measure=measure_repulsion,
        scales={
            "quick": Scale(grid(k=[2, 4], d=[100]), 2),
            "paper": Scale(_GRID, [100, 100, 80, 50, 15]),
        },
    ),
)
