"""DMFT: exact cases, a plain twin of its equations, and simulations of what it predicts.

Simulations follow the protocol for trajectories: sizes, seeds and counts are constants, the bias
of order 1/d is removed by combining two sizes instance by instance, and a whole path is judged as
one. The theory's own error, at most a quarter of the simulations', is asserted where they meet.
"""

import os
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

import rbmnotes.theory._dmft_paths as kernels
import rbmnotes.theory.dmft as module
from rbmnotes import (
    Bernoulli,
    Gaussian,
    Rademacher,
    SpikedModel,
    dmft,
    eta1,
    eta1_gradient,
    eta1_hessian,
    eta2,
    eta2_moments,
    fixed_point,
    gradient_descent,
    informed_start,
)
from rbmnotes.evidence import compare_paths
from rbmnotes.theory._dmft_paths import advance_paths, negative_phase
from tests.laws import SKEWED, TERNARY

# a start that tells the orders of all indices apart
TWO = SpikedModel(3.0, (1.7, 1.1))
M_TWO = np.array([[0.3, 0.15], [-0.1, 0.25]])
Q_TWO = M_TWO.T @ M_TWO + np.array([[0.25, 0.1], [0.1, 0.3]])
RATE, STEPS = 0.12, 14


def as_path(theory):
    """M, C and loss in one vector."""
    return np.concatenate([theory.M.ravel(), theory.C.ravel(), theory.loss])


def scores(theory, name, expected):
    """Deviations in standard errors; entries that are not random must agree to 1e-9."""
    deviation, error = getattr(theory, name) - expected, getattr(theory, f"{name}_error")
    assert np.all(np.abs(deviation[error == 0]) < 1e-9)
    return deviation[error > 0] / error[error > 0]


def alter(monkeypatch, change_R=lambda R: R, change_response=lambda response: response):
    """Make the theory wrong: in the response that the paths use, or in their own response."""
    original = advance_paths

    def advance(paths, t, drift, factor, R, weight, hidden):
        average = original(paths, t, drift, factor, change_R(R), weight, hidden)
        return replace(average, response=change_response(average.response.copy()))

    monkeypatch.setattr(module, "advance_paths", advance)


# exact cases --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [Rademacher(), Bernoulli(), TERNARY, Gaussian()], ids=repr)
def test_nothing_moves_without_a_learning_rate(hidden):
    theory = dmft(TWO, M_TWO, Q_TWO, 0.0, 3, n_paths=256, rng=0, hidden=hidden, n_solves=3)
    for t in range(4):
        np.testing.assert_allclose(theory.M[t], M_TWO, atol=1e-15)
        np.testing.assert_allclose(theory.C[t], np.broadcast_to(Q_TWO, (4, 2, 2)), atol=1e-15)
    np.testing.assert_array_equal(theory.R, np.zeros((4, 4, 2, 2)))
    np.testing.assert_allclose(theory.Q, theory.C[0], atol=1e-15)


def test_start_and_shapes():
    model = SpikedModel(2.0, (1.3, 1.1, 0.9))
    M0 = np.full((3, 2), 0.1)
    theory = dmft(model, M0, np.eye(2), 0.1, 4, n_paths=64, rng=0, n_solves=2, keep_paths=True)
    shapes = {"M": (5, 3, 2), "C": (5, 5, 2, 2), "R": (5, 5, 2, 2), "loss": (5,)}
    for name, shape in shapes.items():
        assert getattr(theory, name).shape == getattr(theory, f"{name}_error").shape == shape
    np.testing.assert_array_equal(theory.M[0], M0)
    np.testing.assert_array_equal(theory.C[0, 0], np.eye(2))
    np.testing.assert_array_equal(theory.M_error[0], 0.0)
    assert (theory.U.shape, theory.fields.shape) == ((64, 3), (64, 5, 2))
    assert theory.message == ""
    np.testing.assert_array_equal(theory.C, theory.C.transpose(1, 0, 3, 2))
    causal = np.arange(5)[:, None] <= np.arange(5)
    assert np.all(theory.R[causal] == 0)
    for t in range(4):
        np.testing.assert_allclose(theory.R[t + 1, t], 0.1 * np.eye(2), atol=1e-15)
    start = dmft(model, M0, np.eye(2), 0.1, 0, rng=0)
    assert start.M.shape == (1, 3, 2)
    assert start.U is None
    assert start.fields is None


def test_no_signal_no_overlap():
    theory = dmft(SpikedModel(3.0, (0.0, 0.0)), np.zeros((2, 2)), Q_TWO, 0.1, 6, 512, rng=0)
    np.testing.assert_array_equal(theory.M, 0.0)
    assert np.abs(theory.Q[-1] - theory.Q[0]).max() > 0.05


