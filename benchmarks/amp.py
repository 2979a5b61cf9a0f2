r"""AMP-RBM's iteration, its proximal maps and its fixed point, beside two plain matrix products."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.harness import Row, measure
from rbmnotes import Rademacher, amp_rbm, fixed_point
from rbmnotes.model.proximal import proximal_sums

N, D, UNITS = 8000, 2000, (1, 2, 10)
SNR = 1.6
# An iteration is the difference of two runs that differ by LONG - SHORT iterations: what a run
# does once (checks, the gradient at the end) drops out, and so do the first, untypical iterations.
SHORT, LONG = 4, 14
ITERATION = {1: 0.7, 2: 0.7, 10: 1.3}  # at most this share of the two products, by units
PROXIMAL = {2: 0.1, 10: 0.35}
SINGLE_PRECISION = 0.6  # at most this share of an iteration on float64 data
FIXED_POINT = 5e-3  # seconds
ROUNDS = 7
# Calls in a row to a timing of work that takes a millisecond. The line "after a product" is one
# call whose second core BLAS may still hold, waiting; it has no target.
SMALL_CALLS = 20


def spiked_data(n: int, d: int, k: int, rng=0) -> tuple[np.ndarray, np.ndarray]:
    """Return float64 data with `k` planted sign vectors of strength 1.6, and these."""
    rng = np.random.default_rng(rng)
    signals, latent = rng.choice((-1.0, 1.0), (d, k)), rng.choice((-1.0, 1.0), (n, k))
    X = rng.standard_normal((n, d))
    X += (SNR / np.sqrt(d)) * latent @ signals.T
    return X, signals


def two_products(X: np.ndarray, W: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multiply the data from both sides, as one would write it down: the yardstick."""
    return X @ W, X.T @ g


def run(n: int = N, d: int = D, units=UNITS) -> list[Row]:
    """Compare AMP-RBM with plain products of the data, and time its fixed point.

    Ratios are against :func:`two_products` on data of the same type, except for the lines that
    name another reference.

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
        If a run stops early or a proximal point is not one.
    """
    return [row for k in units for row in _compare(n, d, k)] + [_time_fixed_point()]


def _compare(n, d, k):
    X, signals = spiked_data(n, d, k)
    start, V0 = 1.2 * signals, 0.2 * np.eye(k)
    work = {}
    for name, data in (("float64", X), ("float32", X.astype(np.float32))):
        for steps in (SHORT, LONG):
            work[name, steps] = partial(
                amp_rbm, data, start=start, V0=V0, tol=1e-300, max_iter=steps
            )
            assert work[name, steps]().n_iter == steps, "a run stopped early"
        W = start.astype(name)
        g = np.tanh(data @ W / d**0.5).astype(name)
        work[name, "products"] = partial(two_products, data, W, g)
    work["proximal"] = _proximal_work(X, start, V0)
    timing = measure(work, ROUNDS)
    small = measure({"proximal": work["proximal"]}, ROUNDS, calls=SMALL_CALLS)

    times, rows = timing.medians, []
    iteration = {}
    for name in ("float64", "float32"):
        products = times[name, "products"]
        iteration[name] = (times[name, LONG] - times[name, SHORT]) / (LONG - SHORT)
        rows += [
            Row(f"k={k}, {name}: two products", products),
            Row(
                f"k={k}, {name}: AMP iteration",
                iteration[name],
                iteration[name] / products,
                at_most=ITERATION.get(k) if name == "float64" else None,
            ),
        ]
    share = iteration["float32"] / iteration["float64"]
    in_turn, alone = times["proximal"], small.medians["proximal"]
    products = times["float64", "products"]
    return [
        *rows,
        Row(
            f"k={k}: iteration, float32 against float64",
            iteration["float32"],
            share,
            at_most=SINGLE_PRECISION,
        ),
        Row(f"k={k}: proximal maps", alone, alone / products, at_most=PROXIMAL.get(k)),
        Row(f"k={k}: proximal maps, after a product", in_turn, in_turn / products),
    ]


def _proximal_work(X, start, V0):
    """Proximal maps of one iteration of a run, from the points of the iteration before."""
    runs = [amp_rbm(X, start=start, V0=V0, tol=1e-300, max_iter=steps) for steps in (5, 6)]
    hidden, before = Rademacher(), runs[0].omega.copy()
    proximal_sums(runs[0].omega, runs[0].history.V[-2], hidden, before)
    omega, V = runs[1].omega, runs[1].history.V[-2]

    def work():
        z = before.copy()
        g, _ = proximal_sums(omega, V, hidden, z)
        return z, g

    z, g = work()
    np.testing.assert_allclose(g, np.tanh(z), atol=1e-13)
    np.testing.assert_allclose(z, omega + g @ V, atol=1e-10)
    return work


def _time_fixed_point():
    work = {"fixed point": partial(fixed_point, 4.0, 1.2)}
    assert work["fixed point"]().converged
    seconds = measure(work, ROUNDS, calls=SMALL_CALLS).medians["fixed point"]
    limit = f"{1e3 * FIXED_POINT:g} ms"
    return Row(f"fixed_point, against {limit}", seconds, seconds / FIXED_POINT, at_most=1.0)
