r"""The claims page: every numbered statement of the paper against what the chapters obtained.

``book/claims.yml`` holds a row for each statement. The chapters print their verdicts on lines
``[id] text``; both meet in one table. A chapter's verdict and its row share nothing but the id.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

STATUSES = {
    "tested": "derived here, and a test fails if it is wrong",
    "derived": "derived here",
    "sketched": "the argument is given in outline",
    "cited": "taken from the literature",
    "our reading": "the text at hand lacks the formula; the form given is ours",
    "open": "no chapter treats it yet",
}
"""What each status of a row means."""

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SECTION = re.compile(r"[\w-]+\.(ipynb|md)#[\w-]+")
_TEST = re.compile(r"tests/[\w/]+\.py::\w+|book/[\w-]+\.ipynb")
_VERDICT = re.compile(rf"^\[({_ID.pattern})\] +(\S.*?)\s*$", re.MULTILINE)
_TARGET = re.compile(r"^\(([\w-]+)\)=\s*$", re.MULTILINE)
_FOLD = 3
_PLAIN = re.compile(r"([\\`*_{}\[\]$|~#])")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_MATHS = re.compile(r"(?<!\\)(\$[^$]*\$)")


@dataclass(frozen=True)
class Claim:
    """One numbered statement of the paper, or one group of its equations.

    Attributes
    ----------
    id : str
        Lower-case words joined by hyphens, such as ``theorem-1``; verdicts are printed under it.
    paper : str
        The paper's own name for it, such as ``Theorem 1`` or ``Eqs. 1-10``.
    statement : str
        What is claimed, in our words; MyST with ``$...$``.
    status : str
        A key of `STATUSES`.
    section : str or None
        ``file#anchor``: a file of the book's folder and a label defined in it.
    tests : tuple of str
        ``tests/test_x.py::test_y`` or ``book/chapter.ipynb``.
    """

    id: str
    paper: str
    statement: str
    status: str
    section: str | None = None
    tests: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("id", "paper", "statement", "status"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{name} must be a non-empty text; got {value!r}")
        if not _ID.fullmatch(self.id):
            raise ValueError(f"id must be lower-case words joined by hyphens; got {self.id!r}")
        if self.status not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}; got {self.status!r}")
        if self.section is not None and not _matches(_SECTION, self.section):
            raise ValueError(f"section must look like 'chapter.ipynb#anchor'; got {self.section!r}")
        if not isinstance(self.tests, list | tuple):
            raise ValueError(f"tests must be a list; got {self.tests!r}")
        for test in self.tests:
            if not _matches(_TEST, test):
                raise ValueError(
                    f"a test must look like 'tests/test_x.py::test_y' or 'book/chapter.ipynb'; "
                    f"got {test!r}"
                )
        for name in ("paper", "statement"):
            object.__setattr__(self, name, " ".join(getattr(self, name).split()))
        object.__setattr__(self, "tests", tuple(self.tests))


def load_claims(path: str | Path) -> tuple[Claim, ...]:
    """Read and validate the claims.

    Parameters
    ----------
    path : str or Path
        A YAML list of mappings whose keys are the fields of `Claim`.

    Returns
    -------
    tuple of Claim
        In the file's order, which is the paper's.

    Raises
    ------
    ValueError
        If a row lacks a field, has an unknown one, a wrong value or an id that is already taken;
        the message names the row.
    """
    rows = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if not isinstance(rows, list):
        raise ValueError(f"{path}: expected a list of rows; got {type(rows).__name__}")
    claims, known = {}, [field.name for field in fields(Claim)]
    for number, row in enumerate(rows, start=1):
        where = f"row {number}"
        if not isinstance(row, dict):
            raise ValueError(f"{path}: {where}: expected a mapping; got {row!r}")
        if "id" in row:
            where += f" ({row['id']})"
        if unknown := [name for name in row if name not in known]:
            raise ValueError(f"{path}: {where}: unknown field {unknown[0]!r}")
        if missing := [name for name in known[:4] if name not in row]:
            raise ValueError(f"{path}: {where}: {missing[0]} is missing")
        try:
            claim = Claim(**row)
        except ValueError as error:
            raise ValueError(f"{path}: {where}: {error}") from error
        if claim.id in claims:
            raise ValueError(f"{path}: {where}: id {claim.id!r} is already taken")
        claims[claim.id] = claim
    return tuple(claims.values())


def verdicts(book_folder: str | Path) -> dict[str, list[str]]:
    """Collect the verdicts stored in the chapters' outputs.

    Parameters
    ----------
    book_folder : str or Path
        Folder of the notebooks; all are read but ``claims.ipynb``, in alphabetical order.

    Returns
    -------
    dict of str to list of str
        The texts of the standard-output lines ``[id] text`` under their id.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(Path(book_folder).glob("*.ipynb")):
        if path.name == "claims.ipynb":
            continue
        for cell in _cells(path):
            streams = (out for out in cell.get("outputs", ()) if out.get("name") == "stdout")
            for name, *_, text in _VERDICT.findall("".join(_text(out["text"]) for out in streams)):
                found.setdefault(name, []).append(text)
    return found


