"""The protocol itself: right theories agree at the stated rate, wrong ones do not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from rbmnotes.evidence import (
    compare_exactly,
    compare_paths,
    count,
    extrapolate,
    extrapolate_all,
    extrapolate_paths,
    joint,
    rate,
)

SIZES = (100, 200, 400)


def synthetic_points(rng, limit=2.0, correction=30.0, noise=0.1, n=100):
    return [limit + correction / d + noise * rng.standard_normal(n) for d in SIZES]


def test_extrapolation_equals_an_independent_weighted_fit():
    samples = synthetic_points(np.random.default_rng(0))
    result = extrapolate(SIZES, samples, theory=2.0)
    errors = [np.std(s, ddof=1) / 10 for s in samples]
    coefficients, covariance = np.polyfit(
        1 / np.array(SIZES), np.mean(samples, axis=1), 1, w=1 / np.array(errors), cov="unscaled"
    )
    assert result.value == pytest.approx(coefficients[1], rel=1e-10)
    assert result.coefficient == pytest.approx(coefficients[0], rel=1e-8)
    assert result.error == pytest.approx(np.sqrt(covariance[1, 1]), rel=1e-8)


def test_extrapolation_is_calibrated():
    """z must be standard normal: over 400 repetitions its variance is 1 within 5 x 0.07."""
    rng = np.random.default_rng(1)
    z = [extrapolate(SIZES, synthetic_points(rng), 2.0).z for _ in range(400)]
    assert abs(np.mean(z)) < 5 / np.sqrt(400)
    assert abs(np.var(z) - 1) < 5 * np.sqrt(2 / 400)


def test_extrapolation_verdicts():
    samples = synthetic_points(np.random.default_rng(2))
    assert extrapolate(SIZES, samples, theory=2.0).verdict == "agrees"
    assert extrapolate(SIZES, samples, theory=0.9 * 2.0).verdict == "disagrees"
    few = synthetic_points(np.random.default_rng(3), noise=1.0, n=20)
    assert extrapolate(SIZES, few, theory=2.0).verdict == "undecided"
    assert extrapolate(SIZES, few, theory=2.0, scale=100.0).verdict == "agrees"


def test_extrapolation_with_another_power():
    rng = np.random.default_rng(4)
    samples = [1.0 + 3.0 * d**-0.5 + 0.01 * rng.standard_normal(100) for d in SIZES]
    assert extrapolate(SIZES, samples, theory=1.0, power=0.5).verdict == "agrees"
    assert extrapolate(SIZES, samples, theory=1.0).verdict == "disagrees"


def synthetic_errors(slope, n=20, seed=5):
    rng = np.random.default_rng(seed)
    return np.array([d**slope * rng.standard_normal(n) for d in (100, 1000, 10_000)])


def test_rate_finds_the_exponent_and_rejects_another():
    sizes = (100, 1000, 10_000)
    result = rate(sizes, synthetic_errors(-1.0, n=200), theory=-1.0)
    assert result.verdict == "agrees"
    assert result.low < result.value < result.high
    assert rate(sizes, synthetic_errors(-1.0, n=200), theory=-0.9).verdict == "disagrees"
    assert rate(sizes, synthetic_errors(-1.0, n=20), theory=-1.0).verdict == "undecided"


def test_rate_interval_covers_the_truth():
    """A 99 % bootstrap interval from 40 instances; in 200 repetitions at least 92 % coverage."""
    sizes, hits = (100, 1000, 10_000), 0
    for seed in range(200):
        result = rate(sizes, synthetic_errors(-0.5, 40, seed), -0.5, 300)
        hits += result.low <= -0.5 <= result.high
    assert hits >= 184


def correlated_paths(rng, n=40, bias=0.0):
    common = rng.standard_normal((n, 1))
    noise = 0.9 * common + 0.4 * rng.standard_normal((n, 12))
    noise[:, 0] = 0.0
    return np.linspace(1, 2, 12) + noise + bias * np.linspace(0, 1, 12)


def test_path_test_holds_its_level_although_errors_are_correlated():
    """A right theory is refused once in a hundred: of 300 repetitions 3, at most 12 (5 sigma)."""
    rng, theory = np.random.default_rng(6), np.linspace(1, 2, 12)
    refused = [
        compare_paths(correlated_paths(rng), theory, 400).verdict != "agrees" for _ in range(300)
    ]
    assert sum(refused) <= 12


def test_path_test_finds_a_wrong_theory():
    rng = np.random.default_rng(7)
    theory = np.linspace(1, 2, 12)
    assert compare_paths(correlated_paths(rng, bias=1.5), theory).verdict == "disagrees"
    assert compare_paths(correlated_paths(rng), 0.5 * theory).p_value == 0.0  # the fixed start


def test_paths_at_infinite_dimension():
    """A correction of order 1/d drops out; among such weights none has less noise."""
    sizes, rng = [100, 200, 800], np.random.default_rng(3)
    limit, bias = rng.standard_normal((2, 6, 4))
    samples = [limit + bias / d for d in sizes]
    np.testing.assert_allclose(extrapolate_paths(sizes, samples), limit, atol=1e-12)
    weights = np.array([extrapolate_paths(sizes, np.eye(3)[:, [a]])[0] for a in range(3)])
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ np.divide(1, sizes) == pytest.approx(0.0, abs=1e-15)
    free = np.cross(np.ones(3), np.divide(1, sizes))  # what keeps both sums
    noise = [np.sum((weights + step * free) ** 2 / sizes) for step in (-0.1, 0.0, 0.1)]
    assert noise[1] < min(noise[0], noise[2])


def test_signs_that_repeat_the_data_are_no_smaller():
    """Among ten instances all of one sign, only two of the 1024 patterns reach what is seen."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(2000, 10))
    ties = np.sum(np.abs(signs.sum(axis=1)) == 10)
    assert ties > 0
    rng = np.random.default_rng(5)
    for _ in range(100):
        paths = rng.uniform(0.5, 1.0, (10, 6))
        assert compare_paths(paths, np.zeros(6), 2000, rng=0).p_value == (1 + ties) / 2001