@pytest.mark.parametrize("hidden", [Rademacher(), Bernoulli(), TERNARY, SKEWED], ids=repr)
def test_one_step_of_one_unit_by_quadrature(hidden):
    # M_1, C(1, 0), C(1, 1) and the first loss are averages over one Gaussian field and U
    alpha, snr, m, q, rate = 2.5, 1.4, 0.4, 0.7, 0.15
    nodes, weights = hermegauss(201)
    weights = weights / weights.sum()
    average = {"uf": 0.0, "ff": 0.0, "slope": 0.0, "eta1": 0.0}
    for u, probability in zip(SKEWED.support, SKEWED.probabilities, strict=True):
        z = (snr * m * u + np.sqrt(q) * nodes)[:, None]
        force, slope = eta1_gradient(z, hidden)[:, 0], eta1_hessian(z, hidden)[:, 0]
        values = {"uf": u * force, "ff": force**2, "slope": slope, "eta1": eta1(z, hidden)}
        for key, value in values.items():
            average[key] += probability * weights @ value
    keep = 1 - rate * alpha * (eta2_moments([[q]], hidden).second[0, 0] - average["slope"])
    push = rate * alpha * average["uf"] * snr
    m1, c10 = keep * m + push, keep * q + push * m
    q1 = keep * c10 + push * m1 + rate**2 * alpha * average["ff"]
    loss = alpha * (eta2([[q]], hidden) - average["eta1"])
    model = SpikedModel(alpha, snr, prior_u=SKEWED)
    theory = dmft(model, [[m]], [[q]], rate, 1, 2**13, rng=3, hidden=hidden)
    found = [theory.M[1, 0, 0], theory.C[1, 0, 0, 0], theory.C[1, 1, 0, 0], theory.loss[0]]
    errors = [theory.M_error[1, 0, 0], *theory.C_error[1, :2, 0, 0], theory.loss_error[0]]
    # eight solves: Student's t with 7 degrees of freedom exceeds 6 once in 1800 times
    assert np.all(np.abs(np.array(found) - [m1, c10, q1, loss]) < 6 * np.array(errors))
    assert max(errors) < 3e-4


def linear_theory(alpha, snr, M0, Q0, rate, n_iter):
    r"""Gaussian units, exactly: $W^t=W^0P_t(S)$ with $S=X^\top X/d$ and matrix polynomials $P_t$.

    Averages over the spectrum of $S$, seen from noise and from each signal, are contour integrals
    of the Stieltjes transforms of a spiked covariance; nothing of the dynamical theory is used.
    """
    k = M0.shape[1]
    z = 10.0 * np.exp(2j * np.pi * (np.arange(2048) + 0.5) / 2048)  # around all eigenvalues
    linear = z + 1 - alpha  # bulk: z g^2 + (z + 1 - alpha) g + 1 = 0, the root that vanishes
    roots = (-linear + np.array([[1], [-1]]) * np.sqrt(linear**2 - 4 * z)) / (2 * z)
    bulk = np.where(np.abs(roots[0]) < np.abs(roots[1]), *roots)
    measures = [(bulk, Q0 - M0.T @ M0)]
    for strength, row in zip(snr, M0, strict=True):
        measures.append((1 / ((1 + strength**2) * alpha / (1 + bulk) - z), np.outer(row, row)))

    def integral(values, measure):
        return -np.mean(values * measure * z, axis=-1).real

    def overlap(left, right):
        return sum(
            integral(np.einsum("baz,bc,cdz->adz", left, kernel, right), measure)
            for measure, kernel in measures
        )

    one = np.eye(k, dtype=complex)[:, :, None] + 0 * z
    polynomials, factors = [one], []
    for _ in range(n_iter):
        Q = overlap(polynomials[-1], polynomials[-1])
        shrink = np.eye(k) - rate * alpha * np.linalg.inv(np.eye(k) - Q)
        factors.append(shrink[:, :, None] + rate * one * z)
        polynomials.append(np.einsum("abz,bcz->acz", polynomials[-1], factors[-1]))
    M = [
        [
            integral(np.einsum("a,abz->bz", row, p), measure)
            for row, (measure, _) in zip(M0, measures[1:], strict=True)
        ]
        for p in polynomials
    ]
    C = [[overlap(p, q) for q in polynomials] for p in polynomials]
    R = np.zeros((n_iter + 1, n_iter + 1, k, k))
    for s in range(n_iter):
        kick = rate * one
        for t in range(s + 1, n_iter + 1):
            R[t, s] = integral(kick, bulk)
            kick = np.einsum("abz,bcz->acz", kick, factors[t]) if t < n_iter else kick
    Q = np.array(C)[np.arange(n_iter + 1), np.arange(n_iter + 1)]
    pushed = [  # E |h|^2 is the trace of W^T S W / n
        sum(
            np.trace(integral(z * np.einsum("baz,bc,cdz->adz", p, kernel, p), measure))
            for measure, kernel in measures
        )
        for p in polynomials
    ]
    loss = [
        alpha * (-0.5 * np.linalg.slogdet(np.eye(k) - q)[1]) - 0.5 * h
        for q, h in zip(Q, pushed, strict=True)
    ]
    return {"M": np.array(M), "C": np.array(C), "R": R, "loss": np.array(loss)}


