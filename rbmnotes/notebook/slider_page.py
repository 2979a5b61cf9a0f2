"""The page script of a slider: one element a position, of which one is shown, and a play button."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.display import HTML

_PAGE = """<figure class="rbm-slider" id="{name}" style="margin:1em 0;max-width:{width}px">
{stage}
<label for="{name}-range" style="display:flex;gap:.8em;align-items:center">
<span style="white-space:nowrap">{parameter} = <output id="{name}-value" for="{name}-range"
 style="display:inline-block;min-width:4em">{value}</output></span>
<input type="range" id="{name}-range" min="0" max="{last}" step="1" value="{start}"
 style="flex:1" aria-valuetext="{value}"></label>
<figcaption style="font-size:.9em;margin-top:.4em">{caption}</figcaption>
<script>
(function () {{
  const root = document.getElementById("{name}"), values = {values};
  const range = document.getElementById("{name}-range");
  const value = document.getElementById("{name}-value");
  const frames = root.querySelectorAll("[data-frame]");
  function show() {{
    frames.forEach(function (f, i) {{ f.style.display = i === +range.value ? "" : "none"; }});
    value.textContent = values[range.value];
    range.setAttribute("aria-valuetext", values[range.value]);
  }}
  range.addEventListener("input", show);
  show();
}})();
</script>
</figure>"""

_PLAY = """
<script>
(function () {{
  const range = document.getElementById("{name}-range");
  const button = document.createElement("button");
  let timer = null;
  function go(position) {{ range.value = position; range.dispatchEvent(new Event("input")); }}
  function stop() {{ clearInterval(timer); timer = null; button.textContent = "Play"; }}
  button.type = "button";
  button.addEventListener("click", function () {{
    if (timer !== null) {{ stop(); return; }}
    if (+range.value === +range.max) {{ go(0); }}
    button.textContent = "Pause";
    timer = setInterval(function () {{
      go(+range.value + 1);
      if (+range.value === +range.max) {{ stop(); }}
    }}, {pause});
  }});
  stop();
  range.closest("label").before(button);
}})();
</script>"""
_PAUSE = 600
"""Milliseconds between two frames of an animation."""


def page(
    name: str,
    parameter: str,
    values: Sequence[object],
    stage: str,
    caption: str,
    start: int,
    width: int,
    play: bool = False,
) -> HTML:
    """Return the stage, one element a position, with its slider and, if wanted, a play button."""
    from IPython.display import HTML

    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ValueError(f"name must be lower-case letters, digits and hyphens; got {name!r}")
    if not 0 <= start < len(values):
        raise ValueError(f"start must be a position from 0 to {len(values) - 1}; got {start!r}")
    shown = [str(value) for value in values]
    text = _PAGE.format(
        name=name,
        parameter=html.escape(parameter),
        # within a script: strings of JavaScript, that can neither end it nor begin a comment
        values=json.dumps(shown).replace("<", r"\u003c"),
        value=html.escape(shown[start]),
        last=len(values) - 1,
        start=start,
        stage=stage,
        caption=html.escape(caption),
        width=width,
    )
    return HTML(text + _PLAY.format(name=name, pause=_PAUSE) if play else text)
