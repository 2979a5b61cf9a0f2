"""Let docstrings write mathematics as ``$...$``, as the chapters do."""

import re

_MATH = re.compile(r"(?<![\\`])\$([^$]+)\$")


def convert(app, what, name, obj, options, lines):
    """Turn ``$...$``, which may span lines, into the role that reStructuredText asks for."""
    text = _MATH.sub(
        lambda match: f":math:`{' '.join(match[1].split())}`", "\n".join(lines)
    )
    lines[:] = text.split("\n")


def setup(app):
    """Convert before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", convert, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
