"""Checks on arguments, made before any work starts; every message names the argument."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from rbmnotes._types import ArrayLike

HUGE = 1e50
"""Largest strength, ratio or rate: powers of it are still floating-point numbers."""
HUGE_SINGLE = 1e15
"""The same of an array in single precision."""
RATIOS = (0.01, 1e5)
"""Sample ratios that the solvers of the theory take."""
LARGEST_STRENGTH = 100.0
"""Largest signal strength that they take: their grids grow with it."""


def positive_integer(value: object, name: str, minimum: int = 1, maximum: int = 2**31 - 1) -> int:
    """Return `value` as an ``int``, or raise if it is not an integer in the range."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}; got {value!r}")
    if int(value) > maximum:
        raise ValueError(f"{name} must be an integer of at most {maximum}; got {value!r}")
    return int(value)


def finite_real(
    value: Any,
    name: str,
    above: float = -np.inf,
    at_least: float = -np.inf,
    at_most: float = np.inf,
) -> float:
    """Return `value` as a ``float``, or raise if it is not a finite real number in the range."""
    value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        number = float(value) if real else math.nan
    except OverflowError:  # an integer or a fraction too large for a float
        number = math.inf
    if not (math.isfinite(number) and number > above and at_least <= number <= at_most):
        bound = "" if np.isneginf(above) else f" greater than {above:g}"
        if np.isfinite(at_least):
            bound = f" from {at_least:g}"
        if np.isfinite(at_most):
            bound += f" to {at_most:g}" if bound else f" up to {at_most:g}"
        raise ValueError(f"{name} must be a finite number{bound}; got {value!r}")
    return number


def sample_ratio(value: object, name: str = "alpha") -> float:
    """Return a sample ratio in the range that the solvers of the theory take."""
    return finite_real(value, name, at_least=RATIOS[0], at_most=RATIOS[1])


def signal_strength(value: object, name: str = "snr") -> float:
    """Return a signal strength in the range that the solvers of the theory take."""
    return finite_real(value, name, at_least=0.0, at_most=LARGEST_STRENGTH)


def positive_real(value: object, name: str) -> float:
    """Return a positive number of which powers are floating-point numbers, or raise."""
    return finite_real(value, name, at_least=1.0 / HUGE, at_most=HUGE)


