"""Every public function, with ordinary and with absurd arguments: a valid result or a refusal.

Some hundred calls; ``RBMNOTES_FUZZ=10000`` in the environment asks for as many.
"""

import dataclasses
import inspect
import os
import re
import signal
import threading
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import rbmnotes as rn
from tests.laws import SKEWED, TERNARY

CALLS = int(os.environ.get("RBMNOTES_FUZZ", "300"))
SEED = int(os.environ.get("RBMNOTES_FUZZ_SEED", "0"))
SECONDS = 10
"""Of processor time, within which a call must end."""

RNG = np.random.default_rng(1)
UNIFORM = rn.Continuous(np.zeros_like, (-np.sqrt(3.0), np.sqrt(3.0)), points=16)
MODEL = rn.SpikedModel(2.0, 1.2)
PAIR = rn.SpikedModel(2.0, (1.2, 1.0), prior_u=TERNARY)
DATA = MODEL.sample(6, 0)
SIGNS = np.where(RNG.random((20, 6)) < 0.5, -1.0, 1.0)
W = RNG.standard_normal((6, 2))
TWO = np.array([[1.0, 0.2], [0.2, 0.8]])


class Own(rn.Prior):
    """What the package refuses by name: neither points nor a density."""

    is_symmetric = True
    max_tilted_variance = 1.0
    moment = log_mgf = tilted_mean = tilted_variance = sample_tilted = quantile = None
    posterior_mean = None


# ordinary values of every argument, by its name
ORDINARY = {
    "alpha": [0.3, 1.0, 1.000001, 2.0, 4, 30.0],
    "snr": [1.2, 0.0, 0.5, 1.0, 3.0],
    "hidden": [rn.Rademacher(), rn.Bernoulli(), TERNARY, SKEWED, rn.Gaussian()],
    "prior_u": [rn.Rademacher(), TERNARY, SKEWED, rn.Gaussian()],
    "prior_w": [rn.Rademacher(), TERNARY, SKEWED, rn.Gaussian()],
    "prior": [rn.Rademacher(), TERNARY, rn.Gaussian()],
    "visible": [rn.Rademacher(), rn.Gaussian()],
    "model": [MODEL, PAIR],
    "X": [DATA.X, SIGNS, SIGNS.astype(np.float32), SIGNS.astype(np.int8)],
    "signs": [SIGNS, SIGNS.astype(np.int8)],
    "W0": [W, RNG.standard_normal((6, 1))],
    "W": [W, RNG.standard_normal((6, 3)), W.astype(np.float32)],
    "W_star": [W, RNG.standard_normal((6, 1))],
    "W_star_or_none": [None, W],
    "visible_bias": [None, np.zeros(6), np.ones(6)],
    "hidden_bias": [None, np.zeros(2)],
    "learning_rate": [0.1, 0.0, 1.0],
    "n_iter": [0, 1, 3],
    "max_iter": [1, 20],
    "n_samples": [2, 50],
    "n_paths": [64],
    "n_solves": [1, 2],
    "n_starts": [1, 2],
    "cycles": [1, 2],
    "rng": [0, None, 7],
    "k": [1, 2],
    "r": [1, 2, 3],
    "tol": [1e-8, 1e-3],
    "damping": [0.0, 0.5],
    "start_name": ["random", "spectral"],
    "m": [0.0, 0.7],
    "q": [0.9, 2.0],
    "V": [0.1, 0.4, 3.0],
    "tau": [1.0, 3.0],
    "gamma": [0.5, 2.0],
    "M0": [np.array([[0.3]]), np.array([[0.3, 0.1]]), 0.3 * np.eye(2)],
    "Q0": [np.array([[1.0]]), TWO],
    "M1": [[0.3], [0.3, 0.1], [0.2, 0.0, -0.1]],
    "M2": [0.3 * np.eye(2), 0.5 * np.eye(2)],
    "Q2": [TWO, 0.5 * np.eye(2)],
    "matrix": [np.array([[0.5]]), TWO, 0.3 * np.eye(3)],
    "matrix_V": [np.array([[0.3]]), 0.2 * TWO],
    "z": [np.zeros(2), RNG.standard_normal((4, 2))],
    "omega": [RNG.standard_normal((5, 1)), np.zeros((3, 2))],
    "field": [None, np.zeros(2)],
    "d": [1, 10, 100],
    "times": [[0.0, 1.0, 5.0], np.arange(3)],
    "starts": [RNG.standard_normal((3, 1, 2))],
    "overlaps": [[0.1, 0.4, 0.9], RNG.random((4, 2))],
    "level": [0.5, 0.1],
    "times_or_none": [None],
    "largest": [5.0, 100.0],
    "x": [1.0, np.linspace(0.0, 5.0, 4)],
    "of": ["w", "u"],
    "flip": [0.1, np.full(6, 0.2)],
    "rbm": [rn.RBM(W), rn.RBM(W, hidden=rn.Bernoulli())],
    "m0": [0.1, 0.9],
    "persistent": [False, True],
    "keep": [False, True],
    "batch_fraction": [1.0, 0.5],
    "method": ["gd", "cd"],
    "sampling": ["sobol", "random"],
    "support": [(-1.0, 1.0), (0.0, 1.0, 2.0)],
    "probabilities": [(0.5, 0.5), (0.2, 0.3, 0.5)],
    "log_density": [np.zeros_like, lambda x: -np.abs(x)],
    "points": [16, 64],
    "channel": [None, lambda s, z: s + z, lambda s, z: np.sign(s + z)],
}

