import itertools

import numpy as np
import pytest

from rbmnotes import matched_overlap, overlap


def signals_and_weights(r, k, d=30, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((d, r)), rng.standard_normal((d, k))


def test_overlap_is_the_cosine_of_every_pair():
    W_star, W = signals_and_weights(3, 2)
    cosines = overlap(W_star, W)
    assert cosines.shape == (3, 2)
    for i, a in itertools.product(range(3), range(2)):
        w, v = W_star[:, i], W[:, a]
        # 1e-14: round-off of sums of thirty products
        assert cosines[i, a] == pytest.approx(w @ v / np.sqrt((w @ w) * (v @ v)), abs=1e-14)


def test_overlap_in_the_order_parameters_of_the_notation():
    # with |W*|^2 = d the cosine is M_ia / sqrt(Q_aa)
    rng = np.random.default_rng(1)
    W_star, W = rng.choice([-1.0, 1.0], (40, 2)), rng.standard_normal((40, 3))
    M, Q = W_star.T @ W / 40, W.T @ W / 40
    np.testing.assert_allclose(overlap(W_star, W), M / np.sqrt(np.diag(Q)), atol=1e-14)


def test_overlap_ignores_scale_and_follows_sign_and_order():
    W_star, W = signals_and_weights(3, 3)
    cosines = overlap(W_star, W)
    np.testing.assert_allclose(overlap(0.1 * W_star, W * [1e-3, 7.0, 1e5]), cosines, atol=1e-14)
    np.testing.assert_allclose(overlap(W_star, W * [1, -1, 1]), cosines * [1, -1, 1], atol=1e-14)
    np.testing.assert_allclose(overlap(W_star, W[:, [2, 0, 1]]), cosines[:, [2, 0, 1]], atol=1e-14)


def test_overlap_of_a_zero_column_is_zero():
    # a zero column has no direction: no NaN, and the others are unaffected
    W_star, W = signals_and_weights(2, 3)
    expected = overlap(W_star, W)
    expected[:, 1] = 0.0
    np.testing.assert_allclose(overlap(W_star, W * [1, 0, 1]), expected, atol=1e-14)
    np.testing.assert_array_equal(overlap(0 * W_star, W), np.zeros((2, 3)))


def test_overlap_of_parallel_vectors_is_one():
    W_star, _ = signals_and_weights(2, 1)
    np.testing.assert_allclose(np.diag(overlap(W_star, W_star * [2, -3])), [1, -1], atol=1e-14)


@pytest.mark.parametrize(("r", "k"), [(1, 1), (3, 3), (4, 4), (2, 5), (5, 2), (3, 4), (1, 3)])
def test_matched_overlap_against_all_assignments(r, k):
    for seed in range(5):
        W_star, W = signals_and_weights(r, k, d=6, seed=seed)
        cosines = np.abs(overlap(W_star, W))
        if r <= k:
            choices = [cosines[range(r), units] for units in itertools.permutations(range(k), r)]
        else:
            # k of the r signals, in ascending order, with any order of the units
            choices = [
                cosines[list(signals), units]
                for signals in itertools.combinations(range(r), k)
                for units in itertools.permutations(range(k))
            ]
        best = max(choices, key=np.sum)
        matched = matched_overlap(W_star, W)
        assert matched.shape == (min(r, k),)
        np.testing.assert_allclose(matched, best, atol=1e-14)


def test_matched_overlap_is_not_greedy():
    # unit 1 is the best for both signals; the best sum gives it to the second one
    angles = lambda *degrees: np.array(  # noqa: E731
        [np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]
    )
    W_star, W = angles(0, 40), angles(-45, 15)
    expected = np.cos(np.radians([45, 25]))  # greedy: 15 and 85 degrees, a smaller sum
    np.testing.assert_allclose(matched_overlap(W_star, W), expected, atol=1e-14)


def test_matched_overlap_ignores_sign_scale_and_order_of_units():
    W_star, W = signals_and_weights(3, 4)
    expected = matched_overlap(W_star, W)
    changed = (W * [1, -1, 20, -0.1])[:, [3, 1, 0, 2]]
    np.testing.assert_allclose(matched_overlap(W_star, changed), expected, atol=1e-14)
    np.testing.assert_allclose(matched_overlap(-W_star, W), expected, atol=1e-14)


def test_matched_overlap_is_in_the_order_of_the_signals():
    W_star, W = signals_and_weights(3, 3)
    expected = matched_overlap(W_star, W)
    np.testing.assert_allclose(
        matched_overlap(W_star[:, [2, 0, 1]], W), expected[[2, 0, 1]], atol=1e-14
    )
