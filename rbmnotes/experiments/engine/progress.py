"""A progress bar with the time left, in a terminal as in a notebook."""

from __future__ import annotations

import os

from tqdm.auto import tqdm


def progress(iterable, description: str, total: int | None = None, done: int = 0):
    """Wrap an iterable in a progress bar.

    The environment variable ``TQDM_DISABLE`` silences it, also in notebooks, where tqdm itself does
    not heed it; stored outputs hold no bars.

    Parameters
    ----------
    iterable : iterable
    description : str
        What stands before the bar.
    total : int, optional
        Number of items, where the iterable does not know it.
    done : int
        How many of them an earlier run has finished; they do not count for the time left.
    """
    return tqdm(
        iterable,
        desc=description,
        total=total,
        initial=done,
        disable=bool(os.environ.get("TQDM_DISABLE")),
    )
