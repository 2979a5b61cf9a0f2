"""numba's compiler, also where the compiled functions cannot be kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def njit(*, cache: bool, **options: Any) -> Callable[[Callable], Callable]:
    """Decorate as :func:`numba.njit` does; where nothing can be written, compile in every process.

    numba keeps compiled functions beside their module or in a folder of the user's, and raises if
    neither can be written (a container, a read-only installation). Set ``NUMBA_CACHE_DIR`` to a
    folder to keep them there.
    """

    def decorate(function: Callable) -> Callable:
        try:
            return numba.njit(cache=cache, **options)(function)
        except RuntimeError:  # "no locator available": there is no place for a cache
            return numba.njit(**options)(function)

    return decorate
