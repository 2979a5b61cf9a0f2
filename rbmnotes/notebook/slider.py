"""Sliders for a page read without a kernel.

Every position is drawn beforehand; an ``<input type=range>`` and a few lines of inline script show
one of them. No network, no kernel, and the same bytes on every run.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rbmnotes._types import ArrayLike
from rbmnotes._validation import finite_array
from rbmnotes.notebook.slider_page import page

if TYPE_CHECKING:
    from IPython.display import HTML

_WIDTH, _HEIGHT = 640, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 16, 14, 52


@dataclass(frozen=True)
class Curve:
    """One curve of a slider.

    Attributes
    ----------
    label : str
        For the legend.
    x : (m,) array
    y : (m,) array or (positions, m) array
        The same at every position, or one row a position. NaN leaves a gap.
    color : str
        Black is drawn in the page's own colour of text, so that it shows on a dark page.
    kind : {"line", "dashed", "markers"}
        Theory is drawn as lines, simulation as markers.
    error : array of the shape of y, optional
        Half length of the error bars of markers.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    color: str
    kind: str = "line"
    error: np.ndarray | None = None


@dataclass(frozen=True)
class _Axis:
    """Map data to pixels along one axis and choose its ticks."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def pixel(self, values: ArrayLike) -> np.ndarray:
        values = np.asarray(values, dtype=float)
        low, high = self.low, self.high
        if self.log:
            values, low, high = np.log10(values), np.log10(low), np.log10(high)
        return self.start + (values - low) / (high - low) * (self.stop - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        if self.log:
            exponents = range(
                int(np.ceil(np.log10(self.low))), int(np.floor(np.log10(self.high))) + 1
            )
            superscript = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
            return [(10.0**e, "10" + str(e).translate(superscript)) for e in exponents]
        places = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        margin = 1e-9 * (self.high - self.low)
        inside = places[(places >= self.low - margin) & (places <= self.high + margin)]
        return [(place, f"{place:.6g}".replace("-", "−")) for place in inside]


def curve_slider(
    name: str,
    parameter: str,
    values: Iterable[object],
    curves: Sequence[Curve],
    *,
    xlabel: str,
    ylabel: str,
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    caption: str = "",
    start: int = 0,
    xlog: bool = False,
    ylog: bool = False,
) -> HTML:
    """Return a slider over curves, drawn as SVG.

    Parameters
    ----------
    name : str
        Id of the slider, unique in the page: lower-case letters, digits and hyphens.
    parameter : str
        What the slider changes, in plain text.
    values : sequence
        Its positions, shown as they print.
    curves : sequence of Curve
    xlabel, ylabel : str
        Axis labels, in plain text.
    xlim, ylim : (low, high)
        Range of the axes, the same at every position.
    caption : str
        Sizes, runs, seeds; what is theory and what is simulation.
    start : int
        Position shown first.
    xlog, ylog : bool
        Whether an axis is logarithmic.

    Returns
    -------
    IPython.display.HTML

    Raises
    ------
    ValueError
        If the name is not a slug, a curve's shape does not fit, or `start` is not a position.
    """
    values = list(values)
    x_axis = _Axis(*xlim, _LEFT, _WIDTH - _RIGHT, xlog)
    y_axis = _Axis(*ylim, _HEIGHT - _BOTTOM, _TOP, ylog)
    groups = []
    for position in range(len(values)):
        marks = "".join(
            _curve_svg(curve, position, len(values), x_axis, y_axis) for curve in curves
        )
        hidden = "" if position == start else ' style="display:none"'
        groups.append(f'<g data-frame="{position}"{hidden}>{"".join(marks)}</g>')
    label = html.escape(f"{ylabel} against {xlabel}")
    stage = "\n".join(
        [
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}" '
            'style="width:100%;height:auto" font-size="13" font-family="sans-serif" '
            'fill="currentColor">',
            f'<clipPath id="{name}-clip"><rect x="{_LEFT}" y="{_TOP - 6}" '
            f'width="{_WIDTH - _LEFT - _RIGHT + 6}" height="{_HEIGHT - _TOP - _BOTTOM + 9}"/>'
            "</clipPath>",
            _axes_svg(x_axis, y_axis, xlabel, ylabel),
            f'<g clip-path="url(#{name}-clip)">',
            *groups,
            "</g>",
            "</svg>",
            _legend(curves),
        ]
    )
    return page(name, parameter, values, stage, caption, start, _WIDTH)


def frame_slider(
    name: str,
    parameter: str,
    values: Iterable[object],
    figures: Iterable[Figure],
    *,
    caption: str = "",
    start: int = 0,
) -> HTML:
    """Return a slider over matplotlib figures, one a position, stored as PNG, and a play button.

    The bytes of a PNG depend on matplotlib's version: tag the cell ``nbval-ignore-output`` and
    print a summary of what is drawn. Prefer :func:`curve_slider` where curves will do.

    Parameters
    ----------
    name, parameter, values, caption, start
        As :func:`curve_slider`.
    figures : sequence of matplotlib.figure.Figure
        One a position, all of one size.

    Returns
    -------
    IPython.display.HTML

    Raises
    ------
    ValueError
        If the name is not a slug, the lengths differ, or `start` is not a position.
    """
    values, figures = list(values), list(figures)
    if len(figures) != len(values):
        raise ValueError(f"figures must hold one a position, {len(values)}; got {len(figures)}")
    images = []
    for position, (value, figure) in enumerate(zip(values, figures, strict=True)):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        data = base64.b64encode(buffer.getvalue()).decode()
        hidden = "" if position == start else ";display:none"
        label = html.escape(f"{parameter} = {value}")
        images.append(
            f'<img data-frame="{position}" alt="{label}" style="width:100%{hidden}" '
            f'src="data:image/png;base64,{data}">'
        )
    return page(name, parameter, values, "\n".join(images), caption, start, 800, play=True)


def _ink(curve: Curve) -> str:
    return "currentColor" if curve.color == "#000000" else html.escape(curve.color)


def _curve_svg(curve: Curve, position: int, positions: int, x_axis: _Axis, y_axis: _Axis) -> str:
    x = finite_array(curve.x, "x", (None,))
    y = _row(curve.y, position, positions, len(x), f"y of {curve.label!r}")
    px, py = x_axis.pixel(x), y_axis.pixel(y)
    shown = np.isfinite(py)
    if curve.kind == "markers":
        half = np.zeros_like(y)
        if curve.error is not None:
            half = _row(curve.error, position, positions, len(x), f"error of {curve.label!r}")
        marks = []
        for i in np.flatnonzero(shown):
            low, high = y_axis.pixel(y[i] - half[i]), y_axis.pixel(y[i] + half[i])
            marks.append(
                f'<path d="M{px[i]:.1f} {low:.1f}V{high:.1f}" stroke="{_ink(curve)}"/>'
                f'<circle cx="{px[i]:.1f}" cy="{py[i]:.1f}" r="3.6" fill="white" '
                f'stroke="{_ink(curve)}" stroke-width="1.6"/>'
            )
        return "".join(marks)
    if curve.kind not in ("line", "dashed"):
        raise ValueError(f"kind must be line, dashed or markers; got {curve.kind!r}")
    path, pen = [], "M"
    for i in range(len(x)):
        if shown[i]:
            path.append(f"{pen}{px[i]:.1f} {py[i]:.1f}")
        pen = "L" if shown[i] else "M"
    dash = ' stroke-dasharray="6 4"' if curve.kind == "dashed" else ""
    return f'<path d="{"".join(path)}" fill="none" stroke="{_ink(curve)}" stroke-width="2"{dash}/>'


def _row(values: ArrayLike, position: int, positions: int, length: int, what: str) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.shape == (length,):
        return values
    if values.shape != (positions, length):
        raise ValueError(
            f"{what} must have shape ({length},) or ({positions}, {length}); got {values.shape}"
        )
    return values[position]


def _axes_svg(x_axis: _Axis, y_axis: _Axis, xlabel: str, ylabel: str) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="currentColor"/>',
        f'<text x="{(_LEFT + right) / 2:.0f}" y="{_HEIGHT - 10}" text-anchor="middle">'
        f"{html.escape(xlabel)}</text>",
        f'<text transform="translate(16 {(_TOP + bottom) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{html.escape(ylabel)}</text>',
    ]
    for place, label in x_axis.ticks():
        x = x_axis.pixel(place)
        parts.append(
            f'<path d="M{x:.1f} {bottom}v5" stroke="currentColor"/>'
            f'<text x="{x:.1f}" y="{bottom + 19}" text-anchor="middle">{label}</text>'
        )
    for place, label in y_axis.ticks():
        y = y_axis.pixel(place)
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="currentColor" stroke-opacity=".15"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        )
    return "\n".join(parts)


def _legend(curves: Sequence[Curve]) -> str:
    entries = []
    for curve in curves:
        if curve.kind == "markers":
            sign = f'<circle cx="13" cy="6" r="3.6" fill="white" stroke="{_ink(curve)}"/>'
        else:
            dash = ' stroke-dasharray="6 4"' if curve.kind == "dashed" else ""
            sign = f'<path d="M0 6H26" stroke="{_ink(curve)}" stroke-width="2"{dash}/>'
        entries.append(
            f'<span style="white-space:nowrap"><svg width="26" height="12">{sign}</svg> '
            f"{html.escape(curve.label)}</span>"
        )
    style = "display:flex;flex-wrap:wrap;gap:.2em 1.4em;font-size:.9em;margin:.2em 0 .6em"
    return f'<div style="{style}">' + "\n".join(entries) + "</div>"
