r"""What a unit pays for a mixture of signals, in Gordon's potential and on data, for hidden signs.

Weights $W=mW^\star\hat n+W_\perp$ along a unit vector $\hat n$ in the space of the signals have the
fields $\lambda m\,\hat n^\top U+\sqrt q\,G$; the potential knows the direction through
$E\,\mathcal M(\lambda m\,\hat n^\top U+\sqrt q\,G;V)$ only.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from rbmnotes.experiments.comparison.equal_signals import NOISE, NOISE_WEIGHTS
from rbmnotes.experiments.convergence.endpoints import descend
from rbmnotes.model.objective import loss
from rbmnotes.model.priors import Discrete, Rademacher
from rbmnotes.model.proximal import proximal_map
from rbmnotes.model.spiked import SpikedData

LATENT = {
    "signs": Rademacher(),
    "rare large signs": Discrete(np.array([-4, -1, 1, 4]) / np.sqrt(1.3), (0.01, 0.49, 0.49, 0.01)),
    "sparse, 0.05": Discrete(np.array([-1, 0, 1]) / np.sqrt(0.05), (0.025, 0.95, 0.025)),
}
r"""Laws of a latent variable with the fourth cumulants -2, 0.61 and 17.

The second is a sign but for one entry in fifty, which is four times as large.
"""


def envelope_average(fields, probabilities, q: float, V: float) -> float:
    r"""Return $E\,\mathcal M(x+\sqrt q\,G;V)$ for a signal part of the field with a discrete law.

    Parameters
    ----------
    fields : (m,) array
        Values of $x$.
    probabilities : (m,) array
    q : float
        Self overlap, the variance of the noise.
    V : float
        Response, below one.

    Returns
    -------
    float
    """
    omega = np.asarray(fields)[:, None] + np.sqrt(q) * NOISE
    z = proximal_map(omega.reshape(-1, 1), [[V]]).z.reshape(omega.shape)
    costs = -np.log(np.cosh(z)) + (z - omega) ** 2 / (2 * V)
    return probabilities @ costs @ NOISE_WEIGHTS


def direction_cost(direction, strength: float, q: float, V: float, law: Discrete) -> float:
    r"""Return $E\,\mathcal M$ along a direction less $E\,\mathcal M$ along a single signal.

    Times $\alpha$ it is what the potential charges for the direction.

    Parameters
    ----------
    direction : (r,) array
        Unit vector in the space of the signals.
    strength : float
        $\lambda m$.
    q : float
        Self overlap.
    V : float
        Response, below one.
    law : Discrete
        Law of a latent variable.

    Returns
    -------
    float
    """
    states = np.array(list(product(law.support, repeat=len(direction))))
    chances = np.array(list(product(law.probabilities, repeat=len(direction)))).prod(axis=1)
    along = envelope_average(strength * states @ direction, chances, q, V)
    support, probabilities = np.array(law.support), np.array(law.probabilities)
    return along - envelope_average(strength * support, probabilities, q, V)


def mixture_law(angle: float) -> Discrete:
    r"""Return the law of $\cos\vartheta\,U_1+\sin\vartheta\,U_2$ for two signs.

    Parameters
    ----------
    angle : float
        To the first signal, in radians.

    Returns
    -------
    Discrete
    """
    sums = [a * np.cos(angle) + b * np.sin(angle) for a in (-1, 1) for b in (-1, 1)]
    points, counts = np.unique(np.round(sums, 12), return_counts=True)
    return Discrete(points, counts / 4)


def least_losses(data: SpikedData, angles) -> np.ndarray:
    """Minimise the loss of one unit at fixed angles in the plane of two signals.

    The orthogonal direction of the plane is removed from the data, so that the unit cannot turn.

    Parameters
    ----------
    data : SpikedData
        Of two signals.
    angles : sequence of float
        To the first signal, in radians.

    Returns
    -------
    (len(angles),) array
    """
    values, vectors = np.linalg.eigh(data.W_star.T @ data.W_star)
    axes = data.W_star @ (vectors / np.sqrt(values)) @ vectors.T  # orthonormal
    losses = []
    for angle in angles:
        along, across = (
            axes @ [np.cos(angle), np.sin(angle)],
            axes @ [-np.sin(angle), np.cos(angle)],
        )
        X = data.X - np.outer(data.X @ across, across)
        losses.append(loss(X, descend(X, np.sqrt(len(along)) * along[:, None])))
    return np.array(losses)
