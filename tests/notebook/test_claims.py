"""The claims page: complete, honest about what exists, and read correctly."""

import ast
import json
import re

import pytest

from rbmnotes.notebook.claims import (
    STATUSES,
    Claim,
    anchors,
    claims_table,
    load_claims,
    summary,
    verdicts,
)
from tests.helpers import ROOT

BOOK = ROOT / "book"
CLAIMS = load_claims(BOOK / "claims.yml")

STATEMENTS = [
    *(f"assumption-{i}" for i in range(1, 7)),
    *(f"theorem-{i}" for i in range(1, 8)),
    *(f"lemma-{i}" for i in range(1, 6)),
    *(f"figure-{i}" for i in range(1, 8)),
    "corollary-1",
    "corollary-2",
    "remark-1",
    "algorithm-1",
]
LAST_EQUATION = 139


# --- book/claims.yml


def test_every_numbered_statement_has_a_row():
    others = {c.id for c in CLAIMS if not re.match(r"equations?-\d", c.id)}
    assert others == set(STATEMENTS)


def test_every_equation_is_in_exactly_one_row():
    covered = []
    for claim in CLAIMS:
        if span := re.fullmatch(r"equation-(\d+)|equations-(\d+)-(\d+)", claim.id):
            first, last = (span[1], span[1]) if span[1] else (span[2], span[3])
            covered.extend(range(int(first), int(last) + 1))
    assert sorted(covered) == list(range(1, LAST_EQUATION + 1))


def test_paper_names_match_the_ids():
    for claim in CLAIMS:
        kind, _, number = claim.id.partition("-")
        name = {"equation": "Eq.", "equations": "Eqs."}.get(kind, kind.capitalize())
        assert claim.paper == f"{name} {number}"


def test_statuses_are_backed_by_a_section_and_a_test():
    for claim in CLAIMS:
        if claim.status in ("tested", "derived", "sketched"):
            assert claim.section, f"{claim.id} is {claim.status}: where?"
        if claim.status == "tested":
            assert claim.tests, f"{claim.id} is tested: by which test?"


def test_sections_exist():
    known = {path: anchors(path) for path in (*BOOK.glob("*.ipynb"), *BOOK.glob("*.md"))}
    for claim in CLAIMS:
        if claim.section:
            name, _, anchor = claim.section.partition("#")
            assert BOOK / name in known, f"{claim.id}: the book has no file {name}"
            assert anchor in known[BOOK / name], f"{claim.id}: {name} does not define {anchor!r}"


def functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_named_tests_exist():
    named, defined = {test for claim in CLAIMS for test in claim.tests}, {}
    for name, _, function in sorted(test.partition("::") for test in named):
        assert (ROOT / name).is_file(), f"there is no {name}"
        if function:
            found = defined.setdefault(name, functions(ROOT / name))
            assert function in found, f"{name} defines no {function}"


def test_every_verdict_belongs_to_a_row():
    assert set(verdicts(BOOK)) <= {claim.id for claim in CLAIMS}


def test_maths_is_closed():
    for claim in CLAIMS:
        assert len(re.findall(r"(?<!\\)\$", claim.statement)) % 2 == 0, claim.id


def test_claims_page_can_be_written():
    table = claims_table(CLAIMS, verdicts(BOOK))
    assert len(table.splitlines()) == len(CLAIMS) + 2
    for line in table.splitlines():
        assert len(re.findall(r"(?<!\\)\|", line)) == 6, line


# --- load_claims

GOOD = {"id": "theorem-1", "paper": "Theorem 1", "statement": "It holds.", "status": "open"}


def write_rows(folder, *rows):
    path = folder / "claims.yml"
    path.write_text(json.dumps(rows), encoding="utf-8")  # JSON is YAML
    return path


