r"""Where training ends when units and signals differ in number (Corollary 1 and its conjecture).

On the same data AMP-RBM, gradient descent and L-BFGS start from the same random weights, and from
weights that know the signals. Everything below was fixed before the runs.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.algorithms.lbfgs import lbfgs
from rbmnotes.algorithms.starts import informed_start, random_start
from rbmnotes.experiments.engine.experiment import Experiment, Scale
from rbmnotes.model.objective import loss, loss_gradient
from rbmnotes.model.order_parameters import overlap
from rbmnotes.model.priors import Discrete, Prior, Rademacher
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.state_evolution import fixed_point

UNIT = Rademacher()
ALPHA = 4.0
D = 500
INSTANCES = 20
RANDOM_STARTS = 3

SPARSE = Discrete((-np.sqrt(5.0), 0.0, np.sqrt(5.0)), (0.1, 0.8, 0.1))
"""Latent variables that are mostly zero: heavier tails than a Gaussian's."""

LATENT = {"signs": Rademacher(), "sparse": SPARSE}

SETTINGS = (
    {"k": 1, "snr": [1.5, 1.35], "latent": "signs"},
    {"k": 1, "snr": [2.0, 1.2], "latent": "signs"},
    {"k": 2, "snr": [1.8, 1.5, 1.2], "latent": "signs"},
    {"k": 2, "snr": [1.6, 1.3], "latent": "signs"},
    {"k": 1, "snr": [1.6, 1.6], "latent": "sparse"},
    {"k": 2, "snr": [1.6, 1.6], "latent": "sparse"},
    {"k": 1, "snr": [0.5], "latent": "signs"},
    {"k": 2, "snr": [1.6], "latent": "signs"},
    {"k": 3, "snr": [1.6, 1.3], "latent": "signs"},
)
"""Fewer units than signals, as many; sparse U; a signal below threshold; spare units."""

LEARNING_RATE = 0.05
"""Two units push each other apart with a curvature of up to about 24, so 0.08 is too much."""

MAX_STEPS = 400
CLOSE = 1e-3
"""Size of the gradient at which gradient descent hands over to L-BFGS, to polish its end."""

STATIONARY = 1e-5
"""Size of the gradient that counts as stationary; L-BFGS ends a little below."""

AMP_ITERATIONS = 120

SAME_LOSS = 1e-6
"""Losses that differ by less are those of one point."""

ALIGNED = 0.3
"""Overlap from which a unit holds a signal; two random directions have about 0.04."""

MIXED = 0.5
"""Ratio of its second to its first overlap from which a unit holds a mixture."""


def descend(X, W) -> np.ndarray:
    """Minimise the objective by L-BFGS from a start (d, k), to the last digits."""
    return lbfgs(X, W, UNIT, decrease=1e-16, max_iter=2000, memory=10).W


def held(cosines: np.ndarray) -> str:
    """Say in one string which signal each unit holds.

    Parameters
    ----------
    cosines : (r, k) array
        Overlaps of every signal with every unit.

    Returns
    -------
    str
        A sorted character a unit: the number of a signal from 1 on, ``0`` for none, ``x`` for a
        mixture.
    """
    letters = []
    for column in np.abs(cosines).T:
        order = np.argsort(column)[::-1]
        first, second = column[order[0]], column[order[1]] if len(column) > 1 else 0.0
        if first < ALIGNED:
            letters.append("0")
        else:
            letters.append("x" if second > MIXED * first else str(order[0] + 1))
    return "".join(sorted(letters))


