r"""Gradient descent against its dynamical mean-field theory, step by step (Theorem 5; Figure 2).

Six settings, fixed beforehand: one unit, and two units from a start that is not diagonal, so that
every index order shows; informed starts with small and with large steps, and a start that knows
little of the signals. A draw of the data serves the three settings of its model.

What a run finds is one row of named numbers: ``M01(5)`` is the entry (0, 1) of $M$ at iteration 5,
``C10(15,5)`` that of $C(15,5)$; ``loss(5)`` and ``gradient(5)`` speak for themselves;
``below0(5,-1)`` is the share of samples whose field of unit 0 lies below $-1$. The theory gives
numbers of the same names. ``mean01(5)`` and ``noise01(15,5)`` say how far
$h^t-\sum_{s<t}R(t,s)^\top F(h^s)$ is from having the mean $M_t^\top\Lambda U$ and the covariance
$C(t,s)$; with a prime, when the responses are ten per cent too small.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rbmnotes.algorithms.descent import gradient_descent
from rbmnotes.algorithms.starts import informed_start
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.experiments.named_numbers import name_entries, name_order_parameters
from rbmnotes.model.objective import eta1_gradient
from rbmnotes.model.priors import Rademacher
from rbmnotes.model.products import times
from rbmnotes.model.spiked import SpikedModel
from rbmnotes.theory.dmft import dmft

N_ITER = 50
RECORDED = (*range(11), 12, 15, 20, 25, 30, 40, 50)
"""Iterations at which M, Q, loss and gradient are kept."""

TIMES = (0, 5, 15, 50)
"""Iterations between which C is kept, and at which the law of the fields is examined."""

THRESHOLDS = (-2.0, -1.0, 0.0, 1.0, 2.0)
WRONG = 0.9
"""Factor on the responses that the primed quantities use."""

GRADIENT_FLOOR = 1e-4
"""Predicted size of the gradient below which it is not compared.

The theory's paths are sampled from C with a diagonal larger by a share of 1e-10, so that steps
shorter than about 1e-5 drown in noise; products in single precision have a floor of 1e-6.
"""

RESPONSE_PATHS = 2**14
ALPHA = 2.0
MODELS = {"one unit": (1.5,), "two units": (1.9, 1.5)}
"""Strengths of the signals, as many as units."""

_INFORMED = {
    "one unit": ([[0.5]], [[1.0]]),
    "two units": ([[0.6, 0.25], [-0.2, 0.5]], [[0.9, 0.2], [0.2, 0.9]]),
}
_PARTLY = {
    "one unit": ([[0.2]], [[1.0]]),
    "two units": ([[0.25, 0.1], [-0.1, 0.2]], [[0.7, 0.2], [0.2, 0.7]]),
}
SETTINGS = {
    "one unit, small steps": ("one unit", _INFORMED, 0.1),
    "one unit, large steps": ("one unit", _INFORMED, 0.8),
    "one unit, partly informed": ("one unit", _PARTLY, 0.3),
    "two units, small steps": ("two units", _INFORMED, 0.05),
    "two units, large steps": ("two units", _INFORMED, 0.12),
    "two units, partly informed": ("two units", _PARTLY, 0.08),
}
"""Model, start and learning rate."""


def arguments(setting: str) -> tuple[SpikedModel, np.ndarray, np.ndarray, float]:
    """Return model, overlap and self overlap of the start, and learning rate of a setting."""
    name, start, rate = SETTINGS[setting]
    M0, Q0 = (np.array(matrix) for matrix in start[name])
    return SpikedModel(ALPHA, MODELS[name]), M0, Q0, rate


def measure_dynamics(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Draw data once and run gradient descent in every setting of a model.

    Parameters
    ----------
    parameters : dict
        ``model``, a key of ``MODELS``, and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row a setting: its name as ``setting``, and what the module's docstring lists, with seven
        significant digits. The products of the data are computed in single precision, whose
        relative error of 1e-6 is far below what differs between instances.
    """
    names = [name for name, (model, _, _) in SETTINGS.items() if model == parameters["model"]]
    data = arguments(names[0])[0].sample(parameters["d"], rng)
    X, U, W_star = data.X.astype(np.float32), data.U, data.W_star
    del data
    rows = []
    for name in names:
        model, M0, Q0, rate = arguments(name)
        start = informed_start(W_star, M0, Q0, rng)
        history = gradient_descent(X, start, rate, N_ITER, W_star=W_star, keep_weights=True).history
        weights = history.weights
        row = name_order_parameters(
            RECORDED, history.M, history.Q, history.loss, history.gradient_size
        )
        h = times(X, np.hstack(list(weights))).reshape(len(X), N_ITER + 1, -1).swapaxes(0, 1)
        h /= np.sqrt(len(start))
        C = {(t, s): weights[t].T @ weights[s] / len(start) for t in TIMES for s in TIMES if s <= t}
        row |= name_entries({("C", t, s): matrix for (t, s), matrix in C.items() if s < t})
        row |= _shares(h)
        drift = [(U * model.snr) @ M for M in history.M]
        for prime, factor in (("", 1.0), ("'", WRONG)):
            row |= _noise(h, U, drift, C, factor * _responses(name), prime)
        rows.append({"setting": name} | {key: float(f"{x:.7g}") for key, x in row.items()})
    return rows