# arguments of a function, each with the key of its ordinary values where that is another name
SIGNATURES = {
    rn.amp_gain: ["alpha", "snr", "hidden"],
    rn.amp_rbm: [
        *("X", "k", "hidden", "damping", "tol", "max_iter", "rng"),
        *(("start", "start_name"), ("W_star", "W_star_or_none")),
    ],
    rn.adam: ["X", "W0", "learning_rate", "n_iter", "hidden", ("W_star", "W_star_or_none"), "tol"],
    rn.bayes_amp: ["X", "model", ("start", "start_name"), "damping", "tol", "max_iter", "rng"],
    rn.bayes_log_evidence: ["alpha", "snr", "prior_u", "prior_w"],
    rn.bayes_overlap: ["alpha", "snr", "prior_u", "prior_w"],
    rn.bayes_pair_evolution: [
        *("alpha", "snr", ("M", "M2"), ("Q", "Q2"), "n_iter", "prior_u", "prior_w")
    ],
    rn.bayes_stage_evolution: [*("alpha", "snr", ("M", "M1"), "q", "n_iter", "prior_u", "prior_w")],
    rn.bayes_state_evolution: ["model", "m0", "n_iter"],
    rn.bbp_snr: ["alpha"],
    rn.branches: ["alpha", "snr", "hidden", "prior_u"],
    rn.contrastive_divergence: [
        *("X", "W0", "learning_rate", "n_iter", "hidden", "visible", "cycles", "persistent"),
        *("batch_fraction", ("W_star", "W_star_or_none"), ("keep_weights", "keep"), "rng"),
    ],
    rn.contrastive_fixed_point: [
        *("alpha", "snr", "hidden", "cycles", "learning_rate", "persistent", "prior_u")
    ],
    rn.decimation_amp: ["X", "model", "n_starts", "damping", "tol", "max_iter", "rng"],
    rn.dmft: [
        *("model", "M0", "Q0", "learning_rate", "n_iter", "n_paths", "rng", "hidden", "method"),
        *("cycles", "batch_fraction", "n_solves", "sampling", ("keep_paths", "keep")),
    ],
    rn.emergence_time: ["overlaps", ("times", "times_or_none"), "level"],
    rn.equal_snr_pca_overlap: ["alpha", "snr", "r", "prior_u", "prior_w", "n_samples", "rng"],
    rn.eta1: ["z", "hidden"],
    rn.eta1_gradient: ["z", "hidden"],
    rn.eta1_hessian: ["z", "hidden"],
    rn.eta2: [("Q", "matrix"), "hidden", "field"],
    rn.eta2_moments: [("Q", "matrix"), "hidden", "field"],
    rn.finite_norm_threshold: ["alpha", "hidden", "prior_u"],
    rn.fixed_point: ["alpha", "snr", "hidden", "prior_u", ("start", "m"), "max_iter"],
    rn.gibbs_rate: [("Q", "matrix"), "hidden"],
    rn.global_optimum: ["alpha", "snr", "hidden", "prior_u"],
    rn.gordon_gradient: ["m", "q", "tau", "gamma", "alpha", "snr", "hidden", "prior_u"],
    rn.gordon_potential: ["m", "q", "tau", "gamma", "alpha", "snr", "hidden", "prior_u"],
    rn.gradient_descent: [
        *("X", "W0", "learning_rate", "n_iter", "hidden", ("W_star", "W_star_or_none"), "tol"),
        *(("keep_weights", "keep"), "batch_fraction", "rng"),
    ],
    rn.haar_overlap: ["r", "n_samples", "rng"],
    rn.informed_start: ["W_star", ("M", "M2"), ("Q", "Q2"), "rng"],
    rn.leading_time: ["alpha", "snr", "learning_rate", "d"],
    rn.linear_overlaps: ["alpha", "snr", "learning_rate", "d", "times", "starts"],
    rn.loss: ["X", "W", "hidden", "visible_bias", "hidden_bias"],
    rn.loss_gradient: ["X", "W", "hidden", "visible_bias", "hidden_bias"],
    rn.marchenko_pastur_density: ["x", "alpha"],
    rn.matched_overlap: ["W_star", "W"],
    rn.moreau_average: ["m", "q", "V", "snr", "hidden", "prior_u"],
    rn.multiplier_step: [("B", "matrix"), ("A", "matrix"), "alpha", ("V", "matrix_V"), "hidden"],
    rn.one_step_rsb: ["alpha", "snr", "hidden"],
    rn.outlier_eigenvalue: ["alpha", "snr"],
    rn.overlap: ["W_star", "W"],
    rn.overlap_free_edge: ["hidden", "largest"],
    rn.pca: ["X", "r"],
    rn.pca_overlap: ["alpha", "snr", "of"],
    rn.posterior_mean: ["rbm", ("corrupted", "signs"), "flip"],
    rn.proximal_map: ["omega", ("V", "matrix_V"), "hidden"],
    rn.replicon_threshold: ["alpha", "hidden", "prior_u"],
    rn.response_bound: ["hidden"],
    rn.response_edge: ["alpha", "hidden", "prior_u"],
    rn.spectral_start: ["X", "k"],
    rn.state_evolution: ["model", "M0", "Q0", ("V0", "matrix_V"), "n_iter", "hidden", "rng"],
    rn.teacher_rbm: ["W_star", "snr"],
    rn.RBM: ["W", "visible_bias", "hidden_bias", "visible", "hidden"],
    rn.SpikedModel: ["alpha", "snr", "prior_u", "prior_w", "channel"],
    rn.Discrete: ["support", "probabilities"],
    rn.Continuous: ["log_density", "support", "points"],
}
# tested apart: training on images, whose data are large and whose errors speak of an estimator
ELSEWHERE = {rn.train_rbm, rn.independent_start, rn.fashion_mnist}
COUNTS = {"n_iter", "max_iter", "n_samples", "n_paths", "n_solves", "n_starts", "cycles", "points"}
"""Arguments of which a large value asks for much work, and gets it."""
# functions that say in their documentation when they return what is not finite
NOT_FINITE = {
    *(rn.amp_gain, rn.emergence_time, rn.leading_time, rn.finite_norm_threshold),
    *(rn.overlap_free_edge, rn.replicon_threshold, rn.response_edge),
}

