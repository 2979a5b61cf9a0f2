r"""Restoring corrupted inputs with an RBM: exactly, by a sum over its hidden states (ours)."""

from __future__ import annotations

import numpy as np

from rbmnotes._types import ArrayLike
from rbmnotes._validation import finite_array, number_or_vector
from rbmnotes.model.priors import Rademacher
from rbmnotes.model.rbm import RBM


def posterior_mean(rbm: RBM, corrupted: ArrayLike, flip: ArrayLike) -> np.ndarray:
    r"""Return the mean of the visible units given a copy with signs flipped at known rates.

    Given the hidden units the visible ones are independent, so the posterior mean is a sum over
    the hidden states, whatever is missing or noisy. A flip probability of zero marks an observed
    unit, one half a missing one; salt-and-pepper noise that replaces a share p of the units by
    random signs flips them with probability p/2.

    Parameters
    ----------
    rbm : RBM
        With Rademacher visible units and hidden units of finite support.
    corrupted : (n, d) array of -1 and 1
        Corrupted samples; what stands at a missing unit does not matter.
    flip : float or (d,) array
        Probability, in $[0,\frac12]$, that a unit was flipped.

    Returns
    -------
    (n, d) array
        In $[-1,1]$; its sign is the best guess of each unit.

    Raises
    ------
    ValueError
        If the visible units are not Rademacher, `corrupted` holds anything but signs or has the
        wrong width, `flip` is out of range, or there are too many hidden states.
    """
    if not isinstance(rbm, RBM) or not isinstance(rbm.visible, Rademacher):
        got = repr(rbm.visible if isinstance(rbm, RBM) else rbm)
        raise ValueError(f"rbm must be an RBM with Rademacher visible units; got {got}")
    sign = finite_array(corrupted, "corrupted", (None, rbm.d)).astype(np.float64, copy=False)
    if np.any(np.abs(sign) != 1.0):
        raise ValueError("corrupted must hold -1 and 1 only")
    flip = np.broadcast_to(number_or_vector(flip, "flip", rbm.d), (rbm.d,))
    if np.any((flip < 0.0) | (flip > 0.5)):
        raise ValueError("flip must be a probability between 0 and 1/2")
    with np.errstate(divide="ignore"):  # an observed unit has log 0 and an infinite field
        kept, flipped, field = np.log1p(-flip), np.log(flip), np.arctanh(1.0 - 2.0 * flip)

    peak, total, mean = np.full((len(sign), 1), -np.inf), 0.0, np.zeros_like(sign)
    for _, fields, log_weights in rbm.state_blocks():
        # functions of a sign s are even + s odd, so that sums over units are matrix products
        even, odd = _even_odd(
            np.logaddexp(kept + fields, flipped - fields),
            np.logaddexp(kept - fields, flipped + fields),
        )
        logits = sign @ odd.T + even.sum(axis=1) + log_weights
        new_peak = np.maximum(peak, logits.max(axis=1, keepdims=True))
        weights, rescale = np.exp(logits - new_peak), np.exp(peak - new_peak)
        even, odd = _even_odd(np.tanh(fields + field), np.tanh(fields - field))
        mean = rescale * mean + weights @ even + sign * (weights @ odd)
        total = rescale * total + weights.sum(axis=1, keepdims=True)
        peak = new_peak
    return mean / total


def _even_odd(at_plus: np.ndarray, at_minus: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 0.5 * (at_plus + at_minus), 0.5 * (at_plus - at_minus)
