r"""The RBM trained on its effective likelihood, as a scikit-learn estimator (ours)."""

from __future__ import annotations

import warnings
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from rbmnotes._types import ArrayLike
from rbmnotes._validation import positive_integer
from rbmnotes.likelihood.epochs import RBMTraining
from rbmnotes.model.hidden_sum import check_states
from rbmnotes.model.priors import Bernoulli

LIKELIHOODS = ("effective", "tangent", "exact")

EXACT_UNITS = 12
"""Up to so many hidden units the exact likelihood is what ``method="auto"`` climbs."""


class EffectiveRBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Bernoulli RBM trained without sampling; a drop-in for scikit-learn's ``BernoulliRBM``.

    Inputs in $[0,1]$ are mapped to visible units $v=2x-1$ in $[-1,1]$; the hidden units are 0 or 1.

    Parameters
    ----------
    n_components : int
        Number of hidden units, at most 26: their states are summed over.
    learning_rate : float
        Of Adam: about the distance that a weight moves in a step.
    batch_size : int
        Samples a step; all of them if there are fewer.
    n_iter : int
        Passes over the data; none leave the machine as it starts.
    method : {"auto", "effective", "tangent", "exact"}
        Which likelihood to climb: Theorem 1's, the tighter bound at nearly the same price, or the
        exact one, which costs as much times the number of features. By default the exact one up to
        12 hidden units, where it is both affordable and the best by far, and the tangent bound
        beyond.
    clip : bool
        Whether to clip inputs outside $[0,1]$, which otherwise are refused.
    verbose : int
        If not zero, print the mean log-likelihood after each pass.
    random_state : int or numpy.random.RandomState, optional
        Of the start and the batches. If absent they differ from fit to fit; NumPy's global
        generator is left alone.

    Attributes
    ----------
    rbm_ : rbmnotes.RBM
        The machine in the conventions of this package.
    components_ : (n_components, n_features) array
    intercept_hidden_ : (n_components,) array
    intercept_visible_ : (n_features,) array
        The same machine in scikit-learn's: log odds of units that are 0 or 1 both.
    n_features_in_ : int
    feature_names_in_ : array, if the inputs had names

    Examples
    --------
    >>> from rbmnotes.estimators.effective_rbm import EffectiveRBM
    >>> X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0]]
    >>> EffectiveRBM(n_components=2, random_state=0).fit(X).transform(X).shape
    (4, 2)
    """

    def __init__(
        self,
        n_components: int = 10,
        *,
        learning_rate: float = 0.1,
        batch_size: int = 100,
        n_iter: int = 10,
        method: str = "auto",
        clip: bool = False,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.method = method
        self.clip = clip
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Train from the start.

        Parameters
        ----------
        X : (n_samples, n_features) array in [0, 1]
        y : ignored

        Returns
        -------
        self

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If training diverges, which ends it: the machine is that before the step which did.
        """
        n_iter = positive_integer(self.n_iter, "n_iter", minimum=0)
        signs = self._signs(X, reset=True)
        self._begin(signs)
        for _ in range(n_iter):
            self._epoch(signs)
            if self.training_.diverged:
                break
        return self

    def partial_fit(self, X: ArrayLike, y: object = None) -> Self:
        """Pass over some more data once, with `learning_rate` and `batch_size` as they are now.

        Parameters
        ----------
        X : (n_samples, n_features) array in [0, 1]
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Also if `n_components` or `method` are not those that training began with.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            As :meth:`fit`.
        """
        first = not hasattr(self, "training_")
        signs = self._signs(X, reset=first)
        if first:
            self._begin(signs)
        began = {"n_components": self.rbm_.k, "method": self.training_.method}
        for name, now in (("n_components", self.n_components), ("method", self._likelihood())):
            if now != began[name]:
                raise ValueError(
                    f"{name} was {began[name]!r} when training began and is now {now!r}; fit "
                    "begins anew"
                )
        self.training_.learning_rate = self.learning_rate
        self.training_.batch_size = self.batch_size
        self._epoch(signs)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the means of the hidden units given samples, (n_samples, n_components)."""
        check_is_fitted(self)
        return self.rbm_.hidden_mean(self._signs(X))

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Return the exact log-likelihood of each sample in nats, (n_samples,).

        For binary samples the logarithm of their probability; scikit-learn's own RBM returns a
        pseudo-likelihood.
        """
        check_is_fitted(self)
        v = self._signs(X)
        return self.rbm_.log_likelihood(v) - self.rbm_.d * np.log(2.0)

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return the mean of :meth:`score_samples`."""
        return float(self.score_samples(X).mean())

    def gibbs(self, v: ArrayLike) -> np.ndarray:
        """Run one cycle of Gibbs sampling from samples in [0, 1]; return booleans, same shape."""
        check_is_fitted(self)
        signs = self._signs(v)
        return self.rbm_.gibbs(signs, 1, rng=self.random_state_.randint(2**31)) > 0

    @property
    def _n_features_out(self) -> int:
        return self.rbm_.k

    def _begin(self, signs: np.ndarray) -> None:
        k = positive_integer(self.n_components, "n_components")
        check_states(Bernoulli(), k, "n_components")
        own = np.random.RandomState() if self.random_state is None else self.random_state
        self.random_state_ = check_random_state(own)
        self.training_ = RBMTraining(
            signs,
            k,
            self._likelihood(),
            hidden=Bernoulli(),
            learning_rate=self.learning_rate,
            rng=self.random_state_.randint(2**31),
            means=True,
        )
        self.training_.batch_size = self.batch_size
        self._publish()

    def _likelihood(self) -> str:
        if self.method == "auto":
            return "exact" if self.n_components <= EXACT_UNITS else "tangent"
        if self.method not in LIKELIHOODS:
            known = ", ".join(("auto", *LIKELIHOODS))
            raise ValueError(f"method must be one of {known}; got {self.method!r}")
        return self.method

    def _epoch(self, signs: np.ndarray) -> None:
        self.training_.epoch(signs)
        self._publish()
        if self.training_.diverged:
            warnings.warn(
                "training diverged: a step led to parameters above 1e6 and was undone; "
                f"a learning_rate below {self.learning_rate:g} may help",
                ConvergenceWarning,
                stacklevel=3,
            )
        if self.verbose:
            score = self.rbm_.log_likelihood(signs).mean() - self.rbm_.d * np.log(2.0)
            print(f"[EffectiveRBM] log-likelihood {score:.3f} nats a sample")

    def _publish(self) -> None:
        self.rbm_ = rbm = self.training_.rbm
        weights = rbm.W.T / np.sqrt(rbm.d)
        self.components_ = 2.0 * weights
        self.intercept_hidden_ = rbm.hidden_bias - weights.sum(axis=1)
        self.intercept_visible_ = 2.0 * rbm.visible_bias / np.sqrt(rbm.d)

    def _signs(self, X: ArrayLike, reset: bool = False) -> np.ndarray:
        """Map inputs to [-1, 1], or raise if they are not in [0, 1]."""
        X = validate_data(self, X, reset=reset, dtype=np.float64)
        if self.clip:
            X = np.clip(X, 0.0, 1.0)
        elif X.min() < 0.0 or X.max() > 1.0:
            raise ValueError(
                f"X must lie in [0, 1]; it reaches from {X.min():.4g} to {X.max():.4g} "
                "(clip=True clips it)"
            )
        return 2.0 * X - 1.0
