"""AMP-RBM and its state evolution against each other, reference values and the objective."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

import rbmnotes as rn
from rbmnotes.experiments.evidence import extrapolate
from rbmnotes.theory.quadrature import field_averages, line_averages

TERNARY = rn.Discrete((-1.5, 0.0, 1.5), (2 / 9, 5 / 9, 2 / 9))

REFERENCE = [  # alpha, snr, m, q, V, overlap, replicon, loss
    (4.0, 1.2, 1.183578, 1.826840, 0.377248, 0.875682, 0.187241, -1.723293),
    (4.0, 1.5, 1.496126, 2.566194, 0.312189, 0.933950, 0.066906, -2.905202),
    (2.0, 1.5, 1.483159, 2.895282, 0.628770, 0.871650, 0.226018, -1.721960),
]


@pytest.mark.parametrize(("alpha", "snr"), [(4.0, 1.2), (2.0, 1.5)])
def test_fixed_point_is_a_fixed_point_of_the_recursion(alpha, snr):
    p = rn.fixed_point(alpha, snr)
    se = rn.state_evolution(rn.SpikedModel(alpha, snr), [[p.m]], [[p.q]], [[p.V]], 3)
    assert np.abs(se.M - p.m).max() < 1e-9
    assert np.abs(se.Q - p.q).max() < 1e-9
    assert np.abs(se.V - p.V).max() < 1e-9


@pytest.mark.parametrize("row", REFERENCE, ids=lambda row: f"{row[0]}-{row[1]}")
def test_fixed_point_reference_values(row):
    """Six digits are given; 1e-6 is their rounding."""
    p = rn.fixed_point(row[0], row[1])
    assert p.converged
    assert (p.m, p.q, p.V, p.overlap, p.replicon, p.loss) == pytest.approx(row[2:], abs=1e-6)


@pytest.mark.parametrize(
    ("alpha", "replicon", "threshold", "crossing"),
    [(4.0, 2.211, 1.0563, 1.204), (10.0, 1.347, 1.0288, 1.095), (50.0, 1.073, 1.0082, 1.025)],
)
def test_thresholds_at_finite_norm(alpha, replicon, threshold, crossing):
    """To the digits given."""
    p = rn.fixed_point(alpha, 0.0, start=0.0)
    slope = line_averages(0.0, p.q, p.V, rn.Rademacher())[3]
    bbp = rn.bbp_snr(alpha)
    found = brentq(lambda x: rn.fixed_point(alpha, x * bbp).replicon - 1, 1.005 * threshold, 1.5)
    assert p.replicon == pytest.approx(replicon, abs=6e-4)
    assert (p.V * np.sqrt(alpha) * slope) ** -0.5 == pytest.approx(threshold, abs=6e-5)
    assert found == pytest.approx(crossing, abs=6e-4)


@pytest.mark.parametrize("V", [0.0, 0.4, 0.7])
def test_line_averages_against_adaptive_quadrature_in_the_field(V):
    """Independent in variable and rule; 1e-8 is what the adaptive rule promises."""
    mean, variance = 0.8, 1.7

    def average(function):
        def integrand(omega):
            z = brentq(lambda z: z - omega - V * np.tanh(z), omega - 1, omega + 1, xtol=1e-14)
            density = np.exp(-0.5 * (omega - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
            return function(z, omega) * density

        return quad(integrand, mean - 12, mean + 12, points=(0.0,), limit=400, epsabs=1e-11)[0]

    def slope(z, _):
        return (1 - np.tanh(z) ** 2) / (1 - V * (1 - np.tanh(z) ** 2))

    expected = [
        1.0,
        average(lambda z, _: np.tanh(z)),
        average(lambda z, _: np.tanh(z) ** 2),
        average(slope),
        average(lambda z, _: np.log(np.cosh(z))),
        average(lambda z, omega: slope(z, omega) ** 2),
        average(lambda z, omega: omega * np.tanh(z)),
    ]
    assert line_averages(mean, variance, V, rn.Rademacher()) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("hidden", [rn.Rademacher(), rn.Bernoulli(), TERNARY])
@pytest.mark.parametrize("prior_u", [rn.Rademacher(), rn.Gaussian(), TERNARY])
def test_plane_averages_against_monte_carlo(hidden, prior_u):
    """Through the proximal map of 200,000 sampled fields, within 5 standard errors."""
    M, Q = np.array([[0.6, 0.2], [-0.3, 0.5]]), np.array([[1.1, 0.3], [0.3, 0.9]])
    V, snr = np.array([[0.35, 0.1], [0.1, 0.25]]), np.array([1.4, 1.1])
    average = field_averages(M, Q, V, snr, prior_u, hidden)
    rng, n = np.random.default_rng(3), 200_000
    U = prior_u.sample((n, 2), rng)
    omega = (U * snr) @ M + rng.standard_normal((n, 2)) @ np.linalg.cholesky(Q).T
    point = rn.proximal_map(omega, V, hidden)
    for values, expected in (
        (U[:, :, None] * point.g[:, None, :], average.ug),
        (point.g[:, :, None] * point.g[:, None, :], average.gg),
        (point.derivative, average.derivative),
        (np.sum(point.derivative**2, axis=(1, 2)), average.squared_derivative),
        (hidden.log_mgf(point.z).sum(axis=1), average.eta1),
    ):
        error = values.std(axis=0) / np.sqrt(n)
        assert np.all(np.abs(values.mean(axis=0) - expected) < 5 * error + 1e-12)


def test_three_units_by_quasi_monte_carlo_decouple():
    """Diagonal order parameters: each unit is a one-unit problem, within five reported errors."""
    snr = (1.7, 1.5, 1.4)
    se = rn.state_evolution(
        rn.SpikedModel(3.0, snr), np.diag([0.8, 0.7, 0.6]), np.eye(3), 0.3 * np.eye(3), 12
    )
    for i, strength in enumerate(snr):
        alone = rn.state_evolution(
            rn.SpikedModel(3.0, strength), [[(0.8, 0.7, 0.6)[i]]], [[1.0]], [[0.3]], 12
        )
        # errors of single averages accumulate along the path: a factor of ten
        assert np.abs(se.M[:, i, i] - alone.M[:, 0, 0]).max() < 10 * se.error
    assert 0 < se.error < 1e-3


SIZES, RUNS = (250, 500, 1000), (60, 40, 20)


def measured_paths(prior_w):
    """Return, for each size, M, Q and V after six iterations from a start that is not diagonal."""
    M0, V0 = np.array([[0.6, 0.25], [-0.2, 0.5]]), 0.3 * np.eye(2)
    Q0 = np.array([[0.9, 0.2], [0.2, 0.9]])
    model = rn.SpikedModel(2.0, (1.9, 1.5), prior_w=prior_w)
    samples = []
    for d, n_runs in zip(SIZES, RUNS, strict=True):
        of_size = []
        for stream in np.random.SeedSequence((8, d)).spawn(n_runs):
            rng = np.random.default_rng(stream)
            data = model.sample(d, rng)
            W0 = rn.informed_start(data.W_star, M0, Q0, rng)
            fit = rn.amp_rbm(data.X, start=W0, V0=V0, max_iter=6, tol=1e-300, W_star=data.W_star)
            of_size.append([fit.history.M[6], fit.history.Q[6], fit.history.V[6]])
        samples.append(np.array(of_size))
    theory = rn.state_evolution(model, M0, Q0, V0, 6)
    return samples, np.array([theory.M[6], theory.Q[6], theory.V[6]])


@pytest.mark.parametrize("prior_w", [rn.Rademacher(), rn.Gaussian()])
def test_two_units_follow_state_evolution(prior_w):
    """Twelve entries at once: 3.5 standard errors instead of 3 keeps false alarms below 1 %."""
    samples, theory = measured_paths(prior_w)
    for place in np.ndindex(theory.shape):
        values = [of_size[(slice(None), *place)] for of_size in samples]
        assert abs(extrapolate(SIZES, values, theory[place]).z) < 3.5, place
    diagonal = [of_size[:, 1, 0, 0] for of_size in samples]
    assert extrapolate(SIZES, diagonal, 0.9 * theory[1, 0, 0]).verdict == "disagrees"


@pytest.mark.parametrize(
    ("k", "snr", "hidden"),
    [
        (1, 1.5, rn.Rademacher()),
        (3, 1.8, rn.Rademacher()),
        (2, 2.4, rn.Bernoulli()),
        (2, 2, TERNARY),
    ],
)
def test_fixed_points_are_stationary(k, snr, hidden):
    data = rn.SpikedModel(4.0, [snr] * k).sample(300, rng=k)
    start = rn.informed_start(data.W_star, 0.8 * np.eye(k), 1.5 * np.eye(k), rng=k)
    fit = rn.amp_rbm(data.X, hidden=hidden, start=start, V0=0.1 * np.eye(k), max_iter=400)
    assert fit.converged
    gradient = np.linalg.norm(rn.loss_gradient(data.X, fit.W, hidden)) / np.sqrt(fit.W.size)
    assert gradient < 1e-8
    assert fit.gradient_size == pytest.approx(gradient, rel=1e-3, abs=1e-13)


@pytest.mark.parametrize(("k", "snr"), [(1, 1.6), (2, 1.6), (5, 1.6)])
@pytest.mark.parametrize("seed", [0, 1])
def test_random_starts_find_all_signals(k, snr, seed):
    data = rn.SpikedModel(4.0, [snr] * k).sample(600, rng=(k, seed))
    fit = rn.amp_rbm(data.X, k, V0=0.1 * np.eye(k), rng=(k, seed, 1))
    assert fit.converged
    assert fit.gradient_size < 1e-8
    assert rn.matched_overlap(data.W_star, fit.W).min() > 0.85


def test_spectral_start_is_predicted_from_its_first_step():
    """theory.md's run at d=4000: finite-size fluctuations are about 0.01."""
    model = rn.SpikedModel(4.0, 1.2)
    data = model.sample(3000, rng=1)
    fit = rn.amp_rbm(
        data.X, 1, start="spectral", V0=[[0.3]], max_iter=5, tol=1e-300, W_star=data.W_star
    )
    se = rn.state_evolution(model, [[rn.pca_overlap(4.0, 1.2)]], [[1.0]], [[0.3]], 5)
    assert np.abs(np.abs(fit.history.M[:, 0, 0]) - se.M[:, 0, 0]).max() < 0.04
    without = rn.amp_rbm(
        data.X, start=rn.pca(data.X, 1).W, V0=[[0.3]], max_iter=5, tol=1e-300, W_star=data.W_star
    )
    # the echo in the first field makes its response too small: 0.405 for 0.455
    assert np.abs(fit.history.V[:, 0, 0] - se.V[:, 0, 0]).max() < 0.02
    assert np.abs(without.history.V[:, 0, 0] - se.V[:, 0, 0]).max() > 0.04