def measure_landscape(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Train one draw by every algorithm from every start.

    Parameters
    ----------
    parameters : dict
        ``k`` units, ``snr`` (list, one a signal), ``latent`` (key of ``LATENT``) and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row a run: ``algorithm``, ``start`` (``random``, ``rotated`` or the signals that an
        informed start knows), ``run`` (its number), ``held`` at the end, ``loss``,
        ``gradient_size``, ``n_iter`` (-1 for L-BFGS), ``stationary``, ``largest_overlap`` with a
        signal, and ``largest_angle``, the largest cosine between two units.
    """
    k, snr = parameters["k"], parameters["snr"]
    model = SpikedModel(ALPHA, snr, prior_u=LATENT[parameters["latent"]])
    data = model.sample(parameters["d"], rng)
    rows = []

    def record(algorithm, start, run, W, n_iter=-1, settled=True):
        rows.append(
            {"algorithm": algorithm, "start": start, "run": run, "n_iter": n_iter}
            | _describe(data, W, settled)
        )

    for run in range(RANDOM_STARTS):
        W = random_start(parameters["d"], k, rng)
        fit = amp_rbm(data.X, start=W, V0=0.1 * np.eye(k), max_iter=AMP_ITERATIONS)
        record("AMP-RBM", "random", run, fit.W, fit.n_iter, fit.converged)
        record("L-BFGS", "random", run, descend(data.X, W))
        end = gradient_descent(data.X, W, LEARNING_RATE, MAX_STEPS, UNIT, tol=CLOSE)
        record("GD", "random", run, descend(data.X, end.W), end.n_iter)
    for start, directions in _informed_directions(k, snr, parameters["latent"]):
        M = directions * np.array(snr)[:, None]
        W = informed_start(data.W_star, M, M.T @ M + 0.5 * np.eye(k), rng)
        fit = amp_rbm(data.X, start=W, V0=0.1 * np.eye(k), max_iter=AMP_ITERATIONS)
        record("AMP-RBM", start, 0, fit.W, fit.n_iter, fit.converged)
        record("L-BFGS", start, 0, descend(data.X, W))
    return rows


def _informed_directions(k, snr, latent):
    """Yield name and (r, k) directions of the starts that know signals; spare units know none."""
    r = len(snr)
    for chosen in combinations(range(r), min(k, r)):
        directions = np.zeros((r, k))
        directions[chosen, range(len(chosen))] = 1.0
        yield "".join(str(signal + 1) for signal in chosen), directions
    if latent == "sparse":
        yield "rotated", np.array([[1.0, 1.0], [1.0, -1.0]])[:, :k] / np.sqrt(2.0)


def _describe(data, W, settled):
    """Measure where a run ended."""
    cosines = overlap(data.W_star, W)
    units = W / np.linalg.norm(W, axis=0)
    angles = np.abs(units.T @ units - np.eye(W.shape[1]))
    size = float(np.linalg.norm(loss_gradient(data.X, W)) / np.sqrt(W.size))
    return {
        "held": held(cosines),
        "loss": loss(data.X, W),
        "gradient_size": size,
        "stationary": bool(settled and size < STATIONARY),
        "largest_overlap": float(np.abs(cosines).max()),
        "largest_angle": float(angles.max()),
    }


def balanced_pair(d: int, snr, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    r"""Draw data of two signals whose sparse latent variables have exactly their proportions.

    The signals are orthogonal, and the noise has no mean field along latent variables and signals.
    All of this holds in the limit. At finite d a sample of ``SPARSE`` has strengths that
    fluctuate by some 5 % at d = 400, which moves a mixture's overlaps by much more than 1/d.

    Parameters
    ----------
    d : int
        Dimension, a multiple of 50.
    snr : (2,) sequence
        Strengths.
    rng : numpy.random.Generator

    Returns
    -------
    X : (n, d) array
    W_star : (d, 2) array
    """
    n, law = int(ALPHA * d), list(zip(SPARSE.support, SPARSE.probabilities, strict=True))
    pairs = [((u, v), round(n * p * q)) for u, p in law for v, q in law]
    U = np.repeat([pair for pair, _ in pairs], [count for _, count in pairs], axis=0)
    if d % 50 or len(U) != n:
        raise ValueError(f"d must be a multiple of 50; got {d!r}")
    W_star = np.ones((d, 2))
    W_star[d // 2 :, 1] = -1.0
    Z = rng.standard_normal((n, d))
    Z -= U @ np.linalg.solve(U.T @ U, U.T @ Z @ W_star) @ W_star.T / d
    return U * snr @ W_star.T / np.sqrt(d) + Z, W_star


def mixed_law(prior: Discrete) -> Discrete:
    r"""Return the law of $(U_1+U_2)/\sqrt2$ for two independent variables of law `prior`."""
    values, weights = np.array(prior.support), np.array(prior.probabilities)
    sums = np.round((values[:, None] + values) / np.sqrt(2.0), 12).ravel()
    products = np.outer(weights, weights).ravel()
    support = np.unique(sums)
    return Discrete(support, [float(products[sums == value].sum()) for value in support])


def predicted_loss(snr, pattern: str, prior_u: Prior = Rademacher()) -> float:
    r"""Return the loss of the stationary point of Corollary 1 at which `pattern` is held.

    The sum of the losses of its units, each with its own signal; a unit without a signal has the
    replica-symmetric value of the state $m=0$, which is a lower bound only. A unit that holds a
    mixture, of two signals of equal strength, has their mixed latent variable.

    Parameters
    ----------
    snr : sequence of float
        Signal strengths.
    pattern : str
        As :func:`held` returns it; NaN is returned if two units hold one signal.
    prior_u : Prior
        Law of a latent variable.

    Returns
    -------
    float
    """
    signals = pattern.replace("0", "").replace("x", "")
    if len(set(signals)) < len(signals):
        return np.nan
    losses = []
    for unit in pattern:
        if unit == "0":
            point = fixed_point(ALPHA, 0.0, start=0.0)
        elif unit == "x":
            point = fixed_point(ALPHA, snr[0], prior_u=mixed_law(prior_u))
        else:
            point = fixed_point(ALPHA, snr[int(unit) - 1], prior_u=prior_u)
        losses.append(point.loss)
    return float(sum(losses))


def excess_over_informed(table: pd.DataFrame) -> pd.DataFrame:
    """Compare every random start with the best informed start on the same data.

    Parameters
    ----------
    table : pandas.DataFrame
        Results of one setting.

    Returns
    -------
    pandas.DataFrame
        The rows from random starts, with a column ``excess``: their loss less the lowest loss that
        L-BFGS reached from an informed start of the same instance.
    """
    informed = table[(table.algorithm == "L-BFGS") & ~table.start.isin(("random", "rotated"))]
    lowest = informed.groupby("instance").loss.min()
    rows = table[table.start == "random"]
    return rows.assign(excess=rows.loss - rows.instance.map(lowest))


def _grid(d):
    return tuple(setting | {"d": d} for setting in SETTINGS)


EXPERIMENTS = (
    Experiment(
        name="landscape",
        version=1,
        description="Corollary 1: where AMP-RBM, gradient descent and L-BFGS end, for any k and r",
        measure=measure_landscape,
        scales={
            "quick": Scale(_grid(d=100), 2),
            "paper": Scale(_grid(d=D), INSTANCES),
        },
    ),
)
