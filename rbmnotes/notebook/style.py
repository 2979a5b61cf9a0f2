"""One plot style for the whole book: theory as lines, simulation as markers with error bars."""

from __future__ import annotations

from types import MappingProxyType

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from rbmnotes._types import ArrayLike, Groups

_OKABE_ITO = MappingProxyType(
    {
        "blue": "#0072B2",
        "vermillion": "#D55E00",
        "green": "#009E73",
        "purple": "#CC79A7",
        "sky": "#56B4E9",
        "orange": "#E69F00",
        "grey": "#666666",
        "black": "#000000",
    }
)

COLORS = MappingProxyType(
    {
        "amp_rbm": _OKABE_ITO["blue"],
        "gradient_descent": _OKABE_ITO["vermillion"],
        "contrastive_divergence": _OKABE_ITO["purple"],
        "pca": _OKABE_ITO["green"],
        "pca_latent": _OKABE_ITO["sky"],
        "decimation": _OKABE_ITO["orange"],
        "bayes": _OKABE_ITO["black"],
        "threshold": _OKABE_ITO["grey"],
    }
)
"""One colour per algorithm, for the whole book; the palette is Okabe and Ito's."""

SERIES = tuple(_OKABE_ITO[name] for name in ("blue", "vermillion", "green", "purple", "orange"))
"""Colours for series that are not algorithms, in order."""

MARKERS = ("o", "s", "^", "D", "v", "P")


def use_style() -> None:
    """Set matplotlib's defaults for the book; call once at the top of a chapter."""
    mpl.rcParams.update(
        {
            "figure.figsize": (6.4, 4.0),
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": mpl.cycler(color=SERIES),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#dddddd",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "font.size": 10.5,
            "axes.titlesize": 10.5,
            "legend.frameon": False,
            "legend.fontsize": 9.0,
            "lines.linewidth": 1.7,
            "savefig.facecolor": "white",
        }
    )


def plot_theory(
    ax: Axes, x: ArrayLike, y: ArrayLike, color: str, label: str | None = None, dashed: bool = False
) -> Line2D:
    """Draw a prediction: a line without markers."""
    return ax.plot(x, y, color=color, label=label, linestyle="--" if dashed else "-", zorder=2)[0]


def plot_simulation(
    ax: Axes,
    x: ArrayLike,
    samples: Groups,
    color: str,
    label: str | None = None,
    marker: str = "o",
) -> tuple[np.ndarray, np.ndarray]:
    """Draw means over instances as markers with bars of one standard error.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x : (m,) array
        Where each group of instances stands.
    samples : sequence of m arrays
        The instances; at least two a group.
    color : str
    label : str, optional
    marker : str

    Returns
    -------
    means, standard_errors : (m,) arrays
        What was drawn, to print a summary of.
    """
    means = np.array([np.mean(group) for group in samples])
    errors = np.array([np.std(group, ddof=1) / np.sqrt(len(group)) for group in samples])
    ax.errorbar(
        x,
        means,
        yerr=errors,
        color=color,
        label=label,
        marker=marker,
        markersize=5.5,
        markerfacecolor="white",
        linestyle="none",
        capsize=2.5,
        zorder=3,
    )
    return means, errors
