"""Bias and noise of contrastive divergence: exact cases, long mean-field runs, simulations."""

import numpy as np
import pytest

import rbmnotes.theory.dmft as dmft_module
import rbmnotes.theory.extensions.contrastive_bias as bias_module
from rbmnotes import (
    Bernoulli,
    Gaussian,
    Rademacher,
    SpikedModel,
    contrastive_divergence,
    contrastive_fixed_point,
    dmft,
    eta2_moments,
    fixed_point,
    informed_start,
)
from rbmnotes.evidence import extrapolate
from rbmnotes.theory.extensions.contrastive_bias import _field_averages, negative_moments
from tests.laws import SKEWED, TERNARY

CASES = [(4.0, 1.5, Rademacher()), (4.0, 2.5, Bernoulli()), (3.0, 1.5, TERNARY)]


def as_tuple(point):
    return point.m, point.q, point.V


# exact cases --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cycles", [1, 4])
@pytest.mark.parametrize("prior_u", [Rademacher(), SKEWED], ids=repr)
def test_a_rademacher_unit_has_no_bias(cycles, prior_u):
    for alpha, snr in ((4.0, 1.5), (2.0, 1.4)):
        point = contrastive_fixed_point(alpha, snr, cycles=cycles, prior_u=prior_u)
        likelihood = fixed_point(alpha, snr, prior_u=prior_u)
        assert point.converged
        assert point.penalty == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(as_tuple(point), as_tuple(likelihood), rtol=1e-9)
        assert point.overlap == pytest.approx(likelihood.overlap)
        assert (point.temperature, point.fast_response) == (0.0, 0.0)


@pytest.mark.parametrize(("alpha", "snr", "hidden"), CASES, ids=str)
def test_persistent_chains_have_no_bias(alpha, snr, hidden):
    point = contrastive_fixed_point(alpha, snr, hidden, persistent=True)
    np.testing.assert_allclose(
        as_tuple(point), as_tuple(fixed_point(alpha, snr, hidden)), rtol=1e-9
    )
    assert point.penalty == pytest.approx(point.second_moment, rel=1e-12)


@pytest.mark.parametrize("hidden", [Bernoulli(), TERNARY, SKEWED], ids=repr)
def test_bias_falls_at_the_rate_of_the_chain(hidden):
    # at fixed q the penalty tends to <h^2> as an eigenvalue of the transitions, the second of two
    # states; of three symmetric states the smallest, since the penalty does not know signs
    q, law = 1.7, 1.0 + np.arange(len(hidden.support))
    law /= law.sum()
    second = eta2_moments([[q]], hidden).second[0, 0]
    gaps = [negative_moments(law, q, hidden, m)[0] - second for m in range(1, 9)]
    assert abs(gaps[0]) > 0.01
    assert negative_moments(law, q, hidden, 200)[0] == pytest.approx(second, rel=1e-10)
    x, weights = np.polynomial.hermite_e.hermegauss(101)
    s = np.array(hidden.support)
    z = q * s[:, None] + np.sqrt(q) * x
    tilted = np.exp(z[..., None] * s) * np.array(hidden.probabilities)
    transition = np.einsum("j,ijs->is", weights, tilted / tilted.sum(axis=-1, keepdims=True))
    eigenvalues = np.sort(np.linalg.eigvals(transition / weights.sum()).real)
    assert eigenvalues[-1] == pytest.approx(1.0)
    assert gaps[-1] / gaps[-2] == pytest.approx(eigenvalues[0], rel=1e-6)


@pytest.mark.parametrize("cycles", [1, 3])
@pytest.mark.parametrize("hidden", [Bernoulli(), TERNARY], ids=repr)
def test_negative_moments_against_sampled_chains(hidden, cycles):
    q, n = 1.3, 10**6
    rng = np.random.default_rng(cycles)
    field = rng.normal(0.7, 0.8, n)
    tilted = np.exp(np.multiply.outer(field, hidden.support)) * np.array(hidden.probabilities)
    law = (tilted / tilted.sum(axis=1, keepdims=True)).mean(axis=0)
    for _ in range(cycles):
        s = hidden.sample_tilted(field, rng)
        field = q * s + np.sqrt(q) * rng.standard_normal(n)
    mean = hidden.tilted_mean(field)
    samples = np.array([s * mean + hidden.tilted_variance(field), mean**2])
    error = samples.std(axis=1) / np.sqrt(n)
    deviation = samples.mean(axis=1) - negative_moments(law, q, hidden, cycles)
    assert np.abs(deviation / error).max() < 4.5