LINEAR = SpikedModel(2.0, (1.3, 0.8))
M_LINEAR = np.array([[0.3, 0.15], [-0.1, 0.25]])
Q_LINEAR = M_LINEAR.T @ M_LINEAR + np.array([[0.15, 0.05], [0.05, 0.2]])


def worst_scores(theory, exact):
    """Largest root mean square score among M, C, R and the loss."""
    return max(np.sqrt(np.mean(scores(theory, name, exact[name]) ** 2)) for name in exact)


@pytest.mark.parametrize("prior_u", [Rademacher(), Gaussian(), SKEWED], ids=repr)
def test_gaussian_units_are_solved_exactly(prior_u, monkeypatch):
    exact = linear_theory(2.0, LINEAR.snr, M_LINEAR, Q_LINEAR, 0.1, 8)
    model = SpikedModel(2.0, LINEAR.snr, prior_u=prior_u)

    def judge():
        theory = dmft(model, M_LINEAR, Q_LINEAR, 0.1, 8, 2**13, rng=1, hidden=Gaussian())
        assert theory.M_error.max() < 2e-3
        return worst_scores(theory, exact)

    # t of 7 degrees of freedom has a root mean square of 1.18; a path is a few numbers
    assert judge() < 3.5
    if isinstance(prior_u, Rademacher):
        # errors of 1e-5 see transposes that gradient descent's nearly symmetric R hides elsewhere
        for change in (
            {"change_R": lambda R: R.swapaxes(2, 3)},
            {"change_response": lambda response: response.swapaxes(1, 2)},
            {"change_R": lambda R: 0.99 * R},
        ):
            alter(monkeypatch, **change)
            assert judge() > 7


@pytest.mark.parametrize("sampling", ["sobol", "random"])
def test_errors_are_honest(sampling):
    # sixty answers of eight small solves each: t of 7 degrees of freedom, variance 1.4, kurtosis 5
    exact = linear_theory(2.0, LINEAR.snr, M_LINEAR, Q_LINEAR, 0.1, 4)["M"]
    squares = []
    for seed in range(60):
        theory = dmft(LINEAR, M_LINEAR, Q_LINEAR, 0.1, 4, 512, seed, Gaussian(), sampling=sampling)
        squares.append(np.mean(scores(theory, "M", exact) ** 2))
    # the entries of one answer count as one
    assert abs(np.mean(squares) - 1.4) < 3 * 1.4 * 2 / np.sqrt(60)


def test_combined_solves_are_means_with_standard_errors():
    """Three answers of one number each, the last stopped early: mean and s / sqrt 3 by hand."""

    def solve(values):
        n = len(values)
        path = np.array(values, dtype=float)
        pairs = np.broadcast_to(path[:, None, None, None], (n, n, 1, 1))
        return module._Solve(path[:, None, None], pairs, pairs, path, None, None, str(n))

    combined = module._combine([solve([1.0, 2.0, 5.0]), solve([1.0, 4.0, 9.0]), solve([1.0, 9.0])])
    np.testing.assert_allclose(combined.M[:, 0, 0], [1.0, 5.0], rtol=1e-14)
    np.testing.assert_allclose(combined.M_error[:, 0, 0], [0.0, np.sqrt(13.0 / 3.0)], rtol=1e-14)
    assert combined.message == "2"
    assert np.isnan(module._combine([solve([1.0, 2.0])]).M_error).all()


# a plain twin -------------------------------------------------------------------------------------


