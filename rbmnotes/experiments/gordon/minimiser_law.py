r"""Averages over the minimiser: a signal of signs plus Gaussian noise (Theorem 7, paper eq. 95).

An entry of the minimiser has the law of $mW^\star+\sqrt{q-m^2}\,G$. Two ratios are free of the
norm, which fluctuates: $\frac1d\sum_iW_i^4/q^2$ and $\frac1d\sum_i|W_i|/\sqrt q$.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from rbmnotes.algorithms.lbfgs import lbfgs
from rbmnotes.experiments.gordon.minima import LARGEST
from rbmnotes.model.priors import Discrete
from rbmnotes.model.spiked import SpikedModel


class Ratios(NamedTuple):
    r"""``fourth`` $=E[W^4]/q^2$ and ``size`` $=E|W|/\sqrt q$."""

    fourth: float
    size: float


GAUSSIAN = Ratios(3.0, float(np.sqrt(2.0 / np.pi)))
"""Those of a Gaussian, without a signal."""


def predicted_ratios(m: float, q: float) -> Ratios:
    r"""Return the two ratios of $\pm m+\sqrt{q-m^2}\,G$.

    The second is the mean of a folded normal variable.

    Parameters
    ----------
    m, q : float
        Signal overlap and self overlap, $q>m^2$.

    Returns
    -------
    Ratios
    """
    sd = np.sqrt(q - m**2)
    fourth = (m**4 + 6 * m**2 * sd**2 + 3 * sd**4) / q**2
    size = sd * np.sqrt(2 / np.pi) * np.exp(-0.5 * (m / sd) ** 2)
    return Ratios(fourth, (size + m * (1 - 2 * norm.cdf(-m / sd))) / np.sqrt(q))


def measured_ratios(alpha: float, snr: float, d: int, rng: np.random.Generator) -> Ratios:
    """Draw data of one signal of signs and return the ratios of the minimiser near it.

    Parameters
    ----------
    alpha : float
        Sample ratio.
    snr : float
        Signal strength.
    d : int
        Dimension.
    rng : numpy.random.Generator

    Returns
    -------
    Ratios
    """
    data = SpikedModel(alpha, snr).sample(d, rng)
    w = lbfgs(data.X, data.W_star, largest=LARGEST).W[:, 0]
    q = w @ w / d
    return Ratios(np.mean(w**4) / q**2, np.mean(np.abs(w)) / np.sqrt(q))


def entry_density(x, m: float, q: float, prior_w: Discrete) -> np.ndarray:
    r"""Return the density of $mW^\star+\sqrt{q-m^2}\,G$.

    Parameters
    ----------
    x : array
        Where to evaluate it.
    m, q : float
        Signal overlap and self overlap, $q>m^2$.
    prior_w : Discrete
        Law of an entry of the signal.

    Returns
    -------
    array
        Of the shape of `x`.
    """
    sd = np.sqrt(q - m**2)
    return sum(
        p * norm.pdf(x, m * s, sd)
        for s, p in zip(prior_w.support, prior_w.probabilities, strict=True)
    )