STRANGE = [
    *(None, "a", "", b"a", True, False, np.True_, object(), {}, {1.0}, [], [[]], (), len, 1j),
    *(np.nan, np.inf, -np.inf, -1, -0.5, 0, -0.0, 1, 2, 3, 20, 0.01, 1e-9, 1e-16, 1e-300, 5e-324),
    *(1e3, 1e4, 1e6, 1e16, 1e60, 1e300, -1e300, 1.0 + 1e-9, 0.999999, 30.0, 100.0, 3100.0),
    *(
        2**31,
        2**63,
        2**64,
        -(2**63),
        10**30,
        10**400,
        Fraction(1, 3),
        Fraction(10**400),
        Decimal(2),
    ),
    *(np.int8(2), np.uint8(200), np.float16(2.0), np.float32(0.5), np.int64(3)),
    *(np.longdouble("1e400"), np.longdouble(1.5), np.datetime64("2020-01-01"), np.str_("b")),
    *(np.ma.masked, np.ma.masked_array([1.0, 2.0], [True, False]), np.array(2.0), np.array(None)),
    *([1.0], [1.0, 2.0], [0.5, 0.5, 0.5], [[1.0], [2.0, 3.0]], ["a", "b"], [None], [True, False]),
    *(np.eye(2), np.eye(3), np.zeros((2, 2)), np.ones((2, 2)), -np.eye(2), [[0.0]], [[1.0]]),
    *([[3100.0]], [[1e300]], [[1e-300]], np.full((2, 2), 1e200), np.full((6, 2), 1e-200)),
    *(np.full((6, 2), 1e20, np.float32), np.full((6, 2), 1e-25, np.float32), np.zeros((6, 2))),
    *(np.ones((20, 6)), np.full((20, 6), 1e160), np.full((20, 6), np.nan), np.zeros((0, 6))),
    *(np.zeros((20, 6)), np.ones((6, 2), complex), np.ones((6, 2), bool), np.eye(2, dtype=object)),
    *(np.asfortranarray(SIGNS), SIGNS[::-1, ::-1], np.asfortranarray(W), W[::-1], W[:, ::-1]),
    *(np.ones((2, 2, 2)), np.arange(5.0), np.linspace(-1.0, 1.0, 6), 40.0 * np.eye(2)),
    *(Own(), rn.Rademacher, UNIFORM, rn.Bernoulli(), rn.Gaussian(), rn.Discrete((1.0,), (1.0,))),
    *(rn.Discrete((0.0, 1e4), (0.5, 0.5)), rn.Discrete((0.0, 1e-4), (0.5, 0.5))),
    *(rn.Discrete(np.linspace(-2.0, 2.0, 40), np.full(40, 1 / 40)), rn.SpikedModel(1e-3, 50.0)),
    *(rn.SpikedModel(1e40, 1e40), rn.SpikedModel(1.0, (0.0, 0.0, 0.0)), rn.RBM(1e3 * W), MODEL),
]
READ_ONLY = W.copy()
READ_ONLY.flags.writeable = False
STRANGE.append(READ_ONLY)


