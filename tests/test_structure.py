"""The house: every layer in its place, imports one way and in no circle, nothing too large."""

import ast
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.helpers import PROJECT, ROOT

PACKAGE = ROOT / "rbmnotes"
MAY_IMPORT = {
    "": {"model", "datasets", "algorithms", "theory", "likelihood"},
    "model": set(),
    "datasets": set(),
    "evidence": set(),
    "algorithms": {"model"},
    "theory": {"model"},
    "likelihood": {"model", "algorithms"},
    "estimators": {"model", "algorithms", "likelihood"},
    "experiments": {"model", "datasets", "algorithms", "theory", "likelihood", "evidence"},
    "notebook": set(),
}
"""Other layers that a layer imports from, besides the few modules beside them; first, those modules
themselves and the package's own page."""

CORE = ("", "model", "datasets", "algorithms", "theory", "likelihood")
MODULES = [p for p in sorted(PACKAGE.rglob("*.py")) if p.name != "__main__.py"]
NOT_CHAPTERS = {"claims"}
CHAPTERS = {p.stem for p in (ROOT / "book").glob("*.ipynb")} - NOT_CHAPTERS
WITHOUT_EXPERIMENTS = {"rbm"}


def imported(path, root=ROOT):
    """Return the full names that a module imports, wherever in it."""
    parents = path.relative_to(root).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else ()
            base = ".".join((*base, node.module) if node.module else base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def dotted(path):
    """Return a module's full name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {dotted(path): path for path in MODULES}


def imported_modules(path):
    """Return the full names of the package's modules that a module imports."""
    found = set()
    for name in imported(path):
        if name.partition(".")[0] == "rbmnotes":
            module = name if name in NAMES else name.rpartition(".")[0]
            found.add(module if module in NAMES else name)
    return found


def layer_of(name):
    """Return the layer of a module: empty for one that lies beside the layers."""
    first = name.split(".")[1] if "." in name else ""
    return first if (PACKAGE / first).is_dir() else ""


def test_imports_run_one_way():
    for path in MODULES:
        layer, known = layer_of(dotted(path)), path == PACKAGE / "__init__.py"
        for name in imported_modules(path):
            there = layer_of(name)
            assert there in MAY_IMPORT[layer] | {layer, ""}, f"{path} imports {name}"
            assert known or name != "rbmnotes", f"{path} imports every layer"


def test_each_layer_is_there_and_is_described():
    assert {layer_of(name) for name in NAMES} == set(MAY_IMPORT)
    for folder in {path.parent for path in MODULES}:
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))


def test_theory_of_the_paper_needs_none_beyond_it():
    for path in (PACKAGE / "theory").glob("*.py"):
        assert not any("theory.extensions" in name for name in imported(path)), path


def test_the_engine_knows_no_experiment():
    for path in (PACKAGE / "experiments" / "engine").glob("*.py"):
        for name in imported_modules(path):
            inner = name.removeprefix("rbmnotes.experiments.")
            assert inner == name or inner.startswith("engine"), f"{path} imports {name}"


def circle(graph):
    """Return some nodes that reach each other, in order, or nothing."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node) :]
        if node in done:
            return []
        path.append(node)
        for other in sorted(graph.get(node, ())):
            if found := visit(other):
                return found
        done.add(path.pop())
        return []

    for node in sorted(graph):
        if found := visit(node):
            return found
    return []


def test_no_import_runs_in_a_circle():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c"]
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    graph = {name: imported_modules(path) - {name} for name, path in NAMES.items()}
    assert not circle(graph)


def test_core_needs_its_own_dependencies_only():
    allowed = {Requirement(line).name for line in PROJECT["dependencies"]} | {"rbmnotes"}
    for path in MODULES:
        if layer_of(dotted(path)) in CORE:
            outside = {name.partition(".")[0] for name in imported(path)} - allowed
            assert not outside - set(sys.stdlib_module_names), path


def test_every_kernel_is_compiled_by_our_decorator():
    """numba's own cannot be imported where there is no place for its cache."""
    for path in PACKAGE.rglob("*.py"):
        if path.name != "_compile.py":
            assert not {"numba.njit", "numba.jit"} & imported(path), path


def test_modules_and_folders_stay_small():
    for path in MODULES:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 350, f"{path} has {lines} lines"
    for top in (PACKAGE, ROOT / "tests", ROOT / "tools", ROOT / "benchmarks"):
        for folder in (top, *(p for p in top.rglob("*") if p.is_dir())):
            files = list(folder.glob("*.py"))
            assert len(files) <= 15, f"{folder} has {len(files)} modules"


def test_each_chapter_owns_its_experiments_and_their_tests():
    for chapter in CHAPTERS - WITHOUT_EXPERIMENTS:
        for folder in (PACKAGE / "experiments" / chapter, ROOT / "tests" / "experiments" / chapter):
            assert list(folder.glob("[!_]*.py")), folder
    owned = {p.name for p in (PACKAGE / "experiments").iterdir() if (p / "__init__.py").exists()}
    assert owned - {"engine"} == CHAPTERS - WITHOUT_EXPERIMENTS


def test_tests_mirror_the_package():
    """A folder of tests is one of the package; a file there tests a module, or several, of it."""
    for folder in (p for p in (ROOT / "tests").rglob("*") if p.is_dir() and list(p.glob("*.py"))):
        inside = folder.relative_to(ROOT / "tests")
        assert inside == Path("book") or (PACKAGE / inside).is_dir(), folder


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_paper_in_an_afternoon_is_as_many_files_as_said(page):
    text = (ROOT / page).read_text(encoding="utf-8").split("The paper in an afternoon")[1]
    count, text = int(re.search(r"(\d+) files", text)[1]), text.split("\n\n")[0]
    layers = re.findall(r"(model|algorithms|theory)/`: ((?:`\w+`,?\s*)+)", text)
    named = [(layer, name) for layer, names in layers for name in re.findall(r"`(\w+)`", names)]
    assert len(set(named)) == count
    assert all((PACKAGE / layer / f"{name}.py").is_file() for layer, name in named)


def test_imports_are_found_wherever_they_hide(tmp_path):
    path = tmp_path / "rbmnotes" / "model" / "m.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import a.b, c as d\nfrom . import near\nfrom ..theory.limits import f\n"
        "from rbmnotes import theory\ndef g():\n    from .. import notebook\n"
    )
    assert imported(path, tmp_path) == {
        "a.b",
        "c",
        "rbmnotes.model.near",
        "rbmnotes.theory.limits.f",
        "rbmnotes.theory",
        "rbmnotes.notebook",
    }
