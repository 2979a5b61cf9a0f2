import numpy as np
import pytest

from rbmnotes import pca

# (n, d, r): r small against min(n, d) goes through a Krylov solver, else through the full SVD
SHAPES = [
    (60, 25, 2),
    (25, 60, 2),
    (40, 40, 1),
    (60, 25, 6),
    (25, 60, 20),
    (10, 7, 7),
    (7, 10, 7),
    (5, 1, 1),
    (1, 5, 1),
]


def data(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


@pytest.mark.parametrize(("n", "d", "r"), SHAPES)
def test_pca_matches_the_full_svd(n, d, r):
    # 1e-9: vectors of neighbouring singular values that are not degenerate
    X = data(n, d)
    result = pca(X, r)
    left, values, right = np.linalg.svd(X / np.sqrt(d), full_matrices=False)
    assert result.W.shape == (d, r)
    assert result.U.shape == (n, r)
    np.testing.assert_allclose(result.singular_values, values[:r], rtol=1e-12)
    for a in range(r):
        assert abs(result.W[:, a] @ right[a]) == pytest.approx(np.sqrt(d), rel=1e-9)
        assert abs(result.U[:, a] @ left[:, a]) == pytest.approx(np.sqrt(n), rel=1e-9)


@pytest.mark.parametrize(("n", "d", "r"), SHAPES)
def test_pca_is_a_singular_value_decomposition(n, d, r):
    # the definition itself, with the normalisation |W_a|^2 = d, |U_a|^2 = n; round-off 1e-12
    X = data(n, d, seed=1)
    W, U, values = (getattr(pca(X, r), name) for name in ("W", "U", "singular_values"))
    np.testing.assert_allclose(W.T @ W, d * np.eye(r), atol=1e-12 * d)
    np.testing.assert_allclose(U.T @ U, n * np.eye(r), atol=1e-12 * n)
    np.testing.assert_allclose(X @ W / d, U * values / np.sqrt(n), atol=1e-11)
    np.testing.assert_allclose(X.T @ U / np.sqrt(n), W * values, atol=1e-11)


@pytest.mark.parametrize(("n", "d", "r"), SHAPES)
def test_sign_makes_the_largest_weight_positive(n, d, r):
    W = pca(data(n, d, seed=2), r).W
    assert np.all(W[np.abs(W).argmax(axis=0), range(r)] > 0)


@pytest.mark.parametrize("r", [2, 10])
def test_pca_of_negated_data_flips_the_left_vectors_only(r):
    # -X = U (-S) W^T, so with the sign fixed by W it is U that turns; 1e-9 as above
    X = data(30, 20, seed=3)
    one, two = pca(X, r), pca(-X, r)
    np.testing.assert_allclose(two.W, one.W, atol=1e-9)
    np.testing.assert_allclose(two.U, -one.U, atol=1e-9)


def test_both_branches_agree():
    # the leading two vectors do not depend on how many are asked for
    X = data(50, 30, seed=4)
    few, many = pca(X, 2), pca(X, 30)
    np.testing.assert_allclose(few.W, many.W[:, :2], atol=1e-9)
    np.testing.assert_allclose(few.singular_values, many.singular_values[:2], rtol=1e-12)


def test_pca_is_deterministic_and_leaves_the_data_alone():
    X = data(80, 40, seed=5)
    kept = X.copy()
    np.testing.assert_array_equal(pca(X, 3).W, pca(X, 3).W)
    np.testing.assert_array_equal(X, kept)


def test_data_is_not_centred():
    # a constant row added to weak noise is the first component; centring would remove it
    shift = np.linspace(1.0, 2.0, 12)
    X = 0.01 * data(50, 12, seed=6) + shift
    direction = pca(X, 1).W[:, 0]
    # noise 0.01 against a shift of norm 5: the cosine is one to about 1e-6
    assert direction @ shift / (np.linalg.norm(direction) * np.linalg.norm(shift)) > 1 - 1e-5


@pytest.mark.parametrize("shape", [(32, 200), (200, 32)])
def test_data_whose_columns_sum_to_zero(shape):
    """A start vector of equal entries would lie in the null space of such data."""
    half = np.random.default_rng(12).integers(-3, 4, shape).astype(float)
    X = np.vstack([half, -half])
    fit = pca(X, 2)
    values = np.linalg.svd(X, compute_uv=False)[:2] / np.sqrt(shape[1])
    np.testing.assert_allclose(fit.singular_values, values, rtol=1e-10)