def test_identity():
    assert compare_exactly([1.0, 2.0], [1.0, 2.0 + 1e-13], 1e-12).verdict == "agrees"
    assert compare_exactly([1.0, 2.0], [1.0, 2.1], 1e-12).verdict == "disagrees"
    assert compare_exactly([np.nan], [1.0], 1e-12).verdict == "disagrees"


def test_results_print_value_error_and_theory():
    samples = synthetic_points(np.random.default_rng(8))
    assert "± 0.0" in str(extrapolate(SIZES, samples, 2.0))
    assert "theory 2" in str(extrapolate(SIZES, samples, 2.0))
    assert "theory -1" in str(rate((1, 10, 100), synthetic_errors(-1.0), -1.0))
    assert str(compare_exactly([1.0], [2.0], 1e-3)) == "largest difference ABOVE 1e-03"


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: extrapolate((1, 2), [[1, 2], [1, 2]], 1.0), "samples"),
        (lambda: extrapolate((1, 2, 3), [[1], [1], [1]], 1.0), "samples"),
        (lambda: rate((1, 2, 3), np.ones((3, 5)), -1.0), "samples"),
        (lambda: rate((1, 2, 3), np.ones((2, 20)), -1.0), "samples"),
        (lambda: compare_paths(np.ones((5, 3)), np.ones(3)), "samples"),
        (lambda: compare_paths(np.ones((20, 3)), np.ones(3)), "samples"),
        (lambda: compare_paths(np.ones((20, 3)), np.ones(4)), "theory"),
        (lambda: extrapolate_paths([100], np.ones((1, 3))), "sizes"),
        (lambda: extrapolate_paths([100, 100], np.ones((2, 3))), "sizes"),
        (lambda: extrapolate_paths([100, 200], np.ones((3, 3))), "samples"),
        (lambda: compare_exactly([1.0], [1.0, 2.0], 1e-9), "values"),
    ],
)
def test_bad_input_names_the_argument(call, name):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()


def test_counts():
    assert count(104, 200, theory=0.5).verdict == "agrees"
    assert count(52, 100, theory=0.5).verdict == "undecided"
    assert count(52, 100, theory=0.7).verdict == "disagrees"
    assert count(11, 20, theory=0.5).verdict == "undecided"
    none = count(0, 100, theory=0.0)
    assert none.verdict == "agrees"
    # no success: the interval ends where (1 - p)^100 is half of one per cent
    assert none.high == pytest.approx(1 - 0.005 ** (1 / 100), rel=1e-8)
    assert none.low == 0.0


def test_an_interval_that_could_not_refuse_decides_nothing():
    assert count(0, 15, theory=0.0).verdict == "undecided"
    assert count(0, 30, theory=0.0).verdict == "agrees"


