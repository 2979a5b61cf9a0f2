"""When the penalty pushes units apart: the statements by enumeration, and their experiment."""

import itertools

import numpy as np
import pandas as pd
import pytest

import rbmnotes as rn
from rbmnotes.evidence import compare_paths
from rbmnotes.experiments import named_numbers
from rbmnotes.experiments.repulsion import leaning as repulsion_leaning
from rbmnotes.experiments.repulsion import repulsion
from tests.helpers import enumerate_states
from tests.laws import SKEWED

SIGNS = {k: np.array(list(itertools.product((-1, 1), repeat=k))) for k in (3, 4)}


def second_moments(Q, prior):
    """Average of h h^T by the states one by one; nothing of the package."""
    states, probabilities = enumerate_states(prior, len(Q))
    exponent = 0.5 * np.einsum("sa,ab,sb->s", states, np.asarray(Q), states)
    weights = probabilities * np.exp(exponent - exponent.max())
    return np.einsum("s,sa,sb->ab", weights, states, states) / weights.sum()


def log_average(Q, prior):
    states, probabilities = enumerate_states(prior, len(Q))
    return np.log(probabilities @ np.exp(0.5 * np.einsum("sa,ab,sb->s", states, Q, states)))


def symmetric_prior(rng):
    """Two to five points, as likely as their mirror images."""
    points = rng.uniform(0.3, 1.6, rng.integers(1, 3))
    points = np.sort(np.concatenate([-points, points, [0.0] if rng.random() < 0.5 else []]))
    weights = rng.uniform(0.2, 1.0, len(points))
    weights += weights[::-1]
    return rn.Discrete(tuple(points.tolist()), tuple((weights / weights.sum()).tolist()))


def random_overlaps(rng, k):
    W = rng.standard_normal((3, k)) * rng.uniform(0.2, 1.2)
    return W.T @ W + np.diag(rng.uniform(0, 1, k))


def cases(number, seed):
    rng = np.random.default_rng(seed)
    for _ in range(number):
        k = int(rng.integers(2, 5))
        yield random_overlaps(rng, k), symmetric_prior(rng), rng


def groups(k):
    """Every way to cut k units into two groups, as a mask."""
    return [np.array(mask) for mask in itertools.product((False, True), repeat=k - 1)][1:]


def cut(Q, second, mask):
    mask = np.append(mask, False)
    return np.sum((Q * second)[np.ix_(mask, ~mask)])


def test_groups_are_pushed_apart():
    for Q, prior, _ in cases(150, seed=1):
        second = second_moments(Q, prior)
        assert all(cut(Q, second, mask) > 0 for mask in groups(len(Q)))
        off = np.triu(Q, 1)
        assert np.sum(off * second) > 0


def test_groups_pay_for_their_overlap():
    for Q, prior, _ in cases(100, seed=2):
        for mask in groups(len(Q)):
            mask = np.append(mask, False)
            parts = [log_average(Q[np.ix_(m, m)], prior) for m in (mask, ~mask)]
            assert log_average(Q, prior) > sum(parts) - 1e-13


def test_a_single_pair_need_not_be_pushed_apart():
    """What the statement on groups cannot be strengthened to, also for ordinary overlaps."""
    wrong = 0
    for Q, prior, _ in cases(300, seed=3):
        wrong += len(Q) > 2 and bool(np.any(Q * second_moments(Q, prior) < 0))
    assert wrong > 10


def test_without_symmetry_two_units_can_attract():
    """The same statement, two units, priors of zero mean that are not symmetric: it must fail."""
    second = second_moments(np.array([[1.0, -0.05], [-0.05, 1.0]]), SKEWED)
    assert second[0, 1] > 0.01
    # units of zeros and ones push every overlap down, also a negative one
    for Q, _, _ in cases(50, seed=4):
        assert np.all(second_moments(Q, rn.Bernoulli()) > 0)