def measure_mean_field(parameters: dict, rng: np.random.Generator) -> dict:
    """Solve the mean-field theory once; instances are independent solves.

    Parameters
    ----------
    parameters : dict
        ``setting``, a key of ``SETTINGS``, and ``n_paths``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        What the module's docstring lists, but for the noise, whose theory is zero.
    """
    model, M0, Q0, rate = arguments(parameters["setting"])
    theory = dmft(
        model, M0, Q0, rate, N_ITER + 1, parameters["n_paths"], rng, n_solves=1, keep_paths=True
    )
    gradient = gradient_size(theory.C, rate)
    row = name_order_parameters(RECORDED, theory.M, theory.Q, theory.loss, gradient)
    pairs = [(t, s) for t in TIMES for s in TIMES if s < t]
    row |= name_entries({("C", t, s): theory.C[t, s] for t, s in pairs})
    return row | _shares(theory.fields.swapaxes(0, 1))


def gradient_size(C: np.ndarray, learning_rate: float) -> np.ndarray:
    r"""Return $\|d\,\nabla\mathcal L\|_F/\sqrt{dk}$ at every step but the last, from $C$.

    A step changes the weights by $-\kappa\,d\nabla\mathcal L$, so its squared size is
    $C(t+1,t+1)-2C(t+1,t)+C(t,t)$, summed over units.

    Parameters
    ----------
    C : (T + 1, T + 1, k, k) array
    learning_rate : float
        $\kappa>0$.

    Returns
    -------
    (T,) array
    """
    traces = np.einsum("tsaa->ts", C)
    diagonal = traces.diagonal()
    squares = diagonal[1:] - 2.0 * traces.diagonal(-1) + diagonal[:-1]
    return np.sqrt(np.maximum(squares, 0.0) / C.shape[-1]) / learning_rate


@lru_cache(maxsize=len(SETTINGS))
def _responses(setting: str) -> np.ndarray:
    """Return R of a setting, (T + 1, T + 1, k, k)."""
    model, M0, Q0, rate = arguments(setting)
    return dmft(model, M0, Q0, rate, N_ITER, RESPONSE_PATHS, rng=0).R


def _shares(h) -> dict:
    """Distribution functions of the fields (T + 1, n, k), unit by unit."""
    return {
        f"below{a}({t},{x:g})": float(np.mean(h[t, :, a] < x))
        for t in TIMES
        for a in range(h.shape[2])
        for x in THRESHOLDS
    }


def _noise(h, U, drift, C, R, prime) -> dict:
    r"""Moments of $h^t-M_t^\top\Lambda U-\sum_{s<t}R(t,s)^\top F(h^s)$, less those predicted.

    Mean and covariance are those of the run itself, `drift` and `C`: what its order parameters
    share with its fields then drops out.
    """
    forces = eta1_gradient(h[:-1], Rademacher())
    rest = {
        t: h[t] - drift[t] - np.einsum("snb,sba->na", forces[:t], R[t, :t], optimize=True)
        for t in TIMES
    }
    matrices = {(f"mean{prime}", t): U.T @ rest[t] / len(U) for t in TIMES}
    return name_entries(
        matrices | {(f"noise{prime}", t, s): rest[t].T @ rest[s] / len(U) - C[t, s] for t, s in C}
    )


EXPERIMENTS = (
    Experiment(
        name="dynamics",
        version=1,
        description="Gradient descent, every step: what its mean-field theory predicts (Figure 2)",
        measure=measure_dynamics,
        scales={
            "quick": Scale(grid(model=MODELS, d=[100, 200, 400]), 10),
            "paper": Scale(grid(model=MODELS, d=[1000, 2000, 4000]), 60),
        },
        figure=2,
    ),
    Experiment(
        name="mean_field",
        version=1,
        description="Independent solves of gradient descent's mean-field theory (Figure 2)",
        measure=measure_mean_field,
        scales={
            "quick": Scale(grid(setting=SETTINGS, n_paths=[2**8]), 8),
            "paper": Scale(grid(setting=SETTINGS, n_paths=[2**14, 2**15]), 16),
        },
    ),
)
