r"""Spiked data through nonlinear channels, and in noise with heavy tails (paper eqs. 49-55)."""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.sparse.linalg import svds

from rbmnotes.algorithms.pca import pca
from rbmnotes.model.order_parameters import overlap
from rbmnotes.model.spiked import SpikedModel

ALPHA, SNR = 1.0, 1.5
SIZES = (200, 400, 800)
N_INSTANCES = 20

TAIL_ALPHA, TAIL_SNR, TAIL_SIZES = 4.0, 1.8, (100, 200, 400)
SEED = 20_250_520

NORMAL_DENSITY = 1.0 / np.sqrt(2.0 * np.pi)
"""Density of the standard normal law at zero."""


def _normal_mean(function) -> float:
    """Return the mean of a function of a standard normal variable."""
    return quad(lambda z: function(z) * np.exp(-0.5 * z * z), -12, 12)[0] * NORMAL_DENSITY


TANH_SCALE = _normal_mean(lambda z: np.tanh(z) ** 2) ** -0.5


def saturating(s, z):
    r"""Smooth channel $c\tanh(s+z)$, normalised."""
    return TANH_SCALE * np.tanh(s + z)


def one_bit(s, z):
    r"""Channel ${\rm sign}(s+z)$, which is not smooth."""
    return np.sign(s + z)


def sign_noise(s, z):
    """Additive noise made of signs."""
    return s + np.sign(z)


CHANNELS = {
    "s + z": None,
    "sign(s + z)": one_bit,
    "tanh(s + z)": saturating,
    "s + sign(z)": sign_noise,
}
"""By name, as of :class:`rbmnotes.SpikedModel`; first the linear one. All are normalised."""


def channel_error(channel, alpha: float, snr: float, d: int, rng: np.random.Generator) -> float:
    r"""Return the spectral norm of Lemma 1's error matrix on one draw, signals and latents signs.

    Parameters
    ----------
    channel : callable
        $\varphi(s,z)$, as of :class:`rbmnotes.SpikedModel`.
    alpha, snr : float
        Sample ratio and strength of the only signal.
    d : int
        Dimension.
    rng : numpy.random.Generator

    Returns
    -------
    float
        $\|X-\kappa_1s-\varphi(0,z)\|$.
    """
    model = SpikedModel(alpha, snr, channel=channel)
    n = model.n(d)
    s = snr * np.outer(rng.choice([-1.0, 1.0], n), rng.choice([-1.0, 1.0], d)) / np.sqrt(d)
    z = rng.standard_normal((n, d))
    E = channel(s, z) - channel(np.zeros_like(s), z) - model.information_coefficient * s
    return float(svds(E, k=1, v0=np.ones(min(n, d)), return_singular_vectors=False)[0])


def smooth_error_limit(alpha: float, snr: float) -> float:
    r"""Return the limit of :func:`channel_error` for :func:`saturating` (ours).

    $\lambda(1+\sqrt\alpha)\,{\rm sd}(\partial_s\varphi(0,z))$: to leading order the error is $s$
    times independent entries.
    """
    slope, square = (
        _normal_mean(lambda z, p=p: (TANH_SCALE / np.cosh(z) ** 2) ** p) for p in (1, 2)
    )
    return float(snr * (1.0 + np.sqrt(alpha)) * np.sqrt(square - slope**2))


def one_bit_error_limit(alpha: float, snr: float) -> float:
    r"""Return the limit of $d^{-1/4}$ times :func:`channel_error` for :func:`one_bit` (ours).

    An entry is $\pm2$ where the signal turns the noise's sign, with probability
    $|s|/\sqrt{2\pi}$: a variance of $4\lambda/\sqrt{2\pi d}$.
    """
    return float((1.0 + np.sqrt(alpha)) * np.sqrt(4.0 * snr * NORMAL_DENSITY))


def overlap_in_heavy_noise(degrees: float, d: int, rng: np.random.Generator) -> float:
    """Return PCA's overlap with one signal in Student noise of variance one.

    Parameters
    ----------
    degrees : float
        Degrees of freedom, above two; moments of that order and beyond are infinite.
    d : int
        Dimension.
    rng : numpy.random.Generator

    Returns
    -------
    float
    """
    n = round(TAIL_ALPHA * d)
    u, w = rng.choice([-1.0, 1.0], n), rng.choice([-1.0, 1.0], d)
    noise = rng.standard_t(degrees, (n, d)) * np.sqrt((degrees - 2.0) / degrees)
    X = TAIL_SNR * np.outer(u, w) / np.sqrt(d) + noise
    return float(abs(overlap(w[:, None], pca(X, 1).W)[0, 0]))