def test_single_precision_data_stay_single_and_agree():
    data = rn.SpikedModel(4.0, 1.5).sample(300, rng=2)
    start = rn.informed_start(data.W_star, [[1.0]], [[1.5]], rng=2)
    double = rn.amp_rbm(data.X, start=start)
    single = rn.amp_rbm(data.X.astype(np.float32), start=start, tol=1e-6)
    assert single.converged
    assert np.abs(single.W - double.W).max() < 1e-4


def test_damping_keeps_the_fixed_point():
    data = rn.SpikedModel(4.0, 1.5).sample(300, rng=2)
    start = rn.informed_start(data.W_star, [[1.0]], [[1.5]], rng=2)
    plain, damped = (rn.amp_rbm(data.X, start=start, damping=g) for g in (0.0, 0.4))
    assert damped.n_iter > plain.n_iter
    assert np.abs(plain.W - damped.W).max() < 1e-7


def test_messages():
    data = rn.SpikedModel(4.0, 1.5).sample(200, rng=0)
    assert rn.amp_rbm(data.X, 1, rng=0, max_iter=2).message == "not converged after 2 iterations"
    short = rn.amp_rbm(data.X, 1, rng=0, max_iter=2)
    assert not short.converged
    assert short.history.Q.shape == (3, 1, 1)
    few = rn.SpikedModel(0.8, 2.0).sample(200, rng=0)
    assert not rn.amp_rbm(few.X, 1, rng=0).converged
    assert "cap" in rn.fixed_point(0.9, 1.2).message
    assert not rn.fixed_point(0.9, 1.2).converged
    assert rn.fixed_point(4.0, 0.5).message.startswith("converged, but the replicon")