class TooSlow(BaseException):
    """Raised by the timer; no handler of errors catches it."""


def draw_call(rng):
    """Return a function and its arguments, up to three of them strange."""
    function = list(SIGNATURES)[rng.integers(len(SIGNATURES))]
    arguments = {}
    for entry in SIGNATURES[function]:
        name, key = entry if isinstance(entry, tuple) else (entry, entry)
        values = ORDINARY[key]
        arguments[name] = values[rng.integers(len(values))]
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        name = list(arguments)[rng.integers(len(arguments))]
        value = STRANGE[rng.integers(len(STRANGE))]
        large = isinstance(value, int | float | np.number) and abs(value) > 50
        if not (name in COUNTS and large):
            arguments[name] = value
    return function, arguments


def frozen(value):
    """Return a copy of an argument, to see whether a call has changed it."""
    return value.copy() if isinstance(value, np.ndarray) else value


def complaint(function, arguments):
    """Call a function and return what is wrong with what it does, or None."""
    before = {name: frozen(value) for name, value in arguments.items()}

    def stop(*_):
        raise TooSlow

    old = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = function(**arguments)
    except (ValueError, TypeError) as error:
        names = inspect.signature(function).parameters
        if not any(re.search(rf"\b{name}\b", str(error)) for name in names):
            return f"{type(error).__name__} names no argument: {error}"
        result = None
    except TooSlow:
        return f"more than {SECONDS} seconds"
    except Warning as warning:
        return f"{type(warning).__name__}: {warning}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)
    for name, value in before.items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            equal = np.array_equal(value, arguments[name], equal_nan=value.dtype.kind == "f")
            if not equal and not np.ma.isMaskedArray(value):
                return f"{name} was changed"
    return invalid(result, function in NOT_FINITE)


