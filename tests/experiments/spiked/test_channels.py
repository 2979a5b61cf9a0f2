"""Lemma 1: what a channel adds to linear data is small, and what its assumption is for."""

import numpy as np
import pytest

from rbmnotes import pca_overlap
from rbmnotes.evidence import extrapolate, rate
from rbmnotes.experiments.spiked import channels


def errors(channel, sizes, alpha=1.0, snr=1.5):
    return np.array(
        [
            [
                channels.channel_error(channel, alpha, snr, d, np.random.default_rng([d, seed]))
                for seed in range(20)
            ]
            for d in sizes
        ]
    )


@pytest.mark.parametrize(("alpha", "snr"), [(1.0, 1.5), (2.0, 1.0)])
def test_error_of_a_smooth_channel_stays_bounded(alpha, snr):
    # the largest singular value of independent entries: correction of order d^{-2/3}
    sizes = (100, 200, 400)
    measured = errors(channels.saturating, sizes, alpha, snr)
    theory = channels.smooth_error_limit(alpha, snr)
    assert extrapolate(sizes, measured, theory, power=2 / 3).verdict == "agrees"
    for wrong in (0.95 * theory, 1.05 * theory):
        assert extrapolate(sizes, measured, wrong, power=2 / 3).verdict == "disagrees"


def test_error_of_a_sign_grows_more_slowly_than_the_noise():
    # as d^{1/4}, against d^{1/2}; the predicted factor up to 5 %, a correction of order d^{-1/2}
    sizes = channels.SIZES
    measured = errors(channels.one_bit, sizes)
    assert rate(sizes, measured, 0.25).verdict == "agrees"
    assert rate(sizes, measured, 0.5).verdict == "disagrees"
    factor = measured.mean(axis=1) / np.array(sizes) ** 0.25
    np.testing.assert_allclose(factor, channels.one_bit_error_limit(1.0, 1.5), rtol=0.05)


def test_additive_noise_has_no_error():
    rng = np.random.default_rng(0)
    assert channels.channel_error(channels.sign_noise, 1.0, 1.5, 50, rng) < 1e-5


@pytest.mark.parametrize(("degrees", "seen"), [(10.0, True), (2.5, False)])
def test_noise_without_a_fourth_moment_hides_the_signal(degrees, seen):
    # variance one in both cases: lighter tails leave PCA's overlap, heavy ones end it
    overlaps = [
        channels.overlap_in_heavy_noise(degrees, 400, np.random.default_rng([4, seed]))
        for seed in range(20)
    ]
    theory = pca_overlap(channels.TAIL_ALPHA, channels.TAIL_SNR)
    error = np.std(overlaps, ddof=1) / np.sqrt(20)
    assert (abs(np.mean(overlaps) - theory) < 4 * error) == seen
    assert (np.mean(overlaps) < 0.5 * theory) != seen
