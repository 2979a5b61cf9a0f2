"""The estimator: scikit-learn's own checks, its conventions, and exact probabilities."""

import copy
import pickle
import warnings
from itertools import product

import joblib
import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is an optional dependency")

from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from rbmnotes.estimators import effective_rbm
from rbmnotes.estimators.effective_rbm import EffectiveRBM

METHODS = ("effective", "tangent", "exact")


def bits(n, d, rng=0):
    rng = np.random.default_rng(rng)
    common = rng.random((n, 1)) < 0.5
    return (np.where(common, 0.8, 0.3) > rng.random((n, d))).astype(float)


@parametrize_with_checks(
    [EffectiveRBM(2, n_iter=2, clip=True, method=method) for method in METHODS]
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_without_clipping_its_checks_fail_only_where_inputs_are_out_of_range():
    """Most of them feed normal deviates, which are no inputs of this model."""
    results = check_estimator(EffectiveRBM(2, n_iter=1), on_fail=None, on_skip=None)
    failed = [r for r in results if r["status"] == "failed"]
    assert len(results) - len(failed) > 15
    for result in failed:
        text = str(result["exception"])
        assert "must lie in [0, 1]" in text or "negative input values" in text, result["check_name"]


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_log_probabilities(method):
    model = EffectiveRBM(2, method=method, n_iter=20, random_state=0).fit(bits(300, 5))
    states = np.array(list(product((0.0, 1.0), repeat=5)))
    assert np.exp(model.score_samples(states)).sum() == pytest.approx(1.0, abs=1e-12)


def test_conventions_are_those_of_scikit_learn():
    """Its own RBM with our parameters has the same hidden means and the same free energy."""
    X = bits(300, 6)
    model = EffectiveRBM(3, n_iter=20, random_state=0).fit(X)
    theirs = BernoulliRBM(3)
    theirs.components_ = model.components_
    theirs.intercept_hidden_ = model.intercept_hidden_
    theirs.intercept_visible_ = model.intercept_visible_
    theirs.n_features_in_ = 6
    np.testing.assert_allclose(model.transform(X), theirs.transform(X), atol=1e-12)
    difference = model.score_samples(X) + theirs._free_energy(X)
    np.testing.assert_allclose(difference, difference[0], atol=1e-10)


def test_it_learns_more_than_independent_features():
    X, test = bits(2000, 8), bits(2000, 8, rng=1)
    rate = X.mean(axis=0)
    independent = np.log(np.where(test == 1, rate, 1 - rate)).sum(axis=1)
    model = EffectiveRBM(2, n_iter=30, learning_rate=0.05, random_state=0).fit(X)
    gain = model.score_samples(test) - independent
    assert gain.mean() > 5 * gain.std() / np.sqrt(len(gain))


def test_gibbs_draws_from_the_conditional_laws():
    X = bits(300, 3)
    model = EffectiveRBM(2, n_iter=30, random_state=0).fit(X)
    start = np.tile([1.0, 0.0, 1.0], (20_000, 1))
    after = model.gibbs(start)
    assert after.dtype == bool
    expected = np.zeros(3)
    up = model.transform(start[:1])[0]
    for h in product((0, 1), repeat=2):
        weight = np.prod(np.where(h, up, 1 - up))
        expected += weight * expit(h @ model.components_ + model.intercept_visible_)
    np.testing.assert_allclose(after.mean(axis=0), expected, atol=4 * 0.5 / np.sqrt(20_000))
    assert np.any(model.gibbs(start) != after)


def test_partial_fit_goes_on_where_fit_stopped():
    X = bits(200, 5)
    whole = EffectiveRBM(2, n_iter=3, random_state=4).fit(X)
    pieces = EffectiveRBM(2, n_iter=1, random_state=4).fit(X).partial_fit(X).partial_fit(X)
    np.testing.assert_array_equal(whole.components_, pieces.components_)
    fresh = EffectiveRBM(2, random_state=4)
    for _ in range(3):
        fresh.partial_fit(X)
    np.testing.assert_array_equal(whole.components_, fresh.components_)


def by_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


COPIES = {
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "joblib": by_joblib,
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", COPIES.values(), ids=COPIES)
def test_a_copy_trains_on_as_the_original_does(way, method, tmp_path):
    X = bits(200, 5)
    model = EffectiveRBM(2, n_iter=2, method=method, random_state=4).fit(X)
    twin, before = way(model, tmp_path), model.components_
    for one in (model, twin):
        one.partial_fit(X).partial_fit(X)
    np.testing.assert_array_equal(model.components_, twin.components_)
    assert np.abs(twin.components_ - before).max() > 1e-3


def test_parameters_set_before_partial_fit_count():
    X = bits(200, 5)
    model = EffectiveRBM(2, n_iter=1, random_state=4).fit(X)
    before = model.components_
    model.set_params(learning_rate=1e-9).partial_fit(X)
    assert 0.0 < np.abs(model.components_ - before).max() < 1e-7
    model.set_params(batch_size=50).partial_fit(X)
    assert model.training_.batch_size == 50
    for name, value in (("n_components", 3), ("method", "effective")):
        with pytest.raises(ValueError, match=f"^{name} was .* when training began"):
            copy.deepcopy(model).set_params(**{name: value}).partial_fit(X)
    with pytest.raises(ValueError, match=r"^learning_rate must"):
        model.set_params(learning_rate=0.0).partial_fit(X)


def test_the_default_is_exact_where_that_is_affordable():
    X = bits(30, 4)
    for k, chosen in ((1, "exact"), (12, "exact"), (13, "tangent")):
        one, other = (
            EffectiveRBM(k, n_iter=1, random_state=0, **options).fit(X)
            for options in ({}, {"method": chosen})
        )
        assert one.training_.method == chosen
        np.testing.assert_array_equal(one.components_, other.components_)


def test_a_first_batch_of_one_row_does_not_fix_the_batch_size():
    X = bits(301, 5)
    few = EffectiveRBM(2, random_state=0).partial_fit(X[:1])
    assert few.training_.batch_size == 100
    steps = few.training_._optimizer.n_steps
    few.partial_fit(X[1:])
    assert few.training_._optimizer.n_steps == steps + 3


def test_no_passes_leave_the_start():
    X = bits(50, 4)
    model = EffectiveRBM(2, n_iter=0, random_state=0).fit(X)
    assert model.transform(X).shape == (50, 2)
    assert np.abs(model.components_).max() < 1.0
    once = EffectiveRBM(2, n_iter=1, random_state=0).fit(X)
    np.testing.assert_array_equal(model.partial_fit(X).components_, once.components_)


@pytest.mark.parametrize("method", METHODS)
def test_divergence_is_said(method):
    X = bits(50, 4)
    model = EffectiveRBM(2, learning_rate=1e9, method=method, random_state=0)
    with pytest.warns(ConvergenceWarning, match="training diverged: .* learning_rate below 1e"):
        model.fit(X)
    assert np.all(np.isfinite(model.score_samples(X)))
    with pytest.warns(ConvergenceWarning, match="training diverged"):
        model.partial_fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EffectiveRBM(2, method=method, random_state=0).fit(X)


def test_numpys_global_generator_is_left_alone():
    X = bits(50, 4)
    shared = check_random_state(None)
    state = shared.get_state()[1].copy()
    one, other = (EffectiveRBM(2, n_iter=1).fit(X) for _ in range(2))
    one.gibbs(X)
    np.testing.assert_array_equal(shared.get_state()[1], state)
    assert np.any(one.components_ != other.components_)


def test_bright_samples_are_no_signs_of_zeros_and_ones():
    """Inputs from a half to one are mapped to means from zero to one."""
    X = 0.5 + 0.5 * bits(50, 4)
    model = EffectiveRBM(2, n_iter=1, random_state=0).fit(X)
    assert np.all(np.isfinite(model.partial_fit(X).components_))


def test_it_works_in_a_pipeline_and_a_search():
    X = bits(200, 6)
    y = X[:, 0]
    pipeline = make_pipeline(EffectiveRBM(n_iter=2, random_state=0), LogisticRegression())
    search = GridSearchCV(pipeline, {"effectiverbm__n_components": [1, 2]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.5
    own = GridSearchCV(EffectiveRBM(n_iter=2, random_state=0), {"n_components": [1, 2]}, cv=2)
    assert np.isfinite(own.fit(X).best_score_)
    names = pipeline[:-1].fit(X).get_feature_names_out()
    assert list(names) == [f"effectiverbm{i}" for i in range(10)]


def test_verbose_says_how_it_goes(capsys):
    EffectiveRBM(2, n_iter=2, verbose=1, random_state=0).fit(bits(50, 4))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("[EffectiveRBM] log-likelihood -") for line in lines)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.full((5, 4), 1.5), "must lie in"),
        (np.full((5, 4), -0.5), "must lie in"),
        (np.full((5, 4), np.nan), "NaN"),
        (np.empty((0, 4)), "0 sample"),
        (np.ones(4), "2D"),
    ],
)
def test_bad_input_is_refused_with_the_reason(X, words):
    with pytest.raises(ValueError, match=words):
        EffectiveRBM(2).fit(X)
    fitted = EffectiveRBM(2, n_iter=1).fit(bits(10, 4))
    with pytest.raises(ValueError, match=words):
        fitted.score_samples(X)


def test_bad_parameters_are_refused_with_the_reason():
    X = bits(10, 4)
    for options, words in (
        ({"n_components": 0}, "^n_components must"),
        ({"n_components": 27}, "^n_components must leave at most"),
        ({"batch_size": 0}, "^batch_size must"),
        ({"batch_size": "all"}, "^batch_size must"),
        ({"n_iter": -1}, "^n_iter must"),
        ({"method": "cd"}, "^method must"),
        ({"learning_rate": -1.0}, "^learning_rate must"),
    ):
        with pytest.raises(ValueError, match=words):
            EffectiveRBM(**{"n_iter": 1, **options}).fit(X)
    with pytest.raises(ValueError, match="features"):
        EffectiveRBM(2, n_iter=1).fit(X).transform(bits(3, 5))


def test_doctest():
    import doctest

    assert doctest.testmod(effective_rbm).failed == 0