def test_variances_of_linear_deviations():
    # traces of the two resolvents, and what a sample feels of them, for given random slopes
    d, alpha, c, rate = 1200, 3.0, 1.1, 0.25
    rng = np.random.default_rng(0)
    s = 0.4 * rng.random(int(alpha * d))
    X = rng.standard_normal((len(s), d))
    H = alpha * c * np.eye(d) - (X.T * s) @ X / d
    values, vectors = np.linalg.eigh(H)
    assert 0 < values[0] < values[-1] < 2 / rate
    V = fast = 0.1
    for _ in range(500):
        V = 1 / (alpha * (c - np.mean(s / (1 - V * s))))
        fast = 1 / (2 / rate + alpha * (np.mean(s / (1 + fast * s)) - c))
    covariance = rate / (values * (2 - rate * values))  # of deviations, noise N = 1 a step
    # both sides are averages over the spectrum: they differ by O(1/d) times a few
    assert np.mean(covariance) == pytest.approx(rate / 2 * (V + fast), rel=0.01)
    felt = ((X @ vectors) ** 2 @ covariance) / d
    predicted = rate / 2 * (V / (1 - V * s) + fast / (1 + fast * s))
    for part in (s < 0.2, s >= 0.2):
        assert np.mean(felt[part]) == pytest.approx(np.mean(predicted[part]), rel=0.01)
    assert np.mean(predicted[s >= 0.2]) > 1.03 * np.mean(predicted[s < 0.2])
    assert rate / 2 * V < 0.9 * np.mean(covariance)  # without the fast modes


def test_a_sample_at_low_temperature_is_at_its_proximal_point():
    arguments = (1.2, 0.4, 0.3), (Bernoulli(), Rademacher())
    cold = _field_averages(*arguments[0], 0.0, 0.1, *arguments[1])
    warm = [_field_averages(*arguments[0], T, 0.1, *arguments[1]) for T in (1e-4, 2e-4)]
    for name in ("ug", "gg", "slope", "damping"):
        extrapolated = 2 * getattr(warm[0], name) - getattr(warm[1], name)
        assert extrapolated == pytest.approx(getattr(cold, name), rel=1e-6)
    assert warm[0].law.sum() == pytest.approx(1.0)


def test_too_large_steps_have_no_stationary_state():
    rates = np.arange(0.4, 0.8, 0.1)
    found = [contrastive_fixed_point(4.0, 1.5, learning_rate=rate).converged for rate in rates]
    assert found[0]
    assert not found[-1]
    assert found == sorted(found, reverse=True)
    too_large = contrastive_fixed_point(4.0, 1.5, learning_rate=1.0)
    assert np.isnan(too_large.m)
    assert too_large.message == "no stationary state found near the likelihood's"


