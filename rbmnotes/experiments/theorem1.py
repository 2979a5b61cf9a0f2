r"""Theorem 1: the error of the effective likelihood and its gradients against $d$.

The clamped terms of the two likelihoods are the same, so the error per sample is that of
$\log Z$, whatever the data; with the hidden states enumerated it is known to round-off.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from rbmnotes.experiments.progress import progress
from rbmnotes.model.priors import Bernoulli, Discrete, Prior, Rademacher, joint_states
from rbmnotes.model.rbm import RBM

SIZES = (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
FIT_FROM = 300
N_INSTANCES = 20
K = 3
SEED = 20_250_518

SKEWED = Discrete((2.0, -0.5), (0.2, 0.8))
"""Mean zero, variance one, third moment 3/2: the simplest visible unit that is not symmetric."""


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
        Draw weights from :data:`SKEWED` instead of the uniform law of variance one.
    slope : float
        Exponent with which the error of $\log Z$ falls.
    """

    name: str
    hidden: Prior
    biases: bool
    visible: Prior = Rademacher()
    skewed_weights: bool = False
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


def draw_rbm(scenario: Scenario, d: int, rng: np.random.Generator, k: int = K) -> RBM:
    """Draw an RBM: bounded independent weights and biases of mean zero and variance one."""
    uniform = np.sqrt(3.0)
    W = rng.uniform(-uniform, uniform, (d, k))
    a, b = rng.uniform(-uniform, uniform, d), rng.uniform(-uniform, uniform, k)
    if scenario.skewed_weights:
        W = SKEWED.sample((d, k), rng)
    biases = (a, b) if scenario.biases else (None, None)
    return RBM(W, *biases, visible=scenario.visible, hidden=scenario.hidden)


def effective_error(rbm: RBM) -> dict[str, float]:
    r"""Return the errors of the effective likelihood and of its gradients, per sample.

    Returns
    -------
    dict
        ``log_likelihood``: effective minus exact; ``W``, ``visible_bias``, ``hidden_bias``: the
        norms $\sqrt d\,\|\Delta\nabla_W\|_F$, $\sqrt d\,\|\Delta\nabla_a\|$ and
        $\|\Delta\nabla_b\|$, scaled so that the gradients themselves are of order one.
    """
    exact, effective = rbm.average(exact=True), rbm.average(exact=False)
    return {
        "log_likelihood": exact.log_partition - effective.log_partition,
        "W": float(np.linalg.norm(exact.product - effective.product)),
        "visible_bias": float(np.linalg.norm(exact.visible - effective.visible)),
        "hidden_bias": float(np.linalg.norm(exact.hidden - effective.hidden)),
    }


def leading_error(rbm: RBM) -> dict[str, float]:
    r"""Predict :func:`effective_error` to leading order (our form).

    With cumulants $\kappa_3,\kappa_4$ of the visible units, state $h$ of fields $y=Wh+a$ is
    misjudged by $K(h)=\frac{\kappa_3}{6d^{3/2}}\sum_iy_i^3+\frac{\kappa_4}{24d^2}\sum_iy_i^4$ in
    $\log Z$, and the mean of visible unit $i$ by
    $e_i(h)=\frac{\kappa_3}{2d}y_i^2+\frac{\kappa_4}{6d^{3/2}}y_i^3$. Averages follow by linear
    response under the effective law of $h$.

    Parameters
    ----------
    rbm : RBM
        With visible units of mean zero and variance one.

    Returns
    -------
    dict
        The same keys as :func:`effective_error`.
    """
    d = rbm.d
    third = rbm.visible.moment(3)
    fourth = rbm.visible.moment(4) - 3.0
    states, log_weights = joint_states(rbm.hidden, rbm.k)
    fields = (states @ rbm.W.T + rbm.visible_bias) / np.sqrt(d)
    log_weights = log_weights + 0.5 * np.sum(fields * fields, axis=1) + states @ rbm.hidden_bias
    weights = np.exp(log_weights - np.logaddexp.reduce(log_weights))
    squares = fields * fields
    misjudged = np.sum(squares * (third / 6 * fields + fourth / 24 * squares), axis=1)
    total = weights @ misjudged
    shifts = squares * (third / 2 + fourth / 6 * fields)
    shifts += (misjudged - total)[:, None] * fields
    shifts *= weights[:, None]
    return {
        "log_likelihood": float(total),
        "W": float(np.linalg.norm(shifts.T @ states)),
        "visible_bias": float(np.linalg.norm(shifts.sum(axis=0))),
        "hidden_bias": float(np.linalg.norm((weights * (misjudged - total)) @ states)),
    }


def error_table(sizes=SIZES, n_instances: int = N_INSTANCES, seed: int = SEED) -> pd.DataFrame:
    """Measure and predict the errors of every scenario at every size.

    Parameters
    ----------
    sizes : sequence of int
        Dimensions d.
    n_instances : int
        Independent RBMs a size.
    seed : int
        Each scenario, size and instance gets its own stream spawned from it.

    Returns
    -------
    pandas.DataFrame
        Columns ``scenario``, ``d``, ``instance``, ``quantity``, ``error``, ``leading``.
    """
    cases = list(product(SCENARIOS, sizes, range(n_instances)))
    streams = np.random.SeedSequence(seed).spawn(len(cases))
    rows = []
    for (scenario, d, instance), stream in zip(
        progress(cases, "error of Theorem 1"), streams, strict=True
    ):
        rbm = draw_rbm(scenario, d, np.random.default_rng(stream))
        error, leading = effective_error(rbm), leading_error(rbm)
        rows += [
            (scenario.name, d, instance, quantity, error[quantity], leading[quantity])
            for quantity in error
        ]
    columns = ["scenario", "d", "instance", "quantity", "error", "leading"]
    return pd.DataFrame(rows, columns=columns)