def test_load_claims_keeps_the_order_and_folds_the_statement(tmp_path):
    first = GOOD | {"statement": "It\n  holds.\n", "tests": ["book/a.ipynb"], "section": "a.md#b"}
    second = GOOD | {"id": "lemma-1", "paper": "Lemma 1"}
    claims = load_claims(write_rows(tmp_path, first, second))
    assert claims == (
        Claim("theorem-1", "Theorem 1", "It holds.", "open", "a.md#b", ("book/a.ipynb",)),
        Claim("lemma-1", "Lemma 1", "It holds.", "open"),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "Theorem 1"}, r"row 2 \(Theorem 1\): id must be"),
        ({"id": "1-theorem"}, "id must be"),
        ({"id": 7}, r"row 2 \(7\): id must be a non-empty text"),
        ({"id": "theorem-1"}, r"row 2 \(theorem-1\): id 'theorem-1' is already taken"),
        ({"paper": ""}, r"row 2 \(lemma-1\): paper must be a non-empty text"),
        ({"statement": " \n"}, "statement must be"),
        ({"status": "proved"}, r"row 2 \(lemma-1\): status must be one of tested, .*'proved'"),
        ({"section": "chapter.ipynb"}, "section must look like"),
        ({"section": "book/chapter.ipynb#a"}, "section must look like"),
        ({"section": 3}, "section must look like"),
        ({"tests": "tests/test_a.py::test_b"}, "tests must be a list"),
        ({"tests": None}, "tests must be a list"),
        ({"tests": ["tests/test_a.py"]}, "a test must look like"),
        ({"tests": ["test_a.py::test_b"]}, "a test must look like"),
        ({"tests": [1]}, "a test must look like"),
        ({"note": "x"}, r"row 2 \(lemma-1\): unknown field 'note'"),
    ],
)
def test_load_claims_rejects_a_bad_row(tmp_path, change, message):
    bad = GOOD | {"id": "lemma-1", "paper": "Lemma 1"} | change
    with pytest.raises(ValueError, match=message):
        load_claims(write_rows(tmp_path, GOOD, bad))


@pytest.mark.parametrize("field", GOOD)
def test_load_claims_names_the_missing_field(tmp_path, field):
    row = {name: value for name, value in GOOD.items() if name != field}
    with pytest.raises(ValueError, match=f"row 1.*: {field} is missing"):
        load_claims(write_rows(tmp_path, row))


def test_load_claims_needs_a_list_of_mappings(tmp_path):
    with pytest.raises(ValueError, match="row 1: expected a mapping; got 'theorem-1'"):
        load_claims(write_rows(tmp_path, "theorem-1"))
    path = tmp_path / "empty.yml"
    path.write_text("id: theorem-1\n")
    with pytest.raises(ValueError, match="expected a list of rows; got dict"):
        load_claims(path)


# --- verdicts


def write_notebook(path, *cells):
    path.write_text(json.dumps({"cells": list(cells), "nbformat": 4, "nbformat_minor": 5}))


def markdown(source, metadata=None):
    return {"cell_type": "markdown", "metadata": metadata or {}, "source": source}


def code(*outputs, metadata=None):
    return {"cell_type": "code", "metadata": metadata or {}, "source": "", "outputs": [*outputs]}


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def test_verdicts_collects_standard_output_lines(tmp_path):
    write_notebook(
        tmp_path / "b.ipynb",
        markdown("[theorem-1] agrees: not an output"),
        code(
            stream(["first line\n", "[theorem-1] agrees: slope -1 (99 %)\n", "[1.0 2.0] array\n"]),
            stream("[lemma-1] undecided: [x] \n[theorem-1]none\n   [theorem-1] indented\n"),
            stream("[theorem-1] agrees: on stderr\n", name="stderr"),
            {"output_type": "display_data", "data": {"text/plain": "[theorem-1] shown"}},
        ),
        code(stream("[theorem-1] disagrees: later"), stream(" in pieces\n")),
    )
    write_notebook(tmp_path / "a.ipynb", code(stream("[theorem-1] agrees: earlier file\n")))
    write_notebook(tmp_path / "claims.ipynb", code(stream("[theorem-1] agrees: the page itself\n")))
    assert verdicts(tmp_path) == {
        "theorem-1": [
            "agrees: earlier file",
            "agrees: slope -1 (99 %)",
            "disagrees: later in pieces",
        ],
        "lemma-1": ["undecided: [x]"],
    }


