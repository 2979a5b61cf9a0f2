r"""AMP and descent in every region of the phase diagram: one unit, one signal.

Does AMP converge, how fast, and do descents from random starts end in one minimum? The points were
chosen by the lines of ``rbmnotes.theory.phase_diagram`` before the runs.

Theory of the rate (ours). Let two runs of AMP on the same data have order parameters at the fixed
point and weights of mutual overlap $c$. One iteration maps $c$ to
$m^2+\alpha V^2E[g(\omega)g(\omega')]$, whose slope at $c=q$ is the replicon: the mean square
distance between the runs shrinks by the replicon in an iteration, their distance by its root. A
difference in $(m,q,V)$ itself is multiplied by the eigenvalues of state evolution's derivative,
of which the moduli count (`growth` and `alternation` of a branch). So the change of the weights
falls in the end by the factor

.. math::
    \max\big(\sqrt{\text{replicon}},\ |\text{eigenvalues}|\big)

an iteration, and AMP converges where that is below one. Damping lessens an eigenvalue near minus
one, which ends in a cycle of two states; a replicon above one it does not cure.
"""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.lbfgs import lbfgs
from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments.engine.experiment import Experiment, Scale
from rbmnotes.experiments.gordon.minima import LARGEST
from rbmnotes.model.objective import loss
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.optimum import global_optimum
from rbmnotes.theory.phase_diagram import branches

REGIONS = {
    "below BBP": ((4.0, 0.5), (10.0, 0.4)),
    "BBP to finite norm": ((4.0, 0.73),),
    "finite norm to replicon": ((4.0, 0.8), (10.0, 0.6)),
    "V out of range": ((1.5, 1.1),),
    "edge to replicon": ((1.5, 1.32),),
    "stable": ((1.5, 1.7), (4.0, 0.95), (4.0, 1.2), (10.0, 0.7), (10.0, 1.0)),
    "stable, many samples": ((50.0, 0.6), (100.0, 0.4)),
    "stable, alternating": ((100.0, 0.33),),
}
"""Points (alpha, snr) in every region."""

INSTANCES = {250: 40, 500: 20, 1000: 12}
"""Number of instances at each dimension."""

INSTANCES_MANY_SAMPLES = {100: 40, 200: 20, 400: 12}
"""The same from ``MANY_SAMPLES`` samples a dimension on."""

MANY_SAMPLES = 50.0

START = {"M": [[0.8]], "Q": [[1.0]]}
"""Overlaps of AMP's informed start; its first response is :data:`V0`."""

V0 = [[0.1]]
MAX_ITER = 300
WINDOW = (1e-8, 1e-3)
"""The rate is fitted where the change of an entry of the weights is between these."""

LAST = 20
"""Number of iterations at the end over which steps of q are averaged."""

RANDOM_STARTS = 5
SAME_LOSS = 1e-6
"""Minima whose losses differ by less are counted as one."""


def instances(alpha: float) -> dict[int, int]:
    """Return the number of instances at each dimension."""
    return INSTANCES if alpha < MANY_SAMPLES else INSTANCES_MANY_SAMPLES


def fitted_rate(change, window=WINDOW) -> float:
    """Return the factor an iteration by which a falling series shrinks.

    Parameters
    ----------
    change : (t,) array
        Positive numbers, such as ``AMPHistory.change``.
    window : (float, float)
        Only entries between the two count, up to the first below the window.

    Returns
    -------
    float
        NaN if the series does not reach the lower end, or has fewer than three entries inside.
    """
    change, (low, high) = np.asarray(change), window
    below = np.nonzero(change < low)[0]
    if len(below) == 0:
        return np.nan
    t = np.arange(below[0])
    t = t[change[t] < high]
    if len(t) < 3:
        return np.nan
    return float(np.exp(np.polyfit(t, np.log(change[t]), 1)[0]))


def count_distinct(losses, tolerance: float = SAME_LOSS) -> int:
    """Return the number of groups of losses that are more than `tolerance` apart."""
    return int(1 + np.sum(np.diff(np.sort(losses)) > tolerance))


