"""The book as stored: outputs present, pictures fresh, nothing of the machine that made them."""

import ast
import importlib
import importlib.util
import inspect
import json
import re

import pytest
import yaml

from tests.helpers import ROOT
from tests.test_types import PAGE, resolve

NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(path):
    return [cell for cell in load(path)["cells"] if cell["cell_type"] == "code"]


def text_of(output):
    return "".join(output.get("text", "")) + "".join(
        "".join(value) for kind, value in output.get("data", {}).items() if kind != "image/png"
    )


def test_every_page_is_in_the_table_of_contents():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = {toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])}
    pages = {f"book/{p.stem}" for p in (ROOT / "book").iterdir() if p.suffix in (".md", ".ipynb")}
    assert listed == pages


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_code_cell_was_run_in_order(path):
    """nbval compares nothing for a cell that was never run."""
    counts = [cell["execution_count"] for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_that_print_or_draw_have_outputs(path):
    for cell in code_cells(path):
        source, tags = "".join(cell["source"]), cell["metadata"].get("tags", [])
        assert "nbval-skip" not in tags
        if "remove-output" in tags:
            assert cell["outputs"] == []
            assert "nbval-ignore-output" in tags
        elif re.search(
            r"\b(print|verdict|summarise|plt\.show|curve_slider|frame_slider)\(", source
        ):
            assert cell["outputs"], source
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", text_of(output)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_figures_print_what_they_draw(path):
    """nbval does not compare pictures: a cell with one must also print numbers."""
    for cell in code_cells(path):
        if any("image/png" in output.get("data", {}) for output in cell["outputs"]):
            printed = "".join(text_of(o) for o in cell["outputs"] if o.get("name") == "stdout")
            assert re.search(r"\d", printed), "".join(cell["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_carry_no_trace_of_the_machine(path):
    for cell in load(path)["cells"]:
        assert "execution" not in cell["metadata"]
        for output in cell.get("outputs", []):
            text = text_of(output)
            assert not re.search(r"0x[0-9a-f]{6,}|/home/|site-packages|Warning", text), text[:200]
    assert "widgets" not in load(path)["metadata"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_verdicts_are_printed_as_they_are(path):
    """A disagreement may be printed, but the chapter must then speak of it by that word."""
    text = "".join(
        "".join(cell["source"]) for cell in load(path)["cells"] if cell["cell_type"] == "markdown"
    )
    for cell in code_cells(path):
        for output in cell["outputs"]:
            if path.stem != "claims" and re.search(r"^\[[\w-]+\] disagrees", text_of(output), re.M):
                assert "disagree" in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_sliders_share_no_name_with_a_label(path):
    """A label is an element of the page, too: by its name the slider's script would find that."""
    text = path.read_text(encoding="utf-8")
    labels = set(re.findall(r"\(([a-z0-9-]+)\)=", text))
    sliders = set(re.findall(r'class=\\"rbm-slider\\" id=\\"([a-z0-9-]+)\\"', text))
    assert sliders.isdisjoint(labels)


def test_gallery_pictures_are_those_of_the_chapters():
    spec = importlib.util.spec_from_file_location("execute", ROOT / "tools" / "execute.py")
    execute = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(execute)
    pictures = {}
    for path in NOTEBOOKS:
        pictures.update(execute.gallery_pictures(path))
    stored = {path.stem: path.read_bytes() for path in execute.GALLERY.glob("*.png")}
    assert stored == pictures
    assert pictures


def test_pages_without_code_run_none():
    for path in (ROOT / "book").glob("*.md"):
        assert "{code-cell}" not in path.read_text(encoding="utf-8")


def called(path):
    """Return the package's functions and classes, by full name, that a chapter's code names."""
    sources = ["".join(cell["source"]) for cell in code_cells(path)]
    trees = [ast.parse(re.sub(r"^%.*$", "", source, flags=re.MULTILINE)) for source in sources]
    nodes, names, found = [node for tree in trees for node in ast.walk(tree)], {}, {}
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name: a.name for a in node.names if a.name == "rbmnotes"}
        elif isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "rbmnotes":
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in names:
            found[names[node.id]] = None
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in names:
            found[f"{names[node.value.id]}.{node.attr}"] = None
    for name in found:
        module, _, last = name.rpartition(".")
        try:
            found[name] = getattr(importlib.import_module(module or name), last, None)
        except ModuleNotFoundError:  # an attribute of a class
            continue
    return {k: v for k, v in found.items() if inspect.isfunction(v) or inspect.isclass(v)}


def test_what_chapters_call_is_on_the_page_of_the_package():
    listed = {id(resolve(name)) for name in PAGE}
    for path in NOTEBOOKS:
        missing = {name for name, thing in called(path).items() if id(thing) not in listed}
        assert not missing, path
    assert len(called(ROOT / "book" / "gordon.ipynb")) > 20
