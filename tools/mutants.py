"""Do the tests notice? Change one formula at a time and see whether a test fails.

Usage: python tools/mutants.py [--count 200] [--seed 0] [--jobs 2] [--limit 600]
                               [--results mutants.jsonl] [MODULE.py ...]

A change swaps + and -, * and /, turns a comparison round, drops a sign, takes a power one higher, a
constant a tenth or one larger. First, all tests concerned must pass without any. Then each is made
in a copy of its own, so numba compiles everything anew, and there the tests most related to the
module run, as long as they pass and within a limit of seconds. Results are appended to a file, and
another run goes on where this one stopped. At the end the score is printed, and the changes that
no test has noticed; those named in ``tools/equivalent.txt``, which change nothing, do not count.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("model", "algorithms", "theory", "likelihood")
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
MOST_TEST_FILES = 4
NOT_OF_FORMULAS = re.compile(
    r"test_(packaging|site|book|claims|tools|benchmarks|command_line|engine|store|cluster|notebook)"
)
"""Tests of what lies around the core; a copy does not have all they need."""

OPERATORS = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.MatMult: ("@", None),
    ast.Lt: ("<", ">="),
    ast.LtE: ("<=", ">"),
    ast.Gt: (">", "<="),
    ast.GtE: (">=", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
}


@dataclass(frozen=True)
class Mutant:
    """A single change: characters of a line of a module, from a column on."""

    module: str
    line: int
    column: int
    old: str
    new: str
    text: str
    """The line as it was."""

    def apply(self, source: str) -> str:
        """Return the source with the change made."""
        lines = source.splitlines(keepends=True)
        line = lines[self.line - 1]
        assert line[self.column :].startswith(self.old), (self, line)
        lines[self.line - 1] = line[: self.column] + self.new + line[self.column + len(self.old) :]
        return "".join(lines)

    def __str__(self):
        return f"{self.module}:{self.line}: {self.old!r} to {self.new!r} in: {self.text}"


def mutants(source: str, module: str) -> list[Mutant]:
    """Return every change of a module, in the order of its lines.

    What is not a formula is left alone: annotations, decorators, texts, subscripts, and whatever
    raises an error or decides whether to.
    """
    lines = source.splitlines()
    found = []

    def add(line, column, old, new):
        found.append(Mutant(module, line, column, old, new, lines[line - 1].strip()))

    def between(left, right, symbol):
        """Return where an operator stands, if it is on the line where its left side ends."""
        stop = right.col_offset if right.lineno == left.end_lineno else None
        column = lines[left.end_lineno - 1].find(symbol, left.end_col_offset, stop)
        return None if column < 0 else (left.end_lineno, column)

    def visit(node):
        if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.If) and any(isinstance(n, ast.Raise) for n in node.body):
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.FunctionDef):
            for child in (*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body):
                visit(child)
            return
        if isinstance(node, ast.AnnAssign):
            return visit(node.value) if node.value else None
        if isinstance(node, ast.Subscript):
            return visit(node.value)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            if place := between(node.left, node.right, "**"):
                add(*place, "**", "* 1.1 **")
        elif isinstance(node, ast.BinOp) and OPERATORS.get(type(node.op), (0, None))[1]:
            old, new = OPERATORS[type(node.op)]
            if place := between(node.left, node.right, old):
                add(*place, old, new)
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in OPERATORS:
            old, new = OPERATORS[type(node.ops[0])]
            if place := between(node.left, node.comparators[0], old):
                add(*place, old, new)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            add(node.lineno, node.col_offset, "-", "+")
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            old = lines[node.lineno - 1][node.col_offset : node.end_col_offset]
            new = f"{node.value + 1}" if type(node.value) is int else f"({old} * 1.1 + 1e-3)"
            add(node.lineno, node.col_offset, old, new)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(source))
    return sorted(found, key=lambda mutant: (mutant.line, mutant.column))


def modules() -> list[str]:
    """Return the modules of the core that hold formulas, as paths within the repository."""
    paths = (path for layer in LAYERS for path in (ROOT / "rbmnotes" / layer).rglob("*.py"))
    return sorted(str(path.relative_to(ROOT)) for path in paths if path.name != "__init__.py")


def choose(names: list[str], count: int, seed: int) -> list[Mutant]:
    """Return a random choice of changes, of every module its share and at least one."""
    rng, chosen = random.Random(seed), []
    by_module = {name: mutants((ROOT / name).read_text(encoding="utf-8"), name) for name in names}
    total = sum(map(len, by_module.values()))
    for candidates in by_module.values():
        share = min(len(candidates), max(1, -(-count * len(candidates) // total)))
        chosen += sorted(rng.sample(candidates, share), key=candidates.index)
    return chosen


def related_tests(module: str) -> list[str]:
    """Return the test files most related to a module, by how often they name it and its functions.

    A module that no test names is tried by the tests of those that import it.
    """
    path = Path(module)
    dotted = re.compile(rf"\b{re.escape('.'.join(path.with_suffix('').parts))}\b")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    public = [name for name in functions if not name.startswith("_")]
    names = re.compile(rf"\b({'|'.join(public)})\b" if public else r"(?!)")
    scores = Counter()
    for test in sorted((ROOT / "tests").rglob("test_*.py")):
        if NOT_OF_FORMULAS.fullmatch(test.stem):
            continue
        text = test.read_text(encoding="utf-8")
        score = len(names.findall(text)) + 100 * len(dotted.findall(text))
        scores[str(test.relative_to(ROOT))] = score + 1000 * (test.stem == f"test_{path.stem}")
    found = [test for test, score in scores.most_common(MOST_TEST_FILES) if score]
    if not found:
        importers = (n for n in modules() if dotted.search((ROOT / n).read_text(encoding="utf-8")))
        found = list(dict.fromkeys(test for n in importers for test in related_tests(n)[:2]))
    return found[:MOST_TEST_FILES]


def run_tests(mutant: Mutant | None, tests: list[str], limit: float | None) -> str:
    """Run tests in a copy with the change made; return passed, failed or ``too slow``."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        ignored = shutil.ignore_patterns("__pycache__", ".*", "_build")
        for name in ("rbmnotes", "tests", "tools", "benchmarks"):
            shutil.copytree(ROOT / name, Path(folder, name), ignore=ignored)
        for name in ("conftest.py", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        Path(folder, "book").symlink_to(ROOT / "book")
        if mutant is not None:
            target = Path(folder, mutant.module)
            target.write_text(mutant.apply(target.read_text(encoding="utf-8")), encoding="utf-8")
        places = {"PYTHONPATH": folder, "NUMBA_CACHE_DIR": str(Path(folder, "compiled"))}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-o", "addopts=", *tests]
        try:
            done = subprocess.run(
                [*command, "-p", "no:cacheprovider"],
                cwd=folder,
                env=os.environ | places,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "too slow"
        return "passed" if done.returncode == 0 else "failed"


def key_of(mutant: Mutant) -> str:
    """Return what tells one change from another, also after lines have moved."""
    return f"{mutant.module}: {mutant.text} [{mutant.column}] {mutant.new}"


def main(arguments: list[str] | None = None) -> int:
    """Run what is not in the results yet; print the score and what survives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="number of changes (default: 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one change")
    parser.add_argument("--results", type=Path, default=Path("mutants.jsonl"))
    parser.add_argument("modules", nargs="*", metavar="MODULE.py")
    options = parser.parse_args(arguments)
    chosen = choose(options.modules or modules(), options.count, options.seed)
    done = {}
    if options.results.exists():
        lines = options.results.read_text(encoding="utf-8").splitlines()
        done = {row["key"]: row["outcome"] for row in map(json.loads, lines)}
    tests = {mutant.module: related_tests(mutant.module) for mutant in chosen}

    def work(mutant):
        key = key_of(mutant)
        if key not in done:
            outcome = run_tests(mutant, tests[mutant.module], options.limit)
            row = {"key": key, "outcome": outcome, "tests": tests[mutant.module]}
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row | asdict(mutant)) + "\n")
            print(f"{outcome}: {mutant}", flush=True)
            done[key] = outcome
        return done[key]

    if not all(key_of(mutant) in done for mutant in chosen):
        concerned = sorted({test for files in tests.values() for test in files})
        if run_tests(None, [*concerned, "-n", str(options.jobs)], None) != "passed":
            print(f"without any change these do not pass: pytest {' '.join(concerned)}")
            return 1
        print(f"without any change {len(concerned)} files of tests pass", flush=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        return report(chosen, [*pool.map(work, chosen)])


def report(chosen: list[Mutant], outcomes: list[str]) -> int:
    """Print how many changes were noticed, and which were not."""
    text = EQUIVALENT.read_text(encoding="utf-8") if EQUIVALENT.exists() else ""
    equivalent = {line.partition(" # ")[0].strip() for line in text.splitlines()}
    survivors = [m for m, o in zip(chosen, outcomes, strict=True) if o == "passed"]
    alive = [m for m in survivors if key_of(m) not in equivalent]
    counted = len(chosen) - len(survivors) + len(alive)
    for mutant in alive:
        print(f"not noticed: {mutant}\n    {key_of(mutant)}")
    share = 100 * (counted - len(alive)) / counted if counted else 0.0
    print(f"{counted - len(alive)} of {counted} changes noticed ({share:.1f} %)", end="; ")
    print(
        f"{len(survivors) - len(alive)} equivalent, {outcomes.count('too slow')} by the time limit"
    )
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