def measure_phase(parameters: dict, rng: np.random.Generator) -> dict:
    """Run AMP from an informed start without damping, and descents from random ones.

    Parameters
    ----------
    parameters : dict
        ``region`` (a name), ``alpha``, ``snr`` and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Of AMP: ``converged``, ``n_iter``, ``gradient_size``, ``rate`` (NaN unless the change of
        the weights fell through ``WINDOW``), ``last_change``, ``q_step`` and
        ``q_two_steps`` (mean size of the change of q over one and over two iterations at the end;
        small beside the first, the second tells a cycle of two states), ``V``, ``amp_loss``,
        ``amp_overlap``. Of the descents: ``loss`` and ``overlap`` of the lowest, ``spread`` of
        the losses, ``distinct`` minima, largest ``descent_gradient_size``.
    """
    d = parameters["d"]
    data = SpikedModel(parameters["alpha"], parameters["snr"]).sample(d, rng)
    start = informed_start(data.W_star, **START, rng=rng)
    fit = amp_rbm(data.X, start=start, V0=V0, tol=1e-10, max_iter=MAX_ITER)
    ends = [
        lbfgs(data.X, rng.standard_normal((d, 1)), largest=LARGEST) for _ in range(RANDOM_STARTS)
    ]
    best, losses = min(ends, key=lambda end: end.loss), [end.loss for end in ends]
    q = fit.history.Q[-LAST - 2 :, 0, 0]

    def overlap(w):
        return float(abs(data.W_star[:, 0] @ w) / np.linalg.norm(w) / np.sqrt(d))

    return {
        "converged": fit.converged,
        "n_iter": fit.n_iter,
        "gradient_size": fit.gradient_size,
        "rate": fitted_rate(fit.history.change),
        "last_change": float(fit.history.change[-1]) if fit.n_iter else np.nan,
        "q_step": float(np.mean(np.abs(np.diff(q)))),
        "q_two_steps": float(np.mean(np.abs(q[2:] - q[:-2]))),
        "V": float(fit.V[0, 0]),
        "amp_loss": loss(data.X, fit.W),
        "amp_overlap": overlap(fit.W[:, 0]),
        "loss": best.loss,
        "overlap": overlap(best.W[:, 0]),
        "spread": float(np.ptp(losses)),
        "distinct": count_distinct(losses),
        "descent_gradient_size": max(end.gradient_size for end in ends),
    }


def predict_phase(parameters: dict) -> dict:
    """Return the state that AMP should reach, how fast, and Gordon's value.

    The informed branch where it exists, else the state without overlap.

    Returns
    -------
    dict
        ``branch`` (its name, or ``"none"`` where V is out of range), ``replicon``, ``growth``,
        ``alternation``, ``rate_theory``, ``overlap_theory``, NaN without a branch; ``loss_theory``
        of :func:`rbmnotes.global_optimum`.
    """
    alpha, snr = parameters["alpha"], parameters["snr"]
    found = {branch.name: branch for branch in branches(alpha, snr)}
    state = found.get("informed", found.get("without overlap"))
    row = {"branch": "none" if state is None else state.name}
    for name in ("replicon", "growth", "alternation"):
        row[name] = np.nan if state is None else float(getattr(state, name)[0])
    row["rate_theory"] = max(np.sqrt(row["replicon"]), abs(row["growth"]), abs(row["alternation"]))
    row["overlap_theory"] = np.nan if state is None else float(state.overlap[0])
    row["loss_theory"] = global_optimum(alpha, snr).loss
    return row


_GRID = tuple(
    {"region": region, "alpha": alpha, "snr": snr, "d": d}
    for region, points in REGIONS.items()
    for alpha, snr in points
    for d in instances(alpha)
)


EXPERIMENTS = (
    Experiment(
        name="phases",
        version=1,
        description="AMP's convergence and the spread of minima, region by region",
        measure=measure_phase,
        predict=predict_phase,
        scales={
            "quick": Scale([p for p in _GRID if p["d"] in (100, 250)], 3),
            "paper": Scale(_GRID, [instances(p["alpha"])[p["d"]] for p in _GRID]),
        },
    ),
)
