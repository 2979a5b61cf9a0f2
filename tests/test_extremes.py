"""Ordinary input of odd kinds, and extreme input: right numbers, or a refusal at once."""

import dataclasses
import importlib
import inspect
import pkgutil
import subprocess
import sys
import time
import warnings
from fractions import Fraction

import numpy as np
import pytest

import rbmnotes as rn
from rbmnotes import Bernoulli, Continuous, Discrete, Gaussian, Rademacher, SpikedModel
from rbmnotes._frozen import Frozen
from rbmnotes.theory.moreau import FieldLaw
from tests.laws import TERNARY, sparse

SKEWED_LEFT = Discrete((-3.0, 1 / 3), (0.1, 0.9))
CLOSE = Discrete(
    [*np.sqrt([1.0 + 1e-6, 1.0 - 1e-6]), *-np.sqrt([1.0 + 1e-6, 1.0 - 1e-6])], [0.25] * 4
)


# numbers of every kind


@pytest.mark.parametrize(
    "number", [2, 2.0, np.int8(2), np.uint64(2), np.float16(2), Fraction(2), np.array(2.0)]
)
def test_a_checked_number_is_the_one_that_is_used(number):
    model = SpikedModel(number, 1.0)
    assert type(model.alpha) is float
    assert model.sample(100, 0).X.shape == (200, 100)  # np.int8(2) * 100 is -56
    assert rn.fixed_point(number, 1.5) == rn.fixed_point(2.0, 1.5)


def test_a_float16_ratio_does_not_overflow():
    assert SpikedModel(np.float16(1000.0), 1.0).n(100) == 100_000  # float16 ends at 65504


@pytest.mark.parametrize(
    "number",
    [
        *(True, np.True_, np.ma.masked, np.longdouble("1e400"), 10**400, Fraction(10**400), "2"),
        *(None, 1j, [2.0], np.array([2.0]), np.nan, np.inf),
    ],
)
def test_what_is_no_number_is_refused_by_name(number):
    with pytest.raises(ValueError, match=r"^alpha must be"):
        rn.gordon_potential(0.5, 1.0, 1.0, 0.5, number, 1.0)
    with pytest.raises(ValueError, match=r"^snr must be"):
        rn.fixed_point(2.0, number)


@pytest.mark.parametrize(
    "values", [[True, False], np.ma.masked_array([1.0, 2.0], [True, False]), ["0.1", "0.2"]]
)
def test_what_are_no_numbers_is_refused_by_name(values):
    for name, call in {
        "overlaps": lambda: rn.emergence_time(values),
        "snr": lambda: rn.pca_overlap(2.0, values),
        "z": lambda: rn.eta1(values),
    }.items():
        with pytest.raises(ValueError, match=rf"^{name} must be an array of real numbers"):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: rn.bbp_snr(2.0),
        lambda: rn.pca_overlap(2.0, 1.2),
        lambda: rn.outlier_eigenvalue(2.0, 1.2),
        lambda: rn.marchenko_pastur_density(1.0, 2.0),
        lambda: rn.bayes_overlap(2.0, 1.2),
        lambda: rn.bayes_overlap(2.0, 1.2, Gaussian(), Gaussian()),
        lambda: rn.bayes_overlap(2.0, 0.1),
        lambda: rn.haar_overlap(2)[0],
        lambda: rn.leading_time(2.0, 1.2, 0.1, 100),
        lambda: rn.emergence_time([0.1, 0.6]),
        lambda: rn.response_bound(TERNARY),
        lambda: rn.finite_norm_threshold(4.0),
        lambda: rn.response_edge(1.5),
        lambda: rn.overlap_free_edge(),
        lambda: rn.gibbs_rate([[1.0]], TERNARY),
        lambda: rn.moreau_average(0.5, 1.0, 0.4, 1.0),
        lambda: rn.eta1([0.3, 0.1]),
        lambda: rn.eta2([[1.0]]),
    ],
)
def test_a_single_number_is_a_float(call):
    assert type(call()) is float


