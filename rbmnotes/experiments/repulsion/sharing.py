r"""Units that do not see each other: how often they share a signal, how they align, at several d.

Many units on one draw of the data, each trained for itself from a small random start: given the
data they are independent and of one law, which gives unit $a$ the signal $i$ with a probability
$p_i$. Beside them as many units as signals, trained together. Sizes, numbers of draws, start and
rate were fixed beforehand, after trial runs on other seeds.

*What is to be expected.* Two units share with probability $\sum_ip_i^2\ge1/r$. The excess,
$\sum_i(p_i-1/r)^2$, is never negative, and quadratic in what tells the signals apart in the draw,
of order $d^{-1/2}\log d$: so it should fall as $1/d$ up to logarithms. In the same way the mean
squared cosine of two units in the signals' span is $1/r+\|\Sigma-I/r\|_F^2$, with the second
moment $\Sigma$ of a unit's direction.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh
from scipy.special import comb

from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.experiments.repulsion.repulsion import (
    ALPHA,
    LINEAR,
    RATE,
    SNR,
    START,
    held_signals,
    togetherness,
)
from rbmnotes.model.products import times, transposed_times
from rbmnotes.model.spiked import SpikedModel

UNITS = 24
"""Units alone on every draw of the data."""

LONGEST = 400
"""Steps after which a unit that holds no signal counts as trapped."""

REST = 1e-3
"""Size of the gradient below which a unit that holds a signal, or a group of units, rests."""

DRAWS = {
    2: {250: 40, 500: 40, 1000: 20},
    4: {250: 40, 500: 40, 1000: 20},
    6: {250: 40, 500: 40, 1000: 10, 2000: 8},
}
"""Draws of the data, by the number of signals and the dimension."""

FIT_FROM = {2: 250, 4: 250, 6: 500}
"""Smallest dimension of a fit in powers of d, which needs a small excess."""


def train_each(X, W0, W_star, n_iter: int = LONGEST) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Train every column for itself: Rademacher units, penalty $\frac12{\rm tr}\,Q$.

    Parameters
    ----------
    X : (n, d) array
    W0 : (d, k) array
    W_star : (d, r) array
    n_iter : int
        A unit stops earlier once it holds a signal and rests (``REST``).

    Returns
    -------
    W : (d, k) array
        Weights at the end.
    M : (r, k) array
        Overlaps of every unit when it leaves the linear stage.
    left : (k,) array of int
        The step at which it does, -1 for never.
    """
    W, (d, k) = np.array(W0, dtype=float), W0.shape
    M, left, active = np.zeros((W_star.shape[1], k)), np.full(k, -1), np.arange(k)
    for t in range(n_iter + 1):
        now = W[:, active]
        leaving = (np.sum(now**2, axis=0) >= LINEAR * d) & (left[active] < 0)
        M[:, active[leaving]] = W_star.T @ now[:, leaving] / d
        left[active[leaving]] = t
        pull = transposed_times(X, np.tanh(times(X, now) / np.sqrt(d))) / np.sqrt(d)
        descent = pull - len(X) / d * now
        resting = np.linalg.norm(descent, axis=0) < REST * np.sqrt(d)
        going = ~(resting & (held_signals(W_star, now) >= 0))
        if t == n_iter or not going.any():
            break
        active = active[going]
        W[:, active] += RATE * descent[:, going]
    return W, M, left


