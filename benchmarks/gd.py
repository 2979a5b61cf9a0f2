r"""Gradient descent's iteration beside the two products with the data that it cannot do without."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.amp import D, N, spiked_data, two_products
from benchmarks.harness import Row, measure
from rbmnotes import gradient_descent

UNITS = (1, 2, 10)
RATE = 0.02
# An iteration is the difference of two runs: what a run does once drops out.
SHORT, LONG = 4, 14
ITERATION = {1: 0.7, 2: 0.7, 10: 1.3}  # at most this share of the two products, as AMP's
ROUNDS = 7


def run(n: int = N, d: int = D, units=UNITS) -> list[Row]:
    """Compare an iteration of gradient descent with plain products of the data.

    An iteration is all that a run does once per step: fields, objective, gradient, order
    parameters, step. Ratios are against :func:`benchmarks.amp.two_products` on data of the same
    type.

    Parameters
    ----------
    n, d : int
        Size of the data.
    units : sequence of int
        Numbers of hidden units.

    Returns
    -------
    list of Row

    Raises
    ------
    AssertionError
        If a run stops early.
    """
    return [row for k in units for row in _compare(n, d, k)]


def _compare(n, d, k):
    X, signals = spiked_data(n, d, k)
    start, work = 1.2 * signals, {}
    for name, data in (("float64", X), ("float32", X.astype(np.float32))):
        for steps in (SHORT, LONG):
            work[name, steps] = partial(gradient_descent, data, start, RATE, steps)
            assert work[name, steps]().n_iter == steps, "a run stopped early"
        W = start.astype(name)
        g = np.tanh(data @ W / d**0.5).astype(name)
        work[name, "products"] = partial(two_products, data, W, g)
    times, rows = measure(work, ROUNDS).medians, []
    for name in ("float64", "float32"):
        products = times[name, "products"]
        iteration = (times[name, LONG] - times[name, SHORT]) / (LONG - SHORT)
        rows += [
            Row(f"k={k}, {name}: two products", products),
            Row(
                f"k={k}, {name}: iteration",
                iteration,
                iteration / products,
                at_most=ITERATION.get(k) if name == "float64" else None,
            ),
        ]
    return rows