def plain_dmft(model, M0, Q0, rate, n_iter, n_paths, seed, hidden, beta):
    """Theory.md section 6 line by line, path responses forward in time, from the same numbers."""
    (r, k), alpha, snr = M0.shape, model.alpha, np.diag(model.snr)
    rng = np.random.default_rng(seed).spawn(1)[0]
    inputs = module.draw_paths(model.prior_u, r, k, n_iter + 1, n_paths, "random", rng)
    U = module.ungrouped(inputs.U)
    noise = inputs.noise.transpose(0, 3, 1, 2).reshape(n_paths, -1)
    M, C = {0: M0}, {(0, 0): Q0}
    R, D, C_F, F, dF, dh, loss = {}, {}, {}, {}, {}, {}, []
    for t in range(n_iter + 1):
        covariance = np.block([[C[a, b] for b in range(t + 1)] for a in range(t + 1)])
        jitter = [1e-10 * C[a, a].diagonal().max() for a in range(t + 1)]
        root = np.linalg.cholesky(covariance + np.diag(np.repeat(jitter, k)))
        theta = noise[:, : (t + 1) * k] @ root[t * k :].T
        h = U @ snr @ M[t] + theta + sum(F[s] @ R[t, s] for s in range(t))
        for s in range(t + 1):
            dh[t, s] = np.eye(k)[None] * (t == s) + sum(
                np.einsum("ba,nb,nbc->nac", R[t, u], dF[u], dh[u, s]) for u in range(s, t)
            )
        f, df = eta1_gradient(h, hidden), eta1_hessian(h, hidden)
        weight = 1.0 if beta == 1.0 else (rng.random((n_paths, 1)) < beta) / beta
        F[t], dF[t] = weight * f, weight * df
        gamma = alpha * eta2_moments(C[t, t], hidden).second
        loss.append(alpha * (eta2(C[t, t], hidden) - eta1(h, hidden).mean()))
        mu = alpha * U.T @ f / n_paths
        for s in range(t + 1):
            D[t, s] = alpha * np.einsum("na,nab->ba", df, dh[t, s]) / n_paths
            C_F[t, s] = alpha * F[t].T @ F[s] / n_paths
        keep = np.eye(k) - rate * gamma
        M[t + 1] = M[t] @ keep + rate * (snr @ mu + sum(M[s] @ D[t, s] for s in range(t + 1)))
        for s in range(t):
            R[t + 1, s] = R[t, s] @ keep + rate * sum(
                R[u, s] @ D[t, u] for u in range(s + 1, t + 1)
            )
        R[t + 1, t] = rate * np.eye(k)
        for s in range(t + 2):
            noise_part = sum(C_F[t, u] @ R[s, u] for u in range(min(s, t + 1)))
            memory = sum(D[t, u].T @ C[u, s] for u in range(t + 1))
            C[t + 1, s] = keep.T @ C[t, s] + rate * ((snr @ mu).T @ M[s] + noise_part + memory)
            C[s, t + 1] = C[t + 1, s].T
    times = range(n_iter + 1)
    R = [[R[t, s] if s < t else np.zeros((k, k)) for s in times] for t in times]
    C = [[C[t, s] for s in times] for t in times]
    return {"M": np.array([M[t] for t in times]), "C": C, "R": R, "loss": loss}


@pytest.mark.parametrize("beta", [1.0, 0.4])
@pytest.mark.parametrize(
    ("hidden", "k"), [(Rademacher(), 1), (Rademacher(), 3), (SKEWED, 2), (TERNARY, 2)], ids=repr
)
def test_one_solve_against_a_plain_twin(hidden, k, beta):
    # the same equations from the same numbers, to round-off amplified by the inverse of C, which
    # the jitter bounds by 1e10
    model = SpikedModel(1.5, (1.6, 1.2), prior_u=SKEWED)
    M0 = np.array([[0.3, 0.2, -0.1], [-0.2, 0.1, 0.4]])[:, :k]
    Q0 = M0.T @ M0 + 0.2 * np.eye(k) + 0.1
    expected = plain_dmft(model, M0, Q0, 0.1, 5, 128, 7, hidden, beta)
    theory = dmft(
        model,
        M0,
        Q0,
        0.1,
        5,
        n_paths=128,
        rng=7,
        hidden=hidden,
        batch_fraction=beta,
        n_solves=1,
        sampling="random",
    )
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(theory, name), values, atol=1e-7, err_msg=name)


# simulations --------------------------------------------------------------------------------------


def two_times(weights):
    """C(t, s) of (T + 1, d, k) weights."""
    return np.einsum("tia,sib->tsab", weights, weights, optimize=True) / weights.shape[1]


@lru_cache(maxsize=8)
def simulated_two(d, instances=40):
    """Paths of gradient descent, and the moments of latent variables, fields and forces."""
    paths, moments = [], []
    for seed in range(instances):
        data = TWO.sample(d, rng=[d, seed])
        start = informed_start(data.W_star, M_TWO, Q_TWO, rng=[d, seed, 1])
        history = gradient_descent(
            data.X, start, RATE, STEPS, W_star=data.W_star, keep_weights=True
        ).history
        C = two_times(history.weights)
        paths.append(np.concatenate([history.M.ravel(), C.ravel(), history.loss]))
        h = data.X @ np.hstack(list(history.weights)) / np.sqrt(d)
        columns = np.hstack([data.U, h, np.tanh(h)])
        moments.append(columns.T @ columns / len(h))
    return np.array(paths), np.array(moments)


SIZES = (200, 800)


def without_bias(small, large):
    """Combine instances at d and 4d so that a bias c/d drops out."""
    return (4 * np.asarray(large) - np.asarray(small)) / 3


