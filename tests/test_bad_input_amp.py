"""AMP-RBM and its theory refuse bad input before any work, and name the argument."""

import numpy as np
import pytest

from rbmnotes import (
    Bernoulli,
    Discrete,
    Gaussian,
    Rademacher,
    SpikedModel,
    amp_rbm,
    fixed_point,
    informed_start,
    multiplier_step,
    proximal_map,
    response_bound,
    spectral_start,
    state_evolution,
)
from rbmnotes.algorithms.starts import random_start
from rbmnotes.algorithms.stationary_response import stationary_response

X = np.random.default_rng(0).standard_normal((20, 5))
W, EYE = np.full((5, 2), 0.1), np.eye(2)
SIGNALS = np.random.default_rng(1).standard_normal((30, 2))
OMEGA, V = np.ones((4, 2)), 0.1 * EYE
ONE, TWO = SpikedModel(4.0, 1.2), SpikedModel(4.0, (1.2, 1.0))
TEXT, RAGGED = [["a", "b"], ["c", "d"]], [[1.0, 2.0], [3.0]]
LOPSIDED = np.array([[1.0, 0.5], [0.1, 1.0]])
INFINITE = np.full((2, 2), np.inf)
CONSTANT = Discrete((1.0,), (1.0,))

# name of the argument, and a call that gets a bad one
CASES = {
    # amp_rbm
    "amp X one axis": ("X", lambda: amp_rbm(X[0], 1)),
    "amp X empty": ("X", lambda: amp_rbm(X[:0], 1)),
    "amp X NaN": ("X", lambda: amp_rbm(X * np.nan, 1)),
    "amp X float32 infinite": ("X", lambda: amp_rbm((X * np.inf).astype(np.float32), 1)),
    "amp X text": ("X", lambda: amp_rbm(TEXT, 1)),
    "amp X complex": ("X", lambda: amp_rbm(X * 1j, 1)),
    "amp X ragged": ("X", lambda: amp_rbm(RAGGED, 1)),
    "amp X zero, spectral": ("X", lambda: amp_rbm(0 * X, 1, start="spectral")),
    "amp k absent": ("k", lambda: amp_rbm(X)),
    "amp k absent, spectral": ("k", lambda: amp_rbm(X, start="spectral")),
    "amp k zero": ("k", lambda: amp_rbm(X, 0)),
    "amp k not an integer": ("k", lambda: amp_rbm(X, 2.0)),
    "amp k boolean": ("k", lambda: amp_rbm(X, True)),
    "amp k text": ("k", lambda: amp_rbm(X, "2")),
    "amp k a float beside a start": ("k", lambda: amp_rbm(X, 2.0, start=W)),
    "amp k text beside a start": ("k", lambda: amp_rbm(X, "2", start=W)),
    "amp k zero beside a start": ("k", lambda: amp_rbm(X, 0, start=W)),
    "amp k too many states": ("k", lambda: amp_rbm(X, 30, rng=0)),
    "amp k above d, spectral": ("k", lambda: amp_rbm(X, 6, start="spectral")),
    "amp hidden unknown": ("hidden", lambda: amp_rbm(X, 1, "sign")),
    "amp hidden a class": ("hidden", lambda: amp_rbm(X, 1, Rademacher)),
    "amp hidden constant": ("hidden", lambda: amp_rbm(X, 1, CONSTANT, rng=0)),
    "amp start unknown": ("start", lambda: amp_rbm(X, 1, start="warm")),
    "amp start None": ("start", lambda: amp_rbm(X, 1, start=None)),
    "amp start rows": ("start", lambda: amp_rbm(X, start=W[:3])),
    "amp start columns": ("start", lambda: amp_rbm(X, 3, start=W)),
    "amp start one axis": ("start", lambda: amp_rbm(X, start=W[:, 0])),
    "amp start NaN": ("start", lambda: amp_rbm(X, start=W * np.nan)),
    "amp start no units": ("start", lambda: amp_rbm(X, start=W[:, :0])),
    "amp V0 shape": ("V0", lambda: amp_rbm(X, 2, V0=[[0.1]])),
    "amp V0 a number": ("V0", lambda: amp_rbm(X, 1, V0=0.1)),
    "amp V0 at the bound": ("V0", lambda: amp_rbm(X, 2, V0=EYE)),
    "amp V0 negative": ("V0", lambda: amp_rbm(X, 2, V0=-0.1 * EYE)),
    "amp V0 lopsided": ("V0", lambda: amp_rbm(X, 2, V0=0.1 * LOPSIDED)),
    "amp V0 NaN": ("V0", lambda: amp_rbm(X, 1, V0=[[np.nan]])),
    "amp damping one": ("damping", lambda: amp_rbm(X, 1, damping=1.0)),
    "amp damping negative": ("damping", lambda: amp_rbm(X, 1, damping=-0.1)),
    "amp damping NaN": ("damping", lambda: amp_rbm(X, 1, damping=np.nan)),
    "amp damping text": ("damping", lambda: amp_rbm(X, 1, damping="half")),
    "amp tol zero": ("tol", lambda: amp_rbm(X, 1, tol=0.0)),
    "amp tol infinite": ("tol", lambda: amp_rbm(X, 1, tol=np.inf)),
    "amp max_iter zero": ("max_iter", lambda: amp_rbm(X, 1, max_iter=0)),
    "amp max_iter a float": ("max_iter", lambda: amp_rbm(X, 1, max_iter=10.0)),
    "amp rng": ("rng", lambda: amp_rbm(X, 1, rng="seed")),
    "amp rng negative": ("rng", lambda: amp_rbm(X, 1, rng=-1)),
    "amp W_star rows": ("W_star", lambda: amp_rbm(X, 1, rng=0, W_star=W[:4])),
    "amp W_star one axis": ("W_star", lambda: amp_rbm(X, 1, rng=0, W_star=W[:, 0])),
    "amp W_star NaN": ("W_star", lambda: amp_rbm(X, 1, rng=0, W_star=W * np.nan)),
    # proximal_map, response_bound
    "proximal omega one axis": ("omega", lambda: proximal_map(OMEGA[0], V)),
    "proximal omega NaN": ("omega", lambda: proximal_map(OMEGA * np.nan, V)),
    "proximal omega no rows": ("omega", lambda: proximal_map(OMEGA[:0], V)),
    "proximal omega text": ("omega", lambda: proximal_map(TEXT, V)),
    "proximal V shape": ("V", lambda: proximal_map(OMEGA, np.zeros((3, 3)))),
    "proximal V not square": ("V", lambda: proximal_map(OMEGA, np.zeros((2, 3)))),
    "proximal V NaN": ("V", lambda: proximal_map(OMEGA, V * np.nan)),
    "proximal V lopsided": ("V", lambda: proximal_map(OMEGA, 0.1 * LOPSIDED)),
    "proximal V negative": ("V", lambda: proximal_map(OMEGA, -V)),
    "proximal V indefinite": ("V", lambda: proximal_map(OMEGA, [[0.1, 0.3], [0.3, 0.1]])),
    "proximal V at the bound": ("V", lambda: proximal_map(OMEGA, EYE)),
    "proximal V above it": ("V", lambda: proximal_map(OMEGA, 1.5 * EYE)),
    "proximal V, coins": ("V", lambda: proximal_map(OMEGA, 4.0 * EYE, Bernoulli())),
    "proximal V, Gaussian": ("V", lambda: proximal_map(OMEGA, EYE, Gaussian())),
    "proximal hidden": ("hidden", lambda: proximal_map(OMEGA, V, "sign")),
    "proximal hidden constant": ("hidden", lambda: proximal_map(OMEGA, V, CONSTANT)),
    "bound of what": ("hidden", lambda: response_bound("sign")),
    "bound of a class": ("hidden", lambda: response_bound(Gaussian)),
    "bound of a constant": ("hidden", lambda: response_bound(CONSTANT)),
    # multiplier_step
    "multiplier B one axis": ("B", lambda: multiplier_step([1.0], EYE, 4.0, V)),
    "multiplier B NaN": ("B", lambda: multiplier_step(EYE * np.nan, -EYE, 4.0, V)),
    "multiplier B not square": ("B", lambda: multiplier_step(np.ones((2, 3)), EYE, 4.0, V)),
    "multiplier B lopsided": ("B", lambda: multiplier_step(LOPSIDED, -EYE, 4.0, V)),
    "multiplier B negative": ("B", lambda: multiplier_step(-EYE, -EYE, 4.0, V)),
    "multiplier B negative, one unit": (
        "B",
        lambda: multiplier_step([[-1.0]], [[-1.0]], 4.0, [[0.1]]),
    ),
    "multiplier B too many states": (
        "B",
        lambda: multiplier_step(np.eye(30), -np.eye(30), 4.0, 0.1 * np.eye(30)),
    ),
    "multiplier A shape": ("A", lambda: multiplier_step(EYE, [[-1.0]], 4.0, V)),
    "multiplier A infinite": ("A", lambda: multiplier_step(EYE, -INFINITE, 4.0, V)),
    "multiplier A lopsided": ("A", lambda: multiplier_step(EYE, -LOPSIDED, 4.0, V)),
    "multiplier V shape": ("V", lambda: multiplier_step(EYE, -EYE, 4.0, np.zeros((3, 3)))),
    "multiplier V NaN": ("V", lambda: multiplier_step(EYE, -EYE, 4.0, V * np.nan)),
    "multiplier alpha zero": ("alpha", lambda: multiplier_step(EYE, -EYE, 0.0, V)),
    "multiplier alpha NaN": ("alpha", lambda: multiplier_step(EYE, -EYE, np.nan, V)),
    "multiplier alpha a list": ("alpha", lambda: multiplier_step(EYE, -EYE, [4.0], V)),
    "multiplier hidden": ("hidden", lambda: multiplier_step(EYE, -EYE, 4.0, V, "sign")),
    "multiplier hidden constant": ("hidden", lambda: multiplier_step(EYE, -EYE, 4.0, V, CONSTANT)),
    # starts
    "informed W_star one axis": ("W_star", lambda: informed_start(SIGNALS[:, 0], [[0.1]], [[1.0]])),
    "informed W_star NaN": ("W_star", lambda: informed_start(SIGNALS * np.nan, 0.1 * EYE, EYE)),
    "informed W_star too short": ("W_star", lambda: informed_start(SIGNALS[:3], 0.1 * EYE, EYE)),
    "informed W_star dependent": ("W_star", lambda: informed_start(np.ones((30, 2)), V, EYE)),
    "informed M rows": ("M", lambda: informed_start(SIGNALS, np.ones((3, 2)), EYE)),
    "informed M one axis": ("M", lambda: informed_start(SIGNALS, [0.1, 0.2], EYE)),
    "informed M NaN": ("M", lambda: informed_start(SIGNALS, EYE * np.nan, EYE)),
    "informed Q shape": ("Q", lambda: informed_start(SIGNALS, 0.1 * EYE, np.eye(3))),
    "informed Q too small": ("Q", lambda: informed_start(SIGNALS, EYE, 0.1 * EYE)),
    "informed Q negative": ("Q", lambda: informed_start(SIGNALS, 0 * EYE, -EYE)),
    "informed Q infinite": ("Q", lambda: informed_start(SIGNALS, 0.1 * EYE, INFINITE)),
    "informed Q lopsided": ("Q", lambda: informed_start(SIGNALS, 0.1 * EYE, LOPSIDED)),
    "informed rng": ("rng", lambda: informed_start(SIGNALS, 0.1 * EYE, EYE, rng="seed")),
    "random d": ("d", lambda: random_start(0, 1)),
    "random k": ("k", lambda: random_start(5, 1.0)),
    "random rng": ("rng", lambda: random_start(5, 1, rng=0.5)),
    "spectral X one axis": ("X", lambda: spectral_start(X[0], 1)),
    "spectral X NaN": ("X", lambda: spectral_start(X * np.nan, 1)),
    "spectral X zero": ("X", lambda: spectral_start(0 * X, 1)),
    "spectral k zero": ("k", lambda: spectral_start(X, 0)),
    "spectral k above d": ("k", lambda: spectral_start(X, 6)),
    # state evolution
    "evolution damping one": ("damping", lambda: state_evolution(ONE, [[0.5]], [[1]], damping=1)),
    "evolution damping text": ("damping", lambda: state_evolution(ONE, [[0]], [[1]], damping="1")),
    "response X": ("X", lambda: stationary_response(np.ones(3), np.ones((3, 1)))),
    "response W rows": ("W", lambda: stationary_response(X, np.ones((2, 1)))),
    "response hidden": ("hidden", lambda: stationary_response(X, np.ones((X.shape[1], 1)), "sign")),
    "response max_iter": (
        "max_iter",
        lambda: stationary_response(X, np.ones((X.shape[1], 1)), max_iter=0),
    ),
    "evolution model": ("model", lambda: state_evolution(4.0, EYE, EYE)),
    "evolution model a class": ("model", lambda: state_evolution(SpikedModel, EYE, EYE)),
    "evolution M0 rows": ("M0", lambda: state_evolution(ONE, 0.1 * EYE, EYE)),
    "evolution M0 a number": ("M0", lambda: state_evolution(ONE, 0.5, [[1.0]])),
    "evolution M0 NaN": ("M0", lambda: state_evolution(TWO, EYE * np.nan, EYE)),
    "evolution M0 too many states": (
        "M0",
        lambda: state_evolution(ONE, np.zeros((1, 30)), np.eye(30)),
    ),
    "evolution Q0 shape": ("Q0", lambda: state_evolution(TWO, 0.1 * EYE, [[1.0]])),
    "evolution Q0 too small": ("Q0", lambda: state_evolution(TWO, EYE, 0.5 * EYE)),
    "evolution Q0 singular": ("Q0", lambda: state_evolution(TWO, 0 * EYE, np.ones((2, 2)))),
    "evolution Q0 negative": ("Q0", lambda: state_evolution(TWO, 0 * EYE, -EYE)),
    "evolution Q0 lopsided": ("Q0", lambda: state_evolution(TWO, 0.1 * EYE, LOPSIDED)),
    "evolution V0 shape": ("V0", lambda: state_evolution(TWO, 0.1 * EYE, EYE, [[0.1]])),
    "evolution V0 at the bound": ("V0", lambda: state_evolution(TWO, 0.1 * EYE, EYE, EYE)),
    "evolution V0 lopsided": ("V0", lambda: state_evolution(TWO, V, EYE, 0.1 * LOPSIDED)),
    "evolution n_iter": ("n_iter", lambda: state_evolution(TWO, 0.1 * EYE, EYE, n_iter=-1)),
    "evolution n_iter a float": ("n_iter", lambda: state_evolution(TWO, V, EYE, n_iter=3.0)),
    "evolution hidden": ("hidden", lambda: state_evolution(TWO, 0.1 * EYE, EYE, hidden="sign")),
    "evolution hidden constant": ("hidden", lambda: state_evolution(TWO, V, EYE, hidden=CONSTANT)),
    "evolution rng": ("rng", lambda: state_evolution(TWO, V, EYE, n_iter=1, rng="seed")),
    "fixed point alpha zero": ("alpha", lambda: fixed_point(0.0, 1.0)),
    "fixed point alpha an array": ("alpha", lambda: fixed_point([2.0, 4.0], 1.0)),
    "fixed point alpha NaN": ("alpha", lambda: fixed_point(np.nan, 1.0)),
    "fixed point snr negative": ("snr", lambda: fixed_point(4.0, -1.0)),
    "fixed point snr an array": ("snr", lambda: fixed_point(4.0, [1.0, 2.0])),
    "fixed point snr NaN": ("snr", lambda: fixed_point(4.0, np.nan)),
    "fixed point snr text": ("snr", lambda: fixed_point(4.0, "strong")),
    "fixed point hidden": ("hidden", lambda: fixed_point(4.0, 1.0, "sign")),
    "fixed point hidden constant": ("hidden", lambda: fixed_point(4.0, 1.0, CONSTANT)),
    "fixed point prior_u": ("prior_u", lambda: fixed_point(4.0, 1.0, prior_u=Bernoulli())),
    "fixed point prior_u unknown": ("prior_u", lambda: fixed_point(4.0, 1.0, prior_u="sign")),
    "fixed point start": ("start", lambda: fixed_point(4.0, 1.0, start=np.inf)),
    "fixed point start an array": ("start", lambda: fixed_point(4.0, 1.0, start=[1.0])),
    "fixed point start, Gaussian": ("start", lambda: fixed_point(4, 1, Gaussian(), start=1.0)),
    "fixed point max_iter": ("max_iter", lambda: fixed_point(4.0, 1.0, max_iter=0)),
}


