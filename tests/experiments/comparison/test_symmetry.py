"""How the symmetry between signals breaks: the loss in their span, its expansion, separation."""

import itertools

import numpy as np
import pytest

from rbmnotes.experiments.comparison.symmetry import exact_loss, expanded_loss, separation

SNR = 1.2
M = np.array([[0.6, 0.3], [0.2, -0.5]])


@pytest.mark.parametrize("M", [M, M[:, :1]], ids=["two units", "one unit"])
def test_exact_loss_by_sampling(M):
    rng, n = np.random.default_rng(0), 400_000
    U, k = rng.choice([-1.0, 1.0], (n, 2)), M.shape[1]
    Q = M.T @ M
    noise = rng.standard_normal((n, k)) @ np.linalg.cholesky(Q).T
    samples = np.log(np.cosh(SNR * U @ M + noise)).sum(axis=1)
    states = np.array(list(itertools.product([-1.0, 1.0], repeat=k)))
    eta2 = np.log(np.mean(np.exp(0.5 * np.sum(states @ Q * states, axis=1))))
    # four standard errors
    error = 4 * samples.std() / np.sqrt(n)
    assert exact_loss(M, SNR) == pytest.approx(eta2 - samples.mean(), abs=error)
    assert error < 0.01


@pytest.mark.parametrize("k", [1, 2, 3])
def test_expansion_leaves_out_the_sixth_order(k):
    M = np.random.default_rng(k).standard_normal((2, k))
    M *= 0.05 / np.linalg.norm(M)
    gaps = [exact_loss(s * M, SNR) - expanded_loss(s * M, SNR) for s in (1.0, 0.5)]
    # the next order is smaller by a few times 0.05 squared; round-off of 1e-15 beside 1e-9
    assert np.log2(gaps[0] / gaps[1]) == pytest.approx(6.0, abs=0.05)


def test_separation_by_trying_all_orders():
    rng = np.random.default_rng(0)
    for shape in ((2, 2), (3, 3), (4, 3)):
        M = rng.standard_normal(shape)
        cosines = np.abs(M) / np.linalg.norm(M, axis=0)
        r, k = shape
        expected = max(
            np.mean([cosines[i, a] for a, i in enumerate(order)])
            for order in itertools.permutations(range(r), k)
        )
        assert separation(M) == pytest.approx(expected, abs=1e-12)


def test_separation_of_single_signals_and_of_mixtures():
    assert separation(np.array([[0.0, -0.2], [3.0, 0.0]])) == pytest.approx(1.0)
    assert separation(np.array([[1.0, 1.0], [1.0, -1.0]])) == pytest.approx(np.sqrt(0.5))