def test_joint_verdict_holds_its_level():
    """Six right points and a pair from the same runs: p is uniform or larger (400 repetitions)."""
    rng = np.random.default_rng(9)
    p_values = []
    for _ in range(400):
        points = [extrapolate(SIZES, synthetic_points(rng), 2.0) for _ in range(7)]
        p_values.append(joint([*points[:6], [points[6], points[6]]]).p_value)
    assert np.mean(np.array(p_values) < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert np.mean(np.array(p_values) < 0.5) > 0.3  # and it is not idle


def test_joint_verdict_notices_what_no_single_point_shows():
    """Eight points of a theory that is off by two standard errors each."""
    rng = np.random.default_rng(10)
    points = [extrapolate(SIZES, synthetic_points(rng), 2.0) for _ in range(8)]
    shifted = [replace(point, value=point.theory + 2 * point.error) for point in points]
    assert all(point.verdict == "agrees" for point in shifted)
    assert joint(points).verdict == "agrees"
    assert joint(shifted).verdict == "disagrees"
    # chi-square with sixteen degrees of freedom of Fisher's statistic, by an independent formula
    statistic = -2 * sum(np.log(point.p_value) for point in shifted)
    assert joint(shifted).p_value == pytest.approx(chi2.sf(statistic, 16), rel=1e-10)


def test_comparisons_of_the_same_runs_count_once():
    point = extrapolate(SIZES, synthetic_points(np.random.default_rng(11)), 2.0)
    point = replace(point, value=2.0 + 2.5 * point.error)
    assert joint([[point] * 8]).p_value == pytest.approx(8 * point.p_value, rel=1e-12)
    assert joint([point] * 8).p_value < 1e-3 < joint([[point] * 8]).p_value
    assert joint([point, [point] * 8]).n_comparisons == 9


def test_every_kind_of_p_value_is_near_one_half_of_the_time():
    """The p-value of a right theory is uniform: its mean over 200 repetitions is near 1/2."""
    rng = np.random.default_rng(12)
    sizes = (100, 1000, 10_000)
    rates = [rate(sizes, synthetic_errors(-0.5, 60, s), -0.5, 200).p_value for s in range(200)]
    points = [extrapolate(SIZES, synthetic_points(rng), 2.0).p_value for _ in range(200)]
    assert abs(np.mean(points) - 0.5) < 4 * np.sqrt(1 / 12 / 200)
    assert abs(np.mean(rates) - 0.5) < 4 * np.sqrt(1 / 12 / 200)
    assert count(52, 100, 0.5).p_value == pytest.approx(0.764, abs=5e-4)


def test_a_result_knows_what_it_would_notice():
    """Shifted by a little more than `detectable` a theory disagrees, by a little less it passes."""
    point = extrapolate(SIZES, synthetic_points(np.random.default_rng(13)), 2.0)
    centred = replace(point, theory=point.value)
    for factor, verdict in ((0.99, "agrees"), (1.01, "disagrees")):
        shifted = replace(centred, theory=point.value + factor * point.detectable * point.scale)
        assert shifted.verdict == verdict
    paths = correlated_paths(np.random.default_rng(14), n=400)
    theory = paths.mean(axis=0)
    shift = compare_paths(paths, theory).detectable
    assert compare_paths(paths[:, 1:], theory[1:] * (1 + 0.8 * shift)).verdict == "agrees"
    assert compare_paths(paths[:, 1:], theory[1:] * (1 + 1.25 * shift)).verdict == "disagrees"
    assert compare_paths(paths[:, 1:] - theory[1:], 0 * theory[1:]).detectable == np.inf


def test_power_is_said_where_it_is_poor():
    rng = np.random.default_rng(15)
    assert "would notice" not in str(extrapolate(SIZES, synthetic_points(rng, noise=0.05), 2.0))
    assert "would notice" in str(extrapolate(SIZES, synthetic_points(rng, noise=0.5), 2.0))


def test_an_unknown_exponent_gives_a_verdict_only_if_all_agree():
    rng = np.random.default_rng(16)
    noise = [0.001 * rng.standard_normal(100) for _ in SIZES]
    flat = [1.0 + n for n in noise]
    assert extrapolate_all(SIZES, flat, 1.0).verdict == "agrees"
    assert extrapolate_all(SIZES, flat, 1.1).verdict == "disagrees"
    falling = [1.0 + d**-0.5 + n for d, n in zip(SIZES, noise, strict=True)]
    result = extrapolate_all(SIZES, falling, 1.0)
    assert [fit.verdict for fit in result.fits] == ["disagrees", "disagrees", "agrees"]
    assert result.verdict == "undecided"
    assert "d^-2/3" in str(result)


def test_joint_refuses_what_has_no_p_value():
    identity = compare_exactly([1.0], [1.0], 1e-12)
    for results in ([], [[]], [identity]):
        with pytest.raises(ValueError, match=r"^results\b"):
            joint(results)