# against the whole dynamics -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alpha", "snr", "hidden", "cycles", "rate"),
    [
        (4.0, 2.5, Bernoulli(), 1, 0.3),
        (4.0, 2.5, Bernoulli(), 2, 0.2),
        (4.0, 1.5, Rademacher(), 1, 0.2),
        (3.0, 1.5, TERNARY, 1, 0.2),
    ],
    ids=str,
)
def test_long_mean_field_runs_end_there(alpha, snr, hidden, cycles, rate):
    # from the likelihood's fixed point on
    start, n_iter = fixed_point(alpha, snr, hidden), int(12 / rate)
    theory = dmft(
        *(SpikedModel(alpha, snr), [[start.m]], [[start.q]], rate, n_iter, 2**12, 0, hidden),
        method="cd",
        cycles=cycles,
        n_solves=12,
    )
    late = slice(2 * n_iter // 3, None)
    measured = np.array([theory.M[late, 0, 0].mean(), theory.Q[late, 0, 0].mean()])
    # errors of different times are correlated: that of one time is an upper bound
    error = np.array([theory.M_error[late].mean(), theory.C_error[-1, -1, 0, 0]])

    def deviation(point):
        return np.abs(measured - [point.m, point.q])

    point = contrastive_fixed_point(alpha, snr, hidden, cycles, rate)
    # 4 errors with 11 degrees of freedom; the second order of the noise is below 0.2 per cent here
    assert np.all(deviation(point) < 4 * error + 0.002 * measured)
    bias_alone = contrastive_fixed_point(alpha, snr, hidden, cycles)
    assert deviation(bias_alone)[1] > 4 * error[1] + 0.002 * measured[1]
    if not isinstance(hidden, Rademacher):
        noise_alone = contrastive_fixed_point(alpha, snr, hidden, 1, rate, persistent=True)
        assert deviation(noise_alone)[1] > 4 * error[1] + 0.002 * measured[1]


def test_first_order_of_the_noise_at_large_steps(monkeypatch):
    # with a tenth of the noise, at a rate close to the largest: M and q per unit of noise
    scale, rate, start = 0.1, 0.45, fixed_point(4.0, 1.5)
    phase, moments = dmft_module.negative_phase, bias_module.negative_moments
    monkeypatch.setattr(
        dmft_module,
        "negative_phase",
        lambda *arguments: (lambda second, square: (second, scale * square))(*phase(*arguments)),
    )
    monkeypatch.setattr(
        bias_module,
        "negative_moments",
        lambda *arguments: (lambda c, square: (c, scale * square))(*moments(*arguments)),
    )
    point = contrastive_fixed_point(4.0, 1.5, learning_rate=rate)
    model = SpikedModel(4.0, 1.5)
    theory = dmft(model, [[point.m]], [[point.q]], rate, 36, 2**13, 0, method="cd", n_solves=16)
    measured = np.array([theory.M[20:, 0, 0].mean(), theory.Q[20:, 0, 0].mean()])
    error = np.array([theory.M_error[-1, 0, 0], theory.C_error[-1, -1, 0, 0]])
    assert np.all(np.abs(measured - [point.m, point.q]) < 4 * error)
    assert measured[1] - start.q > 20 * error[1]
    # small steps alone, or fast modes without what they do to the drift
    assert abs(measured[1] - start.q - point.temperature * point.V) > 10 * error[1]
    linear = point.temperature * (point.V + point.fast_response)
    assert abs(measured[0] - start.m) > 4 * error[0]
    assert abs(measured[1] - start.q - linear) > 4 * error[1]


SIZES, INSTANCES = (200, 300, 600), 60


@pytest.mark.parametrize("persistent", [False, True])
def test_simulations_end_there(persistent):
    # late averages of M and Q of single runs, extrapolated in 1/d
    alpha, snr, hidden, rate, n_iter = 4.0, 2.5, Bernoulli(), 0.25, 30
    start = fixed_point(alpha, snr, hidden)

    def once(d, seed):
        data = SpikedModel(alpha, snr).sample(d, rng=[d, seed])
        W = informed_start(data.W_star, [[start.m]], [[start.q]], rng=[d, seed, 1])
        history = contrastive_divergence(
            *(data.X.astype(np.float32), W, rate, n_iter, hidden),
            persistent=persistent,
            W_star=data.W_star,
            rng=[d, seed, 2],
        ).history
        return history.M[18:].mean(), history.Q[18:].mean()

    samples = np.array([[once(d, seed) for seed in range(INSTANCES)] for d in SIZES])
    point = contrastive_fixed_point(alpha, snr, hidden, 1, rate, persistent)
    other = contrastive_fixed_point(alpha, snr, hidden, 1, rate, not persistent)
    for i, name in enumerate(("m", "q")):
        assert extrapolate(SIZES, samples[:, :, i], getattr(point, name)).verdict == "agrees"
        assert extrapolate(SIZES, samples[:, :, i], getattr(other, name)).verdict == "disagrees"


# bad input ----------------------------------------------------------------------------------------

BAD = {
    "alpha": [0.0, -1.0, np.nan, "4"],
    "snr": [-1.0, np.inf],
    "hidden": ["signs", None, Gaussian()],
    "cycles": [0, 1.5, None],
    "learning_rate": [-0.1, np.nan, "small"],
    "prior_u": [Gaussian(), Bernoulli(), None],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values], ids=str
)
def test_bad_input_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        contrastive_fixed_point(**{"alpha": 4.0, "snr": 1.5} | {name: value})


def test_nothing_to_start_from_is_reported():
    point = contrastive_fixed_point(0.5, 1.5)
    assert not point.converged
    assert point.message.startswith("the likelihood has no such fixed point")