def test_gradient_descent_against_simulation(monkeypatch):
    # M, all of C(t, s) and the loss of two coupled units for fourteen iterations
    samples = without_bias(*(simulated_two(d)[0] for d in SIZES))
    theory = dmft(TWO, M_TWO, Q_TWO, RATE, STEPS, 2**14, rng=0)
    assert compare_paths(samples, as_path(theory)).verdict == "agrees"
    noise = samples.std(axis=0).max() / np.sqrt(len(samples))
    assert max(theory.M_error.max(), theory.C_error.max()) < 0.25 * noise

    def without_instantaneous(response):
        response[-1] = 0.0
        return response

    def without_memory(response):
        response[:-1] = 0.0
        return response

    for change in (
        {"change_R": lambda R: 0.9 * R},
        {"change_response": without_instantaneous},
        {"change_response": without_memory},
    ):
        alter(monkeypatch, **change)
        wrong = dmft(TWO, M_TWO, Q_TWO, RATE, STEPS, 2**13, rng=0)
        assert wrong.message == ""
        assert compare_paths(samples, as_path(wrong)).verdict == "disagrees"


def effective_noise(path, moments, R):
    r"""What $h^t-\sum_sR(t,s)^\top F(h^s)$ is, on one data set, beyond mean and covariance.

    Mean $M_t^\top\Lambda U$ and covariance $C(t,s)$ are those of the run itself: what its order
    parameters share with its fields then drops out.
    """
    steps, (r, k) = STEPS + 1, M_TWO.shape
    M = path[: steps * r * k].reshape(steps, r, k)
    C = path[steps * r * k : -steps].reshape(steps, steps, k, k)
    response = R.transpose(1, 2, 0, 3).reshape(steps * k, steps * k)
    transform = np.vstack([np.zeros((r, steps * k)), np.eye(steps * k), -response])
    latent = np.vstack([np.eye(r), np.zeros((2 * steps * k, r))])
    drift = np.hstack(list(np.diag(TWO.snr) @ M))
    centred = transform - latent @ drift
    slope = latent.T @ moments @ centred
    covariance = centred.T @ moments @ centred - C.transpose(0, 2, 1, 3).reshape(response.shape)
    return np.concatenate([slope.ravel(), covariance.ravel()])


def test_fields_on_data_have_the_predicted_law():
    # without the response to past gradients the fields are Gaussian noise about their mean
    R = dmft(TWO, M_TWO, Q_TWO, RATE, STEPS, 2**14, rng=0).R

    def judge(R):
        samples = [
            [effective_noise(*instance, R) for instance in zip(*simulated_two(d), strict=True)]
            for d in SIZES
        ]
        return compare_paths(without_bias(*samples), np.zeros(len(samples[0][0])))

    assert judge(R).verdict == "agrees"
    assert judge(0.9 * R).verdict == "disagrees"
    assert judge(0.0 * R).verdict == "disagrees"


def test_distribution_of_the_fields():
    # shares of samples whose field lies below -1, below 0.5, and beyond 2 on either side, per unit
    theory = dmft(TWO, M_TWO, Q_TWO, RATE, STEPS, 2**16, rng=0, n_solves=1, keep_paths=True)

    def shares(h):
        return np.concatenate(
            [np.mean(h < -1, axis=0), np.mean(h < 0.5, axis=0), np.mean(np.abs(h) > 2, axis=0)]
        )

    def measure(d, seed):
        data = TWO.sample(d, rng=[d, seed, 5])
        start = informed_start(data.W_star, M_TWO, Q_TWO, rng=[d, seed, 6])
        history = gradient_descent(data.X, start, RATE, 6, keep_weights=True).history
        return [shares(data.X @ history.weights[t] / np.sqrt(d)) for t in (0, 3, 6)]

    samples = without_bias(*([measure(d, seed) for seed in range(30)] for d in (125, 500)))
    expected = np.array([shares(theory.fields[:, t]) for t in (0, 3, 6)])
    assert compare_paths(samples, expected).verdict == "agrees"
    gaussian = np.random.default_rng(0).standard_normal((10**5, 2))
    for i, t in enumerate((0, 3, 6)):  # Gaussian fields of the right mean square instead
        expected[i] = shares(gaussian @ np.diag(np.sqrt(np.mean(theory.fields[:, t] ** 2, axis=0))))
    assert compare_paths(samples, expected).verdict == "disagrees"


def sign_channel(s, z):
    return np.sign(s + z)


UNIVERSAL = {
    "coins, skewed latent variables": (SpikedModel(5.0, 1.8, prior_u=SKEWED), Bernoulli()),
    "ternary units, Gaussian signals": (SpikedModel(4.0, 1.5, prior_w=Gaussian()), TERNARY),
    "sign channel": (SpikedModel(4.0, 1.8, channel=sign_channel), Rademacher()),
    "fewer samples than dimensions": (SpikedModel(0.6, 2.0), Rademacher()),
}


