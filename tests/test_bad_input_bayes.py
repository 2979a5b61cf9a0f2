"""Bayes-optimal and decimation AMP refuse bad input before any work, and name the argument."""

import numpy as np
import pytest

from rbmnotes import (
    Gaussian,
    SpikedModel,
    bayes_amp,
    bayes_log_evidence,
    bayes_state_evolution,
    decimation_amp,
)
from tests.laws import TERNARY

X = np.random.default_rng(0).standard_normal((20, 5))
ONE, TWO = SpikedModel(4.0, 1.2), SpikedModel(4.0, (1.2, 1.0))
MANY = SpikedModel(4.0, (1.2,) * 17)
MANY_W = SpikedModel(4.0, (1.2,) * 17, prior_u=Gaussian())
W = np.full((5, 2), 0.1)

CASES = {
    "start unknown": ("start", lambda: bayes_amp(X, TWO, start="warm")),
    "start None": ("start", lambda: bayes_amp(X, TWO, start=None)),
    "start rows": ("start", lambda: bayes_amp(X, TWO, start=W[:3])),
    "start columns": ("start", lambda: bayes_amp(X, ONE, start=W)),
    "start one axis": ("start", lambda: bayes_amp(X, ONE, start=W[:, 0])),
    "start NaN": ("start", lambda: bayes_amp(X, TWO, start=W * np.nan)),
    "X zero, spectral": ("X", lambda: bayes_amp(0 * X, ONE, start="spectral")),
    "evolution model": ("model", lambda: bayes_state_evolution(4.0, 0.1)),
    "evolution m0 negative": ("m0", lambda: bayes_state_evolution(ONE, -0.1)),
    "evolution m0 above one": ("m0", lambda: bayes_state_evolution(ONE, 1.1)),
    "evolution m0 NaN": ("m0", lambda: bayes_state_evolution(ONE, np.nan)),
    "evolution m0 shape": ("m0", lambda: bayes_state_evolution(TWO, [0.1, 0.1, 0.1])),
    "evolution m0 text": ("m0", lambda: bayes_state_evolution(ONE, "small")),
    "evolution n_iter": ("n_iter", lambda: bayes_state_evolution(ONE, 0.1, n_iter=-1)),
    "evidence alpha": ("alpha", lambda: bayes_log_evidence(0.0, 1.0)),
    "evidence snr": ("snr", lambda: bayes_log_evidence(4.0, -1.0)),
    "evidence prior_w": ("prior_w", lambda: bayes_log_evidence(4.0, 1.0, prior_w="sign")),
    "decimation n_starts zero": ("n_starts", lambda: decimation_amp(X, TWO, n_starts=0)),
    "decimation n_starts float": ("n_starts", lambda: decimation_amp(X, TWO, n_starts=2.0)),
}
for algorithm in (bayes_amp, decimation_amp):

    def case(name, call, algorithm=algorithm):
        CASES[f"{algorithm.__name__} {name}"] = (name.split()[0], lambda: call(algorithm))

    case("X one axis", lambda run: run(X[0], ONE))
    case("X empty", lambda run: run(X[:0], ONE))
    case("X NaN", lambda run: run(X * np.nan, ONE))
    case("X text", lambda run: run([["a", "b"]], ONE))
    case("X transposed", lambda run: run(X.T, ONE))
    case("X rows", lambda run: run(X[:19], ONE))
    case("model a number", lambda run: run(X, 1.2))
    case("model.prior_u states", lambda run: run(X, MANY))
    case("model.prior_w states", lambda run: run(X, MANY_W))
    case("damping one", lambda run: run(X, ONE, damping=1.0))
    case("damping negative", lambda run: run(X, ONE, damping=-0.1))
    case("damping text", lambda run: run(X, ONE, damping="half"))
    case("tol zero", lambda run: run(X, ONE, tol=0.0))
    case("tol NaN", lambda run: run(X, ONE, tol=np.nan))
    case("max_iter zero", lambda run: run(X, ONE, max_iter=0))
    case("max_iter float", lambda run: run(X, ONE, max_iter=10.0))
    case("rng text", lambda run: run(X, ONE, rng="seed"))
    case("W_star rows", lambda run: run(X, ONE, W_star=W[:3]))
    case("W_star one axis", lambda run: run(X, ONE, W_star=W[:, 0]))
    case("W_star NaN", lambda run: run(X, ONE, W_star=W * np.nan))


@pytest.mark.parametrize(("name", "call"), CASES.values(), ids=CASES)
def test_bad_input_is_refused_by_name(name, call):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()


def test_messages_say_what_was_expected_and_what_came():
    with pytest.raises(ValueError, match=r"^X must have 80 rows for alpha = 4; got 5$"):
        bayes_amp(X.T, ONE)
    with pytest.raises(ValueError, match=r"^start must have shape \(5, 1\); got \(5, 2\)$"):
        bayes_amp(X, ONE, start=W)
    with pytest.raises(ValueError, match=r'^start must be "random", "spectral" or an array; got'):
        bayes_amp(X, ONE, start="warm")
    with pytest.raises(ValueError, match=r"^damping must be in \[0, 1\); got 1\.0$"):
        bayes_amp(X, ONE, damping=1)


def test_input_at_the_edge_of_what_is_allowed():
    assert bayes_amp(X[:4, :1], ONE, rng=0, max_iter=1).W.shape == (1, 1)
    assert bayes_amp(X, TWO, start=W, max_iter=1).W.shape == (5, 2)
    assert bayes_amp(X, SpikedModel(4.0, 0.0), rng=0).converged
    ten = SpikedModel(4.0, (1.2,) * 10, TERNARY, TERNARY)  # 59049 states
    assert bayes_amp(X, ten, rng=0, max_iter=2).W.shape == (5, 10)
    assert bayes_state_evolution(TWO, 0.1, n_iter=0).m_u.shape == (0, 2)
