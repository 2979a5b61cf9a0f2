"""What the chapters share: sliders, verdicts, plot style."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from rbmnotes import notebook as nb
from rbmnotes.evidence import compare_exactly
from rbmnotes.notebook.verdict import rounded

X = np.linspace(0, 1, 5)


class Balance(HTMLParser):
    """Collect tags that are closed out of order or never."""

    VOID = frozenset({"input", "img"})

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.seen = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, [name for name, _ in attrs]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, [name for name, _ in attrs]))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def slider(**changes):
    arguments = {
        "name": "a-slider",
        "parameter": "d",
        "values": [1, 2, 3],
        "curves": [
            nb.Curve("moving", X, np.outer([1, 2, 3], X), "red"),
            nb.Curve("fixed", X, X, "blue", kind="dashed"),
            nb.Curve("points", X, X, "green", kind="markers", error=0.1 * np.ones(5)),
        ],
        "xlabel": "x",
        "ylabel": "y < 4",
        "xlim": (0, 1),
        "ylim": (0, 3),
        "caption": "Sizes & seeds",
        "start": 1,
    }
    arguments.update(changes)
    positional = [arguments.pop(key) for key in ("name", "parameter", "values", "curves")]
    return nb.curve_slider(*positional, **arguments)


def frames(html):
    return re.findall(r'<g data-frame="\d">(.*?)</g>|<g data-frame="\d" style[^>]*>(.*?)</g>', html)


def test_slider_is_deterministic_closed_and_escaped():
    page = slider().data
    assert page == slider().data
    balance = Balance()
    balance.feed(page)
    assert balance.open == balance.wrong == []
    assert "y &lt; 4" in page
    assert "Sizes &amp; seeds" in page
    assert "http" not in page


@pytest.mark.parametrize("text", ["</script><script>alert(1)//", "<b>", '"', "\\", "a\nb", "'&'"])
def test_no_text_of_a_slider_becomes_markup_or_script(text):
    """Wherever a caller's text stands, the page has the elements of a slider with plain text."""
    plain, tags = Balance(), Balance()
    curve = nb.Curve("c", X, X, "red", kind="markers")
    plain.feed(slider(curves=[curve]).data)
    curve = nb.Curve(text, X, X, text, kind="markers")
    places = dict.fromkeys(("parameter", "xlabel", "ylabel", "caption"), text)
    page = slider(curves=[curve], values=[text, text, text], **places).data
    tags.feed(page)
    assert tags.open == tags.wrong == []
    assert tags.seen == plain.seen
    (values,) = re.findall(r"values = (\[.*?\]);$", page, re.MULTILINE)
    assert json.loads(values) == [text] * 3


def test_slider_shows_its_start_without_a_script():
    page = slider().data
    shown = re.findall(r'<g data-frame="(\d)"( style="display:none")?>', page)
    assert shown == [("0", ' style="display:none"'), ("1", ""), ("2", ' style="display:none"')]
    assert 'value="1"' in page


def test_curve_goes_through_the_right_pixels():
    """The line y = x of the frame d = 1 ends at a third of the axis of height 3."""
    page = slider(start=0).data
    path = re.search(r'<g data-frame="0"><path d="M([\d.]+) ([\d.]+)[^"]*L([\d.]+) ([\d.]+)"', page)
    x0, y0, x1, y1 = (float(value) for value in path.groups())
    bottom = re.search(r"V(\d+)H(\d+)", page)
    assert (x1, y0) == (float(bottom[2]), float(bottom[1]))
    axis_height = float(bottom[1]) - 14
    assert y0 - y1 == pytest.approx(axis_height / 3, abs=0.06)
    assert x0 < x1


def test_moving_curves_differ_between_frames_and_fixed_ones_do_not():
    first, second, third = (a or b for a, b in frames(slider().data))
    moving = [re.findall(r'd="([^"]*)"', frame)[0] for frame in (first, second, third)]
    fixed = [re.findall(r'd="([^"]*)"', frame)[1] for frame in (first, second, third)]
    assert len(set(moving)) == 3
    assert len(set(fixed)) == 1


def test_gaps_break_the_line():
    curve = nb.Curve("gap", X, np.array([0, 1, np.nan, 1, 0]), "red")
    path = re.search(r'data-frame="0"><path d="([^"]*)"', slider(curves=[curve], start=0).data)[1]
    assert path.count("M") == 2
    assert path.count("L") == 2


