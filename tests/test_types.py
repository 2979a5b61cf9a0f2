"""What a type checker of a user sees: every public function says what it takes and returns.

That the hints are true of the code is what mypy holds, in ``make test``.
"""

import dataclasses
import importlib
import inspect
import re
import tomllib
import typing

import numpy as np
import pytest
from IPython.display import HTML

import rbmnotes
from tests.helpers import ROOT

PACKAGE = ROOT / "rbmnotes"
LAZY = {"HTML": HTML}
"""Types that their module imports for the type checker only."""

_ENTRY = re.compile(
    r"^\.\. (?P<kind>currentmodule|autofunction|autoclass):: (?P<name>\S+)$"
    r"(?P<options>(?:\n   :.*$)*)",
    re.MULTILINE,
)


def documented():
    """Return full name -> the members that the page of the package names."""
    found, module = {}, "rbmnotes"
    for entry in _ENTRY.finditer((ROOT / "book" / "api.md").read_text(encoding="utf-8")):
        if entry["kind"] == "currentmodule":
            module = entry["name"]
            continue
        name = (
            entry["name"] if entry["name"].startswith("rbmnotes.") else f"{module}.{entry['name']}"
        )
        found[name] = re.findall(r"\w+", entry["options"].partition(":members:")[2])
    return found


def resolve(name):
    """Return the object of a full name."""
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


PAGE = documented()
LIBRARY = {name for name in PAGE if not name.startswith("rbmnotes.experiments.")}
PUBLIC = sorted(LIBRARY | {f"rbmnotes.{name}" for name in rbmnotes.__all__})


def functions_of(thing):
    """Return name -> function of a function itself, or of a class's own public members."""
    if not inspect.isclass(thing):
        return {thing.__name__: inspect.unwrap(thing)}
    found = {}
    for owner in thing.__mro__:
        if not owner.__module__.startswith("rbmnotes."):
            continue
        for name, member in vars(owner).items():
            if (name.startswith("_") and name != "__init__") or name in found:
                continue
            if isinstance(member, property):
                found |= {f"{name}.{f.__name__}": f for f in (member.fget, member.fset) if f}
            member = getattr(member, "func", getattr(member, "__func__", member))
            if inspect.isfunction(member):
                found[name] = member
    return found


def missing_hints(function):
    """Return what a function leaves open: names of arguments, and 'return'."""
    hints = typing.get_type_hints(function, localns=LAZY)  # raises if one names no type
    names = list(inspect.signature(function).parameters)
    if names[:1] == ["self"]:
        del names[0]
    return [name for name in (*names, "return") if name not in hints]


def test_the_page_names_what_is_there():
    assert len(PUBLIC) > 100
    for name, members in PAGE.items():
        assert not set(members) - set(dir(resolve(name))), name
    assert PAGE["rbmnotes.SpikedModel"] == ["r", "n", "sample", "information_coefficient"]
    assert "rbmnotes.evidence.compare_slope" in PAGE
    described = {id(resolve(name)) for name in PAGE}
    public = {name: getattr(rbmnotes, name) for name in rbmnotes.__all__}
    assert not {name for name, thing in public.items() if id(thing) not in described}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_is_annotated(name):
    thing = resolve(name)
    for inner, function in functions_of(thing).items():
        assert not missing_hints(function), f"{name}: {inner}"
    if inspect.isclass(thing):
        hints = typing.get_type_hints(thing)
        fields = dataclasses.fields(thing) if dataclasses.is_dataclass(thing) else ()
        assert {field.name for field in fields} <= hints.keys()


def test_what_is_missing_is_found():
    def complete(x: int, *, rng: "np.random.Generator") -> float: ...
    def open_argument(x, y: int) -> float: ...
    def open_return(self, x: int): ...
    def unknown(x: "Nothing") -> None: ...  # noqa: F821

    assert missing_hints(complete) == []
    assert missing_hints(open_argument) == ["x"]
    assert missing_hints(open_return) == ["return"]
    with pytest.raises(NameError):
        missing_hints(unknown)


def test_members_are_found_wherever_they_are_defined():
    assert {"__init__", "quantile", "moment", "mean.mean"} <= functions_of(
        rbmnotes.Rademacher
    ).keys()
    assert {"batch_size.batch_size", "epoch"} <= functions_of(rbmnotes.RBMTraining).keys()
    assert "max_tilted_variance" in functions_of(rbmnotes.Continuous)
    assert functions_of(rbmnotes.fashion_mnist).keys() == {"fashion_mnist"}


def test_the_marker_is_shipped():
    """Without it a type checker does not look at the hints of an installed package."""
    assert (PACKAGE / "py.typed").read_bytes() == b""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert "py.typed" in settings["setuptools"]["package-data"]["rbmnotes"]


def test_mypy_holds_the_whole_package():
    """But for experiments, of which it knows less, and for functions that numba compiles."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert settings["files"] == ["rbmnotes"]
    assert settings["disallow_untyped_defs"]
    for override in settings["overrides"]:
        modules = override["module"]
        for module in [modules] if isinstance(modules, str) else modules:
            if module.startswith("rbmnotes.") and module != "rbmnotes.experiments.*":
                path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
                assert "@njit(" in path.read_text(encoding="utf-8"), module
                assert override["disallow_incomplete_defs"], module
    assert "\t$(BIN)/mypy\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