def true_or_false(value: object, name: str) -> bool:
    """Return `value` as a ``bool``, or raise if it is neither of them."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be true or false; got {value!r}")
    return bool(value)


def proper_share(value: object, name: str) -> float:
    """Return `value` as a ``float``, or raise if it is not in [0, 1)."""
    value = finite_real(value, name)
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must be in [0, 1); got {value}")
    return value


def finite_array(
    value: object, name: str, shape: tuple[int | None, ...] | None = None, largest: float = HUGE
) -> np.ndarray:
    """Return `value` as a floating-point array of the given shape.

    In `shape`, ``None`` stands for any positive size; without it every shape will do. A
    ``float32`` array stays one; everything else becomes ``float64``. Entries are below
    `largest` in size, so that their powers are floating-point numbers.
    """
    masked = np.ma.isMaskedArray(value) and np.any(np.ma.getmaskarray(value))
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be an array of real numbers; got {value!r}") from error
    if array.dtype.kind not in "fiu" or masked:
        raise ValueError(f"{name} must be an array of real numbers; got {value!r}")
    if array.dtype != np.float32:
        with np.errstate(over="ignore"):  # an extended precision number out of range: infinite
            array = array.astype(np.float64, copy=False)
    if shape is not None:
        _check_shape(array, name, shape)
    if array.size:
        size = max(float(array.max()), -float(array.min()))  # either is NaN if an entry is
        if not np.isfinite(size):
            raise ValueError(f"{name} must be finite; it contains NaN or infinity")
        if array.dtype == np.float32 and largest == HUGE:
            largest = HUGE_SINGLE
        if size > largest:
            raise ValueError(f"{name} must not exceed {largest:g} in size; it reaches {size:.3g}")
    return array


def _check_shape(array: np.ndarray, name: str, shape: tuple[int | None, ...]) -> None:
    matches = array.ndim == len(shape) and all(
        actual > 0 and size in (None, actual)
        for size, actual in zip(shape, array.shape, strict=True)
    )
    if not matches:
        expected = "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
        raise ValueError(f"{name} must have shape {expected}; got {array.shape}")


def number_or_vector(value: object, name: str, length: int) -> np.ndarray:
    """Return a number or a vector of the given length as an array, or raise."""
    array = real_values(value, name)
    if array.ndim > 0:
        _check_shape(array, name, (length,))
    return array


def square_matrix(value: object, name: str, k: int | None = None) -> np.ndarray:
    """Return `value` as a ``float64`` matrix (k, k), or raise if it is not one or not finite."""
    matrix = finite_array(value, name, (k, k)).astype(np.float64, copy=False)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be a square matrix; got shape {matrix.shape}")
    return matrix


def symmetric_matrix(value: object, name: str, k: int | None = None) -> np.ndarray:
    """Return `value` as :func:`square_matrix` does, or raise if it is not symmetric to 1e-10."""
    matrix = square_matrix(value, name, k)
    gap = np.abs(matrix - matrix.T).max()
    if gap > 1e-10 * np.abs(matrix).max():
        raise ValueError(f"{name} must be symmetric; it differs from its transpose by {gap:.3g}")
    return matrix


def real_values(value: object, name: str, largest: float = HUGE) -> np.ndarray:
    """Return `value`, of any shape, as a ``float64`` array, or raise if it is not finite."""
    return finite_array(value, name, largest=largest).astype(np.float64, copy=False)


def not_negative(value: object, name: str, largest: float = HUGE) -> np.float64 | np.ndarray:
    """Return a number or an array of them, or raise if one is negative or above `largest`."""
    array = real_values(value, name, largest)
    if np.any(array < 0):
        raise ValueError(f"{name} must not be negative; got {value!r}")
    return array[()]


def positive(value: object, name: str, largest: float = HUGE) -> np.float64 | np.ndarray:
    """Return a number or an array of them, or raise unless from ``1 / largest`` to `largest`."""
    array = real_values(value, name, largest)
    if np.any(array <= 0):
        raise ValueError(f"{name} must be positive; got {value!r}")
    if np.any(array < 1.0 / largest):
        raise ValueError(f"{name} must be at least {1.0 / largest:g}; got {value!r}")
    return array[()]


def broadcast(**values: ArrayLike) -> tuple[np.ndarray, ...]:
    """Return arrays of one shape, or raise, naming them, if they have none in common."""
    try:
        return np.broadcast_arrays(*values.values())
    except ValueError as error:
        names = " and ".join(values)
        raise ValueError(f"{names} must broadcast against each other: {error}") from error


def number_or_array(value: float | np.ndarray) -> float | np.ndarray:
    """Return a ``float`` in place of an array without axes."""
    return float(value) if np.ndim(value) == 0 else value


def random_generator(rng: Any) -> np.random.Generator:
    """Return a generator from a seed or from a generator; global state is never used."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise ValueError(f"rng must be a seed or a numpy.random.Generator; got {rng!r}") from error


def signs(value: object, name: str, width: int | None = None, means: bool = False) -> np.ndarray:
    """Return an (n, width) array of -1 and +1 as ``int8``, or raise if it holds anything else.

    With `means` values in between are allowed, and an array that has some is returned as it is.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be an array of -1 and +1; got {value!r}") from error
    right_shape = array.ndim == 2 and 0 not in array.shape and width in (None, array.shape[-1])
    if array.dtype.kind not in "fiu" or not right_shape:
        raise ValueError(
            f"{name} must be an (n, {width or 'd'}) array of -1 and +1; "
            f"got shape {array.shape} of {array.dtype}"
        )
    rows = max(1, 2**18 // array.shape[1])  # what is compared at a time stays in the cache
    parts = [array[first : first + rows] for first in range(0, len(array), rows)]
    if all(np.all(np.abs(part) == 1) for part in parts):
        return np.ascontiguousarray(array, dtype=np.int8)
    for part in parts:
        allowed = (part >= -1) & (part <= 1) if means else np.abs(part) == 1
        if not allowed.all():
            kind = "values from -1 to +1" if means else "only -1 and +1"
            remedy = "" if means else f" (of zeros and ones, pass 2 * {name} - 1)"
            raise ValueError(f"{name} must hold {kind}; it also holds {part[~allowed][0]}{remedy}")
    return array


def pixels(value: object, name: str, width: int | None = None, means: bool = False) -> np.ndarray:
    """Return :func:`signs` or means in between, but refuse what looks like values from 0 to 1.

    Zero, as a mean, says that nothing is known of a pixel. With `means` that is what is meant.
    """
    array = signs(value, name, width, means=True)
    rows = max(1, 2**18 // array.shape[1])
    parts = (array[first : first + rows] for first in range(0, len(array), rows))
    if not means and all(part.min() >= 0 for part in parts) and array.min() < 1:
        raise ValueError(
            f"{name} must hold values from -1 to +1, but has no negative one, as if they were from "
            f"0 to 1: pass 2 * {name} - 1, or means=True if zero stands for an unknown pixel"
        )
    return array