# silent nonsense


def test_a_factor_that_vanishes_on_a_node_of_the_linear_law():
    # 1 + (x - 2) vanishes at x = 1, where the Marchenko-Pastur law of alpha = 2 has a node;
    # the law at t = 0 is the start's, and the rest is close to that of a rate close by
    starts = np.random.default_rng(0).standard_normal((2, 1, 1))
    times = [0.0, 5.0]
    units, span = rn.linear_overlaps(2.0, [3.0], 1.0, 100, times, starts)
    near, _ = rn.linear_overlaps(2.0, [3.0], 1.0 + 1e-9, 100, times, starts)
    np.testing.assert_allclose(units, near, rtol=1e-6)
    np.testing.assert_allclose(span[:, :, 0], units[:, :, 0, 0], rtol=1e-12)
    cosine, chi = rn.pca_overlap(2.0, 3.0), starts[:, 0, 0]
    expected = cosine * np.abs(chi) / np.sqrt(chi**2 + 100.0)
    np.testing.assert_allclose(units[0, :, 0, 0], expected, rtol=1e-9)


@pytest.mark.parametrize("t", [1e4, 1e6])
def test_the_linear_law_at_late_times_and_below_threshold(t):
    starts = np.ones((1, 1, 1))
    units, span = rn.linear_overlaps(2.0, [0.1], 0.1, 100, [t], starts)
    assert np.all(np.isfinite(units))
    assert span[0, 0, 0] == 0.0  # no cosine below threshold
    late, _ = rn.linear_overlaps(2.0, [3.0], 0.1, 100, [t], starts)
    assert late[0, 0, 0, 0] == pytest.approx(rn.pca_overlap(2.0, 3.0), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.5, 2.0, 1e3])
@pytest.mark.parametrize("snr", [2.0, 5.0, 10.0, 100.0, 1e4])
@pytest.mark.parametrize("prior", [Rademacher(), TERNARY, sparse(0.1), SKEWED_LEFT], ids=repr)
def test_no_overlap_exceeds_one(alpha, snr, prior):
    assert rn.bayes_overlap(alpha, snr, prior_w=prior) <= 1.0


def test_a_channel_that_tells_all_points_apart():
    # no overlap is lost, and the evidence is the gain less the entropy of the points
    from rbmnotes.theory.bayes_limit import mutual_potential, posterior_overlap

    assert posterior_overlap(2e3, sparse(0.1)) == sparse(0.1).moment(2)
    entropy = -np.dot(sparse(0.1).probabilities, np.log(sparse(0.1).probabilities))
    gamma = 30.0**2
    value = mutual_potential(1.0, 30.0, 1.0, 1.0, Rademacher(), sparse(0.1))
    assert value == pytest.approx(0.5 * gamma - np.log(2.0) - entropy, rel=1e-12)


def test_the_bayes_optimal_overlap_at_and_near_its_own_threshold():
    threshold = rn.bbp_snr(4.0)
    assert rn.bayes_overlap(4.0, threshold) == 0.0
    # m_w grows in proportion to the distance: measured at 1e-3, where plain iteration gets there
    slope = rn.bayes_overlap(4.0, threshold * (1.0 + 1e-3)) ** 2 / 1e-3
    for distance in (1e-4, 1e-6):
        overlap = rn.bayes_overlap(4.0, threshold * (1.0 + distance))
        assert overlap**2 / distance == pytest.approx(slope, rel=3e-3)


def test_a_skewed_law_below_threshold_has_no_overlap_and_a_finite_potential():
    from rbmnotes.theory.bayes_limit import posterior_overlap

    for gamma in (0.0, 1e-17, 1e-9):
        assert posterior_overlap(gamma, SKEWED_LEFT) >= 0.0
    assert rn.bayes_overlap(2.0, 0.5, prior_u=SKEWED_LEFT) == 0.0


