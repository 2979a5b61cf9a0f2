"""The multiplier step against its equation and its problem, by plain enumeration."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from rbmnotes import Bernoulli, Discrete, Gaussian, Rademacher
from rbmnotes.model.multiplier import CAP, multiplier_step
from tests.helpers import enumerate_states
from tests.laws import TERNARY

# prior, and the range of the eigenvalues of -A / alpha: below one for Rademacher and ternary
# units; a Bernoulli unit's penalty grows at least a quarter as fast
LAWS = {
    "Rademacher": (Rademacher(), 0.05, 0.6),
    "Bernoulli": (Bernoulli(), 0.01, 0.15),
    "ternary": (TERNARY, 0.05, 0.6),
}


def problem(k, low, high, seed):
    """Random B, A and alpha with the eigenvalues of -A / alpha in the given range."""
    rng = np.random.default_rng([k, seed])
    alpha = rng.uniform(1.5, 8.0)
    axes = np.linalg.qr(rng.standard_normal((k, k)))[0]
    A = -(axes * alpha * rng.uniform(low, high, k)) @ axes.T
    b = rng.standard_normal((2 * k, k))
    return rng.choice([0.1, 1.0, 5.0]) * alpha * b.T @ b / (2 * k), 0.5 * (A + A.T), alpha


def penalty(Q, prior):
    """log E exp(h Q h / 2) and the second moments, over all states."""
    states, probabilities = enumerate_states(prior, len(Q))
    exponents = np.log(probabilities) + 0.5 * np.sum((states @ Q) * states, axis=1)
    weights = softmax(exponents)
    return logsumexp(exponents), states.T @ (weights[:, None] * states)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("law", "k"),
    [(law, k) for law in LAWS for k in (1, 2, 3, 5, 10) if (law, k) != ("ternary", 10)],
)
def test_multiplier_equation(law, k, seed):
    # V (A + alpha <h h^T>) = 1 at Q = V B V, for the response before the cap. Ternary units stop
    # at five: the plain enumeration of 3^10 states is too slow for a test.
    prior, low, high = LAWS[law]
    B, A, alpha = problem(k, low, high, seed)
    step = multiplier_step(B, A, alpha, 0.3 * np.eye(k), prior)
    assert step.message == ""
    assert step.residual < 1e-10
    V = np.linalg.inv(A + step.multiplier)
    second = penalty(V @ B @ V, prior)[1]
    np.testing.assert_allclose(step.multiplier, alpha * second, atol=1e-10)
    np.testing.assert_allclose(V @ (A + alpha * second), np.eye(k), atol=1e-10)
    # what is returned is the response with its eigenvalues cut at 0.95 of the bound
    cap = CAP / prior.max_tilted_variance
    values, axes = np.linalg.eigh(V)
    capped = (axes * np.minimum(values, cap)) @ axes.T
    np.testing.assert_allclose(step.V, capped, atol=1e-10)
    assert step.capped is bool(values[-1] > cap)
    np.testing.assert_array_equal(step.V, step.V.T)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("law", LAWS)
def test_multiplier_problem_is_minimised(law, k):
    # the function of theory.md section 4 at the solution against 100 random displacements
    prior, low, high = LAWS[law]
    B, A, alpha = problem(k, low, high, seed=11)
    step = multiplier_step(B, A, alpha, 0.3 * np.eye(k), prior)
    values, axes = np.linalg.eigh(B)
    R = (axes * np.sqrt(values)) @ axes.T

    def function(T):
        return 0.5 * np.trace(T @ A @ T.T) - np.trace(R @ T) + alpha * penalty(T.T @ T, prior)[0]

    T = R @ np.linalg.inv(A + step.multiplier)
    lowest = function(T)
    rng = np.random.default_rng(12)
    for size in (1e-3, 1e-2, 0.1, 0.5):
        for _ in range(25):
            move = rng.standard_normal((k, k))
            assert function(T + size * move / np.linalg.norm(move)) > lowest


def test_one_sign_needs_no_minimisation():
    # h^2 = 1: the multiplier is alpha whatever the overlap, and V = 1 / (alpha + A)
    for B in (0.0, 1e-8, 3.0, 1e6):
        step = multiplier_step([[B]], [[-1.5]], 4.0, [[0.0]])
        np.testing.assert_allclose(step.multiplier, [[4.0]], rtol=1e-15)
        np.testing.assert_allclose(step.V, [[1 / 2.5]], rtol=1e-15)
        assert (step.residual, step.message, step.capped) == (0.0, "", False)
    # a sign of another size, h = +-2
    step = multiplier_step([[1.0]], [[-1.5]], 1.0, [[0.0]], Discrete((-2.0, 2.0), (0.5, 0.5)))
    np.testing.assert_allclose(step.multiplier, [[4.0]], rtol=1e-15)


@pytest.mark.parametrize("law", LAWS)
def test_diagonal_input_separates(law):
    # Corollary 1: separable symmetric priors; Bernoulli units are not symmetric and do couple
    prior, low, high = LAWS[law]
    rng = np.random.default_rng(13)
    B, A = np.diag(rng.uniform(1.0, 20.0, 4)), -4.0 * np.diag(rng.uniform(low, high, 4))
    step = multiplier_step(B, A, 4.0, 0.3 * np.eye(4), prior)
    alone = [
        multiplier_step(B[a : a + 1, a : a + 1], A[a : a + 1, a : a + 1], 4.0, [[0.3]], prior)
        for a in range(4)
    ]
    if prior.is_symmetric:
        np.testing.assert_allclose(step.V, np.diag([one.V[0, 0] for one in alone]), atol=1e-10)
    else:
        assert np.abs(step.V - np.diag(step.V.diagonal())).max() > 1e-3


def test_permuting_and_flipping_units():
    # the problem has the symmetries of the units: V -> P V P^T for a signed permutation
    B, A, alpha = problem(3, 0.05, 0.6, seed=14)
    P = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    plain = multiplier_step(B, A, alpha, 0.3 * np.eye(3))
    turned = multiplier_step(P @ B @ P.T, P @ A @ P.T, alpha, 0.3 * np.eye(3))
    np.testing.assert_allclose(turned.V, P @ plain.V @ P.T, atol=1e-11)


def test_the_cap():
    # one unit: V = 1 / (1.2 - 0.5) is above one
    step = multiplier_step([[1.0]], [[-0.5]], 1.2, [[0.0]])
    assert step.capped
    assert step.message == ""
    np.testing.assert_allclose(step.V, [[0.95]], rtol=1e-14)
    np.testing.assert_allclose(step.multiplier, [[1.2]], rtol=1e-14)  # before the cap
    # two units: only the eigenvalue above is cut. B = 0 leaves the multiplier alpha times one
    axes = np.array([[0.8, -0.6], [0.6, 0.8]])
    step = multiplier_step(np.zeros((2, 2)), -(axes * [0.5, 0.1]) @ axes.T, 1.3, np.zeros((2, 2)))
    np.testing.assert_allclose(step.V, (axes * [0.95, 1 / 1.2]) @ axes.T, atol=1e-12)
    assert step.capped
    # just below it nothing is cut
    below = multiplier_step([[1.0]], [[-0.5]], 0.5 + 1 / 0.9499, [[0.0]])
    assert not below.capped
    np.testing.assert_allclose(below.V, [[0.9499]], rtol=1e-12)


@pytest.mark.parametrize(("k", "size"), [(2, 1.0), (2, 5.0), (3, 1.3)])
def test_no_minimum(k, size):
    # -A_11 = size * alpha >= alpha: nothing bounds the first unit's weights
    B = problem(k, 0.1, 0.5, seed=15)[0]
    A = -4.0 * np.diag([size] + [0.2] * (k - 1))
    step = multiplier_step(B, A, 4.0, 0.3 * np.eye(k))
    assert step.message.startswith("the penalty does not bound the multiplier problem")
    assert np.isnan(step.V).all()
    assert not step.capped


@pytest.mark.parametrize("k", [2, 3])
def test_correlated_units_are_bounded_further(k):
    # eta2 grows as max_h (h v)^2 / 2 = |v|_1^2 / 2 along v, so that a direction which is no axis
    # stays bounded beyond lambda_max(-A) = alpha; there the solution correlates the units
    B = problem(k, 0.1, 0.5, seed=15)[0]
    axes = np.linalg.qr(np.random.default_rng(16).standard_normal((k, k)))[0]
    A = -4.0 * (axes * ([1.2] + [0.2] * (k - 1))) @ axes.T
    directions = np.random.default_rng(17).standard_normal((10_000, k))
    growth = 4.0 * np.abs(directions).sum(axis=1) ** 2
    assert np.all(growth + np.einsum("ia,ab,ib->i", directions, A, directions) > 0)
    step = multiplier_step(B, A, 4.0, 0.3 * np.eye(k))
    assert step.message == ""
    V = np.linalg.inv(A + step.multiplier)
    np.testing.assert_allclose(
        V @ (A + 4.0 * penalty(V @ B @ V, Rademacher())[1]), np.eye(k), atol=1e-10
    )


def test_no_positive_response_for_one_sign():
    step = multiplier_step([[1.0]], [[-4.0]], 4.0, [[0.3]])
    assert step.message.startswith("the response is not positive")
    assert np.isnan(step.V).all()


@pytest.mark.parametrize("start", [0.0, 0.05, 0.8])
def test_the_previous_response_only_starts_the_search(start):
    B, A, alpha = problem(3, 0.05, 0.6, seed=17)
    expected = multiplier_step(B, A, alpha, 0.3 * np.eye(3)).V
    np.testing.assert_allclose(
        multiplier_step(B, A, alpha, start * np.eye(3)).V, expected, atol=1e-10
    )


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("size", [0.2, 1.0, 5.0])
def test_gaussian_units_from_a_start_beyond_their_norm(k, size):
    # <h h^T> = (1 - Q)^-1, infinite from a norm of one on; R V may start well beyond it
    rng = np.random.default_rng([k, 7])
    b = rng.standard_normal((3 * k, k))
    B, A, alpha = size * b.T @ b, -2.0 * np.eye(k), 4.0
    step = multiplier_step(B, A, alpha, 0.9 * np.eye(k), Gaussian())
    assert step.message == ""
    V = np.linalg.inv(A + step.multiplier)
    Q = V @ B @ V
    assert np.linalg.eigvalsh(Q)[-1] < 1
    np.testing.assert_allclose(step.multiplier @ (np.eye(k) - Q), alpha * np.eye(k), atol=1e-8)