def outliers(X, W_star) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the eigenvalues of $X^\top X/d$ that belong to the signals, and their eigenvectors.

    Parameters
    ----------
    X : (n, d) array
    W_star : (d, r) array

    Returns
    -------
    values : (r,) array
    vectors : (d, r) array
        Of unit length.
    """
    d, r = W_star.shape

    def product(v):
        return transposed_times(X, times(X, v.reshape(d, 1)))[:, 0] / d

    operator = LinearOperator((d, d), matvec=product, dtype=np.float64)
    return eigsh(operator, r, v0=W_star.sum(axis=1), ncv=8 * r, tol=1e-4)


def squared_cosine(M) -> float:
    """Return the mean squared cosine between columns, over all pairs: (r, k) to a number."""
    k = M.shape[1]
    unit = M / np.linalg.norm(M, axis=0)
    return float((np.sum((unit.T @ unit) ** 2) - k) / (k * (k - 1)))


def measure_sharing(parameters: dict, rng: np.random.Generator) -> dict:
    """Train units alone and units together on one draw of the data.

    Parameters
    ----------
    parameters : dict
        ``r``, signals, and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Of ``UNITS`` units alone: ``held_1``, ..., how many end on each signal; ``lost``, how
        many on none; ``aligned``, :func:`squared_cosine` of their parts in the signals' span when
        they leave the linear stage, and ``aligned_law``, the same from the start's components
        along this draw's outliers, each multiplied by its own growth; ``left``, the mean step
        at which they leave it. Of ``r`` units together: ``peak`` of their mean squared cosine
        and ``peak_time``, ``found``, signals that a unit holds at the end, ``together_lost``,
        units that hold none, and ``steps`` until rest.
    """
    r, d = parameters["r"], parameters["d"]
    data = SpikedModel(ALPHA, [SNR] * r).sample(d, rng)
    X, W_star = data.X.astype(np.float32), data.W_star
    del data
    W0 = START * rng.standard_normal((d, UNITS))
    W, M, left = train_each(X, W0, W_star)
    held = held_signals(W_star, W)
    counts = np.bincount(held[held >= 0], minlength=r)

    values, vectors = outliers(X, W_star)
    growth = (1.0 + RATE * (values[:, None] - len(X) / d)) ** left
    law = W_star.T @ vectors @ (growth * (vectors.T @ W0))

    run = gradient_descent(X, W0[:, :r], RATE, LONGEST, W_star=W_star, tol=REST)
    path, together = togetherness(run.history.Q) ** 2, held_signals(W_star, run.W)
    return {f"held_{i}": int(n) for i, n in enumerate(counts, start=1)} | {
        "lost": int(np.sum(held < 0)),
        "aligned": round(squared_cosine(M), 6),
        "aligned_law": round(squared_cosine(law), 6),
        "left": round(float(left.mean()), 6),
        "peak": round(float(path.max()), 6),
        "peak_time": int(path.argmax()),
        "found": len(set(together[together >= 0])),
        "together_lost": int(np.sum(together < 0)),
        "steps": run.n_iter,
    }


def counts_of(rows, r: int) -> np.ndarray:
    """Return how many units hold each signal, (draws, r), from rows of the table."""
    return rows[[f"held_{i}" for i in range(1, r + 1)]].to_numpy(dtype=float)


def distinct(counts, k: int, lost=0.0) -> np.ndarray:
    r"""Return the mean number of distinct signals held by k of the units of a draw.

    Averaged over all choices of k units, $\sum_i\big[1-\binom{N-n_i}k/\binom Nk\big]$ with $N$
    units of which $n_i$ hold signal $i$: an unbiased estimate for k fresh units on this draw.

    Parameters
    ----------
    counts : (..., r) array
        Units that hold each signal.
    k : int
    lost : (...) array
        Units that hold none, to choose from as well; by default among those that hold one.

    Returns
    -------
    (...) array
        NaN where there are fewer than k units to choose from.
    """
    counts = np.asarray(counts, dtype=float)
    total = (counts.sum(axis=-1) + np.asarray(lost, dtype=float))[..., None]
    choices = np.where(total >= k, comb(total, k), np.nan)
    return np.sum(1.0 - comb(total - counts, k) / choices, axis=-1)


def sharing(counts) -> np.ndarray:
    """Return the share of pairs of units that hold the same signal: (..., r) to (...).

    NaN where fewer than two units hold one.
    """
    counts = np.asarray(counts, dtype=float)
    total = counts.sum(axis=-1)
    pairs = np.where(total >= 2, total * (total - 1.0), np.nan)
    return np.sum(counts * (counts - 1.0), axis=-1) / pairs


def independent_distinct(r: int, k: int) -> float:
    """Return the mean number of distinct signals in k independent and uniform draws of r."""
    return r * (1.0 - (1.0 - 1.0 / r) ** k)


_GRID = [(r, d, draws) for r, sizes in DRAWS.items() for d, draws in sizes.items()]


EXPERIMENTS = (
    Experiment(
        name="sharing",
        version=1,
        description="Units alone: how often they share an equal signal, how they align (Figure 7)",
        measure=measure_sharing,
        scales={
            "quick": Scale(grid(r=[2, 4], d=[100]), 2),
            "paper": Scale([{"r": r, "d": d} for r, d, _ in _GRID], [draws for *_, draws in _GRID]),
        },
    ),
)