@pytest.mark.parametrize("q", [10.0, 100.0, 3100.0])
def test_gibbs_rate_of_a_strong_coin(q):
    # two states: the rate is the trace of the transitions less one, here by adaptive quadrature
    from scipy.integrate import quad
    from scipy.special import expit

    def up(state):
        density = lambda x: np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)  # noqa: E731
        return quad(
            lambda x: expit(q * state + np.sqrt(q) * x) * density(x),
            *(-12.0, 12.0),
            points=np.clip([-np.sqrt(q) * state, 0.0], -12.0, 12.0),
            limit=500,
            epsabs=1e-12,
        )[0]

    expected = 1.0 - up(0.0) + up(1.0) - 1.0
    assert rn.gibbs_rate([[q]], Bernoulli()) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("size", [1e-25, 1e20, 1e30])
def test_overlaps_know_no_scale(size):
    rng = np.random.default_rng(0)
    W_star, W = rng.standard_normal((2, 50, 2)).astype(np.float32)
    expected = rn.overlap(W_star, W)
    np.testing.assert_allclose(rn.overlap(W_star, W * np.float32(size)), expected, atol=1e-6)
    double = rn.overlap(W_star, W.astype(float) * size**8)
    np.testing.assert_allclose(double, expected, atol=1e-12)


# memory and time

SLOW = [
    ("overlap of a strong signal", lambda: rn.bayes_overlap(2.0, 1000.0)),
    ("fixed point of the strongest signal", lambda: rn.fixed_point(2.0, 100.0)),
    ("replicon threshold near one", lambda: rn.replicon_threshold(1.000001)),
    ("replicon threshold at one", lambda: rn.replicon_threshold(1.0)),
    ("global optimum of a strong signal", lambda: rn.global_optimum(2.0, 100.0)),
    ("branches of a strong signal", lambda: rn.branches(2.0, 100.0)),
    ("contrastive divergence, strong signal", lambda: rn.contrastive_fixed_point(2.0, 50.0)),
    ("average of a strong signal", lambda: rn.moreau_average(1e3, 1e6, 0.5, 100.0)),
    ("potential of a strong signal", lambda: rn.gordon_potential(1e2, 2e4, 1.0, 0.5, 2.0, 100.0)),
]
FAR = (1e-300, 1e-9, 1e16, 1e300)
REFUSED = {
    "alpha": [
        *(lambda v=v: rn.fixed_point(v, 1.0) for v in FAR),
        *(lambda v=v: rn.global_optimum(v, 1.0) for v in FAR),
        *(lambda v=v: rn.branches(v, 1.0) for v in FAR),
        *(lambda v=v: rn.replicon_threshold(v) for v in FAR),
        *(lambda v=v: rn.contrastive_fixed_point(v, 1.0) for v in FAR),
        *(lambda v=v: rn.one_step_rsb(v, 1.0) for v in FAR),
        *(lambda v=v: rn.gordon_potential(0.5, 1.0, 1.0, 0.5, v, 1.0) for v in FAR),
        lambda: rn.bayes_overlap(1e300, 1.0),
    ],
    "snr": [
        lambda: rn.fixed_point(2.0, 1e4),
        *(lambda v=v: rn.fixed_point(2.0, v) for v in FAR[2:]),
        *(lambda v=v: rn.global_optimum(2.0, v) for v in FAR[2:]),
        *(lambda v=v: rn.branches(2.0, v) for v in FAR[2:]),
        *(lambda v=v: rn.contrastive_fixed_point(2.0, v) for v in FAR[2:]),
        *(lambda v=v: rn.one_step_rsb(2.0, v) for v in FAR[2:]),
        *(lambda v=v: rn.moreau_average(0.5, 1.0, 0.5, v) for v in FAR[2:]),
        *(lambda v=v: rn.pca_overlap(2.0, v) for v in FAR[3:]),
        lambda: rn.bayes_overlap(2.0, 1e300),
        lambda: rn.bayes_overlap(1e6, 1e3, prior_w=CLOSE),
        lambda: rn.bayes_pair_evolution(2.0, 30.0, 0.5 * np.eye(2), 0.5 * np.eye(2), 3),
    ],
    "q": [
        *(lambda v=v: rn.moreau_average(0.5, v, 0.5, 1.0) for v in FAR),
        *(lambda v=v: rn.gordon_potential(0.0, v, 1.0, 0.5, 2.0, 1.0) for v in FAR),
    ],
    "V": [lambda v=v: rn.moreau_average(0.5, 1.0, v, 1.0) for v in FAR],
    "k": [
        lambda: rn.amp_rbm(np.ones((3, 2)), k=2**31),
        lambda: rn.amp_rbm(np.ones((3, 2)), k=2**20, hidden=Gaussian()),
    ],
    "d": [lambda: SpikedModel(2.0, 1.0).sample(10**9), lambda: SpikedModel(1e40, 1.0).sample(10)],
    "hidden": [
        lambda: rn.gibbs_rate(np.eye(2), Discrete(np.arange(40.0), np.full(40, 1 / 40))),
        lambda: rn.global_optimum(2.0, 1.0, Discrete((1.0,), (1.0,))),
    ],
    "r": [lambda: rn.haar_overlap(10**4), lambda: rn.equal_snr_pca_overlap(2.0, 2.0, 10**4)],
    "Q": [lambda: rn.gibbs_rate(1e8 * np.eye(2))],
}


