"""Two equal signals and estimates that mix them: exact cases, simulation, what breaks the tie."""

import numpy as np
import pytest

from rbmnotes import (
    Discrete,
    Gaussian,
    Rademacher,
    SpikedModel,
    bayes_amp,
    bayes_overlap,
    bayes_stage_evolution,
    bayes_state_evolution,
    informed_start,
)
from rbmnotes.evidence import compare_paths
from rbmnotes.theory.extensions.bayes_pair import bayes_pair_evolution
from tests.laws import TERNARY

R, G = Rademacher(), Gaussian()
PAIRS = {"signs": (R, R), "Gaussian w": (R, G), "Gaussian": (G, G)}


def rotation(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, s], [-s, c]])


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("snr", [0.8, 1.6])
def test_separated_estimates_follow_the_evolution_of_one_signal(name, snr):
    # both quadratures err by less than 1e-9, amplified by a few iterations
    single = bayes_state_evolution(SpikedModel(4.0, snr, *PAIRS[name]), 0.1, 6).m_w[:, 0]
    pair = bayes_pair_evolution(4.0, snr, 0.1 * np.eye(2), 0.1 * np.eye(2), 6, *PAIRS[name])
    for values in (pair.M, pair.Q):
        np.testing.assert_allclose(values, single[:, None, None] * np.eye(2), atol=1e-8)
    np.testing.assert_allclose(pair.overlap[-1], np.sqrt(single[-1]) * np.eye(2), atol=1e-8)


def test_rotations_of_gaussian_signals_all_evolve_alike():
    turn = rotation(30)
    straight, turned = (
        bayes_pair_evolution(4.0, 1.2, 0.2 * R_, 0.2 * np.eye(2), 8, G, G)
        for R_ in (np.eye(2), turn)
    )
    np.testing.assert_allclose(turned.M, straight.M @ turn, atol=1e-12)
    np.testing.assert_allclose(turned.Q, straight.Q, atol=1e-12)


def test_names_and_signs_do_not_matter():
    M, Q = np.array([[0.3, 0.1], [-0.2, 0.4]]), np.array([[0.5, 0.1], [0.1, 0.6]])
    flip = np.array([[0.0, -1.0], [1.0, 0.0]])
    plain = bayes_pair_evolution(4.0, 1.1, M, Q, 4)
    named = bayes_pair_evolution(4.0, 1.1, M @ flip, flip.T @ Q @ flip, 4)
    np.testing.assert_allclose(named.M, plain.M @ flip, atol=1e-9)
    np.testing.assert_allclose(named.Q, flip.T @ plain.Q @ flip, atol=1e-9)


@pytest.mark.parametrize("name", ["signs", "Gaussian w"])
def test_against_simulation_from_a_rotated_start(name):
    # alpha = 4, snr = 1.2, start turned by 30 degrees; sizes 200 and 400 extrapolated pair by
    # pair, 40 instances; five iterations, before differences between instances are amplified
    snr, n_iter, turn = 1.2, 5, 0.3 * rotation(30)
    theory = bayes_pair_evolution(4.0, snr, turn, 0.3 * np.eye(2), n_iter, *PAIRS[name])
    model, paths = SpikedModel(4.0, (snr, snr), *PAIRS[name]), []
    for seed in range(40):
        pair = []
        for d in (200, 400):
            data = model.sample(d, rng=seed + 1000 * d)
            start = informed_start(data.W_star, turn, 0.3 * np.eye(2), rng=10**7 + seed + d)
            run = bayes_amp(
                data.X, model, start, tol=1e-300, max_iter=n_iter, W_star=data.W_star
            ).history
            pair.append(np.array([run.M, run.Q]))
        paths.append(2 * pair[1] - pair[0])
    assert compare_paths(paths, np.array([theory.M, theory.Q])).verdict == "agrees"
    straight = bayes_pair_evolution(4.0, 0.9 * snr, turn, 0.3 * np.eye(2), n_iter, *PAIRS[name])
    wrong = np.array([straight.M, straight.Q])
    assert compare_paths(paths, wrong).verdict == "disagrees"


@pytest.mark.parametrize("prior_w", [R, G], ids=repr)
def test_an_equal_mixture_is_unstable(prior_w):
    # at 45 degrees both estimates stay equal mixtures; half a degree beside it they separate
    m = bayes_overlap(4.0, 1.2, R, prior_w) ** 2
    stay, leave = (
        bayes_pair_evolution(4.0, 1.2, m * rotation(a), m * np.eye(2), 60, prior_w=prior_w)
        for a in (45.0, 44.5)
    )
    np.testing.assert_allclose(np.abs(stay.overlap[3]), stay.overlap[3, 0, 0], atol=1e-9)
    assert stay.overlap[3, 0, 0] < 0.75 * np.sqrt(m)
    np.testing.assert_allclose(leave.overlap[-1], np.sqrt(m) * np.eye(2), atol=1e-4)


@pytest.mark.parametrize(
    ("priors", "cumulants"),
    [((R, R), 4.0 + 4.0 / 4.0), ((R, G), 4.0 / 4.0), ((G, R), 4.0)],
    ids=["signs", "Gaussian w", "Gaussian u"],
)
def test_mixtures_separate_at_the_expected_rate_near_threshold(priors, cumulants):
    # growth - 1 = m^2 (k_w^2 + k_u^2 / alpha) / 6, k the fourth cumulants (-2 for signs), to
    # relative order m = 0.05; without the share of one law it would be a fifth off or more
    m = bayes_overlap(4.0, 0.72, *priors) ** 2
    start = m * rotation(45 - 1e-3), m * np.eye(2)
    found = bayes_pair_evolution(4.0, 0.72, *start, 200, *priors).overlap
    difference = found[:, 0, 0] - found[:, 0, 1]
    growth = (difference[200] / difference[100]) ** 0.01
    mixture = 2 * found[100, 0, 0] ** 2
    assert growth - 1 == pytest.approx(mixture**2 * cumulants / 6, rel=0.05)