@pytest.mark.parametrize(("name", "call"), CASES.values(), ids=CASES)
def test_bad_input_is_refused_by_name(name, call):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()


def test_messages_say_what_was_expected_and_what_came():
    with pytest.raises(ValueError, match=r"^start must have shape \(5, 3\); got \(5, 2\)$"):
        amp_rbm(X, 3, start=W)
    with pytest.raises(ValueError, match=r'^start must be "random", "spectral" or an array; got'):
        amp_rbm(X, 1, start="warm")
    with pytest.raises(ValueError, match=r"\[0, 4\) for the proximal map to be unique; they are"):
        proximal_map(OMEGA, 4.0 * EYE, Bernoulli())
    with pytest.raises(ValueError, match=r"^k must leave at most 67108864 .*; got 2\*\*30$"):
        amp_rbm(X, 30)
    with pytest.raises(ValueError, match=r"^A must be symmetric; .* its transpose by 0\.4$"):
        multiplier_step(EYE, -LOPSIDED, 4.0, V)
    with pytest.raises(ValueError, match=r"^B must be positive semidefinite; .* is -1$"):
        multiplier_step(-EYE, -EYE, 4.0, V)
    with pytest.raises(ValueError, match=r"^damping must be in \[0, 1\); got 1\.0$"):
        amp_rbm(X, 1, damping=1)