def test_logarithmic_axes_have_decades_as_ticks():
    curve = nb.Curve("power", np.array([1.0, 1000.0]), np.array([0.01, 1.0]), "red")
    page = slider(curves=[curve], xlim=(1, 1e3), ylim=(1e-2, 1), xlog=True, ylog=True).data
    assert all(tick in page for tick in ("10⁰", "10¹", "10³", "10⁻²"))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"name": "Not a slug"}, "name"),
        ({"start": 3}, "start"),
        ({"curves": [nb.Curve("c", X, np.ones((2, 5)), "red")]}, "y of 'c'"),
        ({"curves": [nb.Curve("c", X, X, "red", kind="wiggly")]}, "kind"),
        ({"curves": [nb.Curve("c", X, X, "red", kind="markers", error=X[1:])]}, "error of 'c'"),
        ({"curves": [nb.Curve("c", X * np.nan, X, "red")]}, "x"),
    ],
)
def test_slider_refuses_what_does_not_fit(changes, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        slider(**changes)


def test_frame_slider_holds_one_picture_a_position():
    figures = []
    for height in (1, 2):
        figure, ax = plt.subplots(figsize=(1, 1))
        ax.plot([0, height])
        figures.append(figure)
    page = nb.frame_slider("frames", "t", [0.5, 1.5], figures, caption="two").data
    plt.close("all")
    images = re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    assert len(set(images)) == 2
    assert 'alt="t = 1.5"' in page
    assert 'button.textContent = "Play"' in page
    with pytest.raises(ValueError, match=r"^figures"):
        nb.frame_slider("frames", "t", [1], figures)


def test_verdict_prints_one_line_with_the_id(capsys):
    nb.verdict("theorem-1", "a number", compare_exactly([1.0], [1.0], 1e-9))
    assert capsys.readouterr().out == (
        "[theorem-1] agrees: a number: largest difference below 1e-09\n"
    )


def test_summary_is_rounded(capsys):
    nb.summarise("values", [1.23456, 1e-5 / 3])
    assert capsys.readouterr().out == "values: 1.23 3.33e-06\n"


@pytest.mark.parametrize(
    ("value", "digits", "finest", "text"),
    [
        (1.23456, 3, 0.0, "1.23"),
        (1.23456, 3, 0.01, "1.23"),
        (1.23456, 3, 0.05, "1.2"),
        (1.23456, 3, 0.7, "1"),
        (123456.0, 6, 40.0, "123500"),
        (-0.004, 3, 0.1, "0"),
        (-0.0, 3, 0.0, "0"),
        (0.06, 3, 0.1, "0.1"),
        (1e-17, 3, 1e-12, "0"),
        (np.nan, 3, 0.1, "nan"),
        (np.inf, 3, 0.1, "inf"),
    ],
)
def test_no_digit_is_finer_than_what_a_run_can_repeat(value, digits, finest, text):
    assert rounded(value, digits, finest) == text


@pytest.mark.parametrize("digits", [0, 7])
def test_more_digits_than_a_machine_repeats_are_refused(digits):
    with pytest.raises(ValueError, match="digits must be from 1 to 6"):
        nb.summarise("x", [1.0], digits)


def test_round_off_does_not_show_in_a_summary(capsys):
    """What is zero but for another order of its sum, and what an error covers."""
    nb.summarise("sums", [1.0, 0.1 + 0.2 - 0.3, -1e-16, 1e-4])
    nb.summarise("means", [1.23456, 0.0123], errors=[0.02, 0.3])
    assert capsys.readouterr().out == "sums: 1 0 0 0.0001\nmeans: 1.23 0\n"


def test_an_ascii_terminal_takes_a_verdict():
    code = (
        "from rbmnotes import notebook as nb\n"
        "from rbmnotes.evidence import extrapolate\n"
        "import numpy as np; rng = np.random.default_rng(0)\n"
        "samples = [2 + 0.1 * rng.standard_normal(50) for _ in range(3)]\n"
        "nb.verdict('theorem-1', 'mean of λ', extrapolate([10, 20, 40], samples, 2.0))\n"
        "nb.summarise('±', [1.0])"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.match(r"\[theorem-1\] \w+: mean of \\u03bb: \S+ \+/- \S+ at infinite d", done.stdout)
    assert done.stdout.splitlines()[1] == "+/-: 1"


def test_simulation_bars_are_standard_errors():
    _, ax = plt.subplots()
    samples = [np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0, 4.0])]
    means, errors = nb.plot_simulation(ax, [0, 1], samples, "red")
    plt.close("all")
    assert means == pytest.approx([2.0, 2.5])
    assert errors == pytest.approx([1 / np.sqrt(3), 0.5])


def test_algorithm_colours_are_distinct_colours():
    rgb = [mpl.colors.to_hex(color) for color in nb.COLORS.values()]
    assert len(set(rgb)) == len(nb.COLORS)