def invalid(result, not_finite=False):
    """Return what is wrong with a result, or None."""
    if result is None or isinstance(result, bool | int | str | rn.Prior | rn.SpikedModel):
        return None
    if isinstance(result, np.generic):
        return f"a {type(result).__name__} for a plain number"
    if isinstance(result, float | np.ndarray):
        finite = np.all(np.isfinite(result))
        return None if finite or not_finite else f"not finite: {result}"
    if isinstance(result, tuple):
        return next((wrong for part in result if (wrong := invalid(part, not_finite))), None)
    if not dataclasses.is_dataclass(result):
        return f"a {type(result).__name__}"
    excused = {"replicon", "gradient_size"}  # infinite at the bound of V, and out of eta2's domain
    if not getattr(result, "converged", not getattr(result, "message", "")):
        return None  # says what is wrong with its numbers
    for field in dataclasses.fields(result):
        doubtful = not_finite or field.name in excused or field.name.endswith("_error")
        if wrong := invalid(getattr(result, field.name), doubtful):
            return f"{field.name}: {wrong}"
    return None


def test_all_public_functions_are_called():
    public = {getattr(rn, name) for name in rn.__all__}
    functions = {value for value in public if callable(value) and not inspect.isclass(value)}
    assert functions == (set(SIGNATURES) & functions) | ELSEWHERE
    for function, entries in SIGNATURES.items():
        names = {entry if isinstance(entry, str) else entry[0] for entry in entries}
        assert names <= set(inspect.signature(function).parameters), function


@pytest.fixture
def compiled():
    """Compile what is not in numba's cache, before the time is taken."""
    for function, entries in SIGNATURES.items():
        pairs = [(entry, entry) if isinstance(entry, str) else entry for entry in entries]
        function(**{name: ORDINARY[key][0] for name, key in pairs if ORDINARY[key][0] is not None})


@pytest.mark.usefixtures("compiled")
@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="the timer needs it"
)
def test_a_valid_result_or_a_refusal_that_names_an_argument():
    rng = np.random.default_rng(SEED)
    complaints = []
    for number in range(CALLS):
        function, arguments = draw_call(rng)
        wrong = complaint(function, arguments)
        if wrong:
            complaints.append(f"call {number}: {function.__name__}({arguments}): {wrong}")
    assert not complaints, f"{len(complaints)} of {CALLS}\n" + "\n".join(complaints)


@pytest.mark.parametrize(
    ("alpha", "function", "wrong"),
    [
        (2.0, lambda alpha: np.float64(alpha), "a float64 for a plain number"),
        (2.0, lambda alpha: float("nan"), "not finite"),
        (2.0, lambda alpha: {}[alpha], "KeyError"),
        (2.0, lambda alpha: int("x"), "names no argument"),
        (np.array([2.0, 1.0]), lambda alpha: alpha.sort(), "alpha was changed"),
        (0.0, lambda alpha: np.log(alpha), "RuntimeWarning"),
    ],
)
def test_the_fuzz_notices(alpha, function, wrong):
    assert wrong in complaint(function, {"alpha": alpha})