def test_input_at_the_edge_of_what_is_allowed():
    assert amp_rbm(X[:1], 1, rng=0, max_iter=1).W.shape == (5, 1)
    assert amp_rbm(X[:, :1], 1, rng=0, max_iter=1).W.shape == (1, 1)
    assert amp_rbm(X, 2, rng=0, V0=0.999 * EYE, max_iter=1).W.shape == (5, 2)
    assert amp_rbm(X, np.int64(2), start=W, max_iter=1).W.shape == (5, 2)
    assert proximal_map(OMEGA[:1], 0 * EYE).z.shape == (1, 2)
    # B of rank one, whose zero eigenvalue is round-off; A symmetric to round-off
    assert multiplier_step(np.outer([0.1, 0.3], [0.1, 0.3]), -EYE, 4.0, V).message == ""
    assert multiplier_step(EYE, -EYE + [[0.0, 1e-11], [0.0, 0.0]], 4.0, V).message == ""
    assert informed_start(SIGNALS[:4], 0 * EYE, EYE, rng=0).shape == (4, 2)
    assert spectral_start(X, 5)[1].shape == (5,)
    assert len(state_evolution(ONE, [[0.0]], [[1.0]], n_iter=0).M) == 1
    assert fixed_point(4.0, 0.0, start=0.0).converged
