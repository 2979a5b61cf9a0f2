r"""A tighter bound on the partition function than Theorem 1's, at the same price (ours).

For Rademacher visible units $\log\cosh y\le y^2/2$, so that the effective log-likelihood of Theorem
1 is a *lower bound* on the exact one. On real images, whose pixels feel large fields, the bound is
loose. The tangent to $\log\cosh\sqrt{y^2}$, concave in $y^2$, bounds it as well, at every $\zeta$
(Jaakkola and Jordan, 2000):

.. math::
    \log\cosh y\le\log\cosh\zeta+\tfrac12s(\zeta)\,(y^2-\zeta^2),\qquad
    s(\zeta)=\tanh(\zeta)/\zeta .

It is quadratic too: the sum over the visible units is done, and what is left is again an average
over $k$ hidden units. $\zeta_i=0$ is Theorem 1.

**The best points.** As a function $F(s)$ of the slopes $s_i=s(\zeta_i)\in(0,1]$ the bound on
$\log Z$ is convex: $\log\cosh\zeta-\frac12s\zeta^2$ is the largest value that
$\log\cosh\sqrt u-\frac12su$ takes over $u$, a maximum of linear functions of $s$, and the rest is
the logarithm of a sum of exponentials of linear ones. Its derivative is
$\partial F/\partial s_i=\frac12(\langle y_i^2\rangle-\zeta_i^2)$, so the minimum is where
$\zeta_i^2=\langle y_i^2\rangle$. To *set* $\zeta_i^2$ to that average is no descent, though: it
minimises a linearisation of the last term, which lies below it, and may loosen the bound or cycle.
:class:`TangentPoints` goes a part of the way and asks convexity whether the part was too large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rbmnotes._validation import finite_real, positive_integer
from rbmnotes.model.objective import ModelAverage, eta2_moments
from rbmnotes.model.priors import Prior, Rademacher

FIRST_STEP, GROWTH, CUT = 0.1, 1.1, 0.5
"""Part of the way that the points go at first, and its factors after a success and a failure."""


def tangent_average(
    W: np.ndarray,
    visible_bias: np.ndarray,
    hidden_bias: np.ndarray,
    points: np.ndarray,
    hidden: Prior = Rademacher(),
) -> tuple[ModelAverage, np.ndarray]:
    r"""Return the averages of the bound at given tangent points.

    With $S={\rm diag}\,s(\zeta)$ the hidden units have the couplings $\frac1dW^\top SW$ and fields
    $b+\frac1dW^\top Sa$, and each average of Theorem 1 gets a factor $s(\zeta_i)$ at unit $i$.

    Parameters
    ----------
    W : (d, k) array
    visible_bias : (d,) array
    hidden_bias : (k,) array
    points : (d,) array
        Tangent points $\zeta_i\ge0$.
    hidden : Prior
        Law of a hidden unit.

    Returns
    -------
    average : ModelAverage
        Its ``log_partition`` is at least the exact one; the rest are that bound's derivatives.
    squares : (d,) array
        $\langle y_i^2\rangle$, the mean squares of the fields $y=(Wh+a)/\sqrt d$. Less
        $\zeta_i^2$ they are twice the bound's derivatives with respect to $s(\zeta_i)$.
    """
    d = len(W)
    slopes = _slopes(points)
    weighted = W * slopes[:, None]
    moments = eta2_moments(W.T @ weighted / d, hidden, hidden_bias + visible_bias @ weighted / d)
    field = W @ moments.mean + visible_bias
    product = W @ moments.second + np.outer(visible_bias, moments.mean)
    squares = (np.sum(product * W, axis=1) + visible_bias * field) / d
    log_cosh = np.logaddexp(points, -points) - np.log(2.0)
    constant = np.sum(log_cosh - 0.5 * slopes * (points**2 - visible_bias**2 / d))
    average = ModelAverage(
        log_partition=float(constant + moments.eta2),
        hidden=moments.mean,
        visible=slopes * field / np.sqrt(d),
        product=slopes[:, None] * product / np.sqrt(d),
    )
    return average, squares


class TangentPoints:
    r"""Tangent points that follow a machine, and never loosen its bound.

    A step goes $\zeta_i^2\leftarrow(1-\kappa)\zeta_i^2+\kappa\langle y_i^2\rangle$: mirror descent
    on $F(s)$. It is kept if $\nabla F(s')\cdot(s'-s)\le0$ at its end $s'$. Then $F$, convex, does
    not rise anywhere on the line from $s$ to $s'$, so $F(s')\le F(s)$; for small $\kappa$ it is
    kept always, as every $s_i$ moves down its own derivative. Otherwise the points return to where
    they were and $\kappa$ is halved. The test needs the averages at $s'$ only, which the next step
    needs anyway: a step costs one sum over the hidden states, or two if it fails.

    Parameters
    ----------
    visible_bias : (d,) array
        The points begin at the fields $|a_i|/\sqrt d$.
    """

    def __init__(self, visible_bias: np.ndarray) -> None:
        self._squares = self._kept = visible_bias**2 / len(visible_bias)
        self._step = FIRST_STEP

    def average(
        self,
        W: np.ndarray,
        visible_bias: np.ndarray,
        hidden_bias: np.ndarray,
        hidden: Prior = Rademacher(),
    ) -> tuple[ModelAverage, float]:
        r"""Return the averages of the bound, and move the points for the next call.

        The points it uses bound *this* machine at least as tightly as those of the call before.

        Parameters
        ----------
        W, visible_bias, hidden_bias, hidden
            As of :func:`tangent_average`; they may differ from those of the call before.

        Returns
        -------
        average : ModelAverage
            As of :func:`tangent_average`.
        excess : float
            At most this much, in nats, is its ``log_partition`` above that of the best points:
            $\max_{t\in[0,1]^d}\nabla F(s)\cdot(s-t)$.
        """
        parameters = W, visible_bias, hidden_bias
        average, found = tangent_average(*parameters, np.sqrt(self._squares), hidden)
        slopes = _slopes(np.sqrt(self._squares))
        if (found - self._squares) @ (slopes - _slopes(np.sqrt(self._kept))) > 0.0:
            self._squares, self._step = self._kept, CUT * self._step
            average, found = tangent_average(*parameters, np.sqrt(self._squares), hidden)
            slopes = _slopes(np.sqrt(self._squares))
        else:
            self._step = min(1.0, GROWTH * self._step)
        change = found - self._squares
        self._kept, self._squares = self._squares, self._squares + self._step * change
        return average, float(0.5 * np.sum(np.maximum(change * slopes, change * (slopes - 1.0))))


@dataclass(frozen=True)
class TangentBound:
    r"""The tightest tangent bound of a machine, or what was found of it.

    Attributes
    ----------
    average : ModelAverage
        Its ``log_partition`` is at least the exact one, whatever ``converged`` says.
    excess : float
        At most this much is it above that of the best points. How far *that* is from the exact
        one is not known.
    converged : bool
        Whether the excess is within the tolerance.
    n_iter : int
        Number of steps done.
    """

    average: ModelAverage
    excess: float
    converged: bool
    n_iter: int


def tangent_bound(
    W: np.ndarray,
    visible_bias: np.ndarray,
    hidden_bias: np.ndarray,
    hidden: Prior = Rademacher(),
    tol: float = 1e-6,
    max_iter: int = 10_000,
) -> TangentBound:
    """Minimise the bound over its tangent points.

    Parameters
    ----------
    W, visible_bias, hidden_bias, hidden
        As of :func:`tangent_average`.
    tol : float
        Distance from the best bound, in nats, at which to stop.
    max_iter : int

    Returns
    -------
    TangentBound

    Raises
    ------
    ValueError
        If `tol` or `max_iter` is not positive.
    """
    tol = finite_real(tol, "tol", above=0.0)
    max_iter = positive_integer(max_iter, "max_iter")
    points, excess, n_iter = TangentPoints(visible_bias), np.inf, 0
    while excess > tol and n_iter < max_iter:
        average, excess = points.average(W, visible_bias, hidden_bias, hidden)
        n_iter += 1
    return TangentBound(average, excess, excess <= tol, n_iter)


def _slopes(points: np.ndarray) -> np.ndarray:
    r"""Return $s(\zeta)=\tanh(\zeta)/\zeta$, one at zero."""
    slopes = np.tanh(points) / np.maximum(points, 1e-8)
    return np.where(points < 1e-8, 1.0, slopes)
