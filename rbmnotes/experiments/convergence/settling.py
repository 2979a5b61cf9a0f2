r"""Whether AMP-RBM settles, on what law of rows, and whether that is a minimum.

Assumption 2, Theorem 4 and the curvature beside a signal that no unit has learned. Sizes,
instances, settings and windows of the comparisons are fixed here.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from scipy.special import ndtr

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments.convergence.endpoints import ALPHA, descend
from rbmnotes.model.objective import loss, loss_gradient
from rbmnotes.model.priors import Discrete, Rademacher
from rbmnotes.model.proximal import proximal_map
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.state_evolution import fixed_point

CHANGE_SNR = (1.2, 0.95, 0.75)
"""At alpha = 4 the replicon is below one, closer to one, and above one."""
CHANGE_START = {"m0": 0.5, "q0": 1.0, "V0": 0.1}
CHANGE_ITERATIONS = 20
CHANGE_WINDOW = (5, 12)
"""Iterations between which the decay is measured."""
CHANGE_INSTANCES = {300: 60, 600: 40, 1200: 30}

ROWS_ALPHA = 2.0
ROWS_SNR = (1.9, 1.6)
ROWS_PRIORS = {"signs": Rademacher(), "skewed": Discrete((-0.5, 2.0), (0.8, 0.2))}
ROWS_INSTANCES = {400: 100, 800: 50, 1600: 25, 3200: 20}
"""More where a run fluctuates more; the distances are compared over the first 20 of each size."""

CURVATURE_LEARNED = 1.35
CURVATURE_SCALE = ALPHA
"""Curvature of the penalty alone: the scale that errors are compared with."""
CURVATURE_MISSED = (1.4, 1.6, 2.0)
CURVATURE_INSTANCES = {200: 100, 400: 50, 800: 30}


def measure_change(parameters: dict, rng: np.random.Generator) -> list[dict]:
    r"""Measure how much the weights move in every iteration of AMP-RBM, one unit and one signal.

    Parameters
    ----------
    parameters : dict
        ``snr`` and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row an iteration: ``t`` and ``change``, $\frac1d\|W^{t+1}-W^t\|^2$.
    """
    data = SpikedModel(ALPHA, parameters["snr"]).sample(parameters["d"], rng)
    m0, q0, V0 = CHANGE_START.values()
    start = informed_start(data.W_star, [[m0]], [[q0]], rng)
    fit = amp_rbm(data.X, start=start, V0=[[V0]], tol=1e-300, max_iter=CHANGE_ITERATIONS)
    return [{"t": t, "change": float(change**2)} for t, change in enumerate(fit.history.change)]


def measure_rows(parameters: dict, rng: np.random.Generator) -> dict:
    r"""Compare the rows of a stationary point with their law, two units and two signals.

    Parameters
    ----------
    parameters : dict
        ``prior_w`` (key of :data:`ROWS_PRIORS`) and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        For each unit a: ``m_a`` the overlap with its signal, ``noise_a`` the variance of the rest
        $w-m\,w^\star$ (m that of theory), ``distance_a`` the largest difference between the
        distribution function of the rest and the law's, over the rows with one value of the
        signal, and ``wrong_a`` the same for a law of which the standard deviation is ten per
        cent too small; then ``noise_12``, the correlation of the two rests, ``product``, the mean
        of $|w_1w_2|$, ``gradient_size`` and ``converged``.
    """
    prior = ROWS_PRIORS[parameters["prior_w"]]
    model = SpikedModel(ROWS_ALPHA, ROWS_SNR, prior_w=prior)
    data = model.sample(parameters["d"], rng)
    start = data.W_star * ROWS_SNR + np.sqrt(0.5) * rng.standard_normal(data.W_star.shape)
    fit = amp_rbm(data.X, start=start, V0=0.1 * np.eye(2), tol=1e-6, max_iter=200)
    signs = np.sign(np.sum(fit.W * data.W_star, axis=0))
    W, row, rests = fit.W * signs, {}, []
    for unit, snr in enumerate(ROWS_SNR):
        point = fixed_point(ROWS_ALPHA, snr)
        signal = data.W_star[:, unit]
        rest = W[:, unit] - point.m * signal
        spread = np.sqrt(point.q - point.m**2)
        rests.append(rest)
        row |= {
            f"m_{unit + 1}": float(signal @ W[:, unit] / len(W)),
            f"noise_{unit + 1}": float(np.mean(rest**2)),
            f"distance_{unit + 1}": law_distance(rest / spread, signal),
            f"wrong_{unit + 1}": law_distance(rest / (0.9 * spread), signal),
        }
    return row | {
        "noise_12": float(np.corrcoef(rests)[0, 1]),
        "product": float(np.mean(np.abs(W[:, 0] * W[:, 1]))),
        "gradient_size": fit.gradient_size,
        "converged": fit.converged,
    }


def frozen_amp(point, alpha: float, snr: float, d: int, n_iter: int, rng) -> np.ndarray:
    r"""Run AMP-RBM with its response and multiplier frozen at a fixed point (paper eqs. 110-112).

    One Rademacher unit, one signal. The start has the fixed point's overlaps and fresh noise.

    Parameters
    ----------
    point : FixedPoint
        Where $V$ and the overlaps of the start are taken from.
    alpha, snr : float
        Sample ratio and signal strength.
    d : int
        Dimension.
    n_iter : int
        Number of iterations.
    rng : int or numpy.random.Generator
        Seed or generator of the data and the start.

    Returns
    -------
    (n_iter, 3) array
        After each iteration: the covariance $\frac1dW^{t\top}W^{t+1}$ with the iterate before, the
        self overlap and the loss.
    """
    rng = np.random.default_rng(rng)
    data = SpikedModel(alpha, snr).sample(d, rng)
    W = informed_start(data.W_star, [[point.m]], [[point.q]], rng)
    A, g, rows = 1.0 / point.V - alpha, 0.0, []
    for _ in range(n_iter):
        omega = data.X @ W / np.sqrt(d) - point.V * g
        g = proximal_map(omega, [[point.V]]).g
        new = point.V * (data.X.T @ g / np.sqrt(d) + A * W)
        rows.append((np.vdot(W, new) / d, np.vdot(new, new) / d, loss(data.X, new)))
        W = new
    return np.array(rows)


def law_distance(values, classes) -> float:
    """Return the largest Kolmogorov-Smirnov distance to the normal law within a class of rows.

    Parameters
    ----------
    values : (d,) array
    classes : (d,) array
        The rows of equal value form a class.

    Returns
    -------
    float
        Each class counts with the square root of its share, so that all have the same noise.
    """
    distances = []
    for value in np.unique(classes):
        ordered = ndtr(np.sort(values[classes == value]))
        n = len(ordered)
        steps = np.arange(n + 1) / n
        largest = max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1]))
        distances.append(largest * np.sqrt(n / len(values)))
    return float(max(distances))


def measure_curvature(parameters: dict, rng: np.random.Generator) -> dict:
    r"""Measure the Hessian where one unit holds the first of two signals and nothing of the second.

    That point is the minimum of the objective of data without any component along the second
    signal; of the gradient with the full data only that component is left, and vanishes with $d$.
    So saddles and minima are found alike, also where fluctuations of a small system would make
    the stationary point disappear.

    Parameters
    ----------
    parameters : dict
        ``missed`` (strength of the second signal) and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``smallest`` eigenvalue, ``alignment`` of its vector with the missed signal (a cosine),
        ``overlap_learned`` of the weights, ``gradient_size`` with the full data.
    """
    d = parameters["d"]
    data = SpikedModel(ALPHA, [CURVATURE_LEARNED, parameters["missed"]]).sample(d, rng)
    missed = data.W_star[:, 1] / np.linalg.norm(data.W_star[:, 1])
    m = CURVATURE_LEARNED
    W = informed_start(data.W_star, [[m], [0.0]], [[m * m + 0.3]], rng)
    W = descend(data.X - np.outer(data.X @ missed, missed), W)
    values, vectors = eigh(hessian(data.X, W[:, 0]), subset_by_index=[0, 0])
    cosine = data.W_star[:, 0] @ W[:, 0] / (np.linalg.norm(W) * np.sqrt(d))
    return {
        "smallest": float(values[0]),
        "alignment": float(abs(vectors[:, 0] @ missed)),
        "overlap_learned": float(abs(cosine)),
        "gradient_size": float(np.linalg.norm(loss_gradient(data.X, W)) / np.sqrt(d)),
    }


def hessian(X, w) -> np.ndarray:
    r"""Return the Hessian of $d\,\mathcal L$ for one Rademacher unit.

    $\alpha I-\frac1dX^\top{\rm diag}(1-\tanh^2z)X$: the penalty is $\frac\alpha2\|w\|^2/d$.

    Parameters
    ----------
    X : (n, d) array
    w : (d,) array

    Returns
    -------
    (d, d) array
    """
    n, d = X.shape
    root = 1.0 / np.cosh(X @ w / np.sqrt(d))
    weighted = X * root[:, None]
    return n / d * np.eye(d) - weighted.T @ weighted / d