BAD = {
    "X": lambda X: rn.amp_rbm(X[0], 1),
    "k": lambda X: rn.amp_rbm(X),
    "start": lambda X: rn.amp_rbm(X, 1, start="warm"),
    "V": lambda X: rn.amp_rbm(X, 1, V0=[[1.0]]),
    "damping": lambda X: rn.amp_rbm(X, 1, damping=1.0),
    "tol": lambda X: rn.amp_rbm(X, 1, tol=0.0),
    "max_iter": lambda X: rn.amp_rbm(X, 1, max_iter=0),
    "hidden": lambda X: rn.amp_rbm(X, 1, hidden="sign"),
    "W_star": lambda X: rn.amp_rbm(X, 1, W_star=np.ones((3, 1))),
    "model": lambda X: rn.state_evolution("spiked", [[1.0]], [[1.0]]),
    "M0": lambda X: rn.state_evolution(rn.SpikedModel(2.0, 1.0), [[1.0], [1.0]], [[1.0]]),
    "Q0": lambda X: rn.state_evolution(rn.SpikedModel(2.0, 1.0), [[1.0]], [[0.5]]),
    "alpha": lambda X: rn.fixed_point(0.0, 1.0),
    "snr": lambda X: rn.fixed_point(1.0, -1.0),
    "prior_u": lambda X: rn.fixed_point(1.0, 1.0, prior_u=rn.Bernoulli()),
    "Q": lambda X: rn.informed_start(X.T, [[1.0]] * len(X), [[0.5]]),
    "A": lambda X: rn.multiplier_step([[1.0]], np.eye(2), 2.0, [[0.1]]),
    "omega": lambda X: rn.proximal_map([1.0], [[0.1]]),
}


@pytest.mark.parametrize(("name", "call"), BAD.items(), ids=BAD)
def test_bad_input_is_refused_by_name(name, call):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call(np.random.default_rng(0).standard_normal((4, 9)))
