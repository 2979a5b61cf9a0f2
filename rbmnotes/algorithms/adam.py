"""Adam: gradient steps of a size that hardly depends on the scale of the gradient."""

from __future__ import annotations

import numpy as np

from rbmnotes._compile import njit
from rbmnotes._validation import finite_real


class Adam:
    r"""Adam's update (Kingma and Ba, 2015), with its memory of past gradients.

    With $g$ the gradient, $\mu\leftarrow\beta_1\mu+(1-\beta_1)g$ and
    $s\leftarrow\beta_2s+(1-\beta_2)g^2$, every parameter moves by
    $\kappa\,\hat\mu/(\sqrt{\hat s}+\epsilon)$, where $\hat\mu=\mu/(1-\beta_1^t)$ and
    $\hat s=s/(1-\beta_2^t)$ correct for the start at zero.

    Parameters
    ----------
    learning_rate : float
        $\kappa$: about the distance that a parameter moves in a step.
    decay_mean, decay_square : float
        $\beta_1$ and $\beta_2$, in $[0,1)$.
    epsilon : float
        Positive; keeps a parameter without gradient in place.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    def __init__(
        self,
        learning_rate: float,
        decay_mean: float = 0.9,
        decay_square: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.learning_rate = finite_real(learning_rate, "learning_rate", above=0.0)
        self.decay_mean = _decay(decay_mean, "decay_mean")
        self.decay_square = _decay(decay_square, "decay_square")
        self.epsilon = finite_real(epsilon, "epsilon", above=0.0)
        self.n_steps = 0
        self._mean: np.ndarray | None = None
        self._square: np.ndarray | None = None

    def ascend(self, parameters: np.ndarray, gradient: np.ndarray) -> None:
        """Move `parameters` up the gradient, in place.

        Parameters
        ----------
        parameters, gradient : contiguous float64 arrays of one shape
            The same shape in every call.

        Raises
        ------
        ValueError
            If the parameters cannot be moved in place, or a shape differs.
        """
        if parameters.dtype != np.float64 or not parameters.flags.c_contiguous:
            raise ValueError("parameters must be a contiguous float64 array")
        if gradient.shape != parameters.shape:
            raise ValueError(
                f"gradient must have the shape of parameters, {parameters.shape}; "
                f"got {gradient.shape}"
            )
        if self._mean is None:
            self._mean, self._square = np.zeros(parameters.size), np.zeros(parameters.size)
        self.n_steps += 1
        _adam_step(
            parameters.reshape(-1),
            gradient.reshape(-1),
            self._mean,
            self._square,
            self.decay_mean,
            self.decay_square,
            self.learning_rate / (1.0 - self.decay_mean**self.n_steps),
            1.0 / (1.0 - self.decay_square**self.n_steps),
            self.epsilon,
        )


def _decay(value: float, name: str) -> float:
    value = finite_real(value, name)
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must be in [0, 1); got {value}")
    return value


@njit(cache=True, error_model="numpy")
def _adam_step(
    parameters, gradient, mean, square, decay_mean, decay_square, rate, correction, epsilon
):
    for i in range(len(parameters)):
        mean[i] = decay_mean * mean[i] + (1.0 - decay_mean) * gradient[i]
        square[i] = decay_square * square[i] + (1.0 - decay_square) * gradient[i] * gradient[i]
        parameters[i] += rate * mean[i] / (np.sqrt(correction * square[i]) + epsilon)