@pytest.mark.parametrize(("name", "call"), SLOW, ids=[name for name, _ in SLOW])
def test_it_returns(name, call):
    before = time.process_time()
    call()
    assert time.process_time() - before < 10.0


@pytest.mark.parametrize(
    ("name", "call"), [(name, call) for name, calls in REFUSED.items() for call in calls]
)
def test_what_is_out_of_reach_is_refused_at_once(name, call):
    before = time.process_time()
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()
    assert time.process_time() - before < 1.0


def test_fixed_points_of_strong_signals_are_converged():
    # m = lambda and q = lambda^2 + 1 / alpha up to exp(-lambda^2 / 2) once signs are resolved
    for snr in (10.0, 30.0, 100.0):
        point = rn.fixed_point(2.0, snr)
        assert point.converged
        assert point.m == pytest.approx(snr, rel=1e-10)
        assert point.q == pytest.approx(snr**2 + 0.5, rel=1e-10)


def test_panels_of_different_width_are_as_good_as_a_uniform_grid(monkeypatch):
    from rbmnotes.theory import moreau

    for hidden in (Rademacher(), SKEWED_LEFT, TERNARY):
        V = 0.9 * rn.response_bound(hidden)
        values = []
        for most in (2**13, 20):  # points of a uniform grid
            monkeypatch.setattr(moreau, "MAX_UNIFORM", most)
            law = FieldLaw(20.0, 3.0, hidden, TERNARY)
            values.append([*law.averages(V), law.squared_derivative(V)])
        # round-off of thousands of terms of the size of the field
        np.testing.assert_allclose(values[1], values[0], rtol=1e-8, atol=1e-11)


def test_a_proximal_map_is_compiled_for_one_memory_layout():
    omega = np.random.default_rng(0).standard_normal((6, 2))
    V = np.array([[0.4, 0.1], [0.1, 0.3]])
    expected = rn.proximal_map(omega, V)
    from rbmnotes.model.proximal_rows import solve_rows

    count = len(solve_rows.signatures)
    for array in (omega, V):
        array.flags.writeable = False
    for fields in (omega, np.asfortranarray(omega), omega[::-1][::-1]):
        for response in (V, np.asfortranarray(V)):
            np.testing.assert_array_equal(rn.proximal_map(fields, response).z, expected.z)
    assert len(solve_rows.signatures) == count


