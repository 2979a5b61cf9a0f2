r"""Theorem 1 and Corollary 2: the error of the effective likelihood and its gradients against $d$.

The clamped terms of the two likelihoods are the same, so the error per sample is that of
$\log Z$, whatever the data; with the hidden states enumerated it is known to round-off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.experiments.instances import instances_by_size
from rbmnotes.model.joint_states import joint_states
from rbmnotes.model.priors import Bernoulli, Discrete, Prior, Rademacher
from rbmnotes.model.rbm import RBM

SIZES = (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
FIT_FROM = 300
CORRELATED_SIZES, CORRELATED_INSTANCES = (300, 1000, 3000, 10_000), 80
"""So many that the interval of the exponent, wider here, is narrow enough to decide."""

MEAN_SIZES = (10_000, 30_000, 90_000)
"""For visible units with a mean. If they are skewed the next order is smaller by a root of d only:
from d = 3000 on it changes a fitted exponent by 0.01, as much as such a fit can tell."""
N_INSTANCES = 20
K = 3

COLUMN_SUMS = (0.8, -0.6, 0.4)
r"""Column sums of the weights over $\sqrt d$, where visible units have a mean."""

SKEWED = Discrete((2.0, -0.5), (0.2, 0.8))
"""Mean zero, variance one, third moment 3/2: the simplest visible unit that is not symmetric."""

SKEWED_WITH_MEAN = Discrete((3.0, 0.5), (0.2, 0.8))
"""The same unit raised by one: mean one."""


@dataclass(frozen=True)
class Scenario:
    r"""A family of RBMs whose size grows.

    Attributes
    ----------
    name : str
    hidden, visible : Prior
    biases : bool
        Whether both layers have biases.
    skewed_weights : bool
        Draw weights from ``SKEWED`` instead of the uniform law of variance one.
    correlation : float
        Correlation of the first two columns of the weights.
    slope : float
        Exponent with which the error of $\log Z$ falls.
    """

    name: str
    hidden: Prior
    biases: bool
    visible: Prior = Rademacher()
    skewed_weights: bool = False
    correlation: float = 0.0
    slope: float = -1.0


SCENARIOS = (
    Scenario("Rademacher hidden, no biases", Rademacher(), biases=False),
    Scenario("Rademacher hidden, biases", Rademacher(), biases=True),
    Scenario("Bernoulli hidden, no biases", Bernoulli(), biases=False),
    Scenario("Bernoulli hidden, biases", Bernoulli(), biases=True),
    Scenario(
        "Bernoulli hidden, skewed visible and weights",
        Bernoulli(),
        biases=False,
        visible=SKEWED,
        skewed_weights=True,
        slope=-0.5,
    ),
)

CORRELATED = Scenario(
    "Rademacher hidden, biases, correlated columns", Rademacher(), biases=True, correlation=0.6
)
"""The second scenario, but for the correlation of two columns of the weights."""

MEAN_SCENARIOS = (
    Scenario(
        "skewed visible units of mean one, skewed weights",
        Bernoulli(),
        biases=False,
        visible=SKEWED_WITH_MEAN,
        skewed_weights=True,
        slope=-0.5,
    ),
    Scenario("Bernoulli visible units", Bernoulli(), biases=False, visible=Bernoulli()),
)
"""Visible units with a mean: with a third cumulant, and without."""


def draw_rbm(scenario: Scenario, d: int, rng: np.random.Generator, k: int = K) -> RBM:
    r"""Draw an RBM: bounded weights and biases of mean zero and variance one.

    Entries are independent, apart from the scenario's correlation. Where the visible units have a
    mean, the columns of the weights are shifted so as to sum to $\sqrt d$ times
    ``COLUMN_SUMS``, which needs $k\le3$.
    """
    uniform = np.sqrt(3.0)
    W = rng.uniform(-uniform, uniform, (d, k))
    a, b = rng.uniform(-uniform, uniform, d), rng.uniform(-uniform, uniform, k)
    if scenario.skewed_weights:
        W = SKEWED.sample((d, k), rng)
    if scenario.correlation:
        rest = np.sqrt(1.0 - scenario.correlation**2)
        W[:, 1] = scenario.correlation * W[:, 0] + rest * W[:, 1]
    if scenario.visible.mean:
        W += np.array(COLUMN_SUMS[:k]) / np.sqrt(d) - W.mean(axis=0)
    biases = (a, b) if scenario.biases else (None, None)
    return RBM(W, *biases, visible=scenario.visible, hidden=scenario.hidden)


def effective_error(rbm: RBM) -> dict[str, float]:
    r"""Return the errors of the effective likelihood and of its gradients, per sample.

    Returns
    -------
    dict
        ``log_likelihood``: effective minus exact; ``W``, ``visible_bias``, ``hidden_bias``: the
        norms $\sqrt d\,\|\Delta\nabla_W\|_F$, $\sqrt d\,\|\Delta\nabla_a\|$ and
        $\|\Delta\nabla_b\|$, scaled so that the gradients themselves are of order one;
        ``W_projected``: as ``W``, of the part orthogonal to $(1,\dots,1)$.
    """
    exact, effective = rbm.average(exact=True), rbm.average(exact=False)
    return {"log_likelihood": exact.log_partition - effective.log_partition} | _norms(
        exact.product - effective.product,
        exact.visible - effective.visible,
        exact.hidden - effective.hidden,
    )


def leading_error(rbm: RBM) -> dict[str, float]:
    r"""Predict :func:`effective_error` to leading order (our form).

    With mean $\bar v$, variance $\sigma^2$ and cumulants $\kappa_3,\kappa_4$ of the visible units,
    state $h$ of fields $y=Wh+a$ is misjudged by
    $K(h)=\frac{\kappa_3}{6d^{3/2}}\sum_iy_i^3+\frac{\kappa_4}{24d^2}\sum_iy_i^4$ in $\log Z$, and
    the mean $\bar v+\sigma^2y_i/\sqrt d$ of visible unit $i$ by
    $e_i(h)=\frac{\kappa_3}{2d}y_i^2+\frac{\kappa_4}{6d^{3/2}}y_i^3$. Averages follow by linear
    response under the effective law of $h$.

    Parameters
    ----------
    rbm : RBM

    Returns
    -------
    dict
        The same keys as :func:`effective_error`.
    """
    mean, variance, third, fourth = _cumulants(rbm.visible)
    states, log_weights = joint_states(rbm.hidden, rbm.k)
    fields = (states @ rbm.W.T + rbm.visible_bias) / np.sqrt(rbm.d)
    squares = fields * fields
    log_weights = log_weights + np.sum(mean * fields + 0.5 * variance * squares, axis=1)
    log_weights += states @ rbm.hidden_bias
    weights = np.exp(log_weights - np.logaddexp.reduce(log_weights))
    misjudged = np.sum(squares * (third / 6 * fields + fourth / 24 * squares), axis=1)
    total = weights @ misjudged
    shifts = squares * (third / 2 + fourth / 6 * fields)
    shifts += (misjudged - total)[:, None] * (mean + variance * fields)
    shifts *= weights[:, None]
    return {"log_likelihood": float(total)} | _norms(
        shifts.T @ states, shifts.sum(axis=0), (weights * (misjudged - total)) @ states
    )


def sign_coefficient(k: int, fourth_moment: float, visible: Prior = Rademacher()) -> float:
    r"""Return the limit of $d\,(\log Z-\eta_2)$ for hidden signs, without biases (ours).

    $\frac{\kappa_4}{24}\big(3k^2+(m_4-3)k\big)$ for independent weights of mean zero, variance one
    and fourth moment $m_4$, and visible units of mean zero, variance one, no third cumulant and
    fourth cumulant $\kappa_4$. For Gaussian weights and visible signs it is $-k^2/4$.

    Parameters
    ----------
    k : int
        Number of hidden units.
    fourth_moment : float
        $m_4$, at least one.
    visible : Prior

    Returns
    -------
    float
    """
    return _cumulants(visible)[3] * (3 * k**2 + (fourth_moment - 3) * k) / 24


def limit_along_ones(scenario: Scenario) -> float:
    r"""Return what is left of the error of the gradient in $W$ under Corollary 2 (ours).

    Unprojected, $|\bar v|\sqrt d\,\|\Delta\langle h\rangle\|$ tends to
    $\frac{|\bar v\kappa_3m_3|}6\|p(1-p)\|$ for Bernoulli hidden units without biases and
    independent weights of third moment $m_3$, where $p_a=1/(1+e^{-\sigma^2/2-\bar vc_a})$ with
    the column sums $c_a\sqrt d$.

    Parameters
    ----------
    scenario : setting of the experiment
        With such hidden units.

    Returns
    -------
    float
    """
    mean, variance, third, _ = _cumulants(scenario.visible)
    skewness = SKEWED.moment(3) if scenario.skewed_weights else 0.0
    p = 1.0 / (1.0 + np.exp(-0.5 * variance - mean * np.array(COLUMN_SUMS)))
    return float(abs(mean * third * skewness) / 6 * np.linalg.norm(p * (1.0 - p)))


def _cumulants(prior: Prior) -> tuple[float, float, float, float]:
    """Return the first four cumulants of a law."""
    mean, second, third, fourth = (prior.moment(order) for order in (1, 2, 3, 4))
    variance = second - mean**2
    central = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
    return mean, variance, third - 3 * mean * second + 2 * mean**3, central - 3 * variance**2


def _norms(product, visible, hidden) -> dict[str, float]:
    """Return the norms of errors of the averages that the three gradients hold."""
    return {
        "W": float(np.linalg.norm(product)),
        "W_projected": float(np.linalg.norm(product - product.mean(axis=0))),
        "visible_bias": float(np.linalg.norm(visible)),
        "hidden_bias": float(np.linalg.norm(hidden)),
    }


def errors_by_size(
    table: pd.DataFrame, scenario: Scenario, quantity: str, kind: str = "error"
) -> np.ndarray:
    """Return one error of a scenario from a table of results.

    Parameters
    ----------
    table : pandas.DataFrame
        Of the experiment ``theorem1``.
    scenario : setting of the experiment
    quantity : str
        A key of :func:`effective_error`.
    kind : {"error", "leading"}
        What was measured, or what :func:`leading_error` predicts for the same RBMs.

    Returns
    -------
    (sizes, instances) array
    """
    return np.array(instances_by_size(table, f"{kind}_{quantity}", scenario=scenario.name)[1])


_SCENARIOS = {scenario.name: scenario for scenario in (*SCENARIOS, CORRELATED, *MEAN_SCENARIOS)}


def measure_theorem1(parameters: dict, rng: np.random.Generator) -> dict:
    """Draw an RBM, and return its errors ``error_...`` beside the leading ones, ``leading_...``.

    Parameters
    ----------
    parameters : dict
        ``scenario``, the name of one, and ``d``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
    """
    rbm = draw_rbm(_SCENARIOS[parameters["scenario"]], parameters["d"], rng)
    errors = {"error": effective_error(rbm), "leading": leading_error(rbm)}
    return {f"{kind}_{name}": x for kind, found in errors.items() for name, x in found.items()}


_BY_SCENARIO = {
    **{scenario.name: (SIZES, N_INSTANCES) for scenario in SCENARIOS},
    CORRELATED.name: (CORRELATED_SIZES, CORRELATED_INSTANCES),
    **{scenario.name: (MEAN_SIZES, N_INSTANCES) for scenario in MEAN_SCENARIOS},
}
_PAPER = [
    ({"scenario": name, "d": d}, count)
    for name, (sizes, count) in _BY_SCENARIO.items()
    for d in sizes
]


EXPERIMENTS = (
    Experiment(
        name="theorem1",
        version=2,
        description="Theorem 1: error of the effective likelihood and its gradients against d",
        measure=measure_theorem1,
        scales={
            "quick": Scale(grid(scenario=_SCENARIOS, d=[10, 100, 1000]), 5),
            "paper": Scale(*zip(*_PAPER, strict=True)),
        },
    ),
)