@pytest.mark.parametrize("case", UNIVERSAL)
def test_other_laws_against_simulation(case):
    model, hidden = UNIVERSAL[case]

    def simulate(d, seed):
        data = model.sample(d, rng=[d, seed])
        start = informed_start(data.W_star, [[0.5]], [[0.8]], rng=[d, seed, 1])
        history = gradient_descent(
            data.X, start, 0.15, 6, hidden, data.W_star, keep_weights=True
        ).history
        C = two_times(history.weights)
        return np.concatenate([history.M.ravel(), C.ravel(), history.loss])

    samples = without_bias(*([simulate(d, seed) for seed in range(30)] for d in (125, 500)))

    def theory(snr):
        changed = replace(model, snr=snr)
        return as_path(dmft(changed, [[0.5]], [[0.8]], 0.15, 6, rng=0, hidden=hidden))

    assert compare_paths(samples, theory(model.snr)).verdict == "agrees"
    assert compare_paths(samples, theory(0.9 * model.snr[0])).verdict == "disagrees"


# contrastive divergence and mini-batches ----------------------------------------------------------

# unequal strengths and a start at which G is far from symmetric
UNEQUAL = SpikedModel(3.0, (1.9, 1.1))
M_UNEQUAL = np.array([[0.9, 0.15], [-0.1, 0.25]])
Q_UNEQUAL = M_UNEQUAL.T @ M_UNEQUAL + np.array([[1.2, -0.6], [-0.6, 0.5]])


def contrastive_divergence(X, W, rate, n_iter, cycles, beta, rng):
    """CD-m with signs on both sides, in plain NumPy (theory.md section 8); all weights."""
    n, d = X.shape
    path = [W]
    for _ in range(n_iter):
        weight = (rng.random((n, 1)) < beta) / beta
        positive = X.T @ (weight * np.tanh(X @ W / np.sqrt(d))) / np.sqrt(d)
        v = X
        for _ in range(cycles):
            up = 1 / (1 + np.exp(-2 * v @ W / np.sqrt(d)))
            h = np.where(rng.random(up.shape) < up, 1.0, -1.0)
            up = 1 / (1 + np.exp(-2 * h @ W.T / np.sqrt(d)))
            v = np.where(rng.random(up.shape) < up, 1.0, -1.0)
        negative = v.T @ (weight * np.tanh(v @ W / np.sqrt(d))) / np.sqrt(d)
        W = W + rate * (positive - negative)
        path.append(W)
    return np.array(path)


def simulate_unequal(train, sizes, instances=40):
    """M and C(t, s) of some training, without bias."""

    def simulate(d, seed):
        data = UNEQUAL.sample(d, rng=[d, seed])
        start = informed_start(data.W_star, M_UNEQUAL, Q_UNEQUAL, rng=[d, seed, 1])
        weights = train(data.X, start, np.random.default_rng([d, seed, 2]))
        return np.concatenate([(data.W_star.T @ weights / d).ravel(), two_times(weights).ravel()])

    return without_bias(*([simulate(d, seed) for seed in range(instances)] for d in sizes))


def judge_unequal(samples, n_iter, **training):
    theory = dmft(UNEQUAL, M_UNEQUAL, Q_UNEQUAL, 0.2, n_iter, 2**13, rng=0, **training)
    path = np.concatenate([theory.M.ravel(), theory.C.ravel()])
    noise = samples.std(axis=0).max() / np.sqrt(len(samples))
    assert max(theory.M_error.max(), theory.C_error.max()) < 0.25 * noise
    return compare_paths(samples, path).verdict


@pytest.mark.parametrize(("cycles", "beta"), [(1, 1.0), (2, 0.5)])
def test_contrastive_divergence_against_simulation(cycles, beta, monkeypatch):
    samples = simulate_unequal(
        lambda X, W, rng: contrastive_divergence(X, W, 0.2, 5, cycles, beta, rng), (100, 400)
    )
    training = {"method": "cd", "cycles": cycles, "batch_fraction": beta}
    assert judge_unequal(samples, 5, **training) == "agrees"
    assert judge_unequal(samples, 5, batch_fraction=beta) == "disagrees"

    def altered(change):
        monkeypatch.setattr(module, "negative_phase", lambda *args: change(*negative_phase(*args)))
        return judge_unequal(samples, 5, **training)

    assert altered(lambda second, square: (second, 0 * square)) == "disagrees"
    if cycles == 1:  # more cycles make G nearly symmetric
        assert altered(lambda second, square: (second.T, square)) == "disagrees"