def test_quadrature_does_not_depend_on_its_step(monkeypatch):
    # a wider range only adds points of weight 1e-11
    ternary = TERNARY
    arguments = 4.0, 1.5, 0.4 * rotation(20), 0.5 * np.eye(2), 3, R, ternary
    found = bayes_pair_evolution(*arguments)
    monkeypatch.setattr("rbmnotes.theory.extensions.bayes_pair.REACH", 8.137)
    other = bayes_pair_evolution(*arguments)
    np.testing.assert_allclose(found.M, other.M, atol=1e-8)
    np.testing.assert_allclose(found.Q, other.Q, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("alpha", {"alpha": 0.0}),
        ("snr", {"snr": -1.0}),
        ("M", {"M": np.eye(3)}),
        ("Q", {"Q": [[1.0, 0.5], [0.0, 1.0]]}),
        ("n_iter", {"n_iter": -1}),
        ("prior_u", {"prior_u": "sign"}),
        ("prior_w", {"prior_w": Discrete((0.0, 1.0), (0.5, 0.5))}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input(name, change):
    arguments = {"alpha": 4.0, "snr": 1.0, "M": np.eye(2), "Q": np.eye(2), "n_iter": 1} | change
    with pytest.raises(ValueError, match=rf"^{name} "):
        bayes_pair_evolution(**arguments)


# one estimate of several signals ------------------------------------------------------------------


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("snr", [0.8, 1.6])
def test_a_stage_on_one_signal_follows_the_evolution_of_one(name, snr):
    single = bayes_state_evolution(SpikedModel(4.0, snr, *PAIRS[name]), 0.1, 6).m_w[:, 0]
    for M in ([0.1], [0.0, 0.1, 0.0]):
        stage = bayes_stage_evolution(4.0, snr, M, 0.1, 6, *PAIRS[name])
        np.testing.assert_allclose(stage.q, single, atol=1e-8)
        np.testing.assert_allclose(stage.M[:, np.argmax(M)], single, atol=1e-8)
        np.testing.assert_allclose(np.delete(stage.M, np.argmax(M), axis=1), 0.0, atol=1e-12)
        np.testing.assert_allclose(stage.overlap[-1].max(), np.sqrt(single[-1]), atol=1e-8)


@pytest.mark.parametrize("name", ["signs", "Gaussian w"])
def test_a_stage_against_simulation_from_a_mixed_start(name):
    # rank-one AMP on three signals, start with overlaps 0.25, 0.2, 0.05 and squared length 0.3;
    # sizes 200 and 400 extrapolated pair by pair, 40 instances
    snr, M, q = 1.2, np.array([0.25, 0.2, 0.05]), 0.3
    theory = bayes_stage_evolution(4.0, snr, M, q, 5, *PAIRS[name])
    expected = np.column_stack([theory.M, theory.q])
    model, one = SpikedModel(4.0, (snr,) * 3, *PAIRS[name]), SpikedModel(4.0, snr, *PAIRS[name])
    paths = []
    for seed in range(40):
        pair = []
        for d in (200, 400):
            data = model.sample(d, rng=seed + 1000 * d)
            start = informed_start(data.W_star, M[:, None], [[q]], rng=10**7 + seed + d)
            run = bayes_amp(data.X, one, start, tol=1e-300, max_iter=5, W_star=data.W_star).history
            pair.append(np.column_stack([run.M[:, :, 0], run.Q[:, 0]]))
        paths.append(2 * pair[1] - pair[0])
    assert compare_paths(paths, expected).verdict == "agrees"
    wrong = bayes_stage_evolution(4.0, 0.9 * snr, M, q, 5, *PAIRS[name])
    assert compare_paths(paths, np.column_stack([wrong.M, wrong.q])).verdict == "disagrees"


def test_a_stage_of_gaussian_signals_is_never_pure_but_by_its_latent_variables():
    # both laws Gaussian: the direction of the start stays. Signs in u: from a random direction
    # among ten signals one is left alone, with the Bayes-optimal overlap
    direction = np.random.default_rng(3).standard_normal(10)
    start = 1e-3 * direction / np.linalg.norm(direction)
    turned = bayes_stage_evolution(4.0, 1.2, start, 0.01, 40, G, G).M[-1]
    np.testing.assert_allclose(turned / np.linalg.norm(turned), 1e3 * start, atol=1e-9)
    stage = bayes_stage_evolution(4.0, 1.2, start, 0.01, 60, R, G).overlap[-1]
    first = np.argmax(np.abs(direction))
    assert np.abs(stage[first]) == pytest.approx(bayes_overlap(4.0, 1.2, R, G), abs=1e-6)
    np.testing.assert_allclose(np.delete(stage, first), 0.0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("alpha", {"alpha": 0.0}),
        ("snr", {"snr": -1.0}),
        ("M", {"M": np.eye(3)}),
        ("q", {"q": 0.0}),
        ("n_iter", {"n_iter": -1}),
        ("prior_u", {"M": np.full(17, 0.1)}),
        ("prior_w", {"prior_w": Discrete((0.0, 1.0), (0.5, 0.5))}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_of_a_stage(name, change):
    arguments = {"alpha": 4.0, "snr": 1.0, "M": [0.1, 0.1], "q": 0.1, "n_iter": 1} | change
    with pytest.raises(ValueError, match=rf"^{name} "):
        bayes_stage_evolution(**arguments)
