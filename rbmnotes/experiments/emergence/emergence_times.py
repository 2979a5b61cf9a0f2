r"""When signals emerge, against theory: the linear stage, and the growth with $\log d$.

*Linear stage*: four signals, a start so small that nothing saturates, against the linear law for
each run's own start. *Dimension*: one signal over two decades of $d$, from a vanishing and from a
finite start. All sizes and windows are fixed here.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.experiments.emergence.cascade import ALPHA, RATE, SNR, span_overlaps, unit_overlaps
from rbmnotes.experiments.engine.experiment import Experiment, scale_of_sizes
from rbmnotes.model.products import times, transposed_times
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.dmft import dmft
from rbmnotes.theory.extensions.emergence import emergence_time, linear_overlaps
from rbmnotes.theory.state_evolution import state_evolution

VANISHING = 1e-20
"""Standard deviation of an entry of a start that stays in the linear stage until all is over."""

STAGE_ITER = 75
"""Longer times count as this; later on, numbers are too short to see the weak in the strong."""

STAGE_INSTANCES = {250: 200, 500: 100, 1000: 50}

DIMENSIONS = {50: 400, 150: 300, 500: 100, 1500: 30, 5000: 6}
"""Instances at each d: two decades."""

DIMENSION_SNR = {"descent": 1.5, "AMP-RBM": 1.0}
DIMENSION_RATE = 0.05
DIMENSION_ITER = {"descent": 40, "AMP-RBM": 20}
"""Longer times count as this."""

VANISHING_UNITS, FINITE_STARTS = 4, 2
"""Starts an instance; units at vanishing norm do not feel each other, so four are four starts."""


def eigenvector_starts(X, W_star, W0) -> np.ndarray:
    r"""Return the components of a start along the eigenvectors that belong to the signals.

    Parameters
    ----------
    X : (n, d) array
    W_star : (d, r) array
        Signals, whose sum is where the Lanczos method for $X^\top X$ begins.
    W0 : (d, k) array

    Returns
    -------
    (r, k) array
        Strongest signal first; standard normal over starts whose entries are.
    """
    d, r = W_star.shape

    def product(v):
        return transposed_times(X, times(X, v.reshape(d, 1)))[:, 0]

    operator = LinearOperator((d, d), matvec=product, dtype=np.float64)
    _, vectors = eigsh(operator, r, v0=W_star.sum(axis=1), ncv=16 * r, tol=1e-4)
    return vectors[:, ::-1].T @ W0


def measure_linear_stage(parameters: dict, rng: np.random.Generator) -> dict:
    """Train once by gradient descent from a vanishing start.

    Parameters
    ----------
    parameters : dict
        ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``time_1``, ...: when the span of the units has an overlap of one half with a signal, at
        most ``STAGE_ITER``; ``law_1``, ...: what the linear law says for this start;
        ``largest_norm``: of a unit when the last of these has happened.
    """
    d = parameters["d"]
    data = SpikedModel(ALPHA, SNR).sample(d, rng)
    start = rng.standard_normal((d, len(SNR)))
    zeta = eigenvector_starts(data.X, data.W_star, start)
    history = gradient_descent(
        data.X, VANISHING * start, RATE, STAGE_ITER, W_star=data.W_star
    ).history
    measured = emergence_time(span_overlaps(history.M, history.Q))
    steps = np.arange(STAGE_ITER + 1.0)
    law = emergence_time(linear_overlaps(ALPHA, SNR, RATE, d, steps, zeta[None])[1][:, 0])
    end = int(min(measured.max(), STAGE_ITER))
    row = {"largest_norm": float(np.max(history.Q[end].diagonal()))}
    for i, (time, predicted) in enumerate(zip(measured, law, strict=True), start=1):
        row[f"time_{i}"] = float(min(time, STAGE_ITER))
        row[f"law_{i}"] = float(min(predicted, STAGE_ITER))
    return row


def sample_single(model: SpikedModel, d: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Draw data of rank one in single precision, without a copy in double precision.

    Returns
    -------
    X : (n, d) array of float32
    W_star : (d, 1) array
    """
    W_star = model.prior_w.sample((d, 1), rng)
    U = model.prior_u.sample((model.n(d), 1), rng)
    X = rng.standard_normal((len(U), d), dtype=np.float32)
    spike = (model.snr[0] / np.sqrt(d) * W_star[:, 0]).astype(np.float32)
    for rows in np.array_split(np.arange(len(U)), max(1, len(U) // 1000)):
        X[rows[0] : rows[-1] + 1] += U[rows].astype(np.float32) * spike
    return X, W_star


def measure_dimension(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Measure when one signal emerges, from several random starts on one draw of the data.

    Parameters
    ----------
    parameters : dict
        ``method``, a key of ``DIMENSION_SNR``, and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row a start: ``start`` (``"vanishing"`` or ``"finite"``), ``time``, and the component
        ``zeta`` of the start along the signal's eigenvector.
    """
    method, d = parameters["method"], parameters["d"]
    snr, longest = DIMENSION_SNR[method], DIMENSION_ITER[method]
    X, W_star = sample_single(SpikedModel(ALPHA, snr), d, rng)
    starts = rng.standard_normal((d, VANISHING_UNITS + FINITE_STARTS))
    zeta = eigenvector_starts(X, W_star, starts)[0]
    found = []
    if method == "descent":
        start = VANISHING * starts[:, :VANISHING_UNITS]
        run = gradient_descent(X, start, DIMENSION_RATE, longest, W_star=W_star)
        found += [("vanishing", a, run, a) for a in range(VANISHING_UNITS)]
    for column in range(VANISHING_UNITS, starts.shape[1]):
        start = starts[:, [column]]
        if method == "descent":
            run = gradient_descent(X, start, DIMENSION_RATE, longest, W_star=W_star)
        else:
            run = amp_rbm(X, start=start, tol=1e-300, max_iter=longest, W_star=W_star)
        found.append(("finite", 0, run, column))
    rows = []
    for name, unit, run, column in found:
        overlaps = unit_overlaps(run.history.M, run.history.Q)[:, 0, unit]
        time = float(min(emergence_time(overlaps), longest))
        rows.append({"start": name, "time": time, "zeta": float(zeta[column])})
    return rows


def linear_times(d: int, zeta) -> np.ndarray:
    """Return when one signal emerges, by the linear law, for starts with components `zeta`."""
    longest = DIMENSION_ITER["descent"]
    units, _ = linear_overlaps(
        *(ALPHA, DIMENSION_SNR["descent"], DIMENSION_RATE, d, np.arange(longest + 1.0)),
        np.asarray(zeta, dtype=float)[:, None, None],
    )
    return np.minimum(emergence_time(units[:, :, 0, 0]), longest)


def finite_norm_times(method: str, d: int, zeta) -> np.ndarray:
    r"""Predict emergence times from a start of norm one.

    The theories of fixed times, state evolution and the mean field, are started from an overlap
    $|\chi|/\sqrt d$ and followed until the signal emerges: heuristic, since that time grows with
    $d$. The time is interpolated in the logarithm of the first overlap.

    Parameters
    ----------
    method : str
        A key of ``DIMENSION_SNR``.
    d : int
    zeta : (m,) array

    Returns
    -------
    (m,) array
    """
    overlaps, found = _finite_norm_curve(method)
    first = np.log(np.abs(zeta) / np.sqrt(d))
    return np.interp(first, np.log(overlaps), found)


@lru_cache(maxsize=len(DIMENSION_SNR))
def _finite_norm_curve(method: str):
    """First overlaps, from 1e-5 to 0.49, and the times that theory takes from there."""
    model, longest = SpikedModel(ALPHA, DIMENSION_SNR[method]), DIMENSION_ITER[method]
    grid, found = np.geomspace(1e-5, 0.49, 13), []
    for m0 in grid:
        if method == "descent":
            path = dmft(model, [[m0]], [[1.0]], DIMENSION_RATE, longest, 2**12, 0, n_solves=2)
        else:
            path = state_evolution(model, [[m0]], [[1.0]], n_iter=longest)
        found.append(emergence_time(unit_overlaps(path.M, path.Q)[:, 0, 0]))
    return grid, np.minimum(found, longest)


EXPERIMENTS = (
    Experiment(
        name="emergence_linear",
        version=1,
        description="Emergence times from a vanishing start beside the linear law",
        measure=measure_linear_stage,
        scales={
            "quick": scale_of_sizes({100: 4, 150: 4, 200: 4}),
            "paper": scale_of_sizes(STAGE_INSTANCES),
        },
    ),
    Experiment(
        name="emergence_dimension",
        version=1,
        description="Emergence time of one signal over two decades of the dimension",
        measure=measure_dimension,
        scales={
            "quick": scale_of_sizes({50: 4, 100: 4}, method=DIMENSION_SNR),
            "paper": scale_of_sizes(DIMENSIONS, method=DIMENSION_SNR),
        },
    ),
)
