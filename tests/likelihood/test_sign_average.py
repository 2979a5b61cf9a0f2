import numpy as np
import pytest
from scipy.special import logsumexp

from rbmnotes import RBM, Bernoulli, Rademacher
from rbmnotes.likelihood.gradients import LikelihoodAscent, Parameters
from rbmnotes.likelihood.sign_average import MAX_FIELD, largest_field, sign_average
from tests.helpers import enumerate_states
from tests.laws import SKEWED, UNEVEN


def random_rbm(d, k, hidden, seed):
    rng = np.random.default_rng(seed)
    return RBM(*(rng.standard_normal(size) for size in ((d, k), d, k)), hidden=hidden)


def plain_average(rbm):
    """log Z, <h>, <v> and <v h^T> by one sum over all hidden states."""
    h, probability = enumerate_states(rbm.hidden, rbm.k)
    fields = (h @ rbm.W.T + rbm.visible_bias) / np.sqrt(rbm.d)
    log_cosh = np.logaddexp(fields, -fields) - np.log(2.0)
    log_weights = np.log(probability) + h @ rbm.hidden_bias + log_cosh.sum(axis=1)
    log_partition = logsumexp(log_weights)
    weighted = np.exp(log_weights - log_partition)[:, None] * np.tanh(fields)
    hidden = np.exp(log_weights - log_partition) @ h
    return log_partition, hidden, weighted.sum(axis=0), weighted.T @ h


def assert_same_average(actual, expected, tolerance):
    assert actual.log_partition == pytest.approx(expected[0], rel=tolerance)
    averages = (actual.hidden, actual.visible, actual.product)
    for value, wanted in zip(averages, expected[1:], strict=True):
        np.testing.assert_allclose(value, wanted, atol=tolerance)


def kernel_average(rbm):
    return sign_average(rbm.W, rbm.visible_bias, rbm.hidden_bias, rbm.hidden)


@pytest.mark.parametrize("hidden", [Bernoulli(), Rademacher(), SKEWED, UNEVEN], ids=repr)
@pytest.mark.parametrize(("d", "k"), [(1, 1), (3, 2), (63, 5), (130, 4), (1100, 3)])
def test_against_the_plain_sum_over_states(hidden, d, k):
    # blocks hold 64 visible units, products 512: sizes on both sides of each; 1e-12 is round-off
    rbm = random_rbm(d, k, hidden, seed=d)
    assert_same_average(kernel_average(rbm), plain_average(rbm), 1e-12)


@pytest.mark.parametrize("field", [20.0, 300.0, 349.9, 351.0, 5000.0])
def test_large_fields_do_not_overflow(field):
    # the largest possible field on both sides of where odds would overflow, where training takes
    # the other way; 1e-10: round-off of sums of thousands
    rbm = random_rbm(40, 4, Rademacher(), seed=1)
    scale = field / largest_field(rbm.W, rbm.visible_bias, rbm.hidden)
    rbm = RBM(scale * rbm.W, scale * rbm.visible_bias, rbm.hidden_bias, hidden=rbm.hidden)
    used = LikelihoodAscent(rbm.hidden, "exact")._average(Parameters.of(rbm))
    assert_same_average(used, plain_average(rbm), 1e-10)
    assert_same_average(rbm.average(), plain_average(rbm), 1e-10)


def test_fields_that_cancel_between_the_halves():
    # |f| of order one from terms of 170 each: odds are products of e^{340} and e^{-340}
    W = np.full((9, 4), 1.0) + 1e-3 * np.random.default_rng(2).standard_normal((9, 4))
    W[:, 2:] *= -1.0
    W *= 170.0 * 3.0 / 2.0
    rbm = RBM(W, hidden=Rademacher())
    assert 0.9 * MAX_FIELD < largest_field(rbm.W, rbm.visible_bias, rbm.hidden) < MAX_FIELD
    assert_same_average(kernel_average(rbm), plain_average(rbm), 1e-10)