def test_predictions_at_extremes_end_without_a_traceback():
    for alpha, snr in (("2", "1e3"), ("1e-9", "1"), ("1e300", "1e300"), ("2", "1e16")):
        done = subprocess.run(
            [sys.executable, "-m", "rbmnotes", "predict", "--alpha", alpha, "--snr", snr],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in (0, 2)
        assert "Traceback" not in done.stderr


# comparison and aliasing


def test_machines_compare_by_value():
    W = np.arange(6.0).reshape(3, 2)
    machine = rn.RBM(W)
    assert machine == rn.RBM(W.copy())
    assert hash(machine) == hash(rn.RBM(W.copy()))
    assert {machine: "found"}[rn.RBM(W)] == "found"
    others = (rn.RBM(2 * W), rn.RBM(W[:, :1]), rn.RBM(W, hidden=Bernoulli()), rn.RBM(W, np.ones(3)))
    for other in (*others, W, None):
        assert machine != other


def test_a_machine_owns_its_parameters():
    W, a, b = np.zeros((3, 2)), np.zeros(3), np.zeros(2)
    machine = rn.RBM(W, a, b)
    for array in (W, a, b):
        array += 1.0
    for array in (machine.W, machine.visible_bias, machine.hidden_bias):
        assert not array.any()


@pytest.mark.parametrize(
    "result",
    [
        rn.RBM(np.ones((3, 2))),
        rn.proximal_map(np.zeros((2, 1)), [[0.5]]),
        rn.multiplier_step([[1.0]], [[0.1]], 2.0, [[0.3]]),
        rn.eta2_moments(np.eye(2)),
        rn.pca(np.eye(3), 1),
        SpikedModel(2.0, 1.0).sample(5, 0),
        rn.state_evolution(SpikedModel(2.0, 1.0), [[0.1]], [[1.0]], n_iter=1),
        rn.gradient_descent(np.ones((4, 3)), np.ones((3, 1)), 0.1, 1),
        rn.branches(4.0, 1.2)[0],
    ],
    ids=lambda result: type(result).__name__,
)
def test_arrays_of_a_result_are_read_only_and_compared_by_value(result):
    arrays = [value for value in vars(result).values() if isinstance(value, np.ndarray)]
    assert arrays
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
    again = type(result)(**vars(result))
    assert again == result
    assert hash(again) == hash(result)


def test_every_result_that_holds_arrays_is_of_this_kind():
    modules = pkgutil.walk_packages(rn.__path__, "rbmnotes.")
    core = [
        importlib.import_module(module.name)
        for module in modules
        if module.name.startswith(("rbmnotes.model.", "rbmnotes.algorithms.", "rbmnotes.theory."))
    ]
    classes = {
        found
        for module in core
        for name, found in inspect.getmembers(module, dataclasses.is_dataclass)
        if inspect.isclass(found) and not name.startswith("_")
    }
    with_arrays = {
        found
        for found in classes
        if any("ndarray" in str(field.type) for field in dataclasses.fields(found))
    }
    assert len(with_arrays) > 15
    # these never leave their callers
    scratch = {"Evaluation", "Training", "Paths", "PathAverages", "FieldAverages"}
    scratch |= {"SpikedModel"}  # keeps a tuple
    loose = {found.__name__ for found in with_arrays if not issubclass(found, Frozen)}
    assert loose <= scratch, loose


def test_extreme_values_of_formulas_without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for alpha in (1e-50, 1e50):
            for snr in (1e-50, 1.0, 1e50):
                assert 0.0 <= rn.pca_overlap(alpha, snr) <= 1.0
                assert rn.outlier_eigenvalue(alpha, snr) > 0.0
                assert 0.0 <= rn.bayes_overlap(alpha, snr) <= 1.0


def test_continuous_laws_are_compared_too():
    uniform = Continuous(np.zeros_like, (-1.0, 1.0))
    assert rn.RBM(np.ones((2, 1)), hidden=uniform) != rn.RBM(np.ones((2, 1)))