def test_a_bridge_carries_repulsion():
    """Two pairs joined by one overlap alone: a cut on either side leaves only that one."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        Q = np.diag(rng.uniform(0.2, 2.0, 4))
        for a, b in ((0, 1), (2, 3), (1, 2)):
            Q[a, b] = Q[b, a] = rng.uniform(-1, 1)
        second = second_moments(Q, symmetric_prior(rng))
        assert Q[1, 2] * second[1, 2] > 0


def test_balanced_units_repel_pair_by_pair():
    """And at least as strongly as each pair by itself."""
    for Q, prior, rng in cases(150, seed=6):
        gauge = rng.choice([-1.0, 1.0], len(Q))
        Q = np.abs(Q) * np.outer(gauge, gauge)
        second = second_moments(Q, prior)
        for a, b in itertools.combinations(range(len(Q)), 2):
            pair = second_moments(Q[np.ix_([a, b], [a, b])], prior)[0, 1]
            assert Q[a, b] * second[a, b] > 0
            assert abs(second[a, b]) >= abs(pair) * (1 - 1e-12)


def test_frustration_breaks_the_bound_of_a_pair_alone():
    """The comparison with a pair by itself needs balance: one frustrated triangle breaks it."""
    Q = np.array([[1.0, 0.3, 0.5], [0.3, 1.0, -0.5], [0.5, -0.5, 1.0]])
    pair = second_moments(Q[:2, :2], rn.Rademacher())[0, 1]
    assert 0 < second_moments(Q, rn.Rademacher())[0, 1] < 0.5 * pair


@pytest.mark.parametrize("k", [3, 4])
def test_every_frustrated_pattern_has_overlaps_that_attract(k):
    """The converse: strong overlaps along a frustrated triangle but for one edge, all else weak."""
    pairs = list(itertools.combinations(range(k), 2))
    balanced = {tuple(np.outer(s, s)[a, b] for a, b in pairs) for s in SIGNS[k]}
    assert len(balanced) == 2 ** (k - 1)
    for pattern in itertools.product((-1, 1), repeat=len(pairs)):
        sign = dict(zip(pairs, pattern, strict=True))
        found = False
        for a, b, c in itertools.combinations(range(k), 3):
            if sign[a, b] * sign[b, c] * sign[a, c] < 0:
                Q = np.eye(k)
                for (i, j), s in sign.items():
                    Q[i, j] = Q[j, i] = s * (1.0 if (i, j) in ((b, c), (a, c)) else 0.01)
                second = second_moments(Q, rn.Discrete((-1.0, 0.0, 1.0), (0.3, 0.4, 0.3)))
                found |= Q[a, b] * second[a, b] < 0
        assert found == (pattern not in balanced)


def test_three_units_of_signs():
    rng = np.random.default_rng(7)
    for _ in range(50):
        Q = random_overlaps(rng, 3)
        t12, t13, t23 = np.tanh([Q[0, 1], Q[0, 2], Q[1, 2]])
        expected = (t12 + t13 * t23) / (1 + t12 * t13 * t23)
        assert second_moments(Q, rn.Rademacher())[0, 1] == pytest.approx(expected, abs=1e-13)
        assert rn.eta2_moments(Q).second[0, 1] == pytest.approx(expected, abs=1e-13)


def test_near_orthogonality_the_direct_path_comes_first():
    """<h_a h_b> = s_a s_b (Q_ab + sum_c Q_ac s_c Q_cb) + third order, s_a of the unit alone."""
    for Q, prior, _ in cases(20, seed=8):
        off = Q - np.diag(Q.diagonal())
        s = np.array([second_moments([[q]], prior)[0, 0] for q in Q.diagonal()])

        def residual(epsilon, off=off, s=s, Q=Q, prior=prior):
            second = second_moments(np.diag(Q.diagonal()) + epsilon * off, prior)
            path = epsilon * off + epsilon**2 * off @ np.diag(s) @ off
            expected = np.outer(s, s) * path
            return np.abs(np.triu(second - expected, 1)).max()

        # third order: a tenth of epsilon leaves a thousandth, with a margin of five
        assert residual(1e-3) < 5e-3 * residual(1e-2) + 1e-13


def test_units_alone_descend_on_the_separable_penalty():
    """Twelve steps against the plain formula for all units at once; with eta2 it is another path.

    Round-off of 1e-15 grows no more than tenfold in so few steps.
    """
    d, k = 60, 3
    X = rn.SpikedModel(4.0, (1.6,) * k).sample(d, 0).X
    start = 0.3 * np.random.default_rng(1).standard_normal((d, k))
    W = start.copy()
    for _ in range(12):
        pull = X.T @ np.tanh(X @ W / np.sqrt(d)) / np.sqrt(d)
        W += repulsion.RATE * (pull - len(X) / d * W)

    def one_unit(W0):
        return repulsion.train_units("gd", X, W0, 12)

    alone = np.hstack([unit.W for unit in repulsion.train_units_alone(one_unit, start)])
    np.testing.assert_allclose(alone, W, atol=1e-12)
    assert np.abs(one_unit(start).W - W).max() > 0.1


def test_order_parameters_of_pairs():
    Q = np.array([[4.0, 1.0, 0.0], [1.0, 1.0, -0.5], [0.0, -0.5, 1.0]])
    np.testing.assert_allclose(repulsion.unit_cosines(Q), [0.5, 0.0, -0.5])
    assert repulsion.togetherness(Q) == pytest.approx(np.sqrt(0.5 / 3))
    assert repulsion.attraction(Q[None]) == 0.0
    frustrated = np.array([[2.0, 0.1, 1.0], [0.1, 2.0, -1.0], [1.0, -1.0, 2.0]])
    second = second_moments(frustrated, rn.Rademacher())
    direct, others = 0.1 * second[0, 1], second[0, 2] - second[1, 2]
    assert repulsion.attraction(frustrated[None]) == pytest.approx(direct / (direct - others))


def test_held_signals():
    W_star = np.eye(4)[:, :3]
    W = np.array([[0.0, 0.0, -3.0, 1.0], [1.0, 0.2, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]]).T
    np.testing.assert_array_equal(repulsion.held_signals(W_star, W), [2, 0, -1])


def test_the_start_leans_to_the_first_signal():
    M, Q = repulsion_leaning.leaning_start()
    assert np.all(M[0] > M[1])
    assert np.all(M > 0)
    np.testing.assert_allclose(Q.diagonal(), repulsion_leaning.NORM)
    np.testing.assert_allclose((M**2).sum(axis=0), repulsion_leaning.NORM * repulsion_leaning.SHARE)
    np.testing.assert_allclose(np.rad2deg(np.arctan(M[1] / M[0])), repulsion_leaning.ANGLES)


def test_from_a_random_start_units_divide_the_signals():
    """Twelve draws: together never one signal for both; alone at least half of the time.

    Fewer than 2 of 12 would have a probability of 0.3 per cent; repelling units would share none.
    At d=100 the split outliers make it more than half, but not all.
    """
    rows = pd.DataFrame(
        repulsion.measure_repulsion({"k": 2, "d": 100}, np.random.default_rng((3, seed)))
        for seed in range(12)
    )
    for method in repulsion.METHODS:
        assert np.all(rows[f"{method}_found"] == 2)
        assert np.all(rows[f"{method}_lost"] == 0)
        shared = (rows[f"{method}_alone_found"] < 2 - rows[f"{method}_alone_lost"]).sum()
        assert 2 <= shared < 12
    assert np.all(np.abs(rows.cosine) <= 1)
    assert np.all(rows.peak > 1.5 * rows.end)
    assert np.all(rows.attraction == 0.0)  # two units: the paper's statement


@pytest.fixture(scope="module")
def leaning():
    rows = []
    for d in (100, 200, 400):
        for instance in range(40):
            rng = np.random.default_rng([d, instance])
            for row in repulsion_leaning.measure_leaning({"d": d}, rng):
                rows.append({"d": d, "instance": instance} | row)
    return pd.DataFrame(rows)


def solves(count):
    """Independent solves of every setting, as a table."""
    rows = []
    for setting in repulsion_leaning.SETTINGS:
        for instance in range(count):
            parameters = {"setting": setting, "n_paths": 2**11}
            rng = np.random.default_rng(instance)
            row = repulsion_leaning.measure_leaning_theory(parameters, rng)
            rows.append(parameters | {"instance": instance} | row)
    return pd.DataFrame(rows)


@pytest.mark.parametrize("setting", repulsion_leaning.SETTINGS)
def test_theory_predicts_leaning_units(setting, leaning, monkeypatch):
    """For the first steps, in which the bias is c/d at these sizes."""
    monkeypatch.setattr(repulsion_leaning, "N_ITER", 4)
    monkeypatch.setattr(repulsion_leaning, "RECORDED", range(5))
    monkeypatch.setattr(repulsion_leaning, "SETTINGS", (setting,))
    leaning_theory = solves(8)
    columns = named_numbers.columns_of(leaning, setting, "M", "Q")
    columns = [name for name in columns if 1 <= int(name.split("(")[1].strip(")")) <= 4]
    samples = named_numbers.without_bias(leaning, setting, columns)
    means, errors = named_numbers.predicted(leaning_theory, setting, columns)
    noise = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    assert np.median(errors / noise) < 0.25
    assert compare_paths(samples, means).verdict == "agrees"
    assert compare_paths(samples, 0.9 * means).verdict == "disagrees"


def test_theory_of_leaning_units_divides_them_and_units_alone_share():
    last = solves(1).groupby("setting").mean()
    overlaps = {
        setting: [
            abs(last.loc[setting, f"M{i}{a}(40)"]) / np.sqrt(last.loc[setting, f"Q{a}{a}(40)"])
            for i, a in ((0, 0), (1, 0), (0, 1), (1, 1))
        ]
        for setting in repulsion_leaning.SETTINGS
    }
    one = rn.fixed_point(alpha=repulsion.ALPHA, snr=repulsion.SNR).overlap
    # by step 40 the pair is within two degrees of the signals, a cosine of 0.03
    np.testing.assert_allclose(overlaps["gd"], [one, 0, 0, one], atol=0.06)
    np.testing.assert_allclose(overlaps["cd"], [one, 0, 0, one], atol=0.06)
    # a unit alone that starts 5 degrees from the middle is still on its way, but to this signal
    first, _, second, second_on_other = overlaps["alone"]
    assert first == pytest.approx(one, abs=0.06)
    assert second_on_other / second < np.tan(np.deg2rad(15.0))