def anchors(path: str | Path) -> set[str]:
    """Return the labels that a chapter, a notebook or a MyST page, defines as ``(label)=``."""
    path = Path(path)
    if path.suffix == ".ipynb":
        markdown = (cell for cell in _cells(path) if cell["cell_type"] == "markdown")
        text = "\n".join(_text(cell["source"]) for cell in markdown)
    else:
        text = path.read_text(encoding="utf-8")
    return set(_TARGET.findall(text))


def claims_table(claims: Iterable[Claim], verdicts: Mapping[str, Sequence[str]]) -> str:
    """Write the claims as a MyST table.

    Parameters
    ----------
    claims : iterable of Claim
        Rows, in order.
    verdicts : mapping of str to sequence of str
        What the chapters obtained, by the claim's id; shown as plain text. Many agreements fold
        into a line that opens; a text of any other kind is always in sight.

    Returns
    -------
    str
        Columns Paper, Claimed, Obtained, Status, Where.
    """
    lines = ["| Paper | Claimed | Obtained | Status | Where |", "|---|---|---|---|---|"]
    for claim in claims:
        obtained = _obtained(verdicts.get(claim.id, ())) or "—"
        cells = (
            _literal(claim.paper),
            _cell(claim.statement),
            obtained,
            claim.status,
            _where(claim),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def summary(claims: Iterable[Claim]) -> str:
    """Say how many rows have each status.

    Parameters
    ----------
    claims : iterable of Claim
        Rows.

    Returns
    -------
    str
        Such as ``"60 rows: 7 tested, 2 sketched, 51 open"``.
    """
    count = Counter(claim.status for claim in claims)
    parts = ", ".join(f"{count[status]} {status}" for status in STATUSES if count[status])
    return f"{count.total()} rows: {parts}" if parts else "0 rows"


def _matches(pattern: re.Pattern, value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _where(claim: Claim) -> str:
    """Link by label: Jupyter Book warns about a link to ``file.ipynb#label``."""
    if claim.section is None:
        return "—"
    anchor = claim.section.partition("#")[2]
    return f"[{anchor.replace('-', ' ')}](#{anchor})"


def _obtained(texts: Sequence[str]) -> str:
    """Join the verdicts of one claim, with more than `_FOLD` agreements folded up."""
    agreements = [_literal(text) for text in texts if text.startswith("agrees")]
    if len(agreements) <= _FOLD:
        return "<br>".join(_literal(text) for text in texts)
    others = [_literal(text) for text in texts if not text.startswith("agrees")]
    folded = f"<details><summary>{len(agreements)} comparisons agree</summary>"
    return "<br>".join(others) + folded + "<br>".join(agreements) + "</details>"


def _cell(text: str) -> str:
    r"""Make MyST safe for a table: no bare pipe and no HTML, in maths by ``\vert``, ``\lt``."""
    parts = _MATHS.split(text)
    for i, part in enumerate(parts):
        if i % 2:
            part = part.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
            parts[i] = _TAG.sub(r"\\lt ", part)
        else:
            parts[i] = _escape(part).replace("|", r"\|")
    return "".join(parts)


def _literal(text: str) -> str:
    """Escape everything in which Markdown or HTML would see markup."""
    return _PLAIN.sub(r"\\\1", _escape(text))


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