def test_mini_batches_against_simulation():
    samples = simulate_unequal(
        lambda X, W, rng: (
            gradient_descent(
                X, W, 0.2, 8, keep_weights=True, batch_fraction=0.3, rng=rng
            ).history.weights
        ),
        (150, 600),
    )
    assert judge_unequal(samples, 8, batch_fraction=0.3) == "agrees"
    assert judge_unequal(samples, 8, batch_fraction=0.5) == "disagrees"
    assert judge_unequal(samples, 8) == "disagrees"


HIDDEN = [Rademacher(), Bernoulli(), TERNARY]


@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
def test_many_cycles_are_gradient_descent_with_noise(hidden):
    # from stationary chains G = alpha <hh>, and the noise is smaller than what <hh> itself is
    Q = np.array([[0.8, 0.3], [0.3, 0.6]])
    rng = np.random.default_rng(0)
    second, square = negative_phase(np.full((64, 2), 3.0), Q, hidden, 60, rng)
    expected = eta2_moments(Q, hidden).second
    np.testing.assert_allclose(second, expected, atol=1e-3)  # 2^11 Sobol points
    assert np.all(np.linalg.eigvalsh(expected - square) > 0)


@pytest.mark.parametrize("cycles", [1, 3])
@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
def test_summed_chains_equal_sampled_chains(hidden, cycles, monkeypatch):
    Q = np.array([[1.8, -0.5], [-0.5, 0.5]])
    rng = np.random.default_rng(cycles)
    field = rng.multivariate_normal([0.3, -0.2], [[1.5, 0.4], [0.4, 0.5]], size=200_000)
    summed = negative_phase(field, Q, hidden, cycles, rng)
    monkeypatch.setattr(kernels, "MAX_STATES", 0)
    sampled = negative_phase(field, Q, hidden, cycles, rng)
    # s F has a standard deviation of at most two: five standard errors of 2e5 chains
    for one, other in zip(summed, sampled, strict=True):
        np.testing.assert_allclose(one, other, atol=5 * 2 / np.sqrt(200_000))
    if cycles == 1:
        assert abs(summed[0][0, 1] - summed[0][1, 0]) > 0.02


# long times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [Rademacher(), Bernoulli()], ids=repr)
def test_training_ends_at_the_fixed_point(hidden):
    # the fixed point of state evolution, within the theory's own error; 4 + 1 standard errors of 7
    # degrees of freedom, and 1e-4 for the time that is left
    snr = 1.5 if isinstance(hidden, Rademacher) else 2.5
    point = fixed_point(4.0, snr, hidden)
    assert point.converged
    theory = dmft(
        SpikedModel(4.0, snr),
        [[point.m * 0.7]],
        [[point.q * 0.7]],
        0.3,
        40,
        rng=0,
        hidden=hidden,
    )
    end = (theory.M[-1, 0, 0], theory.Q[-1, 0, 0], theory.loss[-1])
    errors = (theory.M_error[-1, 0, 0], theory.C_error[-1, -1, 0, 0], theory.loss_error[-1])
    deviation = np.abs(np.array(end) - [point.m, point.q, point.loss])
    assert np.all(deviation < 5 * np.array(errors) + 1e-4)
    assert max(errors) < 5e-3


@pytest.mark.parametrize(
    "training", [{}, {"batch_fraction": 0.95}, {"batch_fraction": 0.999}, {"method": "cd"}]
)
def test_long_after_convergence_with_few_paths(training):
    # C is singular but for the jitter, and still a covariance
    theory = dmft(SpikedModel(4.0, 1.5), [[1.0]], [[1.8]], 0.3, 80, 256, 0, n_solves=2, **training)
    assert theory.message == ""
    assert np.isfinite(theory.C).all()
    assert np.linalg.eigvalsh(theory.C[:, :, 0, 0])[0] > -1e-10
    assert theory.M[-1, 0, 0] == pytest.approx(1.49, abs=0.06)


def test_divergence_is_reported():
    model = SpikedModel(4.0, 1.5)
    for rate, length in ((3.0, 8), (1e30, 1), (1e50, 1)):
        theory = dmft(model, [[0.3]], [[0.5]], rate, 20, 128, rng=0, n_solves=3)
        assert theory.message == f"diverged at iteration {len(theory.M)}"
        assert len(theory.M) <= length
        for values in (theory.M, theory.C, theory.R, theory.loss):
            assert np.isfinite(values).all()
    theory = dmft(model, [[0.3]], [[0.5]], 0.3, 20, 128, rng=0, hidden=Gaussian(), keep_paths=True)
    assert theory.message.startswith(f"stopped at iteration {len(theory.M)}: Q must have all eig")
    assert theory.fields.shape == (128, len(theory.M), 1)


# paths, random numbers, threads -------------------------------------------------------------------


