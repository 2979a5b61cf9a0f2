"""A progress bar with the time left, in a terminal as in a notebook."""

from __future__ import annotations

import os

from tqdm.auto import tqdm


def progress(iterable, description: str):
    """Wrap an iterable in a progress bar.

    The environment variable ``TQDM_DISABLE`` silences it, also in notebooks, where tqdm itself does
    not heed it; stored outputs hold no bars.
    """
    return tqdm(iterable, desc=description, disable=bool(os.environ.get("TQDM_DISABLE")))