def test_verdicts_of_an_empty_book(tmp_path):
    assert verdicts(tmp_path) == {}


# --- anchors


def test_anchors_are_the_targets_of_a_page_or_of_a_notebook(tmp_path):
    text = (
        "(chapter)=\n# Title\n\n(theorem-1)=\n:::{prf:theorem} T\n:label: other\n:::\nIn (a)= line"
    )
    (tmp_path / "page.md").write_text(text)
    assert anchors(tmp_path / "page.md") == {"chapter", "theorem-1"}
    cells = markdown(text.splitlines(keepends=True)), code(stream("(printed)=\n"))
    write_notebook(tmp_path / "chapter.ipynb", *cells)
    assert anchors(tmp_path / "chapter.ipynb") == {"chapter", "theorem-1"}


# --- the table


def row(statement="It holds.", section=None):
    return Claim("theorem-1", "Theorem 1", statement, "tested", section)


def written(claim, *texts):
    table = claims_table([claim], {claim.id: texts})
    head, rule, line = table.splitlines()
    assert head == "| Paper | Claimed | Obtained | Status | Where |"
    assert rule == "|---|---|---|---|---|"
    return line


def test_table_row():
    assert written(row()) == "| Theorem 1 | It holds. | — | tested | — |"
    assert written(row(section="a.md#b"), "agrees: one", "undecided: two") == (
        "| Theorem 1 | It holds. | agrees: one<br>undecided: two | tested | [b](#b) |"
    )


def test_pipes_do_not_break_the_table():
    line = written(row(r"$|x|$ or $\|W\|_F$, a | b."), "agrees: |m| = 1")
    assert r"| $\vert x\vert $ or $\Vert W\Vert _F$, a \| b. |" in line
    assert r"| agrees: \|m\| = 1 |" in line


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "$<img src=x onerror=alert(1)>$",
        "$a$ <b onclick=f()> $b$",
        "`<i>`",
        "&lt;script&gt;",
        "<!-- $ -->",
    ],
)
def test_claims_bring_no_html_to_the_page(text):
    """What is rendered: the words as they were written, and no element of their own."""
    line = written(row(text))
    assert not re.search(r"<[a-zA-Z/!?]", line)
    assert "&lt;script&gt;" not in text or "&amp;lt;script&amp;gt;" in line
    claim = Claim("theorem-1", f"Theorem 1 {text}\n| new row", "It holds.", "tested")
    line = written(claim)
    assert not re.search(r"<[a-zA-Z/!?]", line)
    assert len(re.findall(r"(?<!\\)\|", line)) == 6


def test_relations_in_maths_stay_what_they_are():
    assert r"$a<1\lt b_2$, $x>0$" in written(row("$a<1<b_2$, $x>0$"))
    assert r"$a\lt b$, 1 &lt; 2" in written(row("$a<b$, 1 < 2"))


def test_verdicts_are_shown_as_plain_text():
    line = written(row(), "agrees: a_1 * b_2 < $3 & `x` ~ [y](z) # \\")
    assert r"agrees: a\_1 \* b\_2 &lt; \$3 &amp; \`x\` \~ \[y\](z) \# \\ |" in line


def test_many_agreements_fold_but_nothing_else_does():
    line = written(row(), *(f"agrees: {i}" for i in range(5)), "disagrees: six")
    assert "| disagrees: six<details><summary>5 comparisons agree</summary>agrees: 0<br>" in line
    assert "agrees: 4</details> |" in line


def test_summary_counts_the_statuses():
    claims = [row(), Claim("a", "A", "x", "open"), Claim("b", "B", "x", "open")]
    assert summary(claims) == "3 rows: 1 tested, 2 open"
    assert summary([]) == "0 rows"
    assert set(re.findall(r"\d+ ([a-z ]+?)(?:,|$)", summary(CLAIMS).split(": ")[1])) <= set(
        STATUSES
    )
