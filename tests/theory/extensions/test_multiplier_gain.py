"""How the overlap of two units grows in an iteration: implicit, explicit, and frozen multiplier."""

from functools import lru_cache

import numpy as np
import pytest

from rbmnotes import SpikedModel, amp_rbm, eta2_moments, fixed_point, informed_start, proximal_map
from rbmnotes.evidence import extrapolate
from rbmnotes.theory.extensions.multiplier_gain import multiplier_gain


def test_values():
    # theory.md section 12, the whole iteration: -6.283 and +0.503; frozen A and B: -6.848
    assert multiplier_gain(4.0, 1.6, "explicit") == pytest.approx(-6.283, abs=5.1e-4)
    assert multiplier_gain(4.0, 1.6, "implicit") == pytest.approx(0.503, abs=5.1e-4)
    point = fixed_point(4.0, 1.6)
    frozen = multiplier_gain(4.0, 1.6, "frozen")
    assert frozen == pytest.approx(-2 * 4.0 * point.V * point.q, rel=1e-5)


def explicit_iteration(X, W, V, g):
    """An iteration with the multiplier of the old Q, in plain steps."""
    n, d = X.shape
    point = proximal_map(X @ W / np.sqrt(d) - g @ V, V)
    A = -point.derivative.sum(axis=0) / d
    b = X.T @ point.g / np.sqrt(d) + W @ A
    new_V = np.linalg.inv(A + n / d * eta2_moments(W.T @ W / d).second)
    return b @ new_V, new_V, point.g


SIZES, DRAWS = (150, 300, 600), 10


@lru_cache(maxsize=64)
def converged(d, seed):
    data = SpikedModel(4.0, (1.6, 1.6)).sample(d, rng=[41, d, seed])
    start = informed_start(data.W_star, np.eye(2), 1.5 * np.eye(2), rng=[42, d, seed])
    return data, amp_rbm(data.X, start=start, V0=0.2 * np.eye(2), tol=1e-11, max_iter=100)


def test_explicit_multiplier_on_data():
    # from the stationary point that the implicit iteration found, 1e-9 of each unit mixed into the
    # other: what the fifth and the sixth iteration multiply the change of Q_12 by
    samples = []
    for d in SIZES:
        values = []
        for seed in range(DRAWS):
            data, fit = converged(d, seed)
            assert fit.converged
            W, V = fit.W + 1e-9 * fit.W[:, ::-1], fit.V
            field = data.X @ fit.W / np.sqrt(d)
            g, path = np.tanh(field), []
            for _ in range(6):
                W, V, g = explicit_iteration(data.X, W, V, g)
                path.append((W.T @ W / d - fit.W.T @ fit.W / d)[0, 1])
            values.append(-np.sqrt(path[5] / path[3]))
            assert path[5] * path[4] < 0  # the sign alternates
        samples.append(values)
    found = extrapolate(SIZES, samples, multiplier_gain(4.0, 1.6, "explicit"))
    assert found.verdict == "agrees", found
    frozen = extrapolate(SIZES, samples, multiplier_gain(4.0, 1.6, "frozen"))
    assert frozen.verdict == "disagrees", frozen


def test_implicit_multiplier_on_data():
    # late in training the slowest mode is this overlap: 0.503, not the replicon's 0.222
    samples = []
    for d in SIZES:
        changes = [converged(d, seed)[1].history.change for seed in range(DRAWS)]
        samples.append([(change[-1] / change[-9]) ** (1 / 8) for change in changes])
    rate = multiplier_gain(4.0, 1.6)
    found = extrapolate(SIZES, samples, rate)
    assert abs(found.z) < 3, found
    assert found.error < 0.03 * rate
    assert extrapolate(SIZES, samples, np.sqrt(fixed_point(4.0, 1.6).replicon)).verdict == (
        "disagrees"
    )


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^update must be one of implicit, explicit, frozen"):
        multiplier_gain(4.0, 1.6, "half")
    with pytest.raises(ValueError, match=r"^alpha and snr must have a fixed point"):
        multiplier_gain(0.9, 1.6)
