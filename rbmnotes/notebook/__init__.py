"""What the chapters share: plot style, static sliders, verdicts, the claims page."""

from rbmnotes.notebook.slider import Curve, curve_slider, frame_slider
from rbmnotes.notebook.style import COLORS, plot_simulation, plot_theory, use_style
from rbmnotes.notebook.verdict import summarise, verdict

__all__ = [
    "COLORS",
    "Curve",
    "curve_slider",
    "frame_slider",
    "plot_simulation",
    "plot_theory",
    "summarise",
    "use_style",
    "verdict",
]