def test_kept_paths_are_those_of_the_averages():
    model = SpikedModel(3.0, (1.7, 1.1), prior_u=SKEWED)
    theory = dmft(model, M_TWO, Q_TWO, 0.1, 3, 512, rng=2, n_solves=1, keep_paths=True)
    assert set(np.unique(theory.U)) == {-0.5, 2.0}
    for t in range(4):
        h = theory.fields[:, t]
        loss = 3.0 * (eta2(theory.Q[t]) - eta1(h).mean())
        assert theory.loss[t] == pytest.approx(loss, rel=1e-12)
    assert np.isnan(theory.M_error).all()
    # the first field is Gaussian about its mean
    noise = theory.fields[:, 0] - theory.U @ np.diag(model.snr) @ M_TWO
    np.testing.assert_allclose(noise.T @ noise / 512, Q_TWO, atol=0.05)


def test_seeds():
    def run(rng, **arguments):
        return dmft(TWO, M_TWO, Q_TWO, 0.1, 2, rng=rng, **{"n_paths": 128} | arguments)

    first = run(5)
    np.testing.assert_array_equal(first.C, run(5).C)
    np.testing.assert_array_equal(first.C, run(np.random.default_rng(5)).C)
    assert not np.array_equal(first.C, run(6).C)
    assert not np.array_equal(run(None).C, run(None).C)
    # rounded up to a power of two
    np.testing.assert_array_equal(first.C, run(5, n_paths=65).C)
    np.testing.assert_array_equal(run(5, n_paths=1).C, run(5, n_paths=64).C)
    # and both kinds of random numbers mean the same
    random = run(5, n_paths=2**13, sampling="random")
    sobol = run(5, n_paths=2**13)
    error = np.hypot(random.M_error, sobol.M_error)[1:]
    assert np.all(np.abs(random.M - sobol.M)[1:] < 6 * error)
    assert sobol.M_error.max() < 0.3 * random.M_error.max()


def test_the_number_of_threads_does_not_matter():
    # bit for bit: in a process of its own, where more than one thread is allowed
    code = (
        "import numba, numpy as np\n"
        "from rbmnotes import SpikedModel, dmft\n"
        "results = []\n"
        "for threads in (1, 2, 3):\n"
        "    numba.set_num_threads(threads)\n"
        "    theory = dmft(SpikedModel(3.0, 1.5), [[0.4, 0.1]], np.eye(2), 0.1, 6, 256, rng=0,\n"
        "                  method='cd', batch_fraction=0.5, keep_paths=True)\n"
        "    results.append(b''.join(x.tobytes() for x in (theory.C, theory.R, theory.fields)))\n"
        "assert results[0] == results[1] == results[2]\n"
        "print('same', numba.get_num_threads())\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"NUMBA_NUM_THREADS": "3"},
        timeout=120,
        check=False,
    )
    assert result.stdout == "same 3\n", result.stderr


# bad input ----------------------------------------------------------------------------------------

GOOD = {
    "model": TWO,
    "M0": M_TWO,
    "Q0": Q_TWO,
    "learning_rate": 0.1,
    "n_iter": 2,
    "n_paths": 64,
    "rng": 0,
}
BAD = {
    "model": [4.0, None],
    "M0": [0.1, [0.1, 0.2], np.zeros((1, 2)), M_TWO * np.nan, np.zeros((2, 0))],
    "Q0": [
        np.eye(3),
        1.0,
        np.zeros((2, 2)),
        -np.eye(2),
        M_TWO.T @ M_TWO - 1e-3 * np.eye(2),
        [[1.0, 0.2], [0.3, 1.0]],
        Q_TWO * np.inf,
    ],
    "learning_rate": [-0.1, np.nan, np.inf, "0.1", None, [0.1]],
    "n_iter": [-1, 2.0, True, "2", 20_000],
    "n_paths": [0, -1, 100.0, None],
    "rng": ["seed", -1, 0.5],
    "hidden": ["signs", None, Rademacher],
    "method": ["sgd", None, 1],
    "cycles": [0, -1, 1.0],
    "batch_fraction": [0.0, -0.5, 1.5, np.nan, "half"],
    "n_solves": [0, 1.0, None],
    "sampling": ["halton", None, True],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values], ids=str
)
def test_bad_input_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        dmft(**GOOD | {name: value})


def test_starts_outside_the_domain_of_gaussian_units():
    with pytest.raises(ValueError, match=r"^Q0 is no start for such units: Q must have all eigen"):
        dmft(**GOOD | {"hidden": Gaussian(), "Q0": np.eye(2)})


def test_long_runs_need_independent_numbers():
    # beyond the dimensions of Sobol points; k = 1, so that the run itself would be possible
    with pytest.raises(ValueError, match=r"^n_iter: .*21201.*random"):
        dmft(TWO, M_TWO[:, :1], [[1.0]], 0.1, 21_199)
