r"""Signals that emerge one after another (Figure 7, left).

Sizes, learning rates, windows and seeds are fixed here, after trial runs on other seeds that showed
what a run costs and how long it takes.

A signal's overlap is measured in two ways: with the best unit, and with the span of all units,
$\sqrt{(MQ^{-1}M^\top)_{ii}}$, which no mixing of units changes.
"""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.contrastive import contrastive_divergence
from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.extensions.emergence import emergence_time

ALPHA, SNR = 4.0, (2.0, 1.6, 1.3, 1.1)
"""Four signals, at 2.8 to 1.6 times the BBP threshold; as many units."""

RATE, N_ITER, AMP_ITER = 0.02, 400, 60
RECORDED = tuple(np.unique(np.geomspace(1, N_ITER + 1, 60).round().astype(int) - 1).tolist())
"""Steps of gradient descent and contrastive divergence at which overlaps are kept."""

CASCADES = {
    "gradient descent, small start": 0.1,
    "contrastive divergence, small start": 0.1,
    "gradient descent": 1.0,
    "AMP-RBM": 1.0,
}
"""Standard deviation of an entry of the random start."""

CASCADE_D, CASCADE_INSTANCES = 600, 10


def span_overlaps(M, Q) -> np.ndarray:
    r"""Return the overlap of every signal with the span of the units, along a run.

    Parameters
    ----------
    M : (m, r, k) array
    Q : (m, k, k) array
        Nearly singular ones are cut at a share of $10^{-13}$ of their largest eigenvalue.

    Returns
    -------
    (m, r) array
        $\sqrt{(MQ^{-1}M^\top)_{ii}}$.
    """
    inverse = np.linalg.pinv(Q, rcond=1e-13, hermitian=True)
    squares = np.einsum("tia,tab,tib->ti", M, inverse, M, optimize=True)
    return np.sqrt(np.clip(squares, 0.0, 1.0))


def unit_overlaps(M, Q) -> np.ndarray:
    """Return the size of the overlap of every signal with every unit, (m, r, k)."""
    norms = np.sqrt(np.einsum("taa->ta", Q))
    return np.clip(np.abs(M) / norms[:, None, :], 0.0, 1.0)


def measure_cascade(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Train once from a random start and follow all signals.

    Parameters
    ----------
    parameters : dict
        ``cascade``, a key of ``CASCADES``, and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row a recorded step ``t``: overlaps ``unit_1``, ... and ``span_1``, ... of the signals,
        and in all rows the times ``time_unit_1``, ... and ``time_span_1``, ... at which these
        first exceed one half, infinite if they never do.
    """
    name, r = parameters["cascade"], len(SNR)
    data = SpikedModel(ALPHA, SNR).sample(parameters["d"], rng)
    start = CASCADES[name] * rng.standard_normal((parameters["d"], r))
    X, W_star, recorded = data.X.astype(np.float32), data.W_star, RECORDED
    if name.startswith("gradient"):
        run = gradient_descent(X, start, RATE, N_ITER, W_star=W_star)
    elif name.startswith("contrastive"):
        run = contrastive_divergence(X, start, RATE, N_ITER, W_star=W_star, rng=rng)
    else:
        V0, recorded = 0.1 * np.eye(r), range(AMP_ITER + 1)
        run = amp_rbm(X, start=start, V0=V0, tol=1e-300, max_iter=AMP_ITER, W_star=W_star)
    M, Q = run.history.M, run.history.Q
    overlaps = {"unit": unit_overlaps(M, Q).max(axis=2), "span": span_overlaps(M, Q)}
    times = {
        f"time_{kind}_{i + 1}": float(emergence_time(values[:, i]))
        for kind, values in overlaps.items()
        for i in range(r)
    }
    return [
        {"t": t}
        | {f"{kind}_{i + 1}": float(v[t, i]) for kind, v in overlaps.items() for i in range(r)}
        | times
        for t in recorded
        if t < len(M)
    ]


EXPERIMENTS = (
    Experiment(
        name="emergence",
        version=1,
        description="Signals of distinct strength emerge one after another (Figure 7, left)",
        measure=measure_cascade,
        scales={
            "quick": Scale(grid(cascade=CASCADES, d=[100]), 2),
            "paper": Scale(
                grid(cascade=CASCADES, d=[CASCADE_D]),
                CASCADE_INSTANCES,
            ),
        },
        figure=7,
    ),
)
