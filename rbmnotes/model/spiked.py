r"""The spiked covariance model: signals planted in noise (paper eqs. 11-14, 49-55)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.integrate import quad

from rbmnotes._frozen import Frozen
from rbmnotes._types import ArrayLike, Seed
from rbmnotes._validation import (
    finite_array,
    not_negative,
    positive_integer,
    positive_real,
    random_generator,
)
from rbmnotes.model.priors import Gaussian, Prior, Rademacher, check_standardised
from rbmnotes.model.rbm import RBM

MAX_NUMBERS = 2**34
"""Largest number of entries of the data."""


@dataclass(frozen=True, eq=False)
class SpikedData(Frozen):
    r"""One draw of a :class:`SpikedModel`.

    Attributes
    ----------
    X : (n, d) array
        Data, one sample a row.
    U : (n, r) array
        Latent variables.
    W_star : (d, r) array
        Signals.
    """

    X: np.ndarray
    U: np.ndarray
    W_star: np.ndarray


@dataclass(frozen=True)
class SpikedModel:
    r"""Data $X=\frac1{\sqrt d}U\Lambda W^{\star\top}+Z$ with standard normal $Z$ (paper eq. 11).

    Parameters
    ----------
    alpha : float
        Sample ratio $n/d$.
    snr : float or sequence of r floats
        Signal strengths $\lambda_i\ge0$, the diagonal of $\Lambda$.
    prior_u, prior_w : Prior
        Laws of the latent variables and of the signals' entries: zero mean, unit variance.
    channel : callable, optional
        Elementwise $\varphi(s,z)$ giving $X=\varphi(\frac1{\sqrt d}U\Lambda W^{\star\top},Z)$
        (paper eq. 49); $s+z$ if absent. It must satisfy $E\varphi(0,z)=0$ and
        $E\varphi(0,z)^2=1$.

    Raises
    ------
    ValueError
        If an argument is out of range, a prior is not standardised, or the channel is not.
    """

    alpha: float
    snr: tuple[float, ...]
    prior_u: Prior = Rademacher()
    prior_w: Prior = Rademacher()
    channel: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    if TYPE_CHECKING:  # what is taken; the fields are what is held

        def __init__(
            self,
            alpha: float,
            snr: ArrayLike,
            prior_u: Prior = ...,
            prior_w: Prior = ...,
            channel: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", positive_real(self.alpha, "alpha"))
        snr = finite_array(np.atleast_1d(not_negative(self.snr, "snr")), "snr", (None,))
        object.__setattr__(self, "snr", tuple(snr.tolist()))
        check_standardised(self.prior_u, "prior_u")
        check_standardised(self.prior_w, "prior_w")
        if self.channel is not None:
            try:
                first, second = (self._channel_moment(0.0, order) for order in (1, 2))
            except TypeError as error:
                raise ValueError(
                    f"channel must be an elementwise function of (s, z); got {self.channel!r}"
                ) from error
            if not (abs(first) <= 1e-6 and abs(second - 1.0) <= 1e-6):
                raise ValueError(
                    "channel must have mean zero and second moment one at s=0; "
                    f"got {first:.9g} and {second:.9g}"
                )

    @property
    def r(self) -> int:
        """Number of signals."""
        return len(self.snr)

    def n(self, d: int) -> int:
        """Return the number of samples at dimension `d`, at least one."""
        return max(1, round(self.alpha * positive_integer(d, "d", maximum=MAX_NUMBERS)))

    def sample(self, d: int, rng: Seed = None) -> SpikedData:
        """Draw signals, latent variables and data.

        Parameters
        ----------
        d : int
            Dimension; the number of samples is ``round(alpha * d)``.
        rng : int or numpy.random.Generator, optional
            Seed or generator.

        Returns
        -------
        SpikedData

        Raises
        ------
        ValueError
            If `d` is not a positive integer.
        """
        n, rng = self.n(d), random_generator(rng)
        if n * int(d) > MAX_NUMBERS:
            raise ValueError(
                f"d must be smaller for alpha = {self.alpha:g}: the data would be {n} times {d}"
            )
        W_star = self.prior_w.sample((d, self.r), rng)
        U = self.prior_u.sample((n, self.r), rng)
        signal = (U * self.snr) @ W_star.T / np.sqrt(d)
        noise = rng.standard_normal(signal.shape)
        X = signal + noise if self.channel is None else self.channel(signal, noise)
        return SpikedData(np.asarray(X, dtype=np.float64), U, W_star)

    @property
    def information_coefficient(self) -> float:
        r"""Return $\kappa_1=\frac{d}{ds}E\varphi(s,z)|_{s=0}$ (paper eq. 50); one without channel.

        As $d\to\infty$ the channel acts like the linear model with $\Lambda\to\kappa_1\Lambda$.
        """
        if self.channel is None:
            return 1.0
        slopes = [
            (self._channel_moment(s, 1) - self._channel_moment(-s, 1)) / (2 * s)
            for s in (0.02, 0.01)
        ]
        return (4 * slopes[1] - slopes[0]) / 3

    def _channel_moment(self, s: float, order: int) -> float:
        """Return the moment of the channel's output at signal `s`, by adaptive quadrature."""
        channel = self.channel
        assert channel is not None

        def integrand(z: float) -> float:
            density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
            return float(channel(np.array(s), np.array(z))) ** order * density

        return quad(integrand, -12.0, 12.0, points=(-s, 0.0), limit=400, epsabs=1e-11)[0]


def teacher_rbm(W_star: ArrayLike, snr: ArrayLike) -> RBM:
    r"""Return the RBM whose samples are spiked data (paper eqs. 12-14).

    With Rademacher latent variables and orthogonal signals ($W^{\star\top}W^\star=dI$), a row of
    the spiked model has density $\propto e^{-\|x\|^2/2}\prod_i\cosh(\lambda_iw_i^\top x/\sqrt d)$:
    an RBM with Gaussian visible and Rademacher hidden units and weights $W^\star\Lambda$. The two
    laws differ as far as the signals are not orthogonal.

    Parameters
    ----------
    W_star : (d, r) array
        Signals.
    snr : float or (r,) array
        Signal strengths; a number serves all signals.

    Returns
    -------
    RBM

    Raises
    ------
    ValueError
        If the shapes do not match, a value is not finite, or a strength is negative.
    """
    W_star = finite_array(W_star, "W_star", (None, None))
    snr = not_negative(snr, "snr")
    if np.ndim(snr) > 0:
        snr = finite_array(snr, "snr", (W_star.shape[1],))
    return RBM(W_star * snr, visible=Gaussian(), hidden=Rademacher())
