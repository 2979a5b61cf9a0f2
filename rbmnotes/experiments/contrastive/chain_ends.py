r"""Where contrastive divergence ends: bias and noise, simulation beside theory.

One unit and one signal, started at the likelihood's fixed point, so that nothing moves but what the
chains do. $m$ and $q$ are averaged over the second half of a run, after which both have settled:
the slowest mode has then decayed by $e^{-4}$ or more. Two predictions: the closed equations of
:func:`rbmnotes.contrastive_fixed_point`, exact to first order in the noise, and the mean-field
theory of these very steps. Points, sizes and numbers of instances were fixed before the runs.
"""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.contrastive import contrastive_divergence
from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments.engine.experiment import Experiment, Scale
from rbmnotes.model.priors import Bernoulli, Rademacher
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.dmft import dmft
from rbmnotes.theory.extensions.contrastive_bias import contrastive_fixed_point
from rbmnotes.theory.state_evolution import fixed_point

UNITS = {"Bernoulli": Bernoulli(), "Rademacher": Rademacher()}


def _point(hidden, alpha, snr, cycles, rate, persistent=False):
    return {
        "hidden": hidden,
        "alpha": alpha,
        "snr": snr,
        "cycles": cycles,
        "rate": rate,
        "persistent": persistent,
    }


BIAS = (
    _point("Bernoulli", 4.0, 2.5, 1, 0.2),
    _point("Bernoulli", 4.0, 2.5, 2, 0.2),
    _point("Bernoulli", 4.0, 2.5, 3, 0.2),
    _point("Bernoulli", 4.0, 2.5, 5, 0.2),
    _point("Bernoulli", 4.0, 1.75, 1, 0.2),
    _point("Bernoulli", 4.0, 3.5, 1, 0.2),
    _point("Bernoulli", 2.0, 2.5, 1, 0.2),
    _point("Bernoulli", 8.0, 2.5, 1, 0.2),
    _point("Bernoulli", 4.0, 2.5, 1, 0.2, True),
)
"""Points at one learning rate: number of cycles, strength, sample ratio, persistent chains."""

NOISE = (
    _point("Rademacher", 4.0, 1.5, 1, 0.1),
    _point("Rademacher", 4.0, 1.5, 1, 0.2),
    _point("Rademacher", 4.0, 1.5, 5, 0.2),
    _point("Rademacher", 4.0, 1.5, 1, 0.3),
    _point("Rademacher", 4.0, 1.5, 1, 0.4),
    _point("Bernoulli", 4.0, 2.5, 1, 0.1),
    _point("Bernoulli", 4.0, 2.5, 1, 0.4),
)
"""Points along the learning rate."""

INSTANCES = {200: 120, 400: 60, 800: 30}
"""Number of instances at each size: their standard errors are alike."""

N_PATHS, SOLVES = 2**12, 8


def run_length(rate: float) -> int:
    """Return the length of a run."""
    return round(8.0 / rate)


def measure_end(parameters: dict, rng: np.random.Generator) -> dict:
    """Train once and average over the second half of the run.

    Parameters
    ----------
    parameters : dict
        ``hidden`` (a key of ``UNITS``), ``alpha``, ``snr``, ``cycles``, ``rate``,
        ``persistent`` and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``m``, ``q`` and ``overlap``, the last from the averages of the other two.
    """
    hidden, rate = UNITS[parameters["hidden"]], parameters["rate"]
    alpha, snr = parameters["alpha"], parameters["snr"]
    start = fixed_point(alpha, snr, hidden)
    data = SpikedModel(alpha, snr).sample(parameters["d"], rng)
    W = informed_start(data.W_star, [[start.m]], [[start.q]], rng)
    history = contrastive_divergence(
        *(data.X.astype(np.float32), W, rate, run_length(rate), hidden),
        cycles=parameters["cycles"],
        persistent=parameters["persistent"],
        W_star=data.W_star,
        rng=rng,
    ).history
    return _late(history.M, history.Q, rate)


def predict_end(parameters: dict) -> dict:
    """Return both predictions of what :func:`measure_end` measures.

    Returns
    -------
    dict
        ``m_closed``, ``q_closed``, ``overlap_closed`` from the closed equations, ``m_unbiased``,
        ``q_unbiased`` and ``overlap_unbiased`` of the likelihood, and ``m_path``, ``q_path`` and
        ``overlap_path`` from the theory of these steps, with standard errors such as
        ``q_path_error``; NaN for persistent chains, which that theory does not cover.
    """
    hidden, rate = UNITS[parameters["hidden"]], parameters["rate"]
    alpha, snr, cycles = parameters["alpha"], parameters["snr"], parameters["cycles"]
    start = fixed_point(alpha, snr, hidden)
    end = contrastive_fixed_point(alpha, snr, hidden, cycles, rate, parameters["persistent"])
    if parameters["persistent"]:
        solves = [dict.fromkeys(("m", "q", "overlap"), np.nan)]
    else:
        streams = np.random.default_rng(0).spawn(SOLVES)
        solves = [_path_end(start, parameters, hidden, stream) for stream in streams]
    row = {}
    for name in ("m", "q", "overlap"):
        values = np.array([solve[name] for solve in solves])
        row[f"{name}_closed"] = getattr(end, name)
        row[f"{name}_unbiased"] = getattr(start, name)
        row[f"{name}_path"] = float(values.mean())
        row[f"{name}_path_error"] = (
            float(values.std(ddof=1) / np.sqrt(SOLVES)) if len(values) > 1 else np.nan
        )
    return row


def _path_end(start, parameters, hidden, rng) -> dict:
    rate = parameters["rate"]
    theory = dmft(
        SpikedModel(parameters["alpha"], parameters["snr"]),
        *([[start.m]], [[start.q]], rate, run_length(rate), N_PATHS, rng, hidden),
        method="cd",
        cycles=parameters["cycles"],
        n_solves=1,
    )
    return _late(theory.M, theory.Q, rate)


def _late(M, Q, rate) -> dict:
    """Average M and Q, (T + 1, 1, 1), over the second half of the run."""
    half = slice(run_length(rate) // 2 + 1, None)
    m, q = float(M[half].mean()), float(Q[half].mean())
    return {"m": m, "q": q, "overlap": m / float(np.sqrt(q))}


_GRID = tuple(point | {"d": d} for point in BIAS + NOISE for d in INSTANCES)


EXPERIMENTS = (
    Experiment(
        name="contrastive_ends",
        version=1,
        description="Where contrastive divergence ends: bias and noise beside theory",
        measure=measure_end,
        predict=predict_end,
        scales={
            "quick": Scale([BIAS[0] | {"d": 100}, NOISE[1] | {"d": 100}], 4),
            "paper": Scale(_GRID, [INSTANCES[point["d"]] for point in _GRID]),
        },
    ),
)
