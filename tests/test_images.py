"""Corrupting and restoring images: every piece against plain arithmetic on small arrays."""

import numpy as np
import pytest

from rbmnotes.experiments import images


def signs(n, rng=0):
    return np.where(np.random.default_rng(rng).random((n, 784)) < 0.5, -1, 1).astype(np.int8)


@pytest.mark.parametrize("task", images.OCCLUSIONS)
def test_occlusion_hides_one_half(task):
    original = signs(40)
    corrupted, flip = images.corrupt(original, task, np.random.default_rng(1))
    hidden = flip == 0.5
    assert hidden.sum() == 392
    assert set(np.unique(flip)) == {0.0, 0.5}
    np.testing.assert_array_equal(corrupted[:, ~hidden], original[:, ~hidden])
    # 15,680 fair signs: 5 standard errors are 0.02
    assert np.mean(corrupted[:, hidden] != original[:, hidden]) == pytest.approx(0.5, abs=0.02)


def test_halves_are_where_they_say():
    picture = {name: mask.reshape(28, 28) for name, mask in images.OCCLUSIONS.items()}
    expected = {"top": [(0, 0), (13, 27)], "left": [(0, 0), (27, 13)]}
    for name, inside in expected.items():
        assert all(picture[name][pixel] for pixel in inside)
    assert not picture["top"][14, 0]
    assert not picture["left"][0, 14]
    np.testing.assert_array_equal(picture["bottom"], ~picture["top"])
    np.testing.assert_array_equal(picture["right"], ~picture["left"])


@pytest.mark.parametrize("share", images.NOISE)
def test_noise_flips_as_often_as_it_says(share):
    original = signs(100)
    corrupted, flip = images.corrupt(original, f"noise {share}", np.random.default_rng(2))
    assert np.all(flip == share / 2)
    rate = np.mean(corrupted != original)
    error = np.sqrt(share / 2 * (1 - share / 2) / original.size)
    assert abs(rate - share / 2) < 5 * error


def factor_images(rng, n):
    """Signs of two common factors plus noise, and their covariance's leading space."""
    loadings = rng.standard_normal((784, 2))
    return np.where(
        rng.standard_normal((n, 2)) @ loadings.T + rng.standard_normal((n, 784)) > 0, 1, -1
    )


def test_principal_components_are_the_gaussian_conditional_mean():
    """Against the conditional mean by dense linear algebra on all 784 pixels."""
    rng = np.random.default_rng(3)
    train = factor_images(rng, 500)
    model = images.PrincipalComponents(train, 3)
    covariance = model.loadings @ model.loadings.T + model.noise * np.eye(784)
    sample = train[:5].astype(float)
    for flip in (images.OCCLUSIONS["top"] * 0.5, np.full(784, 0.1)):
        restored = model.restore(sample, flip, None)
        kept, seen = 1 - 2 * flip, flip < 0.5
        noise = np.diag((1 - kept[seen] ** 2) / kept[seen] ** 2)
        gain = covariance[:, seen] @ np.linalg.inv(covariance[np.ix_(seen, seen)] + noise)
        expected = model.mean + (sample[:, seen] / kept[seen] - model.mean[seen]) @ gain.T
        np.testing.assert_allclose(restored, np.clip(expected, -1, 1), atol=1e-9)


def test_restoring_beats_doing_nothing_and_observed_pixels_stay():
    rng = np.random.default_rng(4)
    train, test = np.split(factor_images(rng, 700), [500])
    mean, components = images.MeanImage(train), images.PrincipalComponents(train, 2)
    table = images.restoration_table(
        {"mean": mean.restore, "components": components.restore}, test, seed=5, tasks=("top",)
    ).set_index("method")
    assert table.error["nothing"] == pytest.approx(0.5, abs=0.01)
    assert (
        table.error["components"] < table.error["nothing"] - 10 * table.standard_error["components"]
    )
    flip = images.OCCLUSIONS["top"] * 0.5
    for model in (mean, components):
        restored = model.restore(test.astype(float), flip, None)
        np.testing.assert_allclose(restored[:, flip == 0], test[:, flip == 0], atol=1e-12)


def test_error_rate_counts_uncertain_pixels_only():
    original = np.ones((2, 784), dtype=int)
    restored = original.astype(float)
    restored[0, :392] = -0.2  # all of the top half wrong
    restored[1, 392:] = -1.0  # wrong where it was observed: not counted
    flip = images.OCCLUSIONS["top"] * 0.5
    np.testing.assert_array_equal(images.error_rate(original, restored, flip), [1.0, 0.0])
